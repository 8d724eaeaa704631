/* test_extremes.c: pictures with next to nothing in them, and more labels than pictures need, through the
 * public API. With IMGRET_TEST_LONG=1 there are a million labels.
 */
#include "place.h"

#include <imgret/imgret.h>
#include <math.h>
#include <time.h>

static int setup(void **state)
{
    return make_place(state, "extremes");
}

/* ---- Pictures of next to nothing ---- */

enum { SHAPES = 6, LONGEST = 700 };

static const uint32_t shapes[SHAPES][2] = {{1, 1},       {2, 1}, {1, LONGEST},
                                           {LONGEST, 1}, {3, 2}, {2, 500}};

/* Rows of red and blue, packed: what it shows is decided by width and height alone. */
static const uint8_t *draw(uint32_t width, uint32_t height)
{
    static uint8_t rgb[3 * 4 * LONGEST];
    for (uint32_t i = 0; i < width * height; i++) {
        uint8_t *pixel = rgb + 3 * i;
        pixel[0] = i % 5 < 3 ? 200 : 20;
        pixel[1] = (uint8_t)(width + height);
        pixel[2] = i % 5 < 3 ? 30 : 220;
    }
    return rgb;
}

static imgret_input pixels_of(uint32_t width, uint32_t height)
{
    return (imgret_input){.size = sizeof(imgret_input),
                          .kind = IMGRET_INPUT_PIXELS,
                          .data = draw(width, height),
                          .data_bytes = 3ull * width * height,
                          .width = width,
                          .height = height,
                          .pixel_format = IMGRET_PIXELS_RGB8};
}

static int64_t best_of(imgret *db, const imgret_input *input, const imgret_query_options *options)
{
    imgret_results *results;
    imgret_error error = IMGRET_ERROR_INIT;
    if (imgret_query(&results, db, input, options, &error) != IMGRET_OK)
        fail_msg("%s", error.message);
    int64_t id = imgret_results_count(results) ? imgret_results_at(results, 0)->id : 0;
    for (uint64_t i = 0; i < imgret_results_count(results); i++)
        assert_true(isfinite(imgret_results_at(results, i)->score));
    imgret_results_free(results);
    return id;
}

static void check_attributes(imgret *db, int64_t id)
{
    imgret_records *records;
    assert_int_equal(imgret_get(&records, db, id, NULL), IMGRET_OK);
    const imgret_attributes *a = imgret_records_at(records, 0)->attributes;
    assert_non_null(a);
    assert_true(isfinite(a->brightness) && isfinite(a->contrast) && isfinite(a->saturation) &&
                isfinite(a->warmth) && isfinite(a->sharpness));
    imgret_records_free(records);
}

static void thin_pictures_are_pictures(void **state, const char *regions)
{
    fixture *f = *state;
    int64_t ids[SHAPES];
    imgret *db;
    imgret_open_options options = {.size = sizeof options, .model = "classic", .regions = regions};
    assert_int_equal(imgret_open(&db, f->path, &options, NULL), IMGRET_OK);
    for (int i = 0; i < SHAPES; i++) {
        imgret_input input = pixels_of(shapes[i][0], shapes[i][1]);
        imgret_add_result result = {.size = sizeof result};
        imgret_error error = IMGRET_ERROR_INIT;
        if (imgret_add(db, &input, NULL, &result, &error) != IMGRET_OK)
            fail_msg("%u x %u: %s", shapes[i][0], shapes[i][1], error.message);
        ids[i] = result.id;
        check_attributes(db, ids[i]);
    }
    for (int i = 0; i < SHAPES; i++) {
        imgret_input input = pixels_of(shapes[i][0], shapes[i][1]);
        imgret_query_options plain = {.size = sizeof plain};
        assert_true(best_of(db, &input, &plain) > 0);
        imgret_box box = {sizeof box, 0, 0, 1, 1};
        imgret_query_options boxed = {.size = sizeof boxed, .box = &box};
        assert_true(best_of(db, &input, &boxed) > 0);
        imgret_query_options reranked = {.size = sizeof reranked,
                                         .rerank_by = IMGRET_RERANK_GEOMETRY};
        assert_true(best_of(db, &input, &reranked) > 0);
    }
    imgret_color_term red = {.size = sizeof red, .red = 200, .blue = 30};
    imgret_query_options colored = {.size = sizeof colored, .colors = &red, .color_count = 1};
    assert_true(best_of(db, NULL, &colored) > 0);
    imgret_query_options filtered = {.size = sizeof filtered,
                                     .where = "width = 1 AND height = 700 AND aspect < 0.01"};
    imgret_input same = {.size = sizeof same, .kind = IMGRET_INPUT_ID, .id = ids[0]};
    assert_int_equal(best_of(db, &same, &filtered), ids[2]);
    imgret_close(db);
}

