/* w5: locks, alone and between two processes, and what making one costs. Other files add what belongs to w5 too. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crew.h"
#include "locks.h"

#define PAGE    4096u
#define ALONE   1000000
#define MADE_AT 200000

/* ---- the kinds --------------------------------------------------------------------------------------------------- */

static void *make_mutex(void *memory, int type, int robust)
{
    pthread_mutexattr_t attributes;

    (void)pthread_mutexattr_init(&attributes);
    (void)pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    (void)pthread_mutexattr_settype(&attributes, type);
    (void)pthread_mutexattr_setrobust(&attributes, robust);
    (void)pthread_mutex_init(memory, &attributes);
    (void)pthread_mutexattr_destroy(&attributes);
    return memory;
}

static void *make_plain(void *memory)
{
    return make_mutex(memory, PTHREAD_MUTEX_DEFAULT, PTHREAD_MUTEX_STALLED);
}

static void *make_adaptive(void *memory)
{
#ifdef PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP
    return make_mutex(memory, PTHREAD_MUTEX_ADAPTIVE_NP, PTHREAD_MUTEX_STALLED);
#else
    return make_plain(memory);
#endif
}

static void *make_robust(void *memory)
{
    return make_mutex(memory, PTHREAD_MUTEX_DEFAULT, PTHREAD_MUTEX_ROBUST);
}

static void acquire_mutex(void *lock)
{
    (void)pthread_mutex_lock(lock);
}

static void release_mutex(void *lock)
{
    (void)pthread_mutex_unlock(lock);
}

static void destroy_mutex(void *lock)
{
    (void)pthread_mutex_destroy(lock);
}

static void *make_sem(void *memory)
{
    (void)sem_init(memory, 1, 1);
    return memory;
}

static void acquire_sem(void *lock)
{
    while (sem_wait(lock) != 0 && errno == EINTR)
        ;
}

static void release_sem(void *lock)
{
    (void)sem_post(lock);
}

static void destroy_sem(void *lock)
{
    (void)sem_destroy(lock);
}

#define OURS(kind, take, let_go)                                                                                       \
    static void acquire_##kind##_##take(void *lock)                                                                    \
    {                                                                                                                  \
        (void)!yoke_##kind##_acquire##take(lock, YOKE_FOREVER);                                                        \
    }                                                                                                                  \
    static void release_##kind##_##take(void *lock)                                                                    \
    {                                                                                                                  \
        (void)yoke_##kind##_release##let_go(lock);                                                                     \
    }
OURS(lock, , )
OURS(rlock, , )
OURS(rwlock, _shared, _shared)
OURS(rwlock, _exclusive, _exclusive)

static void *make_lock(void *memory)
{
    yoke_lock *lock;

    (void)memory;
    YOKE_CHECK(yoke_lock_create(&lock, NULL));
    return lock;
}

static void *make_bound(void *memory)
{
    yoke_lock *lock;

    (void)memory;
    YOKE_CHECK(
        yoke_lock_create(&lock, YOKE_OPTIONS(yoke_lock_options, .owner_releases = true, .detect_deadlock = true)));
    return lock;
}

static void *make_rlock(void *memory)
{
    yoke_rlock *rlock;

    (void)memory;
    YOKE_CHECK(yoke_rlock_create(&rlock, NULL));
    return rlock;
}

static void *make_rwlock(void *memory)
{
    yoke_rwlock *rwlock;

    (void)memory;
    YOKE_CHECK(yoke_rwlock_create(&rwlock, NULL));
    return rwlock;
}

static void destroy_lock(void *lock)
{
    yoke_lock_close(lock);
}

static void destroy_rlock(void *lock)
{
    yoke_rlock_close(lock);
}

static void destroy_rwlock(void *lock)
{
    yoke_rwlock_close(lock);
}

static const bench_lock kinds[] = {
    {"yoke", NULL, make_lock, acquire_lock_, release_lock_, destroy_lock},
    {"yoke_bound", NULL, make_bound, acquire_lock_, release_lock_, destroy_lock},
    {"yoke_rlock", NULL, make_rlock, acquire_rlock_, release_rlock_, destroy_rlock},
    {"yoke_shared", NULL, make_rwlock, acquire_rwlock__shared, release_rwlock__shared, destroy_rwlock},
    {"yoke_exclusive", NULL, make_rwlock, acquire_rwlock__exclusive, release_rwlock__exclusive, destroy_rwlock},
    {"mutex", NULL, make_plain, acquire_mutex, release_mutex, destroy_mutex},
    {"adaptive_mutex", NULL, make_adaptive, acquire_mutex, release_mutex, destroy_mutex},
    {"robust_mutex", NULL, make_robust, acquire_mutex, release_mutex, destroy_mutex},
    {"sem_t", NULL, make_sem, acquire_sem, release_sem, destroy_sem},
};
#define KINDS (sizeof kinds / sizeof *kinds)

/* ---- alone ------------------------------------------------------------------------------------------------------- */

static double alone(const bench_lock *kind)
{
    void  *memory = bench_shared(PAGE), *lock = kind->make(memory);
    double start = now_us();

    for (int i = 0; i < ALONE; i++) {
        kind->acquire(lock);
        kind->release(lock);
    }
    double took = now_us() - start;
    kind->destroy(lock);
    bench_unshare(memory, PAGE);
    return took * 1e3 / ALONE;
}

