/* draw_scenes.c: landscapes: sunset over the sea, mountains, forest, city at night, desert. */
#include "draw.h"

#include <math.h>

static uint32_t seed_of(draw_chance *chance)
{
    return (uint32_t)draw_below(chance, 1 << 20);
}

/* Lays streaks of cloud over what lies above `horizon`. */
static void clouds(draw_canvas *canvas, float horizon, float amount, draw_color color,
                   uint32_t seed)
{
    DRAW_EACH_PIXEL(canvas, x, y)
    {
        if (y > horizon)
            continue;
        float cover = draw_cloud(x * 2.2f, y * 7, 5, seed);
        float share = draw_step(1 - amount, 1 - amount + 0.3f, cover) * (1 - 0.4f * y / horizon);
        *DRAW_PIXEL(canvas) = draw_mix(*DRAW_PIXEL(canvas), color, 0.8f * share);
    }
}

/* The sea's colour: the sky mirrored at the horizon, broken by waves, with the sun's path. */
static void sea(draw_canvas *canvas, float horizon, float sun_x, draw_color sun, uint32_t seed)
{
    DRAW_EACH_PIXEL(canvas, x, y)
    {
        if (y < horizon)
            continue;
        float depth = (y - horizon) / (canvas->height - horizon) + 0.03f;
        float ripple = draw_cloud(x * 5 / (0.3f + depth), y * 60 / (0.3f + depth), 3, seed);
        float mirrored = horizon - (y - horizon) * (0.7f + 0.5f * ripple);
        int row_above = (int)(mirrored / canvas->pixel);
        draw_color sky =
            canvas->pixels[(row_above < 0 ? 0 : row_above) * canvas->width_px + column];
        draw_color water = draw_shade(sky, 0.45f + 0.35f * ripple);
        water = draw_mix(water, (draw_color){0.03f, 0.08f, 0.16f}, 0.3f * depth);
        float path = expf(-powf((x - sun_x) / (0.05f + 0.16f * depth), 2));
        float glint = path * draw_step(0.5f, 0.66f, ripple);
        *DRAW_PIXEL(canvas) = draw_mix(water, sun, 0.85f * glint);
    }
}

void draw_sunset(draw_canvas *canvas, draw_chance *chance)
{
    uint32_t seed = seed_of(chance);
    float horizon = canvas->height * draw_between(chance, 0.5f, 0.72f);
    float sun_x = draw_between(chance, 0.15f, canvas->width - 0.15f);
    float radius = draw_between(chance, 0.045f, 0.1f);
    float sun_y = horizon - draw_between(chance, -0.3f, 2.6f) * radius;
    draw_color top = draw_hsv(draw_between(chance, 0.58f, 0.86f), 0.6f,
                              draw_between(chance, 0.25f, 0.55f));
    draw_color low = draw_hsv(draw_between(chance, 0.02f, 0.11f), 0.75f,
                              draw_between(chance, 0.85f, 1));
    draw_color sun = draw_hsv(0.13f, 0.25f, 1);
    DRAW_EACH_PIXEL(canvas, x, y)
    {
        draw_color sky = draw_mix(top, low, draw_step(0, horizon, y + 0.08f));
        float glow = expf(-hypotf(x - sun_x, (y - sun_y) * 1.4f) * 5);
        *DRAW_PIXEL(canvas) = draw_mix(sky, sun, 0.75f * glow);
    }
    draw_disc(canvas, sun_x, sun_y, radius, canvas->pixel * 2, sun, 1);
    clouds(canvas, horizon, draw_between(chance, 0.4f, 0.62f), draw_mix(top, low, 0.35f), seed);
    sea(canvas, horizon, sun_x, sun, seed + 20);
}

