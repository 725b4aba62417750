/* Boost.Interprocess: message_queue. The only file in C++; nothing throws out of it. */
#include "peers.h"

#include <boost/interprocess/ipc/message_queue.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <unistd.h>

namespace
{

using boost::interprocess::message_queue;

struct lane {
    std::string                    name;
    std::unique_ptr<message_queue> queue; /* inherited by the children, as its mapping is */
};

bool told(const char *what, const std::exception &e)
{
    std::fprintf(stderr, "yoke-bench: %s: %s\n", what, e.what());
    return false;
}

void *open_lane(const bench_shape *shape)
{
    static int count;

    try {
        std::unique_ptr<lane> l(new lane);
        l->name = "yoke-bench-" + std::to_string(getpid()) + "-" + std::to_string(count++);
        l->queue.reset(new message_queue(boost::interprocess::create_only, l->name.c_str(), shape->depth, shape->size));
        (void)message_queue::remove(l->name.c_str()); /* the name: the mapping stays, and nothing is left behind */
        return l.release();
    } catch (const std::exception &e) {
        (void)told("message_queue", e);
        return nullptr;
    }
}

bool join(void *, bench_side, int)
{
    return true;
}

bool send_message(void *opaque, const void *data, std::size_t size)
{
    try {
        static_cast<lane *>(opaque)->queue->send(data, size, 0);
        return true;
    } catch (const std::exception &e) {
        return told("message_queue::send", e);
    }
}

bool receive_message(void *opaque, void *data, std::size_t size)
{
    message_queue::size_type got = 0;
    unsigned                 priority = 0;

    try {
        static_cast<lane *>(opaque)->queue->receive(data, size, got, priority);
        return got == size;
    } catch (const std::exception &e) {
        return told("message_queue::receive", e);
    }
}

void close_lane(void *opaque)
{
    delete static_cast<lane *>(opaque);
}

} // namespace

extern "C" {
extern const bench_peer bench_boost;
const bench_peer        bench_boost = {"boost_mq", nullptr,   false, true,         false,           false,     false,
                                       0,          open_lane, join,  send_message, receive_message, close_lane};
}
