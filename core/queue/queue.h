/* What the files of the queue share. */
#ifndef YOKE_CORE_QUEUE_QUEUE_H
#define YOKE_CORE_QUEUE_QUEUE_H

#include "../domain/object.h"
#include "../error.h"
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
    yoke__handle      *handle; /* NULL in what is called for the domain: recovery, destruction */
    yoke__id           id;
    bool dropped; /* out: messages that carried something were discarded, see yoke__queue_collect_carried() */
    bool due;     /* out: it is time to look for the dead, see yoke__queue_end_get() */
    /* Of calls with a time-out: for how long, and, once that was asked for, until when. */
    bool           timed;
    int64_t        timeout;
    yoke__deadline until; /* 0: not yet known */
} yoke__queue;

/* Says what the call's time-out is: for yoke__queue_lock_timed(). */
static inline void yoke__queue_time(yoke__queue *queue, int64_t timeout)
{
    queue->timed = timeout != YOKE_FOREVER;
    queue->timeout = timeout;
    queue->until = 0;
}
yoke__deadline yoke__queue_until(yoke__queue *queue);

extern const yoke__object_type yoke__queue_type;

/* The queue behind a handle; false with the error noted. */
static inline bool yoke__queue_of(yoke__queue *out, const yoke_queue *handle)
{
    yoke__handle *checked = yoke__handle_check(handle, YOKE__KIND_QUEUE);

    if (!checked || !yoke__domain_token(checked->domain)) /* no token: no lock could be taken */
        return false;
    out->domain = checked->domain;
    out->state = (yoke__queue_state *)checked->object;
    out->handle = checked;
    out->id = checked->id;
    out->dropped = false;
    out->due = false;
    yoke__queue_time(out, YOKE_FOREVER);
    return true;
}
/* The same for what needs a role that the handle may have given up: YOKE_EACCES, or what was noted. */
int               yoke__queue_refuse(const yoke__queue *queue, yoke_queue_role role);
static inline int yoke__queue_for(yoke__queue *out, const yoke_queue *handle, yoke_queue_role role)
{
    out->handle = NULL;
    return yoke__queue_of(out, handle) && !(out->handle->lacks & (uint32_t)role)
               ? YOKE_OK
               : yoke__negative(yoke__queue_refuse(out, role));
}

/* The producers' or the consumers' lock; what a dead owner left is put right by who takes it. */
void               yoke__queue_lock_held(yoke__queue *queue, yoke__a32 *side);
static inline void yoke__queue_lock(yoke__queue *queue, yoke__a32 *side)
{
    uint32_t nobody = 0;

    if (!yoke__a32_cas_acq_rel(side, &nobody, yoke__domain_token(queue->domain)))
        yoke__queue_lock_held(queue, side);
}
/* The same, for as long as the call's time-out allows, or a little if that is over: a process that was stopped with the
 * lock doesn't hold others up for longer than they want to wait. YOKE_EBUSY: no lock, and the error is noted as
 * YOKE_ETIMEDOUT, which yoke__queue_result() answers. YOKE_ECLOSED. */
int               yoke__queue_lock_until(yoke__queue *queue, yoke__a32 *side);
static inline int yoke__queue_lock_timed(yoke__queue *queue, yoke__a32 *side)
{
    uint32_t nobody = 0;

    if (yoke__a32_cas_acq_rel(side, &nobody, yoke__domain_token(queue->domain)))
        return YOKE_OK;
    return yoke__queue_lock_until(queue, side);
}
static inline int yoke__queue_result(int rc)
{
    return rc == YOKE_EBUSY ? YOKE_ETIMEDOUT : rc;
}
void               yoke__queue_wake_waiter(yoke__queue *queue, yoke__a32 *side);
static inline void yoke__queue_unlock(yoke__queue *queue, yoke__a32 *side)
{
    if (yoke__a32_exchange_acq_rel(side, 0) & YOKE__WAITERS)
        yoke__queue_wake_waiter(queue, side);
}

/* An empty ring that is never written: what a word of a damaged queue points to. */
extern yoke__ring yoke__ring_nowhere;

