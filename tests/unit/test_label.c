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
    assert_int_equal(imgret_set_label(f->db, 3,
                                      "Stra\xC3\x9F"
                                      "e",
                                      1, NULL),
                     IMGRET_OK);
    expect(f->db, 1, "cat", 0.9);
    expect(f->db, 3,
           "Stra\xC3\x9F"
           "e",
           1);
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

/* ---- labels from examples ---- */

enum { KINDS = 4, OF_A_KIND = 60 };

/* Pictures of four kinds, ids in turns: kind i % KINDS. */
static int setup_kinds(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    make_folder(f->folder, "label");
    snprintf(f->path, sizeof f->path, "%s/db.imgret", f->folder);
    imgret_open_options options = {.size = sizeof options, .model = "vectors:8"};
    if (imgret_open(&f->db, f->path, &options, NULL) || imgret_begin(f->db, NULL))
        return -1;
    for (uint32_t i = 0; i < KINDS * OF_A_KIND; i++) {
        float vector[DIMENSION];
        for (uint32_t d = 0; d < DIMENSION; d++)
            vector[d] = 3 + 0.4f * sinf((float)(i * 37 + d * d * 11)) + (d == i % KINDS ? 3 : 0);
        imgret_input input = {.size = sizeof input,
                              .kind = IMGRET_INPUT_VECTOR,
                              .vector = vector,
                              .dimension = DIMENSION};
        if (imgret_add(f->db, &input, NULL, NULL, NULL))
            return -1;
    }
    *state = f;
    return imgret_commit(f->db, NULL);
}

static void example_ids(imgret_input *out, uint32_t count, int64_t first)
{
    for (uint32_t i = 0; i < count; i++)
        out[i] = (imgret_input){
            .size = sizeof out[i], .kind = IMGRET_INPUT_ID, .id = first + KINDS * 5 * (int64_t)i};
}

typedef struct {
    uint64_t count, wrong;
    int64_t last_id;
} told;

static int32_t tell(void *user, const imgret_label_item *item)
{
    told *t = user;
    assert_true(item->id > t->last_id && item->confidence >= 0.6 && item->confidence < 1);
    t->last_id = item->id;
    t->count++;
    t->wrong += (item->id - 1) % KINDS != 0;
    return 0;
}

static void a_few_examples_label_their_kind(void **state)
{
    fixture *f = *state;
    imgret_input examples[5];
    example_ids(examples, 5, 1);
    told t = {0};
    imgret_label_report report = {.size = sizeof report};
    imgret_label_options options = {.size = sizeof options,
                                    .label = "first",
                                    .examples = examples,
                                    .example_count = 5,
                                    .confidence_min = 0.6,
                                    .on_item = tell,
                                    .user = &t};
    imgret_error error = IMGRET_ERROR_INIT;
    if (imgret_label_examples(f->db, &options, &report, &error))
        fail_msg("%s", error.message);
    assert_int_equal(t.wrong, 0);
    assert_true(t.count >= 50);
    assert_int_equal(report.fitting_count, t.count);
    assert_int_equal(report.examined_count, KINDS * OF_A_KIND - 5);
    assert_int_equal(report.assigned_count, 0);
    assert_int_equal(matches(f->db, "label IS NOT NULL"), 0); /* asked for nothing more */
    options.flags = IMGRET_LABEL_ASSIGN;
    t = (told){0};
    assert_int_equal(imgret_label_examples(f->db, &options, &report, NULL), IMGRET_OK);
    assert_int_equal(report.assigned_count, t.count + 5);
    assert_int_equal(matches(f->db, "label = 'first' AND label_score = 1"), 5);
    assert_int_equal(matches(f->db, "label = 'first' AND (id - 1) % 4 != 0"), 0);
    assert_int_equal(matches(f->db, "label = 'first'"), t.count + 5);
}

