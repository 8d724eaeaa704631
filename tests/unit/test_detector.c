/* test_detector.c: suppression and decoding by hand, a detector plugin, YOLOX's golden output. */
#include "pictures.h"

#include "base/alloc.h"
#include "extract/nms.h"

#include <imgret/imgret.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

/* ---- suppression ---- */

static void overlapping_boxes_of_a_class_are_one(void **state)
{
    (void)state;
    ir_detection boxes[] = {
        {0, 0, 10, 10, 0.5f, 1},   /* overlaps the next by 80 / 120 */
        {2, 0, 12, 10, 0.9f, 1},   /* the best */
        {2, 0, 12, 10, 0.8f, 2},   /* the same place, another class */
        {7, 0, 17, 10, 0.7f, 1},   /* with the best 50 / 150, with the first 30 / 170 */
        {50, 50, 60, 60, 0.6f, 1}, /* alone */
    };
    assert_int_equal(ir_detection_suppress(boxes, 5, 0.5f, 10), 4);
    const float scores[] = {0.9f, 0.8f, 0.7f, 0.6f};
    for (int i = 0; i < 4; i++)
        assert_float_equal(boxes[i].score, scores[i], 0);
}

static void the_border_of_overlap_is_kept(void **state)
{
    (void)state;
    ir_detection boxes[] = {{0, 0, 10, 10, 0.9f, 0}, {5, 0, 15, 10, 0.8f, 0}}; /* 50 / 150 */
    ir_detection again[2];
    memcpy(again, boxes, sizeof again);
    assert_int_equal(ir_detection_suppress(boxes, 2, 0.3334f, 10), 2);
    assert_int_equal(ir_detection_suppress(again, 2, 0.3333f, 10), 1);
    memcpy(again, boxes, sizeof again);
    assert_int_equal(ir_detection_suppress(again, 2, 1.0f, 1), 1); /* keep_max */
    assert_int_equal(ir_detection_suppress(again, 0, 0.5f, 1), 0);
    ir_detection touching[] = {{0, 0, 10, 10, 0.9f, 0}, {10, 0, 20, 10, 0.8f, 0}};
    assert_int_equal(ir_detection_suppress(touching, 2, 0.0f, 10), 2);
    ir_detection equal[] = {{5, 5, 9, 9, 0.5f, 0}, {0, 0, 3, 3, 0.5f, 0}, {9, 0, 12, 3, 0.5f, 0}};
    assert_int_equal(ir_detection_suppress(equal, 3, 0.5f, 10), 3); /* from above, from the left */
    assert_float_equal(equal[0].left, 0, 0);
    assert_float_equal(equal[1].left, 9, 0);
    assert_float_equal(equal[2].left, 5, 0);
}

/* ---- decoding ---- */

static imgret_backend_info small_grid(void)
{
    return (imgret_backend_info){
        .input_width = 32,
        .input_height = 16,
        .anchor_count = 8 + 2,
        .box_class_count = 2,
        .box_coding = IMGRET_BOXES_GRID,
        .stride_count = 2,
        .strides = {8, 16},
    };
}

static void a_grid_is_decoded_by_its_strides(void **state)
{
    (void)state;
    imgret_backend_info info = small_grid();
    float rows[10][7] = {{0}};
    ir_detection out[10];
    assert_int_equal(ir_detection_check(&info, NULL), IMGRET_OK);
    /* Cell 6 of stride 8: column 2, row 1. */
    const float small[7] = {0.25f, -0.5f, 0.0f, logf(2.0f), 0.8f, 0.5f, 1.0f};
    /* Cell 1 of stride 16: column 1, row 0. */
    const float large[7] = {0.5f, 0.5f, logf(0.5f), 0.0f, 0.5f, 1.0f, 0.0f};
    memcpy(rows[6], small, sizeof small);
    memcpy(rows[9], large, sizeof large);
    assert_int_equal(ir_detection_decode(&info, rows[0], 0.45f, out), 2);
    assert_float_equal(out[0].left, 18 - 4, 1e-4f); /* (2 + .25) * 8 = 18, 8 wide */
    assert_float_equal(out[0].right, 18 + 4, 1e-4f);
    assert_float_equal(out[0].top, 4 - 8, 1e-4f); /* (1 - .5) * 8 = 4, 16 high */
    assert_float_equal(out[0].bottom, 4 + 8, 1e-4f);
    assert_float_equal(out[0].score, 0.8f, 1e-6f);
    assert_int_equal(out[0].label, 1);
    assert_float_equal(out[1].left, 24 - 4, 1e-4f);
    assert_float_equal(out[1].bottom, 8 + 8, 1e-4f);
    assert_float_equal(out[1].score, 0.5f, 1e-6f);
    assert_int_equal(out[1].label, 0);
    assert_int_equal(ir_detection_decode(&info, rows[0], 0.51f, out), 1);
}

