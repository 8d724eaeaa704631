/* cmd_model_compare.c: model compare: a model against a reference's inputs and outputs.
 *
 * The reference is a .safetensors file with "pixels" (U8, N x height x width x 3, what the network
 * sees), "embedding" (F32, N x dimension) and perhaps "logits" (F32, N x classes).
 */
#include "commands.h"
#include "json.h"
#include "message.h"
#include "model_commands.h"
#include "output.h"
#include "session.h"
#include "tensors.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_BYTES_MAX ((size_t)1 << 30)
#define COSINE_MIN 0.999 /* below that, and the vectors are others */

enum { PIXELS, EMBEDDING, LOGITS, TENSORS };

typedef struct comparison {
    uint8_t *file;
    size_t file_bytes;
    cli_tensor tensors[TENSORS];
    uint32_t count; /* pictures */
    float *vectors;
    float *logits;
} comparison;

/* How far two sets of rows are from each other. */
typedef struct difference {
    double max_abs;     /* largest difference */
    double max_rel;     /* the same over the largest value of the reference */
    double cosine_min;  /* of the rows */
    uint32_t top1_same; /* rows whose largest value stands at the same place */
} difference;

static bool read_file(comparison *work, const char *path)
{
    struct stat info;
    FILE *file = fopen(path, "rb");
    if (!file || fstat(fileno(file), &info) != 0) {
        cli_error("cannot read %s: %s", path, strerror(errno));
        if (file)
            fclose(file);
        return false;
    }
    bool good = S_ISREG(info.st_mode) && info.st_size >= 0 &&
                (uint64_t)info.st_size <= FILE_BYTES_MAX;
    if (!good)
        cli_error("%s: no regular file of at most 1 GiB", path);
    work->file_bytes = good ? (size_t)info.st_size : 0;
    work->file = good ? malloc(work->file_bytes + 1) : NULL;
    if (good && !work->file)
        cli_error("out of memory");
    bool whole = work->file && fread(work->file, 1, work->file_bytes, file) == work->file_bytes;
    if (work->file && !whole)
        cli_error("cannot read %s: it is shorter than it was", path);
    fclose(file);
    return whole;
}

static float value_at(const cli_tensor *tensor, uint64_t index)
{
    float value;
    memcpy(&value, tensor->data + index * sizeof value, sizeof value);
    return value;
}

/* Whether the tensor is a table of `count` rows of `width`; says what is wrong when it is there. */
static bool is_table(const char *path, const cli_tensor *tensor, uint64_t count, uint32_t width)
{
    if (tensor->is_float && tensor->rank == 2 && tensor->shape[0] == count &&
        tensor->shape[1] == width)
        return true;
    cli_error("%s: \"%s\" is no F32 table of %u rows of %u", path, tensor->name, (unsigned)count,
              width);
    return false;
}

static bool read_reference(comparison *work, const char *path, const imgret_extractor_info *info)
{
    const char *reason;
    if (!read_file(work, path))
        return false;
    work->tensors[PIXELS].name = "pixels";
    work->tensors[EMBEDDING].name = "embedding";
    work->tensors[LOGITS].name = "logits";
    if (!cli_tensors_find(work->file, work->file_bytes, work->tensors, TENSORS, &reason)) {
        cli_error("%s: %s", path, reason);
        return false;
    }
    const cli_tensor *pixels = &work->tensors[PIXELS];
    if (!pixels->found || !work->tensors[EMBEDDING].found) {
        cli_error("%s: it needs the tensors \"pixels\" and \"embedding\"", path);
        return false;
    }
    if (pixels->is_float || pixels->rank != 4 || pixels->shape[0] == 0 ||
        pixels->shape[0] > 65536 || pixels->shape[1] != info->input_height ||
        pixels->shape[2] != info->input_width || pixels->shape[3] != 3) {
        cli_error("%s: \"pixels\" is not U8, pictures x %u x %u x 3", path, info->input_height,
                  info->input_width);
        return false;
    }
    work->count = (uint32_t)pixels->shape[0];
    return is_table(path, &work->tensors[EMBEDDING], work->count, info->dimension) &&
           (!work->tensors[LOGITS].found || info->class_count == 0 ||
            is_table(path, &work->tensors[LOGITS], work->count, info->class_count));
}

