/* ZeroMQ: PUSH connected to the PULL of every getter, over ipc://. Contexts don't survive a fork: each child has its own. */
#include "peers.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zmq.h>

typedef struct lane {
    bench_shape shape;
    char        folder[64]; /* of the sockets */
    void       *context, *socket;
} lane;

static void *open_lane(const bench_shape *shape)
{
    lane *l = calloc(1, sizeof *l);

    if (!l)
        return NULL;
    l->shape = *shape;
    (void)snprintf(l->folder, sizeof l->folder, "/tmp/yoke-bench-XXXXXX");
    if (mkdtemp(l->folder))
        return l;
    (void)bench_failed("mkdtemp");
    free(l);
    return NULL;
}

static bool join(void *opaque, bench_side side, int index)
{
    lane *l = opaque;
    char  address[128];
    int   depth = (int)l->shape.depth;
    bool  ok = true;

    l->context = zmq_ctx_new();
    l->socket = l->context ? zmq_socket(l->context, side == BENCH_PUTS ? ZMQ_PUSH : ZMQ_PULL) : NULL;
    if (!l->socket)
        return bench_failed("zmq_socket");
    (void)zmq_setsockopt(l->socket, side == BENCH_PUTS ? ZMQ_SNDHWM : ZMQ_RCVHWM, &depth, sizeof depth);
    if (side == BENCH_GETS) {
        (void)snprintf(address, sizeof address, "ipc://%s/%d", l->folder, index);
        return zmq_bind(l->socket, address) == 0 || bench_failed("zmq_bind");
    }
    for (int i = 0; i < l->shape.getters && ok; i++) {
        (void)snprintf(address, sizeof address, "ipc://%s/%d", l->folder, i);
        ok = zmq_connect(l->socket, address) == 0;
    }
    return ok || bench_failed("zmq_connect");
}

static bool send_message(void *opaque, const void *data, size_t size)
{
    return zmq_send(((lane *)opaque)->socket, data, size, 0) == (int)size || bench_failed("zmq_send");
}

static bool receive_message(void *opaque, void *data, size_t size)
{
    return zmq_recv(((lane *)opaque)->socket, data, size, 0) == (int)size || bench_failed("zmq_recv");
}

static void close_lane(void *opaque)
{
    lane *l = opaque;
    char  path[128];

    for (int i = 0; i < l->shape.getters; i++) {
        (void)snprintf(path, sizeof path, "%s/%d", l->folder, i);
        (void)unlink(path);
    }
    (void)rmdir(l->folder);
    free(l);
}

const bench_peer bench_zmq = {
    .name = "zeromq",
    .many = true,
    .open = open_lane,
    .join = join,
    .send = send_message,
    .receive = receive_message,
    .close = close_lane,
};
