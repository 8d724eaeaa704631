/* resize.c: antialiased bilinear and bicubic resizing in PIL's fixed-point arithmetic.
 *
 * As in PIL (Image.resize on mode RGB) a horizontal pass comes first and rounds to 8 bits, then a
 * vertical one. Each result pixel is a weighted sum of the source pixels under the filter, which is
 * widened by the scale when shrinking. Weights are computed in double, normalised, then rounded to
 * IR_TAP_BITS fractional bits, so that the sums are exact and the same on every machine.
 *
 * The horizontal pass runs just ahead of the vertical one, into a ring of as many rows as a result
 * row can look at: a source of any height costs no more memory, and rows no result needs are never
 * touched.
 */
#include "extract/resize.h"

#include "base/alloc.h"
#include "base/error.h"
#include "kernels/pixel_kernels.h"

#include <imgret/backend.h>

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* One side's weights: result pixel i is the sum of source pixels by taps i. */
typedef struct side_weights {
    ir_taps taps;
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
    ir_free(side->taps.first);
    ir_free(side->taps.count);
    ir_free(side->taps.weights);
    ir_free(side->taps.halves);
}

/* Where result pixel `position` looks, and its weights; `exact` is scratch of `stride` doubles. */
static void fill_weights(ir_taps *taps, uint32_t at, double position, double scale, double reach,
                         uint32_t source, bool cubic, double *exact)
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
    int32_t *weights = taps->weights + (size_t)at * taps->stride;
    for (uint32_t i = 0; i < taps->stride; i++) {
        double weight = i >= end - first ? 0.0 : sum != 0.0 ? exact[i] / sum : exact[i];
        weight *= (double)(1 << IR_TAP_BITS);
        weights[i] = (int32_t)(weight < 0.0 ? weight - 0.5 : weight + 0.5);
    }
    taps->first[at] = first;
    taps->count[at] = end - first;
    ir_taps_halve(taps, at);
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
    ir_taps *taps = &side->taps;
    taps->stride = (size_t)ceil(reach) * 2 + 1; /* the largest count there can be */
    taps->stride += (IR_TAP_GROUP - taps->stride % IR_TAP_GROUP) % IR_TAP_GROUP;
    double *exact = ir_malloc_array(taps->stride, sizeof *exact);
    taps->first = ir_malloc_array(length, sizeof *taps->first);
    taps->count = ir_malloc_array(length, sizeof *taps->count);
    if (ir_mul_size(taps->stride, length, &count)) {
        taps->weights = ir_malloc_array(count, sizeof *taps->weights);
        taps->halves = ir_malloc_array(count, 2 * sizeof *taps->halves);
    }
    int32_t status = IMGRET_OK;
    if (!exact || !taps->first || !taps->count || !taps->weights || !taps->halves)
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory to resize a side of %u pixels to %u",
                         source, scaled);
    for (uint32_t i = 0; i < length && !status; i++)
        fill_weights(taps, i, (double)start + (double)i, scale, reach, source, cubic, exact);
    ir_free(exact);
    return status;
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

/* Everything two passes share. */
typedef struct passes {
    const ir_resize *resize;
    const ir_pixel_kernels *kernels;
    side_weights across, down;
    row_ring ring;
    const uint8_t **rows; /* as many as the ring has: those of one sum */
} passes;

/* Source row `y` into the ring. */
static void pass_across(const passes *p, const uint8_t *rgb, uint32_t y)
{
    const ir_resize *resize = p->resize;
    size_t source_bytes = 3 * (size_t)resize->source_width;
    const uint8_t *row = rgb + y * source_bytes;
    uint8_t *out = p->ring.rows + (size_t)(y % p->ring.row_count) * p->ring.row_bytes;
    if (p->across.is_identity)
        memcpy(out, row + 3 * (size_t)resize->left, p->ring.row_bytes);
    else
        p->kernels->blend_across(&p->across.taps, resize->width, row,
                                 (resize->source_height - y) * source_bytes, out);
}

static void run_passes(passes *p, const uint8_t *rgb, uint8_t *out)
{
    row_ring *ring = &p->ring;
    const ir_taps *down = &p->down.taps;
    for (uint32_t y = 0; y < p->resize->height; y++, out += ring->row_bytes) {
        uint32_t first = p->down.is_identity ? p->resize->top + y : down->first[y];
        uint32_t count = p->down.is_identity ? 1 : down->count[y];
        if (ring->next < first)
            ring->next = first;
        for (; ring->next < first + count; ring->next++)
            pass_across(p, rgb, ring->next);
        for (uint32_t j = 0; j < count; j++)
            p->rows[j] = ring_row(ring, first + j);
        if (p->down.is_identity)
            memcpy(out, p->rows[0], ring->row_bytes);
        else
            p->kernels->blend_down(down, y, p->rows, ring->row_bytes, out);
    }
}

int32_t ir_resize_rgb(const ir_resize *resize, const uint8_t *rgb, uint8_t *out,
                      imgret_error *error)
{
    passes p = {.resize = resize,
                .kernels = ir_pixel_kernels_get(),
                .ring = {.row_bytes = 3 * (size_t)resize->width}};
    row_ring *ring = &p.ring;
    int32_t status = side_create(&p.across, resize->source_width, resize->scaled_width,
                                 resize->left, resize->width, resize->filter, error);
    if (status)
        goto out;
    status = side_create(&p.down, resize->source_height, resize->scaled_height, resize->top,
                         resize->height, resize->filter, error);
    if (status)
        goto out;
    ring->row_count = (uint32_t)p.down.taps.stride;
    if (ring->row_count > resize->source_height)
        ring->row_count = resize->source_height;
    ring->rows = ir_malloc_array(ring->row_count, ring->row_bytes);
    p.rows = ir_malloc_array(ring->row_count, sizeof *p.rows);
    if (!ring->rows || !p.rows)
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u rows of %u pixels to resize",
                         ring->row_count, resize->width);
    else
        run_passes(&p, rgb, out);
out:
    ir_free(p.rows);
    ir_free(ring->rows);
    side_free(&p.down);
    side_free(&p.across);
    return status;
}
