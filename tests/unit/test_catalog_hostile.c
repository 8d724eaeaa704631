/* test_catalog_hostile.c: files that are no catalogue, another's, too new, damaged or malicious. */
#include "test_catalog.h"

#include "base/file.h"
#include "catalog/schema.h"

#include <fcntl.h>
#include <sqlite3.h>

static void write_file(const char *path, const void *data, size_t bytes)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    fclose(file);
}

static uint8_t *read_whole(const char *path, size_t *bytes)
{
    uint8_t *data;
    assert_int_equal(ir_file_read(path, 1 << 28, &data, bytes, NULL), IMGRET_OK);
    return data;
}

/* SQL on a file as any other program would run it. */
static void raw_sql(const char *path, const char *sql)
{
    sqlite3 *db;
    char *message = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    sqlite3_close(db);
}

static void make_catalog(const catalog_fixture *fixture, int count)
{
    ir_catalog *catalog = open_catalog(fixture->path);
    add_many(catalog, 0, count);
    ir_catalog_close(catalog);
}

/* Opening fails with `status`, for writing and for reading, and leaves every byte as it was. */
static void refused_untouched(const catalog_fixture *fixture, int32_t status, const char *part)
{
    size_t before_bytes, after_bytes;
    uint8_t *before = read_whole(fixture->file, &before_bytes);
    for (int read_only = 0; read_only < 2; read_only++) {
        imgret_error error = IMGRET_ERROR_INIT;
        ir_catalog_options options = {.read_only = read_only};
        assert_int_equal(open_status(fixture->path, options, &error), status);
        if (!strstr(error.message, part))
            fail_msg("%s does not name %s", error.message, part);
        assert_non_null(strstr(error.message, "catalog.db"));
    }
    uint8_t *after = read_whole(fixture->file, &after_bytes);
    assert_int_equal(after_bytes, before_bytes);
    assert_memory_equal(after, before, before_bytes);
    ir_free(before);
    ir_free(after);
}

static void a_file_is_no_folder(void **state)
{
    const catalog_fixture *fixture = *state;
    imgret_error error = IMGRET_ERROR_INIT;
    write_file(fixture->path, "hello", 5);
    assert_int_equal(open_status(fixture->path, (ir_catalog_options){0}, &error),
                     IMGRET_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, fixture->path));
}

static void a_folder_of_pictures_stays_one(void **state)
{
    const catalog_fixture *fixture = *state;
    char name[256];
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(mkdir(fixture->path, 0777), 0);
    snprintf(name, sizeof name, "%s/holiday.jpg", fixture->path);
    write_file(name, "x", 1);
    assert_int_equal(open_status(fixture->path, (ir_catalog_options){0}, &error),
                     IMGRET_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "holiday.jpg"));
    assert_int_equal(access(fixture->file, F_OK), -1);
    assert_int_equal(open_status(fixture->path, (ir_catalog_options){.existing = true}, &error),
                     IMGRET_NOT_FOUND);
}

static void a_log_without_its_catalogue_is_not_thrown_away(void **state)
{
    const catalog_fixture *fixture = *state;
    char name[256];
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(mkdir(fixture->path, 0777), 0);
    snprintf(name, sizeof name, "%s-wal", fixture->file);
    write_file(name, "x", 1);
    assert_int_equal(open_status(fixture->path, (ir_catalog_options){0}, &error),
                     IMGRET_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "catalog.db-wal"));
    assert_int_equal(access(name, F_OK), 0);
}

