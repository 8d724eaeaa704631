/* rerank.c: candidates looked at in another way: by their colours, or by what lies where in them.
 *
 * Colours are compared as they are stored, palette with palette. Geometry needs the pictures: each
 * candidate's file is read, on all threads, and its places are compared with those of the picture
 * that was asked with (analyze/places.h). Nothing of that is kept.
 */
#include "engine/rerank.h"

#include "analyze/places.h"
#include "base/alloc.h"
#include "base/error.h"
#include "engine/colors.h"
#include "engine/source.h"
#include "engine/stages.h"

#include <stdatomic.h>
#include <string.h>

enum { ZOOM = 2 }; /* what is decoded for places: 320 pixels a side, or all there are */

#define WEIGHT_DEFAULT 0.5

int32_t ir_rerank_check(const imgret_query_options *options, bool has_input, imgret_error *error)
{
    if (options->rerank_by > IMGRET_RERANK_GEOMETRY)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "imgret_query_options.rerank_by is %u",
                       options->rerank_by);
    if (!(options->rerank_weight >= 0 && options->rerank_weight <= 1))
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "imgret_query_options.rerank_weight is %g, not between 0 and 1",
                       options->rerank_weight);
    if (options->rerank_by == 0)
        return IMGRET_OK;
    const char *clash = options->cursor                             ? "cursor"
                        : options->term_count                       ? "terms"
                        : options->box                              ? "box"
                        : options->region                           ? "region"
                        : options->search != IMGRET_SEARCH_WHOLE    ? "search"
                        : options->flags & IMGRET_QUERY_MAIN_OBJECT ? "IMGRET_QUERY_MAIN_OBJECT"
                                                                    : NULL;
    if (clash)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "imgret_query_options.rerank_by does not go with %s", clash);
    return has_input ? IMGRET_OK
                     : ir_fail(error, IMGRET_INVALID_ARGUMENT,
                               "imgret_query_options.rerank_by needs a picture that is asked with");
}

/* What was asked with, as far as it is needed. */
typedef struct asked_picture {
    char *path;                   /* of an ID; NULL: it has no file */
    imgret_attributes attributes; /* its texts are not looked at */
    bool there, has_attributes;
} asked_picture;

static int32_t note_record(void *context, uint64_t position, const imgret_record *record,
                           imgret_error *error)
{
    (void)position;
    asked_picture *asked = context;
    asked->there = true;
    if (record->attributes) {
        asked->attributes = *record->attributes;
        asked->has_attributes = true;
    }
    if (record->uri && record->uri[0] == '/') {
        asked->path = ir_strdup(record->uri);
        if (!asked->path)
            return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
    }
    return IMGRET_OK;
}

static int32_t look_up(ir_database *database, int64_t id, asked_picture *out, imgret_error *error)
{
    int32_t status = ir_catalog_records_of_images(database->catalog, &id, 1, note_record, out,
                                                  error);
    if (!status && !out->there)
        status = ir_fail(error, IMGRET_NOT_FOUND, "%s: image %lld", database->path, (long long)id);
    return status;
}

/* The pixels of a picture, small; ir_picture_free. */
static int32_t decode(const ir_database *database, const imgret_input *input, ir_picture *out,
                      imgret_error *error)
{
    ir_source source;
    *out = (ir_picture){0};
    int32_t status = ir_source_open(&source, input, &database->limits, database->isolation, error);
    if (status)
        return status;
    source.zoom_columns = source.zoom_rows = ZOOM;
    status = ir_source_decode(&source, NULL, &database->limits, out, error);
    ir_source_close(&source);
    return status;
}

/* ---- colours ---- */

static int32_t find_attributes(ir_database *database, const imgret_input *input, asked_picture *out,
                               imgret_error *error)
{
    if (input->kind == IMGRET_INPUT_ID)
        return look_up(database, input->id, out, error);
    ir_analyzer *analyzer = NULL;
    ir_picture picture;
    int32_t status = decode(database, input, &picture, error);
    if (!status)
        status = ir_analyze(&analyzer, &picture, &out->attributes, error);
    out->has_attributes = !status;
    ir_analyzer_free(analyzer);
    ir_picture_free(&picture);
    return status;
}

static int32_t rank_by_colors(imgret_results *results, ir_database *database,
                              const imgret_input *input, double weight, imgret_error *error)
{
    asked_picture asked = {0};
    ir_colors colors;
    imgret_color_term terms[IMGRET_SWATCH_MAX];
    int32_t status = find_attributes(database, input, &asked, error);
    ir_free(asked.path);
    if (!status && !asked.has_attributes)
        status = ir_fail(error, IMGRET_INVALID_ARGUMENT,
                         "%s: image %lld has no colours to rerank by", database->path,
                         (long long)input->id);
    for (uint32_t i = 0; i < asked.attributes.swatch_count && !status; i++) {
        const imgret_swatch *swatch = &asked.attributes.swatches[i];
        terms[i] = (imgret_color_term){.size = sizeof terms[i],
                                       .red = swatch->red,
                                       .green = swatch->green,
                                       .blue = swatch->blue,
                                       .weight = (double)swatch->share};
    }
    if (!status)
        status = ir_colors_read(&colors, terms, asked.attributes.swatch_count, error);
    return status ? status : ir_stages_color(results, database, &colors, weight, error);
}

