/* arena.h: many small strings that live and die together. */
#ifndef IR_BASE_ARENA_H
#define IR_BASE_ARENA_H

#include <stddef.h>

/* Zero-initialised is empty. One thread at a time. */
typedef struct ir_arena {
    struct ir_arena_block *blocks;
    size_t used_bytes; /* of the newest block */
} ir_arena;

/* Memory aligned to 16 bytes that lives until ir_arena_free, or NULL when out of memory. */
void *ir_arena_alloc(ir_arena *arena, size_t bytes);

/* A copy of text; NULL in gives NULL out. *failed (kept when all is well) is set when there was no
 * memory, so that several copies can be checked at once. */
const char *ir_arena_strdup(ir_arena *arena, const char *text, int *failed);

void ir_arena_free(ir_arena *arena);

#endif
