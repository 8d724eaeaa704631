/* test_filter.c: filters through the public API: what they find, and what they may not do. */
#include "pictures.h"

#include "base/alloc.h"

#include <imgret/imgret.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { DIMENSION = 16, COUNT = 2000 };

typedef struct fixture {
    char folder[256];
    char path[300];
    imgret *db;
} fixture;

static float component(uint32_t seed, uint32_t i)
{
    seed = (seed * 2654435761u) ^ (i * 40503u + 977u);
    seed = seed * 1664525u + 1013904223u;
    return (float)(seed >> 8) / 8388608.0f - 1.0f;
}

static int64_t add(imgret *db, uint32_t seed, const char *uri, const char *metadata)
{
    float vector[DIMENSION];
    for (uint32_t i = 0; i < DIMENSION; i++)
        vector[i] = component(seed, i);
    imgret_input input = {.size = sizeof input,
                          .kind = IMGRET_INPUT_VECTOR,
                          .vector = vector,
                          .dimension = DIMENSION};
    imgret_add_options options = {.size = sizeof options, .uri = uri, .metadata = metadata};
    imgret_add_result result = {.size = sizeof result};
    assert_int_equal(imgret_add(db, &input, &options, &result, NULL), IMGRET_OK);
    return result.id;
}

/* COUNT vectors, ids 1..COUNT, with metadata {"n": id, "even": ..., "camera": ...}. */
static int group_setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    make_folder(f->folder, "filter");
    snprintf(f->path, sizeof f->path, "%s/db.imgret", f->folder);
    imgret_open_options options = {.size = sizeof options, .model = "vectors:16"};
    if (imgret_open(&f->db, f->path, &options, NULL) != IMGRET_OK)
        return -1;
    for (uint32_t i = 1; i <= COUNT; i++) {
        char metadata[128], uri[64];
        snprintf(metadata, sizeof metadata,
                 "{\"n\": %u, \"camera\": \"%s\", \"size\": {\"w\": %u}}", i,
                 i % 10 == 0 ? "X100" : "Z6", i % 7);
        snprintf(uri, sizeof uri, "/pictures/%u.jpg", i);
        add(f->db, i, uri, i % 5 == 4 ? NULL : metadata);
    }
    *state = f;
    return 0;
}

static int group_teardown(void **state)
{
    fixture *f = *state;
    imgret_close(f->db);
    remove_folder(f->folder);
    free(f);
    return ir_alloc_live_count() == 0 ? 0 : -1;
}

static int32_t list_status(imgret *db, const char *where, const imgret_param *params,
                           uint32_t param_count, int64_t *count, imgret_error *error)
{
    imgret_list_options options = {.size = sizeof options,
                                   .limit = COUNT,
                                   .where = where,
                                   .params = params,
                                   .param_count = param_count};
    imgret_records *records;
    int32_t status = imgret_list(&records, db, &options, error);
    *count = status ? -1 : (int64_t)imgret_records_count(records);
    if (!status)
        for (int64_t i = 1; i < *count; i++)
            assert_true(imgret_records_at(records, (uint64_t)i - 1)->id <
                        imgret_records_at(records, (uint64_t)i)->id);
    imgret_records_free(records);
    return status;
}

static int64_t count_of(imgret *db, const char *where)
{
    int64_t count;
    imgret_error error = IMGRET_ERROR_INIT;
    if (list_status(db, where, NULL, 0, &count, &error))
        fail_msg("%s: %s", where, error.message);
    return count;
}

