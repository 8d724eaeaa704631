// preset.cpp: how a picture becomes a model's input, from options, metadata or a config file.
#include "torch/preset.h"

#include "torch/failure.h"

#include <cjson/cJSON.h>
#include <cmath>
#include <fstream>
#include <imgret/backend.h>
#include <memory>
#include <sys/stat.h>

namespace ir_torch {

const std::array<double, 3> imagenet_mean = {0.485, 0.456, 0.406};
const std::array<double, 3> imagenet_std = {0.229, 0.224, 0.225};

static constexpr std::streamsize CONFIG_BYTES_MAX = 1 << 20;
static constexpr int64_t INPUT_PX_MAX = 4096;

using Json = std::unique_ptr<cJSON, decltype(&cJSON_Delete)>;

int64_t resize_px(const Preset &preset)
{
    return static_cast<int64_t>(std::floor(static_cast<double>(preset.input_px) / preset.crop_pct));
}

uint32_t resize_kind(const Preset &preset)
{
    if (preset.letterbox)
        return IMGRET_RESIZE_LETTERBOX;
    return preset.squash ? IMGRET_RESIZE_SQUASH : IMGRET_RESIZE_SHORTER_SIDE;
}

uint32_t pad_rgb(const Preset &preset)
{
    uint32_t rgb = 0;
    for (double level : preset.pad)
        rgb = rgb << 8 | static_cast<uint32_t>(level);
    return rgb;
}

std::string triple_text(const std::array<double, 3> &values)
{
    return shortest(values[0]) + "," + shortest(values[1]) + "," + shortest(values[2]);
}

static void set_triple(std::array<double, 3> *out, const std::vector<double> &values)
{
    if (values.size() == 3)
        std::copy(values.begin(), values.end(), out->begin());
}

// Options and metadata have the same keys, so one reader serves both.
static void apply_options(Preset *preset, Options &options)
{
    set_triple(&preset->mean, options.numbers("mean", 3));
    set_triple(&preset->std, options.numbers("std", 3));
    preset->input_px = options.whole("input", preset->input_px, 1, INPUT_PX_MAX);
    preset->crop_pct = options.number("crop_pct", preset->crop_pct, 0.1, 1.0);
    std::string resize = options.choice("resize",
                                        preset->letterbox ? "letterbox"
                                        : preset->squash  ? "squash"
                                                          : "shorter",
                                        {"shorter", "squash", "letterbox"});
    preset->squash = resize == "squash";
    preset->letterbox = resize == "letterbox";
    set_triple(&preset->pad, options.numbers("pad", 3));
    preset->bicubic = options.choice("filter", preset->bicubic ? "bicubic" : "bilinear",
                                     {"bilinear", "bicubic"}) == "bicubic";
}

static void apply_metadata(Preset *preset, const Weights &weights)
{
    std::string text;
    for (const char *key : {"mean", "std", "crop_pct", "resize", "filter", "pad"})
        if (const char *value = weights.metadata(key))
            text += std::string(key) + "=" + value + ";";
    // Some exporters describe the input in prose under this name: only a number is meant for us.
    double number = 0;
    const char *input = weights.metadata("input");
    if (input && parse_number(input, &number))
        text += std::string("input=") + input + ";";
    try {
        Options options(text);
        apply_options(preset, options);
    } catch (const Failure &failure) {
        throw Failure(IMGRET_BAD_MODEL, weights.path() + ": metadata: " + failure.what());
    }
}

static Json read_json(const std::string &path)
{
    Json none(nullptr, cJSON_Delete);
    struct stat info;
    if (stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode))
        return none;
    if (info.st_size > CONFIG_BYTES_MAX)
        throw Failure(IMGRET_LIMIT, path + ": too large for a model's config");
    std::ifstream stream(path, std::ios::binary);
    std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
    Json json(cJSON_ParseWithLength(text.data(), text.size()), cJSON_Delete);
    if (!stream.good() && !stream.eof())
        throw Failure(IMGRET_IO, path + ": cannot be read");
    if (!json || !cJSON_IsObject(json.get()))
        throw Failure(IMGRET_BAD_MODEL, path + ": not a JSON object");
    return json;
}

