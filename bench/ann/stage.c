/* stage.c: the parts of a measurement, each in a process of its own, and what they have in common. */
#include "stage.h"

#include "commands.h"
#include "options.h"
#include "vectors.h"

#include "../common.h"

#include <ftw.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

uint64_t bench_try_apart(void (*work)(void *user), void *user)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        work(user);
        exit(0);
    }
    int status = 0;
    struct rusage use;
    if (child < 0 || wait4(child, &status, 0, &use) != child)
        bench_die("cannot start a process");
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? (uint64_t)use.ru_maxrss * 1024 : 0;
}

uint64_t bench_run_apart(void (*work)(void *user), void *user)
{
    uint64_t peak_bytes = bench_try_apart(work, user);
    if (!peak_bytes)
        bench_die("a part of the measurement failed");
    return peak_bytes;
}

uint32_t bench_cpu_count(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    int count = CPU_COUNT(&set);
    return count < 1 ? 1 : count > 64 ? 64 : (uint32_t)count;
}

const char *const bench_job_valued[] = {"--base", "--queries", "--truth",       "--metric",
                                        "--k",    "--threads", "--recall",      "--efforts",
                                        "--runs", "--count",   "--queries-max", "--build-threads",
                                        "--name", NULL};
const char *const bench_job_flags[] = {"--json", NULL};

static void compute_truth(void *user)
{
    enum { DEPTH = 100 };
    bench_job *job = user;
    uint64_t count;
    uint32_t dimension, depth = job->plan.k + 10 > DEPTH ? job->plan.k + 10 : DEPTH;
    float *rows = bench_vectors_load(job->queries, job->query_max, &count, &dimension);
    bench_truth truth = bench_truth_compute(job->base, job->base_max, rows, (uint32_t)count, depth,
                                            job->metric, job->build_threads);
    bench_truth_write(&truth, job->truth);
    bench_truth_free(&truth);
    free(rows);
}

/* The set's name: that of the file, or of the folder it lies in where the file is called base. */
static void name_set(bench_job *job, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s", job->base);
    char *slash = strrchr(path, '/');
    if (!name && slash && strncmp(slash + 1, "base.", 5) == 0) {
        *slash = 0;
        slash = strrchr(path, '/');
    }
    snprintf(job->set, sizeof job->set, "%.95s", name ? name : slash ? slash + 1 : path);
}

static void look_at_vectors(bench_job *job)
{
    bench_vectors *base = bench_vectors_open(job->base, job->base_max);
    bench_vectors *queries = bench_vectors_open(job->queries, job->query_max);
    job->count = bench_vectors_count(base);
    job->dimension = bench_vectors_dimension(base);
    if (bench_vectors_dimension(queries) != job->dimension)
        bench_die("%s and %s differ in dimension", job->base, job->queries);
    if (job->plan.k > job->count)
        bench_die("--k %u: the base holds fewer vectors", job->plan.k);
    bench_vectors_close(base);
    bench_vectors_close(queries);
}

static char scratch_folder[256];
static pid_t scratch_owner;

/* However the program ends; its children end without. */
static void remove_scratch(void)
{
    if (getpid() == scratch_owner)
        bench_remove_folder(scratch_folder);
}

static void make_scratch(bench_job *job)
{
    bench_make_folder(job->scratch, sizeof job->scratch);
    snprintf(scratch_folder, sizeof scratch_folder, "%s", job->scratch);
    scratch_owner = getpid();
    if (atexit(remove_scratch) != 0)
        bench_die("no memory");
}

void bench_job_read(bench_job *job, int argc, char **argv)
{
    memset(job, 0, sizeof *job);
    job->base = bench_option(argc, argv, "--base", NULL);
    job->queries = bench_option(argc, argv, "--queries", NULL);
    if (!job->base || !job->queries)
        bench_die("%s: --base and --queries are needed", argv[1]);
    job->metric = bench_metric(argc, argv);
    job->base_max = bench_number(argc, argv, "--count", 0, 1, UINT32_MAX);
    job->query_max = (uint32_t)bench_number(argc, argv, "--queries-max", 0, 2, UINT32_MAX);
    job->build_threads = (uint32_t)bench_number(argc, argv, "--build-threads", bench_cpu_count(), 1,
                                                64);
    job->thread_count = bench_numbers(argc, argv, "--threads", "2", job->threads, 16);
    for (uint32_t i = 0; i < job->thread_count; i++)
        if (job->threads[i] > 64)
            bench_die("--threads: at most 64");
    bench_plan *plan = &job->plan;
    plan->k = (uint32_t)bench_number(argc, argv, "--k", 10, 1, 1000);
    plan->runs = (uint32_t)bench_number(argc, argv, "--runs", 3, 1, 25);
    plan->json = bench_flag(argc, argv, "--json");
    plan->effort_count = bench_numbers(argc, argv, "--efforts", "", plan->efforts, BENCH_LIST_MAX);
    plan->recall_count = bench_reals(argc, argv, "--recall",
                                     plan->effort_count ? "" : "0.9,0.95,0.99,0.999", plan->recalls,
                                     BENCH_LIST_MAX);
    look_at_vectors(job);
    name_set(job, bench_option(argc, argv, "--name", NULL));
    make_scratch(job);
    const char *truth = bench_option(argc, argv, "--truth", NULL);
    snprintf(job->truth, sizeof job->truth, truth ? "%s" : "%s/truth.ibin",
             truth ? truth : job->scratch);
    if (access(job->truth, F_OK) != 0)
        bench_run_apart(compute_truth, job);
}

bench_point bench_job_point(const bench_job *job, const char *engine)
{
    bench_point point;
    bench_point_clear(&point);
    snprintf(point.engine, sizeof point.engine, "%s", engine);
    snprintf(point.set, sizeof point.set, "%s", job->set);
    snprintf(point.metric, sizeof point.metric, "%s", bench_metric_name(job->metric));
    snprintf(point.scores, sizeof point.scores, "exact");
    point.count = (double)job->count;
    point.dimension = job->dimension;
    return point;
}

void bench_build_write(const char *path, const bench_point *point)
{
    bench_point copy = *point;
    copy.recall = 0; /* a point without it is none */
    FILE *file = fopen(path, "w");
    if (!file)
        bench_die("%s: cannot be written", path);
    bench_point_write(&copy, file);
    if (fclose(file) != 0)
        bench_die("%s: cannot be written", path);
}

bench_point bench_build_read(const char *path)
{
    bench_point *points = NULL;
    bench_points_read(&points, 0, path);
    bench_point point = points[0];
    free(points);
    return point;
}

/* nftw gives its callback no argument; the programs of bench/ walk one folder at a time. */
static uint64_t tree_bytes;

static int add_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)path, (void)walk;
    if (type == FTW_F)
        tree_bytes += (uint64_t)info->st_size;
    return 0;
}

uint64_t bench_tree_bytes(const char *path)
{
    tree_bytes = 0;
    nftw(path, add_entry, 16, FTW_PHYS);
    return tree_bytes;
}
