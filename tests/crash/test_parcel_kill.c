/*
 * A process is killed everywhere in sending a message with a queue inside over a connection, and in receiving it. If the
 * message is whole, what it carries is there and works; if nobody can have it any more, what it carried goes, and what kept
 * it on the way.
 *
 * Built twice: here the victim is killed at every n-th instruction; with YOKE_CRASH_POINTS before every shared store, and who
 * recovers from it before every store of its own. And once more for each planted fault of mutants.cmake.
 */
#include "begin.h"
#include "core/connection/parcel.h"
#include "core/domain/allocator.h"
#include "core/domain/directory.h"
#include "core/domain/participant.h"
#include "harness.h"
#include "support/child.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include <yoke/yoke.h>

#ifndef CRASH_MUTANT
#define CRASH_MUTANT 0
#endif

#ifdef YOKE_CRASH_POINTS
#define RUN       crash_run_points
#define AFTER(by) by
#else
#define RUN       crash_run
#define AFTER(by) NULL /* a second process killed for each of so many would take minutes */
#endif

static struct {
    yoke_domain *domain;
    yoke_conn   *a, *b;
    yoke_queue  *queue; /* the sender's */
    bool         sent;  /* the message is on its way when the victim enters */
    uint64_t     blocks;
} now;

static void must(int code)
{
    if (code < 0)
        abort();
}

static void make_queue(void)
{
    must(yoke_queue_create(&now.queue, NULL));
    must(yoke_queue_put_string(now.queue, "inside", YOKE_NOWAIT));
}

static void send_queue(void)
{
    must(yoke_conn_send_variant(now.a, YOKE_ARGS(7, now.queue), YOKE_NOWAIT));
}

static uint64_t blocks(void)
{
    yoke__alloc_stats stats;

    if (yoke__alloc_check(now.domain, &stats) < 0)
        return UINT64_MAX;
    return stats.token_blocks + stats.object_blocks;
}

/* ---- the victim -------------------------------------------------------------------------------------------------- */

static void set_up(void *context)
{
    (void)context;
    must(yoke__domain_default(&now.domain));
    make_queue(); /* the directory has room for all of it from here on */
    yoke_queue_close(now.queue);
    now.blocks = blocks();
    must(yoke_pipe_create(&now.a, &now.b, NULL));
    if (!now.sent)
        return;
    make_queue();
    send_queue();
    yoke_queue_close(now.queue);
}

/* Its loop is made, by a pipe of its own. */
static void enter(void *context)
{
    yoke_conn *one, *other;
    char       text[8];

    (void)context;
    must(yoke_pipe_create(&one, &other, NULL));
    must(yoke_conn_send_string(one, "x", YOKE_FOREVER));
    must(yoke_conn_recv_string(other, text, sizeof text, YOKE_FOREVER));
    if (!yoke__domain_token(now.domain))
        abort();
    if (!now.sent)
        make_queue(); /* the victim's: nobody else keeps it alive */
}

static void send_it(void *context)
{
    (void)context;
    send_queue();
    yoke_queue_close(now.queue);
}

static void receive_it(void *context)
{
    yoke_variant *got;

    (void)context;
    if (yoke_conn_recv_variant(now.b, &got, YOKE_NOWAIT) == YOKE_OK)
        yoke_variant_free(got);
}

static void enter_recovery(void *context)
{
    (void)context;
    if (!yoke__domain_token(now.domain))
        abort();
}

#ifdef YOKE_CRASH_POINTS
static void recover(void *context)
{
    (void)context;
    (void)yoke__domain_recover(now.domain);
    yoke__parcels_look();
}
#endif

/* ---- the survivor ------------------------------------------------------------------------------------------------ */

static const char *check_received(void)
{
    yoke_variant *got;
    char          text[8];
    int           rc = yoke_conn_recv_variant(now.b, &got, YOKE_NOWAIT);

    if (rc == YOKE_ETIMEDOUT)
        return NULL;
    if (rc < 0)
        return "a message has come, and its queue can't be had";
    rc = yoke_queue_get_string(yoke_variant_queue(yoke_variant_at(got, 1)), text, sizeof text, YOKE_NOWAIT);
    yoke_variant_free(got);
    return rc == YOKE_OK && strcmp(text, "inside") == 0 ? NULL : "the queue that has come is another";
}

static bool count_object(void *user, const yoke_object_info *info)
{
    *(int *)user += strcmp(info->kind, "queue") == 0 || strcmp(info->kind, "parcel") == 0;
    return true;
}

static const char *verify(void *context)
{
    int count = 0;

    (void)context;
    (void)yoke__domain_recover(now.domain);
    const char *wrong = check_received();
    yoke_conn_close(now.a);
    yoke_conn_close(now.b);
    now.a = now.b = NULL;
    if (wrong)
        return wrong;
    must(yoke_domain_inspect(NULL, YOKE_OPTIONS(yoke_domain_visitor, .object = count_object), &count));
    if (count > 0)
        return "a queue or a parcel is left";
    if (blocks() > now.blocks)
        return "blocks are left";
    return yoke__directory_check(now.domain) == YOKE_OK ? NULL : "the directory is out of order";
}

static void tear_down(void *context)
{
    (void)context;
    yoke_conn_close(now.a);
    yoke_conn_close(now.b);
}

/* ---- cases ------------------------------------------------------------------------------------------------------- */

static int faults_expected_found;

static void run(const char *name, bool sent, void (*operation)(void *context))
{
    crash_case   test = {.name = name,
                         .set_up = set_up,
                         .enter = enter,
                         .operation = operation,
                         .enter_recovery = enter_recovery,
                         .recover = AFTER(recover),
                         .second_stride = 7,
                         .verify = verify,
                         .tear_down = tear_down,
                         .expect_fault = CRASH_MUTANT};
    crash_result result = {0};

    now.sent = sent;
    if (CRASH_MUTANT && crash_is_left_out(&test))
        return;
    assert_true(RUN(&test, &result));
    faults_expected_found += result.faults > 0;
    if (!CRASH_MUTANT && result.faults > 0)
        print_error("%s\n", result.first);
    if (!CRASH_MUTANT)
        assert_int_equal(0, result.faults);
}

static void a_send_with_a_queue_inside(void **state)
{
    (void)state;
    run("send_variant, queue", false, send_it);
}

static void a_receipt_with_a_queue_inside(void **state)
{
    (void)state;
    run("recv_variant, queue", true, receive_it);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_send_with_a_queue_inside),
        cmocka_unit_test(a_receipt_with_a_queue_inside),
    };

    crash_begin(argc, argv);
    int failures = cmocka_run_group_tests_name("handles over a connection, killed", tests, NULL, NULL);
    return CRASH_MUTANT ? failures == 0 && faults_expected_found == 0 : failures;
}
