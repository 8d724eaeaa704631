/* filter.c: recall and time of filtered queries by the share of pictures that match.
 *
 * `bench-filter [--count N] [--dimension D] [--queries Q] [--effort E] [--set FOLDER] [--db FOLDER]`:
 * vectors in clusters, generated, or base.fbin and queries.fbin in FOLDER, as `imgret-bench gen` leaves
 * them; each has a label by chance: filter.h has their shares. For each label: recall@10 against exact
 * comparison, fewest results, time of a query on the clock and of the processor (median, 99th of a
 * hundred, and the latter beside an unfiltered query's) with its filter remembered, reads, estimates by
 * signs; and what the first query with that filter took. Labels take turns, some queries each, so that
 * what else the machine does meets all of them. --db keeps database and truth there, or uses those it
 * kept. Where hnswlib was found when this was built, the same vectors are then searched by it (unless
 * --no-peer says not to; --ef-construction N, --peer-queries N for fewer), with the label as a callback
 * inside the walk, and with the label looked at afterwards among ten times as many results.
 */
#include "filter.h"

#include "common.h"

#include <imgret/imgret.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { K = FILTER_K, LABELS = FILTER_LABELS, CLUSTERS = 500, TOGETHER = 20, COMMIT_EVERY = 20000 };

typedef struct {
    uint32_t count, dimension, query_count, effort;
    const char *set;          /* folder; NULL: generated */
    float *vectors, *queries; /* rows */
    uint8_t *label_of;        /* LABELS: none */
    uint32_t *truth;          /* (LABELS + 1) * query_count * K vectors, UINT32_MAX: none */
    char folder[256];
    int kept; /* the folder is the caller's */
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

/* Rows of a .fbin file, `count` of them or (0) all; *count and *dimension become what there is. */
static float *load(const char *folder, const char *name, uint32_t *count, uint32_t *dimension)
{
    char path[512];
    uint32_t header[2];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file || fread(header, sizeof header, 1, file) != 1)
        bench_die("%s: cannot be read", path);
    if (*count == 0 || *count > header[0])
        *count = header[0];
    *dimension = header[1];
    float *rows = allocate((size_t)*count * *dimension, sizeof *rows);
    if (fread(rows, sizeof *rows * *dimension, *count, file) != *count)
        bench_die("%s: is too short", path);
    fclose(file);
    return rows;
}

static void generate(bench *b)
{
    float *centers = allocate((size_t)CLUSTERS * b->dimension, sizeof *centers);
    b->vectors = allocate((size_t)b->count * b->dimension, sizeof *b->vectors);
    b->queries = allocate((size_t)b->query_count * b->dimension, sizeof *b->queries);
    for (size_t i = 0; i < (size_t)CLUSTERS * b->dimension; i++)
        centers[i] = normal();
    for (uint32_t i = 0; i < b->count; i++)
        draw(b, centers, b->vectors + (size_t)i * b->dimension);
    for (uint32_t i = 0; i < b->query_count; i++)
        draw(b, centers, b->queries + (size_t)i * b->dimension);
    free(centers);
}

static void choose_labels(bench *b)
{
    b->label_of = allocate(b->count, 1);
    for (uint32_t i = 0; i < b->count; i++) {
        double where = chance();
        uint8_t label = 0;
        while (label < LABELS && where >= filter_shares[label])
            where -= filter_shares[label++];
        b->label_of[i] = label;
    }
    for (uint32_t i = 0; i < 3; i++)
        b->label_of[b->count / 4 * (i + 1)] = LABELS - 1;
}

static void check(int32_t status, const imgret_error *error)
{
    if (status != IMGRET_OK)
        bench_die("%s", error->message);
}

static imgret *open_database(const bench *b)
{
    char path[300], model[32];
    imgret *db;
    imgret_error error = IMGRET_ERROR_INIT;
    snprintf(path, sizeof path, "%s/filter.imgret", b->folder);
    snprintf(model, sizeof model, "vectors:%u", b->dimension);
    imgret_open_options options = {
        .size = sizeof options, .model = model, .metric = IMGRET_METRIC_L2};
    check(imgret_open(&db, path, &options, &error), &error);
    return db;
}

