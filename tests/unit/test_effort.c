/* test_effort.c: a target recall is reached on queries that were not measured; what is kept of it. */
#include "pictures.h"

#include "base/alloc.h"
#include "base/random.h"
#include "engine/effort.h"

#include <imgret/imgret.h>
#include <math.h>

enum { DIMENSION = 40, COUNT = 6000, QUERIES = 400, K = 10 };

typedef struct fixture {
    char folder[256];
    char path[300];
    imgret *db;
    float *queries;
    int64_t truth[QUERIES][K];
} fixture;

/* A sum of uniform numbers: near enough to normal, and hard: no direction is better than another. */
static void fill_vector(float *out, uint64_t *seed)
{
    for (uint32_t i = 0; i < DIMENSION; i++) {
        double sum = 0;
        for (int j = 0; j < 6; j++)
            sum += ir_random_unit(seed) - 0.5;
        out[i] = (float)sum;
    }
}

static imgret_input vector_input(const float *vector)
{
    return (imgret_input){.size = sizeof(imgret_input),
                          .kind = IMGRET_INPUT_VECTOR,
                          .vector = vector,
                          .dimension = DIMENSION};
}

static void open_again(fixture *f, uint64_t ram_bytes)
{
    imgret_close(f->db);
    imgret_open_options options = {.size = sizeof options,
                                   .model = "vectors:40",
                                   .threads = 2,
                                   .metric = IMGRET_METRIC_L2,
                                   .index_ram_bytes = ram_bytes};
    imgret_error error = IMGRET_ERROR_INIT;
    if (imgret_open(&f->db, f->path, &options, &error))
        fail_msg("%s", error.message);
}

static void ask_all(fixture *f, const imgret_query_options *options, imgret_results **out)
{
    imgret_input inputs[QUERIES];
    imgret_error error = IMGRET_ERROR_INIT;
    for (uint32_t i = 0; i < QUERIES; i++)
        inputs[i] = vector_input(f->queries + (size_t)i * DIMENSION);
    if (imgret_query_batch(out, f->db, inputs, QUERIES, options, &error))
        fail_msg("%s", error.message);
}

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    uint64_t seed = 1;
    make_folder(f->folder, "effort");
    snprintf(f->path, sizeof f->path, "%s/db.imgret", f->folder);
    open_again(f, 0);
    assert_int_equal(imgret_begin(f->db, NULL), IMGRET_OK);
    for (uint32_t i = 0; i < COUNT; i++) {
        float vector[DIMENSION];
        fill_vector(vector, &seed);
        imgret_input input = vector_input(vector);
        assert_int_equal(imgret_add(f->db, &input, NULL, NULL, NULL), IMGRET_OK);
    }
    assert_int_equal(imgret_commit(f->db, NULL), IMGRET_OK);
    f->queries = malloc(sizeof(float) * QUERIES * DIMENSION);
    for (uint32_t i = 0; i < QUERIES; i++)
        fill_vector(f->queries + (size_t)i * DIMENSION, &seed);
    imgret_results *exact[QUERIES];
    ask_all(f, NULL, exact); /* all in memory: compared one by one */
    for (uint32_t q = 0; q < QUERIES; q++) {
        for (uint32_t i = 0; i < K; i++)
            f->truth[q][i] = imgret_results_at(exact[q], i)->id;
        imgret_results_free(exact[q]);
    }
    imgret_optimize_options force = {.size = sizeof force, .flags = IMGRET_OPTIMIZE_FORCE};
    assert_int_equal(imgret_optimize(f->db, &force, NULL), IMGRET_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    imgret_close(f->db);
    remove_folder(f->folder);
    free(f->queries);
    free(f);
    return ir_alloc_live_count() == 0 ? 0 : -1;
}

/* The recall of all queries; *stats: of the first. */
static double recall(fixture *f, const imgret_query_options *options, imgret_query_stats *stats)
{
    imgret_results *found[QUERIES];
    uint32_t right = 0;
    ask_all(f, options, found);
    for (uint32_t q = 0; q < QUERIES; q++) {
        for (uint64_t i = 0; i < imgret_results_count(found[q]); i++)
            for (uint32_t j = 0; j < K; j++)
                right += imgret_results_at(found[q], i)->id == f->truth[q][j];
        if (q == 0)
            *stats = *imgret_results_stats(found[q]);
        imgret_results_free(found[q]);
    }
    return (double)right / (QUERIES * K);
}

