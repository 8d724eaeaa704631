/* resize.c: antialiased bilinear and bicubic resizing in PIL's fixed-point arithmetic.
 *
 * As in PIL (Image.resize on mode RGB) a horizontal pass comes first and rounds to 8 bits, then a
 * vertical one. Each result pixel is a weighted sum of the source pixels under the filter, which is
 * widened by the scale when shrinking. Weights are computed in double, normalised, then rounded to
 * WEIGHT_BITS fractional bits, so that the sums are exact and the same on every machine.
 *
 * The horizontal pass runs just ahead of the vertical one, into a ring of as many rows as a result
 * row can look at: a source of any height costs no more memory, and rows no result needs are never
 * touched.
 */
#include "extract/resize.h"

#include "base/alloc.h"
#include "base/error.h"

#include <imgret/backend.h>

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* 8 bits of pixel, and 2 for sign and overshoot, leave this many of 32. */
#define WEIGHT_BITS (32 - 8 - 2)

/* One side's weights: result pixel i is the sum of source pixels first[i] ... first[i] + count[i]
 * times weights[i * stride ...]. */
typedef struct side_weights {
    uint32_t *first;
    uint32_t *count;
    int32_t *weights;
    size_t stride; /* the largest count there can be */
    bool is_identity;
} side_weights;

static double bilinear(double x)
{
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

/* Keys' cubic convolution kernel (1981) with a = -0.5. */
static double bicubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1.0)
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
    return x < 2.0 ? (((x - 5.0) * x + 8.0) * x - 4.0) * a : 0.0;
}

static void side_free(side_weights *side)
{
    ir_free(side->first);
    ir_free(side->count);
    ir_free(side->weights);
}

/* Where result pixel `position` looks, and its weights; `exact` is scratch of `stride` doubles. */
static void fill_weights(side_weights *side, uint32_t at, double position, double scale,
                         double reach, uint32_t source, bool cubic, double *exact)
{
    double widening = scale < 1.0 ? 1.0 : scale;
    double centre = (position + 0.5) * scale;
    double low = centre - reach + 0.5, high = centre + reach + 0.5;
    uint32_t first = low < 0.0 ? 0 : (uint32_t)low;
    uint32_t end = high > (double)source ? source : (uint32_t)high;
    double narrowing = 1.0 / widening, sum = 0.0;
    for (uint32_t i = 0; i < end - first; i++) {
        double x = ((double)i + (double)first - centre + 0.5) * narrowing;
        exact[i] = cubic ? bicubic(x) : bilinear(x);
        sum += exact[i];
    }
    int32_t *weights = side->weights + (size_t)at * side->stride;
    for (uint32_t i = 0; i < end - first; i++) {
        double weight = (sum != 0.0 ? exact[i] / sum : exact[i]) * (double)(1 << WEIGHT_BITS);
        weights[i] = (int32_t)(weight < 0.0 ? weight - 0.5 : weight + 0.5);
    }
    side->first[at] = first;
    side->count[at] = end - first;
}

/* Weights of result pixels start ... start + length of a side scaled from `source` to `scaled`.
 * The caller frees the side, also after a failure. */
static int32_t side_create(side_weights *side, uint32_t source, uint32_t scaled, uint32_t start,
                           uint32_t length, uint32_t filter, imgret_error *error)
{
    bool cubic = filter == IMGRET_FILTER_BICUBIC;
    double scale = (double)source / (double)scaled;
    double reach = (cubic ? 2.0 : 1.0) * (scale < 1.0 ? 1.0 : scale);
    size_t count;
    memset(side, 0, sizeof *side);
    side->is_identity = source == scaled;
    side->stride = (size_t)ceil(reach) * 2 + 1;
    double *exact = ir_malloc_array(side->stride, sizeof *exact);
    side->first = ir_malloc_array(length, sizeof *side->first);
    side->count = ir_malloc_array(length, sizeof *side->count);
    if (ir_mul_size(side->stride, length, &count))
        side->weights = ir_malloc_array(count, sizeof *side->weights);
    int32_t status = IMGRET_OK;
    if (!exact || !side->first || !side->count || !side->weights)
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory to resize a side of %u pixels to %u",
                         source, scaled);
    for (uint32_t i = 0; i < length && !status; i++)
        fill_weights(side, i, (double)start + (double)i, scale, reach, source, cubic, exact);
    ir_free(exact);
    return status;
}

