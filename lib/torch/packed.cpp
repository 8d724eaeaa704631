// packed.cpp: convolutions and matrix products by oneDNN itself, weights laid out once.
#include "torch/packed.h"

#include "torch/failure.h"
#include "torch/scratch.h"

#if IR_TORCH_WITH_ONEDNN

#include "torch/onednn.h"

#include <ATen/Parallel.h>
#include <list>

namespace ir_torch {

namespace {

using dnnl::memory;

at::ScalarType scalar_type(Precision precision)
{
    return precision == Precision::bf16 ? at::kBFloat16 : at::kFloat;
}

dnnl::memory memory_of(const Desc &desc, const at::Tensor &tensor)
{
    return dnnl::memory(desc, onednn_engine(), tensor.data_ptr());
}

/* Weights in every order that a plan asked for: as a rule one. */
class Layouts {
public:
    Layouts(const at::Tensor &plain, const Desc &desc) : plain_(plain), plain_desc_(desc) {}

    const memory &find(const Desc &wanted)
    {
        std::lock_guard<std::mutex> hold(mutex_);
        for (const memory &one : laid_out_)
            if (one.get_desc() == wanted)
                return one;
        memory from = laid_out_.empty() ? memory_of(plain_desc_, plain_) : laid_out_.front();
        memory to(wanted, onednn_engine());
        dnnl::stream stream(onednn_engine());
        dnnl::reorder(from, to).execute(stream, from, to);
        stream.wait();
        laid_out_.push_back(to);
        plain_ = at::Tensor();
        return laid_out_.back();
    }

private:
    std::mutex mutex_;
    at::Tensor plain_;
    Desc plain_desc_;
    std::list<memory> laid_out_; // whose places do not move
};

} // namespace

bool can_pack(Precision precision)
{
#if defined(__x86_64__)
    // Below AVX-512 oneDNN has no bf16, and without AVX2 little that is fast.
    if (precision == Precision::bf16)
        return __builtin_cpu_supports("avx512bw") != 0;
    return __builtin_cpu_supports("avx2") != 0;
#else
    (void)precision;
    return false;
#endif
}

struct PackedConv::State {
    PackedGeometry geometry;
    int64_t in, out, kernel;
    at::ScalarType type;
    at::Tensor bias;
    Layouts weights;
    Plans plans;

    State(const at::Tensor &weight, const at::Tensor &given_bias, const PackedGeometry &given,
          Precision precision)
        : geometry(given), in(weight.size(1) * given.groups), out(weight.size(0)),
          kernel(weight.size(2)), type(scalar_type(precision)), bias(given_bias.contiguous()),
          weights(weight.to(type).contiguous(), weights_desc(false))
    {
    }

    Desc weights_desc(bool any) const
    {
        int64_t groups = geometry.groups, area = kernel * kernel;
        std::vector<int64_t> sizes = {groups, out / groups, in / groups, kernel, kernel};
        std::vector<int64_t> strides = {out / groups * (in / groups) * area, in / groups * area,
                                        area, kernel, 1};
        if (groups == 1) {
            sizes.erase(sizes.begin());
            strides.erase(strides.begin());
        }
        return any ? onednn_any(sizes, type) : onednn_desc(sizes, type, strides);
    }

    // How many zeros stand before and behind a side of `side` places.
    std::pair<int64_t, int64_t> pads(int64_t side) const
    {
        if (!geometry.tf_same)
            return {geometry.pad, geometry.pad};
        int64_t places = (side + geometry.stride - 1) / geometry.stride;
        int64_t all = std::max<int64_t>(0, (places - 1) * geometry.stride + kernel - side);
        return {all / 2, all - all / 2};
    }

    int64_t places(int64_t side) const
    {
        return (side + pads(side).first + pads(side).second - kernel) / geometry.stride + 1;
    }

