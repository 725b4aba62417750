/* What has to be so before libuv makes a loop or starts a process, or it ends the program. */
#include "uv.h"

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

/* libuv takes it for a fault in itself (assert) if one of its own descriptors is 0, 1 or 2, as happens in a program that
 * has closed these. Where there is no such device, numbers don't matter either. */
void yoke__uv_low_hold(yoke__uv_low *low)
{
    for (low->count = 0; low->count < 3; low->count++) {
        uv_fs_t request;
        int     file = uv_fs_open(NULL, &request, "/dev/null", O_RDWR, 0, NULL);
        uv_fs_req_cleanup(&request);
        if (file > 2)
            file_close(file);
        if (file < 0 || file > 2)
            return;
        low->files[low->count] = file;
    }
}

void yoke__uv_low_release(yoke__uv_low *low)
{
    while (low->count > 0)
        file_close(low->files[--low->count]);
}
