/* code_scalar.c: the reference of every kernel over codes. */
#include "kernels/code_families.h"

#include "base/half.h"

#include <math.h>
#include <string.h>

static int32_t plane_dot(const uint8_t *row, const uint8_t *plane, size_t bytes)
{
    int32_t sum = 0;
    size_t at = 0;
    for (; at + 8 <= bytes; at += 8) {
        uint64_t a, b;
        memcpy(&a, row + at, 8);
        memcpy(&b, plane + at, 8);
        sum += __builtin_popcountll(a & b);
    }
    for (; at < bytes; at++)
        sum += __builtin_popcount((unsigned)(row[at] & plane[at]));
    return sum;
}

static void bits_dot(const ir_code_operand *query, const ir_code_rows *rows, int32_t *out)
{
    size_t bytes = query->dimension / 8;
    const uint8_t *plane = query->planes;
    size_t step = query->plane_stride;
    for (uint32_t i = 0; i < rows->count; i++) {
        const uint8_t *row = ir_code_row(rows, i);
        out[i] = plane_dot(row, plane, bytes) + 2 * plane_dot(row, plane + step, bytes) +
                 4 * plane_dot(row, plane + 2 * step, bytes) -
                 8 * plane_dot(row, plane + 3 * step, bytes);
    }
}

static void sign_keys(const ir_code_terms *terms, const uint64_t *tails, const int32_t *sums,
                      uint32_t count, float *keys, float *errors)
{
    for (uint32_t i = 0; i < count; i++) {
        float base;
        uint16_t slope_half;
        uint8_t tail[8];
        memcpy(tail, &tails[i], sizeof tail);
        memcpy(&base, tail, sizeof base);
        memcpy(&slope_half, tail + 4, sizeof slope_half);
        float slope = ir_half_to_float(slope_half);
        float to_centroid = terms->centroid_keys[tail[6]];
        float product = (float)sums[i] * terms->scale + terms->shift;
        float key = base + to_centroid + slope * product;
        keys[i] = key;
        if (!errors)
            continue;
        float cosine = ((float)tail[7] + 0.5f) * (1 / 255.0f);
        float length = slope * terms->length_factor; /* |r| / cosine */
        float norm_squared = length * cosine * (length * cosine);
        float spread = 1 - cosine * cosine, across = to_centroid;
        /* The part of q - c perpendicular to r decides how far the estimate of <q - c, r> may be
         * off; the estimate itself tells the parallel part. */
        if (terms->plain) {
            float residual_product = (norm_squared + to_centroid - key) * 0.5f;
            across = to_centroid - residual_product * residual_product / norm_squared;
            across = across > 0 ? across : 0;
        }
        float variance = (spread > 0 ? spread : 0) * terms->spread_factor * across;
        errors[i] = 2 * length * sqrtf(variance + terms->noise_squared);
    }
}

static int32_t bits_bytes_dot(const uint8_t *row, const int8_t *query, size_t n)
{
    int32_t sum = 0;
    for (size_t j = 0; j < n; j++)
        sum += (row[j / 8] >> (j % 8) & 1) * query[j];
    return sum;
}

static int32_t crumbs_dot(const uint8_t *row, const int8_t *query, size_t quarter)
{
    int32_t sum = 0;
    for (size_t j = 0; j < quarter; j++)
        for (size_t part = 0; part < 4; part++)
            sum += (row[j] >> (2 * part) & 3) * query[part * quarter + j];
    return sum;
}

static void levels_dot(const ir_code_operand *query, const ir_code_rows *signs,
                       const ir_code_rows *rests, uint32_t bits, int32_t *out)
{
    size_t n = query->dimension;
    for (uint32_t i = 0; i < signs->count; i++) {
        const uint8_t *rest = ir_code_row(rests, i);
        int32_t sum = bits_bytes_dot(ir_code_row(signs, i), query->bytes, n);
        uint32_t left = bits - 1;
        for (; left >= 2; left -= 2, rest += n / 4)
            sum = 4 * sum + crumbs_dot(rest, query->bytes, n / 4);
        if (left == 1)
            sum = 2 * sum + bits_bytes_dot(rest, query->bytes, n);
        out[i] = sum;
    }
}

static void bytes_dot(const int8_t *bytes, size_t n, const ir_code_rows *rows, int32_t *out)
{
    for (uint32_t i = 0; i < rows->count; i++) {
        const uint8_t *row = ir_code_row(rows, i);
        int32_t sum = 0;
        for (size_t j = 0; j < n; j++)
            sum += row[j] * bytes[j];
        out[i] = sum;
    }
}

