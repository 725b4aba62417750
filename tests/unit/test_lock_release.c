/* What a release by a process that is not the holder leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <unistd.h>

#include "core/domain/participant.h"
#include "core/sync/lock.h"
#include "support/child.h"
#include "support/shared.h"

#include <yoke/yoke.h>

static yoke_lock *new_lock(yoke_on_death on_death)
{
    yoke_lock *lock;

    assert_int_equal(yoke_lock_create(&lock, YOKE_OPTIONS(yoke_lock_options, .on_death = on_death)), YOKE_OK);
    return lock;
}

static int acquire_and_die(void *user)
{
    CHILD_CHECK(yoke_lock_acquire(user, YOKE_FOREVER) >= 0);
    (void)kill(getpid(), SIGKILL);
    return 0;
}

static pid_t let_a_child_die_in(yoke_lock *lock)
{
    pid_t pid = child_start(acquire_and_die, lock);

    assert_int_equal(child_join(pid), 1000 + SIGKILL);
    return pid;
}

/* Whether recovery came before that or not. */
static void test_a_death_is_reported_after_another_process_has_released_for_it(void **state)
{
    yoke_lock *locks[] = {new_lock(YOKE_REPORT_DEATH), new_lock(YOKE_REPORT_DEATH), new_lock(YOKE_IGNORE_DEATH)};
    yoke_death death = {.struct_size = sizeof death};

    (void)state;
    for (int i = 0; i < 3; i++) {
        pid_t pid = let_a_child_die_in(locks[i]);
        if (i == 1)
            assert_true(yoke__domain_recover(shared_domain()) >= 1);
        assert_int_equal(yoke_lock_release(locks[i]), YOKE_OK);
        assert_false(yoke_lock_locked(locks[i]));
        assert_int_equal(yoke_lock_release(locks[i]), YOKE_EINVAL);
        assert_int_equal(yoke_lock_acquire(locks[i], YOKE_NOWAIT), i == 2 ? YOKE_OK : YOKE_OWNER_DIED);
        assert_int_equal(yoke_lock_death(locks[i], &death), i == 2 ? YOKE_ENOENT : YOKE_OK);
        assert_true(i == 2 || death.pid == pid);
        assert_int_equal(yoke_lock_release(locks[i]), YOKE_OK);
        yoke_lock_close(locks[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_death_is_reported_after_another_process_has_released_for_it),
    };
    return cmocka_run_group_tests_name("lock, released by others", tests, shared_setup, shared_teardown);
}
