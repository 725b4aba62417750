/* Slots of participants: joining, leaving, and who is alive. What happens after a death is in death.c. */
#include "participant.h"

#include "../backend.h"
#include "../error.h"
#include "../local.h"
#include "../process/start.h"
#include "../wait/word.h"
#include "directory.h"
#include "watch.h"

#include <string.h>
#include <time.h>

/* Keeps threads of this process from joining twice. Held across forks. */
static yoke__mutex join_mutex = YOKE__MUTEX_INIT;

static void before_fork(void)
{
    yoke__mutex_lock(&join_mutex);
}

static void after_fork_in_parent(void)
{
    yoke__mutex_unlock(&join_mutex);
}

static void after_fork_in_child(void)
{
    yoke__mutex_reset(&join_mutex);
}

/* ---- joining --------------------------------------------------------------------------------------------------------- */

/* A new slot's memory has generation 0, which no token has. */
static bool claim_slot(yoke__a64 *word, uint64_t pid, uint32_t *generation)
{
    uint64_t seen = yoke__a64_load_acquire(word);
    while (yoke__slot_state_of(seen) == YOKE__SLOT_FREE) {
        *generation = yoke__slot_generation(seen) ? yoke__slot_generation(seen) : 1;
        if (yoke__a64_cas_acq_rel(word, &seen, yoke__slot_word(*generation, YOKE__SLOT_JOINING, pid)))
            return true;
    }
    return false;
}

static yoke__token claim_below(yoke_domain *domain, uint32_t bound, uint64_t pid)
{
    yoke__a32 *slots = &yoke__domain_header(domain)->slots;
    uint32_t   seen = yoke__a32_load_relaxed(slots);
    uint32_t   first = seen & 0xffffu;
    uint32_t   generation;
    for (uint32_t i = 0; i < bound; i++) {
        uint32_t slot = (first + i) % bound;
        if (!claim_slot(&domain->layout->participants[slot].word, pid, &generation))
            continue;
        /* Others begin behind it, so that generations are used up evenly; should that fail it does no harm. */
        yoke__a32_cas_acq_rel(slots, &seen, (seen & 0xffff0000u) | ((slot + 1) % bound));
        yoke__a32_add_acq_rel(&yoke__domain_header(domain)->participants_live, 1);
        return yoke__token_make(slot, generation);
    }
    return 0;
}

/* Scans for the dead go up to the bound only, so it is raised before a slot beyond it is claimed. */
static void raise_bound(yoke_domain *domain, uint32_t bound)
{
    yoke__a32 *slots = &yoke__domain_header(domain)->slots;
    uint32_t   seen = yoke__a32_load_relaxed(slots);
    while ((seen >> 16) < bound && !yoke__a32_cas_acq_rel(slots, &seen, (bound << 16) | (seen & 0xffffu)))
        ;
}

static yoke__token claim(yoke_domain *domain, uint64_t pid)
{
    uint32_t    bound = yoke__slot_bound(domain);
    yoke__token token = claim_below(domain, bound, pid);
    while (!token && bound < YOKE__PARTICIPANTS) {
        bound *= 2;
        raise_bound(domain, bound);
        token = claim_below(domain, bound, pid);
    }
    return token;
}

void yoke__participant_rename(yoke__participant *participant, const char *name)
{
    uint8_t    bytes[YOKE__NAME_SIZE] = {0};
    yoke__a64 *words = (yoke__a64 *)(void *)participant->name; /* aligned: see the layout */
    size_t     length = strlen(name);
    memcpy(bytes, name, length < sizeof bytes ? length : sizeof bytes - 1);
    for (size_t i = 0; i < sizeof bytes / 8; i++) {
        uint64_t word;
        memcpy(&word, bytes + 8 * i, sizeof word);
        yoke__a64_store_relaxed(&words[i], word);
    }
}
_Static_assert(offsetof(yoke__participant, name) % 8 == 0, "names are written by words");

/* A death until LIVE is found by the pid in the word, so who this is must be complete before. */
static void introduce(yoke_domain *domain, yoke__token token, const yoke_identity *self)
{
    yoke__participant *me = yoke__participant_of(domain, token);
    yoke__a64_store_relaxed(&me->start, self->start);
    yoke__a64_store_relaxed(&me->space, self->space);
    yoke__a64_store_relaxed(&me->since, (uint64_t)time(NULL));
    yoke__participant_rename(me, yoke__process_own_name());
    yoke__a64_store_release(&me->word,
                            yoke__slot_word(yoke__token_generation(token), YOKE__SLOT_LIVE, (uint64_t)self->pid));
}

