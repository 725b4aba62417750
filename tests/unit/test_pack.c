/* Items to MessagePack and back; what is refused on both ways. */
#include "core/message/message.h"

#include <yoke/queue.h>
#include <yoke/sync.h>

#include <stdlib.h>
#include <string.h>

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
// clang-format on

static void assert_bytes(const yoke_item *item, const char *bytes, size_t size)
{
    yoke__packed packed;
    assert_int_equal(yoke__pack(&packed, item), YOKE_OK);
    assert_int_equal(packed.size, size);
    assert_memory_equal(packed.data, bytes, size);
    yoke__packed_free(&packed);
}

static void plain_values_are_messagepack(void **state)
{
    (void)state;
    assert_bytes(YOKE_ARGS(42, YOKE_NIL, "hello"), "\x93\x2a\xc0\xa5hello", 9);
    assert_bytes(YOKE_ARGS((bool)true, (bool)false, -1, 200), "\x94\xc3\xc2\xff\xcc\xc8", 6);
    assert_bytes(YOKE_VALUE_OF(YOKE_MAP("a", 1)),
                 "\x81\xa1"
                 "a\x01",
                 4);
    assert_bytes(YOKE_VALUE_OF(YOKE_BYTES("\1\2", 2)), "\xc4\x02\x01\x02", 4);
    assert_bytes(YOKE_VALUE_OF(1.5), "\xcb\x3f\xf8\0\0\0\0\0\0", 9);
}

static void refused(const yoke_item *item, int code, const char *sentence)
{
    yoke__packed packed;
    assert_int_equal(yoke__pack(&packed, item), code);
    if (!strstr(yoke_last_error()->text, sentence))
        fail_msg("'%s' does not say '%s'", yoke_last_error()->text, sentence);
}

static void what_cannot_be_packed_is_named_by_its_place(void **state)
{
    (void)state;
    refused(NULL, YOKE_EINVAL, "NULL");
    refused(YOKE_ARGS(1, (const char *)NULL), YOKE_EINVAL, "item 1 is a NULL string");
    refused(YOKE_ARGS(1, YOKE_LIST(2, YOKE_LIST((char *)NULL))), YOKE_EINVAL, "item 1.1.0 is a NULL string");
    refused(YOKE_ARGS((yoke_queue *)NULL), YOKE_EINVAL, "item 0 is a NULL queue");
    refused(YOKE_ARGS(YOKE_BYTES(NULL, 3)), YOKE_EINVAL, "item 0 has bytes at NULL");
    refused(YOKE_ARGS(YOKE_MAP("k")), YOKE_EINVAL, "item 0 is a map with a key that has no value");
    yoke_item unknown = yoke_item_nil_();
    unknown.kind = 999;
    refused(YOKE_ARGS(7, unknown), YOKE_EINVAL, "item 1 is of the unknown kind 999");
}

static void nesting_has_a_limit_on_both_ways(void **state)
{
    (void)state;
    yoke_item     levels[YOKE_DEPTH_MAX + 2];
    yoke__packed  packed;
    yoke_variant *variant;
    levels[0] = yoke_item_list(NULL, 0);
    for (size_t i = 1; i < sizeof levels / sizeof *levels; i++)
        levels[i] = yoke_item_list(&levels[i - 1], 1);

    assert_int_equal(yoke__pack(&packed, &levels[YOKE_DEPTH_MAX - 1]), YOKE_OK);
    assert_int_equal(packed.size, YOKE_DEPTH_MAX);
    assert_int_equal(yoke__unpack(&variant, packed.data, packed.size, NULL, NULL), YOKE_OK);
    assert_true(yoke_variant_equals(variant, &levels[YOKE_DEPTH_MAX - 1]));
    yoke_variant_free(variant);
    yoke__packed_free(&packed);

    refused(&levels[YOKE_DEPTH_MAX], YOKE_EMSGSIZE, "more than 32 deep");
    uint8_t deep[YOKE_DEPTH_MAX + 1];
    memset(deep, 0x91, sizeof deep);
    deep[YOKE_DEPTH_MAX] = 0x90;
    assert_int_equal(yoke__unpack(&variant, deep, sizeof deep, NULL, NULL), YOKE_EPROTO);
}

static void long_text_and_many_parts_come_back(void **state)
{
    (void)state;
    size_t        size = 100000;
    char         *text = malloc(size + 1);
    yoke_item    *many = malloc(70000 * sizeof *many);
    yoke__packed  packed;
    yoke_variant *variant;
    memset(text, 'x', size);
    text[size] = 0;
    for (int i = 0; i < 70000; i++)
        many[i] = YOKE_ITEM(i * 1000 - 5);
    assert_int_equal(yoke__pack(&packed, YOKE_ARGS(text, yoke_item_list(many, 70000), YOKE_BYTES(text, size))),
                     YOKE_OK);
    assert_int_equal(yoke__unpack(&variant, packed.data, packed.size, NULL, NULL), YOKE_OK);
    assert_true(yoke_variant_equals(variant, YOKE_ARGS(text, yoke_item_list(many, 70000), YOKE_BYTES(text, size))));
    yoke_variant_free(variant);
    yoke__packed_free(&packed);
    free(many);
    free(text);
}

/* ---- handles ---------------------------------------------------------------------------------------------------------- */

typedef struct opener {
    int   calls, fail_at;
    void *handles[8];
} opener;

static int open_handle(void *user, uint32_t kind, uint32_t position, void **handle)
{
    opener *o = user;
    assert_true(position < 8);
    assert_true(kind == YOKE_H_lock || kind == YOKE_H_queue);
    if (o->calls++ == o->fail_at)
        return YOKE_ENOENT;
    *handle = o->handles[position];
    return YOKE_OK;
}

