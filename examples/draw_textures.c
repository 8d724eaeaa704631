/* draw_textures.c: surfaces: wood, brick, plaid, checker, stripes, marble, dots, pebbles. */
#include "draw.h"

#include <math.h>

/* A plane turned by a random angle, so that x runs along the pattern. */
typedef struct turned {
    float cosine, sine;
} turned;

static turned turn(draw_chance *chance, float degrees_max)
{
    float angle = draw_between(chance, -degrees_max, degrees_max) * 0.0174533f;
    return (turned){cosf(angle), sinf(angle)};
}

static float turned_x(turned t, float x, float y)
{
    return x * t.cosine + y * t.sine;
}

static float turned_y(turned t, float x, float y)
{
    return y * t.cosine - x * t.sine;
}

static uint32_t seed_of(draw_chance *chance)
{
    return (uint32_t)draw_below(chance, 1 << 20);
}

/* A square wave between 0 and 1 with edges as wide as a pixel; `share` of a period is 1. */
static float wave(float at, float share, float edge)
{
    float part = at - floorf(at);
    return draw_step(0, edge, part) * draw_step(share + edge, share, part);
}

void draw_wood(draw_canvas *canvas, draw_chance *chance)
{
    uint32_t seed = seed_of(chance);
    turned t = turn(chance, 8);
    int is_upright = draw_below(chance, 2);
    float plank = draw_between(chance, 0.14f, 0.4f), rings = draw_between(chance, 9, 22);
    float hue = draw_between(chance, 0.055f, 0.1f);
    draw_color dark = draw_hsv(hue - 0.02f, 0.65f, draw_between(chance, 0.25f, 0.5f));
    draw_color light = draw_hsv(hue, 0.5f, draw_between(chance, 0.6f, 0.88f));
    DRAW_EACH_PIXEL(canvas, x, y)
    {
        float along = is_upright ? turned_y(t, x, y) : turned_x(t, x, y);
        float across = is_upright ? turned_x(t, x, y) : turned_y(t, x, y);
        int board = (int)floorf(across / plank);
        float own = draw_hash(board, 7, seed);
        float bend = draw_cloud(along * 1.6f + own * 40, across * 5 + own * 9, 3, seed);
        float ring = across * rings + bend * 5;
        ring -= floorf(ring);
        float fibre = draw_noise(along * 9, across * 190, seed + 9);
        float tone = 0.7f * draw_step(0, 0.85f, ring) * draw_step(1, 0.9f, ring) + 0.3f * fibre;
        float seam = fabsf(across / plank - (float)board - 0.5f);
        draw_color color = draw_mix(dark, light, tone * 0.75f + own * 0.25f);
        *DRAW_PIXEL(canvas) = draw_shade(color, 0.35f + 0.65f * draw_step(0.5f, 0.475f, seam));
    }
}

void draw_brick(draw_canvas *canvas, draw_chance *chance)
{
    uint32_t seed = seed_of(chance);
    turned t = turn(chance, 6);
    float high = draw_between(chance, 0.07f, 0.16f), wide = high * draw_between(chance, 2, 3);
    float joint = draw_between(chance, 0.05f, 0.11f);
    draw_color clay = draw_hsv(draw_between(chance, 0.0f, 0.09f), draw_between(chance, 0.35f, 0.7f),
                               draw_between(chance, 0.45f, 0.8f));
    draw_color mortar = draw_hsv(0.1f, 0.1f, draw_between(chance, 0.35f, 0.85f));
    DRAW_EACH_PIXEL(canvas, x, y)
    {
        float v = turned_y(t, x, y) / high + 50;
        int course = (int)v;
        float u = turned_x(t, x, y) / wide + 50 + (course % 2 ? 0.5f : 0);
        float own = draw_hash((int)u, course, seed);
        float edge_u = (0.5f - fabsf(u - floorf(u) - 0.5f)) * wide / high;
        float edge_v = 0.5f - fabsf(v - floorf(v) - 0.5f);
        float rough = draw_cloud(x * 26, y * 26, 4, seed);
        float edge = fminf(edge_u, edge_v) + (rough - 0.5f) * 0.05f;
        float inside = draw_step(joint, joint + 0.05f, edge);
        float light = 0.72f + 0.3f * own + 0.35f * (rough - 0.5f);
        float upper = v - floorf(v) < 0.5f ? 1.12f : 0.86f; /* the light comes from above */
        float bevel = draw_step(joint + 0.16f, joint + 0.02f, edge);
        draw_color brick = draw_shade(clay, light * (1 + (upper - 1) * bevel));
        *DRAW_PIXEL(canvas) = draw_mix(draw_shade(mortar, 0.75f + 0.4f * rough), brick, inside);
    }
}

