/* Semaphores in permit mode: who holds what, what returns from the dead, and the errors. Forked children are the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/domain/allocator.h"
#include "core/domain/participant.h"
#include "core/sync/semaphore.h"
#include "support/child.h"
#include "support/shared.h"

#include <yoke/yoke.h>

#define MINUTE 60000

static yoke_semaphore *new_permits(int64_t count, yoke_on_death on_death)
{
    yoke_semaphore *semaphore;

    assert_int_equal(yoke_semaphore_create(&semaphore, count,
                                           YOKE_OPTIONS(yoke_semaphore_options, .permits = true, .on_death = on_death)),
                     YOKE_OK);
    return semaphore;
}

static bool error_says(const char *text)
{
    return strstr(yoke_last_error()->text, text) != NULL;
}

static void acquire(yoke_semaphore *semaphore, int count)
{
    for (int i = 0; i < count; i++)
        assert_int_equal(yoke_semaphore_acquire(semaphore, YOKE_NOWAIT), YOKE_OK);
}

/* ---- who holds what ---------------------------------------------------------------------------------------------------- */

static void test_there_are_as_many_permits_as_were_asked_for(void **state)
{
    yoke_semaphore *semaphore = new_permits(3, YOKE_REPORT_DEATH);
    (void)state;

    acquire(semaphore, 3);
    assert_int_equal(yoke_semaphore_value(semaphore), 0);
    assert_int_equal(yoke_semaphore_acquire(semaphore, YOKE_NOWAIT), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_semaphore_acquire(semaphore, 20), YOKE_ETIMEDOUT);
    assert_int_equal(yoke_semaphore_release(semaphore), YOKE_OK);
    assert_int_equal(yoke_semaphore_value(semaphore), 1);
    assert_int_equal(yoke_semaphore_release_many(semaphore, 2), YOKE_OK);
    assert_int_equal(yoke_semaphore_value(semaphore), 3);
    yoke_semaphore_close(semaphore);
}

static void test_releasing_more_than_is_held_is_an_error_and_nothing_happens(void **state)
{
    yoke_semaphore *semaphore = new_permits(3, YOKE_REPORT_DEATH);
    (void)state;

    assert_int_equal(yoke_semaphore_release(semaphore), YOKE_ENOTOWNER);
    acquire(semaphore, 2);
    assert_int_equal(yoke_semaphore_release_many(semaphore, 3), YOKE_ENOTOWNER);
    assert_true(error_says("holds fewer"));
    assert_int_equal(yoke_semaphore_release_many(semaphore, 4), YOKE_ENOTOWNER);
    assert_int_equal(yoke_semaphore_release_many(semaphore, INT64_MAX), YOKE_ENOTOWNER);
    assert_int_equal(yoke_semaphore_value(semaphore), 1);
    assert_int_equal(yoke_semaphore_release_many(semaphore, 2), YOKE_OK);
    yoke_semaphore_close(semaphore);
}

static int release_what_the_parent_holds(void *user)
{
    return yoke_semaphore_release(user) == YOKE_ENOTOWNER && yoke_semaphore_value(user) == 0 ? 0 : 1;
}

static void test_another_process_can_not_release_them(void **state)
{
    yoke_semaphore *semaphore = new_permits(1, YOKE_REPORT_DEATH);
    (void)state;

    acquire(semaphore, 1);
    assert_int_equal(child_join(child_start(release_what_the_parent_holds, semaphore)), 0);
    assert_int_equal(yoke_semaphore_release(semaphore), YOKE_OK);
    yoke_semaphore_close(semaphore);
}

static int hold_one_until_killed(void *user)
{
    if (yoke_semaphore_acquire(user, MINUTE) < 0)
        return 1;
    for (;;)
        (void)pause();
}

static int hold_two_until_killed(void *user)
{
    if (yoke_semaphore_acquire(user, MINUTE) < 0 || yoke_semaphore_acquire(user, MINUTE) < 0)
        return 1;
    for (;;)
        (void)pause();
}

static void test_a_time_out_names_the_holders(void **state)
{
    yoke_semaphore *semaphore = new_permits(3, YOKE_REPORT_DEATH);
    char            theirs[64];
    (void)state;

    pid_t child = child_start(hold_two_until_killed, semaphore);
    while (yoke_semaphore_value(semaphore) != 1)
        (void)sched_yield();
    acquire(semaphore, 1);
    assert_int_equal(yoke_semaphore_acquire(semaphore, 20), YOKE_ETIMEDOUT);
    (void)snprintf(theirs, sizeof theirs, "(pid %ld)", (long)child);
    assert_true(error_says("2 by") && error_says(theirs) && error_says("of 3"));
    assert_true(yoke_last_error()->pid == child || yoke_last_error()->pid == getpid());
    child_kill(child);
    assert_int_equal(yoke_semaphore_release(semaphore), YOKE_OK);
    yoke_semaphore_close(semaphore);
}

