/* What goes over connections besides plain bytes: strings, formatted text, variants. */
#include "bundle.h"

#include "../backend.h"
#include "../error.h"
#include "../message/text.h"

#include <stdarg.h>
#include <string.h>

/* ---- strings ---- */

int yoke_conn_send_string(yoke_conn *conn, const char *text, int64_t timeout)
{
    if (text == NULL)
        return yoke__fail(YOKE_EINVAL, "yoke_conn_send_string: text is NULL");
    return yoke_conn_send(conn, text, strlen(text), timeout);
}

int yoke_conn_send_format(yoke_conn *conn, int64_t timeout, const char *format, ...)
{
    yoke__text text;
    va_list    values;
    va_start(values, format);
    int rc = yoke__text_format(&text, format, values);
    va_end(values);
    if (rc < 0)
        return rc;
    rc = yoke_conn_send(conn, text.data, text.size, timeout);
    yoke__text_free(&text);
    return rc;
}

int yoke_conn_recv_string(yoke_conn *handle, char *buffer, size_t capacity, int64_t timeout)
{
    yoke__deadline deadline = yoke__deadline_after(timeout);
    yoke__conn    *conn;
    if (buffer == NULL || capacity == 0)
        return yoke__fail(YOKE_EINVAL, "yoke_conn_recv_string: no buffer, or of 0 bytes");
    YOKE_TRY(yoke__conn_begin(&conn, handle, YOKE_STREAM_READ, deadline));
    int rc = yoke__conn_header(conn, deadline);
    if (rc == YOKE_OK && conn->frame >= capacity)
        rc = yoke__fail(YOKE_EMSGSIZE, "connection: a string of %llu bytes has come; the buffer has %zu, NUL included",
                        (unsigned long long)conn->frame, capacity);
    size_t size = (size_t)conn->frame;
    if (rc == YOKE_OK)
        rc = yoke__conn_payload(conn, buffer, deadline);
    if (rc == YOKE_OK)
        buffer[size] = '\0';
    yoke__conn_end(conn, YOKE_STREAM_READ);
    return rc;
}

/* ---- variants ---- */

static int check_carries(yoke__conn *conn, const yoke__packed *packed)
{
    const char *kind = yoke__item_kind_name(packed->handles[0].kind);
    if (conn->flags & YOKE__CONN_REMOTE)
        return yoke__fail(YOKE_ENOTSUP, "connection: a %s can't be sent over a network, only plain values", kind);
    if (!yoke__backend()->stream->carries(conn->stream))
        return yoke__fail(YOKE_ENOTSUP,
                          "connection: a %s can be sent through local sockets and two-way pipes only, on systems that "
                          "can; this end takes plain values",
                          kind);
    return YOKE_OK;
}

/* Sending turn taken. */
static int send_bundle(yoke__conn *conn, const yoke__packed *packed, yoke__deadline deadline)
{
    yoke__bundle *bundle;
    yoke_native   native;
    size_t        size;
    YOKE_TRY(check_carries(conn, packed));
    YOKE_TRY(yoke__bundle_make(&bundle, conn, packed));
    const void *data = yoke__bundle_data(bundle, &size, &native);
    int         rc = yoke__conn_send_with(conn, data, size, native, deadline);
    yoke__bundle_end(bundle, rc >= 0);
    return rc;
}

static int send_with_handles(yoke_conn *handle, const yoke__packed *packed, yoke__deadline deadline)
{
    yoke__conn *conn;
    YOKE_TRY(yoke__conn_begin(&conn, handle, YOKE_STREAM_WRITE, deadline));
    int rc = send_bundle(conn, packed, deadline);
    yoke__conn_end(conn, YOKE_STREAM_WRITE);
    return rc;
}

int yoke_conn_send_variant(yoke_conn *conn, const yoke_item *item, int64_t timeout)
{
    yoke__deadline deadline = yoke__deadline_after(timeout);
    yoke__packed   packed;
    if (item == NULL)
        return yoke__fail(YOKE_EINVAL, "yoke_conn_send_variant: item is NULL");
    YOKE_TRY(yoke__pack(&packed, item));
    int rc;
    if (packed.handle_count > 0)
        rc = send_with_handles(conn, &packed, deadline);
    else
        rc = yoke_conn_send(conn, packed.data, packed.size, timeout);
    yoke__packed_free(&packed);
    return rc;
}

/* Turns a message just received into a variant, or leaves it to be received again. */
static int message_to_variant(yoke__conn *conn, yoke_variant **out, yoke_message *message)
{
    const void *data = yoke_message_data(message);
    size_t      size = yoke_message_size(message);
    int         rc;
    if (yoke__bundle_is(data, size))
        rc = yoke__bundle_receive(out, conn, data, size);
    else
        rc = yoke__unpack(out, data, size, NULL, NULL);
    if (rc == YOKE_OK) {
        yoke_message_free(message);
        return YOKE_OK;
    }
    yoke__conn_unreceive(conn, message);
    return rc == YOKE_EPROTO ? yoke__fail_in(YOKE_ETYPE, "connection: the message is no variant") : rc;
}

int yoke_conn_recv_variant(yoke_conn *handle, yoke_variant **out, int64_t timeout)
{
    yoke__deadline deadline = yoke__deadline_after(timeout);
    yoke__conn    *conn;
    yoke_message  *message;
    if (out == NULL)
        return yoke__fail(YOKE_EINVAL, "yoke_conn_recv_variant: out is NULL");
    YOKE_TRY(yoke__conn_begin(&conn, handle, YOKE_STREAM_READ, deadline));
    int rc = yoke__conn_header(conn, deadline);
    if (rc == YOKE_OK)
        rc = yoke__conn_payload_message(conn, &message, deadline);
    if (rc == YOKE_OK)
        rc = message_to_variant(conn, out, message);
    yoke__conn_end(conn, YOKE_STREAM_READ);
    return rc;
}
