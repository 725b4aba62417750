/* Handles in messages between processes: a family's under each start method, and strangers with a named domain. */
#include "support/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/child.h"
#include "support/pipes.h"

#define T PIPE_PATIENCE

static yoke_process *start(yoke_function *function, const yoke_item *args)
{
    yoke_process *process;

    assert_ok(yoke_process_start(&process, function, args,
                                 YOKE_OPTIONS(yoke_process_options, .method = method_under_test())));
    return process;
}

static void join(yoke_process *process)
{
    yoke_result result = finish(process);

    if (result.code != 0)
        print_message("child: %s\n", result.text);
    assert_int_equal(0, result.code);
}

static void send_items(yoke_conn *conn, const yoke_item *items)
{
    assert_ok(yoke_conn_send_variant(conn, items, T));
}

static yoke_file *file_of(const char *text)
{
    char       path[] = "/tmp/yoke-pass-XXXXXX";
    int        fd = mkstemp(path);
    yoke_file *file;

    assert_true(fd >= 0 && unlink(path) == 0);
    assert_int_equal(strlen(text), write(fd, text, strlen(text)));
    assert_ok(yoke_file_create(&file, fd));
    return file;
}

/* ---- to a child, and back ---- */

/* Gets {queue, lock, value, file, segment, connection}; uses all of them; sends a queue of its own back and ends. */
static int use_them(const yoke_args *args)
{
    yoke_conn    *conn = yoke_args_conn(args, 0);
    yoke_variant *got;
    yoke_queue   *own;
    char          text[32] = "";

    YOKE_TRY(yoke_conn_recv_variant(conn, &got, T));
    YOKE_TRY(yoke_lock_acquire(yoke_variant_lock(yoke_variant_find(got, "lock")), T));
    YOKE_TRY(yoke_value_add(yoke_variant_value(yoke_variant_find(got, "value")), 42, NULL));
    YOKE_TRY(yoke_lock_release(yoke_variant_lock(yoke_variant_find(got, "lock"))));
    int fd = (int)yoke_file_native(yoke_variant_file(yoke_variant_find(got, "file")));
    CHILD_CHECK(pread(fd, text, sizeof text - 1, 0) == 7 && strcmp(text, "content") == 0);
    memcpy(yoke_shm_data(yoke_variant_shm(yoke_variant_find(got, "segment"))), "written", 8);
    YOKE_TRY(yoke_conn_send_string(yoke_variant_conn(yoke_variant_find(got, "conn")), "through it", T));
    YOKE_TRY(yoke_queue_put_string(yoke_variant_queue(yoke_variant_find(got, "queue")), "done", T));
    yoke_variant_free(got);
    YOKE_TRY(yoke_queue_create(&own, NULL));
    YOKE_TRY(yoke_queue_put_string(own, "of the child", T));
    YOKE_TRY(yoke_conn_send_variant(conn, YOKE_ARGS(own), T));
    yoke_queue_close(own);
    return 0;
}

static void test_all_kinds_reach_a_child_and_its_own_come_back(void **state)
{
    yoke_conn    *conn, *there, *inner, *given;
    yoke_queue   *queue = new_queue();
    yoke_lock    *lock;
    yoke_value   *value;
    yoke_shm     *shm;
    yoke_file    *file = file_of("content");
    yoke_variant *got;
    char          text[32];
    int64_t       number = 0;

    (void)state;
    assert_ok(yoke_lock_create(&lock, NULL));
    assert_ok(YOKE_VALUE_CREATE(&value, int64_t, 0, NULL));
    assert_ok(yoke_shm_create(&shm, 64, NULL));
    assert_ok(yoke_pipe_create(&conn, &there, NULL));
    assert_ok(yoke_pipe_create(&inner, &given, NULL));
    yoke_process *process = start(use_them, YOKE_ARGS(YOKE_GIVE(there)));
    yoke_item     map = YOKE_MAP("queue", queue, "lock", lock, "value", value, "file", file, "segment", shm, "conn",
                                 YOKE_GIVE(given));
    send_items(conn, &map);
    assert_ok(yoke_queue_get_string(queue, text, sizeof text, T));
    assert_string_equal("done", text);
    assert_ok(YOKE_VALUE_LOAD(value, int64_t, &number));
    assert_int_equal(42, number);
    assert_string_equal("written", yoke_shm_data(shm));
    assert_ok(yoke_conn_recv_string(inner, text, sizeof text, T));
    assert_string_equal("through it", text);
    assert_int_equal(YOKE_EEOF, yoke_conn_recv_string(inner, text, sizeof text, T));
    join(process);
    assert_ok(yoke_conn_recv_variant(conn, &got, T)); /* of one that has ended */
    assert_ok(yoke_queue_get_string(yoke_variant_queue(yoke_variant_at(got, 0)), text, sizeof text, T));
    assert_string_equal("of the child", text);
    yoke_variant_free(got);
    yoke_conn_close(conn);
    yoke_conn_close(inner);
    yoke_queue_close(queue);
    yoke_lock_close(lock);
    yoke_value_close(value);
    yoke_shm_close(shm);
    yoke_file_close(file);
}

