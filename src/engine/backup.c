/* backup.c: a database copied into a folder of its own while it is in use. */
#include "engine/backup.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "engine/staging.h"

static int32_t report(void *context, uint64_t done_bytes, uint64_t total_bytes,
                      imgret_error *error)
{
    const imgret_backup_options *options = context;
    if (!options->on_progress ||
        options->on_progress(options->user, done_bytes, total_bytes) == 0)
        return IMGRET_OK;
    return ir_fail(error, IMGRET_INTERRUPTED, "the backup was stopped by the host");
}

int32_t ir_backup(ir_database *database, const char *folder, const imgret_backup_options *options,
                  imgret_error *error)
{
    ir_staging staging;
    imgret_backup_options given = *options;
    int32_t status = ir_staging_begin(&staging, folder, error);
    if (status)
        return status;
    char *file = ir_path_join(staging.partial, "catalog.db");
    status = file ? ir_catalog_backup(database->catalog, file, report, &given, error)
                  : ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
    ir_free(file);
    if (!status)
        return ir_staging_finish(&staging, error);
    ir_staging_drop(&staging);
    return status;
}
