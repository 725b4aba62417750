/*
 * Ends that several processes send on: each has a handle of its own to the same open socket or pipe, and they take turns at
 * whole messages by an owner word in the default domain. Short messages, which the system takes whole or not at all, leave
 * nothing half done if their sender dies. Of a longer one it says `inside` meanwhile: who finds that its sender died then
 * says `broken`, for all and for good.
 */
#ifndef YOKE_CORE_CONNECTION_SHARE_H
#define YOKE_CORE_CONNECTION_SHARE_H

#include "../domain/object.h"
#include "../wait/deadline.h"

struct yoke__conn;

typedef struct yoke__share {
    yoke__a32 word;   /* whose turn it is */
    yoke__a32 inside; /* 1 while a message is on its way that may end up half sent; by whose turn it is */
    yoke__a32 broken; /* 1: somebody died inside; by whose turn it is */
    uint32_t  reserved;
} yoke__share;

/* How a share is passed on with its end. */
typedef struct yoke__share_passed {
    uint64_t        domain;
    yoke__reference reference;
} yoke__share_passed;

/* Sending turn taken. Before a frame of that many bytes: YOKE_ETIMEDOUT, YOKE_ECLOSED, YOKE_EBROKEN. */
int yoke__share_enter(struct yoke__conn *conn, size_t size, yoke__deadline deadline);
/* After it, unless a rest of it is left; and when that is done. */
void yoke__share_leave(struct yoke__conn *conn);
/* The end goes. */
void yoke__share_drop(struct yoke__conn *conn);
/* In a forked child: the turn is the parent's. */
void yoke__share_forget(struct yoke__conn *conn);
/* For the move of an end; 0: it is not shared. */
yoke__share_passed yoke__share_pass(const struct yoke__conn *conn);
/* The end is one of those that share it. YOKE_ENOTSUP: this process has no part in that domain; YOKE_ENOENT. */
int yoke__share_attach(struct yoke__conn *conn, const yoke__share_passed *passed);

#endif
