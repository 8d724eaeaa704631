/* ann.c: `imgret-bench ann`: recall, speed, reads and memory of libimgret on a set of vectors.
 *
 * Everything goes through the public interface: vectors are added in transactions, imgret_optimize
 * builds the index, imgret_query and imgret_query_batch ask. The truth, the build, and each search (a
 * number of threads under a memory budget) run in processes of their own, so that a search's memory
 * is only its own. The base is read as a stream by all of them.
 */
#include "commands.h"
#include "options.h"
#include "stage.h"
#include "vectors.h"

#include "../common.h"

#include <imgret/imgret.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

typedef struct {
    bench_job job;
    char database[4096];
    char notes[4104]; /* file with what the build told */
    uint32_t vector_type;
    uint64_t build_memory; /* bytes; 0: no limit */
    uint64_t memory;       /* of this search; 0: no limit */
    int calibrated;        /* measure target_recall too */
    bench_point built;
} ann;

/* ---- Build ---------------------------------------------------------------------------------------- */

static imgret *open_database(const ann *a, uint32_t flags, uint32_t threads, uint64_t memory)
{
    char model[32];
    imgret *db;
    imgret_error error = IMGRET_ERROR_INIT;
    snprintf(model, sizeof model, "vectors:%u", a->job.dimension);
    imgret_open_options options = {.size = sizeof options,
                                   .flags = flags,
                                   .model = model,
                                   .metric = a->job.metric,
                                   .vector_type = a->vector_type,
                                   .threads = threads,
                                   .index_ram_bytes = memory};
    if (imgret_open(&db, a->database, &options, &error) != IMGRET_OK)
        bench_die("%s", error.message);
    return db;
}

/* Ids of a fresh database count from 1: an answer's id tells the position in the base. */
static void add_vector(imgret *db, const float *row, uint32_t dimension, uint64_t position)
{
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_input input = {
        .size = sizeof input, .kind = IMGRET_INPUT_VECTOR, .vector = row, .dimension = dimension};
    imgret_add_result result = {.size = sizeof result};
    if (imgret_add(db, &input, NULL, &result, &error) != IMGRET_OK)
        bench_die("vector %llu: %s", (unsigned long long)position, error.message);
    if (result.id != (int64_t)position + 1)
        bench_die("the database gave id %lld to vector %llu", (long long)result.id,
                  (unsigned long long)position);
}

static void add_all(const ann *a, imgret *db)
{
    enum { BATCH = 1000 };
    imgret_error error = IMGRET_ERROR_INIT;
    bench_vectors *base = bench_vectors_open(a->job.base, a->job.base_max);
    float *rows = malloc((size_t)BATCH * a->job.dimension * sizeof *rows);
    if (!rows)
        bench_die("no memory");
    uint64_t position = 0, count;
    while ((count = bench_vectors_read(base, rows, BATCH)) > 0) {
        if (imgret_begin(db, &error) != IMGRET_OK)
            bench_die("%s", error.message);
        for (uint64_t i = 0; i < count; i++)
            add_vector(db, rows + i * a->job.dimension, a->job.dimension, position++);
        if (imgret_commit(db, &error) != IMGRET_OK)
            bench_die("%s", error.message);
    }
    free(rows);
    bench_vectors_close(base);
}

static double processor_seconds(void)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1e-6;
}

static void store(void *user)
{
    ann *a = user;
    imgret *db = open_database(a, IMGRET_OPEN_NEW, a->job.build_threads, 0);
    double started = bench_seconds();
    add_all(a, db);
    a->built = bench_job_point(&a->job, "libimgret");
    a->built.add_s = bench_seconds() - started;
    imgret_close(db);
    bench_build_write(a->notes, &a->built);
}

/* A process of its own: the memory of building is not that of adding. */
static void build(void *user)
{
    ann *a = user;
    imgret_error error = IMGRET_ERROR_INIT;
    imgret *db = open_database(a, IMGRET_OPEN_EXISTING, a->job.build_threads, 0);
    imgret_optimize_options options = {.size = sizeof options,
                                       .flags = IMGRET_OPTIMIZE_FORCE,
                                       .memory_bytes_max = a->build_memory};
    double started = bench_seconds(), processor = processor_seconds();
    if (imgret_optimize(db, &options, &error) != IMGRET_OK)
        bench_die("%s", error.message);
    a->built = bench_build_read(a->notes);
    a->built.build_s = bench_seconds() - started;
    a->built.build_cpu_s = processor_seconds() - processor;
    imgret_close(db);
    a->built.file_bytes = (double)bench_tree_bytes(a->database);
    bench_build_write(a->notes, &a->built);
}

