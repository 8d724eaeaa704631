/* look.c: listing, statistics and checking of a database. */
#include "engine/look.h"

#include "base/alloc.h"
#include "base/error.h"
#include "engine/results.h"
#include "io/io.h"
#include "kernels/kernels.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static int32_t add_record(void *context, uint64_t position, const imgret_record *record,
                          imgret_error *error)
{
    (void)position;
    return ir_records_add(context, record, error);
}

int32_t ir_list(imgret_records **out, ir_database *database, const imgret_list_options *options,
                const ir_catalog_filter *filter, imgret_error *error)
{
    *out = NULL;
    imgret_list_options wanted = *options;
    if (wanted.limit == 0)
        wanted.limit = 1000;
    if (wanted.state < 0 || wanted.state > IMGRET_STATE_FAILED)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "imgret_list_options.state is %d",
                       wanted.state);
    if (filter->where && wanted.uri)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "imgret_list_options: uri and where do not go together");
    imgret_records *records;
    int32_t status = ir_records_create(&records, error);
    if (!status)
        status = filter->where
                     ? ir_catalog_filter_list(database->catalog, filter, &wanted, add_record,
                                              records, error)
                     : ir_catalog_list(database->catalog, &wanted, add_record, records, error);
    if (status) {
        imgret_records_free(records);
        return status;
    }
    *out = records;
    return IMGRET_OK;
}

int32_t ir_count(uint64_t *out, ir_database *database, int32_t state,
                 const ir_catalog_filter *filter, imgret_error *error)
{
    if (filter->where)
        return ir_catalog_filter_count(database->catalog, filter, state, out, error);
    ir_catalog_counts counts;
    int32_t status = ir_catalog_get_counts(database->catalog, &counts, error);
    if (!status)
        *out = (state != IMGRET_STATE_FAILED ? counts.image_count : 0) +
               (state != IMGRET_STATE_STORED ? counts.failed_count : 0);
    return status;
}

int32_t ir_get(imgret_records **out, ir_database *database, int64_t id, imgret_error *error)
{
    *out = NULL;
    imgret_list_options options = {.size = sizeof options, .limit = 1};
    options.after_id = id > INT64_MIN ? id - 1 : id;
    imgret_records *records;
    const ir_catalog_filter none = {0};
    int32_t status = ir_list(&records, database, &options, &none, error);
    if (status)
        return status;
    const imgret_record *row = imgret_records_at(records, 0);
    if (!row || row->id != id) {
        imgret_records_free(records);
        return ir_fail(error, IMGRET_NOT_FOUND, "%s has no image %lld", database->path,
                       (long long)id);
    }
    *out = records;
    return IMGRET_OK;
}

static void fill_vector_stats(ir_database *database, imgret_stats *out)
{
    ir_segments *segments = &database->segments;
    uint32_t io_kind = 0; /* of searches that were made */
    pthread_rwlock_rdlock(&segments->layout);
    out->delta_vector_count = ir_delta_count(database->delta);
    out->delta_ram_bytes = ir_delta_ram_bytes(database->delta);
    out->segment_count = segments->count;
    for (uint32_t i = 0; i < segments->count; i++) {
        ir_segment_info info;
        ir_segment_get_info(segments->open[i].file, &info);
        out->segment_vector_count += info.vector_count;
        out->segment_bytes += info.file_bytes;
        out->code_ram_bytes += info.sign_bytes + info.rank_bytes;
        out->graph_ram_bytes += info.graph_bytes;
        out->id_ram_bytes += info.id_bytes;
        out->check_ram_bytes += info.check_bytes;
        out->other_ram_bytes += info.other_bytes + info.vector_bytes;
        out->graph_disk_bytes += info.graph_bytes_on_disk;
        if (info.io_kind)
            io_kind = info.io_kind;
    }
    pthread_rwlock_unlock(&segments->layout);
    out->segment_ram_bytes = out->code_ram_bytes + out->graph_ram_bytes + out->id_ram_bytes +
                             out->check_ram_bytes + out->other_ram_bytes;
    uint32_t possible = ir_io_probe(&out->io_reason);
    out->io_kind = (io_kind ? io_kind : possible) == IR_IO_URING ? "io_uring" : "threads";
}

static void fill_query_stats(ir_query_totals *totals, imgret_stats *out)
{
    out->query_count = atomic_load(&totals->count);
    out->query_us_total = atomic_load(&totals->us);
    out->scanned_count = out->exact_distance_count = atomic_load(&totals->exact_distances);
    out->disk_read_count = atomic_load(&totals->reads);
    out->disk_read_bytes = atomic_load(&totals->read_bytes);
    out->disk_wait_us_total = atomic_load(&totals->wait_us);
    out->partial_count = atomic_load(&totals->partial_count);
    out->cache_hit_count = atomic_load(&totals->cache_hits);
    out->hop_count = atomic_load(&totals->hops);
    out->sign_distance_count = atomic_load(&totals->sign_distances);
    out->code_distance_count = atomic_load(&totals->code_distances);
}

static void get_extraction_stats(ir_database *database, imgret_stats *out)
{
    pthread_mutex_lock(&database->extractor_lock);
    if (database->extractor) {
        ir_extract_counts counts;
        ir_extractor_get_counts(database->extractor, &counts);
        out->batch_count = counts.batch_count;
        out->batch_image_count = counts.picture_count;
    }
    pthread_mutex_unlock(&database->extractor_lock);
    ir_feature_counts features;
    ir_feature_cache_get_counts(database->features, &features);
    out->feature_cache_hits = features.hit_count;
    out->feature_cache_misses = features.miss_count;
    out->feature_cache_bytes = features.bytes;
}

