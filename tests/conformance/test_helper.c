/* Hosts whose main() is not ours: the helper executable runs functions of shared libraries. This program never calls
 * yoke_main(). */
#include "support/process.h"

#include "core/domain/watch.h"
#include "core/process/forkserver.h"
#include "support/leak.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef YOKE_TEST_HELPER
#define MINUTE 60000

static yoke_process_options under_test = {.struct_size = sizeof under_test};
static void                *module;

static yoke_function *started(void)
{
    yoke_function *function;
    *(void **)&function = dlsym(module, "started");
    assert_non_null(function);
    return function;
}

static int of_the_host(const yoke_args *args)
{
    (void)args;
    return 0;
}

static void a_function_of_a_library_runs(void **state)
{
    (void)state;
    yoke_result result = result_of(started(), YOKE_ARGS(20), &under_test);
    assert_string_equal(result.text, "");
    assert_int_equal(result.how, YOKE_RETURNED);
    assert_int_equal(result.code, 21);
}

/* It lies in another program than the helper: told, and not run at a chance address. */
static void a_function_of_the_host_is_refused(void **state)
{
    (void)state;
    yoke_result result = result_of(of_the_host, NULL, &under_test);
    assert_int_equal(result.how, YOKE_NOT_STARTED);
    assert_int_equal(result.error, YOKE_EINVAL);
    assert_non_null(strstr(result.text, "not the build"));
}

static void objects_are_shared_with_the_host(void **state)
{
    (void)state;
    yoke_queue *queue;

    assert_ok(yoke_queue_create(&queue, NULL));
    assert_ok(yoke_queue_put_string(queue, "kept", YOKE_NOWAIT));
    assert_int_equal(result_of(started(), YOKE_ARGS(1, queue), &under_test).code, 2);
    assert_int_equal(yoke_queue_size(queue), 1);
    yoke_queue_close(queue);
}

static void without_executable_and_main_nothing_starts(void **state)
{
    (void)state;
    yoke_process *process;

    assert_ok(yoke_set_executable(NULL));
    assert_fails(yoke_process_start(&process, started(), YOKE_ARGS(1), &under_test), YOKE_EINVAL, "yoke_main");
    assert_ok(yoke_set_executable(YOKE_TEST_HELPER));
}

static void a_missing_helper_is_named(void **state)
{
    (void)state;
    yoke_process *process;

    yoke__forkserver_stop();
    assert_ok(yoke_set_executable("/nowhere/yoke-helper"));
    assert_fails(yoke_process_start(&process, started(), YOKE_ARGS(1), &under_test), YOKE_ENOENT,
                 "/nowhere/yoke-helper");
    assert_ok(yoke_set_executable(YOKE_TEST_HELPER));
}

static void started_by_hand_it_tells_what_it_is_for(void **state)
{
    (void)state;
    char  text[512] = "";
    FILE *output = popen("'" YOKE_TEST_HELPER "' 2>&1", "re");

    assert_non_null(output);
    text[fread(text, 1, sizeof text - 1, output)] = '\0';
    int status = pclose(output);
    assert_int_equal(WEXITSTATUS(status), 2);
    assert_non_null(strstr(text, "yoke_set_executable"));
}

static int set_up(void **state)
{
    if (yoke_set_executable(YOKE_TEST_HELPER) < 0 || result_of(started(), YOKE_ARGS(1), &under_test).code != 2)
        return -1;
    return leak_setup(state);
}

static int tear_down(void **state)
{
    yoke__forkserver_stop();
    yoke__watch_clear();
    return leak_teardown(state);
}

static int run(const char *name, yoke_start_method method, yoke_choice via_server)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_function_of_a_library_runs),
        cmocka_unit_test(a_function_of_the_host_is_refused),
        cmocka_unit_test(objects_are_shared_with_the_host),
        cmocka_unit_test(without_executable_and_main_nothing_starts),
        cmocka_unit_test(a_missing_helper_is_named),
        cmocka_unit_test(started_by_hand_it_tells_what_it_is_for),
    };
    under_test.method = method;
    under_test.via_server = via_server;
    return cmocka_run_group_tests_name(name, tests, set_up, tear_down);
}

int main(void)
{
    module = dlopen(YOKE_TEST_MODULES "/started.so", RTLD_NOW | RTLD_LOCAL);
    if (!module) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    int failed = run("helper under spawn", YOKE_START_SPAWN, YOKE_NO);
    if (yoke_start_methods() & 1u << YOKE_START_FORKSERVER) {
        failed += run("helper under forkserver", YOKE_START_FORKSERVER, YOKE_NO);
        failed += run("helper under spawn via server", YOKE_START_SPAWN, YOKE_YES);
    }
    return failed;
}
#else
int main(void)
{
    return 77;
}
#endif
