/* code_avx512.c: kernels over codes for AVX-512 with VPOPCNTDQ and VNNI. */
#include "kernels/code_families.h"

#include <immintrin.h>

enum { LINES_AHEAD = 24, LINE_BYTES = 64 };

/* Rows to fetch ahead: as many lines as a core keeps on their way from memory. */
static inline uint32_t rows_ahead(size_t bytes)
{
    uint32_t ahead = (uint32_t)(LINES_AHEAD / (bytes / LINE_BYTES + 1));
    return ahead > 2 ? ahead : 2;
}

/* Rows come in no order the processor could foresee. */
static inline void prefetch_row(const ir_code_rows *rows, uint32_t i, size_t bytes)
{
    if (i >= rows->count)
        return;
    const uint8_t *row = ir_code_row(rows, i);
    for (size_t at = 0; at < bytes; at += LINE_BYTES)
        _mm_prefetch((const char *)row + at, _MM_HINT_T0);
    _mm_prefetch((const char *)row + bytes, _MM_HINT_T0); /* the numbers behind the bits */
}

static inline __mmask64 first_bytes(size_t count)
{
    return count >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << count) - 1;
}

static inline __m512i load_bytes(const uint8_t *from, size_t left)
{
    return left >= 64 ? _mm512_loadu_si512(from) : _mm512_maskz_loadu_epi8(first_bytes(left), from);
}

