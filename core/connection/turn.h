/* Taking turns among the threads of one process, for as long as a message takes: a mutex with a deadline. */
#ifndef YOKE_CORE_CONNECTION_TURN_H
#define YOKE_CORE_CONNECTION_TURN_H

#include "../atomic.h"
#include "../wait/deadline.h"

typedef struct yoke__turn {
    yoke__a32 word; /* 0 free, 1 taken, 2 taken and somebody may sleep */
} yoke__turn;

/* YOKE_OK or YOKE_ETIMEDOUT; notes nothing. */
int yoke__turn_take(yoke__turn *turn, yoke__deadline deadline);
/* The same without waiting. False: another thread has it, whose pass will tell that somebody asked. */
bool yoke__turn_try(yoke__turn *turn);
/* True: others have asked for it. */
bool yoke__turn_pass(yoke__turn *turn);

#endif
