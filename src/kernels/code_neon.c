/* code_neon.c: kernels over codes for 64-bit ARM; what they need is part of every such CPU. */
#if defined(__aarch64__)

#include "kernels/code_families.h"

#include <arm_neon.h>

/* Set bits of 16 bytes, added up by pairs of bytes. */
static inline uint16x8_t add_counts(uint16x8_t sum, uint8x16_t bits)
{
    return vpadalq_u8(sum, vcntq_u8(bits));
}

static int32_t plane_dot(const uint8_t *row, const uint8_t *plane, size_t bytes)
{
    uint16x8_t sum = vdupq_n_u16(0); /* at most 4,096 / 8 bytes: 16 counts a lane */
    size_t at = 0;
    for (; at + 16 <= bytes; at += 16)
        sum = add_counts(sum, vandq_u8(vld1q_u8(row + at), vld1q_u8(plane + at)));
    int32_t total = (int32_t)vaddlvq_u16(sum);
    for (; at < bytes; at++)
        total += __builtin_popcount((unsigned)(row[at] & plane[at]));
    return total;
}

static void bits_dot(const ir_code_operand *query, const ir_code_rows *rows, int32_t *out)
{
    size_t bytes = query->dimension / 8, step = query->plane_stride;
    const uint8_t *plane = query->planes;
    for (uint32_t i = 0; i < rows->count; i++) {
        const uint8_t *row = ir_code_row(rows, i);
        out[i] = plane_dot(row, plane, bytes) + 2 * plane_dot(row, plane + step, bytes) +
                 4 * plane_dot(row, plane + 2 * step, bytes) -
                 8 * plane_dot(row, plane + 3 * step, bytes);
    }
}

/* Step by step as the reference, for 4 records; what is left over goes through the reference. */
static void sign_keys(const ir_code_terms *terms, const uint64_t *tails, const int32_t *sums,
                      uint32_t count, float *keys, float *errors)
{
    const float32x4_t zero = vdupq_n_f32(0);
    uint32_t i = 0;
    for (; i + 4 <= count; i += 4) {
        uint32x4x2_t parts = vld2q_u32((const uint32_t *)(const void *)(tails + i));
        float32x4_t base = vreinterpretq_f32_u32(parts.val[0]);
        uint32x4_t rest = parts.val[1];
        float32x4_t slope = vcvt_f32_f16(vreinterpret_f16_u16(vmovn_u32(rest)));
        float near[4];
        for (uint32_t lane = 0; lane < 4; lane++)
            near[lane] = terms->centroid_keys[tails[i + lane] >> 48 & 255];
        float32x4_t to_centroid = vld1q_f32(near);
        float32x4_t product = vaddq_f32(
            vmulq_f32(vcvtq_f32_s32(vld1q_s32(sums + i)), vdupq_n_f32(terms->scale)),
            vdupq_n_f32(terms->shift));
        float32x4_t key = vaddq_f32(vaddq_f32(base, to_centroid), vmulq_f32(slope, product));
        vst1q_f32(keys + i, key);
        if (!errors)
            continue;
        float32x4_t cosine = vcvtq_f32_u32(vshrq_n_u32(rest, 24));
        cosine = vmulq_f32(vaddq_f32(cosine, vdupq_n_f32(0.5f)), vdupq_n_f32(1 / 255.0f));
        float32x4_t length = vmulq_f32(slope, vdupq_n_f32(terms->length_factor));
        float32x4_t norm = vmulq_f32(length, cosine), norm_squared = vmulq_f32(norm, norm);
        float32x4_t spread = vsubq_f32(vdupq_n_f32(1), vmulq_f32(cosine, cosine));
        float32x4_t across = to_centroid;
        if (terms->plain) {
            float32x4_t parallel = vsubq_f32(vaddq_f32(norm_squared, to_centroid), key);
            parallel = vmulq_f32(parallel, vdupq_n_f32(0.5f));
            parallel = vdivq_f32(vmulq_f32(parallel, parallel), norm_squared);
            /* maxnm takes the number of a NaN and a number */
            across = vmaxnmq_f32(vsubq_f32(to_centroid, parallel), zero);
        }
        float32x4_t variance = vmulq_f32(vmaxnmq_f32(spread, zero),
                                         vdupq_n_f32(terms->spread_factor));
        variance = vaddq_f32(vmulq_f32(variance, across), vdupq_n_f32(terms->noise_squared));
        vst1q_f32(errors + i, vmulq_f32(vaddq_f32(length, length), vsqrtq_f32(variance)));
    }
    if (i < count)
        ir_code_scalar.sign_keys(terms, tails + i, sums + i, count - i, keys + i,
                                 errors ? errors + i : NULL);
}

