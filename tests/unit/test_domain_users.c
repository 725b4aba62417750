/* Who is admitted to a named domain: permissions, other users, names of theirs. Those with other users need root. */
#include "backends/posix/sys.h"
#include "core/domain/make.h"
#include "core/domain/participant.h"
#include "support/child.h"
#include "support/domains.h"
#include "support/leak.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yoke/sync.h>

#include <cmocka.h>

#define OTHER 65534u /* a user that is not this one */

static char theirs[80]; /* "0:test-…": this test's domain as other users name it */

static int new_name(void **state)
{
    domains_new_name(state);
    snprintf(theirs, sizeof theirs, "%lu:%s", (unsigned long)geteuid(), domains_name);
    return 0;
}

static void needs_root(void)
{
    if (geteuid() != 0 || getenv("YOKE_VALGRIND")) {
        print_message("skipped: only root can act as another user, and valgrind can't tell who lives\n");
        skip();
    }
}

static void become(gid_t group)
{
    CHILD_CHECK(setgroups(0, NULL) == 0 && setgid(group) == 0 && setuid(OTHER) == 0);
}

static unsigned mode_of_memory(void)
{
    char        path[128];
    struct stat status;
    snprintf(path, sizeof path, "/yoke-%lu-%s", (unsigned long)geteuid(), domains_name);
    int fd = shm_open(path, O_RDWR, 0);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &status), 0);
    close(fd);
    return status.st_mode & 0777u;
}

/* ---- options and names ------------------------------------------------------------------------------------------- */

static void test_permissions_are_as_asked_whatever_the_umask(void **state)
{
    static const unsigned asked[] = {0, 0600, 0660, 0606, 0666};
    static const unsigned masks[] = {0, 077, 0777, 0277};
    (void)state;
    for (size_t m = 0; m < 4; m++) {
        mode_t before = umask((mode_t)masks[m]);
        for (size_t i = 0; i < 5; i++) {
            yoke_domain     *domain;
            yoke_domain_info info = {.struct_size = sizeof info};
            assert_int_equal(yoke_domain_open(&domain, domains_name, OPTIONS(.permissions = asked[i])), YOKE_OK);
            assert_int_equal(mode_of_memory(), asked[i] ? asked[i] : 0600);
            assert_int_equal(yoke_domain_info_get(domain, &info), YOKE_OK);
            assert_int_equal(info.permissions, asked[i] ? asked[i] : 0600);
            assert_int_equal(info.user, geteuid());
            yoke_domain_close(domain);
            assert_false(domains_exists(domains_name));
        }
        umask(before);
    }
}

static void test_permissions_that_make_no_sense_are_refused(void **state)
{
    static const unsigned bad[] = {0644, 0777, 01666, 0060, 0400, 0006, 0620, 0x80000000u, 04600};
    yoke_domain          *domain = (yoke_domain *)1;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(yoke_domain_open(&domain, domains_name, OPTIONS(.permissions = bad[i])), YOKE_EINVAL);
        assert_non_null(strstr(yoke_last_error()->text, "permissions"));
    }
    assert_int_equal(yoke_domain_configure(OPTIONS(.permissions = 0666)), YOKE_EINVAL);
    assert_ptr_equal(domain, (yoke_domain *)1);
    assert_false(domains_exists(domains_name));
}

static void test_other_permissions_than_the_domains_are_an_error_with_both(void **state)
{
    yoke_domain *domain, *same = NULL;
    (void)state;
    assert_int_equal(yoke_domain_open(&domain, domains_name, OPTIONS(.permissions = 0660)), YOKE_OK);
    assert_int_equal(yoke_domain_open(&same, domains_name, OPTIONS(.mode = YOKE_OPEN, .permissions = 0666)),
                     YOKE_EINVAL);
    assert_non_null(strstr(yoke_last_error()->text, "0660"));
    assert_non_null(strstr(yoke_last_error()->text, "0666"));
    assert_null(same);
    yoke_domain_close(domain);
}

