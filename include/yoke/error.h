/**
 * @file error.h
 * Return codes, the last error of a thread, and the macros that every other header uses.
 *
 * The sign of a return code tells what happened, on every system alike:
 * - negative: it failed, and nothing has happened unless the call says otherwise;
 * - zero: done;
 * - positive: done, with news (#YOKE_OWNER_DIED, #YOKE_BEGUN, #YOKE_FULL).
 *
 * Functions that return `bool` answer false, and functions that return a pointer answer NULL, on a bad handle. All of
 * them note the failure for yoke_last_error().
 */
#ifndef YOKE_ERROR_H
#define YOKE_ERROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- the language and the compiler ------------------------------------------------------------------------------- */

#ifdef __cplusplus
#define YOKE_BEGIN extern "C" {
#define YOKE_END   }
inline size_t yoke_zeroed_(void *structure, size_t size)
{
    unsigned char *byte = static_cast<unsigned char *>(structure);
    for (size_t i = 0; i < size; i++)
        byte[i] = 0;
    return size;
}
/* Options in C++: `yoke_queue_options o; o.max_items = 100;` is right as it stands. */
#define YOKE_SIZED_(T)                                                                                                 \
    T() : struct_size(yoke_zeroed_(this, sizeof(T))) {}                                                                \
    size_t struct_size
#else
/** Declarations between these two have C names in C++ too. */
#define YOKE_BEGIN
/** Ends what #YOKE_BEGIN began. */
#define YOKE_END
#define YOKE_SIZED_(T)       size_t struct_size
/**
 * Options written at the call: `YOKE_OPTIONS(yoke_queue_options, .max_items = 100)`. Fields not named are zero, and zero
 * means the default everywhere. The object lives until the end of the enclosing block.
 */
#define YOKE_OPTIONS(T, ...) (&(const T){.struct_size = sizeof(T), __VA_ARGS__})
#endif

#if defined(_WIN32) && defined(YOKE_SHARED) && defined(YOKE_BUILDING)
#define YOKE_API __declspec(dllexport)
#elif defined(_WIN32) && defined(YOKE_SHARED)
#define YOKE_API __declspec(dllimport)
#elif defined(__GNUC__)
/** A function that the shared library exports. */
#define YOKE_API __attribute__((visibility("default")))
#else
#define YOKE_API
#endif

#if defined(__GNUC__)
/** The compiler warns where the result is dropped. */
#define YOKE_CHECKED __attribute__((warn_unused_result))
#if defined(__MINGW32__) && !defined(__clang__)
#define YOKE_FORMAT(a, b) __attribute__((format(gnu_printf, a, b))) /* else Microsoft's, which has no %zu */
#else
/** The compiler checks argument `b` and on against the format in argument `a`, as for printf. */
#define YOKE_FORMAT(a, b) __attribute__((format(printf, a, b)))
#endif
#else
#define YOKE_CHECKED
#define YOKE_FORMAT(a, b)
#endif

YOKE_BEGIN

/* ---- time-outs --------------------------------------------------------------------------------------------------- */

/** Time-outs are `int64_t` milliseconds. This one tries once; so does every negative one. */
#define YOKE_NOWAIT INT64_C(0)
/** Never gives up. */
#define YOKE_FOREVER INT64_MAX

/* ---- codes ------------------------------------------------------------------------------------------------------- */

