/* Several messages by one call, and one message of several pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <yoke/yoke.h>

#include "support/child.h"
#include "support/leak.h"
#include "support/pipes.h"

#define T    PIPE_PATIENCE
#define MANY 5000

/* Mostly small, some empty, some larger than what is joined, one large. */
static size_t size_of(unsigned i)
{
    return i == 777 ? 3000000 : i % 100 == 99 ? 4095 + i % 3 : i % 500 == 250 ? 20000 : i % 17 * 9;
}

static yoke_bytes *messages_make(unsigned count)
{
    yoke_bytes *messages = calloc(count, sizeof *messages);

    for (unsigned i = 0; i < count; i++) {
        uint8_t *data = malloc(size_of(i) + 1);
        pattern_fill(data, size_of(i), i);
        messages[i] = (yoke_bytes){size_of(i) == 0 ? NULL : data, size_of(i)};
        if (size_of(i) == 0)
            free(data);
    }
    return messages;
}

static void messages_free(yoke_bytes *messages, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        free((void *)(uintptr_t)messages[i].data);
    free(messages);
}

typedef struct line {
    yoke_conn *here, *there;
    bool       batches; /* the child receives several at a time */
} line;

/* All that has come, by batches of any number. False: something is wrong with it. */
static bool receive_batches(yoke_conn *conn, uint8_t *buffer, size_t capacity)
{
    size_t   sizes[64], count;
    unsigned next = 0;
    int      rc;

    while ((rc = yoke_conn_recv_many(conn, buffer, capacity, sizes, 1 + next % 64, &count, T)) == YOKE_OK) {
        const uint8_t *at = buffer;
        for (size_t i = 0; i < count; i++, next++) {
            if (sizes[i] != size_of(next) || !pattern_is(at, sizes[i], next))
                return false;
            at += sizes[i];
        }
    }
    return rc == YOKE_EEOF && next == MANY;
}

static bool receive_singly(yoke_conn *conn, uint8_t *buffer, size_t capacity)
{
    size_t   size;
    unsigned next = 0;
    int      rc;

    for (; (rc = yoke_conn_recv(conn, buffer, capacity, &size, T)) == YOKE_OK; next++)
        if (size != size_of(next) || !pattern_is(buffer, size, next))
            return false;
    return rc == YOKE_EEOF && next == MANY;
}

static int receive_all(void *user)
{
    line    *l = user;
    uint8_t *buffer = malloc(4000000);

    yoke_conn_close(l->here);
    CHILD_CHECK((l->batches ? receive_batches : receive_singly)(l->there, buffer, 4000000));
    yoke_conn_close(l->there);
    free(buffer);
    return 0;
}

static void test_batches_are_the_same_messages_in_order(void **state)
{
    yoke_bytes *messages = messages_make(MANY);

    (void)state;
    for (int mode = 0; mode < 4; mode++) {
        line   l = {.batches = mode & 1};
        size_t sent = 0;
        pipe_make(&l.there, &l.here, mode & 2);
        pid_t child = child_start(receive_all, &l);
        yoke_conn_close(l.there);
        if (mode == 3) {
            for (unsigned i = 0; i < MANY; i++)
                assert_int_equal(YOKE_OK, yoke_conn_send(l.here, messages[i].data, messages[i].size, T));
        } else {
            assert_int_equal(YOKE_OK, yoke_conn_send_many(l.here, messages, MANY, &sent, T));
            assert_int_equal(MANY, sent);
        }
        yoke_conn_close(l.here);
        assert_int_equal(0, child_join(child));
    }
    messages_free(messages, MANY);
}

/* So many messages of a size, each with its number in front, and no more. */
static void expect_numbered(yoke_conn *conn, size_t size, size_t count)
{
    uint8_t  buffer[4096];
    uint32_t number;
    size_t   got;

    for (size_t i = 0; i < count; i++) {
        assert_int_equal(YOKE_OK, yoke_conn_recv(conn, buffer, sizeof buffer, &got, T));
        assert_int_equal(size, got);
        memcpy(&number, buffer, sizeof number);
        assert_int_equal(i, number);
    }
    assert_int_equal(YOKE_ETIMEDOUT, yoke_conn_recv(conn, buffer, sizeof buffer, &got, YOKE_NOWAIT));
}

