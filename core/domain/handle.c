/*
 * Handles: this process's pointers to objects. Their memory comes in slabs that never go back, so that looking at a
 * closed handle is harmless, and free ones are reused in the order in which they were closed and not at once, so that a
 * closed one stays known as closed for a while.
 */
#include "directory.h"

#include "../backend.h"
#include "../error.h"
#include "../local.h"
#include "../wait/hub.h"
#include "../wait/many_list.h"
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
    struct slab *slab;
} cell;
_Static_assert(offsetof(cell, handle) == 0, "a handle's cell is found by a cast");

typedef struct slab {
    struct slab *next;
    void        *memory; /* as malloc gave it */
    cell        *cells;  /* SLAB_HANDLES of them */
    uint32_t     taken;  /* how many are not free: the others need no look */
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
        for (uint32_t i = 0; at->taken && i < SLAB_HANDLES; i++)
            if (yoke__a32_load_relaxed(&at->cells[i].handle.users))
                yoke__a32_store_relaxed(&at->cells[i].handle.users, 0);
    yoke__mutex_reset(&pool.mutex);
}

static slab *slab_of(yoke__handle *handle)
{
    return ((cell *)(void *)handle)->slab;
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
    added->taken = 0;
    added->next = pool.slabs;
    pool.slabs = added;
    for (uint32_t i = 0; i < SLAB_HANDLES; i++) {
        added->cells[i].slab = added;
        append_free(&added->cells[i].handle);
    }
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
    slab_of(handle)->taken++;
    return handle;
}

yoke__handle *yoke__handle_new(void)
{
    yoke__mutex_lock(&pool.mutex);
    yoke__handle *handle = take_free();
    yoke__mutex_unlock(&pool.mutex);
    if (!handle) {
        yoke__fail(YOKE_ENOMEM, "this process has no memory for another handle");
        return NULL;
    }
    /* Not users: a late enter or exit through a stale pointer must stay balanced. */
    yoke__a32_store_relaxed(&handle->closing, 0);
    handle->reference = 0;
    handle->lacks = 0;
    handle->domain = NULL;
    handle->object = NULL;
    handle->id = 0;
    handle->extra = NULL;
    yoke__a32_store_relaxed(&handle->holder, 0);
    memset(handle->private_, 0, sizeof handle->private_);
    return handle;
}

void yoke__handle_free(yoke__handle *handle, yoke__kind kind)
{
    yoke__a32_store_release(&handle->magic, MAGIC_CLOSED | (uint32_t)kind);
    yoke__mutex_lock(&pool.mutex);
    slab_of(handle)->taken--;
    append_free(handle);
    yoke__mutex_unlock(&pool.mutex);
}

void yoke__handle_show(yoke__handle *handle, yoke__kind kind)
{
    yoke__a32_store_release(&handle->magic, YOKE__HANDLE_MAGIC | (uint32_t)kind);
}

int yoke__handle_local(yoke__handle **out, yoke__kind kind)
{
    yoke__handle *handle = yoke__handle_new();
    if (!handle)
        return YOKE_ENOMEM;
    yoke__handle_show(handle, kind);
    *out = handle;
    return YOKE_OK;
}

void *yoke__handle_claim(yoke__handle *handle)
{
    yoke__mutex_lock(&pool.mutex);
    void *extra = handle->private_[0] == 0 ? handle->extra : NULL;
    handle->private_[0] = 1;
    yoke__mutex_unlock(&pool.mutex);
    return extra;
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
        return yoke__fail(YOKE_EINVAL, "this is not a handle, but should be %s %s", yoke__article(wanted), wanted);
    return yoke__fail(YOKE_EINVAL, "this is %s %s, not %s %s", yoke__article(found), found, yoke__article(wanted),
                      wanted);
}

static void renew(yoke_domain *domain, yoke__handle *handle);

/* False: there is still no memory to hold it, noted. */
static bool hold_again(yoke__handle *handle)
{
    yoke__registry_acquire(handle->domain);
    yoke__mutex_lock(&pool.mutex);
    renew(handle->domain, handle);
    yoke__mutex_unlock(&pool.mutex);
    yoke__registry_release(handle->domain);
    if (!(yoke__a32_load_acquire(&handle->closing) & YOKE__UNHELD))
        return true;
    yoke__fail(YOKE_ENOMEM, "the domain has no memory for this process to hold what it inherited: try again");
    return false;
}

yoke__handle *yoke__handle_check_all(const void *handle, yoke__kind kind)
{
    yoke__handle *checked = (yoke__handle *)(uintptr_t)handle;
    if (!checked) {
        yoke__fail(YOKE_EINVAL, "NULL is not a %s", yoke__kind_name(kind));
        return NULL;
    }
    if (yoke__a32_load_acquire(&checked->magic) != (YOKE__HANDLE_MAGIC | (uint32_t)kind)) {
        explain(checked, kind);
        return NULL;
    }
    bool gone = (yoke__a32_load_acquire(&checked->closing) & YOKE__GONE) != 0; /* then its domain may be unmapped */
    if (!gone && checked->domain && !yoke__domain_token(checked->domain))
        return NULL;
    if (!gone && (yoke__a32_load_acquire(&checked->closing) & YOKE__UNHELD) && !hold_again(checked))
        return NULL;
    if (yoke__a32_load_acquire(&checked->closing) & YOKE__GONE) {
        yoke__fail(YOKE_ECLOSED,
                   "this %s is gone: its last user closed it before this process came to hold it, or the "
                   "domain was left",
                   yoke__kind_name(kind));
        return NULL;
    }
    return checked;
}

