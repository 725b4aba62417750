/* Lifelines: what is written comes whole, and who arms one dies when the other end goes, however busy it is. */
#include "backends/posix/posix.h"
#include "backends/posix/sys.h"
#include "fault/fault.h"
#include "support/child.h"
#include "support/leak.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000000)

static yoke_native ends[2];

static int open_ends(void **state)
{
    (void)state;
    return yoke__posix_lifeline(ends);
}

static void close_end(int which)
{
    if (ends[which] >= 0)
        close((int)ends[which]);
    ends[which] = YOKE_NO_NATIVE;
}

static int close_ends(void **state)
{
    (void)state;
    close_end(0);
    close_end(1);
    return 0;
}

/* ---- reading and writing ---- */

static void a_message_comes_whole(void **state)
{
    (void)state;
    char sent[1024], got[1024];

    memset(sent, 'q', sizeof sent);
    assert_int_equal(yoke__posix_lifeline_write(ends[1], sent, sizeof sent), YOKE_OK);
    assert_int_equal(yoke__posix_lifeline_read(ends[0], got, sizeof got, 0), YOKE_OK);
    assert_memory_equal(sent, got, sizeof got);
    assert_int_equal(yoke__posix_lifeline_write(ends[1], sent, sizeof sent), YOKE_OK);
    assert_int_equal(yoke__posix_lifeline_write(ends[1], got, 1025), YOKE_EMSGSIZE);
}

static void too_little_is_told(void **state)
{
    (void)state;
    char got[8];

    assert_int_equal(yoke__posix_lifeline_write(ends[1], "four", 4), YOKE_OK);
    assert_int_equal(yoke__posix_lifeline_read(ends[0], got, sizeof got, SECOND / 100), YOKE_ETIMEDOUT);
    close_end(1);
    assert_int_equal(yoke__posix_lifeline_read(ends[0], got, sizeof got, SECOND), YOKE_EEOF);
}

static void what_is_no_lifeline_is_refused(void **state)
{
    (void)state;
    char got[8];
    int  null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    assert_int_equal(yoke__posix_lifeline_read(null, got, sizeof got, 0), YOKE_EPROTO);
    assert_int_equal(yoke__posix_lifeline_read(ends[1], got, sizeof got, 0), YOKE_EPROTO); /* the wrong end */
    assert_int_equal(yoke__posix_lifeline_read(9999, got, sizeof got, 0), YOKE_EPROTO);
    close(null);
}

/* ---- dying ---- */

static int ready[2];
static int copy = -1; /* of the parent's end */

static int arm_and_spin(void *end)
{
    close((int)ends[1]);
    if (copy >= 0)
        close(copy);
    CHILD_CHECK(yoke__posix_lifeline_arm(*(yoke_native *)end) == YOKE_OK);
    CHILD_CHECK(write(ready[1], "r", 1) == 1);
    for (volatile int i = 0;; i++)
        continue;
}

static void a_busy_child_dies_with_the_last_copy(void **state)
{
    (void)state;
    char  byte;
    pid_t child;

    copy = dup((int)ends[1]);
    assert_int_equal(pipe(ready), 0);
    child = child_start(arm_and_spin, &ends[0]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close_end(1);
    assert_int_equal(waitpid(child, NULL, WNOHANG), 0); /* the copy is still there */
    close(copy);
    copy = -1;
    assert_int_equal(child_join(child), 1000 + SIGKILL);
    close(ready[0]);
    close(ready[1]);
}

static int arm_too_late(void *end)
{
    close((int)ends[1]);
    char byte;
    CHILD_CHECK(read(ready[0], &byte, 1) == 1); /* the parent has closed its end */
    (void)yoke__posix_lifeline_arm(*(yoke_native *)end);
    return 5;
}

static void who_arms_too_late_dies_at_once(void **state)
{
    (void)state;
    pid_t child;

    assert_int_equal(pipe(ready), 0);
    child = child_start(arm_too_late, &ends[0]);
    close_end(1);
    assert_int_equal(write(ready[1], "x", 1), 1);
    assert_int_equal(child_join(child), 1000 + SIGKILL);
    close(ready[0]);
    close(ready[1]);
}

static int hold_and_wait(void *unused)
{
    (void)unused;
    CHILD_CHECK(write(ready[1], "r", 1) == 1);
    while (pause() < 0)
        continue;
    return 0;
}

/* The parent is killed; nobody runs any code for the child's sake. */
static int parent_of_armed(void *report)
{
    pid_t child = child_start(arm_and_spin, &ends[0]);
    CHILD_CHECK(write(*(int *)report, &child, sizeof child) == (ssize_t)sizeof child);
    return hold_and_wait(NULL);
}

static void a_child_dies_with_a_killed_parent(void **state)
{
    (void)state;
    int   report[2];
    char  bytes[2];
    pid_t parent, grandchild;

    if (getenv("YOKE_VALGRIND"))
        skip(); /* keeps pidfds from its guests */
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(report), 0);
    parent = child_start(parent_of_armed, &report[1]);
    assert_int_equal(read(report[0], &grandchild, sizeof grandchild), (int)sizeof grandchild);
    close_end(1);
    for (int i = 0; i < 2; i++)
        assert_int_equal(read(ready[0], &bytes[i], 1), 1);
    yoke_identity who;
    yoke_native   life;
    assert_int_equal(yoke__posix_life.identify(&who, grandchild), YOKE_OK);
    assert_int_equal(yoke__posix_life.watch(&life, &who), YOKE_OK);
    child_kill(parent);
    assert_int_equal(yoke__posix_life.wait(life, 10 * SECOND), YOKE_OK);
    yoke__posix_life.close(life);
    for (int i = 0; i < 2; i++) {
        close(ready[i]);
        close(report[i]);
    }
}

/* ---- faults ---- */

static int live(void)
{
    yoke_native own[2];
    char        byte;
    int         rc = yoke__posix_lifeline(own);

    if (rc < 0)
        return rc;
    rc = yoke__posix_lifeline_write(own[1], "a", 1);
    if (rc == YOKE_OK)
        rc = yoke__posix_lifeline_read(own[0], &byte, 1, SECOND);
    if (rc == YOKE_OK)
        rc = yoke__posix_lifeline_arm(own[0]);
    close((int)own[0]); /* the reading end first: the other would be fatal */
    close((int)own[1]);
    return rc;
}

static void every_failing_call_is_told_and_leaves_nothing(void **state)
{
    (void)state;
    int before = leak_descriptors();

    for (fault_sweep sweep = fault_sweep_start(EMFILE); fault_sweep_next(&sweep);) {
        int rc = live();
        assert_int_equal(rc < 0, fault_hit());
        assert_int_equal(leak_descriptors(), before);
    }
}

#define LIFELINE_TEST(name) cmocka_unit_test_setup_teardown(name, open_ends, close_ends)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIFELINE_TEST(a_message_comes_whole),
        LIFELINE_TEST(too_little_is_told),
        LIFELINE_TEST(what_is_no_lifeline_is_refused),
        LIFELINE_TEST(a_busy_child_dies_with_the_last_copy),
        LIFELINE_TEST(who_arms_too_late_dies_at_once),
        LIFELINE_TEST(a_child_dies_with_a_killed_parent),
        cmocka_unit_test(every_failing_call_is_told_and_leaves_nothing),
    };
    return cmocka_run_group_tests_name("lifeline", tests, leak_setup, leak_teardown);
}
