/* gate.c: the writer's lock: first come, first served, and waiting for it can be stopped. */
#include "catalog/gate.h"

#include <stddef.h>
#include <time.h>

#define STOP_POLL_NS 20000000L

struct ir_gate_waiter {
    ir_gate_waiter *next;
    pthread_t thread;
    bool granted;
};

int ir_gate_init(ir_gate *gate)
{
    *gate = (ir_gate){0};
    pthread_condattr_t attributes;
    int failure = pthread_condattr_init(&attributes);
    if (failure)
        return failure;
    failure = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    if (!failure)
        failure = pthread_cond_init(&gate->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    if (failure)
        return failure;
    failure = pthread_mutex_init(&gate->lock, NULL);
    if (failure)
        pthread_cond_destroy(&gate->changed);
    return failure;
}

void ir_gate_destroy(ir_gate *gate)
{
    pthread_mutex_destroy(&gate->lock);
    pthread_cond_destroy(&gate->changed);
}

static void append(ir_gate *gate, ir_gate_waiter *waiter)
{
    if (gate->last)
        gate->last->next = waiter;
    else
        gate->first = waiter;
    gate->last = waiter;
}

static void take_out(ir_gate *gate, ir_gate_waiter *waiter)
{
    ir_gate_waiter *before = NULL;
    for (ir_gate_waiter *at = gate->first; at != waiter; at = at->next)
        before = at;
    if (before)
        before->next = waiter->next;
    else
        gate->first = waiter->next;
    if (gate->last == waiter)
        gate->last = before;
}

static void wait_a_while(ir_gate *gate)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += STOP_POLL_NS;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    pthread_cond_timedwait(&gate->changed, &gate->lock, &until);
}

bool ir_gate_enter(ir_gate *gate, bool (*stop)(void *context), void *context)
{
    ir_gate_waiter self = {.thread = pthread_self()};
    pthread_mutex_lock(&gate->lock);
    if (!gate->held) {
        gate->held = true;
        gate->owner = self.thread;
        self.granted = true;
    } else {
        append(gate, &self);
    }
    while (!self.granted) {
        wait_a_while(gate);
        if (!self.granted && stop && stop(context)) {
            take_out(gate, &self);
            break;
        }
    }
    pthread_mutex_unlock(&gate->lock);
    return self.granted;
}

void ir_gate_leave(ir_gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    ir_gate_waiter *next = gate->first;
    if (next) { /* handed over without ever being free: nobody slips in between */
        take_out(gate, next);
        gate->owner = next->thread;
        next->granted = true;
        pthread_cond_broadcast(&gate->changed);
    } else {
        gate->held = false;
    }
    pthread_mutex_unlock(&gate->lock);
}

bool ir_gate_is_mine(ir_gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    bool mine = gate->held && pthread_equal(gate->owner, pthread_self());
    pthread_mutex_unlock(&gate->lock);
    return mine;
}
