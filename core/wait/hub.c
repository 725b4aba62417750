#include "hub.h"

#include "../backend.h"
#include "../domain/participant.h"
#include "../error.h"
#include "watchers.h"

#include <stdlib.h>

/* ---- leaving the loop ---------------------------------------------------------------------------------------------- */

/* Tells the users of watches that are off the loop. They may call anything, stop other watches for instance. */
static void tell_done(yoke__hub *hub)
{
    while (hub->done) {
        yoke_watch *watch = hub->done;
        void (*closed)(void *user) = watch->closed;
        void *user = watch->user;
        hub->done = watch->next;
        yoke__watch_free(watch);
        if (closed)
            closed(user);
    }
}

static void add_done(yoke__hub *hub, yoke_watch *watch)
{
    yoke_watch **end = &hub->done;

    while (*end)
        end = &(*end)->next;
    watch->next = NULL;
    *end = watch;
}

/* The last guest of a leaving hub is gone: nobody comes here any more. */
static void end_if_left(yoke__hub *hub)
{
    if (!hub->leaving || hub->guests > 0)
        return;
    yoke__seat_close(hub->seat);
    tell_done(hub);
    free(hub);
}

static void hub_left(void *user)
{
    yoke__hub *hub = user;

    hub->guests--;
    end_if_left(hub);
}

static void watch_left(void *user)
{
    yoke_watch *watch = user;
    yoke__hub  *hub = watch->hub;

    yoke__backend()->process->native_close(watch->native);
    watch->native = YOKE_NO_NATIVE;
    watch->guest = NULL;
    hub->guests--;
    if (watch->stopped)
        add_done(hub, watch);
    if (!hub->leaving)
        tell_done(hub);
    end_if_left(hub);
}

static void watch_leave(yoke_watch *watch)
{
    if (!watch->guest || watch->leaving)
        return;
    watch->leaving = true;
    yoke__backend()->loop->leave(watch->guest, watch_left);
}

static void hub_leave(yoke__hub *hub)
{
    yoke__hubs_remove(hub);
    hub->leaving = true;
    yoke__backend()->loop->leave(hub->guest, hub_left);
}

static void ask(yoke__hub *hub, bool soon)
{
    hub->soon = soon;
    yoke__backend()->loop->again(hub->guest, soon ? 0 : YOKE__SLICE);
}

/* Takes out what was stopped; never while the user's functions run. The last one takes the hub with it. */
static void take_out_stopped(yoke__hub *hub)
{
    yoke_watch *next;

    for (yoke_watch *watch = hub->first; watch; watch = next) {
        next = watch->next;
        if (!watch->stopped)
            continue;
        yoke__watch_unlink(watch);
        if (watch->guest)
            watch_leave(watch);
        else
            add_done(hub, watch);
    }
    if (!hub->first && !hub->leaving)
        hub_leave(hub);
}

/* ---- looking ------------------------------------------------------------------------------------------------------- */

/* After the bit and a full fence there is a second look: what happens after that rings. */
static bool look_and_arm(yoke_watch *watch, int *status)
{
    if (watch->type->ready(watch->handle, watch->what, status))
        return true;
    yoke__watchers_arm(watch->type->word(watch->handle, watch->what), watch->hub->seat->bell.thread);
    yoke__fence_seq_cst();
    return watch->type->ready(watch->handle, watch->what, status);
}

/* Whether the user is to be called, and with what. A native has been found readable already, unless the handle is gone. */
static bool look(yoke_watch *watch, int *status)
{
    bool ready = true;

    *status = YOKE_ECLOSED;
    yoke__handle_enter(watch->handle);
    if (!yoke__a32_load_acquire(&watch->gone) && !yoke__a32_load_acquire(&watch->handle->closing)) {
        *status = YOKE_OK;
        if (watch->type->word)
            ready = look_and_arm(watch, status);
    }
    yoke__handle_exit(watch->handle);
    return ready;
}

/* Whether the condition stands, as far as anybody knows. */
static bool visit(yoke_watch *watch)
{
    int status;

    if (watch->stopped || watch->told || !look(watch, &status))
        return false;
    if (status == YOKE_ECLOSED) {
        watch->told = true;
        watch_leave(watch); /* or its native would be reported for ever */
    }
    watch->fn(watch, status, watch->user);
    return !watch->told && !watch->stopped;
}

/* In a forked child that runs the loop: off it. */
static void forget_native(void *user)
{
    yoke__backend()->process->native_close(((yoke_watch *)user)->native);
}

static void forget_seat(void *user)
{
    yoke__seat_close(((yoke__hub *)user)->seat);
}

