/* Passing segments to children: as natives, which the carrier hands over. */
#ifndef YOKE_CORE_MEMORY_SHM_H
#define YOKE_CORE_MEMORY_SHM_H

#include "../domain/object.h"

#include <yoke/backend.h>
#include <yoke/shm.h>

/* The native to hand to a child; stays the handle's. Counts as a user on its way until the child has imported it, or
 * yoke__shm_stay. */
int yoke__shm_pass(yoke_native *out, const yoke_shm *shm);
/* It was not handed over after all. */
void yoke__shm_stay(const yoke_shm *shm);
/* In a forked child, which has the handle itself: it is a user now. */
void yoke__shm_arrive(const yoke_shm *shm);
/* In a child that has nothing: a handle out of the native, which is taken over on success. YOKE_EPROTO: it is no segment. */
int yoke__shm_import(yoke_shm **out, yoke_native native);

/* Gives back this process's part in all named segments, at its exit: the mappings stay, for who still looks at them. */
void yoke__shms_leave(void);

extern const yoke__object_type yoke__shm_type;

#endif
