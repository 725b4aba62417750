/* Codes to names and texts, and the last error of each thread. */
#include "error.h"

#include "process/start.h"

#include <yoke/backend.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The only list of codes beside the enumeration; a test walks the enumeration and finds each here. */
#define ERROR_MAP(X)                                                                                                   \
    X(YOKE_OK, "done")                                                                                                 \
    X(YOKE_OWNER_DIED, "the lock is held, but its last owner died holding it")                                         \
    X(YOKE_BEGUN, "the time was up, but the message is under way and will be finished")                                \
    X(YOKE_FULL, "done, and no more is taken until there is room")                                                     \
    X(YOKE_EINVAL, "an argument is wrong")                                                                             \
    X(YOKE_ETIMEDOUT, "the time was up")                                                                               \
    X(YOKE_ESHUTDOWN, "the queue was shut down")                                                                       \
    X(YOKE_EMSGSIZE, "too large for the buffer or the limit")                                                          \
    X(YOKE_EEOF, "the other end is closed and all that it sent has been read")                                         \
    X(YOKE_EORPHANED, "nobody is left who could do what is waited for")                                                \
    X(YOKE_ETYPE, "of another type than asked for")                                                                    \
    X(YOKE_ERANGE, "a number does not fit or an index is past the end")                                                \
    X(YOKE_ENOTSUP, "not supported here")                                                                              \
    X(YOKE_EBUSY, "in use, or not in the right state now")                                                             \
    X(YOKE_EEXIST, "the name is taken")                                                                                \
    X(YOKE_ENOENT, "nothing of that name, or it is gone")                                                              \
    X(YOKE_EDEADLK, "those waited for wait for the caller")                                                            \
    X(YOKE_ENOMEM, "no memory, descriptors or slots are left")                                                         \
    X(YOKE_ECHILD, "not a child of this process")                                                                      \
    X(YOKE_ENOTOWNER, "the caller does not hold it")                                                                   \
    X(YOKE_EBROKEN, "broken for good")                                                                                 \
    X(YOKE_ECLOSED, "closed while it was being waited for")                                                            \
    X(YOKE_EMOVED, "this end now belongs to another process")                                                          \
    X(YOKE_EPROTO, "not understood: damaged, forged, or of another version")                                           \
    X(YOKE_EACCES, "forbidden by the system")                                                                          \
    X(YOKE_EIO, "the system failed in a way of its own")

const char *yoke_error_name(int code)
{
    switch (code) {
#define NAME(value, text)                                                                                              \
    case value:                                                                                                        \
        return #value;
        ERROR_MAP(NAME)
#undef NAME
    default:
        return "YOKE_UNKNOWN";
    }
}

const char *yoke_error_text(int code)
{
    switch (code) {
#define TEXT(value, text)                                                                                              \
    case value:                                                                                                        \
        return text;
        ERROR_MAP(TEXT)
#undef TEXT
    default:
        return "not a code of this library";
    }
}

#define TEXT_SIZE   512
#define OBJECT_SIZE 128

static _Thread_local struct {
    yoke_error error; /* text and object point to the arrays below once something has failed */
    char       text[TEXT_SIZE];
    char       object[OBJECT_SIZE];
} last;

const yoke_error *yoke_last_error(void)
{
    if (!last.error.text) {
        last.error.struct_size = sizeof last.error;
        last.error.code = YOKE_OK;
        last.error.object = "";
        last.error.text = "nothing has failed yet";
    }
    return &last.error;
}

void yoke__error_reset(void)
{
    memset(&last, 0, sizeof last);
}

/* Formats beside the noted text first, since the arguments may point into it; marks a text that was cut. */
static void format_text(char *out, size_t size, const char *format, va_list arguments)
{
    int length = vsnprintf(out, size, format, arguments);
    if (length < 0)
        snprintf(out, size, "%s", "(a sentence that can't be formatted)");
    else if ((size_t)length >= size)
        memcpy(out + size - 4, "...", 4);
}

static int note(int code, int64_t native, int64_t pid, const char *object, const char *format, va_list arguments)
{
    char text[TEXT_SIZE], name[OBJECT_SIZE];
    format_text(text, sizeof text, format, arguments);
    snprintf(name, sizeof name, "%s", object);
    memcpy(last.text, text, sizeof text);
    memcpy(last.object, name, sizeof name);
    last.error = (yoke_error){.struct_size = sizeof last.error,
                              .code = code,
                              .native = native,
                              .pid = pid,
                              .object = last.object,
                              .text = last.text};
    return code;
}

int(yoke__fail)(int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    note(code, 0, 0, "", format, arguments);
    va_end(arguments);
    return code;
}

int(yoke__fail_process)(int code, int64_t pid, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    note(code, 0, pid, "", format, arguments);
    va_end(arguments);
    return code;
}

int(yoke__fail_object)(int code, const char *object, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    note(code, 0, 0, object ? object : "", format, arguments);
    va_end(arguments);
    return code;
}

int yoke_backend_fail(int code, int64_t native, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    note(code, native, 0, "", format, arguments);
    va_end(arguments);
    return code;
}

int(yoke__fail_in)(int code, const char *format, ...)
{
    const yoke_error *before = yoke_last_error();
    int64_t           native = before->native, pid = before->pid;
    char              text[TEXT_SIZE], object[OBJECT_SIZE];
    size_t            used;
    va_list           arguments;

    snprintf(object, sizeof object, "%s", before->object);
    va_start(arguments, format);
    format_text(text, sizeof text, format, arguments);
    va_end(arguments);
    used = strlen(text);
    if (snprintf(text + used, sizeof text - used, ": %s", before->text) >= (int)(sizeof text - used))
        memcpy(text + sizeof text - 4, "...", 4);
    memcpy(last.text, text, sizeof text);
    memcpy(last.object, object, sizeof object);
    last.error = (yoke_error){.struct_size = sizeof last.error,
                              .code = code,
                              .native = native,
                              .pid = pid,
                              .object = last.object,
                              .text = last.text};
    return code;
}

void yoke_die_(const char *file, int line, const char *expression, int code)
{
    const yoke_error *error = yoke_last_error();
    const char       *text = error->code == code ? error->text : yoke_error_text(code);
    fflush(stdout);
    fprintf(stderr, "%s:%d: %s: %s: %s\n", file, line, expression, yoke_error_name(code), text);
    yoke__process_terminate_children();
    yoke__process_leave(YOKE_EXITED, 1, code, text);
}
