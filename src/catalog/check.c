/* check.c: what a healthy catalogue obeys: SQLite's own checks and the catalogue's rules. */
#include "catalog/internal.h"

#include "base/error.h"

/* Each lists the offenders, one message a row. ?1 is the length that vectors must have. */
static const char *const rules[] = {
    "SELECT printf('image %d is stored but has no region for its whole picture', id) FROM images "
    "WHERE state = 1 AND NOT EXISTS "
    "(SELECT 1 FROM regions WHERE image = images.id AND ordinal = 0)",

    "SELECT printf('image %d failed but has a region', id) FROM images "
    "WHERE state = 2 AND EXISTS (SELECT 1 FROM regions WHERE image = images.id)",

    "SELECT printf('region %d belongs to image %d, which does not exist', id, image) "
    "FROM regions WHERE NOT EXISTS (SELECT 1 FROM images WHERE id = regions.image)",

    "SELECT printf('region %d has no vector', id) FROM regions "
    "WHERE NOT EXISTS (SELECT 1 FROM pending_vectors WHERE region = regions.id) "
    "AND NOT EXISTS (SELECT 1 FROM segments WHERE regions.id BETWEEN first_region AND last_region)",

    "SELECT printf('vector %d is pending and in a segment', region) FROM pending_vectors "
    "WHERE EXISTS (SELECT 1 FROM segments WHERE region BETWEEN first_region AND last_region)",

    "SELECT printf('segments %d and %d overlap', a.id, b.id) FROM segments a JOIN segments b "
    "ON a.id < b.id AND a.first_region <= b.last_region AND b.first_region <= a.last_region",

    "SELECT printf('vector %d has no region', region) FROM pending_vectors "
    "WHERE NOT EXISTS (SELECT 1 FROM regions WHERE id = pending_vectors.region)",

    "SELECT printf('vector %d is a %s of %d bytes, not a blob of %d', region, typeof(vector), "
    "length(CAST(vector AS BLOB)), ?1) FROM pending_vectors "
    "WHERE typeof(vector) <> 'blob' OR length(vector) <> ?1",

    "SELECT printf('region %d is listed as removed but exists', region) FROM removed_regions "
    "WHERE region IN (SELECT id FROM regions)",

    "SELECT printf('removal %d is of region %d, which cannot be', seq, region) "
    "FROM removed_regions WHERE seq < 1 OR region < 1",

    "SELECT printf('id %d is below 1', id) FROM (SELECT id FROM images UNION ALL "
    "SELECT id FROM regions UNION ALL SELECT region FROM pending_vectors) WHERE id < 1",

    "SELECT printf('region %d is number %d of image %d, which cannot be', id, ordinal, image) "
    "FROM regions WHERE ordinal NOT BETWEEN 0 AND 255 OR CASE "
    "WHEN EXISTS (SELECT 1 FROM settings WHERE name = 'regions') THEN id % 256 <> ordinal "
    "ELSE ordinal <> 0 END",

    "SELECT printf('region %d is not beside the whole of image %d', a.id, a.image) "
    "FROM regions a JOIN regions b ON b.image = a.image AND b.ordinal = 0 "
    "WHERE a.ordinal > 0 AND a.id / 256 <> b.id / 256",

    "SELECT printf('the box of region %d is not within its picture', regions.id) "
    "FROM regions JOIN images ON images.id = regions.image WHERE ordinal > 0 "
    "AND coalesce(x < 0 OR y < 0 OR regions.width < 1 OR regions.height < 1 "
    "OR x + regions.width > images.width OR y + regions.height > images.height "
    "OR score NOT BETWEEN 0 AND 1, 1)",

    "SELECT printf('a number of image %d is out of range', id) FROM images "
    "WHERE width NOT BETWEEN 0 AND 4294967295 OR height NOT BETWEEN 0 AND 4294967295 "
    "OR file_bytes < 0 OR failure_code NOT BETWEEN -2147483648 AND 0",

    "SELECT printf('image %d has state %s, which does not exist', id, state) FROM images "
    "WHERE state NOT IN (1, 2)",

    "SELECT printf('image %d has no content hash of 16 bytes', id) FROM images "
    "WHERE typeof(content_hash) <> 'blob' OR length(content_hash) <> 16",

    "SELECT printf('the attributes of image %d are not all there', id) FROM images "
    "WHERE perceptual_hash IS NOT NULL AND (state <> 1 OR "
    "brightness IS NULL OR contrast IS NULL OR saturation IS NULL OR warmth IS NULL "
    "OR sharpness IS NULL OR color IS NULL OR coalesce(length(color_shares), 0) <> 11 "
    "OR palette IS NULL OR length(palette) % 5 <> 0 OR length(palette) > 25 "
    "OR orientation IS NULL OR orientation NOT BETWEEN 0 AND 8)",

    "SELECT printf('metadata of image %d is not a JSON object', id) FROM images "
    "WHERE CASE WHEN metadata IS NULL THEN 0 WHEN json_valid(metadata) "
    "THEN json_type(metadata) IS NOT 'object' ELSE 1 END",

    "SELECT printf('a text of image %d holds a NUL character', id) FROM images "
    "WHERE instr(CAST(uri AS BLOB), x'00') OR instr(CAST(format AS BLOB), x'00') "
    "OR instr(CAST(failure AS BLOB), x'00') OR instr(CAST(metadata AS BLOB), x'00')",

    "SELECT printf('image id %d is above the ids given so far', top) "
    "FROM (SELECT max(id) AS top FROM images) "
    "WHERE top > coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'images'), 0)",

    "SELECT printf('region id %d is above the ids given so far', top) "
    "FROM (SELECT max(id) AS top FROM regions) "
    "WHERE top > coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'regions'), 0)",
};

