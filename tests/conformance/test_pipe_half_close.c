/* One side ends what it sends and goes on receiving. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include <yoke/uv.h>
#include <yoke/yoke.h>

#include "support/leak.h"
#include "support/loops.h"
#include "support/pipes.h"
#include "support/shared.h"

#define T PIPE_PATIENCE

static void expect_text(yoke_conn *conn, const char *wanted)
{
    char text[32];

    assert_int_equal(YOKE_OK, yoke_conn_recv_string(conn, text, sizeof text, T));
    assert_string_equal(wanted, text);
}

static void expect_end(yoke_conn *conn)
{
    char byte;

    assert_int_equal(YOKE_EEOF, yoke_conn_recv(conn, &byte, 1, NULL, T));
}

static void test_what_was_sent_comes_then_the_end_and_answers_still_go_back(void **state)
{
    yoke_conn *a, *b;

    (void)state;
    pipe_make(&a, &b, false);
    assert_int_equal(YOKE_OK, yoke_conn_send_string(a, "question", T));
    assert_int_equal(YOKE_OK, yoke_conn_shutdown_send(a, T));
    expect_text(b, "question");
    expect_end(b);
    assert_int_equal(YOKE_OK, yoke_conn_send_string(b, "answer", T));
    expect_text(a, "answer");
    yoke_conn_close(b);
    expect_end(a);
    yoke_conn_close(a);
}

static void test_nothing_can_be_sent_after_it(void **state)
{
    yoke_conn *a, *b;

    (void)state;
    pipe_make(&a, &b, false);
    assert_int_equal(YOKE_OK, yoke_conn_shutdown_send(a, T));
    assert_int_equal(YOKE_ECLOSED, yoke_conn_send_string(a, "more", T));
    assert_int_equal(YOKE_ECLOSED, yoke_conn_shutdown_send(a, T));
    assert_non_null(strstr(yoke_last_error()->text, "shut down"));
    yoke_conn_close(a);
    yoke_conn_close(b);
}

static void test_both_sides_may_end(void **state)
{
    yoke_conn *a, *b;

    (void)state;
    pipe_make(&a, &b, false);
    assert_int_equal(YOKE_OK, yoke_conn_shutdown_send(a, T));
    assert_int_equal(YOKE_OK, yoke_conn_shutdown_send(b, T));
    expect_end(a);
    expect_end(b);
    yoke_conn_close(a);
    yoke_conn_close(b);
}

static void test_ends_that_can_not_be_half_closed_say_why(void **state)
{
    yoke_conn *reader, *writer, *second;

    (void)state;
    assert_int_equal(YOKE_EINVAL, yoke_conn_shutdown_send(NULL, T));
    pipe_make(&reader, &writer, true);
    assert_int_equal(YOKE_EINVAL, yoke_conn_shutdown_send(reader, T));
    assert_int_equal(YOKE_EINVAL, yoke_conn_shutdown_send(writer, T));
    yoke_conn_close(reader);
    yoke_conn_close(writer);
    pipe_make(&reader, &writer, false);
    assert_int_equal(YOKE_OK, yoke_conn_share(&second, writer));
    assert_int_equal(YOKE_EBUSY, yoke_conn_shutdown_send(writer, T));
    assert_int_equal(YOKE_OK, yoke_conn_send_string(writer, "still", T));
    expect_text(reader, "still");
    yoke_conn_close(second);
    yoke_conn_close(reader);
    yoke_conn_close(writer);
}

static void test_an_earlier_message_goes_out_first(void **state)
{
    enum { SIZE = 8 << 20 };
    yoke_conn *a, *b;
    uint8_t   *data = malloc(SIZE);
    size_t     size = 0;

    (void)state;
    pipe_make(&a, &b, false);
    pattern_fill(data, SIZE, 1);
    assert_int_equal(YOKE_BEGUN, yoke_conn_send(a, data, SIZE, 20));
    assert_int_equal(YOKE_ETIMEDOUT, yoke_conn_shutdown_send(a, YOKE_NOWAIT));
    memset(data, 0, SIZE);
    assert_int_equal(YOKE_OK, yoke_conn_recv(b, data, SIZE, &size, T)); /* the rest goes out meanwhile */
    assert_true(size == SIZE && pattern_is(data, size, 1));
    assert_int_equal(YOKE_OK, yoke_conn_shutdown_send(a, T));
    expect_end(b);
    yoke_conn_close(a);
    yoke_conn_close(b);
    free(data);
}