int32_t ir_get_stats(ir_database *database, imgret_stats *out, imgret_error *error)
{
    int32_t status = ir_database_sync(database, error);
    ir_catalog_counts counts;
    if (!status)
        status = ir_catalog_get_counts(database->catalog, &counts, error);
    if (status)
        return status;
    out->dimension = database->dimension;
    out->metric = database->metric;
    out->vector_type = database->vector_type;
    out->image_count = counts.image_count;
    out->vector_count = counts.region_count;
    out->failed_count = counts.failed_count;
    out->catalog_bytes = counts.file_bytes;
    fill_vector_stats(database, out);
    fill_query_stats(&database->totals, out);
    out->model = database->model;
    out->model_identity = database->identity;
    out->regions = ir_regions_spec(database->regions);
    out->kernels = ir_kernels_get()->name;
    get_extraction_stats(database, out);
    return IMGRET_OK;
}

/* ---- check ---- */

/* The host's callback must not run under the catalogue's lock, so problems are gathered first. */
typedef struct {
    ir_database *database;
    ir_arena arena;
    const char **messages;
    uint64_t count;
    uint64_t capacity;
    float *vector;
} check_context;

enum { PROBLEMS_MAX = 10000 }; /* a ruined database needs no longer list */

static int32_t note_problem(void *context, const char *message)
{
    check_context *check = context;
    if (check->count == PROBLEMS_MAX)
        return 1;
    if (check->count == check->capacity) {
        uint64_t capacity = check->capacity ? 2 * check->capacity : 64;
        const char **more = ir_realloc(check->messages, (size_t)capacity * sizeof *more);
        if (!more)
            return 1;
        check->messages = more;
        check->capacity = capacity;
    }
    int failed = 0;
    const char *copy = ir_arena_strdup(&check->arena, message, &failed);
    if (failed)
        return 1;
    check->messages[check->count++] = copy;
    return 0;
}

static int32_t check_vector(void *context, int64_t region, const void *vector, size_t vector_bytes,
                            imgret_error *error)
{
    (void)error;
    check_context *check = context;
    const ir_delta *delta = check->database->delta;
    char text[160];
    if (vector_bytes != ir_delta_vector_bytes(delta))
        return 0; /* the catalogue's own check reports it */
    ir_delta_decode(delta, vector, check->vector);
    for (uint32_t i = 0; i < check->database->dimension; i++) {
        if (isfinite(check->vector[i]))
            continue;
        snprintf(text, sizeof text, "region %lld: its vector is not finite at %u",
                 (long long)region, i);
        return note_problem(check, text);
    }
    const void *in_memory = ir_delta_get(delta, region);
    if (!in_memory || memcmp(in_memory, vector, vector_bytes) != 0) {
        snprintf(text, sizeof text, "region %lld: its vector in memory is not the stored one",
                 (long long)region);
        return note_problem(check, text);
    }
    return 0;
}

static int32_t ignore_removal(void *context, int64_t region, imgret_error *error)
{
    (void)context, (void)region, (void)error;
    return 0;
}

static bool note_segment_problem(void *context, const char *message)
{
    return note_problem(context, message) != 0;
}

/* Reads every page of every segment. */
static int32_t check_segments(check_context *check, imgret_error *error)
{
    ir_catalog_segment *listed;
    uint32_t count;
    int32_t status = ir_catalog_get_segments(check->database->catalog, &listed, &count, error);
    for (uint32_t i = 0; i < count && !status; i++) {
        uint64_t problems;
        status = ir_segments_check_one(check->database->catalog, &listed[i], note_segment_problem,
                                       check, &problems, error);
    }
    ir_free(listed);
    return status;
}

static int32_t gather_problems(check_context *check, imgret_error *error)
{
    ir_database *database = check->database;
    int32_t status = ir_database_sync(database, error);
    if (!status)
        status = ir_catalog_check(database->catalog, ir_delta_vector_bytes(database->delta),
                                  note_problem, check, error);
    ir_database_view view; /* held: stored and in memory must be of one state */
    if (!status)
        status = ir_database_look(database, true, &view, error);
    if (status)
        return status > 0 ? IMGRET_OK : status;
    int64_t mark = view.removal_mark;
    status = ir_catalog_changes(database->catalog, 0, &mark, ignore_removal, check_vector, check,
                                error);
    ir_database_leave(database, &view);
    if (!status)
        status = check_segments(check, error);
    return status > 0 ? IMGRET_OK : status; /* positive: note_problem had enough */
}

int32_t ir_check(ir_database *database, imgret_check_fn on_problem, void *user,
                 uint64_t *problem_count, imgret_error *error)
{
    check_context check = {.database = database};
    check.vector = ir_malloc_array(database->dimension, sizeof *check.vector);
    int32_t status = check.vector ? gather_problems(&check, error)
                                  : ir_fail(error, IMGRET_NO_MEMORY, "no memory to check");
    for (uint64_t i = 0; i < check.count && on_problem; i++)
        if (on_problem(user, check.messages[i]) != 0) {
            if (!status)
                status = ir_fail(error, IMGRET_INTERRUPTED, "the check was stopped");
            break;
        }
    if (problem_count)
        *problem_count = check.count;
    ir_free(check.vector);
    ir_free(check.messages);
    ir_arena_free(&check.arena);
    return status;
}
