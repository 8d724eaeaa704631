/* test_delta.c: exact search over vectors in memory, against plain loops in double precision. */
#include "testing.h"

#include "base/alloc.h"
#include "base/half.h"
#include "index/best.h"
#include "index/delta.h"

#include <math.h>
#include <stdatomic.h>

static const uint32_t metrics[] = {IMGRET_METRIC_COSINE, IMGRET_METRIC_INNER_PRODUCT,
                                   IMGRET_METRIC_L2};
static const uint32_t types[] = {IMGRET_VECTOR_F16, IMGRET_VECTOR_F32};

static uint64_t seed = 1;

static float random_float(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (float)(int32_t)(seed >> 32) * 0x1p-31f;
}

static ir_pool *make_pool(uint32_t threads)
{
    ir_pool *pool;
    assert_int_equal(ir_pool_create(&pool, threads, NULL), IMGRET_OK);
    return pool;
}

static ir_delta *make_delta(uint32_t dimension, uint32_t metric, uint32_t type)
{
    ir_delta *delta;
    assert_int_equal(ir_delta_create(&delta, dimension, metric, type, NULL), IMGRET_OK);
    return delta;
}

/* Encodes and appends; the id is the vector's place times 3 plus 5. */
static int64_t id_of(size_t place)
{
    return (int64_t)place * 3 + 5;
}

static void append(ir_delta *delta, int64_t id, const float *vector)
{
    void *stored = malloc(ir_delta_vector_bytes(delta));
    assert_int_equal(ir_delta_encode(delta, vector, stored, NULL), IMGRET_OK);
    assert_int_equal(ir_delta_append(delta, id, stored, NULL), IMGRET_OK);
    free(stored);
}

static float *random_vectors(size_t count, uint32_t dimension)
{
    float *vectors = malloc((count * dimension + 1) * sizeof *vectors);
    assert_non_null(vectors);
    for (size_t i = 0; i < count * dimension; i++)
        vectors[i] = random_float();
    return vectors;
}

static double reference_score(uint32_t metric, uint32_t type, const float *query,
                              const float *vector, uint32_t dimension)
{
    double dot = 0, query_square = 0, square = 0, distance_square = 0;
    for (uint32_t i = 0; i < dimension; i++) {
        double a = (double)query[i];
        double b = (double)(type == IMGRET_VECTOR_F16
                                ? ir_half_to_float(ir_half_from_float(vector[i]))
                                : vector[i]);
        dot += a * b;
        query_square += a * a;
        square += b * b;
        distance_square += (a - b) * (a - b);
    }
    if (metric == IMGRET_METRIC_L2)
        return -sqrt(distance_square);
    if (metric == IMGRET_METRIC_INNER_PRODUCT)
        return dot;
    return query_square > 0 && square > 0 ? dot / sqrt(query_square) / sqrt(square) : 0;
}

static int compare_neighbors(const void *a, const void *b)
{
    const ir_neighbor *x = a, *y = b;
    return ir_best_is_after(*x, *y) ? 1 : ir_best_is_after(*y, *x) ? -1 : 0;
}

/* What float sums may be off by, for components from -1 to 1. */
static double slack_of(uint32_t metric, uint32_t dimension)
{
    if (metric == IMGRET_METRIC_COSINE)
        return 2e-6;
    if (metric == IMGRET_METRIC_L2)
        return 1e-6 * (1 + sqrt((double)dimension));
    return 1e-7 * (8 + (double)dimension);
}

/* Results against all `count` reference scores: each score near its own, the order right, and none
 * left out that is clearly better than the last. */
static void check_results(const ir_neighbor *got, uint32_t got_count, ir_neighbor *reference,
                          size_t count, uint32_t k, double slack)
{
    qsort(reference, count, sizeof *reference, compare_neighbors);
    assert_int_equal(got_count, count < k ? count : k);
    for (uint32_t i = 0; i < got_count; i++) {
        size_t at = 0;
        while (at < count && reference[at].id != got[i].id)
            at++;
        assert_true(at < count);
        assert_true(fabs(got[i].score - reference[at].score) <= slack);
        assert_true(fabs(got[i].score - reference[i].score) <= slack);
        if (i > 0)
            assert_true(ir_best_is_after(got[i], got[i - 1]));
    }
}

