/* The barrier's calls and their errors, within one process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "core/domain/allocator.h"
#include "core/domain/participant.h"
#include "core/sync/barrier.h"
#include "support/child.h"
#include "support/shared.h"

#include <yoke/yoke.h>

static bool error_says(const char *text)
{
    return strstr(yoke_last_error()->text, text) != NULL;
}

static int act(void *user)
{
    ++*(int *)user;
    return 0;
}

static void test_bad_handles_and_arguments_are_errors(void **state)
{
    yoke_barrier *barrier = NULL;
    int64_t       index = 5;
    int           count = 0;

    (void)state;
    assert_int_equal(yoke_barrier_create(&barrier, 0, NULL), YOKE_EINVAL);
    assert_true(error_says("0 parties"));
    assert_int_equal(yoke_barrier_create(&barrier, -3, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_barrier_create(&barrier, INT64_MAX, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_barrier_create(&barrier, (INT64_C(1) << 32) + 1, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_barrier_create(NULL, 2, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_barrier_create(&barrier, 2, &(yoke_barrier_options){.struct_size = 1}), YOKE_EINVAL);
    assert_int_equal(yoke_barrier_open(&barrier, NULL, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_barrier_open(&barrier, NULL, "no-such-barrier"), YOKE_ENOENT);
    assert_null(barrier);
    assert_int_equal(yoke_barrier_create(&barrier, 2, NULL), YOKE_OK);
    assert_int_equal(yoke_barrier_set_action(barrier, act, &count), YOKE_EINVAL);
    yoke_barrier_close(NULL);
    yoke_barrier_close(barrier);
    assert_int_equal(yoke_barrier_wait(barrier, YOKE_FOREVER, &index), YOKE_EINVAL);
    assert_int_equal(yoke_barrier_join(barrier), YOKE_EINVAL);
    assert_int_equal(yoke_barrier_leave(barrier), YOKE_EINVAL);
    assert_int_equal(yoke_barrier_abort(barrier), YOKE_EINVAL);
    assert_int_equal(yoke_barrier_reset(NULL), YOKE_EINVAL);
    assert_int_equal(yoke_barrier_parties(barrier), YOKE_EINVAL);
    assert_int_equal(yoke_barrier_waiting(barrier), YOKE_EINVAL);
    assert_false(yoke_barrier_broken(barrier));
    assert_int_equal(index, 5);
}

static void test_a_named_barrier_is_found_and_its_options_compared(void **state)
{
    yoke_barrier *barrier, *same, *none = NULL;
    int           count = 0;

    (void)state;
    assert_int_equal(yoke_barrier_create(&barrier, 3, YOKE_OPTIONS(yoke_barrier_options, .name = "start")), YOKE_OK);
    assert_int_equal(yoke_barrier_parties(barrier), 3);
    assert_int_equal(yoke_barrier_create(&none, 3, YOKE_OPTIONS(yoke_barrier_options, .name = "start")), YOKE_EEXIST);
    assert_int_equal(
        yoke_barrier_create(&none, 4, YOKE_OPTIONS(yoke_barrier_options, .name = "start", .mode = YOKE_OPEN)),
        YOKE_EINVAL);
    assert_true(error_says("3 parties") && error_says("4"));
    assert_int_equal(yoke_barrier_create(&none, 3,
                                         YOKE_OPTIONS(yoke_barrier_options, .name = "start", .mode = YOKE_OPEN,
                                                      .action = act, .user = &count)),
                     YOKE_EINVAL);
    assert_true(error_says("without an action"));
    assert_int_equal(yoke_barrier_open(&same, NULL, "start"), YOKE_OK);
    assert_int_equal(yoke_barrier_parties(same), 3);
    assert_null(none);
    yoke_barrier_close(same);
    yoke_barrier_close(barrier);
}

static void test_a_handle_without_the_action_has_to_be_given_it(void **state)
{
    yoke_barrier *barrier, *same;
    int           count = 0, other = 0;

    (void)state;
    assert_int_equal(
        yoke_barrier_create(&barrier, 1,
                            YOKE_OPTIONS(yoke_barrier_options, .name = "acting", .action = act, .user = &count)),
        YOKE_OK);
    assert_int_equal(yoke_barrier_open(&same, NULL, "acting"), YOKE_OK);
    assert_int_equal(yoke_barrier_wait(same, YOKE_FOREVER, NULL), YOKE_EINVAL);
    assert_true(error_says("set_action"));
    assert_int_equal(yoke_barrier_waiting(same), 0);
    assert_int_equal(yoke_barrier_set_action(same, NULL, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_barrier_set_action(same, act, &other), YOKE_OK);
    assert_int_equal(yoke_barrier_wait(same, YOKE_FOREVER, NULL), YOKE_OK);
    assert_int_equal(yoke_barrier_wait(barrier, YOKE_FOREVER, NULL), YOKE_OK);
    assert_int_equal(count, 1);
    assert_int_equal(other, 1);
    yoke_barrier_close(same);
    yoke_barrier_close(barrier);
}

static void *wait_in_thread(void *user)
{
    return (void *)(intptr_t)yoke_barrier_wait(user, YOKE_FOREVER, NULL);
}

/* One may be in the next round while another is still about to leave the last: records are used again, not piled up. */
static void test_many_rounds_need_no_more_memory_than_a_few(void **state)
{
    yoke__alloc_stats before, after;
    yoke_barrier     *barrier;
    pthread_t         thread;
    void             *result;

    (void)state;
    assert_int_equal(yoke__alloc_check(shared_domain(), &before), YOKE_OK);
    assert_int_equal(yoke_barrier_create(&barrier, 2, NULL), YOKE_OK);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(pthread_create(&thread, NULL, wait_in_thread, barrier), 0);
        assert_int_equal(yoke_barrier_wait(barrier, YOKE_FOREVER, NULL), YOKE_OK);
        assert_int_equal(pthread_join(thread, &result), 0);
        assert_int_equal((int)(intptr_t)result, YOKE_OK);
    }
    assert_int_equal(yoke__alloc_check(shared_domain(), &after), YOKE_OK);
    assert_in_range(after.object_blocks - before.object_blocks, 3, 4);
    yoke_barrier_close(barrier);
    assert_int_equal(yoke__alloc_check(shared_domain(), &after), YOKE_OK);
    assert_int_equal(after.object_blocks + after.token_blocks, before.object_blocks + before.token_blocks);
}

