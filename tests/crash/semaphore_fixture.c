#include "semaphore_fixture.h"

#include "core/domain/allocator.h"
#include "core/domain/participant.h"
#include "core/sync/semaphore.h"
#include "support/child.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

semaphore_fixture semaphore_now;

static void must(int code)
{
    if (code < 0) {
        fprintf(stderr, "%s: %s\n", yoke_error_name(code), yoke_last_error()->text);
        abort();
    }
}

static yoke__semaphore_state *state_of(const semaphore_fixture *f)
{
    return f->semaphore->handle.object;
}

/* ---- who else is there ------------------------------------------------------------------------------------------- */

static int acquire(void *user)
{
    semaphore_fixture *f = user;

    return yoke_semaphore_acquire(f->semaphore, YOKE_FOREVER);
}

static int acquire_among(void *user)
{
    semaphore_fixture *f = user;
    yoke_wait_entry    entries[] = {yoke_wait_event_set(f->never), yoke_wait_semaphore_available(f->semaphore)};

    for (;;) {
        int result = yoke_wait(entries, 2, YOKE_FOREVER);
        if (result > 0)
            result = yoke_semaphore_acquire(f->semaphore, YOKE_NOWAIT);
        if (result != YOKE_ETIMEDOUT)
            return result;
    }
}

static int die_with_permits(void *user)
{
    semaphore_fixture *f = user;

    for (int i = 0; i < f->test->dead; i++)
        must(yoke_semaphore_acquire(f->semaphore, YOKE_NOWAIT));
    (void)raise(SIGKILL);
    return 1;
}

static int waiting(const semaphore_fixture *f)
{
    int count = 0;

    for (uint32_t i = 0; i < 64; i++)
        count += yoke__a64_load_acquire(&f->domain->layout->threads[i].waits_for) == f->semaphore->handle.id;
    return count;
}

/* Releases when the victim is about to sleep, or shortly after. */
static int help(void *user)
{
    semaphore_fixture *f = user;

    (void)alarm(60);
    for (int i = 0; f->test->permits && i < f->test->helped; i++)
        must(yoke_semaphore_acquire(f->semaphore, YOKE_NOWAIT));
    while (waiting(f) <= f->test->sleepers)
        (void)usleep(100);
    (void)usleep(1000); /* by now it mostly sleeps; both are to be tried */
    must(yoke_semaphore_release_many(f->semaphore, f->test->helped));
    while (pause() < 0)
        continue;
    return 0;
}

static bool none_is_left(void *user)
{
    const semaphore_fixture *f = user;

    return yoke_semaphore_value(f->semaphore) == 0;
}

/* ---- each trial -------------------------------------------------------------------------------------------------- */

void semaphore_make(semaphore_fixture *f)
{
    char                   name[64];
    const semaphore_case  *c = f->test;
    yoke_semaphore_options options = {.struct_size = sizeof options, .max = c->max, .permits = c->permits != 0};

    (void)snprintf(name, sizeof name, "semaphore-kill-%ld", (long)getpid());
    must(yoke_domain_open(&f->domain, name, NULL));
    crash_hide(f->domain);
    options.domain = f->domain;
    must(yoke_semaphore_create(&f->semaphore, c->permits ? c->permits : c->initial, &options));
    must(yoke_event_create(&f->never, YOKE_OPTIONS(yoke_event_options, .domain = f->domain)));
}

void semaphore_set_up(void *context)
{
    semaphore_fixture    *f = context;
    const semaphore_case *c = f->test;

    semaphore_make(f);
    for (int i = 0; i < c->mine; i++)
        must(yoke_semaphore_acquire(f->semaphore, YOKE_NOWAIT));
    if (c->dead && child_join(child_start(die_with_permits, f)) != 1000 + SIGKILL)
        abort();
    f->helper = c->helped ? child_start(help, f) : 0;
    while (c->permits && c->helped && !none_is_left(f))
        (void)usleep(100);
    sleepers_start(&f->sleepers, c->sleepers, c->among ? acquire_among : acquire, f, false);
    if (c->holds == 0)
        sleepers_begin(&f->sleepers);
}

void semaphore_enter(void *context)
{
    semaphore_fixture *f = context;

    if (!yoke__domain_token(f->domain))
        abort();
    for (int i = 0; i < f->test->holds; i++)
        must(yoke_semaphore_acquire(f->semaphore, YOKE_NOWAIT));
    if (f->test->holds)
        sleepers_begin(&f->sleepers);
}

