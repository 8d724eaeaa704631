/* test_catalog_formats.c: catalogues of earlier formats open, keep what they hold, and move on. */
#include "test_catalog.h"

#include "base/file.h"

#include <sqlite3.h>

/* Makes the database's folder with the golden catalogue `name` of tests/format in it. */
static void make_golden(const catalog_fixture *fixture, const char *name)
{
    char path[512];
    uint8_t *sql;
    size_t bytes;
    char *message = NULL;
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/tests/format/%s", IMGRET_TEST_SOURCE, name);
    assert_int_equal(ir_file_read(path, 1 << 20, &sql, &bytes, NULL), IMGRET_OK);
    char *text = calloc(bytes + 1, 1);
    memcpy(text, sql, bytes);
    ir_free(sql);
    assert_int_equal(mkdir(fixture->path, 0777), 0);
    assert_int_equal(sqlite3_open(fixture->file, &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", name, message);
    sqlite3_close(db);
    free(text);
}

static imgret *open_database(const catalog_fixture *fixture, uint32_t flags)
{
    imgret *db;
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_open_options options = {.size = sizeof options, .flags = flags};
    if (imgret_open(&db, fixture->path, &options, &error) != IMGRET_OK)
        fail_msg("%s", error.message);
    return db;
}

static void assert_golden(imgret *db)
{
    imgret_records *records;
    assert_int_equal(imgret_list(&records, db, NULL, NULL), IMGRET_OK);
    assert_int_equal(imgret_records_count(records), 4);
    const imgret_record *first = imgret_records_at(records, 0);
    assert_string_equal(first->uri, "/pictures/one.jpg");
    assert_string_equal(first->metadata, "{\"camera\": \"X100\", \"rating\": 4}");
    assert_null(first->attributes);
    assert_int_equal(imgret_records_at(records, 3)->id, 5);
    imgret_records_free(records);
    imgret_input input = {.size = sizeof input, .kind = IMGRET_INPUT_ID, .id = 2};
    imgret_query_options options = {
        .size = sizeof options, .k = 10, .flags = IMGRET_QUERY_INCLUDE_SELF};
    imgret_results *results;
    assert_int_equal(imgret_query(&results, db, &input, &options, NULL), IMGRET_OK);
    assert_int_equal(imgret_results_count(results), 4);
    assert_int_equal(imgret_results_at(results, 0)->id, 2);
    imgret_results_free(results);
    uint64_t problems = 1;
    assert_int_equal(imgret_check(db, NULL, NULL, &problems, NULL), IMGRET_OK);
    assert_int_equal(problems, 0);
}

static void format_1_moves_on(void **state)
{
    const catalog_fixture *fixture = *state;
    make_golden(fixture, "catalog-1.sql");
    for (int round = 0; round < 2; round++) { /* migrated, then as it is */
        imgret *db = open_database(fixture, 0);
        assert_golden(db);
        imgret_close(db);
    }
    imgret *db = open_database(fixture, IMGRET_OPEN_READ_ONLY);
    assert_golden(db);
    imgret_close(db);
}

static void what_it_holds_can_be_changed_afterwards(void **state)
{
    const catalog_fixture *fixture = *state;
    make_golden(fixture, "catalog-1.sql");
    imgret *db = open_database(fixture, 0);
    assert_int_equal(imgret_remove(db, 3, NULL), IMGRET_OK);
    float vector[8] = {1, 0, 0, 0, 0, 0, 0, 1};
    imgret_input input = {
        .size = sizeof input, .kind = IMGRET_INPUT_VECTOR, .vector = vector, .dimension = 8};
    imgret_add_options options = {.size = sizeof options, .uri = "/pictures/one.jpg"};
    imgret_add_result result = {.size = sizeof result};
    assert_int_equal(imgret_add(db, &input, &options, &result, NULL), IMGRET_OK);
    assert_int_equal(result.outcome, IMGRET_REPLACED);
    assert_int_equal(result.id, 1);
    options.uri = NULL;
    assert_int_equal(imgret_add(db, &input, &options, &result, NULL), IMGRET_OK);
    assert_int_equal(result.id, 6); /* ids of removed images stay unused */
    imgret_close(db);
}

static void assert_golden_2(imgret *db)
{
    imgret_records *records;
    assert_int_equal(imgret_list(&records, db, NULL, NULL), IMGRET_OK);
    assert_int_equal(imgret_records_count(records), 4);
    const imgret_record *first = imgret_records_at(records, 0);
    assert_string_equal(first->uri, "/pictures/1.jpg");
    assert_string_equal(first->metadata, "{\"rating\": 4}");
    assert_non_null(first->attributes);
    assert_string_equal(first->attributes->taken_at, "2005-07-29 14:34:56");
    assert_true(first->attributes->brightness > 46.4573 && first->attributes->brightness < 46.4574);
    assert_int_equal(first->attributes->perceptual_hash, 5280428287395584571);
    assert_string_equal(imgret_records_at(records, 1)->label, "beach");
    assert_true(imgret_records_at(records, 1)->label_score == 0.75);
    assert_int_equal(imgret_records_at(records, 3)->state, IMGRET_STATE_FAILED);
    imgret_records_free(records);
    imgret_input input = {.size = sizeof input, .kind = IMGRET_INPUT_ID, .id = 2};
    imgret_query_options options = {.size = sizeof options, .flags = IMGRET_QUERY_INCLUDE_SELF};
    imgret_results *results;
    assert_int_equal(imgret_query(&results, db, &input, &options, NULL), IMGRET_OK);
    assert_int_equal(imgret_results_count(results), 3);
    assert_int_equal(imgret_results_at(results, 0)->id, 2);
    imgret_results_free(results);
    uint64_t problems = 1;
    assert_int_equal(imgret_check(db, NULL, NULL, &problems, NULL), IMGRET_OK);
    assert_int_equal(problems, 0);
}

static void format_2_moves_on(void **state)
{
    const catalog_fixture *fixture = *state;
    make_golden(fixture, "catalog-2.sql");
    for (int round = 0; round < 2; round++) {
        imgret *db = open_database(fixture, 0);
        assert_golden_2(db);
        imgret_close(db);
    }
    char moved[600]; /* closed, it is a folder like any other */
    snprintf(moved, sizeof moved, "%s-moved", fixture->path);
    assert_int_equal(rename(fixture->path, moved), 0);
    imgret *db;
    imgret_open_options options = {.size = sizeof options, .flags = IMGRET_OPEN_READ_ONLY};
    assert_int_equal(imgret_open(&db, moved, &options, NULL), IMGRET_OK);
    assert_golden_2(db);
    imgret_close(db);
    assert_int_equal(rename(moved, fixture->path), 0);
}

static void assert_golden_3(imgret *db, uint64_t groups)
{
    imgret_records *records;
    imgret_regions *regions;
    assert_int_equal(imgret_list(&records, db, NULL, NULL), IMGRET_OK);
    assert_int_equal(imgret_records_count(records), 3);
    assert_int_equal(imgret_records_at(records, 2)->state, IMGRET_STATE_FAILED);
    imgret_records_free(records);
    assert_int_equal(imgret_get_regions(&regions, db, 2, NULL), IMGRET_OK);
    assert_int_equal(imgret_regions_count(regions), 2);
    assert_int_equal(imgret_regions_at(regions, 1)->x, 160);
    imgret_regions_free(regions);
    imgret_duplicates_report report = {.size = sizeof report};
    imgret_duplicates_options similar = {
        .size = sizeof similar, .similar_score = -1, .kind_max = IMGRET_DUPLICATE_SIMILAR};
    assert_int_equal(imgret_duplicates(db, &similar, NULL, NULL, &report, NULL), IMGRET_OK);
    assert_int_equal(report.group_count, groups);
}

static void format_3_is_read_as_it_is_and_moves_on(void **state)
{
    const catalog_fixture *fixture = *state;
    make_golden(fixture, "catalog-3.sql");
    imgret *db = open_database(fixture, IMGRET_OPEN_READ_ONLY);
    assert_golden_3(db, 1); /* it has no verdicts, nor a table for them */
    imgret_close(db);
    db = open_database(fixture, 0);
    assert_golden_3(db, 1);
    assert_int_equal(imgret_set_verdict(db, 1, 2, IMGRET_VERDICT_DIFFERENT, NULL), IMGRET_OK);
    imgret_close(db);
    db = open_database(fixture, IMGRET_OPEN_READ_ONLY);
    assert_golden_3(db, 0);
    imgret_close(db);
}

static void a_read_only_handle_says_what_to_do(void **state)
{
    const catalog_fixture *fixture = *state;
    make_golden(fixture, "catalog-1.sql");
    imgret *db;
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_open_options options = {.size = sizeof options, .flags = IMGRET_OPEN_READ_ONLY};
    assert_int_equal(imgret_open(&db, fixture->path, &options, &error), IMGRET_READ_ONLY);
    assert_non_null(strstr(error.message, "open it once for writing"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        catalog_test(format_1_moves_on),
        catalog_test(format_2_moves_on),
        catalog_test(format_3_is_read_as_it_is_and_moves_on),
        catalog_test(what_it_holds_can_be_changed_afterwards),
        catalog_test(a_read_only_handle_says_what_to_do),
    };
    return cmocka_run_group_tests_name("catalog_formats", tests, NULL, NULL);
}
