/* extract_many.c: many pictures through one extractor: prepared by all threads, run in batches.
 *
 * The array is worked on in groups, two of them at a time: while the model runs one, on a thread of the
 * pool for each of its instances and on those of its own, the other threads read, decode and prepare
 * the next.
 */
#include "engine/extract_many.h"

#include "base/alloc.h"
#include "base/error.h"
#include "engine/source.h"

#include <string.h>

enum { GROUP_MAX = 32 }; /* pictures prepared at once: bounds the memory of a long array */

#define KINDS_TO_EXTRACT \
    (1u << IMGRET_INPUT_FILE | 1u << IMGRET_INPUT_BYTES | 1u << IMGRET_INPUT_PIXELS)

typedef struct group {
    const ir_extract_many *work;
    uint32_t first;
    uint32_t count; /* 0: nothing is in it */
    size_t picture_bytes;
    uint8_t *prepared; /* one place for each picture of the group */
    int32_t status[GROUP_MAX];
    imgret_error failure[GROUP_MAX];
} group;

/* Two groups, and what the one that runs writes to before its rows are spread out. */
typedef struct both {
    group groups[2];
    group *running;
    group *next;
    uint32_t good[GROUP_MAX]; /* places of the running group's pictures that were prepared */
    uint32_t good_count;
    uint32_t slice_count; /* parts of them that run at once */
    float *vectors;
    float *logits;
    ir_label labels[GROUP_MAX];
    int32_t status[GROUP_MAX]; /* of the slices */
    imgret_error failure[GROUP_MAX];
} both;

static const imgret_input *input_at(const ir_extract_many *work, uint32_t index)
{
    return (const imgret_input *)((const char *)work->inputs +
                                  (size_t)index * work->inputs[0].size);
}

/* Pixels of the model's own size, row by row. */
static int32_t copy_prepared(const ir_extract_many *work, const imgret_input *input,
                             uint8_t *prepared, imgret_error *error)
{
    const ir_extractor_info *info = ir_extractor_get_info(work->extractor);
    if (input->width != info->input_width || input->height != info->input_height)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "%u x %u pixels, %s takes %u x %u",
                       input->width, input->height, info->architecture, info->input_width,
                       info->input_height);
    ir_picture picture;
    int32_t status = ir_decode_pixels(input, work->limits, &picture, error);
    if (status)
        return status;
    memcpy(prepared, picture.rgb, ir_extractor_input_bytes(work->extractor));
    ir_picture_free(&picture);
    return IMGRET_OK;
}

static int32_t prepare_input(const ir_extract_many *work, const imgret_input *input,
                             uint8_t *prepared, imgret_error *error)
{
    if (work->prepared)
        return copy_prepared(work, input, prepared, error);
    ir_source source;
    ir_source_picture picture = {0};
    int32_t status = ir_source_open(&source, input, work->limits, work->isolation, error);
    if (!status)
        status = ir_source_prepare(&source, work->extractor, work->limits, prepared, &picture,
                                   error);
    ir_source_close(&source);
    return status;
}

static void prepare_one(group *here, uint32_t part)
{
    const ir_extract_many *work = here->work;
    imgret_error *error = &here->failure[part];
    *error = (imgret_error)IMGRET_ERROR_INIT;
    imgret_input input;
    uint32_t kinds = work->prepared ? 1u << IMGRET_INPUT_PIXELS : KINDS_TO_EXTRACT;
    int32_t status = ir_source_read_input(&input, input_at(work, here->first + part), kinds, error);
    if (!status)
        status = prepare_input(work, &input, here->prepared + part * here->picture_bytes, error);
    here->status[part] = status;
}

static void spread_row(float *rows, uint32_t at, const float *row, uint32_t width)
{
    if (!rows)
        return;
    if (row)
        memcpy(rows + (size_t)at * width, row, width * sizeof *rows);
    else
        memset(rows + (size_t)at * width, 0, width * sizeof *rows);
}

/* Row `from` of what was run becomes what is known of picture `at`; `from` < 0: it failed. */
static void spread(const both *state, uint32_t at, int32_t from)
{
    const ir_extract_many *work = state->running->work;
    const ir_extractor_info *info = ir_extractor_get_info(work->extractor);
    size_t row = from < 0 ? 0 : (size_t)from;
    spread_row(work->out, at, from < 0 ? NULL : state->vectors + row * info->dimension,
               info->dimension);
    spread_row(work->logits, at, from < 0 ? NULL : state->logits + row * info->class_count,
               info->class_count);
    if (work->labels) {
        work->labels[at] = from < 0 ? 0 : state->labels[row].index;
        work->label_scores[at] = from < 0 ? 0.0f : state->labels[row].score;
    }
}

/* Runs the prepared pictures first..end-1 as one request. */
static int32_t run_part(both *state, uint32_t first, uint32_t end, imgret_error *error)
{
    const group *here = state->running;
    const ir_extract_many *work = here->work;
    const ir_extractor_info *info = ir_extractor_get_info(work->extractor);
    const uint8_t *pictures[GROUP_MAX];
    for (uint32_t i = first; i < end; i++)
        pictures[i - first] = here->prepared + state->good[i] * here->picture_bytes;
    ir_extract_job job = {
        .pictures = pictures,
        .count = end - first,
        .out = work->out ? state->vectors + (size_t)first * info->dimension : NULL,
        .logits = work->logits ? state->logits + (size_t)first * info->class_count : NULL,
        .labels = work->labels ? state->labels + first : NULL,
    };
    return ir_extractor_run_job(work->extractor, &job, error);
}

