/* import.c: lines of JSON, which anybody may have written, into an empty catalogue.
 *
 * SQLite's own JSON functions take the lines apart: they are there already, strict, exact for 64-bit
 * integers and bounded in depth. What the values may be is then said by the tables (STRICT, NOT
 * NULL, CHECK, UNIQUE, references), by the limits here, and by the catalogue's check at the end.
 */
#include "catalog/transfer.h"

#include "base/alloc.h"
#include "base/error.h"
#include "catalog/columns.h"

#include <stdio.h>
#include <string.h>

#define ID_MAX ((int64_t)1 << 47) /* as tombstones have it */
#define SETTING_BYTES_MAX (1 << 16)
enum { TEXT_BYTES_MAX = 64 << 10 }; /* of what is not metadata */

struct ir_import {
    ir_catalog *catalog;
    ir_import_vector_fn next;
    void *context;
    ir_columns image_columns, region_columns;
    sqlite3_stmt *is_object, *members, *regions, *insert_image, *insert_region, *insert_vector,
        *insert_verdict;
    ir_text bytes; /* of a value written in hexadecimal digits */
    int64_t last_image;
    uint64_t vector_count;
};

static int32_t fail_sql(const ir_import *import, int code, imgret_error *error)
{
    /* What a table refuses is the export's fault. */
    if ((code & 0xFF) == SQLITE_CONSTRAINT || (code & 0xFF) == SQLITE_MISMATCH)
        return ir_fail(error, IMGRET_CORRUPT, "refused: %s",
                       sqlite3_errmsg(import->catalog->writer.db));
    return ir_connection_fail(&import->catalog->writer, code, "importing", error);
}

static int32_t prepare(ir_import *import, sqlite3_stmt **out, const char *sql, imgret_error *error)
{
    int code = sqlite3_prepare_v2(import->catalog->writer.db, sql, -1, out, NULL);
    return code == SQLITE_OK ? IMGRET_OK : fail_sql(import, code, error);
}

/* "INSERT INTO table (a, b) VALUES (coalesce(?1, default), ...)": what a line of an older version
 * lacks gets what its migration would have given it. */
static int32_t prepare_insert(ir_import *import, sqlite3_stmt **out, const char *table,
                              const ir_columns *columns, imgret_error *error)
{
    ir_text sql = {0}, values = {0};
    char value[IR_COLUMN_NAME_BYTES + 32];
    ir_text_add_string(&sql, "INSERT INTO ");
    ir_text_add_string(&sql, table);
    for (int i = 0; i < columns->count; i++) {
        ir_text_add_string(&sql, i ? ", " : " (");
        ir_text_add_string(&sql, columns->at[i].name);
        snprintf(value, sizeof value, "%scoalesce(?%d, %s)", i ? ", " : "", i + 1,
                 columns->at[i].preset);
        ir_text_add_string(&values, value);
    }
    ir_text_add_string(&sql, ") VALUES (");
    ir_text_add(&sql, values.data ? values.data : "", values.bytes);
    ir_text_add_string(&sql, ")");
    int32_t status = sql.failed || values.failed
                         ? ir_fail(error, IMGRET_NO_MEMORY, "no memory to import")
                         : prepare(import, out, sql.data, error);
    ir_text_free(&values);
    ir_text_free(&sql);
    return status;
}

