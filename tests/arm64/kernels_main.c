/* kernels_main.c: the kernels' checks as a plain program, to be run under an arm64 emulator. */
#include "code_compare.h"
#include "kernels_compare.h"

int main(void)
{
    static const char *(*const checks[])(const ir_kernels *) = {
        compare_all_lengths, compare_overflow, compare_drift, compare_from_half,
        compare_all_to_half};
    static const char *const names[] = {"scalar", "neon"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const ir_kernels *family = ir_kernels_named(names[i]);
        if (!family) {
            fprintf(stderr, "%s: not in this build\n", names[i]);
            return 1;
        }
        for (size_t j = 0; j < sizeof checks / sizeof checks[0]; j++) {
            const char *problem = checks[j](family);
            if (problem) {
                fprintf(stderr, "%s\n", problem);
                return 1;
            }
        }
        printf("%s: as the reference\n", names[i]);
    }
    const ir_code_kernels *neon = ir_code_kernels_named("neon");
    if (!neon || !compare_code_kernels(neon)) {
        fprintf(stderr, "neon: kernels over codes differ from the reference\n");
        return 1;
    }
    printf("neon over codes: as the reference\n");
    return strcmp(ir_kernels_get()->name, "neon") != 0 ||
           strcmp(ir_code_kernels_get()->name, "neon") != 0;
}
