/* Joinable queues. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <yoke/yoke.h>

#include "core/queue/queue.h"
#include "support/child.h"
#include "support/leak.h"
#include "support/queues.h"

static void test_join_returns_when_every_message_is_done(void **state)
{
    yoke_queue *queue = new_queue(.joinable = true);

    (void)state;
    assert_int_equal(yoke_queue_join(queue, YOKE_NOWAIT), YOKE_OK); /* nothing was put */
    assert_int_equal(yoke_queue_put_string(queue, "one", YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_put_string(queue, "two", YOKE_NOWAIT), YOKE_OK);
    expect_text(queue, "one");
    assert_int_equal(yoke_queue_unfinished(queue), 2);
    assert_int_equal(yoke_queue_task_done(queue), YOKE_OK);
    assert_int_equal(yoke_queue_unfinished(queue), 1);
    assert_int_equal(yoke_queue_join(queue, 10), YOKE_ETIMEDOUT);
    assert_non_null(strstr(yoke_last_error()->text, "1 messages"));
    expect_text(queue, "two");
    assert_true(yoke_queue_empty(queue));
    assert_int_equal(yoke_queue_join(queue, YOKE_NOWAIT), YOKE_ETIMEDOUT); /* got, not done */
    assert_int_equal(yoke_queue_task_done(queue), YOKE_OK);
    assert_int_equal(yoke_queue_join(queue, YOKE_FOREVER), YOKE_OK);
    yoke_queue_close(queue);
}

