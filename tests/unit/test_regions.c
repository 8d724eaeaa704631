/* test_regions.c: a database whose pictures have five vectors each, through the public API. */
#include "pictures.h"

#include "base/alloc.h"
#include "extract/boxes.h"

#include <imgret/imgret.h>
#include <math.h>

enum { TILE_PX = 64, SIDE_PX = 2 * TILE_PX, PICTURES = 12 };

typedef struct {
    char folder[256];
    char db[320];
} fixture;

static int set_up(void **state)
{
    fixture *here = calloc(1, sizeof *here);
    make_folder(here->folder, "regions");
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

static int32_t try_open(imgret **out, const fixture *here, const char *regions, uint32_t flags,
                        imgret_error *error)
{
    imgret_open_options options = {
        .size = sizeof options, .flags = flags, .regions = regions, .threads = 2};
    return imgret_open(out, here->db, &options, error);
}

static imgret *open_grid(const fixture *here)
{
    imgret *db;
    imgret_error error = IMGRET_ERROR_INIT;
    if (try_open(&db, here, "grid=2x2", 0, &error) != IMGRET_OK)
        fail_msg("%s", error.message);
    return db;
}

/* Four stripes pictures side by side: tile t of picture n is of seed 4n + t. */
static void draw_tiles(uint8_t *rgb, uint32_t number)
{
    static uint8_t tile[3 * TILE_PX * TILE_PX];
    for (uint32_t t = 0; t < 4; t++) {
        draw_stripes(tile, TILE_PX, 4 * number + t);
        for (uint32_t y = 0; y < TILE_PX; y++)
            memcpy(rgb + 3 * ((size_t)(t / 2 * TILE_PX + y) * SIDE_PX + t % 2 * TILE_PX),
                   tile + 3 * (size_t)y * TILE_PX, (size_t)3 * TILE_PX);
    }
}

static imgret_input pixels_of(uint8_t *rgb, uint32_t side)
{
    return (imgret_input){.size = sizeof(imgret_input),
                          .kind = IMGRET_INPUT_PIXELS,
                          .data = rgb,
                          .data_bytes = (uint64_t)3 * side * side,
                          .width = side,
                          .height = side};
}

static int64_t add(imgret *db, uint32_t number, const char *uri, const char *metadata)
{
    static uint8_t rgb[3 * SIDE_PX * SIDE_PX];
    draw_tiles(rgb, number);
    imgret_input input = pixels_of(rgb, SIDE_PX);
    imgret_add_options options = {.size = sizeof options, .uri = uri, .metadata = metadata};
    imgret_add_result result = {.size = sizeof result};
    imgret_error error = IMGRET_ERROR_INIT;
    if (imgret_add(db, &input, &options, &result, &error) != IMGRET_OK)
        fail_msg("%s", error.message);
    return result.id;
}

static void fill(imgret *db)
{
    for (uint32_t n = 0; n < PICTURES; n++) {
        char uri[32], metadata[32];
        snprintf(uri, sizeof uri, "picture-%u", n);
        snprintf(metadata, sizeof metadata, "{\"n\":%u}", n);
        assert_int_equal(add(db, n, uri, metadata), n + 1);
    }
}

static imgret_results *ask(imgret *db, const imgret_input *input, uint32_t search, uint32_t k,
                           uint32_t flags, const char *where)
{
    imgret_results *results;
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_query_options options = {
        .size = sizeof options, .flags = flags, .k = k, .where = where, .search = search};
    if (imgret_query(&results, db, input, &options, &error) != IMGRET_OK)
        fail_msg("%s", error.message);
    return results;
}

/* Asks with one tile of picture `number`. */
static imgret_results *ask_tile(imgret *db, uint32_t number, uint32_t tile, uint32_t search,
                                uint32_t k, uint32_t flags, const char *where)
{
    static uint8_t rgb[3 * TILE_PX * TILE_PX];
    draw_stripes(rgb, TILE_PX, 4 * number + tile);
    imgret_input input = pixels_of(rgb, TILE_PX);
    return ask(db, &input, search, k, flags, where);
}

static void assert_tile_found(imgret *db, uint32_t number, uint32_t tile, int64_t id)
{
    imgret_results *results = ask_tile(db, number, tile, IMGRET_SEARCH_OBJECTS, 3, 0, NULL);
    const imgret_hit *hit = imgret_results_at(results, 0);
    assert_int_equal(hit->id, id);
    assert_int_equal(hit->region, tile + 1);
    assert_int_equal(hit->box_x, tile % 2 * TILE_PX);
    assert_int_equal(hit->box_y, tile / 2 * TILE_PX);
    assert_int_equal(hit->box_width, TILE_PX);
    assert_int_equal(hit->box_height, TILE_PX);
    assert_int_equal(hit->width, SIDE_PX);
    assert_true(hit->score > 0.999);
    assert_null(hit->region_label);
    imgret_results_free(results);
}

static void assert_healthy(imgret *db, uint64_t images)
{
    uint64_t problems = 1;
    imgret_stats stats = {.size = sizeof stats};
    assert_int_equal(imgret_check(db, NULL, NULL, &problems, NULL), IMGRET_OK);
    assert_int_equal(problems, 0);
    assert_int_equal(imgret_get_stats(db, &stats, NULL), IMGRET_OK);
    assert_int_equal(stats.image_count, images);
    assert_int_equal(stats.vector_count, 5 * images);
}

static void a_part_is_found_with_its_box(void **state)
{
    imgret *db = open_grid(*state);
    fill(db);
    for (uint32_t n = 0; n < PICTURES; n++)
        for (uint32_t tile = 0; tile < 4; tile++)
            assert_tile_found(db, n, tile, n + 1);
    imgret_results *results = ask_tile(db, 3, 0, IMGRET_SEARCH_WHOLE, 100, 0, NULL);
    assert_int_equal(imgret_results_count(results), PICTURES);
    for (uint64_t i = 0; i < PICTURES; i++) {
        const imgret_hit *hit = imgret_results_at(results, i);
        assert_int_equal(hit->region, 0);
        assert_int_equal(hit->box_x + hit->box_y, 0);
        assert_int_equal(hit->box_width, SIDE_PX);
    }
    imgret_results_free(results);
    results = ask_tile(db, 3, 0, IMGRET_SEARCH_BOTH, 1000, 0, NULL);
    assert_int_equal(imgret_results_count(results), 5 * PICTURES);
    imgret_results_free(results);
    assert_healthy(db, PICTURES);
    imgret_close(db);
}

/* Every image at most once, best first, and as many as there can be. */
static void assert_groups(imgret_results *results, uint64_t wanted)
{
    assert_int_equal(imgret_results_count(results), wanted);
    for (uint64_t i = 0; i < wanted; i++)
        for (uint64_t j = 0; j < i; j++) {
            assert_true(imgret_results_at(results, i)->id != imgret_results_at(results, j)->id);
            assert_true(imgret_results_at(results, i)->score <=
                        imgret_results_at(results, j)->score);
        }
}

static void groups_are_filled_to_k(void **state)
{
    imgret *db = open_grid(*state);
    fill(db);
    for (uint32_t k = 1; k <= PICTURES + 3; k++) {
        uint32_t wanted = k < PICTURES ? k : PICTURES;
        imgret_results *results = ask_tile(db, 5, 2, IMGRET_SEARCH_BOTH, k, IMGRET_QUERY_GROUP,
                                           NULL);
        assert_groups(results, wanted);
        assert_int_equal(imgret_results_at(results, 0)->id, 6);
        assert_int_equal(imgret_results_at(results, 0)->region, 3);
        imgret_results_free(results);
        results = ask_tile(db, 5, 2, IMGRET_SEARCH_OBJECTS, k, IMGRET_QUERY_GROUP,
                           "meta->>'n' IN (2, 5, 9)");
        assert_groups(results, k < 3 ? k : 3);
        imgret_results_free(results);
    }
    /* Without groups a filter lets through every object of what matches. */
    imgret_results *results = ask_tile(db, 5, 2, IMGRET_SEARCH_OBJECTS, 100, 0,
                                       "meta->>'n' IN (2, 5, 9)");
    assert_int_equal(imgret_results_count(results), 12);
    imgret_results_free(results);
    results = ask_tile(db, 5, 2, IMGRET_SEARCH_WHOLE, 100, 0, "meta->>'n' > 100");
    assert_int_equal(imgret_results_count(results), 0);
    imgret_results_free(results);
    imgret_close(db);
}

static void asking_by_id_leaves_the_whole_image_out(void **state)
{
    imgret *db = open_grid(*state);
    fill(db);
    imgret_input input = {.size = sizeof input, .kind = IMGRET_INPUT_ID, .id = 4};
    imgret_results *results = ask(db, &input, IMGRET_SEARCH_BOTH, 1000, 0, NULL);
    assert_int_equal(imgret_results_count(results), 5 * (PICTURES - 1));
    imgret_results_free(results);
    imgret_query_options options = {.size = sizeof options,
                                    .flags = IMGRET_QUERY_INCLUDE_SELF,
                                    .k = 1,
                                    .search = IMGRET_SEARCH_OBJECTS,
                                    .region = 2};
    assert_int_equal(imgret_query(&results, db, &input, &options, NULL), IMGRET_OK);
    assert_int_equal(imgret_results_at(results, 0)->id, 4);
    assert_int_equal(imgret_results_at(results, 0)->region, 2);
    imgret_results_free(results);
    options.region = 5; /* there are four */
    assert_int_equal(imgret_query(&results, db, &input, &options, NULL), IMGRET_NOT_FOUND);
    options.region = 0;
    options.flags |= IMGRET_QUERY_MAIN_OBJECT; /* all are alike: the first */
    assert_int_equal(imgret_query(&results, db, &input, &options, NULL), IMGRET_OK);
    assert_int_equal(imgret_results_at(results, 0)->region, 1);
    imgret_results_free(results);
    imgret_close(db);
}

static int32_t ask_box(imgret *db, uint32_t number, const imgret_box *box, uint32_t flags,
                       imgret_results **results)
{
    static uint8_t rgb[3 * SIDE_PX * SIDE_PX];
    draw_tiles(rgb, number);
    imgret_input input = pixels_of(rgb, SIDE_PX);
    imgret_query_options options = {.size = sizeof options,
                                    .flags = flags,
                                    .k = 1,
                                    .box = box,
                                    .search = IMGRET_SEARCH_OBJECTS};
    return imgret_query(results, db, &input, &options, NULL);
}

static void a_box_of_the_query_is_what_is_asked(void **state)
{
    imgret *db = open_grid(*state);
    imgret_results *results;
    fill(db);
    imgret_box box = {sizeof box, TILE_PX, 0, TILE_PX, TILE_PX};
    assert_int_equal(ask_box(db, 7, &box, 0, &results), IMGRET_OK);
    assert_int_equal(imgret_results_at(results, 0)->id, 8);
    assert_int_equal(imgret_results_at(results, 0)->region, 2);
    imgret_results_free(results);
    box = (imgret_box){sizeof box, TILE_PX, -1000, UINT32_MAX,
                       1000 + TILE_PX}; /* cut to the same */
    assert_int_equal(ask_box(db, 7, &box, 0, &results), IMGRET_OK);
    assert_int_equal(imgret_results_at(results, 0)->region, 2);
    assert_true(imgret_results_at(results, 0)->score > 0.999);
    imgret_results_free(results);
    assert_int_equal(ask_box(db, 7, NULL, IMGRET_QUERY_MAIN_OBJECT, &results), IMGRET_OK);
    assert_int_equal(imgret_results_at(results, 0)->region, 1);
    imgret_results_free(results);
    const imgret_box outside[] = {
        {sizeof box, SIDE_PX, 0, 10, 10},
        {sizeof box, 0, SIDE_PX, 10, 10},
        {sizeof box, -10, 0, 10, 10},
        {sizeof box, 0, 0, 0, 10},
        {sizeof box, 0, 0, 10, 0},
        {sizeof box, INT32_MIN, INT32_MIN, 5, 5},
        {4, 0, 0, 10, 10},
        {sizeof box, INT32_MAX, INT32_MAX, UINT32_MAX, 1},
    };
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        assert_int_equal(ask_box(db, 7, &outside[i], 0, &results), IMGRET_INVALID_ARGUMENT);
        assert_null(results);
    }
    imgret_close(db);
}

