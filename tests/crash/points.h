/*
 * Stops before each store to shared memory. Compiled into copies of core's sources by -include, ahead of everything: other
 * processes can tell two states of a process apart only by its stores, so dying before each of them covers what dying at
 * each instruction does, at a fraction of the work. (What is written without an atomic operation is prepared out of
 * sight, or the format is wrong.)
 */
#ifndef YOKE_TESTS_CRASH_POINTS_H
#define YOKE_TESTS_CRASH_POINTS_H

#include "core/atomic.h"

void crash_point(void);

#define yoke__a32_store_relaxed(a, value)         (crash_point(), yoke__a32_store_relaxed(a, value))
#define yoke__a32_store_release(a, value)         (crash_point(), yoke__a32_store_release(a, value))
#define yoke__a32_exchange_acq_rel(a, value)      (crash_point(), yoke__a32_exchange_acq_rel(a, value))
#define yoke__a32_cas_acq_rel(a, expected, value) (crash_point(), yoke__a32_cas_acq_rel(a, expected, value))
#define yoke__a32_add_acq_rel(a, value)           (crash_point(), yoke__a32_add_acq_rel(a, value))
#define yoke__a32_sub_acq_rel(a, value)           (crash_point(), yoke__a32_sub_acq_rel(a, value))
#define yoke__a32_or_acq_rel(a, value)            (crash_point(), yoke__a32_or_acq_rel(a, value))
#define yoke__a32_and_acq_rel(a, value)           (crash_point(), yoke__a32_and_acq_rel(a, value))
#define yoke__a64_store_relaxed(a, value)         (crash_point(), yoke__a64_store_relaxed(a, value))
#define yoke__a64_store_release(a, value)         (crash_point(), yoke__a64_store_release(a, value))
#define yoke__a64_exchange_acq_rel(a, value)      (crash_point(), yoke__a64_exchange_acq_rel(a, value))
#define yoke__a64_cas_acq_rel(a, expected, value) (crash_point(), yoke__a64_cas_acq_rel(a, expected, value))
#define yoke__a64_add_acq_rel(a, value)           (crash_point(), yoke__a64_add_acq_rel(a, value))
#define yoke__a64_sub_acq_rel(a, value)           (crash_point(), yoke__a64_sub_acq_rel(a, value))
#define yoke__a64_or_acq_rel(a, value)            (crash_point(), yoke__a64_or_acq_rel(a, value))
#define yoke__a64_and_acq_rel(a, value)           (crash_point(), yoke__a64_and_acq_rel(a, value))

#endif
