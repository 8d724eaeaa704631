/* schema.c: the tables of a catalogue: made, brought up to date, and told from a stranger's. */
#include "catalog/schema.h"

#include "base/error.h"
#include "catalog/index_text.h"

#include <stdio.h>
#include <string.h>

/* docs/catalog.md explains every column. That metadata is a JSON object is checked on the way in:
 * SQLite 3.40 calls json_valid() unsafe in the schema of a file that is not trusted. */
static const char version_1[] =
    "CREATE TABLE settings (\n"
    "  name TEXT NOT NULL PRIMARY KEY,\n"
    "  value TEXT NOT NULL\n"
    ") STRICT, WITHOUT ROWID;\n"
    "CREATE TABLE images (\n"
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,\n"
    "  uri TEXT UNIQUE,\n"
    "  state INTEGER NOT NULL CHECK (state IN (1, 2)),\n"
    "  failure_code INTEGER NOT NULL,\n"
    "  content_hash BLOB NOT NULL CHECK (length(content_hash) = 16),\n"
    "  file_bytes INTEGER NOT NULL,\n"
    "  modified_ns INTEGER NOT NULL,\n"
    "  added_ms INTEGER NOT NULL,\n"
    "  width INTEGER NOT NULL,\n"
    "  height INTEGER NOT NULL,\n"
    "  format TEXT NOT NULL,\n"
    "  failure TEXT NOT NULL,\n"
    "  metadata TEXT\n"
    ") STRICT;\n"
    "CREATE INDEX images_failed ON images (state) WHERE state = 2;\n"
    "CREATE TABLE regions (\n"
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,\n"
    "  image INTEGER NOT NULL REFERENCES images ON DELETE CASCADE,\n"
    "  ordinal INTEGER NOT NULL,\n"
    "  UNIQUE (image, ordinal)\n"
    ") STRICT;\n"
    "CREATE TABLE pending_vectors (\n"
    "  region INTEGER PRIMARY KEY REFERENCES regions ON DELETE CASCADE,\n"
    "  vector BLOB NOT NULL\n"
    ") STRICT;\n"
    "CREATE TABLE removed_regions (\n"
    "  seq INTEGER PRIMARY KEY AUTOINCREMENT,\n"
    "  region INTEGER NOT NULL\n"
    ") STRICT;\n"
    "CREATE TABLE segments (\n"
    "  id INTEGER PRIMARY KEY,\n"
    "  first_region INTEGER NOT NULL,\n"
    "  last_region INTEGER NOT NULL,\n"
    "  vector_count INTEGER NOT NULL,\n"
    "  file_bytes INTEGER NOT NULL,\n"
    "  identity INTEGER NOT NULL\n"
    ") STRICT;\n";

/* Attributes; all NULL in what version 1 stored. The indexes are partial, because what has no
 * attribute need not be found by it. */
static const char version_2[] =
    "ALTER TABLE images ADD COLUMN brightness REAL;\n"
    "ALTER TABLE images ADD COLUMN contrast REAL;\n"
    "ALTER TABLE images ADD COLUMN saturation REAL;\n"
    "ALTER TABLE images ADD COLUMN warmth REAL;\n"
    "ALTER TABLE images ADD COLUMN sharpness REAL;\n"
    "ALTER TABLE images ADD COLUMN perceptual_hash INTEGER;\n"
    "ALTER TABLE images ADD COLUMN color TEXT;\n"
    "ALTER TABLE images ADD COLUMN color_shares BLOB;\n"
    "ALTER TABLE images ADD COLUMN palette BLOB;\n"
    "ALTER TABLE images ADD COLUMN orientation INTEGER;\n"
    "ALTER TABLE images ADD COLUMN taken_at TEXT;\n"
    "ALTER TABLE images ADD COLUMN camera_make TEXT;\n"
    "ALTER TABLE images ADD COLUMN camera_model TEXT;\n"
    "ALTER TABLE images ADD COLUMN latitude REAL;\n"
    "ALTER TABLE images ADD COLUMN longitude REAL;\n"
    "ALTER TABLE images ADD COLUMN label TEXT;\n"
    "ALTER TABLE images ADD COLUMN label_score REAL;\n"
    "CREATE INDEX images_color ON images (color) WHERE color IS NOT NULL;\n"
    "CREATE INDEX images_taken_at ON images (taken_at) WHERE taken_at IS NOT NULL;\n"
    "CREATE INDEX images_camera_model ON images (camera_model) "
    "WHERE camera_model IS NOT NULL;\n"
    "CREATE INDEX images_latitude ON images (latitude) WHERE latitude IS NOT NULL;\n"
    "CREATE INDEX images_label ON images (label) WHERE label IS NOT NULL;\n";

