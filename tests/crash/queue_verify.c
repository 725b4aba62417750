/* What must hold of a queue once its victim is dead, and recovered from. */
#include "core/domain/object.h"
#include "core/domain/participant.h"
#include "core/queue/layout.h"
#include "queue_fixture.h"

#include <string.h>

/* ---- what must hold ---------------------------------------------------------------------------------------------- */

/* What came out: which numbers, and which of them flagged. */
typedef struct harvest {
    bool     came[QUEUE_NUMBER];
    bool     again[QUEUE_NUMBER];
    uint32_t count;
    uint32_t last; /* number of the last that was not flagged */
} harvest;

static uint32_t number_of(const queue_case *test, const void *bytes, size_t size)
{
    for (uint32_t number = 1; number <= test->before + test->puts; number++)
        if (size == queue_size_of(test, number) && queue_is(test, bytes, number))
            return number;
    return 0;
}

static const char *harvest_one(const queue_fixture *now, harvest *got, const void *bytes, const yoke_info *info)
{
    uint32_t number = number_of(now->test, bytes, info->size);

    if (!number)
        return "a message is damaged or was never put";
    if (got->came[number])
        return queue_complain("a message came twice", number);
    got->came[number] = true;
    got->again[number] = info->redelivered;
    got->count++;
    if (info->redelivered)
        return NULL;
    if (number < got->last)
        return queue_complain("a first delivery is out of order", number);
    got->last = number;
    return NULL;
}

static const char *drain(queue_fixture *now, harvest *got, int *ended)
{
    static uint8_t bytes[QUEUE_LARGE];
    yoke_info      info = {.struct_size = sizeof info};
    const char    *wrong = NULL;

    memset(bytes, 0, sizeof bytes);
    while (!wrong && (*ended = yoke_queue_get_info(now->queue, bytes, sizeof bytes, &info, YOKE_NOWAIT)) == YOKE_OK) {
        wrong = harvest_one(now, got, bytes, &info);
        if (now->test->joinable && yoke_queue_task_done(now->queue) != YOKE_OK)
            return "what was got can't be said to be done";
    }
    return wrong;
}

/* Is message n, which didn't come, whole in the dead one's buffer? They lie there one behind the other. */
static bool dead_has(const queue_fixture *now, uint32_t number)
{
    size_t at = 0;

    for (uint32_t i = 1; i < number; i++)
        at += queue_size_of(now->test, i);
    return at + queue_size_of(now->test, number) <= sizeof now->seen->bytes &&
           queue_is(now->test, now->seen->bytes + at, number);
}

static const char *check_old(const queue_fixture *now, const harvest *got, uint32_t number)
{
    const queue_case *test = now->test;
    bool              taken = number <= test->takes;

    if (!got->came[number]) {
        if (!taken || (!test->consumes && (test->joinable || !dead_has(now, number))))
            return queue_complain("a message is lost", number);
        return NULL;
    }
    if (got->again[number] && !taken)
        return queue_complain("a message is flagged that nobody had", number);
    if (!got->again[number] && (number <= test->holds || (taken && now->seen->ended)))
        return queue_complain("a message that was taken before is not flagged", number);
    return NULL;
}

static const char *check_harvest(const queue_fixture *now, const harvest *got)
{
    const queue_case *test = now->test;
    const char       *wrong = NULL;

    for (uint32_t number = 1; number <= test->before && !wrong; number++)
        wrong = check_old(now, got, number);
    for (uint32_t number = test->before + 1; number <= test->before + test->puts && !wrong; number++) {
        if (got->again[number])
            wrong = queue_complain("a message is flagged that nobody had", number);
        else if (!got->came[number] && now->seen->ended)
            wrong = queue_complain("a message that was put is lost", number);
        else if (!got->came[number] && got->came[number + 1])
            wrong = queue_complain("a message came before one that was put first", number + 1);
    }
    return wrong;
}

static const char *check_figures(queue_fixture *now)
{
    yoke_queue_statistics is = {.struct_size = sizeof is};

    if (yoke_queue_size(now->queue) != 0 || !yoke_queue_empty(now->queue))
        return "an empty queue says it isn't";
    if (yoke_queue_stats(now->queue, &is) != YOKE_OK || is.puts != is.gets || is.put_bytes != is.got_bytes)
        return "puts and gets of an empty queue differ";
    if (!now->test->joinable)
        return NULL;
    if (yoke_queue_unfinished(now->queue) != 0)
        return "all is done, but something counts as unfinished";
    if (yoke_queue_join(now->queue, YOKE_NOWAIT) != YOKE_OK)
        return "all is done, but join doesn't end";
    return yoke_queue_task_done(now->queue) == YOKE_EINVAL ? NULL : "more was done than was got";
}

/* ---- the limits, and going on ------------------------------------------------------------------------------------ */

static yoke__queue_state *state_of(const queue_fixture *now)
{
    return ((const yoke__handle *)now->queue)->object;
}

