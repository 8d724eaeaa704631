/* ingest.c: how fast pictures go in: whole pipeline, extraction alone, and what each costs.
 *
 * `bench-ingest FOLDER [--model SPEC] [--threads N] [--copies N] [--runs N] [--json]` ingests
 * FOLDER into a fresh database `runs` times (median counts); with --copies each file is added under
 * N names, by links, so that a small folder gives a long enough run. "extract" is imgret_extract on
 * the same files: reading, decoding, preparing and the model, without the catalogue. "network" is the
 * model alone, on as many pictures that are prepared already; the last figure is ingest over network.
 */
#include "common.h"

#include <dirent.h>
#include <imgret/imgret.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES_MAX = 20000, RUNS_MAX = 25 };

typedef struct {
    char scratch[256];
    char *files[FILES_MAX];
    uint32_t file_count;
    const char *model;
    uint32_t threads;
} bench;

static int is_picture_name(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && (strcasecmp(dot, ".jpg") == 0 || strcasecmp(dot, ".jpeg") == 0 ||
                   strcasecmp(dot, ".png") == 0 || strcasecmp(dot, ".webp") == 0);
}

/* Links every picture of `folder` `copies` times into the scratch folder. */
static void gather(bench *b, const char *folder, uint32_t copies)
{
    DIR *stream = opendir(folder);
    if (!stream)
        bench_die("cannot read %s", folder);
    char *real = realpath(folder, NULL);
    struct dirent *entry;
    while ((entry = readdir(stream)) != NULL) {
        for (uint32_t copy = 0; copy < copies && is_picture_name(entry->d_name); copy++) {
            char from[1024], to[1024];
            snprintf(from, sizeof from, "%s/%s", real, entry->d_name);
            snprintf(to, sizeof to, "%s/pictures/%03u-%s", b->scratch, copy, entry->d_name);
            if (b->file_count == FILES_MAX || symlink(from, to) != 0)
                bench_die("cannot link %s", to);
            b->files[b->file_count++] = strdup(to);
        }
    }
    closedir(stream);
    free(real);
    if (b->file_count == 0)
        bench_die("%s holds no pictures", folder);
}

static double ingest_once(bench *b, uint32_t number)
{
    char path[512], pictures[300];
    snprintf(path, sizeof path, "%s/db-%u.imgret", b->scratch, number);
    snprintf(pictures, sizeof pictures, "%s/pictures", b->scratch);
    imgret_open_options options = {
        .size = sizeof options, .model = b->model, .threads = b->threads};
    imgret_error error = IMGRET_ERROR_INIT;
    imgret *db;
    if (imgret_open(&db, path, &options, &error) != IMGRET_OK)
        bench_die("%s", error.message);
    const char *given = pictures;
    imgret_ingest_options what = {.size = sizeof what, .paths = &given, .path_count = 1};
    imgret_ingest_progress report = {.size = sizeof report};
    double started = bench_seconds();
    if (imgret_ingest(db, &what, &report, &error) != IMGRET_OK)
        bench_die("%s", error.message);
    double seconds = bench_seconds() - started;
    if (report.stored_count + report.unchanged_count != b->file_count)
        bench_die("%llu of %u pictures failed", (unsigned long long)report.failed_count,
                  b->file_count);
    imgret_close(db);
    return seconds;
}

static double extract_once(bench *b)
{
    imgret_extractor_options options = {.size = sizeof options, .threads = b->threads};
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_extractor *extractor;
    if (imgret_extractor_open(&extractor, b->model, &options, &error) != IMGRET_OK)
        bench_die("%s", error.message);
    imgret_extractor_info info = {.size = sizeof info};
    imgret_extractor_get_info(extractor, &info, NULL);
    imgret_input *inputs = calloc(b->file_count, sizeof *inputs);
    float *rows = malloc((size_t)b->file_count * info.dimension * sizeof *rows);
    if (!inputs || !rows)
        bench_die("no memory");
    for (uint32_t i = 0; i < b->file_count; i++)
        inputs[i] = (imgret_input){
            .size = sizeof *inputs, .kind = IMGRET_INPUT_FILE, .path = b->files[i]};
    double started = bench_seconds();
    if (imgret_extract(extractor, inputs, b->file_count, rows,
                       (uint64_t)b->file_count * info.dimension, NULL, &error) != IMGRET_OK)
        bench_die("%s", error.message);
    double seconds = bench_seconds() - started;
    free(rows);
    free(inputs);
    imgret_extractor_close(extractor);
    return seconds;
}

