/* Moving an end: prepare, commit, abort; detach and attach; what a forked child keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/connection/conn.h"

#include "support/child.h"
#include "support/leak.h"
#include "support/pipes.h"

#define T PIPE_PATIENCE

static void send_text(yoke_conn *conn, const char *text)
{
    assert_int_equal(YOKE_OK, yoke_conn_send_string(conn, text, T));
}

static void expect_text(yoke_conn *conn, const char *text)
{
    char got[64];

    assert_int_equal(YOKE_OK, yoke_conn_recv_string(conn, got, sizeof got, T));
    assert_string_equal(text, got);
}

/* Detaches and attaches again, as another process would. */
static yoke_conn *move(yoke_conn *conn)
{
    yoke_native native;
    void       *unread;
    size_t      size;
    uint32_t    flags;
    yoke_conn  *moved;
    char        byte;

    assert_int_equal(YOKE_OK, yoke__conn_detach(conn, &native, &unread, &size, &flags));
    assert_int_equal(YOKE_EMOVED, yoke_conn_send(conn, "x", 1, T));
    assert_int_equal(YOKE_EMOVED, yoke_conn_recv(conn, &byte, 1, NULL, T));
    assert_true(yoke_conn_native(conn) == -1);
    yoke_conn_close(conn);
    assert_int_equal(YOKE_OK, yoke__conn_attach(&moved, native, unread, size, flags));
    free(unread);
    return moved;
}

static void test_an_unused_end_moves(void **state)
{
    yoke_conn *a, *b;

    (void)state;
    pipe_make(&a, &b, false);
    a = move(a);
    send_text(b, "to a");
    expect_text(a, "to a");
    send_text(a, "to b");
    expect_text(b, "to b");
    yoke_conn_close(a);
    yoke_conn_close(b);
}

static void test_unread_messages_move_along(void **state)
{
    yoke_conn *a, *b;
    uint8_t    large[100000], got[100000];
    size_t     size;

    (void)state;
    pipe_make(&a, &b, false);
    send_text(b, "one");
    send_text(b, "two");
    pattern_fill(large, sizeof large, 3);
    assert_int_equal(YOKE_OK, yoke_conn_send(b, large, sizeof large, T));
    expect_text(a, "one"); /* the rest has been read ahead, as far as it fits */
    a = move(a);
    expect_text(a, "two");
    assert_int_equal(YOKE_EMSGSIZE, yoke_conn_recv(a, got, 10, &size, T)); /* its header is read, none of its bytes */
    a = move(a);
    assert_int_equal(YOKE_OK, yoke_conn_recv(a, got, sizeof got, &size, T));
    assert_int_equal(sizeof large, size);
    assert_true(pattern_is(got, size, 3));
    yoke_conn_close(b);
    assert_int_equal(YOKE_EEOF, yoke_conn_recv(a, got, 1, &size, T));
    yoke_conn_close(a);
}

static void test_a_message_half_received_moves_along(void **state)
{
    static const uint8_t header[] = {0, 3, 0x0d, 0x40}; /* 200000 */
    yoke_conn           *a, *b;
    uint8_t             *data = malloc(200000), *got = malloc(200000);
    size_t               size;
    yoke_message        *message;

    (void)state;
    pattern_fill(data, 200000, 9);
    pipe_make(&a, &b, false);
    assert_int_equal(4, write((int)yoke_conn_native(b), header, 4));
    assert_int_equal(120000, write((int)yoke_conn_native(b), data, 120000));
    assert_int_equal(YOKE_ETIMEDOUT, yoke_conn_recv(a, got, 200000, &size, YOKE_NOWAIT));
    a = move(a);
    assert_int_equal(YOKE_ETIMEDOUT, yoke_conn_recv_message(a, &message, YOKE_NOWAIT));
    a = move(a);
    assert_int_equal(80000, write((int)yoke_conn_native(b), data + 120000, 80000));
    assert_int_equal(YOKE_OK, yoke_conn_recv(a, got, 200000, &size, T));
    assert_int_equal(200000, size);
    assert_true(pattern_is(got, size, 9));
    yoke_conn_close(a);
    yoke_conn_close(b);
    free(data);
    free(got);
}

static void test_the_limit_and_the_direction_move_along(void **state)
{
    yoke_conn *a, *b;
    uint8_t    data[20] = {0};
    size_t     size;

    (void)state;
    assert_int_equal(YOKE_OK,
                     yoke_pipe_create(&a, &b, YOKE_OPTIONS(yoke_pipe_options, .one_way = true, .max_message = 10)));
    b = move(b);
    assert_int_equal(YOKE_EMSGSIZE, yoke_conn_send(b, data, 11, T));
    assert_int_equal(YOKE_EINVAL, yoke_conn_recv(b, data, 1, &size, T));
    assert_int_equal(YOKE_OK, yoke_conn_send(b, data, 10, T));
    a = move(a);
    assert_int_equal(YOKE_OK, yoke_conn_recv(a, data, 10, &size, T));
    assert_int_equal(YOKE_EINVAL, yoke_conn_send(a, data, 1, T));
    yoke_conn_close(a);
    yoke_conn_close(b);
}

