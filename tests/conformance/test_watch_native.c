/* A queue's descriptor in a loop that the library doesn't know: poll(2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <yoke/uv.h>
#include <yoke/yoke.h>

#include "core/wait/word.h"
#include "support/child.h"
#include "support/leak.h"
#include "support/shared.h"

#define MINUTE 60000
#define MANY   50000u

typedef struct fixture {
    yoke_queue *queue;
    intptr_t    native;
} fixture;

static fixture begin(size_t max_items)
{
    fixture f = {.native = -1};

    assert_int_equal(yoke_queue_create(&f.queue, YOKE_OPTIONS(yoke_queue_options, .max_items = max_items)), YOKE_OK);
    assert_int_equal(yoke_queue_native_readable(f.queue, &f.native), YOKE_OK);
    return f;
}

static bool readable(const fixture *f, int timeout)
{
    struct pollfd polled = {.fd = (int)f->native, .events = POLLIN};

    return poll(&polled, 1, timeout) == 1;
}

static void put(yoke_queue *queue, uint32_t number)
{
    assert_int_equal(yoke_queue_put(queue, &number, sizeof number, YOKE_NOWAIT), YOKE_OK);
}

static int get(yoke_queue *queue)
{
    uint32_t number;

    return yoke_queue_get(queue, &number, sizeof number, NULL, YOKE_NOWAIT);
}

static void test_it_is_readable_exactly_while_a_message_is_there(void **state)
{
    fixture f = begin(0);
    (void)state;

    assert_false(readable(&f, 0));
    for (int round = 0; round < 3; round++) {
        put(f.queue, 1);
        put(f.queue, 2);
        assert_true(readable(&f, MINUTE));
        assert_int_equal(get(f.queue), YOKE_OK);
        assert_true(readable(&f, 0));
        assert_true(readable(&f, 0));
        assert_int_equal(get(f.queue), YOKE_OK);
        assert_false(readable(&f, 0));
    }
    assert_int_equal(get(f.queue), YOKE_ETIMEDOUT);
    assert_false(readable(&f, 0));
    yoke_queue_close(f.queue);
}

static void test_what_was_there_before_makes_it_readable(void **state)
{
    yoke_queue *queue;
    fixture     f;
    (void)state;

    assert_int_equal(yoke_queue_create(&queue, NULL), YOKE_OK);
    put(queue, 1);
    f.queue = queue;
    assert_int_equal(yoke_queue_native_readable(queue, &f.native), YOKE_OK);
    assert_true(readable(&f, 0));
    assert_int_equal(get(queue), YOKE_OK);
    assert_false(readable(&f, 0));
    yoke_queue_close(queue);
}

static void test_all_who_ask_get_the_same_until_the_queue_is_closed(void **state)
{
    fixture  f = begin(0);
    intptr_t again = -1;
    int      before = leak_descriptors();
    (void)state;

    assert_int_equal(yoke_queue_native_readable(f.queue, &again), YOKE_OK);
    assert_int_equal(again, f.native);
    assert_int_equal(yoke_queue_native_readable(f.queue, NULL), YOKE_EINVAL);
    yoke_queue_close(f.queue);
    assert_true(leak_descriptors() < before);
    assert_int_equal(yoke_queue_native_readable(f.queue, &again), YOKE_EINVAL);
}

static void test_a_shutdown_makes_it_readable(void **state)
{
    fixture f = begin(0);
    (void)state;

    assert_int_equal(yoke_queue_shutdown(f.queue, YOKE_DRAIN), 0);
    assert_true(readable(&f, MINUTE));
    assert_int_equal(get(f.queue), YOKE_ESHUTDOWN);
    assert_true(readable(&f, 0));
    yoke_queue_close(f.queue);
}

static int take_one(void *user)
{
    return get(user) == YOKE_OK ? 0 : 1;
}

/* What another process takes leaves it readable until this one has looked. */
static void test_a_get_that_finds_nothing_makes_it_right(void **state)
{
    fixture f = begin(0);
    (void)state;

    put(f.queue, 1);
    assert_int_equal(child_join(child_start(take_one, f.queue)), 0);
    assert_true(readable(&f, 0));
    assert_int_equal(get(f.queue), YOKE_ETIMEDOUT);
    assert_false(readable(&f, 0));
    put(f.queue, 2);
    assert_true(readable(&f, MINUTE));
    yoke_queue_close(f.queue);
}

