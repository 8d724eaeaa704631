/* test_colors.c: colours as text, and pictures found by their colours. */
#include "pictures.h"

#include "base/alloc.h"

#include <imgret/imgret.h>
#include <math.h>

enum { SIDE = 48 };

typedef struct fixture {
    char folder[256];
    imgret *db;
} fixture;

/* The left `share` (percent) in one colour, the rest in another; 0xRRGGBB. */
static void paint(uint8_t *pixels, uint32_t left, uint32_t right, uint32_t share)
{
    for (uint32_t i = 0; i < SIDE * SIDE; i++) {
        uint32_t rgb = i % SIDE * 100 < share * SIDE ? left : right;
        pixels[3 * i] = (uint8_t)(rgb >> 16);
        pixels[3 * i + 1] = (uint8_t)(rgb >> 8);
        pixels[3 * i + 2] = (uint8_t)rgb;
    }
}

static imgret_input pixel_input(const uint8_t *pixels)
{
    return (imgret_input){.size = sizeof(imgret_input),
                          .kind = IMGRET_INPUT_PIXELS,
                          .data = pixels,
                          .data_bytes = 3 * SIDE * SIDE,
                          .width = SIDE,
                          .height = SIDE};
}

enum { RED = 1, MOSTLY_RED, RED_AND_BLUE, BLUE, GREEN, WHITE, DARK_RED };

