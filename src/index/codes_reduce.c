/* codes_reduce.c: takes the lowest bits off codes, for when RAM does not hold them all.
 *
 * A grid vector w of fewer bits is the coarser neighbour of v, which lies so near to the residual r
 * that <w, r> follows from <w, v>: r is a v plus a rest that w hardly sees.
 */
#include "index/codes.h"

#include "base/half.h"

#include <math.h>
#include <string.h>

/* Opening a segment does this for every vector: hence the plain loops, without divisions, that processors
 * and compilers like. */
static void unpack_levels(const ir_code_shape *shape, const uint8_t *sign, const uint8_t *rank,
                          uint8_t *levels)
{
    uint32_t n = shape->dimension, quarter = n / 4, left = shape->bits - 1;
    for (uint32_t j = 0; j < n; j += 8)
        for (uint32_t bit = 0; bit < 8; bit++)
            levels[j + bit] = sign[j / 8] >> bit & 1;
    for (; left >= 2; left -= 2, rank += quarter)
        for (uint32_t part = 0; part < 4; part++) {
            uint8_t *some = levels + (size_t)part * quarter;
            for (uint32_t j = 0; j < quarter; j++)
                some[j] = (uint8_t)(some[j] << 2 | (rank[j] >> 2 * part & 3));
        }
    for (uint32_t j = 0; left == 1 && j < n; j += 8)
        for (uint32_t bit = 0; bit < 8; bit++)
            levels[j + bit] = (uint8_t)(levels[j + bit] << 1 | (rank[j / 8] >> bit & 1));
}

/* Sums over one code at both numbers of bits; c is the centroid. */
typedef struct sums {
    double vv, vw, ww, cv, cw;
} sums;

/* Of levels u, cut to t, first, in whole numbers; v = u - middle and w = t - coarse_middle follow. */
static sums sum_up(const uint8_t *levels, const float *centroid, uint32_t n, uint32_t bits,
                   uint32_t dropped)
{
    enum { LANES = 4 };
    uint32_t u = 0, t = 0, uu = 0, ut = 0, tt = 0; /* at most 4,096 x 255 x 255 */
    double c[LANES] = {0}, cu[LANES] = {0}, ct[LANES] = {0};
    for (uint32_t j = 0; j < n; j += LANES)
        for (uint32_t lane = 0; lane < LANES; lane++) {
            uint32_t level = levels[j + lane], cut = level >> dropped;
            double middle = (double)centroid[j + lane];
            u += level;
            t += cut;
            uu += level * level;
            ut += level * cut;
            tt += cut * cut;
            c[lane] += middle;
            cu[lane] += middle * level;
            ct[lane] += middle * cut;
        }
    double m = (double)((1u << bits) - 1) / 2, k = (double)((1u << (bits - dropped)) - 1) / 2;
    double all = c[0] + c[1] + c[2] + c[3];
    return (sums){
        .vv = uu - 2 * m * u + n * m * m,
        .vw = ut - k * u - m * t + n * m * k,
        .ww = tt - 2 * k * t + n * k * k,
        .cv = cu[0] + cu[1] + cu[2] + cu[3] - m * all,
        .cw = ct[0] + ct[1] + ct[2] + ct[3] - k * all,
    };
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
    if (to->bits % 2 == 1) { /* whole planes of two bits, the same as the first there were */
        memcpy(out, rank, (size_t)n * (to->bits - 1) / 8);
    } else {
        for (uint32_t j = 0; j < n; j++)
            levels[j] = (uint8_t)(levels[j] >> dropped);
        ir_code_pack_rest(to, levels, out);
    }
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
