#include "support/leak.h"

#include "core/backend.h"
#include "core/domain/domain.h"
#include "core/domain/watch.h"
#include "core/wait/word.h"

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STEP_MS 20

/* Names of things, one string each. */
typedef struct list {
    char **names;
    size_t count;
} list;

typedef struct notes {
    list descriptors, processes, segments, files;
} notes;

static notes noted;
static char  runtime_directory[PATH_MAX];
static int   patience_ms = 5000;

static void list_add(list *l, const char *format, ...)
{
    char    text[PATH_MAX];
    va_list values;

    va_start(values, format);
    (void)vsnprintf(text, sizeof text, format, values);
    va_end(values);
    char **names = realloc(l->names, (l->count + 1) * sizeof *names);
    char  *copy = strdup(text);
    if (!names || !copy) {
        fprintf(stderr, "leak: no memory left\n");
        abort();
    }
    l->names = names;
    l->names[l->count++] = copy;
}

static bool list_has(const list *l, const char *name)
{
    for (size_t i = 0; i < l->count; i++)
        if (strcmp(l->names[i], name) == 0)
            return true;
    return false;
}

static void list_clear(list *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->names[i]);
    free(l->names);
    l->names = NULL;
    l->count = 0;
}

static bool is_number(const char *text)
{
    return isdigit((unsigned char)text[0]) != 0;
}

/* "5 -> socket:[123]": the number is part of the name, so that a reopened descriptor is told from a kept one. */
static void look_descriptors(list *out)
{
    DIR *directory = opendir("/proc/self/fd");
    if (!directory)
        return;
    for (struct dirent *entry; (entry = readdir(directory));) {
        char path[PATH_MAX], target[PATH_MAX];
        if (!is_number(entry->d_name) || atoi(entry->d_name) == dirfd(directory))
            continue;
        (void)snprintf(path, sizeof path, "/proc/self/fd/%.20s", entry->d_name);
        ssize_t size = readlink(path, target, sizeof target - 1);
        if (size < 0)
            continue;
        target[size] = '\0';
        list_add(out, "%.20s -> %.1000s", entry->d_name, target);
    }
    (void)closedir(directory);
}

/* Reads /proc/<pid>/stat; the name stands in brackets and may hold anything. */
static bool process_state(int pid, char *state, int *parent, int *group, char name[64])
{
    char path[64], line[1024];

    (void)snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    size_t size = fread(line, 1, sizeof line - 1, file);
    (void)fclose(file);
    line[size] = '\0';
    char *open = strchr(line, '('), *close = strrchr(line, ')');
    if (!open || !close)
        return false;
    (void)snprintf(name, 64, "%.*s", (int)(close - open - 1), open + 1);
    return sscanf(close + 1, " %c %d %d", state, parent, group) == 3;
}

static void look_processes(list *out)
{
    int  self = (int)getpid(), own_group = (int)getpgrp();
    DIR *directory = opendir("/proc");
    if (!directory)
        return;
    for (struct dirent *entry; (entry = readdir(directory));) {
        int  pid = atoi(entry->d_name), parent, group;
        char state, name[64];
        if (pid <= 0 || pid == self || !process_state(pid, &state, &parent, &group, name))
            continue;
        bool dead = state == 'Z' || state == 'X';
        /* Without a group of its own (before leak_setup) only children are known to be this process's. */
        bool ours = parent == self || (own_group == self && group == own_group && !dead);
        if (ours)
            list_add(out, "%d (%s%s)", pid, name, dead ? ", unreaped" : "");
    }
    (void)closedir(directory);
}

static void look_segments(list *out)
{
    DIR *directory = opendir("/dev/shm");
    if (!directory)
        return;
    for (struct dirent *entry; (entry = readdir(directory));)
        if (strstr(entry->d_name, "yoke"))
            list_add(out, "/dev/shm/%s", entry->d_name);
    (void)closedir(directory);
}

/* Not this process's to answer for: tests run side by side, and segments of tests carry their process's id in the name.
 * What the whole run leaves behind is checked once at its end (cmake/test.sh). */
static bool is_foreign(const char *path)
{
    char own[32];

    (void)snprintf(own, sizeof own, "-%d", (int)getpid());
    return strstr(path, own) == NULL;
}

/* What the library keeps for its own use while the process lives: watches of other processes, doorbells of threads. */
static void drop_kept(void)
{
    yoke_domain *domain = yoke__domain_existing();

    yoke__watch_clear();
    if (domain)
        yoke__threads_leave(domain);
}