static void half_made_catalogues_are_completed(void **state)
{
    const catalog_fixture *fixture = *state;
    for (int stage = 0; stage < 3; stage++) {
        assert_int_equal(mkdir(fixture->path, 0777), 0);
        if (stage == 1)
            write_file(fixture->file, "", 0);
        if (stage == 2)
            raw_sql(fixture->file, "PRAGMA journal_mode=WAL; BEGIN; CREATE TABLE images (id); "
                                   "DROP TABLE images; COMMIT");
        assert_int_equal(open_status(fixture->path, (ir_catalog_options){.existing = true}, NULL),
                         IMGRET_NOT_FOUND);
        assert_int_equal(open_status(fixture->path, (ir_catalog_options){.read_only = true}, NULL),
                         IMGRET_NOT_FOUND);
        ir_catalog *catalog;
        bool created = false;
        ir_catalog_options options = {.fresh = true};
        assert_int_equal(ir_catalog_open(&catalog, fixture->path, &options, &created, NULL), 0);
        assert_true(created);
        add(catalog, "/a", 1);
        assert_int_equal(count_problems(catalog), 0);
        ir_catalog_close(catalog);
        remove_tree(fixture->path);
    }
}

static void garbage_is_corrupt(void **state)
{
    const catalog_fixture *fixture = *state;
    uint8_t garbage[20000];
    for (size_t i = 0; i < sizeof garbage; i++)
        garbage[i] = (uint8_t)(i * 7919 >> 3);
    static const size_t sizes[] = {1, 10, 99, 511, 512, 4096, 20000};
    assert_int_equal(mkdir(fixture->path, 0777), 0);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        write_file(fixture->file, garbage, sizes[i]);
        refused_untouched(fixture, IMGRET_CORRUPT, "not a database");
    }
    assert_int_equal(remove(fixture->file), 0);
    assert_int_equal(mkdir(fixture->file, 0777), 0);
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(open_status(fixture->path, (ir_catalog_options){0}, &error), IMGRET_CORRUPT);
    assert_non_null(strstr(error.message, "not a regular file"));
    assert_int_equal(rmdir(fixture->file), 0);
    assert_int_equal(mkfifo(fixture->file, 0666), 0); /* opening it could wait for ever */
    assert_int_equal(open_status(fixture->path, (ir_catalog_options){0}, &error), IMGRET_CORRUPT);
}

static void another_programs_database_is_left_alone(void **state)
{
    const catalog_fixture *fixture = *state;
    static const char *const others[] = {
        "CREATE TABLE songs (title)",
        "PRAGMA application_id=1234",
        "PRAGMA user_version=3",
        "PRAGMA journal_mode=WAL; CREATE TABLE songs (title)",
        "PRAGMA application_id=1234; PRAGMA user_version=1; CREATE TABLE images (id)",
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_int_equal(mkdir(fixture->path, 0777), 0);
        raw_sql(fixture->file, others[i]);
        refused_untouched(fixture, IMGRET_CORRUPT, "another program's database");
        remove_tree(fixture->path);
    }
}

static void set_version(const catalog_fixture *fixture, int version)
{
    char sql[48];
    snprintf(sql, sizeof sql, "PRAGMA user_version=%d", version);
    raw_sql(fixture->file, sql);
}

static void versions_are_minded(void **state)
{
    const catalog_fixture *fixture = *state;
    make_catalog(fixture, 3);
    char known[32], newer[32];
    snprintf(known, sizeof known, "up to %d", IR_CATALOG_FORMAT);
    snprintf(newer, sizeof newer, "version %d", IR_CATALOG_FORMAT + 1);
    set_version(fixture, IR_CATALOG_FORMAT + 1);
    raw_sql(fixture->file, "CREATE TABLE novelty (x)");
    refused_untouched(fixture, IMGRET_VERSION_TOO_NEW, newer);
    refused_untouched(fixture, IMGRET_VERSION_TOO_NEW, known);
    raw_sql(fixture->file, "PRAGMA user_version=0");
    refused_untouched(fixture, IMGRET_CORRUPT, "version 0");
    raw_sql(fixture->file, "PRAGMA user_version=-5");
    refused_untouched(fixture, IMGRET_CORRUPT, "version -5");
}