/* `count` random vectors, some equal, some removed, one excluded: against the plain loops, with
 * one to four threads giving the same bits. */
static void check_search(uint32_t metric, uint32_t type, size_t count, uint32_t dimension,
                         uint32_t k)
{
    ir_delta *delta = make_delta(dimension, metric, type);
    float *vectors = random_vectors(count + 1, dimension);
    const float *query = vectors + count * dimension;
    ir_neighbor *reference = malloc((count + 1) * sizeof *reference);
    size_t there = 0;
    for (size_t i = 0; i < count; i++) {
        if (i % 11 == 10)
            memcpy(vectors + i * dimension, vectors + (i - 7) * dimension,
                   dimension * sizeof *vectors);
        append(delta, id_of(i), vectors + i * dimension);
    }
    for (size_t i = 0; i < count; i++) {
        if (i % 5 == 2) {
            assert_true(ir_delta_remove(delta, id_of(i)));
            continue;
        }
        if (i == 3)
            continue; /* excluded below */
        reference[there].id = id_of(i);
        reference[there++].score = reference_score(metric, type, query, vectors + i * dimension,
                                                   dimension);
    }
    ir_neighbor *first = malloc(k * sizeof *first), *again = malloc(k * sizeof *again);
    uint32_t first_count = 0, again_count = 0;
    for (uint32_t threads = 1; threads <= 4; threads++) {
        ir_pool *pool = make_pool(threads);
        ir_delta_query ask = {query, k, -INFINITY, id_of(3), pool, NULL, NULL, NULL, 0, false, 0};
        uint64_t scanned = 0;
        assert_int_equal(ir_delta_search(delta, &ask, again, &again_count, &scanned, NULL), 0);
        assert_true(scanned <= count); /* codes spare some */
        if (threads == 1) {
            memcpy(first, again, again_count * sizeof *again);
            first_count = again_count;
            check_results(first, first_count, reference, there, k, slack_of(metric, dimension));
        }
        assert_int_equal(again_count, first_count);
        assert_memory_equal(again, first, first_count * sizeof *first);
        ir_pool_free(pool);
    }
    free(first);
    free(again);
    free(reference);
    free(vectors);
    ir_delta_free(delta);
}

static void search_equals_plain_loops(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 2, 300};
    for (size_t m = 0; m < 3; m++)
        for (size_t t = 0; t < 2; t++) {
            for (size_t c = 0; c < 4; c++) {
                check_search(metrics[m], types[t], counts[c], 1, 7);
                check_search(metrics[m], types[t], counts[c], 31, 10);
                check_search(metrics[m], types[t], counts[c], 130, 1000);
            }
            check_search(metrics[m], types[t], 20, 60000, 7);   /* a few rows a chunk */
            check_search(metrics[m], types[t], 3000, 1024, 50); /* several chunks */
        }
}

static uint32_t search(const ir_delta *delta, const float *query, uint32_t k, double score_min,
                       ir_neighbor *out)
{
    ir_pool *pool = make_pool(2);
    ir_delta_query ask = {query, k, score_min, 0, pool, NULL, NULL, NULL, 0, false, 0};
    uint32_t count = 0;
    assert_int_equal(ir_delta_search(delta, &ask, out, &count, NULL, NULL), IMGRET_OK);
    ir_pool_free(pool);
    return count;
}

static void equal_vectors_come_by_ascending_id(void **state)
{
    (void)state;
    enum { DIMENSION = 100, COUNT = 12000 };
    float vector[DIMENSION], query[DIMENSION];
    for (size_t i = 0; i < DIMENSION; i++) {
        vector[i] = random_float();
        query[i] = random_float();
    }
    for (size_t m = 0; m < 3; m++)
        for (size_t t = 0; t < 2; t++) {
            ir_delta *delta = make_delta(DIMENSION, metrics[m], types[t]);
            for (size_t i = 0; i < COUNT; i++)
                append(delta, id_of(i), vector);
            assert_true(ir_delta_remove(delta, id_of(1)));
            for (size_t self = 0; self < 2; self++) {
                ir_neighbor got[50];
                assert_int_equal(search(delta, self ? vector : query, 50, -INFINITY, got), 50);
                for (size_t i = 0; i < 50; i++) {
                    assert_int_equal(got[i].id, id_of(i < 1 ? i : i + 1));
                    assert_true(got[i].score == got[0].score);
                }
            }
            ir_delta_free(delta);
        }
}

