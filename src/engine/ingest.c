/* ingest.c: the second half of an ingest: files with their vectors, grouped into transactions.
 *
 *   pipe (files in listing order, extracted) -> group -> transaction -> the host
 *
 * Invariants:
 *  1. `items` holds the files taken from the pipe and not yet committed, in listing order.
 *  2. A file is reported to the host only after the transaction that holds its outcome committed.
 *  3. The writer's lock is held while a group is written, never while this thread waits for files.
 */
#include "engine/ingest.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "engine/add.h"
#include "engine/objects.h"
#include "engine/pipe.h"

#include <stdio.h>
#include <string.h>

enum {
    PROGRESS_US = 100000, /* ten times a second */
    WAIT_MS = 50          /* how long an interrupt may go unnoticed */
};

typedef struct item {
    ir_pipe_file file;
    void *stored; /* vector as stored, behind it those of its objects; NULL: none */
    int64_t id;
} item;

typedef struct ingest {
    ir_database *database;
    const imgret_ingest_options *options;
    ir_call *call;
    ir_pipe *pipe;
    imgret_ingest_progress *progress;
    uint64_t started_us;
    uint64_t reported_us;
    uint64_t group_started_us;
    item *items;
    ir_region_change *changes;
    uint64_t item_count;
    uint64_t item_capacity;
    bool host_stopped;
    char *missing_path; /* the first given path that is not there; NULL: none */
} ingest;

static void fail_item(item *failed, int32_t status, const char *message)
{
    failed->file.outcome = IMGRET_FAILED;
    failed->file.code = status;
    snprintf(failed->file.message, sizeof failed->file.message, "%s", message);
}

/* ---- the catalogue ---- */

static bool needs_writing(const item *given)
{
    return given->stored != NULL || given->file.recorded || given->file.touched;
}

static ir_catalog_image image_of(const ingest *run, item *given)
{
    ir_pipe_file *file = &given->file;
    ir_catalog_image image = {
        .uri = file->uri,
        .format = file->format,
        .width = file->width,
        .height = file->height,
        .file_bytes = file->file_bytes,
        .modified_ns = file->modified_ns,
        .vector = given->stored,
        .vector_bytes = ir_delta_vector_bytes(run->database->delta),
        .attributes = given->stored ? ir_look_attributes(&file->look) : NULL,
        .label = given->stored && file->look.label[0] ? file->look.label : NULL,
        .label_score = (double)file->look.label_score,
        .spaced = run->database->regions != NULL,
        .objects = file->objects.items,
        .object_count = given->stored ? file->objects.count : 0,
    };
    memcpy(image.content_hash, file->content_hash, sizeof image.content_hash);
    return image;
}

static int32_t write_failure(ingest *run, item *failed, ir_region_change *change,
                             imgret_error *error)
{
    ir_catalog *catalog = run->database->catalog;
    ir_catalog_known known = {0};
    int32_t status = ir_catalog_find(catalog, failed->file.uri, true, &known, error);
    if (!status)
        status = ir_add_count_objects(run->database, known.id, change, error);
    if (status)
        return status;
    ir_catalog_image image = image_of(run, failed);
    return ir_catalog_store_failure(catalog, &image, failed->file.code, failed->file.message,
                                    known.id, &failed->id, &change->removed, error);
}

/* Notes new size and time of content that is known, unless the image changed or went meanwhile. */
static int32_t write_touch(ingest *run, item *given, imgret_error *error)
{
    const ir_pipe_file *file = &given->file;
    ir_catalog_known known = {0};
    int32_t status = ir_catalog_find(run->database->catalog, file->uri, true, &known, error);
    if (status)
        return status;
    if (known.id == given->id &&
        memcmp(known.content_hash, file->content_hash, sizeof known.content_hash) == 0)
        return ir_catalog_touch(run->database->catalog, given->id, file->file_bytes,
                                file->modified_ns, error);
    given->id = 0;
    fail_item(given, IMGRET_BUSY, "its entry changed while it was read: add it again");
    return IMGRET_OK;
}