/* The four sums of four registers' 16 numbers. */
static inline __m128i sum_four(__m512i a, __m512i b, __m512i c, __m512i d)
{
    __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    __m512i all = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
    __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
    return _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

enum { TOGETHER = 4 }; /* rows that share each load of the query, and their last additions */

/* -O2 leaves these short loops rolled, and the sums then live in memory instead of registers. */
#if defined(__clang__)
#define UNROLL_FOR _Pragma("unroll") for
#else
#define UNROLL_FOR _Pragma("GCC unroll 4") for
#endif

/* Row by row 16 numbers whose sum is the product with the query. */
static inline void count_bits(const ir_code_operand *query, const uint8_t *const *rows,
                              __m512i *out)
{
    size_t bytes = query->dimension / 8, step = query->plane_stride;
    __m512i sums[TOGETHER][4];
    UNROLL_FOR (int r = 0; r < TOGETHER; r++)
        UNROLL_FOR (int p = 0; p < 4; p++)
            sums[r][p] = _mm512_setzero_si512();
    for (size_t at = 0; at < bytes; at += 64) {
        __m512i bits[TOGETHER];
        UNROLL_FOR (int r = 0; r < TOGETHER; r++)
            bits[r] = load_bytes(rows[r] + at, bytes - at);
        UNROLL_FOR (int p = 0; p < 4; p++) {
            __m512i plane = _mm512_loadu_si512(query->planes + (size_t)p * step + at);
            UNROLL_FOR (int r = 0; r < TOGETHER; r++)
                sums[r][p] = _mm512_add_epi32(
                    sums[r][p], _mm512_popcnt_epi32(_mm512_and_si512(bits[r], plane)));
        }
    }
    UNROLL_FOR (int r = 0; r < TOGETHER; r++) { /* s0 + 2 (s1 + 2 (s2 - 2 s3)) */
        __m512i sum = _mm512_sub_epi32(sums[r][2], _mm512_add_epi32(sums[r][3], sums[r][3]));
        sum = _mm512_add_epi32(sums[r][1], _mm512_add_epi32(sum, sum));
        out[r] = _mm512_add_epi32(sums[r][0], _mm512_add_epi32(sum, sum));
    }
}

static void bits_dot(const ir_code_operand *query, const ir_code_rows *rows, int32_t *out)
{
    size_t bytes = query->dimension / 8;
    uint32_t ahead = rows_ahead(bytes);
    ahead = ahead > TOGETHER ? ahead : TOGETHER;
    for (uint32_t i = 0; i < ahead; i++)
        prefetch_row(rows, i, bytes);
    for (uint32_t i = 0; i < rows->count; i += TOGETHER) {
        const uint8_t *four[TOGETHER];
        uint32_t left = rows->count - i;
        UNROLL_FOR (uint32_t r = 0; r < TOGETHER;
                    r++) { /* the last is repeated where there are fewer */
            prefetch_row(rows, i + ahead + r, bytes);
            four[r] = ir_code_row(rows, r < left ? i + r : rows->count - 1);
        }
        __m512i counts[TOGETHER];
        count_bits(query, four, counts);
        __mmask8 lanes = (__mmask8)(left < TOGETHER ? (1u << left) - 1 : (1u << TOGETHER) - 1);
        _mm_mask_storeu_epi32(out + i, lanes, sum_four(counts[0], counts[1], counts[2], counts[3]));
    }
}

static inline __mmask16 first_lanes(size_t count)
{
    return (__mmask16)(count >= 16 ? 0xFFFFu : (1u << count) - 1);
}

/* Step by step as the reference, for 16 records. */
static void sign_keys(const ir_code_terms *terms, const uint64_t *tails, const int32_t *sums,
                      uint32_t count, float *keys, float *errors)
{
    const __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2,
                                          0);
    const __m512i odd = _mm512_or_si512(even, _mm512_set1_epi32(1));
    for (uint32_t i = 0; i < count; i += 16) {
        __mmask16 lanes = first_lanes(count - i);
        __m512i low = _mm512_maskz_loadu_epi64((__mmask8)lanes, tails + i);
        __m512i high = _mm512_maskz_loadu_epi64((__mmask8)(lanes >> 8), tails + i + 8);
        __m512 base = _mm512_castsi512_ps(_mm512_permutex2var_epi32(low, even, high));
        __m512i rest = _mm512_permutex2var_epi32(low, odd, high);
        __m512 slope = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(rest));
        __m512i centroid = _mm512_and_si512(_mm512_srli_epi32(rest, 16), _mm512_set1_epi32(255));
        __m512 to_centroid = _mm512_i32gather_ps(centroid, terms->centroid_keys, 4);
        __m512 product = _mm512_cvtepi32_ps(_mm512_maskz_loadu_epi32(lanes, sums + i));
        product = _mm512_add_ps(_mm512_mul_ps(product, _mm512_set1_ps(terms->scale)),
                                _mm512_set1_ps(terms->shift));
        __m512 key = _mm512_add_ps(_mm512_add_ps(base, to_centroid), _mm512_mul_ps(slope, product));
        _mm512_mask_storeu_ps(keys + i, lanes, key);
        if (!errors)
            continue;
        __m512 cosine = _mm512_cvtepi32_ps(_mm512_srli_epi32(rest, 24));
        cosine = _mm512_mul_ps(_mm512_add_ps(cosine, _mm512_set1_ps(0.5f)),
                               _mm512_set1_ps(1 / 255.0f));
        __m512 length = _mm512_mul_ps(slope, _mm512_set1_ps(terms->length_factor));
        __m512 norm = _mm512_mul_ps(length, cosine), norm_squared = _mm512_mul_ps(norm, norm);
        __m512 spread = _mm512_sub_ps(_mm512_set1_ps(1), _mm512_mul_ps(cosine, cosine));
        __m512 across = to_centroid;
        if (terms->plain) {
            __m512 parallel = _mm512_sub_ps(_mm512_add_ps(norm_squared, to_centroid), key);
            parallel = _mm512_mul_ps(parallel, _mm512_set1_ps(0.5f));
            parallel = _mm512_div_ps(_mm512_mul_ps(parallel, parallel), norm_squared);
            /* max takes its second operand where the first is no number */
            across = _mm512_max_ps(_mm512_sub_ps(to_centroid, parallel), _mm512_setzero_ps());
        }
        __m512 variance = _mm512_mul_ps(_mm512_max_ps(spread, _mm512_setzero_ps()),
                                        _mm512_set1_ps(terms->spread_factor));
        variance = _mm512_add_ps(_mm512_mul_ps(variance, across),
                                 _mm512_set1_ps(terms->noise_squared));
        length = _mm512_mul_ps(_mm512_add_ps(length, length), _mm512_sqrt_ps(variance));
        _mm512_mask_storeu_ps(errors + i, lanes, length);
    }
}

