// load.cpp: from a weights file and options to a network that is ready to run.
#include "torch/load.h"

#include "torch/failure.h"
#include "torch/scripted.h"

#include <ATen/Context.h>
#include <algorithm>
#include <c10/core/InferenceMode.h>
#include <cmath>
#include <dlfcn.h>
#include <torch/version.h>
#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace ir_torch {

namespace {

constexpr double COSINE_MIN = 0.9999;
constexpr int64_t CHECK_COUNT = 4; // pictures

// Elsewhere libtorch emulates bf16, which is slower than float32.
bool multiplies_bf16()
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx512bf16");
#elif defined(__aarch64__) && defined(HWCAP2_BF16)
    return (getauxval(AT_HWCAP2) & HWCAP2_BF16) != 0;
#else
    return false;
#endif
}

at::Device choose_device(Options &options)
{
    std::string wanted = options.choice("device", "cpu", {"cpu", "cuda"});
    if (wanted == "cpu")
        return at::kCPU;
    // Half a gigabyte, which the plugin is not linked with: only who asks for it waits for it. It makes
    // itself known to the rest of libtorch as it is loaded, and stays.
    bool has_library = dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_LOCAL) != nullptr;
    if (!has_library || !at::hasCUDA())
        throw Failure(IMGRET_UNSUPPORTED,
                      std::string("option device=cuda: ") +
                          (has_library ? "there is no such device that libtorch (" TORCH_VERSION
                                         ") can use"
                                       : "this libtorch (" TORCH_VERSION ") has no CUDA"));
    return at::kCUDA;
}

std::unique_ptr<Model> build(const std::string &path, Options &options, const at::Device &device,
                             bool packs)
{
    if (is_archive(path))
        return build_script(path, options, device);
    Weights weights(path);
    weights.place_on(device);
    weights.pack(packs);
    std::unique_ptr<Model> model = build_model(weights, options);
    weights.refuse_left_over();
    return model;
}

// oneDNN, where it has fast code for the processor, else libtorch's own functions.
bool choose_packing(Options &options, const at::Device &device)
{
    std::string wanted = options.choice("kernels", "auto", {"auto", "onednn", "torch"});
    bool can = device.is_cpu() && can_pack(Precision::f32);
    if (wanted == "onednn" && !can)
        throw Failure(IMGRET_UNSUPPORTED, "option kernels=onednn: this plugin was built without "
                                          "oneDNN, or it has no fast code for this device");
    return can && wanted != "torch";
}

// Pictures of soft waves with edges and grain in them, of 0..1, then normalised: something of what
// photographs have, the same everywhere.
at::Tensor check_pictures(const Model &model)
{
    int64_t side = model.preset.input_px;
    auto floats = at::TensorOptions().dtype(at::kFloat);
    at::Tensor line = at::linspace(0, 1, side, floats), grain = at::arange(side * side, floats);
    grain = (grain * 12.9898).sin().mul(43758.5453).frac().abs().view({1, 1, side, side});
    std::vector<at::Tensor> pictures;
    for (int64_t n = 0; n < CHECK_COUNT; n++) {
        std::vector<at::Tensor> channels;
        for (int64_t c = 0; c < 3; c++) {
            double down = 2.0 + 3.0 * static_cast<double>((n + c) % 4);
            double across = 1.0 + 2.0 * static_cast<double>((2 * n + c) % 5);
            at::Tensor wave = (line.view({side, 1}) * down).sin() +
                              (line.view({1, side}) * across).cos();
            at::Tensor edge =
                (line.view({side, 1}) > 0.3 * static_cast<double>(n % 3)).to(at::kFloat);
            channels.push_back(
                (wave * 0.2 + edge * 0.3 + 0.4).clamp(0, 1).view({1, 1, side, side}));
        }
        pictures.push_back(at::cat(channels, 1) * 0.9 + grain * 0.1);
    }
    at::Tensor all = at::cat(pictures, 0);
    for (int64_t c = 0; c < 3; c++) {
        size_t i = static_cast<size_t>(c);
        all.select(1, c).sub_(model.preset.mean[i]).div_(model.preset.std[i]);
    }
    return all;
}

