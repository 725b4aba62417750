/*
 * How a child comes to be: what its parent tells it, and the two entries through which every start method goes.
 *
 *   parent                                         child
 *   record in the domain (record.h), PREPARED
 *   start message into the lifeline pipe
 *   backend starts the process      ────────────>  spawn: yoke_main sees argv[1], reads the message, maps the domain
 *                                                  fork, forkserver: has all that in memory
 *                                                  yoke__child_run: claims the record by one CAS, runs, leaves a result
 *
 * Natives of a spawned child, in the order in which it claims them: the domain's memory, the read end of its lifeline,
 * then connections and segments.
 */
#ifndef YOKE_CORE_PROCESS_START_H
#define YOKE_CORE_PROCESS_START_H

#include "../domain/object.h"
#include "../error.h"
#include "args.h"

#include <yoke/process.h>

#define YOKE__START_MAGIC   UINT64_C(0x3174726174736b79) /* "ykstart1" less a letter, little endian */
#define YOKE__START_VERSION 1u

/* argv[1] of a started child: the flag, the number of natives inherited, a colon, the backend's name; argv[2] is the
 * name of the process, for those who list processes. */
#define YOKE__CHILD_FLAG    "--yoke-child="
#define YOKE__CHILD_MEMORY  0
#define YOKE__CHILD_LIFE    1
#define YOKE__CHILD_NATIVES 2

/* What a child that may not run ends with; no user code has run then. */
#define YOKE__CHILD_REFUSED   125
#define YOKE__CHILD_NO_MEMORY 124 /* for want of memory or address space */

#define YOKE__START_NATIVES 240 /* most connections one start can carry; below what one datagram can */

typedef enum yoke__start_role {
    YOKE__ROLE_CHILD = 1,
    YOKE__ROLE_FORKSERVER = 2, /* the natives after the first two are the forkserver's own */
} yoke__start_role;

enum {
    YOKE__START_DAEMON = 1,
    YOKE__START_DIE_WITH_PARENT = 2, /* arm the lifeline; otherwise it is closed */
};

/* Read by the child from its lifeline before it trusts anything else. Copied as it is: both ends are one build. */
typedef struct yoke__start_message {
    uint64_t magic;
    uint32_t version;
    uint32_t size; /* of this struct */
    uint32_t role;
    uint32_t flags;
    uint32_t default_method; /* of the process family; yoke_start_method */
    uint32_t attempt;        /* must equal the record's; only a forkserver that died makes it more than 0 */
    uint64_t domain_id;
    uint64_t domain_reserve;
    yoke__id record; /* 0 for the forkserver */
    uint64_t nonce;  /* must equal the record's */
    uint8_t  name[YOKE__NAME_SIZE];
} yoke__start_message;

/* ---- what a forkserver (forkserver.c) is asked ---------------------------------------------------------------------- */

typedef struct yoke__child_start yoke__child_start;

typedef struct yoke__start_request {
    yoke_domain               *domain;
    const yoke__start_message *message;
    /* False: the server forks itself and the child calls yoke__child_run. True (spawn via server): the server starts
     * launch by process->spawn. */
    bool spawn;
    /* stdio, environment, directory always; program, arguments and inherit (memory, lifeline, others) only if spawn. The
     * message already stands in the lifeline. YOKE_STDIO_INHERIT means this process's descriptors. */
    const yoke_launch *launch;
    yoke_native        lifeline; /* read end, YOKE_NO_NATIVE if none is needed; stays the caller's */
    const yoke_native *natives;  /* connections; stay the caller's */
    size_t             native_count;
} yoke__start_request;

/* Has the forkserver start a child, launching or relaunching the server if need be. *child: pid, and start time unless
 * the server still holds the pid unreaped until the caller can have a watch on it (then 0). */
int yoke__forkserver_start(const yoke__start_request *request, yoke_identity *child);
/* The forkserver's own life, in a process that yoke_main found to be one. */
_Noreturn void yoke__forkserver_run(const yoke__child_start *start);
/* Whether this process's forkserver lives. */
bool yoke__forkserver_alive(void);
/* By the forkserver, for a child of its: how the system says that it ended. One store, and wakes who waits for it. False:
 * it ended before its function began, and somebody still has the record. */
bool yoke__process_note_exit(yoke_domain *domain, yoke__id record, const yoke_exit_status *status);

/* ---- a child's life ---------------------------------------------------------------------------------------------- */

struct yoke__child_start {
    yoke_domain        *domain; /* mapped; it has no token yet */
    yoke__start_message message;
    yoke_native         lifeline; /* read end or YOKE_NO_NATIVE */
    const yoke_native  *natives;  /* connections, taken over */
    size_t              native_count;
    /* What still has to be done about stdio, environment and directory; NULL: nothing. */
    const yoke_launch *redirect;
    /* Fork only: function and arguments as they lie in memory. NULL: the record tells. */
    yoke_function *function;
    const void    *arguments;
    size_t         arguments_size;
    yoke_conn    **conns; /* the handles that go with natives: one of the two is NULL for each */
    yoke_shm     **shms;
    void (*claimed)(yoke_domain *domain, yoke__token self); /* called once the record is this process's; or NULL */
};

/* Runs a started child to its end; for all methods. In a forked child the fork hooks have run. */
_Noreturn void yoke__child_run(const yoke__child_start *start);

/* Before a child has claimed its record: a sentence to stderr, and the end (YOKE__CHILD_REFUSED). */
_Noreturn void yoke__child_refuse(const char *format, ...) YOKE_FORMAT(1, 2);

/* Starts a program that is told `message` through a new lifeline, by process->spawn: the way of spawn and of the
 * forkserver. natives stand behind the first two. *lifeline: this process's end of it. launch: program, environment, directory and
 * stdio; its arguments and inherit are filled in here. */
int yoke__launch_child(int64_t *pid, yoke_native *lifeline, const yoke__start_message *message, yoke_launch *launch,
                       const yoke_native *natives, size_t native_count);
/* Fills a message for a child or server in the default domain. */
void yoke__start_message_init(yoke__start_message *message, yoke_domain *domain, yoke__start_role role);

/* What yoke_set_executable said, or NULL. */
const char *yoke__executable(void);

/* ---- ends -------------------------------------------------------------------------------------------------------- */

/* The one way out of a started child: handlers of yoke_at_exit, its own children, stdio, the result {how, code, error,
 * text}, the domain, exit_now. In a process that yoke did not start: exit(code). */
_Noreturn void yoke__process_leave(yoke_outcome how, int code, int error, const char *text);
/* yoke__args_fatal (args.h): wrong index, kind or range of an argument: sentence to stderr and into the record; ends the
 * child. yoke__process_terminate_children (../error.h): YOKE_CHECK failed: terminates this process's children, then kills
 * what is left of them after a second. */

/* Name for this process's participant slot and for messages: its own, or "MainProcess". Never NULL. */
const char *yoke__process_own_name(void);

#endif
