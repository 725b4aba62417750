/* Many small messages with few calls into the system, and one message whose bytes lie in several places. */
#include <stdint.h>
#include <stdio.h>
#include <yoke/yoke.h>

enum { TOTAL = 10000, AT_ONCE = 100 };

static int sender(const yoke_args *args)
{
    yoke_conn *conn = yoke_args_conn(args, 0);
    uint32_t   numbers[AT_ONCE];
    yoke_bytes batch[AT_ONCE], parts[] = {{"that was ", 9}, {"all", 3}};

    for (uint32_t next = 0; next < TOTAL; next += AT_ONCE) {
        for (uint32_t i = 0; i < AT_ONCE; i++) {
            numbers[i] = next + i;
            batch[i] = (yoke_bytes){&numbers[i], sizeof numbers[i]};
        }
        YOKE_TRY(yoke_conn_send_many(conn, batch, AT_ONCE, NULL, YOKE_FOREVER));
    }
    return yoke_conn_send_parts(conn, parts, 2, YOKE_FOREVER);
}

int main(int argc, char **argv)
{
    yoke_conn    *reader, *writer;
    yoke_process *process;
    uint32_t      numbers[AT_ONCE];
    char          text[32];
    size_t        sizes[AT_ONCE], most, count, got = 0;
    uint64_t      sum = 0;

    yoke_main(argc, argv);
    YOKE_CHECK(yoke_pipe_create(&reader, &writer, YOKE_OPTIONS(yoke_pipe_options, .one_way = true)));
    YOKE_CHECK(yoke_process_start(&process, sender, YOKE_ARGS(YOKE_GIVE(writer)), NULL));
    while (got < TOTAL) {
        /* Waits for the first, then takes what has come with it: the messages lie one behind the other in the buffer. */
        most = TOTAL - got < AT_ONCE ? TOTAL - got : AT_ONCE;
        YOKE_CHECK(yoke_conn_recv_many(reader, numbers, sizeof numbers, sizes, most, &count, YOKE_FOREVER));
        for (size_t i = 0; i < count; i++)
            sum += numbers[i];
        got += count;
    }
    printf("%zu numbers, sum %llu\n", got, (unsigned long long)sum);
    YOKE_CHECK(yoke_conn_recv_string(reader, text, sizeof text, YOKE_FOREVER));
    puts(text);
    YOKE_CHECK(yoke_process_finish(process, NULL, YOKE_FOREVER));
    yoke_conn_close(reader);
    return 0;
}
