/* The plain subset of a queue. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <string.h>

#include <yoke/yoke.h>

#include "support/leak.h"
#include "support/queues.h"

static yoke_queue *new_simple_queue(void)
{
    yoke_queue *queue = NULL;

    assert_int_equal(yoke_simple_queue_create(&queue), YOKE_OK);
    return queue;
}

static void test_what_is_put_is_got_in_order(void **state)
{
    yoke_queue   *queue = new_simple_queue();
    yoke_variant *variant;
    char          text[8];
    uint32_t      number = 0;
    size_t        size = 0;

    (void)state;
    assert_true(yoke_simple_queue_empty(queue));
    assert_int_equal(yoke_simple_queue_put_string(queue, "one"), YOKE_OK);
    assert_int_equal(yoke_simple_queue_put(queue, &(uint32_t){2}, sizeof number), YOKE_OK);
    assert_int_equal(yoke_simple_queue_put_variant(queue, YOKE_ARGS(3, "three")), YOKE_OK);
    assert_false(yoke_simple_queue_empty(queue));
    assert_int_equal(yoke_simple_queue_get_string(queue, text, sizeof text), YOKE_OK);
    assert_string_equal(text, "one");
    assert_int_equal(yoke_simple_queue_get(queue, &number, sizeof number, &size), YOKE_OK);
    assert_int_equal(number, 2);
    assert_int_equal(size, sizeof number);
    assert_int_equal(yoke_simple_queue_get_variant(queue, &variant), YOKE_OK);
    assert_true(yoke_variant_equals(variant, YOKE_ARGS(3, "three")));
    yoke_variant_free(variant);
    assert_true(yoke_simple_queue_empty(queue));
    yoke_simple_queue_close(queue);
}

static void test_a_hundred_thousand_puts_never_wait(void **state)
{
    yoke_queue *queue = new_simple_queue();

    (void)state;
    for (uint32_t i = 0; i < 100000; i++)
        assert_int_equal(yoke_simple_queue_put(queue, &i, sizeof i), YOKE_OK);
    for (uint32_t i = 0, got = 0; i < 100000; i++) {
        assert_int_equal(yoke_simple_queue_get(queue, &got, sizeof got, NULL), YOKE_OK);
        assert_int_equal(got, i);
    }
    yoke_simple_queue_close(queue);
}

static void test_a_message_that_does_not_fit_stays(void **state)
{
    yoke_queue *queue = new_simple_queue();
    char        text[8];
    size_t      size = 0;

    (void)state;
    assert_int_equal(yoke_simple_queue_put_string(queue, "much too long"), YOKE_OK);
    assert_int_equal(yoke_simple_queue_get(queue, text, sizeof text, &size), YOKE_EMSGSIZE);
    assert_int_equal(size, strlen("much too long"));
    assert_int_equal(yoke_simple_queue_get_string(queue, text, sizeof text), YOKE_EMSGSIZE);
    expect_text(queue, "much too long"); /* all of queue.h works on it */
    yoke_simple_queue_close(queue);
}

static void *get_one(void *queue)
{
    static char text[8];

    return yoke_simple_queue_get_string(queue, text, sizeof text) == YOKE_OK ? text : NULL;
}

static void test_a_get_waits_until_something_is_put(void **state)
{
    yoke_queue *queue = new_simple_queue();
    pthread_t   thread;
    void       *text = NULL;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, get_one, queue), 0);
    assert_int_equal(yoke_simple_queue_put_string(queue, "late"), YOKE_OK);
    assert_int_equal(pthread_join(thread, &text), 0);
    assert_non_null(text);
    assert_string_equal(text, "late");
    yoke_simple_queue_close(queue);
}

static void test_a_bad_handle_is_an_error(void **state)
{
    char byte;

    (void)state;
    assert_int_equal(yoke_simple_queue_create(NULL), YOKE_EINVAL);
    assert_int_equal(yoke_simple_queue_put(NULL, "x", 1), YOKE_EINVAL);
    assert_int_equal(yoke_simple_queue_put_string(NULL, "x"), YOKE_EINVAL);
    assert_int_equal(yoke_simple_queue_get(NULL, &byte, 1, NULL), YOKE_EINVAL);
    assert_false(yoke_simple_queue_empty(NULL));
    assert_int_equal(yoke_last_error()->code, YOKE_EINVAL);
    yoke_simple_queue_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_put_is_got_in_order),
        cmocka_unit_test(test_a_hundred_thousand_puts_never_wait),
        cmocka_unit_test(test_a_message_that_does_not_fit_stays),
        cmocka_unit_test(test_a_get_waits_until_something_is_put),
        cmocka_unit_test(test_a_bad_handle_is_an_error),
    };
    return cmocka_run_group_tests_name("simple queue", tests, queues_setup, leak_teardown);
}
