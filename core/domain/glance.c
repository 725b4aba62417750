/* Judging a domain by a copy of its first bytes, which may be anything. */
#include "names.h"

#include "../backend.h"
#include "../error.h"
#include "make.h"
#include "participant.h"

#include <stdlib.h>

#define HEADER_BYTES sizeof(yoke__header)
#define GLANCE_BYTES offsetof(yoke__domain_layout, threads)

int yoke__glance_begin(yoke__glance *glance)
{
    *glance = (yoke__glance){.copy = calloc(1, sizeof *glance->copy)};
    return glance->copy ? YOKE_OK : yoke__fail(YOKE_ENOMEM, "no memory for a look at named domains");
}

void yoke__glance_end(yoke__glance *glance)
{
    free(glance->copy);
    glance->copy = NULL;
}

void yoke__slots_count(yoke__domain_layout *layout, uint32_t *alive, uint32_t *dead)
{
    yoke_domain domain = {.layout = layout};
    *alive = *dead = 0;
    for (uint32_t i = 0, bound = yoke__slot_bound(&domain); i < bound; i++) {
        yoke__participant *participant = &layout->participants[i];
        uint64_t           word = yoke__a64_load_acquire(&participant->word);
        if (yoke__slot_state_of(word) == YOKE__SLOT_FREE)
            continue;
        if (yoke__slot_alive(participant, word))
            ++*alive;
        else
            ++*dead;
    }
}

/* Whether this process can judge it: see yoke__domain_peek() and yoke__domain_validate(), which look at mapped memory. */
static int check(const yoke__glance *glance, size_t got, const char *name)
{
    const yoke__header *header = &glance->copy->header;
    yoke_identity       self;
    YOKE_TRY(yoke__domain_check_header(header, got < HEADER_BYTES ? 0 : glance->about.size, name));
    YOKE_TRY(yoke__backend()->life->self(&self));
    if (header->space != self.space)
        return yoke__fail(YOKE_EPROTO, "%s: it is of another pid namespace or boot", name);
    return YOKE_OK;
}

int yoke__glance_at(yoke__glance *glance, const char *name)
{
    const yoke_memory_ops *ops = yoke__backend()->memory;
    size_t                 got = 0;
    YOKE_TRY(ops->name_read(name, &glance->about, 0, glance->copy, GLANCE_BYTES, &got));
    glance->alive = glance->dead = 0;
    glance->finished = got >= sizeof glance->copy->header.magic &&
                       yoke__a64_load_relaxed(&glance->copy->header.magic) != 0;
    glance->code = glance->finished ? check(glance, got, name) : YOKE_EPROTO;
    if (glance->code == YOKE_OK)
        yoke__slots_count(glance->copy, &glance->alive, &glance->dead);
    return YOKE_OK;
}
