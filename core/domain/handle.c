/*
 * Handles: this process's pointers to objects. Their memory comes in slabs that never go back, so that looking at a
 * closed handle is harmless, and free ones are reused in the order in which they were closed and not at once, so that a
 * closed one stays known as closed for a while.
 */
#include "directory.h"

#include "../backend.h"
#include "../error.h"
#include "../local.h"
#include "../wait/word.h"
#include "allocator.h"
#include "participant.h"

#include <stdlib.h>
#include <string.h>

#define SLAB_HANDLES 64u
#define RESTING      64u /* closed handles that are kept from reuse while there are others */

#define MAGIC_MASK   UINT32_C(0xffffff00)
#define MAGIC_CLOSED UINT32_C(0x78786800) /* | kind */

/* Handles of different threads don't share cache lines. */
typedef struct cell {
    _Alignas(64) yoke__handle handle;
} cell;

typedef struct slab {
    struct slab *next;
    void        *memory; /* as malloc gave it */
    cell        *cells;  /* SLAB_HANDLES of them */
} slab;

/* Held across forks. */
static struct {
    yoke__mutex   mutex;
    bool          hooked;
    slab         *slabs;
    yoke__handle *oldest, *newest; /* free ones */
    uint32_t      free;
} pool = {.mutex = YOKE__MUTEX_INIT};

/* ---- the pool -------------------------------------------------------------------------------------------------------- */

static void before_fork(void)
{
    yoke__mutex_lock(&pool.mutex);
}

static void after_fork_in_parent(void)
{
    yoke__mutex_unlock(&pool.mutex);
}

/* Threads that slept in handles are not in the child. */
static void after_fork_in_child(void)
{
    for (slab *at = pool.slabs; at; at = at->next)
        for (uint32_t i = 0; i < SLAB_HANDLES; i++)
            if (yoke__a32_load_relaxed(&at->cells[i].handle.users))
                yoke__a32_store_relaxed(&at->cells[i].handle.users, 0);
    yoke__mutex_reset(&pool.mutex);
}

static void append_free(yoke__handle *handle)
{
    handle->next = NULL;
    if (pool.newest)
        pool.newest->next = handle;
    else
        pool.oldest = handle;
    pool.newest = handle;
    pool.free++;
}

static bool add_slab(void)
{
    slab *added = malloc(sizeof *added);
    void *memory = calloc(SLAB_HANDLES + 1, sizeof(cell));
    if (!added || !memory) {
        free(added);
        free(memory);
        return false;
    }
    added->memory = memory;
    added->cells = (cell *)(((uintptr_t)memory + 63) & ~(uintptr_t)63);
    added->next = pool.slabs;
    pool.slabs = added;
    for (uint32_t i = 0; i < SLAB_HANDLES; i++)
        append_free(&added->cells[i].handle);
    return true;
}

static yoke__handle *take_free(void)
{
    if (!pool.hooked) {
        pool.hooked = true;
        yoke__fork_hook_add_at(YOKE__FORK_HANDLES, before_fork, after_fork_in_parent, after_fork_in_child);
    }
    if (pool.free <= RESTING && !add_slab() && !pool.free)
        return NULL;
    yoke__handle *handle = pool.oldest;
    pool.oldest = handle->next;
    if (!pool.oldest)
        pool.newest = NULL;
    pool.free--;
    return handle;
}

static int new_handle(yoke__handle **out)
{
    yoke__mutex_lock(&pool.mutex);
    yoke__handle *handle = take_free();
    yoke__mutex_unlock(&pool.mutex);
    if (!handle)
        return yoke__fail(YOKE_ENOMEM, "this process has no memory for another handle");
    /* Not users: a late enter or exit through a stale pointer must stay balanced. */
    yoke__a32_store_relaxed(&handle->closing, 0);
    handle->reference = 0;
    handle->domain = NULL;
    handle->object = NULL;
    handle->id = 0;
    handle->extra = NULL;
    handle->holder = 0;
    memset(handle->private_, 0, sizeof handle->private_);
    *out = handle;
    return YOKE_OK;
}

static void free_handle(yoke__handle *handle, yoke__kind kind)
{
    yoke__a32_store_release(&handle->magic, MAGIC_CLOSED | (uint32_t)kind);
    yoke__mutex_lock(&pool.mutex);
    append_free(handle);
    yoke__mutex_unlock(&pool.mutex);
}

