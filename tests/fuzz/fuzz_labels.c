/* fuzz_labels.c: the reader of class names on arbitrary bytes; libFuzzer's entry point. */
#include "extract/labels.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    imgret_error error = IMGRET_ERROR_INIT;
    ir_labels *labels;
    if (ir_labels_parse(&labels, "fuzz", data, size, &error)) {
        if (labels || error.message[0] == '\0')
            abort(); /* a failure leaves nothing and says why */
        return 0;
    }
    for (uint32_t i = 0; i < labels->count; i++) {
        size_t bytes = strlen(labels->texts[i]);
        if (bytes == 0 || bytes > IR_LABEL_BYTES_MAX || strpbrk(labels->texts[i], "\r\n\t"))
            abort();
    }
    ir_labels_free(labels);
    return 0;
}
