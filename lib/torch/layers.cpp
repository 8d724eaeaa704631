// layers.cpp: the layers that the architectures are made of.
#include "torch/layers.h"

namespace ir_torch {

Linear::Linear(Weights &weights, const std::string &name, int64_t in, int64_t out)
    : weight(weights.take(name + ".weight", {out, in}))
{
    if (weights.has(name + ".bias"))
        bias = weights.take(name + ".bias", {out});
}

at::Tensor Linear::operator()(const at::Tensor &x) const
{
    return at::linear(x.to(weight.scalar_type()), weight, bias);
}

void Linear::freeze(Precision precision)
{
    if (precision != Precision::bf16 || !weight.defined())
        return;
    weight = weight.to(at::kBFloat16);
    if (bias.defined())
        bias = bias.to(at::kBFloat16);
}

LayerNorm::LayerNorm(Weights &weights, const std::string &name, int64_t width, double eps)
    : weight(weights.take(name + ".weight", {width})), bias(weights.take(name + ".bias", {width})),
      epsilon(eps)
{
}

at::Tensor LayerNorm::operator()(const at::Tensor &x) const
{
    return at::layer_norm(x.to(at::kFloat), weight.sizes(), weight, bias, epsilon);
}

} // namespace ir_torch