static void test_a_name_with_its_own_user_is_the_same_name(void **state)
{
    yoke_domain *domain, *same;
    (void)state;
    assert_int_equal(yoke_domain_open(&domain, theirs, NULL), YOKE_OK);
    assert_int_equal(yoke_domain_open(&same, domains_name, OPTIONS(.mode = YOKE_OPEN)), YOKE_OK);
    assert_ptr_equal(domain, same);
    yoke_domain_close(same);
    yoke_domain_close(domain);
}

static void test_bad_names_of_users_are_refused(void **state)
{
    static const char *const bad[] = {":x", "a b:x", "a:", "0:a:b", "0:a/b", "/:x", "::"};
    static const char *const nobody[] = {"no-such-user-here:x", "99999999999999999999:x", "4294967295:x"};
    yoke_domain             *domain = (yoke_domain *)1;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(yoke_domain_open(&domain, bad[i], NULL), YOKE_EINVAL);
    for (size_t i = 0; i < sizeof nobody / sizeof *nobody; i++)
        assert_int_equal(yoke_domain_open(&domain, nobody[i], NULL), YOKE_ENOENT);
    assert_ptr_equal(domain, (yoke_domain *)1);
}

static void test_only_its_user_makes_a_domain(void **state)
{
    yoke_domain *domain = (yoke_domain *)1;
    char         name[80];
    (void)state;
    snprintf(name, sizeof name, "%lu:%s", (unsigned long)geteuid() + 1, domains_name);
    assert_int_equal(yoke_domain_open(&domain, name, OPTIONS(.mode = YOKE_OPEN)), YOKE_ENOENT);
    assert_int_equal(yoke_domain_open(&domain, name, OPTIONS(.mode = YOKE_CREATE)), YOKE_EACCES);
    assert_int_equal(yoke_domain_open(&domain, name, OPTIONS(.mode = YOKE_OPEN_OR_CREATE)), YOKE_EACCES);
    assert_ptr_equal(domain, (yoke_domain *)1);
}

/* ---- other users ------------------------------------------------------------------------------------------------- */

static int be_refused(void *user)
{
    yoke_domain *domain = NULL;
    (void)user;
    become(OTHER);
    CHILD_CHECK(yoke_domain_open(&domain, theirs, OPTIONS(.mode = YOKE_OPEN)) == YOKE_EACCES);
    CHILD_CHECK(strstr(yoke_last_error()->text, "user 0") && strstr(yoke_last_error()->text, "user 65534"));
    CHILD_CHECK(strstr(yoke_last_error()->text, domains_name));
    return 0;
}

static int be_admitted(void *user)
{
    yoke_domain     *domain = NULL;
    yoke_domain_info info = {.struct_size = sizeof info};
    gid_t            group = user ? *(gid_t *)user : OTHER;
    become(group);
    CHILD_CHECK(yoke_domain_open(&domain, theirs, OPTIONS(.mode = YOKE_CREATE)) == YOKE_EEXIST);
    CHILD_CHECK(yoke_domain_open(&domain, theirs, OPTIONS(.mode = YOKE_OPEN_OR_CREATE)) == YOKE_OK);
    CHILD_CHECK(yoke_domain_info_get(domain, &info) == YOKE_OK && info.user == 0 && strcmp(info.name, theirs) == 0);
    yoke_domain_close(domain);
    return 0;
}

static int be_admitted_by_group(void *user)
{
    gid_t group = 0;
    (void)user;
    return be_admitted(&group);
}

static void run_others(unsigned permissions, int (*run)(void *))
{
    yoke_domain *domain;
    stranger     other;
    pid_t        child = stranger_start(&other, run);
    assert_int_equal(yoke_domain_open(&domain, domains_name, OPTIONS(.permissions = permissions)), YOKE_OK);
    assert_int_equal(stranger_join(&other, child), 0);
    assert_true(domains_exists(domains_name));
    yoke_domain_close(domain);
    assert_false(domains_exists(domains_name));
}

