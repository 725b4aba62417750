/* Domains: the default one, named ones and their lives. */
#include "core/backend.h"
#include "core/domain/allocator.h"
#include "core/domain/heap.h"
#include "core/domain/make.h"
#include "core/domain/participant.h"
#include "support/child.h"
#include "support/domains.h"
#include "support/leak.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- the default domain ------------------------------------------------------------------------------------------ */

static void *use_default(void *out)
{
    return yoke__domain_default(out) == YOKE_OK ? out : NULL;
}

static int first_use_by_threads(void *user)
{
    pthread_t    threads[8];
    yoke_domain *domains[8];
    void        *good;
    (void)user;
    CHILD_CHECK(yoke__domain_existing() == NULL);
    for (int i = 0; i < 8; i++) {
        CHILD_CHECK(pthread_create(&threads[i], NULL, use_default, &domains[i]) == 0);
    }
    for (int i = 0; i < 8; i++) {
        CHILD_CHECK(pthread_join(threads[i], &good) == 0 && good);
        CHILD_CHECK(domains[i] == domains[0]);
    }
    CHILD_CHECK(yoke__domain_existing() == domains[0]);
    return 0;
}

static void test_threads_that_use_it_first_get_one_default_domain(void **state)
{
    (void)state;
    assert_int_equal(child_join(child_start(first_use_by_threads, NULL)), 0);
}

static int be_in_the_parents_domain(void *user)
{
    yoke_domain *domain;
    uint64_t    *block = user;
    CHILD_CHECK(yoke__domain_default(&domain) == YOKE_OK);
    yoke__token token = yoke__domain_token(domain);
    CHILD_CHECK(token != 0 && token != (yoke__token)block[1]);
    block[0]++;
    yoke__domain_leave(domain);
    return 0;
}

static int fork_in_default(void *user)
{
    yoke_domain *domain;
    (void)user;
    CHILD_CHECK(yoke__domain_default(&domain) == YOKE_OK);
    uint64_t *block = yoke__alloc_zero(domain, 16, 0);
    block[1] = yoke__domain_token(domain);
    CHILD_CHECK(child_join(child_start(be_in_the_parents_domain, block)) == 0);
    CHILD_CHECK(block[0] == 1);
    return 0;
}

static void test_a_forked_child_is_another_participant_of_the_same_domain(void **state)
{
    (void)state;
    assert_int_equal(child_join(child_start(fork_in_default, NULL)), 0);
}

static int configure_first(void *user)
{
    yoke_domain *domain;
    (void)user;
    CHILD_CHECK(yoke_domain_configure(NULL) == YOKE_EINVAL);
    CHILD_CHECK(yoke_domain_configure(OPTIONS(.max_bytes = 4096)) == YOKE_EINVAL);
    CHILD_CHECK(yoke_domain_configure(OPTIONS(.reserve_bytes = UINT64_MAX)) == YOKE_EINVAL);
    CHILD_CHECK(yoke_domain_configure(OPTIONS(.max_bytes = 2 << 20, .reserve_bytes = 64 << 20)) == YOKE_OK);
    CHILD_CHECK(yoke__domain_default(&domain) == YOKE_OK);
    CHILD_CHECK(yoke__domain_header(domain)->budget == 2 << 20);
    CHILD_CHECK(yoke__domain_header(domain)->reserve == 64 << 20);
    CHILD_CHECK(!yoke__alloc(domain, 3 << 20, 0) && yoke_last_error()->code == YOKE_ENOMEM);
    CHILD_CHECK(yoke_domain_configure(OPTIONS(.max_bytes = 2 << 20)) == YOKE_EBUSY);
    yoke_domain_close(domain); /* not that one */
    CHILD_CHECK(yoke_last_error()->code == YOKE_EINVAL && yoke__domain_existing() == domain);
    return 0;
}

static void test_the_default_domain_is_configured_before_its_first_use(void **state)
{
    (void)state;
    assert_int_equal(child_join(child_start(configure_first, NULL)), 0);
}

static int use_with_environment(void *user)
{
    yoke_domain *domain;
    const char **setting = user;
    setenv(setting[0], setting[1], 1);
    int rc = yoke__domain_default(&domain);
    if (setting[2]) {
        CHILD_CHECK(rc == YOKE_EINVAL && strstr(yoke_last_error()->text, setting[2]));
        unsetenv(setting[0]);
        CHILD_CHECK(yoke__domain_default(&domain) == YOKE_OK);
    } else {
        CHILD_CHECK(rc == YOKE_OK);
    }
    return 0;
}

