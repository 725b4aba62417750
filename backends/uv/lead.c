/* Who runs the loop, and how the others wait. See uv.h. */
#include "uv.h"

#define NEVER INT64_MAX

enum { UNDER_WAY = 0, DONE = 1 }; /* yoke_stream_request.state */

/* A leader looks again and again before it lets the system put it to sleep: so often, and for so many ns at most. */
#define LOOKS     30
#define LOOK_TIME 50000

/* ---- leading ---- */

static bool lead_try(yoke__uv_loop *loop)
{
    uint32_t expected = 0;
    if (!yoke__a32_cas_acq_rel(&loop->lead, &expected, 1))
        return false;
    yoke__uv_quiet_begin();
    return true;
}

/* Runs what other threads have queued. */
static void run_queued(yoke__uv_loop *loop)
{
    if (yoke__a32_load_acquire(&loop->count) == 0)
        return;
    yoke__mutex_lock(&loop->mutex);
    yoke_stream_request *request = loop->queued;
    loop->queued = NULL;
    loop->queued_end = &loop->queued;
    yoke__mutex_unlock(&loop->mutex);
    while (request != NULL) {
        yoke_stream_request *next = request->next;
        request->next = NULL;
        (void)yoke__a32_sub_acq_rel(&loop->count, 1);
        request->run(request);
        request = next;
    }
}

static void wake_follower(yoke__uv_follower *follower)
{
    yoke__a32_store_release(&follower->word, 1);
    yoke_backend_current()->waiting->wake_local((const uint32_t *)&follower->word, 1);
}

/* Gives the lead back. Then looks whether somebody came in the meantime: who queues or follows counts himself first and
 * tries the lead after that, so with full fences on both sides one of the two sees the other. */
static void lead_resign(yoke__uv_loop *loop)
{
    yoke__uv_quiet_end();
    yoke__a32_store_release(&loop->lead, 0);
    yoke__fence_seq_cst();
    while (yoke__a32_load_relaxed(&loop->count) != 0) {
        yoke__mutex_lock(&loop->mutex);
        bool queued = loop->queued != NULL;
        /* A follower once woken tries the lead, or passes the turn on if its request is done. */
        if (!queued && loop->followers != NULL)
            wake_follower(loop->followers);
        yoke__mutex_unlock(&loop->mutex);
        if (!queued || !lead_try(loop))
            return;
        run_queued(loop);
        yoke__uv_quiet_end();
        yoke__a32_store_release(&loop->lead, 0);
        yoke__fence_seq_cst();
    }
}

/* On a caller's loop, by its thread. */
static void submit_to_caller(yoke_stream_request *request)
{
    bool waited_for = request->done == NULL; /* otherwise it may be gone after run */
    yoke__uv_quiet_begin();
    request->run(request);
    yoke__uv_quiet_end();
    if (waited_for)
        request->done_at_once = request->state == DONE;
}

void yoke__uv_submit(yoke_stream_request *request)
{
    yoke__uv_loop *loop = request->stream->loop;
    if (yoke__uv_is_callers(loop)) {
        submit_to_caller(request);
        return;
    }
    if (lead_try(loop)) {
        bool waited_for = request->done == NULL; /* otherwise it may be gone after run */
        run_queued(loop);
        request->leading = waited_for && request->wait_next;
        request->run(request);
        if (waited_for)
            request->done_at_once = request->state == DONE;
        if (!waited_for || !request->wait_next || request->done_at_once)
            lead_resign(loop);
        return; /* else wait() goes on leading */
    }
    yoke__mutex_lock(&loop->mutex);
    *loop->queued_end = request;
    loop->queued_end = &request->next;
    (void)yoke__a32_add_acq_rel(&loop->count, 1);
    yoke__mutex_unlock(&loop->mutex);
    (void)uv_async_send(&loop->wake);
    yoke__fence_seq_cst();
    if (lead_try(loop)) { /* the leader had left before it could see this */
        run_queued(loop);
        lead_resign(loop);
    }
}

void yoke__uv_finish(yoke_stream_request *request, int status, int64_t native)
{
    request->status = status;
    request->native = native;
    if (yoke__uv_is_callers(request->stream->loop)) {
        request->state = DONE;
        if (request->done != NULL)
            request->done(request);
        return;
    }
    if (request->done != NULL) {
        request->state = DONE;
        yoke__uv_quiet_end(); /* the user's own code: its signals are its own */
        request->done(request);
        yoke__uv_quiet_begin();
        return;
    }
    yoke__uv_loop *loop = request->stream->loop;
    yoke__mutex_lock(&loop->mutex);
    request->state = DONE;
    if (request->waiter != NULL)
        wake_follower(request->waiter); /* under the mutex: the follower's memory is its stack */
    yoke__mutex_unlock(&loop->mutex);
}

/* ---- waiting ---- */

static int64_t left_until(int64_t deadline)
{
    if (deadline == NEVER)
        return NEVER;
    int64_t left = deadline - (int64_t)uv_hrtime();
    return left > 0 ? left : 0;
}

static void run_once(yoke__uv_loop *loop, uv_run_mode mode)
{
    loop->turn++;
    (void)uv_run(&loop->own, mode);
    run_queued(loop);
}

/* libuv runs timers before it polls, too: without the stop, a deadline that passes just then would be followed by a
 * sleep without end. */
