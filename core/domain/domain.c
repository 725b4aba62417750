/* The domains that this process has open, and the default one among them. */
#include "make.h"

#include "../backend.h"
#include "../error.h"
#include "../local.h"
#include "../options.h"
#include "../wait/seat.h"
#include "heap.h"
#include "object.h"
#include "participant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOMAIN_MAGIC (YOKE__HANDLE_MAGIC | YOKE__KIND_DOMAIN)

/* Guards all below. Held across a fork; so whatever takes it must not fork. */
static yoke__mutex  lock = YOKE__MUTEX_INIT;
static yoke_domain *open_domains;
static yoke_domain *spare; /* closed ones; the memory never changes type, so that a closed handle is seen as closed */
static yoke_domain *default_domain;
static yoke_domain_options default_options;
static bool                hooked;

void yoke__domains_lock(void)
{
    yoke__mutex_lock(&lock);
}

void yoke__domains_unlock(void)
{
    yoke__mutex_unlock(&lock);
}

/* A forked child is a participant of its own: it claims its slots when it first needs them. */
static void forget_tokens(void)
{
    for (yoke_domain *domain = open_domains; domain; domain = domain->next) {
        yoke__a32_store_release(&domain->token, 0);
    }
    yoke__domains_unlock();
}

static void hook_forks(void)
{
    if (!hooked) {
        hooked = true;
        yoke__fork_hook_add(yoke__domains_lock, yoke__domains_unlock, forget_tokens);
        yoke__seats_hook();
        yoke__fork_hooks();
    }
}

yoke_domain *yoke__domains_find(const char *name)
{
    yoke_domain *domain = open_domains;
    while (domain && !(domain->named && strcmp(domain->name, name) == 0)) {
        domain = domain->next;
    }
    return domain;
}

yoke_domain *yoke__domains_first(void)
{
    return open_domains;
}

yoke_domain *yoke__domains_new(void)
{
    hook_forks();
    yoke_domain *domain = spare;
    if (domain) {
        spare = domain->next;
        memset(domain, 0, sizeof *domain);
    } else {
        domain = calloc(1, sizeof *domain);
    }
    if (!domain) {
        yoke__fail(YOKE_ENOMEM, "no memory for a domain's handle");
    }
    return domain;
}

void yoke__domains_drop(yoke_domain *domain)
{
    domain->magic = 0;
    domain->next = spare;
    spare = domain;
}

int yoke__domains_enter(yoke_domain *domain)
{
    domain->layout = domain->memory.base;
    if (!yoke__domain_join(domain)) {
        return yoke_last_error()->code;
    }
    domain->magic = DOMAIN_MAGIC;
    domain->opens = 1;
    domain->next = open_domains;
    open_domains = domain;
    return YOKE_OK;
}

void yoke__domains_remove(yoke_domain *domain)
{
    yoke_domain **link = &open_domains;
    while (*link && *link != domain) {
        link = &(*link)->next;
    }
    if (*link) {
        *link = domain->next;
    }
}

bool yoke__domains_is_named(const yoke_domain *domain)
{
    return domain->magic == DOMAIN_MAGIC && domain->named;
}

/* ---- the default domain ------------------------------------------------------------------------------------------ */

static int make_memory(yoke_domain *domain)
{
    yoke__domain_sizes sizes;
    YOKE_TRY(yoke__domain_settle(&sizes, &default_options));
    YOKE_TRY(yoke__domain_make_memory(&domain->memory, NULL, &sizes));
    domain->layout = domain->memory.base;
    int rc = yoke__domain_init(domain, &sizes);
    if (rc == YOKE_OK) {
        rc = yoke__domains_enter(domain);
    }
    if (rc < 0) {
        yoke__backend()->memory->close(&domain->memory);
    }
    return rc;
}

static int make_default(void)
{
    yoke_domain *domain = yoke__domains_new();
    if (!domain) {
        return YOKE_ENOMEM;
    }
    int rc = make_memory(domain);
    if (rc < 0) {
        yoke__domains_drop(domain);
        return yoke__fail_in(rc, "can't make the default domain");
    }
    default_domain = domain;
    return YOKE_OK;
}

int yoke__domain_default(yoke_domain **out)
{
    YOKE_TRY(yoke__backend_ready());
    yoke__domains_lock();
    int          rc = default_domain ? YOKE_OK : make_default();
    yoke_domain *domain = default_domain;
    yoke__domains_unlock();
    if (rc == YOKE_OK) {
        *out = domain;
    }
    return rc;
}

yoke_domain *yoke__domain_existing(void)
{
    yoke__domains_lock();
    yoke_domain *domain = default_domain;
    yoke__domains_unlock();
    return domain;
}

int yoke__domain_of(yoke_domain **out, yoke_domain *domain)
{
    if (!domain) {
        return yoke__domain_default(out);
    }
    if (domain->magic != DOMAIN_MAGIC) {
        return yoke__fail(YOKE_EINVAL, "not an open domain");
    }
    *out = domain;
    return YOKE_OK;
}

