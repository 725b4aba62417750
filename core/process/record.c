/* Process records in shared memory. */
#include "record.h"

#include "../domain/allocator.h"
#include "../domain/directory.h"
#include "../domain/inspect.h"
#include "../domain/participant.h"
#include "../error.h"

#include <string.h>

static uint64_t state_word(yoke__token owner, yoke__record_state state)
{
    return (uint64_t)owner << 32 | (uint32_t)state;
}

/* Cut to what fits. (Not by snprintf: in a forked child that would be the first to touch a dozen pages.) */
static void copy_text(void *to, size_t size, const char *from)
{
    size_t length = strlen(from);

    if (length >= size)
        length = size - 1;
    memcpy(to, from, length);
    ((char *)to)[length] = '\0';
}

/* ---- the object type --------------------------------------------------------------------------------------------- */

/* What an entry holds in flight, or 0. */
static yoke__reference reference_of(const yoke__start_entry *entry)
{
    return entry->what == YOKE__ENTRY_OBJECT ? entry->value : entry->share;
}

static void references(yoke_domain *domain, yoke__id id, void *object,
                       void (*visit)(void *user, yoke__reference reference), void *user)
{
    yoke__process_record *record = object;
    yoke__start_block    *block = yoke__record_block(domain, record);

    (void)id;
    if (!block || !yoke__a32_load_acquire(&record->carried))
        return;
    for (uint32_t i = 0; i < block->entry_count; i++) {
        yoke__reference reference = reference_of(&yoke__block_entries(block)[i]);
        if (reference)
            visit(user, reference);
    }
}

static bool links(yoke_domain *domain, yoke__id id, void *object, void *block, bool held)
{
    yoke__process_record *record = object;

    (void)id;
    (void)held;
    return yoke__a64_load_acquire(&record->block) == yoke__domain_offset(domain, block);
}

/* A child that died between claiming and giving back what was carried: it is in flight no longer. */
static void sweep(yoke_domain *domain, yoke__id id, void *object, yoke__token dead)
{
    yoke__process_record *record = object;

    (void)id;
    if (yoke__record_owner(record) != dead || !yoke__a64_load_acquire(&record->block))
        return;
    yoke__directory_note_pending(domain); /* first: who repeats this finds no more than the block */
    yoke__a32_store_release(&record->carried, 0);
}

/* Killed in between, the block is found linked, or the dead owner's. */
static void free_block(yoke_domain *domain, yoke__process_record *record, void *block)
{
    yoke__alloc_take(domain, block);
    yoke__a64_store_release(&record->block, 0);
    yoke__free(domain, block);
}

static void destroy(yoke_domain *domain, yoke__id id, void *object)
{
    yoke__process_record *record = object;
    yoke__start_block    *block = yoke__record_block(domain, record);

    (void)id;
    if (block)
        free_block(domain, record, block);
}

static void describe(yoke_domain *domain, yoke__id id, const void *object, char *text, size_t size)
{
    static const char *const    states[] = {"unknown", "prepared", "claimed by its process",
                                            "running", "finished", "given up"};
    const yoke__process_record *record = object;
    unsigned                    state = yoke__record_state_of(record);
    yoke__obituary              child;
    (void)id;
    yoke__text_add(text, size, "'%.*s', %s", (int)sizeof record->name - 1, (const char *)record->name,
                   states[state < sizeof states / sizeof *states ? state : 0]);
    if (state != YOKE__RECORD_CLAIMED && state != YOKE__RECORD_RUNNING)
        return;
    yoke__token_describe(domain, yoke__record_owner(record), &child);
    yoke__text_add(text, size, " (pid %lld)%s", (long long)child.pid,
                   yoke__token_alive(domain, yoke__record_owner(record)) ? "" : ", which is dead");
}

const yoke__object_type yoke__process_type = {
    .kind = YOKE__KIND_PROCESS,
    .name = "process",
    .destroy = destroy,
    .sweep = sweep,
    .links = links,
    .references = references,
    .describe = describe,
};

/* ---- making ------------------------------------------------------------------------------------------------------ */

static int init(yoke_domain *domain, yoke__id id, void *object, const void *argument)
{
    yoke__process_record    *record = object;
    const yoke__record_spec *spec = argument;

    (void)domain;
    (void)id;
    record->nonce = spec->nonce;
    record->flags = spec->flags;
    record->method = spec->method;
    record->parent_pid = spec->parent_pid;
    record->parent_token = spec->parent_token;
    copy_text(record->name, sizeof record->name, spec->name);
    copy_text(record->identity, sizeof record->identity, spec->identity);
    copy_text(record->parent_name, sizeof record->parent_name, spec->parent_name);
    yoke__a64_store_relaxed(&record->state, state_word(0, YOKE__RECORD_PREPARED));
    return YOKE_OK;
}

