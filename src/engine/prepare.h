/* prepare.h: from a decoded picture to what the model sees, by way of the clean-ups asked for. */
#ifndef IR_ENGINE_PREPARE_H
#define IR_ENGINE_PREPARE_H

#include "base/picture.h"
#include "extract/extract.h"

/* Fills `prepared` (ir_extractor_input_bytes); the picture itself stays as it is. Any thread. */
int32_t ir_prepare(const ir_extractor *extractor, const ir_picture *picture, uint8_t *prepared,
                   imgret_error *error);

#endif
