/* Processes: how they end, and what their creator learns of it. */
#include "support/process.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- what runs in the children ---- */

static int fail_on_purpose(const yoke_args *args)
{
    return yoke_register("", NULL) == YOKE_OK ? 0 : (int)yoke_args_count(args) + YOKE_EINVAL;
}

static int leave_by_yoke_exit(const yoke_args *args)
{
    yoke_exit(yoke_args_int(args, 0));
}

static int leave_by_exit(const yoke_args *args)
{
    exit(yoke_args_int(args, 0));
}

static int leave_by_system_exit(const yoke_args *args)
{
    _exit(yoke_args_int(args, 0));
}

static int leave_by_signal(const yoke_args *args)
{
    raise(yoke_args_int(args, 0));
    return 0;
}

static int leave_by_failed_check(const yoke_args *args)
{
    (void)args;
    YOKE_CHECK(yoke_register("", NULL));
    return 0;
}

/* Tells that it runs, then waits for a message that never comes. */
static int wait_for_ever(const yoke_args *args)
{
    char nothing[8];

    YOKE_TRY(yoke_queue_put_string(yoke_args_queue(args, 0), "here", YOKE_FOREVER));
    return yoke_queue_get_string(yoke_args_queue(args, 1), nothing, sizeof nothing, YOKE_FOREVER);
}

typedef struct waiting {
    yoke_queue   *told, *silent;
    yoke_process *process;
} waiting;

static waiting start_waiting(const yoke_process_options *options)
{
    waiting w;
    char    line[8];

    assert_ok(yoke_queue_create(&w.told, NULL));
    assert_ok(yoke_queue_create(&w.silent, NULL));
    assert_ok(yoke_process_start(&w.process, wait_for_ever, YOKE_ARGS(w.told, w.silent), options));
    assert_ok(yoke_queue_get_string(w.told, line, sizeof line, YOKE_FOREVER));
    return w;
}

static yoke_result end_waiting(waiting w)
{
    yoke_result result = finish(w.process);

    yoke_queue_close(w.told);
    yoke_queue_close(w.silent);
    return result;
}

/* ---- results ---- */

static void returned_value_is_told_with_all_its_bits(void **state)
{
    const int values[] = {0, 1, 7, 255, 256, 70000, -1, -300, INT32_MAX, INT32_MIN};

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        yoke_result result = result_of(return_number, YOKE_ARGS(values[i]), NULL);
        assert_int_equal(result.how, YOKE_RETURNED);
        assert_int_equal(result.code, values[i]);
        assert_int_equal(result.signal, 0);
    }
}

static void error_text_travels_with_a_negative_return(void **state)
{
    (void)state;
    yoke_result result = result_of(fail_on_purpose, NULL, NULL);
    assert_int_equal(result.how, YOKE_RETURNED);
    assert_int_equal(result.code, YOKE_EINVAL);
    assert_int_equal(result.error, YOKE_EINVAL);
    assert_non_null(strstr(result.text, "registering needs a name"));
}

static void error_text_of_another_failure_is_not_mistaken_for_the_result(void **state)
{
    (void)state;
    yoke_result result = result_of(fail_on_purpose, YOKE_ARGS(1, 2, 3), NULL);
    assert_int_equal(result.code, 3 + YOKE_EINVAL);
    assert_int_equal(result.error, 0);
    assert_string_equal(result.text, "");
}

static void exits_are_told_apart_from_returns(void **state)
{
    (void)state;
    yoke_result result = result_of(leave_by_yoke_exit, YOKE_ARGS(70000), NULL);
    assert_int_equal(result.how, YOKE_EXITED);
    assert_int_equal(result.code, 70000);
    result = result_of(leave_by_exit, YOKE_ARGS(3), NULL);
    assert_int_equal(result.how, YOKE_EXITED);
    assert_int_equal(result.code, 3);
    result = result_of(leave_by_system_exit, YOKE_ARGS(4), NULL);
    assert_int_equal(result.how, YOKE_EXITED);
    assert_int_equal(result.code, 4);
}

