/* Nobody starves, and a process that stands still with a queue's lock stalls others only while it stands still. */
#include "support/process.h"

#ifdef __linux__
#include <sched.h>
#endif
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/queue/queue.h"
#include "support/child.h"
#include "support/crew.h"

#define MINUTE    60000
#define SLICE     150 /* a sleeper looks again after so many milliseconds */
#define PRODUCERS 4
#define CONSUMERS 4
#define TOTAL     2000000u /* some hundreds of ms: longer than the slices in which one may be out of luck */
#define LEAST     (TOTAL / PRODUCERS / 100) /* a hundredth of a fair share */

/* ---- shares ------------------------------------------------------------------------------------------------------------ */

/* What a consumer had of each producer. */
struct shares {
    uint32_t of[PRODUCERS];
};

/* Says that it is there, and sleeps until all may begin. */
static int get_ready(const yoke_args *args)
{
    char text[8];
    int  rc;

    YOKE_TRY(crew_say(yoke_args_queue(args, 1), "ready"));
    rc = yoke_queue_get_string(yoke_args_queue(args, 2), text, sizeof text, YOKE_FOREVER);
    return rc == YOKE_ESHUTDOWN ? YOKE_OK : rc;
}

static int produce(const yoke_args *args)
{
    uint32_t message[16] = {(uint32_t)yoke_args_int(args, 3)};
    int      rc = YOKE_OK;

    YOKE_TRY(get_ready(args));
    while (rc == YOKE_OK)
        rc = yoke_queue_put(yoke_args_queue(args, 0), message, sizeof message, YOKE_FOREVER);
    return rc == YOKE_ESHUTDOWN ? 0 : rc;
}

/* Whoever sees that there were enough messages ends it for all. */
static int enough(yoke_queue *queue)
{
    yoke_queue_statistics figures = {.struct_size = sizeof figures};

    YOKE_TRY(yoke_queue_stats(queue, &figures));
    return figures.gets < TOTAL ? YOKE_OK : (int)yoke_queue_shutdown(queue, YOKE_DRAIN);
}

static int consume(const yoke_args *args)
{
    yoke_queue   *queue = yoke_args_queue(args, 0);
    struct shares shares = {{0}};
    uint32_t      message[16];
    int           rc;

    YOKE_TRY(get_ready(args));
    for (uint32_t i = 1; (rc = yoke_queue_get(queue, message, sizeof message, NULL, YOKE_FOREVER)) == YOKE_OK; i++) {
        if (message[0] >= PRODUCERS)
            return 99;
        shares.of[message[0]]++;
        if (i % 100 == 0)
            YOKE_TRY(enough(queue));
    }
    YOKE_TRY(yoke_queue_put(yoke_args_queue(args, 3), &shares, sizeof shares, YOKE_FOREVER));
    return rc == YOKE_ESHUTDOWN ? 0 : rc;
}

static void check_shares(yoke_queue *report)
{
    uint32_t produced[PRODUCERS] = {0};

    for (int c = 0; c < CONSUMERS; c++) {
        struct shares shares;
        uint32_t      consumed = 0;
        assert_ok(yoke_queue_get(report, &shares, sizeof shares, NULL, YOKE_NOWAIT));
        for (int p = 0; p < PRODUCERS; p++) {
            consumed += shares.of[p];
            produced[p] += shares.of[p];
        }
        print_message("             a consumer had %u\n", consumed);
        assert_true(consumed > LEAST);
    }
    for (int p = 0; p < PRODUCERS; p++) {
        print_message("             a producer put %u\n", produced[p]);
        assert_true(produced[p] > LEAST);
    }
}

static void share(size_t max_items)
{
    yoke_queue   *queue, *news = new_queue(), *start = new_queue(), *report = new_queue();
    yoke_process *crew[PRODUCERS + CONSUMERS];

    assert_ok(yoke_queue_create(&queue, YOKE_OPTIONS(yoke_queue_options, .max_items = max_items)));
    for (int i = 0; i < PRODUCERS; i++)
        crew[i] = crew_start(produce, YOKE_ARGS(queue, news, start, i));
    for (int i = PRODUCERS; i < PRODUCERS + CONSUMERS; i++)
        crew[i] = crew_start(consume, YOKE_ARGS(queue, news, start, report));
    for (int i = 0; i < PRODUCERS + CONSUMERS; i++)
        crew_hear(news, "ready");
    assert_int_equal(yoke_queue_shutdown(start, YOKE_DRAIN), 0);
    for (int i = 0; i < PRODUCERS + CONSUMERS; i++)
        assert_int_equal(finish(crew[i]).code, 0);
    check_shares(report);
    yoke_queue_close(queue);
    yoke_queue_close(news);
    yoke_queue_close(start);
    yoke_queue_close(report);
}

static void each_producer_gets_in_and_each_consumer_gets_some(void **state)
{
    (void)state;
    share(1000);
}

