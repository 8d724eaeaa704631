/* spill.h: a temporary file for what has no room in memory; it has no name and goes with its handle. */
#ifndef IR_INDEX_SPILL_H
#define IR_INDEX_SPILL_H

#include <imgret/imgret.h>
#include <stddef.h>

typedef struct ir_spill ir_spill;

/* In the folder of `path`, the file being built: there is room there or nowhere. */
int32_t ir_spill_create(ir_spill **out, const char *path, imgret_error *error);
void ir_spill_free(ir_spill *spill);

/* Appends. */
int32_t ir_spill_write(ir_spill *spill, const void *data, size_t bytes, imgret_error *error);

/* Reads `bytes` bytes that were written at `offset`. */
int32_t ir_spill_read(const ir_spill *spill, uint64_t offset, void *out, size_t bytes,
                      imgret_error *error);

#endif
