/* point.h: one measured point: what was asked of which index on which set, and what came out. */
#ifndef IR_BENCH_POINT_H
#define IR_BENCH_POINT_H

#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Numbers that were not measured are NaN, null in JSON. The names of the fields are those in JSON. */
typedef struct bench_point {
    char engine[32];  /* "libimgret", "hnswlib", ... */
    char index[160];  /* its parameters */
    char set[96];     /* name of the vectors */
    char metric[16];  /* "l2", "cosine", "ip" */
    char scores[16];  /* "exact", "estimated": of the returned scores */
    char machine[96]; /* processor, number of CPUs */
    char mode[16];    /* what qps is of: "batch" of queries, or "single" ones by several threads */
    double count, dimension, query_count, k, threads;
    double memory_bytes;  /* the budget that was set */
    double target_recall; /* what the effort was chosen for, on other queries */
    double effort;
    double recall;       /* share of the k nearest that were found, on the held-out queries */
    double recall_tuned; /* on the queries that the effort was chosen with */
    double qps;          /* queries a second, median of the runs */
    double qps_single;   /* the same by `threads` threads that ask one query at a time */
    double mean_us, p50_us, p95_us, p99_us;  /* latency of those */
    double cpu_us;                           /* processor time a query, of all threads */
    double reads_per_query, bytes_per_query; /* disk reads, as the engine counts them */
    double device_bytes_per_query;           /* as the operating system counts them */
    double ram_bytes;                        /* of the index, as the engine counts it */
    double rss_bytes; /* peak of the process that only searched, queries included */
    double build_s;   /* from vectors to a searchable index */
    double add_s;     /* storing the vectors durably before that */
    double build_cpu_s;
    double build_rss_bytes; /* peak of the process that built */
    double file_bytes;      /* all that is on disk */
    double load;            /* of the machine, over the last minute */
} bench_point;

/* All numbers NaN, all texts empty. */
void bench_point_clear(bench_point *point);

/* Writes one line of JSON. */
void bench_point_write(const bench_point *point, FILE *out);

/* Reads such a line; -1 when it is none. */
int bench_point_parse(bench_point *point, const char *line);

/* All points of a file of such lines, "-" for stdin; ends the program where there are none. Adds to
 * *points (freed with free()) and returns the new count. */
uint64_t bench_points_read(bench_point **points, uint64_t count, const char *path);

/* One line of a table for a reader at a terminal, and the head over such lines. */
void bench_point_print(const bench_point *point, FILE *out);
void bench_point_print_head(FILE *out);

/* Processor and load of this machine, into the point. */
void bench_point_describe_machine(bench_point *point);

#ifdef __cplusplus
}
#endif

#endif
