/* The stream group of the backend in use: requests, their order, cancelling, interrupting, taking back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/backend.h"

#include "support/child.h"
#include "support/leak.h"
#include "support/pipes.h"

#define SECOND INT64_C(1000000000)
#define BOTH   (YOKE_STREAM_READ | YOKE_STREAM_WRITE)

static const yoke_stream_ops *ops;

static int setup(void **state)
{
    ops = yoke__backend()->stream;
    return pipes_setup(state);
}

static void open_pair(yoke_stream **a, yoke_stream **b)
{
    yoke_native ends[2];

    assert_int_equal(YOKE_OK, ops->pair(ends, false));
    assert_int_equal(YOKE_OK, ops->open(a, ends[0], BOTH));
    assert_int_equal(YOKE_OK, ops->open(b, ends[1], BOTH));
}

static void close_pair(yoke_stream *a, yoke_stream *b)
{
    ops->close(a);
    ops->close(b);
}

static void write_all(yoke_stream *stream, const void *data, size_t size)
{
    yoke_stream_request request = {.wait_next = true};
    yoke_stream_part    part = {data, size};

    ops->write(stream, &request, &part, 1);
    assert_int_equal(YOKE_OK, ops->wait(&request, 30 * SECOND));
    assert_int_equal(YOKE_OK, request.status);
    assert_int_equal(size, request.size);
}

static size_t read_some(yoke_stream *stream, void *out, size_t capacity)
{
    yoke_stream_request request = {.wait_next = true};

    ops->read(stream, &request, out, capacity);
    assert_int_equal(YOKE_OK, ops->wait(&request, 30 * SECOND));
    assert_int_equal(YOKE_OK, request.status);
    return request.size;
}

static void test_parts_are_gathered_and_empty_ones_are_nothing(void **state)
{
    const yoke_stream_part parts[] = {{"", 0}, {"ab", 2}, {"", 0}, {"cde", 3}, {NULL, 0}};
    yoke_stream           *a, *b;
    yoke_stream_request    request = {.wait_next = true}, none = {.wait_next = true};
    char                   got[8] = "";

    (void)state;
    open_pair(&a, &b);
    ops->write(b, &request, parts, 5);
    assert_int_equal(YOKE_OK, ops->wait(&request, SECOND));
    assert_int_equal(5, request.size);
    ops->write(b, &none, NULL, 0);
    assert_int_equal(YOKE_OK, ops->wait(&none, SECOND));
    assert_int_equal(YOKE_OK, none.status);
    assert_int_equal(5, read_some(a, got, sizeof got));
    assert_string_equal("abcde", got);
    close_pair(a, b);
}

/* Requests that nobody waits for are carried by whoever runs the loop. */
typedef struct carried {
    yoke_stream_request request;
    yoke_stream        *stream;
    char                bytes[4];
    int                 done, again;
} carried;

static void on_carried(yoke_stream_request *request)
{
    carried *c = request->user;

    c->done++;
    if (c->done < c->again)
        ops->read(c->stream, &c->request, c->bytes, 1);
}

static void test_completions_run_beside_another_wait_and_may_start_more(void **state)
{
    yoke_stream *a, *b, *c, *d;
    carried      reads = {.again = 3};
    char         byte;

    (void)state;
    open_pair(&a, &b);
    open_pair(&c, &d);
    reads.stream = a;
    reads.request.done = on_carried;
    reads.request.user = &reads;
    ops->read(a, &reads.request, reads.bytes, 1);
    write_all(b, "123", 3);
    for (int i = 0; i < 5; i++) {
        write_all(d, "x", 1);
        assert_int_equal(1, read_some(c, &byte, 1));
    }
    assert_int_equal(3, reads.done);
    assert_int_equal('3', reads.bytes[0]);
    close_pair(a, b);
    close_pair(c, d);
}

