/*
 * Objects of a domain: directory entries with generations, names, references by participant. Handles: this process's
 * pointers to them, from a pool whose memory never changes type, so that a closed or wrong handle is an error and not a
 * fault.
 */
#ifndef YOKE_CORE_DOMAIN_OBJECT_H
#define YOKE_CORE_DOMAIN_OBJECT_H

#include "domain.h"

#include <yoke/handles.h> /* yoke_open_mode */

typedef enum yoke__kind {
    YOKE__KIND_NONE,
    YOKE__KIND_DOMAIN,  /* handles only */
    YOKE__KIND_CONN,    /* handles only */
    YOKE__KIND_PROCESS, /* process record: the start record, then the result */
    YOKE__KIND_QUEUE,
    YOKE__KIND_LOCK,
    YOKE__KIND_VALUE,
    YOKE__KIND_ARRAY,
    YOKE__KIND_SHM,
    YOKE__KIND_RLOCK,
    YOKE__KIND_RWLOCK,
    YOKE__KIND_SEMAPHORE,
    YOKE__KIND_CONDITION,
    YOKE__KIND_EVENT,
    YOKE__KIND_BARRIER,
    YOKE__KIND_SHAREABLE,
    YOKE__KIND_LISTENER, /* handles only */
    YOKE__KIND_FILE,     /* handles only */
    YOKE__KIND_SHARE,    /* turns at an end of a connection that several processes send on */
    YOKE__KIND_PARCEL,   /* what a message on a connection refers to, while it is on its way */
    YOKE__KIND_COUNT
} yoke__kind;

/* A reference is an id and, in its two highest bits, the roles that whoever has it gave up: whoever gets the reference
 * lacks them too. What a role is the kind knows; queues: 1 may put, 2 may get. */
typedef uint64_t       yoke__reference;
static inline yoke__id yoke__reference_id(yoke__reference reference)
{
    return reference & ~(UINT64_C(3) << 62);
}
static inline uint32_t yoke__reference_lacks(yoke__reference reference)
{
    return (uint32_t)(reference >> 62);
}
static inline yoke__reference yoke__reference_make(yoke__id id, uint32_t lacks)
{
    return id | (uint64_t)(lacks & 3u) << 62;
}

struct yoke__blocker;

/* What core knows of a kind of object; one constant of these per kind, listed in types.c. Any function may be NULL. All
 * are called with the registry lock held; they may take the object's own locks and the allocator's. */
typedef struct yoke__object_type {
    yoke__kind  kind;
    const char *name; /* as in messages: "queue" */
    /* The last reference is gone: frees what else belongs to the object (NULL: nothing does). The caller frees the
     * object's own block afterwards, and only that. Repeated if its caller dies. */
    void (*destroy)(yoke_domain *domain, yoke__id id, void *object);
    /* A participant died: hand back what it held in this object. Repeatable. This and links() are called under the registry
     * lock, so neither waits for long for a participant that may have been stopped: it counts domain->put_off up instead,
     * and the dead one's slot is not freed yet, so that the next patrol asks again. */
    void (*sweep)(yoke_domain *domain, yoke__id id, void *object, yoke__token dead);
    /* Does this object link the block that a dead participant owned (allocator.h)? held: by yoke__alloc_hold(). */
    bool (*links)(yoke_domain *domain, yoke__id id, void *object, void *block, bool held);
    /* Calls visit for each reference in flight that the object carries (messages, start records). */
    void (*references)(yoke_domain *domain, yoke__id id, void *object,
                       void (*visit)(void *user, yoke__reference reference), void *user);
    /* No table shows it: does something outside of the domain keep it all the same? NULL: nothing does. Nobody waits in
     * here. */
    bool (*wanted)(yoke_domain *domain, yoke__id id, const void *object);
    /* Who keeps a thread ({token:32 | thread:32}) from getting the object that it waits for (sync/deadlock.h): how many,
     * at most `most`, with YOKE__BLOCKERS_ALL if it goes on once any of them has let go. Unlike the others without any lock, on an object that may be gone: it must not fault or loop. NULL:
     * can't be told. */
    uint32_t (*blockers)(yoke_domain *domain, const void *object, uint64_t waiter, struct yoke__blocker *out,
                         uint32_t most);
    /* Somebody has one reference less, or with fewer roles; others are left. */
    void (*unreferenced)(yoke_domain *domain, yoke__id id, void *object);
    /* How it stands, for people: "held by Process-2 (pid 12)". Takes no lock, waits for nobody and writes nothing to the
     * object, which may change meanwhile. The text fits or is cut. inspect.h helps. */
    void (*describe)(yoke_domain *domain, yoke__id id, const void *object, char *text, size_t size);
} yoke__object_type;
const yoke__object_type *yoke__object_type_of(yoke__kind kind);
/* For tests, which put a kind of their own in the place of one: returns what was there. Before other threads run. */
const yoke__object_type *yoke__object_type_replace(yoke__kind kind, const yoke__object_type *type);