static int32_t prepare_all(ir_import *import, imgret_error *error)
{
    ir_connection *writer = &import->catalog->writer;
    int32_t status = ir_columns_read(&import->image_columns, writer, "images", error);
    if (!status)
        status = ir_columns_read(&import->region_columns, writer, "regions", error);
    if (!status)
        status = prepare(import, &import->is_object,
                         "SELECT CASE WHEN json_valid(?1) "
                         "THEN json_type(?1) = 'object' ELSE 0 END",
                         error);
    if (!status) /* with its own JSON where SQLite's value may lose something: the last bit of a
                  * number, what follows a NUL in a text */
        status = prepare(import, &import->members,
                         "SELECT key, type, value, CASE WHEN type = 'real' OR "
                         "(type = 'text' AND instr(?1, '\\u0000')) THEN ?1 -> fullkey END "
                         "FROM json_each(?1)",
                         error);
    if (!status)
        status = prepare(import, &import->regions,
                         "SELECT type, value FROM json_each(?1, '$.regions')", error);
    if (!status)
        status = prepare_insert(import, &import->insert_image, "images", &import->image_columns,
                                error);
    if (!status)
        status = prepare_insert(import, &import->insert_region, "regions", &import->region_columns,
                                error);
    if (!status)
        status = prepare(import, &import->insert_vector,
                         "INSERT INTO pending_vectors (region, vector) VALUES (?1, ?2)", error);
    if (!status)
        status = prepare(import, &import->insert_verdict,
                         "INSERT INTO verdicts (first, second, verdict) "
                         "SELECT ?1 ->> 'first', ?1 ->> 'second', ?1 ->> 'verdict' "
                         "WHERE (SELECT count(*) FROM json_each(?1)) = 3 AND "
                         "(SELECT count(DISTINCT key) FROM json_each(?1) WHERE type = 'integer' "
                         "AND key IN ('first', 'second', 'verdict')) = 3 "
                         "AND ?1 ->> 'verdict' BETWEEN 1 AND 2147483647",
                         error);
    return status;
}

int32_t ir_import_open(ir_import **out, ir_catalog *catalog, ir_import_vector_fn next,
                       void *context, imgret_error *error)
{
    *out = NULL;
    ir_import *import = ir_calloc(1, sizeof *import);
    if (!import)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to import");
    import->catalog = catalog;
    import->next = next;
    import->context = context;
    int32_t status = prepare_all(import, error);
    if (status) {
        ir_import_close(import);
        return status;
    }
    *out = import;
    return IMGRET_OK;
}

void ir_import_close(ir_import *import)
{
    if (!import)
        return;
    sqlite3_stmt *const statements[] = {
        import->is_object,     import->members,       import->regions,       import->insert_image,
        import->insert_region, import->insert_vector, import->insert_verdict};
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++)
        sqlite3_finalize(statements[i]);
    ir_text_free(&import->bytes);
    ir_free(import);
}

/* ---- one object's members, bound to an INSERT ---- */

static int digit_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int32_t bind_hex(ir_import *import, sqlite3_stmt *insert, int at, ir_column_kind kind,
                        const char *text, size_t bytes, imgret_error *error)
{
    ir_text_clear(&import->bytes);
    for (size_t i = 0; i + 1 < bytes + (bytes & 1); i += 2) {
        int high = digit_of(text[i]), low = i + 1 < bytes ? digit_of(text[i + 1]) : -1;
        if (high < 0 || low < 0)
            return ir_fail(error, IMGRET_CORRUPT, "\"%.20s\" is not hexadecimal", text);
        char byte = (char)(high << 4 | low);
        if (kind == IR_COLUMN_TEXT && !byte)
            return ir_fail(error, IMGRET_CORRUPT, "a text holds a NUL");
        ir_text_add(&import->bytes, &byte, 1);
    }
    if (import->bytes.failed)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to import");
    const char *data = import->bytes.data ? import->bytes.data : "";
    int length = (int)import->bytes.bytes;
    int code = kind == IR_COLUMN_BLOB
                   ? sqlite3_bind_blob(insert, at, data, length, SQLITE_TRANSIENT)
                   : sqlite3_bind_text(insert, at, data, length, SQLITE_TRANSIENT);
    return code == SQLITE_OK ? IMGRET_OK : fail_sql(import, code, error);
}