static void centres_are_pixels(void **state)
{
    (void)state;
    imgret_backend_info info = {.input_width = 32,
                                .input_height = 16,
                                .anchor_count = 1,
                                .box_class_count = 1,
                                .box_coding = IMGRET_BOXES_CENTRE};
    const float row[6] = {10, 5, 4, 2, 1.0f, 0.75f};
    ir_detection out;
    assert_int_equal(ir_detection_check(&info, NULL), IMGRET_OK);
    assert_int_equal(ir_detection_decode(&info, row, 0.1f, &out), 1);
    assert_float_equal(out.left, 8, 0);
    assert_float_equal(out.bottom, 6, 0);
    assert_float_equal(out.score, 0.75f, 0);
}

static void what_is_not_finite_is_no_box(void **state)
{
    (void)state;
    imgret_backend_info info = small_grid();
    ir_detection out[10];
    for (int i = 0; i < 7; i++)
        for (int bad = 0; bad < 3; bad++) {
            float rows[10][7] = {{0.5f, 0.5f, 0, 0, 1, 1, 0}};
            rows[0][i] = bad == 0 ? NAN : bad == 1 ? INFINITY : 1e38f;
            uint32_t count = ir_detection_decode(&info, rows[0], 0.5f, out);
            for (uint32_t n = 0; n < count; n++)
                assert_true(isfinite(out[n].left) && isfinite(out[n].bottom) &&
                            out[n].score <= 1.0f);
        }
}

static void impossible_shapes_are_refused(void **state)
{
    (void)state;
    imgret_backend_info cases[8];
    for (int i = 0; i < 8; i++)
        cases[i] = small_grid();
    cases[0].anchor_count = 11;
    cases[1].anchor_count = 0;
    cases[2].box_class_count = 0;
    cases[3].box_class_count = UINT32_MAX;
    cases[4].strides[1] = 0;
    cases[5].strides[1] = 12;
    cases[6].stride_count = 9;
    cases[7].box_coding = 0;
    for (int i = 0; i < 8; i++)
        assert_int_equal(ir_detection_check(&cases[i], NULL), IMGRET_BAD_MODEL);
}

/* ---- YOLOX's golden output ---- */

/* The float32 tensor that fills the end of a safetensors file. */
static float *read_tail(const char *path, size_t count)
{
    FILE *file = fopen(path, "rb");
    float *values = malloc(count * sizeof *values);
    assert_true(file && values);
    assert_int_equal(fseek(file, -(long)(count * sizeof *values), SEEK_END), 0);
    assert_int_equal(fread(values, sizeof *values, count, file), count);
    fclose(file);
    return values;
}

static imgret_backend_info yolox_info(void)
{
    return (imgret_backend_info){
        .input_width = 416,
        .input_height = 416,
        .anchor_count = 3549,
        .box_class_count = 80,
        .box_coding = IMGRET_BOXES_GRID,
        .stride_count = 3,
        .strides = {8, 16, 32},
    };
}

