/* pipe.c: the first half of an ingest: threads that find, read, decode, prepare and extract files. */
#include "engine/pipe_inside.h"

#include "base/alloc.h"
#include "base/error.h"
#include "engine/file_work.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

enum { QUEUE_MAX = 1 << 16 }; /* paths found ahead of the workers */

void ir_pipe_fail(ir_pipe *pipe, int32_t status, const imgret_error *failure)
{
    if (!pipe->status) {
        pipe->status = status;
        pipe->failure = *failure;
    }
    pipe->stop = true;
    pthread_cond_broadcast(&pipe->work);
    pthread_cond_broadcast(&pipe->prepared);
    pthread_cond_broadcast(&pipe->done);
}

bool ir_pipe_is_stopped(ir_pipe *pipe)
{
    return pipe->stop || ir_call_stopped(pipe->call);
}

/* ---- the walker's thread ---- */

static void push_path(ir_pipe *pipe, queued_path *path)
{
    pthread_mutex_lock(&pipe->lock);
    while (pipe->queue_length >= QUEUE_MAX && !ir_pipe_is_stopped(pipe))
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
    while (!status && found && !ir_pipe_is_stopped(pipe)) {
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
        ir_pipe_fail(pipe, status, &error);
    pthread_cond_broadcast(&pipe->work);
    pthread_cond_broadcast(&pipe->prepared);
    pthread_cond_broadcast(&pipe->done);
    pthread_mutex_unlock(&pipe->lock);
    return NULL;
}

/* ---- the workers' threads ---- */

/* Waits for a path and a free slot; NULL when there will be none. Under the lock. */
static queued_path *take_path(ir_pipe *pipe, ir_pipe_slot **taken)
{
    for (;;) {
        if (ir_pipe_is_stopped(pipe) || (pipe->listing_done && !pipe->first))
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
    *taken = ir_pipe_slot_at(pipe, pipe->paths_taken++);
    (*taken)->state = IR_SLOT_WORKED_ON;
    return path;
}

static int32_t work_on(ir_pipe *pipe, queued_path *path, ir_pipe_slot *taken,
                       ir_analyzer **analyzer, imgret_error *error)
{
    ir_file_work work = {
        .database = pipe->database,
        .call = pipe->call,
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
    ir_pipe_slot *taken;
    ir_analyzer *analyzer = NULL;
    pthread_mutex_lock(&pipe->lock);
    while ((path = take_path(pipe, &taken)) != NULL) {
        pthread_mutex_unlock(&pipe->lock);
        imgret_error error = IMGRET_ERROR_INIT;
        int32_t status = work_on(pipe, path, taken, &analyzer, &error);
        ir_free(path->entry.path);
        ir_free(path);
        pthread_mutex_lock(&pipe->lock);
        bool prepared = !status && taken->file.outcome == IMGRET_STORED;
        taken->state = prepared ? IR_SLOT_PREPARED : IR_SLOT_READY;
        pipe->prepared_count += prepared;
        pipe->bytes_read += taken->file.bytes_read;
        if (status)
            ir_pipe_fail(pipe, status, &error);
        pthread_cond_signal(prepared ? &pipe->prepared : &pipe->done);
    }
    pthread_cond_broadcast(&pipe->prepared);
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
    int cause = 0;
    for (uint32_t i = 0; !cause && i < 1 + pipe->worker_count + pipe->extract_thread_count; i++) {
        void *(*start)(void *) = i == 0                    ? walker_main
                                 : i <= pipe->worker_count ? worker_main
                                                           : ir_pipe_extract_main;
        cause = pthread_create(&pipe->threads[i], NULL, start, pipe);
        pipe->thread_count += !cause;
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
    pthread_cond_init(&pipe->prepared, &attributes);
    pthread_cond_init(&pipe->done, &attributes);
    pthread_condattr_destroy(&attributes);
}

int32_t ir_pipe_start(ir_pipe **out, ir_database *database, const imgret_ingest_options *options,
                      ir_call *call, imgret_error *error)
{
    *out = NULL;
    uint32_t workers = database->threads;
    /* Without a number from the host a model has at most one instance a thread; threads without an
     * instance end once it is loaded. */
    uint32_t extractors = database->extract_options.instances;
    extractors = extractors ? extractors : workers;
    ir_pipe *pipe = ir_calloc(1,
                              sizeof *pipe + (1 + workers + extractors) * sizeof pipe->threads[0]);
    if (!pipe)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to ingest");
    pipe->database = database;
    pipe->call = call;
    pipe->retry_failed = (options->flags & IMGRET_INGEST_RETRY_FAILED) != 0;
    pipe->worker_count = workers;
    pipe->extract_thread_count = extractors;
    /* While one batch is in the model the next is prepared, and a third waits for its commit. */
    pipe->slot_count = 16 + 4 * workers + 2 * IR_PIPE_BATCH_MAX;
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

struct timespec ir_pipe_time_after(uint32_t wait_ms)
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
        return ir_pipe_slot_at(pipe, pipe->next_out)->state == IR_SLOT_READY ? IR_PIPE_FILE : 0;
    return pipe->listing_done && !pipe->first ? IR_PIPE_END : 0;
}

int32_t ir_pipe_next(ir_pipe *pipe, uint32_t wait_ms, ir_pipe_file *out, imgret_error *error)
{
    struct timespec until = ir_pipe_time_after(wait_ms);
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
        ir_pipe_slot *ready = ir_pipe_slot_at(pipe, pipe->next_out);
        *out = ready->file;
        out->vector = ready->vector;
        ready->file.uri = NULL;
        ready->file.objects = (ir_objects){0};
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
    pthread_cond_broadcast(&pipe->prepared);
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
        ir_objects_free(&pipe->slots[i].file.objects);
        ir_free(pipe->slots[i].prepared);
        ir_free(pipe->slots[i].vector);
    }
    ir_free(pipe->slots);
    ir_walker_free(pipe->walker);
    pthread_cond_destroy(&pipe->done);
    pthread_cond_destroy(&pipe->prepared);
    pthread_cond_destroy(&pipe->work);
    pthread_mutex_destroy(&pipe->lock);
    ir_free(pipe);
}
