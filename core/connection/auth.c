#include "auth.h"

#include "../backend.h"
#include "../error.h"
#include "frame.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER      4u
#define KEY_MOST    ((size_t)64 * 1024)
#define OLD_RANDOM  20u /* bytes of a challenge of Python 3.11 and older, all of it */
#define PREFIX_MOST 12u /* of "{name}" */

static const char challenge_word[] = "#CHALLENGE#";
static const char welcome_word[] = "#WELCOME#";
static const char failure_word[] = "#FAILURE#";

#define WORD_SIZE(word) (sizeof(word) - 1)

/* What is waited for. A server goes ANSWER, CHALLENGE, WELCOME; a client CHALLENGE, WELCOME, ANSWER. */
enum { ANSWER, CHALLENGE, WELCOME, DONE, FAILED };

/* ---- rules ---- */

int yoke__auth_rules_set(yoke__auth_rules *rules, const void *key, size_t key_size, const char *digest, bool allow_old)
{
    yoke__auth_rules made = {.key_size = key_size, .allow_old = allow_old};
    const char      *name = digest != NULL ? digest : "sha256";
    made.digest = yoke__digest_find(name, strlen(name));
    if (made.digest == NULL)
        return yoke__fail(YOKE_EINVAL, "authkey: there is no digest '%.40s', only sha256, sha384, sha3_256, sha3_384",
                          name);
    if ((key == NULL) != (key_size == 0) || key_size > KEY_MOST)
        return yoke__fail(YOKE_EINVAL, "authkey: %zu bytes%s are no key", key_size, key == NULL ? " at NULL" : "");
    if (key != NULL) {
        made.key = malloc(key_size);
        if (made.key == NULL)
            return yoke__fail(YOKE_ENOMEM, "authkey: no memory for %zu bytes", key_size);
        memcpy(made.key, key, key_size);
    }
    *rules = made;
    return YOKE_OK;
}

void yoke__auth_rules_wipe(yoke__auth_rules *rules)
{
    if (rules->key != NULL)
        yoke__digest_wipe(rules->key, rules->key_size);
    free(rules->key);
    rules->key = NULL;
}

/* ---- messages out ---- */

static void put_message(yoke__auth *auth, const void *head, size_t head_size, const void *tail, size_t tail_size)
{
    size_t header = yoke__frame_header(auth->out, head_size + tail_size);
    memcpy(auth->out + header, head, head_size);
    if (tail_size > 0)
        memcpy(auth->out + header + head_size, tail, tail_size);
    auth->out_size = header + head_size + tail_size;
}

static void wait_for(yoke__auth *auth, uint32_t stage)
{
    auth->stage = stage;
    auth->have = 0;
    auth->want = HEADER;
}

static int ask(yoke__auth *auth)
{
    char prefix[PREFIX_MOST + 1];
    int  size = snprintf(prefix, sizeof prefix, "{%s}", yoke__digest_name(auth->rules->digest));
    memcpy(auth->challenge, prefix, (size_t)size);
    auth->challenge_size = (size_t)size + YOKE__AUTH_RANDOM;
    YOKE_TRY(yoke__backend()->system->random(auth->challenge + size, YOKE__AUTH_RANDOM));
    put_message(auth, challenge_word, WORD_SIZE(challenge_word), auth->challenge, auth->challenge_size);
    wait_for(auth, ANSWER);
    return YOKE_OK;
}

int yoke__auth_begin(yoke__auth *auth, const yoke__auth_rules *rules, bool server)
{
    memset(auth, 0, sizeof *auth);
    auth->rules = rules;
    auth->server = server;
    if (server)
        return ask(auth);
    wait_for(auth, CHALLENGE);
    return YOKE_OK;
}

/* ---- messages in ---- */

/* Splits "{name}rest". False: it has no such beginning, or names no digest that is taken. */
static bool take_prefix(const yoke__digest **digest, const uint8_t **rest, size_t *rest_size, const uint8_t *data,
                        size_t size)
{
    const uint8_t *end = size > 0 && data[0] == '{' ? memchr(data, '}', size < PREFIX_MOST ? size : PREFIX_MOST) : NULL;
    if (end == NULL)
        return false;
    *digest = yoke__digest_find((const char *)data + 1, (size_t)(end - data) - 1);
    *rest = end + 1;
    *rest_size = size - (size_t)(*rest - data);
    return *digest != NULL;
}

static bool mac_is(const yoke__auth *auth, const yoke__digest *digest, const uint8_t *mac)
{
    uint8_t expected[YOKE__MAC_ROOM];
    yoke__digest_mac(digest, auth->rules->key, auth->rules->key_size, auth->challenge, auth->challenge_size, expected);
    bool equal = yoke__digest_equal(expected, mac, yoke__digest_size(digest));
    yoke__digest_wipe(expected, sizeof expected);
    return equal;
}

