/* sync.h: brings a database in line with folders: what moved, what is new or changed, what is gone. */
#ifndef IR_ENGINE_SYNC_H
#define IR_ENGINE_SYNC_H

#include "engine/database.h"

/* ir_ingest with IMGRET_INGEST_SYNC among the flags, checked as for it. */
int32_t ir_sync(ir_database *database, const imgret_ingest_options *options,
                imgret_ingest_progress *report, ir_call *call, imgret_error *error);

#endif
