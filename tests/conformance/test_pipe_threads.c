/* Threads on pipes: they share ends, share the private loop, wait for each other's turns, and see an end close. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <yoke/yoke.h>

#include "support/child.h"
#include "support/leak.h"
#include "support/pipes.h"

#define T       PIPE_PATIENCE
#define THREADS 4u
#define EACH    3000u

/* A thread of a test: what it uses, what came of it, and where it is. */
typedef struct job {
    yoke_conn  *conn, *other;
    uint32_t    number;
    int64_t     timeout;
    int         rc;
    atomic_uint done;
    atomic_int  id; /* of the kernel; 0 until it runs */
    pthread_t   thread;
    uint64_t    sum;
} job;

static void job_start(job *j, void *(*run)(void *))
{
    atomic_store(&j->id, 0);
    assert_int_equal(0, pthread_create(&j->thread, NULL, run, j));
}

static void job_join(job *j)
{
    assert_int_equal(0, pthread_join(j->thread, NULL));
}

static void entered(job *j)
{
    atomic_store(&j->id, (int)syscall(SYS_gettid));
}

/* Waits until a thread is asleep in its call. */
static void wait_asleep(job *j)
{
    while (atomic_load(&j->id) == 0)
        sched_yield();
    assert_true(sleeps(atomic_load(&j->id)));
}

/* A message that names its sender and can be checked whole; sizes vary. */
typedef struct parcel {
    uint32_t sender, number, size, sum;
    uint8_t  bytes[3000];
} parcel;

static size_t parcel_fill(parcel *p, uint32_t sender, uint32_t number)
{
    p->sender = sender;
    p->number = number;
    p->size = number % 97 == 0 ? 3000 : number % 60;
    p->sum = 0;
    for (uint32_t i = 0; i < p->size; i++)
        p->sum += p->bytes[i] = (uint8_t)(number * 13 + i * sender);
    return offsetof(parcel, bytes) + p->size;
}

static bool parcel_is_whole(const parcel *p, size_t size)
{
    uint32_t sum = 0;

    if (size != offsetof(parcel, bytes) + p->size)
        return false;
    for (uint32_t i = 0; i < p->size; i++)
        sum += p->bytes[i];
    return sum == p->sum;
}

static void *send_parcels(void *user)
{
    job   *j = user;
    parcel p;

    for (uint32_t i = 0; i < EACH && j->rc == YOKE_OK; i++)
        j->rc = yoke_conn_send(j->conn, &p, parcel_fill(&p, j->number, i), T);
    return NULL;
}

/* Receives until the end; what several receivers got is added up by the test. */
static void *receive_parcels(void *user)
{
    job    *j = user;
    parcel  p;
    size_t  size;
    int64_t last[THREADS] = {-1, -1, -1, -1};

    while ((j->rc = yoke_conn_recv(j->conn, &p, sizeof p, &size, T)) == YOKE_OK) {
        if (!parcel_is_whole(&p, size) || p.sender >= THREADS || last[p.sender] >= (int64_t)p.number)
            j->rc = YOKE_EPROTO;
        if (j->rc < 0)
            return NULL;
        last[p.sender] = p.number; /* in order for each sender, also among the receivers' shares */
        j->sum += p.number + 1;
    }
    return NULL;
}

static void test_four_threads_send_and_four_receive_on_one_pipe(void **state)
{
    job        senders[THREADS], receivers[THREADS];
    yoke_conn *a, *b;
    uint64_t   sum = 0;

    (void)state;
    pipe_make(&a, &b, false);
    for (uint32_t i = 0; i < THREADS; i++) {
        senders[i] = (job){.conn = b, .number = i};
        receivers[i] = (job){.conn = a, .number = i};
        job_start(&receivers[i], receive_parcels);
        job_start(&senders[i], send_parcels);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        job_join(&senders[i]);
        assert_int_equal(YOKE_OK, senders[i].rc);
    }
    yoke_conn_close(b);
    for (uint32_t i = 0; i < THREADS; i++) {
        job_join(&receivers[i]);
        assert_int_equal(YOKE_EEOF, receivers[i].rc);
        sum += receivers[i].sum;
    }
    assert_int_equal((uint64_t)THREADS * EACH * (EACH + 1) / 2, sum);
    yoke_conn_close(a);
}

