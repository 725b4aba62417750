/*
 * A process is killed at every instruction of what readers and writers of a read-write lock do, and of what the owner of a
 * recursive lock does, while others sleep in the lock; recovery is killed again. The sleepers get it within three slices
 * though nobody helps, shares come back, a writer's death inside is told of until it is repaired, and no other is.
 */
#include "begin.h"
#include "core/domain/participant.h"
#include "core/sync/rlock.h"
#include "core/sync/rwlock.h"
#include "harness.h"
#include "support/child.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <yoke/yoke.h>

#ifndef CRASH_MUTANT
#define CRASH_MUTANT 0 /* 1, 2, 3: built with a planted fault that is to be found */
#endif

#define PATIENCE 20000 /* ms that a machine may take to run a sleeper at all */

typedef struct board {
    _Atomic int go;         /* sleepers may come */
    _Atomic int inside;     /* 1: the victim may be inside as a writer, 2: and may have repaired */
    _Atomic int results[2]; /* of the sleepers: + 100 */
} board;

enum { READER, WRITER };

typedef struct fixture {
    yoke_domain *domain;
    yoke_rwlock *rwlock;
    yoke_rlock  *rlock;
    board       *board;
    bool         recursive;    /* it is about the recursive lock */
    bool         sleepers;     /* a reader and a writer come when the victim has it; of a recursive lock, two owners */
    bool         writer_first; /* one writer died inside before the victim came */
    bool         reader_first; /* one reader did */
    bool         shared;       /* the calling process shares it meanwhile */
    pid_t        pids[2];
    int          patience;
} fixture;

static fixture now;

/* ---- the others -------------------------------------------------------------------------------------------------- */

static int sleep_in_it(fixture *f, int which)
{
    while (!f->board->go)
        (void)usleep(200);
    int result;
    if (f->recursive)
        result = yoke_rlock_acquire(f->rlock, YOKE_FOREVER);
    else if (which == READER)
        result = yoke_rwlock_acquire_shared(f->rwlock, YOKE_FOREVER);
    else
        result = yoke_rwlock_acquire_exclusive(f->rwlock, YOKE_FOREVER);
    f->board->results[which] = result + 100;
    if (result < 0)
        return 1;
    if (f->recursive)
        return yoke_rlock_release(f->rlock) == YOKE_OK ? 0 : 1;
    return (which == READER ? yoke_rwlock_release_shared : yoke_rwlock_release_exclusive)(f->rwlock) == YOKE_OK ? 0 : 1;
}

static int sleep_to_read(void *user)
{
    return sleep_in_it(user, READER);
}

static int sleep_to_write(void *user)
{
    return sleep_in_it(user, WRITER);
}

static int die_writing(void *user)
{
    fixture *f = user;

    if (f->recursive ? yoke_rlock_acquire(f->rlock, YOKE_NOWAIT)
                     : yoke_rwlock_acquire_exclusive(f->rwlock, YOKE_NOWAIT))
        return 1;
    (void)raise(SIGKILL);
    return 1;
}

static int die_reading(void *user)
{
    if (yoke_rwlock_acquire_shared(((fixture *)user)->rwlock, YOKE_NOWAIT) != YOKE_OK)
        return 1;
    (void)raise(SIGKILL);
    return 1;
}

/* ---- each trial -------------------------------------------------------------------------------------------------- */

static void set_up(void *context)
{
    fixture *f = context;
    char     name[64];

    (void)snprintf(name, sizeof name, "rwlock-kill-%ld", (long)getpid());
    assert_int_equal(yoke_domain_open(&f->domain, name, NULL), YOKE_OK);
    crash_hide(f->domain);
    assert_int_equal(yoke_rwlock_create(&f->rwlock, YOKE_OPTIONS(yoke_rwlock_options, .domain = f->domain,
                                                                 .max_readers = 4, .detect_deadlock = true)),
                     YOKE_OK);
    assert_int_equal(
        yoke_rlock_create(&f->rlock, YOKE_OPTIONS(yoke_rlock_options, .domain = f->domain, .detect_deadlock = true)),
        YOKE_OK);
    memset(f->board, 0, sizeof *f->board);
    if (f->writer_first)
        assert_int_equal(child_join(child_start(die_writing, f)), 1000 + SIGKILL);
    if (f->reader_first)
        assert_int_equal(child_join(child_start(die_reading, f)), 1000 + SIGKILL);
    if (f->shared)
        assert_int_equal(yoke_rwlock_acquire_shared(f->rwlock, YOKE_NOWAIT), YOKE_OK);
    for (int i = 0; f->sleepers && i < 2; i++)
        f->pids[i] = child_start(i == READER ? sleep_to_read : sleep_to_write, f);
}