static void identical_vectors_score_as_the_contract_says(void **state)
{
    (void)state;
    static const uint32_t dimensions[] = {1, 3, 64, 512, 2048, 65536};
    for (size_t d = 0; d < sizeof dimensions / sizeof dimensions[0]; d++)
        for (size_t t = 0; t < 2; t++)
            for (int same = 0; same < 2; same++) {
                uint32_t n = dimensions[d];
                float *vector = malloc(n * sizeof *vector), *query = malloc(n * sizeof *query);
                for (uint32_t i = 0; i < n; i++)
                    vector[i] = same ? 0.3f : random_float();
                ir_neighbor got;
                ir_delta *cosine = make_delta(n, IMGRET_METRIC_COSINE, types[t]);
                append(cosine, 1, vector);
                assert_int_equal(search(cosine, vector, 1, -INFINITY, &got), 1);
                assert_true(got.score <= 1.0 && got.score >= 1.0 - 1e-6);
                for (uint32_t i = 0; i < n; i++)
                    query[i] = vector[i] * -64.0f;
                search(cosine, query, 1, -INFINITY, &got);
                assert_true(got.score >= -1.0 && got.score <= -1.0 + 1e-6);
                ir_delta *l2 = make_delta(n, IMGRET_METRIC_L2, types[t]);
                append(l2, 1, vector);
                ir_delta_decode(l2, ir_delta_get(l2, 1), query);
                search(l2, query, 1, -INFINITY, &got);
                assert_true(got.score == 0.0 && !signbit(got.score));
                search(cosine, query, 1, -INFINITY, &got);
                assert_true(got.score <= 1.0 && got.score >= 1.0 - 1e-12);
                ir_delta_free(cosine);
                ir_delta_free(l2);
                free(vector);
                free(query);
            }
}

static void zero_vectors_score_zero_by_cosine(void **state)
{
    (void)state;
    const float zero[3] = {0, -0.0f, 0}, one[3] = {1, 2, -3};
    ir_delta *delta = make_delta(3, IMGRET_METRIC_COSINE, IMGRET_VECTOR_F32);
    append(delta, 1, zero);
    append(delta, 2, one);
    ir_neighbor got[2];
    assert_int_equal(search(delta, one, 2, -INFINITY, got), 2);
    assert_true(got[1].id == 1 && got[1].score == 0.0 && !signbit(got[1].score));
    assert_int_equal(search(delta, zero, 2, -INFINITY, got), 2);
    assert_true(got[0].id == 1 && got[0].score == 0.0 && got[1].score == 0.0);
    ir_delta_free(delta);
}

/* Rows whose scores need double precision push out those that are there already. */
static void the_best_is_found_however_late(void **state)
{
    (void)state;
    const float query[2] = {1.5f, 2.0f}, near[2] = {1.5f, 2.5f}, huge[2] = {-3e38f, 3e38f};
    const float far[2] = {-2.5e38f, 2.5e38f};
    for (size_t t = 0; t < 2; t++) {
        ir_delta *delta = make_delta(2, IMGRET_METRIC_L2, types[t]);
        append(delta, 1, near);
        append(delta, 2, query);
        append(delta, 3, query);
        ir_neighbor got;
        assert_int_equal(search(delta, query, 1, -INFINITY, &got), 1);
        assert_true(got.id == 2 && got.score == 0.0);
        ir_delta_free(delta);
    }
    ir_delta *delta = make_delta(2, IMGRET_METRIC_L2, IMGRET_VECTOR_F32);
    append(delta, 1, huge);
    append(delta, 2, far);
    append(delta, 3, huge);
    ir_neighbor got;
    assert_int_equal(search(delta, query, 1, -INFINITY, &got), 1);
    assert_int_equal(got.id, 2);
    append(delta, 4, near);
    assert_int_equal(search(delta, query, 1, -INFINITY, &got), 1);
    assert_int_equal(got.id, 4);
    ir_delta_free(delta);
}