static double network_once(bench *b)
{
    imgret_extractor_options options = {.size = sizeof options, .threads = b->threads};
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_extractor *extractor;
    if (imgret_extractor_open(&extractor, b->model, &options, &error) != IMGRET_OK)
        bench_die("%s", error.message);
    imgret_extractor_info info = {.size = sizeof info};
    imgret_extractor_get_info(extractor, &info, NULL);
    size_t bytes = (size_t)3 * info.input_width * info.input_height;
    uint8_t *pixels = malloc(bytes);
    imgret_input *inputs = calloc(b->file_count, sizeof *inputs);
    float *rows = malloc((size_t)b->file_count * info.dimension * sizeof *rows);
    if (!pixels || !inputs || !rows)
        bench_die("no memory");
    for (size_t i = 0; i < bytes; i++)
        pixels[i] = (uint8_t)(i * 2654435761u >> 24);
    for (uint32_t i = 0; i < b->file_count; i++)
        inputs[i] = (imgret_input){.size = sizeof *inputs,
                                   .kind = IMGRET_INPUT_PIXELS,
                                   .data = pixels,
                                   .data_bytes = bytes,
                                   .width = info.input_width,
                                   .height = info.input_height};
    imgret_extraction wanted = {.size = sizeof wanted,
                                .flags = IMGRET_EXTRACT_PREPARED,
                                .vectors = rows,
                                .vector_floats = (uint64_t)b->file_count * info.dimension};
    double started = bench_seconds();
    if (imgret_extract_with(extractor, inputs, b->file_count, &wanted, &error) != IMGRET_OK)
        bench_die("%s", error.message);
    double seconds = bench_seconds() - started;
    free(rows);
    free(inputs);
    free(pixels);
    imgret_extractor_close(extractor);
    return seconds;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    static const char *const valued[] = {"--model", "--threads", "--copies", "--runs", NULL};
    const char *folder = bench_argument(argc, argv, valued);
    uint32_t runs = (uint32_t)atoi(bench_option(argc, argv, "--runs", "5"));
    uint32_t copies = (uint32_t)atoi(bench_option(argc, argv, "--copies", "1"));
    if (!folder || runs < 1 || runs > RUNS_MAX || copies < 1)
        bench_die("usage: %s FOLDER [--model SPEC] [--threads N] [--copies N] [--runs 1..%d] "
                  "[--json]",
                  argv[0], RUNS_MAX);
    static bench b;
    b.model = bench_option(argc, argv, "--model", "classic");
    b.threads = (uint32_t)atoi(bench_option(argc, argv, "--threads", "0"));
    bench_make_folder(b.scratch, sizeof b.scratch);
    char pictures[300];
    snprintf(pictures, sizeof pictures, "%s/pictures", b.scratch);
    if (mkdir(pictures, 0700) != 0)
        bench_die("cannot make a folder in %s", b.scratch);
    gather(&b, folder, copies);
    double ingest[RUNS_MAX], extract[RUNS_MAX], network[RUNS_MAX];
    for (uint32_t i = 0; i < runs; i++) {
        ingest[i] = ingest_once(&b, i);
        extract[i] = extract_once(&b);
        network[i] = network_once(&b);
    }
    qsort(ingest, runs, sizeof ingest[0], compare_doubles);
    qsort(extract, runs, sizeof extract[0], compare_doubles);
    qsort(network, runs, sizeof network[0], compare_doubles);
    double per_second = b.file_count / ingest[runs / 2];
    double extract_per_second = b.file_count / extract[runs / 2];
    double network_per_second = b.file_count / network[runs / 2];
    if (bench_flag(argc, argv, "--json"))
        printf("{\"bench\":\"ingest\",\"model\":\"%s\",\"pictures\":%u,\"runs\":%u,"
               "\"ingest_images_per_s\":%.1f,\"extract_images_per_s\":%.1f,"
               "\"network_images_per_s\":%.1f}\n",
               b.model, b.file_count, runs, per_second, extract_per_second, network_per_second);
    else
        printf("%-30s %9s %12s %12s %12s\n"
               "%-30.30s %9u %10.1f/s %10.1f/s %10.1f/s %6.2f   (median of %u runs)\n",
               "model", "pictures", "ingest", "extract", "network", b.model, b.file_count,
               per_second, extract_per_second, network_per_second, per_second / network_per_second,
               runs);
    bench_remove_folder(b.scratch);
    return 0;
}
