/* Shareable lists: what an item may be, its room, reading it, names, passing, damage. */
#include "core/memory/shareable.h"
#include "support/child.h"
#include "support/leak.h"

#include <yoke/yoke.h>

#include <stdlib.h>
#include <string.h>

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
// clang-format on

static void assert_noted(int code, const char *sentence)
{
    assert_int_equal(yoke_last_error()->code, code);
    if (!strstr(yoke_last_error()->text, sentence))
        fail_msg("'%s' does not say '%s'", yoke_last_error()->text, sentence);
}

static void assert_shows(const yoke_shareable *list, const char *text)
{
    yoke_variant *all;
    char          shown[256];
    assert_int_equal(yoke_shareable_snapshot(list, &all), YOKE_OK);
    assert_int_equal(yoke_variant_format(all, shown, sizeof shown, NULL), YOKE_OK);
    assert_string_equal(shown, text);
    yoke_variant_free(all);
}

static yoke_shareable *sample(void)
{
    yoke_shareable *list = NULL;
    assert_int_equal(yoke_shareable_create(&list,
                                           YOKE_ARGS("howdy", YOKE_BYTES("HoWdY", 5), -273.154, 100, YOKE_NIL,
                                                     (bool)true, 42, UINT64_MAX),
                                           NULL),
                     YOKE_OK);
    return list;
}

static void a_list_holds_what_it_was_made_of(void **state)
{
    (void)state;
    yoke_shareable *list = sample();
    assert_int_equal(yoke_shareable_count(list), 8);
    assert_shows(list, "['howdy', b'HoWdY', -273.154, 100, None, True, 42, 18446744073709551615]");
    static const yoke_kind kinds[] = {YOKE_STRING,   YOKE_BYTES_KIND, YOKE_DOUBLE, YOKE_INT,
                                      YOKE_NIL_KIND, YOKE_BOOL,       YOKE_INT,    YOKE_UINT};
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(yoke_shareable_kind(list, i), kinds[i]);
    yoke_shareable_close(list);
}

static void an_item_may_become_another_kind_within_its_room(void **state)
{
    (void)state;
    yoke_shareable *list = sample();
    assert_int_equal(YOKE_SHAREABLE_SET(list, 2, -78.5), YOKE_OK);
    assert_int_equal(YOKE_SHAREABLE_SET(list, 3, "dry ice"), YOKE_OK); /* 7 bytes and 8 fit a number's place */
    assert_int_equal(YOKE_SHAREABLE_SET(list, 4, "12345678"), YOKE_OK);
    assert_int_equal(YOKE_SHAREABLE_SET(list, 0, YOKE_NIL), YOKE_OK);
    assert_int_equal(YOKE_SHAREABLE_SET(list, 1, (bool)false), YOKE_OK);
    assert_shows(list, "[None, False, -78.5, 'dry ice', '12345678', True, 42, 18446744073709551615]");
    assert_int_equal(YOKE_SHAREABLE_SET(list, 6, "larger than previously allocated"), YOKE_EMSGSIZE);
    assert_noted(YOKE_EMSGSIZE, "a text of 32 bytes in item 6, which has room for 8");
    assert_int_equal(YOKE_SHAREABLE_SET(list, 6, YOKE_LIST(1)), YOKE_ETYPE);
    assert_noted(YOKE_ETYPE, "a list can't stand in a shareable list");
    assert_int_equal(YOKE_SHAREABLE_SET(list, 6, list), YOKE_ETYPE);
    assert_int_equal(YOKE_SHAREABLE_SET(list, 6, YOKE_BYTES(NULL, 3)), YOKE_EINVAL);
    assert_int_equal(YOKE_SHAREABLE_SET(list, 8, 1), YOKE_ERANGE);
    assert_noted(YOKE_ERANGE, "index 8 in a list of 8");
    assert_int_equal(yoke_shareable_set(list, 0, NULL), YOKE_EINVAL);
    assert_int_equal(YOKE_SHAREABLE_SET(list, SIZE_MAX, 1), YOKE_ERANGE);
    assert_shows(list, "[None, False, -78.5, 'dry ice', '12345678', True, 42, 18446744073709551615]");
    yoke_shareable_close(list);
}

