/* What a dead consumer held comes back: in time, however much it was, and to who never sleeps too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <yoke/yoke.h>

#include "core/domain/participant.h"
#include "core/queue/queue.h"
#include "core/queue/ring.h"
#include "support/child.h"
#include "support/leak.h"
#include "support/queues.h"

#define FEW  5000u
#define MANY 40000u /* eight times as many */

/* ---- how long it takes ----------------------------------------------------------------------------------------------- */

typedef struct hoard {
    yoke_queue *queue;
    uint32_t    count;
} hoard;

static int take_all(void *user)
{
    const hoard *all = (const hoard *)user;
    char         text[16];

    for (uint32_t i = 0; i < all->count; i++)
        CHILD_CHECK(yoke_queue_get(all->queue, text, sizeof text, NULL, YOKE_NOWAIT) == YOKE_OK);
    _exit(0); /* without a word to anybody */
}

static int put_all(void *user)
{
    const hoard *all = (const hoard *)user;

    for (uint32_t i = 0; i < all->count; i++)
        CHILD_CHECK(yoke_queue_put_string(all->queue, "task", YOKE_NOWAIT) == YOKE_OK);
    _exit(0);
}

static yoke_domain *the_domain(void)
{
    yoke_domain *domain = NULL;

    assert_int_equal(yoke__domain_default(&domain), YOKE_OK);
    return domain;
}

/* This process's own: other work on the machine doesn't count. */
static int64_t cpu_time(void)
{
    struct timespec now;

    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now), 0);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Nanoseconds for a recovery of so many tasks, put by one that died or taken by one that died. */
static int64_t recover(uint32_t count, int (*put)(void *user), int (*take)(void *user))
{
    hoard   all = {new_queue(.joinable = true), count};
    int64_t start;
    int64_t took;

    if (put)
        assert_int_equal(child_join(child_start(put, &all)), 0);
    for (uint32_t i = 0; !put && i < count; i++)
        assert_int_equal(yoke_queue_put_string(all.queue, "task", YOKE_NOWAIT), YOKE_OK);
    if (take)
        assert_int_equal(child_join(child_start(take, &all)), 0);
    start = cpu_time();
    (void)yoke__domain_recover(the_domain());
    took = cpu_time() - start;
    assert_int_equal(yoke_queue_size(all.queue), count);
    assert_int_equal(yoke_queue_shutdown(all.queue, YOKE_IMMEDIATE), count);
    assert_int_equal(yoke_queue_join(all.queue, YOKE_NOWAIT), YOKE_OK);
    yoke_queue_close(all.queue);
    return took;
}

/* Eight times as much takes eight times as long; were it sixty-four times, this would not hold. Cold caches can only make it
 * longer: the shortest of some counts. */
static void takes_in_proportion(int (*put)(void *user), int (*take)(void *user))
{
    int64_t few = INT64_MAX;
    int64_t many = INT64_MAX;

    for (int i = 0; i < 3; i++) {
        int64_t took = recover(FEW, put, take);
        few = took < few ? took : few;
        took = recover(MANY, put, take);
        many = took < many ? took : many;
    }
    print_message("             %u: %lld us, %u: %lld us\n", FEW, (long long)(few / 1000), MANY,
                  (long long)(many / 1000));
    assert_true(many < 24 * few);
}

static void test_a_recovery_takes_time_in_proportion_to_what_the_dead_held(void **state)
{
    (void)state;
    takes_in_proportion(NULL, take_all);
}

static void test_and_to_what_the_dead_had_put(void **state)
{
    (void)state;
    takes_in_proportion(put_all, NULL);
}

/* ---- who hears of it ------------------------------------------------------------------------------------------------- */

static int take_one(void *user)
{
    char text[16];

    CHILD_CHECK(yoke_queue_get_string((yoke_queue *)user, text, sizeof text, YOKE_NOWAIT) == YOKE_OK);
    _exit(0);
}

