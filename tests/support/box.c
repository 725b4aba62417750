#include "box.h"

#include "core/domain/allocator.h"

static const yoke__object_type *before;
static unsigned                 destroyed;

/* Unlinks the block before it frees it, so that it may be called again after a death. */
static void destroy(yoke_domain *domain, yoke__id id, void *object)
{
    box     *dying = object;
    uint64_t offset = yoke__a64_load_relaxed(&dying->block);

    (void)id;
    destroyed++;
    if (offset) {
        yoke__alloc_take(domain, yoke__domain_at(domain, offset));
        yoke__a64_store_release(&dying->block, 0);
        yoke__free(domain, yoke__domain_at(domain, offset));
    }
}

static void sweep(yoke_domain *domain, yoke__id id, void *object, yoke__token dead)
{
    uint32_t expected = dead;

    (void)domain;
    (void)id;
    yoke__a32_cas_acq_rel(&((box *)object)->owner, &expected, 0);
}

static bool links(yoke_domain *domain, yoke__id id, void *object, void *block, bool held)
{
    (void)id;
    (void)held;
    return yoke__a64_load_relaxed(&((box *)object)->block) == yoke__domain_offset(domain, block);
}

static void references(yoke_domain *domain, yoke__id id, void *object,
                       void (*visit)(void *user, yoke__reference reference), void *user)
{
    box *carrier = object;

    (void)domain;
    (void)id;
    for (unsigned i = 0; i < BOX_SLOTS; i++) {
        yoke__id held = yoke__a64_load_acquire(&carrier->ids[i]);
        if (held)
            visit(user, held);
    }
}

static const yoke__object_type type = {
    .kind = BOX_KIND,
    .name = "box",
    .destroy = destroy,
    .sweep = sweep,
    .links = links,
    .references = references,
};

void box_install(void)
{
    const yoke__object_type *was = yoke__object_type_replace(BOX_KIND, &type);

    if (was != &type)
        before = was;
    destroyed = 0;
}

void box_remove(void)
{
    (void)yoke__object_type_replace(BOX_KIND, before);
}

unsigned box_destroyed(void)
{
    return destroyed;
}

static int init(yoke_domain *domain, yoke__id id, void *object, const void *argument)
{
    box  *made = object;
    void *block = yoke__alloc_zero(domain, 200, id);

    (void)argument;
    if (!block)
        return YOKE_ENOMEM;
    yoke__a64_store_relaxed(&made->block, yoke__domain_offset(domain, block));
    yoke__alloc_give(domain, block, id);
    return YOKE_OK;
}

int box_create(yoke__handle **out, yoke_domain *domain, const char *name, yoke_open_mode mode)
{
    const yoke__object_spec spec = {.kind = BOX_KIND, .name = name, .mode = mode, .size = sizeof(box), .init = init};

    return yoke__handle_create(out, domain, &spec);
}

box *box_of(yoke__handle *handle)
{
    return handle->object;
}

void box_close(yoke__handle *handle)
{
    yoke__handle_close(handle, NULL);
}

int box_put(yoke__handle *carrier, unsigned slot, yoke__id id)
{
    YOKE_TRY(yoke__reference_add(carrier->domain, id));
    yoke__a64_store_release(&box_of(carrier)->ids[slot], id);
    return YOKE_OK;
}

void box_take(yoke__handle *carrier, unsigned slot)
{
    yoke__id id = yoke__a64_exchange_acq_rel(&box_of(carrier)->ids[slot], 0);

    yoke__reference_drop(carrier->domain, id);
}
