/* Handles in messages over connections: objects, connections, files, segments; lost ones, unread ones, refused ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <yoke/yoke.h>

#include "core/domain/object.h"

#include "fault/fault.h"
#include "support/child.h"
#include "support/leak.h"
#include "support/pipes.h"

#define T PIPE_PATIENCE

static void send_items(yoke_conn *conn, const yoke_item *items)
{
    assert_int_equal(YOKE_OK, yoke_conn_send_variant(conn, items, T));
}

static yoke_variant *receive(yoke_conn *conn)
{
    yoke_variant *got;

    int rc = yoke_conn_recv_variant(conn, &got, T);
    if (rc < 0)
        print_message("%s\n", yoke_last_error()->text);
    assert_int_equal(YOKE_OK, rc);
    return got;
}

/* A file without a name that holds this text, read from the start. */
static yoke_file *file_of(const char *text)
{
    char       path[] = "/tmp/yoke-handles-XXXXXX";
    int        fd = mkstemp(path);
    yoke_file *file;

    assert_true(fd >= 0);
    assert_int_equal(0, unlink(path));
    assert_int_equal(strlen(text), write(fd, text, strlen(text)));
    assert_int_equal(0, lseek(fd, 0, SEEK_SET));
    assert_int_equal(YOKE_OK, yoke_file_create(&file, fd));
    return file;
}

static void expect_file(yoke_file *file, const char *text)
{
    char got[64] = "";

    assert_non_null(file);
    assert_int_equal(strlen(text), pread((int)yoke_file_native(file), got, sizeof got - 1, 0));
    assert_string_equal(text, got);
}

static int64_t objects_of_kind(const char *kind);

/* ---- within one process ---- */

static void test_a_queue_comes_as_the_same_queue(void **state)
{
    yoke_conn    *a, *b;
    yoke_queue   *queue;
    yoke_variant *got;
    char          text[16];

    (void)state;
    pipe_make(&a, &b, false);
    assert_int_equal(YOKE_OK, yoke_queue_create(&queue, NULL));
    send_items(a, YOKE_ARGS("here it is", queue, 3));
    got = receive(b);
    assert_string_equal("here it is", yoke_variant_string(yoke_variant_at(got, 0), ""));
    assert_int_equal(3, yoke_variant_int(yoke_variant_at(got, 2), 0));
    assert_int_equal(YOKE_OK, yoke_queue_put_string(yoke_variant_queue(yoke_variant_at(got, 1)), "over", T));
    assert_int_equal(YOKE_OK, yoke_queue_get_string(queue, text, sizeof text, T));
    assert_string_equal("over", text);
    yoke_variant_free(got);
    yoke_queue_close(queue);
    yoke_conn_close(a);
    yoke_conn_close(b);
    assert_int_equal(0, objects_of_kind("queue"));
    assert_int_equal(0, objects_of_kind("parcel"));
}

static void test_a_queue_outlives_its_sender_on_the_way(void **state)
{
    yoke_conn    *a, *b;
    yoke_queue   *queue;
    yoke_variant *got;
    char          text[16];

    (void)state;
    pipe_make(&a, &b, false);
    assert_int_equal(YOKE_OK, yoke_queue_create(&queue, NULL));
    assert_int_equal(YOKE_OK, yoke_queue_put_string(queue, "kept", T));
    send_items(a, YOKE_ARGS(queue));
    yoke_queue_close(queue);
    yoke_conn_close(a);
    assert_int_equal(1, objects_of_kind("queue"));
    got = receive(b);
    yoke_conn_close(b);
    queue = yoke_variant_take_queue(yoke_variant_at(got, 0));
    yoke_variant_free(got);
    assert_int_equal(YOKE_OK, yoke_queue_get_string(queue, text, sizeof text, T));
    assert_string_equal("kept", text);
    yoke_queue_close(queue);
    assert_int_equal(0, objects_of_kind("queue"));
}

