/* Who may do what, and how processes end with each other. */
#include "support/child.h"
#include "support/process.h"

#include <yoke/backend.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Not a child of this process, so it can't be joined; but the system tells of its death. */
static void assert_gone(pid_t pid)
{
    const yoke_life_ops *ops = yoke_backend_current()->life;
    yoke_identity        who;
    yoke_native          life;

    if (ops->identify(&who, pid) < 0 || ops->watch(&life, &who) < 0)
        return; /* already */
    assert_int_equal(ops->wait(life, INT64_C(60000000000)), YOKE_OK);
    ops->close(life);
}

/* ---- children of children ---- */

static int start_grandchild(const yoke_args *args)
{
    yoke_process *grandchild;
    yoke_result   result = {.struct_size = sizeof result};

    YOKE_TRY(yoke_process_start(&grandchild, return_number, YOKE_ARGS(5), NULL));
    const char *name = yoke_process_name(grandchild);
    size_t      length = strlen(yoke_args_string(args, 0));
    if (strncmp(name, yoke_args_string(args, 0), length) != 0 || strcmp(name + length, ":1") != 0)
        return 1;
    YOKE_TRY(yoke_process_finish(grandchild, &result, YOKE_FOREVER));
    return result.how == YOKE_RETURNED && result.code == 5 ? 0 : 2;
}

static void children_have_children(void **state)
{
    yoke_process *process;
    int           number;

    (void)state;
    assert_ok(yoke_process_start(&process, return_number, YOKE_ARGS(0), NULL));
    number = atoi(yoke_process_name(process) + strlen("Process-"));
    (void)finish(process);
    char name[64];
    snprintf(name, sizeof name, "Process-%d", number + 1);
    yoke_result result = result_of(start_grandchild, YOKE_ARGS(name), NULL);
    assert_string_equal(result.text, "");
    assert_int_equal(result.code, 0);
}

static int inherit_method(const yoke_args *args)
{
    return yoke_get_start_method() == (yoke_start_method)yoke_args_int(args, 0) ? 0 : 1;
}

static void start_method_that_was_set_holds_in_children(void **state)
{
    (void)state;
    assert_int_equal(yoke_get_start_method(), method_under_test());
    assert_int_equal(result_of(inherit_method, YOKE_ARGS(method_under_test()), NULL).code, 0);
}

static int slow(const yoke_args *args)
{
    char line[8];

    YOKE_TRY(yoke_queue_get_string(yoke_args_queue(args, 0), line, sizeof line, YOKE_FOREVER));
    return yoke_queue_put_string(yoke_args_queue(args, 1), "done", YOKE_FOREVER);
}

/* Starts one that waits, and returns without joining it: the exit rules do that. */
static int leave_child_behind(const yoke_args *args)
{
    yoke_process *process;

    YOKE_TRY(yoke_process_start(&process, slow, YOKE_ARGS(yoke_args_queue(args, 0), yoke_args_queue(args, 1)), NULL));
    return yoke_queue_put_string(yoke_args_queue(args, 2), "left", YOKE_FOREVER);
}

static void child_that_returns_joins_its_own_children(void **state)
{
    yoke_queue   *go = new_queue(), *done = new_queue(), *left = new_queue();
    yoke_process *process;
    char          line[8];

    (void)state;
    assert_ok(yoke_process_start(&process, leave_child_behind, YOKE_ARGS(go, done, left), NULL));
    assert_ok(yoke_queue_get_string(left, line, sizeof line, 60000));
    assert_fails(yoke_process_join(process, 100), YOKE_ETIMEDOUT, "still runs");
    assert_ok(yoke_queue_put_string(go, "go", YOKE_FOREVER));
    assert_int_equal(finish(process).code, 0);
    assert_ok(yoke_queue_get_string(done, line, sizeof line, YOKE_NOWAIT));
    yoke_queue_close(go);
    yoke_queue_close(done);
    yoke_queue_close(left);
}

/* ---- daemons ---- */

static int try_to_start(const yoke_args *args)
{
    yoke_process *process;

    (void)args;
    if (!yoke_process_is_daemon(yoke_process_current()))
        return 1;
    if (yoke_process_start(&process, return_number, YOKE_ARGS(0), NULL) != YOKE_EINVAL)
        return 2;
    return strstr(yoke_last_error()->text, "daemon") ? 0 : 3;
}

