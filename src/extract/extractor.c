/* extractor.c: one opened model: its description, checked, and the way pictures take through it. */
#include "extract/extract.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "base/pool.h"
#include "extract/batcher.h"
#include "extract/labels.h"
#include "extract/pca.h"
#include "extract/preprocess.h"
#include "extract/registry.h"
#include "extract/steps.h"

#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#define DIMENSION_MAX 65536u
#define CLASS_COUNT_MAX (1u << 20)
#define INPUT_PX_MAX 4096u
#define BATCH_MAX 1024u /* more gains nothing and would only cost memory */
#define QUEUE_MAX 1024u /* requests: each is a thread that waits */

struct ir_extractor {
    const imgret_backend *backend;
    imgret_backend_model *models[IR_INSTANCE_MAX]; /* one an instance */
    imgret_backend_info model_info;                /* its strings are the backend's; checked */
    ir_extractor_info info;
    char *identity;    /* the one of `info`, owned */
    ir_pca *pca;       /* NULL: vectors stay as the model makes them */
    ir_labels *labels; /* one a class; NULL: nobody named them */
    ir_steps steps;
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
    if (info->class_count > CLASS_COUNT_MAX)
        return refuse(extractor, error, "class_count", info->class_count);
    if (info->input_width == 0 || info->input_width > INPUT_PX_MAX)
        return refuse(extractor, error, "input_width", info->input_width);
    if (info->input_height == 0 || info->input_height > INPUT_PX_MAX)
        return refuse(extractor, error, "input_height", info->input_height);
    if (info->batch_max == 0)
        return refuse(extractor, error, "batch_max", info->batch_max);
    if (info->resize < IMGRET_RESIZE_SQUASH || info->resize > IMGRET_RESIZE_LETTERBOX)
        return refuse(extractor, error, "resize", info->resize);
    if (info->letterbox_place > IMGRET_PLACE_TOP_LEFT)
        return refuse(extractor, error, "letterbox_place", info->letterbox_place);
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

static int32_t check_labels(const ir_extractor *extractor, imgret_error *error)
{
    const ir_labels *labels = extractor->labels;
    uint32_t class_count = extractor->model_info.class_count;
    if (!labels || labels->count == class_count)
        return IMGRET_OK;
    if (class_count == 0)
        return ir_fail(error, IMGRET_MISMATCH,
                       "%s has no classification head that labels could name",
                       extractor->model_info.architecture);
    return ir_fail(error, IMGRET_MISMATCH, "there are %u labels for the %u classes of %s",
                   labels->count, class_count, extractor->model_info.architecture);
}

/* How small a decoder may deliver pictures, which go to `side` pixels; 0: at their full size. A
 * clean-up works on what the file holds. */
static uint32_t decode_min(const ir_extractor *extractor, uint32_t side)
{
    const ir_steps *steps = &extractor->steps;
    if (steps->denoise_px || steps->reencode_quality)
        return 0;
    return side * ir_registry_decode_percent(extractor->backend) / 100;
}

/* A model that wants a letterbox itself gets its own, unless the user asked for another. */
static void take_letterbox(ir_steps *steps, const imgret_backend_info *info)
{
    if (info->resize != IMGRET_RESIZE_LETTERBOX || steps->letterbox)
        return;
    steps->letterbox = true;
    steps->top_left = info->letterbox_place == IMGRET_PLACE_TOP_LEFT;
    for (int i = 0; i < 3; i++)
        steps->bars[i] = (uint8_t)(info->pad_rgb >> (16 - 8 * i));
}

/* The classes that the weights name, where the user names none. What does not fit the head is no
 * reason to refuse a model whose vectors are wanted. */
static void take_class_names(ir_extractor *extractor)
{
    const imgret_backend_info *info = &extractor->model_info;
    if (extractor->labels || !info->class_names || info->class_count == 0)
        return;
    imgret_error error = IMGRET_ERROR_INIT;
    int32_t status = ir_labels_parse(&extractor->labels, info->architecture,
                                     (const uint8_t *)info->class_names, strlen(info->class_names),
                                     &error);
    if (!status)
        status = check_labels(extractor, &error);
    if (!status)
        return;
    ir_log(IMGRET_LOG_WARNING, "the weights' class names are not used: %s", error.message);
    ir_labels_free(extractor->labels);
    extractor->labels = NULL;
}

static int32_t fill_info(ir_extractor *extractor, const ir_extractor_options *options,
                         imgret_error *error)
{
    const imgret_backend_info *model = &extractor->model_info;
    take_letterbox(&extractor->steps, model);
    take_class_names(extractor);
    char *preprocess = ir_preprocess_describe(model, &extractor->steps);
    if (preprocess)
        extractor->identity = ir_asprintf("%s;%s;dimension=%u", model->identity, preprocess,
                                          model->dimension);
    ir_free(preprocess);
    if (!extractor->identity)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for the extractor's identity");
    const ir_steps *steps = &extractor->steps;
    bool to_input = model->resize == IMGRET_RESIZE_SQUASH || steps->letterbox;
    int32_t status = extractor->pca ? join_pca(extractor, error) : IMGRET_OK;
    if (!status)
        status = check_labels(extractor, error);
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
        .decode_width_min = decode_min(extractor, to_input ? model->input_width : model->resize_px),
        .decode_height_min = decode_min(extractor,
                                        to_input ? model->input_height : model->resize_px),
        .backend = extractor->backend->name,
        .architecture = model->architecture,
        .identity = extractor->identity,
        .has_labels = extractor->labels != NULL,
        .cleans = steps->grey || steps->denoise_px,
        .reencode_quality = steps->reencode_quality,
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
    int32_t status = extractor->backend->load(model, spec->weights, spec->options, threads,
                                              &reason);
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
    int32_t status = load_instance(extractor, 0, spec, threads, &extractor->model_info, error);
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
                         uint32_t count, float *raw, float *logits, imgret_error *error)
{
    imgret_backend_batch batch = {
        .size = sizeof batch,
        .count = count,
        .pixels = pixels,
        .embeddings = raw,
        .logits = logits,
    };
    imgret_error reason = IMGRET_ERROR_INIT;
    int32_t status = extractor->backend->run(extractor->models[instance], &batch, &reason);
    return status ? fail_step(extractor, "run the model", status, &reason, error) : IMGRET_OK;
}

static int32_t finish_vector(const ir_extractor *extractor, float *raw, float *out,
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

static int32_t finish_row(const ir_extractor *extractor, float *raw, const float *logits,
                          const ir_extract_job *job, uint32_t index, imgret_error *error)
{
    const ir_extractor_info *info = &extractor->info;
    int32_t status = IMGRET_OK;
    if (job->out)
        status = finish_vector(extractor, raw, job->out + (size_t)index * info->dimension, error);
    if (!status && job->logits)
        memcpy(job->logits + (size_t)index * info->class_count, logits,
               info->class_count * sizeof *logits);
    if (!status && job->labels)
        status = ir_labels_choose(logits, info->class_count, &job->labels[index].index,
                                  &job->labels[index].score, error);
    return status;
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
        .class_count = extractor->info.class_count,
        .instance_count = extractor->info.instance_count,
        .batch_max = extractor->info.batch_max,
        .delay_us = delay_us,
        .queue_max = options->queue_max ? options->queue_max : QUEUE_MAX,
    };
    return ir_batcher_create(&extractor->batcher, &model, error);
}

/* The host's own options leave the specification: the backend knows nothing of them. */
static int32_t take_options(ir_extractor *extractor, ir_model_spec *spec, const char *pca_instead,
                            imgret_error *error)
{
    char *pca, *labels = NULL;
    int32_t status = ir_model_spec_take(spec, "pca", &pca, error);
    if (!status && pca)
        status = ir_pca_load(&extractor->pca, pca_instead ? pca_instead : pca, error);
    if (!status)
        status = ir_model_spec_take(spec, "labels", &labels, error);
    if (!status && labels)
        status = ir_labels_load(&extractor->labels, labels, error);
    if (!status)
        status = ir_steps_take(&extractor->steps, spec, error);
    ir_free(labels);
    ir_free(pca);
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
    status = take_options(extractor, &spec, options.pca_path, error);
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
    ir_labels_free(extractor->labels);
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

int32_t ir_extractor_clean(const ir_extractor *extractor, ir_picture *picture, imgret_error *error)
{
    return ir_steps_clean(&extractor->steps, picture, error);
}

const char *ir_extractor_label(const ir_extractor *extractor, uint32_t index)
{
    const ir_labels *labels = extractor->labels;
    return labels && index < labels->count ? labels->texts[index] : NULL;
}

int32_t ir_extractor_prepare(const ir_extractor *extractor, const ir_picture *picture, uint8_t *out,
                             imgret_error *error)
{
    if (!picture->rgb || picture->width == 0 || picture->height == 0)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "a picture of %u x %u pixels has nothing "
                       "to extract",
                       picture->width, picture->height);
    return ir_preprocess_run(&extractor->model_info, &extractor->steps, picture, out, error);
}

int32_t ir_extractor_run_job(ir_extractor *extractor, const ir_extract_job *job,
                             imgret_error *error)
{
    if ((job->logits || job->labels) && extractor->info.class_count == 0)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "%s has no classification head",
                       extractor->info.architecture);
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
