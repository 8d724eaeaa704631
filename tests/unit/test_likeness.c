/* test_likeness.c: what scores mean: measured from copies and random pairs, kept, and used. */
#include "scenes.h"

#include "api/handle.h"
#include "base/alloc.h"
#include "engine/database.h"

#include <imgret/imgret.h>

enum { PICTURES = 40 };

typedef struct fixture {
    char folder[256];
    char path[300];
    imgret *db;
} fixture;

static int open_fixture(fixture *f, const char *model, uint32_t flags, uint32_t metric)
{
    imgret_open_options options = {
        .size = sizeof options, .model = model, .flags = flags, .metric = metric};
    imgret_error error = IMGRET_ERROR_INIT;
    int32_t status = imgret_open(&f->db, f->path, &options, &error);
    if (status)
        printf("# %s\n", error.message);
    return status;
}

static int setup_empty(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    make_folder(f->folder, "likeness");
    snprintf(f->path, sizeof f->path, "%s/db.imgret", f->folder);
    *state = f;
    return 0;
}

static int setup(void **state)
{
    setup_empty(state);
    fixture *f = *state;
    char pictures[300], path[400];
    if (open_fixture(f, NULL, 0, 0))
        return -1;
    snprintf(pictures, sizeof pictures, "%s/pictures", f->folder);
    mkdir(pictures, 0777);
    for (uint32_t i = 0; i < PICTURES; i++) {
        const scene_view v = {i + 1, 160, 120, 0, 1, 0};
        snprintf(path, sizeof path, "%s/%u.ppm", pictures, i);
        write_scene(path, &v);
    }
    const char *paths[] = {pictures};
    imgret_ingest_options options = {.size = sizeof options, .paths = paths, .path_count = 1};
    return imgret_ingest(f->db, &options, NULL, NULL);
}

static int teardown(void **state)
{
    fixture *f = *state;
    imgret_close(f->db);
    remove_folder(f->folder);
    free(f);
    return ir_alloc_live_count() == 0 ? 0 : -1;
}

static imgret_calibration calibrate(imgret *db, uint32_t flags)
{
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_calibration out = {.size = sizeof out};
    const imgret_calibrate_options options = {.size = sizeof options, .flags = flags};
    if (imgret_calibrate(db, &options, &out, &error) != IMGRET_OK)
        fail_msg("%s", error.message);
    return out;
}

static void levels_are_ordered_and_come_from_copies(void **state)
{
    fixture *f = *state;
    imgret_calibration c = calibrate(f->db, 0), again = calibrate(f->db, 0);
    assert_true(c.same_score >= c.near_score && c.near_score >= c.similar_score);
    assert_true(c.same_score <= 1.000001 && c.similar_score >= c.random_high - 1e-9);
    assert_true(c.random_median < c.random_high && c.same_score > c.random_high);
    assert_int_equal(c.image_count, PICTURES);
    assert_int_equal(c.pair_count, PICTURES * (PICTURES - 1) / 2);
    assert_in_range(c.copy_count, 3 * PICTURES, 4 * PICTURES); /* a build may write no JPEG */
    again.size = c.size;
    assert_memory_equal(&c, &again, sizeof c);
}

static void without_files_the_way_to_strangers_is_the_measure(void **state)
{
    fixture *f = *state;
    imgret_calibration c = calibrate(f->db, IMGRET_CALIBRATE_NO_COPIES);
    assert_int_equal(c.copy_count, 0);
    assert_true(c.same_score >= c.near_score && c.near_score >= c.similar_score);
    assert_true(fabs(c.same_score - (1 - 0.05 * (1 - c.random_median))) < 1e-3 ||
                c.same_score == c.near_score);
}

