/* classic_colour.c: which colours there are, on smooth and on busy ground, and where they lie. */
#include "extract/classic_blocks.h"

#include <math.h>
#include <string.h>

#define SIDE IR_CLASSIC_HALF_PX

/* Histogram axes: how busy the place is, lightness, and colour: neutral, or one of the hues in two
 * strengths of chroma. */
enum { BUSY_BINS = 4, LIGHT_BINS = 4, CHROMA_BINS = 3, HUE_BINS = 6 };
enum { COLOUR_BINS = 1 + (CHROMA_BINS - 1) * HUE_BINS };
_Static_assert(BUSY_BINS *LIGHT_BINS *COLOUR_BINS == IR_CLASSIC_COLOUR_BINS, "colour block");

/* Where the soft scales x / (x + HALF) reach one half: most pixels of photographs are pale and
 * smooth, and a linear scale would leave them all in one bin. */
#define BUSY_HALF 5.0f
#define CHROMA_HALF 15.0f
#define CHROMA_FULL 0.8f /* of that scale: as vivid as it gets */

static int clamp_to_side(int at)
{
    return at < 0 ? 0 : at >= SIDE ? SIDE - 1 : at;
}

/* Standard deviation of lightness over the 3 x 3 pixels around. */
static float busyness(const int16_t *light, int x, int y)
{
    int64_t sum = 0, squares = 0;
    for (int dy = -1; dy <= 1; dy++) {
        const int16_t *row = light + clamp_to_side(y + dy) * SIDE;
        for (int dx = -1; dx <= 1; dx++) {
            int64_t value = row[clamp_to_side(x + dx)];
            sum += value;
            squares += value * value;
        }
    }
    return sqrtf((float)(9 * squares - sum * sum)) / (9.0f * IR_CLASSIC_LIGHT_UNITS);
}

/* The bins of the colour axis that a pixel counts for. */
typedef struct colour_shares {
    int bin[4];
    float weight[4];
} colour_shares;

static colour_shares share_colour(float a, float b)
{
    float chroma = sqrtf(a * a + b * b);
    float strength = chroma / (chroma + CHROMA_HALF) * (1.0f / CHROMA_FULL);
    ir_classic_share level = ir_classic_share_out(strength * (CHROMA_BINS - 1), CHROMA_BINS);
    ir_classic_share hue = ir_classic_share_round(ir_classic_direction(a, b) * (HUE_BINS / 4.0f),
                                                  HUE_BINS);
    int low = 1 + (level.low - 1) * HUE_BINS, high = 1 + (level.high - 1) * HUE_BINS;
    return (colour_shares){
        /* chroma level 0 has no hue: all of it is the one neutral bin */
        .bin = {level.low == 0 ? 0 : low + hue.low, level.low == 0 ? 0 : low + hue.high,
                high + hue.low, high + hue.high},
        .weight = {level.low_weight * hue.low_weight, level.low_weight * hue.high_weight,
                   level.high_weight * hue.low_weight, level.high_weight * hue.high_weight},
    };
}

static void count(float *bins, const colour_shares *colour, float weight)
{
    for (int i = 0; i < 4; i++)
        bins[colour->bin[i]] += colour->weight[i] * weight;
}

void ir_classic_colour(const ir_classic_planes *planes, float out[IR_CLASSIC_COLOUR_BINS])
{
    const float light_scale = (LIGHT_BINS - 1) / (100.0f * IR_CLASSIC_LIGHT_UNITS);
    memset(out, 0, IR_CLASSIC_COLOUR_BINS * sizeof *out);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            int at = y * SIDE + x;
            float busy = busyness(planes->half_light, x, y);
            busy = busy / (busy + BUSY_HALF) * (BUSY_BINS - 1);
            ir_classic_share ground = ir_classic_share_out(busy, BUSY_BINS);
            ir_classic_share light = ir_classic_share_out(
                (float)planes->half_light[at] * light_scale, LIGHT_BINS);
            colour_shares colour = share_colour(planes->half_a[at], planes->half_b[at]);
            float *smooth = out + ground.low * LIGHT_BINS * COLOUR_BINS;
            float *rough = out + ground.high * LIGHT_BINS * COLOUR_BINS;
            int dark = light.low * COLOUR_BINS, bright = light.high * COLOUR_BINS;
            count(smooth + dark, &colour, ground.low_weight * light.low_weight);
            count(smooth + bright, &colour, ground.low_weight * light.high_weight);
            count(rough + dark, &colour, ground.high_weight * light.low_weight);
            count(rough + bright, &colour, ground.high_weight * light.high_weight);
        }
    for (int i = 0; i < IR_CLASSIC_COLOUR_BINS; i++)
        out[i] = sqrtf(out[i]); /* Hellinger: keeps the commonest colour from drowning the rest */
}

enum { LAYOUT_CELLS = 4, CELL_PX = SIDE / LAYOUT_CELLS };
_Static_assert(LAYOUT_CELLS *LAYOUT_CELLS * 3 == IR_CLASSIC_LAYOUT_BINS, "layout block");

void ir_classic_layout(const ir_classic_planes *planes, float out[IR_CLASSIC_LAYOUT_BINS])
{
    const float share = 1.0f / (CELL_PX * CELL_PX);
    memset(out, 0, IR_CLASSIC_LAYOUT_BINS * sizeof *out);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            int at = y * SIDE + x;
            float *cell = out + 3 * (y / CELL_PX * LAYOUT_CELLS + x / CELL_PX);
            /* from mid-grey, so that dark and bright are opposites */
            cell[0] += ((float)planes->half_light[at] / IR_CLASSIC_LIGHT_UNITS - 50.0f) * share;
            cell[1] += planes->half_a[at] * share;
            cell[2] += planes->half_b[at] * share;
        }
}
