/* graph_cells.h: cuts rows into small cells of rows that lie near one another. */
#ifndef IR_INDEX_GRAPH_CELLS_H
#define IR_INDEX_GRAPH_CELLS_H

#include "index/graph.h"

/* Cell c holds members[ends[c - 1]] to members[ends[c] - 1] (from 0 for the first), ascending.
 * Each row is in one cell. */
typedef struct ir_graph_cells {
    uint32_t *members;
    uint32_t *ends;
    uint32_t count;
} ir_graph_cells;

/* Cells of at most `rows_max` (at least 16) rows, by a random choice of leaders that the others
 * join; cells too large are cut again. Takes O(count log count) distances. The same for any number
 * of threads. Free *out with ir_graph_cells_free. */
int32_t ir_graph_cells_cut(ir_graph_cells *out, const ir_graph_rows *rows, uint32_t rows_max,
                           uint64_t seed, ir_pool *pool, imgret_error *error);
void ir_graph_cells_free(ir_graph_cells *cells);

#endif