/* Each thread plays with one of its own pipe's ends against a thread of another; all share the loop. */
static void *ping(void *user)
{
    job     *j = user;
    uint32_t ball;
    size_t   size;

    for (uint32_t i = 0; i < EACH / 4 && j->rc == YOKE_OK; i++) {
        j->rc = yoke_conn_send(j->conn, &i, sizeof i, T);
        if (j->rc == YOKE_OK)
            j->rc = yoke_conn_recv(j->conn, &ball, sizeof ball, &size, T);
        if (j->rc == YOKE_OK && ball != i + 1)
            j->rc = YOKE_EPROTO;
    }
    return NULL;
}

static void *pong(void *user)
{
    job     *j = user;
    uint32_t ball;
    size_t   size;

    while ((j->rc = yoke_conn_recv(j->other, &ball, sizeof ball, &size, T)) == YOKE_OK) {
        ball++;
        if ((j->rc = yoke_conn_send(j->other, &ball, sizeof ball, T)) != YOKE_OK)
            return NULL;
    }
    return NULL;
}

static void test_eight_threads_share_the_loop_on_pipes_of_their_own(void **state)
{
    job pings[THREADS], pongs[THREADS];

    (void)state;
    for (uint32_t i = 0; i < THREADS; i++) {
        pings[i] = (job){.number = i};
        pipe_make(&pings[i].conn, &pings[i].other, false);
        pongs[i] = (job){.other = pings[i].other};
        job_start(&pings[i], ping);
        job_start(&pongs[i], pong);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        job_join(&pings[i]);
        assert_int_equal(YOKE_OK, pings[i].rc);
        yoke_conn_close(pings[i].conn);
        job_join(&pongs[i]);
        assert_int_equal(YOKE_EEOF, pongs[i].rc);
        yoke_conn_close(pings[i].other);
    }
}

static void *receive_once(void *user)
{
    job   *j = user;
    char   byte;
    size_t size;

    entered(j);
    j->rc = yoke_conn_recv(j->conn, &byte, 1, &size, j->timeout);
    atomic_store(&j->done, 1);
    return NULL;
}

static void test_a_follower_takes_over_when_the_leader_is_done(void **state)
{
    job        leader = {.timeout = T}, follower = {.timeout = T};
    yoke_conn *to_leader, *to_follower;

    (void)state;
    pipe_make(&leader.conn, &to_leader, false);
    pipe_make(&follower.conn, &to_follower, false);
    job_start(&leader, receive_once);
    wait_asleep(&leader);
    job_start(&follower, receive_once);
    wait_asleep(&follower);
    assert_int_equal(YOKE_OK, yoke_conn_send(to_leader, "x", 1, T));
    job_join(&leader);
    assert_int_equal(YOKE_OK, leader.rc);
    assert_int_equal(0, atomic_load(&follower.done));
    assert_int_equal(YOKE_OK, yoke_conn_send(to_follower, "x", 1, T));
    job_join(&follower);
    assert_int_equal(YOKE_OK, follower.rc);
    yoke_conn_close(leader.conn);
    yoke_conn_close(to_leader);
    yoke_conn_close(follower.conn);
    yoke_conn_close(to_follower);
}

static void test_leaders_and_followers_keep_their_own_time(void **state)
{
    job        jobs[3] = {{.timeout = 60}, {.timeout = 200}, {.timeout = T}};
    yoke_conn *others[3];

    (void)state;
    for (int i = 0; i < 3; i++) {
        pipe_make(&jobs[i].conn, &others[i], false);
        job_start(&jobs[i], receive_once);
        if (i < 2)
            continue;
        wait_asleep(&jobs[2]);
    }
    job_join(&jobs[0]);
    job_join(&jobs[1]);
    assert_int_equal(YOKE_ETIMEDOUT, jobs[0].rc);
    assert_int_equal(YOKE_ETIMEDOUT, jobs[1].rc);
    assert_int_equal(0, atomic_load(&jobs[2].done));
    assert_int_equal(YOKE_OK, yoke_conn_send(others[2], "x", 1, T));
    job_join(&jobs[2]);
    assert_int_equal(YOKE_OK, jobs[2].rc);
    for (int i = 0; i < 3; i++) {
        yoke_conn_close(jobs[i].conn);
        yoke_conn_close(others[i]);
    }
}