static int32_t bind_number(ir_import *import, sqlite3_stmt *insert, int at, ir_column_kind kind,
                           const char *name, imgret_error *error)
{
    sqlite3_stmt *member = import->members;
    const char *text = (const char *)sqlite3_column_text(member, 3);
    double real;
    int code = SQLITE_MISMATCH;
    if (sqlite3_column_type(member, 2) == SQLITE_INTEGER)
        code = kind == IR_COLUMN_REAL
                   ? sqlite3_bind_double(insert, at, (double)sqlite3_column_int64(member, 2))
                   : sqlite3_bind_int64(insert, at, sqlite3_column_int64(member, 2));
    else if (text && kind == IR_COLUMN_REAL && ir_text_parse_real(text, &real))
        code = sqlite3_bind_double(insert, at, real);
    if (code == SQLITE_MISMATCH)
        return ir_fail(error, IMGRET_CORRUPT, "\"%s\" is no number that can stand there", name);
    return code == SQLITE_OK ? IMGRET_OK : fail_sql(import, code, error);
}

/* Whether a JSON text has the escape of a NUL, and not an escaped backslash before "u0000". */
static bool has_nul_escape(const char *json)
{
    for (; json && *json; json++)
        if (*json == '\\') {
            if (strncmp(json + 1, "u0000", 5) == 0)
                return true;
            json += json[1] != '\0';
        }
    return false;
}

static int32_t bind_text(ir_import *import, sqlite3_stmt *insert, int at, const char *name,
                         imgret_error *error)
{
    const char *text = (const char *)sqlite3_column_text(import->members, 2);
    size_t bytes = (size_t)sqlite3_column_bytes(import->members, 2);
    if (!text)
        return fail_sql(import, SQLITE_NOMEM, error);
    bool is_object = strcmp((const char *)sqlite3_column_text(import->members, 1), "object") == 0;
    if (strlen(text) != bytes ||
        (!is_object && has_nul_escape((const char *)sqlite3_column_text(import->members, 3))))
        return ir_fail(error, IMGRET_CORRUPT, "\"%s\" holds a NUL", name);
    if (strcmp(name, "metadata") == 0) {
        imgret_error reason = IMGRET_ERROR_INIT;
        int32_t status = ir_catalog_check_metadata(&import->catalog->writer, text, &reason);
        if (status)
            return ir_fail(error, status == IMGRET_NO_MEMORY ? status : IMGRET_CORRUPT, "%s",
                           reason.message);
    } else if (bytes > TEXT_BYTES_MAX || ir_utf8_valid_bytes(text, bytes) != bytes) {
        return ir_fail(error, IMGRET_CORRUPT, "\"%s\" is not UTF-8, or longer than %d bytes", name,
                       TEXT_BYTES_MAX);
    }
    int code = sqlite3_bind_text(insert, at, text, (int)bytes, SQLITE_TRANSIENT);
    return code == SQLITE_OK ? IMGRET_OK : fail_sql(import, code, error);
}

/* The column that a member is for, and whether its value is in hexadecimal digits. */
static int find_column(const ir_columns *columns, const char *key, size_t bytes, bool *hex)
{
    static const char ending[] = "_hex";
    const size_t ending_bytes = sizeof ending - 1;
    int at = ir_columns_find(columns, key, bytes);
    *hex = at >= 0 && columns->at[at].kind == IR_COLUMN_BLOB;
    if (at >= 0 || bytes <= ending_bytes ||
        memcmp(key + bytes - ending_bytes, ending, ending_bytes) != 0)
        return at;
    *hex = true;
    at = ir_columns_find(columns, key, bytes - ending_bytes);
    return at >= 0 && columns->at[at].kind == IR_COLUMN_TEXT ? at : -1;
}

