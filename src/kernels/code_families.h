/* code_families.h: the tables that code_dispatch.c chooses from. */
#ifndef IR_KERNELS_CODE_FAMILIES_H
#define IR_KERNELS_CODE_FAMILIES_H

#include "kernels/code_kernels.h"

extern const ir_code_kernels ir_code_scalar;
#if defined(__x86_64__)
extern const ir_code_kernels ir_code_avx2;
extern const ir_code_kernels ir_code_avx512;
#endif
#if defined(__aarch64__)
extern const ir_code_kernels ir_code_neon;
#endif

#endif
