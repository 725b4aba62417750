/*
 * Python at the other end: multiprocessing.connection of the Python that is there, and support/handshake.py, a program
 * that does the handshake of Python 3.12 by itself, since the one that is there may be older.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <yoke/yoke.h>

#include "support/child.h"
#include "support/leak.h"
#include "support/pipes.h"
#include "support/python.h"
#include "support/sockets.h"

#define T SOCKET_PATIENCE

/* Says how it went: 0 well, 10 refused by the other side or refusing it, 11 the end of the stream. */
#define HEAD                                                                                                           \
    "import sys\n"                                                                                                     \
    "from multiprocessing import AuthenticationError\n"                                                                \
    "from multiprocessing.connection import Client, Listener\n"                                                        \
    "address, key = sys.argv[1], sys.argv[2].encode() or None\n"                                                       \
    "kind, _, rest = address.partition(':')\n"                                                                         \
    "if kind == 'tcp':\n"                                                                                              \
    "    host, _, port = rest.rpartition(':')\n"                                                                       \
    "    where, family = (host, int(port)), 'AF_INET'\n"                                                               \
    "else:\n"                                                                                                          \
    "    where, family = ('\\0' if kind == 'abstract' else '') + rest, 'AF_UNIX'\n"

static const char client_script[] = HEAD "try:\n"
                                         "    with Client(where, family, authkey=key) as conn:\n"
                                         "        while True:\n"
                                         "            conn.send_bytes(conn.recv_bytes()[::-1])\n"
                                         "except AuthenticationError:\n"
                                         "    sys.exit(10)\n"
                                         "except (EOFError, ConnectionError):\n"
                                         "    sys.exit(11)\n";

static const char listener_script[] = HEAD "with Listener(where, family, authkey=key) as listener:\n"
                                           "    print('ready', *listener.address[1:2], flush=True)\n"
                                           "    try:\n"
                                           "        with listener.accept() as conn:\n"
                                           "            while True:\n"
                                           "                conn.send_bytes(conn.recv_bytes()[::-1])\n"
                                           "    except AuthenticationError:\n"
                                           "        sys.exit(10)\n"
                                           "    except (EOFError, ConnectionError):\n"
                                           "        sys.exit(11)\n";

typedef struct program {
    const char *script; /* NULL: handshake.py */
    const char *arguments[5];
    int         output;
} program;

static int run_python(void *user)
{
    program    *p = user;
    const char *first = p->script ? "-c" : YOKE_TEST_SCRIPTS "/handshake.py";

    if (p->output >= 0)
        dup2(p->output, 1);
    if (p->script)
        execlp("python3", "python3", first, p->script, p->arguments[0], p->arguments[1], p->arguments[2], (char *)NULL);
    else
        execlp("python3", "python3", first, p->arguments[0], p->arguments[1], p->arguments[2], p->arguments[3],
               p->arguments[4], (char *)NULL);
    return 98;
}

/* Is the Python that is there one that knows only MD5? */
static bool python_is_old(void)
{
    static int old = -1;

    if (old < 0)
        old = system("python3 -c 'import sys; sys.exit(sys.version_info >= (3, 12))'") == 0;
    return old;
}

static pid_t start_client(const char *address, const char *key)
{
    program p = {client_script, {address, key}, -1};

    return child_start(run_python, &p);
}

/* A Python program that listens: waits until it does, and puts the port into a TCP address. */
static pid_t start_listener(program *p, char *address, size_t capacity)
{
    int  ends[2];
    char line[64] = "";

    assert_int_equal(0, pipe2(ends, O_CLOEXEC));
    p->output = ends[1];
    pid_t child = child_start(run_python, p);
    close(ends[1]);
    FILE *output = fdopen(ends[0], "r");
    assert_non_null(output);
    assert_non_null(fgets(line, sizeof line, output));
    fclose(output);
    assert_int_equal(0, strncmp(line, "ready", 5));
    if (strncmp(address, "tcp:", 4) == 0)
        snprintf(address, capacity, "tcp:127.0.0.1:%d", atoi(line + 5));
    return child;
}

