/* yoke_main: is this process the program, or a child of it that was spawned? */
#include "family.h"
#include "options.h"

#include "../backend.h"
#include "../error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "N:backend" behind the flag. */
static size_t parse_flag(const char *text)
{
    size_t count = 0, digits = 0;

    for (; text[digits] >= '0' && text[digits] <= '9' && digits < 4; digits++)
        count = count * 10 + (size_t)(text[digits] - '0');
    if (digits == 0 || text[digits] != ':' || count < YOKE__CHILD_NATIVES ||
        count > YOKE__CHILD_NATIVES + YOKE__START_NATIVES)
        yoke__child_refuse("the argument is not of this library's making: %.60s", text);
    const char *name = text + digits + 1;
    if (yoke_backend_choose(name) < 0 && strcmp(yoke__backend()->name, name) != 0)
        yoke__child_refuse("it was started with backend %.40s, and this process uses %s", name, yoke__backend()->name);
    return count;
}

static void read_message(yoke__start_message *message, yoke_native lifeline)
{
    /* It was written before the process was made, so there is nothing to wait for. */
    if (yoke__backend()->process->lifeline_read(lifeline, message, sizeof *message, 0) < 0)
        yoke__child_refuse("there is no start message: %s", yoke_last_error()->text);
    if (message->magic != YOKE__START_MAGIC)
        yoke__child_refuse("what was sent to it is no start message");
    if (message->version != YOKE__START_VERSION || message->size != sizeof *message)
        yoke__child_refuse(
            "its parent speaks version %u of the start message (%u bytes) and this process version %u (%zu bytes): "
            "both have to use the same build of the library",
            (unsigned)message->version, (unsigned)message->size, YOKE__START_VERSION, sizeof *message);
    message->name[sizeof message->name - 1] = '\0';
}

static _Noreturn void run_as_child(const char *flag)
{
    yoke_native       natives[YOKE__CHILD_NATIVES + YOKE__START_NATIVES];
    size_t            count = parse_flag(flag);
    yoke__child_start start = {.natives = natives + YOKE__CHILD_NATIVES, .native_count = count - YOKE__CHILD_NATIVES};
    yoke__start_message *message = &start.message;

    if (yoke__backend()->process->claim_natives(natives, count) < 0)
        yoke__child_refuse("it was given nothing to start with: %s", yoke_last_error()->text);
    start.lifeline = natives[YOKE__CHILD_LIFE];
    read_message(message, start.lifeline);
    yoke__self_become(message);
    yoke__self_init();
    if (yoke__domain_adopt(&start.domain, natives[YOKE__CHILD_MEMORY], message->domain_reserve, message->domain_id) < 0)
        yoke__child_refuse("its parent's domain can't be used: %s", yoke_last_error()->text);
    if (message->role == YOKE__ROLE_FORKSERVER)
        yoke__forkserver_run(&start);
    if (message->role != YOKE__ROLE_CHILD)
        yoke__child_refuse("role %u is unknown", (unsigned)message->role);
    yoke__child_run(&start);
}

void yoke_main(int argc, char **argv)
{
    yoke__self *self = &yoke__self_state;

    if (self->ready)
        return;
    if (argc > 0 && argv && argv[0])
        snprintf(self->program, sizeof self->program, "%s", argv[0]);
    if (argc > 1 && argv && strncmp(argv[1], YOKE__CHILD_FLAG, strlen(YOKE__CHILD_FLAG)) == 0)
        run_as_child(argv[1] + strlen(YOKE__CHILD_FLAG));
    self->ready = true;
    yoke__self_init();
}
