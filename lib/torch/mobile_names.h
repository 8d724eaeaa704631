/* mobile_names.h: the names that code bases give to a MobileNet's or EfficientNet's tensors. */
#ifndef IR_TORCH_MOBILE_NAMES_H
#define IR_TORCH_MOBILE_NAMES_H

#include "torch/naming.h"

namespace ir_torch {

/* As find_naming: stem, blocks.S.B.expand, .dw, .project and head, each with .conv and .bn;
 * blocks.S.B.se.reduce and .expand; hidden (behind the pooling, MobileNetV3); classifier. S and B
 * count up, not always from 0. */
const Naming *find_mobile_naming(Weights &weights);

} // namespace ir_torch

#endif
