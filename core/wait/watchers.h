/*
 * Watchers of an object in shared memory: threads that sleep elsewhere than on a word of it, in an event loop or over
 * many things at once, and have their doorbells rung when it changes.
 *
 * Per thing that can be waited for the object has one 64-bit word, on a line that those who change it read anyway. Bit n
 * set: some thread record whose index is n modulo 64 wants to know of the next change. One change clears the word and
 * rings all of them; who still wants to know arms again. So a queue that is busy rings once per wake-up, and one that
 * nobody watches costs a load.
 *
 *   watcher: bit set, full fence, a look at the object; sleeps in its bell if there is nothing
 *   changer: change committed, full fence, a look at the word; if not 0: exchanged with 0, bells rung
 *
 * Either the changer sees the bit or the watcher sees the change. A changer may die between the two: a watcher looks by
 * itself after each slice. Bits of the dead vanish with the next change. docs/design/waiting.md has the whole argument.
 */
#ifndef YOKE_CORE_WAIT_WATCHERS_H
#define YOKE_CORE_WAIT_WATCHERS_H

#include "../domain/domain.h"

/* Clears the word and rings. */
void yoke__watchers_tell(yoke_domain *domain, yoke__a64 *word);

/* After a change and a full fence (or a seq_cst RMW). Any lock may be held; never blocks. */
static inline void yoke__watchers_ring(yoke_domain *domain, yoke__a64 *word)
{
    if (yoke__a64_load_relaxed(word) != 0)
        yoke__watchers_tell(domain, word);
}

/* The bit of that thread record. A full fence has to follow before the look. */
void yoke__watchers_arm(yoke__a64 *word, uint32_t thread);

#endif
