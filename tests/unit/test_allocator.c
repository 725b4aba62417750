/* The allocator: what it returns, what it refuses, and that nothing is lost, checked against a model. */
#include "core/domain/allocator.h"
#include "core/domain/heap.h"
#include "support/leak.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define BUDGET (UINT64_C(16) << 20)
#define OBJECT YOKE__ID(9, 3)
#define OTHER  YOKE__ID(9, 4) /* the same entry, another generation */

static int open_domain(void **state)
{
    static int   serial;
    yoke_domain *domain;
    char         name[64];
    snprintf(name, sizeof name, "test-allocator-%ld-%d", (long)getpid(), serial++);
    if (yoke_domain_open(&domain, name, YOKE_OPTIONS(yoke_domain_options, .max_bytes = BUDGET)) < 0) {
        fprintf(stderr, "%s\n", yoke_last_error()->text);
        return -1;
    }
    *state = domain;
    return 0;
}

static int close_domain(void **state)
{
    yoke_domain_close(*state);
    return 0;
}

static yoke__alloc_stats checked(yoke_domain *domain)
{
    yoke__alloc_stats stats = {0};
    if (yoke__alloc_check(domain, &stats) < 0) {
        fail_msg("%s", yoke_last_error()->text);
    }
    return stats;
}

static void test_blocks_are_aligned_and_large_enough(void **state)
{
    yoke_domain   *domain = *state;
    const uint64_t sizes[] = {0, 1, 31, 32, 33, 64, 95, 96, 97, 4096, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t *block = yoke__alloc(domain, sizes[i], 0);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % 64, 0);
        assert_true(yoke__alloc_size(domain, block) >= sizes[i]);
        assert_true(yoke__alloc_size(domain, block) < sizes[i] + 64);
        memset(block, 0xff, (size_t)yoke__alloc_size(domain, block));
        checked(domain);
    }
}

static void test_zeroed_memory_is_zero_when_it_was_used_before(void **state)
{
    yoke_domain *domain = *state;
    uint8_t     *block = yoke__alloc(domain, 5000, 0);
    memset(block, 0xff, 5000);
    yoke__free(domain, block);
    uint8_t *again = yoke__alloc_zero(domain, 5000, 0);
    assert_ptr_equal(again, block);
    for (int i = 0; i < 5000; i++) {
        assert_int_equal(again[i], 0);
    }
}

static void test_freed_neighbours_become_one_block(void **state)
{
    yoke_domain *domain = *state;
    void        *blocks[16];
    uint64_t     before = checked(domain).free_blocks;
    for (int order = 0; order < 3; order++) {
        for (int i = 0; i < 16; i++) {
            blocks[i] = yoke__alloc(domain, 1000, 0);
        }
        for (int i = 0; i < 16; i++) {
            int k = order == 0 ? i : order == 1 ? 15 - i : i * 7 % 16;
            yoke__free(domain, blocks[k]);
            checked(domain);
        }
        assert_int_equal(checked(domain).free_blocks, before);
    }
}

static void test_what_is_not_a_block_is_not_freed(void **state)
{
    yoke_domain      *domain = *state;
    uint8_t          *block = yoke__alloc(domain, 1000, 0);
    int               local;
    yoke__alloc_stats before = checked(domain);
    memset(block, 0, 1000);
    void *wrong[] = {&local, block + 64, block + 1, domain->memory.base, (uint8_t *)domain->memory.base + 4096};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(yoke__alloc_size(domain, wrong[i]), 0);
        yoke__free(domain, wrong[i]);
        assert_int_equal(yoke_last_error()->code, YOKE_EINVAL);
    }
    assert_int_equal(checked(domain).token_blocks, before.token_blocks);
    yoke__free(domain, block);
    yoke__free(domain, block); /* twice */
    assert_int_equal(yoke_last_error()->code, YOKE_EINVAL);
    checked(domain);
}

