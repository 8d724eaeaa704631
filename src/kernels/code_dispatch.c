/* code_dispatch.c: chooses the family of code kernels for the CPU at hand. */
#include "kernels/code_families.h"
#include "kernels/kernels.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

const ir_code_kernels *ir_code_kernels_named(const char *name)
{
    if (strcmp(name, "scalar") == 0)
        return &ir_code_scalar;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (strcmp(name, "avx2") == 0 && ir_kernels_named("avx2") && /* which looks for F16C */
        __builtin_cpu_supports("popcnt"))
        return &ir_code_avx2;
    if (strcmp(name, "avx512") == 0 && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512vpopcntdq") && __builtin_cpu_supports("avx512vnni"))
        return &ir_code_avx512;
#endif
#if defined(__aarch64__)
    if (strcmp(name, "neon") == 0)
        return &ir_code_neon;
#endif
    return NULL;
}

static const ir_code_kernels *choose(void)
{
    const char *wanted = getenv("IMGRET_KERNELS");
    const ir_code_kernels *found = wanted ? ir_code_kernels_named(wanted) : NULL;
    if (!found)
        found = ir_code_kernels_named("avx512");
    if (!found)
        found = ir_code_kernels_named("avx2");
    if (!found)
        found = ir_code_kernels_named("neon");
    return found ? found : &ir_code_scalar;
}

const ir_code_kernels *ir_code_kernels_get(void)
{
    static _Atomic(const ir_code_kernels *) chosen;
    const ir_code_kernels *kernels = atomic_load_explicit(&chosen, memory_order_acquire);
    if (!kernels) {
        kernels = choose(); /* two threads at once would choose the same */
        atomic_store_explicit(&chosen, kernels, memory_order_release);
    }
    return kernels;
}
