/* The POSIX backend: its groups, each in a file of its own, and what they share. */
#ifndef YOKE_BACKENDS_POSIX_POSIX_H
#define YOKE_BACKENDS_POSIX_POSIX_H

#include <yoke/backend.h>

#include <sys/types.h>

extern const yoke_memory_ops  yoke__posix_memory;
extern const yoke_wait_ops    yoke__posix_wait;
extern const yoke_life_ops    yoke__posix_life;
extern const yoke_process_ops yoke__posix_process;
extern const yoke_code_ops    yoke__posix_code;
extern const yoke_stream_ops  yoke__uv_streams;
extern const yoke_system_ops  yoke__posix_system;
extern const yoke_loop_ops    yoke__uv_guests;
extern const yoke_socket_ops  yoke__posix_socket;

extern const yoke_backend yoke__posix_backend;

/* Whoever calls this directly must have all three standard descriptors open. */
int yoke__uv_spawn(int64_t *pid, const yoke_launch *launch);

/* Parts of yoke__posix_process; contracts in yoke/backend.h. */
int  yoke__posix_fork(int64_t *pid);
int  yoke__posix_redirect(const yoke_native stdio[3], const char *working_directory, const char *const *environment);
int  yoke__posix_lifeline(yoke_native ends[2]);
int  yoke__posix_lifeline_arm(yoke_native end);
int  yoke__posix_channel(yoke_native ends[2]);
int  yoke__posix_channel_send(yoke_native end, const void *data, size_t size, const yoke_native *natives, size_t count);
int  yoke__posix_channel_recv(yoke_native end, void *data, size_t capacity, size_t *size, yoke_native *natives,
                              size_t natives_capacity, size_t *count, int64_t timeout);
int  yoke__posix_spawn_with_traits(int64_t *pid, const yoke_launch *launch);
int  yoke__posix_server_begin(yoke_native *deaths);
void yoke__posix_server_clear(yoke_native deaths);
void yoke__posix_server_end(yoke_native deaths);
void yoke__posix_code_note_program(void);
int  yoke__posix_traits_get(void *out, size_t capacity, size_t *size);
int  yoke__posix_traits_set(const void *bytes, size_t size);
int  yoke__posix_traits_check(const void *bytes, size_t size);
int  yoke__uv_spawn(int64_t *pid, const yoke_launch *launch);

int yoke__posix_lifeline_write(yoke_native end, const void *data, size_t size);
int yoke__posix_lifeline_read(yoke_native end, void *data, size_t size, int64_t timeout);
int yoke__posix_claim_natives(yoke_native *out, size_t count);

/* Waits until fd has something to read or its peer has gone: YOKE_OK, YOKE_ETIMEDOUT. deadline: on the clock of
 * yoke__posix_system.now, INT64_MAX for none. */
int yoke__posix_wait_readable(int fd, int64_t deadline, const char *what);
/* When a wait of timeout nanoseconds that starts now ends. */
int64_t yoke__posix_deadline(int64_t timeout);

/* CPUs that cgroup quotas leave, rounded up, or 0 when there is no quota. root: where cgroup file systems are mounted;
 * membership: a file like /proc/self/cgroup. */
int yoke__posix_cgroup_cpus(const char *root, const char *membership);

/* Bytes that the system and the cgroups of this process leave it; the same parameters. */
uint64_t yoke__posix_memory_left(const char *root, const char *membership);

/* ---- descriptors of the library's own (descriptor.c): -1 with errno ---- */

/* What a call that makes a descriptor has returned, as it is or, if it is a standard one, in a higher place. */
int yoke__posix_own(int fd);
/* For two; both are closed on failure. */
int yoke__posix_own_pair(int ends[2]);
/* Sets close-on-exec where no call could make it so from the start. */
int yoke__posix_cloexec(int fd);
/* These are close-on-exec. */
int yoke__posix_pipe(int ends[2]);
int yoke__posix_socketpair(int type, int ends[2]);
int yoke__posix_open(const char *path, int flags, mode_t mode);
/* From now on what this process executes gets only the descriptors that a launch names, however the host has opened its
 * own. 0 or an error number. */
int yoke__posix_keep_back(void);

#endif