static int extract(comparison *work, imgret_extractor *extractor, const imgret_extractor_info *info)
{
    size_t picture_bytes = (size_t)3 * info->input_width * info->input_height;
    bool with_logits = work->tensors[LOGITS].found && info->class_count > 0;
    imgret_input *inputs = calloc(work->count, sizeof *inputs);
    work->vectors = calloc(work->count, sizeof(float) * info->dimension);
    work->logits = with_logits ? calloc(work->count, sizeof(float) * info->class_count) : NULL;
    if (!inputs || !work->vectors || (with_logits && !work->logits)) {
        free(inputs);
        cli_error("out of memory");
        return CLI_EXIT_ERROR;
    }
    for (uint32_t i = 0; i < work->count; i++)
        inputs[i] = (imgret_input){.size = sizeof *inputs,
                                   .kind = IMGRET_INPUT_PIXELS,
                                   .data = work->tensors[PIXELS].data + i * picture_bytes,
                                   .data_bytes = picture_bytes,
                                   .width = info->input_width,
                                   .height = info->input_height};
    imgret_extraction wanted = {.size = sizeof wanted,
                                .flags = IMGRET_EXTRACT_PREPARED,
                                .vectors = work->vectors,
                                .vector_floats = (uint64_t)work->count * info->dimension,
                                .logits = work->logits,
                                .logit_floats = (uint64_t)work->count * info->class_count};
    imgret_error error = IMGRET_ERROR_INIT;
    int32_t code = imgret_extract_with(extractor, inputs, work->count, &wanted, &error);
    free(inputs);
    return code == IMGRET_OK ? CLI_EXIT_FOUND : cli_session_fail(&error);
}

/* Ours against the reference's rows, which are brought to length 1 first where `normalise` says so:
 * our vectors have it. */
static difference compare(const float *ours, const cli_tensor *theirs, bool normalise)
{
    difference found = {.cosine_min = 1};
    uint64_t rows = theirs->shape[0], width = theirs->shape[1];
    double largest = 0;
    for (uint64_t row = 0; row < rows; row++, ours += width) {
        double dot = 0, own = 0, other = 0;
        uint64_t own_top = 0, other_top = 0, first = row * width;
        for (uint64_t i = 0; i < width; i++)
            other += (double)value_at(theirs, first + i) * (double)value_at(theirs, first + i);
        double scale = normalise && other > 0 ? 1 / sqrt(other) : 1;
        for (uint64_t i = 0; i < width; i++) {
            double x = (double)ours[i], y = (double)value_at(theirs, first + i) * scale;
            dot += x * y;
            own += x * x;
            found.max_abs = fmax(found.max_abs, fabs(x - y));
            largest = fmax(largest, fabs(y));
            own_top = ours[i] > ours[own_top] ? i : own_top;
            other_top = value_at(theirs, first + i) > value_at(theirs, first + other_top)
                            ? i
                            : other_top;
        }
        double length = sqrt(own * other) * scale;
        found.cosine_min = fmin(found.cosine_min, length > 0 ? dot / length : 0);
        found.top1_same += own_top == other_top;
    }
    found.max_rel = largest > 0 ? found.max_abs / largest : found.max_abs;
    return found;
}

static void print(cli_form form, const char *model, const char *what, uint32_t count,
                  const difference *found)
{
    if (form != CLI_FORM_JSON) {
        if (form == CLI_FORM_TABLE)
            printf("%-12s %8s %12s %12s %12s %8s\n", what, "pictures", "largest abs", "relative",
                   "cosine", "top 1");
        printf(form == CLI_FORM_TABLE ? "%-12s %8u %12.3e %12.3e %12.8f %8u\n"
                                      : "%s\t%u\t%.9g\t%.9g\t%.9g\t%u\n",
               form == CLI_FORM_TABLE ? "" : what, count, found->max_abs, found->max_rel,
               found->cosine_min, found->top1_same);
        return;
    }
    cli_json_begin();
    cli_json_path("model", model);
    cli_json_text("output", what);
    cli_json_count("pictures", count);
    cli_json_number("max_abs_error", found->max_abs);
    cli_json_number("max_rel_error", found->max_rel);
    cli_json_number("cosine_min", found->cosine_min);
    cli_json_count("top1_same", found->top1_same);
    cli_json_end();
}

static int report(const comparison *work, const cli_options *options, const char *model)
{
    cli_form form = cli_output_form(options);
    difference vectors = compare(work->vectors, &work->tensors[EMBEDDING], true);
    bool good = vectors.cosine_min >= COSINE_MIN;
    print(form, model, "embedding", work->count, &vectors);
    if (work->logits) {
        difference logits = compare(work->logits, &work->tensors[LOGITS], false);
        good = good && logits.cosine_min >= COSINE_MIN;
        print(form, model, "logits", work->count, &logits);
    }
    if (!good)
        cli_note("%s is another model than the reference: a cosine is below %g", model, COSINE_MIN);
    return good ? CLI_EXIT_FOUND : CLI_EXIT_NOTHING;
}

int cli_model_compare(const cli_options *options, const char *model, const char *reference)
{
    imgret_extractor_info info;
    imgret_extractor *extractor = cli_model_open(options, model, &info);
    comparison work = {0};
    int status = CLI_EXIT_ERROR;
    if (extractor && read_reference(&work, reference, &info))
        status = extract(&work, extractor, &info);
    if (status == CLI_EXIT_FOUND)
        status = report(&work, options, model);
    free(work.logits);
    free(work.vectors);
    free(work.file);
    imgret_extractor_close(extractor);
    return status;
}
