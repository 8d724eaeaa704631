/* reembed_parts.c: the vectors of a picture's regions by another model than the database's. */
#include "engine/reembed_parts.h"

#include "base/alloc.h"
#include "base/error.h"
#include "engine/prepare.h"
#include "engine/source.h"

typedef struct part_list {
    ir_box *boxes;
    uint32_t known;
} part_list;

/* ir_catalog_region_fn */
static int32_t note_box(void *context, uint64_t position, const ir_catalog_region *region,
                        imgret_error *error)
{
    (void)error;
    part_list *list = context;
    const ir_catalog_object *object = &region->object;
    list->boxes[position] = (ir_box){.x = object->x,
                                     .y = object->y,
                                     .width = object->width,
                                     .height = object->height,
                                     .label = IR_BOX_UNLABELLED};
    list->known++;
    return IMGRET_OK;
}

static int32_t prepare_all(ir_extractor *extractor, const ir_picture *picture,
                           const int64_t *regions, const ir_box *boxes, uint32_t count,
                           uint8_t *prepared, imgret_error *error)
{
    size_t bytes = ir_extractor_input_bytes(extractor);
    int32_t status = IMGRET_OK;
    for (uint32_t i = 0; i < count && !status; i++)
        status = ir_region_ordinal(regions[i]) == 0
                     ? ir_prepare(extractor, picture, prepared + i * bytes, error)
                     : ir_regions_prepare_box(extractor, picture, &boxes[i], prepared + i * bytes,
                                              error);
    return status;
}

static int32_t run_all(ir_extractor *extractor, const uint8_t *prepared, uint32_t count,
                       float *rows, imgret_error *error)
{
    const uint8_t *pictures[1 + IR_REGION_OBJECTS_MAX];
    size_t bytes = ir_extractor_input_bytes(extractor);
    for (uint32_t i = 0; i < count; i++)
        pictures[i] = prepared + i * bytes;
    const ir_extract_job job = {
        .pictures = pictures, .count = count, .out = rows, .stop = ir_call_current_stopped};
    return ir_extractor_run_job(extractor, &job, error);
}

int32_t ir_reembed_parts(ir_database *database, ir_extractor *extractor, const char *path,
                         const int64_t *regions, uint32_t count, float *rows, imgret_error *error)
{
    const imgret_input input = {.size = sizeof input, .kind = IMGRET_INPUT_FILE, .path = path};
    ir_box boxes[1 + IR_REGION_OBJECTS_MAX] = {{0}};
    part_list list = {boxes, 0};
    int32_t status = ir_catalog_boxes_of_regions(database->catalog, regions, count, note_box, &list,
                                                 error);
    if (!status && list.known != count)
        status = ir_fail(error, IMGRET_NOT_FOUND, "%s was removed", path);
    ir_source source;
    if (!status)
        status = ir_source_open(&source, &input, &database->limits, database->isolation, error);
    if (status)
        return status;
    ir_picture picture = {0};
    ir_regions_zoom(database->regions, &source.zoom_columns, &source.zoom_rows);
    status = ir_source_decode(&source, extractor, &database->limits, &picture, error);
    uint8_t *prepared = ir_malloc_array(count, ir_extractor_input_bytes(extractor));
    if (!status && !prepared)
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u parts of a picture", count);
    if (!status)
        status = prepare_all(extractor, &picture, regions, boxes, count, prepared, error);
    if (!status)
        status = run_all(extractor, prepared, count, rows, error);
    ir_free(prepared);
    ir_picture_free(&picture);
    ir_source_close(&source);
    return status;
}
