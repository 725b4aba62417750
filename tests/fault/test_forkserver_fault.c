/* Every call into the system that a client makes for a start by the forkserver fails in turn: a start that says so, or
 * one that works all the same; nothing left behind, and the next start works. */
#include "support/process.h"

#include "core/domain/watch.h"
#include "core/process/forkserver.h"
#include "fault/fault.h"
#include "support/child.h"
#include "support/leak.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MINUTE 60000

static yoke_process_options under_test = {.struct_size = sizeof under_test};

static int three(const yoke_args *args)
{
    (void)args;
    return 3;
}

static int start_and_finish(void)
{
    yoke_process *process;
    yoke_result   result = {.struct_size = sizeof result};

    YOKE_TRY(yoke_process_start(&process, three, NULL, &under_test));
    fault_off(); /* the start is what is tried */
    YOKE_TRY(yoke_process_finish(process, &result, MINUTE));
    return result.how == YOKE_RETURNED && result.code == 3 ? YOKE_OK : YOKE_EPROTO;
}

/* Returns how many starts were hit. */
static long sweep(bool running, int error)
{
    long at = 1;

    for (bool hit = true; hit; at++) {
        if (!running)
            yoke__forkserver_stop();
        yoke__watch_clear();
        int before = leak_descriptors();

        fault_on(NULL, at, 0, error);
        int rc = start_and_finish();
        hit = fault_hit();
        fault_off();
        if (rc < 0 && !hit)
            fail_msg("start %ld failed by itself: %s", at, yoke_last_error()->text);
        if (rc < 0)
            assert_true(strlen(yoke_last_error()->text) > 0);
        if (!running)
            yoke__forkserver_stop();
        yoke__watch_clear();
        if (leak_descriptors() > before)
            fail_msg("call %ld (%s) failed, and %d descriptors stayed", at, fault_name(), leak_descriptors() - before);
        assert_int_equal(start_and_finish(), YOKE_OK);
    }
    return at;
}

static void a_request_fails_cleanly(void **state)
{
    (void)state;
    assert_int_equal(start_and_finish(), YOKE_OK);
    assert_true(sweep(true, EMFILE) > 5);
    assert_true(sweep(true, ENOMEM) > 5);
}

static void the_start_of_the_server_fails_cleanly(void **state)
{
    (void)state;
    assert_true(sweep(false, EMFILE) > 10);
}

static int set_up(void **state)
{
    return start_and_finish() == YOKE_OK ? leak_setup(state) : -1;
}

static int tear_down(void **state)
{
    yoke__forkserver_stop();
    yoke__watch_clear();
    return leak_teardown(state);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_fails_cleanly),
        cmocka_unit_test(the_start_of_the_server_fails_cleanly),
    };
    yoke_main(argc, argv);
    under_test.method = YOKE_START_FORKSERVER;
    int failed = cmocka_run_group_tests_name("faults of forkserver", tests, set_up, tear_down);
    under_test.method = YOKE_START_SPAWN;
    under_test.via_server = YOKE_YES;
    return failed + cmocka_run_group_tests_name("faults of spawn via server", tests, set_up, tear_down);
}
