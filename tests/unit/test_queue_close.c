/* A handle closed by one thread while another waits in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include <yoke/yoke.h>

#include "core/queue/queue.h"
#include "support/leak.h"
#include "support/queues.h"

static struct {
    yoke_queue *_Atomic queue; /* to wait in, or NULL */
    _Atomic int         code;
    _Atomic bool        over;
} getter;

static void *wait_in_queues(void *unused)
{
    char text[8];

    (void)unused;
    while (!getter.over) {
        yoke_queue *queue = getter.queue;
        if (!queue)
            continue;
        getter.queue = NULL;
        getter.code = yoke_queue_get_string(queue, text, sizeof text, YOKE_FOREVER);
    }
    return NULL;
}

static void busy(long nanoseconds)
{
    struct timespec start;
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &start);
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - start.tv_sec) * 1000000000L + now.tv_nsec - start.tv_nsec < nanoseconds);
}

static void test_a_getter_is_told_whether_it_spins_or_sleeps(void **state)
{
    pthread_t thread;

    (void)state;
    getter.over = false;
    assert_int_equal(pthread_create(&thread, NULL, wait_in_queues, NULL), 0);
    for (int round = 0; round < 200; round++) {
        yoke_queue *queue = new_queue(.max_items = 0);
        getter.code = 77;
        getter.queue = queue;
        while (!yoke__a32_load_acquire(&queue->handle.users)) /* past its first look: it waits */
            continue;
        busy(round * 500L); /* for some spinning still, for others asleep */
        yoke_queue_close(queue);
        while (getter.code == 77)
            continue;
        assert_int_equal(getter.code, YOKE_ECLOSED);
    }
    getter.over = true;
    pthread_join(thread, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_getter_is_told_whether_it_spins_or_sleeps),
    };
    return cmocka_run_group_tests_name("queue, closed", tests, queues_setup, leak_teardown);
}
