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
#include "../domain/participant.h"
#include "../error.h"
#include "../wait/watchers.h"
#include "queue.h"

void yoke__queue_wake(yoke__queue *queue, yoke__a32 *flag, yoke__a32 *word)
{
    yoke__fence_seq_cst();
    yoke__watchers_ring(queue->domain, yoke__queue_watchers(queue->state, flag == &queue->state->putters_sleep));
    if (yoke__a32_load_relaxed(flag) == 0)
        return;
    yoke__a32_store_relaxed(flag, 0);
    yoke__a32_add_acq_rel(word, 1);
    yoke__fence_seq_cst();
    yoke__word_wake(queue->domain, word, 1);
}

/* Who has slept may have been woken in the place of others. */
static void pass_on(const yoke__patience *p)
{
    yoke__a32_store_relaxed(p->flag, 1);
    yoke__fence_seq_cst();
    if (p->ready(p->queue, p->user))
        yoke__queue_wake(p->queue, p->flag, p->word);
}

static int spin(const yoke__patience *p)
{
    for (yoke__spin spin = yoke__spin_begin(); yoke__spin_once(&spin);) {
        if (p->ready(p->queue, p->user)) {
            int rc = p->attempt(p->queue, p->user);
            if (rc != YOKE_ETIMEDOUT)
                return rc;
        }
    }
    return YOKE_ETIMEDOUT;
}

static int sleep_until(const yoke__patience *p, yoke__deadline deadline)
{
    for (;;) {
        uint32_t seen = yoke__a32_load_acquire(p->word);
        int      rc;

        yoke__a32_store_relaxed(p->flag, 1);
        yoke__fence_seq_cst();
        if (yoke__a32_load_acquire(&p->handle->closing))
            return yoke__fail(YOKE_ECLOSED, "the queue was closed by another thread while this one waited in it");
        rc = p->attempt(p->queue, p->user);
        if (rc != YOKE_ETIMEDOUT || yoke__deadline_past(deadline))
            return rc;
        yoke__word_wait(p->queue->domain, p->word, seen, deadline);
        if (yoke__a32_load_acquire(p->word) == seen) /* a slice has passed: has anybody died with something of ours? */
            yoke__domain_patrol(p->queue->domain);
    }
}

int yoke__queue_wait(const yoke__patience *p, int64_t timeout)
{
    int rc = p->attempt(p->queue, p->user);

    if (rc != YOKE_ETIMEDOUT || timeout <= 0)
        return rc;
    rc = spin(p);
    if (rc != YOKE_ETIMEDOUT)
        return rc;
    yoke__handle_enter(p->handle);
    rc = sleep_until(p, yoke__deadline_after(timeout));
    pass_on(p);
    yoke__handle_exit(p->handle);
    return rc;
}
