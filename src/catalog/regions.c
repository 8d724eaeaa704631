/* regions.c: the objects of a picture: boxes with a label and a score, stored beside the whole. */
#include "catalog/internal.h"

#include "base/error.h"
#include "base/region.h"

#include <string.h>

#define LABEL_BYTES_MAX (4 << 10)

static int32_t check_object(const ir_catalog_image *image, const ir_catalog_object *object,
                            imgret_error *error)
{
    bool inside = object->width > 0 && object->height > 0 &&
                  (uint64_t)object->x + object->width <= image->width &&
                  (uint64_t)object->y + object->height <= image->height;
    if (!inside)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "a box of %u x %u pixels at %u,%u is not within a picture of %u x %u",
                       object->width, object->height, object->x, object->y, image->width,
                       image->height);
    if (!(object->score >= 0.0 && object->score <= 1.0))
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "a box's score is %g", object->score);
    size_t length = object->label ? strnlen(object->label, LABEL_BYTES_MAX + 1) : 0;
    if (length > LABEL_BYTES_MAX)
        return ir_fail(error, IMGRET_LIMIT, "a label is longer than %d bytes", LABEL_BYTES_MAX);
    return length ? ir_catalog_check_utf8("a box's label", object->label, length, error)
                  : IMGRET_OK;
}

int32_t ir_catalog_check_objects(const ir_catalog_image *image, imgret_error *error)
{
    if (image->object_count == 0)
        return IMGRET_OK;
    if (!image->spaced || image->object_count > IR_REGION_OBJECTS_MAX)
        return ir_fail(error, IMGRET_LIMIT, "%u objects in a picture, at most %u are possible",
                       image->object_count, image->spaced ? IR_REGION_OBJECTS_MAX : 0);
    int32_t status = IMGRET_OK;
    for (uint32_t i = 0; i < image->object_count && !status; i++)
        status = check_object(image, &image->objects[i], error);
    return status;
}

static int32_t add_object(ir_catalog *catalog, const ir_catalog_object *object, int64_t image,
                          int64_t region, imgret_error *error)
{
    ir_statement statement;
    ir_statement_start(&statement, &catalog->writer, IR_SQL_INSERT_OBJECT, "storing a region");
    ir_statement_bind_int(&statement, region);
    ir_statement_bind_int(&statement, image);
    ir_statement_bind_int(&statement, ir_region_ordinal(region));
    ir_statement_bind_int(&statement, object->x);
    ir_statement_bind_int(&statement, object->y);
    ir_statement_bind_int(&statement, object->width);
    ir_statement_bind_int(&statement, object->height);
    ir_statement_bind_text(&statement, object->label);
    ir_statement_bind_real(&statement, object->score);
    return ir_statement_run(&statement, error);
}

int32_t ir_catalog_add_objects(ir_catalog *catalog, const ir_catalog_image *image, int64_t id,
                               int64_t region, imgret_error *error)
{
    const uint8_t *vector = image->vector;
    int32_t status = IMGRET_OK;
    for (uint32_t i = 0; i < image->object_count && !status; i++) {
        ir_statement statement;
        vector += image->vector_bytes;
        status = add_object(catalog, &image->objects[i], id, region + 1 + i, error);
        if (status)
            break;
        ir_statement_start(&statement, &catalog->writer, IR_SQL_INSERT_VECTOR, "storing a vector");
        ir_statement_bind_int(&statement, region + 1 + i);
        ir_statement_bind_blob(&statement, vector, image->vector_bytes);
        status = ir_statement_run(&statement, error);
    }
    return status;
}

int32_t ir_catalog_object_count(ir_catalog *catalog, int64_t id, uint32_t *out, imgret_error *error)
{
    ir_statement statement;
    bool row;
    int64_t count = 0;
    *out = 0;
    int32_t status = ir_catalog_may_write(catalog, error);
    if (status)
        return status;
    ir_statement_start(&statement, &catalog->writer, IR_SQL_OBJECT_COUNT, "counting regions");
    ir_statement_bind_int(&statement, id);
    status = ir_statement_step(&statement, &row, error);
    if (!status && row)
        status = ir_statement_int(&statement, 0, 0, IR_REGION_OBJECTS_MAX, &count, error);
    ir_statement_end(&statement);
    *out = (uint32_t)count;
    return status;
}

/* ---- reading ---- */

static int32_t read_object(ir_statement *statement, ir_catalog_object *out, imgret_error *error)
{
    uint32_t *const fields[] = {&out->x, &out->y, &out->width, &out->height};
    int32_t status = IMGRET_OK;
    for (int i = 0; i < 4 && !status; i++) {
        int64_t value = 0;
        status = ir_statement_int(statement, 2 + i, 0, UINT32_MAX, &value, error);
        *fields[i] = (uint32_t)value;
    }
    if (!status)
        status = ir_statement_text(statement, 6, true, &out->label, error);
    if (!status)
        status = ir_statement_real(statement, 7, false, &out->score, error);
    return status;
}

static int32_t read_region(ir_statement *statement, ir_catalog_region *out, imgret_error *error)
{
    int64_t ordinal = 0;
    *out = (ir_catalog_region){0};
    int32_t status = ir_statement_int(statement, 0, 1, INT64_MAX, &out->id, error);
    if (!status)
        status = ir_statement_int(statement, 1, 0, IR_REGION_OBJECTS_MAX, &ordinal, error);
    out->ordinal = (uint32_t)ordinal;
    return status ? status : read_object(statement, &out->object, error);
}

/* Passes on every row of a statement that looks up `key`. */
static int32_t pass_regions(ir_catalog *catalog, ir_sql sql, int64_t key, uint64_t *position,
                            ir_catalog_region_fn on_region, void *context, imgret_error *error)
{
    ir_statement statement;
    bool row;
    ir_catalog_region region;
    ir_statement_start(&statement, &catalog->reader, sql, "reading a region");
    ir_statement_bind_int(&statement, key);
    int32_t status = ir_statement_step(&statement, &row, error);
    while (!status && row) {
        status = read_region(&statement, &region, error);
        if (!status)
            status = on_region(context, (*position)++, &region, error);
        if (!status)
            status = ir_statement_step(&statement, &row, error);
    }
    ir_statement_end(&statement);
    return status;
}

int32_t ir_catalog_boxes_of_regions(ir_catalog *catalog, const int64_t *regions, uint64_t count,
                                    ir_catalog_region_fn on_region, void *context,
                                    imgret_error *error)
{
    int32_t status = ir_catalog_begin_read(catalog, error);
    if (status)
        return status;
    for (uint64_t i = 0; i < count && !status; i++) {
        uint64_t position = i;
        status = pass_regions(catalog, IR_SQL_REGION, regions[i], &position, on_region, context,
                              error);
    }
    ir_catalog_end_read(catalog);
    return status;
}

int32_t ir_catalog_regions_of_image(ir_catalog *catalog, int64_t id, ir_catalog_region_fn on_region,
                                    void *context, imgret_error *error)
{
    int32_t status = ir_catalog_begin_read(catalog, error);
    if (status)
        return status;
    uint64_t count = 0;
    status = pass_regions(catalog, IR_SQL_REGIONS_OF_IMAGE, id, &count, on_region, context, error);
    ir_catalog_end_read(catalog);
    if (!status && count == 0)
        status = ir_fail(error, IMGRET_NOT_FOUND, "no image with a vector has id %lld",
                         (long long)id);
    return status;
}
