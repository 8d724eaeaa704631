/* pixel_dispatch.c: chooses the family of pixel kernels that goes with the CPU's others. */
#include "kernels/kernels.h"
#include "kernels/pixel_families.h"

#include <string.h>

const ir_pixel_kernels *ir_pixel_kernels_named(const char *name)
{
    if (strcmp(name, "scalar") == 0)
        return &ir_pixel_scalar;
#if defined(__x86_64__)
    if (strcmp(name, "avx2") == 0 && ir_kernels_named("avx2"))
        return &ir_pixel_avx2;
#endif
    return NULL;
}

const ir_pixel_kernels *ir_pixel_kernels_get(void)
{
#if defined(__x86_64__)
    if (strcmp(ir_kernels_get()->name, "scalar") != 0) /* AVX2, or more than that */
        return &ir_pixel_avx2;
#endif
    return &ir_pixel_scalar;
}
