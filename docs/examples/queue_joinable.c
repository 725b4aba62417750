/*
 * Tasks that are not lost with who works on them. A worker takes a task and is killed before it is done: the task comes
 * to another worker, which is told that it may have been begun, and join waits until it is really done.
 */
#include <stdio.h>
#include <yoke/yoke.h>

static int doomed_worker(const yoke_args *args)
{
    char task[32];

    YOKE_TRY(yoke_queue_get_string(yoke_args_queue(args, 0), task, sizeof task, YOKE_FOREVER));
    YOKE_TRY(yoke_queue_put_format(yoke_args_queue(args, 1), YOKE_FOREVER, "works on %s", task));
    return yoke_wait(NULL, 0, YOKE_FOREVER); /* for ever */
}

static int worker(const yoke_args *args)
{
    yoke_queue   *tasks = yoke_args_queue(args, 0);
    yoke_message *task;
    int           rc;

    while ((rc = yoke_queue_get_message(tasks, &task, YOKE_FOREVER)) == YOKE_OK) {
        printf("%s done%s\n", (const char *)yoke_message_data(task),
               yoke_message_redelivered(task) ? ", at a second attempt" : "");
        YOKE_TRY(yoke_queue_message_done(tasks, task)); /* yoke_queue_task_done() would do the oldest one */
        yoke_message_free(task);
    }
    return rc == YOKE_ESHUTDOWN ? 0 : rc;
}

int main(int argc, char **argv)
{
    yoke_queue   *tasks, *news;
    yoke_process *doomed, *workers[2];
    char          line[64];

    yoke_main(argc, argv);
    YOKE_CHECK(yoke_queue_create(&tasks, YOKE_OPTIONS(yoke_queue_options, .joinable = true)));
    YOKE_CHECK(yoke_queue_create(&news, NULL));
    for (int i = 1; i <= 5; i++)
        YOKE_CHECK(yoke_queue_put_format(tasks, YOKE_FOREVER, "task %d", i));

    YOKE_CHECK(yoke_process_start(&doomed, doomed_worker, YOKE_ARGS(tasks, news), NULL));
    YOKE_CHECK(yoke_queue_get_string(news, line, sizeof line, YOKE_FOREVER));
    printf("the doomed worker %s\n", line);
    YOKE_CHECK(yoke_process_kill(doomed));
    YOKE_CHECK(yoke_process_finish(doomed, NULL, YOKE_FOREVER));

    for (int i = 0; i < 2; i++)
        YOKE_CHECK(yoke_process_start(&workers[i], worker, YOKE_ARGS(tasks), NULL));
    YOKE_CHECK(yoke_queue_join(tasks, YOKE_FOREVER));
    printf("unfinished: %d\n", (int)yoke_queue_unfinished(tasks));
    if (yoke_queue_shutdown(tasks, YOKE_DRAIN) < 0)
        YOKE_CHECK(yoke_last_error()->code);
    for (int i = 0; i < 2; i++)
        YOKE_CHECK(yoke_process_finish(workers[i], NULL, YOKE_FOREVER));
    yoke_queue_close(tasks);
    yoke_queue_close(news);
    return 0;
}
