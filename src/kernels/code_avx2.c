/* code_avx2.c: kernels over codes for AVX2 (which comes with POPCNT). */
#include "kernels/code_families.h"

#include <immintrin.h>
#include <string.h>

static inline int32_t sum_lanes(__m256i sum)
{
    __m128i half = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4E));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0xB1));
    return _mm_cvtsi128_si32(half);
}

static inline int32_t count_common(uint64_t a, const uint8_t *plane)
{
    uint64_t b;
    memcpy(&b, plane, 8);
    return (int32_t)_mm_popcnt_u64(a & b);
}

static void bits_dot(const ir_code_operand *query, const ir_code_rows *rows, int32_t *out)
{
    size_t bytes = query->dimension / 8;
    size_t step = query->plane_stride;
    for (uint32_t i = 0; i < rows->count; i++) {
        const uint8_t *row = ir_code_row(rows, i);
        int32_t sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
        for (size_t at = 0; at < bytes; at += 8) {
            uint64_t bits = 0;
            memcpy(&bits, row + at, bytes - at >= 8 ? 8 : bytes - at);
            const uint8_t *plane = query->planes + at;
            sum0 += count_common(bits, plane);
            sum1 += count_common(bits, plane + step);
            sum2 += count_common(bits, plane + 2 * step);
            sum3 += count_common(bits, plane + 3 * step);
        }
        out[i] = sum0 + 2 * sum1 + 4 * sum2 - 8 * sum3;
    }
}

/* Step by step as the reference, for 8 records; what is left over goes through the reference. */
static void sign_keys(const ir_code_terms *terms, const uint64_t *tails, const int32_t *sums,
                      uint32_t count, float *keys, float *errors)
{
    const __m256i evens_first = _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7);
    const __m256 one = _mm256_set1_ps(1), zero = _mm256_setzero_ps();
    uint32_t i = 0;
    for (; i + 8 <= count; i += 8) {
        const __m256i *from = (const __m256i *)(const void *)(tails + i);
        __m256i low = _mm256_permutevar8x32_epi32(_mm256_loadu_si256(from), evens_first);
        __m256i high = _mm256_permutevar8x32_epi32(_mm256_loadu_si256(from + 1), evens_first);
        __m256 base = _mm256_castsi256_ps(_mm256_permute2x128_si256(low, high, 0x20));
        __m256i rest = _mm256_permute2x128_si256(low, high, 0x31);
        __m256i halves = _mm256_and_si256(rest, _mm256_set1_epi32(0xFFFF));
        halves = _mm256_permute4x64_epi64(_mm256_packus_epi32(halves, halves), 0x08);
        __m256 slope = _mm256_cvtph_ps(_mm256_castsi256_si128(halves));
        __m256i centroid = _mm256_and_si256(_mm256_srli_epi32(rest, 16), _mm256_set1_epi32(255));
        __m256 to_centroid = _mm256_i32gather_ps(terms->centroid_keys, centroid, 4);
        __m256 product = _mm256_cvtepi32_ps(
            _mm256_loadu_si256((const __m256i *)(const void *)(sums + i)));
        product = _mm256_add_ps(_mm256_mul_ps(product, _mm256_set1_ps(terms->scale)),
                                _mm256_set1_ps(terms->shift));
        __m256 key = _mm256_add_ps(_mm256_add_ps(base, to_centroid), _mm256_mul_ps(slope, product));
        _mm256_storeu_ps(keys + i, key);
        if (!errors)
            continue;
        __m256 cosine = _mm256_cvtepi32_ps(_mm256_srli_epi32(rest, 24));
        cosine = _mm256_mul_ps(_mm256_add_ps(cosine, _mm256_set1_ps(0.5f)),
                               _mm256_set1_ps(1 / 255.0f));
        __m256 length = _mm256_mul_ps(slope, _mm256_set1_ps(terms->length_factor));
        __m256 norm = _mm256_mul_ps(length, cosine), norm_squared = _mm256_mul_ps(norm, norm);
        __m256 spread = _mm256_sub_ps(one, _mm256_mul_ps(cosine, cosine)), across = to_centroid;
        if (terms->plain) {
            __m256 parallel = _mm256_sub_ps(_mm256_add_ps(norm_squared, to_centroid), key);
            parallel = _mm256_mul_ps(parallel, _mm256_set1_ps(0.5f));
            parallel = _mm256_div_ps(_mm256_mul_ps(parallel, parallel), norm_squared);
            /* max takes its second operand where the first is no number */
            across = _mm256_max_ps(_mm256_sub_ps(to_centroid, parallel), zero);
        }
        __m256 variance = _mm256_mul_ps(_mm256_max_ps(spread, zero),
                                        _mm256_set1_ps(terms->spread_factor));
        variance = _mm256_add_ps(_mm256_mul_ps(variance, across),
                                 _mm256_set1_ps(terms->noise_squared));
        length = _mm256_mul_ps(_mm256_add_ps(length, length), _mm256_sqrt_ps(variance));
        _mm256_storeu_ps(errors + i, length);
    }
    if (i < count)
        ir_code_scalar.sign_keys(terms, tails + i, sums + i, count - i, keys + i,
                                 errors ? errors + i : NULL);
}