static void thin_pictures_can_be_asked(void **state)
{
    thin_pictures_are_pictures(state, NULL);
}

static void thin_pictures_have_regions(void **state)
{
    thin_pictures_are_pictures(state, "grid=2x2");
}

static void empty_pictures_are_errors(void **state)
{
    fixture *f = *state;
    imgret *db;
    imgret_open_options options = {.size = sizeof options, .model = "classic"};
    assert_int_equal(imgret_open(&db, f->path, &options, NULL), IMGRET_OK);
    static const char *const files[] = {"", "P6\n0 0\n255\n", "P6\n0 5\n255\n", "P6\n5 0\n255\n",
                                        "P6\n1 1\n255\n"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        imgret_input bytes = {.size = sizeof bytes,
                              .kind = IMGRET_INPUT_BYTES,
                              .data = files[i],
                              .data_bytes = strlen(files[i])};
        imgret_error error = IMGRET_ERROR_INIT;
        imgret_results *results;
        int32_t status = imgret_add(db, &bytes, NULL, NULL, &error);
        if (status != IMGRET_BAD_IMAGE && status != IMGRET_INVALID_ARGUMENT &&
            status != IMGRET_UNSUPPORTED)
            fail_msg("'%s': %s", files[i], imgret_status_name(status));
        assert_true(error.message[0] != '\0');
        assert_int_equal(imgret_query(&results, db, &bytes, NULL, NULL), status);
    }
    for (int side = 0; side < 2; side++) {
        imgret_input pixels = pixels_of(1, 1);
        *(side ? &pixels.width : &pixels.height) = 0;
        assert_int_equal(imgret_add(db, &pixels, NULL, NULL, NULL), IMGRET_INVALID_ARGUMENT);
    }
    imgret_stats stats = {.size = sizeof stats};
    imgret_get_stats(db, &stats, NULL);
    assert_int_equal(stats.image_count, 0);
    imgret_close(db);
}

/* ---- A label for each picture ---- */

enum { DIMENSION = 8, COMMIT_EVERY = 10000 };

static uint32_t label_count(void)
{
    const char *more = getenv("IMGRET_TEST_LONG");
    return more && more[0] == '1' ? 1000000 : SANITIZED(20000, 4000);
}

static void fill(float *vector, uint32_t number)
{
    for (uint32_t i = 0; i < DIMENSION; i++)
        vector[i] = sinf((float)(number % 9973) * 0.37f + (float)(i * i)) + (float)(number % 7);
}

static void add_labelled(imgret *db, uint32_t number)
{
    float vector[DIMENSION];
    char label[40];
    fill(vector, number);
    snprintf(label, sizeof label, "label number %u", number);
    imgret_input input = {.size = sizeof input,
                          .kind = IMGRET_INPUT_VECTOR,
                          .vector = vector,
                          .dimension = DIMENSION};
    imgret_add_result result = {.size = sizeof result};
    assert_int_equal(imgret_add(db, &input, NULL, &result, NULL), IMGRET_OK);
    assert_int_equal(imgret_set_label(db, result.id, label, 1, NULL), IMGRET_OK);
}

