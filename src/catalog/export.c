/* export.c: all that a catalogue holds, as lines of JSON and vectors in their order.
 *
 * One read transaction on a connection of its own sees to it that all is of one state.
 */
#include "catalog/transfer.h"

#include "base/error.h"
#include "catalog/columns.h"
#include "catalog/index_text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct exporter {
    ir_connection connection;
    const ir_export_sink *sink;
    ir_columns image_columns, region_columns;
    sqlite3_stmt *images, *regions, *vector, *nests;
    ir_text line;
    uint64_t next_vector; /* its number in vectors.npy */
} exporter;

static int32_t fail_sql(exporter *out, int code, imgret_error *error)
{
    return ir_connection_fail(&out->connection, code, "exporting", error);
}

static int32_t prepare(exporter *out, sqlite3_stmt **statement, const char *sql,
                       imgret_error *error)
{
    int code = sqlite3_prepare_v2(out->connection.db, sql, -1, statement, NULL);
    return code == SQLITE_OK ? IMGRET_OK : fail_sql(out, code, error);
}

/* "SELECT a, b FROM table WHERE ... " with every column. */
static int32_t prepare_rows(exporter *out, sqlite3_stmt **statement, const ir_columns *columns,
                            const char *rest, imgret_error *error)
{
    ir_text sql = {0};
    ir_text_add_string(&sql, "SELECT ");
    for (int i = 0; i < columns->count; i++) {
        ir_text_add_string(&sql, i ? ", " : "");
        ir_text_add_string(&sql, columns->at[i].name);
    }
    ir_text_add_string(&sql, rest);
    int32_t status = sql.failed ? ir_fail(error, IMGRET_NO_MEMORY, "no memory to export")
                                : prepare(out, statement, sql.data, error);
    ir_text_free(&sql);
    return status;
}

/* ---- values ---- */

/* Metadata stands in a line as the JSON it is, unless that would nest more deeply than a reader
 * takes; then it is a text. */
static int32_t add_metadata(exporter *out, sqlite3_stmt *row, int column, imgret_error *error)
{
    int code = sqlite3_bind_value(out->nests, 1, sqlite3_column_value(row, column));
    if (code == SQLITE_OK)
        code = sqlite3_step(out->nests);
    const char *nested = code == SQLITE_ROW ? (const char *)sqlite3_column_text(out->nests, 0)
                                            : NULL;
    const char *text = (const char *)sqlite3_column_text(row, column);
    int32_t status = IMGRET_OK;
    if (code != SQLITE_ROW)
        status = fail_sql(out, code, error);
    else if (!text)
        status = fail_sql(out, SQLITE_NOMEM, error);
    else if (nested)
        ir_text_add_string(&out->line, nested);
    else
        ir_text_add_json(&out->line, text, (size_t)sqlite3_column_bytes(row, column));
    sqlite3_reset(out->nests);
    return status;
}

static void add_name(ir_text *line, const char *name, const char *more)
{
    if (line->bytes > 0 && line->data[line->bytes - 1] != '{')
        ir_text_add(line, ",", 1);
    ir_text_add(line, "\"", 1);
    ir_text_add_string(line, name);
    ir_text_add_string(line, more);
    ir_text_add_string(line, "\":");
}

static int32_t add_text(exporter *out, const char *name, sqlite3_stmt *row, int column,
                        imgret_error *error)
{
    ir_text *line = &out->line;
    const char *text = (const char *)sqlite3_column_text(row, column);
    size_t bytes = (size_t)sqlite3_column_bytes(row, column);
    if (!text)
        return fail_sql(out, SQLITE_NOMEM, error);
    bool plain = ir_utf8_valid_bytes(text, bytes) == bytes && !memchr(text, 0, bytes);
    if (plain && strcmp(name, "metadata") == 0) {
        add_name(line, name, "");
        return add_metadata(out, row, column, error);
    }
    add_name(line, name, plain ? "" : "_hex");
    if (plain) {
        ir_text_add_json(line, text, bytes);
    } else {
        ir_text_add(line, "\"", 1);
        ir_text_add_hex(line, text, bytes);
        ir_text_add(line, "\"", 1);
    }
    return IMGRET_OK;
}

