/* The handshake without any connection: known codes, two sides in memory, and everything that must be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yoke/yoke.h>

#include "core/connection/auth.h"

/* ---- codes: RFC 4231 (test cases 2 and 6) and RFC 2202; SHA-3 as Python's hmac has it ---- */

typedef struct vector {
    const char *digest, *short_key, *long_key;
} vector;

static const vector vectors[] = {
    {"sha256", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    {"sha384", "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
     "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248df163f44952"},
    {"sha3_256", "c7d4072e788877ae3596bbb0da73b887c9171f93095b294ae857fbe2645e1ba5",
     "ed73a374b96c005235f948032f09674a58c0ce555cfc1f223b02356560312c3b"},
    {"sha3_384", "f1101f8cbf9766fd6764d2ed61903f21ca9b18f57cf3e1a23ca13508a93243ce48c045dc007f26a21b3f5e0e9df4c20a",
     "0fc19513bf6bd878037016706a0e57bc528139836b9a42c3d419e498e0e1fb9616fd669138d33a1105e07c72b6953bcc"},
    {NULL, "750c783e6ab0b503eaa86e310a5db738", "bfecaf4efff90a3a668f3922fec3762d"}, /* MD5 */
};

static void expect_mac(const yoke__digest *digest, const void *key, size_t key_size, const char *message,
                       const char *expected)
{
    uint8_t mac[YOKE__MAC_ROOM];
    char    text[2 * YOKE__MAC_ROOM + 1] = "";

    yoke__digest_mac(digest, key, key_size, message, strlen(message), mac);
    for (size_t i = 0; i < yoke__digest_size(digest); i++)
        snprintf(text + 2 * i, 3, "%02x", mac[i]);
    assert_string_equal(expected, text);
}

static void test_codes_are_those_of_the_standards(void **state)
{
    uint8_t key[131];

    (void)state;
    memset(key, 0xaa, sizeof key);
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        const yoke__digest *digest = yoke__digest_md5();
        if (vectors[i].digest != NULL)
            digest = yoke__digest_find(vectors[i].digest, strlen(vectors[i].digest));
        assert_non_null(digest);
        expect_mac(digest, "Jefe", 4, "what do ya want for nothing?", vectors[i].short_key);
        expect_mac(digest, key, sizeof key, "Test Using Larger Than Block-Size Key - Hash Key First",
                   vectors[i].long_key);
    }
}

static void test_other_digests_are_not_found(void **state)
{
    (void)state;
    assert_null(yoke__digest_find("md5", 3));
    assert_null(yoke__digest_find("sha1", 4));
    assert_null(yoke__digest_find("sha25", 5));
    assert_null(yoke__digest_find("sha2566", 7));
    assert_null(yoke__digest_find("", 0));
}

/* ---- two sides ---- */

static yoke__auth_rules rules_of(const char *key, const char *digest, bool old)
{
    yoke__auth_rules rules;

    assert_int_equal(YOKE_OK, yoke__auth_rules_set(&rules, key, strlen(key), digest, old));
    return rules;
}

/* Takes what one says to the other, in pieces; what that makes of it. */
static int carry(yoke__auth *from, yoke__auth *to, size_t piece)
{
    size_t size = from->out_size, at = 0, wanted;
    int    rc = YOKE_OK;

    from->out_size = 0;
    while (at < size && rc == YOKE_OK) {
        uint8_t *room = yoke__auth_room(to, &wanted);
        size_t   count = size - at < piece ? size - at : piece;
        count = count < wanted ? count : wanted;
        memcpy(room, from->out + at, count);
        at += count;
        rc = yoke__auth_received(to, count);
    }
    return rc;
}

/* Until both are done or one refuses; then the other hears of it. */
static void shake(yoke__auth *server, yoke__auth *client, int *server_rc, int *client_rc, size_t piece)
{
    *server_rc = *client_rc = YOKE_OK;
    while (server->out_size > 0 || client->out_size > 0) {
        if (server->out_size > 0 && *client_rc == YOKE_OK)
            *client_rc = carry(server, client, piece);
        else
            server->out_size = 0;
        if (client->out_size > 0 && *server_rc == YOKE_OK)
            *server_rc = carry(client, server, piece);
        else
            client->out_size = 0;
    }
}

