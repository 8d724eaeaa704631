/* write.c: transactions and all that changes the catalogue. */
#include "catalog/internal.h"

#include "base/error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define URI_BYTES_MAX (64 << 10)
#define TEXT_BYTES_MAX (4 << 10) /* of a format or a reason */

static int64_t unix_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A newer libimgret may have changed the tables while this handle was open. */
static int32_t refuse_newer(ir_connection *writer, imgret_error *error)
{
    ir_schema_state state;
    ir_statement statement;
    bool row;
    int64_t version = 0;
    ir_statement_start(&statement, writer, IR_SQL_USER_VERSION, "reading its version");
    int32_t status = ir_statement_step(&statement, &row, error);
    if (!status && row)
        version = sqlite3_column_int64(statement.handle, 0);
    ir_statement_end(&statement);
    if (status ||
        (version >= ir_schema_made(&ir_schema_current) && version <= ir_schema_current.version))
        return status;
    status = ir_schema_look(writer, &ir_schema_current, &state, error);
    return status ? status
                  : ir_fail(error, IMGRET_CORRUPT, "%s: its version changed to %d while open",
                            writer->path, state.version);
}

int32_t ir_catalog_begin(ir_catalog *catalog, imgret_error *error)
{
    ir_connection *writer = &catalog->writer;
    if (catalog->read_only)
        return ir_fail(error, IMGRET_READ_ONLY, "%s: is open for reading only", catalog->path);
    if (ir_gate_is_mine(&catalog->gate))
        return ir_fail(error, IMGRET_INTERNAL, "%s: this thread has begun a transaction already",
                       catalog->path);
    if (!ir_gate_enter(&catalog->gate, writer->stop, writer->stop_context))
        return ir_fail(error, IMGRET_INTERRUPTED,
                       "%s: stopped while waiting for another thread's transaction", catalog->path);
    catalog->spoiled = IMGRET_OK;
    imgret_error failure = IMGRET_ERROR_INIT;
    int32_t status = ir_connection_control(writer, IR_SQL_BEGIN_WRITE, &failure);
    if (status == IMGRET_BUSY)
        ir_fail(error, status, "%s: another process or handle is writing (waited %u ms)",
                catalog->path, writer->busy_timeout_ms);
    else if (status)
        ir_fail(error, status, "%s", failure.message);
    if (!status)
        status = refuse_newer(writer, error);
    if (status)
        ir_catalog_rollback(catalog);
    return status;
}

void ir_catalog_rollback(ir_catalog *catalog)
{
    if (!ir_gate_is_mine(&catalog->gate))
        return;
    if (ir_connection_in_transaction(&catalog->writer))
        ir_connection_control(&catalog->writer, IR_SQL_ROLLBACK, NULL);
    ir_gate_leave(&catalog->gate);
}

bool ir_catalog_in_transaction(ir_catalog *catalog)
{
    return !catalog->read_only && ir_gate_is_mine(&catalog->gate);
}

/* SQLite gives a transaction up on its own after some failures, of a mere look-up too: what was
 * written afterwards would be committed alone. */
static void notice_lost(ir_catalog *catalog)
{
    if (catalog->spoiled || ir_connection_in_transaction(&catalog->writer))
        return;
    catalog->spoiled_error = (imgret_error)IMGRET_ERROR_INIT;
    catalog->spoiled = ir_fail(&catalog->spoiled_error, IMGRET_IO,
                               "%s: SQLite rolled it back after a failure", catalog->path);
}

static int32_t fail_spoiled(const ir_catalog *catalog, imgret_error *error)
{
    return ir_fail(error, catalog->spoiled, "the transaction is lost: %s",
                   catalog->spoiled_error.message);
}

static int32_t require_transaction(ir_catalog *catalog, imgret_error *error)
{
    if (catalog->read_only)
        return ir_fail(error, IMGRET_READ_ONLY, "%s: is open for reading only", catalog->path);
    if (!ir_gate_is_mine(&catalog->gate))
        return ir_fail(error, IMGRET_INTERNAL, "%s: writing needs a transaction", catalog->path);
    notice_lost(catalog);
    return catalog->spoiled ? fail_spoiled(catalog, error) : IMGRET_OK;
}

/* Passes on the status of a write, and marks the transaction when it may be half done: when SQLite
 * has rolled back on its own, a further write would otherwise be committed alone. */
