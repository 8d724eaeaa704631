/* add.h: putting one image in, changing and removing it. */
#ifndef IR_ENGINE_ADD_H
#define IR_ENGINE_ADD_H

#include "engine/database.h"

/* `input` has passed ir_source_read_input, `options` ir_options_read. */
int32_t ir_add(ir_database *database, const imgret_input *input, const imgret_add_options *options,
               imgret_add_result *result, imgret_error *error);

int32_t ir_remove(ir_database *database, int64_t id, imgret_error *error);

int32_t ir_set_metadata(ir_database *database, int64_t id, const char *metadata,
                        imgret_error *error);

int32_t ir_set_label(ir_database *database, int64_t id, const char *label, double score,
                     imgret_error *error);

/* Stores `image` within a transaction, deciding by its uri what that means: new, replaced, or
 * unchanged (same content). An image without vector is one that was found unchanged before the
 * transaction: when it no longer is, *outcome is 0 and nothing is done. `change` receives what the
 * delta must know at the commit. */
int32_t ir_add_store(ir_database *database, const ir_catalog_image *image, int32_t *outcome,
                     int64_t *id, ir_region_change *change, imgret_error *error);

/* Notes in `change` how many objects image `id` (0: none) has, which are about to go with it. Within
 * a transaction. */
int32_t ir_add_count_objects(ir_database *database, int64_t id, ir_region_change *change,
                             imgret_error *error);

#endif
