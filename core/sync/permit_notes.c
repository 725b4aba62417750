/*
 * Who died holding a permit, for as long as a permit says so. Permits have the tokens of the dead; names and process ids
 * are in notes, written by recovery before the slot of the dead is free, which is under the registry lock: one writer. A
 * note is used again when no permit has its token any more. Each permit has one token of the dead at most, so there is
 * such a note whenever there are as many notes as permits.
 *
 *   token = whose note it is; 0 while it is written, stored last. Who reads finds the same token before and after.
 */
#include "semaphore.h"

#define NOTES_MAX 64u

uint32_t yoke__permit_notes(uint32_t permits)
{
    return permits < NOTES_MAX ? permits : NOTES_MAX;
}

uint64_t yoke__permit_notes_size(uint32_t notes)
{
    return notes * (uint64_t)sizeof(yoke__death_copy);
}

static yoke__death_copy *note_at(const yoke__semaphore_state *state, uint32_t place)
{
    yoke__death_copy *notes = (yoke__death_copy *)(uintptr_t)(state->permit + state->permits);

    return &notes[place];
}

/* Its place, or how many notes there are. */
static uint32_t find(const yoke__semaphore_state *state, yoke__token token)
{
    uint32_t place = 0;

    while (place < state->notes && yoke__a32_load_acquire(&note_at(state, place)->token) != token)
        place++;
    return place;
}

/* Whether a permit is, or was before, that token's. */
static bool is_named(const yoke__semaphore_state *state, yoke__token token)
{
    for (uint32_t place = 0; place < state->permits; place++) {
        uint64_t word = yoke__a64_load_acquire(&state->permit[place]);
        if (yoke__permit_holder(word) == token || yoke__permit_dead(word) == token)
            return true;
    }
    return false;
}

/* Whether it will be when the permits of `dead` have been given back: who had these before is asked for no more. So if dead
 * has or had a permit, fewer others are named than there are permits. */
static bool stays_named(const yoke__semaphore_state *state, yoke__token token, yoke__token dead)
{
    for (uint32_t place = 0; place < state->permits; place++) {
        uint64_t word = yoke__a64_load_acquire(&state->permit[place]);
        if (yoke__permit_holder(word) != dead &&
            (yoke__permit_holder(word) == token || yoke__permit_dead(word) == token))
            return true;
    }
    return false;
}

/* One whose dead nobody will ask for. Of more permits than there are notes, more may be asked for: then any. notes: not 0. */
static yoke__death_copy *free_note(const yoke__semaphore_state *state, uint32_t notes, yoke__token dead)
{
    for (uint32_t i = 0; i < notes; i++) {
        yoke__token token = yoke__a32_load_relaxed(&note_at(state, i)->token);
        if (token == 0 || !stays_named(state, token, dead))
            return note_at(state, i);
    }
    return note_at(state, dead % notes);
}

void yoke__permit_note_write(yoke_domain *domain, yoke__semaphore_state *state, yoke__token dead)
{
    yoke__obituary known;
    uint32_t       notes = state->notes;

    if (notes == 0 || find(state, dead) < notes || !is_named(state, dead))
        return;
    yoke__death_copy *note = free_note(state, notes, dead);
    yoke__token_describe(domain, dead, &known);
    yoke__a32_store_relaxed(&note->token, 0);
    yoke__fence_seq_cst(); /* who sees what follows sees that the note is no longer what it was */
    yoke__death_copy_fill(note, &known);
    yoke__a32_store_release(&note->token, dead);
}

bool yoke__permit_note_read(yoke_domain *domain, const yoke__semaphore_state *state, yoke__token dead,
                            yoke__obituary *out)
{
    uint32_t place = find(state, dead);

    *out = (yoke__obituary){.token = dead};
    if (place < state->notes) {
        yoke__death_copy_read(note_at(state, place), out);
        yoke__fence_seq_cst();
        if (yoke__a32_load_relaxed(&note_at(state, place)->token) == dead)
            return true;
    }
    yoke__token_describe(domain, dead, out); /* not recovered yet, or a short while ago */
    return out->pid != 0;
}