static void test_two_sides_with_one_key_agree(void **state)
{
    static const char *const digests[] = {NULL, "sha256", "sha384", "sha3_256", "sha3_384"};
    static const size_t      pieces[] = {1, 3, 1000};
    yoke__auth               server, client;
    int                      server_rc, client_rc;

    (void)state;
    for (unsigned i = 0; i < 5 * 5 * 3; i++) {
        yoke__auth_rules ours = rules_of("secret", digests[i % 5], false);
        yoke__auth_rules theirs = rules_of("secret", digests[i / 5 % 5], i & 1);
        assert_int_equal(YOKE_OK, yoke__auth_begin(&server, &ours, true));
        assert_int_equal(YOKE_OK, yoke__auth_begin(&client, &theirs, false));
        shake(&server, &client, &server_rc, &client_rc, pieces[i / 25]);
        assert_int_equal(YOKE_OK, server_rc);
        assert_int_equal(YOKE_OK, client_rc);
        assert_true(yoke__auth_done(&server) && yoke__auth_done(&client));
        yoke__auth_rules_wipe(&ours);
        yoke__auth_rules_wipe(&theirs);
    }
}

static void test_another_key_is_refused_by_both(void **state)
{
    yoke__auth_rules ours = rules_of("secret", NULL, true), theirs = rules_of("Secret", NULL, true);
    yoke__auth       server, client;
    int              server_rc, client_rc;

    (void)state;
    assert_int_equal(YOKE_OK, yoke__auth_begin(&server, &ours, true));
    assert_int_equal(YOKE_OK, yoke__auth_begin(&client, &theirs, false));
    shake(&server, &client, &server_rc, &client_rc, 1000);
    assert_int_equal(YOKE_EACCES, server_rc);
    assert_int_equal(YOKE_EACCES, client_rc); /* by the word of failure */
    assert_false(yoke__auth_done(&server) || yoke__auth_done(&client));
    yoke__auth_rules_wipe(&ours);
    yoke__auth_rules_wipe(&theirs);
}

static void test_challenges_are_never_the_same(void **state)
{
    yoke__auth_rules rules = rules_of("secret", NULL, false);
    yoke__auth       one, other;

    (void)state;
    assert_int_equal(YOKE_OK, yoke__auth_begin(&one, &rules, true));
    assert_int_equal(YOKE_OK, yoke__auth_begin(&other, &rules, true));
    assert_int_equal(48, one.challenge_size);
    assert_memory_equal("{sha256}", one.challenge, 8);
    assert_memory_not_equal(one.challenge + 8, other.challenge + 8, YOKE__AUTH_RANDOM);
    yoke__auth_rules_wipe(&rules);
}

/* ---- what must be refused ---- */

/* Gives a side one frame. */
static int tell(yoke__auth *auth, const void *data, size_t size)
{
    size_t   wanted;
    uint8_t *room = yoke__auth_room(auth, &wanted);

    assert_int_equal(4, wanted);
    room[0] = room[1] = 0;
    room[2] = (uint8_t)(size >> 8);
    room[3] = (uint8_t)size;
    int rc = yoke__auth_received(auth, 4);
    if (rc != YOKE_OK || size == 0)
        return rc;
    room = yoke__auth_room(auth, &wanted);
    assert_int_equal(size, wanted);
    memcpy(room, data, size);
    return yoke__auth_received(auth, size);
}

/* What a server makes of an answer whose code is right, in that digest and with that prefix. */
static int answer(const yoke__auth_rules *rules, const yoke__digest *digest, const char *prefix, size_t cut)
{
    yoke__auth server;
    uint8_t    message[128];
    size_t     size = strlen(prefix);

    assert_int_equal(YOKE_OK, yoke__auth_begin(&server, rules, true));
    memcpy(message, prefix, size);
    yoke__digest_mac(digest, rules->key, rules->key_size, server.challenge, server.challenge_size, message + size);
    return tell(&server, message, size + yoke__digest_size(digest) - cut);
}

