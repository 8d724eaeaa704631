/* extractor.c: extraction alone, without a database. */
#include "api/handle.h"

#include "base/alloc.h"
#include "base/error.h"
#include "decode/decode.h"
#include "engine/extract_many.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

/* Takes `opened` in, also when it fails; the one before is closed. */
static int32_t take_extractor(imgret_extractor *handle, ir_extractor *opened, imgret_error *error)
{
    const ir_extractor_info *info = ir_extractor_get_info(opened);
    int failed = 0;
    pthread_mutex_lock(&handle->lock);
    imgret_extractor_info filled = {
        .size = sizeof filled,
        .dimension = info->dimension,
        .input_width = info->input_width,
        .input_height = info->input_height,
        .batch_max = info->batch_max,
        .backend = ir_arena_strdup(&handle->names, info->backend, &failed),
        .architecture = ir_arena_strdup(&handle->names, info->architecture, &failed),
        .identity = ir_arena_strdup(&handle->names, info->identity, &failed),
        .instances = info->instance_count,
        .class_count = info->class_count,
    };
    int32_t status = IMGRET_OK;
    if (failed)
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory to describe a model");
    else if (handle->extractor && handle->info.dimension != filled.dimension)
        status = ir_fail(error, IMGRET_MISMATCH, "%s has %u dimensions, not %u",
                         filled.architecture, filled.dimension, handle->info.dimension);
    ir_extractor *unused = opened;
    if (!status) {
        unused = handle->extractor;
        handle->extractor = opened;
        handle->info = filled;
    }
    pthread_mutex_unlock(&handle->lock);
    ir_extractor_close(unused);
    return status;
}

static int32_t open_parts(imgret_extractor *made, const char *model,
                          const imgret_extractor_options *wanted, imgret_error *error)
{
    made->plugin_path = ir_strdup(wanted->plugin_path);
    if (wanted->plugin_path && !made->plugin_path)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for an extractor");
    made->options = (ir_extractor_options){
        .plugin_path = made->plugin_path,
        .threads = wanted->threads ? wanted->threads : ir_cpu_count(),
        .instances = wanted->instances,
        .batch_max = wanted->batch_max,
        .batch_delay_us = wanted->batch_delay_us,
        .queue_max = wanted->queue_max,
    };
    int32_t status = ir_decode_limits(&made->limits, wanted->limits, error);
    if (!status)
        status = ir_pool_create(&made->pool, made->options.threads, error);
    ir_extractor *opened;
    if (!status)
        status = ir_extractor_open_with(&opened, model, &made->options, error);
    return status ? status : take_extractor(made, opened, error);
}

int32_t imgret_extractor_open(imgret_extractor **out, const char *model,
                              const imgret_extractor_options *options, imgret_error *error)
{
    int32_t status = ir_handle_need(out, "out", error);
    if (status)
        return status;
    *out = NULL;
    imgret_extractor_options wanted;
    status = ir_options_read(&wanted, sizeof wanted, offsetof(imgret_extractor_options, instances),
                             options, "imgret_extractor_options", error);
    if (!status)
        status = ir_handle_need(model, "model", error);
    if (!status && wanted.threads > 1024)
        status = ir_fail(error, IMGRET_INVALID_ARGUMENT, "imgret_extractor_options.threads is %u",
                         wanted.threads);
    if (status)
        return status;
    imgret_extractor *made = ir_calloc(1, sizeof *made);
    if (!made)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for an extractor");
    made->owner = getpid();
    pthread_mutex_init(&made->lock, NULL);
    status = open_parts(made, model, &wanted, error);
    if (status) {
        imgret_extractor_close(made);
        return status;
    }
    *out = made;
    return IMGRET_OK;
}

void imgret_extractor_close(imgret_extractor *extractor)
{
    if (!extractor)
        return;
    if (extractor->owner == getpid()) { /* a child has neither the threads nor the model's */
        ir_extractor_close(extractor->extractor);
        ir_pool_free(extractor->pool);
        pthread_mutex_destroy(&extractor->lock);
    }
    ir_arena_free(&extractor->names);
    ir_free(extractor->plugin_path);
    ir_free(extractor);
}

int32_t imgret_extractor_replace(imgret_extractor *extractor, const char *model,
                                 imgret_error *error)
{
    int32_t status = ir_handle_check_extractor(extractor, error);
    if (!status)
        status = ir_handle_need(model, "model", error);
    ir_extractor *opened;
    if (!status)
        status = ir_extractor_open_with(&opened, model, &extractor->options, error);
    return status ? status : take_extractor(extractor, opened, error);
}

/* The current extractor, shared with the caller, who closes it; `info` may be NULL. */
static ir_extractor *share_extractor(const imgret_extractor *handle, imgret_extractor_info *info)
{
    /* Only the lock is written to: the handle is the library's own, never const. */
    imgret_extractor *own = (imgret_extractor *)handle;
    pthread_mutex_lock(&own->lock);
    ir_extractor *current = ir_extractor_share(own->extractor);
    if (info)
        *info = own->info;
    pthread_mutex_unlock(&own->lock);
    return current;
}

