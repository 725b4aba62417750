/* Pipes at their limits: time-outs, messages too large, hostile bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <yoke/yoke.h>

#include "support/child.h"
#include "support/leak.h"
#include "support/pipes.h"

#define T    PIPE_PATIENCE
#define LONG ((size_t)3 * 1024 * 1024)

static void write_raw(yoke_conn *conn, const void *data, size_t size)
{
    assert_int_equal(size, write((int)yoke_conn_native(conn), data, size));
}

static void test_a_receive_waits_as_long_as_told(void **state)
{
    yoke_conn *a, *b;
    char       text[8];

    (void)state;
    pipe_make(&a, &b, false);
    assert_int_equal(YOKE_ETIMEDOUT, yoke_conn_recv_string(a, text, sizeof text, YOKE_NOWAIT));
    assert_int_equal(YOKE_ETIMEDOUT, yoke_conn_poll(a, YOKE_NOWAIT));
    long long start = milliseconds();
    assert_int_equal(YOKE_ETIMEDOUT, yoke_conn_recv_string(a, text, sizeof text, 60));
    long long waited = milliseconds() - start;
    assert_true(waited >= 60 && waited < 5000);
    assert_int_equal(YOKE_ETIMEDOUT, yoke_conn_poll(a, 20));
    assert_true(milliseconds() - start >= 80);
    yoke_conn_close(a);
    yoke_conn_close(b);
}

static void test_a_receive_out_of_time_keeps_what_came(void **state)
{
    static const size_t sizes[] = {10, 60000, 200000, LONG};
    yoke_conn          *a, *b;
    yoke_message       *message;

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        uint8_t *frame = malloc(sizes[i] + 4), *got = malloc(sizes[i]);
        size_t   size = 0, sent = 0, total = sizes[i] + 4;
        for (size_t j = 0; j < 4; j++)
            frame[j] = (uint8_t)(sizes[i] >> (24 - 8 * j));
        pattern_fill(frame + 4, sizes[i], i);
        pipe_make(&a, &b, false);
        while (sent < total) {
            size_t piece = sent < 6 ? 1 : total - sent < 50000 ? total - sent : 50000;
            write_raw(b, frame + sent, piece);
            sent += piece;
            if (sent < total && sent / 50000 % 2)
                assert_int_equal(YOKE_ETIMEDOUT, yoke_conn_recv(a, got, sizes[i], &size, YOKE_NOWAIT));
            else if (sent < total)
                assert_int_equal(YOKE_ETIMEDOUT, yoke_conn_recv_message(a, &message, 1));
        }
        assert_int_equal(YOKE_OK, yoke_conn_recv(a, got, sizes[i], &size, T));
        assert_int_equal(sizes[i], size);
        assert_true(pattern_is(got, size, i));
        free(frame);
        free(got);
        yoke_conn_close(a);
        yoke_conn_close(b);
    }
}

static void test_a_send_out_of_time_sends_all_or_nothing(void **state)
{
    uint8_t   *data = malloc(LONG), *got = malloc(LONG);
    yoke_conn *a, *b;
    size_t     size;
    unsigned   taken = 0, received = 0;
    int        rc;

    (void)state;
    pipe_make(&a, &b, false);
    do {
        pattern_fill(data, 50000, taken);
        rc = yoke_conn_send(b, data, 50000, YOKE_NOWAIT);
        taken += rc >= 0;
    } while (rc == YOKE_OK);
    assert_true(rc == YOKE_BEGUN || rc == YOKE_ETIMEDOUT);
    assert_int_equal(YOKE_ETIMEDOUT, yoke_conn_send(b, data, 1, 30));
    for (; received < taken; received++) {
        assert_int_equal(YOKE_OK, yoke_conn_recv(a, got, LONG, &size, T)); /* it also writes what had begun */
        assert_int_equal(50000, size);
        assert_true(pattern_is(got, size, received));
    }
    pattern_fill(data, LONG, 77);
    assert_int_equal(YOKE_BEGUN, yoke_conn_send(b, data, LONG, 20));
    memset(data, 0, LONG); /* the caller's memory is the caller's again */
    assert_int_equal(YOKE_OK, yoke_conn_recv(a, got, LONG, &size, T));
    assert_int_equal(LONG, size);
    assert_true(pattern_is(got, size, 77));
    assert_int_equal(YOKE_OK, yoke_conn_send(b, "next", 4, T));
    assert_int_equal(YOKE_OK, yoke_conn_recv(a, got, LONG, &size, T));
    assert_int_equal(4, size);
    yoke_conn_close(a);
    yoke_conn_close(b);
    free(data);
    free(got);
}

