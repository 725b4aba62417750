/* The leak check itself: finds what is planted, and stays silent otherwise. */
#include "support/leak.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char segment[64];
static void remove_segment(void)
{
    (void)unlink(segment);
}

/* Runs plant in a child, so that what it plants goes with it. 1: the check found it. */
static int found_by_check(void (*plant)(void))
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        /* What other tests leave in common places for a moment must not be blamed on nobody's fault. */
        if (plant)
            leak_patience(100);
        if (leak_setup(NULL) != 0)
            _exit(9);
        if (plant)
            plant();
        int found = leak_teardown(NULL) == 0 ? 0 : 1;
        remove_segment();
        _exit(found);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void plant_descriptor(void)
{
    if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0)
        _exit(9);
}

static void plant_unreaped_child(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    if (child < 0)
        _exit(9);
}

/* A grandchild whose parent has gone; it outlives the check and no more. */
static void plant_orphan(void)
{
    pid_t child = fork();
    if (child == 0) {
        if (fork() == 0) {
            (void)alarm(1);
            for (;;)
                (void)pause();
        }
        _exit(0);
    }
    if (child < 0 || waitpid(child, NULL, 0) != child)
        _exit(9);
}

static void plant_file(void)
{
    char path[4200];
    (void)snprintf(path, sizeof path, "%s/bell", getenv("XDG_RUNTIME_DIR"));
    int file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (file < 0 || close(file) != 0)
        _exit(9);
}

static void plant_segment(void)
{
    (void)snprintf(segment, sizeof segment, "/dev/shm/yoke-leak-test-%d", (int)getpid());
    int file = open(segment, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (file < 0 || close(file) != 0)
        _exit(9);
}

static void test_nothing_planted_nothing_found(void **state)
{
    (void)state;
    assert_int_equal(found_by_check(NULL), 0);
}

static void test_descriptor_is_found(void **state)
{
    (void)state;
    assert_int_equal(found_by_check(plant_descriptor), 1);
}

static void test_unreaped_child_is_found(void **state)
{
    (void)state;
    assert_int_equal(found_by_check(plant_unreaped_child), 1);
}

static void test_orphan_is_found(void **state)
{
    (void)state;
    assert_int_equal(found_by_check(plant_orphan), 1);
}

static void test_file_is_found(void **state)
{
    (void)state;
    assert_int_equal(found_by_check(plant_file), 1);
}

static void test_segment_is_found(void **state)
{
    (void)state;
    assert_int_equal(found_by_check(plant_segment), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_planted_nothing_found),
        cmocka_unit_test(test_descriptor_is_found),
        cmocka_unit_test(test_unreaped_child_is_found),
        cmocka_unit_test(test_orphan_is_found),
        cmocka_unit_test(test_file_is_found),
        cmocka_unit_test(test_segment_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
