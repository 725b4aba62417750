/* Pipes when descriptors or calls into the system fail: an error and nothing left behind, and never a dead process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <yoke/yoke.h>

#include "core/backend.h"
#include "core/connection/conn.h"

#include "fault/fault.h"
#include "fault/memory.h"
#include "support/child.h"

#define LONG ((size_t)1000000)

/* A batch that is larger than the pipe, and a message of many pieces. What of a batch has not gone is never half gone. */
static int use_batches(yoke_conn *a, yoke_conn *b, uint8_t *data)
{
    yoke_bytes messages[200];
    size_t     sent, sizes[200], count;

    for (unsigned i = 0; i < 200; i++)
        messages[i] = (yoke_bytes){data, 4000};
    int rc = yoke_conn_send_many(b, messages, 200, &sent, 10);
    CHILD_CHECK(sent < 200 && rc != YOKE_OK);
    for (size_t received = 0; received < sent; received += count) {
        YOKE_TRY(yoke_conn_recv_many(a, data, LONG, sizes, 200, &count, 1000));
        CHILD_CHECK(sizes[0] == 4000 && count <= sent - received);
    }
    if (rc < 0 && rc != YOKE_ETIMEDOUT)
        return rc;
    YOKE_TRY(yoke_conn_send_parts(b, messages, 10, 1000));
    return yoke_conn_recv(a, data, LONG, NULL, 1000);
}

/* All that a pipe can do, in one thread. The first failure's code, or YOKE_OK. */
static int use_pipe(yoke_conn *a, yoke_conn *b, uint8_t *data)
{
    yoke_message *message;
    char          text[8];

    YOKE_TRY(yoke_conn_send_string(b, "hello", 1000));
    YOKE_TRY(yoke_conn_recv_string(a, text, sizeof text, 1000));
    CHILD_CHECK(strcmp(text, "hello") == 0);
    YOKE_TRY(use_batches(a, b, data));
    YOKE_TRY(yoke_conn_send(b, data, LONG, 10)); /* fills the pipe, and is finished by the library */
    int rc = yoke_conn_send(b, data, 1, 10);
    CHILD_CHECK(rc == YOKE_ETIMEDOUT || rc == YOKE_ENOMEM);
    YOKE_TRY(yoke_conn_recv_message(a, &message, 1000));
    CHILD_CHECK(yoke_message_size(message) == LONG);
    yoke_message_free(message);
    return YOKE_OK;
}

/* Passes an end on within this process. *conn stays what it was if that fails. */
static int pass(yoke_conn **conn)
{
    yoke_native native;
    void       *unread;
    size_t      size;
    uint32_t    flags;
    yoke_conn  *moved;

    YOKE_TRY(yoke__conn_detach(*conn, &native, &unread, &size, &flags));
    int rc = yoke__conn_attach(&moved, native, unread, size, flags);
    free(unread);
    if (rc < 0) {
        CHILD_CHECK(close((int)native) == 0); /* still the caller's */
        return rc;
    }
    yoke_conn_close(*conn);
    *conn = moved;
    return YOKE_OK;
}

static int scenario(void)
{
    yoke_conn *a, *b;
    uint8_t   *data = calloc(1, LONG);

    int rc = yoke_pipe_create(&a, &b, NULL);
    if (rc == YOKE_OK) {
        rc = use_pipe(a, b, data);
        if (rc == YOKE_OK)
            rc = pass(&a);
        yoke_conn_close(a);
        yoke_conn_close(b);
    }
    free(data);
    return rc;
}

/* In a process that has never had a loop. */
static int run_out_of_descriptors(void *user)
{
    struct rlimit limit;
    int           codes[40], before = fault_descriptors();

    (void)user;
    CHILD_CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    for (int spare = 0; spare < 40; spare++) {
        struct rlimit low = {(rlim_t)(before + spare), limit.rlim_max};
        CHILD_CHECK(setrlimit(RLIMIT_NOFILE, &low) == 0);
        codes[spare] = scenario();
        CHILD_CHECK(codes[spare] == YOKE_OK || codes[spare] == YOKE_ENOMEM);
        CHILD_CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        int kept = fault_descriptors() - before;
        CHILD_CHECK(kept == 0 || kept == 2); /* libuv's own pipe for signals stays with the process */
    }
    CHILD_CHECK(codes[0] == YOKE_ENOMEM && codes[39] == YOKE_OK);
    for (int spare = 1; spare < 40; spare++)
        CHILD_CHECK(codes[spare] >= codes[spare - 1] || codes[spare] == YOKE_OK);
    return 0;
}

