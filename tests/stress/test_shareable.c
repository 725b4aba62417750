/*
 * Threads and processes set and read the same item, processes are killed at random: a text is always one that somebody
 * set, whole, and nobody is held up for good.
 */
#include "core/domain/participant.h"
#include "core/domain/watch.h"
#include "support/child.h"
#include "support/leak.h"

#include <setjmp.h>
#include <signal.h>
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

#define ROOM    600
#define THREADS 2
#define ROUNDS  40

static yoke_shareable *list;
static _Atomic bool    over;
static _Atomic long    reads;

/* As many of one letter as that letter says. */
static size_t fill(char *text, unsigned *seed)
{
    int    letter = rand_r(seed) % 24;
    size_t length = (size_t)letter * 25;
    memset(text, 'a' + letter, length);
    return length;
}

static bool is_whole(const char *text, size_t length)
{
    if (length == 0)
        return true;
    if ((size_t)(text[0] - 'a') * 25 != length)
        return false;
    for (size_t i = 1; i < length; i++)
        if (text[i] != text[0])
            return false;
    return true;
}

static void read_one(void)
{
    char   text[ROOM];
    size_t length = 0;
    if (yoke_shareable_get_bytes(list, 0, text, sizeof text, &length) != YOKE_OK || !is_whole(text, length))
        abort();
    atomic_fetch_add(&reads, 1);
}

static void set_one(unsigned *seed)
{
    char   text[ROOM];
    size_t length = fill(text, seed);
    if (YOKE_SHAREABLE_SET(list, 0, YOKE_BYTES(text, length)) != YOKE_OK)
        abort();
}

static void *work_in_a_thread(void *user)
{
    unsigned seed = (unsigned)(uintptr_t)user;
    while (!atomic_load(&over)) {
        set_one(&seed);
        read_one();
    }
    return NULL;
}

static int work_in_a_process(void *user)
{
    unsigned seed = (unsigned)getpid();
    (void)user;
    for (;;) {
        set_one(&seed);
        read_one();
    }
    return 0;
}

static void no_reader_ever_sees_half_an_item(void **state)
{
    pthread_t threads[THREADS];
    unsigned  seed = (unsigned)getpid();
    (void)state;
    for (int round = 0; round < ROUNDS && !getenv("YOKE_VALGRIND"); round++) {
        pid_t children[3];
        for (int i = 0; i < 3; i++)
            children[i] = child_start(work_in_a_process, NULL);
        for (int i = 0; i < 3; i++) {
            (void)usleep((useconds_t)(rand_r(&seed) % 5000)); /* what is waited for is chance itself */
            child_kill(children[i]);
            read_one();
            set_one(&seed);
        }
    }
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work_in_a_thread, (void *)(i + 1)), 0);
    for (int i = 0; i < 20000; i++)
        read_one();
    atomic_store(&over, true);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    printf("%ld reads in this process, %d processes killed\n", atomic_load(&reads), ROUNDS * 3);
}

static int make(void **state)
{
    if (yoke_shareable_create(&list, YOKE_ARGS(YOKE_BYTES("", 0), 1),
                              YOKE_OPTIONS(yoke_shareable_options, .slot_bytes = ROOM)) < 0)
        return -1;
    return leak_setup(state);
}

static int close_it(void **state)
{
    yoke_domain *domain;
    yoke_shareable_close(list);
    if (yoke__domain_default(&domain) == YOKE_OK)
        (void)yoke__domain_recover(domain);
    yoke__watch_clear();
    (void)state;
    return 0; /* sleeping opens a doorbell for good where there is no futex */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_reader_ever_sees_half_an_item),
    };
    return cmocka_run_group_tests(tests, make, close_it);
}
