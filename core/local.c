/* Process-local mutexes, and what happens to core around a fork. */
#include "local.h"

#include "backend.h"

#include <stddef.h>

/* Nobody sleeps on a lost wake here (the waker is a thread of this process, and dies with us), but a bound costs nothing
 * and keeps a fault in a backend from turning into a hang. */
#define LOCAL_SLICE INT64_C(1000000000)
#define LOCAL_SPINS 64

enum { FREE = 0, HELD = 1, CONTENDED = 2 };

static bool try_lock(yoke__mutex *mutex)
{
    uint32_t expected = FREE;
    return yoke__a32_cas_acq_rel(&mutex->word, &expected, HELD);
}

void yoke__mutex_lock(yoke__mutex *mutex)
{
    for (int i = 0; i < LOCAL_SPINS; i++) {
        if (try_lock(mutex))
            return;
        yoke__cpu_relax();
    }
    /* Whoever has slept can't tell whether others still do, so it takes the mutex as contended. */
    while (yoke__a32_exchange_acq_rel(&mutex->word, CONTENDED) != FREE)
        (void)yoke__backend()->waiting->wait_local((const uint32_t *)&mutex->word, CONTENDED, LOCAL_SLICE);
}

void yoke__mutex_unlock(yoke__mutex *mutex)
{
    if (yoke__a32_exchange_acq_rel(&mutex->word, FREE) == CONTENDED)
        yoke__backend()->waiting->wake_local((const uint32_t *)&mutex->word, 1);
}

void yoke__mutex_reset(yoke__mutex *mutex)
{
    yoke__a32_store_relaxed(&mutex->word, FREE);
}

/* ---- fork hooks ------------------------------------------------------------------------------------------------------ */

#define HOOKS_MAX 16u

typedef void hook_fn(void);

/* Entries never change, and count is stored last, so a reader needs no lock. */
typedef struct hook_list {
    yoke__a32 count;
    uint32_t  prepared; /* how many of them this fork has prepared; under forking */
    struct {
        hook_fn *prepare, *parent, *child;
    } all[HOOKS_MAX];
} hook_list;

/* Two mutexes, since a caller of yoke__fork_hook_add() may hold a mutex that prepare() takes: forks don't keep hooks from
 * being added. */
static struct {
    yoke__mutex adding;
    bool        registered; /* with the system; under adding */
    yoke__mutex forking;
    hook_list   ranks[YOKE__FORK_RANKS];
} hooks = {.adding = YOKE__MUTEX_INIT, .forking = YOKE__MUTEX_INIT};

_Thread_local bool yoke__spawning;

static void before_fork(void)
{
    if (yoke__spawning)
        return;
    yoke__mutex_lock(&hooks.forking);
    for (uint32_t rank = YOKE__FORK_RANKS; rank-- > 0;) {
        hook_list *list = &hooks.ranks[rank];
        list->prepared = yoke__a32_load_acquire(&list->count);
        for (uint32_t i = list->prepared; i-- > 0;)
            if (list->all[i].prepare)
                list->all[i].prepare();
    }
}

static void after_fork_in_parent(void)
{
    if (yoke__spawning)
        return;
    for (uint32_t rank = 0; rank < YOKE__FORK_RANKS; rank++) {
        hook_list *list = &hooks.ranks[rank];
        for (uint32_t i = 0; i < list->prepared; i++)
            if (list->all[i].parent)
                list->all[i].parent();
    }
    yoke__mutex_unlock(&hooks.forking);
}

static void after_fork_in_child(void)
{
    if (yoke__spawning)
        return;
    for (uint32_t rank = 0; rank < YOKE__FORK_RANKS; rank++) {
        hook_list *list = &hooks.ranks[rank];
        for (uint32_t i = 0; i < list->prepared; i++)
            if (list->all[i].child)
                list->all[i].child();
    }
    yoke__mutex_reset(&hooks.adding);
    yoke__mutex_reset(&hooks.forking);
}

void yoke__fork_hooks(void)
{
    yoke__mutex_lock(&hooks.adding);
    if (!hooks.registered) {
        /* Before the call: a fork of another thread in between must not make the child register them twice. */
        hooks.registered = true;
        if (yoke__backend()->system->at_fork(before_fork, after_fork_in_parent, after_fork_in_child) != YOKE_OK)
            hooks.registered = false;
    }
    yoke__mutex_unlock(&hooks.adding);
}

static bool known(const hook_list *list, uint32_t count, hook_fn *prepare, hook_fn *parent, hook_fn *child)
{
    for (uint32_t i = 0; i < count; i++)
        if (list->all[i].prepare == prepare && list->all[i].parent == parent && list->all[i].child == child)
            return true;
    return false;
}

void yoke__fork_hook_add_at(yoke__fork_rank rank, void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
    hook_list *list = &hooks.ranks[rank];
    yoke__mutex_lock(&hooks.adding);
    uint32_t count = yoke__a32_load_relaxed(&list->count);
    if (count < HOOKS_MAX && !known(list, count, prepare, parent, child)) {
        list->all[count].prepare = prepare;
        list->all[count].parent = parent;
        list->all[count].child = child;
        yoke__a32_store_release(&list->count, count + 1);
    }
    yoke__mutex_unlock(&hooks.adding);
}

void yoke__fork_hook_add(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
    yoke__fork_hook_add_at(YOKE__FORK_OUTER, prepare, parent, child);
}
