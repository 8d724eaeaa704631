// onednn.cpp: plans of oneDNN, versions 2 and 3.
#include "torch/failure.h"
#include "torch/scratch.h"

#if IR_TORCH_WITH_ONEDNN

#include "torch/onednn.h"

#include <string>

namespace ir_torch {

using dnnl::algorithm;
using dnnl::prop_kind;

// Plans are made under the lock: two threads that need the same one would make it twice.
const Plan &Plans::find(const Key &key, const std::function<Plan()> &make)
{
    std::lock_guard<std::mutex> hold(mutex_);
    auto found = plans_.find(key);
    if (found == plans_.end())
        found = plans_.emplace(key, make()).first;
    return found->second;
}

const dnnl::engine &onednn_engine()
{
    static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
    return engine;
}

dnnl::memory::data_type onednn_type(at::ScalarType type)
{
    return type == at::kBFloat16 ? dnnl::memory::data_type::bf16 : dnnl::memory::data_type::f32;
}

Desc onednn_desc(const std::vector<int64_t> &sizes, at::ScalarType type,
                 const std::vector<int64_t> &strides)
{
    return Desc(sizes, onednn_type(type), strides);
}

Desc onednn_any(const std::vector<int64_t> &sizes, at::ScalarType type)
{
    return Desc(sizes, onednn_type(type), dnnl::memory::format_tag::any);
}

static void append(dnnl::post_ops *operations, algorithm kind, float alpha, float beta)
{
#if DNNL_VERSION_MAJOR >= 3
    operations->append_eltwise(kind, alpha, beta);
#else
    operations->append_eltwise(1, kind, alpha, beta);
#endif
}

dnnl::primitive_attr onednn_attributes(Act act, bool sums)
{
    dnnl::post_ops operations;
    if (sums)
        operations.append_sum(1);
    switch (act) {
    case Act::none:
        break;
    case Act::relu:
        append(&operations, algorithm::eltwise_relu, 0, 0);
        break;
    case Act::relu6:
        append(&operations, algorithm::eltwise_clip, 0, 6);
        break;
    case Act::hardswish: // 2 knows these numbers by itself
        append(&operations, algorithm::eltwise_hardswish, 1.0F / 6, 0.5F);
        break;
    case Act::silu:
        append(&operations, algorithm::eltwise_swish, 1, 0);
        break;
    case Act::gelu:
        append(&operations, algorithm::eltwise_gelu_erf, 0, 0);
        break;
    case Act::quick_gelu:
        append(&operations, algorithm::eltwise_swish, 1.702F, 0);
        break;
    }
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    attributes.set_post_ops(operations);
    return attributes;
}

template <typename Primitive, typename Description>
static Plan plan_of(const Description &description, bool has_weights)
{
    return {Primitive(description), description.src_desc(),
            has_weights ? description.weights_desc() : Desc(), description.dst_desc(),
            description.scratchpad_desc()};
}

Plan plan_convolution(const Desc &source, const Desc &weights, const Desc &bias, const Desc &result,
                      const std::vector<int64_t> &strides, const std::vector<int64_t> &pads_before,
                      const std::vector<int64_t> &pads_after,
                      const dnnl::primitive_attr &attributes)
{
    using Convolution = dnnl::convolution_forward;
#if DNNL_VERSION_MAJOR >= 3
    Convolution::primitive_desc description(onednn_engine(), prop_kind::forward_inference,
                                            algorithm::convolution_direct, source, weights, bias,
                                            result, strides, pads_before, pads_after, attributes);
#else
    Convolution::primitive_desc description(
        Convolution::desc(prop_kind::forward_inference, algorithm::convolution_direct, source,
                          weights, bias, result, strides, pads_before, pads_after),
        attributes, onednn_engine());
#endif
    return plan_of<Convolution>(description, true);
}

Plan plan_product(const Desc &source, const Desc &weights, const Desc *bias, const Desc &result,
                  const dnnl::primitive_attr &attributes)
{
#if DNNL_VERSION_MAJOR >= 3
    dnnl::matmul::primitive_desc description(onednn_engine(), source, weights,
                                             bias ? *bias : Desc(), result, attributes);
#else
    dnnl::matmul::primitive_desc description(
        dnnl::matmul::desc(source, weights, bias ? *bias : Desc(), result), attributes,
        onednn_engine());
#endif
    return plan_of<dnnl::matmul>(description, true);
}

Plan plan_max_pool(const Desc &source, const Desc &result, int64_t kernel, int64_t stride,
                   int64_t pad)
{
    using Pooling = dnnl::pooling_forward;
    dnnl::primitive_attr attributes = onednn_attributes(Act::none, false);
    std::vector<int64_t> windows = {kernel, kernel}, steps = {stride, stride}, pads = {pad, pad};
#if DNNL_VERSION_MAJOR >= 3
    Pooling::primitive_desc description(onednn_engine(), prop_kind::forward_inference,
                                        algorithm::pooling_max, source, result, steps, windows,
                                        {0, 0}, pads, pads, attributes);
#else
    Pooling::primitive_desc description(Pooling::desc(prop_kind::forward_inference,
                                                      algorithm::pooling_max, source, result, steps,
                                                      windows, pads, pads),
                                        attributes, onednn_engine());
#endif
    return plan_of<Pooling>(description, false);
}

Plan plan_softmax(const Desc &source, const Desc &result)
{
    dnnl::primitive_attr attributes = onednn_attributes(Act::none, false);
#if DNNL_VERSION_MAJOR >= 3
    using Softmax = dnnl::softmax_forward;
    Softmax::primitive_desc description(onednn_engine(), prop_kind::forward_inference,
                                        algorithm::softmax_accurate, source, result, 2, attributes);
#else
    using Softmax = dnnl::softmax_v2_forward;
    Softmax::primitive_desc description(
        Softmax::desc(prop_kind::forward_inference, algorithm::softmax_accurate, source, result, 2),
        attributes, onednn_engine());
#endif
    return plan_of<Softmax>(description, false);
}

void run_plan(const Plan &plan, std::unordered_map<int, dnnl::memory> arguments)
{
    static thread_local dnnl::stream stream(onednn_engine());
    size_t bytes = plan.scratch.get_size();
    if (bytes > 0)
        arguments.emplace(DNNL_ARG_SCRATCHPAD,
                          dnnl::memory(plan.scratch, onednn_engine(), scratch_bytes(bytes)));
    plan.primitive.execute(stream, arguments);
    stream.wait();
}

void throw_onednn(const dnnl::error &error)
{
    if (error.status == dnnl_out_of_memory)
        throw std::bad_alloc();
    throw Failure(IMGRET_INTERNAL, std::string("oneDNN: ") + error.what());
}

} // namespace ir_torch

#endif
