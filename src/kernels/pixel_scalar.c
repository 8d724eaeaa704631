/* pixel_scalar.c: kernels over pixels in plain C: the reference of the others. */
#include "kernels/pixel_families.h"

static uint8_t round_to_byte(int32_t sum)
{
    int32_t value = sum >> IR_TAP_BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

void ir_taps_halve(const ir_taps *taps, uint32_t i)
{
    const int32_t *weights = taps->weights + i * taps->stride;
    int16_t *halves = taps->halves + 2 * i * taps->stride;
    for (size_t j = 0; j < taps->stride; j += IR_TAP_GROUP, halves += 2 * IR_TAP_GROUP)
        for (size_t k = 0; k < IR_TAP_GROUP; k++) {
            halves[k] = (int16_t)(weights[j + k] & ((1 << IR_TAP_LOW_BITS) - 1));
            halves[IR_TAP_GROUP + k] = (int16_t)(weights[j + k] >> IR_TAP_LOW_BITS);
        }
}

void ir_pixel_rest_across(const ir_taps *taps, uint32_t i, uint32_t width, const uint8_t *row,
                          uint8_t *out)
{
    for (out += 3 * (size_t)i; i < width; i++, out += 3) {
        const uint8_t *pixel = row + 3 * (size_t)taps->first[i];
        const int32_t *weights = taps->weights + i * taps->stride;
        int32_t red = 1 << (IR_TAP_BITS - 1), green = red, blue = red;
        for (uint32_t j = 0; j < taps->count[i]; j++, pixel += 3) {
            red += pixel[0] * weights[j];
            green += pixel[1] * weights[j];
            blue += pixel[2] * weights[j];
        }
        out[0] = round_to_byte(red);
        out[1] = round_to_byte(green);
        out[2] = round_to_byte(blue);
    }
}

static void blend_across(const ir_taps *taps, uint32_t width, const uint8_t *row, size_t readable,
                         uint8_t *out)
{
    (void)readable;
    ir_pixel_rest_across(taps, 0, width, row, out);
}

/* Blocks of a constant length are what compilers vectorise. */
enum { BLOCK = 32 };

void ir_pixel_rest_down(const ir_taps *taps, uint32_t i, const uint8_t *const *rows, size_t at,
                        size_t bytes, uint8_t *out)
{
    const int32_t *weights = taps->weights + i * taps->stride;
    for (; at < bytes; at++) {
        int32_t sum = 1 << (IR_TAP_BITS - 1);
        for (uint32_t j = 0; j < taps->count[i]; j++)
            sum += rows[j][at] * weights[j];
        out[at] = round_to_byte(sum);
    }
}

static void blend_down(const ir_taps *taps, uint32_t i, const uint8_t *const *rows, size_t bytes,
                       uint8_t *out)
{
    const int32_t *weights = taps->weights + i * taps->stride;
    size_t at = 0;
    for (; at + BLOCK <= bytes; at += BLOCK) {
        int32_t sums[BLOCK];
        for (size_t k = 0; k < BLOCK; k++)
            sums[k] = 1 << (IR_TAP_BITS - 1);
        for (uint32_t j = 0; j < taps->count[i]; j++)
            for (size_t k = 0; k < BLOCK; k++)
                sums[k] += rows[j][at + k] * weights[j];
        for (size_t k = 0; k < BLOCK; k++)
            out[at + k] = round_to_byte(sums[k]);
    }
    ir_pixel_rest_down(taps, i, rows, at, bytes, out);
}

const ir_pixel_kernels ir_pixel_scalar = {
    .name = "scalar",
    .blend_across = blend_across,
    .blend_down = blend_down,
};
