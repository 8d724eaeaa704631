/* extractor.c: one opened model: its description, checked, and the way pictures take through it. */
#include "extract/extract.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/pool.h"
#include "extract/preprocess.h"
#include "extract/registry.h"

#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#define DIMENSION_MAX 65536u
#define INPUT_PX_MAX 4096u
#define BATCH_MAX 1024u /* more gains nothing and would only cost the callers memory */

struct ir_extractor {
    const imgret_backend *backend;
    imgret_backend_model *model;
    imgret_backend_info model_info; /* its strings are the backend's; checked */
    ir_extractor_info info;
    char *identity; /* the one of `info`, owned */
    pthread_mutex_t run_lock;
};

static int32_t refuse(const ir_extractor *extractor, imgret_error *error, const char *field,
                      uint32_t value)
{
    return ir_fail(error, IMGRET_BAD_MODEL, "backend \"%s\" describes a model with %s %u",
                   extractor->backend->name, field, value);
}

static int32_t check_info(const ir_extractor *extractor, imgret_error *error)
{
    const imgret_backend_info *info = &extractor->model_info;
    if (info->dimension == 0 || info->dimension > DIMENSION_MAX)
        return refuse(extractor, error, "dimension", info->dimension);
    if (info->input_width == 0 || info->input_width > INPUT_PX_MAX)
        return refuse(extractor, error, "input_width", info->input_width);
    if (info->input_height == 0 || info->input_height > INPUT_PX_MAX)
        return refuse(extractor, error, "input_height", info->input_height);
    if (info->batch_max == 0)
        return refuse(extractor, error, "batch_max", info->batch_max);
    if (info->resize != IMGRET_RESIZE_SQUASH && info->resize != IMGRET_RESIZE_SHORTER_SIDE)
        return refuse(extractor, error, "resize", info->resize);
    if (info->filter != IMGRET_FILTER_BILINEAR && info->filter != IMGRET_FILTER_BICUBIC)
        return refuse(extractor, error, "filter", info->filter);
    if (info->resize == IMGRET_RESIZE_SHORTER_SIDE &&
        (info->resize_px < info->input_width || info->resize_px < info->input_height ||
         info->resize_px > INPUT_PX_MAX))
        return refuse(extractor, error, "resize_px", info->resize_px);
    if (!info->architecture || !info->identity || !info->identity[0])
        return ir_fail(error, IMGRET_BAD_MODEL,
                       "backend \"%s\" describes a model without architecture or identity",
                       extractor->backend->name);
    return IMGRET_OK;
}

static int32_t fill_info(ir_extractor *extractor, imgret_error *error)
{
    const imgret_backend_info *model = &extractor->model_info;
    char *preprocess = ir_preprocess_describe(model);
    if (preprocess)
        extractor->identity = ir_asprintf("%s;%s;dimension=%u", model->identity, preprocess,
                                          model->dimension);
    ir_free(preprocess);
    if (!extractor->identity)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for the extractor's identity");
    bool squash = model->resize == IMGRET_RESIZE_SQUASH;
    uint32_t percent = ir_registry_decode_percent(extractor->backend);
    extractor->info = (ir_extractor_info){
        .dimension = model->dimension,
        .input_width = model->input_width,
        .input_height = model->input_height,
        .batch_max = model->batch_max < BATCH_MAX ? model->batch_max : BATCH_MAX,
        .decode_width_min = (squash ? model->input_width : model->resize_px) * percent / 100,
        .decode_height_min = (squash ? model->input_height : model->resize_px) * percent / 100,
        .backend = extractor->backend->name,
        .architecture = model->architecture,
        .identity = extractor->identity,
    };
    return IMGRET_OK;
}

/* Passes on what a backend failed with; `reason` is what it wrote, perhaps nothing. */
static int32_t fail_step(const ir_extractor *extractor, const char *step, int32_t status,
                         const imgret_error *reason, imgret_error *error)
{
    bool is_known = status >= IMGRET_INTERNAL && status < IMGRET_OK;
    return ir_fail(error, is_known ? status : IMGRET_BAD_MODEL, "backend \"%s\" cannot %s: %s",
                   extractor->backend->name, step,
                   reason->message[0] ? reason->message : imgret_status_name(status));
}