/* Sum of the query where the row's bit is set; n is a multiple of 8. */
static int32_t set_bits_dot(const uint8_t *row, const int8_t *query, size_t n)
{
    static const uint8_t masks[8] = {1, 2, 4, 8, 16, 32, 64, 128};
    uint8x8_t mask = vld1_u8(masks);
    int32x4_t sum = vdupq_n_s32(0);
    for (size_t j = 0; j < n; j += 8) {
        int8x8_t set = vreinterpret_s8_u8(vtst_u8(vdup_n_u8(row[j / 8]), mask));
        sum = vpadalq_s16(sum, vmovl_s8(vand_s8(set, vld1_s8(query + j))));
    }
    return vaddvq_s32(sum);
}

static int32_t crumbs_dot(const uint8_t *row, const int8_t *query, size_t quarter)
{
    int32x4_t sum = vdupq_n_s32(0);
    uint8x8_t three = vdup_n_u8(3);
    size_t j = 0;
    for (; j + 8 <= quarter; j += 8) {
        uint8x8_t crumbs = vld1_u8(row + j);
        const int8_t *from = query + j;
        int8x8_t u0 = vreinterpret_s8_u8(vand_u8(crumbs, three));
        int8x8_t u1 = vreinterpret_s8_u8(vand_u8(vshr_n_u8(crumbs, 2), three));
        int8x8_t u2 = vreinterpret_s8_u8(vand_u8(vshr_n_u8(crumbs, 4), three));
        int8x8_t u3 = vreinterpret_s8_u8(vshr_n_u8(crumbs, 6));
        int16x8_t products = vmull_s8(u0, vld1_s8(from)); /* four times 3 x 128 fit 16 bits */
        products = vmlal_s8(products, u1, vld1_s8(from + quarter));
        products = vmlal_s8(products, u2, vld1_s8(from + 2 * quarter));
        products = vmlal_s8(products, u3, vld1_s8(from + 3 * quarter));
        sum = vpadalq_s16(sum, products);
    }
    int32_t total = vaddvq_s32(sum);
    for (; j < quarter; j++)
        for (size_t part = 0; part < 4; part++)
            total += (row[j] >> (2 * part) & 3) * query[part * quarter + j];
    return total;
}

static void levels_dot(const ir_code_operand *query, const ir_code_rows *signs,
                       const ir_code_rows *rests, uint32_t bits, int32_t *out)
{
    size_t n = query->dimension;
    for (uint32_t i = 0; i < signs->count; i++) {
        const uint8_t *rest = ir_code_row(rests, i);
        int32_t sum = set_bits_dot(ir_code_row(signs, i), query->bytes, n);
        uint32_t left = bits - 1;
        for (; left >= 2; left -= 2, rest += n / 4)
            sum = 4 * sum + crumbs_dot(rest, query->bytes, n / 4);
        if (left == 1)
            sum = 2 * sum + set_bits_dot(rest, query->bytes, n);
        out[i] = sum;
    }
}

/* 16 unsigned bytes less 128 each. */
static inline int8x16_t load_signed(const uint8_t *from)
{
    return vreinterpretq_s8_u8(veorq_u8(vld1q_u8(from), vdupq_n_u8(0x80)));
}

static inline int32x4_t add_products(int32x4_t sum, int8x16_t a, int8x16_t b)
{
    sum = vpadalq_s16(sum, vmull_s8(vget_low_s8(a), vget_low_s8(b)));
    return vpadalq_s16(sum, vmull_high_s8(a, b));
}

static void bytes_dot(const int8_t *bytes, size_t n, const ir_code_rows *rows, int32_t *out)
{
    int32_t all = 0; /* rows are taken less 128 */
    for (size_t j = 0; j < n; j++)
        all += bytes[j];
    for (uint32_t i = 0; i < rows->count; i++) {
        const uint8_t *row = ir_code_row(rows, i);
        int32x4_t sum = vdupq_n_s32(0);
        size_t j = 0;
        for (; j + 16 <= n; j += 16)
            sum = add_products(sum, load_signed(row + j), vld1q_s8(bytes + j));
        int32_t total = vaddvq_s32(sum);
        for (; j < n; j++)
            total += (row[j] - 128) * bytes[j];
        out[i] = total + 128 * all;
    }
}