static int32_t write_item(ingest *run, item *given, ir_region_change *change, imgret_error *error)
{
    memset(change, 0, sizeof *change);
    given->id = given->file.known_id;
    if (!needs_writing(given))
        return IMGRET_OK;
    if (given->file.outcome == IMGRET_FAILED)
        return write_failure(run, given, change, error);
    if (given->file.touched)
        return write_touch(run, given, error);
    ir_catalog_image image = image_of(run, given);
    return ir_add_store(run->database, &image, &given->file.outcome, &given->id, change, error);
}

/* An ingest promises durable groups, which it could not commit within a host's transaction. A
 * callback may have begun one. */
static int32_t refuse_transaction(ir_database *database, imgret_error *error)
{
    if (!ir_database_is_joined(database))
        return IMGRET_OK;
    return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                   "%s: an ingest commits on its own: end this thread's transaction first",
                   database->path);
}

static int32_t write_group(ingest *run, imgret_error *error)
{
    bool wanted = false;
    for (uint64_t i = 0; i < run->item_count && !wanted; i++)
        wanted = needs_writing(&run->items[i]);
    int32_t status = wanted ? refuse_transaction(run->database, error) : IMGRET_OK;
    if (!status && wanted)
        status = ir_database_begin(run->database, error);
    if (status)
        return status;
    for (uint64_t i = 0; i < run->item_count && !status; i++)
        status = write_item(run, &run->items[i], &run->changes[i], error);
    if (!wanted)
        return status;
    if (status) {
        ir_catalog_rollback(run->database->catalog);
        return status;
    }
    return ir_database_commit(run->database, run->changes, run->item_count, error);
}

/* ---- the host ---- */

static void count_outcome(imgret_ingest_progress *progress, int32_t outcome)
{
    progress->done_count++;
    progress->stored_count += outcome == IMGRET_STORED;
    progress->replaced_count += outcome == IMGRET_REPLACED;
    progress->unchanged_count += outcome == IMGRET_UNCHANGED;
    progress->failed_count += outcome == IMGRET_FAILED;
    progress->known_bad_count += outcome == IMGRET_KNOWN_BAD;
    progress->skipped_count += outcome == IMGRET_SKIPPED;
}

static void report_item(ingest *run, const item *done)
{
    const ir_pipe_file *file = &done->file;
    count_outcome(run->progress, file->outcome);
    if (file->named && file->outcome == IMGRET_FAILED && file->code == IMGRET_NOT_FOUND &&
        !run->missing_path)
        run->missing_path = ir_strdup(file->uri);
    if (!run->options->on_item || run->host_stopped)
        return;
    imgret_ingest_item reported = {
        .size = sizeof reported,
        .outcome = file->outcome,
        .id = done->id,
        .uri = file->uri,
        .code = file->code,
        .width = file->width,
        .height = file->height,
        .format = file->format,
        .message = file->message,
    };
    run->host_stopped = run->options->on_item(run->options->user, &reported) != 0;
}

static void report_progress(ingest *run, bool at_end)
{
    uint64_t now_us = ir_clock_us();
    ir_pipe_counts counts;
    ir_pipe_get_counts(run->pipe, &counts);
    run->progress->file_count = counts.file_count;
    run->progress->listing_done = counts.listing_done;
    run->progress->bytes_read = counts.bytes_read;
    run->progress->elapsed_us = now_us - run->started_us;
    if (!run->options->on_progress || (run->host_stopped && !at_end))
        return;
    if (!at_end && now_us - run->reported_us < PROGRESS_US)
        return;
    run->reported_us = now_us;
    if (run->options->on_progress(run->options->user, run->progress) != 0)
        run->host_stopped = true;
}

