/* delta.c: the vectors not yet in a segment: storing, hiding and finding them by id.
 *
 *   shelves[0] -> chunk 0 | chunk 1 | ...        row r lies in chunk r / chunk_rows
 *   shelves[1] -> ...                            chunk: ids, norms, tombstones, vectors
 *
 * Invariants, which let any number of threads read beside the one that appends, without a lock:
 *  1. A row, its chunk and its place in the directory are written before row_count counts it
 *     (release), and a reader looks only at rows below the row_count it has read (acquire).
 *  2. What is counted never moves, and never changes but for its tombstone, which only goes up.
 *  3. Ids ascend with the rows.
 *  4. Every stored vector is finite, and followed by zeros up to row_bytes.
 */
#include "index/delta.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/way.h"
#include "index/delta_codes.h"
#include "index/delta_inside.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define DIMENSION_MAX 65536u
/* With fewer, comparing a vector takes no longer than its code. */
#define CODED_DIMENSION_MIN 64u
#define BLOCK 256u /* elements converted at a time through the stack */

static size_t round_up(size_t bytes, size_t multiple)
{
    return (bytes + multiple - 1) / multiple * multiple;
}

static int32_t check_kind(uint32_t dimension, uint32_t metric, uint32_t vector_type,
                          imgret_error *error)
{
    if (dimension < 1 || dimension > DIMENSION_MAX)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "dimension is %" PRIu32 ", vectors have 1 to %u", dimension, DIMENSION_MAX);
    if (metric < IMGRET_METRIC_COSINE || metric > IMGRET_METRIC_L2)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "metric %" PRIu32 " is unknown", metric);
    if (vector_type != IMGRET_VECTOR_F16 && vector_type != IMGRET_VECTOR_F32)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "vector type %" PRIu32 " is unknown",
                       vector_type);
    return IMGRET_OK;
}

int32_t ir_delta_create(ir_delta **out, uint32_t dimension, uint32_t metric, uint32_t vector_type,
                        imgret_error *error)
{
    *out = NULL;
    int32_t status = check_kind(dimension, metric, vector_type, error);
    if (status)
        return status;
    size_t element_bytes = vector_type == IMGRET_VECTOR_F16 ? sizeof(uint16_t) : sizeof(float);
    ir_delta *delta = ir_calloc(1, sizeof *delta);
    if (!delta)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for the vectors");
    delta->dimension = dimension;
    delta->metric = metric;
    delta->vector_type = vector_type;
    delta->vector_bytes = dimension * element_bytes;
    delta->row_bytes = round_up(delta->vector_bytes, IR_DELTA_ROW_ALIGNMENT);
    delta->row_floats = (uint32_t)(delta->row_bytes / element_bytes);
    delta->chunk_rows = (uint32_t)(IR_DELTA_CHUNK_BYTES / delta->row_bytes);
    delta->kernels = ir_kernels_get();
    delta->scratch = ir_calloc(delta->row_floats, sizeof delta->scratch[0]);
    if (!delta->scratch) {
        ir_free(delta);
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for the vectors");
    }
    if (dimension >= CODED_DIMENSION_MIN && dimension <= IR_DIMENSION_MAX &&
        ir_delta_coder_create(&delta->coder, dimension, metric, vector_type, NULL)) {
        ir_delta_free(delta);
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for the vectors");
    }
    atomic_store(&delta->ram_bytes, sizeof *delta + delta->row_floats * sizeof delta->scratch[0]);
    *out = delta;
    return IMGRET_OK;
}

void ir_delta_free(ir_delta *delta)
{
    if (!delta)
        return;
    for (uint32_t shelf = 0; shelf < IR_DELTA_SHELVES_MAX && delta->shelves[shelf]; shelf++) {
        for (uint32_t i = 0; i < IR_DELTA_SHELF_CHUNKS; i++) {
            ir_delta_chunk *chunk = delta->shelves[shelf][i];
            if (chunk)
                ir_free_aligned(atomic_load(&chunk->codes));
            ir_free_aligned(chunk);
        }
        ir_free(delta->shelves[shelf]);
    }
    ir_delta_coder_free(delta->coder);
    ir_free(delta->scratch);
    ir_free(delta);
}

