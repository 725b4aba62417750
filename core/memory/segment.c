#include "segment.h"

#include "../backend.h"
#include "../error.h"

#include <stdio.h>
#include <string.h>

static yoke__segment_user *user_at(const yoke__segment_header *segment, uint32_t index)
{
    return (yoke__segment_user *)(void *)((uint8_t *)(uintptr_t)segment + segment->users) + index;
}

/* ---- making and checking ----------------------------------------------------------------------------------------- */

static uint64_t whole_pages(uint64_t size)
{
    uint64_t page = yoke__backend()->system->page_size();
    return (size + page - 1) / page * page;
}

uint64_t yoke__segment_self(void)
{
    uint64_t user = 0;
    if (yoke__backend()->memory->name_user)
        (void)yoke__backend()->memory->name_user(&user, NULL); /* can't fail for oneself */
    return user;
}

void yoke__segment_full_name(char out[YOKE__SEGMENT_FULL_NAME], uint64_t owner, const char *name)
{
    if (owner == yoke__segment_self())
        snprintf(out, YOKE__SEGMENT_FULL_NAME, "+%s", name);
    else
        snprintf(out, YOKE__SEGMENT_FULL_NAME, "%llu:+%s", (unsigned long long)owner, name);
}

static uint32_t slots_of(const yoke__segment_spec *spec)
{
    if (!*spec->name)
        return 0;
    return spec->max_users ? spec->max_users : YOKE__SEGMENT_USERS;
}

static int identify(yoke__segment_identity *out)
{
    static yoke__a64 made; /* segments, by this process; a forked child has another pid */
    yoke_identity    self;
    YOKE_TRY(yoke__backend()->life->self(&self));
    *out = (yoke__segment_identity){(uint64_t)self.pid, self.start, yoke__a64_add_acq_rel(&made, 1)};
    return YOKE_OK;
}

static void fill_header(yoke__segment_header *segment, const yoke__segment_spec *spec,
                        const yoke__segment_identity *identity, uint64_t data, uint64_t total)
{
    segment->version = YOKE__SEGMENT_VERSION;
    segment->user_count = slots_of(spec);
    segment->users = whole_pages(sizeof *segment);
    segment->data = data;
    segment->size = spec->size;
    segment->total = total;
    segment->owner = spec->owner;
    segment->identity = *identity;
    segment->persist = spec->persist;
    snprintf(segment->name, sizeof segment->name, "%s", spec->name);
    /* release: pairs with the acquire in yoke__segment_check; who sees the magic sees the rest */
    yoke__a64_store_release(&segment->magic, YOKE__SEGMENT_MAGIC);
}

int yoke__segment_make(yoke_memory *out, const yoke__segment_spec *spec)
{
    uint64_t slots = slots_of(spec) * sizeof(yoke__segment_user);
    uint64_t data = whole_pages(sizeof(yoke__segment_header)) + whole_pages(slots);
    uint64_t total, left = yoke__backend()->memory->available();
    char     full[YOKE__SEGMENT_FULL_NAME];

    yoke__segment_identity identity = {0};
    if (spec->size > SIZE_MAX / 2 - data)
        return yoke__fail(YOKE_ENOMEM, "a segment of %zu bytes is more than the address space", spec->size);
    total = whole_pages(data + spec->size);
    if (total > left)
        return yoke__fail(YOKE_ENOMEM, "a segment of %zu bytes is more than the %llu that are left", spec->size,
                          (unsigned long long)left);
    YOKE_TRY(identify(&identity));
    yoke__segment_full_name(full, spec->owner, spec->name);
    YOKE_TRY(yoke__backend()->memory->create(out, *spec->name ? full : NULL, total, total, spec->permissions));
    fill_header(out->base, spec, &identity, data, total);
    return YOKE_OK;
}

/* What is written in a header, against the memory that there is. */
static int check_figures(const yoke__segment_header *segment, uint64_t there)
{
    uint64_t slots = (uint64_t)segment->user_count * sizeof(yoke__segment_user);
    if (segment->version != YOKE__SEGMENT_VERSION)
        return yoke__fail(YOKE_EPROTO, "the segment is of format %lu, this library reads %u",
                          (unsigned long)segment->version, YOKE__SEGMENT_VERSION);
    if (segment->total > there)
        return yoke__fail(YOKE_EPROTO, "the segment says %llu bytes, but there are %llu",
                          (unsigned long long)segment->total, (unsigned long long)there);
    if (segment->user_count > YOKE__SEGMENT_USERS_MOST || segment->users < sizeof *segment || segment->users % 8 ||
        segment->data < segment->users || slots > segment->data - segment->users || segment->data > segment->total ||
        segment->size > segment->total - segment->data || !memchr(segment->name, 0, YOKE__SEGMENT_NAME))
        return yoke__fail(YOKE_EPROTO, "the header of the segment is damaged");
    return YOKE_OK;
}