static void failed_check_ends_the_child_with_its_sentence(void **state)
{
    (void)state;
    yoke_result result = result_of(leave_by_failed_check, NULL,
                                   YOKE_OPTIONS(yoke_process_options, .stderr_to = YOKE_STDIO_NULL));
    assert_int_equal(result.how, YOKE_EXITED);
    assert_int_equal(result.code, 1);
    assert_int_equal(result.error, YOKE_EINVAL);
    assert_non_null(strstr(result.text, "registering needs a name"));
}

static void signal_that_ended_it_is_told(void **state)
{
    const int signals[] = {SIGKILL, SIGTERM, SIGUSR1};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        yoke_result result = result_of(leave_by_signal, YOKE_ARGS(signals[i]), NULL);
        assert_int_equal(result.how, YOKE_SIGNALLED);
        assert_int_equal(result.signal, signals[i]);
        assert_int_equal(result.code, 0);
    }
}

static void result_while_it_runs_is_running(void **state)
{
    yoke_result result = {.struct_size = sizeof result};

    (void)state;
    waiting w = start_waiting(NULL);
    assert_ok(yoke_process_result(w.process, &result));
    assert_int_equal(result.how, YOKE_RUNNING);
    assert_ok(yoke_process_kill(w.process));
    (void)end_waiting(w);
}

static void result_of_an_older_caller_is_not_overrun(void **state)
{
    struct {
        yoke_result result;
    } small;
    yoke_process *process;

    (void)state;
    memset(&small, 0x55, sizeof small);
    small.result.struct_size = offsetof(yoke_result, signal);
    assert_ok(yoke_process_start(&process, return_number, YOKE_ARGS(5), NULL));
    assert_ok(yoke_process_finish(process, &small.result, YOKE_FOREVER));
    assert_int_equal(small.result.code, 5);
    assert_int_equal(small.result.signal, 0x55555555);
    assert_int_equal(small.result.struct_size, offsetof(yoke_result, signal));
}

/* ---- joining ---- */

static void join_times_out_and_can_be_repeated(void **state)
{
    (void)state;
    waiting w = start_waiting(NULL);
    assert_fails(yoke_process_join(w.process, YOKE_NOWAIT), YOKE_ETIMEDOUT, "still runs");
    assert_fails(yoke_process_join(w.process, 30), YOKE_ETIMEDOUT, "30 ms");
    assert_fails(yoke_process_finish(w.process, NULL, 1), YOKE_ETIMEDOUT, "still runs");
    assert_ok(yoke_queue_put_string(w.silent, "go", YOKE_FOREVER));
    assert_ok(yoke_process_join(w.process, YOKE_FOREVER));
    assert_ok(yoke_process_join(w.process, YOKE_FOREVER));
    assert_int_equal(end_waiting(w).how, YOKE_RETURNED);
}

static void closing_is_refused_while_it_runs(void **state)
{
    (void)state;
    waiting w = start_waiting(NULL);
    assert_fails(yoke_process_close(w.process), YOKE_EBUSY, "still runs");
    assert_true(yoke_process_is_alive(w.process));
    assert_ok(yoke_process_kill(w.process));
    assert_int_equal(end_waiting(w).signal, SIGKILL);
}

static void closed_handle_is_an_error(void **state)
{
    yoke_process *process;
    yoke_result   result = {.struct_size = sizeof result};

    (void)state;
    assert_ok(yoke_process_close(NULL));
    assert_ok(yoke_process_start(&process, return_number, YOKE_ARGS(0), NULL));
    assert_ok(yoke_process_finish(process, NULL, YOKE_FOREVER));
    assert_int_equal(yoke_process_join(process, YOKE_NOWAIT), YOKE_EINVAL);
    assert_int_equal(yoke_process_close(process), YOKE_EINVAL);
    assert_int_equal(yoke_process_result(process, &result), YOKE_EINVAL);
    assert_int_equal(yoke_process_pid(process), -1);
    assert_null(yoke_process_name(process));
    assert_false(yoke_process_is_alive(process));
}

