/* Starting a program through libuv (spawn.c): what is left to each system's backend. */
#ifndef YOKE_BACKENDS_UV_LAUNCH_H
#define YOKE_BACKENDS_UV_LAUNCH_H

#include <uv.h>
#include <yoke/backend.h>

/* What one child is given. Made and freed by the system's backend. */
typedef struct yoke__uv_outfit {
    uv_stdio_container_t *natives; /* from malloc */
    int                   count;
    unsigned              flags;   /* UV_PROCESS_… */
    yoke_native           pipe[2]; /* the system's own */
} yoke__uv_outfit;

/* The running executable, even if its file was replaced or removed, where the system can tell. */
int  yoke__uv_own_program(char *out, size_t size);
int  yoke__uv_outfit_make(yoke__uv_outfit *out, const yoke_launch *launch);
void yoke__uv_outfit_free(yoke__uv_outfit *outfit);
/* The process runs: gives it what libuv could not. On failure it has been ended. */
int yoke__uv_hand_over(yoke__uv_outfit *outfit, const uv_process_t *process, const yoke_launch *launch);

#endif
