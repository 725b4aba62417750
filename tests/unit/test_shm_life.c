/* How long segments live, and who may do what: reading only, staying, unlinking, reclaiming, many users, messages. */
#include "core/memory/segment.h"
#include "support/child.h"
#include "support/leak.h"

#include <yoke/yoke.h>

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMED(text, ...) YOKE_OPTIONS(yoke_shm_options, .name = (text), __VA_ARGS__)

/* Tests run in parallel: names carry the process id. */
static char name[64];

static void name_it(const char *base)
{
    snprintf(name, sizeof name, "%s-%ld", base, (long)getpid());
}

static bool name_is_there(void)
{
    char        path[160];
    struct stat status;
    snprintf(path, sizeof path, "/dev/shm/yoke-%lu-+%s", (unsigned long)geteuid(), name);
    return stat(path, &status) == 0;
}

static void assert_noted(int code, const char *sentence)
{
    assert_int_equal(yoke_last_error()->code, code);
    if (!strstr(yoke_last_error()->text, sentence))
        fail_msg("'%s' does not say '%s'", yoke_last_error()->text, sentence);
}

/* ---- reading only ------------------------------------------------------------------------------------------------ */

static int write_there(void *user)
{
    char *data = (char *)(uintptr_t)yoke_shm_data_const(user);
    (void)signal(SIGSEGV, SIG_DFL); /* a sanitizer's own would end it otherwise */
    *(volatile char *)data = 'x';
    return 0;
}

static void a_write_through_a_handle_for_reading_is_a_fault(void **state)
{
    (void)state;
    yoke_shm *made, *reader;
    name_it("reader");
    assert_int_equal(yoke_shm_create(&made, 10000, NAMED(name, .mode = YOKE_CREATE)), YOKE_OK);
    strcpy(yoke_shm_data(made), "readable");
    assert_int_equal(yoke_shm_create(&reader, 0, NAMED(name, .mode = YOKE_OPEN, .read_only = true)), YOKE_OK);
    assert_true(yoke_shm_is_read_only(reader) && !yoke_shm_is_read_only(made));
    assert_null(yoke_shm_data(reader));
    assert_noted(YOKE_EACCES, "yoke_shm_data_const()");
    assert_string_equal(yoke_shm_data_const(reader), "readable");
    assert_int_equal(child_join(child_start(write_there, reader)), 1000 + SIGSEGV);
    assert_int_equal(child_join(child_start(write_there, made)), 0);
    assert_string_equal(yoke_shm_data_const(reader), "xeadable");
    yoke_shm_close(made); /* the reader is a user too */
    assert_true(name_is_there());
    assert_string_equal(yoke_shm_data_const(reader), "xeadable");
    yoke_shm_close(reader);
    assert_false(name_is_there());
    assert_false(yoke_shm_is_read_only(reader));
}

/* ---- staying, and going ------------------------------------------------------------------------------------------ */

static int make_and_die(void *user)
{
    yoke_shm *shm;
    CHILD_CHECK(yoke_shm_create(&shm, 100, NAMED(name, .persist = user != NULL)) == YOKE_OK);
    strcpy(yoke_shm_data(shm), "left behind");
    (void)raise(SIGKILL);
    return 0;
}

static void what_is_made_to_stay_outlives_its_users(void **state)
{
    (void)state;
    yoke_shm *shm = NULL;
    name_it("stays");
    assert_int_equal(child_join(child_start(make_and_die, name)), 1000 + SIGKILL);
    assert_int_equal(yoke_shm_reclaim(name), 0);
    assert_int_equal(yoke_shm_create(&shm, 100, NAMED(name, .mode = YOKE_CREATE)), YOKE_EEXIST);
    assert_int_equal(yoke_shm_open(&shm, name), YOKE_OK);
    assert_string_equal(yoke_shm_data(shm), "left behind");
    yoke_shm_close(shm);
    assert_true(name_is_there());
    assert_int_equal(yoke_shm_create(&shm, 100, NAMED(name, .mode = YOKE_OPEN_OR_CREATE, .persist = true)), YOKE_OK);
    assert_int_equal(yoke_shm_unlink(name), YOKE_OK);
    assert_false(name_is_there());
    assert_string_equal(yoke_shm_data(shm), "left behind"); /* whoever uses it goes on */
    yoke_shm_close(shm);
    assert_int_equal(yoke_shm_unlink(name), YOKE_ENOENT);
}

