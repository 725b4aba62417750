/*
 * Starting a program through libuv.
 *
 * The loop lives for one start only. The process handle is closed as soon as the process runs: libuv then forgets the
 * child, never waits for it, and needs no signal handler; who lives is the business of the backend's own watches. One
 * start at a time, because the host's signal disposition is noted and put back around it.
 *
 * libuv 1.44 forks to spawn; core's fork hooks are told to stay out of that (yoke__spawning).
 *
 * Descriptors that the host has opened without close-on-exec are the backend's to keep back, between fork and exec: libuv
 * passes them on. The child can't tell them from what its own constructors have opened.
 */
#include "../../core/local.h"
#include "child_signal.h"
#include "uv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int yoke__uv_spawn(int64_t *pid, const yoke_launch *launch);

/* ---- one start at a time, and no fork by another thread meanwhile ---- */

static yoke__mutex spawning = YOKE__MUTEX_INIT;
static uv_once_t   hooks_once = UV_ONCE_INIT;

static void before_fork(void)
{
    yoke__mutex_lock(&spawning);
}

static void after_fork_in_parent(void)
{
    yoke__mutex_unlock(&spawning);
}

static void after_fork_in_child(void)
{
    yoke__mutex_reset(&spawning);
}

static void add_hooks(void)
{
    yoke__fork_hook_add(before_fork, after_fork_in_parent, after_fork_in_child);
}

/* ---- errors ---- */

static int code_of(int status)
{
    switch (status) {
    case UV_ENOENT:
    case UV_ENOTDIR:
        return YOKE_ENOENT;
    case UV_EBADF:
    case UV_ENAMETOOLONG:
    case UV_ELOOP:
        return YOKE_EINVAL;
    case UV_E2BIG:
        return YOKE_EMSGSIZE;
    case UV_EAGAIN:
        return YOKE_ENOMEM;
    default:
        return yoke__uv_code(status);
    }
}

static bool is_directory(uv_loop_t *loop, const char *path)
{
    uv_fs_t request;
    int     rc = uv_fs_stat(loop, &request, path, NULL);
    bool    there = rc == 0 && (request.statbuf.st_mode & UINT64_C(0170000)) == UINT64_C(0040000);

    uv_fs_req_cleanup(&request);
    return there;
}

static int spawn_failed(uv_loop_t *loop, int status, const char *program, const yoke_launch *launch)
{
    const char *directory = launch->working_directory;

    if (directory && (status == UV_ENOENT || status == UV_ENOTDIR || status == UV_EACCES) &&
        !is_directory(loop, directory))
        return yoke_backend_fail(code_of(status), status, "\"%s\" can't be started in the directory \"%s\": %s",
                                 program, directory, uv_strerror(status));
    if (status == UV_EMFILE || status == UV_ENFILE)
        return yoke_backend_fail(YOKE_ENOMEM, status, "no descriptors left to start \"%s\"", program);
    if (status == UV_EAGAIN)
        return yoke_backend_fail(YOKE_ENOMEM, status, "too many processes to start \"%s\"", program);
    return yoke_backend_fail(code_of(status), status, "\"%s\" can't be started: %s", program, uv_strerror(status));
}

/* ---- the start itself ---- */

static void describe_stdio(uv_stdio_container_t *out, yoke_native target, int number)
{
    if (target == YOKE_STDIO_NULL) {
        out->flags = UV_IGNORE; /* libuv opens the null device for the first three */
        return;
    }
    out->flags = UV_INHERIT_FD;
    out->data.fd = target == YOKE_STDIO_INHERIT ? number : (int)target;
    if (target == YOKE_STDIO_INHERIT && uv_guess_handle(number) == UV_UNKNOWN_HANDLE)
        out->flags = UV_IGNORE; /* this process has closed its own */
}

static uv_stdio_container_t *describe_natives(const yoke_launch *launch)
{
    uv_stdio_container_t *list = calloc(3 + launch->inherit_count, sizeof *list);

    if (!list)
        return NULL;
    for (int i = 0; i < 3; i++)
        describe_stdio(&list[i], launch->stdio[i], i);
    for (size_t i = 0; i < launch->inherit_count; i++) {
        list[3 + i].flags = UV_INHERIT_FD;
        list[3 + i].data.fd = (int)launch->inherit[i];
    }
    return list;
}

