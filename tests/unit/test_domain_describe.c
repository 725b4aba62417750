/* A domain as text, and bad calls of all that look into one. */
#include "core/domain/inspect.h"
#include "support/domains.h"
#include "support/leak.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <yoke/yoke.h>

#include <cmocka.h>

static yoke_domain *domain;

static int set_up(void **state)
{
    domains_new_name(state);
    return yoke_domain_open(&domain, domains_name, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    yoke_domain_close(domain);
    return domains_exists(domains_name) ? -1 : 0;
}

static void test_the_text_tells_it_all_and_is_cut_to_what_fits(void **state)
{
    yoke_lock *lock;
    char       whole[2048], cut[64];
    size_t     needed = 0;
    (void)state;
    assert_int_equal(yoke_lock_create(&lock, YOKE_OPTIONS(yoke_lock_options, .domain = domain, .name = "door")),
                     YOKE_OK);
    assert_int_equal(yoke_domain_describe(domain, whole, sizeof whole, &needed), YOKE_OK);
    assert_int_equal(needed, strlen(whole) + 1);
    assert_true(strncmp(whole, "domain 'test-domain-", 20) == 0);
    assert_non_null(strstr(whole, "permissions 0600, made 20"));
    assert_non_null(strstr(whole, "\nparticipants: 1 alive"));
    assert_non_null(strstr(whole, "alive (this process), joined 20"));
    assert_non_null(strstr(whole, "\nobjects:\n  lock 'door': free; 1 handle\n"));
    assert_int_equal(yoke_domain_describe(domain, cut, sizeof cut, &needed), YOKE_EMSGSIZE);
    assert_int_equal(needed, strlen(whole) + 1);
    assert_int_equal(strlen(cut), sizeof cut - 1);
    assert_memory_equal(cut, whole, sizeof cut - 1);
    assert_int_equal(yoke_domain_describe(domain, NULL, 0, &needed), YOKE_EMSGSIZE);
    assert_int_equal(needed, strlen(whole) + 1);
    yoke_lock_close(lock);
}

static bool tells(const char *line)
{
    char text[4096];

    assert_int_equal(yoke_domain_describe(domain, text, sizeof text, NULL), YOKE_OK);
    return strstr(text, line) != NULL;
}

static void test_locks_tell_how_they_stand(void **state)
{
    yoke_rlock     *rlock;
    yoke_rwlock    *rwlock;
    yoke_condition *condition;
    (void)state;
    assert_int_equal(yoke_rlock_create(&rlock, YOKE_OPTIONS(yoke_rlock_options, .domain = domain, .name = "a")),
                     YOKE_OK);
    assert_int_equal(yoke_rwlock_create(&rwlock, YOKE_OPTIONS(yoke_rwlock_options, .domain = domain, .name = "b")),
                     YOKE_OK);
    assert_int_equal(
        yoke_condition_create(&condition, YOKE_OPTIONS(yoke_condition_options, .domain = domain, .name = "c")),
        YOKE_OK);
    assert_true(tells("rlock 'a': free"));
    assert_true(tells("rwlock 'b': 0 readers, for writing free"));
    assert_true(tells("condition 'c': 0 waiting, its lock free"));
    assert_int_equal(yoke_rlock_acquire(rlock, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_rwlock_acquire_shared(rwlock, YOKE_NOWAIT), YOKE_OK);
    assert_true(tells("rlock 'a': held by "));
    assert_true(tells("rwlock 'b': 1 reader, for writing free"));
    assert_int_equal(yoke_rwlock_release_shared(rwlock), YOKE_OK);
    assert_int_equal(yoke_rlock_release(rlock), YOKE_OK);
    yoke_condition_close(condition);
    yoke_rwlock_close(rwlock);
    yoke_rlock_close(rlock);
}

static void test_what_is_counted_tells_how_it_stands(void **state)
{
    yoke_semaphore *semaphore, *permits;
    yoke_event     *event;
    yoke_barrier   *barrier;
    (void)state;
    assert_int_equal(
        yoke_semaphore_create(&semaphore, 3, YOKE_OPTIONS(yoke_semaphore_options, .domain = domain, .name = "d")),
        YOKE_OK);
    assert_int_equal(
        yoke_semaphore_create(&permits, 2,
                              YOKE_OPTIONS(yoke_semaphore_options, .domain = domain, .name = "e", .permits = true)),
        YOKE_OK);
    assert_int_equal(yoke_event_create(&event, YOKE_OPTIONS(yoke_event_options, .domain = domain, .name = "f")),
                     YOKE_OK);
    assert_int_equal(
        yoke_barrier_create(&barrier, 2, YOKE_OPTIONS(yoke_barrier_options, .domain = domain, .name = "g")), YOKE_OK);
    assert_int_equal(yoke_semaphore_acquire(permits, YOKE_NOWAIT), YOKE_OK);
    assert_true(tells("semaphore 'd': value 3"));
    assert_true(tells("semaphore 'e': 1 of 2 permits are free"));
    assert_true(tells("event 'f': not set"));
    assert_true(tells("barrier 'g': 0 of 2 parties have arrived"));
    assert_int_equal(yoke_event_set(event), YOKE_OK);
    assert_int_equal(yoke_barrier_abort(barrier), YOKE_OK);
    assert_true(tells("event 'f': set"));
    assert_true(tells("barrier 'g': broken, of 2 parties"));
    assert_int_equal(yoke_semaphore_release(permits), YOKE_OK);
    yoke_barrier_close(barrier);
    yoke_event_close(event);
    yoke_semaphore_close(permits);
    yoke_semaphore_close(semaphore);
}

static void test_texts_of_kinds_are_cut_and_never_overrun(void **state)
{
    char text[8] = "abc";
    (void)state;
    yoke__text_add(text, sizeof text, "%s", "defghijk");
    assert_string_equal(text, "abcdefg");
    yoke__text_add(text, sizeof text, "more");
    assert_string_equal(text, "abcdefg");
}

static void test_bad_calls_are_refused(void **state)
{
    yoke_domain_info                 info = {.struct_size = 0};
    static const yoke_domain_visitor other = {.struct_size = 3};
    char                             text[10];
    (void)state;
    assert_int_equal(yoke_domain_inspect(domain, NULL, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_domain_inspect(domain, &other, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_domain_inspect((yoke_domain *)(void *)&info, YOKE_OPTIONS(yoke_domain_visitor, 0), NULL),
                     YOKE_EINVAL);
    assert_int_equal(yoke_domain_info_get(domain, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_domain_info_get(domain, &info), YOKE_EINVAL);
    assert_int_equal(yoke_domain_describe(domain, NULL, 10, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_domain_describe((yoke_domain *)(void *)&info, text, sizeof text, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_domain_inspect(domain, YOKE_OPTIONS(yoke_domain_visitor, .object = NULL), NULL), YOKE_OK);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_the_text_tells_it_all_and_is_cut_to_what_fits),
        TEST(test_locks_tell_how_they_stand),
        TEST(test_what_is_counted_tells_how_it_stands),
        TEST(test_texts_of_kinds_are_cut_and_never_overrun),
        TEST(test_bad_calls_are_refused),
    };
    return cmocka_run_group_tests(tests, leak_setup, leak_teardown);
}
