/*
 * Participants, objects, handles and recovery, killed at every point: survivors' recovery completes, nothing leaks, counts
 * are what the tables say, and no token of the dead is left.
 *
 * Built twice: here the victim is killed at every n-th instruction; with YOKE_CRASH_POINTS before every shared store, and
 * a recovering process again before every store of its own.
 */
#include "begin.h"
#include "guard.h"
#include "harness.h"

#include "core/backend.h"
#include "core/domain/allocator.h"
#include "core/domain/directory.h"
#include "core/domain/participant.h"
#include "core/domain/watch.h"
#include "core/sync/owner_word.h"
#include "support/box.h"
#include "support/child.h"
#include "support/leak.h"
#include "support/shared.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Sanitizers make a fork a hundred times dearer. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SPARSER 7u
#else
#define SPARSER 1u
#endif

#ifdef YOKE_CRASH_POINTS
#define RUN       crash_run_points
#define STRIDE(n) SPARSER
#define SECOND(n) ((n)*SPARSER)
#define RECOVER   recover
#else
#define RUN       crash_run
#define STRIDE(n) ((n)*SPARSER)
#define SECOND(n) 1u
#define RECOVER   NULL /* recovering is an operation of its own here */
#endif

static struct {
    yoke_domain  *domain;
    yoke__handle *shared, *carrier, *named, *victims[80];
    yoke__id      id;
    uint64_t      blocks; /* in use before */
    bool          sabotage;
} now;

static uint64_t blocks_in_use(const char **wrong)
{
    yoke__alloc_stats stats = {0};

    if (yoke__alloc_check(now.domain, &stats) != YOKE_OK)
        *wrong = yoke_last_error()->text;
    return stats.token_blocks + stats.object_blocks;
}

static void must(int code)
{
    if (code != YOKE_OK) {
        fprintf(stderr, "%s: %s\n", yoke_error_name(code), yoke_last_error()->text);
        abort();
    }
}

static void set_up(void *context)
{
    const char *wrong = NULL;

    (void)context;
    must(box_create(&now.shared, now.domain, NULL, YOKE_CREATE));
    must(box_create(&now.carrier, now.domain, NULL, YOKE_CREATE));
    must(box_create(&now.named, now.domain, "standing", YOKE_CREATE));
    now.id = now.shared->id;
    now.blocks = blocks_in_use(&wrong);
    if (wrong)
        abort();
}

static void tear_down(void *context)
{
    (void)context;
    box_close(now.shared);
    box_close(now.carrier);
    box_close(now.named);
}

static const char *token_left(void)
{
    yoke__header *header = yoke__domain_header(now.domain);

    for (uint32_t i = 0; i < yoke__slot_bound(now.domain); i++) {
        uint64_t word = yoke__a64_load_acquire(&now.domain->layout->participants[i].word);
        if (i != yoke__token_slot(yoke__domain_token(now.domain)) && yoke__slot_state_of(word) != YOKE__SLOT_FREE)
            return "a slot of the dead is not free";
    }
    if (yoke__a32_load_acquire(&header->registry) || yoke__a32_load_acquire(&header->allocator))
        return "a lock of the domain is held";
    for (uint32_t i = 0; i < YOKE__THREADS; i++) {
        uint32_t owner = yoke__a32_load_acquire(&now.domain->layout->threads[i].owner);
        if (owner && owner != yoke__domain_token(now.domain))
            return "a thread record of the dead is not free";
    }
    if (now.shared && yoke__a32_load_acquire(&box_of(now.shared)->owner))
        return "the dead still own a lock";
    return NULL;
}

/* Survivors go on: by name, by id, and with new objects. */
static const char *usable(void)
{
    yoke__handle *handle = NULL;

    if (box_create(&handle, now.domain, "standing", YOKE_OPEN) != YOKE_OK || handle->id != now.named->id)
        return "a named object is not found";
    box_close(handle);
    if (yoke__handle_open(&handle, now.domain, BOX_KIND, now.id) != YOKE_OK)
        return "an object held by a survivor is gone";
    box_close(handle);
    if (box_create(&handle, now.domain, "victim", YOKE_OPEN) == YOKE_OK)
        return "an object that only the dead had is still there";
    if (box_create(&handle, now.domain, "victim", YOKE_CREATE) != YOKE_OK)
        return "a name that only the dead had can't be used again";
    box_close(handle);
    return NULL;
}

