/*
 * Two processes at the ends of a pipe, and two more that share the sending one; messages of all sizes, some with queues and
 * files in them. One process after another is killed at random. What is received is whole, the others end by themselves,
 * and when all are gone nothing is left: no object, no descriptor.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <yoke/yoke.h>

#include "support/child.h"
#include "support/leak.h"
#include "support/pipes.h"

#define T           PIPE_PATIENCE
#define TIME_MS     5000
#define LARGE       200000
#define SENDERS     3
#define STOPPED(rc) ((rc) == YOKE_EBROKEN || (rc) == YOKE_EEOF)

/* ---- sending ---- */

static int send_plain(yoke_conn *conn, unsigned *seed, uint8_t *data)
{
    static const size_t sizes[] = {1, 60, 1500, 2100, 9000, LARGE};
    size_t              size = sizes[(size_t)rand_r(seed) % (sizeof sizes / sizeof *sizes)];

    memset(data, (int)(size % 251), size);
    return yoke_conn_send_variant(conn, YOKE_ARGS((int64_t)size, yoke_item_bytes(data, size)), T);
}

static int send_handles(yoke_conn *conn, unsigned *seed)
{
    yoke_queue *queue;
    yoke_file  *file;

    YOKE_TRY(yoke_queue_create(&queue, NULL));
    YOKE_TRY(yoke_queue_put_string(queue, "inside", T));
    YOKE_TRY(yoke_file_create(&file, dup(0)));
    int rc = rand_r(seed) % 2 ? yoke_conn_send_variant(conn, YOKE_ARGS(queue, file), T)
                              : yoke_conn_send_variant(conn, YOKE_ARGS(queue, 1), T);
    yoke_queue_close(queue);
    yoke_file_close(file);
    return rc;
}

static int sender(const yoke_args *args)
{
    yoke_conn *conn = yoke_args_conn(args, 0);
    unsigned   seed = (unsigned)getpid();
    uint8_t   *data = malloc(LARGE);
    int        rc = YOKE_OK;

    while (rc >= 0)
        rc = rand_r(&seed) % 4 ? send_plain(conn, &seed, data) : send_handles(conn, &seed);
    free(data);
    return STOPPED(rc) ? 0 : rc;
}

/* ---- receiving ---- */

static void check(const yoke_variant *got)
{
    char   text[8];
    size_t size;

    if (yoke_variant_kind(yoke_variant_at(got, 0)) != YOKE_INT) {
        CHILD_CHECK(yoke_queue_get_string(yoke_variant_queue(yoke_variant_at(got, 0)), text, sizeof text, T) ==
                    YOKE_OK);
        CHILD_CHECK(strcmp(text, "inside") == 0);
        return;
    }
    const uint8_t *data = yoke_variant_bytes(yoke_variant_at(got, 1), &size);
    CHILD_CHECK(size == (size_t)yoke_variant_int(yoke_variant_at(got, 0), 0));
    for (size_t i = 0; i < size; i += 97)
        CHILD_CHECK(data[i] == size % 251);
}

static int receiver(const yoke_args *args)
{
    yoke_conn    *conn = yoke_args_conn(args, 0);
    yoke_variant *got;
    int           rc;

    while ((rc = yoke_conn_recv_variant(conn, &got, T)) == YOKE_OK) {
        check(got);
        yoke_variant_free(got);
    }
    return STOPPED(rc) ? 0 : rc;
}

/* ---- rounds ---- */

static bool count_object(void *user, const yoke_object_info *info)
{
    *(int *)user += strcmp(info->kind, "process") != 0;
    return true;
}

static int objects_left(void)
{
    int count = 0;

    assert_int_equal(YOKE_OK,
                     yoke_domain_inspect(NULL, YOKE_OPTIONS(yoke_domain_visitor, .object = count_object), &count));
    return count;
}

static void finish(yoke_process *process, bool killed)
{
    yoke_result result = {.struct_size = sizeof result};

    assert_int_equal(YOKE_OK, yoke_process_finish(process, &result, T));
    if (killed)
        return;
    if (result.code != 0)
        print_message("%s\n", result.text);
    assert_int_equal(YOKE_RETURNED, result.how);
    assert_int_equal(0, result.code);
}

/* One process of each place, of which one is killed and then, if the others don't end by that, another. */
static void round_of(unsigned *seed)
{
    const yoke_process_options *fork = YOKE_OPTIONS(yoke_process_options, .method = YOKE_START_FORK);
    yoke_process               *processes[SENDERS + 1];
    bool                        killed[SENDERS + 1] = {false};
    yoke_conn                  *reader, *writer, *end;

    pipe_make(&reader, &writer, false);
    for (int i = 0; i < SENDERS; i++) {
        assert_int_equal(YOKE_OK, yoke_conn_share(&end, writer));
        assert_int_equal(YOKE_OK, yoke_process_start(&processes[i], sender, YOKE_ARGS(YOKE_GIVE(end)), fork));
    }
    assert_int_equal(YOKE_OK, yoke_process_start(&processes[SENDERS], receiver, YOKE_ARGS(YOKE_GIVE(reader)), fork));
    yoke_conn_close(writer);
    for (int i = rand_r(seed) % (SENDERS + 1); i <= SENDERS; i++) { /* the receiver is the last, if any is */
        (void)usleep((useconds_t)(rand_r(seed) % 20000));           /* when to kill */
        assert_int_equal(YOKE_OK, yoke_process_kill(processes[i]));
        killed[i] = true;
    }
    for (int i = 0; i <= SENDERS; i++)
        finish(processes[i], killed[i]);
    assert_int_equal(0, objects_left());
}

static void test_whole_messages_and_nothing_left_whoever_dies(void **state)
{
    unsigned  seed = (unsigned)getpid();
    long long end = milliseconds() + TIME_MS;
    int       rounds = 0;

    (void)state;
    for (; milliseconds() < end; rounds++)
        round_of(&seed);
    print_message("%d rounds\n", rounds);
}

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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_whole_messages_and_nothing_left_whoever_dies)};

    yoke_main(argc, argv);
    return cmocka_run_group_tests_name("pipes, random kills", tests, setup, leak_teardown);
}
