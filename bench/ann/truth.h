/* truth.h: exact nearest neighbours: computed, kept in files, and what share of them was found. */
#ifndef IR_BENCH_TRUTH_H
#define IR_BENCH_TRUTH_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bench_truth {
    uint32_t query_count;
    uint32_t depth;   /* neighbours of each query */
    uint32_t *ids;    /* query_count x depth, positions in the base, nearest first */
    float *distances; /* the same shape, ascending; NULL when the file tells none */
} bench_truth;

/* By comparing all vectors of the file `base` (at most count_max; 0: all), read as a stream, with
 * all queries. Distances are squared L2, minus the inner product, or the squared L2 distance of the
 * normalised vectors, by IMGRET_METRIC_*. */
bench_truth bench_truth_compute(const char *base, uint64_t count_max, const float *queries,
                                uint32_t query_count, uint32_t depth, uint32_t metric,
                                uint32_t threads);

/* .ivecs, or the .ibin of big-ann-benchmarks: uint32 count, uint32 depth, ids, distances. What fails
 * ends the program with a message that names the file. */
bench_truth bench_truth_read(const char *path);
void bench_truth_write(const bench_truth *truth, const char *path);
void bench_truth_free(bench_truth *truth);

/* Of the k nearest of query number `query`, how many are among ids[0..count). What is as near as
 * the k-th counts as well as it. */
uint32_t bench_truth_hits(const bench_truth *truth, uint32_t query, uint32_t k, const int64_t *ids,
                          uint32_t count);

#ifdef __cplusplus
}
#endif

#endif
