/* repair.c: making damaged segments anew from what can still be read.
 *
 *   check each segment -> of a damaged one, build another from the vectors whose pages are sound ->
 *   one transaction lists it instead, and turns the images of lost vectors into failures -> those
 *   whose pictures can be read are extracted again
 *
 * Each segment's transaction leaves a sound database, so that a repair that was stopped goes on where it
 * was when it is called again.
 */
#include "engine/repair.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "catalog/repair.h"
#include "engine/add.h"
#include "engine/optimize.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* How the reason of a failure begins whose vector was lost; catalog/salvage_settle.c has it too. */
#define LOST "its vector is lost: "

typedef struct id_list {
    int64_t *ids;
    uint64_t count, capacity;
} id_list;

typedef struct repair {
    ir_database *database;
    const imgret_repair_options *options;
    imgret_repair_report *report;
    ir_call *call;
    int64_t number;      /* of the next segment file */
    id_list images;      /* that became failures */
    id_list lost_before; /* that were failures of this kind before */
    /* of the segment at work: */
    ir_segment *source; /* NULL: nothing of it can be read */
    int64_t *regions;
    uint64_t region_count, next;
    void *stored;
    float *values;
    id_list lost; /* regions */
    char damage[400];
} repair;

static int32_t keep_id(id_list *list, int64_t id, imgret_error *error)
{
    if (list->count == list->capacity) {
        uint64_t capacity = list->capacity ? list->capacity * 2 : 64;
        int64_t *ids = ir_realloc(list->ids, (size_t)capacity * sizeof *ids);
        if (!ids)
            return ir_fail(error, IMGRET_NO_MEMORY, "no memory to repair");
        list->ids = ids;
        list->capacity = capacity;
    }
    list->ids[list->count++] = id;
    return IMGRET_OK;
}

static bool keep_first_problem(void *context, const char *message)
{
    repair *run = context;
    if (!run->damage[0])
        snprintf(run->damage, sizeof run->damage, "%s", message);
    return false;
}

/* What can be read of it, when it is one of this database's. */
static int32_t open_source(repair *run, const ir_catalog_segment *listed, imgret_error *error)
{
    const ir_segment_open_options options = {.vectors_only = true};
    ir_database *database = run->database;
    imgret_error reason = IMGRET_ERROR_INIT;
    char *path = ir_segments_path(database->catalog, listed->id);
    if (!path)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
    int32_t status = ir_segment_open(&run->source, path, &options, &reason);
    ir_free(path);
    if (status == IMGRET_CORRUPT || status == IMGRET_NOT_FOUND)
        return IMGRET_OK;
    if (status)
        return ir_fail(error, status, "%s", reason.message);
    ir_segment_info info;
    ir_segment_get_info(run->source, &info);
    if (info.identity != listed->identity || info.dimension != database->dimension ||
        info.metric != database->metric || info.vector_type != database->vector_type) {
        ir_segment_close(run->source);
        run->source = NULL;
    }
    return IMGRET_OK;
}

static bool is_finite(repair *run)
{
    const ir_database *database = run->database;
    ir_delta_decode(database->delta, run->stored, run->values);
    for (uint32_t i = 0; i < database->dimension; i++)
        if (!isfinite(run->values[i]))
            return false;
    return true;
}

/* ir_segment_next_fn */
static int32_t next_vector(void *context, int64_t *id, const void **stored, imgret_error *error)
{
    repair *run = context;
    while (run->next < run->region_count) {
        *id = run->regions[run->next++];
        imgret_error reason = IMGRET_ERROR_INIT;
        int32_t status = run->source ? ir_segment_get(run->source, *id, run->stored, &reason)
                                     : IMGRET_NOT_FOUND;
        *stored = run->stored;
        if (!status && !is_finite(run))
            status = IMGRET_CORRUPT;
        if (!status) {
            run->report->vectors_kept++;
            return 1;
        }
        if (status == IMGRET_CORRUPT || status == IMGRET_IO || status == IMGRET_NOT_FOUND)
            status = keep_id(&run->lost, *id, error);
        else
            ir_fail(error, status, "%s", reason.message);
        if (status)
            return status;
    }
    return 0;
}

static bool stop_building(void *context, double done)
{
    (void)done;
    const repair *run = context;
    return ir_call_stopped(run->call);
}

