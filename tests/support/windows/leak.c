/*
 * See ../leak.h. Handles are what a process can leave open here; sections and other objects with a name go with them.
 *
 * The number of handles can't be asked of every system that runs these tests, so each value that a handle may have is
 * tried. Systems open some of their own at a first call of something, so only what a second look still finds counts.
 */
#include "support/leak.h"

#include "core/backend.h"
#include "core/domain/domain.h"
#include "core/domain/watch.h"
#include "core/wait/word.h"

#include "absent.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <windows.h>

#include <winternl.h>

#define VALUES  2048 /* handles are multiples of 4 */
#define STEP_MS 20

static bool noted[VALUES];
static int  noted_count;
static int  patience_ms = 5000;

static int look(bool out[VALUES])
{
    int count = 0;

    for (int i = 1; i < VALUES; i++) {
        DWORD flags;
        out[i] = GetHandleInformation((HANDLE)(intptr_t)(i * 4), &flags) != 0;
        count += out[i];
    }
    return count;
}

/* What the library keeps for its own use while the process lives: watches of other processes, doorbells of threads. */
static void drop_kept(void)
{
    yoke_domain *domain = yoke__domain_existing();

    yoke__watch_clear();
    if (domain)
        yoke__threads_leave(domain);
}

void leak_note(void)
{
    drop_kept();
    noted_count = look(noted);
}

/* "Event", or "?". */
static void type_of(char out[64], HANDLE handle)
{
    union {
        PUBLIC_OBJECT_TYPE_INFORMATION type;
        uint8_t                        bytes[1024];
    } room;

    snprintf(out, 64, "?");
    if (NtQueryObject(handle, ObjectTypeInformation, &room, sizeof room, NULL) >= 0)
        snprintf(out, 64, "%.*ls", (int)(room.type.TypeName.Length / sizeof(wchar_t)), room.type.TypeName.Buffer);
}

static void say(const bool now[VALUES])
{
    for (int i = 1; i < VALUES; i++) {
        char type[64];
        if (!now[i] || noted[i])
            continue;
        type_of(type, (HANDLE)(intptr_t)(i * 4));
        fprintf(stderr, "left behind: handle %#x (%s)\n", i * 4, type);
    }
}

bool leak_none(void)
{
    static bool now[VALUES];

    for (ULONGLONG begun = GetTickCount64();;) {
        drop_kept();
        int count = look(now);
        if (count <= noted_count)
            return true;
        if (GetTickCount64() - begun >= (ULONGLONG)patience_ms) {
            say(now);
            return false;
        }
        Sleep(STEP_MS); /* somebody else's exit is awaited; there is nothing to be woken by */
    }
}

void leak_patience(int milliseconds)
{
    patience_ms = milliseconds;
}

int leak_descriptors(void)
{
    static bool now[VALUES];

    return look(now);
}

int leak_processes(void)
{
    return 0;
}

/* The threads of the tests are those of a library that keeps what it has made for one thread for the next: as many as any
 * test has at a time are made before the note. */
#define THREADS 24

static void *meet(void *barrier)
{
    (void)pthread_barrier_wait(barrier);
    return NULL;
}

static void make_threads(void)
{
    pthread_barrier_t barrier;
    pthread_t         threads[THREADS];

    (void)pthread_barrier_init(&barrier, NULL, THREADS);
    for (int i = 0; i < THREADS; i++)
        (void)pthread_create(&threads[i], NULL, meet, &barrier);
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    (void)pthread_barrier_destroy(&barrier);
}

int leak_setup(void **state)
{
    (void)state;
    make_threads();
    leak_note();
    return 0;
}

int leak_teardown(void **state)
{
    (void)state;
    return absent_seen() || leak_none() ? 0 : -1;
}
