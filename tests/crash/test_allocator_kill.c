/*
 * A process is killed at every instruction of every operation of the allocator. Afterwards the survivor finds the heap
 * in order, everything of the dead is back, what is the survivor's is untouched, and it goes on allocating.
 *
 * Built once more for each planted fault of mutants.cmake, with CRASH_MUTANT defined: then at least one kill must be
 * found out.
 */
#include "begin.h"
#include "core/domain/allocator.h"
#include "core/domain/heap.h"
#include "core/domain/participant.h"
#include "harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#ifndef CRASH_MUTANT
#define CRASH_MUTANT 0
#endif

#define BUDGET (UINT64_C(2) << 20)
#define KEPT   5

/* Ids of objects that exist only as owners of blocks. */
#define OBJECT YOKE__ID(77, 5)

typedef struct fixture {
    yoke_domain *domain;
    uint8_t     *kept[KEPT];   /* the survivor's blocks, with free ones of the same size between them */
    uint64_t     free_bytes;   /* when the victim enters */
    uint64_t     size;         /* of what the victim allocates */
    void        *block;        /* the victim's, made in enter() */
    int          with;         /* which of the survivor's blocks the operation wants the victim to own */
    bool         surely_given; /* in the end the block must be the object's */
    bool         linked;       /* what links() answers */
    bool         grows;        /* see to it that the whole budget can still be had */
    yoke__token *victim;       /* shared: the victim tells its token */
} fixture;

static fixture now;

static uint64_t heap_size(const yoke_domain *domain)
{
    return yoke__a64_load_acquire(&yoke__domain_header(domain)->heap_end) - YOKE__BLOCK_FIRST;
}

/* ---- the survivor's state ---------------------------------------------------------------------------------------- */

/* kept[0] hole kept[1] hole ... kept[4], then one large free block. */
static void set_up(void *context)
{
    fixture *f = context;
    uint8_t *holes[KEPT - 1];
    char     name[64];
    snprintf(name, sizeof name, "allocator-kill-%ld", (long)getpid());
    assert_int_equal(yoke_domain_open(&f->domain, name, YOKE_OPTIONS(yoke_domain_options, .max_bytes = BUDGET)),
                     YOKE_OK);
    crash_hide(f->domain);
    for (int i = 0; i < KEPT; i++) {
        f->kept[i] = yoke__alloc(f->domain, 1000, 0);
        assert_non_null(f->kept[i]);
        memset(f->kept[i], 'a' + i, 1000);
        if (i < KEPT - 1) {
            holes[i] = yoke__alloc(f->domain, 1000, 0);
            assert_non_null(holes[i]);
        }
    }
    for (int i = 0; i < KEPT - 1; i++) {
        yoke__free(f->domain, holes[i]);
    }
    yoke__alloc_stats stats;
    assert_int_equal(yoke__alloc_check(f->domain, &stats), YOKE_OK);
    f->free_bytes = stats.free_bytes;
    *f->victim = 0;
}

static void tear_down(void *context)
{
    fixture *f = context;
    yoke_domain_close(f->domain);
}

/* ---- what the victim does ---------------------------------------------------------------------------------------- */

static void enter(void *context)
{
    fixture *f = context;
    *f->victim = yoke__domain_token(f->domain);
}

static void enter_with_block(void *context)
{
    fixture *f = context;
    enter(context);
    f->block = yoke__alloc(f->domain, 1000, OBJECT);
}

static void enter_with_given(void *context)
{
    fixture *f = context;
    enter_with_block(context);
    yoke__alloc_give(f->domain, f->block, OBJECT);
}

/* One of the survivor's blocks, whose neighbours are free, becomes the victim's. */
static void enter_with_kept(void *context)
{
    fixture *f = context;
    enter(context);
    f->block = f->kept[f->with];
    yoke__alloc_take(f->domain, f->block);
}

static void operation_alloc(void *context)
{
    fixture *f = context;
    f->block = yoke__alloc(f->domain, f->size, 0);
}

static void operation_free(void *context)
{
    fixture *f = context;
    yoke__free(f->domain, f->block);
}

static void operation_alloc_and_free(void *context)
{
    operation_alloc(context);
    operation_free(context);
}

static void operation_give(void *context)
{
    fixture *f = context;
    yoke__alloc_give(f->domain, f->block, OBJECT);
}

static void operation_take(void *context)
{
    fixture *f = context;
    yoke__alloc_take(f->domain, f->block);
}