/* Two dogs, as an independent program reads the same numbers. */
static void yolox_finds_the_pets(void **state)
{
    (void)state;
    enum { VALUES = 3549 * 85 };
    static ir_detection out[3549];
    char path[512];
    if (!test_data(path, sizeof path, "weights/golden/yolox_nano_coco.golden.safetensors"))
        skip();
    imgret_backend_info info = yolox_info();
    float *rows = read_tail(path, VALUES);
    assert_int_equal(ir_detection_check(&info, NULL), IMGRET_OK);
    uint32_t count = ir_detection_decode(&info, rows, 0.3f, out);
    free(rows);
    assert_int_equal(count, 21);
    assert_int_equal(ir_detection_suppress(out, count, 0.45f, 100), 2);
    const float golden[2][5] = {
        {0.9033465f, 88.877387f, 28.226971f, 207.613275f, 240.889925f},
        {0.8429078f, 279.835105f, 141.063444f, 403.348281f, 298.998528f},
    };
    for (int i = 0; i < 2; i++) {
        assert_int_equal(out[i].label, 16); /* COCO's dog */
        assert_float_equal(out[i].score, golden[i][0], 1e-6f);
        assert_float_equal(out[i].left, golden[i][1], 1e-3f);
        assert_float_equal(out[i].top, golden[i][2], 1e-3f);
        assert_float_equal(out[i].right, golden[i][3], 1e-3f);
        assert_float_equal(out[i].bottom, golden[i][4], 1e-3f);
    }
}

/* ---- a database with the finder ---- */

enum { SIDE_PX = 128 };

typedef struct {
    char folder[256];
    char db[320];
} fixture;

static int set_up(void **state)
{
    fixture *here = calloc(1, sizeof *here);
    make_folder(here->folder, "detector");
    snprintf(here->db, sizeof here->db, "%s/db", here->folder);
    *state = here;
    return 0;
}

static int tear_down(void **state)
{
    fixture *here = *state;
    remove_folder(here->folder);
    free(here);
    return ir_alloc_live_count() == 0 ? 0 : -1;
}

static int32_t try_open(imgret **out, const fixture *here, const char *regions, imgret_error *error)
{
    imgret_open_options options = {.size = sizeof options,
                                   .regions = regions,
                                   .plugin_path = IMGRET_TEST_PLUGINS,
                                   .threads = 2};
    return imgret_open(out, here->db, &options, error);
}

static imgret *open_finder(const fixture *here, const char *regions)
{
    imgret *db;
    imgret_error error = IMGRET_ERROR_INIT;
    if (try_open(&db, here, regions, &error) != IMGRET_OK)
        fail_msg("%s", error.message);
    return db;
}

/* Fills a rectangle of a picture `width` pixels wide with one pure colour. */
static void paint(uint8_t *rgb, uint32_t width, uint32_t x, uint32_t y, uint32_t side, int channel,
                  uint8_t level)
{
    for (uint32_t j = y; j < y + side; j++)
        for (uint32_t i = x; i < x + side; i++)
            rgb[3 * ((size_t)j * width + i) + (size_t)channel] = level;
}

static int32_t try_add(imgret *db, uint8_t *rgb, uint32_t width, uint32_t height, int64_t *id)
{
    imgret_input input = {.size = sizeof input,
                          .kind = IMGRET_INPUT_PIXELS,
                          .data = rgb,
                          .data_bytes = (uint64_t)3 * width * height,
                          .width = width,
                          .height = height};
    imgret_add_result result = {.size = sizeof result};
    int32_t status = imgret_add(db, &input, NULL, &result, NULL);
    *id = result.id;
    return status;
}

static void assert_region(imgret *db, int64_t id, uint32_t ordinal, uint32_t x, uint32_t y,
                          uint32_t width, uint32_t height, const char *label, double score)
{
    imgret_regions *regions;
    assert_int_equal(imgret_get_regions(&regions, db, id, NULL), IMGRET_OK);
    const imgret_region *region = imgret_regions_at(regions, ordinal);
    assert_non_null(region);
    assert_int_equal(region->ordinal, ordinal);
    assert_int_equal(region->x, x);
    assert_int_equal(region->y, y);
    assert_int_equal(region->width, width);
    assert_int_equal(region->height, height);
    assert_true(fabs(region->score - score) < 1e-6);
    if (label)
        assert_string_equal(region->label, label);
    else
        assert_null(region->label);
    imgret_regions_free(regions);
}

static uint64_t count_regions(imgret *db, int64_t id)
{
    imgret_regions *regions;
    assert_int_equal(imgret_get_regions(&regions, db, id, NULL), IMGRET_OK);
    uint64_t count = imgret_regions_count(regions);
    imgret_regions_free(regions);
    return count;
}

