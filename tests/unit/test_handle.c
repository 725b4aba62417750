/* Handles: closed, wrong and inherited ones are errors and not faults. */
#include "core/backend.h"
#include "core/domain/directory.h"
#include "core/domain/participant.h"
#include "support/box.h"
#include "support/child.h"
#include "support/leak.h"
#include "support/shared.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static yoke_domain *domain(void)
{
    return shared_domain();
}

static yoke__handle *new_box(void)
{
    yoke__handle *handle = NULL;

    assert_int_equal(box_create(&handle, NULL, NULL, YOKE_CREATE), YOKE_OK);
    return handle;
}

static bool says(const char *text)
{
    return strstr(yoke_last_error()->text, text) != NULL;
}

static uint32_t references_to(yoke__id id)
{
    yoke__entry *entry = yoke__entry_live(domain(), id);

    return entry ? yoke__a32_load_relaxed(&entry->count) : 0;
}

static void a_closed_handle_is_said_to_be_closed(void **state)
{
    (void)state;
    yoke__handle *handle = new_box();

    assert_ptr_equal(yoke__handle_check(handle, BOX_KIND), handle);
    box_close(handle);
    assert_null(yoke__handle_check(handle, BOX_KIND));
    assert_int_equal(yoke_last_error()->code, YOKE_EINVAL);
    assert_true(says("this box is closed"));
    box_close(handle); /* again: nothing */
    assert_null(yoke__handle_check(handle, YOKE__KIND_LOCK));
}

static void a_handle_of_another_kind_is_named(void **state)
{
    (void)state;
    yoke__handle *handle = new_box();

    assert_null(yoke__handle_check(handle, YOKE__KIND_QUEUE));
    assert_true(says("this is a box, not a queue"));
    assert_null(yoke__handle_check(domain(), BOX_KIND));
    assert_true(says("this is a domain, not a box"));
    yoke__handle_close((yoke__handle *)(void *)domain(), NULL);
    assert_int_equal(yoke__domain_of(&(yoke_domain *){NULL}, domain()), YOKE_OK); /* and stays open */
    box_close(handle);
}

static void what_is_no_handle_at_all_is_refused(void **state)
{
    (void)state;
    uint64_t zeros[32] = {0};

    assert_null(yoke__handle_check(NULL, BOX_KIND));
    assert_int_equal(yoke_last_error()->code, YOKE_EINVAL);
    assert_null(yoke__handle_check(zeros, BOX_KIND));
    assert_true(says("not a handle"));
    yoke__handle_close((yoke__handle *)(void *)zeros, NULL);
    yoke__handle_close(NULL, NULL);
}

static void closed_handles_rest_before_they_are_used_again(void **state)
{
    (void)state;
    yoke__handle *closed = new_box();

    box_close(closed);
    for (int i = 0; i < 32; i++) {
        yoke__handle *other = new_box();
        assert_ptr_not_equal(other, closed);
        box_close(other);
    }
}

static void a_local_handle_needs_no_domain(void **state)
{
    (void)state;
    yoke__handle *handle = NULL;

    assert_int_equal(yoke__handle_local(&handle, YOKE__KIND_CONN), YOKE_OK);
    assert_ptr_equal(yoke__handle_check(handle, YOKE__KIND_CONN), handle);
    assert_null(yoke__handle_check(handle, BOX_KIND));
    assert_true(says("this is a connection, not a box"));
    yoke__handle_close(handle, NULL);
    assert_null(yoke__handle_check(handle, YOKE__KIND_CONN));
}

/* ---- closing under sleepers ------------------------------------------------------------------------------------------ */

static yoke__a32 gate, answered;

static void *sleeper(void *user)
{
    yoke__handle *handle = user;

    yoke__handle_enter(handle);
    yoke__a32_add_acq_rel(&answered, 1);
    while (!yoke__a32_load_acquire(&handle->closing)) {
        uint32_t seen = yoke__a32_load_acquire(&gate);
        if (!yoke__a32_load_acquire(&handle->closing))
            (void)yoke__backend()->waiting->wait_local((const uint32_t *)&gate, seen, INT64_C(60000000000));
    }
    assert_null(yoke__handle_check(handle, BOX_KIND));
    yoke__a32_sub_acq_rel(&answered, 1);
    yoke__handle_exit(handle);
    return NULL;
}

static void open_gate(yoke__handle *handle)
{
    (void)handle;
    yoke__a32_add_acq_rel(&gate, 1);
    yoke__backend()->waiting->wake_local((const uint32_t *)&gate, UINT32_MAX);
}

static void close_wakes_sleepers_and_waits_for_them(void **state)
{
    (void)state;
    yoke__handle *handle = new_box();
    pthread_t     threads[3];

    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, sleeper, handle), 0);
    while (yoke__a32_load_acquire(&answered) != 3)
        yoke__backend()->system->yield();
    yoke__id id = handle->id;
    yoke__handle_close(handle, open_gate);
    assert_int_equal(yoke__a32_load_acquire(&answered), 0);
    assert_null(yoke__entry_live(domain(), id));
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

/* ---- forks ----------------------------------------------------------------------------------------------------------- */

static int use_inherited(void *user)
{
    yoke__handle **handles = user;
    yoke__token    mine;

    CHILD_CHECK(yoke__a32_load_relaxed(&domain()->token) == 0);
    CHILD_CHECK(yoke__handle_check(handles[0], BOX_KIND) == handles[0]);
    mine = yoke__a32_load_relaxed(&domain()->token);
    CHILD_CHECK(mine != 0 && mine != yoke__a32_load_relaxed(&handles[2]->holder) + 1000);
    CHILD_CHECK(yoke__a32_load_relaxed(&handles[0]->holder) == mine &&
                yoke__a32_load_relaxed(&handles[1]->holder) == mine);
    CHILD_CHECK(references_to(handles[0]->id) == 2 && references_to(handles[1]->id) == 2);
    box_close(handles[0]);
    CHILD_CHECK(references_to(handles[1]->id) == 2);
    yoke__domain_leave(domain());
    return 0;
}

