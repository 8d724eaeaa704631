// mobile.cpp: networks of inverted residuals: MobileNetV1 to V3 (Howard et al. 2017, Sandler et al.
// 2018, Howard et al. 2019) and EfficientNet (Tan and Le 2019).
#include "torch/conv.h"
#include "torch/failure.h"
#include "torch/mobile_names.h"
#include "torch/model.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace ir_torch {

namespace {

/* What the tensors do not say. Blocks are counted from 0 through the whole network. */
struct Kind {
    const char *name;
    size_t block_count;           // 0: any
    std::vector<int64_t> halving; // blocks of stride 2; EfficientNet: stages
    size_t relu_count;            // blocks before this one use ReLU whatever `act` is
    Act act, squeeze_act;
    bool hard_gate; // squeeze and excitation: hard sigmoid, else sigmoid
    bool linear;    // no activation behind the projection, and residuals
};

const Kind kinds[] = {
    {"mobilenet_v1", 13, {1, 3, 5, 11}, 0, Act::relu6, Act::none, false, false},
    {"mobilenet_v2", 17, {1, 3, 6, 13}, 0, Act::relu6, Act::none, false, true},
    {"mobilenet_v3_large", 15, {1, 3, 6, 12}, 6, Act::hardswish, Act::relu, true, true},
    {"mobilenet_v3_small", 11, {0, 1, 3, 8}, 3, Act::hardswish, Act::relu, true, true},
    {"efficientnet", 0, {1, 2, 3, 5}, 0, Act::silu, Act::silu, false, true},
};

/* The EfficientNets: the width of the last convolution and the blocks tell them apart. */
const struct Size {
    const char *name;
    int64_t head_width;
    size_t block_count;
    int64_t input_px, resize_px;
    double torchvision_epsilon;
} sizes[] = {
    {"b0", 1280, 16, 224, 256, 1e-5}, {"b1", 1280, 23, 240, 256, 1e-5},
    {"b2", 1408, 23, 288, 288, 1e-5}, {"b3", 1536, 26, 300, 320, 1e-5},
    {"b4", 1792, 32, 380, 384, 1e-5}, {"b5", 2048, 39, 456, 456, 1e-3},
    {"b6", 2304, 45, 528, 528, 1e-3}, {"b7", 2560, 55, 600, 600, 1e-3},
};

/* What holds for all convolutions of one file. */
struct Style {
    bool tf_same;
    double epsilon;
};

Conv take_conv(Weights &weights, const std::string &name, int64_t in, int64_t stride, Act act,
               const Style &style)
{
    ConvPlan plan;
    plan.in = in;
    plan.stride = stride;
    plan.act = act;
    plan.tf_same = style.tf_same;
    plan.epsilon = style.epsilon;
    bool folded = !weights.has(name + ".bn.weight");
    return Conv(weights, name + ".conv", folded ? "" : name + ".bn", plan);
}

// A fully connected layer that some write as a convolution of 1 x 1.
Linear take_flat(Weights &weights, const std::string &name, int64_t in)
{
    std::vector<int64_t> shape = weights.shape(name + ".weight");
    if (shape.size() == 2)
        return Linear(weights, name, in);
    int64_t out = shape.empty() ? 0 : shape[0];
    Linear linear;
    linear.weight = weights.take(name + ".weight", {out, in, 1, 1}).view({out, in});
    if (weights.has(name + ".bias"))
        linear.bias = weights.take(name + ".bias", {out});
    return linear;
}

struct Inverted {
    Conv expand, depthwise, project;
    Linear squeeze, excite;
    Act squeeze_act;
    bool hard_gate, adds_input;

    at::Tensor forward(const at::Tensor &x) const;
    at::Tensor gated(const at::Tensor &x) const;
};

// Squeeze and excitation (Hu et al. 2018), in float32.
at::Tensor Inverted::gated(const at::Tensor &x) const
{
    at::Tensor gate = excite(activate(squeeze(x.to(at::kFloat).mean({2, 3})), squeeze_act));
    gate = hard_gate ? at::hardsigmoid(gate) : at::sigmoid(gate);
    return x * gate.to(x.scalar_type()).view({x.size(0), x.size(1), 1, 1});
}

at::Tensor Inverted::forward(const at::Tensor &x) const
{
    at::Tensor y = depthwise(expand ? expand(x) : x);
    if (squeeze)
        y = gated(y);
    return adds_input ? project.onto(x, y, Act::none) : project(y);
}

class Mobile : public Model {
public:
    Mobile(Weights &weights, Options &options);
    Features features(const at::Tensor &pixels) const override;
    at::Tensor classify(const Features &, const at::Tensor &embedding) const override
    {
        return classifier_(hidden_ ? activate(hidden_(embedding), kind_->act) : embedding);
    }
    void freeze(Precision precision) override;

private:
    void find_blocks(const Weights &weights);
    void find_kind(const Weights &weights);
    void take_blocks(Weights &weights, const Style &style);
    void take_preset(Weights &weights, Options &options, const Preset &family);
    int64_t stride_of(size_t block, int64_t stage) const;

