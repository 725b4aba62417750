/* A forked child forgets its parent's watches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <unistd.h>

#include "support/child.h"
#include "support/shared.h"
#include "support/stage.h"

/* ---- fork ------------------------------------------------------------------------------------------------------------------ */

static int run_inherited_loop(void *user)
{
    seen    *w = user;
    uint32_t number = 0;

    w->calls = 0;
    CHILD_CHECK(uv_loop_fork(&w->stage->loop) == 0);
    CHILD_CHECK(yoke_queue_put(w->stage->queue, &number, sizeof number, YOKE_NOWAIT) == YOKE_OK);
    yoke_watch_stop(w->watch, count_closed);
    for (int i = 0; i < 50; i++)
        (void)uv_run(&w->stage->loop, UV_RUN_NOWAIT);
    CHILD_CHECK(w->calls == 0 && w->closed == 0);
    w->stop_after = 1;
    CHILD_CHECK(yoke_queue_watch(&w->watch, w->stage->queue, &w->stage->loop, on_ready, w) == YOKE_OK);
    for (int i = 0; i < 1000 && !w->closed; i++)
        (void)uv_run(&w->stage->loop, UV_RUN_ONCE);
    CHILD_CHECK(w->calls == 1 && w->closed == 1);
    return 0;
}

static void test_a_forked_child_forgets_watches_and_makes_its_own(void **state)
{
    stage s;
    seen  w = {.stage = &s, .stop_after = 1};
    (void)state;

    stage_begin(&s, 0);
    assert_int_equal(yoke_queue_watch(&w.watch, s.queue, &s.loop, on_ready, &w), YOKE_OK);
    stage_rounds(&s, 5);
    assert_int_equal(child_join(child_start(run_inherited_loop, &w)), 0);
    stage_end(&s);
    assert_int_equal(w.calls, 1);
}

static void fork_inside(yoke_watch *watch, int status, void *user)
{
    seen *w = user;

    (void)status;
    if (w->calls++ == 0) {
        pid_t child = fork();
        if (child == 0) {
            (void)alarm(60);
            w->stop_after = -1;
            return; /* back into the loop, in the child */
        }
        assert_int_equal(child_join(child), 42);
    }
    yoke_watch_stop(watch, NULL);
    yoke_watch_stop(w->other, NULL);
}

static void test_a_function_forks(void **state)
{
    stage s;
    seen  a = {.stage = &s}, b = {.stage = &s};
    (void)state;

    stage_begin(&s, 0);
    put_number(s.queue, 0);
    assert_int_equal(yoke_queue_watch(&a.watch, s.queue, &s.loop, fork_inside, &a), YOKE_OK);
    assert_int_equal(yoke_queue_watch(&b.watch, s.queue, &s.loop, on_ready, &b), YOKE_OK);
    a.other = b.watch;
    (void)uv_run(&s.loop, UV_RUN_ONCE);
    if (a.stop_after == -1)
        _exit(b.calls == 0 ? 42 : 43);
    stage_end(&s);
    assert_int_equal(b.calls, 0);
}

int main(int argc, char **argv)
{
    yoke_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_forked_child_forgets_watches_and_makes_its_own),
        cmocka_unit_test(test_a_function_forks),
    };
    return cmocka_run_group_tests_name("watches and fork", tests, stage_setup, shared_teardown);
}
