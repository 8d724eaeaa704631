/* call.c: one call on a database, as far as stopping it goes. */
#include "engine/call.h"

#include "base/clock.h"

#include <stddef.h>

static _Thread_local ir_call *current;
static _Thread_local const uint32_t *stop_of_thread;

void ir_call_begin(ir_call *call, const atomic_uint_fast64_t *interrupts)
{
    call->interrupts = interrupts;
    call->interrupts_at_start = atomic_load(interrupts);
    call->deadline_us = 0;
    call->stop = stop_of_thread;
    call->outer = current;
    current = call;
}

void ir_call_end(ir_call *call)
{
    current = call->outer;
}

ir_call *ir_call_join(ir_call *call)
{
    ir_call *before = current;
    current = call;
    return before;
}

void ir_call_leave(ir_call *before)
{
    current = before;
}

const uint32_t *ir_call_set_stop(const uint32_t *stop)
{
    const uint32_t *before = stop_of_thread;
    stop_of_thread = stop;
    return before;
}

static bool is_interrupted(const ir_call *call)
{
    /* The caller's word is no _Atomic: C++ and other languages could not declare it. */
    return atomic_load_explicit(call->interrupts, memory_order_relaxed) !=
               call->interrupts_at_start ||
           (call->stop && __atomic_load_n(call->stop, __ATOMIC_RELAXED) != 0);
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
