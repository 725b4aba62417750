/*
 * The one place that names the compiler's atomics. Every shared word is a yoke__a32 or a yoke__a64, and every access
 * says its order in its name, so that a reader sees what pairs with what.
 */
#ifndef YOKE_CORE_ATOMIC_H
#define YOKE_CORE_ATOMIC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* For the few functions of the fast paths that compilers would rather call. */
#define YOKE__INLINE static inline __attribute__((always_inline))

typedef struct yoke__a32 {
    _Atomic uint32_t word;
} yoke__a32;

typedef struct yoke__a64 {
    _Alignas(8) _Atomic uint64_t word;
} yoke__a64;

_Static_assert(sizeof(yoke__a32) == 4, "shared layout");
_Static_assert(sizeof(yoke__a64) == 8, "shared layout");

#define YOKE__ATOMIC(name, type, value_type)                                                                           \
    static inline value_type name##_load_relaxed(const type *a)                                                        \
    {                                                                                                                  \
        return atomic_load_explicit(&((type *)(uintptr_t)a)->word, memory_order_relaxed);                              \
    }                                                                                                                  \
    static inline value_type name##_load_acquire(const type *a)                                                        \
    {                                                                                                                  \
        return atomic_load_explicit(&((type *)(uintptr_t)a)->word, memory_order_acquire);                              \
    }                                                                                                                  \
    static inline void name##_store_relaxed(type *a, value_type value)                                                 \
    {                                                                                                                  \
        atomic_store_explicit(&a->word, value, memory_order_relaxed);                                                  \
    }                                                                                                                  \
    static inline void name##_store_release(type *a, value_type value)                                                 \
    {                                                                                                                  \
        atomic_store_explicit(&a->word, value, memory_order_release);                                                  \
    }                                                                                                                  \
    static inline value_type name##_exchange_acq_rel(type *a, value_type value)                                        \
    {                                                                                                                  \
        return atomic_exchange_explicit(&a->word, value, memory_order_acq_rel);                                        \
    }                                                                                                                  \
    /* On failure *expected is what stands there. */                                                                   \
    static inline bool name##_cas_acq_rel(type *a, value_type *expected, value_type desired)                           \
    {                                                                                                                  \
        return atomic_compare_exchange_strong_explicit(&a->word, expected, desired, memory_order_acq_rel,              \
                                                       memory_order_acquire);                                          \
    }                                                                                                                  \
    static inline value_type name##_add_acq_rel(type *a, value_type n)                                                 \
    {                                                                                                                  \
        return atomic_fetch_add_explicit(&a->word, n, memory_order_acq_rel);                                           \
    }                                                                                                                  \
    static inline value_type name##_sub_acq_rel(type *a, value_type n)                                                 \
    {                                                                                                                  \
        return atomic_fetch_sub_explicit(&a->word, n, memory_order_acq_rel);                                           \
    }                                                                                                                  \
    static inline value_type name##_or_acq_rel(type *a, value_type bits)                                               \
    {                                                                                                                  \
        return atomic_fetch_or_explicit(&a->word, bits, memory_order_acq_rel);                                         \
    }                                                                                                                  \
    static inline value_type name##_and_acq_rel(type *a, value_type bits)                                              \
    {                                                                                                                  \
        return atomic_fetch_and_explicit(&a->word, bits, memory_order_acq_rel);                                        \
    }

YOKE__ATOMIC(yoke__a32, yoke__a32, uint32_t)
YOKE__ATOMIC(yoke__a64, yoke__a64, uint64_t)

/* CAS and load on integers in memory that a program also reaches by plain pointers (values). */
#define YOKE__PLAIN(bits)                                                                                              \
    static inline bool yoke__swap_##bits(void *at, uint##bits##_t from, uint##bits##_t to)                             \
    {                                                                                                                  \
        return __atomic_compare_exchange_n((uint##bits##_t *)at, &from, to, false, __ATOMIC_ACQ_REL,                   \
                                           __ATOMIC_ACQUIRE);                                                          \
    }                                                                                                                  \
    static inline uint##bits##_t yoke__load_##bits(const void *at)                                                     \
    {                                                                                                                  \
        return __atomic_load_n((const uint##bits##_t *)at, __ATOMIC_ACQUIRE);                                          \
    }
YOKE__PLAIN(8)
YOKE__PLAIN(16)
YOKE__PLAIN(32)
YOKE__PLAIN(64)
#undef YOKE__PLAIN

/* Full fence: the half of "store mine, then look at yours" that acquire and release can't give. */
static inline void yoke__fence_seq_cst(void)
{
    atomic_thread_fence(memory_order_seq_cst);
}

/* The same where the last store was an exchange, addition or CAS: on x86 that is a full fence itself. Elsewhere later loads may pass
 * it, whatever its order. */
static inline void yoke__fence_after_exchange(void)
{
#if defined(__i386__) || defined(__x86_64__)
    atomic_signal_fence(memory_order_seq_cst);
#else
    atomic_thread_fence(memory_order_seq_cst);
#endif
}

/* Tells the CPU that this is a spin loop. */
static inline void yoke__cpu_relax(void)
{
#if defined(__i386__) || defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield" ::: "memory");
#endif
}

#endif
