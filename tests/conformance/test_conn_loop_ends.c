/* Connections on event loops: ends of streams, closing in every function, blocking calls beside, forks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <yoke/uv.h>
#include <yoke/yoke.h>

#include "core/domain/object.h"
#include "support/child.h"
#include "support/leak.h"
#include "support/loops.h"
#include "support/pipes.h"

#define T PIPE_PATIENCE

/* Which function of an end closes it. */
enum { NOWHERE, IN_MESSAGE, IN_ROOM, IN_WRITTEN };

typedef struct end {
    yoke_conn *conn;
    int        where;
    int        messages, statuses, written, last_written, rooms, closed, after;
    int        status;
} end;

static void on_closed(void *user)
{
    ((end *)user)->closed++;
}

static void close_if(end *e, int where)
{
    e->after += e->closed;
    if (e->where != where)
        return;
    e->where = NOWHERE;
    assert_int_equal(yoke_conn_close_on_loop(e->conn, on_closed, e), YOKE_OK);
}

static void on_message(yoke_conn *conn, int status, const void *data, size_t size, void *user)
{
    end *e = user;

    (void)conn, (void)data, (void)size;
    e->messages += status == YOKE_OK;
    e->statuses += status != YOKE_OK;
    e->status = status;
    close_if(e, IN_MESSAGE);
}

static void on_room(yoke_conn *conn, void *user)
{
    (void)conn;
    ((end *)user)->rooms++;
    close_if(user, IN_ROOM);
}

static void on_written(yoke_conn *conn, int status, void *user)
{
    end *e = user;

    (void)conn;
    e->written++;
    e->last_written = status;
    if (status == YOKE_OK)
        close_if(user, IN_WRITTEN);
    e->after += e->closed;
}

static int try_attach(end *e, yoke_conn *conn, uv_loop_t *loop)
{
    e->conn = conn;
    e->status = 1;
    return yoke_conn_attach(
        conn, loop,
        YOKE_OPTIONS(yoke_conn_loop_options, .message = on_message, .room = on_room, .user = e, .high = 100000));
}

static void attach(end *e, yoke_conn *conn, uv_loop_t *loop, int where)
{
    *e = (end){.where = where};
    assert_int_equal(try_attach(e, conn, loop), YOKE_OK);
    assert_int_equal(yoke_conn_read_start(conn), YOKE_OK);
}

/* Writes until no more is taken; how many. */
static int fill(end *e)
{
    static char data[10000];
    int         count = 1;

    while (yoke_conn_write(e->conn, data, sizeof data, on_written, e, NULL) == YOKE_OK)
        count++;
    return count;
}

/* ---- closing --------------------------------------------------------------------------------------------------------- */

static void test_an_end_is_closed_in_any_of_its_functions(void **state)
{
    (void)state;
    for (int where = IN_MESSAGE; where <= IN_WRITTEN; where++) {
        uv_loop_t  loop;
        yoke_conn *one, *other;
        end        closing, reading;

        loop_make(&loop);
        pipe_make(&one, &other, false);
        attach(&closing, one, &loop, where);
        attach(&reading, other, &loop, NOWHERE);
        int taken = fill(&closing);
        for (int i = 0; i < 5; i++)
            assert_int_equal(yoke_conn_write(other, "x", 1, NULL, NULL, NULL), YOKE_OK);
        loop_until_count(&loop, &closing.closed, 1);
        assert_int_equal(closing.written, taken);
        assert_int_equal(closing.after, 0); /* closed came last */
        assert_int_equal(closing.messages <= (where == IN_MESSAGE ? 1 : 5), 1);
        loop_until_count(&loop, &reading.statuses, 1);
        yoke_conn_close(other);
        loop_end(&loop);
    }
}

static void test_messages_that_wait_are_told_when_it_is_closed(void **state)
{
    uv_loop_t  loop;
    yoke_conn *one, *other;
    end        e;

    (void)state;
    loop_make(&loop);
    pipe_make(&one, &other, false);
    attach(&e, one, &loop, NOWHERE);
    int taken = fill(&e);
    assert_int_equal(yoke_conn_close_on_loop(one, on_closed, &e), YOKE_OK);
    assert_int_equal(e.written + e.closed, 0);
    assert_int_equal(yoke_conn_write(one, "x", 1, NULL, NULL, NULL), YOKE_EINVAL);
    loop_end(&loop);
    assert_int_equal(e.written, taken);
    assert_int_equal(e.last_written, YOKE_ECLOSED);
    assert_int_equal(e.closed, 1);
    yoke_conn_close(other);
}

/* ---- ends of streams --------------------------------------------------------------------------------------------------- */

