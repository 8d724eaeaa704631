/* add.c: putting one image in, changing and removing it. */
#include "engine/add.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "engine/features.h"
#include "engine/objects.h"
#include "engine/source.h"

#include <string.h>

static bool same_content(const ir_catalog_known *known, const ir_catalog_image *image)
{
    return known->id != 0 && known->state == IMGRET_STATE_STORED &&
           memcmp(known->content_hash, image->content_hash, sizeof known->content_hash) == 0;
}

static int32_t keep_unchanged(ir_database *database, const ir_catalog_image *image,
                              const ir_catalog_known *known, imgret_error *error)
{
    /* What can be refused comes first: within a host's transaction nothing else would undo it. */
    int32_t status = IMGRET_OK;
    if (image->metadata)
        status = ir_catalog_set_metadata(database->catalog, known->id, image->metadata, error);
    if (!status &&
        (image->file_bytes != known->file_bytes || image->modified_ns != known->modified_ns))
        status = ir_catalog_touch(database->catalog, known->id, image->file_bytes,
                                  image->modified_ns, error);
    return status;
}

int32_t ir_add_count_objects(ir_database *database, int64_t id, ir_region_change *change,
                             imgret_error *error)
{
    if (!database->regions || id == 0)
        return IMGRET_OK;
    return ir_catalog_object_count(database->catalog, id, &change->objects_removed, error);
}

int32_t ir_add_store(ir_database *database, const ir_catalog_image *image, int32_t *outcome,
                     int64_t *id, ir_region_change *change, imgret_error *error)
{
    memset(change, 0, sizeof *change);
    ir_catalog_known known = {0};
    int32_t status = IMGRET_OK;
    if (image->uri)
        status = ir_catalog_find(database->catalog, image->uri, true, &known, error);
    if (status)
        return status;
    *id = known.id;
    if (same_content(&known, image)) {
        *outcome = IMGRET_UNCHANGED;
        return keep_unchanged(database, image, &known, error);
    }
    if (!image->vector) {
        *outcome = 0;
        return IMGRET_OK;
    }
    *outcome = known.id && known.state == IMGRET_STATE_STORED ? IMGRET_REPLACED : IMGRET_STORED;
    status = ir_add_count_objects(database, known.id, change, error);
    if (!status)
        status = ir_catalog_store(database->catalog, image, known.id, id, &change->added,
                                  &change->removed, error);
    change->vector = image->vector;
    change->objects_added = image->object_count;
    return status;
}

/* Stores one image in a transaction of its own. */
static int32_t store_alone(ir_database *database, const ir_catalog_image *image, int32_t *outcome,
                           int64_t *id, imgret_error *error)
{
    int32_t status = ir_database_begin(database, error);
    if (status)
        return status;
    ir_region_change change;
    status = ir_add_store(database, image, outcome, id, &change, error);
    if (status) {
        ir_database_rollback(database);
        return status;
    }
    return ir_database_commit(database, &change, 1, error);
}

/* Vectors are hashed as they are stored, so that the same vector given twice is unchanged. */
static int32_t add_vector(ir_database *database, const imgret_input *input, ir_catalog_image *image,
                          void **out, imgret_add_result *result, imgret_error *error)
{
    if (input->dimension != database->dimension)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "the vector has %u dimensions, %s needs %u",
                       input->dimension, database->path, database->dimension);
    int32_t status = ir_objects_encode(database, input->vector, 1, out, error);
    if (status)
        return status;
    image->format = "vector";
    image->vector = *out;
    ir_content_hash(image->vector, image->vector_bytes, image->content_hash);
    return store_alone(database, image, &result->outcome, &result->id, error);
}

/* Fills `image` with what the picture is and holds; `objects` and *out, the vectors as stored, are
 * what it points to. */
static int32_t extract_picture(ir_database *database, const ir_source *source,
                               ir_catalog_image *image, ir_objects *objects, void **out,
                               ir_look *look, imgret_error *error)
{
    float *vectors = NULL;
    ir_analyzer *analyzer = NULL;
    ir_source_picture picture = {.look = look, .analyzer = &analyzer};
    int32_t status = ir_objects_of(database, source, &vectors, objects, &picture, error);
    if (!status)
        status = ir_objects_encode(database, vectors, 1 + objects->count, out, error);
    ir_free(vectors);
    ir_analyzer_free(analyzer);
    image->vector = *out;
    image->width = picture.width;
    image->height = picture.height;
    image->format = picture.format ? picture.format : "";
    image->attributes = ir_look_attributes(look);
    image->label = look->label[0] ? look->label : NULL;
    image->label_score = (double)look->label_score;
    image->objects = objects->items;
    image->object_count = objects->count;
    return status;
}

