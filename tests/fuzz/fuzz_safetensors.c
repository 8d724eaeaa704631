/* fuzz_safetensors.c: the safetensors reader on arbitrary bytes; libFuzzer's entry point. */
#include "torch/safetensors.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    imgret_error error = IMGRET_ERROR_INIT;
    ir_safetensors *file;
    if (ir_safetensors_open_memory(&file, "fuzz", data, size, &error)) {
        if (file || error.message[0] == '\0')
            abort(); /* a failure leaves nothing open and says why */
        return 0;
    }
    uint64_t covered = 0;
    for (uint32_t i = 0; i < ir_safetensors_count(file); i++) {
        const ir_safetensors_tensor *tensor = ir_safetensors_at(file, i);
        uint8_t *bytes = malloc(tensor->bytes + 1);
        if (!bytes || ir_safetensors_find(file, tensor->name) != tensor ||
            ir_safetensors_read(file, tensor, bytes, NULL))
            abort();
        free(bytes);
        covered += tensor->bytes;
    }
    if (covered > size)
        abort(); /* tensors cannot hold more than the file */
    ir_safetensors_close(file);
    return 0;
}