struct slow_reader {
    yoke_conn *here, *there;
};

static int read_slowly(void *user)
{
    struct slow_reader *ends = user;
    uint8_t            *got = malloc(LONG);
    size_t              size;

    yoke_conn_close(ends->here);
    CHILD_CHECK(yoke_conn_recv(ends->there, got, LONG, &size, T) == YOKE_OK);
    CHILD_CHECK(size == LONG && pattern_is(got, size, 5));
    CHILD_CHECK(yoke_conn_recv(ends->there, got, LONG, &size, T) == YOKE_EEOF);
    yoke_conn_close(ends->there);
    free(got);
    return 0;
}

static void test_close_finishes_a_message_that_has_begun(void **state)
{
    struct slow_reader ends;
    uint8_t           *data = malloc(LONG);

    (void)state;
    pattern_fill(data, LONG, 5);
    pipe_make(&ends.here, &ends.there, false);
    assert_int_equal(YOKE_BEGUN, yoke_conn_send(ends.here, data, LONG, YOKE_NOWAIT));
    free(data);
    pid_t peer = child_start(read_slowly, &ends);
    yoke_conn_close(ends.there);
    yoke_conn_close(ends.here);
    assert_int_equal(0, child_join(peer));
}

static void test_close_gives_up_after_a_second(void **state)
{
    uint8_t   *data = calloc(1, LONG);
    yoke_conn *a, *b;
    size_t     size;

    (void)state;
    pipe_make(&a, &b, false);
    assert_int_equal(YOKE_BEGUN, yoke_conn_send(b, data, LONG, YOKE_NOWAIT));
    long long start = milliseconds();
    yoke_conn_close(b);
    long long took = milliseconds() - start;
    assert_true(took >= 900 && took < 10000);
    assert_int_equal(YOKE_EBROKEN, yoke_conn_recv(a, data, LONG, &size, T));
    yoke_conn_close(a);
    free(data);
}

static void test_a_message_too_large_stays(void **state)
{
    static const size_t sizes[] = {9, 5000, 70000, 150000};
    yoke_conn          *a, *b;
    uint8_t             data[150000], got[150000];
    size_t              size;

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        pattern_fill(data, sizes[i], i);
        pipe_make(&a, &b, false);
        assert_int_equal(YOKE_OK, yoke_conn_send(b, data, sizes[i], T));
        assert_int_equal(YOKE_OK, yoke_conn_send(b, "next", 4, T));
        size = 0;
        assert_int_equal(YOKE_EMSGSIZE, yoke_conn_recv(a, got, sizes[i] - 1, &size, T));
        assert_int_equal(sizes[i], size);
        assert_int_equal(YOKE_EMSGSIZE, yoke_conn_recv_string(a, (char *)got, sizes[i], T)); /* no room for the NUL */
        assert_int_equal(YOKE_OK, yoke_conn_recv(a, got, sizes[i], &size, T));
        assert_true(pattern_is(got, size, i));
        assert_int_equal(YOKE_OK, yoke_conn_recv(a, got, 4, &size, T));
        assert_memory_equal("next", got, 4);
        yoke_conn_close(a);
        yoke_conn_close(b);
    }
}

static void test_an_impossible_size_does_the_stream_no_harm(void **state)
{
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 4, SIZE_MAX / 2 + 1};
    yoke_conn          *a, *b;
    char                text[8];

    (void)state;
    pipe_make(&a, &b, false);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(YOKE_EMSGSIZE, yoke_conn_send(b, "x", sizes[i], T));
    assert_int_equal(YOKE_OK, yoke_conn_send_string(b, "after", T));
    assert_int_equal(YOKE_OK, yoke_conn_recv_string(a, text, sizeof text, T));
    assert_string_equal("after", text);
    yoke_conn_close(a);
    yoke_conn_close(b);
}