static void test_an_answer_in_another_digest_is_refused(void **state)
{
    yoke__auth_rules    rules = rules_of("secret", "sha3_256", false), old = rules_of("secret", "sha256", true);
    const yoke__digest *md5 = yoke__digest_md5(), *sha256 = yoke__digest_find("sha256", 6);
    const yoke__digest *sha3 = yoke__digest_find("sha3_256", 8);

    (void)state;
    assert_int_equal(YOKE_OK, answer(&rules, sha3, "{sha3_256}", 0));
    assert_int_equal(YOKE_EACCES, answer(&rules, sha256, "{sha256}", 0));
    assert_int_equal(YOKE_EACCES, answer(&rules, sha256, "{sha3_256}", 0)); /* right size, wrong code */
    assert_int_equal(YOKE_EPROTO, answer(&rules, sha3, "{sha3_256}", 1));
    assert_int_equal(YOKE_EPROTO, answer(&rules, sha3, "{sha512}", 0));
    assert_int_equal(YOKE_EPROTO, answer(&rules, sha3, "sha3_256}", 0));
    assert_int_equal(YOKE_EPROTO, answer(&rules, sha3, "", 0));
    assert_int_equal(YOKE_EACCES, answer(&rules, md5, "", 0)); /* a downgrade */
    assert_int_equal(YOKE_EPROTO, answer(&rules, md5, "{md5}", 0));
    assert_int_equal(YOKE_OK, answer(&old, md5, "", 0)); /* by option */
    assert_int_equal(YOKE_EPROTO, answer(&old, md5, "{md5}", 0));
    assert_int_equal(YOKE_EPROTO, answer(&old, md5, "", 1));
    yoke__auth_rules_wipe(&rules);
    yoke__auth_rules_wipe(&old);
}

/* Every byte of a code counts. */
static void test_a_code_wrong_in_one_bit_is_refused(void **state)
{
    yoke__auth_rules    rules = rules_of("secret", NULL, false);
    const yoke__digest *sha256 = yoke__digest_find("sha256", 6);
    yoke__auth          server;
    uint8_t             message[8 + YOKE__MAC_ROOM];

    (void)state;
    for (unsigned bit = 0; bit < 8 * 32; bit++) {
        assert_int_equal(YOKE_OK, yoke__auth_begin(&server, &rules, true));
        memcpy(message, "{sha256}", 8);
        yoke__digest_mac(sha256, rules.key, rules.key_size, server.challenge, server.challenge_size, message + 8);
        message[8 + bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(YOKE_EACCES, tell(&server, message, 8 + 32));
        assert_false(yoke__auth_done(&server));
    }
    yoke__auth_rules_wipe(&rules);
}

/* Proving its own key is not enough for a client: the server has to prove it as well. */
static void test_a_server_that_only_welcomes_is_not_believed(void **state)
{
    yoke__auth_rules rules = rules_of("secret", NULL, false);
    yoke__auth       client;

    (void)state;
    assert_int_equal(YOKE_OK, yoke__auth_begin(&client, &rules, false));
    assert_int_equal(YOKE_EPROTO, tell(&client, "#WELCOME#", 9)); /* without having asked */
    assert_int_equal(YOKE_OK, yoke__auth_begin(&client, &rules, false));
    assert_int_equal(YOKE_OK, tell(&client, "#CHALLENGE#{sha256}0123456789012345678901234567890123456789", 59));
    assert_int_equal(YOKE_OK, tell(&client, "#WELCOME#", 9));
    assert_false(yoke__auth_done(&client));
    assert_int_equal(YOKE_EPROTO, tell(&client, "#WELCOME#", 9));
    assert_false(yoke__auth_done(&client));
    yoke__auth_rules_wipe(&rules);
}

static int challenge(const yoke__auth_rules *rules, const char *text, size_t zeros)
{
    yoke__auth client;
    char       message[YOKE__AUTH_MESSAGE + 100] = "";

    assert_int_equal(YOKE_OK, yoke__auth_begin(&client, rules, false));
    memcpy(message, text, strlen(text));
    int rc = tell(&client, message, strlen(text) + zeros);
    assert_int_equal(rc == YOKE_OK, client.out_size > 0); /* nothing is signed for who is refused */
    return rc;
}

static void test_a_challenge_that_asks_for_less_is_not_answered(void **state)
{
    yoke__auth_rules rules = rules_of("secret", NULL, false), old = rules_of("secret", NULL, true);

    (void)state;
    assert_int_equal(YOKE_OK, challenge(&rules, "#CHALLENGE#{sha256}", 40));
    assert_int_equal(YOKE_OK, challenge(&rules, "#CHALLENGE#{sha3_384}", 40));
    assert_int_equal(YOKE_EACCES, challenge(&rules, "#CHALLENGE#", 20)); /* Python 3.11 */
    assert_int_equal(YOKE_OK, challenge(&old, "#CHALLENGE#", 20));
    assert_int_equal(YOKE_EPROTO, challenge(&old, "#CHALLENGE#{md5}", 40));
    assert_int_equal(YOKE_EPROTO, challenge(&rules, "#CHALLENGE#", 40));
    assert_int_equal(YOKE_EPROTO, challenge(&rules, "#CHALLENGE#{sha256}", 11));
    assert_int_equal(YOKE_EPROTO, challenge(&rules, "#CHALLENGE#{sha256}", 238)); /* over 256 bytes */
    assert_int_equal(YOKE_OK, challenge(&rules, "#CHALLENGE#{sha256}", 237));
    assert_int_equal(YOKE_EPROTO, challenge(&rules, "#CHALLENGE", 0));
    assert_int_equal(YOKE_EPROTO, challenge(&rules, "#CHALLENGE!{sha256}", 40));
    assert_int_equal(YOKE_EPROTO, challenge(&rules, "hello", 0));
    assert_int_equal(YOKE_EPROTO, challenge(&rules, "", 0));
    assert_int_equal(YOKE_EACCES, challenge(&rules, "#FAILURE#", 0));
    yoke__auth_rules_wipe(&rules);
    yoke__auth_rules_wipe(&old);
}

static void test_headers_that_claim_much_are_refused_at_once(void **state)
{
    static const uint8_t headers[][4] = {
        {0, 0, 1, 1}, {0x7f, 0xff, 0xff, 0xff}, {0x80, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff}};
    yoke__auth_rules rules = rules_of("secret", NULL, false);
    yoke__auth       server;
    size_t           wanted;

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(YOKE_OK, yoke__auth_begin(&server, &rules, true));
        memcpy(yoke__auth_room(&server, &wanted), headers[i], 4);
        assert_int_equal(YOKE_EPROTO, yoke__auth_received(&server, 4));
    }
    yoke__auth_rules_wipe(&rules);
}

