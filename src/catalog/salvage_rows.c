/* salvage_rows.c: what can be read of a damaged catalogue, row by row.
 *
 * A table is read by ascending keys until a page stops it. The keys beyond are then sought: a seek that
 * goes through the damaged page fails, one past it does not, so doubling steps and halving find where the
 * table goes on. Between the two each key is tried by itself, since there may be sound pages between
 * damaged ones. Two indexes hold all or most of a row, and are read where the table itself is damaged:
 * that of a region's image and ordinal, and that of an image's uri.
 */
#include "catalog/salvage_inside.h"

#include "base/alloc.h"
#include "base/error.h"
#include "catalog/columns.h"

#include <stdio.h>
#include <string.h>

enum { COMMIT_ROWS = 4096, TRY_EACH_MAX = 1 << 16 };

typedef struct reader {
    ir_salvage *salvage;
    const char *table;
    sqlite3_stmt *scan;   /* ?1: the least key; column 0 is the key */
    sqlite3_stmt *probe;  /* ?1: the least key; the next one that is there */
    sqlite3_stmt *insert; /* into the new catalogue, of what `scan` gives after the key */
    int64_t next;         /* above the last key that was read */
    uint64_t uncommitted;
    bool damaged;
} reader;

/* What a damaged page does, other than a full disk or a stop. */
static bool is_unreadable(int code)
{
    int primary = code & 0xFF;
    return primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB || primary == SQLITE_TOOBIG;
}

static int32_t tell_range(reader *r, int64_t first, int64_t end, imgret_error *error)
{
    char message[160];
    r->damaged = true;
    if (end == INT64_MAX)
        snprintf(message, sizeof message, "%s from %lld on cannot be read", r->table,
                 (long long)first);
    else if (end == first + 1)
        snprintf(message, sizeof message, "%s %lld cannot be read", r->table, (long long)first);
    else
        snprintf(message, sizeof message, "%s between %lld and %lld cannot all be read", r->table,
                 (long long)first, (long long)end - 1);
    return ir_salvage_tell(r->salvage, message, error);
}

/* ---- the new catalogue's side ---- */

static int32_t commit_some(reader *r, uint64_t least, imgret_error *error)
{
    if (r->uncommitted < least)
        return IMGRET_OK;
    r->uncommitted = 0;
    ir_connection *writer = &r->salvage->fresh->writer;
    return ir_connection_exec(writer, "COMMIT; BEGIN", "salvaging", error);
}

/* Stores the row that `scan` stands on; one that the tables refuse is told. */
static int32_t store_row(reader *r, sqlite3_stmt *scan, int first_column, imgret_error *error)
{
    ir_connection *writer = &r->salvage->fresh->writer;
    int code = SQLITE_OK, count = sqlite3_bind_parameter_count(r->insert);
    for (int i = 0; i < count && code == SQLITE_OK; i++)
        code = sqlite3_bind_value(r->insert, i + 1, sqlite3_column_value(scan, first_column + i));
    if (code == SQLITE_OK)
        code = sqlite3_step(r->insert);
    int32_t status = IMGRET_OK;
    if ((code & 0xFF) == SQLITE_CONSTRAINT) {
        char message[256];
        snprintf(message, sizeof message, "%s %lld is not as it must be: %s", r->table,
                 (long long)sqlite3_column_int64(scan, 0), sqlite3_errmsg(writer->db));
        r->salvage->counts.rows_refused++;
        r->damaged = true;
        status = ir_salvage_tell(r->salvage, message, error);
    } else if (code != SQLITE_DONE) {
        status = ir_connection_fail(writer, code, "salvaging", error);
    }
    sqlite3_reset(r->insert);
    sqlite3_clear_bindings(r->insert);
    r->uncommitted++;
    return status ? status : commit_some(r, COMMIT_ROWS, error);
}

/* ---- reading by keys ---- */

/* Copies the rows from key `from` to before `end`. SQLite's code that ended it: DONE, or why not. */
static int scan_rows(reader *r, int64_t from, int64_t end, int32_t *status, imgret_error *error)
{
    *status = IMGRET_OK;
    r->next = from;
    int code = sqlite3_bind_int64(r->scan, 1, from);
    while (!*status && code == SQLITE_OK && (code = sqlite3_step(r->scan)) == SQLITE_ROW) {
        int64_t key = sqlite3_column_int64(r->scan, 0);
        if (key >= end || key == INT64_MAX) {
            code = SQLITE_DONE;
            break;
        }
        *status = store_row(r, r->scan, 1, error);
        r->next = key + 1;
        code = SQLITE_OK;
    }
    sqlite3_reset(r->scan);
    return code;
}

