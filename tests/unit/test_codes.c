/* test_codes.c: kernels over codes against the scalar ones; estimates unbiased and within bounds. */
#include "testing.h"

#include "code_compare.h"

#include "base/random.h"
#include "index/codes.h"
#include "index/rotate.h"

#include <math.h>

/* ---- Kernels ---------------------------------------------------------------------------------- */

static void families_agree_with_scalar(void **state)
{
    (void)state;
    const char *names[] = {"avx2", "avx512", "neon"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const ir_code_kernels *family = ir_code_kernels_named(names[i]);
        if (!family) {
            print_message("%s: not on this machine\n", names[i]);
            continue;
        }
        assert_true(compare_code_kernels(family));
    }
    assert_null(ir_code_kernels_named("none"));
}

/* The reference itself, against the definition. */
static void scalar_levels_are_what_the_layout_says(void **state)
{
    (void)state;
    enum { N = 16 };
    uint8_t sign[2] = {0x01, 0x80}, rest[4] = {0x1B, 0, 0, 0xC0};
    int8_t query[N + IR_CODE_SLACK_BYTES] = {0};
    uint32_t levels[N] = {4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4};
    levels[0] += 3, levels[4] += 2, levels[8] += 1, levels[15] += 3; /* 0x1B: 3, 2, 1, 0 */
    for (uint32_t j = 0; j < N; j++) {
        memset(query, 0, sizeof query);
        query[j] = 1;
        ir_code_operand operand = {.bytes = query, .dimension = N};
        ir_code_rows signs = {sign, 2, NULL, 1}, rests = {rest, 4, NULL, 1};
        int32_t found;
        ir_code_kernels_named("scalar")->levels_dot(&operand, &signs, &rests, 3, &found);
        assert_int_equal(found, levels[j]);
    }
}

/* ---- Estimates -------------------------------------------------------------------------------- */

typedef struct trial {
    double error_mean;                                 /* signed, by the mean truth */
    double ratio_square_mean, beyond_two, beyond_four; /* in given deviations */
    double relative;                                   /* sum of errors by sum of truths */
} trial;

enum { VECTORS = 200, QUERIES = 20 };

typedef struct coded_set {
    ir_rotation *rotation;
    ir_code_shape shape;
    float x[VECTORS][4096], centroids[2 * 4096];
    uint8_t signs[VECTORS * 600], ranks[VECTORS * 4200];
} coded_set;

static coded_set set;

/* Random vectors, some directions longer than others, each coded at one of two centroids. */
static void code_vectors(uint32_t dimension, uint32_t bits, uint64_t *seed)
{
    static float raw[4096], residual[4096];
    assert_int_equal(ir_rotation_create(&set.rotation, dimension, *seed, NULL), 0);
    uint32_t n = ir_rotation_dimension(set.rotation);
    set.shape = ir_code_shape_of(n, bits);
    for (uint32_t c = 0; c < 2; c++) {
        for (uint32_t j = 0; j < dimension; j++)
            raw[j] = 0.5f * normal(seed);
        ir_rotate(set.rotation, raw, set.centroids + c * n);
    }
    for (uint32_t i = 0; i < VECTORS; i++) {
        const float *centroid = set.centroids + (i % 2) * n;
        for (uint32_t j = 0; j < dimension; j++)
            raw[j] = normal(seed) * (j % 5 ? 1 : 3);
        ir_rotate(set.rotation, raw, set.x[i]);
        for (uint32_t j = 0; j < n; j++)
            residual[j] = set.x[i][j] - centroid[j];
        ir_code_source source = {residual, centroid, i % 2, 0};
        ir_code_encode(&set.shape, &source, set.signs + i * set.shape.sign_stride,
                       set.ranks + i * set.shape.rank_stride);
    }
}

static void take_bits_off(uint32_t bits)
{
    uint8_t record[4200];
    uint32_t n = set.shape.dimension;
    ir_code_shape less = ir_code_shape_of(n, bits);
    for (uint32_t i = 0; i < VECTORS; i++) { /* in place: records only move to the front */
        memcpy(record, set.ranks + i * set.shape.rank_stride, set.shape.rank_stride);
        ir_code_reduce(&set.shape, &less, set.signs + i * set.shape.sign_stride, record,
                       set.centroids + (i % 2) * n, set.ranks + i * less.rank_stride);
    }
    set.shape = less;
}

