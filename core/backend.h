/* The backend in use, for core. */
#ifndef YOKE_CORE_BACKEND_H
#define YOKE_CORE_BACKEND_H

#include <yoke/backend.h>

/* Those built in, listed by CMake; NULL-ended. */
extern const yoke_backend *const yoke__backends[];

/* YOKE_OK, or the code of what is wrong with the choice (the environment names a backend that is not there). Asked by
 * every call that can be a program's first and makes something. */
int yoke__backend_ready(void);
/* The backend in use; the first call settles the choice. A plain load after that. Never NULL: while the choice can't be
 * settled it is the preferred one, for clocks and the like; nothing is made with it. */
const yoke_backend *yoke__backend(void);

#endif