/* Why an answer is not the right one; YOKE_OK if it is. */
static int check_answer(const yoke__auth *auth, const uint8_t *data, size_t size)
{
    const yoke__digest *digest = NULL;
    const uint8_t      *mac = data;
    size_t              mac_size = size;
    if (size == yoke__digest_size(yoke__digest_md5())) {
        if (!auth->rules->allow_old)
            return yoke__fail(YOKE_EACCES, "authentication: the other side answers in MD5, as Python 3.11 does, which "
                                           "is not allowed here");
        digest = yoke__digest_md5();
    } else if (!take_prefix(&digest, &mac, &mac_size, data, size)) {
        return yoke__fail(YOKE_EPROTO, "authentication: the answer of %zu bytes names no digest that is known", size);
    } else if (digest != auth->rules->digest) {
        return yoke__fail(YOKE_EACCES, "authentication: %s was asked for, the answer is in %s",
                          yoke__digest_name(auth->rules->digest), yoke__digest_name(digest));
    }
    if (mac_size != yoke__digest_size(digest))
        return yoke__fail(YOKE_EPROTO, "authentication: an answer in %s has %zu bytes", yoke__digest_name(digest),
                          mac_size);
    if (!mac_is(auth, digest, mac))
        return yoke__fail(YOKE_EACCES, "authentication: the other side's key is another one");
    return YOKE_OK;
}

static int on_answer(yoke__auth *auth, const uint8_t *data, size_t size)
{
    int rc = check_answer(auth, data, size);
    if (rc < 0) {
        put_message(auth, failure_word, WORD_SIZE(failure_word), NULL, 0);
        return rc;
    }
    put_message(auth, welcome_word, WORD_SIZE(welcome_word), NULL, 0);
    wait_for(auth, auth->server ? CHALLENGE : DONE);
    return YOKE_OK;
}

/* Whose code would be no proof to anybody is not given: a bare challenge is answered in MD5, whoever asks. */
static int choose_digest(const yoke__auth *auth, const yoke__digest **digest, const uint8_t *data, size_t size)
{
    const uint8_t *rest;
    size_t         rest_size;
    if (size == OLD_RANDOM && auth->rules->allow_old) {
        *digest = yoke__digest_md5();
        return YOKE_OK;
    }
    if (size == OLD_RANDOM)
        return yoke__fail(YOKE_EACCES, "authentication: the other side asks for MD5, as Python 3.11 does, which is not "
                                       "allowed here");
    if (!take_prefix(digest, &rest, &rest_size, data, size))
        return yoke__fail(YOKE_EPROTO, "authentication: the challenge of %zu bytes names no digest that is known",
                          size);
    if (rest_size < OLD_RANDOM)
        return yoke__fail(YOKE_EPROTO, "authentication: the challenge has only %zu random bytes", rest_size);
    return YOKE_OK;
}

static int on_challenge(yoke__auth *auth, const uint8_t *data, size_t size)
{
    const yoke__digest *digest = NULL;
    uint8_t             mac[YOKE__MAC_ROOM];
    char                prefix[PREFIX_MOST + 1] = "";
    size_t              word = WORD_SIZE(challenge_word);
    if (size == WORD_SIZE(failure_word) && memcmp(data, failure_word, size) == 0)
        return yoke__fail(YOKE_EACCES, "authentication: the other side refuses");
    if (size < word || memcmp(data, challenge_word, word) != 0)
        return yoke__fail(YOKE_EPROTO, "authentication: no challenge came, but %zu bytes: has the other side a key?",
                          size);
    data += word;
    size -= word;
    YOKE_TRY(choose_digest(auth, &digest, data, size));
    yoke__digest_mac(digest, auth->rules->key, auth->rules->key_size, data, size, mac);
    if (digest != yoke__digest_md5())
        (void)snprintf(prefix, sizeof prefix, "{%s}", yoke__digest_name(digest));
    put_message(auth, prefix, strlen(prefix), mac, yoke__digest_size(digest));
    wait_for(auth, WELCOME);
    return YOKE_OK;
}

static int on_welcome(yoke__auth *auth, const uint8_t *data, size_t size)
{
    if (size != WORD_SIZE(welcome_word) || memcmp(data, welcome_word, size) != 0)
        return yoke__fail(YOKE_EACCES, "authentication: the other side doesn't take this side's key");
    if (!auth->server)
        return ask(auth);
    wait_for(auth, DONE);
    return YOKE_OK;
}

static int on_message(yoke__auth *auth)
{
    const uint8_t *data = auth->in + HEADER;
    size_t         size = auth->have - HEADER;
    switch (auth->stage) {
    case ANSWER:
        return on_answer(auth, data, size);
    case CHALLENGE:
        return on_challenge(auth, data, size);
    case WELCOME:
        return on_welcome(auth, data, size);
    default:
        return yoke__fail(YOKE_EPROTO, "authentication: something came after the end");
    }
}

uint8_t *yoke__auth_room(yoke__auth *auth, size_t *wanted)
{
    *wanted = auth->want - auth->have;
    return auth->in + auth->have;
}

static int on_header(yoke__auth *auth)
{
    uint64_t size;
    if (yoke__frame_parse(auth->in, HEADER, &size) != (int)HEADER || size > YOKE__AUTH_MESSAGE)
        return yoke__fail(YOKE_EPROTO, "authentication: what came is no message of at most %u bytes",
                          YOKE__AUTH_MESSAGE);
    auth->want = HEADER + (size_t)size;
    return YOKE_OK;
}

int yoke__auth_received(yoke__auth *auth, size_t size)
{
    int rc = YOKE_OK;
    auth->have += size;
    if (auth->have == HEADER && auth->want == HEADER)
        rc = on_header(auth);
    if (rc == YOKE_OK && auth->have == auth->want)
        rc = on_message(auth);
    if (rc < 0)
        auth->stage = FAILED;
    return rc;
}

bool yoke__auth_done(const yoke__auth *auth)
{
    return auth->stage == DONE;
}

void yoke__auth_wipe(yoke__auth *auth)
{
    yoke__digest_wipe(auth, sizeof *auth);
}
