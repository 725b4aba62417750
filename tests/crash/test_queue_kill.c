/*
 * A producer or a consumer is killed at every instruction of put and get: with a message in the ring, at its end, in a
 * new ring, outside the rings. The survivor then finds each message once and whole, or knows that the dead had it whole;
 * everything the dead owned is back, and the queue goes on.
 */
#include "core/domain/allocator.h"
#include "core/domain/participant.h"
#include "core/queue/layout.h"
#include "harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>
#include <yoke/yoke.h>

#define LARGE 20000u

/* What the victim leaves for the survivor to look at: its buffer. */
typedef struct witness {
    uint32_t bytes[LARGE / 4];
} witness;

typedef struct fixture {
    yoke_domain *domain;
    yoke_queue  *queue;
    uint32_t     before;       /* messages in the queue when the victim enters: numbered 1, 2, ... */
    uint32_t     size;         /* bytes of each message, a multiple of 4 */
    uint32_t     filler;       /* messages that went through the queue before, to move the ring's position */
    bool         putting;      /* the victim puts number before + 1; otherwise it gets number 1 */
    uint64_t     token_blocks; /* the survivor's own */
    witness     *seen;         /* shared with the victim */
} fixture;

static fixture now;

static void make_message(uint32_t *words, uint32_t number, uint32_t size)
{
    for (uint32_t i = 0; i < size / 4; i++)
        words[i] = number * 0x01000193u + i;
}

static bool is_message(const uint32_t *words, uint32_t number, uint32_t size)
{
    for (uint32_t i = 0; i < size / 4; i++)
        if (words[i] != number * 0x01000193u + i)
            return false;
    return true;
}

static uint32_t outgoing[LARGE / 4];

static int put_number(fixture *f, uint32_t number)
{
    make_message(outgoing, number, f->size);
    return yoke_queue_put(f->queue, outgoing, f->size, YOKE_NOWAIT);
}

/* The number of the next message, 0 if there is none, UINT32_MAX if it is damaged. */
static uint32_t get_number(fixture *f, int64_t timeout)
{
    static uint32_t words[LARGE / 4];
    size_t          size;
    int             rc = yoke_queue_get(f->queue, words, sizeof words, &size, timeout);

    if (rc == YOKE_ETIMEDOUT)
        return 0;
    if (rc != YOKE_OK || size != f->size)
        return UINT32_MAX;
    for (uint32_t number = 1; number <= f->before + 2; number++)
        if (is_message(words, number, f->size))
            return number;
    return UINT32_MAX;
}

static void set_up(void *context)
{
    fixture          *f = context;
    char              name[64];
    yoke__alloc_stats stats;

    snprintf(name, sizeof name, "queue-kill-%ld", (long)getpid());
    assert_int_equal(yoke_domain_open(&f->domain, name, NULL), YOKE_OK);
    crash_hide(f->domain);
    assert_int_equal(yoke_queue_create(&f->queue, YOKE_OPTIONS(yoke_queue_options, .domain = f->domain)), YOKE_OK);
    yoke_queue_close(f->queue); /* what the survivor keeps for itself is made by now */
    assert_int_equal(yoke__alloc_check(f->domain, &stats), YOKE_OK);
    f->token_blocks = stats.token_blocks;
    assert_int_equal(yoke_queue_create(&f->queue, YOKE_OPTIONS(yoke_queue_options, .domain = f->domain)), YOKE_OK);
    for (uint32_t i = 0; i < f->filler; i++) {
        assert_int_equal(put_number(f, 1), YOKE_OK);
        assert_int_equal(get_number(f, YOKE_NOWAIT), 1);
    }
    for (uint32_t i = 1; i <= f->before; i++)
        assert_int_equal(put_number(f, i), YOKE_OK);
    memset(f->seen, 0, sizeof *f->seen);
}

static void tear_down(void *context)
{
    fixture *f = context;

    yoke_queue_close(f->queue);
    yoke_domain_close(f->domain);
}

static void enter(void *context)
{
    fixture *f = context;

    if (yoke_queue_size(f->queue) != f->before) /* joins, and renews the reference */
        abort();
    make_message(outgoing, f->before + 1, f->size);
}

static void operation_put(void *context)
{
    fixture *f = context;

    (void)!yoke_queue_put(f->queue, outgoing, f->size, YOKE_NOWAIT);
}

static void operation_get(void *context)
{
    fixture *f = context;

    (void)!yoke_queue_get(f->queue, f->seen->bytes, sizeof f->seen->bytes, NULL, YOKE_NOWAIT);
}

static void recover(void *context)
{
    fixture *f = context;

    (void)yoke__domain_recover(f->domain);
}

