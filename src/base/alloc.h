/* alloc.h: the one door to memory: the host's allocator, counted. */
#ifndef IR_BASE_ALLOC_H
#define IR_BASE_ALLOC_H

#include <imgret/imgret.h>
#include <stdbool.h>
#include <stddef.h>

/* As malloc, calloc, realloc and free, from the host's allocator. A request of 0 bytes returns a
 * pointer that can be freed. NULL means out of memory. Any thread. */
void *ir_malloc(size_t bytes);
void *ir_calloc(size_t count, size_t bytes);
void *ir_realloc(void *pointer, size_t bytes);
void ir_free(void *pointer);

/* `count` x `bytes`, or NULL when that overflows. */
void *ir_malloc_array(size_t count, size_t bytes);

/* Memory aligned to `alignment` (a power of two, at most 4,096), not cleared; free it with
 * ir_free_aligned only. */
void *ir_malloc_aligned(size_t alignment, size_t bytes);
void ir_free_aligned(void *pointer);

/* A hint that fresh memory will be read at random: large pages save the processor most of its address
 * look-ups. Before it is written; NULL is allowed. */
void ir_advise_random(void *pointer, size_t bytes);

/* Copies text; NULL in gives NULL out. */
char *ir_strdup(const char *text);
char *ir_strndup(const char *text, size_t length);

/* Formats into fresh memory; NULL when out of memory. */
char *ir_asprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* product = a * b; false on overflow. */
static inline bool ir_mul_size(size_t a, size_t b, size_t *product)
{
    return !__builtin_mul_overflow(a, b, product);
}

/* Allocations that are alive. */
uint64_t ir_alloc_live_count(void);

/* Tests only: the n-th allocation from now fails (1 is the next); 0 turns it off. */
void ir_alloc_fail_after(uint64_t n);

#endif
