// vit.cpp: the vision transformer (Dosovitskiy et al. 2020) and its kin.
#include "torch/failure.h"
#include "torch/model.h"
#include "torch/vit_names.h"

#include <cmath>

namespace ir_torch {

namespace {

constexpr int64_t HEAD_WIDTH = 64; // of every published ViT except a few: option heads=N

struct Shape {
    int64_t width = 0, depth = 0, heads = 0, patch_px = 0;
    bool quick_gelu = false; // x sigmoid(1.702 x), OpenAI's CLIP
};

struct Block {
    LayerNorm norm1, norm2;
    Linear qkv, proj, fc1, fc2;
    bool gated = false; // SwiGLU (Shazeer 2020, DINOv2's giant): half of fc1 gates the other half
    at::Tensor scale1, scale2; // layer scale (CaiT, DINOv2), when the file has it; not once frozen
    int64_t heads;
    Act act;
    std::shared_ptr<PackedAttention> packed; // then qkv scales the queries itself

    Block(Weights &weights, const std::string &name, const Shape &shape, double epsilon);
    at::Tensor attention(const at::Tensor &x, int64_t kept) const;
    at::Tensor forward(at::Tensor x, int64_t kept) const;
    void freeze(Precision precision);
};

Block::Block(Weights &weights, const std::string &name, const Shape &shape, double epsilon)
    : heads(shape.heads), act(shape.quick_gelu ? Act::quick_gelu : Act::gelu)
{
    int64_t width = shape.width;
    norm1 = LayerNorm(weights, name + "norm1", width, epsilon);
    qkv = Linear(weights, name + "attn.qkv", width, 3 * width);
    proj = Linear(weights, name + "attn.proj", width, width);
    norm2 = LayerNorm(weights, name + "norm2", width, epsilon);
    std::vector<int64_t> hidden = weights.shape(name + "mlp.fc1.weight");
    int64_t hidden_width = hidden.empty() ? 0 : hidden[0];
    fc1 = Linear(weights, name + "mlp.fc1", width, hidden_width);
    std::vector<int64_t> last = weights.shape(name + "mlp.fc2.weight");
    gated = last.size() == 2 && hidden_width > 0 && 2 * last[1] == hidden_width;
    fc2 = Linear(weights, name + "mlp.fc2", gated ? hidden_width / 2 : hidden_width, width);
    if (weights.has(name + "ls1.gamma"))
        scale1 = weights.take(name + "ls1.gamma", {width});
    if (weights.has(name + "ls2.gamma"))
        scale2 = weights.take(name + "ls2.gamma", {width});
}

// One head of one picture at a time: its T x T scores stay in the cache, and memory does not grow
// with the batch. What the heads found for the first `kept` tokens, side by side.
at::Tensor Block::attention(const at::Tensor &x, int64_t kept) const
{
    if (packed)
        return packed->run(qkv(x), kept);
    int64_t count = x.size(0), tokens = x.size(1), width = x.size(2), head = width / heads;
    at::Tensor parts = qkv(x).view({count, tokens, 3, heads, head}).permute({2, 0, 3, 1, 4});
    parts = parts.reshape({3, count * heads, tokens, head});
    at::Tensor query = parts[0].slice(1, 0, kept) * (1.0 / std::sqrt(static_cast<double>(head)));
    at::Tensor key = parts[1].transpose(1, 2), value = parts[2];
    std::vector<at::Tensor> mixed(static_cast<size_t>(count * heads));
    in_parallel(count * heads, [&](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; i++)
            mixed[static_cast<size_t>(i)] = at::mm(at::mm(query[i], key[i]).softmax(-1), value[i]);
    });
    at::Tensor joined = at::stack(mixed).view({count, heads, kept, head}).transpose(1, 2);
    return joined.reshape({count, kept, width});
}

// What becomes of the first `kept` tokens; they look at all.
at::Tensor Block::forward(at::Tensor x, int64_t kept) const
{
    at::Tensor mixed = attention(norm1(x), kept);
    if (kept < x.size(1))
        x = x.slice(1, 0, kept).contiguous();
    x = scale1.defined() ? x + proj(mixed) * scale1 : proj.onto(x, mixed);
    at::Tensor hidden = fc1(norm2(x), gated ? Act::none : act);
    if (gated) {
        std::vector<at::Tensor> halves = hidden.chunk(2, -1);
        hidden = at::silu(halves[0]) * halves[1];
    }
    return scale2.defined() ? x + fc2(hidden) * scale2 : fc2.onto(x, hidden);
}

// Multiplies the layer's outputs by `scale`, out values or one.
void scale_outputs(Linear *linear, const at::Tensor &scale)
{
    linear->weight = linear->weight * scale.view({-1, 1});
    if (linear->bias.defined())
        linear->bias = linear->bias * scale;
}

void Block::freeze(Precision precision)
{
    int64_t width = proj.weight.size(0);
    if (scale1.defined())
        scale_outputs(&proj, scale1);
    if (scale2.defined())
        scale_outputs(&fc2, scale2);
    scale1 = scale2 = at::Tensor();
    if (qkv.packs && can_pack(precision)) {
        at::Tensor scale = at::ones({3 * width}, qkv.weight.options());
        scale.slice(0, 0, width).div_(std::sqrt(static_cast<double>(width / heads)));
        scale_outputs(&qkv, scale);
        packed = std::make_shared<PackedAttention>(heads);
    }
    for (Linear *linear : {&qkv, &proj, &fc1, &fc2})
        linear->freeze(precision);
}

class Vit : public Model {
public:
    Vit(Weights &weights, Options &options);
    Features features(const at::Tensor &pixels) const override;
    at::Tensor after_pool(const at::Tensor &pooled) const override;
    at::Tensor classify(const Features &features, const at::Tensor &embedding) const override;
    void freeze(Precision precision) override;

private:
    at::Tensor patches(const at::Tensor &pixels) const;
    void read_shape(Weights &weights, Options &options);
    void take_prefix(Weights &weights);
    void take_positions(Weights &weights);
    void take_heads(Weights &weights);
    void name_it();

