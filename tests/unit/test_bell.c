/*
 * Doorbells of the backend, of both kinds: abstract sockets, and FIFOs in a runtime directory made for this test. A
 * process chooses its kind at its first bell, so each case runs in a child of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/posix/runtime.h"
#include "core/backend.h"
#include "support/child.h"
#include "support/leak.h"

static const yoke_wait_ops *waiting;
static yoke_bell_name       name;
static char                 runtime[] = "/tmp/yoke-test-bell-XXXXXX";

/* ---- cases ------------------------------------------------------------------------------------------------------- */

static int rings_are_heard(void *user)
{
    yoke_native bell;

    (void)user;
    CHILD_CHECK(waiting->bell_open(&bell, &name) == YOKE_OK);
    CHILD_CHECK(waiting->bell_wait(bell, 0) == YOKE_ETIMEDOUT);
    CHILD_CHECK(waiting->bell_ring(&name) == YOKE_OK);
    CHILD_CHECK(waiting->bell_wait(bell, INT64_C(10000000000)) == YOKE_OK);
    CHILD_CHECK(waiting->bell_wait(bell, 0) == YOKE_ETIMEDOUT);
    waiting->bell_close(bell, &name);
    return 0;
}

static int ring_once(void *user)
{
    (void)user;
    return waiting->bell_ring(&name) == YOKE_OK ? 0 : 1;
}

static int another_process_rings(void *user)
{
    yoke_native bell;

    (void)user;
    CHILD_CHECK(waiting->bell_open(&bell, &name) == YOKE_OK);
    pid_t ringer = child_start(ring_once, NULL);
    CHILD_CHECK(waiting->bell_wait(bell, INT64_C(10000000000)) == YOKE_OK);
    CHILD_CHECK(child_join(ringer) == 0);
    waiting->bell_close(bell, &name);
    return 0;
}

/* Far more than any buffer holds; ringing never blocks, and one wait takes them all. */
static int many_rings_merge(void *user)
{
    yoke_native bell;
    uint8_t     ready = 0;

    (void)user;
    CHILD_CHECK(waiting->bell_open(&bell, &name) == YOKE_OK);
    for (int i = 0; i < 100000; i++)
        CHILD_CHECK(waiting->bell_ring(&name) == YOKE_OK);
    while (waiting->bell_wait(bell, 0) == YOKE_OK)
        ;
    CHILD_CHECK(waiting->wait_natives(&bell, &ready, 1, 0) == YOKE_ETIMEDOUT && ready == 0);
    waiting->bell_close(bell, &name);
    return 0;
}

/* A bell whose owner does not take its rings must not keep the same process from ringing others. */
static int full_bells_do_not_silence_others(void *user)
{
    yoke_native    deaf[64], bell;
    yoke_bell_name names[64];

    (void)user;
    for (uint32_t i = 0; i < 64; i++) {
        names[i] = (yoke_bell_name){name.domain, 100 + i, 1};
        CHILD_CHECK(waiting->bell_open(&deaf[i], &names[i]) == YOKE_OK);
        for (int k = 0; k < 600; k++)
            CHILD_CHECK(waiting->bell_ring(&names[i]) == YOKE_OK);
    }
    CHILD_CHECK(waiting->bell_open(&bell, &name) == YOKE_OK);
    CHILD_CHECK(waiting->bell_ring(&name) == YOKE_OK);
    CHILD_CHECK(waiting->bell_wait(bell, 0) == YOKE_OK);
    for (uint32_t i = 0; i < 64; i++) {
        CHILD_CHECK(waiting->bell_wait(deaf[i], 0) == YOKE_OK);
        waiting->bell_close(deaf[i], &names[i]);
    }
    waiting->bell_close(bell, &name);
    return 0;
}

static int a_closed_bell_is_not_there(void *user)
{
    yoke_native bell;

    (void)user;
    CHILD_CHECK(waiting->bell_ring(&name) == YOKE_ENOENT);
    CHILD_CHECK(waiting->bell_open(&bell, &name) == YOKE_OK);
    waiting->bell_close(bell, &name);
    CHILD_CHECK(waiting->bell_ring(&name) == YOKE_ENOENT);
    return 0;
}

static int open_and_die(void *user)
{
    yoke_native bell;

    (void)user;
    CHILD_CHECK(waiting->bell_open(&bell, &name) == YOKE_OK);
    _exit(0);
}

static int the_bell_of_the_dead_is_not_there_and_can_be_removed(void *user)
{
    yoke_native bell;

    (void)user;
    CHILD_CHECK(child_join(child_start(open_and_die, NULL)) == 0);
    CHILD_CHECK(waiting->bell_ring(&name) == YOKE_ENOENT);
    waiting->bell_remove(&name);
    waiting->bell_remove(&name);
    CHILD_CHECK(waiting->bell_open(&bell, &name) == YOKE_OK);
    waiting->bell_close(bell, &name);
    return 0;
}

static int a_name_serves_one_bell_only(void *user)
{
    yoke_native bell, second = YOKE_NO_NATIVE;

    (void)user;
    CHILD_CHECK(waiting->bell_open(&bell, &name) == YOKE_OK);
    CHILD_CHECK(waiting->bell_open(&second, &name) == YOKE_EEXIST);
    CHILD_CHECK(second == YOKE_NO_NATIVE);
    waiting->bell_close(bell, &name);
    return 0;
}

static int drop_copy(void *user)
{
    waiting->bell_close(*(yoke_native *)user, NULL);
    return 0;
}

