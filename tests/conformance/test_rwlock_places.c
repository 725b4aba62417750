/* A reader that finds all places taken: who it waits for is named, and a wait that can never end is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/child.h"
#include "support/shared.h"

#include <yoke/yoke.h>

typedef struct scene {
    yoke_rwlock *rwlock;
    yoke_rlock  *rlock;
    _Atomic int  holding, told, through;
} scene;

static scene *open_scene(void)
{
    scene *s = shared_alloc(sizeof *s);

    assert_int_equal(
        yoke_rwlock_create(&s->rwlock, YOKE_OPTIONS(yoke_rwlock_options, .max_readers = 1, .detect_deadlock = true)),
        YOKE_OK);
    assert_int_equal(yoke_rlock_create(&s->rlock, YOKE_OPTIONS(yoke_rlock_options, .detect_deadlock = true)), YOKE_OK);
    return s;
}

static void close_scene(scene *s)
{
    yoke_rwlock_close(s->rwlock);
    yoke_rlock_close(s->rlock);
    shared_free(s);
}

static int count(scene *s, int result)
{
    CHILD_CHECK(result == YOKE_OK || result == YOKE_EDEADLK);
    if (result == YOKE_OK)
        s->through++;
    else
        s->told++;
    return 0;
}

static void until_both_hold(scene *s)
{
    s->holding++;
    while (s->holding < 2)
        (void)sched_yield();
}

static int share_then_lock(void *user)
{
    scene *s = user;

    CHILD_CHECK(yoke_rwlock_acquire_shared(s->rwlock, YOKE_NOWAIT) == YOKE_OK);
    until_both_hold(s);
    int result = yoke_rlock_acquire(s->rlock, 60000);
    if (result == YOKE_OK)
        CHILD_CHECK(yoke_rlock_release(s->rlock) == YOKE_OK);
    CHILD_CHECK(yoke_rwlock_release_shared(s->rwlock) == YOKE_OK);
    return count(s, result);
}

static int lock_then_share(void *user)
{
    scene *s = user;

    CHILD_CHECK(yoke_rlock_acquire(s->rlock, YOKE_NOWAIT) == YOKE_OK);
    until_both_hold(s);
    int result = yoke_rwlock_acquire_shared(s->rwlock, 60000);
    if (result == YOKE_OK)
        CHILD_CHECK(yoke_rwlock_release_shared(s->rwlock) == YOKE_OK);
    CHILD_CHECK(yoke_rlock_release(s->rlock) == YOKE_OK);
    return count(s, result);
}

static void test_a_wait_for_the_only_place_is_part_of_a_cycle(void **state)
{
    scene *s = open_scene();

    (void)state;
    pid_t one = child_start(share_then_lock, s), other = child_start(lock_then_share, s);
    assert_int_equal(child_join(one), 0);
    assert_int_equal(child_join(other), 0);
    assert_int_equal(s->told, 1);
    assert_int_equal(s->through, 1);
    close_scene(s);
}

static int find_no_place(void *user)
{
    scene *s = user;
    char   parent[32];

    (void)snprintf(parent, sizeof parent, "(pid %ld", (long)getppid());
    for (int64_t timeout = 0; timeout <= 20; timeout += 20) {
        CHILD_CHECK(yoke_rwlock_acquire_shared(s->rwlock, timeout) == YOKE_ETIMEDOUT);
        CHILD_CHECK(strstr(yoke_last_error()->text, "places") && strstr(yoke_last_error()->text, parent));
    }
    return 0;
}

static void test_a_time_out_for_want_of_a_place_names_a_reader(void **state)
{
    scene *s = open_scene();

    (void)state;
    assert_int_equal(yoke_rwlock_acquire_shared(s->rwlock, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(child_join(child_start(find_no_place, s)), 0);
    assert_int_equal(yoke_rwlock_release_shared(s->rwlock), YOKE_OK);
    close_scene(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_wait_for_the_only_place_is_part_of_a_cycle),
        cmocka_unit_test(test_a_time_out_for_want_of_a_place_names_a_reader),
    };
    return cmocka_run_group_tests_name("places of a read-write lock", tests, shared_setup, shared_teardown);
}