/* Values whose squares overflow or vanish in single precision. */
static void extreme_values_score_right(void **state)
{
    (void)state;
    static const float scales[] = {1e-44f, 1e-38f, 1e-30f, 1e-18f, 1.0f, 1e15f, 1e20f, 3e38f};
    enum { N = 40, SCALES = sizeof scales / sizeof scales[0] };
    float vectors[SCALES][N], query[N];
    for (size_t s = 0; s < SCALES; s++)
        for (size_t i = 0; i < N; i++)
            vectors[s][i] = random_float() * scales[s];
    for (size_t m = 0; m < 3; m++) {
        ir_delta *delta = make_delta(N, metrics[m], IMGRET_VECTOR_F32);
        for (size_t s = 0; s < SCALES; s++)
            append(delta, (int64_t)s + 1, vectors[s]);
        for (size_t q = 0; q < SCALES; q++) {
            for (size_t i = 0; i < N; i++)
                query[i] = random_float() * scales[q];
            ir_neighbor got[SCALES];
            assert_int_equal(search(delta, query, SCALES, -INFINITY, got), SCALES);
            for (size_t i = 0; i < SCALES; i++) {
                double wanted = reference_score(metrics[m], IMGRET_VECTOR_F32, query,
                                                vectors[got[i].id - 1], N);
                double lengths = (double)scales[q] * (double)scales[got[i].id - 1];
                double allowed = metrics[m] == IMGRET_METRIC_COSINE          ? 2e-6
                                 : metrics[m] == IMGRET_METRIC_INNER_PRODUCT ? lengths * 4e-6
                                                                             : -wanted * 2e-6;
                /* A sum of products of which each is rounded to a multiple of the least float. */
                allowed += N * 0x1p-149 * (double)scales[q];
                assert_true(fabs(got[i].score - wanted) <= allowed);
            }
        }
        ir_delta_free(delta);
    }
}

static void score_min_k_and_the_query_are_checked(void **state)
{
    (void)state;
    const float vectors[4][2] = {{1, 0}, {2, 0}, {3, 0}, {4, 0}};
    ir_delta *delta = make_delta(2, IMGRET_METRIC_INNER_PRODUCT, IMGRET_VECTOR_F16);
    for (size_t i = 0; i < 4; i++)
        append(delta, id_of(i), vectors[i]);
    ir_neighbor got[10];
    assert_int_equal(search(delta, vectors[0], 10, 3.0, got), 2);
    assert_true(got[0].score == 4.0 && got[1].score == 3.0);
    assert_int_equal(search(delta, vectors[0], 10, 4.5, got), 0);
    assert_int_equal(search(delta, vectors[0], 1, -INFINITY, got), 1);

    ir_pool *pool = make_pool(1);
    const float broken[2] = {1, NAN};
    ir_delta_query ask = {broken, 10, -INFINITY, 0, pool, NULL, NULL, NULL, 0, false, 0};
    imgret_error error = IMGRET_ERROR_INIT;
    uint32_t count = 99;
    assert_int_equal(ir_delta_search(delta, &ask, got, &count, NULL, &error),
                     IMGRET_INVALID_ARGUMENT);
    assert_int_equal(count, 0);
    assert_non_null(strstr(error.message, "component 1"));
    ask.vector = vectors[0];
    ask.score_min = NAN;
    assert_int_equal(ir_delta_search(delta, &ask, got, &count, NULL, NULL),
                     IMGRET_INVALID_ARGUMENT);
    ask.score_min = -INFINITY;
    ask.k = 0;
    assert_int_equal(ir_delta_search(delta, &ask, got, &count, NULL, NULL),
                     IMGRET_INVALID_ARGUMENT);
    ir_pool_free(pool);
    ir_delta_free(delta);
}

