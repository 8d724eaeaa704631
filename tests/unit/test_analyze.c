/* test_analyze.c: attributes of pictures whose colours, light and shapes are known. */
#include "testing.h"

#include "analyze/analyze.h"
#include "analyze/inside.h"
#include "base/alloc.h"
#include "decode/decode.h"

#include <math.h>

typedef struct drawn {
    ir_picture picture;
    uint8_t *rgb;
} drawn;

static drawn draw(uint32_t width, uint32_t height)
{
    drawn out = {.rgb = calloc((size_t)width * height, 3)};
    out.picture = (ir_picture){.width = width,
                               .height = height,
                               .source_width = width,
                               .source_height = height,
                               .format = "pixels",
                               .rgb = out.rgb};
    return out;
}

static void fill(drawn *to, uint32_t x0, uint32_t y0, uint32_t x1, uint32_t y1, uint32_t color)
{
    for (uint32_t y = y0; y < y1; y++)
        for (uint32_t x = x0; x < x1; x++) {
            uint8_t *pixel = to->rgb + 3 * ((size_t)y * to->picture.width + x);
            pixel[0] = (uint8_t)(color >> 16);
            pixel[1] = (uint8_t)(color >> 8);
            pixel[2] = (uint8_t)color;
        }
}

static imgret_attributes analyze(const drawn *given)
{
    imgret_attributes out;
    ir_analyzer *analyzer = NULL;
    assert_int_equal(ir_analyze(&analyzer, &given->picture, &out, NULL), IMGRET_OK);
    ir_analyzer_free(analyzer);
    return out;
}

static imgret_attributes analyze_plain(uint32_t color)
{
    drawn picture = draw(50, 40);
    fill(&picture, 0, 0, 50, 40, color);
    imgret_attributes out = analyze(&picture);
    free(picture.rgb);
    return out;
}

#define assert_near(value, wanted, tolerance) \
    assert_true(fabs((double)(value) - (double)(wanted)) <= (tolerance))

static void a_plain_picture_is_one_colour(void **state)
{
    (void)state;
    static const struct {
        uint32_t rgb, name;
    } known[] = {
        {0x000000, IMGRET_COLOR_BLACK},  {0x808080, IMGRET_COLOR_GREY},
        {0xFFFFFF, IMGRET_COLOR_WHITE},  {0xFF0000, IMGRET_COLOR_RED},
        {0xFFA500, IMGRET_COLOR_ORANGE}, {0xFFFF00, IMGRET_COLOR_YELLOW},
        {0x00A000, IMGRET_COLOR_GREEN},  {0x0000FF, IMGRET_COLOR_BLUE},
        {0x87CEEB, IMGRET_COLOR_BLUE},   {0x800080, IMGRET_COLOR_PURPLE},
        {0xFF69B4, IMGRET_COLOR_PINK},   {0x8B4513, IMGRET_COLOR_BROWN},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        imgret_attributes found = analyze_plain(known[i].rgb);
        assert_int_equal(found.swatch_count, 1);
        assert_int_equal(found.swatches[0].color, known[i].name);
        assert_int_equal(found.swatches[0].red, known[i].rgb >> 16);
        assert_int_equal(found.swatches[0].green, known[i].rgb >> 8 & 255);
        assert_int_equal(found.swatches[0].blue, known[i].rgb & 255);
        assert_near(found.swatches[0].share, 1, 1e-6);
        assert_near(found.color_shares[known[i].name], 1, 1e-6);
        assert_near(found.contrast, 0, 1e-3);
        assert_near(found.sharpness, 0, 1e-3);
        assert_true(found.perceptual_hash == 0);
    }
}

