/* segment_merge.h: what a new segment takes over from an older one: vectors, codes and graph. */
#ifndef IR_INDEX_SEGMENT_MERGE_H
#define IR_INDEX_SEGMENT_MERGE_H

#include "index/segment.h"

#define IR_MERGE_NONE 0xFFFFFFFFu

/* Two ascending streams made one: the vectors of spec->base that stay, and those of `next`. */
typedef struct ir_segment_merge {
    const ir_segment_spec *spec;
    ir_segment_next_fn next;
    void *next_context;
    ir_segment_scan *scan;
    int32_t base_state, next_state; /* 1: one waits, 0: no more, ASK: not known */
    int64_t base_id, next_id;
    const void *base_stored, *next_stored;
    uint32_t base_slot; /* of the one after that which waits */
    uint32_t *slot_of;  /* of each vector of base: its new slot, or IR_MERGE_NONE */
    uint32_t *base_of;  /* of each new slot: that in base, or IR_MERGE_NONE */
    uint32_t room;
    uint32_t count;       /* of vectors given */
    uint32_t taken_count; /* of those, from base */
} ir_segment_merge;

/* The caller keeps what it passes until ir_segment_merge_free. */
int32_t ir_segment_merge_start(ir_segment_merge *out, const ir_segment_spec *spec,
                               ir_segment_next_fn next, void *next_context, imgret_error *error);
void ir_segment_merge_free(ir_segment_merge *merge);

/* ir_segment_next_fn of both streams. */
int32_t ir_segment_merge_next(void *merge, int64_t *id, const void **stored, imgret_error *error);

/* Writes the graph's rows of what was taken over, with new slots (count x degree; rows of others
 * hold nothing but their own slot). An edge to a vector that is gone leads on to its nearest
 * neighbour. `fresh` (room for count - taken_count) gets the slots of the others. */
void ir_segment_merge_edges(const ir_segment_merge *merge, uint32_t *edges, uint32_t *fresh);

#endif
