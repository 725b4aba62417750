/* Channels between related processes, in both forms: datagrams by the system, and datagrams made of a stream. */
#include "backends/posix/posix.h"
#include "backends/posix/sys.h"
#include "fault/fault.h"
#include "support/child.h"
#include "support/leak.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000000)

static yoke_native ends[2];

static int open_ends(void **state)
{
    (void)state;
    return yoke__posix_channel(ends);
}

static int close_ends(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        if (ends[i] >= 0)
            close((int)ends[i]);
    return 0;
}

static void close_end(int which)
{
    close((int)ends[which]);
    ends[which] = YOKE_NO_NATIVE;
}

static int recv_bytes(void *data, size_t capacity, size_t *size, int64_t timeout)
{
    size_t count = 0;
    int    rc = yoke__posix_channel_recv(ends[1], data, capacity, size, NULL, 0, &count, timeout);
    assert_int_equal(count, 0);
    return rc;
}

/* ---- bytes ---- */

static void datagrams_keep_their_bounds(void **state)
{
    (void)state;
    char   data[16];
    size_t size;

    assert_int_equal(yoke__posix_channel_send(ends[0], "one", 3, NULL, 0), YOKE_OK);
    assert_int_equal(yoke__posix_channel_send(ends[0], "three", 5, NULL, 0), YOKE_OK);
    assert_int_equal(recv_bytes(data, sizeof data, &size, SECOND), YOKE_OK);
    assert_int_equal(size, 3);
    assert_memory_equal(data, "one", 3);
    assert_int_equal(recv_bytes(data, sizeof data, &size, SECOND), YOKE_OK);
    assert_int_equal(size, 5);
}

static void a_datagram_too_long_is_refused_and_the_next_one_read(void **state)
{
    (void)state;
    char   data[600], small[4];
    size_t size = 77;

    memset(data, 'x', sizeof data);
    assert_int_equal(yoke__posix_channel_send(ends[0], data, sizeof data, NULL, 0), YOKE_OK);
    assert_int_equal(yoke__posix_channel_send(ends[0], "ab", 2, NULL, 0), YOKE_OK);
    assert_int_equal(recv_bytes(small, sizeof small, &size, SECOND), YOKE_EMSGSIZE);
    assert_int_equal(size, 77);
    assert_int_equal(recv_bytes(small, sizeof small, &size, SECOND), YOKE_OK);
    assert_int_equal(size, 2);
}

static void nothing_in_time_is_told(void **state)
{
    (void)state;
    char      data[4];
    size_t    size;
    long long start = milliseconds();

    assert_int_equal(recv_bytes(data, sizeof data, &size, 0), YOKE_ETIMEDOUT);
    assert_int_equal(recv_bytes(data, sizeof data, &size, SECOND / 50), YOKE_ETIMEDOUT);
    assert_true(milliseconds() - start >= 20);
}

static void the_end_is_told_to_both_sides(void **state)
{
    (void)state;
    char   data[4];
    size_t size;

    assert_int_equal(yoke__posix_channel_send(ends[0], "ab", 2, NULL, 0), YOKE_OK);
    close_end(0);
    assert_int_equal(recv_bytes(data, sizeof data, &size, SECOND), YOKE_OK);
    assert_int_equal(recv_bytes(data, sizeof data, &size, SECOND), YOKE_EEOF);
    assert_int_equal(yoke__posix_channel_send(ends[1], "ab", 2, NULL, 0), YOKE_EEOF); /* and no signal */
}

static void an_empty_datagram_is_refused(void **state)
{
    (void)state;
    assert_int_equal(yoke__posix_channel_send(ends[0], "", 0, NULL, 0), YOKE_EINVAL);
    yoke_native many[254];
    for (int i = 0; i < 254; i++)
        many[i] = ends[0];
    assert_int_equal(yoke__posix_channel_send(ends[0], "a", 1, many, 254), YOKE_EINVAL);
    assert_non_null(strstr(yoke_last_error()->text, "253"));
}

