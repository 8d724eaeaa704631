/* conv.h: a convolution with its batch norm folded in and its activation behind it. */
#ifndef IR_TORCH_CONV_H
#define IR_TORCH_CONV_H

#include "torch/layers.h"
#include "torch/packed.h"

namespace ir_torch {

/* What the file does not say about a convolution. */
struct ConvPlan {
    int64_t in = 0; /* channels */
    int64_t stride = 1;
    Act act = Act::none;
    bool tf_same =
        false; /* TensorFlow's SAME padding, which may be uneven; else (kernel - 1) / 2 */
    double epsilon = 1e-5; /* of the batch norm */
};

/* CONV.weight [out, in / groups, k, k], CONV.bias when the file has it; NORM.weight, .bias,
 * .running_mean, .running_var unless `norm` is "". Groups follow from the shape. */
class Conv {
public:
    Conv() = default;
    Conv(Weights &weights, const std::string &conv, const std::string &norm, const ConvPlan &plan);

    /* `x` N x in x H x W, best channels last. The result has the type of the weights. */
    at::Tensor operator()(const at::Tensor &x) const;
    /* act(sum + what the other gives), without an activation of its own. May write into `sum`, which
     * has the result's shape. */
    at::Tensor onto(const at::Tensor &sum, const at::Tensor &x, Act act) const;
    void freeze(Precision precision);
    explicit operator bool() const { return out_ > 0; }

    /* Exchanges the weights for change(weights), which have another kernel and `stride` but as many
     * outputs: before freeze. */
    void rewrite(at::Tensor (*change)(const at::Tensor &weight), int64_t stride);

    int64_t out() const { return out_; }
    int64_t kernel() const { return weight_.size(2); } /* before freeze */
    int64_t groups() const { return groups_; }
    /* For an input of side `*side_px`, which becomes the output's. Before freeze. */
    double flops(int64_t *side_px) const;

private:
    void fold(Weights &weights, const std::string &norm, double epsilon);
    at::Tensor convolved(const at::Tensor &x) const;

    at::Tensor weight_, bias_; // undefined once packed
    int64_t out_ = 0, stride_ = 1, groups_ = 1;
    Act act_ = Act::none;
    bool tf_same_ = false;
    bool packs_ = false;
    std::shared_ptr<PackedConv> packed_;
};

} // namespace ir_torch

#endif