static void what_a_user_said_stands(void **state)
{
    fixture *f = *state;
    assert_int_equal(imgret_set_label(f->db, 5, "mine", 1, NULL), IMGRET_OK);
    assert_int_equal(imgret_set_label(f->db, 9, "guess", 0.01, NULL), IMGRET_OK);
    imgret_input examples[5];
    example_ids(examples, 5, 21);
    imgret_label_options options = {.size = sizeof options,
                                    .flags = IMGRET_LABEL_ASSIGN,
                                    .label = "first",
                                    .examples = examples,
                                    .example_count = 5,
                                    .confidence_min = 0.5,
                                    .where = "id < 100"};
    imgret_label_report report = {.size = sizeof report};
    assert_int_equal(imgret_label_examples(f->db, &options, &report, NULL), IMGRET_OK);
    expect(f->db, 5, "mine", 1);
    assert_int_equal(matches(f->db, "id = 9 AND label = 'first' AND label_score >= 0.5"), 1);
    assert_int_equal(matches(f->db, "id > 101 AND label = 'first'"), 0);
    assert_true(report.counter_count > 50);
}

static int32_t stop(void *user, const imgret_label_item *item)
{
    (void)user, (void)item;
    return 1;
}

static void wrong_examples_are_refused(void **state)
{
    fixture *f = *state;
    imgret_input one, other = {.size = sizeof other, .kind = IMGRET_INPUT_ID, .id = 9999};
    example_ids(&one, 1, 1);
    const struct {
        imgret_label_options options;
        int32_t status;
    } cases[] = {
        {{.examples = &one, .example_count = 1}, IMGRET_INVALID_ARGUMENT},
        {{.label = "", .examples = &one, .example_count = 1}, IMGRET_INVALID_ARGUMENT},
        {{.label = "x"}, IMGRET_INVALID_ARGUMENT},
        {{.label = "x", .example_count = 1}, IMGRET_INVALID_ARGUMENT},
        {{.label = "x", .examples = &one, .example_count = 10001}, IMGRET_LIMIT},
        {{.label = "x", .examples = &other, .example_count = 1}, IMGRET_NOT_FOUND},
        {{.label = "x", .examples = &one, .example_count = 1, .flags = 2}, IMGRET_INVALID_ARGUMENT},
        {{.label = "x", .examples = &one, .example_count = 1, .confidence_min = (double)NAN},
         IMGRET_INVALID_ARGUMENT},
        {{.label = "x", .examples = &one, .example_count = 1, .where = "id ="},
         IMGRET_INVALID_ARGUMENT},
        {{.label = "x",
          .examples = &one,
          .example_count = 1,
          .confidence_min = 0.5,
          .on_item = stop},
         IMGRET_INTERRUPTED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        imgret_label_options options = cases[i].options;
        imgret_error error = IMGRET_ERROR_INIT;
        options.size = sizeof options;
        int32_t status = imgret_label_examples(f->db, &options, NULL, &error);
        if (status != cases[i].status)
            fail_msg("case %zu: %s: %s", i, imgret_status_name(status), error.message);
    }
    assert_int_equal(matches(f->db, "label IS NOT NULL"), 0);
}

/* Where every picture is the same there is nothing to learn. */
static void examples_like_all_the_rest_say_so(void **state)
{
    fixture *f = *state;
    imgret *db;
    char path[320];
    snprintf(path, sizeof path, "%s/same.imgret", f->folder);
    imgret_open_options open = {.size = sizeof open, .model = "vectors:8"};
    assert_int_equal(imgret_open(&db, path, &open, NULL), IMGRET_OK);
    imgret_input example = {.size = sizeof example, .kind = IMGRET_INPUT_ID, .id = 1};
    imgret_label_options options = {
        .size = sizeof options, .label = "x", .examples = &example, .example_count = 1};
    add(db, 5, NULL);
    assert_int_equal(imgret_label_examples(db, &options, NULL, NULL), IMGRET_INVALID_ARGUMENT);
    add(db, 5, NULL);
    assert_int_equal(imgret_label_examples(db, &options, NULL, NULL), IMGRET_INVALID_ARGUMENT);
    imgret_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_label_is_stored_filtered_by_and_found, setup, teardown),
        cmocka_unit_test_setup_teardown(a_label_outlives_the_handle_and_a_new_picture, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_rollback_takes_the_label_back, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_label_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_few_examples_label_their_kind, setup_kinds, teardown),
        cmocka_unit_test_setup_teardown(what_a_user_said_stands, setup_kinds, teardown),
        cmocka_unit_test_setup_teardown(wrong_examples_are_refused, setup_kinds, teardown),
        cmocka_unit_test_setup_teardown(examples_like_all_the_rest_say_so, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
