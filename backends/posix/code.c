/*
 * Where a function lies: module, offset from the module's load address, and which build of the module.
 *
 * Modules are those that the dynamic linker, or in a static program the C library, shows by dl_iterate_phdr(); the first
 * one it shows is the main program. A build is known by its GNU build id, or, when the linker was told to write none, by
 * a hash over the code itself.
 */
#include "posix.h"
#include "sys.h"

#include <errno.h>
#include <link.h>
#include <string.h>

#define NOTE_BUILD_ID 3u /* NT_GNU_BUILD_ID */

/* A loaded module, as far as it is needed here. */
typedef struct module {
    uintptr_t   base; /* what is added to the addresses in its file; 0 in a main program that is not PIE */
    const char *path; /* the dynamic linker's; "" for the main program */
    const ElfW(Phdr) * segments;
    unsigned segment_count;
    bool     main_program;
} module;

static bool segment_contains(const module *in, const ElfW(Phdr) * segment, uintptr_t address)
{
    return segment->p_type == PT_LOAD && (segment->p_flags & PF_X) != 0 &&
           address - (in->base + segment->p_vaddr) < segment->p_memsz;
}

static bool contains_code(const module *in, uintptr_t address)
{
    for (unsigned i = 0; i < in->segment_count; i++)
        if (segment_contains(in, &in->segments[i], address))
            return true;
    return false;
}

/* ---- looking through the modules ---- */

typedef struct search {
    bool (*matches)(const module *candidate, const void *what);
    const void *what;
    module      found;
    bool        seen_one, ok;
} search;

static int search_step(struct dl_phdr_info *info, size_t size, void *user)
{
    search *state = user;
    module  candidate = {
         .base = info->dlpi_addr,
         .path = info->dlpi_name ? info->dlpi_name : "",
         .segments = info->dlpi_phdr,
         .segment_count = info->dlpi_phnum,
         .main_program = !state->seen_one,
    };

    (void)size;
    state->seen_one = true;
    if (!state->matches(&candidate, state->what))
        return 0;
    state->found = candidate;
    state->ok = true;
    return 1;
}

static bool find_module(module *out, bool (*matches)(const module *candidate, const void *what), const void *what)
{
    search state = {.matches = matches, .what = what};

    dl_iterate_phdr(search_step, &state);
    *out = state.found;
    return state.ok;
}

static bool holds_address(const module *candidate, const void *what)
{
    return contains_code(candidate, *(const uintptr_t *)what);
}

static bool is_main(const module *candidate, const void *what)
{
    (void)what;
    return candidate->main_program;
}

static bool is_same_object(const module *candidate, const void *what)
{
    const struct link_map *map = what;

    return !candidate->main_program && candidate->base == map->l_addr && strcmp(candidate->path, map->l_name) == 0;
}

/* ---- which build ---- */

static size_t padded(size_t size)
{
    return (size + 3) & ~(size_t)3;
}

/* Copies at most capacity bytes of the build id in one note segment; 0: none there. */
static size_t build_id_in(const uint8_t *at, size_t size, uint8_t *out, size_t capacity)
{
    ElfW(Nhdr) note;

    while (size >= sizeof note) {
        const uint8_t *name, *id;
        size_t         whole;

        memcpy(&note, at, sizeof note);
        name = at + sizeof note;
        whole = sizeof note + padded(note.n_namesz) + padded(note.n_descsz);
        if (whole > size)
            return 0;
        id = name + padded(note.n_namesz);
        if (note.n_type == NOTE_BUILD_ID && note.n_namesz == 4 && memcmp(name, "GNU", 4) == 0 && note.n_descsz > 0) {
            size_t used = note.n_descsz < capacity ? note.n_descsz : capacity;
            memcpy(out, id, used);
            return used;
        }
        at += whole;
        size -= whole;
    }
    return 0;
}

