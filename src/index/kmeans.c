/* kmeans.c: centroids of a sample, by Lloyd's iterations. */
#include "index/kmeans.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"
#include "base/way.h"
#include "index/codes.h"
#include "index/graph_parts.h"
#include "index/rotate.h"
#include "kernels/code_kernels.h"

#include <math.h>
#include <string.h>

enum { ITERATIONS = 8, PART_ROWS = 256 };

typedef struct assignment {
    const float *rows;
    uint32_t *nearest;
    uint32_t count, dimension, k;
    ir_graph_rows encoded; /* the centroids */
} assignment;

void ir_centroid_rows(const float *centroids, ir_graph_rows *rows)
{
    for (uint32_t i = 0; i < rows->count; i++)
        ir_graph_row_encode(centroids + (size_t)i * rows->dimension, rows->dimension, 0,
                            rows->base + i * rows->stride);
}

/* 8 bits tell which is nearest but where two are about equally near, and then either will do. */
uint32_t ir_nearest_centroid(const uint8_t *row, const ir_graph_rows *centroids, uint32_t *second)
{
    int8_t query[IR_DIMENSION_MAX + IR_CODE_SLACK_BYTES];
    int32_t products[IR_CENTROIDS_MAX];
    uint32_t n = centroids->dimension, best = 0, next = 0;
    float best_distance = INFINITY, next_distance = INFINITY;
    ir_graph_rows one = {.base = (uint8_t *)row, .dimension = n};
    ir_graph_tail mine = ir_graph_tail_of(&one, 0);
    mine.extra = 0; /* the same to all */
    for (uint32_t j = 0; j < n; j++)
        query[j] = (int8_t)(row[j] - 128);
    memset(query + n, 0, IR_CODE_SLACK_BYTES);
    ir_code_rows rows = {centroids->base, centroids->stride, NULL, centroids->count};
    ir_code_kernels_get()->bytes_dot(query, n, &rows, products);
    for (uint32_t i = 0; i < centroids->count; i++) {
        ir_graph_tail tail = ir_graph_tail_of(centroids, i);
        float distance = ir_graph_distance(&tail, &mine, products[i]);
        if (distance < best_distance) {
            next_distance = best_distance;
            next = best;
            best_distance = distance;
            best = i;
        } else if (distance < next_distance) {
            next_distance = distance;
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
    uint8_t row[IR_DIMENSION_MAX + sizeof(ir_graph_tail)];
    uint32_t end = (part + 1) * PART_ROWS;
    for (uint32_t i = part * PART_ROWS; i < end && i < work->count; i++) {
        ir_graph_row_encode(work->rows + (size_t)i * work->dimension, work->dimension, 0, row);
        work->nearest[i] = ir_nearest_centroid(row, &work->encoded, NULL);
    }
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
        ir_give_way();
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
    size_t stride = ir_graph_row_bytes(dimension);
    uint8_t *encoded = ir_malloc_array(k, stride);
    uint32_t *sizes = ir_malloc_array(k, sizeof sizes[0]);
    int32_t status = IMGRET_OK;
    if (!nearest || !sums || !encoded || !sizes) {
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u centroids", k);
        goto out;
    }
    choose_first(rows, count, dimension, k, seed, nearest, centroids);
    assignment work = {rows, nearest, count, dimension, k, {encoded, stride, k, dimension}};
    for (uint32_t turn = 0; turn < ITERATIONS; turn++) {
        ir_centroid_rows(centroids, &work.encoded);
        ir_pool_run(pool, assign_part, &work, (count + PART_ROWS - 1) / PART_ROWS);
        move_centroids(&work, centroids, sums, sizes);
    }
out:
    ir_free(nearest);
    ir_free(sums);
    ir_free(encoded);
    ir_free(sizes);
    return status;
}