static void test_writes_keep_their_order(void **state)
{
    enum { SIZE = 300000 };
    yoke_stream        *a, *b;
    uint8_t            *data[3], *got = malloc(3 * SIZE);
    yoke_stream_request requests[3] = {{.done = NULL}, {.done = NULL}, {.done = NULL}};
    yoke_stream_part    parts[3];
    size_t              have = 0;

    (void)state;
    open_pair(&a, &b);
    for (unsigned i = 0; i < 3; i++) {
        data[i] = malloc(SIZE);
        pattern_fill(data[i], SIZE, i);
        parts[i] = (yoke_stream_part){data[i], SIZE};
        ops->write(b, &requests[i], &parts[i], 1);
    }
    while (have < 3 * SIZE)
        have += read_some(a, got + have, 3 * SIZE - have);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(YOKE_OK, ops->wait(&requests[i], SECOND));
        assert_int_equal(YOKE_OK, requests[i].status);
        assert_true(pattern_is(got + i * SIZE, SIZE, i));
        free(data[i]);
    }
    free(got);
    close_pair(a, b);
}

/* Writes until the system takes no more; the bytes it took. */
static size_t fill(yoke_stream *stream)
{
    static const char data[4096];
    size_t            total = 0;

    for (;;) {
        yoke_stream_request request = {.wait_next = true, .tentative = true};
        yoke_stream_part    part = {data, sizeof data};
        ops->write(stream, &request, &part, 1);
        int rc = ops->wait(&request, 0);
        if (rc != YOKE_OK)
            ops->cancel(&request);
        total += request.size;
        if (rc != YOKE_OK)
            return total;
    }
}

static void drain(yoke_stream *stream, size_t total)
{
    char bytes[4096];

    while (total > 0)
        total -= read_some(stream, bytes, total < sizeof bytes ? total : sizeof bytes);
}

static void test_a_tentative_write_cancelled_without_room_left_nothing(void **state)
{
    yoke_stream        *a, *b;
    yoke_stream_part    part = {"tentative", 9};
    yoke_stream_request request = {.wait_next = true, .tentative = true};
    char                byte;

    (void)state;
    open_pair(&a, &b);
    size_t total = fill(b);
    while (fill(b) > 0) /* parts of chunks still on their way */
        continue;
    (void)total;
    ops->write(b, &request, &part, 1);
    assert_int_equal(YOKE_ETIMEDOUT, ops->wait(&request, SECOND / 50));
    ops->cancel(&request);
    assert_int_equal(YOKE_ETIMEDOUT, request.status);
    assert_int_equal(0, request.size);
    request = (yoke_stream_request){.wait_next = true};
    ops->read(a, &request, &byte, 1);
    assert_int_equal(YOKE_OK, ops->wait(&request, SECOND));
    assert_int_equal(0, byte); /* what fill wrote */
    close_pair(a, b);
}

static void test_a_tentative_write_goes_on_when_there_is_room(void **state)
{
    yoke_stream        *a, *b;
    yoke_stream_part    part = {"tentative", 9};
    yoke_stream_request request = {.tentative = true};
    char                got[9];

    (void)state;
    open_pair(&a, &b);
    size_t total = fill(b);
    ops->write(b, &request, &part, 1);
    assert_int_equal(YOKE_ETIMEDOUT, ops->wait(&request, SECOND / 50));
    drain(a, total);
    assert_int_equal(YOKE_OK, ops->wait(&request, 30 * SECOND));
    assert_int_equal(YOKE_OK, request.status);
    assert_int_equal(9, read_some(a, got, sizeof got));
    assert_memory_equal("tentative", got, 9);
    close_pair(a, b);
}

static void test_a_read_cancelled_took_nothing(void **state)
{
    yoke_stream        *a, *b;
    yoke_stream_request request = {.wait_next = true};
    char                lost, byte;

    (void)state;
    open_pair(&a, &b);
    ops->read(a, &request, &lost, 1);
    assert_int_equal(YOKE_ETIMEDOUT, ops->wait(&request, 0));
    ops->cancel(&request);
    assert_int_equal(YOKE_ETIMEDOUT, request.status);
    write_all(b, "x", 1);
    assert_int_equal(1, read_some(a, &byte, 1));
    assert_int_equal('x', byte);
    ops->cancel(&request); /* done long ago: nothing to cancel */
    close_pair(a, b);
}

