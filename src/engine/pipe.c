/* pipe.c: the first half of an ingest: threads that find, read, decode and prepare files.
 *
 * Invariants, under `lock`:
 *  - Paths are numbered in listing order by `paths_taken` as workers take them from the queue; path
 *    number n is worked on in slot n % slot_count.
 *  - next_out <= n < paths_taken are in the ring; a worker takes a path only while
 *    paths_taken - next_out < slot_count, so a slot has one owner at a time: its worker until
 *    `ready`, then the caller.
 *  - `status` is the first failure that ends the run; once set, threads finish what they have and
 *    leave.
 */
#include "engine/pipe.h"

#include "base/alloc.h"
#include "base/error.h"
#include "engine/file_work.h"
#include "engine/walker.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

enum { QUEUE_MAX = 1 << 16 }; /* paths found ahead of the workers */

typedef struct queued_path {
    struct queued_path *next;
    ir_walker_entry entry;
} queued_path;

typedef struct slot {
    ir_pipe_file file;
    uint8_t *prepared; /* allocated at first use */
    bool ready;
} slot;

struct ir_pipe {
    ir_database *database;
    ir_call *call;
    ir_walker *walker;
    bool retry_failed;
    pthread_mutex_t lock;
    pthread_cond_t work; /* for workers and the walker: a path, a free slot, room, the end */
    pthread_cond_t done; /* for the caller: a slot is ready, the end */
    queued_path *first;
    queued_path *last;
    uint64_t queue_length;
    uint64_t paths_found;
    bool listing_done;
    uint64_t paths_taken;
    uint64_t next_out;
    bool handed_out; /* the caller holds slot next_out - 1 */
    uint64_t bytes_read;
    bool stop;
    int32_t status;
    imgret_error failure;
    uint32_t slot_count;
    slot *slots;
    uint32_t thread_count; /* started: the walker's, then the workers' */
    uint32_t worker_count;
    pthread_t threads[];
};

/* Under the lock. */
static void fail_run(ir_pipe *pipe, int32_t status, const imgret_error *failure)
{
    if (!pipe->status) {
        pipe->status = status;
        pipe->failure = *failure;
    }
    pipe->stop = true;
    pthread_cond_broadcast(&pipe->work);
    pthread_cond_broadcast(&pipe->done);
}

static bool is_stopped(ir_pipe *pipe)
{
    return pipe->stop || ir_call_stopped(pipe->call);
}

/* ---- the walker's thread ---- */

static void push_path(ir_pipe *pipe, queued_path *path)
{
    pthread_mutex_lock(&pipe->lock);
    while (pipe->queue_length >= QUEUE_MAX && !is_stopped(pipe))
        pthread_cond_wait(&pipe->work, &pipe->lock);
    if (pipe->last)
        pipe->last->next = path;
    else
        pipe->first = path;
    pipe->last = path;
    pipe->queue_length++;
    pipe->paths_found++;
    pthread_cond_signal(&pipe->work);
    pthread_mutex_unlock(&pipe->lock);
}

static void *walker_main(void *argument)
{
    ir_pipe *pipe = argument;
    imgret_error error = IMGRET_ERROR_INIT;
    int32_t status = IMGRET_OK;
    bool found = true;
    while (!status && found && !is_stopped(pipe)) {
        queued_path *path = ir_calloc(1, sizeof *path);
        if (!path) {
            status = ir_fail(&error, IMGRET_NO_MEMORY, "no memory for a path");
            break;
        }
        status = ir_walker_next(pipe->walker, &path->entry, &found, &error);
        if (!status && found) {
            push_path(pipe, path);
        } else {
            ir_free(path->entry.path);
            ir_free(path);
        }
    }
    pthread_mutex_lock(&pipe->lock);
    pipe->listing_done = true;
    if (status)
        fail_run(pipe, status, &error);
    pthread_cond_broadcast(&pipe->work);
    pthread_cond_broadcast(&pipe->done);
    pthread_mutex_unlock(&pipe->lock);
    return NULL;
}