static int check_file(const yoke_args *args)
{
    char text[16] = "";
    int  fd = (int)yoke_file_native(yoke_args_file(args, 0));

    return pread(fd, text, sizeof text - 1, 0) == 6 && strcmp(text, "direct") == 0 ? 0 : 1;
}

static void test_a_file_is_an_argument_too(void **state)
{
    yoke_file *file = file_of("direct");
    char       byte;

    (void)state;
    join(start(check_file, YOKE_ARGS(file)));
    assert_int_equal(1, pread((int)yoke_file_native(file), &byte, 1, 0)); /* this one is still open */
    yoke_file_close(file);
}

/* Messages with handles that were read ahead move along with an end that is passed to a child. */
static int receive_both(const yoke_args *args)
{
    yoke_conn    *conn = yoke_args_conn(args, 0);
    yoke_variant *got;
    char          text[16];

    YOKE_TRY(yoke_conn_recv_string(conn, text, sizeof text, T));
    YOKE_TRY(yoke_conn_recv_variant(conn, &got, T));
    YOKE_TRY(yoke_queue_put_string(yoke_variant_queue(yoke_variant_at(got, 0)), text, T));
    yoke_variant_free(got);
    return 0;
}

static void test_unread_handles_move_to_a_child(void **state)
{
    yoke_conn  *here, *there;
    yoke_queue *queue = new_queue();
    char        text[16];

    (void)state;
    assert_ok(yoke_pipe_create(&here, &there, NULL));
    assert_ok(yoke_conn_send_string(here, "first", T));
    assert_ok(yoke_conn_send_string(here, "second", T));
    send_items(here, YOKE_ARGS(queue));
    assert_ok(yoke_conn_recv_string(there, text, sizeof text, T)); /* reads the others ahead */
    yoke_process *process = start(receive_both, YOKE_ARGS(YOKE_GIVE(there)));
    assert_ok(yoke_queue_get_string(queue, text, sizeof text, T));
    assert_string_equal("second", text);
    join(process);
    yoke_conn_close(here);
    yoke_queue_close(queue);
}

/* ---- deaths ---- */

/* Sends queues of its own until it is killed. */
static int send_for_ever(const yoke_args *args)
{
    yoke_conn *conn = yoke_args_conn(args, 0);

    for (;;) {
        yoke_queue *queue;
        YOKE_TRY(yoke_queue_create(&queue, NULL));
        YOKE_TRY(yoke_conn_send_variant(conn, YOKE_ARGS(queue, "x"), T));
        yoke_queue_close(queue);
    }
}

static bool count_object(void *user, const yoke_object_info *info)
{
    *(int *)user += strcmp(info->kind, "queue") == 0 || strcmp(info->kind, "parcel") == 0;
    return true;
}

static int objects_left(void)
{
    int count = 0;

    assert_ok(yoke_domain_inspect(NULL, YOKE_OPTIONS(yoke_domain_visitor, .object = count_object), &count));
    return count;
}

static void kill_and_join(yoke_process *process)
{
    yoke_result result = {.struct_size = sizeof result};

    assert_ok(yoke_process_kill(process));
    assert_ok(yoke_process_finish(process, &result, T));
}

static void test_a_killed_sender_leaves_what_it_sent_and_nothing_else(void **state)
{
    yoke_conn    *conn, *there;
    yoke_variant *got;
    int           rc;

    (void)state;
    assert_ok(yoke_pipe_create(&conn, &there, NULL));
    yoke_process *process = start(send_for_ever, YOKE_ARGS(YOKE_GIVE(there)));
    assert_ok(yoke_conn_poll(conn, T));
    kill_and_join(process);
    while ((rc = yoke_conn_recv_variant(conn, &got, T)) == YOKE_OK) {
        assert_non_null(yoke_variant_queue(yoke_variant_at(got, 0)));
        yoke_variant_free(got);
    }
    assert_true(rc == YOKE_EEOF || rc == YOKE_EBROKEN);
    yoke_conn_close(conn);
    assert_int_equal(0, objects_left());
}

