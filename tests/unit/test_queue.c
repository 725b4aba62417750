/* The queue's calls within one process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yoke/yoke.h>

#include "core/domain/allocator.h"
#include "core/domain/domain.h"
#include "support/leak.h"

static int make_domain(void **state)
{
    yoke_domain *domain;

    if (yoke__domain_default(&domain) < 0)
        return -1;
    return leak_setup(state);
}

static yoke_queue *new_queue(size_t max_items, size_t max_bytes)
{
    yoke_queue *queue;

    assert_int_equal(
        yoke_queue_create(&queue, YOKE_OPTIONS(yoke_queue_options, .max_items = max_items, .max_bytes = max_bytes)),
        YOKE_OK);
    return queue;
}

static void test_messages_of_every_size_arrive_whole_and_in_order(void **state)
{
    static const size_t sizes[] = {0, 1, 15, 16, 17, 4079, 4080, 4081, 65536, 1 << 20, 9 << 20};
    yoke_queue         *queue = new_queue(0, 0);
    char               *bytes = malloc(9 << 20);

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        memset(bytes, (int)('a' + i), sizes[i]);
        assert_int_equal(yoke_queue_put(queue, bytes, sizes[i], YOKE_NOWAIT), YOKE_OK);
    }
    assert_int_equal(yoke_queue_size(queue), sizeof sizes / sizeof sizes[0]);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t size = 77;
        memset(bytes, 0, 9 << 20);
        assert_int_equal(yoke_queue_get(queue, bytes, 9 << 20, &size, YOKE_NOWAIT), YOKE_OK);
        assert_int_equal(size, sizes[i]);
        for (size_t k = 0; k < size; k++)
            if (bytes[k] != (char)('a' + i))
                fail_msg("byte %zu of message %zu is wrong", k, i);
    }
    assert_true(yoke_queue_empty(queue));
    free(bytes);
    yoke_queue_close(queue);
}

static void test_a_queue_without_limits_takes_a_hundred_thousand_messages_first(void **state)
{
    yoke_queue *queue = new_queue(0, 0);
    uint32_t    number;

    (void)state;
    for (uint32_t i = 0; i < 100000; i++)
        assert_int_equal(yoke_queue_put(queue, &i, sizeof i, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_size(queue), 100000);
    for (uint32_t i = 0; i < 100000; i++) {
        assert_int_equal(yoke_queue_get(queue, &number, sizeof number, NULL, YOKE_NOWAIT), YOKE_OK);
        assert_int_equal(number, i);
    }
    assert_int_equal(yoke_queue_get(queue, &number, sizeof number, NULL, YOKE_NOWAIT), YOKE_ETIMEDOUT);
    yoke_queue_close(queue);
}

static void test_memory_of_a_drained_and_closed_queue_comes_back(void **state)
{
    yoke_domain      *domain;
    yoke__alloc_stats before;
    yoke__alloc_stats after;

    (void)state;
    assert_int_equal(yoke__domain_default(&domain), YOKE_OK);
    yoke_queue_close(new_queue(0, 0)); /* what stays for ever is made by now */
    assert_int_equal(yoke__alloc_check(domain, &before), YOKE_OK);
    for (int round = 0; round < 3; round++) {
        yoke_queue *queue = new_queue(0, 0);
        char        large[10000] = {0};
        for (int i = 0; i < 2000; i++)
            assert_int_equal(yoke_queue_put(queue, large, (size_t)i * 5, YOKE_NOWAIT), YOKE_OK);
        for (int i = 0; i < 1000; i++)
            assert_int_equal(yoke_queue_get(queue, large, sizeof large, NULL, YOKE_NOWAIT), YOKE_OK);
        yoke_queue_close(queue);
    }
    assert_int_equal(yoke__alloc_check(domain, &after), YOKE_OK);
    assert_int_equal(after.object_blocks, before.object_blocks);
    assert_int_equal(after.token_blocks, before.token_blocks);
}