/* What is NULL is left out. */
static int32_t add_value(exporter *out, const char *name, sqlite3_stmt *row, int column,
                         imgret_error *error)
{
    ir_text *line = &out->line;
    double real;
    switch (sqlite3_column_type(row, column)) {
    case SQLITE_NULL:
        return IMGRET_OK;
    case SQLITE_TEXT:
        return add_text(out, name, row, column, error);
    case SQLITE_INTEGER:
        add_name(line, name, "");
        ir_text_add_int(line, sqlite3_column_int64(row, column));
        return IMGRET_OK;
    case SQLITE_FLOAT:
        real = sqlite3_column_double(row, column);
        if (!isfinite(real))
            return ir_fail(error, IMGRET_CORRUPT, "%s: %s of row %lld is not finite",
                           out->connection.path, name, (long long)sqlite3_column_int64(row, 0));
        add_name(line, name, "");
        ir_text_add_real(line, real);
        return IMGRET_OK;
    default:
        add_name(line, name, "");
        ir_text_add(line, "\"", 1);
        ir_text_add_hex(line, sqlite3_column_blob(row, column),
                        (size_t)sqlite3_column_bytes(row, column));
        ir_text_add(line, "\"", 1);
        return IMGRET_OK;
    }
}

/* ---- rows ---- */

static int32_t pass_vector(exporter *out, int64_t region, imgret_error *error)
{
    int code = sqlite3_bind_int64(out->vector, 1, region);
    if (code == SQLITE_OK)
        code = sqlite3_step(out->vector);
    int32_t status = IMGRET_OK;
    const ir_export_sink *sink = out->sink;
    if (code == SQLITE_DONE) {
        status = sink->vector(sink->context, region, NULL, 0, error);
    } else if (code == SQLITE_ROW) {
        const void *stored = sqlite3_column_blob(out->vector, 0);
        size_t bytes = (size_t)sqlite3_column_bytes(out->vector, 0);
        status = stored ? sink->vector(sink->context, region, stored, bytes, error)
                        : ir_fail(error, IMGRET_CORRUPT, "%s: the vector of region %lld is empty",
                                  out->connection.path, (long long)region);
    } else {
        status = fail_sql(out, code, error);
    }
    sqlite3_reset(out->vector);
    return status;
}

/* One object of "regions"; its image is the line's. */
static int32_t add_region(exporter *out, imgret_error *error)
{
    const ir_columns *columns = &out->region_columns;
    int id = ir_columns_find(columns, "id", 2);
    ir_text_add(&out->line, "{", 1);
    int32_t status = IMGRET_OK;
    for (int i = 0; i < columns->count && !status; i++)
        if (strcmp(columns->at[i].name, "image") != 0)
            status = add_value(out, columns->at[i].name, out->regions, i, error);
    add_name(&out->line, "vector", "");
    ir_text_add_int(&out->line, (int64_t)out->next_vector++);
    ir_text_add(&out->line, "}", 1);
    return status ? status : pass_vector(out, sqlite3_column_int64(out->regions, id), error);
}

static int32_t add_regions(exporter *out, int64_t image, imgret_error *error)
{
    int code = sqlite3_bind_int64(out->regions, 1, image);
    int32_t status = IMGRET_OK;
    add_name(&out->line, "regions", "");
    ir_text_add(&out->line, "[", 1);
    for (int count = 0; !status && (code == SQLITE_OK || code == SQLITE_ROW); count++) {
        code = sqlite3_step(out->regions);
        if (code != SQLITE_ROW)
            break;
        ir_text_add(&out->line, ",", count > 0);
        status = add_region(out, error);
    }
    if (!status && code != SQLITE_DONE)
        status = fail_sql(out, code, error);
    sqlite3_reset(out->regions);
    ir_text_add(&out->line, "]", 1);
    return status;
}

static int32_t pass_image(exporter *out, imgret_error *error)
{
    const ir_columns *columns = &out->image_columns;
    int64_t id = sqlite3_column_int64(out->images, ir_columns_find(columns, "id", 2));
    ir_text_clear(&out->line);
    ir_text_add(&out->line, "{", 1);
    int32_t status = IMGRET_OK;
    for (int i = 0; i < columns->count && !status; i++)
        status = add_value(out, columns->at[i].name, out->images, i, error);
    if (!status)
        status = add_regions(out, id, error);
    ir_text_add(&out->line, "}", 1);
    if (!status && out->line.failed)
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory to export image %lld", (long long)id);
    if (!status && out->line.bytes > IR_TRANSFER_LINE_BYTES_MAX)
        status = ir_fail(error, IMGRET_LIMIT, "%s: image %lld would take a line of %zu bytes",
                         out->connection.path, (long long)id, out->line.bytes);
    return status ? status
                  : out->sink->line(out->sink->context, out->line.data, out->line.bytes, error);
}