/** Return codes. Their values never change. */
enum {
    /** Done. */
    YOKE_OK = 0,
    /** The lock is held, but its last owner died holding it: what it guards may be half changed. */
    YOKE_OWNER_DIED = 1,
    /** The time was up, but the message is under way and counts as sent: the library finishes it. */
    YOKE_BEGUN = 2,
    /** Done, and now so much waits that no more is taken until there is room. */
    YOKE_FULL = 3,
    /** An argument is wrong: the programmer's error. The sentence says which. */
    YOKE_EINVAL = -1,
    /** The time was up. */
    YOKE_ETIMEDOUT = -2,
    /** The queue was shut down. */
    YOKE_ESHUTDOWN = -3,
    /** Too large for the buffer or the limit; the size needed is told where the call has a place for it. */
    YOKE_EMSGSIZE = -4,
    /** The other end is closed, and all that it sent has been read. */
    YOKE_EEOF = -5,
    /** Nobody is left who could do what is waited for. */
    YOKE_EORPHANED = -6,
    /** Something is there, but of another type. */
    YOKE_ETYPE = -7,
    /** A number does not fit, or an index is past the end. */
    YOKE_ERANGE = -8,
    /** This system, backend or object can't do that. */
    YOKE_ENOTSUP = -9,
    /** In use by somebody else, or not in the right state now. */
    YOKE_EBUSY = -10,
    /** The name is taken. */
    YOKE_EEXIST = -11,
    /** Nothing of that name, or it is gone. */
    YOKE_ENOENT = -12,
    /** Waiting would never end: those waited for wait for the caller. */
    YOKE_EDEADLK = -13,
    /** No memory, descriptors or slots are left. */
    YOKE_ENOMEM = -14,
    /** Not a child of this process. */
    YOKE_ECHILD = -15,
    /** The caller doesn't hold it. */
    YOKE_ENOTOWNER = -16,
    /** The stream or barrier is broken for good. */
    YOKE_EBROKEN = -17,
    /** Closed while it was being waited for. */
    YOKE_ECLOSED = -18,
    /** This end now belongs to another process. */
    YOKE_EMOVED = -19,
    /** Not understood: damaged, forged, or of another version. */
    YOKE_EPROTO = -20,
    /** Not allowed: the system forbids it, or this handle has given up the role. */
    YOKE_EACCES = -21,
    /** The system failed in a way of its own; see yoke_error::native. */
    YOKE_EIO = -22
};

/** A failure, as yoke_last_error() tells it. */
typedef struct yoke_error {
    size_t      struct_size; /**< Bytes of this structure; it may grow at its end. */
    int         code;        /**< One of the codes above; #YOKE_OK if nothing has failed yet. */
    int64_t     native;      /**< The system's own error number, or 0. */
    int64_t     pid;         /**< Process concerned, or 0. */
    const char *object;      /**< Name of the object concerned, or "". */
    const char *text;        /**< One sentence with names and figures, without a full stop or a line end. Never NULL. */
} yoke_error;

/**
 * Name of a code, for example "YOKE_ETIMEDOUT".
 *
 * @param code  A code; any number may be given.
 * @return Static text; "YOKE_UNKNOWN" for what is no code. Never NULL. Any thread; safe after a fork.
 */
YOKE_API const char *yoke_error_name(int code);

/**
 * What a code means in general. yoke_last_error() tells more.
 *
 * @param code  A code; any number may be given.
 * @return Static text, never NULL. Any thread; safe after a fork.
 */
YOKE_API const char *yoke_error_text(int code);

/**
 * The last failure of a yoke call in the calling thread. Calls that succeed leave it as it is.
 *
 * @return Borrowed: belongs to the thread, valid until its next yoke call that fails, or its end. Never NULL; before any
 *         failure its code is #YOKE_OK. A child that this process starts begins without one.
 */
YOKE_API const yoke_error *yoke_last_error(void);

/* ---- short ways to check ----------------------------------------------------------------------------------------- */

/**
 * Leaves the enclosing function with the code if the expression is negative. For functions that return codes. What was
 * opened before is not closed.
 */
#define YOKE_TRY(e)                                                                                                    \
    do {                                                                                                               \
        int yoke_rc_ = (e);                                                                                            \
        if (yoke_rc_ < 0)                                                                                              \
            return yoke_rc_;                                                                                           \
    } while (0)

/**
 * Ends the program if the expression is negative: prints file, line, expression and sentence to standard error,
 * terminates the children, and exits with status 1. For `main`, tests and examples.
 */
#define YOKE_CHECK(e)                                                                                                  \
    do {                                                                                                               \
        int yoke_rc_ = (e);                                                                                            \
        if (yoke_rc_ < 0)                                                                                              \
            yoke_die_(__FILE__, __LINE__, #e, yoke_rc_);                                                               \
    } while (0)

/** What #YOKE_CHECK calls; doesn't return. */
YOKE_API void yoke_die_(const char *file, int line, const char *expression, int code);

YOKE_END

#endif
