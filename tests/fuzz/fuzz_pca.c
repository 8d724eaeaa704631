/* fuzz_pca.c: the reader of principal components on arbitrary bytes; libFuzzer's entry point. */
#include "base/hash.h"
#include "extract/pca.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { HASH_BYTES = 16, INPUT_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const ir_pca *pca)
{
    static float in[INPUT_MAX], out[INPUT_MAX];
    if (pca->input_dimension > INPUT_MAX)
        return;
    ir_pca_apply(pca, in, out);
    for (uint32_t i = 0; i < pca->dimension; i++)
        if (!isfinite(out[i]))
            abort(); /* of a zero vector only the shift is left, which was checked */
}

static void parse(const uint8_t *data, size_t size)
{
    imgret_error error = IMGRET_ERROR_INIT;
    ir_pca *pca;
    if (ir_pca_parse(&pca, "fuzz", data, size, &error)) {
        if (pca || error.message[0] == '\0')
            abort(); /* a failure leaves nothing and says why */
        return;
    }
    use(pca);
    ir_pca_free(pca);
}

/* Once as it is, once with a right checksum: without it nothing gets past the head. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    parse(data, size);
    if (size < HASH_BYTES)
        return 0;
    uint8_t *sealed = malloc(size);
    if (!sealed)
        return 0;
    memcpy(sealed, data, size);
    ir_content_hash(sealed, size - HASH_BYTES, sealed + size - HASH_BYTES);
    parse(sealed, size);
    free(sealed);
    return 0;
}
