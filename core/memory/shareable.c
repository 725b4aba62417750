/* Lists of plain values: making, opening, setting. */
#include "shareable.h"

#include "../domain/inspect.h"
#include "../error.h"
#include "../message/node.h"
#include "../options.h"
#include "borrow.h"

#include <string.h>

struct yoke_shareable {
    yoke__handle handle;
};

/* ---- making ------------------------------------------------------------------------------------------------------ */

typedef struct list_spec {
    const yoke_item    *items;   /* NULL: opened, whatever it holds */
    const yoke_variant *variant; /* instead of items */
    size_t              count;
    uint64_t            least; /* room of every item */
    uint64_t            size;
    const char         *name;
    yoke_on_death       on_death;
} list_spec;

static int item_at(yoke__plain *out, const list_spec *spec, size_t index)
{
    yoke_item from = spec->variant ? yoke_item_variant_(&spec->variant->as.parts[index]) : spec->items[index];
    if (yoke__plain_of(out, &from) < 0)
        return yoke__fail_in(yoke__noted(), "item %zu", index);
    return YOKE_OK;
}

/* Python's rule: a text, and at least one byte more, up to a multiple of 8. */
static uint64_t room_for(const yoke__plain *value, uint64_t least)
{
    uint64_t room = (value->size / 8 + 1) * 8;
    return room > least ? room : least;
}

static yoke__shareable_place *places_of(const yoke__shareable *list)
{
    return (yoke__shareable_place *)(void *)((uint8_t *)(uintptr_t)list + YOKE__SHAREABLE_PLACES);
}

#define SIZE_LIMIT (UINT64_C(1) << 48)

/* Bytes of the whole object; every item is looked at before anything is made. */
static int measure(list_spec *spec)
{
    yoke__plain value = {0};
    uint64_t    size = YOKE__SHAREABLE_PLACES;
    for (size_t i = 0; i < spec->count; i++) {
        YOKE_TRY(item_at(&value, spec, i));
        uint64_t room = value.size < SIZE_LIMIT ? room_for(&value, spec->least) : SIZE_LIMIT;
        size += sizeof(yoke__shareable_place) + yoke__shareable_item_size(room);
        if (size > SIZE_LIMIT || size > SIZE_MAX / 2)
            return yoke__fail(YOKE_ENOMEM, "a list of %zu items with that much text is more than any memory holds",
                              spec->count);
    }
    spec->size = size;
    return YOKE_OK;
}

/* What is borrowed may have been changed by another thread since it was measured. */
static int fill_item(yoke__shareable *list, const list_spec *spec, size_t index, uint64_t offset)
{
    yoke__plain value = {0};
    YOKE_TRY(item_at(&value, spec, index));
    yoke__shareable_place *place = &places_of(list)[index];
    *place = (yoke__shareable_place){offset, room_for(&value, spec->least)};
    if (offset + yoke__shareable_item_size(place->room) > spec->size)
        return yoke__fail(YOKE_EINVAL, "item %zu grew while a list was made of it", index);
    yoke__shareable_write(list, place, &value);
    return YOKE_OK;
}

static int init_list(yoke_domain *domain, yoke__id id, void *object, const void *argument)
{
    const list_spec *spec = argument;
    yoke__shareable *list = object;
    uint64_t         offset = YOKE__SHAREABLE_PLACES + spec->count * sizeof(yoke__shareable_place);
    (void)domain;
    (void)id;
    list->count = spec->count;
    list->size = spec->size;
    yoke__lock_init(&list->writer, YOKE_IGNORE_DEATH);
    yoke__lock_init(&list->lock, spec->on_death);
    for (size_t i = 0; i < spec->count; i++) {
        YOKE_TRY(fill_item(list, spec, i, offset));
        offset += yoke__shareable_item_size(places_of(list)[i].room);
    }
    return YOKE_OK;
}

