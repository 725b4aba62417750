/*
 * A process is killed everywhere in putting and getting a message with a handle inside, a lock or a queue, and in
 * discarding it. What a message carries lives as long as the message, and goes after it.
 */
#include "core/domain/object.h"
#include "core/domain/participant.h"
#include "queue_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* What a case does; the rest is the fixture's. */
typedef struct carry_case {
    const char *name;
    bool        queue;  /* a queue travels, else a lock */
    bool        before; /* the message stands in the queue when the victim enters; its sender's handle is closed */
    bool        joinable;
    void (*operation)(void *context);
} carry_case;

static const carry_case *now;
static void             *cargo; /* the sender's handle */

static void must(int code)
{
    if (code != YOKE_OK)
        abort();
}

static void make_cargo(yoke_domain *domain)
{
    if (now->queue)
        must(yoke_queue_create((yoke_queue **)&cargo, YOKE_OPTIONS(yoke_queue_options, .domain = domain,
                                                                   .name = "cargo", .mode = YOKE_CREATE)));
    else
        must(yoke_lock_create((yoke_lock **)&cargo,
                              YOKE_OPTIONS(yoke_lock_options, .domain = domain, .name = "cargo", .mode = YOKE_CREATE)));
}

static void close_cargo(void)
{
    if (now->queue)
        yoke_queue_close((yoke_queue *)cargo);
    else
        yoke_lock_close((yoke_lock *)cargo);
}

static bool cargo_lives(yoke_domain *domain)
{
    yoke_queue *queue;
    yoke_lock  *lock;

    if (now->queue && yoke_queue_open(&queue, domain, "cargo") == YOKE_OK) {
        yoke_queue_close(queue);
        return true;
    }
    if (!now->queue && yoke_lock_open(&lock, domain, "cargo") == YOKE_OK) {
        yoke_lock_close(lock);
        return true;
    }
    return false;
}

static int put_cargo(queue_fixture *f)
{
    if (now->queue)
        return yoke_queue_put_variant(f->queue, YOKE_ARGS(7, (yoke_queue *)cargo), YOKE_NOWAIT);
    return yoke_queue_put_variant(f->queue, YOKE_ARGS(7, (yoke_lock *)cargo), YOKE_NOWAIT);
}

/* ---- the victim -------------------------------------------------------------------------------------------------- */

/* The cargo is made once the blocks of an empty domain are counted. */
static void set_up(void *context)
{
    queue_fixture *f = context;

    queue_set_up(f);
    make_cargo(f->domain); /* the directory's memory for names is made by now */
    close_cargo();
    yoke_queue_close(f->queue);
    f->blocks = queue_blocks(f->domain);
    must(
        yoke_queue_create(&f->queue, YOKE_OPTIONS(yoke_queue_options, .domain = f->domain, .joinable = now->joinable)));
    if (!now->before)
        return;
    make_cargo(f->domain);
    must(put_cargo(f));
    close_cargo();
}

static void enter(void *context)
{
    queue_fixture *f = context;

    if (yoke_queue_size(f->queue) != (now->before ? 1 : 0))
        abort();
    if (!now->before)
        make_cargo(f->domain); /* the victim's: nobody else keeps it alive */
}

static void put(void *context)
{
    queue_fixture *f = context;

    must(put_cargo(f));
    f->seen->ended = true;
}

static void get(void *context)
{
    queue_fixture *f = context;
    yoke_variant  *variant;

    must(yoke_queue_get_variant(f->queue, &variant, YOKE_NOWAIT));
    yoke_variant_free(variant);
    f->seen->ended = true;
}

static void get_done(void *context)
{
    queue_fixture *f = context;
    yoke_variant  *variant;

    must(yoke_queue_get_variant(f->queue, &variant, YOKE_NOWAIT));
    yoke_variant_free(variant); /* the message still carries it */
    must(yoke_queue_task_done(f->queue));
    f->seen->ended = true;
}

static void discard(void *context)
{
    queue_fixture *f = context;

    if (yoke_queue_shutdown(f->queue, YOKE_IMMEDIATE) < 0)
        abort();
    f->seen->ended = true;
}

