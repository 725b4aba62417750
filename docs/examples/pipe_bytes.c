/* What a connection's functions do, with both ends of a pipe in one process. */
#include <stdio.h>
#include <string.h>
#include <yoke/yoke.h>

static void values(yoke_conn *a, yoke_conn *b)
{
    yoke_variant *variant;
    char          text[128];

    YOKE_CHECK(yoke_conn_send_variant(a, YOKE_ARGS(1, "hello", YOKE_NIL), YOKE_FOREVER));
    YOKE_CHECK(yoke_conn_recv_variant(b, &variant, YOKE_FOREVER));
    YOKE_CHECK(yoke_variant_format(variant, text, sizeof text, NULL));
    puts(text);
    yoke_variant_free(variant);
}

/* A message of any size, in memory of its own. */
static void bytes(yoke_conn *a, yoke_conn *b)
{
    yoke_message *message;

    YOKE_CHECK(yoke_conn_send(b, "thank you", 9, YOKE_FOREVER));
    YOKE_CHECK(yoke_conn_recv_message(a, &message, YOKE_FOREVER));
    printf("%.*s\n", (int)yoke_message_size(message), (const char *)yoke_message_data(message));
    yoke_message_free(message);
}

/* Bytes straight into an array; one that is too small gets nothing, and the message stays. */
static void array(yoke_conn *a, yoke_conn *b)
{
    int    sent[5] = {0, 1, 2, 3, 4}, received[10] = {0};
    size_t size;

    YOKE_CHECK(yoke_conn_send(a, sent, sizeof sent, YOKE_FOREVER));
    if (yoke_conn_recv(b, received, 2 * sizeof received[0], &size, YOKE_FOREVER) == YOKE_EMSGSIZE)
        printf("%zu bytes needed\n", size);
    YOKE_CHECK(yoke_conn_recv(b, received, sizeof received, &size, YOKE_FOREVER));
    printf("%s\n", size == sizeof sent ? "all of them came" : "some are missing");
    for (int i = 0; i < 10; i++)
        printf("%s%d", i ? ", " : "[", received[i]);
    puts("]");
}

int main(int argc, char **argv)
{
    yoke_conn *a, *b;

    yoke_main(argc, argv);
    YOKE_CHECK(yoke_pipe_create(&a, &b, NULL));
    values(a, b);
    bytes(a, b);
    array(a, b);
    printf("%s\n", yoke_conn_poll(b, YOKE_NOWAIT) == YOKE_ETIMEDOUT ? "nothing left" : "something left");
    yoke_conn_close(a);
    printf("%s\n", yoke_error_name(yoke_conn_recv(b, NULL, 0, NULL, YOKE_FOREVER)));
    yoke_conn_close(b);
    return 0;
}
