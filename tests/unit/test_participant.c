/* Slots, tokens, deaths. */
#include "core/backend.h"
#include "core/domain/allocator.h"
#include "core/domain/directory.h"
#include "core/domain/participant.h"
#include "core/domain/watch.h"
#include "core/sync/owner_word.h"
#include "support/child.h"
#include "support/leak.h"
#include "support/shared.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static yoke_domain *domain(void)
{
    return shared_domain();
}

/* What children tell the test. */
static struct {
    yoke__a32 token, go;
} * told;

static uint64_t word_of(yoke__token token)
{
    return yoke__a64_load_acquire(&yoke__participant_of(domain(), token)->word);
}

static int join_and_wait(void *user)
{
    (void)user;
    yoke__token token = yoke__domain_token(domain());
    CHILD_CHECK(token != 0);
    yoke__a32_store_release(&told->token, token);
    while (pause() != 0)
        ;
    return 0;
}

static pid_t start_joined(yoke__token *token)
{
    yoke__a32_store_release(&told->token, 0);
    pid_t child = child_start(join_and_wait, NULL);
    while (!(*token = yoke__a32_load_acquire(&told->token)))
        yoke__backend()->system->yield();
    return child;
}

static void a_slot_tells_who_has_it(void **state)
{
    (void)state;
    yoke__token        token = yoke__domain_token(domain());
    yoke__participant *me = yoke__participant_of(domain(), token);
    yoke__obituary     who;

    assert_int_equal(yoke__slot_state_of(word_of(token)), YOKE__SLOT_LIVE);
    assert_int_equal(yoke__slot_pid(word_of(token)), getpid());
    assert_int_equal(yoke__slot_generation(word_of(token)), yoke__token_generation(token));
    assert_true(yoke__a64_load_relaxed(&me->start) != 0);
    assert_true(yoke__token_alive(domain(), token));
    assert_true(yoke__token_alive(domain(), token | YOKE__WAITERS));
    yoke__token_describe(domain(), token, &who);
    assert_int_equal(who.pid, getpid());
    assert_true(who.name[0] != 0);
}

static void a_fork_makes_another_participant(void **state)
{
    (void)state;
    yoke__token token;
    pid_t       child = start_joined(&token);

    assert_int_not_equal(token, yoke__domain_token(domain()));
    assert_true(yoke__token_alive(domain(), token));
    assert_int_equal(yoke__slot_pid(word_of(token)), child);
    child_kill(child);
    assert_false(yoke__token_alive(domain(), token));
    assert_int_equal(yoke__domain_recover(domain()), 1);
}

static void an_unreaped_zombie_is_dead(void **state)
{
    (void)state;
    yoke__token token;
    pid_t       child = start_joined(&token);

    child_kill_unreaped(child);
    assert_false(yoke__token_alive(domain(), token));
    yoke__watch_clear();
    assert_false(yoke__token_alive(domain(), token)); /* nor does a new watch see life in it */
    assert_int_equal(yoke__domain_recover(domain()), 1);
    assert_int_equal(child_join(child), 1000 + SIGKILL);
}

static void *outlive_the_main_thread(void *user)
{
    (void)user;
    yoke__a32_store_release(&told->token, yoke__domain_token(domain()));
    while (!yoke__a32_load_acquire(&told->go))
        (void)yoke__backend()->waiting->wait_word((const uint32_t *)&told->go, 0, INT64_C(100000000));
    _exit(0);
}

static int leave_main(void *user)
{
    pthread_t thread;
    (void)user;
    CHILD_CHECK(pthread_create(&thread, NULL, outlive_the_main_thread, NULL) == 0);
    pthread_exit(NULL);
    return 0;
}

/* /proc says Z of such a process. */
static void a_process_whose_main_thread_has_ended_is_alive(void **state)
{
    (void)state;
    yoke__token token;

    yoke__a32_store_release(&told->token, 0);
    yoke__a32_store_release(&told->go, 0);
    pid_t child = child_start(leave_main, NULL);
    while (!(token = yoke__a32_load_acquire(&told->token)))
        yoke__backend()->system->yield();
    assert_true(yoke__token_alive(domain(), token));
    yoke__watch_clear();
    assert_true(yoke__token_alive(domain(), token));
    yoke__a32_store_release(&told->go, 1);
    yoke__backend()->waiting->wake_word((const uint32_t *)&told->go, 1);
    assert_int_equal(child_join(child), 0);
    assert_int_equal(yoke__domain_recover(domain()), 1);
}

