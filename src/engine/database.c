/* database.c: opening, closing and keeping RAM in step with the catalogue. */
#include "engine/database.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "decode/decode.h"
#include "engine/optimize.h"
#include "engine/regions_settings.h"
#include "engine/settings.h"

/* ---- in step with the catalogue ---- */

/* Under delta_lock. A removed vector may be in the delta or in a segment: both are told. */
static int32_t on_removal(void *context, int64_t region, imgret_error *error)
{
    ir_database *database = context;
    ir_delta_remove(database->delta, region);
    return ir_tombstones_add(database->segments.tombstones, region, error);
}

static int32_t on_vector(void *context, int64_t region, const void *vector, size_t vector_bytes,
                         imgret_error *error)
{
    ir_database *database = context;
    size_t wanted = ir_delta_vector_bytes(database->delta);
    if (vector_bytes != wanted)
        return ir_fail(error, IMGRET_CORRUPT,
                       "%s: the vector of region %lld has %zu bytes, not %zu", database->path,
                       (long long)region, vector_bytes, wanted);
    return ir_delta_append(database->delta, region, vector, error);
}

/* Under delta_lock. The list of segments and the pending vectors are read one after the other: when
 * something was committed in between (vectors may have moved from one to the other), once more. */
static int32_t follow_catalog(ir_database *database, int64_t version, imgret_error *error)
{
    for (;;) {
        int32_t status = ir_settings_check_identity(database, error);
        if (!status)
            status = ir_segments_follow(&database->segments, database->catalog, database->delta,
                                        error);
        if (!status)
            status = ir_catalog_changes(database->catalog, ir_delta_last_id(database->delta),
                                        &database->removal_mark, on_removal, on_vector, database,
                                        error);
        int64_t now = version, last_removal = 0;
        if (!status) /* the list of removals may be shorter than what was ever removed */
            status = ir_catalog_last_removal(database->catalog, &last_removal, error);
        if (!status)
            status = ir_catalog_data_version(database->catalog, &now, error);
        if (status)
            return status;
        if (now == version) {
            database->data_version_seen = version;
            if (last_removal > database->removal_mark)
                database->removal_mark = last_removal;
            return IMGRET_OK;
        }
        version = now;
    }
}

/* Under delta_lock. */
static int32_t sync_delta(ir_database *database, imgret_error *error)
{
    int64_t version;
    int32_t status = ir_catalog_data_version(database->catalog, &version, error);
    if (!status && version != database->data_version_seen)
        status = follow_catalog(database, version, error);
    return status;
}

/* What a synchronisation replaced is closed after the lock: nobody waits for it. */
static void leave_delta(ir_database *database)
{
    ir_segments_bag gone = ir_segments_take_gone(&database->segments);
    pthread_mutex_unlock(&database->delta_lock);
    ir_segments_bag_free(&gone);
}

int32_t ir_database_sync(ir_database *database, imgret_error *error)
{
    pthread_mutex_lock(&database->delta_lock);
    int32_t status = sync_delta(database, error);
    leave_delta(database);
    return status;
}

void ir_database_distrust(ir_database *database)
{
    database->data_version_seen = -1;
}

int32_t ir_database_look(ir_database *database, bool hold, ir_database_view *out,
                         imgret_error *error)
{
    *out = (ir_database_view){0};
    pthread_mutex_lock(&database->delta_lock);
    int32_t status = hold ? ir_catalog_hold(database->catalog, error) : IMGRET_OK;
    if (!status) {
        out->held = hold;
        status = sync_delta(database, error);
        out->last_region = ir_delta_last_id(database->delta);
        out->removal_mark = database->removal_mark;
    }
    if (status && out->held) {
        ir_catalog_release(database->catalog);
        out->held = false;
    }
    if (!out->held)
        leave_delta(database);
    return status;
}

void ir_database_leave(ir_database *database, const ir_database_view *view)
{
    if (!view->held)
        return;
    ir_catalog_release(database->catalog);
    leave_delta(database);
}

int32_t ir_database_view_lost(ir_database *database, const ir_database_view *view, bool *out,
                              imgret_error *error)
{
    int64_t last = 0;
    int32_t status = ir_catalog_last_removal(database->catalog, &last, error);
    *out = last > view->removal_mark;
    return status;
}

bool ir_database_is_joined(ir_database *database)
{
    return ir_catalog_in_transaction(database->catalog) && database->transaction_open;
}

