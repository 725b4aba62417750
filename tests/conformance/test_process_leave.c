/* What goes out and what is given back when a process ends in good order, under each start method. */
#include "core/domain/participant.h"
#include "support/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MINUTE 60000
#define LARGE  (4u << 20) /* far more than the system keeps of a pipe */

static uint8_t byte_at(size_t i)
{
    return (uint8_t)(i * 31 + (i >> 12));
}

/* Returns with most of the message still to be sent. */
static int begin_large(yoke_conn *conn)
{
    uint8_t *large = malloc(LARGE);

    if (!large)
        return YOKE_ENOMEM;
    for (size_t i = 0; i < LARGE; i++)
        large[i] = byte_at(i);
    int rc = yoke_conn_send(conn, large, LARGE, 20);
    free(large);
    return rc == YOKE_BEGUN ? YOKE_OK : rc < 0 ? rc : YOKE_EPROTO;
}

/* YOKE_OK if the whole message came. */
static int receive_large(yoke_conn *conn)
{
    uint8_t *large = malloc(LARGE);
    size_t   size = 0, same = 0;

    if (!large)
        return YOKE_ENOMEM;
    int rc = yoke_conn_recv(conn, large, LARGE, &size, MINUTE);
    while (rc == YOKE_OK && same < size && large[same] == byte_at(same))
        same++;
    free(large);
    return rc < 0 ? rc : same == LARGE ? YOKE_OK : YOKE_EPROTO;
}

/* ---- messages of a child ---- */

typedef enum leaving { BY_RETURN, BY_YOKE_EXIT, BY_EXIT } leaving;

static int begin_and_leave(const yoke_args *args)
{
    YOKE_TRY(begin_large(yoke_args_conn(args, 0)));
    YOKE_TRY(yoke_queue_put_string(yoke_args_queue(args, 1), "begun", MINUTE));
    switch (yoke_args_int(args, 2)) {
    case BY_YOKE_EXIT:
        yoke_exit(0);
    case BY_EXIT:
        exit(0);
    default:
        return 0;
    }
}

static void expect_whole_message(leaving how)
{
    yoke_conn    *reader, *writer;
    yoke_queue   *queue;
    yoke_process *process;
    char          line[8];

    assert_ok(yoke_queue_create(&queue, NULL));
    assert_ok(yoke_pipe_create(&reader, &writer, NULL));
    assert_ok(yoke_process_start(&process, begin_and_leave, YOKE_ARGS(YOKE_GIVE(writer), queue, (int)how), NULL));
    assert_ok(yoke_queue_get_string(queue, line, sizeof line, MINUTE));
    assert_ok(receive_large(reader));
    yoke_result result = finish(process);
    assert_int_equal(result.how, how == BY_RETURN ? YOKE_RETURNED : YOKE_EXITED);
    assert_int_equal(result.code, 0);
    yoke_conn_close(reader);
    yoke_queue_close(queue);
}

static void a_message_begun_goes_out_before_a_child_returns(void **state)
{
    (void)state;
    expect_whole_message(BY_RETURN);
}

static void a_message_begun_goes_out_before_a_child_exits(void **state)
{
    (void)state;
    expect_whole_message(BY_YOKE_EXIT);
    expect_whole_message(BY_EXIT);
}

/* A second is given to each message under way, no more: who doesn't receive can't keep a process from ending. */
static void nobody_who_receives_nothing_holds_up_an_end(void **state)
{
    (void)state;
    yoke_conn    *reader, *writer;
    yoke_queue   *queue;
    yoke_process *process;

    assert_ok(yoke_queue_create(&queue, NULL));
    assert_ok(yoke_pipe_create(&reader, &writer, NULL));
    assert_ok(yoke_process_start(&process, begin_and_leave, YOKE_ARGS(YOKE_GIVE(writer), queue, (int)BY_RETURN), NULL));
    assert_int_equal(finish(process).how, YOKE_RETURNED);
    assert_true(receive_large(reader) < 0); /* and is told that the message broke off */
    yoke_conn_close(reader);
    yoke_queue_close(queue);
}

/* ---- messages of a parent to its own children ---- */

/* Begins to receive once it is told to, and after `pause` ms. */
static int receive_later(const yoke_args *args)
{
    char line[8];

    YOKE_TRY(yoke_queue_get_string(yoke_args_queue(args, 1), line, sizeof line, MINUTE));
    if (yoke_args_int(args, 3) > 0 &&
        yoke_queue_get_string(yoke_args_queue(args, 1), line, sizeof line, yoke_args_int(args, 3)) != YOKE_ETIMEDOUT)
        return YOKE_EPROTO;
    int rc = receive_large(yoke_args_conn(args, 0));
    return yoke_queue_put_string(yoke_args_queue(args, 2), rc == YOKE_OK ? "whole" : yoke_error_name(rc), MINUTE);
}

