/*
 * Threads of one process at one queue, all kinds of calls mixed: every message is accounted for. With the thread sanitizer
 * this is the check of the queue's memory orders, as one mapping is all that it can see.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <yoke/yoke.h>

#include "support/leak.h"
#include "support/queues.h"

#define SIDES 3u
#define EACH  3000u
#define LARGE 6000u

typedef struct bench {
    yoke_queue *queue;
    atomic_uint errors;
    atomic_uint got[SIDES * EACH];
    atomic_uint next_producer;
    atomic_uint next_consumer;
    bool        joinable;
} bench;

typedef struct parcel {
    uint32_t number;
    uint8_t  filler[LARGE];
} parcel;

static size_t size_of(uint32_t number)
{
    return offsetof(parcel, filler) + (number % 16 == 0 ? LARGE : number % 61);
}

static void fill(parcel *p, uint32_t number)
{
    p->number = number;
    memset(p->filler, (int)(number & 0xff), size_of(number) - offsetof(parcel, filler));
}

static void note(bench *b, const void *data, size_t size)
{
    const uint8_t *bytes = data; /* in a batch, messages lie at any address */
    uint32_t       number;

    memcpy(&number, bytes, sizeof number);
    if (number >= SIDES * EACH || size != size_of(number) ||
        (size > sizeof number && bytes[size - 1] != (uint8_t)number))
        atomic_fetch_add(&b->errors, 1);
    else
        atomic_fetch_add(&b->got[number], 1);
}

static void expect(bench *b, int code)
{
    if (code != YOKE_OK)
        atomic_fetch_add(&b->errors, 1);
}

static void put_batch_of(bench *b, uint32_t number, parcel *parcels)
{
    yoke_bytes messages[2];

    for (uint32_t i = 0; i < 2; i++) {
        fill(&parcels[i], number + i);
        messages[i] = (yoke_bytes){&parcels[i], size_of(number + i)};
    }
    expect(b, yoke_queue_put_many(b->queue, messages, 2, NULL, YOKE_FOREVER));
}

static void put_in_place(bench *b, uint32_t number)
{
    yoke_slot slot;

    expect(b, yoke_queue_reserve(b->queue, &slot, sizeof(parcel), YOKE_FOREVER));
    if (number % 7 == 0) { /* and once more, having thought better of it */
        yoke_queue_abort(b->queue, &slot);
        expect(b, yoke_queue_reserve(b->queue, &slot, sizeof(parcel), YOKE_FOREVER));
    }
    fill(slot.data, number);
    expect(b, yoke_queue_commit(b->queue, &slot, size_of(number)));
}

static void *produce(void *user)
{
    bench   *b = user;
    uint32_t first = atomic_fetch_add(&b->next_producer, 1) * EACH;
    parcel  *parcels = malloc(2 * sizeof *parcels);

    for (uint32_t i = 0; i < EACH;) {
        uint32_t number = first + i;
        if (i % 5 == 1 && i + 1 < EACH) {
            put_batch_of(b, number, parcels);
            i += 2;
            continue;
        }
        fill(parcels, number);
        if (i % 5 == 3)
            put_in_place(b, number);
        else
            expect(b, yoke_queue_put(b->queue, parcels, size_of(number), YOKE_FOREVER));
        i++;
    }
    free(parcels);
    return NULL;
}

static int get_in_place(bench *b, uint32_t turn)
{
    yoke_view view;
    int       rc = yoke_queue_peek(b->queue, &view, YOKE_FOREVER);

    if (rc != YOKE_OK)
        return rc;
    if (turn % 9 == 0) {
        expect(b, yoke_queue_return(b->queue, &view));
        return YOKE_OK;
    }
    note(b, view.data, view.size);
    expect(b, yoke_queue_release(b->queue, &view));
    return YOKE_OK;
}

static int get_message(bench *b)
{
    yoke_message *message;
    int           rc = yoke_queue_get_message(b->queue, &message, YOKE_FOREVER);

    if (rc != YOKE_OK)
        return rc;
    note(b, yoke_message_data(message), yoke_message_size(message));
    if (b->joinable)
        expect(b, yoke_queue_message_done(b->queue, message));
    yoke_message_free(message);
    return YOKE_OK;
}

static int get_batch_of(bench *b, parcel *parcels)
{
    size_t sizes[2];
    size_t count;
    size_t used = 0;
    int    rc = yoke_queue_get_many(b->queue, parcels, 2 * sizeof *parcels, sizes, 2, &count, YOKE_FOREVER);

    for (size_t i = 0; rc == YOKE_OK && i < count; used += sizes[i++])
        note(b, (char *)parcels + used, sizes[i]);
    return rc;
}

/* Which message a task done is for isn't known where several threads share a handle: tasks are taken by those calls that
 * say. */
static int get_some(bench *b, uint32_t turn, parcel *parcels)
{
    if (turn % 3 == 0)
        return get_in_place(b, turn);
    return turn % 3 == 1 || b->joinable ? get_message(b) : get_batch_of(b, parcels);
}

static void *consume(void *user)
{
    bench   *b = user;
    parcel  *parcels = malloc(2 * sizeof *parcels);
    uint32_t turn = atomic_fetch_add(&b->next_consumer, 1);
    int      rc = YOKE_OK;

    for (; rc == YOKE_OK; turn++)
        rc = get_some(b, turn, parcels);
    if (rc != YOKE_ESHUTDOWN)
        atomic_fetch_add(&b->errors, 1);
    free(parcels);
    return NULL;
}

static void run(const yoke_queue_options *options)
{
    static bench b;
    pthread_t    producers[SIDES];
    pthread_t    consumers[SIDES];

    memset(&b, 0, sizeof b);
    b.queue = queues_new(options);
    b.joinable = options->joinable;
    for (unsigned i = 0; i < SIDES; i++) {
        assert_int_equal(pthread_create(&producers[i], NULL, produce, &b), 0);
        assert_int_equal(pthread_create(&consumers[i], NULL, consume, &b), 0);
    }
    for (unsigned i = 0; i < SIDES; i++)
        pthread_join(producers[i], NULL);
    if (b.joinable)
        assert_int_equal(yoke_queue_join(b.queue, 60000), YOKE_OK);
    assert_int_equal(yoke_queue_shutdown(b.queue, YOKE_DRAIN), 0);
    for (unsigned i = 0; i < SIDES; i++)
        pthread_join(consumers[i], NULL);
    for (unsigned i = 0; i < SIDES * EACH; i++)
        if (b.got[i] != 1)
            fail_msg("message %u came %u times", i, (unsigned)b.got[i]);
    assert_int_equal(b.errors, 0);
    yoke_queue_close(b.queue);
}

static void test_every_message_arrives_once(void **state)
{
    (void)state;
    run(YOKE_OPTIONS(yoke_queue_options, .max_items = 0));
}

static void test_the_same_through_narrow_limits(void **state)
{
    (void)state;
    run(YOKE_OPTIONS(yoke_queue_options, .max_items = 7, .max_bytes = 3 * sizeof(parcel)));
}

static void test_the_same_with_tasks(void **state)
{
    (void)state;
    run(YOKE_OPTIONS(yoke_queue_options, .joinable = true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_message_arrives_once),
        cmocka_unit_test(test_the_same_through_narrow_limits),
        cmocka_unit_test(test_the_same_with_tasks),
    };
    return cmocka_run_group_tests_name("queue, threads", tests, queues_setup, leak_teardown);
}
