/* reembed.h: moving a database to another model. */
#ifndef IR_ENGINE_REEMBED_H
#define IR_ENGINE_REEMBED_H

#include "engine/database.h"

/* `options` has passed ir_options_read. */
int32_t ir_reembed(ir_database *database, const imgret_reembed_options *options,
                   imgret_reembed_report *report, ir_call *call, imgret_error *error);

#endif
