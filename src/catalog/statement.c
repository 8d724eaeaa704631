/* statement.c: the statements' text, and their use: prepared once, bound, stepped, read. */
#include "catalog/statement.h"

#include "base/error.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define RECORD_COLUMNS                                                                          \
    "images.id, images.state, images.uri, images.metadata, images.format, images.failure, "     \
    "images.failure_code, images.width, images.height, images.file_bytes, images.modified_ns, " \
    "images.added_ms, images.content_hash, " IMAGE_ATTRIBUTES(                                  \
        "images.") ", "                                                                         \
                   "images.label, images.label_score"

#define IMAGE_ATTRIBUTES(of)                                                                     \
    of "brightness, " of "contrast, " of "saturation, " of "warmth, " of "sharpness, " of        \
       "perceptual_hash, " of "color, " of "color_shares, " of "palette, " of "orientation, " of \
       "taken_at, " of "camera_make, " of "camera_model, " of "latitude, " of "longitude"

/* The box of the whole is the picture. */
#define REGION_COLUMNS                                                                             \
    "regions.id, ordinal, coalesce(x, 0), coalesce(y, 0), coalesce(regions.width, images.width), " \
    "coalesce(regions.height, images.height), regions.label, coalesce(regions.score, 0.0) "        \
    "FROM regions JOIN images ON images.id = regions.image"

/* The planner sees that a listing of failures may use the partial index only when the state is
 * written out: hence a text for each. */
