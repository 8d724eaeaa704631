// max_pool.cpp: by oneDNN where it computes the layers around: libtorch's finds places as well as values.
#include "torch/max_pool.h"

#include "torch/failure.h"
#include "torch/scratch.h"

#if IR_TORCH_WITH_ONEDNN
#include "torch/onednn.h"

#include <ATen/Parallel.h>
#endif

namespace ir_torch {

#if IR_TORCH_WITH_ONEDNN

struct MaxPool::Plans : ir_torch::Plans {};

static at::Tensor run_packed(Plans *plans, const at::Tensor &x, int64_t kernel, int64_t stride,
                             int64_t pad)
{
    at::Tensor from = x.contiguous(at::MemoryFormat::ChannelsLast);
    int64_t count = x.size(0), channels = x.size(1), height = x.size(2), width = x.size(3);
    int64_t high = (height + 2 * pad - kernel) / stride + 1;
    int64_t wide = (width + 2 * pad - kernel) / stride + 1;
    if (height + 2 * pad < kernel || width + 2 * pad < kernel)
        throw Failure(IMGRET_INTERNAL, "a pooling was given a map smaller than its window");
    at::Tensor to = scratch({count, channels, high, wide}, x.scalar_type(), true);
    auto desc = [&](int64_t tall, int64_t broad) {
        return onednn_desc({count, channels, tall, broad}, x.scalar_type(),
                           {tall * broad * channels, 1, broad * channels, channels});
    };
    translated([&] {
        const Plan &plan = plans->find(
            {count, channels, height, width, static_cast<int64_t>(x.scalar_type()),
             at::get_num_threads()},
            [&] {
                return plan_max_pool(desc(height, width), desc(high, wide), kernel, stride, pad);
            });
        run_plan(plan, {{DNNL_ARG_SRC, dnnl::memory(plan.source, onednn_engine(), from.data_ptr())},
                        {DNNL_ARG_DST, dnnl::memory(plan.result, onednn_engine(), to.data_ptr())}});
    });
    return to;
}

#else

struct MaxPool::Plans {};

static at::Tensor run_packed(const void *, const at::Tensor &, int64_t, int64_t, int64_t)
{
    return {}; // nothing is packed
}

#endif

MaxPool::MaxPool(const Weights &weights, int64_t kernel, int64_t stride, int64_t pad)
    : kernel_(kernel), stride_(stride), pad_(pad), packs_(weights.packs())
{
}

at::Tensor MaxPool::operator()(const at::Tensor &x) const
{
    if (plans_ && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16))
        return run_packed(plans_.get(), x, kernel_, stride_, pad_);
    return at::max_pool2d(x, kernel_, stride_, pad_);
}

void MaxPool::freeze(Precision precision)
{
    if (packs_ && can_pack(precision))
        plans_ = std::make_shared<Plans>();
}

} // namespace ir_torch
