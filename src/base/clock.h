/* clock.h: time that only goes forward, and the calendar's. */
#ifndef IR_BASE_CLOCK_H
#define IR_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Microseconds of a clock that never goes back. */
static inline uint64_t ir_clock_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Milliseconds since the Unix epoch. */
static inline int64_t ir_clock_epoch_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

#endif
