/* Starting: what a child is given. */
#include "support/process.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct point {
    int    x;
    double y;
} point;

/* ---- arguments ---- */

static int count_arguments(const yoke_args *args)
{
    return (int)yoke_args_count(args);
}

static int check_plain(const yoke_args *args)
{
    size_t       size;
    const point *p = yoke_args_struct(args, 8, sizeof *p);

    if (!yoke_args_bool(args, 0) || yoke_args_int(args, 1) != -5 || yoke_args_uint64(args, 2) != UINT64_MAX)
        return 1;
    if (yoke_args_double(args, 3) != 2.5 || strcmp(yoke_args_string(args, 4), "text") != 0)
        return 2;
    if (memcmp(yoke_args_bytes(args, 5, &size), "a\0b", 3) != 0 || size != 3)
        return 3;
    if (yoke_args_kind(args, 6) != YOKE_NIL_KIND || yoke_args_int64(args, 7) != INT64_MIN)
        return 4;
    return p->x == 3 && p->y == 0.25 ? 0 : 5;
}

static void plain_arguments_arrive(void **state)
{
    point p = {3, 0.25};

    (void)state;
    yoke_result result = result_of(
        check_plain,
        YOKE_ARGS(true, -5, UINT64_MAX, 2.5, "text", YOKE_BYTES("a\0b", 3), YOKE_NIL, INT64_MIN, YOKE_STRUCT(p)), NULL);
    assert_int_equal(result.how, YOKE_RETURNED);
    assert_int_equal(result.code, 0);
}

static void none_and_many_arguments_arrive(void **state)
{
    (void)state;
    assert_int_equal(result_of(count_arguments, NULL, NULL).code, 0);
    assert_int_equal(result_of(count_arguments, YOKE_ARGS(), NULL).code, 0);
    assert_int_equal(result_of(count_arguments,
                               YOKE_ARGS(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22,
                                         23, 24, 25, 26, 27, 28, 29, 30, 31, 32),
                               NULL)
                         .code,
                     32);
}

static int check_nested(const yoke_args *args)
{
    char text[128];

    YOKE_TRY(yoke_variant_format(yoke_args_variant(args, 0), text, sizeof text, NULL));
    return strcmp(text, "[1, ['two', [3.5, None]], []]") == 0 ? 0 : 1;
}

static void nested_lists_arrive(void **state)
{
    (void)state;
    yoke_result result =
        result_of(check_nested, YOKE_ARGS(YOKE_LIST(1, YOKE_LIST("two", YOKE_LIST(3.5, YOKE_NIL)), YOKE_LIST())), NULL);
    assert_int_equal(result.code, 0);
}

static int sum_bytes(const yoke_args *args)
{
    size_t         size;
    const uint8_t *data = yoke_args_bytes(args, 0, &size);
    uint64_t       sum = 0;

    for (size_t i = 0; i < size; i++)
        sum += data[i];
    return sum == yoke_args_uint64(args, 1) ? 0 : 1;
}

static void megabytes_of_arguments_arrive(void **state)
{
    size_t   size = 5000000;
    uint8_t *data = malloc(size);
    uint64_t sum = 0;

    (void)state;
    assert_non_null(data);
    for (size_t i = 0; i < size; i++)
        sum += data[i] = (uint8_t)(i * 7);
    assert_int_equal(result_of(sum_bytes, YOKE_ARGS(YOKE_BYTES(data, size), sum), NULL).code, 0);
    free(data);
}

static int answer(const yoke_args *args)
{
    char line[32];

    YOKE_TRY(yoke_queue_get_string(yoke_args_queue(args, 0), line, sizeof line, YOKE_FOREVER));
    return yoke_queue_put_format(yoke_args_queue(args, 1), YOKE_FOREVER, "%s yourself", line);
}

static void queues_are_the_same_in_the_child(void **state)
{
    yoke_queue *to, *from;
    char        line[32];

    (void)state;
    assert_ok(yoke_queue_create(&to, NULL));
    assert_ok(yoke_queue_create(&from, NULL));
    assert_ok(yoke_queue_put_string(to, "hello", YOKE_FOREVER));
    assert_int_equal(result_of(answer, YOKE_ARGS(to, from), NULL).code, 0);
    assert_ok(yoke_queue_get_string(from, line, sizeof line, YOKE_NOWAIT));
    assert_string_equal(line, "hello yourself");
    yoke_queue_close(to);
    yoke_queue_close(from);
}

static int put_after_a_while(const yoke_args *args)
{
    char line[8];

    YOKE_TRY(yoke_queue_get_string(yoke_args_queue(args, 0), line, sizeof line, YOKE_FOREVER));
    return strcmp(line, "go") == 0 && yoke_queue_size(yoke_args_queue(args, 1)) == 1 ? 0 : 1;
}