int32_t ir_database_begin(ir_database *database, imgret_error *error)
{
    if (database->read_only)
        return ir_fail(error, IMGRET_READ_ONLY, "%s is open for reading only", database->path);
    if (ir_database_is_joined(database))
        return IMGRET_OK;
    int32_t status = ir_catalog_begin(database->catalog, error);
    if (status)
        return status;
    status = ir_database_sync(database, error);
    if (status)
        ir_catalog_rollback(database->catalog);
    return status;
}

typedef struct {
    ir_database *database;
    const ir_region_change *changes;
    uint64_t count;
    bool incomplete; /* the changes are not all there */
    int32_t status;
    imgret_error *error;
} commit_context;

/* Under delta_lock. */
static int32_t apply_change(ir_database *database, const ir_region_change *change,
                            imgret_error *error)
{
    ir_delta *delta = database->delta;
    size_t vector_bytes = ir_delta_vector_bytes(delta);
    int32_t status = IMGRET_OK;
    for (uint32_t i = 0; change->added && i <= change->objects_added && !status; i++)
        if (change->added + i > ir_delta_last_id(delta))
            status = ir_delta_append(delta, change->added + i,
                                     (const char *)change->vector + i * vector_bytes, error);
    for (uint32_t i = 0; change->removed && i <= change->objects_removed && !status; i++)
        status = on_removal(database, change->removed + i, error);
    return status;
}

/* Runs after the commit under the writer's lock. A query may have synchronised in between: what it
 * appended already is passed over. */
static void apply_changes(void *context)
{
    commit_context *commit = context;
    pthread_mutex_lock(&commit->database->delta_lock);
    for (uint64_t i = 0; i < commit->count && !commit->status; i++)
        commit->status = apply_change(commit->database, &commit->changes[i], commit->error);
    /* No memory: the next synchronisation fetches what is missing. */
    if (commit->status || commit->incomplete)
        ir_database_distrust(commit->database);
    pthread_mutex_unlock(&commit->database->delta_lock);
}

static int32_t commit_now(ir_database *database, const ir_region_change *changes, uint64_t count,
                          bool incomplete, imgret_error *error)
{
    commit_context commit = {database, changes, count, incomplete, IMGRET_OK, NULL};
    int32_t status = ir_catalog_commit(database->catalog, apply_changes, &commit, error);
    if (!status && commit.status)
        ir_log(IMGRET_LOG_WARNING, "%s: committed, but no memory to search it now", database->path);
    return status;
}

int32_t ir_database_commit(ir_database *database, const ir_region_change *changes, uint64_t count,
                           imgret_error *error)
{
    if (!ir_database_is_joined(database))
        return commit_now(database, changes, count, false, error);
    ir_transaction_keep(&database->transaction, changes, count,
                        ir_delta_vector_bytes(database->delta));
    return IMGRET_OK;
}

void ir_database_rollback(ir_database *database)
{
    if (!ir_database_is_joined(database))
        ir_catalog_rollback(database->catalog);
}

int32_t ir_database_begin_host(ir_database *database, imgret_error *error)
{
    if (ir_database_is_joined(database))
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "%s: this thread has a transaction open: they do not nest", database->path);
    int32_t status = ir_database_begin(database, error);
    if (!status)
        database->transaction_open = true;
    return status;
}

static int32_t need_host_transaction(ir_database *database, imgret_error *error)
{
    if (ir_database_is_joined(database))
        return IMGRET_OK;
    return ir_fail(error, IMGRET_INVALID_ARGUMENT, "%s: this thread has no transaction open to end",
                   database->path);
}

int32_t ir_database_commit_host(ir_database *database, imgret_error *error)
{
    int32_t status = need_host_transaction(database, error);
    if (status)
        return status;
    /* Another thread's may begin the moment the catalogue has committed. */
    ir_transaction done = database->transaction;
    database->transaction = (ir_transaction){0};
    database->transaction_open = false;
    status = commit_now(database, done.changes, done.count, done.incomplete, error);
    ir_transaction_clear(&done);
    return status;
}

int32_t ir_database_rollback_host(ir_database *database, imgret_error *error)
{
    int32_t status = need_host_transaction(database, error);
    if (status)
        return status;
    ir_transaction_clear(&database->transaction);
    database->transaction_open = false;
    ir_catalog_rollback(database->catalog);
    return IMGRET_OK;
}

/* ---- life ---- */

