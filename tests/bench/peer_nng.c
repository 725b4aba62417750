/* nng: push dialled to the pull of every getter, over ipc://. It starts threads at first use: in the children only. */
#include "peers.h"

#include <nng/nng.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct lane {
    bench_shape shape;
    char        folder[64]; /* of the sockets */
    nng_socket  socket;
} lane;

static bool done(int rc, const char *what)
{
    if (rc != 0)
        fprintf(stderr, "yoke-bench: %s: %s\n", what, nng_strerror(rc));
    return rc == 0;
}

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
    /* What it holds itself is limited to 8192 messages. */
    int  depth = l->shape.depth < 8192 ? (int)l->shape.depth : 8192;
    bool ok = done(side == BENCH_PUTS ? nng_push0_open(&l->socket) : nng_pull0_open(&l->socket), "nng open");

    if (!ok)
        return false;
    if (side == BENCH_PUTS)
        (void)nng_socket_set_int(l->socket, NNG_OPT_SENDBUF, depth);
    if (side == BENCH_GETS) {
        (void)nng_socket_set_size(l->socket, NNG_OPT_RECVMAXSZ, 0);
        (void)snprintf(address, sizeof address, "ipc://%s/%d", l->folder, index);
        return done(nng_listen(l->socket, address, NULL, 0), "nng_listen");
    }
    (void)nng_socket_set_ms(l->socket, NNG_OPT_RECONNMINT, 10);
    for (int i = 0; i < l->shape.getters && ok; i++) {
        (void)snprintf(address, sizeof address, "ipc://%s/%d", l->folder, i);
        ok = done(nng_dial(l->socket, address, NULL, NNG_FLAG_NONBLOCK), "nng_dial");
    }
    return ok;
}

static bool send_message(void *opaque, const void *data, size_t size)
{
    return done(nng_send(((lane *)opaque)->socket, (void *)(size_t)data, size, 0), "nng_send");
}

static bool receive_message(void *opaque, void *data, size_t size)
{
    size_t got = size;

    return done(nng_recv(((lane *)opaque)->socket, data, &got, 0), "nng_recv") && got == size;
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

const bench_peer bench_nng = {
    .name = "nng",
    .many = true,
    .open = open_lane,
    .join = join,
    .send = send_message,
    .receive = receive_message,
    .close = close_lane,
};