static void a_newer_library_locks_out_an_open_handle(void **state)
{
    const catalog_fixture *fixture = *state;
    ir_catalog *catalog = open_catalog(fixture->path);
    imgret_error error = IMGRET_ERROR_INIT;
    set_version(fixture, IR_CATALOG_FORMAT + 1);
    assert_int_equal(ir_catalog_begin(catalog, &error), IMGRET_VERSION_TOO_NEW);
    set_version(fixture, IR_CATALOG_FORMAT);
    add(catalog, "/a", 1);
    ir_catalog_close(catalog);
}

static void strange_schemas_are_refused(void **state)
{
    const catalog_fixture *fixture = *state;
    static const struct {
        const char *sql, *named;
    } cases[] = {
        {"CREATE TRIGGER evil AFTER INSERT ON images BEGIN DELETE FROM settings; END", "evil"},
        {"CREATE VIEW spy AS SELECT * FROM images", "spy"},
        {"CREATE TABLE extra (x)", "extra"},
        {"CREATE INDEX extra ON images (lower(uri))", "extra"},
        {"CREATE VIRTUAL TABLE words USING fts5(x)", "words"},
        {"DROP TABLE removed_regions", "removed_regions"},
        {"DROP INDEX images_failed", "images_failed"},
        {"ALTER TABLE images ADD COLUMN evil INTEGER GENERATED ALWAYS AS "
         "(abs(-9223372036854775808))",
         "images"},
        {"DROP TABLE settings; CREATE VIEW settings AS SELECT 'model' AS name, 'x' AS value",
         "settings"},
        {"PRAGMA writable_schema=ON; "
         "UPDATE sqlite_schema SET rootpage = 1 WHERE name = 'regions'; "
         "UPDATE sqlite_schema SET sql = replace(sql, 'CASCADE', 'SET NULL')",
         "regions"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        make_catalog(fixture, 3);
        raw_sql(fixture->file, cases[i].sql);
        refused_untouched(fixture, IMGRET_CORRUPT, cases[i].named);
        remove_tree(fixture->path);
    }
    make_catalog(fixture, 3);
    raw_sql(fixture->file, "ANALYZE"); /* SQLite's own statistics are no harm */
    ir_catalog_close(open_catalog(fixture->path));
}

/* Rewrites the tables' text without its constraints, runs `sql`, and puts the text back: the file
 * then holds what its schema forbids. */
static void smuggle(const catalog_fixture *fixture, const char *sql)
{
    raw_sql(fixture->file,
            "PRAGMA writable_schema=ON;"
            "UPDATE sqlite_schema SET sql = replace(replace(replace(replace(sql, "
            "' NOT NULL', '/*nn*/'), ') STRICT', ')/*strict*/'), 'CHECK', '/*ck*/DEFAULT'), "
            "'REFERENCES images', '/*ref*/') WHERE type = 'table' AND name IN ('images', "
            "'regions', 'pending_vectors', 'removed_regions')");
    /* "DEFAULT (state IN (1, 2))" is no constant default but a valid text. */
    raw_sql(fixture->file, "PRAGMA writable_schema=ON;"
                           "UPDATE sqlite_schema SET sql = replace(replace(sql, "
                           "'/*ck*/DEFAULT (state IN (1, 2))', '/*ck1*/'), "
                           "'/*ck*/DEFAULT (length(content_hash) = 16)', '/*ck2*/')");
    raw_sql(fixture->file, "PRAGMA writable_schema=ON;"
                           "UPDATE sqlite_schema SET sql = replace(sql, '/*ref*/ ON DELETE "
                           "CASCADE', '/*ref*/')");
    raw_sql(fixture->file, sql);
    raw_sql(fixture->file,
            "PRAGMA writable_schema=ON;"
            "UPDATE sqlite_schema SET sql = replace(replace(replace(replace(replace(sql, "
            "'/*nn*/', ' NOT NULL'), ')/*strict*/', ') STRICT'), '/*ck1*/', "
            "'CHECK (state IN (1, 2))'), '/*ck2*/', 'CHECK (length(content_hash) = 16)'), "
            "'/*ref*/', 'REFERENCES images ON DELETE CASCADE')");
}

static int32_t ignore_vector(void *context, int64_t region, const void *vector, size_t bytes,
                             imgret_error *error)
{
    (void)region, (void)error;
    for (size_t i = 0; i < bytes; i++) /* every byte must be readable */
        *(unsigned *)context += ((const uint8_t *)vector)[i];
    return IMGRET_OK;
}

static int32_t ignore_removal(void *context, int64_t region, imgret_error *error)
{
    (void)context, (void)region, (void)error;
    return IMGRET_OK;
}

static int32_t use_record(void *context, uint64_t position, const imgret_record *record,
                          imgret_error *error)
{
    (void)position, (void)error;
    size_t sum = strlen(record->format) + strlen(record->failure);
    sum += record->uri ? strlen(record->uri) : 0;
    sum += record->metadata ? strlen(record->metadata) : 0;
    *(unsigned *)context += (unsigned)sum;
    return record->state == IMGRET_STATE_STORED || record->state == IMGRET_STATE_FAILED
               ? IMGRET_OK
               : IMGRET_INTERNAL;
}

static void wrong_types_in_images_are_told(void **state)
{
    const catalog_fixture *fixture = *state;
    static const char *const columns[][2] = {
        {"state", "'x'"},           {"state", "3"},           {"failure_code", "1.5"},
        {"failure_code", "7"},      {"content_hash", "NULL"}, {"content_hash", "x'0102'"},
        {"content_hash", "'text'"}, {"file_bytes", "-1"},     {"modified_ns", "x'00'"},
        {"added_ms", "NULL"},       {"width", "4294967296"},  {"height", "-1"},
        {"format", "NULL"},         {"format", "x'FF'"},      {"failure", "NULL"},
        {"metadata", "x'7B7D'"},    {"uri", "x'41'"},
    };
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        char sql[128];
        make_catalog(fixture, 2);
        snprintf(sql, sizeof sql, "UPDATE images SET %s = %s WHERE id = 2", columns[i][0],
                 columns[i][1]);
        smuggle(fixture, sql);
        ir_catalog *catalog = open_catalog(fixture->path);
        imgret_error error = IMGRET_ERROR_INIT;
        int count = count_images(catalog, &error);
        if (count != IMGRET_CORRUPT)
            fail_msg("%s: %d", sql, count);
        assert_non_null(strstr(error.message, "row 2"));
        int64_t region = 2;
        unsigned sum = 0;
        assert_int_equal(ir_catalog_records_of_regions(catalog, &region, 1, use_record, &sum, NULL),
                         IMGRET_CORRUPT);
        if (count_problems(catalog) == 0)
            fail_msg("%s: the check finds nothing", sql);
        ir_catalog_close(catalog);
        remove_tree(fixture->path);
    }
}