int yoke__record_create(yoke__handle **out, yoke_domain *domain, const yoke__record_spec *spec)
{
    const yoke__object_spec object = {
        .kind = YOKE__KIND_PROCESS,
        .mode = YOKE_CREATE,
        .size = sizeof(yoke__process_record),
        .argument = spec,
        .init = init,
    };
    return yoke__handle_create(out, domain, &object);
}

/* ---- states ------------------------------------------------------------------------------------------------------ */

bool yoke__record_claim_attempt(yoke__process_record *record, yoke__token child, uint32_t attempt)
{
    uint64_t expected = state_word(attempt, YOKE__RECORD_PREPARED);
    return yoke__a64_cas_acq_rel(&record->state, &expected, state_word(child, YOKE__RECORD_CLAIMED));
}

bool yoke__record_claim(yoke__process_record *record, yoke__token child)
{
    return yoke__record_claim_attempt(record, child, 0);
}

bool yoke__record_next_attempt(yoke__process_record *record, uint32_t attempt)
{
    uint64_t expected = state_word(attempt, YOKE__RECORD_PREPARED);
    return yoke__a64_cas_acq_rel(&record->state, &expected, state_word(attempt + 1, YOKE__RECORD_PREPARED));
}

bool yoke__record_abandon(yoke__process_record *record)
{
    uint64_t now = yoke__a64_load_acquire(&record->state);

    while ((uint32_t)now == YOKE__RECORD_PREPARED)
        if (yoke__a64_cas_acq_rel(&record->state, &now, state_word(0, YOKE__RECORD_ABANDONED)))
            return true;
    return false;
}

void yoke__record_running(yoke__process_record *record, yoke__token child)
{
    yoke__a64_store_release(&record->state, state_word(child, YOKE__RECORD_RUNNING));
}

void yoke__record_finish(yoke__process_record *record, yoke__token child, const yoke_result *result)
{
    record->how = (int32_t)result->how;
    record->code = result->code;
    record->error = result->error;
    copy_text(record->text, YOKE__RESULT_TEXT, result->text);
    yoke__a64_store_release(&record->state, state_word(child, YOKE__RECORD_FINISHED)); /* commits the above */
}

bool yoke__record_result(const yoke__process_record *record, yoke_result *out)
{
    if (yoke__record_state_of(record) != YOKE__RECORD_FINISHED)
        return false;
    out->how = (yoke_outcome)record->how;
    out->code = record->code;
    out->error = record->error;
    memcpy(out->text, record->text, sizeof out->text);
    out->text[sizeof out->text - 1] = '\0';
    return true;
}

/* ---- exit status ------------------------------------------------------------------------------------------------- */

/* {1 : 1 | known : 1 | signal : 30 | code : 32}: one store tells it all. */
#define NOTED UINT64_C(0x8000000000000000)
#define KNOWN UINT64_C(0x4000000000000000)

void yoke__record_note(yoke__process_record *record, const yoke_exit_status *status)
{
    uint64_t signal = (uint32_t)status->signal & 0x3fffffffu;
    uint64_t note = NOTED | (status->known ? KNOWN : 0) | signal << 32 | (uint32_t)status->code;

    yoke__a64_store_release(&record->note, note);
    yoke__a32_store_release(&record->noted, 1);
}

bool yoke__record_noted(const yoke__process_record *record, yoke_exit_status *out)
{
    uint64_t note = yoke__a64_load_acquire(&record->note);

    if (!(note & NOTED))
        return false;
    out->known = (note & KNOWN) != 0;
    out->signal = (int32_t)(note >> 32 & 0x3fffffffu);
    out->code = (int32_t)(uint32_t)note;
    return true;
}

/* ---- references in flight ---------------------------------------------------------------------------------------- */

int yoke__record_carry(yoke_domain *domain, yoke__handle *handle, yoke__start_block *block)
{
    yoke__process_record    *record = handle->object;
    const yoke__start_entry *entries = yoke__block_entries(block);

    for (uint32_t i = 0; i < block->entry_count; i++)
        if (reference_of(&entries[i]))
            YOKE_TRY(yoke__reference_add(domain, reference_of(&entries[i])));
    yoke__a32_store_relaxed(&record->carried, 1);
    yoke__a64_store_release(&record->block, yoke__domain_offset(domain, block)); /* shows the ids */
    yoke__alloc_give(domain, block, handle->id);
    return YOKE_OK;
}

/* The block goes last: its entries say what to drop. Nobody else reads them without the registry lock, so once that was
 * ours after they stopped counting, nobody still does. */
void yoke__record_drop(yoke_domain *domain, yoke__process_record *record)
{
    yoke__start_block *block = yoke__record_block(domain, record);

    if (!block)
        return;
    if (yoke__a32_load_acquire(&record->carried)) {
        yoke__a32_store_release(&record->carried, 0);
        for (uint32_t i = 0; i < block->entry_count; i++)
            if (reference_of(&yoke__block_entries(block)[i]))
                yoke__reference_drop(domain, reference_of(&yoke__block_entries(block)[i]));
    }
    yoke__registry_acquire(domain);
    free_block(domain, record, block);
    yoke__registry_release(domain);
}
