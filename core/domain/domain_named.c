/*
 * Named domains. All that happens to a name happens under the backend's lock of that name, which the system releases
 * when its holder dies. So whoever holds it and finds a header without its magic knows that the maker is dead; and no
 * participant can come between the last one's leaving and the unlinking.
 */
#include "make.h"

#include "../backend.h"
#include "../error.h"
#include "../options.h"
#include "../process/family.h"
#include "participant.h"

#include <stdio.h>
#include <string.h>

/* What is asked for, settled. */
typedef struct request {
    char                name[YOKE__NAME_SIZE];      /* as it stands in memory */
    bool                foreign;                    /* another user's: it is never made nor removed here */
    char                what[16 + YOKE__NAME_SIZE]; /* for messages */
    yoke_open_mode      mode;
    yoke_domain_options options;
    yoke__domain_sizes  sizes; /* if it is made */
} request;

/* What has the name. */
typedef enum standing { STANDING_NONE, STANDING_DEAD, STANDING_ALIVE } standing;

static int settle(request *out, const char *name, const yoke_domain_options *options)
{
    *out = (request){.mode = YOKE_CREATE};
    YOKE_TRY(yoke__backend_ready());
    YOKE_TRY(yoke__domain_name(out->name, name));
    YOKE_TRY(yoke__options_take(yoke_domain_options, &out->options, options));
    if (out->options.mode < YOKE_CREATE || out->options.mode > YOKE_OPEN_OR_CREATE) {
        return yoke__fail(YOKE_EINVAL, "domain '%s': unknown mode %d", name, (int)out->options.mode);
    }
    out->mode = out->options.mode;
    out->foreign = yoke__domain_name_is_foreign(out->name);
    snprintf(out->what, sizeof out->what, "domain '%s'", out->name);
    YOKE_TRY(yoke__domain_settle(&out->sizes, &out->options));
    return yoke__domain_permissions(&out->sizes.permissions, out->options.permissions);
}

/* Of another pid namespace or boot: nothing can be told about its processes, so they live. */
static bool is_of_elsewhere(const yoke_domain *domain)
{
    yoke_identity self;
    return yoke__backend()->life->self(&self) < 0 || yoke__domain_header(domain)->space != self.space;
}

/* Does anybody live in it? Slots are judged as they are; nothing is written. */
static bool is_alive(yoke_domain *domain)
{
    if (is_of_elsewhere(domain))
        return true;
    for (uint32_t i = 0, bound = yoke__slot_bound(domain); i < bound; i++) {
        uint64_t         word = yoke__a64_load_acquire(&domain->layout->participants[i].word);
        yoke__slot_state state = yoke__slot_state_of(word);
        if ((state == YOKE__SLOT_JOINING || state == YOKE__SLOT_LIVE) &&
            yoke__token_alive(domain, yoke__token_make(i, yoke__slot_generation(word)))) {
            return true;
        }
    }
    return false;
}

/* Maps the first page, to learn the reserve. STANDING_ALIVE: to be looked at in whole. */
static int peek(const request *ask, standing *out, uint64_t *reserve)
{
    const yoke_backend   *backend = yoke__backend();
    yoke__domain_expected expected = {.what = ask->what};
    yoke_memory           memory;
    bool                  ready = false;
    int                   rc = backend->memory->open(&memory, ask->name, backend->system->page_size());
    if (rc == YOKE_ENOENT) {
        *out = STANDING_NONE;
        return YOKE_OK;
    }
    YOKE_TRY(rc);
    rc = yoke__domain_peek(&memory, &expected, &ready);
    if (rc == YOKE_OK) {
        *out = ready ? STANDING_ALIVE : STANDING_DEAD;
        *reserve = ready ? ((const yoke__header *)memory.base)->reserve : 0;
    }
    backend->memory->close(&memory);
    return rc;
}

/* Maps what has the name into domain, if it is sound and somebody lives in it. */
static int look(yoke_domain *domain, const request *ask, standing *out)
{
    const yoke_memory_ops *ops = yoke__backend()->memory;
    yoke__domain_expected  expected = {.what = ask->what};
    YOKE_TRY(peek(ask, out, &expected.reserve));
    if (*out != STANDING_ALIVE) {
        return YOKE_OK;
    }
    YOKE_TRY(ops->open(&domain->memory, ask->name, expected.reserve));
    domain->layout = domain->memory.base;
    int rc = YOKE_OK;
    if (is_alive(domain)) {
        rc = yoke__domain_validate(&domain->memory, &expected);
    } else { /* whatever else is wrong with it: it may be being removed, and its remover dead */
        *out = STANDING_DEAD;
    }
    if (rc < 0 || *out == STANDING_DEAD) {
        ops->close(&domain->memory);
    }
    return rc;
}

