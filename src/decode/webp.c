/* webp.c: WebP by libwebp: lossy and lossless, alpha over white, an animation's first frame. */
#include "decode/codec.h"

#if IR_WITH_WEBP

#include "base/alloc.h"
#include "base/error.h"

#include <string.h>

#include <webp/decode.h>
#include <webp/demux.h>

static int32_t fail_code(VP8StatusCode code, imgret_error *error)
{
    switch (code) {
    case VP8_STATUS_OUT_OF_MEMORY:
        return ir_fail(error, IMGRET_NO_MEMORY, "webp: no memory for the decoder");
    case VP8_STATUS_SUSPENDED:
    case VP8_STATUS_NOT_ENOUGH_DATA:
        return ir_fail(error, IMGRET_BAD_IMAGE, "webp: cut short");
    case VP8_STATUS_UNSUPPORTED_FEATURE:
        return ir_fail(error, IMGRET_UNSUPPORTED, "webp: a feature that libwebp does not know");
    default:
        return ir_fail(error, IMGRET_BAD_IMAGE, "webp: damaged (libwebp's code %d)", (int)code);
    }
}

/* Decodes a still picture or one frame of `width` x `height` to rows of `row_bytes`. */
static int32_t decode_to(WebPDecoderConfig *config, const uint8_t *data, size_t bytes,
                         uint8_t *rows, uint32_t width, uint32_t height, int channels,
                         imgret_error *error)
{
    size_t row_bytes = (size_t)width * (size_t)channels;
    config->output.colorspace = channels == 4 ? MODE_RGBA : MODE_RGB;
    config->output.is_external_memory = 1;
    config->output.u.RGBA.rgba = rows;
    config->output.u.RGBA.stride = (int)row_bytes;
    config->output.u.RGBA.size = row_bytes * height;
    VP8StatusCode code = WebPDecode(data, bytes, config);
    WebPFreeDecBuffer(&config->output);
    return code == VP8_STATUS_OK ? IMGRET_OK : fail_code(code, error);
}

/* Decodes with alpha into memory of its own and lays it on `out` at (left, top). */
static int32_t decode_alpha(WebPDecoderConfig *config, const uint8_t *data, size_t bytes,
                            uint32_t width, uint32_t height, uint32_t left, uint32_t top,
                            ir_picture *out, imgret_error *error)
{
    size_t row_bytes = (size_t)4 * width;
    uint8_t *rgba = ir_malloc_array(row_bytes, height);
    if (!rgba)
        return ir_fail(error, IMGRET_NO_MEMORY, "webp: no memory for %u x %u pixels", width,
                       height);
    int32_t status = decode_to(config, data, bytes, rgba, width, height, 4, error);
    for (uint32_t y = 0; !status && y < height; y++)
        ir_decode_flatten(out->rgb + 3 * ((size_t)(top + y) * out->width + left),
                          rgba + row_bytes * y, width, 4);
    ir_free(rgba);
    return status;
}

static int32_t decode_still(const ir_decode_job *job, WebPDecoderConfig *config, ir_picture *out,
                            imgret_error *error)
{
    uint32_t width = out->source_width, height = out->source_height;
    uint32_t eighths = ir_decode_eighths(job, width, height);
    if (eighths <= 4) { /* above a half, scaling costs more than it saves */
        width = ir_decode_scaled(width, eighths);
        height = ir_decode_scaled(height, eighths);
        config->options.use_scaling = 1;
        config->options.scaled_width = (int)width;
        config->options.scaled_height = (int)height;
    }
    int32_t status = ir_decode_allocate(job, width, height, out, error);
    if (status)
        return status;
    if (config->input.has_alpha)
        return decode_alpha(config, job->data, job->bytes, width, height, 0, 0, out, error);
    return decode_to(config, job->data, job->bytes, out->rgb, width, height, 3, error);
}

/* The frame lies somewhere on the canvas; around it is white, whatever the file's hint says. */
static int32_t decode_frame(const ir_decode_job *job, const WebPIterator *frame, ir_picture *out,
                            imgret_error *error)
{
    WebPDecoderConfig config;
    if (!WebPInitDecoderConfig(&config))
        return ir_fail(error, IMGRET_INTERNAL, "webp: libwebp of another version");
    uint32_t width = (uint32_t)frame->width, height = (uint32_t)frame->height;
    uint32_t left = (uint32_t)frame->x_offset, top = (uint32_t)frame->y_offset;
    VP8StatusCode code = WebPGetFeatures(frame->fragment.bytes, frame->fragment.size,
                                         &config.input);
    if (code != VP8_STATUS_OK)
        return fail_code(code, error);
    if (config.input.width != frame->width || config.input.height != frame->height ||
        left > out->source_width || width > out->source_width - left || top > out->source_height ||
        height > out->source_height - top)
        return ir_fail(error, IMGRET_BAD_IMAGE, "webp: the first frame exceeds its canvas");
    int32_t status = ir_decode_allocate(job, out->source_width, out->source_height, out, error);
    if (status)
        return status;
    memset(out->rgb, 0xFF, (size_t)3 * out->width * out->height);
    return decode_alpha(&config, frame->fragment.bytes, frame->fragment.size, width, height, left,
                        top, out, error);
}

static int32_t decode_animation(const ir_decode_job *job, ir_picture *out, imgret_error *error)
{
    WebPData data = {job->data, job->bytes};
    WebPIterator frame;
    memset(&frame, 0, sizeof frame);
    WebPDemuxer *demuxer = WebPDemux(&data);
    int32_t status;
    if (!demuxer || !WebPDemuxGetFrame(demuxer, 1, &frame) || !frame.complete)
        status = ir_fail(error, IMGRET_BAD_IMAGE, "webp: a damaged animation");
    else
        status = decode_frame(job, &frame, out, error);
    WebPDemuxReleaseIterator(&frame);
    WebPDemuxDelete(demuxer);
    return status;
}

int32_t ir_decode_webp(const ir_decode_job *job, ir_picture *out, imgret_error *error)
{
    uint64_t riff_bytes = (uint64_t)ir_load_le32(job->data + 4) + 8;
    if (riff_bytes > job->bytes)
        return ir_fail(error, IMGRET_BAD_IMAGE, "webp: cut short, %zu of %llu bytes", job->bytes,
                       (unsigned long long)riff_bytes);
    WebPDecoderConfig config;
    if (!WebPInitDecoderConfig(&config))
        return ir_fail(error, IMGRET_INTERNAL, "webp: libwebp of another version");
    VP8StatusCode code = WebPGetFeatures(job->data, job->bytes, &config.input);
    if (code != VP8_STATUS_OK)
        return fail_code(code, error);
    int32_t status = ir_decode_check_size(job, (uint64_t)config.input.width,
                                          (uint64_t)config.input.height, out, error);
    if (status)
        return status;
    return config.input.has_animation ? decode_animation(job, out, error)
                                      : decode_still(job, &config, out, error);
}

#endif
