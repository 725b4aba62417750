/* Waiting on an address among threads: by the backend's own call, and by the table that serves where there is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "backends/posix/wait.h"
#include "core/backend.h"
#include "support/child.h"

typedef struct way {
    int (*wait)(const uint32_t *word, uint32_t expected, int64_t timeout);
    void (*wake)(const uint32_t *word, uint32_t count);
} way;

static way by_system, by_table = {yoke__posix_table_wait, yoke__posix_table_wake};

static void a_changed_word_is_not_waited_for(const way *w)
{
    uint32_t word = 1;

    assert_int_equal(w->wait(&word, 2, INT64_MAX), YOKE_OK);
}

static void the_time_out_ends_it(const way *w)
{
    uint32_t  word = 1;
    long long start = milliseconds();

    assert_int_equal(w->wait(&word, 1, 0), YOKE_ETIMEDOUT);
    assert_int_equal(w->wait(&word, 1, 20000000), YOKE_ETIMEDOUT);
    assert_true(milliseconds() - start >= 19);
}

typedef struct pair {
    const way       *way;
    _Atomic uint32_t turn;
    uint32_t         rounds;
} pair;

/* Without a time-out: a wake-up that got lost would hang the test. */
static void *play(void *user)
{
    pair *p = user;

    for (uint32_t i = 0; i < p->rounds; i++) {
        while (p->turn != 2 * i + 1)
            (void)p->way->wait((const uint32_t *)(const void *)&p->turn, 2 * i, INT64_C(60000000000));
        p->turn = 2 * i + 2;
        p->way->wake((const uint32_t *)(const void *)&p->turn, 1);
    }
    return NULL;
}

static void no_wake_is_lost_between_two_threads(const way *w)
{
    pair      p = {.way = w, .rounds = 2000};
    pthread_t other;
    long long start = milliseconds();

    assert_int_equal(pthread_create(&other, NULL, play, &p), 0);
    for (uint32_t i = 0; i < p.rounds; i++) {
        p.turn = 2 * i + 1;
        w->wake((const uint32_t *)(const void *)&p.turn, 1);
        while (p.turn != 2 * i + 2)
            (void)w->wait((const uint32_t *)(const void *)&p.turn, 2 * i + 1, INT64_C(60000000000));
    }
    assert_int_equal(pthread_join(other, NULL), 0);
    assert_true(milliseconds() - start < 30000);
}

static int wait_in_child(void *user)
{
    uint32_t word = 1;

    return ((way *)user)->wait(&word, 1, 1000000) == YOKE_ETIMEDOUT ? 0 : 1;
}

static void a_forked_child_can_wait(const way *w)
{
    way copy = *w;

    assert_int_equal(child_join(child_start(wait_in_child, &copy)), 0);
}

static void run(const way *w)
{
    a_changed_word_is_not_waited_for(w);
    the_time_out_ends_it(w);
    no_wake_is_lost_between_two_threads(w);
    a_forked_child_can_wait(w);
}

static void test_by_the_system(void **state)
{
    (void)state;
    by_system = (way){yoke__backend()->waiting->wait_local, yoke__backend()->waiting->wake_local};
    run(&by_system);
}

static void test_by_the_table(void **state)
{
    (void)state;
    run(&by_table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_the_system),
        cmocka_unit_test(test_by_the_table),
    };
    return cmocka_run_group_tests_name("local wait", tests, NULL, NULL);
}
