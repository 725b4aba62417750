/* What a program that libuv starts is given, and where the running executable lies; see uv/launch.h. */
#include "../uv/launch.h"

#include "../uv/uv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

int yoke__uv_outfit_make(yoke__uv_outfit *out, const yoke_launch *launch)
{
    uv_stdio_container_t *list = calloc(3 + launch->inherit_count, sizeof *list);

    if (!list)
        return yoke_backend_fail(YOKE_ENOMEM, ENOMEM, "no memory to start a program");
    for (int i = 0; i < 3; i++)
        describe_stdio(&list[i], launch->stdio[i], i);
    for (size_t i = 0; i < launch->inherit_count; i++) {
        list[3 + i].flags = UV_INHERIT_FD;
        list[3 + i].data.fd = (int)launch->inherit[i];
    }
    *out = (yoke__uv_outfit){.natives = list, .count = (int)(3 + launch->inherit_count)};
    return YOKE_OK;
}

void yoke__uv_outfit_free(yoke__uv_outfit *outfit)
{
    free(outfit->natives);
}

/* libuv has done it all. */
int yoke__uv_hand_over(yoke__uv_outfit *outfit, const uv_process_t *process, const yoke_launch *launch)
{
    (void)outfit;
    (void)process;
    (void)launch;
    return YOKE_OK;
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
int yoke__uv_own_program(char *out, size_t size)
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
int yoke__uv_own_program(char *out, size_t size)
{
    int rc = uv_exepath(out, &size);

    return rc == 0 ? YOKE_OK
                   : yoke_backend_fail(yoke__uv_code(rc), rc, "this executable can't be found: %s", uv_strerror(rc));
}
#endif
