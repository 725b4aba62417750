#include "many_list.h"

#include "../local.h"

yoke__a32 yoke__many_count;

static yoke__mutex mutex = YOKE__MUTEX_INIT;
static yoke__many *waiters; /* asleep or about to be */

/* ---- forks ---- */

static void before_fork(void)
{
    yoke__mutex_lock(&mutex);
}

static void after_fork_in_parent(void)
{
    yoke__mutex_unlock(&mutex);
}

/* Their threads are not in the child. */
static void after_fork_in_child(void)
{
    yoke__mutex_reset(&mutex);
    waiters = NULL;
    yoke__a32_store_relaxed(&yoke__many_count, 0);
}

/* ---- the list ---- */

void yoke__many_list(yoke__many *waiter)
{
    yoke__fork_hook_add_at(YOKE__FORK_WATCHES, before_fork, after_fork_in_parent, after_fork_in_child);
    yoke__mutex_lock(&mutex);
    waiter->next = waiters;
    waiters = waiter;
    (void)yoke__a32_add_acq_rel(&yoke__many_count, 1);
    yoke__mutex_unlock(&mutex);
    yoke__fence_seq_cst();
}

void yoke__many_unlist(yoke__many *waiter)
{
    yoke__many **link = &waiters;

    yoke__mutex_lock(&mutex);
    while (*link != waiter)
        link = &(*link)->next;
    *link = waiter->next;
    (void)yoke__a32_sub_acq_rel(&yoke__many_count, 1);
    yoke__mutex_unlock(&mutex);
}

void yoke__many_ring_all(void)
{
    yoke__mutex_lock(&mutex);
    for (const yoke__many *waiter = waiters; waiter; waiter = waiter->next)
        for (size_t i = 0; i < waiter->bell_count; i++)
            (void)yoke__bell_ring(waiter->bells[i]->domain, waiter->bells[i]->thread);
    yoke__mutex_unlock(&mutex);
}