static int32_t spoil(ir_catalog *catalog, int32_t status, imgret_error *failure,
                     imgret_error *error)
{
    if (!status)
        return IMGRET_OK;
    catalog->spoiled = status;
    catalog->spoiled_error = *failure;
    return ir_fail(error, status, "%s", failure->message);
}

int32_t ir_catalog_commit(ir_catalog *catalog, void (*committed)(void *context), void *context,
                          imgret_error *error)
{
    if (!ir_gate_is_mine(&catalog->gate))
        return ir_fail(error, IMGRET_INTERNAL, "%s: there is no transaction to commit",
                       catalog->path);
    notice_lost(catalog);
    int32_t status = catalog->spoiled
                         ? fail_spoiled(catalog, error)
                         : ir_connection_control(&catalog->writer, IR_SQL_COMMIT, error);
    if (status) {
        ir_catalog_rollback(catalog);
        return status;
    }
    if (committed)
        committed(context);
    ir_gate_leave(&catalog->gate);
    return IMGRET_OK;
}

int32_t ir_catalog_set_setting(ir_catalog *catalog, const char *name, const char *value,
                               imgret_error *error)
{
    int32_t status = require_transaction(catalog, error);
    if (status)
        return status;
    imgret_error failure = IMGRET_ERROR_INIT;
    ir_statement statement;
    ir_statement_start(&statement, &catalog->writer, IR_SQL_SET_SETTING, "storing a setting");
    ir_statement_bind_text(&statement, name);
    ir_statement_bind_text(&statement, value);
    return spoil(catalog, ir_statement_run(&statement, &failure), &failure, error);
}

/* Everything that can be refused is refused before anything is changed. */
static int32_t check_image(ir_catalog *catalog, const ir_catalog_image *image, imgret_error *error)
{
    if (image->file_bytes > INT64_MAX)
        return ir_fail(error, IMGRET_LIMIT, "an image of %llu bytes cannot be recorded",
                       (unsigned long long)image->file_bytes);
    if (image->uri && strnlen(image->uri, URI_BYTES_MAX + 1) > URI_BYTES_MAX)
        return ir_fail(error, IMGRET_LIMIT, "uri is longer than %d bytes: %.60s...", URI_BYTES_MAX,
                       image->uri);
    if (image->format && strnlen(image->format, TEXT_BYTES_MAX + 1) > TEXT_BYTES_MAX)
        return ir_fail(error, IMGRET_LIMIT, "format is longer than %d bytes", TEXT_BYTES_MAX);
    if (image->vector_bytes > IR_CATALOG_VALUE_BYTES_MAX / 2)
        return ir_fail(error, IMGRET_LIMIT, "a vector of %zu bytes is too long",
                       image->vector_bytes);
    int32_t status = ir_catalog_check_label(image->label, image->label_score, error);
    if (!status)
        status = ir_catalog_check_objects(image, error);
    return status ? status : ir_catalog_check_metadata(&catalog->writer, image->metadata, error);
}

static int32_t write_image(ir_catalog *catalog, const ir_catalog_image *image, int32_t state,
                           int32_t failure_code, const char *failure, int64_t replaced_id,
                           imgret_error *error)
{
    ir_statement statement;
    ir_statement_start(&statement, &catalog->writer,
                       replaced_id ? IR_SQL_REPLACE_IMAGE : IR_SQL_INSERT_IMAGE,
                       "storing an image");
    ir_statement_bind_text(&statement, image->uri);
    ir_statement_bind_int(&statement, state);
    ir_statement_bind_int(&statement, failure_code);
    ir_statement_bind_blob(&statement, image->content_hash, sizeof image->content_hash);
    ir_statement_bind_int(&statement, (int64_t)image->file_bytes);
    ir_statement_bind_int(&statement, image->modified_ns);
    ir_statement_bind_int(&statement, unix_ms());
    ir_statement_bind_int(&statement, image->width);
    ir_statement_bind_int(&statement, image->height);
    ir_statement_bind_text(&statement, image->format ? image->format : "");
    ir_statement_bind_text(&statement, failure);
    ir_statement_bind_text(&statement, image->metadata);
    ir_packed_colors colors;
    ir_catalog_bind_attributes(&statement, image->attributes, &colors);
    ir_statement_bind_text(&statement, image->label);
    ir_statement_bind_real(&statement, image->label ? image->label_score : (double)NAN);
    if (replaced_id)
        ir_statement_bind_int(&statement, replaced_id);
    int32_t status = ir_statement_run(&statement, error);
    if (status && statement.failure == SQLITE_CONSTRAINT_UNIQUE)
        return ir_fail(error, IMGRET_EXISTS, "uri %s belongs to another image", image->uri);
    if (!status && replaced_id && sqlite3_changes(catalog->writer.db) == 0)
        return ir_fail(error, IMGRET_NOT_FOUND, "no image has id %lld", (long long)replaced_id);
    return status;
}