/* Adds what the estimates for one query are off. */
static void compare_keys(const float *q, bool coarse, trial *sums, double *truth_sum)
{
    static _Alignas(64) uint8_t memory[64 * 1024];
    float keys[VECTORS], errors[VECTORS];
    const double count = VECTORS * QUERIES;
    assert_true(ir_code_query_bytes(&set.shape) <= sizeof memory);
    ir_code_query query = {.plain = true};
    float squares[2];
    ir_code_squares(set.centroids, set.shape.dimension, 2, squares);
    ir_code_centroids centroids = {set.centroids, squares, 2};
    ir_code_query_prepare(&query, &set.shape, q, &centroids, memory);
    ir_code_rows signs = {set.signs, set.shape.sign_stride, NULL, VECTORS};
    ir_code_rows ranks = {set.ranks, set.shape.rank_stride, NULL, VECTORS};
    if (coarse) {
        static uint8_t bits[VECTORS * 512];
        uint64_t tails[VECTORS];
        float split_keys[VECTORS], split_errors[VECTORS];
        uint32_t n = set.shape.dimension;
        ir_code_estimate_signs(&set.shape, &query, &signs, keys, errors);
        for (uint32_t i = 0; i < VECTORS; i++)
            ir_code_split_sign(&set.shape, set.signs + i * set.shape.sign_stride,
                               bits + (size_t)i * (n / 8), &tails[i]);
        ir_code_estimate_split(&set.shape, &query, bits, tails, VECTORS, split_keys, split_errors);
        assert_memory_equal(keys, split_keys, sizeof keys);
        assert_memory_equal(errors, split_errors, sizeof errors);
    } else
        ir_code_estimate(&set.shape, &query, &signs, &ranks, keys, errors);
    for (uint32_t i = 0; i < VECTORS; i++) {
        double truth = 0;
        for (uint32_t j = 0; j < set.shape.dimension; j++)
            truth += pow((double)set.x[i][j] - (double)q[j], 2);
        double off = (double)keys[i] - truth;
        double ratio = fabs(off) / ((double)errors[i] + 1e-6 * truth);
        *truth_sum += truth;
        sums->error_mean += off;
        sums->relative += fabs(off);
        sums->ratio_square_mean += ratio * ratio / count;
        sums->beyond_two += (ratio > 2) / count;
        sums->beyond_four += (ratio > 4) / count;
    }
}

/* Compares keys of random vectors and queries with true squared distances; `reduced` (0: none):
 * the codes are made with `bits` bits and cut to so many. */
static trial try_codes(uint32_t dimension, uint32_t bits, uint64_t seed, bool coarse,
                       uint32_t reduced)
{
    static float raw[4096], q[4096];
    trial sums = {0, 0, 0, 0, 0};
    double truth_sum = 0;
    code_vectors(dimension, bits, &seed);
    if (reduced)
        take_bits_off(reduced);
    for (uint32_t t = 0; t < QUERIES; t++) {
        for (uint32_t j = 0; j < dimension; j++)
            raw[j] = normal(&seed);
        ir_rotate(set.rotation, raw, q);
        compare_keys(q, coarse, &sums, &truth_sum);
    }
    ir_rotation_free(set.rotation);
    sums.error_mean /= truth_sum;
    sums.relative /= truth_sum;
    return sums;
}

static void estimates_are_unbiased_and_their_errors_true(void **state)
{
    (void)state;
    const uint32_t dimensions[] = {16, 33, 100, 128, 300, 784, 1536, 2048};
    for (size_t i = 0; i < sizeof dimensions / sizeof dimensions[0]; i++)
        for (uint32_t bits = 1; bits <= IR_CODE_BITS_MAX; bits++) {
            trial found = try_codes(dimensions[i], bits, 100 * dimensions[i] + bits, bits == 1, 0);
            /* The mean of some thousand estimates lies far nearer to the truth than one does. */
            assert_true(fabs(found.error_mean) < 0.15 * found.relative + 1e-6);
            /* A deviation is neither too small nor a wide bound: its square is the error's mean. */
            assert_true(found.ratio_square_mean > 0.3 && found.ratio_square_mean < 1.7);
            assert_true(found.beyond_two < 0.09);
            assert_true(found.beyond_four < 0.004);
        }
}

static void small_dimensions_work(void **state)
{
    (void)state;
    for (uint32_t dimension = 2; dimension < 16; dimension++)
        for (uint32_t bits = 2; bits <= IR_CODE_BITS_MAX; bits += 3) {
            trial found = try_codes(dimension, bits, dimension, false, 0);
            assert_true(found.relative < 1.2 / (double)(1 << bits));
        }
}

