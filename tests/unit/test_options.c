/* One rule for the options of every call: struct_size is that of the structure, or nothing happens. */
#include "support/leak.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <yoke/yoke.h>

typedef union any_options {
    size_t               struct_size;
    yoke_queue_options   queue;
    yoke_lock_options    lock;
    yoke_value_options   value;
    yoke_shm_options     shm;
    yoke_pipe_options    pipe;
    yoke_domain_options  domain;
    yoke_process_options process;
    unsigned char        more[512];
} any_options;

static int make_queue(const any_options *options)
{
    yoke_queue *queue;
    YOKE_TRY(yoke_queue_create(&queue, &options->queue));
    yoke_queue_close(queue);
    return YOKE_OK;
}

static int make_lock(const any_options *options)
{
    yoke_lock *lock;
    YOKE_TRY(yoke_lock_create(&lock, &options->lock));
    yoke_lock_close(lock);
    return YOKE_OK;
}

static int make_value(const any_options *options)
{
    yoke_value *value;
    YOKE_TRY(YOKE_VALUE_CREATE(&value, int, 0, &options->value));
    yoke_value_close(value);
    return YOKE_OK;
}

static int make_array(const any_options *options)
{
    yoke_array *array;
    YOKE_TRY(YOKE_ARRAY_CREATE(&array, int, 3, NULL, &options->value));
    yoke_array_close(array);
    return YOKE_OK;
}

static int make_segment(const any_options *options)
{
    yoke_shm *segment;
    YOKE_TRY(yoke_shm_create(&segment, 10, &options->shm));
    yoke_shm_close(segment);
    return YOKE_OK;
}

static int make_pipe(const any_options *options)
{
    yoke_conn *reader, *writer;
    YOKE_TRY(yoke_pipe_create(&reader, &writer, &options->pipe));
    yoke_conn_close(reader);
    yoke_conn_close(writer);
    return YOKE_OK;
}

static int open_domain(const any_options *options)
{
    yoke_domain *domain;
    YOKE_TRY(yoke_domain_open(&domain, "test-options", &options->domain));
    yoke_domain_close(domain);
    return YOKE_OK;
}

static int configure(const any_options *options)
{
    int rc = yoke_domain_configure(&options->domain);
    return rc == YOKE_EBUSY ? YOKE_OK : rc; /* it exists, and the options were right */
}

static int nothing(const yoke_args *args)
{
    (void)args;
    return 0;
}

static int start(const any_options *options)
{
    yoke_process *process;
    YOKE_TRY(yoke_process_start(&process, nothing, NULL, &options->process));
    return yoke_process_finish(process, NULL, YOKE_FOREVER);
}

static const struct {
    const char *type;
    size_t      size;
    int (*use)(const any_options *options);
} calls[] = {
    {"yoke_queue_options", sizeof(yoke_queue_options), make_queue},
    {"yoke_lock_options", sizeof(yoke_lock_options), make_lock},
    {"yoke_value_options", sizeof(yoke_value_options), make_value},
    {"yoke_value_options", sizeof(yoke_value_options), make_array},
    {"yoke_shm_options", sizeof(yoke_shm_options), make_segment},
    {"yoke_pipe_options", sizeof(yoke_pipe_options), make_pipe},
    {"yoke_domain_options", sizeof(yoke_domain_options), open_domain},
    {"yoke_domain_options", sizeof(yoke_domain_options), configure},
    {"yoke_process_options", sizeof(yoke_process_options), start},
};

static void wrong_sizes_are_refused_by_every_call(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        const size_t sizes[] = {0, 3, 8, 9, calls[i].size - 1, calls[i].size + 8, 1000, SIZE_MAX};
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            any_options options = {0};
            options.struct_size = sizes[k];
            assert_int_equal(calls[i].use(&options), YOKE_EINVAL);
            assert_int_equal(yoke_last_error()->code, YOKE_EINVAL);
            assert_non_null(strstr(yoke_last_error()->text, calls[i].type));
        }
    }
}

static void the_right_size_is_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        any_options options = {0};
        options.struct_size = calls[i].size;
        if (calls[i].use == open_domain)
            options.domain.mode = YOKE_OPEN_OR_CREATE;
        assert_int_equal(calls[i].use(&options), YOKE_OK);
    }
}

/* The default domain and the loop stay. */
static int setup(void **state)
{
    any_options options = {0};

    options.struct_size = sizeof options.queue;
    if (make_queue(&options) < 0)
        return -1;
    options.struct_size = sizeof options.process;
    if (start(&options) < 0)
        return -1;
    options.struct_size = sizeof options.pipe;
    return make_pipe(&options) < 0 ? -1 : leak_setup(state);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_sizes_are_refused_by_every_call),
        cmocka_unit_test(the_right_size_is_taken),
    };

    yoke_main(argc, argv);
    return cmocka_run_group_tests(tests, setup, leak_teardown);
}
