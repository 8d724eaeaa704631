/* classic_texture.c: local patterns at two scales: which neighbours are brighter, which darker.
 *
 * Local binary patterns (Ojala, Pietikainen and Maenpaa 2002) with a dead zone on either side of
 * the centre's value, as in local ternary patterns (Tan and Triggs 2010). Patterns with more than
 * two changes around the circle share a bin, and so do a pattern and its left-right mirror image.
 */
#include "extract/classic_blocks.h"

#include <math.h>
#include <string.h>

enum { REACH = 2, STRIP_PX = 64, PATTERN_BINS = 35 };
_Static_assert(4 * PATTERN_BINS == IR_CLASSIC_TEXTURE_BINS, "texture block");
_Static_assert(IR_CLASSIC_PX % STRIP_PX == 0 && IR_CLASSIC_HALF_PX % STRIP_PX == 0, "strips");

/* Dead zones in L*; the half-size plane has larger steps. */
enum { FULL_STEP = 3 * IR_CLASSIC_LIGHT_UNITS, HALF_STEP = 5 * IR_CLASSIC_LIGHT_UNITS };

/* The neighbours in order around the circle. */
static const int neighbours[8][2] = {{2, 0},  {1, 1},   {0, 2},  {-1, 1},
                                     {-2, 0}, {-1, -1}, {0, -2}, {1, -1}};

static int change_count(unsigned pattern)
{
    unsigned turned = (pattern >> 1 | pattern << 7) & 0xFF;
    return __builtin_popcount(pattern ^ turned);
}

/* Neighbour i mirrors to (4 - i) mod 8. */
static unsigned mirror(unsigned pattern)
{
    unsigned mirrored = 0;
    for (unsigned i = 0; i < 8; i++)
        mirrored |= (pattern >> i & 1u) << ((12 - i) % 8);
    return mirrored;
}

void ir_classic_patterns_fill(uint8_t pattern_bin[256])
{
    uint8_t next = 1; /* bin 0: more than two changes */
    for (unsigned pattern = 0; pattern < 256; pattern++) {
        if (change_count(pattern) > 2)
            pattern_bin[pattern] = 0;
        else if (mirror(pattern) < pattern)
            pattern_bin[pattern] = pattern_bin[mirror(pattern)];
        else
            pattern_bin[pattern] = next++;
    }
}

/* The patterns of STRIP_PX pixels; constant bounds and 16-bit lanes let compilers vectorise. */
static void find_patterns(const int16_t *centre, int row_length, int16_t step,
                          int16_t *restrict brighter, int16_t *restrict darker)
{
    memset(brighter, 0, STRIP_PX * sizeof *brighter);
    memset(darker, 0, STRIP_PX * sizeof *darker);
    for (int i = 0; i < 8; i++) {
        const int16_t *other = centre + neighbours[i][1] * row_length + neighbours[i][0];
        int16_t bit = (int16_t)(1 << i);
        for (int x = 0; x < STRIP_PX; x++) {
            int16_t difference = (int16_t)(other[x] - centre[x]);
            brighter[x] = (int16_t)(brighter[x] | (difference > step ? bit : 0));
            darker[x] = (int16_t)(darker[x] | (difference < -step ? bit : 0));
        }
    }
}

/* Copies a plane with its edge repeated REACH pixels outwards. */
static void pad(const int16_t *plane, int side, int16_t *out)
{
    for (int y = -REACH; y < side + REACH; y++) {
        const int16_t *row = plane + (y < 0 ? 0 : y >= side ? side - 1 : y) * side;
        for (int x = -REACH; x < 0; x++)
            *out++ = row[0];
        memcpy(out, row, (size_t)side * sizeof *row);
        out += side;
        for (int x = 0; x < REACH; x++)
            *out++ = row[side - 1];
    }
}

/* Two histograms of a plane: patterns of the brighter neighbours, then of the darker. */
static void count_patterns(const int16_t *plane, int side, int16_t step, const uint8_t *pattern_bin,
                           float *out)
{
    int16_t padded[(IR_CLASSIC_PX + 2 * REACH) * (IR_CLASSIC_PX + 2 * REACH)];
    int16_t brighter[STRIP_PX], darker[STRIP_PX];
    uint32_t counts[2 * PATTERN_BINS] = {0};
    int row_length = side + 2 * REACH;
    pad(plane, side, padded);
    for (int y = 0; y < side; y++)
        for (int strip = 0; strip < side; strip += STRIP_PX) {
            const int16_t *centre = padded + (y + REACH) * row_length + REACH + strip;
            find_patterns(centre, row_length, step, brighter, darker);
            for (int x = 0; x < STRIP_PX; x++) {
                counts[pattern_bin[brighter[x]]]++;
                counts[PATTERN_BINS + pattern_bin[darker[x]]]++;
            }
        }
    for (int i = 0; i < 2 * PATTERN_BINS; i++)
        out[i] = sqrtf((float)counts[i] / (float)(side * side));
}

void ir_classic_texture(const ir_classic_planes *planes, const ir_classic_tables *tables,
                        float out[IR_CLASSIC_TEXTURE_BINS])
{
    count_patterns(planes->light, IR_CLASSIC_PX, FULL_STEP, tables->pattern_bin, out);
    count_patterns(planes->half_light, IR_CLASSIC_HALF_PX, HALF_STEP, tables->pattern_bin,
                   out + 2 * PATTERN_BINS);
}