static void tear_down(void *context)
{
    fixture *f = context;

    yoke_rwlock_close(f->rwlock);
    yoke_rlock_close(f->rlock);
    yoke_domain_close(f->domain);
}

static void enter(void *context)
{
    if (!yoke__domain_token(((fixture *)context)->domain))
        abort();
}

/* first: whose turn it is to sleep; a reader beside a reader would not. */
static void until_they_sleep(fixture *f, int first)
{
    f->board->go = 1;
    for (int i = first; f->sleepers && i < 2; i++)
        if (!sleeps(f->pids[i]))
            abort();
}

static void enter_writing(void *context)
{
    fixture *f = context;

    enter(context);
    if ((f->recursive ? yoke_rlock_acquire(f->rlock, YOKE_FOREVER)
                      : yoke_rwlock_acquire_exclusive(f->rwlock, YOKE_FOREVER)) < 0)
        abort();
    f->board->inside = 1;
    until_they_sleep(f, READER);
}

static void enter_reading(void *context)
{
    fixture *f = context;

    enter(context);
    if (yoke_rwlock_acquire_shared(f->rwlock, YOKE_FOREVER) < 0)
        abort();
    until_they_sleep(f, WRITER);
}

static const char *verify_sleepers(fixture *f)
{
    long long until = milliseconds() + f->patience;

    for (int i = 0; i < 2; i++) {
        while (waitpid(f->pids[i], NULL, WNOHANG) != f->pids[i]) {
            if (milliseconds() < until) {
                (void)usleep(1000);
                continue;
            }
            for (; i < 2; i++)
                child_kill(f->pids[i]);
            return "a sleeper hangs";
        }
        if (f->board->results[i] < 100)
            return "a sleeper did not get it";
    }
    return NULL;
}

static const char *verify_recursive(fixture *f)
{
    int result = yoke_rlock_acquire(f->rlock, f->patience);

    if (result < 0)
        return "the recursive lock can't be acquired";
    if (yoke_rlock_depth(f->rlock) != 1)
        return "the levels of the dead count";
    if (f->writer_first && f->board->inside != 2 && result != YOKE_OWNER_DIED)
        return "a death was forgotten";
    if (yoke_rlock_acquire(f->rlock, YOKE_NOWAIT) != result || yoke_rlock_release(f->rlock) != YOKE_OK)
        return "it is not recursive any more";
    if (yoke_rlock_mark_repaired(f->rlock) != YOKE_OK || yoke_rlock_release(f->rlock) != YOKE_OK)
        return "it can't be repaired and released";
    if (yoke_rlock_acquire(f->rlock, YOKE_NOWAIT) != YOKE_OK || yoke_rlock_release(f->rlock) != YOKE_OK)
        return "it does not go on";
    return NULL;
}

static const char *verify_both_ways(fixture *f)
{
    yoke_death death = {.struct_size = sizeof death};
    int        result = yoke_rwlock_acquire_shared(f->rwlock, f->patience);

    if (result < 0)
        return "it can't be shared";
    if (f->writer_first && f->board->inside != 2 && result != YOKE_OWNER_DIED)
        return "a death was forgotten";
    if (!f->writer_first && f->board->inside != 1 && result == YOKE_OWNER_DIED)
        return "a death is told of that changed nothing";
    if (result == YOKE_OWNER_DIED && (yoke_rwlock_death(f->rwlock, &death) != YOKE_OK || death.pid <= 0))
        return "nobody knows who died";
    if (yoke_rwlock_release_shared(f->rwlock) != YOKE_OK)
        return "the share is gone";
    if (yoke_rwlock_acquire_exclusive(f->rwlock, f->patience) != result)
        return "a writer is told something else";
    if (yoke_rwlock_mark_repaired(f->rwlock) != YOKE_OK || yoke_rwlock_downgrade(f->rwlock) != YOKE_OK ||
        yoke_rwlock_release_shared(f->rwlock) != YOKE_OK)
        return "it can't be repaired and released";
    if (yoke_rwlock_readers(f->rwlock) != 0 || yoke_rwlock_locked(f->rwlock))
        return "something is left";
    return NULL;
}

