/* optimize.h: moving vectors from the delta into segments, and merging segments. */
#ifndef IR_ENGINE_OPTIMIZE_H
#define IR_ENGINE_OPTIMIZE_H

#include "engine/database.h"

/* `options` has passed ir_options_read. `pool` builds; NULL: the database's. */
int32_t ir_optimize(ir_database *database, const imgret_optimize_options *options, ir_pool *pool,
                    ir_call *call, imgret_error *error);

/* Keeps segments from being replaced, by any process, until ir_optimize_resume: for who copies them.
 * IMGRET_BUSY while some thread or process builds, or copies; maintenance of this handle gives way. */
int32_t ir_optimize_pause(ir_database *database, int *lock, imgret_error *error);
void ir_optimize_resume(ir_database *database, int lock);

/* Makes the folder of segments where it is missing. */
int32_t ir_optimize_make_folder(ir_database *database, imgret_error *error);

/* Deletes segment files that the catalogue does not list: what a crash left of a build. Does nothing
 * while some process builds. Failures are of no consequence. */
void ir_optimize_clean(ir_database *database);

#endif
