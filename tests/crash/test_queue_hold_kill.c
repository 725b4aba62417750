/*
 * A process is killed everywhere in what it does with messages that it holds: peek, release, return, closing with some
 * held; in a joinable queue get and saying that one is done. What it had not let go of comes back, flagged; what it had
 * is gone for good, and counted once.
 */
#include "queue_fixture.h"

#include "core/domain/participant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void must(int code)
{
    if (code != YOKE_OK)
        abort();
}

static void peek(queue_fixture *now)
{
    must(yoke_queue_peek(now->queue, &now->views[0], YOKE_NOWAIT));
}

static void peek_held(queue_fixture *now)
{
    for (uint32_t i = 0; i < now->test->holds; i++) {
        must(yoke_queue_peek(now->queue, &now->views[i], YOKE_NOWAIT));
        if (!queue_is(now->test, now->views[i].data, i + 1))
            abort();
    }
}

static void release(queue_fixture *now)
{
    must(yoke_queue_release(now->queue, &now->views[0]));
}

static void put_back(queue_fixture *now)
{
    must(yoke_queue_return(now->queue, &now->views[0]));
}

static void close_handle(queue_fixture *now)
{
    yoke_queue_close(now->queue);
}

/* All that it had goes back to the queue before the reference does. */
static void drop_everything(queue_fixture *now)
{
    for (uint32_t i = 0; i < now->test->holds; i++)
        must(yoke_queue_return(now->queue, &now->views[i]));
}

static void peek_returned(queue_fixture *now)
{
    peek_held(now);
    put_back(now);
}

/* Released while others are held: it stands in the middle of the list. */
static void release_second(queue_fixture *now)
{
    must(yoke_queue_release(now->queue, &now->views[1]));
}

static void a_peek_of_a_message_in_the_ring(void **state)
{
    (void)state;
    queue_crash((&(queue_case){.name = "peek, small", .before = 3, .sizes = {64}, .takes = 1, .operation = peek}));
}

static void a_peek_of_a_message_in_a_block(void **state)
{
    (void)state;
    queue_crash(
        (&(queue_case){.name = "peek, block", .before = 3, .sizes = {QUEUE_LARGE}, .takes = 1, .operation = peek}));
}

static void a_peek_of_what_came_back(void **state)
{
    (void)state;
    queue_crash((&(queue_case){.name = "peek, redelivered",
                               .before = 3,
                               .sizes = {64},
                               .holds = 1,
                               .takes = 1,
                               .enter = peek_returned,
                               .operation = peek}));
}

/* By a living process, whose token the block still carries. */
static void return_first(queue_fixture *now)
{
    peek(now);
    put_back(now);
}

/* By a recovery: the block is the queue's. */
static void die_with_first(queue_fixture *now)
{
    pid_t child = fork();

    if (child == 0) {
        peek(now);
        _exit(0);
    }
    if (child < 0 || waitpid(child, NULL, 0) != child || yoke__domain_recover(now->domain) != 1)
        abort();
}

static void a_peek_of_what_another_gave_back(void **state)
{
    (void)state;
    queue_crash((&(queue_case){.name = "peek, returned by another",
                               .before = 3,
                               .sizes = {64},
                               .takes = 1,
                               .arrange = return_first,
                               .operation = peek}));
    queue_crash((&(queue_case){.name = "peek, of a dead one's",
                               .before = 3,
                               .sizes = {64},
                               .takes = 1,
                               .arrange = die_with_first,
                               .operation = peek}));
}

static void a_release(void **state)
{
    (void)state;
    queue_crash((&(queue_case){.name = "release, small",
                               .before = 3,
                               .sizes = {64},
                               .holds = 1,
                               .takes = 1,
                               .consumes = true,
                               .enter = peek_held,
                               .operation = release}));
    queue_crash((&(queue_case){.name = "release, block",
                               .before = 3,
                               .sizes = {QUEUE_LARGE},
                               .holds = 1,
                               .takes = 1,
                               .consumes = true,
                               .enter = peek_held,
                               .operation = release}));
}

static const char *first_and_third_are_back(queue_fixture *now)
{
    return yoke_queue_size(now->queue) >= 3 ? NULL : "more is lost than what was released";
}

static void a_release_of_one_of_three(void **state)
{
    (void)state;
    queue_crash((&(queue_case){.name = "release, of three",
                               .before = 4,
                               .sizes = {64, 64, QUEUE_LARGE, 64},
                               .holds = 3,
                               .takes = 3,
                               .consumes = true,
                               .enter = peek_held,
                               .operation = release_second,
                               .check = first_and_third_are_back}));
}

