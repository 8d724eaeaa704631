/* reembed.c: moving a database to another model while it answers with the old one.
 *
 *   pictures -> new vectors, kept beside the database by region (reembed_store.h), which survives a
 *   kill -> when none is missing: a segment of them -> one transaction exchanges settings, vectors and
 *   segments -> every open handle notices and asks to be opened again
 *
 * Until that transaction nothing of the database is changed. Pictures that are added meanwhile get their
 * turn before it, and under the writer's lock nothing can come between.
 */
#include "engine/reembed.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "catalog/repair.h"
#include "engine/extract_many.h"
#include "engine/optimize.h"
#include "engine/reembed_parts.h"
#include "engine/reembed_store.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BATCH = 32, TRIES_MAX = 100, SEGMENT_WORTH = 4096, PCA_BYTES_MAX = 1 << 30 };
enum { PARTS_MAX = 1 + IR_REGION_OBJECTS_MAX }; /* of a picture: a batch where there are regions */

typedef struct mover {
    ir_database *database;
    const imgret_reembed_options *options;
    imgret_reembed_report *report;
    ir_call *call;
    char *model;    /* specification, paths absolute */
    char *path;     /* of the store */
    char *pca;      /* the principal components that the model names; NULL: none */
    char *pca_next; /* their copy until the exchange is done */
    ir_extractor *extractor;
    uint32_t dimension;
    ir_delta *codec; /* empty: it knows how the new vectors are stored */
    ir_pool *pool;   /* of its own: queries need not wait for a batch */
    ir_reembed_store *store;
    float *rows;      /* PARTS_MAX x dimension */
    void *stored;     /* one vector */
    int64_t *missing; /* regions whose pictures cannot be had, ascending */
    uint64_t missing_count, missing_capacity;
    uint64_t missing_pictures; /* they are of */
    int64_t *regions;          /* as of the last look */
    uint64_t region_count;
    uint64_t next;       /* of them, while a segment is built */
    int64_t last_region; /* in the segment that was built; 0: none was */
} mover;

/* ---- one batch of pictures ---- */

typedef struct picture {
    int64_t region, image;
    char *uri;
    char *reason; /* why it cannot be had; NULL: it can */
} picture;

static void drop_pictures(picture *pictures, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        ir_free(pictures[i].uri);
        ir_free(pictures[i].reason);
    }
}

/* The picture that the database knows: same size and time, or else the same bytes. */
static char *why_not(const imgret_record *record)
{
    ir_file_info info;
    imgret_error reason = IMGRET_ERROR_INIT;
    uint8_t hash[16], *data;
    size_t bytes;
    if (strcmp(record->format, "vector") == 0)
        return ir_strdup("it was added as a ready vector");
    if (!record->uri || record->uri[0] != '/' || strcmp(record->format, "pixels") == 0 ||
        record->modified_ns == 0)
        return ir_strdup("it was added from memory: there is no file to read it from");
    if (ir_file_stat(record->uri, &info, &reason))
        return ir_strdup(reason.message);
    if (info.bytes == record->file_bytes && info.modified_ns == record->modified_ns)
        return NULL;
    if (info.bytes != record->file_bytes)
        return ir_strdup("its file changed since it was added: add it again first");
    if (ir_file_read(record->uri, record->file_bytes, &data, &bytes, &reason))
        return ir_strdup(reason.message);
    ir_content_hash(data, bytes, hash);
    ir_free(data);
    return memcmp(hash, record->content_hash, sizeof hash) == 0
               ? NULL
               : ir_strdup("its file changed since it was added: add it again first");
}

static int32_t note_picture(void *context, uint64_t position, const imgret_record *record,
                            imgret_error *error)
{
    picture *out = (picture *)context + position;
    out->image = record->id;
    out->uri = ir_strdup(record->uri ? record->uri : "");
    out->reason = why_not(record);
    return out->uri ? IMGRET_OK : ir_fail(error, IMGRET_NO_MEMORY, "no memory to re-embed");
}