static void it_is_kept_and_void_under_another_model(void **state)
{
    fixture *f = *state;
    imgret_calibration none = {.size = sizeof none}, kept = {.size = sizeof kept};
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(imgret_get_calibration(f->db, &none, &error), IMGRET_NOT_FOUND);
    assert_non_null(strstr(error.message, "calibrate"));
    imgret_calibration c = calibrate(f->db, IMGRET_CALIBRATE_NO_COPIES);
    imgret_close(f->db);
    assert_int_equal(open_fixture(f, NULL, IMGRET_OPEN_READ_ONLY, 0), IMGRET_OK);
    assert_int_equal(imgret_get_calibration(f->db, &kept, NULL), IMGRET_OK);
    assert_memory_equal(&c, &kept, sizeof c);
    assert_int_equal(imgret_calibrate(f->db, NULL, NULL, NULL), IMGRET_READ_ONLY);

    imgret_close(f->db);
    assert_int_equal(open_fixture(f, NULL, 0, 0), IMGRET_OK);
    ir_catalog *catalog = f->db->database->catalog;
    char *text;
    assert_int_equal(ir_catalog_get_setting(catalog, "likeness", &text, NULL), IMGRET_OK);
    const char *const wrong[] = {"", "1", "2 0123456789abcdef", "1 0123456789abcdeg",
                                 "1 0123456789abcdef 7ff8000000000000"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(ir_catalog_begin(catalog, NULL), IMGRET_OK);
        assert_int_equal(ir_catalog_set_setting(catalog, "likeness", wrong[i], NULL), IMGRET_OK);
        assert_int_equal(ir_catalog_commit(catalog, NULL, NULL, NULL), IMGRET_OK);
        assert_int_equal(imgret_get_calibration(f->db, &kept, NULL), IMGRET_CORRUPT);
    }
    text[2] = text[2] == '0' ? '1' : '0'; /* of the model's identity */
    assert_int_equal(ir_catalog_begin(catalog, NULL), IMGRET_OK);
    assert_int_equal(ir_catalog_set_setting(catalog, "likeness", text, NULL), IMGRET_OK);
    assert_int_equal(ir_catalog_commit(catalog, NULL, NULL, NULL), IMGRET_OK);
    assert_int_equal(imgret_get_calibration(f->db, &kept, NULL), IMGRET_NOT_FOUND);
    ir_free(text);
}

static uint64_t count_hits(imgret *db, imgret_query_options options)
{
    imgret_results *results;
    imgret_error error = IMGRET_ERROR_INIT;
    const imgret_input input = {.size = sizeof input, .kind = IMGRET_INPUT_ID, .id = 1};
    options.size = sizeof options;
    options.k = PICTURES;
    if (imgret_query(&results, db, &input, &options, &error) != IMGRET_OK)
        fail_msg("%s", error.message);
    uint64_t count = imgret_results_count(results);
    imgret_results_free(results);
    return count;
}

static void queries_and_duplicates_go_by_it(void **state)
{
    fixture *f = *state;
    imgret_results *results;
    imgret_error error = IMGRET_ERROR_INIT;
    const imgret_input input = {.size = sizeof input, .kind = IMGRET_INPUT_ID, .id = 1};
    imgret_query_options options = {.size = sizeof options, .min_likeness = IMGRET_LIKENESS_NEAR};
    assert_int_equal(imgret_query(&results, f->db, &input, &options, &error), IMGRET_NOT_FOUND);
    imgret_calibration c = calibrate(f->db, 0);
    for (uint32_t level = IMGRET_LIKENESS_SIMILAR; level <= IMGRET_LIKENESS_SAME; level++) {
        const double scores[] = {0, c.similar_score, c.near_score, c.same_score};
        const imgret_query_options by_level = {.min_likeness = level};
        const imgret_query_options by_score = {.flags = IMGRET_QUERY_MIN_SCORE,
                                               .min_score = scores[level]};
        assert_int_equal(count_hits(f->db, by_level), count_hits(f->db, by_score));
    }
    assert_true(count_hits(f->db, (imgret_query_options){.min_likeness = 1}) < PICTURES - 1);
    options.flags = IMGRET_QUERY_MIN_SCORE;
    assert_int_equal(imgret_query(&results, f->db, &input, &options, &error),
                     IMGRET_INVALID_ARGUMENT);
    options.flags = 0;
    options.min_likeness = 4;
    assert_int_equal(imgret_query(&results, f->db, &input, &options, &error),
                     IMGRET_INVALID_ARGUMENT);

    imgret_duplicates_report calibrated = {.size = sizeof calibrated}, given = calibrated;
    imgret_duplicates_options wanted = {.size = sizeof wanted,
                                        .kind_max = IMGRET_DUPLICATE_SIMILAR};
    assert_int_equal(imgret_duplicates(f->db, &wanted, NULL, NULL, &calibrated, NULL), IMGRET_OK);
    wanted.similar_score = c.similar_score;
    assert_int_equal(imgret_duplicates(f->db, &wanted, NULL, NULL, &given, NULL), IMGRET_OK);
    assert_int_equal(calibrated.duplicate_count, given.duplicate_count);
}

