/* measure.c: measures any engine the same way, on queries that it was not tuned with. */
#include "measure.h"

#include "vectors.h"

#include "../common.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { THREADS_MAX = 64, RUNS_MAX = 25, TRIED_MAX = 256 };

/* ---- Queries -------------------------------------------------------------------------------------- */

static bench_half take_half(const float *rows, const bench_truth *truth, uint32_t total,
                            uint32_t dimension, uint32_t first)
{
    bench_half half = {.count = (total + 1 - first) / 2, .dimension = dimension};
    uint32_t depth = truth->depth;
    half.truth = (bench_truth){.query_count = half.count, .depth = depth};
    half.rows = malloc((size_t)half.count * dimension * sizeof *half.rows);
    half.truth.ids = malloc((size_t)half.count * depth * sizeof *half.truth.ids);
    if (truth->distances)
        half.truth.distances = malloc((size_t)half.count * depth * sizeof(float));
    if (!half.rows || !half.truth.ids || (truth->distances && !half.truth.distances))
        bench_die("no memory");
    for (uint32_t i = 0; i < half.count; i++) {
        size_t from = (size_t)2 * i + first;
        memcpy(half.rows + (size_t)i * dimension, rows + from * dimension,
               dimension * sizeof(float));
        memcpy(half.truth.ids + (size_t)i * depth, truth->ids + from * depth, depth * 4u);
        if (truth->distances)
            memcpy(half.truth.distances + (size_t)i * depth, truth->distances + from * depth,
                   depth * sizeof(float));
    }
    return half;
}

bench_queries bench_queries_load(const char *queries, const char *truth, uint32_t count_max,
                                 uint32_t k)
{
    uint64_t count;
    uint32_t dimension;
    float *rows = bench_vectors_load(queries, count_max, &count, &dimension);
    bench_truth all = bench_truth_read(truth);
    if (all.query_count < count)
        bench_die("%s: tells the neighbours of fewer queries than %s holds", truth, queries);
    if (all.depth < k)
        bench_die("%s: holds %u neighbours a query, --k is %u", truth, all.depth, k);
    if (count < 2)
        bench_die("%s: at least two queries are needed", queries);
    bench_queries out = {
        .tuning = take_half(rows, &all, (uint32_t)count, dimension, 0),
        .testing = take_half(rows, &all, (uint32_t)count, dimension, 1),
    };
    free(rows);
    bench_truth_free(&all);
    return out;
}

void bench_queries_free(bench_queries *queries)
{
    free(queries->tuning.rows);
    free(queries->testing.rows);
    bench_truth_free(&queries->tuning.truth);
    bench_truth_free(&queries->testing.truth);
}

/* ---- Passes over a half --------------------------------------------------------------------------- */

typedef struct {
    const bench_engine *engine;
    const bench_half *half;
    uint32_t effort, k;
    int64_t *ids;    /* half->count x k */
    double *seconds; /* of each query */
    atomic_uint next;
} pass;

static void *ask_queries(void *argument)
{
    pass *p = argument;
    for (;;) {
        uint32_t i = atomic_fetch_add(&p->next, 1);
        if (i >= p->half->count)
            return NULL;
        double started = bench_seconds();
        p->engine->search(p->engine->user, p->half->rows + (size_t)i * p->half->dimension,
                          p->effort, p->k, p->ids + (size_t)i * p->k);
        p->seconds[i] = bench_seconds() - started;
    }
}

/* Several threads, each with one query at a time; returns the seconds that all took. */
static double ask_singly(pass *p, uint32_t threads)
{
    pthread_t ids[THREADS_MAX];
    atomic_store(&p->next, 0);
    double started = bench_seconds();
    for (uint32_t t = 1; t < threads; t++)
        if (pthread_create(&ids[t], NULL, ask_queries, p) != 0)
            bench_die("cannot start a thread");
    ask_queries(p);
    for (uint32_t t = 1; t < threads; t++)
        pthread_join(ids[t], NULL);
    return bench_seconds() - started;
}

