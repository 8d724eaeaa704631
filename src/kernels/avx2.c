/* avx2.c: the kernels for x86-64 with AVX2, FMA and F16C. */
#if defined(__x86_64__)

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define LANES 8u

typedef __m256 vec;

static inline vec vec_zero(void)
{
    return _mm256_setzero_ps();
}

static inline vec vec_add(vec a, vec b)
{
    return _mm256_add_ps(a, b);
}

static inline vec vec_sub(vec a, vec b)
{
    return _mm256_sub_ps(a, b);
}

static inline vec vec_fma(vec a, vec b, vec c)
{
    return _mm256_fmadd_ps(a, b, c);
}

static inline float vec_sum(vec a)
{
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

static inline vec vec_load(const float *from)
{
    return _mm256_loadu_ps(from);
}

static inline vec vec_load_part(const float *from, size_t n)
{
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_maskload_ps(from, _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), lane));
}

static inline vec vec_load_half(const uint16_t *from)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)from));
}

static inline vec vec_load_half_part(const uint16_t *from, size_t n)
{
    uint16_t part[LANES] = {0};
    memcpy(part, from, n * sizeof part[0]);
    return vec_load_half(part);
}

static inline void vec_store(float *to, vec a)
{
    _mm256_storeu_ps(to, a);
}

static inline void vec_store_half(uint16_t *to, vec a)
{
    _mm_storeu_si128((__m128i *)to, _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}

#include "kernels/loops.h"

const ir_kernels ir_kernels_avx2 = FAMILY_TABLE("avx2");

#else

typedef int ir_kernels_avx2_is_for_x86_64; /* ISO C wants something in every file */

#endif
