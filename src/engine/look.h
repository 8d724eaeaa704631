/* look.h: listing, statistics and checking of a database. */
#ifndef IR_ENGINE_LOOK_H
#define IR_ENGINE_LOOK_H

#include "engine/database.h"

/* `options` has passed ir_options_read; its filter is `filter` (where NULL: none). */
int32_t ir_list(imgret_records **out, ir_database *database, const imgret_list_options *options,
                const ir_catalog_filter *filter, imgret_error *error);

/* Images of `state` (0: either) that match the filter (where NULL: all). */
int32_t ir_count(uint64_t *out, ir_database *database, int32_t state,
                 const ir_catalog_filter *filter, imgret_error *error);

int32_t ir_get(imgret_records **out, ir_database *database, int64_t id, imgret_error *error);

/* Fills all fields but `size`. */
int32_t ir_get_stats(ir_database *database, imgret_stats *out, imgret_error *error);

int32_t ir_check(ir_database *database, imgret_check_fn on_problem, void *user,
                 uint64_t *problem_count, imgret_error *error);

#endif
