/*
 * Process records under the knife: a parent is killed at every instruction of preparing a start, and a child at every
 * instruction between claiming its record and leaving its result. What they held is back, what was carried is neither
 * lost nor kept, and a result stands whole or not at all.
 */
#include "begin.h"
#include "core/domain/allocator.h"
#include "core/domain/participant.h"
#include "core/process/record.h"
#include "harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <yoke/yoke.h>

typedef struct fixture {
    yoke_domain  *domain;
    yoke_queue   *queue; /* the survivor's, in the parent's case */
    yoke__id      carried;
    yoke__handle *record;                      /* the survivor's, in the child's case */
    uint64_t      object_blocks, token_blocks; /* of the survivor, with all of these closed */
} fixture;

static fixture now;

static const yoke__record_spec spec = {.name = "victim", .identity = "1", .parent_name = "survivor", .nonce = 7};

/* As start.c makes one. */
static int make_record(fixture *f, yoke__handle **record)
{
    YOKE_TRY(yoke__record_create(record, f->domain, &spec));
    yoke__start_block *block = yoke__alloc(f->domain, sizeof(yoke__start_block) + sizeof(yoke__start_entry) + 16,
                                           (*record)->id);
    if (!block)
        return YOKE_ENOMEM;
    memset(block, 0, sizeof *block);
    block->arguments_size = 16;
    block->entry_count = 1;
    yoke__block_entries(block)[0] =
        (yoke__start_entry){.kind = YOKE_H_queue, .what = YOKE__ENTRY_OBJECT, .value = f->carried};
    return yoke__record_carry(f->domain, *record, block);
}

static void open_domain(fixture *f)
{
    char name[64];

    snprintf(name, sizeof name, "process-kill-%ld", (long)getpid());
    assert_int_equal(yoke_domain_open(&f->domain, name, NULL), YOKE_OK);
    crash_hide(f->domain);
}

static void make_queue(fixture *f)
{
    assert_int_equal(yoke_queue_create(&f->queue, YOKE_OPTIONS(yoke_queue_options, .domain = f->domain)), YOKE_OK);
    f->carried = ((yoke__handle *)f->queue)->id;
}

/* Makes and ends one of everything first, so that what the survivor keeps for itself is there. */
static void note_blocks(fixture *f)
{
    yoke__alloc_stats stats;
    yoke__handle     *record;

    make_queue(f);
    assert_int_equal(make_record(f, &record), YOKE_OK);
    yoke__record_drop(f->domain, record->object);
    yoke__handle_close(record, NULL);
    yoke_queue_close(f->queue);
    assert_int_equal(yoke__alloc_check(f->domain, &stats), YOKE_OK);
    f->object_blocks = stats.object_blocks;
    f->token_blocks = stats.token_blocks;
}

static bool queue_lives(const fixture *f)
{
    void *object;
    return yoke__object_find(&object, f->domain, YOKE__KIND_QUEUE, f->carried) == YOKE_OK;
}

static const char *check_blocks(const fixture *f)
{
    static char       text[160];
    yoke__alloc_stats stats;

    if (yoke__alloc_check(f->domain, &stats) < 0)
        return "the heap is out of order";
    if (stats.object_blocks == f->object_blocks && stats.token_blocks == f->token_blocks)
        return NULL;
    snprintf(text, sizeof text, "%llu blocks of objects and %llu of processes, not %llu and %llu",
             (unsigned long long)stats.object_blocks, (unsigned long long)stats.token_blocks,
             (unsigned long long)f->object_blocks, (unsigned long long)f->token_blocks);
    return text;
}

static void recover(void *context)
{
    fixture *f = context;
    (void)yoke__domain_recover(f->domain);
}

static void join(void *context)
{
    fixture *f = context;
    if (!yoke__domain_token(f->domain))
        abort();
}

static void tear_down(void *context)
{
    fixture *f = context;
    yoke_domain_close(f->domain);
}

