/* pipe_extract.c: the threads of the pipe that run the model, one for each of its instances.
 *
 * A thread takes prepared pictures from the ring in listing order as soon as they fill a batch.
 * Fewer are taken when no more can come before these are out, or when none came for a while: small
 * batches cost more of the processor than they bring while pictures still have to be decoded.
 */
#include "engine/pipe_inside.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"

#include <stdio.h>
#include <string.h>

enum { FILL_MS = 100 }; /* how long a batch may wait to be filled */

typedef struct batch {
    ir_pipe *pipe;
    ir_extractor *extractor;
    uint32_t batch_max;
    uint32_t dimension;
    uint32_t room; /* pictures that fit into the next three */
    const uint8_t **pictures;
    float *vectors;
    ir_label *labels; /* NULL while there is no room for any, and where the model has none */
    uint32_t count;
    ir_pipe_slot *slots[IR_PIPE_BATCH_MAX];
} batch;

static void settle(ir_pipe_slot *slot, int32_t status, const char *message)
{
    slot->file.outcome = IMGRET_FAILED;
    slot->file.code = status;
    snprintf(slot->file.message, sizeof slot->file.message, "%s", message);
}

/* The whole and its objects. */
static uint32_t pictures_in(const ir_pipe_slot *slot)
{
    return 1 + slot->file.objects.count;
}

static void keep_vectors(const batch *here, ir_pipe_slot *slot, const float *vectors)
{
    uint32_t count = pictures_in(slot);
    if (slot->vector_room < count) {
        ir_free(slot->vector);
        slot->vector = ir_malloc_array((size_t)count * here->dimension, sizeof *slot->vector);
        slot->vector_room = slot->vector ? count : 0;
    }
    ir_objects_free_pixels(&slot->file.objects);
    if (slot->vector)
        memcpy(slot->vector, vectors, (size_t)count * here->dimension * sizeof *vectors);
    else
        settle(slot, IMGRET_NO_MEMORY, "no memory for a vector");
}

/* Room for so many pictures; false when there is no memory. */
static bool reserve(batch *here, uint32_t count)
{
    if (count <= here->room)
        return true;
    ir_free(here->vectors);
    ir_free(here->pictures);
    ir_free(here->labels);
    bool has_labels = ir_extractor_get_info(here->extractor)->has_labels;
    here->labels = has_labels ? ir_malloc_array(count, sizeof *here->labels) : NULL;
    here->vectors = ir_malloc_array((size_t)count * here->dimension, sizeof *here->vectors);
    here->pictures = ir_malloc_array(count, sizeof *here->pictures);
    bool good = here->vectors && here->pictures && (here->labels || !has_labels);
    here->room = good ? count : 0;
    return here->room > 0;
}

/* Points to the prepared pictures of some slots; their number, 0 when there is no memory. */
static uint32_t line_up(batch *here, uint32_t first, uint32_t count)
{
    size_t bytes = ir_extractor_input_bytes(here->extractor);
    uint32_t total = 0, at = 0;
    for (uint32_t i = 0; i < count; i++)
        total += pictures_in(here->slots[first + i]);
    if (!reserve(here, total))
        return 0;
    for (uint32_t i = 0; i < count; i++) {
        const ir_pipe_slot *slot = here->slots[first + i];
        here->pictures[at++] = slot->prepared;
        for (uint32_t j = 0; j < slot->file.objects.count; j++)
            here->pictures[at++] = slot->file.objects.prepared + j * bytes;
    }
    return total;
}

/* Runs the pictures of slots `first`.. of the batch, and each alone when the model refuses them together, so
 * that one picture's trouble does not become its neighbours'. */
static int32_t extract_part(batch *here, uint32_t first, uint32_t count)
{
    uint32_t total = line_up(here, first, count);
    ir_extract_job job = {
        .pictures = here->pictures,
        .count = total,
        .out = here->vectors,
        .labels = here->labels,
        .background = true,
        .stop = ir_call_stopped,
        .stop_context = here->pipe->call,
    };
    imgret_error reason = IMGRET_ERROR_INIT;
    int32_t status = total ? ir_extractor_run_job(here->extractor, &job, &reason)
                           : ir_fail(&reason, IMGRET_NO_MEMORY, "no memory for vectors");
    if (status == IMGRET_INTERRUPTED)
        return status;
    if (status && count > 1) {
        status = IMGRET_OK;
        for (uint32_t i = 0; i < count && !status; i++)
            status = extract_part(here, first + i, 1);
        return status;
    }
    const float *vectors = here->vectors;
    const ir_label *labels = here->labels;
    for (uint32_t i = 0; i < count; i++) {
        ir_pipe_slot *slot = here->slots[first + i];
        if (status) {
            settle(slot, status, reason.message);
            continue;
        }
        uint32_t pictures = pictures_in(slot);
        keep_vectors(here, slot, vectors);
        vectors += (size_t)pictures * here->dimension;
        if (labels) {
            ir_look_set_label(&slot->file.look, here->extractor, labels); /* the whole's */
            labels += pictures;
        }
    }
    return IMGRET_OK;
}