static double ask_together(pass *p, uint32_t threads)
{
    if (!p->engine->search_batch)
        return ask_singly(p, threads);
    double started = bench_seconds();
    p->engine->search_batch(p->engine->user, p->half->rows, p->half->count, p->effort, p->k,
                            p->ids);
    return bench_seconds() - started;
}

static void set_effort(pass *p, uint32_t effort)
{
    p->effort = effort;
    if (p->engine->set_effort)
        p->engine->set_effort(p->engine->user, effort);
}

static double recall_of(const pass *p)
{
    uint64_t hits = 0;
    for (uint32_t i = 0; i < p->half->count; i++)
        hits += bench_truth_hits(&p->half->truth, i, p->k, p->ids + (size_t)i * p->k, p->k);
    return (double)hits / ((double)p->half->count * p->k);
}

static pass begin_pass(const bench_engine *engine, const bench_half *half, uint32_t k)
{
    pass p = {.engine = engine, .half = half, .k = k};
    p.ids = malloc((size_t)half->count * k * sizeof *p.ids);
    p.seconds = malloc(half->count * sizeof *p.seconds);
    if (!p.ids || !p.seconds)
        bench_die("no memory");
    return p;
}

static void end_pass(pass *p)
{
    free(p->ids);
    free(p->seconds);
}

/* ---- The effort for a recall --------------------------------------------------------------------- */

typedef struct {
    pass pass;
    uint32_t threads;
    uint32_t efforts[TRIED_MAX]; /* tried so far, each asked once */
    double recalls[TRIED_MAX];
    uint32_t count;
} tuner;

static double tuned_recall(tuner *t, uint32_t effort)
{
    for (uint32_t i = 0; i < t->count; i++)
        if (t->efforts[i] == effort)
            return t->recalls[i];
    set_effort(&t->pass, effort);
    ask_together(&t->pass, t->threads);
    double recall = recall_of(&t->pass);
    if (t->count < TRIED_MAX) {
        t->efforts[t->count] = effort;
        t->recalls[t->count++] = recall;
    }
    return recall;
}

/* The least effort, within a sixteenth, that reaches the recall. Where more effort finds no more, or
 * effort_max is reached, the least that finds as much: then the recall is below what was wanted. */
static uint32_t find_effort(tuner *t, double recall)
{
    const bench_engine *engine = t->pass.engine;
    uint32_t low = engine->effort_min, high = low, idle = 0;
    while (tuned_recall(t, high) < recall) {
        idle = high > low && tuned_recall(t, high) < tuned_recall(t, low) + 2e-5 ? idle + 1 : 0;
        if (idle == 3 || high == engine->effort_max)
            return idle > 0 && high >> idle >= engine->effort_min ? high >> idle : high;
        low = high;
        high = high < engine->effort_max / 2 ? 2 * high : engine->effort_max;
    }
    while (high - low > 1 && high - low > low / 16) {
        uint32_t middle = low + (high - low) / 2;
        if (tuned_recall(t, middle) < recall)
            low = middle;
        else
            high = middle;
    }
    return high;
}

/* ---- Points ---------------------------------------------------------------------------------------- */

