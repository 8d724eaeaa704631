/* lab.c: sRGB to CIELAB by tables, and the names of colours. */
#include "analyze/analyze.h"
#include "analyze/inside.h"

#include <math.h>
#include <pthread.h>

#define LINEAR_ONE 32768
#define ROOT_SHIFT 3
#define ROOT_COUNT ((LINEAR_ONE >> ROOT_SHIFT) + 1)

/* Colours that most people would call by the name; written as sRGB, 0xRRGGBB. */
static const struct {
    uint32_t rgb;
    uint32_t name;
} samples[] = {
    {0x000000, IMGRET_COLOR_BLACK},  {0x141414, IMGRET_COLOR_BLACK},
    {0x14100c, IMGRET_COLOR_BLACK},  {0x0c1014, IMGRET_COLOR_BLACK},
    {0x3c3c3c, IMGRET_COLOR_GREY},   {0x606060, IMGRET_COLOR_GREY},
    {0x808080, IMGRET_COLOR_GREY},   {0xa0a0a0, IMGRET_COLOR_GREY},
    {0xc0c0c0, IMGRET_COLOR_GREY},   {0xd4d4d4, IMGRET_COLOR_GREY},
    {0x708090, IMGRET_COLOR_GREY},   {0x8c857b, IMGRET_COLOR_GREY},
    {0xffffff, IMGRET_COLOR_WHITE},  {0xf0f0f0, IMGRET_COLOR_WHITE},
    {0xfaf5eb, IMGRET_COLOR_WHITE},  {0xff0000, IMGRET_COLOR_RED},
    {0xdc143c, IMGRET_COLOR_RED},    {0xb22222, IMGRET_COLOR_RED},
    {0x8b0000, IMGRET_COLOR_RED},    {0xc03020, IMGRET_COLOR_RED},
    {0xe04038, IMGRET_COLOR_RED},    {0x5a0a0a, IMGRET_COLOR_RED},
    {0xffa500, IMGRET_COLOR_ORANGE}, {0xff8c00, IMGRET_COLOR_ORANGE},
    {0xff7f50, IMGRET_COLOR_ORANGE}, {0xff5f1f, IMGRET_COLOR_ORANGE},
    {0xe07020, IMGRET_COLOR_ORANGE}, {0xffb060, IMGRET_COLOR_ORANGE},
    {0xffff00, IMGRET_COLOR_YELLOW}, {0xffd700, IMGRET_COLOR_YELLOW},
    {0xf0e68c, IMGRET_COLOR_YELLOW}, {0xfffa9a, IMGRET_COLOR_YELLOW},
    {0xdaa520, IMGRET_COLOR_YELLOW}, {0x00ff00, IMGRET_COLOR_GREEN},
    {0x008000, IMGRET_COLOR_GREEN},  {0x006400, IMGRET_COLOR_GREEN},
    {0x228b22, IMGRET_COLOR_GREEN},  {0x90ee90, IMGRET_COLOR_GREEN},
    {0x6b8e23, IMGRET_COLOR_GREEN},  {0x808000, IMGRET_COLOR_GREEN},
    {0x2e8b57, IMGRET_COLOR_GREEN},  {0x556b2f, IMGRET_COLOR_GREEN},
    {0xadff2f, IMGRET_COLOR_GREEN},  {0x24361c, IMGRET_COLOR_GREEN},
    {0x00fa9a, IMGRET_COLOR_GREEN},  {0x0000ff, IMGRET_COLOR_BLUE},
    {0x000080, IMGRET_COLOR_BLUE},   {0x1e90ff, IMGRET_COLOR_BLUE},
    {0x87ceeb, IMGRET_COLOR_BLUE},   {0x4682b4, IMGRET_COLOR_BLUE},
    {0xadd8e6, IMGRET_COLOR_BLUE},   {0x00ffff, IMGRET_COLOR_BLUE},
    {0x008080, IMGRET_COLOR_BLUE},   {0x40e0d0, IMGRET_COLOR_BLUE},
    {0x191970, IMGRET_COLOR_BLUE},   {0x4169e1, IMGRET_COLOR_BLUE},
    {0x1c2c44, IMGRET_COLOR_BLUE},   {0x800080, IMGRET_COLOR_PURPLE},
    {0x9932cc, IMGRET_COLOR_PURPLE}, {0x8a2be2, IMGRET_COLOR_PURPLE},
    {0x4b0082, IMGRET_COLOR_PURPLE}, {0x7b68ee, IMGRET_COLOR_PURPLE},
    {0x9370db, IMGRET_COLOR_PURPLE}, {0xba55d3, IMGRET_COLOR_PURPLE},
    {0x402048, IMGRET_COLOR_PURPLE}, {0xd0a0e0, IMGRET_COLOR_PURPLE},
    {0xffc0cb, IMGRET_COLOR_PINK},   {0xff69b4, IMGRET_COLOR_PINK},
    {0xff1493, IMGRET_COLOR_PINK},   {0xdb7093, IMGRET_COLOR_PINK},
    {0xff00ff, IMGRET_COLOR_PINK},   {0xc71585, IMGRET_COLOR_PINK},
    {0xf4a0a0, IMGRET_COLOR_PINK},   {0xeed0d8, IMGRET_COLOR_PINK},
    {0x8b4513, IMGRET_COLOR_BROWN},  {0xa0522d, IMGRET_COLOR_BROWN},
    {0x654321, IMGRET_COLOR_BROWN},  {0xd2b48c, IMGRET_COLOR_BROWN},
    {0xcd853f, IMGRET_COLOR_BROWN},  {0x3c2414, IMGRET_COLOR_BROWN},
    {0x967117, IMGRET_COLOR_BROWN},  {0xa08060, IMGRET_COLOR_BROWN},
};

