/* layers.h: the layers that the architectures are made of, and the precision they compute in.
 *
 * A layer holds plain float32 tensors, so that it can be trained; freeze() exchanges them for what
 * computes fastest in inference. */
#ifndef IR_TORCH_LAYERS_H
#define IR_TORCH_LAYERS_H

#include "torch/weights.h"

namespace ir_torch {

enum class Precision { f32, bf16 };

/* y = x W^T + b over the last dimension; NAME.weight, and NAME.bias when the file has it. */
struct Linear {
    at::Tensor weight, bias;

    Linear() = default;
    Linear(Weights &weights, const std::string &name, int64_t in, int64_t out);
    /* The result has the type of the weights. */
    at::Tensor operator()(const at::Tensor &x) const;
    void freeze(Precision precision);
    explicit operator bool() const { return weight.defined(); }
};

/* Over the last dimension, always in float32; NAME.weight, NAME.bias. */
struct LayerNorm {
    at::Tensor weight, bias;
    double epsilon = 0;

    LayerNorm() = default;
    LayerNorm(Weights &weights, const std::string &name, int64_t width, double epsilon);
    at::Tensor operator()(const at::Tensor &x) const;
    explicit operator bool() const { return weight.defined(); }
};

} // namespace ir_torch

#endif