static void nonsense_is_refused(void **state)
{
    imgret *db = open_grid(*state);
    imgret_results *results;
    fill(db);
    imgret_box box = {sizeof box, 0, 0, 1, 1};
    imgret_input id = {.size = sizeof id, .kind = IMGRET_INPUT_ID, .id = 1};
    float vector[4] = {0};
    imgret_input ready = {
        .size = sizeof ready, .kind = IMGRET_INPUT_VECTOR, .vector = vector, .dimension = 4};
    const struct {
        const imgret_input *input;
        imgret_query_options options;
    } cases[] = {
        {&id, {.size = sizeof(imgret_query_options), .box = &box}},
        {&id, {.size = sizeof(imgret_query_options), .search = 3}},
        {&id, {.size = sizeof(imgret_query_options), .region = 256}},
        {&id,
         {.size = sizeof(imgret_query_options), .region = 1, .flags = IMGRET_QUERY_MAIN_OBJECT}},
        {&ready, {.size = sizeof(imgret_query_options), .region = 1}},
        {&ready, {.size = sizeof(imgret_query_options), .box = &box}},
        {&ready, {.size = sizeof(imgret_query_options), .flags = IMGRET_QUERY_MAIN_OBJECT}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(imgret_query(&results, db, cases[i].input, &cases[i].options, NULL),
                         IMGRET_INVALID_ARGUMENT);
    imgret_close(db);
}

static void removing_and_replacing_take_all_along(void **state)
{
    const fixture *here = *state;
    imgret *db = open_grid(here), *other = open_grid(here);
    fill(db);
    assert_tile_found(other, 3, 1, 4); /* so that it holds what is about to go */
    assert_int_equal(imgret_remove(db, 4, NULL), IMGRET_OK);
    assert_int_equal(add(db, 100, "picture-7", NULL), 8);
    for (int round = 0; round < 2; round++) {
        imgret *seen_by = round ? other : db;
        imgret_results *results = ask_tile(seen_by, 3, 1, IMGRET_SEARCH_BOTH, 1000, 0, NULL);
        assert_int_equal(imgret_results_count(results), 5 * (PICTURES - 1));
        assert_true(imgret_results_at(results, 0)->score < 0.999);
        imgret_results_free(results);
        results = ask_tile(seen_by, 7, 1, IMGRET_SEARCH_BOTH, 1, 0, NULL);
        assert_true(imgret_results_at(results, 0)->score < 0.999);
        imgret_results_free(results);
        assert_tile_found(seen_by, 100, 2, 8);
        assert_healthy(seen_by, PICTURES - 1);
    }
    imgret_regions *regions;
    assert_int_equal(imgret_get_regions(&regions, db, 4, NULL), IMGRET_NOT_FOUND);
    assert_null(regions);
    imgret_close(other);
    imgret_close(db);
}

static void a_transaction_takes_all_or_nothing(void **state)
{
    imgret *db = open_grid(*state);
    fill(db);
    for (int keep = 0; keep < 2; keep++) {
        assert_int_equal(imgret_begin(db, NULL), IMGRET_OK);
        add(db, 50, "new", NULL);
        assert_int_equal(imgret_remove(db, 1, NULL), IMGRET_OK);
        add(db, 51, "picture-1", NULL);
        if (keep)
            assert_int_equal(imgret_commit(db, NULL), IMGRET_OK);
        else
            assert_int_equal(imgret_rollback(db, NULL), IMGRET_OK);
        assert_healthy(db, PICTURES);
        if (!keep)
            assert_tile_found(db, 0, 3, 1);
    }
    assert_tile_found(db, 51, 3, 2);
    imgret_results *results = ask_tile(db, 0, 3, IMGRET_SEARCH_BOTH, 1, 0, NULL);
    assert_true(imgret_results_at(results, 0)->score < 0.999);
    imgret_results_free(results);
    imgret_close(db);
}

/* Reopened, moved to a segment, and copied, it answers the same. */
static void a_segment_and_a_copy_answer_the_same(void **state)
{
    fixture *here = *state;
    imgret *db = open_grid(here);
    imgret_optimize_options force = {.size = sizeof force, .flags = IMGRET_OPTIMIZE_FORCE};
    fill(db);
    assert_int_equal(imgret_optimize(db, &force, NULL), IMGRET_OK);
    add(db, 60, "later", NULL); /* in the delta */
    assert_int_equal(imgret_remove(db, 2, NULL), IMGRET_OK);
    char copy[320];
    snprintf(copy, sizeof copy, "%s/copy", here->folder);
    assert_int_equal(imgret_backup(db, copy, NULL, NULL), IMGRET_OK);
    imgret_close(db);
    for (int round = 0; round < 3; round++) {
        if (round == 2)
            snprintf(here->db, sizeof here->db, "%s", copy);
        assert_int_equal(try_open(&db, here, NULL, 0, NULL), IMGRET_OK);
        assert_healthy(db, PICTURES);
        assert_tile_found(db, 8, 3, 9);
        assert_tile_found(db, 60, 0, PICTURES + 1);
        imgret_results *results = ask_tile(db, 1, 0, IMGRET_SEARCH_BOTH, 1000, 0, NULL);
        assert_int_equal(imgret_results_count(results), 5 * PICTURES);
        assert_true(imgret_results_at(results, 0)->score < 0.999);
        imgret_results_free(results);
        results = ask_tile(db, 8, 3, IMGRET_SEARCH_WHOLE, 1000, 0, NULL);
        assert_int_equal(imgret_results_count(results), PICTURES);
        imgret_results_free(results);
        results = ask_tile(db, 8, 3, IMGRET_SEARCH_BOTH, 1000, IMGRET_QUERY_GROUP, NULL);
        assert_groups(results, PICTURES);
        imgret_results_free(results);
        imgret_input id = {.size = sizeof id, .kind = IMGRET_INPUT_ID, .id = 3};
        results = ask(db, &id, IMGRET_SEARCH_BOTH, 1000, 0, NULL);
        assert_int_equal(imgret_results_count(results), 5 * (PICTURES - 1));
        imgret_results_free(results);
        if (round == 0)
            assert_int_equal(imgret_optimize(db, &force, NULL), IMGRET_OK);
        imgret_close(db);
    }
}

static void an_ingest_makes_the_same_regions(void **state)
{
    const fixture *here = *state;
    imgret *db = open_grid(here);
    char pictures[300];
    snprintf(pictures, sizeof pictures, "%s/pictures", here->folder);
    assert_int_equal(mkdir(pictures, 0777), 0);
    for (uint32_t n = 0; n < 40; n++) {
        static uint8_t rgb[3 * SIDE_PX * SIDE_PX];
        char path[340];
        draw_tiles(rgb, n);
        snprintf(path, sizeof path, "%s/%02u.ppm", pictures, n);
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        fprintf(file, "P6\n%d %d\n255\n", SIDE_PX, SIDE_PX);
        assert_int_equal(fwrite(rgb, 1, sizeof rgb, file), sizeof rgb);
        assert_int_equal(fclose(file), 0);
    }
    const char *paths[] = {pictures};
    imgret_ingest_options options = {
        .size = sizeof options, .paths = paths, .path_count = 1, .commit_count = 7};
    imgret_ingest_progress report = {.size = sizeof report};
    assert_int_equal(imgret_ingest(db, &options, &report, NULL), IMGRET_OK);
    assert_int_equal(report.stored_count, 40);
    for (uint32_t n = 0; n < 40; n += 3)
        assert_tile_found(db, n, n % 4, n + 1);
    imgret_regions *regions;
    assert_int_equal(imgret_get_regions(&regions, db, 17, NULL), IMGRET_OK);
    assert_int_equal(imgret_regions_count(regions), 5);
    const imgret_region *whole = imgret_regions_at(regions, 0),
                        *last = imgret_regions_at(regions, 4);
    assert_int_equal(whole->ordinal, 0);
    assert_int_equal(whole->width, SIDE_PX);
    assert_int_equal(last->ordinal, 4);
    assert_int_equal(last->x, TILE_PX);
    assert_int_equal(last->height, TILE_PX);
    assert_true(fabs(last->score - 1.0) < 1e-12);
    assert_null(imgret_regions_at(regions, 5));
    imgret_regions_free(regions);
    imgret_regions_free(NULL);
    char broken[340];
    snprintf(broken, sizeof broken, "%s/05.ppm", pictures);
    write_text(broken, "P6\n10 10\n255\nshort");
    assert_int_equal(imgret_ingest(db, &options, &report, NULL), IMGRET_OK);
    assert_int_equal(report.failed_count, 1);
    assert_int_equal(report.unchanged_count, 39);
    assert_healthy(db, 39);
    imgret_close(db);
}

static void regions_are_part_of_a_database(void **state)
{
    const fixture *here = *state;
    imgret *db = open_grid(here);
    imgret_close(db);
    assert_int_equal(try_open(&db, here, "grid=2x3", 0, NULL), IMGRET_MISMATCH);
    assert_int_equal(try_open(&db, here, "none", 0, NULL), IMGRET_MISMATCH);
    assert_int_equal(try_open(&db, here, "grid=2x2", IMGRET_OPEN_READ_ONLY, NULL), IMGRET_OK);
    imgret_close(db);
    assert_int_equal(try_open(&db, here, NULL, 0, NULL), IMGRET_OK);
    fill(db); /* it knows by itself */
    assert_healthy(db, PICTURES);
    imgret_close(db);
}

static void a_database_of_wholes_says_so(void **state)
{
    fixture *here = *state;
    imgret *db;
    assert_int_equal(try_open(&db, here, "none", 0, NULL), IMGRET_OK);
    fill(db);
    imgret_close(db);
    assert_int_equal(try_open(&db, here, "center", 0, NULL), IMGRET_MISMATCH);
    assert_int_equal(try_open(&db, here, NULL, 0, NULL), IMGRET_OK);
    imgret_input id = {.size = sizeof id, .kind = IMGRET_INPUT_ID, .id = 1};
    imgret_query_options options = {.size = sizeof options, .search = IMGRET_SEARCH_OBJECTS};
    imgret_results *results;
    assert_int_equal(imgret_query(&results, db, &id, &options, NULL), IMGRET_INVALID_ARGUMENT);
    results = ask(db, &id, IMGRET_SEARCH_BOTH, 100, IMGRET_QUERY_GROUP, NULL);
    assert_int_equal(imgret_results_count(results), PICTURES - 1);
    imgret_results_free(results);
    imgret_box box = {sizeof box, 0, 0, TILE_PX,
                      TILE_PX}; /* a part may be asked with all the same */
    static uint8_t rgb[3 * SIDE_PX * SIDE_PX];
    draw_tiles(rgb, 3);
    imgret_input input = pixels_of(rgb, SIDE_PX);
    options = (imgret_query_options){.size = sizeof options, .box = &box};
    assert_int_equal(imgret_query(&results, db, &input, &options, NULL), IMGRET_OK);
    assert_int_equal(imgret_results_count(results), 10);
    assert_int_equal(imgret_results_at(results, 0)->box_width, SIDE_PX);
    imgret_results_free(results);
    options = (imgret_query_options){.size = sizeof options, .flags = IMGRET_QUERY_MAIN_OBJECT};
    assert_int_equal(imgret_query(&results, db, &input, &options, NULL), IMGRET_INVALID_ARGUMENT);
    imgret_regions *regions;
    assert_int_equal(imgret_get_regions(&regions, db, 1, NULL), IMGRET_OK);
    assert_int_equal(imgret_regions_count(regions), 1);
    imgret_regions_free(regions);
    imgret_close(db);
}

static void what_is_no_specification_is_refused(void **state)
{
    static const char *const bad[] = {
        "",           "Center",     "center=",     "center=0",      "center=1",
        "center=nan", "center=-1",  "center=0.5x", "center=0x1p-1", "grid",
        "grid=",      "grid=1x1",   "grid=16x16",  "grid=3",        "grid=3x",
        "grid=x3",    "grid=3x3x3", "grid=-3x3",   "grid=0x9",      "grid=9999999999x1",
        "grids=3x3",  "none=1",     "detector",    "center=1e-320", "center=0.00999",
    };
    imgret *db;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int32_t status = try_open(&db, *state, bad[i], 0, NULL);
        if (status != IMGRET_INVALID_ARGUMENT)
            fail_msg("\"%s\" gives %d", bad[i], status);
        assert_null(db);
    }
    imgret_open_options options = {
        .size = sizeof options, .model = "vectors:4", .regions = "center"};
    const fixture *here = *state;
    assert_int_equal(imgret_open(&db, here->db, &options, NULL), IMGRET_INVALID_ARGUMENT);
}

/* A picture smaller than the grid has fewer parts, down to its pixels. */
static void tiny_pictures_have_fewer_parts(void **state)
{
    imgret *db;
    uint8_t rgb[3 * 4] = {1, 2, 3, 40, 50, 60, 70, 80, 90, 200, 210, 220};
    assert_int_equal(try_open(&db, *state, "grid=15x15", 0, NULL), IMGRET_OK);
    imgret_input input = pixels_of(rgb, 2);
    imgret_add_result result = {.size = sizeof result};
    assert_int_equal(imgret_add(db, &input, NULL, &result, NULL), IMGRET_OK);
    imgret_regions *regions;
    assert_int_equal(imgret_get_regions(&regions, db, result.id, NULL), IMGRET_OK);
    assert_int_equal(imgret_regions_count(regions), 5);
    imgret_regions_free(regions);
    imgret_close(db);
}

static void no_memory_leaves_nothing_behind(void **state)
{
    imgret *db = open_grid(*state);
    static uint8_t rgb[3 * SIDE_PX * SIDE_PX];
    draw_tiles(rgb, 1);
    imgret_input input = pixels_of(rgb, SIDE_PX);
    bool stored = false;
    for (uint64_t n = 1; n < 500 && !stored; n++) {
        ir_alloc_fail_after(n);
        int32_t status = imgret_add(db, &input, NULL, NULL, NULL);
        ir_alloc_fail_after(0);
        stored = status == IMGRET_OK;
        assert_true(stored || status == IMGRET_NO_MEMORY);
    }
    assert_true(stored);
    bool answered = false;
    for (uint64_t n = 1; n < 500 && !answered; n++) {
        imgret_results *results;
        imgret_query_options options = {.size = sizeof options,
                                        .flags = IMGRET_QUERY_GROUP | IMGRET_QUERY_MAIN_OBJECT,
                                        .search = IMGRET_SEARCH_BOTH};
        ir_alloc_fail_after(n);
        int32_t status = imgret_query(&results, db, &input, &options, NULL);
        ir_alloc_fail_after(0);
        answered = status == IMGRET_OK;
        assert_true(answered || status == IMGRET_NO_MEMORY);
        imgret_results_free(results);
    }
    assert_true(answered);
    imgret_close(db);
}

/* Pages of objects: all of them, none twice, in one order. */
static void pages_of_objects_miss_none(void **state)
{
    imgret *db = open_grid(*state);
    static uint8_t rgb[3 * TILE_PX * TILE_PX];
    bool seen[PICTURES + 1][5] = {{false}};
    imgret_results *results = NULL;
    char cursor[128] = "";
    double last = 2;
    uint64_t count = 0;
    fill(db);
    add(db, 0, "the-first-again", NULL); /* equal scores */
    draw_stripes(rgb, TILE_PX, 1);
    imgret_input input = pixels_of(rgb, TILE_PX);
    do {
        imgret_query_options options = {.size = sizeof options,
                                        .k = 7,
                                        .search = IMGRET_SEARCH_BOTH,
                                        .cursor = cursor[0] ? cursor : NULL};
        imgret_error error = IMGRET_ERROR_INIT;
        if (imgret_query(&results, db, &input, &options, &error) != IMGRET_OK)
            fail_msg("%s", error.message);
        for (uint64_t i = 0; i < imgret_results_count(results); i++, count++) {
            const imgret_hit *hit = imgret_results_at(results, i);
            assert_true(hit->score <= last);
            assert_false(seen[hit->id - 1][hit->region]);
            seen[hit->id - 1][hit->region] = true;
            last = hit->score;
        }
        const char *next = imgret_results_cursor(results);
        snprintf(cursor, sizeof cursor, "%s", next ? next : "");
        imgret_results_free(results);
    } while (cursor[0] && count < 1000);
    assert_int_equal(count, 5 * (PICTURES + 1));
    imgret_close(db);
}

static void examples_exclusions_and_diversity_know_objects(void **state)
{
    imgret *db = open_grid(*state);
    static uint8_t rgb[3 * TILE_PX * TILE_PX];
    fill(db);
    draw_stripes(rgb, TILE_PX, 4 * 2 + 1);
    imgret_input input = pixels_of(rgb, TILE_PX);
    const int64_t excluded[] = {3, 7};
    imgret_query_options options = {.size = sizeof options,
                                    .k = 100,
                                    .search = IMGRET_SEARCH_OBJECTS,
                                    .exclude_ids = excluded,
                                    .exclude_count = 2};
    imgret_results *results;
    assert_int_equal(imgret_query(&results, db, &input, &options, NULL), IMGRET_OK);
    assert_int_equal(imgret_results_count(results), 4 * (PICTURES - 2));
    imgret_results_free(results);
    /* Two parts of two pictures, the best of each image. */
    imgret_input id = {.size = sizeof id, .kind = IMGRET_INPUT_ID, .id = 9};
    imgret_term term = {.size = sizeof term, .input = &id};
    options = (imgret_query_options){.size = sizeof options,
                                     .k = 100,
                                     .flags = IMGRET_QUERY_GROUP,
                                     .search = IMGRET_SEARCH_BOTH,
                                     .terms = &term,
                                     .term_count = 1,
                                     .combine = IMGRET_COMBINE_BEST};
    assert_int_equal(imgret_query(&results, db, &input, &options, NULL), IMGRET_OK);
    assert_groups(results, PICTURES - 1);
    assert_int_equal(imgret_results_at(results, 0)->id, 3);
    assert_int_equal(imgret_results_at(results, 0)->region, 2);
    imgret_results_free(results);
    options = (imgret_query_options){
        .size = sizeof options, .k = 20, .diversity = 0.5, .search = IMGRET_SEARCH_OBJECTS};
    assert_int_equal(imgret_query(&results, db, &input, &options, NULL), IMGRET_OK);
    assert_int_equal(imgret_results_count(results), 20);
    assert_int_equal(imgret_results_at(results, 0)->region, 2);
    imgret_results_free(results);
    /* Asked by an object of an image, pages and exclusions ask with the same vector. */
    options = (imgret_query_options){.size = sizeof options,
                                     .k = 1,
                                     .region = 4,
                                     .flags = IMGRET_QUERY_INCLUDE_SELF,
                                     .search = IMGRET_SEARCH_OBJECTS,
                                     .exclude_ids = excluded,
                                     .exclude_count = 2};
    assert_int_equal(imgret_query(&results, db, &id, &options, NULL), IMGRET_OK);
    assert_int_equal(imgret_results_at(results, 0)->id, 9);
    assert_int_equal(imgret_results_at(results, 0)->region, 4);
    imgret_results_free(results);
    imgret_color_term red = {.size = sizeof red, .red = 255};
    options = (imgret_query_options){
        .size = sizeof options, .colors = &red, .color_count = 1, .search = IMGRET_SEARCH_OBJECTS};
    assert_int_equal(imgret_query(&results, db, NULL, &options, NULL), IMGRET_INVALID_ARGUMENT);
    imgret_box box = {sizeof box, 0, 0, 9, 9};
    options = (imgret_query_options){
        .size = sizeof options, .terms = &term, .term_count = 1, .box = &box};
    assert_int_equal(imgret_query(&results, db, &input, &options, NULL), IMGRET_INVALID_ARGUMENT);
    imgret_close(db);
}

static void a_batch_asks_with_parts_too(void **state)
{
    imgret *db = open_grid(*state);
    static uint8_t rgb[2][3 * SIDE_PX * SIDE_PX];
    imgret_input inputs[2];
    imgret_results *results[2];
    fill(db);
    for (uint32_t i = 0; i < 2; i++) {
        draw_tiles(rgb[i], 4 + i);
        inputs[i] = pixels_of(rgb[i], SIDE_PX);
    }
    imgret_box box = {sizeof box, 0, TILE_PX, TILE_PX, TILE_PX};
    imgret_query_options options = {.size = sizeof options,
                                    .k = 5,
                                    .box = &box,
                                    .flags = IMGRET_QUERY_GROUP,
                                    .search = IMGRET_SEARCH_OBJECTS};
    assert_int_equal(imgret_query_batch(results, db, inputs, 2, &options, NULL), IMGRET_OK);
    for (uint32_t i = 0; i < 2; i++) {
        assert_groups(results[i], 5);
        assert_int_equal(imgret_results_at(results[i], 0)->id, 5 + i);
        assert_int_equal(imgret_results_at(results[i], 0)->region, 3);
        imgret_results_free(results[i]);
    }
    imgret_close(db);
}

/* ---- boxes alone ---- */

static void boxes_are_cut_to_the_picture(void **state)
{
    (void)state;
    ir_box box = {0};
    assert_true(ir_box_within(&box, 1.5, 2.5, 3.2, 9.9, 100, 50));
    assert_int_equal(box.x, 1);
    assert_int_equal(box.y, 2);
    assert_int_equal(box.width, 3);
    assert_int_equal(box.height, 8);
    assert_true(ir_box_within(&box, -1e30, -5, 1e30, 5, 100, 50));
    assert_int_equal(box.width, 100);
    assert_int_equal(box.height, 5);
    assert_false(ir_box_within(&box, (double)NAN, 0, 1, 1, 100, 50));
    assert_false(ir_box_within(&box, 0, 0, (double)INFINITY, 1, 100, 50));
    assert_false(ir_box_within(&box, 100, 0, 200, 10, 100, 50));
    assert_false(ir_box_within(&box, 5, 5, 4, 6, 100, 50));
}

static void the_main_box_is_large_and_sure(void **state)
{
    (void)state;
    const ir_box boxes[] = {
        {0, 0, 10, 10, 0, 0.9},
        {0, 0, 50, 20, 0, 0.5},   /* 500 */
        {40, 20, 20, 50, 0, 0.5}, /* the same, nearer to the middle */
        {0, 0, 100, 100, 0, 0.01},
    };
    assert_int_equal(ir_box_main(boxes, 4, 100, 90), 2);
    assert_int_equal(ir_box_main(boxes, 2, 100, 90), 1);
    assert_int_equal(ir_box_main(boxes, 1, 100, 90), 0);
}

#define regions_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

/* Every region of every image, and that each is found where it was. */
static void assert_same_regions(imgret *a, imgret *b, int64_t id)
{
    imgret_regions *x, *y;
    int32_t status = imgret_get_regions(&x, a, id, NULL);
    assert_int_equal(imgret_get_regions(&y, b, id, NULL), status);
    assert_int_equal(imgret_regions_count(x), imgret_regions_count(y));
    for (uint64_t i = 0; i < imgret_regions_count(x); i++) {
        const imgret_region *one = imgret_regions_at(x, i), *other = imgret_regions_at(y, i);
        assert_int_equal(one->ordinal, other->ordinal);
        assert_int_equal(one->x, other->x);
        assert_int_equal(one->y, other->y);
        assert_int_equal(one->width, other->width);
        assert_int_equal(one->height, other->height);
        assert_true(one->score == other->score);
        assert_true(one->label == other->label || strcmp(one->label, other->label) == 0);
    }
    imgret_regions_free(x);
    imgret_regions_free(y);
}

/* Some objects come from a segment, some from memory, and ids have a gap. */
static void an_export_brings_back_every_object(void **state)
{
    fixture *here = *state, copied = *here;
    char out[320];
    imgret *db = open_grid(here), *copy;
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_optimize_options force = {.size = sizeof force, .flags = IMGRET_OPTIMIZE_FORCE};
    fill(db);
    assert_int_equal(imgret_optimize(db, &force, NULL), IMGRET_OK);
    assert_int_equal(imgret_remove(db, 3, NULL), IMGRET_OK);
    assert_int_equal(add(db, 40, "later", NULL), PICTURES + 1);
    snprintf(out, sizeof out, "%s/out", here->folder);
    snprintf(copied.db, sizeof copied.db, "%s/copy", here->folder);
    assert_int_equal(imgret_export(db, out, NULL, NULL), IMGRET_OK);
    if (imgret_import(copied.db, out, NULL, &error) != IMGRET_OK)
        fail_msg("%s", error.message);
    assert_int_equal(try_open(&copy, &copied, NULL, IMGRET_OPEN_EXISTING, NULL), IMGRET_OK);
    assert_healthy(copy, PICTURES);
    for (int64_t id = 1; id <= PICTURES + 1; id++)
        assert_same_regions(db, copy, id);
    for (uint32_t tile = 0; tile < 4; tile++) {
        assert_tile_found(copy, 5, tile, 6);
        assert_tile_found(copy, 40, tile, PICTURES + 1);
    }
    /* It goes on like the first: an id that was removed is not given again. */
    assert_int_equal(add(copy, 41, "after", NULL), PICTURES + 2);
    assert_int_equal(imgret_optimize(copy, &force, NULL), IMGRET_OK);
    assert_tile_found(copy, 41, 2, PICTURES + 2);
    assert_healthy(copy, PICTURES + 1);
    imgret_close(copy);
    imgret_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        regions_test(a_part_is_found_with_its_box),
        regions_test(groups_are_filled_to_k),
        regions_test(asking_by_id_leaves_the_whole_image_out),
        regions_test(a_box_of_the_query_is_what_is_asked),
        regions_test(nonsense_is_refused),
        regions_test(removing_and_replacing_take_all_along),
        regions_test(a_transaction_takes_all_or_nothing),
        regions_test(a_segment_and_a_copy_answer_the_same),
        regions_test(an_ingest_makes_the_same_regions),
        regions_test(regions_are_part_of_a_database),
        regions_test(a_database_of_wholes_says_so),
        regions_test(what_is_no_specification_is_refused),
        regions_test(tiny_pictures_have_fewer_parts),
        regions_test(no_memory_leaves_nothing_behind),
        regions_test(pages_of_objects_miss_none),
        regions_test(examples_exclusions_and_diversity_know_objects),
        regions_test(a_batch_asks_with_parts_too),
        regions_test(an_export_brings_back_every_object),
        cmocka_unit_test(boxes_are_cut_to_the_picture),
        cmocka_unit_test(the_main_box_is_large_and_sure),
    };
    return cmocka_run_group_tests_name("regions", tests, NULL, NULL);
}
