/* tidy.c: giving back what removed rows took: free pages to the file system, and the log's copies of them.
 *
 * Removed bytes are overwritten with zeros in the pages (secure_delete), but the file holds the old
 * pages until the log is copied over them.
 */
#include "catalog/internal.h"

#include "base/error.h"
#include "catalog/repair.h"

#include <stdio.h>

enum { STEP_PAGES = 1024 }; /* moved in one transaction: 8 MiB, and then others may write */

static int32_t query_int(ir_connection *connection, const char *sql, int64_t *out,
                         imgret_error *error)
{
    return ir_connection_int(connection, sql, "tidying up", out, error);
}

/* Moves the last pages into free ones and cuts the file; *more is whether there are further ones. */
static int32_t shrink_some(ir_catalog *catalog, bool *more, imgret_error *error)
{
    char sql[64];
    int64_t mode = 0, before = 0, after = 0;
    ir_connection *writer = &catalog->writer;
    *more = false;
    int32_t status = ir_catalog_begin(catalog, error);
    if (status)
        return status;
    status = query_int(writer, "PRAGMA auto_vacuum", &mode, error);
    if (!status)
        status = query_int(writer, "PRAGMA freelist_count", &before, error);
    if (status || mode != 2 || before == 0) { /* made by a version that did not shrink */
        ir_catalog_rollback(catalog);
        return status;
    }
    snprintf(sql, sizeof sql, "PRAGMA incremental_vacuum(%d)", STEP_PAGES);
    status = ir_connection_exec(writer, sql, "giving pages back", error);
    if (!status)
        status = query_int(writer, "PRAGMA freelist_count", &after, error);
    if (status) {
        ir_catalog_rollback(catalog);
        return status;
    }
    *more = after > 0 && after < before;
    return ir_catalog_commit(catalog, NULL, NULL, error);
}

int32_t ir_catalog_tidy(ir_catalog *catalog, imgret_error *error)
{
    bool more = true;
    int32_t status = IMGRET_OK;
    while (!status && more)
        status = shrink_some(catalog, &more, error);
    if (status)
        return status;
    ir_connection *writer = &catalog->writer;
    if (!ir_gate_enter(&catalog->gate, writer->stop, writer->stop_context))
        return ir_fail(error, IMGRET_INTERRUPTED, "%s: tidying up was stopped", catalog->path);
    /* Where somebody is reading right now the log stays for a later checkpoint. */
    int code = sqlite3_wal_checkpoint_v2(writer->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    if (code != SQLITE_OK && (code & 0xFF) != SQLITE_BUSY && (code & 0xFF) != SQLITE_LOCKED)
        status = ir_connection_fail(writer, code, "copying the log", error);
    ir_gate_leave(&catalog->gate);
    return status;
}
