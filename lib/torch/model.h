/* model.h: what every architecture gives, and the table in which it is found. */
#ifndef IR_TORCH_MODEL_H
#define IR_TORCH_MODEL_H

#include "torch/layers.h"
#include "torch/options.h"
#include "torch/pool.h"
#include "torch/preset.h"
#include "torch/weights.h"

#include <imgret/backend.h>
#include <memory>
#include <string>

namespace ir_torch {

/* A network without its classification: from pixels to features, and from a pooled feature on.
 * forward functions may run on several threads at once. */
class Model {
public:
    virtual ~Model() = default;

    /* `pixels` N x 3 x H x W, normalised, float32, contiguous or channels last. */
    virtual Features features(const at::Tensor &pixels) const = 0;

    /* What follows pooling and still belongs to the embedding (a norm, a projection). */
    virtual at::Tensor after_pool(const at::Tensor &pooled) const { return pooled; }

    /* N x class_count from the features and an embedding of the model's own pooling; only when
     * class_count > 0. */
    virtual at::Tensor classify(const Features &features, const at::Tensor &embedding) const;

    /* Detectors: N x anchor_count x (5 + box_class_count) in float32, as backend.h's detect has it. */
    virtual at::Tensor detect(const at::Tensor &pixels) const;

    /* Values and bytes of each tensor, for a model that came without named weights. */
    virtual std::vector<std::pair<uint64_t, uint64_t>> tensor_sizes() const { return {}; }

    /* Exchanges the trainable tensors for what computes fastest; once, before the first features. */
    virtual void freeze(Precision precision) = 0;

    std::string family_name, naming_name; /* "vit", "timm" */
    std::string architecture;             /* "vit_tiny_patch16_224" */
    std::string traits; /* further "key=value" that decide the vectors, ';' between, or "" */
    Preset preset;
    Pool pool = Pool::avg;      /* its own: what the head was trained on */
    bool gives_vectors = false; /* nothing is left to pool */
    int64_t dimension = 0;      /* of an embedding pooled so; a detector has none */
    int64_t class_count = 0;
    int64_t anchor_count = 0; /* detectors; 0: no detector */
    int64_t box_class_count = 0;
    uint32_t box_coding = 0;      /* IMGRET_BOXES_* */
    std::vector<int64_t> strides; /* in pixels, of BOXES_GRID */
    int64_t batch_max = 0;        /* pictures that it takes at once; 0: any number */
    double flops = 0;             /* of one picture, roughly: decides whether threads share it */
    bool channels_last = false;   /* wants its pixels so */
    /* Set by the caller where nobody will ask for the tokens of patches: features may leave them out. */
    bool class_tokens_only = false;
};

/* One line of the table of architectures. */
struct Architecture {
    const char *family; /* "vit" */
    /* True when the names under `weights` are this family's; may set its renaming table, which is
     * undone when it answers false. */
    bool (*recognises)(Weights &weights);
    /* Takes its tensors and its options; throws Failure naming what does not fit. */
    std::unique_ptr<Model> (*build)(Weights &weights, Options &options);
};

/* Finds the architecture (or takes the one named by the option "family") and builds it. What stays
 * over is in weights.report(). Throws Failure. */
std::unique_ptr<Model> build_model(Weights &weights, Options &options);

extern const Architecture vit_architecture, resnet_architecture, mobile_architecture,
    vgg_architecture, yolox_architecture, clip_resnet_architecture;

} // namespace ir_torch

#endif
