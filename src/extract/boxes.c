/* boxes.c: parts of a picture: where they are, and their pixels. */
#include "extract/boxes.h"

#include "base/alloc.h"
#include "base/error.h"

#include <math.h>
#include <string.h>

static double between(double value, double least, double most)
{
    return value < least ? least : value > most ? most : value;
}

bool ir_box_within(ir_box *box, double left, double top, double right, double bottom,
                   uint32_t width, uint32_t height)
{
    if (!isfinite(left) || !isfinite(top) || !isfinite(right) || !isfinite(bottom))
        return false;
    left = floor(between(left, 0, width));
    top = floor(between(top, 0, height));
    right = ceil(between(right, 0, width));
    bottom = ceil(between(bottom, 0, height));
    if (right <= left || bottom <= top)
        return false;
    box->x = (uint32_t)left;
    box->y = (uint32_t)top;
    box->width = (uint32_t)(right - left);
    box->height = (uint32_t)(bottom - top);
    return true;
}

void ir_box_centre(ir_box *out, uint32_t width, uint32_t height, double share)
{
    uint32_t inner_width = (uint32_t)(width * share + 0.5);
    uint32_t inner_height = (uint32_t)(height * share + 0.5);
    inner_width = inner_width ? inner_width : 1;
    inner_height = inner_height ? inner_height : 1;
    *out = (ir_box){(width - inner_width) / 2,
                    (height - inner_height) / 2,
                    inner_width,
                    inner_height,
                    IR_BOX_UNLABELLED,
                    1.0};
}

static uint32_t cut(uint32_t length, uint32_t part, uint32_t parts)
{
    return (uint32_t)((uint64_t)length * part / parts);
}

uint32_t ir_box_grid(ir_box *out, uint32_t width, uint32_t height, uint32_t columns, uint32_t rows)
{
    uint32_t count = 0;
    for (uint32_t row = 0; row < rows; row++)
        for (uint32_t column = 0; column < columns; column++) {
            uint32_t x = cut(width, column, columns), y = cut(height, row, rows);
            ir_box box = {x,
                          y,
                          cut(width, column + 1, columns) - x,
                          cut(height, row + 1, rows) - y,
                          IR_BOX_UNLABELLED,
                          1.0};
            if (box.width > 0 && box.height > 0)
                out[count++] = box;
        }
    return count;
}

static double weight_of(const ir_box *box)
{
    return box->score * (double)box->width * (double)box->height;
}

/* Twice the distance of the middles, squared. */
static double distance_of(const ir_box *box, uint32_t width, uint32_t height)
{
    double x = 2.0 * box->x + box->width - width, y = 2.0 * box->y + box->height - height;
    return x * x + y * y;
}

uint32_t ir_box_main(const ir_box *boxes, uint32_t count, uint32_t width, uint32_t height)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < count; i++) {
        double weight = weight_of(&boxes[i]), most = weight_of(&boxes[best]);
        if (weight > most || (weight == most && distance_of(&boxes[i], width, height) <
                                                    distance_of(&boxes[best], width, height)))
            best = i;
    }
    return best;
}

int32_t ir_box_crop(const ir_picture *picture, const ir_box *box, ir_picture *out,
                    imgret_error *error)
{
    memset(out, 0, sizeof *out);
    double across = (double)picture->width / picture->source_width;
    double down = (double)picture->height / picture->source_height;
    ir_box here;
    if (!ir_box_within(&here, box->x * across, box->y * down,
                       ((double)box->x + box->width) * across,
                       ((double)box->y + box->height) * down, picture->width, picture->height))
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "a box of %u x %u pixels at %u,%u is outside a picture of %u x %u",
                       box->width, box->height, box->x, box->y, picture->source_width,
                       picture->source_height);
    size_t row_bytes = 3 * (size_t)here.width, bytes;
    if (ir_mul_size(row_bytes, here.height, &bytes))
        out->rgb = ir_malloc(bytes);
    if (!out->rgb)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a part of a picture");
    const uint8_t *from = picture->rgb + 3 * ((size_t)here.y * picture->width + here.x);
    for (uint32_t row = 0; row < here.height; row++)
        memcpy(out->rgb + row * row_bytes, from + 3 * (size_t)row * picture->width, row_bytes);
    out->width = out->source_width = here.width;
    out->height = out->source_height = here.height;
    out->format = picture->format;
    return IMGRET_OK;
}