/* Sum of query bytes where the row's bit is set, added to `sum`, each times `weight`. */
static inline __m512i add_bits(__m512i sum, const uint8_t *row, const int8_t *query, size_t n,
                               int weight)
{
    __m512i ones = _mm512_set1_epi8((char)weight);
    size_t j = 0;
    for (; j + 64 <= n; j += 64) {
        uint64_t bits;
        __builtin_memcpy(&bits, row + j / 8, 8);
        sum = _mm512_dpbusd_epi32(sum, _mm512_maskz_mov_epi8(bits, ones),
                                  _mm512_loadu_si512(query + j));
    }
    if (j < n) {
        uint64_t bits = 0;
        __builtin_memcpy(&bits, row + j / 8, (n - j) / 8);
        sum = _mm512_dpbusd_epi32(sum, _mm512_maskz_mov_epi8(bits, ones),
                                  _mm512_loadu_si512(query + j));
    }
    return sum;
}

static inline __m512i add_crumbs(__m512i sum, const uint8_t *row, const int8_t *query,
                                 size_t quarter)
{
    __m512i three = _mm512_set1_epi8(3);
    __m512i other = _mm512_setzero_si512();
    for (size_t j = 0; j < quarter; j += 64) {
        __m512i crumbs = load_bytes(row + j, quarter - j);
        const int8_t *from = query + j;
        __m512i u0 = _mm512_and_si512(crumbs, three);
        __m512i u1 = _mm512_and_si512(_mm512_srli_epi16(crumbs, 2), three);
        __m512i u2 = _mm512_and_si512(_mm512_srli_epi16(crumbs, 4), three);
        __m512i u3 = _mm512_and_si512(_mm512_srli_epi16(crumbs, 6), three);
        sum = _mm512_dpbusd_epi32(sum, u0, _mm512_loadu_si512(from));
        other = _mm512_dpbusd_epi32(other, u1, _mm512_loadu_si512(from + quarter));
        sum = _mm512_dpbusd_epi32(sum, u2, _mm512_loadu_si512(from + 2 * quarter));
        other = _mm512_dpbusd_epi32(other, u3, _mm512_loadu_si512(from + 3 * quarter));
    }
    return _mm512_add_epi32(sum, other);
}

static void levels_dot(const ir_code_operand *query, const ir_code_rows *signs,
                       const ir_code_rows *rests, uint32_t bits, int32_t *out)
{
    size_t n = query->dimension;
    size_t rest_bytes = n * (bits - 1) / 8;
    uint32_t ahead = rows_ahead(rest_bytes);
    for (uint32_t i = 0; i < ahead; i++)
        prefetch_row(rests, i, rest_bytes);
    for (uint32_t i = 0; i < signs->count; i++) {
        prefetch_row(rests, i + ahead, rest_bytes);
        const uint8_t *rest = ir_code_row(rests, i);
        uint32_t left = bits - 1;
        __m512i sum = add_bits(_mm512_setzero_si512(), ir_code_row(signs, i), query->bytes, n, 1);
        for (; left >= 2; left -= 2, rest += n / 4)
            sum = add_crumbs(_mm512_slli_epi32(sum, 2), rest, query->bytes, n / 4);
        if (left == 1)
            sum = add_bits(_mm512_slli_epi32(sum, 1), rest, query->bytes, n, 1);
        out[i] = _mm512_reduce_add_epi32(sum);
    }
}

static void bytes_dot(const int8_t *bytes, size_t n, const ir_code_rows *rows, int32_t *out)
{
    uint32_t ahead = rows_ahead(n);
    for (uint32_t i = 0; i < ahead; i++)
        prefetch_row(rows, i, n);
    for (uint32_t i = 0; i < rows->count; i++) {
        prefetch_row(rows, i + ahead, n);
        const uint8_t *row = ir_code_row(rows, i);
        __m512i sum0 = _mm512_setzero_si512(), sum1 = sum0;
        size_t j = 0;
        for (; j + 128 <= n; j += 128) {
            sum0 = _mm512_dpbusd_epi32(sum0, _mm512_loadu_si512(row + j),
                                       _mm512_loadu_si512(bytes + j));
            sum1 = _mm512_dpbusd_epi32(sum1, _mm512_loadu_si512(row + j + 64),
                                       _mm512_loadu_si512(bytes + j + 64));
        }
        for (; j < n; j += 64)
            sum0 = _mm512_dpbusd_epi32(sum0, load_bytes(row + j, n - j),
                                       _mm512_maskz_loadu_epi8(first_bytes(n - j), bytes + j));
        out[i] = _mm512_reduce_add_epi32(_mm512_add_epi32(sum0, sum1));
    }
}