static void test_who_comes_alone_and_does_not_wait_breaks_it(void **state)
{
    yoke_barrier *barrier;

    (void)state;
    assert_int_equal(yoke_barrier_create(&barrier, 2, NULL), YOKE_OK);
    assert_int_equal(yoke_barrier_wait(barrier, YOKE_NOWAIT, NULL), YOKE_ETIMEDOUT);
    assert_true(error_says("1 of 2"));
    assert_true(yoke_barrier_broken(barrier));
    assert_int_equal(yoke_barrier_reset(barrier), YOKE_OK);
    assert_false(yoke_barrier_broken(barrier));
    yoke_barrier_close(barrier);
}

/* ---- held up ------------------------------------------------------------------------------------------------------- */

static yoke__barrier inner(const yoke_barrier *barrier)
{
    return (yoke__barrier){shared_domain(), barrier->handle.object, barrier->handle.id};
}

typedef struct scene {
    yoke_barrier *barrier;
    _Atomic int   stage; /* 1: it holds the guard, or its action runs; 2: go on */
} scene;

static int hold_the_guard(void *user)
{
    scene        *s = user;
    yoke__barrier b = inner(s->barrier);

    CHILD_CHECK(yoke__barrier_lock(&b) == YOKE_OK);
    s->stage = 1;
    (void)pause();
    return 0;
}

static int wait_in_child(void *user)
{
    scene *s = user;
    int    result = yoke_barrier_wait(s->barrier, YOKE_FOREVER, NULL);

    return result == YOKE_EBROKEN ? 7 : result == YOKE_OK ? 0 : 1;
}

static pid_t start_holder(scene *s)
{
    pid_t pid = child_start(hold_the_guard, s);

    while (s->stage != 1)
        (void)sched_yield();
    return pid;
}

