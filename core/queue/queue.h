/* What the files of the queue share. */
#ifndef YOKE_CORE_QUEUE_QUEUE_H
#define YOKE_CORE_QUEUE_QUEUE_H

#include "../domain/object.h"
#include "../wait/word.h"
#include "layout.h"

#include <yoke/queue.h>

struct yoke_queue {
    yoke__handle handle;
};

/* A queue as the functions below see it. */
typedef struct yoke__queue {
    yoke_domain       *domain;
    yoke__queue_state *state;
    yoke__id           id;
} yoke__queue;

extern const yoke__object_type yoke__queue_type;

/* The queue behind a handle; false with the error noted. */
bool yoke__queue_of(yoke__queue *out, const yoke_queue *handle);

/* The side's lock; a dead owner leaves nothing to repair in the rings. */
void yoke__queue_lock(yoke__queue *queue, yoke__a32 *side);
void yoke__queue_unlock(yoke__queue *queue, yoke__a32 *side);

static inline yoke__ring *yoke__queue_ring(const yoke__queue *queue, uint64_t offset)
{
    return (yoke__ring *)yoke__domain_at(queue->domain, offset);
}

/* -- chain.c */

/* Producers' lock held: the ring that takes the next record. */
yoke__ring *yoke__chain_last(yoke__queue *queue);
/* Producers' lock held: links a larger ring behind last. NULL: no memory, error noted. */
yoke__ring *yoke__chain_grow(yoke__queue *queue, yoke__ring *last);
/* Consumers' lock held: the ring that holds the oldest record or will; drained ones before it are given back. */
yoke__ring *yoke__chain_first(yoke__queue *queue);
/* A ring for a queue, owned by this process's token. NULL: no memory, error noted. */
yoke__ring *yoke__chain_ring_new(yoke__queue *queue, uint64_t capacity, uint64_t sequence);
/* Both locks held: whether the chain links that ring. */
bool yoke__chain_links(yoke__queue *queue, uint64_t offset);

/* -- count.c */

/* Messages between head and tail, at one moment of the call; those to be redelivered are not among them. */
uint64_t yoke__queue_count(const yoke__queue *queue);
/* Producers' lock held: would one more message of that size pass a limit? Names it in *limit. */
bool yoke__queue_over_limit(yoke__queue *queue, uint64_t size, const char **limit);
/* Bytes of the messages between head and tail; producers' lock held. */
uint64_t yoke__queue_bytes(yoke__queue *queue);
/* Whether a get may find something: a look without a lock. */
bool yoke__queue_has_some(const yoke__queue *queue);

/* -- put.c, get.c: the calls behind the public ones */

int yoke__queue_put(yoke_queue *handle, const void *data, uint64_t size, yoke__content content, int64_t timeout);

/* Where a message goes: returns where its size bytes are to be copied, or NULL with the code in *code and the error
 * noted; then the message stays. Called under the consumers' lock. */
typedef void *yoke__destination(void *user, uint64_t size, int *code);
int           yoke__queue_get(yoke_queue *handle, yoke__content content, yoke__destination *destination, void *user,
                              int64_t timeout);
/* Consumers' lock held: discards all messages that are committed; returns how many. */
uint64_t yoke__queue_discard(yoke__queue *queue);

/* -- watch.c */

/* Where those are noted who want to know that a get (or a put) may succeed. */
static inline yoke__a64 *yoke__queue_watchers(yoke__queue_state *state, bool put)
{
    return put ? &state->put_watchers : &state->get_watchers;
}

/* -- sleep.c */

/* After a change and with no lock held: wakes one sleeper of the other side if any may sleep. */
void yoke__queue_wake(yoke__queue *queue, yoke__a32 *flag, yoke__a32 *word);

/* Tries until attempt() answers something else than YOKE_ETIMEDOUT, the deadline passes, or the handle is closed. In
 * between spins a little while ready() says no, then sleeps on word under flag. */
typedef struct yoke__patience {
    yoke__handle *handle;
    yoke__queue  *queue;
    yoke__a32    *flag;
    yoke__a32    *word;
    bool (*ready)(yoke__queue *queue, void *user);
    int (*attempt)(yoke__queue *queue, void *user);
    void *user;
} yoke__patience;
int yoke__queue_wait(const yoke__patience *patience, int64_t timeout);

#endif