static void a_pid_with_another_start_time_is_dead(void **state)
{
    (void)state;
    yoke__token        token;
    pid_t              child = start_joined(&token);
    yoke__participant *slot = yoke__participant_of(domain(), token);
    uint64_t           start = yoke__a64_load_relaxed(&slot->start);

    yoke__a64_store_relaxed(&slot->start, start + 1);
    assert_false(yoke__token_alive(domain(), token));
    yoke__a64_store_relaxed(&slot->start, start);
    assert_true(yoke__token_alive(domain(), token));
    yoke__a64_store_relaxed(&slot->space, 12345); /* another namespace: nobody can tell */
    assert_true(yoke__token_alive(domain(), token));
    child_kill(child);
    assert_true(yoke__token_alive(domain(), token));
    yoke__a64_store_relaxed(&slot->space, yoke__domain_header(domain())->space);
    assert_false(yoke__token_alive(domain(), token));
    assert_int_equal(yoke__domain_recover(domain()), 1);
}

static void a_token_of_another_generation_is_dead(void **state)
{
    (void)state;
    yoke__token mine = yoke__domain_token(domain());
    uint32_t    slot = yoke__token_slot(mine), generation = yoke__token_generation(mine);

    assert_false(yoke__token_alive(domain(), yoke__token_make(slot, generation + 1)));
    assert_false(yoke__token_alive(domain(), yoke__token_make(slot, 0)));
    assert_false(yoke__token_alive(domain(), yoke__token_make((slot + 5) % YOKE__PARTICIPANTS, 1)));
    assert_false(yoke__token_alive(domain(), 0));
}

static void a_recovered_slot_has_the_next_generation(void **state)
{
    (void)state;
    yoke__token token;
    pid_t       child = start_joined(&token);

    child_kill(child);
    assert_int_equal(yoke__domain_recover(domain()), 1);
    assert_int_equal(yoke__slot_state_of(word_of(token)), YOKE__SLOT_FREE);
    assert_int_equal(yoke__slot_generation(word_of(token)), yoke__token_generation(token) + 1);
    assert_int_equal(yoke__domain_recover(domain()), 0);
    /* The generation that would follow the last one is the first. */
    yoke__participant *slot = yoke__participant_of(domain(), token);
    yoke__a64_store_relaxed(&slot->word, yoke__slot_word(YOKE__GENERATIONS - 1, YOKE__SLOT_FREE, 0));
    yoke__a32 *slots = &yoke__domain_header(domain())->slots; /* the next one claimed */
    yoke__a32_store_relaxed(slots, (yoke__a32_load_relaxed(slots) & 0xffff0000u) | yoke__token_slot(token));
    child = start_joined(&token);
    assert_int_equal(yoke__token_generation(token), YOKE__GENERATIONS - 1);
    child_kill(child);
    assert_int_equal(yoke__domain_recover(domain()), 1);
    assert_int_equal(yoke__slot_generation(word_of(token)), 1);
}

static void who_died_while_joining_is_recovered(void **state)
{
    (void)state;
    pid_t child = child_start(join_and_wait, NULL);
    child_kill(child);
    (void)yoke__domain_recover(domain());
    uint32_t           index = yoke__slot_bound(domain()) - 1;
    yoke__participant *slot = &domain()->layout->participants[index];
    uint64_t           before = yoke__a64_load_relaxed(&slot->word);

    yoke__a64_store_release(&slot->word, yoke__slot_word(7, YOKE__SLOT_JOINING, (uint64_t)child));
    assert_false(yoke__token_alive(domain(), yoke__token_make(index, 7)));
    assert_int_equal(yoke__domain_recover(domain()), 1);
    assert_true(yoke__a64_load_relaxed(&slot->word) == yoke__slot_word(8, YOKE__SLOT_FREE, 0));
    yoke__a64_store_release(&slot->word, yoke__slot_word(7, YOKE__SLOT_JOINING, (uint64_t)getpid()));
    assert_true(yoke__token_alive(domain(), yoke__token_make(index, 7)));
    assert_int_equal(yoke__domain_recover(domain()), 0);
    yoke__a64_store_release(&slot->word, before);
}

static int die_holding(void *word)
{
    CHILD_CHECK(yoke__owner_acquire(domain(), word, INT64_MAX, NULL) == YOKE_OK);
    CHILD_CHECK(yoke__alloc(domain(), 100000, 0) != NULL);
    (void)raise(SIGKILL);
    return 0;
}

