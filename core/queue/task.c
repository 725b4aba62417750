/* Joinable queues: messages stay held until they are said to be done, and one can wait until all are. */
#include "../error.h"
#include "../message/message.h"
#include "queue.h"
#include "sleep.h"

static int joinable_of(yoke__queue *out, const yoke_queue *handle)
{
    if (!yoke__queue_of(out, handle))
        return yoke__noted();
    if (!yoke__queue_has(out, YOKE__QUEUE_JOINABLE))
        return yoke__fail(YOKE_ENOTSUP, "the queue was not made joinable");
    return YOKE_OK;
}

/* ---- done -------------------------------------------------------------------------------------------------------- */

void yoke__queue_wake_joiners(yoke__queue *queue)
{
    yoke__fence_seq_cst(); /* done, then the sleepers: they set their flag, then look */
    if (yoke__a32_load_relaxed(&queue->state->joiners_sleep) && yoke__queue_unfinished(queue) == 0) {
        yoke__a32_store_relaxed(&queue->state->joiners_sleep, 0);
        yoke__queue_wake_all(queue, &queue->state->finished);
    }
}

void yoke__queue_done_with(yoke__queue *queue, yoke__message_block *block)
{
    yoke__queue_free_message(queue, block);
    if (yoke__queue_has(queue, YOKE__QUEUE_JOINABLE))
        yoke__queue_wake_joiners(queue);
}

int yoke_queue_task_done(yoke_queue *handle)
{
    yoke__queue          queue;
    yoke__message_block *block;

    YOKE_TRY(joinable_of(&queue, handle));
    yoke__queue_lock(&queue, &queue.state->consumers);
    block = yoke__hold_oldest_task(&queue);
    if (block)
        yoke__hold_end(&queue, block);
    yoke__queue_unlock(&queue, &queue.state->consumers);
    if (!block)
        return yoke__fail(YOKE_EINVAL, "task done was called more often than this handle got messages");
    yoke__queue_done_with(&queue, block);
    return YOKE_OK;
}

/* Done with one, by what its copy says of it. */
static int hold_done(yoke__queue *queue, const yoke__message_hold *hold)
{
    yoke__message_block *block;

    yoke__queue_lock(queue, &queue->state->consumers);
    block = yoke__hold_find(queue, hold);
    if (block)
        yoke__hold_end(queue, block);
    yoke__queue_unlock(queue, &queue->state->consumers);
    if (!block)
        return yoke__fail(YOKE_EINVAL, "the message was not got through this handle, or is done already");
    yoke__queue_done_with(queue, block);
    return YOKE_OK;
}

int yoke_queue_message_done(yoke_queue *handle, const yoke_message *message)
{
    yoke__queue        queue;
    yoke__message_hold hold;

    YOKE_TRY(joinable_of(&queue, handle));
    YOKE_TRY(yoke__message_held(message, &hold));
    return hold_done(&queue, &hold);
}

int yoke_queue_variant_done(yoke_queue *handle, const yoke_variant *variant)
{
    yoke__queue        queue;
    yoke__message_hold hold;

    YOKE_TRY(joinable_of(&queue, handle));
    YOKE_TRY(yoke__variant_held(variant, &hold));
    return hold_done(&queue, &hold);
}

/* ---- join -------------------------------------------------------------------------------------------------------- */

static uint64_t all_done(yoke__queue *queue, void *user)
{
    (void)user;
    return yoke__queue_unfinished(queue) == 0;
}

/* What came back to a queue whose messages are to be discarded is discarded by whoever meets it. */
static bool must_discard(yoke__queue *queue)
{
    return yoke__a32_load_acquire(&queue->state->shut) == YOKE_IMMEDIATE + 1 && yoke__queue_has_some(queue);
}

/* Consumers' lock held, and released here. */
static void discard_late(yoke__queue *queue)
{
    (void)yoke__queue_discard(queue);
    yoke__queue_unlock(queue, &queue->state->consumers);
    yoke__queue_collect_carried(queue);
    yoke__queue_wake_joiners(queue);
}

void yoke__queue_came_back(yoke__queue *queue)
{
    yoke__queue_wake(queue, &queue->state->getters_sleep, &queue->state->items);
    if (!must_discard(queue))
        return;
    if (!queue->handle) { /* the registry lock is held: those who join do it */
        yoke__queue_wake_all(queue, &queue->state->finished);
        return;
    }
    yoke__queue_lock(queue, &queue->state->consumers);
    discard_late(queue);
}

static int attempt_join(yoke__queue *queue, void *user)
{
    if (must_discard(queue)) {
        YOKE_TRY(yoke__queue_lock_timed(queue, &queue->state->consumers));
        discard_late(queue);
    }
    yoke__queue_settle(queue);
    return all_done(queue, user) ? YOKE_OK : YOKE_ETIMEDOUT;
}

int yoke_queue_join(yoke_queue *handle, int64_t timeout)
{
    yoke__queue    queue;
    yoke__patience patience = {.queue = &queue, .ready = all_done, .attempt = attempt_join};
    int            rc;

    YOKE_TRY(joinable_of(&queue, handle));
    patience.flag = &queue.state->joiners_sleep;
    patience.word = &queue.state->finished;
    yoke__queue_time(&queue, timeout);
    rc = attempt_join(&queue, NULL);
    if (rc == YOKE_ETIMEDOUT)
        rc = yoke__queue_wait(&patience, timeout);
    if (rc == YOKE_ETIMEDOUT)
        return yoke__fail(YOKE_ETIMEDOUT, "%llu messages of the queue are not done after %lld ms",
                          (unsigned long long)yoke__queue_unfinished(&queue), (long long)(timeout > 0 ? timeout : 0));
    return yoke__queue_result(rc);
}

int64_t yoke_queue_unfinished(const yoke_queue *handle)
{
    yoke__queue queue;

    YOKE_TRY(joinable_of(&queue, handle));
    yoke__queue_settle(&queue);
    return (int64_t)yoke__queue_unfinished(&queue);
}