enum { TILE = 4 };

/* TILE registers by name: those of an array would be kept in memory where loops are not unrolled. */
typedef struct tile_row {
    __m512i c0, c1, c2, c3;
} tile_row;

static inline void add_products(tile_row *sums, __m512i left, const tile_row *right)
{
    sums->c0 = _mm512_dpbusd_epi32(sums->c0, left, right->c0);
    sums->c1 = _mm512_dpbusd_epi32(sums->c1, left, right->c1);
    sums->c2 = _mm512_dpbusd_epi32(sums->c2, left, right->c2);
    sums->c3 = _mm512_dpbusd_epi32(sums->c3, left, right->c3);
}

static inline __m512i signed_bytes(const uint8_t *from, __mmask64 mask)
{
    return _mm512_xor_si512(_mm512_maskz_loadu_epi8(mask, from), _mm512_set1_epi8((char)0x80));
}

/* TILE x TILE rows: each register loaded serves TILE products. */
static inline void gram_tile(const uint8_t *const *a, const uint8_t *const *b, size_t n,
                             __m128i *out)
{
    __m512i zero = _mm512_setzero_si512();
    tile_row none = {zero, zero, zero, zero}, s0 = none, s1 = none, s2 = none, s3 = none;
    for (size_t k = 0; k < n; k += 64) {
        __mmask64 mask = first_bytes(n - k);
        tile_row right = {signed_bytes(b[0] + k, mask), signed_bytes(b[1] + k, mask),
                          signed_bytes(b[2] + k, mask), signed_bytes(b[3] + k, mask)};
        add_products(&s0, _mm512_maskz_loadu_epi8(mask, a[0] + k), &right);
        add_products(&s1, _mm512_maskz_loadu_epi8(mask, a[1] + k), &right);
        add_products(&s2, _mm512_maskz_loadu_epi8(mask, a[2] + k), &right);
        add_products(&s3, _mm512_maskz_loadu_epi8(mask, a[3] + k), &right);
    }
    out[0] = sum_four(s0.c0, s0.c1, s0.c2, s0.c3);
    out[1] = sum_four(s1.c0, s1.c1, s1.c2, s1.c3);
    out[2] = sum_four(s2.c0, s2.c1, s2.c2, s2.c3);
    out[3] = sum_four(s3.c0, s3.c1, s3.c2, s3.c3);
}

/* TILE rows from `first` on; the last is repeated where there are fewer. */
static inline uint32_t tile_rows(const ir_code_rows *rows, uint32_t first, const uint8_t **out)
{
    uint32_t left = rows->count - first;
    for (uint32_t i = 0; i < TILE; i++)
        out[i] = ir_code_row(rows, i < left ? first + i : rows->count - 1);
    return left < TILE ? left : TILE;
}

static void bytes_gram(const ir_code_rows *left, const ir_code_rows *right, size_t n, int32_t *out)
{
    for (uint32_t j = 0; j < right->count; j += TILE) {
        const uint8_t *b[TILE];
        __mmask8 columns = (__mmask8)((1u << tile_rows(right, j, b)) - 1);
        for (uint32_t i = 0; i < left->count; i += TILE) {
            const uint8_t *a[TILE];
            __m128i tile[TILE];
            uint32_t count = tile_rows(left, i, a);
            gram_tile(a, b, n, tile);
            for (uint32_t row = 0; row < count; row++)
                _mm_mask_storeu_epi32(out + (size_t)(i + row) * right->count + j, columns,
                                      tile[row]);
        }
    }
}