static void test_rules_are_checked_and_keys_copied(void **state)
{
    yoke__auth_rules rules;
    char             key[] = "key";

    (void)state;
    assert_int_equal(YOKE_EINVAL, yoke__auth_rules_set(&rules, NULL, 1, NULL, false));
    assert_int_equal(YOKE_EINVAL, yoke__auth_rules_set(&rules, key, 0, NULL, false));
    assert_int_equal(YOKE_EINVAL, yoke__auth_rules_set(&rules, key, 65537, NULL, false));
    assert_int_equal(YOKE_EINVAL, yoke__auth_rules_set(&rules, key, 3, "md5", false));
    assert_int_equal(YOKE_OK, yoke__auth_rules_set(&rules, key, 3, NULL, false));
    key[0] = 'x';
    assert_memory_equal("key", rules.key, 3);
    yoke__auth_rules_wipe(&rules);
    assert_null(rules.key);
    yoke__digest_wipe(key, 3);
    assert_memory_equal("\0\0\0", key, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes_are_those_of_the_standards),
        cmocka_unit_test(test_other_digests_are_not_found),
        cmocka_unit_test(test_two_sides_with_one_key_agree),
        cmocka_unit_test(test_another_key_is_refused_by_both),
        cmocka_unit_test(test_challenges_are_never_the_same),
        cmocka_unit_test(test_an_answer_in_another_digest_is_refused),
        cmocka_unit_test(test_a_code_wrong_in_one_bit_is_refused),
        cmocka_unit_test(test_a_server_that_only_welcomes_is_not_believed),
        cmocka_unit_test(test_a_challenge_that_asks_for_less_is_not_answered),
        cmocka_unit_test(test_headers_that_claim_much_are_refused_at_once),
        cmocka_unit_test(test_rules_are_checked_and_keys_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
