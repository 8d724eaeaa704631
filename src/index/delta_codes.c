/* delta_codes.c: one bit a dimension of the delta's full chunks, to pass over most of their rows.
 *
 * The codes are those of segments (codes.h: Gao & Long, SIGMOD 2024), with means of chunks as
 * centroids. A row is passed over when its estimated key lies CERTAINTY standard deviations of the
 * estimate above what is looked for: by the normal distribution a row that belongs to the answer is
 * lost once in 30,000 times.
 *
 * Invariants: a centroid, and `unit` with the first, is written before centroid_count counts it
 * (release), never changed after; a chunk's codes and `centroid` before `codes` points to them.
 */
#include "index/delta_codes.h"

#include "base/alloc.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

enum { CENTROIDS_MAX = 64, BLOCK_ROWS = 64 };

#define SEED 0x64656C7461u
#define LENGTH_SQUARED_MIN 1e-16
#define LENGTH_SQUARED_MAX 1e16
#define SPREAD_MAX 1e3 /* a chunk's residuals, in units */

static const float certainty = 4.0f;

struct ir_delta_coder {
    ir_code_shape shape;
    ir_space space; /* not centred: the centroids do that */
    float *zeros;
    float *centroids;
    _Atomic uint32_t centroid_count;
    _Atomic uint64_t ram_bytes;
    pthread_mutex_t lock; /* of whoever adds a centroid */
};

int32_t ir_delta_coder_create(ir_delta_coder **out, uint32_t dimension, uint32_t metric,
                              uint32_t vector_type, imgret_error *error)
{
    *out = NULL;
    ir_delta_coder *coder = ir_calloc(1, sizeof *coder);
    if (!coder)
        return IMGRET_NO_MEMORY;
    pthread_mutex_init(&coder->lock, NULL);
    int32_t status = ir_rotation_create(&coder->space.rotation, dimension, SEED, error);
    if (!status) {
        coder->shape = ir_code_shape_of(ir_rotation_dimension(coder->space.rotation), 1);
        coder->zeros = ir_calloc(dimension, sizeof coder->zeros[0]);
        coder->centroids = ir_malloc_array((size_t)CENTROIDS_MAX * coder->shape.dimension,
                                           sizeof coder->centroids[0]);
    }
    if (status || !coder->zeros || !coder->centroids) {
        ir_delta_coder_free(coder);
        return status ? status : IMGRET_NO_MEMORY;
    }
    coder->space.dimension = dimension;
    coder->space.metric = metric;
    coder->space.vector_type = vector_type;
    coder->space.mean = coder->zeros;
    coder->space.unit = 1;
    atomic_store(&coder->ram_bytes, sizeof *coder + dimension * sizeof coder->zeros[0]);
    *out = coder;
    return IMGRET_OK;
}

void ir_delta_coder_free(ir_delta_coder *coder)
{
    if (!coder)
        return;
    pthread_mutex_destroy(&coder->lock);
    ir_rotation_free(coder->space.rotation);
    ir_free(coder->zeros);
    ir_free(coder->centroids);
    ir_free(coder);
}

uint64_t ir_delta_coder_ram_bytes(const ir_delta_coder *coder)
{
    return coder ? atomic_load(&coder->ram_bytes) : 0;
}

/* ---- Coding ---- */

/* Room to code a chunk in. */
typedef struct work {
    float *mean; /* of the loaded rows, not rotated */
    float *loaded;
    float *rotated;
    float *floats; /* all of them */
    double spread; /* mean squared distance of the rows from their mean */
} work;

/* Mean and spread of a chunk; false when a row is beyond what codes can tell. */
static bool look_over(const ir_delta *delta, const ir_delta_chunk *chunk, work *w)
{
    const ir_space *space = &delta->coder->space;
    double squares = 0, mean_square = 0;
    memset(w->mean, 0, delta->dimension * sizeof w->mean[0]);
    for (uint32_t row = 0; row < delta->chunk_rows; row++) {
        double length = ir_space_load(space, ir_delta_row(delta, chunk, row), w->loaded);
        if (!(length <= LENGTH_SQUARED_MAX) || (length > 0 && length < LENGTH_SQUARED_MIN))
            return false;
        squares += space->metric == IMGRET_METRIC_COSINE ? length > 0 : length;
        for (uint32_t j = 0; j < delta->dimension; j++)
            w->mean[j] += w->loaded[j];
    }
    for (uint32_t j = 0; j < delta->dimension; j++) {
        w->mean[j] /= (float)delta->chunk_rows;
        mean_square += (double)w->mean[j] * (double)w->mean[j];
    }
    w->spread = squares / delta->chunk_rows - mean_square;
    return w->spread > 0;
}

