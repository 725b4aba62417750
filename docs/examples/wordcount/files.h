/* Finding the files under what was named on the command line. */
#ifndef WORDCOUNT_FILES_H
#define WORDCOUNT_FILES_H

#include <stdbool.h>
#include <stddef.h>

struct files {
    char **paths;
    size_t count, capacity;
};

/* Adds the file, or all files under the directory in the order of their names. In directories, what begins with a dot
 * and what is neither a file nor a directory is left out; so are symbolic links. False: something couldn't be looked at,
 * and standard error says what. */
bool files_add(struct files *files, const char *path);
void files_free(struct files *files);

#endif