static void prepare(ann *a)
{
    if (access(a->notes, R_OK) == 0) {
        a->built = bench_build_read(a->notes);
        if ((uint64_t)a->built.count != a->job.count ||
            (uint32_t)a->built.dimension != a->job.dimension ||
            strcmp(a->built.metric, bench_metric_name(a->job.metric)) != 0)
            bench_die("%s was made of other vectors, or for another metric", a->database);
        return;
    }
    bench_run_apart(store, a);
    uint64_t peak_bytes = bench_run_apart(build, a);
    a->built = bench_build_read(a->notes);
    a->built.build_rss_bytes = (double)peak_bytes;
    bench_build_write(a->notes, &a->built);
}

/* ---- Search --------------------------------------------------------------------------------------- */

typedef struct {
    imgret *db;
    uint32_t dimension;
    int by_target; /* efforts are target_recall in units of 1 / TARGET_UNIT */
} searched;

enum { TARGET_UNIT = 10000 };

static imgret_query_options options_of(const searched *s, uint32_t effort, uint32_t k)
{
    imgret_query_options options = {.size = sizeof options, .k = k};
    if (s->by_target)
        options.target_recall = (float)effort / TARGET_UNIT;
    else
        options.effort = effort;
    return options;
}

static void keep_ids(const imgret_results *results, uint32_t k, int64_t *ids)
{
    uint64_t count = imgret_results_count(results);
    for (uint32_t i = 0; i < k; i++)
        ids[i] = i < count ? imgret_results_at(results, i)->id - 1 : -1;
}

static void search_batch(void *user, const float *queries, uint32_t count, uint32_t effort,
                         uint32_t k, int64_t *ids)
{
    const searched *s = user;
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_input *inputs = calloc(count, sizeof *inputs);
    imgret_results **results = calloc(count, sizeof *results);
    imgret_query_options options = options_of(s, effort, k);
    if (!inputs || !results)
        bench_die("no memory");
    for (uint32_t i = 0; i < count; i++)
        inputs[i] = (imgret_input){.size = sizeof inputs[i],
                                   .kind = IMGRET_INPUT_VECTOR,
                                   .vector = queries + (size_t)i * s->dimension,
                                   .dimension = s->dimension};
    if (imgret_query_batch(results, s->db, inputs, count, &options, &error) != IMGRET_OK)
        bench_die("%s", error.message);
    for (uint32_t i = 0; i < count; i++) {
        keep_ids(results[i], k, ids + (size_t)i * k);
        imgret_results_free(results[i]);
    }
    free(inputs);
    free(results);
}

static void search_one(void *user, const float *query, uint32_t effort, uint32_t k, int64_t *ids)
{
    const searched *s = user;
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_results *results;
    imgret_input input = {.size = sizeof input,
                          .kind = IMGRET_INPUT_VECTOR,
                          .vector = query,
                          .dimension = s->dimension};
    imgret_query_options options = options_of(s, effort, k);
    if (imgret_query(&results, s->db, &input, &options, &error) != IMGRET_OK)
        bench_die("%s", error.message);
    keep_ids(results, k, ids);
    imgret_results_free(results);
}

static void count_work(void *user, bench_counters *out)
{
    const searched *s = user;
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_stats stats = {.size = sizeof stats};
    if (imgret_get_stats(s->db, &stats, &error) != IMGRET_OK)
        bench_die("%s", error.message);
    out->reads = (double)stats.disk_read_count;
    out->read_bytes = (double)stats.disk_read_bytes;
    out->ram_bytes = (double)(stats.delta_ram_bytes + stats.segment_ram_bytes);
}

