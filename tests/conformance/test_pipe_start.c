/* Ends of pipes as start arguments, under each start method the system has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include <yoke/yoke.h>

#include "support/leak.h"
#include "support/pipes.h"

#define T PIPE_PATIENCE

static const yoke_start_method methods[] = {YOKE_START_SPAWN, YOKE_START_FORK, YOKE_START_FORKSERVER};
#define METHODS (sizeof methods / sizeof *methods)

/* Answers each message with "<number> <message>" until the end. */
static int answer(const yoke_args *args)
{
    yoke_conn *conn = yoke_args_conn(args, 0);
    char       text[64];
    int        rc;

    for (int i = 0; (rc = yoke_conn_recv_string(conn, text, sizeof text, T)) == YOKE_OK; i++)
        YOKE_TRY(yoke_conn_send_format(conn, T, "%d %s", i, text));
    return rc == YOKE_EEOF ? 0 : rc;
}

static void expect_text(yoke_conn *conn, const char *text)
{
    char got[64];

    assert_int_equal(YOKE_OK, yoke_conn_recv_string(conn, got, sizeof got, T));
    assert_string_equal(text, got);
}

static yoke_process *start(yoke_function *function, const yoke_item *args, yoke_start_method method)
{
    yoke_process *process;

    assert_int_equal(
        YOKE_OK, yoke_process_start(&process, function, args, YOKE_OPTIONS(yoke_process_options, .method = method)));
    return process;
}

static void finish(yoke_process *process)
{
    yoke_result result = {.struct_size = sizeof result};

    assert_int_equal(YOKE_OK, yoke_process_finish(process, &result, T));
    if (result.code != 0)
        print_message("child: %s\n", result.text);
    assert_int_equal(YOKE_RETURNED, result.how);
    assert_int_equal(0, result.code);
}

static void test_an_end_moves_with_what_came_unread(void **state)
{
    yoke_conn *here, *there;
    char       text[8];

    (void)state;
    for (size_t i = 0; i < METHODS; i++) {
        pipe_make(&here, &there, false);
        assert_int_equal(YOKE_OK, yoke_conn_send_string(here, "taken", T));
        assert_int_equal(YOKE_OK, yoke_conn_send_string(here, "ahead", T));
        assert_int_equal(YOKE_OK, yoke_conn_recv_string(there, text, sizeof text, T)); /* reads the other ahead */
        yoke_process *process = start(answer, YOKE_ARGS(there), methods[i]);
        assert_int_equal(YOKE_EMOVED, yoke_conn_send(there, "x", 1, T));
        assert_int_equal(YOKE_OK, yoke_conn_send_string(here, "later", T));
        expect_text(here, "0 ahead");
        expect_text(here, "1 later");
        yoke_conn_close(there);
        yoke_conn_close(here); /* the child sees the end, though it has a copy of nothing here */
        finish(process);
    }
}

static int send_two(const yoke_args *args)
{
    YOKE_TRY(yoke_conn_send_string(yoke_args_conn(args, 0), "one", T));
    return yoke_conn_send_string(yoke_args_conn(args, 1), "two", T);
}

static void test_ends_that_are_given_close_here_and_the_end_is_seen(void **state)
{
    yoke_conn *readers[2], *writers[2];
    char       text[8];

    (void)state;
    for (size_t i = 0; i < METHODS; i++) {
        pipe_make(&readers[0], &writers[0], true);
        pipe_make(&readers[1], &writers[1], true);
        yoke_process *process = start(send_two, YOKE_ARGS(YOKE_GIVE(writers[0]), YOKE_GIVE(writers[1])), methods[i]);
        assert_int_equal(YOKE_EINVAL, yoke_conn_send(writers[0], "x", 1, T)); /* the handle is gone */
        expect_text(readers[0], "one");
        expect_text(readers[1], "two");
        assert_int_equal(YOKE_EEOF, yoke_conn_recv_string(readers[0], text, sizeof text, T));
        assert_int_equal(YOKE_EEOF, yoke_conn_recv_string(readers[1], text, sizeof text, T));
        finish(process);
        yoke_conn_close(readers[0]);
        yoke_conn_close(readers[1]);
    }
}

static void test_a_start_that_fails_moves_nothing(void **state)
{
    yoke_conn    *here, *there;
    yoke_process *process;

    (void)state;
    pipe_make(&here, &there, false);
    assert_int_equal(YOKE_OK, yoke_conn_send_string(here, "before", T));
    assert_true(yoke_process_start(&process, answer, YOKE_ARGS(there, there), NULL) < 0);
    expect_text(there, "before");
    yoke_conn_close(here);
    yoke_conn_close(there);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_end_moves_with_what_came_unread),
        cmocka_unit_test(test_ends_that_are_given_close_here_and_the_end_is_seen),
        cmocka_unit_test(test_a_start_that_fails_moves_nothing),
    };

    yoke_main(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
