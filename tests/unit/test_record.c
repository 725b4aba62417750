/* Process records: who may change what, when, and what they carry. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "core/domain/allocator.h"
#include "core/process/record.h"
#include "support/shared.h"

#include <yoke/yoke.h>

static yoke__handle *new_record(void)
{
    const yoke__record_spec spec = {.name = "worker", .identity = "3", .parent_name = "main", .nonce = 9};
    yoke__handle           *record;

    assert_int_equal(yoke__record_create(&record, shared_domain(), &spec), YOKE_OK);
    return record;
}

static void only_one_gets_a_prepared_record(void **state)
{
    yoke__handle *claimed = new_record(), *abandoned = new_record();

    (void)state;
    assert_int_equal(yoke__record_state_of(claimed->object), YOKE__RECORD_PREPARED);
    assert_true(yoke__record_claim(claimed->object, 55));
    assert_int_equal(yoke__record_owner(claimed->object), 55);
    assert_false(yoke__record_claim(claimed->object, 56));
    assert_false(yoke__record_abandon(claimed->object));
    assert_int_equal(yoke__record_owner(claimed->object), 55);
    assert_true(yoke__record_abandon(abandoned->object));
    assert_false(yoke__record_claim(abandoned->object, 55));
    assert_false(yoke__record_abandon(abandoned->object));
    yoke__handle_close(claimed, NULL);
    yoke__handle_close(abandoned, NULL);
}

static void result_stands_only_once_it_is_committed(void **state)
{
    yoke__handle *record = new_record();
    yoke_result   result = {.how = YOKE_EXITED, .code = -5, .error = YOKE_EIO}, out = {.struct_size = sizeof out};

    (void)state;
    memset(result.text, 'x', sizeof result.text - 1);
    assert_false(yoke__record_result(record->object, &out));
    assert_true(yoke__record_claim(record->object, 7));
    yoke__record_running(record->object, 7);
    assert_false(yoke__record_result(record->object, &out));
    yoke__record_finish(record->object, 7, &result);
    assert_true(yoke__record_result(record->object, &out));
    assert_int_equal(out.how, YOKE_EXITED);
    assert_int_equal(out.code, -5);
    assert_int_equal(out.error, YOKE_EIO);
    assert_string_equal(out.text, result.text);
    yoke__handle_close(record, NULL);
}

static void exit_status_fits_its_note(void **state)
{
    const yoke_exit_status all[] = {{true, 0, 0}, {true, 255, 0}, {true, -1, 0}, {true, 0, 64}, {false, 0, 0}};
    yoke_exit_status       out;

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        yoke__handle *record = new_record();
        assert_false(yoke__record_noted(record->object, &out));
        yoke__record_note(record->object, &all[i]);
        assert_true(yoke__record_noted(record->object, &out));
        assert_int_equal(out.known, all[i].known);
        assert_int_equal(out.code, all[i].code);
        assert_int_equal(out.signal, all[i].signal);
        yoke__handle_close(record, NULL);
    }
}

/* As start.c makes one. */
static yoke__start_block *new_block(const yoke__handle *record, yoke__id carried)
{
    yoke__start_block *block = yoke__alloc_zero(shared_domain(), sizeof *block + sizeof(yoke__start_entry), record->id);

    assert_non_null(block);
    block->entry_count = 1;
    yoke__block_entries(block)[0] =
        (yoke__start_entry){.kind = YOKE_H_queue, .what = YOKE__ENTRY_OBJECT, .value = carried};
    return block;
}

static bool lives(yoke__id id)
{
    void *object;
    return yoke__object_find(&object, shared_domain(), YOKE__KIND_QUEUE, id) == YOKE_OK;
}

static void carried_objects_live_until_they_are_dropped(void **state)
{
    yoke__handle *record = new_record();
    yoke_queue   *queue;

    (void)state;
    assert_int_equal(yoke_queue_create(&queue, NULL), YOKE_OK);
    yoke__id id = ((yoke__handle *)queue)->id;
    assert_int_equal(yoke__record_carry(shared_domain(), record, new_block(record, id)), YOKE_OK);
    yoke_queue_close(queue);
    assert_true(lives(id));
    yoke__record_drop(shared_domain(), record->object);
    assert_false(lives(id));
    assert_null(yoke__record_block(shared_domain(), record->object));
    yoke__record_drop(shared_domain(), record->object); /* nothing left to do */
    yoke__handle_close(record, NULL);
}

static void record_that_goes_takes_its_block_and_what_it_carried_along(void **state)
{
    yoke__alloc_stats before, after;
    yoke_queue       *queue;

    (void)state;
    assert_int_equal(yoke__alloc_check(shared_domain(), &before), YOKE_OK);
    yoke__handle *record = new_record();
    assert_int_equal(yoke_queue_create(&queue, NULL), YOKE_OK);
    yoke__id id = ((yoke__handle *)queue)->id;
    assert_int_equal(yoke__record_carry(shared_domain(), record, new_block(record, id)), YOKE_OK);
    yoke_queue_close(queue);
    yoke__handle_close(record, NULL);
    assert_false(lives(id));
    assert_int_equal(yoke__alloc_check(shared_domain(), &after), YOKE_OK);
    assert_int_equal(after.object_blocks, before.object_blocks);
    assert_int_equal(after.token_blocks, before.token_blocks);
}

static void what_is_gone_is_not_carried(void **state)
{
    yoke__handle      *record = new_record();
    yoke__start_block *block = new_block(record, UINT64_C(0x7777777700000005));

    (void)state;
    assert_int_equal(yoke__record_carry(shared_domain(), record, block), YOKE_ENOENT);
    assert_null(yoke__record_block(shared_domain(), record->object));
    yoke__free(shared_domain(), block);
    yoke__handle_close(record, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_one_gets_a_prepared_record),
        cmocka_unit_test(result_stands_only_once_it_is_committed),
        cmocka_unit_test(exit_status_fits_its_note),
        cmocka_unit_test(carried_objects_live_until_they_are_dropped),
        cmocka_unit_test(record_that_goes_takes_its_block_and_what_it_carried_along),
        cmocka_unit_test(what_is_gone_is_not_carried),
    };
    return cmocka_run_group_tests(tests, shared_setup, NULL);
}