static void operation_hold(void *context)
{
    fixture *f = context;
    yoke__alloc_hold(f->domain, f->block);
}

static void operation_free_object(void *context)
{
    fixture *f = context;
    yoke__alloc_free_object(f->domain, OBJECT);
}

/* ---- the survivor's recovery and checks -------------------------------------------------------------------------- */

static bool links(yoke_domain *domain, yoke__id object, void *block, bool held)
{
    (void)domain;
    (void)block;
    (void)held;
    return now.linked && object == OBJECT;
}

static void recover(void *context)
{
    fixture *f = context;
    yoke__alloc_recover(f->domain, *f->victim, links);
}

static void enter_recovery(void *context)
{
    fixture *f = context;
    (void)yoke__domain_token(f->domain);
}

static bool is_intact(const fixture *f, int skip)
{
    for (int i = 0; i < KEPT; i++) {
        for (int k = 0; k < 1000; k++) {
            if (i != skip && f->kept[i][k] != 'a' + i) {
                return false;
            }
        }
    }
    return true;
}

/* Everything can be had again: one block in the end, or the whole budget in one block. */
static const char *use_all(fixture *f, int skip)
{
    uint64_t          most = BUDGET - YOKE__HEAP_START - 4096;
    yoke__alloc_stats stats;
    void             *block = yoke__alloc(f->domain, 1000, 0);
    if (!block) {
        return "no block of 1000 bytes can be had";
    }
    yoke__free(f->domain, block);
    for (int i = 0; i < KEPT; i++) {
        if (i != skip) {
            yoke__free(f->domain, f->kept[i]);
        }
    }
    if (f->grows) {
        block = yoke__alloc(f->domain, most, 0);
        if (!block) {
            return "the whole budget can't be had in one block";
        }
        memset((uint8_t *)block + most - 4096, 'z', 4096);
        yoke__free(f->domain, block);
    }
    if (yoke__alloc_check(f->domain, &stats) < 0 || stats.blocks != 1) {
        return "the heap is not one free block in the end";
    }
    return NULL;
}

static const char *verify_with(fixture *f, int skip)
{
    static char       text[200];
    yoke__alloc_stats stats;
    uint64_t          heap_before = heap_size(f->domain);
    recover(f);
    if (yoke__alloc_check(f->domain, &stats) < 0) {
        snprintf(text, sizeof text, "%s", yoke_last_error()->text);
        return text;
    }
    if (heap_size(f->domain) != heap_before) {
        return "recovery changed the size of the heap";
    }
    if (f->surely_given && stats.object_blocks != 1) {
        return "a block that its object links was taken from it";
    }
    if (stats.object_blocks > 0) { /* given before the death, or in the recovery */
        yoke__alloc_free_object(f->domain, OBJECT);
        if (yoke__alloc_check(f->domain, &stats) < 0 || stats.object_blocks > 0) {
            return "an object's block can't be freed";
        }
    }
    if (stats.token_blocks != (uint64_t)(skip < 0 ? KEPT : KEPT - 1)) {
        return "a block of the dead is left, or one of the living is gone";
    }
    if (!is_intact(f, skip)) {
        return "the survivor's bytes have changed";
    }
    return use_all(f, skip);
}

static const char *verify(void *context)
{
    return verify_with(context, -1);
}

/* The block that enter_with_kept() took is back with the rest. */
static const char *verify_without_kept(void *context)
{
    fixture *f = context;
    return verify_with(f, f->with);
}

/* ---- scenarios --------------------------------------------------------------------------------------------------- */

static uint64_t found;

static void run(crash_case test)
{
    crash_result result;
    test.set_up = set_up;
    test.tear_down = tear_down;
    test.context = &now;
    test.expect_fault = CRASH_MUTANT;
    if (!test.verify) {
        test.verify = verify;
    }
    if (CRASH_MUTANT && found) {
        return;
    }
    assert_true(crash_run(&test, &result) || CRASH_MUTANT);
    found += result.faults;
    if (!CRASH_MUTANT) {
        assert_int_equal(result.faults, 0);
        assert_true(result.points > 1);
    }
}

static void test_allocating_a_block_that_fits(void **state)
{
    (void)state;
    now.size = 1000;
    run((crash_case){.name = "alloc, fit", .enter = enter, .operation = operation_alloc});
}

static void test_allocating_by_splitting(void **state)
{
    (void)state;
    now.size = 300;
    run((crash_case){.name = "alloc, split", .enter = enter, .operation = operation_alloc});
}

