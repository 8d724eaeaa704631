/* delta_inside.h: how a delta lies in memory; for delta.c and delta_search.c only. */
#ifndef IR_INDEX_DELTA_INSIDE_H
#define IR_INDEX_DELTA_INSIDE_H

#include "index/delta.h"
#include "kernels/kernels.h"

#include <stdalign.h>
#include <stdatomic.h>

/* Rows of a chunk fill about this much: large enough to read at full speed, small enough that an
 * interrupt is noticed within a millisecond and an empty database costs little. */
#define IR_DELTA_CHUNK_BYTES ((size_t)1 << 20)
#define IR_DELTA_ROW_ALIGNMENT 64u

/* The directory has two levels, so that it is never moved and costs 8 KiB when empty. */
#define IR_DELTA_SHELF_CHUNKS 1024u
#define IR_DELTA_SHELVES_MAX 1024u

typedef struct ir_delta_chunk {
    int64_t *ids;
    /* 1 / length of each vector, 0 for a zero vector, NaN where single precision does not do
     * (its squares overflow or vanish). NULL unless the metric is cosine. */
    double *norms_inverse;
    _Atomic uint8_t *removed;
    _Atomic(uint8_t *) codes; /* delta_codes.h; NULL: none yet */
    _Atomic uint8_t coding;   /* some thread makes them, has made them or cannot */
    uint32_t centroid;        /* of the codes */
    alignas(IR_DELTA_ROW_ALIGNMENT) unsigned char vectors[];
} ir_delta_chunk;

typedef struct ir_delta_coder ir_delta_coder;

struct ir_delta {
    uint32_t dimension;
    uint32_t metric;
    uint32_t vector_type;
    uint32_t chunk_rows;
    uint32_t row_floats; /* dimension and the zeros after it */
    size_t row_bytes;    /* from one row to the next */
    size_t vector_bytes;
    const ir_kernels *kernels;
    float *scratch; /* row_floats, of the one appender */
    _Atomic uint64_t row_count;
    _Atomic uint64_t removed_count;
    _Atomic uint64_t ram_bytes;
    ir_delta_coder *coder;    /* NULL: too few or too many dimensions for codes */
    _Atomic int64_t floor_id; /* ids up to it were dropped: they will not come back */
    ir_delta_chunk **shelves[IR_DELTA_SHELVES_MAX];
};

static inline ir_delta_chunk *ir_delta_chunk_at(const ir_delta *delta, uint64_t index)
{
    return delta->shelves[index / IR_DELTA_SHELF_CHUNKS][index % IR_DELTA_SHELF_CHUNKS];
}

static inline const void *ir_delta_row(const ir_delta *delta, const ir_delta_chunk *chunk,
                                       uint32_t row)
{
    return chunk->vectors + row * delta->row_bytes;
}

/* `query`, row_floats long, against `count` rows that lie together: inner products, or squared
 * distances. One way to sum for everything that is ever compared, so that it cancels. */
static inline void ir_delta_compare(const ir_delta *delta, const float *query, const void *rows,
                                    size_t count, bool l2, float *out)
{
    const ir_kernels *kernels = delta->kernels;
    size_t n = delta->row_floats;
    if (delta->vector_type == IMGRET_VECTOR_F16)
        (l2 ? kernels->l2sq_rows_f16 : kernels->dot_rows_f16)(query, rows, n, count, n, out);
    else
        (l2 ? kernels->l2sq_rows_f32 : kernels->dot_rows_f32)(query, rows, n, count, n, out);
}

#endif