#define YOKE__HANDLE_MAGIC UINT32_C(0x796b6800) /* | kind; another value: closed or not a handle */

/* First member of every public handle struct that stands for an object: struct yoke_queue { yoke__handle handle; }. */
typedef struct yoke__handle {
    yoke__a32    magic;     /* YOKE__HANDLE_MAGIC | kind while open */
    yoke__a32    users;     /* calls that may be asleep in it, in this process */
    yoke__a32    closing;   /* YOKE__CLOSING, YOKE__GONE, YOKE__UNHELD or 0; if set sleepers answer YOKE_ECLOSED */
    uint32_t     reference; /* index in this participant's reference table; with holder, under the registry lock */
    yoke_domain *domain;
    void        *object; /* this process's address of it */
    yoke__id     id;
    void        *extra;               /* the kind's own, process-local */
    struct yoke__handle *next;        /* of free ones */
    uint64_t             private_[5]; /* the kind's own, process-local caches; zero at open */
    uint32_t             lacks; /* roles given up, as in a reference; under the registry lock, read by any thread */
    yoke__a32 holder;  /* token in whose table reference is; another than the domain's token: not renewed after fork */
    yoke__a32 watched; /* watches of this process on it, and YOKE__HAS_NATIVE; wait/hub.h, under the mutex there */
} yoke__handle;

#define YOKE__HAS_NATIVE UINT32_C(0x80000000) /* a descriptor was asked of it; wait/native.c */

enum {
    YOKE__CLOSING = 1, /* close has begun */
    YOKE__GONE = 2,    /* the object went away before a forked child came to hold it, or the domain was left */
    YOKE__UNHELD = 4,  /* a forked child had no memory to hold it: the next call tries again */
    YOKE__NOT_HELD = YOKE__GONE | YOKE__UNHELD
};

typedef struct yoke__object_spec {
    yoke__kind     kind;
    const char    *name; /* NULL: none */
    yoke_open_mode mode;
    uint64_t       size; /* of the object's own block */
    const void    *argument;
    /* Fills the zeroed object, which nobody else can see yet; may allocate (intended = id). No lock is held. After a
     * failure the caller frees whatever it allocated and gave to id; what still belongs to this process is its own to
     * free. */
    int (*init)(yoke_domain *domain, yoke__id id, void *object, const void *argument);
    /* The name exists: do the caller's options agree with it? An error names both figures. NULL: always. */
    int (*agree)(yoke_domain *domain, const void *object, const void *argument);
} yoke__object_spec;

/* The kind's name in messages: "queue". */
const char *yoke__kind_name(yoke__kind kind);

/* Makes or opens an object by spec. domain NULL: the default one. YOKE_EEXIST, YOKE_ENOENT, YOKE_ENOMEM, YOKE_EINVAL
 * (name), YOKE_ETYPE (the name is another kind's). */
int yoke__handle_create(yoke__handle **out, yoke_domain *domain, const yoke__object_spec *spec);
/* Opens by reference, as received from elsewhere. YOKE_ENOENT: gone or never was; YOKE_ETYPE. */
int yoke__handle_open(yoke__handle **out, yoke_domain *domain, yoke__kind kind, yoke__reference reference);
/* What others are given for a handle: its id and the roles that it lacks. */
static inline yoke__reference yoke__handle_reference(const yoke__handle *handle)
{
    return yoke__reference_make(handle->id, handle->lacks);
}
/* Gives up roles, for good. */
void yoke__handle_drop_roles(yoke__handle *handle, uint32_t roles);
/* Whether any participant has a reference to the object with that role, or one is in flight that is not in the object
 * itself. Takes the registry lock. */