static void test_time_outs_hold_while_a_process_is_held_up_in_a_change(void **state)
{
    scene    *s = shared_alloc(sizeof *s);
    long long start;

    (void)state;
    assert_int_equal(yoke_barrier_create(&s->barrier, 2, NULL), YOKE_OK);
    pid_t holder = start_holder(s);
    start = milliseconds();
    assert_int_equal(yoke_barrier_wait(s->barrier, YOKE_NOWAIT, NULL), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_last_error()->pid, holder);
    assert_int_equal(yoke_barrier_wait(s->barrier, 100, NULL), YOKE_ETIMEDOUT);
    assert_true(error_says("is it stopped?"));
    assert_in_range(milliseconds() - start, 100, 5000);
    assert_int_equal(yoke_barrier_waiting(s->barrier), 0);
    assert_false(yoke_barrier_broken(s->barrier)); /* who has not arrived breaks nothing */
    child_kill(holder);
    yoke_barrier_close(s->barrier);
    shared_free(s);
}

typedef int untimed(yoke_barrier *barrier);

/* Calls that have no time-out have a limit instead; with it over nothing has happened. */
static void test_calls_without_a_time_out_have_a_limit(void **state)
{
    untimed *const calls[] = {yoke_barrier_abort, yoke_barrier_reset, yoke_barrier_join, yoke_barrier_leave};
    scene         *s = shared_alloc(sizeof *s);

    (void)state;
    assert_int_equal(yoke_barrier_create(&s->barrier, 2, NULL), YOKE_OK);
    assert_int_equal(yoke_barrier_join(s->barrier), YOKE_OK);
    pid_t holder = start_holder(s);
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        long long start = milliseconds();
        assert_int_equal(calls[i](s->barrier), YOKE_ETIMEDOUT);
        assert_int_equal(yoke_last_error()->pid, holder);
        assert_true(error_says("is it stopped?"));
        assert_in_range(milliseconds() - start, YOKE_BARRIER_LIMIT, 10 * YOKE_BARRIER_LIMIT);
    }
    assert_false(yoke_barrier_broken(s->barrier));
    child_kill(holder);
    assert_int_equal(yoke_barrier_join(s->barrier), YOKE_OK);
    assert_int_equal(yoke_barrier_join(s->barrier), YOKE_EBUSY);
    assert_int_equal(yoke_barrier_leave(s->barrier), YOKE_OK);
    assert_int_equal(yoke_barrier_abort(s->barrier), YOKE_OK);
    assert_int_equal(yoke_barrier_reset(s->barrier), YOKE_OK);
    assert_false(yoke_barrier_broken(s->barrier));
    yoke_barrier_close(s->barrier);
    shared_free(s);
}

/* One was about to give up, and has said who it is, when another aborted: that one is named, for what it did. */
static void test_who_is_named_did_what_is_said(void **state)
{
    yoke_barrier *barrier;
    yoke__barrier b;
    yoke__token   culprit = 0;

    (void)state;
    assert_int_equal(yoke_barrier_create(&barrier, 2, NULL), YOKE_OK);
    assert_non_null(yoke__barrier_find(&b, barrier));
    yoke__token mine = yoke__domain_token(b.domain), other = yoke__token_make(77, 3);
    yoke__a32_store_release(&yoke__barrier_round(&b)->culprits[YOKE__WHY_TIMED_OUT], other);
    assert_true(yoke__barrier_give_up(&b, yoke__barrier_round(&b), YOKE__WHY_CLOSED));
    assert_int_equal(yoke__barrier_broken(&b, &culprit), YOKE__WHY_CLOSED);
    assert_int_equal(culprit, mine);
    assert_int_equal(yoke_barrier_reset(barrier), YOKE_OK);
    assert_int_equal(yoke_barrier_wait(barrier, YOKE_NOWAIT, NULL), YOKE_ETIMEDOUT);
    yoke_barrier_close(barrier);
}

static void *give_up_in_thread(void *user)
{
    return (void *)(intptr_t)yoke_barrier_wait(user, 300, NULL);
}