/* The thread colour of a plaid at one place of its sett. */
static draw_color thread(const draw_color colors[3], float at, float edge)
{
    draw_color color = draw_mix(colors[0], colors[1], wave(at, 0.38f, edge));
    color = draw_mix(color, colors[2], wave(at + 0.62f, 0.05f, edge));
    return draw_mix(color, colors[2], wave(at + 0.78f, 0.05f, edge));
}

void draw_plaid(draw_canvas *canvas, draw_chance *chance)
{
    uint32_t seed = seed_of(chance);
    turned t = turn(chance, 45);
    float size = draw_between(chance, 0.18f, 0.45f), edge = canvas->pixel / size * 1.2f;
    float weave = draw_between(chance, 110, 170);
    draw_color colors[3] = {draw_any_bright(chance), draw_any_dark(chance), draw_any_pale(chance)};
    DRAW_EACH_PIXEL(canvas, x, y)
    {
        float u = turned_x(t, x, y), v = turned_y(t, x, y);
        draw_color warp = thread(colors, u / size + 30, edge);
        draw_color weft = thread(colors, v / size + 30, edge);
        float twill = 0.5f + 0.5f * sinf((u + v) * weave);
        float fold = 0.85f + 0.3f * draw_cloud(x * 2, y * 2, 3, seed);
        *DRAW_PIXEL(canvas) = draw_shade(draw_mix(warp, weft, 0.25f + 0.5f * twill), fold);
    }
}

void draw_checker(draw_canvas *canvas, draw_chance *chance)
{
    uint32_t seed = seed_of(chance);
    turned t = turn(chance, 45);
    float size = draw_between(chance, 0.08f, 0.26f), stretch = draw_between(chance, 0.8f, 1.25f);
    draw_color light = draw_any_pale(chance);
    draw_color dark = draw_below(chance, 2) ? draw_any_dark(chance) : draw_any_bright(chance);
    DRAW_EACH_PIXEL(canvas, x, y)
    {
        float u = turned_x(t, x, y) / size, v = turned_y(t, x, y) / (size * stretch);
        float edge = canvas->pixel / size;
        float odd_u = wave(u * 0.5f + 40, 0.5f, edge), odd_v = wave(v * 0.5f + 40, 0.5f, edge);
        float share = odd_u + odd_v - 2 * odd_u * odd_v;
        float tile = 0.94f + 0.1f * draw_hash((int)floorf(u), (int)floorf(v), seed);
        float sheen = 0.82f + 0.36f * draw_cloud(x * 1.5f, y * 1.5f, 2, seed);
        *DRAW_PIXEL(canvas) = draw_shade(draw_mix(dark, light, share), tile * sheen);
    }
}

void draw_stripes(draw_canvas *canvas, draw_chance *chance)
{
    uint32_t seed = seed_of(chance);
    turned t = turn(chance, 90);
    float size = draw_between(chance, 0.08f, 0.3f);
    float bow = draw_below(chance, 3) ? 0 : draw_between(chance, 0.02f, 0.06f);
    float first = draw_between(chance, 0.25f, 0.5f), edge = canvas->pixel / size * 1.2f;
    draw_color ground = draw_any_pale(chance), band = draw_any_bright(chance);
    draw_color line = draw_below(chance, 2) ? draw_any_dark(chance) : band;
    DRAW_EACH_PIXEL(canvas, x, y)
    {
        float along = turned_x(t, x, y);
        float at = (turned_y(t, x, y) + bow * sinf(along * 7)) / size + 60;
        draw_color color = draw_mix(ground, band, wave(at, first, edge));
        color = draw_mix(color, line, wave(at + 0.25f, 0.12f, edge));
        float light = 0.85f + 0.3f * draw_cloud(x * 2, y * 2, 3, seed);
        *DRAW_PIXEL(canvas) = draw_shade(color, light);
    }
}

void draw_marble(draw_canvas *canvas, draw_chance *chance)
{
    uint32_t seed = seed_of(chance);
    turned t = turn(chance, 90);
    float veins = draw_between(chance, 3, 7), swirl = draw_between(chance, 1.2f, 2.4f);
    int is_dark = draw_below(chance, 3) == 0;
    draw_color stone = is_dark ? draw_any_dark(chance) : draw_any_pale(chance);
    draw_color vein = is_dark ? draw_any_pale(chance) : draw_shade(draw_any_dark(chance), 1.3f);
    DRAW_EACH_PIXEL(canvas, x, y)
    {
        float u = turned_x(t, x, y), v = turned_y(t, x, y);
        float warp = draw_cloud(u * 3, v * 3, 5, seed);
        float wide = fabsf(sinf((u * veins + warp * swirl * 4) * 1.6f));
        float fine = fabsf(sinf((v * veins * 0.7f - warp * swirl * 7 + u) * 2.3f));
        float share = 0.75f * powf(1 - wide, 3) + 0.5f * powf(1 - fine, 9);
        float haze = draw_cloud(u * 5 + 9, v * 5, 4, seed + 33);
        draw_color color = draw_mix(stone, vein, fminf(share * (0.5f + haze), 1));
        *DRAW_PIXEL(canvas) = draw_shade(color, 0.88f + 0.2f * haze);
    }
}

