#include "sleepers.h"

#include "backends/posix/sys.h"
#include "support/child.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define SLICES 3

/* ---- sleeping without slices ------------------------------------------------------------------------------------- */

static yoke__sys_table original;

static int patient_poll(struct pollfd *fds, nfds_t count, int timeout)
{
    return original.poll(fds, count, timeout > 0 ? 3600 * 1000 : timeout);
}

#ifdef __linux__
static long patient_futex(const uint32_t *word, int operation, uint32_t value, const struct timespec *timeout)
{
    const struct timespec hour = {3600, 0};

    return original.futex(word, operation, value, timeout ? &hour : NULL);
}
#endif

void sleep_without_slices(void)
{
    original = yoke__sys;
    yoke__sys.poll = patient_poll;
#ifdef __linux__
    yoke__sys.futex = patient_futex;
#endif
}

/* ---- the sleepers ------------------------------------------------------------------------------------------------ */

void sleepers_share(sleepers *s)
{
    s->news = mmap(NULL, SLEEPERS * sizeof *s->news, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (s->news == MAP_FAILED)
        abort();
}

typedef struct task {
    int (*wait)(void *user);
    void         *user;
    sleeper_news *news;
    _Atomic int  *go;
    bool          without_slices;
} task;

static int be_a_sleeper(void *user)
{
    const task   *t = user;
    struct rusage usage;

    if (t->without_slices)
        sleep_without_slices();
    (void)alarm(60); /* whatever becomes of the test */
    while (!*t->go)
        (void)usleep(100);
    t->news->begun = 1;
    int result = t->wait(t->user);
    (void)getrusage(RUSAGE_SELF, &usage);
    t->news->sleeps = usage.ru_nvcsw;
    t->news->result = result + 100;
    while (pause() < 0)
        continue;
    return 0;
}

void sleepers_start(sleepers *s, int count, int (*wait)(void *user), void *user, bool without_slices)
{
    memset(s->news, 0, SLEEPERS * sizeof *s->news);
    s->count = count;
    for (int i = 0; i < count; i++)
        s->pids[i] = child_start(be_a_sleeper, &(task){wait, user, &s->news[i], &s->news[0].go, without_slices});
}

void sleepers_begin(const sleepers *s)
{
    s->news[0].go = 1;
    for (int i = 0; i < s->count; i++) {
        while (!s->news[i].begun)
            (void)usleep(100);
        if (sleeps(s->pids[i]) && s->news[i].result == 0)
            continue;
        fprintf(stderr, "sleeper %d does not sleep: %d\n", i, s->news[i].result - 100);
        abort();
    }
}

void sleepers_mark(sleepers *s)
{
    for (int i = 0; i < s->count; i++)
        s->before[i] = times_slept(s->pids[i]);
}

int sleepers_ended(const sleepers *s)
{
    int ended = 0;

    for (int i = 0; i < s->count; i++)
        ended += s->news[i].result != 0;
    return ended;
}

static const char *check_one(const sleepers *s, int i)
{
    static char text[80];
    long        more = (long)s->news[i].sleeps - s->before[i];

    if (s->news[i].result == 0)
        return NULL;
    if (s->news[i].result < 100) {
        (void)snprintf(text, sizeof text, "a sleeper's wait failed: %d", s->news[i].result - 100);
        return text;
    }
    if (more <= SLICES)
        return NULL;
    (void)snprintf(text, sizeof text, "a sleeper slept %ld times more", more);
    return text;
}

const char *sleepers_end(sleepers *s, bool (*enough)(void *user), void *user, int patience)
{
    const char *wrong = NULL;
    long long   end = milliseconds() + patience;

    while (sleepers_ended(s) < s->count && !enough(user)) {
        if (milliseconds() > end)
            return "a sleeper hangs though there is something";
        (void)usleep(300);
    }
    for (int i = 0; i < s->count && !wrong; i++) {
        if (s->news[i].result == 0)
            (void)sleeps(s->pids[i]); /* it may have got something, and not told yet */
        wrong = check_one(s, i);
    }
    return wrong;
}

void sleepers_kill(sleepers *s)
{
    for (int i = 0; i < s->count; i++)
        child_kill(s->pids[i]);
    s->count = 0;
}