/* Boxes; all NULL for whole pictures. */
static const char version_3[] =
    "ALTER TABLE regions ADD COLUMN x INTEGER;\n"
    "ALTER TABLE regions ADD COLUMN y INTEGER;\n"
    "ALTER TABLE regions ADD COLUMN width INTEGER;\n"
    "ALTER TABLE regions ADD COLUMN height INTEGER;\n"
    "ALTER TABLE regions ADD COLUMN label TEXT;\n"
    "ALTER TABLE regions ADD COLUMN score REAL;\n"
    "CREATE INDEX regions_label ON regions (label) WHERE label IS NOT NULL;\n";

/* What a user said of pairs of images. */
static const char version_4[] = "CREATE TABLE verdicts (\n"
                                "  first INTEGER NOT NULL REFERENCES images ON DELETE CASCADE,\n"
                                "  second INTEGER NOT NULL REFERENCES images ON DELETE CASCADE,\n"
                                "  verdict INTEGER NOT NULL,\n"
                                "  PRIMARY KEY (first, second),\n"
                                "  CHECK (first < second)\n"
                                ") STRICT, WITHOUT ROWID;\n"
                                "CREATE INDEX verdicts_second ON verdicts (second);\n";

/* Indexes that hosts ask for (index_list.c) make a catalogue version 5, and are all that does: releases
 * that know only version 4 say so instead of calling the index a stranger's. A later step that makes a
 * table drops and makes anew these indexes, since salvage_graft.c relies on the order of first pages. */
static const char version_5[] = "";

static const char *const steps[] = {version_1, version_2, version_3, version_4, version_5};

_Static_assert(sizeof steps / sizeof steps[0] == IR_CATALOG_FORMAT, "one step for each version");

const ir_schema ir_schema_current = {steps, IR_CATALOG_FORMAT, 3, IR_CATALOG_FORMAT_MADE};

int32_t ir_schema_made(const ir_schema *schema)
{
    return schema->made ? schema->made : schema->version;
}

static int32_t query_int(ir_connection *connection, const char *sql, int64_t *out,
                         imgret_error *error)
{
    return ir_connection_int(connection, sql, "reading its version", out, error);
}

int32_t ir_schema_look(ir_connection *connection, const ir_schema *schema, ir_schema_state *out,
                       imgret_error *error)
{
    int64_t application, version, object_count;
    int32_t status = query_int(connection, "PRAGMA application_id", &application, error);
    if (!status)
        status = query_int(connection, "PRAGMA user_version", &version, error);
    if (status)
        return status;
    *out = (ir_schema_state){.version = (int32_t)version};
    if (application == IR_CATALOG_APPLICATION_ID) {
        if (version > schema->version)
            return ir_fail(error, IMGRET_VERSION_TOO_NEW,
                           "%s: catalogue version %d, this libimgret knows versions up to %d",
                           connection->path, out->version, schema->version);
        if (version < 1)
            return ir_fail(error, IMGRET_CORRUPT, "%s: catalogue version %d does not exist",
                           connection->path, out->version);
        return IMGRET_OK;
    }
    object_count = 1;
    if (application == 0 && version == 0)
        status = query_int(connection, "SELECT count(*) FROM sqlite_schema", &object_count, error);
    if (status)
        return status;
    if (object_count != 0)
        return ir_fail(error, IMGRET_CORRUPT, "%s: is another program's database",
                       connection->path);
    out->blank = true;
    return IMGRET_OK;
}

static int32_t run_steps(ir_connection *connection, const ir_schema *schema, int32_t from,
                         int32_t to, imgret_error *error)
{
    int32_t status = IMGRET_OK;
    for (int32_t version = from; !status && version < to; version++) {
        char doing[64];
        snprintf(doing, sizeof doing, "making catalogue version %d", version + 1);
        status = ir_connection_exec(connection, schema->steps[version], doing, error);
    }
    return status;
}

int32_t ir_schema_upgrade(ir_connection *connection, const ir_schema *schema, int32_t from,
                          imgret_error *error)
{
    int32_t status = run_steps(connection, schema, from, ir_schema_made(schema), error);
    if (status)
        return status;
    char sql[96];
    snprintf(sql, sizeof sql, "PRAGMA application_id=%d; PRAGMA user_version=%d",
             IR_CATALOG_APPLICATION_ID, ir_schema_made(schema));
    return ir_connection_exec(connection, sql, "setting its version", error);
}