    const Kind *kind_ = nullptr;
    const Size *size_ = nullptr;     // of an EfficientNet
    std::vector<std::string> names_; // of the blocks, with a dot behind
    Conv stem_, head_;
    std::vector<Inverted> blocks_;
    Linear hidden_, classifier_;
};

void Mobile::find_blocks(const Weights &weights)
{
    for (int64_t s = 0; s < weights.count("blocks."); s++) {
        std::string stage = "blocks." + std::to_string(s) + ".";
        for (int64_t b = 0; b < weights.count(stage); b++) {
            std::string name = stage + std::to_string(b) + ".";
            if (weights.has(name + "dw.conv.weight"))
                names_.push_back(name);
        }
    }
}

void Mobile::find_kind(const Weights &weights)
{
    if (names_.empty())
        throw Failure(IMGRET_BAD_MODEL, weights.path() + ": tensor 'blocks.*' is missing");
    bool expands = weights.has(names_.back() + "expand.conv.weight");
    bool squeezes = weights.has(names_.back() + "se.reduce.weight");
    bool first_squeezes = weights.has(names_.front() + "se.reduce.weight");
    for (const Kind &kind : kinds) {
        bool is_v1 = !kind.linear, has_gate = kind.squeeze_act != Act::none;
        bool fits = kind.block_count == 0 ? first_squeezes : kind.block_count == names_.size();
        if (fits && expands != is_v1 && squeezes == has_gate) {
            kind_ = &kind;
            break;
        }
    }
    if (!kind_)
        throw Failure(IMGRET_BAD_MODEL, weights.path() + ": " + std::to_string(names_.size()) +
                                            " blocks are those of no known MobileNet");
    if (kind_->block_count > 0)
        return;
    std::vector<int64_t> head = weights.shape("head.conv.weight");
    for (const Size &size : sizes)
        if (!head.empty() && head[0] == size.head_width && names_.size() == size.block_count)
            size_ = &size;
}

int64_t Mobile::stride_of(size_t block, int64_t stage) const
{
    int64_t wanted = kind_->block_count > 0 ? static_cast<int64_t>(block) : stage;
    bool halves = std::count(kind_->halving.begin(), kind_->halving.end(), wanted) > 0;
    return halves ? 2 : 1;
}

void Mobile::take_blocks(Weights &weights, const Style &style)
{
    int64_t side = preset.input_px, channels = stem_.out(), stage = -1, stage_width = 0;
    flops = stem_.flops(&side);
    for (size_t i = 0; i < names_.size(); i++) {
        const std::string &name = names_[i];
        // A stage of EfficientNet is the blocks of one width; Hugging Face counts none.
        std::vector<int64_t> shape = weights.shape(name + "project.conv.weight");
        int64_t width = shape.empty() ? 0 : shape[0];
        bool opens = width != stage_width;
        stage += opens;
        stage_width = width;
        int64_t stride = kind_->block_count > 0 || opens ? stride_of(i, stage) : 1;
        Act act = i < kind_->relu_count ? Act::relu : kind_->act;

        Inverted block{};
        int64_t inner = channels;
        if (weights.has(name + "expand.conv.weight")) {
            block.expand = take_conv(weights, name + "expand", channels, 1, act, style);
            inner = block.expand.out();
            flops += block.expand.flops(&side);
        }
        block.depthwise = take_conv(weights, name + "dw", inner, stride, act, style);
        flops += block.depthwise.flops(&side);
        if (weights.has(name + "se.reduce.weight")) {
            block.squeeze = take_flat(weights, name + "se.reduce", inner);
            block.excite = take_flat(weights, name + "se.expand", block.squeeze.weight.size(0));
            if (block.excite.weight.size(0) != inner)
                throw Failure(IMGRET_BAD_MODEL, weights.path() + ": tensor '" + name +
                                                    "se.expand.weight' has a wrong shape");
        }
        block.squeeze_act = kind_->squeeze_act;
        block.hard_gate = kind_->hard_gate;
        block.project = take_conv(weights, name + "project", inner, 1,
                                  kind_->linear ? Act::none : act, style);
        flops += block.project.flops(&side);
        block.adds_input = kind_->linear && stride == 1 && block.project.out() == channels;
        channels = block.project.out();
        blocks_.push_back(std::move(block));
    }
    dimension = channels;
    if (weights.has("head.conv.weight")) {
        head_ = take_conv(weights, "head", channels, 1, kind_->act, style);
        flops += head_.flops(&side);
        dimension = head_.out();
    }
}

// Converters from TensorFlow Lite write the normalisation as "(x-127)*0.0078", for x in 0..255,
// and the side of the input only into the file's name: mobilenet_v1_0.25_128.
void apply_converted(Preset *preset, const Weights &weights)
{
    const char *input = weights.metadata("input");
    const char *formula = input ? std::strstr(input, "(x-") : nullptr;
    double shift = 0, scale = 0;
    if (formula && std::sscanf(formula, "(x-%lf)*%lf", &shift, &scale) == 2 && scale > 0) {
        preset->mean.fill(shift / 255);
        preset->std.fill(1 / (255 * scale));
    }
    std::string name = weights.path().substr(weights.path().rfind('/') + 1);
    for (int64_t side : {96, 128, 160, 192, 224})
        if (name.find("_" + std::to_string(side) + ".") != std::string::npos)
            preset->input_px = side;
}

void Mobile::take_preset(Weights &weights, Options &options, const Preset &family)
{
    Preset own = family;
    if (size_) {
        own.input_px = size_->input_px;
        own.crop_pct = static_cast<double>(size_->input_px) / static_cast<double>(size_->resize_px);
    }
    if (weights.has("stem.conv.bias"))
        apply_converted(&own, weights);
    preset = choose_preset(own, weights, options);
}

Mobile::Mobile(Weights &weights, Options &options)
{
    const Naming *naming = find_mobile_naming(weights);
    find_blocks(weights);
    find_kind(weights);
    take_preset(weights, options, naming->preset);

    const char *said = weights.metadata("padding");
    bool from_tf = config_architecture(weights).rfind("tf_", 0) == 0 ||
                   std::string(naming->origin) == "huggingface";
    bool same = from_tf || (said && std::string(said) == "tf_same");
    Style style;
    style.tf_same = options.choice("padding", same ? "tf_same" : "symmetric",
                                   {"symmetric", "tf_same"}) == "tf_same";
    double epsilon = from_tf ? 1e-3 : naming->epsilon;
    if (size_ && std::string(naming->origin) == "torchvision")
        epsilon = size_->torchvision_epsilon;
    style.epsilon = options.number("epsilon", epsilon, 1e-12, 1e-2);

    stem_ = take_conv(weights, "stem", 3, 2, kind_->act, style);
    take_blocks(weights, style);
    int64_t width = dimension;
    if (weights.has("hidden.weight")) {
        hidden_ = take_flat(weights, "hidden", width);
        width = hidden_.weight.size(0);
    }
    if (weights.has("classifier.weight")) {
        classifier_ = take_flat(weights, "classifier", width);
        class_count = classifier_.weight.size(0);
    }
    channels_last = true;
    architecture = std::string(kind_->name) + (size_ ? std::string("_") + size_->name : "");
    traits = "epsilon=" + shortest(style.epsilon) +
             ";padding=" + (style.tf_same ? "tf_same" : "symmetric");
}

Features Mobile::features(const at::Tensor &pixels) const
{
    at::Tensor x = stem_(pixels);
    for (const Inverted &block : blocks_)
        x = block.forward(x);
    return {head_ ? head_(x) : x, 0, {}};
}

void Mobile::freeze(Precision precision)
{
    for (Conv *conv : {&stem_, &head_})
        conv->freeze(precision);
    for (Inverted &block : blocks_)
        for (Conv *conv : {&block.expand, &block.depthwise, &block.project})
            conv->freeze(precision);
}

bool recognises(Weights &weights)
{
    return find_mobile_naming(weights) != nullptr;
}

std::unique_ptr<Model> build(Weights &weights, Options &options)
{
    return std::make_unique<Mobile>(weights, options);
}

} // namespace

const Architecture mobile_architecture = {"mobile", recognises, build};

} // namespace ir_torch