static uint8_t round_to_byte(int32_t sum)
{
    int32_t value = sum >> WEIGHT_BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

static void resize_row(const side_weights *across, uint32_t left, uint32_t width,
                       const uint8_t *row, uint8_t *out)
{
    if (across->is_identity) {
        memcpy(out, row + 3 * (size_t)left, 3 * (size_t)width);
        return;
    }
    for (uint32_t i = 0; i < width; i++, out += 3) {
        const uint8_t *pixel = row + 3 * (size_t)across->first[i];
        const int32_t *weights = across->weights + (size_t)i * across->stride;
        int32_t red = 1 << (WEIGHT_BITS - 1), green = red, blue = red;
        for (uint32_t j = 0; j < across->count[i]; j++, pixel += 3) {
            red += pixel[0] * weights[j];
            green += pixel[1] * weights[j];
            blue += pixel[2] * weights[j];
        }
        out[0] = round_to_byte(red);
        out[1] = round_to_byte(green);
        out[2] = round_to_byte(blue);
    }
}

/* The ring of rows between the two passes: source row y stands at y % row_count. */
typedef struct row_ring {
    uint8_t *rows;
    size_t row_bytes;
    uint32_t row_count;
    uint32_t next; /* first source row that is not in it yet */
} row_ring;

static const uint8_t *ring_row(const row_ring *ring, uint32_t y)
{
    return ring->rows + (size_t)(y % ring->row_count) * ring->row_bytes;
}

/* One result row from `count` rows of the ring; `sums` is scratch of a row's length. */
static void blend_rows(const row_ring *ring, uint32_t first, uint32_t count, const int32_t *weights,
                       int32_t *sums, uint8_t *out)
{
    size_t bytes = ring->row_bytes;
    for (size_t i = 0; i < bytes; i++)
        sums[i] = 1 << (WEIGHT_BITS - 1);
    for (uint32_t j = 0; j < count; j++) {
        const uint8_t *row = ring_row(ring, first + j);
        int32_t weight = weights[j];
        for (size_t i = 0; i < bytes; i++)
            sums[i] += row[i] * weight;
    }
    for (size_t i = 0; i < bytes; i++)
        out[i] = round_to_byte(sums[i]);
}

static void run_passes(const ir_resize *resize, const side_weights *across,
                       const side_weights *down, const uint8_t *rgb, row_ring *ring, int32_t *sums,
                       uint8_t *out)
{
    size_t source_row_bytes = 3 * (size_t)resize->source_width;
    for (uint32_t y = 0; y < resize->height; y++, out += ring->row_bytes) {
        uint32_t first = down->is_identity ? resize->top + y : down->first[y];
        uint32_t count = down->is_identity ? 1 : down->count[y];
        if (ring->next < first)
            ring->next = first;
        for (; ring->next < first + count; ring->next++)
            resize_row(across, resize->left, resize->width,
                       rgb + (size_t)ring->next * source_row_bytes,
                       ring->rows + (size_t)(ring->next % ring->row_count) * ring->row_bytes);
        if (down->is_identity)
            memcpy(out, ring_row(ring, first), ring->row_bytes);
        else
            blend_rows(ring, first, count, down->weights + (size_t)y * down->stride, sums, out);
    }
}

int32_t ir_resize_rgb(const ir_resize *resize, const uint8_t *rgb, uint8_t *out,
                      imgret_error *error)
{
    side_weights across, down = {0};
    row_ring ring = {.row_bytes = 3 * (size_t)resize->width};
    int32_t *sums = NULL;
    int32_t status = side_create(&across, resize->source_width, resize->scaled_width, resize->left,
                                 resize->width, resize->filter, error);
    if (status)
        goto out;
    status = side_create(&down, resize->source_height, resize->scaled_height, resize->top,
                         resize->height, resize->filter, error);
    if (status)
        goto out;
    ring.row_count = (uint32_t)down.stride;
    if (ring.row_count > resize->source_height)
        ring.row_count = resize->source_height;
    ring.rows = ir_malloc_array(ring.row_count, ring.row_bytes);
    sums = ir_malloc_array(ring.row_bytes, sizeof *sums);
    if (!ring.rows || !sums)
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u rows of %u pixels to resize",
                         ring.row_count, resize->width);
    else
        run_passes(resize, &across, &down, rgb, &ring, sums, out);
out:
    ir_free(sums);
    ir_free(ring.rows);
    side_free(&down);
    side_free(&across);
    return status;
}