static int32_t bind_member(ir_import *import, sqlite3_stmt *insert, const ir_columns *columns,
                           int column, bool hex, imgret_error *error)
{
    const char *name = columns->at[column].name;
    ir_column_kind kind = columns->at[column].kind;
    const char *type = (const char *)sqlite3_column_text(import->members, 1);
    int at = column + 1;
    if (!type)
        return fail_sql(import, SQLITE_NOMEM, error);
    if (strcmp(type, "null") == 0)
        return IMGRET_OK;
    bool is_text = strcmp(type, "text") == 0;
    if (is_text && hex) {
        const char *text = (const char *)sqlite3_column_text(import->members, 2);
        size_t bytes = (size_t)sqlite3_column_bytes(import->members, 2);
        if (bytes > 2 * TEXT_BYTES_MAX)
            return ir_fail(error, IMGRET_CORRUPT, "\"%s\" is too long", name);
        return text ? bind_hex(import, insert, at, kind, text, bytes, error)
                    : fail_sql(import, SQLITE_NOMEM, error);
    }
    bool is_metadata = strcmp(name, "metadata") == 0 && strcmp(type, "object") == 0;
    if (kind == IR_COLUMN_TEXT && (is_text || is_metadata))
        return bind_text(import, insert, at, name, error);
    bool is_number = strcmp(type, "integer") == 0 || strcmp(type, "real") == 0;
    if (is_number && (kind == IR_COLUMN_INTEGER || kind == IR_COLUMN_REAL))
        return bind_number(import, insert, at, kind, name, error);
    return ir_fail(error, IMGRET_CORRUPT, "\"%s\" has a value of a wrong type (%s)", name, type);
}

/* The number that a member holds, 0 or above. */
static int32_t read_number(ir_import *import, const char *name, int64_t *out, imgret_error *error)
{
    *out = sqlite3_column_int64(import->members, 2);
    if (sqlite3_column_type(import->members, 2) == SQLITE_INTEGER && *out >= 0 && *out <= ID_MAX)
        return IMGRET_OK;
    return ir_fail(error, IMGRET_CORRUPT, "\"%s\" is no number from 0 to 2^47", name);
}

/* Binds the members of `text` to the columns they are named after. `id` gets the member "id";
 * `special` (with `number`, if it is a number) the one that belongs to no column. */
static int32_t bind_object(ir_import *import, sqlite3_stmt *insert, const ir_columns *columns,
                           const char *text, size_t bytes, const char *special, int64_t *number,
                           int64_t *id, imgret_error *error)
{
    bool seen[IR_COLUMNS_MAX + 1] = {false};
    sqlite3_stmt *member = import->members;
    *id = 0;
    sqlite3_clear_bindings(insert);
    int code = sqlite3_bind_text64(member, 1, text, bytes, SQLITE_STATIC, SQLITE_UTF8);
    int32_t status = code == SQLITE_OK ? IMGRET_OK : fail_sql(import, code, error);
    while (!status && (code = sqlite3_step(member)) == SQLITE_ROW) {
        const char *key = (const char *)sqlite3_column_text(member, 0);
        size_t key_bytes = (size_t)sqlite3_column_bytes(member, 0);
        bool hex = false;
        bool is_special = key && strcmp(key, special) == 0;
        int column = key ? find_column(columns, key, key_bytes, &hex) : -1;
        if (column >= 0 && strcmp(columns->at[column].name, "image") == 0)
            column = -1; /* the line says whose region it is */
        int slot = is_special ? IR_COLUMNS_MAX : column;
        if (!key)
            status = fail_sql(import, SQLITE_NOMEM, error);
        else if (slot < 0)
            status = ir_fail(error, IMGRET_CORRUPT, "\"%.40s\" is not known", key);
        else if (seen[slot])
            status = ir_fail(error, IMGRET_CORRUPT, "\"%.40s\" is there twice", key);
        else if (!is_special)
            status = bind_member(import, insert, columns, column, hex, error);
        else if (number)
            status = read_number(import, special, number, error);
        if (!status && slot >= 0 && !is_special && strcmp(columns->at[column].name, "id") == 0)
            status = read_number(import, "id", id, error);
        if (slot >= 0)
            seen[slot] = true;
    }
    if (!status && code != SQLITE_DONE)
        status = fail_sql(import, code, error);
    sqlite3_reset(member);
    if (!status && *id < 1)
        status = ir_fail(error, IMGRET_CORRUPT, "\"id\" is missing, or 0");
    if (!status && !seen[IR_COLUMNS_MAX])
        status = ir_fail(error, IMGRET_CORRUPT, "\"%s\" is missing", special);
    return status;
}

