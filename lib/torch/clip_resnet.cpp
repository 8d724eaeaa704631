// clip_resnet.cpp: CLIP's convolutional image towers, ResNet-50 to 50x64 (Radford et al. 2021).
#include "torch/conv.h"
#include "torch/failure.h"
#include "torch/model.h"
#include "torch/naming.h"

#include <algorithm>
#include <cmath>

namespace ir_torch {

namespace {

constexpr int64_t HEAD_WIDTH = 64, STRIDE = 32;
constexpr double EPSILON = 1e-5;

const std::vector<Naming> &namings()
{
    static const Preset preset = preset_of({0.48145466, 0.4578275, 0.40821073},
                                           {0.26862954, 0.26130258, 0.27577711}, 0, 1, false, true);
    static const std::vector<Naming> all = {
        {"open_clip", // and OpenAI's
         {"visual.", "module.visual.", ""},
         {
             {"conv#.*", "stem.#.conv.*"},
             {"bn#.*", "stem.#.bn.*"},
             {"layer1.*", "stages.0.*"},
             {"layer2.*", "stages.1.*"},
             {"layer3.*", "stages.2.*"},
             {"layer4.*", "stages.3.*"},
             {"attnpool.positional_embedding", "pos_embed"},
             {"attnpool.q_proj.*", "qkv.*", 0, 3},
             {"attnpool.k_proj.*", "qkv.*", 1, 3},
             {"attnpool.v_proj.*", "qkv.*", 2, 3},
             {"attnpool.c_proj.*", "proj.*"},
         },
         EPSILON,
         preset},
        {"timm",
         {"visual.trunk.", "module.", ""},
         {
             {"stem.conv#.conv.*", "stem.#.conv.*"},
             {"stem.conv#.bn.*", "stem.#.bn.*"},
             {"stages.#.#.conv1_1x1.conv.*", "stages.#.#.conv1.*"},
             {"stages.#.#.conv1_1x1.bn.*", "stages.#.#.bn1.*"},
             {"stages.#.#.conv2_kxk.conv.*", "stages.#.#.conv2.*"},
             {"stages.#.#.conv2_kxk.bn.*", "stages.#.#.bn2.*"},
             {"stages.#.#.conv3_1x1.conv.*", "stages.#.#.conv3.*"},
             {"stages.#.#.conv3_1x1.bn.*", "stages.#.#.bn3.*"},
             {"stages.#.#.shortcut.conv.conv.*", "stages.#.#.downsample.0.*"},
             {"stages.#.#.shortcut.conv.bn.*", "stages.#.#.downsample.1.*"},
             {"head.pos_embed", "pos_embed"},
             {"head.proj.*", "proj.*"},
             {"head.qkv.*", "qkv.*"},
             {"head.q.*", "qkv.*", 0, 3},
             {"head.k.*", "qkv.*", 1, 3},
             {"head.v.*", "qkv.*", 2, 3},
         },
         EPSILON,
         preset},
    };
    return all;
}

// The text tower, which has no part in a picture's vector.
const std::vector<Rename> outside = {
    {"transformer.*", ""}, {"token_embedding.*", ""}, {"positional_embedding", ""},
    {"ln_final.*", ""},    {"text_projection*", ""},  {"logit_scale", ""},
    {"logit_bias", ""},    {"input_resolution", ""},  {"context_length", ""},
    {"vocab_size", ""},
};

const Naming *find(Weights &weights)
{
    return find_naming(weights, namings(),
                       {"pos_embed", "qkv.weight", "stem.3.conv.weight", "stages.0.0.conv3.weight"},
                       outside);
}

Conv take_conv(Weights &weights, const std::string &conv, const std::string &norm, int64_t in,
               int64_t stride, Act act)
{
    ConvPlan plan;
    plan.in = in;
    plan.stride = stride;
    plan.act = act;
    plan.epsilon = EPSILON;
    return Conv(weights, conv, norm, plan);
}

/* What halves the picture is an average, not a stride: before the last and the shortcut's conv. */
struct Bottleneck {
    std::vector<Conv> convs;
    Conv shortcut;
    bool halves;

    Bottleneck(Weights &weights, const std::string &name, int64_t in, bool first) : halves(first)
    {
        int64_t channels = in;
        for (int i = 1; i <= 3; i++) {
            std::string number = std::to_string(i);
            convs.push_back(take_conv(weights, name + "conv" + number, name + "bn" + number,
                                      channels, 1, i < 3 ? Act::relu : Act::none));
            channels = convs.back().out();
        }
        if (weights.has(name + "downsample.0.weight"))
            shortcut = take_conv(weights, name + "downsample.0", name + "downsample.1", in, 1,
                                 Act::none);
        if ((shortcut ? shortcut.out() : in) != channels || (halves && !shortcut))
            throw Failure(IMGRET_BAD_MODEL, weights.path() + ": block '" + name +
                                                "*' cannot add its input to its output");
    }
    at::Tensor operator()(const at::Tensor &x) const
    {
        at::Tensor y = convs[1](convs[0](x)), same = x;
        if (halves) {
            y = at::avg_pool2d(y, 2);
            same = at::avg_pool2d(same, 2);
        }
        return convs[2].onto(shortcut ? shortcut(same) : same, y, Act::relu);
    }
};

class ClipResNet : public Model {
public:
    ClipResNet(Weights &weights, Options &options, const Naming &naming);
    Features features(const at::Tensor &pixels) const override;
    void freeze(Precision precision) override;

private:
    void take_pool(Weights &weights, int64_t width);