static void test_another_user_is_refused_unless_admitted(void **state)
{
    (void)state;
    needs_root();
    run_others(0, be_refused);
    run_others(0660, be_refused);
    run_others(0660, be_admitted_by_group);
    run_others(0606, be_admitted);
    run_others(0666, be_admitted);
}

static int open_and_be_last(void *user)
{
    yoke_domain *domain;
    int         *ends = user;
    char         byte = 'x';
    CHILD_CHECK(read(ends[0], &byte, 1) == 1);
    become(OTHER);
    CHILD_CHECK(yoke_domain_open(&domain, theirs, OPTIONS(.mode = YOKE_OPEN)) == YOKE_OK);
    CHILD_CHECK(write(ends[3], &byte, 1) == 1);
    CHILD_CHECK(read(ends[0], &byte, 1) == 1); /* its maker is dead by now */
    yoke_domain_close(domain);
    CHILD_CHECK(yoke_domain_open(&domain, theirs, OPTIONS(.mode = YOKE_OPEN)) == YOKE_ENOENT);
    return 0;
}

static int make_and_stay(void *user)
{
    yoke_domain *domain;
    (void)user;
    CHILD_CHECK(yoke_domain_open(&domain, domains_name, OPTIONS(.permissions = 0666)) == YOKE_OK);
    for (;;)
        pause();
}

static void test_what_another_user_leaves_behind_is_reclaimed_by_its_own(void **state)
{
    int  ends[4]; /* to the child: 0, 1; from it: 2, 3 */
    char byte = 'x';
    (void)state;
    needs_root();
    assert_true(pipe(ends) == 0 && pipe(ends + 2) == 0);
    pid_t other = child_start(open_and_be_last, ends);
    pid_t maker = child_start(make_and_stay, NULL);
    while (yoke_domain_reclaim(domains_name) < 0 || mode_of_memory() != 0666)
        usleep(1000);
    assert_int_equal(write(ends[1], &byte, 1), 1);
    assert_int_equal(read(ends[2], &byte, 1), 1);
    child_kill(maker);
    assert_int_equal(yoke_domain_reclaim(domains_name), 0); /* the other one lives */
    assert_int_equal(write(ends[1], &byte, 1), 1);
    assert_int_equal(child_join(other), 0);
    assert_true(domains_exists(domains_name));
    assert_int_equal(yoke_domain_reclaim(domains_name), 1);
    assert_false(domains_exists(domains_name));
    for (int i = 0; i < 4; i++)
        close(ends[i]);
}

static int take_and_die(void *user)
{
    yoke_domain *domain;
    yoke_lock   *lock;
    (void)user;
    become(OTHER);
    CHILD_CHECK(yoke_domain_open(&domain, theirs, OPTIONS(.mode = YOKE_OPEN)) == YOKE_OK);
    CHILD_CHECK(yoke_lock_open(&lock, domain, "door") == YOKE_OK);
    CHILD_CHECK(yoke_lock_acquire(lock, YOKE_FOREVER) == YOKE_OK);
    (void)raise(SIGKILL);
    return 1;
}

static void test_a_death_is_seen_across_users(void **state)
{
    yoke_domain *domain;
    yoke_lock   *lock;
    stranger     other;
    (void)state;
    needs_root();
    pid_t child = stranger_start(&other, take_and_die);
    assert_int_equal(yoke_domain_open(&domain, domains_name, OPTIONS(.permissions = 0666)), YOKE_OK);
    assert_int_equal(yoke_lock_create(&lock, YOKE_OPTIONS(yoke_lock_options, .domain = domain, .name = "door")),
                     YOKE_OK);
    assert_int_equal(stranger_join(&other, child), 1000 + SIGKILL);
    assert_int_equal(yoke_lock_acquire(lock, 10000), YOKE_OWNER_DIED);
    assert_int_equal(yoke_lock_release(lock), YOKE_OK);
    yoke_lock_close(lock);
    yoke_domain_close(domain);
}

