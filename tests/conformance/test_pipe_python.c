/* The same frames as Python's multiprocessing.connection: a Python program holds the other end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <yoke/yoke.h>

#include "support/child.h"
#include "support/leak.h"
#include "support/pipes.h"

#define T PIPE_PATIENCE

static const char echo_script[] = "import sys\n"
                                  "from multiprocessing.connection import Connection\n"
                                  "conn = Connection(int(sys.argv[1]))\n"
                                  "try:\n"
                                  "    while True:\n"
                                  "        conn.send_bytes(conn.recv_bytes()[::-1])\n"
                                  "except EOFError:\n"
                                  "    pass\n";

static const char limit_script[] = "import sys\n"
                                   "from multiprocessing.connection import Connection\n"
                                   "conn = Connection(int(sys.argv[1]))\n"
                                   "conn.send_bytes(b'')\n"
                                   "conn.send_bytes(b'a' * 16384)\n"
                                   "conn.send_bytes(b'b' * 16385)\n"
                                   "conn.send_bytes(b'c' * 5000000)\n"
                                   "conn._send(b'\\0\\0\\0\\12half')\n";

static bool python_is_there(void)
{
    return system("python3 -c 'from multiprocessing.connection import Connection' >/dev/null 2>&1") == 0;
}

typedef struct program {
    yoke_conn  *here, *there;
    const char *script;
} program;

static int run_python(void *user)
{
    program *p = user;
    char     number[16];

    yoke_conn_close(p->here);
    int inherited = dup((int)yoke_conn_native(p->there)); /* without close-on-exec */
    yoke_conn_close(p->there);
    snprintf(number, sizeof number, "%d", inherited);
    execlp("python3", "python3", "-c", p->script, number, (char *)NULL);
    return 98;
}

static pid_t start_python(program *p, const char *script)
{
    if (!python_is_there()) {
        print_message("skipped: there is no python3 with multiprocessing\n");
        skip(); /* nothing to talk to */
    }
    p->script = script;
    pipe_make(&p->here, &p->there, false);
    pid_t child = child_start(run_python, p);
    yoke_conn_close(p->there);
    return child;
}

static void test_python_echoes_backwards(void **state)
{
    static const size_t sizes[] = {0, 1, 5, 16384, 16385, 100000, 3000000};
    program             p;

    (void)state;
    pid_t child = start_python(&p, echo_script);
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint8_t      *data = malloc(sizes[i] + 1);
        yoke_message *message;
        pattern_fill(data, sizes[i], i);
        assert_int_equal(YOKE_OK, yoke_conn_send(p.here, data, sizes[i], T));
        assert_int_equal(YOKE_OK, yoke_conn_recv_message(p.here, &message, T));
        assert_int_equal(sizes[i], yoke_message_size(message));
        const uint8_t *back = yoke_message_data(message);
        for (size_t j = 0; j < sizes[i]; j++)
            assert_int_equal(data[j], back[sizes[i] - 1 - j]);
        yoke_message_free(message);
        free(data);
    }
    yoke_conn_close(p.here); /* Python then gets its EOFError */
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
    program p;
    char    text[16];

    (void)state;
    pid_t child = start_python(&p, limit_script);
    expect_bytes(p.here, 0, 0);
    expect_bytes(p.here, 'a', 16384);
    expect_bytes(p.here, 'b', 16385);
    expect_bytes(p.here, 'c', 5000000);
    assert_int_equal(YOKE_EBROKEN, yoke_conn_recv_string(p.here, text, sizeof text, T));
    yoke_conn_close(p.here);
    assert_int_equal(0, child_join(child));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_python_echoes_backwards),
        cmocka_unit_test(test_python_sends_and_breaks_off),
    };
    return cmocka_run_group_tests(tests, pipes_setup, leak_teardown);
}
