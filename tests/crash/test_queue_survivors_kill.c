/*
 * A victim is killed everywhere while somebody sleeps: in a get, in a put that waits for room, in a join. Nobody helps:
 * no further message is put, no call is made and no recovery is begun but by the sleeper itself. What it waits for must
 * come within three slices of the victim's death.
 */
#include "core/domain/object.h"
#include "core/queue/queue.h"
#include "queue_fixture.h"
#include "support/child.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#define PATIENCE (3 * YOKE__SLICE / 1000000 + 300) /* ms, with what a loaded machine may add */

/* Written by the victim and the sleeper. */
typedef struct log_page {
    volatile pid_t    sleeper;
    volatile int      rc;
    volatile bool     ended;
    volatile uint32_t number;
    volatile bool     redelivered;
} log_page;

typedef struct sleeper_case {
    const char *name;
    queue_case  queue;
    int (*sleep)(queue_fixture *f);      /* the sleeper */
    void (*prepare)(queue_fixture *f);   /* the victim, before anybody sleeps; may be NULL */
    void (*operation)(void *context);    /* the victim, stepped */
    bool (*due)(const queue_fixture *f); /* must the sleep end? Looks without any lock: it must not help */
    bool redelivered;                    /* what the sleeper gets is flagged */
} sleeper_case;

static const sleeper_case *now;
static log_page           *page;
static uint8_t             bytes[QUEUE_LARGE];

static void must(int code)
{
    if (code != YOKE_OK)
        abort();
}

/* ---- the sleeper ------------------------------------------------------------------------------------------------- */

static int sleep_in_get(queue_fixture *f)
{
    yoke_info info = {.struct_size = sizeof info};
    int       rc = yoke_queue_get_info(f->queue, bytes, sizeof bytes, &info, YOKE_FOREVER);

    page->number = info.size == queue_size_of(f->test, 1) && queue_is(f->test, bytes, 1) ? 1 : 0;
    page->redelivered = info.redelivered;
    return rc;
}

static int sleep_in_put(queue_fixture *f)
{
    return yoke_queue_put(f->queue, bytes, queue_size_of(f->test, 1), YOKE_FOREVER);
}

static int sleep_in_join(queue_fixture *f)
{
    return yoke_queue_join(f->queue, YOKE_FOREVER);
}

static int run_sleeper(void *context)
{
    page->rc = now->sleep(context);
    page->ended = true;
    return 0;
}

/* ---- the victim -------------------------------------------------------------------------------------------------- */

static void enter(void *context)
{
    queue_fixture *f = context;
    sigset_t       child_ends;

    if (yoke_queue_size(f->queue) != f->test->before)
        abort();
    queue_write(f->test, bytes, 1);
    if (now->prepare)
        now->prepare(f);
    /* Its end may not stop the victim. */
    sigemptyset(&child_ends);
    sigaddset(&child_ends, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &child_ends, NULL);
    page->sleeper = child_start(run_sleeper, f); /* outlives it, and comes to the harness's process */
    if (!sleeps(page->sleeper))
        abort();
}

static void put(void *context)
{
    queue_fixture *f = context;

    must(yoke_queue_put(f->queue, bytes, queue_size_of(f->test, 1), YOKE_NOWAIT));
}

static void get(void *context)
{
    queue_fixture *f = context;

    must(yoke_queue_get(f->queue, bytes, sizeof bytes, NULL, YOKE_NOWAIT));
}

static void peek(queue_fixture *f)
{
    must(yoke_queue_peek(f->queue, &f->views[0], YOKE_NOWAIT));
}

static void put_back(void *context)
{
    queue_fixture *f = context;

    must(yoke_queue_return(f->queue, &f->views[0]));
}

static void reserve(queue_fixture *f)
{
    must(yoke_queue_reserve(f->queue, &f->slot, 64, YOKE_NOWAIT));
}

static void abort_slot(void *context)
{
    queue_fixture *f = context;

    yoke_queue_abort(f->queue, &f->slot);
}

static void done(void *context)
{
    queue_fixture *f = context;

    must(yoke_queue_release(f->queue, &f->views[0]));
}

/* ---- what must hold ---------------------------------------------------------------------------------------------- */

static yoke__queue queue_of(const queue_fixture *f)
{
    const yoke__handle *handle = (const yoke__handle *)f->queue;

    return (yoke__queue){.domain = f->domain, .state = handle->object, .id = handle->id};
}

static bool something_is_there(const queue_fixture *f)
{
    yoke__queue queue = queue_of(f);
    yoke__ring *ring = yoke__queue_ring(&queue, yoke__a64_load_acquire(&queue.state->tail_ring));

    return yoke__position_sequence(yoke__a64_load_acquire(&ring->tail)) > 0; /* also what the dead have not noted */
}

