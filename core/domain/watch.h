/* A few watches of other processes, kept open by this one: asking a kept one takes a fifth of a microsecond, opening one
 * fifty times that. */
#ifndef YOKE_CORE_DOMAIN_WATCH_H
#define YOKE_CORE_DOMAIN_WATCH_H

#include <yoke/backend.h>

#include <stdbool.h>

/* False only if the kernel says so; "cannot tell" is alive. Any thread. Notes no error. */
bool yoke__watch_alive(const yoke_identity *who);
/* Closes all that are kept. */
void yoke__watch_clear(void);

#endif