/* The ring at an offset, or yoke__ring_nowhere if that and its capacity are none that lie in committed memory. */
static inline yoke__ring *yoke__queue_ring(const yoke__queue *queue, uint64_t offset)
{
    uint64_t    committed = yoke__a64_load_relaxed(&yoke__domain_header(queue->domain)->committed);
    uint64_t    reserved = queue->domain->memory.reserved;
    uint64_t    end = (committed < reserved ? committed : reserved) - sizeof(yoke__ring);
    yoke__ring *ring;

    if (offset == 0 || offset % 64 != 0 || offset > end)
        return &yoke__ring_nowhere;
    ring = (yoke__ring *)yoke__domain_at(queue->domain, offset);
    if (ring->capacity < 16 || ring->capacity > end - offset || (ring->capacity & (ring->capacity - 1)) != 0)
        return &yoke__ring_nowhere;
    return ring;
}
static inline yoke__message_block *yoke__queue_block(const yoke__queue *queue, uint64_t offset)
{
    return (yoke__message_block *)yoke__domain_at(queue->domain, offset);
}
static inline bool yoke__queue_has(const yoke__queue *queue, uint32_t option)
{
    return (queue->state->options & option) != 0;
}

/* Where those are noted who want to know that a get (or a put) may succeed. */
static inline yoke__a64 *yoke__queue_watchers(yoke__queue_state *state, bool put)
{
    return put ? &state->put_watchers : &state->get_watchers;
}

/* -- chain.c */

/* Walks over a chain whose links may lead in a circle: true while there is a next ring. */
typedef struct yoke__chain_walk {
    uint64_t at;
    uint64_t seen; /* an earlier one: to come there again is a circle */
    uint32_t steps;
} yoke__chain_walk;
bool yoke__chain_next(yoke__queue *queue, yoke__chain_walk *walk);

/* Producers' lock held: the ring that takes the next record. NULL: the queue is damaged. */
yoke__ring               *yoke__chain_follow(yoke__queue *queue, uint64_t offset);
static inline yoke__ring *yoke__chain_last(yoke__queue *queue)
{
    uint64_t    offset = yoke__a64_load_relaxed(&queue->state->tail_ring);
    yoke__ring *ring = yoke__queue_ring(queue, offset);

    return ring == &yoke__ring_nowhere || yoke__a64_load_relaxed(&ring->next) ? yoke__chain_follow(queue, offset)
                                                                              : ring;
}
/* Producers' lock held: links a larger ring behind last. NULL: no memory, error noted. */
yoke__ring *yoke__chain_grow(yoke__queue *queue, yoke__ring *last);
/* Consumers' lock held: the ring that holds the oldest record or will; drained ones before it are given back.
 * NULL: the queue is damaged. */
yoke__ring               *yoke__chain_advance(yoke__queue *queue);
static inline yoke__ring *yoke__chain_first(yoke__queue *queue)
{
    yoke__ring *ring = yoke__queue_ring(queue, yoke__a64_load_relaxed(&queue->state->head_ring));

    return yoke__a64_load_relaxed(&ring->head) != yoke__a64_load_relaxed(&ring->tail_seen) ? ring
                                                                                           : yoke__chain_advance(queue);
}
/* A ring for a queue, owned by this process's token. NULL: no memory, error noted. */
yoke__ring *yoke__chain_ring_new(yoke__queue *queue, uint64_t capacity, uint64_t sequence);

/* -- count.c */

/* None of these but the glance looks into a ring without its lock: that may be freed meanwhile, and hold something else. They go by what
 * is noted in the state after each commit. A put or get that has made its commit and not noted it yet doesn't count: it
 * hasn't returned. What the dead have not noted is noted by who takes their lock over: yoke__queue_settle() sees to that.
 * Messages between head and tail; those to be redelivered are not among them. */
