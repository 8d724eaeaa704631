/* draw_shapes.c: balls, triangles and stars, with shadows, on varied grounds. */
#include "draw.h"

#include <math.h>

/* A soft, cloudy or graded ground to put shapes on. */
static void ground(draw_canvas *canvas, draw_chance *chance)
{
    draw_color top = draw_below(chance, 3) ? draw_any_pale(chance) : draw_any_dark(chance);
    draw_color bottom = draw_shade(top, draw_between(chance, 0.65f, 0.95f));
    uint32_t seed = (uint32_t)draw_below(chance, 1 << 20);
    float cloudy = draw_below(chance, 2) ? draw_between(chance, 0.1f, 0.3f) : 0.04f;
    draw_gradient(canvas, top, bottom);
    DRAW_EACH_PIXEL(canvas, x, y)
    {
        float light = 1 + cloudy * (draw_cloud(x * 4, y * 4, 4, seed) - 0.5f);
        *DRAW_PIXEL(canvas) = draw_shade(*DRAW_PIXEL(canvas), light);
    }
}

/* A shaded ball lit from the upper left. */
static void ball(draw_canvas *canvas, float cx, float cy, float radius, draw_color color)
{
    draw_disc(canvas, cx + radius * 0.18f, cy + radius * 0.3f, radius * 0.85f, radius * 0.4f,
              draw_shade(color, 0.1f), 0.45f);
    DRAW_EACH_PIXEL(canvas, x, y)
    {
        float dx = (x - cx) / radius, dy = (y - cy) / radius, apart = hypotf(dx, dy);
        float edge = canvas->pixel / radius;
        if (apart > 1 + edge)
            continue;
        float height = sqrtf(fmaxf(0, 1 - apart * apart));
        float light = fmaxf(0, -0.5f * dx - 0.6f * dy + 0.62f * height);
        draw_color lit = draw_shade(color, 0.35f + 0.75f * light);
        lit = draw_mix(lit, (draw_color){1, 1, 1}, 0.7f * powf(light, 24));
        *DRAW_PIXEL(canvas) = draw_mix(*DRAW_PIXEL(canvas), lit,
                                       draw_step(1 + edge, 1 - edge, apart));
    }
}

/* A flat disc or ring with a soft shadow. */
static void ring(draw_canvas *canvas, float cx, float cy, float radius, float hole,
                 draw_color color)
{
    float soft = canvas->pixel;
    DRAW_EACH_PIXEL(canvas, x, y)
    {
        float apart = hypotf(x - cx, y - cy);
        float part = draw_step(radius + soft, radius - soft, apart) *
                     draw_step(hole - soft, hole + soft, apart);
        *DRAW_PIXEL(canvas) = draw_mix(*DRAW_PIXEL(canvas), color, part);
    }
}

void draw_balls(draw_canvas *canvas, draw_chance *chance)
{
    ground(canvas, chance);
    int count = 3 + draw_below(chance, 6);
    int is_flat = draw_below(chance, 3) == 0;
    for (int i = 0; i < count; i++) {
        float radius = draw_between(chance, 0.07f, 0.24f);
        float x = draw_between(chance, radius * 0.6f, canvas->width - radius * 0.6f);
        float y = draw_between(chance, radius * 0.6f, canvas->height - radius * 0.6f);
        draw_color color = draw_any_bright(chance);
        if (is_flat)
            ring(canvas, x, y, radius, radius * draw_between(chance, 0, 0.6f), color);
        else
            ball(canvas, x, y, radius, color);
    }
}

#define CORNER_COUNT_MAX 16

typedef struct polygon {
    int corner_count;
    float x[CORNER_COUNT_MAX], y[CORNER_COUNT_MAX];
} polygon;

/* Signed distance from the polygon's edge, negative inside: the nearest side gives the distance,
 * the parity of sides crossed to the right gives the sign. */
static float polygon_distance(const polygon *shape, float x, float y)
{
    float nearest = 1e9f;
    int crossings = 0;
    for (int i = 0, j = shape->corner_count - 1; i < shape->corner_count; j = i++) {
        float ax = shape->x[i], ay = shape->y[i], bx = shape->x[j], by = shape->y[j];
        float sx = bx - ax, sy = by - ay;
        float along = ((x - ax) * sx + (y - ay) * sy) / (sx * sx + sy * sy);
        along = along < 0 ? 0 : along > 1 ? 1 : along;
        nearest = fminf(nearest, hypotf(x - ax - sx * along, y - ay - sy * along));
        if ((ay > y) != (by > y) && x < ax + (y - ay) / sy * sx)
            crossings++;
    }
    return crossings % 2 ? -nearest : nearest;
}

/* Corners on two radii in turn; equal radii give a regular polygon. */
static polygon make_polygon(float cx, float cy, float outer, float inner, int count, float angle)
{
    polygon shape = {.corner_count = count};
    for (int i = 0; i < count; i++) {
        float turn = angle + 6.2831853f * (float)i / (float)count;
        float radius = i % 2 ? inner : outer;
        shape.x[i] = cx + radius * sinf(turn);
        shape.y[i] = cy - radius * cosf(turn);
    }
    return shape;
}

/* Fills a polygon, brighter towards its upper left, over a soft shadow. */
static void fill_polygon(draw_canvas *canvas, const polygon *shape, draw_color color, float size)
{
    float shadow = size * 0.12f;
    DRAW_EACH_PIXEL(canvas, x, y)
    {
        draw_color *pixel = DRAW_PIXEL(canvas);
        float dark = draw_step(shadow, -shadow, polygon_distance(shape, x - shadow, y - shadow));
        *pixel = draw_shade(*pixel, 1 - 0.4f * dark);
        float apart = polygon_distance(shape, x, y);
        float light = 1.08f - 0.3f * ((x - shape->x[0]) + (y - shape->y[0])) / size * 0.5f;
        *pixel = draw_mix(*pixel, draw_shade(color, light),
                          draw_step(canvas->pixel, -canvas->pixel, apart));
    }
}

void draw_triangles(draw_canvas *canvas, draw_chance *chance)
{
    ground(canvas, chance);
    int count = 3 + draw_below(chance, 5);
    for (int i = 0; i < count; i++) {
        float size = draw_between(chance, 0.12f, 0.32f);
        float x = draw_between(chance, 0.1f, canvas->width - 0.1f);
        float y = draw_between(chance, 0.1f, canvas->height - 0.1f);
        polygon shape = make_polygon(x, y, size, size * draw_between(chance, 0.6f, 1.2f), 3,
                                     draw_between(chance, 0, 6.28f));
        fill_polygon(canvas, &shape, draw_any_bright(chance), size);
    }
}

void draw_stars(draw_canvas *canvas, draw_chance *chance)
{
    ground(canvas, chance);
    int count = 2 + draw_below(chance, 6);
    int points = 5 + draw_below(chance, 3);
    float depth = draw_between(chance, 0.38f, 0.55f);
    for (int i = 0; i < count; i++) {
        float size = draw_between(chance, 0.1f, 0.3f);
        float x = draw_between(chance, 0.1f, canvas->width - 0.1f);
        float y = draw_between(chance, 0.1f, canvas->height - 0.1f);
        polygon shape = make_polygon(x, y, size, size * depth, points * 2,
                                     draw_between(chance, -0.4f, 0.4f));
        fill_polygon(canvas, &shape, draw_any_bright(chance), size);
    }
}
