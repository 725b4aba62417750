/* The same frames as Python's multiprocessing.connection: a Python program holds the other end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <yoke/yoke.h>

#include "support/child.h"
#include "support/leak.h"
#include "support/pipes.h"
#include "support/python.h"

#define T PIPE_PATIENCE

static const char echo_script[] = "try:\n"
                                  "    while True:\n"
                                  "        conn.send_bytes(conn.recv_bytes()[::-1])\n"
                                  "except EOFError:\n"
                                  "    pass\n";

static const char limit_script[] = "conn.send_bytes(b'')\n"
                                   "conn.send_bytes(b'a' * 16384)\n"
                                   "conn.send_bytes(b'b' * 16385)\n"
                                   "conn.send_bytes(b'c' * 5000000)\n"
                                   "conn._send(b'\\0\\0\\0\\12half')\n";

static void test_python_echoes_backwards(void **state)
{
    static const size_t sizes[] = {0, 1, 5, 16384, 16385, 100000, 3000000};
    yoke_conn          *conn;

    (void)state;
    pid_t child = python_start(&conn, echo_script);
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint8_t      *data = malloc(sizes[i] + 1);
        yoke_message *message;
        pattern_fill(data, sizes[i], i);
        assert_int_equal(YOKE_OK, yoke_conn_send(conn, data, sizes[i], T));
        assert_int_equal(YOKE_OK, yoke_conn_recv_message(conn, &message, T));
        assert_int_equal(sizes[i], yoke_message_size(message));
        const uint8_t *back = yoke_message_data(message);
        for (size_t j = 0; j < sizes[i]; j++)
            assert_int_equal(data[j], back[sizes[i] - 1 - j]);
        yoke_message_free(message);
        free(data);
    }
    yoke_conn_close(conn); /* Python then gets its EOFError */
    assert_int_equal(0, child_join(child));
}

static void expect_bytes(yoke_conn *conn, char byte, size_t size)
{
    yoke_message *message;

    assert_int_equal(YOKE_OK, yoke_conn_recv_message(conn, &message, T));
    assert_int_equal(size, yoke_message_size(message));
    for (size_t i = 0; i < size; i++)
        assert_int_equal(byte, ((const char *)yoke_message_data(message))[i]);
    yoke_message_free(message);
}

static void test_python_sends_and_breaks_off(void **state)
{
    yoke_conn *conn;
    char       text[16];

    (void)state;
    pid_t child = python_start(&conn, limit_script);
    expect_bytes(conn, 0, 0);
    expect_bytes(conn, 'a', 16384);
    expect_bytes(conn, 'b', 16385);
    expect_bytes(conn, 'c', 5000000);
    assert_int_equal(YOKE_EBROKEN, yoke_conn_recv_string(conn, text, sizeof text, T));
    yoke_conn_close(conn);
    assert_int_equal(0, child_join(child));
}

/* ---- batches ---- */

static void test_batches_are_plain_messages_to_python(void **state)
{
    enum { COUNT = 200 };
    yoke_bytes messages[COUNT];
    char       data[COUNT][8], buffer[COUNT * 8];
    size_t     sizes[COUNT], count, sent;
    yoke_conn *conn;

    (void)state;
    pid_t child = python_start(&conn, echo_script);
    for (unsigned i = 0; i < COUNT; i++)
        messages[i] = (yoke_bytes){data[i], (size_t)snprintf(data[i], sizeof data[i], "%u!", i)};
    assert_int_equal(YOKE_OK, yoke_conn_send_many(conn, messages, COUNT, &sent, T));
    assert_int_equal(COUNT, sent);
    for (unsigned i = 0; i < COUNT;) {
        assert_int_equal(YOKE_OK, yoke_conn_recv_many(conn, buffer, sizeof buffer, sizes, COUNT, &count, T));
        const char *at = buffer;
        for (size_t j = 0; j < count; j++, i++) {
            assert_int_equal(messages[i].size, sizes[j]);
            for (size_t k = 0; k < sizes[j]; k++)
                assert_int_equal(data[i][sizes[j] - 1 - k], *at++);
        }
    }
    yoke_conn_close(conn);
    assert_int_equal(0, child_join(child));
}

/* ---- large ones ---- */

#define LARGE ((size_t)256 << 20)
#define MIB   ((size_t)1 << 20)

/* A mark in each MiB; the rest is memory that nobody has touched. */
static const char large_script[] =
    "import mmap\n"
    "size = 256 << 20\n"
    "data = mmap.mmap(-1, size)\n"
    "for at in range(0, size, 1 << 20):\n"
    "    data[at:at + 4] = (at >> 20).to_bytes(4, 'big')\n"
    "conn.send_bytes(data)\n"
    "back = memoryview(conn.recv_bytes())\n"
    "right = len(back) == size and all(back[at:at + 4] == data[at:at + 4] for at in range(0, size, 1 << 20))\n"
    "sys.exit(0 if right else 20)\n";

static bool has_memory(size_t bytes)
{
    return sysconf(_SC_AVPHYS_PAGES) * (long)sysconf(_SC_PAGESIZE) > (long)bytes;
}

static void test_256_mib_go_there_and_back(void **state)
{
    yoke_message *message;
    yoke_conn    *conn;

    (void)state;
    if (!has_memory(3 * LARGE))
        skip();
    pid_t child = python_start(&conn, large_script);
    assert_int_equal(YOKE_OK, yoke_conn_recv_message(conn, &message, 3 * T));
    assert_int_equal(LARGE, yoke_message_size(message));
    const uint8_t *data = yoke_message_data(message);
    for (size_t i = 0; i < LARGE; i += MIB)
        assert_int_equal(i / MIB, data[i + 2] << 8 | data[i + 3]);
    assert_int_equal(YOKE_OK, yoke_conn_send(conn, data, LARGE, 3 * T));
    yoke_message_free(message);
    yoke_conn_close(conn);
    assert_int_equal(0, child_join(child));
}