/* Where a region stands among the missing ones, or would stand. */
static uint64_t missing_at(const mover *move, int64_t region)
{
    uint64_t low = 0, high = move->missing_count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (move->missing[middle] < region)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_missing(const mover *move, int64_t region)
{
    uint64_t at = missing_at(move, region);
    return at < move->missing_count && move->missing[at] == region;
}

static int32_t keep_missing(mover *move, int64_t region, imgret_error *error)
{
    if (move->missing_count == move->missing_capacity) {
        uint64_t capacity = move->missing_capacity ? move->missing_capacity * 2 : 64;
        int64_t *more = ir_realloc(move->missing, (size_t)capacity * sizeof *more);
        if (!more)
            return ir_fail(error, IMGRET_NO_MEMORY, "no memory to re-embed");
        move->missing = more;
        move->missing_capacity = capacity;
    }
    uint64_t at = missing_at(move, region);
    memmove(move->missing + at + 1, move->missing + at,
            (size_t)(move->missing_count - at) * sizeof *move->missing);
    move->missing[at] = region;
    move->missing_count++;
    return IMGRET_OK;
}

/* Told once a picture. */
static int32_t note_missing(mover *move, const picture *gone, imgret_error *error)
{
    int32_t status = keep_missing(move, gone->region, error);
    if (status)
        return status;
    move->missing_pictures++;
    imgret_ingest_item item = {.size = sizeof item,
                               .outcome = IMGRET_FAILED,
                               .id = gone->image,
                               .uri = gone->uri,
                               .code = IMGRET_NOT_FOUND,
                               .format = "",
                               .message = gone->reason ? gone->reason : "it cannot be read"};
    if (move->options->on_item && move->options->on_item(move->options->user, &item) != 0)
        return ir_fail(error, IMGRET_INTERRUPTED, "stopped by the host");
    return IMGRET_OK;
}

static int32_t keep_rows(mover *move, picture *pictures, const uint32_t *which, uint32_t count,
                         const int32_t *statuses, imgret_error *error)
{
    int32_t status = IMGRET_OK;
    for (uint32_t i = 0; i < count && !status; i++) {
        picture *here = &pictures[which[i]];
        if (statuses[i] == IMGRET_NO_MEMORY || statuses[i] == IMGRET_INTERRUPTED) {
            status = ir_fail(error, statuses[i], "%s: it could not be embedded", here->uri);
        } else if (statuses[i]) {
            here->reason = ir_asprintf("it cannot be read any more (%s)",
                                       imgret_status_name(statuses[i]));
        }
        if (statuses[i])
            continue;
        status = ir_delta_encode(move->codec, move->rows + (size_t)i * move->dimension,
                                 move->stored, error);
        if (!status)
            status = ir_reembed_store_add(move->store, here->region, move->stored, error);
        if (!status)
            move->report->embedded_count++;
    }
    return status;
}

static int32_t extract_batch(mover *move, picture *pictures, uint32_t count, imgret_error *error)
{
    imgret_input inputs[BATCH];
    uint32_t which[BATCH], wanted = 0;
    int32_t statuses[BATCH];
    for (uint32_t i = 0; i < count; i++) {
        if (pictures[i].image == 0 || pictures[i].reason) /* removed meanwhile, or not to be had */
            continue;
        inputs[wanted] = (imgret_input){
            .size = sizeof inputs[0], .kind = IMGRET_INPUT_FILE, .path = pictures[i].uri};
        which[wanted++] = i;
    }
    const ir_extract_many work = {.extractor = move->extractor,
                                  .pool = move->pool,
                                  .limits = &move->database->limits,
                                  .inputs = inputs,
                                  .count = wanted,
                                  .out = move->rows,
                                  .statuses = statuses,
                                  .isolation = move->database->isolation};
    int32_t status = wanted ? ir_extract_many_run(&work, error) : IMGRET_OK;
    if (!status)
        status = keep_rows(move, pictures, which, wanted, statuses, error);
    for (uint32_t i = 0; i < count && !status; i++)
        if (pictures[i].image && pictures[i].reason)
            status = note_missing(move, &pictures[i], error);
    return status;
}

static int32_t embed_batch(mover *move, const int64_t *regions, uint32_t count, imgret_error *error)
{
    picture pictures[BATCH] = {{0}};
    for (uint32_t i = 0; i < count; i++)
        pictures[i].region = regions[i];
    int32_t status = ir_catalog_records_of_regions(move->database->catalog, regions, count,
                                                   note_picture, pictures, error);
    if (!status)
        status = extract_batch(move, pictures, count, error);
    drop_pictures(pictures, count);
    return status;
}

/* ---- one picture and its objects ---- */

static int32_t keep_parts(mover *move, const int64_t *regions, uint32_t count, imgret_error *error)
{
    int32_t status = IMGRET_OK;
    for (uint32_t i = 0; i < count && !status; i++) {
        status = ir_delta_encode(move->codec, move->rows + (size_t)i * move->dimension,
                                 move->stored, error);
        if (!status)
            status = ir_reembed_store_add(move->store, regions[i], move->stored, error);
        if (!status)
            move->report->embedded_count++;
    }
    return status;
}

/* Regions of one picture: it is decoded once for all of them. */
static int32_t embed_parts(mover *move, const int64_t *regions, uint32_t count, imgret_error *error)
{
    picture whole = {.region = regions[0]};
    imgret_error reason = IMGRET_ERROR_INIT;
    int32_t status = ir_catalog_records_of_regions(move->database->catalog, regions, 1,
                                                   note_picture, &whole, error);
    if (!status && whole.image && !whole.reason) {
        int32_t outcome = ir_reembed_parts(move->database, move->extractor, whole.uri, regions,
                                           count, move->rows, &reason);
        if (outcome == IMGRET_NO_MEMORY || outcome == IMGRET_INTERRUPTED)
            status = ir_fail(error, outcome, "%s", reason.message);
        else if (outcome)
            whole.reason = ir_asprintf("it cannot be read any more (%s)", reason.message);
        else
            status = keep_parts(move, regions, count, error);
    }
    if (!status && whole.image && whole.reason)
        status = note_missing(move, &whole, error);
    for (uint32_t i = 1; i < count && !status && whole.image && whole.reason; i++)
        status = keep_missing(move, regions[i], error);
    drop_pictures(&whole, 1);
    return status;
}

static int32_t report_progress(const mover *move, imgret_error *error)
{
    const imgret_reembed_options *options = move->options;
    if (ir_call_stopped(move->call))
        return ir_fail(error, IMGRET_INTERRUPTED, "interrupted");
    if (!options->on_progress)
        return IMGRET_OK;
    uint64_t done = ir_reembed_store_count(move->store) + move->missing_count;
    done = done < move->region_count ? done : move->region_count;
    return options->on_progress(options->user, done, move->region_count) == 0
               ? IMGRET_OK
               : ir_fail(error, IMGRET_INTERRUPTED, "stopped by the host");
}

/* ---- passes over all that is there ---- */

static int32_t look(mover *move, imgret_error *error)
{
    ir_free(move->regions);
    return ir_catalog_region_ids(move->database->catalog, 1, &move->regions, &move->region_count,
                                 error);
}

static bool is_settled(const mover *move, int64_t region)
{
    return ir_reembed_store_has(move->store, region) || is_missing(move, region);
}

static bool all_settled(const mover *move)
{
    for (uint64_t i = move->region_count; i > 0; i--) /* what is new is at the end */
        if (!is_settled(move, move->regions[i - 1]))
            return false;
    return true;
}

/* Whether a batch that ends with region i of the last look is ready. */
static bool is_batch(const mover *move, uint64_t i, uint32_t count)
{
    if (count == 0 || i + 1 == move->region_count)
        return count > 0;
    return move->database->regions
               ? ir_region_turn(move->regions[i]) != ir_region_turn(move->regions[i + 1])
               : count == BATCH;
}

/* Embeds what is not settled, of the last look. */
static int32_t embed_rest(mover *move, imgret_error *error)
{
    int64_t batch[PARTS_MAX];
    uint32_t count = 0;
    int32_t status = report_progress(move, error);
    for (uint64_t i = 0; i < move->region_count && !status; i++) {
        if (!is_settled(move, move->regions[i]))
            batch[count++] = move->regions[i];
        if (is_batch(move, i, count)) {
            status = move->database->regions ? embed_parts(move, batch, count, error)
                                             : embed_batch(move, batch, count, error);
            count = 0;
            if (!status)
                status = report_progress(move, error);
        }
    }
    return status;
}

static int32_t check_missing(const mover *move, imgret_error *error)
{
    if (move->missing_count == 0 || move->options->flags & IMGRET_REEMBED_DROP_MISSING)
        return IMGRET_OK;
    return ir_fail(
        error, IMGRET_NOT_FOUND,
        "%s: %llu pictures cannot be had to embed them anew; nothing was changed, what is "
        "done is kept for the next try",
        move->database->path, (unsigned long long)move->missing_pictures);
}

/* ---- the exchange ---- */

/* ir_segment_next_fn */
static int32_t next_vector(void *context, int64_t *id, const void **stored, imgret_error *error)
{
    mover *move = context;
    while (move->next < move->region_count) {
        *id = move->regions[move->next++];
        if (!ir_reembed_store_has(move->store, *id))
            continue;
        int32_t status = ir_reembed_store_get(move->store, *id, move->stored, error);
        *stored = move->stored;
        return status ? status : 1;
    }
    return 0;
}

static bool stop_building(void *context, double done)
{
    (void)done;
    const mover *move = context;
    return ir_call_stopped(move->call);
}

/* The number of the file to build: above all that are listed. */
static int32_t next_number(mover *move, int64_t *out, imgret_error *error)
{
    ir_catalog_segment *listed;
    uint32_t count;
    *out = 1;
    int32_t status = ir_catalog_get_segments(move->database->catalog, &listed, &count, error);
    for (uint32_t i = 0; i < count && !status; i++)
        if (listed[i].id >= *out)
            *out = listed[i].id + 1;
    ir_free(listed);
    return status;
}

static int32_t build_segment(mover *move, ir_catalog_segment *out, imgret_error *error)
{
    ir_database *database = move->database;
    if (move->dimension < 2 || move->dimension > 4096 || move->region_count < SEGMENT_WORTH)
        return IMGRET_OK; /* all go into memory */
    const ir_segment_spec spec = {
        .dimension = move->dimension,
        .metric = database->metric,
        .vector_type = database->vector_type,
        .seed = 1,
        .memory_bytes_max = move->options->memory_bytes_max,
        .pool = move->pool,
        .stop = stop_building,
        .context = move,
    };
    int64_t number;
    ir_segment *built = NULL;
    int32_t status = next_number(move, &number, error);
    char *path = status ? NULL : ir_segments_path(database->catalog, number);
    if (!status && !path)
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
    if (!status)
        status = ir_optimize_make_folder(database, error);
    if (!status)
        status = ir_segment_build(path, &spec, next_vector, move, NULL, error);
    if (!status)
        status = ir_segment_open(&built, path, NULL, error);
    ir_free(path);
    if (status)
        return status;
    ir_segment_info info;
    ir_segment_get_info(built, &info);
    ir_segment_close(built);
    move->last_region = move->regions[move->region_count - 1];
    *out = (ir_catalog_segment){.id = number,
                                .first_region = 1,
                                .last_region = move->last_region,
                                .vector_count = info.vector_count,
                                .file_bytes = info.file_bytes,
                                .identity = info.identity};
    return IMGRET_OK;
}

/* Begins the transaction in which nothing is left to embed. */
static int32_t begin_settled(mover *move, imgret_error *error)
{
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        int32_t status = ir_database_begin(move->database, error);
        if (status)
            return status;
        status = look(move, error);
        if (!status && all_settled(move))
            return IMGRET_OK;
        ir_database_rollback(move->database);
        if (!status)
            status = embed_rest(move, error);
        if (!status)
            status = check_missing(move, error);
        if (status)
            return status;
    }
    return ir_fail(error, IMGRET_BUSY, "%s: pictures are added faster than they are embedded",
                   move->database->path);
}

