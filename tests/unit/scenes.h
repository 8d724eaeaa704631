/* scenes.h: pictures with many corners, which can be drawn turned, scaled, cut and in other colours. */
#ifndef IR_TESTS_SCENES_H
#define IR_TESTS_SCENES_H

#include "pictures.h"

#include "base/random.h"

#include <math.h>

typedef struct scene_view {
    uint32_t scene;
    uint32_t width, height; /* pixels */
    double angle;           /* radians */
    double scale;           /* 2 shows half of it */
    uint32_t recolored;     /* bits by which sRGB is changed: 0xRRGGBB, xor */
} scene_view;

enum { SCENE_BOXES = 90 };

typedef struct scene_box {
    double left, top, right, bottom;
    uint32_t color;
} scene_box;

static inline void make_scene(scene_box boxes[SCENE_BOXES], uint32_t scene)
{
    uint64_t seed = scene * 7919u;
    for (int i = 0; i < SCENE_BOXES; i++) {
        double x = 1.4 * ir_random_unit(&seed) - 0.7, y = 1.4 * ir_random_unit(&seed) - 0.7;
        double w = 0.03 + 0.12 * ir_random_unit(&seed), h = 0.03 + 0.12 * ir_random_unit(&seed);
        boxes[i] = (scene_box){x, y, x + w, y + h, (uint32_t)ir_random_next(&seed)};
    }
}

/* Packed RGB, to be freed. */
static inline uint8_t *draw_scene(const scene_view *v)
{
    scene_box boxes[SCENE_BOXES];
    make_scene(boxes, v->scene);
    uint8_t *rgb = malloc((size_t)3 * v->width * v->height), *pixel = rgb;
    assert_non_null(rgb);
    double c = cos(v->angle) / v->scale, s = sin(v->angle) / v->scale;
    for (uint32_t row = 0; row < v->height; row++)
        for (uint32_t column = 0; column < v->width; column++, pixel += 3) {
            double x = (column + 0.5) / v->width - 0.5;
            double y = ((row + 0.5) - 0.5 * v->height) / v->width;
            double u = c * x + s * y, w = c * y - s * x;
            uint32_t color = 0x808080;
            for (int i = 0; i < SCENE_BOXES; i++)
                if (u >= boxes[i].left && u < boxes[i].right && w >= boxes[i].top &&
                    w < boxes[i].bottom)
                    color = boxes[i].color;
            color ^= v->recolored;
            pixel[0] = (uint8_t)(color >> 16);
            pixel[1] = (uint8_t)(color >> 8);
            pixel[2] = (uint8_t)color;
        }
    return rgb;
}

static inline void write_scene(const char *path, const scene_view *v)
{
    uint8_t *rgb = draw_scene(v);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fprintf(file, "P6\n%u %u\n255\n", v->width, v->height);
    assert_int_equal(fwrite(rgb, 3, (size_t)v->width * v->height, file), v->width * v->height);
    assert_int_equal(fclose(file), 0);
    free(rgb);
}

#endif
