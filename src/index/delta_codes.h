/* delta_codes.h: one bit a dimension of the delta's full chunks, to pass over most of their rows. */
#ifndef IR_INDEX_DELTA_CODES_H
#define IR_INDEX_DELTA_CODES_H

#include "index/codes.h"
#include "index/delta_inside.h"
#include "index/space.h"

/* Made with the delta; codes come later, chunk by chunk. Free with ir_delta_coder_free. */
int32_t ir_delta_coder_create(ir_delta_coder **out, uint32_t dimension, uint32_t metric,
                              uint32_t vector_type, imgret_error *error);
void ir_delta_coder_free(ir_delta_coder *coder); /* NULL is allowed */

uint64_t ir_delta_coder_ram_bytes(const ir_delta_coder *coder);

/* Codes a full chunk, unless another thread is at it. A chunk whose vectors do not fit (of another
 * order of magnitude, or no memory) stays without codes. Any thread. */
void ir_delta_code_chunk(const ir_delta *delta, ir_delta_chunk *chunk);

/* Codes of all rows of a chunk, for ir_delta_may_score, or NULL: not coded, or by a centroid that came after the
 * first `centroid_count`. */
const uint8_t *ir_delta_codes(const ir_delta_chunk *chunk, uint32_t centroid_count);

/* A query made ready for all codes there are. */
typedef struct ir_delta_coded_query {
    ir_code_query code;
    double squared; /* the query's squared length */
} ir_delta_coded_query;

/* Centroids by now; 0: nothing is coded. */
uint32_t ir_delta_centroid_count(const ir_delta *delta);

/* Bytes of memory, aligned to 64, that preparing one query needs and its use. */
size_t ir_delta_coded_query_bytes(const ir_delta *delta);

/* False where codes are of no use to this query. `memory` must outlive *out. */
bool ir_delta_prepare_coded(const ir_delta *delta, const float *vector, uint32_t centroid_count,
                            void *memory, ir_delta_coded_query *out);

/* For `count` rows of a chunk from `first` on, whether a row may have a score of at least `score_min`:
 * `out` (room for count + 1) gets those that may, and their number is returned. */
uint32_t ir_delta_may_score(const ir_delta *delta, const ir_delta_coded_query *query,
                            const uint8_t *codes, uint32_t first, uint32_t count, double score_min,
                            uint32_t *out);

#endif
