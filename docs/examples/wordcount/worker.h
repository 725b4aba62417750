/* What a worker process does, and what it tells the parent. */
#ifndef WORDCOUNT_WORKER_H
#define WORDCOUNT_WORKER_H

#include "count.h"

#include <yoke/yoke.h>

/* One per file, through the queue of results. */
struct report {
    uint32_t      index;   /* of the file */
    int32_t       problem; /* 0, or an error number of libuv */
    struct counts counts;
};

/*
 * Arguments: 0 queue of work, which it takes [index, path] from until the queue is shut down; 1 queue of reports; 2 queue
 * of names, where at last it puts lists [name, count, name, count, …]; 3 and 4 values that all workers add to: files and
 * bytes done. Returns 0.
 */
int worker(const yoke_args *args);

#endif
