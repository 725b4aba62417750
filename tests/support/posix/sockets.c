#include "support/sockets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <dirent.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "support/leak.h"
#include "support/pipes.h"

static char directory[64];

int sockets_directory(void)
{
    snprintf(directory, sizeof directory, "/tmp/yoke-sockets-XXXXXX");
    return mkdtemp(directory) == NULL ? -1 : 0;
}

/* What a test that failed has left. */
static void remove_files(void)
{
    DIR *files = opendir(directory);

    for (struct dirent *file; files != NULL && (file = readdir(files)) != NULL;) {
        if (unlinkat(dirfd(files), file->d_name, 0) == 0) /* which . and .. withstand */
            fprintf(stderr, "left in %s: %s\n", directory, file->d_name);
    }
    if (files != NULL)
        (void)closedir(files);
    (void)rmdir(directory);
}

int sockets_directory_remove(void)
{
    if (rmdir(directory) == 0)
        return 0;
    remove_files();
    return 1;
}

int sockets_setup(void **state)
{
    return sockets_directory() != 0 ? -1 : pipes_setup(state);
}

int sockets_teardown(void **state)
{
    return sockets_directory_remove() != 0 ? -1 : leak_teardown(state);
}

const char *socket_path(const char *name)
{
    static char     paths[4][128];
    static unsigned next;
    char           *path = paths[next++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

const char *socket_address(const char *name)
{
    static char     addresses[4][160];
    static unsigned next;
    char           *address = addresses[next++ % 4];

    snprintf(address, sizeof addresses[0], "unix:%s", socket_path(name));
    return address;
}

bool socket_file_exists(const char *name)
{
    struct stat status;

    return lstat(socket_path(name), &status) == 0;
}

yoke_listener *listen_at(const char *address, const char *key)
{
    yoke_listener *listener;

    assert_int_equal(YOKE_OK, yoke_listener_create(&listener, address,
                                                   YOKE_OPTIONS(yoke_listener_options, .authkey = key,
                                                                .authkey_size = key ? strlen(key) : 0,
                                                                .allow_anyone = !strncmp(address, "tcp:", 4))));
    return listener;
}

const char *address_of(const yoke_listener *listener)
{
    static char text[YOKE_ADDRESS_SIZE];

    assert_int_equal(YOKE_OK, yoke_listener_address(listener, text, sizeof text));
    return text;
}

void connect_through(yoke_listener *listener, yoke_conn **client, yoke_conn **server)
{
    assert_int_equal(YOKE_OK, yoke_client_connect(client, address_of(listener), NULL, SOCKET_PATIENCE));
    assert_int_equal(YOKE_OK, yoke_listener_accept(listener, server, SOCKET_PATIENCE));
}

int raw_client(const char *address)
{
    int fd, rc;

    if (strncmp(address, "unix:", 5) == 0) {
        struct sockaddr_un local = {.sun_family = AF_UNIX};
        snprintf(local.sun_path, sizeof local.sun_path, "%s", address + 5);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        rc = connect(fd, (struct sockaddr *)&local, sizeof local);
    } else {
        struct sockaddr_in remote = {.sin_family = AF_INET};
        remote.sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1));
        remote.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        rc = connect(fd, (struct sockaddr *)&remote, sizeof remote);
    }
    assert_true(fd >= 0);
    assert_int_equal(0, rc);
    return fd;
}

static void pass_on(yoke_conn *from, yoke_conn *to, const char *text)
{
    char got[32];

    assert_int_equal(YOKE_OK, yoke_conn_send_string(from, text, SOCKET_PATIENCE));
    assert_int_equal(YOKE_OK, yoke_conn_recv_string(to, got, sizeof got, SOCKET_PATIENCE));
    assert_string_equal(text, got);
}

void exchange(yoke_conn *one, yoke_conn *other)
{
    pass_on(one, other, "there");
    pass_on(other, one, "and back");
}

/* ---- with a key ---- */

yoke_listener *listen_guarded(const char *address, int64_t handshake)
{
    yoke_listener *listener;

    assert_int_equal(YOKE_OK,
                     yoke_listener_create(&listener, address,
                                          YOKE_OPTIONS(yoke_listener_options, .authkey = "secret", .authkey_size = 6,
                                                       .backlog = 500, .handshake_timeout = handshake)));
    return listener;
}

typedef struct guest {
    const char *address;
    yoke_conn  *conn;
    int         rc;
} guest;

static void *connect_as_guest(void *user)
{
    guest *g = user;

    g->rc = yoke_client_connect(&g->conn, g->address,
                                YOKE_OPTIONS(yoke_client_options, .authkey = "secret", .authkey_size = 6),
                                SOCKET_PATIENCE);
    return NULL;
}

void let_guest_in(yoke_listener *listener)
{
    guest      g = {address_of(listener), NULL, 0};
    pthread_t  thread;
    yoke_conn *server;

    assert_int_equal(0, pthread_create(&thread, NULL, connect_as_guest, &g));
    assert_int_equal(YOKE_OK, yoke_listener_accept(listener, &server, SOCKET_PATIENCE));
    assert_int_equal(0, pthread_join(thread, NULL));
    assert_int_equal(YOKE_OK, g.rc);
    exchange(g.conn, server);
    yoke_conn_close(g.conn);
    yoke_conn_close(server);
}
