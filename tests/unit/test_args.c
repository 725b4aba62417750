/* What a started function reads: every accessor, and what ends the process. */
#include "core/message/message.h"
#include "core/process/args.h"

#include <yoke/sync.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
// clang-format on

/* Positions are the items' own handles. */
static int open_handle(void *user, uint32_t kind, uint32_t position, void **handle)
{
    const yoke__packed *packed = user;
    (void)kind;
    *handle = (void *)(uintptr_t)packed->handles[position].handle;
    return YOKE_OK;
}

static yoke_variant *received(yoke_args *args, const yoke_item *item)
{
    yoke__packed  packed;
    yoke_variant *variant;
    assert_int_equal(yoke__pack(&packed, item), YOKE_OK);
    assert_int_equal(yoke__unpack(&variant, packed.data, packed.size, open_handle, &packed), YOKE_OK);
    assert_int_equal(yoke__args_init(args, variant), YOKE_OK);
    yoke__packed_free(&packed);
    return variant;
}

struct point {
    double x, y;
};

static void every_kind_is_read_by_its_accessor(void **state)
{
    (void)state;
    yoke_args     args;
    yoke_lock    *lock;
    struct point  point = {1.5, 2.5};
    size_t        size;
    yoke_variant *variant;
    assert_int_equal(yoke_lock_create(&lock, NULL), YOKE_OK);
    variant = received(&args, YOKE_ARGS(-5, UINT64_MAX, (bool)true, 2.5, "text", YOKE_BYTES("ab", 2),
                                        YOKE_STRUCT(point), YOKE_LIST(1, 2), lock));
    assert_int_equal(yoke_args_count(&args), 9);
    assert_int_equal(yoke_args_int(&args, 0), -5);
    assert_int_equal(yoke_args_int64(&args, 0), -5);
    assert_true(yoke_args_uint64(&args, 1) == UINT64_MAX);
    assert_true(yoke_args_size(&args, 1) == SIZE_MAX || sizeof(size_t) < 8);
    assert_true(yoke_args_bool(&args, 2));
    assert_int_equal(yoke_args_int(&args, 2), 1);
    assert_true(yoke_args_double(&args, 3) > 2.4);
    assert_true(yoke_args_double(&args, 0) < -4.9);
    assert_string_equal(yoke_args_string(&args, 4), "text");
    assert_memory_equal(yoke_args_bytes(&args, 5, &size), "ab", 2);
    assert_int_equal(size, 2);
    const struct point *p = yoke_args_struct(&args, 6, sizeof *p);
    assert_int_equal((uintptr_t)p % _Alignof(struct point), 0);
    assert_true(p->y > 2.4);
    assert_int_equal(yoke_args_kind(&args, 7), YOKE_LIST_KIND);
    assert_int_equal(yoke_variant_count(yoke_args_variant(&args, 7)), 2);
    assert_ptr_equal(yoke_args_lock(&args, 8), lock);
    yoke_variant_free(variant); /* closes the lock */
}

static void integers_of_any_kind_fit_where_their_value_does(void **state)
{
    (void)state;
    yoke_args     args;
    yoke_variant *variant = received(&args, YOKE_ARGS((uint8_t)200, (int64_t)INT_MAX, (unsigned long long)7, 1, 0u));
    assert_int_equal(yoke_args_int(&args, 0), 200);
    assert_int_equal(yoke_args_int(&args, 1), INT_MAX);
    assert_int_equal(yoke_args_int64(&args, 2), 7);
    assert_int_equal(yoke_args_uint64(&args, 1), INT_MAX);
    assert_true(yoke_args_bool(&args, 3));
    assert_false(yoke_args_bool(&args, 4));
    yoke_variant_free(variant);
}

static void arguments_are_a_list(void **state)
{
    (void)state;
    yoke_args args;
    assert_int_equal(yoke__args_init(&args, NULL), YOKE_EINVAL);
}

/* ---- what ends the process: in a child, whose sentence comes through standard error --------------------------------------- */

typedef void misreading(const yoke_args *args);

static void past_the_end(const yoke_args *args)
{
    (void)yoke_args_int(args, 5);
}
static void text_as_integer(const yoke_args *args)
{
    (void)yoke_args_int(args, 0);
}
static void integer_as_text(const yoke_args *args)
{
    (void)yoke_args_string(args, 1);
}
static void too_large_for_int(const yoke_args *args)
{
    (void)yoke_args_int(args, 1);
}
static void negative_as_size(const yoke_args *args)
{
    (void)yoke_args_size(args, 2);
}
static void two_as_bool(const yoke_args *args)
{
    (void)yoke_args_bool(args, 4);
}
static void inexact_double(const yoke_args *args)
{
    (void)yoke_args_double(args, 3);
}
static void text_as_queue(const yoke_args *args)
{
    (void)yoke_args_queue(args, 0);
}
static void bytes_of_another_size(const yoke_args *args)
{
    (void)yoke_args_struct(args, 0, 7);
}
static void no_arguments_at_all(const yoke_args *args)
{
    (void)args;
    (void)yoke_args_count(NULL);
}

static void ends_with(misreading *misread, const char *sentence)
{
    int  ends[2], status;
    char text[1024];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        yoke_args args;
        dup2(ends[1], 2);
        received(&args, YOKE_ARGS("text", INT64_C(5000000000), -1, INT64_C(9007199254740993), 2));
        misread(&args);
        _exit(0);
    }
    close(ends[1]);
    size_t  used = 0;
    ssize_t got;
    while (used < sizeof text - 1 && (got = read(ends[0], text + used, sizeof text - 1 - used)) > 0)
        used += (size_t)got;
    text[used] = 0;
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
    if (!strstr(text, sentence))
        fail_msg("'%s' does not say '%s'", text, sentence);
}

static void a_wrong_index_kind_or_range_ends_the_process_with_a_sentence(void **state)
{
    (void)state;
    ends_with(past_the_end, "argument 5 was asked for, but there are only 5");
    ends_with(text_as_integer, "argument 0 is of the kind 'string', not 'integer'");
    ends_with(integer_as_text, "argument 1 is of the kind 'integer', not 'string'");
    ends_with(too_large_for_int, "argument 1 is 5000000000, which no int holds");
    ends_with(negative_as_size, "argument 2 is -1, which no size_t holds");
    ends_with(two_as_bool, "argument 4 is 2, which no bool holds");
    ends_with(inexact_double, "argument 3 is an integer that no double holds exactly");
    ends_with(text_as_queue, "argument 0 is of the kind 'string', not 'queue'");
    ends_with(bytes_of_another_size, "argument 0 has 4 bytes, not 7");
    ends_with(no_arguments_at_all, "the arguments are NULL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_read_by_its_accessor),
        cmocka_unit_test(integers_of_any_kind_fit_where_their_value_does),
        cmocka_unit_test(arguments_are_a_list),
        cmocka_unit_test(a_wrong_index_kind_or_range_ends_the_process_with_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
