#include "death_note.h"

#include "../domain/participant.h"
#include "../options.h"

#include <string.h>

void yoke__death_copy_fill(yoke__death_copy *copy, const yoke__obituary *known)
{
    uint64_t words[YOKE__NAME_SIZE / 8];

    memcpy(words, known->name, sizeof words);
    yoke__a64_store_relaxed(&copy->pid, (uint64_t)known->pid);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        yoke__a64_store_relaxed(&copy->name[i], words[i]);
}

void yoke__death_copy_read(const yoke__death_copy *copy, yoke__obituary *out)
{
    uint64_t words[YOKE__NAME_SIZE / 8];

    out->pid = (int64_t)yoke__a64_load_relaxed(&copy->pid);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        words[i] = yoke__a64_load_relaxed(&copy->name[i]);
    memcpy(out->name, words, sizeof words);
    out->name[YOKE__NAME_SIZE - 1] = '\0';
}

/*
 * Into the copy that nobody reads; the version commits it. The fence is for a reader that is still in that copy, two
 * deaths late: if it sees any of our stores, it also sees that the version has moved.
 */
void yoke__death_write(yoke_domain *domain, yoke__death_note *note, yoke__token dead)
{
    uint32_t          version = yoke__a32_load_relaxed(&note->version);
    yoke__death_copy *copy = &note->copies[(version + 1) % 2];
    yoke__obituary    known;

    yoke__token_describe(domain, dead, &known);
    yoke__fence_seq_cst();
    yoke__a32_store_relaxed(&copy->token, dead);
    yoke__death_copy_fill(copy, &known);
    yoke__a32_store_release(&note->version, version + 1);
}

static void read_note(const yoke__death_note *note, yoke__obituary *out)
{
    uint32_t version;

    do {
        version = yoke__a32_load_acquire(&note->version);
        const yoke__death_copy *copy = &note->copies[version % 2];
        out->token = yoke__a32_load_relaxed(&copy->token);
        yoke__death_copy_read(copy, out);
        yoke__fence_seq_cst();
    } while (yoke__a32_load_relaxed(&note->version) != version);
}

void yoke__death_report(yoke_domain *domain, const yoke__obituary *dead, yoke_death *out)
{
    yoke__obituary end;
    yoke_death     told = {.pid = dead->pid};

    memcpy(told.name, dead->name, sizeof told.name);
    yoke__token_describe(domain, dead->token, &end);
    if (end.how != 0) {
        told.exit_known = true;
        told.exit_code = end.how == 1 ? end.code : 0;
        told.exit_signal = end.how == 2 ? end.code : 0;
    }
    yoke__report_fill(out, &told, sizeof told);
}
_Static_assert(sizeof((yoke_death *)0)->name == YOKE__NAME_SIZE, "names of processes fit");

void yoke__death_tell(yoke_domain *domain, const yoke__death_note *note, yoke_death *out)
{
    yoke__obituary dead = {0};

    read_note(note, &dead);
    yoke__death_report(domain, &dead, out);
}