static int start_reader_and_leave(const yoke_args *args)
{
    yoke_conn    *reader, *writer;
    yoke_queue   *go;
    yoke_process *process;

    YOKE_TRY(yoke_queue_create(&go, NULL));
    YOKE_TRY(yoke_pipe_create(&reader, &writer, NULL));
    YOKE_TRY(yoke_process_start(&process, receive_later,
                                YOKE_ARGS(YOKE_GIVE(reader), go, yoke_args_queue(args, 0), yoke_args_int(args, 1)),
                                NULL));
    YOKE_TRY(begin_large(writer));
    return yoke_queue_put_string(go, "go", MINUTE); /* and joins the reader as it ends */
}

static void expect_parent_sends_all(int pause)
{
    yoke_queue *told;
    char        line[32];

    assert_ok(yoke_queue_create(&told, NULL));
    yoke_result result = result_of(start_reader_and_leave, YOKE_ARGS(told, pause), NULL);
    assert_int_equal(result.how, YOKE_RETURNED);
    assert_int_equal(result.code, 0);
    assert_ok(yoke_queue_get_string(told, line, sizeof line, MINUTE));
    assert_string_equal(line, "whole");
    yoke_queue_close(told);
}

/* It joins the child, and the child ends only when it has the message. */
static void a_parent_that_leaves_finishes_what_its_child_waits_for(void **state)
{
    (void)state;
    expect_parent_sends_all(0);
}

static void nor_does_it_give_up_while_it_joins_a_slow_child(void **state)
{
    (void)state;
    expect_parent_sends_all(1300); /* longer than the second that each message has anyway */
}

/* ---- segments ---- */

static int leave_segment_open(const yoke_args *args)
{
    yoke_shm *segment;

    YOKE_TRY(yoke_shm_create(&segment, 4096,
                             YOKE_OPTIONS(yoke_shm_options, .name = yoke_args_string(args, 0), .mode = YOKE_CREATE)));
    memset(yoke_shm_data(segment), 7, 4096);
    return 0;
}

/* Its name is free without anybody having to ask for it: nothing is left in the file system (see the teardown). */
static void a_child_that_ends_has_left_its_segments(void **state)
{
    (void)state;
    char name[40];

    snprintf(name, sizeof name, "test-leave-%ld-%d", (long)getpid(), (int)method_under_test());
    yoke_result result = result_of(leave_segment_open, YOKE_ARGS(name), NULL);
    assert_int_equal(result.how, YOKE_RETURNED);
    assert_int_equal(result.code, 0);
}

/* ---- locks ---- */

static int leave_holding_it(const yoke_args *args)
{
    YOKE_TRY(yoke_lock_acquire(yoke_args_lock(args, 0), MINUTE));
    if (yoke_args_int(args, 1) == BY_YOKE_EXIT)
        yoke_exit(7);
    return 7;
}

/* Its exit is told with its death, before anybody has looked for the dead and after. */
static void how_one_ends_that_holds_a_lock_is_told(leaving how)
{
    yoke_lock   *lock;
    yoke_death   death = {.struct_size = sizeof death};
    yoke_domain *domain;

    assert_int_equal(yoke__domain_default(&domain), YOKE_OK);
    assert_int_equal(yoke_lock_create(&lock, NULL), YOKE_OK);
    yoke_result result = result_of(leave_holding_it, YOKE_ARGS(lock, (int)how), NULL);
    assert_int_equal(result.code, 7);
    assert_true(yoke_lock_locked(lock));
    assert_int_equal(yoke_lock_acquire(lock, MINUTE), YOKE_OWNER_DIED);
    for (int look = 0; look < 2; look++) {
        assert_int_equal(yoke_lock_death(lock, &death), YOKE_OK);
        assert_true(death.exit_known);
        assert_int_equal(death.exit_code, 7);
        assert_int_equal(death.exit_signal, 0);
        (void)yoke__domain_recover(domain);
    }
    assert_int_equal(yoke_lock_release(lock), YOKE_OK);
    yoke_lock_close(lock);
}

static void the_status_of_one_that_returned_with_a_lock_is_told(void **state)
{
    (void)state;
    how_one_ends_that_holds_a_lock_is_told(BY_RETURN);
}

static void the_status_of_one_that_exited_with_a_lock_is_told(void **state)
{
    (void)state;
    how_one_ends_that_holds_a_lock_is_told(BY_YOKE_EXIT);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_begun_goes_out_before_a_child_returns),
        cmocka_unit_test(a_message_begun_goes_out_before_a_child_exits),
        cmocka_unit_test(nobody_who_receives_nothing_holds_up_an_end),
        cmocka_unit_test(a_parent_that_leaves_finishes_what_its_child_waits_for),
        cmocka_unit_test(nor_does_it_give_up_while_it_joins_a_slow_child),
        cmocka_unit_test(a_child_that_ends_has_left_its_segments),
        cmocka_unit_test(the_status_of_one_that_returned_with_a_lock_is_told),
        cmocka_unit_test(the_status_of_one_that_exited_with_a_lock_is_told),
    };
    yoke_main(argc, argv);
    return run_under_methods(tests);
}
