/* libFuzzer: bytes of whatever origin as an address, and as one side of the handshake, in pieces as they say. Nothing but
 * a key gets in: the handshake never ends well. */
#include "core/connection/address.h"
#include "core/connection/auth.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t limit(yoke_socket_kind kind)
{
    return kind == YOKE_SOCKET_PATH ? 107 : 255;
}

static void parse(const uint8_t *data, size_t size)
{
    const yoke_socket_ops sockets = {.struct_size = sizeof sockets, .name_limit = limit};
    yoke_socket_place     place, again;
    char                  text[YOKE__ADDRESS_ROOM], *address = malloc(size + 1);
    if (!address)
        return;
    memcpy(address, data, size);
    address[size] = '\0';
    if (yoke__address_parse(&place, address, &sockets) == YOKE_OK) {
        yoke__address_format(text, &place);
        if (yoke__address_parse(&again, text, &sockets) != YOKE_OK || strcmp(again.name, place.name) != 0 ||
            again.port != place.port)
            abort();
    }
    free(address);
}

static void shake(const yoke__auth_rules *rules, bool server, const uint8_t *data, size_t size)
{
    yoke__auth auth;
    int        rc = yoke__auth_begin(&auth, rules, server);
    while (rc == YOKE_OK && size > 0) {
        size_t   wanted, piece = 1 + data[0] % 64u;
        uint8_t *room = yoke__auth_room(&auth, &wanted);
        piece = piece < wanted ? piece : wanted;
        piece = piece < size ? piece : size;
        memcpy(room, data, piece);
        data += piece;
        size -= piece;
        rc = yoke__auth_received(&auth, piece);
        if (auth.out_size > sizeof auth.out || yoke__auth_done(&auth))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    yoke__auth_rules rules;
    if (size < 1 || size > 4096)
        return 0;
    parse(data + 1, size - 1);
    if (yoke__auth_rules_set(&rules, "secret", 6, data[0] & 4 ? "sha3_384" : NULL, data[0] & 2) != YOKE_OK)
        return 0;
    shake(&rules, data[0] & 1, data + 1, size - 1);
    yoke__auth_rules_wipe(&rules);
    return 0;
}
