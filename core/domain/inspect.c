/*
 * A look at who and what is in a domain. Reads what others write, and never waits long: participants and deaths are read
 * without a lock; objects and waiters by batches under the registry lock, so that no object goes away while it is read,
 * or without that lock if its holder doesn't let go. Visitors run without a lock.
 */
#include "inspect.h"

#include "../backend.h"
#include "../error.h"
#include "../message/text.h"
#include "../options.h"
#include "../wait/word.h"
#include "allocator.h"
#include "directory.h"
#include "names.h"
#include "participant.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PATIENCE 200 /* ms for the registry lock, once */
#define BATCH    32u

typedef struct inspection {
    yoke_domain               *domain;
    const yoke_domain_visitor *visitor;
    void                      *user;
    bool                       held;     /* the registry lock, now */
    bool                       hopeless; /* its holder doesn't let go */
} inspection;

/* ---- texts ------------------------------------------------------------------------------------------------------- */

void yoke__text_add(char *text, size_t size, const char *format, ...)
{
    size_t     length = strlen(text);
    yoke__text whole;
    va_list    values;
    va_start(values, format);
    int rc = yoke__text_format(&whole, format, values);
    va_end(values);
    if (rc != YOKE_OK)
        return;
    (void)snprintf(text + length, size - length, "%s", whole.data);
    yoke__text_free(&whole);
}

void yoke__text_add_holder(char *text, size_t size, yoke_domain *domain, uint32_t word)
{
    yoke__token    owner = word & YOKE__TOKEN_MASK;
    yoke__obituary holder;
    if (!owner) {
        yoke__text_add(text, size, "free");
        return;
    }
    yoke__token_describe(domain, owner, &holder);
    yoke__text_add(text, size, "held by %s (pid %lld)%s", holder.name[0] ? holder.name : "a process",
                   (long long)holder.pid, yoke__token_alive(domain, owner) ? "" : ", which is dead");
}

/* ---- participants ------------------------------------------------------------------------------------------------ */

static uint32_t count_waiting(yoke_domain *domain, yoke__token token)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < YOKE__THREADS; i++) {
        yoke__thread *thread = &domain->layout->threads[i];
        n += yoke__a32_load_relaxed(&thread->owner) == token && yoke__a64_load_relaxed(&thread->waits_for) != 0;
    }
    return n;
}

static yoke_participant_state state_of(yoke__participant *participant, uint64_t word)
{
    bool alive = yoke__slot_alive(participant, word);
    switch (yoke__slot_state_of(word)) {
    case YOKE__SLOT_JOINING:
        return alive ? YOKE_PARTICIPANT_JOINING : YOKE_PARTICIPANT_DEAD;
    case YOKE__SLOT_LIVE:
        return alive ? YOKE_PARTICIPANT_ALIVE : YOKE_PARTICIPANT_DEAD;
    default:
        return YOKE_PARTICIPANT_LEFT;
    }
}

/* False: nobody has that slot, or it changed hands while we looked. */
static bool look_at_participant(yoke_domain *domain, uint32_t slot, yoke_participant_info *out)
{
    yoke__participant *participant = &domain->layout->participants[slot];
    uint64_t           word = yoke__a64_load_acquire(&participant->word);
    yoke__token        token = yoke__token_make(slot, yoke__slot_generation(word));
    yoke__obituary     known;
    if (yoke__slot_state_of(word) == YOKE__SLOT_FREE)
        return false;
    *out = (yoke_participant_info){.struct_size = sizeof *out,
                                   .pid = yoke__slot_pid(word),
                                   .state = state_of(participant, word),
                                   .self = token == yoke__domain_token(domain),
                                   .since = (int64_t)yoke__a64_load_relaxed(&participant->since),
                                   .waiting = count_waiting(domain, token)};
    yoke__participant_name(participant, out->name);
    if (yoke__slot_state_of(word) == YOKE__SLOT_JOINING) {
        out->since = 0; /* what stands there is the last one's */
        out->name[0] = '\0';
    }
    if (out->state == YOKE_PARTICIPANT_LEFT && yoke__obituary_of(domain, token, &known) && !known.left)
        out->state = YOKE_PARTICIPANT_DEAD; /* and being recovered */
    yoke__fence_seq_cst();
    return yoke__a64_load_relaxed(&participant->word) == word;
}

