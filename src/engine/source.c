/* source.c: from an imgret_input to what the model sees: read, hash, decode, prepare. */
#include "engine/source.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "decode/decode.h"
#include "engine/prepare.h"

#include <stdio.h>
#include <string.h>

/* The first version of the struct: a caller never has less. */
#define INPUT_LEAST_BYTES ((uint32_t)sizeof(imgret_input))

static int32_t check_kind(const imgret_input *input, uint32_t kinds, imgret_error *error)
{
    if (input->kind < IMGRET_INPUT_FILE || input->kind > IMGRET_INPUT_ID)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "imgret_input.kind is %u", input->kind);
    if (!(kinds & (1u << input->kind)))
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "imgret_input.kind %u is not accepted by this call", input->kind);
    return IMGRET_OK;
}

int32_t ir_source_read_input(imgret_input *out, const imgret_input *given, uint32_t kinds,
                             imgret_error *error)
{
    if (!given)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "the input is NULL");
    int32_t status = ir_options_read(out, sizeof *out, INPUT_LEAST_BYTES, given, "imgret_input",
                                     error);
    if (!status)
        status = check_kind(out, kinds, error);
    if (status)
        return status;
    if (out->kind == IMGRET_INPUT_FILE && (!out->path || !out->path[0]))
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "imgret_input.path is empty");
    if ((out->kind == IMGRET_INPUT_BYTES || out->kind == IMGRET_INPUT_PIXELS) &&
        (!out->data || out->data_bytes == 0))
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "imgret_input.data is empty");
    if (out->kind == IMGRET_INPUT_VECTOR && (!out->vector || out->dimension == 0))
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "imgret_input.vector is empty");
    return IMGRET_OK;
}

int32_t ir_source_open(ir_source *out, const imgret_input *input, const imgret_limits *limits,
                       ir_isolation *isolation, imgret_error *error)
{
    memset(out, 0, sizeof *out);
    out->input = input;
    out->isolation = isolation;
    if (input->kind == IMGRET_INPUT_FILE) {
        int32_t status = ir_file_read(input->path, limits->file_bytes_max, &out->owned,
                                      &out->data_bytes, error);
        if (status)
            return status;
        out->data = out->owned;
    } else {
        out->data = input->data;
        out->data_bytes = (size_t)input->data_bytes;
        if (input->kind == IMGRET_INPUT_BYTES && input->data_bytes > limits->file_bytes_max)
            return ir_fail(error, IMGRET_LIMIT, "the picture has %llu bytes, the limit is %llu",
                           (unsigned long long)input->data_bytes,
                           (unsigned long long)limits->file_bytes_max);
    }
    ir_content_hash(out->data, out->data_bytes, out->content_hash);
    return IMGRET_OK;
}

void ir_source_close(ir_source *source)
{
    ir_free(source->owned);
    memset(source, 0, sizeof *source);
}

enum { LOOK_PX_MIN = 160 }; /* a side, when a picture is only looked at: as for `classic` */

static uint32_t zoomed(uint32_t length, uint32_t zoom)
{
    uint64_t wanted = (uint64_t)length * (zoom ? zoom : 1);
    return wanted < UINT32_MAX ? (uint32_t)wanted : UINT32_MAX;
}

/* With `exif`, what the camera wrote is read too. */
static int32_t decode(const ir_source *source, const ir_extractor *extractor,
                      const imgret_limits *limits, ir_picture *out, ir_exif *exif,
                      imgret_error *error)
{
    if (exif)
        ir_decode_exif("", NULL, 0, exif);
    if (source->input->kind == IMGRET_INPUT_PIXELS)
        return ir_decode_pixels(source->input, limits, out, error);
    ir_decode_options options = {.limits = *limits,
                                 .width_min = zoomed(LOOK_PX_MIN, source->zoom_columns),
                                 .height_min = zoomed(LOOK_PX_MIN, source->zoom_rows)};
    if (extractor) {
        const ir_extractor_info *info = ir_extractor_get_info(extractor);
        options.width_min = zoomed(info->decode_width_min, source->zoom_columns);
        options.height_min = zoomed(info->decode_height_min, source->zoom_rows);
    }
    if (source->isolation)
        return ir_isolation_decode(source->isolation, source->data, source->data_bytes, &options,
                                   out, exif, error);
    int32_t status = ir_decode(source->data, source->data_bytes, &options, out, error);
    if (!status && exif)
        ir_decode_exif(out->format, source->data, source->data_bytes, exif);
    return status;
}

int32_t ir_source_decode(const ir_source *source, const ir_extractor *extractor,
                         const imgret_limits *limits, ir_picture *out, imgret_error *error)
{
    return decode(source, extractor, limits, out, NULL, error);
}

const imgret_attributes *ir_look_attributes(ir_look *look)
{
    if (!look->there)
        return NULL;
    const ir_exif *exif = &look->exif;
    imgret_attributes *attributes = &look->attributes;
    attributes->orientation = exif->orientation;
    attributes->latitude = exif->latitude;
    attributes->longitude = exif->longitude;
    attributes->taken_at = exif->taken_at[0] ? exif->taken_at : NULL;
    attributes->camera_make = exif->make[0] ? exif->make : NULL;
    attributes->camera_model = exif->model[0] ? exif->model : NULL;
    return attributes;
}

void ir_look_set_label(ir_look *look, const ir_extractor *extractor, const ir_label *label)
{
    const char *name = ir_extractor_label(extractor, label->index);
    snprintf(look->label, sizeof look->label, "%s", name ? name : "");
    look->label_score = label->score;
}

static int32_t look_at(const ir_picture *picture, ir_analyzer **analyzer, ir_look *out,
                       imgret_error *error)
{
    int32_t status = ir_analyze(analyzer, picture, &out->attributes, error);
    out->there = !status;
    return status;
}

int32_t ir_source_prepare(const ir_source *source, const ir_extractor *extractor,
                          const imgret_limits *limits, uint8_t *prepared, ir_source_picture *out,
                          imgret_error *error)
{
    ir_picture picture = {0};
    int32_t status = decode(source, extractor, limits, &picture,
                            out->look ? &out->look->exif : NULL, error);
    if (!status) {
        out->width = picture.source_width;
        out->height = picture.source_height;
        out->format = picture.format;
        if (extractor)
            status = ir_prepare(extractor, &picture, prepared, error);
    }
    if (!status && out->look) {
        status = look_at(&picture, out->analyzer, out->look, error);
    }
    if (!status && out->on_pixels)
        status = out->on_pixels(out->context, &picture, error);
    ir_picture_free(&picture);
    if (status && source->input->kind == IMGRET_INPUT_FILE)
        return ir_fail_within(error, status, "%s", source->input->path);
    return status;
}
