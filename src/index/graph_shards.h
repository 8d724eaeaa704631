/* graph_shards.h: builds a graph of rows that do not fit into memory at once. */
#ifndef IR_INDEX_GRAPH_SHARDS_H
#define IR_INDEX_GRAPH_SHARDS_H

#include "index/graph.h"
#include "index/spill.h"

typedef struct ir_graph_shards {
    const ir_graph_spec *spec; /* its rows: only count, stride and dimension; group_of is given */
    const ir_spill *rows;      /* all rows, one after the other */
    const uint8_t *second_of;  /* the second nearest group of each row */
    uint64_t memory_bytes_max; /* for everything that is allocated */
    uint64_t held_bytes;       /* what the caller holds meanwhile, for the message */
} ir_graph_shards;

/* Rows are in the shards of both their groups, so that shards overlap; a shard is as many groups as
 * there is memory for. Each is linked by itself; a row's edges are taken from both. As
 * ir_graph_build, and LIMIT with the least memory that works. */
int32_t ir_graph_build_shards(ir_graph *out, const ir_graph_shards *shards, imgret_error *error);

#endif