static int make(yoke_domain *domain, const request *ask)
{
    const yoke_memory_ops *ops = yoke__backend()->memory;
    yoke__domain_sizes     sizes = ask->sizes;
    YOKE_TRY(yoke__domain_make_memory(&domain->memory, ask->name, &sizes));
    domain->layout = domain->memory.base;
    int rc = yoke__domain_init(domain, &sizes);
    if (rc == YOKE_OK) {
        rc = yoke__domains_enter(domain);
    }
    if (rc < 0) {
        ops->close(&domain->memory);
        (void)ops->unlink(ask->name);
    }
    return rc;
}

/*
 * Whether all who are in it can be told dead from alive: processes of other users may be hidden, and one that is would be
 * waited for after its death, for good. Those of one user can always see each other.
 */
static int check_visible(yoke_domain *domain, const request *ask)
{
    const yoke_life_ops *life = yoke__backend()->life;
    for (uint32_t i = 0, bound = yoke__slot_bound(domain); i < bound; i++) {
        yoke__participant *participant = &domain->layout->participants[i];
        uint64_t           word = yoke__a64_load_acquire(&participant->word);
        yoke_identity      who = {.pid = yoke__slot_pid(word),
                                  .start = yoke__a64_load_relaxed(&participant->start),
                                  .space = yoke__a64_load_relaxed(&participant->space)};
        yoke_native        watch = YOKE_NO_NATIVE;
        if (yoke__slot_state_of(word) != YOKE__SLOT_LIVE)
            continue;
        int rc = life->watch(&watch, &who);
        if (rc == YOKE_OK)
            life->close(watch);
        else if (rc != YOKE_ENOENT)
            return yoke__fail_in(rc == YOKE_ENOMEM ? rc : YOKE_EACCES,
                                 "%s: refused, since it can't be told whether its process %lld lives", ask->what,
                                 (long long)who.pid);
    }
    return YOKE_OK;
}

static int check_limits(const yoke__header *header, const request *ask)
{
    uint64_t asked = ask->options.reserve_bytes ? ask->sizes.reserve : header->reserve;
    if (ask->options.max_bytes && ask->options.max_bytes != header->budget)
        return yoke__fail(YOKE_EINVAL, "%s was made with max_bytes %llu, not %llu", ask->what,
                          (unsigned long long)header->budget, (unsigned long long)ask->options.max_bytes);
    if (asked != header->reserve)
        return yoke__fail(YOKE_EINVAL, "%s was made with reserve_bytes %llu, not %llu", ask->what,
                          (unsigned long long)header->reserve, (unsigned long long)asked);
    if (ask->options.permissions && ask->options.permissions != header->permissions)
        return yoke__fail(YOKE_EINVAL, "%s was made with permissions %#o, not %#o", ask->what, header->permissions,
                          ask->options.permissions);
    return YOKE_OK;
}

static int join(yoke_domain *domain, const request *ask)
{
    const yoke__header *header = yoke__domain_header(domain);
    int                 rc = check_limits(header, ask);
    if (rc == YOKE_OK && (ask->foreign || (header->permissions & 077u)))
        rc = check_visible(domain, ask);
    if (rc == YOKE_OK)
        rc = yoke__domains_enter(domain);
    if (rc < 0) {
        yoke__backend()->memory->close(&domain->memory);
    }
    return rc;
}

/* Nobody has the name, or only the dead. */
static int open_new(yoke_domain *domain, const request *ask)
{
    if (ask->mode == YOKE_OPEN)
        return yoke__fail(YOKE_ENOENT, "there is no %s", ask->what);
    if (ask->foreign)
        return yoke__fail(YOKE_EACCES, "there is no %s, and only its own user can make it", ask->what);
    return make(domain, ask);
}

/* One try with the name locked. *again: a dead domain was cleared away, which took the lock's object with it. */
static int open_locked(yoke_domain *domain, const request *ask, bool *again)
{
    standing found = STANDING_NONE;
    YOKE_TRY(look(domain, ask, &found));
    switch (found) {
    case STANDING_ALIVE:
        if (ask->mode == YOKE_CREATE) {
            yoke__backend()->memory->close(&domain->memory);
            return yoke__fail(YOKE_EEXIST, "%s exists and is in use", ask->what);
        }
        return join(domain, ask);
    case STANDING_DEAD:
        if (ask->foreign)
            return open_new(domain, ask);
        *again = true;
        return yoke__backend()->memory->unlink(ask->name);
    default:
        return open_new(domain, ask);
    }
}