/* ---- deaths -------------------------------------------------------------------------------------------------------------- */

static int acquire_two_and_die(void *user)
{
    if (yoke_semaphore_acquire(user, YOKE_NOWAIT) < 0 || yoke_semaphore_acquire(user, YOKE_NOWAIT) < 0)
        return 1;
    (void)raise(SIGKILL);
    return 1;
}

static void let_a_child_die_with_two(yoke_semaphore *semaphore)
{
    assert_int_equal(child_join(child_start(acquire_two_and_die, semaphore)), 1000 + SIGKILL);
}

/* Without anybody having recovered anything. */
static void test_permits_of_the_dead_return_and_who_gets_them_is_told_once(void **state)
{
    yoke_semaphore *semaphore = new_permits(2, YOKE_REPORT_DEATH);
    (void)state;

    let_a_child_die_with_two(semaphore);
    assert_int_equal(yoke_semaphore_value(semaphore), 2);
    assert_int_equal(yoke_semaphore_acquire(semaphore, YOKE_NOWAIT), YOKE_OWNER_DIED);
    assert_int_equal(yoke_semaphore_acquire(semaphore, YOKE_FOREVER), YOKE_OWNER_DIED);
    assert_int_equal(yoke_semaphore_release_many(semaphore, 2), YOKE_OK);
    acquire(semaphore, 2);
    assert_int_equal(yoke_semaphore_release_many(semaphore, 2), YOKE_OK);
    yoke_semaphore_close(semaphore);
}

static void test_the_news_survives_recovery_and_another_death(void **state)
{
    yoke_semaphore *semaphore = new_permits(2, YOKE_REPORT_DEATH);
    (void)state;

    (void)yoke__domain_recover(shared_domain()); /* from the deaths of other tests */
    let_a_child_die_with_two(semaphore);
    assert_int_equal(yoke__domain_recover(shared_domain()), 1);
    let_a_child_die_with_two(semaphore); /* which was told, and is dead */
    assert_int_equal(yoke__domain_recover(shared_domain()), 1);
    assert_int_equal(yoke_semaphore_acquire(semaphore, YOKE_NOWAIT), YOKE_OWNER_DIED);
    assert_int_equal(yoke_semaphore_acquire(semaphore, YOKE_NOWAIT), YOKE_OWNER_DIED);
    assert_int_equal(yoke_semaphore_release_many(semaphore, 2), YOKE_OK);
    acquire(semaphore, 2);
    yoke_semaphore_close(semaphore);
}

static void test_deaths_are_not_told_if_they_are_to_be_ignored(void **state)
{
    yoke_semaphore *semaphore = new_permits(2, YOKE_IGNORE_DEATH);
    (void)state;

    (void)yoke__domain_recover(shared_domain());
    let_a_child_die_with_two(semaphore);
    acquire(semaphore, 1);
    assert_int_equal(yoke__domain_recover(shared_domain()), 1);
    acquire(semaphore, 1);
    yoke_semaphore_close(semaphore);
}

static void *acquire_in_thread(void *user)
{
    return yoke_semaphore_acquire(user, MINUTE) == YOKE_OWNER_DIED ? NULL : user;
}

static void test_sleepers_get_what_a_killed_holder_had(void **state)
{
    yoke_semaphore *semaphore = new_permits(2, YOKE_REPORT_DEATH);
    pthread_t       threads[2];
    void           *failed;
    (void)state;

    pid_t child = child_start(hold_two_until_killed, semaphore);
    while (yoke_semaphore_value(semaphore) != 0)
        (void)sched_yield();
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, acquire_in_thread, semaphore), 0);
    while (yoke__a32_load_acquire(&semaphore->handle.users) < 2)
        (void)sched_yield();
    child_kill(child);
    long long start = milliseconds();
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_true(milliseconds() - start < 10000);
    assert_int_equal(yoke_semaphore_release_many(semaphore, 2), YOKE_OK);
    yoke_semaphore_close(semaphore);
}

static pid_t whose_death(yoke_semaphore *semaphore)
{
    yoke_death death = {.struct_size = sizeof death};
    int        code = yoke_semaphore_death(semaphore, &death);

    return code == YOKE_OK ? (pid_t)death.pid : code;
}

static pid_t die_with(yoke_semaphore *semaphore, int (*how)(void *))
{
    pid_t child = child_start(how, semaphore);

    assert_int_equal(child_join(child), 1000 + SIGKILL);
    return child;
}

static int acquire_one_and_die(void *user)
{
    if (yoke_semaphore_acquire(user, YOKE_NOWAIT) < 0)
        return 1;
    (void)raise(SIGKILL);
    return 1;
}

