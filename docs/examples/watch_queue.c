/*
 * An event loop that sleeps until something happens: messages of two workers come in on a queue, and the loop is told
 * when each worker has ended. The loop is the program's own; no thread is started.
 */
#include <stdio.h>
#include <uv.h>
#include <yoke/uv.h>
#include <yoke/yoke.h>

#define WORKERS 2
#define EACH    5

struct app {
    yoke_queue   *queue;
    yoke_process *workers[WORKERS];
    int           messages, ended, sum;
};

static int worker(const yoke_args *args)
{
    for (int i = 1; i <= EACH; i++)
        YOKE_TRY(yoke_queue_put(yoke_args_queue(args, 0), &i, sizeof i, YOKE_FOREVER));
    return 0;
}

static void on_message(yoke_watch *watch, int status, void *user)
{
    struct app *app = user;
    int         number, rc = status;

    /* A few at a time: if some are left, this is called again in the loop's next round. */
    for (int burst = 0; burst < 3 && rc == YOKE_OK; burst++) {
        rc = yoke_queue_get(app->queue, &number, sizeof number, NULL, YOKE_NOWAIT);
        if (rc == YOKE_OK) {
            app->messages++;
            app->sum += number;
        }
    }
    if (app->messages == WORKERS * EACH || (rc < 0 && rc != YOKE_ETIMEDOUT))
        yoke_watch_stop(watch, NULL);
}

static void on_end(yoke_watch *watch, int status, void *user)
{
    struct app *app = user;

    app->ended += status == YOKE_OK;
    yoke_watch_stop(watch, NULL);
}

int main(int argc, char **argv)
{
    struct app  app = {0};
    yoke_watch *watch;

    yoke_main(argc, argv);
    YOKE_CHECK(yoke_queue_create(&app.queue, NULL));
    YOKE_CHECK(yoke_queue_watch(&watch, app.queue, uv_default_loop(), on_message, &app));
    for (int i = 0; i < WORKERS; i++) {
        YOKE_CHECK(yoke_process_start(&app.workers[i], worker, YOKE_ARGS(app.queue), NULL));
        YOKE_CHECK(yoke_process_watch(&watch, app.workers[i], uv_default_loop(), on_end, &app));
    }
    uv_run(uv_default_loop(), UV_RUN_DEFAULT); /* until every watch has been stopped */
    printf("%d messages, sum %d, %d workers ended\n", app.messages, app.sum, app.ended);
    for (int i = 0; i < WORKERS; i++)
        YOKE_CHECK(yoke_process_finish(app.workers[i], NULL, YOKE_FOREVER));
    yoke_queue_close(app.queue);
    return uv_loop_close(uv_default_loop());
}
