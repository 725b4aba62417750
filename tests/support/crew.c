#include "crew.h"

#include "child.h"
#include "process.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MINUTE      60000
#define HALF_MINUTE 30000

yoke_process *crew_start(yoke_function *function, const yoke_item *args)
{
    yoke_process *process;

    assert_ok(yoke_process_start(&process, function, args, YOKE_OPTIONS(yoke_process_options, .daemon = YOKE_YES)));
    return process;
}

static pid_t pid_of(const yoke_process *process)
{
    return (pid_t)yoke_process_pid(process);
}

bool crew_gone(yoke_process *process)
{
    intptr_t      native;
    struct pollfd entry = {.events = POLLIN};

    assert_ok(yoke_process_sentinel(process, &native));
    entry.fd = (int)native;
    return poll(&entry, 1, HALF_MINUTE) == 1;
}

void crew_kill(yoke_process *process)
{
    assert_int_equal(kill(pid_of(process), SIGKILL), 0);
    assert_true(crew_gone(process));
}

void crew_asleep(yoke_process *process)
{
    assert_true(sleeps(pid_of(process)));
}

static char state_of(pid_t pid)
{
    char        path[64], text[512] = "";
    const char *end;
    FILE       *file;

    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    file = fopen(path, "r");
    if (!file)
        return '?';
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    end = strrchr(text, ')');
    return end && end[1] ? end[2] : '?';
}

void crew_stopped(yoke_process *process)
{
    const struct timespec pause = {0, 500000};
    long long             end = milliseconds() + 10000;

    while (state_of(pid_of(process)) != 'T') {
        assert_true(milliseconds() < end);
        nanosleep(&pause, NULL);
    }
}

int crew_say(yoke_queue *news, const char *text)
{
    return yoke_queue_put_string(news, text, YOKE_FOREVER);
}

void crew_hear(yoke_queue *news, const char *text)
{
    char line[200];

    assert_ok(yoke_queue_get_string(news, line, sizeof line, MINUTE));
    assert_string_equal(line, text);
}

void crew_within(long long most, long long (*attempt)(void))
{
    long long best = 10000;

    for (int i = 0; i < 5 && best > most; i++) {
        long long took = attempt();
        assert_in_range(took, 0, 10000);
        best = took < best ? took : best;
    }
    print_message("             %lld ms, promised: %lld\n", best, most);
    assert_true(best <= most);
}
