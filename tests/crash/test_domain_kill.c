/*
 * A process is killed while it makes, opens, closes, lists, reclaims or looks into a named domain, and a second one while
 * it finds what the first has left. Whoever comes next can open it, alone or with those who were in it; nobody who lives
 * loses it, and the last one to close it leaves nothing behind.
 *
 * Built twice: here at instructions; with YOKE_CRASH_POINTS before every shared store, which is where the second process
 * comes in. And once more for each planted
 * fault of mutants.cmake, with CRASH_MUTANT: then at least one kill must be found out.
 */
#include "begin.h"
#include "core/domain/allocator.h"
#include "core/domain/directory.h"
#include "core/domain/participant.h"
#include "guard.h"
#include "harness.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <yoke/sync.h>

#include <cmocka.h>

#ifndef CRASH_MUTANT
#define CRASH_MUTANT 0
#endif

#ifdef YOKE_CRASH_POINTS
#define RUN    crash_run_points
#define SECOND 23u
#else
#define RUN    crash_run
#define SECOND 499u
#endif

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

static const char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "/yoke-%lu-%s", (unsigned long)geteuid(), name);
    return path;
}

static bool exists(const char *name)
{
    int fd = shm_open(path_of(name), O_RDWR, 0);
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

/* ---- what victims do --------------------------------------------------------------------------------------------- */

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

/* Joins, recovers whoever died in it, and leaves. */
static void open_recover_and_close(void *context)
{
    fixture *f = context;
    open_theirs(context);
    (void)yoke__domain_recover(f->theirs);
    close_theirs(context);
}

static void reclaim(void *context)
{
    fixture *f = context;
    (void)yoke_domain_reclaim(f->name);
}

static bool see(void *user, const yoke_domain_info *info)
{
    const fixture *f = user;
    return strcmp(info->name, f->name) != 0;
}

static void list(void *context)
{
    (void)yoke_domain_list(see, context);
}

static void describe(void *context)
{
    fixture *f = context;
    char     text[1024];
    (void)yoke_domain_describe(f->theirs, text, sizeof text, NULL);
}

static void make_and_close_lock(void *context)
{
    fixture   *f = context;
    yoke_lock *lock;
    if (yoke_lock_create(&lock, YOKE_OPTIONS(yoke_lock_options, .domain = f->theirs, .name = "door",
                                             .mode = YOKE_OPEN_OR_CREATE)) < 0) {
        _exit(5);
    }
    yoke_lock_close(lock);
}

/* ---- what must hold ---------------------------------------------------------------------------------------------- */

/* The domain is in order, and works. */
static const char *use(yoke_domain *domain)
{
    static char text[256];
    yoke_lock  *lock;
    yoke__domain_recover(domain);
    void *block = yoke__alloc(domain, 5000, 0);
    if (!block || yoke__alloc_check(domain, NULL) < 0) {
        return "its heap is not in order";
    }
    yoke__free(domain, block);
    if (yoke__directory_check(domain) < 0 ||
        yoke_lock_create(&lock, YOKE_OPTIONS(yoke_lock_options, .domain = domain, .name = "door")) < 0) {
        snprintf(text, sizeof text, "its directory is not in order: %s", yoke_last_error()->text);
        return text;
    }
    yoke_lock_close(lock);
    return NULL;
}

static const char *verify(void *context)
{
    static char text[256];
    fixture    *f = context;
    if (yoke_domain_open(&f->mine, f->name, &options) < 0) {
        snprintf(text, sizeof text, "it can't be opened: %s", yoke_last_error()->text);
        return text;
    }
    const char *wrong = use(f->mine);
    yoke_domain_close(f->mine);
    return wrong ? wrong : exists(f->name) ? "it is still there after the last close" : NULL;
}

/* After a reclaim that was killed, another one finds nothing, or what is left. */
static const char *verify_reclaimed(void *context)
{
    fixture *f = context;
    int64_t  rc = yoke_domain_reclaim(f->name);
    if (rc != 1 && rc != YOKE_ENOENT) {
        return "it can't be reclaimed any more";
    }
    return exists(f->name) ? "it is still there after a reclaim" : verify(context);
}

/* After a maker that was killed: empty, half made or whole, it goes. */
static const char *verify_left(void *context)
{
    fixture *f = context;
    int64_t  rc = yoke_domain_reclaim(f->name);
    if (rc < 0 && rc != YOKE_ENOENT) {
        return yoke_last_error()->text;
    }
    return exists(f->name) ? "it is still there after a reclaim" : verify(context);
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

/* A process makes the domain and dies. */
static void set_up_dead(void *context)
{
    int   status;
    pid_t pid = fork();
    if (pid == 0) {
        open_theirs(context);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static const char *verify_with_keeper(void *context)
{
    fixture    *f = context;
    uint64_t    id = 0;
    const char *wrong = NULL;
    int         status;
    if (yoke_domain_open(&f->mine, f->name, &options) == YOKE_OK) {
        id = yoke__domain_header(f->mine)->id;
        wrong = use(f->mine);
        yoke_domain_close(f->mine);
    }
    bool there = exists(f->name);
    close(keeper.go);
    pid_t ended = waitpid(keeper.pid, &status, 0);
    keeper.pid = 0;
    if (ended < 0 || status != 0) {
        return "the process that stayed in it failed";
    }
    if (id != keeper.id) {
        return "another domain took its name, or it can't be opened";
    }
    return wrong ? wrong : !there ? "its name went while it was in use" : exists(f->name) ? "its name stayed" : NULL;
}

/* ---- cases ------------------------------------------------------------------------------------------------------- */

static uint64_t found; /* planted faults */

static void run_once(crash_case test)
{
    crash_result result;
    if (CRASH_MUTANT && found) {
        return;
    }
    test.expect_fault = CRASH_MUTANT;
    assert_true(RUN(&test, &result) || CRASH_MUTANT);
    found += result.faults;
    if (!CRASH_MUTANT && result.faults) {
        fail_msg("%s", result.first);
    }
}

/* Stepping through two operations takes half a minute for each case: only if every kill is asked for. */
static bool kills_two(void)
{
#ifdef YOKE_CRASH_POINTS
    return true;
#else
    const char *full = getenv("YOKE_CRASH_FULL");
    return full && *full && strcmp(full, "0") != 0;
#endif
}

/* Nothing stays of a trial that found something wrong, or whose victim failed: the next one begins anew, and the last one
 * leaves nothing behind. */
static void clear(void *context)
{
    fixture *f = context;
    if (keeper.pid > 0) {
        kill(keeper.pid, SIGKILL);
        waitpid(keeper.pid, NULL, 0);
        close(keeper.go);
        keeper.pid = 0;
    }
    (void)shm_unlink(path_of(f->name));
}

/* Once for the operation alone, and once with a second process that is killed too, in what it does after the first. */
static void run(crash_case test, const char *name_of_both, void (*recover)(void *))
{
    fixture f = {.name = ""};
    snprintf(f.name, sizeof f.name, "domain-kill-%ld", (long)getpid());
    test.tear_down = clear;
    test.set_up = test.set_up ? test.set_up : set_up_nothing;
    test.verify = test.verify ? test.verify : verify;
    test.context = &f;
    test.part = 3;
    if (test.name) {
        run_once(test);
    }
    if (recover && kills_two()) {
        test.name = name_of_both;
        test.recover = recover;
        test.second_stride = SECOND;
        run_once(test);
    }
}

static void test_dying_while_making_a_domain(void **state)
{
    (void)state;
    run((crash_case){.name = "domain, create", .operation = open_theirs}, "domain, create, then join",
        open_recover_and_close);
}

static void test_dying_while_closing_a_domain(void **state)
{
    (void)state;
    run((crash_case){.name = "domain, last close", .enter = open_theirs, .operation = close_theirs},
        "domain, last close, then join", open_recover_and_close);
}

static void test_dying_while_joining_or_leaving_a_domain_in_use(void **state)
{
    (void)state;
    run((crash_case){.name = "domain, join and leave",
                     .set_up = set_up_keeper,
                     .operation = open_and_close_theirs,
                     .verify = verify_with_keeper},
        "domain, join and leave, then join", open_recover_and_close);
}

static void test_dying_while_reclaiming_the_dead(void **state)
{
    (void)state;
    run((crash_case){.name = "domain, create, left to a reclaim", .operation = open_theirs, .verify = verify_left},
        "domain, create, then reclaim", reclaim);
    run(
        (crash_case){
            .name = "domain, reclaim", .set_up = set_up_dead, .operation = reclaim, .verify = verify_reclaimed},
        "domain, reclaim, then again", reclaim);
}

static void test_a_reclaim_takes_nothing_from_the_living(void **state)
{
    (void)state;
    run((crash_case){.name = "domain, reclaim beside the living",
                     .set_up = set_up_keeper,
                     .operation = reclaim,
                     .verify = verify_with_keeper},
        NULL, NULL);
    run((crash_case){.set_up = set_up_keeper, .operation = open_and_close_theirs, .verify = verify_with_keeper},
        "domain, join and leave, then reclaim", reclaim);
}

static void test_dying_while_listing(void **state)
{
    (void)state;
    run((crash_case){.name = "domain, list", .set_up = set_up_keeper, .operation = list, .verify = verify_with_keeper},
        NULL, NULL);
}

static void test_dying_while_looking_into_a_domain(void **state)
{
    (void)state;
    run((crash_case){.name = "domain, describe",
                     .set_up = set_up_keeper,
                     .enter = open_theirs,
                     .operation = describe,
                     .verify = verify_with_keeper},
        NULL, NULL);
}

static void open_and_describe(void *context)
{
    open_theirs(context);
    describe(context);
}

/* Whoever only looks takes a dead holder's lock, and leaves what that one left half done to those who recover. */
static void test_dying_while_making_an_object_and_while_looking_at_that(void **state)
{
    (void)state;
    run((crash_case){.name = "domain, make and close a lock",
                     .set_up = set_up_keeper,
                     .enter = open_theirs,
                     .operation = make_and_close_lock,
                     .verify = verify_with_keeper},
        "domain, make a lock, then look", open_and_describe);
}

/* The survivor is in it all the time, so that its look is the first to meet a dead holder. */
static void open_mine(void *context)
{
    fixture *f = context;
    assert_int_equal(yoke_domain_open(&f->mine, f->name, &options), YOKE_OK);
}

static const char *verify_looking(void *context)
{
    fixture *f = context;
    char     text[2048];
    int      rc = yoke_domain_describe(f->mine, text, sizeof text, NULL);
    if (rc < 0 && rc != YOKE_EMSGSIZE) {
        return "it can't be described";
    }
    const char *wrong = use(f->mine);
    yoke_domain_close(f->mine);
    return wrong ? wrong : exists(f->name) ? "it is still there after the last close" : NULL;
}

static void test_a_survivor_looks_before_anybody_recovers(void **state)
{
    (void)state;
    run((crash_case){.name = "domain, make a lock, a survivor looks",
                     .set_up = open_mine,
                     .enter = open_theirs,
                     .operation = make_and_close_lock,
                     .verify = verify_looking},
        NULL, NULL);
}

static void test_a_planted_fault_is_found(void **state)
{
    (void)state;
    assert_true(!CRASH_MUTANT || found > 0);
}

int main(int argc, char **argv)
{
    char name[64];
    crash_begin(argc, argv);
    snprintf(name, sizeof name, "domain-kill-%ld", (long)getpid());
    crash_guard(name);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dying_while_making_a_domain),
        cmocka_unit_test(test_dying_while_closing_a_domain),
        cmocka_unit_test(test_dying_while_joining_or_leaving_a_domain_in_use),
        cmocka_unit_test(test_dying_while_reclaiming_the_dead),
        cmocka_unit_test(test_a_reclaim_takes_nothing_from_the_living),
        cmocka_unit_test(test_dying_while_listing),
        cmocka_unit_test(test_dying_while_looking_into_a_domain),
        cmocka_unit_test(test_dying_while_making_an_object_and_while_looking_at_that),
        cmocka_unit_test(test_a_survivor_looks_before_anybody_recovers),
        cmocka_unit_test(test_a_planted_fault_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
