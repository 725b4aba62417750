/* Writing a domain's header, and believing one. */
#include "make.h"

#include "../backend.h"
#include "../error.h"
#include "directory.h"
#include "heap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FIRST_HEAP   (UINT64_C(512) << 10)
#define BUDGET_LEAST (UINT64_C(1) << 20)
/* 16 GiB of address space where there is plenty of it. */
#define RESERVE_DEFAULT (sizeof(void *) >= 8 ? UINT64_C(1) << 34 : UINT64_C(1) << 28)
#define RESERVE_LEAST   (UINT64_C(1) << 26) /* to which the default is lowered */

static uint64_t round_up(uint64_t size)
{
    return (size + YOKE__PAGE - 1) & ~(YOKE__PAGE - 1);
}

uint64_t yoke__domain_first_size(void)
{
    return round_up(YOKE__HEAP_START + FIRST_HEAP);
}

/* ---- sizes ------------------------------------------------------------------------------------------------------- */

static int reserve_from_environment(yoke__domain_sizes *out)
{
    const char *text = getenv("YOKE_RESERVE");
    if (!text || !*text) {
        uint64_t usual = yoke__backend()->memory->reserve;
        out->reserve = usual ? usual : RESERVE_DEFAULT;
        return YOKE_OK;
    }
    char              *end;
    unsigned long long bytes = strtoull(text, &end, 10);
    if (*end || bytes == 0) {
        return yoke__fail(YOKE_EINVAL, "environment variable YOKE_RESERVE is '%s', not a number of bytes", text);
    }
    out->reserve = bytes;
    out->chosen = true;
    return YOKE_OK;
}

int yoke__domain_settle(yoke__domain_sizes *out, const yoke_domain_options *options)
{
    yoke__domain_sizes sizes = {0};
    if (options) {
        sizes = (yoke__domain_sizes){
            .reserve = options->reserve_bytes, .budget = options->max_bytes, .chosen = options->reserve_bytes != 0};
    }
    if (sizes.reserve == 0) {
        YOKE_TRY(reserve_from_environment(&sizes));
    }
    if (sizes.reserve < yoke__domain_first_size() || sizes.reserve > YOKE__RESERVE_MAX) {
        return yoke__fail(YOKE_EINVAL, "a domain can't reserve %llu bytes: from %llu to %llu",
                          (unsigned long long)sizes.reserve, (unsigned long long)yoke__domain_first_size(),
                          (unsigned long long)YOKE__RESERVE_MAX);
    }
    if (sizes.budget && (sizes.budget < BUDGET_LEAST || sizes.budget < yoke__domain_first_size())) {
        return yoke__fail(YOKE_EINVAL, "a domain can't do with at most %llu bytes: it needs %llu",
                          (unsigned long long)sizes.budget, (unsigned long long)BUDGET_LEAST);
    }
    sizes.reserve = round_up(sizes.reserve);
    *out = sizes;
    return YOKE_OK;
}

static int make_memory(yoke_memory *out, const char *name, const yoke__domain_sizes *sizes)
{
    return yoke__backend()->memory->create(out, name, sizes->reserve, yoke__domain_first_size(), sizes->permissions);
}