/* The record keeps it while the child starts, the child from then on. */
static void object_outlives_its_makers_handle(void **state)
{
    yoke_queue   *go, *full;
    yoke_process *process;

    (void)state;
    assert_ok(yoke_queue_create(&go, NULL));
    assert_ok(yoke_queue_create(&full, NULL));
    assert_ok(yoke_queue_put_string(full, "x", YOKE_FOREVER));
    assert_ok(yoke_process_start(&process, put_after_a_while, YOKE_ARGS(go, YOKE_LIST(), full), NULL));
    yoke_queue_close(full);
    assert_ok(yoke_queue_put_string(go, "go", YOKE_FOREVER));
    assert_int_equal(finish(process).how, YOKE_BAD_ARGUMENTS); /* argument 1 is the list */
    assert_ok(yoke_queue_create(&full, NULL));
    assert_ok(yoke_queue_put_string(full, "x", YOKE_FOREVER));
    assert_ok(yoke_process_start(&process, put_after_a_while, YOKE_ARGS(go, full), NULL));
    yoke_queue_close(full);
    assert_ok(yoke_queue_put_string(go, "go", YOKE_FOREVER));
    assert_int_equal(finish(process).code, 0);
    yoke_queue_close(go);
}

static int echo(const yoke_args *args)
{
    yoke_conn *conn = yoke_args_conn(args, 0);
    char       line[64];

    YOKE_TRY(yoke_conn_recv_string(conn, line, sizeof line, YOKE_FOREVER));
    YOKE_TRY(yoke_conn_send_format(conn, YOKE_FOREVER, "%s, %s", line, line));
    return yoke_conn_recv_string(conn, line, sizeof line, YOKE_FOREVER) == YOKE_EEOF ? 0 : 1;
}

static void connection_moves_to_the_child(void **state)
{
    yoke_conn    *ours, *theirs;
    yoke_process *process;
    char          line[64];

    (void)state;
    assert_ok(yoke_pipe_create(&ours, &theirs, NULL));
    assert_ok(yoke_process_start(&process, echo, YOKE_ARGS(theirs), NULL));
    assert_fails(yoke_conn_send_string(theirs, "mine?", YOKE_FOREVER), YOKE_EMOVED, "");
    yoke_conn_close(theirs);
    assert_ok(yoke_conn_send_string(ours, "ping", YOKE_FOREVER));
    assert_ok(yoke_conn_recv_string(ours, line, sizeof line, YOKE_FOREVER));
    assert_string_equal(line, "ping, ping");
    yoke_conn_close(ours);
    assert_int_equal(finish(process).code, 0);
}

/* What was read ahead goes along. */
static void unread_messages_move_with_the_connection(void **state)
{
    yoke_conn    *ours, *theirs;
    yoke_process *process;
    char          line[64];

    (void)state;
    assert_ok(yoke_pipe_create(&ours, &theirs, NULL));
    assert_ok(yoke_conn_send_string(ours, "one", YOKE_FOREVER));
    assert_ok(yoke_conn_send_string(ours, "two", YOKE_FOREVER));
    assert_ok(yoke_conn_recv_string(theirs, line, sizeof line, YOKE_FOREVER));
    assert_ok(yoke_process_start(&process, echo, YOKE_ARGS(YOKE_GIVE(theirs)), NULL));
    assert_ok(yoke_conn_recv_string(ours, line, sizeof line, YOKE_FOREVER));
    assert_string_equal(line, "two, two");
    yoke_conn_close(ours);
    assert_int_equal(finish(process).code, 0);
}

static int use_named(const yoke_args *args)
{
    yoke_queue *other;

    YOKE_TRY(yoke_queue_put_string(yoke_args_queue(args, 0), "by handle", YOKE_FOREVER));
    YOKE_TRY(yoke_queue_open(&other, yoke_args_domain(args, 1), "by-name"));
    YOKE_TRY(yoke_queue_put_string(other, "by name", YOKE_FOREVER));
    yoke_queue_close(other);
    return 0;
}

static void objects_of_named_domains_arrive(void **state)
{
    yoke_domain *domain;
    yoke_queue  *anonymous, *named;
    char         name[64], line[32];

    (void)state;
    snprintf(name, sizeof name, "test-process-start-%d", (int)getpid());
    assert_ok(yoke_domain_open(&domain, name, NULL));
    assert_ok(yoke_queue_create(&anonymous, YOKE_OPTIONS(yoke_queue_options, .domain = domain)));
    assert_ok(yoke_queue_create(&named, YOKE_OPTIONS(yoke_queue_options, .domain = domain, .name = "by-name")));
    yoke_result result = result_of(use_named, YOKE_ARGS(anonymous, domain), NULL);
    assert_string_equal(result.text, "");
    assert_int_equal(result.code, 0);
    assert_ok(yoke_queue_get_string(anonymous, line, sizeof line, YOKE_NOWAIT));
    assert_string_equal(line, "by handle");
    assert_ok(yoke_queue_get_string(named, line, sizeof line, YOKE_NOWAIT));
    assert_string_equal(line, "by name");
    yoke_queue_close(anonymous);
    yoke_queue_close(named);
    yoke_domain_close(domain);
}