static void test_no_descriptors_is_an_error_and_leaves_none(void **state)
{
    (void)state;
    assert_int_equal(0, child_join(child_start(run_out_of_descriptors, NULL)));
}

static int fail_every_call(void *user)
{
    (void)user;
    CHILD_CHECK(scenario() == YOKE_OK);
    int before = fault_descriptors();
    for (fault_sweep sweep = fault_sweep_start(EMFILE); fault_sweep_next(&sweep);) {
        int rc = scenario();
        CHILD_CHECK(rc == YOKE_OK || rc == YOKE_ENOMEM);
        fault_off();
        CHILD_CHECK(fault_descriptors() == before);
    }
    return 0;
}

static void test_each_call_that_fails_is_an_error_or_got_round(void **state)
{
    (void)state;
    assert_int_equal(0, child_join(child_start(fail_every_call, NULL)));
}

/* ---- memory ---- */

static int fail_every_allocation(void *user)
{
    yoke_conn *a, *b;
    uint8_t   *data = calloc(1, LONG);
    int        before = -1;
    bool       reached = true;

    (void)user;
    for (long at = 1; reached; at++) {
        allocations = 0;
        failing = at;
        int rc = yoke_pipe_create(&a, &b, YOKE_OPTIONS(yoke_pipe_options, .max_message = LONG));
        CHILD_CHECK(rc == YOKE_OK || rc == YOKE_ENOMEM);
        if (rc == YOKE_OK) {
            rc = use_pipe(a, b, data);
            if (rc == YOKE_OK)
                rc = pass(&a);
            CHILD_CHECK(rc == YOKE_OK || rc == YOKE_ENOMEM || rc == YOKE_ETIMEDOUT || rc == YOKE_EBROKEN);
            yoke_conn_close(a);
            yoke_conn_close(b);
        }
        reached = allocations >= at;
        failing = 0;
        if (before < 0 && rc == YOKE_OK)
            before = fault_descriptors();
        CHILD_CHECK(before < 0 || fault_descriptors() == before);
    }
    free(data);
    return 0;
}

static void test_each_allocation_that_fails_is_an_error_or_got_round(void **state)
{
    (void)state;
    if (!FAILS_MEMORY)
        skip();
    assert_int_equal(0, child_join(child_start(fail_every_allocation, NULL)));
}

/* Else the next one would be written into the middle of it. */
static int write_without_memory(void *user)
{
    enum { LARGE = 8 << 20 };
    const yoke_stream_ops *ops = yoke__backend()->stream;
    char                  *data = calloc(1, LARGE);
    yoke_stream_part       large = {data, LARGE}, small = {"next", 4};
    yoke_stream_request    first = {.wait_next = false}, second = {.wait_next = true};
    yoke_native            ends[2];
    yoke_stream           *writer, *reader;

    (void)user;
    CHILD_CHECK(data && ops->pair(ends, false) == YOKE_OK && ops->open(&writer, ends[0], YOKE_STREAM_WRITE) == YOKE_OK);
    CHILD_CHECK(ops->open(&reader, ends[1], YOKE_STREAM_READ) == YOKE_OK);
    ops->write(writer, &second, &small, 1); /* what is made once is there */
    CHILD_CHECK(ops->wait(&second, 0) == YOKE_OK && second.status == YOKE_OK);
    allocations = 0;
    failing = 1;
    ops->write(writer, &first, &large, 1);
    failing = 0;
    CHILD_CHECK(ops->wait(&first, 0) == YOKE_OK && first.status == YOKE_ENOMEM && first.size > 0);
    ops->write(writer, &second, &small, 1);
    CHILD_CHECK(ops->wait(&second, 0) == YOKE_OK && second.status < 0 && second.size == 0);
    ops->close(writer);
    ops->close(reader);
    free(data);
    return 0;
}

static void test_nothing_is_written_after_a_write_that_broke_off(void **state)
{
    (void)state;
    if (!FAILS_MEMORY)
        skip();
    assert_int_equal(0, child_join(child_start(write_without_memory, NULL)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_descriptors_is_an_error_and_leaves_none),
        cmocka_unit_test(test_each_call_that_fails_is_an_error_or_got_round),
        cmocka_unit_test(test_each_allocation_that_fails_is_an_error_or_got_round),
        cmocka_unit_test(test_nothing_is_written_after_a_write_that_broke_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