static const char *verify(void *context)
{
    const char *wrong = NULL;

    (void)context;
    yoke__domain_recover(now.domain);
    /* In flight in a carrier that stands. */
    for (unsigned i = 0; i < BOX_SLOTS; i++)
        if (yoke__a64_load_acquire(&box_of(now.carrier)->ids[i]))
            box_take(now.carrier, i);
    wrong = token_left();
    if (!wrong && yoke__directory_check(now.domain) != YOKE_OK)
        wrong = yoke_last_error()->text;
    uint64_t blocks = blocks_in_use(&wrong);
    if (!wrong && blocks != now.blocks) {
        static char text[64];
        (void)snprintf(text, sizeof text, "%llu blocks in use, not %llu", (unsigned long long)blocks,
                       (unsigned long long)now.blocks);
        wrong = text;
    }
    return wrong ? wrong : usable();
}

static void recover(void *context)
{
    (void)context;
    (void)yoke__domain_recover(now.domain);
}

/* ---- what victims do -------------------------------------------------------------------------------------------------- */

static void enter_joined(void *context)
{
    (void)context;
    (void)yoke__domain_token(now.domain);
    yoke__watch_clear();
}

static void join(void *context)
{
    (void)context;
    (void)yoke__domain_join(now.domain); /* renews what was inherited, too */
}

static void create(void *context)
{
    (void)context;
    must(box_create(&now.victims[0], now.domain, NULL, YOKE_CREATE));
}

static void create_named(void *context)
{
    (void)context;
    must(box_create(&now.victims[0], now.domain, "victim", YOKE_OPEN_OR_CREATE));
    must(box_create(&now.victims[1], now.domain, "standing", YOKE_OPEN_OR_CREATE));
}

static void open_and_close(void *context)
{
    (void)context;
    must(yoke__handle_open(&now.victims[0], now.domain, BOX_KIND, now.id));
    box_close(now.victims[0]);
}

static void enter_created(void *context)
{
    enter_joined(context);
    create_named(context);
    must(box_create(&now.victims[2], now.domain, NULL, YOKE_CREATE));
    must(box_put(now.victims[0], 0, now.victims[2]->id));
    must(box_put(now.victims[0], 1, now.id));
    box_close(now.victims[2]);
    yoke__a32_store_release(&box_of(now.shared)->owner, yoke__domain_token(now.domain));
}

static void close_last(void *context)
{
    (void)context;
    box_close(now.victims[0]); /* and what it carries */
}

static void leave(void *context)
{
    (void)context;
    yoke__domain_leave(now.domain);
}

static void enter_full_table(void *context)
{
    enter_joined(context);
    for (int i = 0; i < 61; i++) /* 3 are inherited */
        must(yoke__handle_open(&now.victims[i], now.domain, BOX_KIND, now.id));
}

static void send(void *context)
{
    (void)context;
    must(box_create(&now.victims[0], now.domain, NULL, YOKE_CREATE));
    must(box_put(now.carrier, 0, now.victims[0]->id));
    box_close(now.victims[0]);
}

static void receive(void *context)
{
    (void)context;
    yoke__id id = yoke__a64_load_acquire(&box_of(now.carrier)->ids[0]);
    must(yoke__handle_open(&now.victims[0], now.domain, BOX_KIND, id));
    box_take(now.carrier, 0);
    box_close(now.victims[0]);
}

static void enter_received(void *context)
{
    enter_joined(context);
    send(context);
}

/* ---- the dead that others recover ------------------------------------------------------------------------------------- */

static int live_and_die(void *user)
{
    enter_created(NULL);
    if (user) {
        yoke__registry_acquire(now.domain);
        yoke__a32_store_release(&yoke__domain_header(now.domain)->directory_free, 0);
    }
    (void)kill(getpid(), SIGKILL);
    return 0;
}

static void set_up_dead(void *context)
{
    set_up(context);
    (void)child_join(child_start(live_and_die, context));
    (void)child_join(child_start(live_and_die, NULL)); /* "victim" is the first one's: it has references in the dead */
}

/* ---- the first object of a domain -------------------------------------------------------------------------------------- */

static void set_up_new_domain(void *context)
{
    char name[YOKE__NAME_SIZE];

    (void)context;
    now.shared = NULL;
    (void)snprintf(name, sizeof name, "object-kill-%d", getpid());
    must(yoke_domain_open(&now.domain, name, YOKE_OPTIONS(yoke_domain_options, .mode = YOKE_CREATE)));
}

static const char *verify_new_domain(void *context)
{
    const char   *wrong = NULL;
    yoke__handle *handle = NULL;

    (void)context;
    yoke__domain_recover(now.domain);
    wrong = token_left();
    if (!wrong && yoke__directory_check(now.domain) != YOKE_OK)
        wrong = yoke_last_error()->text;
    if (!wrong && box_create(&handle, now.domain, NULL, YOKE_CREATE) != YOKE_OK)
        wrong = yoke_last_error()->text;
    box_close(handle);
    uint64_t blocks = blocks_in_use(&wrong);
    if (!wrong && blocks != 3) /* first chunk of the directory, its root, this process's table */
        wrong = "blocks of the directory leaked";
    return wrong;
}

