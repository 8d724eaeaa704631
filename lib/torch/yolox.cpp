// yolox.cpp: the YOLOX detectors, nano to x (Ge et al. 2021): raw detections, boxes still in code.
#include "torch/conv.h"
#include "torch/failure.h"
#include "torch/model.h"
#include "torch/naming.h"

#include <algorithm>

namespace ir_torch {

namespace {

constexpr int64_t CHANNELS = 3, COARSEST_STRIDE = 32;
constexpr double EPSILON = 1e-3; // of its batch norms

/* The names stay as Megvii writes them; files of whole checkpoints have a word before them. */
const std::vector<Naming> &namings()
{
    // Pixels go in as they are, 0..255; blue comes first, which is settled in the stem's weights.
    static const Preset preset = [] {
        Preset raw = preset_of({0, 0, 0}, {1 / 255.0, 1 / 255.0, 1 / 255.0}, 640, 1, false, false);
        raw.letterbox = true;
        raw.top_left = true;
        raw.pad = {114, 114, 114};
        return raw;
    }();
    static const std::vector<Naming> all = {
        {"megvii",
         {"", "module.", "model."},
         {{"backbone.*", "backbone.*"}, {"head.*", "head.*"}},
         EPSILON,
         preset},
    };
    return all;
}

const Naming *find_yolox_naming(Weights &weights)
{
    return find_naming(weights, namings(),
                       {"backbone.backbone.stem.conv.conv.weight", "head.cls_preds.0.weight",
                        "backbone.lateral_conv0.conv.weight"});
}

/* What every convolution of one network shares. */
struct Style {
    Weights &weights;
    double epsilon;
};

Conv take_conv(const Style &style, const std::string &name, int64_t in, int64_t stride = 1)
{
    ConvPlan plan;
    plan.in = in;
    plan.stride = stride;
    plan.act = Act::silu;
    plan.epsilon = style.epsilon;
    bool folded = !style.weights.has(name + ".bn.weight");
    return Conv(style.weights, name + ".conv", folded ? "" : name + ".bn", plan);
}

/* A convolution with its activation, or (nano) a depthwise one with a pointwise one behind it. */
struct Step {
    std::vector<Conv> convs;

    Step(const Style &style, const std::string &name, int64_t in, int64_t stride = 1)
    {
        if (!style.weights.has(name + ".dconv.conv.weight")) {
            convs.push_back(take_conv(style, name, in, stride));
            return;
        }
        convs.push_back(take_conv(style, name + ".dconv", in, stride));
        convs.push_back(take_conv(style, name + ".pconv", convs[0].out()));
    }
    at::Tensor operator()(at::Tensor x) const
    {
        for (const Conv &conv : convs)
            x = conv(x);
        return x;
    }
    int64_t out() const { return convs.back().out(); }
    void freeze(Precision precision)
    {
        for (Conv &conv : convs)
            conv.freeze(precision);
    }
};

/* A cross stage partial layer (Wang et al. 2019): half of the channels take the blocks' way. */
struct Stage {
    Step way, aside, join;
    std::vector<std::pair<Step, Step>> blocks;
    bool adds; // the blocks are residual

    Stage(const Style &style, const std::string &name, int64_t in, bool residual)
        : way(style, name + ".conv1", in), aside(style, name + ".conv2", in),
          join(style, name + ".conv3", way.out() + aside.out()), adds(residual)
    {
        for (int64_t i = 0; i < style.weights.count(name + ".m."); i++) {
            std::string block = name + ".m." + std::to_string(i);
            Step first(style, block + ".conv1", way.out());
            Step second(style, block + ".conv2", first.out());
            blocks.emplace_back(std::move(first), std::move(second));
        }
    }
    at::Tensor operator()(const at::Tensor &x) const
    {
        at::Tensor y = way(x);
        for (const auto &block : blocks) {
            at::Tensor z = block.second(block.first(y));
            y = adds ? z.add_(y) : z;
        }
        return join(at::cat({y, aside(x)}, 1));
    }
    int64_t out() const { return join.out(); }
    void freeze(Precision precision)
    {
        for (Step *step : {&way, &aside, &join})
            step->freeze(precision);
        for (auto &block : blocks) {
            block.first.freeze(precision);
            block.second.freeze(precision);
        }
    }
};

/* The backbone, CSPDarknet: features at strides 8, 16 and 32. */
struct Darknet {
    Conv stem;
    std::vector<Step> halvings;
    std::vector<Stage> stages;
    std::vector<Step> pyramid; // before the last stage: into it, out of it (He et al. 2014)

