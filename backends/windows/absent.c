/* Groups of this backend that say plainly that they are not there. */
#include "windows.h"

static int absent(const char *what)
{
    return yoke_backend_fail(YOKE_ENOTSUP, 0, "%s: not on this system", what);
}

static int life_self(yoke_identity *out)
{
    (void)out;
    return absent("self");
}

static int life_watch(yoke_native *out, const yoke_identity *who)
{
    (void)out;
    (void)who;
    return absent("watch");
}

static int life_is_alive(yoke_native life)
{
    (void)life;
    return absent("is_alive");
}

static int life_wait(yoke_native life, int64_t timeout)
{
    (void)life;
    (void)timeout;
    return absent("wait");
}

static void life_close(yoke_native life)
{
    (void)life;
}

static int life_identify(yoke_identity *out, int64_t pid)
{
    (void)out;
    (void)pid;
    return absent("identify");
}

const yoke_life_ops yoke__windows_life = {
    .struct_size = sizeof(yoke_life_ops),
    .self = life_self,
    .watch = life_watch,
    .is_alive = life_is_alive,
    .wait = life_wait,
    .close = life_close,
    .identify = life_identify,
};

static int process_spawn(int64_t *pid, const yoke_launch *launch)
{
    (void)pid;
    (void)launch;
    return absent("spawn");
}

static int process_redirect(const yoke_native stdio[3], const char *working_directory, const char *const *environment)
{
    (void)stdio;
    (void)working_directory;
    (void)environment;
    return absent("redirect");
}

static const char *const *process_environment(void)
{
    return NULL;
}

static int process_reap(yoke_exit_status *out, int64_t pid)
{
    (void)out;
    (void)pid;
    return absent("reap");
}

static int process_signal(int64_t pid, yoke_native life, yoke_signal signal)
{
    (void)pid;
    (void)life;
    (void)signal;
    return absent("signal");
}

static int process_lifeline(yoke_native ends[2])
{
    (void)ends;
    return absent("lifeline");
}

static int process_lifeline_arm(yoke_native end)
{
    (void)end;
    return absent("lifeline_arm");
}

static int process_lifeline_write(yoke_native end, const void *data, size_t size)
{
    (void)end;
    (void)data;
    (void)size;
    return absent("lifeline_write");
}

static int process_lifeline_read(yoke_native end, void *data, size_t size, int64_t timeout)
{
    (void)end;
    (void)data;
    (void)size;
    (void)timeout;
    return absent("lifeline_read");
}

static int process_channel(yoke_native ends[2])
{
    (void)ends;
    return absent("channel");
}

static int process_channel_send(yoke_native end, const void *data, size_t size, const yoke_native *natives,
                                size_t count)
{
    (void)end;
    (void)data;
    (void)size;
    (void)natives;
    (void)count;
    return absent("channel_send");
}

static int process_channel_recv(yoke_native end, void *data, size_t capacity, size_t *size, yoke_native *natives,
                                size_t natives_capacity, size_t *count, int64_t timeout)
{
    (void)end;
    (void)data;
    (void)capacity;
    (void)size;
    (void)natives;
    (void)natives_capacity;
    (void)count;
    (void)timeout;
    return absent("channel_recv");
}

static void process_native_close(yoke_native native)
{
    (void)native;
}

static void process_claim_natives(size_t count)
{
    (void)count;
}

static int process_native_duplicate(yoke_native *out, yoke_native native)
{
    (void)out;
    (void)native;
    return absent("native_duplicate");
}

static bool process_native_is_open(yoke_native native)
{
    (void)native;
    return false;
}

static void process_exit_now(int status)
{
    (void)status;
}

const yoke_process_ops yoke__windows_process = {
    .struct_size = sizeof(yoke_process_ops),
    .spawn = process_spawn,
    .redirect = process_redirect,
    .environment = process_environment,
    .reap = process_reap,
    .signal = process_signal,
    .lifeline = process_lifeline,
    .lifeline_arm = process_lifeline_arm,
    .lifeline_write = process_lifeline_write,
    .lifeline_read = process_lifeline_read,
    .channel = process_channel,
    .channel_send = process_channel_send,
    .channel_recv = process_channel_recv,
    .native_close = process_native_close,
    .claim_natives = process_claim_natives,
    .native_duplicate = process_native_duplicate,
    .native_is_open = process_native_is_open,
    .exit_now = process_exit_now,
};

static int code_locate(yoke_code_place *out, void (*function)(void))
{
    (void)out;
    (void)function;
    return absent("locate");
}

static int code_resolve(void (**out)(void), const yoke_code_place *place)
{
    (void)out;
    (void)place;
    return absent("resolve");
}

const yoke_code_ops yoke__windows_code = {
    .struct_size = sizeof(yoke_code_ops),
    .locate = code_locate,
    .resolve = code_resolve,
};
