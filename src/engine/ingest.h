/* ingest.h: whole folders in: batches through the model, groups into transactions. */
#ifndef IR_ENGINE_INGEST_H
#define IR_ENGINE_INGEST_H

#include "engine/database.h"

/* `options` has passed ir_options_read and has its defaults; `report` is filled in any case. */
int32_t ir_ingest(ir_database *database, const imgret_ingest_options *options,
                  imgret_ingest_progress *report, ir_call *call, imgret_error *error);

#endif
