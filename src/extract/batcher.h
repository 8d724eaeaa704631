/* batcher.h: pictures from many threads, gathered into batches for the instances of one model.
 *
 * No thread of its own: a caller whose turn it is runs a batch for himself and for those who wait,
 * so that a lone caller goes straight to the model.
 */
#ifndef IR_EXTRACT_BATCHER_H
#define IR_EXTRACT_BATCHER_H

#include "extract/extract.h"

#include <stddef.h>

/* The model that a batcher serves. `run` is never called twice at once for one instance. */
typedef struct ir_batch_model {
    ir_extractor *extractor;
    /* Fills `raw`, count x raw_dimension, and `logits`, count x class_count, unless it is NULL. */
    int32_t (*run)(ir_extractor *extractor, uint32_t instance, const uint8_t *pixels,
                   uint32_t count, float *raw, float *logits, imgret_error *error);
    /* From raw rows to what picture `index` of the job wants; any thread. `raw` may be written to;
     * `logits` is there when the job wants them or labels. */
    int32_t (*finish)(const ir_extractor *extractor, float *raw, const float *logits,
                      const ir_extract_job *job, uint32_t index, imgret_error *error);
    size_t input_bytes; /* of a prepared picture */
    uint32_t raw_dimension;
    uint32_t class_count;
    uint32_t instance_count; /* 1..IR_INSTANCE_MAX */
    uint32_t batch_max;      /* pictures */
    uint32_t delay_us;       /* the longest wait for more; IR_DELAY_BY_RUN: see batcher.c */
    uint32_t queue_max;      /* requests that wait, background ones not counted */
} ir_batch_model;

#define IR_INSTANCE_MAX 64u
#define IR_DELAY_BY_RUN UINT32_MAX

typedef struct ir_batcher ir_batcher;

int32_t ir_batcher_create(ir_batcher **out, const ir_batch_model *model, imgret_error *error);

/* No call may be running. NULL is allowed. */
void ir_batcher_free(ir_batcher *batcher);

/* ir_extractor_run_job. */
int32_t ir_batcher_run(ir_batcher *batcher, const ir_extract_job *job, imgret_error *error);

void ir_batcher_get_counts(ir_batcher *batcher, ir_extract_counts *out);

#endif