static void test_who_died_holding_a_permit_is_told_until_it_is_released(void **state)
{
    yoke_semaphore *semaphore = new_permits(2, YOKE_REPORT_DEATH);
    yoke_death      death = {.struct_size = sizeof death};
    (void)state;

    assert_int_equal(whose_death(semaphore), YOKE_ENOENT);
    for (int recovered = 0; recovered < 2; recovered++) {
        pid_t child = die_with(semaphore, acquire_one_and_die);
        if (recovered)
            assert_int_equal(yoke__domain_recover(shared_domain()), 1);
        assert_int_equal(whose_death(semaphore), YOKE_ENOENT); /* nobody has the permit yet */
        int first = yoke_semaphore_acquire(semaphore, YOKE_NOWAIT);
        int second = yoke_semaphore_acquire(semaphore, YOKE_NOWAIT);
        assert_int_equal(first + second, YOKE_OWNER_DIED);
        assert_int_equal(whose_death(semaphore), child);
        assert_int_equal(yoke__domain_recover(shared_domain()), recovered ? 0 : 1);
        assert_int_equal(whose_death(semaphore), child);
        yoke__obituary_note(shared_domain(), child, 2, SIGKILL);
        assert_int_equal(yoke_semaphore_death(semaphore, &death), YOKE_OK);
        assert_true(death.exit_known && death.exit_signal == SIGKILL && death.name[0]);
        assert_int_equal(yoke_semaphore_release(semaphore), YOKE_OK); /* the other one */
        assert_int_equal(whose_death(semaphore), child);
        assert_int_equal(yoke_semaphore_release(semaphore), YOKE_OK);
        assert_int_equal(whose_death(semaphore), YOKE_ENOENT);
    }
    yoke_semaphore_close(semaphore);
}

/* Each has a name of its own, and the domain has long forgotten them. */
static void test_each_permit_tells_of_its_own_dead_however_many_die_meanwhile(void **state)
{
    enum { COUNT = 5 };
    yoke_semaphore *semaphore = new_permits(COUNT, YOKE_REPORT_DEATH), *other = new_permits(1, YOKE_REPORT_DEATH);
    pid_t           children[COUNT], holders[COUNT];
    (void)state;

    (void)yoke__domain_recover(shared_domain());
    for (int i = 0; i < COUNT; i++) /* all at once, so that each has a permit of its own */
        children[i] = child_start(hold_one_until_killed, semaphore);
    while (yoke_semaphore_value(semaphore) != 0)
        (void)sched_yield();
    for (int i = 0; i < COUNT; i++)
        child_kill(children[i]);
    assert_int_equal(yoke__domain_recover(shared_domain()), COUNT);
    for (uint32_t i = 0; i < YOKE__DEATHS; i++) {
        (void)die_with(other, acquire_one_and_die);
        assert_int_equal(yoke__domain_recover(shared_domain()), 1);
    }
    assert_true(yoke__alloc_check(shared_domain(), NULL) >= 0); /* no note lies beyond the notes */
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(yoke_semaphore_acquire(semaphore, YOKE_NOWAIT), YOKE_OWNER_DIED);
        holders[i] = whose_death(semaphore);
        assert_true(holders[i] > 0);
        for (int k = 0; k < i; k++)
            assert_int_not_equal(holders[k], holders[i]);
        bool is_one = false;
        for (int k = 0; k < COUNT; k++)
            is_one = is_one || children[k] == holders[i];
        assert_true(is_one);
    }
    assert_int_equal(yoke_semaphore_release_many(semaphore, COUNT), YOKE_OK);
    yoke_semaphore_close(semaphore);
    yoke_semaphore_close(other);
}

static void test_a_death_is_asked_for_where_none_can_be_known(void **state)
{
    yoke_semaphore *semaphore, *ignoring = new_permits(1, YOKE_IGNORE_DEATH);
    yoke_death      unsized = {0};
    (void)state;

    assert_int_equal(yoke_semaphore_create(&semaphore, 1, NULL), YOKE_OK);
    assert_int_equal(whose_death(semaphore), YOKE_EINVAL);
    (void)die_with(ignoring, acquire_one_and_die);
    acquire(ignoring, 1);
    assert_int_equal(whose_death(ignoring), YOKE_ENOENT);
    assert_int_equal(yoke_semaphore_death(ignoring, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_semaphore_death(ignoring, &unsized), YOKE_EINVAL);
    assert_int_equal(whose_death(NULL), YOKE_EINVAL);
    yoke_semaphore_close(ignoring);
    yoke_semaphore_close(semaphore);
}

/* ---- threads --------------------------------------------------------------------------------------------------------------- */

static void *pass_through(void *user)
{
    for (int i = 0; i < 3000; i++) {
        if (yoke_semaphore_acquire(user, MINUTE) != YOKE_OK)
            return user;
        (void)sched_yield();
        if (yoke_semaphore_release(user) != YOKE_OK)
            return user;
    }
    return NULL;
}

static void test_threads_of_one_process_may_release_each_others(void **state)
{
    yoke_semaphore *semaphore = new_permits(2, YOKE_REPORT_DEATH);
    pthread_t       threads[5];
    void           *failed;
    (void)state;

    for (int i = 0; i < 5; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, pass_through, semaphore), 0);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_int_equal(yoke_semaphore_value(semaphore), 2);
    yoke_semaphore_close(semaphore);
}

