/*
 * What a client and its forkserver say to each other, over the channel between them:
 *
 *   client                                    server
 *   hello (preload), once      ───────────>   runs the preload
 *   request, with natives, and
 *   its packed part, in pieces ───────────>   forks or spawns
 *                              <───────────   reply, by the server; or, of a fork that worked, by the child
 *
 * A forked child answers for itself as soon as it has claimed its record: it knows best who it is, and the server has
 * nothing left to do between the fork and its next wait. For one that died before it could, the server answers. Whether
 * that was before or after the child's own answer it can't tell; so there may be two, and the client takes the first
 * and passes over what answers a former request.
 *
 * Both are the same build and trust each other; what is checked is checked so that a mistake ends in a sentence. A
 * client that dies in the middle ends the channel, and the server with it.
 */
#ifndef YOKE_CORE_PROCESS_FORKSERVER_H
#define YOKE_CORE_PROCESS_FORKSERVER_H

#include "start.h"

#define YOKE__SERVER_MAGIC   UINT64_C(0x3176726573796b79) /* "ykyserv1", little endian */
#define YOKE__SERVER_PIECE   32768u                       /* most bytes of a datagram, far below what systems allow */
#define YOKE__SERVER_PACKED  (16u << 20)                  /* the most a packed part may have: arguments, environment */
#define YOKE__SERVER_NATIVES (YOKE__START_NATIVES + 6u)   /* connections, standard descriptors, memory, lifeline */

typedef struct yoke__server_hello {
    uint64_t        magic;
    uint32_t        size; /* of this struct */
    uint32_t        has_preload;
    yoke_code_place preload;
} yoke__server_hello;

/* At the front of the first datagram. The packed part follows there, and as far as it doesn't fit, in further ones.
 * Natives come in the order: those that stdio names, the lifeline if there is one, then the others. */
typedef struct yoke__server_request {
    uint64_t            magic;
    uint32_t            size;     /* of this struct */
    uint32_t            spawn;    /* 0: fork */
    uint32_t            packed;   /* bytes that follow, in this datagram and further ones */
    int32_t             stdio[3]; /* index among the natives, or YOKE_STDIO_NULL */
    int32_t             lifeline; /* index, or -1 */
    uint32_t            others;   /* index of the first one that is neither */
    uint64_t            serial;   /* counts attempts; never 0 */
    yoke__start_message message;
} yoke__server_request;

typedef struct yoke__server_reply {
    uint64_t      magic;
    uint64_t      serial;     /* the request's */
    int32_t       code;       /* YOKE_OK, or why nothing was started */
    uint32_t      other_user; /* 1: the client is not the server's user any more, and needs a new server */
    int64_t       native;
    yoke_identity child;
    uint8_t       text[256];
} yoke__server_reply;

/* ---- the packed part (forkserver_pack.c) ----------------------------------------------------------------------------- */

/* Packs program, arguments, environment, working directory and traits of launch into malloc'ed bytes, behind `front`
 * bytes left free and not counted in *size. YOKE_ENOMEM; YOKE_EMSGSIZE, naming the limit. */
int yoke__server_pack(uint8_t **out, size_t *size, size_t front, const yoke_launch *launch);
/* The reverse: out's strings and traits lie in bytes, its lists are malloc'ed. YOKE_EPROTO; YOKE_ENOMEM. */
int  yoke__server_unpack(yoke_launch *out, const uint8_t *bytes, size_t size);
void yoke__server_unpack_free(yoke_launch *launch);

/* ---- all that is sent for one start (forkserver_parcel.c) ------------------------------------------------------------ */

typedef struct yoke__server_parcel {
    yoke__server_request header;
    uint8_t             *bytes; /* room for the header, and the packed part */
    yoke_native          natives[YOKE__SERVER_NATIVES];
    size_t               native_count;
    yoke_native          own[3]; /* duplicates of this process's standard descriptors, to be closed */
    size_t               own_count;
} yoke__server_parcel;
/* From what the caller wants, this process's traits and its standard descriptors. YOKE_ENOMEM, YOKE_EMSGSIZE. */
int  yoke__server_parcel_init(yoke__server_parcel *out, const yoke__start_request *request);
void yoke__server_parcel_free(yoke__server_parcel *it);

/* ---- the same as it arrives (forkserver_order.c) --------------------------------------------------------------------- */

typedef struct yoke__server_order {
    yoke__server_request header;
    size_t               native_count;
    const uint8_t       *packed;                        /* in the inbox, or big */
    uint8_t             *big;                           /* malloc'ed if it came in several pieces, else NULL */
    yoke_launch          launch;                        /* what lies in packed */
    yoke_native          natives[YOKE__SERVER_NATIVES]; /* last: mostly untouched */
} yoke__server_order;
/* inbox: YOKE__SERVER_PIECE bytes, in use until out is freed. YOKE_EEOF, YOKE_EPROTO: the channel can't be used any more.
 * Others: to be answered, unless the serial of the header is 0: it was not read. Free out in each case. */
int  yoke__server_order_receive(yoke__server_order *out, yoke_native channel, uint8_t *inbox);
void yoke__server_order_free(yoke__server_order *it);

/* ---- a server that died in the middle of a start (forkserver_rescue.c) ----------------------------------------------- */

typedef enum yoke__rescue {
    YOKE__RESCUE_RUNS,  /* the child had been started and runs, or has run: *child is it */
    YOKE__RESCUE_AGAIN, /* what it may have started can't run any more, and message is ready for another attempt */
    YOKE__RESCUE_NONE,  /* nothing runs; the record is withdrawn, and what it carried given back */
} yoke__rescue;
/* Settles it by one CAS on the start record. again: another attempt is possible and wanted. */
yoke__rescue yoke__server_rescue(yoke_domain *domain, yoke__start_message *message, bool again, yoke_identity *child);

/* ---- for the rest of core -------------------------------------------------------------------------------------------- */

/* Ends this process's forkserver, if there is one, and waits until it is gone. Its children live on. */
void yoke__forkserver_stop(void);

#endif
