/* extractor.c: extraction alone, without a database. */
#include "api/handle.h"

#include "base/alloc.h"
#include "base/error.h"
#include "decode/decode.h"
#include "engine/extract_many.h"

#include <stddef.h>
#include <unistd.h>

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
    uint32_t threads = wanted.threads ? wanted.threads : ir_cpu_count();
    status = ir_decode_limits(&made->limits, wanted.limits, error);
    if (!status)
        status = ir_pool_create(&made->pool, threads, error);
    ir_extractor_options extract = {
        .plugin_path = wanted.plugin_path,
        .threads = threads,
        .instances = wanted.instances,
        .batch_max = wanted.batch_max,
        .batch_delay_us = wanted.batch_delay_us,
        .queue_max = wanted.queue_max,
    };
    if (!status)
        status = ir_extractor_open_with(&made->extractor, model, &extract, error);
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
    }
    ir_free(extractor);
}

int32_t imgret_extractor_get_info(const imgret_extractor *extractor, imgret_extractor_info *out,
                                  imgret_error *error)
{
    int32_t status = ir_handle_check_extractor(extractor, error);
    if (!status)
        status = ir_handle_need(out, "out", error);
    if (status)
        return status;
    const ir_extractor_info *info = ir_extractor_get_info(extractor->extractor);
    imgret_extractor_info filled = {
        .size = sizeof filled,
        .dimension = info->dimension,
        .input_width = info->input_width,
        .input_height = info->input_height,
        .batch_max = info->batch_max,
        .backend = info->backend,
        .architecture = info->architecture,
        .identity = info->identity,
        .instances = info->instance_count,
        .class_count = info->class_count,
    };
    return ir_struct_write(out, &filled, sizeof filled, offsetof(imgret_extractor_info, instances),
                           "imgret_extractor_info", error);
}

int32_t imgret_extract(imgret_extractor *extractor, const imgret_input *inputs, uint32_t count,
                       float *out, uint64_t out_floats, int32_t *statuses, imgret_error *error)
{
    int32_t status = ir_handle_check_extractor(extractor, error);
    if (status || count == 0)
        return status;
    status = ir_handle_need(inputs, "inputs", error);
    if (!status)
        status = ir_handle_need(out, "out", error);
    if (status)
        return status;
    uint64_t needed = (uint64_t)count * ir_extractor_get_info(extractor->extractor)->dimension;
    if (out_floats < needed)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "out holds %llu floats, %llu are needed",
                       (unsigned long long)out_floats, (unsigned long long)needed);
    ir_extract_many work = {
        .extractor = extractor->extractor,
        .pool = extractor->pool,
        .limits = &extractor->limits,
        .inputs = inputs,
        .count = count,
        .out = out,
        .statuses = statuses,
    };
    return ir_extract_many_run(&work, error);
}