static int32_t prepare_handle(ir_database *database, const char *path,
                              const imgret_open_options *options, imgret_error *error)
{
    database->threads = options->threads ? options->threads : ir_cpu_count();
    if (database->threads > 1024)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "imgret_open_options.threads is %u",
                       options->threads);
    database->read_only = (options->flags & IMGRET_OPEN_READ_ONLY) != 0;
    database->metric = options->metric;
    database->vector_type = options->vector_type;
    database->data_version_seen = -1;
    database->path = ir_strdup(path);
    database->pca_copy = ir_path_join(path, "pca.imgret-pca");
    database->plugin_path = ir_strdup(options->plugin_path);
    if (!database->path || !database->pca_copy || (options->plugin_path && !database->plugin_path))
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to open %s", path);
    database->extract_options = (ir_extractor_options){
        .plugin_path = database->plugin_path,
        .threads = database->threads,
        .instances = options->instances,
        .batch_max = options->batch_max,
        .batch_delay_us = options->batch_delay_us,
        .queue_max = options->queue_max,
    };
    int32_t status = ir_decode_limits(&database->limits, options->limits, error);
    if (!status && options->decode_isolation)
        status = ir_isolation_create(&database->isolation, options->decode_isolation,
                                     &database->limits, error);
    if (!status && options->feature_cache_bytes != IMGRET_NO_CACHE)
        status = ir_feature_cache_create(&database->features, options->feature_cache_bytes, error);
    if (!status)
        status = ir_filter_cache_create(&database->filters, error);
    if (!status)
        status = ir_pool_create(&database->pool, database->threads, error);
    database->segments.pool = database->pool;
    /* Before the catalogue: a model that cannot be used must not leave a new database behind. */
    if (!status && options->model)
        status = ir_settings_take_model(database, options->model, error);
    return status ? status : ir_regions_take_wanted(database, options->regions, error);
}

static int32_t open_catalog(ir_database *database, const char *path,
                            const imgret_open_options *options, imgret_error *error)
{
    ir_catalog_options catalog = {
        .read_only = database->read_only,
        .existing = (options->flags & IMGRET_OPEN_EXISTING) != 0,
        .fresh = (options->flags & IMGRET_OPEN_NEW) != 0,
        .busy_timeout_ms = options->busy_timeout_ms,
        .stop = ir_call_current_stopped,
    };
    bool created;
    int32_t status = ir_catalog_open(&database->catalog, path, &catalog, &created, error);
    if (!status)
        status = ir_settings_settle(database, error);
    if (!status)
        status = ir_delta_create(&database->delta, database->dimension, database->metric,
                                 database->vector_type, error);
    if (!status && !database->read_only)
        ir_optimize_clean(database);
    return status ? status : ir_database_sync(database, error);
}

int32_t ir_database_open(ir_database **out, const char *path, const imgret_open_options *options,
                         imgret_error *error)
{
    *out = NULL;
    ir_database *database = ir_calloc(1, sizeof *database);
    if (!database)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to open %s", path);
    pthread_mutex_init(&database->extractor_lock, NULL);
    pthread_mutex_init(&database->delta_lock, NULL);
    pthread_mutex_init(&database->optimize_lock, NULL);
    int32_t status = ir_segments_init(&database->segments, options->index_ram_bytes, error);
    if (!status)
        status = prepare_handle(database, path, options, error);
    if (!status)
        status = open_catalog(database, path, options, error);
    if (!status && options->flags & IMGRET_OPEN_MAINTAIN)
        status = ir_maintenance_start(&database->maintenance, database, error);
    if (status) {
        ir_database_close(database);
        return status;
    }
    *out = database;
    return IMGRET_OK;
}

void ir_database_close(ir_database *database)
{
    if (!database)
        return;
    ir_maintenance_stop(database->maintenance);
    ir_catalog_close(database->catalog);
    ir_transaction_clear(&database->transaction);
    ir_extractor_close(database->extractor);
    ir_regions_free(database->regions);
    ir_segments_close(&database->segments);
    ir_feature_cache_free(database->features);
    ir_isolation_free(database->isolation);
    ir_filter_cache_free(database->filters);
    ir_delta_free(database->delta);
    ir_pool_free(database->pool);
    pthread_mutex_destroy(&database->optimize_lock);
    pthread_mutex_destroy(&database->delta_lock);
    pthread_mutex_destroy(&database->extractor_lock);
    ir_free(database->plugin_path);
    ir_free(database->regions_wanted);
    ir_free(database->pca_given);
    ir_free(database->pca_copy);
    ir_free(database->identity);
    ir_free(database->model);
    ir_free(database->path);
    ir_free(database);
}

void ir_database_abandon(ir_database *database)
{
    /* The child's copy of memory is left as it is: the threads it was shared with are not here, and
     * locks they held will never be released. */
    if (database)
        ir_catalog_abandon(database->catalog);
}
