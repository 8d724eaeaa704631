/* kmeans.c: centroids of a sample, by Lloyd's iterations. */
#include "index/kmeans.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"
#include "kernels/code_kernels.h"

#include <math.h>
#include <string.h>

enum { ITERATIONS = 8, PART_ROWS = 256 };

typedef struct assignment {
    const float *rows;
    const float *centroids;
    const float *squares;
    uint32_t *nearest;
    uint32_t count, dimension, k;
} assignment;

void ir_centroid_squares(const float *centroids, uint32_t k, uint32_t dimension, float *squares)
{
    const ir_code_kernels *kernels = ir_code_kernels_get();
    for (uint32_t i = 0; i < k; i++) {
        const float *centroid = centroids + (size_t)i * dimension;
        squares[i] = kernels->dot(centroid, centroid, dimension);
    }
}

uint32_t ir_nearest_centroid(const float *row, const float *centroids, const float *squares,
                             uint32_t k, uint32_t dimension, uint32_t *second)
{
    const ir_code_kernels *kernels = ir_code_kernels_get();
    uint32_t best = 0, next = 0;
    float best_score = INFINITY, next_score = INFINITY;
    for (uint32_t i = 0; i < k; i++) {
        float product = kernels->dot(row, centroids + (size_t)i * dimension, dimension);
        float score = squares[i] - 2 * product;
        if (score < best_score) {
            next_score = best_score;
            next = best;
            best_score = score;
            best = i;
        } else if (score < next_score) {
            next_score = score;
            next = i;
        }
    }
    if (second)
        *second = next;
    return best;
}

static void assign_part(void *context, uint32_t part)
{
    assignment *work = context;
    uint32_t end = (part + 1) * PART_ROWS;
    for (uint32_t i = part * PART_ROWS; i < end && i < work->count; i++)
        work->nearest[i] = ir_nearest_centroid(work->rows + (size_t)i * work->dimension,
                                               work->centroids, work->squares, work->k,
                                               work->dimension, NULL);
}

/* A seeded shuffle's first k rows. */
static void choose_first(const float *rows, uint32_t count, uint32_t dimension, uint32_t k,
                         uint64_t seed, uint32_t *order, float *centroids)
{
    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    for (uint32_t i = 0; i < k; i++) {
        uint32_t other = i + (uint32_t)ir_random_below(&seed, count - i);
        uint32_t row = order[other];
        order[other] = order[i];
        order[i] = row;
        memcpy(centroids + (size_t)i * dimension, rows + (size_t)row * dimension,
               dimension * sizeof rows[0]);
    }
}

/* Means of the rows of each centroid; one without rows stays where it is. */
static void move_centroids(const assignment *work, float *centroids, float *sums, uint32_t *sizes)
{
    memset(sums, 0, (size_t)work->k * work->dimension * sizeof sums[0]);
    memset(sizes, 0, work->k * sizeof sizes[0]);
    for (uint32_t i = 0; i < work->count; i++) {
        const float *row = work->rows + (size_t)i * work->dimension;
        float *sum = sums + (size_t)work->nearest[i] * work->dimension;
        sizes[work->nearest[i]]++;
        for (uint32_t j = 0; j < work->dimension; j++)
            sum[j] += row[j];
    }
    for (uint32_t c = 0; c < work->k; c++)
        for (uint32_t j = 0; j < work->dimension && sizes[c] > 0; j++) {
            size_t at = (size_t)c * work->dimension + j;
            centroids[at] = sums[at] / (float)sizes[c];
        }
}

int32_t ir_kmeans(const float *rows, uint32_t count, uint32_t dimension, uint32_t k, uint64_t seed,
                  ir_pool *pool, float *centroids, imgret_error *error)
{
    uint32_t *nearest = ir_malloc_array(count, sizeof nearest[0]);
    float *sums = ir_malloc_array((size_t)k * dimension, sizeof sums[0]);
    float *squares = ir_malloc_array(k, sizeof squares[0]);
    uint32_t *sizes = ir_malloc_array(k, sizeof sizes[0]);
    int32_t status = IMGRET_OK;
    if (!nearest || !sums || !squares || !sizes) {
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u centroids", k);
        goto out;
    }
    choose_first(rows, count, dimension, k, seed, nearest, centroids);
    assignment work = {rows, centroids, squares, nearest, count, dimension, k};
    for (uint32_t turn = 0; turn < ITERATIONS; turn++) {
        ir_centroid_squares(centroids, k, dimension, squares);
        ir_pool_run(pool, assign_part, &work, (count + PART_ROWS - 1) / PART_ROWS);
        move_centroids(&work, centroids, sums, sizes);
    }
out:
    ir_free(nearest);
    ir_free(sums);
    ir_free(squares);
    ir_free(sizes);
    return status;
}
