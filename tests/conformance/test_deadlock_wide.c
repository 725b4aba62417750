/* Waits that can never end and are hard to see: over many threads, over domains, over places of which any would do, over a
 * condition's own lock. And what looks like one, and is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/backend.h"
#include "core/domain/domain.h"
#include "support/child.h"
#include "support/shared.h"

#include <yoke/yoke.h>

#ifdef MUTANT_FOUND_BY
#define PATIENCE 5000 /* ms; a planted fault is found by its end */
#else
#define PATIENCE 60000
#endif

enum { MOST = 40 };

/* Threads or processes that each hold one lock, and when all do, want that of the next. */
typedef struct ring {
    yoke_lock  *locks[MOST];
    int         size;
    _Atomic int comes, holding, told, through;
    char        text[600];
} ring;

static yoke_lock *new_lock(yoke_domain *domain)
{
    yoke_lock *lock;

    assert_int_equal(yoke_lock_create(&lock, YOKE_OPTIONS(yoke_lock_options, .domain = domain, .owner_releases = true,
                                                          .detect_deadlock = true)),
                     YOKE_OK);
    return lock;
}

static int take_two(void *user)
{
    ring *r = user;
    int   i = r->comes++, next = (i + 1) % r->size;

    CHILD_CHECK(yoke_lock_acquire(r->locks[i], YOKE_FOREVER) == YOKE_OK);
    r->holding++;
    while (r->holding < r->size)
        (void)sched_yield();
    int result = yoke_lock_acquire(r->locks[next], PATIENCE);
    if (result == YOKE_EDEADLK) {
        (void)snprintf(r->text, sizeof r->text, "%s", yoke_last_error()->text);
        r->told++;
    } else {
        CHILD_CHECK(result == YOKE_OK);
        r->through++;
        CHILD_CHECK(yoke_lock_release(r->locks[next]) == YOKE_OK);
    }
    CHILD_CHECK(yoke_lock_release(r->locks[i]) == YOKE_OK);
    return 0;
}

static void *take_two_in_thread(void *user)
{
    (void)take_two(user);
    return NULL;
}

static void test_forty_threads(void **state)
{
    ring     *r = shared_alloc(sizeof *r);
    pthread_t threads[MOST];
    (void)state;

    r->size = MOST;
    for (int i = 0; i < MOST; i++)
        r->locks[i] = new_lock(NULL);
    for (int i = 0; i < MOST; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_two_in_thread, r), 0);
    for (int i = 0; i < MOST; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(r->told, 1);
    assert_int_equal(r->through, MOST - 1);
    assert_non_null(strstr(r->text, "40 threads in all"));
    for (int i = 0; i < MOST; i++)
        yoke_lock_close(r->locks[i]);
    shared_free(r);
}

/* ---- domains --------------------------------------------------------------------------------------------------------- */

/* The locks of three processes are in three domains, of which one is the default one. */
static void test_processes_over_three_domains(void **state)
{
    ring        *r = shared_alloc(sizeof *r);
    yoke_domain *domains[3] = {NULL};
    pid_t        children[3];
    char         name[64], pid[32];
    (void)state;

    r->size = 3;
    for (int i = 0; i < 3; i++) {
        (void)snprintf(name, sizeof name, "deadlock-%d-%ld", i, (long)getpid());
        if (i > 0) {
            assert_int_equal(yoke_domain_open(&domains[i], name, NULL), YOKE_OK);
            (void)yoke__backend()->memory->unlink(
                domains[i]->name); /* children inherit it: no name has to stay behind a failure */
        }
        r->locks[i] = new_lock(domains[i]);
    }
    for (int i = 0; i < 3; i++)
        children[i] = child_start(take_two, r);
    for (int i = 0; i < 3; i++)
        assert_int_equal(child_join(children[i]), 0);
    assert_int_equal(r->told, 1);
    assert_int_equal(r->through, 2);
    for (int i = 0; i < 3; i++) {
        (void)snprintf(pid, sizeof pid, "(pid %ld, thread ", (long)children[i]);
        assert_non_null(strstr(r->text, pid));
    }
    assert_non_null(strstr(r->text, " of "));
    for (int i = 0; i < 3; i++) {
        yoke_lock_close(r->locks[i]);
        yoke_domain_close(domains[i]);
    }
    shared_free(r);
}

/* ---- any of several places --------------------------------------------------------------------------------------------- */

/* Two readers have both places, and want the lock of one who wants a place. */
typedef struct readers {
    yoke_rwlock *rwlock;
    yoke_lock   *lock;
    bool         one_leaves; /* the second reader does not want the lock, but leaves after a while */
    _Atomic int  comes, inside, told;
} readers;

static int read_and_want_the_lock(void *user)
{
    readers *r = user;
    int      i = r->comes++;

    CHILD_CHECK(yoke_rwlock_acquire_shared(r->rwlock, YOKE_FOREVER) == YOKE_OK);
    r->inside++;
    while (r->inside < 3)
        (void)sched_yield();
    if (r->one_leaves && i == 1) {
        (void)usleep(1500000); /* longer than a deadlock would stand before it is told of */
    } else {
        int result = yoke_lock_acquire(r->lock, PATIENCE);
        CHILD_CHECK(result == YOKE_OK || result == YOKE_EDEADLK);
        r->told += result == YOKE_EDEADLK;
        if (result == YOKE_OK)
            CHILD_CHECK(yoke_lock_release(r->lock) == YOKE_OK);
    }
    CHILD_CHECK(yoke_rwlock_release_shared(r->rwlock) == YOKE_OK);
    return 0;
}

