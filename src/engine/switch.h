/* switch.h: puts a segment that was built in the place of what it holds. */
#ifndef IR_ENGINE_SWITCH_H
#define IR_ENGINE_SWITCH_H

#include "engine/database.h"

typedef struct ir_switch {
    ir_database *database;
    const ir_catalog_segment *built; /* covers the youngest regions; its file is durable */
    const int64_t *replaced;         /* ids of the segments that it replaces */
    uint32_t replaced_count;
    int64_t removal_mark; /* of the youngest removal that it knows; 0: older ones stay listed */
    const ir_effort_curves *curves;
} ir_switch;

/* Lists the segment in one transaction and lets searches use it. The caller holds optimize_lock and the
 * folder's. *refused is whether a commit was tried and failed: it may be found in the log after a crash,
 * and the file must stay. */
int32_t ir_switch_to(const ir_switch *to, bool *refused, imgret_error *error);

#endif