/* The first key from `from` on; INT64_MAX when there is none. */
static int probe_key(reader *r, int64_t from, int64_t *key)
{
    *key = INT64_MAX;
    int code = sqlite3_bind_int64(r->probe, 1, from);
    if (code == SQLITE_OK)
        code = sqlite3_step(r->probe);
    if (code == SQLITE_ROW)
        *key = sqlite3_column_int64(r->probe, 0);
    sqlite3_reset(r->probe);
    return code == SQLITE_ROW ? SQLITE_DONE : code;
}

/* Where the table can be read again, given that it cannot be at `from`; INT64_MAX: nowhere. */
static int find_readable(reader *r, int64_t from, int64_t *out)
{
    int64_t key, bad = from, good = from;
    int code = probe_key(r, from, &key);
    *out = key == INT64_MAX ? key : key + 1;
    if (code == SQLITE_DONE)
        return code; /* the key can be read, the row cannot */
    for (int64_t step = 1; is_unreadable(code); step *= 2) {
        bad = good;
        if (good > INT64_MAX / 2 - step) {
            *out = INT64_MAX;
            return SQLITE_DONE;
        }
        good = from + step;
        code = probe_key(r, good, &key);
    }
    while (code == SQLITE_DONE && good - bad > 1) {
        int64_t middle = bad + (good - bad) / 2;
        int tried = probe_key(r, middle, &key);
        if (tried == SQLITE_DONE)
            good = middle;
        else if (is_unreadable(tried))
            bad = middle;
        else
            code = tried;
    }
    *out = good;
    return code;
}

/* Rows on sound pages between damaged ones. */
static int try_each(reader *r, int64_t from, int64_t end, int32_t *status, imgret_error *error)
{
    *status = IMGRET_OK;
    int code = SQLITE_DONE;
    if (end - from > TRY_EACH_MAX)
        end = from + TRY_EACH_MAX;
    while (from < end && !*status) {
        code = scan_rows(r, from, end, status, error);
        if (code == SQLITE_DONE)
            break;
        if (!is_unreadable(code))
            return code;
        from = r->next > from ? r->next : from + 1;
    }
    return SQLITE_DONE;
}

static int32_t read_all(reader *r, imgret_error *error)
{
    int32_t status = IMGRET_OK;
    int64_t from = 1;
    int code = SQLITE_OK;
    while (!status && from < INT64_MAX) {
        code = scan_rows(r, from, INT64_MAX, &status, error);
        if (code == SQLITE_DONE || status || !is_unreadable(code))
            break;
        int64_t gap = r->next, end;
        code = find_readable(r, gap, &end);
        if (code != SQLITE_DONE)
            break;
        status = tell_range(r, gap, end, error);
        if (!status)
            code = try_each(r, gap, end, &status, error);
        if (code != SQLITE_DONE)
            break;
        from = end;
    }
    if (!status && code != SQLITE_DONE)
        status = ir_connection_fail(&r->salvage->source, code, "salvaging", error);
    return status;
}

/* ---- statements ---- */

static int32_t prepare(ir_connection *connection, sqlite3_stmt **out, const char *sql,
                       imgret_error *error)
{
    int code = sqlite3_prepare_v2(connection->db, sql, -1, out, NULL);
    return code == SQLITE_OK ? IMGRET_OK : ir_connection_fail(connection, code, "salvaging", error);
}

/* "a, b, c" of the columns that the source has; those of the new catalogue begin with them. */
static int32_t name_columns(ir_connection *source, const char *table, ir_text *names,
                            ir_text *values, imgret_error *error)
{
    ir_columns columns;
    int32_t status = ir_columns_read(&columns, source, table, error);
    for (int i = 0; i < columns.count && !status; i++) {
        ir_text_add_string(names, i ? ", \"" : "\"");
        ir_text_add_string(names, columns.at[i].name);
        ir_text_add_string(names, "\"");
        ir_text_add_string(values, i ? ", ?" : "?");
    }
    return status;
}

static char *join(const char *const *parts, int count)
{
    ir_text text = {0};
    for (int i = 0; i < count; i++)
        ir_text_add_string(&text, parts[i]);
    if (!text.failed)
        return text.data;
    ir_text_free(&text);
    return NULL;
}

