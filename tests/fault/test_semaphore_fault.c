/* Semaphores and events where memory runs out, and while every call into the system fails in turn: an error with a
 * sentence, nothing left behind, and the next try works. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/domain/allocator.h"
#include "support/leak.h"
#include "support/shared.h"
#include "tests/fault/fault.h"

#include <yoke/yoke.h>

static uint64_t blocks_in_use(yoke_domain *domain)
{
    yoke__alloc_stats stats = {0};

    assert_int_equal(yoke__alloc_check(domain, &stats), YOKE_OK);
    return stats.token_blocks + stats.object_blocks;
}

static yoke_domain *small_domain(uint64_t bytes)
{
    char         name[64];
    yoke_domain *domain;

    (void)snprintf(name, sizeof name, "semaphore-fault-%ld", (long)getpid());
    assert_int_equal(yoke_domain_open(&domain, name, YOKE_OPTIONS(yoke_domain_options, .max_bytes = bytes)), YOKE_OK);
    return domain;
}

static int create_permits(yoke_semaphore **out, yoke_domain *domain)
{
    return yoke_semaphore_create(out, YOKE_SEMAPHORE_PERMITS_MAX,
                                 YOKE_OPTIONS(yoke_semaphore_options, .domain = domain, .permits = true));
}

static void test_a_domain_that_is_full_says_so_and_stays_sound(void **state)
{
    enum { MOST = 100 };
    yoke_domain    *domain = small_domain(8 << 20);
    yoke_semaphore *semaphores[MOST], *none = NULL;
    int             count = 0, code = YOKE_OK;
    (void)state;

    while (count < MOST && (code = create_permits(&semaphores[count], domain)) == YOKE_OK)
        count++;
    assert_in_range(count, 5, MOST - 1);
    assert_int_equal(code, YOKE_ENOMEM);
    assert_true(strlen(yoke_last_error()->text) > 10);
    uint64_t full = blocks_in_use(domain);
    assert_int_equal(create_permits(&none, domain), YOKE_ENOMEM);
    assert_null(none);
    assert_int_equal(blocks_in_use(domain), full);
    assert_int_equal(yoke_semaphore_acquire(semaphores[0], YOKE_NOWAIT), YOKE_OK);
    yoke_semaphore_close(semaphores[--count]);
    assert_int_equal(create_permits(&semaphores[count], domain), YOKE_OK);
    for (int i = 0; i <= count; i++)
        yoke_semaphore_close(semaphores[i]);
    yoke_domain_close(domain);
}

/* What each of them answers is an error that is told, or what it answers else. */
static int use(void)
{
    yoke_semaphore *semaphore = NULL;
    yoke_event     *event = NULL;
    int             code = yoke_semaphore_create(&semaphore, 1, YOKE_OPTIONS(yoke_semaphore_options, .permits = true));

    if (code == YOKE_OK)
        code = yoke_event_create(&event, NULL);
    if (code == YOKE_OK)
        code = yoke_semaphore_acquire(semaphore, 1);
    if (code == YOKE_OK && (code = yoke_semaphore_acquire(semaphore, 2)) == YOKE_ETIMEDOUT)
        code = yoke_event_wait(event, 2) == YOKE_ETIMEDOUT ? YOKE_OK : YOKE_EIO;
    if (code == YOKE_OK)
        code = yoke_event_set(event);
    if (code == YOKE_OK)
        code = yoke_semaphore_release(semaphore);
    yoke_wait_entry entries[] = {yoke_wait_event_set(event), yoke_wait_semaphore_available(semaphore)};
    if (code == YOKE_OK)
        code = yoke_wait(entries, 2, 2) == 2 ? yoke_event_clear(event) : YOKE_EIO;
    if (code < 0)
        assert_true(yoke_last_error()->code < 0 && strlen(yoke_last_error()->text) > 10);
    yoke_semaphore_close(semaphore);
    yoke_event_close(event);
    return code;
}

static void sweep(int error)
{
    uint64_t blocks;
    int      runs = 0;

    assert_int_equal(use(), YOKE_OK);
    blocks = blocks_in_use(shared_domain());
    for (fault_sweep swept = fault_sweep_start(error); fault_sweep_next(&swept); runs++) {
        (void)use();
        fault_off();
        assert_int_equal(blocks_in_use(shared_domain()), blocks);
        assert_int_equal(use(), YOKE_OK);
    }
    printf("%d calls failed in turn\n", runs - 1);
}

static void test_every_call_into_the_system_may_fail(void **state)
{
    (void)state;
    sweep(ENOMEM);
    sweep(EMFILE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_domain_that_is_full_says_so_and_stays_sound),
        cmocka_unit_test(test_every_call_into_the_system_may_fail),
    };
    return cmocka_run_group_tests_name("semaphores where things fail", tests, shared_setup, shared_teardown);
}
