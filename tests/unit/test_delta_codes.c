/* test_delta_codes.c: a large delta, looked through by codes, answers as if all were compared. */
#include "testing.h"

#include "base/alloc.h"
#include "base/pool.h"
#include "base/random.h"
#include "index/delta.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

enum { DIMENSION = 512, CHUNK_ROWS = 1024, ROWS = 7 * CHUNK_ROWS + 100, K = 10, QUERIES = 8 };

typedef struct fixture {
    ir_pool *pool;
    int64_t *ids; /* all of them: a search among allowed ids uses no codes */
} fixture;

static void fill_vector(float *out, uint64_t seed, float scale)
{
    uint64_t cluster = 1000 + seed % 40;
    seed = seed * 0x9E3779B97F4A7C15u + 1;
    for (uint32_t i = 0; i < DIMENSION; i++)
        out[i] = scale * (float)(ir_random_unit(&seed) - 0.5 + ir_random_unit(&cluster));
}

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_int_equal(ir_pool_create(&f->pool, 3, NULL), 0);
    f->ids = malloc(2 * ROWS * sizeof *f->ids);
    for (int64_t i = 0; i < 2 * ROWS; i++)
        f->ids[i] = i + 1;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    ir_pool_free(f->pool);
    free(f->ids);
    free(f);
    return ir_alloc_live_count() == 0 ? 0 : -1;
}

static ir_delta *make_delta(uint32_t metric)
{
    ir_delta *delta;
    assert_int_equal(ir_delta_create(&delta, DIMENSION, metric, IMGRET_VECTOR_F16, NULL), 0);
    return delta;
}

static void append(ir_delta *delta, uint32_t count, float scale)
{
    float vector[DIMENSION];
    uint16_t stored[DIMENSION];
    for (uint32_t i = 0; i < count; i++) {
        int64_t id = ir_delta_last_id(delta) + 1;
        fill_vector(vector, (uint64_t)id, scale);
        assert_int_equal(ir_delta_encode(delta, vector, stored, NULL), 0);
        assert_int_equal(ir_delta_append(delta, id, stored, NULL), 0);
    }
}

/* Compares the answers of a batch with and without codes; returns the share of rows compared. */
static double assert_equal_to_all(const fixture *f, const ir_delta *delta, double score_min)
{
    static float vectors[QUERIES][DIMENSION];
    ir_delta_query queries[QUERIES], plain[QUERIES];
    ir_neighbor coded[QUERIES][K], all[QUERIES][K];
    ir_delta_result results[QUERIES], truths[QUERIES];
    uint64_t scanned = 0, rows = 0;
    for (uint32_t q = 0; q < QUERIES; q++) {
        fill_vector(vectors[q], 10000000 + q, q == 5 ? 0.01f : 1);
        if (q == 6)
            memset(vectors[q], 0, sizeof vectors[q]);
        queries[q] = (ir_delta_query){.vector = vectors[q],
                                      .k = K,
                                      .score_min = score_min,
                                      .excluded_id = 7,
                                      .pool = f->pool};
        plain[q] = queries[q];
        plain[q].allowed = f->ids;
        plain[q].allowed_count = 2 * ROWS;
        results[q].neighbors = coded[q];
        truths[q].neighbors = all[q];
    }
    assert_int_equal(ir_delta_search_many(delta, queries, QUERIES, results, NULL), 0);
    assert_int_equal(ir_delta_search_many(delta, plain, QUERIES, truths, NULL), 0);
    for (uint32_t q = 0; q < QUERIES; q++) {
        assert_int_equal(results[q].count, truths[q].count);
        assert_memory_equal(coded[q], all[q], truths[q].count * sizeof all[q][0]);
        assert_int_equal(truths[q].estimated, 0);
        scanned += results[q].scanned;
        rows += truths[q].scanned;
    }
    return (double)scanned / (double)rows;
}

