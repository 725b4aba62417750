/* The Windows backend: its groups, each in a file of its own, and what they share. */
#ifndef YOKE_BACKENDS_WINDOWS_WINDOWS_H
#define YOKE_BACKENDS_WINDOWS_WINDOWS_H

#include "sys.h"

extern const yoke_memory_ops  yoke__windows_memory;
extern const yoke_wait_ops    yoke__windows_wait;
extern const yoke_life_ops    yoke__windows_life;
extern const yoke_process_ops yoke__windows_process;
extern const yoke_code_ops    yoke__windows_code;
extern const yoke_stream_ops  yoke__uv_streams;
extern const yoke_system_ops  yoke__windows_system;
extern const yoke_loop_ops    yoke__uv_guests;
extern const yoke_socket_ops  yoke__windows_socket;

extern const yoke_backend yoke__windows_backend;

/* By uv/spawn.c. */
int yoke__uv_spawn(int64_t *pid, const yoke_launch *launch);

/* ---- system.c ---- */

/* Nanoseconds of the monotonic clock. */
int64_t yoke__windows_clock(void);
/* When a wait of timeout nanoseconds that starts now ends; INT64_MAX: never. */
int64_t yoke__windows_deadline(int64_t timeout);
/* What is left until then for a call that takes milliseconds, rounded up so that a short time-out doesn't become a busy
 * loop; INFINITE if there is no end. May be less than what is left: ask again after a time-out. */
DWORD yoke__windows_left(int64_t deadline);

/* ---- handle.c ---- */

static inline HANDLE yoke__handle_of(yoke_native native)
{
    return (HANDLE)native;
}

static inline yoke_native yoke__native_of(HANDLE handle)
{
    return handle ? (yoke_native)handle : YOKE_NO_NATIVE;
}

/* Waits for one handle until the deadline: YOKE_OK, YOKE_ETIMEDOUT, or a code with the error noted. */
int yoke__windows_wait_handle(HANDLE handle, int64_t deadline);

/* ---- user.c: who may open what the library makes ---- */

#define YOKE__USER_SID 68u /* bytes of the longest identity of a user (SECURITY_MAX_SID_SIZE) */

/* The user of this process. */
typedef struct yoke__user {
    _Alignas(8) uint8_t sid[YOKE__USER_SID];
    uint64_t number;   /* made of the identity; what core calls the number of a user */
    wchar_t  text[17]; /* the number in hexadecimal digits, for names of objects */
} yoke__user;

/* NULL with the error noted. */
const yoke__user *yoke__windows_user(void);
/* Number of a user by his name, or written in digits. YOKE_ENOENT. */
int yoke__windows_user_number(uint64_t *out, const char *text);
/* Security attributes that admit only this user, for every object with a name and every pipe; the handle isn't inherited.
 * NULL with the error noted. Constant, and never freed. */
SECURITY_ATTRIBUTES *yoke__windows_private(void);
/* Whether an object that was there already belongs to that user: nobody else can be trusted to have made it. YOKE_EACCES.
 * The handle needs READ_CONTROL. */
int yoke__windows_check_owner(HANDLE handle, const char *what);

#endif
