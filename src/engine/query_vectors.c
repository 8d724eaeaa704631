/* query_vectors.c: the vectors of queries: ready ones copied, pictures through the model together.
 *
 * Pictures are taken in sets: all threads read, look up and decode those of a set, and what the
 * cache does not know goes to the model in as many requests as there are copies of it.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "engine/features.h"
#include "engine/objects.h"
#include "engine/query_inside.h"

#include <string.h>

enum { SET_MAX = 32 }; /* pictures prepared at once: bounds the memory of a long batch */

typedef struct picture {
    uint32_t index;  /* of work->asked */
    bool remembered; /* its vector is there already */
    ir_feature_key key;
    ir_source_picture about;
    int32_t status;
    imgret_error failure;
} picture;

typedef struct picture_set {
    const ir_query_work *work;
    ir_extractor *extractor;
    size_t prepared_bytes; /* of one picture */
    uint8_t *prepared;
    float *rows; /* SET_MAX vectors */
    uint32_t count;
    picture pictures[SET_MAX];
    uint32_t fresh[SET_MAX]; /* pictures to be extracted */
    uint32_t fresh_count;
    uint32_t slice_count;
    int32_t slice_status[SET_MAX];
    imgret_error slice_failure[SET_MAX];
    bool has_labels; /* what is remembered has its class, too: it may be added later */
    ir_label labels[SET_MAX];
} picture_set;

int32_t ir_query_fail(const ir_query_work *work, uint32_t index, const imgret_error *reason,
                      imgret_error *error)
{
    if (work->alone)
        return ir_fail(error, reason->code, "%s", reason->message);
    return ir_fail(error, reason->code, "input %llu: %s", (unsigned long long)(work->first + index),
                   reason->message);
}

static void prepare_picture(void *context, uint32_t part)
{
    picture_set *set = context;
    picture *one = &set->pictures[part];
    ir_database *database = set->work->database;
    const ir_asked *asked = &set->work->asked[one->index];
    ir_source source;
    ir_feature_picture known;
    one->failure = (imgret_error)IMGRET_ERROR_INIT;
    one->status = ir_source_open(&source, asked->input, &database->limits, database->isolation,
                                 &one->failure);
    ir_regions_zoom(database->regions, &source.zoom_columns, &source.zoom_rows);
    if (!one->status) {
        one->key = ir_features_key(database, &source);
        one->remembered = ir_feature_cache_find(database->features, &one->key, asked->vector,
                                                database->dimension, &known);
    }
    if (!one->status && !one->remembered)
        one->status = ir_source_prepare(&source, set->extractor, &database->limits,
                                        set->prepared + part * set->prepared_bytes, &one->about,
                                        &one->failure);
    ir_source_close(&source);
}

/* One request to the model: a share of the fresh pictures. */
static void extract_slice(void *context, uint32_t part)
{
    picture_set *set = context;
    uint32_t first = set->fresh_count * part / set->slice_count;
    uint32_t end = set->fresh_count * (part + 1) / set->slice_count;
    const uint8_t *pictures[SET_MAX];
    for (uint32_t i = first; i < end; i++)
        pictures[i - first] = set->prepared + set->fresh[i] * set->prepared_bytes;
    ir_extract_job job = {
        .pictures = pictures,
        .count = end - first,
        .out = set->rows + (size_t)first * set->work->database->dimension,
        .labels = set->has_labels ? set->labels + first : NULL,
        .stop = ir_call_stopped,
        .stop_context = set->work->call,
    };
    set->slice_failure[part] = (imgret_error)IMGRET_ERROR_INIT;
    set->slice_status[part] = job.count ? ir_extractor_run_job(set->extractor, &job,
                                                               &set->slice_failure[part])
                                        : IMGRET_OK;
}

static int32_t extract_fresh(picture_set *set, imgret_error *error)
{
    ir_database *database = set->work->database;
    uint32_t copies = ir_extractor_get_info(set->extractor)->instance_count;
    set->slice_count = copies < set->fresh_count ? copies : set->fresh_count;
    if (set->slice_count == 0)
        return IMGRET_OK;
    ir_pool_run(database->pool, extract_slice, set, set->slice_count);
    for (uint32_t i = 0; i < set->slice_count; i++)
        if (set->slice_status[i])
            return ir_fail(error, set->slice_status[i], "%s", set->slice_failure[i].message);
    for (uint32_t i = 0; i < set->fresh_count; i++) {
        const picture *one = &set->pictures[set->fresh[i]];
        float *vector = set->work->asked[one->index].vector;
        memcpy(vector, set->rows + (size_t)i * database->dimension,
               database->dimension * sizeof vector[0]);
        ir_feature_picture about = {.width = one->about.width,
                                    .height = one->about.height,
                                    .format = one->about.format,
                                    .has_label = set->has_labels,
                                    .label = set->labels[i].index,
                                    .label_score = set->labels[i].score};
        ir_feature_cache_keep(database->features, &one->key, vector, database->dimension, &about);
    }
    return IMGRET_OK;
}

