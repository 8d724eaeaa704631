/* truth.c: exact nearest neighbours: computed, kept in files, and what share of them was found. */
#include "truth.h"

#include "../common.h"
#include "vectors.h"

#include <imgret/imgret.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- All pairs -------------------------------------------------------------------------------- */

/* A part of a block stays in the processor's cache while all queries meet it. */
enum { GROUP = 4, LANES = 16, BLOCK_BYTES = 64 << 20, PART_BYTES = 512 << 10, THREADS_MAX = 64 };

typedef float lanes __attribute__((vector_size(4 * LANES)));

typedef struct {
    const float *base; /* this block */
    uint64_t first, count;
    const float *queries;
    uint32_t query_count, dimension, metric;
    uint32_t thread, threads;
    bench_truth *truth;
    uint32_t *found; /* neighbours known so far of each query */
} work;

/* Sums for GROUP queries at once: each element of the base is loaded once for all of them. */
static inline __attribute__((always_inline)) void
compare_group(const float *row, const float *queries, uint32_t n, int inner, float *out)
{
    lanes sums[GROUP] = {{0}};
    uint32_t j = 0;
    for (; j + LANES <= n; j += LANES) {
        lanes x;
        memcpy(&x, row + j, sizeof x);
        for (uint32_t q = 0; q < GROUP; q++) {
            lanes y;
            memcpy(&y, queries + (size_t)q * n + j, sizeof y);
            if (inner)
                sums[q] -= x * y;
            else
                sums[q] += (x - y) * (x - y);
        }
    }
    for (uint32_t q = 0; q < GROUP; q++) {
        out[q] = 0;
        for (uint32_t i = 0; i < LANES; i++)
            out[q] += sums[q][i];
        for (uint32_t i = j; i < n; i++) {
            float y = queries[(size_t)q * n + i];
            out[q] += inner ? -row[i] * y : (row[i] - y) * (row[i] - y);
        }
    }
}

static void offer(const work *w, uint32_t query, float distance, uint64_t id)
{
    uint32_t depth = w->truth->depth, *count = &w->found[query];
    float *distances = w->truth->distances + (size_t)query * depth;
    uint32_t *ids = w->truth->ids + (size_t)query * depth;
    if (*count == depth && distance >= distances[depth - 1])
        return;
    uint32_t at = *count < depth ? (*count)++ : depth - 1;
    for (; at > 0 && distances[at - 1] > distance; at--) {
        distances[at] = distances[at - 1];
        ids[at] = ids[at - 1];
    }
    distances[at] = distance;
    ids[at] = (uint32_t)id;
}

static inline __attribute__((always_inline)) void compare_part(const work *w, uint64_t first,
                                                               uint64_t end)
{
    int inner = w->metric == IMGRET_METRIC_INNER_PRODUCT;
    for (uint32_t q = w->thread * GROUP; q < w->query_count; q += w->threads * GROUP)
        for (uint64_t i = first; i < end; i++) {
            float out[GROUP];
            compare_group(w->base + i * w->dimension, w->queries + (size_t)q * w->dimension,
                          w->dimension, inner, out);
            for (uint32_t g = 0; g < GROUP && q + g < w->query_count; g++)
                offer(w, q + g, out[g], w->first + i);
        }
}

