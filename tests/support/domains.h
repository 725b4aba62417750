/* Named domains of a test, and processes that don't have them open. */
#ifndef YOKE_TESTS_DOMAINS_H
#define YOKE_TESTS_DOMAINS_H

#include <stdbool.h>
#include <sys/types.h>
#include <yoke/domain.h>

#define OPTIONS(...) YOKE_OPTIONS(yoke_domain_options, __VA_ARGS__)

/* The name of this test's domain; a setup function that makes a new one for each test. */
extern char domains_name[64];
int         domains_new_name(void **state);

/* Whether shared memory of this user has that name. */
bool domains_exists(const char *name);

/* A child that was forked before this process opened anything, and waits to be told. */
typedef struct stranger {
    int (*run)(void *user);
    int go[2];
} stranger;
pid_t stranger_start(stranger *it, int (*run)(void *user));
/* Lets it run and waits for its end: as child_join(). */
int stranger_join(stranger *it, pid_t pid);

#endif
