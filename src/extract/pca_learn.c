/* pca_learn.c: principal components of a sample of vectors: covariance in double, then LAPACK.
 *
 * Pearson, "On lines and planes of closest fit to systems of points in space" (1901); with whitening
 * and a new L2 norm afterwards for retrieval, Jegou and Chum, "Negative evidences and co-occurrences
 * in image retrieval: the benefit of PCA and whitening" (ECCV 2012).
 */
#include "extract/pca.h"

#include "base/alloc.h"
#include "base/error.h"
#include "extract/extract.h"
#include "linalg/linalg.h"

#include <math.h>
#include <string.h>

enum { BLOCK_ROWS = 256 }; /* rows in double at a time */

/* Below this share of the largest variance a direction is rounding noise. */
#define VARIANCE_LEAST 1e-12

typedef struct learning {
    const float *vectors;
    uint64_t count;
    uint32_t n; /* dimension of the vectors */
    uint32_t k; /* components wanted */
    double *mean;
    double *covariance;
    double *rows;
    double *values;
    double *components;
} learning;

static int32_t check(const learning *work, imgret_error *error)
{
    if (work->n == 0 || work->n > IR_PCA_DIMENSION_MAX)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "vectors of %u dimensions", work->n);
    if (work->k == 0 || work->k > work->n)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "%u components of vectors with %u dimensions", work->k, work->n);
    if (work->count <= work->k)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "%u components need at least %u vectors to learn from, there are %llu",
                       work->k, work->k + 1, (unsigned long long)work->count);
    if ((uint64_t)work->n * work->k > IR_PCA_FILE_BYTES_MAX / 4 - (1u << 20))
        return ir_fail(error, IMGRET_LIMIT, "a matrix of %u x %u is too large", work->k, work->n);
    for (uint64_t i = 0; i < work->count; i++)
        for (uint32_t j = 0; j < work->n; j++)
            if (!isfinite(work->vectors[i * work->n + j]))
                return ir_fail(error, IMGRET_INVALID_ARGUMENT, "vector %llu is not finite",
                               (unsigned long long)i);
    return IMGRET_OK;
}

static int32_t allocate(learning *work, imgret_error *error)
{
    size_t n = work->n, k = work->k;
    work->mean = ir_calloc(n, sizeof(double));
    work->rows = ir_malloc_array(n * BLOCK_ROWS, sizeof(double));
    work->values = ir_malloc_array(k, sizeof(double));
    work->components = ir_malloc_array(n * k, sizeof(double));
    work->covariance = ir_calloc(n * n, sizeof(double));
    if (work->mean && work->rows && work->values && work->components && work->covariance)
        return IMGRET_OK;
    return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a covariance of %u x %u", work->n,
                   work->n);
}

static int32_t fill_covariance(learning *work, imgret_error *error)
{
    for (uint64_t i = 0; i < work->count; i++)
        for (uint32_t j = 0; j < work->n; j++)
            work->mean[j] += (double)work->vectors[i * work->n + j];
    for (uint32_t j = 0; j < work->n; j++)
        work->mean[j] /= (double)work->count;
    int32_t status = IMGRET_OK;
    for (uint64_t first = 0; first < work->count && !status; first += BLOCK_ROWS) {
        uint64_t left = work->count - first;
        uint32_t rows = left < BLOCK_ROWS ? (uint32_t)left : BLOCK_ROWS;
        const float *from = work->vectors + first * work->n;
        for (size_t i = 0; i < (size_t)rows * work->n; i++)
            work->rows[i] = (double)from[i] - work->mean[i % work->n];
        status = ir_linalg_add_products(work->covariance, work->rows, rows, work->n, error);
    }
    for (size_t i = 0; i < (size_t)work->n * work->n && !status; i++)
        work->covariance[i] /= (double)(work->count - 1);
    return status;
}

/* The eigenvalues not asked for are in the trace. */
static double trace(const learning *work)
{
    double sum = 0.0;
    for (size_t i = 0; i < work->n; i++)
        sum += work->covariance[i * work->n + i];
    return sum;
}

static ir_pca *to_pca(const learning *work, uint32_t flags, const char *identity)
{
    ir_pca *pca = ir_calloc(1, sizeof *pca);
    if (!pca)
        return NULL;
    size_t n = work->n, k = work->k;
    pca->input_dimension = work->n;
    pca->dimension = work->k;
    pca->flags = flags;
    pca->sample_count = work->count;
    pca->identity = ir_strdup(identity);
    pca->mean = ir_malloc_array(n, sizeof(float));
    pca->variance = ir_malloc_array(k, sizeof(float));
    pca->shift = ir_calloc(k, sizeof(float));
    pca->matrix = ir_malloc_array(n * k, sizeof(float));
    if (!pca->identity || !pca->mean || !pca->variance || !pca->shift || !pca->matrix) {
        ir_pca_free(pca);
        return NULL;
    }
    for (size_t j = 0; j < n; j++)
        pca->mean[j] = (float)work->mean[j];
    for (size_t i = 0; i < k; i++) {
        double scale = flags & IMGRET_PCA_WHITEN ? 1.0 / sqrt(work->values[i]) : 1.0, shift = 0.0;
        pca->variance[i] = (float)work->values[i];
        for (size_t j = 0; j < n; j++) {
            pca->matrix[i * n + j] = (float)(scale * work->components[i * n + j]);
            shift += (double)pca->matrix[i * n + j] * (double)pca->mean[j];
        }
        pca->shift[i] = (float)shift;
    }
    return pca;
}

static int32_t learn(learning *work, double *kept, imgret_error *error)
{
    int32_t status = fill_covariance(work, error);
    if (status)
        return status;
    double total = trace(work), sum = 0.0;
    status = ir_linalg_eigen(work->covariance, work->n, work->k, work->values, work->components,
                             error);
    if (status)
        return status;
    for (uint32_t i = 0; i < work->k; i++) {
        if (!(work->values[i] > VARIANCE_LEAST * work->values[0]))
            return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                           "the sample varies in %u directions only: %u components are too many", i,
                           work->k);
        sum += work->values[i];
    }
    if (kept)
        *kept = total > 0.0 ? sum / total : 0.0;
    return IMGRET_OK;
}

int32_t ir_pca_learn(ir_pca **out, const float *vectors, uint64_t count, uint32_t input_dimension,
                     uint32_t dimension, uint32_t flags, const char *identity, double *kept,
                     imgret_error *error)
{
    *out = NULL;
    learning work = {.vectors = vectors, .count = count, .n = input_dimension, .k = dimension};
    int32_t status = ir_linalg_check(error);
    if (!status)
        status = check(&work, error);
    if (!status)
        status = allocate(&work, error);
    if (!status)
        status = learn(&work, kept, error);
    if (!status) {
        *out = to_pca(&work, flags, identity ? identity : "");
        if (!*out)
            status = ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u components", dimension);
    }
    ir_free(work.mean);
    ir_free(work.rows);
    ir_free(work.values);
    ir_free(work.components);
    ir_free(work.covariance);
    return status;
}

int32_t ir_extract_learn_pca(const char *path, const float *vectors, uint64_t count,
                             uint32_t dimension, const imgret_pca_options *options, double *kept,
                             imgret_error *error)
{
    ir_pca *pca;
    int32_t status = ir_pca_learn(&pca, vectors, count, dimension, options->dimension,
                                  options->flags, options->identity, kept, error);
    if (!status)
        status = ir_pca_save(pca, path, error);
    ir_pca_free(pca);
    return status;
}
