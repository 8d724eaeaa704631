/* repair.h: making damaged segments anew from what can still be read. */
#ifndef IR_ENGINE_REPAIR_H
#define IR_ENGINE_REPAIR_H

#include "engine/database.h"

/* `options` has passed ir_options_read. */
int32_t ir_repair(ir_database *database, const imgret_repair_options *options,
                  imgret_repair_report *report, ir_call *call, imgret_error *error);

#endif
