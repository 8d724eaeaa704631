/* features.c: one picture's vector: remembered, or extracted. */
#include "engine/features.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"

#include <string.h>

/* A file and its bytes are the same picture; pixels are one only together with their shape. */
ir_feature_key ir_features_key(const ir_database *database, const ir_source *source)
{
    struct {
        uint8_t content[16];
        uint8_t extractor[16];
        uint64_t bytes, row_bytes;
        uint32_t pixels, width, height, format;
    } parts;
    memset(&parts, 0, sizeof parts); /* padding is hashed too */
    memcpy(parts.content, source->content_hash, sizeof parts.content);
    ir_content_hash(database->identity, strlen(database->identity), parts.extractor);
    parts.bytes = source->data_bytes;
    const imgret_input *input = source->input;
    if (input->kind == IMGRET_INPUT_PIXELS) {
        parts.pixels = 1;
        parts.row_bytes = input->row_bytes;
        parts.width = input->width;
        parts.height = input->height;
        parts.format = input->pixel_format;
    }
    ir_feature_key key;
    ir_content_hash(&parts, sizeof parts, key.bytes);
    return key;
}

static int32_t extract(ir_database *database, ir_extractor *extractor, const ir_source *source,
                       float *vector, ir_label *label, ir_source_picture *picture,
                       imgret_error *error)
{
    uint8_t *prepared = ir_malloc(ir_extractor_input_bytes(extractor));
    if (!prepared)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to prepare a picture");
    int32_t status = ir_source_prepare(source, extractor, &database->limits, prepared, picture,
                                       error);
    ir_extract_job job = {
        .prepared = prepared,
        .count = 1,
        .out = vector,
        .labels = label,
        .stop = ir_call_current_stopped,
    };
    if (!status)
        status = ir_extractor_run_job(extractor, &job, error);
    ir_free(prepared);
    return status;
}

static void fill(ir_source_picture *picture, const ir_feature_picture *known)
{
    picture->width = known->width;
    picture->height = known->height;
    picture->format = known->format;
}

/* What is remembered is the vector and the class alone. */
static int32_t look_again(ir_database *database, ir_extractor *extractor, const ir_source *source,
                          const ir_feature_picture *known, ir_source_picture *picture,
                          imgret_error *error)
{
    int32_t status = ir_source_prepare(source, NULL, &database->limits, NULL, picture, error);
    ir_label label = {known->label, known->label_score};
    if (!status && known->has_label)
        ir_look_set_label(picture->look, extractor, &label);
    return status;
}

static int32_t extract_and_keep(ir_database *database, ir_extractor *extractor,
                                const ir_source *source, const ir_feature_key *key, float *vector,
                                ir_source_picture *picture, imgret_error *error)
{
    ir_source_picture found = picture ? *picture : (ir_source_picture){0};
    ir_label label = {0};
    bool has_labels = ir_extractor_get_info(extractor)->has_labels;
    int32_t status = extract(database, extractor, source, vector, has_labels ? &label : NULL,
                             &found, error);
    if (!status) {
        ir_feature_picture known = {.width = found.width,
                                    .height = found.height,
                                    .format = found.format,
                                    .has_label = has_labels,
                                    .label = label.index,
                                    .label_score = label.score};
        if (has_labels && found.look)
            ir_look_set_label(found.look, extractor, &label);
        ir_feature_cache_keep(database->features, key, vector, database->dimension, &known);
    }
    if (picture)
        *picture = found;
    return status;
}

/* A picture that is stored gets its class: one remembered without, from before a model with labels
 * was loaded, is extracted again. */
int32_t ir_features_of(ir_database *database, const ir_source *source, float *vector,
                       ir_source_picture *picture, imgret_error *error)
{
    ir_feature_key key = ir_features_key(database, source);
    ir_feature_picture known;
    bool remembered = ir_feature_cache_find(database->features, &key, vector, database->dimension,
                                            &known);
    if (remembered && picture)
        fill(picture, &known);
    if (remembered && (!picture || !picture->look))
        return IMGRET_OK;
    ir_extractor *extractor;
    int32_t status = ir_database_extractor(database, &extractor, error);
    if (status)
        return status;
    if (remembered && (known.has_label || !ir_extractor_get_info(extractor)->has_labels))
        status = look_again(database, extractor, source, &known, picture, error);
    else
        status = extract_and_keep(database, extractor, source, &key, vector, picture, error);
    ir_extractor_close(extractor);
    return status;
}
