#include "waits.h"

#include "../domain/directory.h"
#include "../domain/make.h"
#include "../domain/participant.h"
#include "../wait/thread.h"

#include <stdlib.h>

/* ---- what stands in records --------------------------------------------------------------------------------------- */

static const yoke__thread *record_of(const yoke_domain *domain, uint64_t thread)
{
    yoke__thread *threads = domain->layout->threads;
    yoke__token   token = (yoke__token)(thread >> 32);
    uint32_t      first = yoke__token_slot(token) * (YOKE__THREADS / YOKE__PARTICIPANTS); /* where it began to claim */

    for (uint32_t n = 0; n < YOKE__THREADS; n++) {
        const yoke__thread *record = &threads[(first + n) % YOKE__THREADS];
        if (yoke__a32_load_acquire(&record->owner) == token &&
            (uint32_t)yoke__a64_load_relaxed(&record->native) == (uint32_t)thread)
            return record;
    }
    return NULL;
}

/* What the thread waits for in that domain, if it lives and waits. The count of waits is read after what it counts. */
static bool waits_in(yoke_domain *domain, uint64_t thread, yoke__waiting *out)
{
    const yoke__thread *record = record_of(domain, thread);

    if (!record || !yoke__token_alive(domain, (yoke__token)(thread >> 32)))
        return false;
    *out = (yoke__waiting){.domain = domain, .thread = thread};
    out->object = yoke__a64_load_acquire(&record->waits_for);
    out->wait = yoke__a64_load_acquire(&record->waits);
    out->since = yoke__a64_load_relaxed(&record->since);
    out->looks = yoke__a32_load_relaxed(&record->looks) == (uint32_t)out->wait;
    return out->object != 0;
}

/* ---- the same thread in another domain ----------------------------------------------------------------------------- */

/* The token that the process of a token has in another domain, or 0. */
static yoke__token token_in(const yoke_domain *other, const yoke_domain *domain, yoke__token token)
{
    const yoke__participant *known = yoke__participant_of(domain, token);
    uint64_t                 start = yoke__a64_load_relaxed(&known->start);
    uint64_t                 word = yoke__a64_load_acquire(&known->word);

    if (yoke__slot_generation(word) != yoke__token_generation(token) || yoke__slot_state_of(word) != YOKE__SLOT_LIVE)
        return 0;
    for (uint32_t slot = 0, bound = yoke__slot_bound(other); slot < bound; slot++) {
        const yoke__participant *participant = &other->layout->participants[slot];
        uint64_t                 theirs = yoke__a64_load_acquire(&participant->word);
        if (yoke__slot_state_of(theirs) == YOKE__SLOT_LIVE && yoke__slot_pid(theirs) == yoke__slot_pid(word) &&
            yoke__a64_load_relaxed(&participant->start) == start)
            return yoke__token_make(slot, yoke__slot_generation(theirs));
    }
    return 0;
}

/* Where that thread waits, in whichever domain; a thread waits in one at a time. */
static bool find_wait(yoke_domain *domain, uint64_t thread, yoke__waiting *out)
{
    if (waits_in(domain, thread, out))
        return true;
    for (yoke_domain *other = yoke__domains_first(); other; other = other->next) {
        yoke__token token = other == domain ? 0 : token_in(other, domain, (yoke__token)(thread >> 32));
        if (token && waits_in(other, (uint64_t)token << 32 | (uint32_t)thread, out))
            return true;
    }
    return false;
}

/* ---- the graph ------------------------------------------------------------------------------------------------------ */

static bool make_room(void **items, uint32_t *room, uint32_t count, size_t size)
{
    if (count < *room)
        return true;
    uint32_t more = *room ? *room * 2 : 32;
    void    *grown = realloc(*items, more * size);
    if (!grown)
        return false;
    *items = grown;
    *room = more;
    return true;
}

static uint32_t add_thread(yoke__waits *w, const yoke__waiting *waiting)
{
    if (!make_room((void **)(void *)&w->threads, &w->room, w->count, sizeof *w->threads)) {
        w->failed = true;
        return YOKE__NOBODY;
    }
    w->threads[w->count] = *waiting;
    w->threads[w->count].next = YOKE__NOBODY;
    return w->count++;
}