static void expressions_mean_what_sql_says(void **state)
{
    const fixture *f = *state;
    static const struct {
        const char *where;
        int64_t count;
    } cases[] = {
        {"1", COUNT},
        {"0", 0},
        {"NULL", 0},
        {"id <= 10", 10},
        {"id BETWEEN 5 AND 14 OR id = 3", 11},
        {"id IN (1, 2, 3, 99999)", 3},
        {"meta->>'camera' = 'X100'", COUNT / 10},
        {"metadata->>'$.size.w' = 3 AND id < 100", 11},
        {"json_extract(meta, '$.n') > 1990", 8},
        {"meta IS NULL", COUNT / 5},
        {"uri LIKE '%/7%.jpg' AND id < 100", 11},
        {"uri GLOB '*/1[0-9].jpg'", 10},
        {"picture.id = 4", 1},
        {"\"id\" = 4 AND [id] = 4 AND `id` = 4", 1},
        {"format = 'vector' AND width = 0 AND aspect IS NULL", COUNT},
        {"brightness > 0", 0},
        {"taken_at > '2024'", 0},
        {"added_at > '2020' AND length(content_hash) = 32", COUNT},
        {"added_at > datetime('now', '-1 day')", COUNT},
        {"CASE WHEN id % 2 THEN 'a' ELSE 'b' END = 'a'", COUNT / 2},
        {"hamming(id, 0) = 1 AND id < 1000", 10},
        {"'it''s; -- (quiet' IS NOT NULL", COUNT},
        {"label = 'cat' OR id = 8", 1},
        {"\n id = 1 \n OR id = 2 \t", 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (count_of(f->db, cases[i].where) != cases[i].count)
            fail_msg("%s: %lld, not %lld", cases[i].where,
                     (long long)count_of(f->db, cases[i].where), (long long)cases[i].count);
}

static void what_is_no_plain_expression_is_refused(void **state)
{
    const fixture *f = *state;
    static const char *const cases[] = {
        "",
        "  \n",
        "id =",
        "= 3",
        "(id = 1",
        "id = 1)",
        "id = 1) OR (1",
        "1) UNION SELECT 1 --",
        "1) UNION SELECT region FROM pending_vectors WHERE (1",
        "1) ORDER BY (id",
        "1) LIMIT (1",
        "1; DELETE FROM images",
        "1;",
        "1 --",
        "1 /* x */",
        "'open",
        "\"open",
        "[open",
        "`open",
        "nothing = 1",
        "region.x = 1",
        "\"id",
        "id = (SELECT 1)",
        "id IN (SELECT id FROM images)",
        "id IN images",
        "id IN settings",
        "EXISTS (SELECT 1)",
        "EXISTS (VALUES (1))",
        "id IN (VALUES (1))",
        "(SELECT value FROM settings LIMIT 1) = 'x'",
        "(WITH RECURSIVE t(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM t) SELECT x FROM t)",
        "id IN (SELECT value FROM json_each('[1]'))",
        "id IN json_each('[1]')",
        "settings.value = 'x'",
        "images.metadata = 'x'",
        "pending_vectors.vector = 1",
        "sqlite_schema.sql = 1",
        "load_extension('evil.so')",
        "writefile('/tmp/x', 'y')",
        "readfile('/etc/passwd') = 1",
        "random() = 1",
        "randomblob(1000000000) = 1",
        "zeroblob(1000000000) = 1",
        "printf('%1000000000d', 1) = 1",
        "fts3_tokenizer('x') = 1",
        "last_insert_rowid() = 1",
        "changes() = 0",
        "sqlite_version() = 1",
        "sqlite_compileoption_used('x')",
        "replace(uri, '/', uri) = 1",
        "count(*) > 1",
        "sum(id) > 1",
        "group_concat(uri) = 1",
        "row_number() OVER () = 1",
        "raise(ABORT, 'x')",
        "ATTACH 'x' AS y",
        "PRAGMA user_version",
        "DROP TABLE images",
        "id = 1 UNION SELECT 1",
        "id, id",
        "(id, uri)",
        "id AS x",
        "DISTINCT id",
        "*",
        "meta MATCH 'x'",
        "uri REGEXP 'x'",
        "json_extract(meta, 'no path') = 1",
        "id = ?",
        "id = ?1",
        "id = :missing",
        "id = $tcl(')') OR 1",
        "id = :a::b(1)",
        "id = @x(1)",
        "x'0' = 1",
        "1 = 1abc",
        "\x01",
        "\xFF\xFE = 1",
        "a.b.c.d = 1",
        "rowid.x",
        "abs(-9223372036854775808) = 1",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t count;
        imgret_error error = IMGRET_ERROR_INIT;
        int32_t status = list_status(f->db, cases[i], NULL, 0, &count, &error);
        if (status != IMGRET_INVALID_ARGUMENT || strncmp(error.message, "where: ", 7) != 0)
            fail_msg("%s: %s: %s (%lld)", cases[i], imgret_status_name(status), error.message,
                     (long long)count);
    }
    imgret_error error = IMGRET_ERROR_INIT;
    int64_t count;
    list_status(f->db, "randomblob(9) = 1", NULL, 0, &count, &error);
    assert_string_equal(error.message, "where: the function randomblob is not allowed");
    assert_int_equal(count_of(f->db, "1"), COUNT); /* and nothing has changed */
}

/* Deep, long and huge expressions end in an error, and soon. */
static void expressions_have_limits(void **state)
{
    const fixture *f = *state;
    static char text[400000];
    imgret_error error = IMGRET_ERROR_INIT;
    int64_t count;
    memset(text, '(', 10000);
    strcpy(text + 10000, "1");
    memset(text + 10001, ')', 10000);
    text[20001] = '\0';
    assert_int_equal(list_status(f->db, text, NULL, 0, &count, &error), IMGRET_LIMIT);
    text[0] = '\0';
    memset(text, '(', 3000);
    strcpy(text + 3000, "1");
    memset(text + 3001, ')', 3000);
    text[6001] = '\0';
    assert_int_equal(list_status(f->db, text, NULL, 0, &count, &error), IMGRET_INVALID_ARGUMENT);
    strcpy(text, "1");
    for (int i = 0; i < 2000; i++)
        strcat(text, "+1");
    assert_int_equal(list_status(f->db, text, NULL, 0, &count, &error), IMGRET_INVALID_ARGUMENT);
    strcpy(text, "json_valid('");
    memset(text + 12, '[', 10000);
    strcpy(text + 10012, "')");
    assert_int_equal(list_status(f->db, text, NULL, 0, &count, &error), IMGRET_OK);
    assert_int_equal(count, 0);
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(list_status(f->db, text, NULL, 0, &count, &error), IMGRET_LIMIT);
    assert_int_equal(count_of(f->db, "id = 1"), 1);
}

static void time_has_a_limit(void **state)
{
    const fixture *f = *state;
    char where[12000] = "1";
    for (int i = 0; i < 150; i++)
        strcat(where, " AND instr(meta, 'zzzzzzzz') + instr(uri, 'zzz') = coalesce(0, id)");
    strcpy(where, "1");
    for (int i = 0; i < 90; i++) /* each true, so that none is spared */
        strcat(where, " AND instr(coalesce(meta, '') || uri || coalesce(meta, ''), 'zz') = 0");
    imgret_list_options options = {
        .size = sizeof options, .limit = COUNT, .where = where, .where_ms_max = 1};
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_records *records;
    assert_int_equal(imgret_list(&records, f->db, &options, &error), IMGRET_LIMIT);
    assert_null(records);
    assert_non_null(strstr(error.message, "took longer"));
    options.where_ms_max = 600000;
    assert_int_equal(imgret_list(&records, f->db, &options, &error), IMGRET_OK);
    assert_int_equal(imgret_records_count(records), COUNT);
    imgret_records_free(records);
}

static void parameters_are_values_and_never_text(void **state)
{
    const fixture *f = *state;
    const imgret_param params[] = {
        {.size = sizeof params[0], .kind = IMGRET_PARAM_TEXT, .name = "camera", .text = "X100"},
        {.size = sizeof params[0], .kind = IMGRET_PARAM_INTEGER, .name = "most", .integer = 500},
    };
    const imgret_param evil = {.size = sizeof evil,
                               .kind = IMGRET_PARAM_TEXT,
                               .name = "camera",
                               .text = "X100' OR '1' = '1"};
    const imgret_param real = {
        .size = sizeof real, .kind = IMGRET_PARAM_REAL, .name = "n", .real = 2.5};
    const imgret_param none = {.size = sizeof none, .kind = IMGRET_PARAM_NULL, .name = "n"};
    imgret_error error = IMGRET_ERROR_INIT;
    int64_t count;
    const char *where = "meta->>'camera' = :camera AND id <= @most";
    assert_int_equal(list_status(f->db, where, params, 2, &count, &error), IMGRET_OK);
    assert_int_equal(count, 50);
    assert_int_equal(list_status(f->db, where, params, 1, &count, &error), IMGRET_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "@most"));
    assert_int_equal(list_status(f->db, "id = 1", params, 2, &count, &error),
                     IMGRET_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, ":camera"));
    assert_int_equal(list_status(f->db, "meta->>'camera' = :camera", &evil, 1, &count, &error), 0);
    assert_int_equal(count, 0);
    assert_int_equal(list_status(f->db, "id < :n", &real, 1, &count, &error), IMGRET_OK);
    assert_int_equal(count, 2);
    assert_int_equal(list_status(f->db, "id < :n", &none, 1, &count, &error), IMGRET_OK);
    assert_int_equal(count, 0);
    imgret_param wrong = evil;
    wrong.kind = 9;
    assert_int_equal(list_status(f->db, "id = :camera", &wrong, 1, &count, &error),
                     IMGRET_INVALID_ARGUMENT);
    wrong = evil;
    wrong.name = NULL;
    assert_int_equal(list_status(f->db, "id = :camera", &wrong, 1, &count, &error),
                     IMGRET_INVALID_ARGUMENT);
    assert_int_equal(list_status(f->db, NULL, params, 2, &count, &error), IMGRET_INVALID_ARGUMENT);
}

