/* One ring: what goes in comes out, in order, whatever the sizes; nothing is visible before its commit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/queue/ring.h"

#define CAPACITY 4096u

static yoke__ring *new_ring(uint64_t sequence)
{
    uint8_t *bytes = malloc(sizeof(yoke__ring) + CAPACITY + 128);

    assert_non_null(bytes);
    yoke__ring *ring = (yoke__ring *)(void *)(bytes + (128 - (uintptr_t)bytes % 64));
    memcpy((uint8_t *)ring - sizeof bytes, &bytes, sizeof bytes); /* for ring_free() */
    memset(ring, 0xa5, sizeof *ring + CAPACITY);
    yoke__ring_init(ring, CAPACITY, sequence);
    return ring;
}

static void ring_free(yoke__ring *ring)
{
    void *bytes;

    memcpy(&bytes, (uint8_t *)ring - sizeof bytes, sizeof bytes);
    free(bytes);
}

static bool put(yoke__ring *ring, uint8_t seed, uint32_t size)
{
    uint64_t      tail;
    yoke__record *record = yoke__ring_room(ring, size, &tail);

    if (!record)
        return false;
    *record = (yoke__record){.size = size, .form = YOKE__FORM_INLINE, .content = YOKE__CONTENT_BYTES};
    memset(record + 1, seed, size);
    yoke__ring_commit(ring, tail);
    return true;
}

static bool get(yoke__ring *ring, uint8_t seed, uint32_t size)
{
    bool          damaged = false;
    uint64_t      head;
    yoke__record *record = yoke__ring_oldest(ring, &head, &damaged);

    assert_false(damaged);
    if (!record)
        return false;
    assert_int_equal(record->size, size);
    for (uint32_t i = 0; i < size; i++)
        assert_int_equal(((uint8_t *)(record + 1))[i], seed);
    yoke__ring_consume(ring, head);
    return true;
}

static void test_records_of_all_sizes_come_out_in_order_across_many_laps(void **state)
{
    yoke__ring *ring = new_ring(7);
    uint32_t    in = 0;
    uint32_t    out = 0;

    (void)state;
    while (out < 20000) {
        while (put(ring, (uint8_t)in, (in * 37u) % 900u))
            in++;
        assert_true(in > out);
        while (out < in && get(ring, (uint8_t)out, (out * 37u) % 900u))
            out++;
    }
    assert_int_equal(yoke__position_sequence(yoke__a64_load_relaxed(&ring->tail)), 7 + in);
    ring_free(ring);
}

static void test_a_full_ring_has_no_room_until_a_record_is_consumed(void **state)
{
    yoke__ring *ring = new_ring(0);
    int         count = 0;

    (void)state;
    while (put(ring, (uint8_t)count, 48))
        count++;
    assert_int_equal(count, CAPACITY / 64);
    assert_true(get(ring, 0, 48));
    assert_true(put(ring, 99, 48));
    assert_false(put(ring, 100, 0));
    ring_free(ring);
}

static void test_a_record_is_invisible_before_its_commit(void **state)
{
    yoke__ring   *ring = new_ring(0);
    uint64_t      tail;
    uint64_t      head;
    bool          damaged = false;
    yoke__record *record = yoke__ring_room(ring, 16, &tail);

    (void)state;
    assert_non_null(record);
    *record = (yoke__record){.size = 16, .form = YOKE__FORM_INLINE};
    assert_null(yoke__ring_oldest(ring, &head, &damaged));
    assert_false(damaged);
    yoke__ring_commit(ring, tail);
    assert_ptr_equal(yoke__ring_oldest(ring, &head, &damaged), record);
    ring_free(ring);
}

static void test_the_message_number_wraps_without_harm(void **state)
{
    yoke__ring *ring = new_ring(YOKE__SEQUENCE_MASK - 1);

    (void)state;
    for (uint8_t i = 0; i < 5; i++) {
        assert_true(put(ring, i, 100));
        assert_true(get(ring, i, 100));
    }
    assert_int_equal(yoke__position_sequence(yoke__a64_load_relaxed(&ring->head)), 3);
    ring_free(ring);
}

static void test_nonsense_in_a_record_is_reported_and_not_followed(void **state)
{
    static const yoke__record nonsense[] = {
        {.size = 5000, .form = YOKE__FORM_INLINE},
        {.size = 0xfffffff0u, .form = YOKE__FORM_INLINE},
        {.size = 0, .form = YOKE__FORM_PAD},
        {.size = 0xffffffffu, .form = YOKE__FORM_PAD},
        {.size = 16, .form = 0},
        {.size = 16, .form = 77},
    };

    (void)state;
    for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
        yoke__ring *ring = new_ring(0);
        bool        damaged = false;
        uint64_t    head;

        assert_true(put(ring, 1, 64));
        memcpy(yoke__ring_records(ring), &nonsense[i], sizeof nonsense[i]);
        assert_null(yoke__ring_oldest(ring, &head, &damaged));
        assert_true(damaged);
        ring_free(ring);
    }
}

static bool count_records(void *user, yoke__record *record)
{
    (void)record;
    ++*(int *)user;
    return false;
}

static void test_a_walk_meets_each_committed_record_once(void **state)
{
    yoke__ring *ring = new_ring(0);
    int         met = 0;

    (void)state;
    for (uint8_t lap = 0; lap < 10; lap++) {
        assert_true(put(ring, lap, 900));
        assert_true(get(ring, lap, 900));
    }
    assert_true(put(ring, 1, 900) && put(ring, 2, 900) && put(ring, 3, 900));
    assert_false(yoke__ring_walk(ring, count_records, &met));
    assert_int_equal(met, 3);
    ring_free(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records_of_all_sizes_come_out_in_order_across_many_laps),
        cmocka_unit_test(test_a_full_ring_has_no_room_until_a_record_is_consumed),
        cmocka_unit_test(test_a_record_is_invisible_before_its_commit),
        cmocka_unit_test(test_the_message_number_wraps_without_harm),
        cmocka_unit_test(test_nonsense_in_a_record_is_reported_and_not_followed),
        cmocka_unit_test(test_a_walk_meets_each_committed_record_once),
    };
    return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