/* A cell of 8 of the network's 32 pixels is 32 of the picture's 128. */
static void draw_two(uint8_t *rgb)
{
    memset(rgb, 0, (size_t)3 * SIDE_PX * SIDE_PX);
    paint(rgb, SIDE_PX, 0, 0, 64, 1, 255);   /* four small cells, and a large one: sure */
    paint(rgb, SIDE_PX, 96, 64, 32, 2, 255); /* one small cell */
}

static void objects_are_found_where_they_are(void **state)
{
    static uint8_t rgb[3 * SIDE_PX * SIDE_PX];
    imgret *db = open_finder(*state, "detector:finder?score=0.5&nms=0.2");
    int64_t id, empty;
    draw_two(rgb);
    assert_int_equal(try_add(db, rgb, SIDE_PX, SIDE_PX, &id), IMGRET_OK);
    /* The large green one swallows the four: each overlaps it by a quarter. */
    assert_int_equal(count_regions(db, id), 3);
    assert_region(db, id, 0, 0, 0, SIDE_PX, SIDE_PX, NULL, 0);
    assert_region(db, id, 1, 0, 0, 64, 64, "green", 1.0);
    assert_region(db, id, 2, 96, 64, 32, 32, "blue", 0.9);
    memset(rgb, 9, sizeof rgb);
    assert_int_equal(try_add(db, rgb, SIDE_PX, SIDE_PX, &empty), IMGRET_OK);
    assert_int_equal(count_regions(db, empty), 1);
    /* A picture twice as wide as high lies in the upper half of the network's input. */
    static uint8_t wide[3 * 2 * SIDE_PX * SIDE_PX];
    paint(wide, 2 * SIDE_PX, 192, 64, 64, 0, 255);
    assert_int_equal(try_add(db, wide, 2 * SIDE_PX, SIDE_PX, &id), IMGRET_OK);
    assert_int_equal(count_regions(db, id), 2);
    assert_region(db, id, 1, 192, 64, 64, 64, "red", 0.9);
    uint64_t problems = 1;
    assert_int_equal(imgret_check(db, NULL, NULL, &problems, NULL), IMGRET_OK);
    assert_int_equal(problems, 0);
    imgret_close(db);
}

/* The database does not come with its detector: it shows and finds what was detected all the same. */
static void an_export_keeps_labels_and_scores(void **state)
{
    const fixture *here = *state;
    fixture copied = *here;
    static uint8_t rgb[3 * SIDE_PX * SIDE_PX];
    char out[320];
    int64_t id;
    imgret_error error = IMGRET_ERROR_INIT;
    imgret *db = open_finder(here, "detector:finder?score=0.5&nms=0.2"), *copy;
    draw_two(rgb);
    assert_int_equal(try_add(db, rgb, SIDE_PX, SIDE_PX, &id), IMGRET_OK);
    snprintf(out, sizeof out, "%s/out", here->folder);
    snprintf(copied.db, sizeof copied.db, "%s/copy", here->folder);
    assert_int_equal(imgret_export(db, out, NULL, NULL), IMGRET_OK);
    imgret_close(db);
    if (imgret_import(copied.db, out, NULL, &error) != IMGRET_OK)
        fail_msg("%s", error.message);
    assert_int_equal(imgret_open(&copy, copied.db, NULL, NULL), IMGRET_OK); /* no plugin_path */
    assert_int_equal(count_regions(copy, id), 3);
    assert_region(copy, id, 1, 0, 0, 64, 64, "green", 1.0);
    assert_region(copy, id, 2, 96, 64, 32, 32, "blue", 0.9);
    imgret_close(copy);
    copy = open_finder(&copied, NULL); /* with it, it detects as before */
    rgb[0] ^= 1;
    assert_int_equal(try_add(copy, rgb, SIDE_PX, SIDE_PX, &id), IMGRET_OK);
    assert_region(copy, id, 2, 96, 64, 32, 32, "blue", 0.9);
    imgret_close(copy);
}

