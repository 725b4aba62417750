/**
 * @file process.h
 * Functions run in other processes.
 *
 * A program calls yoke_main() first thing in its main(). From then on yoke_process_start() runs a function of the
 * program, or of a shared library, in a child process:
 *
 * @code
 * static int worker(const yoke_args *args)
 * {
 *     printf("%s in process %lld\n", yoke_args_string(args, 0), (long long)yoke_process_pid(yoke_process_current()));
 *     return 0;
 * }
 *
 * int main(int argc, char **argv)
 * {
 *     yoke_process *process;
 *
 *     yoke_main(argc, argv);
 *     YOKE_CHECK(yoke_process_start(&process, worker, YOKE_ARGS("hello"), NULL));
 *     YOKE_CHECK(yoke_process_finish(process, NULL, YOKE_FOREVER));
 *     return 0;
 * }
 * @endcode
 *
 * **Exit rules.** A child ends when its function returns, or by yoke_exit(). It then runs its handlers of
 * yoke_at_exit(), ends its own children by these same rules, flushes stdio and is gone: handlers of the C library's
 * atexit() do not run in it. When the program itself leaves main() or calls exit(), its daemons are terminated (killed
 * if they have not gone after two seconds) and all its other children are joined.
 *
 * **Ownership.** A process belongs to the process that started it: only that one may join, signal or close it. Any of
 * its threads may, at the same time.
 *
 * **Fork.** A child forked by the program itself, with fork(), owns none of its parent's processes. It may start its
 * own.
 *
 * **Signals.** The library installs no handler for good: SIGCHLD may be handled, blocked or ignored by the program, and
 * the program may wait for any child. What it takes away, only the exit status of a child that died without leaving a
 * result, is then reported as unknown.
 */
#ifndef YOKE_PROCESS_H
#define YOKE_PROCESS_H

#include "args.h"

YOKE_BEGIN

#if defined(__GNUC__) && !defined(YOKE_DOXYGEN)
#define YOKE_NORETURN_ __attribute__((noreturn))
#else
#define YOKE_NORETURN_
#endif

/** What runs in a child. A negative return is an error: the result carries the text of the child's last error. What the
 *  arguments give out lives until the process has run its exit handlers. */
typedef int yoke_function(const yoke_args *args);

/** How a child comes to be. */
typedef enum yoke_start_method {
    /** What yoke_set_start_method() said, else the environment variable YOKE_START_METHOD, else spawn. */
    YOKE_START_DEFAULT,
    /** A fresh process runs the same executable. Works everywhere, whatever threads the parent has. It has no descriptors
     *  of the parent's but the standard ones and what its arguments hand on. */
    YOKE_START_SPAWN,
    /** A copy of the parent: fast, and everything in memory is there. In a program with threads the copy has only one
     *  of them, and locks that others held (those of malloc excepted) stay locked in it. */
    YOKE_START_FORK,
    /** A small server, itself spawned once, forks the child: fast also for a large parent, safe with threads. Such a
     *  child is no direct child of the program for the system; it is one for the library. */
    YOKE_START_FORKSERVER
} yoke_start_method;

/** A yes or no with a default. */
typedef enum yoke_choice { YOKE_DEFAULT, YOKE_YES, YOKE_NO } yoke_choice;

/** How a process ended. */
typedef enum yoke_outcome {
    YOKE_RUNNING,       /**< not yet */
    YOKE_RETURNED,      /**< the function returned `code` */
    YOKE_EXITED,        /**< by yoke_exit(), exit() or alike, with status `code` */
    YOKE_SIGNALLED,     /**< by signal `signal` */
    YOKE_NOT_STARTED,   /**< the function never ran; `error` and `text` say why */
    YOKE_BAD_ARGUMENTS, /**< the function asked its arguments for a wrong index, kind or range; `text` says which */
    YOKE_UNKNOWN        /**< it left no result, and its exit status was taken by somebody else */
} yoke_outcome;

/** The null device, in the options of yoke_process_start(). */
#define YOKE_STDIO_NULL (-1)
/** What the parent has. */
#define YOKE_STDIO_INHERIT (-2)

