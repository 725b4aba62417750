#include "program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FLAG "--part"

static int play(const program_entry *part, int argc, char **argv)
{
    yoke_native natives[PROGRAM_NATIVES];
    size_t      count = (size_t)atoi(argv[3]);

    if (count > PROGRAM_NATIVES || yoke__windows_process.claim_natives(natives, count) != YOKE_OK) {
        fprintf(stderr, "%s: %s\n", part->name, yoke_last_error()->text);
        return 98;
    }
    return part->run(argc > 4 ? argv[4] : "", natives, count);
}

void program_main(int argc, char **argv, const program_entry *parts)
{
    if (argc < 4 || strcmp(argv[1], FLAG) != 0)
        return;
    for (; parts->name; parts++)
        if (strcmp(parts->name, argv[2]) == 0)
            yoke__windows_process.exit_now(play(parts, argc, argv));
    fprintf(stderr, "there is no part %s\n", argv[2]);
    yoke__windows_process.exit_now(97);
}

int program_start(int64_t *pid, const char *part, const char *argument, const yoke_native *natives, size_t count)
{
    char              number[8];
    const char *const arguments[] = {"program", FLAG, part, number, argument, NULL};

    snprintf(number, sizeof number, "%u", (unsigned)count);
    return yoke__windows_process.spawn(pid, &(yoke_launch){
                                                .struct_size = sizeof(yoke_launch),
                                                .arguments = arguments,
                                                .stdio = {YOKE_STDIO_NULL, YOKE_STDIO_INHERIT, YOKE_STDIO_INHERIT},
                                                .inherit = natives,
                                                .inherit_count = count,
                                            });
}

yoke_native program_watch(int64_t pid)
{
    yoke_native life = YOKE_NO_NATIVE;

    assert_int_equal(yoke__windows_life.watch(&life, &(yoke_identity){.pid = pid}), YOKE_OK);
    return life;
}

int64_t program_join(int64_t pid)
{
    yoke_exit_status status;
    yoke_native      life = program_watch(pid);

    assert_int_equal(yoke__windows_life.wait(life, 60 * SECOND), YOKE_OK);
    yoke__windows_life.close(life);
    assert_int_equal(yoke__windows_process.reap(&status, pid), YOKE_OK);
    assert_true(status.known);
    return status.signal ? 1000 + status.signal : status.code;
}
