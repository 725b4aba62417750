/*
 * A process is killed at every point of setting, reading and copying items of a list, and of changing values and elements
 * at once: what was there before is there, or what was to be there after, whole; nobody is kept from going on; the rest is
 * untouched.
 *
 * Built twice: here the victim is killed at every n-th instruction; with YOKE_CRASH_POINTS before every shared store, and
 * the one that comes after it (takes the lock over, sets again, sweeps) before every store of its own. And once more for
 * each planted fault of mutants.cmake, with CRASH_MUTANT defined: then at least one kill must be followed by a complaint.
 */
#include "begin.h"
#include "harness.h"

#include "core/domain/allocator.h"
#include "core/domain/participant.h"
#include "core/domain/watch.h"
#include "core/memory/shareable.h"
#include "support/child.h"
#include "support/leak.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <yoke/yoke.h>

#ifndef CRASH_MUTANT
#define CRASH_MUTANT 0
#endif

#ifdef YOKE_CRASH_POINTS
#define RUN       crash_run_points
#define AFTER(by) by
#else
#define RUN crash_run
#define AFTER(by)                                                                                                      \
    NULL /* a second process killed for each of so many would take minutes: before each store it is quick */
#endif

struct account {
    int64_t a, b, total;
};

static const char old_text[] = "the old text, which is a good deal longer than a word is, and than two";
static const char new_text[] = "THE NEW TEXT";

static struct {
    yoke_domain    *domain;
    yoke_shareable *list, *made;
    yoke_value     *locked, *bare, *account;
    yoke_array     *array;
    uint64_t        blocks;
} now;

static void must(int code)
{
    if (code < 0) {
        fprintf(stderr, "%s: %s\n", yoke_error_name(code), yoke_last_error()->text);
        abort();
    }
}

static uint64_t blocks_in_use(void)
{
    yoke__alloc_stats stats = {0};
    return yoke__alloc_check(now.domain, &stats) == YOKE_OK ? stats.token_blocks + stats.object_blocks : UINT64_MAX;
}

static void set_up(void *context)
{
    const yoke_value_options *bare, *there;
    const int64_t             initial[4] = {10, 20, 30, 40};
    const struct account      account = {1, 2, 3};

    (void)context;
    there = YOKE_OPTIONS(yoke_value_options, .domain = now.domain);
    bare = YOKE_OPTIONS(yoke_value_options, .domain = now.domain, .unlocked = true);
    must(yoke_shareable_create(&now.list, YOKE_ARGS("before", (char *)old_text, 7, "behind"),
                               YOKE_OPTIONS(yoke_shareable_options, .domain = now.domain)));
    must(YOKE_VALUE_CREATE(&now.locked, int, 5, there));
    must(YOKE_VALUE_CREATE(&now.bare, double, 5, bare));
    must(YOKE_VALUE_CREATE(&now.account, struct account, account, there));
    must(YOKE_ARRAY_CREATE(&now.array, int64_t, 4, initial, there));
    now.blocks = blocks_in_use();
}

static void tear_down(void *context)
{
    (void)context;
    yoke_shareable_close(now.list);
    yoke_value_close(now.locked);
    yoke_value_close(now.bare);
    yoke_value_close(now.account);
    yoke_array_close(now.array);
}

/* Joins the domain. */
static void enter(void *context)
{
    (void)context;
    if (!yoke__domain_token(now.domain))
        abort();
}

static bool text_is(size_t index, const char *text)
{
    char   found[128];
    size_t size;
    return yoke_shareable_get_string(now.list, index, found, sizeof found, &size) == YOKE_OK && size == strlen(text) &&
           strcmp(found, text) == 0;
}

static const char *verify_list(void)
{
    int64_t number;

    if (!text_is(0, "before") || !text_is(3, "behind"))
        return "another item has changed";
    if (!text_is(1, old_text) && !text_is(1, new_text))
        return "a text is half set";
    if (yoke_shareable_get_int(now.list, 2, &number) != YOKE_OK || (number != 7 && number != 8))
        return "a number is neither what it was nor what it was to be";
    for (int i = 0; i < 2; i++) /* both copies */
        if (YOKE_SHAREABLE_SET(now.list, 1, "goes on") != YOKE_OK || !text_is(1, "goes on"))
            return "nobody can set the item any more";
    return NULL;
}