uint64_t yoke__queue_count(const yoke__queue *queue);
/* If somebody died in a put or a get: its figures are noted. */
void yoke__queue_settle(yoke__queue *queue);
/* Whether a get may find something; settles first. */
bool yoke__queue_has_some(yoke__queue *queue);
/* For who looks again soon: about how many there are; 0: nothing that a get could find. */
static inline uint64_t yoke__queue_glance(const yoke__queue *queue)
{
    const yoke__queue_state *state = queue->state;
    const yoke__ring        *ring = yoke__queue_ring(queue, yoke__a64_load_acquire(&state->head_ring));
    uint64_t                 head = yoke__a64_load_acquire(&ring->head);
    uint64_t                 tail = yoke__a64_load_relaxed(&ring->tail_seen);

    /* The ring may be another's by now: then this is wrong, once. The figures in the state would be right, but stand
     * beside the owner words, which each look would take from those who work. */
    if (head == tail) /* else the producers can keep the line of the real one */
        tail = yoke__a64_load_acquire(&ring->tail);
    if (head != tail)
        return (tail - head) & YOKE__SEQUENCE_MASK;
    return yoke__a64_load_relaxed(&state->redeliver) || yoke__a32_load_relaxed(&state->shut) ||
           yoke__a64_load_relaxed(&ring->next);
}
/* Messages put and not done with; joinable queues only. */
uint64_t yoke__queue_unfinished(const yoke__queue *queue);
/* Producers' lock held: message number of the tail. */
static inline uint64_t yoke__queue_tail(yoke__queue *queue)
{
    const yoke__ring *last = yoke__chain_last(queue);

    return last ? yoke__position_sequence(yoke__a64_load_relaxed(&last->tail)) : 0;
}
/* Bytes of the messages between head and tail, and of those to be redelivered. */
uint64_t yoke__queue_bytes(const yoke__queue *queue);
/* Lock of that side held. Release: who sees this copy sees that the number has gone on since it was last written. */
YOKE__INLINE void yoke__queue_add(yoke__a64 *copies, uint64_t sequence, uint64_t amount)
{
    yoke__a64_store_release(&copies[sequence & 1], yoke__a64_load_relaxed(&copies[(sequence - 1) & 1]) + amount);
}
/* A consumer that always finds something never sleeps, and would not hear of the dead: it looks after so many messages,
 * and after each that it takes in a block, which costs more than the look at the clock. */
#define YOKE__QUEUE_PATROL 64u
/* Consumers' lock held: adds a message that leaves the rings as number `sequence`, before the head shows it. */
static inline void yoke__queue_count_get(yoke__queue *queue, uint64_t sequence, uint64_t size)
{
    yoke__queue_add(queue->state->got_bytes, sequence, size);
    queue->due |= sequence % YOKE__QUEUE_PATROL == 0;
}
/* Producers' lock held: adds a message that enters as number `sequence`, before the tail shows it. */
static inline void yoke__queue_count_put(yoke__queue *queue, uint64_t sequence, uint64_t size)
{
    yoke__queue_add(queue->state->put_bytes, sequence, size);
}
/* Lock of that side held: puts or gets stand at that number, since the tail or head does. */
YOKE__INLINE void yoke__queue_note(yoke__a64 *total, uint64_t sequence)
{
    uint64_t stood = yoke__a64_load_relaxed(total);

    yoke__a64_store_release(total, stood + ((sequence - stood) & YOKE__SEQUENCE_MASK));
}
/* The same by who has taken the lock from a dead owner, which may have died before it did that. */
void yoke__queue_note_puts(yoke__queue *queue);
void yoke__queue_note_gets(yoke__queue *queue);

/* -- reserve.c */

/* A handle's private_: holds have the ones before (hold.c). Not 0: a slot was reserved through it. Producers' lock. */
#define YOKE__HANDLE_RESERVED 3
#define YOKE__HANDLE_KEPT     4 /* cool.c */
/* No lock held: aborts all that is reserved through the handle. */
void yoke__queue_abort_all(yoke__queue *queue);

/* -- put.c */

/* A message on its way in. */
typedef struct yoke__put {
    const void          *data;
    uint64_t             size;
    yoke__message_block *block; /* its copy outside the rings, or NULL */
    yoke__content        content;
    const char          *limit;    /* what the last attempt met */
    bool                 reserved; /* a reservation: the limits have let it in already */
} yoke__put;

/* Whether a message of that size is put in a block, not into a ring: large ones, and in a joinable queue all. There who
 * gets one holds it, which must not need memory: a full domain would never be emptied. */