static void test_a_turn_is_waited_for_no_longer_than_told(void **state)
{
    job        first = {.timeout = T};
    yoke_conn *other;
    char       byte;
    size_t     size;

    (void)state;
    pipe_make(&first.conn, &other, false);
    job_start(&first, receive_once);
    wait_asleep(&first);
    assert_int_equal(YOKE_ETIMEDOUT, yoke_conn_recv(first.conn, &byte, 1, &size, YOKE_NOWAIT));
    long long start = milliseconds();
    assert_int_equal(YOKE_ETIMEDOUT, yoke_conn_recv(first.conn, &byte, 1, &size, 50));
    assert_true(milliseconds() - start >= 50);
    assert_int_equal(YOKE_OK, yoke_conn_send(first.conn, "y", 1, T)); /* the other direction is free */
    assert_int_equal(YOKE_OK, yoke_conn_send(other, "x", 1, T));
    job_join(&first);
    assert_int_equal(YOKE_OK, first.rc);
    yoke_conn_close(first.conn);
    yoke_conn_close(other);
}

static void test_close_wakes_those_asleep_in_it(void **state)
{
    job        jobs[THREADS];
    yoke_conn *a, *b;

    (void)state;
    pipe_make(&a, &b, false);
    for (uint32_t i = 0; i < THREADS; i++) {
        jobs[i] = (job){.conn = a, .timeout = YOKE_FOREVER};
        job_start(&jobs[i], receive_once);
        wait_asleep(&jobs[i]);
    }
    long long start = milliseconds();
    yoke_conn_close(a);
    assert_true(milliseconds() - start < 800);
    for (uint32_t i = 0; i < THREADS; i++) {
        job_join(&jobs[i]);
        assert_int_equal(YOKE_ECLOSED, jobs[i].rc);
    }
    yoke_conn_close(b);
}

static void *send_until_closed(void *user)
{
    job    *j = user;
    uint8_t data[30000] = {0};

    entered(j);
    while ((j->rc = yoke_conn_send(j->conn, data, sizeof data, YOKE_FOREVER)) == YOKE_OK)
        continue;
    return NULL;
}

static void test_close_wakes_a_blocked_sender(void **state)
{
    job        sender = {.number = 0};
    yoke_conn *other;

    (void)state;
    pipe_make(&sender.conn, &other, false);
    job_start(&sender, send_until_closed);
    wait_asleep(&sender);
    yoke_conn_close(sender.conn); /* at once, or after the second that a message under way gets */
    job_join(&sender);
    assert_int_equal(YOKE_ECLOSED, sender.rc);
    yoke_conn_close(other);
}

/* The loop's leader is another thread than the one that forks. */
static int use_in_child(void *user)
{
    job   *j = user;
    char   byte;
    size_t size;

    CHILD_CHECK(yoke_conn_recv(j->conn, &byte, 1, &size, T) == YOKE_EBROKEN); /* a thread was receiving on it */
    CHILD_CHECK(yoke_conn_send(j->conn, "c", 1, T) == YOKE_OK);
    return 0;
}

static void test_a_child_forked_beside_a_leader_gets_on(void **state)
{
    job        j = {.timeout = T};
    yoke_conn *other;
    char       byte;
    size_t     size;

    (void)state;
    pipe_make(&j.conn, &other, false);
    job_start(&j, receive_once);
    wait_asleep(&j);
    assert_int_equal(0, child_join(child_start(use_in_child, &j)));
    assert_int_equal(YOKE_OK, yoke_conn_recv(other, &byte, 1, &size, T));
    assert_int_equal('c', byte);
    assert_int_equal(YOKE_OK, yoke_conn_send(other, "x", 1, T));
    job_join(&j);
    assert_int_equal(YOKE_OK, j.rc);
    yoke_conn_close(j.conn);
    yoke_conn_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_four_threads_send_and_four_receive_on_one_pipe),
        cmocka_unit_test(test_eight_threads_share_the_loop_on_pipes_of_their_own),
        cmocka_unit_test(test_a_follower_takes_over_when_the_leader_is_done),
        cmocka_unit_test(test_leaders_and_followers_keep_their_own_time),
        cmocka_unit_test(test_a_turn_is_waited_for_no_longer_than_told),
        cmocka_unit_test(test_close_wakes_those_asleep_in_it),
        cmocka_unit_test(test_close_wakes_a_blocked_sender),
        cmocka_unit_test(test_a_child_forked_beside_a_leader_gets_on),
    };
    return cmocka_run_group_tests(tests, pipes_setup, leak_teardown);
}