/* 32 bits of a row, each widened to a byte of 0 or 1. */
static inline __m256i widen_bits(uint32_t bits)
{
    const __m256i byte_of = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2,
                                             2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
    const __m256i bit_of = _mm256_set1_epi64x((long long)0x8040201008040201ull);
    __m256i spread = _mm256_shuffle_epi8(_mm256_set1_epi32((int)bits), byte_of);
    __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(spread, bit_of), bit_of);
    return _mm256_and_si256(set, _mm256_set1_epi8(1));
}

/* Unsigned bytes of at most 3, so that pairs cannot overflow 16 bits. */
static inline __m256i add_products(__m256i sum, __m256i small, const int8_t *query)
{
    __m256i pairs = _mm256_maddubs_epi16(small,
                                         _mm256_loadu_si256((const __m256i *)(const void *)query));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

static int32_t bits_bytes_dot(const uint8_t *row, const int8_t *query, size_t n)
{
    __m256i sum = _mm256_setzero_si256();
    for (size_t j = 0; j < n; j += 32) {
        uint32_t bits = 0;
        memcpy(&bits, row + j / 8, n - j >= 32 ? 4 : (n - j) / 8);
        sum = add_products(sum, widen_bits(bits), query + j);
    }
    return sum_lanes(sum);
}

static int32_t crumbs_dot(const uint8_t *row, const int8_t *query, size_t quarter)
{
    const __m256i three = _mm256_set1_epi8(3);
    __m256i sum = _mm256_setzero_si256();
    for (size_t j = 0; j < quarter; j += 32) {
        uint8_t tail[32] = {0};
        const uint8_t *from = row + j;
        if (quarter - j < 32)
            from = memcpy(tail, from, quarter - j);
        __m256i crumbs = _mm256_loadu_si256((const __m256i *)(const void *)from);
        const int8_t *q = query + j;
        sum = add_products(sum, _mm256_and_si256(crumbs, three), q);
        sum = add_products(sum, _mm256_and_si256(_mm256_srli_epi16(crumbs, 2), three), q + quarter);
        sum = add_products(sum, _mm256_and_si256(_mm256_srli_epi16(crumbs, 4), three),
                           q + 2 * quarter);
        sum = add_products(sum, _mm256_and_si256(_mm256_srli_epi16(crumbs, 6), three),
                           q + 3 * quarter);
    }
    return sum_lanes(sum);
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
        __m256i sum = _mm256_setzero_si256();
        size_t j = 0;
        for (; j + 16 <= n; j += 16) {
            __m128i left = _mm_loadu_si128((const __m128i *)(const void *)(row + j));
            __m128i right = _mm_loadu_si128((const __m128i *)(const void *)(bytes + j));
            sum = _mm256_add_epi32(
                sum, _mm256_madd_epi16(_mm256_cvtepu8_epi16(left), _mm256_cvtepi8_epi16(right)));
        }
        int32_t total = sum_lanes(sum);
        for (; j < n; j++)
            total += row[j] * bytes[j];
        out[i] = total;
    }
}

static inline __m256i widened(const uint8_t *from)
{
    return _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)from));
}

