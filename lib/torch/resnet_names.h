/* resnet_names.h: the names that torchvision, timm and Hugging Face give to a ResNet's tensors. */
#ifndef IR_TORCH_RESNET_NAMES_H
#define IR_TORCH_RESNET_NAMES_H

#include "torch/naming.h"

namespace ir_torch {

/* As find_naming: stem.conv, stem.bn; stages.S.B.conv1..3 and bn1..3, downsample.0 (convolution)
 * and .1 (norm); head. */
const Naming *find_resnet_naming(Weights &weights);

} // namespace ir_torch

#endif
