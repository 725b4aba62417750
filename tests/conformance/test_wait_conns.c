/* yoke_wait over connections and listeners, beside whatever else can be waited for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <yoke/yoke.h>

#include "core/domain/object.h"
#include "core/wait/word.h"
#include "support/child.h"
#include "support/leak.h"
#include "support/pipes.h"
#include "support/shared.h"
#include "support/sockets.h"

#define T SOCKET_PATIENCE

static void send_text(yoke_conn *conn, const char *text)
{
    assert_int_equal(yoke_conn_send_string(conn, text, YOKE_NOWAIT), YOKE_OK);
}

static void receive_text(yoke_conn *conn, const char *text)
{
    char line[64];

    assert_int_equal(yoke_conn_recv_string(conn, line, sizeof line, YOKE_NOWAIT), YOKE_OK);
    assert_string_equal(line, text);
}

static int wait_one(yoke_conn *conn, int64_t timeout)
{
    yoke_wait_entry entry = yoke_wait_conn_readable(conn);
    int             rc = yoke_wait(&entry, 1, timeout);

    assert_true(rc < 0 || entry.ready);
    return rc < 0 ? rc : entry.status;
}

/* A thread in yoke_wait. */
typedef struct sleeper {
    pthread_t       thread;
    yoke_wait_entry entries[2];
    int             result;
} sleeper;

static void *sleep_in_wait(void *user)
{
    sleeper *s = user;

    s->result = yoke_wait(s->entries, 2, T);
    return NULL;
}

/* ---- connections ----------------------------------------------------------------------------------------------------- */

static void test_connections_with_messages_are_ready(void **state)
{
    yoke_conn *a, *b, *c, *d;

    (void)state;
    pipe_make(&a, &b, false);
    pipe_make(&c, &d, false);
    yoke_wait_entry entries[] = {yoke_wait_conn_readable(a), yoke_wait_conn_readable(b), yoke_wait_conn_readable(c),
                                 yoke_wait_conn_readable(d)};
    assert_int_equal(yoke_wait(entries, 4, 50), YOKE_ETIMEDOUT);
    send_text(a, "to b");
    send_text(d, "to c");
    assert_int_equal(yoke_wait(entries, 4, T), 2);
    assert_true(entries[1].ready && entries[2].ready && !entries[0].ready && !entries[3].ready);
    receive_text(b, "to b");
    assert_int_equal(yoke_wait(entries, 4, T), 1);
    receive_text(c, "to c");
    assert_int_equal(yoke_wait(entries, 4, YOKE_NOWAIT), YOKE_ETIMEDOUT);
    yoke_conn_close(a);
    yoke_conn_close(b);
    yoke_conn_close(c);
    yoke_conn_close(d);
}

/* Reading ahead takes all of them from the system at once. */
static void test_a_connection_stays_ready_until_all_is_received(void **state)
{
    yoke_conn *reader, *writer;

    (void)state;
    pipe_make(&reader, &writer, true);
    send_text(writer, "one");
    send_text(writer, "two");
    send_text(writer, "three");
    assert_int_equal(wait_one(reader, T), YOKE_OK);
    receive_text(reader, "one");
    assert_int_equal(wait_one(reader, YOKE_NOWAIT), YOKE_OK);
    receive_text(reader, "two");
    assert_int_equal(wait_one(reader, YOKE_NOWAIT), YOKE_OK);
    receive_text(reader, "three");
    assert_int_equal(wait_one(reader, YOKE_NOWAIT), YOKE_ETIMEDOUT);
    yoke_conn_close(reader);
    yoke_conn_close(writer);
}

/* Or a slow sender would keep its receiver busy. */
static void test_a_part_of_a_message_is_told_once(void **state)
{
    static const char message[] = {0, 0, 0, 3, 'a', 'b', 'c'};
    yoke_conn        *reader, *writer;

    (void)state;
    pipe_make(&reader, &writer, true);
    int fd = (int)yoke_conn_native(writer);
    for (size_t i = 0; i < sizeof message - 1; i++) {
        assert_int_equal(write(fd, message + i, 1), 1);
        assert_int_equal(wait_one(reader, T), YOKE_OK);
        assert_int_equal(yoke_conn_recv(reader, NULL, 0, NULL, YOKE_NOWAIT), i < 3 ? YOKE_ETIMEDOUT : YOKE_EMSGSIZE);
        char buffer[3];
        assert_int_equal(yoke_conn_recv(reader, buffer, 3, NULL, YOKE_NOWAIT), YOKE_ETIMEDOUT);
        assert_int_equal(wait_one(reader, 20), YOKE_ETIMEDOUT);
    }
    assert_int_equal(write(fd, message + 6, 1), 1);
    assert_int_equal(wait_one(reader, T), YOKE_OK);
    receive_text(reader, "abc");
    yoke_conn_close(reader);
    yoke_conn_close(writer);
}

