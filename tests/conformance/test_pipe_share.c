/* Several processes that send on one end: whole messages, a death in the midst of one, the end of the stream. */
#include "support/process.h"

#include <stdlib.h>
#include <string.h>

#include "support/pipes.h"

#define T     PIPE_PATIENCE
#define EACH  200
#define LARGE ((size_t)300000)

static yoke_process *start(yoke_function *function, const yoke_item *args)
{
    yoke_process *process;

    assert_ok(yoke_process_start(&process, function, args,
                                 YOKE_OPTIONS(yoke_process_options, .method = method_under_test())));
    return process;
}

static void join(yoke_process *process)
{
    yoke_result result = finish(process);

    if (result.code != 0)
        print_message("child: %s\n", result.text);
    assert_int_equal(0, result.code);
}

/* Of message n of a sender: from 0 to 70000 bytes, small and large mixed; 8 bytes say whose and which it is. */
static size_t size_of(int n)
{
    static const size_t sizes[] = {8, 100, 5000, 2040, 70000, 9};

    return sizes[(size_t)n % (sizeof sizes / sizeof *sizes)];
}

static int send_each(yoke_conn *conn, int sender)
{
    uint8_t *data = malloc(70000);

    for (int n = 0; n < EACH; n++) {
        int about[2] = {sender, n};
        pattern_fill(data, size_of(n), (unsigned)(sender * EACH + n));
        memcpy(data, about, sizeof about);
        int rc = yoke_conn_send(conn, data, size_of(n), T);
        if (rc < 0) {
            free(data);
            return rc;
        }
    }
    free(data);
    return 0;
}

static int be_a_sender(const yoke_args *args)
{
    return send_each(yoke_args_conn(args, 0), yoke_args_int(args, 1));
}

static void expect_each(yoke_conn *conn, int senders)
{
    int      next[8] = {0};
    uint8_t *data = malloc(70000), *expected = malloc(70000);
    size_t   size;

    for (int i = 0; i < senders * EACH; i++) {
        int about[2];
        assert_ok(yoke_conn_recv(conn, data, 70000, &size, T));
        memcpy(about, data, sizeof about);
        assert_in_range(about[0], 0, senders - 1);
        assert_int_equal(next[about[0]]++, about[1]);
        assert_int_equal(size_of(about[1]), size);
        pattern_fill(expected, size, (unsigned)(about[0] * EACH + about[1]));
        memcpy(expected, about, sizeof about);
        assert_memory_equal(expected, data, size);
    }
    assert_int_equal(YOKE_EEOF, yoke_conn_recv(conn, data, 1, &size, T));
    free(data);
    free(expected);
}

/* Three children and the parent itself, at the same time; a one-way pipe does as well. */
static void senders_at_once(bool one_way)
{
    yoke_conn    *reader, *writer, *shared;
    yoke_process *processes[3];

    assert_ok(yoke_pipe_create(&reader, &writer, YOKE_OPTIONS(yoke_pipe_options, .one_way = one_way)));
    for (int i = 0; i < 3; i++) {
        assert_ok(yoke_conn_share(&shared, writer));
        processes[i] = start(be_a_sender, YOKE_ARGS(YOKE_GIVE(shared), i));
    }
    yoke_process *own = start(be_a_sender, YOKE_ARGS(YOKE_GIVE(writer), 3));
    expect_each(reader, 4);
    for (int i = 0; i < 3; i++)
        join(processes[i]);
    join(own);
    yoke_conn_close(reader);
}

static void test_messages_of_several_processes_come_whole(void **state)
{
    (void)state;
    senders_at_once(false);
    senders_at_once(true);
}

/* Gets its sending end over the connection that it was started with. */
static int be_a_sender_later(const yoke_args *args)
{
    yoke_variant *got;

    YOKE_TRY(yoke_conn_recv_variant(yoke_args_conn(args, 0), &got, T));
    int rc = send_each(yoke_variant_conn(yoke_variant_at(got, 0)), (int)yoke_variant_int(yoke_variant_at(got, 1), 0));
    yoke_variant_free(got);
    return rc;
}