static void tear_down_new_domain(void *context)
{
    (void)context;
    yoke_domain_close(now.domain);
    now.domain = shared_domain();
}

static void killed_while_making_the_first_object(void **state)
{
    (void)state;
    const crash_case test = {.name = "first object of a domain",
                             .set_up = set_up_new_domain,
                             .enter = enter_joined,
                             .operation = create,
                             .recover = RECOVER,
                             .verify = verify_new_domain,
                             .tear_down = tear_down_new_domain,
                             .stride = STRIDE(97u),
                             .second_stride = SECOND(97u)};
    crash_result     result;

    assert_true(RUN(&test, &result));
    if (result.faults)
        fail_msg("%s", result.first);
}

/* ---- a fault is planted, to see that it is found ---------------------------------------------------------------------- */

static void leak_on_death(void *context)
{
    (void)context;
    yoke__registry_acquire(now.domain);
    yoke__entry *entry = yoke__entry_live(now.domain, now.id);
    yoke__a32_add_acq_rel(&entry->count, 1);
    yoke__registry_release(now.domain); /* a count without a reference: a death after this leaves it so */
}

static void run(const char *name, void (*set)(void *), void (*enter)(void *), void (*operation)(void *), void *context,
                unsigned stride)
{
    (void)stride;
    const crash_case test = {.name = name,
                             .set_up = set,
                             .enter = enter,
                             .operation = operation,
                             .recover = RECOVER,
                             .verify = verify,
                             .tear_down = tear_down,
                             .context = context,
                             .stride = STRIDE(stride),
                             .second_stride = SECOND(97u)};
    crash_result     result;

    if (!RUN(&test, &result))
        fail_msg("%s: %s", name, result.first);
    if (result.faults)
        fail_msg("%s: %llu faults, the first: %s", name, (unsigned long long)result.faults, result.first);
}

static void killed_while_joining(void **state)
{
    (void)state;
    run("join", set_up, NULL, join, NULL, 173);
}

static void killed_while_creating(void **state)
{
    (void)state;
    run("create", set_up, enter_joined, create, NULL, 37);
    run("create by name", set_up, enter_joined, create_named, NULL, 67);
}

static void killed_while_opening_and_closing(void **state)
{
    (void)state;
    run("open and close", set_up, enter_joined, open_and_close, NULL, 29);
    run("open with a full table", set_up, enter_full_table, open_and_close, NULL, 41);
    run("close the last handle", set_up, enter_created, close_last, NULL, 67);
}

static void killed_while_leaving(void **state)
{
    (void)state;
    run("leave", set_up, enter_created, leave, NULL, 487);
}

static void killed_with_references_in_flight(void **state)
{
    (void)state;
    run("send", set_up, enter_joined, send, NULL, 71);
    run("receive", set_up, enter_received, receive, NULL, 53);
}

static void killed_while_recovering(void **state)
{
    (void)state;
    static int dirty;

    run("recover", set_up_dead, enter_joined, recover, NULL, 2503);
    run("recover a dead holder", set_up_dead, enter_joined, recover, &dirty, 2503);
}

static void a_planted_fault_is_found(void **state)
{
    (void)state;
    const crash_case test = {.name = "planted",
                             .set_up = set_up,
                             .enter = enter_joined,
                             .operation = leak_on_death,
                             .verify = verify,
                             .tear_down = tear_down,
                             .stride = STRIDE(11u),
                             .expect_fault = true};
    crash_result     result;

    assert_true(RUN(&test, &result));
    assert_int_not_equal(result.faults, 0);
    /* It would spoil what follows. */
    yoke__registry_acquire(now.domain);
    yoke__directory_rebuild(now.domain);
    yoke__directory_collect(now.domain);
    yoke__registry_release(now.domain);
}

static int group_setup(void **state)
{
    box_install();
    int result = shared_setup(state);

    now.domain = shared_domain();
    set_up(NULL); /* directory and tables stand from here on */
    tear_down(NULL);
    return result;
}

static int group_teardown(void **state)
{
    box_remove();
    yoke__watch_clear();
    return leak_teardown(state);
}

int main(int argc, char **argv)
{
    char name[YOKE__NAME_SIZE];

    crash_begin(argc, argv);
    (void)snprintf(name, sizeof name, "object-kill-%d", getpid());
    crash_guard(name);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_while_joining),
        cmocka_unit_test(killed_while_creating),
        cmocka_unit_test(killed_while_opening_and_closing),
        cmocka_unit_test(killed_while_leaving),
        cmocka_unit_test(killed_with_references_in_flight),
        cmocka_unit_test(killed_while_recovering),
        cmocka_unit_test(killed_while_making_the_first_object),
        cmocka_unit_test(a_planted_fault_is_found),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