static void test_the_limit_holds_both_ways_and_skip_goes_on(void **state)
{
    static const uint8_t over[] = {0, 1, 0x86, 0xa0}; /* 100000 */
    yoke_conn           *a, *b;
    yoke_message        *message;
    uint8_t              data[50000] = {0};
    char                 text[8];
    size_t               size = 0;

    (void)state;
    assert_int_equal(YOKE_OK, yoke_pipe_create(&a, &b, YOKE_OPTIONS(yoke_pipe_options, .max_message = 100)));
    assert_int_equal(YOKE_EMSGSIZE, yoke_conn_send(b, data, 101, T));
    assert_int_equal(YOKE_OK, yoke_conn_send(b, data, 100, T));
    assert_int_equal(YOKE_OK, yoke_conn_recv(a, data, sizeof data, &size, T));
    assert_int_equal(100, size);
    write_raw(b, over, 4);
    write_raw(b, data, 50000);
    assert_int_equal(YOKE_EMSGSIZE, yoke_conn_recv_message(a, &message, T));
    assert_int_equal(YOKE_EMSGSIZE, yoke_conn_recv(a, data, sizeof data, &size, T));
    assert_int_equal(100000, size);
    assert_int_equal(YOKE_ETIMEDOUT, yoke_conn_skip(a, 10));
    assert_int_equal(YOKE_ETIMEDOUT, yoke_conn_recv_string(a, text, sizeof text, YOKE_NOWAIT));
    write_raw(b, data, 50000);
    assert_int_equal(YOKE_OK, yoke_conn_send_string(b, "after", T));
    assert_int_equal(YOKE_OK, yoke_conn_recv_string(a, text, sizeof text, T));
    assert_string_equal("after", text);
    yoke_conn_close(a);
    yoke_conn_close(b);
}

static void test_what_is_no_frame_is_refused_for_good(void **state)
{
    yoke_conn *a, *b;
    char       text[8];

    (void)state;
    pipe_make(&a, &b, false);
    write_raw(b, "\x80\0\0\1junk", 8);
    assert_int_equal(YOKE_EPROTO, yoke_conn_recv_string(a, text, sizeof text, T));
    assert_int_equal(YOKE_EPROTO, yoke_conn_recv_string(a, text, sizeof text, T));
    assert_int_equal(YOKE_OK, yoke_conn_send_string(a, "still", T)); /* the other direction isn't concerned */
    yoke_conn_close(a);
    yoke_conn_close(b);
}