static int32_t run(ir_import *import, sqlite3_stmt *statement, imgret_error *error)
{
    int code = sqlite3_step(statement);
    int32_t status = code == SQLITE_DONE ? IMGRET_OK : fail_sql(import, code, error);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return status;
}

/* ---- lines ---- */

static int32_t store_vector(ir_import *import, int64_t region, int64_t number, imgret_error *error)
{
    const void *stored;
    size_t bytes;
    if ((uint64_t)number != import->vector_count)
        return ir_fail(error, IMGRET_CORRUPT, "vector %lld stands where %llu must follow",
                       (long long)number, (unsigned long long)import->vector_count);
    int32_t status = import->next(import->context, &stored, &bytes, error);
    if (status)
        return status;
    import->vector_count++;
    int code = sqlite3_bind_int64(import->insert_vector, 1, region);
    if (code == SQLITE_OK)
        code = sqlite3_bind_blob64(import->insert_vector, 2, stored, bytes, SQLITE_STATIC);
    return code == SQLITE_OK ? run(import, import->insert_vector, error)
                             : fail_sql(import, code, error);
}

static int32_t store_region(ir_import *import, int64_t image, imgret_error *error)
{
    const char *type = (const char *)sqlite3_column_text(import->regions, 0);
    const char *text = (const char *)sqlite3_column_text(import->regions, 1);
    size_t bytes = (size_t)sqlite3_column_bytes(import->regions, 1);
    int64_t number = 0, id = 0;
    if (!type || strcmp(type, "object") != 0 || !text)
        return ir_fail(error, IMGRET_CORRUPT, "a region is no object");
    int32_t status = bind_object(import, import->insert_region, &import->region_columns, text,
                                 bytes, "vector", &number, &id, error);
    int column = ir_columns_find(&import->region_columns, "image", 5);
    if (!status && sqlite3_bind_int64(import->insert_region, column + 1, image) != SQLITE_OK)
        status = fail_sql(import, SQLITE_NOMEM, error);
    if (!status)
        status = run(import, import->insert_region, error);
    return status ? status : store_vector(import, id, number, error);
}

static int32_t store_regions(ir_import *import, const char *line, size_t bytes, int64_t image,
                             imgret_error *error)
{
    int code = sqlite3_bind_text64(import->regions, 1, line, bytes, SQLITE_STATIC, SQLITE_UTF8);
    int32_t status = code == SQLITE_OK ? IMGRET_OK : fail_sql(import, code, error);
    while (!status && (code = sqlite3_step(import->regions)) == SQLITE_ROW)
        status = store_region(import, image, error);
    if (!status && code != SQLITE_DONE)
        status = fail_sql(import, code, error);
    sqlite3_reset(import->regions);
    return status;
}

static int32_t check_object(ir_import *import, const char *text, size_t bytes, imgret_error *error)
{
    if (bytes > IR_TRANSFER_LINE_BYTES_MAX)
        return ir_fail(error, IMGRET_CORRUPT, "longer than %u bytes", IR_TRANSFER_LINE_BYTES_MAX);
    if (ir_utf8_valid_bytes(text, bytes) != bytes || memchr(text, 0, bytes))
        return ir_fail(error, IMGRET_CORRUPT, "not UTF-8");
    int code = sqlite3_bind_text64(import->is_object, 1, text, bytes, SQLITE_STATIC, SQLITE_UTF8);
    if (code == SQLITE_OK)
        code = sqlite3_step(import->is_object);
    bool is_object = code == SQLITE_ROW && sqlite3_column_int(import->is_object, 0) == 1;
    sqlite3_reset(import->is_object);
    if (code != SQLITE_ROW)
        return fail_sql(import, code, error);
    return is_object ? IMGRET_OK
                     : ir_fail(error, IMGRET_CORRUPT, "not a JSON object (or nested too deeply)");
}

