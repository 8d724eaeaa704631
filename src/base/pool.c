/* pool.c: a fixed set of threads that share the parts of one piece of work.
 *
 * Invariants, under `lock`: `generation` grows with each piece of work; `active` counts the worker
 * threads inside it; ir_pool_run returns only when active is 0, so fn and context outlive their
 * last use. Parts are handed out by the atomic `next_part`.
 */
#include "base/pool.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/way.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

struct ir_pool {
    pthread_mutex_t lock;
    pthread_cond_t work_ready;
    pthread_cond_t work_done;
    pthread_mutex_t owner; /* held by the thread whose work is running */
    ir_pool_fn fn;
    void *context;
    const ir_way *way; /* of the thread whose work it is */
    uint32_t part_count;
    _Atomic uint32_t next_part;
    uint64_t generation;
    uint32_t active;
    int stop;
    uint32_t worker_count;
    pthread_t workers[];
};

static void do_parts(ir_pool *pool)
{
    uint32_t part;
    while ((part = atomic_fetch_add(&pool->next_part, 1)) < pool->part_count) {
        pool->fn(pool->context, part);
        ir_give_way();
    }
}

static void *worker_main(void *argument)
{
    ir_pool *pool = argument;
    uint64_t seen = 0;
    pthread_mutex_lock(&pool->lock);
    while (!pool->stop) {
        if (pool->generation == seen) {
            pthread_cond_wait(&pool->work_ready, &pool->lock);
            continue;
        }
        seen = pool->generation;
        if (atomic_load(&pool->next_part) >= pool->part_count)
            continue; /* woken too late: it is all handed out */
        pool->active++;
        const ir_way *way = pool->way;
        pthread_mutex_unlock(&pool->lock);
        ir_way_set(way);
        do_parts(pool);
        ir_way_set(NULL);
        pthread_mutex_lock(&pool->lock);
        if (--pool->active == 0)
            pthread_cond_signal(&pool->work_done);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

int32_t ir_pool_create(ir_pool **out, uint32_t thread_count, imgret_error *error)
{
    *out = NULL;
    uint32_t wanted = thread_count > 1 ? thread_count - 1 : 0;
    ir_pool *pool = ir_calloc(1, sizeof *pool + wanted * sizeof pool->workers[0]);
    if (!pool)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a thread pool");
    pthread_mutex_init(&pool->lock, NULL);
    pthread_mutex_init(&pool->owner, NULL);
    pthread_cond_init(&pool->work_ready, NULL);
    pthread_cond_init(&pool->work_done, NULL);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int cause = 0;
    while (pool->worker_count < wanted && cause == 0) {
        cause = pthread_create(&pool->workers[pool->worker_count], NULL, worker_main, pool);
        if (cause == 0)
            pool->worker_count++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (cause) {
        ir_pool_free(pool);
        return ir_fail(error, IMGRET_NO_MEMORY, "cannot start a thread: %s", strerror(cause));
    }
    *out = pool;
    return IMGRET_OK;
}

void ir_pool_free(ir_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stop = 1;
    pthread_cond_broadcast(&pool->work_ready);
    pthread_mutex_unlock(&pool->lock);
    for (uint32_t i = 0; i < pool->worker_count; i++)
        pthread_join(pool->workers[i], NULL);
    pthread_cond_destroy(&pool->work_done);
    pthread_cond_destroy(&pool->work_ready);
    pthread_mutex_destroy(&pool->owner);
    pthread_mutex_destroy(&pool->lock);
    ir_free(pool);
}

void ir_pool_run(ir_pool *pool, ir_pool_fn fn, void *context, uint32_t part_count)
{
    if (part_count < 2 || pool->worker_count == 0 || pthread_mutex_trylock(&pool->owner) != 0) {
        for (uint32_t part = 0; part < part_count; part++) {
            fn(context, part);
            ir_give_way();
        }
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->fn = fn;
    pool->context = context;
    pool->way = ir_way_get();
    pool->part_count = part_count;
    atomic_store(&pool->next_part, 0);
    pool->generation++;
    pthread_cond_broadcast(&pool->work_ready);
    pthread_mutex_unlock(&pool->lock);
    do_parts(pool);
    pthread_mutex_lock(&pool->lock);
    while (pool->active > 0)
        pthread_cond_wait(&pool->work_done, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
    pthread_mutex_unlock(&pool->owner);
}

uint32_t ir_pool_thread_count(const ir_pool *pool)
{
    return pool->worker_count + 1;
}

uint32_t ir_cpu_count(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    int count = CPU_COUNT(&set);
    return count > 0 ? (uint32_t)count : 1;
}