/* Last of all: from here on it is a handle to others. */
static void show(yoke__handle *handle, yoke__kind kind)
{
    yoke__a32_store_release(&handle->magic, YOKE__HANDLE_MAGIC | (uint32_t)kind);
}

int yoke__handle_local(yoke__handle **out, yoke__kind kind)
{
    yoke__handle *handle;
    YOKE_TRY(new_handle(&handle));
    show(handle, kind);
    *out = handle;
    return YOKE_OK;
}

/* ---- checking -------------------------------------------------------------------------------------------------------- */

static int explain(const yoke__handle *handle, yoke__kind kind)
{
    uint32_t    magic = yoke__a32_load_relaxed(&handle->magic);
    const char *wanted = yoke__kind_name(kind);
    const char *found = yoke__kind_name((yoke__kind)(magic & ~MAGIC_MASK));
    if ((magic & MAGIC_MASK) == MAGIC_CLOSED)
        return yoke__fail(YOKE_EINVAL, "this %s is closed", found);
    if ((magic & MAGIC_MASK) != YOKE__HANDLE_MAGIC)
        return yoke__fail(YOKE_EINVAL, "this is not a handle, but should be a %s", wanted);
    return yoke__fail(YOKE_EINVAL, "this is a %s, not a %s", found, wanted);
}

yoke__handle *yoke__handle_check(const void *pointer, yoke__kind kind)
{
    yoke__handle *handle = (yoke__handle *)(uintptr_t)pointer;
    if (!handle) {
        yoke__fail(YOKE_EINVAL, "NULL is not a %s", yoke__kind_name(kind));
        return NULL;
    }
    if (yoke__a32_load_acquire(&handle->magic) != (YOKE__HANDLE_MAGIC | (uint32_t)kind)) {
        explain(handle, kind);
        return NULL;
    }
    bool gone = (yoke__a32_load_acquire(&handle->closing) & YOKE__GONE) != 0; /* then its domain may be unmapped */
    if (!gone && handle->domain && !yoke__domain_token(handle->domain))
        return NULL;
    if (yoke__a32_load_acquire(&handle->closing) & YOKE__GONE) {
        yoke__fail(YOKE_ECLOSED, "this %s is gone: its last user closed it before this process came to hold it, or the "
                                 "domain was left", yoke__kind_name(kind));
        return NULL;
    }
    return handle;
}

/* ---- opening --------------------------------------------------------------------------------------------------------- */

/* Registry lock held. */
static int hold(yoke_domain *domain, yoke__handle *handle, yoke__id id)
{
    yoke__entry *entry = yoke__entry_live(domain, id);
    uint32_t     reference;
    YOKE_TRY(yoke__table_add(domain, entry, id, &reference));
    handle->domain = domain;
    handle->object = yoke__entry_object(domain, entry);
    handle->id = id;
    handle->reference = reference;
    handle->holder = yoke__domain_token(domain);
    return YOKE_OK;
}

int yoke__handle_open(yoke__handle **out, yoke_domain *domain, yoke__kind kind, yoke__id id)
{
    yoke__handle *handle;
    void         *object;
    YOKE_TRY(yoke__domain_of(&domain, domain));
    if (!yoke__domain_token(domain))
        return yoke_last_error()->code;
    YOKE_TRY(new_handle(&handle));
    yoke__registry_acquire(domain);
    int code = yoke__object_find(&object, domain, kind, id);
    if (code == YOKE_OK)
        code = hold(domain, handle, id);
    yoke__registry_release(domain);
    if (code != YOKE_OK) {
        free_handle(handle, YOKE__KIND_NONE);
        return code;
    }
    show(handle, kind);
    *out = handle;
    return YOKE_OK;
}

/* ---- creating -------------------------------------------------------------------------------------------------------- */

/* Registry lock held. Index of what stands under the spec's name, or 0. */
static uint32_t find_named(yoke_domain *domain, const yoke__object_spec *spec)
{
    return spec->name ? yoke__name_find(domain, spec->name) : 0;
}

