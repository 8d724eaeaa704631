/* filter.c: recall and time of filtered queries by the share of pictures that match.
 *
 * `bench-filter [--count N] [--dimension D] [--queries Q] [--effort E]`: vectors in clusters, generated;
 * each has a label by chance, that half, a tenth, a hundredth, a thousandth or three of them share.
 * For each share: recall@10 against exact comparison, fewest results, time of a query (median, 99th of
 * a hundred) with its filter evaluated by SQLite, and reads. Where hnswlib was found when this was
 * built, the same vectors are then searched by it, with the label as a callback inside the walk, and
 * with the label looked at afterwards among ten times as many results.
 */
#include "common.h"

#include <imgret/imgret.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { K = 10, LABELS = 5, CLUSTERS = 500 };

static const char *const labels[LABELS] = {"half", "tenth", "hundredth", "thousandth", "three"};

typedef struct {
    uint32_t count, dimension, query_count, effort;
    float *vectors, *queries; /* rows */
    uint8_t *label_of;        /* LABELS: none */
    uint32_t *truth;          /* (LABELS + 1) * query_count * K vectors, UINT32_MAX: none */
    char folder[256];
} bench;

static uint64_t random_state = 88172645463325252u;

static double chance(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (double)(random_state >> 11) / 9007199254740992.0;
}

static float normal(void)
{
    return (float)(sqrt(-2 * log(chance() + 1e-300)) * cos(6.283185307179586 * chance()));
}

static void draw(const bench *b, const float *centers, float *out)
{
    const float *center = centers + (size_t)(chance() * CLUSTERS) * b->dimension;
    for (uint32_t i = 0; i < b->dimension; i++)
        out[i] = center[i] + 0.7f * normal();
}

static void *allocate(size_t count, size_t bytes)
{
    void *memory = calloc(count, bytes);
    if (!memory)
        bench_die("out of memory");
    return memory;
}

static void generate(bench *b)
{
    float *centers = allocate((size_t)CLUSTERS * b->dimension, sizeof *centers);
    b->vectors = allocate((size_t)b->count * b->dimension, sizeof *b->vectors);
    b->queries = allocate((size_t)b->query_count * b->dimension, sizeof *b->queries);
    b->label_of = allocate(b->count, 1);
    for (size_t i = 0; i < (size_t)CLUSTERS * b->dimension; i++)
        centers[i] = normal();
    for (uint32_t i = 0; i < b->count; i++) {
        double where = chance();
        draw(b, centers, b->vectors + (size_t)i * b->dimension);
        b->label_of[i] = where < 0.5     ? 0
                         : where < 0.6   ? 1
                         : where < 0.61  ? 2
                         : where < 0.611 ? 3
                                         : LABELS;
    }
    for (uint32_t i = 0; i < 3; i++)
        b->label_of[b->count / 4 * (i + 1)] = 4;
    for (uint32_t i = 0; i < b->query_count; i++)
        draw(b, centers, b->queries + (size_t)i * b->dimension);
    free(centers);
}

static void check(int32_t status, const imgret_error *error)
{
    if (status != IMGRET_OK)
        bench_die("%s", error->message);
}

static imgret *fill(const bench *b)
{
    char path[300], model[32];
    imgret *db;
    imgret_error error = IMGRET_ERROR_INIT;
    snprintf(path, sizeof path, "%s/filter.imgret", b->folder);
    snprintf(model, sizeof model, "vectors:%u", b->dimension);
    imgret_open_options options = {
        .size = sizeof options, .model = model, .metric = IMGRET_METRIC_L2};
    check(imgret_open(&db, path, &options, &error), &error);
    check(imgret_begin(db, &error), &error);
    for (uint32_t i = 0; i < b->count; i++) {
        imgret_input input = {.size = sizeof input,
                              .kind = IMGRET_INPUT_VECTOR,
                              .vector = b->vectors + (size_t)i * b->dimension,
                              .dimension = b->dimension};
        imgret_add_result result = {.size = sizeof result};
        check(imgret_add(db, &input, NULL, &result, &error), &error);
        if (b->label_of[i] < LABELS)
            check(imgret_set_label(db, result.id, labels[b->label_of[i]], 1, &error), &error);
    }
    check(imgret_commit(db, &error), &error);
    return db;
}

typedef struct {
    double recall, median_ms, last_ms, reads;
    uint64_t fewest;
} measured;