static void fill(const bench *b, imgret *db)
{
    imgret_error error = IMGRET_ERROR_INIT;
    for (uint32_t i = 0; i < b->count; i++) {
        if (i % COMMIT_EVERY == 0)
            check(imgret_begin(db, &error), &error);
        imgret_input input = {.size = sizeof input,
                              .kind = IMGRET_INPUT_VECTOR,
                              .vector = b->vectors + (size_t)i * b->dimension,
                              .dimension = b->dimension};
        imgret_add_result result = {.size = sizeof result};
        check(imgret_add(db, &input, NULL, &result, &error), &error);
        if (b->label_of[i] < LABELS)
            check(imgret_set_label(db, result.id, filter_labels[b->label_of[i]], 1, &error),
                  &error);
        if ((i + 1) % COMMIT_EVERY == 0 || i + 1 == b->count)
            check(imgret_commit(db, &error), &error);
    }
}

typedef struct {
    double *clock_ms, *processor_ms; /* a query each */
    double first_ms;
    uint64_t right, wanted, fewest, reads, estimates;
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
                          .text = label < LABELS ? filter_labels[label] : NULL};
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

static size_t truth_numbers(const bench *b)
{
    return (size_t)(LABELS + 1) * b->query_count * K;
}

static void read_truth(bench *b, const char *path)
{
    FILE *file = fopen(path, "rb");
    b->truth = allocate(truth_numbers(b), sizeof *b->truth);
    if (!file || fread(b->truth, sizeof *b->truth, truth_numbers(b), file) != truth_numbers(b))
        bench_die("%s: is not of this set and number of queries", path);
    fclose(file);
}

static void write_truth(const bench *b, const char *path)
{
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(b->truth, sizeof *b->truth, truth_numbers(b), file) != truth_numbers(b) ||
        fclose(file) != 0)
        bench_die("%s: cannot be written", path);
}

/* The truth that was kept, or else found and kept. */
static void know_truth(bench *b, imgret *db, int known)
{
    char path[300];
    snprintf(path, sizeof path, "%s/truth.bin", b->folder);
    if (known) {
        read_truth(b, path);
        return;
    }
    find_truth(b, db);
    write_truth(b, path);
}

static double processor_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return 1e3 * (double)now.tv_sec + 1e-6 * (double)now.tv_nsec;
}

static void measure_one(const bench *b, imgret *db, uint32_t q, int label, measured *out)
{
    const uint32_t *truth = b->truth + ((size_t)label * b->query_count + q) * K;
    double start = bench_seconds(), start_processor = processor_ms();
    imgret_results *results = ask(b, db, q, label);
    out->processor_ms[q] = processor_ms() - start_processor;
    out->clock_ms[q] = 1000 * (bench_seconds() - start);
    uint64_t found = imgret_results_count(results);
    out->fewest = found < out->fewest ? found : out->fewest;
    for (uint32_t i = 0; i < K && truth[i] != UINT32_MAX; i++) {
        out->wanted++;
        for (uint64_t j = 0; j < found; j++)
            out->right += (uint32_t)(imgret_results_at(results, j)->id - 1) == truth[i];
    }
    out->reads += imgret_results_stats(results)->reads;
    out->estimates += imgret_results_stats(results)->sign_distances;
    imgret_results_free(results);
}

/* [LABELS] of `out` is without a filter. */
static void measure(const bench *b, imgret *db, measured out[LABELS + 1])
{
    for (int label = LABELS; label >= 0; label--) {
        out[label] = (measured){.fewest = K,
                                .clock_ms = allocate(b->query_count, sizeof(double)),
                                .processor_ms = allocate(b->query_count, sizeof(double))};
        double start = bench_seconds();
        imgret_results_free(ask(b, db, 0, label));
        out[label].first_ms = 1000 * (bench_seconds() - start);
    }
    for (uint32_t first = 0; first < b->query_count; first += TOGETHER)
        for (int label = 0; label <= LABELS; label++) {
            imgret_results_free(ask(b, db, first, label)); /* what the last label left in caches */
            for (uint32_t q = first; q < first + TOGETHER && q < b->query_count; q++)
                measure_one(b, db, q, label, &out[label]);
        }
    for (int label = 0; label <= LABELS; label++) {
        qsort(out[label].clock_ms, b->query_count, sizeof(double), compare_times);
        qsort(out[label].processor_ms, b->query_count, sizeof(double), compare_times);
    }
}

