/* loops.h: the loops of every SIMD family, over the vector operations that the includer defines.
 *
 * Before it is included, a family defines LANES (floats in a vector), the type `vec` and
 *   vec_zero vec_add vec_sub vec_fma(a, b, c) = a * b + c, vec_sum (horizontal, a tree),
 *   vec_load, vec_load_part (n < LANES floats, then zeros),
 *   vec_load_half, vec_load_half_part (the same from half precision),
 *   vec_store, vec_store_half (rounds to nearest, ties to even).
 * Loads and stores take any alignment and touch nothing past the n-th element.
 *
 * Every row is summed in the same order whatever its neighbours: equal rows get equal results
 * to the last bit, wherever they lie. Search relies on it to break ties by id.
 */
#ifndef IR_KERNELS_LOOPS_H
#define IR_KERNELS_LOOPS_H

#include "kernels/families.h"

#include <stdbool.h>
#include <string.h>

#define INLINED static inline __attribute__((always_inline))

/* -O2 leaves these short loops rolled, and the sums then live in memory instead of registers. */
#if defined(__clang__)
#define UNROLL_FOR _Pragma("unroll") for
#else
#define UNROLL_FOR _Pragma("GCC unroll 8") for
#endif

/* Measured with bench/micro/scan's sizes on Sapphire Rapids: side by side, four rows hide the latency of
 * the conversion; without the prefetch the scan runs at half the memory bandwidth, because the
 * hardware's own does not look past a page; 2 KiB ahead is too late, 16 KiB gains nothing. */
#define ROWS_AT_ONCE 4
#define SUMS 2
#define AHEAD_BYTES 8192
#define CACHE_LINE_BYTES 64

/* A sum in single precision drifts when thousands of like terms are added one by one (a vector of
 * equal components is the worst): it starts anew after so many, 32 to each of its lanes, and the pieces
 * add up in double. */
#define PIECE (32u * SUMS * LANES)

INLINED vec row_load(const void *row, size_t at, bool half)
{
    return half ? vec_load_half((const uint16_t *)row + at) : vec_load((const float *)row + at);
}

INLINED vec row_load_part(const void *row, size_t at, size_t n, bool half)
{
    return half ? vec_load_half_part((const uint16_t *)row + at, n)
                : vec_load_part((const float *)row + at, n);
}

INLINED vec accumulate(vec sum, vec query, vec row, bool l2)
{
    if (!l2)
        return vec_fma(query, row, sum);
    vec difference = vec_sub(query, row);
    return vec_fma(difference, difference, sum);
}

/* One step of SUMS vectors along `height` rows. The prefetch may point past the last row: it never
 * faults, hence the arithmetic on an integer. */
INLINED void compare_step(vec sums[][SUMS], const float *query, const char *rows, size_t row_bytes,
                          size_t height, size_t at, bool half, bool l2)
{
    const size_t element_bytes = half ? sizeof(uint16_t) : sizeof(float);
    UNROLL_FOR (size_t s = 0; s < SUMS; s++) {
        vec part = vec_load(query + at + s * LANES);
        UNROLL_FOR (size_t r = 0; r < height; r++) {
            const char *row = rows + r * row_bytes;
            if (s * LANES * element_bytes % CACHE_LINE_BYTES == 0)
                __builtin_prefetch((const void *)((uintptr_t)row + at * element_bytes +
                                                  s * LANES * element_bytes + AHEAD_BYTES));
            sums[r][s] = accumulate(sums[r][s], part, row_load(row, at + s * LANES, half), l2);
        }
    }
}

/* Adds up to PIECE elements of `height` rows (a constant) to their totals. Side by side, each load
 * of the query serves all rows. */