static void the_main_object_is_asked_with(void **state)
{
    static uint8_t rgb[3 * SIDE_PX * SIDE_PX];
    imgret *db = open_finder(*state, "detector:finder?score=0.5&nms=0.2");
    int64_t first, second;
    draw_two(rgb);
    assert_int_equal(try_add(db, rgb, SIDE_PX, SIDE_PX, &first), IMGRET_OK);
    memset(rgb, 60, sizeof rgb);
    assert_int_equal(try_add(db, rgb, SIDE_PX, SIDE_PX, &second), IMGRET_OK);
    memset(rgb, 0, sizeof rgb); /* the green thing, elsewhere */
    paint(rgb, SIDE_PX, 64, 64, 64, 1, 255);
    imgret_input input = {.size = sizeof input,
                          .kind = IMGRET_INPUT_PIXELS,
                          .data = rgb,
                          .data_bytes = sizeof rgb,
                          .width = SIDE_PX,
                          .height = SIDE_PX};
    imgret_query_options options = {
        .size = sizeof options, .flags = IMGRET_QUERY_MAIN_OBJECT, .search = IMGRET_SEARCH_BOTH};
    imgret_results *results;
    assert_int_equal(imgret_query(&results, db, &input, &options, NULL), IMGRET_OK);
    const imgret_hit *hit = imgret_results_at(results, 0);
    assert_int_equal(hit->id, first);
    assert_int_equal(hit->region, 1);
    assert_int_equal(hit->box_width, 64);
    assert_string_equal(hit->region_label, "green");
    assert_true(fabs(hit->region_score - 1.0) < 1e-6);
    assert_true(hit->score > 0.999);
    imgret_results_free(results);
    memset(rgb, 60, sizeof rgb);
    assert_int_equal(imgret_query(&results, db, &input, &options, NULL), IMGRET_NOT_FOUND);
    imgret_input id = {.size = sizeof id, .kind = IMGRET_INPUT_ID, .id = second};
    assert_int_equal(imgret_query(&results, db, &id, &options, NULL), IMGRET_NOT_FOUND);
    imgret_close(db);
}

static void a_filter_chooses_among_objects(void **state)
{
    static uint8_t rgb[3 * SIDE_PX * SIDE_PX];
    imgret *db = open_finder(*state, "detector:finder?score=0.5&nms=0.2");
    int64_t id;
    draw_two(rgb);
    assert_int_equal(try_add(db, rgb, SIDE_PX, SIDE_PX, &id), IMGRET_OK);
    imgret_input input = {.size = sizeof input,
                          .kind = IMGRET_INPUT_PIXELS,
                          .data = rgb,
                          .data_bytes = sizeof rgb,
                          .width = SIDE_PX,
                          .height = SIDE_PX};
    static const struct {
        const char *where;
        uint64_t count;
    } cases[] = {{"region_label = 'blue'", 1},  {"region_label = 'red'", 0},
                 {"region_label >= 'blue'", 2}, {"region_score > 0.95", 1},
                 {"region_label IS NULL", 1},   {"width = 128", 3}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        imgret_query_options options = {
            .size = sizeof options, .where = cases[i].where, .search = IMGRET_SEARCH_BOTH};
        imgret_results *results;
        assert_int_equal(imgret_query(&results, db, &input, &options, NULL), IMGRET_OK);
        assert_int_equal(imgret_results_count(results), cases[i].count);
        imgret_results_free(results);
    }
    imgret_list_options list = {.size = sizeof list, .where = "region_label IS NULL"};
    imgret_records *records;
    assert_int_equal(imgret_list(&records, db, &list, NULL), IMGRET_OK);
    assert_int_equal(imgret_records_count(records), 1);
    imgret_records_free(records);
    imgret_close(db);
}

static void a_file_of_labels_names_the_classes(void **state)
{
    const fixture *here = *state;
    static uint8_t rgb[3 * SIDE_PX * SIDE_PX];
    char labels[320], spec[400];
    int64_t id;
    snprintf(labels, sizeof labels, "%s/labels", here->folder);
    snprintf(spec, sizeof spec, "detector:finder?labels=%s&nms=0.2", labels);
    write_text(labels, "rouge\r\nvert\nbl\xc3\xa9u");
    imgret *db = open_finder(here, spec);
    draw_two(rgb);
    assert_int_equal(try_add(db, rgb, SIDE_PX, SIDE_PX, &id), IMGRET_OK);
    assert_region(db, id, 1, 0, 0, 64, 64, "vert", 1.0);
    assert_region(db, id, 2, 96, 64, 32, 32, "bl\xc3\xa9u", 0.9);
    imgret_close(db);
    write_text(labels, "rouge\nvert\n"); /* one is missing */
    db = open_finder(here, NULL);
    rgb[0] ^= 2;
    assert_int_equal(try_add(db, rgb, SIDE_PX, SIDE_PX, &id), IMGRET_MISMATCH);
    imgret_close(db);
    write_text(labels, "no UTF-8: \xff\n\xff\n\xff\n");
    db = open_finder(here, NULL);
    rgb[0] ^= 1;
    assert_int_equal(try_add(db, rgb, SIDE_PX, SIDE_PX, &id), IMGRET_INVALID_ARGUMENT);
    imgret_close(db);
    assert_int_equal(remove(labels), 0);
    db = open_finder(here, NULL); /* it still answers */
    assert_int_equal(count_regions(db, 1), 3);
    assert_int_equal(try_add(db, rgb, SIDE_PX, SIDE_PX, &id), IMGRET_NOT_FOUND);
    imgret_close(db);
}

