/* vit_names.h: the names that timm, torchvision and Hugging Face give to a ViT's tensors. */
#ifndef IR_TORCH_VIT_NAMES_H
#define IR_TORCH_VIT_NAMES_H

#include "torch/naming.h"

namespace ir_torch {

/* Finds the naming that makes `weights` a ViT and leaves its table in force; NULL when there is
 * none, with no table in force. The result lives as long as the process. */
const Naming *find_vit_naming(Weights &weights);

} // namespace ir_torch

#endif
