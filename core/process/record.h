/*
 * The process record: an object of the default domain. First it is the start record that the child reads, then it holds
 * what the child leaves behind.
 *
 * Who writes what: the parent fills everything but the result before the child can know the record's id. From then on
 * only three things change: the state word, the result (by the child that claimed, before FINISHED), and the note on the
 * exit status (by whoever reaps the child).
 */
#ifndef YOKE_CORE_PROCESS_RECORD_H
#define YOKE_CORE_PROCESS_RECORD_H

#include "start.h"

/* The state word is {token of the child : 32 | state : 32}. PREPARED belongs to the parent. One CAS makes it the child's
 * (CLAIMED) or nobody's (ABANDONED: the parent gave up, or saw the child die before it claimed). FINISHED commits the
 * result by a release store. */
typedef enum yoke__record_state {
    YOKE__RECORD_PREPARED = 1,
    YOKE__RECORD_CLAIMED = 2,
    YOKE__RECORD_RUNNING = 3, /* user code has begun */
    YOKE__RECORD_FINISHED = 4,
    YOKE__RECORD_ABANDONED = 5,
} yoke__record_state;

#define YOKE__RESULT_TEXT 200u
_Static_assert(sizeof(((yoke_result *)0)->text) == YOKE__RESULT_TEXT, "a record holds what a result shows");

typedef struct yoke__process_record {
    yoke__a64 state;
    uint64_t  nonce;
    yoke__a64 note;  /* exit status as the system told it, see yoke__record_note(); 0: nobody reaped it yet */
    yoke__a32 noted; /* 1 once note stands; slept on by who waits for a child of the forkserver */
    yoke__a32
        carried; /* 1 while the block's objects are references in flight. Written by parent or child, whose the state
                          says it is; read under the registry lock */
    yoke__a64 block; /* offset of the yoke__start_block, or 0 */
    uint32_t  flags; /* YOKE__START_… */
    uint32_t  method;
    int64_t   parent_pid;
    uint32_t  parent_token;
    uint32_t  reserved;
    uint8_t   name[YOKE__NAME_SIZE];
    uint8_t   identity[YOKE__NAME_SIZE]; /* "1:2": how its children's default names begin */
    uint8_t   parent_name[YOKE__NAME_SIZE];
    /* -- result; the child's until FINISHED */
    int32_t how, code, error;
    uint8_t text[YOKE__RESULT_TEXT + 4];
} yoke__process_record;
_Static_assert(sizeof(yoke__process_record) == 472, "shared layout");

/* What the function is called with, and where it lies. Present unless memory itself is inherited (fork) and nothing is
 * carried. Followed by the entries, then by the packed arguments, then by what connections had read ahead. */
typedef struct yoke__start_block {
    uint64_t        arguments_size;
    uint32_t        entry_count;
    uint32_t        target;                    /* yoke__target_kind */
    yoke_code_place place;                     /* where target is a place */
    uint8_t         function[YOKE__NAME_SIZE]; /* where it is a name */
} yoke__start_block;
_Static_assert(sizeof(yoke__start_block) % 8 == 0, "entries are aligned");

typedef enum yoke__target_kind {
    YOKE__TARGET_ADDRESS = 0, /* fork: told in memory */
    YOKE__TARGET_PLACE = 1,
    YOKE__TARGET_NAME = 2,
} yoke__target_kind;

/* What the handle at this position of the arguments stands for. */
typedef struct yoke__start_entry {
    uint32_t kind; /* yoke_kind */
    uint32_t what; /* yoke__carried_kind */
    uint64_t value;
    uint64_t size; /* of a connection: bytes it had read ahead; they lie behind the arguments in order of the entries */
    yoke__reference share;                   /* of a connection that is shared: a reference in flight; or 0 */
    uint8_t         domain[YOKE__NAME_SIZE]; /* of the named domain that is meant, or that the object lies in */
} yoke__start_entry;

typedef enum yoke__carried_kind {
    YOKE__ENTRY_OBJECT = 1,  /* value: id in the default domain; a reference in flight */
    YOKE__ENTRY_ABROAD = 2,  /* value: id in the named domain, which the parent keeps a handle on */
    YOKE__ENTRY_CONN = 3,    /* value: {flags : 32 | index among the natives : 32} */
    YOKE__ENTRY_DOMAIN = 4,  /* named, or "" for the default one */
    YOKE__ENTRY_FILE = 6,    /* value: index among the natives */
    YOKE__ENTRY_SEGMENT = 5, /* value: {read only : 1 | slot in flight + 1 : 31 | index among the natives : 32} */
} yoke__carried_kind;
_Static_assert(sizeof(yoke__start_entry) == 96, "shared layout");

extern const yoke__object_type yoke__process_type;

static inline yoke__record_state yoke__record_state_of(const yoke__process_record *record)
{
    return (yoke__record_state)(uint32_t)yoke__a64_load_acquire(&record->state);
}
static inline yoke__token yoke__record_owner(const yoke__process_record *record)
{
    return (yoke__token)(yoke__a64_load_acquire(&record->state) >> 32);
}
static inline yoke__start_block *yoke__record_block(yoke_domain *domain, const yoke__process_record *record)
{
    uint64_t offset = yoke__a64_load_acquire(&record->block);
    return offset ? yoke__domain_at(domain, offset) : NULL;
}
static inline yoke__start_entry *yoke__block_entries(yoke__start_block *block)
{
    return (yoke__start_entry *)(block + 1);
}
static inline uint8_t *yoke__block_arguments(yoke__start_block *block)
{
    return (uint8_t *)(yoke__block_entries(block) + block->entry_count);
}
static inline uint8_t *yoke__block_unread(yoke__start_block *block)
{
    return yoke__block_arguments(block) + block->arguments_size;
}

/* What a new record is filled from. */
typedef struct yoke__record_spec {
    const char *name, *identity, *parent_name;
    uint32_t    flags, method;
    uint64_t    nonce;
    int64_t     parent_pid;
    yoke__token parent_token;
} yoke__record_spec;
int yoke__record_create(yoke__handle **out, yoke_domain *domain, const yoke__record_spec *spec);

/* One CAS each; false: it is not (or no longer) PREPARED. */
bool yoke__record_claim(yoke__process_record *record, yoke__token child);
bool yoke__record_abandon(yoke__process_record *record);
/* While it is PREPARED, the upper half of the state counts attempts to start the child: one that was started by a former
 * attempt can't claim any more. */
bool yoke__record_claim_attempt(yoke__process_record *record, yoke__token child, uint32_t attempt);
bool yoke__record_next_attempt(yoke__process_record *record, uint32_t attempt);
/* By the child that claimed. */
void yoke__record_running(yoke__process_record *record, yoke__token child);
void yoke__record_finish(yoke__process_record *record, yoke__token child, const yoke_result *result);
/* Fills out from a FINISHED record; false: it isn't. */
bool yoke__record_result(const yoke__process_record *record, yoke_result *out);

void yoke__record_note(yoke__process_record *record, const yoke_exit_status *status);
bool yoke__record_noted(const yoke__process_record *record, yoke_exit_status *out);

/* By the parent: makes the objects of a block of this process's, complete and intended for the record, references in
 * flight, and the block the record's. The caller's handles on them are open. YOKE_ENOENT: nothing has happened. */
int yoke__record_carry(yoke_domain *domain, yoke__handle *handle, yoke__start_block *block);
/* By whom the state makes the owner: gives the references back and frees the block. */
void yoke__record_drop(yoke_domain *domain, yoke__process_record *record);

#endif
