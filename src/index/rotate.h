/* rotate.h: a seeded random rotation in O(d log d), so that quantization treats all directions
 * alike. */
#ifndef IR_INDEX_ROTATE_H
#define IR_INDEX_ROTATE_H

#include <imgret/imgret.h>

#define IR_DIMENSION_MIN 2
#define IR_DIMENSION_MAX 4096

typedef struct ir_rotation ir_rotation;

/* Equal seeds and dimensions give equal rotations, on every machine up to float rounding. */
int32_t ir_rotation_create(ir_rotation **out, uint32_t dimension, uint64_t seed,
                           imgret_error *error);
void ir_rotation_free(ir_rotation *rotation);

/* Length of rotated vectors: `dimension` rounded up to a multiple of 8. */
uint32_t ir_rotation_dimension(const ir_rotation *rotation);

/* Rotates `dimension` floats into ir_rotation_dimension floats; lengths and angles are kept.
 * `in` and `out` do not overlap. Any thread. */
void ir_rotate(const ir_rotation *rotation, const float *in, float *out);

#endif