static uint64_t found(imgret *db, const char *where)
{
    float vector[DIMENSION];
    fill(vector, 5);
    imgret_input input = {.size = sizeof input,
                          .kind = IMGRET_INPUT_VECTOR,
                          .vector = vector,
                          .dimension = DIMENSION};
    imgret_query_options options = {.size = sizeof options, .k = 10, .where = where};
    imgret_results *results;
    imgret_error error = IMGRET_ERROR_INIT;
    if (imgret_query(&results, db, &input, &options, &error) != IMGRET_OK)
        fail_msg("%s: %s", where, error.message);
    uint64_t count = imgret_results_count(results);
    imgret_results_free(results);
    return count;
}

/* Learning one label among so many: the others' pictures are what it is told from. */
static void learn_one(imgret *db, uint32_t count)
{
    imgret_input examples[3];
    for (int i = 0; i < 3; i++)
        examples[i] = (imgret_input){
            .size = sizeof examples[i], .kind = IMGRET_INPUT_ID, .id = 1 + 7 * i};
    imgret_label_options options = {.size = sizeof options,
                                    .flags = IMGRET_LABEL_ASSIGN,
                                    .label = "new",
                                    .examples = examples,
                                    .example_count = 3};
    imgret_label_report report = {.size = sizeof report};
    imgret_error error = IMGRET_ERROR_INIT;
    if (imgret_label_examples(db, &options, &report, &error) != IMGRET_OK)
        fail_msg("%s", error.message);
    assert_int_equal(report.examined_count, count - 3);
    assert_int_equal(found(db, "label = 'new'"), 3); /* the others are as sure of theirs */
}

static void many_labels(void **state)
{
    fixture *f = *state;
    uint32_t count = label_count();
    imgret *db;
    imgret_open_options options = {.size = sizeof options, .model = "vectors:8"};
    assert_int_equal(imgret_open(&db, f->path, &options, NULL), IMGRET_OK);
    clock_t start = clock();
    for (uint32_t i = 0; i < count; i++) {
        if (i % COMMIT_EVERY == 0)
            assert_int_equal(imgret_begin(db, NULL), IMGRET_OK);
        add_labelled(db, i);
        if ((i + 1) % COMMIT_EVERY == 0 || i + 1 == count)
            assert_int_equal(imgret_commit(db, NULL), IMGRET_OK);
    }
    print_message("%u labels added: %.1f s of the processor\n", count,
                  (double)(clock() - start) / CLOCKS_PER_SEC);
    for (int segment = 0; segment < 2; segment++) {
        start = clock();
        assert_int_equal(found(db, "label = 'label number 77'"), 1);
        assert_int_equal(found(db, "label IN ('label number 1', 'label number 3999')"), 2);
        assert_int_equal(found(db, "label = 'no label'"), 0);
        assert_int_equal(found(db, "label GLOB 'label number 39?'"), 10);
        print_message("asked: %.3f s\n", (double)(clock() - start) / CLOCKS_PER_SEC);
        imgret_optimize_options force = {.size = sizeof force, .flags = IMGRET_OPTIMIZE_FORCE};
        assert_int_equal(imgret_optimize(db, &force, NULL), IMGRET_OK);
    }
    start = clock();
    learn_one(db, count);
    print_message("learned one more: %.1f s\n", (double)(clock() - start) / CLOCKS_PER_SEC);
    imgret_close(db);
    start = clock();
    assert_int_equal(imgret_open(&db, f->path, &options, NULL), IMGRET_OK);
    imgret_stats stats = {.size = sizeof stats};
    imgret_get_stats(db, &stats, NULL);
    assert_int_equal(stats.image_count, count);
    print_message("opened: %.3f s; catalogue: %llu bytes a picture\n",
                  (double)(clock() - start) / CLOCKS_PER_SEC,
                  (unsigned long long)(stats.catalog_bytes / count));
    imgret_close(db);
}

#define extremes_test(function) cmocka_unit_test_setup_teardown(function, setup, leave_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        extremes_test(thin_pictures_can_be_asked),
        extremes_test(thin_pictures_have_regions),
        extremes_test(empty_pictures_are_errors),
        extremes_test(many_labels),
    };
    return cmocka_run_group_tests_name("extremes", tests, NULL, NULL);
}
