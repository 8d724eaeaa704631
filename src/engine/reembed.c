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
#include "engine/extract_many.h"
#include "engine/optimize.h"
#include "engine/reembed_inside.h"
#include "engine/reembed_parts.h"

#include <string.h>
#include <unistd.h>

enum { BATCH = 32 };

typedef ir_reembed_move mover;

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

int32_t ir_reembed_look(mover *move, imgret_error *error)
{
    ir_free(move->regions);
    return ir_catalog_region_ids(move->database->catalog, 1, &move->regions, &move->region_count,
                                 error);
}

static bool is_settled(const mover *move, int64_t region)
{
    return ir_reembed_store_has(move->store, region) || is_missing(move, region);
}

bool ir_reembed_all_settled(const mover *move)
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
int32_t ir_reembed_rest(mover *move, imgret_error *error)
{
    int64_t batch[IR_REEMBED_PARTS_MAX];
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

int32_t ir_reembed_check_missing(const mover *move, imgret_error *error)
{
    if (move->missing_count == 0 || move->options->flags & IMGRET_REEMBED_DROP_MISSING)
        return IMGRET_OK;
    return ir_fail(
        error, IMGRET_NOT_FOUND,
        "%s: %llu pictures cannot be had to embed them anew; nothing was changed, what is "
        "done is kept for the next try",
        move->database->path, (unsigned long long)move->missing_pictures);
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
    move->rows = ir_malloc_array((size_t)IR_REEMBED_PARTS_MAX * info->dimension,
                                 sizeof *move->rows);
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
        status = ir_reembed_look(move, error);
    if (!status)
        status = check_possible(move, error);
    if (!status)
        status = prepare(move, &same, error);
    if (status || same)
        return status;
    status = ir_reembed_rest(move, error);
    if (!status)
        status = ir_reembed_look(move, error);
    if (!status)
        status = ir_reembed_rest(move, error); /* of what was added meanwhile, most */
    move->report->missing_count = move->missing_pictures;
    if (!status)
        status = ir_reembed_check_missing(move, error);
    if (!status)
        status = ir_optimize_pause(database, &lock, error);
    if (status)
        return status;
    status = ir_reembed_exchange(move, error);
    ir_optimize_resume(database, lock);
    if (!status)
        unlink(move->path);
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
