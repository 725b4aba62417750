/* A start as it arrives at the forkserver. */
#include "forkserver.h"

#include "../backend.h"
#include "../error.h"

#include <stdlib.h>
#include <string.h>

static int receive(yoke_native channel, uint8_t *inbox, size_t *size, yoke_native *natives, size_t *count)
{
    return yoke__backend()->process->channel_recv(channel, inbox, YOKE__SERVER_PIECE, size, natives,
                                                  natives ? YOKE__SERVER_NATIVES : 0, count, INT64_MAX);
}

static bool index_is_good(int32_t index, size_t count, int32_t none)
{
    return index == none || (index >= 0 && (size_t)index < count);
}

/* size: of the first datagram. */
static int check_header(const yoke__server_order *it, size_t size)
{
    const yoke__server_request *header = &it->header;
    bool good = size > sizeof *header && header->magic == YOKE__SERVER_MAGIC && header->size == sizeof *header &&
                header->packed > 0 && header->packed <= YOKE__SERVER_PACKED && header->others <= it->native_count &&
                size <= sizeof *header + header->packed && index_is_good(header->lifeline, it->native_count, -1);

    for (int i = 0; i < 3; i++)
        good = good && index_is_good(header->stdio[i], it->native_count, YOKE_STDIO_NULL);
    return good ? YOKE_OK : yoke__fail(YOKE_EPROTO, "a request of %zu bytes to the forkserver can't be read", size);
}

/* first: the bytes in the inbox behind the header. The other pieces have to be taken off the channel even if there is
 * no room for them. */
static int receive_packed(yoke__server_order *it, size_t first, yoke_native channel, uint8_t *inbox)
{
    const uint8_t *begin = inbox + sizeof it->header;
    size_t         total = it->header.packed, size, count;

    if (first > total || total > YOKE__SERVER_PACKED)
        return yoke__fail(YOKE_EPROTO, "%zu bytes of a request to the forkserver are not the %zu it has", first, total);
    it->packed = begin;
    if (first == total)
        return YOKE_OK;
    it->packed = it->big = malloc(total);
    if (it->big)
        memcpy(it->big, begin, first);
    for (size_t done = first; done < total; done += size) {
        YOKE_TRY(receive(channel, inbox, &size, NULL, &count));
        if (size > total - done)
            return yoke__fail(YOKE_EPROTO, "%zu bytes too many came to the forkserver", size - (total - done));
        if (it->big)
            memcpy(it->big + done, inbox, size);
    }
    return it->big ? YOKE_OK : yoke__fail(YOKE_ENOMEM, "no memory in the forkserver for a request of %zu bytes", total);
}

int yoke__server_order_receive(yoke__server_order *out, yoke_native channel, uint8_t *inbox)
{
    size_t size = 0;
    int    lacking, rc;

    memset(&out->header, 0, sizeof out->header);
    memset(&out->launch, 0, sizeof out->launch);
    out->packed = out->big = NULL;
    out->native_count = 0;
    lacking = receive(channel, inbox, &size, out->natives, &out->native_count);
    if (lacking < 0 && lacking != YOKE_ENOMEM)
        return lacking == YOKE_EMSGSIZE ? YOKE_EPROTO : lacking;
    if (size <= sizeof out->header)
        return yoke__fail(YOKE_EPROTO, "a request of %zu bytes came to the forkserver", size);
    memcpy(&out->header, inbox, sizeof out->header);
    if (lacking == YOKE_OK)
        YOKE_TRY(check_header(out, size));
    else
        out->native_count = 0;
    rc = receive_packed(out, size - sizeof out->header, channel, inbox);
    if (rc == YOKE_OK && lacking == YOKE_OK)
        rc = yoke__server_unpack(&out->launch, out->packed, out->header.packed);
    if (rc == YOKE_OK && lacking < 0)
        rc = yoke__fail(YOKE_ENOMEM, "no descriptors left in the forkserver for those that a start hands on");
    return rc;
}

void yoke__server_order_free(yoke__server_order *it)
{
    while (it->native_count > 0)
        yoke__backend()->process->native_close(it->natives[--it->native_count]);
    yoke__server_unpack_free(&it->launch);
    free(it->big);
}
