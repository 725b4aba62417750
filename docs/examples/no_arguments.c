/* Workers without arguments: NULL and an empty list are the same. */
#include <stdio.h>
#include <yoke/yoke.h>

static int worker(const yoke_args *args)
{
    printf("%s has %zu arguments\n", yoke_process_name(yoke_process_current()), yoke_args_count(args));
    return 7;
}

int main(int argc, char **argv)
{
    yoke_process *process;
    yoke_result   result = {.struct_size = sizeof result};

    yoke_main(argc, argv);
    YOKE_CHECK(yoke_process_start(&process, worker, NULL, NULL));
    YOKE_CHECK(yoke_process_finish(process, &result, YOKE_FOREVER));
    YOKE_CHECK(yoke_process_start(&process, worker, YOKE_ARGS(), NULL));
    YOKE_CHECK(yoke_process_finish(process, &result, YOKE_FOREVER));
    printf("the last one returned %d\n", result.code);
    return 0;
}
