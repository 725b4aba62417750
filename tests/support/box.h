/*
 * A kind of object for tests: it carries ids, as a queue's messages do, owns a further block, and holds a lock word that
 * a death hands back. It stands in the place of a segment while a test runs.
 */
#ifndef YOKE_TESTS_BOX_H
#define YOKE_TESTS_BOX_H

#include "core/domain/object.h"

#define BOX_KIND  YOKE__KIND_SHM
#define BOX_SLOTS 4u

typedef struct box {
    yoke__a64 ids[BOX_SLOTS]; /* carried; 0: none */
    yoke__a64 block;          /* offset of a block of its own, or 0 */
    yoke__a32 owner;          /* a token, handed back by sweep */
    yoke__a32 number;
} box;

/* Puts the kind in its place. */
void box_install(void);
void box_remove(void);
/* How many boxes this process has destroyed. */
unsigned box_destroyed(void);

/* Creates with a further block; name NULL: none. */
int  box_create(yoke__handle **out, yoke_domain *domain, const char *name, yoke_open_mode mode);
box *box_of(yoke__handle *handle);
void box_close(yoke__handle *handle);
/* Puts an id into the carrier, as a message would be put; takes it out. */
int  box_put(yoke__handle *carrier, unsigned slot, yoke__id id);
void box_take(yoke__handle *carrier, unsigned slot);

#endif
