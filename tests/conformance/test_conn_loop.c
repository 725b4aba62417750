/* Connections on event loops: messages in and out, what waits, and what is stopped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <yoke/uv.h>
#include <yoke/yoke.h>

#include "core/connection/conn.h"
#include "support/child.h"
#include "support/leak.h"
#include "support/loops.h"
#include "support/pipes.h"

#define T PIPE_PATIENCE

/* What the functions of an end have seen. */
typedef struct seen {
    int    messages, rooms, written, closed;
    int    status, written_status; /* the last ones */
    size_t size, bytes;
    char   text[64];
    bool   stop; /* reading, at the first message */
} seen;

static void on_message(yoke_conn *conn, int status, const void *data, size_t size, void *user)
{
    seen *s = user;

    s->messages += status == YOKE_OK;
    s->status = status;
    s->size = size;
    s->bytes += status == YOKE_OK ? size : 0;
    if (status == YOKE_OK && size < sizeof s->text) {
        memcpy(s->text, data, size);
        s->text[size] = '\0';
    }
    if (s->stop)
        assert_int_equal(yoke_conn_read_stop(conn), YOKE_OK);
}

static void on_room(yoke_conn *conn, void *user)
{
    (void)conn;
    ((seen *)user)->rooms++;
}

static void on_written(yoke_conn *conn, int status, void *user)
{
    (void)conn;
    ((seen *)user)->written++;
    ((seen *)user)->written_status = status;
}

static void on_closed(void *user)
{
    ((seen *)user)->closed++;
}

static void attach(yoke_conn *conn, uv_loop_t *loop, seen *s, size_t high)
{
    *s = (seen){.status = 1};
    assert_int_equal(yoke_conn_attach(conn, loop,
                                      YOKE_OPTIONS(yoke_conn_loop_options, .message = on_message, .room = on_room,
                                                   .user = s, .high = high)),
                     YOKE_OK);
}

static void read_start(yoke_conn *conn)
{
    assert_int_equal(yoke_conn_read_start(conn), YOKE_OK);
}

static void write_text(yoke_conn *conn, const char *text, seen *s)
{
    assert_int_equal(yoke_conn_write(conn, text, strlen(text), s ? on_written : NULL, s, NULL), YOKE_OK);
}

/* ---- messages -------------------------------------------------------------------------------------------------------- */

static void test_messages_go_both_ways(void **state)
{
    uv_loop_t  loop;
    yoke_conn *one, *other;
    seen       at_one, at_other;
    char       line[64];

    (void)state;
    loop_make(&loop);
    pipe_make(&one, &other, false);
    attach(one, &loop, &at_one, 0);
    read_start(one);
    assert_int_equal(yoke_conn_send_string(other, "from a blocking call", T), YOKE_OK);
    loop_until_count(&loop, &at_one.messages, 1);
    assert_string_equal(at_one.text, "from a blocking call");
    write_text(one, "to a blocking call", &at_one);
    assert_int_equal(at_one.written, 0); /* not inside of the call */
    loop_until_count(&loop, &at_one.written, 1);
    assert_int_equal(at_one.written_status, YOKE_OK);
    assert_int_equal(yoke_conn_recv_string(other, line, sizeof line, T), YOKE_OK);
    assert_string_equal(line, "to a blocking call");
    attach(other, &loop, &at_other, 0); /* off the private loop */
    read_start(other);
    write_text(one, "", NULL);
    loop_until_count(&loop, &at_other.messages, 1);
    assert_int_equal(at_other.size, 0);
    assert_int_equal(yoke_conn_close_on_loop(one, on_closed, &at_one), YOKE_OK);
    loop_until_count(&loop, &at_one.closed, 1);
    loop_rounds(&loop, 2);
    assert_int_equal(at_other.status, YOKE_EEOF);
    yoke_conn_close(other);
    loop_end(&loop);
}

enum { CLIENTS = 300, EACH = 8 };

typedef struct client {
    yoke_conn *conn;
    size_t     next, *left;
} client;

static size_t size_of(size_t number)
{
    static const size_t sizes[] = {0, 1, 64, 4096, 17, 70000, 16384, 200000};

    return sizes[number % (sizeof sizes / sizeof sizes[0])];
}

static void echo(yoke_conn *conn, int status, const void *data, size_t size, void *user)
{
    (void)user;
    if (status == YOKE_OK)
        assert_true(yoke_conn_write(conn, data, size, NULL, NULL, NULL) >= 0);
    else
        yoke_conn_close(conn);
}

