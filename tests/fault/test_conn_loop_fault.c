/* Each system call of a connection on an event loop that the library makes, and each of its allocations, fails in turn: an
 * error, or it is got round; no message is cut or doubled, and nothing is left. libuv's own calls are not among these. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <uv.h>

#include <yoke/uv.h>
#include <yoke/yoke.h>

#include "fault.h"
#include "memory.h"
#include "support/child.h"
#include "support/leak.h"
#include "support/pipes.h"

typedef struct run {
    int received, written, failed, closed, ended;
} run;

static void on_message(yoke_conn *conn, int status, const void *data, size_t size, void *user)
{
    run *r = user;

    if (status == YOKE_OK) {
        CHILD_CHECK(pattern_is(data, size, (unsigned)r->received));
        r->received++;
    } else if (status == YOKE_ENOMEM) {
        CHILD_CHECK(yoke_conn_read_start(conn) == YOKE_OK); /* nothing is lost */
    } else {
        r->ended++;
        (void)yoke_conn_close_on_loop(conn, NULL, NULL);
    }
}

static void on_written(yoke_conn *conn, int status, void *user)
{
    run *r = user;

    (void)conn;
    r->written += status == YOKE_OK;
    r->failed += status != YOKE_OK;
}

static void on_closed(void *user)
{
    ((run *)user)->closed++;
}

static int attach(yoke_conn *conn, uv_loop_t *loop, run *r)
{
    return yoke_conn_attach(conn, loop,
                            YOKE_OPTIONS(yoke_conn_loop_options, .message = on_message, .user = r, .high = 3000000));
}

/* Small messages and large ones, more than the system takes at once. How many were taken. */
static int write_some(yoke_conn *conn, run *r)
{
    static const size_t  sizes[] = {0, 10, 400000, 3000, 800000};
    static unsigned char data[800000];
    int                  taken = 0;

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        pattern_fill(data, sizes[i], (unsigned)taken);
        taken += yoke_conn_write(conn, data, sizes[i], on_written, r, NULL) >= 0;
    }
    return taken;
}

static bool at_rest(const run *reading, const run *writing, int taken)
{
    return reading->ended > 0 || (writing->written + writing->failed == taken && reading->received == taken);
}

/* True: all went well. */
static bool talk(uv_loop_t *loop)
{
    yoke_conn *reader, *writer;
    run        reading = {0}, writing = {0};

    if (yoke_pipe_create(&reader, &writer, NULL) < 0)
        return false;
    bool attached = attach(reader, loop, &reading) == YOKE_OK;
    if (attached && attach(writer, loop, &writing) == YOKE_OK && yoke_conn_read_start(reader) == YOKE_OK) {
        int taken = write_some(writer, &writing);
        while (!at_rest(&reading, &writing, taken))
            CHILD_CHECK(uv_run(loop, UV_RUN_ONCE) != 0);
        CHILD_CHECK(reading.ended == 0 || writing.failed > 0);
        attached = taken == 5 && reading.received == 5;
        CHILD_CHECK(yoke_conn_close_on_loop(writer, on_closed, &writing) == YOKE_OK);
        if (reading.ended == 0)
            yoke_conn_close(reader);
    } else {
        attached = false;
        yoke_conn_close(reader);
        yoke_conn_close(writer);
    }
    CHILD_CHECK(uv_run(loop, UV_RUN_DEFAULT) == 0);
    return attached;
}

static int fail_every_call(void *user)
{
    uv_loop_t loop;

    (void)user;
    CHILD_CHECK(uv_loop_init(&loop) == 0);
    CHILD_CHECK(talk(&loop));
    int before = fault_descriptors(), hits = 0;
    for (fault_sweep sweep = fault_sweep_start(EMFILE); fault_sweep_next(&sweep);) {
        bool well = talk(&loop);
        CHILD_CHECK(well || fault_hit());
        hits += fault_hit();
        fault_off();
        CHILD_CHECK(fault_descriptors() == before);
    }
    CHILD_CHECK(hits > 0);
    CHILD_CHECK(talk(&loop) && uv_loop_close(&loop) == 0);
    return 0;
}

static void test_each_call_that_fails_is_an_error_or_got_round(void **state)
{
    (void)state;
    assert_int_equal(0, child_join(child_start(fail_every_call, NULL)));
}

static int fail_every_allocation(void *user)
{
    uv_loop_t loop;
    bool      reached = true;

    (void)user;
    CHILD_CHECK(uv_loop_init(&loop) == 0);
    CHILD_CHECK(talk(&loop));
    int before = fault_descriptors();
    for (long at = 1; reached; at++) {
        allocations = 0;
        failing = at;
        bool well = talk(&loop);
        reached = allocations >= at;
        failing = 0;
        CHILD_CHECK(well || reached);
        CHILD_CHECK(fault_descriptors() == before);
    }
    CHILD_CHECK(talk(&loop) && uv_loop_close(&loop) == 0);
    return 0;
}

static void test_each_allocation_that_fails_is_an_error_or_got_round(void **state)
{
    (void)state;
    if (!FAILS_MEMORY)
        skip();
    assert_int_equal(0, child_join(child_start(fail_every_allocation, NULL)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_call_that_fails_is_an_error_or_got_round),
        cmocka_unit_test(test_each_allocation_that_fails_is_an_error_or_got_round),
    };
    return cmocka_run_group_tests_name("connections on loops, with failing calls", tests, pipes_setup, leak_teardown);
}