static void blocks_of_the_dead_come_back(void **state)
{
    (void)state;
    yoke__a32        *word = shared_alloc(64);
    yoke__alloc_stats before, after;
    yoke__token       dead = 0;

    assert_int_equal(yoke__alloc_check(domain(), &before), YOKE_OK);
    assert_int_equal(child_join(child_start(die_holding, word)), 1000 + SIGKILL);
    assert_int_equal(yoke__owner_acquire(domain(), word, INT64_MAX, &dead), YOKE_OWNER_DIED);
    assert_int_equal(yoke__domain_recover(domain()), 1);
    assert_int_equal(yoke__alloc_check(domain(), &after), YOKE_OK);
    assert_int_equal(after.token_blocks, before.token_blocks);
    yoke__owner_release(domain(), word);
    shared_free(word);
}

static void a_death_is_remembered(void **state)
{
    (void)state;
    yoke__token    token;
    pid_t          child = start_joined(&token);
    yoke__obituary who;

    yoke__participant_rename(yoke__participant_of(domain(), token), "Process-7");
    child_kill(child);
    assert_false(yoke__obituary_of(domain(), token, &who));
    yoke__token_describe(domain(), token, &who);
    assert_string_equal(who.name, "Process-7");
    assert_int_equal(yoke__domain_recover(domain()), 1);
    assert_true(yoke__obituary_of(domain(), token | YOKE__WAITERS, &who));
    assert_int_equal(who.pid, child);
    assert_int_equal(who.how, 0);
    assert_string_equal(who.name, "Process-7");
    yoke__obituary_note(domain(), child, 2, SIGKILL);
    yoke__token_describe(domain(), token, &who);
    assert_int_equal(who.how, 2);
    assert_int_equal(who.code, SIGKILL);
    yoke__obituary_note(domain(), 1, 2, SIGKILL); /* not there: nothing */
}

static int join_and_leave(void *user)
{
    (void)user;
    CHILD_CHECK(yoke__domain_token(domain()) != 0);
    yoke__domain_leave(domain());
    CHILD_CHECK(yoke__a32_load_relaxed(&domain()->token) == 0);
    return 0;
}

static void the_ring_of_deaths_forgets_the_oldest(void **state)
{
    (void)state;
    yoke__token    first;
    yoke__obituary who;
    pid_t          child = start_joined(&first);
    uint32_t       epoch = yoke__a32_load_relaxed(&yoke__domain_header(domain())->death_epoch);

    child_kill(child);
    assert_int_equal(yoke__domain_recover(domain()), 1);
    for (uint32_t i = 0; i < YOKE__DEATHS; i++) {
        assert_true(yoke__obituary_of(domain(), first, &who));
        assert_int_equal(child_join(child_start(join_and_leave, NULL)), 0);
        assert_int_equal(yoke__domain_recover(domain()), 1);
    }
    assert_false(yoke__obituary_of(domain(), first, &who));
    yoke__token_describe(domain(), first, &who);
    assert_int_equal(who.pid, 0);
    assert_int_equal(yoke__a32_load_relaxed(&yoke__domain_header(domain())->death_epoch), epoch + 1 + YOKE__DEATHS);
}

static void more_processes_than_slots_may_come_and_go(void **state)
{
    (void)state;
    /* Nobody recovers on purpose: newcomers do, when it gets crowded. */
    for (uint32_t i = 0; i < YOKE__PARTICIPANTS + 100; i++)
        assert_int_equal(child_join(child_start(join_and_leave, NULL)), 0);
    assert_in_range(yoke__a32_load_relaxed(&yoke__domain_header(domain())->participants_live), 1,
                    YOKE__PARTICIPANTS * 3 / 4);
    (void)yoke__domain_recover(domain());
    assert_int_equal(yoke__a32_load_relaxed(&yoke__domain_header(domain())->participants_live), 1);
}