typedef struct check_run {
    ir_connection *connection;
    int64_t vector_bytes;
    int32_t (*on_problem)(void *context, const char *message);
    void *context;
} check_run;

static int32_t report(const check_run *run, const char *message, imgret_error *error)
{
    if (run->on_problem(run->context, message) == 0)
        return IMGRET_OK;
    return ir_fail(error, IMGRET_INTERRUPTED, "the check was stopped by its callback");
}

/* A page that SQLite cannot read is a problem to report, and no reason to skip the other rules. */
static int32_t report_failure(const check_run *run, int code, imgret_error *error)
{
    imgret_error failure = IMGRET_ERROR_INIT;
    int32_t status = ir_connection_fail(run->connection, code, "checking", &failure);
    if (status == IMGRET_CORRUPT)
        return report(run, failure.message, error);
    return ir_fail(error, status, "%s", failure.message);
}

/* "ok" is integrity_check's way to say that there is nothing. */
static int32_t run_query(const check_run *run, const char *sql, imgret_error *error)
{
    sqlite3_stmt *statement = NULL;
    int32_t status = IMGRET_OK;
    int code = sqlite3_prepare_v2(run->connection->db, sql, -1, &statement, NULL);
    if (code == SQLITE_OK && sqlite3_bind_parameter_count(statement) > 0)
        code = sqlite3_bind_int64(statement, 1, run->vector_bytes);
    while (!status && (code == SQLITE_OK || code == SQLITE_ROW)) {
        code = sqlite3_step(statement);
        if (code != SQLITE_ROW)
            break;
        const char *message = (const char *)sqlite3_column_text(statement, 0);
        if (!message)
            code = SQLITE_NOMEM;
        else if (sqlite3_stricmp(message, "ok") != 0)
            status = report(run, message, error);
    }
    if (!status && code != SQLITE_DONE)
        status = report_failure(run, code, error);
    sqlite3_finalize(statement);
    return status;
}

int32_t ir_catalog_check(ir_catalog *catalog, size_t vector_bytes,
                         int32_t (*on_problem)(void *context, const char *message), void *context,
                         imgret_error *error)
{
    check_run run = {&catalog->reader, (int64_t)vector_bytes, on_problem, context};
    int32_t status = ir_catalog_begin_read(catalog, error);
    if (status)
        return status;
    status = run_query(&run, "PRAGMA integrity_check(1000)", error);
    if (!status)
        status = run_query(&run,
                           "SELECT printf('%s row %d refers to a row of %s that does not exist', "
                           "\"table\", rowid, parent) FROM pragma_foreign_key_check",
                           error);
    for (size_t i = 0; !status && i < sizeof rules / sizeof rules[0]; i++)
        status = run_query(&run, rules[i], error);
    ir_catalog_end_read(catalog);
    return status;
}
