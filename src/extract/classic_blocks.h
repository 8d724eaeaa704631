/* classic_blocks.h: the parts of the classic descriptor, for this room only; docs/classic.md. */
#ifndef IR_EXTRACT_CLASSIC_BLOCKS_H
#define IR_EXTRACT_CLASSIC_BLOCKS_H

#include <stdint.h>

#define IR_CLASSIC_PX 128 /* side of the input */
#define IR_CLASSIC_HALF_PX (IR_CLASSIC_PX / 2)

/* int16 lightness: units per CIE L*, which runs from 0 to 100. */
#define IR_CLASSIC_LIGHT_UNITS 256

#define IR_CLASSIC_ROOT_COUNT 4097 /* relative luminance 0..1 in steps of 1/4096 */

#define IR_CLASSIC_COLOUR_BINS 208
#define IR_CLASSIC_TEXTURE_BINS 140
#define IR_CLASSIC_GRADIENT_BINS 96
#define IR_CLASSIC_LAYOUT_BINS 48

/* Lookup tables; made with + - * / alone, so that every machine makes the same. */
typedef struct ir_classic_tables {
    uint16_t linear[256];              /* sRGB byte -> linear light, 0..32,768 */
    float root[IR_CLASSIC_ROOT_COUNT]; /* the cube root of CIELAB with its linear foot */
    int16_t light[IR_CLASSIC_ROOT_COUNT];
    uint8_t pattern_bin[256]; /* local binary pattern -> bin, mirror images as one */
} ir_classic_tables;

/* One picture in CIELAB (D65). */
typedef struct ir_classic_planes {
    int16_t light[IR_CLASSIC_PX * IR_CLASSIC_PX];
    int16_t half_light[IR_CLASSIC_HALF_PX * IR_CLASSIC_HALF_PX]; /* 2 x 2 pixels, linear mean */
    float half_a[IR_CLASSIC_HALF_PX * IR_CLASSIC_HALF_PX];
    float half_b[IR_CLASSIC_HALF_PX * IR_CLASSIC_HALF_PX];
} ir_classic_planes;

void ir_classic_tables_fill(ir_classic_tables *tables);

/* `rgb` is IR_CLASSIC_PX x IR_CLASSIC_PX packed pixels. */
void ir_classic_planes_fill(ir_classic_planes *planes, const ir_classic_tables *tables,
                            const uint8_t *rgb);

/* Bins of pattern_bin: 35. */
void ir_classic_patterns_fill(uint8_t pattern_bin[256]);

/* Each writes its raw block; weights and norms are classic.c's business. */
void ir_classic_colour(const ir_classic_planes *planes, float out[IR_CLASSIC_COLOUR_BINS]);
void ir_classic_layout(const ir_classic_planes *planes, float out[IR_CLASSIC_LAYOUT_BINS]);
void ir_classic_gradient(const ir_classic_planes *planes, float out[IR_CLASSIC_GRADIENT_BINS]);
void ir_classic_texture(const ir_classic_planes *planes, const ir_classic_tables *tables,
                        float out[IR_CLASSIC_TEXTURE_BINS]);

/* The direction of (x, y) as 0..4, growing with the angle from the x axis; the zero vector is 0.
 * It stands in for atan2, whose last bits differ between C libraries. */
static inline float ir_classic_direction(float x, float y)
{
    float ax = x < 0.0f ? -x : x, ay = y < 0.0f ? -y : y;
    if (ax + ay == 0.0f)
        return 0.0f;
    float part = y / (ax + ay);
    if (x < 0.0f)
        return 2.0f - part;
    return part < 0.0f ? 4.0f + part : part;
}

/* A value shared out to its two nearest bins. */
typedef struct ir_classic_share {
    int low, high;
    float low_weight, high_weight;
} ir_classic_share;

/* `position` in bins, bin centres at 0 ... bins - 1; beyond them all goes to the last. */
static inline ir_classic_share ir_classic_share_out(float position, int bins)
{
    float last = (float)(bins - 1);
    position = position < 0.0f ? 0.0f : position > last ? last : position;
    int low = (int)position;
    if (low > bins - 2)
        low = bins - 2;
    float part = position - (float)low;
    return (ir_classic_share){low, low + 1, 1.0f - part, part};
}

/* The same on a circle of `bins` bins, 0 <= position <= bins. */
static inline ir_classic_share ir_classic_share_round(float position, int bins)
{
    int low = (int)position;
    float part = position - (float)low;
    return (ir_classic_share){low % bins, (low + 1) % bins, 1.0f - part, part};
}

#endif
