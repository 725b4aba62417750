/* Life of listeners: making, entering, closing, and what a fork means. */
#include "listener.h"

#include "../backend.h"
#include "../error.h"
#include "../options.h"

#include <stdlib.h>
#include <string.h>

#define BACKLOG     128
#define PERMISSIONS 0600u
#define HANDSHAKE   INT64_C(5000)

_Static_assert(YOKE_ADDRESS_SIZE >= YOKE__ADDRESS_ROOM, "enough for every address");

/* All listeners of the process; held across a fork. */
static struct {
    yoke__mutex     mutex;
    yoke__listener *first;
} all = {.mutex = YOKE__MUTEX_INIT};

const yoke_socket_ops *yoke__sockets(void)
{
    if (yoke__backend_ready() < 0)
        return NULL;
    const yoke_backend *backend = yoke__backend();
    if (backend->socket == NULL)
        (void)yoke__fail(YOKE_ENOTSUP, "the backend '%s' has no sockets", backend->name);
    return backend->socket;
}

static void native_close(yoke_native *native)
{
    if (*native != YOKE_NO_NATIVE)
        yoke__backend()->process->native_close(*native);
    *native = YOKE_NO_NATIVE;
}

/* ---- fork ---- */

static void before_fork(void)
{
    yoke__mutex_lock(&all.mutex);
}

static void after_fork_in_parent(void)
{
    yoke__mutex_unlock(&all.mutex);
}

/* Threads that accept are not in the child, and who was proving a key goes on doing so to the parent. */
static void after_fork_in_child(void)
{
    all.mutex = (yoke__mutex)YOKE__MUTEX_INIT;
    for (yoke__listener *listener = all.first; listener != NULL; listener = listener->next) {
        listener->made_here = false;
        listener->guard = (yoke__mutex)YOKE__MUTEX_INIT;
        listener->accepting = (yoke__turn){{0}};
        native_close(&listener->wake[0]);
        native_close(&listener->wake[1]);
        native_close(&listener->held);
        if (listener->loop != NULL)
            yoke__listener_loop_forget(listener);
        yoke__a32_store_relaxed(&listener->waiters, 0);
        listener->paused = 0;
        for (size_t i = 0; i < YOKE__HANDSHAKES; i++)
            if (listener->newcomers[i] != NULL)
                native_close(&listener->newcomers[i]->native);
    }
}

void yoke__listener_close_inherited(void)
{
    for (yoke__listener *listener = all.first; listener != NULL; listener = listener->next) {
        if (listener->socket.native != YOKE_NO_NATIVE)
            yoke__sockets()->unlisten(&listener->socket, false);
        yoke__auth_rules_wipe(&listener->rules);
    }
}

/* ---- making ---- */

static int check_options(const yoke_listener_options *options)
{
    if (options->backlog < 0)
        return yoke__fail(YOKE_EINVAL, "yoke_listener_options: a backlog of %d", options->backlog);
    if (options->permissions > 0777)
        return yoke__fail(YOKE_EINVAL, "yoke_listener_options: permissions 0%o are over 0777", options->permissions);
    if (options->handshake_timeout < 0)
        return yoke__fail(YOKE_EINVAL, "yoke_listener_options: a handshake_timeout of %lld ms",
                          (long long)options->handshake_timeout);
    return YOKE_OK;
}

static int64_t nanoseconds(int64_t milliseconds)
{
    return milliseconds > INT64_MAX / 1000000 ? INT64_MAX : milliseconds * 1000000;
}

/* Everything but the socket. */
static int fill(yoke__listener *listener, const yoke_listener_options *options)
{
    YOKE_TRY(yoke__auth_rules_set(&listener->rules, options->authkey, options->authkey_size, options->digest,
                                  options->allow_old_python));
    listener->socket.native = listener->wake[0] = listener->wake[1] = listener->held = YOKE_NO_NATIVE;
    listener->max_message = options->max_message != 0 ? options->max_message : UINT64_MAX;
    listener->handshake_time = nanoseconds(options->handshake_timeout != 0 ? options->handshake_timeout : HANDSHAKE);
    listener->allow_anyone = options->allow_anyone;
    listener->made_here = true;
    return YOKE_OK;
}

static int start(yoke__listener *listener, const char *address, const yoke_listener_options *options)
{
    const yoke_socket_ops *sockets = yoke__sockets();
    yoke_socket_place      place;
    if (sockets == NULL)
        return yoke__noted();
    YOKE_TRY(yoke__address_parse(&place, address, sockets));
    if (place.kind == YOKE_SOCKET_TCP && listener->rules.key == NULL && !listener->allow_anyone)
        return yoke__fail(YOKE_EINVAL,
                          "listener '%s': TCP without an authkey is open to everybody; set allow_anyone "
                          "if that is meant",
                          address);
    int rc = sockets->listen(&listener->socket, &place, options->backlog != 0 ? options->backlog : BACKLOG,
                             options->permissions != 0 ? options->permissions : PERMISSIONS);
    return rc < 0 ? yoke__fail_in(rc, "listener '%s'", address) : rc;
}

/* `all` locked. */
static void list_add(yoke__listener *listener)
{
    listener->next = all.first;
    listener->link = &all.first;
    if (listener->next != NULL)
        listener->next->link = &listener->next;
    all.first = listener;
}