size_t ir_delta_vector_bytes(const ir_delta *delta)
{
    return delta->vector_bytes;
}

/* ---- Between floats and the stored type. Stored bytes of a caller may lie anywhere: blocks go
 * through the stack, where they are aligned. ---- */

static int32_t encode_halves(const ir_delta *delta, const float *vector, unsigned char *out,
                             imgret_error *error)
{
    uint16_t block[BLOCK];
    for (uint32_t at = 0; at < delta->dimension; at += BLOCK) {
        uint32_t count = delta->dimension - at < BLOCK ? delta->dimension - at : BLOCK;
        delta->kernels->f16_from_f32(block, vector + at, count);
        for (uint32_t i = 0; i < count; i++)
            if ((block[i] & 0x7C00u) == 0x7C00u)
                return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                               "component %" PRIu32 " of the vector is %g, half precision ends "
                               "at 65504: use IMGRET_VECTOR_F32 or scale it",
                               at + i, (double)vector[at + i]);
        memcpy(out + at * sizeof block[0], block, count * sizeof block[0]);
    }
    return IMGRET_OK;
}

int32_t ir_delta_encode(const ir_delta *delta, const float *vector, void *out, imgret_error *error)
{
    for (uint32_t i = 0; i < delta->dimension; i++)
        if (!isfinite(vector[i]))
            return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                           "component %" PRIu32 " of the vector is %g, not a finite number", i,
                           (double)vector[i]);
    if (delta->vector_type == IMGRET_VECTOR_F16)
        return encode_halves(delta, vector, out, error);
    memcpy(out, vector, delta->vector_bytes);
    return IMGRET_OK;
}

void ir_delta_decode(const ir_delta *delta, const void *stored, float *out)
{
    if (delta->vector_type == IMGRET_VECTOR_F32) {
        memcpy(out, stored, delta->vector_bytes);
        return;
    }
    uint16_t block[BLOCK];
    for (uint32_t at = 0; at < delta->dimension; at += BLOCK) {
        uint32_t count = delta->dimension - at < BLOCK ? delta->dimension - at : BLOCK;
        memcpy(block, (const unsigned char *)stored + at * sizeof block[0],
               count * sizeof block[0]);
        delta->kernels->f32_from_f16(out + at, block, count);
    }
}

/* ---- Appending: one thread at a time ---- */

/* One block of memory: the struct, the vectors, then what belongs to them. */
static ir_delta_chunk *make_chunk(const ir_delta *delta, size_t *bytes)
{
    size_t rows = delta->chunk_rows;
    size_t norms = delta->metric == IMGRET_METRIC_COSINE ? rows : 0;
    size_t vectors_bytes = rows * delta->row_bytes;
    *bytes = sizeof(ir_delta_chunk) + vectors_bytes + rows * sizeof(int64_t) +
             norms * sizeof(double) + rows;
    ir_delta_chunk *chunk = ir_malloc_aligned(alignof(ir_delta_chunk), *bytes);
    if (!chunk)
        return NULL;
    unsigned char *rest = chunk->vectors + vectors_bytes;
    chunk->ids = (int64_t *)(void *)rest;
    rest += rows * sizeof(int64_t);
    chunk->norms_inverse = norms ? (double *)(void *)rest : NULL;
    rest += norms * sizeof(double);
    chunk->removed = (_Atomic uint8_t *)rest;
    atomic_init(&chunk->codes, NULL);
    atomic_init(&chunk->coding, 0);
    chunk->centroid = 0;
    for (size_t row = 0; row < rows; row++)
        atomic_init(&chunk->removed[row], 0);
    return chunk;
}