static void a_forked_child_holds_what_it_inherits(void **state)
{
    (void)state;
    yoke__handle *handles[3] = {new_box(), new_box(), new_box()};

    box_close(handles[2]);
    assert_int_equal(child_join(child_start(use_inherited, handles)), 0);
    assert_int_equal(references_to(handles[0]->id), 1);
    assert_int_equal(references_to(handles[1]->id), 1); /* the child left in good order */
    assert_int_equal(yoke__domain_recover(domain()), 1);
    assert_true(box_of(handles[1]) != NULL);
    box_close(handles[0]);
    box_close(handles[1]);
}

static int close_without_use(void *user)
{
    box_close(user);
    CHILD_CHECK(yoke__a32_load_relaxed(&domain()->token) == 0); /* not worth a slot */
    return 0;
}

static void a_child_may_close_what_it_never_used(void **state)
{
    (void)state;
    yoke__handle *handle = new_box();

    assert_int_equal(child_join(child_start(close_without_use, handle)), 0);
    assert_int_equal(references_to(handle->id), 1);
    box_close(handle);
}

static yoke__a32 *go;

static int use_what_is_gone(void *user)
{
    while (!yoke__a32_load_acquire(go))
        (void)yoke__backend()->waiting->wait_word((const uint32_t *)go, 0, INT64_C(1000000000));
    CHILD_CHECK(yoke__handle_check(user, BOX_KIND) == NULL);
    CHILD_CHECK(yoke_last_error()->code == YOKE_ECLOSED);
    box_close(user);
    CHILD_CHECK(yoke__handle_check(user, BOX_KIND) == NULL);
    CHILD_CHECK(yoke_last_error()->code == YOKE_EINVAL);
    return 0;
}

static void a_handle_whose_object_went_before_the_child_came_says_so(void **state)
{
    (void)state;
    go = shared_alloc(64);
    yoke__handle *handle = new_box();
    pid_t         child = child_start(use_what_is_gone, handle);

    box_close(handle);
    handle = new_box(); /* the same entry, another object */
    yoke__a32_store_release(go, 1);
    yoke__backend()->waiting->wake_word((const uint32_t *)go, 1);
    assert_int_equal(child_join(child), 0);
    (void)yoke__domain_recover(domain());
    assert_int_equal(references_to(handle->id), 1);
    box_close(handle);
    shared_free(go);
}

static yoke__a32 asleep;

static void *sleep_in_it(void *user)
{
    yoke__handle_enter(user);
    yoke__a32_store_release(&asleep, 1);
    while (!yoke__a32_load_acquire(&((yoke__handle *)user)->closing))
        (void)yoke__backend()->waiting->wait_local((const uint32_t *)&asleep, 1, INT64_C(1000000000));
    yoke__handle_exit(user);
    return NULL;
}

static int close_alone(void *user)
{
    yoke__handle_close(user, NULL); /* would wait for ever for the parent's thread */
    return 0;
}

static void wake_it(yoke__handle *handle)
{
    (void)handle;
    yoke__a32_store_release(&asleep, 2);
    yoke__backend()->waiting->wake_local((const uint32_t *)&asleep, 1);
}

static void sleepers_of_the_parent_are_not_waited_for_in_a_child(void **state)
{
    (void)state;
    yoke__handle *handle = new_box();
    pthread_t     thread;

    assert_int_equal(pthread_create(&thread, NULL, sleep_in_it, handle), 0);
    while (!yoke__a32_load_acquire(&asleep))
        yoke__backend()->system->yield();
    assert_int_equal(child_join(child_start(close_alone, handle)), 0);
    yoke__handle_close(handle, wake_it);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* ---- many ------------------------------------------------------------------------------------------------------------ */

static void a_hundred_thousand_handles_open_and_close(void **state)
{
    (void)state;
    enum { MANY = 100000 };
    yoke__handle **all = malloc(MANY * sizeof(*all)), *object = new_box();

    for (int i = 0; i < MANY; i++)
        assert_int_equal(yoke__handle_open(&all[i], domain(), BOX_KIND, object->id), YOKE_OK);
    assert_int_equal(references_to(object->id), MANY + 1);
    for (int i = 0; i < MANY; i++)
        box_close(all[(i * 7919) % MANY]);
    assert_int_equal(references_to(object->id), 1);
    box_close(object);
    free(all);
}

static int setup(void **state)
{
    box_install();
    return shared_setup(state);
}

static int teardown(void **state)
{
    box_remove();
    return leak_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_closed_handle_is_said_to_be_closed),
        cmocka_unit_test(a_handle_of_another_kind_is_named),
        cmocka_unit_test(what_is_no_handle_at_all_is_refused),
        cmocka_unit_test(closed_handles_rest_before_they_are_used_again),
        cmocka_unit_test(a_local_handle_needs_no_domain),
        cmocka_unit_test(close_wakes_sleepers_and_waits_for_them),
        cmocka_unit_test(a_forked_child_holds_what_it_inherits),
        cmocka_unit_test(a_child_may_close_what_it_never_used),
        cmocka_unit_test(a_handle_whose_object_went_before_the_child_came_says_so),
        cmocka_unit_test(sleepers_of_the_parent_are_not_waited_for_in_a_child),
        cmocka_unit_test(a_hundred_thousand_handles_open_and_close),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
