/* decode.c: the front of the room: limits, the decoder of a format, orientation. */
#include "decode/decode.h"

#include "base/alloc.h"
#include "base/error.h"
#include "decode/codec.h"

#include <string.h>

#define DIMENSION_MAX_DEFAULT 65535u
#define FILE_BYTES_MAX_DEFAULT ((uint64_t)256 << 20)
#define PIXEL_COUNT_MAX_DEFAULT ((uint64_t)128 << 20)

/* A format without a function is known by name and refused by name. */
static const struct {
    const char *format;
    ir_decode_fn *decode;
} decoders[] = {
#if IR_WITH_TURBOJPEG
    {"jpeg", ir_decode_jpeg},
#else
    {"jpeg", ir_decode_stb},
#endif
#if IR_WITH_PNG
    {"png", ir_decode_png},
#else
    {"png", ir_decode_stb},
#endif
#if IR_WITH_WEBP
    {"webp", ir_decode_webp},
#endif
    {"bmp", ir_decode_bmp},   {"gif", ir_decode_stb}, {"tga", ir_decode_stb},
    {"psd", ir_decode_stb},   {"hdr", ir_decode_stb}, {"pnm", ir_decode_pnm},
};

ir_decode_fn *ir_decode_decoder(const char *format)
{
    for (size_t i = 0; i < sizeof decoders / sizeof decoders[0]; i++)
        if (strcmp(decoders[i].format, format) == 0)
            return decoders[i].decode;
    return NULL;
}

int32_t ir_decode_limits(imgret_limits *out, const imgret_limits *given, imgret_error *error)
{
    int32_t status = ir_options_read(out, sizeof *out, sizeof *out, given, "imgret_limits", error);
    if (status)
        return status;
    if (out->dimension_max == 0)
        out->dimension_max = DIMENSION_MAX_DEFAULT;
    if (out->file_bytes_max == 0)
        out->file_bytes_max = FILE_BYTES_MAX_DEFAULT;
    if (out->pixel_count_max == 0)
        out->pixel_count_max = PIXEL_COUNT_MAX_DEFAULT;
    return IMGRET_OK;
}

int32_t ir_decode_check_size(const ir_decode_job *job, uint64_t width, uint64_t height,
                             ir_picture *out, imgret_error *error)
{
    const imgret_limits *limits = job->limits;
    unsigned long long wide = width, high = height;
    if (width == 0 || height == 0)
        return ir_fail(error, IMGRET_BAD_IMAGE, "%s: an empty picture, %llu x %llu pixels",
                       job->format, wide, high);
    if (width > limits->dimension_max || height > limits->dimension_max)
        return ir_fail(error, IMGRET_LIMIT, "%s: %llu x %llu pixels, the limit is %u a side",
                       job->format, wide, high, limits->dimension_max);
    if (width * height > limits->pixel_count_max) /* both fit in 32 bits here */
        return ir_fail(error, IMGRET_LIMIT, "%s: %llu x %llu pixels, the limit is %llu in all",
                       job->format, wide, high, (unsigned long long)limits->pixel_count_max);
    out->source_width = (uint32_t)width;
    out->source_height = (uint32_t)height;
    return IMGRET_OK;
}

int32_t ir_decode_allocate(const ir_decode_job *job, uint32_t width, uint32_t height,
                           ir_picture *out, imgret_error *error)
{
    size_t pixel_count;
    out->width = width;
    out->height = height;
    out->rgb = NULL;
    if (ir_mul_size(width, height, &pixel_count))
        out->rgb = ir_malloc_array(pixel_count, 3);
    if (!out->rgb)
        return ir_fail(error, IMGRET_NO_MEMORY, "%s: no memory for %u x %u pixels", job->format,
                       width, height);
    return IMGRET_OK;
}

uint32_t ir_decode_eighths(const ir_decode_job *job, uint32_t width, uint32_t height)
{
    if (job->width_min == 0 || job->height_min == 0)
        return 8;
    uint32_t eighths = 1;
    while (eighths < 8 && (ir_decode_scaled(width, eighths) < job->width_min ||
                           ir_decode_scaled(height, eighths) < job->height_min))
        eighths++;
    return eighths;
}

static int32_t decode_upright(const ir_decode_options *options, ir_decode_job *job,
                              ir_decode_fn *decode, ir_picture *out, imgret_error *error)
{
    uint32_t orientation = ir_decode_orientation(job->format, job->data, job->bytes);
    bool is_lying = orientation >= 5;
    job->width_min = is_lying ? options->height_min : options->width_min;
    job->height_min = is_lying ? options->width_min : options->height_min;
    int32_t status = decode(job, out, error);
    return status ? status : ir_decode_turn(out, orientation, error);
}

int32_t ir_decode(const uint8_t *data, size_t bytes, const ir_decode_options *options,
                  ir_picture *out, imgret_error *error)
{
    memset(out, 0, sizeof *out);
    if (bytes > options->limits.file_bytes_max)
        return ir_fail(error, IMGRET_LIMIT, "a picture of %zu bytes, the limit is %llu", bytes,
                       (unsigned long long)options->limits.file_bytes_max);
    bool supported;
    const char *format = ir_decode_sniff(data, bytes, &supported);
    if (!format)
        return ir_fail(error, IMGRET_BAD_IMAGE,
                       "no picture: its %zu bytes begin like no known "
                       "format",
                       bytes);
    if (!supported)
        return ir_fail(error, IMGRET_UNSUPPORTED, "%s: this build has no decoder for this format",
                       format);
    ir_decode_job job = {
        .data = data, .bytes = bytes, .format = format, .limits = &options->limits};
    int32_t status = decode_upright(options, &job, ir_decode_decoder(format), out, error);
    if (status)
        ir_picture_free(out);
    else
        out->format = format;
    return status;
}