/** Options of yoke_process_start(); zero means default. Strings and lists are copied by the call. */
typedef struct yoke_process_options {
    YOKE_SIZED_(yoke_process_options);
    /** At most 63 bytes. Default: "Process-N", the Nth child of the program; "Process-N:M", the Mth child of that. */
    const char       *name;
    yoke_start_method method;
    /** A daemon is terminated when its parent exits in good order, and may not start processes itself. Default: no. */
    yoke_choice daemon;
    /** The system kills the child when its parent is gone, however the parent ended and whatever the child does.
     *  Default: yes for daemons, else no. */
    yoke_choice die_with_parent;
    /** Only for spawn: have the forkserver do it, which stays fast when the parent is large. */
    yoke_choice via_server;
    /** The child's whole environment, "NAME=value" each, NULL-ended. Default: inherited. */
    const char *const *environment;
    /** Added to the environment, NULL-ended: "NAME=value" sets, "NAME" alone removes. */
    const char *const *environment_add;
    /** Default: inherited. */
    const char *working_directory;
    /** Only for spawn: another executable, which must call yoke_main() as well. The function then has to be a
     *  registered one or lie in a shared library. Default: yoke_set_executable(), else the running executable. */
    const char *executable;
    /** A native descriptor (POSIX) or HANDLE (Windows), which stays the caller's, or YOKE_STDIO_…. 0: the default, which
     *  is the null device for stdin and the parent's for the others. */
    intptr_t stdin_to, stdout_to, stderr_to;
} yoke_process_options;

/** How a process ended. In C set struct_size before use. */
typedef struct yoke_result {
    YOKE_SIZED_(yoke_result);
    yoke_outcome how;
    int          code;      /**< returned value or exit status, 32 bits on all systems; else 0 */
    int          signal;    /**< POSIX signal number if signalled, else 0. On Windows, what it was ended by or what its
                                 crash would be elsewhere: 2, 4, 5, 6, 8, 9, 11 or 15 */
    int          error;     /**< error code the child noted last if it failed, else 0 */
    char         text[200]; /**< its sentence, perhaps cut; "" if there is none */
} yoke_result;

/* ---- the program ------------------------------------------------------------------------------------------------- */

/**
 * Makes this program able to start processes. Call it first thing in main(), before threads and before other functions
 * of yoke, but after yoke_register(), yoke_backend_choose() (yoke/backend.h) and yoke_domain_configure().
 *
 * In a process started by yoke this runs its function and never returns. A process that claims to be one but whose
 * channel doesn't answer rightly ends with a sentence on stderr and status 125, before any code of the program ran.
 *
 * @param argc main()'s.
 * @param argv main()'s; borrowed for the call.
 *
 * Calling it again does nothing. By one thread.
 */
YOKE_API void yoke_main(int argc, char **argv);

/**
 * Gives a function a name that yoke_process_start_named() finds in the child, for where its place can't be verified or
 * another executable is meant. Call it in every process before yoke_main(), by one thread.
 *
 * @param name     Copied; at most 63 bytes.
 * @param function What it names.
 * @retval YOKE_OK     Also if that function has that name already.
 * @retval YOKE_EEXIST Another function has the name.
 * @retval YOKE_EINVAL No name, a too long one, or no function.
 * @retval YOKE_ENOMEM
 */
YOKE_API int yoke_register(const char *name, yoke_function *function);

/**
 * Sets the start method of this program and of the processes it starts, until set again. By one thread.
 *
 * @param method YOKE_START_DEFAULT goes back to the environment variable, or spawn.
 * @retval YOKE_OK
 * @retval YOKE_EINVAL  There is no such method.
 * @retval YOKE_ENOTSUP This system hasn't got it; see yoke_start_methods().
 */
YOKE_API int yoke_set_start_method(yoke_start_method method);

/**
 * The method that a start without option would use now. YOKE_START_DEFAULT only if the environment variable
 * YOKE_START_METHOD names no method, which yoke_last_error() then tells.
 */
YOKE_API yoke_start_method yoke_get_start_method(void);

/** The methods this system has, one bit each: `1u << YOKE_START_SPAWN` and so on. 0 if the environment variable
 *  YOKE_BACKEND names no backend, which yoke_last_error() then tells. */
YOKE_API unsigned yoke_start_methods(void);

/** "spawn", "fork", "forkserver" or "default"; NULL for no method. */
YOKE_API const char *yoke_start_method_name(yoke_start_method method);

/**
 * The method of that name, as options of programs have it.
 *
 * @param out  Receives it.
 * @param name One of those of yoke_start_method_name().
 * @retval YOKE_OK
 * @retval YOKE_EINVAL There is none; the sentence lists them.
 */
YOKE_API int yoke_start_method_parse(yoke_start_method *out, const char *name);

/**
 * Sets the executable that spawn and the forkserver run from now on. For programs whose main() is not theirs (plugins,
 * language bindings): with one set, such as yoke's installed helper, yoke_main() need not have been called, and functions
 * have to lie in a shared library.
 *
 * @param path Copied. NULL: the running executable again.
 * @retval YOKE_OK
 * @retval YOKE_ENOMEM
 */
YOKE_API int yoke_set_executable(const char *path);

