/* cmd_extract.c: extract: vectors of pictures, into a file for other programs or as JSON. */
#include "commands.h"
#include "json.h"
#include "message.h"
#include "output.h"
#include "paths.h"
#include "session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GROUP = 256 }; /* pictures at a time: bounds the memory, and how long Ctrl-C is not heard */

typedef struct extraction {
    imgret_extractor *extractor;
    imgret_extractor_info info;
    const char **paths;
    size_t count;
    const char *out_path; /* NULL: JSON lines on stdout */
    FILE *out;
    float *rows;
    bool has_labels; /* the model's classes have names */
    uint32_t labels[GROUP];
    float label_scores[GROUP];
    size_t failed_count;
} extraction;

/* ---- the two file formats; both little-endian, as the machines this runs on ---- */

static bool ends_in(const char *path, const char *ending)
{
    size_t bytes = strlen(path), ending_bytes = strlen(ending);
    return bytes > ending_bytes && !strcmp(path + bytes - ending_bytes, ending);
}

static bool fail_write(const extraction *work)
{
    cli_error("cannot write %s: %s", work->out_path, strerror(errno));
    return false;
}

/* NumPy's format 1.0: a dictionary padded so that the data starts at a multiple of 64 bytes. */
static bool write_npy_head(extraction *work)
{
    char text[118];
    int length = snprintf(text, sizeof text,
                          "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %u), }",
                          work->count, work->info.dimension);
    memset(text + length, ' ', sizeof text - (size_t)length);
    text[sizeof text - 1] = '\n';
    return fwrite("\x93NUMPY\x01\x00\x76\x00", 1, 10, work->out) == 10 &&
           fwrite(text, 1, sizeof text, work->out) == sizeof text;
}

/* fbin: number of vectors and dimension, then the floats. */
static bool write_fbin_head(extraction *work)
{
    uint32_t head[2] = {(uint32_t)work->count, work->info.dimension};
    return fwrite(head, sizeof head, 1, work->out) == 1;
}

static bool open_out(extraction *work)
{
    if (!work->out_path)
        return true;
    bool npy = ends_in(work->out_path, ".npy");
    if (!npy && !ends_in(work->out_path, ".fbin")) {
        cli_error("--output %s: the name must end in .npy or .fbin; for JSON use --json",
                  work->out_path);
        return false;
    }
    work->out = fopen(work->out_path, "wb");
    if (!work->out)
        return fail_write(work);
    return (npy ? write_npy_head(work) : write_fbin_head(work)) || fail_write(work);
}

/* ---- the work ---- */

static void print_label(const extraction *work, uint32_t label, float score)
{
    char text[1025];
    if (imgret_extractor_get_label(work->extractor, label, text, sizeof text, NULL) != IMGRET_OK)
        return;
    cli_json_text("label", text);
    cli_json_number("label_score", (double)score);
}

static bool print_row(const extraction *work, const char *path, int32_t status, uint32_t place)
{
    const float *row = work->rows + (size_t)place * work->info.dimension;
    cli_json_begin();
    cli_json_path("path", path);
    if (status != IMGRET_OK) {
        cli_json_text("code", imgret_status_name(status));
        return cli_json_end();
    }
    if (work->has_labels)
        print_label(work, work->labels[place], work->label_scores[place]);
    size_t capacity = (size_t)work->info.dimension * 20 + 3, at = 0;
    char *text = malloc(capacity);
    if (text) {
        text[at++] = '[';
        for (uint32_t i = 0; i < work->info.dimension; i++)
            at += (size_t)snprintf(text + at, capacity - at, "%s%.9g", i ? "," : "",
                                   (double)row[i]);
        snprintf(text + at, capacity - at, "]");
    }
    cli_json_raw("vector", text);
    free(text);
    return cli_json_end();
}

/* imgret_extract keeps no message of a picture that failed among others: it is asked once more. */
static void report_failure(extraction *work, const imgret_input *input)
{
    imgret_error error = IMGRET_ERROR_INIT;
    work->failed_count++;
    if (imgret_extract(work->extractor, input, 1, work->rows, work->info.dimension, NULL, &error))
        cli_error("%s", error.message);
    else
        cli_error("%s: failed once, but not when it was read again", input->path);
}

