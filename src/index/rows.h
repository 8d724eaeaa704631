/* rows.h: the vectors of one segment that a filter lets through, by their slots. */
#ifndef IR_INDEX_ROWS_H
#define IR_INDEX_ROWS_H

#include "index/segment.h"

struct ir_segment_rows {
    uint64_t count;
    uint32_t *slots; /* ascending */
    uint64_t *bits;  /* one for each slot of the segment */
    uint64_t bytes;  /* of all this */
};

static inline bool ir_segment_rows_have(const ir_segment_rows *rows, uint32_t slot)
{
    return rows->bits[slot / 64] >> slot % 64 & 1;
}

#endif
