/**
 * @file handles.h
 * The handle types. All are opaque; only pointers to them are passed around.
 */
#ifndef YOKE_HANDLES_H
#define YOKE_HANDLES_H

/**
 * Every handle that may stand in arguments and messages, once. New ones go to the end: a handle's place is part of what
 * processes write to each other. `X(queue)` stands for the type `yoke_queue`, the kind `YOKE_H_queue`, and the accessors
 * `yoke_args_queue()`, `yoke_variant_queue()` and `yoke_variant_take_queue()`.
 */
#define YOKE_HANDLES_(X)                                                                                               \
    X(queue)                                                                                                           \
    X(conn)                                                                                                            \
    X(lock)                                                                                                            \
    X(value)                                                                                                           \
    X(array)                                                                                                           \
    X(shm)                                                                                                             \
    X(domain)                                                                                                          \
    X(rlock)                                                                                                           \
    X(rwlock)                                                                                                          \
    X(semaphore)                                                                                                       \
    X(condition)                                                                                                       \
    X(event)                                                                                                           \
    X(barrier)                                                                                                         \
    X(shareable)                                                                                                       \
    X(file)

#define YOKE_FORWARD_(name) typedef struct yoke_##name yoke_##name;
YOKE_HANDLES_(YOKE_FORWARD_)
#undef YOKE_FORWARD_

/** How a named thing is made or found. Those that may create do so atomically. */
typedef enum yoke_open_mode {
    YOKE_CREATE,        /**< the name must be new */
    YOKE_OPEN,          /**< the name must be there */
    YOKE_OPEN_OR_CREATE /**< whoever comes first creates */
} yoke_open_mode;

/** A started process, in the process that started it. */
typedef struct yoke_process yoke_process;
/** A received value of any kind; see variant.h. */
typedef struct yoke_variant yoke_variant;
/** The arguments of a started function; see args.h. */
typedef struct yoke_args yoke_args;
/** A received message of bytes. */
typedef struct yoke_message yoke_message;

#endif
