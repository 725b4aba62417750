/* What the forkserver hands on from its client to the children: surroundings, output, environment. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "support/forkserver.h"

#include "core/process/forkserver.h"
#include "support/child.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- what it hands on ---- */

static int check_surroundings(const yoke_args *args)
{
    char          path[512];
    struct rlimit limit;
    cpu_set_t     cpus;
    mode_t        mask = umask(0);

    umask(mask);
    if (!getcwd(path, sizeof path) || strcmp(path, yoke_args_string(args, 0)) != 0)
        return 1;
    if ((int)mask != yoke_args_int(args, 1))
        return 2;
    if (getrlimit(RLIMIT_CPU, &limit) != 0 || limit.rlim_cur != yoke_args_uint64(args, 2))
        return 3;
    /* A spawned child may be faster than the server that lowers its hard limits. */
    for (long long end = milliseconds() + MINUTE; limit.rlim_max != yoke_args_uint64(args, 3); sched_yield())
        if (getrlimit(RLIMIT_CPU, &limit) != 0 || milliseconds() > end)
            return 6;
    if (sched_getaffinity(0, sizeof cpus, &cpus) != 0 || CPU_COUNT(&cpus) != yoke_args_int(args, 4))
        return 4;
    const char *variable = getenv("YOKE_TEST_SURROUNDINGS");
    return variable && strcmp(variable, yoke_args_string(args, 5)) == 0 ? 0 : 5;
}

/* In a process of its own, since limits can't be taken back. All of it is changed after the server has started. */
static int change_surroundings(void *unused)
{
    struct rlimit limit;
    cpu_set_t     cpus, one;
    yoke_result   result = {.struct_size = sizeof result};
    yoke_process *process;

    (void)unused;
    (void)server_pid();
    CHILD_CHECK(chdir("/usr") == 0);
    umask(0137);
    CHILD_CHECK(getrlimit(RLIMIT_CPU, &limit) == 0);
    limit.rlim_max = limit.rlim_max == RLIM_INFINITY ? 1 << 20 : limit.rlim_max / 2;
    limit.rlim_cur = limit.rlim_max / 2;
    CHILD_CHECK(setrlimit(RLIMIT_CPU, &limit) == 0);
    CHILD_CHECK(sched_getaffinity(0, sizeof cpus, &cpus) == 0);
    CPU_ZERO(&one);
    for (size_t i = 0; CPU_COUNT(&one) == 0; i++)
        if (CPU_ISSET(i, &cpus))
            CPU_SET(i, &one);
    CHILD_CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
    CHILD_CHECK(setenv("YOKE_TEST_SURROUNDINGS", "here", 1) == 0);
    for (int i = 0; i < 2; i++) { /* and again: the server must not be spoilt by the first */
        CHILD_CHECK(
            yoke_process_start(&process, check_surroundings,
                               YOKE_ARGS("/usr", 0137, (uint64_t)limit.rlim_cur, (uint64_t)limit.rlim_max, 1, "here"),
                               served()) == YOKE_OK);
        CHILD_CHECK(yoke_process_finish(process, &result, MINUTE) == YOKE_OK);
        if (result.how != YOKE_RETURNED || result.code != 0)
            return 50 + result.code;
    }
    CHILD_CHECK(sched_setaffinity(0, sizeof cpus, &cpus) == 0);
    CHILD_CHECK(chdir("/") == 0);
    umask(022);
    CHILD_CHECK(yoke_process_start(
                    &process, check_surroundings,
                    YOKE_ARGS("/", 022, (uint64_t)limit.rlim_cur, (uint64_t)limit.rlim_max, CPU_COUNT(&cpus), "here"),
                    served()) == YOKE_OK);
    CHILD_CHECK(yoke_process_finish(process, &result, MINUTE) == YOKE_OK);
    yoke__forkserver_stop();
    return result.how == YOKE_RETURNED ? result.code : 49;
}

static void surroundings_are_those_of_the_client(void **state)
{
    (void)state;
    assert_int_equal(child_join(child_start(change_surroundings, NULL)), 0);
}

static int tell_mask(const yoke_args *args)
{
    sigset_t mask;

    (void)args;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    return sigismember(&mask, SIGUSR1) | sigismember(&mask, SIGCHLD) << 1 | sigismember(&mask, SIGTERM) << 2;
}

/* As with a fork of one's own, and with a spawn of one's own. */
static void the_signal_mask_is_that_of_the_method(void **state)
{
    (void)state;
    sigset_t mask, old;

    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &mask, &old);
    assert_int_equal(result_of(tell_mask, NULL, served()).code, served_by_fork() ? 1 : 0);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static int variable_length(const yoke_args *args)
{
    return (int)strlen(getenv(yoke_args_string(args, 0)));
}

/* More than one datagram takes. */
static void a_large_environment_arrives(void **state)
{
    (void)state;
    enum { LENGTH = 100000 };
    const char *names[] = {"YOKE_TEST_A", "YOKE_TEST_B", "YOKE_TEST_C", "YOKE_TEST_D"};
    char       *value = malloc(LENGTH + 1);

    assert_non_null(value);
    memset(value, 'v', LENGTH);
    value[LENGTH] = '\0';
    for (int i = 0; i < 4; i++)
        assert_int_equal(setenv(names[i], value, 1), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(result_of(variable_length, YOKE_ARGS(names[i]), served()).code, LENGTH);
    for (int i = 0; i < 4; i++)
        unsetenv(names[i]);
    free(value);
}

static int print_lines(const yoke_args *args)
{
    (void)args;
    printf("to stdout\n");
    fprintf(stderr, "to stderr\n");
    return getchar() == EOF ? 0 : 1;
}

static void output_goes_where_it_is_sent(void **state)
{
    (void)state;
    int                  out[2];
    char                 text[64] = "";
    size_t               used = 0;
    ssize_t              got;
    yoke_process_options redirected = *served();

    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    redirected.stdout_to = redirected.stderr_to = out[1];
    assert_int_equal(result_of(print_lines, NULL, &redirected).code, 0);
    close(out[1]);
    while ((got = read(out[0], text + used, sizeof text - 1 - used)) > 0) /* its end is told: nobody kept a copy */
        used += (size_t)got;
    assert_int_equal(got, 0);
    assert_non_null(strstr(text, "to stdout"));
    assert_non_null(strstr(text, "to stderr"));
    close(out[0]);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(surroundings_are_those_of_the_client),
        cmocka_unit_test(the_signal_mask_is_that_of_the_method),
        cmocka_unit_test(a_large_environment_arrives),
        cmocka_unit_test(output_goes_where_it_is_sent),
    };
    yoke_main(argc, argv);
    return run_with_server(tests);
}
