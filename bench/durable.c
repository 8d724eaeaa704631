/* durable.c: what a database that lives costs: reopening, backup, queries while others add and merge.
 *
 * `bench-durable --db FOLDER [--memory MIB] [--seconds N] [--rate N] [--threads N] [--runs N]
 * [--reopen] [--json]` takes a database of ready vectors (`imgret-bench ann --db` keeps one) and leaves
 * it as it is; with --memory all of it under that budget for the segments' RAM, with --reopen nothing
 * but the first part:
 *   reopen  from imgret_open to the first answer, with the files in the page cache and without
 *   backup  imgret_backup, beside a plain copy of the same files (read, write, fsync)
 *   live    on that backup: latency of one query at a time for `--seconds`, alone; while a thread adds
 *           `--rate` vectors a second in transactions of a tenth of a second's; while it adds and
 *           another calls imgret_optimize without a pause; while it adds and the handle maintains the
 *           database itself (IMGRET_OPEN_MAINTAIN). "shared" is the pure processor's part of it: the same
 *           queries beside threads that only compute.
 * Queries and additions are stored vectors with noise, so that they lie where the others do. Rates of
 * adding, alone and in batches, and this disk's fsync are told by `bench-add`.
 */
#include "common.h"

#include <dirent.h>
#include <fcntl.h>
#include <imgret/imgret.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SAMPLES = 1000, RUNS_MAX = 25, LATENCIES_MAX = 4000000, K = 10 };

typedef struct {
    const char *source;
    char scratch[256], live[300];
    uint32_t dimension, threads, runs, rate, memory_mib;
    double seconds;
    int json;
    float *samples;  /* SAMPLES x dimension, with noise */
    imgret *db;      /* of the live part */
    atomic_int stop; /* ends the threads beside the queries */
    atomic_uint added, merges;
} bench;

static void check(int32_t status, const imgret_error *error)
{
    if (status != IMGRET_OK)
        bench_die("%s", error->message);
}

static imgret *open_at(const bench *b, const char *path, uint32_t flags)
{
    imgret *db;
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_open_options options = {.size = sizeof options,
                                   .flags = flags,
                                   .threads = b->threads,
                                   .index_ram_bytes = (uint64_t)b->memory_mib << 20};
    check(imgret_open(&db, path, &options, &error), &error);
    return db;
}

/* ---- Vectors like those that are there --------------------------------------------------------------- */

static float chance(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (float)(*state >> 8) / 8388608.0f - 1.0f;
}

/* Stored vectors, evenly from the whole range of ids, each moved by a twentieth of its length. */
static void draw_samples(bench *b)
{
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_stats stats = {.size = sizeof stats};
    imgret *db = open_at(b, b->source, IMGRET_OPEN_READ_ONLY);
    check(imgret_get_stats(db, &stats, &error), &error);
    if (stats.image_count < SAMPLES)
        bench_die("%s: holds fewer than %d vectors", b->source, SAMPLES);
    b->dimension = stats.dimension;
    b->samples = malloc((size_t)SAMPLES * b->dimension * sizeof *b->samples);
    if (!b->samples)
        bench_die("no memory");
    uint32_t state = 1;
    for (uint32_t i = 0; i < SAMPLES; i++) {
        float *row = b->samples + (size_t)i * b->dimension;
        int64_t id = 1 + (int64_t)(stats.image_count / SAMPLES * i);
        check(imgret_get_vector(db, id, row, b->dimension, &error), &error);
        double squares = 0;
        for (uint32_t j = 0; j < b->dimension; j++)
            squares += (double)row[j] * (double)row[j];
        float scale = 0.05f * (float)sqrt(3 * squares / b->dimension);
        for (uint32_t j = 0; j < b->dimension; j++)
            row[j] += scale * chance(&state);
    }
    imgret_close(db);
}

static imgret_input sample(const bench *b, uint32_t number)
{
    return (imgret_input){.size = sizeof(imgret_input),
                          .kind = IMGRET_INPUT_VECTOR,
                          .vector = b->samples + (size_t)(number % SAMPLES) * b->dimension,
                          .dimension = b->dimension};
}

