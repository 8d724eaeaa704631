/* fuzz_tensors.c: the command's reader of reference tensors on arbitrary bytes; libFuzzer's entry. */
#include "tensors.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cli_tensor wanted[] = {{.name = "pixels"}, {.name = "embedding"}};
    const char *reason = NULL;
    if (!cli_tensors_find(data, size, wanted, 2, &reason)) {
        if (!reason)
            abort(); /* a failure says why */
        return 0;
    }
    volatile uint8_t last = 0;
    for (int i = 0; i < 2; i++) {
        uint64_t bytes = wanted[i].count * (wanted[i].is_float ? 4 : 1);
        if (wanted[i].found && bytes > 0)
            last = wanted[i].data[bytes - 1]; /* is it all in the file? */
    }
    (void)last;
    return 0;
}