/* The chunk of the next row, made when it is missing. */
static int32_t reach_chunk(ir_delta *delta, uint64_t index, ir_delta_chunk **out,
                           imgret_error *error)
{
    uint64_t shelf = index / IR_DELTA_SHELF_CHUNKS;
    if (shelf >= IR_DELTA_SHELVES_MAX)
        return ir_fail(error, IMGRET_LIMIT, "the vectors in memory would exceed %u GiB",
                       (unsigned)(IR_DELTA_SHELVES_MAX * (IR_DELTA_SHELF_CHUNKS / 1024)));
    if (!delta->shelves[shelf]) {
        delta->shelves[shelf] = ir_calloc(IR_DELTA_SHELF_CHUNKS, sizeof(ir_delta_chunk *));
        if (!delta->shelves[shelf])
            return ir_fail(error, IMGRET_NO_MEMORY, "no memory for another vector");
        atomic_fetch_add(&delta->ram_bytes, IR_DELTA_SHELF_CHUNKS * sizeof(ir_delta_chunk *));
    }
    ir_delta_chunk **place = &delta->shelves[shelf][index % IR_DELTA_SHELF_CHUNKS];
    if (!*place) {
        size_t bytes;
        *place = make_chunk(delta, &bytes);
        if (!*place)
            return ir_fail(error, IMGRET_NO_MEMORY, "no memory for another vector");
        atomic_fetch_add(&delta->ram_bytes, bytes);
    }
    *out = *place;
    return IMGRET_OK;
}

/* 1 / the length of the row whose floats are given, as ir_delta_chunk keeps it. Summed by the
 * kernel that compares, so that a vector against itself gives 1 whatever the rounding. */
static double inverse_norm(const ir_delta *delta, const void *row, const float *floats)
{
    float square;
    ir_delta_compare(delta, floats, row, 1, false, &square);
    if (square >= 0x1p-80f && square <= 0x1p100f)
        return 1.0 / sqrt((double)square);
    for (uint32_t i = 0; i < delta->dimension; i++)
        if (floats[i] != 0.0f)
            return NAN;
    return 0.0;
}

int32_t ir_delta_append(ir_delta *delta, int64_t id, const void *stored, imgret_error *error)
{
    uint64_t row_count = atomic_load_explicit(&delta->row_count, memory_order_relaxed);
    int64_t last = ir_delta_last_id(delta);
    if (id <= last)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "vector id %" PRId64 " does not follow %" PRId64, id, last);
    ir_delta_chunk *chunk = NULL;
    int32_t status = reach_chunk(delta, row_count / delta->chunk_rows, &chunk, error);
    if (status)
        return status;
    uint32_t at = (uint32_t)(row_count % delta->chunk_rows);
    unsigned char *row = chunk->vectors + at * delta->row_bytes;
    memcpy(row, stored, delta->vector_bytes);
    memset(row + delta->vector_bytes, 0, delta->row_bytes - delta->vector_bytes);
    ir_delta_decode(delta, row, delta->scratch);
    for (uint32_t i = 0; i < delta->dimension; i++)
        if (!isfinite(delta->scratch[i]))
            return ir_fail(error, IMGRET_CORRUPT,
                           "component %" PRIu32 " of the stored vector %" PRId64 " is not finite",
                           i, id);
    chunk->ids[at] = id;
    if (chunk->norms_inverse)
        chunk->norms_inverse[at] = inverse_norm(delta, row, delta->scratch);
    atomic_store_explicit(&delta->row_count, row_count + 1, memory_order_release);
    return IMGRET_OK;
}

/* ---- Finding and hiding by id: any thread ---- */

static int64_t id_at(const ir_delta *delta, uint64_t row)
{
    return ir_delta_chunk_at(delta, row / delta->chunk_rows)->ids[row % delta->chunk_rows];
}

/* The chunk and place of `id`, or NULL. */
static ir_delta_chunk *find(const ir_delta *delta, int64_t id, uint32_t *at)
{
    uint64_t count = atomic_load_explicit(&delta->row_count, memory_order_acquire);
    uint64_t low = 0, high = count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (id_at(delta, middle) < id)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == count || id_at(delta, low) != id)
        return NULL;
    *at = (uint32_t)(low % delta->chunk_rows);
    return ir_delta_chunk_at(delta, low / delta->chunk_rows);
}

bool ir_delta_remove(ir_delta *delta, int64_t id)
{
    uint32_t at;
    ir_delta_chunk *chunk = find(delta, id, &at);
    if (!chunk || atomic_exchange(&chunk->removed[at], 1) != 0)
        return false;
    atomic_fetch_add(&delta->removed_count, 1);
    return true;
}

