/* A list of values of several kinds through a queue, printed as Python prints it. */
#include <stdio.h>
#include <yoke/yoke.h>

static int f(const yoke_args *args)
{
    return yoke_queue_put_variant(yoke_args_queue(args, 0), YOKE_ARGS(42, YOKE_NIL, "hello"), YOKE_FOREVER);
}

int main(int argc, char **argv)
{
    yoke_queue   *queue;
    yoke_process *process;
    yoke_variant *variant;
    char          text[128];

    yoke_main(argc, argv);
    YOKE_CHECK(yoke_queue_create(&queue, NULL));
    YOKE_CHECK(yoke_process_start(&process, f, YOKE_ARGS(queue), NULL));
    YOKE_CHECK(yoke_queue_get_variant(queue, &variant, YOKE_FOREVER));
    YOKE_CHECK(yoke_variant_format(variant, text, sizeof text, NULL));
    puts(text);
    yoke_variant_free(variant);
    YOKE_CHECK(yoke_process_finish(process, NULL, YOKE_FOREVER));
    yoke_queue_close(queue);
    return 0;
}
