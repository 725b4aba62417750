/* libuv takes over the signal that tells of dead children; each system's backend gives it back to the host. */
#ifndef YOKE_BACKENDS_UV_CHILD_SIGNAL_H
#define YOKE_BACKENDS_UV_CHILD_SIGNAL_H

#include <stdint.h>

/* Notes the host's disposition. One thread at a time, from here to the end. */
void yoke__child_signal_begin(void);
/* Once libuv watches no child of ours any more: puts the disposition back, and makes up for what libuv has swallowed
 * meanwhile. started: pid of our own new child, or 0. */
void yoke__child_signal_end(int64_t started);

#endif
