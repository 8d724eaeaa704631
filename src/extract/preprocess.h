/* preprocess.h: how a picture becomes a model's input, with torchvision's rounding. */
#ifndef IR_EXTRACT_PREPROCESS_H
#define IR_EXTRACT_PREPROCESS_H

#include "extract/resize.h"
#include "extract/steps.h"

#include <imgret/backend.h>

/* The resize and crop that bring a picture of that size (at least 1 x 1) to the model's input.
 * LIMIT when the scaled side would not fit 31 bits. */
int32_t ir_preprocess_plan(ir_resize *out, const imgret_backend_info *info, uint32_t width,
                           uint32_t height, imgret_error *error);

/* Brings a picture to the model's input, 3 * input_width * input_height bytes. Any thread. */
int32_t ir_preprocess_run(const imgret_backend_info *info, const ir_steps *steps,
                          const ir_picture *picture, uint8_t *out, imgret_error *error);

/* "resize=shorter:248;crop=224x224;filter=bicubic" or "resize=letterbox:224x224:0,0,0;...", then the
 * clean-ups, in fresh memory; NULL: out of memory. */
char *ir_preprocess_describe(const imgret_backend_info *info, const ir_steps *steps);

#endif
