/* yoke_wait and watches on event loops for events and semaphores, mixed with queues and processes, thousands of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "core/domain/participant.h"
#include "core/sync/semaphore.h"
#include "support/child.h"
#include "support/shared.h"
#include "support/stage.h"

static yoke_event *new_event(void)
{
    yoke_event *event;

    assert_int_equal(yoke_event_create(&event, NULL), YOKE_OK);
    return event;
}

static yoke_semaphore *new_semaphore(int64_t initial, bool permits)
{
    yoke_semaphore *semaphore;

    assert_int_equal(
        yoke_semaphore_create(&semaphore, initial, YOKE_OPTIONS(yoke_semaphore_options, .permits = permits)), YOKE_OK);
    return semaphore;
}

static yoke_queue *new_queue(void)
{
    yoke_queue *queue;

    assert_int_equal(yoke_queue_create(&queue, NULL), YOKE_OK);
    return queue;
}

/* ---- yoke_wait ------------------------------------------------------------------------------------------------------- */

static void test_all_that_are_ready_are_told(void **state)
{
    yoke_event     *set = new_event(), *clear = new_event();
    yoke_semaphore *some = new_semaphore(1, false), *none = new_semaphore(0, false), *permits = new_semaphore(1, true);
    yoke_wait_entry entries[] = {yoke_wait_event_set(set), yoke_wait_event_set(clear),
                                 yoke_wait_semaphore_available(some), yoke_wait_semaphore_available(none),
                                 yoke_wait_semaphore_available(permits)};
    (void)state;

    assert_int_equal(yoke_event_set(set), YOKE_OK);
    assert_int_equal(yoke_wait(entries, 5, YOKE_FOREVER), 3);
    assert_true(entries[0].ready && entries[2].ready && entries[4].ready);
    assert_int_equal(entries[2].status, YOKE_OK);
    assert_int_equal(yoke_semaphore_acquire(some, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_semaphore_acquire(permits, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_wait(entries, 5, YOKE_NOWAIT), 1);
    assert_int_equal(yoke_event_clear(set), YOKE_OK);
    assert_int_equal(yoke_wait(entries, 5, 20), YOKE_ETIMEDOUT);
    yoke_event_close(set);
    yoke_event_close(clear);
    yoke_semaphore_close(some);
    yoke_semaphore_close(none);
    yoke_semaphore_close(permits);
}

static void test_mistakes_are_told(void **state)
{
    yoke_event     *event = new_event();
    yoke_semaphore *semaphore = new_semaphore(1, false);
    yoke_wait_entry entries[] = {yoke_wait_event_set(event), yoke_wait_semaphore_available(semaphore)};
    (void)state;

    entries[1].what = YOKE_WAIT_READABLE;
    assert_int_equal(yoke_wait(entries, 2, YOKE_NOWAIT), YOKE_EINVAL);
    assert_non_null(strstr(yoke_last_error()->text, "a semaphore can't be waited for in that way"));
    entries[1] = yoke_wait_semaphore_available((yoke_semaphore *)(void *)event);
    assert_int_equal(yoke_wait(entries, 2, YOKE_NOWAIT), YOKE_EINVAL);
    yoke_event_close(event);
    entries[1] = yoke_wait_semaphore_available(semaphore);
    assert_int_equal(yoke_wait(entries, 2, YOKE_NOWAIT), YOKE_EINVAL);
    assert_non_null(strstr(yoke_last_error()->text, "entry 0"));
    yoke_semaphore_close(semaphore);
}

static int hold_a_permit_until_killed(const yoke_args *args)
{
    YOKE_TRY(yoke_semaphore_acquire(yoke_args_semaphore(args, 0), YOKE_FOREVER));
    YOKE_TRY(yoke_event_set(yoke_args_event(args, 1)));
    return yoke_event_wait(yoke_args_event(args, 2), YOKE_FOREVER);
}

/* Nobody else looks for the dead. */
static void test_a_permit_of_the_dead_is_found_by_who_waits(void **state)
{
    yoke_semaphore *semaphore = new_semaphore(1, true);
    yoke_event     *held = new_event(), *never = new_event();
    yoke_process   *process;
    yoke_wait_entry entry = yoke_wait_semaphore_available(semaphore);
    (void)state;

    assert_int_equal(yoke_process_start(&process, hold_a_permit_until_killed, YOKE_ARGS(semaphore, held, never), NULL),
                     YOKE_OK);
    assert_int_equal(yoke_event_wait(held, MINUTE), YOKE_OK);
    assert_int_equal(yoke_wait(&entry, 1, YOKE_NOWAIT), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_process_kill(process), YOKE_OK);
    assert_int_equal(yoke_wait(&entry, 1, MINUTE), 1);
    assert_int_equal(yoke_semaphore_acquire(semaphore, YOKE_NOWAIT), YOKE_OWNER_DIED);
    assert_int_equal(yoke_process_finish(process, NULL, MINUTE), YOKE_OK);
    yoke_event_close(held);
    yoke_event_close(never);
    yoke_semaphore_close(semaphore);
}

/* ---- thousands ------------------------------------------------------------------------------------------------------- */

enum { EACH = 2000, CHILDREN = 4 };

static yoke_event     *events[EACH];
static yoke_semaphore *semaphores[EACH];
static yoke_queue     *queues[EACH];
static yoke_wait_entry entries[3 * EACH + CHILDREN];

/* Child n makes ready the things of its own place, one after the other, each when it is told. */
static int make_ready(const yoke_args *args)
{
    yoke_semaphore *turn = yoke_args_semaphore(args, 0);

    YOKE_TRY(yoke_semaphore_acquire(turn, MINUTE));
    YOKE_TRY(yoke_event_set(yoke_args_event(args, 1)));
    YOKE_TRY(yoke_semaphore_acquire(turn, MINUTE));
    YOKE_TRY(yoke_semaphore_release(yoke_args_semaphore(args, 2)));
    YOKE_TRY(yoke_semaphore_acquire(turn, MINUTE));
    return yoke_queue_put(yoke_args_queue(args, 3), "x", 1, MINUTE);
}

static void expect_only(size_t place)
{
    assert_int_equal(yoke_wait(entries, 3 * EACH + CHILDREN, MINUTE), 1);
    assert_true(entries[place].ready);
}

static void make_thousands(void)
{
    for (int i = 0; i < EACH; i++) {
        events[i] = new_event();
        semaphores[i] = new_semaphore(i % 2, i % 2);
        queues[i] = new_queue();
        entries[i] = yoke_wait_event_set(events[i]);
        entries[EACH + i] = yoke_wait_semaphore_available(semaphores[i]);
        entries[2 * EACH + i] = yoke_wait_queue_readable(queues[i]);
        if (i % 2) /* permit mode */
            assert_int_equal(yoke_semaphore_acquire(semaphores[i], YOKE_NOWAIT), YOKE_OK);
    }
}

static void close_thousands(void)
{
    for (int i = 0; i < EACH; i++) {
        yoke_event_close(events[i]);
        yoke_semaphore_close(semaphores[i]);
        yoke_queue_close(queues[i]);
    }
}

/* One child's part, the caller being asleep over all things meanwhile. */
static void watch_a_child(int child, yoke_process **process)
{
    int             place = child * 499 / 2 * 2; /* of semaphores: one in signal mode, so that another may release */
    yoke_semaphore *turn = new_semaphore(0, false);
    char            byte;

    assert_int_equal(
        yoke_process_start(process, make_ready, YOKE_ARGS(turn, events[place], semaphores[place], queues[place]), NULL),
        YOKE_OK);
    entries[3 * EACH + child] = yoke_wait_process_ended(*process);
    assert_int_equal(yoke_semaphore_release(turn), YOKE_OK);
    expect_only((size_t)place);
    assert_int_equal(yoke_event_clear(events[place]), YOKE_OK);
    assert_int_equal(yoke_semaphore_release(turn), YOKE_OK);
    expect_only((size_t)(EACH + place));
    assert_int_equal(yoke_semaphore_acquire(semaphores[place], YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_semaphore_release(turn), YOKE_OK);
    while (yoke_queue_get(queues[place], &byte, 1, NULL, YOKE_NOWAIT) != YOKE_OK)
        assert_true(yoke_wait(entries, 3 * EACH + CHILDREN, MINUTE) >= 1);
    expect_only((size_t)(3 * EACH + child));
    entries[3 * EACH + child] = (yoke_wait_entry){0};
    assert_int_equal(yoke_process_finish(*process, NULL, MINUTE), YOKE_OK);
    yoke_semaphore_close(turn);
}

static void test_thousands_of_all_kinds_are_waited_for_at_once(void **state)
{
    yoke_process *process;
    (void)state;

    make_thousands();
    assert_int_equal(yoke_wait(entries, 3 * EACH + CHILDREN, 100), YOKE_ETIMEDOUT);
    for (int i = 0; i < CHILDREN; i++)
        watch_a_child(i, &process);
    close_thousands();
}

/* ---- loops ----------------------------------------------------------------------------------------------------------- */

typedef struct told {
    stage          *stage;
    yoke_event     *event;
    yoke_semaphore *semaphore;
    int             calls, last;
} told;

static void on_event(yoke_watch *watch, int status, void *user)
{
    told *t = user;

    t->last = status;
    if (++t->calls == 3)
        yoke_watch_stop(watch, NULL);
}

static void on_semaphore(yoke_watch *watch, int status, void *user)
{
    told *t = user;

    t->last = status;
    t->calls++;
    if (status != YOKE_OK || yoke_semaphore_acquire(t->semaphore, YOKE_NOWAIT) != YOKE_OK)
        yoke_watch_stop(watch, NULL);
}

static void test_loops_watch_both(void **state)
{
    stage       s;
    told        first = {.stage = &s}, second = {.stage = &s};
    yoke_watch *watches[2];
    (void)state;

    stage_begin(&s, 0);
    first.event = new_event();
    second.semaphore = new_semaphore(0, false);
    assert_int_equal(yoke_event_watch(&watches[0], first.event, &s.loop, on_event, &first), YOKE_OK);
    assert_int_equal(yoke_semaphore_watch(&watches[1], second.semaphore, &s.loop, on_semaphore, &second), YOKE_OK);
    stage_rounds(&s, 5);
    assert_int_equal(first.calls + second.calls, 0);
    assert_int_equal(yoke_event_set(first.event), YOKE_OK);
    while (first.calls < 3) /* level-triggered */
        (void)uv_run(&s.loop, UV_RUN_ONCE);
    assert_int_equal(yoke_semaphore_release_many(second.semaphore, 5), YOKE_OK);
    while (second.calls < 5)
        (void)uv_run(&s.loop, UV_RUN_ONCE);
    stage_rounds(&s, 10);
    assert_int_equal(second.calls, 5);
    yoke_semaphore_close(second.semaphore);
    while (second.calls < 6)
        (void)uv_run(&s.loop, UV_RUN_ONCE);
    assert_int_equal(second.last, YOKE_ECLOSED);
    assert_int_equal(first.last, YOKE_OK);
    stage_end(&s);
    yoke_event_close(first.event);
}

int main(int argc, char **argv)
{
    yoke_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_that_are_ready_are_told),
        cmocka_unit_test(test_mistakes_are_told),
        cmocka_unit_test(test_a_permit_of_the_dead_is_found_by_who_waits),
        cmocka_unit_test(test_thousands_of_all_kinds_are_waited_for_at_once),
        cmocka_unit_test(test_loops_watch_both),
    };
    return cmocka_run_group_tests_name("waiting for events and semaphores", tests, stage_setup, shared_teardown);
}
