/*
 * Every call into the system fails in turn while named domains are listed, reclaimed, opened by another user's name and
 * inspected: an error with a sentence or less to be seen, and nothing that lives is touched, nothing left open.
 */
#include "core/domain/participant.h"
#include "support/child.h"
#include "support/domains.h"
#include "support/leak.h"
#include "tests/fault/fault.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yoke/sync.h>

#include <cmocka.h>

static void assert_sentence(int64_t code)
{
    assert_int_equal(yoke_last_error()->code, code);
    assert_true(strlen(yoke_last_error()->text) > 10);
}

/* Runs the scenario with one more call failing each time. It tells whether it went well in spite of that. */
static void sweep(const char *what, bool (*scenario)(void), int error)
{
    int failures = 0, runs = 0;
    assert_true(scenario()); /* what is made once per process is made now */
    int descriptors = fault_descriptors();
    for (fault_sweep at = fault_sweep_start(error); fault_sweep_next(&at); runs++) {
        failures += !scenario();
        fault_off();
        assert_int_equal(fault_descriptors(), descriptors);
    }
    printf("%s: %d calls failed in turn, %d of them were the caller's to hear of\n", what, runs - 1, failures);
    assert_true(failures > 0);
}

/* ---- scenarios --------------------------------------------------------------------------------------------------- */

static bool look_for(void *user, const yoke_domain_info *info)
{
    if (strcmp(info->name, domains_name) == 0)
        ++*(int *)user;
    return true;
}

static bool list(void)
{
    int     found = 0;
    int64_t count = yoke_domain_list(look_for, &found);
    if (count < 0)
        assert_sentence(count);
    return found == 1;
}

static int create_and_die(void *user)
{
    yoke_domain *domain;
    (void)user;
    CHILD_CHECK(yoke_domain_open(&domain, domains_name, NULL) == YOKE_OK);
    _exit(0);
}

static int faults_taken; /* runs in which the reclaim failed */

/* A dead domain: removed now, or by the next who tries. */
static bool reclaim(void)
{
    int64_t count = yoke_domain_reclaim(domains_name);
    bool    well = count == 1;
    fault_off();
    if (count < 0)
        assert_sentence(count);
    faults_taken += !well;
    if (domains_exists(domains_name)) {
        assert_false(well);
        assert_int_equal(yoke_domain_reclaim(domains_name), 1);
    }
    assert_false(domains_exists(domains_name));
    return well;
}

static bool reclaim_the_living(void)
{
    int64_t count = yoke_domain_reclaim(domains_name);
    if (count < 0)
        assert_sentence(count);
    assert_true(count <= 0);
    return count == 0;
}

static bool see_object(void *user, const yoke_object_info *info)
{
    *(int *)user += info->state[0] != 0;
    return true;
}

static yoke_domain *inspected;
static bool         inspect(void)
{
    int n = 0;
    int rc = yoke_domain_inspect(inspected, YOKE_OPTIONS(yoke_domain_visitor, .object = see_object), &n);
    assert_int_equal(rc, YOKE_OK);
    assert_int_equal(n, 1); /* whatever the system refuses: who lives can't be told, then, and counts as alive */
    return yoke_domain_describe(inspected, NULL, 0, NULL) == YOKE_OK; /* which it never is, without room */
}

static bool open_foreign(void)
{
    yoke_domain *domain = NULL;
    char         name[80];
    snprintf(name, sizeof name, "nobody:%s", domains_name);
    int rc = yoke_domain_open(&domain, name, OPTIONS(.mode = YOKE_OPEN));
    assert_null(domain);
    assert_sentence(rc);
    return rc == YOKE_ENOENT;
}

/* ---- tests ------------------------------------------------------------------------------------------------------- */

static void test_listing_bears_every_failure(void **state)
{
    yoke_domain *domain;
    (void)state;
    assert_int_equal(yoke_domain_open(&domain, domains_name, NULL), YOKE_OK);
    sweep("list", list, EMFILE);
    sweep("list", list, EACCES);
    sweep("list", list, EIO);
    yoke_domain_close(domain);
}

static void test_reclaiming_the_dead_bears_every_failure(void **state)
{
    bool hit = true;
    (void)state;
    if (getenv("YOKE_VALGRIND"))
        skip(); /* which has no pidfd: nobody can be told dead */
    for (int at = 1; hit; at++) {
        assert_int_equal(child_join(child_start(create_and_die, NULL)), 0);
        fault_on(NULL, at, 0, at % 2 ? EMFILE : EIO);
        (void)reclaim();
        hit = fault_hit();
    }
    printf("reclaim: %d failures were the caller's to hear of\n", faults_taken);
    assert_true(faults_taken > 5);
}

static void test_reclaiming_the_living_never_takes_one(void **state)
{
    yoke_domain *domain;
    (void)state;
    assert_int_equal(yoke_domain_open(&domain, domains_name, NULL), YOKE_OK);
    sweep("reclaim of the living", reclaim_the_living, EMFILE);
    sweep("reclaim of the living", reclaim_the_living, EPERM);
    sweep("reclaim of the living", reclaim_the_living, ENOSYS);
    assert_true(domains_exists(domains_name));
    yoke_domain_close(domain);
    assert_false(domains_exists(domains_name));
}

static void test_a_look_into_a_domain_bears_every_failure(void **state)
{
    yoke_lock *lock;
    (void)state;
    assert_int_equal(yoke_domain_open(&inspected, domains_name, NULL), YOKE_OK);
    assert_int_equal(yoke_lock_create(&lock, YOKE_OPTIONS(yoke_lock_options, .domain = inspected)), YOKE_OK);
    for (fault_sweep at = fault_sweep_start(EMFILE); fault_sweep_next(&at);)
        (void)inspect();
    yoke_lock_close(lock);
    yoke_domain_close(inspected);
}

static void test_another_users_name_bears_every_failure(void **state)
{
    (void)state;
    sweep("another user's name", open_foreign, EMFILE);
    sweep("another user's name", open_foreign, EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_listing_bears_every_failure, domains_new_name),
        cmocka_unit_test_setup(test_reclaiming_the_dead_bears_every_failure, domains_new_name),
        cmocka_unit_test_setup(test_reclaiming_the_living_never_takes_one, domains_new_name),
        cmocka_unit_test_setup(test_a_look_into_a_domain_bears_every_failure, domains_new_name),
        cmocka_unit_test_setup(test_another_users_name_bears_every_failure, domains_new_name),
    };
    return cmocka_run_group_tests(tests, leak_setup, leak_teardown);
}
