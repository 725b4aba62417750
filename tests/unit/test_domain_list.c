/* Listing named domains, and removing what the dead left of them: nothing alive is ever touched. */
#include "core/backend.h"
#include "core/domain/make.h"
#include "core/domain/participant.h"
#include "support/child.h"
#include "support/domains.h"
#include "support/leak.h"

#include <fcntl.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <yoke/shm.h>

#include <cmocka.h>

/* ---- listing ----------------------------------------------------------------------------------------------------- */

typedef struct wanted {
    const char      *name;
    int              times;
    yoke_domain_info found;
} wanted;

static bool look_for(void *user, const yoke_domain_info *info)
{
    wanted *it = user;
    if (strcmp(info->name, it->name) == 0) {
        it->times++;
        it->found = *info;
    }
    return true;
}

/* How often it is listed. */
static int listed(const char *of, yoke_domain_info *out)
{
    wanted it = {.name = of};
    assert_true(yoke_domain_list(look_for, &it) >= it.times);
    if (out)
        *out = it.found;
    return it.times;
}

static void test_a_domain_is_listed_with_what_can_be_said_of_it(void **state)
{
    yoke_domain     *domain;
    yoke_domain_info info, own = {.struct_size = sizeof own};
    int64_t          before = (int64_t)time(NULL);
    (void)state;
    assert_int_equal(listed(domains_name, NULL), 0);
    assert_int_equal(yoke_domain_open(&domain, domains_name, OPTIONS(.max_bytes = 8 << 20, .reserve_bytes = 1 << 24)),
                     YOKE_OK);
    assert_int_equal(listed(domains_name, &info), 1);
    assert_int_equal(info.code, YOKE_OK);
    assert_int_equal(info.permissions, 0600);
    assert_int_equal(info.user, geteuid());
    assert_in_range(info.created, before, time(NULL));
    assert_int_equal(info.alive, 1);
    assert_int_equal(info.dead, 0);
    assert_int_equal(info.max_bytes, 8 << 20);
    assert_int_equal(info.reserve_bytes, 1 << 24);
    assert_int_equal(yoke_domain_info_get(domain, &own), YOKE_OK);
    assert_string_equal(own.name, domains_name);
    assert_int_equal(own.committed, info.committed);
    assert_int_equal(own.used, info.used);
    assert_int_equal(own.created, info.created);
    assert_int_equal(own.alive, 1);
    yoke_domain_close(domain);
    assert_int_equal(listed(domains_name, NULL), 0);
}

static bool stop(void *user, const yoke_domain_info *info)
{
    (void)info;
    ++*(int *)user;
    return false;
}

static void test_a_visitor_may_stop_and_may_call_anything(void **state)
{
    yoke_domain *domain;
    int          calls = 0;
    (void)state;
    assert_int_equal(yoke_domain_open(&domain, domains_name, NULL), YOKE_OK);
    assert_int_equal(yoke_domain_list(stop, &calls), 1);
    assert_int_equal(calls, 1);
    assert_int_equal(yoke_domain_list(NULL, NULL), YOKE_EINVAL);
    yoke_domain_close(domain);
}

static void test_segments_are_not_listed_as_domains(void **state)
{
    yoke_shm *shm;
    char      plus[80];
    (void)state;
    assert_int_equal(yoke_shm_create(&shm, 100, YOKE_OPTIONS(yoke_shm_options, .name = domains_name)), YOKE_OK);
    snprintf(plus, sizeof plus, "+%s", domains_name);
    assert_int_equal(listed(domains_name, NULL), 0);
    assert_int_equal(listed(plus, NULL), 0);
    assert_int_equal(yoke_domain_reclaim(domains_name), YOKE_ENOENT);
    assert_int_equal(yoke_domain_reclaim(plus), YOKE_EINVAL);
    yoke_shm_close(shm);
}

static int hold_the_lock(void *user)
{
    const yoke_memory_ops *ops = yoke__backend()->memory;
    yoke_native            lock;
    int                   *ends = user;
    CHILD_CHECK(ops->name_lock(&lock, domains_name) == YOKE_OK && write(ends[1], "x", 1) == 1);
    for (;;)
        pause();
}

static void test_neither_waits_for_who_holds_the_lock_of_a_name(void **state)
{
    yoke_domain *domain;
    int          ends[2];
    char         byte;
    (void)state;
    assert_int_equal(yoke_domain_open(&domain, domains_name, NULL), YOKE_OK);
    assert_int_equal(pipe(ends), 0);
    pid_t holder = child_start(hold_the_lock, ends);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_int_equal(listed(domains_name, NULL), 1);
    assert_int_equal(yoke_domain_reclaim(domains_name), 0);
    child_kill(holder);
    assert_true(domains_exists(domains_name));
    yoke_domain_close(domain);
    close(ends[0]);
    close(ends[1]);
}

/* ---- reclaiming -------------------------------------------------------------------------------------------------- */

