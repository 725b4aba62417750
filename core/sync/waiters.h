/*
 * Who waits in a condition, in the order of arrival: slots in shared memory with one state word each, so that every
 * transition is one CAS or store and whoever makes it may be killed before and after.
 *
 *   FREE -> CLAIMED(token) -> WAITING(token) -> NOTIFIED(token) -> FREE
 *                               |   ^              | its owner is dead, or leaves without it
 *               timed out, dead |                  v
 *                       FREE <--+               ORPHANED -> NOTIFIED(token of another that waited at the time)
 *                                                   `-----> FREE, once nobody is left who did
 *
 * A notify is not a count: it is the state of a slot. So it can be neither lost nor doubled: it is somebody's, or an
 * orphan that one of those may take who waited when it was given.
 *
 * Who makes which step: the waiter's own thread FREE to WAITING and out again; a notifier WAITING to NOTIFIED; recovery
 * what belongs to the dead; a waiter that finds an orphan takes it. Claims, tickets and notifies happen under the lock of
 * the condition. That is for their order only: without it no slot is damaged, but a notify may go to another thread of
 * the same process than was meant.
 */
#ifndef YOKE_CORE_SYNC_WAITERS_H
#define YOKE_CORE_SYNC_WAITERS_H

#include "../wait/word.h"

/* A slot's word: 0 FREE; a token CLAIMED; with one of these bits WAITING or NOTIFIED; both and no token ORPHANED. */
#define YOKE__WAITING  UINT32_C(0x40000000)
#define YOKE__NOTIFIED UINT32_C(0x80000000)
#define YOKE__ORPHANED (YOKE__WAITING | YOKE__NOTIFIED)

typedef struct yoke__wait_slot {
    yoke__a32 word; /* the waiter sleeps on it */
    yoke__a32 reserved;
    yoke__a64 ticket; /* when it came; by the claimer, before WAITING */
    yoke__a64 heard;  /* the ticket that was next when it was notified; by the notifier, before NOTIFIED */
    yoke__a64 unused;
} yoke__wait_slot;
_Static_assert(sizeof(yoke__wait_slot) == 32, "shared layout");

/* Some slots and where there are more. Linked by one store when complete; stays until the condition goes. */
typedef struct yoke__waiter_chunk {
    yoke__a64 next; /* offset of the next chunk, or 0 */
    yoke__a32 count;
    yoke__a32 reserved;
    uint64_t  unused[2];
    /* count times yoke__wait_slot */
} yoke__waiter_chunk;
_Static_assert(sizeof(yoke__waiter_chunk) == 32, "shared layout");

#define YOKE__FEW_WAITERS 5u

typedef struct yoke__waiters {
    yoke__a64          next_ticket; /* under the condition's lock */
    uint64_t           reserved[3];
    yoke__waiter_chunk chunk; /* the first, with its slots behind it */
    yoke__wait_slot    few[YOKE__FEW_WAITERS];
} yoke__waiters;

/* Of zeroed memory, before anybody sees it. */
void yoke__waiters_init(yoke__waiters *waiters);
/* Frees the further chunks; repeatable. */
void yoke__waiters_destroy(yoke_domain *domain, yoke__waiters *waiters);
/* For the type's links(): is that block one of the chunks? */
bool yoke__waiters_link(yoke_domain *domain, yoke__waiters *waiters, const void *block);
/* A participant is dead: its slots become free, its notifies are passed on. Repeatable. */
void yoke__waiters_sweep(yoke_domain *domain, yoke__waiters *waiters, yoke__token dead);

/* Condition's lock held: a slot in which this thread waits from now on. id: of the condition. NULL: no memory, noted. */
yoke__wait_slot   *yoke__waiters_enter(yoke_domain *domain, yoke__waiters *waiters, yoke__id id);
static inline bool yoke__waiter_notified(const yoke__wait_slot *waiter)
{
    return (yoke__a32_load_acquire(&waiter->word) & YOKE__NOTIFIED) != 0;
}
/* Is there an orphan for who waits in that slot? Then it is taken, *waiter is the slot that is notified, the other one is
 * free, and it returns true. For who has slept. */
bool yoke__waiters_adopt(yoke_domain *domain, yoke__waiters *waiters, yoke__wait_slot **waiter);
/* Waits no more: false if a notify came first, which is the caller's then. */
bool yoke__waiter_give_up(yoke__wait_slot *waiter);
/* The wait has ended with the notify. */
void yoke__waiter_leave(yoke__wait_slot *waiter);
/* The wait has ended, but not by the notify that came: it goes to the next one. */
void yoke__waiters_pass_on(yoke_domain *domain, yoke__waiters *waiters, yoke__wait_slot *waiter);

/* Condition's lock held: notifies those who came first, and wakes them; n of them, or all if there are fewer. */
void yoke__waiters_notify(yoke_domain *domain, yoke__waiters *waiters, uint64_t n);
/* Wakes all who sleep, for no other reason than to have them look. */
void yoke__waiters_stir(yoke_domain *domain, yoke__waiters *waiters);
/* How many are waiting, the dead not counted. */
uint64_t yoke__waiters_count(yoke_domain *domain, yoke__waiters *waiters);

#endif