/* A statement of pieces of text. */
static int32_t prepare_joined(ir_connection *connection, sqlite3_stmt **out,
                              const char *const *parts, int count, imgret_error *error)
{
    char *sql = join(parts, count);
    int32_t status = sql ? prepare(connection, out, sql, error)
                         : ir_fail(error, IMGRET_NO_MEMORY, "no memory to salvage");
    ir_free(sql);
    return status;
}

static void end_reader(reader *r)
{
    sqlite3_finalize(r->scan);
    sqlite3_finalize(r->probe);
    sqlite3_finalize(r->insert);
}

/* `key` is the table's integer primary key. */
static int32_t copy_table(ir_salvage *salvage, const char *table, const char *key, bool *damaged,
                          imgret_error *error)
{
    reader r = {.salvage = salvage, .table = table};
    ir_text names = {0}, values = {0};
    int32_t status = name_columns(&salvage->source, table, &names, &values, error);
    if (!status && (names.failed || values.failed))
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory to salvage");
    const char *scan[] = {
        "SELECT ",          key, ", ", names.data, " FROM ", table, " NOT INDEXED WHERE ", key,
        " >= ?1 ORDER BY ", key};
    const char *probe[] = {"SELECT ",          key, " FROM ",  table, " NOT INDEXED WHERE ", key,
                           " >= ?1 ORDER BY ", key, " LIMIT 1"};
    const char *insert[] = {"INSERT INTO ", table,       " (", names.data,
                            ") VALUES (",   values.data, ")"};
    if (!status)
        status = prepare_joined(&salvage->source, &r.scan, scan, 10, error);
    if (!status)
        status = prepare_joined(&salvage->source, &r.probe, probe, 9, error);
    if (!status)
        status = prepare_joined(&salvage->fresh->writer, &r.insert, insert, 7, error);
    if (!status)
        status = read_all(&r, error);
    if (!status)
        status = commit_some(&r, 1, error);
    *damaged = r.damaged;
    end_reader(&r);
    ir_text_free(&names);
    ir_text_free(&values);
    return status;
}

/* ---- reading from both ends: tables and indexes by other keys ---- */

/* A table, or an index, that is read from its least key on, and where that fails from its greatest. */
typedef struct ends {
    const char *what;
    const char *select;    /* its first column is for messages alone */
    const char *up, *down; /* the order of its keys */
    const char *insert;
} ends;

/* *damaged is whether it could not be read to its end. */
static int32_t copy_ends(ir_salvage *salvage, const ends *given, bool *damaged, imgret_error *error)
{
    reader r = {.salvage = salvage, .table = given->what};
    int32_t status = prepare(&salvage->fresh->writer, &r.insert, given->insert, error);
    *damaged = false;
    for (int way = 0; way < 2 && !status && (way == 0 || *damaged); way++) {
        const char *parts[] = {given->select, " ORDER BY ", way == 0 ? given->up : given->down};
        status = prepare_joined(&salvage->source, &r.scan, parts, 3, error);
        int code = SQLITE_OK;
        while (!status && (code = sqlite3_step(r.scan)) == SQLITE_ROW)
            status = store_row(&r, r.scan, 1, error);
        if (!status && is_unreadable(code) && !*damaged) {
            char message[160];
            *damaged = true;
            snprintf(message, sizeof message, "%s cannot all be read", given->what);
            status = ir_salvage_tell(salvage, message, error);
        } else if (!status && code != SQLITE_DONE && !is_unreadable(code)) {
            status = ir_connection_fail(&salvage->source, code, "salvaging", error);
        }
        sqlite3_finalize(r.scan);
        r.scan = NULL;
    }
    if (!status)
        status = commit_some(&r, 1, error);
    *damaged = *damaged || r.damaged;
    end_reader(&r);
    return status;
}

/* Of an image whose row is lost, its uri is known from its index. */
static int32_t rescue_uris(ir_salvage *salvage, imgret_error *error)
{
    static const ends uris = {"uris",
                              "SELECT id, id, uri FROM images INDEXED BY sqlite_autoindex_images_1",
                              "uri", "uri DESC",
                              "INSERT OR IGNORE INTO temp.rescued (id, uri) SELECT ?1, ?2 "
                              "WHERE NOT EXISTS (SELECT 1 FROM main.images WHERE id = ?1)"};
    bool damaged;
    return copy_ends(salvage, &uris, &damaged, error);
}

