/* What a caller wants of a start, checked and made whole. */
#ifndef YOKE_CORE_PROCESS_OPTIONS_H
#define YOKE_CORE_PROCESS_OPTIONS_H

#include "family.h"

typedef struct yoke__start_options {
    yoke_start_method method;
    bool              via_server;
    uint32_t          flags; /* YOKE__START_… */
    char              name[YOKE__NAME_SIZE];
    yoke_launch       launch;      /* program, environment, directory, stdio */
    const char      **environment; /* what launch.environment is, if it had to be made */
} yoke__start_options;

/* Fills out from what the caller gave; strings and lists stay the caller's. On failure there is nothing to free. */
int  yoke__options_resolve(yoke__start_options *out, const yoke_process_options *options);
void yoke__options_free(yoke__start_options *options);

/* method.c: the method asked for or the default one, if this system has it. */
int yoke__method_resolve(yoke_start_method *out, yoke_start_method asked);

/* registered.c: the function of that name, or NULL. */
yoke_function *yoke__registered(const char *name);

/* environment.c: base with additions ("NAME=value" sets, "NAME" removes), as one malloc'ed array of borrowed strings. */
int yoke__environment_merge(const char ***out, const char *const *base, const char *const *additions);
/* Checks that each is "NAME=value", or, if names are allowed, "NAME". */
int yoke__environment_check(const char *const *list, bool names_allowed, const char *option);

#endif
