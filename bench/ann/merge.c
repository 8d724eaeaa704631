/* merge.c: `imgret-bench merge`: what joining parts to a segment costs and does to recall.
 *
 * A database begins with so many of the vectors that N merges, each of P percent of what is there, end
 * with all. Beside it stands one that is built of all at once. Told are the processor time of every
 * merge, that of building anew, and the recall of both at the same efforts.
 *
 * A segment ten times as large as what is to join it would be left alone by the rules of optimize;
 * that it has something to erase, and IMGRET_OPTIMIZE_FORCE, make it take part: the first vectors of
 * the database are there to be removed, one before each merge.
 */
#include "commands.h"
#include "library.h"
#include "options.h"
#include "stage.h"

#include "../common.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MERGES_MAX = 100, THREADS = 2 };

typedef struct {
    double wall_s, cpu_s;
} cost;

typedef struct {
    bench_job job;
    uint32_t merges;
    double part; /* of what is there */
    char database[300];
    int anew;                        /* all at once */
    uint64_t counts[MERGES_MAX + 1]; /* vectors after the first build and each merge */
} merger;

static cost optimize(imgret *db)
{
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_optimize_options options = {.size = sizeof options, .flags = IMGRET_OPTIMIZE_FORCE};
    double started = bench_seconds(), processor = bench_processor_seconds();
    if (imgret_optimize(db, &options, &error) != IMGRET_OK)
        bench_die("%s", error.message);
    return (cost){bench_seconds() - started, bench_processor_seconds() - processor};
}

static imgret *open_database(const merger *m, uint32_t flags)
{
    return bench_library_open(m->database, m->job.dimension, m->job.metric, IMGRET_VECTOR_F16,
                              flags, m->job.build_threads, 0);
}

/* As many copies of vectors as there will be merges: what is removed later. */
static int64_t add_victims(const merger *m, imgret *db)
{
    bench_vectors *base = bench_vectors_open(m->job.base, 0);
    int64_t id = bench_library_add(db, base, m->merges, 1);
    bench_vectors_close(base);
    return id;
}

static void remove_victims(imgret *db, uint32_t first, uint32_t last)
{
    imgret_error error = IMGRET_ERROR_INIT;
    for (uint32_t id = first; id <= last; id++)
        if (imgret_remove(db, id, &error) != IMGRET_OK)
            bench_die("%s", error.message);
}

static void check_segments(imgret *db, uint64_t count)
{
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_stats stats = {.size = sizeof stats};
    if (imgret_get_stats(db, &stats, &error) != IMGRET_OK)
        bench_die("%s", error.message);
    if (stats.segment_count != 1 || stats.segment_vector_count != count)
        bench_die("%llu segments with %llu vectors; 1 with %llu was expected",
                  (unsigned long long)stats.segment_count,
                  (unsigned long long)stats.segment_vector_count, (unsigned long long)count);
}

static void print_step(const merger *m, const char *what, uint64_t before, uint64_t after,
                       cost spent)
{
    if (m->job.plan.json)
        printf(
            "{\"bench\":\"merge\",\"set\":\"%s\",\"dimension\":%u,\"step\":\"%s\",\"before\":%llu,"
            "\"after\":%llu,\"cpu_s\":%.2f,\"wall_s\":%.2f}\n",
            m->job.set, m->job.dimension, what, (unsigned long long)before,
            (unsigned long long)after, spent.cpu_s, spent.wall_s);
    else
        printf("%-8s %10llu -> %10llu vectors %9.2f s of the processor %9.2f s\n", what,
               (unsigned long long)before, (unsigned long long)after, spent.cpu_s, spent.wall_s);
    fflush(stdout);
}

static void build(void *user)
{
    merger *m = user;
    imgret *db = open_database(m, IMGRET_OPEN_NEW);
    int64_t id = add_victims(m, db);
    bench_vectors *base = bench_vectors_open(m->job.base, m->job.base_max);
    uint32_t steps = m->anew ? 0 : m->merges;
    uint64_t before = 0;
    for (uint32_t step = 0; step <= steps; step++) {
        uint64_t after = m->anew ? m->job.count : m->counts[step];
        id = bench_library_add(db, base, after - before, id);
        uint32_t removed = m->anew ? m->merges : step;
        remove_victims(db, m->anew || step == 0 ? 1 : step, removed);
        cost spent = optimize(db);
        check_segments(db, after + m->merges - removed);
        print_step(m, step ? "merge" : m->anew ? "anew" : "first", before, after, spent);
        before = after;
    }
    bench_vectors_close(base);
    imgret_close(db);
}

static void search(void *user)
{
    const merger *m = user;
    const bench_job *job = &m->job;
    bench_queries queries = bench_queries_load(job->queries, job->truth, job->query_max,
                                               job->plan.k);
    bench_library library = {.db = bench_library_open(m->database, job->dimension, job->metric,
                                                      IMGRET_VECTOR_F16, IMGRET_OPEN_READ_ONLY,
                                                      THREADS, 0),
                             .dimension = job->dimension,
                             .first_id = m->merges + 1};
    bench_engine engine = bench_library_engine(&library, job->plan.k);
    bench_point point = bench_job_point(job, "libimgret");
    snprintf(point.index, sizeof point.index, m->anew ? "built anew" : "after %u merges of %.0f %%",
             m->merges, m->part * 100);
    bench_plan plan = job->plan;
    plan.threads = THREADS;
    bench_measure(&engine, &queries, &plan, &point);
    imgret_close(library.db);
    bench_queries_free(&queries);
}

int bench_merge(int argc, char **argv)
{
    static const char *const own[] = {"--merges", "--part", NULL};
    static merger m;
    bench_check_options(argc, argv, bench_job_valued, own, bench_job_flags);
    m.merges = (uint32_t)bench_number(argc, argv, "--merges", 10, 1, MERGES_MAX);
    m.part = bench_real(argc, argv, "--part", 10, 0.1, 100) / 100;
    bench_job_read(&m.job, argc, argv);
    bench_plan *plan = &m.job.plan;
    if (plan->effort_count == 0 && !bench_option(argc, argv, "--recall", NULL)) {
        const uint32_t efforts[] = {16, 32, 64};
        plan->recall_count = 0;
        for (uint32_t i = 0; i < 3; i++)
            plan->efforts[plan->effort_count++] = efforts[i];
    }
    for (uint32_t i = 0; i <= m.merges; i++)
        m.counts[i] = (uint64_t)((double)m.job.count / pow(1 + m.part, m.merges - i));
    if (m.counts[0] < m.merges)
        bench_die("merge: too few vectors for so many merges");
    for (m.anew = 0; m.anew <= 1; m.anew++) {
        snprintf(m.database, sizeof m.database, "%s/%s.imgret", m.job.scratch,
                 m.anew ? "anew" : "merged");
        bench_run_apart(build, &m);
        bench_run_apart(search, &m);
    }
    return 0;
}