static void the_room_is_python_s_or_more_by_option(void **state)
{
    (void)state;
    yoke_shareable        *list, *wide;
    static const size_t    rooms[] = {8, 8, 16, 8, 8};
    const yoke_item *const items = YOKE_ARGS("", "1234567", "12345678", 1, YOKE_NIL);
    assert_int_equal(yoke_shareable_create(&list, items, NULL), YOKE_OK);
    assert_int_equal(yoke_shareable_create(&wide, items, YOKE_OPTIONS(yoke_shareable_options, .slot_bytes = 13)),
                     YOKE_OK);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(yoke_shareable_capacity(list, i), rooms[i]);
        assert_int_equal(yoke_shareable_capacity(wide, i), 16);
    }
    assert_int_equal(yoke_shareable_capacity(list, 5), 0);
    assert_noted(YOKE_ERANGE, "index 5");
    assert_int_equal(YOKE_SHAREABLE_SET(wide, 3, "sixteen letters!"), YOKE_OK);
    assert_int_equal(YOKE_SHAREABLE_SET(wide, 3, "seventeen letters"), YOKE_EMSGSIZE);
    yoke_shareable_close(list);
    yoke_shareable_close(wide);
}

static void nuls_at_the_end_survive(void **state)
{
    (void)state;
    yoke_shareable *list;
    char            out[8];
    size_t          size;
    assert_int_equal(yoke_shareable_create(&list, YOKE_ARGS(YOKE_BYTES("?\0\0", 3), YOKE_BYTES("\0", 1)), NULL),
                     YOKE_OK);
    assert_shows(list, "[b'?\\x00\\x00', b'\\x00']");
    assert_int_equal(yoke_shareable_get_bytes(list, 0, out, sizeof out, &size), YOKE_OK);
    assert_int_equal(size, 3);
    assert_memory_equal(out, "?\0\0", 3);
    assert_int_equal(YOKE_SHAREABLE_SET(list, 0, YOKE_BYTES("", 0)), YOKE_OK);
    assert_int_equal(yoke_shareable_get_bytes(list, 0, NULL, 0, &size), YOKE_OK);
    assert_int_equal(size, 0);
    yoke_shareable_close(list);
}