static int a_child_drops_its_copy_and_the_bell_goes_on(void *user)
{
    yoke_native bell;

    (void)user;
    CHILD_CHECK(waiting->bell_open(&bell, &name) == YOKE_OK);
    CHILD_CHECK(child_join(child_start(drop_copy, &bell)) == 0);
    CHILD_CHECK(waiting->bell_ring(&name) == YOKE_OK);
    CHILD_CHECK(waiting->bell_wait(bell, 0) == YOKE_OK);
    waiting->bell_close(bell, &name);
    return 0;
}

/* Programs that close every descriptor they don't know exist: the ringer opens anew. */
static int ringing_survives_closed_descriptors(void *user)
{
    yoke_native bell;

    (void)user;
    CHILD_CHECK(waiting->bell_open(&bell, &name) == YOKE_OK);
    CHILD_CHECK(waiting->bell_ring(&name) == YOKE_OK);
    for (int fd = 3; fd < 64; fd++)
        if (fd != (int)bell)
            (void)close(fd);
    for (int i = 0; i < 3; i++) {
        CHILD_CHECK(waiting->bell_ring(&name) == YOKE_OK);
        CHILD_CHECK(waiting->bell_wait(bell, 0) == YOKE_OK);
    }
    return 0;
}

static int waiting_on_many_tells_which(void *user)
{
    yoke_native    bells[40];
    yoke_bell_name names[40];
    uint8_t        ready[40];

    (void)user;
    for (uint32_t i = 0; i < 40; i++) {
        names[i] = (yoke_bell_name){name.domain, 200 + i, 1};
        CHILD_CHECK(waiting->bell_open(&bells[i], &names[i]) == YOKE_OK);
    }
    CHILD_CHECK(waiting->wait_natives(bells, ready, 40, 1000000) == YOKE_ETIMEDOUT);
    CHILD_CHECK(waiting->bell_ring(&names[7]) == YOKE_OK && waiting->bell_ring(&names[39]) == YOKE_OK);
    CHILD_CHECK(waiting->wait_natives(bells, ready, 40, INT64_C(10000000000)) == YOKE_OK);
    for (uint32_t i = 0; i < 40; i++)
        CHILD_CHECK(ready[i] == (i == 7 || i == 39));
    CHILD_CHECK(waiting->wait_natives(bells, ready, 7, 0) == YOKE_ETIMEDOUT);
    for (uint32_t i = 0; i < 40; i++)
        waiting->bell_close(bells[i], &names[i]);
    return 0;
}

/* ---- the runs ---------------------------------------------------------------------------------------------------- */

static int (*const cases[])(void *) = {
    rings_are_heard,
    another_process_rings,
    many_rings_merge,
    full_bells_do_not_silence_others,
    a_closed_bell_is_not_there,
    the_bell_of_the_dead_is_not_there_and_can_be_removed,
    a_name_serves_one_bell_only,
    a_child_drops_its_copy_and_the_bell_goes_on,
    ringing_survives_closed_descriptors,
    waiting_on_many_tells_which,
};

static void run_all(const char *kind)
{
    assert_int_equal(setenv("YOKE_BELL", kind, 1), 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        name.generation++;
        int result = child_join(child_start(cases[i], NULL));
        if (result != 0)
            fail_msg("case %zu with YOKE_BELL=%s: %d", i, kind, result);
    }
}

static void test_socket_bells(void **state)
{
    (void)state;
    run_all("socket");
}

static int entries(const char *path)
{
    DIR *directory = opendir(path);
    int  count = -2; /* . and .. */

    assert_non_null(directory);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

static void test_fifo_bells_leave_no_file(void **state)
{
    char path[64];

    (void)state;
    assert_int_equal(setenv("XDG_RUNTIME_DIR", runtime, 1), 0);
    run_all("fifo");
    (void)snprintf(path, sizeof path, "%s/yoke", runtime);
    /* ringing_survives_closed_descriptors ends without closing its bell, as who dies does */
    assert_int_equal(entries(path), 1);
}

static int avoids(void *user)
{
    char found[256] = "";

    return yoke__posix_runtime_directory(found, sizeof found) != YOKE_OK || strcmp(found, user) != 0 ? 0 : 1;
}

/* What others can write to, and a link to somewhere else, is not taken; only the other place is, or none. */
static void test_a_runtime_directory_that_is_not_the_users_alone_is_avoided(void **state)
{
    char path[64], target[64];

    (void)state;
    (void)snprintf(path, sizeof path, "%s/yoke", runtime);
    (void)snprintf(target, sizeof target, "%s/elsewhere", runtime);
    assert_int_equal(chmod(path, 0777), 0);
    int open_to_all = child_join(child_start(avoids, path));
    assert_int_equal(chmod(path, 0700), 0);
    assert_int_equal(child_join(child_start(avoids, path)), 1); /* so it is its mode that matters */
    assert_int_equal(rename(path, target), 0);
    assert_int_equal(symlink(target, path), 0);
    int a_link = child_join(child_start(avoids, path));
    assert_int_equal(open_to_all, 0);
    assert_int_equal(a_link, 0);
}

static int setup(void **state)
{
    waiting = yoke__backend()->waiting;
    name = (yoke_bell_name){UINT64_C(0xbe11) << 40 | (uint64_t)getpid(), 3, 0};
    if (!mkdtemp(runtime))
        return -1;
    return leak_setup(state);
}

static int teardown(void **state)
{
    char command[128];

    (void)snprintf(command, sizeof command, "rm -rf '%s'", runtime);
    int removed = system(command);
    return leak_teardown(state) | removed;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_socket_bells),
        cmocka_unit_test(test_fifo_bells_leave_no_file),
        cmocka_unit_test(test_a_runtime_directory_that_is_not_the_users_alone_is_avoided),
    };
    return cmocka_run_group_tests_name("bell", tests, setup, teardown);
}
