/* Segments: sizes, names, users that close and users that die, passing, damage. */
#include "core/backend.h"
#include "core/memory/segment.h"
#include "core/memory/shm.h"
#include "support/child.h"
#include "support/leak.h"

#include <yoke/shm.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
// clang-format on

#define NAMED(text, how) YOKE_OPTIONS(yoke_shm_options, .name = (text), .mode = (how))

/* Tests run in parallel: names carry the process id. */
static const char *unique(const char *base)
{
    static char name[64];
    snprintf(name, sizeof name, "%s-%ld", base, (long)getpid());
    return name;
}

static bool name_is_there(const char *name)
{
    char        path[160];
    struct stat status;
    snprintf(path, sizeof path, "/dev/shm/yoke-%lu-+%s", (unsigned long)geteuid(), name);
    return stat(path, &status) == 0;
}

static void an_anonymous_segment_is_zero_and_of_the_exact_size(void **state)
{
    (void)state;
    yoke_shm *shm;
    assert_int_equal(yoke_shm_create(&shm, 100001, NULL), YOKE_OK);
    uint8_t *data = yoke_shm_data(shm);
    assert_int_equal(yoke_shm_size(shm), 100001);
    assert_int_equal((uintptr_t)data % (uintptr_t)sysconf(_SC_PAGESIZE), 0);
    assert_string_equal(yoke_shm_name(shm), "");
    for (size_t i = 0; i < 100001; i++)
        assert_int_equal(data[i], 0);
    data[100000] = 1;
    yoke_shm_close(shm);
    assert_null(yoke_shm_data(shm));
    assert_int_equal(yoke_last_error()->code, YOKE_EINVAL);
    assert_int_equal(yoke_shm_size(NULL), 0);
    yoke_shm_close(NULL);
}

