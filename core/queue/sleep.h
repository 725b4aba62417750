/* Waiting for the other side of a queue, and waking it. */
#ifndef YOKE_CORE_QUEUE_SLEEP_H
#define YOKE_CORE_QUEUE_SLEEP_H

#include "queue.h"

/* After a change, and after the lock was released by an exchange: wakes one sleeper of the other side if any may sleep. */
void               yoke__queue_wake_one(yoke__queue *queue, yoke__a32 *flag, yoke__a32 *word);
static inline void yoke__queue_wake(yoke__queue *queue, yoke__a32 *flag, yoke__a32 *word)
{
    yoke__fence_after_exchange();
    if (yoke__a32_load_relaxed(flag) ||
        yoke__a64_load_relaxed(yoke__queue_watchers(queue->state, flag == &queue->state->putters_sleep)))
        yoke__queue_wake_one(queue, flag, word);
}
/* Wakes all that sleep on a word. */
void yoke__queue_wake_all(yoke__queue *queue, yoke__a32 *word);
/* Wakes and rings all that wait for anything in the queue: it is over, or somebody has left it. */
void yoke__queue_wake_everybody(yoke__queue *queue);

/* For who has tried once. Tries until attempt() answers something else than YOKE_ETIMEDOUT, the deadline passes, the handle is closed, or nobody
 * is left to wait for. In between spins a little while ready() says no, then sleeps on word under flag. */
typedef struct yoke__patience {
    yoke__queue *queue;
    yoke__a32   *flag;
    yoke__a32   *word;
    yoke__a64   *waits; /* counts those who slept, or NULL */
    /* A look without a lock: how many attempts may succeed now, 0: none. */
    uint64_t (*ready)(yoke__queue *queue, void *user);
    /* The same, cheaper and less true, for a spin; or NULL. */
    uint64_t (*glance)(const yoke__queue *queue);
    int (*attempt)(yoke__queue *queue, void *user);
    void           *user;
    yoke_queue_role needed; /* somebody must be left to do that; 0: whatever */
} yoke__patience;
int yoke__queue_wait(const yoke__patience *patience, int64_t timeout);
int yoke__queue_fail_closed(void);

#define YOKE__QUEUE_GRACE                                                                                              \
    50 /* ms for a lock where the time is over: who has it needs a microsecond, once it has a CPU */
/* The lock of one side for what no call waits for: false if a living participant has it for longer than that many ms. */
bool yoke__queue_lock_soon(yoke__queue *queue, yoke__a32 *side, int64_t patience);

#endif