static void handles_are_listed_and_opened_by_position(void **state)
{
    (void)state;
    yoke_lock    *lock, *second;
    yoke__packed  packed;
    yoke_variant *variant;
    char          text[100];
    assert_int_equal(yoke_lock_create(&lock, NULL), YOKE_OK);
    assert_int_equal(yoke_lock_create(&second, NULL), YOKE_OK);
    assert_int_equal(yoke__pack(&packed, YOKE_ARGS(lock, 1, YOKE_LIST(second))), YOKE_OK);
    assert_int_equal(packed.handle_count, 2);
    assert_ptr_equal(packed.handles[0].handle, lock);
    assert_ptr_equal(packed.handles[1].handle, second);
    assert_int_equal(packed.handles[1].kind, YOKE_H_lock);

    opener o = {.fail_at = -1, .handles = {lock, second}}; /* the variant closes what it was given */
    assert_int_equal(yoke__unpack(&variant, packed.data, packed.size, open_handle, &o), YOKE_OK);
    assert_int_equal(o.calls, 2);
    assert_int_equal(yoke_variant_format(variant, text, sizeof text, NULL), YOKE_OK);
    assert_string_equal(text, "[<lock>, 1, [<lock>]]");
    assert_ptr_equal(yoke_variant_lock(yoke_variant_at(variant, 0)), lock);
    assert_null(yoke_variant_queue(yoke_variant_at(variant, 0)));
    assert_int_equal(yoke_last_error()->code, YOKE_ETYPE);
    assert_true(yoke_variant_equals(variant, YOKE_ARGS(lock, 1, YOKE_LIST(second))));
    assert_false(yoke_variant_equals(variant, YOKE_ARGS(second, 1, YOKE_LIST(lock))));

    const yoke_variant *part = yoke_variant_at(yoke_variant_at(variant, 2), 0);
    assert_ptr_equal(yoke_variant_take_lock(part), second);
    assert_int_equal(yoke_variant_kind(part), YOKE_NIL_KIND);
    assert_null(yoke_variant_take_lock(part));
    yoke_variant_free(variant);
    assert_int_equal(yoke_lock_acquire(second, YOKE_NOWAIT), YOKE_OK); /* taken: still open */
    assert_int_equal(yoke_lock_release(second), YOKE_OK);
    assert_int_equal(yoke_lock_release(lock), YOKE_EINVAL); /* not taken: closed */
    yoke_lock_close(second);
    yoke__packed_free(&packed);
}

static void a_handle_that_cannot_be_opened_closes_those_before(void **state)
{
    (void)state;
    yoke_lock    *first, *second;
    yoke__packed  packed;
    yoke_variant *variant = NULL;
    assert_int_equal(yoke_lock_create(&first, NULL), YOKE_OK);
    assert_int_equal(yoke_lock_create(&second, NULL), YOKE_OK);
    assert_int_equal(yoke__pack(&packed, YOKE_ARGS(first, second)), YOKE_OK);
    opener o = {.fail_at = 1, .handles = {first, second}};
    assert_int_equal(yoke__unpack(&variant, packed.data, packed.size, open_handle, &o), YOKE_ENOENT);
    assert_null(variant);
    assert_int_equal(yoke_lock_acquire(first, YOKE_NOWAIT), YOKE_EINVAL);
    assert_int_equal(yoke__unpack(&variant, packed.data, packed.size, NULL, NULL), YOKE_EPROTO);
    yoke_lock_close(second);
    yoke__packed_free(&packed);
}

static void a_wrong_or_closed_handle_is_refused(void **state)
{
    (void)state;
    yoke_lock *lock;
    assert_int_equal(yoke_lock_create(&lock, NULL), YOKE_OK);
    refused(YOKE_ARGS((yoke_queue *)(void *)lock), YOKE_EINVAL, "item 0");
    refused(YOKE_ARGS(1, YOKE_GIVE(lock)), YOKE_EINVAL, "item 1 is given, but is no connection");
    yoke_lock_close(lock);
    refused(YOKE_ARGS(1, lock), YOKE_EINVAL, "item 1");
}

/* ---- messages ----------------------------------------------------------------------------------------------------------- */

static void messages_own_aligned_bytes(void **state)
{
    (void)state;
    yoke_message *message = yoke__message_new(100);
    assert_non_null(message);
    assert_int_equal((uintptr_t)yoke__message_bytes(message) % 16, 0);
    memset(yoke__message_bytes(message), 'm', 100);
    yoke__message_truncate(message, 200);
    assert_int_equal(yoke_message_size(message), 100);
    yoke__message_truncate(message, 7);
    assert_int_equal(yoke_message_size(message), 7);
    assert_string_equal(yoke_message_data(message), "mmmmmmm");
    yoke_message_free(message);
    yoke_message_free(NULL);
    assert_null(yoke_message_data(NULL));
    assert_int_equal(yoke_message_size(NULL), 0);
    assert_int_equal(yoke_last_error()->code, YOKE_EINVAL);
    assert_null(yoke__message_new(SIZE_MAX));
    assert_int_equal(yoke_last_error()->code, YOKE_ENOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_values_are_messagepack),
        cmocka_unit_test(what_cannot_be_packed_is_named_by_its_place),
        cmocka_unit_test(nesting_has_a_limit_on_both_ways),
        cmocka_unit_test(long_text_and_many_parts_come_back),
        cmocka_unit_test(handles_are_listed_and_opened_by_position),
        cmocka_unit_test(a_handle_that_cannot_be_opened_closes_those_before),
        cmocka_unit_test(a_wrong_or_closed_handle_is_refused),
        cmocka_unit_test(messages_own_aligned_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