    Shape shape_;
    at::Tensor patch_weight_, patch_bias_;
    std::shared_ptr<PackedConv> packed_patches_;
    at::Tensor prefix_;    // 1 x P x C: class, distillation and register tokens, positions added
    at::Tensor positions_; // 1 x T x C of the patches
    LayerNorm norm_pre_, norm_, fc_norm_;
    std::vector<Block> blocks_;
    Linear head_, head_dist_, projection_;
    int64_t trained_px_ = 0;
    double epsilon_ = 0;
    bool packs_ = false;
};

void Vit::read_shape(Weights &weights, Options &options)
{
    std::vector<int64_t> patch = weights.shape("patch_embed.proj.weight");
    if (patch.size() != 4 || patch[0] < 1 || patch[1] != 3 || patch[2] < 1 || patch[2] != patch[3])
        throw Failure(IMGRET_BAD_MODEL, weights.path() + ": tensor 'patch_embed.proj.weight' has " +
                                            "shape " + shape_text(patch) +
                                            ", [width, 3, patch, patch] is wanted");
    shape_.width = patch[0];
    shape_.patch_px = patch[2];
    shape_.depth = weights.count("blocks.");
    int64_t heads = std::max<int64_t>(1, shape_.width / HEAD_WIDTH);
    for (int64_t wide : {1280, 1408, 1664}) // huge, giant (CLIP), bigG
        if (shape_.width == wide)
            heads = 16;
    shape_.heads = options.whole("heads", heads, 1, shape_.width);
    if (shape_.width % shape_.heads != 0)
        throw Failure(IMGRET_INVALID_ARGUMENT,
                      weights.path() + ": a width of " + std::to_string(shape_.width) +
                          " cannot be divided among " + std::to_string(shape_.heads) +
                          " heads: option heads");
}

void Vit::take_prefix(Weights &weights)
{
    std::vector<at::Tensor> tokens;
    for (const char *name : {"cls_token", "dist_token", "reg_token"}) {
        if (!weights.has(name))
            continue;
        std::vector<int64_t> shape = weights.shape(name);
        int64_t count = shape.size() == 3 && name[0] == 'r' ? shape[1] : 1;
        std::vector<int64_t> wanted = {1, count, shape_.width};
        if (shape.size() == 1) // CLIP
            wanted = {shape_.width};
        tokens.push_back(weights.take(name, wanted).view({1, count, shape_.width}));
    }
    prefix_ = tokens.empty() ? at::zeros({1, 0, shape_.width}, patch_weight_.options())
                             : at::cat(tokens, 1);
}

// Positions for another input size, as timm does it: bicubic, antialiased, in float32.
at::Tensor resample(const at::Tensor &positions, int64_t from, int64_t to)
{
    if (from == to)
        return positions;
    int64_t width = positions.size(2);
    at::Tensor grid = positions.view({1, from, from, width}).permute({0, 3, 1, 2}).contiguous();
    grid = at::_upsample_bicubic2d_aa(grid, {to, to}, false);
    return grid.permute({0, 2, 3, 1}).reshape({1, to * to, width}).contiguous();
}

void Vit::take_positions(Weights &weights)
{
    std::vector<int64_t> shape = weights.shape("pos_embed");
    int64_t rows = std::max<int64_t>(1, shape.size() >= 2 ? shape[shape.size() - 2] : 0);
    std::vector<int64_t> wanted = {1, rows, shape_.width};
    if (shape.size() == 2) // CLIP
        wanted = {rows, shape_.width};
    at::Tensor all = weights.take("pos_embed", wanted).view({1, rows, shape_.width});
    int64_t prefix_count = prefix_.size(1);
    auto is_square = [](int64_t n) {
        int64_t side = std::llround(std::sqrt(static_cast<double>(n)));
        return n > 0 && side * side == n ? side : 0;
    };
    // Register tokens have no positions (DINOv2); some models give none to the class token either.
    bool has_registers = weights.has("reg_token");
    int64_t named = has_registers ? prefix_count - weights.shape("reg_token")[1] : prefix_count;
    int64_t with = named, side = 0;
    for (int64_t given : {prefix_count, named, int64_t(0)}) {
        side = is_square(rows - given);
        with = given;
        if (side > 0)
            break;
    }
    if (side == 0)
        throw Failure(IMGRET_BAD_MODEL, weights.path() + ": tensor 'pos_embed' has " +
                                            std::to_string(rows) +
                                            " rows, which is no square of patches");
    if (with > 0)
        prefix_ = at::cat(
            {prefix_.slice(1, 0, with) + all.slice(1, 0, with), prefix_.slice(1, with)}, 1);
    positions_ = all.slice(1, with);
    trained_px_ = side * shape_.patch_px;
}

void Vit::name_it()
{
    static const struct {
        const char *name;
        int64_t width, depth;
    } sizes[] = {
        {"tiny", 192, 12},  {"small", 384, 12},  {"base", 768, 12},   {"large", 1024, 24},
        {"huge", 1280, 32}, {"giant", 1408, 40}, {"giant", 1536, 40}, // DINOv2's
    };
    std::string size = "w" + std::to_string(shape_.width) + "d" + std::to_string(shape_.depth);
    for (const auto &known : sizes)
        if (known.width == shape_.width && known.depth == shape_.depth)
            size = known.name;
    architecture = "vit_" + size + "_patch" + std::to_string(shape_.patch_px) + "_" +
                   std::to_string(preset.input_px);
    traits = "heads=" + std::to_string(shape_.heads) + ";epsilon=" + shortest(epsilon_) +
             (shape_.quick_gelu ? ";activation=quick_gelu" : "");
}

// The norms' epsilon is in the code only: timm's CLIP has PyTorch's own, Hugging Face's DINOv2 timm's.
double default_epsilon(const Weights &weights, const Naming &naming)
{
    if (weights.has("norm_pre.weight"))
        return 1e-5;
    return weights.has("blocks.0.ls1.gamma") ? 1e-6 : naming.epsilon;
}

void Vit::take_heads(Weights &weights)
{
    if (weights.has("proj_in_out")) {
        std::vector<int64_t> shape = weights.shape("proj_in_out");
        dimension = shape.size() == 2 ? shape[1] : 0;
        projection_.weight =
            weights.take("proj_in_out", {shape_.width, dimension}).t().contiguous();
    } else if (weights.has("visual_projection.weight")) {
        projection_ = Linear(weights, "visual_projection", shape_.width);
        dimension = projection_.weight.size(0);
    }
    if (!weights.has("head.weight"))
        return;
    head_ = Linear(weights, "head", dimension);
    class_count = head_.weight.size(0);
    if (weights.has("head_dist.weight"))
        head_dist_ = Linear(weights, "head_dist", shape_.width, class_count);
}

Vit::Vit(Weights &weights, Options &options)
{
    const Naming *naming = find_vit_naming(weights);
    read_shape(weights, options);
    int64_t width = shape_.width, patch = shape_.patch_px;
    patch_weight_ = weights.take("patch_embed.proj.weight", {width, 3, patch, patch});
    if (weights.has("patch_embed.proj.bias"))
        patch_bias_ = weights.take("patch_embed.proj.bias", {width});
    take_prefix(weights);
    take_positions(weights);

    Preset family = naming->preset;
    bool has_scale = weights.has("blocks.0.ls1.gamma"); // DINOv2
    if (has_scale || weights.has("dist_token")) {
        family.mean = imagenet_mean;
        family.std = imagenet_std;
        family.crop_pct = has_scale ? 1 : family.crop_pct;
    }
    family.input_px = trained_px_;
    preset = choose_preset(family, weights, options);
    if (preset.input_px % patch != 0)
        throw Failure(IMGRET_INVALID_ARGUMENT,
                      weights.path() + ": an input of " + std::to_string(preset.input_px) +
                          " px is no multiple of the patch, " + std::to_string(patch) + " px");
    positions_ = resample(positions_, trained_px_ / patch, preset.input_px / patch);

    epsilon_ = options.number("epsilon", default_epsilon(weights, *naming), 1e-12, 1e-2);
    bool is_openai = weights.has("openai") || std::string(naming->origin) == "huggingface_clip";
    shape_.quick_gelu = options.choice("activation", is_openai ? "quick_gelu" : "gelu",
                                       {"gelu", "quick_gelu"}) == "quick_gelu";
    weights.forget("openai");
    if (weights.has("norm_pre.weight"))
        norm_pre_ = LayerNorm(weights, "norm_pre", width, epsilon_);
    if (shape_.depth < 1)
        throw Failure(IMGRET_BAD_MODEL, weights.path() + ": tensor 'blocks.0.*' is missing");
    for (int64_t i = 0; i < shape_.depth; i++)
        blocks_.emplace_back(weights, "blocks." + std::to_string(i) + ".", shape_, epsilon_);
    bool after = weights.has("fc_norm.weight"); // pooled first, then normalised
    (after ? fc_norm_ : norm_) = LayerNorm(weights, after ? "fc_norm" : "norm", width, epsilon_);
    pool = after || prefix_.size(1) == 0 ? Pool::avg : Pool::cls;
    dimension = width;
    take_heads(weights);
    channels_last = packs_ = weights.packs();
    int64_t hidden = blocks_[0].fc1.weight.size(0);
    double block_weights = static_cast<double>(width * (4 * width + 2 * hidden));
    flops = 2 * block_weights * static_cast<double>(shape_.depth * (positions_.size(1) + 1));
    name_it();
}

at::Tensor Vit::patches(const at::Tensor &pixels) const
{
    if (packed_patches_)
        return packed_patches_->run(pixels, Act::none);
    return at::conv2d(pixels.to(patch_weight_.scalar_type()), patch_weight_, patch_bias_,
                      shape_.patch_px);
}

Features Vit::features(const at::Tensor &pixels) const
{
    at::Tensor x = patches(pixels);
    x = x.flatten(2).transpose(1, 2) + positions_;
    x = at::cat({prefix_.expand({x.size(0), -1, -1}), x}, 1);
    if (norm_pre_)
        x = norm_pre_(x);
    bool ends_early = class_tokens_only && prefix_.size(1) > 0;
    for (const Block &block : blocks_)
        x = block.forward(x, ends_early && &block == &blocks_.back() ? prefix_.size(1) : x.size(1));
    if (norm_)
        x = norm_(x);
    return {x, prefix_.size(1), {}};
}

at::Tensor Vit::after_pool(const at::Tensor &pooled) const
{
    at::Tensor x = fc_norm_ ? fc_norm_(pooled) : pooled;
    return projection_ ? projection_(x) : x;
}

at::Tensor Vit::classify(const Features &features, const at::Tensor &embedding) const
{
    at::Tensor logits = head_(embedding);
    if (!head_dist_) // DeiT's second head looks at the distillation token
        return logits;
    return (logits + head_dist_(features.data.select(1, 1).to(at::kFloat))) / 2;
}

void Vit::freeze(Precision precision)
{
    for (Block &block : blocks_)
        block.freeze(precision);
    if (packs_ && can_pack(precision)) {
        at::Tensor bias = patch_bias_.defined() ? patch_bias_ : at::zeros({shape_.width});
        PackedGeometry geometry = {shape_.patch_px, 1, 0, false};
        packed_patches_ = std::make_shared<PackedConv>(patch_weight_, bias, geometry, precision);
        patch_weight_ = at::Tensor();
    } else if (precision == Precision::bf16) {
        patch_weight_ = patch_weight_.to(at::kBFloat16);
        if (patch_bias_.defined())
            patch_bias_ = patch_bias_.to(at::kBFloat16);
    }
}

bool recognises(Weights &weights)
{
    return find_vit_naming(weights) != nullptr;
}

std::unique_ptr<Model> build(Weights &weights, Options &options)
{
    return std::make_unique<Vit>(weights, options);
}

} // namespace

const Architecture vit_architecture = {"vit", recognises, build};

} // namespace ir_torch
