/* objects.c: vectors of a whole picture and its objects, or of one box of it. */
#include "engine/objects.h"

#include "base/alloc.h"
#include "base/error.h"
#include "engine/features.h"
#include "engine/prepare.h"

#include <math.h>

static const ir_regions_run in_call = {false, ir_call_current_stopped, NULL};

/* ---- a picture that is added ---- */

typedef struct parts_context {
    ir_regions *regions;
    const ir_extractor *extractor;
    ir_objects *objects;
} parts_context;

static int32_t prepare_parts(void *context, const ir_picture *pixels, imgret_error *error)
{
    const parts_context *parts = context;
    return ir_regions_prepare(parts->regions, parts->extractor, pixels, &in_call, parts->objects,
                              error);
}

/* Runs the whole and its objects as one request. */
static int32_t run_all(ir_extractor *extractor, const uint8_t *whole, const ir_objects *objects,
                       float **vectors, ir_look *look, imgret_error *error)
{
    ir_label labels[1 + IR_REGION_OBJECTS_MAX];
    bool has_labels = look && ir_extractor_get_info(extractor)->has_labels;
    uint32_t count = 1 + objects->count;
    size_t bytes = ir_extractor_input_bytes(extractor);
    const uint8_t *pictures[1 + IR_REGION_OBJECTS_MAX];
    pictures[0] = whole;
    for (uint32_t i = 0; i < objects->count; i++)
        pictures[1 + i] = objects->prepared + i * bytes;
    *vectors = ir_malloc_array((size_t)count * ir_extractor_get_info(extractor)->dimension,
                               sizeof **vectors);
    if (!*vectors)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u vectors", count);
    ir_extract_job job = {
        .pictures = pictures,
        .count = count,
        .out = *vectors,
        .labels = has_labels ? labels : NULL,
        .stop = ir_call_current_stopped,
    };
    int32_t status = ir_extractor_run_job(extractor, &job, error);
    if (!status && has_labels)
        ir_look_set_label(look, extractor, &labels[0]); /* of the whole picture */
    return status;
}

static int32_t extract_with_parts(ir_database *database, const ir_source *source, float **vectors,
                                  ir_objects *objects, ir_source_picture *picture,
                                  imgret_error *error)
{
    ir_extractor *extractor;
    int32_t status = ir_database_extractor(database, &extractor, error);
    if (status)
        return status;
    parts_context parts = {database->regions, extractor, objects};
    picture->on_pixels = prepare_parts;
    /* cppcheck-suppress autoVariables ; on_pixels is called before this function returns, never later */
    picture->context = &parts;
    uint8_t *prepared = ir_malloc(ir_extractor_input_bytes(extractor));
    status = prepared
                 ? ir_source_prepare(source, extractor, &database->limits, prepared, picture, error)
                 : ir_fail(error, IMGRET_NO_MEMORY, "no memory to prepare a picture");
    if (!status)
        status = run_all(extractor, prepared, objects, vectors, picture->look, error);
    ir_free(prepared);
    ir_objects_free_pixels(objects);
    ir_extractor_close(extractor);
    return status;
}

int32_t ir_objects_of(ir_database *database, const ir_source *source, float **vectors,
                      ir_objects *objects, ir_source_picture *picture, imgret_error *error)
{
    *vectors = NULL;
    *objects = (ir_objects){0};
    if (database->regions)
        return extract_with_parts(database, source, vectors, objects, picture, error);
    *vectors = ir_malloc_array(database->dimension, sizeof **vectors);
    if (!*vectors)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a vector");
    return ir_features_of(database, source, *vectors, picture, error);
}

int32_t ir_objects_encode(ir_database *database, const float *vectors, uint32_t count, void **out,
                          imgret_error *error)
{
    size_t bytes = ir_delta_vector_bytes(database->delta);
    uint8_t *stored = *out = ir_malloc_array(count, bytes);
    if (!stored)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u vectors", count);
    int32_t status = IMGRET_OK;
    for (uint32_t i = 0; i < count && !status; i++)
        status = ir_delta_encode(database->delta, vectors + (size_t)i * database->dimension,
                                 stored + i * bytes, error);
    if (status) {
        ir_free(stored);
        *out = NULL;
    }
    return status;
}

/* ---- a box that is asked for ---- */

static int32_t cut_given(const ir_picture *picture, const imgret_box *given, ir_box *out,
                         imgret_error *error)
{
    *out = (ir_box){.label = IR_BOX_UNLABELLED, .score = 1.0};
    if (ir_box_within(out, given->x, given->y, (double)given->x + given->width,
                      (double)given->y + given->height, picture->source_width,
                      picture->source_height))
        return IMGRET_OK;
    return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                   "the box of %u x %u pixels at %d,%d is outside the picture of %u x %u",
                   given->width, given->height, given->x, given->y, picture->source_width,
                   picture->source_height);
}

static int32_t find_main(ir_database *database, const ir_picture *picture, ir_box *out,
                         imgret_error *error)
{
    ir_box *boxes = NULL;
    uint32_t count = 0;
    int32_t status = ir_regions_propose(database->regions, picture, &in_call, &boxes, &count,
                                        error);
    if (!status && count == 0)
        status = ir_fail(error, IMGRET_NOT_FOUND, "there is no object in the picture");
    if (!status)
        *out = boxes[ir_box_main(boxes, count, picture->source_width, picture->source_height)];
    ir_free(boxes);
    return status;
}

static int32_t extract_box(ir_extractor *extractor, const ir_picture *picture, const ir_box *box,
                           float *vector, imgret_error *error)
{
    ir_picture part = {0};
    uint8_t *prepared = ir_malloc(ir_extractor_input_bytes(extractor));
    int32_t status = prepared ? ir_box_crop(picture, box, &part, error)
                              : ir_fail(error, IMGRET_NO_MEMORY, "no memory to prepare a picture");
    if (!status)
        status = ir_prepare(extractor, &part, prepared, error);
    ir_picture_free(&part);
    ir_extract_job job = {
        .prepared = prepared,
        .count = 1,
        .out = vector,
        .stop = ir_call_current_stopped,
    };
    if (!status)
        status = ir_extractor_run_job(extractor, &job, error);
    ir_free(prepared);
    return status;
}

int32_t ir_objects_vector(ir_database *database, const ir_source *source, const imgret_box *box,
                          float *vector, imgret_error *error)
{
    if (!box && !database->regions)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "%s was made without regions: nothing finds the main object",
                       database->path);
    ir_extractor *extractor;
    int32_t status = ir_database_extractor(database, &extractor, error);
    if (status)
        return status;
    /* A part that is asked for is looked at in every pixel, unless the stored ones were not. */
    ir_source whole = *source;
    if (box)
        whole.zoom_columns = whole.zoom_rows = UINT32_MAX;
    ir_picture picture = {0};
    ir_box found;
    status = ir_source_decode(&whole, extractor, &database->limits, &picture, error);
    if (!status)
        status = box ? cut_given(&picture, box, &found, error)
                     : find_main(database, &picture, &found, error);
    if (!status)
        status = extract_box(extractor, &picture, &found, vector, error);
    ir_picture_free(&picture);
    ir_extractor_close(extractor);
    if (status && source->input->kind == IMGRET_INPUT_FILE)
        return ir_fail_within(error, status, "%s", source->input->path);
    return status;
}