const void *ir_delta_get(const ir_delta *delta, int64_t id)
{
    uint32_t at;
    const ir_delta_chunk *chunk = find(delta, id, &at);
    return chunk && atomic_load(&chunk->removed[at]) == 0 ? ir_delta_row(delta, chunk, at) : NULL;
}

int64_t ir_delta_last_id(const ir_delta *delta)
{
    uint64_t count = atomic_load_explicit(&delta->row_count, memory_order_acquire);
    int64_t last = count > 0 ? id_at(delta, count - 1) : 0, floor = atomic_load(&delta->floor_id);
    return last > floor ? last : floor;
}

/* ---- Dropping what is in a segment now ---- */

/* Brings the copy of the rows above `id` in step: removes what was removed since, appends what was
 * appended. */
static int32_t copy_rows_above(const ir_delta *from, int64_t id, ir_delta *to, imgret_error *error)
{
    uint64_t count = atomic_load_explicit(&from->row_count, memory_order_acquire);
    int64_t copied = ir_delta_last_id(to);
    int32_t status = IMGRET_OK;
    for (uint64_t row = 0; !status && row < count; row++) {
        const ir_delta_chunk *chunk = ir_delta_chunk_at(from, row / from->chunk_rows);
        uint32_t at = (uint32_t)(row % from->chunk_rows);
        bool removed = atomic_load(&chunk->removed[at]) != 0;
        if (chunk->ids[at] <= id)
            continue;
        if (removed)
            ir_delta_remove(to, chunk->ids[at]); /* if it was there when it was copied */
        else if (chunk->ids[at] > copied)
            status = ir_delta_append(to, chunk->ids[at], ir_delta_row(from, chunk, at), error);
        ir_give_way();
    }
    return status;
}

static void swap_number(_Atomic uint64_t *a, _Atomic uint64_t *b)
{
    uint64_t old = atomic_load(a);
    atomic_store(a, atomic_load(b));
    atomic_store(b, old);
}

/* The handles stay, what they hold changes places. */
static void swap_contents(ir_delta *a, ir_delta *b)
{
    for (uint32_t i = 0; i < IR_DELTA_SHELVES_MAX; i++) {
        ir_delta_chunk **old = a->shelves[i];
        a->shelves[i] = b->shelves[i];
        b->shelves[i] = old;
    }
    swap_number(&a->row_count, &b->row_count);
    swap_number(&a->removed_count, &b->removed_count);
    swap_number(&a->ram_bytes, &b->ram_bytes);
    ir_delta_coder *coder = a->coder;
    a->coder = b->coder;
    b->coder = coder;
}

int32_t ir_delta_prepare_drop(const ir_delta *delta, int64_t id, ir_delta **out,
                              imgret_error *error)
{
    ir_delta *rest;
    *out = NULL;
    int32_t status = ir_delta_create(&rest, delta->dimension, delta->metric, delta->vector_type,
                                     error);
    if (status)
        return status;
    atomic_store(&rest->floor_id, id);
    status = copy_rows_above(delta, id, rest, error);
    if (status) {
        ir_delta_free(rest);
        return status;
    }
    *out = rest;
    return IMGRET_OK;
}

int32_t ir_delta_drop(ir_delta *delta, int64_t id, ir_delta **rest, imgret_error *error)
{
    int32_t status = *rest ? copy_rows_above(delta, id, *rest, error)
                           : ir_delta_prepare_drop(delta, id, rest, error);
    if (status)
        return status;
    int64_t last = ir_delta_last_id(delta);
    swap_contents(delta, *rest);
    atomic_store(&delta->floor_id, last > id ? last : id); /* the last row may be removed */
    return IMGRET_OK;
}

uint64_t ir_delta_count(const ir_delta *delta)
{
    /* In this order: whatever is removed by now was counted before. */
    uint64_t removed = atomic_load(&delta->removed_count);
    return atomic_load(&delta->row_count) - removed;
}

uint64_t ir_delta_ram_bytes(const ir_delta *delta)
{
    return atomic_load(&delta->ram_bytes) + ir_delta_coder_ram_bytes(delta->coder);
}
