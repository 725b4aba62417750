/* Passing segments to children: as natives, which the carrier hands over. */
#ifndef YOKE_CORE_MEMORY_SHM_H
#define YOKE_CORE_MEMORY_SHM_H

#include "../domain/object.h"

#include <yoke/backend.h>
#include <yoke/shm.h>

/* What is handed to a child. */
typedef struct yoke__shm_passage {
    yoke_native native; /* stays the handle's */
    uint32_t    flight; /* slot that counts as a user on its way, + 1; 0: there is none */
    bool        read_only;
} yoke__shm_passage;
/* Counts as a user on its way until the child has imported it, or yoke__shm_stay. */
int yoke__shm_pass(yoke__shm_passage *out, const yoke_shm *shm);
/* It was not handed over after all. */
void yoke__shm_stay(const yoke_shm *shm, uint32_t flight);
/* In a forked child, which has the handle itself: it is a user now. */
void yoke__shm_arrive(const yoke_shm *shm, uint32_t flight);
/* In a child that has nothing: a handle out of the native, which is taken over on success. YOKE_EPROTO: it is no segment. */
int yoke__shm_import(yoke_shm **out, const yoke__shm_passage *passed);

/* For a message in that domain: what stands for the segment there, as long as the handle or a message shows it. The
 * segment itself must be kept by its users. YOKE_ENOTSUP: it has no name. */
int yoke__shm_note(yoke__reference *out, const yoke_shm *shm, yoke_domain *domain);
/* By the receiver. YOKE_ENOENT: the segment is gone. */
int yoke__shm_open_noted(yoke_shm **out, yoke_domain *domain, yoke__reference reference);

/* Gives back this process's part in all named segments, at its exit: the mappings stay, for who still looks at them. */
void yoke__shms_leave(void);

extern const yoke__object_type yoke__shm_type;

#endif