static const char *complain(const char *what, uint32_t number)
{
    static char text[128];

    snprintf(text, sizeof text, "%s (message %u)", what, number);
    return text;
}

/* Takes everything; each number once, in order but for one redelivered. */
static const char *drain(fixture *f)
{
    uint32_t most = f->before + (f->putting ? 1 : 0);
    uint32_t times[64] = {0};
    uint32_t number;

    while ((number = get_number(f, YOKE_NOWAIT)) != 0) {
        if (number == UINT32_MAX || number > most)
            return complain("a message is damaged or was never put", number);
        if (times[number]++)
            return complain("a message came twice", number);
    }
    for (number = 1; number <= f->before; number++) {
        bool taken = !f->putting && number == 1 && is_message(f->seen->bytes, 1, f->size);
        if (!times[number] && !taken)
            return complain("a message is lost", number);
    }
    return NULL;
}

static const char *verify(void *context)
{
    fixture          *f = context;
    yoke__alloc_stats stats;
    const char       *wrong;

    recover(context);
    if (yoke__alloc_check(f->domain, &stats) < 0)
        return "the heap is out of order";
    wrong = drain(f);
    if (wrong)
        return wrong;
    for (uint32_t i = 1; i <= 3; i++) /* the queue goes on */
        if (put_number(f, 1) != YOKE_OK || get_number(f, 1000) != 1)
            return "the survivor can't put and get";
    if (yoke_queue_size(f->queue) != 0)
        return "an empty queue says it isn't";
    yoke_queue_close(f->queue);
    f->queue = NULL;
    if (yoke__alloc_check(f->domain, &stats) < 0 || stats.token_blocks > f->token_blocks)
        return "blocks of the queue are left after its end";
    return NULL;
}

static void run(const char *name, bool putting, uint32_t size, uint32_t filler, uint32_t before)
{
    crash_result result;
    crash_case   test = {.name = name,
                         .set_up = set_up,
                         .enter = enter,
                         .verify = verify,
                         .tear_down = tear_down,
                         .context = &now,
                         .stride = 3};

    now.putting = putting;
    now.size = size;
    now.filler = filler;
    now.before = before;
    test.operation = putting ? operation_put : operation_get;
    assert_true(crash_run(&test, &result));
    if (result.faults)
        fail_msg("%s", result.first);
    assert_true(result.points > 20);

    test.recover = recover;
    test.stride = 307;
    test.second_stride = 19997;
    assert_true(crash_run(&test, &result));
    if (result.faults)
        fail_msg("%s", result.first);
}

static void test_a_producer_of_a_small_message(void **state)
{
    (void)state;
    run("put, small", true, 64, 0, 2);
}

static void test_a_producer_whose_record_wraps(void **state)
{
    (void)state;
    run("put, wrapping", true, 1000, 15, 2);
}

static void test_a_producer_that_links_a_larger_ring(void **state)
{
    (void)state;
    run("put, growth", true, 4000, 0, 4);
}

static void test_a_producer_of_a_large_message(void **state)
{
    (void)state;
    run("put, out of line", true, LARGE, 0, 2);
}

static void test_a_consumer_of_a_small_message(void **state)
{
    (void)state;
    run("get, small", false, 64, 0, 3);
}

static void test_a_consumer_whose_record_is_behind_padding(void **state)
{
    (void)state;
    run("get, wrapping", false, 1000, 16, 3);
}

static void test_a_consumer_that_drains_a_ring(void **state)
{
    (void)state;
    run("get, next ring", false, 4000, 3, 5);
}

static void test_a_consumer_of_a_large_message(void **state)
{
    (void)state;
    run("get, out of line", false, LARGE, 0, 3);
}

static int make_shared(void **state)
{
    (void)state;
    now.seen = mmap(NULL, sizeof *now.seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return now.seen == MAP_FAILED ? -1 : 0;
}

int main(void)
{
    if (!crash_supported()) {
        puts("crash: this system doesn't let a process trace its children: skipped");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_producer_of_a_small_message),
        cmocka_unit_test(test_a_producer_whose_record_wraps),
        cmocka_unit_test(test_a_producer_that_links_a_larger_ring),
        cmocka_unit_test(test_a_producer_of_a_large_message),
        cmocka_unit_test(test_a_consumer_of_a_small_message),
        cmocka_unit_test(test_a_consumer_whose_record_is_behind_padding),
        cmocka_unit_test(test_a_consumer_that_drains_a_ring),
        cmocka_unit_test(test_a_consumer_of_a_large_message),
    };
    return cmocka_run_group_tests_name("queue, killed", tests, make_shared, NULL);
}