bool yoke__role_somewhere(yoke_domain *domain, yoke__id id, uint32_t role);
/* A handle that stands for no object of a domain (connections); domain, object and id are zero. YOKE_ENOMEM. */
int yoke__handle_local(yoke__handle **out, yoke__kind kind);
/* Of such a handle: its extra for the first who asks, to close it; NULL for all others. Uses private_[0]. */
void *yoke__handle_claim(yoke__handle *handle);
/* The handle if it is open and of that kind; else NULL with the error noted: YOKE_EINVAL, or YOKE_ECLOSED if the object
 * went away before this forked child came to hold it (yoke_last_error()->code tells). In a forked child the first call
 * joins the domain and renews the references of all inherited handles. */
yoke__handle               *yoke__handle_check_all(const void *handle, yoke__kind kind);
static inline yoke__handle *yoke__handle_check(const void *handle, yoke__kind kind)
{
    yoke__handle *checked = (yoke__handle *)(uintptr_t)handle;
    /* Nearly always; anything else is looked into, and explained. */
    if (checked && yoke__a32_load_acquire(&checked->magic) == (YOKE__HANDLE_MAGIC | (uint32_t)kind) &&
        !yoke__a32_load_acquire(&checked->closing) && checked->domain &&
        yoke__a32_load_relaxed(&checked->domain->token))
        return checked;
    return yoke__handle_check_all(handle, kind);
}
/* Wakes sleepers through wake(handle) if there are any (NULL: none can sleep), waits for them, drops the reference.
 * NULL is fine. */
void yoke__handle_close(yoke__handle *handle, void (*wake)(yoke__handle *handle));
/* The same; calls last(handle) when nobody sleeps in it any more, while the reference still stands. */
void yoke__handle_close_with(yoke__handle *handle, void (*wake)(yoke__handle *handle),
                             void (*last)(yoke__handle *handle));
/* Around a sleep, so that close can wait for it. After enter look at closing before anything else: the fence pairs with
 * the one in close (either close sees the user, or the user sees closing). */
static inline void yoke__handle_enter(yoke__handle *handle)
{
    yoke__a32_add_acq_rel(&handle->users, 1);
    yoke__fence_after_exchange();
}
void               yoke__handle_left(yoke__handle *handle);
static inline void yoke__handle_exit(yoke__handle *handle)
{
    uint32_t before = yoke__a32_sub_acq_rel(&handle->users, 1);
    yoke__fence_after_exchange();
    if (before == 1 && yoke__a32_load_relaxed(&handle->closing))
        yoke__handle_left(handle);
}

/* The object behind an id, without locks; safe against stale and made-up ids. Only as good as the caller's own hold on
 * the object. YOKE_ENOENT, YOKE_ETYPE (kind YOKE__KIND_NONE: any). */
int yoke__object_find(void **object, yoke_domain *domain, yoke__kind kind, yoke__id id);

/*
 * References in flight. An object lives as long as its id stands in the reference table of a participant (open handles)
 * or in a carrier that is itself alive (what references() visits: messages, start records). These two are the whole
 * truth, counts are hints. So an id must never be in private hands only:
 *   sender    keeps its handle open until the carrier shows the id; calls yoke__reference_add() before that;
 *   receiver  opens its handles (yoke__handle_open) while the carrier still shows the ids (a hold does), lets the carrier
 *             go after that, and calls yoke__reference_drop() last.
 * The registry lock is taken inside.
 */
/* A carrier is about to show this reference. YOKE_ENOENT. */
int yoke__reference_add(yoke_domain *domain, yoke__reference reference);
/* A carrier no longer shows this reference: the object goes if that was the last of it. */
void yoke__reference_drop(yoke_domain *domain, yoke__reference reference);
/* Name of an object or "" ; kind as text; for messages. */
const char *yoke__object_describe(yoke_domain *domain, yoke__id id, char *buffer, size_t size);

#endif