static uint32_t effort_of_target(fixture *f, float target)
{
    imgret_query_stats stats;
    imgret_query_options options = {.size = sizeof options, .target_recall = target};
    double reached = recall(f, &options, &stats);
    print_message("target %.3f: recall %.4f, effort %u\n", (double)target, reached, stats.effort);
    assert_true(reached >= (double)target);
    assert_true(stats.expected_recall >= target && stats.expected_recall < 1);
    return stats.effort;
}

static void targets_are_reached(void **state)
{
    fixture *f = *state;
    uint32_t low = effort_of_target(f, 0.90f), high = effort_of_target(f, 0.99f);
    assert_true(effort_of_target(f, 0.95f) > low);
    assert_true(low >= 12 && low < high && high < COUNT / 4);
}

static void the_measure_lasts_and_effort_is_the_callers(void **state)
{
    fixture *f = *state;
    uint32_t before = effort_of_target(f, 0.95f);
    open_again(f, 0);
    assert_int_equal(effort_of_target(f, 0.95f), before);
    imgret_query_stats stats;
    imgret_query_options narrow = {.size = sizeof narrow, .effort = 12};
    double poor = recall(f, &narrow, &stats);
    assert_int_equal(stats.effort, 12);
    assert_true(stats.expected_recall == 0);
    imgret_query_options usual = {.size = sizeof usual};
    assert_true(recall(f, &usual, &stats) >= 0.98);
    assert_true(poor < 0.98 && stats.effort >= 64);
}

/* With less RAM there are fewer bits to walk by: the effort grows, the recall stays. */
static void targets_are_reached_with_less_ram(void **state)
{
    fixture *f = *state;
    imgret_stats stats = {.size = sizeof stats};
    assert_int_equal(imgret_get_stats(f->db, &stats, NULL), IMGRET_OK);
    uint32_t all = effort_of_target(f, 0.95f);
    open_again(f, stats.segment_ram_bytes * 85 / 100);
    imgret_stats less = {.size = sizeof less};
    assert_int_equal(imgret_get_stats(f->db, &less, NULL), IMGRET_OK);
    assert_true(less.segment_ram_bytes < stats.segment_ram_bytes);
    assert_true(effort_of_target(f, 0.95f) > all);
    imgret_error error = IMGRET_ERROR_INIT;
    imgret *none;
    imgret_open_options options = {.size = sizeof options, .index_ram_bytes = 5000};
    assert_int_equal(imgret_open(&none, f->path, &options, &error), IMGRET_LIMIT);
    assert_non_null(strstr(error.message, "at least"));
    assert_null(none);
}

/* The caller's effort is one for all bits: with half of the RAM, and half of that, it grows where a
 * segment's search has fewer, and finds as much. */
static void efforts_find_as_much_with_less_ram(void **state)
{
    fixture *f = *state;
    imgret_query_options options = {.size = sizeof options, .effort = 32};
    imgret_query_stats stats;
    imgret_stats all = {.size = sizeof all}, less = {.size = sizeof less};
    open_again(f, 0);
    assert_int_equal(imgret_get_stats(f->db, &all, NULL), IMGRET_OK);
    double before = recall(f, &options, &stats);
    assert_int_equal(stats.effort, 32);
    for (uint64_t part = 2; part <= 4; part *= 2) {
        open_again(f, all.segment_ram_bytes / part);
        assert_int_equal(imgret_get_stats(f->db, &less, NULL), IMGRET_OK);
        assert_true(less.segment_ram_bytes <= all.segment_ram_bytes / part);
        double after = recall(f, &options, &stats);
        print_message("effort 32, 1/%d of the RAM: recall %.4f, was %.4f; effort became %u\n",
                      (int)part, after, before, stats.effort);
        assert_true(after >= before - 0.005);
        assert_true(stats.effort > 32);
    }
}

static ir_effort_curves two_curves(void)
{
    return (ir_effort_curves){.count = 2,
                              .curves = {{10, 5, 3, {{12, 0.9f}, {24, 0.98f}, {48, 0.999f}}},
                                         {100, 5, 2, {{128, 0.97f}, {256, 0.999f}}}}};
}

