/* Looking at names of shared memory from outside: which there are, whose, and what stands in them. */
#include "memory.h"

#include "posix.h"
#include "sys.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIRECTORY "/dev/shm"

/* ---- users ------------------------------------------------------------------------------------------------------- */

static int find_user(uint64_t *out, const char *text)
{
    struct passwd  entry;
    struct passwd *found = NULL;
    char           strings[4096];
    int            number;
    do {
        number = yoke__sys.getpwnam_r(text, &entry, strings, sizeof strings, &found);
    } while (number == EINTR);
    if (number != 0 && number != ENOENT && number != ESRCH)
        return yoke__posix_fail_number(number, "can't look a user up");
    if (!found)
        return yoke_backend_fail(YOKE_ENOENT, 0, "there is no user '%s'", text);
    *out = entry.pw_uid;
    return YOKE_OK;
}

int yoke__memory_name_user(uint64_t *out, const char *text)
{
    if (!text) {
        *out = geteuid(); /* can't fail */
        return YOKE_OK;
    }
    if (strspn(text, "0123456789") != strlen(text) || !*text)
        return find_user(out, text);
    errno = 0;
    unsigned long long number = strtoull(text, NULL, 10);
    if (errno != 0 || number >= (uid_t)-1)
        return yoke_backend_fail(YOKE_ENOENT, 0, "there is no user number %s", text);
    *out = number;
    return YOKE_OK;
}

/* ---- contents ---------------------------------------------------------------------------------------------------- */

static int read_all(int fd, uint64_t offset, uint8_t *data, size_t size, size_t *got)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n = yoke__sys.pread(fd, data + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return yoke__posix_fail("can't read named shared memory");
        if (n == 0)
            break;
        done += (size_t)n;
    }
    *got = done;
    return YOKE_OK;
}

int yoke__memory_name_read(const char *name, yoke_memory_about *about, uint64_t offset, void *data, size_t size,
                           size_t *got)
{
    struct stat status;
    int         fd = -1;
    YOKE_TRY(yoke__memory_name_open(&fd, name, O_RDWR, 0)); /* what may not be used need not be seen */
    int rc = yoke__sys.fstat(fd, &status) < 0 ? yoke__posix_fail("can't look at named shared memory") : YOKE_OK;
    if (rc == YOKE_OK)
        rc = read_all(fd, offset, data, size, got);
    yoke__sys.close(fd);
    if (rc == YOKE_OK)
        *about = (yoke_memory_about){.user = status.st_uid,
                                     .size = status.st_size > 0 ? (uint64_t)status.st_size : 0,
                                     .permissions = (unsigned)status.st_mode & 0777u};
    return rc;
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

/* "yoke-1000-name" to "name" or, of another user, "1000:name". False: another's file. */
static bool to_name(char out[YOKE__MEMORY_NAME_SIZE], const char *file)
{
    char *end;
    if (strncmp(file, "yoke-", 5) != 0 || !isdigit((unsigned char)file[5]))
        return false;
    unsigned long user = strtoul(file + 5, &end, 10);
    if (*end != '-' || !end[1] || strlen(end + 1) > 100)
        return false;
    if (user == (unsigned long)geteuid())
        snprintf(out, YOKE__MEMORY_NAME_SIZE, "%s", end + 1);
    else
        snprintf(out, YOKE__MEMORY_NAME_SIZE, "%lu:%s", user, end + 1);
    return true;
}

/* POSIX has no way to list names. On Linux a missing directory means that there are none; elsewhere nothing is known. */
static int no_directory(void)
{
#ifdef __linux__
    return YOKE_OK;
#else
    return yoke_backend_fail(YOKE_ENOTSUP, ENOENT,
                             "this system has no directory of shared memory: names can't be listed");
#endif
}

int yoke__memory_name_each(bool (*visit)(void *user, const char *name), void *user)
{
    char           name[YOKE__MEMORY_NAME_SIZE];
    struct dirent *entry;
    bool           more = true;
    DIR           *directory = yoke__sys.opendir(DIRECTORY);
    if (!directory)
        return errno == ENOENT ? no_directory() : yoke__posix_fail("can't list names of shared memory");
    while (errno = 0, more && (entry = yoke__sys.readdir(directory)) != NULL) {
        if (to_name(name, entry->d_name))
            more = visit(user, name);
    }
    int number = more ? errno : 0;
    (void)yoke__sys.closedir(directory);
    return number == 0 ? YOKE_OK : yoke__posix_fail_number(number, "can't list names of shared memory");
}