static int by_value(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Bytes that the process had from devices, page cache not counted; NaN where nobody tells. */
static double device_bytes(void)
{
    char line[128];
    unsigned long long bytes;
    double out = NAN;
    FILE *file = fopen("/proc/self/io", "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "read_bytes: %llu", &bytes) == 1)
            out = (double)bytes;
    if (file)
        fclose(file);
    return out;
}

static bench_counters count_now(const bench_engine *engine)
{
    bench_counters out = {NAN, NAN, NAN};
    if (engine->count)
        engine->count(engine->user, &out);
    return out;
}

/* Throughput: the median of the runs; reads and processor time of all of them. */
static void measure_throughput(pass *p, const bench_plan *plan, bench_point *point)
{
    double rates[RUNS_MAX], asked = (double)p->half->count * plan->runs;
    bench_counters before = count_now(p->engine);
    double device = device_bytes(), processor = bench_processor_seconds();
    for (uint32_t run = 0; run < plan->runs; run++)
        rates[run] = p->half->count / ask_together(p, plan->threads);
    point->cpu_us = (bench_processor_seconds() - processor) * 1e6 / asked;
    point->device_bytes_per_query = (device_bytes() - device) / asked;
    bench_counters after = count_now(p->engine);
    qsort(rates, plan->runs, sizeof rates[0], by_value);
    point->qps = rates[plan->runs / 2];
    point->reads_per_query = (after.reads - before.reads) / asked;
    point->bytes_per_query = (after.read_bytes - before.read_bytes) / asked;
    point->recall = recall_of(p);
    snprintf(point->mode, sizeof point->mode, "%s", p->engine->search_batch ? "batch" : "single");
}

/* Latency of single queries: of all runs together. */
static void measure_latency(pass *p, const bench_plan *plan, bench_point *point)
{
    size_t count = p->half->count, total = count * plan->runs;
    double rates[RUNS_MAX], sum = 0;
    double *all = malloc(total * sizeof *all);
    if (!all)
        bench_die("no memory");
    for (uint32_t run = 0; run < plan->runs; run++) {
        rates[run] = (double)count / ask_singly(p, plan->threads);
        memcpy(all + run * count, p->seconds, count * sizeof *all);
    }
    qsort(rates, plan->runs, sizeof rates[0], by_value);
    qsort(all, total, sizeof all[0], by_value);
    for (size_t i = 0; i < total; i++)
        sum += all[i];
    point->qps_single = rates[plan->runs / 2];
    point->mean_us = sum * 1e6 / (double)total;
    point->p50_us = all[total / 2] * 1e6;
    point->p95_us = all[total * 95 / 100] * 1e6;
    point->p99_us = all[total * 99 / 100] * 1e6;
    free(all);
}

static void write_point(const bench_plan *plan, const bench_point *point)
{
    if (plan->json)
        bench_point_write(point, stdout);
    bench_point_print(point, plan->json ? stderr : stdout);
}

static double measure_point(tuner *t, pass *testing, const bench_plan *plan,
                            const bench_point *known, uint32_t effort, double target)
{
    bench_point point = *known;
    struct rusage use;
    point.k = plan->k;
    point.threads = plan->threads;
    point.query_count = testing->half->count;
    point.effort = effort;
    point.target_recall = target;
    point.recall_tuned = tuned_recall(t, effort);
    set_effort(testing, effort);
    ask_together(testing, plan->threads); /* so that no run is the first */
    measure_throughput(testing, plan, &point);
    measure_latency(testing, plan, &point);
    getrusage(RUSAGE_SELF, &use);
    point.rss_bytes = (double)use.ru_maxrss * 1024;
    point.ram_bytes = count_now(testing->engine).ram_bytes;
    bench_point_describe_machine(&point);
    write_point(plan, &point);
    return point.recall_tuned;
}

void bench_measure(const bench_engine *engine, const bench_queries *queries, const bench_plan *plan,
                   const bench_point *point)
{
    tuner t = {.pass = begin_pass(engine, &queries->tuning, plan->k), .threads = plan->threads};
    pass testing = begin_pass(engine, &queries->testing, plan->k);
    for (uint32_t i = 0; i < plan->recall_count; i++) {
        uint32_t effort = find_effort(&t, plan->recalls[i]);
        double reached = measure_point(&t, &testing, plan, point, effort, plan->recalls[i]);
        if (reached < plan->recalls[i])
            break;
    }
    for (uint32_t i = 0; i < plan->effort_count; i++) {
        uint32_t effort = plan->efforts[i];
        if (effort >= engine->effort_min && effort <= engine->effort_max)
            measure_point(&t, &testing, plan, point, effort, NAN);
    }
    end_pass(&t.pass);
    end_pass(&testing);
}
