/* max_pool.h: the maximum of square windows of a map. */
#ifndef IR_TORCH_MAX_POOL_H
#define IR_TORCH_MAX_POOL_H

#include "torch/packed.h"
#include "torch/weights.h"

namespace ir_torch {

class MaxPool {
public:
    /* Windows of `kernel` x `kernel` every `stride` places, of a map with `pad` places around it that
     * never are the largest. */
    MaxPool(const Weights &weights, int64_t kernel, int64_t stride, int64_t pad);

    /* `x` N x C x H x W, best channels last. Any thread. */
    at::Tensor operator()(const at::Tensor &x) const;
    void freeze(Precision precision);

private:
    struct Plans;

    int64_t kernel_, stride_, pad_;
    bool packs_;
    std::shared_ptr<Plans> plans_; // once frozen, where oneDNN computes
};

} // namespace ir_torch

#endif