static void test_a_party_gives_up_while_another_is_held_up_in_a_change(void **state)
{
    scene    *s = shared_alloc(sizeof *s);
    pthread_t thread;
    void     *result;

    (void)state;
    assert_int_equal(yoke_barrier_create(&s->barrier, 3, NULL), YOKE_OK);
    pid_t other = child_start(wait_in_child, s);
    while (yoke_barrier_waiting(s->barrier) != 1)
        (void)sched_yield();
    assert_int_equal(pthread_create(&thread, NULL, give_up_in_thread, s->barrier), 0);
    while (yoke_barrier_waiting(s->barrier) != 2)
        (void)sched_yield();
    pid_t holder = start_holder(s);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_int_equal((int)(intptr_t)result, YOKE_ETIMEDOUT);
    assert_true(yoke_barrier_broken(s->barrier));
    assert_int_equal(yoke_barrier_waiting(s->barrier), 0);
    child_kill(holder);
    assert_int_equal(child_join(other), 7);
    assert_int_equal(yoke_barrier_wait(s->barrier, YOKE_FOREVER, NULL), YOKE_EBROKEN);
    assert_true(error_says("time-out"));
    assert_int_equal(yoke_last_error()->pid, getpid());
    assert_int_equal(yoke_barrier_reset(s->barrier), YOKE_OK);
    assert_false(yoke_barrier_broken(s->barrier));
    yoke_barrier_close(s->barrier);
    shared_free(s);
}

static int act_until_told(void *user)
{
    scene *s = user;

    if (s->stage == 0) {
        s->stage = 1;
        while (s->stage != 2)
            (void)sched_yield();
    }
    return 0;
}

/* It is stopped asleep on the round whose action runs. The record of that serves a later round when it looks again. */
static void test_who_came_during_an_action_joins_the_round_that_is_open_when_it_looks(void **state)
{
    scene *s = shared_alloc(sizeof *s);
    pid_t  parties[2];

    (void)state;
    assert_int_equal(
        yoke_barrier_create(&s->barrier, 2, YOKE_OPTIONS(yoke_barrier_options, .action = act_until_told, .user = s)),
        YOKE_OK);
    for (int i = 0; i < 2; i++)
        parties[i] = child_start(wait_in_child, s);
    while (s->stage != 1)
        (void)sched_yield();
    pid_t late = child_start(wait_in_child, s);
    assert_true(sleeps(late));
    assert_int_equal(kill(late, SIGSTOP), 0);
    s->stage = 2;
    for (int round = 0; round < 2; round++) {
        assert_int_equal(child_join(parties[0]), 0);
        assert_int_equal(child_join(parties[1]), 0);
        for (int i = 0; i < 2 && round == 0; i++)
            parties[i] = child_start(wait_in_child, s);
    }
    pid_t other = child_start(wait_in_child, s); /* in the first one's record */
    while (yoke_barrier_waiting(s->barrier) != 1)
        (void)sched_yield();
    assert_int_equal(kill(late, SIGCONT), 0);
    assert_int_equal(child_join(other), 0);
    assert_int_equal(child_join(late), 0);
    yoke_barrier_close(s->barrier);
    shared_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_handles_and_arguments_are_errors),
        cmocka_unit_test(test_a_named_barrier_is_found_and_its_options_compared),
        cmocka_unit_test(test_a_handle_without_the_action_has_to_be_given_it),
        cmocka_unit_test(test_many_rounds_need_no_more_memory_than_a_few),
        cmocka_unit_test(test_calls_without_a_time_out_have_a_limit),
        cmocka_unit_test(test_who_is_named_did_what_is_said),
        cmocka_unit_test(test_who_comes_alone_and_does_not_wait_breaks_it),
        cmocka_unit_test(test_time_outs_hold_while_a_process_is_held_up_in_a_change),
        cmocka_unit_test(test_a_party_gives_up_while_another_is_held_up_in_a_change),
        cmocka_unit_test(test_who_came_during_an_action_joins_the_round_that_is_open_when_it_looks),
    };
    return cmocka_run_group_tests_name("barrier", tests, shared_setup, shared_teardown);
}
