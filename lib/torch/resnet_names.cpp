// resnet_names.cpp: the names that torchvision, timm and Hugging Face give to a ResNet's tensors.
#include "torch/resnet_names.h"

namespace ir_torch {

static const std::vector<Naming> &namings()
{
    static const Preset preset = preset_of(imagenet_mean, imagenet_std, 224, 0.875, false, false);
    static const std::vector<Naming> all = {
        {"torchvision", // and timm, and the CIFAR networks
         {"", "module."},
         {
             {"conv1.*", "stem.conv.*"},
             {"bn1.*", "stem.bn.*"},
             {"layer1.#.shortcut.*", "stages.0.#.downsample.*"},
             {"layer2.#.shortcut.*", "stages.1.#.downsample.*"},
             {"layer3.#.shortcut.*", "stages.2.#.downsample.*"},
             {"layer4.#.shortcut.*", "stages.3.#.downsample.*"},
             {"layer1.*", "stages.0.*"},
             {"layer2.*", "stages.1.*"},
             {"layer3.*", "stages.2.*"},
             {"layer4.*", "stages.3.*"},
             {"fc.*", "head.*"},
             {"linear.*", "head.*"},
         },
         1e-5,
         preset},
        {"huggingface",
         {"resnet.", ""},
         {
             {"embedder.embedder.convolution.*", "stem.conv.*"},
             {"embedder.embedder.normalization.*", "stem.bn.*"},
             {"encoder.stages.#.layers.#.layer.0.convolution.*", "stages.#.#.conv1.*"},
             {"encoder.stages.#.layers.#.layer.0.normalization.*", "stages.#.#.bn1.*"},
             {"encoder.stages.#.layers.#.layer.1.convolution.*", "stages.#.#.conv2.*"},
             {"encoder.stages.#.layers.#.layer.1.normalization.*", "stages.#.#.bn2.*"},
             {"encoder.stages.#.layers.#.layer.2.convolution.*", "stages.#.#.conv3.*"},
             {"encoder.stages.#.layers.#.layer.2.normalization.*", "stages.#.#.bn3.*"},
             {"encoder.stages.#.layers.#.shortcut.convolution.*", "stages.#.#.downsample.0.*"},
             {"encoder.stages.#.layers.#.shortcut.normalization.*", "stages.#.#.downsample.1.*"},
         },
         1e-5,
         preset},
    };
    return all;
}

const Naming *find_resnet_naming(Weights &weights)
{
    return find_naming(weights, namings(),
                       {"stem.conv.weight", "stem.bn.weight", "stages.0.0.conv1.weight",
                        "stages.0.0.conv2.weight"},
                       {{"classifier.1.*", "head.*"}});
}

} // namespace ir_torch