    Plan plan(int64_t count, int64_t height, int64_t width, Act act, bool sums) const
    {
        int64_t high = places(height), wide = places(width);
        Desc source = onednn_desc({count, in, height, width}, type,
                                  {height * width * in, 1, width * in, in});
        Desc result = onednn_desc({count, out, high, wide}, type,
                                  {high * wide * out, 1, wide * out, out});
        return plan_convolution(
            source, weights_desc(true), onednn_desc({out}, at::kFloat, {1}), result,
            {geometry.stride, geometry.stride}, {pads(height).first, pads(width).first},
            {pads(height).second, pads(width).second}, onednn_attributes(act, sums));
    }
};

PackedConv::PackedConv(const at::Tensor &weight, const at::Tensor &bias,
                       const PackedGeometry &geometry, Precision precision)
    : state_(std::make_unique<State>(weight, bias, geometry, precision))
{
}

PackedConv::~PackedConv() = default;

at::Tensor PackedConv::run(const at::Tensor &x, Act act, const at::Tensor &sum) const
{
    State &state = *state_;
    at::Tensor from = x.to(state.type).contiguous(at::MemoryFormat::ChannelsLast);
    int64_t count = from.size(0), height = from.size(2), width = from.size(3);
    if (from.size(1) != state.in || state.places(height) < 1 || state.places(width) < 1)
        throw Failure(IMGRET_INTERNAL, "a convolution was given a picture of a wrong shape");
    return translated([&] {
        Plans::Key key = {
            count, height, width, static_cast<int64_t>(act), sum.defined(), at::get_num_threads()};
        const Plan &plan = state.plans.find(
            key, [&] { return state.plan(count, height, width, act, sum.defined()); });
        at::Tensor to = sum.defined()
                            ? sum.to(state.type).contiguous(at::MemoryFormat::ChannelsLast)
                            : scratch({count, state.out, state.places(height), state.places(width)},
                                      state.type, true);
        run_plan(plan,
                 {{DNNL_ARG_SRC, memory_of(plan.source, from)},
                  {DNNL_ARG_WEIGHTS, state.weights.find(plan.weights)},
                  {DNNL_ARG_BIAS, memory_of(onednn_desc({state.out}, at::kFloat, {1}), state.bias)},
                  {DNNL_ARG_DST, memory_of(plan.result, to)}});
        return to;
    });
}

struct PackedLinear::State {
    int64_t in, out;
    at::ScalarType type;
    at::Tensor bias;
    Layouts weights;
    Plans plans;

    State(const at::Tensor &weight, const at::Tensor &given_bias, Precision precision)
        : in(weight.size(1)), out(weight.size(0)), type(scalar_type(precision)),
          bias(given_bias.defined() ? given_bias.contiguous() : given_bias),
          weights(weight.to(type).contiguous(), onednn_desc({in, out}, type, {1, in}))
    {
    }

    Desc bias_desc() const { return onednn_desc({1, out}, at::kFloat, {out, 1}); }

    Plan plan(int64_t rows, Act act, bool sums) const
    {
        Desc bias_wanted = bias_desc();
        return plan_product(onednn_desc({rows, in}, type, {in, 1}), onednn_any({in, out}, type),
                            bias.defined() ? &bias_wanted : nullptr,
                            onednn_desc({rows, out}, sums ? at::kFloat : type, {out, 1}),
                            onednn_attributes(act, sums));
    }
};

PackedLinear::PackedLinear(const at::Tensor &weight, const at::Tensor &bias, Precision precision)
    : state_(std::make_unique<State>(weight, bias, precision))
{
}

PackedLinear::~PackedLinear() = default;

at::Tensor PackedLinear::run(const at::Tensor &x, Act act, const at::Tensor &sum) const
{
    State &state = *state_;
    std::vector<int64_t> sizes = x.sizes().vec();
    if (sizes.empty() || sizes.back() != state.in)
        throw Failure(IMGRET_INTERNAL, "a matrix product was given rows of a wrong length");
    at::Tensor from = x.to(state.type).contiguous();
    int64_t rows = from.numel() / state.in;
    sizes.back() = state.out;
    return translated([&] {
        const Plan &plan = state.plans.find(
            {rows, static_cast<int64_t>(act), sum.defined(), at::get_num_threads()},
            [&] { return state.plan(rows, act, sum.defined()); });
        at::Tensor to = sum.defined() ? sum.to(at::kFloat).contiguous()
                                      : scratch(sizes, state.type);
        std::unordered_map<int, memory> arguments = {
            {DNNL_ARG_SRC, memory_of(plan.source, from)},
            {DNNL_ARG_WEIGHTS, state.weights.find(plan.weights)},
            {DNNL_ARG_DST, memory_of(plan.result, to)}};
        if (state.bias.defined())
            arguments.emplace(DNNL_ARG_BIAS, memory_of(state.bias_desc(), state.bias));
        run_plan(plan, std::move(arguments));
        return to;
    });
}

} // namespace ir_torch

#else

namespace ir_torch {

struct PackedConv::State {};
struct PackedLinear::State {};

[[noreturn]] static void refuse()
{
    throw Failure(IMGRET_INTERNAL, "this plugin was built without oneDNN");
}

bool can_pack(Precision)
{
    return false;
}

PackedConv::PackedConv(const at::Tensor &, const at::Tensor &, const PackedGeometry &, Precision)
{
    refuse();
}

PackedConv::~PackedConv() = default;

at::Tensor PackedConv::run(const at::Tensor &, Act, const at::Tensor &) const
{
    refuse();
}

PackedLinear::PackedLinear(const at::Tensor &, const at::Tensor &, Precision)
{
    refuse();
}

PackedLinear::~PackedLinear() = default;

at::Tensor PackedLinear::run(const at::Tensor &, Act, const at::Tensor &) const
{
    refuse();
}

} // namespace ir_torch

#endif