static void persist_is_asked_for_when_it_is_made(void **state)
{
    (void)state;
    yoke_shm *shm, *other = NULL;
    name_it("plain");
    assert_int_equal(yoke_shm_create(&shm, 100, NAMED(name, .mode = YOKE_CREATE)), YOKE_OK);
    assert_int_equal(yoke_shm_create(&other, 0, NAMED(name, .mode = YOKE_OPEN, .persist = true)), YOKE_EINVAL);
    assert_noted(YOKE_EINVAL, "is there without `persist`");
    assert_int_equal(yoke_shm_create(&other, 10, YOKE_OPTIONS(yoke_shm_options, .persist = true)), YOKE_EINVAL);
    assert_noted(YOKE_EINVAL, "persist counts only with a name");
    assert_null(other);
    yoke_shm_close(shm);
}

static void unlinking_frees_the_name_while_users_go_on(void **state)
{
    (void)state;
    yoke_shm *old, *fresh;
    name_it("twice");
    assert_int_equal(yoke_shm_create(&old, 100, NAMED(name, .mode = YOKE_CREATE)), YOKE_OK);
    strcpy(yoke_shm_data(old), "old");
    assert_int_equal(yoke_shm_unlink(name), YOKE_OK);
    assert_int_equal(yoke_shm_create(&fresh, 200, NAMED(name, .mode = YOKE_CREATE)), YOKE_OK);
    strcpy(yoke_shm_data(fresh), "fresh");
    assert_string_equal(yoke_shm_data(old), "old");
    yoke_shm_close(old); /* takes no other's name away */
    assert_true(name_is_there());
    assert_string_equal(yoke_shm_data(fresh), "fresh");
    yoke_shm_close(fresh);
    assert_false(name_is_there());
    assert_int_equal(yoke_shm_unlink("no such/name"), YOKE_EINVAL);
    assert_int_equal(yoke_shm_unlink(NULL), YOKE_EINVAL);
}

static void a_remover_that_died_half_way_is_finished_by_the_next(void **state)
{
    (void)state;
    yoke_shm *shm, *next;
    name_it("half-gone");
    assert_int_equal(yoke_shm_create(&shm, 100, NAMED(name, .persist = true)), YOKE_OK);
    yoke__segment_header *header =
        (void *)((uint8_t *)yoke_shm_data(shm) - 4096 - YOKE__SEGMENT_USERS * sizeof(yoke__segment_user));
    yoke__a32_store_release(&header->gone, 1); /* as if it had not come to unlinking */
    assert_int_equal(yoke_shm_create(&next, 300, NAMED(name, .mode = YOKE_CREATE)), YOKE_OK);
    assert_int_equal(yoke_shm_size(next), 300);
    yoke_shm_close(shm);
    yoke_shm_close(next);
    assert_false(name_is_there());
}

static void what_the_killed_left_can_be_reclaimed(void **state)
{
    (void)state;
    yoke_shm *used;
    if (getenv("YOKE_VALGRIND")) /* it has no pidfd_open: nobody could be known to be dead */
        skip();
    name_it("reclaimed");
    assert_int_equal(child_join(child_start(make_and_die, NULL)), 1000 + SIGKILL);
    assert_true(name_is_there());
    assert_int_equal(yoke_shm_reclaim(name), 1);
    assert_false(name_is_there());
    assert_int_equal(yoke_shm_reclaim(name), YOKE_ENOENT);
    assert_int_equal(child_join(child_start(make_and_die, NULL)), 1000 + SIGKILL);
    assert_true(yoke_shm_reclaim(NULL) >= 0); /* another test that runs now may do it for us */
    assert_false(name_is_there());
    assert_int_equal(yoke_shm_create(&used, 100, NAMED(name, .mode = YOKE_CREATE)), YOKE_OK);
    assert_int_equal(yoke_shm_reclaim(name), 0);
    assert_true(yoke_shm_reclaim(NULL) >= 0);
    assert_true(name_is_there());
    yoke_shm_close(used);
    assert_int_equal(yoke_shm_reclaim("a/b"), YOKE_EINVAL);
}

static void what_is_no_segment_is_left_alone(void **state)
{
    (void)state;
    yoke_shm *shm;
    name_it("foreign");
    assert_int_equal(yoke_shm_create(&shm, 100, NAMED(name, .mode = YOKE_CREATE)), YOKE_OK);
    yoke__segment_header *header =
        (void *)((uint8_t *)yoke_shm_data(shm) - 4096 - YOKE__SEGMENT_USERS * sizeof(yoke__segment_user));
    yoke__a64_store_release(&header->magic, 42);
    assert_int_equal(yoke_shm_unlink(name), YOKE_EPROTO);
    assert_int_equal(yoke_shm_reclaim(name), YOKE_EPROTO);
    assert_true(yoke_shm_reclaim(NULL) >= 0);
    assert_true(name_is_there());
    yoke__a64_store_release(&header->magic, YOKE__SEGMENT_MAGIC);
    yoke_shm_close(shm);
    assert_false(name_is_there());
}

