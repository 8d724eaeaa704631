// vit_names.cpp: the names that timm, torchvision and Hugging Face give to a ViT's tensors: data.
#include "torch/vit_names.h"

namespace ir_torch {

static constexpr std::array<double, 3> half = {0.5, 0.5, 0.5};

static const std::array<double, 3> clip_mean = {0.48145466, 0.4578275, 0.40821073};
static const std::array<double, 3> clip_std = {0.26862954, 0.26130258, 0.27577711};

// Names without the prefix of their naming. CLIP's text tower has no part in a picture's vector.
static const std::vector<Rename> outside = {
    {"classifier.*", "head.*"}, // Hugging Face's ViT
    {"visual_projection.*", "visual_projection.*"},
    {"text_model.*", ""},
    {"text_projection*", ""},
    {"token_embedding.*", ""},
    {"positional_embedding", ""},
    {"transformer.*", ""},
    {"ln_final.*", ""},
    {"logit_scale", ""},
    {"logit_bias", ""},
    {"input_resolution", "openai"},
    {"context_length", ""},
    {"vocab_size", ""},
};

static const std::vector<Naming> &namings()
{
    static const std::vector<Naming> all = {
        {"timm", // and the original DeiT, DINO and DINOv2
         {"", "module.", "backbone."},
         {
             {"register_tokens", "reg_token"},
             {"mask_token", ""},                           // for training alone
             {"blocks.#.mlp.w12.*", "blocks.#.mlp.fc1.*"}, // DINOv2's giant
             {"blocks.#.mlp.w3.*", "blocks.#.mlp.fc2.*"},
             {"blocks.*", "blocks.*"},
             {"patch_embed.*", "patch_embed.*"},
             {"cls_token", "cls_token"},
             {"pos_embed", "pos_embed"},
             {"norm.*", "norm.*"},
         },
         1e-6,
         preset_of(half, half, 0, 0.9, false, true)},
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
         {"vit.", "deit.", "dinov2.", "dinov2_with_registers.", ""},
         {
             {"embeddings.mask_token", ""}, // DINOv2
             {"embeddings.register_tokens", "reg_token"},
             {"encoder.layer.#.norm1.*", "blocks.#.norm1.*"},
             {"encoder.layer.#.norm2.*", "blocks.#.norm2.*"},
             {"encoder.layer.#.layer_scale1.lambda1", "blocks.#.ls1.gamma"},
             {"encoder.layer.#.layer_scale2.lambda1", "blocks.#.ls2.gamma"},
             {"encoder.layer.#.mlp.weights_in.*", "blocks.#.mlp.fc1.*"}, // its giant
             {"encoder.layer.#.mlp.weights_out.*", "blocks.#.mlp.fc2.*"},
             {"encoder.layer.#.mlp.*", "blocks.#.mlp.*"},
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
        {"open_clip", // and OpenAI's; the text tower is in the same file
         {"visual.", ""},
         {
             {"class_embedding", "cls_token"},
             {"positional_embedding", "pos_embed"},
             {"conv1.*", "patch_embed.proj.*"},
             {"ln_pre.*", "norm_pre.*"},
             {"ln_post.*", "norm.*"},
             {"proj", "proj_in_out"},
             {"transformer.resblocks.#.ln_1.*", "blocks.#.norm1.*"},
             {"transformer.resblocks.#.ln_2.*", "blocks.#.norm2.*"},
             {"transformer.resblocks.#.attn.in_proj_weight", "blocks.#.attn.qkv.weight"},
             {"transformer.resblocks.#.attn.in_proj_bias", "blocks.#.attn.qkv.bias"},
             {"transformer.resblocks.#.attn.out_proj.*", "blocks.#.attn.proj.*"},
             {"transformer.resblocks.#.mlp.c_fc.*", "blocks.#.mlp.fc1.*"},
             {"transformer.resblocks.#.mlp.c_proj.*", "blocks.#.mlp.fc2.*"},
         },
         1e-5,
         preset_of(clip_mean, clip_std, 0, 1, false, true)},
        {"huggingface_clip",
         {"vision_model."},
         {
             {"embeddings.class_embedding", "cls_token"},
             {"embeddings.position_embedding.weight", "pos_embed"},
             {"embeddings.position_ids", ""},
             {"embeddings.patch_embedding.*", "patch_embed.proj.*"},
             {"pre_layrnorm.*", "norm_pre.*"}, // so spelled there
             {"post_layernorm.*", "norm.*"},
             {"encoder.layers.#.layer_norm1.*", "blocks.#.norm1.*"},
             {"encoder.layers.#.layer_norm2.*", "blocks.#.norm2.*"},
             {"encoder.layers.#.self_attn.q_proj.*", "blocks.#.attn.qkv.*", 0, 3},
             {"encoder.layers.#.self_attn.k_proj.*", "blocks.#.attn.qkv.*", 1, 3},
             {"encoder.layers.#.self_attn.v_proj.*", "blocks.#.attn.qkv.*", 2, 3},
             {"encoder.layers.#.self_attn.out_proj.*", "blocks.#.attn.proj.*"},
             {"encoder.layers.#.mlp.*", "blocks.#.mlp.*"},
         },
         1e-5,
         preset_of(clip_mean, clip_std, 0, 1, false, true)},
    };
    return all;
}

const Naming *find_vit_naming(Weights &weights)
{
    return find_naming(weights, namings(),
                       {"patch_embed.proj.weight", "pos_embed", "blocks.0.norm1.weight"}, outside);
}

} // namespace ir_torch
