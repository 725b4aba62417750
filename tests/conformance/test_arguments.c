/* Every kind of handle as an argument, plain and nested, under every start method; and segments above all. */
#include "support/process.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool name_is_there(const char *name)
{
    char        path[160];
    struct stat status;
    snprintf(path, sizeof path, "/dev/shm/yoke-%lu-+%s", (unsigned long)geteuid(), name);
    return stat(path, &status) == 0;
}

static const char *unique(void)
{
    static char name[64];
    static int  count;
    snprintf(name, sizeof name, "arguments-%ld-%d", (long)getpid(), ++count);
    return name;
}

/* ---- all kinds ---- */

static int use_every_handle(const yoke_args *args)
{
    yoke_queue *queue = yoke_args_queue(args, 0), *found;
    yoke_lock  *lock = yoke_args_lock(args, 1);
    yoke_array *array = yoke_args_array(args, 3);

    YOKE_TRY(yoke_lock_acquire(lock, YOKE_NOWAIT));
    YOKE_TRY(yoke_lock_release(lock));
    YOKE_TRY(yoke_value_add(yoke_args_value(args, 2), 2, NULL));
    *YOKE_ARRAY_AT(array, double, 1) = 2.5;
    YOKE_TRY(yoke_lock_acquire(yoke_array_lock(array), YOKE_NOWAIT));
    YOKE_TRY(yoke_lock_release(yoke_array_lock(array)));
    strcpy(yoke_shm_data(yoke_args_shm(args, 4)), "child was here");
    YOKE_TRY(yoke_conn_send_string(yoke_args_conn(args, 5), "sent", YOKE_FOREVER));
    YOKE_TRY(yoke_queue_open(&found, yoke_args_domain(args, 6), "in_the_domain"));
    YOKE_TRY(yoke_queue_put_string(found, "found", YOKE_FOREVER));
    yoke_queue_close(found);
    return yoke_queue_put_string(queue, "put", YOKE_FOREVER);
}

static void every_kind_of_handle_is_the_same_in_the_child(void **state)
{
    yoke_queue  *queue, *inside;
    yoke_lock   *lock;
    yoke_value  *value;
    yoke_array  *array;
    yoke_shm    *shm;
    yoke_conn   *ours, *theirs;
    yoke_domain *domain;
    char         text[32];

    (void)state;
    assert_int_equal(yoke_domain_open(&domain, unique(), YOKE_OPTIONS(yoke_domain_options, .mode = YOKE_CREATE)), 0);
    assert_int_equal(
        yoke_queue_create(&inside, YOKE_OPTIONS(yoke_queue_options, .domain = domain, .name = "in_the_domain")), 0);
    assert_int_equal(yoke_queue_create(&queue, NULL), 0);
    assert_int_equal(yoke_lock_create(&lock, NULL), 0);
    assert_int_equal(YOKE_VALUE_CREATE(&value, int, 40, NULL), 0);
    assert_int_equal(YOKE_ARRAY_CREATE(&array, double, 2, NULL, NULL), 0);
    assert_int_equal(yoke_shm_create(&shm, 100, NULL), 0);
    assert_int_equal(yoke_pipe_create(&ours, &theirs, NULL), 0);

    yoke_result result = result_of(use_every_handle,
                                   YOKE_ARGS(queue, lock, value, array, shm, YOKE_GIVE(theirs), domain), NULL);
    assert_string_equal(result.text, "");
    assert_int_equal(result.how, YOKE_RETURNED);
    assert_int_equal(result.code, 0);
    assert_int_equal(*YOKE_VALUE(value, int), 42);
    assert_true(YOKE_ARRAY(array, double)[1] > 2.4);
    assert_string_equal(yoke_shm_data(shm), "child was here");
    assert_int_equal(yoke_conn_recv_string(ours, text, sizeof text, 1000), 0);
    assert_int_equal(yoke_queue_get_string(queue, text, sizeof text, YOKE_NOWAIT), 0);
    assert_int_equal(yoke_queue_get_string(inside, text, sizeof text, YOKE_NOWAIT), 0);
    assert_string_equal(text, "found");

    yoke_conn_close(ours);
    yoke_shm_close(shm);
    yoke_array_close(array);
    yoke_value_close(value);
    yoke_lock_close(lock);
    yoke_queue_close(queue);
    yoke_queue_close(inside);
    yoke_domain_close(domain);
}

/* ---- nested ---- */

static int use_nested(const yoke_args *args)
{
    const yoke_variant *list = yoke_args_variant(args, 0), *map = yoke_variant_at(list, 2);
    yoke_value         *value = yoke_variant_value(yoke_variant_find(map, "value"));
    yoke_shm           *shm = yoke_variant_shm(yoke_variant_at(yoke_variant_at(list, 1), 0));

    if (!value || !shm)
        return yoke_last_error()->code;
    strcpy(yoke_shm_data(shm), "deep");
    return yoke_value_add(value, 1, NULL);
}

static void handles_in_lists_and_maps_arrive(void **state)
{
    yoke_value *value;
    yoke_shm   *shm;

    (void)state;
    assert_int_equal(YOKE_VALUE_CREATE(&value, int, 0, NULL), 0);
    assert_int_equal(yoke_shm_create(&shm, 100, NULL), 0);
    yoke_result result = result_of(use_nested,
                                   YOKE_ARGS(YOKE_LIST(1, YOKE_LIST(shm), YOKE_MAP("other", 2, "value", value))), NULL);
    assert_int_equal(result.code, 0);
    assert_int_equal(*YOKE_VALUE(value, int), 1);
    assert_string_equal(yoke_shm_data(shm), "deep");
    yoke_shm_close(shm);
    yoke_value_close(value);
}