static yoke_listener *listen_with(const char *address, const char *key, const char *digest, bool old)
{
    yoke_listener *listener;

    assert_int_equal(YOKE_OK, yoke_listener_create(&listener, address,
                                                   YOKE_OPTIONS(yoke_listener_options, .authkey = key,
                                                                .authkey_size = key ? strlen(key) : 0, .digest = digest,
                                                                .allow_old_python = old, .allow_anyone = true)));
    return listener;
}

static int connect_with(yoke_conn **conn, const char *address, const char *key, const char *digest, bool old)
{
    return yoke_client_connect(conn, address,
                               YOKE_OPTIONS(yoke_client_options, .authkey = key, .authkey_size = key ? strlen(key) : 0,
                                            .digest = digest, .allow_old_python = old),
                               T);
}

/* Python sends back what it gets, turned round, until the end. */
static void use_and_close(yoke_conn *conn)
{
    static const size_t sizes[] = {0, 1, 16385, 1000000};
    yoke_message       *message;

    for (unsigned i = 0; i < 4; i++) {
        uint8_t *data = malloc(sizes[i] + 1);
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
    yoke_conn_close(conn);
}

/* ---- Python as it is there ---- */

static const char *abstract_address(void)
{
    static char address[64];

    snprintf(address, sizeof address, "abstract:yoke-python-%ld", (long)getpid());
    return address;
}

static void accept_python(const char *address, const char *key, bool old)
{
    yoke_conn     *conn;
    yoke_listener *listener = listen_with(address, key, NULL, old);
    pid_t          child = start_client(address_of(listener), key ? key : "");

    assert_int_equal(YOKE_OK, yoke_listener_accept(listener, &conn, T));
    use_and_close(conn);
    assert_int_equal(11, child_join(child));
    yoke_listener_close(listener);
}

static void test_python_connects_without_a_key(void **state)
{
    (void)state;
    python_need();
    accept_python(socket_address("python"), NULL, false);
    accept_python("tcp:127.0.0.1:0", NULL, false);
    accept_python(abstract_address(), NULL, false);
}

static void test_python_connects_with_the_key(void **state)
{
    (void)state;
    python_need();
    accept_python(socket_address("python"), "secret", true);
    accept_python("tcp:127.0.0.1:0", "secret", true);
    accept_python(abstract_address(), "secret", true);
    if (!python_is_old())
        accept_python(socket_address("python"), "secret", false);
}

static void expect_refusal(const char *key, bool old, const char *python_key)
{
    yoke_conn     *conn;
    yoke_listener *listener = listen_with(socket_address("refuse"), key, NULL, old);
    pid_t          child = start_client(address_of(listener), python_key);

    while (yoke_listener_refused(listener) == 0)
        assert_int_equal(YOKE_ETIMEDOUT, yoke_listener_accept(listener, &conn, 50));
    assert_int_equal(10, child_join(child));
    yoke_listener_close(listener);
}

static void test_python_with_another_key_or_only_md5_is_refused(void **state)
{
    (void)state;
    python_need();
    expect_refusal("secret", true, "another");
    if (python_is_old())
        expect_refusal("secret", false, "secret");
}

static void connect_to_python(const char *place, const char *python_key, const char *key, bool old, int expected,
                              int python_expected)
{
    char       address[160];
    program    p = {listener_script, {address, python_key}, -1};
    yoke_conn *conn;

    snprintf(address, sizeof address, "%s", place);
    pid_t child = start_listener(&p, address, sizeof address);
    assert_int_equal(expected, connect_with(&conn, address, key, NULL, old));
    if (expected == YOKE_OK)
        use_and_close(conn);
    assert_int_equal(python_expected, child_join(child));
}

static void test_pythons_listener_is_connected_to(void **state)
{
    (void)state;
    python_need();
    connect_to_python(socket_address("python"), "", NULL, false, YOKE_OK, 11);
    connect_to_python("tcp:127.0.0.1:0", "", NULL, false, YOKE_OK, 11);
    connect_to_python(abstract_address(), "", NULL, false, YOKE_OK, 11);
    connect_to_python(abstract_address(), "secret", "secret", true, YOKE_OK, 11);
    connect_to_python(socket_address("python"), "secret", "secret", true, YOKE_OK, 11);
    connect_to_python("tcp:127.0.0.1:0", "secret", "secret", true, YOKE_OK, 11);
}

static void test_pythons_listener_with_another_key_or_only_md5_is_refused(void **state)
{
    (void)state;
    python_need();
    connect_to_python(socket_address("python"), "secret", "another", true, YOKE_EACCES, 10);
    if (python_is_old())
        connect_to_python(socket_address("python"), "secret", "secret", false, YOKE_EACCES, 11);
}

/* ---- Python 3.12's handshake ---- */

static void accept_new(const char *key, const char *digest, const char *python_key, const char *variation,
                       bool expected)
{
    yoke_conn     *conn;
    yoke_listener *listener = listen_with("tcp:127.0.0.1:0", key, digest, false);
    program        p = {NULL, {"client", address_of(listener), python_key, variation, ""}, -1};
    pid_t          child = child_start(run_python, &p);

    if (expected) {
        assert_int_equal(YOKE_OK, yoke_listener_accept(listener, &conn, T));
        use_and_close(conn);
    }
    while (!expected && yoke_listener_refused(listener) == 0)
        assert_int_equal(YOKE_ETIMEDOUT, yoke_listener_accept(listener, &conn, 50));
    assert_int_equal(expected ? 11 : 10, child_join(child));
    yoke_listener_close(listener);
}

static void test_the_new_handshake_is_taken_in_every_digest(void **state)
{
    (void)state;
    python_need();
    accept_new("secret", NULL, "secret", "sha256", true);
    accept_new("secret", "sha384", "secret", "sha3_384", true);
    accept_new("secret", "sha3_256", "secret", "sha384", true);
    accept_new("secret", "sha3_384", "secret", "sha3_256", true);
}

static void test_the_new_handshake_is_refused_when_anything_is_wrong(void **state)
{
    (void)state;
    python_need();
    accept_new("secret", NULL, "another", "sha256", false);
    accept_new("secret", NULL, "secret", "answer-md5", false);
    accept_new("secret", NULL, "secret", "answer-{md5}", false);
    accept_new("secret", NULL, "secret", "answer-sha384", false);
    accept_new("secret", NULL, "secret", "ask-md5", false);
    accept_new("secret", NULL, "secret", "reflect", false);
}

static void connect_to_new(const char *python_key, const char *variation, int expected, int python_expected)
{
    char       address[160] = "tcp:127.0.0.1:0";
    program    p = {NULL, {"listener", address, python_key, variation, ""}, -1};
    yoke_conn *conn;
    pid_t      child = start_listener(&p, address, sizeof address);

    assert_int_equal(expected, connect_with(&conn, address, "secret", NULL, false));
    if (expected == YOKE_OK)
        use_and_close(conn);
    assert_int_equal(python_expected, child_join(child));
}

static void test_a_listener_with_the_new_handshake_is_connected_to(void **state)
{
    (void)state;
    python_need();
    connect_to_new("secret", "sha256", YOKE_OK, 11);
    connect_to_new("secret", "sha3_384", YOKE_OK, 11);
    connect_to_new("another", "sha256", YOKE_EACCES, 10);
    connect_to_new("secret", "answer-md5", YOKE_EACCES, 10);
    connect_to_new("secret", "answer-sha384", YOKE_EACCES, 10);
    connect_to_new("secret", "ask-md5", YOKE_EACCES, 10);
    connect_to_new("secret", "reflect", YOKE_EPROTO, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_python_connects_without_a_key),
        cmocka_unit_test(test_python_connects_with_the_key),
        cmocka_unit_test(test_python_with_another_key_or_only_md5_is_refused),
        cmocka_unit_test(test_pythons_listener_is_connected_to),
        cmocka_unit_test(test_pythons_listener_with_another_key_or_only_md5_is_refused),
        cmocka_unit_test(test_the_new_handshake_is_taken_in_every_digest),
        cmocka_unit_test(test_the_new_handshake_is_refused_when_anything_is_wrong),
        cmocka_unit_test(test_a_listener_with_the_new_handshake_is_connected_to),
    };
    return cmocka_run_group_tests(tests, sockets_setup, sockets_teardown);
}
