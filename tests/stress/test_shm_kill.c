/*
 * Processes make, open, close, unlink and reclaim segments of one name and are killed at random, round after round. One
 * that is used stays what it was, under its name; when all are dead and the survivor has closed, nothing is left.
 */
#include "crash/guard.h"
#include "support/child.h"
#include "support/leak.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <yoke/shm.h>

#define PROCESSES 6
#define SIZE      3000
#define TIME_MS   6000

static char name[64];
static bool may_unlink;

static bool exists(void)
{
    char        path[160];
    struct stat status;
    (void)snprintf(path, sizeof path, "/dev/shm/yoke-%lu-+%s", (unsigned long)geteuid(), name);
    return stat(path, &status) == 0;
}

/* Whoever makes it fills it under a mark that is set last; whoever finds the mark finds it filled. */
static void use(const yoke_shm *shm)
{
    unsigned char *data = yoke_shm_data(shm);
    if (__atomic_load_n(&data[SIZE - 1], __ATOMIC_ACQUIRE) == 7) {
        for (size_t i = 0; i < SIZE - 1; i++)
            CHILD_CHECK(data[i] == 'k');
        return;
    }
    memset(data, 'k', SIZE - 1);
    __atomic_store_n(&data[SIZE - 1], 7, __ATOMIC_RELEASE);
}

static int come_and_go(void *user)
{
    unsigned seed = (unsigned)getpid();
    (void)user;
    for (;;) {
        yoke_shm *shm;
        int       what = rand_r(&seed) % 8;
        int       code = yoke_shm_create(&shm, SIZE,
                                         YOKE_OPTIONS(yoke_shm_options, .name = name, .mode = YOKE_OPEN_OR_CREATE));
        CHILD_CHECK(code == YOKE_OK);
        use(shm);
        if (what == 0)
            CHILD_CHECK(yoke_shm_reclaim(name) <= 1);
        if (what == 1 && may_unlink)
            (void)yoke_shm_unlink(name);
        use(shm);
        yoke_shm_close(shm);
    }
    return 0;
}

/* With the survivor using it all the while, or nobody. Returns the kills. */
static int round_of(bool used, unsigned *seed)
{
    pid_t     children[PROCESSES];
    yoke_shm *shm = NULL, *again;
    int       kills = 0;

    may_unlink = !used;
    if (used) {
        assert_int_equal(yoke_shm_create(&shm, SIZE, YOKE_OPTIONS(yoke_shm_options, .name = name)), YOKE_OK);
        use(shm);
    }
    for (int i = 0; i < PROCESSES; i++)
        children[i] = child_start(come_and_go, NULL);
    for (int i = 0; i < PROCESSES; i++) {
        (void)usleep((useconds_t)(rand_r(seed) % 4000));          /* what is waited for is chance itself */
        assert_int_equal(waitpid(children[i], NULL, WNOHANG), 0); /* it found nothing wrong */
        child_kill(children[i]);
        kills++;
    }
    if (used) {
        assert_int_equal(yoke_shm_open(&again, name), YOKE_OK);
        use(again);
        ((unsigned char *)yoke_shm_data(again))[0] = 'k';
        yoke_shm_close(again);
        assert_true(exists());
        yoke_shm_close(shm);
    } else {
        int64_t removed = yoke_shm_reclaim(name);
        assert_true(removed >= 0 || removed == YOKE_ENOENT);
    }
    assert_false(exists());
    return kills;
}

static void users_killed_at_random_leave_nothing(void **state)
{
    long long until = milliseconds() + TIME_MS;
    unsigned  seed = (unsigned)getpid();
    int       kills = 0, rounds = 0;
    (void)state;
    if (getenv("YOKE_VALGRIND")) /* it has no pidfd_open: nobody could be known to be dead */
        skip();
    for (; milliseconds() < until; rounds++)
        kills += round_of(rounds % 2 == 0, &seed);
    printf("%d processes killed in %d rounds\n", kills, rounds);
    assert_true(rounds > 1);
}

int main(void)
{
    char file[sizeof name + 1];

    const struct CMUnitTest tests[] = {
        cmocka_unit_test(users_killed_at_random_leave_nothing),
    };
    (void)snprintf(name, sizeof name, "shm-stress-%ld", (long)getpid());
    (void)snprintf(file, sizeof file, "+%s", name);
    crash_guard(file);
    return cmocka_run_group_tests(tests, leak_setup, leak_teardown);
}
