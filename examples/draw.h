/* draw.h: a small software painter for the demo's pictures: colours, chance, noise, a canvas. */
#ifndef IMGRET_EXAMPLES_DRAW_H
#define IMGRET_EXAMPLES_DRAW_H

#include <stdint.h>

/* sRGB, each 0 to 1; a shade may pass beyond and is cut when the picture is written. */
typedef struct draw_color {
    float r, g, b;
} draw_color;

/* Chance that gives the same numbers for the same seed (splitmix64). */
typedef struct draw_chance {
    uint64_t state;
} draw_chance;

/* Drawing happens in units: the shorter side is 1 long, (0, 0) is the upper left corner. */
typedef struct draw_canvas {
    int width_px, height_px;
    float width, height; /* in units */
    float pixel;         /* of a pixel's side, in units: the width of a smooth edge */
    draw_color *pixels;
} draw_canvas;

/* A loop over all pixels: x and y are the unit coordinates of a pixel's centre, and DRAW_PIXEL is
 * the pixel. */
#define DRAW_EACH_PIXEL(canvas, x, y)                                       \
    for (int row = 0; row < (canvas)->height_px; row++)                     \
        for (int column = 0; column < (canvas)->width_px; column++)         \
            for (float x = ((float)column + 0.5f) * (canvas)->pixel,        \
                       y = ((float)row + 0.5f) * (canvas)->pixel, once = 1; \
                 once > 0; once = 0)
#define DRAW_PIXEL(canvas) (&(canvas)->pixels[row * (canvas)->width_px + column])

/* From 0 up to but not including 1. */
float draw_random(draw_chance *chance);
float draw_between(draw_chance *chance, float low, float high);
int draw_below(draw_chance *chance, int count);

draw_color draw_hsv(float hue, float saturation, float value);
draw_color draw_mix(draw_color a, draw_color b, float share_of_b);
draw_color draw_shade(draw_color color, float factor);

/* A lively, a pale, and a dark colour of any hue. */
draw_color draw_any_bright(draw_chance *chance);
draw_color draw_any_pale(draw_chance *chance);
draw_color draw_any_dark(draw_chance *chance);

/* 0 below `low`, 1 above `high`, smooth between; low may be the larger one. */
float draw_step(float low, float high, float value);

/* A number in [0, 1) that hangs on whole coordinates and seed alone. */
float draw_hash(int x, int y, uint32_t seed);

/* Value noise, and the sum of some octaves of it (1 to 6), both within 0 to 1. */
float draw_noise(float x, float y, uint32_t seed);
float draw_cloud(float x, float y, int octaves, uint32_t seed);

/* Fills the canvas from the colour at its top to that at its bottom. */
void draw_gradient(draw_canvas *canvas, draw_color top, draw_color bottom);

/* Mixes a disc into the canvas whose edge is `soft` wide. */
void draw_disc(draw_canvas *canvas, float x, float y, float radius, float soft, draw_color color,
               float share);

/* Writes 8-bit RGB rows to `stem` and the extension of a format drawn by chance: mostly JPEG, some
 * PNG and BMP. Returns the extension, or NULL after saying on stderr what failed. */
const char *draw_write_file(const char *stem, const draw_canvas *canvas, const unsigned char *rgb,
                            draw_chance *chance);

/* One picture of a class. */
typedef void (*draw_painter)(draw_canvas *canvas, draw_chance *chance);

void draw_wood(draw_canvas *canvas, draw_chance *chance);
void draw_brick(draw_canvas *canvas, draw_chance *chance);
void draw_plaid(draw_canvas *canvas, draw_chance *chance);
void draw_checker(draw_canvas *canvas, draw_chance *chance);
void draw_stripes(draw_canvas *canvas, draw_chance *chance);
void draw_marble(draw_canvas *canvas, draw_chance *chance);
void draw_dots(draw_canvas *canvas, draw_chance *chance);
void draw_pebbles(draw_canvas *canvas, draw_chance *chance);

void draw_balls(draw_canvas *canvas, draw_chance *chance);
void draw_triangles(draw_canvas *canvas, draw_chance *chance);
void draw_stars(draw_canvas *canvas, draw_chance *chance);

void draw_sunset(draw_canvas *canvas, draw_chance *chance);
void draw_mountains(draw_canvas *canvas, draw_chance *chance);
void draw_forest(draw_canvas *canvas, draw_chance *chance);
void draw_city(draw_canvas *canvas, draw_chance *chance);
void draw_desert(draw_canvas *canvas, draw_chance *chance);

#endif
