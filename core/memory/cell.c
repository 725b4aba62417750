/* Typed memory with a lock, for values and arrays. */
#include "cell.h"

#include "../domain/inspect.h"
#include "../error.h"
#include "../options.h"
#include "borrow.h"

#include <stdio.h>
#include <string.h>

/* ---- sentences --------------------------------------------------------------------------------------------------- */

static const char *type_name(uint32_t type)
{
    static const char *const names[] = {"structure",      "bool",
                                        "8-bit integer",  "8-bit unsigned integer",
                                        "16-bit integer", "16-bit unsigned integer",
                                        "32-bit integer", "32-bit unsigned integer",
                                        "64-bit integer", "64-bit unsigned integer",
                                        "float",          "double"};
    return type < sizeof names / sizeof *names ? names[type] : "unknown type";
}

/* "double of 8 bytes" */
static const char *describe(uint64_t type, uint64_t size, char out[64])
{
    snprintf(out, 64, "%s of %llu bytes", type_name((uint32_t)type), (unsigned long long)size);
    return out;
}

/* ---- making ------------------------------------------------------------------------------------------------------ */

typedef struct cell_spec {
    yoke__kind    kind;
    yoke_type     type;
    bool          locked;
    yoke_on_death on_death;
    size_t        size, count;
    const void   *initial;
    size_t        has; /* bytes there, of which the elements take what they need */
    const char   *name;
} cell_spec;

static int init_cell(yoke_domain *domain, yoke__id id, void *object, const void *argument)
{
    const cell_spec *spec = argument;
    yoke__cell      *cell = object;
    (void)domain;
    (void)id;
    cell->type = (uint32_t)spec->type;
    cell->locked = spec->locked;
    cell->size = spec->size;
    cell->count = spec->count;
    if (spec->locked)
        yoke__lock_init(&cell->lock, spec->on_death);
    size_t bytes = spec->size * spec->count;
    if (spec->initial)
        memcpy((uint8_t *)object + YOKE__CELL_DATA, spec->initial, bytes < spec->has ? bytes : spec->has);
    return YOKE_OK;
}

static int cells_agree(yoke_domain *domain, const void *object, const void *argument)
{
    const cell_spec  *spec = argument;
    const yoke__cell *cell = object;
    char              there[64], wanted[64];
    (void)domain;
    if (cell->type != (uint32_t)spec->type || cell->size != spec->size)
        return yoke__fail_object(YOKE_ETYPE, spec->name, "'%s' is there as a %s, not as a %s", spec->name,
                                 describe(cell->type, cell->size, there),
                                 describe((uint64_t)spec->type, spec->size, wanted));
    if (spec->count && cell->count != spec->count)
        return yoke__fail_object(YOKE_ETYPE, spec->name, "'%s' is there with %llu elements, not with %zu", spec->name,
                                 (unsigned long long)cell->count, spec->count);
    if (spec->locked && !cell->locked)
        return yoke__fail_object(YOKE_ETYPE, spec->name, "'%s' is there without a lock", spec->name);
    return YOKE_OK;
}

static int check_request(const cell_spec *spec, yoke_open_mode mode)
{
    bool only_opens = spec->name && mode == YOKE_OPEN;
    if ((uint32_t)mode > YOKE_OPEN_OR_CREATE)
        return yoke__fail(YOKE_EINVAL, "mode %d is none", (int)mode);
    if (spec->size == 0)
        return yoke__fail(YOKE_EINVAL, "elements of 0 bytes can't be shared");
    if (spec->count == 0 && !only_opens)
        return yoke__fail(YOKE_EINVAL, "an array needs at least one element");
    if (spec->count > (SIZE_MAX - YOKE__CELL_DATA) / spec->size)
        return yoke__fail(YOKE_ENOMEM, "%zu elements of %zu bytes are more than any memory holds", spec->count,
                          spec->size);
    return YOKE_OK;
}