static imgret_results *query(imgret *db, uint32_t seed, uint32_t k, const char *where)
{
    float vector[DIMENSION];
    for (uint32_t i = 0; i < DIMENSION; i++)
        vector[i] = component(seed, i);
    imgret_input input = {.size = sizeof input,
                          .kind = IMGRET_INPUT_VECTOR,
                          .vector = vector,
                          .dimension = DIMENSION};
    imgret_query_options options = {.size = sizeof options, .k = k, .where = where};
    imgret_results *results;
    imgret_error error = IMGRET_ERROR_INIT;
    if (imgret_query(&results, db, &input, &options, &error) != IMGRET_OK)
        fail_msg("%s: %s", where, error.message);
    return results;
}

/* A filtered query is the unfiltered ranking without what does not match. */
static void queries_rank_exactly_what_matches(void **state)
{
    const fixture *f = *state;
    static const struct {
        const char *where;
        uint32_t divisor, remainder; /* the same, said in C */
    } cases[] = {{"id % 2 = 0", 2, 0},         {"id % 10 = 3", 10, 3},
                 {"id % 100 = 7", 100, 7},     {"id % 1000 = 1", 1000, 1},
                 {"id % 700 = 650", 700, 650}, {"1", 1, 0},
                 {"id = 1500", 5000, 1500},    {"0", 5000, 4999}};
    imgret_results *all = query(f->db, 77777, COUNT, NULL);
    assert_int_equal(imgret_results_count(all), COUNT);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        imgret_results *some = query(f->db, 77777, 25, cases[i].where);
        uint64_t found = 0;
        for (uint64_t rank = 0; rank < COUNT && found < 25; rank++) {
            const imgret_hit *hit = imgret_results_at(all, rank);
            if (hit->id % cases[i].divisor != cases[i].remainder)
                continue;
            const imgret_hit *got = imgret_results_at(some, found++);
            assert_non_null(got);
            assert_int_equal(got->id, hit->id);
            assert_true(got->score == hit->score);
        }
        assert_int_equal(imgret_results_count(some), found);
        imgret_results_free(some);
    }
    imgret_results_free(all);
}