static void close_queue(void *context)
{
    queue_fixture *f = context;

    yoke_queue_close(f->queue);
    f->seen->ended = true;
}

/* ---- what must hold ---------------------------------------------------------------------------------------------- */

static const char *take(queue_fixture *f)
{
    yoke_variant *variant;
    const char   *wrong = NULL;

    if (yoke_queue_get_variant(f->queue, &variant, YOKE_NOWAIT) != YOKE_OK)
        return "the message can't be taken";
    if (now->queue ? !yoke_variant_queue(yoke_variant_at(variant, 1)) : !yoke_variant_lock(yoke_variant_at(variant, 1)))
        wrong = "the message came without what it carried";
    if (!wrong && now->joinable && yoke_queue_task_done(f->queue) != YOKE_OK)
        wrong = "it can't be done";
    yoke_variant_free(variant);
    return wrong;
}

static const char *verify(void *context)
{
    queue_fixture *f = context;
    const char    *wrong = NULL;
    bool           there;

    queue_recover(context);
    if (queue_blocks(f->domain) == UINT64_MAX)
        return "the heap is out of order";
    if (yoke_queue_size(f->queue) > 1)
        return "the message is there twice";
    (void)!yoke_queue_get(f->queue, NULL, 0, NULL, YOKE_NOWAIT); /* goes on with discarding, if that was begun */
    there = yoke_queue_size(f->queue) == 1;
    if (!there && (now->operation == put ? f->seen->ended : now->operation == close_queue))
        return "the message is lost";
    if (there != cargo_lives(f->domain))
        return there ? "what a message carries is gone before it" : "what a message carried outlives it";
    if (there && now->operation == close_queue)
        yoke_queue_close(f->queue); /* with the message in it */
    else if (there)
        wrong = take(f);
    if (!wrong && cargo_lives(f->domain))
        return "what a message carried is not gone with it";
    if (wrong)
        return wrong;
    if (!there || now->operation != close_queue)
        yoke_queue_close(f->queue);
    f->queue = NULL;
    if (queue_blocks(f->domain) > f->blocks)
        return "blocks are left";
    return yoke__directory_check(f->domain) == YOKE_OK ? NULL : "the directory is out of order";
}

static void run(const carry_case *test)
{
    static const queue_case plain = {.sizes = {64}};

    now = test;
    queue_now.test = &plain;
    queue_crash_case(((crash_case){.name = test->name,
                                   .set_up = set_up,
                                   .enter = enter,
                                   .operation = test->operation,
                                   .verify = verify,
                                   .tear_down = queue_tear_down}));
}

static void a_put_with_a_handle_inside(void **state)
{
    (void)state;
    run(&(carry_case){.name = "put_variant, lock", .operation = put});
    run(&(carry_case){.name = "put_variant, queue", .queue = true, .operation = put});
}

static void a_get_with_a_handle_inside(void **state)
{
    (void)state;
    run(&(carry_case){.name = "get_variant, lock", .before = true, .operation = get});
    run(&(carry_case){.name = "get_variant, queue", .queue = true, .before = true, .operation = get});
    run(&(carry_case){.name = "joinable get_variant", .joinable = true, .before = true, .operation = get_done});
}

static void a_discard_of_a_handle(void **state)
{
    (void)state;
    run(&(carry_case){.name = "shutdown, carrying", .before = true, .operation = discard});
    run(&(carry_case){.name = "shutdown, carrying a queue", .queue = true, .before = true, .operation = discard});
}

static void a_close_of_a_queue_that_carries(void **state)
{
    (void)state;
    run(&(carry_case){.name = "close, carrying", .before = true, .operation = close_queue});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_put_with_a_handle_inside),
        cmocka_unit_test(a_get_with_a_handle_inside),
        cmocka_unit_test(a_discard_of_a_handle),
        cmocka_unit_test(a_close_of_a_queue_that_carries),
    };
    return queue_crash_main("queue, killed carrying", tests);
}
