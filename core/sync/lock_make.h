/* How locks of any kind are made and opened. */
#ifndef YOKE_CORE_SYNC_LOCK_MAKE_H
#define YOKE_CORE_SYNC_LOCK_MAKE_H

#include "lock.h"

/* What a create was asked for. The state of each kind begins with a yoke__lock_state. */
typedef struct yoke__lock_wanted {
    yoke__kind     kind;
    yoke_domain   *domain;
    const char    *name;
    yoke_open_mode mode;
    yoke_on_death  on_death;
    uint32_t       rules;  /* YOKE__OWNER_RELEASES, if so */
    bool           detect; /* deadlocks */
    uint64_t       size;   /* of the state */
    uint32_t       places; /* of a read-write lock; 0: the default, or those of one that is there */
} yoke__lock_wanted;

/* *out is set last. YOKE_EINVAL also if out is NULL, or on_death none. */
int yoke__lock_create(yoke__handle **out, const yoke__lock_wanted *wanted);
int yoke__lock_open(yoke__handle **out, yoke__kind kind, yoke_domain *domain, const char *name);

#endif