static void test_the_end_and_what_broke_are_ready(void **state)
{
    yoke_conn *reader, *writer;

    (void)state;
    pipe_make(&reader, &writer, true);
    yoke_conn_close(writer);
    assert_int_equal(wait_one(reader, T), YOKE_OK);
    assert_int_equal(yoke_conn_recv(reader, NULL, 0, NULL, YOKE_NOWAIT), YOKE_EEOF);
    assert_int_equal(wait_one(reader, T), YOKE_OK); /* as long as it stands */
    yoke_conn_close(reader);

    pipe_make(&reader, &writer, true);
    assert_int_equal(write((int)yoke_conn_native(writer), "\x80\0\0\0", 4), 4);
    assert_int_equal(wait_one(reader, T), YOKE_OK);
    assert_int_equal(yoke_conn_recv(reader, NULL, 0, NULL, YOKE_NOWAIT), YOKE_EPROTO);
    assert_int_equal(wait_one(reader, T), YOKE_EPROTO);
    assert_int_equal(wait_one(writer, YOKE_NOWAIT), YOKE_EINVAL);
    yoke_conn_close(reader);
    assert_int_equal(wait_one(reader, YOKE_NOWAIT), YOKE_EINVAL);
    yoke_conn_close(writer);
}

static int hold_until_end(const yoke_args *args)
{
    yoke_conn *conn = yoke_args_conn(args, 0);

    return yoke_conn_recv(conn, NULL, 0, NULL, YOKE_FOREVER) == YOKE_EEOF ? 0 : 1;
}

static void wait_until_in(const void *handle)
{
    while (yoke__a32_load_acquire(&((const yoke__handle *)handle)->users) == 0)
        (void)usleep(100);
}

static void test_an_end_that_is_passed_on_answers_who_waits(void **state)
{
    yoke_conn    *mine, *given;
    yoke_process *process;
    sleeper       s = {.result = 0};

    (void)state;
    pipe_make(&mine, &given, false);
    s.entries[0] = yoke_wait_conn_readable(given);
    assert_int_equal(pthread_create(&s.thread, NULL, sleep_in_wait, &s), 0);
    wait_until_in(given);
    assert_int_equal(yoke_process_start(&process, hold_until_end, YOKE_ARGS(given), NULL), YOKE_OK);
    assert_int_equal(pthread_join(s.thread, NULL), 0);
    assert_int_equal(s.result, 1);
    assert_int_equal(s.entries[0].status, YOKE_EMOVED);
    assert_int_equal(wait_one(given, YOKE_NOWAIT), YOKE_EMOVED);
    yoke_conn_close(mine);
    assert_int_equal(yoke_process_finish(process, NULL, T), YOKE_OK);
    yoke_conn_close(given);
}

static void test_closing_a_connection_or_listener_answers_who_waits(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        yoke_conn     *reader, *writer;
        yoke_listener *listener = listen_at(socket_address("closed"), "key");
        sleeper        s = {.result = 0};

        pipe_make(&reader, &writer, true);
        s.entries[0] = yoke_wait_conn_readable(reader);
        s.entries[1] = yoke_wait_listener_readable(listener);
        assert_int_equal(pthread_create(&s.thread, NULL, sleep_in_wait, &s), 0);
        wait_until_in(listener);
        if (i % 2 == 0)
            yoke_conn_close(reader);
        else
            yoke_listener_close(listener);
        assert_int_equal(pthread_join(s.thread, NULL), 0);
        assert_int_equal(s.result, 1);
        assert_int_equal(s.entries[i % 2].status, YOKE_ECLOSED);
        if (i % 2 == 0)
            yoke_listener_close(listener);
        else
            yoke_conn_close(reader);
        yoke_conn_close(writer);
    }
}

/* One thread's read takes several messages from the system; a thread in yoke_wait has to hear of the second. */
static void *receive_one(void *user)
{
    char line[8];

    return yoke_conn_recv_string(user, line, sizeof line, T) == YOKE_OK ? user : NULL;
}

