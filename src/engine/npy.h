/* npy.h: the header of NumPy's .npy files, for matrices of half or single precision. */
#ifndef IR_ENGINE_NPY_H
#define IR_ENGINE_NPY_H

#include <imgret/imgret.h>
#include <stddef.h>

enum { IR_NPY_HEAD_BYTES = 128, IR_NPY_HEAD_BYTES_MAX = 4096 };

typedef struct ir_npy_head {
    uint64_t rows;
    uint32_t columns;
    uint32_t vector_type; /* IMGRET_VECTOR_* */
    size_t head_bytes;    /* where the first row begins */
} ir_npy_head;

/* Fills exactly IR_NPY_HEAD_BYTES: version 1.0, little-endian, row by row. */
void ir_npy_write_head(char out[IR_NPY_HEAD_BYTES], const ir_npy_head *head);

/* Reads the head from the first `bytes` of a file (IR_NPY_HEAD_BYTES_MAX hold any that is taken),
 * versions 1 to 3. IMGRET_CORRUPT says what is wrong; anything but two dimensions of little-endian
 * "f2" or "f4", row by row, is refused. */
int32_t ir_npy_read_head(ir_npy_head *out, const void *data, size_t bytes, imgret_error *error);

#endif
