/* stage.h: runs the parts of a measurement in processes of their own, so that the peak memory of
 * each is told apart. */
#ifndef IR_BENCH_STAGE_H
#define IR_BENCH_STAGE_H

#include "measure.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Calls work(user) in a child process. Ends the program when that fails; else returns the child's
 * peak resident memory in bytes. To be called before this process starts threads or opens handles. */
uint64_t bench_run_apart(void (*work)(void *user), void *user);

/* The same, but tells of a failure by 0. */
uint64_t bench_try_apart(void (*work)(void *user), void *user);

/* What is the same for every engine: the arguments of `ann` and `peers`. */
typedef struct bench_job {
    const char *base, *queries;
    char truth[4096];
    char scratch[256]; /* folder, removed at the end */
    char set[96];      /* name of the vectors in reports */
    uint64_t base_max; /* 0: all */
    uint64_t count;    /* vectors of the base */
    uint32_t query_max, dimension, metric;
    uint32_t threads[16];
    uint32_t thread_count;
    uint32_t build_threads;
    bench_plan plan; /* its threads are set for each run */
} bench_job;

/* Options that bench_job_read understands, NULL at the end of each list. */
extern const char *const bench_job_valued[];
extern const char *const bench_job_flags[];

/* Reads the arguments, makes the scratch folder, which is removed when the program ends, and, where there is
 * no truth yet, computes it: into the scratch folder, or the file that --truth names. Once a program. */
void bench_job_read(bench_job *job, int argc, char **argv);

/* A point with what the job tells: set, count, dimension, metric. */
bench_point bench_job_point(const bench_job *job, const char *engine);

/* Results of a build, from the process that built to those that search: a file of one point. */
void bench_build_write(const char *path, const bench_point *point);
bench_point bench_build_read(const char *path);

/* Bytes of a file, or of all files below a folder. */
uint64_t bench_tree_bytes(const char *path);

#ifdef __cplusplus
}
#endif

#endif
