/*
 * Recovery of what the dead left, under the registry lock, and the ring that remembers them. Each step may be repeated,
 * and the order makes a repetition find what is left to do: the obituary, then LEAVING, then what the token holds here
 * and there, and only then the slot is free. Who dies in the middle dies as holder of the registry lock, and the next
 * holder begins again.
 */
#include "participant.h"

#include "../backend.h"
#include "../error.h"
#include "../sync/owner_word.h"
#include "../wait/word.h"
#include "allocator.h"
#include "directory.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- the ring of recent deaths --------------------------------------------------------------------------------------- */

static void copy_words(void *to, const void *from)
{
    for (size_t i = 0; i < YOKE__NAME_SIZE / 8; i++)
        yoke__a64_store_relaxed((yoke__a64 *)to + i, yoke__a64_load_relaxed((const yoke__a64 *)from + i));
}

static void copy_name(void *to, const void *from)
{
    const yoke__a64 *words = from; /* names are 8-aligned in the layout, and may be written while we read */
    for (size_t i = 0; i < YOKE__NAME_SIZE / 8; i++) {
        uint64_t word = yoke__a64_load_relaxed(&words[i]);
        memcpy((uint8_t *)to + 8 * i, &word, sizeof word);
    }
    ((char *)to)[YOKE__NAME_SIZE - 1] = 0;
}
_Static_assert(offsetof(yoke__death, name) % 8 == 0, "names are read by words");

/* Remembered already, by somebody who died before the slot was free? Tokens come back after a million generations, so
 * the pid is compared too. */
static bool remembered(yoke_domain *domain, yoke__token token, int64_t pid)
{
    for (uint32_t i = 0; i < YOKE__DEATHS; i++) {
        yoke__death *death = &yoke__domain_header(domain)->deaths[i];
        if (yoke__a64_load_acquire(&death->sequence) && yoke__a32_load_relaxed(&death->token) == token &&
            (int64_t)yoke__a64_load_relaxed(&death->pid) == pid)
            return true;
    }
    return false;
}

/* Where the next one goes: a writer may have died after completing an entry and before counting it. */
static uint64_t next_sequence(yoke__header *header)
{
    uint64_t n = yoke__a64_load_relaxed(&header->deaths_written);
    while (yoke__a64_load_relaxed(&header->deaths[n % YOKE__DEATHS].sequence) == n + 1)
        n++;
    return n;
}

/* left: its slot said LEAVING before anybody had remembered it. Then it was at its end, if it said how it ends; one that
 * was killed between the two did not end so. */
static void remember(yoke_domain *domain, yoke__token token, const yoke__participant *participant, int64_t pid,
                     bool left)
{
    if (remembered(domain, token, pid))
        return;
    yoke__header *header = yoke__domain_header(domain);
    uint64_t      n = next_sequence(header);
    uint64_t      ended = left ? yoke__a64_load_relaxed(&participant->ended) : 0;
    yoke__death  *death = &header->deaths[n % YOKE__DEATHS];
    yoke__a64_store_relaxed(&death->sequence, 0);
    yoke__a32_store_release(&death->token, token);
    yoke__a32_store_relaxed(&death->how, (uint32_t)(ended >> 32));
    yoke__a32_store_relaxed(&death->code, (uint32_t)ended);
    yoke__a32_store_relaxed(&death->left, left);
    yoke__a64_store_relaxed(&death->pid, (uint64_t)pid);
    yoke__a64_store_relaxed(&death->when, (uint64_t)time(NULL));
    yoke__a64_store_relaxed(&death->joined, yoke__a64_load_relaxed(&participant->since));
    copy_words(death->name, participant->name);
    yoke__a64_store_release(&death->sequence, n + 1);
    yoke__a64_store_release(&header->deaths_written, n + 1);
}

/* Its sequence, 0 if it is not that token's or is being written. */
static uint64_t read_death(const yoke__death *death, yoke__token token, yoke__obituary *out)
{
    yoke__obituary found;
    uint64_t       sequence = yoke__a64_load_acquire(&death->sequence);
    if (yoke__a32_load_relaxed(&death->token) != token)
        return 0;
    found.token = yoke__a32_load_relaxed(&death->token);
    found.how = (int)yoke__a32_load_relaxed(&death->how);
    found.code = (int)yoke__a32_load_relaxed(&death->code);
    found.left = yoke__a32_load_relaxed(&death->left) != 0;
    found.when = (int64_t)yoke__a64_load_relaxed(&death->when);
    found.pid = (int64_t)yoke__a64_load_relaxed(&death->pid);
    copy_name(found.name, death->name);
    atomic_thread_fence(memory_order_acquire);
    if (sequence != yoke__a64_load_relaxed(&death->sequence) || found.token != token)
        return 0;
    *out = found;
    return sequence;
}