static void more_bits_err_less(void **state)
{
    (void)state;
    double before = try_codes(256, 1, 9, true, 0).relative;
    for (uint32_t bits = 2; bits <= 6; bits++) {
        double now = try_codes(256, bits, 9, false, 0).relative;
        assert_true(now < 0.65 * before);
        before = now;
    }
}

static void codes_lose_bits_without_bias(void **state)
{
    (void)state;
    for (uint32_t bits = 3; bits <= IR_CODE_BITS_MAX; bits++)
        for (uint32_t dimension = 100; dimension <= 784; dimension += 342)
            for (uint32_t less = bits - 1; less >= 2; less--) {
                trial found = try_codes(dimension, bits, bits + dimension, false, less);
                assert_true(fabs(found.error_mean) < 0.2 * found.relative + 1e-6);
                assert_true(found.ratio_square_mean > 0.3 && found.ratio_square_mean < 1.7);
            }
    double direct = try_codes(256, 3, 5, false, 0).relative;
    double reduced = try_codes(256, 5, 5, false, 3).relative;
    assert_true(reduced < 1.6 * direct);
}

static void a_vector_at_its_centroid_has_an_exact_key(void **state)
{
    (void)state;
    enum { N = 64 };
    static _Alignas(64) uint8_t memory[8192];
    float centroid[N], zero[N] = {0}, q[N];
    uint64_t seed = 3;
    for (uint32_t j = 0; j < N; j++) {
        centroid[j] = normal(&seed);
        q[j] = normal(&seed);
    }
    ir_code_shape shape = ir_code_shape_of(N, 5);
    uint8_t sign[64], rank[128];
    ir_code_source source = {zero, centroid, 0, 0};
    ir_code_encode(&shape, &source, sign, rank);
    ir_code_query query;
    query.plain = true;
    ir_code_query_prepare(&query, &shape, q, &(ir_code_centroids){centroid, NULL, 1}, memory);
    ir_code_rows signs = {sign, shape.sign_stride, NULL, 1},
                 ranks = {rank, shape.rank_stride, NULL, 1};
    float key, error, coarse_key, coarse_error;
    ir_code_estimate(&shape, &query, &signs, &ranks, &key, &error);
    ir_code_estimate_signs(&shape, &query, &signs, &coarse_key, &coarse_error);
    assert_true(fabsf(key - query.centroid_keys[0]) < 1e-4f && error == 0);
    assert_true(fabsf(coarse_key - query.centroid_keys[0]) < 1e-4f && coarse_error == 0);
}

static void a_zero_query_is_no_trouble(void **state)
{
    (void)state;
    enum { N = 64 };
    static _Alignas(64) uint8_t memory[8192];
    float centroid[N] = {0}, residual[N], q[N] = {0};
    uint64_t seed = 4;
    double squares = 0;
    for (uint32_t j = 0; j < N; j++) {
        residual[j] = normal(&seed);
        squares += (double)residual[j] * (double)residual[j];
    }
    ir_code_shape shape = ir_code_shape_of(N, 4);
    uint8_t sign[64], rank[128];
    ir_code_source source = {residual, centroid, 0, 0};
    ir_code_encode(&shape, &source, sign, rank);
    ir_code_query query;
    query.plain = true;
    ir_code_query_prepare(&query, &shape, q, &(ir_code_centroids){centroid, NULL, 1}, memory);
    ir_code_rows signs = {sign, shape.sign_stride, NULL, 1},
                 ranks = {rank, shape.rank_stride, NULL, 1};
    float key;
    ir_code_estimate(&shape, &query, &signs, &ranks, &key, NULL);
    assert_true(fabs((double)key - squares) < 1e-3);
    ir_code_estimate_signs(&shape, &query, &signs, &key, NULL);
    assert_true(fabs((double)key - squares) < 1e-3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_agree_with_scalar),
        cmocka_unit_test(scalar_levels_are_what_the_layout_says),
        cmocka_unit_test(estimates_are_unbiased_and_their_errors_true),
        cmocka_unit_test(small_dimensions_work),
        cmocka_unit_test(more_bits_err_less),
        cmocka_unit_test(codes_lose_bits_without_bias),
        cmocka_unit_test(a_vector_at_its_centroid_has_an_exact_key),
        cmocka_unit_test(a_zero_query_is_no_trouble),
    };
    return cmocka_run_group_tests_name("codes", tests, NULL, NULL);
}
