/* What a look into an open domain shows: participants, waiters, objects, deaths; while others work, die or are stopped. */
#include "core/backend.h"
#include "core/domain/participant.h"
#include "support/child.h"
#include "support/domains.h"
#include "support/leak.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <yoke/yoke.h>

#include <cmocka.h>

/* All that is shown. */
typedef struct seen {
    yoke_participant_info participants[16];
    yoke_waiter_info      waiters[16];
    yoke_object_info      objects[64];
    yoke_death_info       deaths[64];
    unsigned              n[4];
    unsigned              most; /* of each; 0: all */
} seen;

#define SEE(index, field, type)                                                                                        \
    static bool see_##field(void *user, const type *info)                                                              \
    {                                                                                                                  \
        seen *it = user;                                                                                               \
        if (it->n[index] < sizeof it->field / sizeof *it->field)                                                       \
            it->field[it->n[index]] = *info;                                                                           \
        return ++it->n[index] != it->most;                                                                             \
    }
SEE(0, participants, yoke_participant_info)
SEE(1, waiters, yoke_waiter_info)
SEE(2, objects, yoke_object_info)
SEE(3, deaths, yoke_death_info)

static void look(yoke_domain *domain, seen *out)
{
    unsigned most = out->most;
    memset(out, 0, sizeof *out);
    out->most = most;
    assert_int_equal(
        yoke_domain_inspect(domain,
                            YOKE_OPTIONS(yoke_domain_visitor, .participant = see_participants, .waiter = see_waiters,
                                         .object = see_objects, .death = see_deaths),
                            out),
        YOKE_OK);
}

static const yoke_object_info *find(const seen *in, const char *named)
{
    for (unsigned i = 0; i < in->n[2] && i < 64; i++)
        if (strcmp(in->objects[i].name, named) == 0)
            return &in->objects[i];
    fail_msg("no object %s", named);
    return NULL;
}

static yoke_domain *domain;
static seen         now;