static void test_allocating_by_growing(void **state)
{
    (void)state;
    now.size = UINT64_C(640) << 10;
    now.grows = true;
    run((crash_case){.name = "alloc, growth", .enter = enter, .operation = operation_alloc});
    now.grows = false;
}

static void test_allocating_the_last_of_the_budget(void **state)
{
    (void)state;
    now.size = BUDGET - YOKE__HEAP_START - (UINT64_C(64) << 10);
    now.grows = true;
    run((crash_case){.name = "alloc, exact growth", .enter = enter, .operation = operation_alloc});
    now.grows = false;
}

static void test_freeing_between_free_neighbours(void **state)
{
    (void)state;
    now.with = 2;
    run((crash_case){.name = "free, both neighbours",
                     .enter = enter_with_kept,
                     .operation = operation_free,
                     .verify = verify_without_kept});
}

static void test_freeing_before_a_free_neighbour(void **state)
{
    (void)state;
    now.with = 0;
    run((crash_case){.name = "free, neighbour behind",
                     .enter = enter_with_kept,
                     .operation = operation_free,
                     .verify = verify_without_kept});
}

static void test_freeing_after_a_split(void **state)
{
    (void)state;
    now.size = 300;
    run((crash_case){.name = "alloc and free", .enter = enter, .operation = operation_alloc_and_free});
}

static void test_giving(void **state)
{
    (void)state;
    now.linked = false;
    run((crash_case){.name = "give, not linked", .enter = enter_with_block, .operation = operation_give});
    now.linked = now.surely_given = true;
    run((crash_case){.name = "give, linked", .enter = enter_with_block, .operation = operation_give});
    now.linked = now.surely_given = false;
}

static void test_taking(void **state)
{
    (void)state;
    now.linked = now.surely_given = true;
    run((crash_case){.name = "take", .enter = enter_with_given, .operation = operation_take});
    run((crash_case){.name = "hold", .enter = enter_with_given, .operation = operation_hold});
    now.linked = now.surely_given = false;
}

static void test_freeing_an_object(void **state)
{
    (void)state;
    run((crash_case){.name = "free object", .enter = enter_with_given, .operation = operation_free_object});
}

static void test_dying_in_the_recovery_of_a_split(void **state)
{
    (void)state;
    now.size = 300;
    run((crash_case){.name = "alloc, then recovery",
                     .enter = enter,
                     .operation = operation_alloc,
                     .enter_recovery = enter_recovery,
                     .recover = recover});
}

static void test_dying_in_the_recovery_of_a_merge(void **state)
{
    (void)state;
    now.with = 2;
    run((crash_case){.name = "free, then recovery",
                     .enter = enter_with_kept,
                     .operation = operation_free,
                     .enter_recovery = enter_recovery,
                     .recover = recover,
                     .verify = verify_without_kept});
}

static void test_dying_in_the_recovery_of_a_gift(void **state)
{
    (void)state;
    now.linked = now.surely_given = true;
    run((crash_case){.name = "give, then recovery",
                     .enter = enter_with_block,
                     .operation = operation_give,
                     .enter_recovery = enter_recovery,
                     .recover = recover});
    now.linked = now.surely_given = false;
}

static void test_a_planted_fault_is_found(void **state)
{
    (void)state;
    if (CRASH_MUTANT) {
        assert_true(found > 0);
    }
}

static int make_shared(void **state)
{
    (void)state;
    void *page = mmap(NULL, sizeof *now.victim, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        return -1;
    }
    now.victim = page;
    return 0;
}

int main(int argc, char **argv)
{
    crash_begin(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_allocating_a_block_that_fits),
        cmocka_unit_test(test_allocating_by_splitting),
        cmocka_unit_test(test_allocating_by_growing),
        cmocka_unit_test(test_allocating_the_last_of_the_budget),
        cmocka_unit_test(test_freeing_between_free_neighbours),
        cmocka_unit_test(test_freeing_before_a_free_neighbour),
        cmocka_unit_test(test_freeing_after_a_split),
        cmocka_unit_test(test_giving),
        cmocka_unit_test(test_taking),
        cmocka_unit_test(test_freeing_an_object),
        cmocka_unit_test(test_dying_in_the_recovery_of_a_split),
        cmocka_unit_test(test_dying_in_the_recovery_of_a_merge),
        cmocka_unit_test(test_dying_in_the_recovery_of_a_gift),
        cmocka_unit_test(test_a_planted_fault_is_found),
    };
    return cmocka_run_group_tests(tests, make_shared, NULL);
}