static void encoding_refuses_what_cannot_be_stored(void **state)
{
    (void)state;
    float vector[400];
    unsigned char stored[1600 + 1];
    imgret_error error = IMGRET_ERROR_INIT;
    for (size_t t = 0; t < 2; t++) {
        ir_delta *delta = make_delta(400, IMGRET_METRIC_L2, types[t]);
        for (size_t i = 0; i < 400; i++)
            vector[i] = 65504.0f;
        assert_int_equal(ir_delta_encode(delta, vector, stored + 1, NULL), IMGRET_OK);
        vector[311] = -65521.0f;
        int32_t status = ir_delta_encode(delta, vector, stored, &error);
        if (types[t] == IMGRET_VECTOR_F16) {
            assert_int_equal(status, IMGRET_INVALID_ARGUMENT);
            assert_non_null(strstr(error.message, "component 311 of the vector is -65521"));
        } else {
            assert_int_equal(status, IMGRET_OK);
        }
        vector[0] = INFINITY;
        assert_int_equal(ir_delta_encode(delta, vector, stored, &error), IMGRET_INVALID_ARGUMENT);
        assert_non_null(strstr(error.message, "component 0 "));
        vector[0] = NAN;
        assert_int_equal(ir_delta_encode(delta, vector, stored, &error), IMGRET_INVALID_ARGUMENT);
        ir_delta_free(delta);
    }
}

static void encoding_and_decoding_round_trip(void **state)
{
    (void)state;
    float vector[777], back[777];
    unsigned char stored[777 * 4 + 1];
    for (size_t i = 0; i < 777; i++)
        vector[i] = ir_half_to_float(ir_half_from_float(random_float()));
    for (size_t t = 0; t < 2; t++) {
        ir_delta *delta = make_delta(777, IMGRET_METRIC_L2, types[t]);
        assert_int_equal(ir_delta_vector_bytes(delta), 777 * (t ? 4 : 2));
        assert_int_equal(ir_delta_encode(delta, vector, stored + 1, NULL), IMGRET_OK);
        memset(back, 0x55, sizeof back);
        ir_delta_decode(delta, stored + 1, back);
        assert_memory_equal(back, vector, sizeof vector);
        assert_int_equal(ir_delta_append(delta, 9, stored + 1, NULL), IMGRET_OK);
        assert_memory_equal(ir_delta_get(delta, 9), stored + 1, 777 * (t ? 4 : 2));
        ir_delta_free(delta);
    }
}

static void appending_refuses_disorder_and_damage(void **state)
{
    (void)state;
    ir_delta *delta = make_delta(2, IMGRET_METRIC_COSINE, IMGRET_VECTOR_F16);
    const uint16_t good[2] = {0x3C00, 0x3C00}, infinite[2] = {0x3C00, 0xFC00}, nan[2] = {0x7E01, 0};
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(ir_delta_append(delta, 0, good, &error), IMGRET_INVALID_ARGUMENT);
    assert_int_equal(ir_delta_append(delta, 7, good, NULL), IMGRET_OK);
    assert_int_equal(ir_delta_append(delta, 7, good, &error), IMGRET_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "7"));
    assert_int_equal(ir_delta_append(delta, 8, infinite, &error), IMGRET_CORRUPT);
    assert_non_null(strstr(error.message, "component 1"));
    assert_int_equal(ir_delta_append(delta, 8, nan, &error), IMGRET_CORRUPT);
    assert_int_equal(ir_delta_count(delta), 1);
    assert_int_equal(ir_delta_last_id(delta), 7);
    assert_int_equal(ir_delta_append(delta, 8, good, NULL), IMGRET_OK);
    ir_delta_free(delta);
    assert_int_equal(ir_delta_create(&delta, 0, 1, 1, NULL), IMGRET_INVALID_ARGUMENT);
    assert_null(delta);
    assert_int_equal(ir_delta_create(&delta, 65537, 1, 1, NULL), IMGRET_INVALID_ARGUMENT);
    assert_int_equal(ir_delta_create(&delta, 5, 4, 1, NULL), IMGRET_INVALID_ARGUMENT);
    assert_int_equal(ir_delta_create(&delta, 5, 1, 3, NULL), IMGRET_INVALID_ARGUMENT);
}