static void test_beyond_the_budget_nothing_is_lost(void **state)
{
    yoke_domain      *domain = *state;
    yoke__alloc_stats before = checked(domain);
    assert_null(yoke__alloc(domain, BUDGET, 0));
    assert_int_equal(yoke_last_error()->code, YOKE_ENOMEM);
    assert_non_null(strstr(yoke_last_error()->text, "budget"));
    assert_int_equal(checked(domain).free_bytes, before.free_bytes);

    void  *blocks[4096];
    size_t count = 0;
    while (count < 4096 && (blocks[count] = yoke__alloc(domain, 10000, 0))) {
        count++;
    }
    assert_true(count > 1400 && count < 1700); /* 16 MiB of 10,048 bytes each, less the domain's own */
    assert_true(yoke__a64_load_acquire(&yoke__domain_header(domain)->committed) <= BUDGET);
    checked(domain);
    for (size_t i = 0; i < count; i++) {
        yoke__free(domain, blocks[i]);
    }
    yoke__alloc_stats after = checked(domain);
    assert_int_equal(after.free_blocks, 1);
    assert_int_equal(after.token_blocks + after.object_blocks, before.token_blocks + before.object_blocks);
    assert_non_null(yoke__alloc(domain, 15000000, 0));
}

static void test_more_than_the_reserve_is_refused(void **state)
{
    yoke_domain *domain = *state;
    assert_null(yoke__alloc(domain, yoke__domain_header(domain)->reserve, 0));
    assert_int_equal(yoke_last_error()->code, YOKE_ENOMEM);
    assert_null(yoke__alloc(domain, UINT64_MAX, 0));
    assert_int_equal(yoke_last_error()->code, YOKE_ENOMEM);
    checked(domain);
}

static void test_an_objects_blocks_go_with_it(void **state)
{
    yoke_domain      *domain = *state;
    yoke__alloc_stats before = checked(domain);
    for (int i = 0; i < 100; i++) {
        void *mine = yoke__alloc(domain, 200, OBJECT);
        void *other = yoke__alloc(domain, 200, 0); /* named only when it is given */
        void *kept = yoke__alloc(domain, 200, OBJECT);
        yoke__alloc_give(domain, mine, OBJECT);
        yoke__alloc_give(domain, other, OTHER);
        yoke__alloc_give(domain, kept, OBJECT);
        yoke__alloc_take(domain, kept);
    }
    assert_int_equal(checked(domain).object_blocks, before.object_blocks + 200);
    yoke__alloc_free_object(domain, OBJECT);
    assert_int_equal(checked(domain).object_blocks, before.object_blocks + 100);
    assert_int_equal(checked(domain).token_blocks, before.token_blocks + 100);
    yoke__alloc_free_object(domain, OTHER);
    assert_int_equal(checked(domain).object_blocks, before.object_blocks);
}

static bool     answer;
static yoke__id asked_about;
static int      times_asked;
static int      times_held;

static bool links(yoke_domain *domain, yoke__id object, void *block, bool held)
{
    assert_true(yoke__alloc_size(domain, block) > 0);
    asked_about = object;
    times_asked++;
    times_held += held;
    return answer;
}

/* As if another participant, dead by now, had allocated it. */
static void disown(void *block, yoke__token dead, yoke__block_kind kind)
{
    yoke__block *its = (yoke__block *)block - 1;
    yoke__a64_store_release(&its->state, yoke__block_state(yoke__block_size(its) / YOKE__GRANULE, kind, dead));
}

static void test_what_the_dead_owned_comes_back(void **state)
{
    yoke_domain      *domain = *state;
    yoke__alloc_stats before = checked(domain);
    yoke__token       dead = yoke__domain_token(domain) + (7u << YOKE__SLOT_BITS);
    void             *linked = yoke__alloc(domain, 300, OBJECT);
    void             *mine = yoke__alloc(domain, 300, OBJECT);
    void             *held = yoke__alloc(domain, 300, OBJECT);
    void             *loose = yoke__alloc(domain, 300, 0);
    disown(linked, dead, YOKE__BLOCK_TOKEN);
    disown(held, dead, YOKE__BLOCK_HELD);
    disown(loose, dead, YOKE__BLOCK_TOKEN);
    times_asked = times_held = 0;
    answer = true;
    yoke__alloc_recover(domain, dead + (1u << YOKE__SLOT_BITS), links); /* somebody else */
    assert_int_equal(times_asked, 0);
    yoke__alloc_recover(domain, dead, links);
    assert_int_equal(times_asked, 2);
    assert_int_equal(times_held, 1);
    assert_true(asked_about == OBJECT);
    assert_int_equal(yoke__alloc_size(domain, loose), 0);
    assert_int_equal(checked(domain).object_blocks, before.object_blocks + 2);
    assert_int_equal(checked(domain).token_blocks, before.token_blocks + 1);
    disown(linked, dead, YOKE__BLOCK_TOKEN);
    answer = false;
    yoke__alloc_recover(domain, dead, links);
    assert_int_equal(yoke__alloc_size(domain, linked), 0);
    assert_true(yoke__alloc_size(domain, mine) > 0);
    assert_int_equal(checked(domain).object_blocks, before.object_blocks + 1);
}

