#include "process.h"

#include "core/domain/watch.h"
#include "leak.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MINUTE 60000

static yoke_start_method current;

yoke_start_method method_under_test(void)
{
    return current;
}

void assert_ok_(int code, const char *expression, const char *file, int line)
{
    if (code >= 0)
        return;
    print_error("%s: %s: %s\n", expression, yoke_error_name(code), yoke_last_error()->text);
    _fail(file, line);
}

void assert_fails_(int got, int code, const char *text, const char *expression, const char *file, int line)
{
    if (got == code && strstr(yoke_last_error()->text, text))
        return;
    print_error("%s: got %s (%s), expected %s with \"%s\"\n", expression, yoke_error_name(got), yoke_last_error()->text,
                yoke_error_name(code), text);
    _fail(file, line);
}

yoke_result finish(yoke_process *process)
{
    yoke_result result = {.struct_size = sizeof result};

    assert_ok(yoke_process_finish(process, &result, MINUTE));
    return result;
}

yoke_result result_of(yoke_function *function, const yoke_item *arguments, const yoke_process_options *options)
{
    yoke_process *process;

    assert_ok(yoke_process_start(&process, function, arguments, options));
    return finish(process);
}

/* ---- for children ---- */

int return_number(const yoke_args *args)
{
    return yoke_args_int(args, 0);
}

int stay(const yoke_args *args)
{
    if (yoke_args_bool(args, 1))
        signal(SIGTERM, SIG_IGN);
    YOKE_TRY(yoke_queue_put_format(yoke_args_queue(args, 0), YOKE_FOREVER, "%d", (int)getpid()));
    for (;;)
        pause();
}

pid_t told_pid(yoke_queue *queue)
{
    char line[32];

    assert_ok(yoke_queue_get_string(queue, line, sizeof line, MINUTE));
    return (pid_t)atoi(line);
}

yoke_queue *new_queue(void)
{
    yoke_queue *queue;

    assert_ok(yoke_queue_create(&queue, NULL));
    return queue;
}

/* ---- groups ---- */

static int nothing(const yoke_args *args)
{
    (void)args;
    return 0;
}

static int start_one(const yoke_process_options *options)
{
    yoke_process *process;

    YOKE_TRY(yoke_process_start(&process, nothing, NULL, options));
    return yoke_process_finish(process, NULL, MINUTE);
}

static int use_loop(void)
{
    yoke_conn *a, *b;
    char       byte;
    size_t     size;

    YOKE_TRY(yoke_pipe_create(&a, &b, NULL));
    YOKE_TRY(yoke_conn_send(a, "x", 1, MINUTE));
    YOKE_TRY(yoke_conn_recv(b, &byte, 1, &size, MINUTE));
    yoke_conn_close(a);
    yoke_conn_close(b);
    return YOKE_OK;
}

/* What lives as long as the process has to be there before the note is taken: domain, loop, forkserver. */
static int make_lasting_things(void)
{
    YOKE_TRY(yoke_set_start_method(current));
    YOKE_TRY(start_one(NULL));
    if (current == YOKE_START_SPAWN && (yoke_start_methods() & 1u << YOKE_START_FORKSERVER))
        YOKE_TRY(start_one(YOKE_OPTIONS(yoke_process_options, .via_server = YOKE_YES)));
    return use_loop();
}

static int set_up(void **state)
{
    if (make_lasting_things() == YOKE_OK)
        return leak_setup(state);
    print_error("start method %s: %s\n", yoke_start_method_name(current), yoke_last_error()->text);
    return -1;
}

/* The few watches that the library keeps for later questions are no leak. */
static int tear_down(void **state)
{
    yoke__watch_clear();
    return leak_teardown(state);
}

static int run_group(const char *name, const struct CMUnitTest *tests, size_t count, yoke_start_method method)
{
    char title[100];

    current = method;
    if (getenv("YOKE_TEST_FILTER")) /* one test by name, or several by wildcards */
        cmocka_set_test_filter(getenv("YOKE_TEST_FILTER"));
    snprintf(title, sizeof title, "%s under %s", name, yoke_start_method_name(method));
    return _cmocka_run_group_tests(title, tests, count, set_up, tear_down);
}

int run_under_methods_(const char *name, const struct CMUnitTest *tests, size_t count)
{
    int failures = 0;

    for (yoke_start_method method = YOKE_START_SPAWN; method <= YOKE_START_FORKSERVER; method++) {
        bool asked = !getenv("YOKE_START_METHOD") || yoke_get_start_method() == method;
        if ((yoke_start_methods() & 1u << method) && asked)
            failures += run_group(name, tests, count, method);
    }
    return failures;
}