static void removed_vectors_are_gone(void **state)
{
    (void)state;
    ir_delta *delta = make_delta(1, IMGRET_METRIC_INNER_PRODUCT, IMGRET_VECTOR_F32);
    assert_int_equal(ir_delta_last_id(delta), 0);
    assert_int_equal(ir_delta_count(delta), 0);
    assert_false(ir_delta_remove(delta, 1));
    assert_null(ir_delta_get(delta, 1));
    uint64_t empty_bytes = ir_delta_ram_bytes(delta);
    enum { COUNT = 40000 }; /* three chunks */
    for (size_t i = 0; i < COUNT; i++) {
        float value = (float)i;
        append(delta, id_of(i), &value);
    }
    assert_true(ir_delta_ram_bytes(delta) > empty_bytes + COUNT * sizeof(float));
    assert_false(ir_delta_remove(delta, id_of(COUNT)));
    assert_false(ir_delta_remove(delta, 0));
    assert_false(ir_delta_remove(delta, id_of(0) + 1));
    for (size_t i = 1; i < COUNT; i += 2) {
        assert_non_null(ir_delta_get(delta, id_of(i)));
        assert_true(ir_delta_remove(delta, id_of(i)));
        assert_false(ir_delta_remove(delta, id_of(i)));
        assert_null(ir_delta_get(delta, id_of(i)));
    }
    assert_int_equal(ir_delta_count(delta), COUNT / 2);
    assert_int_equal(ir_delta_last_id(delta), id_of(COUNT - 1));
    const float one = 1;
    ir_neighbor *got = malloc(COUNT * sizeof *got);
    assert_int_equal(search(delta, &one, COUNT, -INFINITY, got), COUNT / 2);
    for (size_t i = 0; i < COUNT / 2; i++)
        assert_true(got[i].score == (double)(COUNT - 2 - 2 * i));
    free(got);
    ir_delta_free(delta);
    ir_delta_free(NULL);
}

static bool stop_after(void *context)
{
    atomic_int *left = context;
    return atomic_fetch_sub(left, 1) <= 0;
}

static void search_stops_when_asked(void **state)
{
    (void)state;
    float vector[512] = {1};
    ir_delta *delta = make_delta(512, IMGRET_METRIC_L2, IMGRET_VECTOR_F32);
    for (int64_t id = 1; id <= 6000; id++) /* twelve chunks */
        append(delta, id, vector);
    for (uint32_t threads = 1; threads <= 3; threads++) {
        ir_pool *pool = make_pool(threads);
        atomic_int left = 3;
        ir_delta_query ask = {vector, 5, -INFINITY, 0, pool, stop_after, &left, NULL, 0, false, 0};
        ir_neighbor got[5];
        uint32_t count;
        uint64_t scanned;
        assert_int_equal(ir_delta_search(delta, &ask, got, &count, &scanned, NULL),
                         IMGRET_INTERRUPTED);
        assert_int_equal(count, 0);
        assert_int_equal(scanned, 3 * 512);
        atomic_store(&left, 1000);
        assert_int_equal(ir_delta_search(delta, &ask, got, &count, &scanned, NULL), IMGRET_OK);
        assert_int_equal(scanned, 6000);
        ir_pool_free(pool);
    }
    ir_delta_free(delta);
}

/* Everything once; true when no allocation failed. */
static bool build_and_search(ir_pool *pool, uint64_t fail_after)
{
    float vector[512] = {1};
    float stored[512] = {1};
    ir_delta *delta;
    ir_alloc_fail_after(fail_after);
    int32_t status = ir_delta_create(&delta, 512, IMGRET_METRIC_COSINE, IMGRET_VECTOR_F32, NULL);
    assert_true(status == IMGRET_OK || !delta);
    uint64_t appended = 0;
    for (int64_t id = 1; id <= 1500 && status == IMGRET_OK; id++) {
        status = ir_delta_append(delta, id, stored, NULL);
        appended += status == IMGRET_OK;
    }
    if (delta)
        assert_int_equal(ir_delta_count(delta), appended);
    if (status == IMGRET_OK) {
        ir_delta_query ask = {vector, 5, -INFINITY, 0, pool, NULL, NULL, NULL, 0, false, 0};
        ir_neighbor got[5];
        uint32_t count;
        status = ir_delta_search(delta, &ask, got, &count, NULL, NULL);
        assert_int_equal(count, status == IMGRET_OK ? 5 : 0);
    } else if (delta) { /* goes on where memory failed */
        assert_int_equal(ir_delta_append(delta, (int64_t)appended + 1, stored, NULL), IMGRET_OK);
    }
    ir_alloc_fail_after(0);
    assert_true(status == IMGRET_OK || status == IMGRET_NO_MEMORY);
    ir_delta_free(delta);
    return status == IMGRET_OK;
}