static int32_t pass_images(exporter *out, imgret_error *error)
{
    for (;;) {
        int code = sqlite3_step(out->images);
        if (code != SQLITE_ROW)
            return code == SQLITE_DONE ? IMGRET_OK : fail_sql(out, code, error);
        int32_t status = pass_image(out, error);
        ir_connection *connection = &out->connection;
        if (!status && connection->stop && connection->stop(connection->stop_context))
            status = ir_fail(error, IMGRET_INTERRUPTED, "the export was interrupted");
        if (status)
            return status;
    }
}

static int32_t pass_verdict(exporter *out, sqlite3_stmt *row, imgret_error *error)
{
    static const char *const names[] = {"first", "second", "verdict"};
    ir_text_clear(&out->line);
    ir_text_add(&out->line, "{", 1);
    for (int i = 0; i < 3; i++) {
        add_name(&out->line, names[i], "");
        ir_text_add_int(&out->line, sqlite3_column_int64(row, i));
    }
    ir_text_add(&out->line, "}", 1);
    return out->line.failed
               ? ir_fail(error, IMGRET_NO_MEMORY, "no memory to export")
               : out->sink->verdict(out->sink->context, out->line.data, out->line.bytes, error);
}

static int32_t pass_verdicts(exporter *out, imgret_error *error)
{
    sqlite3_stmt *rows = NULL;
    int code = SQLITE_OK;
    int32_t status = prepare(
        out, &rows, "SELECT first, second, verdict FROM verdicts ORDER BY first, second", error);
    while (!status && (code = sqlite3_step(rows)) == SQLITE_ROW)
        status = pass_verdict(out, rows, error);
    if (!status && code != SQLITE_DONE)
        status = fail_sql(out, code, error);
    sqlite3_finalize(rows);
    return status;
}

/* ---- manifest ---- */

static int32_t query_int(exporter *out, const char *sql, int64_t *value, imgret_error *error)
{
    sqlite3_stmt *statement = NULL;
    *value = 0;
    int32_t status = prepare(out, &statement, sql, error);
    int code = status ? SQLITE_OK : sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *value = sqlite3_column_int64(statement, 0);
    else if (!status && code != SQLITE_DONE)
        status = fail_sql(out, code, error);
    sqlite3_finalize(statement);
    return status;
}

static int32_t add_settings(exporter *out, imgret_error *error)
{
    sqlite3_stmt *rows = NULL;
    int32_t status = prepare(out, &rows, "SELECT name, value FROM settings ORDER BY name", error);
    int code = SQLITE_OK;
    add_name(&out->line, "settings", "");
    ir_text_add(&out->line, "{", 1);
    while (!status && (code = sqlite3_step(rows)) == SQLITE_ROW)
        status = add_text(out, (const char *)sqlite3_column_text(rows, 0), rows, 1, error);
    if (!status && code != SQLITE_DONE)
        status = fail_sql(out, code, error);
    ir_text_add(&out->line, "}", 1);
    sqlite3_finalize(rows);
    return status;
}

/* Lines are the same with indexes and without: an older release may read them. */
static int32_t add_indexes(exporter *out, imgret_error *error)
{
    sqlite3_stmt *rows = NULL;
    int32_t status = prepare(out, &rows,
                             "SELECT json_group_array(substr(name, 1 + length('" IR_INDEX_PREFIX
                             "'))) FROM (SELECT name FROM sqlite_schema WHERE type = 'index' AND "
                             "name GLOB '" IR_INDEX_PREFIX "*' ORDER BY name)",
                             error);
    int code = status ? SQLITE_OK : sqlite3_step(rows);
    const char *names = code == SQLITE_ROW ? (const char *)sqlite3_column_text(rows, 0) : NULL;
    if (!status && !names)
        status = fail_sql(out, code == SQLITE_ROW ? SQLITE_NOMEM : code, error);
    if (!status && strcmp(names, "[]") != 0) {
        add_name(&out->line, "indexes", "");
        ir_text_add_string(&out->line, names);
    }
    sqlite3_finalize(rows);
    return status;
}