static void on_deadline(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

/* Sleeps in the loop for one event or until the deadline. */
static void run_until(yoke__uv_loop *loop, int64_t deadline)
{
    if (deadline == NEVER) {
        run_once(loop, UV_RUN_ONCE);
        return;
    }
    uv_update_time(&loop->own);
    uint64_t milliseconds = ((uint64_t)left_until(deadline) + 999999) / 1000000;
    (void)uv_timer_start(&loop->deadline, on_deadline, milliseconds, 0);
    run_once(loop, UV_RUN_ONCE);
    (void)uv_timer_stop(&loop->deadline);
}

/* A few looks before sleeping: a peer that is busy answers in less time than a sleep and a wake-up take, and one that
 * waits for this processor gets it by the yield and can go on undisturbed. */
static void look_around(yoke__uv_loop *loop, const yoke_stream_request *request)
{
    const yoke_system_ops *system = yoke_backend_current()->system;
    int64_t                end = (int64_t)uv_hrtime() + LOOK_TIME;
    for (int look = 0; look < LOOKS && request->state == UNDER_WAY; look++) {
        if (look > 0 && (int64_t)uv_hrtime() > end)
            return;
        if (look > 0)
            system->yield();
        if (loop->full != NULL)
            yoke__uv_retry(loop, false);
        if (loop->full == NULL && request->state == UNDER_WAY)
            run_once(loop, UV_RUN_NOWAIT);
    }
}

/* Runs the loop until the request is done. */
static int lead(yoke__uv_loop *loop, yoke_stream_request *request, int64_t deadline)
{
    yoke_stream *stream = request->stream;
    run_queued(loop);
    if (stream->writes != NULL && !stream->parked && stream->room == NULL)
        loop->full = stream;
    if (left_until(deadline) > 0)
        look_around(loop, request);
    if (loop->full != NULL && request->state == UNDER_WAY)
        yoke__uv_retry(loop, left_until(deadline) > 0 || request->size > 0);
    loop->full = NULL;
    if (request->state == UNDER_WAY && left_until(deadline) == 0)
        run_once(loop, UV_RUN_NOWAIT);
    while (request->state == UNDER_WAY && left_until(deadline) > 0)
        run_until(loop, deadline);
    int rc = request->state == UNDER_WAY ? YOKE_ETIMEDOUT : YOKE_OK;
    lead_resign(loop);
    return rc;
}

static void follower_enter(yoke__uv_loop *loop, yoke__uv_follower *self, yoke_stream_request *request)
{
    yoke__mutex_lock(&loop->mutex);
    self->next = loop->followers;
    loop->followers = self;
    request->waiter = self;
    (void)yoke__a32_add_acq_rel(&loop->count, 1);
    yoke__mutex_unlock(&loop->mutex);
    yoke__fence_seq_cst();
}

static void follower_leave(yoke__uv_loop *loop, yoke__uv_follower *self, yoke_stream_request *request)
{
    yoke__mutex_lock(&loop->mutex);
    yoke__uv_follower **link = &loop->followers;
    while (*link != self)
        link = &(*link)->next;
    *link = self->next;
    request->waiter = NULL;
    (void)yoke__a32_sub_acq_rel(&loop->count, 1);
    yoke__mutex_unlock(&loop->mutex);
}

/* Whether the request is done; forgets a wake-up that came too early. */
static bool follower_look(yoke__uv_loop *loop, yoke__uv_follower *self, const yoke_stream_request *request)
{
    yoke__mutex_lock(&loop->mutex);
    bool done = request->state != UNDER_WAY;
    yoke__a32_store_relaxed(&self->word, 0);
    yoke__mutex_unlock(&loop->mutex);
    return done;
}

/* Sleeps until the request is done, the lead is free, or the deadline. */
static int follow(yoke__uv_loop *loop, yoke_stream_request *request, int64_t deadline)
{
    yoke__uv_follower self = {{0}, NULL};
    bool              leading = false, done;
    follower_enter(loop, &self, request);
    for (;;) {
        done = follower_look(loop, &self, request);
        if (done || left_until(deadline) == 0)
            break;
        leading = lead_try(loop);
        if (leading)
            break;
        (void)yoke_backend_current()->waiting->wait_local((const uint32_t *)&self.word, 0, left_until(deadline));
    }
    follower_leave(loop, &self, request);
    if (leading)
        return lead(loop, request, deadline);
    if (lead_try(loop)) /* a wake-up meant for a leader may have been spent on this thread: pass it on */
        lead_resign(loop);
    return done ? YOKE_OK : YOKE_ETIMEDOUT;
}

int yoke__uv_wait(yoke_stream_request *request, int64_t timeout)
{
    if (request->done_at_once)
        return YOKE_OK;
    yoke__uv_loop *loop = request->stream->loop;
    int64_t        deadline = NEVER;
    if (timeout < NEVER - (int64_t)uv_hrtime())
        deadline = (int64_t)uv_hrtime() + (timeout > 0 ? timeout : 0);
    bool leading = request->leading; /* still since it was started; the field is only this thread's */
    if (leading)
        request->leading = false;
    else
        leading = lead_try(loop);
    return leading ? lead(loop, request, deadline) : follow(loop, request, deadline);
}
