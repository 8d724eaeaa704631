/* graph_parts.h: what the files that build the graph share. */
#ifndef IR_INDEX_GRAPH_PARTS_H
#define IR_INDEX_GRAPH_PARTS_H

#include "index/beam.h"
#include "index/graph.h"

#include <string.h>

/* Candidates of one pruning at most: a search's expanded nodes, or a full list and new sources. */
#define IR_GRAPH_CANDIDATES_MAX 512

/* What stands behind a row's numbers (each + 128). */
typedef struct ir_graph_tail {
    float norm_squared; /* of the 8-bit numbers, scaled: equal rows have distance 0 exactly */
    float scale;
    float extra;
    int32_t sum; /* of the numbers, signed */
} ir_graph_tail;

static inline ir_graph_tail ir_graph_tail_of(const ir_graph_rows *rows, uint32_t slot)
{
    ir_graph_tail tail;
    memcpy(&tail, rows->base + slot * rows->stride + rows->dimension, sizeof tail);
    return tail;
}

/* The squared distance of two rows from their ir_code_kernels.bytes_gram, `b` the right one. It is
 * the same whichever of them is the right one. */
static inline float ir_graph_distance(const ir_graph_tail *a, const ir_graph_tail *b, int32_t gram)
{
    float product = (float)(gram - 128 * b->sum), extra = a->extra - b->extra;
    float distance = a->norm_squared + b->norm_squared - 2 * (a->scale * b->scale) * product +
                     extra * extra;
    return distance > 0 ? distance : 0;
}

/* Distances are kept with the row they lead to in one number that sorts by both. */
static inline uint64_t ir_graph_key(float distance, uint32_t slot)
{
    uint32_t bits;
    memcpy(&bits, &distance, sizeof bits);
    return (uint64_t)bits << 32 | slot;
}

static inline float ir_graph_key_distance(uint64_t key)
{
    uint32_t bits = (uint32_t)(key >> 32);
    float distance;
    memcpy(&distance, &bits, sizeof distance);
    return distance;
}

#define IR_GRAPH_NO_KEY UINT64_MAX

/* A graph while it grows: lists may have up to `room` edges until they are pruned. */
typedef struct ir_graph_draft {
    const ir_graph_spec *spec;
    uint32_t room;
    uint32_t *edges; /* count x room */
    uint8_t *degrees;
    const uint32_t *entries; /* where searches start, inserted already */
    uint32_t entry_count;
} ir_graph_draft;

/* One thread's tools. */
typedef struct ir_graph_scratch {
    int8_t *query; /* a row's numbers, signed */
    ir_graph_tail query_tail;
    ir_beam beam;
    ir_visited visited;
    ir_beam_entry *candidates; /* IR_GRAPH_CANDIDATES_MAX */
    uint32_t candidate_count;
    uint32_t *ids; /* IR_GRAPH_CANDIDATES_MAX each */
    int32_t *products;
    float *distances;
    bool out_of_memory;
} ir_graph_scratch;

int32_t ir_graph_scratch_create(ir_graph_scratch *out, const ir_graph_spec *spec,
                                imgret_error *error);
void ir_graph_scratch_free(ir_graph_scratch *scratch);

/* Makes row `slot` the one that distances are measured from. */
void ir_graph_measure_from(ir_graph_scratch *scratch, const ir_graph_rows *rows, uint32_t slot);

/* Distances from there to `count` rows, into scratch->distances. */
void ir_graph_measure(ir_graph_scratch *scratch, const ir_graph_rows *rows, const uint32_t *ids,
                      uint32_t count);

/* Walks to the neighbourhood of `slot`; what was expanded on the way becomes the candidates,
 * nearest first, `slot` itself not among them. */
void ir_graph_walk(ir_graph_scratch *scratch, const ir_graph_draft *draft, uint32_t slot,
                   uint32_t start);

/* Chooses at most spec.degree of the sorted candidates (and spends them). */
uint32_t ir_graph_prune(ir_graph_scratch *scratch, const ir_graph_spec *spec, uint32_t *out);

void ir_graph_sort_candidates(ir_graph_scratch *scratch);

/* Adds edges until every node can be reached from graph->entries, or makes it an entry. */
int32_t ir_graph_connect(ir_graph *graph, imgret_error *error);

#endif
