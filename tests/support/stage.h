/* A loop that a test runs, and what a watch's function does there. */
#ifndef YOKE_TESTS_STAGE_H
#define YOKE_TESTS_STAGE_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include <yoke/uv.h>
#include <yoke/yoke.h>

#define MINUTE 60000

typedef struct stage {
    uv_loop_t   loop;
    uv_timer_t  limit;
    yoke_queue *queue;
    int         closed; /* how many watches have gone */
} stage;

/* The test fails if the loop still runs after a minute. */
void stage_begin(stage *s, size_t max_items);
/* All watches have been stopped: the loop comes to its end by itself. */
void stage_end(stage *s);
void stage_rounds(stage *s, int count);

void put_number(yoke_queue *queue, uint32_t number);
bool take_number(yoke_queue *queue, uint32_t *number);

typedef struct seen {
    stage      *stage;
    yoke_watch *watch;
    yoke_watch *other; /* stopped too, when this one is */
    int         calls, stop_after, last, closed;
    bool        takes;
    uint32_t    expected; /* number of the next message */
} seen;

/* A watch's function, and that of its end. */
void on_ready(yoke_watch *watch, int status, void *user);
void count_closed(void *user);

/* Group setup: what lives as long as the process is made, the domain, what it rings with, and what starting a process
 * leaves. */
int stage_setup(void **state);

#endif