static void test_ends_and_broken_streams_are_told_once(void **state)
{
    static const struct {
        const char *bytes;
        size_t      size;
        int         status;
    } cases[] = {
        {"", 0, YOKE_EEOF},
        {"\0\0\0\3ab", 6, YOKE_EBROKEN},
        {"\0\0", 2, YOKE_EBROKEN},
        {"\x80\0\0\0", 4, YOKE_EPROTO},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uv_loop_t  loop;
        yoke_conn *one, *other;
        end        e;

        loop_make(&loop);
        pipe_make(&one, &other, false);
        attach(&e, one, &loop, NOWHERE);
        assert_int_equal(write((int)yoke_conn_native(other), cases[i].bytes, cases[i].size), cases[i].size);
        yoke_conn_close(other);
        loop_until_count(&loop, &e.statuses, 1);
        loop_rounds(&loop, 5);
        assert_int_equal(e.status, cases[i].status);
        assert_int_equal(e.statuses, 1);
        assert_int_equal(uv_loop_alive(&loop), 0);
        yoke_conn_close(one);
        loop_end(&loop);
    }
}

static void test_a_message_over_the_limit_is_passed_over(void **state)
{
    static char data[200000];
    uv_loop_t   loop;
    yoke_conn  *reader, *writer;
    end         in, out;

    (void)state;
    loop_make(&loop);
    assert_int_equal(yoke_pipe_create(&reader, &writer, YOKE_OPTIONS(yoke_pipe_options, .max_message = 100)), YOKE_OK);
    attach(&in, reader, &loop, NOWHERE);
    attach(&out, writer, &loop, NOWHERE);
    assert_int_equal(yoke_conn_write(writer, data, 101, NULL, NULL, NULL), YOKE_EMSGSIZE);
    data[2] = 2; /* the header of a message of 512 bytes */
    assert_int_equal(write((int)yoke_conn_native(writer), data, 4 + 512), 4 + 512);
    assert_int_equal(yoke_conn_write(writer, "x", 1, NULL, NULL, NULL), YOKE_OK);
    loop_until_count(&loop, &in.messages, 1);
    assert_int_equal(in.statuses, 1);
    yoke_conn_close(reader);
    yoke_conn_close(writer);
    loop_end(&loop);
}

/* Or the process would be gone: SIGPIPE is at its default. */
static void test_writing_to_a_closed_end_is_an_error_and_no_signal(void **state)
{
    uv_loop_t  loop;
    yoke_conn *one, *other;
    end        e;

    (void)state;
    loop_make(&loop);
    for (int backed_up = 0; backed_up < 2; backed_up++) {
        pipe_make(&one, &other, false);
        attach(&e, one, &loop, NOWHERE);
        int taken = backed_up ? fill(&e) : 0;
        yoke_conn_close(other);
        if (!backed_up) {
            assert_int_equal(yoke_conn_write(one, "x", 1, on_written, &e, NULL), YOKE_OK);
            taken++;
        }
        loop_until_count(&loop, &e.written, taken);
        assert_int_equal(e.last_written, YOKE_EBROKEN);
        assert_int_equal(yoke_conn_write(one, "x", 1, on_written, &e, NULL), YOKE_EBROKEN);
        yoke_conn_close(one);
        loop_rounds(&loop, 3);
    }
    loop_end(&loop);
}

/* ---- blocking calls ---------------------------------------------------------------------------------------------------- */

static int nothing(const yoke_args *args)
{
    (void)args;
    return 0;
}

static void test_blocking_calls_on_an_attached_end_are_told_so(void **state)
{
    uv_loop_t     loop;
    yoke_conn    *one, *other;
    yoke_process *process;
    end           e;
    char          byte;

    (void)state;
    loop_make(&loop);
    pipe_make(&one, &other, false);
    yoke_wait_entry entry = yoke_wait_conn_readable(one);
    assert_int_equal(yoke_conn_read_start(one), YOKE_EINVAL); /* not attached yet */
    attach(&e, one, &loop, NOWHERE);
    assert_int_equal(try_attach(&e, one, &loop), YOKE_EBUSY);
    assert_int_equal(yoke_conn_send(one, "x", 1, YOKE_NOWAIT), YOKE_EBUSY);
    assert_int_equal(yoke_conn_recv(one, &byte, 1, NULL, YOKE_NOWAIT), YOKE_EBUSY);
    assert_int_equal(yoke_conn_poll(one, YOKE_NOWAIT), YOKE_EBUSY);
    assert_int_equal(yoke_wait(&entry, 1, YOKE_NOWAIT), 1);
    assert_int_equal(entry.status, YOKE_EBUSY);
    assert_int_equal(yoke_process_start(&process, nothing, YOKE_ARGS(one), NULL), YOKE_EBUSY);
    assert_true(yoke_conn_native(one) >= 0);
    yoke_conn_close(one);
    loop_end(&loop);
    yoke_conn_close(other);
}

static void *receive(void *user)
{
    char byte;

    return yoke_conn_recv(user, &byte, 1, NULL, T) == YOKE_OK ? user : NULL;
}