static void grid(const float *values, const float *other, size_t n, float inverse_step,
                 uint32_t bits, uint8_t *levels, float sums[3])
{
    __m512 middle = _mm512_set1_ps((float)(1u << (bits - 1)));
    __m512 top = _mm512_set1_ps((float)((1u << bits) - 1)), step = _mm512_set1_ps(inverse_step);
    __m512 back = _mm512_sub_ps(_mm512_set1_ps(0.5f), middle);
    __m512 product = _mm512_setzero_ps(), squares = product, with_other = product;
    for (size_t k = 0; k < n; k += 16) {
        __mmask16 lanes = first_lanes(n - k);
        __m512 value = _mm512_maskz_loadu_ps(lanes, values + k);
        __m512 level = _mm512_add_ps(_mm512_mul_ps(value, step), middle);
        level = _mm512_min_ps(_mm512_max_ps(level, _mm512_setzero_ps()), top);
        __m512i whole = _mm512_cvttps_epi32(level);
        __m512 v = _mm512_maskz_add_ps(lanes, _mm512_cvtepi32_ps(whole), back);
        product = _mm512_fmadd_ps(v, value, product);
        squares = _mm512_fmadd_ps(v, v, squares);
        if (other)
            with_other = _mm512_fmadd_ps(v, _mm512_maskz_loadu_ps(lanes, other + k), with_other);
        if (levels)
            _mm512_mask_cvtepi32_storeu_epi8(levels + k, lanes, whole);
    }
    sums[0] = _mm512_reduce_add_ps(product);
    sums[1] = _mm512_reduce_add_ps(squares);
    sums[2] = _mm512_reduce_add_ps(with_other);
}

static float bytes_from_floats(const float *values, size_t n, uint8_t *out, int32_t sums[2])
{
    __m512 most = _mm512_setzero_ps();
    for (size_t k = 0; k < n; k += 16)
        most = _mm512_max_ps(most,
                             _mm512_abs_ps(_mm512_maskz_loadu_ps(first_lanes(n - k), values + k)));
    float largest = _mm512_reduce_max_ps(most);
    __m512 scale = _mm512_set1_ps(largest > 1e-36f ? 127.0f / largest : 0);
    __m512i sum = _mm512_setzero_si512(), squares = sum;
    for (size_t k = 0; k < n; k += 16) {
        __mmask16 lanes = first_lanes(n - k);
        __m512 scaled = _mm512_mul_ps(_mm512_maskz_loadu_ps(lanes, values + k), scale);
        __m512 half = _mm512_or_ps(_mm512_and_ps(scaled, _mm512_set1_ps(-0.0f)),
                                   _mm512_set1_ps(0.5f));
        __m512i number = _mm512_cvttps_epi32(_mm512_add_ps(scaled, half));
        sum = _mm512_add_epi32(sum, number);
        squares = _mm512_add_epi32(squares, _mm512_mullo_epi32(number, number));
        _mm512_mask_cvtepi32_storeu_epi8(out + k, lanes,
                                         _mm512_add_epi32(number, _mm512_set1_epi32(128)));
    }
    sums[0] = _mm512_reduce_add_epi32(sum);
    sums[1] = _mm512_reduce_add_epi32(squares);
    return largest;
}

static float planes_from_floats(const float *values, size_t n, float inverse_step, uint8_t *planes,
                                size_t plane_stride, int32_t sums[2])
{
    __m512 step = _mm512_set1_ps(inverse_step), product = _mm512_setzero_ps();
    __m512i sum = _mm512_setzero_si512(), squares = sum;
    for (size_t k = 0; k < n; k += 16) {
        __mmask16 lanes = first_lanes(n - k);
        __m512 value = _mm512_maskz_loadu_ps(lanes, values + k);
        /* max takes its second operand where the first is no number */
        __m512 scaled = _mm512_max_ps(_mm512_mul_ps(value, step), _mm512_set1_ps(-7));
        scaled = _mm512_min_ps(scaled, _mm512_set1_ps(7));
        __m512 half = _mm512_or_ps(_mm512_and_ps(scaled, _mm512_set1_ps(-0.0f)),
                                   _mm512_set1_ps(0.5f));
        __m512i number = _mm512_maskz_cvttps_epi32(lanes, _mm512_add_ps(scaled, half));
        product = _mm512_fmadd_ps(_mm512_cvtepi32_ps(number), value, product);
        sum = _mm512_add_epi32(sum, number);
        squares = _mm512_add_epi32(squares, _mm512_mullo_epi32(number, number));
        for (uint32_t plane = 0; plane < 4; plane++) {
            uint16_t bits = _mm512_test_epi32_mask(number, _mm512_set1_epi32(1 << plane));
            __builtin_memcpy(planes + plane * plane_stride + k / 8, &bits, n - k >= 16 ? 2 : 1);
        }
    }
    sums[0] = _mm512_reduce_add_epi32(sum);
    sums[1] = _mm512_reduce_add_epi32(squares);
    return _mm512_reduce_add_ps(product);
}

