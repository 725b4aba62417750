/*
 * A segment that stays when nobody uses it: a child makes it, writes, and is gone. Whoever comes later opens it by its
 * name, here for reading only. Without `persist` it would have gone with the child. Unlinking takes the name away; who
 * uses the segment goes on.
 */
#include <stdio.h>
#include <string.h>
#include <yoke/yoke.h>

static int write_it(const yoke_args *args)
{
    yoke_shm *shm;

    YOKE_TRY(
        yoke_shm_create(&shm, 100, YOKE_OPTIONS(yoke_shm_options, .name = yoke_args_string(args, 0), .persist = true)));
    strcpy(yoke_shm_data(shm), "left for whoever comes");
    yoke_shm_close(shm);
    return 0;
}

int main(int argc, char **argv)
{
    yoke_shm     *shm;
    yoke_process *process;
    char          name[48];

    yoke_main(argc, argv);
    snprintf(name, sizeof name, "stays-%lld", (long long)yoke_process_pid(yoke_process_current()));
    YOKE_CHECK(yoke_process_start(&process, write_it, YOKE_ARGS(name), NULL));
    YOKE_CHECK(yoke_process_finish(process, NULL, YOKE_FOREVER));

    YOKE_CHECK(
        yoke_shm_create(&shm, 0, YOKE_OPTIONS(yoke_shm_options, .name = name, .mode = YOKE_OPEN, .read_only = true)));
    printf("%s\n", (const char *)yoke_shm_data_const(shm));
    YOKE_CHECK(yoke_shm_unlink(name));
    printf("still: %s\n", (const char *)yoke_shm_data_const(shm));
    yoke_shm_close(shm);
    printf("%s\n", yoke_error_name(yoke_shm_open(&shm, name)));
    return 0;
}