static void failed_allocations_leave_all_in_order(void **state)
{
    (void)state;
    ir_pool *pool = make_pool(2);
    uint64_t before = ir_alloc_live_count(), fail_after = 1;
    while (!build_and_search(pool, fail_after)) {
        assert_int_equal(ir_alloc_live_count(), before);
        fail_after++;
    }
    /* The delta, its scratch, four for its coder, a shelf, three chunks; the query, its vector, parts
     * and items. */
    assert_int_equal(fail_after, 15);
    assert_int_equal(ir_alloc_live_count(), before);
    ir_pool_free(pool);
}

/* A .fvecs or .ivecs file: rows of a 32-bit length and as many 32-bit numbers. */
static uint32_t *read_vecs(const char *path, size_t *row_count, uint32_t *dimension)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    size_t bytes = (size_t)ftell(file);
    rewind(file);
    uint32_t *data = malloc(bytes);
    assert_int_equal(fread(data, 1, bytes, file), bytes);
    fclose(file);
    *dimension = data[0];
    *row_count = bytes / 4 / (*dimension + 1);
    for (size_t row = 0; row < *row_count; row++)
        memmove(data + row * *dimension, data + row * (*dimension + 1) + 1, *dimension * 4);
    return data;
}

/* SIFT components are small whole numbers: distances are exact, and ties are real. */
static void neighbours_of_sift_are_the_known_ones(void **state)
{
    (void)state;
    char base_path[4096], query_path[4096], truth_path[4096];
    if (!test_data(base_path, sizeof base_path, "vectors/sift10k/sift10k_base.fvecs") ||
        !test_data(query_path, sizeof query_path, "vectors/sift10k/sift10k_query.fvecs") ||
        !test_data(truth_path, sizeof truth_path, "vectors/sift10k/sift10k_groundtruth.ivecs"))
        skip();
    size_t base_count, query_count, truth_count;
    uint32_t dimension, query_dimension, k;
    float *base = (float *)read_vecs(base_path, &base_count, &dimension);
    float *queries = (float *)read_vecs(query_path, &query_count, &query_dimension);
    uint32_t *truth = read_vecs(truth_path, &truth_count, &k);
    assert_int_equal(query_dimension, dimension);
    assert_int_equal(truth_count, query_count);
    ir_delta *delta = make_delta(dimension, IMGRET_METRIC_L2, IMGRET_VECTOR_F16);
    for (size_t i = 0; i < base_count; i++)
        append(delta, (int64_t)i + 1, base + i * dimension);
    ir_neighbor *got = malloc(k * sizeof *got);
    for (size_t q = 0; q < query_count; q++) {
        const float *query = queries + q * dimension;
        assert_int_equal(search(delta, query, k, -INFINITY, got), k);
        for (uint32_t i = 0; i < k; i++) {
            const float *known = base + (size_t)truth[q * k + i] * dimension;
            assert_true(got[i].score == reference_score(IMGRET_METRIC_L2, IMGRET_VECTOR_F16, query,
                                                        known, dimension));
        }
    }
    free(got);
    free(truth);
    free(queries);
    free(base);
    ir_delta_free(delta);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(search_equals_plain_loops),
        cmocka_unit_test(equal_vectors_come_by_ascending_id),
        cmocka_unit_test(identical_vectors_score_as_the_contract_says),
        cmocka_unit_test(zero_vectors_score_zero_by_cosine),
        cmocka_unit_test(the_best_is_found_however_late),
        cmocka_unit_test(extreme_values_score_right),
        cmocka_unit_test(score_min_k_and_the_query_are_checked),
        cmocka_unit_test(encoding_refuses_what_cannot_be_stored),
        cmocka_unit_test(encoding_and_decoding_round_trip),
        cmocka_unit_test(appending_refuses_disorder_and_damage),
        cmocka_unit_test(removed_vectors_are_gone),
        cmocka_unit_test(search_stops_when_asked),
        cmocka_unit_test(failed_allocations_leave_all_in_order),
        cmocka_unit_test(neighbours_of_sift_are_the_known_ones),
    };
    return cmocka_run_group_tests_name("delta", tests, NULL, NULL);
}
