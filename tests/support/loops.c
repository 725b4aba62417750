#include "loops.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LIMIT 30000

static void on_limit(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("the loop did not come to what was waited for");
}

void loop_make(uv_loop_t *loop)
{
    assert_int_equal(uv_loop_init(loop), 0);
}

static void with_limit(uv_loop_t *loop, bool (*holds)(void *user), void *user)
{
    uv_timer_t limit;

    assert_int_equal(uv_timer_init(loop, &limit), 0);
    assert_int_equal(uv_timer_start(&limit, on_limit, LIMIT, 0), 0);
    uv_unref((uv_handle_t *)&limit);
    while (!holds(user)) {
        if (uv_loop_alive(loop) == 0)
            fail_msg("the loop has nothing left to do");
        (void)uv_run(loop, UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&limit, NULL);
    (void)uv_run(loop, UV_RUN_NOWAIT);
}

void loop_until(uv_loop_t *loop, bool (*holds)(void *user), void *user)
{
    with_limit(loop, holds, user);
}

typedef struct counted {
    const int *count;
    int        least;
} counted;

static bool enough(void *user)
{
    const counted *c = user;

    return *c->count >= c->least;
}

void loop_until_count(uv_loop_t *loop, const int *count, int least)
{
    counted c = {count, least};

    with_limit(loop, enough, &c);
}

void loop_rounds(uv_loop_t *loop, int rounds)
{
    while (rounds-- > 0)
        (void)uv_run(loop, UV_RUN_NOWAIT);
}

static bool nothing_left(void *user)
{
    return uv_loop_alive(user) == 0;
}

void loop_end(uv_loop_t *loop)
{
    with_limit(loop, nothing_left, loop);
    assert_int_equal(uv_run(loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(loop), 0);
}