static void test_what_nobody_receives_goes(void **state)
{
    yoke_conn  *a, *b;
    yoke_queue *queue;
    yoke_file  *file = file_of("x");
    int         before;

    (void)state;
    pipe_make(&a, &b, false);
    assert_int_equal(YOKE_OK, yoke_conn_send_string(a, "x", T));
    assert_int_equal(YOKE_OK, yoke_conn_skip(b, T)); /* the loop is there */
    before = fault_descriptors();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(YOKE_OK, yoke_queue_create(&queue, NULL));
        send_items(a, YOKE_ARGS(queue, file));
        yoke_queue_close(queue);
    }
    assert_int_equal(3, objects_of_kind("queue"));
    assert_int_equal(YOKE_OK, yoke_conn_skip(b, T)); /* one dropped, ... */
    assert_int_equal(before, fault_descriptors());
    uint8_t bytes[4096];
    assert_int_equal(YOKE_OK, yoke_conn_recv(b, bytes, sizeof bytes, NULL, T)); /* one taken as bytes, ... */
    assert_int_equal(before, fault_descriptors());
    yoke_conn_close(b); /* and one never looked at */
    yoke_conn_close(a);
    yoke_file_close(file);
    assert_int_equal(0, objects_of_kind("queue"));
    assert_int_equal(0, objects_of_kind("parcel"));
}

static void test_a_file_a_socket_and_a_segment(void **state)
{
    yoke_conn    *a, *b;
    yoke_shm     *shm;
    yoke_file    *file = file_of("in the file"), *end;
    yoke_variant *got;
    int           ends[2];
    char          text[8] = "";

    (void)state;
    pipe_make(&a, &b, false);
    assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    assert_int_equal(YOKE_OK, yoke_file_create(&end, ends[0]));
    assert_int_equal(YOKE_OK, yoke_shm_create(&shm, 100, NULL));
    memcpy(yoke_shm_data(shm), "shared", 7);
    yoke_item map = YOKE_MAP("file", file, "socket", end, "segment", shm);
    send_items(a, &map);
    yoke_file_close(file);
    yoke_file_close(end);
    yoke_shm_close(shm);
    got = receive(b);
    expect_file(yoke_variant_file(yoke_variant_find(got, "file")), "in the file");
    assert_string_equal("shared", yoke_shm_data_const(yoke_variant_shm(yoke_variant_find(got, "segment"))));
    end = yoke_variant_file(yoke_variant_find(got, "socket"));
    assert_int_equal(4, write((int)yoke_file_native(end), "ping", 4));
    assert_int_equal(4, read(ends[1], text, 4));
    assert_string_equal("ping", text);
    yoke_variant_free(got);
    assert_int_equal(0, read(ends[1], text, 4)); /* nobody has the other end any more */
    close(ends[1]);
    yoke_conn_close(a);
    yoke_conn_close(b);
}

static void test_a_connection_moves_with_what_came_unread(void **state)
{
    yoke_conn    *a, *b, *here, *there;
    yoke_queue   *queue;
    yoke_variant *got, *inner;
    char          text[16];

    (void)state;
    pipe_make(&a, &b, false);
    pipe_make(&here, &there, false);
    assert_int_equal(YOKE_OK, yoke_queue_create(&queue, NULL));
    assert_int_equal(YOKE_OK, yoke_conn_send_string(here, "one", T));
    assert_int_equal(YOKE_OK, yoke_conn_send_string(here, "two", T));
    send_items(here, YOKE_ARGS(queue, "three"));
    assert_int_equal(YOKE_OK, yoke_conn_recv_string(there, text, sizeof text, T)); /* and reads the others ahead */
    send_items(a, YOKE_ARGS(there));
    assert_int_equal(YOKE_EMOVED, yoke_conn_send(there, "x", 1, T));
    yoke_conn_close(there);
    got = receive(b);
    there = yoke_variant_take_conn(yoke_variant_at(got, 0));
    yoke_variant_free(got);
    assert_int_equal(YOKE_OK, yoke_conn_recv_string(there, text, sizeof text, T));
    assert_string_equal("two", text);
    inner = receive(there);
    assert_string_equal("three", yoke_variant_string(yoke_variant_at(inner, 1), ""));
    assert_non_null(yoke_variant_queue(yoke_variant_at(inner, 0)));
    yoke_variant_free(inner);
    yoke_conn_close(there);
    assert_int_equal(YOKE_EEOF, yoke_conn_recv_string(here, text, sizeof text, T));
    yoke_conn_close(here);
    yoke_conn_close(a);
    yoke_conn_close(b);
    yoke_queue_close(queue);
}

