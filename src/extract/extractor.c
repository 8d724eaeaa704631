/* extractor.c: one opened model: its description, checked, and the way pictures take through it. */
#include "extract/extract.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/pool.h"
#include "extract/batcher.h"
#include "extract/pca.h"
#include "extract/preprocess.h"
#include "extract/registry.h"

#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#define DIMENSION_MAX 65536u
#define INPUT_PX_MAX 4096u
#define BATCH_MAX 1024u /* more gains nothing and would only cost memory */
#define QUEUE_MAX 1024u /* requests: each is a thread that waits */

struct ir_extractor {
    const imgret_backend *backend;
    imgret_backend_model *models[IR_INSTANCE_MAX]; /* one an instance */
    imgret_backend_info model_info; /* its strings are the backend's; checked */
    ir_extractor_info info;
    char *identity; /* the one of `info`, owned */
    ir_pca *pca;    /* NULL: vectors stay as the model makes them */
    ir_batcher *batcher;
    atomic_uint user_count;
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
    if (info->dimension == 0 && info->anchor_count > 0)
        return ir_fail(error, IMGRET_BAD_MODEL,
                       "backend \"%s\": %s is a detector: it finds boxes and makes no vectors",
                       extractor->backend->name, info->architecture ? info->architecture : "this");
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

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Makes the principal components part of the identity, if they were learned for this model. */
static int32_t join_pca(ir_extractor *extractor, imgret_error *error)
{
    const ir_pca *pca = extractor->pca;
    if (pca->input_dimension != extractor->model_info.dimension)
        return ir_fail(error, IMGRET_MISMATCH,
                       "the principal components are for vectors of %u dimensions, %s makes %u",
                       pca->input_dimension, extractor->model_info.architecture,
                       extractor->model_info.dimension);
    if (pca->identity[0] && strcmp(pca->identity, extractor->identity) != 0)
        return ir_fail(error, IMGRET_MISMATCH,
                       "the principal components were learned for %s, this is %s", pca->identity,
                       extractor->identity);
    char *joined = ir_asprintf("%s;pca=sha256:%s;pca_dimension=%u", extractor->identity,
                               pca->sha256, pca->dimension);
    if (!joined)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for the extractor's identity");
    ir_free(extractor->identity);
    extractor->identity = joined;
    return IMGRET_OK;
}

static int32_t fill_info(ir_extractor *extractor, const ir_extractor_options *options,
                         imgret_error *error)
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
    int32_t status = extractor->pca ? join_pca(extractor, error) : IMGRET_OK;
    if (status)
        return status;
    extractor->info = (ir_extractor_info){
        .dimension = extractor->pca ? extractor->pca->dimension : model->dimension,
        .input_width = model->input_width,
        .input_height = model->input_height,
        .batch_max = smaller(smaller(model->batch_max, BATCH_MAX),
                             options->batch_max ? options->batch_max : BATCH_MAX),
        .instance_count = options->instances,
        .class_count = model->class_count,
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

static int32_t load_instance(ir_extractor *extractor, uint32_t number, const ir_model_spec *spec,
                             uint32_t threads, imgret_backend_info *info, imgret_error *error)
{
    imgret_backend_model **model = &extractor->models[number];
    imgret_error reason = IMGRET_ERROR_INIT;
    int32_t status =
        extractor->backend->load(model, spec->weights, spec->options, threads, &reason);
    if (status) {
        *model = NULL; /* whatever a failing load left there is not ours to unload */
        return fail_step(extractor, "load the model", status, &reason, error);
    }
    *info = (imgret_backend_info){.size = sizeof *info};
    status = extractor->backend->describe(*model, info, &reason);
    return status ? fail_step(extractor, "describe the model", status, &reason, error) : IMGRET_OK;
}

/* Loads the further instances. Weights that were exchanged on disk meanwhile would make a model
 * that answers now so, now so. */
static int32_t load_others(ir_extractor *extractor, const ir_model_spec *spec, uint32_t count,
                           uint32_t threads, imgret_error *error)
{
    for (uint32_t i = 1; i < count; i++) {
        imgret_backend_info info;
        int32_t status = load_instance(extractor, i, spec, threads, &info, error);
        if (status)
            return status;
        if (!info.identity || strcmp(info.identity, extractor->model_info.identity) != 0 ||
            info.dimension != extractor->model_info.dimension)
            return ir_fail(error, IMGRET_BAD_MODEL,
                           "backend \"%s\" describes instance %u as another model than the first",
                           extractor->backend->name, i + 1);
    }
    return IMGRET_OK;
}

static int32_t load_model(ir_extractor *extractor, const ir_model_spec *spec,
                          const ir_extractor_options *options, imgret_error *error)
{
    uint32_t threads = options->threads / options->instances;
    threads = threads ? threads : 1;
    int32_t status =
        load_instance(extractor, 0, spec, threads, &extractor->model_info, error);
    if (!status)
        status = check_info(extractor, error);
    if (!status)
        status = load_others(extractor, spec, options->instances, threads, error);
    return status ? status : fill_info(extractor, options, error);
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

static int32_t run_batch(ir_extractor *extractor, uint32_t instance, const uint8_t *pixels,
                         uint32_t count, float *raw, imgret_error *error)
{
    imgret_backend_batch batch = {
        .size = sizeof batch,
        .count = count,
        .pixels = pixels,
        .embeddings = raw,
    };
    imgret_error reason = IMGRET_ERROR_INIT;
    int32_t status = extractor->backend->run(extractor->models[instance], &batch, &reason);
    return status ? fail_step(extractor, "run the model", status, &reason, error) : IMGRET_OK;
}

static int32_t finish_row(const ir_extractor *extractor, float *raw, float *out,
                          imgret_error *error)
{
    uint32_t dimension = extractor->info.dimension;
    bool good = normalise(raw, extractor->model_info.dimension);
    if (good && extractor->pca) {
        ir_pca_apply(extractor->pca, raw, out);
        good = normalise(out, dimension);
    } else if (good) {
        memcpy(out, raw, dimension * sizeof *out);
    }
    if (!good)
        return ir_fail(error, IMGRET_BAD_MODEL, "backend \"%s\", %s: the vector is not finite",
                       extractor->info.backend, extractor->info.architecture);
    return IMGRET_OK;
}

static int32_t make_batcher(ir_extractor *extractor, const ir_extractor_options *options,
                            imgret_error *error)
{
    uint32_t delay_us = options->batch_delay_us;
    if (delay_us == IMGRET_NO_WAIT)
        delay_us = 0;
    else if (delay_us == 0 && ir_registry_batches_pay(extractor->backend))
        delay_us = IR_DELAY_BY_RUN;
    ir_batch_model model = {
        .extractor = extractor,
        .run = run_batch,
        .finish = finish_row,
        .input_bytes = ir_extractor_input_bytes(extractor),
        .raw_dimension = extractor->model_info.dimension,
        .dimension = extractor->info.dimension,
        .instance_count = extractor->info.instance_count,
        .batch_max = extractor->info.batch_max,
        .delay_us = delay_us,
        .queue_max = options->queue_max ? options->queue_max : QUEUE_MAX,
    };
    return ir_batcher_create(&extractor->batcher, &model, error);
}

/* The host's own options leave the specification: the backend knows nothing of them. */
static int32_t take_pca(ir_extractor *extractor, ir_model_spec *spec, const char *instead,
                        imgret_error *error)
{
    char *path;
    int32_t status = ir_model_spec_take(spec, "pca", &path, error);
    if (!status && path)
        status = ir_pca_load(&extractor->pca, instead ? instead : path, error);
    ir_free(path);
    return status;
}

int32_t ir_extractor_open_with(ir_extractor **out, const char *spec_text,
                               const ir_extractor_options *given, imgret_error *error)
{
    *out = NULL;
    ir_extractor_options options = *given;
    if (options.instances > IR_INSTANCE_MAX)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "%u instances of a model, at most %u are possible", options.instances,
                       IR_INSTANCE_MAX);
    ir_model_spec spec;
    int32_t status = ir_model_spec_parse(&spec, spec_text, error);
    if (status)
        return status;
    ir_extractor *extractor = ir_calloc(1, sizeof *extractor);
    if (!extractor) {
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory for an extractor");
        goto out;
    }
    atomic_init(&extractor->user_count, 1);
    options.threads = options.threads ? options.threads : ir_cpu_count();
    status = take_pca(extractor, &spec, options.pca_path, error);
    if (!status)
        status = ir_registry_find(&extractor->backend, &spec, options.plugin_path, error);
    if (!status && options.instances == 0)
        options.instances = smaller(ir_registry_instances(extractor->backend, options.threads),
                                    IR_INSTANCE_MAX);
    if (!status)
        status = load_model(extractor, &spec, &options, error);
    if (!status)
        status = make_batcher(extractor, &options, error);
    if (status)
        ir_extractor_close(extractor);
    else
        *out = extractor;
out:
    ir_model_spec_free(&spec);
    return status;
}

int32_t ir_extractor_open(ir_extractor **out, const char *spec, const char *plugin_path,
                          uint32_t threads, imgret_error *error)
{
    ir_extractor_options options = {.plugin_path = plugin_path, .threads = threads};
    return ir_extractor_open_with(out, spec, &options, error);
}

ir_extractor *ir_extractor_share(ir_extractor *extractor)
{
    atomic_fetch_add(&extractor->user_count, 1);
    return extractor;
}

void ir_extractor_close(ir_extractor *extractor)
{
    if (!extractor || atomic_fetch_sub(&extractor->user_count, 1) > 1)
        return;
    ir_batcher_free(extractor->batcher);
    for (uint32_t i = 0; i < IR_INSTANCE_MAX; i++)
        if (extractor->models[i])
            extractor->backend->unload(extractor->models[i]);
    ir_pca_free(extractor->pca);
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

int32_t ir_extractor_run_job(ir_extractor *extractor, const ir_extract_job *job,
                             imgret_error *error)
{
    return ir_batcher_run(extractor->batcher, job, error);
}

int32_t ir_extractor_run(ir_extractor *extractor, const uint8_t *prepared, uint32_t count,
                         float *out, imgret_error *error)
{
    ir_extract_job job = {.prepared = prepared, .count = count, .out = out};
    return ir_batcher_run(extractor->batcher, &job, error);
}

void ir_extractor_get_counts(ir_extractor *extractor, ir_extract_counts *out)
{
    ir_batcher_get_counts(extractor->batcher, out);
}
