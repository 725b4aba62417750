/* The parts of the waiting group, for wait.c which makes the table of them. */
#ifndef YOKE_BACKENDS_POSIX_WAIT_H
#define YOKE_BACKENDS_POSIX_WAIT_H

#include <yoke/backend.h>

/* -- bell.c: the doorbell of this system, chosen at the first call: abstract datagram sockets on Linux; FIFOs elsewhere,
 * and on Linux with YOKE_BELL=fifo. See yoke_wait_ops for the contracts. */
int  yoke__posix_bell_open(yoke_native *out, const yoke_bell_name *name);
int  yoke__posix_bell_ring(const yoke_bell_name *name);
int  yoke__posix_bell_wait(yoke_native bell, int64_t timeout);
void yoke__posix_bell_clear(yoke_native bell);
void yoke__posix_bell_close(yoke_native bell, const yoke_bell_name *name);
void yoke__posix_bell_remove(const yoke_bell_name *name);

/* -- bell_fifo.c */
int  yoke__posix_fifo_open(yoke_native *out, const yoke_bell_name *name);
int  yoke__posix_fifo_ring(const yoke_bell_name *name);
void yoke__posix_fifo_close(yoke_native native, const yoke_bell_name *name);
void yoke__posix_fifo_remove(const yoke_bell_name *name);

/* -- wait_table.c: wait_local and wake_local by mutexes and condition variables; only with YOKE_LOCAL_WAIT=table where
 * there is a futex. */
int  yoke__posix_table_wait(const uint32_t *word, uint32_t expected, int64_t timeout);
void yoke__posix_table_wake(const uint32_t *word, uint32_t count);

/* Nanoseconds of the monotonic clock. */
int64_t yoke__posix_clock(void);
/* poll() with a time-out in nanoseconds that no signal shortens: the number of descriptors ready, 0 after the time, or
 * a code with the error noted. */
struct pollfd;
int yoke__posix_poll(struct pollfd *polled, size_t count, int64_t timeout);
/* "" unless the environment variable is set. */
const char *yoke__posix_environment(const char *variable);

extern const yoke_wait_ops yoke__posix_wait;

#endif
