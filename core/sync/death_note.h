/* Who died holding something: two copies and a version, so that it is whole for every reader whoever dies writing it. */
#ifndef YOKE_CORE_SYNC_DEATH_NOTE_H
#define YOKE_CORE_SYNC_DEATH_NOTE_H

#include "../domain/object.h"
#include "../domain/participant.h"

#include <yoke/sync.h>

typedef struct yoke__death_copy {
    yoke__a32 token;
    yoke__a32 reserved;
    yoke__a64 pid;
    yoke__a64 name[YOKE__NAME_SIZE / 8]; /* text in words, so that it may be read while it is written */
} yoke__death_copy;

/* version = deaths noted so far; copies[version % 2] is the last one, the other copy may be in the making. Written by who
 * holds what the note belongs to; counted up when the copy is complete. */
typedef struct yoke__death_note {
    yoke__a32        version;
    yoke__a32        reserved;
    yoke__death_copy copies[2];
} yoke__death_note;
_Static_assert(sizeof(yoke__death_note) == 168, "shared layout");

/* Name and process id, to and from a copy; the token, and what makes the copy valid, are the caller's. */
void yoke__death_copy_fill(yoke__death_copy *copy, const yoke__obituary *known);
void yoke__death_copy_read(const yoke__death_copy *copy, yoke__obituary *out);
/* For the user, with the exit if it is known by now; out's struct_size is the caller's. */
void yoke__death_report(yoke_domain *domain, const yoke__obituary *dead, yoke_death *out);

/* By the holder only, after it took over from the dead. */
void yoke__death_write(yoke_domain *domain, yoke__death_note *note, yoke__token dead);
/* The last death noted, with the exit if it is known by now; out's struct_size is the caller's. */
void yoke__death_tell(yoke_domain *domain, const yoke__death_note *note, yoke_death *out);

#endif