static void ask(const bench *b, imgret *db, uint32_t number)
{
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_results *results;
    imgret_input input = sample(b, number);
    imgret_query_options options = {.size = sizeof options, .k = K};
    check(imgret_query(&results, db, &input, &options, &error), &error);
    imgret_results_free(results);
}

/* ---- Files: leaving the page cache, plain copies -------------------------------------------------- */

/* Calls work(from, to) for the files of a database: those in the folder, and those in segments/. */
static void each_file(const char *from, const char *to, void (*work)(const char *, const char *))
{
    static const char *const folders[] = {"", "/segments"};
    for (int i = 0; i < 2; i++) {
        char folder[600];
        snprintf(folder, sizeof folder, "%s%s", from, folders[i]);
        DIR *stream = opendir(folder);
        struct dirent *entry;
        while (stream && (entry = readdir(stream)) != NULL) {
            char source[900], target[900];
            struct stat info;
            snprintf(source, sizeof source, "%s/%s", folder, entry->d_name);
            snprintf(target, sizeof target, "%s%s/%s", to, folders[i], entry->d_name);
            if (stat(source, &info) == 0 && S_ISREG(info.st_mode))
                work(source, target);
        }
        if (stream)
            closedir(stream);
    }
}

static void drop_file(const char *path, const char *unused)
{
    (void)unused;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0)
        bench_die("%s: stays in the page cache", path);
    if (fd >= 0)
        close(fd);
}

static uint64_t copied_bytes; /* each_file's callback has no argument of its own */

static void copy_file(const char *from, const char *to)
{
    static char block[1 << 20];
    int source = open(from, O_RDONLY | O_CLOEXEC);
    int target = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ssize_t count = 0;
    while (source >= 0 && target >= 0 && (count = read(source, block, sizeof block)) > 0) {
        if (write(target, block, (size_t)count) != count)
            bench_die("%s: cannot be written", to);
        copied_bytes += (uint64_t)count;
    }
    if (source < 0 || target < 0 || count < 0 || fsync(target) != 0)
        bench_die("%s: cannot be copied", from);
    close(source);
    close(target);
}

/* ---- Telling --------------------------------------------------------------------------------------- */

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double median(double *values, uint32_t count)
{
    qsort(values, count, sizeof *values, compare_doubles);
    return values[count / 2];
}

static void tell(const bench *b, const char *what, const char *unit, double value)
{
    if (b->json)
        printf(",\"%s_%s\":%.3f", what, unit, value);
    else
        printf("%-36s %12.2f %s\n", what, value, unit);
    fflush(stdout);
}

/* ---- The three parts ---------------------------------------------------------------------------------- */

static void measure_reopen(const bench *b)
{
    double opened[2][RUNS_MAX], answered[2][RUNS_MAX];
    for (uint32_t run = 0; run < b->runs; run++)
        for (int warm = 0; warm <= 1; warm++) {
            if (!warm)
                each_file(b->source, "", drop_file);
            double started = bench_seconds();
            imgret *db = open_at(b, b->source, 0);
            opened[warm][run] = 1000 * (bench_seconds() - started);
            ask(b, db, run);
            answered[warm][run] = 1000 * (bench_seconds() - started);
            imgret_close(db);
        }
    tell(b, "open_cold", "ms", median(opened[0], b->runs));
    tell(b, "first_answer_cold", "ms", median(answered[0], b->runs));
    tell(b, "open", "ms", median(opened[1], b->runs));
    tell(b, "first_answer", "ms", median(answered[1], b->runs));
}

static void make_folders(const char *path)
{
    char inner[600];
    snprintf(inner, sizeof inner, "%s/segments", path);
    if (mkdir(path, 0700) != 0 || mkdir(inner, 0700) != 0)
        bench_die("cannot make %s", path);
}

