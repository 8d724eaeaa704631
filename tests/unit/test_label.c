/* test_label.c: labels through the public API: given, found by, kept, refused. */
#include "pictures.h"

#include "base/alloc.h"

#include <imgret/imgret.h>
#include <math.h>

enum { DIMENSION = 8, COUNT = 20 };

typedef struct fixture {
    char folder[256];
    char path[300];
    imgret *db;
} fixture;

static int64_t add(imgret *db, uint32_t seed, const char *uri)
{
    float vector[DIMENSION];
    for (uint32_t i = 0; i < DIMENSION; i++)
        vector[i] = sinf((float)(seed * 31 + i * i * 7));
    imgret_input input = {.size = sizeof input,
                          .kind = IMGRET_INPUT_VECTOR,
                          .vector = vector,
                          .dimension = DIMENSION};
    imgret_add_options options = {.size = sizeof options, .uri = uri};
    imgret_add_result result = {.size = sizeof result};
    assert_int_equal(imgret_add(db, &input, &options, &result, NULL), IMGRET_OK);
    return result.id;
}

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    make_folder(f->folder, "label");
    snprintf(f->path, sizeof f->path, "%s/db.imgret", f->folder);
    imgret_open_options options = {.size = sizeof options, .model = "vectors:8"};
    if (imgret_open(&f->db, f->path, &options, NULL) != IMGRET_OK)
        return -1;
    for (uint32_t i = 1; i <= COUNT; i++) {
        char uri[32];
        snprintf(uri, sizeof uri, "/%u.jpg", i);
        add(f->db, i, uri);
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    imgret_close(f->db);
    remove_folder(f->folder);
    free(f);
    return ir_alloc_live_count() == 0 ? 0 : -1;
}

static void expect(imgret *db, int64_t id, const char *label, double score)
{
    imgret_records *records;
    assert_int_equal(imgret_get(&records, db, id, NULL), IMGRET_OK);
    const imgret_record *record = imgret_records_at(records, 0);
    if (label)
        assert_string_equal(record->label, label);
    else
        assert_null(record->label);
    assert_true(record->label_score == score);
    imgret_records_free(records);
}

static uint64_t matches(imgret *db, const char *where)
{
    imgret_list_options options = {.size = sizeof options, .where = where};
    imgret_records *records;
    assert_int_equal(imgret_list(&records, db, &options, NULL), IMGRET_OK);
    uint64_t count = imgret_records_count(records);
    imgret_records_free(records);
    return count;
}

static void a_label_is_stored_filtered_by_and_found(void **state)
{
    fixture *f = *state;
    expect(f->db, 1, NULL, 0);
    assert_int_equal(imgret_set_label(f->db, 1, "cat", 0.9, NULL), IMGRET_OK);
    assert_int_equal(imgret_set_label(f->db, 2, "cat", 0.5, NULL), IMGRET_OK);
    assert_int_equal(imgret_set_label(f->db, 3, "Stra\xC3\x9F" "e", 1, NULL), IMGRET_OK);
    expect(f->db, 1, "cat", 0.9);
    expect(f->db, 3, "Stra\xC3\x9F" "e", 1);
    assert_int_equal(matches(f->db, "label = 'cat'"), 2);
    assert_int_equal(matches(f->db, "label = 'cat' AND label_score > .8"), 1);
    assert_int_equal(matches(f->db, "label IS NULL"), COUNT - 3);
    imgret_input input = {.size = sizeof input, .kind = IMGRET_INPUT_ID, .id = 2};
    imgret_query_options options = {.size = sizeof options, .where = "label = 'cat'"};
    imgret_results *results;
    assert_int_equal(imgret_query(&results, f->db, &input, &options, NULL), IMGRET_OK);
    assert_int_equal(imgret_results_count(results), 1);
    const imgret_hit *hit = imgret_results_at(results, 0);
    assert_int_equal(hit->id, 1);
    assert_string_equal(hit->label, "cat");
    assert_true(hit->label_score == 0.9);
    imgret_results_free(results);
    assert_int_equal(imgret_set_label(f->db, 1, NULL, (double)NAN, NULL), IMGRET_OK);
    expect(f->db, 1, NULL, 0);
    assert_int_equal(matches(f->db, "label_score IS NOT NULL"), 2);
}

