/* filter_index.h: indexes for filters that a host asks for. */
#ifndef IR_ENGINE_FILTER_INDEX_H
#define IR_ENGINE_FILTER_INDEX_H

#include "engine/database.h"

/* As imgret_create_index and its kin. */
int32_t ir_create_index(ir_database *database, const char *expression, imgret_error *error);
int32_t ir_drop_index(ir_database *database, const char *expression, imgret_error *error);
int32_t ir_list_indexes(imgret_indexes **out, ir_database *database, imgret_error *error);

#endif
