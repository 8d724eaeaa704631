/* call.c: one call on a database, as far as stopping it goes. */
#include "engine/call.h"

#include <stddef.h>

static _Thread_local ir_call *current;

void ir_call_begin(ir_call *call, const atomic_uint_fast64_t *interrupts)
{
    call->interrupts = interrupts;
    call->interrupts_at_start = atomic_load(interrupts);
    call->outer = current;
    current = call;
}

void ir_call_end(ir_call *call)
{
    current = call->outer;
}

bool ir_call_stopped(void *call)
{
    const ir_call *given = call;
    return atomic_load_explicit(given->interrupts, memory_order_relaxed) !=
           given->interrupts_at_start;
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
