/* The parts of the waiting group, for wait.c which makes the table of them. Contracts in yoke/backend.h. */
#ifndef YOKE_BACKENDS_WINDOWS_WAIT_H
#define YOKE_BACKENDS_WINDOWS_WAIT_H

#include <yoke/backend.h>

/* -- bell.c */
int  yoke__windows_bell_open(yoke_native *out, const yoke_bell_name *name);
int  yoke__windows_bell_ring(const yoke_bell_name *name);
int  yoke__windows_bell_wait(yoke_native bell, int64_t timeout);
void yoke__windows_bell_clear(yoke_native bell);
void yoke__windows_bell_close(yoke_native bell, const yoke_bell_name *name);
void yoke__windows_bell_remove(const yoke_bell_name *name);

/* -- wait_many.c */
int yoke__windows_wait_natives(const yoke_native *natives, uint8_t *ready, size_t count, int64_t timeout);

#endif