static void test_given_ends_close_here(void **state)
{
    yoke_conn    *a, *b, *here, *there;
    yoke_variant *got;

    (void)state;
    pipe_make(&a, &b, false);
    pipe_make(&here, &there, true);
    send_items(a, YOKE_ARGS(YOKE_GIVE(there)));
    assert_int_equal(YOKE_EINVAL, yoke_conn_send(there, "x", 1, T));
    got = receive(b);
    assert_int_equal(YOKE_OK, yoke_conn_send_string(yoke_variant_conn(yoke_variant_at(got, 0)), "x", T));
    yoke_variant_free(got);
    char text[8];
    assert_int_equal(YOKE_OK, yoke_conn_recv_string(here, text, sizeof text, T));
    assert_int_equal(YOKE_EEOF, yoke_conn_recv_string(here, text, sizeof text, T));
    yoke_conn_close(here);
    yoke_conn_close(a);
    yoke_conn_close(b);
}

/* ---- many, and in between ---- */

static void test_each_message_has_its_own_however_they_are_read(void **state)
{
    yoke_conn *a, *b;
    char       name[16], text[16];

    (void)state;
    pipe_make(&a, &b, false);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 20; i++) {
            (void)snprintf(name, sizeof name, "file %d", i);
            yoke_file *file = file_of(name);
            assert_int_equal(YOKE_OK, yoke_conn_send_string(a, name, T));
            send_items(a, YOKE_ARGS(name, file));
            yoke_file_close(file);
        }
        for (int i = 0; i < 20; i++) {
            (void)snprintf(name, sizeof name, "file %d", i);
            assert_int_equal(YOKE_OK, yoke_conn_recv_string(b, text, sizeof text, T));
            assert_string_equal(name, text);
            if (i % 5 == 4) {
                assert_int_equal(YOKE_OK, yoke_conn_skip(b, T));
                continue;
            }
            yoke_variant *got = receive(b);
            assert_string_equal(name, yoke_variant_string(yoke_variant_at(got, 0), ""));
            expect_file(yoke_variant_file(yoke_variant_at(got, 1)), name);
            yoke_variant_free(got);
        }
    }
    yoke_conn_close(a);
    yoke_conn_close(b);
}

#define LARGE 1000000

/* Half a megabyte before the handle in the same message: it fills the pipe and comes in pieces. */
static int send_large(void *user)
{
    uint8_t   *bytes = calloc(1, LARGE);
    yoke_conn *conn = user;

    for (int i = 0; i < 5; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "file %d", i);
        yoke_file *file = file_of(name);
        bytes[LARGE - 1] = (uint8_t)i;
        CHILD_CHECK(yoke_conn_send_variant(conn, YOKE_ARGS(yoke_item_bytes(bytes, LARGE), file), T) == YOKE_OK);
        CHILD_CHECK(yoke_conn_send_variant(conn, YOKE_ARGS(i, file), T) == YOKE_OK);
        yoke_file_close(file);
    }
    free(bytes);
    yoke_conn_close(conn);
    return 0;
}