/* A claim of memory that would not be given: the limit is low, so believing the header would fail. */
static int receive_claims(void *user)
{
    static const uint8_t claim[] = {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0xff, 0, 0, 0, 0}; /* 1020 GiB */
    struct rlimit        limit = {(rlim_t)1 << 30, (rlim_t)1 << 30};
    yoke_message        *message;
    yoke_conn           *a, *b;
    uint8_t              data[100000] = {0};

    (void)user;
    CHILD_CHECK(yoke_pipe_create(&a, &b, NULL) == YOKE_OK);
    CHILD_CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
    CHILD_CHECK(write((int)yoke_conn_native(b), claim, sizeof claim) == sizeof claim);
    CHILD_CHECK(yoke_conn_recv_message(a, &message, 10) == YOKE_ETIMEDOUT);
    for (int i = 0; i < 30; i++) {
        CHILD_CHECK(write((int)yoke_conn_native(b), data, sizeof data) == sizeof data);
        CHILD_CHECK(yoke_conn_recv_message(a, &message, YOKE_NOWAIT) == YOKE_ETIMEDOUT);
    }
    yoke_conn_close(b);
    CHILD_CHECK(yoke_conn_recv_message(a, &message, T) == YOKE_EBROKEN);
    yoke_conn_close(a);
    return 0;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LIMITED_MEMORY false /* sanitizers reserve more address space than any limit leaves */
#else
#define LIMITED_MEMORY true
#endif

static void test_a_header_is_not_believed_more_than_its_bytes(void **state)
{
    (void)state;
    if (!LIMITED_MEMORY)
        skip(); /* the address sanitizer needs more address space than the limit leaves */
    assert_int_equal(0, child_join(child_start(receive_claims, NULL)));
}

static volatile sig_atomic_t alarms;

static void on_alarm(int number)
{
    (void)number;
    alarms++;
}

static void test_signals_dont_shorten_a_wait(void **state)
{
    struct sigaction action = {.sa_handler = on_alarm}, before;
    struct itimerval every = {{0, 5000}, {0, 5000}}, off = {{0, 0}, {0, 0}};
    yoke_conn       *a, *b;
    char             text[8];

    (void)state;
    pipe_make(&a, &b, false);
    assert_int_equal(0, sigaction(SIGALRM, &action, &before));
    assert_int_equal(0, setitimer(ITIMER_REAL, &every, NULL));
    long long start = milliseconds();
    assert_int_equal(YOKE_ETIMEDOUT, yoke_conn_recv_string(a, text, sizeof text, 150));
    assert_true(milliseconds() - start >= 150);
    assert_int_equal(0, setitimer(ITIMER_REAL, &off, NULL));
    assert_int_equal(0, sigaction(SIGALRM, &before, NULL));
    assert_true(alarms > 5);
    yoke_conn_close(a);
    yoke_conn_close(b);
}

/* The library's own writes raise nothing; the program's still end it as they always did. */
static int lose_the_peer(void *user)
{
    bool      *own_write = user;
    yoke_conn *a, *b;
    int        ends[2];

    CHILD_CHECK(yoke_pipe_create(&a, &b, YOKE_OPTIONS(yoke_pipe_options, .one_way = true)) == YOKE_OK);
    yoke_conn_close(a);
    CHILD_CHECK(yoke_conn_send_string(b, "nobody", T) == YOKE_EBROKEN);
    CHILD_CHECK(yoke_conn_send_string(b, "nobody", T) == YOKE_EBROKEN);
    if (*own_write) {
        CHILD_CHECK(pipe(ends) == 0 && close(ends[0]) == 0);
        (void)!write(ends[1], "x", 1);
    }
    yoke_conn_close(b);
    return 0;
}

static void test_a_lost_peer_is_a_code_and_no_signal(void **state)
{
    bool own_write = false;

    (void)state;
    assert_int_equal(0, child_join(child_start(lose_the_peer, &own_write)));
    own_write = true;
    assert_int_equal(1000 + SIGPIPE, child_join(child_start(lose_the_peer, &own_write)));
}

static void test_wrong_arguments_are_told(void **state)
{
    yoke_conn *a, *b;
    char       text[4];
    size_t     size;

    (void)state;
    assert_int_equal(YOKE_EINVAL, yoke_pipe_create(NULL, &b, NULL));
    pipe_make(&a, &b, true);
    assert_int_equal(YOKE_EINVAL, yoke_conn_send(a, "x", 1, T));
    assert_int_equal(YOKE_EINVAL, yoke_conn_recv(b, text, 4, &size, T));
    assert_int_equal(YOKE_EINVAL, yoke_conn_poll(b, T));
    assert_int_equal(YOKE_EINVAL, yoke_conn_send(b, NULL, 1, T));
    assert_int_equal(YOKE_EINVAL, yoke_conn_recv(a, NULL, 1, &size, T));
    assert_int_equal(YOKE_EINVAL, yoke_conn_recv_string(a, text, 0, T));
    assert_int_equal(YOKE_EINVAL, yoke_conn_send(NULL, "x", 1, T));
    assert_true(yoke_conn_native(NULL) == -1);
    yoke_conn_close(a);
    assert_int_equal(YOKE_EINVAL, yoke_conn_recv(a, text, 4, &size, T));
    assert_true(yoke_conn_native(a) == -1);
    yoke_conn_close(a);
    yoke_conn_close(b);
    yoke_conn_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_receive_waits_as_long_as_told),
        cmocka_unit_test(test_a_receive_out_of_time_keeps_what_came),
        cmocka_unit_test(test_a_send_out_of_time_sends_all_or_nothing),
        cmocka_unit_test(test_close_finishes_a_message_that_has_begun),
        cmocka_unit_test(test_close_gives_up_after_a_second),
        cmocka_unit_test(test_a_message_too_large_stays),
        cmocka_unit_test(test_an_impossible_size_does_the_stream_no_harm),
        cmocka_unit_test(test_the_limit_holds_both_ways_and_skip_goes_on),
        cmocka_unit_test(test_what_is_no_frame_is_refused_for_good),
        cmocka_unit_test(test_a_header_is_not_believed_more_than_its_bytes),
        cmocka_unit_test(test_signals_dont_shorten_a_wait),
        cmocka_unit_test(test_a_lost_peer_is_a_code_and_no_signal),
        cmocka_unit_test(test_wrong_arguments_are_told),
    };
    return cmocka_run_group_tests(tests, pipes_setup, leak_teardown);
}
