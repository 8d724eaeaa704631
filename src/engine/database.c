/* database.c: opening, closing and keeping RAM in step with the catalogue. */
#include "engine/database.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "decode/decode.h"
#include "engine/optimize.h"
#include "engine/regions_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETTING_MODEL "model"
#define SETTING_IDENTITY "extractor_identity"
#define SETTING_DIMENSION "dimension"
#define SETTING_METRIC "metric"
#define SETTING_VECTOR_TYPE "vector_type"

#define PCA_BYTES_MAX ((uint64_t)1 << 30)

/* ---- the extractor's specification ---- */

static int32_t join_spec(const ir_model_spec *spec, const char *weights, const char *labels,
                         const char *pca, char **out, imgret_error *error)
{
    *out = ir_asprintf("%s%s%s%s%s%s%s%s%s", spec->backend ? spec->backend : "",
                       spec->backend && weights[0] ? ":" : "", weights,
                       spec->options[0] ? ";" : "", spec->options, labels ? ";labels=" : "",
                       labels ? labels : "", pca ? ";pca=" : "", pca ? pca : "");
    return *out ? IMGRET_OK : ir_fail(error, IMGRET_NO_MEMORY, "no memory for a model's name");
}

/* Takes option `key`, a path, out of the specification; NULL when it is not there. */
static int32_t take_path(ir_model_spec *spec, const char *key, char **path, imgret_error *error)
{
    char *given;
    *path = NULL;
    int32_t status = ir_model_spec_take(spec, key, &given, error);
    if (!status && given)
        status = ir_path_absolute(given, path, error);
    ir_free(given);
    return status;
}

/* The specification with the paths made absolute, so that it still works when the host runs from
 * another folder. *pca is fresh memory, NULL when the specification names none. */
static int32_t absolute_spec(ir_model_spec *spec, char **out, char **pca, imgret_error *error)
{
    char *labels = NULL, *weights = NULL;
    *out = NULL;
    int32_t status = take_path(spec, "pca", pca, error);
    if (!status)
        status = take_path(spec, "labels", &labels, error);
    if (!status && spec->weights[0])
        status = ir_path_absolute(spec->weights, &weights, error);
    if (!status)
        status = join_spec(spec, weights ? weights : "", labels, *pca, out, error);
    ir_free(weights);
    ir_free(labels);
    return status;
}

int32_t ir_database_absolute_model(const char *text, char **out, char **pca, imgret_error *error)
{
    ir_model_spec spec;
    *out = NULL;
    *pca = NULL;
    int32_t status = ir_model_spec_parse(&spec, text, error);
    if (status)
        return status;
    if (spec.vectors_dimension > 0)
        status = ir_fail(error, IMGRET_INVALID_ARGUMENT, "%s extracts nothing", text);
    else
        status = absolute_spec(&spec, out, pca, error);
    ir_model_spec_free(&spec);
    return status;
}

/* Sets model, identity and dimension from what the host asked for; loads the extractor. */
static int32_t take_wanted_model(ir_database *database, const char *text, imgret_error *error)
{
    ir_model_spec spec;
    int32_t status = ir_model_spec_parse(&spec, text, error);
    if (status)
        return status;
    if (spec.vectors_dimension > 0)
        database->model = ir_strdup(text);
    else
        status = absolute_spec(&spec, &database->model, &database->pca_given, error);
    if (!status && !database->model)
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory for a model's name");
    if (!status && spec.vectors_dimension > 0) {
        database->dimension = spec.vectors_dimension;
        database->identity = ir_asprintf("vectors;dimension=%u", spec.vectors_dimension);
    } else if (!status) {
        status = ir_extractor_open_with(&database->extractor, database->model,
                                        &database->extract_options, error);
        if (!status) {
            const ir_extractor_info *info = ir_extractor_get_info(database->extractor);
            database->dimension = info->dimension;
            database->identity = ir_strdup(info->identity);
        }
    }
    ir_model_spec_free(&spec);
    if (!status && !database->identity)
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory for a model's identity");
    return status;
}

/* ---- settings ---- */

static int32_t read_number(ir_database *database, const char *name, uint32_t most, uint32_t *out,
                           imgret_error *error)
{
    char *text;
    int32_t status = ir_catalog_get_setting(database->catalog, name, &text, error);
    if (status)
        return status;
    char *end = NULL;
    unsigned long value = text ? strtoul(text, &end, 10) : 0;
    if (!text || end == text || *end != '\0' || value == 0 || value > most)
        status = ir_fail(error, IMGRET_CORRUPT, "%s: setting \"%s\" is \"%s\"", database->path,
                         name, text ? text : "(missing)");
    *out = (uint32_t)value;
    ir_free(text);
    return status;
}