/* Whether `source` is what the catalogue has under this uri already: then nothing is extracted. */
static int32_t is_known(ir_database *database, const ir_catalog_image *image, bool *out,
                        imgret_error *error)
{
    ir_catalog_known known = {0};
    *out = false;
    if (!image->uri)
        return IMGRET_OK;
    int32_t status = ir_catalog_find(database->catalog, image->uri, false, &known, error);
    *out = !status && same_content(&known, image);
    return status;
}

static int32_t describe_file(const imgret_input *input, ir_catalog_image *image,
                             imgret_error *error)
{
    ir_file_info info;
    int32_t status = ir_file_stat(input->path, &info, error);
    if (!status)
        image->modified_ns = info.modified_ns;
    return status;
}

/* Content that is known already is not extracted, only noted; should another thread or process
 * change the image in that very moment, it is extracted after all. */
static int32_t add_picture(ir_database *database, const imgret_input *input,
                           ir_catalog_image *image, void **out, imgret_add_result *result,
                           imgret_error *error)
{
    ir_source source;
    ir_objects objects = {0};
    int32_t status = input->kind == IMGRET_INPUT_FILE ? describe_file(input, image, error)
                                                      : IMGRET_OK;
    if (!status)
        status = ir_source_open(&source, input, &database->limits, database->isolation, error);
    if (status)
        return status;
    memcpy(image->content_hash, source.content_hash, sizeof image->content_hash);
    image->file_bytes = source.data_bytes;
    ir_regions_zoom(database->regions, &source.zoom_columns, &source.zoom_rows);
    bool known;
    ir_look look = {0};
    status = is_known(database, image, &known, error);
    if (!status && known)
        status = store_alone(database, image, &result->outcome, &result->id, error);
    if (!status && (!known || result->outcome == 0)) {
        status = extract_picture(database, &source, image, &objects, out, &look, error);
        if (!status)
            status = store_alone(database, image, &result->outcome, &result->id, error);
    }
    ir_objects_free(&objects);
    ir_source_close(&source);
    return status;
}

int32_t ir_add(ir_database *database, const imgret_input *input, const imgret_add_options *options,
               imgret_add_result *result, imgret_error *error)
{
    if (database->read_only)
        return ir_fail(error, IMGRET_READ_ONLY, "%s is open for reading only", database->path);
    ir_catalog_image image = {
        .uri = options->uri,
        .metadata = options->metadata,
        .format = "",
        .vector_bytes = ir_delta_vector_bytes(database->delta),
        .spaced = database->regions != NULL,
    };
    char *path = NULL;
    void *stored = NULL;
    int32_t status = IMGRET_OK;
    if (input->kind == IMGRET_INPUT_FILE && !image.uri) {
        status = ir_path_absolute(input->path, &path, error);
        image.uri = path;
    }
    if (!status)
        status = input->kind == IMGRET_INPUT_VECTOR
                     ? add_vector(database, input, &image, &stored, result, error)
                     : add_picture(database, input, &image, &stored, result, error);
    ir_free(stored);
    ir_free(path);
    return status;
}

int32_t ir_remove(ir_database *database, int64_t id, imgret_error *error)
{
    int32_t status = ir_database_begin(database, error);
    if (status)
        return status;
    ir_region_change change = {0};
    status = ir_add_count_objects(database, id, &change, error);
    if (!status)
        status = ir_catalog_remove(database->catalog, id, &change.removed, error);
    if (status) {
        ir_database_rollback(database);
        return status;
    }
    return ir_database_commit(database, &change, 1, error);
}

int32_t ir_set_metadata(ir_database *database, int64_t id, const char *metadata,
                        imgret_error *error)
{
    int32_t status = ir_database_begin(database, error);
    if (status)
        return status;
    status = ir_catalog_set_metadata(database->catalog, id, metadata, error);
    if (status) {
        ir_database_rollback(database);
        return status;
    }
    return ir_database_commit(database, NULL, 0, error);
}

int32_t ir_set_label(ir_database *database, int64_t id, const char *label, double score,
                     imgret_error *error)
{
    int32_t status = ir_database_begin(database, error);
    if (status)
        return status;
    status = ir_catalog_set_label(database->catalog, id, label, score, error);
    if (status) {
        ir_database_rollback(database);
        return status;
    }
    return ir_database_commit(database, NULL, 0, error);
}
