/* Arguments on their way into a child. */
#include "cargo.h"

#include "../error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- packing ----------------------------------------------------------------------------------------------------- */

/* An object of a named domain: the child opens that domain by its name, and this process keeps a handle meanwhile. */
static int stow_abroad(yoke__cargo *cargo, yoke__start_entry *entry, const yoke__handle *handle)
{
    yoke__handle *kept;

    YOKE_TRY(yoke__handle_open(&kept, handle->domain, yoke__kind_of_handle(entry->kind), handle->id));
    cargo->kept[cargo->kept_count++] = kept;
    entry->what = YOKE__ENTRY_ABROAD;
    entry->value = yoke__handle_reference(handle);
    snprintf((char *)entry->domain, sizeof entry->domain, "%s", handle->domain->name);
    return YOKE_OK;
}

static int stow_object(yoke__cargo *cargo, yoke__start_entry *entry, const void *item, const yoke_domain *home)
{
    const yoke__handle *handle = yoke__handle_check(item, yoke__kind_of_handle(entry->kind));

    if (!handle)
        return yoke_last_error()->code;
    if (handle->domain != home)
        return stow_abroad(cargo, entry, handle);
    entry->what = YOKE__ENTRY_OBJECT;
    entry->value = yoke__handle_reference(handle);
    return YOKE_OK;
}

static int stow_domain(yoke__start_entry *entry, const void *item)
{
    yoke_domain *domain;

    YOKE_TRY(yoke__domain_of(&domain, (yoke_domain *)(uintptr_t)item));
    entry->what = YOKE__ENTRY_DOMAIN;
    snprintf((char *)entry->domain, sizeof entry->domain, "%s", domain->name);
    return YOKE_OK;
}

/* NULL: there is none. */
static int check_room(const yoke__cargo *cargo)
{
    if (cargo && cargo->native_count < cargo->native_room)
        return YOKE_OK;
    return yoke__fail(YOKE_EMSGSIZE, "one start can carry %d connections, segments and files, not more",
                      YOKE__START_NATIVES);
}

/* The end is out of use from here on, until it is delivered or the cargo freed. */
static int stow_conn(yoke__cargo *cargo, yoke__start_entry *entry, const yoke__packed_handle *from)
{
    size_t           index = cargo->native_count;
    yoke__conn_move *move = &cargo->moves[index];
    yoke_conn       *conn = (yoke_conn *)(uintptr_t)from->handle;

    YOKE_TRY(check_room(cargo));
    YOKE_TRY(yoke__conn_move_prepare(move, conn));
    if (move->more_count > cargo->native_room - index - 1) {
        yoke__conn_move_abort(move);
        return check_room(NULL);
    }
    entry->what = YOKE__ENTRY_CONN;
    entry->value = (uint64_t)move->flags << 32 | (uint32_t)index;
    entry->size = move->unread_size;
    entry->share = move->share;
    cargo->natives[index] = move->native;
    cargo->conns[index] = conn;
    cargo->given[index] = (from->flags & 1u) != 0;
    cargo->unread_size += move->unread_size;
    cargo->native_count++;
    for (size_t i = 0; i < move->more_count; i++)
        cargo->natives[cargo->native_count++] = move->more[i];
    return YOKE_OK;
}

/* Counts as a user on its way from here on, until the child has it or the cargo is freed. */
static int stow_segment(yoke__cargo *cargo, yoke__start_entry *entry, const void *item)
{
    size_t            index = cargo->native_count;
    yoke_shm         *shm = (yoke_shm *)(uintptr_t)item;
    yoke__shm_passage passed = {.native = YOKE_NO_NATIVE};

    YOKE_TRY(check_room(cargo));
    YOKE_TRY(yoke__shm_pass(&passed, shm));
    entry->what = YOKE__ENTRY_SEGMENT;
    entry->value = yoke__segment_entry(index, &passed);
    cargo->natives[index] = passed.native;
    cargo->shms[index] = shm;
    cargo->flights[index] = passed.flight;
    cargo->native_count++;
    return YOKE_OK;
}

