/* codes_reduce.c: takes the lowest bits off codes, for when RAM does not hold them all.
 *
 * A grid vector w of fewer bits is the coarser neighbour of v, which lies so near to the residual r
 * that <w, r> follows from <w, v>: r is a v plus a rest that w hardly sees.
 */
#include "index/codes.h"

#include "base/half.h"

#include <math.h>
#include <string.h>

static void unpack_levels(const ir_code_shape *shape, const uint8_t *sign, const uint8_t *rank,
                          uint8_t *levels)
{
    uint32_t n = shape->dimension, quarter = n / 4, left = shape->bits - 1;
    for (uint32_t j = 0; j < n; j++)
        levels[j] = sign[j / 8] >> (j % 8) & 1;
    for (; left >= 2; left -= 2, rank += quarter)
        for (uint32_t j = 0; j < n; j++)
            levels[j] = (uint8_t)(levels[j] << 2 | (rank[j % quarter] >> (j / quarter * 2) & 3));
    if (left == 1)
        for (uint32_t j = 0; j < n; j++)
            levels[j] = (uint8_t)(levels[j] << 1 | (rank[j / 8] >> (j % 8) & 1));
}

/* Sums over one code at both numbers of bits; c is the centroid. */
typedef struct sums {
    double vv, vw, ww, cv, cw;
} sums;

static sums sum_up(const uint8_t *levels, const float *centroid, uint32_t n, uint32_t bits,
                   uint32_t dropped)
{
    double middle = (double)((1u << bits) - 1) / 2;
    double coarse_middle = (double)((1u << (bits - dropped)) - 1) / 2;
    sums s = {0, 0, 0, 0, 0};
    for (uint32_t j = 0; j < n; j++) {
        double v = levels[j] - middle, w = (levels[j] >> dropped) - coarse_middle;
        s.vv += v * v;
        s.vw += v * w;
        s.ww += w * w;
        s.cv += v * (double)centroid[j];
        s.cw += w * (double)centroid[j];
    }
    return s;
}

void ir_code_reduce(const ir_code_shape *from, const ir_code_shape *to, const uint8_t *sign,
                    const uint8_t *rank, const float *centroid, uint8_t *out)
{
    uint8_t levels[4096];
    uint32_t n = from->dimension, dropped = from->bits - to->bits;
    float base, slope;
    uint16_t error_half;
    const uint8_t *tail = rank + (size_t)n * (from->bits - 1) / 8;
    memcpy(&base, tail, 4);
    memcpy(&slope, tail + 4, 4);
    memcpy(&error_half, tail + 8, 2);
    double norm = (double)ir_half_to_float((uint16_t)(tail[10] | tail[11] << 8));
    double error = (double)ir_half_to_float(error_half);
    unpack_levels(from, sign, rank, levels);
    sums s = sum_up(levels, centroid, n, from->bits, dropped);
    for (uint32_t j = 0; j < n; j++)
        levels[j] = (uint8_t)(levels[j] >> dropped);
    ir_code_pack_rest(to, levels, out);
    uint8_t *out_tail = out + (size_t)n * (to->bits - 1) / 8;
    /* v and w have equal signs everywhere: their product is above 0. */
    float coarse_slope = (float)((double)slope * s.vv / s.vw);
    double squared_and_offset = (double)base + (double)slope * s.cv;
    float coarse_base = (float)(squared_and_offset - (double)coarse_slope * s.cw);
    double coarse_error = 0;
    if (norm > 0) {
        double excess = error * error * (n - 1) / (norm * norm);
        double coarse_excess = (1 + excess) * s.vv * s.ww / (s.vw * s.vw) - 1;
        coarse_error = norm * sqrt(fmax(coarse_excess, 0) / (n - 1));
    }
    if (!(coarse_error < (double)IR_HALF_MAX))
        coarse_error = (double)IR_HALF_MAX;
    error_half = ir_half_from_float((float)coarse_error);
    memcpy(out_tail, &coarse_base, 4);
    memcpy(out_tail + 4, &coarse_slope, 4);
    memcpy(out_tail + 8, &error_half, 2);
    memcpy(out_tail + 10, tail + 10, 2);
}
