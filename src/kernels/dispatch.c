/* dispatch.c: which family of kernels this CPU gets, decided once. */
#include "base/log.h"
#include "kernels/families.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

typedef struct family {
    const ir_kernels *kernels;
    bool (*runs_here)(void);
} family;

#if defined(__x86_64__)
/* Clang does not know "f16c" as a name. */
static bool has_f16c(void)
{
    unsigned eax, ebx, ecx, edx;
    return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & bit_F16C);
}

/* The compiler's own detection also asks the operating system (XCR0) whether it saves the wide
 * registers, and answers no to AVX and AVX-512 when it does not. */
static bool has_avx2(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
}

/* All that avx512.c is compiled with: the compiler may use any of it. */
static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vpopcntdq") && __builtin_cpu_supports("avx512vnni");
}
#endif

static bool always(void)
{
    return true;
}

/* Best first; the last runs everywhere. */
static const family families[] = {
#if defined(__x86_64__)
    {&ir_kernels_avx512, has_avx512},
    {&ir_kernels_avx2, has_avx2},
#elif defined(__aarch64__)
    {&ir_kernels_neon, always},
#endif
    {&ir_kernels_scalar, always},
};

#define FAMILY_COUNT (sizeof families / sizeof families[0])

static pthread_once_t decide_once = PTHREAD_ONCE_INIT;
static const ir_kernels *decided;

const ir_kernels *ir_kernels_named(const char *name)
{
    for (size_t i = 0; i < FAMILY_COUNT; i++)
        if (strcmp(families[i].kernels->name, name) == 0 && families[i].runs_here())
            return families[i].kernels;
    return NULL;
}

static void decide(void)
{
    for (size_t i = 0; i < FAMILY_COUNT && !decided; i++)
        if (families[i].runs_here())
            decided = families[i].kernels;
    const char *wanted = getenv("IMGRET_KERNELS");
    if (!wanted || !wanted[0])
        return;
    const ir_kernels *named = ir_kernels_named(wanted);
    if (named)
        decided = named;
    else
        ir_log(IMGRET_LOG_WARNING,
               "IMGRET_KERNELS=%.64s is not a kernel family of this build and CPU; using %s",
               wanted, decided->name);
}

const ir_kernels *ir_kernels_get(void)
{
    pthread_once(&decide_once, decide);
    return decided;
}
