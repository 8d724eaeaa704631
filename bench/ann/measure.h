/* measure.h: measures any engine the same way: efforts found on one half of the queries, recall and
 * speed told on the other half. */
#ifndef IR_BENCH_MEASURE_H
#define IR_BENCH_MEASURE_H

#include "point.h"
#include "truth.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bench_counters {
    double reads; /* disk reads so far, NaN where the engine counts none */
    double read_bytes;
    double ram_bytes; /* of the index, now */
} bench_counters;

/* What is measured. ids receive positions in the base, -1 where fewer than k were found. */
typedef struct bench_engine {
    void *user;
    uint32_t effort_min, effort_max;
    /* Called alone, before searches of another effort; NULL: the searches' argument is enough. */
    void (*set_effort)(void *user, uint32_t effort);
    /* One query; called by several threads at once. */
    void (*search)(void *user, const float *query, uint32_t effort, uint32_t k, int64_t *ids);
    /* count x dimension queries by as many threads as the engine was opened for, count x k ids;
     * NULL: the throughput is that of threads that ask one query at a time. */
    void (*search_batch)(void *user, const float *queries, uint32_t count, uint32_t effort,
                         uint32_t k, int64_t *ids);
    void (*count)(void *user, bench_counters *out); /* NULL: nothing to tell */
} bench_engine;

/* One half of the queries, with its truth. */
typedef struct bench_half {
    float *rows;
    uint32_t count, dimension;
    bench_truth truth;
} bench_half;

typedef struct bench_queries {
    bench_half tuning;  /* queries of even number */
    bench_half testing; /* the others */
} bench_queries;

/* Reads the file of queries, at most count_max (0: all), and their truth of at least k neighbours. */
bench_queries bench_queries_load(const char *queries, const char *truth, uint32_t count_max,
                                 uint32_t k);
void bench_queries_free(bench_queries *queries);

enum { BENCH_LIST_MAX = 32 };

typedef struct bench_plan {
    uint32_t k, threads, runs;
    double recalls[BENCH_LIST_MAX]; /* an effort is looked for that reaches each */
    uint32_t recall_count;
    uint32_t efforts[BENCH_LIST_MAX]; /* and these are measured as they are */
    uint32_t effort_count;
    int json; /* points on stdout as JSON, as text on stderr; else text on stdout */
} bench_plan;

/* Measures a point for each recall and each effort of the plan and writes it. `point` holds what is
 * known before: engine, set, build. A recall that the largest effort does not reach is told with that
 * effort, and is the last. */
void bench_measure(const bench_engine *engine, const bench_queries *queries, const bench_plan *plan,
                   const bench_point *point);

#ifdef __cplusplus
}
#endif

#endif
