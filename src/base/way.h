/* way.h: long work gives way to searches, slice by slice.
 *
 * A thread that wakes up, as a search does after each of its reads, waits until the thread on its
 * processor has used up its slice: some 3 ms, while a whole search takes one. So threads that build and
 * merge offer the processor every SLICE_US of their own accord, with no lock held. Where nobody wants
 * it, that costs a call that returns at once.
 */
#ifndef IR_BASE_WAY_H
#define IR_BASE_WAY_H

#include <stdatomic.h>
#include <stdbool.h>

/* To whom a thread gives way. */
typedef struct ir_way {
    const atomic_uint_fast64_t *answered; /* grows as searches end; NULL: to everybody, always */
} ir_way;

/* From now on the calling thread gives way so; NULL: to nobody. `way` lives until the next call of
 * this. Returns the one before. The pool's threads follow the thread whose work they do. */
const ir_way *ir_way_set(const ir_way *way);
const ir_way *ir_way_get(void);

/* Called by what may take long every 0.1 ms or so, under no lock. */
void ir_give_way(void);

/* Whether the calling thread gives way and somebody asks: then what it reads and writes is to be had in
 * small parts as well. */
bool ir_way_is_asked(void);

#endif
