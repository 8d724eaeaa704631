/* avx512.c: the kernels for x86-64 with AVX-512; masked loads take the tails. */
#if defined(__x86_64__)

#include <immintrin.h>
#include <stdint.h>

#define LANES 16u

typedef __m512 vec;

static inline __mmask16 mask_of(size_t n)
{
    return (__mmask16)((1u << n) - 1u);
}

static inline vec vec_zero(void)
{
    return _mm512_setzero_ps();
}

static inline vec vec_add(vec a, vec b)
{
    return _mm512_add_ps(a, b);
}

static inline vec vec_sub(vec a, vec b)
{
    return _mm512_sub_ps(a, b);
}

static inline vec vec_fma(vec a, vec b, vec c)
{
    return _mm512_fmadd_ps(a, b, c);
}

static inline float vec_sum(vec a)
{
    return _mm512_reduce_add_ps(a);
}

static inline vec vec_load(const float *from)
{
    return _mm512_loadu_ps(from);
}

static inline vec vec_load_part(const float *from, size_t n)
{
    return _mm512_maskz_loadu_ps(mask_of(n), from);
}

static inline vec vec_load_half(const uint16_t *from)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)from));
}

static inline vec vec_load_half_part(const uint16_t *from, size_t n)
{
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask_of(n), from));
}

static inline void vec_store(float *to, vec a)
{
    _mm512_storeu_ps(to, a);
}

static inline void vec_store_half(uint16_t *to, vec a)
{
    _mm256_storeu_si256((__m256i *)to, _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}

#include "kernels/loops.h"

const ir_kernels ir_kernels_avx512 = FAMILY_TABLE("avx512");

#else

typedef int ir_kernels_avx512_is_for_x86_64; /* ISO C wants something in every file */

#endif