static inline bool yoke__queue_in_block(const yoke__queue *queue, uint64_t size)
{
    return size > YOKE__INLINE_LARGEST || yoke__queue_has(queue, YOKE__QUEUE_JOINABLE);
}
/* A block for a message of that size with so many ids before it, this process's. YOKE_ENOMEM. */
int yoke__message_new_block(yoke__message_block **out, yoke__queue *queue, yoke__content content, uint64_t size,
                            uint32_t handles);
/* Producers' lock held: puts one message if the queue is open. YOKE_ESHUTDOWN, YOKE_ENOMEM; YOKE_ETIMEDOUT: a limit. */
int yoke__queue_append(yoke__queue *queue, yoke__put *put);
/* Waits for room as yoke__queue_wait() does. */
int yoke__queue_wait_for_room(yoke__queue *queue, int (*attempt)(yoke__queue *queue, void *user), void *user,
                              int64_t timeout);
/* One put, waiting; takes the lock, wakes. A block stays the caller's if it fails. */
int yoke__queue_put(yoke__queue *queue, yoke__put *put, int64_t timeout);

/* -- cool.c */

/* No lock held: a block that this process holds and has copied is consumed; it is freed at once or later. */
void yoke__queue_free_later(yoke__queue *queue, yoke__message_block *block);
/* Frees those that this handle still keeps, unless it is being closed. */
void yoke__queue_free_kept(yoke__queue *queue);
/* Frees them when it is, and nobody is left in it. */
void yoke__queue_free_last_kept(yoke__queue *queue);
/* Closed: nothing is kept any more. */
void yoke__queue_forget_kept(yoke__handle *handle);

/* -- send.c */

/* Copies a message that doesn't go into a ring into a block, put->block; the caller frees it if it isn't put. */
int yoke__queue_copy_out(yoke__queue *queue, yoke__put *put);

/* -- get.c */

/* A message on its way out. */
typedef struct yoke__get {
    yoke__content content;
    bool          hold;     /* it stays held by this process (hold.c) until that lets it go */
    bool          no_copy;  /* and is read there */
    void         *target;   /* where it is copied to */
    uint64_t      capacity; /* bytes there; a larger one stays, with YOKE_EMSGSIZE */
    /* If not NULL makes target for a message of that size, and capacity; else answers a code, noted, and it stays. Called
     * under the consumers' lock. */
    int (*make_target)(struct yoke__get *get, uint64_t size);
    /* If not NULL reads one that lies in a ring there, under the consumers' lock, instead of its being held. YOKE_ENOMEM:
     * it stays. Another code: it is gone, and that is the result. */
    int (*read)(struct yoke__get *get, const void *bytes);
    /* out */
    int                  result; /* of read */
    yoke__message_block *block;  /* held, or to be copied and freed without the lock; NULL: copied already */
    uint64_t             ticket; /* of a hold */
    uint64_t             size;   /* also of one that did not fit */
    bool                 redelivered;
} yoke__get;

/* Consumers' lock held: takes the next message. YOKE_ETIMEDOUT: there is none. */
int yoke__queue_take(yoke__queue *queue, yoke__get *get);
/* No lock held: copies and frees what take() left to do. */
void yoke__queue_finish(yoke__queue *queue, yoke__get *get);
/* Waits for messages as yoke__queue_wait() does. */
int yoke__queue_wait_for_some(yoke__queue *queue, int (*attempt)(yoke__queue *queue, void *user), void *user,
                              int64_t timeout);
/* After every kind of get, with its code, which it returns: what else there is to do then. */
int yoke__queue_end_get(yoke__queue *queue, int rc);
/* Take and finish, waiting. */
int yoke__queue_get(yoke__queue *queue, yoke__get *get, int64_t timeout);
/* Consumers' lock held. The block at an offset that stands in a record or a list, or NULL if that can't be one. */
yoke__message_block *yoke__queue_block_at(yoke__queue *queue, uint64_t offset);
int                  yoke__queue_fail_damaged(void);

/* -- journal.c */