/* Values of CIELAB from the standard's formulas. */
static void light_and_chroma_are_those_of_cielab(void **state)
{
    (void)state;
    assert_near(analyze_plain(0xFFFFFF).brightness, 100, 0.05);
    assert_near(analyze_plain(0x000000).brightness, 0, 0.05);
    assert_near(analyze_plain(0x777777).brightness, 50.03, 0.1);
    imgret_attributes red = analyze_plain(0xFF0000), blue = analyze_plain(0x0000FF);
    assert_near(red.brightness, 53.24, 0.1);
    assert_near(red.saturation, 104.55, 0.5);
    assert_near(blue.brightness, 32.30, 0.1);
    assert_near(blue.saturation, 133.81, 0.5);
    assert_near(analyze_plain(0x808080).saturation, 0, 0.2);
    assert_true(red.warmth > 0.8);
    assert_true(blue.warmth < -0.2);
    assert_true(analyze_plain(0x87CEEB).warmth < -0.7);
    assert_near(analyze_plain(0x808080).warmth, 0, 0.05);
}

static void shares_are_those_of_the_area(void **state)
{
    (void)state;
    drawn picture = draw(400, 200);
    fill(&picture, 0, 0, 400, 200, 0xFFFFFF);
    fill(&picture, 0, 0, 240, 200, 0x0000FF);
    fill(&picture, 240, 0, 320, 200, 0xFF0000);
    imgret_attributes found = analyze(&picture);
    assert_int_equal(found.swatch_count, 3);
    assert_int_equal(found.swatches[0].color, IMGRET_COLOR_BLUE);
    assert_near(found.swatches[0].share, 0.6, 0.02);
    assert_near(found.color_shares[IMGRET_COLOR_BLUE], 0.6, 0.02);
    assert_near(found.color_shares[IMGRET_COLOR_RED], 0.2, 0.02);
    assert_near(found.color_shares[IMGRET_COLOR_WHITE], 0.2, 0.02);
    float sum = 0;
    for (int i = 0; i < IMGRET_COLOR_COUNT; i++)
        sum += found.color_shares[i];
    assert_near(sum, 1, 1e-4);
    free(picture.rgb);
}

static void contrast_and_sharpness_grow_with_edges(void **state)
{
    (void)state;
    drawn half = draw(128, 128), checks = draw(128, 128);
    fill(&half, 0, 0, 128, 128, 0xFFFFFF);
    fill(&half, 0, 0, 64, 128, 0x000000);
    for (uint32_t y = 0; y < 128; y += 4)
        for (uint32_t x = 0; x < 128; x += 4)
            fill(&checks, x, y, x + 4, y + 4, (x + y) / 4 % 2 ? 0xFFFFFF : 0);
    imgret_attributes a = analyze(&half), b = analyze(&checks);
    assert_near(a.contrast, 50, 0.1);
    assert_near(b.contrast, 50, 0.1);
    assert_true(a.sharpness > 1 && b.sharpness > 4 * a.sharpness);
    free(half.rgb);
    free(checks.rgb);
}

/* Every size, also one pixel and thin lines, is measured within its memory. */
static void every_size_is_measured(void **state)
{
    (void)state;
    static const uint32_t sizes[][2] = {{1, 1},     {1, 500},   {500, 1},  {2, 3},    {127, 129},
                                        {128, 128}, {129, 127}, {1000, 7}, {640, 480}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        drawn picture = draw(sizes[i][0], sizes[i][1]);
        fill(&picture, 0, 0, sizes[i][0], sizes[i][1], 0xC03020);
        imgret_attributes found = analyze(&picture);
        assert_int_equal(found.swatches[0].red, 0xC0);
        assert_int_equal(found.swatches[0].green, 0x30);
        assert_int_equal(found.swatches[0].blue, 0x20);
        assert_near(found.contrast, 0, 0.01);
        free(picture.rgb);
    }
}

static void averages_are_the_means_of_areas(void **state)
{
    (void)state;
    float plane[6] = {1, 2, 3, 4, 5, 6}, out[4], wide[12];
    ir_small_average(plane, 3, 2, out, 1, 1);
    assert_near(out[0], 3.5, 1e-5);
    ir_small_average(plane, 3, 2, out, 2, 2); /* 1.5 pixels a cell */
    assert_near(out[0], (1 + 2 * 0.5) / 1.5, 1e-5);
    assert_near(out[3], (5 * 0.5 + 6) / 1.5, 1e-5);
    ir_small_average(plane, 3, 2, wide, 6, 2); /* cells smaller than pixels */
    assert_near(wide[0], 1, 1e-5);
    assert_near(wide[1], 1, 1e-5);
    assert_near(wide[11], 6, 1e-5);
}

