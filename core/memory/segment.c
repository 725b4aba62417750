#include "segment.h"

#include "../backend.h"
#include "../error.h"

#include <stdio.h>
#include <string.h>

static yoke__segment_user *user_at(yoke__segment_header *segment, uint32_t index)
{
    return (yoke__segment_user *)((uint8_t *)segment + segment->users) + index;
}

/* ---- making and checking ----------------------------------------------------------------------------------------- */

static uint64_t whole_pages(uint64_t size)
{
    uint64_t page = yoke__backend()->system->page_size();
    return (size + page - 1) / page * page;
}

/* "+name" among the names of memory, so that domains can't have the same. */
void yoke__segment_full_name(char out[64], const char *name)
{
    snprintf(out, 64, "+%s", name);
}

static void fill_header(yoke__segment_header *segment, const char *name, uint64_t data, size_t size, uint64_t total)
{
    segment->version = YOKE__SEGMENT_VERSION;
    segment->user_count = *name ? YOKE__SEGMENT_USERS : 0;
    segment->users = whole_pages(sizeof *segment);
    segment->data = data;
    segment->size = size;
    segment->total = total;
    snprintf(segment->name, sizeof segment->name, "%s", name);
    /* release: pairs with the acquire in yoke__segment_check; who sees the magic sees the rest */
    yoke__a64_store_release(&segment->magic, YOKE__SEGMENT_MAGIC);
}

int yoke__segment_make(yoke_memory *out, const char *name, size_t size)
{
    size_t   slots = *name ? YOKE__SEGMENT_USERS * sizeof(yoke__segment_user) : 0;
    uint64_t data = whole_pages(sizeof(yoke__segment_header)) + whole_pages(slots);
    uint64_t total;
    char     full[64];
    if (size > SIZE_MAX / 2 - data)
        return yoke__fail(YOKE_ENOMEM, "a segment of %zu bytes is more than the address space", size);
    total = whole_pages(data + size);
    if (total > yoke__backend()->memory->available())
        return yoke__fail(YOKE_ENOMEM, "a segment of %zu bytes is more than the %llu that are left", size,
                          (unsigned long long)yoke__backend()->memory->available());
    yoke__segment_full_name(full, name);
    YOKE_TRY(yoke__backend()->memory->create(out, *name ? full : NULL, total, total, 0));
    fill_header(out->base, name, data, size, total);
    return YOKE_OK;
}

/* What is written in a header, against the memory that there is. */
static int check_header(const yoke__segment_header *segment, uint64_t there)
{
    uint64_t slots = (uint64_t)segment->user_count * sizeof(yoke__segment_user);
    if (segment->version != YOKE__SEGMENT_VERSION)
        return yoke__fail(YOKE_EPROTO, "the segment is of format %lu, this library reads %u",
                          (unsigned long)segment->version, YOKE__SEGMENT_VERSION);
    if (segment->total > there)
        return yoke__fail(YOKE_EPROTO, "the segment says %llu bytes, but there are %llu",
                          (unsigned long long)segment->total, (unsigned long long)there);
    if (segment->user_count > YOKE__SEGMENT_USERS || segment->users < sizeof *segment || segment->users % 8 ||
        segment->data < segment->users || slots > segment->data - segment->users || segment->data > segment->total ||
        segment->size > segment->total - segment->data || !memchr(segment->name, 0, YOKE__SEGMENT_NAME))
        return yoke__fail(YOKE_EPROTO, "the header of the segment is damaged");
    return YOKE_OK;
}

int yoke__segment_check(const yoke_memory *first, bool *ready)
{
    const yoke__segment_header *segment = first->base;
    uint64_t                    there, magic;
    YOKE_TRY(yoke__backend()->memory->size(first, &there));
    *ready = false;
    if (there < sizeof *segment)
        return YOKE_OK; /* the maker was sizing it */
    magic = yoke__a64_load_acquire(&segment->magic);
    if (magic == 0)
        return YOKE_OK;
    if (magic != YOKE__SEGMENT_MAGIC)
        return yoke__fail(YOKE_EPROTO, "that memory is not a segment");
    *ready = true;
    return check_header(segment, there);
}

/* ---- users ------------------------------------------------------------------------------------------------------- */

static bool is_alive(yoke__segment_user *user)
{
    const yoke_life_ops *life = yoke__backend()->life;
    yoke_identity        who = {.pid = (int64_t)yoke__a64_load_relaxed(&user->pid),
                                .start = yoke__a64_load_relaxed(&user->start),
                                .space = yoke__a64_load_relaxed(&user->space)};
    yoke_native          watch;
    bool                 alive;
    int                  code = life->watch(&watch, &who);
    if (code < 0)
        return code != YOKE_ENOENT; /* cannot tell: alive */
    alive = life->is_alive(watch) != 0;
    life->close(watch);
    return alive;
}

int yoke__segment_claim(yoke__segment_header *segment, yoke__segment_use use, uint32_t *index)
{
    yoke_identity self;
    uint32_t      i = 0;
    YOKE_TRY(yoke__backend()->life->self(&self));
    while (i < segment->user_count && yoke__a64_load_relaxed(&user_at(segment, i)->state) != YOKE__USE_NONE)
        i++;
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

bool yoke__segment_land(yoke__segment_header *segment)
{
    for (uint32_t i = 0; i < segment->user_count; i++) {
        if (yoke__a64_load_relaxed(&user_at(segment, i)->state) == YOKE__USE_FLIGHT) {
            yoke__segment_release(segment, i);
            return true;
        }
    }
    return false;
}

bool yoke__segment_in_use(yoke__segment_header *segment)
{
    bool found = false;
    for (uint32_t i = 0; i < segment->user_count; i++) {
        yoke__segment_user *user = user_at(segment, i);
        if (yoke__a64_load_acquire(&user->state) == YOKE__USE_NONE)
            continue;
        if (is_alive(user))
            found = true;
        else
            yoke__segment_release(segment, i);
    }
    return found;
}
