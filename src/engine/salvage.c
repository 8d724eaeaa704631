/* salvage.c: making the catalogue anew from what can be read of a damaged one.
 *
 *   check -> nothing wrong: done -> rows copied (catalog/salvage.h) -> where the lists of segments or of
 *   removals were damaged, the segment files say what is in them -> rules restored -> exchanged
 *
 * Vectors that lie in segments are untouched; what a catalogue of all segments lacks of them is what
 * imgret_repair looks after when this is done.
 */
#include "engine/salvage.h"

#include "base/alloc.h"
#include "base/error.h"
#include "catalog/salvage.h"
#include "engine/segments.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIMENSION_MAX 65536

typedef struct shape {
    uint32_t dimension, metric, vector_type;
} shape;

typedef struct rescue {
    const imgret_salvage_options *options;
    imgret_salvage_report *report;
    ir_salvage *salvage;
    shape vectors;
    uint64_t problems;
} rescue;

static int32_t on_loss(void *context, const char *message)
{
    rescue *run = context;
    run->report->loss_count++;
    return run->options->on_loss ? run->options->on_loss(run->options->user, message) : 0;
}

static size_t vector_bytes(const shape *vectors)
{
    return (size_t)vectors->dimension * (vectors->vector_type == IMGRET_VECTOR_F32 ? 4 : 2);
}

/* ---- settings ---- */

static int32_t read_number(ir_catalog *catalog, const char *name, uint32_t most, uint32_t *out,
                           imgret_error *error)
{
    char *text, *end = NULL;
    int32_t status = ir_catalog_get_setting(catalog, name, &text, error);
    if (status)
        return status;
    unsigned long value = text ? strtoul(text, &end, 10) : 0;
    if (!text || end == text || *end || value == 0 || value > most)
        status = ir_fail(
            error, IMGRET_CORRUPT,
            "setting \"%s\" is lost, and without it nobody can tell what the vectors are", name);
    *out = (uint32_t)value;
    ir_free(text);
    return status;
}

static int32_t need_text(ir_catalog *catalog, const char *name, imgret_error *error)
{
    char *text;
    int32_t status = ir_catalog_get_setting(catalog, name, &text, error);
    if (!status && (!text || !text[0]))
        status = ir_fail(
            error, IMGRET_CORRUPT,
            "setting \"%s\" is lost, and without it nobody can tell what the vectors are", name);
    ir_free(text);
    return status;
}

/* CORRUPT when one that is needed is not there. */
static int32_t read_settings(ir_catalog *catalog, shape *out, imgret_error *error)
{
    int32_t status = need_text(catalog, "model", error);
    if (!status)
        status = need_text(catalog, "extractor_identity", error);
    if (!status)
        status = read_number(catalog, "dimension", DIMENSION_MAX, &out->dimension, error);
    if (!status)
        status = read_number(catalog, "metric", IMGRET_METRIC_L2, &out->metric, error);
    if (!status)
        status = read_number(catalog, "vector_type", IMGRET_VECTOR_F32, &out->vector_type, error);
    return status;
}

/* ---- is anything wrong? ---- */

static int32_t on_problem(void *context, const char *message)
{
    rescue *run = context;
    run->problems++;
    return on_loss(run, message);
}

/* What is wrong is told by on_loss as well. */
static int32_t find_problems(rescue *run, const char *path, imgret_error *error)
{
    const ir_catalog_options options = {.existing = true,
                                        .busy_timeout_ms = run->options->busy_timeout_ms};
    imgret_error reason = IMGRET_ERROR_INIT;
    ir_catalog *catalog = NULL;
    int32_t status = ir_catalog_open(&catalog, path, &options, NULL, &reason);
    if (!status)
        status = read_settings(catalog, &run->vectors, &reason);
    if (!status)
        status = ir_catalog_check(catalog, vector_bytes(&run->vectors), on_problem, run, &reason);
    ir_catalog_close(catalog);
    if (status == IMGRET_CORRUPT)
        return on_problem(run, reason.message) == 0
                   ? IMGRET_OK
                   : ir_fail(error, IMGRET_INTERRUPTED, "the salvage was stopped by its callback");
    return status ? ir_fail(error, status, "%s", reason.message) : IMGRET_OK;
}

/* ---- what the segment files know ---- */

static int compare_descending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x < y) - (x > y);
}

/* The numbers of all segment files, the newest first, in fresh memory. */
static int32_t list_files(const char *path, int64_t **out, uint32_t *count, imgret_error *error)
{
    uint32_t capacity = 0;
    char *folder = ir_asprintf("%s/segments", path);
    DIR *stream = folder ? opendir(folder) : NULL;
    const struct dirent *entry;
    int32_t status = folder ? IMGRET_OK : ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
    *out = NULL;
    *count = 0;
    while (!status && stream && (entry = readdir(stream))) {
        char *end;
        long long number = strtoll(entry->d_name, &end, 10);
        if (end == entry->d_name || strcmp(end, ".seg") != 0 || number < 1)
            continue;
        if (*count == capacity) {
            capacity = capacity ? capacity * 2 : 16;
            int64_t *more = ir_realloc(*out, capacity * sizeof **out);
            if (!more) {
                status = ir_fail(error, IMGRET_NO_MEMORY, "no memory to salvage");
                break;
            }
            *out = more;
        }
        (*out)[(*count)++] = number;
    }
    if (stream)
        closedir(stream);
    ir_free(folder);
    if (*count)
        qsort(*out, *count, sizeof **out, compare_descending);
    return status;
}

