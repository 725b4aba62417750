/* Pipes: what goes in comes out, whole and in order, and the end is told as it is. Peers are forked processes. */
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

#define T PIPE_PATIENCE

/* Both ends, as a forked peer gets them. */
typedef struct ends {
    yoke_conn *here, *there;
} ends;

static void test_messages_come_in_order_in_one_thread(void **state)
{
    yoke_conn *a, *b;
    char       text[16];
    size_t     size;

    (void)state;
    for (int one_way = 0; one_way <= 1; one_way++) {
        pipe_make(&a, &b, one_way);
        assert_int_equal(YOKE_OK, yoke_conn_send(b, "one", 3, T));
        assert_int_equal(YOKE_OK, yoke_conn_send(b, NULL, 0, T));
        assert_int_equal(YOKE_OK, yoke_conn_send(b, "three", 5, T));
        assert_int_equal(YOKE_OK, yoke_conn_recv(a, text, sizeof text, &size, T));
        assert_int_equal(3, size);
        assert_memory_equal("one", text, 3);
        assert_int_equal(YOKE_OK, yoke_conn_recv(a, NULL, 0, &size, T));
        assert_int_equal(0, size);
        assert_int_equal(YOKE_OK, yoke_conn_recv_string(a, text, sizeof text, T));
        assert_string_equal("three", text);
        yoke_conn_close(a);
        yoke_conn_close(b);
    }
}

static int echo(void *user)
{
    ends         *e = user;
    yoke_message *message;
    int           rc;

    yoke_conn_close(e->here);
    while ((rc = yoke_conn_recv_message(e->there, &message, T)) == YOKE_OK) {
        CHILD_CHECK(yoke_conn_send(e->there, yoke_message_data(message), yoke_message_size(message), T) == YOKE_OK);
        yoke_message_free(message);
    }
    CHILD_CHECK(rc == YOKE_EEOF);
    yoke_conn_close(e->there);
    return 0;
}

static void test_a_peer_echoes_messages_of_every_size(void **state)
{
    static const size_t sizes[] = {0,
                                   1,
                                   63,
                                   64,
                                   4092,
                                   4096,
                                   4097,
                                   65531,
                                   65532,
                                   65536,
                                   65537,
                                   70000,
                                   212992,
                                   300000,
                                   1048576,
                                   5 * 1024 * 1024,
                                   64 * 1024 * 1024};
    ends                e;

    (void)state;
    const char *preloaded = getenv("LD_PRELOAD");
    size_t most = preloaded && strstr(preloaded, "vgpreload") ? 1024 * 1024 : SIZE_MAX; /* valgrind takes its time */
    pipe_make(&e.here, &e.there, false);
    pid_t peer = child_start(echo, &e);
    yoke_conn_close(e.there);
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes && sizes[i] <= most; i++) {
        uint8_t      *data = malloc(sizes[i] + 1);
        yoke_message *message;
        pattern_fill(data, sizes[i], i);
        assert_int_equal(YOKE_OK, yoke_conn_send(e.here, data, sizes[i], i % 2 ? T : YOKE_FOREVER));
        if (i % 3) {
            size_t size;
            memset(data, 0, sizes[i]);
            assert_int_equal(YOKE_OK, yoke_conn_recv(e.here, data, sizes[i], &size, i % 2 ? YOKE_FOREVER : T));
            assert_int_equal(sizes[i], size);
            assert_true(pattern_is(data, size, i));
        } else {
            assert_int_equal(YOKE_OK, yoke_conn_recv_message(e.here, &message, T));
            assert_int_equal(sizes[i], yoke_message_size(message));
            assert_true(pattern_is(yoke_message_data(message), sizes[i], i));
            yoke_message_free(message);
        }
        free(data);
    }
    yoke_conn_close(e.here);
    assert_int_equal(0, child_join(peer));
}

#define FLOOD 50000u

static int flood(void *user)
{
    ends *e = user;

    yoke_conn_close(e->here);
    for (uint32_t i = 0; i < FLOOD; i++) {
        uint8_t bytes[200];
        pattern_fill(bytes, i % sizeof bytes, i);
        CHILD_CHECK(yoke_conn_send(e->there, bytes, i % sizeof bytes, T) == YOKE_OK);
    }
    yoke_conn_close(e->there);
    return 0;
}