static int find_own_name_taken(void *user)
{
    yoke_domain *domain = NULL;
    (void)user;
    become(OTHER);
    CHILD_CHECK(yoke_domain_open(&domain, domains_name, OPTIONS(.mode = YOKE_OPEN_OR_CREATE)) == YOKE_EACCES);
    CHILD_CHECK(yoke_domain_open(&domain, domains_name, OPTIONS(.mode = YOKE_OPEN)) == YOKE_EACCES);
    CHILD_CHECK(domain == NULL);
    return 0;
}

static void test_a_name_that_somebody_else_took_is_not_trusted(void **state)
{
    char path[128];
    (void)state;
    needs_root();
    snprintf(path, sizeof path, "/yoke-%u-%s", OTHER, domains_name);
    mode_t before = umask(0);
    int    fd = shm_open(path, O_RDWR | O_CREAT | O_EXCL, 0666);
    umask(before);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 1 << 20), 0);
    assert_int_equal(child_join(child_start(find_own_name_taken, NULL)), 0);
    shm_unlink(path);
    close(fd);
}

/* ---- hidden processes -------------------------------------------------------------------------------------------- */

static pid_t hidden;
static int (*real_pidfd_open)(pid_t pid, unsigned flags);

static int hide(pid_t pid, unsigned flags)
{
    if (pid != hidden)
        return real_pidfd_open(pid, flags);
    errno = EPERM;
    return -1;
}

static void begin_hiding(void)
{
    hidden = getppid();
    real_pidfd_open = yoke__sys.pidfd_open;
    yoke__sys.pidfd_open = hide;
}

static int be_refused_for_not_seeing(void *user)
{
    yoke_domain *domain = NULL;
    (void)user;
    begin_hiding();
    CHILD_CHECK(yoke_domain_open(&domain, domains_name, OPTIONS(.mode = YOKE_OPEN)) == YOKE_EACCES);
    CHILD_CHECK(strstr(yoke_last_error()->text, "can't be told whether"));
    CHILD_CHECK(yoke_domain_reclaim(domains_name) == 0); /* cannot tell: alive */
    return 0;
}

static int join_though_not_seeing(void *user)
{
    yoke_domain *domain = NULL;
    (void)user;
    begin_hiding();
    CHILD_CHECK(yoke_domain_open(&domain, domains_name, OPTIONS(.mode = YOKE_OPEN)) == YOKE_OK);
    yoke_domain_close(domain);
    return 0;
}

static void test_whose_life_cannot_be_told_keeps_others_out_of_an_open_domain(void **state)
{
    (void)state;
    run_others(0666, be_refused_for_not_seeing);
    run_others(0600, join_though_not_seeing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_permissions_are_as_asked_whatever_the_umask, new_name),
        cmocka_unit_test_setup(test_permissions_that_make_no_sense_are_refused, new_name),
        cmocka_unit_test_setup(test_other_permissions_than_the_domains_are_an_error_with_both, new_name),
        cmocka_unit_test_setup(test_a_name_with_its_own_user_is_the_same_name, new_name),
        cmocka_unit_test_setup(test_bad_names_of_users_are_refused, new_name),
        cmocka_unit_test_setup(test_only_its_user_makes_a_domain, new_name),
        cmocka_unit_test_setup(test_another_user_is_refused_unless_admitted, new_name),
        cmocka_unit_test_setup(test_what_another_user_leaves_behind_is_reclaimed_by_its_own, new_name),
        cmocka_unit_test_setup(test_a_death_is_seen_across_users, new_name),
        cmocka_unit_test_setup(test_a_name_that_somebody_else_took_is_not_trusted, new_name),
        cmocka_unit_test_setup(test_whose_life_cannot_be_told_keeps_others_out_of_an_open_domain, new_name),
    };
    return cmocka_run_group_tests(tests, leak_setup, leak_teardown);
}