static bool get_is_redelivered(yoke_queue *queue)
{
    yoke_info info = {.struct_size = sizeof info};
    char      text[16];

    assert_int_equal(yoke_queue_get_info(queue, text, sizeof text, &info, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_task_done(queue), YOKE_OK);
    return info.redelivered;
}

static void test_a_consumer_that_always_finds_something_gets_what_came_back(void **state)
{
    yoke_queue *queue = new_queue(.joinable = true);
    long long   end;

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(yoke_queue_put_string(queue, "task", YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(child_join(child_start(take_one, queue)), 0);
    end = milliseconds() + 10000;
    while (!get_is_redelivered(queue)) {
        assert_true(milliseconds() < end);
        assert_int_equal(yoke_queue_put_string(queue, "more", YOKE_NOWAIT), YOKE_OK);
    }
    yoke_queue_close(queue);
}

static int peek_one(void *user)
{
    yoke_view view;

    CHILD_CHECK(yoke_queue_peek((yoke_queue *)user, &view, YOKE_NOWAIT) == YOKE_OK);
    _exit(0);
}

static void test_also_where_messages_are_small_and_not_held(void **state)
{
    yoke_queue *queue = new_queue(.joinable = false);
    yoke_info   info = {.struct_size = sizeof info};
    long long   end;
    char        text[16];

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(yoke_queue_put_string(queue, "one", YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(child_join(child_start(peek_one, queue)), 0);
    end = milliseconds() + 10000;
    do {
        assert_true(milliseconds() < end);
        assert_int_equal(yoke_queue_put_string(queue, "more", YOKE_NOWAIT), YOKE_OK);
        assert_int_equal(yoke_queue_get_info(queue, text, sizeof text, &info, YOKE_NOWAIT), YOKE_OK);
    } while (!info.redelivered);
    yoke_queue_close(queue);
}

/* ---- what it had not noted ------------------------------------------------------------------------------------------- */

static int take_without_a_note(void *user)
{
    yoke__queue queue;
    yoke__ring *ring;
    uint64_t    head;
    bool        damaged = false;

    CHILD_CHECK(yoke__queue_of(&queue, (yoke_queue *)user));
    yoke__queue_lock(&queue, &queue.state->consumers);
    ring = yoke__chain_first(&queue);
    CHILD_CHECK(yoke__ring_oldest(ring, &head, &damaged) != NULL);
    yoke__ring_consume(ring, head);
    _exit(0);
}

static void test_a_queue_that_the_dead_emptied_is_not_full(void **state)
{
    yoke_queue *queue = new_queue(.max_items = 1);

    (void)state;
    assert_int_equal(yoke_queue_put_string(queue, "one", YOKE_NOWAIT), YOKE_OK);
    assert_true(yoke_queue_full(queue));
    assert_int_equal(child_join(child_start(take_without_a_note, queue)), 0);
    assert_false(yoke_queue_full(queue));
    yoke_queue_close(queue);
}

/* As one that died while it changed the sums of reservations leaves them. */
static int die_reserving(void *user)
{
    yoke__queue queue;

    CHILD_CHECK(yoke__queue_of(&queue, (yoke_queue *)user));
    yoke__queue_lock(&queue, &queue.state->producers);
    yoke__a32_store_release(&queue.state->reserving, 1);
    yoke__a64_store_release(&queue.state->reserved_items, 1);
    _exit(0);
}

static void test_nor_one_where_the_dead_was_about_to_reserve(void **state)
{
    yoke_queue *queue = new_queue(.max_items = 1);

    (void)state;
    assert_int_equal(child_join(child_start(die_reserving, queue)), 0);
    assert_false(yoke_queue_full(queue));
    yoke_queue_close(queue);
}

/* A recovery marks what is linked with its number. What it marked may be a dead one's hold by the next recovery, and that
 * one must not take it for linked. */
static void test_marks_of_an_earlier_recovery_count_for_nothing(void **state)
{
    yoke_queue *queue = new_queue(.joinable = true);
    hoard       one = {queue, 1}, both = {queue, 2};
    yoke_info   info = {.struct_size = sizeof info};
    char        text[16];

    (void)state;
    assert_int_equal(yoke_queue_put_string(queue, "task", YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(child_join(child_start(put_all, &one)), 0);
    assert_int_equal(yoke__domain_recover(the_domain()), 1); /* marks both */
    assert_int_equal(child_join(child_start(take_all, &both)), 0);
    assert_int_equal(yoke__domain_recover(the_domain()), 1);
    assert_int_equal(yoke_queue_size(queue), 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(yoke_queue_get_info(queue, text, sizeof text, &info, YOKE_NOWAIT), YOKE_OK);
        assert_true(info.redelivered);
        assert_int_equal(yoke_queue_task_done(queue), YOKE_OK);
    }
    assert_int_equal(yoke_queue_join(queue, YOKE_NOWAIT), YOKE_OK);
    yoke_queue_close(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_marks_of_an_earlier_recovery_count_for_nothing),
        cmocka_unit_test(test_a_recovery_takes_time_in_proportion_to_what_the_dead_held),
        cmocka_unit_test(test_and_to_what_the_dead_had_put),
        cmocka_unit_test(test_a_consumer_that_always_finds_something_gets_what_came_back),
        cmocka_unit_test(test_a_queue_that_the_dead_emptied_is_not_full),
        cmocka_unit_test(test_nor_one_where_the_dead_was_about_to_reserve),
        cmocka_unit_test(test_also_where_messages_are_small_and_not_held),
    };
    return cmocka_run_group_tests_name("queue, recovery", tests, queues_setup, leak_teardown);
}
