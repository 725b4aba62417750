#include "deadlock.h"

#include "../backend.h"
#include "../domain/make.h"
#include "../domain/participant.h"
#include "../error.h"
#include "../wait/seat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How many looks a cycle must have stood, after the first: for who came last, and for the others, should that one be
 * stopped. Who hears of it ends its wait, so the others see the cycle gone. */
#define STANDS_LAST   1u
#define STANDS_OTHERS 8u

/* ---- the cycle ---------------------------------------------------------------------------------------------------- */

/* Which threads the walk back has come to, and by which link from which. */
typedef struct trail {
    uint32_t *from, *by;
    uint32_t *queue;
    uint32_t  count;
} trail;

/* The way that led to a thread becomes the way on. */
static void keep_way(const yoke__waits *w, const trail *t, uint32_t last, uint32_t link)
{
    w->threads[last].next = link;
    while (last != 0) {
        w->threads[t->from[last]].next = t->by[last];
        last = t->from[last];
    }
}

/* The shortest way from the first thread back to it, through those that are stuck: as next of each. */
static bool follow(const yoke__waits *w, trail *t)
{
    t->queue[t->count++] = 0;
    for (uint32_t i = 0; i < t->count; i++) {
        uint32_t             at = t->queue[i];
        const yoke__waiting *thread = &w->threads[at];
        for (uint32_t link = thread->links; link < thread->links + thread->count; link++) {
            uint32_t to = w->links[link].to;
            if (to == 0) {
                keep_way(w, t, at, link);
                return true;
            }
            if (to == YOKE__NOBODY || !w->threads[to].stuck || t->from[to] != YOKE__NOBODY)
                continue;
            t->from[to] = at;
            t->by[to] = link;
            t->queue[t->count++] = to;
        }
    }
    return false;
}

static bool find_cycle(const yoke__waits *w)
{
    uint32_t *room = w->threads[0].stuck ? malloc(3 * (size_t)w->count * sizeof *room) : NULL;

    if (!room)
        return false;
    trail t = {.from = room, .by = room + w->count, .queue = room + 2 * (size_t)w->count};
    memset(t.from, 0xff, w->count * sizeof *t.from);
    bool found = follow(w, &t);
    free(room);
    return found;
}

static uint32_t next_of(const yoke__waits *w, uint32_t index)
{
    return w->links[w->threads[index].next].to;
}

/* ---- two looks ----------------------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t sum, uint64_t word)
{
    sum = (sum ^ word) * UINT64_C(0xff51afd7ed558ccd);
    sum = (sum ^ sum >> 32) * UINT64_C(0xc4ceb9fe1a85ec53);
    return sum ^ sum >> 29;
}

/* A thread's wait, and the acquisition that it waits for to end. */
static void add_edge(uint64_t digest[2], const yoke__waiting *thread, const yoke__waits_link *link)
{
    for (unsigned i = 0; i < 2; i++) {
        uint64_t sum = mix(UINT64_C(0x9e3779b97f4a7c15) + i, yoke__domain_header(thread->domain)->id);
        sum = mix(mix(mix(sum, thread->thread), thread->object), thread->wait);
        digest[i] += mix(mix(sum, link->to), link->acquisition);
    }
}

/*
 * Of those edges that keep the cycle from ever ending: one of each thread in it, and all of those that wait for any one of
 * several, so on of those that these lead to. A sum, so that the order does not matter. Marks threads by stuck, which is of
 * no use any more.
 */
static void digest_from(yoke__waits *w, uint32_t index, uint64_t digest[2], uint32_t *pending, uint32_t *count)
{
    yoke__waiting *thread = &w->threads[index];

    for (uint32_t link = thread->links; link < thread->links + thread->count; link++) {
        uint32_t to = w->links[link].to;
        bool     counts = thread->any || link == thread->next;
        if (!counts)
            continue;
        yoke__waits_link edge = {.to = (uint32_t)w->threads[to].thread, .acquisition = w->links[link].acquisition};
        add_edge(digest, thread, &edge);
        if (w->threads[to].stuck) {
            w->threads[to].stuck = false;
            pending[(*count)++] = to;
        }
    }
}

/* Who is not in the cycle, and reached as one of several: any link of its to one that is stuck. */
static void choose_next(yoke__waits *w)
{
    for (uint32_t i = 0; i < w->count; i++) {
        yoke__waiting *thread = &w->threads[i];
        for (uint32_t link = thread->links; thread->next == YOKE__NOBODY && link < thread->links + thread->count;
             link++)
            if (w->links[link].to != YOKE__NOBODY && w->threads[w->links[link].to].stuck)
                thread->next = link;
    }
}

static bool make_digest(yoke__waits *w, uint64_t digest[2])
{
    uint32_t *pending = malloc((size_t)w->count * sizeof *pending);
    uint32_t  count = 0;

    if (!pending)
        return false;
    choose_next(w);
    digest[0] = digest[1] = 1;
    w->threads[0].stuck = false;
    pending[count++] = 0;
    for (uint32_t i = 0; i < count; i++)
        digest_from(w, pending[i], digest, pending, &count);
    free(pending);
    return true;
}