/* ---- mistakes ---------------------------------------------------------------------------------------------------------------- */

static int create(yoke_semaphore **out, int64_t count, int64_t max, const char *name)
{
    return yoke_semaphore_create(
        out, count,
        YOKE_OPTIONS(yoke_semaphore_options, .permits = true, .max = max, .name = name, .mode = YOKE_OPEN_OR_CREATE));
}

static void test_bad_figures_are_refused(void **state)
{
    yoke_semaphore *none = NULL;
    (void)state;

    assert_int_equal(create(&none, 0, 0, NULL), YOKE_EINVAL);
    assert_int_equal(create(&none, -1, 0, NULL), YOKE_EINVAL);
    assert_int_equal(create(&none, YOKE_SEMAPHORE_PERMITS_MAX + 1, 0, NULL), YOKE_EINVAL);
    assert_int_equal(create(&none, 3, 4, NULL), YOKE_EINVAL);
    assert_true(error_says("max in permit mode is 4"));
    assert_int_equal(yoke_semaphore_create(
                         &none, 1, YOKE_OPTIONS(yoke_semaphore_options, .permits = true, .on_death = (yoke_on_death)9)),
                     YOKE_EINVAL);
    assert_null(none);
}

static void test_another_number_of_permits_than_that_of_the_name_is_refused(void **state)
{
    yoke_semaphore *semaphore, *same, *none = NULL;
    (void)state;

    assert_int_equal(create(&semaphore, 3, 3, "seats"), YOKE_OK);
    assert_int_equal(create(&same, 3, 0, "seats"), YOKE_OK);
    assert_int_equal(create(&none, 4, 0, "seats"), YOKE_EINVAL);
    assert_true(error_says("seats") && error_says("3, not with 4"));
    assert_int_equal(yoke_semaphore_create(&none, 3,
                                           YOKE_OPTIONS(yoke_semaphore_options, .name = "seats", .permits = true,
                                                        .on_death = YOKE_IGNORE_DEATH, .mode = YOKE_OPEN)),
                     YOKE_EINVAL);
    assert_true(error_says("on_death"));
    assert_null(none);
    yoke_semaphore_close(same);
    yoke_semaphore_close(semaphore);
}

static void test_as_many_permits_as_there_can_be(void **state)
{
    yoke_semaphore *semaphore = new_permits(YOKE_SEMAPHORE_PERMITS_MAX, YOKE_REPORT_DEATH);
    (void)state;

    acquire(semaphore, 1000);
    assert_int_equal(yoke_semaphore_value(semaphore), YOKE_SEMAPHORE_PERMITS_MAX - 1000);
    assert_int_equal(yoke_semaphore_release_many(semaphore, 1000), YOKE_OK);
    yoke_semaphore_close(semaphore);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_are_as_many_permits_as_were_asked_for),
        cmocka_unit_test(test_releasing_more_than_is_held_is_an_error_and_nothing_happens),
        cmocka_unit_test(test_another_process_can_not_release_them),
        cmocka_unit_test(test_a_time_out_names_the_holders),
        cmocka_unit_test(test_permits_of_the_dead_return_and_who_gets_them_is_told_once),
        cmocka_unit_test(test_the_news_survives_recovery_and_another_death),
        cmocka_unit_test(test_deaths_are_not_told_if_they_are_to_be_ignored),
        cmocka_unit_test(test_sleepers_get_what_a_killed_holder_had),
        cmocka_unit_test(test_threads_of_one_process_may_release_each_others),
        cmocka_unit_test(test_who_died_holding_a_permit_is_told_until_it_is_released),
        cmocka_unit_test(test_each_permit_tells_of_its_own_dead_however_many_die_meanwhile),
        cmocka_unit_test(test_a_death_is_asked_for_where_none_can_be_known),
        cmocka_unit_test(test_bad_figures_are_refused),
        cmocka_unit_test(test_another_number_of_permits_than_that_of_the_name_is_refused),
        cmocka_unit_test(test_as_many_permits_as_there_can_be),
    };
    return cmocka_run_group_tests_name("permits", tests, shared_setup, shared_teardown);
}