/* ---- users ------------------------------------------------------------------------------------------------------- */

static int open_and_die(void *user)
{
    yoke_shm *shm;
    (void)user;
    CHILD_CHECK(yoke_shm_open(&shm, name) == YOKE_OK);
    (void)raise(SIGKILL);
    return 0;
}

static void users_are_limited_and_the_dead_do_not_count(void **state)
{
    (void)state;
    yoke_shm *shm[3], *more = NULL;
    name_it("crowded");
    if (getenv("YOKE_VALGRIND")) /* it has no pidfd_open: nobody could be known to be dead */
        skip();
    assert_int_equal(yoke_shm_create(&shm[0], 100, NAMED(name, .max_users = 3)), YOKE_OK);
    assert_int_equal(yoke_shm_open(&shm[1], name), YOKE_OK);
    assert_int_equal(child_join(child_start(open_and_die, NULL)), 1000 + SIGKILL);
    assert_int_equal(yoke_shm_open(&shm[2], name), YOKE_OK); /* the dead one's place */
    assert_int_equal(yoke_shm_open(&more, name), YOKE_ENOMEM);
    assert_noted(YOKE_ENOMEM, "has 3 users already");
    assert_int_equal(yoke_shm_create(&more, 0, NAMED(name, .mode = YOKE_OPEN, .max_users = 4)), YOKE_EINVAL);
    assert_noted(YOKE_EINVAL, "is there for 3 users, not for 4");
    for (int i = 0; i < 3; i++)
        yoke_shm_close(shm[i]);
    assert_false(name_is_there());
    assert_int_equal(yoke_shm_create(&more, 10, NAMED(name, .max_users = 65537)), YOKE_EINVAL);
    assert_null(more);
}

static void a_thousand_handles_can_be_open(void **state)
{
    (void)state;
    static yoke_shm *shm[1000];
    int              made = 0;
    name_it("thousand");
    while (made < 1000 && yoke_shm_create(&shm[made], 10, NAMED(name, .mode = YOKE_OPEN_OR_CREATE)) == YOKE_OK)
        made++;
    assert_true(made == 1000 || (made > 200 && yoke_last_error()->native == EMFILE)); /* a descriptor each */
    while (made > 0)
        yoke_shm_close(shm[--made]);
    assert_false(name_is_there());
}

static void permissions_are_as_asked_for(void **state)
{
    (void)state;
    yoke_shm   *shm;
    char        path[160];
    struct stat status;
    mode_t      before = umask(077);
    name_it("group");
    assert_int_equal(yoke_shm_create(&shm, 100, NAMED(name, .permissions = 0660)), YOKE_OK);
    (void)umask(before);
    snprintf(path, sizeof path, "/dev/shm/yoke-%lu-+%s", (unsigned long)geteuid(), name);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0660);
    yoke_shm_close(shm);
    assert_int_equal(yoke_shm_create(&shm, 100, NAMED(name, .permissions = 0644)), YOKE_EINVAL);
    assert_int_equal(yoke_shm_create(&shm, 100, NAMED(name, .permissions = 07777)), YOKE_EINVAL);
    assert_int_equal(yoke_shm_create(&shm, 100, YOKE_OPTIONS(yoke_shm_options, .permissions = 0660)), YOKE_EINVAL);
}

static void names_of_users_are_understood(void **state)
{
    (void)state;
    yoke_shm *shm, *same, *none = NULL;
    char      full[96];
    name_it("owned");
    assert_int_equal(yoke_shm_create(&shm, 100, NAMED(name, .mode = YOKE_CREATE)), YOKE_OK);
    snprintf(full, sizeof full, "%lu:%s", (unsigned long)geteuid(), name);
    assert_int_equal(yoke_shm_open(&same, full), YOKE_OK);
    assert_string_equal(yoke_shm_name(same), name);
    yoke_shm_close(same);
    yoke_shm_close(shm);
    snprintf(full, sizeof full, "%lu:%s", (unsigned long)geteuid() + 1, name);
    assert_int_equal(yoke_shm_open(&none, full), YOKE_ENOENT);
    assert_int_equal(yoke_shm_create(&none, 10, NAMED(full, .mode = YOKE_CREATE)), YOKE_EACCES);
    assert_noted(YOKE_EACCES, "can make the segment");
    assert_int_equal(yoke_shm_open(&none, "no-such-user-here:x"), YOKE_ENOENT);
    assert_int_equal(yoke_shm_open(&none, ":x"), YOKE_EINVAL);
    assert_int_equal(yoke_shm_open(&none, "1:"), YOKE_EINVAL);
    assert_null(none);
}