static int32_t pass_manifest(exporter *out, const ir_transfer_counts *counts, imgret_error *error)
{
    static const struct {
        const char *name, *sql;
    } numbers[] = {
        {"catalog_version", "PRAGMA user_version"},
        {"last_image", "SELECT seq FROM sqlite_sequence WHERE name = 'images'"},
        {"last_region", "SELECT seq FROM sqlite_sequence WHERE name = 'regions'"},
    };
    ir_text *text = &out->line;
    ir_text_clear(text);
    ir_text_add_string(text, "{\"format\":\"imgret-export\",\"version\":1");
    int32_t status = IMGRET_OK;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0] && !status; i++) {
        int64_t value;
        status = query_int(out, numbers[i].sql, &value, error);
        if (i == 0 && value == IR_CATALOG_FORMAT)
            value = IR_CATALOG_FORMAT_MADE;
        add_name(text, numbers[i].name, "");
        ir_text_add_int(text, value);
    }
    add_name(text, "image_count", "");
    ir_text_add_int(text, (int64_t)counts->image_count);
    add_name(text, "vector_count", "");
    ir_text_add_int(text, (int64_t)counts->vector_count);
    add_name(text, "verdict_count", "");
    ir_text_add_int(text, (int64_t)counts->verdict_count);
    if (!status)
        status = add_indexes(out, error);
    if (!status)
        status = add_settings(out, error);
    ir_text_add_string(text, "}");
    if (!status && text->failed)
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory to export");
    return status ? status
                  : out->sink->manifest(out->sink->context, text->data, text->bytes, error);
}

/* ---- all ---- */

static int32_t prepare_all(exporter *out, imgret_error *error)
{
    int32_t status = ir_columns_read(&out->image_columns, &out->connection, "images", error);
    if (!status)
        status = ir_columns_read(&out->region_columns, &out->connection, "regions", error);
    if (!status)
        status = prepare_rows(out, &out->images, &out->image_columns, " FROM images ORDER BY id",
                              error);
    if (!status)
        status = prepare_rows(out, &out->regions, &out->region_columns,
                              " FROM regions WHERE image = ?1 ORDER BY ordinal", error);
    if (!status)
        status = prepare(out, &out->vector, "SELECT vector FROM pending_vectors WHERE region = ?1",
                         error);
    if (!status)
        status = prepare(out, &out->nests,
                         "SELECT CASE WHEN json_valid('{\"metadata\":' || ?1 || '}') "
                         "THEN json(?1) END",
                         error);
    return status;
}

static int32_t run(exporter *out, imgret_error *error)
{
    int64_t images = 0, vectors = 0, version = 0, verdicts = 0;
    int32_t status = prepare_all(out, error);
    if (!status)
        status = query_int(out, "SELECT count(*) FROM images", &images, error);
    if (!status)
        status = query_int(out, "SELECT count(*) FROM regions", &vectors, error);
    if (!status) /* open for reading only it may be of a version without them */
        status = query_int(out, "PRAGMA user_version", &version, error);
    if (!status && version >= 4)
        status = query_int(out, "SELECT count(*) FROM verdicts", &verdicts, error);
    ir_transfer_counts counts = {(uint64_t)images, (uint64_t)vectors, (uint64_t)verdicts};
    if (!status)
        status = out->sink->begin(out->sink->context, &counts, error);
    if (!status)
        status = pass_images(out, error);
    if (!status && verdicts > 0)
        status = pass_verdicts(out, error);
    if (!status)
        status = pass_manifest(out, &counts, error);
    return status;
}

int32_t ir_catalog_export(ir_catalog *catalog, const ir_export_sink *sink, imgret_error *error)
{
    ir_catalog_options options = {.stop = catalog->reader.stop,
                                  .stop_context = catalog->reader.stop_context,
                                  .busy_timeout_ms = catalog->reader.busy_timeout_ms};
    exporter out = {.sink = sink};
    int32_t status = ir_connection_open(&out.connection, catalog->path, catalog->reader_mode,
                                        &options, error);
    if (!status)
        status = ir_connection_control(&out.connection, IR_SQL_BEGIN_READ, error);
    if (!status)
        status = run(&out, error);
    sqlite3_stmt *const statements[] = {out.images, out.regions, out.vector, out.nests};
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++)
        sqlite3_finalize(statements[i]);
    ir_connection_close(&out.connection);
    ir_text_free(&out.line);
    return status;
}
