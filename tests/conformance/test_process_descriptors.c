/* Descriptors: those of the program stay its own in a child, and none of the library's is a standard one. */
#include "fault/fault.h"
#include "support/child.h"
#include "support/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- what a constructor opens ---- */

static FILE *from_constructor;

/* As a C++ program's global stream does: without close-on-exec. */
__attribute__((constructor)) static void open_log(void)
{
    const char *path = getenv("YOKE_TEST_LOG");

    if (path)
        from_constructor = fopen(path, "a");
}

static int write_log(const yoke_args *args)
{
    if (!from_constructor) /* forked: the constructor ran before the variable was set */
        open_log();
    if (fprintf(from_constructor, "line %d\n", yoke_args_int(args, 0)) < 0 || fflush(from_constructor) != 0)
        return 1;
    return yoke_queue_put_string(yoke_args_queue(args, 1), "written", YOKE_FOREVER) < 0 ? 2 : 0;
}

static void file_that_a_constructor_opened_stays_open_in_the_child(void **state)
{
    (void)state;
    char        path[] = "/tmp/test_process_descriptors.XXXXXX", text[64] = "";
    int         file = mkostemp(path, O_CLOEXEC);
    yoke_queue *queue;

    assert_true(file >= 0);
    assert_ok(yoke_queue_create(&queue, NULL));
    setenv("YOKE_TEST_LOG", path, 1);
    for (int i = 0; i < 2; i++)
        assert_int_equal(result_of(write_log, YOKE_ARGS(i, queue), NULL).code, 0);
    unsetenv("YOKE_TEST_LOG");
    assert_int_equal(yoke_queue_size(queue), 2);
    assert_true(read(file, text, sizeof text - 1) > 0);
    assert_string_equal(text, "line 0\nline 1\n");
    close(file);
    unlink(path);
    yoke_queue_close(queue);
}

static int tell_whether_open(const yoke_args *args)
{
    return fcntl(yoke_args_int(args, 0), F_GETFD) >= 0;
}

static void spawned_child_has_nothing_that_its_parent_left_without_close_on_exec(void **state)
{
    (void)state;
    int leaked = fcntl(0, F_DUPFD, 50);

    assert_true(leaked >= 50);
    assert_int_equal(result_of(tell_whether_open, YOKE_ARGS(leaked), NULL).code,
                     method_under_test() != YOKE_START_SPAWN && method_under_test() != YOKE_START_FORKSERVER);
    close(leaked);
}

/* ---- closed standard descriptors ---- */

static void check_none_is_standard(void)
{
    for (int fd = 0; fd < 3; fd++)
        CHILD_CHECK(fcntl(fd, F_GETFD) == -1 && errno == EBADF);
}

static int answer(const yoke_args *args)
{
    char text[16];

    YOKE_TRY(yoke_conn_recv_string(yoke_args_conn(args, 1), text, sizeof text, YOKE_FOREVER));
    printf("this goes nowhere\n");
    fflush(stdout);
    return yoke_queue_put_string(yoke_args_queue(args, 0), text, YOKE_FOREVER) < 0 ? 1 : 7;
}

static void use_named_domain(void)
{
    yoke_domain *domain;
    char         name[32];

    snprintf(name, sizeof name, "closed-%ld", (long)getpid());
    CHILD_CHECK(yoke_domain_open(&domain, name, NULL) == YOKE_OK);
    check_none_is_standard();
    yoke_domain_close(domain);
}

static void use_process(yoke_queue *queue)
{
    yoke_process *process;
    yoke_conn    *reader, *writer;
    yoke_result   result = {.struct_size = sizeof result};
    char          text[16];

    CHILD_CHECK(yoke_pipe_create(&reader, &writer, NULL) == YOKE_OK);
    check_none_is_standard();
    CHILD_CHECK(yoke_process_start(&process, answer, YOKE_ARGS(queue, YOKE_GIVE(reader)), NULL) == YOKE_OK);
    check_none_is_standard();
    CHILD_CHECK(yoke_conn_send_string(writer, "hello", YOKE_FOREVER) == YOKE_OK);
    CHILD_CHECK(yoke_queue_get_string(queue, text, sizeof text, 60000) == YOKE_OK);
    check_none_is_standard();
    CHILD_CHECK(yoke_process_finish(process, &result, 60000) == YOKE_OK && result.code == 7);
    yoke_conn_close(writer);
}

static int use_everything(void *unused)
{
    yoke_shm   *segment;
    yoke_queue *queue;

    (void)unused;
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    CHILD_CHECK(yoke_shm_create(&segment, 100, NULL) == YOKE_OK);
    check_none_is_standard();
    yoke_shm_close(segment);
    use_named_domain();
    CHILD_CHECK(yoke_queue_create(&queue, NULL) == YOKE_OK);
    use_process(queue);
    yoke_queue_close(queue);
    check_none_is_standard();
    return 0;
}

static void none_of_the_library_s_descriptors_is_a_standard_one(void **state)
{
    (void)state;
    assert_int_equal(child_join(child_start(use_everything, NULL)), 0);
}

/* ---- wrong ones ---- */

static int wait_for_word(const yoke_args *args)
{
    char line[8];
    return yoke_queue_get_string(yoke_args_queue(args, 0), line, sizeof line, YOKE_FOREVER);
}

static void assert_killed(yoke_process *process)
{
    assert_true(kill((pid_t)yoke_process_pid(process), SIGKILL) == 0);
    yoke_result result = finish(process);
    assert_int_equal(result.how, YOKE_SIGNALLED);
    assert_int_equal(result.signal, SIGKILL);
}

/* Its forkserver, if there is one, goes on: it still tells how the other one ended. */
static void wrong_descriptor_in_one_start_does_no_harm_to_others(void **state)
{
    (void)state;
    yoke_queue   *queue;
    yoke_process *other, *refused;

    assert_ok(yoke_queue_create(&queue, NULL));
    assert_ok(yoke_process_start(&other, wait_for_word, YOKE_ARGS(queue), NULL));
    assert_fails(yoke_process_start(&refused, wait_for_word, YOKE_ARGS(queue),
                                    YOKE_OPTIONS(yoke_process_options, .stdout_to = 999)),
                 YOKE_EINVAL, "stdout_to is 999");
    assert_killed(other);
    yoke_queue_close(queue);
}

static void descriptor_closed_just_then_does_no_harm_to_others(void **state)
{
    (void)state;
    yoke_queue   *queue;
    yoke_process *other, *refused;

    if (method_under_test() != YOKE_START_FORKSERVER)
        skip();
    assert_ok(yoke_queue_create(&queue, NULL));
    assert_ok(yoke_process_start(&other, wait_for_word, YOKE_ARGS(queue), NULL));
    fault_on("sendmsg", 1, 0, EBADF);
    int rc = yoke_process_start(&refused, wait_for_word, YOKE_ARGS(queue), NULL);
    fault_off();
    assert_fails(rc, YOKE_EINVAL, "not open");
    assert_killed(other);
    yoke_queue_close(queue);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file_that_a_constructor_opened_stays_open_in_the_child),
        cmocka_unit_test(spawned_child_has_nothing_that_its_parent_left_without_close_on_exec),
        cmocka_unit_test(none_of_the_library_s_descriptors_is_a_standard_one),
        cmocka_unit_test(wrong_descriptor_in_one_start_does_no_harm_to_others),
        cmocka_unit_test(descriptor_closed_just_then_does_no_harm_to_others),
    };

    yoke_main(argc, argv);
    return run_under_methods(tests);
}
