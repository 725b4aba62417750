#include "queue_fixture.h"

#include "core/domain/allocator.h"
#include "core/domain/participant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

queue_fixture queue_now;

static uint64_t faults_found; /* of all cases */
static bool     only_once;    /* no second kills */

/* ---- messages ---------------------------------------------------------------------------------------------------- */

uint32_t queue_size_of(const queue_case *test, uint32_t number)
{
    uint32_t size = test->sizes[number % 4];

    return size ? size : test->sizes[0];
}

static uint32_t word_of(uint32_t number, uint32_t i)
{
    return number * 0x01000193u + i;
}

void queue_write(const queue_case *test, void *bytes, uint32_t number)
{
    for (uint32_t i = 0; i < queue_size_of(test, number) / 4; i++) {
        uint32_t word = word_of(number, i);
        memcpy((uint8_t *)bytes + (size_t)i * 4, &word, sizeof word);
    }
}

bool queue_is(const queue_case *test, const void *bytes, uint32_t number)
{
    for (uint32_t i = 0; i < queue_size_of(test, number) / 4; i++) {
        uint32_t word = word_of(number, i);
        if (memcmp((const uint8_t *)bytes + (size_t)i * 4, &word, sizeof word) != 0)
            return false;
    }
    return true;
}

int queue_put_number(queue_fixture *now, uint32_t number)
{
    static uint8_t bytes[QUEUE_LARGE];

    queue_write(now->test, bytes, number);
    return yoke_queue_put(now->queue, bytes, queue_size_of(now->test, number), YOKE_NOWAIT);
}

const char *queue_complain(const char *what, uint32_t number)
{
    static char text[128];

    snprintf(text, sizeof text, "%s (message %u)", what, number);
    return text;
}

/* ---- a fresh state ----------------------------------------------------------------------------------------------- */

static void must(int code, const char *what)
{
    if (code < 0) {
        fprintf(stderr, "crash: %s: %s: %s\n", what, yoke_error_name(code), yoke_last_error()->text);
        abort();
    }
}

uint64_t queue_blocks(const yoke_domain *domain)
{
    yoke__alloc_stats stats;

    if (yoke__alloc_check((yoke_domain *)(uintptr_t)domain, &stats) < 0)
        return UINT64_MAX;
    return stats.token_blocks + stats.object_blocks;
}

static void make_queue(queue_fixture *now)
{
    const queue_case *test = now->test;

    must(yoke_queue_create(&now->queue,
                           YOKE_OPTIONS(yoke_queue_options, .domain = now->domain, .joinable = test->joinable,
                                        .max_items = test->max_items, .max_bytes = test->max_bytes)),
         "making a queue");
}

void queue_take_filler(queue_fixture *now)
{
    static uint8_t bytes[QUEUE_LARGE];

    must(yoke_queue_get(now->queue, bytes, sizeof bytes, NULL, YOKE_NOWAIT), "taking filler");
    if (now->test->joinable)
        must(yoke_queue_task_done(now->queue), "filler done");
}

void queue_set_up(void *context)
{
    queue_fixture *now = context;
    char           name[64];

    snprintf(name, sizeof name, "queue-kill-%ld", (long)getpid());
    must(yoke_domain_open(&now->domain, name, NULL), "opening a domain");
    crash_hide(now->domain);
    make_queue(now);
    yoke_queue_close(now->queue); /* what the survivor keeps for itself is made by now */
    now->blocks = queue_blocks(now->domain);
    make_queue(now);
    for (uint32_t i = 0; i < now->test->filler; i++) {
        must(queue_put_number(now, 1), "putting filler");
        queue_take_filler(now);
    }
    for (uint32_t i = 1; i <= now->test->before; i++)
        must(queue_put_number(now, i), "putting what stands before");
    if (now->test->arrange)
        now->test->arrange(now);
    memset(now->seen, 0, sizeof *now->seen);
}

void queue_tear_down(void *context)
{
    queue_fixture *now = context;

    yoke_queue_close(now->queue);
    yoke_domain_close(now->domain);
}

void queue_recover(void *context)
{
    (void)yoke__domain_recover(((queue_fixture *)context)->domain);
}

/* ---- running ----------------------------------------------------------------------------------------------------- */

static void enter(void *context)
{
    queue_fixture *now = context;

    if (yoke_queue_size(now->queue) != now->test->before) /* joins, and renews the reference */
        abort();
    if (now->test->enter)
        now->test->enter(now);
}

static void operation(void *context)
{
    queue_fixture *now = context;

    now->test->operation(now);
    now->seen->ended = true;
}

static void run_case(const crash_case *test, queue_runner *run, bool mutant)
{
    crash_result result;

    if (mutant && faults_found)
        return;
    if (!run(test, &result) && !mutant)
        fail_msg("%s", result.first);
    faults_found += result.faults;
    if (mutant && result.faults)
        printf("found: %s\n", result.first);
    if (!mutant && result.faults)
        fail_msg("%s", result.first);
}

void queue_crash_case_(crash_case test, queue_runner *run, bool points, bool mutant)
{
    test.context = &queue_now;
    test.expect_fault = mutant;
    test.stride = points ? 1 : test.stride ? test.stride : 3;
    test.part = 5;
    run_case(&test, run, mutant);
    /* A recovery has a hundred thousand instructions, but some hundred stores: those are what is tried. */
    if (only_once || (!points && !getenv("YOKE_CRASH_FULL")))
        return;
    test.recover = queue_recover;
    test.stride = points ? 1 : test.stride;
    test.second_stride = points ? 23 : 19997;
    test.part = 8;
    run_case(&test, run, mutant);
}

void queue_crash_(const queue_case *test, queue_runner *run, bool points, bool mutant)
{
    queue_now.test = test;
    queue_crash_case_((crash_case){.name = test->name,
                                   .set_up = queue_set_up,
                                   .enter = enter,
                                   .operation = operation,
                                   .verify = queue_verify,
                                   .tear_down = queue_tear_down,
                                   .stride = test->stride},
                      run, points, mutant);
}

int queue_crash_main_(const char *name, const struct CMUnitTest *tests, size_t count, bool mutant)
{
    int failed;

    if (!crash_supported()) {
        puts("crash: this system doesn't let a process trace its children: skipped");
        return 77;
    }
    queue_now.seen = mmap(NULL, sizeof *queue_now.seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (queue_now.seen == MAP_FAILED)
        return 1;
    only_once = mutant;
    failed = _cmocka_run_group_tests(name, tests, count, NULL, NULL);
    only_once = false;
    if (mutant && !faults_found) /* it may take two deaths */
        (void)_cmocka_run_group_tests(name, tests, count, NULL, NULL);
    if (mutant)
        printf("%llu faults were found, and one was planted\n", (unsigned long long)faults_found);
    return mutant ? faults_found == 0 : failed;
}
