/* reembed_exchange.c: puts the vectors of another model in the place of the old ones, in one transaction.
 *
 *   a segment of what is kept -> the writer's lock, under which nothing is left to embed -> settings, vectors and
 *   segments are exchanged -> the principal components are
 */
#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "catalog/repair.h"
#include "engine/optimize.h"
#include "engine/reembed_inside.h"

#include <stdio.h>
#include <unistd.h>

enum { TRIES_MAX = 100, SEGMENT_WORTH = 4096, PCA_BYTES_MAX = 1 << 30 };

typedef ir_reembed_move mover;

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
        status = ir_reembed_look(move, error);
        if (!status && ir_reembed_all_settled(move))
            return IMGRET_OK;
        ir_database_rollback(move->database);
        if (!status)
            status = ir_reembed_rest(move, error);
        if (!status)
            status = ir_reembed_check_missing(move, error);
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

int32_t ir_reembed_exchange(mover *move, imgret_error *error)
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
    status = ir_catalog_commit(move->database->catalog, after_commit, move->database, error);
    if (!status)
        exchange_pca(move);
    return status;
}