/* One range: its ridge line is a sum of noise; snow lies above `snow` where the slope allows. */
static void range(draw_canvas *canvas, float base, float height, draw_color rock, float snow,
                  uint32_t seed)
{
    DRAW_EACH_PIXEL(canvas, x, y)
    {
        float folded = 1 - fabsf(2 * draw_noise(x * 2.1f, 0.5f, seed) - 1);
        float ridge = base -
                      height * (0.55f * folded + 0.6f * draw_cloud(x * 4, 0.5f, 6, seed + 1));
        float inside = draw_step(ridge - canvas->pixel, ridge + canvas->pixel, y);
        if (inside <= 0)
            continue;
        float grain = draw_cloud(x * 14 + y * 6, y * 9 - x * 4, 5, seed + 2);
        float slope = draw_cloud((x + 0.02f) * 9, y * 5, 4, seed + 3) -
                      draw_cloud((x - 0.02f) * 9, y * 5, 4, seed + 3);
        draw_color color = draw_shade(rock, 0.75f + 0.45f * grain + 1.3f * slope);
        float white = draw_step(snow + 0.08f, snow - 0.06f, y + 0.25f * (grain - 0.5f));
        color = draw_mix(color, (draw_color){0.93f, 0.95f, 1}, white * (0.75f + 1.2f * slope));
        *DRAW_PIXEL(canvas) = draw_mix(*DRAW_PIXEL(canvas), color, inside);
    }
}

void draw_mountains(draw_canvas *canvas, draw_chance *chance)
{
    uint32_t seed = seed_of(chance);
    float hue = draw_between(chance, 0.54f, 0.64f), height = canvas->height;
    draw_color high = draw_hsv(hue, draw_between(chance, 0.4f, 0.65f),
                               draw_between(chance, 0.55f, 0.9f));
    draw_color low = draw_hsv(draw_between(chance, 0.5f, 1.08f), 0.15f, 0.95f);
    draw_color rock = draw_hsv(draw_between(chance, 0.03f, 0.68f), 0.22f,
                               draw_between(chance, 0.25f, 0.45f));
    draw_color meadow = draw_hsv(draw_between(chance, 0.2f, 0.36f), 0.5f,
                                 draw_between(chance, 0.2f, 0.45f));
    draw_gradient(canvas, high, low);
    clouds(canvas, height * 0.7f, draw_between(chance, 0.35f, 0.6f), (draw_color){1, 1, 1}, seed);
    float snow = height * draw_between(chance, 0.3f, 0.5f);
    int count = 2 + draw_below(chance, 2);
    for (int i = 0; i < count; i++) {
        float nearness = (float)(i + 1) / (float)count;
        float base = height * (0.62f + 0.2f * nearness);
        draw_color hazy = draw_mix(low, rock, 0.4f + 0.6f * nearness);
        range(canvas, base, height * draw_between(chance, 0.4f, 0.6f), hazy, snow,
              seed + 50u * (uint32_t)i);
    }
    range(canvas, height * 0.95f, height * 0.16f, meadow, -1, seed + 500);
}

/* A fir: tiers of a saw-toothed cone over a trunk. */
static void fir(draw_canvas *canvas, float cx, float foot, float tall, draw_color color,
                uint32_t seed)
{
    float wide = tall * 0.24f;
    DRAW_EACH_PIXEL(canvas, x, y)
    {
        float up = (foot - y) / tall, side = fabsf(x - cx);
        if (up < 0 || up > 1 || side > wide * 1.3f)
            continue;
        float tier = up * 7 - floorf(up * 7);
        float half = wide * (1 - up) * (1.15f - 0.45f * tier);
        half *= 0.8f + 0.4f * draw_noise(x * 60, y * 40, seed);
        float needle = up > 0.08f ? half : tall * 0.02f;
        float inside = draw_step(needle + canvas->pixel, needle - canvas->pixel, side);
        float light = 0.75f + 0.4f * tier + (x < cx ? 0.15f : -0.1f) +
                      0.4f * (draw_noise(x * 90, y * 90, seed + 1) - 0.5f);
        *DRAW_PIXEL(canvas) = draw_mix(*DRAW_PIXEL(canvas), draw_shade(color, light), inside);
    }
}

