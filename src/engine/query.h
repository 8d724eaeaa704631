/* query.h: from pictures, ids or vectors to the images most alike. */
#ifndef IR_ENGINE_QUERY_H
#define IR_ENGINE_QUERY_H

#include "engine/database.h"

/* Answers `count` queries; out[i] belongs to inputs[i], all are NULL after a failure. `inputs` have
 * passed ir_source_read_input; `options` are checked and have their defaults; their filter is
 * `filter` (where NULL: none), evaluated once. */
int32_t ir_query(imgret_results **out, ir_database *database, const imgret_input *inputs,
                 uint64_t count, const imgret_query_options *options,
                 const ir_catalog_filter *filter, ir_call *call, imgret_error *error);

int32_t ir_get_vector(ir_database *database, int64_t id, float *out, imgret_error *error);

/* The vector of object `ordinal` of an image; 0: of the whole. */
int32_t ir_get_region_vector(ir_database *database, int64_t id, uint32_t ordinal, float *out,
                             imgret_error *error);

/* The vector that an INPUT_ID with these options asks with. */
int32_t ir_get_asked_vector(ir_database *database, int64_t id, const imgret_query_options *options,
                            float *out, imgret_error *error);

#endif
