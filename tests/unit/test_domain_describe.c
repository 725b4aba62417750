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
        TEST(test_texts_of_kinds_are_cut_and_never_overrun),
        TEST(test_bad_calls_are_refused),
    };
    return cmocka_run_group_tests(tests, leak_setup, leak_teardown);
}
