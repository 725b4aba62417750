/* The end of a stream comes when the last real user of its other end has closed or died, and no sooner, under each start
 * method: no process keeps an end open that it does not use. */
#include "support/process.h"

#include <string.h>
#include <unistd.h>

#include "support/child.h"
#include "support/pipes.h"

#define T PIPE_PATIENCE

static yoke_process *start(yoke_function *function, const yoke_item *args)
{
    yoke_process *process;

    assert_ok(yoke_process_start(&process, function, args,
                                 YOKE_OPTIONS(yoke_process_options, .method = method_under_test())));
    return process;
}

/* Says through argument 0 that it runs, and stays until argument 1 brings something or ends. */
static int wait_for_word(const yoke_args *args)
{
    char text[8];

    YOKE_TRY(yoke_queue_put_string(yoke_args_queue(args, 0), "here", T));
    int rc = yoke_conn_recv_string(yoke_args_conn(args, 1), text, sizeof text, T);
    return rc == YOKE_EEOF ? 0 : rc;
}

static void expect_here(yoke_queue *queue)
{
    char text[8];

    assert_ok(yoke_queue_get_string(queue, text, sizeof text, T));
    assert_string_equal("here", text);
}

static void expect_end(yoke_conn *conn)
{
    char byte;

    assert_int_equal(YOKE_EEOF, yoke_conn_recv(conn, &byte, 1, NULL, T));
}

static void expect_no_end(yoke_conn *conn)
{
    char byte;

    assert_int_equal(YOKE_ETIMEDOUT, yoke_conn_recv(conn, &byte, 1, NULL, 30));
}

static void join(yoke_process *process)
{
    assert_int_equal(0, finish(process).code);
}

/* Made and used before the child is started; made before, and unused; and of one of which the child has the other end. */
static void test_a_child_keeps_no_end_open_that_it_was_not_passed(void **state)
{
    for (int one_way = 0; one_way < 2; one_way++) {
        yoke_conn  *used[2], *unused[2], *here, *there;
        yoke_queue *told = new_queue();
        char        text[8];

        (void)state;
        pipe_make(&used[0], &used[1], one_way);
        assert_ok(yoke_conn_send_string(used[1], "x", T));
        assert_ok(yoke_conn_recv_string(used[0], text, sizeof text, T));
        pipe_make(&unused[0], &unused[1], one_way);
        pipe_make(&there, &here, one_way);
        yoke_process *process = start(wait_for_word, YOKE_ARGS(told, YOKE_GIVE(there)));
        expect_here(told);
        yoke_conn_close(used[1]);
        yoke_conn_close(unused[1]);
        expect_end(used[0]); /* though the child lives */
        expect_end(unused[0]);
        yoke_conn_close(here); /* nor does it keep the other end of its own */
        join(process);
        yoke_conn_close(used[0]);
        yoke_conn_close(unused[0]);
        yoke_queue_close(told);
    }
}

static void test_the_end_comes_with_the_child_not_before(void **state)
{
    yoke_conn  *reader, *writer, *here, *there;
    yoke_queue *told = new_queue();

    (void)state;
    for (int killed = 0; killed < 2; killed++) {
        pipe_make(&reader, &writer, false);
        pipe_make(&there, &here, false);
        yoke_process *process = start(wait_for_word, YOKE_ARGS(told, YOKE_GIVE(there), writer));
        expect_here(told);
        yoke_conn_close(writer); /* it has moved: this changes nothing */
        expect_no_end(reader);
        if (killed)
            assert_ok(yoke_process_kill(process));
        else
            assert_ok(yoke_conn_send_string(here, "go", T));
        expect_end(reader);
        assert_int_equal(killed ? YOKE_SIGNALLED : YOKE_RETURNED, finish(process).how);
        yoke_conn_close(reader);
        yoke_conn_close(here);
    }
    yoke_queue_close(told);
}

/* Passes what it was passed to a child of its own, and goes on without it. */
static int pass_on(const yoke_args *args)
{
    yoke_process        *process;
    yoke_process_options options = {.struct_size = sizeof options};

    options.method = (yoke_start_method)yoke_args_int(args, 3);
    YOKE_TRY(yoke_process_start(&process, wait_for_word,
                                YOKE_ARGS(yoke_args_queue(args, 0), yoke_args_conn(args, 1), yoke_args_conn(args, 2)),
                                &options));
    return yoke_process_finish(process, NULL, T);
}

static void test_an_end_passed_on_twice_is_the_last_ones_only(void **state)
{
    yoke_conn  *reader, *writer, *here, *there;
    yoke_queue *told = new_queue();

    (void)state;
    pipe_make(&reader, &writer, true);
    pipe_make(&there, &here, false);
    yoke_process *process = start(pass_on,
                                  YOKE_ARGS(told, YOKE_GIVE(there), YOKE_GIVE(writer), (int)method_under_test()));
    expect_here(told);
    expect_no_end(reader);
    assert_ok(yoke_conn_send_string(here, "go", T));
    expect_end(reader);
    join(process);
    yoke_conn_close(reader);
    yoke_conn_close(here);
    yoke_queue_close(told);
}

/* An end that lies in a message nobody has received is nobody's when the receiver dies. */
static void test_an_end_on_its_way_ends_with_its_message(void **state)
{
    yoke_conn  *reader, *writer, *here, *there;
    yoke_queue *told = new_queue(), *never = new_queue();
    char        text[8];

    (void)state;
    pipe_make(&reader, &writer, true);
    pipe_make(&there, &here, false);
    yoke_process *process = start(stay, YOKE_ARGS(told, false, YOKE_GIVE(there)));
    (void)told_pid(told);
    assert_ok(yoke_conn_send_variant(here, YOKE_ARGS(YOKE_GIVE(writer)), T));
    expect_no_end(reader);
    assert_ok(yoke_process_kill(process));
    assert_int_equal(YOKE_EEOF, yoke_conn_recv_string(reader, text, sizeof text, T));
    (void)finish(process);
    yoke_conn_close(reader);
    yoke_conn_close(here);
    yoke_queue_close(told);
    yoke_queue_close(never);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_child_keeps_no_end_open_that_it_was_not_passed),
        cmocka_unit_test(test_the_end_comes_with_the_child_not_before),
        cmocka_unit_test(test_an_end_passed_on_twice_is_the_last_ones_only),
        cmocka_unit_test(test_an_end_on_its_way_ends_with_its_message),
    };

    yoke_main(argc, argv);
    return run_under_methods(tests);
}
