/* activation.h: what stands behind a layer, and the precision in which layers compute. */
#ifndef IR_TORCH_ACTIVATION_H
#define IR_TORCH_ACTIVATION_H

#include <ATen/ATen.h>

namespace ir_torch {

enum class Precision { f32, bf16 };

/* gelu is the exact one, by the error function; quick_gelu is x sigmoid(1.702 x), OpenAI's CLIP. */
enum class Act { none, relu, relu6, hardswish, silu, gelu, quick_gelu };

/* May write into `x`. */
at::Tensor activate(at::Tensor x, Act act);

} // namespace ir_torch

#endif
