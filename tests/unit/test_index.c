/* test_index.c: indexes for filters that a host asks for: used by the planner, kept through everything that
 * happens to a database, refused where they are none.
 */
#include "place.h"

#include "base/alloc.h"
#include "catalog/connection.h"
#include "catalog/filter_text.h"

#include <imgret/imgret.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/wait.h>

enum { IMAGES = 300, DIMENSION = 4 };

static int setup(void **state)
{
    return make_place(state, "index");
}

static imgret *open_with(const char *path, uint32_t flags)
{
    imgret *db;
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_open_options options = {.size = sizeof options,
                                   .flags = flags,
                                   .model = flags & IMGRET_OPEN_READ_ONLY ? NULL : "vectors:4"};
    if (imgret_open(&db, path, &options, &error) != IMGRET_OK)
        fail_msg("%s: %s", path, error.message);
    return db;
}

static void add_one(imgret *db, int number)
{
    float vector[DIMENSION];
    char metadata[160], uri[32];
    for (int i = 0; i < DIMENSION; i++)
        vector[i] = sinf((float)(number * (i + 1)));
    snprintf(uri, sizeof uri, "picture %d", number);
    snprintf(metadata, sizeof metadata,
             "{\"camera\": \"X%d\", \"size\": {\"w\": %d}, \"a b\": [%d], \"exif:iso\": %d}",
             number % 50, number, number % 7, 100 * (number % 9));
    imgret_input input = {.size = sizeof input,
                          .kind = IMGRET_INPUT_VECTOR,
                          .vector = vector,
                          .dimension = DIMENSION};
    imgret_add_options options = {
        .size = sizeof options, .uri = uri, .metadata = number % 3 ? metadata : NULL};
    assert_int_equal(imgret_add(db, &input, &options, NULL, NULL), IMGRET_OK);
}

static imgret *make_database(const char *path)
{
    imgret *db = open_with(path, 0);
    assert_int_equal(imgret_begin(db, NULL), IMGRET_OK);
    for (int i = 0; i < IMAGES; i++)
        add_one(db, i);
    assert_int_equal(imgret_commit(db, NULL), IMGRET_OK);
    return db;
}

static uint64_t count(imgret *db, const char *where)
{
    uint64_t found = 0;
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_count_options options = {.size = sizeof options, .where = where};
    if (imgret_count(&found, db, &options, &error) != IMGRET_OK)
        fail_msg("%s: %s", where, error.message);
    return found;
}

static void must_create(imgret *db, const char *expression)
{
    imgret_error error = IMGRET_ERROR_INIT;
    if (imgret_create_index(db, expression, &error) != IMGRET_OK)
        fail_msg("%s: %s", expression, error.message);
}

/* "a|b|" of the database's indexes. */
static const char *indexes_of(imgret *db)
{
    static char text[4096];
    imgret_indexes *list;
    assert_int_equal(imgret_list_indexes(&list, db, NULL), IMGRET_OK);
    text[0] = '\0';
    for (uint64_t i = 0; i < imgret_indexes_count(list); i++) {
        strncat(text, imgret_indexes_at(list, i), sizeof text - strlen(text) - 1);
        strncat(text, "|", sizeof text - strlen(text) - 1);
    }
    assert_null(imgret_indexes_at(list, imgret_indexes_count(list)));
    imgret_indexes_free(list);
    return text;
}

/* ---- the planner ---- */