/* ---- segments ---- */

static int answer_from_segment(const yoke_args *args)
{
    yoke_shm   *shm = yoke_args_shm(args, 0), *again;
    const char *name = yoke_shm_name(shm);

    if (*name) { /* it keeps its name for as long as this process uses it */
        YOKE_TRY(yoke_shm_open(&again, name));
        yoke_shm_close(again);
    }
    return yoke_queue_put(yoke_args_queue(args, 1), yoke_shm_data(shm), yoke_shm_size(shm), YOKE_FOREVER);
}

static void pass_and_close(const char *name)
{
    yoke_shm     *shm;
    yoke_queue   *queue;
    yoke_process *process;
    yoke_result   result = {.struct_size = sizeof result};
    char          text[10];

    assert_int_equal(yoke_queue_create(&queue, NULL), 0);
    assert_int_equal(yoke_shm_create(&shm, sizeof text, YOKE_OPTIONS(yoke_shm_options, .name = name)), 0);
    strcpy(yoke_shm_data(shm), "contents");
    assert_int_equal(yoke_process_start(&process, answer_from_segment, YOKE_ARGS(shm, queue), NULL), 0);
    yoke_shm_close(shm); /* perhaps before the child has it */
    assert_int_equal(yoke_process_finish(process, &result, YOKE_FOREVER), 0);
    assert_string_equal(result.text, "");
    assert_int_equal(result.code, 0);
    assert_int_equal(yoke_queue_get(queue, text, sizeof text, NULL, YOKE_NOWAIT), 0);
    assert_string_equal(text, "contents");
    yoke_queue_close(queue);
}

static void an_anonymous_segment_outlives_its_makers_handle(void **state)
{
    (void)state;
    pass_and_close(NULL);
}

static void a_named_segment_keeps_its_name_on_its_way_and_loses_it_at_last(void **state)
{
    const char *name = unique();

    (void)state;
    pass_and_close(name);
    assert_false(name_is_there(name));
}

static void a_start_that_fails_leaves_segments_as_they_were(void **state)
{
    yoke_shm     *shm;
    yoke_process *process;
    const char   *name = unique();

    (void)state;
    assert_int_equal(yoke_shm_create(&shm, 10, YOKE_OPTIONS(yoke_shm_options, .name = name)), 0);
    assert_true(yoke_process_start(&process, answer_from_segment, YOKE_ARGS(shm, (yoke_queue *)NULL), NULL) < 0);
    assert_true(yoke_process_start(&process, answer_from_segment, YOKE_ARGS(shm, YOKE_GIVE(shm)), NULL) < 0);
    assert_string_equal(yoke_shm_name(shm), name);
    yoke_shm_close(shm);
    assert_false(name_is_there(name));
}

/* ---- lists, and segments that are not to be written ---- */

static int read_segment_and_set_list(const yoke_args *args)
{
    yoke_shm *shm = yoke_args_shm(args, 0);

    if (!yoke_shm_is_read_only(shm) || yoke_shm_data(shm) || strcmp(yoke_shm_data_const(shm), "read me") != 0)
        return -100;
    return YOKE_SHAREABLE_SET(yoke_args_shareable(args, 1), 0, (const char *)yoke_shm_data_const(shm));
}

static void a_segment_opened_for_reading_stays_so_in_the_child(void **state)
{
    yoke_shm       *shm, *reader;
    yoke_shareable *list;
    const char     *name = unique();
    char            text[16];

    (void)state;
    assert_int_equal(yoke_shm_create(&shm, 100, YOKE_OPTIONS(yoke_shm_options, .name = name)), 0);
    assert_int_equal(
        yoke_shm_create(&reader, 0, YOKE_OPTIONS(yoke_shm_options, .name = name, .mode = YOKE_OPEN, .read_only = true)),
        0);
    assert_int_equal(yoke_shareable_create(&list, YOKE_ARGS("7 bytes"), NULL), 0);
    strcpy(yoke_shm_data(shm), "read me");
    yoke_result result = result_of(read_segment_and_set_list, YOKE_ARGS(reader, list), NULL);
    assert_int_equal(result.how, YOKE_RETURNED);
    assert_int_equal(result.code, 0);
    assert_int_equal(yoke_shareable_get_string(list, 0, text, sizeof text, NULL), 0);
    assert_string_equal(text, "read me");
    yoke_shareable_close(list);
    yoke_shm_close(reader);
    yoke_shm_close(shm);
    assert_false(name_is_there(name)); /* what was on its way has arrived, and is gone with the child */
}

int main(int argc, char **argv)
{
    yoke_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_handle_is_the_same_in_the_child),
        cmocka_unit_test(handles_in_lists_and_maps_arrive),
        cmocka_unit_test(an_anonymous_segment_outlives_its_makers_handle),
        cmocka_unit_test(a_named_segment_keeps_its_name_on_its_way_and_loses_it_at_last),
        cmocka_unit_test(a_start_that_fails_leaves_segments_as_they_were),
        cmocka_unit_test(a_segment_opened_for_reading_stays_so_in_the_child),
    };
    return run_under_methods(tests);
}
