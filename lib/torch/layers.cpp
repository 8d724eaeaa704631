// layers.cpp: the layers that the architectures are made of.
#include "torch/layers.h"

#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

namespace ir_torch {

void in_parallel(int64_t count, const std::function<void(int64_t, int64_t)> &work)
{
    if (!c10::InferenceMode::is_enabled() || at::get_num_threads() == 1)
        return work(0, count);
    at::parallel_for(0, count, 1, [&](int64_t first, int64_t last) {
        c10::InferenceMode inference; // ATen does not hand it on to its threads
        work(first, last);
    });
}

Linear::Linear(Weights &weights, const std::string &name, int64_t in, int64_t out)
    : weight(weights.take(name + ".weight", {out, in})), packs(weights.packs())
{
    if (weights.has(name + ".bias"))
        bias = weights.take(name + ".bias", {out});
}

Linear::Linear(Weights &weights, const std::string &name, int64_t in)
{
    std::vector<int64_t> shape = weights.shape(name + ".weight");
    *this = Linear(weights, name, in, shape.empty() ? 0 : shape[0]);
}

// OpenBLAS's own threads and OpenMP's spin against each other (ten times slower on two cores), so
// OpenBLAS keeps to one thread and the rows are dealt out here.
at::Tensor Linear::by_rows(const at::Tensor &x) const
{
    int64_t in = weight.size(1), out = weight.size(0), rows = x.numel() / in;
    at::Tensor flat = x.reshape({rows, in}), result = at::empty({rows, out}, x.options());
    in_parallel(rows, [&](int64_t first, int64_t last) {
        at::Tensor part = result.slice(0, first, last);
        if (bias.defined())
            at::addmm_out(part, bias, flat.slice(0, first, last), weight.t());
        else
            at::mm_out(part, flat.slice(0, first, last), weight.t());
    });
    std::vector<int64_t> shape = x.sizes().vec();
    shape.back() = out;
    return result.view(shape);
}

at::Tensor Linear::product(const at::Tensor &x) const
{
    bool has_own_threads = weight.scalar_type() != at::kFloat || !weight.is_cpu(); // oneDNN's
    if (has_own_threads || !c10::InferenceMode::is_enabled() || at::get_num_threads() == 1)
        return at::linear(x.to(weight.scalar_type()), weight, bias);
    return by_rows(x);
}

at::Tensor Linear::operator()(const at::Tensor &x, Act act) const
{
    return packed ? packed->run(x, act) : activate(product(x), act);
}

at::Tensor Linear::onto(const at::Tensor &sum, const at::Tensor &x) const
{
    return packed ? packed->run(x, Act::none, sum) : sum + product(x);
}

void Linear::freeze(Precision precision)
{
    if (!weight.defined())
        return;
    if (packs && can_pack(precision)) {
        packed = std::make_shared<PackedLinear>(weight, bias, precision);
        weight = bias = at::Tensor();
        return;
    }
    if (precision != Precision::bf16)
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
