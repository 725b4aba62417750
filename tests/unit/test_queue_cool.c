/* Blocks of large messages that were got are freed a little later: when they are, and by whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <yoke/yoke.h>

#include "core/queue/queue.h"
#include "support/child.h"
#include "support/leak.h"
#include "support/queues.h"

#define LARGE 65536u

static char message[LARGE];

static void put_and_get(yoke_queue *queue, int count)
{
    for (int i = 0; i < count; i++) {
        assert_int_equal(yoke_queue_put(queue, message, sizeof message, YOKE_NOWAIT), YOKE_OK);
        assert_int_equal(yoke_queue_get(queue, message, sizeof message, NULL, YOKE_NOWAIT), YOKE_OK);
    }
}

static void find_nothing(yoke_queue *queue)
{
    assert_int_equal(yoke_queue_get(queue, message, sizeof message, NULL, YOKE_NOWAIT), YOKE_ETIMEDOUT);
}

static void test_who_finds_nothing_keeps_no_memory(void **state)
{
    yoke_queue *queue = new_queue(.max_items = 0);
    uint64_t    before = heap_stats().owned_blocks;

    (void)state;
    put_and_get(queue, 300);
    find_nothing(queue);
    assert_int_equal(heap_stats().owned_blocks, before);
    put_and_get(queue, 3);
    assert_int_equal(yoke_queue_get(queue, message, sizeof message, NULL, 1), YOKE_ETIMEDOUT);
    assert_int_equal(heap_stats().owned_blocks, before);
    yoke_queue_close(queue);
}

static void test_what_is_kept_is_bounded(void **state)
{
    yoke_queue *queue = new_queue(.max_items = 0);
    uint64_t    before = heap_stats().owned_blocks;

    (void)state;
    put_and_get(queue, 1000);
    assert_in_range(heap_stats().owned_blocks - before, 0, (4 << 20) / LARGE);
    yoke_queue_close(queue);
}

static void test_a_close_keeps_nothing(void **state)
{
    uint64_t    before = heap_stats().owned_blocks;
    yoke_queue *queue = new_queue(.max_items = 0);

    (void)state;
    put_and_get(queue, 100);
    yoke_queue_close(queue);
    assert_int_equal(heap_stats().owned_blocks, before);
}

static void test_a_shutdown_keeps_nothing(void **state)
{
    yoke_queue *queue = new_queue(.max_items = 0);
    uint64_t    before = heap_stats().owned_blocks;

    (void)state;
    put_and_get(queue, 100);
    assert_int_equal(yoke_queue_shutdown(queue, YOKE_DRAIN), 0);
    assert_int_equal(yoke_queue_get(queue, message, sizeof message, NULL, YOKE_NOWAIT), YOKE_ESHUTDOWN);
    assert_int_equal(heap_stats().owned_blocks, before);
    yoke_queue_close(queue);
}

static int child(void *user)
{
    yoke_queue *queue = (yoke_queue *)user;
    uint64_t    before;

    CHILD_CHECK(yoke_queue_get(queue, message, sizeof message, NULL, YOKE_NOWAIT) == YOKE_ETIMEDOUT);
    before = heap_stats().owned_blocks;
    CHILD_CHECK(yoke_queue_put(queue, message, sizeof message, YOKE_NOWAIT) == YOKE_OK);
    CHILD_CHECK(yoke_queue_get(queue, message, sizeof message, NULL, YOKE_NOWAIT) == YOKE_OK);
    CHILD_CHECK(yoke_queue_get(queue, message, sizeof message, NULL, YOKE_NOWAIT) == YOKE_ETIMEDOUT);
    CHILD_CHECK(heap_stats().owned_blocks == before);
    for (int i = 0; i < 10; i++) { /* left for the recovery */
        CHILD_CHECK(yoke_queue_put(queue, message, sizeof message, YOKE_NOWAIT) == YOKE_OK);
        CHILD_CHECK(yoke_queue_get(queue, message, sizeof message, NULL, YOKE_NOWAIT) == YOKE_OK);
    }
    _exit(0);
}

static void test_a_forked_child_frees_its_own_and_not_its_parents(void **state)
{
    yoke_queue *queue = new_queue(.max_items = 0);
    uint64_t    before = heap_stats().owned_blocks;

    (void)state;
    put_and_get(queue, 10);
    assert_int_equal(child_join(child_start(child, queue)), 0);
    put_and_get(queue, 10);
    for (int i = 0; i < 100 && heap_stats().owned_blocks != before; i++) /* the child's death is found out by a slice */
        assert_int_equal(yoke_queue_get(queue, message, sizeof message, NULL, 160), YOKE_ETIMEDOUT);
    assert_int_equal(heap_stats().owned_blocks, before);
    yoke_queue_close(queue);
}

