/* Message authentication codes (HMAC, RFC 2104) by the name of their digest, as Python spells it. From libnettle. */
#ifndef YOKE_CORE_CONNECTION_DIGEST_H
#define YOKE_CORE_CONNECTION_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define YOKE__MAC_ROOM 48u /* bytes of the largest code */

typedef struct yoke__digest yoke__digest;

/* sha256, sha384, sha3_256, sha3_384; NULL: another name. */
const yoke__digest *yoke__digest_find(const char *name, size_t size);
/* MD5, for Python 3.11 and older; not to be found by name. */
const yoke__digest *yoke__digest_md5(void);
const char         *yoke__digest_name(const yoke__digest *digest);
size_t              yoke__digest_size(const yoke__digest *digest);
/* HMAC of message under key. */
void yoke__digest_mac(const yoke__digest *digest, const void *key, size_t key_size, const void *message, size_t size,
                      uint8_t out[YOKE__MAC_ROOM]);
/* Compares in a time that depends on size only. */
bool yoke__digest_equal(const void *one, const void *other, size_t size);
/* Overwrites secrets, in a way that no compiler leaves out. */
void yoke__digest_wipe(void *secret, size_t size);

#endif
