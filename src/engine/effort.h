/* effort.h: keeps what was measured of each segment's recall, as a setting of the catalogue. */
#ifndef IR_ENGINE_EFFORT_H
#define IR_ENGINE_EFFORT_H

#include "catalog/catalog.h"
#include "index/segment.h"

/* Adds the curves of the segment with this identity to what the catalogue keeps; what it has of many
 * others that came before is forgotten. Within a transaction. */
int32_t ir_effort_store(ir_catalog *catalog, uint64_t identity, const ir_effort_curves *curves,
                        imgret_error *error);

/* The setting as it is, for ir_effort_find; fresh memory (ir_free), NULL when there is none. */
int32_t ir_effort_load(ir_catalog *catalog, char **out, imgret_error *error);

/* Fills the curves of one segment; none when `text` (may be NULL) has none that make sense. */
void ir_effort_find(const char *text, uint64_t identity, ir_effort_curves *out);

#endif
