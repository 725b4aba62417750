/* What life.c takes from life_kqueue.c on systems without pidfds. */
#ifndef YOKE_BACKENDS_POSIX_LIFE_H
#define YOKE_BACKENDS_POSIX_LIFE_H

#include <yoke/backend.h>

int yoke__kqueue_identify(yoke_identity *out, int64_t pid);
int yoke__kqueue_watch(yoke_native *out, const yoke_identity *who);
int yoke__kqueue_is_alive(yoke_native life);

#endif
