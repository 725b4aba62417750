/*
 * What YOKE_ARGS and its kin make, as C and as C++ see it: included by a test in each language, which
 * says what check(condition, line) does.
 */
#ifndef YOKE_TESTS_ARGS_MACRO_H
#define YOKE_TESTS_ARGS_MACRO_H

#include <yoke/args.h>

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Not the condition as text: it is very long when the macros are through. */
#define ok(condition) check((condition) ? 1 : 0, __LINE__)

enum plain_color { RED, GREEN = 7 };
enum signed_color { MINUS = -1, PLUS };

static size_t count_of(const yoke_item *list)
{
    return list->size;
}

static const yoke_item *at(const yoke_item *list, size_t index)
{
    return (const yoke_item *)list->as.p + index;
}

static uint32_t kind_at(const yoke_item *list, size_t index)
{
    return at(list, index)->kind;
}

static int calls_made;
static int call(void)
{
    return ++calls_made;
}

static void none_and_one(void)
{
    ok(count_of(YOKE_ARGS()) == 0);
    ok(YOKE_ARGS()->kind == YOKE_LIST_KIND);
    ok(count_of(YOKE_ARGS(1)) == 1);
    ok(count_of(YOKE_ARGS((1))) == 1);
    ok(count_of(YOKE_ARGS((int)3)) == 1);
    ok(at(YOKE_ARGS((int)3), 0)->as.i == 3);
    ok(YOKE_VALUE_OF(5)->kind == YOKE_INT && YOKE_VALUE_OF(5)->as.i == 5);
}

static void thirty_two(void)
{
    ok(count_of(YOKE_ARGS(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
                          27, 28, 29, 30, 31, 32)) == 32);
    ok(at(YOKE_ARGS(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27,
                    28, 29, 30, 31, 32),
          31)
           ->as.i == 32);
}

static void every_plain_type(void)
{
    bool               truth = true;
    char               letter = 'c';
    signed char        s8 = -1;
    unsigned char      u8 = 200;
    short              s16 = -2;
    unsigned short     u16 = 3;
    int                s32 = -4;
    unsigned           u32 = 5;
    long               sl = -6;
    unsigned long      ul = 7;
    long long          s64 = INT64_MIN;
    unsigned long long u64 = UINT64_MAX;
    float              f32 = 1.5f;
    double             f64 = -2.5;
    ok(kind_at(YOKE_ARGS(truth), 0) == YOKE_BOOL && at(YOKE_ARGS(truth), 0)->as.u == 1);
    ok(kind_at(YOKE_ARGS(letter, s8, s16, s32, sl, s64), 5) == YOKE_INT);
    ok(at(YOKE_ARGS(letter, s8, s16, s32, sl, s64), 5)->as.i == INT64_MIN);
    ok(at(YOKE_ARGS(letter, s8), 1)->as.i == -1);
    ok(kind_at(YOKE_ARGS(u8, u16, u32, ul, u64), 0) == YOKE_UINT);
    ok(at(YOKE_ARGS(u8, u16, u32, ul, u64), 4)->as.u == UINT64_MAX);
    ok(kind_at(YOKE_ARGS(f32, f64), 0) == YOKE_DOUBLE && at(YOKE_ARGS(f32, f64), 1)->as.d < -2.4);
    ok(at(YOKE_ARGS(sizeof u64, u64 > 3), 0)->as.u == 8);
    ok(at(YOKE_ARGS(RED, GREEN, MINUS, PLUS), 1)->as.u == 7);
    ok(at(YOKE_ARGS(RED, GREEN, MINUS, PLUS), 2)->as.i == -1);
}

static void qualifiers_change_nothing(void)
{
    const int         fixed = 5;
    volatile int      moving = 6;
    char              buffer[64] = "buffer";
    const char        text[] = "text";
    char             *pointer = buffer;
    const char *const last = "x";
    ok(at(YOKE_ARGS(fixed, moving), 1)->as.i == 6);
    ok(kind_at(YOKE_ARGS(buffer, text, pointer, last, "literal"), 0) == YOKE_STRING);
    ok(at(YOKE_ARGS(buffer, text, pointer, last, "literal"), 0)->size == 6);
    ok(at(YOKE_ARGS(buffer, text, pointer, last, "literal"), 4)->size == 7);
}

