/* pool.h: a fixed set of threads that share the parts of one piece of work. */
#ifndef IR_BASE_POOL_H
#define IR_BASE_POOL_H

#include <imgret/imgret.h>

typedef struct ir_pool ir_pool;

/* Called once for each part, 0 <= part < part_count, on any of the threads, in no set order. */
typedef void (*ir_pool_fn)(void *context, uint32_t part);

/* Starts thread_count - 1 threads: the caller of ir_pool_run is the last one. Threads block all
 * signals. With thread_count 1 no thread is made. */
int32_t ir_pool_create(ir_pool **out, uint32_t thread_count, imgret_error *error);
void ir_pool_free(ir_pool *pool);

/* Runs all parts and returns when the last is done. Several threads may call it at once: one gets
 * the pool, the others do their parts alone, so that nobody waits for a stranger's work. */
void ir_pool_run(ir_pool *pool, ir_pool_fn fn, void *context, uint32_t part_count);

uint32_t ir_pool_thread_count(const ir_pool *pool);

/* The CPUs this process may run on, at least 1. */
uint32_t ir_cpu_count(void);

#endif
