/* test_segment_search.c: segments of every metric and size answer like an exact scan. */
#include "segment_fixture.h"

static char path[64];

enum { ASKED = SANITIZED(40, 16) }; /* queries of a measurement */

static double recall(vectors *v, uint32_t k, uint32_t flags, const ir_segment_open_options *options,
                     ir_search_stats *stats)
{
    ir_segment *segment;
    assert_int_equal(ir_segment_open(&segment, path, options, NULL), 0);
    float *query = malloc(v->dimension * sizeof *query);
    ir_neighbor *found = malloc(k * sizeof *found);
    uint32_t right = 0, wanted = k < v->count ? k : v->count;
    for (uint32_t q = 0; q < ASKED; q++) {
        make_query(v, q, query);
        ir_search search = {.vector = query, .k = k, .flags = flags};
        uint32_t count;
        assert_int_equal(ir_segment_search(segment, &search, found, &count, stats, NULL), 0);
        assert_int_equal(count, wanted);
        if (flags & IR_SEARCH_ESTIMATED)
            for (uint32_t i = 0; i < count; i++)
                found[i].score = true_score(v, query, (uint32_t)((found[i].id - 10) / 3));
        right += count_right(v, query, k, found, count - (flags ? count - 1 : 0));
        if (flags)
            for (uint32_t i = 1; i < count; i++)
                right += count_right(v, query, k, found + i, 1);
    }
    free(query);
    free(found);
    ir_segment_close(segment);
    return wanted ? (double)right / (ASKED * wanted) : 1;
}

static void every_metric_finds_the_nearest(void **state)
{
    (void)state;
    const uint32_t metrics[] = {IMGRET_METRIC_COSINE, IMGRET_METRIC_INNER_PRODUCT,
                                IMGRET_METRIC_L2};
    for (size_t i = 0; i < 3; i++) {
        vectors v = make_vectors(2000, 50, metrics[i]);
        assert_int_equal(build_segment(&v, path, 2, NULL), 0);
        ir_search_stats exact = {0}, estimated = {0};
        assert_true(recall(&v, 10, 0, NULL, &exact) > 0.97);
        assert_true(recall(&v, 10, IR_SEARCH_ESTIMATED, NULL, &estimated) > 0.96);
        assert_true(estimated.reads < exact.reads);
        assert_true(exact.reranks == exact.reads && exact.reads >= ASKED * 10);
        free(v.rows);
    }
}

static void tiny_segments_answer(void **state)
{
    (void)state;
    const uint32_t sizes[] = {0, 1, 2, 3, 10, 300};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (uint32_t dimension = 2; dimension <= 130; dimension += 64) {
            vectors v = make_vectors(sizes[i], dimension, IMGRET_METRIC_L2);
            assert_int_equal(build_segment(&v, path, 2, NULL), 0);
            assert_true(recall(&v, 10, 0, NULL, NULL) > 0.97);
            assert_true(recall(&v, 400, 0, NULL, NULL) == 1);
            free(v.rows);
        }
}

static void wide_vectors_cross_pages(void **state)
{
    (void)state;
    const uint32_t dimensions[] = {700, 1100, 2047, 4096};
    for (size_t i = 0; i < 4; i++) {
        vectors v = make_vectors(120, dimensions[i], IMGRET_METRIC_COSINE);
        assert_int_equal(build_segment(&v, path, 2, NULL), 0);
        assert_true(recall(&v, 5, 0, NULL, NULL) > 0.99);
        free(v.rows);
    }
}

static void equal_and_zero_vectors_are_found(void **state)
{
    (void)state;
    vectors v = make_vectors(500, 20, IMGRET_METRIC_COSINE);
    memset(v.rows, 0, 20 * sizeof v.rows[0]);
    for (uint32_t i = 2; i < 300; i++)
        memcpy(v.rows + i * 20, v.rows + 20, 20 * sizeof v.rows[0]);
    assert_int_equal(build_segment(&v, path, 2, NULL), 0);
    assert_true(recall(&v, 10, 0, NULL, NULL) > 0.9);
    assert_true(recall(&v, 500, 0, NULL, NULL) == 1);
    for (uint32_t i = 0; i < 500 * 20; i++)
        v.rows[i] = 2;
    assert_int_equal(build_segment(&v, path, 2, NULL), 0);
    assert_true(recall(&v, 10, 0, NULL, NULL) == 1);
    assert_true(recall(&v, 500, 0, NULL, NULL) == 1);
    free(v.rows);
}