static int32_t write_number(ir_database *database, const char *name, uint32_t value,
                            imgret_error *error)
{
    char text[16];
    snprintf(text, sizeof text, "%u", value);
    return ir_catalog_set_setting(database->catalog, name, text, error);
}

static int32_t write_settings(ir_database *database, imgret_error *error)
{
    ir_catalog *catalog = database->catalog;
    int32_t status = write_number(database, SETTING_DIMENSION, database->dimension, error);
    if (!status)
        status = write_number(database, SETTING_METRIC, database->metric, error);
    if (!status)
        status = write_number(database, SETTING_VECTOR_TYPE, database->vector_type, error);
    if (!status)
        status = ir_catalog_set_setting(catalog, SETTING_MODEL, database->model, error);
    if (!status)
        status = ir_catalog_set_setting(catalog, SETTING_IDENTITY, database->identity, error);
    return status ? status : ir_regions_write_settings(database, error);
}

int32_t ir_database_write_model(ir_database *database, const char *model, const char *identity,
                                uint32_t dimension, imgret_error *error)
{
    int32_t status = write_number(database, SETTING_DIMENSION, dimension, error);
    if (!status)
        status = ir_catalog_set_setting(database->catalog, SETTING_MODEL, model, error);
    if (!status)
        status = ir_catalog_set_setting(database->catalog, SETTING_IDENTITY, identity, error);
    return status;
}

/* A copy of the principal components in the database's folder: they are small, and learned, so that
 * nobody could make them again once the file is lost. The identity holds their hash. */
static int32_t keep_pca(const ir_database *database, imgret_error *error)
{
    if (!database->pca_given)
        return IMGRET_OK;
    uint8_t *data;
    size_t bytes;
    int32_t status = ir_file_read(database->pca_given, PCA_BYTES_MAX, &data, &bytes, error);
    if (status)
        return status;
    status = ir_file_write(database->pca_copy, data, bytes, error);
    ir_free(data);
    return status;
}

/* Settles a new database's settings; two processes may try at once, the first one decides. */
static int32_t settle_new(ir_database *database, const char *identity, imgret_error *error)
{
    if (database->read_only)
        return ir_fail(error, IMGRET_NOT_FOUND, "%s: the database was never finished",
                       database->path);
    if (!database->model) {
        int32_t status = take_wanted_model(database, identity, error);
        if (status)
            return status;
    }
    if (database->metric == 0)
        database->metric = IMGRET_METRIC_COSINE;
    if (database->vector_type == 0)
        database->vector_type = IMGRET_VECTOR_F16;
    int32_t status = ir_catalog_begin(database->catalog, error);
    if (status)
        return status;
    char *settled = NULL;
    status = ir_catalog_get_setting(database->catalog, SETTING_IDENTITY, &settled, error);
    if (!status && !settled)
        status = write_settings(database, error);
    if (!status && !settled)
        status = keep_pca(database, error);
    if (status || settled) {
        ir_catalog_rollback(database->catalog);
        ir_free(settled);
        return status;
    }
    return ir_catalog_commit(database->catalog, NULL, NULL, error);
}

static const char *metric_name(uint32_t metric)
{
    return metric == IMGRET_METRIC_L2              ? "L2"
           : metric == IMGRET_METRIC_INNER_PRODUCT ? "inner product"
                                                   : "cosine";
}

static int32_t check_number(const ir_database *database, uint32_t wanted, uint32_t found,
                            const char *what, imgret_error *error)
{
    if (wanted == 0 || wanted == found)
        return IMGRET_OK;
    bool metric = strcmp(what, SETTING_METRIC) == 0;
    return ir_fail(error, IMGRET_MISMATCH, "%s was made with %s %s, not %s", database->path,
                   metric ? "the metric" : "vectors of",
                   metric                       ? metric_name(found)
                   : found == IMGRET_VECTOR_F32 ? "f32"
                                                : "f16",
                   metric                        ? metric_name(wanted)
                   : wanted == IMGRET_VECTOR_F32 ? "f32"
                                                 : "f16");
}

/* The same extractor under another path (weights that moved): remember where it is now. Failing to
 * is no reason to refuse the database. */
static void remember_model(ir_database *database, const char *recorded)
{
    if (database->read_only || strcmp(recorded, database->model) == 0)
        return;
    imgret_error error = IMGRET_ERROR_INIT;
    int32_t status = ir_catalog_begin(database->catalog, &error);
    if (!status) {
        status = ir_catalog_set_setting(database->catalog, SETTING_MODEL, database->model, &error);
        if (!status)
            status = ir_catalog_commit(database->catalog, NULL, NULL, &error);
        else
            ir_catalog_rollback(database->catalog);
    }
    if (status)
        ir_log(IMGRET_LOG_WARNING, "%s: the model's new place is not recorded: %s",
               database->path, error.message);
}

