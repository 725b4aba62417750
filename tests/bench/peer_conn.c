/* Ours: connections of either kind, and the same by batches. */
#include "peers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yoke/yoke.h>

#define BATCH 64u
#define ROOM  65536u /* of a batch that is received */

typedef struct lane {
    yoke_conn *reads, *writes;
    /* By batches: what is collected to be sent; what was received and not handed out yet. */
    yoke_bytes messages[BATCH];
    size_t     sizes[BATCH];
    size_t     next, count;
    uint8_t   *at, *room;
} lane;

static bool done(int rc, const char *what)
{
    if (rc < 0)
        fprintf(stderr, "yoke-bench: %s: %s\n", what, yoke_last_error()->text);
    return rc >= 0;
}

static void *open_lane(bool one_way)
{
    lane *l = calloc(1, sizeof *l);
    int   rc;

    if (!l)
        return NULL;
    l->room = malloc(ROOM);
    rc = yoke_pipe_create(&l->reads, &l->writes, YOKE_OPTIONS(yoke_pipe_options, .one_way = one_way));
    if (l->room && done(rc, "yoke_pipe_create"))
        return l;
    free(l->room);
    free(l);
    return NULL;
}

static void *open_duplex(const bench_shape *shape)
{
    (void)shape;
    return open_lane(false);
}

static void *open_one_way(const bench_shape *shape)
{
    (void)shape;
    return open_lane(true);
}

static bool join(void *opaque, bench_side side, int index)
{
    lane *l = opaque;

    (void)index;
    yoke_conn_close(side == BENCH_PUTS ? l->reads : l->writes);
    return true;
}

static bool send_one(void *opaque, const void *data, size_t size)
{
    int rc = yoke_conn_send(((lane *)opaque)->writes, data, size, YOKE_FOREVER);

    return rc == YOKE_OK || done(rc, "yoke_conn_send");
}

static bool receive_one(void *opaque, void *data, size_t size)
{
    int rc = yoke_conn_recv(((lane *)opaque)->reads, data, size, NULL, YOKE_FOREVER);

    return rc == YOKE_OK || done(rc, "yoke_conn_recv");
}

static void close_lane(void *opaque)
{
    lane *l = opaque;

    yoke_conn_close(l->reads);
    yoke_conn_close(l->writes);
    free(l->room);
    free(l);
}

const bench_peer bench_conn = {
    .name = "yoke",
    .open = open_duplex,
    .join = join,
    .send = send_one,
    .receive = receive_one,
    .close = close_lane,
};

const bench_peer bench_conn_one_way = {
    .name = "yoke_one_way",
    .open = open_one_way,
    .join = join,
    .send = send_one,
    .receive = receive_one,
    .close = close_lane,
};

/* ---- batches: the caller's messages lie still until BATCH of them are there ---- */

static bool send_batch(void *opaque, const void *data, size_t size)
{
    lane *l = opaque;

    l->messages[l->count++] = (yoke_bytes){data, size};
    if (l->count < BATCH)
        return true;
    l->count = 0;
    return done(yoke_conn_send_many(l->writes, l->messages, BATCH, NULL, YOKE_FOREVER), "yoke_conn_send_many");
}

static bool receive_batch(void *opaque, void *data, size_t size)
{
    lane *l = opaque;

    if (l->next == l->count) {
        int rc = yoke_conn_recv_many(l->reads, l->room, ROOM, l->sizes, BATCH, &l->count, YOKE_FOREVER);
        if (!done(rc, "yoke_conn_recv_many"))
            return false;
        l->next = 0;
        l->at = l->room;
    }
    if (l->sizes[l->next] != size)
        return false;
    memcpy(data, l->at, size);
    l->at += l->sizes[l->next++];
    return true;
}

const bench_peer bench_conn_batch = {
    .name = "yoke_batch",
    .no_trip = true,
    .largest = 4096,
    .open = open_duplex,
    .join = join,
    .send = send_batch,
    .receive = receive_batch,
    .close = close_lane,
};
