/*
 * w5: how long it takes from a notify until who sleeps in another process has returned from its wait; beside a raw futex,
 * a process-shared pthread condition and Python's. The sleeper is left to fall asleep before each.
 */
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crew.h"

#define WAKE_UPS 400 /* of each peer in its turn */
#define REST_US  400

typedef struct stage {
    _Atomic uint32_t turn; /* what the futex peer sleeps on; the others' predicate */
    _Atomic uint32_t woken;
    double           returned[WAKE_UPS];
    pthread_mutex_t  mutex;
    pthread_cond_t   cond;
    yoke_condition  *condition;
} stage;

typedef struct wake_peer {
    const char *name;
    void (*make)(stage *s);
    void (*wait)(stage *s, uint32_t turn); /* until s->turn is that */
    void (*wake)(stage *s, uint32_t turn); /* sets it */
    void (*destroy)(stage *s);
} wake_peer;

/* ---- peers -------------------------------------------------------------------------------------------------------- */

static void nothing(stage *s)
{
    (void)s;
}

static void futex_wait(stage *s, uint32_t turn)
{
    while (s->turn != turn)
        (void)syscall(SYS_futex, &s->turn, FUTEX_WAIT, turn - 1, NULL, NULL, 0);
}

static void futex_wake(stage *s, uint32_t turn)
{
    s->turn = turn;
    (void)syscall(SYS_futex, &s->turn, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void make_pthread(stage *s)
{
    pthread_mutexattr_t mutex;
    pthread_condattr_t  cond;

    (void)pthread_mutexattr_init(&mutex);
    (void)pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
    (void)pthread_mutex_init(&s->mutex, &mutex);
    (void)pthread_condattr_init(&cond);
    (void)pthread_condattr_setpshared(&cond, PTHREAD_PROCESS_SHARED);
    (void)pthread_cond_init(&s->cond, &cond);
}

static void pthread_wait(stage *s, uint32_t turn)
{
    (void)pthread_mutex_lock(&s->mutex);
    while (s->turn != turn)
        (void)pthread_cond_wait(&s->cond, &s->mutex);
    (void)pthread_mutex_unlock(&s->mutex);
}

static void pthread_wake(stage *s, uint32_t turn)
{
    (void)pthread_mutex_lock(&s->mutex);
    s->turn = turn;
    (void)pthread_cond_signal(&s->cond);
    (void)pthread_mutex_unlock(&s->mutex);
}

static void make_yoke(stage *s)
{
    YOKE_CHECK(yoke_condition_create(&s->condition, NULL));
}

static void yoke_wait_turn(stage *s, uint32_t turn)
{
    YOKE_CHECK(yoke_condition_acquire(s->condition, YOKE_FOREVER));
    while (s->turn != turn)
        YOKE_CHECK(yoke_condition_wait(s->condition, YOKE_FOREVER));
    YOKE_CHECK(yoke_condition_release(s->condition));
}

static void yoke_wake(stage *s, uint32_t turn)
{
    YOKE_CHECK(yoke_condition_acquire(s->condition, YOKE_FOREVER));
    s->turn = turn;
    YOKE_CHECK(yoke_condition_notify(s->condition, 1));
    YOKE_CHECK(yoke_condition_release(s->condition));
}

static void destroy_yoke(stage *s)
{
    yoke_condition_close(s->condition);
}

static const wake_peer peers[] = {
    {"futex", nothing, futex_wait, futex_wake, nothing},
    {"yoke", make_yoke, yoke_wait_turn, yoke_wake, destroy_yoke},
    {"pthread_cond", make_pthread, pthread_wait, pthread_wake, nothing},
};
enum { PEERS = sizeof peers / sizeof peers[0] };

/* ---- measuring ------------------------------------------------------------------------------------------------------ */

static void sleep_often(const wake_peer *peer, stage *s, int pin)
{
    crew_pin(pin, BENCH_GETS);
    for (uint32_t i = 0; i < WAKE_UPS; i++) {
        peer->wait(s, i + 1);
        s->returned[i] = now_us();
        s->woken = i + 1;
    }
}

static void wake_often(const wake_peer *peer, stage *s, samples *out)
{
    for (uint32_t i = 0; i < WAKE_UPS; i++) {
        crew_sleep_us(REST_US);
        double start = now_us();
        peer->wake(s, i + 1);
        while (s->woken != i + 1)
            crew_sleep_us(20);
        if (i > 0) /* the first one may not have been asleep yet */
            samples_add(out, s->returned[i] - start);
    }
}

static void measure(const wake_peer *peer, const bench_options *options, samples *out)
{
    stage *s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (s == MAP_FAILED)
        return;
    peer->make(s);
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        sleep_often(peer, s, options->pin);
        _exit(0);
    }
    wake_often(peer, s, out);
    (void)waitpid(child, NULL, 0);
    peer->destroy(s);
    (void)munmap(s, sizeof *s);
}

static void python(void)
{
#ifdef BENCH_PYTHON_CONDITION
    char   command[1024];
    double us;

    (void)snprintf(command, sizeof command, "'%s' '%s' %d", BENCH_PYTHON, BENCH_PYTHON_CONDITION, WAKE_UPS);
    FILE *script = popen(command, "r");
    if (script && fscanf(script, "%lf", &us) == 1)
        bench_result("python_condition", "w5", "condition_wake_us", us);
    if (script)
        (void)pclose(script);
#endif
}

void bench_w5_wake_ups(const bench_options *options)
{
    samples all[PEERS] = {{NULL, 0, 0}};

    for (int round = 0; round < options->queue_rounds; round++)
        for (size_t i = 0; i < PEERS; i++)
            measure(&peers[i], options, &all[i]);
    for (size_t i = 0; i < PEERS; i++) {
        bench_result(peers[i].name, "w5", "condition_wake_us", samples_median(&all[i]));
        samples_free(&all[i]);
    }
    python();
}
