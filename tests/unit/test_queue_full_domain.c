/* A domain whose memory is used up by messages: each of them can still be got. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <yoke/yoke.h>

#include "support/child.h"
#include "support/leak.h"

#define BUDGET (UINT64_C(2) << 20)

static yoke_domain *small_domain(void)
{
    static int   count;
    yoke_domain *domain = NULL;
    char         name[64];

    (void)snprintf(name, sizeof name, "full-%d-%d", (int)getpid(), count++);
    assert_int_equal(yoke_domain_open(&domain, name, YOKE_OPTIONS(yoke_domain_options, .max_bytes = BUDGET)), YOKE_OK);
    return domain;
}

static yoke_queue *queue_in(yoke_domain *domain, bool joinable)
{
    yoke_queue *queue = NULL;

    assert_int_equal(
        yoke_queue_create(&queue, YOKE_OPTIONS(yoke_queue_options, .domain = domain, .joinable = joinable)), YOKE_OK);
    return queue;
}

/* Puts messages of sizes[i % 4] until the domain has no room even for an empty one; how many. */
static uint32_t fill(yoke_queue *queue, const size_t sizes[4])
{
    static const uint8_t bytes[8192];
    uint32_t             count = 0;
    int                  rc;

    while ((rc = yoke_queue_put(queue, bytes, sizes[count % 4], YOKE_NOWAIT)) == YOKE_OK)
        count++;
    assert_int_equal(rc, YOKE_ENOMEM);
    while ((rc = yoke_queue_put(queue, NULL, 0, YOKE_NOWAIT)) == YOKE_OK)
        count++;
    assert_int_equal(rc, YOKE_ENOMEM);
    return count;
}

static uint32_t get_all(yoke_queue *queue)
{
    uint8_t  bytes[8192];
    uint32_t count = 0;

    while (yoke_queue_get(queue, bytes, sizeof bytes, NULL, YOKE_NOWAIT) == YOKE_OK)
        count++;
    assert_int_equal(yoke_last_error()->code, YOKE_ETIMEDOUT);
    return count;
}

static void test_all_tasks_can_be_got_before_the_first_is_done(void **state)
{
    static const size_t sizes[][4] = {{64, 64, 64, 64}, {4000, 64, 0, 4080}, {8000, 100, 4080, 5000}};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        yoke_domain *domain = small_domain();
        yoke_queue  *queue = queue_in(domain, true);
        uint32_t     count = fill(queue, sizes[i]);
        assert_true(count > 100);
        assert_int_equal(get_all(queue), count);
        for (uint32_t n = 0; n < count; n++)
            assert_int_equal(yoke_queue_task_done(queue), YOKE_OK);
        assert_int_equal(yoke_queue_join(queue, YOKE_NOWAIT), YOKE_OK);
        yoke_queue_close(queue);
        yoke_domain_close(domain);
    }
}

