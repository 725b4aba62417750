/* What goes over connections besides plain bytes: strings, formatted text, variants. */
#include "conn.h"

#include "../error.h"
#include "../message/message.h"
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

int yoke_conn_send_variant(yoke_conn *conn, const yoke_item *item, int64_t timeout)
{
    yoke__packed packed;
    if (item == NULL)
        return yoke__fail(YOKE_EINVAL, "yoke_conn_send_variant: item is NULL");
    YOKE_TRY(yoke__pack(&packed, item));
    int rc;
    if (packed.handle_count > 0)
        rc = yoke__fail(YOKE_ENOTSUP,
                        "yoke_conn_send_variant: a connection carries plain values only, and there is a "
                        "handle of a %s among them",
                        yoke__item_kind_name(packed.handles[0].kind));
    else
        rc = yoke_conn_send(conn, packed.data, packed.size, timeout);
    yoke__packed_free(&packed);
    return rc;
}

/* Turns a message just received into a variant, or leaves it to be received again. */
static int message_to_variant(yoke__conn *conn, yoke_variant **out, yoke_message *message)
{
    int rc = yoke__unpack(out, yoke_message_data(message), yoke_message_size(message), NULL, NULL);
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