static void labels_that_moved_are_remembered(void **state)
{
    const fixture *here = *state;
    static uint8_t rgb[3 * SIDE_PX * SIDE_PX];
    char labels[320], spec[400];
    int64_t id;
    imgret *db = open_finder(here, "detector:finder?nms=0.2");
    imgret_close(db);
    snprintf(labels, sizeof labels, "%s/labels", here->folder);
    snprintf(spec, sizeof spec, "detector:finder?nms=0.2&labels=%s", labels);
    write_text(labels, "a\nb\nc\n");
    db = open_finder(here, spec);
    imgret_close(db);
    db = open_finder(here, NULL);
    draw_two(rgb);
    assert_int_equal(try_add(db, rgb, SIDE_PX, SIDE_PX, &id), IMGRET_OK);
    assert_region(db, id, 1, 0, 0, 64, 64, "b", 1.0);
    imgret_stats stats = {.size = sizeof stats};
    assert_int_equal(imgret_get_stats(db, &stats, NULL), IMGRET_OK);
    assert_non_null(strstr(stats.regions, labels));
    imgret_close(db);
}

static void another_detector_is_a_mismatch(void **state)
{
    const fixture *here = *state;
    imgret *db = open_finder(here, "detector:finder");
    imgret_close(db);
    static const char *const others[] = {
        "none",
        "grid=2x2",
        "detector:finder?score=0.31",
        "detector:finder?nms=0.5",
        "detector:finder?max=17",
        "detector:finder?act=other",
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_int_equal(try_open(&db, here, others[i], NULL), IMGRET_MISMATCH);
    assert_int_equal(try_open(&db, here, "detector:finder;act=centred?score=0.3", NULL),
                     IMGRET_OK); /* unknown acts change nothing */
    imgret_close(db);
}

static void what_a_backend_may_not_say(void **state)
{
    const fixture *here = *state;
    imgret *db;
    static const char *const acts[] = {"width",   "shorter", "filter",  "anchors",
                                       "classes", "coding",  "strides", "stride"};
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
        char spec[64];
        snprintf(spec, sizeof spec, "detector:finder?act=%s", acts[i]);
        assert_int_equal(try_open(&db, here, spec, NULL), IMGRET_BAD_MODEL);
    }
    assert_int_equal(try_open(&db, here, "detector:fake", NULL), IMGRET_BAD_MODEL);
    assert_int_equal(try_open(&db, here, "detector:classic", NULL), IMGRET_BAD_MODEL);
    assert_int_equal(try_open(&db, here, "detector:nobody", NULL), IMGRET_NOT_FOUND);
    static const char *const bad[] = {
        "detector:",
        "detector:finder?",
        "detector:finder?score",
        "detector:?max=3",
        "detector:finder?score=2",
        "detector:finder?score=-1",
        "detector:finder?nms=nan",
        "detector:finder?max=0",
        "detector:finder?max=256",
        "detector:finder?max=1&",
        "detector:finder?max=1&&nms=1",
        "detector:finder?color=1",
        "detector:finder?act=a&act=b",
        "detector:finder?=1",
        "detector:finder?Act=1",
        "detector:vectors:4",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int32_t status = try_open(&db, here, bad[i], NULL);
        if (status != IMGRET_INVALID_ARGUMENT)
            fail_msg("\"%s\" gives %d", bad[i], status);
    }
}

