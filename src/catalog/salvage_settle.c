/* salvage_settle.c: making what was read of a damaged catalogue obey the catalogue's rules (check.c).
 *
 * Each step first tells what it will do, one message a row, then does it. The order matters: later steps
 * rely on what earlier ones made true.
 */
#include "catalog/salvage_inside.h"

#include "base/error.h"

#include <time.h>

/* What a step's messages count. */
typedef enum step_kind { NOTE, BARE, LOST } step_kind;

typedef struct step {
    step_kind kind;
    const char *tell; /* NULL: not worth a word */
    const char *mend;
} step;

/* ?1: bytes of a vector; ?2: now, in ms; ?3: IMGRET_CORRUPT. */
static const step steps[] = {
    /* Segments: ranges that can be, the newest of those that overlap. */
    {NOTE, NULL,
     "DELETE FROM segments WHERE id < 1 OR first_region < 1 OR last_region < first_region OR "
     "vector_count < 0 OR file_bytes < 0"},
    {NOTE,
     "SELECT printf('segment %d is listed beside one of the same regions', id) FROM segments a "
     "WHERE EXISTS (SELECT 1 FROM segments b WHERE b.id > a.id AND a.first_region <= b.last_region "
     "AND b.first_region <= a.last_region)",
     "DELETE FROM segments AS a WHERE EXISTS (SELECT 1 FROM segments b WHERE b.id > a.id AND "
     "a.first_region <= b.last_region AND b.first_region <= a.last_region)"},
    /* Pending vectors: of the right length, and not also in a segment. */
    {NOTE,
     "SELECT printf('vector %d has not the length of the others', region) FROM pending_vectors "
     "WHERE typeof(vector) <> 'blob' OR length(vector) <> ?1",
     "DELETE FROM pending_vectors WHERE region < 1 OR typeof(vector) <> 'blob' OR "
     "length(vector) <> ?1"},
    {NOTE, NULL,
     "DELETE FROM pending_vectors WHERE EXISTS (SELECT 1 FROM segments WHERE region "
     "BETWEEN first_region AND last_region)"},
    {NOTE, NULL, "DELETE FROM regions WHERE id < 1 OR image < 1 OR ordinal NOT BETWEEN 0 AND 255"},
    /* Values that no image can have. */
    {NOTE,
     "SELECT printf('metadata of image %d is not a JSON object: it is lost', id) FROM images "
     "WHERE CASE WHEN metadata IS NULL THEN 0 WHEN instr(CAST(metadata AS BLOB), x'00') THEN 1 "
     "WHEN json_valid(metadata) THEN json_type(metadata) IS NOT 'object' ELSE 1 END",
     "UPDATE images SET metadata = NULL WHERE "
     "CASE WHEN metadata IS NULL THEN 0 WHEN instr(CAST(metadata AS BLOB), x'00') THEN 1 "
     "WHEN json_valid(metadata) THEN json_type(metadata) IS NOT 'object' ELSE 1 END"},
    {NOTE,
     "SELECT printf('the uri of image %d is damaged: it is lost', id) FROM images "
     "WHERE instr(CAST(uri AS BLOB), x'00')",
     "UPDATE images SET uri = NULL WHERE instr(CAST(uri AS BLOB), x'00')"},
    {NOTE, NULL,
     "UPDATE images SET format = '', failure = '' WHERE instr(CAST(format AS BLOB), x'00') "
     "OR instr(CAST(failure AS BLOB), x'00')"},
    {NOTE,
     "SELECT printf('numbers of image %d are out of range: they are lost', id) FROM images "
     "WHERE width NOT BETWEEN 0 AND 4294967295 OR height NOT BETWEEN 0 AND 4294967295 "
     "OR file_bytes < 0 OR failure_code NOT BETWEEN -2147483648 AND 0",
     "UPDATE images SET width = 0, height = 0, file_bytes = 0, failure_code = CASE state WHEN 1 "
     "THEN 0 ELSE ?3 END WHERE width NOT BETWEEN 0 AND 4294967295 OR height NOT BETWEEN 0 AND "
     "4294967295 OR file_bytes < 0 OR failure_code NOT BETWEEN -2147483648 AND 0"},
    {NOTE,
     "SELECT printf('the attributes of image %d are damaged: they are lost', id) FROM images "
     "WHERE perceptual_hash IS NOT NULL AND (state <> 1 OR "
     "brightness IS NULL OR contrast IS NULL OR saturation IS NULL OR warmth IS NULL "
     "OR sharpness IS NULL OR color IS NULL OR coalesce(length(color_shares), 0) <> 11 "
     "OR palette IS NULL OR length(palette) % 5 <> 0 OR length(palette) > 25 "
     "OR orientation IS NULL OR orientation NOT BETWEEN 0 AND 8)",
     "UPDATE images SET brightness = NULL, contrast = NULL, saturation = NULL, warmth = NULL, "
     "sharpness = NULL, perceptual_hash = NULL, color = NULL, color_shares = NULL, palette = NULL, "
     "orientation = NULL WHERE perceptual_hash IS NOT NULL AND (state <> 1 OR "
     "brightness IS NULL OR contrast IS NULL OR saturation IS NULL OR warmth IS NULL "
     "OR sharpness IS NULL OR color IS NULL OR coalesce(length(color_shares), 0) <> 11 "
     "OR palette IS NULL OR length(palette) % 5 <> 0 OR length(palette) > 25 "
     "OR orientation IS NULL OR orientation NOT BETWEEN 0 AND 8)"},
    /* An image without its record: its whole picture's region says that it is there. A content hash of
     * zeros and no time make the next ingest read its file again. */
    {BARE,
     "SELECT printf('the record of image %d (%s) is lost with its metadata and label; its "
     "vector is kept', image, coalesce((SELECT uri FROM temp.rescued WHERE id = image), 'no uri')) "
     "FROM regions WHERE ordinal = 0 AND image NOT IN (SELECT id FROM images)",
     "INSERT INTO images (id, state, failure_code, content_hash, file_bytes, modified_ns, added_ms, "
     "width, height, format, failure) SELECT r.image, 1, 0, zeroblob(16), 0, 0, ?2, "
     "coalesce((SELECT max(x + width) FROM regions WHERE image = r.image), 0), "
     "coalesce((SELECT max(y + height) FROM regions WHERE image = r.image), 0), '', '' "
     "FROM regions r WHERE r.ordinal = 0 AND r.image NOT IN (SELECT id FROM images)"},
    {LOST,
     "SELECT printf('the record of image %d (%s) is lost with its metadata and label, and it has "
     "no vector', id, coalesce(uri, 'no uri')) FROM temp.rescued WHERE id > 0 AND "
     "id NOT IN (SELECT id FROM images)",
     "INSERT INTO images (id, state, failure_code, content_hash, file_bytes, modified_ns, added_ms, "
     "width, height, format, failure) SELECT id, 2, ?3, zeroblob(16), 0, 0, ?2, 0, 0, '', "
     "'its vector is lost: the catalogue was damaged' FROM temp.rescued WHERE id > 0 AND "
     "id NOT IN (SELECT id FROM images)"},
    {NOTE, NULL,
     "UPDATE OR IGNORE images SET uri = (SELECT uri FROM temp.rescued WHERE "
     "rescued.id = images.id AND typeof(uri) = 'text' AND NOT instr(CAST(uri AS BLOB), x'00')) "
     "WHERE id IN (SELECT id FROM temp.rescued)"},
    {NOTE, NULL, "DELETE FROM regions WHERE image NOT IN (SELECT id FROM images)"},
    {NOTE, NULL, "DELETE FROM regions WHERE image IN (SELECT id FROM images WHERE state = 2)"},
    /* An image that lacks the vector of a region, or whose regions cannot be: a failure. */
    {NOTE, NULL, "CREATE TEMP TABLE broken (id INTEGER PRIMARY KEY)"},
    {NOTE, NULL,
     "INSERT OR IGNORE INTO temp.broken SELECT id FROM images WHERE state = 1 AND "
     "NOT EXISTS (SELECT 1 FROM regions WHERE image = images.id AND ordinal = 0)"},
    {NOTE, NULL,
     "INSERT OR IGNORE INTO temp.broken SELECT image FROM regions "
     "WHERE NOT EXISTS (SELECT 1 FROM pending_vectors WHERE region = regions.id) AND "
     "NOT EXISTS (SELECT 1 FROM segments WHERE regions.id BETWEEN first_region AND last_region)"},
    {NOTE, NULL,
     "INSERT OR IGNORE INTO temp.broken SELECT a.image FROM regions a "
     "JOIN regions b ON b.image = a.image AND b.ordinal = 0 JOIN images ON images.id = a.image WHERE "
     "CASE WHEN EXISTS (SELECT 1 FROM settings WHERE name = 'regions') THEN a.id % 256 <> a.ordinal "
     "ELSE a.ordinal <> 0 END OR (a.ordinal > 0 AND (a.id / 256 <> b.id / 256 OR "
     "coalesce(a.x < 0 OR a.y < 0 OR a.width < 1 OR a.height < 1 OR a.x + a.width > images.width "
     "OR a.y + a.height > images.height OR a.score NOT BETWEEN 0 AND 1, 1)))"},
    {LOST,
     "SELECT printf('the vector of image %d (%s) is lost', id, coalesce((SELECT uri FROM images "
     "WHERE images.id = broken.id), 'no uri')) FROM temp.broken",
     "UPDATE images SET state = 2, failure_code = ?3, "
     "failure = 'its vector is lost: the catalogue was damaged', "
     "brightness = NULL, contrast = NULL, saturation = NULL, warmth = NULL, sharpness = NULL, "
     "perceptual_hash = NULL, color = NULL, color_shares = NULL, palette = NULL, orientation = NULL, "
     "taken_at = NULL, camera_make = NULL, camera_model = NULL, latitude = NULL, longitude = NULL "
     "WHERE id IN (SELECT id FROM temp.broken)"},
    /* In a segment they stay until it is built anew; here they count as removed. */
    {NOTE, NULL,
     "INSERT INTO removed_regions (region) SELECT id FROM regions WHERE image IN "
     "(SELECT id FROM temp.broken)"},
    {NOTE, NULL, "DELETE FROM regions WHERE image IN (SELECT id FROM temp.broken)"},
    {NOTE, NULL, "DELETE FROM pending_vectors WHERE region NOT IN (SELECT id FROM regions)"},
    {NOTE, NULL,
     "DELETE FROM removed_regions WHERE region IN (SELECT id FROM regions) OR seq < 1 OR "
     "region < 1"},
    {NOTE, NULL,
     "DELETE FROM verdicts WHERE first NOT IN (SELECT id FROM images) OR "
     "second NOT IN (SELECT id FROM images)"},
    {NOTE, NULL,
     "UPDATE sqlite_sequence SET seq = max(seq, CASE name "
     "WHEN 'images' THEN (SELECT coalesce(max(id), 0) FROM images) "
     "WHEN 'regions' THEN (SELECT coalesce(max(id), 0) FROM regions) "
     "ELSE (SELECT coalesce(max(seq), 0) FROM removed_regions) END)"},
};

