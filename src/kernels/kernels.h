/* kernels.h: SIMD kernels behind one table of functions, chosen once for the CPU at hand. */
#ifndef IR_KERNELS_KERNELS_H
#define IR_KERNELS_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/* Every family computes the same as "scalar" up to float rounding, for any n (also 0) and any
 * alignment. Half-precision rows are converted exactly; sums are in float, long ones in pieces, so
 * that their rounding does not grow with n. */
typedef struct ir_kernels {
    const char *name; /* "scalar", "avx2", "avx512", "neon" */

    float (*dot_f32)(const float *a, const float *b, size_t n);
    float (*l2sq_f32)(const float *a, const float *b, size_t n); /* sum of squared differences */

    /* One query against `count` rows, `stride` elements from one row to the next. */
    void (*dot_rows_f16)(const float *query, const uint16_t *rows, size_t stride, size_t count,
                         size_t n, float *out);
    void (*l2sq_rows_f16)(const float *query, const uint16_t *rows, size_t stride, size_t count,
                          size_t n, float *out);
    void (*dot_rows_f32)(const float *query, const float *rows, size_t stride, size_t count,
                         size_t n, float *out);
    void (*l2sq_rows_f32)(const float *query, const float *rows, size_t stride, size_t count,
                          size_t n, float *out);

    void (*f16_from_f32)(uint16_t *out, const float *in, size_t n); /* nearest, ties to even */
    void (*f32_from_f16)(float *out, const uint16_t *in, size_t n);
} ir_kernels;

/* The family for this CPU; the environment variable IMGRET_KERNELS names a lesser one. Decided at
 * the first call. Any thread. */
const ir_kernels *ir_kernels_get(void);

/* The family of that name, or NULL when the build or this CPU lacks it. */
const ir_kernels *ir_kernels_named(const char *name);

#endif