/* *out is NULL for a file that is damaged or of other vectors. */
static int32_t open_file(const rescue *run, const char *path, int64_t number, ir_segment **out,
                         imgret_error *error)
{
    const ir_segment_open_options options = {.vectors_only = true};
    imgret_error reason = IMGRET_ERROR_INIT;
    char *name = ir_asprintf("%s/segments/%06lld.seg", path, (long long)number);
    *out = NULL;
    if (!name)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
    int32_t status = ir_segment_open(out, name, &options, &reason);
    ir_free(name);
    if (status == IMGRET_NO_MEMORY)
        return ir_fail(error, status, "%s", reason.message);
    if (status)
        return IMGRET_OK;
    ir_segment_info info;
    ir_segment_get_info(*out, &info);
    if (info.dimension != run->vectors.dimension || info.metric != run->vectors.metric ||
        info.vector_type != run->vectors.vector_type || info.vector_count == 0) {
        ir_segment_close(*out);
        *out = NULL;
    }
    return IMGRET_OK;
}

/* Lists a file that the damaged list may have held. */
static int32_t list_file(rescue *run, int64_t number, const ir_segment *file, imgret_error *error)
{
    ir_segment_info info;
    ir_segment_get_info(file, &info);
    const ir_catalog_segment listed = {
        .id = number,
        .first_region = ir_segment_id(file, 0),
        .last_region = ir_segment_id(file, (uint32_t)info.vector_count - 1),
        .vector_count = info.vector_count,
        .file_bytes = info.file_bytes,
        .identity = info.identity,
    };
    return ir_salvage_list_segment(run->salvage, &listed, error);
}

/* What a file holds and no region names was removed. Both lists ascend. */
static int32_t note_removed(rescue *run, const ir_segment *file, imgret_error *error)
{
    enum { BATCH = 1024 };
    int64_t *known, removed[BATCH];
    uint64_t known_count, at = 0, count = 0;
    ir_segment_info info;
    ir_segment_get_info(file, &info);
    int32_t status = ir_catalog_region_ids(ir_salvage_catalog(run->salvage), 1, &known,
                                           &known_count, error);
    for (uint32_t slot = 0; slot < info.vector_count && !status; slot++) {
        int64_t id = ir_segment_id(file, slot);
        while (at < known_count && known[at] < id)
            at++;
        if (at == known_count || known[at] != id)
            removed[count++] = id;
        if (count == BATCH || (count && slot + 1 == info.vector_count)) {
            status = ir_salvage_note_removed(run->salvage, removed, count, error);
            count = 0;
        }
    }
    ir_free(known);
    return status;
}

static int32_t ask_segments(rescue *run, const char *path, imgret_error *error)
{
    const ir_salvage_counts *counts = ir_salvage_get_counts(run->salvage);
    int64_t *numbers = NULL;
    uint32_t count = 0;
    int32_t status = list_files(path, &numbers, &count, error);
    for (uint32_t i = 0; i < count && !status; i++) {
        ir_segment *file;
        status = open_file(run, path, numbers[i], &file, error);
        if (!status && file && counts->segments_lost)
            status = list_file(run, numbers[i], file, error);
        if (!status && file)
            status = note_removed(run, file, error);
        ir_segment_close(file);
    }
    ir_free(numbers);
    return status;
}

/* ---- all of it ---- */

static int32_t make_anew(rescue *run, const char *path, imgret_error *error)
{
    const ir_salvage_options options = {
        .busy_timeout_ms = run->options->busy_timeout_ms, .on_loss = on_loss, .context = run};
    imgret_error reason = IMGRET_ERROR_INIT;
    int32_t status = ir_salvage_open(&run->salvage, path, &options, error);
    if (!status)
        status = ir_salvage_copy(run->salvage, error);
    if (status)
        return status;
    status = read_settings(ir_salvage_catalog(run->salvage), &run->vectors, &reason);
    if (status)
        return ir_fail(error, status, "%s: %s; nothing was changed", path, reason.message);
    status = ask_segments(run, path, error);
    if (!status)
        status = ir_salvage_settle(run->salvage, vector_bytes(&run->vectors), error);
    imgret_salvage_report *report = run->report;
    ir_catalog_counts made = {0};
    if (!status)
        status = ir_catalog_get_counts(ir_salvage_catalog(run->salvage), &made, error);
    const ir_salvage_counts *counts = ir_salvage_get_counts(run->salvage);
    report->image_count = made.image_count;
    report->images_without_record = counts->images_bare;
    report->images_lost = counts->images_lost;
    const char *aside;
    if (!status)
        status = ir_salvage_finish(run->salvage, &aside, error);
    if (!status) {
        report->salvaged = 1;
        snprintf(report->original, sizeof report->original, "%s", aside);
    }
    return status;
}

int32_t ir_salvage_database(const char *path, const imgret_salvage_options *options,
                            imgret_salvage_report *report, imgret_error *error)
{
    rescue run = {.options = options, .report = report};
    int32_t status = find_problems(&run, path, error);
    if (!status && run.problems > 0)
        status = make_anew(&run, path, error);
    ir_salvage_close(run.salvage);
    return status;
}