/* Two 64-bit lanes of multiply and fold; identity among builds, not protection against forgers. */
static void hash_code(const uint8_t *at, size_t size, uint64_t lanes[2])
{
    uint64_t word;

    for (; size >= sizeof word; at += sizeof word, size -= sizeof word) {
        memcpy(&word, at, sizeof word);
        lanes[0] = (lanes[0] ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        lanes[1] = (lanes[1] ^ (word + lanes[0])) * UINT64_C(0xc2b2ae3d27d4eb4f);
        lanes[0] ^= lanes[0] >> 29;
        lanes[1] ^= lanes[1] >> 31;
    }
    for (; size > 0; at++, size--)
        lanes[0] = (lanes[0] ^ *at) * UINT64_C(0x100000001b3);
}

static size_t hash_module(const module *in, uint8_t *out)
{
    uint64_t lanes[2] = {UINT64_C(0xcbf29ce484222325), UINT64_C(0x84222325cbf29ce4)};
    uint32_t bytes = 0;

    for (unsigned i = 0; i < in->segment_count; i++) {
        const ElfW(Phdr) *segment = &in->segments[i];

        if (segment->p_type != PT_LOAD || (segment->p_flags & (PF_X | PF_R)) != (PF_X | PF_R))
            continue; /* code that may not be read can't be told apart */
        hash_code((const uint8_t *)(in->base + segment->p_vaddr), segment->p_memsz, lanes);
        bytes += (uint32_t)segment->p_memsz;
    }
    if (bytes == 0)
        return 0;
    memcpy(out, lanes, sizeof lanes);
    memcpy(out + sizeof lanes, &bytes, sizeof bytes);
    return sizeof lanes + sizeof bytes;
}

/* The hash of the main program, which is never unloaded; of other modules it is made each time. Per thread, so that no
 * lock stands in the way of a fork. */
static _Thread_local struct {
    size_t  size;
    uint8_t build[20];
} main_hash;

static size_t hash_of(const module *in, uint8_t *out)
{
    if (!in->main_program)
        return hash_module(in, out);
    if (main_hash.size == 0)
        main_hash.size = hash_module(in, main_hash.build);
    memcpy(out, main_hash.build, main_hash.size);
    return main_hash.size;
}

/* What a server knows of its program before it forks, so that none of its children has to look it up. */
static struct {
    size_t  size; /* of build; 0: nothing is noted */
    module  in;
    uint8_t build[sizeof((yoke_code_place *)0)->build];
} noted;

static size_t build_of(const module *in, uint8_t *out, size_t capacity)
{
    _Static_assert(sizeof main_hash.build == sizeof((yoke_code_place *)0)->build, "same identity");

    if (in->main_program && noted.size > 0 && noted.size <= capacity) {
        memcpy(out, noted.build, noted.size);
        return noted.size;
    }
    for (unsigned i = 0; i < in->segment_count; i++) {
        const ElfW(Phdr) *segment = &in->segments[i];
        size_t size;

        if (segment->p_type != PT_NOTE)
            continue;
        size = build_id_in((const uint8_t *)(in->base + segment->p_vaddr), segment->p_memsz, out, capacity);
        if (size > 0)
            return size;
    }
    return hash_of(in, out);
}

/* ---- the two operations ---- */

/* The child may stand in another directory: the path must be absolute. */
static int note_path(yoke_code_place *out, const char *path)
{
    char absolute[4096]; /* PATH_MAX, which need not be defined */

    if (!yoke__sys.realpath(path, absolute))
        return yoke_backend_fail(YOKE_ENOENT, errno, "the file of module \"%s\" is gone", path);
    if (strlen(absolute) >= sizeof out->module)
        return yoke_backend_fail(YOKE_ERANGE, 0, "the path of module \"%s\" is longer than %zu bytes", path,
                                 sizeof out->module - 1);
    memcpy(out->module, absolute, strlen(absolute) + 1);
    return YOKE_OK;
}

static int code_locate(yoke_code_place *out, void (*function)(void))
{
    uintptr_t       address = (uintptr_t)function;
    module          in;
    yoke_code_place place = {0};

    if (!find_module(&in, holds_address, &address))
        return yoke_backend_fail(YOKE_ENOENT, 0, "the address %p lies in no module's code", (void *)address);
    place.offset = address - in.base;
    place.main_program = in.main_program;
    place.build_size = (uint8_t)build_of(&in, place.build, sizeof place.build);
    if (!in.main_program)
        YOKE_TRY(note_path(&place, in.path));
    *out = place;
    return YOKE_OK;
}

/* *loaded: a handle to keep or to close. */
static int load(module *out, void **loaded, const char *path)
{
    struct link_map *map;
    void            *handle = yoke__sys.dlopen(path, RTLD_NOW | RTLD_LOCAL);

    if (!handle) {
        const char *reason = dlerror();
        return yoke_backend_fail(YOKE_ENOENT, 0, "module \"%s\" can't be loaded: %s", path,
                                 reason ? reason : "no reason");
    }
    if (dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0 || !find_module(out, is_same_object, map)) {
        dlclose(handle);
        return yoke_backend_fail(YOKE_ENOENT, 0, "module \"%s\" can't be found once loaded", path);
    }
    *loaded = handle;
    return YOKE_OK;
}

static int check(const module *in, const yoke_code_place *place)
{
    uint8_t     build[sizeof place->build];
    size_t      size = build_of(in, build, sizeof build);
    const char *what = place->main_program ? "this program" : place->module;

    if (place->build_size == 0 || place->build_size > sizeof build || size == 0)
        return yoke_backend_fail(YOKE_EINVAL, 0,
                                 "it can't be verified that %s is the build that the function is from: "
                                 "start it by its registered name",
                                 what);
    if (size != place->build_size || memcmp(build, place->build, size) != 0)
        return yoke_backend_fail(YOKE_EINVAL, 0,
                                 "%s is not the build that the function is from: start it by its "
                                 "registered name",
                                 what);
    if (!contains_code(in, in->base + (uintptr_t)place->offset))
        return yoke_backend_fail(YOKE_EINVAL, 0, "offset %#llx of %s is not code", (unsigned long long)place->offset,
                                 what);
    return YOKE_OK;
}

/* By the only thread. */
void yoke__posix_code_note_program(void)
{
    if (find_module(&noted.in, is_main, NULL))
        noted.size = build_of(&noted.in, noted.build, sizeof noted.build);
}

static bool find_program(module *out)
{
    if (noted.size == 0)
        return find_module(out, is_main, NULL);
    *out = noted.in;
    return true;
}

static int code_resolve(void (**out)(void), const yoke_code_place *place)
{
    module in;
    void  *loaded = NULL; /* stays loaded on success: the function is about to run */
    int    rc;

    if (place->main_program) {
        if (!find_program(&in))
            return yoke_backend_fail(YOKE_ENOENT, 0, "the main program can't be found in its own memory");
    } else {
        if (place->module[0] != '/' || !memchr(place->module, '\0', sizeof place->module))
            return yoke_backend_fail(YOKE_EINVAL, 0, "a place of code names no module");
        YOKE_TRY(load(&in, &loaded, place->module));
    }
    rc = check(&in, place);
    if (rc == YOKE_OK)
        *out = (void (*)(void))(in.base + (uintptr_t)place->offset);
    else if (loaded)
        dlclose(loaded);
    return rc;
}

const yoke_code_ops yoke__posix_code = {
    .struct_size = sizeof(yoke_code_ops),
    .locate = code_locate,
    .resolve = code_resolve,
};