static void test_bad_environment_variables_are_errors_that_name_them(void **state)
{
    const char *settings[][3] = {
        {"YOKE_RESERVE", "67108864", NULL}, {"YOKE_RESERVE", "lots", "YOKE_RESERVE"},
        {"YOKE_RESERVE", "1", "reserve"},   {"YOKE_RESERVE", "99999999999999999999", "reserve"},
        {"YOKE_WAIT", "parking", NULL},     {"YOKE_WAIT", "busily", "YOKE_WAIT"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        assert_int_equal(child_join(child_start(use_with_environment, settings[i])), 0);
    }
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

static void test_bad_names_and_options_are_refused(void **state)
{
    yoke_domain *domain = (yoke_domain *)1;
    char         too_long[65];
    (void)state;
    memset(too_long, 'a', 64);
    too_long[64] = '\0';
    const char *bad[] = {NULL, "", "a/b", "a b", "\xc3\xa4", too_long};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(yoke_domain_open(&domain, bad[i], NULL), YOKE_EINVAL);
    }
    assert_int_equal(yoke_domain_open(NULL, domains_name, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_domain_open(&domain, domains_name, OPTIONS(.mode = (yoke_open_mode)7)), YOKE_EINVAL);
    assert_int_equal(yoke_domain_open(&domain, domains_name, OPTIONS(.max_bytes = 1000)), YOKE_EINVAL);
    assert_int_equal(yoke_domain_open(&domain, domains_name, OPTIONS(.reserve_bytes = 1000)), YOKE_EINVAL);
    assert_int_equal(yoke_domain_open(&domain, domains_name, &(yoke_domain_options){0}), YOKE_EINVAL);
    assert_ptr_equal(domain, (yoke_domain *)1);
    assert_false(domains_exists(domains_name));
}

static void test_modes_do_what_they_say(void **state)
{
    yoke_domain *domain;
    yoke_domain *same;
    (void)state;
    assert_int_equal(yoke_domain_open(&domain, domains_name, OPTIONS(.mode = YOKE_OPEN)), YOKE_ENOENT);
    assert_false(domains_exists(domains_name));
    assert_int_equal(yoke_domain_open(&domain, domains_name, NULL), YOKE_OK);
    assert_int_equal(yoke_domain_open(&same, domains_name, NULL), YOKE_EEXIST);
    assert_int_equal(yoke_domain_open(&same, domains_name, OPTIONS(.mode = YOKE_OPEN)), YOKE_OK);
    assert_ptr_equal(same, domain);
    assert_int_equal(yoke_domain_open(&same, domains_name, OPTIONS(.mode = YOKE_OPEN_OR_CREATE)), YOKE_OK);
    assert_ptr_equal(same, domain);
    yoke_domain_close(same);
    yoke_domain_close(same);
    assert_true(domains_exists(domains_name));
    yoke_domain_close(domain);
    assert_false(domains_exists(domains_name));
    yoke_domain_close(domain);
    assert_int_equal(yoke_last_error()->code, YOKE_EINVAL);
    yoke_domain_close(NULL);
}

static int open_with_other_limits(void *user)
{
    yoke_domain *domain;
    (void)user;
    CHILD_CHECK(yoke_domain_open(&domain, domains_name, NULL) == YOKE_EEXIST);
    CHILD_CHECK(yoke_domain_open(&domain, domains_name, OPTIONS(.mode = YOKE_OPEN, .max_bytes = 8 << 20)) ==
                YOKE_EINVAL);
    CHILD_CHECK(strstr(yoke_last_error()->text, "4194304") && strstr(yoke_last_error()->text, "8388608"));
    CHILD_CHECK(yoke_domain_open(&domain, domains_name, OPTIONS(.mode = YOKE_OPEN, .reserve_bytes = 64 << 20)) ==
                YOKE_EINVAL);
    CHILD_CHECK(yoke_domain_open(&domain, domains_name, OPTIONS(.mode = YOKE_OPEN, .max_bytes = 4 << 20)) == YOKE_OK);
    yoke_domain_close(domain);
    return 0;
}

static void test_other_limits_than_the_domains_are_an_error_with_both(void **state)
{
    yoke_domain *domain;
    stranger     other;
    (void)state;
    pid_t child = stranger_start(&other, open_with_other_limits);
    assert_int_equal(yoke_domain_open(&domain, domains_name, OPTIONS(.max_bytes = 4 << 20)), YOKE_OK);
    assert_int_equal(stranger_join(&other, child), 0);
    assert_true(domains_exists(domains_name));
    yoke_domain_close(domain);
    assert_false(domains_exists(domains_name));
}

static uint64_t *shared_ids; /* one per child, and how many created */

static int open_or_create(void *user)
{
    yoke_domain *domain;
    size_t       number = (size_t)(uintptr_t)user;
    CHILD_CHECK(yoke_domain_open(&domain, domains_name, OPTIONS(.mode = YOKE_OPEN_OR_CREATE)) == YOKE_OK);
    shared_ids[number] = yoke__domain_header(domain)->id;
    while (!shared_ids[15]) { /* all in it until the parent has looked */
        usleep(1000);
    }
    yoke_domain_close(domain);
    return 0;
}

static void test_many_that_open_or_create_at_once_are_in_one_domain(void **state)
{
    pid_t children[8];
    (void)state;
    shared_ids = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(shared_ids, MAP_FAILED);
    for (size_t i = 0; i < 8; i++) {
        children[i] = child_start(open_or_create, (void *)i);
    }
    for (size_t i = 0; i < 8; i++) {
        while (!*(volatile uint64_t *)&shared_ids[i]) {
            usleep(1000);
        }
        assert_int_equal(shared_ids[i], shared_ids[0]);
    }
    *(volatile uint64_t *)&shared_ids[15] = 1;
    for (int i = 0; i < 8; i++) {
        assert_int_equal(child_join(children[i]), 0);
    }
    assert_false(domains_exists(domains_name));
    munmap(shared_ids, 4096);
}

static int create_and_close_often(void *user)
{
    (void)user;
    for (int i = 0; i < 50; i++) {
        yoke_domain *domain;
        int rc = yoke_domain_open(&domain, domains_name, OPTIONS(.mode = YOKE_OPEN_OR_CREATE, .max_bytes = 2 << 20));
        CHILD_CHECK(rc == YOKE_OK);
        void *block = yoke__alloc(domain, 1000, 0);
        CHILD_CHECK(block && yoke__alloc_check(domain, NULL) == YOKE_OK);
        yoke__free(domain, block);
        yoke_domain_close(domain);
    }
    return 0;
}

static void test_opening_and_closing_may_race(void **state)
{
    pid_t children[4];
    (void)state;
    for (int i = 0; i < 4; i++) {
        children[i] = child_start(create_and_close_often, NULL);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(child_join(children[i]), 0);
    }
    assert_false(domains_exists(domains_name));
}

/* ---- dead makers and participants -------------------------------------------------------------------------------- */

static int create_and_die(void *user)
{
    yoke_domain *domain;
    (void)user;
    CHILD_CHECK(yoke_domain_open(&domain, domains_name, NULL) == YOKE_OK);
    (void)yoke__alloc(domain, 1000, 0);
    _exit(0); /* without closing */
}

static void test_a_domain_whose_participants_all_died_is_made_anew(void **state)
{
    yoke_domain *domain;
    (void)state;
    if (getenv("YOKE_VALGRIND")) {
        skip(); /* which has no pidfd: nobody can be told dead */
    }
    assert_int_equal(child_join(child_start(create_and_die, NULL)), 0);
    assert_true(domains_exists(domains_name));
    assert_int_equal(yoke_domain_open(&domain, domains_name, OPTIONS(.mode = YOKE_OPEN)), YOKE_ENOENT);
    assert_false(domains_exists(domains_name)); /* reclaimed by the opener */
    assert_int_equal(child_join(child_start(create_and_die, NULL)), 0);
    assert_int_equal(yoke_domain_open(&domain, domains_name, NULL), YOKE_OK);
    yoke__alloc_stats stats;
    assert_int_equal(yoke__alloc_check(domain, &stats), YOKE_OK);
    yoke_domain_close(domain);
    assert_false(domains_exists(domains_name));
}

static int die_half_way(void *user)
{
    const yoke_memory_ops *ops = yoke__backend()->memory;
    yoke_native            lock;
    yoke_memory            memory;
    int                    how = *(int *)user;
    CHILD_CHECK(ops->name_lock(&lock, domains_name) == YOKE_OK);
    if (how > 0) {
        CHILD_CHECK(ops->create(&memory, domains_name, 1 << 24, how == 1 ? 4096 : yoke__domain_first_size(), 0) ==
                    YOKE_OK);
    }
    if (how > 2) { /* all but the magic */
        yoke__header *header = memory.base;
        header->version = YOKE__LAYOUT_VERSION;
        header->reserve = 1 << 24;
    }
    _exit(0);
}

static void test_a_maker_that_died_half_way_is_replaced(void **state)
{
    (void)state;
    for (int how = 0; how < 4; how++) {
        yoke_domain *domain;
        assert_int_equal(child_join(child_start(die_half_way, &how)), 0);
        assert_int_equal(yoke_domain_open(&domain, domains_name, OPTIONS(.mode = YOKE_OPEN)), YOKE_ENOENT);
        assert_false(domains_exists(domains_name));
        assert_int_equal(child_join(child_start(die_half_way, &how)), 0);
        assert_int_equal(yoke_domain_open(&domain, domains_name, NULL), YOKE_OK);
        yoke_domain_close(domain);
        assert_false(domains_exists(domains_name));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_that_use_it_first_get_one_default_domain),
        cmocka_unit_test(test_a_forked_child_is_another_participant_of_the_same_domain),
        cmocka_unit_test(test_the_default_domain_is_configured_before_its_first_use),
        cmocka_unit_test(test_bad_environment_variables_are_errors_that_name_them),
        cmocka_unit_test_setup(test_bad_names_and_options_are_refused, domains_new_name),
        cmocka_unit_test_setup(test_modes_do_what_they_say, domains_new_name),
        cmocka_unit_test_setup(test_other_limits_than_the_domains_are_an_error_with_both, domains_new_name),
        cmocka_unit_test_setup(test_many_that_open_or_create_at_once_are_in_one_domain, domains_new_name),
        cmocka_unit_test_setup(test_opening_and_closing_may_race, domains_new_name),
        cmocka_unit_test_setup(test_a_domain_whose_participants_all_died_is_made_anew, domains_new_name),
        cmocka_unit_test_setup(test_a_maker_that_died_half_way_is_replaced, domains_new_name),
    };
    return cmocka_run_group_tests(tests, leak_setup, leak_teardown);
}
