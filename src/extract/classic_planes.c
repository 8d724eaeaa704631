/* classic_planes.c: sRGB pixels to CIELAB planes by integer sums and tables. */
#include "extract/classic_blocks.h"

#define LINEAR_ONE 32768
#define ROOT_SHIFT 3 /* from linear light, 0..32,768, to an index of `root` */

/* CIE XYZ of linear sRGB, each row divided by its white (D65), times 32,768. */
enum { X_R = 14220, X_G = 12327, X_B = 6221 };
enum { Y_R = 6969, Y_G = 23434, Y_B = 2365 };
enum { Z_R = 582, Z_G = 3587, Z_B = 28599 };

/* value^(1/degree) for 0 < value <= 1 by Newton's method, from above, so that it falls steadily. */
static double root_of(double value, int degree)
{
    double root = 1.0;
    for (int step = 0; step < 64; step++) {
        double power = 1.0;
        for (int i = 1; i < degree; i++)
            power *= root;
        root -= (power * root - value) / ((double)degree * power);
    }
    return root;
}

/* IEC 61966-2-1: byte -> linear light, 0..1. */
static double linear_of(int byte)
{
    double value = byte / 255.0;
    if (value <= 0.04045)
        return value / 12.92;
    value = (value + 0.055) / 1.055;
    double fifth = root_of(value, 5);
    return value * value * fifth * fifth; /* value^2.4 */
}

void ir_classic_tables_fill(ir_classic_tables *tables)
{
    for (int i = 0; i < 256; i++)
        tables->linear[i] = (uint16_t)(linear_of(i) * LINEAR_ONE + 0.5);
    for (int i = 0; i < IR_CLASSIC_ROOT_COUNT; i++) {
        double value = i / (double)(IR_CLASSIC_ROOT_COUNT - 1);
        double root = value > 216.0 / 24389.0 ? root_of(value, 3)
                                              : (24389.0 / 27.0 * value + 16.0) / 116.0;
        double light = (116.0 * root - 16.0) * IR_CLASSIC_LIGHT_UNITS;
        tables->root[i] = (float)root;
        tables->light[i] = (int16_t)(light > 0.0 ? light + 0.5 : 0.0);
    }
    ir_classic_patterns_fill(tables->pattern_bin);
}

static uint32_t root_index(uint32_t r, uint32_t g, uint32_t b, uint32_t weight_r, uint32_t weight_g,
                           uint32_t weight_b)
{
    uint32_t mix = (r * weight_r + g * weight_g + b * weight_b) / LINEAR_ONE;
    return (mix + (1u << (ROOT_SHIFT - 1))) >> ROOT_SHIFT;
}

static void fill_light(ir_classic_planes *planes, const ir_classic_tables *tables,
                       const uint8_t *rgb)
{
    for (int i = 0; i < IR_CLASSIC_PX * IR_CLASSIC_PX; i++, rgb += 3)
        planes->light[i] = tables->light[root_index(tables->linear[rgb[0]], tables->linear[rgb[1]],
                                                    tables->linear[rgb[2]], Y_R, Y_G, Y_B)];
}

/* The mean linear light of 2 x 2 pixels in one channel. */
static uint32_t mean_of_four(const ir_classic_tables *tables, const uint8_t *corner)
{
    const uint8_t *below = corner + 3 * IR_CLASSIC_PX;
    uint32_t sum = (uint32_t)tables->linear[corner[0]] + tables->linear[corner[3]] +
                   tables->linear[below[0]] + tables->linear[below[3]];
    return sum / 4;
}

void ir_classic_planes_fill(ir_classic_planes *planes, const ir_classic_tables *tables,
                            const uint8_t *rgb)
{
    fill_light(planes, tables, rgb);
    for (int y = 0; y < IR_CLASSIC_HALF_PX; y++)
        for (int x = 0; x < IR_CLASSIC_HALF_PX; x++) {
            const uint8_t *corner = rgb + 3 * (2 * y * IR_CLASSIC_PX + 2 * x);
            uint32_t r = mean_of_four(tables, corner);
            uint32_t g = mean_of_four(tables, corner + 1);
            uint32_t b = mean_of_four(tables, corner + 2);
            uint32_t y_index = root_index(r, g, b, Y_R, Y_G, Y_B);
            float root_x = tables->root[root_index(r, g, b, X_R, X_G, X_B)];
            float root_y = tables->root[y_index];
            float root_z = tables->root[root_index(r, g, b, Z_R, Z_G, Z_B)];
            int at = y * IR_CLASSIC_HALF_PX + x;
            planes->half_light[at] = tables->light[y_index];
            planes->half_a[at] = 500.0f * (root_x - root_y);
            planes->half_b[at] = 200.0f * (root_y - root_z);
        }
}
