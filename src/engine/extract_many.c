/* extract_many.c: many pictures through one extractor: prepared by all threads, run in batches. */
#include "engine/extract_many.h"

#include "base/alloc.h"
#include "base/error.h"
#include "engine/source.h"

#include <string.h>

enum { GROUP_MAX = 32 }; /* pictures prepared at once: bounds the memory of a long array */

#define KINDS_TO_EXTRACT                                                                          \
    (1u << IMGRET_INPUT_FILE | 1u << IMGRET_INPUT_BYTES | 1u << IMGRET_INPUT_PIXELS)

typedef struct group {
    const ir_extract_many *work;
    uint32_t first;
    uint32_t count;
    size_t picture_bytes;
    uint8_t *prepared; /* one place for each picture of the group */
    int32_t status[GROUP_MAX];
    imgret_error failure[GROUP_MAX];
} group;

static const imgret_input *input_at(const ir_extract_many *work, uint32_t index)
{
    return (const imgret_input *)((const char *)work->inputs +
                                  (size_t)index * work->inputs[0].size);
}

static void prepare_one(void *context, uint32_t part)
{
    group *here = context;
    const ir_extract_many *work = here->work;
    imgret_error *error = &here->failure[part];
    *error = (imgret_error)IMGRET_ERROR_INIT;
    imgret_input input;
    ir_source source;
    ir_source_picture picture = {0};
    int32_t status =
        ir_source_read_input(&input, input_at(work, here->first + part), KINDS_TO_EXTRACT, error);
    if (!status) {
        status = ir_source_open(&source, &input, work->limits, error);
        if (!status)
            status = ir_source_prepare(&source, work->extractor, work->limits,
                                       here->prepared + part * here->picture_bytes, &picture,
                                       error);
        ir_source_close(&source);
    }
    here->status[part] = status;
}

/* Moves the prepared pictures together, runs them, and spreads the rows out again. */
static int32_t run_group(group *here, imgret_error *error)
{
    const ir_extract_many *work = here->work;
    uint32_t dimension = ir_extractor_get_info(work->extractor)->dimension;
    float *rows = work->out + (size_t)here->first * dimension;
    uint32_t good[GROUP_MAX], good_count = 0;
    for (uint32_t i = 0; i < here->count; i++) {
        if (here->status[i])
            continue;
        if (good_count != i)
            memcpy(here->prepared + good_count * here->picture_bytes,
                   here->prepared + i * here->picture_bytes, here->picture_bytes);
        good[good_count++] = i;
    }
    int32_t status = IMGRET_OK;
    if (good_count > 0)
        status = ir_extractor_run(work->extractor, here->prepared, good_count, rows, error);
    if (status)
        return status;
    uint32_t left = good_count;
    for (uint32_t i = here->count; i-- > 0;) { /* backwards: rows only move up */
        if (left > 0 && good[left - 1] == i) {
            left--;
            if (left != i)
                memcpy(rows + (size_t)i * dimension, rows + (size_t)left * dimension,
                       dimension * sizeof *rows);
        } else {
            memset(rows + (size_t)i * dimension, 0, dimension * sizeof *rows);
        }
    }
    return IMGRET_OK;
}

static int32_t do_group(group *here, imgret_error *error)
{
    const ir_extract_many *work = here->work;
    ir_pool_run(work->pool, prepare_one, here, here->count);
    for (uint32_t i = 0; i < here->count; i++) {
        if (here->status[i] && !work->statuses)
            return ir_fail(error, here->status[i], "input %u: %s", here->first + i,
                           here->failure[i].message);
        if (work->statuses)
            work->statuses[here->first + i] = here->status[i];
    }
    return run_group(here, error);
}

int32_t ir_extract_many_run(const ir_extract_many *work, imgret_error *error)
{
    if (work->inputs[0].size < sizeof(imgret_input))
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "imgret_input.size is %u",
                       work->inputs[0].size);
    group *here = ir_malloc(sizeof *here);
    size_t picture_bytes = ir_extractor_input_bytes(work->extractor);
    uint32_t most = work->count < GROUP_MAX ? work->count : GROUP_MAX;
    uint8_t *prepared = ir_malloc_array(most, picture_bytes);
    int32_t status = IMGRET_OK;
    if (!here || !prepared)
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory to prepare %u pictures", most);
    for (uint32_t first = 0; !status && first < work->count; first += most) {
        uint32_t left = work->count - first;
        here->work = work;
        here->first = first;
        here->count = left < most ? left : most;
        here->picture_bytes = picture_bytes;
        here->prepared = prepared;
        status = do_group(here, error);
    }
    ir_free(prepared);
    ir_free(here);
    return status;
}