int yoke__cell_create(yoke__handle **out, yoke__kind kind, yoke_type type, size_t size, size_t count,
                      const void *initial, size_t has, const yoke_value_options *options)
{
    yoke_value_options given;
    const yoke__cell  *cell;
    YOKE_TRY(yoke__options_take(yoke_value_options, &given, options));
    cell_spec spec = {kind, type, !given.unlocked, given.on_death, size, count, initial, has, given.name};
    YOKE_TRY(check_request(&spec, given.mode));
    yoke__object_spec object = {.kind = kind,
                                .name = given.name,
                                .mode = given.mode,
                                .size = YOKE__CELL_DATA + size * count,
                                .argument = &spec,
                                .init = init_cell,
                                .agree = cells_agree};
    yoke__handle     *handle;
    YOKE_TRY(yoke__handle_create(&handle, given.domain, &object));
    cell = handle->object;
    if (cell->size > UINT64_MAX / (cell->count ? cell->count : 1)) { /* written over by somebody */
        yoke__handle_close(handle, NULL);
        return yoke__fail(YOKE_EPROTO, "the header of a %s is damaged", yoke__kind_name(kind));
    }
    *out = handle;
    return YOKE_OK;
}

/* ---- using ------------------------------------------------------------------------------------------------------- */

yoke__cell *yoke__cell_of(const void *handle, yoke__kind kind)
{
    yoke__handle *checked = yoke__handle_check(handle, kind);
    return checked ? checked->object : NULL;
}

void *yoke__cell_data(const void *handle, yoke__kind kind, yoke_type type, size_t size)
{
    yoke__cell *cell = yoke__cell_of(handle, kind);
    char        there[64], wanted[64];
    if (!cell)
        return NULL;
    if (cell->type != (uint32_t)type || cell->size != size) {
        yoke__fail(YOKE_ETYPE, "the %s holds a %s, not a %s", yoke__kind_name(kind),
                   describe(cell->type, cell->size, there), describe((uint64_t)type, size, wanted));
        return NULL;
    }
    return (uint8_t *)cell + YOKE__CELL_DATA;
}

yoke_lock *yoke__cell_lock(const void *handle, yoke__kind kind)
{
    yoke__handle *checked = yoke__handle_check(handle, kind);
    yoke__cell   *cell;
    if (!checked)
        return NULL;
    cell = checked->object;
    if (!cell->locked) {
        yoke__fail(YOKE_ENOTSUP, "the %s was made without a lock", yoke__kind_name(kind));
        return NULL;
    }
    return yoke__borrow(checked, &cell->lock);
}

int yoke__cell_enter(const void *handle, yoke__kind kind)
{
    yoke__handle *checked = yoke__handle_check(handle, kind);
    yoke__cell   *cell = checked ? checked->object : NULL;
    if (!cell)
        return yoke__noted();
    return cell->locked ? yoke__lock_acquire(checked, checked->id, &cell->lock, YOKE_FOREVER) : YOKE_OK;
}

int yoke__cell_exit(const void *handle, yoke__kind kind)
{
    yoke__handle *checked = yoke__handle_check(handle, kind);
    yoke__cell   *cell = checked ? checked->object : NULL;
    if (!cell)
        return yoke__noted();
    return cell->locked ? yoke__lock_release(checked, checked->id, &cell->lock) : YOKE_OK;
}

static void wake_sleepers(yoke__handle *handle)
{
    yoke__lock_wake(handle->domain, &((yoke__cell *)handle->object)->lock);
}

void yoke__cell_close(void *handle, yoke__kind kind)
{
    yoke__handle *checked = handle ? yoke__handle_check(handle, kind) : NULL;
    if (!checked)
        return;
    yoke__borrow_end(checked);
    yoke__handle_close(checked, wake_sleepers);
}

/* ---- for people -------------------------------------------------------------------------------------------------- */

void yoke__cell_describe(yoke_domain *domain, yoke__id id, const void *object, char *text, size_t size)
{
    const yoke__cell *cell = object;
    char              type[64];
    (void)id;
    yoke__text_add(text, size, "%llu × %s", (unsigned long long)cell->count, describe(cell->type, cell->size, type));
    if (!cell->locked)
        return;
    yoke__text_add(text, size, ", lock ");
    yoke__lock_describe(domain, &cell->lock, text, size);
}