/* The same filter is not evaluated again until something is committed, by whomever. */
static void filters_are_remembered_until_a_commit(void **state)
{
    const fixture *f = *state;
    char where[12000] = "meta->>'remembered' = 'yes'";
    for (int i = 0; i < 90; i++) /* each true, so that none is spared */
        strcat(where, " OR instr(coalesce(meta, '') || uri || coalesce(meta, ''), 'zz') > 0");
    imgret_input input = {.size = sizeof input, .kind = IMGRET_INPUT_ID, .id = 1};
    imgret_query_options options = {.size = sizeof options, .where = where, .k = 5};
    imgret_results *results;
    options.where_ms_max = 1;
    assert_int_equal(imgret_query(&results, f->db, &input, &options, NULL), IMGRET_LIMIT);
    options.where_ms_max = 600000;
    assert_int_equal(imgret_query(&results, f->db, &input, &options, NULL), IMGRET_OK);
    assert_int_equal(imgret_results_count(results), 0);
    imgret_results_free(results);
    options.where_ms_max = 1;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(imgret_query(&results, f->db, &input, &options, NULL), IMGRET_OK);
        imgret_results_free(results);
    }
    imgret *other;
    assert_int_equal(imgret_open(&other, f->path, NULL, NULL), IMGRET_OK);
    int64_t id = add(other, 4321, NULL, "{\"remembered\": \"yes\"}");
    imgret_close(other);
    assert_int_equal(imgret_query(&results, f->db, &input, &options, NULL), IMGRET_LIMIT);
    options.where_ms_max = 600000;
    assert_int_equal(imgret_query(&results, f->db, &input, &options, NULL), IMGRET_OK);
    assert_int_equal(imgret_results_count(results), 1);
    imgret_results_free(results);
    assert_int_equal(imgret_remove(f->db, id, NULL), IMGRET_OK);
    assert_int_equal(imgret_query(&results, f->db, &input, &options, NULL), IMGRET_OK);
    assert_int_equal(imgret_results_count(results), 0);
    imgret_results_free(results);
}