void draw_forest(draw_canvas *canvas, draw_chance *chance)
{
    uint32_t seed = seed_of(chance);
    draw_color mist = draw_hsv(draw_between(chance, 0.1f, 0.6f), draw_between(chance, 0.05f, 0.25f),
                               draw_between(chance, 0.7f, 0.95f));
    draw_color leaf = draw_hsv(draw_between(chance, 0.24f, 0.44f),
                               draw_between(chance, 0.4f, 0.65f),
                               draw_between(chance, 0.18f, 0.36f));
    float ground = canvas->height * draw_between(chance, 0.55f, 0.7f);
    draw_gradient(canvas, draw_shade(mist, 0.9f), mist);
    for (int layer = 0; layer < 4; layer++) {
        float nearness = (float)(layer + 1) / 4, tall = canvas->height * (0.28f + 0.42f * nearness);
        float foot = ground + (canvas->height - ground) * nearness * nearness;
        draw_color color = draw_mix(mist, leaf, 0.25f + 0.75f * nearness);
        float step = tall * draw_between(chance, 0.16f, 0.36f);
        for (float x = -step * draw_random(chance); x < canvas->width + step; x += step) {
            float here = x + step * draw_between(chance, -0.3f, 0.3f);
            fir(canvas, here, foot + tall * 0.05f * draw_random(chance),
                tall * draw_between(chance, 0.7f, 1.1f), color, seed++);
        }
        range(canvas, foot + canvas->height * 0.05f, canvas->height * 0.06f,
              draw_shade(color, 0.9f), -1, seed);
    }
}

/* One house block with rows of windows, some of them lit. */
static void block(draw_canvas *canvas, float left, float wide, float top, draw_color wall,
                  draw_color lamp, float lit, uint32_t seed)
{
    float pane = 0.022f + 0.012f * draw_hash(3, 3, seed);
    DRAW_EACH_PIXEL(canvas, x, y)
    {
        if (x < left || x > left + wide || y < top)
            continue;
        float u = (x - left) / pane, v = (y - top) / (pane * 1.5f);
        float own = draw_hash((int)u, (int)v, seed);
        float in_u = fabsf(u - floorf(u) - 0.5f), in_v = fabsf(v - floorf(v) - 0.5f);
        float edge = canvas->pixel / pane;
        float glass = draw_step(0.28f + edge, 0.28f, in_u) * draw_step(0.3f + edge, 0.3f, in_v);
        if (u < 0.6f || u > wide / pane - 0.6f || v < 0.8f)
            glass = 0;
        float light = own < lit ? 0.55f + 0.45f * draw_hash((int)u, (int)v, seed + 1) : 0.06f;
        draw_color color = draw_shade(wall, 1.15f - 0.4f * (x - left) / wide);
        *DRAW_PIXEL(canvas) = draw_mix(color, lamp, glass * light);
    }
}