static int32_t write_all(mover *move, const ir_catalog_segment *built, imgret_error *error)
{
    ir_catalog *catalog = move->database->catalog;
    int64_t image;
    int32_t status = ir_catalog_drop_vectors(catalog, error);
    if (!status && move->last_region > 0)
        status = ir_catalog_replace_segments(catalog, built, NULL, 0, 0, error);
    for (uint64_t i = 0; i < move->missing_count && !status; i++)
        status = ir_catalog_lose_vector(catalog, move->missing[i], IMGRET_NOT_FOUND,
                                        "its picture was not there when the model was changed",
                                        &image, error);
    for (uint64_t i = 0; i < move->region_count && !status; i++) {
        int64_t region = move->regions[i];
        if (region <= move->last_region || !ir_reembed_store_has(move->store, region))
            continue;
        status = ir_reembed_store_get(move->store, region, move->stored, error);
        if (!status)
            status = ir_catalog_put_vector(catalog, region, move->stored,
                                           ir_delta_vector_bytes(move->codec), error);
    }
    const ir_extractor_info *info = ir_extractor_get_info(move->extractor);
    return status ? status
                  : ir_database_write_model(move->database, move->model, info->identity,
                                            info->dimension, error);
}

/* After the commit, under the writer's lock: the next look finds the other identity. */
static void after_commit(void *context)
{
    ir_database *database = context;
    pthread_mutex_lock(&database->delta_lock);
    ir_database_distrust(database);
    pthread_mutex_unlock(&database->delta_lock);
}

