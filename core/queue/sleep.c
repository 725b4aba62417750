/*
 * Sleeping until the other side has done something, and waking it.
 *
 * A sleeper: word seen, flag = 1, full fence, another attempt, sleep while the word is what was seen.
 * A waker:   change committed, full fence, flag looked at; if set: flag = 0, word + 1, wake one.
 * Either the waker sees the flag, or the sleeper's attempt sees the change. As there may be more sleepers than the one
 * woken, whoever has slept sets the flag again before it goes on, and passes the wake-up on if something is left. If it
 * dies before that, the others look by themselves after a slice.
 *
 * Threads that sleep elsewhere (event loops, yoke_wait) have their bells rung on the same occasions.
 */
#include "sleep.h"
#include "../domain/participant.h"
#include "../error.h"
#include "../wait/watchers.h"
#include "queue.h"

/* Where bytes are limited, the one woken may find too little room for its message, and another enough. */
static uint32_t how_many(const yoke__queue *queue, const yoke__a32 *flag)
{
    return flag == &queue->state->putters_sleep && queue->state->max_bytes ? UINT32_MAX : 1;
}

void yoke__queue_wake_one(yoke__queue *queue, yoke__a32 *flag, yoke__a32 *word)
{
    yoke__watchers_ring(queue->domain, yoke__queue_watchers(queue->state, flag == &queue->state->putters_sleep));
    if (yoke__a32_load_relaxed(flag) == 0)
        return;
    yoke__a32_store_relaxed(flag, 0);
    yoke__a32_add_acq_rel(word, 1);
    yoke__fence_seq_cst();
    yoke__word_wake(queue->domain, word, how_many(queue, flag));
}

void yoke__queue_wake_all(yoke__queue *queue, yoke__a32 *word)
{
    yoke__a32_add_acq_rel(word, 1);
    yoke__fence_seq_cst();
    yoke__word_wake(queue->domain, word, UINT32_MAX);
}

static bool is_closing(const yoke__patience *p)
{
    return yoke__a32_load_acquire(&p->queue->handle->closing) != 0;
}

int yoke__queue_fail_closed(void)
{
    return yoke__fail(YOKE_ECLOSED, "the queue was closed by another thread while this one waited in it");
}

void yoke__queue_wake_everybody(yoke__queue *queue)
{
    yoke__queue_wake_all(queue, &queue->state->items);
    yoke__queue_wake_all(queue, &queue->state->space);
    yoke__queue_wake_all(queue, &queue->state->finished);
    yoke__watchers_ring(queue->domain, &queue->state->get_watchers);
    yoke__watchers_ring(queue->domain, &queue->state->put_watchers);
}

/* Who has slept may have been woken in the place of others. */
static void pass_on(const yoke__patience *p)
{
    yoke__a32_store_relaxed(p->flag, 1);
    yoke__fence_seq_cst();
    if (p->ready(p->queue, p->user))
        yoke__queue_wake(p->queue, p->flag, p->word);
}

/* Iterations between two looks. Each look takes a cache line from the other side, which it needs to go on: where there is
 * more at once than one message, looking less often gets more of them for each look. */
#define SHORTEST_GAP 1u
#define LONGEST_GAP  1024u
#define MANY         2u
#define ENOUGH       256u /* messages at a look; a longer gap would make no difference any more */

static uint32_t next_gap(uint32_t gap, uint64_t ready)
{
    if (ready >= MANY)
        return ready < ENOUGH && gap < LONGEST_GAP ? gap * 2 : gap;
    return gap > SHORTEST_GAP ? gap / 2 : gap;
}

static int spin(const yoke__patience *p)
{
    static _Thread_local struct {
        yoke__spin_luck luck;
        uint32_t        gap;
    } learnt = {.gap = SHORTEST_GAP};
    yoke__spin spin = yoke__spin_begin(&learnt.luck);

    while (yoke__spin_for(&spin, learnt.gap)) {
        uint64_t ready;
        int      rc;

        if (is_closing(p))
            return yoke__queue_fail_closed();
        ready = p->glance ? p->glance(p->queue) : p->ready(p->queue, p->user);
        if (!ready)
            continue;
        learnt.gap = next_gap(learnt.gap, ready);
        rc = p->attempt(p->queue, p->user);
        if (rc != YOKE_ETIMEDOUT) {
            yoke__spin_won(&spin);
            return rc;
        }
    }
    return YOKE_ETIMEDOUT;
}

/* Nobody is left to wait for? The last of them may have done something first, or died with something that comes back. */
static int give_up(const yoke__patience *p)
{
    int orphaned = p->needed ? yoke__queue_orphaned(p->queue, p->needed) : YOKE_OK;
    int rc;

    if (orphaned == YOKE_OK)
        return YOKE_ETIMEDOUT;
    (void)yoke__domain_recover(p->queue->domain);
    rc = p->attempt(p->queue, p->user);
    return rc == YOKE_ETIMEDOUT ? orphaned : rc;
}

static int sleep_until(const yoke__patience *p, yoke__deadline deadline)
{
    bool     look = true;
    uint32_t roles = 0;

    for (;;) {
        uint32_t seen = yoke__a32_load_acquire(p->word);
        int      rc;

        if (is_closing(p))
            return yoke__queue_fail_closed();
        yoke__a32_store_relaxed(p->flag, 1);
        yoke__fence_seq_cst();
        rc = p->attempt(p->queue, p->user);
        if (rc == YOKE_ETIMEDOUT && (look || roles != yoke__a32_load_acquire(&p->queue->state->roles))) {
            roles = yoke__a32_load_acquire(&p->queue->state->roles);
            rc = give_up(p);
        }
        if (rc != YOKE_ETIMEDOUT || yoke__deadline_past(deadline))
            return rc;
        yoke__word_wait(p->queue->domain, p->word, seen, deadline);
        look = yoke__a32_load_acquire(p->word) == seen;
        if (look) /* a slice has passed: has anybody died with something of ours? */
            yoke__domain_patrol(p->queue->domain);
    }
}

int yoke__queue_wait(const yoke__patience *p, int64_t timeout)
{
    int rc;

    if (timeout <= 0) { /* who only ever asks hears of the dead too */
        yoke__queue_free_kept(p->queue);
        return yoke__domain_patrol(p->queue->domain) > 0 ? p->attempt(p->queue, p->user) : give_up(p);
    }
    yoke__handle_enter(
        p->queue->handle); /* from here on closing the handle waits for us, or we see that it is closed */
    rc = is_closing(p) ? yoke__queue_fail_closed() : spin(p);
    if (rc == YOKE_ETIMEDOUT) {
        yoke__queue_free_kept(p->queue);
        if (p->waits)
            yoke__a64_add_acq_rel(p->waits, 1);
        rc = sleep_until(p, yoke__queue_until(p->queue));
        pass_on(p);
    }
    yoke__handle_exit(p->queue->handle);
    return rc;
}
