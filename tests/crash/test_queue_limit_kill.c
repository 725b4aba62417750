/*
 * A process is killed everywhere in putting into a queue with limits, and in reserving, committing and aborting, with
 * reservations open. Afterwards the limits are what they were: nothing leaks, nothing counts twice. And in shutting a
 * queue down: it is shut or not, and what was to be discarded is gone, and counted as done.
 */
#include "queue_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void must(int code)
{
    if (code != YOKE_OK)
        abort();
}

static uint8_t bytes[QUEUE_LARGE];

static void make_message(queue_fixture *now)
{
    queue_write(now->test, bytes, now->test->before + 1);
}

static uint32_t next_size(const queue_fixture *now)
{
    return queue_size_of(now->test, now->test->before + 1);
}

static void put(queue_fixture *now)
{
    must(yoke_queue_put(now->queue, bytes, next_size(now), YOKE_NOWAIT));
}

/* More than what is used of it. */
static void reserve(queue_fixture *now)
{
    must(yoke_queue_reserve(now->queue, &now->slot, next_size(now) + 100, YOKE_NOWAIT));
}

static void reserve_and_write(queue_fixture *now)
{
    reserve(now);
    queue_write(now->test, now->slot.data, now->test->before + 1);
}

static void commit(queue_fixture *now)
{
    must(yoke_queue_commit(now->queue, &now->slot, next_size(now)));
}

static void abort_slot(queue_fixture *now)
{
    yoke_queue_abort(now->queue, &now->slot);
}

static void get(queue_fixture *now)
{
    must(yoke_queue_get(now->queue, now->seen->bytes, sizeof now->seen->bytes, NULL, YOKE_NOWAIT));
}

static void reserve_and_peek(queue_fixture *now)
{
    reserve(now);
    make_message(now);
    must(yoke_queue_peek(now->queue, &now->views[0], YOKE_NOWAIT));
}

static void a_put_with_limits(void **state)
{
    (void)state;
    queue_crash((&(queue_case){.name = "put, limits",
                               .max_items = 6,
                               .max_bytes = 4000,
                               .before = 3,
                               .sizes = {400},
                               .puts = 1,
                               .enter = make_message,
                               .operation = put}));
}

static void a_put_with_a_reservation_open(void **state)
{
    (void)state;
    queue_crash((&(queue_case){.name = "put, reserving and holding",
                               .max_items = 6,
                               .max_bytes = 4000,
                               .before = 3,
                               .sizes = {400},
                               .puts = 1,
                               .holds = 1,
                               .takes = 1,
                               .enter = reserve_and_peek,
                               .operation = put}));
}

static void a_get_with_limits(void **state)
{
    (void)state;
    queue_crash((&(queue_case){.name = "get, limits",
                               .max_items = 4,
                               .max_bytes = 1600,
                               .before = 3,
                               .sizes = {400},
                               .takes = 1,
                               .operation = get}));
}

static void a_reserve(void **state)
{
    (void)state;
    queue_crash((&(queue_case){.name = "reserve, no limits", .before = 2, .sizes = {64}, .operation = reserve}));
    queue_crash((&(queue_case){.name = "reserve, limits",
                               .max_items = 6,
                               .max_bytes = 4000,
                               .before = 2,
                               .sizes = {400},
                               .operation = reserve}));
}

static void a_commit(void **state)
{
    (void)state;
    queue_crash((&(queue_case){.name = "commit, no limits",
                               .before = 2,
                               .sizes = {64},
                               .puts = 1,
                               .enter = reserve_and_write,
                               .operation = commit}));
    queue_crash((&(queue_case){.name = "commit, limits",
                               .max_items = 6,
                               .max_bytes = 4000,
                               .before = 2,
                               .sizes = {400},
                               .puts = 1,
                               .enter = reserve_and_write,
                               .operation = commit}));
}

static void an_abort(void **state)
{
    (void)state;
    queue_crash((&(queue_case){.name = "abort, limits",
                               .max_items = 6,
                               .max_bytes = 4000,
                               .before = 2,
                               .sizes = {400},
                               .enter = reserve_and_write,
                               .operation = abort_slot}));
}

/* ---- shutting down ----------------------------------------------------------------------------------------------- */

static void shut_down(queue_fixture *now)
{
    if (yoke_queue_shutdown(now->queue, now->test->shuts) < 0)
        abort();
}

static void peek_first(queue_fixture *now)
{
    must(yoke_queue_peek(now->queue, &now->views[0], YOKE_NOWAIT));
}

static void shut_all(bool joinable, yoke_shutdown how, const char *name, const char *name_holding)
{
    queue_case test = {.name = name,
                       .joinable = joinable,
                       .before = 4,
                       .sizes = {64, QUEUE_LARGE},
                       .shut = true,
                       .shuts = how,
                       .operation = shut_down};

    queue_crash(&test);
    test.name = name_holding;
    test.holds = test.takes = 1;
    test.enter = peek_first;
    queue_crash(&test);
}

static void a_shutdown_that_drains(void **state)
{
    (void)state;
    shut_all(false, YOKE_DRAIN, "shutdown, drain", "shutdown, drain, holding");
    shut_all(true, YOKE_DRAIN, "joinable shutdown, drain", "joinable drain, holding");
}

static void a_shutdown_at_once(void **state)
{
    (void)state;
    shut_all(false, YOKE_IMMEDIATE, "shutdown, immediate", "shutdown, immediate, holding");
    shut_all(true, YOKE_IMMEDIATE, "joinable shutdown, immediate", "joinable immediate, holding");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_put_with_limits),
        cmocka_unit_test(a_put_with_a_reservation_open),
        cmocka_unit_test(a_get_with_limits),
        cmocka_unit_test(a_reserve),
        cmocka_unit_test(a_commit),
        cmocka_unit_test(an_abort),
        cmocka_unit_test(a_shutdown_that_drains),
        cmocka_unit_test(a_shutdown_at_once),
    };
    return queue_crash_main("queue, killed at its limits", tests);
}
