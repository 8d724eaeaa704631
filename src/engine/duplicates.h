/* duplicates.h: groups of pictures that show the same, and what a user said of them. */
#ifndef IR_ENGINE_DUPLICATES_H
#define IR_ENGINE_DUPLICATES_H

#include "engine/database.h"

/* `options` are checked and have their defaults but for the scores, 0 there being what was calibrated or
 * else the constants below; their filter is `filter` (where NULL: none). Fills all of `report` but size. */
int32_t ir_duplicates(ir_database *database, const imgret_duplicates_options *options,
                      const ir_catalog_filter *filter, imgret_duplicates_fn on_group, void *user,
                      imgret_duplicates_report *report, ir_call *call, imgret_error *error);

int32_t ir_set_verdict(ir_database *database, int64_t one, int64_t other, int32_t verdict,
                       imgret_error *error);

/* What cosines mean where nothing was calibrated; docs/duplicates.md says what they were measured on. */
#define IR_DUPLICATES_NEAR 0.98
#define IR_DUPLICATES_SIMILAR 0.95

#endif