static void try_metric(const fixture *f, uint32_t metric)
{
    ir_delta *delta = make_delta(metric);
    append(delta, ROWS, 1);
    uint64_t ram = ir_delta_ram_bytes(delta);
    assert_true(assert_equal_to_all(f, delta, -INFINITY) == 1); /* nothing is coded yet */
    double share = 1;
    for (int i = 0; i < 10; i++)
        share = assert_equal_to_all(f, delta, -INFINITY);
    assert_true(share < 0.7); /* each of three threads may have compared a chunk to begin with */
    assert_true(ir_delta_ram_bytes(delta) > ram + ROWS * DIMENSION / 8);
    for (int64_t id = 100; id < ROWS; id += 3)
        assert_true(ir_delta_remove(delta, id));
    assert_equal_to_all(f, delta, -INFINITY);
    append(delta, 2 * CHUNK_ROWS, 1);
    for (int i = 0; i < 3; i++)
        assert_equal_to_all(f, delta, -INFINITY);
    double bound = metric == IMGRET_METRIC_COSINE ? 0.8 : metric == IMGRET_METRIC_L2 ? -7 : 160;
    assert_true(assert_equal_to_all(f, delta, bound) < 0.7);
    ir_delta *rest = NULL;
    assert_int_equal(ir_delta_drop(delta, ROWS / 2, &rest, NULL), 0); /* codes go, and come again */
    ir_delta_free(rest);
    for (int i = 0; i < 3; i++)
        assert_equal_to_all(f, delta, -INFINITY);
    ir_delta_free(delta);
}

static void cosine_answers_are_equal(void **state)
{
    try_metric(*state, IMGRET_METRIC_COSINE);
}

static void inner_product_answers_are_equal(void **state)
{
    try_metric(*state, IMGRET_METRIC_INNER_PRODUCT);
}

static void l2_answers_are_equal(void **state)
{
    try_metric(*state, IMGRET_METRIC_L2);
}

/* Vectors that no code fits: of many sizes, all alike, all zero. */
static void odd_vectors_are_found_all_the_same(void **state)
{
    fixture *f = *state;
    const float scales[] = {1, 0, 1e-6f, 3000, 1, 0.001f};
    for (uint32_t metric = IMGRET_METRIC_COSINE; metric <= IMGRET_METRIC_L2; metric++) {
        ir_delta *delta = make_delta(metric);
        for (size_t i = 0; i < sizeof scales / sizeof scales[0]; i++)
            append(delta, CHUNK_ROWS, scales[i]);
        float vector[DIMENSION];
        uint16_t stored[DIMENSION];
        fill_vector(vector, 5, 1);
        assert_int_equal(ir_delta_encode(delta, vector, stored, NULL), 0);
        for (uint32_t i = 0; i < CHUNK_ROWS; i++)
            assert_int_equal(ir_delta_append(delta, ir_delta_last_id(delta) + 1, stored, NULL), 0);
        for (int i = 0; i < 9; i++)
            assert_equal_to_all(f, delta, -INFINITY);
        ir_delta_free(delta);
    }
}

/* ---- beside appending ---- */

typedef struct race {
    const fixture *f;
    ir_delta *delta;
    atomic_bool done;
} race;

static void *search_on(void *argument)
{
    race *r = argument;
    float vector[DIMENSION];
    uint32_t count, turn = 0;
    ir_neighbor found[K];
    while (!atomic_load(&r->done)) {
        int64_t wanted = 1 + turn++ * 37 % (5 * CHUNK_ROWS);
        fill_vector(vector, (uint64_t)wanted, 1);
        ir_delta_query query = {
            .vector = vector, .k = K, .score_min = -INFINITY, .pool = r->f->pool};
        assert_int_equal(ir_delta_search(r->delta, &query, found, &count, NULL, NULL), 0);
        assert_int_equal(count, K);
        assert_int_equal(found[0].id, wanted);
    }
    return NULL;
}

static void codes_are_made_beside_searches_and_appends(void **state)
{
    race r = {.f = *state, .delta = make_delta(IMGRET_METRIC_COSINE)};
    append(r.delta, 5 * CHUNK_ROWS, 1);
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, search_on, &r), 0);
    append(r.delta, 5 * CHUNK_ROWS, 1);
    atomic_store(&r.done, true);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    ir_delta_free(r.delta);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cosine_answers_are_equal),
        cmocka_unit_test(inner_product_answers_are_equal),
        cmocka_unit_test(l2_answers_are_equal),
        cmocka_unit_test(odd_vectors_are_found_all_the_same),
        cmocka_unit_test(codes_are_made_beside_searches_and_appends),
    };
    return cmocka_run_group_tests_name("delta_codes", tests, setup, teardown);
}
