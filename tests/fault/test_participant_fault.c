/* Joining and recovery while calls into the system fail. */
#include "core/backend.h"
#include "core/domain/directory.h"
#include "core/domain/participant.h"
#include "core/domain/watch.h"
#include "fault.h"
#include "support/box.h"
#include "support/child.h"
#include "support/leak.h"
#include "support/shared.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

static yoke_domain *domain(void)
{
    return shared_domain();
}

static int join_with_faults(void *user)
{
    yoke__handle *inherited = user;
    int           before = leak_descriptors();

    for (fault_sweep sweep = fault_sweep_start(EMFILE); fault_sweep_next(&sweep);) {
        yoke__handle *handle = yoke__handle_check(inherited, BOX_KIND);
        CHILD_CHECK(handle || yoke_last_error()->code < 0);
        CHILD_CHECK(handle || fault_hit());
        if (handle)
            yoke__domain_leave(domain());
        yoke__a32_store_relaxed(&inherited->closing, 0); /* leaving made it one that is gone */
    }
    fault_off();
    CHILD_CHECK(yoke__handle_check(inherited, BOX_KIND) == inherited);
    yoke__domain_leave(domain());
    CHILD_CHECK(leak_descriptors() <= before);
    return 0;
}

static void a_failed_join_is_an_error_and_can_be_repeated(void **state)
{
    (void)state;
    yoke__handle *handle = NULL;

    assert_int_equal(box_create(&handle, NULL, NULL, YOKE_CREATE), YOKE_OK);
    assert_int_equal(child_join(child_start(join_with_faults, handle)), 0);
    (void)yoke__domain_recover(domain());
    assert_int_equal(yoke__directory_check(domain()), YOKE_OK);
    box_close(handle);
}

static int just_join(void *user)
{
    (void)user;
    CHILD_CHECK(yoke__domain_token(domain()) != 0);
    return 0;
}

/* No call that fails makes a living process dead; a dead one is found once calls work again. */
static void recovery_bears_failing_calls(void **state)
{
    (void)state;
    int before = leak_descriptors();

    for (fault_sweep sweep = fault_sweep_start(EIO); fault_sweep_next(&sweep);) {
        pid_t child;
        fault_off();
        child = child_start(just_join, NULL);
        assert_int_equal(child_join(child), 0);
        fault_on(NULL, sweep.at, 0, EIO);
        (void)yoke__domain_recover(domain());
    }
    fault_off();
    (void)yoke__domain_recover(domain());
    assert_int_equal(yoke__a32_load_relaxed(&yoke__domain_header(domain())->participants_live), 1);
    yoke__watch_clear();
    assert_true(leak_descriptors() <= before);
}

static int find_death_without_descriptors(void *user)
{
    struct rlimit limit;
    yoke__token   token = *(yoke__token *)user;
    int           fd;

    CHILD_CHECK(yoke__domain_token(domain()) != 0);
    CHILD_CHECK(!yoke__token_alive(domain(), 0));
    /* Keep watches of this one and its parent, then use up all the rest. */
    CHILD_CHECK(yoke__token_alive(domain(), token));
    CHILD_CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = 64;
    CHILD_CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    while ((fd = open("/dev/null", O_RDONLY)) >= 0)
        ;
    CHILD_CHECK(yoke__token_alive(domain(), token)); /* by the watch that is kept */
    (void)close(63);
    CHILD_CHECK(yoke__token_alive(domain(), token));
    return 0;
}

static void descriptors_run_out(void **state)
{
    (void)state;
    yoke__token mine = yoke__domain_token(domain());

    assert_int_equal(child_join(child_start(find_death_without_descriptors, &mine)), 0);
    (void)yoke__domain_recover(domain());
}

static int setup(void **state)
{
    box_install();
    return shared_setup(state);
}

static int teardown(void **state)
{
    box_remove();
    yoke__watch_clear();
    return leak_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_join_is_an_error_and_can_be_repeated),
        cmocka_unit_test(recovery_bears_failing_calls),
        cmocka_unit_test(descriptors_run_out),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
