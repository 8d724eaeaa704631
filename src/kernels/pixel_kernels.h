/* pixel_kernels.h: SIMD kernels over rows of 8-bit RGB, behind one table of functions.
 *
 * Sums of bytes by fixed-point weights are exact, so that every family gives the same bytes. */
#ifndef IR_KERNELS_PIXEL_KERNELS_H
#define IR_KERNELS_PIXEL_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/* Fractional bits of a weight: 8 bits of pixel, and 2 for sign and overshoot, leave this many of 32. */
#define IR_TAP_BITS (32 - 8 - 2)
/* Weights come in groups of so many; what fills up the last one is 0. */
#define IR_TAP_GROUP 4

/* The weights of `count` sums: sum i is of count[i] values from first[i] on, by the weights at
 * i * stride. `halves`, at 2 * i * stride, holds them for products of 16 bits: of each group the lower
 * halves, then the upper ones (see ir_taps_halve). The stride is a multiple of IR_TAP_GROUP. */
typedef struct ir_taps {
    uint32_t *first;
    uint32_t *count;
    int32_t *weights;
    int16_t *halves;
    size_t stride;
} ir_taps;

/* Fills the halves of sum i from its weights. */
void ir_taps_halve(const ir_taps *taps, uint32_t i);

typedef struct ir_pixel_kernels {
    const char *name; /* "scalar", "avx2" */

    /* A row's pass: pixel i of `out` is sum i, rounded and cut to 0..255, of pixels of `row`, of which
     * `readable` bytes may be read. */
    void (*blend_across)(const ir_taps *taps, uint32_t width, const uint8_t *row, size_t readable,
                         uint8_t *out);

    /* Sum i of taps->count[i] rows of `bytes` bytes, each byte for itself. */
    void (*blend_down)(const ir_taps *taps, uint32_t i, const uint8_t *const *rows, size_t bytes,
                       uint8_t *out);
} ir_pixel_kernels;

/* The family for this CPU and the environment variable IMGRET_KERNELS. Any thread. */
const ir_pixel_kernels *ir_pixel_kernels_get(void);

/* The family of that name, or NULL when the build or this CPU lacks it. */
const ir_pixel_kernels *ir_pixel_kernels_named(const char *name);

#endif
