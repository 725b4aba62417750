/*
 * libFuzzer: bytes of whatever origin as what comes over a connection, in pieces, between receiving calls of all kinds.
 * What each call answers, and what it brings, must be what a plain reading of the same bytes says.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <yoke/yoke.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SMALL 100u /* bytes of the caller's buffer */
#define LIMIT 1000u

static struct {
    uint8_t  bytes[8192]; /* all that was sent */
    size_t   sent;
    uint64_t next;  /* where the next message begins; beyond what was sent if one was skipped early */
    uint64_t limit; /* of messages */
} line;

static void must(bool good)
{
    if (!good)
        abort();
}

/* ---- the plain reading ---- */

/* YOKE_OK: the next message is whole; YOKE_EMSGSIZE: over the limit; YOKE_ETIMEDOUT: not all there, *size is set if its
 * header is; YOKE_EPROTO. *header: bytes of it, 0 if not known. */
static int look(uint64_t *header, uint64_t *size)
{
    uint64_t there = line.next < line.sent ? line.sent - line.next : 0, length = 0;
    *header = *size = 0;
    if (there < 4)
        return YOKE_ETIMEDOUT;
    const uint8_t *at = line.bytes + line.next;
    for (unsigned i = 0; i < 4; i++)
        length = length << 8 | at[i];
    if (length == 0xffffffff && there < 12)
        return YOKE_ETIMEDOUT;
    *header = 4;
    if (length == 0xffffffff) {
        *header = 12;
        length = 0;
        for (unsigned i = 4; i < 12; i++)
            length = length << 8 | at[i];
        if (length > INT64_MAX)
            return YOKE_EPROTO;
    } else if (length > 0x7fffffff) {
        return YOKE_EPROTO;
    }
    *size = length;
    if (length > line.limit)
        return YOKE_EMSGSIZE;
    return there - *header >= length ? YOKE_OK : YOKE_ETIMEDOUT;
}

static void received(const void *data, size_t size)
{
    uint64_t header, length;
    must(look(&header, &length) == YOKE_OK && length == size);
    must(size == 0 || memcmp(line.bytes + line.next + header, data, size) == 0);
    line.next += header + length;
}

/* The answer where nothing was received. `room`: of the caller. */
static void refused(int rc, uint64_t room)
{
    uint64_t header, size;
    int      expected = look(&header, &size);
    if ((expected == YOKE_OK || expected == YOKE_ETIMEDOUT) && header > 0 && size > room)
        expected = YOKE_EMSGSIZE;
    must(rc == expected || (rc == YOKE_ENOMEM && size > (1u << 30)));
}

/* ---- calls ---- */

static void receive(yoke_conn *conn)
{
    uint8_t buffer[SMALL];
    size_t  size;
    int     rc = yoke_conn_recv(conn, buffer, sizeof buffer, &size, YOKE_NOWAIT);
    if (rc == YOKE_OK)
        received(buffer, size);
    else
        refused(rc, sizeof buffer);
}

static void receive_string(yoke_conn *conn)
{
    char buffer[SMALL];
    int  rc = yoke_conn_recv_string(conn, buffer, sizeof buffer, YOKE_NOWAIT);
    if (rc != YOKE_OK) {
        refused(rc, sizeof buffer - 1);
        return;
    }
    uint64_t header, size;
    must(look(&header, &size) == YOKE_OK && size < sizeof buffer && buffer[size] == '\0');
    received(buffer, (size_t)size);
}

static void receive_message(yoke_conn *conn)
{
    yoke_message *message;
    int           rc = yoke_conn_recv_message(conn, &message, YOKE_NOWAIT);
    if (rc != YOKE_OK) {
        refused(rc, UINT64_MAX);
        return;
    }
    received(yoke_message_data(message), yoke_message_size(message));
    yoke_message_free(message);
}

static void receive_variant(yoke_conn *conn)
{
    yoke_variant *variant;
    uint64_t      header, size;
    int           rc = yoke_conn_recv_variant(conn, &variant, YOKE_NOWAIT);
    if (rc == YOKE_OK)
        yoke_variant_free(variant);
    else if (rc != YOKE_ETYPE)
        refused(rc, UINT64_MAX);
    if (rc == YOKE_OK || rc == YOKE_ETYPE) /* which stays */
        must(look(&header, &size) == YOKE_OK);
    if (rc == YOKE_OK)
        line.next += header + size;
}

static void receive_many(yoke_conn *conn)
{
    uint8_t buffer[SMALL];
    size_t  sizes[3], count, used = 0;
    int     rc = yoke_conn_recv_many(conn, buffer, sizeof buffer, sizes, 3, &count, YOKE_NOWAIT);
    if (rc != YOKE_OK) {
        refused(rc, sizeof buffer);
        return;
    }
    must(count >= 1 && count <= 3);
    for (size_t i = 0; i < count; i++) {
        received(buffer + used, sizes[i]);
        used += sizes[i];
    }
    must(used <= sizeof buffer);
}

static void skip(yoke_conn *conn)
{
    uint64_t header, size;
    int      expected = look(&header, &size), rc = yoke_conn_skip(conn, YOKE_NOWAIT);
    must(rc == expected || (expected == YOKE_EMSGSIZE && (rc == YOKE_OK || rc == YOKE_ETIMEDOUT)));
    if (header > 0 && expected != YOKE_EPROTO)
        line.next += header + size;
}

static void poll(yoke_conn *conn)
{
    int rc = yoke_conn_poll(conn, YOKE_NOWAIT);
    must(rc == YOKE_OK || rc == YOKE_ETIMEDOUT || rc == YOKE_EPROTO);
    if (line.next < line.sent)
        must(rc != YOKE_ETIMEDOUT);
}

/* All that is there, until something ends it. */
static void drain(yoke_conn *conn)
{
    yoke_message *message;
    uint64_t      header, size;
    int           rc;
    while ((rc = yoke_conn_recv_message(conn, &message, YOKE_NOWAIT)) == YOKE_OK) {
        received(yoke_message_data(message), yoke_message_size(message));
        yoke_message_free(message);
    }
    int expected = look(&header, &size);
    if (expected == YOKE_ETIMEDOUT)
        expected = line.next == line.sent ? YOKE_EEOF : YOKE_EBROKEN;
    must(rc == expected || (rc == YOKE_ENOMEM && size > (1u << 30)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const calls[])(yoke_conn *) = {
        receive, receive_string, receive_message, receive_variant, receive_many, skip, poll};
    yoke_conn *conn, *other;
    if (size < 2 || size > sizeof line.bytes)
        return 0;
    line.sent = line.next = 0;
    line.limit = data[0] & 1 ? LIMIT : UINT64_MAX;
    must(yoke_pipe_create(&conn, &other, YOKE_OPTIONS(yoke_pipe_options, .max_message = data[0] & 1 ? LIMIT : 0)) ==
         YOKE_OK);
    for (size_t at = 1; at < size;) {
        unsigned what = data[at++];
        if (what < 128) { /* so many bytes come */
            size_t count = what < size - at ? what : size - at;
            must(write((int)yoke_conn_native(other), data + at, count) == (ssize_t)count);
            memcpy(line.bytes + line.sent, data + at, count);
            line.sent += count;
            at += count;
        } else {
            calls[what % 7](conn);
        }
    }
    yoke_conn_close(other);
    drain(conn);
    yoke_conn_close(conn);
    return 0;
}
