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
#include <sys/wait.h>
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
    test.set_up = test.set_up ? test.set_up : set_up_nothing;
    test.verify = test.verify ? test.verify : verify;
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

/* ---- with somebody else in it ------------------------------------------------------------------------------------ */

static struct {
    pid_t    pid;
    int      go;
    uint64_t id; /* of its domain */
} keeper;

static _Noreturn void keep(fixture *f, int ready, int go)
{
    char byte;
    open_theirs(f);
    uint64_t id = yoke__domain_header(f->theirs)->id;
    if (write(ready, &id, sizeof id) != sizeof id || read(go, &byte, 1) < 0) {
        _exit(4);
    }
    close_theirs(f);
    _exit(0);
}

/* Another process makes the domain and stays in it until told. */
static void set_up_keeper(void *context)
{
    int ready[2];
    int go[2];
    assert_int_equal(pipe(go), 0);
    assert_int_equal(pipe(ready), 0);
    keeper.pid = fork();
    assert_true(keeper.pid >= 0);
    if (keeper.pid == 0) {
        close(go[1]);
        keep(context, ready[1], go[0]);
    }
    close(go[0]);
    close(ready[1]);
    assert_int_equal(read(ready[0], &keeper.id, sizeof keeper.id), sizeof keeper.id);
    close(ready[0]);
    keeper.go = go[1];
}

static const char *verify_with_keeper(void *context)
{
    fixture *f = context;
    uint64_t id = 0;
    int      status;
    if (yoke_domain_open(&f->mine, f->name, &options) == YOKE_OK) {
        id = yoke__domain_header(f->mine)->id;
        yoke__domain_recover(f->mine);
        yoke_domain_close(f->mine);
    }
    bool there = exists(f->name);
    close(keeper.go);
    if (waitpid(keeper.pid, &status, 0) != keeper.pid || status != 0) {
        return "the process that stayed in it failed";
    }
    if (id != keeper.id) {
        return "another domain took its name, or it can't be opened";
    }
    return !there ? "its name went while it was in use" : exists(f->name) ? "its name stayed" : NULL;
}

static void test_dying_while_joining_or_leaving_a_domain_in_use(void **state)
{
    (void)state;
    run((crash_case){.name = "domain, join and leave",
                     .set_up = set_up_keeper,
                     .operation = open_and_close_theirs,
                     .verify = verify_with_keeper});
}

int main(void)
{
    if (!crash_supported()) {
        puts("crash: this system doesn't let a process trace its children: skipped");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dying_while_making_a_domain),
        cmocka_unit_test(test_dying_while_closing_a_domain),
        cmocka_unit_test(test_dying_while_joining_or_leaving_a_domain_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
