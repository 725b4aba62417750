/* The parking lot and the thread records behind it, whatever mode of waiting the environment asks for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/backend.h"
#include "core/domain/participant.h"
#include "core/wait/parking.h"
#include "core/wait/seat.h"
#include "support/child.h"
#include "support/leak.h"
#include "support/shared.h"

#define SLICE_MS (YOKE__SLICE / 1000000)
#define WORDS    512

typedef struct board {
    yoke__a32 words[WORDS];
    yoke__a32 woken;
    yoke__a32 record; /* of the sleeper that came last, + 1 */
    yoke__a32 order;  /* of the sleepers that woke */
} board;

static bool parked_anywhere(uint32_t record)
{
    yoke__bucket *buckets = shared_domain()->layout->buckets;

    for (uint32_t i = 0; i < YOKE__BUCKETS; i++)
        if (yoke__a64_load_acquire(&buckets[i].waiters[record / 64]) >> (record % 64) & 1)
            return true;
    return false;
}

static uint32_t records_of(yoke__token token)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < YOKE__THREADS; i++)
        count += yoke__a32_load_acquire(&shared_domain()->layout->threads[i].owner) == token;
    return count;
}

static yoke__token my_token(void)
{
    return yoke__domain_token(shared_domain());
}

/* ---- sleepers in other processes --------------------------------------------------------------------------------- */

/* Parks on words[0] until it is not 0. */
static int sleeper(void *user)
{
    board *b = user;

    CHILD_CHECK(my_token() != 0);
    yoke__seat *seat = yoke__seat_mine(shared_domain());
    CHILD_CHECK(seat != NULL);
    yoke__a32_store_release(&b->record, seat->bell.thread + 1);
    while (yoke__a32_load_acquire(&b->words[0]) == 0) {
        yoke__park(shared_domain(), &b->words[0], 0, INT64_C(60000000000));
        yoke__a32_add_acq_rel(&b->woken, 1);
    }
    return 0;
}

static pid_t start_sleeper(board *b, uint32_t *record)
{
    yoke__a32_store_relaxed(&b->record, 0);
    pid_t pid = child_start(sleeper, b);
    while (yoke__a32_load_acquire(&b->record) == 0 || !parked_anywhere(yoke__a32_load_acquire(&b->record) - 1))
        (void)usleep(1000);
    assert_true(sleeps(pid));
    *record = yoke__a32_load_acquire(&b->record) - 1;
    return pid;
}

static void test_one_wake_reaches_one_sleeper(void **state)
{
    board   *b = shared_alloc(sizeof *b);
    uint32_t records[3];
    pid_t    pids[3];

    (void)state;
    for (int i = 0; i < 3; i++)
        pids[i] = start_sleeper(b, &records[i]);
    yoke__unpark(shared_domain(), &b->words[0], 1);
    while (yoke__a32_load_acquire(&b->woken) == 0) /* nobody's time-out is near: the wake did that */
        (void)usleep(1000);
    for (int i = 0; i < 3; i++)
        assert_true(sleeps(pids[i])); /* the one that was woken parked again */
    assert_int_equal(yoke__a32_load_acquire(&b->woken), 1);
    yoke__a32_store_release(&b->words[0], 1);
    yoke__fence_seq_cst();
    yoke__unpark(shared_domain(), &b->words[0], UINT32_MAX);
    for (int i = 0; i < 3; i++)
        assert_int_equal(child_join(pids[i]), 0);
    yoke__domain_recover(shared_domain());
    for (int i = 0; i < 3; i++)
        assert_false(parked_anywhere(records[i]));
    shared_free(b);
}

static void wake_the_living(bool reaped)
{
    board   *b = shared_alloc(sizeof *b);
    uint32_t dead_records[4], record;
    pid_t    dead[4];

    for (int i = 0; i < 4; i++)
        dead[i] = start_sleeper(b, &dead_records[i]);
    pid_t living = start_sleeper(b, &record);
    for (int i = 0; i < 4; i++)
        child_kill_unreaped(dead[i]);
    for (int i = 0; reaped && i < 4; i++)
        (void)child_join(dead[i]);
    long long start = milliseconds();
    yoke__a32_store_release(&b->words[0], 1);
    yoke__fence_seq_cst();
    yoke__unpark(shared_domain(), &b->words[0], 1);
    assert_int_equal(child_join(living), 0);
    assert_true(milliseconds() - start < 30000); /* its own time-out is a minute */
    for (int i = 0; !reaped && i < 4; i++)
        (void)child_join(dead[i]);
    shared_free(b);
}