/* ---- opening --------------------------------------------------------------------------------------------------------- */

int yoke__handle_hold(yoke_domain *domain, yoke__handle *handle, yoke__id id)
{
    yoke__entry *entry = yoke__entry_live(domain, id);
    uint32_t     reference = 0;
    YOKE_TRY(yoke__table_add(domain, entry, yoke__reference_make(id, handle->lacks), &reference));
    handle->domain = domain;
    handle->object = yoke__entry_object(domain, entry);
    handle->id = id;
    handle->reference = reference;
    yoke__a32_store_relaxed(&handle->holder, yoke__domain_token(domain));
    return YOKE_OK;
}

int yoke__handle_open(yoke__handle **out, yoke_domain *domain, yoke__kind kind, yoke__reference reference)
{
    yoke__id id = yoke__reference_id(reference);
    void    *object = NULL;
    YOKE_TRY(yoke__domain_of(&domain, domain));
    if (!yoke__domain_token(domain))
        return yoke_last_error()->code;
    yoke__handle *handle = yoke__handle_new();
    if (!handle)
        return YOKE_ENOMEM;
    handle->lacks = yoke__reference_lacks(reference);
    yoke__registry_acquire(domain);
    int code = yoke__object_find(&object, domain, kind, id);
    if (code == YOKE_OK)
        code = yoke__handle_hold(domain, handle, id);
    yoke__registry_release(domain);
    if (code != YOKE_OK) {
        yoke__handle_free(handle, YOKE__KIND_NONE);
        return code;
    }
    yoke__handle_show(handle, kind);
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
    yoke__hub_closing(handle);
    while ((users = yoke__a32_load_acquire(&handle->users)) != 0) {
        if (wake)
            wake(handle);
        yoke__many_ring();
        (void)yoke__backend()->waiting->wait_local((const uint32_t *)&handle->users, users, YOKE__SLICE);
    }
}

/* In a forked child that never came to hold it, and in a domain left, there is nothing to drop. */
static void drop_reference(yoke__handle *handle)
{
    yoke_domain *domain = handle->domain;
    if (!domain || !yoke__a32_load_acquire(&domain->token) ||
        (yoke__a32_load_acquire(&handle->closing) & YOKE__NOT_HELD))
        return;
    yoke__registry_acquire(domain);
    if (yoke__a32_load_relaxed(&handle->holder) == yoke__a32_load_relaxed(&domain->token))
        yoke__table_remove(domain, handle->id, handle->reference);
    yoke__registry_release(domain);
}

void yoke__handle_close_with(yoke__handle *handle, void (*wake)(yoke__handle *handle),
                             void (*last)(yoke__handle *handle))
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
    if (last)
        last(handle);
    drop_reference(handle);
    yoke__handle_free(handle, (yoke__kind)kind);
}

void yoke__handle_close(yoke__handle *handle, void (*wake)(yoke__handle *handle))
{
    yoke__handle_close_with(handle, wake, NULL);
}

void yoke__handle_drop_roles(yoke__handle *handle, uint32_t roles)
{
    yoke__registry_acquire(handle->domain);
    handle->lacks |= roles & 3u;
    if (yoke__a32_load_relaxed(&handle->holder) == yoke__a32_load_relaxed(&handle->domain->token))
        yoke__table_change(handle->domain, yoke__handle_reference(handle), handle->reference);
    yoke__registry_release(handle->domain);
}

/* ---- forks and leaving ----------------------------------------------------------------------------------------------- */

static bool is_open_in(yoke__handle *handle, const yoke_domain *domain)
{
    return (yoke__a32_load_acquire(&handle->magic) & MAGIC_MASK) == YOKE__HANDLE_MAGIC && handle->domain == domain;
}

/* Without memory for it, it may be held later. */
static void renew(yoke_domain *domain, yoke__handle *handle)
{
    yoke__token mine = yoke__a32_load_relaxed(&domain->token);
    if (!handle->id) /* a lock borrowed from another object: it is as much there as that is */
        return;
    if (yoke__a32_load_relaxed(&handle->holder) == mine)
        return;
    yoke__entry *entry = yoke__entry_live(domain, handle->id);
    uint32_t     reference = 0;
    int code = entry ? yoke__table_add(domain, entry, yoke__handle_reference(handle), &reference) : YOKE_ENOENT;
    if (code != YOKE_OK) {
        yoke__a32_or_acq_rel(&handle->closing, code == YOKE_ENOMEM ? YOKE__UNHELD : YOKE__GONE);
        return;
    }
    handle->reference = reference;
    yoke__a32_store_relaxed(&handle->holder, mine);
    yoke__a32_and_acq_rel(&handle->closing, ~(uint32_t)YOKE__UNHELD);
}

static void for_each_open(yoke_domain *domain, void (*visit)(yoke_domain *domain, yoke__handle *handle))
{
    for (slab *at = pool.slabs; at; at = at->next)
        for (uint32_t i = 0; at->taken && i < SLAB_HANDLES; i++)
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
