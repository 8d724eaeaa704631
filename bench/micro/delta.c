/* delta.c: measures the search of vectors in memory by codes: processor time, rows compared, recall.
 *
 * Recall is against the same delta with every row compared. What a search shares with nobody is its
 * processor time; the time on the clock is told beside it.
 */
#include "ann_data.h"

#include "base/half.h"
#include "index/delta.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

typedef struct settings {
    const char *base, *queries;
    ann_recipe recipe;
    uint32_t base_max, query_max, k, threads, truths, batch;
    uint32_t metric;
} settings;

static double wall_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec * 1e-6;
}

static double cpu_ms(void)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1e3 +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1e-3;
}

static const char *usage =
    "delta (--base FILE --queries FILE | --gen N,DIM,MANIFOLD,CLUSTERS,SPREAD,NOISE)\n"
    "  [--n N] [--nq N] [--k K] [--threads T] [--truths N] (queries whose recall is found)\n"
    "  [--batch N] (queries asked together) [--metric cosine|ip|l2]\n";

static int parse(settings *s, int count, char **words)
{
    ann_recipe *r = &s->recipe;
    r->query_count = 100;
    r->seed = 7;
    for (int i = 1; i + 1 < count; i += 2) {
        const char *name = words[i], *value = words[i + 1];
        uint32_t number = (uint32_t)atoi(value);
        if (!strcmp(name, "--base"))
            s->base = value;
        else if (!strcmp(name, "--queries"))
            s->queries = value;
        else if (!strcmp(name, "--n"))
            s->base_max = number;
        else if (!strcmp(name, "--nq"))
            s->query_max = r->query_count = number;
        else if (!strcmp(name, "--k"))
            s->k = number;
        else if (!strcmp(name, "--threads"))
            s->threads = number;
        else if (!strcmp(name, "--truths"))
            s->truths = number;
        else if (!strcmp(name, "--batch"))
            s->batch = number;
        else if (!strcmp(name, "--metric"))
            s->metric = *value == 'c'   ? IMGRET_METRIC_COSINE
                        : *value == 'i' ? IMGRET_METRIC_INNER_PRODUCT
                                        : IMGRET_METRIC_L2;
        else if (strcmp(name, "--gen") != 0 ||
                 sscanf(value, "%u,%u,%u,%u,%f,%f", &r->count, &r->dimension, &r->manifold,
                        &r->clusters, &r->spread, &r->noise) != 6)
            return -1;
    }
    return count % 2 == 1 && s->batch > 0 && (r->count || (s->base && s->queries)) ? 0 : -1;
}

/* Fills the delta and lets go of the floats. */
static ir_delta *make_delta(const settings *s, ann_set *base)
{
    ir_delta *delta = NULL;
    uint16_t *stored = malloc(base->dimension * sizeof *stored);
    int fine = stored &&
               ir_delta_create(&delta, base->dimension, s->metric, IMGRET_VECTOR_F16, NULL) == 0;
    for (uint32_t i = 0; fine && i < base->count; i++) {
        const float *row = base->rows + (size_t)i * base->dimension;
        fine = ir_delta_encode(delta, row, stored, NULL) == 0 &&
               ir_delta_append(delta, i + 1, stored, NULL) == 0;
    }
    free(stored);
    free(base->rows);
    base->rows = NULL;
    return fine ? delta : NULL;
}

typedef struct answers {
    ir_delta_query *asked;
    ir_delta_result *results;
    ir_neighbor *found;
    uint64_t scanned, estimated;
    double cpu_ms, wall_ms;
} answers;

static int ask(const ir_delta *delta, const settings *s, answers *out, uint32_t count)
{
    double cpu = cpu_ms(), wall = wall_ms();
    out->scanned = out->estimated = 0;
    for (uint32_t q = 0; q < count; q += s->batch) {
        uint32_t together = count - q < s->batch ? count - q : s->batch;
        imgret_error error = IMGRET_ERROR_INIT;
        if (ir_delta_search_many(delta, out->asked + q, together, out->results + q, &error)) {
            fprintf(stderr, "search: %s\n", error.message);
            return -1;
        }
    }
    out->cpu_ms = (cpu_ms() - cpu) / count;
    out->wall_ms = (wall_ms() - wall) / count;
    for (uint32_t q = 0; q < count; q++) {
        out->scanned += out->results[q].scanned;
        out->estimated += out->results[q].estimated;
    }
    return 0;
}

