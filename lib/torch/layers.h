/* layers.h: the layers that the architectures are made of, and the precision they compute in.
 *
 * A layer holds plain float32 tensors, so that it can be trained; freeze() exchanges them for what
 * computes fastest in inference. */
#ifndef IR_TORCH_LAYERS_H
#define IR_TORCH_LAYERS_H

#include "torch/packed.h"
#include "torch/weights.h"

#include <functional>

namespace ir_torch {

/* Calls work(first, last) for parts that cover 0..count, on the threads that ATen has here. For
 * inference only: under autograd it is one call, as a part's tensors would lose their history. */
void in_parallel(int64_t count, const std::function<void(int64_t, int64_t)> &work);

/* y = x W^T + b over the last dimension; NAME.weight, and NAME.bias when the file has it. */
struct Linear {
    at::Tensor weight, bias;
    bool packs = false; /* freeze() may pack them */
    std::shared_ptr<PackedLinear> packed;

    Linear() = default;
    Linear(Weights &weights, const std::string &name, int64_t in, int64_t out);
    /* As many outputs as the file has. */
    Linear(Weights &weights, const std::string &name, int64_t in);
    /* The result has the type of the weights. */
    at::Tensor operator()(const at::Tensor &x, Act act = Act::none) const;
    /* sum + what the other gives, in the type of `sum` (float32), which may be written into. */
    at::Tensor onto(const at::Tensor &sum, const at::Tensor &x) const;
    /* Weight and bias may be undefined from now on. */
    void freeze(Precision precision);
    explicit operator bool() const { return weight.defined() || packed; }

private:
    at::Tensor product(const at::Tensor &x) const;
    at::Tensor by_rows(const at::Tensor &x) const;
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
