/*
 * Messages with handles in them. On the wire such a message is one MessagePack value too, of extension type 2:
 *
 *   header of the extension (6 bytes) | yoke__bundle_header | domains | entries | unread | items
 *
 * `items` is what yoke__pack() made; position n in there is entry n. `unread` is what connections that are passed had read
 * ahead, in order of the entries. Numbers are in this machine's order, for such a message never leaves the machine.
 *
 * Natives travel in one datagram of a channel made for this message, and the channel's other end travels with the first
 * byte of the message: so there is one native to be attached, however many the message has, and a message that nobody
 * receives takes all of them with it. References to objects stand in parcels (parcel.h), one for each domain.
 */
#ifndef YOKE_CORE_CONNECTION_BUNDLE_H
#define YOKE_CORE_CONNECTION_BUNDLE_H

#include "../domain/object.h"
#include "../message/message.h"
#include "conn.h"

#define YOKE__BUNDLE_EXTENSION 2
#define YOKE__BUNDLE_MAGIC     UINT32_C(0x31626b79) /* "ykb1", little endian */
#define YOKE__BUNDLE_NATIVES   240u                 /* below what one datagram can carry */
#define YOKE__BUNDLE_DOMAINS   64u
#define YOKE__BUNDLE_NONE      UINT32_MAX /* no native, no domain */

typedef struct yoke__bundle_header {
    uint32_t magic;
    uint32_t natives, domains, entries;
    uint8_t  nonce[16];     /* stands in the channel's datagram too */
    uint64_t unread, items; /* bytes */
} yoke__bundle_header;

typedef struct yoke__bundle_domain {
    uint64_t id;
    yoke__id parcel;
    uint32_t mark; /* which native; YOKE__BUNDLE_NONE: there is no parcel */
    uint32_t reserved;
    char     name[YOKE__NAME_SIZE]; /* "": the default domain */
} yoke__bundle_domain;

typedef enum yoke__bundle_what {
    YOKE__BUNDLE_OBJECT = 1, /* value: place in the parcel of its domain */
    YOKE__BUNDLE_DOMAIN = 2,
    YOKE__BUNDLE_CONN = 3,    /* value: flags of conn.h's move; size: of its unread; its natives begin with `native` */
    YOKE__BUNDLE_SEGMENT = 4, /* value: 1: read only */
    YOKE__BUNDLE_FILE = 5,
} yoke__bundle_what;

typedef struct yoke__bundle_entry {
    uint32_t kind; /* yoke_kind */
    uint32_t what;
    uint32_t native, domain; /* which; YOKE__BUNDLE_NONE */
    uint64_t value;
    uint64_t size;
} yoke__bundle_entry;

/* What the channel's datagram says. */
typedef struct yoke__bundle_note {
    uint8_t  nonce[16];
    uint32_t natives;
    uint32_t reserved;
} yoke__bundle_note;

/* ---- bundle_pack.c: for the sender ---- */

typedef struct yoke__bundle yoke__bundle;

/* Makes the message of packed items with handles. Connections among them are out of use from now on; `through` is the one
 * that will carry it. YOKE_ENOTSUP: something in there can't travel; YOKE_EMSGSIZE; YOKE_ENOMEM; YOKE_EBUSY; what moving
 * a connection answers. On failure nothing has happened. */
int yoke__bundle_make(yoke__bundle **out, const yoke__conn *through, const yoke__packed *packed);
/* Bytes of the message, and the native that goes along (or YOKE_NO_NATIVE). */
const void *yoke__bundle_data(const yoke__bundle *bundle, size_t *size, yoke_native *native);
/* Frees it. sent: connections in there have moved; otherwise all is as it was. */
void yoke__bundle_end(yoke__bundle *bundle, bool sent);

/* ---- bundle_open.c: for the receiver ---- */

/* The handles of a message that was received, as far as they could be had. */
typedef struct yoke__unbundled yoke__unbundled;

/* Whether bytes claim to be such a message. */
bool yoke__bundle_is(const void *data, size_t size);
/* The message just received, as a variant. If not all of its handles can be had, that is an error the first time
 * (YOKE_ENOMEM: no descriptors; YOKE_ENOENT: the object is gone; YOKE_ENOTSUP: of a domain that this process has no part
 * in), and what could be had stays with the connection; the second time nil stands in place of the others.
 * YOKE_EPROTO: damaged. */
int yoke__bundle_receive(yoke_variant **out, yoke__conn *conn, const void *data, size_t size);
/* Closes what was not taken. NULL is fine. */
void yoke__unbundled_free(yoke__unbundled *from);

#endif
