/* The Windows backend's word on who lives, and how children end. */
#include "support/leak.h"
#include "support/windows/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const yoke_life_ops    *life = &yoke__windows_life;
static const yoke_process_ops *process = &yoke__windows_process;

/* ---- what children do ---- */

static int stay(const char *argument, const yoke_native *natives, size_t count)
{
    (void)argument;
    if (count > 0)
        SetEvent(yoke__handle_of(natives[0]));
    Sleep(INFINITE);
    return 0;
}

static int end_with(const char *argument, const yoke_native *natives, size_t count)
{
    (void)natives, (void)count;
    return (int)strtol(argument, NULL, 10);
}

static int crash(const char *argument, const yoke_native *natives, size_t count)
{
    (void)natives, (void)count;
    int *volatile nowhere = (int *)8;
    if (strcmp(argument, "write") == 0)
        *nowhere = 1;
    RaiseException(argument[0] == 'd' ? EXCEPTION_INT_DIVIDE_BY_ZERO : EXCEPTION_ILLEGAL_INSTRUCTION, 0, 0, NULL);
    return 0;
}

/* ---- who lives ---- */

static void a_process_knows_itself(void **state)
{
    yoke_identity self, same;

    (void)state;
    assert_int_equal(life->self(&self), YOKE_OK);
    assert_int_equal(life->identify(&same, self.pid), YOKE_OK);
    assert_int_equal(self.pid, GetCurrentProcessId());
    assert_true(self.start == same.start && self.start != 0);
    assert_true(self.space == same.space && self.space != 0);
}

static void a_watch_is_signalled_by_death_and_stays_so(void **state)
{
    int64_t       pid;
    yoke_identity who;
    yoke_native   watch, another = YOKE_NO_NATIVE;

    (void)state;
    assert_int_equal(program_start(&pid, "stay", "", NULL, 0), YOKE_OK);
    assert_int_equal(life->identify(&who, pid), YOKE_OK);
    assert_int_equal(life->watch(&watch, &who), YOKE_OK);
    assert_int_equal(life->is_alive(watch), 1);
    assert_int_equal(life->wait(watch, 0), YOKE_ETIMEDOUT);
    assert_int_equal(life->wait(watch, 1000), YOKE_ETIMEDOUT);
    assert_int_equal(process->signal(pid, watch, YOKE_SIGNAL_KILL), YOKE_OK);
    assert_int_equal(life->wait(watch, 10 * SECOND), YOKE_OK);
    assert_int_equal(life->is_alive(watch), 0);
    assert_int_equal(life->watch(&another, &who), YOKE_ENOENT); /* though nobody has reaped it */
    assert_int_equal(process->signal(pid, watch, YOKE_SIGNAL_KILL), YOKE_ENOENT);
    assert_int_equal(program_join(pid), 1009);
    assert_int_equal(life->is_alive(watch), 0);
    life->close(watch);
    assert_int_equal(life->watch(&another, &who), YOKE_ENOENT);
    assert_int_equal(another, YOKE_NO_NATIVE);
}

static void another_creation_time_is_another_process(void **state)
{
    yoke_identity who;
    yoke_native   watch = YOKE_NO_NATIVE;

    (void)state;
    assert_int_equal(life->self(&who), YOKE_OK);
    who.start--;
    assert_int_equal(life->watch(&watch, &who), YOKE_ENOENT);
    who.start++;
    who.space++;
    assert_int_equal(life->watch(&watch, &who), YOKE_ENOTSUP); /* nobody can tell */
    assert_int_equal(life->identify(&who, 0), YOKE_EINVAL);
    assert_int_equal(life->identify(&who, -1), YOKE_EINVAL);
    assert_int_equal(life->identify(&who, INT64_MAX), YOKE_EINVAL);
    assert_int_equal(watch, YOKE_NO_NATIVE);
}

/* ---- how they ended ---- */

static void exit_codes_have_32_bits(void **state)
{
    static const int32_t codes[] = {0, 1, 255, 256, 70000, -1, INT32_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        char    text[16];
        int64_t pid;
        snprintf(text, sizeof text, "%d", (int)codes[i]);
        assert_int_equal(program_start(&pid, "end with", text, NULL, 0), YOKE_OK);
        assert_int_equal(program_join(pid), codes[i]);
    }
}

static void crashes_are_told_as_signals(void **state)
{
    static const struct {
        const char *how;
        int         signal;
    } cases[] = {{"write", 11}, {"divide", 8}, {"illegal", 4}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t pid;
        assert_int_equal(program_start(&pid, "crash", cases[i].how, NULL, 0), YOKE_OK);
        assert_int_equal(program_join(pid), 1000 + cases[i].signal);
    }
}

static void what_ended_it_is_told(void **state)
{
    static const struct {
        yoke_signal signal;
        int         number;
    } cases[] = {{YOKE_SIGNAL_TERMINATE, 15}, {YOKE_SIGNAL_KILL, 9}, {YOKE_SIGNAL_INTERRUPT, 2}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        yoke_native ready = yoke__native_of(CreateEventW(NULL, TRUE, FALSE, NULL));
        int64_t     pid;
        assert_int_equal(program_start(&pid, "stay", "", &ready, 1), YOKE_OK);
        assert_int_equal(life->wait(ready, 60 * SECOND), YOKE_OK);
        yoke_native watch = program_watch(pid);
        assert_int_equal(process->signal(pid, watch, cases[i].signal), YOKE_OK);
        assert_int_equal(program_join(pid), 1000 + cases[i].number);
        life->close(watch);
        process->native_close(ready);
    }
}

static void a_child_is_reaped_once(void **state)
{
    yoke_exit_status status;
    int64_t          pid, found = 0;

    (void)state;
    assert_int_equal(process->reap_any(&status, &found), YOKE_ECHILD);
    assert_int_equal(program_start(&pid, "stay", "", NULL, 0), YOKE_OK);
    assert_int_equal(process->reap(&status, pid), YOKE_EBUSY);
    assert_int_equal(process->reap_any(&status, &found), YOKE_EBUSY);
    yoke_native watch = program_watch(pid);
    assert_int_equal(process->signal(pid, watch, YOKE_SIGNAL_KILL), YOKE_OK);
    assert_int_equal(life->wait(watch, 10 * SECOND), YOKE_OK);
    assert_int_equal(process->reap_any(&status, &found), YOKE_OK);
    assert_int_equal(found, pid);
    assert_int_equal(status.signal, 9);
    assert_int_equal(process->reap(&status, pid), YOKE_OK);
    assert_false(status.known);
    life->close(watch);
}

/* What lasts as long as the process is made before it is looked for. */
static int set_up(void **state)
{
    int64_t pid;

    if (program_start(&pid, "end with", "0", NULL, 0) != YOKE_OK || program_join(pid) != 0)
        return -1;
    return leak_setup(state);
}

int main(int argc, char **argv)
{
    static const program_entry parts[] = {{"stay", stay}, {"end with", end_with}, {"crash", crash}, {NULL, NULL}};
    program_main(argc, argv, parts);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_knows_itself),
        cmocka_unit_test(a_watch_is_signalled_by_death_and_stays_so),
        cmocka_unit_test(another_creation_time_is_another_process),
        cmocka_unit_test(exit_codes_have_32_bits),
        cmocka_unit_test(crashes_are_told_as_signals),
        cmocka_unit_test(what_ended_it_is_told),
        cmocka_unit_test(a_child_is_reaped_once),
    };
    return cmocka_run_group_tests_name("life on Windows", tests, set_up, leak_teardown);
}