int yoke__segment_check_header(const yoke__segment_header *segment, uint64_t there, bool *ready)
{
    uint64_t magic;
    *ready = false;
    if (there < sizeof *segment)
        return YOKE_OK; /* the maker was sizing it */
    magic = yoke__a64_load_acquire(&segment->magic);
    if (magic == 0)
        return YOKE_OK;
    if (magic != YOKE__SEGMENT_MAGIC)
        return yoke__fail(YOKE_EPROTO, "that memory is not a segment");
    *ready = true;
    return check_figures(segment, there);
}

int yoke__segment_check(const yoke_memory *first, bool *ready)
{
    uint64_t there = 0;
    YOKE_TRY(yoke__backend()->memory->size(first, &there));
    return yoke__segment_check_header(first->base, there, ready);
}

/* ---- users ------------------------------------------------------------------------------------------------------- */

static bool is_alive(const yoke__segment_user *user)
{
    const yoke_life_ops *life = yoke__backend()->life;
    yoke_identity        who = {.pid = (int64_t)yoke__a64_load_relaxed(&user->pid),
                                .start = yoke__a64_load_relaxed(&user->start),
                                .space = yoke__a64_load_relaxed(&user->space)};
    yoke_identity        self;
    yoke_native          watch;
    bool                 alive;
    int                  code;
    if (life->self(&self) == YOKE_OK && self.pid == who.pid && self.start == who.start && self.space == who.space)
        return true;
    code = life->watch(&watch, &who);
    if (code < 0)
        return code != YOKE_ENOENT; /* cannot tell: alive */
    alive = life->is_alive(watch) != 0;
    life->close(watch);
    return alive;
}

static uint32_t free_slot(const yoke__segment_header *segment)
{
    uint32_t i = 0;
    while (i < segment->user_count && yoke__a64_load_relaxed(&user_at(segment, i)->state) != YOKE__USE_NONE)
        i++;
    return i;
}

static void clear_dead(yoke__segment_header *segment)
{
    for (uint32_t i = 0; i < segment->user_count; i++) {
        yoke__segment_user *user = user_at(segment, i);
        if (yoke__a64_load_relaxed(&user->state) != YOKE__USE_NONE && !is_alive(user))
            yoke__segment_release(segment, i);
    }
}

int yoke__segment_claim(yoke__segment_header *segment, yoke__segment_use use, uint32_t *index)
{
    yoke_identity self;
    uint32_t      i = free_slot(segment);
    YOKE_TRY(yoke__backend()->life->self(&self));
    if (i == segment->user_count) {
        clear_dead(segment);
        i = free_slot(segment);
    }
    if (i == segment->user_count)
        return yoke__fail_object(YOKE_ENOMEM, segment->name, "segment '%s' has %lu users already", segment->name,
                                 (unsigned long)segment->user_count);
    yoke__a64_store_relaxed(&user_at(segment, i)->pid, (uint64_t)self.pid);
    yoke__a64_store_relaxed(&user_at(segment, i)->start, self.start);
    yoke__a64_store_relaxed(&user_at(segment, i)->space, self.space);
    yoke__a64_store_release(&user_at(segment, i)->state, (uint64_t)use);
    *index = i;
    return YOKE_OK;
}

void yoke__segment_release(yoke__segment_header *segment, uint32_t index)
{
    yoke__a64_store_release(&user_at(segment, index)->state, YOKE__USE_NONE);
}

void yoke__segment_land(yoke__segment_header *segment, uint32_t index)
{
    if (index < segment->user_count && yoke__a64_load_relaxed(&user_at(segment, index)->state) == YOKE__USE_FLIGHT)
        yoke__segment_release(segment, index);
}

bool yoke__segment_users_live(const yoke__segment_user *users, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (yoke__a64_load_acquire(&users[i].state) != YOKE__USE_NONE && is_alive(&users[i]))
            return true;
    return false;
}

bool yoke__segment_in_use(const yoke__segment_header *segment)
{
    return yoke__segment_users_live(user_at(segment, 0), segment->user_count);
}