static void client_next(client *c)
{
    static unsigned char data[200000];
    size_t               size = size_of(c->next);

    pattern_fill(data, size, (unsigned)c->next);
    assert_true(yoke_conn_write(c->conn, data, size, NULL, NULL, NULL) >= 0);
}

static void on_echo(yoke_conn *conn, int status, const void *data, size_t size, void *user)
{
    client *c = user;

    assert_int_equal(status, YOKE_OK);
    assert_int_equal(size, size_of(c->next));
    assert_true(pattern_is(data, size, (unsigned)c->next));
    if (++c->next % EACH != 0) {
        client_next(c);
        return;
    }
    --*c->left;
    yoke_conn_close(conn);
}

static void test_an_echo_server_of_hundreds_of_clients(void **state)
{
    static client clients[CLIENTS];
    uv_loop_t     loop;
    size_t        left = CLIENTS;

    (void)state;
    loop_make(&loop);
    for (size_t i = 0; i < CLIENTS; i++) {
        yoke_conn *server;
        pipe_make(&clients[i].conn, &server, false);
        clients[i].next = i * EACH;
        clients[i].left = &left;
        assert_int_equal(yoke_conn_attach(server, &loop, YOKE_OPTIONS(yoke_conn_loop_options, .message = echo)),
                         YOKE_OK);
        assert_int_equal(
            yoke_conn_attach(clients[i].conn, &loop,
                             YOKE_OPTIONS(yoke_conn_loop_options, .message = on_echo, .user = &clients[i])),
            YOKE_OK);
        read_start(server);
        read_start(clients[i].conn);
        client_next(&clients[i]);
    }
    loop_end(&loop);
    assert_int_equal(left, 0);
}

static void test_what_came_before_is_told_first(void **state)
{
    uv_loop_t  loop;
    yoke_conn *reader, *writer;
    seen       s;
    char       line[8];

    (void)state;
    loop_make(&loop);
    pipe_make(&reader, &writer, true);
    for (int i = 0; i < 500; i++)
        assert_int_equal(yoke_conn_send_string(writer, i == 0 ? "one" : "more", T), YOKE_OK);
    assert_int_equal(yoke_conn_recv_string(reader, line, sizeof line, T), YOKE_OK); /* reads ahead */
    attach(reader, &loop, &s, 0);
    read_start(reader);
    assert_int_equal(s.messages, 0);
    loop_until_count(&loop, &s.messages, 499);
    yoke_conn_close(writer);
    loop_rounds(&loop, 3);
    assert_int_equal(s.status, YOKE_EEOF);
    yoke_conn_close(reader);
    loop_end(&loop);
}

static void test_a_large_message_comes_whole_and_an_idle_end_has_no_memory(void **state)
{
    enum { SIZE = 20000000 };
    uv_loop_t      loop;
    yoke_conn     *reader, *writer;
    seen           in, out;
    unsigned char *data = malloc(SIZE);

    (void)state;
    loop_make(&loop);
    pipe_make(&reader, &writer, false);
    attach(reader, &loop, &in, 0);
    attach(writer, &loop, &out, 0);
    read_start(reader);
    pattern_fill(data, SIZE, 7);
    assert_int_equal(yoke_conn_write(writer, data, SIZE, on_written, &out, NULL), YOKE_FULL);
    free(data);
    loop_until_count(&loop, &in.messages, 1);
    assert_int_equal(in.size, SIZE);
    loop_until_count(&loop, &out.rooms, 1);
    write_text(writer, "small", NULL);
    loop_until_count(&loop, &in.messages, 2);
    const yoke__conn *conn = ((yoke__handle *)(void *)reader)->extra;
    assert_null(conn->buffer);
    assert_null(conn->partial);
    yoke_conn_close(reader);
    yoke_conn_close(writer);
    loop_end(&loop);
}

/* ---- what waits ------------------------------------------------------------------------------------------------------ */