/* ---- a random load against a model ------------------------------------------------------------------------------- */

#define SLOTS 400

typedef struct model_slot {
    uint8_t *block;
    uint32_t size;
    uint8_t  fill;
} model_slot;

static uint32_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33);
}

static uint32_t random_size(uint64_t *seed)
{
    uint32_t kind = next_random(seed) % 100;
    return kind < 70 ? next_random(seed) % 300 : kind < 97 ? next_random(seed) % 5000 : next_random(seed) % 200000;
}

static void check_slot(const model_slot *slot)
{
    for (uint32_t i = 0; i < slot->size; i++) {
        if (slot->block[i] != slot->fill) {
            fail_msg("byte %u of a block of %u changed", i, slot->size);
        }
    }
}

static void change_slot(yoke_domain *domain, model_slot *slot, uint64_t *seed)
{
    if (slot->block) {
        check_slot(slot);
        yoke__free(domain, slot->block);
        *slot = (model_slot){0};
        return;
    }
    slot->size = random_size(seed);
    slot->fill = (uint8_t)next_random(seed);
    slot->block = yoke__alloc(domain, slot->size, next_random(seed) % 3 ? 0 : YOKE__ID(next_random(seed) % 50, 1));
    if (slot->block) {
        memset(slot->block, slot->fill, slot->size);
    } else {
        assert_int_equal(yoke_last_error()->code, YOKE_ENOMEM);
    }
}

static void test_a_random_load_agrees_with_a_model(void **state)
{
    yoke_domain      *domain = *state;
    static model_slot slots[SLOTS];
    uint64_t          seed = 20240611;
    yoke__alloc_stats before = checked(domain);
    for (int i = 0; i < 60000; i++) {
        change_slot(domain, &slots[next_random(&seed) % SLOTS], &seed);
        if (i % 2000 == 0) {
            checked(domain);
        }
    }
    for (int i = 0; i < SLOTS; i++) {
        if (slots[i].block) {
            check_slot(&slots[i]);
            yoke__free(domain, slots[i].block);
        }
    }
    yoke__alloc_stats after = checked(domain);
    assert_int_equal(after.token_blocks, before.token_blocks);
    assert_int_equal(after.free_blocks, 1);
}

/* ---- caches written anew ----------------------------------------------------------------------------------------- */

static void test_lost_caches_are_written_anew(void **state)
{
    yoke_domain *domain = *state;
    void        *blocks[64];
    for (int i = 0; i < 64; i++) {
        blocks[i] = yoke__alloc(domain, (uint64_t)i * 100, i % 2 ? OBJECT : 0);
    }
    for (int i = 0; i < 64; i += 3) {
        yoke__free(domain, blocks[i]);
    }
    yoke__alloc_stats before = checked(domain);
    yoke__header     *header = yoke__domain_header(domain);
    memset(header->free_lists, 0xa5, sizeof header->free_lists);
    memset(header->owned, 0xa5, sizeof header->owned);
    yoke__a64_store_release(&header->heap_last, 12345);
    yoke__a64_store_release(&header->used, 0);
    yoke__a32_store_release(&header->allocator_dirty, 1); /* as a dead holder leaves it */
    yoke__alloc_stats after = checked(domain);
    assert_memory_equal(&before, &after, sizeof before);
}

static void test_a_damaged_chain_is_an_error_and_no_crash(void **state)
{
    yoke_domain   *domain = *state;
    yoke__header  *header = yoke__domain_header(domain);
    uint8_t       *block = yoke__alloc(domain, 1000, 0);
    yoke__block   *its = (yoke__block *)(void *)block - 1;
    uint64_t       good = yoke__a64_load_acquire(&its->state);
    const uint64_t bad[] = {0, UINT64_MAX, yoke__block_state(1u << 29, YOKE__BLOCK_FREE, 0)};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        yoke__a64_store_release(&its->state, bad[i]);
        yoke__a32_store_release(&header->allocator_dirty, 1);
        assert_null(yoke__alloc(domain, 100, 0));
        assert_int_equal(yoke_last_error()->code, YOKE_EPROTO);
        assert_int_equal(yoke__alloc_check(domain, NULL), YOKE_EPROTO);
    }
    yoke__a64_store_release(&its->state, good);
    assert_non_null(yoke__alloc(domain, 100, 0));
    checked(domain);
}

