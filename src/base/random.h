/* random.h: small seeded random numbers (SplitMix64), the same on every machine. Not for secrets. */
#ifndef IR_BASE_RANDOM_H
#define IR_BASE_RANDOM_H

#include <stdint.h>

/* The state is any 64-bit seed. */
static inline uint64_t ir_random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

/* 0 <= result < bound; bound at least 1. The bias of at most bound / 2^64 does not matter here. */
static inline uint64_t ir_random_below(uint64_t *state, uint64_t bound)
{
    return (uint64_t)(((unsigned __int128)ir_random_next(state) * bound) >> 64);
}

/* 0 <= result < 1. */
static inline double ir_random_unit(uint64_t *state)
{
    return (double)(ir_random_next(state) >> 11) * 0x1p-53;
}

#endif