at::Tensor check_outputs(const Network &network)
{
    at::Tensor pictures = check_pictures(*network.model).to(network.device);
    if (network.model->channels_last)
        pictures = pictures.contiguous(at::MemoryFormat::ChannelsLast);
    std::vector<at::Tensor> outputs;
    for (int64_t n = 0; n < CHECK_COUNT; n++)
        outputs.push_back(output_of(network, pictures.slice(0, n, n + 1)).to(at::kDouble));
    return at::cat(outputs, 0);
}

double least_cosine(const at::Tensor &a, const at::Tensor &b)
{
    at::Tensor cosines = (a * b).sum(1) / (a.norm(2, {1}) * b.norm(2, {1}));
    return cosines.min().item<double>(); // NaN when either is not finite: no comparison holds
}

std::string cosine_text(double cosine)
{
    char text[32];
    std::snprintf(text, sizeof text, "%.6f", cosine);
    return text;
}

// A vector from class tokens alone saves most of a transformer's last block: patches are looked at
// there, but nothing becomes of them.
void leave_out_patches(Network *network)
{
    network->model->class_tokens_only = network->pool == Pool::cls &&
                                        network->model->pool == Pool::cls;
}

void settle_precision(Network *network, const std::string &wanted, const std::string &path,
                      Options &options)
{
    network->precision = wanted == "bf16" ? Precision::bf16 : Precision::f32;
    if (wanted == "auto" && !multiplies_bf16()) {
        network->notes.push_back("precision: f32, as the processor does not multiply bf16");
    } else if (wanted == "auto") {
        at::Tensor exact = check_outputs(*network);
        network->model->freeze(Precision::bf16);
        double cosine = least_cosine(exact, check_outputs(*network));
        bool near = cosine >= COSINE_MIN;
        network->notes.push_back(std::string("precision: ") + (near ? "bf16" : "f32") +
                                 ", the cosine of bf16 to f32 is " + cosine_text(cosine) +
                                 " on the worst of the check's pictures, 0.9999 is wanted");
        network->precision = near ? Precision::bf16 : Precision::f32;
        if (near)
            return;
        network->model = build(path, options, network->device, network->packs);
        leave_out_patches(network);
    }
    network->model->freeze(network->precision);
}

} // namespace

const char *precision_name(Precision precision)
{
    return precision == Precision::bf16 ? "bf16" : "f32";
}

at::Tensor output_of(const Network &network, const at::Tensor &pixels)
{
    const Model &model = *network.model;
    if (model.anchor_count > 0)
        return model.detect(pixels).flatten(1);
    Features features = model.features(pixels);
    return model.after_pool(apply_pool(features, network.pool, network.gem_p));
}

Network load_network(const std::string &path, Options &options)
{
    Network network;
    std::string pool = options.text("pool", "");
    std::string precision = options.choice("precision", "f32", {"f32", "bf16", "auto"});
    network.gem_p = options.number("gem_p", 3, 1, 20);
    if (!pool.empty())
        network.pool = pool_from_name(pool);
    network.device = choose_device(options);
    network.packs = choose_packing(options, network.device) && !is_archive(path);
    network.notes.push_back(network.packs ? "kernels: oneDNN's, weights laid out for this processor"
                                          : "kernels: libtorch's");
    network.model = build(path, options, network.device, network.packs);
    options.refuse_unknown();
    if (network.model->anchor_count > 0 && !pool.empty())
        throw Failure(IMGRET_INVALID_ARGUMENT, "option pool: a detector makes no vectors");
    if (network.model->gives_vectors && !pool.empty())
        throw Failure(IMGRET_INVALID_ARGUMENT,
                      path + ": option pool: the module gives vectors, nothing is left to pool");
    if (pool.empty())
        network.pool = network.model->pool;
    leave_out_patches(&network);
    settle_precision(&network, precision, path, options);
    return network;
}

} // namespace ir_torch