static void look_files(list *out, const char *folder, int depth)
{
    DIR *directory = folder[0] ? opendir(folder) : NULL;
    if (!directory)
        return;
    for (struct dirent *entry; (entry = readdir(directory));) {
        char        path[PATH_MAX];
        struct stat about;
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, "%.2000s/%s", folder, entry->d_name);
        if (lstat(path, &about) != 0)
            continue;
        /* Folders are made once per user and stay. */
        if (!S_ISDIR(about.st_mode))
            list_add(out, "%s", path);
        else if (depth > 0)
            look_files(out, path, depth - 1);
    }
    (void)closedir(directory);
}

static void look(notes *out)
{
    memset(out, 0, sizeof *out);
    look_descriptors(&out->descriptors);
    look_processes(&out->processes);
    look_segments(&out->segments);
    look_files(&out->files, runtime_directory, 3);
}

static void forget(notes *n)
{
    list_clear(&n->descriptors);
    list_clear(&n->processes);
    list_clear(&n->segments);
    list_clear(&n->files);
}

/* foreign: tells what is not to be counted; may be NULL. */
static size_t added(const list *before, const list *now, const char *kind, bool (*foreign)(const char *name), bool say)
{
    size_t count = 0;
    for (size_t i = 0; i < now->count; i++) {
        if (list_has(before, now->names[i]) || (foreign && foreign(now->names[i])))
            continue;
        count++;
        if (say)
            fprintf(stderr, "left behind: %s %s\n", kind, now->names[i]);
    }
    return count;
}

static size_t all_added(const notes *now, bool say)
{
    size_t count = added(&noted.processes, &now->processes, "process", NULL, say);
    count += added(&noted.segments, &now->segments, "shared memory", is_foreign, say);
    count += added(&noted.files, &now->files, "file", NULL, say);
    /* A descriptor that was closed and another one opened in its place is none too many. */
    if (now->descriptors.count > noted.descriptors.count)
        count += added(&noted.descriptors, &now->descriptors, "descriptor", NULL, say);
    return count;
}

/* The socket that rings doorbells is made once and stays: it must stand before the note. */
static void make_kept(void)
{
    static const yoke_bell_name nobody = {0};

    if (yoke__domain_existing())
        (void)yoke__backend()->waiting->bell_ring(&nobody);
}

void leak_note(void)
{
    make_kept();
    drop_kept();
    forget(&noted);
    look(&noted);
}

bool leak_none(void)
{
    const struct timespec step = {0, STEP_MS * 1000000L};

    for (int waited = 0;; waited += STEP_MS) {
        notes now;
        drop_kept();
        look(&now);
        bool   last = waited >= patience_ms;
        size_t count = all_added(&now, last);
        forget(&now);
        if (count == 0 || last)
            return count == 0;
        /* Somebody else's exit is awaited; there is nothing to be woken by. */
        (void)nanosleep(&step, NULL);
    }
}

void leak_patience(int milliseconds)
{
    patience_ms = milliseconds;
}

static int count_of(void (*look_at)(list *out))
{
    list found = {NULL, 0};
    look_at(&found);
    int count = (int)found.count;
    list_clear(&found);
    return count;
}

int leak_descriptors(void)
{
    return count_of(look_descriptors);
}

int leak_processes(void)
{
    return count_of(look_processes);
}

static void remove_folder(const char *folder, int depth)
{
    DIR *directory = opendir(folder);
    if (!directory)
        return;
    for (struct dirent *entry; (entry = readdir(directory));) {
        char path[PATH_MAX];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        (void)snprintf(path, sizeof path, "%.2000s/%s", folder, entry->d_name);
        if (unlink(path) != 0 && depth > 0)
            remove_folder(path, depth - 1);
    }
    (void)closedir(directory);
    (void)rmdir(folder);
}

int leak_setup(void **state)
{
    (void)state;
    (void)setpgid(0, 0);
    if (!runtime_directory[0]) {
        (void)snprintf(runtime_directory, sizeof runtime_directory, "/tmp/yoke-test-XXXXXX");
        if (!mkdtemp(runtime_directory) || setenv("XDG_RUNTIME_DIR", runtime_directory, 1) != 0)
            return -1;
    }
    leak_note();
    return 0;
}

int leak_teardown(void **state)
{
    (void)state;
    bool none = leak_none();
    forget(&noted);
    if (runtime_directory[0])
        remove_folder(runtime_directory, 3);
    runtime_directory[0] = '\0';
    return none ? 0 : -1;
}

long leak_heap_bytes(void)
{
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
    struct mallinfo2 info = mallinfo2();
    return (long)(info.uordblks + info.hblkhd);
#else
    return 0;
#endif
}
