#include "python.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "child.h"
#include "pipes.h"

static const char head[] = "import sys\n"
                           "from multiprocessing.connection import Connection\n"
                           "conn = Connection(int(sys.argv[1]))\n";

typedef struct program {
    yoke_conn  *here, *there;
    const char *script;
} program;

void python_need(void)
{
    static int there = -1; /* each start of a Python takes its time */

    if (there < 0)
        there = system("python3 -c 'import multiprocessing.connection, hmac, hashlib' >/dev/null 2>&1") == 0;
    if (!there) {
        print_message("skipped: there is no python3 with multiprocessing\n");
        skip(); /* nothing to talk to */
    }
}

static int run_python(void *user)
{
    program *p = user;
    char     number[16], script[4096];

    yoke_conn_close(p->here);
    int inherited = dup((int)yoke_conn_native(p->there)); /* without close-on-exec */
    yoke_conn_close(p->there);
    snprintf(number, sizeof number, "%d", inherited);
    snprintf(script, sizeof script, "%s%s", head, p->script);
    execlp("python3", "python3", "-c", script, number, (char *)NULL);
    return 98;
}

pid_t python_start(yoke_conn **here, const char *script)
{
    program p = {.script = script};

    python_need();
    pipe_make(&p.here, &p.there, false);
    pid_t child = child_start(run_python, &p);
    yoke_conn_close(p.there);
    *here = p.here;
    return child;
}
