/* best.h: the k best neighbours of a stream, in a bounded heap with the worst at its root. */
#ifndef IR_INDEX_BEST_H
#define IR_INDEX_BEST_H

#include "index/delta.h"

#include <stdbool.h>

typedef struct ir_best {
    ir_neighbor *items; /* room for `capacity`; items[0] is the worst kept */
    uint32_t count;
    uint32_t capacity; /* at least 1 */
} ir_best;

/* Whether `a` comes after `b` in the order of results: score descending, id ascending. */
static inline bool ir_best_is_after(ir_neighbor a, ir_neighbor b)
{
    return a.score < b.score || (a.score == b.score && a.id > b.id);
}

/* Whether `neighbor` would be kept. */
static inline bool ir_best_wants(const ir_best *best, ir_neighbor neighbor)
{
    return best->count < best->capacity || ir_best_is_after(best->items[0], neighbor);
}

/* Keeps `neighbor`, and drops the worst when there is no room. Its score must not be NaN. */
void ir_best_keep(ir_best *best, ir_neighbor neighbor);

/* Puts what was kept in the order of results; nothing can be kept afterwards. */
void ir_best_sort(ir_best *best);

#endif