/* One row against two. */
static inline void gram_pair(const uint8_t *a, const uint8_t *b0, const uint8_t *b1, size_t n,
                             int32_t *out0, int32_t *out1)
{
    __m256i sum0 = _mm256_setzero_si256(), sum1 = sum0, bias = _mm256_set1_epi16(128);
    size_t k = 0;
    for (; k + 16 <= n; k += 16) {
        __m256i left = widened(a + k);
        __m256i right0 = _mm256_sub_epi16(widened(b0 + k), bias);
        __m256i right1 = _mm256_sub_epi16(widened(b1 + k), bias);
        sum0 = _mm256_add_epi32(sum0, _mm256_madd_epi16(left, right0));
        sum1 = _mm256_add_epi32(sum1, _mm256_madd_epi16(left, right1));
    }
    int32_t total0 = sum_lanes(sum0), total1 = sum_lanes(sum1);
    for (; k < n; k++) {
        total0 += a[k] * (b0[k] - 128);
        total1 += a[k] * (b1[k] - 128);
    }
    *out0 = total0;
    *out1 = total1;
}

static void bytes_gram(const ir_code_rows *left, const ir_code_rows *right, size_t n, int32_t *out)
{
    for (uint32_t i = 0; i < left->count; i++) {
        const uint8_t *a = ir_code_row(left, i);
        int32_t *to = out + (size_t)i * right->count;
        for (uint32_t j = 0; j < right->count; j += 2) {
            uint32_t other = j + 1 < right->count ? j + 1 : j;
            gram_pair(a, ir_code_row(right, j), ir_code_row(right, other), n, to + j, to + other);
        }
    }
}

static inline float sum_floats(__m256 values)
{
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(values), _mm256_extractf128_ps(values, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}

/* Eight numbers from 0 to 255 as bytes. */
static inline void store_bytes(uint8_t *out, __m256i numbers)
{
    __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(numbers),
                                     _mm256_extracti128_si256(numbers, 1));
    _mm_storel_epi64((__m128i *)(void *)out, _mm_packus_epi16(words, words));
}

static void grid(const float *values, const float *other, size_t n, float inverse_step,
                 uint32_t bits, uint8_t *levels, float sums[3])
{
    __m256 middle = _mm256_set1_ps((float)(1u << (bits - 1)));
    __m256 top = _mm256_set1_ps((float)((1u << bits) - 1)), step = _mm256_set1_ps(inverse_step);
    __m256 back = _mm256_sub_ps(_mm256_set1_ps(0.5f), middle);
    __m256 product = _mm256_setzero_ps(), squares = product, with_other = product;
    for (size_t k = 0; k < n; k += 8) {
        __m256 value = _mm256_loadu_ps(values + k);
        __m256 level = _mm256_add_ps(_mm256_mul_ps(value, step), middle);
        level = _mm256_min_ps(_mm256_max_ps(level, _mm256_setzero_ps()), top);
        __m256i whole = _mm256_cvttps_epi32(level);
        __m256 v = _mm256_add_ps(_mm256_cvtepi32_ps(whole), back);
        product = _mm256_fmadd_ps(v, value, product);
        squares = _mm256_fmadd_ps(v, v, squares);
        if (other)
            with_other = _mm256_fmadd_ps(v, _mm256_loadu_ps(other + k), with_other);
        if (levels)
            store_bytes(levels + k, whole);
    }
    sums[0] = sum_floats(product);
    sums[1] = sum_floats(squares);
    sums[2] = sum_floats(with_other);
}

static float bytes_from_floats(const float *values, size_t n, uint8_t *out, int32_t sums[2])
{
    __m256 sign = _mm256_set1_ps(-0.0f), most = _mm256_setzero_ps();
    for (size_t k = 0; k < n; k += 8)
        most = _mm256_max_ps(most, _mm256_andnot_ps(sign, _mm256_loadu_ps(values + k)));
    float lanes[8], largest = 0;
    _mm256_storeu_ps(lanes, most);
    for (int i = 0; i < 8; i++)
        largest = lanes[i] > largest ? lanes[i] : largest;
    __m256 scale = _mm256_set1_ps(largest > 1e-36f ? 127.0f / largest : 0);
    __m256i sum = _mm256_setzero_si256(), squares = sum;
    for (size_t k = 0; k < n; k += 8) {
        __m256 scaled = _mm256_mul_ps(_mm256_loadu_ps(values + k), scale);
        __m256 half = _mm256_or_ps(_mm256_and_ps(scaled, sign), _mm256_set1_ps(0.5f));
        __m256i number = _mm256_cvttps_epi32(_mm256_add_ps(scaled, half));
        sum = _mm256_add_epi32(sum, number);
        squares = _mm256_add_epi32(squares, _mm256_mullo_epi32(number, number));
        store_bytes(out + k, _mm256_add_epi32(number, _mm256_set1_epi32(128)));
    }
    sums[0] = sum_lanes(sum);
    sums[1] = sum_lanes(squares);
    return largest;
}

