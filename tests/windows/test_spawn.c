/* Starting programs on Windows: what a child is given, arrives, and nothing else. Channels, since they take two. */
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
#include <shellapi.h>

static const yoke_life_ops    *life = &yoke__windows_life;
static const yoke_process_ops *process = &yoke__windows_process;

#define ODD_TEXT "two words \"quoted\" back\\slash\\ \xc3\xa4\xe2\x82\xac"

/* ---- what children do ---- */

static int check_argument(const char *argument, const yoke_native *natives, size_t count)
{
    int       argc;
    wchar_t **argv = CommandLineToArgvW(GetCommandLineW(), &argc), *expected = yoke__windows_wide(ODD_TEXT);

    (void)argument, (void)natives, (void)count;
    return argc == 5 && wcscmp(argv[4], expected) == 0 ? 0 : 1;
}

static int check_surroundings(const char *argument, const yoke_native *natives, size_t count)
{
    wchar_t value[64], directory[MAX_PATH];

    (void)argument, (void)natives, (void)count;
    if (GetEnvironmentVariableW(L"YOKE_TEST_ODD", value, 64) == 0 || wcscmp(value, L"\x00e4=\x20ac") != 0)
        return 1;
    if (GetEnvironmentVariableW(L"YOKE_TEST_NOT", value, 64) != 0)
        return 2;
    GetCurrentDirectoryW(MAX_PATH, directory);
    return _wcsicmp(directory + wcslen(directory) - 7, L"windows") == 0 ? 0 : 3;
}

static int greet(const char *argument, const yoke_native *natives, size_t count)
{
    (void)argument, (void)natives, (void)count;
    DWORD put;
    return WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), "hello", 5, &put, NULL) ? 0 : 1;
}

/* natives: a section with a number, an event to set once it is doubled. */
static int double_it(const char *argument, const yoke_native *natives, size_t count)
{
    int *number = MapViewOfFile(yoke__handle_of(natives[0]), FILE_MAP_WRITE, 0, 0, sizeof *number);

    (void)argument, (void)count;
    if (!number)
        return 1;
    *number *= 2;
    return SetEvent(yoke__handle_of(natives[1])) ? 0 : 2;
}

/* natives: an end of a channel. Sends back what it gets, twice, and an event of its own, which is set. */
static int echo(const char *argument, const yoke_native *natives, size_t count)
{
    char        data[64];
    size_t      size, got;
    yoke_native event = YOKE_NO_NATIVE, own = yoke__native_of(CreateEventW(NULL, TRUE, TRUE, NULL));

    (void)argument, (void)count;
    if (process->channel_recv(natives[0], data, sizeof data, &size, &event, 1, &got, 60 * SECOND) != YOKE_OK ||
        got != 1)
        return 1;
    if (!SetEvent(yoke__handle_of(event)))
        return 2;
    if (process->channel_send(natives[0], data, size, &own, 1) != YOKE_OK)
        return 3;
    process->native_close(own);
    return process->channel_recv(natives[0], data, sizeof data, &size, &event, 1, &got, 60 * SECOND) == YOKE_EEOF ? 0
                                                                                                                  : 4;
}

/* ---- tests ---- */

static yoke_native new_event(void)
{
    return yoke__native_of(CreateEventW(NULL, TRUE, FALSE, NULL));
}

static void odd_arguments_arrive(void **state)
{
    int64_t pid;

    (void)state;
    assert_int_equal(program_start(&pid, "check argument", ODD_TEXT, NULL, 0), YOKE_OK);
    assert_int_equal(program_join(pid), 0);
}