static const char *verify(void *context)
{
    fixture    *f = context;
    const char *wrong = NULL;

    if (f->shared && yoke_rwlock_release_shared(f->rwlock) != YOKE_OK)
        return "the survivor's share is gone";
    f->board->go = 1;
    if (f->sleepers)
        wrong = verify_sleepers(f);
    if (!wrong)
        wrong = f->recursive ? verify_recursive(f) : verify_both_ways(f);
    return wrong;
}

/* ---- operations -------------------------------------------------------------------------------------------------- */

static void share_and_release(void *context)
{
    fixture *f = context;

    if (yoke_rwlock_acquire_shared(f->rwlock, YOKE_NOWAIT) >= 0)
        (void)yoke_rwlock_release_shared(f->rwlock);
}

static void release_shared(void *context)
{
    (void)yoke_rwlock_release_shared(((fixture *)context)->rwlock);
}

static void write_and_release(void *context)
{
    fixture *f = context;

    f->board->inside = 1; /* before it returns it may be */
    if (yoke_rwlock_acquire_exclusive(f->rwlock, YOKE_NOWAIT) >= 0)
        (void)yoke_rwlock_release_exclusive(f->rwlock);
}

static void release_exclusive(void *context)
{
    (void)yoke_rwlock_release_exclusive(((fixture *)context)->rwlock);
}

static void downgrade_and_release(void *context)
{
    fixture *f = context;

    if (yoke_rwlock_downgrade(f->rwlock) == YOKE_OK)
        (void)yoke_rwlock_release_shared(f->rwlock);
}

static void repair(void *context)
{
    fixture *f = context;

    if (yoke_rwlock_acquire_exclusive(f->rwlock, YOKE_NOWAIT) < 0)
        return;
    f->board->inside = 2;
    (void)yoke_rwlock_mark_repaired(f->rwlock);
    (void)yoke_rwlock_release_exclusive(f->rwlock);
}

/* Long enough to be asleep before it is over, stepped as it is. */
static void wait_to_write(void *context)
{
    (void)!yoke_rwlock_acquire_exclusive(((fixture *)context)->rwlock, 60);
}

static void recurse(void *context)
{
    fixture *f = context;

    for (int i = 0; i < 2; i++)
        if (yoke_rlock_acquire(f->rlock, YOKE_NOWAIT) < 0)
            return;
    for (int i = 0; i < 2; i++)
        (void)yoke_rlock_release(f->rlock);
}

static void repair_recursive(void *context)
{
    fixture *f = context;

    if (yoke_rlock_acquire(f->rlock, YOKE_NOWAIT) < 0)
        return;
    f->board->inside = 2;
    (void)yoke_rlock_mark_repaired(f->rlock);
    (void)yoke_rlock_release(f->rlock);
}

static void release_recursive(void *context)
{
    (void)yoke_rlock_release(((fixture *)context)->rlock);
}

static void drop_levels_and_have_them_again(void *context)
{
    fixture *f = context;
    uint32_t levels = 0;

    if (yoke__rlock_release_all(&f->rlock->handle, f->rlock->handle.id, f->rlock->handle.object, &levels) == YOKE_OK)
        (void)yoke__rlock_acquire_levels(&f->rlock->handle, f->rlock->handle.id, f->rlock->handle.object, levels, 0);
}

/* Two looks at who waits for whom, as of one that waits for what it holds, and then the release that others wait for. */
static void look_for_a_deadlock(void *context)
{
    fixture       *f = context;
    yoke__deadlock looks;

    memset(&looks, 0, sizeof looks);
    yoke__wait_begin(f->domain, f->rlock->handle.id);
    for (int i = 0; i < 2; i++) {
        looks.next = 1;
        (void)yoke__deadlock_look(f->domain, &looks);
    }
    yoke__wait_end(f->domain);
    (void)yoke_rlock_release(f->rlock);
}

static void recover(void *context)
{
    (void)yoke__domain_recover(((fixture *)context)->domain);
}

/* ---- runs -------------------------------------------------------------------------------------------------------- */