/* Consumers' lock held: does what the steps say, as one. What steps don't name is not looked at. */
void yoke__journal_do(yoke__queue *queue, const yoke__journal *steps);
/* Consumers' lock held, taken from a dead owner: finishes what that one had committed. */
void yoke__journal_redo(yoke__queue *queue);

/* -- task.c */

/* No lock held: `done` has gone up. Wakes those who join if that was the last. */
void yoke__queue_wake_joiners(yoke__queue *queue);
/* No lock held: something is in the list of redeliveries. Wakes who gets it; after an immediate shutdown it goes. */
void yoke__queue_came_back(yoke__queue *queue);
/* No lock held: what was held is done with, and freed. Wakes those who join. */
void yoke__queue_done_with(yoke__queue *queue, yoke__message_block *block);

struct yoke__message_hold;

/* -- hold.c: messages that a process has taken and not let go; consumers' lock held */

/* A new ticket. */
uint64_t yoke__hold_ticket(yoke__queue *queue);
/* Lists a message that this process now holds. */
void yoke__hold_add(yoke__queue *queue, yoke__message_block *block);
/* The message that is meant, if this handle holds it; NULL: not, no error noted. */
yoke__message_block *yoke__hold_find(yoke__queue *queue, const struct yoke__message_hold *hold);
/* The oldest that this handle holds, or NULL. */
yoke__message_block *yoke__hold_oldest(yoke__queue *queue);
/* The oldest of those that were got, not peeked, and that no thread is still copying; or NULL. */
yoke__message_block *yoke__hold_oldest_task(yoke__queue *queue);
/* No lock held: what was got is copied out, or unpacked. */
void yoke__hold_make_task(yoke__message_block *block);
/* Done with: it is this process's and nobody else's; the caller frees it without the lock. */
void yoke__hold_end(yoke__queue *queue, yoke__message_block *block);
/* Back to the queue. */
void yoke__hold_return(yoke__queue *queue, yoke__message_block *block, bool redelivered);

/* -- discard.c */

/* Consumers' lock held: discards all messages that are committed; returns how many. Sets queue->dropped. */
uint64_t yoke__queue_discard(yoke__queue *queue);
/* No lock held: what discarded messages carried, if queue->dropped says so, goes unless it is wanted elsewhere. */
void yoke__queue_collect_carried(yoke__queue *queue);

/* -- redeliver.c: links() and sweep() of the type */

bool yoke__queue_links(yoke_domain *domain, yoke__id id, void *object, void *block, bool held);
void yoke__queue_sweep(yoke_domain *domain, yoke__id id, void *object, yoke__token dead);
/* Consumers' lock held: the block comes next, and says that somebody had it before. */
void yoke__queue_list_again(yoke__queue *queue, yoke__message_block *block, bool redelivered);
/* Consumers' lock held: what the list's word becomes when its first one, of which it is told, goes. Bytes are counted
 * already; storing the word commits. */
uint64_t yoke__queue_list_pop(yoke__queue *queue, const yoke__message_block *first);
/* Consumers' lock held: walks over the list of redeliveries as yoke__chain_next() does over rings. */
bool yoke__queue_list_next(const yoke__queue *queue, yoke__chain_walk *walk);

/* -- orphan.c */

/* YOKE_EORPHANED if the queue reports it and nobody is left who could do what the caller waits for; else YOKE_OK. */
int  yoke__queue_orphaned(yoke__queue *queue, yoke_queue_role needed);
void yoke__queue_unreferenced(yoke_domain *domain, yoke__id id, void *object);

/* -- passing.c: handles in messages */

struct yoke__packed;
/* Fills a block with what was packed, and its handles. YOKE_ENOTSUP: one can't travel in a message. */
int yoke__queue_stow(yoke__queue *queue, yoke__message_block *block, const struct yoke__packed *packed);
/* The variant in a block that this process holds; its handles are open. */
int yoke__queue_unstow(yoke_variant **out, yoke__queue *queue, yoke__message_block *block);
/* No lock held: frees a block of this process's, and gives back what it carried. */
void yoke__queue_free_message(yoke__queue *queue, yoke__message_block *block);

void yoke__queue_references(yoke_domain *domain, yoke__id id, void *object,
                            void (*visit)(void *user, yoke__reference reference), void *user);

#endif
