/* neon.c: the kernels for 64-bit ARM; what they need is part of every such CPU. */
#if defined(__aarch64__)

#include <arm_neon.h>
#include <stddef.h>
#include <string.h>

#define LANES 4u

typedef float32x4_t vec;

static inline vec vec_zero(void)
{
    return vdupq_n_f32(0.0f);
}

static inline vec vec_add(vec a, vec b)
{
    return vaddq_f32(a, b);
}

static inline vec vec_sub(vec a, vec b)
{
    return vsubq_f32(a, b);
}

static inline vec vec_fma(vec a, vec b, vec c)
{
    return vfmaq_f32(c, a, b);
}

static inline float vec_sum(vec a)
{
    return vaddvq_f32(a);
}

static inline vec vec_load(const float *from)
{
    return vld1q_f32(from);
}

static inline vec vec_load_part(const float *from, size_t n)
{
    float part[LANES] = {0};
    memcpy(part, from, n * sizeof part[0]);
    return vld1q_f32(part);
}

static inline vec vec_load_half(const uint16_t *from)
{
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(from)));
}

static inline vec vec_load_half_part(const uint16_t *from, size_t n)
{
    uint16_t part[LANES] = {0};
    memcpy(part, from, n * sizeof part[0]);
    return vec_load_half(part);
}

static inline void vec_store(float *to, vec a)
{
    vst1q_f32(to, a);
}

static inline void vec_store_half(uint16_t *to, vec a)
{
    vst1_u16(to, vreinterpret_u16_f16(vcvt_f16_f32(a)));
}

#include "kernels/loops.h"

const ir_kernels ir_kernels_neon = FAMILY_TABLE("neon");

#else

typedef int ir_kernels_neon_is_for_aarch64; /* ISO C wants something in every file */

#endif