static void test_large_messages_bring_theirs(void **state)
{
    yoke_conn *a, *b;
    char       name[16];
    size_t     size;

    (void)state;
    pipe_make(&a, &b, false);
    int child = child_start(send_large, a);
    yoke_conn_close(a);
    for (int i = 0; i < 10; i++) {
        yoke_variant *got = receive(b);
        (void)snprintf(name, sizeof name, "file %d", i / 2);
        expect_file(yoke_variant_file(yoke_variant_at(got, 1)), name);
        if (i % 2 == 0)
            assert_int_equal(i / 2, ((const uint8_t *)yoke_variant_bytes(yoke_variant_at(got, 0), &size))[LARGE - 1]);
        yoke_variant_free(got);
    }
    assert_int_equal(0, child_join(child));
    yoke_conn_close(b);
}

static void test_two_hundred_files_in_one_message(void **state)
{
    yoke_conn *a, *b;
    yoke_item  items[241];
    yoke_file *file = file_of("one of many");

    (void)state;
    pipe_make(&a, &b, false);
    for (int i = 0; i < 241; i++)
        items[i] = *YOKE_VALUE_OF(file);
    yoke_item most = yoke_item_list(items, 240), more = yoke_item_list(items, 241);
    assert_int_equal(YOKE_EMSGSIZE, yoke_conn_send_variant(a, &more, T));
    send_items(a, &most);
    yoke_variant *got = receive(b);
    for (size_t i = 0; i < 240; i++)
        expect_file(yoke_variant_file(yoke_variant_at(got, i)), "one of many");
    yoke_variant_free(got);
    yoke_file_close(file);
    yoke_conn_close(a);
    yoke_conn_close(b);
}

/* ---- no room for descriptors ---- */

static int receive_with_a_full_table(void *user)
{
    yoke_conn    *a, *b;
    yoke_variant *got;
    yoke_queue   *queue;
    yoke_file    *file = file_of("first");
    struct rlimit limit;
    char          text[32];

    (void)user;
    pipe_make(&a, &b, false);
    CHILD_CHECK(yoke_conn_send_string(a, "x", T) == YOKE_OK && yoke_conn_skip(b, T) == YOKE_OK);
    CHILD_CHECK(yoke_queue_create(&queue, NULL) == YOKE_OK);
    CHILD_CHECK(yoke_conn_send_variant(a, YOKE_ARGS("values", file, 5), T) == YOKE_OK);
    CHILD_CHECK(yoke_conn_send_string(a, "after", T) == YOKE_OK);
    CHILD_CHECK(yoke_conn_send_variant(a, YOKE_ARGS("again", file), T) == YOKE_OK);
    CHILD_CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    struct rlimit low = {(rlim_t)dup(0), limit.rlim_max};
    close((int)low.rlim_cur);
    CHILD_CHECK(setrlimit(RLIMIT_NOFILE, &low) == 0);
    CHILD_CHECK(yoke_conn_recv_variant(b, &got, T) == YOKE_ENOMEM);
    CHILD_CHECK(strstr(yoke_last_error()->text, "1 of 1 handles") != NULL);
    CHILD_CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHILD_CHECK(yoke_conn_recv_variant(b, &got, T) == YOKE_OK);
    CHILD_CHECK(strcmp(yoke_variant_string(yoke_variant_at(got, 0), ""), "values") == 0);
    CHILD_CHECK(yoke_variant_kind(yoke_variant_at(got, 1)) == YOKE_NIL_KIND);
    CHILD_CHECK(yoke_variant_int(yoke_variant_at(got, 2), 0) == 5);
    yoke_variant_free(got);
    CHILD_CHECK(yoke_conn_recv_string(b, text, sizeof text, T) == YOKE_OK && strcmp(text, "after") == 0);
    CHILD_CHECK(yoke_conn_recv_variant(b, &got, T) == YOKE_OK);
    CHILD_CHECK(yoke_variant_file(yoke_variant_at(got, 1)) != NULL);
    yoke_variant_free(got);
    yoke_conn_close(a);
    yoke_conn_close(b);
    yoke_queue_close(queue);
    yoke_file_close(file);
    return 0;
}

static void test_a_full_table_is_an_error_with_the_rest_intact(void **state)
{
    (void)state;
    assert_int_equal(0, child_join(child_start(receive_with_a_full_table, NULL)));
}

/* ---- refused ---- */

