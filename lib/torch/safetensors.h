/* safetensors.h: a strict reader of .safetensors files: what tensors there are, and their bytes.
 *
 * Format (huggingface/safetensors): 8 bytes little-endian length N, N bytes of JSON, then the data.
 * The JSON maps each tensor's name to {"dtype", "shape", "data_offsets": [begin, end]}, offsets
 * counted from the start of the data; "__metadata__" maps text to text. The tensors must cover the
 * data exactly: no hole, no overlap, no byte left over.
 *
 * Bytes are read with pread, not mapped: a mapped file that somebody truncates kills the process
 * with SIGBUS, and every tensor is converted or repacked anyway.
 */
#ifndef IR_TORCH_SAFETENSORS_H
#define IR_TORCH_SAFETENSORS_H

#include <imgret/imgret.h>
#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define IR_SAFETENSORS_RANK_MAX 8
#define IR_SAFETENSORS_HEADER_BYTES_MAX 100000000u
#define IR_SAFETENSORS_TENSOR_COUNT_MAX 100000u

typedef enum ir_safetensors_type {
    IR_ST_BOOL,
    IR_ST_U8,
    IR_ST_I8,
    IR_ST_F8_E4M3,
    IR_ST_F8_E5M2,
    IR_ST_U16,
    IR_ST_I16,
    IR_ST_F16,
    IR_ST_BF16,
    IR_ST_U32,
    IR_ST_I32,
    IR_ST_F32,
    IR_ST_U64,
    IR_ST_I64,
    IR_ST_F64
} ir_safetensors_type;

typedef struct ir_safetensors_tensor {
    const char *name;
    ir_safetensors_type type;
    uint32_t rank;
    uint64_t shape[IR_SAFETENSORS_RANK_MAX];
    uint64_t element_count; /* 1 for rank 0 */
    uint64_t begin;         /* from the start of the data */
    uint64_t bytes;
} ir_safetensors_tensor;

typedef struct ir_safetensors ir_safetensors;

/* Opens and checks the header. Damaged or hostile files are IMGRET_BAD_MODEL with one message that
 * names the file and the tensor. `path` is copied. One thread at a time for one handle. */
int32_t ir_safetensors_open(ir_safetensors **out, const char *path, imgret_error *error);

/* The same for a file's bytes in memory, which must outlive the handle; `name` is for messages. */
int32_t ir_safetensors_open_memory(ir_safetensors **out, const char *name, const uint8_t *data,
                                   size_t bytes, imgret_error *error);

/* NULL is allowed. */
void ir_safetensors_close(ir_safetensors *file);

/* Tensors in the order of their names; what is returned lives as long as the handle. */
uint32_t ir_safetensors_count(const ir_safetensors *file);
const ir_safetensors_tensor *ir_safetensors_at(const ir_safetensors *file, uint32_t index);
const ir_safetensors_tensor *ir_safetensors_find(const ir_safetensors *file, const char *name);

/* The text under `key` of "__metadata__", or NULL. Lives as long as the handle. */
const char *ir_safetensors_metadata(const ir_safetensors *file, const char *key);

/* Copies tensor->bytes bytes, little-endian, to `out`. Any number of threads at once. */
int32_t ir_safetensors_read(const ir_safetensors *file, const ir_safetensors_tensor *tensor,
                            void *out, imgret_error *error);

/* "F32" and so on. Static text. */
const char *ir_safetensors_type_name(ir_safetensors_type type);

#ifdef __cplusplus
}
#endif

#endif