static void pages_of_a_filtered_list_join(void **state)
{
    const fixture *f = *state;
    imgret_list_options options = {
        .size = sizeof options, .limit = 30, .where = "meta->>'camera' = 'X100'"};
    int64_t total = 0;
    for (;;) {
        imgret_records *records;
        assert_int_equal(imgret_list(&records, f->db, &options, NULL), IMGRET_OK);
        uint64_t count = imgret_records_count(records);
        for (uint64_t i = 0; i < count; i++) {
            assert_int_equal(imgret_records_at(records, i)->id, 10 * ++total);
            options.after_id = imgret_records_at(records, i)->id;
        }
        imgret_records_free(records);
        if (count < 30)
            break;
    }
    assert_int_equal(total, COUNT / 10);
    options.uri = "/pictures/1.jpg";
    imgret_records *records;
    assert_int_equal(imgret_list(&records, f->db, &options, NULL), IMGRET_INVALID_ARGUMENT);
}

typedef struct race {
    imgret *db;
    atomic_bool stop;
} race;

static void *add_and_remove(void *argument)
{
    race *r = argument;
    for (uint32_t seed = 100000; !atomic_load(&r->stop); seed++) {
        int64_t id = add(r->db, seed, NULL, "{\"camera\": \"moving\"}");
        imgret_remove(r->db, id, NULL);
    }
    return NULL;
}

/* While another thread writes, matches that nobody touches are all found. */
static void writers_do_not_disturb(void **state)
{
    const fixture *f = *state;
    race r = {.db = f->db};
    pthread_t writer;
    assert_int_equal(pthread_create(&writer, NULL, add_and_remove, &r), 0);
    for (uint32_t i = 0; i < 60; i++) {
        imgret_results *results = query(f->db, i, 300, "meta->>'camera' = 'X100'");
        assert_int_equal(imgret_results_count(results), COUNT / 10);
        imgret_results_free(results);
    }
    atomic_store(&r.stop, true);
    pthread_join(writer, NULL);
}

static void a_read_only_handle_filters_too(void **state)
{
    const fixture *f = *state;
    imgret *db;
    imgret_open_options options = {.size = sizeof options, .flags = IMGRET_OPEN_READ_ONLY};
    assert_int_equal(imgret_open(&db, f->path, &options, NULL), IMGRET_OK);
    assert_int_equal(count_of(db, "id <= 10"), 10);
    imgret_results *results = query(db, 5, 3, "id <= 10");
    assert_int_equal(imgret_results_count(results), 3);
    assert_int_equal(imgret_results_at(results, 0)->id, 5);
    imgret_results_free(results);
    imgret_close(db);
}