static void efforts_lie_between_what_was_measured(void **state)
{
    (void)state;
    ir_effort_curves curves = two_curves(), none = {0};
    float expected;
    uint32_t effort = ir_effort_for(&curves, 5, 10, 0.95f, &expected);
    assert_true(effort > 12 && effort < 24 && fabsf(expected - 0.9625f) < 1e-5f);
    assert_int_equal(ir_effort_for(&curves, 5, 10, 0.5f, &expected), 12);
    assert_int_equal(ir_effort_for(&curves, 5, 10, 0.9999f, &expected), 48);
    assert_true(expected < 0.9999f); /* never reached, and says so */
    uint32_t wide = ir_effort_for(&curves, 5, 100, 0.95f, &expected);
    uint32_t between = ir_effort_for(&curves, 5, 50, 0.95f, &expected);
    assert_true(wide >= 128 && between > effort && between < wide);
    assert_true(ir_effort_for(&curves, 5, 300, 0.95f, &expected) >= 3 * wide - 3);
    assert_int_equal(ir_effort_for(&none, 5, 10, 0.95f, &expected), 0);
    assert_true(expected == 0);
}

static void an_effort_is_scaled_by_both_curves(void **state)
{
    (void)state;
    ir_effort_curves curves = two_curves();
    curves.curves[2] = (ir_effort_curve){10, 1, 3, {{24, 0.9f}, {96, 0.98f}, {384, 0.999f}}};
    curves.count = 3;
    assert_int_equal(ir_effort_with_bits(&curves, 5, 10, 24), 24);
    uint32_t grown = ir_effort_with_bits(&curves, 1, 10, 24); /* 96, and a little for certainty */
    assert_true(grown >= 96 && grown < 192);
    grown = ir_effort_with_bits(&curves, 1, 10, 12);
    assert_true(grown >= 24 && grown < 48);
    uint32_t some = ir_effort_with_bits(&curves, 3, 10, 24);
    assert_true(some > 24 && some < ir_effort_with_bits(&curves, 1, 10, 24));
    assert_true(ir_effort_with_bits(&curves, 1, 100, 200) > 200);
    assert_int_equal(ir_effort_with_bits(&curves, 1, 10, 1000000), 1000000);
    curves.count = 2; /* signs alone were not measured */
    assert_int_equal(ir_effort_with_bits(&curves, 1, 10, 24), 24);
    curves.count = 0;
    assert_int_equal(ir_effort_with_bits(&curves, 1, 10, 24), 24);
}

static void senseless_texts_give_no_curve(void **state)
{
    (void)state;
    const char *bad[] = {
        NULL,
        "",
        "\n\n",
        "00000000000000ff",
        "00000000000000ff 10 5\n",
        "00000000000000ff 10 5 12:5",
        "00000000000000ff 10 9 12:5\n",
        "00000000000000ff 0 5 12:5\n",
        "00000000000000ff 10 5 24:5 12:7\n",
        "00000000000000ff 10 5 12:5000001\n",
        "00000000000000ff 10 5 0:1\n",
        "00000000000000ff 10 5 99999999999999999999999:1\n",
        "00000000000000ff -1 5 12:5\n",
        "00000000000000fe 10 5 12:5\n",
        "0ff 10 5 12:5\n",
        "00000000000000ff 10 5 12;5\n",
    };
    ir_effort_curves curves;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ir_effort_find(bad[i], 0xFF, &curves);
        assert_int_equal(curves.count, 0);
    }
    ir_effort_find("x\n00000000000000ff 10 5 12:50000 16:1000\n", 0xFF, &curves);
    assert_int_equal(curves.count, 1);
    assert_int_equal(curves.curves[0].count, 2);
    assert_true(fabsf(curves.curves[0].points[0].recall - 0.95f) < 1e-6f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets_are_reached),
        cmocka_unit_test(the_measure_lasts_and_effort_is_the_callers),
        cmocka_unit_test(targets_are_reached_with_less_ram),
        cmocka_unit_test(efforts_find_as_much_with_less_ram),
        cmocka_unit_test(an_effort_is_scaled_by_both_curves),
        cmocka_unit_test(efforts_lie_between_what_was_measured),
        cmocka_unit_test(senseless_texts_give_no_curve),
    };
    return cmocka_run_group_tests_name("effort", tests, setup, teardown);
}
