/* Hostile bytes: every answer is a sound variant or YOKE_EPROTO, and memory stays in proportion. */
#include "core/message/message.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
// clang-format on

static uint64_t seed = 0x9e3779b97f4a7c15u;

static uint32_t random_number(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 16);
}

/* Touches all of it. */
static void use(yoke_variant *variant)
{
    size_t needed = 0;
    (void)yoke_variant_format(variant, NULL, 0, &needed);
    char *text = malloc(needed);
    assert_int_equal(yoke_variant_format(variant, text, needed, NULL), YOKE_OK);
    free(text);
    yoke__packed packed;
    assert_int_equal(yoke__pack(&packed, YOKE_VALUE_OF(variant)), YOKE_OK);
    yoke__packed_free(&packed);
    yoke_variant_free(variant);
}

/* The copy ends where its allocation ends, so that a sanitizer sees every byte read past it. */
static int unpack_exactly(const void *bytes, size_t size)
{
    yoke_variant *variant = NULL;
    void         *copy = malloc(size ? size : 1);
    memcpy(copy, bytes, size);
    int code = yoke__unpack(&variant, copy, size, NULL, NULL);
    free(copy);
    if (code == YOKE_OK)
        use(variant);
    else
        assert_null(variant);
    return code;
}

#define REFUSED(bytes) assert_int_equal(unpack_exactly(bytes, sizeof(bytes) - 1), YOKE_EPROTO)

static void what_is_no_whole_value_is_refused(void **state)
{
    (void)state;
    REFUSED("");
    REFUSED("\x01\x02");                         /* something follows */
    REFUSED("\x92\x01");                         /* a part is missing */
    REFUSED("\xa5hell");                         /* text is missing */
    REFUSED("\xc1");                             /* stands for nothing */
    REFUSED("\xcb\0\0");                         /* half a number */
    REFUSED("\xda\x01");                         /* half a length */
    REFUSED("\x81\x01");                         /* a key without value */
    REFUSED("\xd4\x05x");                        /* an extension of another type */
    REFUSED("\xd7\x01\0\0\0\0\0\0");             /* a handle cut short */
    REFUSED("\xd7\x01\x0a\0\0\0\0\0\0\0");       /* a handle where none may be */
    REFUSED("\xd7\x01\xff\xff\xff\xff\0\0\0\0"); /* a handle of no known kind */
}

static void announced_counts_allocate_nothing(void **state)
{
    (void)state;
    struct mallinfo2 before = mallinfo2();
    REFUSED("\xdd\xff\xff\xff\xff");     /* 4 G parts */
    REFUSED("\xdf\xff\xff\xff\xff");     /* 4 G pairs */
    REFUSED("\xdb\xff\xff\xff\xffx");    /* 4 G of text */
    REFUSED("\xc6\xff\xff\xff\xff");     /* 4 G of bytes */
    REFUSED("\xc9\xff\xff\xff\xff\x01"); /* 4 G of a handle */
    uint8_t nested[64];
    for (size_t i = 0; i + 5 <= sizeof nested; i += 5)
        memcpy(nested + i, "\xdd\x00\xff\xff\xff", 5);
    assert_int_equal(unpack_exactly(nested, 60), YOKE_EPROTO);
    struct mallinfo2 after = mallinfo2();
    assert_true(after.arena + after.hblkhd <= before.arena + before.hblkhd + (1u << 20));
}

static void random_bytes_do_no_harm(void **state)
{
    (void)state;
    uint8_t bytes[96];
    for (int round = 0; round < 60000; round++) {
        size_t size = random_number() % sizeof bytes;
        for (size_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)random_number();
        int code = unpack_exactly(bytes, size);
        assert_true(code == YOKE_OK || code == YOKE_EPROTO);
    }
}

static void mutated_messages_do_no_harm(void **state)
{
    (void)state;
    yoke__packed packed;
    int          whole = 0;
    assert_int_equal(yoke__pack(&packed, YOKE_ARGS(1, "text", YOKE_MAP("k", YOKE_LIST(1.5, YOKE_NIL), "m", -7),
                                                   YOKE_BYTES("bytes", 5), UINT64_MAX, YOKE_LIST(YOKE_LIST(2)))),
                     YOKE_OK);
    uint8_t *bytes = malloc(packed.size + 8);
    for (int round = 0; round < 60000; round++) {
        size_t size = packed.size;
        memcpy(bytes, packed.data, size);
        for (uint32_t changes = random_number() % 4 + 1; changes; changes--)
            bytes[random_number() % size] = (uint8_t)random_number();
        if (random_number() % 4 == 0)
            size = random_number() % (size + 1);
        int code = unpack_exactly(bytes, size);
        assert_true(code == YOKE_OK || code == YOKE_EPROTO);
        whole += code == YOKE_OK;
    }
    assert_true(whole > 100); /* else this test mutates too much to say anything */
    free(bytes);
    yoke__packed_free(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_whole_value_is_refused),
        cmocka_unit_test(announced_counts_allocate_nothing),
        cmocka_unit_test(random_bytes_do_no_harm),
        cmocka_unit_test(mutated_messages_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