static const char *verify_values(void)
{
    int            locked = 0;
    double         bare = 0;
    struct account account;

    if (YOKE_VALUE_LOAD(now.locked, int, &locked) < 0 || (locked != 5 && locked != 6))
        return "a value with a lock is neither what it was nor what it was to be";
    if (YOKE_VALUE_LOAD(now.bare, double, &bare) < 0 || bare < 4.9 || bare > 6.1)
        return "a value without a lock is neither what it was nor what it was to be";
    int told = YOKE_VALUE_LOAD(now.account, struct account, &account);
    if (told < 0)
        return "a structure can't be read";
    if (told == YOKE_OK && account.a + account.b != account.total)
        return "a structure is half set, and nobody was told";
    const int64_t *elements = YOKE_ARRAY(now.array, int64_t);
    if (elements[0] != 10 || elements[1] != 20 || elements[3] != 40 || (elements[2] != 30 && elements[2] != 30 + 7))
        return "an element is what it never was";
    if (YOKE_VALUE_FETCH_ADD(now.locked, int, 1, NULL) < 0 || YOKE_ARRAY_FETCH_ADD(now.array, int64_t, 2, 1, NULL) < 0)
        return "nobody can change a value any more";
    return NULL;
}

static const char *verify(void *context)
{
    const char *wrong;

    (void)context;
    wrong = verify_list();
    if (!wrong)
        wrong = verify_values();
    if (wrong)
        return wrong;
    (void)yoke__domain_recover(now.domain);
    return blocks_in_use() == now.blocks ? NULL : "memory of the domain is lost";
}

/* ---- operations -------------------------------------------------------------------------------------------------- */

static void set_text(void *context)
{
    (void)context;
    (void)!YOKE_SHAREABLE_SET(now.list, 1, (char *)new_text);
}

static void set_number(void *context)
{
    (void)context;
    (void)!YOKE_SHAREABLE_SET(now.list, 2, 8);
}

#ifdef YOKE_CRASH_POINTS
static void recover(void *context)
{
    (void)context;
    (void)yoke__domain_recover(now.domain);
}
#endif

/* ---- runs -------------------------------------------------------------------------------------------------------- */

static bool found; /* a complaint */

static void run(const char *name, void (*operation)(void *), void (*after)(void *), unsigned part)
{
    const crash_case test = {.name = name,
                             .set_up = set_up,
                             .enter = enter,
                             .operation = operation,
                             .enter_recovery = enter,
                             .recover = after,
                             .verify = verify,
                             .tear_down = tear_down,
                             .second_stride = 3,
                             .part = part,
                             .expect_fault = CRASH_MUTANT};
    crash_result     result;

    if (CRASH_MUTANT && found)
        return;
    if (!RUN(&test, &result))
        fail_msg("%s: %s", name, result.first);
    found = result.faults > 0;
    if (!CRASH_MUTANT && result.faults)
        fail_msg("%s: %llu faults, the first: %s", name, (unsigned long long)result.faults, result.first);
}

static void killed_while_setting_an_item(void **state)
{
    (void)state;
    run("set a text", set_text, NULL, 4);
    run("set a number", set_number, NULL, 4);
}

static void the_next_setter_is_killed_too(void **state)
{
    (void)state;
    run("set, set after a death", set_text, AFTER(set_text), 4);
    run("set, sweep", set_text, AFTER(recover), 4);
}

#if CRASH_MUTANT
static void the_planted_fault_is_found(void **state)
{
    (void)state;
    assert_true(found);
}
#else
static void read_items(void *context)
{
    yoke_variant *all;
    int64_t       number;

    (void)context;
    (void)!yoke_shareable_get_int(now.list, 2, &number);
    if (yoke_shareable_snapshot(now.list, &all) == YOKE_OK)
        yoke_variant_free(all);
}

static void make_and_close(void *context)
{
    (void)context;
    if (yoke_shareable_create(&now.made, YOKE_ARGS("one", 2, 3.0),
                              YOKE_OPTIONS(yoke_shareable_options, .domain = now.domain)) == YOKE_OK)
        yoke_shareable_close(now.made);
}