/* Region 0 of an image on this connection; 0 when there is none. */
static int32_t find_region(ir_connection *connection, int64_t id, int64_t *region,
                           imgret_error *error)
{
    ir_statement statement;
    bool row;
    *region = 0;
    ir_statement_start(&statement, connection, IR_SQL_IMAGE_REGION, "looking up a region");
    ir_statement_bind_int(&statement, id);
    int32_t status = ir_statement_step(&statement, &row, error);
    if (!status && row)
        status = ir_statement_int(&statement, 0, 1, INT64_MAX, region, error);
    ir_statement_end(&statement);
    return status;
}

static int32_t run_with_id(ir_catalog *catalog, ir_sql sql, const char *doing, int64_t id,
                           imgret_error *error)
{
    ir_statement statement;
    ir_statement_start(&statement, &catalog->writer, sql, doing);
    ir_statement_bind_int(&statement, id);
    return ir_statement_run(&statement, error);
}

/* Takes an image's regions and vectors away and notes them as removed. */
static int32_t remove_regions(ir_catalog *catalog, int64_t id, int64_t *removed_region,
                              imgret_error *error)
{
    int32_t status = find_region(&catalog->writer, id, removed_region, error);
    if (!status)
        status = run_with_id(catalog, IR_SQL_NOTE_REMOVALS, "noting a removal", id, error);
    if (!status)
        status = run_with_id(catalog, IR_SQL_DELETE_REGIONS, "removing a region", id, error);
    return status;
}

static int32_t add_region(ir_catalog *catalog, const ir_catalog_image *image, int64_t id,
                          int64_t *region, imgret_error *error)
{
    int32_t status = run_with_id(catalog,
                                 image->spaced ? IR_SQL_INSERT_SPACED_REGION : IR_SQL_INSERT_REGION,
                                 "storing a region", id, error);
    if (status)
        return status;
    *region = sqlite3_last_insert_rowid(catalog->writer.db);
    ir_statement statement;
    ir_statement_start(&statement, &catalog->writer, IR_SQL_INSERT_VECTOR, "storing a vector");
    ir_statement_bind_int(&statement, *region);
    ir_statement_bind_blob(&statement, image->vector_bytes ? image->vector : "",
                           image->vector_bytes);
    status = ir_statement_run(&statement, error);
    return status ? status : ir_catalog_add_objects(catalog, image, id, *region, error);
}

static bool is_refusal(int32_t status)
{
    return status == IMGRET_EXISTS || status == IMGRET_NOT_FOUND;
}

int32_t ir_catalog_store(ir_catalog *catalog, const ir_catalog_image *image, int64_t replaced_id,
                         int64_t *id, int64_t *region, int64_t *removed_region, imgret_error *error)
{
    *id = *region = *removed_region = 0;
    int32_t status = require_transaction(catalog, error);
    if (!status)
        status = check_image(catalog, image, error);
    if (status)
        return status;
    imgret_error failure = IMGRET_ERROR_INIT;
    status = write_image(catalog, image, IMGRET_STATE_STORED, 0, "", replaced_id, &failure);
    if (is_refusal(status)) /* nothing was changed */
        return ir_fail(error, status, "%s", failure.message);
    int64_t new_id = replaced_id ? replaced_id : sqlite3_last_insert_rowid(catalog->writer.db);
    int64_t new_region = 0, removed = 0;
    if (!status && replaced_id)
        status = remove_regions(catalog, replaced_id, &removed, &failure);
    if (!status)
        status = add_region(catalog, image, new_id, &new_region, &failure);
    if (status)
        return spoil(catalog, status, &failure, error);
    *id = new_id;
    *region = new_region;
    *removed_region = removed;
    return IMGRET_OK;
}

