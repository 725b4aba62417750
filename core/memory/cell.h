/*
 * What a value and an array are in a domain: a header, the lock, and the elements. A value has one element. Everything
 * but the lock and the elements is written by the creator before anybody else can see the object, and never changes.
 */
#ifndef YOKE_CORE_MEMORY_CELL_H
#define YOKE_CORE_MEMORY_CELL_H

#include "../domain/object.h"
#include "../sync/lock.h"

#include <yoke/memory.h>

typedef struct yoke__cell {
    uint32_t         type; /* yoke_type */
    uint32_t         locked;
    uint64_t         size; /* of one element */
    uint64_t         count;
    uint64_t         reserved;
    yoke__lock_state lock; /* unused unless locked */
    /* the elements, at YOKE__CELL_DATA */
} yoke__cell;

#define YOKE__CELL_DATA ((sizeof(yoke__cell) + 63u) & ~(size_t)63u)

/* Makes or opens; count 0: as many as it has, only by opening. */
int yoke__cell_create(yoke__handle **out, yoke__kind kind, yoke_type type, size_t size, size_t count,
                      const void *initial, size_t has, const yoke_value_options *options);
/* The object behind a handle of that kind; NULL with the error noted. */
yoke__cell *yoke__cell_of(const void *handle, yoke__kind kind);
/* The elements if they are of that type; NULL with both types named. */
void      *yoke__cell_data(const void *handle, yoke__kind kind, yoke_type type, size_t size);
yoke_lock *yoke__cell_lock(const void *handle, yoke__kind kind);
void       yoke__cell_close(void *handle, yoke__kind kind);

/* The lock, if there is one, around work of ours: YOKE_OK, YOKE_OWNER_DIED, or why it wasn't had. */
int yoke__cell_enter(const void *handle, yoke__kind kind);
int yoke__cell_exit(const void *handle, yoke__kind kind);

/* What is done to an element at once. */
enum {
    YOKE__UPDATE_COMPARE = YOKE_UPDATE_MAX + 1, /* before: what is expected */
    YOKE__UPDATE_ADD_INT64                      /* operand: an int64_t, whatever integer the element is */
};
typedef struct yoke__change {
    uint32_t    update; /* yoke_update, or one of those above */
    const void *operand;
    void       *before; /* one element, or NULL */
    uint64_t   *after;  /* what stands there now, of an integer as 64 bits; or NULL */
} yoke__change;
/* Checks the type, takes the lock if there is one, and changes the element. Codes as yoke_value_update_(). */
int yoke__cell_change(const void *handle, yoke__kind kind, yoke_type type, size_t size, size_t index,
                      const yoke__change *change);
/* The same for a scalar that lies there, without type, bounds or lock. */
int yoke__scalar_change(void *at, uint32_t type, size_t size, const yoke__change *change);
/* Whether an element of that size is changed by one atomic operation. */
static inline bool yoke__is_scalar(uint64_t size)
{
    return size == 1 || size == 2 || size == 4 || size == 8;
}

/* describe() of both kinds. */
void yoke__cell_describe(yoke_domain *domain, yoke__id id, const void *object, char *text, size_t size);

extern const yoke__object_type yoke__value_type, yoke__array_type;

#endif