int32_t ir_import_line(ir_import *import, const char *line, size_t bytes, imgret_error *error)
{
    int64_t id = 0;
    int32_t status = check_object(import, line, bytes, error);
    if (!status)
        status = bind_object(import, import->insert_image, &import->image_columns, line, bytes,
                             "regions", NULL, &id, error);
    if (!status && id <= import->last_image)
        status = ir_fail(error, IMGRET_CORRUPT, "image %lld does not ascend", (long long)id);
    if (!status)
        status = run(import, import->insert_image, error);
    if (!status)
        status = store_regions(import, line, bytes, id, error);
    import->last_image = id;
    return status;
}

int32_t ir_import_verdict(ir_import *import, const char *line, size_t bytes, imgret_error *error)
{
    int32_t status = check_object(import, line, bytes, error);
    if (status)
        return status;
    int code = sqlite3_bind_text64(import->insert_verdict, 1, line, bytes, SQLITE_STATIC,
                                   SQLITE_UTF8);
    status = code == SQLITE_OK ? run(import, import->insert_verdict, error)
                               : fail_sql(import, code, error);
    if (!status && sqlite3_changes(import->catalog->writer.db) != 1)
        status = ir_fail(error, IMGRET_CORRUPT,
                         "not {\"first\":ID,\"second\":ID,\"verdict\":NUMBER}");
    return status;
}

/* ---- manifest ---- */

typedef struct manifest {
    int64_t version, catalog_version, image_count, vector_count, last_image, last_region;
    int64_t verdict_count; /* may be missing: exports had none at first */
} manifest;

