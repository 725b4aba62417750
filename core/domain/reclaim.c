/* Removing what the dead left of named memory. */
#include "names.h"

#include "../backend.h"
#include "../error.h"
#include "make.h"

#include <stdlib.h>

int yoke__name_reclaim(const char *name, yoke__leftover *judge, bool *removed)
{
    const yoke_memory_ops *ops = yoke__backend()->memory;
    yoke_native            lock = YOKE_NO_NATIVE;
    bool                   leftover = false;
    *removed = false;
    YOKE_TRY(ops->name_try_lock(&lock, name));
    int rc = judge(name, &leftover);
    if (rc == YOKE_OK && leftover) {
        rc = ops->unlink(name);
        *removed = rc == YOKE_OK;
    }
    ops->name_unlock(lock, name); /* takes an empty one away, which is no more than a lock that somebody left */
    return rc;
}

int64_t yoke__names_reclaim(bool (*mine)(const char *name), yoke__leftover *judge)
{
    yoke__name_list names;
    int64_t         count = 0;
    YOKE_TRY(yoke__names_collect(&names));
    for (const char *name = yoke__names_next(&names, NULL); name; name = yoke__names_next(&names, name)) {
        bool removed = false;
        int  rc = mine(name) ? yoke__name_reclaim(name, judge, &removed) : YOKE_OK;
        count += removed;
        if (rc == YOKE_ENOMEM) {
            count = rc;
            break;
        }
    }
    free(names.text);
    return count;
}

/* With the lock held an unfinished one has a dead maker, whatever else stands in it. An empty one is only a lock. */
static int judge_domain(const char *name, bool *leftover)
{
    yoke__glance glance;
    YOKE_TRY(yoke__glance_begin(&glance));
    int rc = yoke__glance_at(&glance, name);
    if (rc == YOKE_OK && glance.finished && glance.code != YOKE_OK)
        rc = glance.code;
    else if (rc == YOKE_OK)
        *leftover = glance.about.size > 0 && glance.alive == 0;
    yoke__glance_end(&glance);
    return rc;
}

/* Somebody who opens or closes it lives. */
static int64_t reclaim_one(const char *text)
{
    char name[YOKE__NAME_SIZE];
    bool removed = false;
    YOKE_TRY(yoke__backend_ready());
    YOKE_TRY(yoke__domain_name(name, text));
    if (!yoke__backend()->memory->name_try_lock)
        return yoke__fail(YOKE_ENOTSUP, "backend '%s' can't look at names of shared memory on this system",
                          yoke__backend()->name);
    int rc = yoke__name_reclaim(name, judge_domain, &removed);
    if (rc == YOKE_EBUSY)
        return 0;
    return rc < 0 ? yoke__fail_in(rc, "domain '%s'", name) : (int64_t)removed;
}

int64_t yoke_domain_reclaim(const char *name)
{
    return name ? reclaim_one(name) : yoke__names_reclaim(yoke__name_is_domain, judge_domain);
}
