#include "watch.h"

#include "../backend.h"
#include "../local.h"

#include <yoke/error.h>

/* Descriptors are the host's, so few of them. */
#define WATCHES 16u

typedef struct watch {
    yoke_identity who;  /* pid 0: unused */
    yoke_native   life; /* from the backend */
    uint64_t      used; /* when last asked, in questions */
} watch;

static struct {
    yoke__mutex mutex;
    yoke__a32   hooked;
    uint64_t    questions;
    watch       all[WATCHES];
} watches = {.mutex = YOKE__MUTEX_INIT};

static void drop(watch *entry)
{
    if (entry->who.pid)
        yoke__backend()->life->close(entry->life);
    *entry = (watch){.life = YOKE_NO_NATIVE};
}

static void drop_all(void)
{
    for (uint32_t i = 0; i < WATCHES; i++)
        drop(&watches.all[i]);
}

static void before_fork(void)
{
    yoke__mutex_lock(&watches.mutex);
}

static void after_fork_in_parent(void)
{
    yoke__mutex_unlock(&watches.mutex);
}

static void after_fork_in_child(void)
{
    drop_all();
    yoke__mutex_reset(&watches.mutex);
}

static bool same(const yoke_identity *a, const yoke_identity *b)
{
    return a->pid == b->pid && a->start == b->start && a->space == b->space;
}

/* The watch of that process, or else the one unused for longest. */
static watch *find(const yoke_identity *who)
{
    watch *oldest = &watches.all[0];
    for (uint32_t i = 0; i < WATCHES; i++) {
        watch *entry = &watches.all[i];
        if (same(&entry->who, who))
            return entry;
        if (entry->used < oldest->used)
            oldest = entry;
    }
    return oldest;
}

static bool ask(const yoke_identity *who)
{
    const yoke_life_ops *life = yoke__backend()->life;
    watch               *entry = find(who);
    if (!same(&entry->who, who)) {
        yoke_native native;
        int         code = life->watch(&native, who);
        if (code == YOKE_ENOMEM) { /* no descriptors: ours are the first to go */
            drop_all();
            code = life->watch(&native, who);
        }
        if (code == YOKE_ENOENT)
            return false;
        if (code != YOKE_OK)
            return true;
        drop(entry);
        *entry = (watch){.who = *who, .life = native};
    }
    entry->used = ++watches.questions;
    if (life->is_alive(entry->life))
        return true;
    drop(entry); /* asked again, the process is simply not there */
    return false;
}

bool yoke__watch_alive(const yoke_identity *who)
{
    if (!yoke__a32_load_acquire(&watches.hooked)) { /* adding them twice does nothing */
        yoke__fork_hook_add_at(YOKE__FORK_WATCHES, before_fork, after_fork_in_parent, after_fork_in_child);
        yoke__a32_store_release(&watches.hooked, 1);
    }
    yoke__mutex_lock(&watches.mutex);
    bool alive = ask(who);
    yoke__mutex_unlock(&watches.mutex);
    return alive;
}

void yoke__watch_clear(void)
{
    yoke__mutex_lock(&watches.mutex);
    drop_all();
    yoke__mutex_unlock(&watches.mutex);
}
