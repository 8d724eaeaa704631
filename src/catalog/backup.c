/* backup.c: a copy of the catalogue as one commit left it, made while others read and write.
 *
 * The source is a connection of its own whose read transaction stays open from the first page to
 * the last: without it SQLite would begin anew whenever somebody commits, perhaps for ever.
 */
#include "catalog/internal.h"

#include "base/error.h"

enum { STEP_PAGES = 256 }; /* 2 MiB between two looks at `stop` */

/* The file is new and ours alone, so it needs no journal on disk; FULL makes the end durable. */
static int32_t open_target(ir_connection *target, const char *path,
                           const ir_catalog_options *options, imgret_error *error)
{
    int32_t status = ir_connection_open(target, path, IR_CONNECTION_TARGET, options, error);
    if (status)
        return status;
    return ir_connection_exec(target, "PRAGMA journal_mode=MEMORY; PRAGMA synchronous=FULL",
                              "preparing a backup", error);
}

static int32_t copy_pages(ir_connection *source, ir_connection *target, ir_catalog_copy_fn on_copy,
                          void *context, imgret_error *error)
{
    sqlite3_backup *copy = sqlite3_backup_init(target->db, "main", source->db, "main");
    if (!copy)
        return ir_connection_fail(target, sqlite3_extended_errcode(target->db),
                                  "beginning a backup", error);
    int32_t status = IMGRET_OK;
    int code = SQLITE_OK;
    while (!status && code == SQLITE_OK) {
        code = sqlite3_backup_step(copy, STEP_PAGES);
        if (code != SQLITE_OK && code != SQLITE_DONE)
            break;
        uint64_t total = (uint64_t)sqlite3_backup_pagecount(copy);
        uint64_t left = (uint64_t)sqlite3_backup_remaining(copy);
        status = on_copy(context, (total - left) * IR_CATALOG_PAGE_BYTES,
                         total * IR_CATALOG_PAGE_BYTES, error);
        if (!status && code != SQLITE_DONE && source->stop && source->stop(source->stop_context))
            status = ir_fail(error, IMGRET_INTERRUPTED, "the backup was interrupted");
    }
    int finished = sqlite3_backup_finish(copy); /* repeats the failure of a step */
    if (!status && code != SQLITE_DONE)
        status = ir_connection_fail(target, code, "copying", error);
    else if (!status && finished != SQLITE_OK)
        status = ir_connection_fail(target, finished, "copying", error);
    return status;
}

int32_t ir_catalog_backup(ir_catalog *catalog, const char *path, ir_catalog_copy_fn on_copy,
                          void *context, imgret_error *error)
{
    ir_catalog_options options = {.stop = catalog->reader.stop,
                                  .stop_context = catalog->reader.stop_context,
                                  .busy_timeout_ms = catalog->reader.busy_timeout_ms};
    ir_connection source, target = {0};
    int32_t status = ir_connection_open(&source, catalog->path, catalog->reader_mode, &options,
                                        error);
    if (!status)
        status = ir_connection_control(&source, IR_SQL_BEGIN_READ, error);
    ir_schema_state state; /* reading anything opens the snapshot */
    if (!status)
        status = ir_schema_look(&source, &ir_schema_current, &state, error);
    if (!status)
        status = open_target(&target, path, &options, error);
    if (!status)
        status = copy_pages(&source, &target, on_copy, context, error);
    ir_connection_close(&target);
    ir_connection_close(&source);
    return status;
}
