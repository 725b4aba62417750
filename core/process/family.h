/*
 * What this process knows of itself, of its parent, and of its children. Process-local.
 */
#ifndef YOKE_CORE_PROCESS_FAMILY_H
#define YOKE_CORE_PROCESS_FAMILY_H

#include "../local.h"
#include "../wait/deadline.h"
#include "record.h"

/* ---- this process ------------------------------------------------------------------------------------------------ */

typedef struct yoke__self {
    bool              ready;  /* yoke_main was called, or we are a child */
    uint64_t          epoch;  /* counts forks, so that inherited handles are told apart from own ones */
    yoke_start_method method; /* as set; YOKE_START_DEFAULT: not set */
    uint32_t          flags;  /* YOKE__START_… */
    char              name[YOKE__NAME_SIZE];
    char              identity[YOKE__NAME_SIZE];
    yoke__a64         started;      /* children so far: N of their default names */
    char              program[512]; /* argv[0] */
    /* In a child that yoke started, until it leaves; else NULL and 0. */
    yoke_domain  *domain;
    yoke__handle *record;
    yoke__token   token;
} yoke__self;
extern yoke__self yoke__self_state;

/* Hooks for forks and exits, once; any thread. */
void yoke__self_init(void);
/* Makes this process the child that message names. Before it joins the domain. */
void yoke__self_become(const yoke__start_message *message);
/* The record is claimed: what it says of the parent. */
void                                yoke__self_claimed(yoke_domain *domain, yoke__handle *handle, yoke__token token);
static inline yoke__process_record *yoke__self_record(void)
{
    return yoke__self_state.record ? yoke__self_state.record->object : NULL;
}

/* ---- others ------------------------------------------------------------------------------------------------------ */

typedef enum yoke__relation { YOKE__IS_CHILD = 1, YOKE__IS_SELF = 2, YOKE__IS_PARENT = 3 } yoke__relation;

/* Behind every yoke_process, at handle.extra. */
typedef struct yoke__relative {
    yoke__relation relation;
    uint32_t       flags;
    int64_t        pid;
    char           name[YOKE__NAME_SIZE];
    yoke__token    token; /* of a parent */
    yoke_domain   *domain;
    /* -- of a child */
    struct yoke__relative *next;
    uint64_t               serial; /* the list runs from the highest down */
    yoke__handle          *handle;
    yoke__process_record  *record;
    uint64_t               epoch;  /* of its creator */
    int64_t                since;  /* before it was started, seconds since 1970 */
    bool                   direct; /* ours to reap; otherwise the forkserver's */
    bool                   listed;
    yoke_native            life;     /* readable once it is dead */
    yoke_native            lifeline; /* write end: it lives as long as we want, or YOKE_NO_NATIVE */
    yoke_native            read_end; /* while it is being started */
    yoke__a32              ended;    /* YOKE__RELATIVE_… */
    yoke__a32              closing;  /* 1: by the thread that set it */
    yoke_exit_status       status;   /* once ended */
    yoke__handle         **kept;     /* handles of named domains, held until it has ended */
    size_t                 kept_count;
} yoke__relative;

enum {
    YOKE__RELATIVE_RUNS = 0,
    YOKE__RELATIVE_SETTLING = 1,
    YOKE__RELATIVE_AWAITED = 2, /* settling, and other threads sleep until it is */
    YOKE__RELATIVE_ENDED = 3
};

/* YOKE_OK for a handle of a child that this process started; else YOKE_EINVAL, YOKE_ECLOSED or YOKE_ECHILD: "only its
 * creator may <what>". */
int yoke__child_check(const yoke_process *process, const char *what);

/* Hooks for forks, by yoke__self_init. */
void yoke__children_hooks(void);
/* Children: made before they are started, so that a fork by another thread meanwhile closes their natives. */
yoke__relative *yoke__child_new(yoke_domain *domain, yoke__handle *record, const char *name, uint32_t flags);
/* A lifeline for it, closed in every forked process but the child itself. */
int yoke__child_lifeline(yoke__relative *child);
/* Around the call that forks: tells the fork hook whose read end to leave open. NULL: nobody's. */
void yoke__child_starting(yoke__relative *child);
void yoke__child_close_read_end(yoke__relative *child);
/* It runs: from now on it is counted among the active children. */
void yoke__child_started(yoke__relative *child);
/* Takes it out of the list. */
void yoke__child_unlist(yoke__relative *child);
/* The same, and frees it, its natives included; not its handle. */
void yoke__child_free(yoke__relative *child);

/* True once it is dead and settled: reaped, its result fixed, what it left in flight given back. Waits until the
 * deadline. */
bool yoke__child_wait(yoke__relative *child, yoke__deadline deadline);
void yoke__child_result(const yoke__relative *child, yoke_result *out);
int  yoke__child_signal(yoke__relative *child, yoke_signal signal);

bool yoke__children_any(void);
/* Calls visit for each child that runs or was not closed yet; no lock is held. Children started meanwhile are left
 * out. */
void yoke__children_each(void (*visit)(yoke__relative *child, void *user), void *user);

/* ---- leaving (leave.c) ------------------------------------------------------------------------------------------- */

/* Ends children in good order: daemons terminated, the rest joined. */
void yoke__children_end(void);
/* Hooks for exits and forks, by yoke__self_init. */
void yoke__leave_hooks(void);

#endif