static int hold_the_lock_and_want_a_place(void *user)
{
    readers *r = user;

    CHILD_CHECK(yoke_lock_acquire(r->lock, YOKE_FOREVER) == YOKE_OK);
    while (r->inside < 2)
        (void)sched_yield();
    r->inside++;
    int result = yoke_rwlock_acquire_shared(r->rwlock, PATIENCE);
    CHILD_CHECK(result == YOKE_OK || result == YOKE_EDEADLK);
    r->told += result == YOKE_EDEADLK;
    if (result == YOKE_OK)
        CHILD_CHECK(yoke_rwlock_release_shared(r->rwlock) == YOKE_OK);
    CHILD_CHECK(yoke_lock_release(r->lock) == YOKE_OK);
    return 0;
}

/* How many were told. */
static int want_places(bool one_leaves)
{
    readers *r = shared_alloc(sizeof *r);
    pid_t    children[3];

    r->one_leaves = one_leaves;
    r->lock = new_lock(NULL);
    assert_int_equal(
        yoke_rwlock_create(&r->rwlock, YOKE_OPTIONS(yoke_rwlock_options, .max_readers = 2, .detect_deadlock = true)),
        YOKE_OK);
    children[0] = child_start(read_and_want_the_lock, r);
    children[1] = child_start(read_and_want_the_lock, r);
    children[2] = child_start(hold_the_lock_and_want_a_place, r);
    for (int i = 0; i < 3; i++)
        assert_int_equal(child_join(children[i]), 0);
    int told = r->told;
    yoke_lock_close(r->lock);
    yoke_rwlock_close(r->rwlock);
    shared_free(r);
    return told;
}

static void test_who_waits_for_any_of_two_places(void **state)
{
    (void)state;
    assert_in_range(want_places(false), 1, 2); /* two of the readers' ways back are as good */
}

static void test_one_reader_that_will_leave_is_enough_to_go_on(void **state)
{
    (void)state;
    assert_int_equal(want_places(true), 0);
}

/* ---- a condition's own lock --------------------------------------------------------------------------------------------- */

typedef struct crossing {
    yoke_condition *condition;
    yoke_rlock     *rlock;
    _Atomic int     holding, told;
} crossing;

static int condition_first(void *user)
{
    crossing *c = user;

    CHILD_CHECK(yoke_condition_acquire(c->condition, YOKE_FOREVER) == YOKE_OK);
    c->holding++;
    while (c->holding < 2)
        (void)sched_yield();
    int result = yoke_rlock_acquire(c->rlock, PATIENCE);
    CHILD_CHECK(result == YOKE_OK || result == YOKE_EDEADLK);
    c->told += result == YOKE_EDEADLK;
    if (result == YOKE_OK)
        CHILD_CHECK(yoke_rlock_release(c->rlock) == YOKE_OK);
    CHILD_CHECK(yoke_condition_release(c->condition) == YOKE_OK);
    return 0;
}

static int lock_first(void *user)
{
    crossing *c = user;

    CHILD_CHECK(yoke_rlock_acquire(c->rlock, YOKE_FOREVER) == YOKE_OK);
    c->holding++;
    while (c->holding < 2)
        (void)sched_yield();
    int result = yoke_condition_acquire(c->condition, PATIENCE);
    CHILD_CHECK(result == YOKE_OK || result == YOKE_EDEADLK);
    c->told += result == YOKE_EDEADLK;
    if (result == YOKE_OK)
        CHILD_CHECK(yoke_condition_release(c->condition) == YOKE_OK);
    CHILD_CHECK(yoke_rlock_release(c->rlock) == YOKE_OK);
    return 0;
}

/* Only who waits for the condition's lock looks. */
static void test_a_conditions_own_lock(void **state)
{
    crossing *c = shared_alloc(sizeof *c);
    (void)state;

    assert_int_equal(
        yoke_condition_create(&c->condition, YOKE_OPTIONS(yoke_condition_options, .detect_deadlock = true)), YOKE_OK);
    assert_int_equal(yoke_rlock_create(&c->rlock, NULL), YOKE_OK);
    pid_t first = child_start(condition_first, c), second = child_start(lock_first, c);
    assert_int_equal(child_join(first), 0);
    assert_int_equal(child_join(second), 0);
    assert_int_equal(c->told, 1);
    yoke_condition_close(c->condition);
    yoke_rlock_close(c->rlock);
    shared_free(c);
}

static void test_a_given_lock_has_that_option_itself(void **state)
{
    yoke_lock      *lock = new_lock(NULL);
    yoke_condition *condition = NULL;
    (void)state;

    assert_int_equal(
        yoke_condition_create(&condition, YOKE_OPTIONS(yoke_condition_options, .lock = lock, .detect_deadlock = true)),
        YOKE_EINVAL);
    assert_null(condition);
    yoke_lock_close(lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forty_threads),
        cmocka_unit_test(test_processes_over_three_domains),
        cmocka_unit_test(test_who_waits_for_any_of_two_places),
        cmocka_unit_test(test_one_reader_that_will_leave_is_enough_to_go_on),
        cmocka_unit_test(test_a_conditions_own_lock),
        cmocka_unit_test(test_a_given_lock_has_that_option_itself),
    };
    return cmocka_run_group_tests_name("deadlocks seen from afar", tests, shared_setup, shared_teardown);
}
