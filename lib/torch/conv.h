/* conv.h: a convolution with its batch norm folded in and its activation behind it. */
#ifndef IR_TORCH_CONV_H
#define IR_TORCH_CONV_H

#include "torch/layers.h"

namespace ir_torch {

enum class Act { none, relu, relu6, hardswish, silu };

/* May write into `x`. */
at::Tensor activate(at::Tensor x, Act act);

/* What the file does not say about a convolution. */
struct ConvPlan {
    int64_t in = 0; /* channels */
    int64_t stride = 1;
    Act act = Act::none;
    bool tf_same = false;  /* TensorFlow's SAME padding, which may be uneven; else (kernel - 1) / 2 */
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
    void freeze(Precision precision);
    explicit operator bool() const { return weight_.defined(); }

    /* Exchanges the weights for change(weights), which have another kernel and `stride` but as many
     * outputs: before freeze. */
    void rewrite(at::Tensor (*change)(const at::Tensor &weight), int64_t stride);

    int64_t out() const { return weight_.size(0); }
    int64_t kernel() const { return weight_.size(2); }
    int64_t groups() const { return groups_; }
    /* For an input of side `*side_px`, which becomes the output's. */
    double flops(int64_t *side_px) const;

private:
    void fold(Weights &weights, const std::string &norm, double epsilon);

    at::Tensor weight_, bias_;
    int64_t stride_ = 1, groups_ = 1;
    Act act_ = Act::none;
    bool tf_same_ = false;
};

} // namespace ir_torch

#endif