static void test_shared_ends_travel_in_messages(void **state)
{
    yoke_conn    *reader, *writer, *shared, *talks[2], *there;
    yoke_process *processes[2];

    (void)state;
    assert_ok(yoke_pipe_create(&reader, &writer, NULL));
    for (int i = 0; i < 2; i++) {
        assert_ok(yoke_pipe_create(&talks[i], &there, NULL));
        processes[i] = start(be_a_sender_later, YOKE_ARGS(YOKE_GIVE(there)));
        assert_ok(yoke_conn_share(&shared, writer));
        assert_ok(yoke_conn_send_variant(talks[i], YOKE_ARGS(YOKE_GIVE(shared), i), T));
    }
    yoke_conn_close(writer);
    expect_each(reader, 2);
    for (int i = 0; i < 2; i++) {
        join(processes[i]);
        yoke_conn_close(talks[i]);
    }
    yoke_conn_close(reader);
}

/* ---- what a shared end is ---- */

static void test_the_second_handle_only_sends_and_may_be_shared_again(void **state)
{
    yoke_conn *reader, *writer, *second, *third, *none;
    char       text[8];

    (void)state;
    assert_ok(yoke_pipe_create(&reader, &writer, NULL));
    assert_ok(yoke_conn_share(&second, writer));
    assert_ok(yoke_conn_share(&third, second));
    assert_int_equal(YOKE_EINVAL, yoke_conn_recv_string(second, text, sizeof text, YOKE_NOWAIT));
    assert_ok(yoke_conn_send_string(third, "third", T));
    assert_ok(yoke_conn_recv_string(reader, text, sizeof text, T));
    assert_string_equal("third", text);
    assert_ok(yoke_conn_send_string(reader, "back", T));
    assert_ok(yoke_conn_recv_string(writer, text, sizeof text, T)); /* which still receives */
    yoke_conn_close(writer);
    assert_ok(yoke_conn_send_string(second, "second", T));
    yoke_conn_close(second);
    assert_ok(yoke_conn_recv_string(reader, text, sizeof text, T));
    assert_int_equal(YOKE_ETIMEDOUT, yoke_conn_recv_string(reader, text, sizeof text, YOKE_NOWAIT));
    yoke_conn_close(third);
    assert_int_equal(YOKE_EEOF, yoke_conn_recv_string(reader, text, sizeof text, T));
    assert_int_equal(YOKE_EINVAL, yoke_conn_share(NULL, reader));
    assert_int_equal(YOKE_EINVAL, yoke_conn_share(&none, second));
    yoke_conn_close(reader);
    assert_ok(yoke_pipe_create(&reader, &writer, YOKE_OPTIONS(yoke_pipe_options, .one_way = true)));
    assert_int_equal(YOKE_EINVAL, yoke_conn_share(&none, reader));
    yoke_conn_close(reader);
    yoke_conn_close(writer);
}

/* ---- deaths ---- */

/* Says that it is about to send, and sends so many bytes, which nobody receives. */
static int send_and_stay(const yoke_args *args)
{
    yoke_conn *conn = yoke_args_conn(args, 0);
    size_t     size = (size_t)yoke_args_int64(args, 2);
    void      *data = calloc(1, size);

    YOKE_TRY(yoke_queue_put_string(yoke_args_queue(args, 1), "now", T));
    int rc = yoke_conn_send(conn, data, size, YOKE_FOREVER);
    free(data);
    YOKE_TRY(rc);
    YOKE_TRY(yoke_queue_put_string(yoke_args_queue(args, 1), "sent", T));
    return yoke_queue_get_string(yoke_args_queue(args, 3), (char[2]){0}, 2, YOKE_FOREVER);
}

static void kill_and_join(yoke_process *process)
{
    yoke_result result = {.struct_size = sizeof result};

    assert_ok(yoke_process_kill(process));
    assert_ok(yoke_process_finish(process, &result, T));
}

static void expect_put(yoke_queue *queue, const char *what)
{
    char text[8];

    assert_ok(yoke_queue_get_string(queue, text, sizeof text, T));
    assert_string_equal(what, text);
}

