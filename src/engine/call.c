/* call.c: one call on a database, as far as stopping it goes. */
#include "engine/call.h"

#include "base/clock.h"

#include <stddef.h>

static _Thread_local ir_call *current;

void ir_call_begin(ir_call *call, const atomic_uint_fast64_t *interrupts)
{
    call->interrupts = interrupts;
    call->interrupts_at_start = atomic_load(interrupts);
    call->deadline_us = 0;
    call->outer = current;
    current = call;
}

void ir_call_end(ir_call *call)
{
    current = call->outer;
}

static bool is_interrupted(const ir_call *call)
{
    return atomic_load_explicit(call->interrupts, memory_order_relaxed) !=
           call->interrupts_at_start;
}

bool ir_call_stopped(void *call)
{
    const ir_call *given = call;
    return is_interrupted(given) ||
           (given->deadline_us != 0 && ir_clock_us() >= given->deadline_us);
}

bool ir_call_is_late(const ir_call *call)
{
    return call->deadline_us != 0 && ir_clock_us() >= call->deadline_us && !is_interrupted(call);
}

bool ir_call_current_stopped(void *unused)
{
    (void)unused;
    return current && ir_call_stopped(current);
}

ir_call *ir_call_shield(void)
{
    ir_call *shielded = current;
    current = NULL;
    return shielded;
}

void ir_call_unshield(ir_call *shielded)
{
    current = shielded;
}
