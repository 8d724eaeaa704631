/* arena.c: many small strings that live and die together. */
#include "base/arena.h"

#include "base/alloc.h"

#include <string.h>

struct ir_arena_block {
    struct ir_arena_block *next;
    size_t capacity_bytes;
    _Alignas(16) char data[];
};

enum { BLOCK_BYTES = 32 * 1024 };

void *ir_arena_alloc(ir_arena *arena, size_t bytes)
{
    if (bytes > SIZE_MAX - 16 - sizeof(struct ir_arena_block))
        return NULL;
    bytes = (bytes + 15) & ~(size_t)15;
    struct ir_arena_block *block = arena->blocks;
    if (!block || block->capacity_bytes - arena->used_bytes < bytes) {
        size_t capacity = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
        block = ir_malloc(sizeof *block + capacity);
        if (!block)
            return NULL;
        block->next = arena->blocks;
        block->capacity_bytes = capacity;
        arena->blocks = block;
        arena->used_bytes = 0;
    }
    void *pointer = block->data + arena->used_bytes;
    arena->used_bytes += bytes;
    return pointer;
}

const char *ir_arena_strdup(ir_arena *arena, const char *text, int *failed)
{
    if (!text)
        return NULL;
    size_t bytes = strlen(text) + 1;
    char *copy = ir_arena_alloc(arena, bytes);
    if (!copy) {
        *failed = 1;
        return NULL;
    }
    return memcpy(copy, text, bytes);
}

void ir_arena_free(ir_arena *arena)
{
    while (arena->blocks) {
        struct ir_arena_block *next = arena->blocks->next;
        ir_free(arena->blocks);
        arena->blocks = next;
    }
    arena->used_bytes = 0;
}
