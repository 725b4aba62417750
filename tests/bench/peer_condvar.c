/* What a program writes by hand: a ring under a process-shared mutex, with two condition variables. */
#include "peers.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>

typedef struct ring {
    size_t          bytes, size, depth, head, count;
    pthread_mutex_t mutex;
    pthread_cond_t  items, space;
    _Alignas(64) uint8_t slots[];
} ring;

static void *open_lane(const bench_shape *shape)
{
    pthread_mutexattr_t mutex;
    pthread_condattr_t  cond;
    size_t              bytes = sizeof(ring) + shape->depth * shape->size;
    ring               *r = bench_shared(bytes);

    if (!r)
        return NULL;
    r->bytes = bytes;
    r->size = shape->size;
    r->depth = shape->depth;
    (void)pthread_mutexattr_init(&mutex);
    (void)pthread_condattr_init(&cond);
    (void)pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
    (void)pthread_condattr_setpshared(&cond, PTHREAD_PROCESS_SHARED);
    (void)pthread_mutex_init(&r->mutex, &mutex);
    (void)pthread_cond_init(&r->items, &cond);
    (void)pthread_cond_init(&r->space, &cond);
    (void)pthread_mutexattr_destroy(&mutex);
    (void)pthread_condattr_destroy(&cond);
    return r;
}

static bool join(void *lane, bench_side side, int index)
{
    (void)lane;
    (void)side;
    (void)index;
    return true;
}

static bool send_message(void *lane, const void *data, size_t size)
{
    ring *r = lane;

    (void)pthread_mutex_lock(&r->mutex);
    while (r->count == r->depth)
        (void)pthread_cond_wait(&r->space, &r->mutex);
    memcpy(r->slots + (r->head + r->count) % r->depth * r->size, data, size);
    r->count++;
    (void)pthread_mutex_unlock(&r->mutex);
    (void)pthread_cond_signal(&r->items);
    return true;
}

static bool receive_message(void *lane, void *data, size_t size)
{
    ring *r = lane;

    (void)pthread_mutex_lock(&r->mutex);
    while (r->count == 0)
        (void)pthread_cond_wait(&r->items, &r->mutex);
    memcpy(data, r->slots + r->head * r->size, size);
    r->head = (r->head + 1) % r->depth;
    r->count--;
    (void)pthread_mutex_unlock(&r->mutex);
    (void)pthread_cond_signal(&r->space);
    return true;
}

/* The dead may have held the mutex: nothing is destroyed, the memory just goes. */
static void close_lane(void *lane)
{
    ring *r = lane;

    bench_unshare(r, r->bytes);
}

const bench_peer bench_condvar = {
    .name = "condvar_ring",
    .many = true,
    .open = open_lane,
    .join = join,
    .send = send_message,
    .receive = receive_message,
    .close = close_lane,
};