static void test_an_end_that_a_thread_sleeps_in_is_not_attached(void **state)
{
    uv_loop_t  loop;
    yoke_conn *one, *other;
    pthread_t  thread;
    void      *received;
    end        e = {.where = NOWHERE};

    (void)state;
    loop_make(&loop);
    pipe_make(&one, &other, false);
    assert_int_equal(pthread_create(&thread, NULL, receive, one), 0);
    while (yoke__a32_load_acquire(&((yoke__handle *)(void *)one)->users) == 0)
        (void)usleep(100);
    (void)usleep(1000);
    assert_int_equal(try_attach(&e, one, &loop), YOKE_EBUSY);
    assert_int_equal(yoke_conn_send(other, "x", 1, T), YOKE_OK);
    assert_int_equal(pthread_join(thread, &received), 0);
    assert_ptr_equal(received, one);
    attach(&e, one, &loop, NOWHERE);
    assert_int_equal(yoke_conn_send(other, "y", 1, T), YOKE_OK);
    loop_until_count(&loop, &e.messages, 1);
    yoke_conn_close(one);
    yoke_conn_close(other);
    loop_end(&loop);
}

/* Blocking calls of another thread find the end attached at any moment: a clear error, and nothing is lost. */
static void *try_to_send(void *user)
{
    int64_t sent = 0;
    int     rc;

    while ((rc = yoke_conn_send(user, "x", 1, T)) == YOKE_OK)
        sent++;
    return rc == YOKE_EBUSY ? (void *)(intptr_t)sent : NULL;
}

static void test_attaching_beside_a_sender_loses_nothing(void **state)
{
    uv_loop_t  loop;
    yoke_conn *one, *other;
    pthread_t  thread;
    void      *sent;
    end        sending = {.where = NOWHERE}, e;

    (void)state;
    loop_make(&loop);
    pipe_make(&one, &other, false);
    attach(&e, other, &loop, NOWHERE);
    assert_int_equal(pthread_create(&thread, NULL, try_to_send, one), 0);
    loop_until_count(&loop, &e.messages, 100);
    while (try_attach(&sending, one, &loop) == YOKE_EBUSY)
        loop_rounds(&loop, 1);
    assert_int_equal(pthread_join(thread, &sent), 0);
    assert_true((intptr_t)sent >= 100);
    assert_int_equal(yoke_conn_write(one, "last", 4, NULL, NULL, NULL), YOKE_OK);
    loop_until_count(&loop, &e.messages, (int)(intptr_t)sent + 1);
    yoke_conn_close(one);
    yoke_conn_close(other);
    loop_end(&loop);
}

/* ---- forks ------------------------------------------------------------------------------------------------------------- */

static int use_in_child(void *user)
{
    end      *e = user;
    uv_loop_t loop;
    char      line[8];

    CHILD_CHECK(yoke_conn_recv_string(e->conn, line, sizeof line, T) == YOKE_OK);
    CHILD_CHECK(yoke_conn_send_string(e->conn, line, T) == YOKE_OK);
    CHILD_CHECK(uv_loop_init(&loop) == 0);
    CHILD_CHECK(try_attach(e, e->conn, &loop) == YOKE_OK && yoke_conn_read_start(e->conn) == YOKE_OK);
    while (e->messages == 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
    yoke_conn_close(e->conn);
    CHILD_CHECK(uv_run(&loop, UV_RUN_DEFAULT) == 0 && uv_loop_close(&loop) == 0);
    return 0;
}

static void test_a_forked_child_has_the_end_on_no_loop(void **state)
{
    uv_loop_t  loop;
    yoke_conn *one, *other;
    end        e;
    char       line[8];

    (void)state;
    loop_make(&loop);
    pipe_make(&one, &other, false);
    attach(&e, one, &loop, NOWHERE);
    loop_rounds(&loop, 2);
    pid_t child = child_start(use_in_child, &e);
    assert_int_equal(yoke_conn_send_string(other, "child", T), YOKE_OK);
    assert_int_equal(yoke_conn_recv_string(other, line, sizeof line, T), YOKE_OK);
    assert_string_equal(line, "child");
    assert_int_equal(yoke_conn_send_string(other, "again", T), YOKE_OK);
    assert_int_equal(child_join(child), 0);
    assert_int_equal(e.messages, 0);
    assert_int_equal(yoke_conn_send_string(other, "mine", T), YOKE_OK);
    loop_until_count(&loop, &e.messages, 1);
    yoke_conn_close(one);
    yoke_conn_close(other);
    loop_end(&loop);
}

static int setup(void **state)
{
    yoke_process *process;

    if (yoke_process_start(&process, nothing, NULL, NULL) < 0 || yoke_process_finish(process, NULL, T) < 0)
        return -1;
    return pipes_setup(state);
}

int main(int argc, char **argv)
{
    yoke_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_end_is_closed_in_any_of_its_functions),
        cmocka_unit_test(test_messages_that_wait_are_told_when_it_is_closed),
        cmocka_unit_test(test_ends_and_broken_streams_are_told_once),
        cmocka_unit_test(test_a_message_over_the_limit_is_passed_over),
        cmocka_unit_test(test_writing_to_a_closed_end_is_an_error_and_no_signal),
        cmocka_unit_test(test_blocking_calls_on_an_attached_end_are_told_so),
        cmocka_unit_test(test_an_end_that_a_thread_sleeps_in_is_not_attached),
        cmocka_unit_test(test_attaching_beside_a_sender_loses_nothing),
        cmocka_unit_test(test_a_forked_child_has_the_end_on_no_loop),
    };
    return cmocka_run_group_tests_name("ends on loops", tests, setup, leak_teardown);
}