static int compare_times(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static imgret_results *ask(const bench *b, imgret *db, uint32_t query, int label)
{
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_input input = {.size = sizeof input,
                          .kind = IMGRET_INPUT_VECTOR,
                          .vector = b->queries + (size_t)query * b->dimension,
                          .dimension = b->dimension};
    imgret_param param = {.size = sizeof param,
                          .kind = IMGRET_PARAM_TEXT,
                          .name = "label",
                          .text = label < LABELS ? labels[label] : NULL};
    imgret_query_options options = {.size = sizeof options, .k = K, .effort = b->effort};
    if (label < LABELS) {
        options.where = "label = :label";
        options.params = &param;
        options.param_count = 1;
    }
    imgret_results *results;
    check(imgret_query(&results, db, &input, &options, &error), &error);
    return results;
}

/* Exactly, while all is in memory. */
static void find_truth(bench *b, imgret *db)
{
    b->truth = allocate((size_t)(LABELS + 1) * b->query_count * K, sizeof *b->truth);
    for (int label = 0; label <= LABELS; label++)
        for (uint32_t q = 0; q < b->query_count; q++) {
            imgret_results *results = ask(b, db, q, label);
            uint32_t *out = b->truth + ((size_t)label * b->query_count + q) * K;
            for (uint64_t i = 0; i < K; i++) {
                const imgret_hit *hit = imgret_results_at(results, i);
                out[i] = hit ? (uint32_t)(hit->id - 1) : UINT32_MAX;
            }
            imgret_results_free(results);
        }
}

static measured measure(const bench *b, imgret *db, int label)
{
    measured out = {.fewest = K};
    double *times = allocate(b->query_count, sizeof *times);
    uint64_t right = 0, wanted = 0;
    imgret_stats before = {.size = sizeof before}, after = {.size = sizeof after};
    imgret_results_free(ask(b, db, 0, label));
    imgret_get_stats(db, &before, NULL);
    for (uint32_t q = 0; q < b->query_count; q++) {
        const uint32_t *truth = b->truth + ((size_t)label * b->query_count + q) * K;
        double start = bench_seconds();
        imgret_results *results = ask(b, db, q, label);
        times[q] = 1000 * (bench_seconds() - start);
        uint64_t found = imgret_results_count(results);
        out.fewest = found < out.fewest ? found : out.fewest;
        for (uint32_t i = 0; i < K && truth[i] != UINT32_MAX; i++) {
            wanted++;
            for (uint64_t j = 0; j < found; j++)
                right += (uint32_t)(imgret_results_at(results, j)->id - 1) == truth[i];
        }
        imgret_results_free(results);
    }
    imgret_get_stats(db, &after, NULL);
    qsort(times, b->query_count, sizeof *times, compare_times);
    out.recall = wanted ? (double)right / (double)wanted : 1;
    out.median_ms = times[b->query_count / 2];
    out.last_ms = times[b->query_count * 99 / 100];
    out.reads = (double)(after.disk_read_count - before.disk_read_count) / b->query_count;
    free(times);
    return out;
}

/* "filter.bin" for the peer: counts, vectors, queries, labels, truth. */
static void run_peer(const bench *b, const char *program)
{
    char peer[1024], data[300];
    const char *slash = strrchr(program, '/');
    snprintf(peer, sizeof peer, "%.*sfilter-hnswlib", slash ? (int)(slash - program) + 1 : 0,
             program);
    if (access(peer, X_OK) != 0) {
        printf("hnswlib: not measured, it was not found when this was built\n");
        return;
    }
    snprintf(data, sizeof data, "%s/filter.bin", b->folder);
    FILE *file = fopen(data, "wb");
    const uint32_t header[4] = {b->count, b->dimension, b->query_count, b->effort ? b->effort : 64};
    size_t written = file ? fwrite(header, sizeof header, 1, file) : 0;
    if (written) {
        fwrite(b->vectors, sizeof *b->vectors, (size_t)b->count * b->dimension, file);
        fwrite(b->queries, sizeof *b->queries, (size_t)b->query_count * b->dimension, file);
        fwrite(b->label_of, 1, b->count, file);
        fwrite(b->truth, sizeof *b->truth, (size_t)(LABELS + 1) * b->query_count * K, file);
    }
    if (!written || ferror(file) || fclose(file) != 0)
        bench_die("%s: cannot be written", data);
    fflush(stdout);
    char command[1400];
    snprintf(command, sizeof command, "'%s' '%s'", peer, data);
    if (system(command) != 0)
        bench_die("%s failed", peer);
}

static uint32_t number(int argc, char **argv, const char *name, const char *fallback)
{
    return (uint32_t)strtoul(bench_option(argc, argv, name, fallback), NULL, 10);
}

int main(int argc, char **argv)
{
    bench b = {.count = number(argc, argv, "--count", "100000"),
               .dimension = number(argc, argv, "--dimension", "128"),
               .query_count = number(argc, argv, "--queries", "100"),
               .effort = number(argc, argv, "--effort", "0")};
    if (b.count < 1000 || b.dimension < 2 || b.query_count < 1)
        bench_die("--count from 1000, --dimension from 2, --queries from 1");
    bench_make_folder(b.folder, sizeof b.folder);
    generate(&b);
    imgret *db = fill(&b);
    find_truth(&b, db);
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_optimize_options optimize = {.size = sizeof optimize, .flags = IMGRET_OPTIMIZE_FORCE};
    check(imgret_optimize(db, &optimize, &error), &error);
    printf("%u vectors of %u dimensions, %u queries, k %d, effort %u\n\n", b.count, b.dimension,
           b.query_count, K, b.effort);
    printf("%-28s %8s %8s %8s %8s %8s\n", "libimgret", "recall", "fewest", "p50 ms", "p99 ms",
           "reads");
    for (int i = 0; i <= LABELS; i++) {
        int label = i == 0 ? LABELS : i - 1;
        measured m = measure(&b, db, label);
        printf("%-28s %8.4f %8llu %8.3f %8.3f %8.1f\n", i ? labels[label] : "no filter", m.recall,
               (unsigned long long)m.fewest, m.median_ms, m.last_ms, m.reads);
    }
    printf("\n");
    imgret_close(db);
    run_peer(&b, argv[0]);
    bench_remove_folder(b.folder);
    free(b.vectors);
    free(b.queries);
    free(b.label_of);
    free(b.truth);
    return 0;
}