/* Registry lock held. */
static int open_named(yoke_domain *domain, yoke__handle *handle, const yoke__object_spec *spec, uint32_t index)
{
    uint64_t   word = yoke__a64_load_relaxed(&yoke__entry_at(domain, index)->word);
    yoke__kind kind = yoke__entry_kind(word);
    if (kind != spec->kind)
        return yoke__fail(YOKE_ETYPE, "'%s' is a %s, not a %s", spec->name, yoke__kind_name(kind),
                          yoke__kind_name(spec->kind));
    if (spec->mode == YOKE_CREATE)
        return yoke__fail(YOKE_EEXIST, "there is a %s named '%s' already", yoke__kind_name(kind), spec->name);
    if (spec->agree)
        YOKE_TRY(spec->agree(domain, yoke__entry_object(domain, yoke__entry_at(domain, index)), spec->argument));
    return hold(domain, handle, YOKE__ID(index, yoke__entry_generation(word)));
}

/* The object's block: its own bytes, then its name. No lock held. */
static int build(yoke_domain *domain, const yoke__object_spec *spec, yoke__id id, void **object, uint32_t *name_at)
{
    uint64_t size = (spec->size + 15u) & ~UINT64_C(15);
    uint64_t name_units = spec->name ? size / 16u : 0;
    if (size < spec->size || name_units > UINT32_MAX)
        return yoke__fail(YOKE_ENOMEM, "a %s of %llu bytes is too large", yoke__kind_name(spec->kind),
                          (unsigned long long)spec->size);
    if (spec->name && !name_units)
        size = (name_units = 1) * 16u;
    uint8_t *block = yoke__alloc_zero(domain, size + (spec->name ? YOKE__NAME_SIZE : 0), id);
    if (!block)
        return YOKE_ENOMEM;
    if (spec->name)
        memcpy(block + size, spec->name, strlen(spec->name) + 1);
    int code = spec->init ? spec->init(domain, id, block, spec->argument) : YOKE_OK;
    if (code != YOKE_OK) {
        yoke__free(domain, block);
        return code;
    }
    *object = block;
    *name_at = (uint32_t)name_units;
    return YOKE_OK;
}

/* Registry lock held. Another may have been faster with the name. */
static int publish(yoke_domain *domain, yoke__handle *handle, const yoke__object_spec *spec, yoke__id id, void *object,
                   uint32_t name_at)
{
    uint32_t index = find_named(domain, spec);
    if (index) {
        yoke__alloc_give(domain, object, id);
        yoke__directory_abandon(domain, id);
        return open_named(domain, handle, spec, index);
    }
    yoke__directory_publish(domain, id, object, name_at);
    int code = hold(domain, handle, id);
    if (code != YOKE_OK)
        yoke__directory_destroy(domain, yoke__entry_at(domain, YOKE__ID_INDEX(id)), id);
    return code;
}

/* Opens what has the name, or takes an entry for something new: then *id is set. */
static int open_or_reserve(yoke_domain *domain, yoke__handle *handle, const yoke__object_spec *spec, yoke__id *id)
{
    yoke__registry_acquire(domain);
    uint32_t index = find_named(domain, spec);
    int      code;
    if (index)
        code = open_named(domain, handle, spec, index);
    else if (spec->name && spec->mode == YOKE_OPEN)
        code = yoke__fail(YOKE_ENOENT, "there is no %s named '%s'", yoke__kind_name(spec->kind), spec->name);
    else
        code = yoke__directory_reserve(domain, spec->kind, id);
    yoke__registry_release(domain);
    return code;
}

/* The object is built between two sections under the registry lock, so that no user's memory is touched inside one. */
static int make(yoke_domain *domain, yoke__handle *handle, const yoke__object_spec *spec)
{
    yoke__id id = 0;
    void    *object = NULL;
    uint32_t name_at = 0;
    int      code = open_or_reserve(domain, handle, spec, &id);
    if (code != YOKE_OK || !id)
        return code;
    code = build(domain, spec, id, &object, &name_at);
    yoke__registry_acquire(domain);
    if (code == YOKE_OK)
        code = publish(domain, handle, spec, id, object, name_at);
    else
        yoke__directory_abandon(domain, id);
    yoke__registry_release(domain);
    return code;
}

int yoke__handle_create(yoke__handle **out, yoke_domain *domain, const yoke__object_spec *spec)
{
    yoke__handle *handle;
    if (spec->name)
        YOKE_TRY(yoke__name_check(spec->name));
    if ((unsigned)spec->mode > YOKE_OPEN_OR_CREATE)
        return yoke__fail(YOKE_EINVAL, "%d is not an open mode", (int)spec->mode);
    YOKE_TRY(yoke__domain_of(&domain, domain));
    if (!yoke__domain_token(domain))
        return yoke_last_error()->code;
    YOKE_TRY(new_handle(&handle));
    int code = make(domain, handle, spec);
    if (code != YOKE_OK) {
        free_handle(handle, YOKE__KIND_NONE);
        return code;
    }
    show(handle, spec->kind);
    *out = handle;
    return YOKE_OK;
}