/* The place of the centroid nearest to `mean` (rotated): a new one while there is room. */
static uint32_t settle_centroid(ir_delta_coder *coder, const float *mean)
{
    uint32_t count = atomic_load(&coder->centroid_count), n = coder->shape.dimension, best = 0;
    if (count < CENTROIDS_MAX) {
        memcpy(coder->centroids + (size_t)count * n, mean, n * sizeof mean[0]);
        atomic_fetch_add(&coder->ram_bytes, n * sizeof mean[0]);
        atomic_store_explicit(&coder->centroid_count, count + 1, memory_order_release);
        return count;
    }
    const ir_kernels *kernels = ir_kernels_get();
    float nearest = INFINITY;
    for (uint32_t k = 0; k < count; k++) {
        float apart = kernels->l2sq_f32(coder->centroids + (size_t)k * n, mean, n);
        if (apart < nearest) {
            nearest = apart;
            best = k;
        }
    }
    return best;
}

/* Fixes the unit with the first chunk, and finds the chunk's centroid; false when its vectors are
 * of quite another size than those before. */
static bool choose_centroid(ir_delta_coder *coder, work *w, uint32_t *out)
{
    pthread_mutex_lock(&coder->lock);
    if (atomic_load(&coder->centroid_count) == 0)
        coder->space.unit = (float)sqrt(w->spread);
    double spread = sqrt(w->spread) / (double)coder->space.unit;
    bool fits = spread < SPREAD_MAX && spread > 1 / SPREAD_MAX;
    if (fits) {
        ir_space_rotate(&coder->space, w->mean, w->rotated);
        *out = settle_centroid(coder, w->rotated);
    }
    pthread_mutex_unlock(&coder->lock);
    return fits;
}

/* The bits of all rows of a chunk lie first, then their tails, aligned. */
static size_t tails_at(const ir_delta *delta)
{
    return ((size_t)delta->chunk_rows * (delta->coder->shape.dimension / 8) + 63) / 64 * 64;
}

static uint64_t *tails_of(const ir_delta *delta, uint8_t *codes)
{
    return (uint64_t *)(void *)(codes + tails_at(delta));
}

static void encode_rows(const ir_delta *delta, const ir_delta_chunk *chunk, uint32_t centroid,
                        work *w, uint8_t *codes)
{
    uint8_t record[4096 / 8 + 8];
    const ir_delta_coder *coder = delta->coder;
    uint32_t n = coder->shape.dimension;
    const float *middle = coder->centroids + (size_t)centroid * n;
    for (uint32_t row = 0; row < delta->chunk_rows; row++) {
        double length = ir_space_load(&coder->space, ir_delta_row(delta, chunk, row), w->loaded);
        ir_space_rotate(&coder->space, w->loaded, w->rotated);
        for (uint32_t j = 0; j < n; j++)
            w->rotated[j] -= middle[j];
        ir_code_source source = {
            .residual = w->rotated,
            .centroid = middle,
            .centroid_index = centroid,
            .key_offset = ir_space_key_offset(&coder->space, length),
        };
        ir_code_encode(&coder->shape, &source, record, NULL);
        ir_code_split_sign(&coder->shape, record, codes + (size_t)row * (n / 8),
                           tails_of(delta, codes) + row);
    }
}

static bool get_room(const ir_delta *delta, work *w)
{
    size_t n = delta->coder->shape.dimension; /* at least delta->dimension */
    w->floats = ir_malloc_array(3 * n, sizeof w->floats[0]);
    w->mean = w->floats;
    w->loaded = w->floats ? w->floats + n : NULL;
    w->rotated = w->floats ? w->floats + 2 * n : NULL;
    return w->floats != NULL;
}

