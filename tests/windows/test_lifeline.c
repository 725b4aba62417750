/* Lifelines on Windows: what is written comes whole, and who arms one dies when the other end goes, however busy it is. */
#include "support/leak.h"
#include "support/windows/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const yoke_life_ops    *life = &yoke__windows_life;
static const yoke_process_ops *process = &yoke__windows_process;

static yoke_native ends[2];

static int open_ends(void **state)
{
    (void)state;
    return process->lifeline(ends);
}

static void close_end(int which)
{
    process->native_close(ends[which]);
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
    char sent[1024], got[1024];

    (void)state;
    memset(sent, 'q', sizeof sent);
    assert_int_equal(process->lifeline_write(ends[1], sent, sizeof sent), YOKE_OK);
    assert_int_equal(process->lifeline_read(ends[0], got, sizeof got, 0), YOKE_OK);
    assert_memory_equal(sent, got, sizeof got);
    assert_int_equal(process->lifeline_write(ends[1], got, 1025), YOKE_EMSGSIZE);
}

static void too_little_is_told(void **state)
{
    char got[8];

    (void)state;
    assert_int_equal(process->lifeline_write(ends[1], "four", 4), YOKE_OK);
    assert_int_equal(process->lifeline_read(ends[0], got, sizeof got, SECOND / 100), YOKE_ETIMEDOUT);
    close_end(1);
    assert_int_equal(process->lifeline_read(ends[0], got, sizeof got, SECOND), YOKE_EEOF);
}

static void what_is_no_lifeline_is_refused(void **state)
{
    char   got[8];
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);

    (void)state;
    assert_int_equal(process->lifeline_read(yoke__native_of(event), got, sizeof got, 0), YOKE_EPROTO);
    assert_int_equal(process->lifeline_read(ends[1], got, sizeof got, 0), YOKE_EPROTO); /* the wrong end */
    assert_int_equal(process->lifeline_read(0x7ffffff0, got, sizeof got, 0), YOKE_EPROTO);
    assert_int_equal(process->lifeline_arm(yoke__native_of(event)), YOKE_EPROTO);
    CloseHandle(event);
}

/* ---- dying ---- */

/* natives: an event to tell that it is armed, and the end. */
static int arm_and_spin(const char *argument, const yoke_native *natives, size_t count)
{
    (void)argument, (void)count;
    if (process->lifeline_arm(natives[1]) != YOKE_OK)
        return 3;
    SetEvent(yoke__handle_of(natives[0]));
    for (volatile int i = 0;; i++)
        continue;
}

/* natives: an event that tells when the holder has gone, and the end. */
static int arm_too_late(const char *argument, const yoke_native *natives, size_t count)
{
    (void)argument, (void)count;
    (void)life->wait(natives[0], 60 * SECOND);
    (void)process->lifeline_arm(natives[1]);
    return 5;
}

static yoke_native new_event(void)
{
    return yoke__native_of(CreateEventW(NULL, TRUE, FALSE, NULL));
}

static void a_busy_child_dies_with_the_last_copy(void **state)
{
    yoke_native given[2] = {new_event(), ends[0]}, copy;
    int64_t     pid;

    (void)state;
    assert_int_equal(process->native_duplicate(&copy, ends[1]), YOKE_OK);
    assert_int_equal(program_start(&pid, "arm and spin", "", given, 2), YOKE_OK);
    close_end(0);
    assert_int_equal(life->wait(given[0], 60 * SECOND), YOKE_OK);
    close_end(1);
    yoke_native watch = program_watch(pid);
    assert_int_equal(life->wait(watch, SECOND / 10), YOKE_ETIMEDOUT); /* the copy is still there */
    process->native_close(copy);
    assert_int_equal(life->wait(watch, 60 * SECOND), YOKE_OK);
    life->close(watch);
    (void)program_join(pid);
    process->native_close(given[0]);
}

static void who_arms_too_late_dies_at_once(void **state)
{
    yoke_native given[2] = {new_event(), ends[0]};
    int64_t     pid;

    (void)state;
    assert_int_equal(program_start(&pid, "arm too late", "", given, 2), YOKE_OK);
    close_end(0);
    close_end(1);
    SetEvent(yoke__handle_of(given[0]));
    assert_int_not_equal(program_join(pid), 5);
    process->native_close(given[0]);
}

/* natives: an event for the grandchild to set, an event to set once it runs, a section to tell its pid in. Armed or not,
 * as the argument says. */