static void test_a_reader_that_stops_makes_the_writer_stop(void **state)
{
    enum { HIGH = 100000, SIZE = 1000 };
    static char data[SIZE];
    uv_loop_t   loop;
    yoke_conn  *reader, *writer;
    seen        in, out;
    int         sent = 0, rc;

    (void)state;
    loop_make(&loop);
    pipe_make(&reader, &writer, false);
    attach(reader, &loop, &in, 0);
    attach(writer, &loop, &out, HIGH);
    in.stop = true;
    read_start(reader);
    while ((rc = yoke_conn_write(writer, data, SIZE, on_written, &out, NULL)) == YOKE_OK) {
        sent++;
        loop_rounds(&loop, 1);
        assert_true(yoke_conn_write_waiting(writer) < HIGH);
    }
    assert_int_equal(rc, YOKE_FULL);
    sent++;
    assert_in_range(yoke_conn_write_waiting(writer), HIGH, HIGH + SIZE + 4);
    assert_int_equal(yoke_conn_write(writer, data, SIZE, NULL, NULL, NULL), YOKE_EBUSY);
    loop_rounds(&loop, 20);
    assert_int_equal(in.messages, 1);
    assert_int_equal(out.rooms, 0);
    in.stop = false;
    read_start(reader);
    loop_until_count(&loop, &out.rooms, 1);
    assert_true(yoke_conn_write_waiting(writer) <= HIGH / 4);
    loop_until_count(&loop, &in.messages, sent);
    loop_until_count(&loop, &out.written, sent);
    assert_int_equal(out.rooms, 1);
    assert_int_equal(yoke_conn_write_waiting(writer), 0);
    yoke_conn_close(reader);
    yoke_conn_close(writer);
    loop_end(&loop);
}

static void test_a_message_that_waits_is_taken_back(void **state)
{
    enum { SIZE = 3000000 };
    uv_loop_t  loop;
    yoke_conn *reader, *writer;
    seen       in, out;
    char      *data = calloc(1, SIZE);
    uint64_t   first, second, third;

    (void)state;
    loop_make(&loop);
    pipe_make(&reader, &writer, false);
    attach(reader, &loop, &in, 0);
    attach(writer, &loop, &out, (size_t)100 * SIZE);
    assert_int_equal(yoke_conn_write(writer, data, SIZE, on_written, &out, &first), YOKE_OK);
    assert_int_equal(yoke_conn_write(writer, "second", 6, on_written, &out, &second), YOKE_OK);
    assert_int_equal(yoke_conn_write(writer, "third", 5, on_written, &out, &third), YOKE_OK);
    assert_int_equal(yoke_conn_write_cancel(writer, first), YOKE_BEGUN);
    assert_int_equal(yoke_conn_write_cancel(writer, second), YOKE_OK);
    assert_int_equal(yoke_conn_write_cancel(writer, second), YOKE_ENOENT);
    read_start(reader);
    loop_until_count(&loop, &in.messages, 2);
    assert_string_equal(in.text, "third");
    loop_until_count(&loop, &out.written, 2);
    loop_rounds(&loop, 5);
    assert_int_equal(out.written, 2);
    assert_int_equal(yoke_conn_write_cancel(writer, third), YOKE_ENOENT);
    yoke_conn_close(reader);
    yoke_conn_close(writer);
    loop_end(&loop);
    free(data);
}

static void test_reading_stops_in_the_function_and_goes_on(void **state)
{
    uv_loop_t  loop;
    yoke_conn *reader, *writer;
    seen       s;

    (void)state;
    loop_make(&loop);
    pipe_make(&reader, &writer, true);
    attach(reader, &loop, &s, 0);
    s.stop = true;
    for (int i = 0; i < 10; i++)
        assert_int_equal(yoke_conn_send_string(writer, "x", T), YOKE_OK);
    for (int i = 1; i <= 10; i++) {
        read_start(reader);
        loop_until_count(&loop, &s.messages, i);
        loop_rounds(&loop, 5);
        assert_int_equal(s.messages, i);
    }
    yoke_conn_close(writer);
    loop_rounds(&loop, 5);
    assert_int_equal(s.status, YOKE_OK); /* nobody asked */
    s.stop = false;
    read_start(reader);
    loop_rounds(&loop, 5);
    assert_int_equal(s.status, YOKE_EEOF);
    yoke_conn_close(reader);
    loop_end(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_go_both_ways),
        cmocka_unit_test(test_an_echo_server_of_hundreds_of_clients),
        cmocka_unit_test(test_what_came_before_is_told_first),
        cmocka_unit_test(test_a_large_message_comes_whole_and_an_idle_end_has_no_memory),
        cmocka_unit_test(test_a_reader_that_stops_makes_the_writer_stop),
        cmocka_unit_test(test_a_message_that_waits_is_taken_back),
        cmocka_unit_test(test_reading_stops_in_the_function_and_goes_on),
    };
    return cmocka_run_group_tests_name("connections on loops", tests, pipes_setup, leak_teardown);
}
