/* gate.h: the writer's lock: first come, first served, and waiting for it can be stopped. */
#ifndef IR_CATALOG_GATE_H
#define IR_CATALOG_GATE_H

#include <pthread.h>
#include <stdbool.h>

typedef struct ir_gate_waiter ir_gate_waiter;

/* A plain mutex would let a thread that commits group after group pass those that wait. */
typedef struct ir_gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    ir_gate_waiter *first; /* oldest; the nodes live on their threads' stacks */
    ir_gate_waiter *last;
    bool held;
    pthread_t owner; /* while held */
} ir_gate;

/* 0, or an errno value. */
int ir_gate_init(ir_gate *gate);
void ir_gate_destroy(ir_gate *gate);

/* False when `stop` (may be NULL) said so while waiting. Not for a thread that is inside. */
bool ir_gate_enter(ir_gate *gate, bool (*stop)(void *context), void *context);
void ir_gate_leave(ir_gate *gate);

bool ir_gate_is_mine(ir_gate *gate);

#endif
