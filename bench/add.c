/* add.c: how fast ready vectors go in, in transactions and one at a time, and this disk's fsync.
 *
 * `bench-add [--dimension N] [--count N] [--batch N] [--single N] [--runs N] [--json]` adds COUNT
 * vectors in transactions of BATCH, then SINGLE vectors each durable on its own, into a fresh
 * database, `runs` times (median counts, and the slowest and fastest run). "fsync" is the rate of
 * appending 8 KiB to a file and syncing it: no add alone can be faster.
 */
#include "common.h"

#include <fcntl.h>
#include <imgret/imgret.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RUNS_MAX = 25, SYNCS = 300, SYNC_BYTES = 8192 };

typedef struct {
    char scratch[256];
    uint32_t dimension, count, batch, single;
    float *pool; /* vectors are windows of it: drawing them must not be part of the time */
} bench;

enum { POOL_EXTRA = 65536 };

static void draw_pool(bench *b)
{
    uint32_t seed = 1;
    b->pool = malloc((b->dimension + POOL_EXTRA) * sizeof *b->pool);
    if (!b->pool)
        bench_die("no memory");
    for (uint32_t i = 0; i < b->dimension + POOL_EXTRA; i++) {
        seed = seed * 1664525u + 1013904223u;
        b->pool[i] = (float)(seed >> 8) / 8388608.0f - 1.0f;
    }
}

static void add_one(const bench *b, imgret *db, uint32_t number)
{
    imgret_error error = IMGRET_ERROR_INIT;
    char uri[64];
    snprintf(uri, sizeof uri, "/pictures/%08x/%u.jpg", number * 2654435761u, number);
    imgret_input input = {.size = sizeof input,
                          .kind = IMGRET_INPUT_VECTOR,
                          .vector = b->pool + number % POOL_EXTRA,
                          .dimension = b->dimension};
    imgret_add_options options = {.size = sizeof options, .uri = uri};
    if (imgret_add(db, &input, &options, NULL, &error) != IMGRET_OK)
        bench_die("%s", error.message);
}

static void end_batch(imgret *db)
{
    imgret_error error = IMGRET_ERROR_INIT;
    if (imgret_commit(db, &error) != IMGRET_OK)
        bench_die("%s", error.message);
}

static void add_run(const bench *b, uint32_t run, double *batched, double *single)
{
    char path[300], model[32];
    snprintf(path, sizeof path, "%s/db-%u.imgret", b->scratch, run);
    snprintf(model, sizeof model, "vectors:%u", b->dimension);
    imgret_open_options options = {.size = sizeof options, .model = model};
    imgret_error error = IMGRET_ERROR_INIT;
    imgret *db;
    if (imgret_open(&db, path, &options, &error) != IMGRET_OK)
        bench_die("%s", error.message);
    double started = bench_seconds();
    for (uint32_t i = 0; i < b->count; i++) {
        if (i % b->batch == 0 && imgret_begin(db, &error) != IMGRET_OK)
            bench_die("%s", error.message);
        add_one(b, db, i);
        if ((i + 1) % b->batch == 0 || i + 1 == b->count)
            end_batch(db);
    }
    *batched = b->count / (bench_seconds() - started);
    started = bench_seconds();
    for (uint32_t i = 0; i < b->single; i++)
        add_one(b, db, b->count + i);
    *single = b->single / (bench_seconds() - started);
    imgret_close(db);
}

static double sync_rate(const bench *b)
{
    char path[300];
    static char page[SYNC_BYTES];
    snprintf(path, sizeof path, "%s/sync", b->scratch);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    double started = bench_seconds();
    for (int i = 0; i < SYNCS; i++)
        if (fd < 0 || write(fd, page, sizeof page) != (ssize_t)sizeof page || fsync(fd) != 0)
            bench_die("cannot write %s", path);
    double seconds = bench_seconds() - started;
    close(fd);
    return SYNCS / seconds;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_rates(const char *name, double *rates, uint32_t runs, int json)
{
    qsort(rates, runs, sizeof rates[0], compare_doubles);
    if (json)
        printf(",\"%s_per_s\":%.1f,\"%s_per_s_min\":%.1f,\"%s_per_s_max\":%.1f", name,
               rates[runs / 2], name, rates[0], name, rates[runs - 1]);
    else
        printf("%-12s %10.0f/s   (%.0f to %.0f)\n", name, rates[runs / 2], rates[0],
               rates[runs - 1]);
}

static uint32_t number_option(int argc, char **argv, const char *name, const char *fallback)
{
    long value = atol(bench_option(argc, argv, name, fallback));
    if (value < 1 || value > 100000000)
        bench_die("%s must be a number above 0", name);
    return (uint32_t)value;
}

int main(int argc, char **argv)
{
    static bench b;
    double batched[RUNS_MAX], single[RUNS_MAX], syncs[RUNS_MAX];
    b.dimension = number_option(argc, argv, "--dimension", "512");
    b.count = number_option(argc, argv, "--count", "50000");
    b.batch = number_option(argc, argv, "--batch", "1000");
    b.single = number_option(argc, argv, "--single", "500");
    uint32_t runs = number_option(argc, argv, "--runs", "5");
    int json = bench_flag(argc, argv, "--json");
    if (runs > RUNS_MAX)
        bench_die("--runs: at most %d", RUNS_MAX);
    bench_make_folder(b.scratch, sizeof b.scratch);
    draw_pool(&b);
    for (uint32_t run = 0; run < runs; run++) {
        syncs[run] = sync_rate(&b);
        add_run(&b, run, &batched[run], &single[run]);
    }
    if (json)
        printf("{\"bench\":\"add\",\"dimension\":%u,\"count\":%u,\"batch\":%u,\"runs\":%u",
               b.dimension, b.count, b.batch, runs);
    else
        printf("%u vectors of %u in transactions of %u, then %u alone; median of %u runs\n",
               b.count, b.dimension, b.batch, b.single, runs);
    print_rates("batched", batched, runs, json);
    print_rates("single", single, runs, json);
    print_rates("fsync", syncs, runs, json);
    if (json)
        printf("}\n");
    free(b.pool);
    bench_remove_folder(b.scratch);
    return 0;
}
