/* tombstones.h: ids that were removed but still stand in a segment. */
#ifndef IR_INDEX_TOMBSTONES_H
#define IR_INDEX_TOMBSTONES_H

#include <imgret/imgret.h>
#include <stdbool.h>

typedef struct ir_tombstones ir_tombstones;

int32_t ir_tombstones_create(ir_tombstones **out, imgret_error *error);
void ir_tombstones_free(ir_tombstones *tombstones);

/* Marks an id, 1 to 2^47. One thread at a time; readers go on meanwhile. */
int32_t ir_tombstones_add(ir_tombstones *tombstones, int64_t id, imgret_error *error);

/* Whether an id is marked. Any thread, no lock. */
bool ir_tombstones_has(const ir_tombstones *tombstones, int64_t id);

uint64_t ir_tombstones_count(const ir_tombstones *tombstones);

#endif
