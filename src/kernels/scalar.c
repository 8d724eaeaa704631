/* scalar.c: the reference of every kernel in plain C, and the family of CPUs without SIMD. */
#include "base/half.h"
#include "kernels/families.h"

/* Partial sums, so that one addition need not wait for the last; in double precision, because a
 * reference should be the better one. */
#define SUMS 4

static float sum_of(const double sums[SUMS])
{
    return (float)((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

static float dot_f32(const float *a, const float *b, size_t n)
{
    double sums[SUMS] = {0};
    for (size_t i = 0; i < n; i++)
        sums[i % SUMS] += (double)a[i] * (double)b[i];
    return sum_of(sums);
}

static float l2sq_f32(const float *a, const float *b, size_t n)
{
    double sums[SUMS] = {0};
    for (size_t i = 0; i < n; i++) {
        double difference = (double)a[i] - (double)b[i];
        sums[i % SUMS] += difference * difference;
    }
    return sum_of(sums);
}

static float dot_f16(const float *a, const uint16_t *b, size_t n)
{
    double sums[SUMS] = {0};
    for (size_t i = 0; i < n; i++)
        sums[i % SUMS] += (double)a[i] * (double)ir_half_to_float(b[i]);
    return sum_of(sums);
}

static float l2sq_f16(const float *a, const uint16_t *b, size_t n)
{
    double sums[SUMS] = {0};
    for (size_t i = 0; i < n; i++) {
        double difference = (double)a[i] - (double)ir_half_to_float(b[i]);
        sums[i % SUMS] += difference * difference;
    }
    return sum_of(sums);
}

static void dot_rows_f32(const float *query, const float *rows, size_t stride, size_t count,
                         size_t n, float *out)
{
    for (size_t row = 0; row < count; row++)
        out[row] = dot_f32(query, rows + row * stride, n);
}

static void l2sq_rows_f32(const float *query, const float *rows, size_t stride, size_t count,
                          size_t n, float *out)
{
    for (size_t row = 0; row < count; row++)
        out[row] = l2sq_f32(query, rows + row * stride, n);
}

static void dot_rows_f16(const float *query, const uint16_t *rows, size_t stride, size_t count,
                         size_t n, float *out)
{
    for (size_t row = 0; row < count; row++)
        out[row] = dot_f16(query, rows + row * stride, n);
}

static void l2sq_rows_f16(const float *query, const uint16_t *rows, size_t stride, size_t count,
                          size_t n, float *out)
{
    for (size_t row = 0; row < count; row++)
        out[row] = l2sq_f16(query, rows + row * stride, n);
}

static void f16_from_f32(uint16_t *out, const float *in, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = ir_half_from_float(in[i]);
}

static void f32_from_f16(float *out, const uint16_t *in, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = ir_half_to_float(in[i]);
}

const ir_kernels ir_kernels_scalar = {
    .name = "scalar",
    .dot_f32 = dot_f32,
    .l2sq_f32 = l2sq_f32,
    .dot_rows_f16 = dot_rows_f16,
    .l2sq_rows_f16 = l2sq_rows_f16,
    .dot_rows_f32 = dot_rows_f32,
    .l2sq_rows_f32 = l2sq_rows_f32,
    .f16_from_f32 = f16_from_f32,
    .f32_from_f16 = f32_from_f16,
};