static double recall(const answers *coded, const answers *plain, uint32_t count, uint32_t k)
{
    uint64_t hits = 0, all = 0;
    for (uint32_t q = 0; q < count; q++) {
        all += plain->results[q].count;
        for (uint32_t i = 0; i < plain->results[q].count; i++)
            for (uint32_t j = 0; j < coded->results[q].count; j++)
                hits += plain->found[q * k + i].id == coded->found[q * k + j].id;
    }
    return all ? (double)hits / (double)all : 1;
}

static int prepare(const settings *s, const ann_set *queries, ir_pool *pool, answers *out)
{
    out->asked = calloc(queries->count, sizeof *out->asked);
    out->results = calloc(queries->count, sizeof *out->results);
    out->found = calloc((size_t)queries->count * s->k, sizeof *out->found);
    if (!out->asked || !out->results || !out->found)
        return -1;
    for (uint32_t q = 0; q < queries->count; q++) {
        out->asked[q] = (ir_delta_query){.vector = queries->rows + (size_t)q * queries->dimension,
                                         .k = s->k,
                                         .score_min = -INFINITY,
                                         .pool = pool};
        out->results[q].neighbors = out->found + (size_t)q * s->k;
    }
    return 0;
}

static void tell(const char *name, const answers *a, uint32_t count, uint64_t rows)
{
    printf("%-22s %8.2f ms processor %8.2f ms clock  %6.3f %% compared  %5.1f %% by codes\n", name,
           a->cpu_ms, a->wall_ms, 100.0 * (double)a->scanned / (double)count / (double)rows,
           100.0 * (double)a->estimated / (double)count / (double)rows);
    fflush(stdout);
}

static int measure(const settings *s, const ir_delta *delta, const ann_set *queries, ir_pool *pool,
                   uint64_t rows)
{
    answers coded, plain;
    uint32_t truths = s->truths < queries->count ? s->truths : queries->count;
    int64_t *ids = malloc(rows * sizeof *ids);
    if (!ids || prepare(s, queries, pool, &coded) || prepare(s, queries, pool, &plain))
        return -1;
    for (uint64_t i = 0; i < rows; i++)
        ids[i] = (int64_t)i + 1;
    for (uint32_t q = 0; q < truths; q++) {
        plain.asked[q].allowed = ids;
        plain.asked[q].allowed_count = rows;
    }
    double before = (double)ir_delta_ram_bytes(delta);
    if (ask(delta, s, &coded, 1))
        return -1;
    tell("first search", &coded, 1, rows);
    for (int round = 0; round < 20; round++)
        if (ask(delta, s, &coded, 1))
            return -1;
    printf("codes take %.1f bytes a vector\n",
           ((double)ir_delta_ram_bytes(delta) - before) / (double)rows);
    if (ask(delta, s, &coded, queries->count))
        return -1;
    tell("by codes", &coded, queries->count, rows);
    if (truths == 0 || ask(delta, s, &plain, truths))
        return truths == 0 ? 0 : -1;
    tell("all compared", &plain, truths, rows);
    printf("recall@%u by codes of %u queries: %.5f\n", s->k, truths,
           recall(&coded, &plain, truths, s->k));
    return 0;
}

int main(int count, char **words)
{
    settings s = {.k = 10, .threads = 2, .truths = 100, .batch = 1, .metric = IMGRET_METRIC_COSINE};
    ann_set base, queries;
    if (parse(&s, count, words)) {
        fputs(usage, stderr);
        return 2;
    }
    if (s.recipe.count
            ? ann_generate(&base, &queries, &s.recipe, s.threads)
            : ann_read(&base, s.base, s.base_max) || ann_read(&queries, s.queries, s.query_max))
        return 1;
    ir_pool *pool;
    uint64_t rows = base.count;
    ir_delta *delta = make_delta(&s, &base);
    if (!delta || ir_pool_create(&pool, s.threads, NULL))
        return 1;
    printf("%llu x %u, %u queries\n", (unsigned long long)rows, base.dimension, queries.count);
    int status = measure(&s, delta, &queries, pool, rows);
    ir_pool_free(pool);
    ir_delta_free(delta);
    free(queries.rows);
    return status ? 1 : 0;
}
