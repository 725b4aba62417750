/* Ends that several processes send on; see share.h. */
#include "share.h"

#include "../backend.h"
#include "../domain/inspect.h"
#include "../error.h"
#include "../sync/owner_word.h"
#include "conn.h"

/* A pipe takes this much whole or not at all, and so does a local socket, however small its buffer was made. */
#define WHOLE ((size_t)2048)

static yoke__share *share_of(const yoke__conn *conn)
{
    return conn->share->object;
}

/* ---- as an object ------------------------------------------------------------------------------------------------ */

static int share_init(yoke_domain *domain, yoke__id id, void *object, const void *argument)
{
    (void)domain;
    (void)id;
    (void)object; /* zeroed: nobody's turn */
    (void)argument;
    return YOKE_OK;
}

static void share_describe(yoke_domain *domain, yoke__id id, const void *object, char *text, size_t size)
{
    const yoke__share *share = object;

    (void)id;
    if (yoke__a32_load_relaxed(&share->broken) != 0)
        yoke__text_add(text, size, "broken: a sender died in the midst of a message; ");
    yoke__text_add_holder(text, size, domain, yoke__a32_load_relaxed(&share->word));
}

const yoke__object_type yoke__share_type = {
    .kind = YOKE__KIND_SHARE,
    .name = "shared end",
    .describe = share_describe,
};

/* ---- turns ------------------------------------------------------------------------------------------------------- */

static int not_entered(int rc)
{
    if (rc == YOKE_ETIMEDOUT)
        return yoke__fail(rc, "connection: another process that shares this end is still sending");
    if (rc == YOKE_ECLOSED)
        return yoke__fail(rc, "connection: it was closed by another thread");
    return rc;
}

int yoke__share_enter(yoke__conn *conn, size_t size, yoke__deadline deadline)
{
    yoke__share     *share = share_of(conn);
    yoke_domain     *domain = conn->share->domain;
    yoke__owner_wait wait = {.deadline = deadline, .closing = &conn->handle->handle.closing, .object = conn->share->id};
    int              rc = yoke__owner_acquire_with(domain, &share->word, &wait);
    if (rc < 0)
        return not_entered(rc);
    if (rc == YOKE_OWNER_DIED && yoke__a32_load_relaxed(&share->inside) != 0)
        yoke__a32_store_release(&share->broken, 1);
    if (yoke__a32_load_relaxed(&share->broken) != 0) {
        yoke__owner_release(domain, &share->word);
        conn->send_broken = YOKE_EBROKEN;
        return yoke__fail(YOKE_EBROKEN,
                          "connection: a process that shared this end broke off in the midst of a message");
    }
    conn->share_entered = true;
    if (size > WHOLE || (conn->flags & YOKE__CONN_REMOTE) != 0)
        yoke__a32_store_release(&share->inside, 1);
    return YOKE_OK;
}

void yoke__share_leave(yoke__conn *conn)
{
    if (conn->share == NULL || !conn->share_entered || conn->rest != NULL)
        return;
    yoke__share *share = share_of(conn);
    conn->share_entered = false;
    if (conn->send_broken != YOKE_OK)
        yoke__a32_store_release(&share->broken, 1);
    yoke__a32_store_release(&share->inside, 0);
    yoke__owner_release(conn->share->domain, &share->word);
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

void yoke__share_drop(yoke__conn *conn)
{
    yoke__handle *share = conn->share;
    if (share == NULL)
        return;
    if (conn->share_entered && yoke__a32_load_relaxed(&share->domain->token) != 0) {
        conn->send_broken = YOKE_EBROKEN; /* a rest was left, and is lost */
        yoke__share_leave(conn);
    }
    conn->share = NULL;
    yoke__handle_close(share, NULL);
}

void yoke__share_forget(yoke__conn *conn)
{
    conn->share_entered = false;
}

yoke__share_passed yoke__share_pass(const yoke__conn *conn)
{
    if (conn->share == NULL)
        return (yoke__share_passed){0};
    return (yoke__share_passed){yoke__domain_header(conn->share->domain)->id, yoke__handle_reference(conn->share)};
}

int yoke__share_attach(yoke__conn *conn, const yoke__share_passed *passed)
{
    yoke_domain *domain = yoke__domain_existing();
    if (domain == NULL || yoke__domain_header(domain)->id != passed->domain)
        return yoke__fail(YOKE_ENOTSUP, "connection: a shared end can be passed within the process family only");
    return yoke__handle_open(&conn->share, domain, YOKE__KIND_SHARE, passed->reference);
}

/* ---- making ------------------------------------------------------------------------------------------------------ */

/* Sending turn taken. */
static int make_shared(yoke__conn *conn)
{
    yoke__object_spec spec = {
        .kind = YOKE__KIND_SHARE, .mode = YOKE_CREATE, .size = sizeof(yoke__share), .init = share_init};
    if (conn->share != NULL)
        return YOKE_OK;
    if (conn->rest != NULL)
        YOKE_TRY(yoke__conn_flush(conn, yoke__deadline_after(YOKE__CONN_FLUSH)));
    return yoke__handle_create(&conn->share, NULL, &spec);
}

/* A second end of the same native, which only sends. */
static int make_second(yoke_conn **out, const yoke__conn *conn)
{
    const yoke_backend *backend = yoke__backend();
    yoke__share_passed  passed = yoke__share_pass(conn);
    uint32_t            flags = YOKE_STREAM_WRITE | (conn->flags & YOKE__CONN_REMOTE);
    yoke_native         native;
    yoke_conn          *second;
    YOKE_TRY(backend->process->native_duplicate(&native, backend->stream->native(conn->stream)));
    int rc = yoke__conn_create(&second, native, flags, conn->max_message);
    if (rc < 0) {
        backend->process->native_close(native);
        return rc;
    }
    rc = yoke__share_attach(second->handle.extra, &passed);
    if (rc < 0) {
        yoke_conn_close(second);
        return rc;
    }
    *out = second;
    return YOKE_OK;
}

int yoke_conn_share(yoke_conn **out, yoke_conn *handle)
{
    yoke__conn *conn;
    if (out == NULL)
        return yoke__fail(YOKE_EINVAL, "yoke_conn_share: out is NULL");
    YOKE_TRY(yoke__conn_begin(&conn, handle, YOKE_STREAM_WRITE, yoke__deadline_after(YOKE__CONN_FLUSH)));
    int rc = make_shared(conn);
    if (rc == YOKE_OK)
        rc = make_second(out, conn);
    yoke__conn_end(conn, YOKE_STREAM_WRITE);
    return rc;
}
