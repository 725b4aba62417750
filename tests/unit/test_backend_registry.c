/* Which backends there are, how one is plugged in, and how one is chosen. Choices last as long as the process: each is made
 * in a child. */
#include "core/backend.h"
#include "support/child.h"
#include "support/third_party.h"

#include <yoke/uv.h>
#include <yoke/yoke.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
// clang-format on

static bool noted(int code, const char *sentence)
{
    if (yoke_last_error()->code == code && strstr(yoke_last_error()->text, sentence))
        return true;
    fprintf(stderr, "%s: '%s' does not say '%s'\n", yoke_error_name(yoke_last_error()->code), yoke_last_error()->text,
            sentence);
    return false;
}

static void run_in_child(int (*run)(void *user))
{
    assert_int_equal(child_join(child_start(run, NULL)), 0);
}

static int built_in(void *user)
{
    (void)user;
    CHILD_CHECK(strcmp(yoke_backend_names()[0], "posix") == 0);
    CHILD_CHECK(yoke_backend_find("posix") != NULL);
    CHILD_CHECK(yoke_backend_current() == yoke_backend_find("posix"));
    CHILD_CHECK(yoke_backend_find("nonsense") == NULL);
    CHILD_CHECK(noted(YOKE_ENOENT, "no backend is called 'nonsense'; there are: posix"));
    CHILD_CHECK(yoke_backend_find(NULL) == NULL);
    return 0;
}

static int plugged_in(void *user)
{
    yoke_queue *queue;
    char        text[32];
    (void)user;
    CHILD_CHECK(yoke_backend_register(third_party_backend()) == YOKE_OK);
    CHILD_CHECK(strcmp(yoke_backend_names()[1], "third-party") == 0);
    CHILD_CHECK(yoke_backend_names()[2] == NULL);
    CHILD_CHECK(yoke_backend_choose("third-party") == YOKE_OK);
    CHILD_CHECK(yoke_backend_current() == yoke_backend_find("third-party"));
    CHILD_CHECK(yoke_cpu_count() == THIRD_PARTY_CPUS);
    CHILD_CHECK(yoke_queue_create(&queue, NULL) == YOKE_OK);
    CHILD_CHECK(yoke_queue_put_string(queue, "through a third party", 1000) == YOKE_OK);
    CHILD_CHECK(yoke_queue_get_string(queue, text, sizeof text, 1000) == YOKE_OK);
    CHILD_CHECK(strcmp(text, "through a third party") == 0);
    CHILD_CHECK(yoke_queue_get_string(queue, text, sizeof text, 10) == YOKE_ETIMEDOUT);
    CHILD_CHECK(third_party_clock_calls() > 0);
    yoke_queue_close(queue);
    return 0;
}

static int chosen_by_environment(void *user)
{
    (void)user;
    setenv("YOKE_BACKEND", "third-party", 1);
    CHILD_CHECK(yoke_backend_current() == NULL);
    CHILD_CHECK(noted(YOKE_ENOENT, "environment variable YOKE_BACKEND: no backend is called 'third-party'"));
    CHILD_CHECK(yoke_backend_register(third_party_backend()) == YOKE_OK);
    CHILD_CHECK(yoke_backend_current() == yoke_backend_find("third-party"));
    return 0;
}

static int a_choice_goes_before_the_environment(void *user)
{
    (void)user;
    setenv("YOKE_BACKEND", "nonsense", 1);
    CHILD_CHECK(yoke_backend_choose("posix") == YOKE_OK);
    CHILD_CHECK(yoke_backend_current() == yoke_backend_find("posix"));
    return 0;
}

static int chosen_once(void *user)
{
    (void)user;
    CHILD_CHECK(yoke_backend_register(third_party_backend()) == YOKE_OK);
    CHILD_CHECK(yoke_backend_choose("nonsense") == YOKE_ENOENT);
    CHILD_CHECK(noted(YOKE_ENOENT, "there are: posix, third-party"));
    CHILD_CHECK(yoke_backend_choose(NULL) == YOKE_EINVAL);
    CHILD_CHECK(yoke_backend_choose("posix") == YOKE_OK);
    CHILD_CHECK(yoke_backend_choose("posix") == YOKE_OK);
    CHILD_CHECK(yoke_backend_choose("third-party") == YOKE_EBUSY);
    CHILD_CHECK(noted(YOKE_EBUSY, "'posix' is in use already"));
    return 0;
}

