/*
 * Pictures of a megabyte and more, made and read where they lie: nothing is copied, and handing one over takes the same
 * time whatever its size. What is reserved or peeked holds nobody else up.
 */
#include <stdio.h>
#include <string.h>
#include <yoke/yoke.h>

struct frame {
    int           number;
    size_t        width, height;
    unsigned char pixels[]; /* width * height */
};

static int camera(const yoke_args *args)
{
    yoke_queue  *queue = yoke_args_queue(args, 0);
    const size_t width = 1280, height = 1024;
    const size_t size = sizeof(struct frame) + width * height;

    for (int number = 1; number <= 3; number++) {
        yoke_slot     slot;
        struct frame *frame;

        YOKE_TRY(yoke_queue_reserve(queue, &slot, size, YOKE_FOREVER)); /* at most that much */
        frame = slot.data;
        frame->number = number;
        frame->width = width;
        frame->height = height / (size_t)number; /* each is smaller than the one before it */
        memset(frame->pixels, number, frame->width * frame->height);
        YOKE_TRY(yoke_queue_commit(queue, &slot, sizeof *frame + frame->width * frame->height));
    }
    return 0;
}

static void show(const yoke_view *view)
{
    const struct frame *frame = view->data;
    unsigned long       sum = 0;

    for (size_t i = 0; i < frame->width * frame->height; i++)
        sum += frame->pixels[i];
    printf("frame %d, %zux%zu, sum %lu%s\n", frame->number, frame->width, frame->height, sum,
           view->redelivered ? ", seen before" : "");
}

int main(int argc, char **argv)
{
    yoke_queue   *queue;
    yoke_process *process;
    yoke_view     view;

    yoke_main(argc, argv);
    /* Two at a time, reservations included: the camera waits for the viewer, but never pins what others need. */
    YOKE_CHECK(yoke_queue_create(&queue, YOKE_OPTIONS(yoke_queue_options, .max_items = 2)));
    YOKE_CHECK(yoke_process_start(&process, camera, YOKE_ARGS(queue), NULL));

    YOKE_CHECK(yoke_queue_peek(queue, &view, YOKE_FOREVER));
    show(&view);
    YOKE_CHECK(yoke_queue_return(queue, &view)); /* on second thoughts: the next peek finds it again */
    for (int i = 0; i < 3; i++) {
        YOKE_CHECK(yoke_queue_peek(queue, &view, YOKE_FOREVER));
        show(&view);
        YOKE_CHECK(yoke_queue_release(queue, &view));
    }
    YOKE_CHECK(yoke_process_finish(process, NULL, YOKE_FOREVER));
    yoke_queue_close(queue);
    return 0;
}