static void a_detector_that_fails_fails_the_picture(void **state)
{
    fixture *here = *state;
    static uint8_t rgb[3 * SIDE_PX * SIDE_PX];
    static const struct {
        const char *act;
        int32_t status;
        uint64_t regions;
    } cases[] = {{"detect", IMGRET_IO, 0},
                 {"nan", IMGRET_OK, 0},
                 {"huge", IMGRET_OK, 1},
                 {"nameless", IMGRET_OK, 3},
                 {"centre", IMGRET_OK, 3}};
    draw_two(rgb);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char spec[64];
        int64_t id;
        snprintf(spec, sizeof spec, "detector:finder?act=%s&nms=0.2", cases[i].act);
        snprintf(here->db, sizeof here->db, "%s/%s", here->folder, cases[i].act);
        imgret *db = open_finder(here, spec);
        assert_int_equal(try_add(db, rgb, SIDE_PX, SIDE_PX, &id), cases[i].status);
        if (cases[i].regions)
            assert_int_equal(count_regions(db, id), cases[i].regions);
        if (strcmp(cases[i].act, "nameless") == 0)
            assert_region(db, id, 2, 96, 64, 32, 32, "class 2", 0.9);
        imgret_close(db);
    }
}

/* ---- threads ---- */

enum { THREADS = 4, ROUNDS = 6 };

typedef struct {
    imgret *db;
    int number;
    atomic_int *failures;
} crew;

/* Adds pictures with one object each, and asks with it: by the picture, then by its id. */
static void *add_and_ask(void *argument)
{
    const crew *me = argument;
    uint8_t *rgb = calloc(3, SIDE_PX * SIDE_PX);
    for (int i = 0; rgb && i < ROUNDS; i++) {
        uint32_t cell = (uint32_t)(me->number * ROUNDS + i) % 16;
        memset(rgb, me->number * ROUNDS + i + 1, (size_t)3 * SIDE_PX * SIDE_PX);
        paint(rgb, SIDE_PX, cell % 4 * 32, cell / 4 * 32, 32, me->number % 3, 255);
        imgret_input input = {.size = sizeof input,
                              .kind = IMGRET_INPUT_PIXELS,
                              .data = rgb,
                              .data_bytes = (uint64_t)3 * SIDE_PX * SIDE_PX,
                              .width = SIDE_PX,
                              .height = SIDE_PX};
        imgret_add_result added = {.size = sizeof added};
        int32_t status = imgret_add(me->db, &input, NULL, &added, NULL);
        imgret_input id = {.size = sizeof id, .kind = IMGRET_INPUT_ID, .id = added.id};
        imgret_query_options options = {.size = sizeof options,
                                        .k = 50,
                                        .flags = IMGRET_QUERY_MAIN_OBJECT |
                                                 IMGRET_QUERY_INCLUDE_SELF | IMGRET_QUERY_GROUP,
                                        .search = IMGRET_SEARCH_OBJECTS};
        for (int way = 0; way < 2 && !status; way++) {
            imgret_results *results;
            bool found = false;
            status = imgret_query(&results, me->db, way ? &id : &input, &options, NULL);
            for (uint64_t n = 0; n < imgret_results_count(results); n++)
                found = found || imgret_results_at(results, n)->id == added.id;
            if (!found)
                status = IMGRET_INTERNAL;
            imgret_results_free(results);
        }
        if (status)
            atomic_fetch_add(me->failures, 1);
    }
    free(rgb);
    return NULL;
}