int yoke_domain_configure(const yoke_domain_options *options)
{
    if (!options) {
        return yoke__fail(YOKE_EINVAL, "yoke_domain_configure needs options");
    }
    YOKE_TRY(yoke__options_check(options, sizeof *options, "yoke_domain_options"));
    if (options->permissions)
        return yoke__fail(YOKE_EINVAL, "permissions %#o: the default domain is private, only named ones have any",
                          options->permissions);
    YOKE_TRY(yoke__backend_ready());
    yoke__domain_sizes sizes;
    YOKE_TRY(yoke__domain_settle(&sizes, options));
    yoke__domains_lock();
    bool exists = default_domain != NULL;
    if (!exists) {
        default_options = (yoke_domain_options){.struct_size = sizeof default_options,
                                                .max_bytes = options->max_bytes,
                                                .reserve_bytes = options->reserve_bytes};
    }
    yoke__domains_unlock();
    return exists ? yoke__fail(YOKE_EBUSY, "the default domain is in use already: configure it first") : YOKE_OK;
}

/* ---- in children ------------------------------------------------------------------------------------------------- */

/* Maps a duplicate, so that the native stays the caller's on failure. */
static int adopt_memory(yoke_domain *domain, yoke_native native, const yoke__domain_expected *expected)
{
    const yoke_backend *backend = yoke__backend();
    yoke_native         mine;
    YOKE_TRY(backend->process->native_duplicate(&mine, native));
    int rc = backend->memory->adopt(&domain->memory, mine, expected->reserve);
    if (rc < 0) {
        backend->process->native_close(mine);
        return rc;
    }
    rc = yoke__domain_validate(&domain->memory, expected);
    if (rc == YOKE_OK) {
        rc = yoke__domains_enter(domain);
    }
    if (rc < 0) {
        backend->memory->close(&domain->memory);
    }
    return rc;
}

static int adopt_default(yoke_native native, const yoke__domain_expected *expected)
{
    if (default_domain) {
        uint64_t mine = yoke__domain_header(default_domain)->id;
        return mine == expected->id
                   ? YOKE_OK
                   : yoke__fail(YOKE_EBUSY, "this process is in domain %016llx already, not in %016llx",
                                (unsigned long long)mine, (unsigned long long)expected->id);
    }
    if (expected->reserve < yoke__domain_first_size() || expected->reserve > YOKE__RESERVE_MAX) {
        return yoke__fail(YOKE_EPROTO, "the inherited domain can't have reserved %llu bytes",
                          (unsigned long long)expected->reserve);
    }
    yoke_domain *domain = yoke__domains_new();
    if (!domain) {
        return YOKE_ENOMEM;
    }
    int rc = adopt_memory(domain, native, expected);
    if (rc < 0) {
        yoke__domains_drop(domain);
        return rc;
    }
    default_domain = domain;
    return YOKE_OK;
}

int yoke__domain_adopt(yoke_domain **out, yoke_native native, uint64_t reserve, uint64_t id)
{
    yoke__domain_expected expected = {.id = id, .reserve = reserve, .what = "the inherited domain"};
    yoke__domains_lock();
    int          rc = adopt_default(native, &expected);
    yoke_domain *domain = default_domain;
    yoke__domains_unlock();
    if (rc == YOKE_OK) {
        yoke__backend()->process->native_close(native);
        *out = domain;
    }
    return rc;
}

void yoke__domains_bury(int64_t pid, int64_t since, int how, int code)
{
    yoke__domains_lock();
    for (yoke_domain *domain = open_domains; domain; domain = domain->next) {
        if (domain->named) {
            yoke__domain_bury(domain, pid, since, how, code);
        }
    }
    yoke__domains_unlock();
}

void yoke__domains_ending(int code)
{
    yoke__domains_lock();
    for (yoke_domain *domain = open_domains; domain; domain = domain->next) {
        yoke__token token = yoke__a32_load_acquire(&domain->token);
        if (token) {
            yoke__a64_store_relaxed(&yoke__participant_of(domain, token)->ended, UINT64_C(1) << 32 | (uint32_t)code);
        }
    }
    yoke__domains_unlock();
}

void yoke__domains_leave(void)
{
    yoke__domains_lock();
    for (yoke_domain *domain = open_domains; domain; domain = domain->next) {
        if (domain->named) {
            yoke__domain_leave_named(domain);
        } else {
            yoke__domain_leave(domain);
        }
    }
    yoke__domains_unlock();
}

void *yoke__domain_check(const yoke_domain *domain, uint64_t offset, uint64_t size)
{
    uint64_t committed = yoke__a64_load_acquire(&yoke__domain_header(domain)->committed);
    if (committed > domain->memory.reserved || size > committed || offset > committed - size) {
        return NULL;
    }
    return yoke__domain_at(domain, offset);
}