static int lists_agree(yoke_domain *domain, const void *object, const void *argument)
{
    const list_spec       *spec = argument;
    const yoke__shareable *list = object;
    yoke__plain            value = {0};
    (void)domain;
    if (!spec->items && !spec->variant)
        return YOKE_OK;
    if (list->count != spec->count)
        return yoke__fail_object(YOKE_ETYPE, spec->name, "'%s' is there with %llu items, not with %zu", spec->name,
                                 (unsigned long long)list->count, spec->count);
    for (size_t i = 0; i < spec->count; i++) {
        const yoke__shareable_place *place = yoke__shareable_place_of(list, i);
        YOKE_TRY(place ? item_at(&value, spec, i) : yoke__noted());
        if (place->room != room_for(&value, spec->least))
            return yoke__fail_object(
                YOKE_ETYPE, spec->name, "'%s' is there with room for %llu bytes in item %zu, not %llu", spec->name,
                (unsigned long long)place->room, i, (unsigned long long)room_for(&value, spec->least));
    }
    return YOKE_OK;
}

static int make(yoke_shareable **out, const list_spec *spec, const yoke_shareable_options *given)
{
    yoke__object_spec object = {.kind = YOKE__KIND_SHAREABLE,
                                .name = given->name,
                                .mode = given->mode,
                                .size = spec->size,
                                .argument = spec,
                                .init = init_list,
                                .agree = lists_agree};
    yoke__handle     *handle;
    YOKE_TRY(yoke__handle_create(&handle, given->domain, &object));
    *out = (yoke_shareable *)handle;
    return YOKE_OK;
}

static int take_items(list_spec *spec, const yoke_item *items)
{
    if (!items)
        return yoke__fail(YOKE_EINVAL, "the items of a shareable list are NULL");
    if (items->kind == YOKE_VARIANT_KIND && yoke_variant_kind(items->as.p) == YOKE_LIST_KIND)
        spec->variant = items->as.p;
    else if (items->kind != YOKE_LIST_KIND || (!items->as.p && items->size))
        return yoke__fail(YOKE_EINVAL, "the items of a shareable list are no list: use YOKE_ARGS()");
    spec->items = items->kind == YOKE_LIST_KIND ? items->as.p : items;
    spec->count = spec->variant ? spec->variant->size : items->size;
    return measure(spec);
}

int yoke_shareable_create(yoke_shareable **out, const yoke_item *items, const yoke_shareable_options *options)
{
    yoke_shareable_options given;
    if (!out)
        return yoke__fail(YOKE_EINVAL, "the place for the list's handle is NULL");
    YOKE_TRY(yoke__options_take(yoke_shareable_options, &given, options));
    if ((unsigned)given.mode > YOKE_OPEN_OR_CREATE)
        return yoke__fail(YOKE_EINVAL, "mode %d is none", (int)given.mode);
    if (given.on_death != YOKE_REPORT_DEATH && given.on_death != YOKE_IGNORE_DEATH)
        return yoke__fail(YOKE_EINVAL, "no such on_death: %d", (int)given.on_death);
    if (given.slot_bytes > SIZE_LIMIT)
        return yoke__fail(YOKE_ENOMEM, "%zu bytes for every item are more than any memory holds", given.slot_bytes);
    list_spec spec = {
        .least = ((uint64_t)given.slot_bytes + 7) & ~UINT64_C(7), .name = given.name, .on_death = given.on_death};
    YOKE_TRY(take_items(&spec, items));
    return make(out, &spec, &given);
}

int yoke_shareable_open(yoke_shareable **out, yoke_domain *domain, const char *name)
{
    const yoke_shareable_options given = {.domain = domain, .name = name, .mode = YOKE_OPEN};
    const list_spec              spec = {.size = YOKE__SHAREABLE_PLACES, .name = name};
    if (!out || !name)
        return yoke__fail(YOKE_EINVAL, "no %s", out ? "name of the list to open" : "place for the list's handle");
    return make(out, &spec, &given);
}

/* ---- using ------------------------------------------------------------------------------------------------------- */

yoke__shareable *yoke__shareable_of(const yoke_shareable *handle)
{
    yoke__handle *checked = yoke__handle_check(handle, YOKE__KIND_SHAREABLE);
    return checked ? checked->object : NULL;
}

