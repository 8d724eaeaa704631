/* extract_many.h: many pictures through one extractor: prepared by all threads, run in batches. */
#ifndef IR_ENGINE_EXTRACT_MANY_H
#define IR_ENGINE_EXTRACT_MANY_H

#include "base/pool.h"
#include "extract/extract.h"

#include <imgret/imgret.h>

typedef struct ir_extract_many {
    ir_extractor *extractor;
    ir_pool *pool;
    const imgret_limits *limits;
    const imgret_input *inputs; /* the caller's: inputs[0].size is the stride */
    uint32_t count;             /* at least 1 */
    float *out;                 /* count x dimension */
    int32_t *statuses;          /* count entries, or NULL: the first failure is the call's */
} ir_extract_many;

int32_t ir_extract_many_run(const ir_extract_many *work, imgret_error *error);

#endif