static void add_link(yoke__waits *w, uint32_t to, uint64_t acquisition)
{
    if (!make_room((void **)(void *)&w->links, &w->link_room, w->link_count, sizeof *w->links)) {
        w->failed = true;
        return;
    }
    w->links[w->link_count++] = (yoke__waits_link){to, acquisition};
}

/* The index of a thread that holds something in that domain. Each is looked at once: what it waits for is what it waited
 * for then. */
static uint32_t thread_of(yoke__waits *w, yoke_domain *domain, uint64_t holder)
{
    yoke__waiting waiting;

    if (!find_wait(domain, holder, &waiting))
        return YOKE__NOBODY;
    for (uint32_t i = 0; i < w->count; i++)
        if (w->threads[i].domain == waiting.domain && w->threads[i].thread == waiting.thread)
            return w->threads[i].wait == waiting.wait ? i : YOKE__NOBODY;
    return add_thread(w, &waiting);
}

static uint32_t blockers_of(const yoke__waiting *waiting, yoke__blocker *out)
{
    yoke__entry *entry = yoke__entry_live(waiting->domain, waiting->object);

    if (!entry || !yoke__domain_check(waiting->domain, yoke__a64_load_relaxed(&entry->offset), 1))
        return 0;
    const yoke__object_type *type = yoke__object_type_of(yoke__entry_kind(yoke__a64_load_relaxed(&entry->word)));
    if (!type || !type->blockers)
        return 0;
    return type->blockers(waiting->domain, yoke__entry_object(waiting->domain, entry), waiting->thread, out,
                          YOKE__BLOCKERS_MAX);
}

/* What a thread waits for leads to others. One that is told as holding what it waits for has got it, and is about to say so. */
static void expand(yoke__waits *w, uint32_t index, yoke__blocker *blockers)
{
    yoke__waiting from = w->threads[index];
    uint32_t      count = blockers_of(&from, blockers);

    from.any = (count & YOKE__BLOCKERS_ALL) != 0;
    from.links = w->link_count;
    for (uint32_t i = 0; i < (count & ~YOKE__BLOCKERS_ALL); i++) {
        bool itself = blockers[i].holder == from.thread;
        add_link(w, itself ? YOKE__NOBODY : thread_of(w, from.domain, blockers[i].holder), blockers[i].acquisition);
    }
    from.count = w->link_count - from.links;
    w->threads[index] = from;
}

/* As far as it is seen: who waits for any one is stuck while all of those are, else while one of those is. */
static bool is_stuck(const yoke__waits *w, const yoke__waiting *thread)
{
    uint32_t stuck = 0;

    for (uint32_t i = 0; i < thread->count; i++) {
        uint32_t to = w->links[thread->links + i].to;
        stuck += to != YOKE__NOBODY && w->threads[to].stuck;
    }
    return thread->any ? stuck == thread->count && stuck > 0 : stuck > 0;
}

/* All are taken to be stuck until it is seen that they are not: what is left holds itself up. */
static void judge(yoke__waits *w)
{
    bool changed = true;

    for (uint32_t i = 0; i < w->count; i++)
        w->threads[i].stuck = true;
    while (changed) {
        changed = false;
        for (uint32_t i = 0; i < w->count; i++) {
            bool goes_on = w->threads[i].stuck && !is_stuck(w, &w->threads[i]);
            changed |= goes_on;
            w->threads[i].stuck &= !goes_on;
        }
    }
}

bool yoke__waits_look(yoke__waits *waits, yoke_domain *domain)
{
    yoke__waiting  me;
    uint64_t       thread = (uint64_t)yoke__a32_load_relaxed(&domain->token) << 32 | yoke__thread_number();
    yoke__blocker *blockers = malloc(YOKE__BLOCKERS_MAX * sizeof *blockers);

    *waits = (yoke__waits){.failed = !blockers};
    if (!waits->failed && waits_in(domain, thread, &me))
        (void)add_thread(waits, &me);
    for (uint32_t i = 0; i < waits->count && !waits->failed; i++)
        expand(waits, i, blockers);
    free(blockers);
    if (waits->failed || waits->count == 0)
        return false;
    judge(waits);
    return true;
}

void yoke__waits_free(yoke__waits *waits)
{
    free(waits->threads);
    free(waits->links);
}