static void daemons_may_not_have_children(void **state)
{
    (void)state;
    yoke_result result = result_of(try_to_start, NULL, YOKE_OPTIONS(yoke_process_options, .daemon = YOKE_YES));
    assert_int_equal(result.how, YOKE_RETURNED);
    assert_int_equal(result.code, 0);
}

static int leave_daemons_behind(const yoke_args *args)
{
    yoke_process *process;

    for (int stubborn = 0; stubborn < 2; stubborn++)
        YOKE_TRY(yoke_process_start(&process, stay, YOKE_ARGS(yoke_args_queue(args, 0), stubborn == 1),
                                    YOKE_OPTIONS(yoke_process_options, .daemon = YOKE_YES)));
    return 0;
}

static void daemons_end_with_their_parent_even_if_stubborn(void **state)
{
    yoke_queue *queue = new_queue();

    (void)state;
    assert_int_equal(result_of(leave_daemons_behind, YOKE_ARGS(queue), NULL).code, 0);
    for (int i = 0; i < 2; i++) {
        char line[32];
        if (yoke_queue_get_string(queue, line, sizeof line, YOKE_NOWAIT) ==
            YOKE_OK) /* ended before it began, perhaps */
            assert_gone((pid_t)atoi(line));
    }
    yoke_queue_close(queue);
}

/* ---- dying with the parent ---- */

/* Tells its pid, and again whenever it is asked. */
static int answer_and_stay(const yoke_args *args)
{
    char line[8];

    do
        YOKE_TRY(yoke_queue_put_format(yoke_args_queue(args, 0), YOKE_FOREVER, "%d", (int)getpid()));
    while (yoke_queue_get_string(yoke_args_queue(args, 1), line, sizeof line, YOKE_FOREVER) == YOKE_OK);
    return 0;
}

static int hold_child_and_stay(const yoke_args *args)
{
    yoke_process *process;
    yoke_choice   die = (yoke_choice)yoke_args_int(args, 2);

    YOKE_TRY(yoke_process_start(&process, answer_and_stay,
                                YOKE_ARGS(yoke_args_queue(args, 0), yoke_args_queue(args, 1)),
                                YOKE_OPTIONS(yoke_process_options, .die_with_parent = die)));
    for (;;)
        pause();
}

static void killed_parent_takes_its_children_along_if_asked(void **state)
{
    yoke_queue   *queue = new_queue(), *asking = new_queue();
    yoke_process *parent;

    (void)state;
    assert_ok(yoke_process_start(&parent, hold_child_and_stay, YOKE_ARGS(queue, asking, YOKE_YES), NULL));
    pid_t pid = told_pid(queue);
    assert_ok(yoke_process_kill(parent));
    assert_int_equal(finish(parent).signal, SIGKILL);
    assert_gone(pid);
    yoke_queue_close(asking);
    yoke_queue_close(queue);
}

static void killed_parent_leaves_its_children_alone_otherwise(void **state)
{
    yoke_queue   *queue = new_queue(), *asking = new_queue();
    yoke_process *parent;

    (void)state;
    assert_ok(yoke_process_start(&parent, hold_child_and_stay, YOKE_ARGS(queue, asking, YOKE_NO), NULL));
    pid_t pid = told_pid(queue);
    assert_ok(yoke_process_kill(parent));
    assert_int_equal(finish(parent).signal, SIGKILL);
    assert_ok(yoke_queue_put_string(asking, "alive?", 60000));
    assert_int_equal(told_pid(queue), pid);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_gone(pid);
    yoke_queue_close(asking);
    yoke_queue_close(queue);
}

/* ---- leaving ---- */

static yoke_queue *told;

static void tell_it(void *user)
{
    if (yoke_queue_put_string(told, user, YOKE_FOREVER) < 0)
        abort();
}

static int leave_with_handlers(const yoke_args *args)
{
    static char one[] = "one", two[] = "two";

    told = yoke_args_queue(args, 0);
    YOKE_TRY(yoke_at_exit(tell_it, one));
    YOKE_TRY(yoke_at_exit(tell_it, two));
    if (yoke_args_bool(args, 1))
        yoke_exit(3);
    printf("unflushed");
    return 3;
}