static void wrong_vectors_and_regions_are_told(void **state)
{
    const catalog_fixture *fixture = *state;
    static const struct {
        const char *sql;
        int32_t status; /* of reading the changes */
    } cases[] = {
        {"UPDATE pending_vectors SET vector = NULL WHERE region = 2", IMGRET_CORRUPT},
        {"UPDATE pending_vectors SET vector = 'text' WHERE region = 2", IMGRET_CORRUPT},
        {"UPDATE pending_vectors SET vector = 12 WHERE region = 2", IMGRET_CORRUPT},
        {"UPDATE pending_vectors SET vector = x'00' WHERE region = 2", IMGRET_OK},
        {"UPDATE pending_vectors SET vector = x'' WHERE region = 2", IMGRET_OK},
        {"INSERT INTO removed_regions (region) VALUES ('x')", IMGRET_CORRUPT},
        {"INSERT INTO removed_regions (region) VALUES (-4)", IMGRET_CORRUPT},
        {"INSERT INTO removed_regions (region) VALUES (1)", IMGRET_OK},
        {"UPDATE regions SET image = NULL WHERE id = 2", IMGRET_OK},
        {"UPDATE regions SET image = 77 WHERE id = 2", IMGRET_OK},
        {"UPDATE regions SET ordinal = 1 WHERE id = 2", IMGRET_OK},
        {"DELETE FROM pending_vectors WHERE region = 2", IMGRET_OK},
        {"DELETE FROM regions WHERE id = 2", IMGRET_OK},
        {"UPDATE images SET state = 2 WHERE id = 2", IMGRET_OK},
        {"UPDATE images SET metadata = '[]' WHERE id = 2", IMGRET_OK},
        {"UPDATE images SET uri = CAST(x'410042' AS TEXT) WHERE id = 2", IMGRET_OK},
        {"UPDATE sqlite_sequence SET seq = 0 WHERE name = 'regions'", IMGRET_OK},
        {"UPDATE sqlite_sequence SET seq = 0 WHERE name = 'images'", IMGRET_OK},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        make_catalog(fixture, 3);
        smuggle(fixture, cases[i].sql);
        ir_catalog *catalog = open_catalog(fixture->path);
        int64_t mark = 0;
        unsigned sum = 0;
        int32_t status = ir_catalog_changes(catalog, 0, &mark, ignore_removal, ignore_vector, &sum,
                                            NULL);
        if (status != cases[i].status)
            fail_msg("%s: %d", cases[i].sql, status);
        if (count_problems(catalog) == 0)
            fail_msg("%s: the check finds nothing", cases[i].sql);
        ir_catalog_close(catalog);
        remove_tree(fixture->path);
    }
}