/* What the planner makes of a filter, in the very statement that filters run. */
static bool plan_uses(const char *path, const char *where, const char *index)
{
    char file[512];
    snprintf(file, sizeof file, "%s/catalog.db", path);
    ir_connection connection;
    const ir_catalog_options options = {0};
    ir_filter_guard guard = {0};
    assert_int_equal(ir_connection_open(&connection, file, IR_CONNECTION_READ, &options, NULL), 0);
    assert_int_equal(ir_filter_confine(connection.db, &guard), SQLITE_OK);
    char *sql = ir_filter_sql(where, NULL);
    char *explain = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", sql);
    sqlite3_stmt *rows;
    if (sqlite3_prepare_v2(connection.db, explain, -1, &rows, NULL) != SQLITE_OK)
        fail_msg("%s: %s", where, sqlite3_errmsg(connection.db));
    char wanted[300];
    snprintf(wanted, sizeof wanted, "INDEX filter %s (", index);
    bool used = false;
    while (sqlite3_step(rows) == SQLITE_ROW)
        used = used || strstr((const char *)sqlite3_column_text(rows, 3), wanted);
    sqlite3_finalize(rows);
    sqlite3_free(explain);
    ir_free(sql);
    ir_connection_close(&connection);
    return used;
}

static const struct {
    const char *index, *listed, *where;
} uses[] = {
    {"meta->>'camera'", NULL, "meta->>'camera' = 'X7'"},
    {" META  ->> 'size' ", "meta->>'size'", "metadata ->> 'size' IN ('a', 'b')"},
    {"metadata->>'$.size.w'", "meta->>'$.size.w'", "meta->>'$.size.w' BETWEEN 5 AND 9"},
    {"meta->>'$.\"a b\"[0]'", NULL, "meta->>'$.\"a b\"[0]' = 3 AND id < 200"},
    {"meta->>'exif:iso'", NULL, "(meta->>'exif:iso') > 700"},
    {"Width", "width", "width >= 2000"},
    {"aspect", NULL, "aspect > 2"},
    {"tone", NULL, "tone = 'warm'"},
    {"content_hash", NULL, "content_hash = '00'"},
    {"perceptual_hash", NULL, "perceptual_hash = 5"},
    {"label_score", NULL, "label_score < 0.5"},
    {"region_score", NULL, "region_score > 0.9"},
    {"longitude", NULL, "longitude BETWEEN 3 AND 4"},
    {"added_ms", NULL, "added_ms > 5"},
};

enum { USES = sizeof uses / sizeof uses[0] };

static void the_planner_uses_each(void **state)
{
    const fixture *f = *state;
    imgret *db = make_database(f->path);
    for (size_t i = 0; i < USES; i++) {
        const char *listed = uses[i].listed ? uses[i].listed : uses[i].index;
        uint64_t before = count(db, uses[i].where);
        assert_false(plan_uses(f->path, uses[i].where, listed));
        must_create(db, uses[i].index);
        if (!plan_uses(f->path, uses[i].where, listed))
            fail_msg("%s is not used for %s", listed, uses[i].where);
        assert_int_equal(count(db, uses[i].where), before);
        assert_non_null(strstr(indexes_of(db), listed));
    }
    assert_int_equal(imgret_create_index(db, "meta->>'camera'", NULL), IMGRET_EXISTS);
    for (size_t i = 0; i < USES; i++)
        assert_int_equal(imgret_drop_index(db, uses[i].index, NULL), IMGRET_OK);
    assert_string_equal(indexes_of(db), "");
    assert_false(plan_uses(f->path, uses[0].where, uses[0].index));
    imgret_close(db);
}

/* What is stored, changed and removed afterwards is found through it, too. */
static void it_follows_what_is_stored(void **state)
{
    const fixture *f = *state;
    imgret *db = make_database(f->path);
    must_create(db, "meta->>'camera'");
    uint64_t before = count(db, "meta->>'camera' = 'X7'");
    assert_true(before > 0);
    add_one(db, 1007); /* X7 */
    assert_int_equal(count(db, "meta->>'camera' = 'X7'"), before + 1);
    assert_int_equal(imgret_set_metadata(db, IMAGES + 1, "{\"camera\": \"Y\"}", NULL), IMGRET_OK);
    assert_int_equal(count(db, "meta->>'camera' = 'X7'"), before);
    assert_int_equal(count(db, "meta->>'camera' = 'Y'"), 1);
    assert_int_equal(imgret_remove(db, IMAGES + 1, NULL), IMGRET_OK);
    assert_int_equal(count(db, "meta->>'camera' = 'Y'"), 0);
    imgret_input input = {.size = sizeof input, .kind = IMGRET_INPUT_ID, .id = 1};
    imgret_query_options options = {
        .size = sizeof options, .k = 100, .where = "meta->>'camera' = 'X7'"};
    imgret_results *results;
    assert_int_equal(imgret_query(&results, db, &input, &options, NULL), IMGRET_OK);
    assert_int_equal(imgret_results_count(results), before);
    imgret_results_free(results);
    imgret_close(db);
}