static void test_a_killed_receiver_takes_unread_handles_with_it(void **state)
{
    yoke_conn  *conn, *there;
    yoke_queue *queue;

    (void)state;
    yoke_queue *told = new_queue();
    assert_ok(yoke_pipe_create(&conn, &there, NULL));
    yoke_process *process = start(stay, YOKE_ARGS(told, false, YOKE_GIVE(there)));
    (void)told_pid(told);
    for (int i = 0; i < 10; i++) {
        assert_ok(yoke_queue_create(&queue, NULL));
        send_items(conn, YOKE_ARGS(queue));
        yoke_queue_close(queue);
    }
    yoke_queue_close(told);
    assert_true(objects_left() >= 20);
    kill_and_join(process);
    yoke_conn_close(conn);
    assert_int_equal(0, objects_left());
}

/* ---- strangers ---- */

#define ADDRESS "unix:/tmp/yoke-pass-%d"

typedef struct stranger {
    char address[64], domain[64];
} stranger;

/* A program of its own, which no process of the test's family started. */
static int be_a_stranger(const char *address)
{
    yoke_conn    *conn;
    yoke_variant *got;

    CHILD_CHECK(yoke_client_connect(&conn, address, NULL, T) == YOKE_OK);
    CHILD_CHECK(yoke_conn_recv_variant(conn, &got, T) == YOKE_OK); /* of a named domain */
    CHILD_CHECK(yoke_queue_put_string(yoke_variant_queue(yoke_variant_at(got, 0)), "a stranger", T) == YOKE_OK);
    yoke_variant_free(got);
    CHILD_CHECK(yoke_conn_recv_variant(conn, &got, T) == YOKE_ENOTSUP); /* of the other's private one */
    CHILD_CHECK(strstr(yoke_last_error()->text, "named domain") != NULL);
    CHILD_CHECK(yoke_conn_recv_variant(conn, &got, T) == YOKE_OK);
    CHILD_CHECK(yoke_variant_kind(yoke_variant_at(got, 0)) == YOKE_NIL_KIND);
    CHILD_CHECK(yoke_variant_int(yoke_variant_at(got, 1), 0) == 7);
    yoke_variant_free(got);
    CHILD_CHECK(yoke_conn_send_string(conn, "done", T) == YOKE_OK);
    yoke_conn_close(conn);
    return 0;
}

static int become_a_stranger(void *user)
{
    const stranger *names = user;

    (void)execl("/proc/self/exe", "stranger", "--stranger", names->address, (char *)NULL);
    return 1;
}

static void serve_the_stranger(const stranger *names, yoke_conn *conn)
{
    yoke_domain *domain;
    yoke_queue  *queue, *private_queue = new_queue();
    char         text[16];

    assert_ok(yoke_domain_open(&domain, names->domain, YOKE_OPTIONS(yoke_domain_options, .mode = YOKE_CREATE)));
    assert_ok(yoke_queue_create(&queue, YOKE_OPTIONS(yoke_queue_options, .domain = domain)));
    send_items(conn, YOKE_ARGS(queue));
    send_items(conn, YOKE_ARGS(private_queue, 7));
    assert_ok(yoke_queue_get_string(queue, text, sizeof text, T));
    assert_string_equal("a stranger", text);
    assert_ok(yoke_conn_recv_string(conn, text, sizeof text, T));
    yoke_queue_close(queue);
    yoke_queue_close(private_queue);
    yoke_domain_close(domain);
}

static void test_strangers_share_objects_of_a_named_domain(void **state)
{
    stranger       names;
    yoke_listener *listener;
    yoke_conn     *conn;

    (void)state;
    if (method_under_test() != YOKE_START_SPAWN)
        skip(); /* no start method has a part in it */
    (void)snprintf(names.address, sizeof names.address, ADDRESS, (int)getpid());
    (void)snprintf(names.domain, sizeof names.domain, "pass-%d", (int)getpid());
    assert_ok(yoke_listener_create(&listener, names.address, NULL));
    pid_t child = child_start(become_a_stranger, &names);
    assert_ok(yoke_listener_accept(listener, &conn, T));
    serve_the_stranger(&names, conn);
    assert_int_equal(0, child_join(child));
    yoke_conn_close(conn);
    yoke_listener_close(listener);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strangers_share_objects_of_a_named_domain),
        cmocka_unit_test(test_all_kinds_reach_a_child_and_its_own_come_back),
        cmocka_unit_test(test_a_file_is_an_argument_too),
        cmocka_unit_test(test_unread_handles_move_to_a_child),
        cmocka_unit_test(test_a_killed_sender_leaves_what_it_sent_and_nothing_else),
        cmocka_unit_test(test_a_killed_receiver_takes_unread_handles_with_it),
    };

    if (argc == 3 && strcmp(argv[1], "--stranger") == 0)
        return be_a_stranger(argv[2]);
    yoke_main(argc, argv);
    return run_under_methods(tests);
}
