/* UTF-8, as the API has it, and UTF-16, as the system has it. */
#include "process.h"

#include <stdlib.h>

static void *no_memory(void)
{
    (void)yoke_backend_fail(YOKE_ENOMEM, ERROR_NOT_ENOUGH_MEMORY, "no memory for a text");
    return NULL;
}

wchar_t *yoke__windows_wide(const char *text)
{
    int      count = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, NULL, 0);
    wchar_t *out;

    if (count <= 0) {
        (void)yoke_backend_fail(YOKE_EINVAL, (int64_t)GetLastError(), "\"%.60s\" is not UTF-8", text);
        return NULL;
    }
    out = malloc((size_t)count * sizeof *out);
    if (!out)
        return no_memory();
    (void)MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, out, count);
    return out;
}

char *yoke__windows_narrow(const wchar_t *text)
{
    int   count = WideCharToMultiByte(CP_UTF8, 0, text, -1, NULL, 0, NULL, NULL);
    char *out = count > 0 ? malloc((size_t)count) : NULL;

    if (!out)
        return no_memory();
    (void)WideCharToMultiByte(CP_UTF8, 0, text, -1, out, count, NULL, NULL);
    return out;
}