static int set_up(void **state)
{
    domains_new_name(state);
    now.most = 0;
    return yoke_domain_open(&domain, domains_name, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    yoke_domain_close(domain);
    return domains_exists(domains_name) ? -1 : 0;
}

/* ---- objects ----------------------------------------------------------------------------------------------------- */

static void test_objects_are_shown_with_kind_name_and_state(void **state)
{
    yoke_queue *queue;
    yoke_lock  *lock;
    yoke_value *value;
    yoke_array *array;
    (void)state;
    assert_int_equal(
        yoke_queue_create(&queue, YOKE_OPTIONS(yoke_queue_options, .domain = domain, .name = "jobs", .max_items = 7)),
        YOKE_OK);
    assert_int_equal(yoke_lock_create(&lock, YOKE_OPTIONS(yoke_lock_options, .domain = domain, .name = "door")),
                     YOKE_OK);
    assert_int_equal(
        YOKE_VALUE_CREATE(&value, int, 0, YOKE_OPTIONS(yoke_value_options, .domain = domain, .name = "count")),
        YOKE_OK);
    assert_int_equal(YOKE_ARRAY_CREATE(&array, double, 10, NULL,
                                       YOKE_OPTIONS(yoke_value_options, .domain = domain, .unlocked = true)),
                     YOKE_OK);
    assert_int_equal(yoke_queue_put(queue, "abc", 3, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_put(queue, "defg", 4, YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_lock_acquire(lock, YOKE_NOWAIT), YOKE_OK);
    look(domain, &now);
    assert_int_equal(now.n[2], 4);
    assert_string_equal(find(&now, "jobs")->kind, "queue");
    assert_string_equal(find(&now, "jobs")->state, "2 messages, 7 bytes, at most 7 messages");
    assert_int_equal(find(&now, "jobs")->references, 1);
    assert_true(find(&now, "jobs")->bytes >= 576);
    assert_string_equal(find(&now, "door")->kind, "lock");
    assert_non_null(strstr(find(&now, "door")->state, "held by "));
    assert_string_equal(find(&now, "count")->state, "1 × 32-bit integer of 4 bytes, lock free");
    assert_string_equal(find(&now, "")->state, "10 × double of 8 bytes");
    assert_int_equal(yoke_lock_release(lock), YOKE_OK);
    look(domain, &now);
    assert_string_equal(find(&now, "door")->state, "free");
    yoke_queue_close(queue);
    yoke_lock_close(lock);
    yoke_value_close(value);
    yoke_array_close(array);
    look(domain, &now);
    assert_int_equal(now.n[2], 0);
}

static void test_each_of_many_objects_is_shown_once(void **state)
{
    static yoke_lock *locks[1000];
    (void)state;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(yoke_lock_create(&locks[i], YOKE_OPTIONS(yoke_lock_options, .domain = domain)), YOKE_OK);
    look(domain, &now);
    assert_int_equal(now.n[2], 1000);
    now.most = 33; /* and no more than wanted */
    look(domain, &now);
    assert_int_equal(now.n[2], 33);
    for (int i = 0; i < 1000; i++)
        yoke_lock_close(locks[i]);
}

/* ---- participants and deaths ------------------------------------------------------------------------------------- */

static int join_lock_and_die(void *user)
{
    yoke_lock *lock;
    (void)user;
    CHILD_CHECK(yoke_domain_open(&domain, domains_name, OPTIONS(.mode = YOKE_OPEN)) == YOKE_OK);
    CHILD_CHECK(yoke_lock_open(&lock, domain, "door") == YOKE_OK);
    CHILD_CHECK(yoke_lock_acquire(lock, YOKE_FOREVER) == YOKE_OK);
    (void)raise(SIGKILL);
    return 1;
}

static void test_the_dead_are_shown_before_and_after_their_recovery(void **state)
{
    yoke_lock *lock;
    stranger   other;
    (void)state;
    if (getenv("YOKE_VALGRIND"))
        skip(); /* which has no pidfd: nobody can be told dead */
    yoke_domain_close(domain);
    pid_t child = stranger_start(&other, join_lock_and_die);
    assert_int_equal(yoke_domain_open(&domain, domains_name, NULL), YOKE_OK);
    assert_int_equal(yoke_lock_create(&lock, YOKE_OPTIONS(yoke_lock_options, .domain = domain, .name = "door")),
                     YOKE_OK);
    assert_int_equal(stranger_join(&other, child), 1000 + SIGKILL);
    look(domain, &now);
    assert_int_equal(now.n[0], 2);
    assert_true(now.participants[0].self && now.participants[0].state == YOKE_PARTICIPANT_ALIVE);
    assert_int_equal(now.participants[1].pid, child);
    assert_int_equal(now.participants[1].state, YOKE_PARTICIPANT_DEAD);
    assert_true(now.participants[1].since > 0);
    assert_non_null(strstr(find(&now, "door")->state, "which is dead"));
    assert_int_equal(now.n[3], 0);
    assert_int_equal(yoke__domain_recover(domain), 1);
    yoke__obituary_note(domain, child, 2, SIGKILL);
    look(domain, &now);
    assert_int_equal(now.n[0], 1);
    assert_int_equal(now.n[3], 1);
    assert_int_equal(now.deaths[0].pid, child);
    assert_true(now.deaths[0].exit_known && now.deaths[0].exit_signal == SIGKILL && now.deaths[0].when > 0);
    assert_non_null(strstr(find(&now, "door")->state, "not been repaired"));
    yoke_lock_close(lock);
}

static int join_and_leave(void *user)
{
    (void)user;
    CHILD_CHECK(yoke_domain_open(&domain, domains_name, OPTIONS(.mode = YOKE_OPEN)) == YOKE_OK);
    yoke_domain_close(domain);
    return 0;
}

static void test_who_left_in_good_order_is_no_death(void **state)
{
    stranger other;
    (void)state;
    yoke_domain_close(domain);
    pid_t child = stranger_start(&other, join_and_leave);
    assert_int_equal(yoke_domain_open(&domain, domains_name, NULL), YOKE_OK);
    assert_int_equal(stranger_join(&other, child), 0);
    look(domain, &now);
    assert_int_equal(now.n[0], 2);
    assert_int_equal(now.participants[1].state, YOKE_PARTICIPANT_LEFT);
    assert_int_equal(yoke__domain_recover(domain), 1);
    look(domain, &now);
    assert_int_equal(now.n[0], 1);
    assert_int_equal(now.n[3], 0);
}

/* ---- waiters ----------------------------------------------------------------------------------------------------- */

static _Atomic long waiter_thread;

static void *wait_for_door(void *lock)
{
    waiter_thread = gettid();
    return yoke_lock_acquire(lock, 60000) == YOKE_OK && yoke_lock_release(lock) == YOKE_OK ? lock : NULL;
}

static void test_who_waits_for_what_is_shown(void **state)
{
    yoke_lock *lock;
    pthread_t  thread;
    void      *good;
    (void)state;
    assert_int_equal(yoke_lock_create(&lock, YOKE_OPTIONS(yoke_lock_options, .domain = domain, .name = "door")),
                     YOKE_OK);
    assert_int_equal(yoke_lock_acquire(lock, YOKE_NOWAIT), YOKE_OK);
    waiter_thread = 0;
    assert_int_equal(pthread_create(&thread, NULL, wait_for_door, lock), 0);
    while (!waiter_thread)
        sched_yield();
    assert_true(sleeps((pid_t)waiter_thread));
    look(domain, &now);
    assert_int_equal(now.n[1], 1);
    assert_int_equal(now.waiters[0].pid, getpid());
    assert_int_equal(now.waiters[0].thread, waiter_thread);
    assert_string_equal(now.waiters[0].what, "lock 'door'");
    assert_non_null(strstr(now.waiters[0].state, "held by"));
    assert_in_range(now.waiters[0].waited_ms, 0, 60000);
    assert_int_equal(now.waiters[0].object, find(&now, "door")->id);
    assert_int_equal(find(&now, "door")->waiters, 1);
    assert_int_equal(now.participants[0].waiting, 1);
    assert_int_equal(yoke_lock_release(lock), YOKE_OK);
    assert_int_equal(pthread_join(thread, &good), 0);
    assert_non_null(good);
    yoke_lock_close(lock);
}

/* ---- what stands in the way -------------------------------------------------------------------------------------- */

static int keep_the_registry(void *user)
{
    char byte = 'x';
    CHILD_CHECK(yoke__domain_join(domain) != 0);
    yoke__registry_acquire(domain);
    CHILD_CHECK(write(((int *)user)[1], &byte, 1) == 1);
    for (;;)
        pause();
}

static void test_a_stopped_holder_of_the_registry_is_not_waited_for(void **state)
{
    yoke_lock *lock;
    int        ends[2];
    char       byte;
    (void)state;
    if (getenv("YOKE_VALGRIND"))
        skip();
    assert_int_equal(yoke_lock_create(&lock, YOKE_OPTIONS(yoke_lock_options, .domain = domain, .name = "door")),
                     YOKE_OK);
    assert_int_equal(pipe(ends), 0);
    pid_t holder = child_start(keep_the_registry, ends);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_int_equal(kill(holder, SIGSTOP), 0);
    long long before = milliseconds();
    look(domain, &now);
    assert_true(milliseconds() - before < 5000); /* a fifth of a second, and a loaded machine */
    assert_string_equal(find(&now, "door")->kind, "lock");
    assert_string_equal(find(&now, "door")->state, "");
    child_kill(holder); /* dead, it is in nobody's way */
    look(domain, &now);
    assert_string_equal(find(&now, "door")->state, "free");
    assert_int_equal(now.n[0], 2);
    (void)yoke__domain_recover(domain); /* which the look left to others */
    look(domain, &now);
    assert_int_equal(now.n[0], 1);
    assert_int_equal(yoke__directory_check(domain), YOKE_OK);
    yoke_lock_close(lock);
    close(ends[0]);
    close(ends[1]);
}

static int make_and_drop(void *user)
{
    (void)user;
    for (int i = 0; i < 400; i++) {
        yoke_queue *queue;
        char        text[32];
        snprintf(text, sizeof text, "busy-%ld-%d", (long)getpid(), i % 5);
        CHILD_CHECK(yoke_queue_create(&queue, YOKE_OPTIONS(yoke_queue_options, .domain = domain, .name = text,
                                                           .mode = YOKE_OPEN_OR_CREATE)) == YOKE_OK);
        CHILD_CHECK(yoke_queue_put(queue, text, 20, YOKE_NOWAIT) == YOKE_OK);
        yoke_queue_close(queue);
    }
    yoke__domain_leave(domain);
    return 0;
}

static void test_a_look_while_others_work_shows_what_makes_sense(void **state)
{
    pid_t children[2];
    int   status;
    (void)state;
    for (int i = 0; i < 2; i++)
        children[i] = child_start(make_and_drop, NULL);
    do {
        char text[4096];
        look(domain, &now);
        for (unsigned i = 0; i < now.n[2]; i++)
            assert_true(strncmp(now.objects[i].name, "busy-", 5) == 0 && strcmp(now.objects[i].kind, "queue") == 0);
        assert_int_equal(yoke_domain_describe(domain, text, sizeof text, NULL), YOKE_OK);
    } while (waitpid(children[0], &status, WNOHANG) == 0);
    assert_int_equal(status, 0);
    assert_int_equal(child_join(children[1]), 0);
}

/* The socket that rings doorbells is made once and stays. */
static int ring_once(void **state)
{
    static const yoke_bell_name nobody = {0};
    assert_int_equal(yoke__backend_ready(), YOKE_OK);
    (void)yoke__backend()->waiting->bell_ring(&nobody);
    return leak_setup(state);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_objects_are_shown_with_kind_name_and_state),
        TEST(test_each_of_many_objects_is_shown_once),
        TEST(test_the_dead_are_shown_before_and_after_their_recovery),
        TEST(test_who_left_in_good_order_is_no_death),
        TEST(test_who_waits_for_what_is_shown),
        TEST(test_a_stopped_holder_of_the_registry_is_not_waited_for),
        TEST(test_a_look_while_others_work_shows_what_makes_sense),
    };
    return cmocka_run_group_tests(tests, ring_once, leak_teardown);
}
