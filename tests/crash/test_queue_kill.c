/*
 * A producer or a consumer is killed everywhere in put and get: with a message in the ring, at its end, in a new ring,
 * outside the rings, with several at once. The survivor then finds each message once and whole, or knows that the dead
 * had it whole; everything the dead owned is back, and the queue goes on.
 */
#include "core/queue/queue.h"
#include "queue_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static uint8_t    bytes[8][QUEUE_LARGE];
static yoke_bytes batch[8];

static void make_messages(queue_fixture *now)
{
    for (uint32_t i = 0; i < now->test->puts; i++) {
        queue_write(now->test, bytes[i], now->test->before + 1 + i);
        batch[i] = (yoke_bytes){bytes[i], queue_size_of(now->test, now->test->before + 1 + i)};
    }
}

static void put(queue_fixture *now)
{
    if (yoke_queue_put(now->queue, bytes[0], batch[0].size, YOKE_NOWAIT) != YOKE_OK)
        abort();
}

static void put_many(queue_fixture *now)
{
    if (yoke_queue_put_many(now->queue, batch, now->test->puts, NULL, YOKE_NOWAIT) != YOKE_OK)
        abort();
}

static size_t got; /* bytes: messages stand one behind the other */

static void get(queue_fixture *now)
{
    size_t size;

    if (yoke_queue_get(now->queue, now->seen->bytes + got, sizeof now->seen->bytes - got, &size, YOKE_NOWAIT) !=
        YOKE_OK)
        abort();
    got += size;
}

/* All but the last of those that it may take. */
static void get_some(queue_fixture *now)
{
    for (uint32_t i = 1; i < now->test->takes; i++)
        get(now);
}

static void get_many(queue_fixture *now)
{
    size_t sizes[8];
    size_t count;

    if (yoke_queue_get_many(now->queue, now->seen->bytes, sizeof now->seen->bytes, sizes, now->test->takes, &count,
                            YOKE_NOWAIT) != YOKE_OK)
        abort();
}

static void a_producer_of_a_small_message(void **state)
{
    (void)state;
    queue_crash((&(queue_case){
        .name = "put, small", .before = 2, .sizes = {64}, .puts = 1, .enter = make_messages, .operation = put}));
}

static void a_producer_whose_record_wraps(void **state)
{
    (void)state;
    queue_crash((&(queue_case){.name = "put, wrapping",
                               .filler = 15,
                               .before = 2,
                               .sizes = {1000},
                               .puts = 1,
                               .enter = make_messages,
                               .operation = put}));
}

static void a_producer_that_links_a_larger_ring(void **state)
{
    (void)state;
    queue_crash((&(queue_case){
        .name = "put, growth", .before = 4, .sizes = {4000}, .puts = 1, .enter = make_messages, .operation = put}));
}

/* As if a ring that is large enough had been drained before. */
static void keep_a_spare(queue_fixture *now)
{
    const yoke__handle *handle = (const yoke__handle *)now->queue;
    yoke__queue         queue = {.domain = now->domain, .state = handle->object, .id = handle->id};
    yoke__ring         *spare = yoke__chain_ring_new(&queue, 2 * YOKE__RING_FIRST, 0);

    yoke__a64_store_release(&queue.state->spare, yoke__domain_offset(now->domain, spare));
}

static void a_producer_that_reuses_a_ring(void **state)
{
    (void)state;
    queue_crash((&(queue_case){.name = "put, spare ring",
                               .before = 4,
                               .sizes = {4000},
                               .puts = 1,
                               .arrange = keep_a_spare,
                               .enter = make_messages,
                               .operation = put}));
}

static void a_producer_of_a_large_message(void **state)
{
    (void)state;
    queue_crash((&(queue_case){.name = "put, out of line",
                               .before = 2,
                               .sizes = {QUEUE_LARGE},
                               .puts = 1,
                               .enter = make_messages,
                               .operation = put}));
}

static void a_producer_of_many(void **state)
{
    (void)state;
    queue_crash((&(queue_case){.name = "put_many, mixed",
                               .before = 2,
                               .sizes = {64, 1000, 4080, QUEUE_LARGE},
                               .puts = 6,
                               .enter = make_messages,
                               .operation = put_many}));
}

static void a_consumer_of_a_small_message(void **state)
{
    (void)state;
    queue_crash((&(queue_case){.name = "get, small", .before = 3, .sizes = {64}, .takes = 1, .operation = get}));
}

static void a_consumer_of_the_last_message(void **state)
{
    (void)state;
    queue_crash((&(queue_case){.name = "get, the last", .before = 1, .sizes = {64}, .takes = 1, .operation = get}));
}

static void a_consumer_whose_record_is_behind_padding(void **state)
{
    (void)state;
    queue_crash((&(queue_case){
        .name = "get, wrapping", .filler = 16, .before = 3, .sizes = {1000}, .takes = 1, .operation = get}));
}

static void a_consumer_that_drains_a_ring(void **state)
{
    (void)state;
    queue_crash((&(queue_case){
        .name = "get, next ring", .before = 6, .sizes = {4000}, .takes = 5, .enter = get_some, .operation = get}));
}

static void a_consumer_of_a_large_message(void **state)
{
    (void)state;
    queue_crash(
        (&(queue_case){.name = "get, out of line", .before = 3, .sizes = {QUEUE_LARGE}, .takes = 1, .operation = get}));
}

static void a_consumer_of_many(void **state)
{
    (void)state;
    queue_crash((&(queue_case){.name = "get_many, mixed",
                               .before = 6,
                               .sizes = {64, 1000, 4080, QUEUE_LARGE},
                               .takes = 3, /* the large one ends it */
                               .operation = get_many}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_producer_of_a_small_message),
        cmocka_unit_test(a_producer_whose_record_wraps),
        cmocka_unit_test(a_producer_that_links_a_larger_ring),
        cmocka_unit_test(a_producer_that_reuses_a_ring),
        cmocka_unit_test(a_producer_of_a_large_message),
        cmocka_unit_test(a_producer_of_many),
        cmocka_unit_test(a_consumer_of_a_small_message),
        cmocka_unit_test(a_consumer_of_the_last_message),
        cmocka_unit_test(a_consumer_whose_record_is_behind_padding),
        cmocka_unit_test(a_consumer_that_drains_a_ring),
        cmocka_unit_test(a_consumer_of_a_large_message),
        cmocka_unit_test(a_consumer_of_many),
    };
    return queue_crash_main("queue, killed", tests);
}
