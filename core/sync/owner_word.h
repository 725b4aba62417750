/*
 * The lock under everything in shared memory: a 32-bit word that holds its owner's token. A dead owner is found by the
 * kernel's word and taken over by one CAS; the taker is told. The owner is a process: a thread that ends holding a lock
 * is the program's error, and not recovered.
 *
 *   word = 0 | token of the owner, with YOKE__WAITERS if somebody may sleep on it
 *
 * YOKE__TOKEN_FLAG belongs to the object around the word: acquire and takeover keep it, yoke__owner_release clears it,
 * yoke__owner_release_keep keeps it. docs/design/waiting.md has the states and the orders.
 */
#ifndef YOKE_CORE_SYNC_OWNER_WORD_H
#define YOKE_CORE_SYNC_OWNER_WORD_H

#include "../wait/word.h"

/* YOKE_OK, YOKE_OWNER_DIED (held; *dead, if not NULL, tells whom it was taken from), YOKE_ETIMEDOUT. No error is noted,
 * but for YOKE_ENOMEM: this process could not become a participant. */
int yoke__owner_acquire(yoke_domain *domain, yoke__a32 *word, yoke__deadline deadline, yoke__token *dead);
/* Only by the owner's process. */
void yoke__owner_release(yoke_domain *domain, yoke__a32 *word);

/* Instead of the token of a dead owner that recovery came to before the next acquirer did: no participant's, so that the
 * word is still to be taken over. (Generation 0, which no token has.) */
#define YOKE__TOKEN_GONE UINT32_C(1)

/* The same with more to it, for locks of the user's. */
typedef struct yoke__owner_wait {
    yoke__deadline   deadline;
    uint32_t         mark;    /* YOKE__TOKEN_FLAG: a takeover sets it, by the same CAS; or 0 */
    const yoke__a32 *closing; /* if not NULL, a value other than 0 ends the wait with YOKE_ECLOSED */
    yoke__id         object;  /* what the thread is recorded as waiting for, or 0 */
    const yoke__a32 *entered; /* if not NULL, where the token of the dead one to be told of stands, 0: there is none */
    /* If not NULL, called before each sleep, while a living owner holds the word: YOKE_OK to sleep, or the code that
     * ends the wait. */
    int (*look)(void *user);
    void       *user;
    uint32_t    held; /* out: the word as it was acquired, YOKE__TOKEN_FLAG included */
    yoke__token dead; /* out: whom it was taken from, or what stood in entered; 0 */
} yoke__owner_wait;
/* One look, no wait, no question who lives: YOKE_OK, or YOKE_EBUSY; YOKE_ENOMEM as above. Of wait, only held and dead
 * are set. */
int yoke__owner_try(yoke_domain *domain, yoke__a32 *word, yoke__owner_wait *wait);
int yoke__owner_acquire_with(yoke_domain *domain, yoke__a32 *word, yoke__owner_wait *wait);
/* By anybody, from the owner whose token is in *stood, which is not 0; false, with *stood renewed: it is another's by now,
 * or nobody's. */
bool yoke__owner_release_of(yoke_domain *domain, yoke__a32 *word, uint32_t *stood);
/* By the owner. Returns what stood there. */
uint32_t yoke__owner_release_keep(yoke_domain *domain, yoke__a32 *word);
/* By the owner, who took it over for recovery: whoever acquires it next takes it over once more. */
void yoke__owner_leave(yoke_domain *domain, yoke__a32 *word);

#endif
