/* Directory, names, references: objects live as long as somebody may come to use them, and no longer. */
#include "core/domain/allocator.h"
#include "core/domain/directory.h"
#include "core/domain/participant.h"
#include "support/box.h"
#include "support/child.h"
#include "support/leak.h"
#include "support/shared.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static yoke_domain *domain(void)
{
    return shared_domain();
}

static bool lives(yoke__id id)
{
    void *object;

    return yoke__object_find(&object, domain(), YOKE__KIND_NONE, id) == YOKE_OK;
}

static uint64_t blocks_in_use(void)
{
    yoke__alloc_stats stats;

    assert_int_equal(yoke__alloc_check(domain(), &stats), YOKE_OK);
    return stats.token_blocks + stats.object_blocks;
}

static yoke__handle *new_box(const char *name)
{
    yoke__handle *handle = NULL;

    assert_int_equal(box_create(&handle, NULL, name, YOKE_CREATE), YOKE_OK);
    return handle;
}

static void an_object_goes_with_its_last_handle(void **state)
{
    (void)state;
    yoke__handle *first = new_box(NULL), *second = NULL;
    uint64_t      blocks = blocks_in_use();
    yoke__id      id = first->id;

    assert_int_equal(yoke__handle_open(&second, domain(), BOX_KIND, id), YOKE_OK);
    assert_ptr_equal(first->object, second->object);
    box_close(first);
    assert_true(lives(id));
    assert_int_equal(box_destroyed(), 0);
    box_close(second);
    assert_false(lives(id));
    assert_int_equal(box_destroyed(), 1);
    assert_int_equal(blocks_in_use(), blocks - 2);
}

static void stale_and_made_up_ids_are_errors(void **state)
{
    (void)state;
    static const uint32_t indices[] = {0, 1, 2, 255, 256, 257, 1000000, 0x7fffffff, 0xffffff00, 0xffffffff};
    yoke__handle         *handle = new_box(NULL), *other = NULL;
    yoke__id              id = handle->id;
    void                 *object;

    assert_int_equal(yoke__object_find(&object, domain(), YOKE__KIND_QUEUE, id), YOKE_ETYPE);
    assert_non_null(strstr(yoke_last_error()->text, "this is a box, not a queue"));
    assert_int_equal(yoke__handle_open(&other, domain(), YOKE__KIND_QUEUE, id), YOKE_ETYPE);
    box_close(handle);
    assert_int_equal(yoke__handle_open(&other, domain(), BOX_KIND, id), YOKE_ENOENT);
    for (size_t i = 0; i < sizeof indices / sizeof *indices; i++)
        for (uint32_t generation = 0; generation < 5; generation++) {
            assert_int_equal(yoke__object_find(&object, domain(), BOX_KIND, YOKE__ID(indices[i], generation)),
                             YOKE_ENOENT);
            assert_int_equal(yoke__reference_add(domain(), YOKE__ID(indices[i], generation + 77)), YOKE_ENOENT);
        }
    assert_null(other);
}

static void an_entry_used_again_has_another_id(void **state)
{
    (void)state;
    yoke__handle *handle = new_box(NULL);
    yoke__id      before = handle->id;

    box_close(handle);
    handle = new_box(NULL);
    assert_int_equal(YOKE__ID_INDEX(handle->id), YOKE__ID_INDEX(before));
    assert_int_equal(YOKE__ID_GENERATION(handle->id), YOKE__ID_GENERATION(before) + 1);
    box_close(handle);
}

static void generations_wrap_without_a_zero(void **state)
{
    (void)state;
    yoke__handle *handle = new_box(NULL);
    yoke__entry  *entry = yoke__entry_at(domain(), YOKE__ID_INDEX(handle->id));

    box_close(handle);
    yoke__a64_store_relaxed(&entry->word,
                            yoke__entry_word(YOKE__DIRECTORY_GENERATIONS - 1, 0, YOKE__ENTRY_FREE, YOKE__KIND_NONE));
    handle = new_box(NULL);
    assert_int_equal(YOKE__ID_GENERATION(handle->id), YOKE__DIRECTORY_GENERATIONS - 1);
    box_close(handle);
    handle = new_box(NULL);
    assert_int_equal(YOKE__ID_GENERATION(handle->id), 1);
    box_close(handle);
}

/* ---- names ----------------------------------------------------------------------------------------------------------- */