static int32_t build(repair *run, const ir_catalog_segment *old, const char *path,
                     ir_catalog_segment *out, imgret_error *error)
{
    ir_database *database = run->database;
    const ir_segment_spec spec = {
        .dimension = database->dimension,
        .metric = database->metric,
        .vector_type = database->vector_type,
        .seed = 1,
        .memory_bytes_max = run->options->memory_bytes_max,
        .pool = database->pool,
        .stop = stop_building,
        .context = run,
    };
    ir_segment *built = NULL;
    int32_t status = ir_segment_build(path, &spec, next_vector, run, NULL, error);
    if (!status)
        status = ir_segment_open(&built, path, NULL, error);
    if (status)
        return status;
    ir_segment_info info;
    ir_segment_get_info(built, &info);
    ir_segment_close(built);
    *out = (ir_catalog_segment){
        .id = run->number,
        .first_region = old->first_region,
        .last_region = old->last_region,
        .vector_count = info.vector_count,
        .file_bytes = info.file_bytes,
        .identity = info.identity,
    };
    return IMGRET_OK;
}

/* After the commit, under the writer's lock: what is in memory is read anew. */
static void after_commit(void *context)
{
    ir_database *database = context;
    pthread_mutex_lock(&database->delta_lock);
    ir_database_distrust(database);
    pthread_mutex_unlock(&database->delta_lock);
}

static int32_t lose_all(repair *run, imgret_error *error)
{
    char reason[512];
    snprintf(reason, sizeof reason, LOST "%s", run->damage);
    int32_t status = IMGRET_OK;
    for (uint64_t i = 0; i < run->lost.count && !status; i++) {
        int64_t image;
        status = ir_catalog_lose_vector(run->database->catalog, run->lost.ids[i], IMGRET_CORRUPT,
                                        reason, &image, error);
        if (!status && image)
            status = keep_id(&run->images, image, error);
    }
    return status;
}

static int32_t exchange(repair *run, const ir_catalog_segment *old, const ir_catalog_segment *built,
                        imgret_error *error)
{
    ir_database *database = run->database;
    int32_t status = ir_database_begin(database, error);
    if (status)
        return status;
    status = lose_all(run, error);
    if (!status)
        status = ir_catalog_replace_segments(database->catalog, built, &old->id, 1, 0, error);
    if (status) {
        ir_database_rollback(database);
        return status;
    }
    return ir_catalog_commit(database->catalog, after_commit, database, error);
}

static int32_t list_regions(repair *run, const ir_catalog_segment *listed, imgret_error *error)
{
    int32_t status = ir_catalog_region_ids(run->database->catalog, listed->first_region,
                                           &run->regions, &run->region_count, error);
    while (run->region_count > 0 && run->regions[run->region_count - 1] > listed->last_region)
        run->region_count--;
    return status;
}

static int32_t make_anew(repair *run, const ir_catalog_segment *listed, imgret_error *error)
{
    ir_catalog_segment built;
    run->next = 0;
    run->lost.count = 0;
    char *path = ir_segments_path(run->database->catalog, ++run->number);
    int32_t status = path ? open_source(run, listed, error)
                          : ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
    if (!status)
        status = ir_optimize_make_folder(run->database, error);
    if (!status)
        status = list_regions(run, listed, error);
    if (!status)
        status = build(run, listed, path, &built, error);
    if (!status)
        status = exchange(run, listed, &built, error);
    if (!status)
        run->report->segments_rebuilt++;
    ir_segment_close(run->source);
    run->source = NULL;
    ir_free(run->regions);
    run->regions = NULL;
    ir_free(path);
    return status;
}

static int32_t repair_segments(repair *run, imgret_error *error)
{
    ir_catalog_segment *listed;
    uint32_t count;
    int32_t status = ir_catalog_get_segments(run->database->catalog, &listed, &count, error);
    for (uint32_t i = 0; i < count && !status; i++)
        if (listed[i].id > run->number)
            run->number = listed[i].id;
    for (uint32_t i = 0; i < count && !status; i++) {
        uint64_t problems;
        run->damage[0] = '\0';
        status = ir_segments_check_one(run->database->catalog, &listed[i], keep_first_problem, run,
                                       &problems, error);
        if (!status && problems > 0)
            status = make_anew(run, &listed[i], error);
    }
    ir_free(listed);
    return status;
}

/* ---- extracting again ---- */

typedef struct found_image {
    char *uri;
    char *failure;
    int32_t failure_code;
} found_image;

static int32_t copy_image(void *context, uint64_t position, const imgret_record *record,
                          imgret_error *error)
{
    (void)position;
    found_image *out = context;
    out->uri = ir_strdup(record->uri);
    out->failure = ir_strdup(record->failure);
    out->failure_code = record->failure_code;
    return out->failure && (out->uri || !record->uri)
               ? IMGRET_OK
               : ir_fail(error, IMGRET_NO_MEMORY, "no memory to repair");
}

