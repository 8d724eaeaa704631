// mobile_names.cpp: the names of MobileNets' and EfficientNets' tensors in other code bases: data.
#include "torch/mobile_names.h"

namespace ir_torch {

namespace {

struct MobileNaming {
    Naming naming;
    std::vector<std::string> wanted; // names that must be there after renaming
};

const std::vector<std::string> no_prefix = {"", "module."};

Preset imagenet(bool bicubic)
{
    return preset_of(imagenet_mean, imagenet_std, 224, 0.875, false, bicubic);
}

Preset half()
{
    return preset_of({0.5, 0.5, 0.5}, {0.5, 0.5, 0.5}, 224, 0.875, false, false);
}

MobileNaming folded()
{
    return {{"folded", // batch norm folded, as converters from TensorFlow Lite write them
             {""},
             {
                 {"conv_0.*", "stem.conv.*"},
                 {"conv_#.depthwise.*", "blocks.0.#.dw.conv.*"},
                 {"conv_#.pointwise.*", "blocks.0.#.project.conv.*"},
                 {"features.0.conv.*", "stem.conv.*"},
                 {"features.18.conv.*", "head.conv.*"},
                 {"features.#.expand.*", "blocks.0.#.expand.conv.*"},
                 {"features.#.depthwise.*", "blocks.0.#.dw.conv.*"},
                 {"features.#.project.*", "blocks.0.#.project.conv.*"},
             },
             1e-3,
             half()},
            {"stem.conv.bias", "blocks.0.1.dw.conv.bias", "classifier.weight"}};
}

MobileNaming torchvision_v2()
{
    return {{"torchvision",
             no_prefix,
             {
                 {"features.0.0.*", "stem.conv.*"},
                 {"features.0.1.*", "stem.bn.*"},
                 {"features.1.conv.0.0.*", "blocks.0.1.dw.conv.*"},
                 {"features.1.conv.0.1.*", "blocks.0.1.dw.bn.*"},
                 {"features.1.conv.1.*", "blocks.0.1.project.conv.*"},
                 {"features.1.conv.2.*", "blocks.0.1.project.bn.*"},
                 {"features.#.conv.0.0.*", "blocks.0.#.expand.conv.*"},
                 {"features.#.conv.0.1.*", "blocks.0.#.expand.bn.*"},
                 {"features.#.conv.1.0.*", "blocks.0.#.dw.conv.*"},
                 {"features.#.conv.1.1.*", "blocks.0.#.dw.bn.*"},
                 {"features.#.conv.2.*", "blocks.0.#.project.conv.*"},
                 {"features.#.conv.3.*", "blocks.0.#.project.bn.*"},
                 {"features.18.0.*", "head.conv.*"},
                 {"features.18.1.*", "head.bn.*"},
                 {"classifier.1.*", "classifier.*"},
             },
             1e-5,
             imagenet(false)},
            {"stem.conv.weight", "head.conv.weight", "blocks.0.2.dw.conv.weight"}};
}

MobileNaming torchvision_v3()
{
    return {{"torchvision",
             no_prefix,
             {
                 {"features.0.0.*", "stem.conv.*"},
                 {"features.0.1.*", "stem.bn.*"},
                 {"features.1.block.0.0.*", "blocks.0.1.dw.conv.*"},
                 {"features.1.block.0.1.*", "blocks.0.1.dw.bn.*"},
                 {"features.1.block.1.fc1.*", "blocks.0.1.se.reduce.*"},
                 {"features.1.block.1.fc2.*", "blocks.0.1.se.expand.*"},
                 {"features.1.block.1.0.*", "blocks.0.1.project.conv.*"},
                 {"features.1.block.1.1.*", "blocks.0.1.project.bn.*"},
                 {"features.#.block.0.0.*", "blocks.0.#.expand.conv.*"},
                 {"features.#.block.0.1.*", "blocks.0.#.expand.bn.*"},
                 {"features.#.block.1.0.*", "blocks.0.#.dw.conv.*"},
                 {"features.#.block.1.1.*", "blocks.0.#.dw.bn.*"},
                 {"features.#.block.2.fc1.*", "blocks.0.#.se.reduce.*"},
                 {"features.#.block.2.fc2.*", "blocks.0.#.se.expand.*"},
                 {"features.#.block.2.0.*", "blocks.0.#.project.conv.*"},
                 {"features.#.block.2.1.*", "blocks.0.#.project.bn.*"},
                 {"features.#.block.3.0.*", "blocks.0.#.project.conv.*"},
                 {"features.#.block.3.1.*", "blocks.0.#.project.bn.*"},
                 {"features.16.0.*", "head.conv.*"}, // large
                 {"features.16.1.*", "head.bn.*"},
                 {"features.12.0.*", "head.conv.*"}, // small
                 {"features.12.1.*", "head.bn.*"},
                 {"classifier.0.*", "hidden.*"},
                 {"classifier.3.*", "classifier.*"},
             },
             1e-3,
             imagenet(false)},
            {"stem.conv.weight", "head.conv.weight", "blocks.0.2.dw.conv.weight"}};
}

MobileNaming torchvision_efficientnet()
{
    return {{"torchvision",
             no_prefix,
             {
                 {"features.0.0.*", "stem.conv.*"},
                 {"features.0.1.*", "stem.bn.*"},
                 {"features.1.#.block.0.0.*", "blocks.1.#.dw.conv.*"},
                 {"features.1.#.block.0.1.*", "blocks.1.#.dw.bn.*"},
                 {"features.1.#.block.1.fc1.*", "blocks.1.#.se.reduce.*"},
                 {"features.1.#.block.1.fc2.*", "blocks.1.#.se.expand.*"},
                 {"features.1.#.block.2.0.*", "blocks.1.#.project.conv.*"},
                 {"features.1.#.block.2.1.*", "blocks.1.#.project.bn.*"},
                 {"features.#.#.block.0.0.*", "blocks.#.#.expand.conv.*"},
                 {"features.#.#.block.0.1.*", "blocks.#.#.expand.bn.*"},
                 {"features.#.#.block.1.0.*", "blocks.#.#.dw.conv.*"},
                 {"features.#.#.block.1.1.*", "blocks.#.#.dw.bn.*"},
                 {"features.#.#.block.2.fc1.*", "blocks.#.#.se.reduce.*"},
                 {"features.#.#.block.2.fc2.*", "blocks.#.#.se.expand.*"},
                 {"features.#.#.block.3.0.*", "blocks.#.#.project.conv.*"},
                 {"features.#.#.block.3.1.*", "blocks.#.#.project.bn.*"},
                 {"features.8.0.*", "head.conv.*"},
                 {"features.8.1.*", "head.bn.*"},
                 {"classifier.1.*", "classifier.*"},
             },
             1e-5, // B5 and up: 1e-3
             imagenet(true)},
            {"stem.conv.weight", "head.conv.weight", "blocks.1.0.dw.conv.weight"}};
}

// What timm's MobileNets and EfficientNets share; `head` stands before, as it wins.
std::vector<Rename> timm_table(const std::vector<Rename> &head)
{
    std::vector<Rename> table = head;
    const std::vector<Rename> shared = {
        {"conv_stem.*", "stem.conv.*"},
        {"bn1.*", "stem.bn.*"},
        {"blocks.0.#.conv_dw.*", "blocks.0.#.dw.conv.*"},
        {"blocks.0.#.bn1.*", "blocks.0.#.dw.bn.*"},
        {"blocks.0.#.conv_pw.*", "blocks.0.#.project.conv.*"},
        {"blocks.0.#.bn2.*", "blocks.0.#.project.bn.*"},
        {"blocks.#.#.conv_pw.*", "blocks.#.#.expand.conv.*"},
        {"blocks.#.#.bn1.*", "blocks.#.#.expand.bn.*"},
        {"blocks.#.#.conv_dw.*", "blocks.#.#.dw.conv.*"},
        {"blocks.#.#.bn2.*", "blocks.#.#.dw.bn.*"},
        {"blocks.#.#.conv_pwl.*", "blocks.#.#.project.conv.*"},
        {"blocks.#.#.bn3.*", "blocks.#.#.project.bn.*"},
        {"blocks.#.#.se.conv_reduce.*", "blocks.#.#.se.reduce.*"},
        {"blocks.#.#.se.conv_expand.*", "blocks.#.#.se.expand.*"},
    };
    table.insert(table.end(), shared.begin(), shared.end());
    return table;
}

MobileNaming timm_v3()
{
    return {{"timm", no_prefix,
             timm_table({
                 {"blocks.6.0.conv.weight", "head.conv.weight"}, // large
                 {"blocks.6.0.bn1.*", "head.bn.*"},
                 {"blocks.5.0.conv.weight", "head.conv.weight"}, // small: its bn1 is settled below
                 {"conv_head.*", "hidden.*"},
             }),
             1e-5, imagenet(true)},
            {"stem.conv.weight", "head.conv.weight", "head.bn.weight", "hidden.weight"}};
}

MobileNaming timm_v3_small()
{
    MobileNaming small = timm_v3();
    small.naming.table[1].from = "blocks.5.0.bn1.*";
    return small;
}

// A ReLU6 and all norms as TensorFlow has them, whose weights these are.
MobileNaming huggingface_v1()
{
    std::vector<Rename> table = {{"conv_stem.convolution.*", "stem.conv.*"},
                                 {"conv_stem.normalization.*", "stem.bn.*"}};
    for (int i = 0; i < 26; i++) { // depthwise and pointwise in turn
        std::string layer = "layer." + std::to_string(i) + ".";
        std::string block = "blocks.0." + std::to_string(i / 2) + (i % 2 ? ".project." : ".dw.");
        table.push_back({layer + "convolution.*", block + "conv.*"});
        table.push_back({layer + "normalization.*", block + "bn.*"});
    }
    return {{"huggingface", {"mobilenet_v1.", ""}, table, 1e-3, half()},
            {"stem.conv.weight", "blocks.0.12.project.conv.weight"}};
}

MobileNaming huggingface_v2()
{
    return {{"huggingface",
             {"mobilenet_v2.", ""},
             {
                 {"conv_stem.first_conv.convolution.*", "stem.conv.*"},
                 {"conv_stem.first_conv.normalization.*", "stem.bn.*"},
                 {"conv_stem.conv_3x3.convolution.*", "blocks.0.0.dw.conv.*"},
                 {"conv_stem.conv_3x3.normalization.*", "blocks.0.0.dw.bn.*"},
                 {"conv_stem.reduce_1x1.convolution.*", "blocks.0.0.project.conv.*"},
                 {"conv_stem.reduce_1x1.normalization.*", "blocks.0.0.project.bn.*"},
                 {"layer.#.expand_1x1.convolution.*", "blocks.1.#.expand.conv.*"},
                 {"layer.#.expand_1x1.normalization.*", "blocks.1.#.expand.bn.*"},
                 {"layer.#.conv_3x3.convolution.*", "blocks.1.#.dw.conv.*"},
                 {"layer.#.conv_3x3.normalization.*", "blocks.1.#.dw.bn.*"},
                 {"layer.#.reduce_1x1.convolution.*", "blocks.1.#.project.conv.*"},
                 {"layer.#.reduce_1x1.normalization.*", "blocks.1.#.project.bn.*"},
                 {"conv_1x1.convolution.*", "head.conv.*"},
                 {"conv_1x1.normalization.*", "head.bn.*"},
             },
             1e-3,
             half()},
            {"stem.conv.weight", "head.conv.weight", "blocks.1.0.expand.conv.weight"}};
}

MobileNaming huggingface_efficientnet()
{
    return {{"huggingface",
             {"efficientnet.", ""},
             {
                 {"embeddings.convolution.*", "stem.conv.*"},
                 {"embeddings.batchnorm.*", "stem.bn.*"},
                 {"encoder.blocks.#.expansion.expand_conv.*", "blocks.0.#.expand.conv.*"},
                 {"encoder.blocks.#.expansion.expand_bn.*", "blocks.0.#.expand.bn.*"},
                 {"encoder.blocks.#.depthwise_conv.depthwise_conv.*", "blocks.0.#.dw.conv.*"},
                 {"encoder.blocks.#.depthwise_conv.depthwise_norm.*", "blocks.0.#.dw.bn.*"},
                 {"encoder.blocks.#.squeeze_excite.reduce.*", "blocks.0.#.se.reduce.*"},
                 {"encoder.blocks.#.squeeze_excite.expand.*", "blocks.0.#.se.expand.*"},
                 {"encoder.blocks.#.projection.project_conv.*", "blocks.0.#.project.conv.*"},
                 {"encoder.blocks.#.projection.project_bn.*", "blocks.0.#.project.bn.*"},
                 {"encoder.top_conv.*", "head.conv.*"},
                 {"encoder.top_bn.*", "head.bn.*"},
             },
             1e-3,
             preset_of(imagenet_mean, imagenet_std, 224, 1, true, true)},
            {"stem.conv.weight", "head.conv.weight", "blocks.0.0.se.reduce.weight"}};
}

MobileNaming timm()
{
    return {
        {"timm", no_prefix, timm_table({{"conv_head.*", "head.conv.*"}, {"bn2.*", "head.bn.*"}}),
         1e-5, imagenet(true)},
        {"stem.conv.weight", "head.conv.weight", "head.bn.weight", "blocks.0.0.dw.conv.weight"}};
}

} // namespace

const Naming *find_mobile_naming(Weights &weights)
{
    static const std::vector<MobileNaming> all = {
        folded(),         torchvision_v2(),
        torchvision_v3(), torchvision_efficientnet(),
        timm_v3(),        timm_v3_small(),
        timm(),           huggingface_v1(),
        huggingface_v2(), huggingface_efficientnet(),
    };
    for (const MobileNaming &one : all)
        // Hugging Face's classifiers stand beside the network, without its prefix.
        if (try_naming(weights, one.naming, one.wanted, {{"classifier.*", "classifier.*"}}))
            return &one.naming;
    return nullptr;
}

} // namespace ir_torch