static int send_large(void *unused)
{
    (void)unused;
    static char data[100000];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)(i % 251);
    for (int i = 0; i < 20; i++)
        CHILD_CHECK(yoke__posix_channel_send(ends[0], data, sizeof data, NULL, 0) == YOKE_OK);
    return 0;
}

static void large_datagrams_come_whole(void **state)
{
    (void)state;
    static char data[100000];
    size_t      size;
    pid_t       child = child_start(send_large, NULL);

    for (int i = 0; i < 20; i++) {
        memset(data, 0, sizeof data);
        assert_int_equal(recv_bytes(data, sizeof data, &size, 10 * SECOND), YOKE_OK);
        assert_int_equal(size, sizeof data);
        for (size_t k = 0; k < sizeof data; k++)
            assert_int_equal(data[k], (char)(k % 251));
    }
    assert_int_equal(child_join(child), 0);
}

/* ---- descriptors ---- */

static void descriptors_arrive_and_are_close_on_exec(void **state)
{
    (void)state;
    int         pipe_ends[2];
    char        data[4], byte;
    size_t      size, count;
    yoke_native received[2];

    assert_int_equal(pipe(pipe_ends), 0);
    yoke_native sent[2] = {pipe_ends[0], pipe_ends[1]};
    assert_int_equal(yoke__posix_channel_send(ends[0], "ab", 2, sent, 2), YOKE_OK);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    assert_int_equal(yoke__posix_channel_recv(ends[1], data, sizeof data, &size, received, 2, &count, SECOND), YOKE_OK);
    assert_int_equal(count, 2);
    assert_int_equal(write((int)received[1], "z", 1), 1);
    assert_int_equal(read((int)received[0], &byte, 1), 1);
    assert_int_equal(byte, 'z');
    for (int i = 0; i < 2; i++) {
        assert_true(fcntl((int)received[i], F_GETFD) & FD_CLOEXEC);
        close((int)received[i]);
    }
}

static void descriptors_keep_to_their_datagram(void **state)
{
    (void)state;
    char        data[4];
    size_t      size, count;
    yoke_native received[4];

    assert_int_equal(yoke__posix_channel_send(ends[0], "a", 1, &ends[0], 1), YOKE_OK);
    assert_int_equal(yoke__posix_channel_send(ends[0], "b", 1, NULL, 0), YOKE_OK);
    assert_int_equal(yoke__posix_channel_send(ends[0], "c", 1, ends, 2), YOKE_OK);
    for (int i = 0; i < 3; i++) {
        static const size_t expected[] = {1, 0, 2};
        assert_int_equal(yoke__posix_channel_recv(ends[1], data, sizeof data, &size, received, 4, &count, SECOND),
                         YOKE_OK);
        assert_int_equal(data[0], 'a' + i);
        assert_int_equal(count, expected[i]);
        while (count > 0)
            close((int)received[--count]);
    }
}

static void more_descriptors_than_asked_for_are_closed(void **state)
{
    (void)state;
    char        data[4];
    size_t      size, count = 9;
    yoke_native received[1];
    int         before = leak_descriptors();

    assert_int_equal(yoke__posix_channel_send(ends[0], "a", 1, ends, 2), YOKE_OK);
    assert_int_equal(yoke__posix_channel_recv(ends[1], data, sizeof data, &size, received, 1, &count, SECOND),
                     YOKE_EMSGSIZE);
    assert_int_equal(count, 9);
    assert_int_equal(leak_descriptors(), before);
}

/* With the table of descriptors nearly full, some arrive and some don't: all are dropped, and the data is told. */
static void lack_of_descriptors_loses_them_but_not_the_data(void **state)
{
    (void)state;
    struct rlimit limit, low;
    char          data[4];
    size_t        size, count = 9;
    yoke_native   received[8], sent[8];
    int           before = leak_descriptors();

    if (getenv("YOKE_VALGRIND"))
        skip(); /* keeps descriptors for itself, beyond the limit */
    for (int i = 0; i < 8; i++)
        sent[i] = ends[0];
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(yoke__posix_channel_send(ends[0], "abc", 3, sent, 8), YOKE_OK);
    low = limit;
    int next = dup(0);
    close(next);
    low.rlim_cur = (rlim_t)next + 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    int rc = yoke__posix_channel_recv(ends[1], data, sizeof data, &size, received, 8, &count, SECOND);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(rc, YOKE_ENOMEM);
    assert_int_equal(size, 3);
    assert_int_equal(count, 0);
    assert_int_equal(leak_descriptors(), before);
}