#ifdef __linux__
/* The file behind path; false if there is none. */
static bool file_of(uint64_t identity[2], const char *path)
{
    uv_fs_t request;
    int     rc = uv_fs_stat(NULL, &request, path, NULL);

    identity[0] = request.statbuf.st_dev;
    identity[1] = request.statbuf.st_ino;
    uv_fs_req_cleanup(&request);
    return rc == 0;
}

/* The running executable, even if its file was replaced or removed: that is what the link stands for. Where this process
 * runs inside another program (valgrind, emulators), the link is that program's, but what is read from it is ours. */
static int own_program(char *out, size_t size)
{
    static const char link[] = "/proc/self/exe";
    static const char deleted[] = " (deleted)";
    uint64_t          by_link[2], by_name[2];
    int               rc = uv_exepath(out, &size);
    size_t            length = rc == 0 ? strlen(out) : 0;
    bool              gone = length >= sizeof deleted && strcmp(out + length - (sizeof deleted - 1), deleted) == 0;

    if (rc == 0 && !gone && file_of(by_name, out) && file_of(by_link, link) &&
        (by_name[0] != by_link[0] || by_name[1] != by_link[1]))
        return YOKE_OK;
    memcpy(out, link, sizeof link);
    return YOKE_OK;
}
#else
static int own_program(char *out, size_t size)
{
    int rc = uv_exepath(out, &size);

    return rc == 0 ? YOKE_OK
                   : yoke_backend_fail(code_of(rc), rc, "this executable can't be found: %s", uv_strerror(rc));
}
#endif

/* libuv takes char ** and changes nothing. */
static char **borrowed(const char *const *list)
{
    char **out;

    memcpy(&out, &list, sizeof out);
    return out;
}

static void close_loop(uv_loop_t *loop)
{
    while (uv_loop_close(loop) == UV_EBUSY)
        uv_run(loop, UV_RUN_NOWAIT);
}

/* Spawning lock held. process has to stay until the loop is closed. */
static int spawn_on(uv_loop_t *loop, uv_process_t *process, const char *program, uv_stdio_container_t *natives,
                    const yoke_launch *launch)
{
    uv_process_options_t options = {
        .file = program,
        .args = borrowed(launch->arguments),
        .env = borrowed(launch->environment),
        .cwd = launch->working_directory,
        .flags = UV_PROCESS_WINDOWS_HIDE,
        .stdio_count = (int)(3 + launch->inherit_count),
        .stdio = natives,
    };
    int status = uv_spawn(loop, process, &options);

    uv_close((uv_handle_t *)process, NULL);
    return status == 0 ? YOKE_OK : spawn_failed(loop, status, program, launch);
}

static int spawn_locked(int64_t *pid, const char *program, uv_stdio_container_t *natives, const yoke_launch *launch)
{
    uv_loop_t    loop;
    uv_process_t process;
    int64_t      started = 0;
    int          rc;

    YOKE_TRY(yoke__uv_ready());
    yoke__uv_low low;
    yoke__uv_low_hold(&low);
    rc = uv_loop_init(&loop);
    if (rc != 0) {
        yoke__uv_low_release(&low);
        return yoke_backend_fail(code_of(rc), rc, "\"%s\" can't be started, for want of a loop: %s", program,
                                 uv_strerror(rc));
    }
    rc = yoke__uv_low_hold_in_forks();
    if (rc == YOKE_OK) {
        yoke__child_signal_begin();
        rc = spawn_on(&loop, &process, program, natives, launch);
        started = rc == YOKE_OK ? process.pid : 0;
        close_loop(&loop);
        yoke__child_signal_end(started);
    } else {
        close_loop(&loop);
    }
    yoke__uv_low_release(&low);
    if (rc == YOKE_OK)
        *pid = started;
    return rc;
}

int yoke__uv_spawn(int64_t *pid, const yoke_launch *launch)
{
    char                  own[4096];
    const char           *program = launch->program;
    uv_stdio_container_t *natives;
    int                   rc;

    if (!program) {
        YOKE_TRY(own_program(own, sizeof own));
        program = own;
    }
    natives = describe_natives(launch);
    if (!natives)
        return yoke_backend_fail(YOKE_ENOMEM, ENOMEM, "no memory to start \"%s\"", program);
    uv_once(&hooks_once, add_hooks);
    yoke__mutex_lock(&spawning);
    yoke__spawning = true;
    rc = spawn_locked(pid, program, natives, launch);
    yoke__spawning = false;
    yoke__mutex_unlock(&spawning);
    free(natives);
    return rc;
}