/* Of those who look, one is to hear of it: who began to wait last. All who look agree on that. */
static bool is_last(const yoke__waits *w)
{
    const yoke__waiting *last = &w->threads[0];

    for (uint32_t i = next_of(w, 0); i != 0; i = next_of(w, i)) {
        const yoke__waiting *thread = &w->threads[i];
        if (thread->looks &&
            (thread->since > last->since || (thread->since == last->since && thread->thread > last->thread)))
            last = thread;
    }
    return last == &w->threads[0];
}

/* ---- in words ------------------------------------------------------------------------------------------------------- */

const char *yoke__thread_describe(yoke_domain *domain, uint64_t thread, char *buffer, size_t size)
{
    yoke__obituary who;

    yoke__token_describe(domain, (yoke__token)(thread >> 32), &who);
    (void)snprintf(buffer, size, "%s (pid %lld, thread %lu)", who.name[0] ? who.name : "a process", (long long)who.pid,
                   (unsigned long)(uint32_t)thread);
    return buffer;
}

#define CHAIN_SIZE 400u /* of the text; what follows has to fit into an error's too */

static const char *domain_name(const yoke_domain *domain, const yoke_domain *of, char *buffer, size_t size)
{
    buffer[0] = '\0';
    if (domain != of)
        (void)snprintf(buffer, size, domain->named ? " of domain '%s'" : " of the default domain%s", domain->name);
    return buffer;
}

/* One thread's part of the chain; its length. */
static size_t describe_wait(const yoke__waits *w, uint32_t index, char *text, size_t size)
{
    const yoke__waiting *thread = &w->threads[index], *next = &w->threads[next_of(w, index)];
    char                 what[128], who[YOKE__NAME_SIZE + 64], where[YOKE__NAME_SIZE + 32];

    int n = snprintf(text, size, "%s waits for %s%s, held by %s", index ? ", which" : "",
                     yoke__object_describe(thread->domain, thread->object, what, sizeof what),
                     domain_name(thread->domain, w->threads[0].domain, where, sizeof where),
                     yoke__thread_describe(next->domain, next->thread, who, sizeof who));
    return n > 0 ? (size_t)n : 0;
}

static int tell(const yoke__waits *w)
{
    char     text[CHAIN_SIZE + 1], part[CHAIN_SIZE], more[64] = "";
    uint32_t count = 0, index = 0;

    (void)yoke__thread_describe(w->threads[0].domain, w->threads[0].thread, text, sizeof text);
    for (size_t used = strlen(text); count == 0 || index != 0; index = next_of(w, index), count++) {
        size_t length = describe_wait(w, index, part, sizeof part);
        if (used + length <= CHAIN_SIZE)
            memcpy(text + used, part, length + 1);
        used += length; /* and none after one that had no room */
    }
    if (strlen(text) + 1 < sizeof text && count > 4)
        (void)snprintf(more, sizeof more, " and so on, %lu threads in all", (unsigned long)count);
    return yoke__fail(YOKE_EDEADLK, "deadlock: %s%s", text, more);
}

/* ---- looking ---------------------------------------------------------------------------------------------------------- */

/* From now on others know that this thread looks. */
static void begin(yoke_domain *domain)
{
    yoke__seat *seat = yoke__seat_mine(domain);

    if (seat)
        yoke__a32_store_relaxed(&yoke__seat_record(seat)->looks,
                                (uint32_t)yoke__a64_load_relaxed(&yoke__seat_record(seat)->waits));
}

static int judge(yoke__deadlock *deadlock, yoke__waits *w)
{
    uint64_t digest[2] = {0, 0};

    if (find_cycle(w) && !make_digest(w, digest))
        digest[0] = digest[1] = 0;
    bool same = digest[0] != 0 && memcmp(digest, deadlock->digest, sizeof digest) == 0;
    deadlock->stands = same ? deadlock->stands + 1 : 0;
    memcpy(deadlock->digest, digest, sizeof digest);
    if (deadlock->stands >= STANDS_OTHERS || (deadlock->stands >= STANDS_LAST && is_last(w)))
        return tell(w);
    return YOKE_OK;
}

/* With the list of domains locked, so that none is closed meanwhile. */
static int look(yoke_domain *domain, yoke__deadlock *deadlock)
{
    yoke__waits waits;
    int         result = YOKE_OK;

    yoke__domains_lock();
    if (yoke__waits_look(&waits, domain))
        result = judge(deadlock, &waits);
    else
        *deadlock = (yoke__deadlock){.next = deadlock->next};
    yoke__domains_unlock();
    yoke__waits_free(&waits);
    return result;
}

int yoke__deadlock_look(yoke_domain *domain, yoke__deadlock *deadlock)
{
    int64_t now = yoke__backend()->system->now();

    if (now < deadlock->next)
        return YOKE_OK;
    bool first = deadlock->next == 0;
    deadlock->next = now + YOKE__SLICE;
    if (first)
        begin(domain);
    return first ? YOKE_OK : look(domain, deadlock);
}
