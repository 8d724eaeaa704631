/* families.h: the families that dispatch.c chooses from; each exists on its own architecture. */
#ifndef IR_KERNELS_FAMILIES_H
#define IR_KERNELS_FAMILIES_H

#include "kernels/kernels.h"

extern const ir_kernels ir_kernels_scalar;

#if defined(__x86_64__)
extern const ir_kernels ir_kernels_avx2;   /* AVX2, FMA, F16C */
extern const ir_kernels ir_kernels_avx512; /* F, BW, DQ, VL, VPOPCNTDQ, VNNI: Ice Lake and later */
#elif defined(__aarch64__)
extern const ir_kernels ir_kernels_neon;
#endif

#endif