static void visit_participants(const inspection *look)
{
    yoke_participant_info info;
    for (uint32_t slot = 0, bound = yoke__slot_bound(look->domain); slot < bound; slot++)
        if (look_at_participant(look->domain, slot, &info) && !look->visitor->participant(look->user, &info))
            return;
}

/* ---- under the registry lock ------------------------------------------------------------------------------------- */

static void begin_batch(inspection *look)
{
    look->held = !look->hopeless && yoke__registry_look(look->domain, PATIENCE);
    look->hopeless = !look->held;
}

static void end_batch(inspection *look)
{
    if (look->held)
        yoke__registry_release(look->domain);
    look->held = false;
}

/* The object of an entry that stood at word, if it lies in the domain. */
static const void *object_of(yoke_domain *domain, const yoke__entry *entry)
{
    return yoke__domain_check(domain, yoke__a64_load_relaxed(&entry->offset), 64);
}

static void add_state(const inspection *look, yoke__id id, char *text, size_t size)
{
    yoke__entry             *entry = look->held ? yoke__entry_live(look->domain, id) : NULL;
    const void              *object = entry ? object_of(look->domain, entry) : NULL;
    const yoke__object_type *type = object
                                        ? yoke__object_type_of(yoke__entry_kind(yoke__a64_load_relaxed(&entry->word)))
                                        : NULL;
    if (type && type->describe)
        type->describe(look->domain, id, object, text, size);
}

/* ---- waiters ----------------------------------------------------------------------------------------------------- */

/* False: that thread waits for nothing. */
static bool look_at_waiter(const inspection *look, uint32_t index, yoke_waiter_info *out)
{
    yoke__thread  *thread = &look->domain->layout->threads[index];
    yoke__token    owner = yoke__a32_load_acquire(&thread->owner);
    yoke__id       object = yoke__a64_load_acquire(&thread->waits_for);
    int64_t        since = (int64_t)yoke__a64_load_relaxed(&thread->since);
    yoke__obituary who;
    if (!owner || !object)
        return false;
    yoke__token_describe(look->domain, owner, &who);
    *out = (yoke_waiter_info){.struct_size = sizeof *out,
                              .pid = who.pid,
                              .thread = yoke__a64_load_relaxed(&thread->native),
                              .waited_ms = (yoke__backend()->system->now() - since) / 1000000,
                              .object = object};
    (void)yoke__object_describe(look->domain, object, out->what, sizeof out->what);
    add_state(look, object, out->state, sizeof out->state);
    return true;
}

static void visit_waiters(inspection *look)
{
    yoke_waiter_info batch[BATCH];
    bool             more = true;
    for (uint32_t i = 0; more && i < YOKE__THREADS;) {
        uint32_t n = 0;
        begin_batch(look);
        while (n < BATCH && i < YOKE__THREADS)
            n += look_at_waiter(look, i++, &batch[n]);
        end_batch(look);
        for (uint32_t k = 0; more && k < n; k++)
            more = look->visitor->waiter(look->user, &batch[k]);
    }
}

/* ---- objects ----------------------------------------------------------------------------------------------------- */

static void copy_text(char *out, size_t size, yoke_domain *domain, const char *name)
{
    const char *whole = name ? yoke__domain_check(domain, yoke__domain_offset(domain, name), size) : NULL;
    if (whole)
        memcpy(out, whole, size);
    out[size - 1] = '\0';
}

/* False: there is no living object. */
static bool look_at_object(const inspection *look, uint32_t index, yoke_object_info *out)
{
    yoke_domain *domain = look->domain;
    yoke__entry *entry = yoke__entry_at(domain, index);
    uint64_t     word = entry ? yoke__a64_load_acquire(&entry->word) : 0;
    const void  *object = entry ? object_of(domain, entry) : NULL;
    if (!object || yoke__entry_state_of(word) != YOKE__ENTRY_LIVE)
        return false;
    *out = (yoke_object_info){.struct_size = sizeof *out,
                              .id = YOKE__ID(index, yoke__entry_generation(word)),
                              .kind = yoke__kind_name(yoke__entry_kind(word)),
                              .bytes = yoke__alloc_size(domain, object),
                              .references = yoke__a32_load_relaxed(&entry->count) & YOKE__COUNT_MASK};
    copy_text(out->name, sizeof out->name, domain, yoke__entry_name(domain, entry));
    add_state(look, out->id, out->state, sizeof out->state);
    yoke__fence_seq_cst();
    return yoke__entry_live(domain, out->id) != NULL;
}

