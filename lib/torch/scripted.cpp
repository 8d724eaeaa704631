// scripted.cpp: TorchScript modules: what they give is told from its shape, by a run at load.
#include "torch/scripted.h"

#include "torch/failure.h"
#include "torch/naming.h"

#include <atomic>
#include <c10/core/GradMode.h>
#include <cmath>
#include <cstdio>
#include <mutex>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/passes/freeze_module.h>
#include <torch/csrc/jit/runtime/print_handler.h>
#include <torch/csrc/jit/serialization/import.h>

namespace ir_torch {

bool is_archive(const std::string &path)
{
    char magic[4] = {0, 0, 0, 0};
    FILE *file = std::fopen(path.c_str(), "rb");
    size_t got = file ? std::fread(magic, 1, sizeof magic, file) : 0;
    if (file)
        std::fclose(file);
    return got == sizeof magic && std::string(magic, 4) == std::string("PK\3\4", 4);
}

namespace {

constexpr int64_t PROBE_COUNT = 2;

// The interpreter's messages are a trace of source lines; the reason is the last of them. Behind it newer
// versions may put the frames of their own code.
std::string last_line(const std::string &message)
{
    std::string text = message.substr(0, message.find("\nException raised from "));
    size_t end = text.find_last_not_of(" \n");
    if (end == std::string::npos)
        return "no reason given";
    size_t start = text.rfind('\n', end);
    return text.substr(start == std::string::npos ? 0 : start + 1,
                       end - (start == std::string::npos ? 0 : start + 1) + 1);
}

// What libtorch says of an archive begins with the reason, perhaps behind an empty line.
std::string first_words(const std::string &text)
{
    size_t start = text.find_first_not_of(" \n");
    if (start == std::string::npos)
        return "no reason given";
    return text.substr(start, text.find('\n', start) - start);
}

// What a module prints goes nowhere; what the rest of the process prints by TorchScript stays.
thread_local bool in_module = false;
std::atomic<torch::jit::PrintHandler> handler_before{nullptr};

void print_unless_in_module(const std::string &text)
{
    torch::jit::PrintHandler before = handler_before;
    if (!in_module && before)
        before(text);
}

class Quiet {
public:
    Quiet()
    {
        static std::once_flag once;
        std::call_once(once, [] {
            handler_before = torch::jit::getPrintHandler();
            torch::jit::setPrintHandler(print_unless_in_module);
        });
        in_module = true;
    }
    ~Quiet() { in_module = false; }
};

/* What a module returned. */
struct Output {
    at::Tensor main, logits;
};

// A tensor; a tuple or list of one and perhaps logits; a dictionary under the names of Hugging Face.
Output read_output(const std::string &path, const c10::IValue &value)
{
    if (value.isTensor())
        return {value.toTensor(), {}};
    std::vector<at::Tensor> tensors;
    if (value.isTuple()) {
        for (const c10::IValue &element : value.toTupleRef().elements())
            if (element.isTensor())
                tensors.push_back(element.toTensor());
    } else if (value.isTensorList()) {
        tensors = value.toTensorVector();
    } else if (value.isGenericDict()) {
        Output output;
        for (const auto &item : value.toGenericDict()) {
            if (!item.key().isString() || !item.value().isTensor())
                continue;
            const std::string &key = item.key().toStringRef();
            if (key == "logits")
                output.logits = item.value().toTensor();
            else if (!output.main.defined() || key == "image_embeds" || key == "embedding")
                output.main = item.value().toTensor();
        }
        if (output.main.defined())
            return output;
    }
    if (tensors.empty())
        throw Failure(IMGRET_BAD_MODEL,
                      path + ": the module returns " + value.tagKind() + ", a tensor is wanted");
    bool has_logits = tensors.size() == 2 && tensors[1].dim() == 2;
    return {tensors[0], has_logits ? tensors[1] : at::Tensor()};
}

int64_t square_root(int64_t n)
{
    int64_t side = std::llround(std::sqrt(static_cast<double>(n)));
    return side * side == n ? side : 0;
}

class Script : public Model {
public:
    Script(const std::string &path, Options &options, const at::Device &device);
    Features features(const at::Tensor &pixels) const override;
    at::Tensor detect(const at::Tensor &pixels) const override;
    at::Tensor classify(const Features &features, const at::Tensor &) const override
    {
        return features.logits;
    }
    std::vector<std::pair<uint64_t, uint64_t>> tensor_sizes() const override { return sizes_; }
    void freeze(Precision precision) override;

private:
    void open(const at::Device &device);
    Output forward(const at::Tensor &pixels) const;
    void probe(const at::Device &device);
    void take_detections(const at::Tensor &output);
    bool looks_like_detections(const at::Tensor &output);
    [[noreturn]] void refuse(const at::Tensor &output) const;