static void a_full_domain_is_an_error(void **state)
{
    (void)state;
    yoke__participant *all = domain()->layout->participants;
    uint64_t           words[YOKE__PARTICIPANTS];

    for (uint32_t i = 0; i < YOKE__PARTICIPANTS; i++) { /* all alive: us */
        words[i] = yoke__a64_load_relaxed(&all[i].word);
        if (yoke__slot_state_of(words[i]) == YOKE__SLOT_FREE)
            yoke__a64_store_relaxed(&all[i].word, yoke__slot_word(1, YOKE__SLOT_JOINING, (uint64_t)getpid()));
    }
    yoke__token mine = yoke__domain_token(domain());
    yoke__a32_store_relaxed(&domain()->token, 0);
    assert_int_equal(yoke__domain_join(domain()), 0);
    assert_int_equal(yoke_last_error()->code, YOKE_ENOMEM);
    assert_non_null(strstr(yoke_last_error()->text, "1024"));
    yoke__a32_store_relaxed(&domain()->token, mine);
    for (uint32_t i = 0; i < YOKE__PARTICIPANTS; i++)
        yoke__a64_store_relaxed(&all[i].word, words[i]);
}

static void thread_records_of_the_dead_are_free_again(void **state)
{
    (void)state;
    yoke__token   token;
    pid_t         child = start_joined(&token);
    uint32_t      index = 777;
    yoke__thread *record = &domain()->layout->threads[index];
    yoke__a64    *waiters = &domain()->layout->buckets[9].waiters[index / 64];

    yoke__a32_store_relaxed(&record->owner, token);
    yoke__a64_store_relaxed(&record->key, 4096);
    yoke__a64_or_acq_rel(waiters, UINT64_C(1) << (index % 64));
    child_kill(child);
    assert_int_equal(yoke__domain_recover(domain()), 1);
    assert_int_equal(yoke__a32_load_relaxed(&record->owner), 0);
    assert_int_equal(yoke__a64_load_relaxed(&record->key), 0);
    assert_int_equal(yoke__a64_load_relaxed(waiters), 0);
}

static int hold_the_registry(void *user)
{
    (void)user;
    yoke__registry_acquire(domain());
    yoke__a32_store_release(&told->token, yoke__domain_token(domain()));
    while (pause() != 0)
        ;
    return 0;
}

static void the_registry_is_taken_from_a_dead_holder(void **state)
{
    (void)state;
    yoke__a32_store_release(&told->token, 0);
    pid_t child = child_start(hold_the_registry, NULL);
    while (!yoke__a32_load_acquire(&told->token))
        yoke__backend()->system->yield();
    child_kill(child);
    yoke__registry_acquire(domain());
    assert_int_equal(yoke__slot_state_of(word_of(yoke__a32_load_acquire(&told->token))), YOKE__SLOT_FREE);
    yoke__registry_release(domain());
}

static void few_descriptors_watch_many_processes(void **state)
{
    (void)state;
    enum { MANY = 40 };
    pid_t       children[MANY];
    yoke__token tokens[MANY];
    int         before = leak_descriptors();

    for (int i = 0; i < MANY; i++)
        children[i] = start_joined(&tokens[i]);
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < MANY; i++)
            assert_true(yoke__token_alive(domain(), tokens[i]));
    assert_in_range(leak_descriptors(), before, before + 16);
    for (int i = 0; i < MANY; i++)
        child_kill(children[i]);
    for (int i = 0; i < MANY; i++)
        assert_false(yoke__token_alive(domain(), tokens[i]));
    assert_int_equal(yoke__domain_recover(domain()), MANY);
    yoke__watch_clear();
}

static int setup(void **state)
{
    int result = shared_setup(state);

    (void)yoke__backend()->waiting; /* chosen */
    told = shared_alloc(sizeof *told);
    return result;
}

static int teardown(void **state)
{
    shared_free(told);
    yoke__watch_clear();
    return leak_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slot_tells_who_has_it),
        cmocka_unit_test(a_fork_makes_another_participant),
        cmocka_unit_test(an_unreaped_zombie_is_dead),
        cmocka_unit_test(a_process_whose_main_thread_has_ended_is_alive),
        cmocka_unit_test(a_pid_with_another_start_time_is_dead),
        cmocka_unit_test(a_token_of_another_generation_is_dead),
        cmocka_unit_test(a_recovered_slot_has_the_next_generation),
        cmocka_unit_test(who_died_while_joining_is_recovered),
        cmocka_unit_test(blocks_of_the_dead_come_back),
        cmocka_unit_test(a_death_is_remembered),
        cmocka_unit_test(the_ring_of_deaths_forgets_the_oldest),
        cmocka_unit_test(more_processes_than_slots_may_come_and_go),
        cmocka_unit_test(a_full_domain_is_an_error),
        cmocka_unit_test(thread_records_of_the_dead_are_free_again),
        cmocka_unit_test(the_registry_is_taken_from_a_dead_holder),
        cmocka_unit_test(few_descriptors_watch_many_processes),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
