/*
 * Producers and consumers, 1 to 16 of each, messages of all sizes, all killed at random moments and replaced: every
 * message that a put had answered for is accounted for: it came to a consumer that lived, or to one that died having it.
 *
 * A producer writes down what it is about to put, and then that it was put; a consumer peeks, writes down what it has,
 * and then releases. So each message is seen at least once, and more often only flagged as redelivered, or by a death
 * between writing down and releasing.
 *
 * YOKE_STRESS_SECONDS: how long in all; 6 unless set. The seed is printed; YOKE_STRESS_SEED sets it.
 */
#include "core/domain/allocator.h"
#include "core/domain/object.h"
#include "core/domain/participant.h"
#include "crash/harness.h"
#include "support/child.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <yoke/yoke.h>

#define SIDE_MOST 16u
#define LARGE     100000u
#define NUMBERS   (1u << 20) /* messages of one producer's place, over all its lives */

/* A message: who put it, its number, and a pattern that tells whether it is whole. */
typedef struct message {
    uint32_t place;
    uint32_t number;
    uint32_t words[];
} message;

/* Shared with all children. begun and put are written by the producer of that place, one life after the other. */
typedef struct tally {
    yoke__a32 begun[SIDE_MOST];
    yoke__a32 stop;
    yoke__a32 faults;
    yoke__a64 redelivered;
    uint8_t   put[SIDE_MOST][NUMBERS];
    yoke__a32 seen[SIDE_MOST][NUMBERS]; /* times */
} tally;

static tally      *count;
static yoke_queue *queue;
static uint64_t    seed;

static uint32_t random_below(uint32_t limit)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33) % limit;
}

static uint32_t size_of(uint32_t place, uint32_t number)
{
    uint32_t mix = (place * 7919u + number) * 2654435761u >> 8;

    if (mix % 64 == 0)
        return 8 + mix / 64 % (LARGE / 4) * 4;
    return 8 + mix / 64 % (mix % 8 == 0 ? 1500u : 30u) * 4;
}

/* ---- children ---------------------------------------------------------------------------------------------------- */

static int produce(void *user)
{
    static union {
        message  m;
        uint32_t words[LARGE / 4 + 8];
    } out;
    uint32_t place = *(const uint32_t *)user;

    for (uint32_t number; (number = yoke__a32_load_relaxed(&count->begun[place])) < NUMBERS;) {
        uint32_t size = size_of(place, number);
        int      rc;
        if (yoke__a32_load_relaxed(&count->stop))
            return 0;
        yoke__a32_store_release(&count->begun[place], number + 1); /* a number is used once, whoever dies */
        out.m.place = place;
        out.m.number = number;
        for (uint32_t i = 0; i < size / 4 - 2; i++)
            out.m.words[i] = number * 31u + place + i;
        do
            rc = yoke_queue_put(queue, &out, size, 200);
        while (rc == YOKE_ETIMEDOUT && !yoke__a32_load_relaxed(&count->stop));
        if (rc == YOKE_OK)
            count->put[place][number] = 1;
        else if (rc != YOKE_ETIMEDOUT)
            return 1;
    }
    return 0;
}

static bool is_whole(const message *in, size_t size)
{
    if (size < 8 || in->place >= SIDE_MOST || in->number >= NUMBERS || size != size_of(in->place, in->number))
        return false;
    for (uint32_t i = 0; i < size / 4 - 2; i++)
        if (in->words[i] != in->number * 31u + in->place + i)
            return false;
    return true;
}

static void note(const yoke_view *view)
{
    const message *in = view->data;

    if (!is_whole(in, view->size)) {
        yoke__a32_add_acq_rel(&count->faults, 1);
        return;
    }
    if (yoke__a32_add_acq_rel(&count->seen[in->place][in->number], 1) > 0 && !view->redelivered)
        yoke__a32_add_acq_rel(&count->faults, 1);
    if (view->redelivered)
        yoke__a64_add_acq_rel(&count->redelivered, 1);
}

static int consume(void *user)
{
    (void)user;
    for (;;) {
        yoke_view view;
        int       rc = yoke_queue_peek(queue, &view, 200);
        if (rc == YOKE_ETIMEDOUT && yoke__a32_load_relaxed(&count->stop))
            return 0;
        if (rc == YOKE_ETIMEDOUT)
            continue;
        if (rc != YOKE_OK)
            return 1;
        note(&view);
        if (yoke_queue_release(queue, &view) != YOKE_OK)
            return 1;
    }
}

/* ---- the parent -------------------------------------------------------------------------------------------------- */

typedef struct crew {
    pid_t    producers[SIDE_MOST], consumers[SIDE_MOST];
    uint32_t places[SIDE_MOST];
    uint32_t producing, consuming;
} crew;