static void a_return(void **state)
{
    (void)state;
    queue_crash((&(queue_case){.name = "return",
                               .before = 3,
                               .sizes = {64},
                               .holds = 1,
                               .takes = 1,
                               .enter = peek_held,
                               .operation = put_back}));
    queue_crash((&(queue_case){.name = "return, several",
                               .before = 4,
                               .sizes = {64, QUEUE_LARGE},
                               .holds = 3,
                               .takes = 3,
                               .enter = peek_held,
                               .operation = drop_everything}));
}

static void a_close_with_messages_held(void **state)
{
    (void)state;
    queue_crash((&(queue_case){.name = "close, holding",
                               .before = 4,
                               .sizes = {64, QUEUE_LARGE},
                               .holds = 3,
                               .takes = 3,
                               .enter = peek_held,
                               .operation = close_handle}));
}

/* ---- joinable ---------------------------------------------------------------------------------------------------- */

static void get(queue_fixture *now)
{
    must(yoke_queue_get(now->queue, now->seen->bytes, sizeof now->seen->bytes, NULL, YOKE_NOWAIT));
}

static void get_many(queue_fixture *now)
{
    size_t sizes[8];
    size_t count;

    must(yoke_queue_get_many(now->queue, now->seen->bytes, sizeof now->seen->bytes, sizes, now->test->takes, &count,
                             YOKE_NOWAIT));
}

static void get_held(queue_fixture *now)
{
    for (uint32_t i = 0; i < now->test->holds; i++)
        must(yoke_queue_get_message(now->queue, &now->messages[i], YOKE_NOWAIT));
}

static void task_done(queue_fixture *now)
{
    must(yoke_queue_task_done(now->queue));
}

static void message_done(queue_fixture *now)
{
    must(yoke_queue_message_done(now->queue, now->messages[1]));
}

static const char *at_most_one_is_done(queue_fixture *now)
{
    int64_t unfinished = yoke_queue_unfinished(now->queue);
    int64_t before = now->test->before;

    if (unfinished != before && unfinished != before - 1)
        return "one message was done more or less than once";
    if (now->seen->ended && unfinished == before)
        return "what was done counts as unfinished";
    return NULL;
}

static void a_joinable_get(void **state)
{
    (void)state;
    queue_crash((&(queue_case){
        .name = "joinable get, small", .joinable = true, .before = 3, .sizes = {64}, .takes = 1, .operation = get}));
    queue_crash((&(queue_case){.name = "joinable get, block",
                               .joinable = true,
                               .before = 3,
                               .sizes = {QUEUE_LARGE},
                               .takes = 1,
                               .operation = get}));
    queue_crash((&(queue_case){.name = "joinable get_many",
                               .joinable = true,
                               .before = 5,
                               .sizes = {64, 1000, 4080, QUEUE_LARGE},
                               .takes = 3,
                               .operation = get_many}));
}

static void a_task_done(void **state)
{
    (void)state;
    queue_crash((&(queue_case){.name = "task_done",
                               .joinable = true,
                               .before = 4,
                               .sizes = {64, QUEUE_LARGE},
                               .holds = 2,
                               .takes = 2,
                               .consumes = true,
                               .enter = get_held,
                               .operation = task_done,
                               .check = at_most_one_is_done}));
}

static void a_message_done(void **state)
{
    (void)state;
    queue_crash((&(queue_case){.name = "message_done",
                               .joinable = true,
                               .before = 4,
                               .sizes = {64},
                               .holds = 3,
                               .takes = 3,
                               .consumes = true,
                               .enter = get_held,
                               .operation = message_done,
                               .check = at_most_one_is_done}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_peek_of_a_message_in_the_ring),
        cmocka_unit_test(a_peek_of_a_message_in_a_block),
        cmocka_unit_test(a_peek_of_what_came_back),
        cmocka_unit_test(a_peek_of_what_another_gave_back),
        cmocka_unit_test(a_release),
        cmocka_unit_test(a_release_of_one_of_three),
        cmocka_unit_test(a_return),
        cmocka_unit_test(a_close_with_messages_held),
        cmocka_unit_test(a_joinable_get),
        cmocka_unit_test(a_task_done),
        cmocka_unit_test(a_message_done),
    };
    return queue_crash_main("queue, killed holding", tests);
}