static void bad_requests_are_refused(void **state)
{
    (void)state;
    yoke_shm *shm = NULL;
    char      long_name[64];
    memset(long_name, 'n', 63);
    long_name[63] = 0;
    assert_int_equal(yoke_shm_create(NULL, 1, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_shm_create(&shm, 0, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_shm_create(&shm, 1, NAMED("a/b", YOKE_CREATE)), YOKE_EINVAL);
    assert_int_equal(yoke_shm_create(&shm, 1, NAMED("", YOKE_CREATE)), YOKE_EINVAL);
    assert_int_equal(yoke_shm_create(&shm, 1, NAMED(long_name, YOKE_CREATE)), YOKE_EINVAL);
    assert_int_equal(yoke_shm_create(&shm, 0, NAMED("x", YOKE_CREATE)), YOKE_EINVAL);
    assert_int_equal(yoke_shm_create(&shm, 1, NAMED("x", (yoke_open_mode)9)), YOKE_EINVAL);
    assert_int_equal(yoke_shm_open(&shm, NULL), YOKE_EINVAL);
    assert_int_equal(yoke_shm_open(&shm, unique("nobody")), YOKE_ENOENT);
    assert_null(shm);
}

static void lack_of_memory_is_an_error_when_it_is_made(void **state)
{
    (void)state;
    yoke_shm *shm = NULL;
    assert_int_equal(yoke_shm_create(&shm, SIZE_MAX - 10, NULL), YOKE_ENOMEM);
    assert_int_equal(yoke_shm_create(&shm, (size_t)1 << 45, NULL), YOKE_ENOMEM);
    assert_int_equal(yoke_shm_create(&shm, (size_t)1 << 45, NAMED(unique("huge"), YOKE_CREATE)), YOKE_ENOMEM);
    assert_false(name_is_there(unique("huge")));
    assert_null(shm);
}

static void a_name_is_found_and_gone_with_its_last_user(void **state)
{
    (void)state;
    yoke_shm   *made, *found, *none = NULL;
    const char *name = unique("pair");
    assert_int_equal(yoke_shm_create(&made, 5000, NAMED(name, YOKE_CREATE)), YOKE_OK);
    assert_true(name_is_there(name));
    assert_int_equal(yoke_shm_create(&none, 5000, NAMED(name, YOKE_CREATE)), YOKE_EEXIST);
    assert_int_equal(yoke_shm_open(&found, name), YOKE_OK);
    assert_int_equal(yoke_shm_size(found), 5000);
    assert_string_equal(yoke_shm_name(found), name);
    strcpy(yoke_shm_data(made), "shared");
    assert_string_equal(yoke_shm_data(found), "shared");
    assert_int_equal(yoke_shm_create(&none, 6000, NAMED(name, YOKE_OPEN_OR_CREATE)), YOKE_EINVAL);
    assert_non_null(strstr(yoke_last_error()->text, "has 5000 bytes, not 6000"));
    yoke_shm_close(made);
    assert_true(name_is_there(name));
    assert_string_equal(yoke_shm_data(found), "shared");
    yoke_shm_close(found);
    assert_false(name_is_there(name));
    assert_int_equal(yoke_shm_open(&none, name), YOKE_ENOENT);
    assert_null(none);
}

/* ---- other processes -------------------------------------------------------------------------------------------------- */

static const char *program;

/* In the unrelated process. */
static int greet(const char *name)
{
    yoke_shm *shm;
    if (yoke_shm_open(&shm, name) < 0)
        return 3;
    if (strcmp(yoke_shm_data(shm), "hello") != 0)
        return 4;
    strcpy(yoke_shm_data(shm), "hello yourself");
    yoke_shm_close(shm);
    return 0;
}

static int run_greeting(void *user)
{
    execl(program, program, "--greet", (const char *)user, (char *)NULL);
    return errno;
}

static void an_unrelated_process_opens_it_by_name(void **state)
{
    (void)state;
    yoke_shm *shm;
    char      name[64];
    snprintf(name, sizeof name, "%s", unique("greeting"));
    assert_int_equal(yoke_shm_create(&shm, 100, NAMED(name, YOKE_CREATE)), YOKE_OK);
    strcpy(yoke_shm_data(shm), "hello");
    assert_int_equal(child_join(child_start(run_greeting, name)), 0);
    assert_string_equal(yoke_shm_data(shm), "hello yourself");
    assert_true(name_is_there(name));
    yoke_shm_close(shm);
    assert_false(name_is_there(name));
}

static int make_and_exit(void *user)
{
    yoke_shm *shm;
    CHILD_CHECK(yoke_shm_create(&shm, 4000, NAMED(user, YOKE_CREATE)) == YOKE_OK);
    exit(0); /* without closing it */
}

static void an_exit_in_good_order_leaves_no_name(void **state)
{
    (void)state;
    char name[64];
    snprintf(name, sizeof name, "%s", unique("exit"));
    assert_int_equal(child_join(child_start(make_and_exit, name)), 0);
    assert_false(name_is_there(name));
}

static int make_and_wait(void *user)
{
    yoke_shm *shm;
    CHILD_CHECK(yoke_shm_create(&shm, 4000, NAMED(user, YOKE_CREATE)) == YOKE_OK);
    memcpy(yoke_shm_data(shm), "old", 4);
    for (;;)
        pause();
    return 0;
}

static void what_the_dead_left_is_cleared_by_the_next(void **state)
{
    (void)state;
    yoke_shm *shm = NULL;
    char      name[64];
    if (getenv("YOKE_VALGRIND")) /* it has no pidfd_open: nobody could be known to be dead */
        skip();
    snprintf(name, sizeof name, "%s", unique("dead"));
    pid_t child = child_start(make_and_wait, name);
    while (yoke_shm_open(&shm, name) < 0)
        usleep(1000);
    yoke_shm_close(shm);
    shm = NULL;
    child_kill_unreaped(child); /* a zombie is dead too */
    assert_true(name_is_there(name));
    assert_int_equal(yoke_shm_open(&shm, name), YOKE_ENOENT);
    assert_false(name_is_there(name));
    (void)child_join(child);

    child = child_start(make_and_wait, name);
    while (!name_is_there(name) || yoke_shm_open(&shm, name) < 0)
        usleep(1000);
    yoke_shm_close(shm);
    child_kill(child);
    assert_int_equal(yoke_shm_create(&shm, 7, NAMED(name, YOKE_CREATE)), YOKE_OK);
    assert_int_equal(yoke_shm_size(shm), 7);
    assert_int_equal(*(char *)yoke_shm_data(shm), 0);
    yoke_shm_close(shm);
}

static void a_maker_killed_half_way_blocks_nobody(void **state)
{
    (void)state;
    yoke_memory memory;
    yoke_shm   *shm;
    const char *name = unique("half");
    char        full[YOKE__SEGMENT_FULL_NAME];
    yoke_native lock;

    yoke__segment_spec spec = {.owner = yoke__segment_self(), .size = 100};
    snprintf(spec.name, sizeof spec.name, "%s", name);
    yoke__segment_full_name(full, spec.owner, name);
    assert_int_equal(yoke__backend()->memory->name_lock(&lock, full), YOKE_OK);
    assert_int_equal(yoke__segment_make(&memory, &spec), YOKE_OK);
    yoke__a64_store_relaxed(&yoke__segment_of(&memory)->magic, 0); /* as if it had not come to that */
    yoke__backend()->memory->name_unlock(lock, full);
    yoke__backend()->memory->close(&memory);
    assert_int_equal(yoke_shm_create(&shm, 55, NAMED(name, YOKE_CREATE)), YOKE_OK);
    assert_int_equal(yoke_shm_size(shm), 55);
    yoke_shm_close(shm);
    assert_false(name_is_there(name));
}

static void damage(yoke__segment_header *header, int which)
{
    switch (which) {
    case 0:
        header->version = 77;
        break;
    case 1:
        header->total = UINT64_MAX / 2;
        break;
    case 2:
        header->data = header->total + 4096;
        break;
    case 3:
        header->size = header->total;
        break;
    case 4:
        header->user_count = 1u << 30;
        break;
    case 5:
        memset(header->name, 'x', sizeof header->name);
        break;
    case 6:
        header->users = 13;
        break;
    default:
        yoke__a64_store_relaxed(&header->magic, 42);
        break;
    }
}

static void a_damaged_or_foreign_segment_is_refused_and_kept(void **state)
{
    (void)state;
    const char *name = unique("damaged");
    for (int which = 0; which < 8; which++) {
        yoke_shm            *shm, *other = NULL;
        yoke__segment_header saved, *header;
        assert_int_equal(yoke_shm_create(&shm, 100, NAMED(name, YOKE_CREATE)), YOKE_OK);
        header = (yoke__segment_header *)(void *)((uint8_t *)yoke_shm_data(shm) - 4096 -
                                                  YOKE__SEGMENT_USERS * sizeof(yoke__segment_user));
        saved = *header;
        damage(header, which);
        assert_int_equal(yoke_shm_open(&other, name), YOKE_EPROTO);
        assert_int_equal(yoke_shm_create(&other, 100, NAMED(name, YOKE_OPEN_OR_CREATE)), YOKE_EPROTO);
        *header = saved;
        assert_int_equal(yoke_shm_open(&other, name), YOKE_OK);
        yoke_shm_close(other);
        yoke_shm_close(shm);
    }
}

/* ---- forks and passing -------------------------------------------------------------------------------------------------- */

static int use_inherited(void *user)
{
    yoke_shm *shm = user;
    CHILD_CHECK(strcmp(yoke_shm_data(shm), "from parent") == 0); /* becomes a user */
    strcpy(yoke_shm_data(shm), "from child");
    CHILD_CHECK(name_is_there(yoke_shm_name(shm)));
    yoke_shm_close(shm);
    return 0;
}

static void a_forked_child_is_a_user_of_its_own(void **state)
{
    (void)state;
    yoke_shm   *shm;
    const char *name = unique("forked");
    assert_int_equal(yoke_shm_create(&shm, 100, NAMED(name, YOKE_CREATE)), YOKE_OK);
    strcpy(yoke_shm_data(shm), "from parent");
    assert_int_equal(child_join(child_start(use_inherited, shm)), 0);
    assert_string_equal(yoke_shm_data(shm), "from child");
    assert_true(name_is_there(name)); /* the child's closing was the child's only */
    yoke_shm_close(shm);
    assert_false(name_is_there(name));
}

static void what_is_passed_keeps_its_name_until_it_arrives(void **state)
{
    (void)state;
    yoke_shm         *given, *arrived;
    const char       *name = unique("passed");
    yoke__shm_passage passed;
    assert_int_equal(yoke_shm_create(&given, 100, NAMED(name, YOKE_CREATE)), YOKE_OK);
    strcpy(yoke_shm_data(given), "cargo");
    assert_int_equal(yoke__shm_pass(&passed, given), YOKE_OK);
    assert_int_equal(yoke__backend()->process->native_duplicate(&passed.native, passed.native), YOKE_OK);
    yoke_shm_close(given);
    assert_true(name_is_there(name)); /* in flight */
    assert_int_equal(yoke__shm_import(&arrived, &passed), YOKE_OK);
    assert_string_equal(yoke_shm_data(arrived), "cargo");
    assert_int_equal(yoke_shm_size(arrived), 100);
    yoke_shm_close(arrived);
    assert_false(name_is_there(name));

    assert_int_equal(yoke_shm_create(&given, 100, NAMED(name, YOKE_CREATE)), YOKE_OK);
    assert_int_equal(yoke__shm_pass(&passed, given), YOKE_OK);
    yoke__shm_stay(given, passed.flight);
    yoke_shm_close(given);
    assert_false(name_is_there(name));
}

static void an_anonymous_one_is_passed_by_its_native(void **state)
{
    (void)state;
    yoke_shm         *given, *arrived = NULL;
    yoke__shm_passage passed;
    assert_int_equal(yoke_shm_create(&given, 12345, NULL), YOKE_OK);
    strcpy(yoke_shm_data(given), "cargo");
    assert_int_equal(yoke__shm_pass(&passed, given), YOKE_OK);
    assert_int_equal(yoke__backend()->process->native_duplicate(&passed.native, passed.native), YOKE_OK);
    yoke_shm_close(given);
    assert_int_equal(yoke__shm_import(&arrived, &passed), YOKE_OK);
    assert_string_equal(yoke_shm_data(arrived), "cargo");
    assert_int_equal(yoke_shm_size(arrived), 12345);
    yoke_shm_close(arrived);
}

static void a_native_that_is_no_segment_is_refused_and_stays_the_callers(void **state)
{
    (void)state;
    yoke_memory memory;
    yoke_shm   *shm = NULL;
    assert_int_equal(yoke__backend()->memory->create(&memory, NULL, 65536, 65536, 0), YOKE_OK);
    const yoke__shm_passage passed = {.native = memory.handle};
    assert_int_equal(yoke__shm_import(&shm, &passed), YOKE_EPROTO);
    memcpy(memory.base, "not a segment", 13);
    assert_int_equal(yoke__shm_import(&shm, &passed), YOKE_EPROTO);
    uint64_t size;
    assert_int_equal(yoke__backend()->memory->size(&memory, &size), YOKE_OK);
    yoke__backend()->memory->close(&memory);
    assert_null(shm);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_anonymous_segment_is_zero_and_of_the_exact_size),
        cmocka_unit_test(bad_requests_are_refused),
        cmocka_unit_test(lack_of_memory_is_an_error_when_it_is_made),
        cmocka_unit_test(a_name_is_found_and_gone_with_its_last_user),
        cmocka_unit_test(an_unrelated_process_opens_it_by_name),
        cmocka_unit_test(an_exit_in_good_order_leaves_no_name),
        cmocka_unit_test(what_the_dead_left_is_cleared_by_the_next),
        cmocka_unit_test(a_maker_killed_half_way_blocks_nobody),
        cmocka_unit_test(a_damaged_or_foreign_segment_is_refused_and_kept),
        cmocka_unit_test(a_forked_child_is_a_user_of_its_own),
        cmocka_unit_test(what_is_passed_keeps_its_name_until_it_arrives),
        cmocka_unit_test(an_anonymous_one_is_passed_by_its_native),
        cmocka_unit_test(a_native_that_is_no_segment_is_refused_and_stays_the_callers),
    };
    program = argv[0];
    if (argc == 3 && strcmp(argv[1], "--greet") == 0)
        return greet(argv[2]);
    return cmocka_run_group_tests(tests, leak_setup, leak_teardown);
}