static void noise(drawn *to, uint32_t seed)
{
    for (uint32_t y = 0; y < to->picture.height; y += 20)
        for (uint32_t x = 0; x < to->picture.width; x += 20) {
            seed = seed * 1664525u + 1013904223u;
            fill(to, x, y, x + 20, y + 20, seed >> 8);
        }
}

static int bits_apart(uint64_t a, uint64_t b)
{
    return __builtin_popcountll(a ^ b);
}

static void the_hash_tells_pictures_apart_but_not_copies(void **state)
{
    (void)state;
    drawn first = draw(320, 240), second = draw(320, 240), small = draw(160, 120);
    noise(&first, 1);
    noise(&second, 2);
    for (uint32_t y = 0; y < 120; y++)
        for (uint32_t x = 0; x < 160; x++)
            for (uint32_t c = 0; c < 3; c++) { /* every second pixel, and darker */
                uint32_t value = first.rgb[3 * ((size_t)2 * y * 320 + 2 * x) + c];
                small.rgb[3 * ((size_t)y * 160 + x) + c] = (uint8_t)(value * 9 / 10);
            }
    uint64_t a = analyze(&first).perceptual_hash, b = analyze(&second).perceptual_hash;
    uint64_t copy = analyze(&small).perceptual_hash;
    assert_true(bits_apart(a, copy) <= 6);
    assert_true(bits_apart(a, b) >= 16);
    free(first.rgb);
    free(second.rgb);
    free(small.rgb);
}

static void no_memory_is_told(void **state)
{
    (void)state;
    drawn picture = draw(300, 200);
    for (uint64_t n = 1; n <= 2; n++) {
        ir_analyzer *analyzer = NULL;
        imgret_attributes out;
        imgret_error error = IMGRET_ERROR_INIT;
        ir_alloc_fail_after(n);
        assert_int_equal(ir_analyze(&analyzer, &picture.picture, &out, &error), IMGRET_NO_MEMORY);
        ir_alloc_fail_after(0);
        ir_analyzer_free(analyzer);
    }
    free(picture.rgb);
}

/* A photograph decoded at full size and scaled down has about the same attributes. */
static void scaled_decoding_changes_little(void **state)
{
    (void)state;
    char path[512];
    if (!test_data(path, sizeof path, "images/corel/beaches/100.jpg"))
        skip();
    FILE *file = fopen(path, "rb");
    static uint8_t data[1 << 20];
    size_t bytes = fread(data, 1, sizeof data, file);
    fclose(file);
    imgret_attributes found[2];
    for (uint32_t i = 0; i < 2; i++) {
        ir_decode_options options = {.width_min = i ? 160 : 0, .height_min = i ? 160 : 0};
        assert_int_equal(ir_decode_limits(&options.limits, NULL, NULL), IMGRET_OK);
        drawn picture = {0};
        assert_int_equal(ir_decode(data, bytes, &options, &picture.picture, NULL), IMGRET_OK);
        found[i] = analyze(&picture);
        ir_picture_free(&picture.picture);
    }
    assert_near(found[0].brightness, found[1].brightness, 0.5);
    assert_near(found[0].saturation, found[1].saturation, 1.0);
    assert_true(bits_apart(found[0].perceptual_hash, found[1].perceptual_hash) <= 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_picture_is_one_colour),
        cmocka_unit_test(light_and_chroma_are_those_of_cielab),
        cmocka_unit_test(shares_are_those_of_the_area),
        cmocka_unit_test(contrast_and_sharpness_grow_with_edges),
        cmocka_unit_test(every_size_is_measured),
        cmocka_unit_test(averages_are_the_means_of_areas),
        cmocka_unit_test(the_hash_tells_pictures_apart_but_not_copies),
        cmocka_unit_test(no_memory_is_told),
        cmocka_unit_test(scaled_decoding_changes_little),
    };
    return cmocka_run_group_tests_name("analyze", tests, NULL, NULL);
}