static void every_way_of_reading_answers_alike(void **state)
{
    (void)state;
    vectors v = make_vectors(1000, 64, IMGRET_METRIC_L2);
    assert_int_equal(build_segment(&v, path, 2, NULL), 0);
    const uint32_t kinds[] = {IR_IO_ANY, IR_IO_THREADS, IR_IO_FAULTY};
    double first = recall(&v, 10, 0, NULL, NULL);
    for (size_t i = 0; i < 3; i++) {
        ir_segment_open_options options = {.io_kind = kinds[i]};
        assert_true(recall(&v, 10, 0, &options, NULL) == first);
    }
    free(v.rows);
}

/* Vectors read for 40 queries. */
static uint64_t reads_of(vectors *v, ir_segment *segment, ir_search search)
{
    float *query = malloc(v->dimension * sizeof *query);
    ir_neighbor found[10];
    ir_search_stats stats = {0};
    for (uint32_t q = 0; q < 40; q++) {
        uint32_t count;
        make_query(v, q, query);
        search.vector = query;
        search.k = 10;
        assert_int_equal(ir_segment_search(segment, &search, found, &count, &stats, NULL), 0);
        assert_int_equal(count, 10);
    }
    free(query);
    return stats.reads;
}

static void a_narrow_walk_reads_less(void **state)
{
    (void)state;
    vectors v = make_vectors(2000, 96, IMGRET_METRIC_L2);
    assert_int_equal(build_segment(&v, path, 2, NULL), 0);
    ir_segment_info info;
    ir_segment *segment;
    assert_int_equal(ir_segment_open(&segment, path, NULL, NULL), 0);
    ir_segment_get_info(segment, &info);
    ir_segment_close(segment);
    ir_segment_open_options options = {.ram_bytes_max = info.sign_bytes + info.graph_bytes +
                                                        info.id_bytes + info.check_bytes +
                                                        info.other_bytes + info.rank_bytes / 2};
    assert_int_equal(ir_segment_open(&segment, path, &options, NULL), 0);
    ir_search search = {.flags = IR_SEARCH_ESTIMATED, .effort = 24}, sure = search;
    sure.certainty = 2;
    uint64_t narrow = reads_of(&v, segment, search);
    assert_true(narrow < reads_of(&v, segment, sure));
    search.effort = 256;
    assert_true(narrow < reads_of(&v, segment, search));
    /* Not where what is read are the results themselves. */
    search = (ir_search){.effort = 24};
    sure.flags = 0;
    assert_int_equal(reads_of(&v, segment, search), reads_of(&v, segment, sure));
    ir_segment_close(segment);
    free(v.rows);
}

static void less_ram_reads_more_and_finds_as_much(void **state)
{
    (void)state;
    vectors v = make_vectors(2000, 96, IMGRET_METRIC_L2);
    assert_int_equal(build_segment(&v, path, 2, NULL), 0);
    ir_segment *segment;
    ir_segment_info info, info_now;
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(ir_segment_open(&segment, path, NULL, NULL), 0);
    ir_segment_get_info(segment, &info);
    ir_segment_close(segment);
    assert_int_equal(info.code_bits_in_ram, 5);
    uint64_t all = info.sign_bytes + info.rank_bytes + info.graph_bytes + info.id_bytes +
                   info.check_bytes + info.other_bytes;
    ir_segment_open_options options = {.ram_bytes_max = all};
    uint32_t bits_before = 6;
    uint64_t reads_before = 0;
    for (uint32_t share = 6; share-- > 0;) {
        options.ram_bytes_max = all - info.rank_bytes * (5 - share) / 5;
        assert_int_equal(ir_segment_open(&segment, path, &options, NULL), 0);
        ir_segment_get_info(segment, &info_now);
        ir_segment_close(segment);
        assert_true(info_now.rank_bytes <= info.rank_bytes * share / 5);
        assert_true(info_now.code_bits_in_ram <= bits_before);
        ir_search_stats stats = {0};
        assert_true(recall(&v, 10, IR_SEARCH_ESTIMATED, &options, &stats) > 0.92);
        assert_true(stats.reads >= reads_before);
        reads_before = stats.reads;
        bits_before = info_now.code_bits_in_ram;
    }
    assert_int_equal(bits_before, 1);
    options.ram_bytes_max = 1000;
    assert_int_equal(ir_segment_open(&segment, path, &options, &error), IMGRET_LIMIT);
    assert_null(segment);
    unsigned long long least = 0;
    assert_int_equal(sscanf(strstr(error.message, "at least"), "at least %llu", &least), 1);
    /* The less of the graph is in RAM, the more of it is read; what is found stays the same. */
    uint64_t graph_reads_before = 0;
    for (uint32_t share = 3; share-- > 0;) {
        options.ram_bytes_max = least + info.graph_bytes * share / 3;
        assert_int_equal(ir_segment_open(&segment, path, &options, &error), 0);
        ir_segment_get_info(segment, &info_now);
        assert_true(info_now.graph_bytes <= info.graph_bytes * share / 3);
        assert_int_equal(info_now.graph_bytes + info_now.graph_bytes_on_disk, info.graph_bytes);
        ir_segment_close(segment);
        ir_search_stats stats = {0};
        assert_true(recall(&v, 10, 0, &options, &stats) > 0.93);
        assert_true(stats.graph_reads > graph_reads_before);
        assert_true(stats.reads > stats.graph_reads);
        graph_reads_before = stats.graph_reads;
    }
    free(v.rows);
}

