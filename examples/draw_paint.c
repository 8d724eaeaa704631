/* draw_paint.c: the painter's tools: chance, colours, noise, gradients and discs. */
#include "draw.h"

#include <math.h>

float draw_random(draw_chance *chance)
{
    uint64_t bits = chance->state += 0x9E3779B97F4A7C15u;
    bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9u;
    bits = (bits ^ bits >> 27) * 0x94D049BB133111EBu;
    return (float)((bits ^ bits >> 31) >> 40) * 0x1p-24f;
}

float draw_between(draw_chance *chance, float low, float high)
{
    return low + (high - low) * draw_random(chance);
}

int draw_below(draw_chance *chance, int count)
{
    return (int)(draw_random(chance) * (float)count);
}

draw_color draw_hsv(float hue, float saturation, float value)
{
    float part = (hue - floorf(hue)) * 6, rise = part - floorf(part);
    float low = value * (1 - saturation);
    float falling = value * (1 - saturation * rise), rising = value * (1 - saturation * (1 - rise));
    switch ((int)part) {
    case 0:
        return (draw_color){value, rising, low};
    case 1:
        return (draw_color){falling, value, low};
    case 2:
        return (draw_color){low, value, rising};
    case 3:
        return (draw_color){low, falling, value};
    case 4:
        return (draw_color){rising, low, value};
    default:
        return (draw_color){value, low, falling};
    }
}

draw_color draw_mix(draw_color a, draw_color b, float share_of_b)
{
    return (draw_color){a.r + (b.r - a.r) * share_of_b, a.g + (b.g - a.g) * share_of_b,
                        a.b + (b.b - a.b) * share_of_b};
}

draw_color draw_shade(draw_color color, float factor)
{
    return (draw_color){color.r * factor, color.g * factor, color.b * factor};
}

draw_color draw_any_bright(draw_chance *chance)
{
    float hue = draw_random(chance), saturation = draw_between(chance, 0.45f, 0.85f);
    return draw_hsv(hue, saturation, draw_between(chance, 0.6f, 0.95f));
}

draw_color draw_any_pale(draw_chance *chance)
{
    float hue = draw_random(chance), saturation = draw_between(chance, 0.03f, 0.25f);
    return draw_hsv(hue, saturation, draw_between(chance, 0.8f, 0.97f));
}

draw_color draw_any_dark(draw_chance *chance)
{
    float hue = draw_random(chance), saturation = draw_between(chance, 0.2f, 0.7f);
    return draw_hsv(hue, saturation, draw_between(chance, 0.12f, 0.35f));
}

float draw_step(float low, float high, float value)
{
    float part = (value - low) / (high - low);
    part = part < 0 ? 0 : part > 1 ? 1 : part;
    return part * part * (3 - 2 * part);
}

float draw_hash(int x, int y, uint32_t seed)
{
    uint32_t bits = (uint32_t)x * 0x8DA6B343u ^ (uint32_t)y * 0xD8163841u ^ seed * 0xCB1AB31Fu;
    bits = (bits ^ bits >> 15) * 0x2C1B3C6Du;
    bits = (bits ^ bits >> 12) * 0x297A2D39u;
    return (float)((bits ^ bits >> 15) >> 8) * 0x1p-24f;
}

float draw_noise(float x, float y, uint32_t seed)
{
    float left = floorf(x), top = floorf(y);
    int column = (int)left, row = (int)top;
    float u = x - left, v = y - top;
    u = u * u * (3 - 2 * u);
    v = v * v * (3 - 2 * v);
    float a = draw_hash(column, row, seed), b = draw_hash(column + 1, row, seed);
    float c = draw_hash(column, row + 1, seed), d = draw_hash(column + 1, row + 1, seed);
    return a + (b - a) * u + (c - a) * v + (a - b - c + d) * u * v;
}

float draw_cloud(float x, float y, int octaves, uint32_t seed)
{
    float sum = 0, weight = 0.5f, weights = 0;
    for (int i = 0; i < octaves; i++) {
        sum += weight * draw_noise(x, y, seed + (uint32_t)i);
        weights += weight;
        weight *= 0.5f;
        x = x * 2.03f + 17.1f;
        y = y * 2.03f + 5.7f;
    }
    return sum / weights;
}

void draw_gradient(draw_canvas *canvas, draw_color top, draw_color bottom)
{
    for (int row = 0; row < canvas->height_px; row++) {
        draw_color color = draw_mix(top, bottom, (float)row / (float)canvas->height_px);
        for (int column = 0; column < canvas->width_px; column++)
            *DRAW_PIXEL(canvas) = color;
    }
}

void draw_disc(draw_canvas *canvas, float x, float y, float radius, float soft, draw_color color,
               float share)
{
    float reach = radius + soft;
    int first_row = (int)((y - reach) / canvas->pixel),
        last_row = (int)((y + reach) / canvas->pixel);
    int first = (int)((x - reach) / canvas->pixel), last = (int)((x + reach) / canvas->pixel);
    first_row = first_row < 0 ? 0 : first_row;
    first = first < 0 ? 0 : first;
    for (int row = first_row; row <= last_row && row < canvas->height_px; row++) {
        for (int column = first; column <= last && column < canvas->width_px; column++) {
            float dx = ((float)column + 0.5f) * canvas->pixel - x;
            float dy = ((float)row + 0.5f) * canvas->pixel - y;
            float part = share * draw_step(reach, radius - canvas->pixel, hypotf(dx, dy));
            draw_color *pixel = DRAW_PIXEL(canvas);
            *pixel = draw_mix(*pixel, color, part);
        }
    }
}
