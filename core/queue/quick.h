/* The put of a small message where nothing is in the way. */
#ifndef YOKE_CORE_QUEUE_QUICK_H
#define YOKE_CORE_QUEUE_QUICK_H

#include "queue.h"

/* False: not done, for whatever reason, and no error noted; the whole call has to find out. */
bool yoke__queue_quick_put(yoke_queue *handle, const void *data, size_t size);

#endif
