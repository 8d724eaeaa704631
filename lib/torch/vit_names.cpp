// vit_names.cpp: the names that timm, torchvision and Hugging Face give to a ViT's tensors: data.
#include "torch/vit_names.h"

namespace ir_torch {

static constexpr std::array<double, 3> half = {0.5, 0.5, 0.5};

static const std::vector<Naming> &namings()
{
    static const std::vector<Naming> all = {
        {"timm", {"", "module."}, {{"*", "*"}}, 1e-6, preset_of(half, half, 0, 0.9, false, true)},
        {"torchvision",
         {"", "module."},
         {
             {"class_token", "cls_token"},
             {"encoder.pos_embedding", "pos_embed"},
             {"conv_proj.*", "patch_embed.proj.*"},
             {"encoder.layers.encoder_layer_#.ln_1.*", "blocks.#.norm1.*"},
             {"encoder.layers.encoder_layer_#.self_attention.in_proj_weight",
              "blocks.#.attn.qkv.weight"},
             {"encoder.layers.encoder_layer_#.self_attention.in_proj_bias",
              "blocks.#.attn.qkv.bias"},
             {"encoder.layers.encoder_layer_#.self_attention.out_proj.*", "blocks.#.attn.proj.*"},
             {"encoder.layers.encoder_layer_#.ln_2.*", "blocks.#.norm2.*"},
             {"encoder.layers.encoder_layer_#.mlp.linear_1.*", "blocks.#.mlp.fc1.*"},
             {"encoder.layers.encoder_layer_#.mlp.linear_2.*", "blocks.#.mlp.fc2.*"},
             {"encoder.layers.encoder_layer_#.mlp.0.*", "blocks.#.mlp.fc1.*"},
             {"encoder.layers.encoder_layer_#.mlp.3.*", "blocks.#.mlp.fc2.*"},
             {"encoder.ln.*", "norm.*"},
             {"heads.head.*", "head.*"},
         },
         1e-6,
         preset_of(imagenet_mean, imagenet_std, 0, 0.875, false, false)},
        {"huggingface",
         {"vit.", "deit.", ""},
         {
             {"embeddings.cls_token", "cls_token"},
             {"embeddings.distillation_token", "dist_token"},
             {"embeddings.position_embeddings", "pos_embed"},
             {"embeddings.patch_embeddings.projection.*", "patch_embed.proj.*"},
             {"encoder.layer.#.layernorm_before.*", "blocks.#.norm1.*"},
             {"encoder.layer.#.attention.attention.query.*", "blocks.#.attn.qkv.*", 0, 3},
             {"encoder.layer.#.attention.attention.key.*", "blocks.#.attn.qkv.*", 1, 3},
             {"encoder.layer.#.attention.attention.value.*", "blocks.#.attn.qkv.*", 2, 3},
             {"encoder.layer.#.attention.output.dense.*", "blocks.#.attn.proj.*"},
             {"encoder.layer.#.layernorm_after.*", "blocks.#.norm2.*"},
             {"encoder.layer.#.intermediate.dense.*", "blocks.#.mlp.fc1.*"},
             {"encoder.layer.#.output.dense.*", "blocks.#.mlp.fc2.*"},
             {"layernorm.*", "norm.*"},
             {"pooler.*", ""}, // BERT's legacy: behind the class token, untrained in most files
         },
         1e-12,
         preset_of(half, half, 0, 1, true, false)},
    };
    return all;
}

const Naming *find_vit_naming(Weights &weights)
{
    // Hugging Face's classifier has no prefix.
    return find_naming(weights, namings(), {"patch_embed.proj.weight", "pos_embed"},
                       {{"classifier.*", "head.*"}});
}

} // namespace ir_torch
