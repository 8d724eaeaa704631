/* test_classic.c: the weightless descriptor: what it must not mind, what it must tell apart. */
#include "testing.h"

#include "extract/extract.h"
#include "extract/preprocess.h"

#include <imgret/backend.h>

#include <math.h>
#include <pthread.h>

enum { DIMENSION = 492, INPUT_BYTES = 3 * 128 * 128 };

/* Of the vector of fill_pattern; see vectors_are_the_same_on_every_machine. */
#define FINGERPRINT 0x88ad417f6f423810u

static ir_extractor *classic;

static int open_classic(void **state)
{
    (void)state;
    return ir_extractor_open(&classic, "classic", NULL, 1, NULL);
}

static int close_classic(void **state)
{
    (void)state;
    ir_extractor_close(classic);
    return 0;
}

static void extract(const ir_picture *picture, float out[DIMENSION])
{
    static uint8_t prepared[INPUT_BYTES];
    assert_int_equal(ir_extractor_prepare(classic, picture, prepared, NULL), 0);
    assert_int_equal(ir_extractor_run(classic, prepared, 1, out, NULL), 0);
    for (int i = 0; i < DIMENSION; i++)
        assert_true(isfinite(out[i]));
}

static double cosine(const float *a, const float *b)
{
    double dot = 0.0, aa = 0.0, bb = 0.0;
    for (int i = 0; i < DIMENSION; i++) {
        dot += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return dot / sqrt(aa * bb);
}

static ir_picture make_picture(uint32_t width, uint32_t height)
{
    ir_picture picture = {.width = width, .height = height};
    picture.rgb = calloc((size_t)width * height, 3);
    assert_non_null(picture.rgb);
    return picture;
}

static ir_picture plain(uint32_t width, uint32_t height, uint8_t r, uint8_t g, uint8_t b)
{
    ir_picture picture = make_picture(width, height);
    for (size_t i = 0; i < (size_t)width * height; i++) {
        picture.rgb[3 * i] = r;
        picture.rgb[3 * i + 1] = g;
        picture.rgb[3 * i + 2] = b;
    }
    return picture;
}

static uint8_t to_byte(double value)
{
    return (uint8_t)(value < 0.0 ? 0.0 : value > 255.0 ? 255.0 : value);
}

/* A landscape of sorts: a sky that fades, hills, stripes of grass; `kind` 1 is a brick wall. */
static ir_picture scene(uint32_t width, uint32_t height, int kind)
{
    ir_picture picture = make_picture(width, height);
    for (uint32_t py = 0; py < height; py++)
        for (uint32_t px = 0; px < width; px++) {
            double x = (px + 0.5) / width, y = (py + 0.5) / height;
            uint8_t *pixel = picture.rgb + 3 * ((size_t)py * width + px);
            if (kind == 1) {
                double row = floor(y * 12.0);
                double across = x * 6.0 + 0.5 * fmod(row, 2.0);
                int mortar = fmod(y * 12.0, 1.0) < 0.15 || fmod(across, 1.0) < 0.08;
                pixel[0] = mortar ? 200 : 160;
                pixel[1] = mortar ? 195 : 70;
                pixel[2] = mortar ? 190 : 50;
            } else if (y < 0.5 + 0.12 * sin(9.0 * x)) {
                pixel[0] = to_byte(90.0 + 100.0 * y);
                pixel[1] = to_byte(150.0 + 80.0 * y);
                pixel[2] = 235;
            } else {
                double blade = 30.0 * sin(40.0 * x + 10.0 * y);
                pixel[0] = to_byte(60.0 + blade);
                pixel[1] = to_byte(140.0 + blade - 60.0 * y);
                pixel[2] = 40;
            }
        }
    return picture;
}

static ir_picture mirrored(const ir_picture *picture)
{
    ir_picture out = make_picture(picture->width, picture->height);
    for (uint32_t y = 0; y < picture->height; y++)
        for (uint32_t x = 0; x < picture->width; x++)
            memcpy(out.rgb + 3 * ((size_t)y * out.width + out.width - 1 - x),
                   picture->rgb + 3 * ((size_t)y * out.width + x), 3);
    return out;
}

static ir_picture shrunk(const ir_picture *picture, uint32_t width, uint32_t height)
{
    ir_picture out = make_picture(width, height);
    ir_resize resize = {picture->width, picture->height,      width, height, 0, 0, width,
                        height,         IMGRET_FILTER_BICUBIC};
    assert_int_equal(ir_resize_rgb(&resize, picture->rgb, out.rgb, NULL), 0);
    return out;
}

static void it_describes_itself(void **state)
{
    (void)state;
    const ir_extractor_info *info = ir_extractor_get_info(classic);
    assert_int_equal(info->dimension, DIMENSION);
    assert_int_equal(ir_extractor_input_bytes(classic), INPUT_BYTES);
    assert_int_equal(info->decode_width_min, 160);
    assert_string_equal(info->backend, "classic");
    assert_string_equal(info->identity,
                        "classic=1;resize=squash:128x128;filter=bilinear;dimension=492");
}

static void the_same_picture_in_another_size_stays_near(void **state)
{
    (void)state;
    float large[DIMENSION], small[DIMENSION], other[DIMENSION];
    for (int kind = 0; kind < 2; kind++) {
        ir_picture picture = scene(640, 480, kind), half = shrunk(&picture, 320, 240);
        ir_picture stranger = scene(640, 480, 1 - kind);
        extract(&picture, large);
        extract(&half, small);
        extract(&stranger, other);
        assert_true(cosine(large, small) > 0.95);
        assert_true(cosine(large, other) < 0.75);
        ir_picture_free(&stranger);
        ir_picture_free(&half);
        ir_picture_free(&picture);
    }
}

static void the_mirror_image_differs_but_is_near(void **state)
{
    (void)state;
    float straight[DIMENSION], turned[DIMENSION];
    ir_picture picture = scene(400, 300, 0), mirror = mirrored(&picture);
    extract(&picture, straight);
    extract(&mirror, turned);
    double likeness = cosine(straight, turned);
    assert_true(likeness > 0.9);
    assert_true(likeness < 0.9999);
    ir_picture_free(&mirror);
    ir_picture_free(&picture);
}

static void plain_pictures_of_any_size_have_vectors(void **state)
{
    (void)state;
    static const uint8_t shades[] = {0, 60, 119, 128, 255};
    static const uint32_t sizes[][2] = {{1, 1}, {2, 1}, {1, 3000}, {3000, 1}, {128, 128}};
    float first[DIMENSION], vector[DIMENSION];
    for (size_t shade = 0; shade < sizeof shades; shade++)
        for (size_t size = 0; size < sizeof sizes / sizeof sizes[0]; size++) {
            uint8_t value = shades[shade];
            ir_picture picture = plain(sizes[size][0], sizes[size][1], value, value, value);
            extract(&picture, size == 0 ? first : vector);
            ir_picture_free(&picture);
            double length = 0.0;
            for (int i = 0; i < DIMENSION; i++)
                length += (double)first[i] * (double)first[i];
            assert_true(fabs(length - 1.0) < 1e-5);
            if (size > 0) /* of one shade all look the same, to the last bit */
                assert_memory_equal(first, vector, sizeof first);
        }
}

static void plain_colours_are_told_apart(void **state)
{
    (void)state;
    static const uint8_t colours[][3] = {{0, 0, 0},   {255, 255, 255}, {128, 128, 128},
                                         {255, 0, 0}, {0, 255, 0},     {0, 0, 255}};
    enum { COUNT = sizeof colours / sizeof colours[0] };
    static float vectors[COUNT][DIMENSION];
    for (int i = 0; i < COUNT; i++) {
        ir_picture picture = plain(8, 8, colours[i][0], colours[i][1], colours[i][2]);
        extract(&picture, vectors[i]);
        ir_picture_free(&picture);
        for (int j = 0; j < i; j++)
            assert_true(cosine(vectors[i], vectors[j]) < 0.9);
    }
}

static void grey_noise_in_a_plain_picture_is_not_blown_up(void **state)
{
    (void)state;
    float still[DIMENSION], grainy[DIMENSION];
    ir_picture picture = plain(128, 128, 128, 128, 128);
    extract(&picture, still);
    uint32_t seed = 1;
    for (size_t i = 0; i < INPUT_BYTES; i += 3) {
        seed = seed * 1664525u + 1013904223u;
        uint8_t value = (uint8_t)(128 + (seed >> 31)); /* 128 or 129 */
        memset(picture.rgb + i, value, 3);
    }
    extract(&picture, grainy);
    assert_true(cosine(still, grainy) > 0.97);
    ir_picture_free(&picture);
}

/* FNV-1a over the vector's bits: what one machine stores, another must find again. */
static uint64_t fingerprint(const float *vector)
{
    uint64_t hash = 14695981039346656037u;
    const uint8_t *bytes = (const uint8_t *)vector;
    for (size_t i = 0; i < DIMENSION * sizeof *vector; i++)
        hash = (hash ^ bytes[i]) * 1099511628211u;
    return hash;
}

static void fill_pattern(uint8_t *pixels)
{
    uint32_t seed = 42;
    for (size_t i = 0; i < INPUT_BYTES; i++) {
        seed = seed * 1664525u + 1013904223u;
        pixels[i] = (uint8_t)((seed >> 27) + i / 193 % 200); /* integers: no libm in the input */
    }
}

static void vectors_are_the_same_on_every_machine(void **state)
{
    (void)state;
    static uint8_t pixels[INPUT_BYTES];
    float vector[DIMENSION];
    fill_pattern(pixels);
    assert_int_equal(ir_extractor_run(classic, pixels, 1, vector, NULL), 0);
    /* Changes only together with the number in the identity, "classic=1". */
    if (fingerprint(vector) != FINGERPRINT)
        fail_msg("fingerprint is 0x%llx", (unsigned long long)fingerprint(vector));
}

static void *run_pattern(void *argument)
{
    static uint8_t pixels[INPUT_BYTES]; /* written by the test before the threads start */
    if (!argument) {
        fill_pattern(pixels);
        return NULL;
    }
    uint64_t *out = argument;
    float vector[DIMENSION];
    for (int round = 0; round < 20; round++) {
        if (ir_extractor_run(classic, pixels, 1, vector, NULL))
            return NULL;
        *out = fingerprint(vector);
        if (*out != FINGERPRINT)
            return NULL;
    }
    return NULL;
}

static void threads_get_the_same_vectors(void **state)
{
    (void)state;
    pthread_t threads[3];
    uint64_t prints[3] = {0};
    run_pattern(NULL);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_pattern, &prints[i]), 0);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        assert_true(prints[i] == FINGERPRINT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_describes_itself),
        cmocka_unit_test(the_same_picture_in_another_size_stays_near),
        cmocka_unit_test(the_mirror_image_differs_but_is_near),
        cmocka_unit_test(plain_pictures_of_any_size_have_vectors),
        cmocka_unit_test(plain_colours_are_told_apart),
        cmocka_unit_test(grey_noise_in_a_plain_picture_is_not_blown_up),
        cmocka_unit_test(vectors_are_the_same_on_every_machine),
        cmocka_unit_test(threads_get_the_same_vectors),
    };
    return cmocka_run_group_tests_name("classic", tests, open_classic, close_classic);
}
