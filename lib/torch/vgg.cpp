// vgg.cpp: VGG-11 to 19, with and without batch norm (Simonyan and Zisserman 2014).
#include "torch/conv.h"
#include "torch/failure.h"
#include "torch/max_pool.h"
#include "torch/model.h"
#include "torch/naming.h"

#include <algorithm>

namespace ir_torch {

namespace {

constexpr int64_t HEAD_SIDE = 7; // places a side that the first fully connected layer looks at

// features.N as torchvision and timm count, activations and pools included.
const std::vector<Naming> &namings()
{
    static const Preset preset = preset_of(imagenet_mean, imagenet_std, 224, 0.875, false, false);
    static const std::vector<Naming> all = {
        {"torchvision",
         {"", "module."},
         {
             {"classifier.0.*", "fc1.*"},
             {"classifier.3.*", "fc2.*"},
             {"classifier.6.*", "head.*"},
             {"pre_logits.fc1.*", "fc1.*"}, // timm
             {"pre_logits.fc2.*", "fc2.*"},
             {"head.fc.*", "head.*"},
         },
         1e-5,
         preset},
    };
    return all;
}

const Naming *find_vgg_naming(Weights &weights)
{
    const Naming *naming = find_naming(weights, namings(), {"features.0.weight"});
    bool fits = naming && weights.shape("features.0.weight") == std::vector<int64_t>{64, 3, 3, 3};
    return fits ? naming : nullptr;
}

class Vgg : public Model {
public:
    Vgg(Weights &weights, Options &options);
    Features features(const at::Tensor &pixels) const override;
    at::Tensor classify(const Features &features, const at::Tensor &embedding) const override;
    void freeze(Precision precision) override;

private:
    void take_features(Weights &weights, double epsilon);
    void take_head(Weights &weights);

    std::vector<Conv> convs_;
    std::vector<bool> pools_after_;
    MaxPool halve_;
    Linear fc1_, fc2_, head_;
};

// The modules in order: convolution, batch norm if there is any, ReLU, and a pool where the next
// number is one further on than it had to be.
void Vgg::take_features(Weights &weights, double epsilon)
{
    int64_t channels = 3, side = preset.input_px, last = weights.count("features.");
    bool has_norm = weights.has("features.1.running_mean");
    int64_t at = 0;
    while (at < last) {
        std::string name = "features." + std::to_string(at);
        if (!weights.has(name + ".weight"))
            throw Failure(IMGRET_BAD_MODEL,
                          weights.path() + ": tensor '" + name + ".weight' is missing");
        ConvPlan plan;
        plan.in = channels;
        plan.act = Act::relu;
        plan.epsilon = epsilon;
        convs_.emplace_back(weights, name, has_norm ? "features." + std::to_string(at + 1) : "",
                            plan);
        channels = convs_.back().out();
        flops += convs_.back().flops(&side);
        at += has_norm ? 3 : 2;
        bool pools = !weights.has("features." + std::to_string(at) + ".weight");
        pools_after_.push_back(pools);
        at += pools;
        side = pools ? side / 2 : side;
    }
    if (side < 1)
        throw Failure(IMGRET_INVALID_ARGUMENT, weights.path() + ": an input of " +
                                                   std::to_string(preset.input_px) +
                                                   " px is too small for this network");
    dimension = channels;
    architecture = "vgg" + std::to_string(convs_.size() + 3) + (has_norm ? "_bn" : "");
}

// timm writes the first two layers as convolutions of 7x7 and 1x1: the same numbers in a row.
Linear take_flat(Weights &weights, const std::string &name, int64_t in)
{
    std::vector<int64_t> shape = weights.shape(name + ".weight");
    if (shape.size() != 4)
        return Linear(weights, name, in);
    Linear linear;
    int64_t side = shape[2], channels = side > 0 ? in / (side * side) : 0;
    linear.weight = weights.take(name + ".weight", {shape[0], channels, side, side});
    linear.weight = linear.weight.reshape({shape[0], in});
    linear.bias = weights.take(name + ".bias", {shape[0]});
    return linear;
}

void Vgg::take_head(Weights &weights)
{
    if (!weights.has("fc1.weight"))
        return;
    fc1_ = take_flat(weights, "fc1", dimension * HEAD_SIDE * HEAD_SIDE);
    fc2_ = take_flat(weights, "fc2", fc1_.weight.size(0));
    if (!weights.has("head.weight"))
        return;
    head_ = Linear(weights, "head", fc2_.weight.size(0));
    class_count = head_.weight.size(0);
}

Vgg::Vgg(Weights &weights, Options &options) : halve_(weights, 2, 2, 0)
{
    const Naming *naming = find_vgg_naming(weights);
    preset = choose_preset(naming->preset, weights, options);
    double epsilon = options.number("epsilon", naming->epsilon, 1e-12, 1e-2);
    take_features(weights, epsilon);
    take_head(weights);
    channels_last = true;
    traits = "epsilon=" + shortest(epsilon);
}

Features Vgg::features(const at::Tensor &pixels) const
{
    at::Tensor x = pixels;
    for (size_t i = 0; i < convs_.size(); i++) {
        x = convs_[i](x);
        if (pools_after_[i])
            x = halve_(x);
    }
    return {x, 0, {}};
}

// The fully connected layers look at the map itself, 7 x 7 whatever the input's size.
at::Tensor Vgg::classify(const Features &features, const at::Tensor &) const
{
    at::Tensor map = features.data.to(at::kFloat).contiguous();
    map = at::adaptive_avg_pool2d(map, {HEAD_SIDE, HEAD_SIDE}).flatten(1);
    return head_(at::relu(fc2_(at::relu(fc1_(map)))));
}

void Vgg::freeze(Precision precision)
{
    for (Conv &conv : convs_)
        conv.freeze(precision);
    halve_.freeze(precision);
    for (Linear *linear : {&fc1_, &fc2_, &head_})
        linear->freeze(precision);
}

bool recognises(Weights &weights)
{
    return find_vgg_naming(weights) != nullptr;
}

std::unique_ptr<Model> build(Weights &weights, Options &options)
{
    return std::make_unique<Vgg>(weights, options);
}

} // namespace

const Architecture vgg_architecture = {"vgg", recognises, build};

} // namespace ir_torch