static int setup(void **state)
{
    static const uint32_t pictures[][3] = {{0xC03020, 0xC03020, 100}, {0xC03020, 0xFFFFFF, 70},
                                           {0xC03020, 0x2040C0, 50},  {0x2040C0, 0x2040C0, 100},
                                           {0x208030, 0x208030, 100}, {0xFFFFFF, 0xFFFFFF, 100},
                                           {0x8B1A1A, 0x8B1A1A, 100}};
    fixture *f = calloc(1, sizeof *f);
    char path[300];
    make_folder(f->folder, "colors");
    snprintf(path, sizeof path, "%s/db.imgret", f->folder);
    imgret_open_options options = {.size = sizeof options, .model = "classic"};
    if (imgret_open(&f->db, path, &options, NULL))
        return -1;
    for (size_t i = 0; i < sizeof pictures / sizeof pictures[0]; i++) {
        uint8_t pixels[3 * SIDE * SIDE];
        paint(pixels, pictures[i][0], pictures[i][1], pictures[i][2]);
        imgret_input input = pixel_input(pixels);
        if (imgret_add(f->db, &input, NULL, NULL, NULL))
            return -1;
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

static imgret_results *query(imgret *db, const imgret_input *input, const char *colors,
                             imgret_query_options options)
{
    imgret_color_term terms[16];
    imgret_results *results = NULL;
    imgret_error error = IMGRET_ERROR_INIT;
    options.size = sizeof options;
    options.colors = terms;
    if (imgret_parse_colors(terms, 16, &options.color_count, colors, &error) ||
        imgret_query(&results, db, input, &options, &error))
        fail_msg("%s: %s", colors, error.message);
    return results;
}

static void assert_order(imgret_results *results, const int64_t *ids, uint64_t count)
{
    assert_int_equal(imgret_results_count(results), count);
    for (uint64_t i = 0; i < count; i++)
        assert_int_equal(imgret_results_at(results, i)->id, ids[i]);
    imgret_results_free(results);
}

static void a_color_ranks_by_its_share(void **state)
{
    fixture *f = *state;
    imgret_results *found = query(f->db, NULL, "#c03020", (imgret_query_options){.k = 5});
    assert_true(imgret_results_at(found, 0)->score > 0.99);
    assert_true(fabs(imgret_results_at(found, 1)->score - 0.7) < 0.03);
    assert_int_equal(imgret_results_at(found, 2)->id, RED_AND_BLUE);
    assert_true(fabs(imgret_results_at(found, 2)->score - 0.5) < 0.03);
    assert_int_equal(imgret_results_at(found, 3)->id, DARK_RED); /* near, not the same */
    assert_true(imgret_results_at(found, 3)->score > 0.03);
    assert_true(imgret_results_at(found, 4)->score < 0.01);
    imgret_results_free(found);
    assert_order(query(f->db, NULL, "#c03020",
                       (imgret_query_options){.flags = IMGRET_QUERY_MIN_SCORE, .min_score = 0.6}),
                 (const int64_t[]){RED, MOSTLY_RED}, 2);
}

static void a_palette_wants_all_of_its_colors(void **state)
{
    fixture *f = *state;
    assert_order(query(f->db, NULL, "#c03020,#2040c0", (imgret_query_options){.k = 1}),
                 (const int64_t[]){RED_AND_BLUE}, 1);
    assert_order(query(f->db, NULL, "#c03020:7, white:3", (imgret_query_options){.k = 2}),
                 (const int64_t[]){MOSTLY_RED, RED}, 2);
    assert_order(query(f->db, NULL, "#c03020:9,#2040c0:1", (imgret_query_options){.k = 2}),
                 (const int64_t[]){RED, MOSTLY_RED}, 2);
}

static void colors_go_with_filters_pages_and_exclusions(void **state)
{
    fixture *f = *state;
    assert_order(query(f->db, NULL, "#c03020", (imgret_query_options){.k = 2, .where = "id > 1"}),
                 (const int64_t[]){MOSTLY_RED, RED_AND_BLUE}, 2);
    const int64_t gone[] = {RED, RED_AND_BLUE};
    assert_order(query(f->db, NULL, "#c03020",
                       (imgret_query_options){.k = 2, .exclude_ids = gone, .exclude_count = 2}),
                 (const int64_t[]){MOSTLY_RED, DARK_RED}, 2);
    imgret_results *page = query(f->db, NULL, "#c03020", (imgret_query_options){.k = 2});
    imgret_results *next = query(
        f->db, NULL, "#c03020",
        (imgret_query_options){.k = 2, .cursor = imgret_results_cursor(page)});
    imgret_results_free(page);
    assert_order(next, (const int64_t[]){RED_AND_BLUE, DARK_RED}, 2);
}

/* Beside a picture the weight decides; what only the colours would find is found too. */
static void colors_go_with_a_picture(void **state)
{
    fixture *f = *state;
    uint8_t pixels[3 * SIDE * SIDE];
    paint(pixels, 0x208030, 0x208030, 100);
    imgret_input green = pixel_input(pixels);
    imgret_query_options options = {.k = 7, .color_weight = 0.01};
    imgret_results *found = query(f->db, &green, "blue", options);
    assert_int_equal(imgret_results_at(found, 0)->id, GREEN);
    imgret_results_free(found);
    options.color_weight = 1;
    found = query(f->db, &green, "#2040c0", options);
    assert_int_equal(imgret_results_at(found, 0)->id, BLUE);
    assert_int_equal(imgret_results_at(found, 1)->id, RED_AND_BLUE);
    assert_null(imgret_results_cursor(found));
    imgret_results_free(found);
    options = (imgret_query_options){.k = 1, .candidate_count = 1, .color_weight = 1};
    assert_order(query(f->db, &green, "#2040c0", options), (const int64_t[]){BLUE}, 1);
}

static void text_means_colors(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t count, rgb; /* of the first */
        double weight;
    } cases[] = {{"#c03020", 1, 0xC03020, 1},
                 {"#C03020:2", 1, 0xC03020, 2},
                 {"#c32", 1, 0xCC3322, 1},
                 {"black", 1, 0x000000, 1},
                 {"gray:0.25", 1, 0x808080, 0.25},
                 {" white:3 , #000 ", 2, 0xFFFFFF, 3},
                 {"#123456:10,red,green:2", 3, 0x123456, 10}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        imgret_color_term terms[16];
        uint32_t count;
        assert_int_equal(imgret_parse_colors(terms, 16, &count, cases[i].text, NULL), IMGRET_OK);
        assert_int_equal(count, cases[i].count);
        assert_int_equal(terms[0].red << 16 | terms[0].green << 8 | terms[0].blue, cases[i].rgb);
        assert_true(fabs(terms[0].weight - cases[i].weight) < 1e-9);
    }
    static const char *const wrong[] = {"",        ",",        "red,",
                                        "#",       "#12",      "#1234",
                                        "#12345g", "#1234567", "c03020",
                                        "Red",     "reddish",  "red:",
                                        "red:0",   "red:-1",   "red:nan",
                                        "red:1e3", "red:1:2",  "red::",
                                        ":1",      "red;blue", "red:99999999999999999999",
                                        "red:.",   "\xff",     "#c03020 red"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        imgret_color_term terms[16];
        uint32_t count;
        imgret_error error = IMGRET_ERROR_INIT;
        if (imgret_parse_colors(terms, 16, &count, wrong[i], &error) != IMGRET_INVALID_ARGUMENT)
            fail_msg("'%s' was taken", wrong[i]);
    }
    imgret_color_term one;
    uint32_t count;
    assert_int_equal(imgret_parse_colors(&one, 1, &count, "red,blue", NULL), IMGRET_LIMIT);
    assert_int_equal(imgret_parse_colors(&one, 1, &count, NULL, NULL), IMGRET_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_color_ranks_by_its_share),
        cmocka_unit_test(a_palette_wants_all_of_its_colors),
        cmocka_unit_test(colors_go_with_filters_pages_and_exclusions),
        cmocka_unit_test(colors_go_with_a_picture),
        cmocka_unit_test(text_means_colors),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