typedef struct settling {
    ir_salvage *salvage;
    int64_t vector_bytes, now_ms;
} settling;

static int bind(const settling *work, sqlite3_stmt *statement)
{
    const int64_t values[] = {work->vector_bytes, work->now_ms, IMGRET_CORRUPT};
    int code = SQLITE_OK, count = sqlite3_bind_parameter_count(statement);
    for (int i = 0; i < count && i < 3 && code == SQLITE_OK; i++)
        code = sqlite3_bind_int64(statement, i + 1, values[i]);
    return code;
}

/* Runs one statement; its rows, if it has any, are messages. */
static int32_t run(const settling *work, const char *sql, uint64_t *row_count, imgret_error *error)
{
    ir_connection *writer = &work->salvage->fresh->writer;
    sqlite3_stmt *statement = NULL;
    int32_t status = IMGRET_OK;
    int code = sqlite3_prepare_v2(writer->db, sql, -1, &statement, NULL);
    if (code == SQLITE_OK)
        code = bind(work, statement);
    while (!status && code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *message = (const char *)sqlite3_column_text(statement, 0);
        status = message ? ir_salvage_tell(work->salvage, message, error)
                         : ir_fail(error, IMGRET_NO_MEMORY, "no memory to salvage");
        (*row_count)++;
        code = SQLITE_OK;
    }
    if (!status && code != SQLITE_DONE)
        status = ir_connection_fail(writer, code, "salvaging", error);
    sqlite3_finalize(statement);
    return status;
}