int32_t imgret_extractor_get_info(const imgret_extractor *extractor, imgret_extractor_info *out,
                                  imgret_error *error)
{
    int32_t status = ir_handle_check_extractor(extractor, error);
    if (!status)
        status = ir_handle_need(out, "out", error);
    if (status)
        return status;
    imgret_extractor_info filled;
    ir_extractor_close(share_extractor(extractor, &filled));
    return ir_struct_write(out, &filled, sizeof filled, offsetof(imgret_extractor_info, instances),
                           "imgret_extractor_info", error);
}

static int32_t check_capacity(const char *what, uint64_t has, uint32_t count, uint32_t width,
                              imgret_error *error)
{
    uint64_t needed = (uint64_t)count * width;
    if (has >= needed)
        return IMGRET_OK;
    return ir_fail(error, IMGRET_INVALID_ARGUMENT, "%s holds %llu floats, %llu are needed", what,
                   (unsigned long long)has, (unsigned long long)needed);
}

static int32_t check_wanted(const ir_extractor_info *info, const imgret_extraction *wanted,
                            uint32_t count, imgret_error *error)
{
    if (wanted->flags & ~IMGRET_EXTRACT_PREPARED)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "imgret_extraction.flags is 0x%x",
                       wanted->flags);
    if (!wanted->labels != !wanted->label_scores)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "imgret_extraction: labels and label_scores go together");
    if ((wanted->logits || wanted->labels) && info->class_count == 0)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "%s has no classification head",
                       info->architecture);
    int32_t status = IMGRET_OK;
    if (wanted->vectors)
        status = check_capacity("out", wanted->vector_floats, count, info->dimension, error);
    if (!status && wanted->logits)
        status = check_capacity("logits", wanted->logit_floats, count, info->class_count, error);
    return status;
}

int32_t imgret_extract_with(imgret_extractor *extractor, const imgret_input *inputs, uint32_t count,
                            const imgret_extraction *wanted, imgret_error *error)
{
    int32_t status = ir_handle_check_extractor(extractor, error);
    imgret_extraction what;
    if (!status)
        status = ir_handle_need(wanted, "wanted", error);
    if (!status)
        status = ir_options_read(&what, sizeof what, sizeof what, wanted, "imgret_extraction",
                                 error);
    if (status || count == 0)
        return status;
    status = ir_handle_need(inputs, "inputs", error);
    if (status)
        return status;
    ir_extractor *current = share_extractor(extractor, NULL);
    ir_extract_many work = {
        .extractor = current,
        .pool = extractor->pool,
        .limits = &extractor->limits,
        .inputs = inputs,
        .count = count,
        .prepared = (what.flags & IMGRET_EXTRACT_PREPARED) != 0,
        .out = what.vectors,
        .logits = what.logits,
        .labels = what.labels,
        .label_scores = what.label_scores,
        .statuses = what.statuses,
    };
    status = check_wanted(ir_extractor_get_info(current), &what, count, error);
    if (!status)
        status = ir_extract_many_run(&work, error);
    ir_extractor_close(current);
    return status;
}

int32_t imgret_extract(imgret_extractor *extractor, const imgret_input *inputs, uint32_t count,
                       float *out, uint64_t out_floats, int32_t *statuses, imgret_error *error)
{
    int32_t status = ir_handle_check_extractor(extractor, error);
    if (!status && count > 0)
        status = ir_handle_need(inputs, "inputs", error);
    if (!status && count > 0)
        status = ir_handle_need(out, "out", error);
    if (status || count == 0)
        return status;
    imgret_extraction wanted = {
        .size = sizeof wanted, .vectors = out, .vector_floats = out_floats, .statuses = statuses};
    return imgret_extract_with(extractor, inputs, count, &wanted, error);
}

int32_t imgret_extractor_get_label(const imgret_extractor *extractor, uint32_t index, char *out,
                                   uint32_t capacity, imgret_error *error)
{
    int32_t status = ir_handle_check_extractor(extractor, error);
    if (!status)
        status = ir_handle_need(out, "out", error);
    if (status)
        return status;
    ir_extractor *current = share_extractor(extractor, NULL);
    const char *label = ir_extractor_label(current, index);
    size_t bytes = label ? strlen(label) + 1 : 0;
    if (!label)
        status = ir_fail(error, IMGRET_NOT_FOUND, "class %u has no label", index);
    else if (bytes > capacity)
        status = ir_fail(error, IMGRET_LIMIT, "a label of %zu bytes, there is room for %u", bytes,
                         capacity);
    else
        memcpy(out, label, bytes);
    ir_extractor_close(current);
    return status;
}