static void test_dead_sleepers_swallow_no_wake(void **state)
{
    (void)state;
    wake_the_living(true);
}

static void test_zombie_sleepers_swallow_no_wake(void **state)
{
    (void)state;
    wake_the_living(false);
}

static void test_recovery_frees_the_records_of_the_dead(void **state)
{
    board   *b = shared_alloc(sizeof *b);
    uint32_t record;
    pid_t    pid = start_sleeper(b, &record);

    (void)state;
    assert_true(parked_anywhere(record));
    child_kill(pid);
    assert_true(yoke__domain_recover(shared_domain()) >= 1);
    assert_false(parked_anywhere(record));
    assert_int_equal(yoke__a32_load_acquire(&shared_domain()->layout->threads[record].owner), 0);
    assert_int_equal(yoke__a64_load_acquire(&shared_domain()->layout->threads[record].key), 0);
    shared_free(b);
}

/* ---- words that share a bucket ----------------------------------------------------------------------------------- */

typedef struct sleep {
    board    *b;
    int       word;
    yoke__a32 done;
} sleep_on;

static void *sleep_in_thread(void *user)
{
    sleep_on *s = user;

    while (yoke__a32_load_acquire(&s->b->words[s->word]) == 0)
        yoke__park(shared_domain(), &s->b->words[s->word], 0, INT64_C(60000000000));
    yoke__a32_store_release(&s->done, 1);
    return NULL;
}

/* With many more words than buckets, words share them; each wake must find its own sleeper. */
static void test_each_of_many_words_wakes_its_own_sleeper(void **state)
{
    enum { THREADS = 40 };
    board    *b = shared_alloc(sizeof *b);
    sleep_on  sleeps_on[THREADS];
    pthread_t threads[THREADS];

    (void)state;
    for (int i = 0; i < THREADS; i++) {
        sleeps_on[i] = (sleep_on){.b = b, .word = i * (WORDS / THREADS)};
        assert_int_equal(pthread_create(&threads[i], NULL, sleep_in_thread, &sleeps_on[i]), 0);
    }
    for (int i = THREADS - 1; i >= 0; i--) {
        yoke__a32_store_release(&b->words[sleeps_on[i].word], 1);
        yoke__fence_seq_cst();
        yoke__unpark(shared_domain(), &b->words[sleeps_on[i].word], 1);
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        for (int k = 0; k < i; k++)
            assert_int_equal(yoke__a32_load_acquire(&sleeps_on[k].done), 0);
    }
    shared_free(b);
}

/* ---- records ----------------------------------------------------------------------------------------------------- */

static void *note_seat(void *user)
{
    yoke__seat **out = user;
    yoke__bell  *bell;

    *out = yoke__seat_mine(shared_domain());
    if (yoke__bell_mine(shared_domain(), &bell) != YOKE_OK || bell != &(*out)->bell)
        *out = NULL;
    return NULL;
}

static void test_a_thread_has_one_record_and_gives_it_back(void **state)
{
    yoke__seat *mine = yoke__seat_mine(shared_domain()), *other = NULL;
    uint32_t    before = records_of(my_token());
    pthread_t   thread;

    (void)state;
    assert_ptr_equal(yoke__seat_mine(shared_domain()), mine);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(pthread_create(&thread, NULL, note_seat, &other), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_non_null(other);
        assert_ptr_not_equal(other, mine);
        assert_int_equal(records_of(my_token()), before);
    }
}

static int has_its_own_record(void *user)
{
    uint32_t    parents = *(uint32_t *)user;
    yoke__bell *bell;

    CHILD_CHECK(yoke__bell_mine(shared_domain(), &bell) == YOKE_OK);
    CHILD_CHECK(bell->thread != parents);
    CHILD_CHECK(records_of(my_token()) == 1);
    CHILD_CHECK(yoke__bell_ring(shared_domain(), bell->thread));
    CHILD_CHECK(yoke__backend()->waiting->bell_wait(bell->native, 0) == YOKE_OK);
    return 0;
}