static void test_task_done_called_too_often_is_an_error(void **state)
{
    yoke_queue *queue = new_queue(.joinable = true);
    yoke_queue *plain = new_queue(.joinable = false);

    (void)state;
    assert_int_equal(yoke_queue_task_done(queue), YOKE_EINVAL);
    assert_int_equal(yoke_queue_put_string(queue, "x", YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_task_done(queue), YOKE_EINVAL); /* put, but not got */
    expect_text(queue, "x");
    assert_int_equal(yoke_queue_task_done(queue), YOKE_OK);
    assert_int_equal(yoke_queue_task_done(queue), YOKE_EINVAL);
    assert_non_null(strstr(yoke_last_error()->text, "more often"));
    assert_int_equal(yoke_queue_task_done(plain), YOKE_ENOTSUP);
    assert_int_equal(yoke_queue_join(plain, YOKE_NOWAIT), YOKE_ENOTSUP);
    assert_int_equal(yoke_queue_unfinished(plain), YOKE_ENOTSUP);
    yoke_queue_close(plain);
    yoke_queue_close(queue);
}

static void test_a_given_message_is_done_out_of_order(void **state)
{
    yoke_queue   *queue = new_queue(.joinable = true);
    yoke_message *messages[3];
    char          text[8];

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(yoke_queue_put_format(queue, YOKE_NOWAIT, "%d", i), YOKE_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(yoke_queue_get_message(queue, &messages[i], YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_message_done(queue, messages[1]), YOKE_OK);
    assert_int_equal(yoke_queue_message_done(queue, messages[1]), YOKE_EINVAL);
    assert_int_equal(yoke_queue_task_done(queue), YOKE_OK); /* the oldest: the first */
    assert_int_equal(yoke_queue_message_done(queue, messages[0]), YOKE_EINVAL);
    assert_int_equal(yoke_queue_message_done(queue, messages[2]), YOKE_OK);
    assert_int_equal(yoke_queue_join(queue, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_get_string(queue, text, sizeof text, YOKE_NOWAIT), YOKE_ETIMEDOUT);
    for (int i = 0; i < 3; i++)
        yoke_message_free(messages[i]);
    yoke_queue_close(queue);
}

static void test_what_a_closed_handle_had_got_is_redelivered(void **state)
{
    yoke_queue   *queue = new_queue(.joinable = true, .name = "tasks");
    yoke_queue   *worker;
    yoke_message *message;

    (void)state;
    assert_int_equal(yoke_queue_open(&worker, NULL, "tasks"), YOKE_OK);
    assert_int_equal(yoke_queue_put_string(queue, "task", YOKE_NOWAIT), YOKE_OK);
    expect_text(worker, "task");
    yoke_queue_close(worker);
    assert_int_equal(yoke_queue_unfinished(queue), 1);
    assert_int_equal(yoke_queue_get_message(queue, &message, YOKE_NOWAIT), YOKE_OK);
    assert_true(yoke_message_redelivered(message));
    assert_int_equal(yoke_queue_message_done(queue, message), YOKE_OK);
    assert_int_equal(yoke_queue_join(queue, YOKE_NOWAIT), YOKE_OK);
    yoke_message_free(message);
    yoke_queue_close(queue);
}

static void test_views_and_variants_count_too(void **state)
{
    yoke_queue   *queue = new_queue(.joinable = true);
    yoke_variant *variant;
    yoke_view     view;

    (void)state;
    assert_int_equal(yoke_queue_put_string(queue, "seen", YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_put_variant(queue, YOKE_ARGS(1, 2), YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_peek(queue, &view, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_get_variant(queue, &variant, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_release(queue, &view), YOKE_OK);
    assert_int_equal(yoke_queue_unfinished(queue), 1);
    assert_int_equal(yoke_queue_task_done(queue), YOKE_OK);
    assert_int_equal(yoke_queue_join(queue, YOKE_NOWAIT), YOKE_OK);
    yoke_variant_free(variant);
    yoke_queue_close(queue);
}

static void test_discarded_messages_count_as_done(void **state)
{
    yoke_queue *queue = new_queue(.joinable = true);
    static char large[9000];
    yoke_view   view;

    (void)state;
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(yoke_queue_put(queue, large, i % 2 ? sizeof large : i, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_peek(queue, &view, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_shutdown(queue, YOKE_IMMEDIATE), 5);
    assert_int_equal(yoke_queue_unfinished(queue), 1);
    assert_int_equal(yoke_queue_return(queue, &view), YOKE_OK); /* too late for it: discarded by whoever comes */
    assert_int_equal(yoke_queue_join(queue, YOKE_NOWAIT), YOKE_OK);
    yoke_queue_close(queue);
}

static void test_memory_of_tasks_comes_back(void **state)
{
    yoke_queue       *queue = new_queue(.joinable = true);
    yoke__alloc_stats before = heap_stats();
    static char       large[9000];

    (void)state;
    for (size_t i = 0; i < 500; i++) {
        assert_int_equal(yoke_queue_put(queue, large, i % 3 ? i : sizeof large, YOKE_NOWAIT), YOKE_OK);
        assert_int_equal(yoke_queue_get(queue, large, sizeof large, NULL, YOKE_NOWAIT), YOKE_OK);
        assert_int_equal(yoke_queue_task_done(queue), YOKE_OK);
    }
    assert_int_equal(heap_stats().owned_blocks, before.owned_blocks);
    yoke_queue_close(queue);
}

static void test_task_done_leaves_peeked_messages_alone(void **state)
{
    yoke_queue *queue = new_queue(.joinable = true);
    yoke_view   view;

    (void)state;
    assert_int_equal(yoke_queue_put_string(queue, "seen", YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_peek(queue, &view, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_task_done(queue), YOKE_EINVAL);
    assert_memory_equal(view.data, "seen", 4);
    assert_int_equal(yoke_queue_release(queue, &view), YOKE_OK);
    assert_int_equal(yoke_queue_join(queue, YOKE_NOWAIT), YOKE_OK);
    yoke_queue_close(queue);
}

/* One thread has taken a message and is still copying it when another says task done: that isn't meant. */
static void test_task_done_leaves_messages_alone_that_are_being_copied(void **state)
{
    yoke_queue *handle = new_queue(.joinable = true);
    char        text[8];
    yoke__queue queue;
    yoke__get   get = {.content = YOKE__CONTENT_BYTES, .hold = true, .target = text, .capacity = sizeof text};

    (void)state;
    assert_int_equal(yoke_queue_put_string(handle, "task", YOKE_NOWAIT), YOKE_OK);
    assert_true(yoke__queue_of(&queue, handle));
    yoke__queue_lock(&queue, &queue.state->consumers);
    assert_int_equal(yoke__queue_take(&queue, &get), YOKE_OK);
    yoke__queue_unlock(&queue, &queue.state->consumers);
    assert_int_equal(yoke_queue_task_done(handle), YOKE_EINVAL);
    yoke__queue_finish(&queue, &get);
    assert_memory_equal(text, "task", 4);
    assert_int_equal(yoke_queue_task_done(handle), YOKE_OK);
    assert_int_equal(yoke_queue_join(handle, YOKE_NOWAIT), YOKE_OK);
    yoke_queue_close(handle);
}

static int take_and_wait(void *user)
{
    yoke_queue *queue = user;
    char        text[8];

    CHILD_CHECK(yoke_queue_get_string(queue, text, sizeof text, YOKE_NOWAIT) == YOKE_OK);
    for (;;)
        pause();
}

static void wait_until_taken(yoke_queue *queue)
{
    while (yoke_queue_size(queue) > 0)
        sched_yield();
}

static void test_who_only_polls_hears_of_the_dead_too(void **state)
{
    yoke_queue *queue = new_queue(.joinable = true);
    long long   start = milliseconds();
    yoke_info   info = {.struct_size = sizeof info};
    char        text[8];
    pid_t       child;

    (void)state;
    assert_int_equal(yoke_queue_put_string(queue, "task", YOKE_NOWAIT), YOKE_OK);
    child = child_start(take_and_wait, queue);
    wait_until_taken(queue);
    child_kill(child);
    while (yoke_queue_get_info(queue, text, sizeof text, &info, YOKE_NOWAIT) == YOKE_ETIMEDOUT)
        assert_true(milliseconds() - start < 10000);
    assert_true(info.redelivered);
    assert_int_equal(yoke_queue_task_done(queue), YOKE_OK);
    yoke_queue_close(queue);
}

static void test_a_drained_queue_is_not_over_while_the_dead_held_a_task(void **state)
{
    yoke_queue *queue = new_queue(.joinable = true);
    char        text[8];
    pid_t       child;

    (void)state;
    assert_int_equal(yoke_queue_put_string(queue, "task", YOKE_NOWAIT), YOKE_OK);
    child = child_start(take_and_wait, queue);
    wait_until_taken(queue);
    assert_int_equal(yoke_queue_shutdown(queue, YOKE_DRAIN), 0);
    child_kill(child);
    assert_int_equal(yoke_queue_get_string(queue, text, sizeof text, YOKE_FOREVER), YOKE_OK);
    assert_int_equal(yoke_queue_task_done(queue), YOKE_OK);
    assert_int_equal(yoke_queue_join(queue, YOKE_NOWAIT), YOKE_OK);
    yoke_queue_close(queue);
}

/* As it stands while a put has made its commit and not noted it: what came of it may be got and done by then. */
static void test_what_is_done_before_its_put_is_through_stands_for_no_other(void **state)
{
    yoke_queue        *queue = new_queue(.joinable = true);
    yoke__queue_state *shared = (yoke__queue_state *)((yoke__handle *)(void *)queue)->object;
    yoke_message      *messages[2];

    (void)state;
    assert_int_equal(yoke_queue_put_string(queue, "held", YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_put_string(queue, "under way", YOKE_NOWAIT), YOKE_OK);
    yoke__a64_store_release(&shared->puts, 1);
    for (int i = 0; i < 2; i++)
        assert_int_equal(yoke_queue_get_message(queue, &messages[i], YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_message_done(queue, messages[1]), YOKE_OK);
    assert_int_equal(yoke_queue_unfinished(queue), 1);
    assert_int_equal(yoke_queue_join(queue, YOKE_NOWAIT), YOKE_ETIMEDOUT);
    yoke__a64_store_release(&shared->puts, 2);
    assert_int_equal(yoke_queue_message_done(queue, messages[0]), YOKE_OK);
    assert_int_equal(yoke_queue_join(queue, YOKE_NOWAIT), YOKE_OK);
    for (int i = 0; i < 2; i++)
        yoke_message_free(messages[i]);
    yoke_queue_close(queue);
}

/* Two domains with the same history: everything in them has the same place and number. */
typedef struct twin {
    yoke_domain  *domain;
    yoke_queue   *queue;
    yoke_variant *variant;
    yoke_message *message;
    yoke_view     view;
    yoke_slot     slot;
} twin;

static void make_twin(twin *out, const char *which)
{
    char name[64];

    snprintf(name, sizeof name, "twin-%s-%ld", which, (long)getpid());
    assert_int_equal(yoke_domain_open(&out->domain, name, NULL), YOKE_OK);
    out->queue = new_queue(.domain = out->domain, .joinable = true);
    assert_int_equal(yoke_queue_put_variant(out->queue, YOKE_ARGS(1), YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_put_string(out->queue, "x", YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_put_string(out->queue, "y", YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_get_variant(out->queue, &out->variant, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_get_message(out->queue, &out->message, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_peek(out->queue, &out->view, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_reserve(out->queue, &out->slot, 8, YOKE_NOWAIT), YOKE_OK);
}

static void drop_twin(twin *one)
{
    assert_int_equal(yoke_queue_variant_done(one->queue, one->variant), YOKE_OK);
    assert_int_equal(yoke_queue_message_done(one->queue, one->message), YOKE_OK);
    assert_int_equal(yoke_queue_release(one->queue, &one->view), YOKE_OK);
    assert_int_equal(yoke_queue_commit(one->queue, &one->slot, 0), YOKE_OK);
    yoke_variant_free(one->variant);
    yoke_message_free(one->message);
    yoke_queue_close(one->queue);
    yoke_domain_close(one->domain);
}

static void test_what_another_domain_has_is_not_meant(void **state)
{
    twin one;
    twin other;

    (void)state;
    make_twin(&one, "one");
    make_twin(&other, "other");
    assert_int_equal(yoke_queue_variant_done(one.queue, other.variant), YOKE_EINVAL);
    assert_int_equal(yoke_queue_message_done(one.queue, other.message), YOKE_EINVAL);
    assert_int_equal(yoke_queue_release(one.queue, &other.view), YOKE_EINVAL);
    assert_int_equal(yoke_queue_return(one.queue, &other.view), YOKE_EINVAL);
    assert_int_equal(yoke_queue_commit(one.queue, &other.slot, 0), YOKE_EINVAL);
    assert_int_equal(yoke_queue_unfinished(one.queue), 3);
    drop_twin(&one);
    drop_twin(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_join_returns_when_every_message_is_done),
        cmocka_unit_test(test_task_done_called_too_often_is_an_error),
        cmocka_unit_test(test_a_given_message_is_done_out_of_order),
        cmocka_unit_test(test_what_a_closed_handle_had_got_is_redelivered),
        cmocka_unit_test(test_views_and_variants_count_too),
        cmocka_unit_test(test_discarded_messages_count_as_done),
        cmocka_unit_test(test_memory_of_tasks_comes_back),
        cmocka_unit_test(test_task_done_leaves_peeked_messages_alone),
        cmocka_unit_test(test_task_done_leaves_messages_alone_that_are_being_copied),
        cmocka_unit_test(test_who_only_polls_hears_of_the_dead_too),
        cmocka_unit_test(test_a_drained_queue_is_not_over_while_the_dead_held_a_task),
        cmocka_unit_test(test_what_is_done_before_its_put_is_through_stands_for_no_other),
        cmocka_unit_test(test_what_another_domain_has_is_not_meant),
    };
    return cmocka_run_group_tests_name("queue, joinable", tests, queues_setup, leak_teardown);
}