static void start(crew *c, uint32_t which)
{
    if (which < c->producing) {
        c->places[which] = which;
        c->producers[which] = child_start(produce, &c->places[which]);
    } else {
        c->consumers[which - c->producing] = child_start(consume, NULL);
    }
}

static pid_t pid_of(const crew *c, uint32_t which)
{
    return which < c->producing ? c->producers[which] : c->consumers[which - c->producing];
}

static uint32_t kill_at_random(crew *c, long long end)
{
    uint32_t kills = 0;

    while (milliseconds() < end) {
        struct timespec pause = {.tv_nsec = (long)random_below(3000000)};
        uint32_t        which = random_below(c->producing + c->consuming);
        nanosleep(&pause, NULL);
        child_kill(pid_of(c, which));
        start(c, which);
        kills++;
    }
    return kills;
}

/* Producers first; the consumers then see to it that nothing is left. */
static void let_end(crew *c)
{
    yoke__a32_store_release(&count->stop, 1);
    for (uint32_t i = 0; i < c->producing + c->consuming; i++)
        assert_int_equal(child_join(pid_of(c, i)), 0);
}

static bool count_block(void *user, void *payload, uint64_t size)
{
    (void)payload;
    (void)size;
    ++*(uint64_t *)user;
    return true;
}

static void check_all(const crew *c, yoke_domain *domain)
{
    const yoke__handle *handle = (const yoke__handle *)queue;
    yoke__alloc_stats   stats;
    uint64_t            blocks = 0;

    (void)yoke__domain_recover(domain);
    (void)consume(NULL); /* what came back last */
    assert_int_equal(yoke_queue_size(queue), 0);
    assert_int_equal(yoke__a32_load_relaxed(&count->faults), 0);
    for (uint32_t place = 0; place < c->producing; place++)
        for (uint32_t i = 0; i < yoke__a32_load_relaxed(&count->begun[place]); i++)
            if (count->put[place][i] && yoke__a32_load_relaxed(&count->seen[place][i]) == 0)
                fail_msg("message %u of producer %u was put, and never came", i, place);
    assert_int_equal(yoke__alloc_check(domain, &stats), YOKE_OK);
    yoke__alloc_each(domain, handle->id, count_block, &blocks);
    assert_in_range(blocks, 1, 3); /* itself, a ring, a spare one */
}

static void stress(uint32_t producing, uint32_t consuming, size_t max_items, long long duration)
{
    crew                  c = {.producing = producing, .consuming = consuming};
    yoke_domain          *domain;
    yoke_queue_statistics is = {.struct_size = sizeof is};
    uint32_t              kills;
    char                  name[64];

    count = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_ptr_not_equal(count, MAP_FAILED);
    snprintf(name, sizeof name, "queue-stress-%ld", (long)getpid());
    assert_int_equal(yoke_domain_open(&domain, name, NULL), YOKE_OK);
    crash_hide(domain);
    assert_int_equal(
        yoke_queue_create(&queue, YOKE_OPTIONS(yoke_queue_options, .domain = domain, .max_items = max_items)), YOKE_OK);
    for (uint32_t i = 0; i < producing + consuming; i++)
        start(&c, i);
    kills = kill_at_random(&c, milliseconds() + duration);
    let_end(&c);
    check_all(&c, domain);
    assert_int_equal(yoke_queue_stats(queue, &is), YOKE_OK);
    printf("stress: %2u to %2u, %u kills, %llu messages, %llu redelivered\n", producing, consuming, kills,
           (unsigned long long)is.puts, (unsigned long long)yoke__a64_load_relaxed(&count->redelivered));
    yoke_queue_close(queue);
    yoke_domain_close(domain);
    assert_int_equal(munmap(count, sizeof *count), 0);
}

static long long part(int parts)
{
    const char *text = getenv("YOKE_STRESS_SECONDS");
    double      all = text && *text ? strtod(text, NULL) : 6;

    return (long long)(all * 1000 / parts);
}

static void every_message_is_accounted_for(void **state)
{
    (void)state;
    stress(1, 1, 1000, part(6));
    stress(2, 2, 1000, part(6));
    stress(4, 1, 50, part(6));
    stress(1, 4, 1000, part(6));
    stress(16, 16, 1000, part(6));
    stress(1 + random_below(16), 1 + random_below(16), 1 + random_below(300), part(6));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_message_is_accounted_for)};
    const char             *text = getenv("YOKE_STRESS_SEED");

    seed = text && *text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);
    printf("stress: seed %llu\n", (unsigned long long)seed);
    return cmocka_run_group_tests_name("queue, killed at random", tests, NULL, NULL);
}