static void count_waiters(yoke_domain *domain, yoke_object_info *batch, uint32_t n)
{
    for (uint32_t i = 0; i < YOKE__THREADS; i++) {
        yoke__id object = yoke__a64_load_relaxed(&domain->layout->threads[i].waits_for);
        for (uint32_t k = 0; object && k < n; k++)
            batch[k].waiters += batch[k].id == object;
    }
}

/* Not only by the count, which nobody has to believe. */
static bool has_entry(yoke_domain *domain, uint32_t index)
{
    return index < yoke__a32_load_relaxed(&yoke__domain_header(domain)->directory_count) &&
           yoke__entry_at(domain, index) != NULL;
}

static void visit_objects(inspection *look)
{
    yoke_object_info batch[BATCH];
    bool             more = true;
    for (uint32_t i = 1; more && has_entry(look->domain, i);) {
        uint32_t n = 0;
        begin_batch(look);
        while (n < BATCH && has_entry(look->domain, i))
            n += look_at_object(look, i++, &batch[n]);
        end_batch(look);
        count_waiters(look->domain, batch, n);
        for (uint32_t k = 0; more && k < n; k++)
            more = look->visitor->object(look->user, &batch[k]);
    }
}

/* ---- deaths ------------------------------------------------------------------------------------------------------ */

static void visit_deaths(const inspection *look)
{
    uint64_t       written = yoke__obituaries(look->domain);
    yoke__obituary known;
    bool           more = true;
    for (uint64_t n = written > YOKE__DEATHS ? written - YOKE__DEATHS : 0; more && n < written; n++) {
        if (!yoke__obituary_at(look->domain, n, &known) || known.left)
            continue;
        yoke_death_info info = {.struct_size = sizeof info,
                                .pid = known.pid,
                                .when = known.when,
                                .exit_known = known.how != 0,
                                .exit_code = known.how == 1 ? known.code : 0,
                                .exit_signal = known.how == 2 ? known.code : 0};
        memcpy(info.name, known.name, sizeof info.name);
        more = look->visitor->death(look->user, &info);
    }
}

/* ---- the calls --------------------------------------------------------------------------------------------------- */

int yoke_domain_inspect(yoke_domain *domain, const yoke_domain_visitor *visitor, void *user)
{
    if (!visitor)
        return yoke__fail(YOKE_EINVAL, "yoke_domain_inspect needs a visitor");
    YOKE_TRY(yoke__options_check(visitor, sizeof *visitor, "yoke_domain_visitor"));
    YOKE_TRY(yoke__domain_of(&domain, domain));
    if (!yoke__domain_token(domain))
        return yoke__noted();
    inspection look = {.domain = domain, .visitor = visitor, .user = user};
    if (visitor->participant)
        visit_participants(&look);
    if (visitor->waiter)
        visit_waiters(&look);
    if (visitor->object)
        visit_objects(&look);
    if (visitor->death)
        visit_deaths(&look);
    return YOKE_OK;
}

int yoke_domain_info_get(yoke_domain *domain, yoke_domain_info *out)
{
    YOKE_TRY(yoke__report_check(out, "yoke_domain_info"));
    YOKE_TRY(yoke__domain_of(&domain, domain));
    const yoke__header *header = yoke__domain_header(domain);
    yoke_domain_info    told = {.permissions = header->permissions, .user = header->user};
    memcpy(told.name, domain->name, sizeof told.name);
    told.committed = yoke__a64_load_relaxed(&header->committed);
    yoke__domain_tell(&told, header);
    yoke__slots_count(domain->layout->participants, yoke__slot_bound(domain), &told.alive, &told.dead);
    yoke__report_fill(out, &told, sizeof told);
    return YOKE_OK;
}
