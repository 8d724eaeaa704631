/* extract_memory.c: memory of a process that extracts one picture after another: does it stay flat?
 *
 * `extract_memory FOLDER [--model SPEC] [--threads N] [--pictures N] [--database] [--json]` extracts the
 * pictures of FOLDER over and over, from the files, and reports the process's resident memory after 1,000,
 * 10,000, 100,000 ... of them, up to --pictures (default 10,000), and how much it grew since the first.
 * With --database each is a query to a database of the first hundred, whose feature cache may take
 * 4 MiB: bytes behind the picture's end make each one new to it.
 */
#include "common.h"

#include <dirent.h>
#include <imgret/imgret.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILES_MAX = 4096, GROUP = 100, CACHE_BYTES = 4 << 20, FILE_BYTES_MAX = 1 << 20 };

static char *files[FILES_MAX];
static uint32_t file_count;

static void list(const char *folder)
{
    DIR *stream = opendir(folder);
    if (!stream)
        bench_die("cannot read %s", folder);
    for (struct dirent *entry; (entry = readdir(stream)) != NULL && file_count < FILES_MAX;) {
        char path[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        files[file_count++] = strdup(path);
    }
    closedir(stream);
    if (file_count == 0)
        bench_die("%s holds no files", folder);
}

static double resident_mib(void)
{
    unsigned long all = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%lu %lu", &all, &resident) != 2)
        bench_die("cannot read /proc/self/statm");
    fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE) / 1048576.0;
}

static void report(const char *model, const char *way, uint64_t count, double mib, double first_mib,
                   int json)
{
    if (json)
        printf("{\"bench\":\"extract_memory\",\"model\":\"%s\",\"way\":\"%s\",\"pictures\":%llu,"
               "\"resident_mib\":%.1f,\"grown_mib\":%.1f}\n",
               model, way, (unsigned long long)count, mib, mib - first_mib);
    else
        printf("%10llu pictures %10.1f MiB %+10.1f MiB\n", (unsigned long long)count, mib,
               mib - first_mib);
    fflush(stdout);
}

/* Pictures through one or the other: GROUP at a time, from number `first` on. */
typedef struct subject {
    imgret_extractor *extractor; /* NULL: the database is asked */
    float *rows;
    uint32_t dimension;
    imgret *db;
    char folder[4096];
} subject;

static void open_extractor(subject *out, const char *model, uint32_t threads)
{
    imgret_extractor_options options = {.size = sizeof options, .threads = threads};
    imgret_extractor_info info = {.size = sizeof info};
    imgret_error error = IMGRET_ERROR_INIT;
    if (imgret_extractor_open(&out->extractor, model, &options, &error) ||
        imgret_extractor_get_info(out->extractor, &info, &error))
        bench_die("%s", error.message);
    out->dimension = info.dimension;
    out->rows = malloc(sizeof *out->rows * GROUP * info.dimension);
    if (!out->rows)
        bench_die("no memory");
}

static void extract(subject *at, uint64_t first)
{
    imgret_input inputs[GROUP];
    int32_t statuses[GROUP];
    imgret_error error = IMGRET_ERROR_INIT;
    for (uint32_t i = 0; i < GROUP; i++)
        inputs[i] = (imgret_input){.size = sizeof *inputs,
                                   .kind = IMGRET_INPUT_FILE,
                                   .path = files[(first + i) % file_count]};
    if (imgret_extract(at->extractor, inputs, GROUP, at->rows, (uint64_t)GROUP * at->dimension,
                       statuses, &error))
        bench_die("%s", error.message);
}

static void open_database(subject *out, const char *model, uint32_t threads)
{
    char path[4200];
    imgret_error error = IMGRET_ERROR_INIT;
    bench_make_folder(out->folder, sizeof out->folder);
    snprintf(path, sizeof path, "%s/memory.imgret", out->folder);
    imgret_open_options options = {.size = sizeof options,
                                   .model = model,
                                   .threads = threads,
                                   .feature_cache_bytes = CACHE_BYTES};
    if (imgret_open(&out->db, path, &options, &error))
        bench_die("%s", error.message);
    for (uint32_t i = 0; i < GROUP && i < file_count; i++) {
        imgret_input input = {.size = sizeof input, .kind = IMGRET_INPUT_FILE, .path = files[i]};
        if (imgret_add(out->db, &input, NULL, NULL, &error))
            bench_die("%s", error.message);
    }
}

/* A query with a picture's bytes, its number written behind them. */
static void ask(subject *at, uint64_t number)
{
    static uint8_t bytes[FILE_BYTES_MAX + sizeof number];
    FILE *file = fopen(files[number % file_count], "rb");
    size_t count = file ? fread(bytes, 1, FILE_BYTES_MAX, file) : 0;
    if (file)
        fclose(file);
    memcpy(bytes + count, &number, sizeof number);
    imgret_input input = {.size = sizeof input,
                          .kind = IMGRET_INPUT_BYTES,
                          .data = bytes,
                          .data_bytes = count + sizeof number};
    imgret_query_options options = {.size = sizeof options, .k = 10};
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_results *results;
    if (imgret_query(&results, at->db, &input, &options, &error))
        bench_die("%s", error.message);
    imgret_results_free(results);
}

static void run_group(subject *at, uint64_t first)
{
    if (at->extractor)
        extract(at, first);
    for (uint32_t i = 0; !at->extractor && i < GROUP; i++)
        ask(at, first + i);
}

static void check_cache(const subject *at, uint64_t pictures)
{
    imgret_stats stats = {.size = sizeof stats};
    imgret_error error = IMGRET_ERROR_INIT;
    if (imgret_get_stats(at->db, &stats, &error))
        bench_die("%s", error.message);
    if (stats.feature_cache_hits > 0 || stats.feature_cache_misses < pictures ||
        stats.feature_cache_bytes > CACHE_BYTES)
        bench_die("the feature cache answered %llu times and takes %llu bytes",
                  (unsigned long long)stats.feature_cache_hits,
                  (unsigned long long)stats.feature_cache_bytes);
}

int main(int argc, char **argv)
{
    static const char *const valued[] = {"--model", "--threads", "--pictures", NULL};
    const char *folder = bench_argument(argc, argv, valued);
    const char *model = bench_option(argc, argv, "--model", "classic");
    uint64_t most = strtoull(bench_option(argc, argv, "--pictures", "10000"), NULL, 10);
    uint32_t threads = (uint32_t)atoi(bench_option(argc, argv, "--threads", "0"));
    int json = bench_flag(argc, argv, "--json"), asks = bench_flag(argc, argv, "--database");
    if (!folder || most < GROUP)
        bench_die(
            "usage: %s FOLDER [--model SPEC] [--threads N] [--pictures N] [--database] [--json]",
            argv[0]);
    list(folder);
    static subject at;
    if (asks)
        open_database(&at, model, threads);
    else
        open_extractor(&at, model, threads);
    double first_mib = 0;
    uint64_t next = 1000;
    for (uint64_t count = 0; count < most; count += GROUP) {
        run_group(&at, count);
        if (count + GROUP == next || count + GROUP >= most) {
            first_mib = first_mib > 0 ? first_mib : resident_mib();
            report(model, asks ? "queries" : "extraction", count + GROUP, resident_mib(), first_mib,
                   json);
            next *= 10;
        }
    }
    if (asks) {
        check_cache(&at, most);
        imgret_close(at.db);
        bench_remove_folder(at.folder);
    }
    free(at.rows);
    imgret_extractor_close(at.extractor);
    return 0;
}