static void environment_and_directory_arrive(void **state)
{
    wchar_t           wide[MAX_PATH];
    const char *const arguments[] = {"program", "--part", "check surroundings", "0", NULL};
    const char *const environment[] = {"YOKE_TEST_ODD=\xc3\xa4=\xe2\x82\xac", "PATH=C:\\windows", NULL};
    int64_t           pid;

    (void)state;
    GetWindowsDirectoryW(wide, MAX_PATH);
    char       *directory = yoke__windows_narrow(wide);
    yoke_launch launch = {
        .struct_size = sizeof launch,
        .arguments = arguments,
        .environment = environment,
        .working_directory = directory,
        .stdio = {YOKE_STDIO_NULL, YOKE_STDIO_INHERIT, YOKE_STDIO_INHERIT},
    };
    SetEnvironmentVariableW(L"YOKE_TEST_NOT", L"here");
    assert_int_equal(process->spawn(&pid, &launch), YOKE_OK);
    assert_int_equal(program_join(pid), 0);
    launch.working_directory = "C:\\nowhere at all";
    assert_true(process->spawn(&pid, &launch) < 0);
    assert_non_null(strstr(yoke_last_error()->text, "in the directory"));
    launch.working_directory = NULL;
    launch.program = "C:\\nowhere at all.exe";
    assert_int_equal(process->spawn(&pid, &launch), YOKE_ENOENT);
    SetEnvironmentVariableW(L"YOKE_TEST_NOT", NULL);
    free(directory);
}

static void own_environment_is_told_in_utf8(void **state)
{
    bool found = false;

    (void)state;
    SetEnvironmentVariableW(L"YOKE_TEST_ODD", L"\x00e4");
    const char *const *list = process->environment();
    assert_ptr_equal(process->environment(), list); /* nothing has changed */
    for (; *list; list++)
        found |= strcmp(*list, "YOKE_TEST_ODD=\xc3\xa4") == 0;
    assert_true(found);
    SetEnvironmentVariableW(L"YOKE_TEST_ODD", NULL);
}

static void standard_output_is_what_was_asked(void **state)
{
    const char *const arguments[] = {"program", "--part", "greet", "0", NULL};
    HANDLE            ends[2];
    char              got[8] = "";
    int64_t           pid;

    (void)state;
    assert_int_equal(yoke__windows_pipe(ends, PIPE_TYPE_BYTE, false, 64), YOKE_OK);
    yoke_launch launch = {
        .struct_size = sizeof launch,
        .arguments = arguments,
        .stdio = {YOKE_STDIO_NULL, yoke__native_of(ends[1]), YOKE_STDIO_INHERIT},
    };
    assert_int_equal(process->spawn(&pid, &launch), YOKE_OK);
    CloseHandle(ends[1]);
    assert_int_equal(yoke__windows_read_all(ends[0], got, 5, yoke__windows_deadline(60 * SECOND)), YOKE_OK);
    assert_string_equal(got, "hello");
    assert_int_equal(program_join(pid), 0);
    CloseHandle(ends[0]);
}

static void handles_of_any_kind_are_handed_over(void **state)
{
    HANDLE      section = CreateFileMappingW(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 4096, NULL);
    int        *number = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, sizeof *number);
    yoke_native given[2] = {yoke__native_of(section), new_event()};
    int64_t     pid;

    (void)state;
    assert_non_null(number);
    *number = 21;
    assert_int_equal(program_start(&pid, "double it", "", given, 2), YOKE_OK);
    assert_int_equal(life->wait(given[1], 60 * SECOND), YOKE_OK);
    assert_int_equal(*number, 42);
    assert_int_equal(program_join(pid), 0);
    UnmapViewOfFile(number);
    for (int i = 0; i < 2; i++)
        process->native_close(given[i]);
}

static void who_was_given_nothing_is_told(void **state)
{
    yoke_native out[2];

    (void)state;
    assert_int_equal(process->claim_natives(out, 2), YOKE_EPROTO);
}