static void bytes_gram(const ir_code_rows *left, const ir_code_rows *right, size_t n, int32_t *out)
{
    for (uint32_t i = 0; i < left->count; i++) {
        const uint8_t *a = ir_code_row(left, i);
        for (uint32_t j = 0; j < right->count; j++) {
            const uint8_t *b = ir_code_row(right, j);
            int32_t sum = 0;
            for (size_t k = 0; k < n; k++)
                sum += a[k] * (b[k] - 128);
            out[(size_t)i * right->count + j] = sum;
        }
    }
}

static void grid(const float *values, const float *other, size_t n, float inverse_step,
                 uint32_t bits, uint8_t *levels, float sums[3])
{
    float middle = (float)(1u << (bits - 1)), top = (float)((1u << bits) - 1);
    float product = 0, squares = 0, with_other = 0;
    for (size_t k = 0; k < n; k++) {
        float level = values[k] * inverse_step + middle;
        level = !(level > 0) ? 0 : level > top ? top : level; /* also for NaN */
        uint8_t whole = (uint8_t)level;
        float v = (float)whole + (0.5f - middle);
        product += v * values[k];
        squares += v * v;
        with_other += other ? v * other[k] : 0;
        if (levels)
            levels[k] = whole;
    }
    sums[0] = product;
    sums[1] = squares;
    sums[2] = with_other;
}

static float bytes_from_floats(const float *values, size_t n, uint8_t *out, int32_t sums[2])
{
    float largest = 0;
    for (size_t k = 0; k < n; k++) {
        float size = values[k] < 0 ? -values[k] : values[k];
        largest = size > largest ? size : largest;
    }
    float scale = largest > 1e-36f ? 127.0f / largest : 0;
    sums[0] = sums[1] = 0;
    for (size_t k = 0; k < n; k++) {
        float scaled = values[k] * scale;
        int32_t value = (int32_t)(scaled + (scaled < 0 ? -0.5f : 0.5f));
        sums[0] += value;
        sums[1] += value * value;
        out[k] = (uint8_t)(value + 128);
    }
    return largest;
}

static float planes_from_floats(const float *values, size_t n, float inverse_step, uint8_t *planes,
                                size_t plane_stride, int32_t sums[2])
{
    float product = 0;
    sums[0] = sums[1] = 0;
    for (size_t k = 0; k < n; k += 8) {
        uint8_t bits[4] = {0};
        for (uint32_t lane = 0; lane < 8; lane++) {
            float scaled = values[k + lane] * inverse_step;
            scaled = !(scaled > -7) ? -7 : scaled > 7 ? 7 : scaled;
            int32_t number = (int32_t)(scaled + (scaled < 0 ? -0.5f : 0.5f));
            product += (float)number * values[k + lane];
            sums[0] += number;
            sums[1] += number * number;
            for (uint32_t plane = 0; plane < 4; plane++)
                bits[plane] |= (uint8_t)(((uint32_t)number >> plane & 1) << lane);
        }
        for (uint32_t plane = 0; plane < 4; plane++)
            planes[plane * plane_stride + k / 8] = bits[plane];
    }
    return product;
}

static void multiply(float *values, const float *factors, size_t n)
{
    for (size_t k = 0; k < n; k++)
        values[k] *= factors[k];
}

static void mix_halves(float *values, size_t n, float scale)
{
    for (size_t k = 0; k < n / 2; k++) {
        float a = values[k], b = values[k + n / 2];
        values[k] = (a + b) * scale;
        values[k + n / 2] = (a - b) * scale;
    }
}

static void fht(float *values, size_t n)
{
    for (size_t half = 1; half < n; half *= 2)
        for (size_t block = 0; block < n; block += 2 * half)
            for (size_t j = block; j < block + half; j++) {
                float a = values[j], b = values[j + half];
                values[j] = a + b;
                values[j + half] = a - b;
            }
}

static float dot(const float *a, const float *b, size_t n)
{
    float sum = 0;
    for (size_t j = 0; j < n; j++)
        sum += a[j] * b[j];
    return sum;
}

const ir_code_kernels ir_code_scalar = {
    .name = "scalar",
    .bits_dot = bits_dot,
    .sign_keys = sign_keys,
    .levels_dot = levels_dot,
    .bytes_dot = bytes_dot,
    .bytes_gram = bytes_gram,
    .grid = grid,
    .bytes_from_floats = bytes_from_floats,
    .planes_from_floats = planes_from_floats,
    .multiply = multiply,
    .mix_halves = mix_halves,
    .fht = fht,
    .dot = dot,
};