/* A copy is the child's; this process keeps its own. */
static int stow_file(yoke__cargo *cargo, yoke__start_entry *entry, const void *item)
{
    yoke_native native = yoke_file_native(item);

    if (native == YOKE_NO_NATIVE)
        return yoke__noted();
    YOKE_TRY(check_room(cargo));
    entry->what = YOKE__ENTRY_FILE;
    entry->value = cargo->native_count;
    cargo->natives[cargo->native_count++] = native;
    return YOKE_OK;
}

static int stow(yoke__cargo *cargo, size_t position, const yoke_domain *home)
{
    const yoke__packed_handle *from = &cargo->packed.handles[position];
    yoke__start_entry         *entry = &cargo->entries[position];

    entry->kind = from->kind;
    if (from->kind == YOKE_H_conn)
        return stow_conn(cargo, entry, from);
    if (from->kind == YOKE_H_domain)
        return stow_domain(entry, from->handle);
    if (from->kind == YOKE_H_shm)
        return stow_segment(cargo, entry, from->handle);
    if (from->kind == YOKE_H_file)
        return stow_file(cargo, entry, from->handle);
    if (yoke__kind_of_handle(from->kind) == YOKE__KIND_NONE)
        return yoke__fail(YOKE_ENOTSUP, "handles of kind %u can't be passed to a process", (unsigned)from->kind);
    return stow_object(cargo, entry, from->handle, home);
}

/* Bytes of strings and bytes in items, before anything is copied; stops counting past the limit. */
static uint64_t bytes_of(const yoke_item *item, unsigned depth)
{
    uint64_t sum = 0;

    if (item->kind == YOKE_STRING || item->kind == YOKE_BYTES_KIND)
        return item->size;
    if ((item->kind != YOKE_LIST_KIND && item->kind != YOKE_MAP_KIND) || !item->as.p || depth > YOKE_DEPTH_MAX)
        return 0; /* packing refuses what is wrong with it */
    for (size_t i = 0; i < item->size && sum <= YOKE__ARGUMENTS_MAX; i++)
        sum += bytes_of((const yoke_item *)item->as.p + i, depth + 1);
    return sum;
}

static int check_size(uint64_t size, const char *name)
{
    if (size > YOKE__ARGUMENTS_MAX)
        return yoke__fail(YOKE_EMSGSIZE,
                          "the arguments of process %s have %llu bytes or more, at most %llu are allowed", name,
                          (unsigned long long)size, (unsigned long long)YOKE__ARGUMENTS_MAX);
    return YOKE_OK;
}

static int check_items(const yoke_item *items, const char *name)
{
    if (items->kind != YOKE_LIST_KIND)
        return yoke__fail(YOKE_EINVAL, "the arguments of process %s are no list: use YOKE_ARGS()", name);
    return check_size(bytes_of(items, 0), name);
}

/* At most so many natives has a handle of that kind. */
static size_t natives_of(uint32_t kind)
{
    if (kind == YOKE_H_conn)
        return 1 + YOKE__ARRIVALS;
    return kind == YOKE_H_shm || kind == YOKE_H_file;
}

static int allocate(yoke__cargo *cargo)
{
    size_t count = cargo->packed.handle_count, conns = 0;

    for (size_t i = 0; i < count; i++)
        conns += natives_of(cargo->packed.handles[i].kind);
    cargo->entries = calloc(count, sizeof *cargo->entries);
    cargo->kept = calloc(count, sizeof *cargo->kept);
    if (!cargo->entries || !cargo->kept)
        return yoke__fail(YOKE_ENOMEM, "no memory for %zu handles among arguments", count);
    if (conns == 0)
        return YOKE_OK;
    conns = conns < YOKE__START_NATIVES ? conns : YOKE__START_NATIVES;
    cargo->native_room = conns;
    cargo->moves = calloc(conns, sizeof *cargo->moves);
    cargo->natives = calloc(conns, sizeof *cargo->natives);
    cargo->conns = calloc(conns, sizeof *cargo->conns);
    cargo->shms = calloc(conns, sizeof *cargo->shms);
    cargo->flights = calloc(conns, sizeof *cargo->flights);
    cargo->given = calloc(conns, sizeof *cargo->given);
    if (!cargo->moves || !cargo->natives || !cargo->conns || !cargo->shms || !cargo->flights || !cargo->given)
        return yoke__fail(YOKE_ENOMEM, "no memory for %zu connections among arguments", conns);
    return YOKE_OK;
}