static int32_t stop_at_once(void *context, const char *message)
{
    (void)message;
    ++*(int *)context;
    return 1;
}

static void a_check_can_be_stopped(void **state)
{
    const catalog_fixture *fixture = *state;
    make_catalog(fixture, 3);
    smuggle(fixture, "DELETE FROM pending_vectors");
    ir_catalog *catalog = open_catalog(fixture->path);
    int calls = 0;
    assert_int_equal(ir_catalog_check(catalog, VECTOR_BYTES, stop_at_once, &calls, NULL),
                     IMGRET_INTERRUPTED);
    assert_int_equal(calls, 1);
    assert_int_equal(count_images(catalog, NULL), 3);
    ir_catalog_close(catalog);
}

static uint64_t random_next(uint64_t *seed) /* splitmix64 */
{
    uint64_t z = (*seed += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static bool is_expected(int32_t status)
{
    return status == IMGRET_OK || status == IMGRET_CORRUPT || status == IMGRET_VERSION_TOO_NEW ||
           status == IMGRET_EXISTS || status == IMGRET_NOT_FOUND || status == IMGRET_IO ||
           status == IMGRET_FULL || status == IMGRET_NO_MEMORY || status == IMGRET_LIMIT ||
           status == IMGRET_READ_ONLY; /* SQLite's answer to an unknown write version */
}

/* A table that lies about its size may be answered with any of these, but with nothing worse. */
static void expect(int32_t status, const imgret_error *error, uint64_t seed)
{
    if (!is_expected(status))
        fail_msg("seed %llu: %d %s", (unsigned long long)seed, status, error->message);
}

static int32_t count_quietly(void *context, const char *message)
{
    (void)message;
    ++*(int *)context;
    return 0;
}

/* Uses a catalogue in every way; true when anything was found wrong with it. */
static bool exercise(const catalog_fixture *fixture, uint64_t seed)
{
    ir_catalog *catalog;
    ir_catalog_options options = {.read_only = seed % 2 == 0};
    imgret_error error = IMGRET_ERROR_INIT;
    int32_t status = ir_catalog_open(&catalog, fixture->path, &options, NULL, &error);
    expect(status, &error, seed);
    if (status)
        return true;
    int64_t mark = 0, id, region, regions[40];
    unsigned sum = 0;
    int problems = 0;
    for (int i = 0; i < 40; i++)
        regions[i] = i;
    imgret_list_options all = {.size = sizeof all, .limit = 1000};
    expect(ir_catalog_list(catalog, &all, use_record, &sum, &error), &error, seed);
    expect(ir_catalog_changes(catalog, 0, &mark, ignore_removal, ignore_vector, &sum, &error),
           &error, seed);
    expect(ir_catalog_records_of_regions(catalog, regions, 40, use_record, &sum, &error), &error,
           seed);
    expect(ir_catalog_check(catalog, VECTOR_BYTES, count_quietly, &problems, &error), &error, seed);
    if (!options.read_only && ir_catalog_begin(catalog, &error) == IMGRET_OK) {
        ir_catalog_image image = image_of("/another", 1);
        expect(ir_catalog_remove(catalog, 5, &region, &error), &error, seed);
        expect(ir_catalog_store(catalog, &image, 0, &id, &region, &mark, &error), &error, seed);
        expect(ir_catalog_store(catalog, &image, 7, &id, &region, &mark, &error), &error, seed);
        expect(ir_catalog_commit(catalog, NULL, NULL, &error), &error, seed);
    }
    ir_catalog_close(catalog);
    return problems > 0;
}

static void flips_and_cuts_never_crash(void **state)
{
    const catalog_fixture *fixture = *state;
    size_t bytes;
    make_catalog(fixture, 40);
    uint8_t *good = read_whole(fixture->file, &bytes);
    uint8_t *bad = ir_malloc(bytes);
    int found = 0;
    for (uint64_t round = 0; round < 300; round++) {
        uint64_t seed = round;
        size_t length = bytes;
        memcpy(bad, good, bytes);
        if (round % 6 == 0)
            length = random_next(&seed) % bytes;
        for (uint64_t flips = random_next(&seed) % 8; round % 6 && flips < 9; flips++) {
            /* half of them in the head of a page, where the structure is */
            size_t at = random_next(&seed) % bytes;
            if (flips & 1)
                at = at / 8192 * 8192 + at % 100;
            bad[at] = (uint8_t)random_next(&seed);
        }
        remove_tree(fixture->path);
        assert_int_equal(mkdir(fixture->path, 0777), 0);
        write_file(fixture->file, bad, length);
        found += exercise(fixture, round);
    }
    print_message("%d of 300 damaged files were noticed\n", found);
    assert_true(found > 100);
    ir_free(good);
    ir_free(bad);
}

static void a_damaged_log_never_crashes(void **state)
{
    const catalog_fixture *fixture = *state;
    char log[256];
    size_t file_bytes, log_bytes;
    ir_catalog *catalog = open_catalog(fixture->path);
    add_many(catalog, 0, 20);
    add_many(catalog, 20, 20);
    snprintf(log, sizeof log, "%s-wal", fixture->file);
    uint8_t *good_log = read_whole(log, &log_bytes), *bad = ir_malloc(log_bytes);
    char copy[256];
    snprintf(copy, sizeof copy, "cp %s %s/copy", fixture->file, fixture->root);
    assert_int_equal(system(copy), 0); /* not by this process: its locks would go */
    ir_catalog_close(catalog);
    snprintf(copy, sizeof copy, "%s/copy", fixture->root);
    uint8_t *good = read_whole(copy, &file_bytes);
    for (uint64_t round = 0; round < 100; round++) {
        uint64_t seed = round;
        memcpy(bad, good_log, log_bytes);
        size_t length = round % 4 ? log_bytes : random_next(&seed) % log_bytes;
        for (int flips = 0; round % 4 && flips < 4; flips++)
            bad[random_next(&seed) % log_bytes] = (uint8_t)random_next(&seed);
        remove_tree(fixture->path);
        assert_int_equal(mkdir(fixture->path, 0777), 0);
        write_file(fixture->file, good, file_bytes);
        write_file(log, bad, length);
        exercise(fixture, round);
    }
    ir_free(good);
    ir_free(good_log);
    ir_free(bad);
}

static void run_schema(ir_connection *connection, const ir_schema *schema, int32_t from)
{
    assert_int_equal(ir_connection_control(connection, IR_SQL_BEGIN_WRITE, NULL), IMGRET_OK);
    assert_int_equal(ir_schema_upgrade(connection, schema, from, NULL), IMGRET_OK);
    assert_int_equal(ir_connection_control(connection, IR_SQL_COMMIT, NULL), IMGRET_OK);
}

static void tables_migrate_step_by_step(void **state)
{
    const catalog_fixture *fixture = *state;
    enum { NOW = IR_CATALOG_FORMAT };
    const char *steps[NOW + 2];
    memcpy(steps, ir_schema_current.steps, NOW * sizeof steps[0]);
    steps[NOW] = "ALTER TABLE images ADD COLUMN novelty TEXT; "
                 "CREATE INDEX images_novelty ON images (novelty);";
    steps[NOW + 1] = "CREATE TABLE novelties (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;";
    ir_schema later = {steps, NOW + 2, NOW + 1, 0}, first = {steps, NOW, NOW, 0};
    ir_schema_state seen;
    ir_connection connection;
    ir_catalog_options options = {0};
    imgret_error error = IMGRET_ERROR_INIT;
    make_catalog(fixture, 5);
    assert_int_equal(
        ir_connection_open(&connection, fixture->file, IR_CONNECTION_WRITE, &options, NULL), 0);
    assert_int_equal(ir_schema_look(&connection, &later, &seen, NULL), IMGRET_OK);
    assert_int_equal(seen.version, IR_CATALOG_FORMAT_MADE);
    assert_int_equal(ir_schema_verify(&connection, &later, NOW, NULL), IMGRET_OK);
    assert_int_equal(ir_schema_verify(&connection, &later, NOW + 2, &error), IMGRET_CORRUPT);
    run_schema(&connection, &later, seen.version);
    assert_int_equal(ir_schema_look(&connection, &later, &seen, NULL), IMGRET_OK);
    assert_int_equal(seen.version, NOW + 2);
    assert_int_equal(ir_schema_verify(&connection, &later, NOW + 2, NULL), IMGRET_OK);
    assert_int_equal(ir_schema_verify(&connection, &later, NOW + 1, NULL), IMGRET_CORRUPT);
    assert_int_equal(ir_schema_look(&connection, &first, &seen, &error), IMGRET_VERSION_TOO_NEW);
    ir_connection_close(&connection);
    assert_int_equal(open_status(fixture->path, options, NULL), IMGRET_VERSION_TOO_NEW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        catalog_test(a_file_is_no_folder),
        catalog_test(a_folder_of_pictures_stays_one),
        catalog_test(a_log_without_its_catalogue_is_not_thrown_away),
        catalog_test(half_made_catalogues_are_completed),
        catalog_test(garbage_is_corrupt),
        catalog_test(another_programs_database_is_left_alone),
        catalog_test(versions_are_minded),
        catalog_test(a_newer_library_locks_out_an_open_handle),
        catalog_test(strange_schemas_are_refused),
        catalog_test(wrong_types_in_images_are_told),
        catalog_test(wrong_vectors_and_regions_are_told),
        catalog_test(a_check_can_be_stopped),
        catalog_test(flips_and_cuts_never_crash),
        catalog_test(a_damaged_log_never_crashes),
        catalog_test(tables_migrate_step_by_step),
    };
    return cmocka_run_group_tests_name("catalog, hostile files", tests, NULL, NULL);
}
