/* hash.c: the perceptual hash: the signs of a picture's lowest frequencies.
 *
 * Lightness is averaged to 32 x 32 cells (the picture squashed), transformed by a DCT-II, and of the
 * frequencies 1..8 in both directions (0, the mean, says little) each gives one bit: whether it is
 * above the median of the 64. Bit 0 is frequency (1, 1), bit 1 is (x 2, y 1), bit 8 is (x 1, y 2).
 * Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010, without its
 * blurring: the averaging blurs enough.
 */
#include "analyze/inside.h"

#include <stdlib.h>
#include <string.h>

enum { CELLS = 32, BITS = 8 };

#define NOISE 1e-3 /* of a plain or symmetric picture's frequencies, which are all but zero */

/* cos(pi n / 64) for n 0..127 by Chebyshev's recurrence, so that no libm decides a bit. */
static void fill_cosines(double *out)
{
    out[0] = 1.0;
    out[1] = 0.99879545620517239271; /* cos(pi / 64) */
    for (int n = 2; n < 4 * CELLS; n++)
        out[n] = 2.0 * out[1] * out[n - 1] - out[n - 2];
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

uint64_t ir_perceptual_hash(const float *light, uint32_t width, uint32_t height)
{
    float cells[CELLS * CELLS];
    double cosines[4 * CELLS], rows[CELLS][BITS], frequencies[BITS * BITS], sorted[BITS * BITS];
    fill_cosines(cosines);
    ir_small_average(light, width, height, cells, CELLS, CELLS);
    for (int y = 0; y < CELLS; y++)
        for (int u = 1; u <= BITS; u++) {
            double sum = 0.0;
            for (int x = 0; x < CELLS; x++)
                sum += (double)cells[y * CELLS + x] * cosines[(2 * x + 1) * u % (4 * CELLS)];
            rows[y][u - 1] = sum;
        }
    for (int v = 1; v <= BITS; v++)
        for (int u = 0; u < BITS; u++) {
            double sum = 0.0;
            for (int y = 0; y < CELLS; y++)
                sum += rows[y][u] * cosines[(2 * y + 1) * v % (4 * CELLS)];
            frequencies[(v - 1) * BITS + u] = sum;
        }
    memcpy(sorted, frequencies, sizeof sorted);
    qsort(sorted, BITS * BITS, sizeof sorted[0], compare_doubles);
    double median = (sorted[BITS * BITS / 2 - 1] + sorted[BITS * BITS / 2]) / 2.0;
    uint64_t hash = 0;
    for (int i = 0; i < BITS * BITS; i++)
        hash |= (uint64_t)(frequencies[i] > median + NOISE) << i;
    return hash;
}
