/* Who is in a domain, and who is dead. */
#ifndef YOKE_CORE_DOMAIN_PARTICIPANT_H
#define YOKE_CORE_DOMAIN_PARTICIPANT_H

#include "domain.h"

/* ---- the word of a slot, {generation:20 | state:4 | pid:40}, and tokens ---- */

static inline uint64_t yoke__slot_word(uint32_t generation, yoke__slot_state state, uint64_t pid)
{
    return ((uint64_t)generation << 44) | ((uint64_t)state << 40) | (pid & ((UINT64_C(1) << 40) - 1));
}
static inline uint32_t yoke__slot_generation(uint64_t word)
{
    return (uint32_t)(word >> 44);
}
static inline yoke__slot_state yoke__slot_state_of(uint64_t word)
{
    return (yoke__slot_state)((word >> 40) & 15u);
}
static inline int64_t yoke__slot_pid(uint64_t word)
{
    return (int64_t)(word & ((UINT64_C(1) << 40) - 1));
}
static inline yoke__token yoke__token_make(uint32_t slot, uint32_t generation)
{
    return (generation << YOKE__SLOT_BITS) | slot;
}
static inline uint32_t yoke__token_slot(yoke__token token)
{
    return token & (YOKE__PARTICIPANTS - 1u);
}
static inline uint32_t yoke__token_generation(yoke__token token)
{
    return (token & YOKE__TOKEN_MASK) >> YOKE__SLOT_BITS;
}
/* All participants have smaller slots than that: grows before a slot beyond is claimed. */
#define YOKE__SLOTS_FIRST 32u
static inline uint32_t yoke__slot_bound(const yoke_domain *domain)
{
    uint32_t bound = yoke__a32_load_acquire(&domain->layout->header.slots) >> 16;
    return bound < YOKE__SLOTS_FIRST ? YOKE__SLOTS_FIRST : bound < YOKE__PARTICIPANTS ? bound : YOKE__PARTICIPANTS;
}
static inline yoke__participant *yoke__participant_of(const yoke_domain *domain, yoke__token token)
{
    return &domain->layout->participants[yoke__token_slot(token)];
}

/* False only if the kernel says so, or the token's generation is over. Cheap for the caller's own token; otherwise asks
 * through a small cache of watches. Never blocks, takes no domain lock. */
bool yoke__token_alive(yoke_domain *domain, yoke__token token);

/* The same of a slot that stood at word. */
bool yoke__slot_alive(yoke__participant *participant, uint64_t word);
/* By the slot's owner at any time: text is only for messages. Cut to what fits. */
void yoke__participant_rename(yoke__participant *participant, const char *name);

/* Takes the registry lock, recovering whatever a dead holder left. YOKE_OK; never fails on a sound domain. */
void yoke__registry_acquire(yoke_domain *domain);
void yoke__registry_release(yoke_domain *domain);
/* For who only looks: waits for timeout milliseconds at most, and recovers nobody; what a dead holder left half done is
 * for the next who acquires. False: the holder lives, and did not let go. */
bool yoke__registry_look(yoke_domain *domain, int64_t timeout);
/* Copies a name that its owner may be writing; NUL-terminated. */
void yoke__participant_name(const yoke__participant *participant, char out[YOKE__NAME_SIZE]);

/* Looks for dead participants and recovers each: references, blocks, threads, deaths ring, sweep of object types. Called
 * by whoever suspects a death; idempotent; may be killed anywhere and is then repeated by the next. Takes the registry
 * lock. Returns the number of deaths recovered. */
int yoke__domain_recover(yoke_domain *domain);

/* The same for who waits and wants to know now and then: looks only if nobody has for a slice, so that however many wait,
 * one looks. */
int yoke__domain_patrol(yoke_domain *domain);
/* The same for a process known to be dead: looks at no others. */
int yoke__domain_recover_pid(yoke_domain *domain, int64_t pid);

/* For tests and checks: takes the registry lock and compares lists and counts of the directory with the entries and the
 * reference tables. YOKE_EPROTO with a sentence if anything is out of order. */
int yoke__directory_check(yoke_domain *domain);

/* Leaves in good order, for closing a domain: references are dropped; the slot becomes LEAVING, so its token counts as
 * dead at once, and the next recovery hands back what it may still hold and frees it. This process's handles in the
 * domain are dead after that (YOKE_ECLOSED). No other thread may be using the domain: what it holds would be taken from
 * it. So a process that ends with threads running doesn't leave, but is found dead by the kernel's word. */
void yoke__domain_leave(yoke_domain *domain);

/* What is known of a dead token. False: forgotten. */
typedef struct yoke__obituary {
    int64_t     pid;
    yoke__token token;
    int         how; /* 0 unknown, 1 exited, 2 signalled */
    int         code;
    bool        left; /* it did not die, but left in good order */
    int64_t     when; /* it was noticed, seconds since 1970 */
    char        name[YOKE__NAME_SIZE];
} yoke__obituary;
bool yoke__obituary_of(yoke_domain *domain, yoke__token token, yoke__obituary *out);
/* How many were ever written, and what is known of the n-th from 0 on; false: forgotten, or not written yet. */
uint64_t yoke__obituaries(yoke_domain *domain);
bool     yoke__obituary_at(yoke_domain *domain, uint64_t n, yoke__obituary *out);
/* Adds how a dead process ended, if it is still in the ring (its parent learns that later). */
void yoke__obituary_note(yoke_domain *domain, int64_t pid, int how, int code);
/* The same of a process known to be dead, which is recovered if it was in that domain. since: when it began at the
 * earliest, seconds since 1970: others had its number before. Not if another holds the registry
 * lock and does not let go soon. */
void yoke__domain_bury(yoke_domain *domain, int64_t pid, int64_t since, int how, int code);
/* pid and name of a live or dead token, for messages, and how it ended, if that is known; always fills out. */
void yoke__token_describe(yoke_domain *domain, yoke__token token, yoke__obituary *out);

#endif