static bool is_even(void *context, int64_t id)
{
    (void)context;
    return id % 2 == 0;
}

static bool only_one(void *context, int64_t id)
{
    return id == *(const int64_t *)context;
}

static void what_is_not_allowed_never_appears(void **state)
{
    (void)state;
    vectors v = make_vectors(1500, 30, IMGRET_METRIC_L2);
    assert_int_equal(build_segment(&v, path, 2, NULL), 0);
    ir_segment *segment;
    assert_int_equal(ir_segment_open(&segment, path, NULL, NULL), 0);
    ir_neighbor found[20];
    uint32_t count;
    ir_search search = {.vector = v.rows, .k = 20, .allowed = is_even};
    assert_int_equal(ir_segment_search(segment, &search, found, &count, NULL, NULL), 0);
    assert_int_equal(count, 20);
    assert_int_equal(found[0].id, id_of(0));
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(found[i].id % 2, 0);
    /* The one that is allowed lies far away, and is found all the same. */
    int64_t id = id_of(1234);
    search.allowed = only_one;
    search.allowed_context = &id;
    assert_int_equal(ir_segment_search(segment, &search, found, &count, NULL, NULL), 0);
    assert_int_equal(count, 1);
    assert_int_equal(found[0].id, id);
    search = (ir_search){.vector = v.rows, .k = 5, .excluded_id = id_of(0)};
    assert_int_equal(ir_segment_search(segment, &search, found, &count, NULL, NULL), 0);
    assert_int_equal(count, 5);
    for (uint32_t i = 0; i < count; i++)
        assert_int_not_equal(found[i].id, id_of(0));
    ir_segment_close(segment);
    free(v.rows);
}

static bool stop_now(void *context)
{
    (void)context;
    return true;
}

static void a_batch_answers_each_query_like_a_single_search(void **state)
{
    (void)state;
    enum { QUERIES = 300, K = 7 };
    vectors v = make_vectors(2000, 40, IMGRET_METRIC_L2);
    assert_int_equal(build_segment(&v, path, 2, NULL), 0);
    ir_segment *segment;
    assert_int_equal(ir_segment_open(&segment, path, NULL, NULL), 0);
    static float queries[QUERIES][40];
    static ir_search searches[QUERIES];
    static ir_search_result results[QUERIES];
    static ir_neighbor neighbors[QUERIES][K];
    for (uint32_t q = 0; q < QUERIES; q++) {
        make_query(&v, q, queries[q]);
        searches[q] = (ir_search){.vector = queries[q], .k = K};
        results[q].neighbors = neighbors[q];
    }
    ir_pool *pool;
    assert_int_equal(ir_pool_create(&pool, 3, NULL), 0);
    ir_search_stats stats = {0};
    assert_int_equal(
        ir_segment_search_batch(segment, searches, QUERIES, results, pool, &stats, NULL), 0);
    assert_true(stats.reads >= QUERIES * K && stats.hops > QUERIES);
    for (uint32_t q = 0; q < QUERIES; q++) {
        ir_neighbor alone[K];
        uint32_t count;
        assert_int_equal(ir_segment_search(segment, &searches[q], alone, &count, NULL, NULL), 0);
        assert_int_equal(results[q].status, 0);
        assert_int_equal(results[q].count, count);
        for (uint32_t i = 0; i < count; i++)
            assert_true(alone[i].id == neighbors[q][i].id &&
                        alone[i].score == neighbors[q][i].score);
    }
    searches[5].stop = stop_now;
    assert_int_equal(ir_segment_search_batch(segment, searches, QUERIES, results, pool, NULL, NULL),
                     IMGRET_INTERRUPTED);
    assert_int_equal(results[5].status, IMGRET_INTERRUPTED);
    assert_int_equal(results[4].status, 0);
    assert_int_equal(results[299].count, K);
    assert_int_equal(ir_segment_search_batch(segment, searches, 0, results, pool, NULL, NULL), 0);
    ir_pool_free(pool);
    ir_segment_close(segment);
    free(v.rows);
}