/**
 * Sets a function that the forkserver calls before it forks anything, so that its children find the work done: libraries
 * loaded, tables filled. If it fails, the forkserver reports that on stderr and serves all the same.
 *
 * @param function Called with no arguments. NULL: none.
 * @retval YOKE_OK
 * @retval YOKE_EINVAL Its place can't be told to another process.
 * @retval YOKE_EBUSY  The forkserver runs already: set it before the first start that needs one.
 */
YOKE_API int yoke_set_forkserver_preload(yoke_function *function);

/** CPUs this process may use, at least 1: affinity and the cgroup's quota are counted. #YOKE_ENOENT: the environment
 *  variable YOKE_BACKEND names no backend. */
YOKE_API int yoke_cpu_count(void);
/** CPUs of the machine that are on line. #YOKE_ENOENT as above. */
YOKE_API int yoke_cpu_count_all(void);

/* ---- starting ---------------------------------------------------------------------------------------------------- */

/**
 * Starts a process that calls function(arguments).
 *
 * The function may be static. It must lie in the program or in a shared library; except under fork its place is told as
 * an offset in its module, and the child verifies that the module is the same build.
 *
 * Objects in the arguments live at least until the child has them. A connection moves: the child gets the end, and the
 * caller's handle answers YOKE_EMOVED from then on; with YOKE_GIVE it is closed. Objects of a named domain need that
 * domain to have its name in the child, and this process to live until the child has them.
 *
 * What goes wrong in the child before its function runs, such as a function of another build, is told by its result.
 * On failure of this call no process runs, nothing was moved or closed, and *out is untouched.
 *
 * Any thread. Under fork all stdio streams are flushed first, so none may be locked by a thread that waits in it.
 *
 * @param out       Receives the process; close it by yoke_process_finish() or yoke_process_close().
 * @param function  What to run there.
 * @param arguments YOKE_ARGS(…) of plain values, handles and lists of them, or NULL for none. Copied; at most 1 GiB.
 * @param options   NULL means defaults. Borrowed for the call.
 * @retval YOKE_OK      It runs, or has already run.
 * @retval YOKE_EINVAL  yoke_main() was not called; the caller is a daemon; a bad handle, option or name; a function that
 *                      lies in no module that can be identified.
 * @retval YOKE_ENOTSUP A method this system hasn't got, or an option that the method hasn't.
 * @retval YOKE_ENOENT  No such executable, or, under spawn, working directory; under fork and forkserver the result tells
 *                      of the directory. Also: the environment variable YOKE_BACKEND names no backend.
 * @retval YOKE_EACCES  The executable may not be run.
 * @retval YOKE_EMSGSIZE Arguments over 1 GiB, or over 240 connections; an environment larger than the system or the
 *                      forkserver takes.
 * @retval YOKE_EMOVED  A connection in the arguments has moved away before.
 * @retval YOKE_EBUSY   A connection is in use by another thread, or stands in the arguments twice.
 * @retval YOKE_ENOMEM  No memory, processes or descriptors are left.
 * @retval YOKE_EPROTO  The forkserver gave an answer that can't be read, and was ended.
 * @retval YOKE_EIO     The system refused otherwise.
 */
YOKE_API YOKE_CHECKED int yoke_process_start(yoke_process **out, yoke_function *function, const yoke_item *arguments,
                                             const yoke_process_options *options);

/**
 * The same for a function by name: one that yoke_register() has named in the child. Under fork it must have the name
 * here (else YOKE_ENOENT); with the other methods the child's result tells.
 */
YOKE_API YOKE_CHECKED int yoke_process_start_named(yoke_process **out, const char *name, const yoke_item *arguments,
                                                   const yoke_process_options *options);

/* ---- a started process ------------------------------------------------------------------------------------------- */

/**
 * Waits until the process is gone. May be repeated, and called by several threads.
 *
 * @param process A process that this one started.
 * @param timeout Milliseconds, or YOKE_FOREVER.
 * @retval YOKE_OK        It is gone; yoke_process_result() tells how.
 * @retval YOKE_ETIMEDOUT It still runs.
 * @retval YOKE_ECHILD    Not started by this process, or the calling process itself.
 * @retval YOKE_EINVAL    No open handle.
 */
YOKE_API YOKE_CHECKED int yoke_process_join(yoke_process *process, int64_t timeout);

/**
 * Joins, tells the result, and closes. A process that failed is no error of this call: see the result.
 *
 * @param process Closed unless this fails.
 * @param result  Receives how it ended; its struct_size must be set. NULL: not asked.
 * @param timeout As yoke_process_join().
 * @return As yoke_process_join(). After YOKE_ETIMEDOUT the handle is still open.
 */
YOKE_API YOKE_CHECKED int yoke_process_finish(yoke_process *process, yoke_result *result, int64_t timeout);

