/* The same with raw calls: fork and waitpid, uv_spawn. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

static void die(const char *what, int code)
{
    fprintf(stderr, "yoke-bench: raw %s failed: %s\n", what, uv_strerror(code));
    exit(1);
}

double raw_fork(void)
{
    double before = now_us();
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 34)
    pid_t child = _Fork(); /* without the fork hooks that the library under test has registered */
#else
    pid_t child = fork();
#endif

    if (child == 0)
        _exit(0);
    if (child < 0 || waitpid(child, NULL, 0) != child)
        die("fork", -1);
    return now_us() - before;
}

static void on_exit_close(uv_process_t *process, int64_t status, int signal)
{
    if (status != 0 || signal != 0)
        die("child", UV_UNKNOWN);
    uv_close((uv_handle_t *)process, NULL);
}

static uv_loop_t *own_loop(void)
{
    static uv_loop_t loop;
    static bool      made;

    if (!made) {
        int code = uv_loop_init(&loop);
        if (code != 0)
            die("uv_loop_init", code);
        made = true;
    }
    return &loop;
}

/* stamps_file: for the child's stamps, or NULL. */
static double spawn_self(char *stamps_file)
{
    static char program[4096];
    size_t      size = sizeof program;

    if (!program[0] && uv_exepath(program, &size) != 0)
        die("uv_exepath", UV_ENOENT);
    uv_loop_t           *loop = own_loop();
    uv_process_t         process;
    char                 role[] = RAW_CHILD;
    char                *arguments[] = {program, role, stamps_file, NULL};
    uv_stdio_container_t stdio[3] = {{.flags = UV_IGNORE}, {.flags = UV_INHERIT_FD}, {.flags = UV_INHERIT_FD}};
    stdio[1].data.fd = 1;
    stdio[2].data.fd = 2;
    uv_process_options_t options = {
        .file = program, .args = arguments, .exit_cb = on_exit_close, .stdio_count = 3, .stdio = stdio};

    double before = now_us();
    int    code = uv_spawn(loop, &process, &options);
    if (code != 0)
        die("uv_spawn", code);
    (void)uv_run(loop, UV_RUN_DEFAULT);
    return now_us() - before;
}

double raw_spawn(void)
{
    return spawn_self(NULL);
}

double raw_spawn_stamped(void)
{
    return spawn_self((char *)(uintptr_t)stamps_path());
}

int raw_child(int argc, char **argv)
{
    if (argc > 2)
        stamps_write(argv[2]);
    return 0;
}