#define SAMPLE_COUNT (sizeof samples / sizeof samples[0])

static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint32_t linear[256];   /* sRGB byte -> linear light, LINEAR_ONE is 1 (IEC 61966-2-1) */
static float root[ROOT_COUNT]; /* linear light -> f(t) of CIELAB */
static ir_lab sample_labs[SAMPLE_COUNT];
static uint8_t cell_names[IR_PALETTE_CELLS];

static uint32_t mix(uint32_t r, uint32_t g, uint32_t b, uint32_t wr, uint32_t wg, uint32_t wb)
{
    return (r * wr + g * wg + b * wb + (LINEAR_ONE << (ROOT_SHIFT - 1))) / LINEAR_ONE >> ROOT_SHIFT;
}

/* CIE XYZ of linear sRGB, each row divided by its white (D65), times 32,768. */
static ir_lab convert(const uint8_t rgb[3])
{
    uint32_t r = linear[rgb[0]], g = linear[rgb[1]], b = linear[rgb[2]];
    float x = root[mix(r, g, b, 14220, 12327, 6221)];
    float y = root[mix(r, g, b, 6969, 23434, 2365)];
    float z = root[mix(r, g, b, 582, 3587, 28599)];
    return (ir_lab){116.0f * y - 16.0f, 500.0f * (x - y), 200.0f * (y - z)};
}

static uint32_t nearest_name(ir_lab lab)
{
    size_t best = 0;
    float least = INFINITY;
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        float light = lab.light - sample_labs[i].light;
        float a = lab.a - sample_labs[i].a, b = lab.b - sample_labs[i].b;
        float distance = light * light + a * a + b * b;
        if (distance < least) {
            least = distance;
            best = i;
        }
    }
    return samples[best].name;
}

static void fill_tables(void)
{
    for (int i = 0; i < 256; i++) {
        double value = i / 255.0;
        value = value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4);
        linear[i] = (uint32_t)(value * LINEAR_ONE + 0.5);
    }
    for (int i = 0; i < ROOT_COUNT; i++) {
        double value = i / (double)(ROOT_COUNT - 1);
        root[i] = (float)(value > 216.0 / 24389.0 ? cbrt(value)
                                                  : (24389.0 / 27.0 * value + 16.0) / 116.0);
    }
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        uint32_t sample = samples[i].rgb;
        uint8_t rgb[3] = {(uint8_t)(sample >> 16), (uint8_t)(sample >> 8), (uint8_t)sample};
        sample_labs[i] = convert(rgb);
    }
    for (uint32_t i = 0; i < IR_PALETTE_CELLS; i++) {
        uint8_t rgb[3] = {(uint8_t)((i >> 8) * 17), (uint8_t)((i >> 4 & 15) * 17),
                          (uint8_t)((i & 15) * 17)};
        cell_names[i] = (uint8_t)nearest_name(convert(rgb));
    }
}

ir_lab ir_lab_of(const uint8_t rgb[3])
{
    pthread_once(&once, fill_tables);
    return convert(rgb);
}

void ir_lab_lights(const uint8_t *rgb, uint32_t count, float *out)
{
    pthread_once(&once, fill_tables);
    for (uint32_t i = 0; i < count; i++, rgb += 3) {
        uint32_t r = linear[rgb[0]], g = linear[rgb[1]], b = linear[rgb[2]];
        out[i] = 116.0f * root[mix(r, g, b, 6969, 23434, 2365)] - 16.0f;
    }
}

uint32_t ir_lab_name(ir_lab lab)
{
    pthread_once(&once, fill_tables);
    return nearest_name(lab);
}

uint32_t ir_lab_cell_name(uint32_t cell)
{
    pthread_once(&once, fill_tables);
    return cell_names[cell];
}

const char *imgret_color_name(uint32_t color)
{
    static const char *const names[IMGRET_COLOR_COUNT] = {"black",  "grey",   "white", "red",
                                                          "orange", "yellow", "green", "blue",
                                                          "purple", "pink",   "brown"};
    return color < IMGRET_COLOR_COUNT ? names[color] : NULL;
}

void ir_analyze_lab(const uint8_t rgb[3], float lab[3])
{
    ir_lab of = ir_lab_of(rgb);
    lab[0] = of.light;
    lab[1] = of.a;
    lab[2] = of.b;
}