static void drop_items(ingest *run)
{
    for (uint64_t i = 0; i < run->item_count; i++) {
        ir_free(run->items[i].file.uri);
        ir_free(run->items[i].stored);
        ir_objects_free(&run->items[i].file.objects);
    }
    run->item_count = 0;
}

/* Writes the group and reports it. */
static int32_t commit_group(ingest *run, imgret_error *error)
{
    int32_t status = write_group(run, error);
    for (uint64_t i = 0; i < run->item_count && !status; i++)
        report_item(run, &run->items[i]);
    drop_items(run);
    return status;
}

/* ---- the run ---- */

static void take_file(ingest *run, const ir_pipe_file *file)
{
    if (run->item_count == 0)
        run->group_started_us = ir_clock_us();
    item *taken = &run->items[run->item_count++];
    *taken = (item){.file = *file};
    if (file->outcome != IMGRET_STORED)
        return;
    imgret_error reason = IMGRET_ERROR_INIT;
    int32_t status = ir_objects_encode(run->database, file->vector, 1 + file->objects.count,
                                       &taken->stored, &reason);
    if (status)
        fail_item(taken, status, reason.message);
}

static bool group_is_due(const ingest *run)
{
    if (run->item_count == 0)
        return false;
    uint64_t age_us = ir_clock_us() - run->group_started_us;
    return run->item_count == run->item_capacity ||
           age_us >= (uint64_t)run->options->commit_ms * 1000;
}

static int32_t take_all(ingest *run, imgret_error *error)
{
    for (;;) {
        ir_pipe_file file;
        int32_t status = ir_pipe_next(run->pipe, WAIT_MS, &file, error);
        if (status < 0)
            return status;
        bool end = status == IR_PIPE_END;
        if (status == IR_PIPE_FILE)
            take_file(run, &file);
        status = end || group_is_due(run) ? commit_group(run, error) : IMGRET_OK;
        if (status)
            return status;
        report_progress(run, false);
        if (run->host_stopped)
            return ir_fail(error, IMGRET_INTERRUPTED, "stopped by the host");
        if (end)
            return IMGRET_OK;
    }
}

/* An interrupted run commits what has its vector; what failed to be written stays unwritten. */
static int32_t finish(ingest *run, int32_t status, imgret_error *error)
{
    if (status == IMGRET_INTERRUPTED) {
        ir_call *shielded = ir_call_shield();
        int32_t committed = commit_group(run, error);
        ir_call_unshield(shielded);
        if (committed)
            status = committed;
    }
    report_progress(run, true);
    if (!status && run->host_stopped)
        status = ir_fail(error, IMGRET_INTERRUPTED, "stopped by the host");
    if (!status && run->missing_path)
        status = ir_fail(error, IMGRET_NOT_FOUND, "%s: no such file or folder", run->missing_path);
    return status;
}

int32_t ir_ingest(ir_database *database, const imgret_ingest_options *options,
                  imgret_ingest_progress *report, ir_call *call, imgret_error *error)
{
    ingest run = {
        .database = database,
        .options = options,
        .call = call,
        .progress = report,
        .started_us = ir_clock_us(),
        .item_capacity = options->commit_count,
    };
    if (database->read_only)
        return ir_fail(error, IMGRET_READ_ONLY, "%s is open for reading only", database->path);
    int32_t status = refuse_transaction(database, error);
    if (status)
        return status;
    run.items = ir_malloc_array((size_t)run.item_capacity, sizeof *run.items);
    run.changes = ir_malloc_array((size_t)run.item_capacity, sizeof *run.changes);
    if (!run.items || !run.changes)
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory for groups of %llu pictures",
                         (unsigned long long)run.item_capacity);
    if (!status)
        status = ir_pipe_start(&run.pipe, database, options, call, error);
    if (!status)
        status = finish(&run, take_all(&run, error), error);
    drop_items(&run);
    ir_pipe_free(run.pipe);
    ir_free(run.missing_path);
    ir_free(run.changes);
    ir_free(run.items);
    return status;
}
