/*
 * Processes create, open, pass on and close objects as fast as they can while they are killed at random; in the end
 * nothing is left. Seed and figures are printed.
 */
#include "core/backend.h"
#include "core/domain/allocator.h"
#include "core/domain/directory.h"
#include "core/domain/participant.h"
#include "core/domain/watch.h"
#include "support/box.h"
#include "support/child.h"
#include "support/leak.h"
#include "support/shared.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { WORKERS = 4, KILLS = 300, HELD = 12, NAMES = 5 };

static struct {
    yoke__a64 operations;
    yoke__a32 stop;
} * told;
static yoke__handle *carriers[3];
static uint32_t      seed;

static yoke_domain *domain(void)
{
    return shared_domain();
}

static uint32_t next(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static yoke__handle *create_or_open(uint32_t choice)
{
    yoke__handle *handle = NULL;
    char          name[16];

    (void)snprintf(name, sizeof name, "box%u", choice % NAMES);
    int code = choice & 64 ? box_create(&handle, NULL, name, YOKE_OPEN_OR_CREATE)
                           : box_create(&handle, NULL, NULL, YOKE_CREATE);
    CHILD_CHECK(code == YOKE_OK);
    return handle;
}

/* Puts an id in, unless the place is taken; takes whatever is in another place, holding on to the object meanwhile. */
static void pass(yoke__handle *handle, uint32_t choice)
{
    yoke__handle *carrier = carriers[choice % 3], *received = NULL;
    yoke__a64    *place = &box_of(carrier)->ids[choice / 4 % BOX_SLOTS];
    uint64_t      seen = 0;

    if (choice & 128) {
        CHILD_CHECK(yoke__reference_add(domain(), handle->id) == YOKE_OK);
        yoke__a64_cas_acq_rel(place, &seen, handle->id);
        return;
    }
    seen = yoke__a64_load_acquire(place);
    if (!seen || yoke__handle_open(&received, domain(), BOX_KIND, seen) != YOKE_OK)
        return;
    if (yoke__a64_cas_acq_rel(place, &seen, 0))
        yoke__reference_drop(domain(), received->id);
    CHILD_CHECK(yoke__handle_check(received, BOX_KIND) == received);
    box_close(received);
}

static int work(void *user)
{
    uint32_t      random = *(uint32_t *)user;
    yoke__handle *held[HELD] = {NULL};

    for (int i = 0; i < 3; i++)
        CHILD_CHECK(yoke__handle_check(carriers[i], BOX_KIND) != NULL);
    while (!yoke__a32_load_relaxed(&told->stop)) {
        uint32_t       choice = next(&random);
        yoke__handle **handle = &held[choice / 256 % HELD];
        if (*handle && (choice & 3))
            pass(*handle, choice / 4096);
        box_close(*handle);
        *handle = choice & 4 ? create_or_open(choice / 4096) : NULL;
        if (*handle)
            yoke__a32_store_release(&box_of(*handle)->owner, yoke__domain_token(domain()));
        yoke__a64_add_acq_rel(&told->operations, 1);
    }
    return 0;
}

static pid_t start_worker(uint32_t *random)
{
    uint32_t own = next(random);

    return child_start(work, &own);
}

static void check(uint64_t blocks)
{
    yoke__alloc_stats stats;

    (void)yoke__domain_recover(domain());
    for (int i = 0; i < 3; i++)
        for (unsigned slot = 0; slot < BOX_SLOTS; slot++)
            if (yoke__a64_load_acquire(&box_of(carriers[i])->ids[slot]))
                box_take(carriers[i], slot);
    if (yoke__directory_check(domain()) != YOKE_OK)
        fail_msg("%s (seed %u)", yoke_last_error()->text, seed);
    assert_int_equal(yoke__alloc_check(domain(), &stats), YOKE_OK);
    /* The directory may have grown by a chunk or so; objects are gone. */
    assert_in_range(stats.token_blocks + stats.object_blocks, blocks, blocks + 3);
    assert_int_equal(yoke__a32_load_relaxed(&yoke__domain_header(domain())->participants_live), 1);
}

static void nothing_is_left_of_processes_killed_at_random(void **state)
{
    (void)state;
    uint32_t          random = seed;
    pid_t             workers[WORKERS];
    yoke__alloc_stats stats;

    assert_int_equal(yoke__alloc_check(domain(), &stats), YOKE_OK);
    for (int i = 0; i < WORKERS; i++)
        workers[i] = start_worker(&random);
    for (int i = 0; i < KILLS; i++) {
        uint64_t seen = yoke__a64_load_relaxed(&told->operations), until = seen + next(&random) % 200;
        while (yoke__a64_load_relaxed(&told->operations) < until)
            yoke__backend()->system->yield();
        int victim = (int)(next(&random) % WORKERS);
        child_kill(workers[victim]);
        if (i % 3 == 0)
            (void)yoke__domain_recover(domain());
        workers[victim] = start_worker(&random);
    }
    yoke__a32_store_release(&told->stop, 1);
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(child_join(workers[i]), 0);
    printf("seed %u, %d kills, %llu operations\n", seed, KILLS,
           (unsigned long long)yoke__a64_load_relaxed(&told->operations));
    check(stats.token_blocks + stats.object_blocks);
}

static void *churn(void *user)
{
    uint32_t      random = (uint32_t)(uintptr_t)user;
    yoke__handle *held[HELD] = {NULL};

    for (int i = 0; i < 3000; i++) {
        uint32_t       choice = next(&random);
        yoke__handle **handle = &held[choice / 256 % HELD];
        if (*handle && (choice & 3))
            pass(*handle, choice / 4096);
        box_close(*handle);
        *handle = create_or_open(choice / 4096);
        if (i % 500 == 0) {
            pid_t child = fork();
            if (child == 0)
                _exit(yoke__handle_check(*handle, BOX_KIND) ? 0 : 1);
            CHILD_CHECK(child_join(child) == 0);
        }
    }
    for (int i = 0; i < HELD; i++)
        box_close(held[i]);
    return NULL;
}

static void threads_share_the_tables_and_fork_meanwhile(void **state)
{
    (void)state;
    pthread_t         threads[4];
    uint32_t          random = seed;
    yoke__alloc_stats stats;

    assert_int_equal(yoke__alloc_check(domain(), &stats), YOKE_OK);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, churn, (void *)(uintptr_t)next(&random)), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    check(stats.token_blocks + stats.object_blocks);
}

static int setup(void **state)
{
    const char *text = getenv("YOKE_STRESS_SEED");

    box_install();
    int result = shared_setup(state);
    seed = text ? (uint32_t)strtoul(text, NULL, 10) : (uint32_t)time(NULL) | 1u;
    printf("seed %u\n", seed);
    told = shared_alloc(sizeof *told);
    for (int i = 0; i < 3; i++)
        if (box_create(&carriers[i], NULL, NULL, YOKE_CREATE) != YOKE_OK)
            return -1;
    return result;
}

static int teardown(void **state)
{
    for (int i = 0; i < 3; i++)
        box_close(carriers[i]);
    shared_free(told);
    box_remove();
    yoke__watch_clear();
    return leak_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_left_of_processes_killed_at_random),
        cmocka_unit_test(threads_share_the_tables_and_fork_meanwhile),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
