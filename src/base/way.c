/* way.c: long work gives way to searches, slice by slice. */
#include "base/way.h"

#include "base/clock.h"

#include <sched.h>
#include <stddef.h>

enum {
    SLICE_US = 100,
    RECENT_US = 1000000, /* searches that ended so long ago are not over: the next one comes */
    GIVEN_MOST = 3,      /* at least a quarter of the time is the work's own, */
    WINDOW_US = 100000   /* of so much of it */
};

/* Of the calling thread. */
static _Thread_local struct {
    const ir_way *way;
    uint64_t since_us; /* its slice began */
    uint64_t worked_us, given_us;
    uint_fast64_t answered;
    uint64_t answered_us; /* when that grew */
} mine;

const ir_way *ir_way_set(const ir_way *way)
{
    const ir_way *before = mine.way;
    mine.way = way;
    if (way && way->answered && way != before)
        mine.answered = atomic_load_explicit(way->answered, memory_order_relaxed);
    return before;
}

const ir_way *ir_way_get(void)
{
    return mine.way;
}

static bool anybody_asks(uint64_t now_us)
{
    if (!mine.way->answered)
        return true;
    uint_fast64_t answered = atomic_load_explicit(mine.way->answered, memory_order_relaxed);
    if (answered != mine.answered) {
        mine.answered = answered;
        mine.answered_us = now_us;
    }
    return mine.answered_us > 0 && now_us - mine.answered_us < RECENT_US;
}

void ir_give_way(void)
{
    if (!mine.way)
        return;
    uint64_t now_us = ir_clock_us();
    if (now_us - mine.since_us < SLICE_US)
        return;
    mine.worked_us += now_us - mine.since_us;
    if (mine.worked_us + mine.given_us > WINDOW_US) {
        mine.worked_us = mine.worked_us < WINDOW_US ? mine.worked_us / 2 : WINDOW_US / 2;
        mine.given_us /= 2;
    }
    if (anybody_asks(now_us) && mine.given_us < GIVEN_MOST * mine.worked_us) {
        sched_yield();
        uint64_t back_us = ir_clock_us();
        mine.given_us += back_us - now_us;
        now_us = back_us;
    }
    mine.since_us = now_us;
}

bool ir_way_is_asked(void)
{
    return mine.way && anybody_asks(ir_clock_us());
}
