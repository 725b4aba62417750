/* Children that nobody started rightly: they end with a sentence and status 125, and no code of the program runs. */
#include "core/domain/participant.h"
#include "core/process/record.h"
#include "support/child.h"
#include "support/process.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What the forged child is given. */
typedef struct forgery {
    const char *flag;
    int         memory, lifeline; /* -1: nothing there */
    int         err;
} forgery;

static int run_forged(void *user)
{
    const forgery *f = user;
    int            memory = f->memory < 0 ? -1 : fcntl(f->memory, F_DUPFD, 20);
    int            lifeline = f->lifeline < 0 ? -1 : fcntl(f->lifeline, F_DUPFD, 20);

    dup2(f->err, 2);
    close(3);
    close(4);
    if (memory >= 0)
        dup2(memory, 3);
    if (lifeline >= 0)
        dup2(lifeline, 4);
    execl("/proc/self/exe", "forged", f->flag, (char *)NULL);
    return 99;
}

/* Runs it: status 125, and its complaint contains the text. */
static void assert_refused(forgery f, const char *text)
{
    char    said[1024];
    int     err[2];
    ssize_t size;

    assert_int_equal(pipe2(err, O_CLOEXEC), 0);
    f.err = err[1];
    int code = child_join(child_start(run_forged, &f));
    close(err[1]);
    size = read(err[0], said, sizeof said - 1);
    close(err[0]);
    said[size < 0 ? 0 : size] = '\0';
    if (code != 125 || !strstr(said, text))
        fail_msg("status %d, and it said: %s", code, said);
}

/* A pipe that holds the bytes, and whose other end is closed. */
static int pipe_with(const void *data, size_t size)
{
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    if (size)
        assert_int_equal(write(ends[1], data, size), (ssize_t)size);
    close(ends[1]);
    return ends[0];
}

static yoke_domain *domain(void)
{
    yoke_domain *found;

    assert_ok(yoke__domain_default(&found));
    return found;
}

static yoke__start_message right_message(void)
{
    yoke__start_message message;

    yoke__start_message_init(&message, domain(), YOKE__ROLE_CHILD);
    snprintf((char *)message.name, sizeof message.name, "forged");
    return message;
}

static void assert_message_refused(const yoke__start_message *message, const char *text)
{
    forgery f = {"--yoke-child=2:posix", (int)domain()->memory.handle, pipe_with(message, sizeof *message), 0};

    assert_refused(f, text);
    close(f.lifeline);
}

static yoke__handle *new_record(uint64_t nonce)
{
    yoke__handle     *record;
    yoke__record_spec spec = {.name = "forged", .identity = "1", .parent_name = "test", .nonce = nonce};

    assert_ok(yoke__record_create(&record, domain(), &spec));
    return record;
}

/* ---- channels ---- */

static void channel_that_does_not_answer_is_refused(void **state)
{
    int closed = pipe_with("", 0), some = pipe_with("short", 5), file = open("/dev/null", O_RDONLY | O_CLOEXEC);

    (void)state;
    assert_refused((forgery){"--yoke-child=2:posix", -1, -1, 0}, "start message");
    assert_refused((forgery){"--yoke-child=2:posix", -1, closed, 0}, "start message");
    assert_refused((forgery){"--yoke-child=2:posix", -1, some, 0}, "start message");
    assert_refused((forgery){"--yoke-child=2:posix", -1, file, 0}, "pipe");
    close(closed);
    close(some);
    close(file);
}

static void argument_that_is_not_ours_is_refused(void **state)
{
    const char *const flags[] = {"--yoke-child=",           "--yoke-child=x:posix", "--yoke-child=1:posix",
                                 "--yoke-child=9999:posix", "--yoke-child=2",       "--yoke-child=243:posix"};

    (void)state;
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        assert_refused((forgery){flags[i], -1, -1, 0}, "argument");
    assert_refused((forgery){"--yoke-child=2:imagined", -1, -1, 0}, "imagined");
}

/* ---- messages ---- */