    std::string path_;
    mutable torch::jit::Module module_; // forward() is not const there, yet changes nothing
    std::vector<std::pair<uint64_t, uint64_t>> sizes_; // as they were before freezing
    at::ScalarType type_ = at::kFloat;
    bool bgr_ = false;
    bool values_first_ = false; // N x values x anchors, without an objectness (YOLOv8 and later)
    int64_t prefix_count_ = 0;
};

void Script::open(const at::Device &device)
{
    try {
        module_ = torch::jit::load(path_, device);
        module_.eval();
    } catch (const std::exception &failure) {
        std::string reason = failure.what();
        if (reason.find("constants.pkl") != std::string::npos)
            throw Failure(IMGRET_BAD_MODEL,
                          path_ + ": a pickle of tensors and no TorchScript module: it must be "
                                  "converted to safetensors");
        throw Failure(IMGRET_BAD_MODEL,
                      path_ + ": cannot be loaded as TorchScript: " + first_words(reason));
    }
    for (const at::Tensor &tensor : module_.parameters())
        sizes_.emplace_back(tensor.numel(), tensor.nbytes());
    for (const at::Tensor &tensor : module_.buffers())
        sizes_.emplace_back(tensor.numel(), tensor.nbytes());
    if (!module_.find_method("forward"))
        throw Failure(IMGRET_BAD_MODEL, path_ + ": the module has no method forward");
}

Output Script::forward(const at::Tensor &pixels) const
{
    at::Tensor in = bgr_ ? pixels.flip(1) : pixels;
    Quiet quiet;
    try {
        return read_output(path_, module_.forward({in.to(type_).contiguous()}));
    } catch (const Failure &) {
        throw;
    } catch (const std::bad_alloc &) {
        throw;
    } catch (const std::exception &failure) {
        std::string reason = last_line(failure.what());
        bool no_memory = reason.find("allocate memory") != std::string::npos ||
                         reason.find("not enough memory") != std::string::npos;
        throw Failure(no_memory ? IMGRET_NO_MEMORY : IMGRET_BAD_MODEL,
                      path_ + ": the module fails on a picture of " +
                          std::to_string(preset.input_px) + " px: " + reason);
    }
}

void Script::refuse(const at::Tensor &output) const
{
    throw Failure(IMGRET_BAD_MODEL,
                  path_ + ": for " + std::to_string(batch_max == 1 ? 1 : PROBE_COUNT) +
                      " pictures of " + std::to_string(preset.input_px) +
                      " px the module returns a " + c10::toString(output.scalar_type()) +
                      " tensor of shape " + shape_text(output.sizes().vec()) +
                      ": neither vectors [n, d], tokens [n, t, d], a map [n, d, h, w] nor "
                      "detections [n, anchors, 5 + classes]");
}

// Anchors are counted by the grids of strides 8, 16 and 32, one or three to a cell.
bool Script::looks_like_detections(const at::Tensor &output)
{
    if (output.dim() != 3)
        return false;
    int64_t cells = 0;
    for (int64_t stride : {8, 16, 32})
        cells += (preset.input_px / stride) * (preset.input_px / stride);
    for (int64_t each : {1, 3}) {
        values_first_ = output.size(2) == each * cells && output.size(1) > 4;
        if (values_first_ || (output.size(1) == each * cells && output.size(2) > 5)) {
            anchor_count = each * cells;
            return true;
        }
    }
    return false;
}

void Script::take_detections(const at::Tensor &output)
{
    box_class_count = values_first_ ? output.size(1) - 4 : output.size(2) - 5;
    // Decoded boxes lie all over the picture; offsets lie within or near their cell.
    at::Tensor x = values_first_ ? output.select(1, 0) : output.select(2, 0);
    bool decoded = x.to(at::kFloat).abs().mean().item<double>() >
                   static_cast<double>(preset.input_px) / 8;
    box_coding = decoded ? IMGRET_BOXES_CENTRE : IMGRET_BOXES_GRID;
    if (!decoded)
        strides = {8, 16, 32};
}

void Script::probe(const at::Device &device)
{
    c10::NoGradGuard no_grad;
    int64_t side = preset.input_px;
    Output output;
    at::Tensor pictures = at::linspace(-1, 1, PROBE_COUNT * 3 * side * side);
    pictures = pictures.view({PROBE_COUNT, 3, side, side}).to(device);
    try {
        output = forward(pictures);
    } catch (const Failure &) { // perhaps traced for one picture at a time
        output = forward(pictures.slice(0, 0, 1));
        batch_max = 1;
    }
    if (batch_max == 0 && output.main.dim() > 0 && output.main.size(0) == 1) {
        output = forward(pictures.slice(0, 0, 1));
        batch_max = 1;
    }
    const at::Tensor &main = output.main;
    int64_t count = batch_max == 1 ? 1 : PROBE_COUNT;
    if (main.dim() < 2 || main.dim() > 4 || main.size(0) != count || main.numel() == 0 ||
        !main.is_floating_point())
        refuse(main);
    if (looks_like_detections(main))
        return take_detections(main);
    if (main.dim() == 3)
        for (int64_t before : {0, 1, 5, 2})
            if (main.size(1) > before && square_root(main.size(1) - before) > 0) {
                prefix_count_ = before;
                break;
            }
    gives_vectors = main.dim() == 2;
    pool = prefix_count_ > 0 ? Pool::cls : Pool::avg;
    dimension = main.size(main.dim() == 4 ? 1 : main.dim() - 1);
    if (output.logits.defined() && output.logits.size(0) == count)
        class_count = output.logits.size(1);
}

Script::Script(const std::string &path, Options &options, const at::Device &device) : path_(path)
{
    const Preset vectors = preset_of(imagenet_mean, imagenet_std, 224, 0.875, false, false);
    Preset boxes = preset_of({0, 0, 0}, {1, 1, 1}, 640, 1, false, false);
    boxes.letterbox = true;
    boxes.pad = {114, 114, 114};

    bool wants_boxes = options.choice("family", "auto", {"auto", "vector", "detector"}) ==
                       "detector";
    bgr_ = options.choice("channels", "rgb", {"rgb", "bgr"}) == "bgr";
    preset = choose_preset(wants_boxes ? boxes : vectors, path, options);
    open(device);
    probe(device);
    if (wants_boxes && anchor_count == 0)
        throw Failure(IMGRET_BAD_MODEL,
                      path + ": option family=detector: the module returns no detections");
    if (anchor_count > 0) {
        boxes.input_px = preset.input_px;
        preset = choose_preset(boxes, path, options);
    }
    family_name = anchor_count > 0 ? "detector" : "vector";
    naming_name = "torchscript";
    architecture = "torchscript_" + family_name + "_" + std::to_string(preset.input_px);
    traits = bgr_ ? "channels=bgr" : "";
}

Features Script::features(const at::Tensor &pixels) const
{
    Output output = forward(pixels);
    // Another shape than at load would be read from as if it were the same.
    if (output.main.size(0) != pixels.size(0))
        refuse(output.main);
    return {output.main.to(at::kFloat), prefix_count_, output.logits};
}

at::Tensor Script::detect(const at::Tensor &pixels) const
{
    at::Tensor found = forward(pixels).main.to(at::kFloat);
    if (!values_first_)
        return found;
    found = found.transpose(1, 2);
    at::Tensor certain = at::ones({found.size(0), found.size(1), 1}, found.options());
    return at::cat({found.slice(2, 0, 4), certain, found.slice(2, 4)}, 2);
}

// Freezing makes constants of the weights and folds batch norms; what cannot be frozen runs as it is.
void Script::freeze(Precision precision)
{
    if (precision == Precision::bf16) {
        module_.to(at::kBFloat16);
        type_ = at::kBFloat16;
    }
    try {
        module_ = torch::jit::freeze(module_);
    } catch (const c10::Error &) {
        // it stays as it was
    }
}

} // namespace

std::unique_ptr<Model> build_script(const std::string &path, Options &options,
                                    const at::Device &device)
{
    return std::make_unique<Script>(path, options, device);
}

} // namespace ir_torch
