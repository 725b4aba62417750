/* Address strings: what they mean, what is wrong with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include <yoke/yoke.h>

#include "core/connection/address.h"

/* A system with paths of 20 bytes, no abstract names, and hosts of 30. */
static size_t small_limit(yoke_socket_kind kind)
{
    return kind == YOKE_SOCKET_PATH ? 20 : kind == YOKE_SOCKET_TCP ? 30 : 0;
}

static size_t large_limit(yoke_socket_kind kind)
{
    (void)kind;
    return 100000;
}

static const yoke_socket_ops small = {.struct_size = sizeof small, .name_limit = small_limit};
static const yoke_socket_ops large = {.struct_size = sizeof large, .name_limit = large_limit};

static void test_each_kind_is_understood_and_written_the_same(void **state)
{
    static const struct {
        const char      *text;
        yoke_socket_kind kind;
        const char      *name;
        unsigned         port;
    } good[] = {
        {"unix:/tmp/x", YOKE_SOCKET_PATH, "/tmp/x", 0},
        {"unix:a:b", YOKE_SOCKET_PATH, "a:b", 0},
        {"abstract:name", YOKE_SOCKET_ABSTRACT, "name", 0},
        {"pipe:name", YOKE_SOCKET_PIPE, "name", 0},
        {"tcp:localhost:0", YOKE_SOCKET_TCP, "localhost", 0},
        {"tcp:127.0.0.1:65535", YOKE_SOCKET_TCP, "127.0.0.1", 65535},
        {"tcp:[::1]:8080", YOKE_SOCKET_TCP, "::1", 8080},
    };
    yoke_socket_place place;
    char              text[YOKE__ADDRESS_ROOM];

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(YOKE_OK, yoke__address_parse(&place, good[i].text, &large));
        assert_int_equal(good[i].kind, place.kind);
        assert_string_equal(good[i].name, place.name);
        assert_int_equal(good[i].port, place.port);
        yoke__address_format(text, &place);
        assert_string_equal(good[i].text, text);
    }
}

static void test_what_is_no_address_is_refused(void **state)
{
    static const char *const bad[] = {
        "",          "unix",        "unix:",          "abstract:",   "tcp:",        "tcp:host",
        "tcp::1",    "tcp:host:",   "tcp:host:65536", "tcp:host:-1", "tcp:host:1x", "tcp:host:000001",
        "tcp:::1:5", "tcp:[::1]",   "tcp:[::1",       "tcp:[::1]5",  "tcp:[]:5",    "tcp:[::1]:",
        "/tmp/x",    "UNIX:/tmp/x", "udp:host:1",     "tcp:[[]:5",   "tcp:a]:5",    "tcp:[a[]:5",
    };
    yoke_socket_place place = {.name = "unchanged"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(YOKE_EINVAL, yoke__address_parse(&place, bad[i], &large));
    assert_int_equal(YOKE_EINVAL, yoke__address_parse(&place, NULL, &large));
    assert_string_equal("unchanged", place.name);
}

static void test_a_long_name_is_told_with_the_limit(void **state)
{
    yoke_socket_place place;
    char              text[700] = "unix:";

    (void)state;
    assert_int_equal(YOKE_OK, yoke__address_parse(&place, "unix:/2345678901234567890", &small));
    assert_int_equal(YOKE_EMSGSIZE, yoke__address_parse(&place, "unix:/23456789012345678901", &small));
    assert_non_null(strstr(yoke_last_error()->text, "21 bytes"));
    assert_non_null(strstr(yoke_last_error()->text, "limit is 20"));
    assert_int_equal(YOKE_EMSGSIZE, yoke__address_parse(&place, "tcp:a23456789012345678901234567890b:1", &small));
    memset(text + 5, 'x', 600); /* over this library's own limit */
    assert_int_equal(YOKE_EMSGSIZE, yoke__address_parse(&place, text, &large));
    assert_non_null(strstr(yoke_last_error()->text, "limit is 511"));
    text[5 + 511] = '\0';
    assert_int_equal(YOKE_OK, yoke__address_parse(&place, text, &large));
}

static void test_what_the_system_lacks_is_told(void **state)
{
    yoke_socket_place place;

    (void)state;
    assert_int_equal(YOKE_ENOTSUP, yoke__address_parse(&place, "abstract:name", &small));
    assert_int_equal(YOKE_ENOTSUP, yoke__address_parse(&place, "pipe:name", &small));
    assert_non_null(strstr(yoke_last_error()->text, "unix:/path"));
}

static void test_unnamed_places_have_an_address_too(void **state)
{
    yoke_socket_place place = {.kind = YOKE_SOCKET_PATH};
    char              text[YOKE__ADDRESS_ROOM];

    (void)state;
    yoke__address_format(text, &place);
    assert_string_equal("unix:", text);
    place.kind = YOKE_SOCKET_TCP;
    yoke__address_format(text, &place);
    assert_string_equal("tcp:", text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_kind_is_understood_and_written_the_same),
        cmocka_unit_test(test_what_is_no_address_is_refused),
        cmocka_unit_test(test_a_long_name_is_told_with_the_limit),
        cmocka_unit_test(test_what_the_system_lacks_is_told),
        cmocka_unit_test(test_unnamed_places_have_an_address_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
