/* Judging a domain by copies of parts of it, which may be anything. */
#include "names.h"

#include "../backend.h"
#include "../error.h"
#include "make.h"
#include "participant.h"

#include <stdlib.h>

#define BATCH YOKE__SLOTS_FIRST

int yoke__glance_begin(yoke__glance *glance)
{
    *glance = (yoke__glance){.header = malloc(sizeof *glance->header),
                             .participants = malloc(BATCH * sizeof *glance->participants)};
    if (glance->header && glance->participants)
        return YOKE_OK;
    yoke__glance_end(glance);
    return yoke__fail(YOKE_ENOMEM, "no memory for a look at named domains");
}

void yoke__glance_end(yoke__glance *glance)
{
    free(glance->header);
    free(glance->participants);
    *glance = (yoke__glance){.code = YOKE_ENOENT};
}

void yoke__slots_count(yoke__participant *slots, uint32_t n, uint32_t *alive, uint32_t *dead)
{
    for (uint32_t i = 0; i < n; i++) {
        uint64_t word = yoke__a64_load_acquire(&slots[i].word);
        if (yoke__slot_state_of(word) == YOKE__SLOT_FREE)
            continue;
        if (yoke__slot_alive(&slots[i], word))
            ++*alive;
        else
            ++*dead;
    }
}

/* What is not there was never claimed. */
static int count_participants(yoke__glance *glance, const char *name)
{
    yoke_domain domain = {.layout = (yoke__domain_layout *)(void *)glance->header}; /* only its header is looked at */
    uint32_t    bound = yoke__slot_bound(&domain);
    for (uint32_t i = 0; i < bound; i += BATCH) {
        uint64_t offset = offsetof(yoke__domain_layout, participants) + i * sizeof *glance->participants;
        uint32_t n = bound - i < BATCH ? bound - i : BATCH;
        size_t   got = 0;
        YOKE_TRY(yoke__backend()->memory->name_read(name, &glance->about, offset, glance->participants,
                                                    n * sizeof *glance->participants, &got));
        yoke__slots_count(glance->participants, (uint32_t)(got / sizeof *glance->participants), &glance->alive,
                          &glance->dead);
    }
    return YOKE_OK;
}

/* Whether this process can judge it: see yoke__domain_peek() and yoke__domain_validate(), which look at mapped memory. */
static int check(const yoke__glance *glance, size_t got, const char *name)
{
    const yoke__header *header = glance->header;
    yoke_identity       self;
    YOKE_TRY(yoke__domain_check_header(header, got < sizeof *header ? 0 : glance->about.size, name));
    YOKE_TRY(yoke__backend()->life->self(&self));
    if (header->space != self.space)
        return yoke__fail(YOKE_EPROTO, "%s: it is of another pid namespace or boot", name);
    return YOKE_OK;
}

int yoke__glance_at(yoke__glance *glance, const char *name)
{
    size_t got = 0;
    YOKE_TRY(yoke__backend()->memory->name_read(name, &glance->about, 0, glance->header, sizeof *glance->header, &got));
    glance->alive = glance->dead = 0;
    glance->finished = got >= sizeof glance->header->magic && yoke__a64_load_relaxed(&glance->header->magic) != 0;
    glance->code = glance->finished ? check(glance, got, name) : YOKE_EPROTO;
    return glance->code == YOKE_OK ? count_participants(glance, name) : YOKE_OK;
}