int yoke__domain_make_memory(yoke_memory *out, const char *name, yoke__domain_sizes *sizes)
{
    uint64_t least = sizes->budget > RESERVE_LEAST ? sizes->budget : RESERVE_LEAST;
    uint64_t wanted = sizes->reserve;
    int      rc = make_memory(out, name, sizes);
    /* Of named memory the lock has gone with the failure: no second try. */
    while (rc == YOKE_ENOMEM && !sizes->chosen && !name && sizes->reserve / 2 >= least) {
        sizes->reserve /= 2;
        rc = make_memory(out, name, sizes);
    }
    if (rc == YOKE_ENOMEM) {
        return yoke__fail_in(rc, "%llu bytes of address space are asked for, and less by reserve_bytes of %s",
                             (unsigned long long)wanted, name ? "yoke_domain_options" : "yoke_domain_configure()");
    }
    return rc;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

/* Differs between builds that lay memory out differently. FNV-1a over what decides that. */
static uint64_t layout_hash(void)
{
    const uint64_t parts[] = {
        sizeof(yoke__header),
        sizeof(yoke__participant),
        sizeof(yoke__thread),
        sizeof(yoke__bucket),
        sizeof(yoke__death),
        sizeof(yoke__domain_layout),
        sizeof(yoke__block),
        offsetof(yoke__header, registry),
        offsetof(yoke__header, directory),
        offsetof(yoke__header, allocator),
        offsetof(yoke__header, free_lists),
        offsetof(yoke__header, owned),
        offsetof(yoke__header, deaths),
        offsetof(yoke__participant, caches),
        offsetof(yoke__participant, name),
        offsetof(yoke__participant, since),
        offsetof(yoke__header, created),
        offsetof(yoke__death, when),
        offsetof(yoke__thread, native),
        offsetof(yoke__domain_layout, participants),
        offsetof(yoke__domain_layout, threads),
        offsetof(yoke__domain_layout, buckets),
        YOKE__PARTICIPANTS,
        YOKE__THREADS,
        YOKE__BUCKETS,
        YOKE__DEATHS,
        YOKE__GRANULE,
        YOKE__CLASSES,
        YOKE__CHAINS,
        sizeof(void *), /* objects may hold sizes of the program's own word */
    };
    const uint8_t *bytes = (const uint8_t *)parts;
    uint64_t       hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < sizeof parts; i++) {
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static int choose_wait_mode(uint32_t *out)
{
    const char *chosen = getenv("YOKE_WAIT");
    bool        native = yoke__backend()->waiting->wait_word != NULL;
    if (!chosen || !*chosen) {
        *out = native ? YOKE__WAIT_NATIVE : YOKE__WAIT_PARKING;
        return YOKE_OK;
    }
    if (strcmp(chosen, "parking") == 0) {
        *out = YOKE__WAIT_PARKING;
        return YOKE_OK;
    }
    if (strcmp(chosen, "native") != 0) {
        return yoke__fail(YOKE_EINVAL, "environment variable YOKE_WAIT is '%s', neither 'native' nor 'parking'",
                          chosen);
    }
    if (!native) {
        return yoke__fail(YOKE_ENOTSUP, "YOKE_WAIT=native, but backend '%s' can't wait on a word",
                          yoke__backend()->name);
    }
    *out = YOKE__WAIT_NATIVE;
    return YOKE_OK;
}

int yoke__domain_init(yoke_domain *domain, const yoke__domain_sizes *sizes)
{
    const yoke_backend *backend = yoke__backend();
    yoke__header       *header = yoke__domain_header(domain);
    yoke_identity       self;
    uint64_t            id = 0;
    YOKE_TRY(choose_wait_mode(&header->wait_mode));
    YOKE_TRY(backend->life->self(&self));
    while (id == 0) { /* 0 means none */
        YOKE_TRY(backend->system->random(&id, sizeof id));
    }
    header->version = YOKE__LAYOUT_VERSION;
    header->layout = layout_hash();
    header->id = id;
    header->reserve = sizes->reserve;
    header->budget = sizes->budget;
    header->space = self.space;
    header->permissions = sizes->permissions;
    header->created = (uint64_t)time(NULL);
    if (backend->memory->name_user)
        YOKE_TRY(backend->memory->name_user(&header->user, NULL));
    memcpy(header->name, domain->name, sizeof header->name);
    yoke__a64_store_release(&header->committed, yoke__domain_first_size());
    yoke__heap_init(domain);
    yoke__a32_store_release(&header->state, 1);
    yoke__a64_store_release(&header->magic, YOKE__MAGIC);
    return YOKE_OK;
}

/* ---- believing --------------------------------------------------------------------------------------------------- */

static int mismatch(const yoke__domain_expected *expected, const char *field, uint64_t found, uint64_t wanted)
{
    return yoke__fail(YOKE_EPROTO, "%s: its %s is %#llx, expected %#llx", expected->what, field,
                      (unsigned long long)found, (unsigned long long)wanted);
}

/* Of a header that is there in whole, of memory of that size: is it one that this build understands? */
static int check_format(const yoke__header *header, uint64_t size, const yoke__domain_expected *expected)
{
    uint64_t magic = yoke__a64_load_acquire(&header->magic);
    if (size < yoke__domain_first_size()) { /* bytes beyond it must not be touched */
        return yoke__fail(YOKE_EPROTO, "%s: it has %llu bytes, expected at least %llu", expected->what,
                          (unsigned long long)size, (unsigned long long)yoke__domain_first_size());
    }
    if (magic != YOKE__MAGIC) {
        return mismatch(expected, "first word", magic, YOKE__MAGIC);
    }
    if (header->version != YOKE__LAYOUT_VERSION) {
        return yoke__fail(YOKE_EPROTO, "%s: made by another version of the library: layout %u, expected %u",
                          expected->what, header->version, YOKE__LAYOUT_VERSION);
    }
    if (header->layout != layout_hash()) {
        return mismatch(expected, "layout (another build of the library made it)", header->layout, layout_hash());
    }
    return YOKE_OK;
}

int yoke__domain_check_header(const yoke__header *header, uint64_t size, const char *name)
{
    yoke__domain_expected expected = {.what = name};
    return check_format(header, size, &expected);
}

int yoke__domain_peek(const yoke_memory *memory, const yoke__domain_expected *expected, bool *ready)
{
    const yoke__header *header = memory->base;
    uint64_t            size;
    YOKE_TRY(yoke__backend()->memory->size(memory, &size));
    *ready = size > 0 && yoke__a64_load_acquire(&header->magic) != 0; /* any byte brings its whole page */
    if (!*ready) {
        return YOKE_OK;
    }
    YOKE_TRY(check_format(header, size, expected));
    uint64_t reserve = header->reserve;
    if (reserve < yoke__domain_first_size() || reserve > YOKE__RESERVE_MAX || reserve % YOKE__PAGE) {
        return mismatch(expected, "reserve", reserve, expected->reserve ? expected->reserve : YOKE__RESERVE_MAX);
    }
    if (expected->reserve && reserve != expected->reserve) {
        return mismatch(expected, "reserve", reserve, expected->reserve);
    }
    if (expected->id && header->id != expected->id) {
        return mismatch(expected, "id", header->id, expected->id);
    }
    return YOKE_OK;
}

/* Figures that later code computes with. */
static int validate_sizes(const yoke__header *header, const yoke__domain_expected *expected, uint64_t size)
{
    uint64_t committed = yoke__a64_load_acquire(&header->committed);
    uint64_t end = yoke__a64_load_acquire(&header->heap_end);
    uint64_t last = yoke__a64_load_acquire(&header->heap_last);
    if (committed < yoke__domain_first_size() || committed > size || committed > header->reserve) {
        return mismatch(expected, "committed size", committed, size < header->reserve ? size : header->reserve);
    }
    if (end <= YOKE__BLOCK_FIRST || end > committed - YOKE__BLOCK_HEADER || end % YOKE__GRANULE != YOKE__BLOCK_HEADER) {
        return mismatch(expected, "end of the heap", end, committed - YOKE__BLOCK_HEADER);
    }
    if (last < YOKE__BLOCK_FIRST || last >= end || last % YOKE__GRANULE != YOKE__BLOCK_HEADER) {
        return mismatch(expected, "last block", last, end);
    }
    return YOKE_OK;
}

/* Every chunk lies in the memory, and they have room for the entries. Chunks come in order, each before the entries in it
 * are counted: so the count is read first. */
static int validate_directory(const yoke__header *header, const yoke__domain_expected *expected)
{
    uint32_t count = yoke__a32_load_acquire(&header->directory_count);
    uint64_t room = 0;
    bool     gap = false;
    for (uint32_t k = 0; k < YOKE__DIRECTORY_CHUNKS; k++) {
        uint64_t at = yoke__a64_load_acquire(&header->directory[k]);
        uint64_t committed = yoke__a64_load_acquire(&header->committed);
        uint64_t entries = (uint64_t)YOKE__DIRECTORY_FIRST << k;
        gap |= at == 0;
        if (at == 0)
            continue;
        if (at < YOKE__BLOCK_FIRST || at % YOKE__GRANULE != 0 || entries * sizeof(yoke__entry) > committed ||
            at > committed - entries * sizeof(yoke__entry))
            return mismatch(expected, "directory", at, 0);
        room += gap ? 0 : entries;
    }
    return count <= room ? YOKE_OK : mismatch(expected, "directory's count", count, room);
}

int yoke__domain_validate(const yoke_memory *memory, const yoke__domain_expected *expected)
{
    const yoke_backend *backend = yoke__backend();
    const yoke__header *header = memory->base;
    yoke_identity       self;
    uint64_t            size;
    bool                ready = false;
    YOKE_TRY(yoke__domain_peek(memory, expected, &ready));
    uint32_t state = yoke__a32_load_acquire(&header->state);
    if (!ready || state != 1) {
        return mismatch(expected, "state", ready ? state : 0, 1);
    }
    if (header->reserve != memory->reserved) {
        return mismatch(expected, "reserve", header->reserve, memory->reserved);
    }
    YOKE_TRY(backend->memory->size(memory, &size));
    YOKE_TRY(validate_sizes(header, expected, size));
    YOKE_TRY(validate_directory(header, expected));
    YOKE_TRY(backend->life->self(&self));
    if (header->space != self.space) {
        return mismatch(expected, "pid namespace or boot", header->space, self.space);
    }
    if (header->wait_mode != YOKE__WAIT_NATIVE && header->wait_mode != YOKE__WAIT_PARKING) {
        return mismatch(expected, "way of waiting", header->wait_mode, YOKE__WAIT_NATIVE);
    }
    if (header->wait_mode == YOKE__WAIT_NATIVE && !backend->waiting->wait_word) {
        return yoke__fail(YOKE_EPROTO, "%s: its processes wait on words, which backend '%s' can't", expected->what,
                          backend->name);
    }
    return memchr(header->name, '\0', sizeof header->name)
               ? YOKE_OK
               : yoke__fail(YOKE_EPROTO, "%s: its name has no end", expected->what);
}