/* The same recalls, reached by the library's own choice of effort. */
static void measure_calibrated(bench_engine *engine, const bench_queries *queries,
                               const bench_plan *asked, bench_point point)
{
    searched *s = engine->user;
    bench_plan plan = *asked;
    size_t length = strlen(point.index);
    snprintf(point.index + length, sizeof point.index - length, ", effort is target_recall x %d",
             TARGET_UNIT);
    plan.recall_count = plan.effort_count = 0;
    for (uint32_t i = 0; i < asked->recall_count; i++)
        plan.efforts[plan.effort_count++] = (uint32_t)(asked->recalls[i] * TARGET_UNIT + 0.5);
    engine->effort_min = TARGET_UNIT / 2;
    engine->effort_max = TARGET_UNIT - 1;
    s->by_target = 1;
    bench_measure(engine, queries, &plan, &point);
}

static void search(void *user)
{
    ann *a = user;
    bench_job *job = &a->job;
    bench_queries queries = bench_queries_load(job->queries, job->truth, job->query_max,
                                               job->plan.k);
    searched s = {open_database(a, IMGRET_OPEN_READ_ONLY, job->plan.threads, a->memory),
                  job->dimension, 0};
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_stats stats = {.size = sizeof stats};
    if (imgret_get_stats(s.db, &stats, &error) != IMGRET_OK)
        bench_die("%s", error.message);
    bench_point point = a->built;
    snprintf(point.set, sizeof point.set, "%s", job->set);
    snprintf(point.index, sizeof point.index, "%s, %s, %s",
             stats.vector_type == IMGRET_VECTOR_F32 ? "f32" : "f16", stats.kernels, stats.io_kind);
    if (a->memory)
        point.memory_bytes = (double)a->memory;
    bench_engine engine = {.user = &s,
                           .effort_min = job->plan.k,
                           .effort_max = 16384,
                           .search = search_one,
                           .search_batch = search_batch,
                           .count = count_work};
    bench_measure(&engine, &queries, &job->plan, &point);
    if (a->calibrated)
        measure_calibrated(&engine, &queries, &job->plan, point);
    imgret_close(s.db);
    bench_queries_free(&queries);
}

static int search_all(ann *a, char *const *budgets, uint32_t budget_count)
{
    int failed = 0;
    for (uint32_t b = 0; b < budget_count; b++)
        for (uint32_t t = 0; t < a->job.thread_count; t++) {
            a->memory = bench_size("--memory", budgets[b], a->job.count);
            a->job.plan.threads = a->job.threads[t];
            if (!bench_try_apart(search, a)) {
                fprintf(stderr, "no search with %u threads under --memory %s\n", a->job.threads[t],
                        budgets[b]);
                failed = 1;
            }
        }
    return failed;
}

int bench_ann(int argc, char **argv)
{
    static const char *const own[] = {"--db", "--memory", "--build-memory", "--vectors", NULL};
    static const char *const flags[] = {"--json", "--calibrated", NULL};
    bench_check_options(argc, argv, bench_job_valued, own, flags);
    static ann a;
    a.calibrated = bench_flag(argc, argv, "--calibrated");
    const char *type = bench_option(argc, argv, "--vectors", "f16");
    if (strcmp(type, "f16") != 0 && strcmp(type, "f32") != 0)
        bench_die("--vectors %s: wants f16 or f32", type);
    a.vector_type = type[1] == '1' ? IMGRET_VECTOR_F16 : IMGRET_VECTOR_F32;
    char *budgets[BENCH_LIST_MAX];
    uint32_t budget_count = bench_texts(argc, argv, "--memory", "0", budgets, BENCH_LIST_MAX);
    bench_job_read(&a.job, argc, argv);
    a.build_memory = bench_size("--build-memory", bench_option(argc, argv, "--build-memory", "0"),
                                a.job.count);
    const char *kept = bench_option(argc, argv, "--db", NULL);
    snprintf(a.database, sizeof a.database, "%s%s", kept ? kept : a.job.scratch,
             kept ? "" : "/bench.imgret");
    snprintf(a.notes, sizeof a.notes, "%.4000s.build", a.database);
    prepare(&a);
    bench_point_print_head(a.job.plan.json ? stderr : stdout);
    int failed = search_all(&a, budgets, budget_count);
    for (uint32_t i = 0; i < budget_count; i++)
        free(budgets[i]);
    return failed;
}