int32_t ir_catalog_store_failure(ir_catalog *catalog, const ir_catalog_image *image,
                                 int32_t failure_code, const char *failure_text,
                                 int64_t replaced_id, int64_t *id, int64_t *removed_region,
                                 imgret_error *error)
{
    *id = *removed_region = 0;
    int32_t status = require_transaction(catalog, error);
    if (!status)
        status = check_image(catalog, image, error);
    if (!status && strnlen(failure_text, TEXT_BYTES_MAX + 1) > TEXT_BYTES_MAX)
        status = ir_fail(error, IMGRET_LIMIT, "a reason longer than %d bytes", TEXT_BYTES_MAX);
    if (status)
        return status;
    imgret_error failure = IMGRET_ERROR_INIT;
    status = write_image(catalog, image, IMGRET_STATE_FAILED, failure_code, failure_text,
                         replaced_id, &failure);
    if (is_refusal(status))
        return ir_fail(error, status, "%s", failure.message);
    int64_t new_id = replaced_id ? replaced_id : sqlite3_last_insert_rowid(catalog->writer.db);
    int64_t removed = 0;
    if (!status && replaced_id)
        status = remove_regions(catalog, replaced_id, &removed, &failure);
    if (status)
        return spoil(catalog, status, &failure, error);
    *id = new_id;
    *removed_region = removed;
    return IMGRET_OK;
}

int32_t ir_catalog_change_image(ir_catalog *catalog, ir_statement *statement, int64_t id,
                                imgret_error *error)
{
    imgret_error failure = IMGRET_ERROR_INIT;
    int32_t status = ir_statement_run(statement, &failure);
    if (status)
        return spoil(catalog, status, &failure, error);
    if (sqlite3_changes(catalog->writer.db) == 0)
        return ir_fail(error, IMGRET_NOT_FOUND, "no image has id %lld", (long long)id);
    return IMGRET_OK;
}

int32_t ir_catalog_touch(ir_catalog *catalog, int64_t id, uint64_t file_bytes, int64_t modified_ns,
                         imgret_error *error)
{
    int32_t status = require_transaction(catalog, error);
    if (!status && file_bytes > INT64_MAX)
        status = ir_fail(error, IMGRET_LIMIT, "a file of %llu bytes cannot be recorded",
                         (unsigned long long)file_bytes);
    if (status)
        return status;
    ir_statement statement;
    ir_statement_start(&statement, &catalog->writer, IR_SQL_TOUCH, "noting a file's time");
    ir_statement_bind_int(&statement, (int64_t)file_bytes);
    ir_statement_bind_int(&statement, modified_ns);
    ir_statement_bind_int(&statement, id);
    return ir_catalog_change_image(catalog, &statement, id, error);
}

int32_t ir_catalog_move(ir_catalog *catalog, int64_t id, const char *uri, imgret_error *error)
{
    int32_t status = require_transaction(catalog, error);
    if (status)
        return status;
    ir_statement statement;
    ir_statement_start(&statement, &catalog->writer, IR_SQL_MOVE, "noting a file's new name");
    ir_statement_bind_text(&statement, uri);
    ir_statement_bind_int(&statement, id);
    return ir_catalog_change_image(catalog, &statement, id, error);
}

int32_t ir_catalog_set_metadata(ir_catalog *catalog, int64_t id, const char *metadata,
                                imgret_error *error)
{
    int32_t status = require_transaction(catalog, error);
    if (!status)
        status = ir_catalog_check_metadata(&catalog->writer, metadata, error);
    if (status)
        return status;
    ir_statement statement;
    ir_statement_start(&statement, &catalog->writer, IR_SQL_SET_METADATA, "storing metadata");
    ir_statement_bind_text(&statement, metadata);
    ir_statement_bind_int(&statement, id);
    return ir_catalog_change_image(catalog, &statement, id, error);
}

int32_t ir_catalog_remove(ir_catalog *catalog, int64_t id, int64_t *removed_region,
                          imgret_error *error)
{
    *removed_region = 0;
    int32_t status = require_transaction(catalog, error);
    if (status)
        return status;
    imgret_error failure = IMGRET_ERROR_INIT;
    int64_t removed = 0;
    status = remove_regions(catalog, id, &removed, &failure);
    if (status)
        return spoil(catalog, status, &failure, error);
    ir_statement statement;
    ir_statement_start(&statement, &catalog->writer, IR_SQL_DELETE_IMAGE, "removing an image");
    ir_statement_bind_int(&statement, id);
    status = ir_catalog_change_image(catalog, &statement, id, error);
    if (!status)
        *removed_region = removed;
    return status;
}

int32_t ir_catalog_may_write(ir_catalog *catalog, imgret_error *error)
{
    return require_transaction(catalog, error);
}

int32_t ir_catalog_note_write(ir_catalog *catalog, int32_t status, imgret_error *failure,
                              imgret_error *error)
{
    return spoil(catalog, status, failure, error);
}
