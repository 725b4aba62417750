#ifndef YOKE_TESTS_WINDOWS_POLL_H
#define YOKE_TESTS_WINDOWS_POLL_H
#pragma GCC system_header

#define POLLIN  1
#define POLLOUT 4
#define POLLERR 8
#define POLLHUP 16

/* fd: a handle that can be waited for. */
struct pollfd {
    int   fd;
    short events, revents;
};
int poll(struct pollfd *entries, unsigned long count, int milliseconds);
#endif