static void test_free_memory_beyond_the_mark_goes_back_and_comes_again(void **state)
{
    yoke_domain  *domain = *state;
    yoke__header *header = yoke__domain_header(domain);
    uint8_t      *block = yoke__alloc(domain, 8000000, 0);
    memset(block, 'x', 8000000);
    yoke__free(domain, block);
    /* As trim leaves it, whatever the system has left at the moment. */
    yoke__block *its = (yoke__block *)(void *)block - 1;
    uint64_t     granules = yoke__block_size(its) / YOKE__GRANULE;
    yoke__a64_store_release(&its->state, yoke__block_state(granules, YOKE__BLOCK_FREE, YOKE__BLOCK_HOLES));
    uint64_t from = (yoke__domain_offset(domain, block) + 65535) & ~UINT64_C(65535);
    assert_int_equal(yoke_backend_current()->memory->trim(&domain->memory, from, from + 4 * 65536), YOKE_OK);
    uint8_t *again = yoke__alloc(domain, 8000000, 0);
    assert_ptr_equal(again, block);
    memset(again, 'y', 8000000);
    checked(domain);
    assert_true(yoke__a64_load_acquire(&header->committed) <= BUDGET);
}

static void test_a_hundred_thousand_small_objects_cost_little(void **state)
{
    (void)state;
    yoke_domain    *domain;
    static void    *blocks[100000];
    struct timespec begin;
    struct timespec end;
    char            name[64];
    snprintf(name, sizeof name, "test-allocator-many-%ld", (long)getpid());
    assert_int_equal(yoke_domain_open(&domain, name, NULL), YOKE_OK);
    yoke__alloc_stats before = checked(domain);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
    for (uint32_t i = 0; i < 100000; i++) {
        blocks[i] = yoke__alloc(domain, 64, YOKE__ID(i, 1));
        assert_non_null(blocks[i]);
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    double each = ((double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec)) / 100000;
    printf("allocation of 64 bytes: %.0f ns of CPU each\n", each);
    checked(domain);
    for (uint32_t i = 0; i < 100000; i++) {
        yoke__alloc_give(domain, blocks[i], YOKE__ID(i, 1));
        yoke__alloc_free_object(domain, YOKE__ID(i, 1));
    }
    assert_true(each < 50000); /* whatever slows the build down; an optimised one is far below 1000 */
    assert_int_equal(checked(domain).object_blocks, before.object_blocks);
    yoke_domain_close(domain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_blocks_are_aligned_and_large_enough, open_domain, close_domain),
        cmocka_unit_test_setup_teardown(test_zeroed_memory_is_zero_when_it_was_used_before, open_domain, close_domain),
        cmocka_unit_test_setup_teardown(test_freed_neighbours_become_one_block, open_domain, close_domain),
        cmocka_unit_test_setup_teardown(test_what_is_not_a_block_is_not_freed, open_domain, close_domain),
        cmocka_unit_test_setup_teardown(test_beyond_the_budget_nothing_is_lost, open_domain, close_domain),
        cmocka_unit_test_setup_teardown(test_more_than_the_reserve_is_refused, open_domain, close_domain),
        cmocka_unit_test_setup_teardown(test_an_objects_blocks_go_with_it, open_domain, close_domain),
        cmocka_unit_test_setup_teardown(test_what_the_dead_owned_comes_back, open_domain, close_domain),
        cmocka_unit_test_setup_teardown(test_a_random_load_agrees_with_a_model, open_domain, close_domain),
        cmocka_unit_test_setup_teardown(test_lost_caches_are_written_anew, open_domain, close_domain),
        cmocka_unit_test_setup_teardown(test_a_damaged_chain_is_an_error_and_no_crash, open_domain, close_domain),
        cmocka_unit_test_setup_teardown(test_free_memory_beyond_the_mark_goes_back_and_comes_again, open_domain,
                                        close_domain),
        cmocka_unit_test(test_a_hundred_thousand_small_objects_cost_little),
    };
    return cmocka_run_group_tests(tests, leak_setup, leak_teardown);
}