/* ---- geometry ---- */

typedef struct comparing {
    const imgret_results *results;
    ir_database *database;
    const ir_places *asked;
    ir_call *call;
    double *agreement;     /* of each candidate, 0..1 */
    atomic_bool no_memory; /* was met */
} comparing;

/* A file that is gone, changed into something else, or no picture any more is no failure. */
static void compare_places(void *context, uint32_t part)
{
    comparing *c = context;
    const char *path = c->results->hits[part].uri;
    if (!path || path[0] != '/' || ir_call_stopped(c->call))
        return;
    const imgret_input input = {.size = sizeof input, .kind = IMGRET_INPUT_FILE, .path = path};
    ir_picture picture;
    ir_places *places = NULL;
    uint32_t agreeing = 0;
    int32_t status = decode(c->database, &input, &picture, NULL);
    if (!status)
        status = ir_places_find(&places, &picture, NULL);
    ir_picture_free(&picture);
    if (!status)
        status = ir_places_agree(c->asked, places, &agreeing, NULL);
    ir_places_free(places);
    c->agreement[part] = ir_places_score(agreeing);
    if (status == IMGRET_NO_MEMORY)
        atomic_store(&c->no_memory, true);
}

static int32_t find_places(ir_places **out, ir_database *database, const imgret_input *input,
                           imgret_error *error)
{
    asked_picture asked = {0};
    imgret_input file = {.size = sizeof file, .kind = IMGRET_INPUT_FILE};
    ir_picture picture = {0};
    int32_t status = IMGRET_OK;
    *out = NULL;
    if (input->kind == IMGRET_INPUT_ID) {
        status = look_up(database, input->id, &asked, error);
        if (!status && !asked.path)
            status = ir_fail(error, IMGRET_NOT_FOUND,
                             "%s: image %lld has no file to look at: rerank_by geometry needs the "
                             "picture",
                             database->path, (long long)input->id);
        file.path = asked.path;
        input = &file;
    }
    if (!status)
        status = decode(database, input, &picture, error);
    if (!status)
        status = ir_places_find(out, &picture, error);
    ir_picture_free(&picture);
    ir_free(asked.path);
    return status;
}

/* The candidates' scores mixed with how much of them lies where it does in the picture asked with. */
static int32_t rank_by_places(imgret_results *results, ir_database *database,
                              const imgret_input *input, double weight, ir_call *call,
                              imgret_error *error)
{
    size_t count = (size_t)results->count;
    ir_places *asked = NULL;
    comparing c = {.results = results, .database = database, .call = call};
    int32_t status = find_places(&asked, database, input, error);
    if (status)
        return status;
    c.asked = asked;
    c.agreement = ir_calloc(count ? count : 1, sizeof *c.agreement);
    if (!c.agreement)
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory for %zu candidates", count);
    else
        ir_pool_run(database->pool, compare_places, &c, (uint32_t)count);
    if (!status && atomic_load(&c.no_memory))
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory to compare pictures");
    if (!status && ir_call_stopped(call))
        status = ir_fail(error, IMGRET_INTERRUPTED, "the query was interrupted");
    for (size_t i = 0; i < count && !status; i++)
        results->hits[i].score = (1 - weight) * results->hits[i].score + weight * c.agreement[i];
    if (!status)
        ir_stages_sort(results);
    ir_free(c.agreement);
    ir_places_free(asked);
    return status;
}

int32_t ir_rerank(imgret_results *results, ir_database *database, const imgret_input *input,
                  const imgret_query_options *options, ir_call *call, imgret_error *error)
{
    double weight = options->rerank_weight > 0 ? options->rerank_weight : WEIGHT_DEFAULT;
    imgret_error reason = IMGRET_ERROR_INIT;
    int32_t status = options->rerank_by == IMGRET_RERANK_COLOR
                         ? rank_by_colors(results, database, input, weight, &reason)
                         : rank_by_places(results, database, input, weight, call, &reason);
    if (status == IMGRET_INTERRUPTED && (options->flags & IMGRET_QUERY_ALLOW_PARTIAL)) {
        results->stats.flags |= IMGRET_QUERY_PARTIAL;
        return IMGRET_OK;
    }
    return status ? ir_fail(error, status, "%s", reason.message) : IMGRET_OK;
}
