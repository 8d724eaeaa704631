/* pixels.c: raw pixels of every kind to packed RGB over white. */
#include "base/error.h"
#include "decode/codec.h"
#include "decode/decode.h"

#include <string.h>

void ir_decode_flatten(uint8_t *rgb, const uint8_t *from, size_t count, int channels)
{
    if (channels == 3) {
        memcpy(rgb, from, 3 * count);
        return;
    }
    for (size_t i = 0; i < count; i++, rgb += 3, from += channels) {
        if (channels == 4) {
            for (int c = 0; c < 3; c++)
                rgb[c] = ir_decode_over_white(from[c], from[3]);
        } else {
            uint8_t grey = channels == 2 ? ir_decode_over_white(from[0], from[1]) : from[0];
            rgb[0] = rgb[1] = rgb[2] = grey;
        }
    }
}

static void copy_row(uint8_t *rgb, const uint8_t *from, uint32_t width, uint32_t pixel_format)
{
    switch (pixel_format) {
    case IMGRET_PIXELS_RGBA8:
        ir_decode_flatten(rgb, from, width, 4);
        break;
    case IMGRET_PIXELS_GRAY8:
        ir_decode_flatten(rgb, from, width, 1);
        break;
    case IMGRET_PIXELS_BGR8:
        for (uint32_t x = 0; x < width; x++, rgb += 3, from += 3)
            rgb[0] = from[2], rgb[1] = from[1], rgb[2] = from[0];
        break;
    default:
        ir_decode_flatten(rgb, from, width, 3);
    }
}

/* Bytes of a pixel, 0 for a format that does not exist. */
static uint32_t pixel_bytes(uint32_t pixel_format)
{
    static const uint32_t bytes[] = {[IMGRET_PIXELS_RGB8] = 3,
                                     [IMGRET_PIXELS_RGBA8] = 4,
                                     [IMGRET_PIXELS_GRAY8] = 1,
                                     [IMGRET_PIXELS_BGR8] = 3};
    return pixel_format < sizeof bytes / sizeof bytes[0] ? bytes[pixel_format] : 0;
}

/* The distance of rows, when it and the length of `data` fit the picture's size. */
static int32_t check_layout(const imgret_input *input, uint64_t *row_bytes, imgret_error *error)
{
    uint64_t packed = (uint64_t)input->width * pixel_bytes(input->pixel_format);
    uint64_t row = input->row_bytes ? input->row_bytes : packed;
    uint64_t needed;
    if (packed == 0)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "pixels: pixel_format %u does not exist",
                       input->pixel_format);
    if (row < packed)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "pixels: row_bytes %llu is less than the "
                       "%llu bytes of a row",
                       (unsigned long long)row, (unsigned long long)packed);
    /* The last row need not be padded. */
    if (__builtin_mul_overflow(row, (uint64_t)input->height - 1, &needed) ||
        __builtin_add_overflow(needed, packed, &needed) || needed > input->data_bytes)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "pixels: data_bytes %llu is too short for "
                       "%u rows of %llu bytes",
                       (unsigned long long)input->data_bytes, input->height,
                       (unsigned long long)row);
    if (!input->data)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "pixels: data is NULL");
    *row_bytes = row;
    return IMGRET_OK;
}

int32_t ir_decode_pixels(const imgret_input *input, const imgret_limits *limits, ir_picture *out,
                         imgret_error *error)
{
    memset(out, 0, sizeof *out);
    if (input->width == 0 || input->height == 0)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "pixels: an empty picture, %u x %u",
                       input->width, input->height);
    ir_decode_job job = {.format = "pixels", .limits = limits};
    uint64_t row_bytes = 0;
    int32_t status = ir_decode_check_size(&job, input->width, input->height, out, error);
    if (!status)
        status = check_layout(input, &row_bytes, error);
    if (!status)
        status = ir_decode_allocate(&job, input->width, input->height, out, error);
    if (status) {
        ir_picture_free(out);
        return status;
    }
    for (uint32_t y = 0; y < input->height; y++)
        copy_row(out->rgb + (size_t)3 * input->width * y,
                 (const uint8_t *)input->data + row_bytes * y, input->width, input->pixel_format);
    out->format = "pixels";
    return IMGRET_OK;
}