/**
 * How the process ended, or YOKE_RUNNING. Never waits.
 *
 * @param process A process that this one started.
 * @param out     Its struct_size must be set.
 * @retval YOKE_OK
 * @retval YOKE_ECHILD Not started by this process, or the calling process itself.
 * @retval YOKE_EINVAL No open handle, or out is NULL or without its struct_size.
 */
YOKE_API int yoke_process_result(yoke_process *process, yoke_result *out);

/**
 * Whether it runs. Also of yoke_process_parent() and yoke_process_current(). False with the last error set on a bad
 * handle, and for a process that somebody else started.
 */
YOKE_API bool yoke_process_is_alive(const yoke_process *process);

/**
 * Asks it to end: SIGTERM on POSIX. On Windows, where nothing can be asked of a process, it ends it at once.
 *
 * @retval YOKE_OK     Asked, or gone already.
 * @retval YOKE_ECHILD Not started by this process, or the calling process itself.
 * @retval YOKE_EINVAL No open handle.
 * @retval YOKE_EACCES It has changed to another user.
 */
YOKE_API int yoke_process_terminate(yoke_process *process);
/** Ends it at once: SIGKILL on POSIX. Otherwise as yoke_process_terminate(). */
YOKE_API int yoke_process_kill(yoke_process *process);
/** Interrupts it: SIGINT on POSIX. On Windows a Ctrl-Break, if it shares this process's console; if not, its end. Otherwise
 *  as yoke_process_terminate(). */
YOKE_API int yoke_process_interrupt(yoke_process *process);

/** The system's number of it, also after its end; -1 with the last error set on a bad handle. */
YOKE_API int64_t yoke_process_pid(const yoke_process *process);
/** Its name, which lives as long as the handle; NULL with the last error set on a bad handle. */
YOKE_API const char *yoke_process_name(const yoke_process *process);
/** Whether it is a daemon; false with the last error set on a bad handle. */
YOKE_API bool yoke_process_is_daemon(const yoke_process *process);

/**
 * A native descriptor or HANDLE that is readable (signalled) once the process is gone, for poll() and event loops. A
 * forked copy of this process has it no longer.
 *
 * @param process A process that this one started.
 * @param native  Receives it. It stays the library's and lives until the process is closed.
 * @retval YOKE_OK
 * @retval YOKE_ECHILD Not started by this process, or the calling process itself.
 * @retval YOKE_EINVAL No open handle, or native is NULL.
 */
YOKE_API int yoke_process_sentinel(const yoke_process *process, intptr_t *native);

/**
 * Drops the handle of a process that is gone. In a process that didn't start it: drops the handle only.
 *
 * @param process NULL is fine.
 * @retval YOKE_OK
 * @retval YOKE_EBUSY  It still runs, and the handle stays open.
 * @retval YOKE_EINVAL No open handle; or that of yoke_process_current() or yoke_process_parent().
 */
YOKE_API int yoke_process_close(yoke_process *process);

/**
 * The calling process: its name, pid and daemon flag can be asked. Its name is "MainProcess" where yoke didn't start it.
 * Stays the library's. NULL with the last error set if memory lacks.
 */
YOKE_API const yoke_process *yoke_process_current(void);

/**
 * The process that started this one: name, pid and whether it lives can be asked. Stays the library's. NULL with the
 * last error set (YOKE_ENOENT) in a process that yoke didn't start.
 */
YOKE_API const yoke_process *yoke_process_parent(void);

/**
 * The children of this process that still run. Those that are gone are reaped on the way.
 *
 * @param out      Receives up to capacity handles, the youngest first, which stay whose they are. May be NULL.
 * @param capacity Room in out.
 * @return How many there are. Never fails.
 */
YOKE_API int64_t yoke_active_children(yoke_process **out, size_t capacity);

/* ---- leaving ----------------------------------------------------------------------------------------------------- */

/**
 * Ends the calling process: in a child by the exit rules above, with the result YOKE_EXITED; elsewhere as exit() does.
 * Never returns.
 *
 * @param code All 32 bits reach the parent's result. As exit status of the system: 1 if it is negative, or if its lowest
 *             8 bits alone would read as success.
 */
YOKE_NORETURN_ YOKE_API void yoke_exit(int code);

/**
 * Has a function called when this process ends in good order: last registered first, before its children are ended. Not
 * inherited by children. Any thread.
 *
 * @param handler May call anything but yoke_at_exit().
 * @param user    Handed to it.
 * @retval YOKE_OK
 * @retval YOKE_EINVAL handler is NULL.
 * @retval YOKE_ENOMEM
 */
YOKE_API int yoke_at_exit(void (*handler)(void *user), void *user);

YOKE_END
#endif
