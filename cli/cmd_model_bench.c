/* cmd_model_bench.c: model bench: how fast a model is here: loading, its first picture, batches. */
#include "commands.h"
#include "json.h"
#include "message.h"
#include "model_commands.h"
#include "output.h"
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CASE_SECONDS 2.0 /* how long a batch size is measured; the best run counts */
#define RUNS_MIN 3

typedef struct bench {
    imgret_extractor *extractor;
    imgret_extractor_info info;
    cli_form form;
    imgret_input *inputs; /* batch_max of them, of the same pixels */
    uint8_t *pixels;
    float *rows;
    double load_ms;
    double first_ms;
} bench;

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* Memory of the process that is in RAM, MiB; 0 where the system does not tell. */
static double resident_mib(void)
{
    unsigned long all = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%lu %lu", &all, &resident) != 2)
        resident = 0;
    if (file)
        fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE) / 1048576.0;
}

/* Pixels that are neither flat nor the same everywhere. */
static bool make_inputs(bench *b)
{
    size_t bytes = (size_t)3 * b->info.input_width * b->info.input_height;
    b->pixels = malloc(bytes);
    b->inputs = calloc(b->info.batch_max, sizeof *b->inputs);
    b->rows = malloc(sizeof(float) * b->info.batch_max * b->info.dimension);
    if (!b->pixels || !b->inputs || !b->rows) {
        cli_error("out of memory");
        return false;
    }
    uint32_t seed = 1;
    for (size_t i = 0; i < bytes; i++) {
        seed = seed * 1664525u + 1013904223u;
        b->pixels[i] = (uint8_t)(seed >> 24);
    }
    for (uint32_t i = 0; i < b->info.batch_max; i++)
        b->inputs[i] = (imgret_input){.size = sizeof *b->inputs,
                                      .kind = IMGRET_INPUT_PIXELS,
                                      .data = b->pixels,
                                      .data_bytes = bytes,
                                      .width = b->info.input_width,
                                      .height = b->info.input_height};
    return true;
}

/* Milliseconds of one run; below 0 when it failed, which stderr says. */
static double run_ms(bench *b, uint32_t batch)
{
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_extraction wanted = {.size = sizeof wanted,
                                .flags = IMGRET_EXTRACT_PREPARED,
                                .vectors = b->rows,
                                .vector_floats = (uint64_t)batch * b->info.dimension};
    double started = now_ms();
    if (imgret_extract_with(b->extractor, b->inputs, batch, &wanted, &error) == IMGRET_OK)
        return now_ms() - started;
    cli_session_fail(&error);
    return -1;
}

static void print_case(const bench *b, const char *model, uint32_t batch, double best_ms,
                       double median_ms)
{
    double per_s = 1e3 * batch / best_ms;
    if (b->form != CLI_FORM_JSON) {
        printf("%-6s %6u %10.1f %10.2f %10.2f %8.0f\n", "", batch, per_s, best_ms, median_ms,
               resident_mib());
        return;
    }
    cli_json_begin();
    cli_json_path("model", model);
    cli_json_text("architecture", b->info.architecture);
    cli_json_count("batch", batch);
    cli_json_number("images_per_s", per_s);
    cli_json_number("best_ms", best_ms);
    cli_json_number("median_ms", median_ms);
    cli_json_number("load_ms", b->load_ms);
    cli_json_number("first_ms", b->first_ms);
    cli_json_number("resident_mib", resident_mib());
    cli_json_end();
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int measure(bench *b, const char *model, uint32_t batch)
{
    double took_ms[1000], until = now_ms() + CASE_SECONDS * 1e3;
    size_t count = 0;
    if (run_ms(b, batch) < 0) /* the first one of its size makes memory and plans */
        return CLI_EXIT_ERROR;
    while (count < 1000 && (count < RUNS_MIN || now_ms() < until)) {
        if (cli_session_is_interrupted())
            return CLI_EXIT_INTERRUPTED;
        took_ms[count] = run_ms(b, batch);
        if (took_ms[count++] < 0)
            return CLI_EXIT_ERROR;
    }
    qsort(took_ms, count, sizeof took_ms[0], compare_doubles);
    print_case(b, model, batch, took_ms[0], took_ms[count / 2]);
    return CLI_EXIT_FOUND;
}

static int measure_all(bench *b, const char *model)
{
    static const uint32_t batches[] = {1, 8, 32};
    b->first_ms = run_ms(b, 1);
    if (b->first_ms < 0)
        return CLI_EXIT_ERROR;
    if (b->form != CLI_FORM_JSON)
        printf("%s: %s, %u dimensions, loaded in %.0f ms, first picture %.0f ms\n"
               "%-6s %6s %10s %10s %10s %8s\n",
               model, b->info.architecture, b->info.dimension, b->load_ms, b->first_ms, "", "batch",
               "images/s", "best ms", "median ms", "MiB");
    for (size_t i = 0; i < sizeof batches / sizeof batches[0]; i++) {
        if (batches[i] > b->info.batch_max)
            continue;
        int status = measure(b, model, batches[i]);
        if (status != CLI_EXIT_FOUND)
            return status;
    }
    return CLI_EXIT_FOUND;
}

int cli_model_bench(const cli_options *options, const char *model)
{
    bench b = {.form = cli_output_form(options)};
    int status = CLI_EXIT_ERROR;
    double started = now_ms();
    b.extractor = cli_model_open(options, model, &b.info);
    b.load_ms = now_ms() - started;
    if (b.extractor && make_inputs(&b))
        status = measure_all(&b, model);
    free(b.rows);
    free(b.inputs);
    free(b.pixels);
    imgret_extractor_close(b.extractor);
    return status;
}
