/*
 * Structures that a caller fills or has filled, whose first member is their size.
 *
 * One rule for options: their size is that of this version's structure, or the call fails. No older version has smaller
 * ones. Structures that the library fills (yoke_result, yoke_death) may be shorter than its own: what fits is told.
 */
#ifndef YOKE_CORE_OPTIONS_H
#define YOKE_CORE_OPTIONS_H

#include <stddef.h>

/* YOKE_EINVAL with a sentence if options are there and of another size. type: their name. */
int yoke__options_check(const void *options, size_t size, const char *type);
/* The same, and copies them; NULL gives the defaults, which are zero. */
int yoke__options_copy(void *out, const void *options, size_t size, const char *type);
#define yoke__options_take(type, out, options) yoke__options_copy(out, options, sizeof(type), #type)

/* Of what the library is to fill: YOKE_EINVAL if it is NULL or its size is not set. */
int yoke__report_check(const void *report, const char *type);
/* Copies what fits; the size stays the caller's. */
void yoke__report_fill(void *out, void *told, size_t size);

#endif