    explicit Darknet(const Style &style);
    std::array<at::Tensor, 3> operator()(const at::Tensor &pixels) const;
    void freeze(Precision precision);
};

// The "focus" layer lays the four pixels of each 2 x 2 square behind one another, left column
// first, and convolves these 12 channels by 3 x 3: that is one convolution of 6 x 6 at stride 2.
at::Tensor without_focus(const at::Tensor &weight)
{
    at::Tensor squares = weight.view({weight.size(0), 2, 2, CHANNELS, 3, 3}); // o, dx, dy, c, i, j
    at::Tensor whole = squares.permute({0, 3, 4, 2, 5, 1})
                           .reshape({weight.size(0), CHANNELS, 6, 6}); // o, c, (i, dy), (j, dx)
    return whole.flip(1).contiguous(); // trained on blue, green, red
}

Darknet::Darknet(const Style &style)
{
    std::string name = "backbone.backbone.";
    stem = take_conv(style, name + "stem.conv", 4 * CHANNELS);
    stem.rewrite(without_focus, 2);
    int64_t channels = stem.out();
    for (int i = 2; i <= 5; i++) {
        std::string dark = name + "dark" + std::to_string(i);
        halvings.emplace_back(style, dark + ".0", channels, 2);
        channels = halvings.back().out();
        if (i == 5) {
            pyramid.emplace_back(style, dark + ".1.conv1", channels);
            pyramid.emplace_back(style, dark + ".1.conv2", 4 * pyramid[0].out());
            channels = pyramid[1].out();
        }
        stages.emplace_back(style, dark + (i == 5 ? ".2" : ".1"), channels, i < 5);
        channels = stages.back().out();
    }
}

std::array<at::Tensor, 3> Darknet::operator()(const at::Tensor &pixels) const
{
    std::array<at::Tensor, 3> features;
    at::Tensor x = stem(pixels);
    for (size_t i = 0; i < stages.size(); i++) {
        x = halvings[i](x);
        if (i == 3) {
            x = pyramid[0](x);
            at::Tensor by5 = at::max_pool2d(x, 5, 1, 2), by9 = at::max_pool2d(by5, 5, 1, 2);
            x = pyramid[1](at::cat({x, by5, by9, at::max_pool2d(by9, 5, 1, 2)}, 1));
        }
        x = stages[i](x);
        if (i > 0)
            features[i - 1] = x;
    }
    return features;
}

void Darknet::freeze(Precision precision)
{
    stem.freeze(precision);
    for (Step &step : halvings)
        step.freeze(precision);
    for (Step &step : pyramid)
        step.freeze(precision);
    for (Stage &stage : stages)
        stage.freeze(precision);
}

/* The feature pyramid with its way back (Liu et al. 2018). */
struct Neck {
    Step lateral, reduce, down2, down1;
    Stage up4, up3, down3, down4;

    Neck(const Style &style, const Darknet &darknet)
        : lateral(style, "backbone.lateral_conv0", darknet.stages[3].out()),
          reduce(style, "backbone.reduce_conv1", width(style, "C3_p4")),
          down2(style, "backbone.bu_conv2", width(style, "C3_p3"), 2),
          down1(style, "backbone.bu_conv1", width(style, "C3_n3"), 2),
          up4(style, "backbone.C3_p4", lateral.out() + darknet.stages[2].out(), false),
          up3(style, "backbone.C3_p3", reduce.out() + darknet.stages[1].out(), false),
          down3(style, "backbone.C3_n3", down2.out() + reduce.out(), false),
          down4(style, "backbone.C3_n4", down1.out() + lateral.out(), false)
    {
    }

    /* Channels that a stage will give: it is taken after what stands behind it. */
    static int64_t width(const Style &style, const std::string &stage)
    {
        std::vector<int64_t> shape = style.weights.shape("backbone." + stage +
                                                         ".conv3.conv.weight");
        return shape.empty() ? 0 : shape[0];
    }
    std::array<at::Tensor, 3> operator()(const std::array<at::Tensor, 3> &x) const
    {
        auto doubled = [](const at::Tensor &y) {
            return at::upsample_nearest2d(y, {2 * y.size(2), 2 * y.size(3)});
        };
        at::Tensor coarse = lateral(x[2]);
        at::Tensor middle = reduce(up4(at::cat({doubled(coarse), x[1]}, 1)));
        at::Tensor out8 = up3(at::cat({doubled(middle), x[0]}, 1));
        at::Tensor out16 = down3(at::cat({down2(out8), middle}, 1));
        return {out8, out16, down4(at::cat({down1(out16), coarse}, 1))};
    }
    void freeze(Precision precision)
    {
        for (Step *step : {&lateral, &reduce, &down2, &down1})
            step->freeze(precision);
        for (Stage *stage : {&up4, &up3, &down3, &down4})
            stage->freeze(precision);
    }
};

/* One stride's branch of the decoupled head. */
struct Branch {
    Step stem;
    std::vector<Step> class_steps, box_steps;
    Conv classes, box, object;