/* Nothing more can be prepared before pictures leave the ring. Under the lock. */
static bool is_all_prepared(ir_pipe *pipe)
{
    bool may_grow = pipe->paths_taken - pipe->next_out < pipe->slot_count &&
                    (pipe->first || !pipe->listing_done);
    for (uint64_t n = pipe->next_out; n < pipe->paths_taken && !may_grow; n++)
        may_grow = ir_pipe_slot_at(pipe, n)->state == IR_SLOT_WORKED_ON;
    return !may_grow;
}

/* False when no picture will come any more. Under the lock. */
static bool wait_for_batch(batch *here)
{
    ir_pipe *pipe = here->pipe;
    uint64_t until_us = 0;
    for (;;) {
        if (ir_pipe_is_stopped(pipe))
            return false;
        bool all = is_all_prepared(pipe);
        if (pipe->prepared_count >= here->batch_max || (pipe->prepared_count > 0 && all))
            return true;
        if (all && pipe->listing_done && !pipe->first)
            return false;
        if (pipe->prepared_count == 0)
            until_us = 0;
        else if (until_us == 0)
            until_us = ir_clock_us() + FILL_MS * 1000;
        else if (ir_clock_us() >= until_us)
            return true;
        struct timespec until = ir_pipe_time_after(FILL_MS);
        pthread_cond_timedwait(&pipe->prepared, &pipe->lock, &until);
    }
}

/* Under the lock. */
static void take_batch(batch *here)
{
    ir_pipe *pipe = here->pipe;
    uint32_t pictures = 0;
    here->count = 0;
    for (uint64_t n = pipe->next_out; n < pipe->paths_taken && pictures < here->batch_max; n++) {
        ir_pipe_slot *slot = ir_pipe_slot_at(pipe, n);
        if (slot->state != IR_SLOT_PREPARED)
            continue;
        pictures += pictures_in(slot);
        slot->state = IR_SLOT_EXTRACTED;
        here->slots[here->count++] = slot;
    }
    pipe->prepared_count -= here->count;
}

/* Loads what there is to run; only when a picture is there, so that a folder in which nothing is
 * new never loads a model. Without the lock. */
static int32_t make_batch(batch *here, imgret_error *error)
{
    int32_t status = ir_database_extractor(here->pipe->database, &here->extractor, error);
    if (status)
        return status;
    const ir_extractor_info *info = ir_extractor_get_info(here->extractor);
    here->batch_max = info->batch_max < IR_PIPE_BATCH_MAX ? info->batch_max : IR_PIPE_BATCH_MAX;
    here->dimension = info->dimension;
    return reserve(here, here->batch_max)
               ? IMGRET_OK
               : ir_fail(error, IMGRET_NO_MEMORY, "no memory for a batch of %u pictures",
                         here->batch_max);
}

/* Under the lock, which is released meanwhile. */
static void extract_all(batch *here)
{
    ir_pipe *pipe = here->pipe;
    while (wait_for_batch(here)) {
        take_batch(here);
        if (here->count == 0)
            continue; /* another thread was quicker */
        pthread_mutex_unlock(&pipe->lock);
        int32_t status = extract_part(here, 0, here->count);
        pthread_mutex_lock(&pipe->lock);
        if (status)
            return; /* interrupted: the caller finds out for itself */
        for (uint32_t i = 0; i < here->count; i++)
            here->slots[i]->state = IR_SLOT_READY;
        pthread_cond_signal(&pipe->done);
    }
}

void *ir_pipe_extract_main(void *argument)
{
    batch here = {.pipe = argument, .batch_max = 1};
    ir_pipe *pipe = here.pipe;
    pthread_mutex_lock(&pipe->lock);
    if (wait_for_batch(&here)) {
        pthread_mutex_unlock(&pipe->lock);
        imgret_error error = IMGRET_ERROR_INIT;
        int32_t status = make_batch(&here, &error);
        pthread_mutex_lock(&pipe->lock);
        if (status)
            ir_pipe_fail(pipe, status, &error);
        else if (pipe->extracting_count < ir_extractor_get_info(here.extractor)->instance_count) {
            pipe->extracting_count++;
            extract_all(&here);
        }
    }
    pthread_cond_broadcast(&pipe->prepared); /* this thread may have been signalled for nothing */
    pthread_mutex_unlock(&pipe->lock);
    ir_extractor_close(here.extractor);
    ir_free(here.vectors);
    ir_free(here.pictures);
    ir_free(here.labels);
    return NULL;
}
