/* ann.c: `imgret-bench ann`: recall, speed, reads and memory of libimgret on a set of vectors.
 *
 * Everything goes through the public interface: vectors are added in transactions, imgret_optimize
 * builds the index, imgret_query and imgret_query_batch ask. The truth, the build, and each search (a
 * number of threads under a memory budget) run in processes of their own, so that a search's memory
 * is only its own. The base is read as a stream by all of them.
 */
#include "commands.h"
#include "library.h"
#include "options.h"
#include "stage.h"
#include "vectors.h"

#include "../common.h"

#include <imgret/imgret.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    bench_job job;
    char database[4096];
    char notes[4104]; /* file with what the build told */
    uint32_t vector_type;
    uint64_t build_memory; /* bytes; 0: no limit */
    uint64_t memory;       /* of this search; 0: no limit */
    int calibrated;        /* measure target_recall too */
    int records;           /* ask for the records of results, too; other engines have none */
    int exact, estimated;  /* which scores are asked for; one of them at least */
    bench_point built;
} ann;

/* ---- Build ---------------------------------------------------------------------------------------- */

static imgret *open_database(const ann *a, uint32_t flags, uint32_t threads, uint64_t memory)
{
    return bench_library_open(a->database, a->job.dimension, a->job.metric, a->vector_type, flags,
                              threads, memory);
}

/* Ids of a fresh database count from 1: an answer's id tells the position in the base. */
static void store(void *user)
{
    ann *a = user;
    imgret *db = open_database(a, IMGRET_OPEN_NEW, a->job.build_threads, 0);
    bench_vectors *base = bench_vectors_open(a->job.base, a->job.base_max);
    double started = bench_seconds();
    bench_library_add(db, base, a->job.count, 1);
    a->built = bench_job_point(&a->job, "libimgret");
    a->built.add_s = bench_seconds() - started;
    bench_vectors_close(base);
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
    double started = bench_seconds(), processor = bench_processor_seconds();
    if (imgret_optimize(db, &options, &error) != IMGRET_OK)
        bench_die("%s", error.message);
    a->built = bench_build_read(a->notes);
    a->built.build_s = bench_seconds() - started;
    a->built.build_cpu_s = bench_processor_seconds() - processor;
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
        if (isfinite(a->built.build_rss_bytes))
            return;
    } else
        bench_run_apart(store, a);
    uint64_t peak_bytes = bench_run_apart(build, a);
    a->built = bench_build_read(a->notes);
    a->built.build_rss_bytes = (double)peak_bytes;
    bench_build_write(a->notes, &a->built);
}

/* ---- Search --------------------------------------------------------------------------------------- */

/* The same recalls, reached by the library's own choice of effort. */
static void measure_calibrated(const bench_engine *engine, const bench_queries *queries,
                               const bench_plan *asked, bench_point point)
{
    bench_library s = *(const bench_library *)engine->user;
    bench_engine chosen = *engine;
    bench_plan plan = *asked;
    size_t length = strlen(point.index);
    snprintf(point.index + length, sizeof point.index - length, ", effort is target_recall x %d",
             BENCH_TARGET_UNIT);
    plan.recall_count = plan.effort_count = 0;
    for (uint32_t i = 0; i < asked->recall_count; i++)
        plan.efforts[plan.effort_count++] = (uint32_t)(asked->recalls[i] * BENCH_TARGET_UNIT + 0.5);
    chosen.effort_min = BENCH_TARGET_UNIT / 2;
    chosen.effort_max = BENCH_TARGET_UNIT - 1;
    chosen.user = &s;
    s.by_target = 1;
    bench_measure(&chosen, queries, &plan, &point);
}

static void measure_scores(const ann *a, bench_library *s, const bench_queries *queries,
                           bench_point *point, int estimated)
{
    bench_engine engine = bench_library_engine(s, a->job.plan.k);
    s->estimated = estimated;
    snprintf(point->scores, sizeof point->scores, "%s", estimated ? "estimated" : "exact");
    bench_measure(&engine, queries, &a->job.plan, point);
    if (a->calibrated)
        measure_calibrated(&engine, queries, &a->job.plan, *point);
}

static void search(void *user)
{
    ann *a = user;
    bench_job *job = &a->job;
    bench_queries queries = bench_queries_load(job->queries, job->truth, job->query_max,
                                               job->plan.k);
    bench_library s = {.db = open_database(a, IMGRET_OPEN_READ_ONLY, job->plan.threads, a->memory),
                       .dimension = job->dimension,
                       .ids_only = !a->records,
                       .first_id = 1};
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_stats stats = {.size = sizeof stats};
    if (imgret_get_stats(s.db, &stats, &error) != IMGRET_OK)
        bench_die("%s", error.message);
    bench_point point = a->built;
    snprintf(point.set, sizeof point.set, "%s", job->set);
    snprintf(point.index, sizeof point.index, "%s, %s, %s%s",
             stats.vector_type == IMGRET_VECTOR_F32 ? "f32" : "f16", stats.kernels, stats.io_kind,
             a->records ? ", with records" : "");
    if (a->memory)
        point.memory_bytes = (double)a->memory;
    if (a->exact)
        measure_scores(a, &s, &queries, &point, 0);
    if (a->estimated)
        measure_scores(a, &s, &queries, &point, 1);
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

static void read_scores(ann *a, const char *text)
{
    a->exact = strcmp(text, "exact") == 0 || strcmp(text, "both") == 0;
    a->estimated = strcmp(text, "estimated") == 0 || strcmp(text, "both") == 0;
    if (!a->exact && !a->estimated)
        bench_die("--scores %s: wants exact, estimated or both", text);
}

int bench_ann(int argc, char **argv)
{
    static const char *const own[] = {"--db",      "--memory", "--build-memory",
                                      "--vectors", "--scores", NULL};
    static const char *const flags[] = {"--json", "--calibrated", "--records", NULL};
    bench_check_options(argc, argv, bench_job_valued, own, flags);
    static ann a;
    a.calibrated = bench_flag(argc, argv, "--calibrated");
    a.records = bench_flag(argc, argv, "--records");
    const char *type = bench_option(argc, argv, "--vectors", "f16");
    if (strcmp(type, "f16") != 0 && strcmp(type, "f32") != 0)
        bench_die("--vectors %s: wants f16 or f32", type);
    a.vector_type = type[1] == '1' ? IMGRET_VECTOR_F16 : IMGRET_VECTOR_F32;
    read_scores(&a, bench_option(argc, argv, "--scores", "exact"));
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