static int32_t load_model(ir_extractor *extractor, const ir_model_spec *spec, uint32_t threads,
                          imgret_error *error)
{
    imgret_error reason = IMGRET_ERROR_INIT;
    int32_t status = extractor->backend->load(&extractor->model, spec->weights, spec->options,
                                              threads ? threads : ir_cpu_count(), &reason);
    if (status) {
        extractor->model = NULL; /* whatever a failing load left there is not ours to unload */
        return fail_step(extractor, "load the model", status, &reason, error);
    }
    extractor->model_info.size = sizeof extractor->model_info;
    status = extractor->backend->describe(extractor->model, &extractor->model_info, &reason);
    if (status)
        return fail_step(extractor, "describe the model", status, &reason, error);
    status = check_info(extractor, error);
    return status ? status : fill_info(extractor, error);
}

int32_t ir_extractor_open(ir_extractor **out, const char *spec_text, const char *plugin_path,
                          uint32_t threads, imgret_error *error)
{
    *out = NULL;
    ir_model_spec spec;
    int32_t status = ir_model_spec_parse(&spec, spec_text, error);
    if (status)
        return status;
    ir_extractor *extractor = ir_calloc(1, sizeof *extractor);
    if (!extractor) {
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory for an extractor");
        goto out;
    }
    pthread_mutex_init(&extractor->run_lock, NULL);
    status = ir_registry_find(&extractor->backend, &spec, plugin_path, error);
    if (!status)
        status = load_model(extractor, &spec, threads, error);
    if (status)
        ir_extractor_close(extractor);
    else
        *out = extractor;
out:
    ir_model_spec_free(&spec);
    return status;
}

void ir_extractor_close(ir_extractor *extractor)
{
    if (!extractor)
        return;
    if (extractor->backend)
        extractor->backend->unload(extractor->model);
    pthread_mutex_destroy(&extractor->run_lock);
    ir_free(extractor->identity);
    ir_free(extractor);
}

const ir_extractor_info *ir_extractor_get_info(const ir_extractor *extractor)
{
    return &extractor->info;
}

size_t ir_extractor_input_bytes(const ir_extractor *extractor)
{
    return 3 * (size_t)extractor->info.input_width * extractor->info.input_height;
}

int32_t ir_extractor_prepare(const ir_extractor *extractor, const ir_picture *picture,
                             uint8_t *out, imgret_error *error)
{
    if (!picture->rgb || picture->width == 0 || picture->height == 0)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "a picture of %u x %u pixels has nothing "
                       "to extract", picture->width, picture->height);
    ir_resize resize;
    int32_t status = ir_preprocess_plan(&resize, &extractor->model_info, picture->width,
                                        picture->height, error);
    return status ? status : ir_resize_rgb(&resize, picture->rgb, out, error);
}

/* L2-normalises a vector; zero stays zero. False when it is not finite. */
static bool normalise(float *vector, uint32_t dimension)
{
    double sum = 0.0;
    for (uint32_t i = 0; i < dimension; i++)
        sum += (double)vector[i] * (double)vector[i]; /* no float's square leaves double's range */
    if (!isfinite(sum))
        return false;
    if (sum == 0.0)
        return true;
    double scale = 1.0 / sqrt(sum);
    for (uint32_t i = 0; i < dimension; i++)
        vector[i] = (float)((double)vector[i] * scale);
    return true;
}

static int32_t run_batch(ir_extractor *extractor, const uint8_t *prepared, uint32_t count,
                         float *out, imgret_error *error)
{
    uint32_t dimension = extractor->info.dimension;
    imgret_backend_batch batch = {
        .size = sizeof batch,
        .count = count,
        .pixels = prepared,
        .embeddings = out,
    };
    imgret_error reason = IMGRET_ERROR_INIT;
    int32_t status = extractor->backend->run(extractor->model, &batch, &reason);
    if (status)
        return fail_step(extractor, "run the model", status, &reason, error);
    for (uint32_t i = 0; i < count; i++)
        if (!normalise(out + (size_t)i * dimension, dimension))
            return ir_fail(error, IMGRET_BAD_MODEL,
                           "backend \"%s\", %s: the vector of picture %u of %u is not finite",
                           extractor->info.backend, extractor->info.architecture, i + 1, count);
    return IMGRET_OK;
}

int32_t ir_extractor_run(ir_extractor *extractor, const uint8_t *prepared, uint32_t count,
                         float *out, imgret_error *error)
{
    size_t input_bytes = ir_extractor_input_bytes(extractor);
    int32_t status = IMGRET_OK;
    pthread_mutex_lock(&extractor->run_lock);
    for (uint32_t done = 0, part; done < count && !status; done += part) {
        part = count - done;
        if (part > extractor->info.batch_max)
            part = extractor->info.batch_max;
        status = run_batch(extractor, prepared + (size_t)done * input_bytes, part,
                           out + (size_t)done * extractor->info.dimension, error);
    }
    pthread_mutex_unlock(&extractor->run_lock);
    return status;
}