void ir_delta_code_chunk(const ir_delta *delta, ir_delta_chunk *chunk)
{
    ir_delta_coder *coder = delta->coder;
    work w = {0};
    uint32_t centroid = 0;
    if (atomic_exchange(&chunk->coding, 1) != 0)
        return;
    size_t bytes = tails_at(delta) + delta->chunk_rows * sizeof(uint64_t);
    uint8_t *codes = NULL;
    if (get_room(delta, &w) && look_over(delta, chunk, &w) && choose_centroid(coder, &w, &centroid))
        codes = ir_malloc_aligned(64, bytes + IR_CODE_SLACK_BYTES);
    if (codes) {
        encode_rows(delta, chunk, centroid, &w, codes);
        atomic_fetch_add(&coder->ram_bytes, bytes);
        chunk->centroid = centroid;
        atomic_store_explicit(&chunk->codes, codes, memory_order_release);
    }
    ir_free(w.floats);
}

const uint8_t *ir_delta_codes(const ir_delta_chunk *chunk, uint32_t centroid_count)
{
    const uint8_t *codes = atomic_load_explicit(&chunk->codes, memory_order_acquire);
    return codes && chunk->centroid < centroid_count ? codes : NULL;
}

/* ---- Asking ---- */

uint32_t ir_delta_centroid_count(const ir_delta *delta)
{
    return delta->coder ? atomic_load_explicit(&delta->coder->centroid_count, memory_order_acquire)
                        : 0;
}

static size_t floats_bytes(const ir_delta *delta)
{
    return (delta->coder->shape.dimension * sizeof(float) + 63) / 64 * 64;
}

size_t ir_delta_coded_query_bytes(const ir_delta *delta)
{
    return (ir_code_query_bytes(&delta->coder->shape) + 63) / 64 * 64 + 2 * floats_bytes(delta);
}

bool ir_delta_prepare_coded(const ir_delta *delta, const float *vector, uint32_t centroid_count,
                            void *memory, ir_delta_coded_query *out)
{
    const ir_delta_coder *coder = delta->coder;
    uint32_t n = coder->shape.dimension;
    float *loaded = memory, *rotated = (float *)(void *)((char *)memory + floats_bytes(delta));
    void *rest = (char *)memory + 2 * floats_bytes(delta);
    out->squared = ir_space_load_query(&coder->space, vector, loaded);
    ir_space_rotate(&coder->space, loaded, rotated);
    float length = ir_code_kernels_get()->dot(rotated, rotated, n);
    if (!(out->squared > LENGTH_SQUARED_MIN) || !(out->squared < LENGTH_SQUARED_MAX) ||
        !isfinite(length))
        return false;
    out->code.plain = coder->space.metric != IMGRET_METRIC_INNER_PRODUCT;
    ir_code_centroids centroids = {coder->centroids, NULL, centroid_count};
    ir_code_query_prepare(&out->code, &coder->shape, rotated, &centroids, rest);
    return true;
}

uint32_t ir_delta_may_score(const ir_delta *delta, const ir_delta_coded_query *query,
                            const uint8_t *codes, uint32_t first, uint32_t count, double score_min,
                            uint32_t *out)
{
    const ir_delta_coder *coder = delta->coder;
    const uint64_t *tails = (const uint64_t *)(const void *)(codes + tails_at(delta));
    size_t stride = coder->shape.dimension / 8;
    float keys[BLOCK_ROWS], errors[BLOCK_ROWS];
    double key = ir_space_key(&coder->space, score_min, query->squared);
    float key_max = (float)(key + 1e-5 * (1 + fabs(key))); /* both are rounded */
    uint32_t found = 0, end = first + count;
    for (; first < end; first += BLOCK_ROWS) {
        uint32_t part = end - first < BLOCK_ROWS ? end - first : BLOCK_ROWS;
        ir_code_estimate_split(&coder->shape, &query->code, codes + first * stride, tails + first,
                               part, keys, errors);
        for (uint32_t i = 0; i < part; i++) { /* without a branch that few rows would take */
            out[found] = first + i;
            found += !(keys[i] - certainty * errors[i] > key_max); /* also what is no number */
        }
    }
    return found;
}
