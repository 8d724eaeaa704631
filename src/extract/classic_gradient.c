/* classic_gradient.c: which way edges run in each part of the picture. */
#include "extract/classic_blocks.h"

#include <math.h>
#include <string.h>

#define SIDE IR_CLASSIC_HALF_PX

enum { CELLS = 4, ORIENTATIONS = 6, SIDE_PX = SIDE };
_Static_assert((CELLS * CELLS * ORIENTATIONS) == IR_CLASSIC_GRADIENT_BINS, "gradient block");

/* The two cells that a row or column counts for, by its distance to their centres. */
static ir_classic_share cell_share(int at)
{
    return ir_classic_share_out(((float)at + 0.5f) * CELLS / SIDE_PX - 0.5f, CELLS);
}

static void count(float *cell, const ir_classic_share *orientation, float weight)
{
    cell[orientation->low] += orientation->low_weight * weight;
    cell[orientation->high] += orientation->high_weight * weight;
}

static void count_pixel(float *out, const ir_classic_share *row, const ir_classic_share *column,
                        float dx, float dy)
{
    /* The square root of the gradient's length: one strong edge does not outweigh many. */
    float weight = sqrtf(sqrtf(dx * dx + dy * dy));
    if (weight == 0.0f)
        return;
    /* An edge and its negative run the same way: half the circle, 2 of its 4 units. */
    float direction = ir_classic_direction(dx, dy);
    direction = direction >= 2.0f ? direction - 2.0f : direction;
    ir_classic_share orientation = ir_classic_share_round(direction * (ORIENTATIONS / 2.0f),
                                                          ORIENTATIONS);
    float *above = out + row->low * CELLS * ORIENTATIONS;
    float *below = out + row->high * CELLS * ORIENTATIONS;
    int left = column->low * ORIENTATIONS, right = column->high * ORIENTATIONS;
    count(above + left, &orientation, weight * row->low_weight * column->low_weight);
    count(above + right, &orientation, weight * row->low_weight * column->high_weight);
    count(below + left, &orientation, weight * row->high_weight * column->low_weight);
    count(below + right, &orientation, weight * row->high_weight * column->high_weight);
}

/* Takes each cell's mean away: how busy it is, is the other blocks' matter. */
static void centre_cells(float *out)
{
    for (float *cell = out; cell < out + IR_CLASSIC_GRADIENT_BINS; cell += ORIENTATIONS) {
        float sum = 0.0f;
        for (int i = 0; i < ORIENTATIONS; i++) {
            cell[i] = sqrtf(cell[i]);
            sum += cell[i];
        }
        for (int i = 0; i < ORIENTATIONS; i++)
            cell[i] -= sum / ORIENTATIONS;
    }
}

void ir_classic_gradient(const ir_classic_planes *planes, float out[IR_CLASSIC_GRADIENT_BINS])
{
    ir_classic_share columns[SIDE];
    for (int x = 0; x < SIDE; x++)
        columns[x] = cell_share(x);
    memset(out, 0, IR_CLASSIC_GRADIENT_BINS * sizeof *out);
    for (int y = 0; y < SIDE; y++) {
        const int16_t *row = planes->half_light + y * SIDE;
        const int16_t *above = y > 0 ? row - SIDE : row;
        const int16_t *below = y < SIDE - 1 ? row + SIDE : row;
        ir_classic_share rows = cell_share(y);
        for (int x = 0; x < SIDE; x++) {
            int dx = row[x < SIDE - 1 ? x + 1 : x] - row[x > 0 ? x - 1 : x];
            count_pixel(out, &rows, &columns[x], (float)dx, (float)(below[x] - above[x]));
        }
    }
    centre_cells(out);
}
