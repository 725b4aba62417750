/* Ours: a queue with a limit, as the peers have one; and lent memory, where nothing is copied. */
#include "peers.h"

#include <stdio.h>
#include <string.h>

#include <yoke/yoke.h>

static void *open_lane(const bench_shape *shape)
{
    yoke_queue *queue = NULL;
    int         rc = yoke_queue_create(&queue, YOKE_OPTIONS(yoke_queue_options, .max_items = shape->depth));

    if (rc != YOKE_OK)
        fprintf(stderr, "yoke-bench: yoke_queue_create: %s\n", yoke_last_error()->text);
    return queue;
}

static bool join(void *lane, bench_side side, int index)
{
    (void)lane;
    (void)side;
    (void)index;
    return true;
}

static bool done(int rc, const char *what)
{
    if (rc < 0)
        fprintf(stderr, "yoke-bench: %s: %s\n", what, yoke_last_error()->text);
    return rc >= 0;
}

static bool send_copy(void *lane, const void *data, size_t size)
{
    int rc = yoke_queue_put((yoke_queue *)lane, data, size, YOKE_FOREVER);

    return rc == YOKE_OK || done(rc, "yoke_queue_put");
}

static bool receive_copy(void *lane, void *data, size_t size)
{
    int rc = yoke_queue_get((yoke_queue *)lane, data, size, NULL, YOKE_FOREVER);

    return rc == YOKE_OK || done(rc, "yoke_queue_get");
}

static void close_lane(void *lane)
{
    yoke_queue_close((yoke_queue *)lane);
}

const bench_peer bench_yoke = {
    .name = "yoke",
    .many = true,
    .open = open_lane,
    .join = join,
    .send = send_copy,
    .receive = receive_copy,
    .close = close_lane,
};

#ifdef BENCH_HAVE_LEND

#define TOUCHED 64u

static bool send_lent(void *lane, const void *data, size_t size)
{
    yoke_slot slot;

    if (!done(yoke_queue_reserve((yoke_queue *)lane, &slot, size, YOKE_FOREVER), "yoke_queue_reserve"))
        return false;
    memcpy(slot.data, data, size < TOUCHED ? size : TOUCHED);
    return done(yoke_queue_commit((yoke_queue *)lane, &slot, size), "yoke_queue_commit");
}

static bool receive_lent(void *lane, void *data, size_t size)
{
    yoke_view view;

    if (!done(yoke_queue_peek((yoke_queue *)lane, &view, YOKE_FOREVER), "yoke_queue_peek") || view.size != size)
        return false;
    memcpy(data, view.data, size < TOUCHED ? size : TOUCHED);
    return done(yoke_queue_release((yoke_queue *)lane, &view), "yoke_queue_release");
}

const bench_peer bench_yoke_lend = {
    .name = "yoke_lend",
    .many = true,
    .lends = true,
    .open = open_lane,
    .join = join,
    .send = send_lent,
    .receive = receive_lent,
    .close = close_lane,
};

#endif
