/* preset.h: how a picture becomes a model's input: size, resize, crop, filter, mean and std. */
#ifndef IR_TORCH_PRESET_H
#define IR_TORCH_PRESET_H

#include "torch/options.h"
#include "torch/weights.h"

#include <array>
#include <string>

namespace ir_torch {

struct Preset {
    std::array<double, 3> mean{}; /* of pixels in 0..1 */
    std::array<double, 3> std{};
    int64_t input_px = 0;   /* the input is square */
    double crop_pct = 1;    /* share of the shorter side that the centre crop keeps */
    bool squash = false;    /* both sides to input_px, no crop */
    bool letterbox = false; /* all of it, ratio kept, the rest filled with `pad`; no crop */
    bool top_left = false;  /* letterbox: where the picture stands, else in the middle */
    std::array<double, 3> pad{-1, -1, -1}; /* 0..255; -1: the mean */
    bool bicubic = false;                  /* else bilinear */
};

extern const std::array<double, 3> imagenet_mean, imagenet_std;

/* What decides, first found first: the options (mean, std, input, crop_pct, resize=shorter|squash
 * |letterbox, filter=bilinear|bicubic, pad), the same keys in the file's metadata, a config beside the weights
 * (NAME.json, config.json, preprocessor_config.json, as timm and Hugging Face write them), `family`.
 * Throws Failure for a value that makes no sense, naming where it stands. */
Preset choose_preset(const Preset &family, const Weights &weights, Options &options);

/* The same for a file without metadata. */
Preset choose_preset(const Preset &family, const std::string &path, Options &options);

/* Names of the classes as the config beside the weights has them (Hugging Face: id2label, timm:
 * label_names), when they are `count`; else none. */
std::vector<std::string> config_class_names(const std::string &path, int64_t count);

/* What the config beside the weights calls the architecture (timm: "tf_efficientnet_b0"), or "". */
std::string config_architecture(const Weights &weights);

/* IMGRET_RESIZE_* */
uint32_t resize_kind(const Preset &preset);

/* 0xRRGGBB of what a letterbox leaves free. */
uint32_t pad_rgb(const Preset &preset);

/* Length of the shorter side before the crop, in pixels: floor(input_px / crop_pct). */
int64_t resize_px(const Preset &preset);

/* "0.5,0.5,0.5" */
std::string triple_text(const std::array<double, 3> &values);

} // namespace ir_torch

#endif
