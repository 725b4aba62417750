/*
 * Requests and answers. A request carries the queue that its answer is wanted in: the message keeps that queue alive, and
 * the server never has to know its clients.
 */
#include <inttypes.h>
#include <stdio.h>
#include <yoke/yoke.h>

static int server(const yoke_args *args)
{
    yoke_queue   *requests = yoke_args_queue(args, 0);
    yoke_variant *request;
    int           rc;

    while ((rc = yoke_queue_get_variant(requests, &request, YOKE_FOREVER)) == YOKE_OK) {
        int64_t     number = yoke_variant_int(yoke_variant_find(request, "number"), 0);
        yoke_queue *reply = yoke_variant_queue(yoke_variant_find(request, "reply"));

        rc = reply ? yoke_queue_put_variant(reply, YOKE_ARGS(number, number * number), YOKE_FOREVER) : YOKE_ETYPE;
        yoke_variant_free(request); /* closes the reply queue here; the client has its own handle */
        YOKE_TRY(rc);
    }
    return rc == YOKE_ESHUTDOWN ? 0 : rc;
}

static int client(const yoke_args *args)
{
    yoke_queue   *requests = yoke_args_queue(args, 0);
    yoke_queue   *reply;
    yoke_variant *answer;
    int64_t       sum = 0;

    YOKE_TRY(yoke_queue_create(&reply, NULL));
    for (int i = 1; i <= 4; i++) {
        int number = yoke_args_int(args, 1) * i;
        YOKE_TRY(
            yoke_queue_put_variant(requests, YOKE_VALUE_OF(YOKE_MAP("number", number, "reply", reply)), YOKE_FOREVER));
        YOKE_TRY(yoke_queue_get_variant(reply, &answer, YOKE_FOREVER));
        sum += yoke_variant_int(yoke_variant_at(answer, 1), 0);
        yoke_variant_free(answer);
    }
    yoke_queue_close(reply);
    return (int)sum;
}

int main(int argc, char **argv)
{
    yoke_queue   *requests;
    yoke_process *servers[2], *clients[3];
    yoke_result   result = {.struct_size = sizeof result};

    yoke_main(argc, argv);
    YOKE_CHECK(yoke_queue_create(&requests, NULL));
    for (int i = 0; i < 2; i++)
        YOKE_CHECK(yoke_process_start(&servers[i], server, YOKE_ARGS(requests), NULL));
    for (int i = 0; i < 3; i++)
        YOKE_CHECK(yoke_process_start(&clients[i], client, YOKE_ARGS(requests, i + 1), NULL));
    for (int i = 0; i < 3; i++) {
        YOKE_CHECK(yoke_process_finish(clients[i], &result, YOKE_FOREVER));
        printf("client %d: %d\n", i + 1, result.code);
    }
    if (yoke_queue_shutdown(requests, YOKE_DRAIN) < 0)
        YOKE_CHECK(yoke_last_error()->code);
    for (int i = 0; i < 2; i++)
        YOKE_CHECK(yoke_process_finish(servers[i], NULL, YOKE_FOREVER));
    yoke_queue_close(requests);
    return 0;
}