/* ---- on an event loop -------------------------------------------------------------------------------------------- */

typedef struct seen {
    int    written, ended;
    size_t bytes;
} seen;

static void on_message(yoke_conn *conn, int status, const void *data, size_t size, void *user)
{
    (void)conn;
    (void)data;
    ((seen *)user)->bytes += status == YOKE_OK ? size : 0;
    ((seen *)user)->ended += status == YOKE_EEOF;
}

static void on_written(yoke_conn *conn, int status, void *user)
{
    (void)conn;
    ((seen *)user)->written += status == YOKE_OK;
}

static void attach(yoke_conn *conn, uv_loop_t *loop, seen *user)
{
    assert_int_equal(YOKE_OK, yoke_conn_attach(conn, loop,
                                               YOKE_OPTIONS(yoke_conn_loop_options, .message = on_message, .user = user,
                                                            .high = 64 << 20)));
    assert_int_equal(YOKE_OK, yoke_conn_read_start(conn));
}

static void test_on_a_loop_all_that_waits_goes_out_first(void **state)
{
    enum { SIZE = 4 << 20, COUNT = 3 };
    uv_loop_t  loop;
    seen       at_a = {0}, at_b = {0};
    yoke_conn *a, *b;
    uint8_t   *data = calloc(1, SIZE);

    (void)state;
    assert_non_null(data);
    loop_make(&loop);
    pipe_make(&a, &b, false);
    attach(a, &loop, &at_a);
    attach(b, &loop, &at_b);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(YOKE_OK, yoke_conn_write(a, data, SIZE, on_written, &at_a, NULL));
    assert_true(yoke_conn_write_waiting(a) > 0);
    assert_int_equal(YOKE_OK, yoke_conn_shutdown_send(a, YOKE_NOWAIT));
    assert_int_equal(YOKE_ECLOSED, yoke_conn_write(a, data, 1, NULL, NULL, NULL));
    assert_int_equal(YOKE_ECLOSED, yoke_conn_shutdown_send(a, YOKE_NOWAIT));
    loop_until_count(&loop, &at_b.ended, 1);
    assert_int_equal((size_t)SIZE * COUNT, at_b.bytes);
    assert_int_equal(COUNT, at_a.written);
    assert_int_equal(YOKE_OK, yoke_conn_write(b, "answer", 6, NULL, NULL, NULL));
    assert_int_equal(YOKE_OK, yoke_conn_shutdown_send(b, YOKE_NOWAIT));
    loop_until_count(&loop, &at_a.ended, 1);
    assert_int_equal(6, at_a.bytes);
    yoke_conn_close(a);
    yoke_conn_close(b);
    loop_end(&loop);
    free(data);
}

/* A shared end needs the default domain, which stays. */
static int setup(void **state)
{
    return shared_setup(state) == 0 ? pipes_setup(state) : -1;
}

static void test_an_end_that_is_passed_on_stays_half_closed(void **state)
{
    yoke_conn    *a, *b, *through, *to, *moved;
    yoke_variant *came;

    (void)state;
    pipe_make(&a, &b, false);
    pipe_make(&through, &to, false);
    assert_int_equal(YOKE_OK, yoke_conn_shutdown_send(a, T));
    assert_int_equal(YOKE_OK, yoke_conn_send_variant(through, YOKE_ARGS(YOKE_GIVE(a)), T));
    assert_int_equal(YOKE_OK, yoke_conn_recv_variant(to, &came, T));
    moved = yoke_variant_conn(yoke_variant_at(came, 0));
    assert_non_null(moved);
    assert_int_equal(YOKE_ECLOSED, yoke_conn_send(moved, "x", 1, T));
    assert_int_equal(YOKE_OK, yoke_conn_send_string(b, "still here", T));
    expect_text(moved, "still here");
    yoke_variant_free(came);
    yoke_conn_close(b);
    yoke_conn_close(through);
    yoke_conn_close(to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_sent_comes_then_the_end_and_answers_still_go_back),
        cmocka_unit_test(test_nothing_can_be_sent_after_it),
        cmocka_unit_test(test_both_sides_may_end),
        cmocka_unit_test(test_ends_that_can_not_be_half_closed_say_why),
        cmocka_unit_test(test_an_earlier_message_goes_out_first),
        cmocka_unit_test(test_an_end_that_is_passed_on_stays_half_closed),
        cmocka_unit_test(test_on_a_loop_all_that_waits_goes_out_first),
    };
    return cmocka_run_group_tests_name("pipe_half_close", tests, setup, shared_teardown);
}