static void test_what_can_not_carry_says_so(void **state)
{
    yoke_conn  *a, *b;
    yoke_queue *queue;

    (void)state;
    assert_int_equal(YOKE_OK, yoke_queue_create(&queue, NULL));
    pipe_make(&a, &b, true);
    assert_int_equal(YOKE_ENOTSUP, yoke_conn_send_variant(b, YOKE_ARGS(queue), T));
    assert_non_null(strstr(yoke_last_error()->text, "two-way"));
    send_items(b, YOKE_ARGS(1));
    yoke_conn_close(a);
    yoke_conn_close(b);
    pipe_make(&a, &b, false);
    assert_int_equal(YOKE_EINVAL, yoke_conn_send_variant(a, YOKE_ARGS(a), T));
    assert_int_equal(YOKE_EINVAL, yoke_conn_send_variant(a, YOKE_ARGS((yoke_queue *)NULL), T));
    send_items(a, YOKE_ARGS(1));
    yoke_conn_close(a);
    yoke_conn_close(b);
    yoke_queue_close(queue);
}

static void test_a_send_that_fails_leaves_all_as_it_was(void **state)
{
    yoke_conn *a, *b, *here, *there;
    char       text[8];
    uint8_t    byte = 0;

    (void)state;
    pipe_make(&a, &b, false);
    pipe_make(&here, &there, false);
    while (yoke_conn_send(a, &byte, 1, YOKE_NOWAIT) == YOKE_OK)
        continue;
    assert_int_equal(YOKE_ETIMEDOUT, yoke_conn_send_variant(a, YOKE_ARGS(YOKE_GIVE(there)), 20));
    assert_int_equal(YOKE_OK, yoke_conn_send_string(here, "still", T));
    assert_int_equal(YOKE_OK, yoke_conn_recv_string(there, text, sizeof text, T));
    yoke_conn_close(b);
    assert_int_equal(YOKE_EBROKEN, yoke_conn_send_variant(a, YOKE_ARGS(there), T));
    assert_int_equal(YOKE_OK, yoke_conn_send_string(there, "still", T));
    yoke_conn_close(a);
    yoke_conn_close(here);
    yoke_conn_close(there);
}

/* ---- counting ---- */

typedef struct counting {
    const char *kind;
    int64_t     count;
} counting;

static bool count_object(void *user, const yoke_object_info *info)
{
    counting *c = user;

    c->count += strcmp(info->kind, c->kind) == 0;
    return true;
}

static int64_t objects_of_kind(const char *kind)
{
    counting c = {kind, 0};

    assert_int_equal(YOKE_OK, yoke_domain_inspect(NULL, YOKE_OPTIONS(yoke_domain_visitor, .object = count_object), &c));
    return c.count;
}

/* The default domain and the loop's descriptors stand before anything is counted. */
static int setup(void **state)
{
    yoke_queue *queue;

    if (yoke_queue_create(&queue, NULL) < 0)
        return -1;
    yoke_queue_close(queue);
    return pipes_setup(state);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_queue_comes_as_the_same_queue),
        cmocka_unit_test(test_a_queue_outlives_its_sender_on_the_way),
        cmocka_unit_test(test_what_nobody_receives_goes),
        cmocka_unit_test(test_a_file_a_socket_and_a_segment),
        cmocka_unit_test(test_a_connection_moves_with_what_came_unread),
        cmocka_unit_test(test_given_ends_close_here),
        cmocka_unit_test(test_each_message_has_its_own_however_they_are_read),
        cmocka_unit_test(test_large_messages_bring_theirs),
        cmocka_unit_test(test_two_hundred_files_in_one_message),
        cmocka_unit_test(test_a_full_table_is_an_error_with_the_rest_intact),
        cmocka_unit_test(test_what_can_not_carry_says_so),
        cmocka_unit_test(test_a_send_that_fails_leaves_all_as_it_was),
    };

    yoke_main(argc, argv);
    return cmocka_run_group_tests(tests, setup, leak_teardown);
}