static const cJSON *member(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

static void read_triple(std::array<double, 3> *out, const cJSON *value, const std::string &where)
{
    if (!value)
        return;
    std::vector<double> numbers;
    for (const cJSON *item = cJSON_IsArray(value) ? value->child : nullptr; item; item = item->next)
        if (cJSON_IsNumber(item) && std::isfinite(item->valuedouble))
            numbers.push_back(item->valuedouble);
    if (numbers.size() != 3 || cJSON_GetArraySize(value) != 3)
        throw Failure(IMGRET_BAD_MODEL, where + " is not three numbers");
    set_triple(out, numbers);
}

static void read_side(int64_t *out, const cJSON *value, const std::string &where)
{
    if (!value)
        return;
    double number = cJSON_IsNumber(value) ? value->valuedouble : 0;
    if (!(number >= 1 && number <= INPUT_PX_MAX) || number != std::floor(number))
        throw Failure(IMGRET_BAD_MODEL, where + " is not a side in pixels");
    *out = static_cast<int64_t>(number);
}

// timm: {"pretrained_cfg": {"mean", "std", "input_size": [3, h, w], "crop_pct", "interpolation",
// "crop_mode"}}; older files have these at the top.
static void apply_timm(Preset *preset, const cJSON *root, const std::string &path)
{
    const cJSON *config = member(root, "pretrained_cfg") ? member(root, "pretrained_cfg") : root;
    read_triple(&preset->mean, member(config, "mean"), path + ": mean");
    read_triple(&preset->std, member(config, "std"), path + ": std");
    const cJSON *size = member(config, "input_size");
    if (cJSON_IsArray(size) && cJSON_GetArraySize(size) == 3) {
        const cJSON *height = size->child->next;
        if (cJSON_IsNumber(height) && cJSON_IsNumber(height->next) &&
            height->valuedouble != height->next->valuedouble)
            throw Failure(IMGRET_UNSUPPORTED, path + ": input_size is not square");
        read_side(&preset->input_px, height, path + ": input_size");
    }
    const cJSON *crop = member(config, "crop_pct");
    if (crop) {
        if (!cJSON_IsNumber(crop) || !(crop->valuedouble >= 0.1 && crop->valuedouble <= 1))
            throw Failure(IMGRET_BAD_MODEL, path + ": crop_pct is not a number from 0.1 to 1");
        preset->crop_pct = crop->valuedouble;
    }
    const cJSON *filter = member(config, "interpolation");
    if (cJSON_IsString(filter)) {
        std::string name = filter->valuestring;
        if (name != "bicubic" && name != "bilinear")
            throw Failure(IMGRET_UNSUPPORTED, path + ": interpolation '" + name + "'");
        preset->bicubic = name == "bicubic";
    }
    const cJSON *mode = member(config, "crop_mode");
    if (cJSON_IsString(mode))
        preset->squash = std::string(mode->valuestring) == "squash";
}

// A size as Hugging Face writes it: a number, {"height", "width"} or {"shortest_edge"}.
static void read_size(int64_t *out, const cJSON *value, const std::string &where)
{
    if (!value)
        return;
    if (!cJSON_IsObject(value))
        return read_side(out, value, where);
    const cJSON *edge = member(value, "shortest_edge");
    const cJSON *height = member(value, "height"), *width = member(value, "width");
    if (!edge && height && width && height->valuedouble != width->valuedouble)
        throw Failure(IMGRET_UNSUPPORTED, where + " is not square");
    read_side(out, edge ? edge : height, where);
}

// Hugging Face: {"image_mean", "image_std", "size", "crop_size", "do_center_crop", "resample"}.
static void apply_transformers(Preset *preset, const cJSON *root, const std::string &path)
{
    read_triple(&preset->mean, member(root, "image_mean"), path + ": image_mean");
    read_triple(&preset->std, member(root, "image_std"), path + ": image_std");
    int64_t size = 0, crop = 0;
    read_size(&size, member(root, "size"), path + ": size");
    read_size(&crop, member(root, "crop_size"), path + ": crop_size");
    bool crops = crop > 0 && size > 0 && !cJSON_IsFalse(member(root, "do_center_crop"));
    if (crops && crop <= size) {
        preset->input_px = crop;
        preset->crop_pct = static_cast<double>(crop) / static_cast<double>(size);
        preset->squash = false;
    } else if (size > 0) {
        preset->input_px = size;
        preset->squash = true;
    }
    const cJSON *resample = member(root, "resample"); // PIL's numbers
    if (cJSON_IsNumber(resample)) {
        if (resample->valueint != 2 && resample->valueint != 3)
            throw Failure(IMGRET_UNSUPPORTED, path + ": resample is neither 2 nor 3");
        preset->bicubic = resample->valueint == 3;
    }
}

static std::vector<std::string> config_paths(const std::string &weights_path)
{
    size_t slash = weights_path.rfind('/');
    std::string folder = slash == std::string::npos ? "" : weights_path.substr(0, slash + 1);
    size_t dot = weights_path.rfind('.');
    bool has_ending = dot != std::string::npos && (slash == std::string::npos || dot > slash);
    std::string stem = has_ending ? weights_path.substr(0, dot) : weights_path;
    return {stem + ".json", folder + "config.json", folder + "preprocessor_config.json"};
}

static void apply_config(Preset *preset, const std::string &weights_path)
{
    for (const std::string &path : config_paths(weights_path)) {
        Json json = read_json(path);
        if (!json)
            continue;
        if (member(json.get(), "image_mean"))
            return apply_transformers(preset, json.get(), path);
        if (member(json.get(), "pretrained_cfg") || member(json.get(), "input_size"))
            return apply_timm(preset, json.get(), path);
    }
}

std::string config_architecture(const Weights &weights)
{
    for (const std::string &path : config_paths(weights.path())) {
        Json json = read_json(path);
        const cJSON *name = json ? member(json.get(), "architecture") : nullptr;
        if (cJSON_IsString(name))
            return name->valuestring;
    }
    return "";
}

// The names come from a foreign file: one line each, whatever stands in them.
static std::string one_line(const char *text)
{
    std::string line(text);
    for (char &c : line)
        if (static_cast<unsigned char>(c) < 0x20)
            c = ' ';
    return line;
}

std::vector<std::string> config_class_names(const std::string &path, int64_t count)
{
    std::vector<std::string> names;
    if (count < 1)
        return names;
    for (const std::string &config : config_paths(path)) {
        Json json = read_json(config);
        const cJSON *by_number = json ? member(json.get(), "id2label") : nullptr;
        const cJSON *in_order = json ? member(json.get(), "label_names") : nullptr;
        if (json && !in_order && member(json.get(), "pretrained_cfg"))
            in_order = member(member(json.get(), "pretrained_cfg"), "label_names");
        std::map<int64_t, std::string> found;
        for (const cJSON *item = cJSON_IsObject(by_number) ? by_number->child : nullptr; item;
             item = item->next)
            if (cJSON_IsString(item) && item->string[0] >= '0' && item->string[0] <= '9')
                found[std::strtoll(item->string, nullptr, 10)] = one_line(item->valuestring);
        if (found.empty() && cJSON_IsArray(in_order))
            for (const cJSON *item = in_order->child; item; item = item->next)
                found[static_cast<int64_t>(found.size())] = one_line(
                    cJSON_IsString(item) ? item->valuestring : "");
        if (static_cast<int64_t>(found.size()) != count || found.begin()->first != 0 ||
            found.rbegin()->first != count - 1)
            continue;
        for (const auto &one : found)
            names.push_back(one.second);
        return names;
    }
    return names;
}

static Preset checked(Preset preset, const std::string &path)
{
    for (double deviation : preset.std)
        if (!(deviation > 1e-6))
            throw Failure(IMGRET_INVALID_ARGUMENT,
                          path + ": std " + triple_text(preset.std) + " is not positive");
    for (size_t c = 0; c < 3; c++) {
        double level = preset.pad[c] < 0 ? std::round(255 * preset.mean[c]) : preset.pad[c];
        if (!(level >= 0 && level <= 255) || level != std::floor(level))
            throw Failure(IMGRET_INVALID_ARGUMENT, path + ": pad " + triple_text(preset.pad) +
                                                       " is not three whole numbers from 0 to 255");
        preset.pad[c] = level;
    }
    return preset;
}

Preset choose_preset(const Preset &family, const Weights &weights, Options &options)
{
    Preset preset = family;
    apply_config(&preset, weights.path());
    apply_metadata(&preset, weights);
    apply_options(&preset, options);
    return checked(preset, weights.path());
}

Preset choose_preset(const Preset &family, const std::string &path, Options &options)
{
    Preset preset = family;
    apply_config(&preset, path);
    apply_options(&preset, options);
    return checked(preset, path);
}

} // namespace ir_torch
