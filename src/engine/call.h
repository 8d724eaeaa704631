/* call.h: one call on a database, as far as stopping it goes. */
#ifndef IR_ENGINE_CALL_H
#define IR_ENGINE_CALL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* imgret_interrupt raises a database's counter; a call is stopped when the counter has moved since
 * the call began, so later calls are not affected and nothing has to be reset. */
typedef struct ir_call {
    const atomic_uint_fast64_t *interrupts;
    uint_fast64_t interrupts_at_start;
    uint64_t deadline_us;  /* of ir_clock_us; 0: none */
    const uint32_t *stop;  /* of imgret_set_stop when the call began; NULL: none */
    struct ir_call *outer; /* the call in whose callback this one was made */
} ir_call;

/* Makes `call` the thread's current one; ends come in reverse order. */
void ir_call_begin(ir_call *call, const atomic_uint_fast64_t *interrupts);
void ir_call_end(ir_call *call);

/* Makes `call`, which another thread has begun, this one's current call as well until
 * `ir_call_leave(before)`: for threads that do parts of its work. */
ir_call *ir_call_join(ir_call *call);
void ir_call_leave(ir_call *before);

/* Calls that this thread begins from now on are interrupted once *stop, read atomically, is not 0;
 * NULL: by nothing but the database's counter. Returns the one before. */
const uint32_t *ir_call_set_stop(const uint32_t *stop);

/* Whether `call` (an ir_call, any thread) was interrupted, or its deadline has passed; fits the stop
 * callbacks of the rooms. */
bool ir_call_stopped(void *call);

/* The same for the calling thread's current call; false outside of any. `unused` fits it to the
 * catalogue, whose stop callback belongs to the handle rather than to a call. */
bool ir_call_current_stopped(void *unused);

/* Whether the deadline has passed, and nobody interrupted the call. */
bool ir_call_is_late(const ir_call *call);

/* Until `ir_call_unshield(shielded)`, the current call is not stopped on this thread: for the
 * commit of what an interrupted call has done. */
ir_call *ir_call_shield(void);
void ir_call_unshield(ir_call *shielded);

#endif