static bool room_is_there(const queue_fixture *f)
{
    yoke__queue queue = queue_of(f);

    return yoke__queue_count(&queue) == 0;
}

static bool all_is_done(const queue_fixture *f)
{
    yoke__queue queue = queue_of(f);

    return yoke__queue_unfinished(&queue) == 0;
}

static bool always(const queue_fixture *f)
{
    (void)f;
    return true;
}

static bool ends_in_time(void)
{
    const struct timespec pause = {.tv_nsec = 500000};
    long long             end = milliseconds() + PATIENCE;

    while (!page->ended && milliseconds() < end)
        (void)nanosleep(&pause, NULL);
    return page->ended;
}

static const char *check_sleeper(const queue_fixture *f)
{
    if (!page->ended && !now->due(f))
        return NULL;
    if (!ends_in_time())
        return "who sleeps isn't woken within three slices";
    if (page->rc != YOKE_OK)
        return "who slept got an error";
    if (now->sleep != sleep_in_get)
        return NULL;
    if (page->number != 1)
        return "who slept got a damaged message";
    return page->redelivered == now->redelivered ? NULL : "the message is not flagged as it should be";
}

static const char *verify(void *context)
{
    queue_fixture *f = context;
    const char    *wrong = check_sleeper(f);

    child_kill(page->sleeper);
    queue_recover(context);
    if (queue_blocks(f->domain) == UINT64_MAX)
        return "the heap is out of order";
    yoke_queue_close(f->queue);
    f->queue = NULL;
    if (!wrong && queue_blocks(f->domain) > f->blocks)
        return "blocks of the queue are left after its end";
    return wrong;
}

static void run(const sleeper_case *test)
{
    crash_result result;
    crash_case   crash = {.name = test->name,
                          .set_up = queue_set_up,
                          .enter = enter,
                          .operation = test->operation,
                          .verify = verify,
                          .tear_down = queue_tear_down,
                          .context = &queue_now,
                          .stride = 5,
                          .part = 2};

    now = test;
    queue_now.test = &test->queue;
    assert_true(crash_run(&crash, &result));
    if (result.faults)
        fail_msg("%s", result.first);
}

static void a_producer_dies_while_a_consumer_sleeps(void **state)
{
    (void)state;
    run(&(sleeper_case){.name = "put, a consumer asleep",
                        .queue = {.sizes = {64}},
                        .sleep = sleep_in_get,
                        .operation = put,
                        .due = something_is_there});
    run(&(sleeper_case){.name = "put large, a consumer asleep",
                        .queue = {.sizes = {QUEUE_LARGE}},
                        .sleep = sleep_in_get,
                        .operation = put,
                        .due = something_is_there});
}

static void a_holder_dies_while_a_consumer_sleeps(void **state)
{
    (void)state;
    run(&(sleeper_case){.name = "return, a consumer asleep",
                        .queue = {.sizes = {64}, .before = 1},
                        .sleep = sleep_in_get,
                        .prepare = peek,
                        .operation = put_back,
                        .due = always,
                        .redelivered = true});
}

static void a_consumer_dies_while_a_producer_waits_for_room(void **state)
{
    (void)state;
    run(&(sleeper_case){.name = "get, a producer asleep",
                        .queue = {.sizes = {64}, .before = 1, .max_items = 1},
                        .sleep = sleep_in_put,
                        .operation = get,
                        .due = room_is_there});
}

static void a_reservation_dies_while_a_producer_waits_for_room(void **state)
{
    (void)state;
    run(&(sleeper_case){.name = "abort, a producer asleep",
                        .queue = {.sizes = {64}, .max_items = 1},
                        .sleep = sleep_in_put,
                        .prepare = reserve,
                        .operation = abort_slot,
                        .due = always});
}

static void a_worker_dies_while_somebody_joins(void **state)
{
    (void)state;
    run(&(sleeper_case){.name = "release, somebody joins",
                        .queue = {.sizes = {64}, .before = 1, .joinable = true},
                        .sleep = sleep_in_join,
                        .prepare = peek,
                        .operation = done,
                        .due = all_is_done});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_producer_dies_while_a_consumer_sleeps),
        cmocka_unit_test(a_holder_dies_while_a_consumer_sleeps),
        cmocka_unit_test(a_consumer_dies_while_a_producer_waits_for_room),
        cmocka_unit_test(a_reservation_dies_while_a_producer_waits_for_room),
        cmocka_unit_test(a_worker_dies_while_somebody_joins),
    };

    page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        return 1;
    return queue_crash_main("queue, killed among sleepers", tests);
}