static void sentinel_is_readable_once_it_is_gone(void **state)
{
    intptr_t native;

    (void)state;
    waiting w = start_waiting(NULL);
    assert_ok(yoke_process_sentinel(w.process, &native));
    struct pollfd look = {.fd = (int)native, .events = POLLIN};
    assert_int_equal(poll(&look, 1, 0), 0);
    assert_ok(yoke_process_kill(w.process));
    assert_int_equal(poll(&look, 1, 60000), 1);
    assert_false(yoke_process_is_alive(w.process));
    (void)end_waiting(w);
}

/* ---- signals ---- */

static void signals_end_it(void **state)
{
    (void)state;
    waiting w = start_waiting(NULL);
    assert_ok(yoke_process_terminate(w.process));
    assert_int_equal(end_waiting(w).signal, SIGTERM);
    w = start_waiting(NULL);
    assert_ok(yoke_process_kill(w.process));
    assert_int_equal(end_waiting(w).signal, SIGKILL);
    w = start_waiting(NULL);
    assert_ok(yoke_process_interrupt(w.process));
    assert_int_equal(end_waiting(w).signal, SIGINT);
}

static void signals_to_the_dead_are_fine(void **state)
{
    yoke_process *process;

    (void)state;
    assert_ok(yoke_process_start(&process, return_number, YOKE_ARGS(9), NULL));
    assert_ok(yoke_process_join(process, YOKE_FOREVER));
    assert_ok(yoke_process_terminate(process));
    assert_ok(yoke_process_kill(process));
    assert_ok(yoke_process_interrupt(process));
    assert_int_equal(finish(process).code, 9);
}

/* ---- many ---- */

static void active_children_are_those_that_run(void **state)
{
    yoke_process *found[4] = {NULL};

    (void)state;
    assert_int_equal(yoke_active_children(NULL, 0), 0);
    waiting       a = start_waiting(NULL), b = start_waiting(NULL);
    yoke_process *done;
    assert_ok(yoke_process_start(&done, return_number, YOKE_ARGS(1), NULL));
    assert_ok(yoke_process_join(done, YOKE_FOREVER));
    assert_int_equal(yoke_active_children(found, 4), 2);
    assert_true((found[0] == a.process && found[1] == b.process) || (found[0] == b.process && found[1] == a.process));
    assert_null(found[2]);
    assert_int_equal(yoke_active_children(found, 1), 2);
    assert_ok(yoke_process_kill(a.process));
    assert_ok(yoke_process_kill(b.process));
    (void)end_waiting(a);
    (void)end_waiting(b);
    assert_int_equal(yoke_active_children(found, 4), 0);
    assert_int_equal(finish(done).code, 1);
}

static void many_run_at_a_time(void **state)
{
    enum { MANY = 40 };
    yoke_process *all[MANY];

    (void)state;
    for (int i = 0; i < MANY; i++)
        assert_ok(yoke_process_start(&all[i], return_number, YOKE_ARGS(i), NULL));
    for (int i = 0; i < MANY; i++)
        assert_int_equal(finish(all[i]).code, i);
}

int main(int argc, char **argv)
{
    yoke_main(argc, argv);
    const struct CMUnitTest processes[] = {
        cmocka_unit_test(returned_value_is_told_with_all_its_bits),
        cmocka_unit_test(error_text_travels_with_a_negative_return),
        cmocka_unit_test(error_text_of_another_failure_is_not_mistaken_for_the_result),
        cmocka_unit_test(exits_are_told_apart_from_returns),
        cmocka_unit_test(failed_check_ends_the_child_with_its_sentence),
        cmocka_unit_test(signal_that_ended_it_is_told),
        cmocka_unit_test(result_while_it_runs_is_running),
        cmocka_unit_test(result_of_an_older_caller_is_not_overrun),
        cmocka_unit_test(join_times_out_and_can_be_repeated),
        cmocka_unit_test(closing_is_refused_while_it_runs),
        cmocka_unit_test(closed_handle_is_an_error),
        cmocka_unit_test(sentinel_is_readable_once_it_is_gone),
        cmocka_unit_test(signals_end_it),
        cmocka_unit_test(signals_to_the_dead_are_fine),
        cmocka_unit_test(active_children_are_those_that_run),
        cmocka_unit_test(many_run_at_a_time),
    };
    return run_under_methods(processes);
}
