#include "address.h"

#include "../error.h"

#include <stdio.h>
#include <string.h>

static const struct scheme {
    const char      *prefix;
    yoke_socket_kind kind;
} schemes[] = {
    {"unix:", YOKE_SOCKET_PATH},
    {"abstract:", YOKE_SOCKET_ABSTRACT},
    {"tcp:", YOKE_SOCKET_TCP},
    {"pipe:", YOKE_SOCKET_PIPE},
};

static bool skip_prefix(const char **text, const char *prefix)
{
    size_t size = strlen(prefix);
    if (strncmp(*text, prefix, size) != 0)
        return false;
    *text += size;
    return true;
}

/* Digits only, and no more than 65535. */
static bool parse_port(uint16_t *out, const char *text)
{
    uint32_t port = 0;
    size_t   size = strlen(text);
    if (size == 0 || size > 5)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        port = port * 10 + (uint32_t)(*text - '0');
    }
    *out = (uint16_t)port;
    return port <= UINT16_MAX;
}

/* Splits "host:port" or "[host]:port". */
static bool split_host(const char **host, size_t *size, const char **port, const char *text)
{
    const char *end;
    if (*text == '[') {
        end = strchr(++text, ']');
        if (end == NULL || end[1] != ':')
            return false;
        *port = end + 2;
    } else {
        end = strchr(text, ':');
        if (end == NULL || strchr(end + 1, ':') != NULL)
            return false;
        *port = end + 1;
    }
    *host = text;
    *size = (size_t)(end - text);
    return *size > 0 && memchr(text, '[', *size) == NULL && memchr(text, ']', *size) == NULL;
}

static int set_name(yoke_socket_place *place, const char *name, size_t size, const yoke_socket_ops *sockets,
                    const char *address)
{
    size_t limit = sockets->name_limit(place->kind);
    if (size == 0)
        return yoke__fail(YOKE_EINVAL, "address '%s': the name is empty", address);
    if (limit == 0)
        return yoke__fail(YOKE_ENOTSUP, "address '%.80s': this system has no addresses of this kind%s", address,
                          place->kind == YOKE_SOCKET_PIPE ? "; use unix:/path" : "");
    if (limit > sizeof place->name - 1)
        limit = sizeof place->name - 1;
    if (size > limit)
        return yoke__fail(YOKE_EMSGSIZE, "an address has a name of %zu bytes, but this system's limit is %zu: '%.40s…'",
                          size, limit, address);
    memcpy(place->name, name, size);
    place->name[size] = '\0';
    return YOKE_OK;
}

static int parse_tcp(yoke_socket_place *place, const char *text, const yoke_socket_ops *sockets, const char *address)
{
    const char *host, *port;
    size_t      size;
    if (!split_host(&host, &size, &port, text))
        return yoke__fail(YOKE_EINVAL, "address '%.80s' is not tcp:host:port or tcp:[ipv6]:port", address);
    if (!parse_port(&place->port, port))
        return yoke__fail(YOKE_EINVAL, "address '%.80s': the port is not a number up to 65535", address);
    return set_name(place, host, size, sockets, address);
}

int yoke__address_parse(yoke_socket_place *out, const char *address, const yoke_socket_ops *sockets)
{
    yoke_socket_place place = {.port = 0};
    const char       *text = address;
    if (address == NULL)
        return yoke__fail(YOKE_EINVAL, "the address is NULL");
    size_t i = 0, count = sizeof schemes / sizeof *schemes;
    while (i < count && !skip_prefix(&text, schemes[i].prefix))
        i++;
    if (i == count)
        return yoke__fail(YOKE_EINVAL, "address '%.80s' begins with none of 'unix:', 'abstract:', 'tcp:' and 'pipe:'",
                          address);
    place.kind = schemes[i].kind;
    YOKE_TRY(place.kind == YOKE_SOCKET_TCP ? parse_tcp(&place, text, sockets, address)
                                           : set_name(&place, text, strlen(text), sockets, address));
    *out = place;
    return YOKE_OK;
}

void yoke__address_format(char out[YOKE__ADDRESS_ROOM], const yoke_socket_place *place)
{
    if (place->kind != YOKE_SOCKET_TCP)
        snprintf(out, YOKE__ADDRESS_ROOM, "%s%s", schemes[place->kind].prefix, place->name);
    else if (place->name[0] == '\0')
        snprintf(out, YOKE__ADDRESS_ROOM, "tcp:");
    else if (strchr(place->name, ':') != NULL)
        snprintf(out, YOKE__ADDRESS_ROOM, "tcp:[%s]:%u", place->name, (unsigned)place->port);
    else
        snprintf(out, YOKE__ADDRESS_ROOM, "tcp:%s:%u", place->name, (unsigned)place->port);
}
