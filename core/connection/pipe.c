/* Pipes: two connected ends. */
#include "conn.h"

#include "../backend.h"
#include "../error.h"
#include "../options.h"

static int check(yoke_conn **reader, yoke_conn **writer, const yoke_pipe_options *options)
{
    if (reader == NULL || writer == NULL)
        return yoke__fail(YOKE_EINVAL, "yoke_pipe_create: %s is NULL", reader == NULL ? "reader" : "writer");
    return yoke__options_check(options, sizeof *options, "yoke_pipe_options");
}

int yoke_pipe_create(yoke_conn **reader, yoke_conn **writer, const yoke_pipe_options *options)
{
    yoke_native ends[2];
    yoke_conn  *first, *second;
    YOKE_TRY(check(reader, writer, options));
    YOKE_TRY(yoke__backend_ready());
    const yoke_backend *backend = yoke__backend();
    bool                one_way = options != NULL && options->one_way;
    uint64_t            most = options != NULL && options->max_message != 0 ? options->max_message : UINT64_MAX;
    uint32_t            both = YOKE_STREAM_READ | YOKE_STREAM_WRITE;
    YOKE_TRY(backend->stream->pair(ends, one_way));
    int rc = yoke__conn_create(&first, ends[0], one_way ? YOKE_STREAM_READ : both, most);
    if (rc < 0) {
        backend->process->native_close(ends[0]);
        backend->process->native_close(ends[1]);
        return rc;
    }
    rc = yoke__conn_create(&second, ends[1], one_way ? YOKE_STREAM_WRITE : both, most);
    if (rc < 0) {
        yoke_conn_close(first);
        backend->process->native_close(ends[1]);
        return rc;
    }
    *reader = first;
    *writer = second;
    return YOKE_OK;
}