/* Copies of the third party's table, each with something wrong. */
static int damaged_tables(void *user)
{
    const yoke_backend *sound = third_party_backend();
    yoke_backend        b = *sound;
    (void)user;
    CHILD_CHECK(yoke_backend_register(NULL) == YOKE_EINVAL);
    b.struct_size = 8;
    CHILD_CHECK(yoke_backend_register(&b) == YOKE_EINVAL);
    b = *sound;
    b.name = "";
    CHILD_CHECK(yoke_backend_register(&b) == YOKE_EINVAL);
    b.name = "posix";
    CHILD_CHECK(yoke_backend_register(&b) == YOKE_EEXIST);
    b = *sound;
    b.life = NULL;
    CHILD_CHECK(yoke_backend_register(&b) == YOKE_EINVAL && noted(YOKE_EINVAL, "has no group 'life'"));
    b = *sound;
    yoke_memory_ops memory = *sound->memory;
    b.memory = &memory;
    memory.grow = NULL;
    CHILD_CHECK(yoke_backend_register(&b) == YOKE_EINVAL && noted(YOKE_EINVAL, "lacks the function 'memory.grow'"));
    memory = *sound->memory;
    memory.struct_size = 16;
    CHILD_CHECK(yoke_backend_register(&b) == YOKE_EINVAL && noted(YOKE_EINVAL, "group 'memory' has 16 bytes"));
    b = *sound;
    yoke_wait_ops waiting = *sound->waiting;
    b.waiting = &waiting;
    waiting.wake_word = NULL;
    CHILD_CHECK(yoke_backend_register(&b) == YOKE_EINVAL && noted(YOKE_EINVAL, "only one of"));
    b = *sound;
    yoke_process_ops process = *sound->process;
    b.process = &process;
    process.fork = NULL;
    CHILD_CHECK(yoke_backend_register(&b) == YOKE_EINVAL && noted(YOKE_EINVAL, "'process.fork'"));
    b.capabilities &= ~(uint32_t)YOKE_CAP_FORK;
    CHILD_CHECK(yoke_backend_register(&b) == YOKE_EINVAL && noted(YOKE_EINVAL, "has a forkserver, but lacks"));
    b.capabilities &= ~(uint32_t)YOKE_CAP_FORKSERVER;
    CHILD_CHECK(yoke_backend_register(&b) == YOKE_OK);
    return 0;
}

static void never(yoke_watch *watch, int status, void *user)
{
    (void)watch;
    (void)status;
    (void)user;
}

/* The one group that may be left out: watches then say so, and nothing else minds. */
static int without_loops(void *user)
{
    static yoke_backend  none;
    static yoke_loop_ops half;
    yoke_backend         b = *yoke_backend_find("posix");
    yoke_queue          *queue;
    yoke_watch          *watch;
    (void)user;
    half = *b.loop;
    half.again = NULL;
    b.name = "half";
    b.loop = &half;
    CHILD_CHECK(yoke_backend_register(&b) == YOKE_EINVAL && noted(YOKE_EINVAL, "loop.again"));
    half.struct_size = 8;
    CHILD_CHECK(yoke_backend_register(&b) == YOKE_EINVAL && noted(YOKE_EINVAL, "group 'loop' has 8 bytes"));
    none = b;
    none.name = "none";
    none.loop = NULL;
    CHILD_CHECK(yoke_backend_register(&none) == YOKE_OK && yoke_backend_choose("none") == YOKE_OK);
    CHILD_CHECK(yoke_queue_create(&queue, NULL) == YOKE_OK);
    CHILD_CHECK(yoke_queue_watch(&watch, queue, (struct uv_loop_s *)(void *)&none, never, NULL) == YOKE_ENOTSUP);
    yoke_queue_close(queue);
    return 0;
}

/* The other one: listeners and clients say so. */
static int without_sockets(void *user)
{
    static yoke_backend    none;
    static yoke_socket_ops half;
    yoke_backend           b = *yoke_backend_find("posix");
    yoke_listener         *listener;
    yoke_conn             *conn;
    (void)user;
    half = *b.socket;
    half.peer = NULL;
    b.name = "half";
    b.socket = &half;
    CHILD_CHECK(yoke_backend_register(&b) == YOKE_EINVAL && noted(YOKE_EINVAL, "group 'socket'"));
    half.struct_size = 8;
    CHILD_CHECK(yoke_backend_register(&b) == YOKE_EINVAL && noted(YOKE_EINVAL, "group 'socket' has 8 bytes"));
    none = b;
    none.name = "none";
    none.socket = NULL;
    CHILD_CHECK(yoke_backend_register(&none) == YOKE_OK && yoke_backend_choose("none") == YOKE_OK);
    CHILD_CHECK(yoke_listener_create(&listener, "unix:/tmp/none", NULL) == YOKE_ENOTSUP &&
                noted(YOKE_ENOTSUP, "'none'"));
    CHILD_CHECK(yoke_client_connect(&conn, "unix:/tmp/none", NULL, 0) == YOKE_ENOTSUP);
    return 0;
}