static int create_and_die(void *user)
{
    yoke_domain *domain;
    (void)user;
    CHILD_CHECK(yoke_domain_open(&domain, domains_name, NULL) == YOKE_OK);
    _exit(0); /* without closing */
}

static void test_the_dead_are_listed_and_reclaimed(void **state)
{
    yoke_domain_info info;
    (void)state;
    if (getenv("YOKE_VALGRIND"))
        skip(); /* which has no pidfd: nobody can be told dead */
    assert_int_equal(child_join(child_start(create_and_die, NULL)), 0);
    assert_int_equal(listed(domains_name, &info), 1);
    assert_int_equal(info.alive, 0);
    assert_int_equal(info.dead, 1);
    assert_int_equal(yoke_domain_reclaim(domains_name), 1);
    assert_false(domains_exists(domains_name));
    assert_int_equal(yoke_domain_reclaim(domains_name), YOKE_ENOENT);
}

static int reclaim_here(void *user)
{
    int64_t expected = *(int64_t *)user;
    CHILD_CHECK(yoke_domain_reclaim(domains_name) == expected);
    return 0;
}

static void test_the_living_are_left_alone(void **state)
{
    yoke_domain *domain;
    int64_t      none = 0;
    (void)state;
    assert_int_equal(yoke_domain_open(&domain, domains_name, NULL), YOKE_OK);
    assert_int_equal(yoke_domain_reclaim(domains_name), 0);
    assert_int_equal(child_join(child_start(reclaim_here, &none)), 0);
    assert_true(domains_exists(domains_name));
    yoke_domain_close(domain);
    assert_false(domains_exists(domains_name));
}

typedef struct change {
    size_t   offset, size;
    uint64_t value;
    int64_t  expected; /* of reclaim */
} change;

/* Of a dead domain, in which one thing is changed. */
static void reclaim_changed(const change *what)
{
    char path[128];
    assert_int_equal(child_join(child_start(create_and_die, NULL)), 0);
    snprintf(path, sizeof path, "/yoke-%lu-%s", (unsigned long)geteuid(), domains_name);
    int fd = shm_open(path, O_RDWR, 0);
    assert_int_equal(pwrite(fd, &what->value, what->size, (off_t)what->offset), what->size);
    assert_int_equal(yoke_domain_reclaim(domains_name), what->expected);
    assert_int_equal(domains_exists(domains_name), what->expected != 1);
    close(fd);
    if (what->expected != 1)
        shm_unlink(path);
}

static void test_what_cannot_be_judged_is_left_alone(void **state)
{
    static const change changes[] = {
        {offsetof(yoke__header, magic), 8, 0x1234, YOKE_EPROTO},
        {offsetof(yoke__header, magic), 8, 0, 1}, /* a maker that died */
        {offsetof(yoke__header, version), 4, 99, YOKE_EPROTO},
        {offsetof(yoke__header, layout), 8, 99, YOKE_EPROTO},
        {offsetof(yoke__header, space), 8, 99, YOKE_EPROTO},
        {offsetof(yoke__header, state), 4, 2, 1}, /* a remover that died */
        {offsetof(yoke__header, slots), 4, 0xffffffff, 1},
        {offsetof(yoke__header, committed), 8, UINT64_MAX, 1},
    };
    (void)state;
    if (getenv("YOKE_VALGRIND"))
        skip();
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        reclaim_changed(&changes[i]);
}

static void test_what_is_no_domain_is_listed_as_such_or_not_at_all(void **state)
{
    static const char text[] = "something else altogether";
    char              path[128];
    yoke_domain_info  info;
    (void)state;
    snprintf(path, sizeof path, "/yoke-%lu-%s", (unsigned long)geteuid(), domains_name);
    int fd = shm_open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(listed(domains_name, NULL), 0); /* empty: a lock */
    assert_int_equal(write(fd, text, sizeof text), sizeof text);
    assert_int_equal(listed(domains_name, &info), 1);
    assert_int_equal(info.code, YOKE_EPROTO);
    assert_int_equal(info.committed, sizeof text);
    assert_int_equal(yoke_domain_reclaim(domains_name), YOKE_EPROTO);
    assert_int_equal(ftruncate(fd, 3), 0); /* less than a first word */
    assert_int_equal(listed(domains_name, NULL), 0);
    shm_unlink(path);
    close(fd);
}

static void test_an_empty_name_is_a_lock_that_somebody_left(void **state)
{
    char path[128];
    (void)state;
    snprintf(path, sizeof path, "/yoke-%lu-%s", (unsigned long)geteuid(), domains_name);
    close(shm_open(path, O_RDWR | O_CREAT | O_EXCL, 0600));
    assert_int_equal(yoke_domain_reclaim(domains_name), 0);
    assert_false(domains_exists(domains_name));
}

