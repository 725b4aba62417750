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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_tasks_can_be_got_before_the_first_is_done),
        cmocka_unit_test(test_all_tasks_can_be_peeked_and_come_back),
        cmocka_unit_test(test_variants_can_be_got),
        cmocka_unit_test(test_messages_can_be_got_where_none_can_be_peeked),
    };
    return cmocka_run_group_tests_name("queue, full domain", tests, leak_setup, leak_teardown);
}