static void test_a_forked_child_has_a_record_and_a_bell_of_its_own(void **state)
{
    yoke__bell *bell;

    (void)state;
    assert_int_equal(yoke__bell_mine(shared_domain(), &bell), YOKE_OK);
    uint32_t index = bell->thread;
    assert_int_equal(child_join(child_start(has_its_own_record, &index)), 0);
    assert_true(yoke__bell_ring(shared_domain(), index));
    assert_int_equal(yoke__backend()->waiting->bell_wait(bell->native, 0), YOKE_OK);
}

/* A ring that was meant for a watcher, but taken by the parking lot on the same thread, is not lost. */
static void test_parking_keeps_a_watchers_ring(void **state)
{
    board      *b = shared_alloc(sizeof *b);
    yoke__bell *bell;

    (void)state;
    assert_int_equal(yoke__bell_mine(shared_domain(), &bell), YOKE_OK);
    yoke__backend()->waiting->bell_clear(bell->native);
    assert_true(yoke__bell_ring(shared_domain(), bell->thread));
    yoke__park(shared_domain(), &b->words[0], 0, 5000000);
    assert_int_equal(yoke__backend()->waiting->bell_wait(bell->native, 0), YOKE_OK);
    shared_free(b);
}

/* More threads asleep than the table has records: they look again soon instead of failing. */
static int naps_without_a_record(void *user)
{
    board        *b = user;
    yoke__thread *threads = shared_domain()->layout->threads;
    yoke__token   token = my_token();

    CHILD_CHECK(token != 0);
    for (uint32_t i = 0; i < YOKE__THREADS; i++) {
        uint32_t nobody = 0;
        (void)yoke__a32_cas_acq_rel(&threads[i].owner, &nobody, token);
    }
    CHILD_CHECK(yoke__seat_mine(shared_domain()) == NULL);
    long long start = milliseconds();
    for (int i = 0; i < 10; i++)
        yoke__park(shared_domain(), &b->words[0], 0, YOKE__SLICE);
    CHILD_CHECK(milliseconds() - start >= 10);
    CHILD_CHECK(milliseconds() - start < 10 * SLICE_MS);
    yoke__bell *bell;
    CHILD_CHECK(yoke__bell_mine(shared_domain(), &bell) == YOKE_ENOMEM);
    return 0;
}

static void test_a_full_table_degrades_to_short_sleeps(void **state)
{
    board *b = shared_alloc(sizeof *b);

    (void)state;
    assert_int_equal(child_join(child_start(naps_without_a_record, b)), 0);
    yoke__domain_recover(shared_domain());
    assert_true(records_of(0) > YOKE__THREADS / 2);
    shared_free(b);
}

static void test_who_waits_for_what_is_recorded(void **state)
{
    yoke__thread *record = yoke__seat_record(yoke__seat_mine(shared_domain()));

    (void)state;
    yoke__wait_begin(shared_domain(), 4711);
    assert_int_equal(yoke__a64_load_acquire(&record->waits_for), 4711);
    assert_true(yoke__a64_load_acquire(&record->since) > 0);
    yoke__wait_end(shared_domain());
    assert_int_equal(yoke__a64_load_acquire(&record->waits_for), 0);
}

static int setup(void **state)
{
    yoke_domain *domain;
    yoke__bell  *bell;

    if (setenv("YOKE_WAIT", "parking", 1) != 0 || yoke__domain_default(&domain) != YOKE_OK ||
        yoke__bell_mine(domain, &bell) != YOKE_OK)
        return -1;
    return shared_setup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_wake_reaches_one_sleeper),
        cmocka_unit_test(test_dead_sleepers_swallow_no_wake),
        cmocka_unit_test(test_zombie_sleepers_swallow_no_wake),
        cmocka_unit_test(test_recovery_frees_the_records_of_the_dead),
        cmocka_unit_test(test_each_of_many_words_wakes_its_own_sleeper),
        cmocka_unit_test(test_a_thread_has_one_record_and_gives_it_back),
        cmocka_unit_test(test_a_forked_child_has_a_record_and_a_bell_of_its_own),
        cmocka_unit_test(test_parking_keeps_a_watchers_ring),
        cmocka_unit_test(test_a_full_table_degrades_to_short_sleeps),
        cmocka_unit_test(test_who_waits_for_what_is_recorded),
    };
    return cmocka_run_group_tests_name("parking", tests, setup, shared_teardown);
}
