/* reembed_store.h: new vectors gathered beside a database until it moves to another model. */
#ifndef IR_ENGINE_REEMBED_STORE_H
#define IR_ENGINE_REEMBED_STORE_H

#include <imgret/imgret.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct ir_reembed_store ir_reembed_store;

/* Opens the file, or begins it anew when it is missing, damaged at its head or was made for another
 * `purpose` (a text that names both models). What a crash left of a last record is cut off. BUSY
 * while another call or process has it open. */
int32_t ir_reembed_store_open(ir_reembed_store **out, const char *path, const char *purpose,
                              size_t vector_bytes, imgret_error *error);
void ir_reembed_store_close(ir_reembed_store *store);

/* Regions that are there. */
uint64_t ir_reembed_store_count(const ir_reembed_store *store);
bool ir_reembed_store_has(const ir_reembed_store *store, int64_t region);

/* Adds the vector of a region that is not there. */
int32_t ir_reembed_store_add(ir_reembed_store *store, int64_t region, const void *vector,
                             imgret_error *error);

/* Reads one, checked; NOT_FOUND when it is not there. */
int32_t ir_reembed_store_get(ir_reembed_store *store, int64_t region, void *vector,
                             imgret_error *error);

#endif