bool yoke__obituary_of(yoke_domain *domain, yoke__token token, yoke__obituary *out)
{
    uint64_t latest = 0;
    for (uint32_t i = 0; i < YOKE__DEATHS; i++) {
        yoke__obituary found;
        uint64_t       sequence = read_death(&yoke__domain_header(domain)->deaths[i], token & YOKE__TOKEN_MASK, &found);
        if (sequence > latest) {
            latest = sequence;
            *out = found;
        }
    }
    return latest != 0;
}

uint64_t yoke__obituaries(yoke_domain *domain)
{
    return yoke__a64_load_acquire(&yoke__domain_header(domain)->deaths_written);
}

bool yoke__obituary_at(yoke_domain *domain, uint64_t n, yoke__obituary *out)
{
    const yoke__death *death = &yoke__domain_header(domain)->deaths[n % YOKE__DEATHS];
    return read_death(death, yoke__a32_load_acquire(&death->token), out) == n + 1;
}

void yoke__participant_name(const yoke__participant *participant, char out[YOKE__NAME_SIZE])
{
    copy_name(out, participant->name);
}

/* The last one of a process of that number that had joined since that time (seconds since 1970), or NULL. One that joined
 * earlier was another, which had the number before. */
static yoke__death *latest_of(yoke_domain *domain, int64_t pid, int64_t since)
{
    yoke__death *latest = NULL;
    uint64_t     last = 0;
    for (uint32_t i = 0; i < YOKE__DEATHS; i++) {
        yoke__death *death = &yoke__domain_header(domain)->deaths[i];
        uint64_t     sequence = yoke__a64_load_acquire(&death->sequence);
        if (sequence > last && (int64_t)yoke__a64_load_relaxed(&death->pid) == pid &&
            (int64_t)yoke__a64_load_relaxed(&death->joined) >= since) {
            latest = death;
            last = sequence;
        }
    }
    return latest;
}

/* Registry lock held. */
static void note_end(yoke_domain *domain, int64_t pid, int64_t since, int how, int code)
{
    yoke__death *latest = latest_of(domain, pid, since);
    if (latest) {
        yoke__a32_store_relaxed(&latest->code, (uint32_t)code);
        yoke__a32_store_release(&latest->how, (uint32_t)how);
    }
}

void yoke__obituary_note(yoke_domain *domain, int64_t pid, int how, int code)
{
    yoke__registry_acquire(domain);
    note_end(domain, pid, 0, how, code);
    yoke__registry_release(domain);
}

static bool describe_slot(yoke_domain *domain, yoke__token token, yoke__obituary *out)
{
    yoke__participant *participant = yoke__participant_of(domain, token);
    uint64_t           word = yoke__a64_load_acquire(&participant->word);
    bool               leaves = yoke__slot_state_of(word) == YOKE__SLOT_LEAVING;
    uint64_t           ended = leaves ? yoke__a64_load_relaxed(&participant->ended) : 0;
    yoke__obituary     found = {
            .pid = yoke__slot_pid(word), .token = token, .how = (int)(ended >> 32), .code = (int)(uint32_t)ended};
    copy_name(found.name, participant->name);
    atomic_thread_fence(memory_order_acquire);
    uint64_t again = yoke__a64_load_relaxed(&participant->word);
    if (yoke__slot_generation(again) != yoke__token_generation(token) ||
        yoke__slot_state_of(again) == YOKE__SLOT_FREE || yoke__slot_state_of(word) == YOKE__SLOT_FREE)
        return false;
    *out = found;
    return true;
}

void yoke__token_describe(yoke_domain *domain, yoke__token token, yoke__obituary *out)
{
    token &= YOKE__TOKEN_MASK;
    if (yoke__obituary_of(domain, token, out) || describe_slot(domain, token, out))
        return;
    *out = (yoke__obituary){.token = token};
}

/* ---- finding the dead ------------------------------------------------------------------------------------------------ */

static bool is_mine(yoke_domain *domain, uint32_t slot)
{
    yoke__token mine = yoke__a32_load_relaxed(&domain->token);
    return mine && yoke__token_slot(mine) == slot;
}

