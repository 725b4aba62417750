#include "digest.h"

#include <string.h>

#include <nettle/hmac.h>
#include <nettle/md5.h>
#include <nettle/memops.h>
#include <nettle/sha2.h>
#include <nettle/sha3.h>

struct yoke__digest {
    const char               *name;
    const struct nettle_hash *hash;
};

static const yoke__digest digests[] = {
    {"sha256", &nettle_sha256},
    {"sha384", &nettle_sha384},
    {"sha3_256", &nettle_sha3_256},
    {"sha3_384", &nettle_sha3_384},
};

static const yoke__digest md5 = {"md5", &nettle_md5};

/* The state of any of them. */
typedef union state {
    struct md5_ctx      md5;
    struct sha256_ctx   sha256;
    struct sha512_ctx   sha384;
    struct sha3_256_ctx sha3_256;
    struct sha3_384_ctx sha3_384;
} state;

const yoke__digest *yoke__digest_find(const char *name, size_t size)
{
    for (size_t i = 0; i < sizeof digests / sizeof *digests; i++)
        if (strlen(digests[i].name) == size && memcmp(digests[i].name, name, size) == 0)
            return &digests[i];
    return NULL;
}

const yoke__digest *yoke__digest_md5(void)
{
    return &md5;
}

const char *yoke__digest_name(const yoke__digest *digest)
{
    return digest->name;
}

size_t yoke__digest_size(const yoke__digest *digest)
{
    return digest->hash->digest_size;
}

void yoke__digest_mac(const yoke__digest *digest, const void *key, size_t key_size, const void *message, size_t size,
                      uint8_t out[YOKE__MAC_ROOM])
{
    struct {
        state outer, inner, now;
    } hmac;
    hmac_set_key(&hmac.outer, &hmac.inner, &hmac.now, digest->hash, key_size, key);
    hmac_update(&hmac.now, digest->hash, size, message);
    hmac_digest(&hmac.outer, &hmac.inner, &hmac.now, digest->hash, digest->hash->digest_size, out);
    yoke__digest_wipe(&hmac, sizeof hmac);
}

bool yoke__digest_equal(const void *one, const void *other, size_t size)
{
    return memeql_sec(one, other, size) != 0;
}

void yoke__digest_wipe(void *secret, size_t size)
{
    volatile uint8_t *byte = secret;
    while (size-- > 0)
        *byte++ = 0;
}
