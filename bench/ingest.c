/* ingest.c: how fast pictures go in: whole pipeline, extraction alone, and what each costs.
 *
 * `bench-ingest FOLDER [--model SPEC] [--threads N] [--copies N] [--runs N] [--json]` ingests
 * FOLDER into a fresh database `runs` times (the quickest counts: other load only ever slows one down);
 * with --copies each file is added under N names, by links, so that a small folder gives a long enough
 * run. "extract" is imgret_extract on the same files: reading, decoding, preparing and the model, without the catalogue. "network" is the
 * model alone, on as many pictures that are prepared already; "ratio" is ingest over network. Beside each
 * stands the processor time of a picture, on all threads: where the network alone keeps all cores busy,
 * ingest cannot be faster than the quotient of those two, "bound", lets it be.
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

/* What one pass over all pictures took. */
typedef struct {
    double seconds, processor_seconds;
} cost;

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

static cost cost_since(cost started)
{
    return (cost){bench_seconds() - started.seconds,
                  bench_processor_seconds() - started.processor_seconds};
}

static cost now(void)
{
    return (cost){bench_seconds(), bench_processor_seconds()};
}

static cost ingest_once(bench *b, uint32_t number)
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
    cost started = now();
    if (imgret_ingest(db, &what, &report, &error) != IMGRET_OK)
        bench_die("%s", error.message);
    cost took = cost_since(started);
    if (report.stored_count + report.unchanged_count != b->file_count)
        bench_die("%llu of %u pictures failed", (unsigned long long)report.failed_count,
                  b->file_count);
    imgret_close(db);
    return took;
}

static cost extract_once(bench *b)
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
    cost started = now();
    if (imgret_extract(extractor, inputs, b->file_count, rows,
                       (uint64_t)b->file_count * info.dimension, NULL, &error) != IMGRET_OK)
        bench_die("%s", error.message);
    cost took = cost_since(started);
    free(rows);
    free(inputs);
    imgret_extractor_close(extractor);
    return took;
}

static cost network_once(bench *b)
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
    cost started = now();
    if (imgret_extract_with(extractor, inputs, b->file_count, &wanted, &error) != IMGRET_OK)
        bench_die("%s", error.message);
    cost took = cost_since(started);
    free(rows);
    free(inputs);
    free(pixels);
    imgret_extractor_close(extractor);
    return took;
}

static int compare_costs(const void *a, const void *b)
{
    const cost *x = a, *y = b;
    return (x->seconds > y->seconds) - (x->seconds < y->seconds);
}

/* Pictures a second and processor milliseconds a picture of the quickest run. */
typedef struct {
    double per_second, processor_ms;
} figures;

static figures quickest(cost *costs, uint32_t runs, uint32_t pictures)
{
    qsort(costs, runs, sizeof *costs, compare_costs);
    return (figures){pictures / costs[0].seconds, 1e3 * costs[0].processor_seconds / pictures};
}

static void report(const bench *b, uint32_t runs, figures ingest, figures extract, figures network,
                   int json)
{
    double ratio = ingest.per_second / network.per_second;
    double bound = network.processor_ms / ingest.processor_ms;
    if (json)
        printf("{\"bench\":\"ingest\",\"model\":\"%s\",\"pictures\":%u,\"runs\":%u,"
               "\"ingest_images_per_s\":%.1f,\"extract_images_per_s\":%.1f,"
               "\"network_images_per_s\":%.1f,\"ingest_processor_ms\":%.3f,"
               "\"extract_processor_ms\":%.3f,\"network_processor_ms\":%.3f,\"ratio\":%.3f,"
               "\"bound\":%.3f}\n",
               b->model, b->file_count, runs, ingest.per_second, extract.per_second,
               network.per_second, ingest.processor_ms, extract.processor_ms, network.processor_ms,
               ratio, bound);
    else
        printf("%-30s %9s %12s %12s %12s\n"
               "%-30.30s %9u %10.1f/s %10.1f/s %10.1f/s %6.2f   (best of %u runs)\n"
               "%-40s %10.2fms %10.2fms %10.2fms %6.2f\n",
               "model", "pictures", "ingest", "extract", "network", b->model, b->file_count,
               ingest.per_second, extract.per_second, network.per_second, ratio, runs,
               "processor, a picture; bound", ingest.processor_ms, extract.processor_ms,
               network.processor_ms, bound);
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
    cost ingest[RUNS_MAX], extract[RUNS_MAX], network[RUNS_MAX];
    for (uint32_t i = 0; i < runs; i++) {
        ingest[i] = ingest_once(&b, i);
        extract[i] = extract_once(&b);
        network[i] = network_once(&b);
    }
    report(&b, runs, quickest(ingest, runs, b.file_count), quickest(extract, runs, b.file_count),
           quickest(network, runs, b.file_count), bench_flag(argc, argv, "--json"));
    bench_remove_folder(b.scratch);
    return 0;
}