static const char *const texts[IR_SQL_COUNT] = {
    [IR_SQL_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [IR_SQL_BEGIN_READ] = "BEGIN",
    [IR_SQL_COMMIT] = "COMMIT",
    [IR_SQL_ROLLBACK] = "ROLLBACK",
    [IR_SQL_USER_VERSION] = "PRAGMA user_version",
    [IR_SQL_DATA_VERSION] = "PRAGMA data_version",
    [IR_SQL_GET_SETTING] = "SELECT value FROM settings WHERE name = ?1",
    [IR_SQL_SET_SETTING] = "INSERT INTO settings (name, value) VALUES (?1, ?2) "
                           "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    [IR_SQL_FIND] = "SELECT id, state, failure_code, file_bytes, modified_ns, content_hash "
                    "FROM images WHERE uri = ?1",
    [IR_SQL_METADATA_IS_OBJECT] = "SELECT CASE WHEN json_valid(?1) "
                                  "THEN json_type(?1) = 'object' ELSE 0 END",
    [IR_SQL_INSERT_IMAGE] =
        "INSERT INTO images (uri, state, failure_code, content_hash, file_bytes, modified_ns, "
        "added_ms, width, height, format, failure, metadata, " IMAGE_ATTRIBUTES(
            "") ", "
                "label, label_score) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, "
                "?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29)",
    [IR_SQL_REPLACE_IMAGE] =
        "UPDATE images SET uri = coalesce(?1, uri), state = ?2, failure_code = ?3, "
        "content_hash = ?4, file_bytes = ?5, modified_ns = ?6, added_ms = ?7, width = ?8, "
        "height = ?9, format = ?10, failure = ?11, metadata = coalesce(?12, metadata), "
        "(" IMAGE_ATTRIBUTES(
            "") ") = (?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, "
                "?24, ?25, ?26, ?27), label_score = iif(?28 IS NULL, label_score, ?29), "
                "label = coalesce(?28, label) WHERE id = ?30",
    [IR_SQL_INSERT_REGION] = "INSERT INTO regions (image, ordinal) VALUES (?1, 0)",
    [IR_SQL_INSERT_VECTOR] = "INSERT INTO pending_vectors (region, vector) VALUES (?1, ?2)",
    [IR_SQL_NOTE_REMOVALS] = "INSERT INTO removed_regions (region) "
                             "SELECT id FROM regions WHERE image = ?1",
    [IR_SQL_DELETE_REGIONS] = "DELETE FROM regions WHERE image = ?1", /* vectors by cascade */
    [IR_SQL_DELETE_IMAGE] = "DELETE FROM images WHERE id = ?1",
    [IR_SQL_TOUCH] = "UPDATE images SET file_bytes = ?1, modified_ns = ?2 WHERE id = ?3",
    [IR_SQL_MOVE] = "UPDATE images SET uri = ?1 WHERE id = ?2",
    [IR_SQL_SET_METADATA] = "UPDATE images SET metadata = ?1 WHERE id = ?2",
    [IR_SQL_SET_LABEL] = "UPDATE images SET label = ?1, label_score = ?2 WHERE id = ?3",
    [IR_SQL_REMOVALS] = "SELECT seq, region FROM removed_regions WHERE seq > ?1 ORDER BY seq",
    [IR_SQL_LAST_REMOVAL] = "SELECT seq FROM sqlite_sequence WHERE name = 'removed_regions'",
    [IR_SQL_VECTORS] = "SELECT region, vector FROM pending_vectors WHERE region > ?1 "
                       "ORDER BY region",
    [IR_SQL_IMAGE_REGION] = "SELECT id FROM regions WHERE image = ?1 AND ordinal = 0",
    [IR_SQL_RECORD_OF_REGION] = "SELECT " RECORD_COLUMNS " FROM regions JOIN images "
                                "ON images.id = regions.image WHERE regions.id = ?1",
    [IR_SQL_HIT_OF_REGION] = "SELECT images.id, images.uri, images.metadata, images.width, "
                             "images.height, images.label, images.label_score "
                             "FROM regions JOIN images ON images.id = regions.image "
                             "WHERE regions.id = ?1",
    [IR_SQL_IMAGE_OF_REGION] = "SELECT image FROM regions WHERE id = ?1",
    [IR_SQL_RECORD_OF_IMAGE] = "SELECT " RECORD_COLUMNS " FROM images WHERE id = ?1",
    [IR_SQL_ANY_IMAGE] = "SELECT id FROM images LIMIT 1",
    [IR_SQL_LIST] = "SELECT " RECORD_COLUMNS " FROM images WHERE id > ?1 ORDER BY id LIMIT ?2",
    [IR_SQL_LIST_STORED] = "SELECT " RECORD_COLUMNS " FROM images WHERE id > ?1 AND state = 1 "
                           "ORDER BY id LIMIT ?2",
    [IR_SQL_LIST_FAILED] = "SELECT " RECORD_COLUMNS " FROM images WHERE id > ?1 AND state = 2 "
                           "ORDER BY id LIMIT ?2",
    [IR_SQL_LIST_URI] = "SELECT " RECORD_COLUMNS " FROM images WHERE id > ?1 AND uri = ?3 "
                        "AND (?4 = 0 OR state = ?4) ORDER BY id LIMIT ?2",
    [IR_SQL_COUNTS] = "SELECT (SELECT count(*) FROM images), "
                      "(SELECT count(*) FROM images WHERE state = 2), "
                      "(SELECT count(*) FROM regions)",
    [IR_SQL_SEGMENTS] = "SELECT id, first_region, last_region, vector_count, file_bytes, identity "
                        "FROM segments ORDER BY first_region",
    [IR_SQL_INSERT_SEGMENT] = "INSERT INTO segments (id, first_region, last_region, vector_count, "
                              "file_bytes, identity) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [IR_SQL_DELETE_SEGMENT] = "DELETE FROM segments WHERE id = ?1",
    [IR_SQL_DELETE_PENDING] = "DELETE FROM pending_vectors WHERE region <= ?1",
    [IR_SQL_DELETE_REMOVALS] = "DELETE FROM removed_regions WHERE seq <= ?1 AND region <= ?2",
    [IR_SQL_REGION_IDS] = "SELECT id FROM regions WHERE id >= ?1 ORDER BY id LIMIT ?2",
    [IR_SQL_INSERT_SPACED_REGION] = /* base/region.h */
    "INSERT INTO regions (id, image, ordinal) VALUES ((coalesce((SELECT seq "
    "FROM sqlite_sequence WHERE name = 'regions'), 0) / 256 + 1) * 256, ?1, 0)",
    [IR_SQL_INSERT_OBJECT] = "INSERT INTO regions (id, image, ordinal, x, y, width, height, label, "
                             "score) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [IR_SQL_OBJECT_COUNT] = "SELECT count(*) FROM regions WHERE image = ?1 AND ordinal > 0",
    [IR_SQL_REGION] = "SELECT " REGION_COLUMNS " WHERE regions.id = ?1",
    [IR_SQL_REGIONS_OF_IMAGE] = "SELECT " REGION_COLUMNS " WHERE image = ?1 ORDER BY ordinal",
    [IR_SQL_SET_VERDICT] = "INSERT INTO verdicts (first, second, verdict) VALUES (?1, ?2, ?3) "
                           "ON CONFLICT (first, second) DO UPDATE SET verdict = excluded.verdict",
    [IR_SQL_DELETE_VERDICT] = "DELETE FROM verdicts WHERE first = ?1 AND second = ?2",
    [IR_SQL_VERDICTS] = "SELECT first, second, verdict FROM verdicts ORDER BY first, second",
    [IR_SQL_COUNT_PAIR] = "SELECT count(*) FROM images WHERE id IN (?1, ?2)",
};

void ir_statement_start(ir_statement *statement, ir_connection *connection, ir_sql sql,
                        const char *doing)
{
    *statement = (ir_statement){.connection = connection, .doing = doing};
    connection->stopped_waiting = false;
    errno = 0;
    sqlite3_stmt **cached = &connection->cache[sql];
    if (!*cached)
        statement->failure = sqlite3_prepare_v3(connection->db, texts[sql], -1,
                                                SQLITE_PREPARE_PERSISTENT, cached, NULL);
    statement->handle = *cached;
}

static void note(ir_statement *statement, int code)
{
    statement->parameter_count++;
    if (statement->failure == SQLITE_OK)
        statement->failure = code;
}

void ir_statement_bind_int(ir_statement *statement, int64_t value)
{
    if (statement->handle)
        note(statement,
             sqlite3_bind_int64(statement->handle, statement->parameter_count + 1, value));
}

void ir_statement_bind_real(ir_statement *statement, double value)
{
    if (statement->handle)
        note(statement,
             sqlite3_bind_double(statement->handle, statement->parameter_count + 1, value));
}

void ir_statement_bind_text(ir_statement *statement, const char *text)
{
    if (!statement->handle)
        return;
    int at = statement->parameter_count + 1;
    note(statement, text ? sqlite3_bind_text64(statement->handle, at, text, strlen(text),
                                               SQLITE_STATIC, SQLITE_UTF8)
                         : sqlite3_bind_null(statement->handle, at));
}

void ir_statement_bind_blob(ir_statement *statement, const void *data, size_t bytes)
{
    if (statement->handle)
        note(statement, sqlite3_bind_blob64(statement->handle, statement->parameter_count + 1, data,
                                            bytes, SQLITE_STATIC));
}

void ir_statement_end(ir_statement *statement)
{
    if (!statement->handle)
        return;
    sqlite3_reset(statement->handle);
    if (statement->parameter_count)
        sqlite3_clear_bindings(statement->handle);
    statement->handle = NULL;
}

int32_t ir_statement_step(ir_statement *statement, bool *row, imgret_error *error)
{
    *row = false;
    int code = statement->failure;
    errno = code == SQLITE_OK ? 0 : errno; /* what it is afterwards is this step's */
    if (code == SQLITE_OK)
        code = sqlite3_step(statement->handle);
    if (code == SQLITE_ROW) {
        *row = true;
        return IMGRET_OK;
    }
    int32_t status = IMGRET_OK;
    if (code != SQLITE_DONE) {
        status = ir_connection_fail(statement->connection, code, statement->doing, error);
        statement->failure = code;
    }
    ir_statement_end(statement);
    return status;
}

int32_t ir_statement_run(ir_statement *statement, imgret_error *error)
{
    bool row;
    int32_t status = ir_statement_step(statement, &row, error);
    ir_statement_end(statement);
    return status;
}

static int32_t fail_column(ir_statement *statement, int column, const char *wanted,
                           imgret_error *error)
{
    return ir_fail(error, IMGRET_CORRUPT, "%s: %s: row %lld: column %s %s",
                   statement->connection->path, statement->doing,
                   (long long)sqlite3_column_int64(statement->handle, 0),
                   sqlite3_column_name(statement->handle, column), wanted);
}

int32_t ir_statement_int(ir_statement *statement, int column, int64_t least, int64_t most,
                         int64_t *out, imgret_error *error)
{
    if (sqlite3_column_type(statement->handle, column) != SQLITE_INTEGER)
        return fail_column(statement, column, "is not an integer", error);
    int64_t value = sqlite3_column_int64(statement->handle, column);
    if (value < least || value > most)
        return fail_column(statement, column, "is out of range", error);
    *out = value;
    return IMGRET_OK;
}

int32_t ir_statement_real(ir_statement *statement, int column, bool null_allowed, double *out,
                          imgret_error *error)
{
    int type = sqlite3_column_type(statement->handle, column);
    *out = NAN;
    if (type == SQLITE_NULL && null_allowed)
        return IMGRET_OK;
    if (type != SQLITE_FLOAT)
        return fail_column(statement, column, "is not a real number", error);
    *out = sqlite3_column_double(statement->handle, column);
    return IMGRET_OK;
}

int32_t ir_statement_text(ir_statement *statement, int column, bool null_allowed, const char **out,
                          imgret_error *error)
{
    *out = NULL;
    int type = sqlite3_column_type(statement->handle, column);
    if (type == SQLITE_NULL && null_allowed)
        return IMGRET_OK;
    if (type != SQLITE_TEXT)
        return fail_column(statement, column, "is not a text", error);
    *out = (const char *)sqlite3_column_text(statement->handle, column);
    if (!*out)
        return ir_connection_fail(statement->connection, SQLITE_NOMEM, statement->doing, error);
    return IMGRET_OK;
}

int32_t ir_statement_blob(ir_statement *statement, int column, const void **out, size_t *bytes,
                          imgret_error *error)
{
    *out = "";
    *bytes = 0;
    if (sqlite3_column_type(statement->handle, column) != SQLITE_BLOB)
        return fail_column(statement, column, "is not a blob", error);
    const void *data = sqlite3_column_blob(statement->handle, column);
    int count = sqlite3_column_bytes(statement->handle, column);
    if (count > 0 && !data)
        return ir_connection_fail(statement->connection, SQLITE_NOMEM, statement->doing, error);
    if (data)
        *out = data;
    *bytes = (size_t)count;
    return IMGRET_OK;
}

int32_t ir_statement_bytes(ir_statement *statement, int column, void *out, size_t bytes,
                           imgret_error *error)
{
    const void *data;
    size_t count;
    int32_t status = ir_statement_blob(statement, column, &data, &count, error);
    if (!status && count != bytes)
        status = fail_column(statement, column, "has the wrong length", error);
    if (!status)
        memcpy(out, data, bytes);
    return status;
}
