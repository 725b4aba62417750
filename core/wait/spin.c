/*
 * How long to spin before sleeping: about what falling asleep and being woken costs. The iterations that make that time
 * are measured once, as the CPU's pause takes from 5 to 150 cycles.
 */
#include "word.h"

#include "../backend.h"

#define TARGET   INT64_C(10000) /* ns */
#define PROBE    256u
#define SHORTEST 16u
#define LONGEST  4096u

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

/* While one spins on a lone CPU, nobody can do what it waits for. */
static uint32_t calibrate(void)
{
    const yoke_system_ops *system = yoke__backend()->system;

    return system->cpu_count() > 1 ? measure(system) : 0;
}

yoke__spin yoke__spin_begin(void)
{
    static yoke__a32 iterations; /* + 1; 0: not measured yet. Threads that race measure twice, to no harm. */
    uint32_t         known = yoke__a32_load_relaxed(&iterations);

    if (known == 0) {
        known = calibrate() + 1;
        yoke__a32_store_relaxed(&iterations, known);
    }
    return (yoke__spin){known - 1};
}

bool yoke__spin_once(yoke__spin *spin)
{
    if (spin->left == 0)
        return false;
    spin->left--;
    yoke__cpu_relax();
    return true;
}
