// model.cpp: finding the architecture that fits a weights file.
#include "torch/model.h"

#include "torch/failure.h"

namespace ir_torch {

static const Architecture *const architectures[] = {
    &vit_architecture, &resnet_architecture, &mobile_architecture,
    &vgg_architecture, &yolox_architecture,  &clip_resnet_architecture,
};

at::Tensor Model::classify(const Features &, const at::Tensor &) const
{
    throw Failure(IMGRET_INTERNAL, architecture + ": has no head");
}

at::Tensor Model::detect(const at::Tensor &) const
{
    throw Failure(IMGRET_UNSUPPORTED, architecture + ": is no detector");
}

static const Architecture *find(Weights &weights, Options &options)
{
    std::vector<std::string> families = {"auto"};
    for (const Architecture *one : architectures)
        families.push_back(one->family);
    std::string wanted = options.choice("family", "auto", families);
    for (const Architecture *one : architectures) {
        if (wanted != "auto" && wanted != one->family)
            continue;
        if (one->recognises(weights))
            return one;
        weights.rename({});
        weights.report().naming.clear();
    }
    std::string known;
    for (size_t i = 1; i < families.size(); i++)
        known += (i > 1 ? ", " : "") + families[i];
    if (wanted != "auto")
        throw Failure(IMGRET_BAD_MODEL,
                      weights.path() + ": its tensors are not those of family " + wanted);
    throw Failure(IMGRET_BAD_MODEL, weights.path() +
                                        ": unknown architecture: its tensors' names fit none of " +
                                        known);
}

std::unique_ptr<Model> build_model(Weights &weights, Options &options)
{
    const Architecture *architecture = find(weights, options);
    weights.report().family = architecture->family;
    std::unique_ptr<Model> model = architecture->build(weights, options);
    model->family_name = architecture->family;
    model->naming_name = weights.report().naming;
    weights.report_left_over();
    return model;
}

} // namespace ir_torch
