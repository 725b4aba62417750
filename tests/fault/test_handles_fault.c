/* Handles in messages, and shared ends, when calls into the system fail: an error, the rest intact, and nothing left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <yoke/yoke.h>

#include "fault/fault.h"
#include "fault/memory.h"
#include "support/child.h"

#define T 10000

/* One of each kind on its way, and a string behind it. */
typedef struct things {
    yoke_conn  *a, *b, *inner[2];
    yoke_queue *queue;
    yoke_file  *file;
    yoke_shm   *shm;
} things;

static int make(things *t)
{
    *t = (things){0};
    YOKE_TRY(yoke_pipe_create(&t->a, &t->b, NULL));
    YOKE_TRY(yoke_pipe_create(&t->inner[0], &t->inner[1], NULL));
    YOKE_TRY(yoke_queue_create(&t->queue, NULL));
    YOKE_TRY(yoke_shm_create(&t->shm, 100, NULL));
    int fd = dup(0);
    int rc = yoke_file_create(&t->file, fd);
    if (rc < 0)
        close(fd);
    return rc;
}

static void unmake(things *t)
{
    yoke_conn_close(t->a);
    yoke_conn_close(t->b);
    yoke_conn_close(t->inner[0]);
    yoke_conn_close(t->inner[1]);
    yoke_queue_close(t->queue);
    yoke_file_close(t->file);
    yoke_shm_close(t->shm);
}

/* Once more if handles are missing: then nil stands in their place, and all else is there. */
static int receive(things *t)
{
    yoke_variant *got;
    int           rc = yoke_conn_recv_variant(t->b, &got, T);

    if (rc < 0) {
        int again = yoke_conn_recv_variant(t->b, &got, T);
        if (again < 0)
            return again;
    }
    CHILD_CHECK(strcmp(yoke_variant_string(yoke_variant_at(got, 0), ""), "plain") == 0);
    CHILD_CHECK(rc < 0 || yoke_variant_conn(yoke_variant_at(got, 4)) != NULL);
    yoke_variant_free(got);
    return rc;
}

static int pass(things *t)
{
    char text[8];

    YOKE_TRY(yoke_conn_send_string(t->inner[0], "unread", T));
    YOKE_TRY(yoke_conn_send_variant(t->a, YOKE_ARGS("plain", t->queue, t->file, t->shm, t->inner[1]), T));
    YOKE_TRY(yoke_conn_send_string(t->a, "after", T));
    int rc = receive(t);
    if (rc < 0)
        return rc;
    YOKE_TRY(yoke_conn_recv_string(t->b, text, sizeof text, T));
    CHILD_CHECK(strcmp(text, "after") == 0);
    return YOKE_OK;
}

static int share(things *t)
{
    yoke_conn *shared;
    char       text[8];

    YOKE_TRY(yoke_conn_share(&shared, t->a));
    int rc = yoke_conn_send_string(shared, "shared", T);
    if (rc == YOKE_OK)
        rc = yoke_conn_send_string(t->a, "own", T);
    yoke_conn_close(shared);
    YOKE_TRY(rc);
    YOKE_TRY(yoke_conn_recv_string(t->b, text, sizeof text, T));
    return yoke_conn_recv_string(t->b, text, sizeof text, T);
}

static int scenario(void)
{
    things t;
    int    rc = make(&t);

    if (rc == YOKE_OK)
        rc = pass(&t);
    if (rc == YOKE_OK)
        rc = share(&t);
    unmake(&t);
    return rc;
}

static bool count_object(void *user, const yoke_object_info *info)
{
    *(int *)user += strcmp(info->kind, "queue") == 0 || strcmp(info->kind, "parcel") == 0;
    return true;
}

/* What a failing look has left is found by the next. */
static int objects_left(void)
{
    int        count = 0;
    yoke_conn *a, *b;

    CHILD_CHECK(yoke_pipe_create(&a, &b, NULL) == YOKE_OK);
    yoke_conn_close(a);
    yoke_conn_close(b);
    CHILD_CHECK(yoke_domain_inspect(NULL, YOKE_OPTIONS(yoke_domain_visitor, .object = count_object), &count) ==
                YOKE_OK);
    return count;
}

static bool is_expected(int rc)
{
    return rc == YOKE_OK || rc == YOKE_ENOMEM || rc == YOKE_ENOTSUP || rc == YOKE_EIO || rc == YOKE_EINVAL;
}

static int fail_every_call(void *user)
{
    int error = *(int *)user;

    CHILD_CHECK(scenario() == YOKE_OK);
    int before = fault_descriptors();
    for (fault_sweep sweep = fault_sweep_start(error); fault_sweep_next(&sweep);) {
        int rc = scenario();
        fault_off();
        if (!is_expected(rc))
            print_message("%d after %s: %s\n", rc, fault_name(), yoke_last_error()->text);
        CHILD_CHECK(is_expected(rc));
        CHILD_CHECK(fault_descriptors() == before);
        CHILD_CHECK(objects_left() == 0);
    }
    return 0;
}

static void test_each_call_that_fails_is_an_error_with_the_rest_intact(void **state)
{
    int errors[] = {EMFILE, ENOMEM};

    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        assert_int_equal(0, child_join(child_start(fail_every_call, &errors[i])));
}

static int fail_every_allocation(void *user)
{
    bool reached = true;

    (void)user;
    CHILD_CHECK(scenario() == YOKE_OK);
    int before = fault_descriptors();
    for (long at = 1; reached; at++) {
        allocations = 0;
        failing = at;
        int rc = scenario();
        reached = allocations >= at;
        failing = 0;
        if (!is_expected(rc))
            print_message("%d at %ld: %s\n", rc, at, yoke_last_error()->text);
        CHILD_CHECK(is_expected(rc));
        CHILD_CHECK(fault_descriptors() == before);
        CHILD_CHECK(objects_left() == 0);
    }
    return 0;
}

static void test_each_allocation_that_fails_is_an_error_with_the_rest_intact(void **state)
{
    (void)state;
    assert_int_equal(0, child_join(child_start(fail_every_allocation, NULL)));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_call_that_fails_is_an_error_with_the_rest_intact),
        cmocka_unit_test(test_each_allocation_that_fails_is_an_error_with_the_rest_intact),
    };

    yoke_main(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
