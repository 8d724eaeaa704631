/* tensors.h: reads a .safetensors file of reference inputs and outputs, strictly. */
#ifndef IMGRET_CLI_TENSORS_H
#define IMGRET_CLI_TENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLI_TENSOR_RANK_MAX 8

/* One tensor inside the file's bytes. */
typedef struct cli_tensor {
    const char *name; /* what is looked for */
    bool found;       /* the rest is filled */
    bool is_float;    /* F32; else U8 */
    uint32_t rank;
    uint64_t shape[CLI_TENSOR_RANK_MAX];
    uint64_t count;      /* of all values */
    const uint8_t *data; /* not aligned, little-endian */
} cli_tensor;

/* Finds the wanted tensors among those of a whole file of `bytes` bytes; what else is in it is only
 * checked. False: *reason (static text) says what is wrong with the file. Any bytes may be given. */
bool cli_tensors_find(const uint8_t *file, size_t bytes, cli_tensor *wanted, size_t wanted_count,
                      const char **reason);

#endif
