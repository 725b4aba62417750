/*
 * How long to spin before sleeping: about what falling asleep and being woken costs, as long as that helps. The iterations
 * that make that time are measured once, as the CPU's pause takes from 5 to 150 cycles. Whoever spins in vain spins half
 * as long the next time, and after some times hardly ever: those waited for may have no CPU of their own. One spin that
 * was worth it is enough to spin fully again. The rare ones are of full length: two that wait for each other in turn, and
 * have both come to sleep, answer no sooner than a sleeper wakes, and would never find out otherwise.
 */
#include "word.h"

#include "../backend.h"

#define TARGET   INT64_C(40000) /* ns */
#define PROBE    256u
#define SHORTEST 16u
#define LONGEST  16384u

#define HALVINGS 5u  /* the shortest spin is the longest one halved as often */
#define RARELY   16u /* and then it is only tried once in so many times, the longest */

static uint32_t measure(const yoke_system_ops *system)
{
    int64_t best = TARGET;

    for (int run = 0; run < 3; run++) { /* the shortest run is the one that was not interrupted */
        int64_t start = system->now();
        for (uint32_t i = 0; i < PROBE; i++)
            yoke__cpu_relax();
        int64_t took = system->now() - start;
        if (took > 0 && took < best)
            best = took;
    }
    int64_t iterations = TARGET * (int64_t)PROBE / best;
    return iterations < SHORTEST ? SHORTEST : iterations > LONGEST ? LONGEST : (uint32_t)iterations;
}

/* On a machine with a lone CPU nobody can do meanwhile what one waits for. How many this process may use doesn't matter:
 * others may use others. */
static uint32_t calibrate(void)
{
    const yoke_system_ops *system = yoke__backend()->system;

    return system->cpu_count_all() > 1 ? measure(system) : 0;
}

static yoke__a32 longest_known; /* + 1; 0: not measured yet. Threads that race measure twice, to no harm. */

static uint32_t longest(void)
{
    uint32_t known = yoke__a32_load_relaxed(&longest_known);

    if (known == 0) {
        known = calibrate() + 1;
        yoke__a32_store_relaxed(&longest_known, known);
    }
    return known - 1;
}

void yoke__spin_set(uint32_t iterations)
{
    yoke__a32_store_relaxed(&longest_known, iterations + 1);
}

yoke__spin yoke__spin_begin(yoke__spin_luck *luck)
{
    if (luck->halvings < HALVINGS)
        return (yoke__spin){luck, longest() >> luck->halvings};
    return (yoke__spin){luck, ++luck->skipped % RARELY == 0 ? longest() : 0};
}

bool yoke__spin_for(yoke__spin *spin, uint32_t iterations)
{
    if (spin->left == 0) {
        spin->luck->halvings += spin->luck->halvings < HALVINGS;
        return false;
    }
    if (iterations > spin->left)
        iterations = spin->left;
    spin->left -= iterations;
    while (iterations-- > 0)
        yoke__cpu_relax();
    return true;
}

void yoke__spin_won(yoke__spin *spin)
{
    spin->luck->halvings = 0;
}