static int32_t take_settings(ir_import *import, const char *text, size_t bytes, imgret_error *error)
{
    sqlite3_stmt *rows = NULL;
    int32_t status = prepare(import, &rows,
                             "SELECT key, type, value FROM json_each(?1, '$.settings')", error);
    int code = status ? SQLITE_OK
                      : sqlite3_bind_text64(rows, 1, text, bytes, SQLITE_STATIC, SQLITE_UTF8);
    while (!status && code == SQLITE_OK && (code = sqlite3_step(rows)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(rows, 0);
        const char *type = (const char *)sqlite3_column_text(rows, 1);
        const char *value = (const char *)sqlite3_column_text(rows, 2);
        size_t name_bytes = (size_t)sqlite3_column_bytes(rows, 0);
        size_t value_bytes = (size_t)sqlite3_column_bytes(rows, 2);
        code = SQLITE_OK;
        if (!name || !type || strcmp(type, "text") != 0 || !value || name_bytes == 0 ||
            name_bytes > 64 ||
            strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != name_bytes ||
            value_bytes > SETTING_BYTES_MAX || strlen(value) != value_bytes)
            status = ir_fail(error, IMGRET_CORRUPT, "a setting is not a name with a text");
        else
            status = ir_catalog_set_setting(import->catalog, name, value, error);
    }
    if (!status && code != SQLITE_DONE)
        status = fail_sql(import, code, error);
    sqlite3_finalize(rows);
    return status;
}

static int32_t take_indexes(ir_import *import, const char *text, size_t bytes, imgret_error *error)
{
    sqlite3_stmt *rows = NULL;
    int32_t status = prepare(import, &rows, "SELECT type, value FROM json_each(?1, '$.indexes')",
                             error);
    int code = status ? SQLITE_OK
                      : sqlite3_bind_text64(rows, 1, text, bytes, SQLITE_STATIC, SQLITE_UTF8);
    while (!status && code == SQLITE_OK && (code = sqlite3_step(rows)) == SQLITE_ROW) {
        const char *type = (const char *)sqlite3_column_text(rows, 0);
        const char *value = (const char *)sqlite3_column_text(rows, 1);
        imgret_error reason = IMGRET_ERROR_INIT;
        code = SQLITE_OK;
        if (!type || !value || strcmp(type, "text") != 0)
            status = ir_fail(error, IMGRET_CORRUPT, "indexes are not a list of texts");
        else
            status = ir_catalog_create_index(import->catalog, value, &reason);
        if (reason.code)
            status = ir_fail(error,
                             status == IMGRET_INVALID_ARGUMENT || status == IMGRET_EXISTS ||
                                     status == IMGRET_LIMIT
                                 ? IMGRET_CORRUPT
                                 : status,
                             "%s", reason.message);
    }
    if (!status && code != SQLITE_DONE)
        status = fail_sql(import, code, error);
    sqlite3_finalize(rows);
    return status;
}

static int32_t take_members(ir_import *import, const char *text, size_t bytes, manifest *out,
                            imgret_error *error)
{
    const struct {
        const char *name;
        int64_t *value;
    } numbers[] = {{"version", &out->version},
                   {"catalog_version", &out->catalog_version},
                   {"image_count", &out->image_count},
                   {"vector_count", &out->vector_count},
                   {"last_image", &out->last_image},
                   {"last_region", &out->last_region},
                   {"verdict_count", &out->verdict_count}};
    enum { NUMBERS = sizeof numbers / sizeof numbers[0], NEEDED = NUMBERS - 1 };
    bool is_export = false;
    unsigned seen = 0;
    sqlite3_stmt *member = import->members;
    int code = sqlite3_bind_text64(member, 1, text, bytes, SQLITE_STATIC, SQLITE_UTF8);
    int32_t status = code == SQLITE_OK ? IMGRET_OK : fail_sql(import, code, error);
    while (!status && (code = sqlite3_step(member)) == SQLITE_ROW) {
        const char *key = (const char *)sqlite3_column_text(member, 0);
        const char *value = (const char *)sqlite3_column_text(member, 2);
        if (key && strcmp(key, "format") == 0)
            is_export = value && strcmp(value, "imgret-export") == 0;
        for (unsigned i = 0; key && i < NUMBERS && !status; i++)
            if (strcmp(key, numbers[i].name) == 0) {
                status = read_number(import, key, numbers[i].value, error);
                seen |= 1u << i;
            }
    }
    if (!status && code != SQLITE_DONE)
        status = fail_sql(import, code, error);
    sqlite3_reset(member);
    if (!status && (!is_export || (seen | 1u << NEEDED) != (1u << NUMBERS) - 1))
        status = ir_fail(error, IMGRET_CORRUPT, "is not what libimgret exported");
    return status;
}

static int32_t set_last(ir_import *import, const char *table, int64_t last, imgret_error *error)
{
    sqlite3_stmt *insert = NULL;
    int32_t status = prepare(import, &insert,
                             "INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)", error);
    if (!status && (sqlite3_bind_text(insert, 1, table, -1, SQLITE_STATIC) != SQLITE_OK ||
                    sqlite3_bind_int64(insert, 2, last) != SQLITE_OK))
        status = fail_sql(import, SQLITE_NOMEM, error);
    if (!status)
        status = run(import, insert, error);
    sqlite3_finalize(insert);
    return status;
}

int32_t ir_import_manifest(ir_import *import, const char *text, size_t bytes,
                           ir_transfer_counts *out, imgret_error *error)
{
    manifest read = {0};
    *out = (ir_transfer_counts){0};
    int32_t status = check_object(import, text, bytes, error);
    if (!status)
        status = take_members(import, text, bytes, &read, error);
    if (!status && (read.version > 1 || read.catalog_version > IR_CATALOG_FORMAT))
        status = ir_fail(error, IMGRET_VERSION_TOO_NEW,
                         "export version %lld of catalogue version %lld; this libimgret reads "
                         "versions up to 1 and %d",
                         (long long)read.version, (long long)read.catalog_version,
                         IR_CATALOG_FORMAT);
    if (!status)
        status = take_settings(import, text, bytes, error);
    if (!status)
        status = take_indexes(import, text, bytes, error);
    if (!status) /* so that ids of what was removed are not given again */
        status = set_last(import, "images", read.last_image, error);
    if (!status)
        status = set_last(import, "regions", read.last_region, error);
    *out = (ir_transfer_counts){(uint64_t)read.image_count, (uint64_t)read.vector_count,
                                (uint64_t)read.verdict_count};
    return status;
}