/* In turn, so that neither has the quieter hour; the last backup stays for the live part. */
static void measure_backup(bench *b)
{
    double backups[RUNS_MAX], copies[RUNS_MAX];
    imgret_error error = IMGRET_ERROR_INIT;
    uint32_t runs = b->runs < 3 ? b->runs : 3;
    char copy[300];
    snprintf(b->live, sizeof b->live, "%s/backup.imgret", b->scratch);
    snprintf(copy, sizeof copy, "%s/copy.imgret", b->scratch);
    for (uint32_t run = 0; run < runs; run++) {
        make_folders(copy);
        copied_bytes = 0;
        double started = bench_seconds();
        each_file(b->source, copy, copy_file);
        copies[run] = (double)copied_bytes / 1e6 / (bench_seconds() - started);
        bench_remove_folder(copy);
        bench_remove_folder(b->live);
        imgret *db = open_at(b, b->source, 0);
        started = bench_seconds();
        check(imgret_backup(db, b->live, NULL, &error), &error);
        backups[run] = (double)copied_bytes / 1e6 / (bench_seconds() - started);
        imgret_close(db);
    }
    tell(b, "database", "MB", (double)copied_bytes / 1e6);
    tell(b, "backup", "MB_per_s", median(backups, runs));
    tell(b, "plain_copy", "MB_per_s", median(copies, runs));
}

static void *add_steadily(void *argument)
{
    bench *b = argument;
    imgret_error error = IMGRET_ERROR_INIT;
    uint32_t batch = b->rate / 10 ? b->rate / 10 : 1, number = 0;
    for (double next = bench_seconds(); !atomic_load(&b->stop); next += (double)batch / b->rate) {
        while (bench_seconds() < next && !atomic_load(&b->stop))
            usleep(1000);
        check(imgret_begin(b->db, &error), &error);
        for (uint32_t i = 0; i < batch; i++) {
            imgret_input input = sample(b, number++);
            check(imgret_add(b->db, &input, NULL, NULL, &error), &error);
        }
        check(imgret_commit(b->db, &error), &error);
        atomic_fetch_add(&b->added, batch);
    }
    return NULL;
}

static void *merge_steadily(void *argument)
{
    bench *b = argument;
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_optimize_options options = {.size = sizeof options, .flags = IMGRET_OPTIMIZE_FORCE};
    const uint32_t *before = imgret_set_stop((const uint32_t *)&b->stop);
    while (!atomic_load(&b->stop)) {
        int32_t status = imgret_optimize(b->db, &options, &error);
        if (status != IMGRET_INTERRUPTED)
            check(status, &error);
        atomic_fetch_add(&b->merges, status == IMGRET_OK);
    }
    imgret_set_stop(before);
    return NULL;
}

/* Counts how often what was added became part of a segment: maintenance looks once a second. To count
 * a million pictures takes the catalogue from queries for some 15 ms, hence no more often. */
static void *watch_maintenance(void *argument)
{
    bench *b = argument;
    imgret_error error = IMGRET_ERROR_INIT;
    for (uint64_t before = 0; !atomic_load(&b->stop); usleep(900000)) {
        imgret_stats stats = {.size = sizeof stats};
        check(imgret_get_stats(b->db, &stats, &error), &error);
        atomic_fetch_add(&b->merges, stats.segment_vector_count > before && before > 0);
        before = stats.segment_vector_count;
    }
    return NULL;
}

static void *compute(void *argument)
{
    bench *b = argument;
    double sum = 0;
    while (!atomic_load(&b->stop))
        for (int i = 0; i < 1000; i++)
            sum += sqrt((double)i + sum);
    if (isnan(sum)) /* never: but so the sums are needed */
        bench_die("no numbers");
    return NULL;
}