/* ---- functions ---- */

static int by_name(const yoke_args *args)
{
    return yoke_args_int(args, 0) * 2;
}

static void registered_function_is_found_by_name(void **state)
{
    yoke_process *process;

    (void)state;
    assert_ok(yoke_process_start_named(&process, "by name", YOKE_ARGS(21), NULL));
    assert_int_equal(finish(process).code, 42);
}

static void unknown_name_is_told(void **state)
{
    yoke_process *process;

    (void)state;
    if (method_under_test() == YOKE_START_FORK) {
        assert_fails(yoke_process_start_named(&process, "nobody", NULL, NULL), YOKE_ENOENT, "nobody");
        return;
    }
    assert_ok(yoke_process_start_named(&process, "nobody", NULL, NULL));
    yoke_result result = finish(process);
    assert_int_equal(result.how, YOKE_NOT_STARTED);
    assert_int_equal(result.error, YOKE_ENOENT);
    assert_non_null(strstr(result.text, "nobody"));
}

static void function_of_a_shared_library_runs(void **state)
{
    (void)state;
    void *module = dlopen(YOKE_TEST_MODULES "/started.so", RTLD_NOW | RTLD_LOCAL);
    assert_non_null(module);
    yoke_function *started;
    *(void **)&started = dlsym(module, "started");
    assert_non_null(started);
    yoke_result result = result_of(started, YOKE_ARGS(9), NULL);
    assert_string_equal(result.text, "");
    assert_int_equal(result.code, 10);
    dlclose(module);
}

/* ---- names ---- */

static int check_names(const yoke_args *args)
{
    const yoke_process *me = yoke_process_current(), *parent = yoke_process_parent();

    if (strcmp(yoke_process_name(me), yoke_args_string(args, 0)) != 0 || yoke_process_pid(me) != getpid())
        return 1;
    if (strcmp(yoke_process_name(parent), "MainProcess") != 0 || yoke_process_pid(parent) != yoke_args_int64(args, 1))
        return 2;
    return yoke_process_is_alive(parent) && yoke_process_is_alive(me) && !yoke_process_is_daemon(me) ? 0 : 3;
}

static void child_knows_itself_and_its_parent(void **state)
{
    (void)state;
    assert_null(yoke_process_parent());
    assert_string_equal(yoke_process_name(yoke_process_current()), "MainProcess");
    assert_int_equal(yoke_process_pid(yoke_process_current()), getpid());
    yoke_result result = result_of(check_names, YOKE_ARGS("a worker", getpid()),
                                   YOKE_OPTIONS(yoke_process_options, .name = "a worker"));
    assert_int_equal(result.code, 0);
}

static int number_of(const char *name)
{
    assert_int_equal(strncmp(name, "Process-", 8), 0);
    return atoi(name + 8);
}

static void default_names_count_up(void **state)
{
    yoke_process *a, *b;

    (void)state;
    yoke_process *failed;

    assert_ok(yoke_process_start(&a, count_arguments, NULL, NULL));
    assert_fails(yoke_process_start(&failed, count_arguments, YOKE_ARGS((yoke_queue *)(void *)a), NULL), YOKE_EINVAL,
                 "process, not a queue"); /* uses up no number */
    assert_ok(yoke_process_start(&b, count_arguments, NULL, NULL));
    assert_int_equal(number_of(yoke_process_name(b)), number_of(yoke_process_name(a)) + 1);
    assert_true(yoke_process_pid(a) > 0);
    (void)finish(a);
    (void)finish(b);
}

int main(int argc, char **argv)
{
    (void)yoke_register("by name", by_name);
    yoke_main(argc, argv);
    const struct CMUnitTest starts[] = {
        cmocka_unit_test(plain_arguments_arrive),
        cmocka_unit_test(none_and_many_arguments_arrive),
        cmocka_unit_test(nested_lists_arrive),
        cmocka_unit_test(megabytes_of_arguments_arrive),
        cmocka_unit_test(queues_are_the_same_in_the_child),
        cmocka_unit_test(object_outlives_its_makers_handle),
        cmocka_unit_test(connection_moves_to_the_child),
        cmocka_unit_test(unread_messages_move_with_the_connection),
        cmocka_unit_test(objects_of_named_domains_arrive),
        cmocka_unit_test(registered_function_is_found_by_name),
        cmocka_unit_test(unknown_name_is_told),
        cmocka_unit_test(function_of_a_shared_library_runs),
        cmocka_unit_test(child_knows_itself_and_its_parent),
        cmocka_unit_test(default_names_count_up),
    };
    return run_under_methods(starts);
}