static void run(fixture how, crash_case test)
{
    crash_result result;

    how.board = now.board;
    how.patience = PATIENCE;
    now = how;
    test.set_up = set_up;
    test.verify = verify;
    test.tear_down = tear_down;
    test.context = &now;
    test.part = 2;
    if (!test.enter)
        test.enter = enter;
    now.patience = CRASH_MUTANT ? 2000 : PATIENCE;
    test.expect_fault = CRASH_MUTANT != 0;
#ifdef YOKE_CRASH_POINTS
    test.enter_recovery = enter;
    test.recover = recover;
    test.second_stride = 131;
    assert_true(crash_run_points(&test, &result));
#else
    assert_true(crash_run(&test, &result));
#endif
    if (CRASH_MUTANT)
        assert_true(result.faults > 0);
    else if (result.faults)
        fail_msg("%s: %s", test.name, result.first);
}

static void test_readers(void **state)
{
    (void)state;
    run((fixture){.recursive = false}, (crash_case){.name = "share, release", .operation = share_and_release});
    run((fixture){.sleepers = true},
        (crash_case){.name = "release a share, two asleep", .enter = enter_reading, .operation = release_shared});
    run((fixture){.writer_first = true},
        (crash_case){.name = "take over from a writer, share", .operation = share_and_release});
    run((fixture){.reader_first = true},
        (crash_case){.name = "share beside a dead one", .operation = share_and_release});
}

static void test_writers(void **state)
{
    (void)state;
    run((fixture){.recursive = false}, (crash_case){.name = "write, release", .operation = write_and_release});
    run((fixture){.sleepers = true},
        (crash_case){.name = "release, two asleep", .enter = enter_writing, .operation = release_exclusive});
    run((fixture){.sleepers = true},
        (crash_case){.name = "downgrade, two asleep", .enter = enter_writing, .operation = downgrade_and_release});
    run((fixture){.shared = true}, (crash_case){.name = "wait for readers", .operation = wait_to_write});
    run((fixture){.writer_first = true}, (crash_case){.name = "take over, repair", .operation = repair});
    run((fixture){.reader_first = true},
        (crash_case){.name = "write after a dead reader", .operation = write_and_release});
}

static void test_recovery(void **state)
{
    (void)state;
    run((fixture){.writer_first = true}, (crash_case){.name = "sweep of a writer", .operation = recover});
    run((fixture){.reader_first = true}, (crash_case){.name = "sweep of a reader", .operation = recover});
}

static void test_recursive(void **state)
{
    (void)state;
    run((fixture){.recursive = true}, (crash_case){.name = "recursive: two levels", .operation = recurse});
    run((fixture){.recursive = true, .sleepers = true},
        (crash_case){.name = "recursive: release", .enter = enter_writing, .operation = release_recursive});
    run((fixture){.recursive = true, .sleepers = true}, (crash_case){.name = "recursive: all levels",
                                                                     .enter = enter_writing,
                                                                     .operation = drop_levels_and_have_them_again});
    run((fixture){.recursive = true, .sleepers = true},
        (crash_case){.name = "deadlock: looks", .enter = enter_writing, .operation = look_for_a_deadlock});
    run((fixture){.recursive = true, .writer_first = true},
        (crash_case){.name = "recursive: take over", .operation = recurse});
    run((fixture){.recursive = true, .writer_first = true},
        (crash_case){.name = "recursive: repair", .operation = repair_recursive});
}
static void test_the_fault_is_found(void **state)
{
    (void)state;
    if (CRASH_MUTANT == 1) /* of deaths inside and not inside */
        run((fixture){.shared = true}, (crash_case){.name = "(wait for readers)", .operation = wait_to_write});
    else if (CRASH_MUTANT == 2) /* of dead readers */
        run((fixture){.reader_first = true},
            (crash_case){.name = "(after a dead reader)", .operation = write_and_release});
    else /* of levels */
        run((fixture){.recursive = true, .writer_first = true}, (crash_case){.name = "(levels)", .operation = recurse});
}

static int make_shared(void **state)
{
    (void)state;
    yoke__spin_set(0); /* a victim is stepped instruction by instruction: spinning would be most of them */
    now.board = mmap(NULL, sizeof *now.board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return now.board == MAP_FAILED ? -1 : 0;
}

int main(int argc, char **argv)
{
    crash_begin(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_readers),
        cmocka_unit_test(test_writers),
        cmocka_unit_test(test_recovery),
        cmocka_unit_test(test_recursive),
    };
    const struct CMUnitTest mutant[] = {cmocka_unit_test(test_the_fault_is_found)};
    if (CRASH_MUTANT)
        return cmocka_run_group_tests_name("rwlock and rlock, with a fault", mutant, make_shared, NULL);
    return cmocka_run_group_tests_name("rwlock and rlock, killed", tests, make_shared, NULL);
}
