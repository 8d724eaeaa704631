/* test_segment_walk.c: what effort buys with small codes, and which codes a walk goes by. */
#include "segment_fixture.h"

enum { K = 10, QUERIES = 30 };

static char path[64];

static double recall(const vectors *v, uint32_t effort, uint32_t flags,
                     const ir_segment_open_options *options, ir_search_stats *stats)
{
    ir_segment *segment;
    assert_int_equal(ir_segment_open(&segment, path, options, NULL), 0);
    float *query = malloc(v->dimension * sizeof *query);
    uint32_t right = 0, count;
    ir_neighbor found[K];
    for (uint32_t q = 0; q < QUERIES; q++) {
        make_query(v, q, query);
        ir_search search = {.vector = query, .k = K, .flags = flags, .effort = effort};
        assert_int_equal(ir_segment_search(segment, &search, found, &count, stats, NULL), 0);
        assert_int_equal(count, K);
        right += count_right(v, query, K, found, count);
    }
    free(query);
    ir_segment_close(segment);
    return (double)right / (QUERIES * K);
}

/* One bit a dimension of 40 independent ones: codes that err by more than neighbours lie apart. */
static void effort_buys_recall_to_the_end(void **state)
{
    (void)state;
    vectors v = make_vectors(3000, 40, IMGRET_METRIC_L2);
    assert_int_equal(build_segment(&v, path, 2, NULL), 0);
    double before = 0;
    uint64_t reads_before = 0;
    for (uint32_t effort = 64; effort <= 3000; effort *= 4) {
        ir_search_stats stats = {0};
        double now = recall(&v, effort, IR_SEARCH_SIGNS_ONLY, NULL, &stats);
        print_message("effort %u: recall %.4f, %.1f reads\n", effort, now,
                      (double)stats.reads / QUERIES);
        assert_true(now >= before && stats.reads >= reads_before);
        before = now;
        reads_before = stats.reads;
    }
    ir_search_stats stats = {0};
    assert_true(recall(&v, 3000, IR_SEARCH_SIGNS_ONLY, NULL, &stats) > 0.999);
    assert_true(stats.reads < QUERIES * 3000); /* by their codes, not by reading all there is */
    free(v.rows);
}

/* In many dimensions only what may be among the nearest gets a full key, and no less is found. */
static void sharp_codes_lead_the_walk_alone(void **state)
{
    (void)state;
    const uint32_t dimensions[] = {632, 640};
    double found[2];
    ir_search_stats stats[2] = {{0}};
    for (size_t i = 0; i < 2; i++) {
        vectors v = make_vectors(1500, dimensions[i], IMGRET_METRIC_L2);
        assert_int_equal(build_segment(&v, path, 2, NULL), 0);
        found[i] = recall(&v, 100, IR_SEARCH_SIGNS_ONLY, NULL, NULL);
        double full = recall(&v, 100, 0, NULL, &stats[i]);
        assert_true(full > 0.97 && full >= found[i] - 0.02);
        assert_true(stats[i].rank_estimates >= QUERIES * K);
        free(v.rows);
    }
    print_message(
        "full keys %llu of %llu, %llu of %llu\n", (unsigned long long)stats[0].rank_estimates,
        (unsigned long long)stats[0].sign_estimates, (unsigned long long)stats[1].rank_estimates,
        (unsigned long long)stats[1].sign_estimates);
    assert_true(stats[1].rank_estimates * 3 < stats[0].rank_estimates * 2);
}

/* The same where rows of the graph come from the disk, and where only some ids may be found. */
static bool is_third(void *context, int64_t id)
{
    (void)context;
    return id % 3 == 1 && id % 2 == 0;
}

static void a_sharp_walk_heeds_budget_and_refusals(void **state)
{
    (void)state;
    vectors v = make_vectors(1200, 700, IMGRET_METRIC_COSINE);
    assert_int_equal(build_segment(&v, path, 2, NULL), 0);
    ir_segment *segment;
    ir_segment_info info;
    assert_int_equal(ir_segment_open(&segment, path, NULL, NULL), 0);
    ir_segment_get_info(segment, &info);
    float *query = malloc(v.dimension * sizeof *query);
    ir_neighbor found[K];
    uint32_t count;
    for (uint32_t q = 0; q < QUERIES; q++) {
        make_query(&v, q, query);
        ir_search search = {.vector = query, .k = K, .allowed = is_third};
        assert_int_equal(ir_segment_search(segment, &search, found, &count, NULL, NULL), 0);
        assert_int_equal(count, K);
        for (uint32_t i = 0; i < count; i++)
            assert_true(is_third(NULL, found[i].id));
    }
    ir_segment_close(segment);
    ir_segment_open_options options = {.ram_bytes_max = info.sign_bytes + info.id_bytes +
                                                        info.check_bytes + info.other_bytes +
                                                        info.graph_bytes / 2};
    ir_search_stats stats = {0};
    assert_true(recall(&v, 100, 0, &options, &stats) > 0.9);
    assert_true(stats.graph_reads > 0);
    free(query);
    free(v.rows);
}

static int choose_file(void **state)
{
    (void)state;
    return make_segment_path(path, sizeof path);
}

static int remove_file(void **state)
{
    (void)state;
    return remove_segment_path(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(effort_buys_recall_to_the_end),
        cmocka_unit_test(sharp_codes_lead_the_walk_alone),
        cmocka_unit_test(a_sharp_walk_heeds_budget_and_refusals),
    };
    return cmocka_run_group_tests_name("segment_walk", tests, choose_file, remove_file);
}