static void every_handle(void)
{
    yoke_queue           *queue = (yoke_queue *)(void *)&calls_made;
    const yoke_queue     *const_queue = queue;
    yoke_conn            *conn = (yoke_conn *)(void *)&calls_made;
    const yoke_conn      *const_conn = conn;
    yoke_lock            *lock = (yoke_lock *)(void *)&calls_made;
    const yoke_lock      *const_lock = lock;
    yoke_value           *value = (yoke_value *)(void *)&calls_made;
    const yoke_value     *const_value = value;
    yoke_array           *array = (yoke_array *)(void *)&calls_made;
    const yoke_array     *const_array = array;
    yoke_shm             *shm = (yoke_shm *)(void *)&calls_made;
    const yoke_shm       *const_shm = shm;
    yoke_domain          *domain = (yoke_domain *)(void *)&calls_made;
    const yoke_domain    *const_domain = domain;
    yoke_rlock           *rlock = (yoke_rlock *)(void *)&calls_made;
    const yoke_rlock     *const_rlock = rlock;
    yoke_rwlock          *rwlock = (yoke_rwlock *)(void *)&calls_made;
    const yoke_rwlock    *const_rwlock = rwlock;
    yoke_semaphore       *semaphore = (yoke_semaphore *)(void *)&calls_made;
    const yoke_semaphore *const_semaphore = semaphore;
    yoke_condition       *condition = (yoke_condition *)(void *)&calls_made;
    const yoke_condition *const_condition = condition;
    yoke_event           *event = (yoke_event *)(void *)&calls_made;
    const yoke_event     *const_event = event;
    yoke_barrier         *barrier = (yoke_barrier *)(void *)&calls_made;
    const yoke_barrier   *const_barrier = barrier;
    yoke_shareable       *shareable = (yoke_shareable *)(void *)&calls_made;
    const yoke_shareable *const_shareable = shareable;
    yoke_file            *file = (yoke_file *)(void *)&calls_made;
    const yoke_file      *const_file = file;
    ok(kind_at(YOKE_ARGS(queue, const_queue), 0) == YOKE_H_queue &&
       kind_at(YOKE_ARGS(queue, const_queue), 1) == YOKE_H_queue);
    ok(kind_at(YOKE_ARGS(conn, const_conn), 0) == YOKE_H_conn &&
       kind_at(YOKE_ARGS(conn, const_conn), 1) == YOKE_H_conn);
    ok(kind_at(YOKE_ARGS(lock, const_lock), 0) == YOKE_H_lock &&
       kind_at(YOKE_ARGS(lock, const_lock), 1) == YOKE_H_lock);
    ok(kind_at(YOKE_ARGS(value, const_value), 0) == YOKE_H_value &&
       kind_at(YOKE_ARGS(value, const_value), 1) == YOKE_H_value);
    ok(kind_at(YOKE_ARGS(array, const_array), 0) == YOKE_H_array &&
       kind_at(YOKE_ARGS(array, const_array), 1) == YOKE_H_array);
    ok(kind_at(YOKE_ARGS(shm, const_shm), 0) == YOKE_H_shm && kind_at(YOKE_ARGS(shm, const_shm), 1) == YOKE_H_shm);
    ok(kind_at(YOKE_ARGS(domain, const_domain), 0) == YOKE_H_domain &&
       kind_at(YOKE_ARGS(domain, const_domain), 1) == YOKE_H_domain);
    ok(kind_at(YOKE_ARGS(rlock, const_rlock), 0) == YOKE_H_rlock &&
       kind_at(YOKE_ARGS(rlock, const_rlock), 1) == YOKE_H_rlock);
    ok(kind_at(YOKE_ARGS(rwlock, const_rwlock), 0) == YOKE_H_rwlock &&
       kind_at(YOKE_ARGS(rwlock, const_rwlock), 1) == YOKE_H_rwlock);
    ok(kind_at(YOKE_ARGS(semaphore, const_semaphore), 0) == YOKE_H_semaphore &&
       kind_at(YOKE_ARGS(semaphore, const_semaphore), 1) == YOKE_H_semaphore);
    ok(kind_at(YOKE_ARGS(condition, const_condition), 0) == YOKE_H_condition &&
       kind_at(YOKE_ARGS(condition, const_condition), 1) == YOKE_H_condition);
    ok(kind_at(YOKE_ARGS(event, const_event), 0) == YOKE_H_event &&
       kind_at(YOKE_ARGS(event, const_event), 1) == YOKE_H_event);
    ok(kind_at(YOKE_ARGS(barrier, const_barrier), 0) == YOKE_H_barrier &&
       kind_at(YOKE_ARGS(barrier, const_barrier), 1) == YOKE_H_barrier);
    ok(kind_at(YOKE_ARGS(shareable, const_shareable), 0) == YOKE_H_shareable &&
       kind_at(YOKE_ARGS(shareable, const_shareable), 1) == YOKE_H_shareable);
    ok(kind_at(YOKE_ARGS(file, const_file), 0) == YOKE_H_file &&
       kind_at(YOKE_ARGS(file, const_file), 1) == YOKE_H_file);
    ok(at(YOKE_ARGS(1, const_queue), 1)->as.p == (const void *)&calls_made);
    ok(at(YOKE_ARGS(YOKE_GIVE(conn)), 0)->flags == 1 && kind_at(YOKE_ARGS(YOKE_GIVE(conn)), 0) == YOKE_H_conn);
    ok(kind_at(YOKE_ARGS((yoke_variant *)NULL), 0) == YOKE_VARIANT_KIND);
}

static int deep_is_right(const yoke_item *deep)
{
    const yoke_item *list = at(deep, 3), *inner = at(list, 1);
    ok(count_of(deep) == 6);
    ok(kind_at(deep, 1) == YOKE_NIL_KIND);
    ok(list->kind == YOKE_LIST_KIND && list->size == 3);
    ok(inner->size == 3 && at(inner, 1)->kind == YOKE_LIST_KIND && at(inner, 1)->size == 0);
    ok(at(list, 2)->kind == YOKE_MAP_KIND && at(list, 2)->size == 4);
    ok(strcmp((const char *)at(at(list, 2), 2)->as.p, "v") == 0);
    ok(at(deep, 4)->kind == YOKE_BYTES_KIND && at(deep, 4)->size == 3);
    ok(at(deep, 5)->kind == YOKE_BYTES_KIND && at(deep, 5)->size == sizeof(int));
    return 1;
}

static void nesting(void)
{
    ok(deep_is_right(YOKE_ARGS(42, YOKE_NIL, "hello",
                               YOKE_LIST(1, YOKE_LIST(2, YOKE_LIST(), "in"), YOKE_MAP("k", 1, "v", YOKE_LIST())),
                               YOKE_BYTES("abc", 3), YOKE_STRUCT(calls_made))));
}

static void each_expression_is_evaluated_once(void)
{
    calls_made = 0;
    ok(count_of(YOKE_ARGS(call(), "between", call())) == 3);
    ok(calls_made == 2);
}

static void run_all(void)
{
    none_and_one();
    thirty_two();
    every_plain_type();
    qualifiers_change_nothing();
    every_handle();
    nesting();
    each_expression_is_evaluated_once();
}

#endif