static void test_what_another_thread_leaves_in_memory_is_told(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        yoke_conn *reader, *writer;
        pthread_t  receiver;
        void      *received;
        char       line[8];

        pipe_make(&reader, &writer, true);
        assert_int_equal(pthread_create(&receiver, NULL, receive_one, reader), 0);
        assert_int_equal(write((int)yoke_conn_native(writer), "\0\0\0\1a\0\0\0\1b", 10), 10);
        for (int left = 2; left > 0;) {
            assert_int_equal(wait_one(reader, T), YOKE_OK);
            int rc = yoke_conn_recv_string(reader, line, sizeof line, YOKE_NOWAIT);
            left -= rc == YOKE_OK ? 2 : 0; /* one here, and one in the other thread */
            assert_true(rc == YOKE_OK || rc == YOKE_ETIMEDOUT);
        }
        assert_int_equal(pthread_join(receiver, &received), 0);
        assert_ptr_equal(received, reader);
        yoke_conn_close(reader);
        yoke_conn_close(writer);
    }
}

static void test_all_threads_that_wait_for_an_end_are_told(void **state)
{
    enum { COUNT = 8 };
    sleeper    all[COUNT];
    yoke_conn *reader, *writer;

    (void)state;
    pipe_make(&reader, &writer, true);
    send_text(writer, "one");
    send_text(writer, "two");
    receive_text(reader, "one"); /* the other is in memory now, which no system tells */
    receive_text(reader, "two");
    memset(all, 0, sizeof all);
    for (int i = 0; i < COUNT; i++) {
        all[i].entries[0] = yoke_wait_conn_readable(reader);
        assert_int_equal(pthread_create(&all[i].thread, NULL, sleep_in_wait, &all[i]), 0);
    }
    while (yoke__a32_load_acquire(&((yoke__handle *)(void *)reader)->users) < COUNT)
        (void)usleep(100);
    send_text(writer, "three");
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(pthread_join(all[i].thread, NULL), 0);
        assert_int_equal(all[i].result, 1);
    }
    yoke_conn_close(reader);
    yoke_conn_close(writer);
}

static void test_a_wait_for_connections_alone_never_wakes_for_nothing(void **state)
{
    yoke_conn    *reader, *writer;
    struct rusage before, after;

    (void)state;
    pipe_make(&reader, &writer, true);
    assert_int_equal(getrusage(RUSAGE_THREAD, &before), 0);
    assert_int_equal(wait_one(reader, 1000), YOKE_ETIMEDOUT);
    assert_int_equal(getrusage(RUSAGE_THREAD, &after), 0);
    assert_in_range(after.ru_nvcsw - before.ru_nvcsw, 1, 3);
    yoke_conn_close(reader);
    yoke_conn_close(writer);
}

/* ------------------------------------------------------------------------------------------------------------------------ */

static int nothing(const yoke_args *args)
{
    (void)args;
    return 0;
}

/* What lives as long as the process: the domain, this thread's bell, and what starting a process leaves. */
static int setup(void **state)
{
    yoke_conn    *reader, *writer;
    yoke_process *process;

    if (sockets_directory() != 0 || yoke_process_start(&process, nothing, NULL, NULL) < 0 ||
        yoke_process_finish(process, NULL, T) < 0)
        return -1;
    pipe_make(&reader, &writer, true);
    if (wait_one(reader, 10) != YOKE_ETIMEDOUT || !yoke__bell_ring(shared_domain(), 0))
        return -1;
    yoke_conn_close(reader);
    yoke_conn_close(writer);
    return pipes_setup(state);
}

int main(int argc, char **argv)
{
    yoke_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connections_with_messages_are_ready),
        cmocka_unit_test(test_a_connection_stays_ready_until_all_is_received),
        cmocka_unit_test(test_a_part_of_a_message_is_told_once),
        cmocka_unit_test(test_the_end_and_what_broke_are_ready),
        cmocka_unit_test(test_an_end_that_is_passed_on_answers_who_waits),
        cmocka_unit_test(test_closing_a_connection_or_listener_answers_who_waits),
        cmocka_unit_test(test_what_another_thread_leaves_in_memory_is_told),
        cmocka_unit_test(test_all_threads_that_wait_for_an_end_are_told),
        cmocka_unit_test(test_a_wait_for_connections_alone_never_wakes_for_nothing),
    };
    return cmocka_run_group_tests_name("waiting for connections", tests, setup, sockets_teardown);
}