/* ---- what is refused ---- */

static void strange_expressions_are_refused(void **state)
{
    const fixture *f = *state;
    static const char *const strange[] = {
        "",
        " ",
        "meta",
        "meta->'camera'",
        "meta->>camera",
        "meta->>'camera",
        "meta->>'camera'; DROP TABLE images",
        "meta->>'camera') WHERE 1; --",
        "meta->>'cam''era'",
        "meta->>'a\"b'",
        "meta->>'a\\b'",
        "meta->>'a.b'",
        "meta->>'a[0]'",
        "meta->>''",
        "meta->>'$'",
        "meta->>'$.'",
        "meta->>'$..a'",
        "meta->>'$a'",
        "meta->>'$.a['",
        "meta->>'$.a[x]'",
        "meta->>'$.a[#-1]'",
        "meta->>'$.a[99999999999]'",
        "meta->>'$.\"a'",
        "meta->>'0'",
        "meta->>0",
        "meta->>'a' || 'b'",
        "meta->>'a\nb'",
        "meta->>'\xC3\x28'",
        "metadatas",
        "modified_at",
        "added_at",
        "red",
        "state",
        "failure",
        "random()",
        "lower(uri)",
        "width, height",
        "width COLLATE NOCASE",
        "images.width",
        "\"width\"",
        "(width)",
        "sqlite_schema",
    };
    imgret *db = make_database(f->path);
    for (size_t i = 0; i < sizeof strange / sizeof strange[0]; i++) {
        imgret_error error = IMGRET_ERROR_INIT;
        int32_t status = imgret_create_index(db, strange[i], &error);
        if (status != IMGRET_INVALID_ARGUMENT || !strstr(error.message, "index '"))
            fail_msg("'%s': %s: %s", strange[i], imgret_status_name(status), error.message);
        assert_int_equal(imgret_drop_index(db, strange[i], NULL), IMGRET_INVALID_ARGUMENT);
    }
    char *longer = calloc(1, 100000);
    memset(longer, 'm', 99999);
    assert_int_equal(imgret_create_index(db, longer, NULL), IMGRET_INVALID_ARGUMENT);
    memcpy(longer, "meta->>'", 8);
    longer[99998] = '\'';
    assert_int_equal(imgret_create_index(db, longer, NULL), IMGRET_LIMIT);
    free(longer);
    assert_int_equal(imgret_create_index(db, NULL, NULL), IMGRET_INVALID_ARGUMENT);
    assert_int_equal(imgret_create_index(db, "label", NULL), IMGRET_EXISTS);
    assert_int_equal(imgret_drop_index(db, "width", NULL), IMGRET_NOT_FOUND);
    assert_string_equal(indexes_of(db), "");
    imgret_close(db);
}

static void there_is_a_limit(void **state)
{
    const fixture *f = *state;
    imgret *db = make_database(f->path);
    char expression[32];
    for (int i = 0; i < IMGRET_INDEX_COUNT_MAX; i++) {
        snprintf(expression, sizeof expression, "meta->>'key%d'", i);
        must_create(db, expression);
    }
    assert_int_equal(imgret_create_index(db, "meta->>'one more'", NULL), IMGRET_LIMIT);
    assert_int_equal(imgret_drop_index(db, "meta->>'key3'", NULL), IMGRET_OK);
    must_create(db, "meta->>'one more'");
    imgret_close(db);
    db = open_with(f->path, 0);
    assert_int_equal(imgret_create_index(db, "width", NULL), IMGRET_LIMIT);
    imgret_close(db);
}