static int extract_group(extraction *work, size_t first, uint32_t count)
{
    imgret_input inputs[GROUP];
    int32_t statuses[GROUP];
    imgret_error error = IMGRET_ERROR_INIT;
    for (uint32_t i = 0; i < count; i++)
        inputs[i] = (imgret_input){
            .size = sizeof inputs[i], .kind = IMGRET_INPUT_FILE, .path = work->paths[first + i]};
    size_t floats = (size_t)count * work->info.dimension;
    imgret_extraction wanted = {.size = sizeof wanted,
                                .vectors = work->rows,
                                .vector_floats = floats,
                                .labels = work->has_labels ? work->labels : NULL,
                                .label_scores = work->has_labels ? work->label_scores : NULL,
                                .statuses = statuses};
    if (imgret_extract_with(work->extractor, inputs, count, &wanted, &error))
        return cli_session_fail(&error);
    if (work->out && fwrite(work->rows, sizeof(float), floats, work->out) != floats) {
        fail_write(work);
        return CLI_EXIT_ERROR;
    }
    for (uint32_t i = 0; i < count && !work->out; i++)
        if (!print_row(work, inputs[i].path, statuses[i], i))
            return CLI_EXIT_ERROR;
    for (uint32_t i = 0; i < count; i++)
        if (statuses[i] != IMGRET_OK)
            report_failure(work, &inputs[i]);
    return CLI_EXIT_FOUND;
}

static int extract_all(extraction *work)
{
    size_t most = work->count < GROUP ? work->count : GROUP;
    work->rows = malloc(sizeof(float) * (most ? most : 1) * work->info.dimension);
    if (!work->rows) {
        cli_error("out of memory");
        return CLI_EXIT_ERROR;
    }
    if (!open_out(work))
        return CLI_EXIT_ERROR;
    for (size_t first = 0; first < work->count; first += most) {
        size_t left = work->count - first;
        if (cli_session_is_interrupted())
            return CLI_EXIT_INTERRUPTED;
        int status = extract_group(work, first, (uint32_t)(left < most ? left : most));
        if (status != CLI_EXIT_FOUND)
            return status;
    }
    return work->failed_count ? CLI_EXIT_SOME_FAILED : CLI_EXIT_FOUND;
}

/* A file that is not whole must not be taken for one that is. */
static int close_out(extraction *work, int status)
{
    if (!work->out)
        return status;
    bool good = fclose(work->out) == 0 || fail_write(work);
    if (!good && status != CLI_EXIT_INTERRUPTED)
        status = CLI_EXIT_ERROR;
    if (status != CLI_EXIT_FOUND && status != CLI_EXIT_SOME_FAILED)
        remove(work->out_path);
    return status;
}

static int extract_paths(const cli_options *options, const cli_paths *paths)
{
    extraction work = {.info = {.size = sizeof work.info},
                       .paths = paths->items,
                       .count = paths->count,
                       .out_path = options->output};
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_extractor_options open = {
        .size = sizeof open, .threads = options->threads, .plugin_path = options->plugin_path};
    const char *model = options->model ? options->model : "classic";
    if (imgret_extractor_open(&work.extractor, model, &open, &error) != IMGRET_OK ||
        imgret_extractor_get_info(work.extractor, &work.info, &error) != IMGRET_OK) {
        imgret_extractor_close(work.extractor);
        return cli_session_fail(&error);
    }
    char label[1025];
    work.has_labels = !work.out_path && imgret_extractor_get_label(work.extractor, 0, label,
                                                                   sizeof label, NULL) == IMGRET_OK;
    int status = close_out(&work, extract_all(&work));
    if (status == CLI_EXIT_FOUND || status == CLI_EXIT_SOME_FAILED)
        cli_note("%zu vectors of %u dimensions, %zu pictures failed", work.count,
                 work.info.dimension, work.failed_count);
    free(work.rows);
    imgret_extractor_close(work.extractor);
    return status;
}

int cli_extract(const cli_options *options)
{
    cli_paths paths = {0};
    bool good = cli_paths_add(&paths, options->db); /* the first word: there is no database here */
    for (size_t i = 0; good && i < options->word_count; i++)
        good = cli_paths_add(&paths, options->words[i]);
    int status = CLI_EXIT_ERROR;
    if (good && options->json && options->output)
        cli_error("--json or --output, not both");
    else if (good && !options->json && !options->output)
        cli_error("where to? Give --output FILE.npy, --output FILE.fbin or --json");
    else if (good)
        status = extract_paths(options, &paths);
    cli_paths_free(&paths);
    return status;
}
