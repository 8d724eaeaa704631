/* backup.c: a database copied into a folder of its own while it is in use. */
#include "engine/backup.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "engine/copy.h"
#include "engine/optimize.h"
#include "engine/staging.h"

#include <errno.h>
#include <sys/stat.h>

static int32_t report(void *context, uint64_t done_bytes, uint64_t total_bytes, imgret_error *error)
{
    const imgret_backup_options *options = context;
    if (!options->on_progress || options->on_progress(options->user, done_bytes, total_bytes) == 0)
        return IMGRET_OK;
    return ir_fail(error, IMGRET_INTERRUPTED, "the backup was stopped by the host");
}

/* The segments that the catalogue lists, into `folder`/segments. While replacing is paused. */
static int32_t copy_segments(ir_database *database, const char *folder, imgret_error *error)
{
    ir_catalog_segment *listed;
    uint32_t count;
    int32_t status = ir_catalog_get_segments(database->catalog, &listed, &count, error);
    char *inside = ir_path_join(folder, "segments");
    if (!status && !inside)
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
    if (!status && count > 0 && mkdir(inside, 0777) != 0)
        status = ir_fail_errno(error, errno, "make folder", inside);
    for (uint32_t i = 0; i < count && !status; i++) {
        char *from = ir_segments_path(database->catalog, listed[i].id);
        char *to = ir_asprintf("%s/%06lld.seg", inside, (long long)listed[i].id);
        status = from && to ? ir_copy_file(from, to, error)
                            : ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
        ir_free(from);
        ir_free(to);
    }
    if (!status && count > 0)
        status = ir_folder_sync(inside, error);
    ir_free(inside);
    ir_free(listed);
    return status;
}

static int32_t fill(ir_database *database, const char *folder, imgret_backup_options *options,
                    imgret_error *error)
{
    int lock;
    int32_t status = ir_optimize_pause(database, &lock, error);
    if (status)
        return status;
    char *file = ir_path_join(folder, "catalog.db");
    status = file ? ir_catalog_backup(database->catalog, file, report, options, error)
                  : ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
    if (!status)
        status = copy_segments(database, folder, error);
    if (!status)
        status = ir_copy_if_there(ir_catalog_folder(database->catalog), folder, "pca.imgret-pca",
                                  error);
    ir_free(file);
    ir_optimize_resume(database, lock);
    return status;
}

int32_t ir_backup(ir_database *database, const char *folder, const imgret_backup_options *options,
                  imgret_error *error)
{
    ir_staging staging;
    imgret_backup_options given = *options;
    int32_t status = ir_staging_begin(&staging, folder, error);
    if (status)
        return status;
    status = fill(database, staging.partial, &given, error);
    if (!status)
        return ir_staging_finish(&staging, error);
    ir_staging_drop(&staging);
    return status;
}
