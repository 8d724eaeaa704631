/* alter.c: copies of a picture as people make them: smaller, cut, lighter. */
#include "analyze/alter.h"

#include "base/alloc.h"
#include "base/error.h"

#include <math.h>
#include <string.h>

enum { CHANNELS = 3, HALF_LEAST = 4, CUT_LEAST = 20, CUT_PART = 20 };

#define GAMMA 1.3

static void halve(const ir_picture *picture, ir_picture *out)
{
    size_t row = (size_t)CHANNELS * picture->width;
    for (uint32_t y = 0; y < out->height; y++)
        for (uint32_t x = 0; x < out->width; x++) {
            const uint8_t *from = picture->rgb + 2 * y * row + (size_t)2 * CHANNELS * x;
            uint8_t *to = out->rgb + ((size_t)y * out->width + x) * CHANNELS;
            for (int c = 0; c < CHANNELS; c++)
                to[c] = (uint8_t)((from[c] + from[c + CHANNELS] + from[row + (size_t)c] +
                                   from[row + CHANNELS + (size_t)c] + 2) /
                                  4);
        }
}

static void cut(const ir_picture *picture, ir_picture *out)
{
    size_t left = (picture->width - out->width) / 2, top = (picture->height - out->height) / 2;
    for (uint32_t y = 0; y < out->height; y++)
        memcpy(out->rgb + (size_t)CHANNELS * out->width * y,
               picture->rgb + CHANNELS * (picture->width * (top + y) + left),
               (size_t)CHANNELS * out->width);
}

static void lighten(const ir_picture *picture, ir_picture *out)
{
    uint8_t table[256];
    for (int i = 0; i < 256; i++)
        table[i] = (uint8_t)(255 * pow(i / 255.0, 1 / GAMMA) + 0.5);
    size_t bytes = (size_t)CHANNELS * picture->width * picture->height;
    for (size_t i = 0; i < bytes; i++)
        out->rgb[i] = table[picture->rgb[i]];
}

static uint32_t side_of(uint32_t side, ir_alteration how)
{
    if (how == IR_ALTER_HALF)
        return side >= HALF_LEAST ? side / 2 : side;
    if (how == IR_ALTER_CUT)
        return side >= CUT_LEAST ? side - 2 * (side / CUT_PART) : side;
    return side;
}

int32_t ir_alter(const ir_picture *picture, ir_alteration how, ir_picture *out, imgret_error *error)
{
    *out = *picture;
    out->width = side_of(picture->width, how);
    out->height = side_of(picture->height, how);
    if (how == IR_ALTER_HALF && (out->width == picture->width || out->height == picture->height)) {
        how = IR_ALTER_NOTHING;
        out->width = picture->width;
        out->height = picture->height;
    }
    out->source_width = out->width;
    out->source_height = out->height;
    size_t bytes = (size_t)CHANNELS * out->width * out->height; /* fewer than are in memory */
    out->rgb = ir_malloc(bytes);
    if (!out->rgb)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u x %u pixels", out->width,
                       out->height);
    if (how == IR_ALTER_HALF)
        halve(picture, out);
    else if (how == IR_ALTER_CUT)
        cut(picture, out);
    else if (how == IR_ALTER_LIGHTER)
        lighten(picture, out);
    else
        memcpy(out->rgb, picture->rgb, bytes);
    return IMGRET_OK;
}