static void add_to_value(void *context)
{
    (void)context;
    (void)YOKE_VALUE_FETCH_ADD(now.locked, int, 1, NULL);
}

static void add_without_a_lock(void *context)
{
    (void)context;
    (void)YOKE_VALUE_FETCH_ADD(now.bare, double, 1, NULL);
}

static void change_an_element(void *context)
{
    int64_t expected = 30;

    (void)context;
    (void)!YOKE_ARRAY_COMPARE_EXCHANGE(now.array, int64_t, 2, &expected, 37);
}

static void store_a_structure(void *context)
{
    const struct account after = {10, 20, 30};

    (void)context;
    (void)YOKE_VALUE_STORE(now.account, struct account, after);
}

#ifndef YOKE_CRASH_POINTS
/* The planted fault: the copy that readers look at is written. */
static void set_in_place(void *context)
{
    yoke__shareable             *list = yoke__shareable_of(now.list);
    const yoke__shareable_place *place = yoke__shareable_place_of(list, 1);
    yoke__a64                   *version = (yoke__a64 *)(void *)((uint8_t *)list + place->offset);

    (void)context;
    yoke__a64_add_acq_rel(version, 1);
    yoke__a64_add_acq_rel(version, UINT64_MAX);
    yoke__a64 *copy = version + 1 + yoke__a64_load_relaxed(version) % 2 * (1 + place->room / 8);
    yoke__a64_store_relaxed(copy, (uint64_t)12 << 8 | YOKE_STRING);
    for (size_t i = 0; i < 2; i++) {
        uint64_t word = 0;
        memcpy(&word, new_text + i * 8, i ? 4 : 8);
        yoke__a64_store_relaxed(copy + 1 + i, word);
    }
}

#endif

static void killed_while_reading(void **state)
{
    (void)state;
    run("read and copy", read_items, NULL, 4);
}

static void killed_while_making_and_closing_a_list(void **state)
{
    (void)state;
    run("make and close", make_and_close, AFTER(recover), 4);
}

static void killed_while_changing_a_value(void **state)
{
    (void)state;
    run("add to a value", add_to_value, NULL, 4);
    run("add to a value, sweep", add_to_value, AFTER(recover), 4);
    run("add without a lock", add_without_a_lock, NULL, 4);
    run("compare and exchange an element", change_an_element, NULL, 4);
    run("store a structure", store_a_structure, NULL, 4);
}

#ifndef YOKE_CRASH_POINTS
static void an_item_set_in_place_is_caught(void **state)
{
    (void)state;
    const crash_case test = {.name = "(set in place)",
                             .set_up = set_up,
                             .enter = enter,
                             .operation = set_in_place,
                             .verify = verify,
                             .tear_down = tear_down,
                             .expect_fault = true};
    crash_result     result;

    assert_true(RUN(&test, &result));
    assert_true(result.faults > 0);
}
#endif
#endif

static int group_setup(void **state)
{
    yoke__spin_set(0); /* a victim is stepped instruction by instruction: spinning would be most of them */
    char name[64];
    (void)snprintf(name, sizeof name, "shareable-kill-%ld", (long)getpid());
    must(yoke_domain_open(&now.domain, name, NULL));
    crash_hide(now.domain);
    set_up(NULL);
    tear_down(NULL);
    return leak_setup(state);
}

static int group_teardown(void **state)
{
    (void)yoke__domain_recover(now.domain);
    yoke__watch_clear();
    int result = leak_teardown(state);
    yoke_domain_close(now.domain);
    return result;
}

int main(int argc, char **argv)
{
    crash_begin(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_while_setting_an_item),
        cmocka_unit_test(the_next_setter_is_killed_too),
#if !CRASH_MUTANT
        cmocka_unit_test(killed_while_reading),
        cmocka_unit_test(killed_while_making_and_closing_a_list),
        cmocka_unit_test(killed_while_changing_a_value),
#ifndef YOKE_CRASH_POINTS
        cmocka_unit_test(an_item_set_in_place_is_caught),
#endif
#else
        cmocka_unit_test(the_planted_fault_is_found),
#endif
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