static void channels_carry_data_and_handles(void **state)
{
    yoke_native ends[2], event = new_event(), theirs = YOKE_NO_NATIVE;
    char        data[64];
    size_t      size = 0, count = 0;
    int64_t     pid;

    (void)state;
    assert_int_equal(process->channel(ends), YOKE_OK);
    assert_int_equal(program_start(&pid, "echo", "", &ends[1], 1), YOKE_OK);
    process->native_close(ends[1]);
    assert_int_equal(process->channel_send(ends[0], "ping", 4, &event, 1), YOKE_OK);
    assert_int_equal(process->channel_recv(ends[0], data, sizeof data, &size, &theirs, 1, &count, 60 * SECOND),
                     YOKE_OK);
    assert_int_equal(size, 4);
    assert_memory_equal(data, "ping", 4);
    assert_int_equal(count, 1);
    assert_int_equal(life->wait(event, 0), YOKE_OK);
    assert_int_equal(life->wait(theirs, 0), YOKE_OK);
    process->native_close(theirs);
    process->native_close(event);
    process->native_close(ends[0]);
    assert_int_equal(program_join(pid), 0);
}

static void channels_tell_what_is_wrong(void **state)
{
    yoke_native ends[2], event = new_event(), none = 0x7ffffff0, got[2];
    char        data[16];
    size_t      size, count;

    (void)state;
    assert_int_equal(process->channel(ends), YOKE_OK);
    assert_int_equal(process->channel_recv(ends[0], data, 16, &size, NULL, 0, &count, SECOND / 100), YOKE_ETIMEDOUT);
    assert_int_equal(process->channel_send(ends[1], data, 0, NULL, 0), YOKE_EINVAL);
    assert_int_equal(process->channel_send(ends[1], "x", 1, &none, 1), YOKE_EINVAL);
    assert_int_equal(process->channel_send(ends[1], "twelve bytes", 12, &event, 1), YOKE_OK);
    assert_int_equal(process->channel_recv(ends[0], data, 4, &size, got, 2, &count, 0), YOKE_EMSGSIZE);
    assert_int_equal(process->channel_send(ends[1], "x", 1, &event, 1), YOKE_OK);
    assert_int_equal(process->channel_recv(ends[0], data, 4, &size, got, 0, &count, 0), YOKE_EMSGSIZE);
    assert_int_equal(process->channel_send(ends[1], "next", 4, NULL, 0), YOKE_OK);
    assert_int_equal(process->channel_recv(ends[0], data, 4, &size, got, 2, &count, 0), YOKE_OK);
    assert_true(size == 4 && count == 0 && memcmp(data, "next", 4) == 0);
    process->native_close(ends[1]);
    assert_int_equal(process->channel_recv(ends[0], data, 4, &size, got, 2, &count, SECOND), YOKE_EEOF);
    assert_int_equal(process->channel_send(ends[0], "x", 1, NULL, 0), YOKE_EEOF);
    process->native_close(ends[0]);
    process->native_close(event);
}

static int set_up(void **state)
{
    int64_t pid;

    (void)process->environment();
    if (program_start(&pid, "greet", "", NULL, 0) != YOKE_OK || program_join(pid) != 0)
        return -1;
    return leak_setup(state);
}

int main(int argc, char **argv)
{
    static const program_entry parts[] = {{"check argument", check_argument},
                                          {"check surroundings", check_surroundings},
                                          {"greet", greet},
                                          {"double it", double_it},
                                          {"echo", echo},
                                          {NULL, NULL}};
    program_main(argc, argv, parts);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(odd_arguments_arrive),
        cmocka_unit_test(environment_and_directory_arrive),
        cmocka_unit_test(own_environment_is_told_in_utf8),
        cmocka_unit_test(standard_output_is_what_was_asked),
        cmocka_unit_test(handles_of_any_kind_are_handed_over),
        cmocka_unit_test(who_was_given_nothing_is_told),
        cmocka_unit_test(channels_carry_data_and_handles),
        cmocka_unit_test(channels_tell_what_is_wrong),
    };
    return cmocka_run_group_tests_name("spawn on Windows", tests, set_up, leak_teardown);
}
