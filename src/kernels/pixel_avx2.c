/* pixel_avx2.c: kernels over pixels for AVX2.
 *
 * Bytes times weights of 23 bits are done as two products of 16 bits, by the weight's lower half and by
 * its upper one, two of them added in one instruction (PMADDWD): half the work of products of 32 bits.
 * Both sums are kept apart and put together at the end. */
#include "kernels/pixel_families.h"

#include <immintrin.h>
#include <string.h>

/* (low + 2^12 high), rounded: eight values below 2^10 in 32 bits. */
static inline __m256i rounded(__m256i low, __m256i high)
{
    __m256i sum = _mm256_add_epi32(low, _mm256_slli_epi32(high, IR_TAP_LOW_BITS));
    sum = _mm256_add_epi32(sum, _mm256_set1_epi32(1 << (IR_TAP_BITS - 1)));
    return _mm256_srai_epi32(sum, IR_TAP_BITS);
}

/* Red, green, blue and a 0 as bytes. */
static inline uint32_t blend_pixel(const uint8_t *pixel, const int16_t *halves, uint32_t groups)
{
    /* The first two pixels' colours in pairs into the lower lane, the other two's into the upper. */
    const __m256i pairs = _mm256_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1,
                                           6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1,
                                           -1);
    const __m256i lows = _mm256_setr_epi8(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6,
                                          7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7);
    const __m256i highs = _mm256_add_epi8(lows, _mm256_set1_epi8(8));
    __m256i low = _mm256_setzero_si256(), high = low;
    for (uint32_t g = 0; g < groups; g++, pixel += 3 * IR_TAP_GROUP, halves += 2 * IR_TAP_GROUP) {
        __m256i four = _mm256_broadcastsi128_si256(
            _mm_loadu_si128((const __m128i *)(const void *)pixel));
        __m256i weights = _mm256_broadcastsi128_si256(
            _mm_loadu_si128((const __m128i *)(const void *)halves));
        four = _mm256_shuffle_epi8(four, pairs);
        low = _mm256_add_epi32(low, _mm256_madd_epi16(four, _mm256_shuffle_epi8(weights, lows)));
        high = _mm256_add_epi32(high, _mm256_madd_epi16(four, _mm256_shuffle_epi8(weights, highs)));
    }
    __m128i sum_low = _mm_add_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1));
    __m128i sum_high = _mm_add_epi32(_mm256_castsi256_si128(high),
                                     _mm256_extracti128_si256(high, 1));
    __m128i sum = _mm256_castsi256_si128(
        rounded(_mm256_castsi128_si256(sum_low), _mm256_castsi128_si256(sum_high)));
    sum = _mm_packs_epi32(sum, sum);
    return (uint32_t)_mm_cvtsi128_si32(_mm_packus_epi16(sum, sum));
}

static void blend_across(const ir_taps *taps, uint32_t width, const uint8_t *row, size_t readable,
                         uint8_t *out)
{
    uint32_t i = 0;
    for (; i + 1 < width; i++) { /* four bytes are written: the last pixel has no room for them */
        uint32_t groups = (taps->count[i] + IR_TAP_GROUP - 1) / IR_TAP_GROUP;
        size_t from = 3 * (size_t)taps->first[i];
        if (groups == 0 || from + 3 * IR_TAP_GROUP * (size_t)(groups - 1) + 16 > readable)
            break;
        uint32_t rgb = blend_pixel(row + from, taps->halves + 2 * i * taps->stride, groups);
        memcpy(out + 3 * (size_t)i, &rgb, sizeof rgb);
    }
    ir_pixel_rest_across(taps, i, width, row, out);
}

/* Adds two rows' 32 bytes by their weights: four sums of eight bytes each, by half. */
static inline void add_rows(__m256i low[4], __m256i high[4], const uint8_t *a, const uint8_t *b,
                            const int16_t *halves)
{
    const __m256i zero = _mm256_setzero_si256();
    int32_t lows, highs;
    memcpy(&lows, halves, sizeof lows);
    memcpy(&highs, halves + IR_TAP_GROUP, sizeof highs);
    const __m256i by_low = _mm256_set1_epi32(lows), by_high = _mm256_set1_epi32(highs);
    __m256i first = _mm256_loadu_si256((const __m256i *)(const void *)a);
    __m256i second = _mm256_loadu_si256((const __m256i *)(const void *)b);
    __m256i front = _mm256_unpacklo_epi8(first, second);
    __m256i back = _mm256_unpackhi_epi8(first, second);
    const __m256i wide[4] = {_mm256_unpacklo_epi8(front, zero), _mm256_unpackhi_epi8(front, zero),
                             _mm256_unpacklo_epi8(back, zero), _mm256_unpackhi_epi8(back, zero)};
    for (int k = 0; k < 4; k++) {
        low[k] = _mm256_add_epi32(low[k], _mm256_madd_epi16(wide[k], by_low));
        high[k] = _mm256_add_epi32(high[k], _mm256_madd_epi16(wide[k], by_high));
    }
}

static void blend_down(const ir_taps *taps, uint32_t i, const uint8_t *const *rows, size_t bytes,
                       uint8_t *out)
{
    const int16_t *halves = taps->halves + 2 * i * taps->stride;
    uint32_t count = taps->count[i];
    size_t at = 0;
    for (; at + 32 <= bytes; at += 32) {
        __m256i low[4] = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(),
                          _mm256_setzero_si256()};
        __m256i high[4] = {low[0], low[0], low[0], low[0]};
        for (uint32_t j = 0; j < count; j += 2) /* an odd last one is added to one of weight 0 */
            add_rows(low, high, rows[j] + at, rows[j + (j + 1 < count)] + at,
                     halves + 2 * (j - j % IR_TAP_GROUP) + j % IR_TAP_GROUP);
        __m256i front = _mm256_packs_epi32(rounded(low[0], high[0]), rounded(low[1], high[1]));
        __m256i back = _mm256_packs_epi32(rounded(low[2], high[2]), rounded(low[3], high[3]));
        _mm256_storeu_si256((__m256i *)(void *)(out + at), _mm256_packus_epi16(front, back));
    }
    ir_pixel_rest_down(taps, i, rows, at, bytes, out);
}

const ir_pixel_kernels ir_pixel_avx2 = {
    .name = "avx2",
    .blend_across = blend_across,
    .blend_down = blend_down,
};