/* One row against two, each less 128. */
static inline void gram_pair(const uint8_t *a, const uint8_t *b0, const uint8_t *b1, size_t n,
                             int32_t *out0, int32_t *out1)
{
    int32x4_t sum0 = vdupq_n_s32(0), sum1 = sum0;
    size_t k = 0;
    for (; k + 16 <= n; k += 16) {
        int8x16_t left = load_signed(a + k);
        sum0 = add_products(sum0, left, load_signed(b0 + k));
        sum1 = add_products(sum1, left, load_signed(b1 + k));
    }
    int32_t total0 = vaddvq_s32(sum0), total1 = vaddvq_s32(sum1);
    for (; k < n; k++) {
        total0 += (a[k] - 128) * (b0[k] - 128);
        total1 += (a[k] - 128) * (b1[k] - 128);
    }
    *out0 = total0;
    *out1 = total1;
}

static int32_t signed_sum(const uint8_t *row, size_t n)
{
    int32_t sum = 0;
    for (size_t k = 0; k < n; k++)
        sum += row[k] - 128;
    return sum;
}

static void bytes_gram(const ir_code_rows *left, const ir_code_rows *right, size_t n, int32_t *out)
{
    for (uint32_t j = 0; j < right->count; j += 2) {
        uint32_t other = j + 1 < right->count ? j + 1 : j;
        const uint8_t *b0 = ir_code_row(right, j), *b1 = ir_code_row(right, other);
        int32_t bias0 = 128 * signed_sum(b0, n), bias1 = 128 * signed_sum(b1, n);
        for (uint32_t i = 0; i < left->count; i++) {
            int32_t product0, product1, *to = out + (size_t)i * right->count;
            gram_pair(ir_code_row(left, i), b0, b1, n, &product0, &product1);
            to[j] = product0 + bias0;
            to[other] = product1 + bias1;
        }
    }
}

/* Eight numbers from 0 to 255 as bytes. */
static inline void store_bytes(uint8_t *out, int32x4_t low, int32x4_t high)
{
    uint16x8_t words = vcombine_u16(vqmovun_s32(low), vqmovun_s32(high));
    vst1_u8(out, vqmovn_u16(words));
}

static void grid(const float *values, const float *other, size_t n, float inverse_step,
                 uint32_t bits, uint8_t *levels, float sums[3])
{
    float32x4_t middle = vdupq_n_f32((float)(1u << (bits - 1)));
    float32x4_t top = vdupq_n_f32((float)((1u << bits) - 1)), zero = vdupq_n_f32(0);
    float32x4_t back = vsubq_f32(vdupq_n_f32(0.5f), middle), step = vdupq_n_f32(inverse_step);
    float32x4_t product = zero, squares = zero, with_other = zero;
    for (size_t k = 0; k < n; k += 8) {
        int32x4_t whole[2];
        for (size_t half = 0; half < 2; half++) {
            float32x4_t value = vld1q_f32(values + k + 4 * half);
            float32x4_t level = vaddq_f32(vmulq_f32(value, step), middle);
            /* maxnm takes the number of a NaN and a number */
            whole[half] = vcvtq_s32_f32(vminq_f32(vmaxnmq_f32(level, zero), top));
            float32x4_t v = vaddq_f32(vcvtq_f32_s32(whole[half]), back);
            product = vfmaq_f32(product, v, value);
            squares = vfmaq_f32(squares, v, v);
            if (other)
                with_other = vfmaq_f32(with_other, v, vld1q_f32(other + k + 4 * half));
        }
        if (levels)
            store_bytes(levels + k, whole[0], whole[1]);
    }
    sums[0] = vaddvq_f32(product);
    sums[1] = vaddvq_f32(squares);
    sums[2] = vaddvq_f32(with_other);
}

static float bytes_from_floats(const float *values, size_t n, uint8_t *out, int32_t sums[2])
{
    float32x4_t most = vdupq_n_f32(0);
    for (size_t k = 0; k < n; k += 4)
        most = vmaxq_f32(most, vabsq_f32(vld1q_f32(values + k)));
    float largest = vmaxvq_f32(most);
    float32x4_t scale = vdupq_n_f32(largest > 1e-36f ? 127.0f / largest : 0);
    int32x4_t sum = vdupq_n_s32(0), squares = sum, bias = vdupq_n_s32(128);
    for (size_t k = 0; k < n; k += 8) {
        int32x4_t number[2];
        for (size_t half = 0; half < 2; half++) {
            /* rounds halves away from zero, as the others do */
            number[half] = vcvtaq_s32_f32(vmulq_f32(vld1q_f32(values + k + 4 * half), scale));
            sum = vaddq_s32(sum, number[half]);
            squares = vmlaq_s32(squares, number[half], number[half]);
        }
        store_bytes(out + k, vaddq_s32(number[0], bias), vaddq_s32(number[1], bias));
    }
    sums[0] = vaddvq_s32(sum);
    sums[1] = vaddvq_s32(squares);
    return largest;
}