static void test_interrupt_ends_what_waits_and_what_comes(void **state)
{
    yoke_stream        *a, *b;
    yoke_stream_request read = {.done = NULL}, later = {.wait_next = true}, write = {.wait_next = true};
    yoke_stream_part    part = {"x", 1};
    char                byte;

    (void)state;
    open_pair(&a, &b);
    ops->read(a, &read, &byte, 1);
    ops->interrupt(a, false);
    assert_int_equal(YOKE_OK, ops->wait(&read, 0));
    assert_int_equal(YOKE_ECLOSED, read.status);
    ops->read(a, &later, &byte, 1);
    assert_int_equal(YOKE_OK, ops->wait(&later, 0));
    assert_int_equal(YOKE_ECLOSED, later.status);
    ops->interrupt(b, false); /* has no loop yet */
    ops->write(b, &write, &part, 1);
    assert_int_equal(YOKE_OK, ops->wait(&write, 0));
    assert_int_equal(YOKE_ECLOSED, write.status);
    close_pair(a, b);
}

static void test_take_gives_the_native_back(void **state)
{
    yoke_stream *a, *b;
    yoke_native  unused, used, before;
    char         byte;

    (void)state;
    open_pair(&a, &b);
    before = ops->native(a);
    assert_int_equal(YOKE_OK, ops->take(&unused, a));
    assert_true(unused == before);
    write_all(b, "x", 1);
    assert_int_equal(YOKE_OK, ops->take(&used, b));
    assert_int_equal(1, read((int)unused, &byte, 1)); /* both are alive */
    assert_int_equal(YOKE_OK, ops->open(&a, unused, BOTH));
    assert_int_equal(YOKE_OK, ops->open(&b, used, BOTH));
    write_all(a, "y", 1);
    assert_int_equal(1, read_some(b, &byte, 1));
    assert_int_equal('y', byte);
    close_pair(a, b);
}

/* libuv leaves descriptors of standard streams open. */
static int use_standard_numbers(void *user)
{
    yoke_stream *a, *b;
    char         byte;

    (void)user;
    int other = dup2(2, 100);
    CHILD_CHECK(other == 100 && close(0) == 0);
    yoke_native ends[2];
    CHILD_CHECK(ops->pair(ends, false) == YOKE_OK && ends[0] > 2);
    CHILD_CHECK(dup2((int)ends[0], 0) == 0 && close((int)ends[0]) == 0); /* as a program may hand one in */
    ends[0] = 0;
    CHILD_CHECK(ops->open(&a, ends[0], BOTH) == YOKE_OK && ops->open(&b, ends[1], BOTH) == YOKE_OK);
    write_all(a, "x", 1);
    ops->close(a);
    CHILD_CHECK(fcntl(0, F_GETFD) == -1);
    CHILD_CHECK(read_some(b, &byte, 1) == 1);
    yoke_stream_request request = {.wait_next = true};
    ops->read(b, &request, &byte, 1);
    CHILD_CHECK(ops->wait(&request, SECOND) == YOKE_OK && request.status == YOKE_EEOF);
    ops->close(b);
    return 0;
}

static void test_low_numbers_are_closed_too(void **state)
{
    (void)state;
    assert_int_equal(0, child_join(child_start(use_standard_numbers, NULL)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts_are_gathered_and_empty_ones_are_nothing),
        cmocka_unit_test(test_completions_run_beside_another_wait_and_may_start_more),
        cmocka_unit_test(test_writes_keep_their_order),
        cmocka_unit_test(test_a_tentative_write_cancelled_without_room_left_nothing),
        cmocka_unit_test(test_a_tentative_write_goes_on_when_there_is_room),
        cmocka_unit_test(test_a_read_cancelled_took_nothing),
        cmocka_unit_test(test_interrupt_ends_what_waits_and_what_comes),
        cmocka_unit_test(test_take_gives_the_native_back),
        cmocka_unit_test(test_low_numbers_are_closed_too),
    };
    return cmocka_run_group_tests(tests, setup, leak_teardown);
}
