/* Boost.Interprocess: interprocess_mutex. */
#include "locks.h"

#include <boost/interprocess/sync/interprocess_mutex.hpp>
#include <new>

namespace
{

using boost::interprocess::interprocess_mutex;

void *make(void *memory)
{
    return new (memory) interprocess_mutex;
}

void acquire(void *lock)
{
    static_cast<interprocess_mutex *>(lock)->lock();
}

void release(void *lock)
{
    static_cast<interprocess_mutex *>(lock)->unlock();
}

void destroy(void *lock)
{
    static_cast<interprocess_mutex *>(lock)->~interprocess_mutex();
}

} // namespace

extern "C" const bench_lock bench_lock_boost = {"boost_mutex", nullptr, make, acquire, release, destroy};
