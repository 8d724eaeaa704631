/* test_codes.c: kernels over codes against the scalar ones; estimates unbiased and within bounds. */
#include "testing.h"

#include "base/random.h"
#include "index/codes.h"
#include "index/rotate.h"

#include <math.h>

static float normal(uint64_t *seed)
{
    double sum = 0;
    for (int i = 0; i < 12; i++)
        sum += ir_random_unit(seed);
    return (float)(sum - 6);
}

/* ---- Kernels ---------------------------------------------------------------------------------- */

enum { ROWS = 9, N_MAX = 1040 };

typedef struct codes {
    uint8_t rows[ROWS * N_MAX];
    uint8_t rests[ROWS * N_MAX];
    uint8_t planes[4 * 256];
    int8_t bytes[N_MAX + IR_CODE_SLACK_BYTES];
    uint32_t ids[ROWS];
} codes;

static void fill(codes *c, uint64_t seed)
{
    uint8_t *all = (uint8_t *)c;
    for (size_t i = 0; i < offsetof(codes, ids); i++)
        all[i] = (uint8_t)ir_random_next(&seed);
    for (uint32_t i = 0; i < ROWS; i++)
        c->ids[i] = (uint32_t)ir_random_below(&seed, ROWS);
}

static void compare_family(const ir_code_kernels *family, const codes *c, uint32_t n)
{
    const ir_code_kernels *scalar = ir_code_kernels_named("scalar");
    ir_code_operand query = {c->planes, 256, c->bytes, n};
    int32_t expected[ROWS], found[ROWS];
    ir_code_rows rows = {c->rows, n / 8 + 3, c->ids, ROWS};
    scalar->bits_dot(&query, &rows, expected);
    family->bits_dot(&query, &rows, found);
    assert_memory_equal(expected, found, sizeof found);
    for (uint32_t bits = 2; bits <= IR_CODE_BITS_MAX; bits++) {
        ir_code_rows rests = {c->rests, n * (bits - 1) / 8 + 1, c->ids, ROWS};
        scalar->levels_dot(&query, &rows, &rests, bits, expected);
        family->levels_dot(&query, &rows, &rests, bits, found);
        assert_memory_equal(expected, found, sizeof found);
    }
    ir_code_rows whole = {c->rests, N_MAX, NULL, ROWS};
    scalar->bytes_dot(c->bytes, n, &whole, expected);
    family->bytes_dot(c->bytes, n, &whole, found);
    assert_memory_equal(expected, found, sizeof found);
    /* Any number of rows on either side, by name and in order. */
    int32_t expected_all[ROWS * ROWS], found_all[ROWS * ROWS];
    for (uint32_t count = 1; count <= ROWS; count++) {
        ir_code_rows left = {c->rests, N_MAX, NULL, count};
        ir_code_rows right = {c->rests, N_MAX, c->ids, ROWS + 1 - count};
        memset(expected_all, 0, sizeof expected_all);
        memset(found_all, 0, sizeof found_all);
        scalar->bytes_gram(&left, &right, n, expected_all);
        family->bytes_gram(&left, &right, n, found_all);
        assert_memory_equal(expected_all, found_all, sizeof found_all);
    }
}

static void compare_floats(const ir_code_kernels *family, uint32_t n)
{
    const ir_code_kernels *scalar = ir_code_kernels_named("scalar");
    static float a[4096], b[4096];
    uint64_t seed = n;
    for (uint32_t j = 0; j < n; j++)
        a[j] = b[j] = normal(&seed);
    float expected = scalar->dot(a, b, n);
    assert_true(fabsf(expected - family->dot(a, b, n)) <= 1e-4f * expected);
    for (uint32_t block = 1; block <= n; block *= 2) {
        scalar->fht(a, block);
        family->fht(b, block);
        for (uint32_t j = 0; j < block; j++)
            assert_true(fabsf(a[j] - b[j]) <= 1e-5f * (float)(block * block));
        memcpy(a, b, sizeof a);
        for (uint32_t j = 0; j < block; j++)
            a[j] = b[j] = b[j] / sqrtf((float)block);
    }
}

static void compare_encoding(const ir_code_kernels *family, uint32_t n)
{
    const ir_code_kernels *scalar = ir_code_kernels_named("scalar");
    static float values[N_MAX], other[N_MAX];
    uint8_t expected[N_MAX], found[N_MAX];
    float expected_sums[3], found_sums[3];
    uint64_t seed = n;
    for (uint32_t j = 0; j < n; j++) {
        values[j] = normal(&seed);
        other[j] = normal(&seed);
    }
    for (uint32_t bits = 1; bits <= IR_CODE_BITS_MAX; bits++) {
        float inverse = 0.3f * (float)(1u << bits);
        scalar->grid(values, other, n, inverse, bits, expected, expected_sums);
        family->grid(values, other, n, inverse, bits, found, found_sums);
        assert_memory_equal(expected, found, n);
        for (int i = 0; i < 3; i++)
            assert_true(fabsf(expected_sums[i] - found_sums[i]) <=
                        1e-5f * (expected_sums[1] + (float)n));
        family->grid(values, NULL, n, inverse, bits, NULL, found_sums);
        assert_true(found_sums[2] == 0);
    }
    int32_t expected_bytes[2], found_bytes[2];
    assert_true(scalar->bytes_from_floats(values, n, expected, expected_bytes) ==
                family->bytes_from_floats(values, n, found, found_bytes));
    assert_memory_equal(expected, found, n);
    assert_memory_equal(expected_bytes, found_bytes, sizeof found_bytes);
    memset(values, 0, sizeof values);
    assert_true(family->bytes_from_floats(values, n, found, found_bytes) == 0);
    assert_true(found[0] == 128 && found_bytes[0] == 0 && found_bytes[1] == 0);
}

static void families_agree_with_scalar(void **state)
{
    (void)state;
    const char *names[] = {"avx2", "avx512"};
    static codes c;
    for (size_t i = 0; i < 2; i++) {
        const ir_code_kernels *family = ir_code_kernels_named(names[i]);
        if (!family) {
            print_message("%s: not on this machine\n", names[i]);
            continue;
        }
        for (uint32_t n = 8; n <= N_MAX; n += 8) {
            fill(&c, n);
            compare_family(family, &c, n);
            compare_encoding(family, n);
        }
        compare_floats(family, 4096);
        compare_floats(family, 37);
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
    double relative; /* sum of errors by sum of truths */
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
    ir_code_query_prepare(&query, &set.shape, q, set.centroids, 2, memory);
    ir_code_rows signs = {set.signs, set.shape.sign_stride, NULL, VECTORS};
    ir_code_rows ranks = {set.ranks, set.shape.rank_stride, NULL, VECTORS};
    if (coarse)
        ir_code_estimate_signs(&set.shape, &query, &signs, keys, errors);
    else
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
    ir_code_query_prepare(&query, &shape, q, centroid, 1, memory);
    ir_code_rows signs = {sign, shape.sign_stride, NULL, 1}, ranks = {rank, shape.rank_stride, NULL, 1};
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
    ir_code_query_prepare(&query, &shape, q, centroid, 1, memory);
    ir_code_rows signs = {sign, shape.sign_stride, NULL, 1}, ranks = {rank, shape.rank_stride, NULL, 1};
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