/* pid 0: anybody. */
static bool is_dead(yoke_domain *domain, uint32_t slot, int64_t pid, uint64_t *seen)
{
    yoke__participant *participant = &domain->layout->participants[slot];
    uint64_t           word = *seen = yoke__a64_load_acquire(&participant->word);
    if (yoke__slot_state_of(word) == YOKE__SLOT_LEAVING)
        return true;
    return yoke__slot_state_of(word) != YOKE__SLOT_FREE && (!pid || yoke__slot_pid(word) == pid) &&
           !is_mine(domain, slot) && !yoke__slot_alive(participant, word);
}

/* No lock held. */
static bool anybody_dead(yoke_domain *domain, int64_t pid)
{
    uint64_t word;
    for (uint32_t slot = 0, bound = yoke__slot_bound(domain); slot < bound; slot++)
        if (is_dead(domain, slot, pid, &word))
            return true;
    return false;
}

/* Remembers the dead and marks their slots. Their words don't change any more, but a slot may be claimed anew while we
 * look at an older one. Returns the tokens found, and how many. */
static uint32_t bury(yoke_domain *domain, int64_t pid, yoke__token *dead)
{
    uint32_t n = 0;
    uint64_t word;
    for (uint32_t slot = 0, bound = yoke__slot_bound(domain); slot < bound; slot++) {
        if (!is_dead(domain, slot, pid, &word))
            continue;
        yoke__participant *participant = &domain->layout->participants[slot];
        uint32_t           generation = yoke__slot_generation(word);
        uint64_t           marked = yoke__slot_word(generation, YOKE__SLOT_LEAVING, (uint64_t)yoke__slot_pid(word));
        remember(domain, yoke__token_make(slot, generation), participant, yoke__slot_pid(word), word == marked);
        if (word == marked || yoke__a64_cas_acq_rel(&participant->word, &word, marked))
            dead[n++] = yoke__token_make(slot, generation);
    }
    return n;
}

/* ---- recovering them ------------------------------------------------------------------------------------------------- */

static void sweep_object(yoke_domain *domain, yoke__id id, yoke__entry *entry, const yoke__token *dead, uint32_t n)
{
    const yoke__object_type *type = yoke__object_type_of(yoke__entry_kind(yoke__a64_load_relaxed(&entry->word)));
    for (uint32_t i = 0; type && type->sweep && i < n; i++)
        type->sweep(domain, id, yoke__entry_object(domain, entry), dead[i]);
}

static void sweep_objects(yoke_domain *domain, const yoke__token *dead, uint32_t n)
{
    uint32_t count = yoke__a32_load_relaxed(&yoke__domain_header(domain)->directory_count);
    for (uint32_t i = 1; i < count; i++) {
        yoke__entry *entry = yoke__entry_at(domain, i);
        uint64_t     word = yoke__a64_load_relaxed(&entry->word);
        if (yoke__entry_state_of(word) == YOKE__ENTRY_LIVE)
            sweep_object(domain, YOKE__ID(i, yoke__entry_generation(word)), entry, dead, n);
    }
}

static void free_slot(yoke_domain *domain, yoke__participant *participant, uint32_t generation)
{
    yoke__header *header = yoke__domain_header(domain);
    uint32_t      next = generation + 1 < YOKE__GENERATIONS ? generation + 1 : 1;
    yoke__a64_store_relaxed(&participant->start, 0);
    yoke__a64_store_relaxed(&participant->space, 0);
    yoke__a64_store_relaxed(&participant->process, 0);
    yoke__a64_store_relaxed(&participant->ended, 0);
    for (size_t i = 0; i < sizeof participant->caches / sizeof participant->caches[0]; i++)
        yoke__a64_store_relaxed(&participant->caches[i], 0);
    yoke__participant_rename(participant, "");
    yoke__a32_add_acq_rel(&header->death_epoch, 1);
    yoke__a64_store_release(&participant->word, yoke__slot_word(next, YOKE__SLOT_FREE, 0)); /* last */
}

/* A newcomer's claim may be missed: a hint, until the next time. */
static void recount_participants(yoke_domain *domain)
{
    uint32_t n = 0;
    for (uint32_t slot = 0, bound = yoke__slot_bound(domain); slot < bound; slot++)
        n += yoke__slot_state_of(yoke__a64_load_relaxed(&domain->layout->participants[slot].word)) != YOKE__SLOT_FREE;
    yoke__a32_store_relaxed(&yoke__domain_header(domain)->participants_live, n);
}