static void test_a_batch_out_of_time_tells_how_many_are_sent(void **state)
{
    static const size_t sizes[] = {64, 1020, 4092, 3001};

    (void)state;
    for (unsigned s = 0; s < 8; s++) {
        size_t      size = sizes[s % 4], sent = 0;
        yoke_bytes *messages = calloc(MANY, sizeof *messages);
        uint8_t    *data = calloc(MANY, size);
        yoke_conn  *a, *b;
        for (uint32_t i = 0; i < MANY; i++) {
            memcpy(data + i * size, &i, sizeof i);
            messages[i] = (yoke_bytes){data + i * size, size};
        }
        pipe_make(&a, &b, s >= 4);
        int rc = yoke_conn_send_many(b, messages, MANY, &sent, s % 2 ? 20 : YOKE_NOWAIT);
        assert_true(rc == YOKE_BEGUN || rc == YOKE_ETIMEDOUT);
        assert_true(sent > 0 && sent < MANY && sent * (size + 4) >= YOKE_PIPE_ROOM / 2);
        memset(data, 0xff, MANY * size); /* the caller's memory is the caller's again */
        expect_numbered(a, size, sent);  /* the one that had begun is among them, those after it are not */
        assert_int_equal(YOKE_OK, yoke_conn_send_many(b, messages, 3, NULL, T));
        assert_int_equal(YOKE_OK, yoke_conn_recv(a, data, size, NULL, T));
        yoke_conn_close(a);
        yoke_conn_close(b);
        free(messages);
        free(data);
    }
}

static void test_only_what_fits_and_is_there_is_received(void **state)
{
    yoke_bytes three[] = {{"one", 3}, {NULL, 0}, {"three", 5}};
    char       buffer[8];
    size_t     sizes[5] = {0}, count = 77;
    yoke_conn *a, *b;

    (void)state;
    pipe_make(&a, &b, false);
    assert_int_equal(YOKE_ETIMEDOUT, yoke_conn_recv_many(a, buffer, sizeof buffer, sizes, 5, &count, YOKE_NOWAIT));
    assert_int_equal(YOKE_OK, yoke_conn_send_many(b, three, 3, NULL, T));
    assert_int_equal(YOKE_EMSGSIZE, yoke_conn_recv_many(a, buffer, 2, sizes, 5, &count, T));
    assert_int_equal(3, sizes[0]);
    assert_int_equal(77, count);
    assert_int_equal(YOKE_OK, yoke_conn_recv_many(a, buffer, 7, sizes, 5, &count, T)); /* one byte short of all */
    assert_int_equal(2, count);
    assert_int_equal(3, sizes[0]);
    assert_int_equal(0, sizes[1]);
    assert_int_equal(YOKE_OK, yoke_conn_send_many(b, three, 3, NULL, T));
    assert_int_equal(YOKE_OK, yoke_conn_recv_many(a, buffer, sizeof buffer, sizes, 1, &count, T));
    assert_int_equal(1, count);
    assert_memory_equal("three", buffer, 5);
    assert_int_equal(YOKE_OK, yoke_conn_recv_many(a, buffer, 8, sizes, 5, &count, T));
    assert_int_equal(3, count);
    assert_memory_equal("onethree", buffer, 8);
    assert_int_equal(YOKE_OK, yoke_conn_send(b, NULL, 0, T));
    assert_int_equal(YOKE_OK, yoke_conn_recv_many(a, NULL, 0, sizes, 5, &count, T));
    assert_int_equal(1, count);
    assert_int_equal(5, write((int)yoke_conn_native(b), "\0\0\0\2h", 5)); /* half a message behind a whole one */
    assert_int_equal(YOKE_ETIMEDOUT, yoke_conn_recv_many(a, buffer, 8, sizes, 5, &count, YOKE_NOWAIT));
    yoke_conn_close(b);
    assert_int_equal(YOKE_EBROKEN, yoke_conn_recv_many(a, buffer, 8, sizes, 5, &count, T));
    yoke_conn_close(a);
}

