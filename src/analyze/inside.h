/* inside.h: what the files of this room share: the picture they work on, colour, their steps. */
#ifndef IR_ANALYZE_INSIDE_H
#define IR_ANALYZE_INSIDE_H

#include <imgret/imgret.h>

#define IR_ANALYZE_PX \
    128 /* the longer side of the picture that is measured, unless it is smaller */

/* A picture scaled down by area averages, and its lightness; rows packed. */
typedef struct ir_small {
    uint32_t width;
    uint32_t height;
    uint8_t rgb[3 * IR_ANALYZE_PX * IR_ANALYZE_PX];
    float light[IR_ANALYZE_PX * IR_ANALYZE_PX]; /* L*, 0..100 */
} ir_small;

/* Fills size and rgb from a source of 1 to 2^24 pixels a side; `sums` has room for 3 * width. */
void ir_small_fill(ir_small *small, float *sums, const uint8_t *rgb, uint32_t width,
                   uint32_t height);

/* Averages a plane of floats to out_width x out_height cells; cells may be smaller than pixels. */
void ir_small_average(const float *plane, uint32_t width, uint32_t height, float *out,
                      uint32_t out_width, uint32_t out_height);

/* sRGB in cells of 16 x 16 x 16; a cell's number is red << 8 | green << 4 | blue, four bits each. */
#define IR_PALETTE_CELLS (16 * 16 * 16)

/* CIELAB under D65 of an sRGB colour. */
typedef struct ir_lab {
    float light, a, b;
} ir_lab;

ir_lab ir_lab_of(const uint8_t rgb[3]);

/* L* alone, of `count` packed pixels. */
void ir_lab_lights(const uint8_t *rgb, uint32_t count, float *out);

/* The name (IMGRET_COLOR_*) of a colour: that of the nearest of some eighty samples. */
uint32_t ir_lab_name(ir_lab lab);
uint32_t ir_lab_cell_name(uint32_t cell);

/* The pixels of one cell of sRGB. */
typedef struct ir_palette_cell {
    uint32_t count;
    uint32_t red, green, blue; /* sums */
} ir_palette_cell;

/* A cell with pixels in it, as k-means sees it. */
typedef struct ir_palette_point {
    ir_lab lab;
    float weight; /* share of the picture */
    uint32_t cell;
    uint32_t cluster;
    float nearest; /* square of the distance to the nearest centre so far */
} ir_palette_point;

typedef struct ir_palette_work {
    ir_palette_cell cells[IR_PALETTE_CELLS];
    ir_palette_point points[IR_PALETTE_CELLS];
} ir_palette_work;

/* Colours of `small`: swatches, shares of names, saturation, warmth. `work` need not be cleared. */
void ir_palette_fill(const ir_small *small, ir_palette_work *work, imgret_attributes *out);

/* The perceptual hash of a plane of lightness. */
uint64_t ir_perceptual_hash(const float *light, uint32_t width, uint32_t height);

#endif