static int create(yoke_listener **out, yoke__listener *listener, const char *address,
                  const yoke_listener_options *options)
{
    yoke__handle *handle;
    YOKE_TRY(yoke__handle_local(&handle, YOKE__KIND_LISTENER));
    int rc = start(listener, address, options);
    if (rc < 0) {
        yoke__handle_close(handle, NULL);
        return rc;
    }
    listener->handle = (yoke_listener *)handle;
    handle->extra = listener;
    yoke__fork_hook_add(before_fork, after_fork_in_parent, after_fork_in_child);
    yoke__fork_hooks();
    yoke__mutex_lock(&all.mutex);
    list_add(listener);
    yoke__mutex_unlock(&all.mutex);
    *out = listener->handle;
    return YOKE_OK;
}

int yoke_listener_create(yoke_listener **out, const char *address, const yoke_listener_options *options)
{
    yoke_listener_options taken;
    if (out == NULL || address == NULL)
        return yoke__fail(YOKE_EINVAL, "yoke_listener_create: %s is NULL", out == NULL ? "out" : "address");
    YOKE_TRY(yoke__options_take(yoke_listener_options, &taken, options));
    YOKE_TRY(check_options(&taken));
    yoke__listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL)
        return yoke__fail(YOKE_ENOMEM, "no memory for a listener");
    int rc = fill(listener, &taken);
    if (rc == YOKE_OK)
        rc = create(out, listener, address, &taken);
    if (rc < 0) {
        yoke__auth_rules_wipe(&listener->rules);
        free(listener);
    }
    return rc;
}

/* ---- entering ---- */

bool yoke__listener_closing(const yoke__listener *listener)
{
    return yoke__a32_load_acquire(&listener->handle->handle.closing) != 0;
}

yoke__listener *yoke__listener_enter(const yoke_listener *listener)
{
    yoke__handle *handle = yoke__handle_check(listener, YOKE__KIND_LISTENER);
    if (handle == NULL)
        return NULL;
    yoke__handle_enter(handle);
    yoke__listener *entered = handle->extra;
    if (yoke__a32_load_acquire(&handle->closing) != 0)
        (void)yoke__fail(YOKE_ECLOSED, "listener: it is being closed");
    else if (entered->socket.native == YOKE_NO_NATIVE)
        (void)yoke__fail(YOKE_ECLOSED, "listener: it was not passed to this child process");
    else
        return entered;
    yoke__handle_exit(handle);
    return NULL;
}

void yoke__listener_leave(yoke__listener *listener)
{
    yoke__handle_exit(&listener->handle->handle);
}

/* ---- what it is ---- */

int yoke_listener_address(const yoke_listener *handle, char *buffer, size_t capacity)
{
    char            text[YOKE__ADDRESS_ROOM];
    yoke__listener *listener = yoke__listener_enter(handle);
    if (listener == NULL)
        return yoke__noted();
    yoke__address_format(text, &listener->socket.place);
    yoke__listener_leave(listener);
    size_t size = strlen(text) + 1;
    if (buffer == NULL)
        return yoke__fail(YOKE_EINVAL, "yoke_listener_address: buffer is NULL");
    if (size > capacity)
        return yoke__fail(YOKE_EMSGSIZE, "yoke_listener_address: the address has %zu bytes, the buffer %zu", size,
                          capacity);
    memcpy(buffer, text, size);
    return YOKE_OK;
}

int64_t yoke_listener_refused(const yoke_listener *handle)
{
    yoke__listener *listener = yoke__listener_enter(handle);
    if (listener == NULL)
        return -1;
    int64_t refused = (int64_t)yoke__a64_load_relaxed(&listener->refused);
    yoke__listener_leave(listener);
    return refused;
}

intptr_t yoke_listener_native(const yoke_listener *handle)
{
    yoke__listener *listener = yoke__listener_enter(handle);
    if (listener == NULL)
        return YOKE_NO_NATIVE;
    intptr_t native = listener->socket.native;
    yoke__listener_leave(listener);
    return native;
}

/* ---- closing ---- */

/* Called by close, again and again, while calls are asleep in the listener. */
static void wake(yoke__handle *handle)
{
    yoke__listener *listener = handle->extra;
    yoke__mutex_lock(&listener->guard);
    native_close(&listener->wake[1]);
    yoke__mutex_unlock(&listener->guard);
}

/* Nobody else uses it any more. */
static void destroy(yoke__listener *listener)
{
    yoke__mutex_lock(&all.mutex);
    *listener->link = listener->next;
    if (listener->next != NULL)
        listener->next->link = listener->link;
    yoke__mutex_unlock(&all.mutex);
    yoke__newcomers_drop(listener);
    if (listener->socket.native != YOKE_NO_NATIVE)
        yoke__sockets()->unlisten(&listener->socket, listener->made_here);
    native_close(&listener->wake[0]);
    native_close(&listener->wake[1]);
    native_close(&listener->held);
    yoke__auth_rules_wipe(&listener->rules);
    free(listener);
}

void yoke_listener_close(yoke_listener *handle)
{
    if (handle == NULL)
        return;
    yoke__handle   *checked = yoke__handle_check(handle, YOKE__KIND_LISTENER);
    yoke__listener *listener = checked != NULL ? yoke__handle_claim(checked) : NULL;
    if (listener == NULL)
        return;
    if (yoke__a32_load_acquire(&listener->on_loop) != 0) /* so this is the loop's thread */
        yoke__listener_loop_stop(listener, NULL);
    yoke__handle_close(checked, wake);
    destroy(listener);
}