static int stow_all(yoke__cargo *cargo, yoke_domain *home)
{
    if (cargo->packed.handle_count == 0)
        return YOKE_OK;
    YOKE_TRY(allocate(cargo));
    for (size_t i = 0; i < cargo->packed.handle_count; i++)
        YOKE_TRY(stow(cargo, i, home));
    return YOKE_OK;
}

int yoke__cargo_pack(yoke__cargo *cargo, yoke_domain *domain, const yoke_item *items, const char *name)
{
    int rc;

    memset(cargo, 0, sizeof *cargo);
    if (!items)
        return YOKE_OK;
    YOKE_TRY(check_items(items, name));
    YOKE_TRY(yoke__pack(&cargo->packed, items));
    rc = check_size(cargo->packed.size, name);
    if (rc == YOKE_OK)
        rc = stow_all(cargo, domain);
    if (rc < 0)
        yoke__cargo_free(cargo);
    return rc;
}

void yoke__cargo_delivered(yoke__cargo *cargo)
{
    for (size_t i = 0; i < cargo->native_count; i++) {
        if (!cargo->conns[i])
            continue; /* a segment stays here too */
        yoke__conn_move_commit(&cargo->moves[i]);
        if (cargo->given[i])
            yoke_conn_close(cargo->conns[i]);
    }
    cargo->native_count = 0;
    cargo->kept = NULL;
    cargo->kept_count = 0;
}

void yoke__cargo_free(yoke__cargo *cargo)
{
    for (size_t i = 0; i < cargo->native_count; i++) {
        if (cargo->conns[i])
            yoke__conn_move_abort(&cargo->moves[i]);
        else if (cargo->shms[i])
            yoke__shm_stay(cargo->shms[i], cargo->flights[i]);
    }
    for (size_t i = 0; i < cargo->kept_count; i++)
        yoke__handle_close(cargo->kept[i], NULL);
    free(cargo->moves);
    free(cargo->natives);
    free(cargo->conns);
    free(cargo->shms);
    free(cargo->flights);
    free(cargo->given);
    free(cargo->kept);
    free(cargo->entries);
    yoke__packed_free(&cargo->packed);
    memset(cargo, 0, sizeof *cargo);
}

/* ---- the block --------------------------------------------------------------------------------------------------- */

uint64_t yoke__cargo_block_size(const yoke__cargo *cargo, bool arguments)
{
    return sizeof(yoke__start_block) + cargo->packed.handle_count * sizeof(yoke__start_entry) +
           (arguments ? cargo->packed.size + cargo->unread_size : 0);
}

void yoke__cargo_fill(const yoke__cargo *cargo, yoke__start_block *block, bool arguments)
{
    size_t count = cargo->packed.handle_count;

    block->entry_count = (uint32_t)count;
    block->arguments_size = arguments ? cargo->packed.size : 0;
    if (count)
        memcpy(yoke__block_entries(block), cargo->entries, count * sizeof *cargo->entries);
    if (!arguments)
        return;
    if (cargo->packed.size)
        memcpy(yoke__block_arguments(block), cargo->packed.data, cargo->packed.size);
    uint8_t *unread = yoke__block_unread(block);
    for (size_t i = 0; i < cargo->native_count; i++) {
        if (cargo->moves[i].unread_size)
            memcpy(unread, cargo->moves[i].unread, cargo->moves[i].unread_size);
        unread += cargo->moves[i].unread_size;
    }
}