/* Holds what the host asked for against what the settings say. */
static int32_t agree_model(ir_database *database, char *recorded_identity, imgret_error *error)
{
    char *recorded = NULL;
    int32_t status = ir_catalog_get_setting(database->catalog, SETTING_MODEL, &recorded, error);
    if (!status && !recorded)
        status = ir_fail(error, IMGRET_CORRUPT, "%s: setting \"%s\" is missing", database->path,
                         SETTING_MODEL);
    if (!status && database->model && strcmp(database->identity, recorded_identity) != 0)
        status = ir_fail(error, IMGRET_MISMATCH,
                         "%s was made with the extractor %s, not with %s (needed: %s; given: %s)",
                         database->path, recorded, database->model, recorded_identity,
                         database->identity);
    if (status) {
        ir_free(recorded);
        ir_free(recorded_identity);
        return status;
    }
    if (database->model) {
        remember_model(database, recorded);
        ir_free(recorded);
    } else {
        database->model = recorded;
    }
    ir_free(database->identity);
    database->identity = recorded_identity;
    return IMGRET_OK;
}

static int32_t settle_existing(ir_database *database, char *identity, imgret_error *error)
{
    uint32_t metric = database->metric, vector_type = database->vector_type;
    int32_t status = agree_model(database, identity, error);
    if (!status)
        status = read_number(database, SETTING_DIMENSION, 65536, &database->dimension, error);
    if (!status)
        status = read_number(database, SETTING_METRIC, IMGRET_METRIC_L2, &database->metric, error);
    if (!status)
        status = read_number(database, SETTING_VECTOR_TYPE, IMGRET_VECTOR_F32,
                             &database->vector_type, error);
    if (!status)
        status = check_number(database, metric, database->metric, SETTING_METRIC, error);
    if (!status)
        status = check_number(database, vector_type, database->vector_type, SETTING_VECTOR_TYPE,
                              error);
    return status ? status : ir_regions_agree(database, error);
}

static int32_t settle_settings(ir_database *database, imgret_error *error)
{
    char *identity = NULL;
    int32_t status = ir_catalog_get_setting(database->catalog, SETTING_IDENTITY, &identity, error);
    if (!status && !identity) {
        status = settle_new(database, "classic", error);
        if (!status)
            status = ir_catalog_get_setting(database->catalog, SETTING_IDENTITY, &identity, error);
    }
    if (!status && !identity)
        status = ir_fail(error, IMGRET_CORRUPT, "%s: its settings are missing", database->path);
    return status ? status : settle_existing(database, identity, error);
}

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
        return ir_fail(error, IMGRET_CORRUPT, "%s: the vector of region %lld has %zu bytes, not %zu",
                       database->path, (long long)region, vector_bytes, wanted);
    return ir_delta_append(database->delta, region, vector, error);
}

/* What is in memory is of the model that the handle was opened with. */
static int32_t check_identity(ir_database *database, imgret_error *error)
{
    char *identity;
    int32_t status = ir_catalog_get_setting(database->catalog, SETTING_IDENTITY, &identity, error);
    if (!status && (!identity || strcmp(identity, database->identity) != 0))
        status = ir_fail(error, IMGRET_MISMATCH,
                         "%s was moved to another model while it was open: close it and open it again "
                         "(%s)", database->path, identity ? identity : "none");
    ir_free(identity);
    return status;
}

/* Under delta_lock. The list of segments and the pending vectors are read one after the other: when
 * something was committed in between (vectors may have moved from one to the other), once more. */
static int32_t follow_catalog(ir_database *database, int64_t version, imgret_error *error)
{
    for (;;) {
        int32_t status = check_identity(database, error);
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

int32_t ir_database_sync(ir_database *database, imgret_error *error)
{
    pthread_mutex_lock(&database->delta_lock);
    int32_t status = sync_delta(database, error);
    pthread_mutex_unlock(&database->delta_lock);
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
        pthread_mutex_unlock(&database->delta_lock);
    return status;
}

void ir_database_leave(ir_database *database, const ir_database_view *view)
{
    if (!view->held)
        return;
    ir_catalog_release(database->catalog);
    pthread_mutex_unlock(&database->delta_lock);
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
        ir_log(IMGRET_LOG_WARNING, "%s: committed, but no memory to search it now",
               database->path);
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
                       "%s: this thread has a transaction open: they do not nest",
                       database->path);
    int32_t status = ir_database_begin(database, error);
    if (!status)
        database->transaction_open = true;
    return status;
}

static int32_t need_host_transaction(ir_database *database, imgret_error *error)
{
    if (ir_database_is_joined(database))
        return IMGRET_OK;
    return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                   "%s: this thread has no transaction open to end", database->path);
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
    /* Before the catalogue: a model that cannot be used must not leave a new database behind. */
    if (!status && options->model)
        status = take_wanted_model(database, options->model, error);
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
        status = settle_settings(database, error);
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
