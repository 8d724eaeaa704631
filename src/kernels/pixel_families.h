/* pixel_families.h: the tables that pixel_dispatch.c chooses from, and what they share. */
#ifndef IR_KERNELS_PIXEL_FAMILIES_H
#define IR_KERNELS_PIXEL_FAMILIES_H

#include "kernels/pixel_kernels.h"

/* Bits of a weight's lower half, which is not signed; the upper one has the rest. */
#define IR_TAP_LOW_BITS 12

extern const ir_pixel_kernels ir_pixel_scalar;
#if defined(__x86_64__)
extern const ir_pixel_kernels ir_pixel_avx2;
#endif

/* For what is left over at an edge: pixels from `i` on, bytes from `at` on. */
void ir_pixel_rest_across(const ir_taps *taps, uint32_t i, uint32_t width, const uint8_t *row,
                          uint8_t *out);
void ir_pixel_rest_down(const ir_taps *taps, uint32_t i, const uint8_t *const *rows, size_t at,
                        size_t bytes, uint8_t *out);

#endif