static int own_descriptor(void *user)
{
    fixture *f = user;

    CHILD_CHECK(get(f->queue) == YOKE_ETIMEDOUT); /* must not empty the parent's */
    CHILD_CHECK(yoke_queue_native_readable(f->queue, &f->native) == YOKE_OK);
    put(f->queue, 1);
    CHILD_CHECK(readable(f, MINUTE));
    return 0;
}

static void test_a_forked_child_asks_anew(void **state)
{
    fixture f = begin(0);
    (void)state;

    assert_int_equal(child_join(child_start(own_descriptor, &f)), 0);
    assert_true(readable(&f, MINUTE));
    assert_int_equal(get(f.queue), YOKE_OK);
    yoke_queue_close(f.queue);
}

static int put_many(const yoke_args *args)
{
    yoke_queue *queue = yoke_args_queue(args, 0);

    for (uint32_t i = 0; i < MANY; i++)
        YOKE_TRY(yoke_queue_put(queue, &i, sizeof i, YOKE_FOREVER));
    return 0;
}

/* burst 0: until nothing is there. */
static void all_come(size_t max_items, int burst)
{
    fixture       f = begin(max_items);
    yoke_process *process;
    uint32_t      number, expected = 0;

    assert_int_equal(yoke_process_start(&process, put_many, YOKE_ARGS(f.queue), NULL), YOKE_OK);
    while (expected < MANY) {
        assert_true(readable(&f, MINUTE));
        for (int i = 0; burst == 0 || i < burst; i++) {
            if (yoke_queue_get(f.queue, &number, sizeof number, NULL, YOKE_NOWAIT) != YOKE_OK)
                break;
            assert_int_equal(number, expected++);
        }
    }
    assert_false(readable(&f, 0));
    assert_int_equal(yoke_process_finish(process, NULL, MINUTE), YOKE_OK);
    yoke_queue_close(f.queue);
}

static void test_no_message_is_lost(void **state)
{
    (void)state;
    all_come(0, 0);
}

static void test_no_message_is_lost_one_at_a_time_from_a_small_queue(void **state)
{
    (void)state;
    all_come(2, 1);
}

static int nothing(const yoke_args *args)
{
    (void)args;
    return 0;
}

static int setup(void **state)
{
    yoke_process *process;

    YOKE_CHECK(yoke_process_start(&process, nothing, YOKE_ARGS(), NULL));
    YOKE_CHECK(yoke_process_finish(process, NULL, MINUTE));
    fixture f = begin(0);
    put(f.queue, 1); /* makes what it rings with */
    yoke_queue_close(f.queue);
    return shared_setup(state);
}

int main(int argc, char **argv)
{
    yoke_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_is_readable_exactly_while_a_message_is_there),
        cmocka_unit_test(test_what_was_there_before_makes_it_readable),
        cmocka_unit_test(test_all_who_ask_get_the_same_until_the_queue_is_closed),
        cmocka_unit_test(test_a_shutdown_makes_it_readable),
        cmocka_unit_test(test_a_get_that_finds_nothing_makes_it_right),
        cmocka_unit_test(test_a_forked_child_asks_anew),
        cmocka_unit_test(test_no_message_is_lost),
        cmocka_unit_test(test_no_message_is_lost_one_at_a_time_from_a_small_queue),
    };
    return cmocka_run_group_tests_name("descriptors of queues", tests, setup, shared_teardown);
}