static void numbers_are_read_as_they_fit(void **state)
{
    (void)state;
    yoke_shareable *list = sample();
    int64_t         i = 7;
    uint64_t        u = 7;
    double          d = 7;
    bool            b = false;
    assert_int_equal(yoke_shareable_get_int(list, 3, &i), YOKE_OK);
    assert_int_equal(i, 100);
    assert_int_equal(yoke_shareable_get_int(list, 5, &i), YOKE_OK);
    assert_int_equal(i, 1);
    assert_int_equal(yoke_shareable_get_int(list, 7, &i), YOKE_ERANGE);
    assert_int_equal(yoke_shareable_get_int(list, 0, &i), YOKE_ETYPE);
    assert_noted(YOKE_ETYPE, "item 0 is a string, asked for: integer");
    assert_int_equal(i, 1);
    assert_int_equal(yoke_shareable_get_uint(list, 7, &u), YOKE_OK);
    assert_true(u == UINT64_MAX);
    assert_int_equal(YOKE_SHAREABLE_SET(list, 7, -1), YOKE_OK);
    assert_int_equal(yoke_shareable_get_uint(list, 7, &u), YOKE_ERANGE);
    assert_int_equal(yoke_shareable_get_double(list, 2, &d), YOKE_OK);
    assert_true(d < -273.15 && d > -273.16);
    assert_int_equal(yoke_shareable_get_double(list, 7, &d), YOKE_OK);
    assert_true(d < -0.9 && d > -1.1);
    assert_int_equal(yoke_shareable_get_double(list, 4, &d), YOKE_ETYPE);
    assert_int_equal(yoke_shareable_get_bool(list, 5, &b), YOKE_OK);
    assert_true(b);
    assert_int_equal(yoke_shareable_get_bool(list, 3, &b), YOKE_ERANGE);
    assert_int_equal(yoke_shareable_get_int(list, 3, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_shareable_get_int(list, 9, &i), YOKE_ERANGE);
    yoke_shareable_close(list);
}

static void text_is_read_into_buffers_that_fit(void **state)
{
    (void)state;
    yoke_shareable *list = sample();
    char            text[16] = "untouched", long_text[1000];
    size_t          size = 0;
    assert_int_equal(yoke_shareable_get_string(list, 0, text, 5, &size), YOKE_EMSGSIZE);
    assert_int_equal(size, 5);
    assert_string_equal(text, "untouched");
    assert_int_equal(yoke_shareable_get_string(list, 0, text, 6, &size), YOKE_OK);
    assert_string_equal(text, "howdy");
    assert_int_equal(yoke_shareable_get_string(list, 1, text, sizeof text, NULL), YOKE_ETYPE); /* bytes are no text */
    assert_int_equal(yoke_shareable_get_bytes(list, 0, text, 5, NULL), YOKE_OK); /* but a text has bytes */
    assert_int_equal(yoke_shareable_get_bytes(list, 3, text, sizeof text, NULL), YOKE_ETYPE);
    assert_int_equal(yoke_shareable_get_string(list, 0, NULL, 9, NULL), YOKE_EINVAL);
    yoke_shareable_close(list);
    memset(long_text, 'x', 999);
    long_text[999] = 0;
    assert_int_equal(yoke_shareable_create(&list, YOKE_ARGS((char *)long_text), NULL), YOKE_OK);
    char got[1000];
    assert_int_equal(yoke_shareable_get_string(list, 0, got, sizeof got, &size), YOKE_OK);
    assert_string_equal(got, long_text);
    yoke_shareable_close(list);
}

static void values_are_found_and_counted_as_python_does(void **state)
{
    (void)state;
    yoke_shareable *list;
    size_t          at = 99;
    assert_int_equal(yoke_shareable_create(&list, YOKE_ARGS(1, "a", 1.0, (bool)true, YOKE_NIL, "a"), NULL), YOKE_OK);
    assert_int_equal(yoke_shareable_occurrences(list, YOKE_VALUE_OF(1)), 3);
    assert_int_equal(yoke_shareable_occurrences(list, YOKE_VALUE_OF("b")), 0);
    assert_int_equal(yoke_shareable_find(list, YOKE_VALUE_OF("a"), 0, &at), YOKE_OK);
    assert_int_equal(at, 1);
    assert_int_equal(yoke_shareable_find(list, YOKE_VALUE_OF("a"), 2, &at), YOKE_OK);
    assert_int_equal(at, 5);
    assert_int_equal(yoke_shareable_find(list, YOKE_VALUE_OF(YOKE_NIL), 0, NULL), YOKE_OK);
    assert_int_equal(yoke_shareable_find(list, YOKE_VALUE_OF("b"), 0, &at), YOKE_ENOENT);
    assert_int_equal(yoke_shareable_find(list, YOKE_VALUE_OF("a"), SIZE_MAX, &at), YOKE_ENOENT);
    assert_int_equal(yoke_shareable_find(list, NULL, 0, &at), YOKE_EINVAL);
    assert_int_equal(yoke_shareable_occurrences(list, NULL), YOKE_EINVAL);
    yoke_shareable_close(list);
}

static void lists_of_any_length_and_received_ones_can_be_made(void **state)
{
    (void)state;
    yoke_item       many[1000];
    yoke_shareable *list, *again, *none;
    yoke_variant   *all;
    yoke_item       items;
    int64_t         i;
    for (int n = 0; n < 1000; n++)
        many[n] = YOKE_ITEM(n);
    items = yoke_item_list(many, 1000);
    assert_int_equal(yoke_shareable_create(&list, &items, NULL), YOKE_OK);
    assert_int_equal(yoke_shareable_get_int(list, 999, &i), YOKE_OK);
    assert_int_equal(i, 999);
    assert_int_equal(yoke_shareable_snapshot(list, &all), YOKE_OK);
    assert_int_equal(yoke_shareable_create(&again, YOKE_VALUE_OF(all), NULL), YOKE_OK);
    assert_int_equal(yoke_shareable_count(again), 1000);
    assert_int_equal(yoke_shareable_set(again, 0, YOKE_VALUE_OF(yoke_variant_at(all, 5))), YOKE_OK);
    assert_int_equal(yoke_shareable_get_int(again, 0, &i), YOKE_OK);
    assert_int_equal(i, 5);
    yoke_variant_free(all);
    yoke_shareable_close(list);
    yoke_shareable_close(again);
    assert_int_equal(yoke_shareable_create(&none, YOKE_ARGS(), NULL), YOKE_OK);
    assert_shows(none, "[]");
    assert_int_equal(YOKE_SHAREABLE_SET(none, 0, 1), YOKE_ERANGE);
    yoke_shareable_close(none);
}

static void bad_requests_are_refused(void **state)
{
    (void)state;
    yoke_shareable *list = NULL;
    yoke_item       endless = yoke_item_list(NULL, 3);
    assert_int_equal(yoke_shareable_create(NULL, YOKE_ARGS(1), NULL), YOKE_EINVAL);
    assert_int_equal(yoke_shareable_create(&list, NULL, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_shareable_create(&list, YOKE_VALUE_OF(1), NULL), YOKE_EINVAL);
    assert_int_equal(yoke_shareable_create(&list, &endless, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_shareable_create(&list, YOKE_ARGS(1, YOKE_LIST(2)), NULL), YOKE_ETYPE);
    assert_noted(YOKE_ETYPE, "item 1: a list can't stand in a shareable list");
    assert_int_equal(yoke_shareable_create(&list, YOKE_ARGS((char *)NULL), NULL), YOKE_EINVAL);
    assert_int_equal(
        yoke_shareable_create(&list, YOKE_ARGS(1, 2), YOKE_OPTIONS(yoke_shareable_options, .slot_bytes = SIZE_MAX)),
        YOKE_ENOMEM);
    assert_int_equal(yoke_shareable_create(&list, YOKE_ARGS(1, 2),
                                           YOKE_OPTIONS(yoke_shareable_options, .slot_bytes = (size_t)1 << 40)),
                     YOKE_ENOMEM);
    assert_int_equal(
        yoke_shareable_create(&list, YOKE_ARGS(1), YOKE_OPTIONS(yoke_shareable_options, .mode = (yoke_open_mode)7)),
        YOKE_EINVAL);
    assert_int_equal(
        yoke_shareable_create(&list, YOKE_ARGS(1), YOKE_OPTIONS(yoke_shareable_options, .on_death = (yoke_on_death)7)),
        YOKE_EINVAL);
    assert_int_equal(yoke_shareable_open(&list, NULL, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_shareable_open(&list, NULL, "nowhere"), YOKE_ENOENT);
    assert_null(list);
    assert_int_equal(yoke_shareable_count(NULL), 0);
    assert_int_equal(yoke_shareable_kind(NULL, 0), YOKE_NIL_KIND);
    list = sample();
    yoke_shareable_close(list);
    assert_int_equal(YOKE_SHAREABLE_SET(list, 0, 1), YOKE_EINVAL);
    assert_null(yoke_shareable_lock(list));
    yoke_shareable_close(NULL);
}

static void a_name_is_found_if_length_and_room_agree(void **state)
{
    (void)state;
    yoke_shareable               *made, *found;
    const yoke_shareable_options *again = YOKE_OPTIONS(yoke_shareable_options, .name = "list.name",
                                                       .mode = YOKE_OPEN_OR_CREATE);
    assert_int_equal(yoke_shareable_create(&made, YOKE_ARGS(1, "two"), again), YOKE_OK);
    assert_int_equal(yoke_shareable_open(&found, NULL, "list.name"), YOKE_OK);
    assert_int_equal(YOKE_SHAREABLE_SET(found, 0, 11), YOKE_OK);
    yoke_shareable_close(found);
    assert_int_equal(yoke_shareable_create(&found, YOKE_ARGS(7, 7), again), YOKE_OK);
    assert_shows(found, "[11, 'two']");
    yoke_shareable_close(found);
    assert_int_equal(yoke_shareable_create(&found, YOKE_ARGS(1), again), YOKE_ETYPE);
    assert_noted(YOKE_ETYPE, "'list.name' is there with 2 items, not with 1");
    assert_int_equal(yoke_shareable_create(&found, YOKE_ARGS(1, "a longer text"), again), YOKE_ETYPE);
    assert_noted(YOKE_ETYPE, "'list.name' is there with room for 8 bytes in item 1, not 16");
    yoke_value *value;
    assert_int_equal(YOKE_VALUE_OPEN(&value, int, NULL, "list.name"), YOKE_ETYPE);
    yoke_shareable_close(made);
    assert_int_equal(yoke_shareable_open(&found, NULL, "list.name"), YOKE_ENOENT);
}

static void a_list_written_over_is_refused_where_it_is_damaged(void **state)
{
    (void)state;
    yoke_shareable        *list = sample();
    yoke_variant          *variant = NULL;
    yoke__shareable       *held = yoke__shareable_of(list);
    yoke__shareable_place *place = (void *)((uint8_t *)held + YOKE__SHAREABLE_PLACES);
    yoke__shareable_place  saved = *place;
    place->offset = UINT64_MAX - 7;
    assert_int_equal(yoke_shareable_get(list, 0, &variant), YOKE_EPROTO);
    assert_int_equal(YOKE_SHAREABLE_SET(list, 0, 1), YOKE_EPROTO);
    *place = saved;
    place->room = UINT64_MAX / 2;
    assert_int_equal(yoke_shareable_snapshot(list, &variant), YOKE_EPROTO);
    *place = saved;
    yoke__a64 *version = (void *)((uint8_t *)held + place->offset);
    uint64_t   copy = 1 + yoke__a64_load_relaxed(version) % 2 * (1 + place->room / 8);
    yoke__a64_store_relaxed(version + copy, UINT64_MAX);
    assert_int_equal(yoke_shareable_get(list, 0, &variant), YOKE_EPROTO);
    assert_int_equal(yoke_shareable_snapshot(list, &variant), YOKE_EPROTO);
    assert_null(variant);
    assert_int_equal(YOKE_SHAREABLE_SET(list, 0, "whole"), YOKE_OK);
    assert_int_equal(yoke_shareable_get(list, 0, &variant), YOKE_OK);
    assert_string_equal(yoke_variant_string(variant, ""), "whole");
    yoke_variant_free(variant);
    yoke_shareable_close(list);
}

/* ---- others ------------------------------------------------------------------------------------------------------ */

static int add_under_the_lock(void *user)
{
    yoke_shareable *list = user;
    int64_t         sum;
    for (int i = 0; i < 500; i++) {
        CHILD_CHECK(yoke_lock_acquire(yoke_shareable_lock(list), YOKE_FOREVER) == YOKE_OK);
        CHILD_CHECK(yoke_shareable_get_int(list, 3, &sum) == YOKE_OK);
        CHILD_CHECK(YOKE_SHAREABLE_SET(list, 3, sum + 1) == YOKE_OK);
        CHILD_CHECK(yoke_lock_release(yoke_shareable_lock(list)) == YOKE_OK);
    }
    return 0;
}

static void the_lock_holds_several_calls_together(void **state)
{
    (void)state;
    yoke_shareable *list = sample();
    pid_t           children[3];
    int64_t         sum;
    for (int i = 0; i < 3; i++)
        children[i] = child_start(add_under_the_lock, list);
    for (int i = 0; i < 3; i++)
        assert_int_equal(child_join(children[i]), 0);
    assert_int_equal(yoke_shareable_get_int(list, 3, &sum), YOKE_OK);
    assert_int_equal(sum, 1600);
    yoke_shareable_close(list);
}

static void it_travels_in_messages(void **state)
{
    (void)state;
    yoke_shareable *list = sample();
    yoke_queue     *queue;
    yoke_variant   *message;
    assert_int_equal(yoke_queue_create(&queue, NULL), YOKE_OK);
    assert_int_equal(yoke_queue_put_variant(queue, YOKE_ARGS("list", list), YOKE_NOWAIT), YOKE_OK);
    yoke_shareable_close(list); /* the message has it */
    assert_int_equal(yoke_queue_get_variant(queue, &message, YOKE_NOWAIT), YOKE_OK);
    list = yoke_variant_take_shareable(yoke_variant_at(message, 1));
    yoke_variant_free(message);
    assert_shows(list, "['howdy', b'HoWdY', -273.154, 100, None, True, 42, 18446744073709551615]");
    yoke_shareable_close(list);
    yoke_queue_close(queue);
}

static int settle(void **state)
{
    yoke_queue *queue; /* the default domain, and what a queue needs, live as long as the process */
    (void)state;
    if (yoke_queue_create(&queue, NULL) < 0)
        return -1;
    yoke_queue_close(queue);
    return leak_setup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_holds_what_it_was_made_of),
        cmocka_unit_test(an_item_may_become_another_kind_within_its_room),
        cmocka_unit_test(the_room_is_python_s_or_more_by_option),
        cmocka_unit_test(nuls_at_the_end_survive),
        cmocka_unit_test(numbers_are_read_as_they_fit),
        cmocka_unit_test(text_is_read_into_buffers_that_fit),
        cmocka_unit_test(values_are_found_and_counted_as_python_does),
        cmocka_unit_test(lists_of_any_length_and_received_ones_can_be_made),
        cmocka_unit_test(bad_requests_are_refused),
        cmocka_unit_test(a_name_is_found_if_length_and_room_agree),
        cmocka_unit_test(a_list_written_over_is_refused_where_it_is_damaged),
        cmocka_unit_test(the_lock_holds_several_calls_together),
        cmocka_unit_test(it_travels_in_messages),
    };
    return cmocka_run_group_tests(tests, settle, leak_teardown);
}
