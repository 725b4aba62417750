/* What comes along with the bytes of a connection; see luggage.h. */
#include "luggage.h"

#include "../backend.h"
#include "bundle.h"
#include "conn.h"

#include <stdlib.h>

static void close_native(yoke_native native)
{
    yoke__backend()->process->native_close(native);
}

static void forget_first(yoke__luggage *luggage)
{
    luggage->count--;
    for (size_t i = 0; i < luggage->count; i++)
        luggage->arrived[i] = luggage->arrived[i + 1];
}

/* Closes what came with bytes before `at` only. */
static void prune(yoke__luggage *luggage, uint64_t at)
{
    while (luggage->count > 0 && luggage->arrived[0].to <= at) {
        close_native(luggage->arrived[0].native);
        forget_first(luggage);
    }
}

/* NULL: no memory. */
static yoke__luggage *luggage_of(yoke__conn *conn)
{
    if (conn->luggage == NULL)
        conn->luggage = calloc(1, sizeof *conn->luggage);
    return conn->luggage;
}

bool yoke__luggage_keep(yoke__conn *conn, yoke__unbundled *opened)
{
    yoke__luggage *luggage = luggage_of(conn);
    if (luggage != NULL)
        luggage->opened = opened;
    return luggage != NULL;
}

void yoke__luggage_add(yoke__conn *conn, yoke_native native, uint64_t from, uint64_t to)
{
    yoke__luggage *luggage = luggage_of(conn);
    if (luggage == NULL) { /* its message will say that it is lost */
        close_native(native);
        return;
    }
    if (luggage->count == YOKE__ARRIVALS) {
        close_native(luggage->arrived[0].native);
        forget_first(luggage);
    }
    luggage->arrived[luggage->count++] = (yoke__arrival){native, from, to};
}

static void drop_opened(yoke__luggage *luggage)
{
    yoke__unbundled_free(luggage->opened);
    luggage->opened = NULL;
}

void yoke__luggage_header(yoke__conn *conn, uint64_t at)
{
    if (conn->luggage == NULL)
        return;
    drop_opened(conn->luggage);
    prune(conn->luggage, at);
    conn->luggage->frame_at = at;
}

yoke_native yoke__luggage_take(yoke__conn *conn)
{
    yoke__luggage *luggage = conn->luggage;
    if (luggage == NULL)
        return YOKE_NO_NATIVE;
    prune(luggage, luggage->frame_at);
    if (luggage->count == 0 || luggage->arrived[0].from > luggage->frame_at)
        return YOKE_NO_NATIVE;
    yoke_native native = luggage->arrived[0].native;
    forget_first(luggage);
    return native;
}

void yoke__luggage_clear(yoke__conn *conn, uint64_t at)
{
    yoke__luggage *luggage = conn->luggage;
    drop_opened(luggage);
    prune(luggage, at);
    if (luggage->count > 0)
        return;
    conn->luggage = NULL;
    free(luggage);
}

void yoke__luggage_free(yoke__conn *conn)
{
    if (conn->luggage != NULL)
        yoke__luggage_clear(conn, UINT64_MAX);
}