/* Points of a cube of 5 dimensions, bent into 60: what lies near is few, and far is much farther. */
static vectors make_cube(uint32_t count, uint32_t metric)
{
    vectors v = {.count = count, .dimension = 60, .metric = metric};
    v.rows = malloc((size_t)count * 60 * sizeof v.rows[0]);
    uint64_t seed = 3;
    for (uint32_t i = 0; i < count; i++) {
        double at[5];
        for (int c = 0; c < 5; c++)
            at[c] = ir_random_unit(&seed);
        for (uint32_t j = 0; j < 60; j++)
            v.rows[(size_t)i * 60 + j] = (float)sin(at[j % 5] * (1 + j / 5 * 0.1) + j + at[j / 12]);
    }
    return v;
}

typedef struct far_only {
    const vectors *v;
    const float *query;
    double score_max;
} far_only;

static bool is_far_enough(void *context, int64_t id)
{
    far_only *far = context;
    return true_score(far->v, far->query, (uint32_t)((id - 10) / 3)) <= far->score_max;
}

/* Searches for 20 of the vectors. Returns how many of the k best allowed ones were found; those
 * above score_max are refused. */
static uint32_t search_cube(vectors *v, uint32_t effort, double score_max, ir_search_stats *stats)
{
    enum { K = 10 };
    ir_segment *segment;
    uint32_t right = 0;
    assert_int_equal(ir_segment_open(&segment, path, NULL, NULL), 0);
    for (uint32_t q = 0; q < 20; q++) {
        far_only far = {v, v->rows + (size_t)q * 111 * v->dimension, score_max};
        ir_search search = {.vector = far.query,
                            .k = K,
                            .effort = effort,
                            .allowed = score_max < 0 ? is_far_enough : NULL,
                            .allowed_context = &far};
        ir_neighbor found[K];
        uint32_t count;
        assert_int_equal(ir_segment_search(segment, &search, found, &count, stats, NULL), 0);
        assert_int_equal(count, K);
        for (uint32_t i = 0; i < count; i++) {
            uint32_t better = 0;
            for (uint32_t other = 0; other < v->count; other++) {
                double score = true_score(v, far.query, other);
                better += score > found[i].score + 1e-5 && score <= score_max;
            }
            right += better < K;
        }
    }
    ir_segment_close(segment);
    return right;
}

/* A wide beam is not walked to its end when all that is left in it lies far away. */
static void a_walk_stops_where_all_is_far(void **state)
{
    (void)state;
    vectors v = make_cube(4000, IMGRET_METRIC_L2);
    assert_int_equal(build_segment(&v, path, 2, NULL), 0);
    ir_search_stats narrow = {0}, wide = {0}, refused = {0}, product = {0};
    uint32_t few = search_cube(&v, 64, INFINITY, &narrow),
             many = search_cube(&v, 800, INFINITY, &wide);
    print_message("hops %.1f and %.1f, right %u and %u of 200\n", (double)narrow.hops / 20,
                  (double)wide.hops / 20, few, many);
    assert_true(few >= 198 && many >= few);
    assert_true(narrow.hops < wide.hops && wide.hops < 20 * 600);
    /* Many nearer ones are refused: the walk must not have measured by them. */
    assert_true(search_cube(&v, 64, -1.2, &refused) >= 190);
    v.metric = IMGRET_METRIC_INNER_PRODUCT; /* whose keys tell no distance */
    assert_int_equal(build_segment(&v, path, 2, NULL), 0);
    search_cube(&v, 800, INFINITY, &product);
    assert_true(product.hops >= 20 * 800);
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
        cmocka_unit_test(every_metric_finds_the_nearest),
        cmocka_unit_test(tiny_segments_answer),
        cmocka_unit_test(wide_vectors_cross_pages),
        cmocka_unit_test(equal_and_zero_vectors_are_found),
        cmocka_unit_test(every_way_of_reading_answers_alike),
        cmocka_unit_test(a_narrow_walk_reads_less),
        cmocka_unit_test(less_ram_reads_more_and_finds_as_much),
        cmocka_unit_test(what_is_not_allowed_never_appears),
        cmocka_unit_test(a_batch_answers_each_query_like_a_single_search),
        cmocka_unit_test(a_walk_stops_where_all_is_far),
    };
    return cmocka_run_group_tests_name("segment_search", tests, choose_file, remove_file);
}