static int32_t run_steps(const settling *work, imgret_error *error)
{
    ir_salvage_counts *counts = &work->salvage->counts;
    int32_t status = IMGRET_OK;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && !status; i++) {
        uint64_t told = 0, ignored = 0;
        if (steps[i].tell)
            status = run(work, steps[i].tell, &told, error);
        if (!status)
            status = run(work, steps[i].mend, &ignored, error);
        counts->images_bare += steps[i].kind == BARE ? told : 0;
        counts->images_lost += steps[i].kind == LOST ? told : 0;
    }
    return status;
}

/* ir_catalog_check: what is still wrong ends the salvage. */
static int32_t keep_problem(void *context, const char *message)
{
    ir_fail(context, IMGRET_CORRUPT, "%s", message);
    return 1;
}

int32_t ir_salvage_settle(ir_salvage *salvage, size_t vector_bytes, imgret_error *error)
{
    ir_connection *writer = &salvage->fresh->writer;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    const settling work = {salvage, (int64_t)vector_bytes,
                           (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000};
    int32_t status = ir_connection_exec(writer, "BEGIN", "salvaging", error);
    if (!status)
        status = run_steps(&work, error);
    if (!status)
        status = ir_catalog_copy_indexes(&salvage->source, writer, error);
    if (!status)
        status = ir_connection_exec(writer, "COMMIT", "salvaging", error);
    if (ir_connection_in_transaction(writer))
        ir_connection_exec(writer, "ROLLBACK", "salvaging", NULL);
    imgret_error problem = IMGRET_ERROR_INIT;
    if (!status)
        status = ir_catalog_check(salvage->fresh, vector_bytes, keep_problem, &problem, error);
    return problem.code ? ir_fail(error, IMGRET_CORRUPT, "%s: cannot be salvaged: %s",
                                  salvage->path, problem.message)
                        : status;
}

/* ---- what segment files tell ---- */

static int32_t insert(ir_salvage *salvage, const char *sql, const int64_t *rows, uint64_t count,
                      int columns, imgret_error *error)
{
    ir_connection *writer = &salvage->fresh->writer;
    sqlite3_stmt *statement = NULL;
    int32_t status = ir_connection_exec(writer, "BEGIN", "salvaging", error);
    int code = status ? SQLITE_OK : sqlite3_prepare_v2(writer->db, sql, -1, &statement, NULL);
    for (uint64_t i = 0; i < count && !status && code == SQLITE_OK; i++) {
        for (int column = 0; column < columns && code == SQLITE_OK; column++)
            code = sqlite3_bind_int64(statement, column + 1,
                                      rows[i * (uint64_t)columns + (uint64_t)column]);
        if (code == SQLITE_OK)
            code = sqlite3_step(statement);
        sqlite3_reset(statement);
        code = code == SQLITE_DONE ? SQLITE_OK : code;
    }
    sqlite3_finalize(statement);
    if (!status && code != SQLITE_OK)
        status = ir_connection_fail(writer, code, "salvaging", error);
    if (!status)
        status = ir_connection_exec(writer, "COMMIT", "salvaging", error);
    if (ir_connection_in_transaction(writer))
        ir_connection_exec(writer, "ROLLBACK", "salvaging", NULL);
    return status;
}

int32_t ir_salvage_list_segment(ir_salvage *salvage, const ir_catalog_segment *segment,
                                imgret_error *error)
{
    const int64_t row[] = {segment->id,
                           segment->first_region,
                           segment->last_region,
                           (int64_t)segment->vector_count,
                           (int64_t)segment->file_bytes,
                           (int64_t)segment->identity};
    /* A file whose vectors are still pending is of a build that nobody committed. */
    return insert(
        salvage,
        "INSERT OR IGNORE INTO segments (id, first_region, last_region, vector_count, "
        "file_bytes, identity) SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE NOT EXISTS (SELECT 1 FROM "
        "segments WHERE first_region <= ?3 AND last_region >= ?2) AND NOT EXISTS (SELECT 1 "
        "FROM pending_vectors WHERE region <= ?3)",
        row, 1, 6, error);
}

int32_t ir_salvage_note_removed(ir_salvage *salvage, const int64_t *regions, uint64_t count,
                                imgret_error *error)
{
    return insert(salvage, "INSERT INTO removed_regions (region) VALUES (?1)", regions, count, 1,
                  error);
}
