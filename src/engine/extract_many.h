/* extract_many.h: many pictures through one extractor: prepared by all threads, run in batches. */
#ifndef IR_ENGINE_EXTRACT_MANY_H
#define IR_ENGINE_EXTRACT_MANY_H

#include "base/pool.h"
#include "decode/isolate.h"
#include "extract/extract.h"

#include <imgret/imgret.h>
#include <stdbool.h>

typedef struct ir_extract_many {
    ir_extractor *extractor;
    ir_pool *pool;
    const imgret_limits *limits;
    const imgret_input *inputs; /* the caller's: inputs[0].size is the stride */
    uint32_t count;             /* at least 1 */
    bool prepared; /* inputs are pixels of the model's size, which go to it as they are */
    /* What is wanted, `count` rows or entries each; NULL: not. A picture that failed has zeros. */
    float *out;              /* dimension */
    float *logits;           /* class_count */
    uint32_t *labels;        /* index of the class; with label_scores */
    float *label_scores;     /* with labels */
    int32_t *statuses;       /* NULL: the first failure is the call's */
    ir_isolation *isolation; /* decodes; NULL: this process does */
} ir_extract_many;

int32_t ir_extract_many_run(const ir_extract_many *work, imgret_error *error);

#endif