enum { QUEUES = 80, EACH = 16 };

/* Each gets messages in turn, and none finds nothing. */
static void use_in_turn(yoke_domain *domain, uint64_t *most)
{
    yoke_queue       *queues[QUEUES];
    yoke__alloc_stats before;
    yoke__alloc_stats after;

    for (int i = 0; i < QUEUES; i++)
        queues[i] = new_queue(.domain = domain);
    assert_int_equal(yoke__alloc_check(domain, &before), YOKE_OK);
    for (int i = 0; i < QUEUES; i++)
        put_and_get(queues[i], EACH);
    assert_int_equal(yoke__alloc_check(domain, &after), YOKE_OK);
    *most = after.owned_blocks - before.owned_blocks;
    for (int i = 0; i < QUEUES; i++)
        yoke_queue_close(queues[i]);
}

static void test_many_queues_keep_no_more_than_one(void **state)
{
    yoke_domain *domain;
    uint64_t     most;

    (void)state;
    assert_int_equal(yoke__domain_default(&domain), YOKE_OK);
    use_in_turn(domain, &most);
    assert_in_range(most, 1, (4 << 20) / LARGE);
    use_in_turn(domain, &most); /* what was kept does not count any more */
    assert_in_range(most, 1, (4 << 20) / LARGE);
}

static void test_a_domain_with_a_budget_has_all_of_it(void **state)
{
    char         name[64];
    yoke_domain *domain;
    uint64_t     most;

    (void)state;
    snprintf(name, sizeof name, "queue-cool-%ld", (long)getpid());
    assert_int_equal(yoke_domain_open(&domain, name, YOKE_OPTIONS(yoke_domain_options, .max_bytes = 16 << 20)),
                     YOKE_OK);
    use_in_turn(domain, &most);
    assert_int_equal(most, 0);
    yoke_domain_close(domain);
}

/* What a thread does at the end of a get, another one having closed the handle meanwhile. */
static void test_a_late_call_keeps_nothing_in_a_closed_handle(void **state)
{
    uint64_t             before = heap_stats().owned_blocks;
    yoke_queue          *queue = new_queue(.max_items = 0);
    yoke__message_block *block;
    yoke__queue          late;

    (void)state;
    put_and_get(queue, 3);
    assert_true(yoke__queue_of(&late, queue));
    assert_int_equal(yoke__message_new_block(&block, &late, YOKE__CONTENT_BYTES, LARGE, 0), YOKE_OK);
    yoke_queue_close(queue);
    yoke__queue_free_later(&late, block);
    assert_int_equal(heap_stats().owned_blocks, before);
    yoke__queue_free_kept(&late);
}

typedef struct getters {
    yoke_queue *queue;
    atomic_int  left;
} getters;

static void *get_all(void *user)
{
    getters *all = (getters *)user;
    char    *bytes = (char *)malloc(LARGE);

    while (bytes && atomic_load(&all->left) > 0)
        if (yoke_queue_get(all->queue, bytes, LARGE, NULL, YOKE_NOWAIT) == YOKE_OK)
            atomic_fetch_sub(&all->left, 1);
    free(bytes);
    return NULL;
}

static void test_a_close_after_threads_that_got_and_found_nothing_keeps_nothing(void **state)
{
    uint64_t  before = heap_stats().owned_blocks;
    pthread_t threads[3];

    (void)state;
    for (int round = 0; round < 30; round++) {
        getters all = {new_queue(.max_items = 0), 200};

        for (int i = 0; i < 3; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, get_all, &all), 0);
        for (int i = 0; i < 200; i++)
            assert_int_equal(yoke_queue_put(all.queue, message, sizeof message, YOKE_FOREVER), YOKE_OK);
        for (int i = 0; i < 3; i++)
            pthread_join(threads[i], NULL);
        yoke_queue_close(all.queue);
        assert_int_equal(heap_stats().owned_blocks, before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_finds_nothing_keeps_no_memory),
        cmocka_unit_test(test_what_is_kept_is_bounded),
        cmocka_unit_test(test_a_close_keeps_nothing),
        cmocka_unit_test(test_a_shutdown_keeps_nothing),
        cmocka_unit_test(test_a_forked_child_frees_its_own_and_not_its_parents),
        cmocka_unit_test(test_many_queues_keep_no_more_than_one),
        cmocka_unit_test(test_a_domain_with_a_budget_has_all_of_it),
        cmocka_unit_test(test_a_late_call_keeps_nothing_in_a_closed_handle),
        cmocka_unit_test(test_a_close_after_threads_that_got_and_found_nothing_keeps_nothing),
    };
    return cmocka_run_group_tests_name("queue, blocks freed later", tests, queues_setup, leak_teardown);
}
