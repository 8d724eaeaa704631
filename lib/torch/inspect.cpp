// inspect.cpp: what a weights file holds, also when it is not fit for use.
#include "torch/inspect.h"

#include "torch/failure.h"
#include "torch/scripted.h"

#include <c10/core/GradMode.h>

namespace ir_torch {

namespace {

/* The struct that the host sees, and the texts it points to. */
struct Inspection : imgret_backend_inspection {
    std::string texts[10];
    size_t text_count = 0;

    const char *keep(std::string text)
    {
        texts[text_count] = std::move(text);
        return texts[text_count++].c_str();
    }
    const char *keep_lines(const std::vector<std::string> &lines)
    {
        std::string text;
        for (const std::string &line : lines)
            text += line + "\n";
        return keep(std::move(text));
    }
};

void describe_model(Inspection *out, const Model &model)
{
    out->architecture = out->keep(model.architecture);
    out->dimension = static_cast<uint32_t>(model.dimension);
    out->class_count = static_cast<uint32_t>(model.class_count);
    out->input_width = out->input_height = static_cast<uint32_t>(model.preset.input_px);
    out->anchor_count = static_cast<uint32_t>(model.anchor_count);
    out->box_class_count = static_cast<uint32_t>(model.box_class_count);
}

// Builds the network of zeros, going on where a tensor is missing or has another shape.
void look_into(Inspection *out, const std::string &path, const std::string &options_text,
               bool describes)
{
    Options options(options_text);
    for (const char *key : {"pool", "precision", "device", "gem_p", "share", "batch"})
        options.text(key, ""); // known, and without say here
    Weights weights(path);
    weights.tolerate();
    std::unique_ptr<Model> model;
    try {
        model = build_model(weights, options);
    } catch (const Failure &) {
        // the reason is the host's already
    }
    const Report &report = weights.report();
    out->family = out->keep(report.family);
    out->naming = out->keep(report.naming);
    out->missing = out->keep_lines(report.missing);
    out->left_over = out->keep_lines(report.left_over);
    out->misshapen = out->keep_lines(report.misshapen);
    out->missing_count = static_cast<uint32_t>(report.missing.size());
    out->left_over_count = static_cast<uint32_t>(report.left_over.size());
    out->misshapen_count = static_cast<uint32_t>(report.misshapen.size());
    out->parameter_count = weights.parameter_count();
    out->tensor_bytes = weights.tensor_bytes();
    out->tensor_count = weights.tensor_count();
    if (model && describes)
        describe_model(out, *model);
}

void describe_script(Inspection *out, const Runner *runner)
{
    out->family = out->keep(runner ? runner->model().family_name : "");
    out->naming = out->keep("torchscript");
    if (!runner)
        return;
    for (const auto &size : runner->model().tensor_sizes()) {
        out->parameter_count += size.first;
        out->tensor_bytes += size.second;
        out->tensor_count++;
    }
}

} // namespace

imgret_backend_inspection *inspect_file(const std::string &path, const std::string &options_text,
                                        int32_t status, const std::string &reason,
                                        const Runner *runner)
{
    auto out = std::make_unique<Inspection>();
    imgret_backend_inspection *face = out.get();
    *face = {};
    face->size = sizeof *face;
    face->status = status;
    face->family = face->naming = face->architecture = face->identity = face->missing = "";
    face->left_over = face->misshapen = face->class_names = face->notes = "";
    face->reason = out->keep(reason);
    c10::NoGradGuard no_grad;
    if (is_archive(path))
        describe_script(out.get(), runner);
    else
        look_into(out.get(), path, options_text, runner == nullptr);
    if (runner) {
        describe_model(out.get(), runner->model());
        face->dimension = runner->dimension();
        face->identity = out->keep(runner->identity());
        face->notes = out->keep_lines(runner->network().notes);
        face->class_names = runner->class_names().empty() ? nullptr
                                                          : out->keep(runner->class_names());
    } else {
        face->class_names = nullptr;
    }
    return out.release();
}

void free_inspection(imgret_backend_inspection *inspection)
{
    delete static_cast<Inspection *>(inspection);
}

} // namespace ir_torch