static int parent_of_one(const char *argument, const yoke_native *natives, size_t count)
{
    yoke_native line[2], given[2] = {natives[0]};
    int64_t     pid;

    (void)count;
    if (process->lifeline(line) != YOKE_OK)
        return 3;
    given[1] = line[0];
    if (program_start(&pid, argument, "", given, 2) != YOKE_OK)
        return 4;
    process->native_close(line[0]);
    int64_t *told = MapViewOfFile(yoke__handle_of(natives[2]), FILE_MAP_WRITE, 0, 0, sizeof *told);
    if (!told)
        return 5;
    *told = pid;
    SetEvent(yoke__handle_of(natives[1]));
    Sleep(INFINITE);
    return 0;
}

/* natives: an event to tell that it runs. */
static int stay(const char *argument, const yoke_native *natives, size_t count)
{
    (void)argument, (void)count;
    SetEvent(yoke__handle_of(natives[0]));
    Sleep(INFINITE);
    return 0;
}

/* The parent is killed; a watch on the grandchild. */
static yoke_native orphan(const char *part, int64_t *grandchild)
{
    HANDLE        section = CreateFileMappingW(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 4096, NULL);
    yoke_native   given[3] = {new_event(), new_event(), yoke__native_of(section)}, watch, middle;
    int64_t      *told = MapViewOfFile(section, FILE_MAP_READ, 0, 0, sizeof *told), parent;
    yoke_identity who;

    assert_non_null(told);
    assert_int_equal(program_start(&parent, "parent of one", part, given, 3), YOKE_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(life->wait(given[i], 60 * SECOND), YOKE_OK);
    *grandchild = *told;
    assert_int_equal(life->identify(&who, *grandchild), YOKE_OK);
    assert_int_equal(life->watch(&watch, &who), YOKE_OK);
    middle = program_watch(parent);
    assert_int_equal(process->signal(parent, middle, YOKE_SIGNAL_KILL), YOKE_OK);
    life->close(middle);
    assert_int_equal(program_join(parent), 1009);
    UnmapViewOfFile(told);
    for (int i = 0; i < 3; i++)
        process->native_close(given[i]);
    return watch;
}

static void a_busy_child_dies_with_a_killed_parent(void **state)
{
    int64_t     grandchild;
    yoke_native watch = orphan("arm and spin", &grandchild);

    (void)state;
    assert_int_equal(life->wait(watch, 60 * SECOND), YOKE_OK);
    life->close(watch);
}

static void a_child_that_has_not_armed_outlives_its_parent(void **state)
{
    int64_t     grandchild;
    yoke_native watch = orphan("stay", &grandchild);

    (void)state;
    assert_int_equal(life->wait(watch, SECOND / 2), YOKE_ETIMEDOUT);
    assert_int_equal(process->signal(grandchild, watch, YOKE_SIGNAL_KILL), YOKE_OK);
    assert_int_equal(life->wait(watch, 60 * SECOND), YOKE_OK);
    life->close(watch);
}

static int nothing(const char *argument, const yoke_native *natives, size_t count)
{
    (void)argument, (void)natives, (void)count;
    return 0;
}

static int set_up(void **state)
{
    int64_t pid;

    if (program_start(&pid, "nothing", "", NULL, 0) != YOKE_OK || program_join(pid) != 0)
        return -1;
    return leak_setup(state);
}

#define LIFELINE_TEST(name) cmocka_unit_test_setup_teardown(name, open_ends, close_ends)

int main(int argc, char **argv)
{
    static const program_entry parts[] = {{"arm and spin", arm_and_spin},
                                          {"arm too late", arm_too_late},
                                          {"parent of one", parent_of_one},
                                          {"stay", stay},
                                          {"nothing", nothing},
                                          {NULL, NULL}};
    program_main(argc, argv, parts);
    const struct CMUnitTest tests[] = {
        LIFELINE_TEST(a_message_comes_whole),
        LIFELINE_TEST(too_little_is_told),
        LIFELINE_TEST(what_is_no_lifeline_is_refused),
        LIFELINE_TEST(a_busy_child_dies_with_the_last_copy),
        LIFELINE_TEST(who_arms_too_late_dies_at_once),
        cmocka_unit_test(a_busy_child_dies_with_a_killed_parent),
        cmocka_unit_test(a_child_that_has_not_armed_outlives_its_parent),
    };
    return cmocka_run_group_tests_name("lifelines on Windows", tests, set_up, leak_teardown);
}