/* The model's principal components, beside those of the old model until that is given up. */
static int32_t copy_pca(const mover *move, imgret_error *error)
{
    if (!move->pca)
        return IMGRET_OK;
    uint8_t *data;
    size_t bytes;
    int32_t status = ir_file_read(move->pca, PCA_BYTES_MAX, &data, &bytes, error);
    if (status)
        return status;
    status = ir_file_write(move->pca_next, data, bytes, error);
    ir_free(data);
    return status ? status : ir_folder_sync_parent(move->pca_next, error);
}

/* After the commit: should this not be done, whoever loads the model next does it (model.c). */
static void exchange_pca(const mover *move)
{
    const char *copy = move->database->pca_copy;
    if (move->pca)
        rename(move->pca_next, copy);
    else
        unlink(copy);
    ir_folder_sync_parent(copy, NULL);
}

static int32_t exchange(mover *move, imgret_error *error)
{
    ir_catalog_segment built = {0};
    int32_t status = build_segment(move, &built, error);
    if (!status)
        status = copy_pca(move, error);
    if (!status)
        status = begin_settled(move, error);
    if (status)
        return status;
    status = write_all(move, &built, error);
    if (status) {
        ir_database_rollback(move->database);
        return status;
    }
    return ir_catalog_commit(move->database->catalog, after_commit, move->database, error);
}

