/*
 * Every call into the system fails in turn while domains are made, opened, grown and closed: an error with a sentence,
 * and nothing is left behind or lost.
 */
#include "core/backend.h"
#include "core/domain/allocator.h"
#include "core/domain/participant.h"
#include "support/child.h"
#include "support/leak.h"
#include "tests/fault/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static char name[64];

static bool exists(void)
{
    char path[128];
    snprintf(path, sizeof path, "/yoke-%lu-%s", (unsigned long)geteuid(), name);
    int fd = shm_open(path, O_RDWR, 0);
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

static void assert_sentence(int code)
{
    const yoke_error *error = yoke_last_error();
    assert_true(code < 0);
    assert_int_equal(error->code, code);
    assert_true(strlen(error->text) > 10);
}

/* Opens, grows, closes; every failure must be told. */
static int use_named(uint64_t budget)
{
    yoke_domain *domain = NULL;
    int          rc = yoke_domain_open(&domain, name, YOKE_OPTIONS(yoke_domain_options, .max_bytes = budget));
    if (rc < 0) {
        assert_null(domain);
        assert_sentence(rc);
        return rc;
    }
    yoke__alloc_stats before;
    assert_int_equal(yoke__alloc_check(domain, &before), YOKE_OK);
    void *block = yoke__alloc(domain, 3000000, 0);
    if (!block) {
        rc = yoke_last_error()->code;
        assert_sentence(rc);
        fault_off();
        yoke__alloc_stats after;
        assert_int_equal(yoke__alloc_check(domain, &after), YOKE_OK);
        assert_int_equal(after.token_blocks, before.token_blocks);
        block = yoke__alloc(domain, 3000000, 0); /* nothing was lost: now it works */
        assert_non_null(block);
    }
    memset(block, 1, 3000000);
    yoke__free(domain, block);
    yoke_domain_close(domain);
    return rc;
}

static void sweep_named(int error, uint64_t budget)
{
    int failures = 0;
    int runs = 0;
    assert_int_equal(use_named(budget), YOKE_OK); /* what is made once per process is made now */
    int descriptors = fault_descriptors();
    for (fault_sweep sweep = fault_sweep_start(error); fault_sweep_next(&sweep);) {
        failures += use_named(budget) < 0;
        fault_off();
        assert_int_equal(fault_descriptors(), descriptors);
        if (exists()) { /* unlinking was what failed: the next one clears it away */
            assert_int_equal(use_named(budget), YOKE_OK);
            assert_false(exists());
        }
        runs++;
    }
    printf("%d calls failed in turn, %d of them were the caller's to hear of\n", runs - 1, failures);
    assert_true(failures > 5);
    assert_false(exists());
}

static void test_a_named_domain_bears_every_failure(void **state)
{
    (void)state;
    sweep_named(EMFILE, 16 << 20);
    sweep_named(ENOMEM, 16 << 20);
    sweep_named(ENOSPC, 0); /* without a budget: what the system has left is read, too */
}

static void test_the_fallbacks_bear_every_failure(void **state)
{
    (void)state;
    setenv("YOKE_MEMORY", "shm", 1);
    setenv("YOKE_NAME_LOCK", "file", 1);
    sweep_named(ENOSPC, 16 << 20);
    unsetenv("YOKE_MEMORY");
    unsetenv("YOKE_NAME_LOCK");
}

typedef struct failure {
    long at;
    int  error;
} failure;

static int use_default(void *user)
{
    yoke_domain   *domain = NULL;
    const failure *planned = user;
    int            descriptors = fault_descriptors();
    fault_on(NULL, planned->at, 0, planned->error);
    int rc = yoke__domain_default(&domain);
    if (rc < 0) {
        CHILD_CHECK(domain == NULL && yoke_last_error()->code == rc && strlen(yoke_last_error()->text) > 10);
        CHILD_CHECK(yoke__domain_existing() == NULL);
    }
    fault_off();
    CHILD_CHECK(rc == YOKE_OK || fault_descriptors() == descriptors);
    CHILD_CHECK(yoke__domain_default(&domain) == YOKE_OK); /* the next one works */
    CHILD_CHECK(yoke__alloc_check(domain, NULL) == YOKE_OK);
    yoke__domain_leave(domain);
    return fault_hit() ? 1 : 2;
}

/* In children, as a process makes it once. */
static void sweep_default(int error)
{
    failure planned = {.error = error};
    int     result = 1;
    while (result == 1) {
        planned.at++;
        assert_true(planned.at < 500);
        result = child_join(child_start(use_default, &planned));
    }
    assert_int_equal(result, 2);
    assert_true(planned.at > 5);
}

static void test_the_default_domain_bears_every_failure(void **state)
{
    (void)state;
    sweep_default(EMFILE);
    sweep_default(ENOMEM);
    setenv("YOKE_MEMORY", "shm", 1);
    sweep_default(ENOSPC);
    unsetenv("YOKE_MEMORY");
}

/* ---- what systems lack ------------------------------------------------------------------------------------------- */

static void use_without(const char *call, int error)
{
    for (int every = 1; every <= 2; every++) {
        fault_on(call, 1, every, error);
        assert_int_equal(use_named(16 << 20), YOKE_OK);
        assert_true(fault_hit());
        fault_off();
    }
    assert_false(exists());
}

static void test_a_system_without_fallocate_is_served_by_what_it_has(void **state)
{
    (void)state;
    use_without("fallocate", EOPNOTSUPP);
    use_without("fallocate", ENOSYS);
    setenv("YOKE_MEMORY", "shm", 1);
    use_without("posix_fallocate", EINVAL); /* as FreeBSD answers for shared memory: its size is set instead */
    unsetenv("YOKE_MEMORY");
    fault_on("flock", 1, 2, EOPNOTSUPP); /* on shared memory; names are locked by a file then */
    assert_int_equal(use_named(16 << 20), YOKE_OK);
    fault_off();
    assert_false(exists());
}

static int make_default(void *user)
{
    yoke_domain *domain;
    (void)user;
    fault_on("memfd_create", 1, 1, ENOSYS);
    CHILD_CHECK(yoke__domain_default(&domain) == YOKE_OK);
    CHILD_CHECK(yoke__alloc(domain, 3000000, 0));
    yoke__domain_leave(domain);
    return 0;
}

static void test_a_kernel_without_memfd_is_served_by_shm_open(void **state)
{
    (void)state;
    assert_int_equal(child_join(child_start(make_default, NULL)), 0);
}

static int set_up(void **state)
{
    snprintf(name, sizeof name, "memory-fault-%ld", (long)getpid());
    return leak_setup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_named_domain_bears_every_failure),
        cmocka_unit_test(test_the_fallbacks_bear_every_failure),
        cmocka_unit_test(test_the_default_domain_bears_every_failure),
        cmocka_unit_test(test_a_system_without_fallocate_is_served_by_what_it_has),
        cmocka_unit_test(test_a_kernel_without_memfd_is_served_by_shm_open),
    };
    return cmocka_run_group_tests(tests, set_up, leak_teardown);
}