void semaphore_recover(void *context)
{
    (void)yoke__domain_recover(((semaphore_fixture *)context)->domain);
}

/* By the note alone: what the domain itself remembers is forgotten at some time. */
static bool is_known(const yoke__semaphore_state *state, yoke__token dead)
{
    const yoke__death_copy *notes = (const yoke__death_copy *)(state->permit + state->permits);

    for (uint32_t i = 0; i < state->notes; i++)
        if (yoke__a32_load_acquire(&notes[i].token) == dead && yoke__a64_load_relaxed(&notes[i].pid) != 0)
            return true;
    return false;
}

/* No token of the dead is left, and what the living hold is what they should. */
static const char *check_permits(semaphore_fixture *f)
{
    yoke__semaphore_state *state = state_of(f);
    yoke__token            mine = yoke__domain_token(f->domain);
    int                    held = 0;

    semaphore_recover(f);
    for (uint32_t i = 0; i < state->permits; i++) {
        uint64_t    word = yoke__a64_load_acquire(&state->permit[i]);
        yoke__token holder = yoke__permit_holder(word);
        if (holder != 0 && !yoke__token_alive(f->domain, holder))
            return "a permit is still the dead's";
        if (yoke__permit_dead(word) != 0 && !is_known(state, yoke__permit_dead(word)))
            return "who died holding a permit is not known";
        held += holder != 0 && holder != mine;
    }
    if (held != sleepers_ended(&f->sleepers))
        return "permits are held by nobody who got one";
    return yoke__alloc_check(f->domain, NULL) < 0 ? "the heap is damaged" : NULL;
}

static const char *check_count(const semaphore_fixture *f, bool helped)
{
    static char           text[80];
    const semaphore_case *c = f->test;
    int                   there = (int)yoke_semaphore_value(f->semaphore) + sleepers_ended(&f->sleepers);
    int                   were = c->initial + c->release;

    if (c->max && yoke_semaphore_value(f->semaphore) > c->max)
        return "the value is above its max";
    for (int taken = 0; taken <= c->takes; taken++)
        for (int added = 0; added <= (c->adds ? 1 : 0); added++)
            for (int more = 0; more <= (helped ? 1 : 0); more++)
                if (there == were - taken + added * c->adds + more * c->helped)
                    return NULL;
    (void)snprintf(text, sizeof text, "%d are there, and there were %d", there, were);
    return text;
}

/* In the end another acquires and releases, which must not take longer than a slice or two. */
static const char *check_use(const semaphore_fixture *f)
{
    long long start = milliseconds();

    if (yoke_semaphore_value(f->semaphore) == 0)
        return NULL;
    int        result = yoke_semaphore_acquire(f->semaphore, SLEEPERS_PATIENCE);
    yoke_death death = {.struct_size = sizeof death};
    if (result < 0)
        return "there is something, and the survivor does not get it";
    if (result == YOKE_OWNER_DIED && (yoke_semaphore_death(f->semaphore, &death) != YOKE_OK || death.pid == 0))
        return "the survivor is told of a death, and not whose";
    if (milliseconds() - start > 5000)
        return "the survivor got something late";
    return yoke_semaphore_release(f->semaphore) == YOKE_OK ? NULL : "the survivor can't release";
}

const char *semaphore_verify(void *context)
{
    semaphore_fixture *f = context;
    bool               helped = f->helper != 0;

    if (helped)
        child_kill(f->helper);
    f->helper = 0;
    sleepers_mark(&f->sleepers);
    if (f->test->release && yoke_semaphore_release_many(f->semaphore, f->test->release) != YOKE_OK)
        return "the survivor can't release";
    const char *wrong = sleepers_end(&f->sleepers, none_is_left, f, SLEEPERS_PATIENCE);
    if (!wrong)
        wrong = f->test->permits ? check_permits(f) : check_count(f, helped);
    return wrong ? wrong : check_use(f);
}

void semaphore_tear_down(void *context)
{
    semaphore_fixture *f = context;

    sleepers_kill(&f->sleepers);
    yoke_semaphore_close(f->semaphore);
    yoke_event_close(f->never);
    yoke_domain_close(f->domain);
}