static int open_by_name(yoke_domain *domain, const request *ask)
{
    const yoke_memory_ops *ops = yoke__backend()->memory;
    bool                   again;
    int                    rc;
    do {
        yoke_native name_lock;
        again = false;
        rc = ops->name_lock(&name_lock, ask->name);
        if (rc == YOKE_OK) {
            rc = open_locked(domain, ask, &again);
            ops->name_unlock(name_lock, ask->name);
        } else if (rc == YOKE_ENOENT) { /* another user's */
            rc = open_new(domain, ask);
        } else {
            rc = yoke__fail_in(rc, "%s", ask->what);
        }
    } while (rc == YOKE_OK && again);
    return rc;
}

/* Process lock held. */
static int open_again(yoke_domain **out, const request *ask, yoke_domain *domain)
{
    if (ask->mode == YOKE_CREATE) {
        return yoke__fail(YOKE_EEXIST, "%s exists: this process has it open", ask->what);
    }
    YOKE_TRY(check_limits(yoke__domain_header(domain), ask));
    domain->opens++;
    *out = domain;
    return YOKE_OK;
}

static int open_first(yoke_domain **out, const request *ask)
{
    yoke_domain *domain = yoke__domains_new();
    if (!domain) {
        return YOKE_ENOMEM;
    }
    domain->named = true;
    memcpy(domain->name, ask->name, strlen(ask->name) + 1);
    int rc = open_by_name(domain, ask);
    if (rc < 0) {
        yoke__domains_drop(domain);
        return rc;
    }
    *out = domain;
    return YOKE_OK;
}

int yoke_domain_open(yoke_domain **out, const char *name, const yoke_domain_options *options)
{
    request ask;
    if (!out) {
        return yoke__fail(YOKE_EINVAL, "yoke_domain_open: nowhere to put the domain");
    }
    YOKE_TRY(settle(&ask, name, options));
    yoke__domains_lock();
    yoke_domain *mine = yoke__domains_find(ask.name);
    int          rc = mine ? open_again(out, &ask, mine) : open_first(out, &ask);
    yoke__domains_unlock();
    return rc;
}

int yoke__domain_open_for_messages(yoke_domain **out, const char *name)
{
    YOKE_TRY(yoke_domain_open(out, name, YOKE_OPTIONS(yoke_domain_options, .mode = YOKE_OPEN)));
    yoke__domains_lock();
    bool again = (*out)->for_messages;
    (*out)->for_messages = true;
    yoke__domains_unlock();
    if (again) {
        yoke_domain_close(*out); /* once is enough */
    } else {
        yoke__self_init(); /* nobody closes it but the end of the process, which is to be heard of */
    }
    return YOKE_OK;
}

/* Somebody may have removed the name by hand, and another domain may have it by now. */
static bool has_name(const yoke_domain *domain)
{
    const yoke_memory_ops *ops = yoke__backend()->memory;
    yoke_memory            memory;
    if (ops->open(&memory, domain->name, yoke__backend()->system->page_size()) < 0) {
        return false;
    }
    bool same = ((const yoke__header *)memory.base)->id == yoke__domain_header(domain)->id;
    ops->close(&memory);
    return same;
}

/* The name goes with the last participant. If the name can't be locked, or this process may not take away the name of
 * another user, the next opener or yoke_domain_reclaim() clears it away. */
void yoke__domain_leave_named(yoke_domain *domain)
{
    const yoke_memory_ops *ops = yoke__backend()->memory;
    yoke_native            name_lock;
    bool                   locked = ops->name_lock(&name_lock, domain->name) == YOKE_OK;
    yoke__domain_leave(domain);
    if (locked && !is_alive(domain)) {
        yoke__a32_store_release(&yoke__domain_header(domain)->state, 2);
        if (has_name(domain)) {
            (void)ops->unlink(domain->name);
        }
    }
    if (locked) {
        ops->name_unlock(name_lock, domain->name);
    }
}

void yoke_domain_close(yoke_domain *domain)
{
    if (!domain) {
        return;
    }
    yoke__domains_lock();
    bool known = yoke__domains_is_named(domain);
    if (known && --domain->opens == 0) {
        yoke__domains_remove(domain);
        yoke__domain_leave_named(domain);
        yoke__backend()->memory->close(&domain->memory);
        yoke__domains_drop(domain);
    }
    yoke__domains_unlock();
    if (!known) {
        yoke__fail(YOKE_EINVAL, "yoke_domain_close: not an open named domain");
    }
}