static void threads_share_a_detector(void **state)
{
    imgret *db = open_finder(*state, "detector:finder");
    imgret_close(db);
    db = open_finder(*state, NULL); /* not loaded yet: all come at once */
    pthread_t threads[THREADS];
    crew crews[THREADS];
    atomic_int failures = 0;
    for (int i = 0; i < THREADS; i++) {
        crews[i] = (crew){db, i, &failures};
        assert_int_equal(pthread_create(&threads[i], NULL, add_and_ask, &crews[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(failures, 0);
    imgret_stats stats = {.size = sizeof stats};
    assert_int_equal(imgret_get_stats(db, &stats, NULL), IMGRET_OK);
    assert_int_equal(stats.image_count, THREADS * ROUNDS);
    assert_int_equal(stats.vector_count, 2 * THREADS * ROUNDS);
    imgret_close(db);
}

/* The folder of the torch plugin; skips the test when it was not built. */
static void find_torch(char folder[PATH_MAX])
{
    char self[PATH_MAX] = "", path[PATH_MAX + 64];
    const char *given = getenv("IMGRET_PLUGIN_PATH");
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    for (int up = 0; up < 2 && length > 0; up++)
        *strrchr(self, '/') = '\0';
    if (given && given[0])
        snprintf(folder, PATH_MAX, "%s", given);
    else
        snprintf(folder, PATH_MAX, "%.4000s/lib/imgret", self);
    snprintf(path, sizeof path, "%s/imgret_torch.so", folder);
    if (access(path, R_OK) != 0)
        skip_because("the torch plugin was not built");
}

/* The whole way: the photo, decoded and letterboxed, through the network; within what another
 * decoder and another filter make of the edges. */
static void yolox_finds_the_pets_in_the_photo(void **state)
{
    const fixture *here = *state;
    char weights[512], photo[512], folder[PATH_MAX], spec[600];
    if (!test_data(weights, sizeof weights, "weights/yolox_nano_coco.safetensors") ||
        !test_data(photo, sizeof photo, "coral_photos/pets.jpg"))
        skip();
    find_torch(folder);
    snprintf(spec, sizeof spec, "detector:%s", weights);
    imgret_open_options options = {
        .size = sizeof options, .regions = spec, .plugin_path = folder, .threads = 1};
    imgret *db;
    imgret_error error = IMGRET_ERROR_INIT;
    if (imgret_open(&db, here->db, &options, &error) != IMGRET_OK)
        fail_msg("%s", error.message);
    imgret_input input = {.size = sizeof input, .kind = IMGRET_INPUT_FILE, .path = photo};
    imgret_add_result result = {.size = sizeof result};
    assert_int_equal(imgret_add(db, &input, NULL, &result, &error), IMGRET_OK);
    imgret_regions *regions;
    assert_int_equal(imgret_get_regions(&regions, db, result.id, NULL), IMGRET_OK);
    assert_int_equal(imgret_regions_count(regions), 3);
    const double ratio = 416.0 / 512.0;
    const double golden[2][5] = {{0.9033, 88.88, 28.23, 207.61, 240.89},
                                 {0.8429, 279.84, 141.06, 403.35, 299.00}};
    for (uint64_t i = 0; i < 2; i++) {
        const imgret_region *dog = imgret_regions_at(regions, i + 1);
        assert_string_equal(dog->label, "class 16");
        assert_true(fabs(dog->score - golden[i][0]) < 0.03);
        assert_true(fabs(dog->x - golden[i][1] / ratio) < 4);
        assert_true(fabs(dog->y - golden[i][2] / ratio) < 4);
        assert_true(fabs((double)dog->x + dog->width - golden[i][3] / ratio) < 4);
        assert_true(fabs((double)dog->y + dog->height - golden[i][4] / ratio) < 4);
    }
    imgret_regions_free(regions);
    imgret_close(db);
}

#define detector_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(overlapping_boxes_of_a_class_are_one),
        cmocka_unit_test(the_border_of_overlap_is_kept),
        cmocka_unit_test(a_grid_is_decoded_by_its_strides),
        cmocka_unit_test(centres_are_pixels),
        cmocka_unit_test(what_is_not_finite_is_no_box),
        cmocka_unit_test(impossible_shapes_are_refused),
        cmocka_unit_test(yolox_finds_the_pets),
        detector_test(objects_are_found_where_they_are),
        detector_test(the_main_object_is_asked_with),
        detector_test(an_export_keeps_labels_and_scores),
        detector_test(a_filter_chooses_among_objects),
        detector_test(a_file_of_labels_names_the_classes),
        detector_test(labels_that_moved_are_remembered),
        detector_test(another_detector_is_a_mismatch),
        detector_test(what_a_backend_may_not_say),
        detector_test(a_detector_that_fails_fails_the_picture),
        detector_test(threads_share_a_detector),
        detector_test(yolox_finds_the_pets_in_the_photo),
    };
    return cmocka_run_group_tests_name("detector", tests, NULL, NULL);
}
