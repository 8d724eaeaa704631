// conv.cpp: a convolution with its batch norm folded in and its activation behind it.
#include "torch/conv.h"

#include "torch/failure.h"

namespace ir_torch {

Conv::Conv(Weights &weights, const std::string &conv, const std::string &norm, const ConvPlan &plan)
    : stride_(plan.stride), act_(plan.act), tf_same_(plan.tf_same), packs_(weights.packs())
{
    std::vector<int64_t> shape = weights.shape(conv + ".weight");
    bool fits = shape.size() == 4 && shape[0] > 0 && shape[1] > 0 && plan.in % shape[1] == 0 &&
                shape[2] > 0 && shape[2] <= 64 && shape[2] == shape[3] &&
                shape[0] % (plan.in / shape[1]) == 0;
    if (!fits)
        throw Failure(IMGRET_BAD_MODEL, weights.path() + ": tensor '" + conv +
                                            ".weight' has shape " + shape_text(shape) +
                                            ", no square convolution of " +
                                            std::to_string(plan.in) + " channels");
    out_ = shape[0];
    groups_ = plan.in / shape[1];
    weight_ = weights.take(conv + ".weight", shape);
    bias_ = weights.has(conv + ".bias") ? weights.take(conv + ".bias", {shape[0]})
                                        : at::zeros({shape[0]}, weight_.options());
    if (!norm.empty())
        fold(weights, norm, plan.epsilon);
}

// In double: the folded network is then as near to the true one as the unfolded.
void Conv::fold(Weights &weights, const std::string &norm, double epsilon)
{
    auto taken = [&](const char *part) {
        return weights.take(norm + part, {weight_.size(0)}).to(at::kDouble);
    };
    at::Tensor gain = taken(".weight"), shift = taken(".bias");
    at::Tensor mean = taken(".running_mean"), variance = taken(".running_var") + epsilon;
    if (variance.min().item<double>() <= 0)
        throw Failure(IMGRET_BAD_MODEL,
                      weights.path() + ": tensor '" + norm + ".running_var' is negative");
    at::Tensor scale = gain / variance.sqrt();
    weight_ = (weight_.to(at::kDouble) * scale.view({-1, 1, 1, 1})).to(at::kFloat);
    bias_ = (shift + (bias_.to(at::kDouble) - mean) * scale).to(at::kFloat);
}

// TensorFlow pads so that the output has ceil(side / stride) places, the odd pixel behind.
static at::Tensor padded(const at::Tensor &x, int64_t kernel, int64_t stride)
{
    int64_t pads[2];
    for (int64_t d = 0; d < 2; d++) {
        int64_t side = x.size(3 - d), places = (side + stride - 1) / stride;
        pads[d] = std::max<int64_t>(0, (places - 1) * stride + kernel - side);
    }
    return at::constant_pad_nd(
        x, {pads[0] / 2, pads[0] - pads[0] / 2, pads[1] / 2, pads[1] - pads[1] / 2});
}

at::Tensor Conv::convolved(const at::Tensor &x) const
{
    at::Tensor in = x.to(weight_.scalar_type());
    int64_t pad = (kernel() - 1) / 2;
    if (tf_same_ && stride_ > 1) { // at stride 1 an odd kernel's padding is the same on all sides
        in = padded(in, kernel(), stride_);
        pad = 0;
    }
    return at::conv2d(in, weight_, bias_, stride_, pad, 1, groups_);
}

at::Tensor Conv::operator()(const at::Tensor &x) const
{
    return packed_ ? packed_->run(x, act_) : activate(convolved(x), act_);
}

at::Tensor Conv::onto(const at::Tensor &sum, const at::Tensor &x, Act act) const
{
    return packed_ ? packed_->run(x, act, sum) : activate(convolved(x).add_(sum), act);
}

void Conv::rewrite(at::Tensor (*change)(const at::Tensor &), int64_t stride)
{
    weight_ = change(weight_);
    stride_ = stride;
}

void Conv::freeze(Precision precision)
{
    if (!weight_.defined())
        return;
    if (packs_ && can_pack(precision)) {
        PackedGeometry geometry = {stride_, groups_, (kernel() - 1) / 2, tf_same_ && stride_ > 1};
        packed_ = std::make_shared<PackedConv>(weight_, bias_, geometry, precision);
        weight_ = bias_ = at::Tensor();
        return;
    }
    if (precision == Precision::bf16) {
        weight_ = weight_.to(at::kBFloat16);
        bias_ = bias_.to(at::kBFloat16);
    }
    weight_ = weight_.contiguous(at::MemoryFormat::ChannelsLast);
}

double Conv::flops(int64_t *side_px) const
{
    *side_px = (*side_px + stride_ - 1) / stride_;
    return 2.0 * static_cast<double>(weight_.numel()) * static_cast<double>(*side_px * *side_px);
}

} // namespace ir_torch
