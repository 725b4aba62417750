/* The backend in use, for core. */
#ifndef YOKE_CORE_BACKEND_H
#define YOKE_CORE_BACKEND_H

#include <yoke/backend.h>

/* Those built in, listed by CMake; NULL-ended. */
extern const yoke_backend *const yoke__backends[];

/* The backend in use; the first call settles the choice. Never NULL: without a usable one the program ends with a
 * sentence. A plain load after that. */
const yoke_backend *yoke__backend(void);

#endif