/* ---- messages ---------------------------------------------------------------------------------------------------- */

static void a_named_segment_travels_in_messages(void **state)
{
    (void)state;
    yoke_shm     *shm, *received;
    yoke_queue   *queue;
    yoke_variant *message;
    name_it("message");
    assert_int_equal(yoke_queue_create(&queue, NULL), YOKE_OK);
    assert_int_equal(yoke_shm_create(&shm, 100, NAMED(name, .mode = YOKE_CREATE)), YOKE_OK);
    strcpy(yoke_shm_data(shm), "cargo");
    for (int i = 0; i < 2; i++)
        assert_int_equal(yoke_queue_put_variant(queue, YOKE_ARGS("segment", shm), YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_get_variant(queue, &message, YOKE_NOWAIT), YOKE_OK);
    received = yoke_variant_take_shm(yoke_variant_at(message, 1));
    yoke_variant_free(message);
    yoke_shm_close(shm);
    assert_string_equal(yoke_shm_data(received), "cargo");
    assert_string_equal(yoke_shm_name(received), name);
    yoke_shm_close(received);
    assert_int_equal(yoke_queue_get_variant(queue, &message, YOKE_NOWAIT), YOKE_ENOENT); /* nobody kept it */
    assert_noted(YOKE_ENOENT, "there is no segment");
    assert_int_equal(yoke_shm_create(&shm, 100, NULL), YOKE_OK);
    assert_int_equal(yoke_queue_put_variant(queue, YOKE_ARGS(shm), YOKE_NOWAIT), YOKE_ENOTSUP);
    assert_noted(YOKE_ENOTSUP, "a segment without a name");
    yoke_shm_close(shm);
    yoke_queue_close(queue);
}

static void another_segment_of_that_name_is_not_taken_for_it(void **state)
{
    (void)state;
    yoke_shm     *shm;
    yoke_queue   *queue;
    yoke_variant *message;
    name_it("another");
    assert_int_equal(yoke_queue_create(&queue, NULL), YOKE_OK);
    assert_int_equal(yoke_shm_create(&shm, 100, NAMED(name, .read_only = true)), YOKE_OK);
    assert_int_equal(yoke_queue_put_variant(queue, YOKE_ARGS(shm), YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_put_variant(queue, YOKE_ARGS(shm), YOKE_NOWAIT), YOKE_OK);
    assert_int_equal(yoke_queue_get_variant(queue, &message, YOKE_NOWAIT), YOKE_OK);
    assert_true(yoke_shm_is_read_only(yoke_variant_shm(yoke_variant_at(message, 0))));
    yoke_variant_free(message);
    yoke_shm_close(shm);
    assert_int_equal(yoke_shm_create(&shm, 100, NAMED(name, .mode = YOKE_CREATE)), YOKE_OK);
    assert_int_equal(yoke_queue_get_variant(queue, &message, YOKE_NOWAIT), YOKE_ENOENT);
    assert_noted(YOKE_ENOENT, "that was meant is gone, another has its name");
    yoke_shm_close(shm);
    yoke_queue_close(queue);
}

static int settle(void **state)
{
    yoke_queue *queue; /* the default domain, and what a queue needs, live as long as the process */
    if (yoke_queue_create(&queue, NULL) < 0)
        return -1;
    yoke_queue_close(queue);
    return leak_setup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_through_a_handle_for_reading_is_a_fault),
        cmocka_unit_test(what_is_made_to_stay_outlives_its_users),
        cmocka_unit_test(persist_is_asked_for_when_it_is_made),
        cmocka_unit_test(unlinking_frees_the_name_while_users_go_on),
        cmocka_unit_test(a_remover_that_died_half_way_is_finished_by_the_next),
        cmocka_unit_test(what_the_killed_left_can_be_reclaimed),
        cmocka_unit_test(what_is_no_segment_is_left_alone),
        cmocka_unit_test(users_are_limited_and_the_dead_do_not_count),
        cmocka_unit_test(a_thousand_handles_can_be_open),
        cmocka_unit_test(permissions_are_as_asked_for),
        cmocka_unit_test(names_of_users_are_understood),
        cmocka_unit_test(a_named_segment_travels_in_messages),
        cmocka_unit_test(another_segment_of_that_name_is_not_taken_for_it),
    };
    return cmocka_run_group_tests(tests, settle, leak_teardown);
}