    Branch(const Style &style, const std::string &number, int64_t in)
        : stem(style, "head.stems." + number, in)
    {
        int64_t class_width = stem.out(), box_width = stem.out();
        for (int i = 0; i < 2; i++) {
            std::string step = "." + number + "." + std::to_string(i);
            class_steps.emplace_back(style, "head.cls_convs" + step, class_width);
            box_steps.emplace_back(style, "head.reg_convs" + step, box_width);
            class_width = class_steps.back().out();
            box_width = box_steps.back().out();
        }
        ConvPlan plan;
        plan.in = class_width;
        classes = Conv(style.weights, "head.cls_preds." + number, "", plan);
        plan.in = box_width;
        box = Conv(style.weights, "head.reg_preds." + number, "", plan);
        object = Conv(style.weights, "head.obj_preds." + number, "", plan);
        if (box.out() != 4 || object.out() != 1)
            throw Failure(IMGRET_BAD_MODEL, style.weights.path() + ": tensor 'head.reg_preds." +
                                                number + ".weight' gives " +
                                                std::to_string(box.out()) +
                                                " values, the 4 of a box are wanted");
    }
    /* N x places x (5 + classes), float32. */
    at::Tensor operator()(const at::Tensor &x) const
    {
        at::Tensor start = stem(x), y = start, z = start;
        for (const Step &step : class_steps)
            y = step(y);
        for (const Step &step : box_steps)
            z = step(z);
        auto certain = [](const at::Tensor &score) { return at::sigmoid(score.to(at::kFloat)); };
        at::Tensor all = at::cat({box(z).to(at::kFloat), certain(object(z)), certain(classes(y))},
                                 1);
        return all.flatten(2).transpose(1, 2);
    }
    void freeze(Precision precision)
    {
        stem.freeze(precision);
        for (Step &step : class_steps)
            step.freeze(precision);
        for (Step &step : box_steps)
            step.freeze(precision);
        for (Conv *conv : {&classes, &box, &object})
            conv->freeze(precision);
    }
};

class Yolox : public Model {
public:
    Yolox(const Style &style, Options &options, const Naming &naming);
    Features features(const at::Tensor &) const override
    {
        throw Failure(IMGRET_INTERNAL, architecture + ": a detector has no vectors");
    }
    at::Tensor detect(const at::Tensor &pixels) const override;
    void freeze(Precision precision) override;

private:
    void name_it();

    Darknet darknet_;
    Neck neck_;
    std::vector<Branch> branches_;
};

void Yolox::name_it()
{
    static const struct {
        const char *name;
        int64_t width;
        size_t depth;
        bool separable;
    } sizes[] = {
        {"nano", 16, 1, true}, {"tiny", 24, 1, false}, {"s", 32, 1, false},
        {"m", 48, 2, false},   {"l", 64, 3, false},    {"x", 80, 4, false},
    };
    int64_t width = darknet_.stem.out();
    size_t depth = darknet_.stages[0].blocks.size();
    bool separable = darknet_.halvings[0].convs.size() == 2;
    std::string size = "w" + std::to_string(width) + "d" + std::to_string(depth);
    for (const auto &known : sizes)
        if (known.width == width && known.depth == depth && known.separable == separable)
            size = known.name;
    architecture = "yolox_" + size;
}

Yolox::Yolox(const Style &style, Options &options, const Naming &naming)
    : darknet_(style), neck_(style, darknet_)
{
    Weights &weights = style.weights;
    const Stage *levels[] = {&neck_.up3, &neck_.down3, &neck_.down4};
    for (size_t i = 0; i < 3; i++) {
        branches_.emplace_back(style, std::to_string(i), levels[i]->out());
        strides.push_back(8 << i);
    }
    box_class_count = branches_[0].classes.out();
    for (const Branch &branch : branches_)
        if (branch.classes.out() != box_class_count)
            throw Failure(IMGRET_BAD_MODEL,
                          weights.path() + ": the strides have different counts of classes");
    name_it();
    Preset own = naming.preset;
    if (architecture == "yolox_nano" || architecture == "yolox_tiny")
        own.input_px = 416;
    preset = choose_preset(own, weights, options);
    if (preset.input_px % COARSEST_STRIDE != 0)
        throw Failure(IMGRET_INVALID_ARGUMENT,
                      weights.path() + ": an input of " + std::to_string(preset.input_px) +
                          " px is no multiple of " + std::to_string(COARSEST_STRIDE) + " px");
    box_coding = IMGRET_BOXES_GRID;
    for (int64_t stride : strides)
        anchor_count += (preset.input_px / stride) * (preset.input_px / stride);
    channels_last = true;
    traits = "epsilon=" + shortest(style.epsilon);
}

at::Tensor Yolox::detect(const at::Tensor &pixels) const
{
    std::array<at::Tensor, 3> levels = neck_(darknet_(pixels));
    std::vector<at::Tensor> detections;
    for (size_t i = 0; i < levels.size(); i++)
        detections.push_back(branches_[i](levels[i]));
    return at::cat(detections, 1);
}

void Yolox::freeze(Precision precision)
{
    darknet_.freeze(precision);
    neck_.freeze(precision);
    for (Branch &branch : branches_)
        branch.freeze(precision);
}

bool recognises(Weights &weights)
{
    return find_yolox_naming(weights) != nullptr;
}

std::unique_ptr<Model> build(Weights &weights, Options &options)
{
    const Naming *naming = find_yolox_naming(weights);
    Style style = {weights, options.number("epsilon", naming->epsilon, 1e-12, 1e-2)};
    return std::make_unique<Yolox>(style, options, *naming);
}

} // namespace

const Architecture yolox_architecture = {"yolox", recognises, build};

} // namespace ir_torch
