/* The backend's word on who lives. */
#include "core/backend.h"
#include "fault/fault.h"
#include "support/child.h"
#include "support/leak.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000000)

static const yoke_life_ops *life(void)
{
    return yoke__backend()->life;
}

static int wait_for_a_signal(void *user)
{
    (void)user;
    (void)prctl(PR_SET_NAME, ") 0 0 (", 0, 0, 0); /* the name stands in front of the start time, unquoted */
    while (pause() != 0)
        ;
    return 0;
}

static yoke_identity started(pid_t *child)
{
    yoke_identity who;

    *child = child_start(wait_for_a_signal, NULL);
    assert_true(sleeps(*child));
    assert_int_equal(life()->identify(&who, *child), YOKE_OK);
    return who;
}

static void a_process_knows_itself(void **state)
{
    (void)state;
    yoke_identity self, same;

    assert_int_equal(life()->self(&self), YOKE_OK);
    assert_int_equal(life()->identify(&same, getpid()), YOKE_OK);
    assert_int_equal(self.pid, getpid());
    assert_true(self.start == same.start && self.start != 0);
    assert_true(self.space == same.space && self.space != 0);
}

static void a_child_has_a_start_time_of_its_own_but_the_same_space(void **state)
{
    (void)state;
    pid_t         child;
    yoke_identity self, who = started(&child);

    assert_int_equal(life()->self(&self), YOKE_OK);
    assert_true(who.space == self.space);
    assert_true(who.start >= self.start);
    child_kill(child);
    assert_int_equal(life()->identify(&who, child), YOKE_ENOENT);
    assert_int_equal(life()->identify(&who, 0), YOKE_EINVAL);
    assert_int_equal(life()->identify(&who, -1), YOKE_EINVAL);
}

static void a_watch_becomes_readable_by_death_and_stays_so(void **state)
{
    (void)state;
    pid_t         child;
    yoke_identity who = started(&child);
    yoke_native   watch, another = YOKE_NO_NATIVE;

    assert_int_equal(life()->watch(&watch, &who), YOKE_OK);
    assert_int_equal(life()->is_alive(watch), 1);
    assert_int_equal(life()->wait(watch, 0), YOKE_ETIMEDOUT);
    assert_int_equal(life()->wait(watch, 1000), YOKE_ETIMEDOUT);
    child_kill_unreaped(child);
    assert_int_equal(life()->wait(watch, 10 * SECOND), YOKE_OK);
    assert_int_equal(life()->is_alive(watch), 0);
    struct pollfd look = {.fd = (int)watch, .events = POLLIN};
    assert_int_equal(poll(&look, 1, 0), 1);
    assert_int_equal(life()->watch(&another, &who), YOKE_ENOENT); /* a zombie is dead */
    assert_int_equal(child_join(child), 1000 + SIGKILL);
    assert_int_equal(life()->is_alive(watch), 0);
    assert_int_equal(life()->watch(&another, &who), YOKE_ENOENT);
    assert_int_equal(another, YOKE_NO_NATIVE);
    life()->close(watch);
}

static void another_start_time_is_another_process(void **state)
{
    (void)state;
    pid_t         child;
    yoke_identity who = started(&child);
    yoke_native   watch = YOKE_NO_NATIVE;

    who.start--;
    assert_int_equal(life()->watch(&watch, &who), YOKE_ENOENT);
    who.start++;
    who.space++;
    assert_int_equal(life()->watch(&watch, &who), YOKE_ENOTSUP); /* nobody can tell */
    child_kill(child);
    assert_int_equal(life()->watch(&watch, &who), YOKE_ENOTSUP);
    assert_int_equal(watch, YOKE_NO_NATIVE);
}

static void *just_wait(void *user)
{
    (void)user;
    while (pause() != 0)
        ;
    return NULL;
}

/* The number of a thread is no process, though kill() takes it for one. */
static void a_thread_is_not_a_process(void **state)
{
    (void)state;
    pthread_t     thread;
    yoke_identity who;
    yoke_native   watch = YOKE_NO_NATIVE;

    assert_int_equal(life()->self(&who), YOKE_OK);
    assert_int_equal(pthread_create(&thread, NULL, just_wait, NULL), 0);
    int found = 0;
    for (pid_t pid = getpid() + 1; pid < getpid() + 1000 && !found; pid++) {
        char path[64];
        (void)snprintf(path, sizeof path, "/proc/self/task/%d", pid);
        if (access(path, F_OK) == 0) {
            found = 1;
            who.pid = pid;
            assert_int_equal(life()->watch(&watch, &who), YOKE_ENOENT);
        }
    }
    (void)pthread_cancel(thread);
    (void)pthread_join(thread, NULL);
}

static void note_signal(int number)
{
    (void)number;
}

static void signals_dont_shorten_the_wait(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = note_signal}, before;
    pid_t            child;
    yoke_identity    who = started(&child);
    yoke_native      watch;

    (void)sigaction(SIGALRM, &action, &before);
    assert_int_equal(life()->watch(&watch, &who), YOKE_OK);
    long long begin = milliseconds();
    (void)ualarm(20000, 20000);
    assert_int_equal(life()->wait(watch, SECOND / 5), YOKE_ETIMEDOUT);
    (void)ualarm(0, 0);
    assert_true(milliseconds() - begin >= 199);
    (void)sigaction(SIGALRM, &before, NULL);
    life()->close(watch);
    child_kill(child);
}

/* Whatever the system refuses: an error or the truth, never a death that is none, and no descriptor lost. */
static void failing_calls_never_make_anybody_dead(void **state)
{
    (void)state;
    static const int errors[] = {EMFILE, EPERM, ENOSYS, EIO, EINTR};
    pid_t            child;
    yoke_identity    who = started(&child);
    int              before = leak_descriptors();

    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        for (fault_sweep sweep = fault_sweep_start(errors[i]); fault_sweep_next(&sweep);) {
            yoke_native watch = YOKE_NO_NATIVE;
            int         code = life()->watch(&watch, &who);
            assert_true(code == YOKE_OK || (code < 0 && code != YOKE_ENOENT));
            if (code == YOKE_OK) {
                assert_int_equal(life()->is_alive(watch), 1);
                life()->close(watch);
            }
        }
        fault_off();
        assert_int_equal(leak_descriptors(), before);
        for (fault_sweep sweep = fault_sweep_start(errors[i]); fault_sweep_next(&sweep);) {
            yoke_identity same;
            int           code = life()->identify(&same, child);
            assert_true(code == YOKE_OK ? same.start == who.start : code != YOKE_ENOENT);
        }
        fault_off();
        assert_int_equal(leak_descriptors(), before);
    }
    child_kill(child);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_knows_itself),
        cmocka_unit_test(a_child_has_a_start_time_of_its_own_but_the_same_space),
        cmocka_unit_test(a_watch_becomes_readable_by_death_and_stays_so),
        cmocka_unit_test(another_start_time_is_another_process),
        cmocka_unit_test(a_thread_is_not_a_process),
        cmocka_unit_test(signals_dont_shorten_the_wait),
        cmocka_unit_test(failing_calls_never_make_anybody_dead),
    };
    return cmocka_run_group_tests(tests, leak_setup, leak_teardown);
}
