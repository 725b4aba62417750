/* Messages that claim to have handles in them, forged or damaged: an error or what they say, never harm, nothing left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <yoke/yoke.h>

#include "core/connection/bundle.h"

#include "support/leak.h"
#include "support/pipes.h"

#define T PIPE_PATIENCE

/* A message with a queue, a file and a connection in it, as bytes. */
static size_t message_bytes(uint8_t *out, size_t capacity, yoke_queue *queue)
{
    yoke_conn *a, *b, *one, *other;
    yoke_file *file;
    size_t     size;

    pipe_make(&a, &b, false);
    pipe_make(&one, &other, false);
    assert_int_equal(YOKE_OK, yoke_file_create(&file, dup(0)));
    assert_int_equal(YOKE_OK, yoke_conn_send_variant(a, YOKE_ARGS(1, queue, file, YOKE_GIVE(one)), T));
    assert_int_equal(YOKE_OK, yoke_conn_recv(b, out, capacity, &size, T));
    yoke_file_close(file);
    yoke_conn_close(a);
    yoke_conn_close(b);
    yoke_conn_close(other);
    return size;
}

/* What comes of it, and that the next message is there. */
static int receive(yoke_conn *a, yoke_conn *b, const void *data, size_t size)
{
    yoke_variant *got;
    char          text[8];

    assert_int_equal(YOKE_OK, yoke_conn_send(a, data, size, T));
    int rc = yoke_conn_recv_variant(b, &got, T);
    for (int tries = 0; rc < 0 && rc != YOKE_ETYPE && tries < 2; tries++)
        rc = yoke_conn_recv_variant(b, &got, T);
    if (rc == YOKE_OK)
        yoke_variant_free(got);
    else
        assert_int_equal(YOKE_OK, yoke_conn_skip(b, T));
    assert_int_equal(YOKE_OK, yoke_conn_send_string(a, "after", T));
    assert_int_equal(YOKE_OK, yoke_conn_recv_string(b, text, sizeof text, T));
    assert_string_equal("after", text);
    return rc;
}

static void test_each_byte_may_be_wrong(void **state)
{
    static const uint8_t changes[] = {0x01, 0x80, 0xff};
    uint8_t              data[4096], changed[4096];
    yoke_conn           *a, *b;
    yoke_queue          *queue;
    int                  before;

    (void)state;
    assert_int_equal(YOKE_OK, yoke_queue_create(&queue, NULL));
    size_t size = message_bytes(data, sizeof data, queue);
    pipe_make(&a, &b, false);
    (void)receive(a, b, data, size);
    before = leak_descriptors();
    for (size_t i = 0; i < size; i++)
        for (size_t c = 0; c < sizeof changes; c++) {
            memcpy(changed, data, size);
            changed[i] ^= changes[c];
            (void)receive(a, b, changed, size);
            assert_int_equal(before, leak_descriptors());
        }
    yoke_conn_close(a);
    yoke_conn_close(b);
    yoke_queue_close(queue);
}

static void test_it_may_end_anywhere(void **state)
{
    uint8_t     data[4096];
    yoke_conn  *a, *b;
    yoke_queue *queue;

    (void)state;
    assert_int_equal(YOKE_OK, yoke_queue_create(&queue, NULL));
    size_t size = message_bytes(data, sizeof data, queue);
    pipe_make(&a, &b, false);
    for (size_t cut = 1; cut < size; cut++)
        assert_int_equal(YOKE_ETYPE, receive(a, b, data, cut));
    yoke_conn_close(a);
    yoke_conn_close(b);
    yoke_queue_close(queue);
}

/* Bytes of one frame, with `count` descriptors attached to its first byte. */
static void write_with(int fd, const void *data, size_t size, size_t count)
{
    union {
        struct cmsghdr header;
        char           space[CMSG_SPACE(8 * sizeof(int))];
    } control = {0};
    struct iovec  part = {(void *)(uintptr_t)data, size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

    message.msg_control = control.space;
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
    for (size_t i = 0; i < count; i++)
        memcpy(CMSG_DATA(&control.header) + i * sizeof(int), &(int){0}, sizeof(int));
    assert_int_equal((ssize_t)size, sendmsg(fd, &message, 0));
}

/* Descriptors that no message asks for: with plain messages, in the midst of one, and with one that claims others. */
static void test_descriptors_nobody_asked_for_are_closed(void **state)
{
    static const uint8_t plain[] = {0, 0, 0, 2, 'h', 'i'}, large[] = {0, 0, 0x10, 0}, filling[1024] = {0};
    uint8_t              data[4096], framed[4100];
    yoke_conn           *a, *b;
    yoke_queue          *queue;
    yoke_variant        *got;
    char                 text[8];
    int                  before;

    (void)state;
    assert_int_equal(YOKE_OK, yoke_queue_create(&queue, NULL));
    size_t size = message_bytes(data, sizeof data, queue);
    pipe_make(&a, &b, false);
    (void)receive(a, b, "x", 1);
    before = leak_descriptors();
    int fd = (int)yoke_conn_native(a);
    for (size_t count = 1; count < 9; count++) {
        write_with(fd, plain, sizeof plain, count);
        write_with(fd, large, sizeof large, count); /* 4096 bytes, in five pieces */
        assert_int_equal(YOKE_OK, yoke_conn_recv_string(b, text, sizeof text, T));
        for (int i = 0; i < 4; i++) {
            assert_int_equal(YOKE_ETIMEDOUT, yoke_conn_recv(b, data, sizeof data, NULL, YOKE_NOWAIT));
            write_with(fd, filling, sizeof filling, count);
            assert_true(leak_descriptors() <= before + (int)YOKE__ARRIVALS);
        }
        assert_int_equal(YOKE_OK, yoke_conn_skip(b, T));
        assert_int_equal(before, leak_descriptors());
    }
    size = message_bytes(data, sizeof data, queue);
    memcpy(framed, (uint8_t[]){0, 0, (uint8_t)(size >> 8), (uint8_t)size}, 4);
    memcpy(framed + 4, data, size);
    write_with(fd, framed, size + 4, 2); /* not the channel that it speaks of */
    assert_true(yoke_conn_recv_variant(b, &got, T) < 0);
    assert_int_equal(YOKE_OK, yoke_conn_recv_variant(b, &got, T));
    assert_null(yoke_variant_file(yoke_variant_at(got, 2)));
    yoke_variant_free(got);
    assert_int_equal(before, leak_descriptors());
    yoke_conn_close(a);
    yoke_conn_close(b);
    yoke_queue_close(queue);
}

static int setup(void **state)
{
    yoke_queue *queue;

    if (yoke_queue_create(&queue, NULL) < 0)
        return -1;
    yoke_queue_close(queue);
    return pipes_setup(state);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_byte_may_be_wrong),
        cmocka_unit_test(test_it_may_end_anywhere),
        cmocka_unit_test(test_descriptors_nobody_asked_for_are_closed),
    };

    yoke_main(argc, argv);
    return cmocka_run_group_tests(tests, setup, leak_teardown);
}