/* ---- closing --------------------------------------------------------------------------------------------------------- */

void yoke__handle_left(yoke__handle *handle)
{
    yoke__backend()->waiting->wake_local((const uint32_t *)&handle->users, UINT32_MAX);
}

/* Either we see the user, or the user sees closing: see yoke__handle_enter(). */
static void wait_for_users(yoke__handle *handle, void (*wake)(yoke__handle *handle))
{
    uint32_t users;
    yoke__fence_seq_cst();
    while ((users = yoke__a32_load_acquire(&handle->users)) != 0) {
        if (wake)
            wake(handle);
        (void)yoke__backend()->waiting->wait_local((const uint32_t *)&handle->users, users, YOKE__SLICE);
    }
}

/* In a forked child that never came to hold it, and in a domain left, there is nothing to drop. */
static void drop_reference(yoke__handle *handle)
{
    yoke_domain *domain = handle->domain;
    if (!domain || !yoke__a32_load_acquire(&domain->token) || (yoke__a32_load_acquire(&handle->closing) & YOKE__GONE))
        return;
    yoke__registry_acquire(domain);
    if (handle->holder == yoke__a32_load_relaxed(&domain->token))
        yoke__table_remove(domain, handle->id, handle->reference);
    yoke__registry_release(domain);
}

void yoke__handle_close(yoke__handle *handle, void (*wake)(yoke__handle *handle))
{
    if (!handle)
        return;
    uint32_t magic = yoke__a32_load_acquire(&handle->magic);
    uint32_t kind = magic & ~MAGIC_MASK;
    if ((magic & MAGIC_MASK) != YOKE__HANDLE_MAGIC || kind == YOKE__KIND_DOMAIN ||
        !yoke__a32_cas_acq_rel(&handle->magic, &magic, MAGIC_CLOSED | kind)) {
        explain(handle, (yoke__kind)kind);
        return;
    }
    yoke__a32_or_acq_rel(&handle->closing, YOKE__CLOSING);
    wait_for_users(handle, wake);
    drop_reference(handle);
    free_handle(handle, (yoke__kind)kind);
}

/* ---- forks and leaving ----------------------------------------------------------------------------------------------- */

static bool is_open_in(yoke__handle *handle, const yoke_domain *domain)
{
    return (yoke__a32_load_acquire(&handle->magic) & MAGIC_MASK) == YOKE__HANDLE_MAGIC && handle->domain == domain;
}

static void renew(yoke_domain *domain, yoke__handle *handle)
{
    if (!handle->id) /* a lock borrowed from another object: it is as much there as that is */
        return;
    yoke__entry *entry = yoke__entry_live(domain, handle->id);
    uint32_t     reference;
    if (!entry || yoke__table_add(domain, entry, handle->id, &reference) != YOKE_OK) {
        yoke__a32_or_acq_rel(&handle->closing, YOKE__GONE);
        return;
    }
    handle->reference = reference;
    handle->holder = yoke__a32_load_relaxed(&domain->token);
}

static void for_each_open(yoke_domain *domain, void (*visit)(yoke_domain *domain, yoke__handle *handle))
{
    for (slab *at = pool.slabs; at; at = at->next)
        for (uint32_t i = 0; i < SLAB_HANDLES; i++)
            if (is_open_in(&at->cells[i].handle, domain))
                visit(domain, &at->cells[i].handle);
}

void yoke__handles_renew(yoke_domain *domain)
{
    if (!pool.slabs)
        return;
    yoke__registry_acquire(domain);
    yoke__mutex_lock(&pool.mutex);
    for_each_open(domain, renew);
    yoke__mutex_unlock(&pool.mutex);
    yoke__registry_release(domain);
}

static void forget(yoke_domain *domain, yoke__handle *handle)
{
    (void)domain;
    yoke__a32_or_acq_rel(&handle->closing, YOKE__GONE);
}

void yoke__handles_forget(yoke_domain *domain)
{
    yoke__mutex_lock(&pool.mutex);
    for_each_open(domain, forget);
    yoke__mutex_unlock(&pool.mutex);
}