static float planes_from_floats(const float *values, size_t n, float inverse_step, uint8_t *planes,
                                size_t plane_stride, int32_t sums[2])
{
    __m256 step = _mm256_set1_ps(inverse_step), sign = _mm256_set1_ps(-0.0f);
    __m256 product = _mm256_setzero_ps();
    __m256i sum = _mm256_setzero_si256(), squares = sum;
    for (size_t k = 0; k < n; k += 8) {
        __m256 value = _mm256_loadu_ps(values + k);
        /* max takes its second operand where the first is no number */
        __m256 scaled = _mm256_max_ps(_mm256_mul_ps(value, step), _mm256_set1_ps(-7));
        scaled = _mm256_min_ps(scaled, _mm256_set1_ps(7));
        __m256 half = _mm256_or_ps(_mm256_and_ps(scaled, sign), _mm256_set1_ps(0.5f));
        __m256i number = _mm256_cvttps_epi32(_mm256_add_ps(scaled, half));
        product = _mm256_fmadd_ps(_mm256_cvtepi32_ps(number), value, product);
        sum = _mm256_add_epi32(sum, number);
        squares = _mm256_add_epi32(squares, _mm256_mullo_epi32(number, number));
        for (int plane = 0; plane < 4; plane++) {
            __m256i top = _mm256_slli_epi32(number, 31 - plane);
            planes[(size_t)plane * plane_stride + k / 8] = (uint8_t)_mm256_movemask_ps(
                _mm256_castsi256_ps(top));
        }
    }
    sums[0] = sum_lanes(sum);
    sums[1] = sum_lanes(squares);
    return sum_floats(product);
}

static void multiply(float *values, const float *factors, size_t n)
{
    size_t k = 0;
    for (; k + 8 <= n; k += 8)
        _mm256_storeu_ps(values + k,
                         _mm256_mul_ps(_mm256_loadu_ps(values + k), _mm256_loadu_ps(factors + k)));
    for (; k < n; k++)
        values[k] *= factors[k];
}

static void mix_halves(float *values, size_t n, float scale)
{
    __m256 both = _mm256_set1_ps(scale);
    float *other = values + n / 2;
    size_t k = 0;
    for (; k + 8 <= n / 2; k += 8) {
        __m256 a = _mm256_loadu_ps(values + k), b = _mm256_loadu_ps(other + k);
        _mm256_storeu_ps(values + k, _mm256_mul_ps(_mm256_add_ps(a, b), both));
        _mm256_storeu_ps(other + k, _mm256_mul_ps(_mm256_sub_ps(a, b), both));
    }
    for (; k < n / 2; k++) {
        float a = values[k], b = other[k];
        values[k] = (a + b) * scale;
        other[k] = (a - b) * scale;
    }
}

static void fht(float *values, size_t n)
{
    for (size_t half = 1; half < n && half < 8; half *= 2)
        for (size_t block = 0; block < n; block += 2 * half)
            for (size_t j = block; j < block + half; j++) {
                float a = values[j], b = values[j + half];
                values[j] = a + b;
                values[j + half] = a - b;
            }
    for (size_t half = 8; half < n; half *= 2)
        for (size_t block = 0; block < n; block += 2 * half)
            for (size_t j = block; j < block + half; j += 8) {
                __m256 a = _mm256_loadu_ps(values + j), b = _mm256_loadu_ps(values + j + half);
                _mm256_storeu_ps(values + j, _mm256_add_ps(a, b));
                _mm256_storeu_ps(values + j + half, _mm256_sub_ps(a, b));
            }
}

static float dot(const float *a, const float *b, size_t n)
{
    __m256 sum = _mm256_setzero_ps();
    size_t j = 0;
    for (; j + 8 <= n; j += 8)
        sum = _mm256_fmadd_ps(_mm256_loadu_ps(a + j), _mm256_loadu_ps(b + j), sum);
    float lanes[8], total = 0;
    _mm256_storeu_ps(lanes, sum);
    for (int i = 0; i < 8; i++)
        total += lanes[i];
    for (; j < n; j++)
        total += a[j] * b[j];
    return total;
}

const ir_code_kernels ir_code_avx2 = {
    .name = "avx2",
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
