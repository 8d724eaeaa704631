/* graph.h: builds the proximity graph of a segment.
 *
 * Subramanya et al., "DiskANN: Fast Accurate Billion-point Nearest Neighbor Search on a Single
 * Node", NeurIPS 2019 (robust pruning); Rubel et al., "PiPNN: Ultra-Scalable Graph-Based Nearest
 * Neighbor Indexing", 2026 (candidates from overlapping partitions instead of searches); Manohar
 * et al., "ParlayANN", PPoPP 2024 (insertion in batches of growing size, which makes the result
 * independent of threads).
 */
#ifndef IR_INDEX_GRAPH_H
#define IR_INDEX_GRAPH_H

#include "base/pool.h"

#include <imgret/imgret.h>
#include <stdbool.h>
#include <stddef.h>

/* Vectors to build from: 8 bits a dimension with a scale of their own, in squared L2. A row is
 * `dimension` bytes (the number + 128) and a tail. */
typedef struct ir_graph_rows {
    uint8_t *base;
    size_t stride; /* ir_graph_row_bytes(dimension) */
    uint32_t count;
    uint32_t dimension; /* a multiple of 8 */
} ir_graph_rows;

size_t ir_graph_row_bytes(uint32_t dimension);

/* Writes a row; `extra` is one more coordinate, kept in full precision. */
void ir_graph_row_encode(const float *vector, uint32_t dimension, float extra, uint8_t *row);

typedef struct ir_graph_spec {
    const ir_graph_rows *rows;
    uint32_t degree; /* most neighbours of a node, 4 to 128 */
    uint32_t beam;   /* near rows that edges are chosen from */
    float alpha;     /* at least 1: how much nearer a detour must be to save an edge */
    uint64_t seed;
    const uint32_t
        *group_of;        /* a group of each row, or NULL: searches start at their group's first */
    uint32_t group_count; /* at least 1 */
    ir_pool *pool;
    /* Called now and then by the building thread with the share that is done; true stops. */
    bool (*stop)(void *context, double done);
    void *context;
} ir_graph_spec;

typedef struct ir_graph {
    uint32_t count;
    uint32_t degree;
    uint32_t *edges;   /* count x degree; a row is filled up with the node itself */
    uint32_t *entries; /* every node can be reached from these */
    uint32_t entry_count;
} ir_graph;

/* Free *out with ir_graph_free. */
int32_t ir_graph_build(ir_graph *out, const ir_graph_spec *spec, imgret_error *error);

/* Inserts the rows named in `fresh` (ascending, not all of them) into a graph of the others:
 * graph->count is that of all rows, the edges of fresh ones are not looked at, its entries are
 * found anew. On failure the graph is freed. */
int32_t ir_graph_insert(ir_graph *graph, const ir_graph_spec *spec, const uint32_t *fresh,
                        uint32_t fresh_count, imgret_error *error);

void ir_graph_free(ir_graph *graph);

/* Most bytes that building takes, the rows included: of the spec its degree, beam and pool. */
uint64_t ir_graph_build_bytes(const ir_graph_spec *spec, uint64_t count, uint32_t dimension);

#endif