static void print(const bench *b, measured all[LABELS + 1])
{
    uint32_t half = b->query_count / 2, last = b->query_count * 99 / 100;
    printf("%u vectors of %u dimensions, %u queries, k %d, effort %u; milliseconds\n\n", b->count,
           b->dimension, b->query_count, K, b->effort);
    printf("%-14s %7s %6s %8s %8s %8s %8s %6s %6s %9s %8s\n", "libimgret", "recall", "fewest",
           "p50", "p99", "CPU p50", "CPU p99", "ratio", "reads", "estimates", "first");
    for (int i = 0; i <= LABELS; i++) {
        const measured *m = &all[i == 0 ? LABELS : i - 1];
        printf("%-14s %7.4f %6llu %8.3f %8.3f %8.3f %8.3f %6.2f %6.1f %9.0f %8.1f\n",
               i ? filter_labels[i - 1] : "no filter",
               m->wanted ? (double)m->right / (double)m->wanted : 1, (unsigned long long)m->fewest,
               m->clock_ms[half], m->clock_ms[last], m->processor_ms[half], m->processor_ms[last],
               m->processor_ms[last] / all[LABELS].processor_ms[last],
               (double)m->reads / b->query_count, (double)m->estimates / b->query_count,
               m->first_ms);
    }
    printf("\n");
    for (int i = 0; i <= LABELS; i++) {
        free(all[i].clock_ms);
        free(all[i].processor_ms);
    }
}

/* "filter.bin" for the peer: counts, vectors, queries, labels, truth. */
static void run_peer(const bench *b, const char *program, uint32_t ef, uint32_t queries_max)
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
    snprintf(command, sizeof command, "'%s' '%s' %u %u", peer, data, ef, queries_max);
    if (system(command) != 0)
        bench_die("%s failed", peer);
}

static uint32_t number(int argc, char **argv, const char *name, const char *fallback)
{
    return (uint32_t)strtoul(bench_option(argc, argv, name, fallback), NULL, 10);
}

static bool is_kept(const bench *b)
{
    char path[300];
    snprintf(path, sizeof path, "%s/truth.bin", b->folder);
    return b->kept && access(path, R_OK) == 0;
}

static void prepare(bench *b, const char *kept)
{
    if (kept) {
        snprintf(b->folder, sizeof b->folder, "%s", kept);
        mkdir(b->folder, 0777);
        b->kept = 1;
    } else {
        bench_make_folder(b->folder, sizeof b->folder);
    }
    if (b->set) {
        b->vectors = load(b->set, "base.fbin", &b->count, &b->dimension);
        b->queries = load(b->set, "queries.fbin", &b->query_count, &b->dimension);
    } else {
        generate(b);
    }
    choose_labels(b);
}

int main(int argc, char **argv)
{
    bench b = {.set = bench_option(argc, argv, "--set", NULL)};
    b.count = number(argc, argv, "--count", b.set ? "0" : "100000");
    b.dimension = number(argc, argv, "--dimension", "128");
    b.query_count = number(argc, argv, "--queries", "100");
    b.effort = number(argc, argv, "--effort", "0");
    if ((b.count < 1000 && !b.set) || b.dimension < 2 || b.query_count < 1)
        bench_die("--count from 1000, --dimension from 2, --queries from 1");
    prepare(&b, bench_option(argc, argv, "--db", NULL));
    int known = is_kept(&b);
    imgret *db = open_database(&b);
    if (!known)
        fill(&b, db);
    know_truth(&b, db, known);
    if (!known) {
        imgret_error error = IMGRET_ERROR_INIT;
        imgret_optimize_options optimize = {.size = sizeof optimize,
                                            .flags = IMGRET_OPTIMIZE_FORCE};
        check(imgret_optimize(db, &optimize, &error), &error);
    }
    measured all[LABELS + 1];
    measure(&b, db, all);
    print(&b, all);
    imgret_close(db);
    if (!bench_flag(argc, argv, "--no-peer"))
        run_peer(&b, argv[0], number(argc, argv, "--ef-construction", "200"),
                 number(argc, argv, "--peer-queries", "0"));
    if (!b.kept)
        bench_remove_folder(b.folder);
    free(b.vectors);
    free(b.queries);
    free(b.label_of);
    free(b.truth);
    return 0;
}
