/*
 * Sleeping and waking on POSIX. Linux has the futex, across processes and within one. Elsewhere there is no wait on an
 * address across processes here (FreeBSD's _umtx_op and macOS's os_sync_wait_on_address could serve and may come later):
 * core parks threads on doorbells instead, and threads of one process wait through a table of condition variables.
 */
#include "wait.h"

#include "sys.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#ifdef __linux__
#include <linux/futex.h>
#endif

#define NANOSECONDS INT64_C(1000000000)

const char *yoke__posix_environment(const char *variable)
{
    const char *value = getenv(variable);

    return value ? value : "";
}

int64_t yoke__posix_clock(void)
{
    struct timespec now = {0, 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* not in the table: it can't fail */
    return (int64_t)now.tv_sec * NANOSECONDS + now.tv_nsec;
}

/* ---- words ------------------------------------------------------------------------------------------------------- */

#ifdef __linux__

static int futex_wait(const uint32_t *word, int operation, uint32_t expected, int64_t timeout)
{
    const int64_t   longest = NANOSECONDS * 3600 * 24; /* fits every time_t; who waits longer comes back */
    int64_t         left = timeout < longest ? timeout : longest;
    struct timespec relative = {(time_t)(left / NANOSECONDS), (long)(left % NANOSECONDS)};

    if (yoke__sys.futex(word, operation, expected, &relative) == 0 || errno == EAGAIN || errno == EINTR)
        return YOKE_OK;
    if (errno == ETIMEDOUT)
        return left < timeout ? YOKE_OK : YOKE_ETIMEDOUT;
    return yoke__posix_fail("futex");
}

static void futex_wake(const uint32_t *word, int operation, uint32_t count)
{
    (void)yoke__sys.futex(word, operation, count < INT_MAX ? count : INT_MAX, NULL);
}

static int wait_word(const uint32_t *word, uint32_t expected, int64_t timeout)
{
    return futex_wait(word, FUTEX_WAIT, expected, timeout);
}

static void wake_word(const uint32_t *word, uint32_t count)
{
    futex_wake(word, FUTEX_WAKE, count);
}

/* Decided once, before threads can be asleep on either side. */
static bool local_by_table(void)
{
    static _Atomic int choice; /* 0 not made, 1 futex, 2 table */

    if (choice == 0)
        choice = strcmp(yoke__posix_environment("YOKE_LOCAL_WAIT"), "table") == 0 ? 2 : 1;
    return choice == 2;
}

static int wait_local(const uint32_t *word, uint32_t expected, int64_t timeout)
{
    if (local_by_table())
        return yoke__posix_table_wait(word, expected, timeout);
    return futex_wait(word, FUTEX_WAIT_PRIVATE, expected, timeout);
}

static void wake_local(const uint32_t *word, uint32_t count)
{
    if (local_by_table())
        yoke__posix_table_wake(word, count);
    else
        futex_wake(word, FUTEX_WAKE_PRIVATE, count);
}

#endif

/* ---- descriptors ------------------------------------------------------------------------------------------------- */

/* Milliseconds for poll(), rounded up so that a short time-out doesn't become a busy loop. */
static int poll_timeout(int64_t nanoseconds)
{
    int64_t milliseconds = nanoseconds / 1000000 + (nanoseconds % 1000000 > 0);

    return milliseconds < INT_MAX ? (int)milliseconds : INT_MAX;
}

int yoke__posix_poll(struct pollfd *polled, size_t count, int64_t timeout)
{
    int64_t start = timeout > 0 ? yoke__posix_clock() : 0, left = timeout;

    for (;;) {
        int ready = yoke__sys.poll(polled, (nfds_t)count, poll_timeout(left));
        if (ready > 0)
            return ready;
        if (ready < 0 && errno != EINTR && errno != EAGAIN)
            return yoke__posix_fail("poll");
        if (timeout <= 0)
            return 0;
        left = timeout - (yoke__posix_clock() - start);
        if (left <= 0)
            return 0;
    }
}

static int wait_natives(const yoke_native *natives, uint8_t *ready, size_t count, int64_t timeout)
{
    struct pollfd  few[32];
    struct pollfd *polled = few;

    if (count > sizeof few / sizeof few[0] && (polled = malloc(count * sizeof *polled)) == NULL)
        return yoke_backend_fail(YOKE_ENOMEM, ENOMEM, "waiting for %zu descriptors: no memory", count);
    for (size_t i = 0; i < count; i++)
        polled[i] = (struct pollfd){.fd = (int)natives[i], .events = POLLIN};
    int result = yoke__posix_poll(polled, count, timeout);
    for (size_t i = 0; i < count && result >= 0; i++)
        ready[i] = polled[i].revents != 0;
    if (polled != few)
        free(polled);
    return result > 0 ? YOKE_OK : result == 0 ? YOKE_ETIMEDOUT : result;
}

/* ---- ends of threads --------------------------------------------------------------------------------------------- */

static pthread_key_t  end_key;
static pthread_once_t end_once = PTHREAD_ONCE_INIT;
static bool           end_possible;
static void (*_Atomic end_hook)(void *thread);

static void run_end_hook(void *thread)
{
    void (*hook)(void *) = end_hook;

    if (hook)
        hook(thread);
}

static void make_end_key(void)
{
    end_possible = pthread_key_create(&end_key, run_end_hook) == 0;
}

/* A plugin that is unloaded must not leave a destructor behind that points into it. */
__attribute__((destructor)) static void drop_end_key(void)
{
    if (end_possible)
        (void)pthread_key_delete(end_key);
}

static int at_thread_end(void (*hook)(void *thread), void *thread)
{
    (void)pthread_once(&end_once, make_end_key);
    if (!end_possible)
        return yoke_backend_fail(YOKE_ENOMEM, 0, "no thread-specific key left in this process");
    end_hook = hook;
    int failed = pthread_setspecific(end_key, thread);
    return failed ? yoke__posix_fail_number(failed, "pthread_setspecific") : YOKE_OK;
}

/* ------------------------------------------------------------------------------------------------------------------ */

const yoke_wait_ops yoke__posix_wait = {
    .struct_size = sizeof(yoke_wait_ops),
#ifdef __linux__
    .wait_word = wait_word,
    .wake_word = wake_word,
    .wait_local = wait_local,
    .wake_local = wake_local,
#else /* no wait on a word across processes: core parks instead */
    .wait_local = yoke__posix_table_wait,
    .wake_local = yoke__posix_table_wake,
#endif
    .bell_open = yoke__posix_bell_open,
    .bell_ring = yoke__posix_bell_ring,
    .bell_wait = yoke__posix_bell_wait,
    .bell_clear = yoke__posix_bell_clear,
    .bell_close = yoke__posix_bell_close,
    .bell_remove = yoke__posix_bell_remove,
    .wait_natives = wait_natives,
    .at_thread_end = at_thread_end,
};