/* Asks for b->seconds with `beside` (NULL at the end) in threads of their own; returns the p99 in ms. */
static double measure_live(bench *b, const char *name, void *(*const *beside)(void *), double idle)
{
    pthread_t threads[2];
    int count = 0;
    char what[64];
    double *times = malloc(LATENCIES_MAX * sizeof *times);
    if (!times)
        bench_die("no memory");
    atomic_store(&b->stop, 0);
    atomic_store(&b->added, 0);
    atomic_store(&b->merges, 0);
    for (; beside[count]; count++)
        if (pthread_create(&threads[count], NULL, beside[count], b) != 0)
            bench_die("cannot start a thread");
    double started = bench_seconds(), now = started;
    uint32_t asked = 0;
    for (; now < started + b->seconds && asked < LATENCIES_MAX; asked++) {
        ask(b, b->db, asked);
        double after = bench_seconds();
        times[asked] = 1000 * (after - now);
        now = after;
    }
    double rate = atomic_load(&b->added) / (now - started);
    uint32_t merges = atomic_load(&b->merges);
    atomic_store(&b->stop, 1);
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    qsort(times, asked, sizeof *times, compare_doubles);
    const double p50 = times[asked / 2], p99 = times[(size_t)asked * 99 / 100];
    snprintf(what, sizeof what, "%s_p50", name);
    tell(b, what, "ms", p50);
    snprintf(what, sizeof what, "%s_p99", name);
    tell(b, what, "ms", p99);
    snprintf(what, sizeof what, "%s_max", name);
    tell(b, what, "ms", times[asked - 1]);
    if (idle > 0) {
        snprintf(what, sizeof what, "%s_p99", name);
        tell(b, what, "of_idle", p99 / idle);
        snprintf(what, sizeof what, "%s_added", name);
        tell(b, what, "per_s", rate);
        snprintf(what, sizeof what, "%s_merges", name);
        tell(b, what, "count", merges);
    }
    free(times);
    return p99;
}

static void measure_all_live(bench *b)
{
    void *(*const nothing[])(void *) = {NULL};
    void *(*const adding[])(void *) = {add_steadily, NULL};
    void *(*const merging[])(void *) = {add_steadily, merge_steadily, NULL};
    void *(*const maintaining[])(void *) = {add_steadily, watch_maintenance, NULL};
    void *(*const computing[])(void *) = {compute, compute, NULL};
    b->db = open_at(b, b->live, 0);
    for (uint32_t i = 0; i < SAMPLES; i++)
        ask(b, b->db, i);
    double idle = measure_live(b, "idle", nothing, 0);
    measure_live(b, "shared", computing, idle);
    measure_live(b, "adding", adding, idle);
    measure_live(b, "adding_and_merging", merging, idle);
    imgret_close(b->db);
    b->db = open_at(b, b->live, IMGRET_OPEN_MAINTAIN);
    measure_live(b, "adding_and_maintaining", maintaining, idle);
    imgret_close(b->db);
}

static double number_option(int argc, char **argv, const char *name, const char *fallback)
{
    double value = atof(bench_option(argc, argv, name, fallback));
    if (!(value >= 1 && value <= 1000000))
        bench_die("%s must be a number from 1 to 1,000,000", name);
    return value;
}

int main(int argc, char **argv)
{
    static bench b;
    b.source = bench_option(argc, argv, "--db", NULL);
    if (!b.source)
        bench_die("durable: --db FOLDER is missing");
    b.seconds = number_option(argc, argv, "--seconds", "20");
    b.rate = (uint32_t)number_option(argc, argv, "--rate", "1000");
    b.threads = (uint32_t)number_option(argc, argv, "--threads", "1");
    b.runs = (uint32_t)number_option(argc, argv, "--runs", "5");
    if (bench_option(argc, argv, "--memory", NULL))
        b.memory_mib = (uint32_t)number_option(argc, argv, "--memory", "");
    b.json = bench_flag(argc, argv, "--json");
    if (b.runs > RUNS_MAX)
        bench_die("--runs: at most %d", RUNS_MAX);
    bench_make_folder(b.scratch, sizeof b.scratch);
    draw_samples(&b);
    if (b.json)
        printf("{\"bench\":\"durable\",\"dimension\":%u,\"memory_mib\":%u", b.dimension,
               b.memory_mib);
    measure_reopen(&b);
    if (!bench_flag(argc, argv, "--reopen")) {
        measure_backup(&b);
        measure_all_live(&b);
    }
    if (b.json)
        printf("}\n");
    free(b.samples);
    bench_remove_folder(b.scratch);
    return 0;
}
