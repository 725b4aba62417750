/* A domain as text for people. */
#include "domain.h"

#include "../error.h"

#include <stdio.h>
#include <string.h>

typedef struct page {
    char  *buffer;
    size_t capacity;
    size_t size;   /* of all of the text, the NUL not counted */
    bool   headed; /* the heading of this part stands */
} page;

static void add(page *to, const char *text)
{
    size_t length = strlen(text);
    if (to->size < to->capacity) {
        size_t room = to->capacity - to->size - 1;
        size_t fits = length < room ? length : room;
        memcpy(to->buffer + to->size, text, fits);
        to->buffer[to->size + fits] = '\0';
    }
    to->size += length;
}

static void head(page *to, const char *text)
{
    if (!to->headed)
        add(to, text);
    to->headed = true;
}

/* ---- figures ----------------------------------------------------------------------------------------------------- */

#define DAY INT64_C(86400)

/* "2026-11-21 18:53:16 UTC". The calendar repeats every 400 years (146097 days); years are counted from March on, so that
 * the leap day is the last. After Howard Hinnant, "chrono-compatible low-level date algorithms". */
static const char *show_time(char out[40], int64_t seconds)
{
    int64_t days = seconds / DAY + 719468;
    int64_t second = seconds % DAY;
    if (seconds <= 0 || seconds > INT64_C(253402300799)) {
        snprintf(out, 40, "at an unknown time");
        return out;
    }
    int64_t era = days / 146097;
    int64_t in_era = days % 146097;
    int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t in_year = in_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * in_year + 2) / 153;
    int64_t day = in_year - (153 * month + 2) / 5 + 1;
    month += month < 10 ? 3 : -9;
    year += era * 400 + (month <= 2);
    snprintf(out, 40, "%04d-%02d-%02d %02d:%02d:%02d UTC", (int)year, (int)month, (int)day, (int)(second / 3600),
             (int)(second / 60 % 60), (int)(second % 60));
    return out;
}

/* "1.5 MiB" */
static const char *show_bytes(char out[24], uint64_t bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    double                   size = (double)bytes / 1024;
    unsigned                 unit = 0;
    if (bytes < 1024) {
        snprintf(out, 24, "%u bytes", (unsigned)bytes);
        return out;
    }
    while (size >= 1024 && unit < 3) {
        size /= 1024;
        unit++;
    }
    snprintf(out, 24, "%.1f %s", size, units[unit]);
    return out;
}

/* ---- parts ------------------------------------------------------------------------------------------------------- */

static void add_domain(page *to, const yoke_domain_info *info)
{
    char line[256], committed[24], used[24], most[24], when[40];
    if (info->name[0])
        snprintf(line, sizeof line, "domain '%s' of user %llu, permissions %04o, made %s\n", info->name,
                 (unsigned long long)info->user, info->permissions, show_time(when, info->created));
    else
        snprintf(line, sizeof line, "private domain of user %llu, made %s\n", (unsigned long long)info->user,
                 show_time(when, info->created));
    add(to, line);
    snprintf(line, sizeof line, "memory: %s taken, %s in use, at most %s\n", show_bytes(committed, info->committed),
             show_bytes(used, info->used), info->max_bytes ? show_bytes(most, info->max_bytes) : "what the system has");
    add(to, line);
    snprintf(line, sizeof line, "participants: %u alive, %u dead or gone and not yet cleared away\n",
             (unsigned)info->alive, (unsigned)info->dead);
    add(to, line);
}

static bool add_participant(void *user, const yoke_participant_info *info)
{
    static const char *const states[] = {"joining", "alive", "has left", "dead"};
    char                     line[256], when[40], waits[40] = "";
    if (info->waiting)
        snprintf(waits, sizeof waits, ", %u thread%s waiting", (unsigned)info->waiting, info->waiting > 1 ? "s" : "");
    snprintf(line, sizeof line, "  pid %lld %s: %s%s, joined %s%s\n", (long long)info->pid,
             info->name[0] ? info->name : "(no name)", states[info->state], info->self ? " (this process)" : "",
             show_time(when, info->since), waits);
    add(user, line);
    return true;
}

static bool add_waiter(void *user, const yoke_waiter_info *info)
{
    char line[512];
    head(user, "waiting:\n");
    snprintf(line, sizeof line, "  pid %lld, thread %llu: for %s, since %lld.%lld s%s%s\n", (long long)info->pid,
             (unsigned long long)info->thread, info->what, (long long)info->waited_ms / 1000,
             (long long)info->waited_ms / 100 % 10, info->state[0] ? ": " : "", info->state);
    add(user, line);
    return true;
}

static bool add_object(void *user, const yoke_object_info *info)
{
    char line[512], name[80];
    head(user, "objects:\n");
    if (info->name[0])
        snprintf(name, sizeof name, "'%s'", info->name);
    else
        snprintf(name, sizeof name, "%llx", (unsigned long long)(uint32_t)info->id);
    snprintf(line, sizeof line, "  %s %s: %s%s%u handle%s%s\n", info->kind, name, info->state,
             info->state[0] ? "; " : "", (unsigned)info->references, info->references == 1 ? "" : "s",
             info->waiters ? ", waited for" : "");
    add(user, line);
    return true;
}

static bool add_death(void *user, const yoke_death_info *info)
{
    char line[256], how[64] = "", when[40];
    head(user, "deaths, the oldest first:\n");
    if (info->exit_known && info->exit_signal)
        snprintf(how, sizeof how, " of signal %d", info->exit_signal);
    else if (info->exit_known)
        snprintf(how, sizeof how, ", exit status %d", info->exit_code);
    snprintf(line, sizeof line, "  pid %lld %s: died%s, noticed %s\n", (long long)info->pid,
             info->name[0] ? info->name : "(no name)", how, show_time(when, info->when));
    add(user, line);
    return true;
}

/* A visitor's parts one by one, for their headings. */
static int add_parts(page *to, yoke_domain *domain)
{
    yoke_domain_visitor parts[] = {{.struct_size = sizeof *parts, .participant = add_participant},
                                   {.struct_size = sizeof *parts, .waiter = add_waiter},
                                   {.struct_size = sizeof *parts, .object = add_object},
                                   {.struct_size = sizeof *parts, .death = add_death}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        to->headed = false;
        YOKE_TRY(yoke_domain_inspect(domain, &parts[i], to));
    }
    return YOKE_OK;
}

int yoke_domain_describe(yoke_domain *domain, char *buffer, size_t capacity, size_t *needed)
{
    page             to = {.buffer = buffer, .capacity = capacity};
    yoke_domain_info info = {.struct_size = sizeof info};
    if (!buffer && capacity)
        return yoke__fail(YOKE_EINVAL, "yoke_domain_describe: buffer is NULL, and its capacity is %zu", capacity);
    YOKE_TRY(yoke_domain_info_get(domain, &info));
    add_domain(&to, &info);
    YOKE_TRY(add_parts(&to, domain));
    if (needed)
        *needed = to.size + 1;
    return to.size < capacity
               ? YOKE_OK
               : yoke__fail(YOKE_EMSGSIZE, "the description of the domain takes %zu bytes, there are %zu", to.size + 1,
                            capacity);
}
