/*
 * Lifelines: a pipe that carries the start message, and beside it a job object that ends its members when its last handle
 * goes, whatever they are doing. The holder of ends[1] has a handle of the job; the child that arms ends[0] joins the job
 * and closes its own handle of it. What members start is not in the job.
 *
 * A native is one number, so the job is found by it in a list of this process's. Both ends may lie in one process.
 */
#include "../../core/local.h"
#include "process.h"

#include <stdlib.h>

#define ROOM 4096 /* bytes; a start message has a few hundred */

typedef struct line {
    struct line *next;
    yoke_native  end;
    HANDLE       job; /* NULL once armed */
} line;

static struct {
    yoke__mutex mutex;
    line       *first;
} lines = {.mutex = YOKE__MUTEX_INIT};

/* lines.mutex held. */
static line **find(yoke_native end)
{
    line **at = &lines.first;

    while (*at && (*at)->end != end)
        at = &(*at)->next;
    return at;
}

int yoke__windows_lifeline_note(yoke_native end, HANDLE job)
{
    line *made = malloc(sizeof *made);

    if (!made)
        return yoke_backend_fail(YOKE_ENOMEM, ERROR_NOT_ENOUGH_MEMORY, "no memory for a lifeline");
    *made = (line){.end = end, .job = job};
    yoke__mutex_lock(&lines.mutex);
    made->next = lines.first;
    lines.first = made;
    yoke__mutex_unlock(&lines.mutex);
    return YOKE_OK;
}

HANDLE yoke__windows_lifeline_job(yoke_native end)
{
    yoke__mutex_lock(&lines.mutex);
    line  *found = *find(end);
    HANDLE job = found ? found->job : NULL;
    yoke__mutex_unlock(&lines.mutex);
    return job;
}

/* The closing of the handle may end members, but never waits for that. */
void yoke__windows_lifeline_forget(yoke_native end)
{
    yoke__mutex_lock(&lines.mutex);
    line **at = find(end);
    line  *found = *at;
    if (found)
        *at = found->next;
    yoke__mutex_unlock(&lines.mutex);
    if (!found)
        return;
    if (found->job)
        yoke__sys.CloseHandle(found->job);
    free(found);
}

/* ---- making ---- */

static int make_job(HANDLE *out)
{
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {
        .BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK,
    };
    HANDLE job = yoke__sys.CreateJobObjectW(NULL, NULL);

    if (!job)
        return yoke__windows_fail("making a job object");
    if (!yoke__sys.SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits)) {
        int rc = yoke__windows_fail("making a job object end its members");
        yoke__sys.CloseHandle(job);
        return rc;
    }
    *out = job;
    return YOKE_OK;
}

/* A job with two handles. */
static int make_jobs(HANDLE jobs[2])
{
    HANDLE self = GetCurrentProcess();

    YOKE_TRY(make_job(&jobs[0]));
    if (yoke__sys.DuplicateHandle(self, jobs[0], self, &jobs[1], 0, FALSE, DUPLICATE_SAME_ACCESS))
        return YOKE_OK;
    int rc = yoke__windows_fail("duplicating the handle of a job object");
    yoke__sys.CloseHandle(jobs[0]);
    return rc;
}

static int note_ends(const HANDLE ends[2], HANDLE jobs[2])
{
    for (int i = 0; i < 2; i++) {
        int rc = yoke__windows_lifeline_note(yoke__native_of(ends[i]), jobs[i]);
        if (rc < 0) {
            if (i == 1)
                yoke__windows_lifeline_forget(yoke__native_of(ends[0]));
            else
                yoke__sys.CloseHandle(jobs[0]);
            yoke__sys.CloseHandle(jobs[1]);
            return rc;
        }
    }
    return YOKE_OK;
}

int yoke__windows_lifeline(yoke_native ends[2])
{
    HANDLE pipe[2], jobs[2];

    YOKE_TRY(yoke__windows_pipe(pipe, PIPE_TYPE_BYTE, false, ROOM));
    int rc = make_jobs(jobs);
    if (rc == YOKE_OK)
        rc = note_ends(pipe, jobs);
    for (int i = 0; i < 2; i++) {
        if (rc < 0)
            yoke__sys.CloseHandle(pipe[i]);
        else
            ends[i] = yoke__native_of(pipe[i]);
    }
    return rc;
}

/* ---- using ---- */

int yoke__windows_lifeline_write(yoke_native end, const void *data, size_t size)
{
    if (size > 1024)
        return yoke_backend_fail(YOKE_EMSGSIZE, 0, "a lifeline takes 1024 bytes, not %zu", size);
    return yoke__windows_write(yoke__handle_of(end), data, size);
}

int yoke__windows_lifeline_read(yoke_native end, void *data, size_t size, int64_t timeout)
{
    return yoke__windows_read_all(yoke__handle_of(end), data, size, yoke__windows_deadline(timeout));
}

/* lines.mutex held. */
static HANDLE take_job(yoke_native end)
{
    line  *found = *find(end);
    HANDLE job = found ? found->job : NULL;

    if (found)
        found->job = NULL;
    return job;
}

/* Most often it is known before there is a job to end with. Not only for speed: the server of Wine 8 doesn't survive it when
 * a member of a job closes the last handle of that. */
static void die_if_cut(yoke_native end)
{
    if (!PeekNamedPipe(yoke__handle_of(end), NULL, 0, NULL, NULL, NULL) && GetLastError() == ERROR_BROKEN_PIPE)
        yoke__windows_process.exit_now((int)(YOKE__ENDED_BY | YOKE__SIGNAL_KILL));
}

/* If the holder is gone, ours is the last handle, and closing it ends this process. */
int yoke__windows_lifeline_arm(yoke_native end)
{
    HANDLE job = yoke__windows_lifeline_job(end);

    if (!job)
        return yoke_backend_fail(YOKE_EPROTO, 0, "it is not the child's end of a lifeline");
    die_if_cut(end);
    if (!yoke__sys.AssignProcessToJobObject(job, GetCurrentProcess()))
        return yoke__windows_fail("joining the job object of a lifeline");
    yoke__mutex_lock(&lines.mutex);
    (void)take_job(end);
    yoke__mutex_unlock(&lines.mutex);
    yoke__sys.CloseHandle(job);
    return YOKE_OK;
}
