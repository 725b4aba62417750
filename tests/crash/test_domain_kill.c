/*
 * A process is killed at every instruction of opening and closing a named domain. Whoever comes next can open it, alone
 * or with those who were in it, and the last one to close it leaves nothing behind.
 */
#include "core/domain/allocator.h"
#include "core/domain/participant.h"
#include "harness.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct fixture {
    char         name[64];
    yoke_domain *mine;   /* the survivor's, if it is in it */
    yoke_domain *theirs; /* the victim's */
} fixture;

static const yoke_domain_options options = {
    .struct_size = sizeof(yoke_domain_options),
    .mode = YOKE_OPEN_OR_CREATE,
    .max_bytes = 2 << 20,
};

static bool exists(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "/yoke-%lu-%s", (unsigned long)geteuid(), name);
    int fd = shm_open(path, O_RDWR, 0);
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

static void set_up_nothing(void *context)
{
    (void)context;
}

/* The victim must not inherit a handle, or its open would only count: it gets a name of its own, which is then moved.
 * So the survivor opens after the fork in verify(), or the domain is kept by another process. Here: a keeper. */
static void open_theirs(void *context)
{
    fixture *f = context;
    if (yoke_domain_open(&f->theirs, f->name, &options) < 0) {
        _exit(3);
    }
}

static void close_theirs(void *context)
{
    fixture *f = context;
    yoke_domain_close(f->theirs);
}

static void open_and_close_theirs(void *context)
{
    open_theirs(context);
    close_theirs(context);
}

static const char *verify(void *context)
{
    static char text[256];
    fixture    *f = context;
    if (yoke_domain_open(&f->mine, f->name, &options) < 0) {
        snprintf(text, sizeof text, "it can't be opened: %s", yoke_last_error()->text);
        return text;
    }
    yoke__domain_recover(f->mine);
    void *block = yoke__alloc(f->mine, 5000, 0);
    int   rc = block ? yoke__alloc_check(f->mine, NULL) : YOKE_ENOMEM;
    yoke__free(f->mine, block);
    yoke_domain_close(f->mine);
    if (rc < 0) {
        return "its heap is not in order";
    }
    return exists(f->name) ? "it is still there after the last close" : NULL;
}

static void run(crash_case test)
{
    fixture      f = {.name = ""};
    crash_result result;
    snprintf(f.name, sizeof f.name, "domain-kill-%ld", (long)getpid());
    test.set_up = set_up_nothing;
    test.verify = verify;
    test.context = &f;
    assert_true(crash_run(&test, &result));
    assert_int_equal(result.faults, 0);
}

static void test_dying_while_making_a_domain(void **state)
{
    (void)state;
    run((crash_case){.name = "domain, create", .operation = open_theirs});
}

static void test_dying_while_closing_a_domain(void **state)
{
    (void)state;
    run((crash_case){.name = "domain, last close", .enter = open_theirs, .operation = close_theirs});
}

/* ---- with somebody else in it -------------------------------------------------------------------------------------- */

typedef struct keeper {
    pid_t pid;
    int   go[2];
} keeper;

static keeper kept;

/* Another process makes the domain and stays in it until told. */
static void set_up_keeper(void *context)
{
    fixture *f = context;
    char     byte;
    int      ready[2];
    assert_int_equal(pipe(kept.go) + pipe(ready), 0);
    kept.pid = fork();
    assert_true(kept.pid >= 0);
    if (kept.pid == 0) {
        close(kept.go[1]);
        open_theirs(f);
        (void)!write(ready[1], "x", 1);
        (void)!read(kept.go[0], &byte, 1);
        close_theirs(f);
        _exit(0);
    }
    close(kept.go[0]);
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
}