/* ---- the workers' threads ---- */

/* Waits for a path and a free slot; NULL when there will be none. Under the lock. */
static queued_path *take_path(ir_pipe *pipe, slot **taken)
{
    for (;;) {
        if (is_stopped(pipe) || (pipe->listing_done && !pipe->first))
            return NULL;
        if (pipe->first && pipe->paths_taken - pipe->next_out < pipe->slot_count)
            break;
        pthread_cond_wait(&pipe->work, &pipe->lock);
    }
    queued_path *path = pipe->first;
    pipe->first = path->next;
    if (!pipe->first)
        pipe->last = NULL;
    pipe->queue_length--;
    *taken = &pipe->slots[pipe->paths_taken++ % pipe->slot_count];
    (*taken)->ready = false;
    return path;
}

static int32_t work_on(ir_pipe *pipe, queued_path *path, slot *taken, ir_analyzer **analyzer,
                       imgret_error *error)
{
    ir_file_work work = {
        .database = pipe->database,
        .retry_failed = pipe->retry_failed,
        .file = &taken->file,
        .analyzer = analyzer,
        .prepared = &taken->prepared,
    };
    memset(&taken->file, 0, sizeof taken->file);
    taken->file.format = "";
    return ir_file_work_run(&work, &path->entry, error);
}

static void *worker_main(void *argument)
{
    ir_pipe *pipe = argument;
    queued_path *path;
    slot *taken;
    ir_analyzer *analyzer = NULL;
    pthread_mutex_lock(&pipe->lock);
    while ((path = take_path(pipe, &taken)) != NULL) {
        pthread_mutex_unlock(&pipe->lock);
        imgret_error error = IMGRET_ERROR_INIT;
        int32_t status = work_on(pipe, path, taken, &analyzer, &error);
        ir_free(path->entry.path);
        ir_free(path);
        pthread_mutex_lock(&pipe->lock);
        taken->ready = true;
        pipe->bytes_read += taken->file.bytes_read;
        if (status)
            fail_run(pipe, status, &error);
        pthread_cond_signal(&pipe->done);
    }
    pthread_cond_broadcast(&pipe->done);
    pthread_mutex_unlock(&pipe->lock);
    ir_analyzer_free(analyzer);
    return NULL;
}

/* ---- the caller's side ---- */

static int32_t start_threads(ir_pipe *pipe, imgret_error *error)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int cause = pthread_create(&pipe->threads[0], NULL, walker_main, pipe);
    if (!cause)
        pipe->thread_count = 1;
    while (!cause && pipe->thread_count <= pipe->worker_count) {
        cause = pthread_create(&pipe->threads[pipe->thread_count], NULL, worker_main, pipe);
        if (!cause)
            pipe->thread_count++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (cause)
        return ir_fail(error, IMGRET_NO_MEMORY, "cannot start a thread: %s", strerror(cause));
    return IMGRET_OK;
}

static void init_locks(ir_pipe *pipe)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&pipe->lock, NULL);
    pthread_cond_init(&pipe->work, NULL);
    pthread_cond_init(&pipe->done, &attributes);
    pthread_condattr_destroy(&attributes);
}

int32_t ir_pipe_start(ir_pipe **out, ir_database *database, const imgret_ingest_options *options,
                      ir_call *call, imgret_error *error)
{
    *out = NULL;
    uint32_t workers = database->threads;
    ir_pipe *pipe = ir_calloc(1, sizeof *pipe + (workers + 1) * sizeof pipe->threads[0]);
    if (!pipe)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to ingest");
    pipe->database = database;
    pipe->call = call;
    pipe->retry_failed = (options->flags & IMGRET_INGEST_RETRY_FAILED) != 0;
    pipe->worker_count = workers;
    pipe->slot_count = 16 + 4 * workers;
    init_locks(pipe);
    int32_t status = ir_walker_create(&pipe->walker, options->paths, options->path_count,
                                      !(options->flags & IMGRET_INGEST_NO_RECURSION),
                                      database->path, error);
    if (!status) {
        pipe->slots = ir_calloc(pipe->slot_count, sizeof *pipe->slots);
        if (!pipe->slots)
            status = ir_fail(error, IMGRET_NO_MEMORY, "no memory to ingest");
    }
    if (!status)
        status = start_threads(pipe, error);
    if (status) {
        ir_pipe_free(pipe);
        return status;
    }
    *out = pipe;
    return IMGRET_OK;
}

