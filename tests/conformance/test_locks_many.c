/* What holds for all kinds of locks: they go as arguments and inside messages, and as many as one likes cost no descriptor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/leak.h"
#include "support/process.h"

#include <yoke/yoke.h>

enum { MANY = 100000 };

/* Both locks are the parent's, which holds them; the ones in the message are the same again. */
static int finds_them_held(const yoke_args *args)
{
    yoke_queue   *queue = yoke_args_queue(args, 0);
    yoke_rlock   *rlock = yoke_args_rlock(args, 1);
    yoke_rwlock  *rwlock = yoke_args_rwlock(args, 2);
    yoke_variant *message;

    YOKE_TRY(yoke_queue_get_variant(queue, &message, YOKE_FOREVER));
    yoke_rlock  *second = yoke_variant_take_rlock(yoke_variant_at(message, 0));
    yoke_rwlock *third = yoke_variant_take_rwlock(yoke_variant_at(message, 1));
    yoke_variant_free(message);
    if (yoke_rlock_acquire(rlock, YOKE_NOWAIT) != YOKE_ETIMEDOUT || yoke_rlock_release(second) != YOKE_ENOTOWNER)
        return 1;
    if (yoke_rwlock_acquire_shared(rwlock, YOKE_NOWAIT) != YOKE_OK || yoke_rwlock_readers(third) != 2)
        return 2;
    if (yoke_rwlock_acquire_exclusive(third, YOKE_NOWAIT) != YOKE_EDEADLK)
        return 3;
    if (yoke_rwlock_release_shared(third) != YOKE_OK)
        return 4;
    yoke_rlock_close(second);
    yoke_rwlock_close(third);
    return 0;
}

static void test_they_go_as_arguments_and_inside_messages(void **state)
{
    yoke_queue   *queue;
    yoke_rlock   *rlock;
    yoke_rwlock  *rwlock;
    yoke_process *process;

    (void)state;
    assert_int_equal(yoke_queue_create(&queue, NULL), YOKE_OK);
    assert_int_equal(yoke_rlock_create(&rlock, NULL), YOKE_OK);
    assert_int_equal(yoke_rwlock_create(&rwlock, NULL), YOKE_OK);
    assert_int_equal(yoke_rlock_acquire(rlock, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_rwlock_acquire_shared(rwlock, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_process_start(&process, finds_them_held, YOKE_ARGS(queue, rlock, rwlock), NULL), YOKE_OK);
    assert_int_equal(yoke_queue_put_variant(queue, YOKE_ARGS(rlock, rwlock), YOKE_FOREVER), YOKE_OK);
    assert_int_equal(finish(process).code, 0);
    assert_int_equal(yoke_rlock_release(rlock), YOKE_OK);
    assert_int_equal(yoke_rwlock_release_shared(rwlock), YOKE_OK);
    yoke_rwlock_close(rwlock);
    yoke_rlock_close(rlock);
    yoke_queue_close(queue);
}

static void test_a_hundred_thousand_locks_take_no_descriptor(void **state)
{
    yoke_lock **locks = calloc(MANY, sizeof *locks);
    int         before;

    (void)state;
    assert_non_null(locks);
    assert_int_equal(yoke_lock_create(&locks[0], NULL), YOKE_OK); /* and with it the domain */
    before = leak_descriptors();
    for (int i = 1; i < MANY; i++)
        assert_int_equal(yoke_lock_create(&locks[i], NULL), YOKE_OK);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(yoke_lock_acquire(locks[i], YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(leak_descriptors(), before);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(yoke_lock_release(locks[i]), YOKE_OK);
    for (int i = 0; i < MANY; i++)
        yoke_lock_close(locks[i]);
    free(locks);
}

int main(int argc, char **argv)
{
    yoke_main(argc, argv);
    const struct CMUnitTest sent[] = {cmocka_unit_test(test_they_go_as_arguments_and_inside_messages)};
    const struct CMUnitTest many[] = {cmocka_unit_test(test_a_hundred_thousand_locks_take_no_descriptor)};

    return run_under_methods(sent) + cmocka_run_group_tests_name("many locks", many, NULL, NULL);
}