/* ---- two processes ------------------------------------------------------------------------------------------------ */

typedef struct stage {
    atomic_int ready;
    _Alignas(64) volatile uint64_t guarded;
    _Alignas(64) uint64_t done[2];
    double per_s[2];
} stage;

/* Looks at the clock itself: under real-time priorities a parent might not get to say stop. */
static void take_turns(const bench_lock *kind, void *lock, stage *s, int index, const bench_options *options)
{
    uint64_t done = 0;
    double   start, now;

    crew_pin(options->pin, index ? BENCH_GETS : BENCH_PUTS);
    s->ready++;
    while (s->ready < 2)
        (void)sched_yield();
    start = now_us();
    do {
        for (int i = 0; i < 256; i++) {
            kind->acquire(lock);
            s->guarded++;
            kind->release(lock);
        }
        done += 256;
        now = now_us();
    } while (now - start < options->duration_ms * 1e3);
    s->done[index] = done;
    s->per_s[index] = (double)done / (now - start) * 1e6;
    _exit(0);
}

/* Acquisitions a second of both. */
static double together(const bench_lock *kind, const bench_options *options)
{
    void  *memory = bench_shared(PAGE), *lock = kind->make(memory);
    stage *s = bench_shared(sizeof *s);
    pid_t  pids[2];

    for (int i = 0; i < 2; i++)
        if ((pids[i] = fork()) == 0)
            take_turns(kind, lock, s, i, options);
    for (int i = 0; i < 2; i++)
        (void)waitpid(pids[i], NULL, 0);
    double per_s = s->per_s[0] + s->per_s[1];
    if (strstr(kind->name, "shared") == NULL && s->guarded != s->done[0] + s->done[1])
        fprintf(stderr, "yoke-bench: %s: two were inside\n", kind->name);
    kind->destroy(lock);
    bench_unshare(memory, PAGE);
    bench_unshare(s, sizeof *s);
    return per_s;
}

/* ---- making one --------------------------------------------------------------------------------------------------- */

/* All of them at a time in this program, as the last of them. */
static void creation(void)
{
    yoke_lock **locks = malloc(MADE_AT * sizeof *locks);
    double      start = now_us();

    for (int i = 0; locks && i < MADE_AT; i++)
        YOKE_CHECK(yoke_lock_create(&locks[i], NULL));
    double made = now_us();
    for (int i = 0; locks && i < MADE_AT; i++)
        yoke_lock_close(locks[i]);
    bench_result("yoke", "w5", "create_ns", (made - start) * 1e3 / MADE_AT);
    bench_result("yoke", "w5", "close_ns", (now_us() - made) * 1e3 / MADE_AT);
    free(locks);
}

static void python(const bench_options *options)
{
#ifdef BENCH_PYTHON_LOCKS
    char   command[1024];
    double values[3];

    (void)snprintf(command, sizeof command, "'%s' '%s' %d", BENCH_PYTHON, BENCH_PYTHON_LOCKS, options->duration_ms);
    FILE *script = popen(command, "r");
    if (script && fscanf(script, "%lf %lf %lf", &values[0], &values[1], &values[2]) == 3) {
        bench_result("python_lock", "w5", "alone_ns", values[0]);
        bench_result("python_lock", "w5", "create_ns", values[1]);
        bench_result("python_lock", "w5", "two_processes_per_s", values[2]);
    }
    if (script)
        (void)pclose(script);
#else
    (void)options;
#endif
}

static bool chosen(const bench_lock *kind, const bench_options *options)
{
    return !options->peers || strstr(options->peers, kind->name) != NULL;
}

static void locks(const bench_options *options)
{
    const bench_lock *all[KINDS + 1];
    samples           alone_ns[KINDS + 1] = {{NULL, 0, 0}}, per_s[KINDS + 1] = {{NULL, 0, 0}};
    size_t            count = 0;

    for (size_t i = 0; i < KINDS; i++)
        if (chosen(&kinds[i], options))
            all[count++] = &kinds[i];
#ifdef BENCH_HAVE_BOOST
    if (chosen(&bench_lock_boost, options))
        all[count++] = &bench_lock_boost;
#endif
    for (int round = 0; round < options->queue_rounds; round++)
        for (size_t i = 0; i < count; i++) {
            samples_add(&alone_ns[i], alone(all[i]));
            samples_add(&per_s[i], together(all[i], options));
        }
    for (size_t i = 0; i < count; i++) {
        bench_result(all[i]->name, "w5", "alone_ns", samples_median(&alone_ns[i]));
        bench_result(all[i]->name, "w5", "two_processes_per_s", samples_median(&per_s[i]));
        samples_free(&alone_ns[i]);
        samples_free(&per_s[i]);
    }
    creation();
    python(options);
}

void bench_w5(const bench_options *options)
{
    /* What else is measured in w5: one line for each file. */
    static void (*const parts[])(const bench_options *options) = {
        locks,
        bench_w5_semaphores,
        bench_w5_wake_ups,
    };

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        parts[i](options);
}