static int32_t extract_set(picture_set *set, imgret_error *error)
{
    ir_pool_run(set->work->database->pool, prepare_picture, set, set->count);
    set->fresh_count = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        if (set->pictures[i].status)
            return ir_query_fail(set->work, set->pictures[i].index, &set->pictures[i].failure,
                                 error);
        if (!set->pictures[i].remembered)
            set->fresh[set->fresh_count++] = i;
    }
    return extract_fresh(set, error);
}

static bool is_picture(const ir_asked *asked)
{
    return asked->input->kind != IMGRET_INPUT_VECTOR && asked->input->kind != IMGRET_INPUT_ID;
}

static int32_t extract_pictures(const ir_query_work *work, ir_extractor *extractor,
                                imgret_error *error)
{
    picture_set *set = ir_calloc(1, sizeof *set);
    size_t bytes = ir_extractor_input_bytes(extractor);
    uint8_t *prepared = ir_malloc_array(SET_MAX, bytes);
    float *rows = ir_malloc_array((size_t)SET_MAX * work->database->dimension, sizeof *rows);
    int32_t status = IMGRET_OK;
    if (!set || !prepared || !rows)
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory to prepare pictures");
    else
        *set = (picture_set){.work = work,
                             .extractor = extractor,
                             .prepared_bytes = bytes,
                             .prepared = prepared,
                             .rows = rows,
                             .has_labels = ir_extractor_get_info(extractor)->has_labels};
    for (uint32_t i = 0; i < work->count && !status;) {
        set->count = 0;
        for (; i < work->count && set->count < SET_MAX; i++)
            if (is_picture(&work->asked[i]))
                set->pictures[set->count++] = (picture){.index = i};
        if (ir_call_stopped(work->call))
            status = ir_fail(error, IMGRET_INTERRUPTED, "the query was interrupted");
        else
            status = extract_set(set, error);
    }
    ir_free(rows);
    ir_free(prepared);
    ir_free(set);
    return status;
}

static int32_t copy_vector(const ir_query_work *work, uint32_t index, imgret_error *error)
{
    const ir_asked *asked = &work->asked[index];
    const ir_database *database = work->database;
    if (asked->input->dimension != database->dimension) {
        imgret_error reason = IMGRET_ERROR_INIT;
        ir_fail(&reason, IMGRET_INVALID_ARGUMENT, "the vector has %u dimensions, %s needs %u",
                asked->input->dimension, database->path, database->dimension);
        return ir_query_fail(work, index, &reason, error);
    }
    memcpy(asked->vector, asked->input->vector, database->dimension * sizeof asked->vector[0]);
    return IMGRET_OK;
}

/* A lone picture: the extractor is loaded only if its vector is not remembered. */
static int32_t extract_one(const ir_query_work *work, imgret_error *error)
{
    ir_source source;
    int32_t status = ir_source_open(&source, work->asked[0].input, &work->database->limits,
                                    work->database->isolation, error);
    if (status)
        return status;
    ir_regions_zoom(work->database->regions, &source.zoom_columns, &source.zoom_rows);
    status = ir_features_of(work->database, &source, work->asked[0].vector, NULL, error);
    ir_source_close(&source);
    return status;
}

/* Boxes, or main objects, of pictures: one after the other. */
static int32_t extract_parts(const ir_query_work *work, imgret_error *error)
{
    ir_database *database = work->database;
    for (uint32_t i = 0; i < work->count; i++) {
        const ir_asked *asked = &work->asked[i];
        if (!is_picture(asked))
            continue;
        ir_source source;
        imgret_error reason = IMGRET_ERROR_INIT;
        int32_t status = ir_source_open(&source, asked->input, &database->limits,
                                        database->isolation, &reason);
        ir_regions_zoom(database->regions, &source.zoom_columns, &source.zoom_rows);
        if (!status)
            status = ir_objects_vector(database, &source, work->options->box, asked->vector,
                                       &reason);
        ir_source_close(&source);
        if (status)
            return ir_query_fail(work, i, &reason, error);
    }
    return IMGRET_OK;
}

int32_t ir_query_vectors(const ir_query_work *work, imgret_error *error)
{
    uint32_t pictures = 0;
    int32_t status = IMGRET_OK;
    for (uint32_t i = 0; i < work->count && !status; i++) {
        pictures += is_picture(&work->asked[i]);
        if (work->asked[i].input->kind == IMGRET_INPUT_VECTOR)
            status = copy_vector(work, i, error);
    }
    if (status || pictures == 0)
        return status;
    if (work->options->box || (work->options->flags & IMGRET_QUERY_MAIN_OBJECT))
        return extract_parts(work, error);
    if (work->count == 1)
        return extract_one(work, error);
    ir_extractor *extractor;
    status = ir_database_extractor(work->database, &extractor, error);
    if (status)
        return status;
    status = extract_pictures(work, extractor, error);
    ir_extractor_close(extractor);
    return status;
}