/* A caller compiled before filters existed passes a shorter struct. */
static void older_callers_are_served(void **state)
{
    const fixture *f = *state;
    imgret_input input = {.size = sizeof input, .kind = IMGRET_INPUT_ID, .id = 1};
    imgret_query_options options = {.size = 24, .k = 4, .where = "no column"};
    imgret_results *results;
    assert_int_equal(imgret_query(&results, f->db, &input, &options, NULL), IMGRET_OK);
    assert_int_equal(imgret_results_count(results), 4);
    imgret_results_free(results);
    imgret_list_options list = {.size = 32, .limit = 4, .where = "no column"};
    imgret_records *records;
    assert_int_equal(imgret_list(&records, f->db, &list, NULL), IMGRET_OK);
    assert_int_equal(imgret_records_count(records), 4);
    imgret_records_free(records);
}

/* The same from a segment on disk, by whichever way its number of matches calls for. */
static void segments_keep_to_the_filter(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *where;
        uint64_t matches;
    } cases[] = {{"id % 2 = 0", COUNT / 2},    {"id % 5 = 2", COUNT / 5},
                 {"id % 10 = 3", COUNT / 10},  {"id % 100 = 7", COUNT / 100},
                 {"id IN (5, 1000, 1990)", 3}, {"0", 0}};
    imgret_results *before[6];
    for (size_t i = 0; i < 6; i++)
        before[i] = query(f->db, 77777, 25, cases[i].where);
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_optimize_options options = {.size = sizeof options, .flags = IMGRET_OPTIMIZE_FORCE};
    if (imgret_optimize(f->db, &options, &error) != IMGRET_OK)
        fail_msg("%s", error.message);
    for (size_t i = 0; i < 6; i++) {
        uint64_t wanted = cases[i].matches < 25 ? cases[i].matches : 25, alike = 0;
        imgret_results *after = query(f->db, 77777, 25, cases[i].where);
        assert_int_equal(imgret_results_count(before[i]), wanted);
        assert_int_equal(imgret_results_count(after), wanted);
        for (uint64_t j = 0; j < wanted; j++)
            for (uint64_t k = 0; k < wanted; k++)
                alike += imgret_results_at(before[i], j)->id == imgret_results_at(after, k)->id;
        if (alike * 20 < wanted * 19)
            fail_msg("%s: %u of %u", cases[i].where, (unsigned)alike, (unsigned)wanted);
        imgret_results_free(before[i]);
        imgret_results_free(after);
    }
    assert_int_equal(imgret_remove(f->db, 1000, NULL), IMGRET_OK); /* a tombstone in the segment */
    imgret_results *left = query(f->db, 77777, 25, "id IN (5, 1000, 1990)");
    assert_int_equal(imgret_results_count(left), 2);
    imgret_results_free(left);
}

static void out_of_memory_is_an_error(void **state)
{
    const fixture *f = *state;
    bool done = false;
    for (uint64_t n = 1; n < 60 && !done; n++) {
        int64_t count;
        ir_alloc_fail_after(n);
        int32_t status = list_status(f->db, "id <= 10", NULL, 0, &count, NULL);
        ir_alloc_fail_after(0);
        assert_true(status == IMGRET_NO_MEMORY || (status == IMGRET_OK && count == 10));
        done = status == IMGRET_OK;
    }
    assert_true(done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expressions_mean_what_sql_says),
        cmocka_unit_test(what_is_no_plain_expression_is_refused),
        cmocka_unit_test(expressions_have_limits),
        cmocka_unit_test(time_has_a_limit),
        cmocka_unit_test(parameters_are_values_and_never_text),
        cmocka_unit_test(queries_rank_exactly_what_matches),
        cmocka_unit_test(filters_are_remembered_until_a_commit),
        cmocka_unit_test(pages_of_a_filtered_list_join),
        cmocka_unit_test(a_read_only_handle_filters_too),
        cmocka_unit_test(older_callers_are_served),
        cmocka_unit_test(out_of_memory_is_an_error),
        cmocka_unit_test(writers_do_not_disturb),
        cmocka_unit_test(segments_keep_to_the_filter),
    };
    return cmocka_run_group_tests_name("filter", tests, group_setup, group_teardown);
}
