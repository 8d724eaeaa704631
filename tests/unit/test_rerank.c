/* test_rerank.c: candidates ranked by colours and by geometry, for the right reason. */
#include "scenes.h"

#include "base/alloc.h"

#include <imgret/imgret.h>

enum { SCENES = 12 };

typedef struct fixture {
    char folder[256];
    imgret *db;
    int64_t ids[SCENES]; /* of files scene0.ppm ... */
} fixture;

static void path_of(const fixture *f, uint32_t scene, char *out, size_t bytes)
{
    snprintf(out, bytes, "%s/scene%u.ppm", f->folder, scene);
}

static int setup(void **state)
{
    char path[300];
    fixture *f = calloc(1, sizeof *f);
    make_folder(f->folder, "rerank");
    snprintf(path, sizeof path, "%s/db.imgret", f->folder);
    *state = f;
    if (imgret_open(&f->db, path, NULL, NULL) != IMGRET_OK)
        return -1;
    for (uint32_t scene = 0; scene < SCENES; scene++) {
        const scene_view v = {scene + 1, 320, 240, 0, 1, 0};
        path_of(f, scene, path, sizeof path);
        write_scene(path, &v);
        imgret_input input = {.size = sizeof input, .kind = IMGRET_INPUT_FILE, .path = path};
        imgret_add_options options = {.size = sizeof options, .uri = path};
        imgret_add_result result = {.size = sizeof result};
        if (imgret_add(f->db, &input, &options, &result, NULL) != IMGRET_OK)
            return -1;
        f->ids[scene] = result.id;
    }
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

/* The place of `id` among all results, from 1; 0: it is not there. */
static uint32_t place_of(imgret *db, const imgret_input *input, imgret_query_options options,
                         int64_t id, double *score)
{
    imgret_results *results;
    imgret_error error = IMGRET_ERROR_INIT;
    options.size = sizeof options;
    options.k = 2 * SCENES;
    if (imgret_query(&results, db, input, &options, &error) != IMGRET_OK)
        fail_msg("%s", error.message);
    uint32_t place = 0;
    for (uint64_t i = 0; i < imgret_results_count(results); i++)
        if (imgret_results_at(results, i)->id == id) {
            place = (uint32_t)i + 1;
            *score = imgret_results_at(results, i)->score;
        }
    imgret_results_free(results);
    return place;
}

/* Scene 4 turned and nearer: what `classic` looks at says little of what it is. */
static imgret_input ask_turned(uint8_t **rgb)
{
    const scene_view v = {4, 320, 240, 2.2, 1.5, 0};
    *rgb = draw_scene(&v);
    return (imgret_input){.size = sizeof(imgret_input),
                          .kind = IMGRET_INPUT_PIXELS,
                          .data = *rgb,
                          .data_bytes = 3 * 320 * 240,
                          .width = 320,
                          .height = 240};
}

static void geometry_finds_what_was_turned(void **state)
{
    fixture *f = *state;
    uint8_t *rgb;
    double score = 0, before = 0;
    const imgret_input input = ask_turned(&rgb);
    const imgret_query_options plain = {.k = 1};
    const imgret_query_options ranked = {.rerank_by = IMGRET_RERANK_GEOMETRY, .rerank_weight = 0.9};
    assert_in_range(place_of(f->db, &input, plain, f->ids[3], &before), 2, SCENES);
    assert_int_equal(place_of(f->db, &input, ranked, f->ids[3], &score), 1);
    assert_true(score > 0.5); /* the places agree; the others have none */
    double other = 1;
    place_of(f->db, &input, ranked, f->ids[7], &other);
    assert_true(other < 0.2);
    free(rgb);
}

static void missing_files_stay_behind_and_fail_nothing(void **state)
{
    fixture *f = *state;
    char path[300];
    uint8_t *rgb;
    double score = 0, whole = 0;
    const imgret_input input = ask_turned(&rgb);
    const imgret_query_options plain = {.k = 1};
    const imgret_query_options ranked = {.rerank_by = IMGRET_RERANK_GEOMETRY};
    place_of(f->db, &input, plain, f->ids[3], &whole);
    path_of(f, 3, path, sizeof path);
    assert_int_equal(unlink(path), 0);
    path_of(f, 5, path, sizeof path);
    write_text(path, "no picture any more");
    assert_in_range(place_of(f->db, &input, ranked, f->ids[3], &score), 1, SCENES);
    assert_true(fabs(score - whole / 2) < 1e-6); /* half of it, and nothing for geometry */
    assert_in_range(place_of(f->db, &input, ranked, f->ids[5], &score), 1, SCENES);
    free(rgb);
}

static void an_image_of_the_database_can_be_asked_with(void **state)
{
    fixture *f = *state;
    char path[300], copy[300];
    double score = 0;
    const scene_view v = {2, 640, 480, 0.3, 1, 0};
    snprintf(copy, sizeof copy, "%s/turned.ppm", f->folder);
    write_scene(copy, &v);
    imgret_input input = {.size = sizeof input, .kind = IMGRET_INPUT_FILE, .path = copy};
    imgret_add_options options = {.size = sizeof options, .uri = copy};
    imgret_add_result result = {.size = sizeof result};
    assert_int_equal(imgret_add(f->db, &input, &options, &result, NULL), IMGRET_OK);
    input = (imgret_input){.size = sizeof input, .kind = IMGRET_INPUT_ID, .id = result.id};
    const imgret_query_options ranked = {.rerank_by = IMGRET_RERANK_GEOMETRY};
    assert_int_equal(place_of(f->db, &input, ranked, f->ids[1], &score), 1);

    path_of(f, 0, path, sizeof path);
    assert_int_equal(unlink(copy), 0);
    imgret_results *results;
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_query_options asked = ranked;
    asked.size = sizeof asked;
    assert_int_equal(imgret_query(&results, f->db, &input, &asked, &error), IMGRET_NOT_FOUND);
    assert_non_null(strstr(error.message, "turned.ppm"));
    asked.rerank_by = IMGRET_RERANK_COLOR; /* what is stored will do */
    assert_int_equal(imgret_query(&results, f->db, &input, &asked, NULL), IMGRET_OK);
    imgret_results_free(results);
}

/* Two pictures with the same lines, one in the colours that are asked for. */
static void colors_go_before_lines(void **state)
{
    fixture *f = *state;
    int64_t ids[2];
    double score = 0;
    for (uint32_t i = 0; i < 2; i++) {
        const scene_view v = {i ? 40 : 30, 320, 240, 0, 1, i ? 0 : 0x00FF80};
        uint8_t *rgb = draw_scene(&v);
        imgret_input input = {.size = sizeof input,
                              .kind = IMGRET_INPUT_PIXELS,
                              .data = rgb,
                              .data_bytes = 3 * 320 * 240,
                              .width = 320,
                              .height = 240};
        imgret_add_result result = {.size = sizeof result};
        assert_int_equal(imgret_add(f->db, &input, NULL, &result, NULL), IMGRET_OK);
        ids[i] = result.id;
        free(rgb);
    }
    /* The lines of scene 40, in the colours of the recoloured scene 30. */
    const scene_view asked = {40, 320, 240, 0, 1, 0x00FF80};
    uint8_t *rgb = draw_scene(&asked);
    const imgret_input input = {.size = sizeof input,
                                .kind = IMGRET_INPUT_PIXELS,
                                .data = rgb,
                                .data_bytes = 3 * 320 * 240,
                                .width = 320,
                                .height = 240};
    const imgret_query_options ranked = {.rerank_by = IMGRET_RERANK_COLOR, .rerank_weight = 0.9};
    uint32_t colored = place_of(f->db, &input, ranked, ids[0], &score);
    assert_int_equal(colored, 1);
    assert_true(place_of(f->db, &input, ranked, ids[1], &score) > colored);
    free(rgb);
}

static void what_does_not_go_together_is_refused(void **state)
{
    fixture *f = *state;
    const imgret_box box = {.size = sizeof box, .width = 10, .height = 10};
    char path[300];
    path_of(f, 0, path, sizeof path);
    const imgret_input file = {.size = sizeof file, .kind = IMGRET_INPUT_FILE, .path = path};
    const imgret_term term = {.size = sizeof term, .weight = 1, .input = &file};
    float *numbers = calloc(4096, sizeof *numbers);
    imgret_stats stats = {.size = sizeof stats};
    assert_int_equal(imgret_get_stats(f->db, &stats, NULL), IMGRET_OK);
    const imgret_input vector = {.size = sizeof vector,
                                 .kind = IMGRET_INPUT_VECTOR,
                                 .vector = numbers,
                                 .dimension = stats.dimension};
    const struct {
        const imgret_input *input;
        imgret_query_options options;
    } wrong[] = {
        {&file, {.rerank_by = 3}},
        {&file, {.rerank_by = 1, .rerank_weight = -0.1}},
        {&file, {.rerank_by = 1, .rerank_weight = NAN}},
        {&file, {.rerank_by = 2, .box = &box}},
        {&file, {.rerank_by = 2, .cursor = "p1"}},
        {&file, {.rerank_by = 1, .terms = &term, .term_count = 1}},
        {&vector, {.rerank_by = 1}},
        {&vector, {.rerank_by = 2}},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        imgret_results *results;
        imgret_error error = IMGRET_ERROR_INIT;
        imgret_query_options options = wrong[i].options;
        options.size = sizeof options;
        assert_int_equal(imgret_query(&results, f->db, wrong[i].input, &options, &error),
                         IMGRET_INVALID_ARGUMENT);
        assert_non_null(strstr(error.message, "rerank_"));
        assert_null(results);
    }
    free(numbers);
}

static void any_allocation_may_fail(void **state)
{
    fixture *f = *state;
    uint8_t *rgb;
    const imgret_input input = ask_turned(&rgb);
    for (uint32_t by = IMGRET_RERANK_COLOR; by <= IMGRET_RERANK_GEOMETRY; by++) {
        uint32_t failures = 0;
        for (uint64_t n = 1;; n += n < 60 ? 1 : 7) {
            imgret_results *results;
            imgret_error error = IMGRET_ERROR_INIT;
            const imgret_query_options options = {.size = sizeof options, .rerank_by = by};
            ir_alloc_fail_after(n);
            int32_t status = imgret_query(&results, f->db, &input, &options, &error);
            ir_alloc_fail_after(0);
            assert_true(status == IMGRET_OK
                            ? results != NULL
                            : !results && status == IMGRET_NO_MEMORY && error.message[0]);
            imgret_results_free(results);
            failures += status != IMGRET_OK;
            if (status == IMGRET_OK && n > 60)
                break;
        }
        assert_true(failures > 5);
    }
    free(rgb);
}

#define rerank_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        rerank_test(geometry_finds_what_was_turned),
        rerank_test(missing_files_stay_behind_and_fail_nothing),
        rerank_test(an_image_of_the_database_can_be_asked_with),
        rerank_test(colors_go_before_lines),
        rerank_test(what_does_not_go_together_is_refused),
        rerank_test(any_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("rerank", tests, NULL, NULL);
}