static bool is_file(const char *uri)
{
    ir_file_info info;
    return uri && uri[0] == '/' && ir_file_stat(uri, &info, NULL) == IMGRET_OK && info.is_regular;
}

/* Extracts one image's picture again, if there is one, and tells what became of it. One that was lost
 * before this repair is worth a word only when it comes back. */
static int32_t restore_image(repair *run, int64_t id, bool lost_before, imgret_error *error)
{
    found_image image = {0};
    imgret_error reason = IMGRET_ERROR_INIT;
    int32_t status = ir_catalog_records_of_images(run->database->catalog, &id, 1, copy_image,
                                                  &image, error);
    imgret_add_result added = {.size = sizeof added};
    bool restored = false;
    if (!status && is_file(image.uri) && strncmp(run->database->identity, "vectors;", 8) != 0) {
        const imgret_input input = {
            .size = sizeof input, .kind = IMGRET_INPUT_FILE, .path = image.uri};
        const imgret_add_options options = {.size = sizeof options, .uri = image.uri};
        int32_t outcome = ir_add(run->database, &input, &options, &added, &reason);
        restored = outcome == IMGRET_OK;
        if (outcome == IMGRET_INTERRUPTED || outcome == IMGRET_FULL || outcome == IMGRET_NO_MEMORY)
            status = ir_fail(error, outcome, "%s", reason.message);
    }
    if (!status && restored)
        run->report->images_extracted++;
    else if (!status && !lost_before)
        run->report->images_lost++;
    imgret_ingest_item item = {.size = sizeof item,
                               .outcome = restored ? IMGRET_STORED : IMGRET_FAILED,
                               .id = id,
                               .uri = image.uri ? image.uri : "",
                               .code = restored ? 0 : image.failure_code,
                               .format = "",
                               .message = image.failure ? image.failure : ""};
    bool told = restored || !lost_before;
    if (!status && told && run->options->on_item &&
        run->options->on_item(run->options->user, &item) != 0)
        status = ir_fail(error, IMGRET_INTERRUPTED, "the repair was stopped by the host");
    ir_free(image.uri);
    ir_free(image.failure);
    return status;
}

/* ir_catalog_record_fn: those that a salvage, or a repair that was stopped, left without a vector. */
static int32_t note_lost_before(void *context, uint64_t position, const imgret_record *record,
                                imgret_error *error)
{
    (void)position;
    repair *run = context;
    bool lost = record->failure_code == IMGRET_CORRUPT &&
                strncmp(record->failure, LOST, sizeof LOST - 1) == 0;
    return lost ? keep_id(&run->lost_before, record->id, error) : IMGRET_OK;
}

static int32_t restore_images(repair *run, imgret_error *error)
{
    int32_t status = IMGRET_OK;
    for (uint64_t i = 0; i < run->images.count && !status; i++)
        status = restore_image(run, run->images.ids[i], false, error);
    for (uint64_t i = 0; i < run->lost_before.count && !status; i++)
        status = restore_image(run, run->lost_before.ids[i], true, error);
    return status;
}

int32_t ir_repair(ir_database *database, const imgret_repair_options *options,
                  imgret_repair_report *report, ir_call *call, imgret_error *error)
{
    if (database->read_only)
        return ir_fail(error, IMGRET_READ_ONLY, "%s is open for reading only", database->path);
    if (ir_database_is_joined(database))
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "%s cannot be repaired within this thread's transaction", database->path);
    repair run = {.database = database, .options = options, .report = report, .call = call};
    run.stored = ir_malloc(ir_delta_vector_bytes(database->delta));
    run.values = ir_malloc_array(database->dimension, sizeof *run.values);
    int lock;
    int32_t status = run.stored && run.values
                         ? ir_optimize_pause(database, &lock, error)
                         : ir_fail(error, IMGRET_NO_MEMORY, "no memory to repair");
    const imgret_list_options failed = {
        .size = sizeof failed, .limit = UINT64_MAX, .state = IMGRET_STATE_FAILED};
    if (!status) {
        status = ir_catalog_list(database->catalog, &failed, note_lost_before, &run, error);
        if (!status)
            status = repair_segments(&run, error);
        ir_optimize_resume(database, lock);
        ir_optimize_clean(database); /* the files that were replaced */
    }
    if (!status)
        status = restore_images(&run, error);
    if (!status)
        status = ir_database_sync(database, error);
    ir_free(run.images.ids);
    ir_free(run.lost_before.ids);
    ir_free(run.lost.ids);
    ir_free(run.values);
    ir_free(run.stored);
    return status;
}
