/*
 * A segment of memory shared by its name. The child is told the name only; any other program of the same user could open
 * it just so. It goes away with its last user.
 */
#include <stdio.h>
#include <string.h>
#include <yoke/yoke.h>

struct board {
    int  visits;
    char note[100];
};

static int visitor(const yoke_args *args)
{
    yoke_shm     *shm;
    struct board *board;

    YOKE_TRY(yoke_shm_open(&shm, yoke_args_string(args, 0)));
    board = yoke_shm_data(shm);
    board->visits++;
    strcpy(board->note, "the child was here");
    yoke_shm_close(shm);
    return 0;
}

int main(int argc, char **argv)
{
    yoke_shm     *shm;
    yoke_process *process;
    struct board *board;
    char          name[48];

    yoke_main(argc, argv);
    snprintf(name, sizeof name, "board-%lld", (long long)yoke_process_pid(yoke_process_current()));
    YOKE_CHECK(yoke_shm_create(&shm, sizeof *board, YOKE_OPTIONS(yoke_shm_options, .name = name)));
    board = yoke_shm_data(shm);
    board->visits = 41;

    YOKE_CHECK(yoke_process_start(&process, visitor, YOKE_ARGS(name), NULL));
    YOKE_CHECK(yoke_process_finish(process, NULL, YOKE_FOREVER));
    printf("%d visits: %s\n", board->visits, board->note);

    yoke_shm_close(shm);
    printf("%s\n", yoke_error_name(yoke_shm_open(&shm, name)));
    return 0;
}
