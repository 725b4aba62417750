/* Tests of processes: the same group under each start method, and short ways to say what is expected. */
#ifndef YOKE_TESTS_PROCESS_H
#define YOKE_TESTS_PROCESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/types.h>
#include <yoke/yoke.h>

/* Runs the tests under each start method, or only under that of the environment variable YOKE_START_METHOD. Nothing may
 * be left behind. The number of failures. */
#define run_under_methods(tests) run_under_methods_(#tests, tests, sizeof(tests) / sizeof((tests)[0]))
int run_under_methods_(const char *name, const struct CMUnitTest *tests, size_t count);

/* The method of the group that runs. */
yoke_start_method method_under_test(void);

/* Starts, and joins within a minute: how it ended. */
yoke_result result_of(yoke_function *function, const yoke_item *arguments, const yoke_process_options *options);
/* The same for one that was started. */
yoke_result finish(yoke_process *process);

/* Functions for children: the number that is argument 0; */
int return_number(const yoke_args *args);
/* tells its pid through the queue that is argument 0, then stays until killed, and ignores SIGTERM if argument 1 is
 * true. */
int stay(const yoke_args *args);
/* What stay() told. */
pid_t told_pid(yoke_queue *queue);

yoke_queue *new_queue(void);

#define assert_ok(expression) assert_ok_((expression), #expression, __FILE__, __LINE__)
void assert_ok_(int code, const char *expression, const char *file, int line);
/* Fails with that code, and the sentence contains the text. */
#define assert_fails(expression, code, text) assert_fails_((expression), code, text, #expression, __FILE__, __LINE__)
void assert_fails_(int got, int code, const char *text, const char *expression, const char *file, int line);

#endif