static void multiply(float *values, const float *factors, size_t n)
{
    for (size_t k = 0; k < n; k += 16) {
        __mmask16 lanes = first_lanes(n - k);
        __m512 product = _mm512_mul_ps(_mm512_maskz_loadu_ps(lanes, values + k),
                                       _mm512_maskz_loadu_ps(lanes, factors + k));
        _mm512_mask_storeu_ps(values + k, lanes, product);
    }
}

static void mix_halves(float *values, size_t n, float scale)
{
    __m512 both = _mm512_set1_ps(scale);
    for (size_t k = 0; k < n / 2; k += 16) {
        __mmask16 lanes = first_lanes(n / 2 - k);
        __m512 a = _mm512_maskz_loadu_ps(lanes, values + k);
        __m512 b = _mm512_maskz_loadu_ps(lanes, values + k + n / 2);
        _mm512_mask_storeu_ps(values + k, lanes, _mm512_mul_ps(_mm512_add_ps(a, b), both));
        _mm512_mask_storeu_ps(values + k + n / 2, lanes, _mm512_mul_ps(_mm512_sub_ps(a, b), both));
    }
}

/* Butterflies of distance `half` inside one register: partner lanes by a permutation, and the
 * sign of the upper partner turned. */
static inline __m512 butterfly(__m512 x, __m512i partner, __mmask16 upper)
{
    __m512 other = _mm512_permutexvar_ps(partner, x);
    return _mm512_add_ps(other, _mm512_mask_sub_ps(x, upper, _mm512_setzero_ps(), x));
}

static inline __m512 fht16(__m512 x)
{
    __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    x = butterfly(x, _mm512_xor_si512(lane, _mm512_set1_epi32(1)), 0xAAAA);
    x = butterfly(x, _mm512_xor_si512(lane, _mm512_set1_epi32(2)), 0xCCCC);
    x = butterfly(x, _mm512_xor_si512(lane, _mm512_set1_epi32(4)), 0xF0F0);
    return butterfly(x, _mm512_xor_si512(lane, _mm512_set1_epi32(8)), 0xFF00);
}

static void fht(float *values, size_t n)
{
    if (n < 16) {
        ir_code_scalar.fht(values, n);
        return;
    }
    for (size_t j = 0; j < n; j += 16)
        _mm512_storeu_ps(values + j, fht16(_mm512_loadu_ps(values + j)));
    for (size_t half = 16; half < n; half *= 2)
        for (size_t block = 0; block < n; block += 2 * half)
            for (size_t j = block; j < block + half; j += 16) {
                __m512 a = _mm512_loadu_ps(values + j), b = _mm512_loadu_ps(values + j + half);
                _mm512_storeu_ps(values + j, _mm512_add_ps(a, b));
                _mm512_storeu_ps(values + j + half, _mm512_sub_ps(a, b));
            }
}

static float dot(const float *a, const float *b, size_t n)
{
    __m512 sum0 = _mm512_setzero_ps(), sum1 = sum0;
    size_t j = 0;
    for (; j + 32 <= n; j += 32) {
        sum0 = _mm512_fmadd_ps(_mm512_loadu_ps(a + j), _mm512_loadu_ps(b + j), sum0);
        sum1 = _mm512_fmadd_ps(_mm512_loadu_ps(a + j + 16), _mm512_loadu_ps(b + j + 16), sum1);
    }
    for (; j < n; j += 16) {
        __mmask16 lanes = (__mmask16)(n - j >= 16 ? 0xFFFFu : (1u << (n - j)) - 1);
        sum0 = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(lanes, a + j),
                               _mm512_maskz_loadu_ps(lanes, b + j), sum0);
    }
    return _mm512_reduce_add_ps(_mm512_add_ps(sum0, sum1));
}

const ir_code_kernels ir_code_avx512 = {
    .name = "avx512",
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