static yoke__token join(yoke_domain *domain)
{
    yoke__header *header = yoke__domain_header(domain);
    yoke_identity self;
    if (yoke__backend()->life->self(&self) != YOKE_OK)
        return 0;
    if (self.space != header->space) {
        yoke__fail(YOKE_ENOTSUP,
                   "process %lld is of another boot or pid namespace than the domain: they could not tell "
                   "who of them lives",
                   (long long)self.pid);
        return 0;
    }
    yoke__token token = claim(domain, (uint64_t)self.pid);
    if (!token) {
        yoke__fail(YOKE_ENOMEM, "the domain has %u participants already, and takes no more", YOKE__PARTICIPANTS);
        return 0;
    }
    introduce(domain, token, &self);
    yoke__a32_store_release(&domain->token, token);
    yoke__handles_renew(domain);
    return token;
}

yoke__token yoke__domain_join(yoke_domain *domain)
{
    yoke__fork_hooks();
    yoke__fork_hook_add_at(YOKE__FORK_JOIN, before_fork, after_fork_in_parent, after_fork_in_child);
    yoke__mutex_lock(&join_mutex);
    yoke__token token = yoke__a32_load_acquire(&domain->token);
    bool        fresh = token == 0;
    if (fresh)
        token = join(domain);
    yoke__mutex_unlock(&join_mutex);
    /* When it gets crowded newcomers look for dead ones, so that these never fill the table. */
    if (fresh && token &&
        yoke__a32_load_relaxed(&yoke__domain_header(domain)->participants_live) > yoke__slot_bound(domain) / 2)
        yoke__domain_recover(domain);
    return token;
}

/* ---- leaving --------------------------------------------------------------------------------------------------------- */

/* LEAVING only once nothing is held any more: from then on others may take over what bears the token. */
void yoke__domain_leave(yoke_domain *domain)
{
    yoke__mutex_lock(&join_mutex);
    yoke__token token = yoke__a32_load_acquire(&domain->token);
    yoke__handles_forget(domain);
    if (token) {
        yoke__participant *me = yoke__participant_of(domain, token);
        yoke__registry_acquire(domain);
        yoke__table_drop(domain, me, true);
        yoke__directory_tidy(domain);
        yoke__registry_release(domain);
        yoke__threads_leave(domain);
        yoke__a32_store_release(&domain->token, 0);
        uint64_t word = yoke__a64_load_relaxed(&me->word);
        yoke__a64_store_release(&me->word, yoke__slot_word(yoke__slot_generation(word), YOKE__SLOT_LEAVING,
                                                           (uint64_t)yoke__slot_pid(word)));
    }
    yoke__watch_clear();
    yoke__mutex_unlock(&join_mutex);
}

/* ---- who is alive ---------------------------------------------------------------------------------------------------- */

/* Between the claim and LIVE there is the pid only: the process that bears it now stands for the one that claimed. */
static bool joining_alive(int64_t pid)
{
    yoke_identity who;
    int           code = yoke__backend()->life->identify(&who, pid);
    if (code == YOKE_ENOENT)
        return false;
    return code != YOKE_OK || yoke__watch_alive(&who);
}

bool yoke__slot_alive(yoke__participant *participant, uint64_t word)
{
    yoke_identity who = {.pid = yoke__slot_pid(word)};
    switch (yoke__slot_state_of(word)) {
    case YOKE__SLOT_JOINING:
        return joining_alive(who.pid);
    case YOKE__SLOT_LIVE:
        who.start = yoke__a64_load_relaxed(&participant->start);
        who.space = yoke__a64_load_relaxed(&participant->space);
        return yoke__watch_alive(&who);
    default:
        return false;
    }
}

bool yoke__token_alive(yoke_domain *domain, yoke__token token)
{
    token &= YOKE__TOKEN_MASK;
    if (token == yoke__a32_load_relaxed(&domain->token))
        return token != 0;
    yoke__participant *participant = yoke__participant_of(domain, token);
    uint64_t           word = yoke__a64_load_acquire(&participant->word);
    if (yoke__slot_generation(word) != yoke__token_generation(token) || !yoke__token_generation(token))
        return false;
    return yoke__slot_alive(participant, word);
}
