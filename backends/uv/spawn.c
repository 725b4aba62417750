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
#include "launch.h"
#include "uv.h"

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
static int spawn_on(uv_loop_t *loop, uv_process_t *process, const char *program, yoke__uv_outfit *outfit,
                    const yoke_launch *launch)
{
    uv_process_options_t options = {
        .file = program,
        .args = borrowed(launch->arguments),
        .env = borrowed(launch->environment),
        .cwd = launch->working_directory,
        .flags = outfit->flags,
        .stdio_count = outfit->count,
        .stdio = outfit->natives,
    };
    int status = uv_spawn(loop, process, &options);
    int rc = status == 0 ? yoke__uv_hand_over(outfit, process, launch) : YOKE_OK;

    uv_close((uv_handle_t *)process, NULL);
    return status == 0 ? rc : spawn_failed(loop, status, program, launch);
}

static int spawn_locked(int64_t *pid, const char *program, yoke__uv_outfit *outfit, const yoke_launch *launch)
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
        rc = spawn_on(&loop, &process, program, outfit, launch);
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
    char            own[4096];
    const char     *program = launch->program;
    yoke__uv_outfit outfit;

    if (!program) {
        YOKE_TRY(yoke__uv_own_program(own, sizeof own));
        program = own;
    }
    YOKE_TRY(yoke__uv_outfit_make(&outfit, launch));
    uv_once(&hooks_once, add_hooks);
    yoke__mutex_lock(&spawning);
    yoke__spawning = true;
    int rc = spawn_locked(pid, program, &outfit, launch);
    yoke__spawning = false;
    yoke__mutex_unlock(&spawning);
    yoke__uv_outfit_free(&outfit);
    return rc;
}