const yoke__shareable_place *yoke__shareable_place_of(const yoke__shareable *list, size_t index)
{
    const yoke__shareable_place *place;
    if (index >= list->count) {
        yoke__fail(YOKE_ERANGE, "index %zu in a list of %llu", index, (unsigned long long)list->count);
        return NULL;
    }
    place = &places_of(list)[index];
    if (place->offset > list->size || place->room > list->size ||
        yoke__shareable_item_size(place->room) > list->size - place->offset) {
        yoke__fail(YOKE_EPROTO, "item %zu of the shareable list is damaged", index);
        return NULL;
    }
    return place;
}

size_t yoke_shareable_count(const yoke_shareable *list)
{
    const yoke__shareable *state = yoke__shareable_of(list);
    return state ? (size_t)state->count : 0;
}

size_t yoke_shareable_capacity(const yoke_shareable *list, size_t index)
{
    const yoke__shareable       *state = yoke__shareable_of(list);
    const yoke__shareable_place *place = state ? yoke__shareable_place_of(state, index) : NULL;
    return place ? (size_t)place->room : 0;
}

static yoke__handle *handle_of(const yoke_shareable *list)
{
    return (yoke__handle *)(uintptr_t)&list->handle;
}

int yoke__shareable_enter(const yoke_shareable *handle)
{
    yoke__handle    *checked = handle_of(handle);
    yoke__shareable *state = checked->object;
    int              code = yoke__lock_acquire(checked, checked->id, &state->writer, YOKE_FOREVER);
    return code < 0 ? code : YOKE_OK;
}

void yoke__shareable_exit(const yoke_shareable *handle)
{
    yoke__handle    *checked = handle_of(handle);
    yoke__shareable *state = checked->object;
    (void)yoke__lock_release(checked, checked->id, &state->writer);
}

int yoke_shareable_set(yoke_shareable *list, size_t index, const yoke_item *item)
{
    yoke__shareable             *state = yoke__shareable_of(list);
    const yoke__shareable_place *place = state ? yoke__shareable_place_of(state, index) : NULL;
    yoke__plain                  value = {0};
    if (!place)
        return yoke__noted();
    if (!item)
        return yoke__fail(YOKE_EINVAL, "the item to set is NULL");
    YOKE_TRY(yoke__plain_of(&value, item));
    if (value.size > place->room)
        return yoke__fail(YOKE_EMSGSIZE, "a text of %llu bytes in item %zu, which has room for %llu",
                          (unsigned long long)value.size, index, (unsigned long long)place->room);
    YOKE_TRY(yoke__shareable_enter(list));
    yoke__shareable_write(state, place, &value);
    yoke__shareable_exit(list);
    return YOKE_OK;
}

yoke_lock *yoke_shareable_lock(yoke_shareable *list)
{
    yoke__shareable *state = yoke__shareable_of(list);
    return state ? yoke__borrow(&list->handle, &state->lock) : NULL;
}

static void wake_setters(yoke__handle *handle)
{
    yoke__lock_wake(handle->domain, &((yoke__shareable *)handle->object)->writer);
}

void yoke_shareable_close(yoke_shareable *list)
{
    if (!list || !yoke__handle_check(list, YOKE__KIND_SHAREABLE))
        return;
    yoke__borrow_end(&list->handle);
    yoke__handle_close(&list->handle, wake_setters);
}

static void sweep(yoke_domain *domain, yoke__id id, void *object, yoke__token dead)
{
    yoke__shareable *list = object;
    (void)id;
    yoke__lock_sweep(domain, &list->writer, dead);
    yoke__lock_sweep(domain, &list->lock, dead);
}

static void describe(yoke_domain *domain, yoke__id id, const void *object, char *text, size_t size)
{
    const yoke__shareable *list = object;

    (void)id;
    yoke__text_add(text, size, "%llu item%s, lock ", (unsigned long long)list->count, list->count == 1 ? "" : "s");
    yoke__lock_describe(domain, &list->lock, text, size);
}

const yoke__object_type yoke__shareable_type = {
    .kind = YOKE__KIND_SHAREABLE, .name = "shareable list", .sweep = sweep, .describe = describe};
