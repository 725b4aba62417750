/*
 * Mutual authentication by a key that both sides have, as Python's multiprocessing.connection does it since 3.12. A state
 * machine over bytes: no input or output of its own, no time, no memory but its own.
 *
 *   server -> client   #CHALLENGE#{sha256}<40 random bytes>
 *   client -> server   {sha256}<HMAC-SHA256 of "{sha256}<40 random bytes>">
 *   server -> client   #WELCOME#, or #FAILURE# and the end
 *   and the same again with the roles exchanged.
 *
 * Each is a frame (frame.h) of at most 256 bytes. No downgrade: each side fixes the digest of what it asks in the message
 * that the code covers, and takes no answer in another. Python 3.11 and older answers in bare MD5 whatever is asked, and
 * asks with 20 bytes and no name; only with `allow_old` are both taken.
 */
#ifndef YOKE_CORE_CONNECTION_AUTH_H
#define YOKE_CORE_CONNECTION_AUTH_H

#include "digest.h"

#define YOKE__AUTH_MESSAGE   256u /* bytes of the longest message that is taken */
#define YOKE__AUTH_RANDOM    40u
#define YOKE__AUTH_CHALLENGE (YOKE__AUTH_RANDOM + 16u) /* with the digest's name */

/* What one side wants; constant while any handshake uses it. */
typedef struct yoke__auth_rules {
    uint8_t            *key; /* this structure's own; NULL: no authentication */
    size_t              key_size;
    const yoke__digest *digest;
    bool                allow_old;
} yoke__auth_rules;

/* Copies the key. key NULL: none. digest NULL: sha256. YOKE_EINVAL: no such digest, a key of 0 bytes or more than 64 KiB;
 * YOKE_ENOMEM. */
int yoke__auth_rules_set(yoke__auth_rules *rules, const void *key, size_t key_size, const char *digest, bool allow_old);
void yoke__auth_rules_wipe(yoke__auth_rules *rules);

typedef struct yoke__auth {
    const yoke__auth_rules *rules;
    bool                    server;
    uint32_t                stage;
    uint8_t                 challenge[YOKE__AUTH_CHALLENGE]; /* what this side has asked */
    size_t                  challenge_size;
    uint8_t                 in[4 + YOKE__AUTH_MESSAGE]; /* a frame */
    size_t                  have, want;
    uint8_t                 out[4 + YOKE__AUTH_MESSAGE]; /* to be sent before anything more is received */
    size_t                  out_size;
} yoke__auth;

/* Begins; a server has something to send then. YOKE_EIO: no random bytes. */
int yoke__auth_begin(yoke__auth *auth, const yoke__auth_rules *rules, bool server);
/* Where the next bytes received are to go, and how many are wanted (at least 1); no more may be received. */
uint8_t *yoke__auth_room(yoke__auth *auth, size_t *wanted);
/* So many bytes have come there. YOKE_OK: go on; YOKE_EACCES: refused by either side, YOKE_EPROTO: not this protocol; in
 * both cases send what is to be sent, and end. */
int  yoke__auth_received(yoke__auth *auth, size_t size);
bool yoke__auth_done(const yoke__auth *auth);
/* Secrets of a handshake that is over. */
void yoke__auth_wipe(yoke__auth *auth);

#endif