static struct timespec time_after(uint32_t wait_ms)
{
    struct timespec when;
    clock_gettime(CLOCK_MONOTONIC, &when);
    when.tv_sec += wait_ms / 1000;
    when.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    if (when.tv_nsec >= 1000000000) {
        when.tv_sec++;
        when.tv_nsec -= 1000000000;
    }
    return when;
}

/* IR_PIPE_*, or 0 while nothing can be said. Under the lock. */
static int32_t look_for_file(ir_pipe *pipe, imgret_error *error)
{
    if (pipe->status) {
        if (error)
            ir_fail(error, pipe->status, "%s", pipe->failure.message);
        return pipe->status;
    }
    if (ir_call_stopped(pipe->call))
        return ir_fail(error, IMGRET_INTERRUPTED, "interrupted");
    if (pipe->next_out < pipe->paths_taken)
        return pipe->slots[pipe->next_out % pipe->slot_count].ready ? IR_PIPE_FILE : 0;
    return pipe->listing_done && !pipe->first ? IR_PIPE_END : 0;
}

int32_t ir_pipe_next(ir_pipe *pipe, uint32_t wait_ms, ir_pipe_file *out, imgret_error *error)
{
    struct timespec until = time_after(wait_ms);
    pthread_mutex_lock(&pipe->lock);
    if (pipe->handed_out) { /* only now may a worker have the slot again */
        pipe->handed_out = false;
        pipe->next_out++;
        pthread_cond_broadcast(&pipe->work);
    }
    int32_t found;
    while ((found = look_for_file(pipe, error)) == 0)
        if (pthread_cond_timedwait(&pipe->done, &pipe->lock, &until) == ETIMEDOUT) {
            found = look_for_file(pipe, error);
            break;
        }
    if (found == IR_PIPE_FILE) {
        slot *ready = &pipe->slots[pipe->next_out % pipe->slot_count];
        *out = ready->file;
        out->prepared = ready->prepared;
        ready->file.uri = NULL;
        pipe->handed_out = true;
    }
    pthread_mutex_unlock(&pipe->lock);
    return found ? found : IR_PIPE_TIMEOUT;
}

void ir_pipe_get_counts(ir_pipe *pipe, ir_pipe_counts *out)
{
    pthread_mutex_lock(&pipe->lock);
    out->file_count = pipe->paths_found;
    out->listing_done = pipe->listing_done;
    out->bytes_read = pipe->bytes_read;
    pthread_mutex_unlock(&pipe->lock);
}

void ir_pipe_free(ir_pipe *pipe)
{
    if (!pipe)
        return;
    pthread_mutex_lock(&pipe->lock);
    pipe->stop = true;
    pthread_cond_broadcast(&pipe->work);
    pthread_mutex_unlock(&pipe->lock);
    for (uint32_t i = 0; i < pipe->thread_count; i++)
        pthread_join(pipe->threads[i], NULL);
    while (pipe->first) {
        queued_path *next = pipe->first->next;
        ir_free(pipe->first->entry.path);
        ir_free(pipe->first);
        pipe->first = next;
    }
    for (uint32_t i = 0; pipe->slots && i < pipe->slot_count; i++) {
        ir_free(pipe->slots[i].file.uri);
        ir_free(pipe->slots[i].prepared);
    }
    ir_free(pipe->slots);
    ir_walker_free(pipe->walker);
    pthread_cond_destroy(&pipe->done);
    pthread_cond_destroy(&pipe->work);
    pthread_mutex_destroy(&pipe->lock);
    ir_free(pipe);
}
