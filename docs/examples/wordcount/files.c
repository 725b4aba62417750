/* Directories are read through libuv, which does it alike on all systems. */
#include "files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

static void *checked(void *memory)
{
    if (!memory) {
        fputs("wordcount: no memory left\n", stderr);
        exit(1);
    }
    return memory;
}

static char *join(const char *directory, const char *name)
{
    size_t length = strlen(directory), size = length + strlen(name) + 2;
    char  *path = checked(malloc(size));

    snprintf(path, size, "%s%s%s", directory, length && directory[length - 1] == '/' ? "" : "/", name);
    return path;
}

static void append(struct files *files, char *path)
{
    if (files->count == files->capacity) {
        files->capacity = files->capacity ? files->capacity * 2 : 64;
        files->paths = checked(realloc(files->paths, files->capacity * sizeof *files->paths));
    }
    files->paths[files->count++] = path;
}

static bool complain(const char *path, int code)
{
    fprintf(stderr, "wordcount: %s: %s\n", path, uv_strerror(code));
    return false;
}

static int by_name(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* The entries' paths, sorted; *directories tells which of them are directories. */
static int list_entries(const char *directory, struct files *entries, struct files *directories)
{
    uv_fs_t     request;
    uv_dirent_t entry;
    int         code = uv_fs_scandir(NULL, &request, directory, 0, NULL);

    if (code >= 0) {
        while (uv_fs_scandir_next(&request, &entry) == 0) {
            if (entry.name[0] == '.')
                continue;
            if (entry.type == UV_DIRENT_FILE)
                append(entries, join(directory, entry.name));
            else if (entry.type == UV_DIRENT_DIR)
                append(directories, join(directory, entry.name));
        }
        code = 0;
    }
    uv_fs_req_cleanup(&request);
    if (entries->count)
        qsort(entries->paths, entries->count, sizeof *entries->paths, by_name);
    if (directories->count)
        qsort(directories->paths, directories->count, sizeof *directories->paths, by_name);
    return code;
}

/* Its files first, then its directories. */
static bool add_directory(struct files *files, const char *path)
{
    struct files entries = {0}, directories = {0};
    int          code = list_entries(path, &entries, &directories);
    bool         fine = code == 0 || complain(path, code);

    for (size_t i = 0; i < entries.count; i++)
        append(files, entries.paths[i]);
    for (size_t i = 0; i < directories.count; i++)
        fine = add_directory(files, directories.paths[i]) && fine;
    free(entries.paths); /* the paths themselves went on */
    files_free(&directories);
    return fine;
}

bool files_add(struct files *files, const char *path)
{
    uv_fs_t request;
    int     code = uv_fs_stat(NULL, &request, path, NULL);
    bool    directory = code == 0 && (request.statbuf.st_mode & 0170000) == 0040000;
    char   *copy;

    uv_fs_req_cleanup(&request);
    if (code < 0)
        return complain(path, code);
    if (directory)
        return add_directory(files, path);
    copy = checked(malloc(strlen(path) + 1));
    strcpy(copy, path);
    append(files, copy);
    return true;
}

void files_free(struct files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->paths[i]);
    free(files->paths);
}
