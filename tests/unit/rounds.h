/* rounds.h: how long a test with many random rounds runs, and its numbers, the same everywhere. */
#ifndef IR_TESTS_ROUNDS_H
#define IR_TESTS_ROUNDS_H

#include "testing.h"

/* IMGRET_TEST_LONG=1 (make torture): the long form. */
static inline uint32_t round_count(uint32_t rounds_short, uint32_t rounds_long)
{
    const char *wanted = getenv("IMGRET_TEST_LONG");
    return wanted && wanted[0] == '1' ? rounds_long : rounds_short;
}

/* IMGRET_TEST_SEED repeats what a failure printed; else the same every time. */
static inline uint64_t first_seed(void)
{
    const char *wanted = getenv("IMGRET_TEST_SEED");
    return wanted && wanted[0] ? strtoull(wanted, NULL, 10) : 1;
}

/* SplitMix64 (Steele, Lea, Flood 2014). */
static inline uint64_t next_random(uint64_t *state)
{
    uint64_t value = *state += 0x9E3779B97F4A7C15u;
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
    value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
    return value ^ (value >> 31);
}

/* 0 to limit - 1. */
static inline uint32_t random_below(uint64_t *state, uint32_t limit)
{
    return (uint32_t)(next_random(state) % limit);
}

#endif