static void test_all_tasks_can_be_peeked_and_come_back(void **state)
{
    static const size_t sizes[4] = {200, 4000, 16, 700};
    yoke_domain        *domain = small_domain();
    yoke_queue         *queue = queue_in(domain, true);
    uint32_t            count = fill(queue, sizes);
    yoke_view           view;

    (void)state;
    for (uint32_t n = 0; n < count; n++)
        assert_int_equal(yoke_queue_peek(queue, &view, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_return(queue, &view), YOKE_OK);
    assert_int_equal(yoke_queue_peek(queue, &view, YOKE_NOWAIT), YOKE_OK);
    yoke_queue_close(queue);
    yoke_domain_close(domain);
}

static uint32_t fill_with_variants(yoke_queue *queue)
{
    uint32_t count = 0;
    int      rc;

    while ((rc = yoke_queue_put_variant(queue, YOKE_ARGS((int)count, "text"), YOKE_NOWAIT)) == YOKE_OK)
        count++;
    assert_int_equal(rc, YOKE_ENOMEM);
    return count;
}

static void test_variants_can_be_got(void **state)
{
    (void)state;
    for (int joinable = 0; joinable < 2; joinable++) {
        yoke_domain  *domain = small_domain();
        yoke_queue   *queue = queue_in(domain, joinable);
        uint32_t      count = fill_with_variants(queue);
        yoke_variant *variant;
        for (uint32_t n = 0; n < count; n++) {
            assert_int_equal(yoke_queue_get_variant(queue, &variant, YOKE_NOWAIT), YOKE_OK);
            assert_true(yoke_variant_equals(variant, YOKE_ARGS((int)n, "text")));
            yoke_variant_free(variant);
        }
        yoke_queue_close(queue);
        yoke_domain_close(domain);
    }
}

static void test_messages_can_be_got_where_none_can_be_peeked(void **state)
{
    static const size_t sizes[4] = {4000, 4000, 4000, 4000};
    yoke_domain        *domain = small_domain();
    yoke_queue         *queue = queue_in(domain, false);
    uint32_t            count = fill(queue, sizes);
    yoke_view           view;
    uint32_t            got = 0;

    (void)state;
    if (yoke_queue_peek(queue, &view, YOKE_NOWAIT) == YOKE_OK) {
        assert_int_equal(yoke_queue_release(queue, &view), YOKE_OK);
        got = 1;
    }
    assert_int_equal(get_all(queue) + got, count);
    yoke_queue_close(queue);
    yoke_domain_close(domain);
}

/* ---- forks ----------------------------------------------------------------------------------------------------------- */

typedef struct twins {
    yoke_queue *queues[2];
    int         full[2], room[2]; /* pipes: the child has seen that it is full; there is room again */
} twins;

static int get_in_full_domain(void *user)
{
    const twins *both = (const twins *)user;
    uint8_t      bytes[8192];
    char         word = 0;

    for (int i = 0; i < 2; i++) { /* and is told so each time */
        CHILD_CHECK(yoke_queue_get(both->queues[0], bytes, sizeof bytes, NULL, YOKE_NOWAIT) == YOKE_ENOMEM);
        CHILD_CHECK(yoke_queue_size(both->queues[1]) == YOKE_ENOMEM);
    }
    CHILD_CHECK(write(both->full[1], &word, 1) == 1 && read(both->room[0], &word, 1) == 1);
    CHILD_CHECK(yoke_queue_size(both->queues[1]) == 1);
    CHILD_CHECK(yoke_queue_get(both->queues[0], bytes, sizeof bytes, NULL, YOKE_NOWAIT) == YOKE_OK);
    yoke_queue_close(both->queues[0]);
    CHILD_CHECK(yoke_queue_get(both->queues[1], bytes, sizeof bytes, NULL, YOKE_NOWAIT) == YOKE_OK);
    yoke_queue_close(both->queues[1]);
    return 0;
}

static void test_a_forked_child_holds_its_handles_once_there_is_room(void **state)
{
    static const size_t sizes[4] = {5000, 5000, 5000, 5000};
    yoke_domain        *domain = small_domain();
    twins               both = {{queue_in(domain, false), queue_in(domain, false)}, {-1, -1}, {-1, -1}};
    yoke_slot           slot;
    uint32_t            count;
    char                word = 0;
    pid_t               child;

    (void)state;
    assert_int_equal(pipe(both.full) | pipe(both.room), 0);
    assert_int_equal(yoke_queue_put_string(both.queues[1], "x", YOKE_NOWAIT), YOKE_OK);
    count = fill(both.queues[0], sizes);
    while (yoke_queue_reserve(both.queues[0], &slot, 16, YOKE_NOWAIT) == YOKE_OK)
        continue;
    child = child_start(get_in_full_domain, &both);
    close(both.full[1]); /* so that its end is seen */
    assert_int_equal(read(both.full[0], &word, 1), 1);
    for (int i = 0; i < 20; i++, count--) {
        uint8_t bytes[8192];
        assert_int_equal(yoke_queue_get(both.queues[0], bytes, sizeof bytes, NULL, YOKE_NOWAIT), YOKE_OK);
    }
    assert_int_equal(write(both.room[1], &word, 1), 1);
    assert_int_equal(child_join(child), 0);
    assert_int_equal(yoke_queue_size(both.queues[1]), 0);
    assert_int_equal(get_all(both.queues[0]), count - 1);
    close(both.full[0]);
    for (int i = 0; i < 2; i++) {
        close(both.room[i]);
        yoke_queue_close(both.queues[i]);
    }
    yoke_domain_close(domain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_tasks_can_be_got_before_the_first_is_done),
        cmocka_unit_test(test_all_tasks_can_be_peeked_and_come_back),
        cmocka_unit_test(test_variants_can_be_got),
        cmocka_unit_test(test_messages_can_be_got_where_none_can_be_peeked),
        cmocka_unit_test(test_a_forked_child_holds_its_handles_once_there_is_room),
    };
    return cmocka_run_group_tests_name("queue, full domain", tests, leak_setup, leak_teardown);
}