/* ---- the file ---- */

static int32_t version_of(const char *path)
{
    char file[512];
    sqlite3 *db;
    sqlite3_stmt *row;
    snprintf(file, sizeof file, "%s/catalog.db", path);
    assert_int_equal(sqlite3_open_v2(file, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &row, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    int32_t version = sqlite3_column_int(row, 0);
    sqlite3_finalize(row);
    sqlite3_close(db);
    return version;
}

static void raw_sql(const char *path, const char *sql)
{
    char file[512], *message = NULL;
    sqlite3 *db;
    snprintf(file, sizeof file, "%s/catalog.db", path);
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    sqlite3_close(db);
}

/* Only a database that has one needs a release that knows them. */
static void the_version_tells_of_them(void **state)
{
    const fixture *f = *state;
    imgret *db = make_database(f->path);
    assert_int_equal(version_of(f->path), IR_CATALOG_FORMAT_MADE);
    must_create(db, "width");
    must_create(db, "meta->>'camera'");
    assert_int_equal(version_of(f->path), IR_CATALOG_FORMAT);
    assert_int_equal(imgret_drop_index(db, "width", NULL), IMGRET_OK);
    assert_int_equal(version_of(f->path), IR_CATALOG_FORMAT);
    assert_int_equal(imgret_drop_index(db, "metadata ->> 'camera'", NULL), IMGRET_OK);
    assert_int_equal(version_of(f->path), IR_CATALOG_FORMAT_MADE);
    imgret_close(db);
    db = open_with(f->path, 0);
    assert_int_equal(count(db, "id > 0"), IMAGES);
    imgret_close(db);
    assert_int_equal(version_of(f->path), IR_CATALOG_FORMAT_MADE);
}

static void check_open(const char *path, int32_t status)
{
    for (int read_only = 0; read_only < 2; read_only++) {
        imgret *db;
        imgret_error error = IMGRET_ERROR_INIT;
        imgret_open_options options = {.size = sizeof options,
                                       .flags = read_only ? IMGRET_OPEN_READ_ONLY
                                                          : IMGRET_OPEN_EXISTING};
        int32_t found = imgret_open(&db, path, &options, &error);
        if (found != status)
            fail_msg("%s: %s", imgret_status_name(found), error.message);
        if (found == IMGRET_OK)
            imgret_close(db);
        else
            assert_non_null(strstr(error.message, "not made by libimgret"));
    }
}

/* An index of another shape, or one where there can be none, is a stranger's. */
static void forged_indexes_are_refused(void **state)
{
    const fixture *f = *state;
    static const char *const forged[] = {
        "CREATE INDEX \"filter width\" ON images (width, height)",
        "CREATE INDEX \"filter width\" ON images (height)",
        "CREATE INDEX \"filter width\" ON regions (width)",
        "CREATE INDEX \"filter width\" ON images (width) WHERE width > 3",
        "CREATE UNIQUE INDEX \"filter aspect\" ON images (id)",
        "CREATE INDEX \"filter Width\" ON images (width)",
        "CREATE INDEX \"filter label\" ON images (label)",
        "CREATE INDEX \"filter x\" ON images (abs(width))",
        "CREATE INDEX \"filter\" ON images (width)",
        "CREATE TABLE \"filter width\" (id)",
        "CREATE VIEW \"filter width\" AS SELECT 1",
    };
    imgret *db = make_database(f->path);
    must_create(db, "height");
    imgret_close(db);
    for (size_t i = 0; i < sizeof forged / sizeof forged[0]; i++) {
        raw_sql(f->path, forged[i]);
        check_open(f->path, IMGRET_CORRUPT);
        raw_sql(f->path,
                "DROP INDEX IF EXISTS \"filter label\"; DROP INDEX IF EXISTS \"filter x\"; "
                "DROP INDEX IF EXISTS \"filter\"; DROP INDEX IF EXISTS \"filter aspect\"");
        raw_sql(f->path, strstr(forged[i], "TABLE")  ? "DROP TABLE \"filter width\""
                         : strstr(forged[i], "VIEW") ? "DROP VIEW \"filter width\""
                                                     : "DROP INDEX IF EXISTS \"filter width\"");
        check_open(f->path, IMGRET_OK);
    }
    raw_sql(f->path, "PRAGMA user_version=4"); /* which has none */
    check_open(f->path, IMGRET_CORRUPT);
}

static void assert_kept(const char *path)
{
    imgret *db = open_with(path, IMGRET_OPEN_READ_ONLY);
    assert_string_equal(indexes_of(db), "meta->>'camera'|width|");
    assert_true(plan_uses(path, "meta->>'camera' = 'X7'", "meta->>'camera'"));
    assert_int_equal(count(db, "meta->>'camera' = 'X7'"), 4);
    uint64_t problems = 1;
    assert_int_equal(imgret_check(db, NULL, NULL, &problems, NULL), IMGRET_OK);
    assert_int_equal(problems, 0);
    assert_int_equal(imgret_create_index(db, "height", NULL), IMGRET_READ_ONLY);
    assert_int_equal(imgret_drop_index(db, "width", NULL), IMGRET_READ_ONLY);
    imgret_close(db);
}

static void they_outlive_copies_and_moves(void **state)
{
    const fixture *f = *state;
    char moved[300], copy[300], folder[300], imported[300];
    snprintf(moved, sizeof moved, "%s/moved", f->folder);
    snprintf(copy, sizeof copy, "%s/copy", f->folder);
    snprintf(folder, sizeof folder, "%s/export", f->folder);
    snprintf(imported, sizeof imported, "%s/imported", f->folder);
    imgret *db = make_database(f->path);
    must_create(db, "meta->>'camera'");
    must_create(db, "width");
    assert_int_equal(imgret_backup(db, copy, NULL, NULL), IMGRET_OK);
    assert_int_equal(imgret_export(db, folder, NULL, NULL), IMGRET_OK);
    imgret_optimize_options force = {.size = sizeof force, .flags = IMGRET_OPTIMIZE_FORCE};
    assert_int_equal(imgret_optimize(db, &force, NULL), IMGRET_OK);
    imgret_close(db);
    assert_kept(f->path);
    assert_kept(copy);
    assert_int_equal(rename(f->path, moved), 0);
    assert_kept(moved);
    imgret_error error = IMGRET_ERROR_INIT;
    if (imgret_import(imported, folder, NULL, &error) != IMGRET_OK)
        fail_msg("%s", error.message);
    assert_kept(imported);
}

static void damage(const char *path, long at, int bytes)
{
    char file[512];
    snprintf(file, sizeof file, "%s/catalog.db", path);
    FILE *stream = fopen(file, "r+b");
    assert_non_null(stream);
    fseek(stream, at, SEEK_SET);
    for (int i = 0; i < bytes; i++)
        fputc(0xA5, stream);
    fclose(stream);
}

/* A damaged page of a table: all that can be read is made anew, indexes too. With the first page lost
 * nobody knows of them, but tables are found in spite of them. */
static void a_salvage_makes_them_anew(void **state)
{
    const fixture *f = *state;
    for (int headless = 0; headless < 2; headless++) {
        imgret *db = make_database(f->path);
        must_create(db, "meta->>'camera'");
        must_create(db, "width");
        imgret_close(db);
        if (headless)
            damage(f->path, 0, 8192);
        else
            raw_sql(f->path, "UPDATE images SET metadata = '[]' WHERE id = 2");
        imgret_salvage_report report = {.size = sizeof report};
        imgret_error error = IMGRET_ERROR_INIT;
        if (imgret_salvage(f->path, NULL, &report, &error) != IMGRET_OK)
            fail_msg("%s", error.message);
        assert_int_equal(report.salvaged, 1);
        db = open_with(f->path, 0);
        assert_string_equal(indexes_of(db), headless ? "" : "meta->>'camera'|width|");
        assert_int_equal(count(db, "meta->>'camera' = 'X7'"), 4);
        assert_int_equal(count(db, "id > 0"), IMAGES);
        imgret_close(db);
        assert_int_equal(version_of(f->path),
                         headless ? IR_CATALOG_FORMAT_MADE : IR_CATALOG_FORMAT);
        remove_folder(f->path);
    }
}

/* ---- transactions and other handles ---- */

static void they_are_part_of_a_transaction(void **state)
{
    const fixture *f = *state;
    imgret *db = make_database(f->path);
    for (int commit = 0; commit < 2; commit++) {
        assert_int_equal(imgret_begin(db, NULL), IMGRET_OK);
        add_one(db, 2000 + commit);
        must_create(db, "meta->>'camera'");
        assert_int_equal(imgret_create_index(db, "meta->>'camera'", NULL), IMGRET_EXISTS);
        assert_int_equal(imgret_create_index(db, "no such", NULL), IMGRET_INVALID_ARGUMENT);
        add_one(db, 3000 + commit);
        assert_int_equal(commit ? imgret_commit(db, NULL) : imgret_rollback(db, NULL), IMGRET_OK);
        assert_string_equal(indexes_of(db), commit ? "meta->>'camera'|" : "");
        assert_int_equal(count(db, "id > 0"), IMAGES + 2 * commit);
        assert_int_equal(version_of(f->path), commit ? IR_CATALOG_FORMAT : IR_CATALOG_FORMAT_MADE);
    }
    imgret_close(db);
}

static void another_process_sees_them(void **state)
{
    const fixture *f = *state;
    imgret *db = make_database(f->path);
    imgret *reader = open_with(f->path, IMGRET_OPEN_READ_ONLY);
    assert_int_equal(count(db, "meta->>'camera' = 'X7'"), 4);
    assert_int_equal(count(reader, "meta->>'camera' = 'X7'"), 4);
    for (int drop = 0; drop < 2; drop++) {
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            char expression[] = "meta->>'camera'";
            imgret *own = NULL;
            imgret_open_options options = {.size = sizeof options, .flags = IMGRET_OPEN_EXISTING};
            int32_t failed = imgret_open(&own, f->path, &options, NULL);
            if (!failed)
                failed = drop ? imgret_drop_index(own, expression, NULL)
                              : imgret_create_index(own, expression, NULL);
            imgret_close(own);
            _exit(failed != 0);
        }
        int status = 1;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        const char *expected = drop ? "" : "meta->>'camera'|";
        assert_string_equal(indexes_of(db), expected);
        assert_string_equal(indexes_of(reader), expected);
        assert_int_equal(count(reader, "meta->>'camera' = 'X7'"), 4);
        add_one(db, 10000 + 100 * drop); /* X0 */
        assert_int_equal(count(db, "meta->>'camera' = 'X7'"), 4);
        assert_int_equal(count(reader, "meta->>'camera' = 'X0'"), 5 + drop);
    }
    imgret_close(reader);
    imgret_close(db);
}

#define index_test(function) cmocka_unit_test_setup_teardown(function, setup, leave_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        index_test(the_planner_uses_each),           index_test(it_follows_what_is_stored),
        index_test(strange_expressions_are_refused), index_test(there_is_a_limit),
        index_test(the_version_tells_of_them),       index_test(forged_indexes_are_refused),
        index_test(they_outlive_copies_and_moves),   index_test(a_salvage_makes_them_anew),
        index_test(they_are_part_of_a_transaction),  index_test(another_process_sees_them),
    };
    return cmocka_run_group_tests_name("indexes for filters", tests, NULL, NULL);
}
