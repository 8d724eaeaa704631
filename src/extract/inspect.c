/* inspect.c: what a file of weights holds: asked of the backend, or found out by opening it. */
#include "extract/extract.h"

#include "base/alloc.h"
#include "base/error.h"
#include "extract/registry.h"
#include "extract/steps.h"

#include <stdbool.h>
#include <stddef.h>

/* A plugin's text, "" for none. */
static const char *keep(ir_inspection *out, const char *text, int *failed)
{
    const char *kept = ir_arena_strdup(&out->texts, text ? text : "", failed);
    return kept ? kept : "";
}

static int32_t fill(ir_inspection *out, const imgret_backend *backend,
                    const imgret_backend_inspection *found, imgret_error *error)
{
    int failed = 0;
    out->report = (imgret_model_report){
        .size = sizeof out->report,
        .status = found->status,
        .reason = keep(out, found->reason, &failed),
        .backend = keep(out, backend->name, &failed),
        .backend_version = keep(out, backend->version, &failed),
        .family = keep(out, found->family, &failed),
        .naming = keep(out, found->naming, &failed),
        .architecture = keep(out, found->architecture, &failed),
        .identity = keep(out, found->identity, &failed),
        .missing = keep(out, found->missing, &failed),
        .left_over = keep(out, found->left_over, &failed),
        .misshapen = keep(out, found->misshapen, &failed),
        .class_names = keep(out, found->class_names, &failed),
        .notes = keep(out, found->notes, &failed),
        .parameter_count = found->parameter_count,
        .tensor_bytes = found->tensor_bytes,
        .tensor_count = found->tensor_count,
        .missing_count = found->missing_count,
        .left_over_count = found->left_over_count,
        .misshapen_count = found->misshapen_count,
        .dimension = found->dimension,
        .class_count = found->class_count,
        .input_width = found->input_width,
        .input_height = found->input_height,
        .anchor_count = found->anchor_count,
        .box_class_count = found->box_class_count,
    };
    return failed ? ir_fail(error, IMGRET_NO_MEMORY, "no memory to describe a model") : IMGRET_OK;
}

/* Backends that cannot look into a file they do not load. */
static int32_t inspect_by_opening(ir_inspection *out, const imgret_backend *backend,
                                  const char *model, const char *plugin_path, imgret_error *error)
{
    imgret_error reason = IMGRET_ERROR_INIT;
    ir_extractor *extractor;
    imgret_backend_inspection found = {0};
    found.status = ir_extractor_open(&extractor, model, plugin_path, 1, &reason);
    if (found.status && found.status != IMGRET_BAD_MODEL && found.status != IMGRET_UNSUPPORTED)
        return ir_fail(error, found.status, "%s", reason.message);
    found.reason = reason.message;
    if (!found.status) {
        const ir_extractor_info *info = ir_extractor_get_info(extractor);
        found.architecture = info->architecture;
        found.identity = info->identity;
        found.dimension = info->dimension;
        found.class_count = info->class_count;
        found.input_width = info->input_width;
        found.input_height = info->input_height;
    }
    int32_t status = fill(out, backend, &found, error);
    ir_extractor_close(extractor);
    return status;
}

static int32_t ask_backend(ir_inspection *out, const imgret_backend *backend,
                           const ir_model_spec *spec, imgret_error *error)
{
    imgret_error reason = IMGRET_ERROR_INIT;
    imgret_backend_inspection *found = NULL;
    int32_t status = backend->inspect(&found, spec->weights, spec->options, &reason);
    if (status || !found) {
        bool is_known = status >= IMGRET_INTERNAL && status < IMGRET_OK;
        return ir_fail(error, is_known ? status : IMGRET_BAD_MODEL,
                       "backend \"%s\" cannot look into the model: %s", backend->name,
                       reason.message[0] ? reason.message : imgret_status_name(status));
    }
    if (found->size < offsetof(imgret_backend_inspection, box_class_count) + sizeof(uint32_t))
        status = ir_fail(error, IMGRET_BAD_MODEL, "backend \"%s\" describes a model in %u bytes",
                         backend->name, found->size);
    else
        status = fill(out, backend, found, error);
    backend->end_inspection(found);
    return status;
}

/* The host's own options leave the specification; what they name is not looked at. */
static int32_t drop_options(ir_model_spec *spec, imgret_error *error)
{
    static const char *const keys[] = {"pca", "labels"};
    ir_steps steps;
    int32_t status = ir_steps_take(&steps, spec, error);
    for (size_t i = 0; !status && i < sizeof keys / sizeof keys[0]; i++) {
        char *value;
        status = ir_model_spec_take(spec, keys[i], &value, error);
        ir_free(value);
    }
    return status;
}

int32_t ir_inspect_model(ir_inspection *out, const char *model, const char *plugin_path,
                         imgret_error *error)
{
    ir_model_spec spec;
    const imgret_backend *backend;
    int32_t status = ir_model_spec_parse(&spec, model, error);
    if (status)
        return status;
    status = drop_options(&spec, error);
    if (!status)
        status = ir_registry_find(&backend, &spec, plugin_path, error);
    if (!status)
        status = backend->inspect ? ask_backend(out, backend, &spec, error)
                                  : inspect_by_opening(out, backend, model, plugin_path, error);
    ir_model_spec_free(&spec);
    return status;
}

void ir_inspection_clear(ir_inspection *inspection)
{
    ir_arena_free(&inspection->texts);
}