/* ---- all ---- */

static int32_t check_possible(const mover *move, imgret_error *error)
{
    ir_database *database = move->database;
    if (database->read_only)
        return ir_fail(error, IMGRET_READ_ONLY, "%s is open for reading only", database->path);
    if (ir_database_is_joined(database))
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "%s cannot be moved to another model within this thread's transaction",
                       database->path);
    if (strncmp(database->identity, "vectors;", 8) == 0)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "%s holds ready vectors: only who made them can make others",
                       database->path);
    return IMGRET_OK;
}

/* *same: the database has this model already. */
static int32_t prepare(mover *move, bool *same, imgret_error *error)
{
    ir_database *database = move->database;
    *same = false;
    int32_t status = ir_database_absolute_model(move->options->model, &move->model, &move->pca,
                                                error);
    if (!status)
        status = ir_extractor_open_with(&move->extractor, move->model, &database->extract_options,
                                        error);
    if (status)
        return status;
    const ir_extractor_info *info = ir_extractor_get_info(move->extractor);
    move->dimension = info->dimension;
    *same = strcmp(info->identity, database->identity) == 0;
    if (*same)
        return IMGRET_OK;
    char *purpose = ir_asprintf("%s\n%s\n%u", database->identity, info->identity,
                                database->vector_type);
    move->path = ir_path_join(ir_catalog_folder(database->catalog), "reembed.imgret-partial");
    move->pca_next = ir_database_pca_next(database);
    if (!purpose || !move->path || !move->pca_next)
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory to re-embed");
    if (!status)
        status = ir_delta_create(&move->codec, info->dimension, database->metric,
                                 database->vector_type, error);
    if (!status)
        status = ir_pool_create(&move->pool, database->threads, error);
    if (!status)
        status = ir_reembed_store_open(&move->store, move->path, purpose,
                                       ir_delta_vector_bytes(move->codec), error);
    ir_free(purpose);
    if (status)
        return status;
    move->rows = ir_malloc_array((size_t)PARTS_MAX * info->dimension, sizeof *move->rows);
    move->stored = ir_malloc(ir_delta_vector_bytes(move->codec));
    move->report->resumed_count = ir_reembed_store_count(move->store);
    return move->rows && move->stored ? IMGRET_OK
                                      : ir_fail(error, IMGRET_NO_MEMORY, "no memory to re-embed");
}

static int32_t run(mover *move, imgret_error *error)
{
    ir_database *database = move->database;
    bool same;
    int lock;
    int32_t status = ir_database_sync(database, error);
    if (!status)
        status = look(move, error);
    if (!status)
        status = check_possible(move, error);
    if (!status)
        status = prepare(move, &same, error);
    if (status || same)
        return status;
    status = embed_rest(move, error);
    if (!status)
        status = look(move, error);
    if (!status)
        status = embed_rest(move, error); /* of what was added meanwhile, most */
    move->report->missing_count = move->missing_pictures;
    if (!status)
        status = check_missing(move, error);
    if (!status)
        status = ir_optimize_pause(database, &lock, error);
    if (status)
        return status;
    status = exchange(move, error);
    ir_optimize_resume(database, lock);
    if (!status) {
        exchange_pca(move);
        unlink(move->path);
    }
    ir_optimize_clean(database);
    return status;
}

int32_t ir_reembed(ir_database *database, const imgret_reembed_options *options,
                   imgret_reembed_report *report, ir_call *call, imgret_error *error)
{
    mover move = {.database = database, .options = options, .report = report, .call = call};
    int32_t status = run(&move, error);
    ir_reembed_store_close(move.store);
    ir_extractor_close(move.extractor);
    ir_delta_free(move.codec);
    ir_pool_free(move.pool);
    ir_free(move.regions);
    ir_free(move.missing);
    ir_free(move.rows);
    ir_free(move.stored);
    ir_free(move.model);
    ir_free(move.pca);
    ir_free(move.pca_next);
    ir_free(move.path);
    return status;
}