static float planes_from_floats(const float *values, size_t n, float inverse_step, uint8_t *planes,
                                size_t plane_stride, int32_t sums[2])
{
    static const uint8_t places[8] = {1, 2, 4, 8, 16, 32, 64, 128};
    float32x4_t step = vdupq_n_f32(inverse_step), product = vdupq_n_f32(0);
    float32x4_t low = vdupq_n_f32(-7), high = vdupq_n_f32(7);
    int32x4_t sum = vdupq_n_s32(0), squares = sum;
    uint8x8_t place = vld1_u8(places);
    for (size_t k = 0; k < n; k += 8) {
        int32x4_t number[2];
        for (size_t half = 0; half < 2; half++) {
            float32x4_t value = vld1q_f32(values + k + 4 * half);
            /* maxnm takes the number of a NaN and a number; halves are rounded away from zero */
            float32x4_t scaled = vminq_f32(vmaxnmq_f32(vmulq_f32(value, step), low), high);
            number[half] = vcvtaq_s32_f32(scaled);
            product = vfmaq_f32(product, vcvtq_f32_s32(number[half]), value);
            sum = vaddq_s32(sum, number[half]);
            squares = vmlaq_s32(squares, number[half], number[half]);
        }
        int16x8_t words = vcombine_s16(vmovn_s32(number[0]), vmovn_s32(number[1]));
        uint8x8_t bytes = vreinterpret_u8_s8(vmovn_s16(words));
        for (uint32_t plane = 0; plane < 4; plane++) {
            uint8x8_t set = vtst_u8(bytes, vdup_n_u8((uint8_t)(1u << plane)));
            planes[plane * plane_stride + k / 8] = vaddv_u8(vand_u8(set, place));
        }
    }
    sums[0] = vaddvq_s32(sum);
    sums[1] = vaddvq_s32(squares);
    return vaddvq_f32(product);
}

static void multiply(float *values, const float *factors, size_t n)
{
    size_t k = 0;
    for (; k + 4 <= n; k += 4)
        vst1q_f32(values + k, vmulq_f32(vld1q_f32(values + k), vld1q_f32(factors + k)));
    for (; k < n; k++)
        values[k] *= factors[k];
}

static void mix_halves(float *values, size_t n, float scale)
{
    float *other = values + n / 2;
    size_t k = 0;
    for (; k + 4 <= n / 2; k += 4) {
        float32x4_t a = vld1q_f32(values + k), b = vld1q_f32(other + k);
        vst1q_f32(values + k, vmulq_n_f32(vaddq_f32(a, b), scale));
        vst1q_f32(other + k, vmulq_n_f32(vsubq_f32(a, b), scale));
    }
    for (; k < n / 2; k++) {
        float a = values[k], b = other[k];
        values[k] = (a + b) * scale;
        other[k] = (a - b) * scale;
    }
}

static void fht(float *values, size_t n)
{
    for (size_t half = 1; half < n && half < 4; half *= 2)
        for (size_t block = 0; block < n; block += 2 * half)
            for (size_t j = block; j < block + half; j++) {
                float a = values[j], b = values[j + half];
                values[j] = a + b;
                values[j + half] = a - b;
            }
    for (size_t half = 4; half < n; half *= 2)
        for (size_t block = 0; block < n; block += 2 * half)
            for (size_t j = block; j < block + half; j += 4) {
                float32x4_t a = vld1q_f32(values + j), b = vld1q_f32(values + j + half);
                vst1q_f32(values + j, vaddq_f32(a, b));
                vst1q_f32(values + j + half, vsubq_f32(a, b));
            }
}

static float dot(const float *a, const float *b, size_t n)
{
    float32x4_t sum0 = vdupq_n_f32(0), sum1 = sum0;
    size_t j = 0;
    for (; j + 8 <= n; j += 8) {
        sum0 = vfmaq_f32(sum0, vld1q_f32(a + j), vld1q_f32(b + j));
        sum1 = vfmaq_f32(sum1, vld1q_f32(a + j + 4), vld1q_f32(b + j + 4));
    }
    float total = vaddvq_f32(vaddq_f32(sum0, sum1));
    for (; j < n; j++)
        total += a[j] * b[j];
    return total;
}

const ir_code_kernels ir_code_neon = {
    .name = "neon",
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

#endif