static void test_a_flood_of_small_messages_is_whole_and_ends_clean(void **state)
{
    ends    e;
    uint8_t bytes[200];
    size_t  size;

    (void)state;
    for (int one_way = 0; one_way <= 1; one_way++) {
        pipe_make(&e.here, &e.there, one_way);
        pid_t peer = child_start(flood, &e);
        yoke_conn_close(e.there);
        for (uint32_t i = 0; i < FLOOD; i++) {
            assert_int_equal(YOKE_OK, yoke_conn_recv(e.here, bytes, sizeof bytes, &size, T));
            assert_int_equal(i % sizeof bytes, size);
            assert_true(pattern_is(bytes, size, i));
        }
        assert_int_equal(YOKE_EEOF, yoke_conn_recv(e.here, bytes, sizeof bytes, &size, T));
        assert_int_equal(YOKE_EEOF, yoke_conn_recv(e.here, bytes, sizeof bytes, &size, T));
        assert_int_equal(YOKE_OK, yoke_conn_poll(e.here, T));
        yoke_conn_close(e.here);
        assert_int_equal(0, child_join(peer));
    }
}

static void test_both_ends_in_one_thread_take_what_is_stated(void **state)
{
    static const size_t sizes[] = {1, 64, 1024, 4096, 16384};
    uint8_t             bytes[16384] = {0};
    yoke_conn          *a, *b;
    size_t              size;

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t count = YOKE_PIPE_ROOM / (sizes[i] < 1024 ? 1024 : sizes[i]);
        pipe_make(&a, &b, false);
        for (size_t j = 0; j < count; j++) {
            assert_int_equal(YOKE_OK, yoke_conn_send(a, bytes, sizes[i], YOKE_NOWAIT));
            assert_int_equal(YOKE_OK, yoke_conn_send(b, bytes, sizes[i], YOKE_NOWAIT));
        }
        for (size_t j = 0; j < count; j++) {
            assert_int_equal(YOKE_OK, yoke_conn_recv(a, bytes, sizeof bytes, &size, YOKE_NOWAIT));
            assert_int_equal(YOKE_OK, yoke_conn_recv(b, bytes, sizeof bytes, &size, YOKE_NOWAIT));
        }
        yoke_conn_close(a);
        yoke_conn_close(b);
    }
}

static void test_unread_messages_outlive_their_sender(void **state)
{
    yoke_conn *a, *b;
    char       text[16];

    (void)state;
    pipe_make(&a, &b, false);
    assert_int_equal(YOKE_OK, yoke_conn_send_string(a, "never read", T)); /* so that closing b resets the socket */
    assert_int_equal(YOKE_OK, yoke_conn_send_string(b, "one", T));
    assert_int_equal(YOKE_OK, yoke_conn_send_string(b, "two", T));
    yoke_conn_close(b);
    assert_int_equal(YOKE_OK, yoke_conn_recv_string(a, text, sizeof text, T));
    assert_int_equal(YOKE_OK, yoke_conn_recv_string(a, text, sizeof text, T));
    assert_string_equal("two", text);
    assert_int_equal(YOKE_EEOF, yoke_conn_recv_string(a, text, sizeof text, T));
    assert_int_equal(YOKE_EBROKEN, yoke_conn_send_string(a, "nobody", T));
    yoke_conn_close(a);
}

static void test_an_end_within_a_message_is_broken(void **state)
{
    static const size_t cuts[] = {1, 3, 4, 7, 13};
    yoke_conn          *a, *b;
    char                text[16];
    size_t              size;

    (void)state;
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        pipe_make(&a, &b, false);
        assert_int_equal(cuts[i], write((int)yoke_conn_native(b), "\0\0\0\012helloworld", cuts[i]));
        yoke_conn_close(b);
        assert_int_equal(YOKE_OK, yoke_conn_poll(a, T));
        assert_int_equal(YOKE_EBROKEN, yoke_conn_recv(a, text, sizeof text, &size, T));
        assert_int_equal(YOKE_EBROKEN, yoke_conn_recv(a, text, sizeof text, &size, T));
        yoke_conn_close(a);
    }
}

static void test_strings_formats_and_variants_come_back(void **state)
{
    yoke_conn    *a, *b;
    yoke_variant *variant;
    char          text[700], long_text[600];

    (void)state;
    memset(long_text, 'x', sizeof long_text);
    long_text[sizeof long_text - 1] = '\0';
    pipe_make(&a, &b, true);
    assert_int_equal(YOKE_OK, yoke_conn_send_format(b, T, "%d of %s", 42, "these"));
    assert_int_equal(YOKE_OK, yoke_conn_send_format(b, T, "<%s>", long_text));
    assert_int_equal(YOKE_OK, yoke_conn_send_variant(b, YOKE_ARGS(42, YOKE_NIL, "hello"), T));
    assert_int_equal(YOKE_OK, yoke_conn_recv_string(a, text, sizeof text, T));
    assert_string_equal("42 of these", text);
    assert_int_equal(YOKE_OK, yoke_conn_recv_string(a, text, sizeof text, T));
    assert_int_equal(sizeof long_text + 1, strlen(text));
    assert_int_equal(YOKE_OK, yoke_conn_recv_variant(a, &variant, T));
    assert_int_equal(YOKE_OK, yoke_variant_format(variant, text, sizeof text, NULL));
    assert_string_equal("[42, None, 'hello']", text);
    yoke_variant_free(variant);
    yoke_conn_close(a);
    yoke_conn_close(b);
}

