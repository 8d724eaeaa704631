/* io_threads.c: reads by a few threads with pread, where io_uring is not allowed.
 *
 * Invariants, under `lock`: requests wait in the ring `todo`, finished ones in `done`; both have
 * room for `depth`, and the caller never has more than that in flight.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "io/io_kinds.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

enum { WORKERS_MAX = 16 };

typedef struct threads_io {
    ir_io base;
    pthread_mutex_t lock;
    pthread_cond_t todo_ready;
    pthread_cond_t done_ready;
    ir_io_read *todo;
    ir_io_done *done;
    uint32_t todo_first, todo_count;
    uint32_t done_count;
    uint32_t worker_count;
    bool stop;
    pthread_t workers[WORKERS_MAX];
} threads_io;

static void *worker_main(void *argument)
{
    threads_io *self = argument;
    pthread_mutex_lock(&self->lock);
    while (!self->stop || self->todo_count > 0) {
        if (self->todo_count == 0) {
            pthread_cond_wait(&self->todo_ready, &self->lock);
            continue;
        }
        ir_io_read read = self->todo[self->todo_first];
        self->todo_first = (self->todo_first + 1) % self->base.options.depth;
        self->todo_count--;
        pthread_mutex_unlock(&self->lock);
        int32_t result = ir_io_read_now(self->base.options.fd, &read);
        pthread_mutex_lock(&self->lock);
        self->done[self->done_count++] = (ir_io_done){read.tag, result};
        pthread_cond_signal(&self->done_ready);
    }
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

static void threads_free(ir_io *io)
{
    threads_io *self = (threads_io *)io;
    pthread_mutex_lock(&self->lock);
    self->stop = true;
    pthread_cond_broadcast(&self->todo_ready);
    pthread_mutex_unlock(&self->lock);
    for (uint32_t i = 0; i < self->worker_count; i++)
        pthread_join(self->workers[i], NULL);
    pthread_cond_destroy(&self->todo_ready);
    pthread_cond_destroy(&self->done_ready);
    pthread_mutex_destroy(&self->lock);
    ir_free(self->todo);
    ir_free(self->done);
    ir_free(self);
}

static void threads_queue(ir_io *io, const ir_io_read *read)
{
    threads_io *self = (threads_io *)io;
    pthread_mutex_lock(&self->lock);
    self->todo[(self->todo_first + self->todo_count++) % io->options.depth] = *read;
    pthread_cond_signal(&self->todo_ready);
    pthread_mutex_unlock(&self->lock);
}

static int32_t threads_turn(ir_io *io, ir_io_done *out, uint32_t capacity, uint32_t wait_min,
                            uint32_t *out_count, imgret_error *error)
{
    (void)error;
    threads_io *self = (threads_io *)io;
    pthread_mutex_lock(&self->lock);
    while (self->done_count < wait_min)
        pthread_cond_wait(&self->done_ready, &self->lock);
    uint32_t count = self->done_count < capacity ? self->done_count : capacity;
    if (count > 0)
        memcpy(out, self->done, count * sizeof out[0]);
    self->done_count -= count;
    memmove(self->done, self->done + count, self->done_count * sizeof out[0]);
    pthread_mutex_unlock(&self->lock);
    *out_count = count;
    return IMGRET_OK;
}

static const ir_io_ops threads_ops = {
    .kind = IR_IO_THREADS,
    .free = threads_free,
    .queue = threads_queue,
    .turn = threads_turn,
};

static int start_workers(threads_io *self)
{
    uint32_t wanted = self->base.options.depth < WORKERS_MAX ? self->base.options.depth
                                                             : WORKERS_MAX;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int cause = 0;
    while (self->worker_count < wanted && cause == 0) {
        cause = pthread_create(&self->workers[self->worker_count], NULL, worker_main, self);
        if (cause == 0)
            self->worker_count++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return self->worker_count > 0 ? 0 : cause; /* fewer than wanted are only slower */
}

int32_t ir_io_threads_create(ir_io **out, const ir_io_options *options, imgret_error *error)
{
    threads_io *self = ir_calloc(1, sizeof *self);
    if (!self)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for reading threads");
    self->base.ops = &threads_ops;
    self->base.options = *options;
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->todo_ready, NULL);
    pthread_cond_init(&self->done_ready, NULL);
    self->todo = ir_malloc_array(options->depth, sizeof self->todo[0]);
    self->done = ir_malloc_array(options->depth, sizeof self->done[0]);
    if (!self->todo || !self->done) {
        threads_free(&self->base);
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u reads", options->depth);
    }
    int cause = start_workers(self);
    if (cause) {
        threads_free(&self->base);
        return ir_fail(error, IMGRET_NO_MEMORY, "cannot start a thread: %s", strerror(cause));
    }
    *out = &self->base;
    return IMGRET_OK;
}