static void test_bad_names_are_refused(void **state)
{
    char too_long[65] = {0};
    (void)state;
    memset(too_long, 'a', 64);
    const char *bad[] = {"", "a/b", "+a", too_long, ":", "a:"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(yoke_domain_reclaim(bad[i]), YOKE_EINVAL);
    assert_int_equal(yoke_domain_reclaim(domains_name), YOKE_ENOENT);
    assert_false(domains_exists(domains_name));
}

/* Reclaiming everything would take away what other tests, which run beside this one, leave for a moment: so it is done as
 * a user whom nobody else is. */
static int reclaim_all(void *user)
{
    yoke_domain *domain;
    char         path[128], first[64];
    (void)user;
    uid_t alone = 2000000u + (uid_t)getpid();
    CHILD_CHECK(setgroups(0, NULL) == 0 && setgid(alone) == 0 && setuid(alone) == 0);
    CHILD_CHECK(yoke_domain_reclaim(NULL) == 0);
    for (int i = 0; i < 3; i++) { /* two that are left behind, and one that can't be judged */
        domains_new_name(NULL);
        CHILD_CHECK(child_join(child_start(create_and_die, NULL)) == 0);
        if (i == 0)
            memcpy(first, domains_name, sizeof first);
    }
    snprintf(path, sizeof path, "/yoke-%lu-%s", (unsigned long)geteuid(), first);
    int fd = shm_open(path, O_RDWR, 0);
    CHILD_CHECK(pwrite(fd, "something", 9, 0) == 9);
    domains_new_name(NULL);
    CHILD_CHECK(yoke_domain_open(&domain, domains_name, NULL) == YOKE_OK);
    CHILD_CHECK(yoke_domain_reclaim(NULL) == 2);
    CHILD_CHECK(yoke_domain_reclaim(NULL) == 0);
    CHILD_CHECK(domains_exists(domains_name) && domains_exists(first));
    yoke_domain_close(domain);
    CHILD_CHECK(shm_unlink(path) == 0);
    close(fd);
    return 0;
}

static void test_all_of_a_user_are_reclaimed_at_once_and_no_others(void **state)
{
    yoke_domain *domain;
    (void)state;
    if (geteuid() != 0 || getenv("YOKE_VALGRIND")) {
        print_message("skipped: only root can act as another user, and valgrind can't tell who lives\n");
        skip();
    }
    assert_int_equal(yoke_domain_open(&domain, domains_name, OPTIONS(.permissions = 0666)), YOKE_OK);
    assert_int_equal(child_join(child_start(reclaim_all, NULL)), 0);
    assert_true(domains_exists(domains_name));
    yoke_domain_close(domain);
}

/* ---- at once ----------------------------------------------------------------------------------------------------- */

static int open_and_close_often(void *user)
{
    (void)user;
    for (int i = 0; i < 100; i++) {
        yoke_domain *domain;
        CHILD_CHECK(yoke_domain_open(&domain, domains_name, OPTIONS(.mode = YOKE_OPEN_OR_CREATE)) == YOKE_OK);
        CHILD_CHECK(domains_exists(domains_name)); /* nobody takes it away from under us */
        yoke_domain_close(domain);
    }
    return 0;
}

static int reclaim_often(void *user)
{
    (void)user;
    for (int i = 0; i < 300; i++) {
        int64_t rc = yoke_domain_reclaim(domains_name);
        CHILD_CHECK(rc == 0 || rc == YOKE_ENOENT);
        CHILD_CHECK(yoke_domain_list(look_for, &(wanted){.name = domains_name}) >= 0);
    }
    return 0;
}

static void test_opening_closing_listing_and_reclaiming_may_race(void **state)
{
    pid_t children[4];
    (void)state;
    for (int i = 0; i < 4; i++)
        children[i] = child_start(i % 2 ? reclaim_often : open_and_close_often, NULL);
    for (int i = 0; i < 4; i++)
        assert_int_equal(child_join(children[i]), 0);
    assert_false(domains_exists(domains_name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_domain_is_listed_with_what_can_be_said_of_it, domains_new_name),
        cmocka_unit_test_setup(test_a_visitor_may_stop_and_may_call_anything, domains_new_name),
        cmocka_unit_test_setup(test_segments_are_not_listed_as_domains, domains_new_name),
        cmocka_unit_test_setup(test_neither_waits_for_who_holds_the_lock_of_a_name, domains_new_name),
        cmocka_unit_test_setup(test_the_dead_are_listed_and_reclaimed, domains_new_name),
        cmocka_unit_test_setup(test_the_living_are_left_alone, domains_new_name),
        cmocka_unit_test_setup(test_what_cannot_be_judged_is_left_alone, domains_new_name),
        cmocka_unit_test_setup(test_what_is_no_domain_is_listed_as_such_or_not_at_all, domains_new_name),
        cmocka_unit_test_setup(test_an_empty_name_is_a_lock_that_somebody_left, domains_new_name),
        cmocka_unit_test_setup(test_all_of_a_user_are_reclaimed_at_once_and_no_others, domains_new_name),
        cmocka_unit_test_setup(test_bad_names_are_refused, domains_new_name),
        cmocka_unit_test_setup(test_opening_closing_listing_and_reclaiming_may_race, domains_new_name),
    };
    return cmocka_run_group_tests(tests, leak_setup, leak_teardown);
}