static void modes_decide_what_a_name_means(void **state)
{
    (void)state;
    yoke__handle *first = NULL, *second = NULL, *third = NULL;

    assert_int_equal(box_create(&first, NULL, "here", YOKE_OPEN), YOKE_ENOENT);
    assert_non_null(strstr(yoke_last_error()->text, "no box named 'here'"));
    assert_int_equal(box_create(&first, NULL, "here", YOKE_OPEN_OR_CREATE), YOKE_OK);
    assert_int_equal(box_create(&second, NULL, "here", YOKE_OPEN_OR_CREATE), YOKE_OK);
    assert_int_equal(box_create(&third, NULL, "here", YOKE_OPEN), YOKE_OK);
    assert_true(first->id == second->id && first->id == third->id);
    box_close(third);
    assert_int_equal(box_create(&third, NULL, "here", YOKE_CREATE), YOKE_EEXIST);
    assert_int_equal(box_create(&third, NULL, "here", (yoke_open_mode)7), YOKE_EINVAL);
    box_close(first);
    box_close(second);
    assert_int_equal(box_create(&first, NULL, "here", YOKE_OPEN), YOKE_ENOENT);
}

static void a_name_of_another_kind_is_a_type_error(void **state)
{
    (void)state;
    yoke__handle           *first = new_box("thing"), *second = NULL;
    const yoke__object_spec spec = {.kind = YOKE__KIND_LOCK, .name = "thing", .mode = YOKE_OPEN_OR_CREATE, .size = 64};

    assert_int_equal(yoke__handle_create(&second, NULL, &spec), YOKE_ETYPE);
    assert_non_null(strstr(yoke_last_error()->text, "'thing' is a box, not a lock"));
    box_close(first);
}

static void bad_names_are_refused_with_their_limit(void **state)
{
    (void)state;
    yoke__handle *handle = NULL;
    char          longest[YOKE__NAME_SIZE], too_long[YOKE__NAME_SIZE + 1];

    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = 0;
    memset(too_long, 'x', sizeof too_long);
    too_long[sizeof too_long - 1] = 0;
    assert_int_equal(box_create(&handle, NULL, too_long, YOKE_CREATE), YOKE_EINVAL);
    assert_non_null(strstr(yoke_last_error()->text, "63"));
    assert_int_equal(box_create(&handle, NULL, "", YOKE_CREATE), YOKE_EINVAL);
    assert_int_equal(box_create(&handle, NULL, "a/b", YOKE_CREATE), YOKE_EINVAL);
    assert_int_equal(box_create(&handle, NULL, "\xff", YOKE_CREATE), YOKE_EINVAL);
    assert_int_equal(box_create(&handle, NULL, longest, YOKE_CREATE), YOKE_OK);
    char text[256];
    assert_non_null(strstr(yoke__object_describe(domain(), handle->id, text, sizeof text), longest));
    box_close(handle);
    handle = new_box("A-z_0.9");
    box_close(handle);
}

static void names_in_one_bucket_are_told_apart(void **state)
{
    (void)state;
    enum { MANY = 3 * YOKE__NAME_BUCKETS };
    static yoke__handle *all[MANY];
    char                 name[32];

    for (int i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof name, "name%d", i);
        all[i] = new_box(name);
    }
    for (int i = 0; i < MANY; i += 3)
        box_close(all[i]);
    for (int i = 0; i < MANY; i++) {
        yoke__handle *found = NULL;
        (void)snprintf(name, sizeof name, "name%d", i);
        assert_int_equal(box_create(&found, NULL, name, YOKE_OPEN), i % 3 ? YOKE_OK : YOKE_ENOENT);
        if (found)
            assert_true(found->id == all[i]->id);
        box_close(found);
    }
    for (int i = 0; i < MANY; i++)
        if (i % 3)
            box_close(all[i]);
}

static int refuse(yoke_domain *unused, const void *object, const void *argument)
{
    (void)unused;
    (void)object;
    (void)argument;
    return YOKE_EINVAL;
}

static void options_that_disagree_leave_no_reference(void **state)
{
    (void)state;
    yoke__handle           *first = new_box("agreed"), *second = NULL;
    yoke__id                id = first->id;
    const yoke__object_spec spec = {.kind = BOX_KIND, .name = "agreed", .mode = YOKE_OPEN, .agree = refuse};

    assert_int_equal(yoke__handle_create(&second, NULL, &spec), YOKE_EINVAL);
    box_close(first);
    assert_false(lives(id));
}

static int fail_half_way(yoke_domain *in, yoke__id id, void *object, const void *argument)
{
    (void)object;
    (void)argument;
    yoke__alloc_give(in, yoke__alloc(in, 1000, id), id);
    return YOKE_ERANGE;
}