static void test_what_is_no_variant_stays_as_bytes(void **state)
{
    yoke_conn    *a, *b;
    yoke_variant *variant;
    char          text[16];

    (void)state;
    pipe_make(&a, &b, false);
    assert_int_equal(YOKE_OK, yoke_conn_send_string(b, "hello", T));
    assert_int_equal(YOKE_EINVAL, yoke_conn_send_variant(b, YOKE_ARGS(1, b), T)); /* through itself */
    assert_int_equal(YOKE_ETYPE, yoke_conn_recv_variant(a, &variant, T));
    assert_int_equal(YOKE_ETYPE, yoke_conn_recv_variant(a, &variant, T));
    assert_int_equal(YOKE_OK, yoke_conn_recv_string(a, text, sizeof text, T));
    assert_string_equal("hello", text);
    assert_int_equal(YOKE_ETIMEDOUT, yoke_conn_recv_string(a, text, sizeof text, YOKE_NOWAIT));
    yoke_conn_close(a);
    yoke_conn_close(b);
}

/* The parent has used its end, so it has a loop, which the child must not touch. */
static int reply_from_fork(void *user)
{
    ends *e = user;
    char  text[16];

    yoke_conn_close(e->here);
    CHILD_CHECK(yoke_conn_recv_string(e->there, text, sizeof text, T) == YOKE_OK);
    CHILD_CHECK(strcmp(text, "question") == 0);
    CHILD_CHECK(yoke_conn_send_string(e->there, "answer", T) == YOKE_OK);
    yoke_conn_close(e->there);
    return 0;
}

static void test_a_forked_child_forgets_the_loop(void **state)
{
    ends e;
    char text[16];

    (void)state;
    pipe_make(&e.here, &e.there, false);
    assert_int_equal(YOKE_OK, yoke_conn_send_string(e.here, "warm", T));
    assert_int_equal(YOKE_OK, yoke_conn_recv_string(e.there, text, sizeof text, T));
    assert_int_equal(YOKE_OK, yoke_conn_send_string(e.here, "question", T));
    pid_t peer = child_start(reply_from_fork, &e);
    yoke_conn_close(e.there);
    assert_int_equal(YOKE_OK, yoke_conn_recv_string(e.here, text, sizeof text, T));
    assert_string_equal("answer", text);
    assert_int_equal(YOKE_EEOF, yoke_conn_recv_string(e.here, text, sizeof text, T));
    yoke_conn_close(e.here);
    assert_int_equal(0, child_join(peer));
}

static void test_the_loop_goes_with_the_last_end(void **state)
{
    yoke_conn *a, *b;
    int        before = leak_descriptors();

    (void)state;
    pipe_make(&a, &b, false);
    assert_int_equal(before + 2, leak_descriptors()); /* no loop before the first input or output */
    assert_int_equal(YOKE_OK, yoke_conn_send(a, "x", 1, T));
    assert_true(leak_descriptors() > before + 2);
    yoke_conn_close(b);
    assert_true(leak_descriptors() > before + 1);
    yoke_conn_close(a);
    assert_int_equal(before, leak_descriptors());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_come_in_order_in_one_thread),
        cmocka_unit_test(test_a_peer_echoes_messages_of_every_size),
        cmocka_unit_test(test_a_flood_of_small_messages_is_whole_and_ends_clean),
        cmocka_unit_test(test_both_ends_in_one_thread_take_what_is_stated),
        cmocka_unit_test(test_unread_messages_outlive_their_sender),
        cmocka_unit_test(test_an_end_within_a_message_is_broken),
        cmocka_unit_test(test_strings_formats_and_variants_come_back),
        cmocka_unit_test(test_what_is_no_variant_stays_as_bytes),
        cmocka_unit_test(test_a_forked_child_forgets_the_loop),
        cmocka_unit_test(test_the_loop_goes_with_the_last_end),
    };
    return cmocka_run_group_tests(tests, pipes_setup, leak_teardown);
}