static void test_abort_loses_nothing(void **state)
{
    yoke__conn_move m;
    yoke_conn      *a, *b;

    (void)state;
    pipe_make(&a, &b, false);
    send_text(b, "one");
    send_text(b, "two");
    expect_text(a, "one");
    assert_int_equal(YOKE_OK, yoke__conn_move_prepare(&m, a));
    assert_int_equal(YOKE_ETIMEDOUT, yoke_conn_send(a, "x", 1, 10)); /* out of use meanwhile */
    yoke__conn_move_abort(&m);
    expect_text(a, "two");
    send_text(a, "back");
    expect_text(b, "back");
    yoke_conn_close(a);
    yoke_conn_close(b);
}

static void test_half_a_sent_message_holds_the_end_back(void **state)
{
    yoke__conn_move m;
    yoke_conn      *a, *b;
    size_t          size;
    uint8_t        *data = calloc(1, 1000000);

    (void)state;
    pipe_make(&a, &b, false);
    assert_int_equal(YOKE_BEGUN, yoke_conn_send(b, data, 1000000, YOKE_NOWAIT));
    assert_int_equal(YOKE_EBUSY, yoke__conn_move_prepare(&m, b));
    assert_int_equal(YOKE_OK, yoke_conn_recv(a, data, 1000000, &size, T));
    b = move(b);
    send_text(b, "next");
    expect_text(a, "next");
    yoke_conn_close(a);
    yoke_conn_close(b);
    free(data);
}

static void test_nonsense_is_not_attached(void **state)
{
    yoke_conn *out;
    int        ends[2];

    (void)state;
    assert_int_equal(0, pipe(ends));
    assert_int_equal(YOKE_EPROTO, yoke__conn_attach(&out, ends[0], NULL, 0, 0));
    assert_int_equal(YOKE_EPROTO, yoke__conn_attach(&out, ends[0], NULL, 0, 128 | YOKE_STREAM_READ));
    assert_int_equal(YOKE_EPROTO, yoke__conn_attach(&out, ends[0], "1234567", 7, 4 | YOKE_STREAM_READ));
    assert_int_equal(0, close(ends[0]));
    assert_int_equal(0, close(ends[1]));
}

typedef struct family {
    yoke_conn *passed, *unpassed;
} family;

/* As a child forked by yoke begins. */
static int keep_one(void *user)
{
    family *f = user;
    char    text[16];

    yoke__conn_close_inherited(&f->passed, 1);
    CHILD_CHECK(yoke_conn_send(f->unpassed, "x", 1, T) == YOKE_ECLOSED);
    CHILD_CHECK(yoke_conn_native(f->unpassed) == -1);
    yoke_conn_close(f->unpassed);
    CHILD_CHECK(yoke_conn_recv_string(f->passed, text, sizeof text, T) == YOKE_OK);
    CHILD_CHECK(strcmp(text, "two") == 0);
    CHILD_CHECK(yoke_conn_send_string(f->passed, "from the child", T) == YOKE_OK);
    yoke_conn_close(f->passed);
    return 0;
}

static void test_a_forked_child_keeps_what_it_was_passed(void **state)
{
    yoke__conn_move m;
    yoke_conn      *other, *other_unpassed;
    family          f;
    char            byte;

    (void)state;
    pipe_make(&f.passed, &other, false);
    pipe_make(&f.unpassed, &other_unpassed, false);
    send_text(other, "one");
    send_text(other, "two");
    expect_text(f.passed, "one"); /* and two is read ahead */
    assert_int_equal(YOKE_OK, yoke__conn_move_prepare(&m, f.passed));
    pid_t child = child_start(keep_one, &f);
    yoke__conn_move_commit(&m);
    assert_int_equal(YOKE_EMOVED, yoke_conn_send(f.passed, "x", 1, T));
    yoke_conn_close(f.unpassed);
    assert_int_equal(YOKE_EEOF, yoke_conn_recv(other_unpassed, &byte, 1, NULL, T)); /* the child's copy is closed too */
    expect_text(other, "from the child");
    assert_int_equal(YOKE_EEOF, yoke_conn_recv(other, &byte, 1, NULL, T));
    assert_int_equal(0, child_join(child));
    yoke_conn_close(f.passed);
    yoke_conn_close(other);
    yoke_conn_close(other_unpassed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_unused_end_moves),
        cmocka_unit_test(test_unread_messages_move_along),
        cmocka_unit_test(test_a_message_half_received_moves_along),
        cmocka_unit_test(test_the_limit_and_the_direction_move_along),
        cmocka_unit_test(test_abort_loses_nothing),
        cmocka_unit_test(test_half_a_sent_message_holds_the_end_back),
        cmocka_unit_test(test_nonsense_is_not_attached),
        cmocka_unit_test(test_a_forked_child_keeps_what_it_was_passed),
    };
    return cmocka_run_group_tests(tests, pipes_setup, leak_teardown);
}
