// backend.cpp: the C face of the plugin; no exception and no print gets past it.
#include "torch/failure.h"
#include "torch/inspect.h"
#include "torch/runner.h"

#include <imgret/backend.h>

#include <ATen/Version.h>
#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <new>
#include <torch/version.h>
#include <unistd.h>

struct imgret_backend_model {
    ir_torch::Runner runner;
};

namespace {

using ir_torch::Failure;

imgret_backend_host host;

// The process that used libtorch first. Its OpenMP threads do not live on in a child of fork(),
// whose first parallel loop would wait for them for ever.
std::atomic<pid_t> owner{0};

bool forked()
{
    pid_t mine = getpid(), nobody = 0;
    return !owner.compare_exchange_strong(nobody, mine) && nobody != mine;
}

// libtorch says "out of memory" only in words.
bool means_no_memory(const std::string &message)
{
    return message.find("allocate memory") != std::string::npos ||
           message.find("not enough memory") != std::string::npos ||
           message.find("out of memory") != std::string::npos;
}

std::string first_line(const char *text)
{
    std::string line(text ? text : "");
    return line.substr(0, line.find('\n'));
}

// Runs `work` and turns what it throws into a status. `what` names the model in foreign messages.
template <typename Work> int32_t guarded(imgret_error *error, const char *what, Work work) noexcept
{
    try {
        if (forked())
            return ir_torch_fail(error, IMGRET_FORKED,
                                 "%s: libtorch cannot be used in a child of fork()", what);
        work();
        return IMGRET_OK;
    } catch (const Failure &failure) {
        return ir_torch_fail(error, failure.status(), "%s", failure.what());
    } catch (const std::bad_alloc &) {
        return ir_torch_fail(error, IMGRET_NO_MEMORY, "%s: out of memory", what);
    } catch (const c10::Error &failure) {
        std::string message = first_line(failure.what_without_backtrace());
        return ir_torch_fail(error, means_no_memory(message) ? IMGRET_NO_MEMORY : IMGRET_BAD_MODEL,
                             "%s: libtorch: %s", what, message.c_str());
    } catch (const std::exception &failure) {
        std::string message = first_line(failure.what());
        return ir_torch_fail(error, means_no_memory(message) ? IMGRET_NO_MEMORY : IMGRET_INTERNAL,
                             "%s: %s", what, message.c_str());
    } catch (...) {
        return ir_torch_fail(error, IMGRET_INTERNAL, "%s: unknown exception", what);
    }
}

int32_t load(imgret_backend_model **out, const char *path, const char *options, uint32_t threads,
             imgret_error *error)
{
    *out = nullptr;
    if (!path || !path[0])
        return ir_torch_fail(error, IMGRET_INVALID_ARGUMENT,
                             "the torch backend needs a weights file: torch:FILE.safetensors");
    return guarded(error, path, [&] {
        char sha256[65] = "";
        imgret_error inner = IMGRET_ERROR_INIT;
        int32_t status = host.file_sha256(path, sha256, &inner);
        if (status)
            throw Failure(status, inner.message);
        *out = new imgret_backend_model{
            ir_torch::Runner(path, options ? options : "", threads, sha256)};
        if (host.log)
            for (const std::string &note : (*out)->runner.network().notes)
                host.log(IMGRET_LOG_INFO, (std::string(path) + ": " + note).c_str());
    });
}

void describe_detector(imgret_backend_info *info, const ir_torch::Model &model)
{
    info->anchor_count = static_cast<uint32_t>(model.anchor_count);
    info->box_class_count = static_cast<uint32_t>(model.box_class_count);
    info->box_coding = model.box_coding;
    info->stride_count = static_cast<uint32_t>(
        std::min<size_t>(model.strides.size(), IMGRET_BACKEND_STRIDES_MAX));
    for (size_t i = 0; i < info->stride_count; i++)
        info->strides[i] = static_cast<uint32_t>(model.strides[i]);
}

int32_t describe(const imgret_backend_model *model, imgret_backend_info *out, imgret_error *error)
{
    const ir_torch::Runner &runner = model->runner;
    return guarded(error, "torch", [&] {
        const ir_torch::Preset &preset = runner.model().preset;
        imgret_backend_info info = {};
        info.dimension = runner.dimension();
        info.class_count = static_cast<uint32_t>(runner.model().class_count);
        info.input_width = info.input_height = static_cast<uint32_t>(preset.input_px);
        info.batch_max = runner.batch_max();
        info.resize = ir_torch::resize_kind(preset);
        if (info.resize == IMGRET_RESIZE_SHORTER_SIDE)
            info.resize_px = static_cast<uint32_t>(ir_torch::resize_px(preset));
        info.letterbox_place = preset.top_left ? IMGRET_PLACE_TOP_LEFT : IMGRET_PLACE_CENTRE;
        info.pad_rgb = ir_torch::pad_rgb(preset);
        info.filter = preset.bicubic ? IMGRET_FILTER_BICUBIC : IMGRET_FILTER_BILINEAR;
        describe_detector(&info, runner.model());
        info.architecture = runner.model().architecture.c_str();
        info.identity = runner.identity().c_str();
        info.class_names = runner.class_names().empty() ? nullptr : runner.class_names().c_str();
        if (out->size < offsetof(imgret_backend_info, anchor_count)) // where it ended at first
            throw Failure(IMGRET_INVALID_ARGUMENT, "imgret_backend_info.size is too small");
        info.size = out->size;
        std::memcpy(out, &info, std::min<size_t>(out->size, sizeof info));
    });
}

void check_count(const imgret_backend_model *model, uint32_t count)
{
    if (count < 1 || count > model->runner.batch_max())
        throw Failure(IMGRET_INVALID_ARGUMENT,
                      "a batch of " + std::to_string(count) + " pictures, 1 to " +
                          std::to_string(model->runner.batch_max()) + " are accepted");
}

int32_t run(imgret_backend_model *model, const imgret_backend_batch *batch, imgret_error *error)
{
    return guarded(error, "torch", [&] {
        if (batch->size < sizeof *batch || !batch->pixels || !batch->embeddings)
            throw Failure(IMGRET_INVALID_ARGUMENT, "imgret_backend_batch lacks a field");
        check_count(model, batch->count);
        model->runner.run(batch->pixels, batch->count, batch->embeddings, batch->logits);
    });
}

int32_t detect(imgret_backend_model *model, const imgret_backend_detect_batch *batch,
               imgret_error *error)
{
    return guarded(error, "torch", [&] {
        if (batch->size < sizeof *batch || !batch->pixels || !batch->detections)
            throw Failure(IMGRET_INVALID_ARGUMENT, "imgret_backend_detect_batch lacks a field");
        check_count(model, batch->count);
        model->runner.detect(batch->pixels, batch->count, batch->detections);
    });
}

int32_t inspect(imgret_backend_inspection **out, const char *path, const char *options,
                imgret_error *error)
{
    *out = nullptr;
    if (!path || !path[0])
        return ir_torch_fail(error, IMGRET_INVALID_ARGUMENT, "no weights file to look into");
    return guarded(error, path, [&] {
        // The same way as a user's load, so that the verdict is the one that he would get.
        imgret_error refusal = IMGRET_ERROR_INIT;
        imgret_backend_model *model = nullptr;
        int32_t status = load(&model, path, options, 1, &refusal);
        if (status == IMGRET_NOT_FOUND || status == IMGRET_IO || status == IMGRET_NO_MEMORY ||
            status == IMGRET_INVALID_ARGUMENT)
            throw Failure(status, refusal.message);
        std::unique_ptr<imgret_backend_model> owned(model);
        *out = ir_torch::inspect_file(path, options ? options : "", status, refusal.message,
                                      model ? &model->runner : nullptr);
    });
}

void end_inspection(imgret_backend_inspection *inspection)
{
    ir_torch::free_inspection(inspection);
}

// In a child of fork() the worker threads do not exist and cannot be joined: the model is left.
void unload(imgret_backend_model *model)
{
    if (model && !forked())
        delete model;
}

const char version[] = "0.1.0 (libtorch " TORCH_VERSION ")";

const imgret_backend table = {
    sizeof(imgret_backend),
    IMGRET_BACKEND_ABI,
    "torch",
    version,
    "safetensors pt",
    load,
    describe,
    run,
    unload,
    detect,
    inspect,
    end_inspection,
};

} // namespace

extern "C" __attribute__((visibility("default"))) const imgret_backend *
imgret_backend_entry(const imgret_backend_host *given, imgret_error *error)
{
    if (!given || given->abi != IMGRET_BACKEND_ABI || given->size < sizeof host ||
        !given->file_sha256) {
        ir_torch_fail(error, IMGRET_BAD_MODEL,
                      "the torch plugin was built for another version of libimgret's backends");
        return nullptr;
    }
    std::memcpy(&host, given, sizeof host);
    host.size = sizeof host;
    return &table;
}
