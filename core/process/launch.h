/* One start on its way, between start.c, which prepares it, and launch.c, which makes the process. */
#ifndef YOKE_CORE_PROCESS_LAUNCH_H
#define YOKE_CORE_PROCESS_LAUNCH_H

#include "cargo.h"
#include "options.h"

typedef struct yoke__start {
    yoke_function      *function; /* NULL if meant by name */
    const char         *registered;
    yoke__start_options options;
    char                identity[YOKE__NAME_SIZE];
    uint64_t            number; /* the last of identity */
    yoke_domain        *domain;
    yoke__cargo         cargo;
    yoke__handle       *record;
    yoke__relative     *child;
    yoke__start_message message;
} yoke__start;

static inline yoke__process_record *yoke__start_record(const yoke__start *s)
{
    return s->record->object;
}

/* Starts s->child and the watch on it. On failure there is no process. */
int yoke__launch(yoke__start *s);

#endif