static void test_a_full_queue_times_out_and_names_its_limit(void **state)
{
    yoke_queue *items = new_queue(2, 0);
    yoke_queue *bytes = new_queue(0, 10);

    (void)state;
    assert_int_equal(yoke_queue_put_string(items, "a", YOKE_NOWAIT), YOKE_OK);
    assert_false(yoke_queue_full(items));
    assert_int_equal(yoke_queue_put_string(items, "b", YOKE_NOWAIT), YOKE_OK);
    assert_true(yoke_queue_full(items));
    assert_int_equal(yoke_queue_put_string(items, "c", 20), YOKE_ETIMEDOUT);
    assert_non_null(strstr(yoke_last_error()->text, "max_items is 2"));
    assert_int_equal(yoke_queue_size(items), 2);

    assert_int_equal(yoke_queue_put_string(bytes, "123456", YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_put_string(bytes, "12345", YOKE_NOWAIT), YOKE_ETIMEDOUT);
    assert_non_null(strstr(yoke_last_error()->text, "max_bytes is 10"));
    assert_int_equal(yoke_queue_put_string(bytes, "12345678901", YOKE_FOREVER), YOKE_EMSGSIZE);
    assert_int_equal(yoke_queue_put_string(bytes, "1234", YOKE_NOWAIT), YOKE_OK);
    yoke_queue_close(items);
    yoke_queue_close(bytes);
}

static void test_a_message_too_long_for_the_buffer_stays_and_its_size_is_told(void **state)
{
    yoke_queue *queue = new_queue(0, 0);
    char        text[8];
    size_t      size = 0;

    (void)state;
    assert_int_equal(yoke_queue_put_string(queue, "12345678", YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_get_string(queue, text, sizeof text, YOKE_NOWAIT), YOKE_EMSGSIZE);
    assert_string_equal(text, "");
    assert_int_equal(yoke_queue_get(queue, text, 7, &size, YOKE_NOWAIT), YOKE_EMSGSIZE);
    assert_int_equal(size, 8);
    assert_int_equal(yoke_queue_size(queue), 1);
    assert_int_equal(yoke_queue_get(queue, text, 8, &size, YOKE_NOWAIT), YOKE_OK);
    assert_memory_equal(text, "12345678", 8);
    yoke_queue_close(queue);
}

static void test_bytes_are_never_read_as_a_variant_nor_the_reverse(void **state)
{
    yoke_queue   *queue = new_queue(0, 0);
    yoke_variant *variant = NULL;
    char          text[64];

    (void)state;
    assert_int_equal(yoke_queue_put_string(queue, "x", YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_get_variant(queue, &variant, YOKE_NOWAIT), YOKE_ETYPE);
    assert_int_equal(yoke_queue_get_string(queue, text, sizeof text, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_put_variant(queue, YOKE_ARGS(42, YOKE_NIL, "hello"), YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_get_string(queue, text, sizeof text, YOKE_NOWAIT), YOKE_ETYPE);
    assert_int_equal(yoke_queue_get_variant(queue, &variant, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_variant_format(variant, text, sizeof text, NULL), YOKE_OK);
    assert_string_equal(text, "[42, None, 'hello']");
    yoke_variant_free(variant);
    yoke_queue_close(queue);
}

static void test_strings_are_formatted_and_owned_messages_end_in_a_nul(void **state)
{
    yoke_queue   *queue = new_queue(0, 0);
    yoke_message *message;
    char          long_text[2000];

    (void)state;
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    assert_int_equal(yoke_queue_put_format(queue, YOKE_NOWAIT, "hello %d", 7), YOKE_OK);
    assert_int_equal(yoke_queue_put_format(queue, YOKE_NOWAIT, "%s!", long_text), YOKE_OK);
    assert_int_equal(yoke_queue_get_message(queue, &message, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_message_size(message), 7);
    assert_string_equal(yoke_message_data(message), "hello 7");
    yoke_message_free(message);
    assert_int_equal(yoke_queue_get_message(queue, &message, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_message_size(message), sizeof long_text);
    yoke_message_free(message);
    yoke_queue_close(queue);
}

static void test_a_queue_shut_down_is_drained_and_then_over(void **state)
{
    yoke_queue *queue = new_queue(0, 0);
    char        text[8];

    (void)state;
    assert_int_equal(yoke_queue_put_string(queue, "last", YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_shutdown(queue, YOKE_DRAIN), 0);
    assert_int_equal(yoke_queue_put_string(queue, "more", YOKE_FOREVER), YOKE_ESHUTDOWN);
    assert_int_equal(yoke_queue_get_string(queue, text, sizeof text, YOKE_FOREVER), YOKE_OK);
    assert_int_equal(yoke_queue_get_string(queue, text, sizeof text, YOKE_FOREVER), YOKE_ESHUTDOWN);
    yoke_queue_close(queue);
}

static void test_an_immediate_shutdown_discards_and_counts(void **state)
{
    yoke_queue *queue = new_queue(0, 0);
    char        large[5000] = {0};

    (void)state;
    for (int i = 0; i < 10; i++)
        assert_int_equal(yoke_queue_put(queue, large, i % 2 ? sizeof large : 3, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_shutdown(queue, YOKE_IMMEDIATE), 10);
    assert_int_equal(yoke_queue_get(queue, large, sizeof large, NULL, YOKE_FOREVER), YOKE_ESHUTDOWN);
    assert_int_equal(yoke_queue_size(queue), 0);
    yoke_queue_close(queue);
}

static void test_wrong_handles_and_arguments_are_told_apart(void **state)
{
    yoke_queue *queue = new_queue(0, 0);
    yoke_lock  *lock;
    char        text[4];

    (void)state;
    assert_int_equal(yoke_lock_create(&lock, NULL), YOKE_OK);
    assert_int_equal(yoke_queue_put_string(NULL, "x", YOKE_NOWAIT), YOKE_EINVAL);
    assert_int_equal(yoke_queue_put_string((yoke_queue *)(void *)lock, "x", YOKE_NOWAIT), YOKE_EINVAL);
    assert_non_null(strstr(yoke_last_error()->text, "lock"));
    assert_int_equal(yoke_queue_put(queue, NULL, 3, YOKE_NOWAIT), YOKE_EINVAL);
    assert_int_equal(yoke_queue_put(queue, NULL, 0, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_get_string(queue, text, 0, YOKE_NOWAIT), YOKE_EINVAL);
    assert_int_equal(yoke_queue_put_string(queue, NULL, YOKE_NOWAIT), YOKE_EINVAL);
    assert_int_equal(yoke_queue_size(NULL), YOKE_EINVAL);
    yoke_lock_close(lock);
    yoke_queue_close(queue);
    assert_int_equal(yoke_queue_put_string(queue, "x", YOKE_NOWAIT), YOKE_EINVAL);
    yoke_queue_close(NULL);
}

static void test_a_named_queue_is_one_queue_and_other_limits_are_refused(void **state)
{
    yoke_queue *first;
    yoke_queue *second;
    char        text[8];

    (void)state;
    assert_int_equal(yoke_queue_create(&first, YOKE_OPTIONS(yoke_queue_options, .name = "jobs", .max_items = 5)), 0);
    assert_int_equal(yoke_queue_create(&second, YOKE_OPTIONS(yoke_queue_options, .name = "jobs", .max_items = 5)),
                     YOKE_EEXIST);
    assert_int_equal(yoke_queue_create(&second, YOKE_OPTIONS(yoke_queue_options, .name = "jobs", .max_items = 6,
                                                             .mode = YOKE_OPEN_OR_CREATE)),
                     YOKE_EINVAL);
    assert_non_null(strstr(yoke_last_error()->text, "max_items 5, not 6"));
    assert_int_equal(yoke_queue_open(&second, NULL, "jobs"), YOKE_OK);
    assert_int_equal(yoke_queue_put_string(first, "one", YOKE_NOWAIT), YOKE_OK);
    yoke_queue_close(first);
    assert_int_equal(yoke_queue_get_string(second, text, sizeof text, YOKE_NOWAIT), YOKE_OK);
    yoke_queue_close(second);
    assert_int_equal(yoke_queue_open(&second, NULL, "jobs"), YOKE_ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_of_every_size_arrive_whole_and_in_order),
        cmocka_unit_test(test_a_queue_without_limits_takes_a_hundred_thousand_messages_first),
        cmocka_unit_test(test_memory_of_a_drained_and_closed_queue_comes_back),
        cmocka_unit_test(test_a_full_queue_times_out_and_names_its_limit),
        cmocka_unit_test(test_a_message_too_long_for_the_buffer_stays_and_its_size_is_told),
        cmocka_unit_test(test_bytes_are_never_read_as_a_variant_nor_the_reverse),
        cmocka_unit_test(test_strings_are_formatted_and_owned_messages_end_in_a_nul),
        cmocka_unit_test(test_a_queue_shut_down_is_drained_and_then_over),
        cmocka_unit_test(test_an_immediate_shutdown_discards_and_counts),
        cmocka_unit_test(test_wrong_handles_and_arguments_are_told_apart),
        cmocka_unit_test(test_a_named_queue_is_one_queue_and_other_limits_are_refused),
    };
    return cmocka_run_group_tests_name("queue", tests, make_domain, leak_teardown);
}
