/* What goes over connections besides plain bytes: strings, formatted text, variants. */
#include "conn.h"

#include "../error.h"
#include "../message/message.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHORT_TEXT 512

/* ---- strings ---- */

int yoke_conn_send_string(yoke_conn *conn, const char *text, int64_t timeout)
{
    if (text == NULL)
        return yoke__fail(YOKE_EINVAL, "yoke_conn_send_string: text is NULL");
    return yoke_conn_send(conn, text, strlen(text), timeout);
}

/* Text too long for the stack. */
static int send_long_text(yoke_conn *conn, int64_t timeout, size_t size, const char *format, va_list values)
{
    char *text = malloc(size + 1);
    if (text == NULL)
        return yoke__fail(YOKE_ENOMEM, "yoke_conn_send_format: no memory for %zu bytes of text", size);
    (void)vsnprintf(text, size + 1, format, values);
    int rc = yoke_conn_send(conn, text, size, timeout);
    free(text);
    return rc;
}

int yoke_conn_send_format(yoke_conn *conn, int64_t timeout, const char *format, ...)
{
    char    text[SHORT_TEXT];
    va_list values, again;
    if (format == NULL)
        return yoke__fail(YOKE_EINVAL, "yoke_conn_send_format: format is NULL");
    va_start(values, format);
    va_copy(again, values);
    int size = vsnprintf(text, sizeof text, format, values);
    int rc;
    if (size < 0)
        rc = yoke__fail(YOKE_EINVAL, "yoke_conn_send_format: the format \"%.64s\" fails", format);
    else if ((size_t)size < sizeof text)
        rc = yoke_conn_send(conn, text, (size_t)size, timeout);
    else
        rc = send_long_text(conn, timeout, (size_t)size, format, again);
    va_end(again);
    va_end(values);
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
