/* vit_names.h: the names that timm, torchvision and Hugging Face give to a ViT's tensors. */
#ifndef IR_TORCH_VIT_NAMES_H
#define IR_TORCH_VIT_NAMES_H

#include "torch/preset.h"
#include "torch/weights.h"

namespace ir_torch {

struct VitNaming {
    const char *origin; /* "timm" */
    std::vector<std::string> prefixes; /* that may stand before every name; "" for none */
    std::vector<Rename> table;         /* without the prefix */
    double epsilon;                    /* of the layer norms; its code's, no file says it */
    Preset preset;                     /* input_px is the weights' own */
};

/* Finds the naming that makes `weights` a ViT and leaves its table in force; NULL when there is
 * none, with no table in force. The result lives as long as the process. */
const VitNaming *find_vit_naming(Weights &weights);

} // namespace ir_torch

#endif
