/* POSIX message queues. As deep as the system lets this user make them. */
#include "peers.h"

#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* The descriptor is inherited, and the name gone at once: nothing can be left behind. */
static void *open_lane(const bench_shape *shape)
{
    static int     count;
    char           name[64];
    struct mq_attr attributes = {.mq_maxmsg = (long)shape->depth, .mq_msgsize = (long)shape->size};
    struct rlimit  limit = {RLIM_INFINITY, RLIM_INFINITY};
    mqd_t         *lane = malloc(sizeof *lane);

    if (!lane)
        return NULL;
    (void)setrlimit(RLIMIT_MSGQUEUE, &limit); /* the privileged may */
    (void)snprintf(name, sizeof name, "/yoke-bench-%ld-%d", (long)getpid(), count++);
    for (;;) {
        *lane = mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, &attributes);
        if (*lane != (mqd_t)-1 || attributes.mq_maxmsg <= 10)
            break;
        attributes.mq_maxmsg = attributes.mq_maxmsg / 2 > 10 ? attributes.mq_maxmsg / 2 : 10;
    }
    if (*lane == (mqd_t)-1) {
        (void)bench_failed("mq_open");
        free(lane);
        return NULL;
    }
    (void)mq_unlink(name);
    return lane;
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
    return mq_send(*(mqd_t *)lane, data, size, 0) == 0 || bench_failed("mq_send");
}

static bool receive_message(void *lane, void *data, size_t size)
{
    return mq_receive(*(mqd_t *)lane, data, size, NULL) == (ssize_t)size || bench_failed("mq_receive");
}

static void close_lane(void *lane)
{
    (void)mq_close(*(mqd_t *)lane);
    free(lane);
}

const bench_peer bench_posix_mq = {
    .name = "posix_mq",
    .many = true,
    .largest = 1 << 20,
    .open = open_lane,
    .join = join,
    .send = send_message,
    .receive = receive_message,
    .close = close_lane,
};