/* What objects hold of theirs, then what they hold of objects, then their blocks, then the slots; not of those that an
 * object has put off: they stay LEAVING. Returns how many slots are free. */
static uint32_t recover_dead(yoke_domain *domain, const yoke__token *dead, uint32_t n, bool dirty)
{
    for (uint32_t i = 0; i < n; i++)
        yoke__threads_recover(domain, dead[i]);
    domain->put_off = 0;
    if (n)
        sweep_objects(domain, dead, n);
    bool     swept = domain->put_off == 0;
    uint32_t recovered = 0;
    for (uint32_t i = 0; i < n; i++)
        yoke__table_drop(domain, yoke__participant_of(domain, dead[i]), !dirty);
    if (dirty)
        yoke__directory_rebuild(domain);
    yoke__directory_tidy(domain);
    for (uint32_t i = 0; i < n; i++) {
        if (!yoke__alloc_recover(domain, dead[i], yoke__directory_links) || !swept)
            continue;
        free_slot(domain, yoke__participant_of(domain, dead[i]), yoke__token_generation(dead[i]));
        recovered++;
    }
    yoke__directory_tidy(domain); /* what was in blocks of theirs */
    recount_participants(domain);
    return recovered;
}

/* Registry lock held. */
static int recover(yoke_domain *domain, int64_t pid)
{
    yoke__header *header = yoke__domain_header(domain);
    bool          dirty = yoke__a32_load_relaxed(&header->registry_dirty) != 0;
    yoke__token   dead[YOKE__PARTICIPANTS];
    uint32_t      n = bury(domain, dirty ? 0 : pid, dead);
    if (n || dirty)
        n = recover_dead(domain, dead, n, dirty);
    yoke__a32_store_release(&header->registry_dirty, 0);
    return (int)n;
}

void yoke__registry_acquire(yoke_domain *domain)
{
    yoke__header *header = yoke__domain_header(domain);
    if (yoke__owner_acquire(domain, &header->registry, INT64_MAX, NULL) == YOKE_OWNER_DIED)
        yoke__a32_store_release(&header->registry_dirty, 1);
    if (yoke__a32_load_relaxed(&header->registry_dirty))
        recover(domain, 0);
}

bool yoke__registry_look(yoke_domain *domain, int64_t timeout)
{
    yoke__header *header = yoke__domain_header(domain);
    int           rc = yoke__owner_acquire(domain, &header->registry, yoke__deadline_after(timeout), NULL);
    if (rc == YOKE_OWNER_DIED)
        yoke__a32_store_release(&header->registry_dirty, 1);
    return rc >= 0;
}

void yoke__registry_release(yoke_domain *domain)
{
    yoke__owner_release(domain, &yoke__domain_header(domain)->registry);
}

int yoke__domain_recover_pid(yoke_domain *domain, int64_t pid)
{
    if (!yoke__domain_token(domain) || !anybody_dead(domain, pid))
        return 0;
    yoke__registry_acquire(domain);
    int found = recover(domain, pid);
    yoke__registry_release(domain);
    return found;
}

int yoke__domain_recover(yoke_domain *domain)
{
    return yoke__domain_recover_pid(domain, 0);
}

#define PATIENCE 50 /* ms */

int yoke__domain_patrol(yoke_domain *domain)
{
    yoke__a64 *patrolled = &yoke__domain_header(domain)->patrolled;
    uint64_t   last = yoke__a64_load_relaxed(patrolled);
    uint64_t   now = (uint64_t)yoke__backend()->system->now();
    if (now - last < (uint64_t)YOKE__SLICE || !yoke__a64_cas_acq_rel(patrolled, &last, now))
        return 0;
    /* Callers may have a time-out, and a message in hand: who was stopped with the registry must not keep them. */
    if (!yoke__domain_token(domain) || !anybody_dead(domain, 0) || !yoke__registry_look(domain, PATIENCE))
        return 0;
    int found = recover(domain, 0);
    yoke__registry_release(domain);
    return found;
}

void yoke__domain_bury(yoke_domain *domain, int64_t pid, int64_t since, int how, int code)
{
    bool was_here = anybody_dead(domain, pid) || latest_of(domain, pid, since);
    if (!was_here || !yoke__domain_token(domain) || !yoke__registry_look(domain, PATIENCE))
        return;
    (void)recover(domain, pid);
    note_end(domain, pid, since, how, code);
    yoke__registry_release(domain);
}