static int too_many(void *user)
{
    static yoke_backend many[40];
    static char         names[40][8];
    int                 taken = 0;
    (void)user;
    for (int i = 0; i < 40; i++) {
        snprintf(names[i], sizeof names[i], "b%d", i);
        many[i] = *third_party_backend();
        many[i].name = names[i];
        taken += yoke_backend_register(&many[i]) == YOKE_OK;
    }
    CHILD_CHECK(taken == 15 && yoke_last_error()->code == YOKE_ENOMEM);
    CHILD_CHECK(yoke_backend_find("b14") == &many[14]);
    CHILD_CHECK(yoke_backend_find("b15") == NULL);
    return 0;
}

static int nothing(const yoke_args *args)
{
    (void)args;
    return 0;
}

/* The program goes on, and may still choose. */
static int needed_but_unknown(void *user)
{
    (void)user;
    setenv("YOKE_BACKEND", "nonsense", 1);
    yoke_queue   *queue;
    yoke_shm     *segment;
    yoke_domain  *domain;
    yoke_conn    *reader, *writer;
    yoke_process *process;

    yoke_main(0, NULL);
    CHILD_CHECK(yoke_queue_create(&queue, NULL) == YOKE_ENOENT && noted(YOKE_ENOENT, "'nonsense'"));
    CHILD_CHECK(yoke_shm_create(&segment, 10, NULL) == YOKE_ENOENT && noted(YOKE_ENOENT, "YOKE_BACKEND"));
    CHILD_CHECK(yoke_domain_open(&domain, "d", NULL) == YOKE_ENOENT);
    CHILD_CHECK(yoke_domain_configure(YOKE_OPTIONS(yoke_domain_options, .max_bytes = 1 << 20)) == YOKE_ENOENT);
    CHILD_CHECK(yoke_pipe_create(&reader, &writer, NULL) == YOKE_ENOENT);
    CHILD_CHECK(yoke_process_start(&process, nothing, NULL, NULL) == YOKE_ENOENT);
    CHILD_CHECK(yoke_set_start_method(YOKE_START_FORK) == YOKE_ENOENT && yoke_start_methods() == 0);
    CHILD_CHECK(yoke_cpu_count() == YOKE_ENOENT && yoke_cpu_count_all() == YOKE_ENOENT);
    CHILD_CHECK(yoke_set_forkserver_preload(nothing) == YOKE_ENOENT);
    CHILD_CHECK(yoke_process_join(NULL, 0) == YOKE_EINVAL && yoke_active_children(NULL, 0) == 0);
    CHILD_CHECK(yoke_backend_choose("posix") == YOKE_OK && yoke_queue_create(&queue, NULL) == YOKE_OK);
    return 0;
}

static void the_built_in_one_is_listed_and_used(void **state)
{
    (void)state;
    run_in_child(built_in);
}

static void a_third_partys_backend_can_be_plugged_in(void **state)
{
    (void)state;
    run_in_child(plugged_in);
}

static void the_environment_chooses(void **state)
{
    (void)state;
    run_in_child(chosen_by_environment);
    run_in_child(a_choice_goes_before_the_environment);
}

static void a_choice_is_made_once(void **state)
{
    (void)state;
    run_in_child(chosen_once);
}

static void a_table_that_cannot_work_is_refused_with_a_sentence(void **state)
{
    (void)state;
    run_in_child(damaged_tables);
    run_in_child(without_loops);
    run_in_child(without_sockets);
    run_in_child(too_many);
}

static void an_unknown_one_is_an_error_of_every_first_call(void **state)
{
    (void)state;
    run_in_child(needed_but_unknown);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_built_in_one_is_listed_and_used),
        cmocka_unit_test(a_third_partys_backend_can_be_plugged_in),
        cmocka_unit_test(the_environment_chooses),
        cmocka_unit_test(a_choice_is_made_once),
        cmocka_unit_test(a_table_that_cannot_work_is_refused_with_a_sentence),
        cmocka_unit_test(an_unknown_one_is_an_error_of_every_first_call),
    };
    unsetenv("YOKE_BACKEND");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