static void also_where_almost_every_put_has_to_wait(void **state)
{
    (void)state;
    share(16);
}

/* ---- holders of a lock ------------------------------------------------------------------------------------------------- */

/* Stands still with the lock of one side, as a process does that the system has taken off its CPU. Going on, it lets go. */
static int stand_still(const yoke_args *args)
{
    yoke__queue queue;
    yoke__a32  *side;

    if (!yoke__queue_of(&queue, yoke_args_queue(args, 0)))
        return YOKE_EINVAL;
    side = yoke_args_bool(args, 1) ? &queue.state->producers : &queue.state->consumers;
    yoke__queue_lock(&queue, side);
    raise(SIGSTOP);
    yoke__queue_unlock(&queue, side);
    return 0;
}

static int put_one(const yoke_args *args)
{
    YOKE_TRY(crew_say(yoke_args_queue(args, 1), "now"));
    return yoke_queue_put_string(yoke_args_queue(args, 0), "put", YOKE_FOREVER);
}

static int get_one(const yoke_args *args)
{
    char text[8];

    YOKE_TRY(crew_say(yoke_args_queue(args, 1), "now"));
    return yoke_queue_get_string(yoke_args_queue(args, 0), text, sizeof text, YOKE_FOREVER);
}

/* The other side's lock is another one: who needs only that goes on. */
static void check_other_side(yoke_queue *queue, bool producers)
{
    char text[8];

    if (producers) {
        assert_ok(yoke_queue_get_string(queue, text, sizeof text, MINUTE));
        return;
    }
    assert_ok(yoke_queue_put_string(queue, "two", MINUTE));
}

/* Milliseconds from the signal to the end of who was stalled. */
static long long stall(bool producers, int signal)
{
    yoke_queue   *queue = new_queue(), *news = new_queue();
    yoke_process *holder, *stalled;
    long long     since, took;

    assert_ok(yoke_queue_put_string(queue, "one", YOKE_NOWAIT));
    holder = crew_start(stand_still, YOKE_ARGS(queue, producers));
    crew_stopped(holder);
    stalled = crew_start(producers ? put_one : get_one, YOKE_ARGS(queue, news));
    crew_hear(news, "now");
    crew_asleep(stalled);
    check_other_side(queue, producers);
    assert_true(yoke_process_is_alive(stalled)); /* however long: it lives, so nobody takes its lock */
    since = milliseconds();
    assert_int_equal(kill((pid_t)yoke_process_pid(holder), signal), 0);
    assert_true(crew_gone(stalled));
    took = milliseconds() - since;
    assert_int_equal(finish(stalled).code, 0);
    finish(holder);
    assert_int_equal(yoke_queue_size(queue), 1);
    yoke_queue_close(queue);
    yoke_queue_close(news);
    return took;
}

static long long stopped_producer(void)
{
    return stall(true, SIGCONT);
}

static long long stopped_consumer(void)
{
    return stall(false, SIGCONT);
}

static long long killed_producer(void)
{
    return stall(true, SIGKILL);
}

static long long killed_consumer(void)
{
    return stall(false, SIGKILL);
}

static void a_stopped_holder_stalls_others_only_while_it_is_stopped(void **state)
{
    (void)state;
    crew_within(SLICE / 2, stopped_producer);
    crew_within(SLICE / 2, stopped_consumer);
}

/* A slice, and the end of a process. */
static void a_killed_holder_stalls_others_for_at_most_a_slice(void **state)
{
    (void)state;
    crew_within(SLICE + 50, killed_producer);
    crew_within(SLICE + 50, killed_consumer);
}

/* The children have what this one has. */
static void use_two_cpus(void)
{
#ifdef __linux__
    cpu_set_t all, two;
    int       taken = 0;

    CPU_ZERO(&two);
    if (sched_getaffinity(0, sizeof all, &all) != 0)
        return;
    for (size_t cpu = 0; cpu < CPU_SETSIZE && taken < 2; cpu++)
        if (CPU_ISSET(cpu, &all)) {
            CPU_SET(cpu, &two);
            taken++;
        }
    (void)sched_setaffinity(0, sizeof two, &two);
#endif
}

int main(int argc, char **argv)
{
    yoke_main(argc, argv);
    use_two_cpus();

    const struct CMUnitTest fairness[] = {
        cmocka_unit_test(each_producer_gets_in_and_each_consumer_gets_some),
        cmocka_unit_test(also_where_almost_every_put_has_to_wait),
        cmocka_unit_test(a_stopped_holder_stalls_others_only_while_it_is_stopped),
        cmocka_unit_test(a_killed_holder_stalls_others_for_at_most_a_slice),
    };
#ifdef FAIRNESS_MUTANT /* the library was made unfair (tests/crash/mutants.cmake), which that test must find out */
    return run_under_methods_("unfair", &fairness[FAIRNESS_MUTANT], 1) ? 0 : 1;
#else
    return run_under_methods(fairness);
#endif
}