static void a_failed_init_leaves_nothing(void **state)
{
    (void)state;
    yoke__handle           *handle = NULL;
    const yoke__object_spec spec = {.kind = BOX_KIND, .name = "failed", .size = 100, .init = fail_half_way};
    uint64_t                blocks = blocks_in_use();

    assert_int_equal(yoke__handle_create(&handle, NULL, &spec), YOKE_ERANGE);
    assert_null(handle);
    assert_int_equal(blocks_in_use(), blocks);
    handle = new_box("failed");
    box_close(handle);
}

/* ---- references in flight -------------------------------------------------------------------------------------------- */

static void an_object_in_flight_outlives_its_handles(void **state)
{
    (void)state;
    yoke__handle *carrier = new_box(NULL), *passed = new_box(NULL), *received = NULL;
    yoke__id      id = passed->id;

    assert_int_equal(box_put(carrier, 0, id), YOKE_OK);
    box_close(passed);
    assert_true(lives(id));
    assert_int_equal(yoke__handle_open(&received, domain(), BOX_KIND, id), YOKE_OK);
    box_take(carrier, 0);
    assert_true(lives(id));
    box_close(received);
    assert_false(lives(id));
    box_close(carrier);
}

static void a_reference_dropped_unopened_lets_the_object_go(void **state)
{
    (void)state;
    yoke__handle *carrier = new_box(NULL), *passed = new_box(NULL);
    yoke__id      id = passed->id;

    assert_int_equal(box_put(carrier, 0, id), YOKE_OK);
    assert_int_equal(box_put(carrier, 1, id), YOKE_OK);
    box_close(passed);
    box_take(carrier, 0);
    assert_true(lives(id));
    box_take(carrier, 1);
    assert_false(lives(id));
    box_close(carrier);
}

static void what_a_carrier_carries_goes_with_it(void **state)
{
    (void)state;
    yoke__handle *outer = new_box(NULL), *inner = new_box(NULL), *innermost = new_box(NULL);
    yoke__id      inner_id = inner->id, innermost_id = innermost->id;

    assert_int_equal(box_put(inner, 3, innermost_id), YOKE_OK);
    assert_int_equal(box_put(outer, 0, inner_id), YOKE_OK);
    box_close(innermost);
    box_close(inner);
    assert_true(lives(inner_id) && lives(innermost_id));
    box_close(outer);
    assert_false(lives(inner_id) || lives(innermost_id));
}

static void carriers_that_carry_each_other_go(void **state)
{
    (void)state;
    yoke__handle *one = new_box(NULL), *two = new_box(NULL), *self = new_box(NULL);
    yoke__id      ids[3] = {one->id, two->id, self->id};

    assert_int_equal(box_put(one, 0, ids[1]), YOKE_OK);
    assert_int_equal(box_put(two, 0, ids[0]), YOKE_OK);
    assert_int_equal(box_put(self, 0, ids[2]), YOKE_OK);
    box_close(one);
    assert_true(lives(ids[0]) && lives(ids[1]));
    box_close(two);
    box_close(self);
    assert_false(lives(ids[0]) || lives(ids[1]) || lives(ids[2]));
}

/* ---- other processes ------------------------------------------------------------------------------------------------- */

static int open_and_exit(void *id)
{
    yoke__handle *handle = NULL;

    CHILD_CHECK(yoke__handle_open(&handle, domain(), BOX_KIND, *(yoke__id *)id) == YOKE_OK);
    CHILD_CHECK(yoke__a32_load_relaxed(&box_of(handle)->number) == 42);
    yoke__a32_store_relaxed(&box_of(handle)->owner, yoke__domain_token(domain()));
    return 7;
}

static void a_dead_process_holds_nothing(void **state)
{
    (void)state;
    yoke__handle *handle = new_box(NULL);
    yoke__id      id = handle->id;

    yoke__a32_store_relaxed(&box_of(handle)->number, 42);
    assert_int_equal(child_join(child_start(open_and_exit, &id)), 7);
    assert_int_equal(yoke__domain_recover(domain()), 1);
    assert_int_equal(yoke__a32_load_relaxed(&box_of(handle)->owner), 0);
    assert_int_equal(yoke__a32_load_relaxed(&yoke__entry_at(domain(), YOKE__ID_INDEX(id))->count), 1);
    box_close(handle);
    assert_false(lives(id));
}

static int create_and_exit(void *out)
{
    yoke__handle *handle = NULL, *carried = NULL;

    CHILD_CHECK(box_create(&handle, NULL, "childs", YOKE_CREATE) == YOKE_OK);
    CHILD_CHECK(box_create(&carried, NULL, NULL, YOKE_CREATE) == YOKE_OK);
    CHILD_CHECK(box_put(handle, 0, carried->id) == YOKE_OK);
    CHILD_CHECK(yoke__alloc(domain(), 5000, handle->id) != NULL);
    ((yoke__id *)out)[0] = handle->id;
    ((yoke__id *)out)[1] = carried->id;
    return 0;
}