/* Tables of the query planner's statistics are SQLite's own and harmless. */
static const char objects_sql[] =
    "SELECT type, name, tbl_name, sql FROM sqlite_schema "
    "WHERE name NOT IN ('sqlite_stat1', 'sqlite_stat4') ORDER BY type, name";

static int compare_text(sqlite3_stmt *a, sqlite3_stmt *b, int column)
{
    const char *x = (const char *)sqlite3_column_text(a, column);
    const char *y = (const char *)sqlite3_column_text(b, column);
    return x && y ? strcmp(x, y) : (x != NULL) - (y != NULL);
}

static int32_t fail_object(ir_connection *connection, sqlite3_stmt *object, const char *what,
                           imgret_error *error)
{
    return ir_fail(error, IMGRET_CORRUPT, "%s: %s %s %s", connection->path,
                   sqlite3_column_text(object, 0), sqlite3_column_text(object, 1), what);
}

/* The next object but indexes that a host asked for. The version is asked within the statement's
 * snapshot: another process may have made the first of them since it was looked at. */
static int step_ours(ir_connection *connection, sqlite3_stmt *ours)
{
    for (;;) {
        int64_t version;
        int code = sqlite3_step(ours);
        if (code != SQLITE_ROW ||
            strcmp((const char *)sqlite3_column_text(ours, 0), "index") != 0 ||
            !ir_index_text_is((const char *)sqlite3_column_text(ours, 1),
                              (const char *)sqlite3_column_text(ours, 2),
                              (const char *)sqlite3_column_text(ours, 3)) ||
            query_int(connection, "PRAGMA user_version", &version, NULL) != IMGRET_OK ||
            version <= IR_CATALOG_FORMAT_MADE)
            return code;
    }
}

/* Walks both lists, which are in the same order, side by side. */
static int32_t compare_objects(ir_connection *connection, sqlite3_stmt *ours, sqlite3_stmt *made,
                               imgret_error *error)
{
    for (;;) {
        int code = step_ours(connection, ours), made_code = sqlite3_step(made);
        if (code != SQLITE_ROW && code != SQLITE_DONE)
            return ir_connection_fail(connection, code, "reading its tables", error);
        if (made_code != SQLITE_ROW && made_code != SQLITE_DONE)
            return ir_fail(error, IMGRET_NO_MEMORY, "%s: no memory to check its tables",
                           connection->path);
        if (code == SQLITE_DONE && made_code == SQLITE_DONE)
            return IMGRET_OK;
        int order = code == SQLITE_DONE        ? 1
                    : made_code == SQLITE_DONE ? -1
                                               : compare_text(ours, made, 0);
        if (order == 0)
            order = compare_text(ours, made, 1);
        if (order < 0)
            return fail_object(connection, ours, "was not made by libimgret", error);
        if (order > 0)
            return fail_object(connection, made, "is missing", error);
        if (compare_text(ours, made, 2) != 0 || compare_text(ours, made, 3) != 0)
            return fail_object(connection, ours, "is not as libimgret made it", error);
    }
}

int32_t ir_schema_verify(ir_connection *connection, const ir_schema *schema, int32_t version,
                         imgret_error *error)
{
    /* What the steps make is asked of SQLite itself: after ALTER TABLE only it knows the text. */
    ir_connection model = {.path = "model of the catalogue"};
    sqlite3_stmt *ours = NULL, *made = NULL;
    int32_t status;
    int code = sqlite3_open_v2(":memory:", &model.db,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                                   SQLITE_OPEN_MEMORY,
                               NULL);
    if (code != SQLITE_OK)
        status = ir_connection_fail(&model, code, "opening", error);
    else
        status = run_steps(&model, schema, 0, version, error);
    if (!status) {
        code = sqlite3_prepare_v2(model.db, objects_sql, -1, &made, NULL);
        if (code == SQLITE_OK)
            code = sqlite3_prepare_v2(connection->db, objects_sql, -1, &ours, NULL);
        status = code == SQLITE_OK
                     ? compare_objects(connection, ours, made, error)
                     : ir_connection_fail(connection, code, "reading its tables", error);
    }
    sqlite3_finalize(ours);
    sqlite3_finalize(made);
    ir_connection_close(&model);
    return status;
}