/* Not the pictures' fault, and the next one would fare no better. */
static bool ends_all(int32_t status)
{
    return status == IMGRET_INTERRUPTED || status == IMGRET_BUSY || status == IMGRET_FORKED;
}

/* One instance's share of the running group. What the model refuses together, for a vector that is not
 * finite or because memory is short, runs picture by picture where each can have its own status. */
static int32_t run_slice(both *state, uint32_t number, imgret_error *error)
{
    group *here = state->running;
    uint32_t first = state->good_count * number / state->slice_count;
    uint32_t end = state->good_count * (number + 1) / state->slice_count;
    int32_t status = run_part(state, first, end, error);
    if (!status || !here->work->statuses || ends_all(status))
        return status;
    for (uint32_t i = first; i < end; i++) {
        imgret_error *own = &here->failure[state->good[i]];
        *own = (imgret_error)IMGRET_ERROR_INIT;
        status = run_part(state, i, i + 1, own);
        if (ends_all(status))
            return ir_fail(error, status, "%s", own->message);
        here->status[state->good[i]] = status;
    }
    return IMGRET_OK;
}

/* The first parts run the model, so that it begins at once; each other one prepares a picture. */
static void do_part(void *context, uint32_t part)
{
    both *state = context;
    if (part < state->slice_count)
        state->status[part] = run_slice(state, part, &state->failure[part]);
    else
        prepare_one(state->next, part - state->slice_count);
}

/* Lists what there is to run, and cuts it into a slice for each instance. */
static void plan_run(both *state)
{
    const group *here = state->running;
    state->good_count = 0;
    for (uint32_t i = 0; i < here->count; i++)
        if (!here->status[i])
            state->good[state->good_count++] = i;
    uint32_t instances = ir_extractor_get_info(here->work->extractor)->instance_count;
    state->slice_count = state->good_count < instances ? state->good_count : instances;
    for (uint32_t i = 0; i < state->slice_count; i++)
        state->failure[i] = (imgret_error)IMGRET_ERROR_INIT;
}

/* What the slices gave, or the first failure of one. */
static int32_t finish_run(const both *state, imgret_error *error)
{
    const group *here = state->running;
    for (uint32_t i = 0; i < state->slice_count; i++)
        if (state->status[i])
            return ir_fail(error, state->status[i], "%s", state->failure[i].message);
    uint32_t row = 0;
    for (uint32_t i = 0; i < here->count; i++) {
        bool was_run = row < state->good_count && state->good[row] == i;
        spread(state, here->first + i, here->status[i] ? -1 : (int32_t)row);
        row += was_run;
        if (here->work->statuses)
            here->work->statuses[here->first + i] = here->status[i];
    }
    return IMGRET_OK;
}

/* The first failure of a group that was prepared ends it all, where statuses have no room. */
static int32_t settle(const group *here, imgret_error *error)
{
    for (uint32_t i = 0; i < here->count; i++)
        if (here->status[i] && !here->work->statuses)
            return ir_fail(error, here->status[i], "input %u: %s", here->first + i,
                           here->failure[i].message);
    return IMGRET_OK;
}

/* Fills the next group while the other one runs, until both are empty. */
static int32_t run_groups(both *state, const ir_extract_many *work, uint32_t most,
                          imgret_error *error)
{
    uint32_t first = 0;
    int32_t status;
    do {
        uint32_t left = work->count - first;
        state->next->first = first;
        state->next->count = left < most ? left : most;
        first += state->next->count;
        plan_run(state);
        ir_pool_run(work->pool, do_part, state, state->slice_count + state->next->count);
        status = finish_run(state, error);
        if (!status)
            status = settle(state->next, error);
        group *done = state->running;
        state->running = state->next;
        state->next = done;
    } while (!status && state->running->count > 0);
    return status;
}

static bool allocate(both *state, const ir_extract_many *work, uint32_t most)
{
    const ir_extractor_info *info = ir_extractor_get_info(work->extractor);
    bool good = true;
    for (int i = 0; i < 2; i++) {
        group *here = &state->groups[i];
        here->work = work;
        here->picture_bytes = ir_extractor_input_bytes(work->extractor);
        if (i == 0 || work->count > most) /* a short array needs only one */
            good = (here->prepared = ir_malloc_array(most, here->picture_bytes)) && good;
    }
    state->vectors = ir_malloc_array((size_t)most * info->dimension, sizeof(float));
    state->logits = ir_malloc_array((size_t)most * info->class_count, sizeof(float));
    state->next = &state->groups[0];
    state->running = &state->groups[1];
    return good && state->vectors && state->logits;
}

int32_t ir_extract_many_run(const ir_extract_many *work, imgret_error *error)
{
    if (work->inputs[0].size < sizeof(imgret_input))
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "imgret_input.size is %u",
                       work->inputs[0].size);
    uint32_t most = work->count < GROUP_MAX ? work->count : GROUP_MAX;
    both *state = ir_calloc(1, sizeof *state);
    if (!state)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to extract");
    int32_t status = allocate(state, work, most)
                         ? run_groups(state, work, most, error)
                         : ir_fail(error, IMGRET_NO_MEMORY, "no memory to prepare %u pictures",
                                   most);
    ir_free(state->logits);
    ir_free(state->vectors);
    ir_free(state->groups[0].prepared);
    ir_free(state->groups[1].prepared);
    ir_free(state);
    return status;
}
