// resnet.cpp: residual networks (He et al. 2015), with those for CIFAR, ResNeXt and wide ones.
#include "torch/conv.h"
#include "torch/failure.h"
#include "torch/max_pool.h"
#include "torch/model.h"
#include "torch/resnet_names.h"

namespace ir_torch {

namespace {

struct Residual {
    std::vector<Conv> convs; // two of 3x3, or 1x1, 3x3, 1x1
    Conv shortcut;           // absent: the input itself, thinned out and padded where shapes differ
    int64_t stride;

    Residual(Weights &weights, const std::string &name, int64_t in, int64_t stride, double epsilon);
    at::Tensor forward(const at::Tensor &x) const;
    void freeze(Precision precision);
    int64_t out() const { return convs.back().out(); }
    double flops(int64_t *side_px) const;
};

Residual::Residual(Weights &weights, const std::string &name, int64_t in, int64_t step,
                   double epsilon)
    : stride(step)
{
    bool bottleneck = weights.has(name + "conv3.weight");
    int64_t channels = in;
    for (int i = 1; i <= (bottleneck ? 3 : 2); i++) {
        std::string number = std::to_string(i);
        ConvPlan plan;
        plan.in = channels;
        plan.stride = i == (bottleneck ? 2 : 1) ? stride : 1;
        plan.act = i == (bottleneck ? 3 : 2) ? Act::none : Act::relu;
        plan.epsilon = epsilon;
        convs.emplace_back(weights, name + "conv" + number, name + "bn" + number, plan);
        channels = convs.back().out();
    }
    if (weights.has(name + "downsample.0.weight")) {
        ConvPlan plan;
        plan.in = in;
        plan.stride = stride;
        plan.epsilon = epsilon;
        shortcut = Conv(weights, name + "downsample.0", name + "downsample.1", plan);
    }
    if (shortcut ? shortcut.out() != channels : channels < in || (channels - in) % 2 != 0)
        throw Failure(IMGRET_BAD_MODEL, weights.path() + ": block '" + name +
                                            "*' cannot add its input to its output");
}

at::Tensor Residual::forward(const at::Tensor &x) const
{
    at::Tensor y = x;
    for (size_t i = 0; i + 1 < convs.size(); i++)
        y = convs[i](y);
    if (shortcut)
        return convs.back().onto(shortcut(x), y, Act::relu);
    at::Tensor same = x;
    if (stride > 1) // option A: every second place, no weights
        same = same.slice(2, 0, c10::nullopt, stride).slice(3, 0, c10::nullopt, stride);
    int64_t extra = (out() - x.size(1)) / 2;
    if (extra > 0)
        same = at::constant_pad_nd(same, {0, 0, 0, 0, extra, extra});
    return convs.back().onto(same, y, Act::relu);
}

void Residual::freeze(Precision precision)
{
    for (Conv &conv : convs)
        conv.freeze(precision);
    shortcut.freeze(precision);
}

double Residual::flops(int64_t *side_px) const
{
    int64_t before = *side_px;
    double sum = shortcut ? shortcut.flops(&before) : 0;
    for (const Conv &conv : convs)
        sum += conv.flops(side_px);
    return sum;
}

class ResNet : public Model {
public:
    ResNet(Weights &weights, Options &options);
    Features features(const at::Tensor &pixels) const override;
    at::Tensor classify(const Features &, const at::Tensor &embedding) const override
    {
        return head_(embedding);
    }
    void freeze(Precision precision) override;

private:
    void name_it(int64_t stage_count);

    Conv stem_;
    MaxPool stem_pool_;
    bool small_ =
        false; // made for pictures of 32 px: nothing is thrown away before the first block
    std::vector<Residual> blocks_;
    Linear head_;
};

void ResNet::name_it(int64_t stage_count)
{
    const Residual &first = blocks_.front();
    size_t depth = 2 + blocks_.size() * first.convs.size();
    architecture = "resnet" + std::to_string(depth);
    int64_t inner = first.convs[0].out(), groups = first.convs[1].groups();
    if (groups > 1)
        architecture = "resnext" + std::to_string(depth) + "_" + std::to_string(groups) + "x" +
                       std::to_string(inner / groups) + "d";
    else if (first.convs.size() == 3 && inner != 64)
        architecture = "wide_" + architecture + "_" + std::to_string(inner / 64);
    if (small_)
        architecture = (stage_count == 3 ? "cifar_" : "small_") + architecture;
}

ResNet::ResNet(Weights &weights, Options &options) : stem_pool_(weights, 3, 2, 1)
{
    const Naming *naming = find_resnet_naming(weights);
    std::vector<int64_t> stem = weights.shape("stem.conv.weight");
    small_ = stem.size() == 4 && stem[2] == 3;
    Preset family = naming->preset;
    if (small_) {
        family.input_px = 32;
        family.crop_pct = 1;
    }
    preset = choose_preset(family, weights, options);
    double epsilon = options.number("epsilon", naming->epsilon, 1e-12, 1e-2);

    ConvPlan plan;
    plan.in = 3;
    plan.stride = small_ ? 1 : 2;
    plan.act = Act::relu;
    plan.epsilon = epsilon;
    stem_ = Conv(weights, "stem.conv", "stem.bn", plan);
    int64_t side = preset.input_px, channels = stem_.out();
    flops = stem_.flops(&side);
    if (!small_)
        side = (side + 1) / 2;
    int64_t stage_count = weights.count("stages.");
    for (int64_t s = 0; s < stage_count; s++) {
        std::string stage = "stages." + std::to_string(s) + ".";
        for (int64_t b = 0; b < weights.count(stage); b++) {
            blocks_.emplace_back(weights, stage + std::to_string(b) + ".", channels,
                                 s > 0 && b == 0 ? 2 : 1, epsilon);
            channels = blocks_.back().out();
            flops += blocks_.back().flops(&side);
        }
    }
    dimension = channels;
    if (weights.has("head.weight")) {
        head_ = Linear(weights, "head", channels);
        class_count = head_.weight.size(0);
    }
    channels_last = true;
    traits = "epsilon=" + shortest(epsilon);
    name_it(stage_count);
}

Features ResNet::features(const at::Tensor &pixels) const
{
    at::Tensor x = stem_(pixels);
    if (!small_)
        x = stem_pool_(x);
    for (const Residual &block : blocks_)
        x = block.forward(x);
    return {x, 0, {}};
}

void ResNet::freeze(Precision precision)
{
    stem_.freeze(precision);
    stem_pool_.freeze(precision);
    for (Residual &block : blocks_)
        block.freeze(precision);
}

bool recognises(Weights &weights)
{
    return find_resnet_naming(weights) != nullptr && !weights.has("attnpool.q_proj.weight");
}

std::unique_ptr<Model> build(Weights &weights, Options &options)
{
    return std::make_unique<ResNet>(weights, options);
}

} // namespace

const Architecture resnet_architecture = {"resnet", recognises, build};

} // namespace ir_torch