/* ---- beyond 2 GiB, where the length takes another form ---- */

/* Python's own code, of which only headers go out; what would follow is memory that nobody has touched. */
static const char header_out_script[] = "import mmap\n"
                                        "conn._send, send = lambda data: len(data) <= 12 and send(data), conn._send\n"
                                        "send(b'\\xff\\xff\\xff\\xff\\0\\0\\0\\0\\0\\0\\0\\5short')\n"
                                        "conn.send_bytes(mmap.mmap(-1, (1 << 31) + 5))\n";

/* The other way: it goes when it has understood the header. */
static const char header_in_script[] =
    "read = conn._recv\n"
    "def leave(wanted):\n"
    "    return read(wanted) if wanted <= 12 else sys.exit(0 if wanted == (1 << 31) + 5 else 20)\n"
    "conn._recv = leave\n"
    "conn.recv_bytes()\n";

/* All of it, both ways; what Python receives is counted instead of kept. */
static const char beyond_script[] = "import io, mmap, os\n"
                                    "size = (1 << 31) + 5\n"
                                    "conn.send_bytes(mmap.mmap(-1, size))\n"
                                    "conn.send_bytes(b'after')\n"
                                    "keep, counted = conn._recv, 0\n"
                                    "def count(wanted):\n"
                                    "    global counted\n"
                                    "    if wanted <= 12:\n"
                                    "        return keep(wanted)\n"
                                    "    while counted < wanted:\n"
                                    "        piece = os.read(conn.fileno(), min(1 << 20, wanted - counted))\n"
                                    "        if not piece:\n"
                                    "            raise EOFError\n"
                                    "        counted += len(piece)\n"
                                    "    return io.BytesIO()\n"
                                    "conn._recv = count\n"
                                    "conn.recv_bytes()\n"
                                    "conn._recv = keep\n"
                                    "after = conn.recv_bytes()\n"
                                    "sys.exit(0 if counted == size and after == b'after' else 20)\n";

#define BEYOND (((size_t)1 << 31) + 5)

/* The same piece again and again. */
static int send_beyond(yoke_conn *conn)
{
    enum { PIECES = 2048 };
    yoke_bytes *parts = calloc(PIECES + 1, sizeof *parts);
    char       *piece = calloc(1, MIB);

    for (unsigned i = 0; i < PIECES; i++)
        parts[i] = (yoke_bytes){piece, MIB};
    parts[PIECES] = (yoke_bytes){piece, 5};
    int rc = yoke_conn_send_parts(conn, parts, PIECES + 1, YOKE_FOREVER); /* with a time-out it would need a copy */
    free(parts);
    free(piece);
    return rc;
}

static void expect_beyond(yoke_conn *conn)
{
    char   text[16];
    size_t size = 0;

    assert_int_equal(YOKE_EMSGSIZE, yoke_conn_recv(conn, text, sizeof text, &size, 3 * T));
    assert_true(size == BEYOND);
}

static void test_headers_beyond_2_gib_are_pythons(void **state)
{
    yoke_conn *conn;
    char       text[16];

    (void)state;
    if (sizeof(size_t) < 8)
        skip();
    pid_t child = python_start(&conn, header_out_script);
    assert_int_equal(YOKE_OK, yoke_conn_recv_string(conn, text, sizeof text, T)); /* a length needn't be long for it */
    assert_string_equal("short", text);
    expect_beyond(conn);
    assert_int_equal(YOKE_EBROKEN, yoke_conn_skip(conn, 3 * T));
    yoke_conn_close(conn);
    assert_int_equal(0, child_join(child));
    child = python_start(&conn, header_in_script);
    assert_int_equal(YOKE_EBROKEN, send_beyond(conn));
    yoke_conn_close(conn);
    assert_int_equal(0, child_join(child));
}

/* Takes minutes on a machine that has much else to do. */
static void test_2_gib_and_more_go_there_and_back(void **state)
{
    yoke_conn *conn;
    char       text[16];

    (void)state;
    if (sizeof(size_t) < 8 || getenv("YOKE_TEST_FULL") == NULL)
        skip();
    pid_t child = python_start(&conn, beyond_script);
    expect_beyond(conn);
    assert_int_equal(YOKE_OK, yoke_conn_skip(conn, YOKE_FOREVER));
    assert_int_equal(YOKE_OK, yoke_conn_recv_string(conn, text, sizeof text, T));
    assert_string_equal("after", text);
    assert_int_equal(YOKE_OK, send_beyond(conn));
    assert_int_equal(YOKE_OK, yoke_conn_send_string(conn, "after", T));
    yoke_conn_close(conn);
    assert_int_equal(0, child_join(child));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_python_echoes_backwards),
        cmocka_unit_test(test_python_sends_and_breaks_off),
        cmocka_unit_test(test_batches_are_plain_messages_to_python),
        cmocka_unit_test(test_256_mib_go_there_and_back),
        cmocka_unit_test(test_headers_beyond_2_gib_are_pythons),
        cmocka_unit_test(test_2_gib_and_more_go_there_and_back),
    };
    return cmocka_run_group_tests(tests, pipes_setup, leak_teardown);
}
