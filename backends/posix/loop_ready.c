/* What has to be so before libuv makes a loop or starts a process, or it ends the program. */
#include "../uv/uv.h"

#include <fcntl.h>

static void file_close(uv_file file)
{
    uv_fs_t request;
    (void)uv_fs_close(NULL, &request, file, NULL);
    uv_fs_req_cleanup(&request);
}

/* libuv makes a pipe of its own before its first loop, and calls abort() if it can't; and 1.44 loses a descriptor if it
 * can't make all of a loop. So as many descriptors as a loop and that pipe need are tried first. */
#define READY_PIPES 3

int yoke__uv_ready(void)
{
    uv_file ends[READY_PIPES][2];
    int     made = 0, status = 0;
    while (made < READY_PIPES && (status = uv_pipe(ends[made], 0, 0)) == 0)
        made++;
    while (made-- > 0) {
        file_close(ends[made][0]);
        file_close(ends[made][1]);
    }
    if (status < 0)
        return yoke_backend_fail(yoke__uv_code(status), status, "no event loop: %s", uv_strerror(status));
    return YOKE_OK;
}

static bool is_open(uv_file file)
{
    uv_fs_t request;
    int     rc = uv_fs_fstat(NULL, &request, file, NULL);
    uv_fs_req_cleanup(&request);
    return rc == 0;
}

/* libuv takes it for a fault in itself (assert) if one of its own descriptors is 0, 1 or 2, as happens in a program that
 * has closed these; and what the program prints would go there. Where there is no such device, numbers don't matter
 * either. */
void yoke__uv_low_hold(yoke__uv_low *low)
{
    low->count = 0;
    while (!is_open(0) || !is_open(1) || !is_open(2)) {
        uv_fs_t request;
        int     file = uv_fs_open(NULL, &request, "/dev/null", O_RDWR, 0, NULL);
        uv_fs_req_cleanup(&request);
        if (file > 2) /* another thread was faster */
            file_close(file);
        if (file < 0 || file > 2)
            return;
        low->files[low->count++] = file;
    }
}

void yoke__uv_low_release(yoke__uv_low *low)
{
    while (low->count > 0)
        file_close(low->files[--low->count]);
}

/* ---- forks ---- */

/* libuv makes its signal pipe anew in every forked child. */
static _Thread_local yoke__uv_low across_fork;

static void before_fork(void)
{
    yoke__uv_low_hold(&across_fork);
}

static void after_fork(void)
{
    yoke__uv_low_release(&across_fork);
}

/* libuv has registered its own by now, so in the child ours runs after that. */
int yoke__uv_low_hold_in_forks(void)
{
    static yoke__a32 registered;
    if (yoke__a32_load_acquire(&registered))
        return YOKE_OK;
    YOKE_TRY(yoke_backend_current()->system->at_fork(before_fork, after_fork, after_fork));
    yoke__a32_store_release(&registered, 1);
    return YOKE_OK;
}