static void bad_options_and_small_collections_are_refused(void **state)
{
    fixture *f = *state;
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(open_fixture(f, NULL, 0, 0), IMGRET_OK);
    assert_int_equal(imgret_calibrate(f->db, NULL, NULL, &error), IMGRET_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "10"));
    imgret_calibrate_options options = {.size = sizeof options, .flags = 2};
    assert_int_equal(imgret_calibrate(f->db, &options, NULL, &error), IMGRET_INVALID_ARGUMENT);
    options.flags = 0;
    options.sample_count = UINT32_MAX;
    assert_int_equal(imgret_calibrate(f->db, &options, NULL, &error), IMGRET_LIMIT);
    assert_int_equal(imgret_calibrate(NULL, NULL, NULL, &error), IMGRET_INVALID_ARGUMENT);
    assert_int_equal(imgret_get_calibration(f->db, NULL, &error), IMGRET_INVALID_ARGUMENT);
}

/* Vectors alone, under every metric; the same direction twice now and then. */
static void ready_vectors_are_calibrated_too(void **state)
{
    fixture *f = *state;
    for (uint32_t metric = IMGRET_METRIC_COSINE; metric <= IMGRET_METRIC_L2; metric++) {
        snprintf(f->path, sizeof f->path, "%s/%u.imgret", f->folder, metric);
        imgret_close(f->db);
        assert_int_equal(open_fixture(f, "vectors:16", 0, metric), IMGRET_OK);
        uint64_t seed = 1;
        for (int i = 0; i < 200; i++) {
            float vector[16];
            for (int d = 0; d < 16; d++)
                vector[d] = (float)ir_random_unit(&seed) - 0.5f;
            const imgret_input input = {.size = sizeof input,
                                        .kind = IMGRET_INPUT_VECTOR,
                                        .vector = vector,
                                        .dimension = 16};
            assert_int_equal(imgret_add(f->db, &input, NULL, NULL, NULL), IMGRET_OK);
        }
        imgret_calibration c = calibrate(f->db, 0);
        assert_true(c.same_score >= c.near_score && c.near_score >= c.similar_score);
        assert_true(c.similar_score >= c.random_median && c.copy_count == 0);
    }
}

static void any_allocation_may_fail(void **state)
{
    fixture *f = *state;
    uint32_t failures = 0;
    const imgret_calibrate_options options = {.size = sizeof options, .copy_max = 2};
    for (uint64_t n = 1;; n += n < 60 ? 1 : 13) {
        imgret_error error = IMGRET_ERROR_INIT;
        ir_alloc_fail_after(n);
        int32_t status = imgret_calibrate(f->db, &options, NULL, &error);
        ir_alloc_fail_after(0);
        if (status == IMGRET_OK && n > 60)
            break;
        failures += status != IMGRET_OK;
        assert_true(status == IMGRET_OK || (status == IMGRET_NO_MEMORY && error.message[0]));
    }
    assert_true(failures > 20);
}

#define likeness_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define empty_test(name) cmocka_unit_test_setup_teardown(name, setup_empty, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        likeness_test(levels_are_ordered_and_come_from_copies),
        likeness_test(without_files_the_way_to_strangers_is_the_measure),
        likeness_test(it_is_kept_and_void_under_another_model),
        likeness_test(queries_and_duplicates_go_by_it),
        likeness_test(any_allocation_may_fail),
        empty_test(bad_options_and_small_collections_are_refused),
        empty_test(ready_vectors_are_calibrated_too),
    };
    return cmocka_run_group_tests_name("likeness", tests, NULL, NULL);
}