static void message_of_another_kind_or_version_is_refused(void **state)
{
    yoke__start_message message;

    (void)state;
    memset(&message, 'x', sizeof message);
    assert_message_refused(&message, "no start message");
    message = right_message();
    message.version++;
    assert_message_refused(&message, "version");
    message = right_message();
    message.size--;
    assert_message_refused(&message, "version");
    message = right_message();
    message.role = 9;
    assert_message_refused(&message, "role 9");
}

static void domain_that_is_another_or_damaged_is_refused(void **state)
{
    yoke__start_message message = right_message();
    forgery             f = {"--yoke-child=2:posix", -1, -1, 0};

    (void)state;
    f.lifeline = pipe_with(&message, sizeof message);
    assert_refused(f, "domain");
    close(f.lifeline);
    f.lifeline = pipe_with(&message, sizeof message);
    f.memory = memfd_create("forged", MFD_CLOEXEC);
    assert_int_equal(ftruncate(f.memory, 1 << 20), 0);
    assert_refused(f, "domain");
    close(f.memory);
    close(f.lifeline);
    message.domain_id++;
    assert_message_refused(&message, "domain");
    message = right_message();
    message.domain_reserve *= 2;
    assert_message_refused(&message, "domain");
}

static void record_that_is_gone_or_another_kind_is_refused(void **state)
{
    yoke__start_message message = right_message();
    yoke_queue         *queue;

    (void)state;
    assert_message_refused(&message, "record is gone");
    message.record = UINT64_C(0x7777777766666666);
    assert_message_refused(&message, "record is gone");
    assert_ok(yoke_queue_create(&queue, NULL));
    message.record = ((yoke__handle *)queue)->id;
    assert_message_refused(&message, "record is gone");
    yoke_queue_close(queue);
}

static void wrong_nonce_is_refused(void **state)
{
    yoke__start_message message = right_message();
    yoke__handle       *record = new_record(1234);

    (void)state;
    message.record = record->id;
    message.nonce = 1235;
    assert_message_refused(&message, "does not fit");
    assert_int_equal(yoke__record_state_of(record->object), YOKE__RECORD_PREPARED);
    yoke__handle_close(record, NULL);
}

static void second_start_of_the_same_record_is_refused(void **state)
{
    yoke__start_message message = right_message();
    yoke__handle       *record = new_record(77);

    (void)state;
    message.record = record->id;
    message.nonce = 77;
    assert_true(yoke__record_claim(record->object, yoke__domain_token(domain())));
    assert_message_refused(&message, "in use by another process");
    yoke__handle_close(record, NULL);
    record = new_record(78);
    message.record = record->id;
    message.nonce = 78;
    assert_true(yoke__record_abandon(record->object));
    assert_message_refused(&message, "withdrawn");
    yoke__handle_close(record, NULL);
}

/* A record that names no function: after the claim, the result tells it. */
static void record_without_a_function_runs_nothing(void **state)
{
    yoke__start_message message = right_message();
    yoke__handle       *record = new_record(5);
    yoke_result         result = {.struct_size = sizeof result};

    (void)state;
    message.record = record->id;
    message.nonce = 5;
    assert_message_refused(&message, "");
    assert_true(yoke__record_result(record->object, &result));
    assert_int_equal(result.how, YOKE_NOT_STARTED);
    assert_int_equal(result.error, YOKE_EPROTO);
    yoke__handle_close(record, NULL);
}

int main(int argc, char **argv)
{
    yoke_main(argc, argv);
    if (argc > 1) /* what a forged child would run */
        return 42;
    const struct CMUnitTest forged_starts[] = {
        cmocka_unit_test(channel_that_does_not_answer_is_refused),
        cmocka_unit_test(argument_that_is_not_ours_is_refused),
        cmocka_unit_test(message_of_another_kind_or_version_is_refused),
        cmocka_unit_test(domain_that_is_another_or_damaged_is_refused),
        cmocka_unit_test(record_that_is_gone_or_another_kind_is_refused),
        cmocka_unit_test(wrong_nonce_is_refused),
        cmocka_unit_test(second_start_of_the_same_record_is_refused),
        cmocka_unit_test(record_without_a_function_runs_nothing),
    };
    setenv("YOKE_START_METHOD", "spawn", 1); /* the only method with a channel to forge */
    return run_under_methods(forged_starts);
}
