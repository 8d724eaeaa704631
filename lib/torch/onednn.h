/* onednn.h: what packed.cpp and packed_attention.cpp share: plans of oneDNN, versions 2 and 3. */
#ifndef IR_TORCH_ONEDNN_H
#define IR_TORCH_ONEDNN_H

#include "torch/activation.h"

#include <array>
#include <dnnl.hpp>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

namespace ir_torch {

using Desc = dnnl::memory::desc;

/* A primitive for one shape, and how it wants what it is given. */
struct Plan {
    dnnl::primitive primitive;
    Desc source, weights, result, scratch;
};

/* Plans by whatever decides them. Any thread; a plan stays where it is as long as the cache does. */
class Plans {
public:
    using Key = std::array<int64_t, 6>;
    const Plan &find(const Key &key, const std::function<Plan()> &make);

private:
    std::mutex mutex_;
    std::map<Key, Plan> plans_;
};

const dnnl::engine &onednn_engine();

dnnl::memory::data_type onednn_type(at::ScalarType type);

/* A description of `tensor` as it lies in memory, or under other `sizes` with as many values. */
Desc onednn_desc(const std::vector<int64_t> &sizes, at::ScalarType type,
                 const std::vector<int64_t> &strides);
Desc onednn_any(const std::vector<int64_t> &sizes, at::ScalarType type);

/* User scratch memory; with `sums` the result is added to what stands there, then `act`. */
dnnl::primitive_attr onednn_attributes(Act act, bool sums);

Plan plan_convolution(const Desc &source, const Desc &weights, const Desc &bias, const Desc &result,
                      const std::vector<int64_t> &strides, const std::vector<int64_t> &pads_before,
                      const std::vector<int64_t> &pads_after,
                      const dnnl::primitive_attr &attributes);
/* `bias` may be NULL. */
Plan plan_product(const Desc &source, const Desc &weights, const Desc *bias, const Desc &result,
                  const dnnl::primitive_attr &attributes);
/* Windows of `kernel` x `kernel`, `pad` places around the source. */
Plan plan_max_pool(const Desc &source, const Desc &result, int64_t kernel, int64_t stride,
                   int64_t pad);
/* Over the last of three sides. */
Plan plan_softmax(const Desc &source, const Desc &result);

/* Runs `plan` on this thread's stream, until it is done. */
void run_plan(const Plan &plan, std::unordered_map<int, dnnl::memory> arguments);

/* Calls work() and turns oneDNN's exceptions into the plugin's. */
template <typename Work> auto translated(Work work) -> decltype(work());

[[noreturn]] void throw_onednn(const dnnl::error &error);

template <typename Work> auto translated(Work work) -> decltype(work())
{
    try {
        return work();
    } catch (const dnnl::error &error) {
        throw_onednn(error);
    }
}

} // namespace ir_torch

#endif