void draw_city(draw_canvas *canvas, draw_chance *chance)
{
    uint32_t seed = seed_of(chance);
    float height = canvas->height, hue = draw_between(chance, 0.58f, 0.8f);
    draw_color top = draw_hsv(hue, 0.6f, draw_between(chance, 0.05f, 0.16f));
    draw_color low = draw_hsv(hue + draw_between(chance, 0, 0.2f), 0.55f,
                              draw_between(chance, 0.2f, 0.45f));
    draw_gradient(canvas, top, low);
    for (int i = 0; i < 70; i++)
        draw_disc(canvas, draw_between(chance, 0, canvas->width),
                  draw_between(chance, 0, height * 0.6f), canvas->pixel * 0.6f, canvas->pixel,
                  (draw_color){1, 1, 0.95f}, draw_between(chance, 0.1f, 0.9f));
    if (draw_below(chance, 2))
        draw_disc(canvas, draw_between(chance, 0.1f, canvas->width - 0.1f),
                  height * draw_between(chance, 0.08f, 0.25f), draw_between(chance, 0.03f, 0.07f),
                  canvas->pixel * 2, (draw_color){0.98f, 0.96f, 0.86f}, 1);
    for (int layer = 0; layer < 3; layer++) {
        float nearness = (float)layer / 2;
        draw_color wall = draw_shade(
            draw_mix(low, draw_hsv(hue, 0.4f, 0.09f), 0.45f + 0.55f * nearness), 0.8f);
        for (float x = -0.1f; x < canvas->width;) {
            float wide = draw_between(chance, 0.09f, 0.24f) * (0.7f + 0.5f * nearness);
            float roof = height * (0.24f + 0.3f * nearness + draw_between(chance, -0.06f, 0.24f));
            draw_color lamp = draw_hsv(draw_between(chance, 0.08f, 0.16f),
                                       draw_between(chance, 0.2f, 0.6f), 1);
            block(canvas, x, wide, roof, wall, lamp, draw_between(chance, 0.15f, 0.6f), seed++);
            x += wide + draw_between(chance, 0, 0.05f);
        }
    }
}

/* One dune: a smooth crest, its lee side dark, wind ripples on the other. */
static void dune(draw_canvas *canvas, float base, float height, draw_color sand, uint32_t seed)
{
    DRAW_EACH_PIXEL(canvas, x, y)
    {
        float crest = base - height * draw_cloud(x * 1.3f, 0.5f, 2, seed);
        float inside = draw_step(crest - canvas->pixel, crest + canvas->pixel, y);
        if (inside <= 0)
            continue;
        float ahead = base - height * draw_cloud((x + 0.03f) * 1.3f, 0.5f, 2, seed);
        float slope = (ahead - crest) / 0.03f, down = y - crest;
        float bend = draw_noise(x * 5, y * 5, seed + 3);
        float ripple = sinf((y + 0.25f * x) * 150 + bend * 14) * 0.05f * draw_step(0, 0.2f, down);
        float light = 0.95f + 0.45f * slope * expf(-down * 6) + ripple - 0.35f * down;
        light += 0.08f * (draw_noise(x * 120, y * 120, seed + 4) - 0.5f);
        *DRAW_PIXEL(canvas) = draw_mix(*DRAW_PIXEL(canvas), draw_shade(sand, light), inside);
    }
}

void draw_desert(draw_canvas *canvas, draw_chance *chance)
{
    uint32_t seed = seed_of(chance);
    float height = canvas->height;
    draw_color high = draw_hsv(draw_between(chance, 0.53f, 0.62f),
                               draw_between(chance, 0.35f, 0.7f),
                               draw_between(chance, 0.7f, 0.95f));
    draw_color low = draw_hsv(draw_between(chance, 0.04f, 0.14f), 0.22f, 0.98f);
    draw_color sand = draw_hsv(draw_between(chance, 0.05f, 0.11f),
                               draw_between(chance, 0.4f, 0.65f),
                               draw_between(chance, 0.75f, 0.95f));
    draw_gradient(canvas, high, low);
    if (draw_below(chance, 2))
        draw_disc(canvas, draw_between(chance, 0.1f, canvas->width - 0.1f),
                  height * draw_between(chance, 0.08f, 0.3f), draw_between(chance, 0.03f, 0.06f),
                  0.05f, (draw_color){1, 0.98f, 0.88f}, 1);
    int count = 3 + draw_below(chance, 3);
    float first = draw_between(chance, 0.45f, 0.65f);
    for (int i = 0; i < count; i++) {
        float nearness = (float)i / (float)(count - 1);
        draw_color hazy = draw_mix(low, sand, 0.55f + 0.45f * nearness);
        dune(canvas, height * (first + (1.05f - first) * nearness),
             height * (0.18f + 0.15f * nearness), hazy, seed + 10u * (uint32_t)i);
    }
}
