/* preprocess.h: how a picture becomes a model's input, with torchvision's rounding. */
#ifndef IR_EXTRACT_PREPROCESS_H
#define IR_EXTRACT_PREPROCESS_H

#include "extract/resize.h"

#include <imgret/backend.h>

/* The resize and crop that bring a picture of that size (at least 1 x 1) to the model's input.
 * LIMIT when the scaled side would not fit 31 bits. */
int32_t ir_preprocess_plan(ir_resize *out, const imgret_backend_info *info, uint32_t width,
                           uint32_t height, imgret_error *error);

/* "resize=shorter:248;crop=224x224;filter=bicubic", in fresh memory; NULL: out of memory. */
char *ir_preprocess_describe(const imgret_backend_info *info);

#endif