static void hub_turn(void *user, bool readable)
{
    yoke__hub *hub = user;
    bool       soon = false;

    if (hub->forgotten) {
        yoke__backend()->loop->leave(hub->guest, forget_seat);
        return;
    }
    if (readable)
        yoke__backend()->waiting->bell_clear(hub->seat->bell.native);
    else if (!hub->soon && hub->seat->bell.domain) /* a slice has passed: has anybody died with something of ours? */
        (void)yoke__domain_patrol(hub->domain);
    hub->turning = true;
    for (yoke_watch *watch = hub->first; watch && !hub->forgotten; watch = watch->next)
        if (!watch->guest || yoke__a32_load_acquire(&watch->gone))
            soon |= visit(watch);
    hub->turning = false;
    if (hub->forgotten) /* one of the functions has forked, and this is the child */
        return;
    take_out_stopped(hub);
    if (hub->leaving)
        return;
    ask(hub, soon);
    tell_done(hub);
}

/* A watch's own native is readable; the loop says so again while it is. */
static void watch_turn(void *user, bool readable)
{
    yoke_watch *watch = user;
    yoke__hub  *hub = watch->hub;

    (void)readable;
    if (hub->forgotten) {
        yoke__backend()->loop->leave(watch->guest, forget_native);
        return;
    }
    hub->turning = true;
    (void)visit(watch);
    hub->turning = false;
    if (hub->forgotten)
        return;
    take_out_stopped(hub);
    if (!hub->leaving && hub->done)
        ask(hub, true);
}

/* ---- making -------------------------------------------------------------------------------------------------------- */

static int hub_new(yoke__hub **out, void *loop, yoke_domain *domain)
{
    yoke__hub *hub = calloc(1, sizeof *hub);

    if (!hub)
        return yoke__fail(YOKE_ENOMEM, "no memory for a watch");
    hub->loop = loop;
    hub->domain = domain;
    int rc = yoke__seat_open(&hub->seat, domain);
    if (rc == YOKE_OK) {
        rc = yoke__backend()->loop->enter(&hub->guest, loop, hub->seat->bell.native, hub_turn, hub);
        if (rc < 0)
            yoke__seat_close(hub->seat);
    }
    if (rc < 0) {
        free(hub);
        return rc;
    }
    hub->guests = 1;
    yoke__hubs_add(hub);
    *out = hub;
    return YOKE_OK;
}

static int hub_of(yoke__hub **out, void *loop, yoke_domain *domain)
{
    yoke__hub *hub = yoke__hubs_find(loop, domain);

    if (!hub)
        return hub_new(out, loop, domain);
    *out = hub;
    return YOKE_OK;
}

static int watch_native(yoke_watch *watch, void *loop)
{
    const yoke_backend *backend = yoke__backend();

    YOKE_TRY(backend->process->native_duplicate(&watch->native, watch->type->native(watch->handle)));
    int rc = backend->loop->enter(&watch->guest, loop, watch->native, watch_turn, watch);
    if (rc < 0) {
        backend->process->native_close(watch->native);
        return rc;
    }
    watch->hub->guests++;
    return YOKE_OK;
}

static int watch_start(yoke_watch *watch, void *loop)
{
    YOKE_TRY(hub_of(&watch->hub, loop, watch->handle->domain));
    int rc = watch->type->word ? YOKE_OK : watch_native(watch, loop);
    if (rc < 0 && !watch->hub->first)
        hub_leave(watch->hub);
    if (rc < 0)
        return rc;
    yoke__watch_link(watch);
    ask(watch->hub, true); /* what stands already is told in the loop's next round */
    return YOKE_OK;
}

int yoke__hub_watch(yoke_watch **out, yoke__handle *handle, const yoke__watchable *type, yoke__what what, void *loop,
                    yoke_watch_fn *fn, void *user)
{
    yoke_watch *watch = yoke__watch_new();

    if (!watch)
        return yoke__fail(YOKE_ENOMEM, "no memory for a watch");
    watch->handle = handle;
    watch->type = type;
    watch->what = what;
    watch->fn = fn;
    watch->user = user;
    int rc = watch_start(watch, loop);
    if (rc < 0) {
        yoke__watch_free(watch);
        return rc;
    }
    *out = watch;
    return YOKE_OK;
}

/* ---- stopping -------------------------------------------------------------------------------------------------------- */

void yoke_watch_stop(yoke_watch *watch, void (*closed)(void *user))
{
    yoke__hub *hub = watch ? watch->hub : NULL;

    if (!watch)
        return;
    if (!hub || watch->stopped) {
        (void)yoke__fail(YOKE_EINVAL, "this watch was stopped already");
        return;
    }
    if (hub->forgotten) /* in a forked child: there is nothing to stop */
        return;
    watch->stopped = true;
    watch->closed = closed;
    if (hub->turning)
        return; /* whoever runs the user's functions takes it out */
    take_out_stopped(hub);
    if (!hub->leaving && hub->done)
        ask(hub, true);
}