static inline __attribute__((always_inline)) void compare_block(const work *w)
{
    uint64_t part = 1 + PART_BYTES / (w->dimension * sizeof(float));
    for (uint64_t i = 0; i < w->count; i += part)
        compare_part(w, i, i + part < w->count ? i + part : w->count);
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static void compare_block_avx2(const work *w)
{
    compare_block(w);
}

__attribute__((target("avx512f"))) static void compare_block_avx512(const work *w)
{
    compare_block(w);
}
#endif

static void *compare_thread(void *argument)
{
    const work *w = argument;
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f"))
        compare_block_avx512(w);
    else if (__builtin_cpu_supports("avx2"))
        compare_block_avx2(w);
    else
#endif
        compare_block(w);
    return NULL;
}

static void normalise(float *rows, uint64_t count, uint32_t n)
{
    for (uint64_t i = 0; i < count; i++) {
        double squares = 0;
        for (uint32_t j = 0; j < n; j++)
            squares += (double)rows[i * n + j] * (double)rows[i * n + j];
        float inverse = squares > 0 ? (float)(1 / sqrt(squares)) : 0;
        for (uint32_t j = 0; j < n; j++)
            rows[i * n + j] *= inverse;
    }
}

static void compare_by_threads(const work *all)
{
    work works[THREADS_MAX];
    pthread_t ids[THREADS_MAX];
    for (uint32_t t = 0; t < all->threads; t++) {
        works[t] = *all;
        works[t].thread = t;
        if (pthread_create(&ids[t], NULL, compare_thread, &works[t]) != 0)
            bench_die("cannot start a thread");
    }
    for (uint32_t t = 0; t < all->threads; t++)
        pthread_join(ids[t], NULL);
}

/* Queries padded to whole groups. */
static float *pad_queries(const float *queries, uint32_t count, uint32_t n, uint32_t metric)
{
    float *out = calloc(((size_t)count + GROUP) * n, sizeof *out);
    if (!out)
        bench_die("no memory");
    memcpy(out, queries, (size_t)count * n * sizeof *out);
    if (metric == IMGRET_METRIC_COSINE)
        normalise(out, count, n);
    return out;
}

bench_truth bench_truth_compute(const char *base, uint64_t count_max, const float *queries,
                                uint32_t query_count, uint32_t depth, uint32_t metric,
                                uint32_t threads)
{
    bench_vectors *vectors = bench_vectors_open(base, count_max);
    uint32_t n = bench_vectors_dimension(vectors);
    if (depth > bench_vectors_count(vectors))
        depth = (uint32_t)bench_vectors_count(vectors);
    uint64_t rows = BLOCK_BYTES / (n * sizeof(float));
    float *block = malloc(rows * n * sizeof *block);
    float *padded = pad_queries(queries, query_count, n, metric);
    bench_truth truth = {.query_count = query_count, .depth = depth};
    truth.ids = calloc((size_t)query_count * depth, sizeof *truth.ids);
    truth.distances = calloc((size_t)query_count * depth, sizeof *truth.distances);
    work w = {.base = block,
              .queries = padded,
              .query_count = query_count,
              .dimension = n,
              .metric = metric,
              .threads = threads < THREADS_MAX ? threads : THREADS_MAX,
              .truth = &truth,
              .found = calloc(query_count, sizeof *w.found)};
    if (!block || !truth.ids || !truth.distances || !w.found)
        bench_die("no memory");
    for (; (w.count = bench_vectors_read(vectors, block, rows)) > 0; w.first += w.count) {
        if (metric == IMGRET_METRIC_COSINE)
            normalise(block, w.count, n);
        compare_by_threads(&w);
    }
    free(w.found);
    free(block);
    free(padded);
    bench_vectors_close(vectors);
    return truth;
}

/* ---- Files -------------------------------------------------------------------------------------- */

static void check_shape(const char *path, uint64_t count, uint64_t depth)
{
    if (count < 1 || count > 100000000 || depth < 1 || depth > 10000)
        bench_die("%s: no file of neighbours", path);
}

static long long file_length(FILE *file)
{
    fseek(file, 0, SEEK_END);
    long long length = ftell(file);
    rewind(file);
    return length;
}

/* The shape is held against the file's length before anything is allocated by it. */
static bench_truth read_ivecs(FILE *file, const char *path)
{
    int32_t depth = 0;
    long long length = file_length(file);
    if (fread(&depth, sizeof depth, 1, file) != 1 || depth < 1)
        bench_die("%s: no file of neighbours", path);
    uint64_t count = (uint64_t)length / (4 + 4 * (uint64_t)depth);
    check_shape(path, count, (uint64_t)depth);
    bench_truth truth = {.query_count = (uint32_t)count, .depth = (uint32_t)depth};
    truth.ids = malloc(count * truth.depth * sizeof *truth.ids);
    rewind(file);
    for (uint64_t i = 0; truth.ids && i < count; i++)
        if (fread(&depth, sizeof depth, 1, file) != 1 || depth != (int32_t)truth.depth ||
            fread(truth.ids + i * truth.depth, 4, truth.depth, file) != truth.depth)
            bench_die("%s: cut short", path);
    return truth;
}

static bench_truth read_ibin(FILE *file, const char *path)
{
    uint32_t shape[2] = {0};
    long long length = file_length(file);
    if (fread(shape, sizeof shape, 1, file) != 1)
        bench_die("%s: cut short", path);
    check_shape(path, shape[0], shape[1]);
    bench_truth truth = {.query_count = shape[0], .depth = shape[1]};
    uint64_t cells = (uint64_t)shape[0] * shape[1];
    if ((uint64_t)length < 8 + 4 * cells)
        bench_die("%s: cut short", path);
    truth.ids = malloc(cells * sizeof *truth.ids);
    if (truth.ids && fread(truth.ids, 4, cells, file) != cells)
        bench_die("%s: cut short", path);
    if ((uint64_t)length >= 8 + 8 * cells) {
        truth.distances = malloc(cells * sizeof *truth.distances);
        if (truth.distances && fread(truth.distances, 4, cells, file) != cells)
            bench_die("%s: cut short", path);
    }
    return truth;
}

bench_truth bench_truth_read(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        bench_die("%s: cannot be opened", path);
    size_t length = strlen(path);
    int ivecs = length > 6 && strcmp(path + length - 6, ".ivecs") == 0;
    bench_truth truth = ivecs ? read_ivecs(file, path) : read_ibin(file, path);
    fclose(file);
    if (!truth.ids)
        bench_die("no memory");
    return truth;
}

void bench_truth_write(const bench_truth *truth, const char *path)
{
    uint32_t shape[2] = {truth->query_count, truth->depth};
    size_t cells = (size_t)truth->query_count * truth->depth;
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(shape, sizeof shape, 1, file) != 1 ||
        fwrite(truth->ids, 4, cells, file) != cells ||
        fwrite(truth->distances, 4, cells, file) != cells || fclose(file) != 0)
        bench_die("%s: cannot be written", path);
}

void bench_truth_free(bench_truth *truth)
{
    free(truth->ids);
    free(truth->distances);
    memset(truth, 0, sizeof *truth);
}

/* ---- Recall --------------------------------------------------------------------------------------- */

/* How many of the listed neighbours may count as one of the k nearest: those, and the ties after. */
static uint32_t accepted(const bench_truth *truth, uint32_t query, uint32_t k)
{
    if (!truth->distances)
        return k;
    const float *distances = truth->distances + (size_t)query * truth->depth;
    float limit = distances[k - 1] + fabsf(distances[k - 1]) * 1e-6f;
    uint32_t count = k;
    while (count < truth->depth && distances[count] <= limit)
        count++;
    return count;
}

uint32_t bench_truth_hits(const bench_truth *truth, uint32_t query, uint32_t k, const int64_t *ids,
                          uint32_t count)
{
    const uint32_t *right = truth->ids + (size_t)query * truth->depth;
    uint32_t listed = accepted(truth, query, k), hits = 0;
    for (uint32_t i = 0; i < count && i < k; i++)
        for (uint32_t j = 0; j < listed; j++)
            if (ids[i] == (int64_t)right[j]) {
                hits++;
                break;
            }
    return hits < k ? hits : k;
}