static void what_only_the_dead_had_is_destroyed(void **state)
{
    (void)state;
    yoke__id *ids = shared_alloc(64);
    uint64_t  blocks = blocks_in_use();

    assert_int_equal(child_join(child_start(create_and_exit, ids)), 0);
    assert_true(lives(ids[0]) && lives(ids[1]));
    assert_int_equal(yoke__domain_recover(domain()), 1);
    assert_false(lives(ids[0]) || lives(ids[1]));
    assert_int_equal(blocks_in_use(), blocks);
    shared_free(ids);
}

static int die_with_the_registry(void *id)
{
    yoke__handle *handle = NULL;

    CHILD_CHECK(yoke__handle_open(&handle, domain(), BOX_KIND, *(yoke__id *)id) == YOKE_OK);
    yoke__registry_acquire(domain());
    yoke__header *header = yoke__domain_header(domain());
    yoke__root   *root = yoke__directory_root(domain());
    /* All that is a cache is off. */
    yoke__a32_store_relaxed(&header->directory_free, 0);
    for (uint32_t i = 0; i < YOKE__NAME_BUCKETS; i++)
        yoke__a32_store_relaxed(&root->names[i], 0);
    yoke__a32_store_relaxed(&yoke__entry_at(domain(), YOKE__ID_INDEX(*(yoke__id *)id))->count, 77);
    return 0;
}

static void lists_and_counts_are_rebuilt_after_a_holders_death(void **state)
{
    (void)state;
    yoke__handle *kept = new_box("kept"), *gone = new_box("gone"), *found = NULL;
    yoke__id      id = kept->id;

    box_close(gone);
    assert_int_equal(child_join(child_start(die_with_the_registry, &id)), 0);
    assert_int_equal(box_create(&found, NULL, "kept", YOKE_OPEN), YOKE_OK);
    assert_int_equal(yoke__a32_load_relaxed(&yoke__entry_at(domain(), YOKE__ID_INDEX(id))->count), 2);
    assert_int_equal(yoke__a32_load_relaxed(&yoke__domain_header(domain())->registry_dirty), 0);
    assert_int_equal(yoke__a32_load_relaxed(&yoke__domain_header(domain())->participants_live), 1);
    box_close(found);
    uint32_t entries = yoke__a32_load_relaxed(&yoke__domain_header(domain())->directory_count);
    gone = new_box(NULL); /* takes a free entry, not a new one */
    assert_int_equal(yoke__a32_load_relaxed(&yoke__domain_header(domain())->directory_count), entries);
    box_close(gone);
    box_close(kept);
    assert_false(lives(id));
}

static int setup(void **state)
{
    box_install();
    return shared_setup(state);
}

static int teardown(void **state)
{
    box_remove();
    return leak_teardown(state);
}

static int fresh(void **state)
{
    (void)state;
    box_install();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_object_goes_with_its_last_handle, fresh),
        cmocka_unit_test_setup(stale_and_made_up_ids_are_errors, fresh),
        cmocka_unit_test_setup(an_entry_used_again_has_another_id, fresh),
        cmocka_unit_test_setup(generations_wrap_without_a_zero, fresh),
        cmocka_unit_test_setup(modes_decide_what_a_name_means, fresh),
        cmocka_unit_test_setup(a_name_of_another_kind_is_a_type_error, fresh),
        cmocka_unit_test_setup(bad_names_are_refused_with_their_limit, fresh),
        cmocka_unit_test_setup(names_in_one_bucket_are_told_apart, fresh),
        cmocka_unit_test_setup(options_that_disagree_leave_no_reference, fresh),
        cmocka_unit_test_setup(a_failed_init_leaves_nothing, fresh),
        cmocka_unit_test_setup(an_object_in_flight_outlives_its_handles, fresh),
        cmocka_unit_test_setup(a_reference_dropped_unopened_lets_the_object_go, fresh),
        cmocka_unit_test_setup(what_a_carrier_carries_goes_with_it, fresh),
        cmocka_unit_test_setup(carriers_that_carry_each_other_go, fresh),
        cmocka_unit_test_setup(a_dead_process_holds_nothing, fresh),
        cmocka_unit_test_setup(what_only_the_dead_had_is_destroyed, fresh),
        cmocka_unit_test_setup(lists_and_counts_are_rebuilt_after_a_holders_death, fresh),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