/* ---- faults ---- */

static int converse(void)
{
    yoke_native pair[2], received[1] = {YOKE_NO_NATIVE};
    char        data[4];
    size_t      size, count = 0;
    int         rc = yoke__posix_channel(pair);

    if (rc < 0)
        return rc;
    rc = yoke__posix_channel_send(pair[0], "ab", 2, pair, 1);
    if (rc == YOKE_OK)
        rc = yoke__posix_channel_recv(pair[1], data, sizeof data, &size, received, 1, &count, SECOND);
    if (rc == YOKE_OK)
        close((int)received[0]);
    close((int)pair[0]);
    close((int)pair[1]);
    return rc;
}

static void every_failing_call_is_told_and_leaves_nothing(void **state)
{
    (void)state;
    int before = leak_descriptors();

    for (fault_sweep sweep = fault_sweep_start(ENOBUFS); fault_sweep_next(&sweep);) {
        int rc = converse();
        assert_int_equal(rc, fault_hit() ? YOKE_ENOMEM : YOKE_OK);
        assert_int_equal(leak_descriptors(), before);
    }
}

static void interruptions_are_no_failures(void **state)
{
    (void)state;
    static const char *const calls[] = {"sendmsg", "recvmsg", "poll"};

    for (size_t i = 0; i < 3; i++) {
        fault_on(calls[i], 1, 2, EINTR);
        int rc = converse();
        fault_off();
        assert_int_equal(rc, YOKE_OK);
    }
}

#define CHANNEL_TEST(name) cmocka_unit_test_setup_teardown(name, open_ends, close_ends)

/* Whoever sent it holds the other end, and does nothing. */
static void half_a_datagram_makes_nobody_wait_who_does_not_wait(void **state)
{
    (void)state;
    const uint32_t length = 100;
    char           data[16];
    size_t         size;

    alarm(20);
    assert_int_equal(write((int)ends[0], "x", 1), 1);
    assert_int_equal(recv_bytes(data, sizeof data, &size, 0), YOKE_ETIMEDOUT);
    assert_int_equal(write((int)ends[0], &length, sizeof length), (int)sizeof length);
    assert_true(recv_bytes(data, sizeof data, &size, 0) < 0);
    alarm(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHANNEL_TEST(datagrams_keep_their_bounds),
        CHANNEL_TEST(a_datagram_too_long_is_refused_and_the_next_one_read),
        CHANNEL_TEST(nothing_in_time_is_told),
        CHANNEL_TEST(the_end_is_told_to_both_sides),
        CHANNEL_TEST(an_empty_datagram_is_refused),
        CHANNEL_TEST(large_datagrams_come_whole),
        CHANNEL_TEST(descriptors_arrive_and_are_close_on_exec),
        CHANNEL_TEST(descriptors_keep_to_their_datagram),
        CHANNEL_TEST(more_descriptors_than_asked_for_are_closed),
        CHANNEL_TEST(lack_of_descriptors_loses_them_but_not_the_data),
        cmocka_unit_test(every_failing_call_is_told_and_leaves_nothing),
        cmocka_unit_test(interruptions_are_no_failures),
    };
    const struct CMUnitTest streams_only[] = {
        CHANNEL_TEST(half_a_datagram_makes_nobody_wait_who_does_not_wait),
    };
    int failed = cmocka_run_group_tests_name("channel of datagrams", tests, leak_setup, leak_teardown);

    setenv("YOKE_CHANNEL", "stream", 1);
    failed += cmocka_run_group_tests_name("half a datagram", streams_only, leak_setup, leak_teardown);
    return failed + cmocka_run_group_tests_name("channel over a stream", tests, leak_setup, leak_teardown);
}