static uint32_t room_of(const queue_case *test)
{
    uint32_t items = test->max_items ? (uint32_t)test->max_items : UINT32_MAX;
    uint32_t bytes = test->max_bytes ? (uint32_t)(test->max_bytes / queue_size_of(test, 4)) : UINT32_MAX;

    return items < bytes ? items : bytes;
}

static const char *check_limits(queue_fixture *now)
{
    const yoke__queue_state *state = state_of(now);
    uint32_t                 room = room_of(now->test);

    if (!now->test->max_items && !now->test->max_bytes)
        return NULL;
    for (uint32_t i = 0; i < room; i++)
        if (queue_put_number(now, 4) != YOKE_OK)
            return queue_complain("a limit has leaked: not all that fit could be put", i);
    if (queue_put_number(now, 4) != YOKE_ETIMEDOUT)
        return "the limit doesn't hold any more";
    for (uint32_t i = 0; i < room; i++)
        queue_take_filler(now);
    if (yoke__a64_load_relaxed(&state->reserved_items) || yoke__a64_load_relaxed(&state->reserved_bytes))
        return "something counts as reserved";
    /* Last, since it puts right by itself what the puts before must have put right. */
    return yoke_queue_full(now->queue) ? "an empty queue is full" : NULL;
}

static const char *check_goes_on(queue_fixture *now)
{
    static uint8_t bytes[QUEUE_LARGE];
    size_t         size;

    for (uint32_t i = 1; i <= 3; i++) {
        if (queue_put_number(now, i) != YOKE_OK ||
            yoke_queue_get(now->queue, bytes, sizeof bytes, &size, 1000) != YOKE_OK ||
            size != queue_size_of(now->test, i) || !queue_is(now->test, bytes, i))
            return "the survivor can't put and get";
        if (now->test->joinable && yoke_queue_task_done(now->queue) != YOKE_OK)
            return "the survivor's message can't be done";
    }
    return NULL;
}

static const char *check_shut(const queue_fixture *now, int ended)
{
    int put = queue_put_number(&queue_now, 1);

    if (put != YOKE_ESHUTDOWN)
        return now->seen->ended || put != YOKE_OK ? "the queue was shut down, but a put doesn't say so" : NULL;
    return ended == YOKE_ESHUTDOWN ? NULL : "the queue was shut down, but a get doesn't say so";
}

/* The queue goes, and nothing of it is left. */
static const char *check_end(queue_fixture *now)
{
    yoke_queue_close(now->queue);
    now->queue = NULL;
    if (queue_blocks(now->domain) > now->blocks)
        return "blocks of the queue are left after its end";
    return yoke__directory_check(now->domain) == YOKE_OK ? NULL : "the directory is out of order";
}

/* Everything was held by the dead, so all that is not done can be had. */
static const char *check_unfinished(queue_fixture *now)
{
    if (!now->test->joinable || now->test->shut)
        return NULL;
    if (yoke_queue_unfinished(now->queue) != yoke_queue_size(now->queue))
        return "the unfinished ones are not those that can be had";
    return NULL;
}

static const char *verify_shut(queue_fixture *now, const harvest *got, int ended)
{
    const char *wrong = check_shut(now, ended);
    bool        shut = ended == YOKE_ESHUTDOWN;

    if (!wrong && !(shut && now->test->shuts == YOKE_IMMEDIATE))
        wrong = check_harvest(now, got);
    if (!wrong && shut)
        wrong = check_figures(now);
    return wrong;
}

/* Recovers as if somebody slept in a get: what comes back must wake it. */
static const char *recover_for_a_sleeper(queue_fixture *now)
{
    yoke__queue_state *state = state_of(now);
    uint32_t           items = yoke__a32_load_acquire(&state->items);
    uint64_t           before = yoke__a64_load_acquire(&state->redeliver);

    yoke__a32_store_release(&state->getters_sleep, 1);
    queue_recover(now);
    if (yoke__a64_load_acquire(&state->redeliver) != before && yoke__a32_load_acquire(&state->items) == items)
        return "what came back woke nobody";
    yoke__a32_store_release(&state->getters_sleep, 0);
    return NULL;
}

const char *queue_verify(void *context)
{
    queue_fixture *now = context;
    harvest        got = {.last = 0};
    int            ended = YOKE_OK;
    const char    *wrong = recover_for_a_sleeper(now);

    if (wrong)
        return wrong;
    if (queue_blocks(now->domain) == UINT64_MAX)
        return "the heap is out of order";
    wrong = now->test->check ? now->test->check(now) : NULL;
    wrong = wrong ? wrong : check_unfinished(now);
    wrong = wrong ? wrong : drain(now, &got, &ended);
    if (now->test->shut) {
        wrong = wrong ? wrong : verify_shut(now, &got, ended);
    } else {
        wrong = wrong ? wrong : check_harvest(now, &got);
        wrong = wrong ? wrong : check_figures(now);
        wrong = wrong ? wrong : check_limits(now);
        wrong = wrong ? wrong : check_goes_on(now);
    }
    return wrong ? wrong : check_end(now);
}