static void test_a_message_over_the_limit_or_without_data_sends_none(void **state)
{
    yoke_bytes three[] = {{"one", 3}, {"too long", 8}, {"three", 5}};
    char       text[16];
    size_t     sent = 9, sizes[2], count;
    yoke_conn *a, *b;

    (void)state;
    assert_int_equal(YOKE_OK, yoke_pipe_create(&a, &b, YOKE_OPTIONS(yoke_pipe_options, .max_message = 7)));
    assert_int_equal(YOKE_EMSGSIZE, yoke_conn_send_many(b, three, 3, &sent, T));
    assert_int_equal(0, sent);
    assert_int_equal(YOKE_EMSGSIZE, yoke_conn_send_parts(b, three, 3, T));
    three[1].data = NULL;
    assert_int_equal(YOKE_EINVAL, yoke_conn_send_many(b, three, 3, &sent, T));
    assert_int_equal(YOKE_EINVAL, yoke_conn_send_parts(b, three, 3, T));
    assert_int_equal(YOKE_EINVAL, yoke_conn_send_many(b, NULL, 1, &sent, T));
    assert_int_equal(YOKE_EINVAL, yoke_conn_send_many(NULL, three, 1, &sent, T));
    assert_int_equal(YOKE_EINVAL, yoke_conn_recv_many(a, text, 16, NULL, 1, &count, T));
    assert_int_equal(YOKE_EINVAL, yoke_conn_recv_many(a, text, 16, sizes, 0, &count, T));
    assert_int_equal(YOKE_EINVAL, yoke_conn_recv_many(a, text, 16, sizes, 1, NULL, T));
    assert_int_equal(YOKE_EINVAL, yoke_conn_recv_many(a, NULL, 16, sizes, 1, &count, T));
    assert_int_equal(YOKE_OK, yoke_conn_send_many(b, NULL, 0, &sent, T));
    assert_int_equal(YOKE_ETIMEDOUT, yoke_conn_recv(a, text, sizeof text, NULL, YOKE_NOWAIT));
    yoke_conn_close(a);
    assert_int_equal(YOKE_EBROKEN, yoke_conn_send_many(b, three, 1, &sent, T));
    assert_int_equal(0, sent);
    yoke_conn_close(b);
}

static void expect_joined(yoke_conn *from, yoke_conn *to, size_t count, size_t piece)
{
    yoke_bytes   *parts = calloc(count + 1, sizeof *parts);
    uint8_t      *data = malloc(count * piece + 1);
    yoke_message *message;

    pattern_fill(data, count * piece, (unsigned)count);
    for (size_t i = 0; i < count; i++)
        parts[i] = (yoke_bytes){data + i * piece, piece};
    assert_int_equal(YOKE_OK, yoke_conn_send_parts(from, parts, count, T));
    assert_int_equal(YOKE_OK, yoke_conn_recv_message(to, &message, T));
    assert_int_equal(count * piece, yoke_message_size(message));
    assert_true(pattern_is(yoke_message_data(message), count * piece, (unsigned)count));
    yoke_message_free(message);
    free(parts);
    free(data);
}

static void test_pieces_come_as_one_message(void **state)
{
    yoke_conn *a, *b;

    (void)state;
    pipe_make(&a, &b, false);
    expect_joined(a, b, 0, 0);
    expect_joined(a, b, 1, 5);
    expect_joined(b, a, 100, 30);
    expect_joined(a, b, 7, 5000);
    expect_joined(b, a, 8, 5000);
    expect_joined(b, a, 1000, 40);
    yoke_conn_close(a);
    yoke_conn_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches_are_the_same_messages_in_order),
        cmocka_unit_test(test_a_batch_out_of_time_tells_how_many_are_sent),
        cmocka_unit_test(test_only_what_fits_and_is_there_is_received),
        cmocka_unit_test(test_a_message_over_the_limit_or_without_data_sends_none),
        cmocka_unit_test(test_pieces_come_as_one_message),
    };
    return cmocka_run_group_tests(tests, pipes_setup, leak_teardown);
}
