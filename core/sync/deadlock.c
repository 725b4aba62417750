#include "deadlock.h"

#include "../backend.h"
#include "../domain/directory.h"
#include "../domain/participant.h"
#include "../error.h"
#include "../wait/seat.h"
#include "../wait/thread.h"

#include <stdio.h>
#include <string.h>

#define STEPS_MAX 512u /* threads looked at in one walk */

/* How many looks a cycle must have stood, after the first: for who came last, and for the others, should that one be
 * stopped. Who hears of it ends its wait, so the others see the cycle gone. */
#define STANDS_LAST   1u
#define STANDS_OTHERS 8u

typedef struct walk {
    yoke_domain    *domain;
    yoke__deadlock *found; /* edges are on the way from me to where the walk is */
    uint64_t        me;
    uint32_t        steps;
} walk;

/* ---- the edges --------------------------------------------------------------------------------------------------- */

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

/* What the thread waits for, if it lives and waits. The count of waits is read after what it counts: see the docs. */
static bool waits(const walk *w, uint64_t thread, yoke__edge *out)
{
    const yoke__thread *record = record_of(w->domain, thread);

    if (!record || !yoke__token_alive(w->domain, (yoke__token)(thread >> 32)))
        return false;
    out->thread = thread;
    out->object = yoke__a64_load_acquire(&record->waits_for);
    out->wait = yoke__a64_load_acquire(&record->waits);
    out->since = yoke__a64_load_relaxed(&record->since);
    out->looks = yoke__a32_load_relaxed(&record->looks) == (uint32_t)out->wait;
    return out->object != 0;
}

static uint32_t blockers_of(const walk *w, const yoke__edge *edge, yoke__blocker *out)
{
    yoke__entry *entry = yoke__entry_live(w->domain, edge->object);

    if (!entry || !yoke__domain_check(w->domain, yoke__a64_load_relaxed(&entry->offset), 1))
        return 0;
    const yoke__object_type *type = yoke__object_type_of(yoke__entry_kind(yoke__a64_load_relaxed(&entry->word)));
    if (!type || !type->blockers)
        return 0;
    return type->blockers(w->domain, yoke__entry_object(w->domain, entry), edge->thread, out, YOKE__BLOCKERS_MAX);
}

static bool on_the_way(const walk *w, uint64_t thread)
{
    for (uint32_t i = 0; i < w->found->count; i++)
        if (w->found->edges[i].thread == thread)
            return true;
    return false;
}

/* Whether what that thread waits for leads back to the calling one. */
static bool leads_back(walk *w, uint64_t thread)
{
    yoke__blocker blockers[YOKE__BLOCKERS_MAX];
    yoke__edge   *edge = &w->found->edges[w->found->count];

    if (w->found->count == YOKE__CHAIN_MAX || w->steps++ == STEPS_MAX || !waits(w, thread, edge))
        return false;
    uint32_t count = blockers_of(w, edge, blockers);
    w->found->count++;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t holder = blockers[i].holder;
        edge->acquisition = blockers[i].acquisition;
        if (holder == thread) /* it has got the lock, and is about to say so */
            continue;
        if (holder == w->me || (!on_the_way(w, holder) && leads_back(w, holder)))
            return true;
    }
    w->found->count--;
    return false;
}

static bool find_cycle(yoke_domain *domain, yoke__deadlock *found)
{
    walk w = {.domain = domain, .found = found};

    w.me = (uint64_t)yoke__a32_load_relaxed(&domain->token) << 32 | yoke__thread_number();
    found->count = 0;
    return leads_back(&w, w.me);
}

/* ---- two looks --------------------------------------------------------------------------------------------------- */

static bool same(const yoke__deadlock *a, const yoke__deadlock *b)
{
    bool equal = a->count == b->count;

    for (uint32_t i = 0; equal && i < a->count; i++)
        equal = a->edges[i].thread == b->edges[i].thread && a->edges[i].object == b->edges[i].object &&
                a->edges[i].wait == b->edges[i].wait && a->edges[i].acquisition == b->edges[i].acquisition;
    return equal;
}

/* Of those who look, one is to hear of it: who began to wait last. All who look agree on that. */
static bool is_last(const yoke__deadlock *found)
{
    const yoke__edge *last = &found->edges[0];

    for (uint32_t i = 1; i < found->count; i++) {
        const yoke__edge *edge = &found->edges[i];
        if (edge->looks && (edge->since > last->since || (edge->since == last->since && edge->thread > last->thread)))
            last = edge;
    }
    return last == &found->edges[0];
}

const char *yoke__thread_describe(yoke_domain *domain, uint64_t thread, char *buffer, size_t size)
{
    yoke__obituary who;

    yoke__token_describe(domain, (yoke__token)(thread >> 32), &who);
    (void)snprintf(buffer, size, "%s (pid %lld, thread %lu)", who.name[0] ? who.name : "a process", (long long)who.pid,
                   (unsigned long)(uint32_t)thread);
    return buffer;
}

static int tell(yoke_domain *domain, const yoke__deadlock *found)
{
    char   text[1024], who[YOKE__NAME_SIZE + 64], what[128];
    size_t used = 0;

    for (uint32_t i = 0; i < found->count && used < sizeof text; i++) {
        const yoke__edge *edge = &found->edges[i], *next = &found->edges[(i + 1) % found->count];
        int               n = 0;
        if (i == 0)
            n = snprintf(text, sizeof text, "%s", yoke__thread_describe(domain, edge->thread, who, sizeof who));
        used += (size_t)n;
        n = snprintf(text + used, sizeof text - used, "%s waits for %s, held by %s", i ? ", which" : "",
                     yoke__object_describe(domain, edge->object, what, sizeof what),
                     yoke__thread_describe(domain, next->thread, who, sizeof who));
        used += (size_t)n;
    }
    return yoke__fail(YOKE_EDEADLK, "deadlock: %s", text);
}

/* From now on others know that this thread looks. */
static void begin(yoke_domain *domain)
{
    yoke__seat *seat = yoke__seat_mine(domain);

    if (seat)
        yoke__a32_store_relaxed(&yoke__seat_record(seat)->looks,
                                (uint32_t)yoke__a64_load_relaxed(&yoke__seat_record(seat)->waits));
}

int yoke__deadlock_look(yoke_domain *domain, yoke__deadlock *deadlock)
{
    int64_t        now = yoke__backend()->system->now();
    yoke__deadlock found;

    if (now < deadlock->next)
        return YOKE_OK;
    if (deadlock->next == 0)
        begin(domain);
    bool first = deadlock->next == 0;
    deadlock->next = now + YOKE__SLICE;
    if (first)
        return YOKE_OK;
    if (!find_cycle(domain, &found)) {
        deadlock->count = deadlock->stands = 0;
        return YOKE_OK;
    }
    deadlock->stands = same(deadlock, &found) ? deadlock->stands + 1 : 0;
    deadlock->count = found.count;
    memcpy(deadlock->edges, found.edges, sizeof found.edges[0] * found.count);
    if (deadlock->stands >= STANDS_OTHERS || (deadlock->stands >= STANDS_LAST && is_last(&found)))
        return tell(domain, &found);
    return YOKE_OK;
}
