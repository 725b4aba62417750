/* The smallest program with a child: prints "hello from a child". Compiled as C and, by consumer.cpp, as C++. */
#include <stdio.h>
#include <yoke/yoke.h>

static int child(const yoke_args *args)
{
    return yoke_queue_put_format(yoke_args_queue(args, 0), YOKE_FOREVER, "hello from %s", yoke_args_string(args, 1));
}

int main(int argc, char **argv)
{
    yoke_queue   *queue;
    yoke_process *process;
    char          line[64];

    yoke_main(argc, argv);
    YOKE_CHECK(yoke_queue_create(&queue, NULL));
    YOKE_CHECK(yoke_process_start(&process, child, YOKE_ARGS(queue, "a child"), NULL));
    YOKE_CHECK(yoke_queue_get_string(queue, line, sizeof line, YOKE_FOREVER));
    YOKE_CHECK(yoke_process_finish(process, NULL, YOKE_FOREVER));
    yoke_queue_close(queue);
    return puts(line) < 0;
}
