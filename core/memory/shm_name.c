/* Names of segments: as users write them, removing them, and reclaiming what the dead left. */
#include "view.h"

#include "../backend.h"
#include "../domain/names.h"
#include "../error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool allowed(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("._-", c));
}

static int check_name(const char *name)
{
    size_t length = strlen(name);
    if (length == 0 || length >= YOKE__SEGMENT_NAME)
        return yoke__fail(YOKE_EINVAL, "a segment's name has 1 to %u characters, not %zu", YOKE__SEGMENT_NAME - 1,
                          length);
    for (const char *c = name; *c; c++)
        if (!allowed(*c))
            return yoke__fail(YOKE_EINVAL,
                              "a segment's name has only letters, digits, '.', '_' and '-': '%s' has others", name);
    return YOKE_OK;
}

static int take_owner(uint64_t *out, const char *text, size_t length)
{
    char user[64];
    if (length == 0 || length >= sizeof user)
        return yoke__fail(YOKE_EINVAL, "the name of the user in '%.80s' has 1 to 63 characters, not %zu", text, length);
    if (!yoke__backend()->memory->name_user)
        return yoke__fail(YOKE_ENOTSUP, "backend '%s' has no names of other users", yoke__backend()->name);
    snprintf(user, sizeof user, "%.*s", (int)length, text);
    for (const char *c = user; *c; c++)
        if (!allowed(*c))
            return yoke__fail(YOKE_EINVAL, "the name of the user in '%.80s' has a character that no name has", text);
    return yoke__backend()->memory->name_user(out, user);
}

int yoke__shm_name_take(yoke__segment_spec *out, const char *text)
{
    const char *colon = strchr(text, ':');
    YOKE_TRY(check_name(colon ? colon + 1 : text));
    out->owner = yoke__segment_self();
    if (colon)
        YOKE_TRY(take_owner(&out->owner, text, (size_t)(colon - text)));
    snprintf(out->name, sizeof out->name, "%s", colon ? colon + 1 : text);
    return YOKE_OK;
}

static int full_name_of(char out[YOKE__SEGMENT_FULL_NAME], const char *text)
{
    yoke__segment_spec spec = {.size = 0};
    if (!text)
        return yoke__fail(YOKE_EINVAL, "the name of the segment is NULL");
    YOKE_TRY(yoke__backend_ready());
    YOKE_TRY(yoke__shm_name_take(&spec, text));
    yoke__segment_full_name(out, spec.owner, spec.name);
    return YOKE_OK;
}

/* ---- unlinking --------------------------------------------------------------------------------------------------- */

/* Lock held. What a dead maker or remover left goes too, but was not there. */
static int unlink_locked(const char *full, const char *text)
{
    yoke_memory memory = {.handle = YOKE_NO_NATIVE};
    bool        ready = false, leftover = true;
    int         code = yoke__shm_map(&memory, full, &ready);
    if (code == YOKE_ENOENT)
        return yoke__fail_object(YOKE_ENOENT, text, "there is no segment '%s'", text);
    if (code < 0)
        return yoke__fail_in(code, "segment '%s'", text);
    if (ready)
        leftover = yoke__segment_is_leftover(memory.base);
    code = yoke__view_remove_name(ready ? memory.base : NULL, full);
    if (ready)
        yoke__backend()->memory->close(&memory);
    if (code < 0)
        return yoke__fail_in(code, "segment '%s'", text);
    return leftover ? yoke__fail_object(YOKE_ENOENT, text, "nobody used the segment '%s' any more", text) : YOKE_OK;
}

int yoke_shm_unlink(const char *name)
{
    yoke_native lock = YOKE_NO_NATIVE;
    char        full[YOKE__SEGMENT_FULL_NAME];
    YOKE_TRY(full_name_of(full, name));
    int code = yoke__view_lock_name(&lock, full);
    if (code < 0)
        return yoke__fail_in(code, "segment '%s'", name);
    code = unlink_locked(full, name);
    yoke__view_unlock_name(lock, full);
    return code;
}

/* ---- reclaiming -------------------------------------------------------------------------------------------------- */

static int read_users(const char *full, const yoke__segment_header *segment, bool *alive)
{
    size_t              size = segment->user_count * sizeof(yoke__segment_user), got = 0;
    yoke_memory_about   about;
    yoke__segment_user *users = malloc(size ? size : 1);
    if (!users)
        return yoke__fail(YOKE_ENOMEM, "no memory for a look at %lu users", (unsigned long)segment->user_count);
    int code = yoke__backend()->memory->name_read(full, &about, segment->users, users, size, &got);
    *alive = code == YOKE_OK && yoke__segment_users_live(users, (uint32_t)(got / sizeof *users));
    free(users);
    return code;
}

/* With the lock held an unfinished one has a dead maker. An empty one is only a lock. */
static int judge(const char *full, bool *leftover)
{
    yoke__segment_header segment;
    yoke_memory_about    about;
    size_t               got = 0;
    bool                 ready = false, alive = false;
    memset(&segment, 0, sizeof segment);
    YOKE_TRY(yoke__backend()->memory->name_read(full, &about, 0, &segment, sizeof segment, &got));
    YOKE_TRY(yoke__segment_check_header(&segment, about.size, &ready));
    if (!ready) {
        *leftover = about.size > 0;
        return YOKE_OK;
    }
    if (yoke__a32_load_relaxed(&segment.gone) != 0) {
        *leftover = true;
        return YOKE_OK;
    }
    YOKE_TRY(read_users(full, &segment, &alive));
    *leftover = !alive && !segment.persist;
    return YOKE_OK;
}

static bool is_segment(const char *full)
{
    const char *colon = strchr(full, ':');
    return (colon ? colon + 1 : full)[0] == '+';
}

/* Somebody who opens or closes it lives. */
static int64_t reclaim_one(const char *name)
{
    char full[YOKE__SEGMENT_FULL_NAME];
    bool removed = false;
    YOKE_TRY(full_name_of(full, name));
    if (!yoke__backend()->memory->name_try_lock)
        return yoke__fail(YOKE_ENOTSUP, "backend '%s' can't look at names of shared memory on this system",
                          yoke__backend()->name);
    int code = yoke__name_reclaim(full, judge, &removed);
    if (code == YOKE_EBUSY)
        return 0;
    return code < 0 ? yoke__fail_in(code, "segment '%s'", name) : (int64_t)removed;
}

int64_t yoke_shm_reclaim(const char *name)
{
    return name ? reclaim_one(name) : yoke__names_reclaim(is_segment, judge);
}
