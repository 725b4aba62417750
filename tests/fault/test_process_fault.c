/* Starting when calls into the system fail, one after the other: an error or a process, and nothing left behind. */
#include "core/domain/watch.h"
#include "fault/fault.h"
#include "support/child.h"
#include "support/leak.h"
#include "support/process.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int count_arguments(const yoke_args *args)
{
    return (int)yoke_args_count(args);
}

static yoke_conn *ours, *theirs;

/* Starts with a connection on board and joins. A forked child has the faults of its parent, so it may fail as well. */
static int scenario(void)
{
    yoke_process *process;
    yoke_result   result = {.struct_size = sizeof result};

    YOKE_TRY(yoke_process_start(&process, count_arguments, YOKE_ARGS(theirs, "text"),
                                YOKE_OPTIONS(yoke_process_options, .die_with_parent = YOKE_YES,
                                             .working_directory = "/", .stderr_to = YOKE_STDIO_NULL)));
    assert_ok(yoke_process_finish(process, &result, 60000));
    assert_true(result.how == YOKE_NOT_STARTED || (result.how == YOKE_RETURNED && result.code == 2) ||
                (result.how == YOKE_SIGNALLED) || (result.how == YOKE_UNKNOWN && fault_hit()));
    return YOKE_OK;
}

/* Whether it moved or not, the other end tells. */
static void check_connection(int rc)
{
    char line[16];

    if (rc == YOKE_OK) {
        assert_int_equal(yoke_conn_recv_string(ours, line, sizeof line, 60000), YOKE_EEOF);
        assert_int_equal(yoke_conn_send_string(theirs, "mine?", 0), YOKE_EMOVED);
    } else {
        assert_ok(yoke_conn_send_string(theirs, "still here", 60000));
        assert_ok(yoke_conn_recv_string(ours, line, sizeof line, 60000));
        assert_string_equal(line, "still here");
    }
}

/* A forkserver that failed to answer was replaced by another one: as many, but not the same. */
static void check_nothing_is_left(int descriptors, int processes)
{
    if (method_under_test() == YOKE_START_FORKSERVER) {
        yoke__watch_clear();
        assert_int_equal(leak_descriptors(), descriptors);
        for (long long start = milliseconds(); leak_processes() > processes && milliseconds() < start + 10000;)
            ;
        assert_int_equal(leak_processes(), processes);
        leak_note();
    }
    assert_true(leak_none());
}

static void sweep_with(int error)
{
    yoke__watch_clear();
    int descriptors = leak_descriptors(), processes = leak_processes();

    leak_note();
    for (fault_sweep sweep = fault_sweep_start(error); fault_sweep_next(&sweep);) {
        fault_off();
        assert_ok(yoke_pipe_create(&ours, &theirs, NULL));
        fault_on(NULL, sweep.at, 0, error);
        int rc = scenario();
        fault_off();
        check_connection(rc);
        yoke_conn_close(ours);
        yoke_conn_close(theirs);
    }
    check_nothing_is_left(descriptors, processes);
    assert_int_equal(result_of(count_arguments, YOKE_ARGS(1, 2, 3), NULL).code, 3);
}

static void failing_calls_leave_nothing_behind(void **state)
{
    (void)state;
    sweep_with(EMFILE);
    sweep_with(ENOMEM);
    sweep_with(EINTR);
}

int main(int argc, char **argv)
{
    yoke_main(argc, argv);
    const struct CMUnitTest process_faults[] = {
        cmocka_unit_test(failing_calls_leave_nothing_behind),
    };
    return run_under_methods(process_faults);
}
