/**
 * @file yoke.h
 * All of the library but event loops (uv.h) and the seam for backend authors (backend.h).
 *
 * ```c
 * static int worker(const yoke_args *args)
 * {
 *     return yoke_queue_put_string(yoke_args_queue(args, 0), "hello", YOKE_FOREVER);
 * }
 *
 * int main(int argc, char **argv)
 * {
 *     yoke_main(argc, argv);
 *     yoke_queue   *queue;
 *     yoke_process *process;
 *     char          line[64];
 *     YOKE_CHECK(yoke_queue_create(&queue, NULL));
 *     YOKE_CHECK(yoke_process_start(&process, worker, YOKE_ARGS(queue), NULL));
 *     YOKE_CHECK(yoke_queue_get_string(queue, line, sizeof line, YOKE_FOREVER));
 *     YOKE_CHECK(yoke_process_finish(process, NULL, YOKE_FOREVER));
 *     yoke_queue_close(queue);
 *     return puts(line) < 0;
 * }
 * ```
 */
#ifndef YOKE_H
#define YOKE_H

#include "args.h"
#include "barrier.h"
#include "condition.h"
#include "conn.h"
#include "domain.h"
#include "error.h"
#include "event.h"
#include "file.h"
#include "listener.h"
#include "memory.h"
#include "message.h"
#include "process.h"
#include "queue.h"
#include "rlock.h"
#include "rwlock.h"
#include "semaphore.h"
#include "shareable.h"
#include "shm.h"
#include "simple_queue.h"
#include "sync.h"
#include "variant.h"
#include "wait.h"

#endif