INLINED void compare_piece(const float *query, const char *rows, size_t row_bytes, size_t height,
                           size_t n, double *totals, bool half, bool l2)
{
    vec sums[ROWS_AT_ONCE][SUMS];
    UNROLL_FOR (size_t r = 0; r < height; r++)
        UNROLL_FOR (size_t s = 0; s < SUMS; s++)
            sums[r][s] = vec_zero();
    size_t i = 0;
    for (; i + SUMS * LANES <= n; i += SUMS * LANES)
        compare_step(sums, query, rows, row_bytes, height, i, half, l2);
    for (; i + LANES <= n; i += LANES) {
        vec part = vec_load(query + i);
        UNROLL_FOR (size_t r = 0; r < height; r++)
            sums[r][0] = accumulate(sums[r][0], part, row_load(rows + r * row_bytes, i, half), l2);
    }
    if (i < n) {
        vec part = vec_load_part(query + i, n - i);
        UNROLL_FOR (size_t r = 0; r < height; r++)
            sums[r][1] = accumulate(sums[r][1], part,
                                    row_load_part(rows + r * row_bytes, i, n - i, half), l2);
    }
    UNROLL_FOR (size_t r = 0; r < height; r++)
        totals[r] += (double)vec_sum(vec_add(sums[r][0], sums[r][1]));
}

INLINED void compare_block(const float *query, const char *rows, size_t row_bytes, size_t height,
                           size_t n, float *out, bool half, bool l2)
{
    const size_t element_bytes = half ? sizeof(uint16_t) : sizeof(float);
    double totals[ROWS_AT_ONCE] = {0};
    for (size_t at = 0; at < n; at += PIECE)
        compare_piece(query + at, rows + at * element_bytes, row_bytes, height,
                      n - at < PIECE ? n - at : PIECE, totals, half, l2);
    UNROLL_FOR (size_t r = 0; r < height; r++)
        out[r] = (float)totals[r];
}

INLINED void compare_rows(const float *query, const void *rows, size_t stride, size_t count,
                          size_t n, float *out, bool half, bool l2)
{
    size_t row_bytes = stride * (half ? sizeof(uint16_t) : sizeof(float));
    const char *row = rows;
    size_t done = 0;
    for (; done + ROWS_AT_ONCE <= count; done += ROWS_AT_ONCE, row += ROWS_AT_ONCE * row_bytes)
        compare_block(query, row, row_bytes, ROWS_AT_ONCE, n, out + done, half, l2);
    for (; done < count; done++, row += row_bytes)
        compare_block(query, row, row_bytes, 1, n, out + done, half, l2);
}

static float dot_f32(const float *a, const float *b, size_t n)
{
    float result;
    compare_block(a, (const char *)b, 0, 1, n, &result, false, false);
    return result;
}

static float l2sq_f32(const float *a, const float *b, size_t n)
{
    float result;
    compare_block(a, (const char *)b, 0, 1, n, &result, false, true);
    return result;
}

static void dot_rows_f16(const float *query, const uint16_t *rows, size_t stride, size_t count,
                         size_t n, float *out)
{
    compare_rows(query, rows, stride, count, n, out, true, false);
}

static void l2sq_rows_f16(const float *query, const uint16_t *rows, size_t stride, size_t count,
                          size_t n, float *out)
{
    compare_rows(query, rows, stride, count, n, out, true, true);
}

static void dot_rows_f32(const float *query, const float *rows, size_t stride, size_t count,
                         size_t n, float *out)
{
    compare_rows(query, rows, stride, count, n, out, false, false);
}

static void l2sq_rows_f32(const float *query, const float *rows, size_t stride, size_t count,
                          size_t n, float *out)
{
    compare_rows(query, rows, stride, count, n, out, false, true);
}

static void f16_from_f32(uint16_t *out, const float *in, size_t n)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        vec_store_half(out + i, vec_load(in + i));
    if (i < n) {
        uint16_t last[LANES];
        vec_store_half(last, vec_load_part(in + i, n - i));
        memcpy(out + i, last, (n - i) * sizeof last[0]);
    }
}

static void f32_from_f16(float *out, const uint16_t *in, size_t n)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        vec_store(out + i, vec_load_half(in + i));
    if (i < n) {
        float last[LANES];
        vec_store(last, vec_load_half_part(in + i, n - i));
        memcpy(out + i, last, (n - i) * sizeof last[0]);
    }
}

#define FAMILY_TABLE(family_name)                                      \
    {                                                                  \
        .name = family_name, .dot_f32 = dot_f32, .l2sq_f32 = l2sq_f32, \
        .dot_rows_f16 = dot_rows_f16, .l2sq_rows_f16 = l2sq_rows_f16,  \
        .dot_rows_f32 = dot_rows_f32, .l2sq_rows_f32 = l2sq_rows_f32,  \
        .f16_from_f32 = f16_from_f32, .f32_from_f16 = f32_from_f16,    \
    }

#endif
