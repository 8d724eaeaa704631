/* graph_near.h: many near rows of each row, found by cutting the rows into cells again and again. */
#ifndef IR_INDEX_GRAPH_NEAR_H
#define IR_INDEX_GRAPH_NEAR_H

#include "index/graph_parts.h"

/* Row s's nearest rows that were met: keys[s * room] on, ascending, filled up with
 * IR_GRAPH_NO_KEY. */
typedef struct ir_graph_near {
    uint64_t *keys;
    uint32_t room;
    uint32_t
        *order; /* given by the caller, filled: all rows, such as lie near one another together */
} ir_graph_near;

/* Meets the rows of each other's cells in `rounds` independent cuts. The same for any number of
 * threads. Free out->keys with ir_free. */
int32_t ir_graph_near_find(ir_graph_near *out, const ir_graph_spec *spec, uint32_t room,
                           uint32_t rounds, imgret_error *error);

/* Bytes that each thread takes meanwhile. */
uint64_t ir_graph_near_thread_bytes(uint32_t dimension);

#endif