static void a_label_outlives_the_handle_and_a_new_picture(void **state)
{
    fixture *f = *state;
    assert_int_equal(imgret_set_label(f->db, 7, "boat", 0.25, NULL), IMGRET_OK);
    assert_int_equal(add(f->db, 12345, "/7.jpg"), 7); /* replaced */
    expect(f->db, 7, "boat", 0.25);
    imgret_close(f->db);
    imgret_open_options options = {.size = sizeof options};
    assert_int_equal(imgret_open(&f->db, f->path, &options, NULL), IMGRET_OK);
    expect(f->db, 7, "boat", 0.25);
}

static void a_rollback_takes_the_label_back(void **state)
{
    fixture *f = *state;
    assert_int_equal(imgret_begin(f->db, NULL), IMGRET_OK);
    assert_int_equal(imgret_set_label(f->db, 9, "car", 1, NULL), IMGRET_OK);
    assert_int_equal(imgret_set_label(f->db, 9, "", 1, NULL), IMGRET_INVALID_ARGUMENT);
    assert_int_equal(imgret_rollback(f->db, NULL), IMGRET_OK);
    expect(f->db, 9, NULL, 0);
    assert_int_equal(imgret_begin(f->db, NULL), IMGRET_OK);
    assert_int_equal(imgret_set_label(f->db, 9, "car", 1, NULL), IMGRET_OK);
    assert_int_equal(imgret_set_label(f->db, 999, "car", 1, NULL), IMGRET_NOT_FOUND);
    assert_int_equal(imgret_commit(f->db, NULL), IMGRET_OK);
    expect(f->db, 9, "car", 1);
}

static void what_is_no_label_is_refused(void **state)
{
    fixture *f = *state;
    char long_one[5000];
    memset(long_one, 'x', sizeof long_one - 1);
    long_one[sizeof long_one - 1] = '\0';
    const struct {
        const char *label;
        double score;
        int32_t status;
    } cases[] = {
        {"", 1, IMGRET_INVALID_ARGUMENT},
        {"cat", -0.01, IMGRET_INVALID_ARGUMENT},
        {"cat", 1.01, IMGRET_INVALID_ARGUMENT},
        {"cat", (double)NAN, IMGRET_INVALID_ARGUMENT},
        {"cat", (double)INFINITY, IMGRET_INVALID_ARGUMENT},
        {"c\xFFt", 1, IMGRET_INVALID_ARGUMENT},
        {"\xC0\x80", 1, IMGRET_INVALID_ARGUMENT},
        {long_one, 1, IMGRET_LIMIT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        imgret_error error = IMGRET_ERROR_INIT;
        assert_int_equal(imgret_set_label(f->db, 15, cases[i].label, cases[i].score, &error),
                         cases[i].status);
        assert_non_null(strstr(error.message, "label"));
    }
    expect(f->db, 15, NULL, 0);
    assert_int_equal(imgret_set_label(f->db, 999, "cat", 1, NULL), IMGRET_NOT_FOUND);
    assert_int_equal(imgret_set_label(NULL, 1, "cat", 1, NULL), IMGRET_INVALID_ARGUMENT);
    imgret *reader;
    imgret_open_options options = {.size = sizeof options, .flags = IMGRET_OPEN_READ_ONLY};
    assert_int_equal(imgret_open(&reader, f->path, &options, NULL), IMGRET_OK);
    assert_int_equal(imgret_set_label(reader, 1, "cat", 1, NULL), IMGRET_READ_ONLY);
    imgret_close(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_label_is_stored_filtered_by_and_found, setup, teardown),
        cmocka_unit_test_setup_teardown(a_label_outlives_the_handle_and_a_new_picture, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_rollback_takes_the_label_back, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_label_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