/* ---- the parent -------------------------------------------------------------------------------------------------- */

static void set_up_parent(void *context)
{
    fixture *f = context;

    open_domain(f);
    note_blocks(f);
    make_queue(f);
}

static void prepare_start(void *context)
{
    yoke__handle *record;
    (void)!make_record(context, &record);
}

static const char *verify_parent(void *context)
{
    fixture *f = context;

    recover(f);
    if (!queue_lives(f))
        return "the queue went although the survivor has it";
    if (yoke_queue_put(f->queue, "x", 1, YOKE_NOWAIT) != YOKE_OK)
        return "the queue is damaged";
    yoke_queue_close(f->queue);
    if (queue_lives(f))
        return "the queue stays although nobody has it";
    return check_blocks(f);
}

/* ---- the child --------------------------------------------------------------------------------------------------- */

static void set_up_child(void *context)
{
    fixture *f = context;

    open_domain(f);
    note_blocks(f);
    make_queue(f);
    assert_int_equal(make_record(f, &f->record), YOKE_OK);
    yoke_queue_close(f->queue); /* from here on only the record has it */
    f->queue = NULL;
}

static void live(void *context)
{
    fixture              *f = context;
    yoke__process_record *record = f->record->object;
    yoke__token           token = yoke__domain_token(f->domain);
    yoke__handle         *queue;
    yoke_result           result = {.how = YOKE_RETURNED, .code = 1234567, .error = -3, .text = "as it was"};

    if (!yoke__record_claim(record, token))
        abort();
    if (yoke__handle_open(&queue, f->domain, YOKE__KIND_QUEUE, f->carried) < 0)
        abort();
    yoke__record_drop(f->domain, record);
    yoke__record_running(record, token);
    yoke__record_finish(record, token, &result);
    yoke__domain_leave(f->domain);
}

static const char *check_result(const fixture *f)
{
    yoke_result result = {.struct_size = sizeof result};

    if (!yoke__record_result(f->record->object, &result))
        return NULL;
    bool whole = result.how == YOKE_RETURNED && result.code == 1234567 && result.error == -3 &&
                 strcmp(result.text, "as it was") == 0;
    return whole ? NULL : "the result is not whole";
}

static const char *verify_child(void *context)
{
    fixture *f = context;

    recover(f);
    const char *wrong = check_result(f);
    if (wrong)
        return wrong;
    if (yoke__record_abandon(f->record->object)) {
        if (!queue_lives(f))
            return "the queue went although the record carries it";
        yoke__record_drop(f->domain, f->record->object);
    }
    if (queue_lives(f))
        return "the queue stays although nobody has it";
    yoke__handle_close(f->record, NULL);
    return check_blocks(f);
}

/* ---- both -------------------------------------------------------------------------------------------------------- */

static void run(crash_case test)
{
    crash_result result;

    test.enter = join;
    test.tear_down = tear_down;
    test.context = &now;
    test.stride = 3;
    assert_true(crash_run(&test, &result));
    if (result.faults)
        fail_msg("%s", result.first);
    assert_true(result.points > 20);
    test.recover = recover;
    test.enter_recovery = join;
    test.stride = 199;
    test.second_stride = 9973;
    assert_true(crash_run(&test, &result));
    if (result.faults)
        fail_msg("%s", result.first);
}

static void killed_parent_leaves_no_half_start(void **state)
{
    (void)state;
    run((crash_case){
        .name = "prepare a start", .set_up = set_up_parent, .operation = prepare_start, .verify = verify_parent});
}

static void killed_child_leaves_no_half_result(void **state)
{
    (void)state;
    run((crash_case){.name = "claim to result", .set_up = set_up_child, .operation = live, .verify = verify_child});
}

int main(int argc, char **argv)
{
    crash_begin(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_parent_leaves_no_half_start),
        cmocka_unit_test(killed_child_leaves_no_half_result),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