/* Of the region of a whole picture nothing more is known than what its index has. */
static int32_t rescue_regions(ir_salvage *salvage, imgret_error *error)
{
    static const ends wholes = {
        "regions by image",
        "SELECT id, id, image, ordinal FROM regions INDEXED BY sqlite_autoindex_regions_1",
        "image, ordinal", "image DESC, ordinal DESC",
        "INSERT OR IGNORE INTO regions (id, image, ordinal) SELECT ?1, ?2, ?3 "
        "WHERE ?3 = 0 AND NOT EXISTS (SELECT 1 FROM main.regions WHERE id = ?1)"};
    bool damaged;
    return copy_ends(salvage, &wholes, &damaged, error);
}

/* ---- ids that were given ---- */

/* No id is given twice: what was counted, or, where that is lost, far above all that is known. */
static int32_t copy_sequences(ir_salvage *salvage, imgret_error *error)
{
    static const ends sequences = {
        "the last ids given", "SELECT seq, name, seq FROM sqlite_sequence", "rowid", "rowid DESC",
        "INSERT OR IGNORE INTO temp.sequences (name, seq) VALUES (?1, ?2)"};
    bool damaged;
    int32_t status = copy_ends(salvage, &sequences, &damaged, error);
    if (!status)
        status = ir_connection_exec(
            &salvage->fresh->writer,
            "CREATE TEMP TABLE tops (name TEXT PRIMARY KEY, seq INTEGER);"
            "INSERT INTO temp.tops SELECT 'images', max((SELECT coalesce(max(id), 0) FROM images), "
            "(SELECT coalesce(max(image), 0) FROM regions));"
            "INSERT INTO temp.tops SELECT 'regions', max((SELECT coalesce(max(id), 0) FROM regions), "
            "(SELECT coalesce(max(last_region), 0) FROM segments), "
            "(SELECT coalesce(max(region), 0) FROM pending_vectors));"
            "INSERT INTO temp.tops SELECT 'removed_regions', coalesce(max(seq), 0) FROM "
            "removed_regions;"
            "UPDATE temp.tops SET seq = coalesce((SELECT max(s.seq, tops.seq) FROM temp.sequences s "
            "WHERE s.name = tops.name AND s.seq BETWEEN 0 AND 1 << 47), "
            "(tops.seq / 256 + 4096) * 256);"
            "DELETE FROM sqlite_sequence;"
            "INSERT INTO sqlite_sequence (name, seq) SELECT name, seq FROM temp.tops",
            "salvaging", error);
    return status;
}

static int32_t copy_all(ir_salvage *salvage, imgret_error *error)
{
    static const ends settings = {"settings", "SELECT 0, name, value FROM settings", "name",
                                  "name DESC",
                                  "INSERT OR IGNORE INTO settings (name, value) VALUES (?1, ?2)"};
    static const ends verdicts = {
        "verdicts", "SELECT 0, first, second, verdict FROM verdicts", "first, second",
        "first DESC, second DESC",
        "INSERT OR IGNORE INTO verdicts (first, second, verdict) VALUES (?1, ?2, ?3)"};
    ir_salvage_counts *counts = &salvage->counts;
    bool images = false, regions = false, ignored;
    int32_t status = copy_ends(salvage, &settings, &counts->settings_lost, error);
    if (!status)
        status = copy_table(salvage, "segments", "id", &counts->segments_lost, error);
    if (!status)
        status = copy_table(salvage, "images", "id", &images, error);
    if (!status)
        status = copy_table(salvage, "regions", "id", &regions, error);
    if (!status && images)
        status = rescue_uris(salvage, error);
    if (!status && regions)
        status = rescue_regions(salvage, error);
    if (!status)
        status = copy_table(salvage, "pending_vectors", "region", &ignored, error);
    if (!status)
        status = copy_table(salvage, "removed_regions", "seq", &counts->removals_lost, error);
    if (!status && salvage->version >= 4)
        status = copy_ends(salvage, &verdicts, &ignored, error);
    return status ? status : copy_sequences(salvage, error);
}

int32_t ir_salvage_copy(ir_salvage *salvage, imgret_error *error)
{
    ir_connection *writer = &salvage->fresh->writer;
    int32_t status = ir_connection_exec(
        writer,
        "CREATE TEMP TABLE rescued (id INTEGER PRIMARY KEY, uri);"
        "CREATE TEMP TABLE sequences (name TEXT PRIMARY KEY, seq INTEGER);"
        "BEGIN",
        "salvaging", error);
    if (!status)
        status = copy_all(salvage, error);
    if (!status)
        status = ir_connection_exec(writer, "COMMIT", "salvaging", error);
    if (status && ir_connection_in_transaction(writer))
        ir_connection_exec(writer, "ROLLBACK", "salvaging", NULL);
    return status;
}