static void exit_handlers_run_last_first_and_not_in_the_parent(void **state)
{
    yoke_queue *queue = new_queue();
    char        line[16];

    (void)state;
    for (int by_exit = 0; by_exit < 2; by_exit++) {
        yoke_result result = result_of(leave_with_handlers, YOKE_ARGS(queue, by_exit == 1),
                                       YOKE_OPTIONS(yoke_process_options, .stdout_to = YOKE_STDIO_NULL));
        assert_int_equal(result.how, by_exit ? YOKE_EXITED : YOKE_RETURNED);
        assert_int_equal(result.code, 3);
        assert_ok(yoke_queue_get_string(queue, line, sizeof line, YOKE_NOWAIT));
        assert_string_equal(line, "two");
        assert_ok(yoke_queue_get_string(queue, line, sizeof line, YOKE_NOWAIT));
        assert_string_equal(line, "one");
        assert_int_equal(yoke_queue_get_string(queue, line, sizeof line, YOKE_NOWAIT), YOKE_ETIMEDOUT);
    }
    yoke_queue_close(queue);
}

/* ---- creators ---- */

static yoke_process *inherited;

static int use_inherited(void *user)
{
    yoke_process *own;
    yoke_result   result = {.struct_size = sizeof result};

    (void)user;
    CHILD_CHECK(yoke_process_join(inherited, YOKE_NOWAIT) == YOKE_ECHILD);
    CHILD_CHECK(strstr(yoke_last_error()->text, "creator") != NULL);
    CHILD_CHECK(yoke_process_kill(inherited) == YOKE_ECHILD);
    CHILD_CHECK(!yoke_process_is_alive(inherited));
    CHILD_CHECK(yoke_active_children(NULL, 0) == 0);
    CHILD_CHECK(yoke_process_pid(inherited) > 0);
    CHILD_CHECK(yoke_process_parent() == NULL);
    CHILD_CHECK(yoke_process_pid(yoke_process_current()) == getpid());
    CHILD_CHECK(yoke_process_close(inherited) == YOKE_OK);
    CHILD_CHECK(yoke_process_start(&own, return_number, YOKE_ARGS(6), NULL) == YOKE_OK);
    CHILD_CHECK(yoke_process_finish(own, &result, YOKE_FOREVER) == YOKE_OK);
    CHILD_CHECK(result.code == 6);
    exit(0); /* and its exit rules touch nothing of its parent's */
}

static void process_forked_by_the_program_owns_no_children_of_its_parent(void **state)
{
    yoke_queue *queue = new_queue();

    (void)state;
    assert_ok(yoke_process_start(&inherited, stay, YOKE_ARGS(queue, false), NULL));
    pid_t pid = told_pid(queue);
    assert_int_equal(child_join(child_start(use_inherited, NULL)), 0);
    assert_int_equal(kill(pid, 0), 0);
    assert_ok(yoke_process_kill(inherited));
    assert_int_equal(finish(inherited).signal, SIGKILL);
    yoke_queue_close(queue);
}

static void process_cannot_join_or_end_itself(void **state)
{
    yoke_process *self = (yoke_process *)(uintptr_t)yoke_process_current();

    (void)state;
    assert_fails(yoke_process_join(self, YOKE_NOWAIT), YOKE_ECHILD, "itself");
    assert_fails(yoke_process_terminate(self), YOKE_ECHILD, "itself");
    assert_fails(yoke_process_close(self), YOKE_EINVAL, "library's");
}

int main(int argc, char **argv)
{
    yoke_main(argc, argv);
    const struct CMUnitTest rules[] = {
        cmocka_unit_test(children_have_children),
        cmocka_unit_test(start_method_that_was_set_holds_in_children),
        cmocka_unit_test(child_that_returns_joins_its_own_children),
        cmocka_unit_test(daemons_may_not_have_children),
        cmocka_unit_test(daemons_end_with_their_parent_even_if_stubborn),
        cmocka_unit_test(killed_parent_takes_its_children_along_if_asked),
        cmocka_unit_test(killed_parent_leaves_its_children_alone_otherwise),
        cmocka_unit_test(exit_handlers_run_last_first_and_not_in_the_parent),
        cmocka_unit_test(process_forked_by_the_program_owns_no_children_of_its_parent),
        cmocka_unit_test(process_cannot_join_or_end_itself),
    };
    return run_under_methods(rules);
}
