/* test_pixels.c: every family of pixel kernels gives the scalar one's bytes, and reads no further. */
#include "testing.h"

#include "base/alloc.h"
#include "kernels/kernels.h"
#include "kernels/pixel_kernels.h"

#include <string.h>

enum { WIDTH = 23, COUNT_MAX = 41, ROW_PIXELS = 96, BYTES_MAX = 101 };

static uint32_t random_bits(void)
{
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 20);
}

/* Sums of up to `count` values within `length`, with weights of both signs as large as a bicubic
 * filter's get, and sums beyond 0..255. */
static ir_taps make_taps(uint32_t sums, uint32_t count, uint32_t length)
{
    ir_taps taps = {.stride = (count + IR_TAP_GROUP - 1) / IR_TAP_GROUP * IR_TAP_GROUP};
    taps.first = ir_malloc(sums * sizeof *taps.first);
    taps.count = ir_malloc(sums * sizeof *taps.count);
    taps.weights = ir_calloc(sums * taps.stride, sizeof *taps.weights);
    taps.halves = ir_malloc(2 * sums * taps.stride * sizeof *taps.halves);
    for (uint32_t i = 0; i < sums; i++) {
        taps.count[i] = count - random_bits() % (count < 3 ? count : 3);
        taps.first[i] = i == sums - 1 ? length - taps.count[i]
                                      : random_bits() % (length - taps.count[i] + 1);
        for (uint32_t j = 0; j < taps.count[i]; j++) { /* in all below 2: sums fit into 32 bits */
            uint32_t most = j < 2 ? 3u << (IR_TAP_BITS - 2) : (1u << IR_TAP_BITS) / (3 * count);
            int32_t weight = (int32_t)(random_bits() % most);
            taps.weights[i * taps.stride + j] = random_bits() % 4 == 0 ? -weight : weight;
        }
        ir_taps_halve(&taps, i);
    }
    return taps;
}

static void free_taps(ir_taps *taps)
{
    ir_free(taps->first);
    ir_free(taps->count);
    ir_free(taps->weights);
    ir_free(taps->halves);
}

static uint8_t *random_row(size_t bytes)
{
    uint8_t *row = ir_malloc(bytes); /* no byte more than that: sanitizers see what goes beyond */
    for (size_t i = 0; i < bytes; i++)
        row[i] = random_bits() % 5 == 0 ? (random_bits() & 1 ? 255 : 0) : (uint8_t)random_bits();
    return row;
}

/* The family beside the scalar one; NULL where there is none. */
static const ir_pixel_kernels *other_family(void)
{
    const ir_pixel_kernels *found = ir_pixel_kernels_named("avx2");
    if (!found)
        skip_because("this processor has scalar kernels alone");
    return found;
}

static void rows_are_blended_alike_across(void **state)
{
    (void)state;
    const ir_pixel_kernels *scalar = ir_pixel_kernels_named("scalar"), *other = other_family();
    for (uint32_t count = 1; count <= COUNT_MAX; count++)
        for (uint32_t extra = 0; extra < 3; extra++) { /* rows that follow in memory, or none */
            size_t readable = 3 * ROW_PIXELS + 7 * extra;
            ir_taps taps = make_taps(WIDTH, count, ROW_PIXELS);
            uint8_t *row = random_row(readable), *out = random_row(3 * WIDTH);
            uint8_t expected[3 * WIDTH];
            scalar->blend_across(&taps, WIDTH, row, readable, expected);
            other->blend_across(&taps, WIDTH, row, readable, out);
            assert_memory_equal(out, expected, sizeof expected);
            ir_free(out);
            ir_free(row);
            free_taps(&taps);
        }
}

static void rows_are_blended_alike_down(void **state)
{
    (void)state;
    const ir_pixel_kernels *scalar = ir_pixel_kernels_named("scalar"), *other = other_family();
    for (uint32_t count = 1; count <= COUNT_MAX; count++) {
        size_t bytes = 1 + random_bits() % BYTES_MAX;
        ir_taps taps = make_taps(2, count, COUNT_MAX);
        uint8_t *rows[COUNT_MAX], *out = random_row(bytes), expected[BYTES_MAX];
        for (uint32_t j = 0; j < count; j++)
            rows[j] = random_row(bytes);
        for (uint32_t i = 0; i < 2; i++) {
            scalar->blend_down(&taps, i, (const uint8_t *const *)rows, bytes, expected);
            other->blend_down(&taps, i, (const uint8_t *const *)rows, bytes, out);
            assert_memory_equal(out, expected, bytes);
        }
        for (uint32_t j = 0; j < count; j++)
            ir_free(rows[j]);
        ir_free(out);
        free_taps(&taps);
    }
}

/* What a sum is: by hand, and beyond both ends of a byte. */
static void a_sum_is_rounded_and_cut(void **state)
{
    (void)state;
    const int32_t one = 1 << IR_TAP_BITS;
    uint32_t first[4] = {0, 0, 0, 1}, count[4] = {2, 2, 2, 1};
    int32_t weights[4][4] = {{one / 2, one / 2}, {2 * one - 1}, {-one, one / 4}, {one}};
    int16_t halves[4][8];
    ir_taps taps = {first, count, weights[0], halves[0], 4};
    const uint8_t row[6] = {10, 200, 0, 11, 100, 255};
    static const uint8_t expected[12] = {11, 150, 128, 20, 255, 0, 0, 0, 64, 11, 100, 255};
    for (uint32_t i = 0; i < 4; i++)
        ir_taps_halve(&taps, i);
    const char *const names[] = {"scalar", "avx2"};
    for (size_t i = 0; i < 2; i++) {
        const ir_pixel_kernels *family = ir_pixel_kernels_named(names[i]);
        uint8_t out[12];
        if (!family)
            continue;
        assert_string_equal(family->name, names[i]);
        family->blend_across(&taps, 4, row, sizeof row, out);
        assert_memory_equal(out, expected, sizeof out);
    }
}

static void the_family_goes_with_the_others(void **state)
{
    (void)state;
    bool plain = strcmp(ir_kernels_get()->name, "scalar") == 0 || !ir_pixel_kernels_named("avx2");
    assert_string_equal(ir_pixel_kernels_get()->name, plain ? "scalar" : "avx2");
    assert_null(ir_pixel_kernels_named("mmx"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_blended_alike_across),
        cmocka_unit_test(rows_are_blended_alike_down),
        cmocka_unit_test(a_sum_is_rounded_and_cut),
        cmocka_unit_test(the_family_goes_with_the_others),
    };
    return cmocka_run_group_tests_name("pixels", tests, NULL, NULL);
}