void draw_dots(draw_canvas *canvas, draw_chance *chance)
{
    uint32_t seed = seed_of(chance);
    turned t = turn(chance, 45);
    float size = draw_between(chance, 0.09f, 0.24f), radius = draw_between(chance, 0.22f, 0.36f);
    int is_staggered = draw_below(chance, 2);
    draw_color ground = draw_below(chance, 2) ? draw_any_pale(chance) : draw_any_dark(chance);
    draw_color dot = draw_any_bright(chance), other = draw_any_bright(chance);
    int is_mixed = draw_below(chance, 3) == 0;
    DRAW_EACH_PIXEL(canvas, x, y)
    {
        float v = turned_y(t, x, y) / size + 50;
        float u = turned_x(t, x, y) / size + 50 + (is_staggered && (int)v % 2 ? 0.5f : 0);
        float apart = hypotf(u - floorf(u) - 0.5f, v - floorf(v) - 0.5f);
        float inside = draw_step(radius + canvas->pixel / size, radius - canvas->pixel / size,
                                 apart);
        float own = draw_hash((int)u, (int)v, seed);
        draw_color color = draw_mix(ground, is_mixed && own < 0.5f ? other : dot, inside);
        *DRAW_PIXEL(canvas) = draw_shade(color, 0.85f + 0.3f * draw_cloud(x * 2, y * 2, 3, seed));
    }
}

/* What lies at a place of a bed of pebbles: the nearest stone, and how far its edge is. */
typedef struct pebble {
    float own;    /* the stone's own number */
    float edge;   /* 0 at the edge */
    float dx, dy; /* from its centre */
} pebble;

static pebble nearest_pebble(float u, float v, uint32_t seed)
{
    pebble found = {0, 0, 0, 0};
    float first = 9, second = 9;
    int column = (int)floorf(u), row = (int)floorf(v);
    for (int j = row - 1; j <= row + 1; j++) {
        for (int i = column - 1; i <= column + 1; i++) {
            float dx = u - ((float)i + 0.15f + 0.7f * draw_hash(i, j, seed));
            float dy = v - ((float)j + 0.15f + 0.7f * draw_hash(i, j, seed + 1));
            float apart = hypotf(dx, dy);
            if (apart < first) {
                second = first;
                first = apart;
                found = (pebble){draw_hash(i, j, seed + 2), 0, dx, dy};
            } else if (apart < second) {
                second = apart;
            }
        }
    }
    found.edge = second - first;
    return found;
}

void draw_pebbles(draw_canvas *canvas, draw_chance *chance)
{
    uint32_t seed = seed_of(chance);
    float size = draw_between(chance, 0.08f, 0.2f), stretch = draw_between(chance, 0.7f, 1.3f);
    draw_color stone = draw_hsv(draw_between(chance, 0.02f, 0.62f),
                                draw_between(chance, 0.05f, 0.3f),
                                draw_between(chance, 0.5f, 0.8f));
    draw_color other = draw_hsv(draw_between(chance, 0.05f, 0.12f), 0.25f, 0.6f);
    draw_color gap = draw_shade(stone, 0.2f);
    DRAW_EACH_PIXEL(canvas, x, y)
    {
        float bend = draw_cloud(x * 9, y * 9, 2, seed + 5) * 0.35f;
        pebble p = nearest_pebble(x / size + bend + 50, y / (size * stretch) + bend + 50, seed);
        float inside = draw_step(0.04f, 0.16f, p.edge);
        float round = draw_step(0, 0.5f, p.edge);
        float light = 0.6f + 0.3f * round - 0.3f * (p.dx + p.dy) + 0.3f * (p.own - 0.5f);
        float grain = 0.85f + 0.3f * draw_cloud(x * 40, y * 40, 3, seed + 8);
        draw_color color = draw_shade(draw_mix(stone, other, p.own), light * grain * 1.25f);
        *DRAW_PIXEL(canvas) = draw_mix(gap, color, inside);
    }
}