    std::vector<Conv> stem_;
    std::vector<Bottleneck> blocks_;
    at::Tensor positions_; // 1 x (1 + places) x width
    Linear qkv_, proj_;
    int64_t heads_ = 1;
};

void ClipResNet::take_pool(Weights &weights, int64_t width)
{
    std::vector<int64_t> shape = weights.shape("pos_embed");
    int64_t rows = shape.empty() ? 0 : shape[0];
    int64_t side = std::llround(std::sqrt(static_cast<double>(std::max<int64_t>(rows - 1, 0))));
    if (side < 1 || side > 4096 / STRIDE || side * side + 1 != rows || width % HEAD_WIDTH != 0)
        throw Failure(IMGRET_BAD_MODEL,
                      weights.path() + ": tensor 'attnpool.positional_embedding' " + "has shape " +
                          shape_text(shape) + ", which is no square of places and one more");
    positions_ = weights.take("pos_embed", {rows, width}).view({1, rows, width});
    qkv_ = Linear(weights, "qkv", width, 3 * width);
    proj_ = Linear(weights, "proj", width);
    heads_ = width / HEAD_WIDTH;
    dimension = proj_.weight.size(0);
    preset.input_px = side * STRIDE;
}

ClipResNet::ClipResNet(Weights &weights, Options &options, const Naming &naming)
{
    int64_t channels = 3, stage_count = weights.count("stages."), layers = 2;
    for (int i = 1; i <= 3; i++) {
        std::string name = "stem." + std::to_string(i);
        stem_.push_back(
            take_conv(weights, name + ".conv", name + ".bn", channels, i == 1 ? 2 : 1, Act::relu));
        channels = stem_.back().out();
    }
    for (int64_t s = 0; s < stage_count; s++) {
        std::string stage = "stages." + std::to_string(s) + ".";
        for (int64_t b = 0; b < weights.count(stage); b++) {
            blocks_.emplace_back(weights, stage + std::to_string(b) + ".", channels,
                                 s > 0 && b == 0);
            channels = blocks_.back().convs.back().out();
            layers += 3;
        }
    }
    take_pool(weights, channels);
    Preset own = naming.preset;
    int64_t trained_px = own.input_px = preset.input_px;
    preset = choose_preset(own, weights, options);
    if (preset.input_px != trained_px)
        throw Failure(IMGRET_INVALID_ARGUMENT, weights.path() +
                                                   ": its attention pool is for an input of " +
                                                   std::to_string(trained_px) + " px, not " +
                                                   std::to_string(preset.input_px));
    int64_t side = trained_px;
    for (const Conv &conv : stem_)
        flops += conv.flops(&side);
    for (const Bottleneck &block : blocks_) {
        side = block.halves ? side / 2 : side;
        for (const Conv &conv : block.convs)
            flops += conv.flops(&side);
    }
    int64_t width = stem_.back().out();
    architecture = "clip_resnet" + std::to_string(layers) +
                   (width == 64 ? "" : "_w" + std::to_string(width));
    traits = "heads=" + std::to_string(heads_);
    gives_vectors = true;
    channels_last = true;
}

// The mean of all places asks, all places and the mean answer; only its own row is needed.
Features ClipResNet::features(const at::Tensor &pixels) const
{
    at::Tensor x = pixels;
    for (const Conv &conv : stem_)
        x = conv(x);
    x = at::avg_pool2d(x, 2);
    for (const Bottleneck &block : blocks_)
        x = block(x);
    x = x.to(at::kFloat).flatten(2).transpose(1, 2);
    x = at::cat({x.mean(1, true), x}, 1) + positions_;
    int64_t count = x.size(0), places = x.size(1), width = x.size(2), head = width / heads_;
    at::Tensor parts = qkv_(x).view({count, places, 3, heads_, head}).permute({2, 0, 3, 1, 4});
    at::Tensor query = parts[0].slice(2, 0, 1) * (1.0 / std::sqrt(static_cast<double>(head)));
    at::Tensor scores = at::matmul(query, parts[1].transpose(2, 3)).softmax(-1);
    return {proj_(at::matmul(scores, parts[2]).reshape({count, width})), 0, {}};
}

void ClipResNet::freeze(Precision precision)
{
    for (Conv &conv : stem_)
        conv.freeze(precision);
    for (Bottleneck &block : blocks_) {
        for (Conv &conv : block.convs)
            conv.freeze(precision);
        block.shortcut.freeze(precision);
    }
    qkv_.freeze(precision);
    proj_.freeze(precision);
}

bool recognises(Weights &weights)
{
    return find(weights) != nullptr;
}

std::unique_ptr<Model> build(Weights &weights, Options &options)
{
    const Naming *naming = find(weights);
    return std::make_unique<ClipResNet>(weights, options, *naming);
}

} // namespace

const Architecture clip_resnet_architecture = {"clip_resnet", recognises, build};

} // namespace ir_torch
