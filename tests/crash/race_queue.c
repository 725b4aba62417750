/*
 * A recovery is stopped before each of its stores, and a living consumer takes what the dead left, or does what else it
 * likes, before it goes on. Built with copies of core's sources that stop (points.h).
 */
#include "core/domain/allocator.h"
#include "core/domain/participant.h"
#include "queue_fixture.h"
#include "support/child.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct race_case {
    const char *name;
    queue_case  queue;
    int (*die)(void *user);           /* what the dead did, with the fixture */
    void (*operation)(void *context); /* the rival's */
    bool redelivered;                 /* what the dead left is flagged if the survivor gets it */
} race_case;

static const race_case *now;
static uint8_t          bytes[QUEUE_LARGE];

static void must(int code)
{
    if (code != YOKE_OK)
        abort();
}

/* ---- the dead ---------------------------------------------------------------------------------------------------- */

static void die(void)
{
    (void)kill(getpid(), SIGKILL);
}

static int die_after_put(void *user)
{
    must(queue_put_number(user, 1));
    die();
    return 0;
}

static int die_holding(void *user)
{
    queue_fixture *f = user;

    must(queue_put_number(user, 1));
    must(yoke_queue_peek(f->queue, &f->views[0], YOKE_NOWAIT));
    die();
    return 0;
}

static void set_up(void *context)
{
    queue_set_up(context);
    (void)child_join(child_start(now->die, context));
}

/* ---- the rival --------------------------------------------------------------------------------------------------- */

static void note(queue_fixture *f, int rc)
{
    if (rc == YOKE_OK)
        f->seen->ended = true; /* it came */
    else if (rc != YOKE_ETIMEDOUT)
        abort();
}

static void get(void *context)
{
    queue_fixture *f = context;

    note(f, yoke_queue_get(f->queue, f->seen->bytes, sizeof f->seen->bytes, NULL, YOKE_NOWAIT));
}

/* Its block is free again, and somebody else's by the time the recovery looks. */
static void get_and_put(void *context)
{
    queue_fixture *f = context;

    get(context);
    must(queue_put_number(f, 2));
}

static void peek_and_return(void *context)
{
    queue_fixture *f = context;

    if (yoke_queue_peek(f->queue, &f->views[0], YOKE_NOWAIT) == YOKE_OK)
        must(yoke_queue_return(f->queue, &f->views[0]));
}

static void peek_and_release(void *context)
{
    queue_fixture *f = context;
    int            rc = yoke_queue_peek(f->queue, &f->views[0], YOKE_NOWAIT);

    if (rc == YOKE_OK) {
        memcpy(f->seen->bytes, f->views[0].data, f->views[0].size);
        must(yoke_queue_release(f->queue, &f->views[0]));
    }
    note(f, rc);
}

/* ---- what must hold ---------------------------------------------------------------------------------------------- */

static const char *check_first(queue_fixture *f)
{
    size_t size = 0;
    int    rc;

    if (f->seen->ended)
        return queue_is(f->test, f->seen->bytes, 1) ? NULL : "the rival's message is damaged";
    memset(bytes, 0, sizeof bytes);
    rc = yoke_queue_get(f->queue, bytes, sizeof bytes, &size, YOKE_NOWAIT);
    return rc == YOKE_OK && size == queue_size_of(f->test, 1) && queue_is(f->test, bytes, 1) ? NULL
                                                                                             : "the message is lost";
}

static const char *check_second(queue_fixture *f)
{
    size_t size = 0;
    int    rc = yoke_queue_get(f->queue, bytes, sizeof bytes, &size, YOKE_NOWAIT);

    if (now->operation != get_and_put)
        return rc == YOKE_ETIMEDOUT ? NULL : "a message came twice";
    if (rc != YOKE_OK || !queue_is(f->test, bytes, 2))
        return "the rival's own message is lost";
    return yoke_queue_empty(f->queue) ? NULL : "a message came twice";
}

static const char *verify(void *context)
{
    queue_fixture *f = context;
    const char    *wrong = NULL;

    queue_recover(context);
    if (queue_blocks(f->domain) == UINT64_MAX)
        return "the heap is out of order";
    /* The rival's message may be the first if the dead one's comes back late. */
    wrong = check_first(f);
    wrong = wrong ? wrong : check_second(f);
    yoke_queue_close(f->queue);
    f->queue = NULL;
    if (!wrong && queue_blocks(f->domain) > f->blocks)
        return "blocks of the queue are left after its end";
    return wrong;
}

static void run(race_case test)
{
    crash_result result;
    crash_case   crash = {.name = test.name,
                          .set_up = set_up,
                          .operation = test.operation,
                          .recover = queue_recover,
                          .verify = verify,
                          .tear_down = queue_tear_down,
                          .context = &queue_now};

    now = &test;
    queue_now.test = &test.queue;
    assert_true(crash_run_race(&crash, &result));
    if (result.faults)
        fail_msg("%s", result.first);
}

static const queue_case large = {.sizes = {QUEUE_LARGE}};
static const queue_case small = {.sizes = {64}};

static void a_consumer_takes_what_a_dead_producer_put(void **state)
{
    (void)state;
    run((race_case){.name = "producer dead, get", .queue = large, .die = die_after_put, .operation = get});
    run((race_case){
        .name = "producer dead, get and put", .queue = large, .die = die_after_put, .operation = get_and_put});
    run((race_case){
        .name = "producer dead, peek, return", .queue = large, .die = die_after_put, .operation = peek_and_return});
    run((race_case){
        .name = "producer dead, peek, release", .queue = large, .die = die_after_put, .operation = peek_and_release});
}

static void a_consumer_takes_what_a_dead_holder_had(void **state)
{
    (void)state;
    run((race_case){.name = "holder dead, get", .queue = small, .die = die_holding, .operation = get});
    run((race_case){
        .name = "holder dead, peek, return", .queue = small, .die = die_holding, .operation = peek_and_return});
    run((race_case){
        .name = "holder dead, peek, release", .queue = large, .die = die_holding, .operation = peek_and_release});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_consumer_takes_what_a_dead_producer_put),
        cmocka_unit_test(a_consumer_takes_what_a_dead_holder_had),
    };
    return queue_crash_main("queue, recovered in the middle of things", tests);
}