static void test_a_death_in_the_midst_of_a_message_is_reported(void **state)
{
    yoke_conn  *reader, *writer, *shared;
    yoke_queue *told = new_queue(), *never = new_queue();

    (void)state;
    assert_ok(yoke_pipe_create(&reader, &writer, NULL));
    assert_ok(yoke_conn_share(&shared, writer));
    yoke_process *process = start(send_and_stay, YOKE_ARGS(YOKE_GIVE(shared), told, LARGE * 10, never));
    expect_put(told, "now");
    assert_ok(yoke_conn_poll(reader, T)); /* it has begun, and never ends */
    assert_int_equal(YOKE_ETIMEDOUT, yoke_conn_send_string(writer, "x", 50));
    kill_and_join(process);
    assert_int_equal(YOKE_EBROKEN, yoke_conn_send_string(writer, "x", T));
    assert_non_null(strstr(yoke_last_error()->text, "shared"));
    assert_int_equal(YOKE_EBROKEN, yoke_conn_send_string(writer, "x", T));
    yoke_conn_close(writer);
    assert_int_equal(YOKE_EBROKEN, yoke_conn_skip(reader, T));
    yoke_conn_close(reader);
    yoke_queue_close(told);
    yoke_queue_close(never);
}

static void test_a_death_between_messages_harms_nobody(void **state)
{
    yoke_conn  *reader, *writer, *shared;
    yoke_queue *told = new_queue(), *never = new_queue();
    char        text[1000];

    (void)state;
    assert_ok(yoke_pipe_create(&reader, &writer, NULL));
    assert_ok(yoke_conn_share(&shared, writer));
    yoke_process *process = start(send_and_stay, YOKE_ARGS(YOKE_GIVE(shared), told, (size_t)100, never));
    expect_put(told, "now");
    expect_put(told, "sent");
    kill_and_join(process);
    assert_ok(yoke_conn_send_string(writer, "goes on", T));
    yoke_conn_close(writer);
    assert_ok(yoke_conn_recv(reader, text, sizeof text, NULL, T));
    assert_ok(yoke_conn_recv_string(reader, text, sizeof text, T));
    assert_string_equal("goes on", text);
    assert_int_equal(YOKE_EEOF, yoke_conn_recv_string(reader, text, sizeof text, T));
    yoke_conn_close(reader);
    yoke_queue_close(told);
    yoke_queue_close(never);
}

/* Small messages until it is killed, wherever that is. */
static int send_small(const yoke_args *args)
{
    uint8_t data[1500] = {0};

    for (;;)
        YOKE_TRY(yoke_conn_send(yoke_args_conn(args, 0), data, sizeof data, T));
}

static void test_whoever_dies_while_it_sends_small_messages_breaks_nothing(void **state)
{
    yoke_conn *reader, *writer, *shared;
    uint8_t    data[2000];
    size_t     size;
    int        rc;

    (void)state;
    assert_ok(yoke_pipe_create(&reader, &writer, NULL));
    for (int round = 0; round < 5; round++) {
        assert_ok(yoke_conn_share(&shared, writer));
        yoke_process *process = start(send_small, YOKE_ARGS(YOKE_GIVE(shared)));
        for (int i = 0; i < 100 * (round + 1); i++)
            assert_ok(yoke_conn_recv(reader, data, sizeof data, &size, T));
        kill_and_join(process);
        while ((rc = yoke_conn_recv(reader, data, sizeof data, &size, YOKE_NOWAIT)) == YOKE_OK)
            assert_int_equal(1500, size);
        assert_int_equal(YOKE_ETIMEDOUT, rc);
        assert_ok(yoke_conn_send(writer, data, 10, T));
        assert_ok(yoke_conn_recv(reader, data, sizeof data, &size, T));
        assert_int_equal(10, size);
    }
    yoke_conn_close(writer);
    yoke_conn_close(reader);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_of_several_processes_come_whole),
        cmocka_unit_test(test_shared_ends_travel_in_messages),
        cmocka_unit_test(test_the_second_handle_only_sends_and_may_be_shared_again),
        cmocka_unit_test(test_a_death_in_the_midst_of_a_message_is_reported),
        cmocka_unit_test(test_a_death_between_messages_harms_nobody),
        cmocka_unit_test(test_whoever_dies_while_it_sends_small_messages_breaks_nothing),
    };

    yoke_main(argc, argv);
    return run_under_methods(tests);
}
