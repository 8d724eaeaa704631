/* code_compare.h: one family of kernels over codes checked against the scalar one; needs no test
 * library: test_codes.c uses it, and tests/arm64/kernels_main.c, which runs under an emulator. */
#ifndef IR_TESTS_CODE_COMPARE_H
#define IR_TESTS_CODE_COMPARE_H

#include "base/random.h"
#include "kernels/code_kernels.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static inline float normal(uint64_t *seed)
{
    double sum = 0;
    for (int i = 0; i < 12; i++)
        sum += ir_random_unit(seed);
    return (float)(sum - 6);
}

enum { ROWS = 9, N_MAX = 1040 };

typedef struct codes {
    uint8_t rows[ROWS * N_MAX];
    uint8_t rests[ROWS * N_MAX];
    uint8_t planes[4 * 256];
    int8_t bytes[N_MAX + IR_CODE_SLACK_BYTES];
    uint32_t ids[ROWS];
} codes;

static inline void fill(codes *c, uint64_t seed)
{
    uint8_t *all = (uint8_t *)c;
    for (size_t i = 0; i < offsetof(codes, ids); i++)
        all[i] = (uint8_t)ir_random_next(&seed);
    for (uint32_t i = 0; i < ROWS; i++)
        c->ids[i] = (uint32_t)ir_random_below(&seed, ROWS);
}

static inline bool compare_family(const ir_code_kernels *family, const codes *c, uint32_t n)
{
    bool same = true;
    const ir_code_kernels *scalar = ir_code_kernels_named("scalar");
    ir_code_operand query = {c->planes, 256, c->bytes, n};
    int32_t expected[ROWS], found[ROWS];
    ir_code_rows rows = {c->rows, n / 8 + 3, c->ids, ROWS};
    scalar->bits_dot(&query, &rows, expected);
    family->bits_dot(&query, &rows, found);
    same = same && memcmp(expected, found, sizeof found) == 0;
    for (uint32_t bits = 2; bits <= 8; bits++) {
        ir_code_rows rests = {c->rests, n * (bits - 1) / 8 + 1, c->ids, ROWS};
        scalar->levels_dot(&query, &rows, &rests, bits, expected);
        family->levels_dot(&query, &rows, &rests, bits, found);
        same = same && memcmp(expected, found, sizeof found) == 0;
    }
    ir_code_rows whole = {c->rests, N_MAX, NULL, ROWS};
    scalar->bytes_dot(c->bytes, n, &whole, expected);
    family->bytes_dot(c->bytes, n, &whole, found);
    same = same && memcmp(expected, found, sizeof found) == 0;
    /* Any number of rows on either side, by name and in order. */
    int32_t expected_all[ROWS * ROWS], found_all[ROWS * ROWS];
    for (uint32_t count = 1; count <= ROWS; count++) {
        ir_code_rows left = {c->rests, N_MAX, NULL, count};
        ir_code_rows right = {c->rests, N_MAX, c->ids, ROWS + 1 - count};
        memset(expected_all, 0, sizeof expected_all);
        memset(found_all, 0, sizeof found_all);
        scalar->bytes_gram(&left, &right, n, expected_all);
        family->bytes_gram(&left, &right, n, found_all);
        same = same && memcmp(expected_all, found_all, sizeof found_all) == 0;
    }
    return same;
}

/* Any numbers in the tails, damaged ones too: the same keys and errors, to the last bit or both no
 * number, and nothing past them. */
static inline bool same_floats(const float *a, const float *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (memcmp(&a[i], &b[i], sizeof a[i]) != 0 && !(isnan(a[i]) && isnan(b[i])))
            return false;
    return true;
}

static inline bool compare_sign_keys(const ir_code_kernels *family, uint64_t seed)
{
    enum { COUNT = 70 };
    const ir_code_kernels *scalar = ir_code_kernels_named("scalar");
    static float centroid_keys[256];
    uint64_t tails[COUNT];
    int32_t sums[COUNT];
    bool same = true;
    for (uint32_t i = 0; i < 256; i++)
        centroid_keys[i] = (float)ir_random_unit(&seed) * 3;
    for (uint32_t i = 0; i < COUNT; i++) {
        tails[i] = ir_random_next(&seed);
        if (i % 8 != 0) { /* as they are: a base near 1, a slope near -0.1 */
            float base = (float)ir_random_unit(&seed);
            memcpy(&tails[i], &base, sizeof base);
            tails[i] = (tails[i] & ~(0xFFFFull << 32)) | (0xAE00ull + ir_random_below(&seed, 0x400))
                                                             << 32;
        }
        sums[i] = (int32_t)ir_random_below(&seed, 20000) - 10000;
    }
    for (int plain = 0; plain < 2; plain++)
        for (uint32_t count = 0; count <= COUNT; count++) {
            ir_code_terms terms = {centroid_keys, 0.003f, 0.2f, -5.6f, 1 / 511.0f, 1e-5f, plain};
            float expected[2][COUNT + 1] = {{0}}, found[2][COUNT + 1] = {{0}};
            scalar->sign_keys(&terms, tails, sums, count, expected[0], expected[1]);
            family->sign_keys(&terms, tails, sums, count, found[0], found[1]);
            same = same && same_floats(expected[0], found[0], COUNT + 1) &&
                   same_floats(expected[1], found[1], COUNT + 1);
            float keys[COUNT + 1] = {0};
            family->sign_keys(&terms, tails, sums, count, keys, NULL);
            same = same && same_floats(expected[0], keys, COUNT + 1);
        }
    return same;
}

static inline bool compare_floats(const ir_code_kernels *family, uint32_t n)
{
    bool same = true;
    const ir_code_kernels *scalar = ir_code_kernels_named("scalar");
    static float a[4096], b[4096];
    uint64_t seed = n;
    for (uint32_t j = 0; j < n; j++)
        a[j] = b[j] = normal(&seed);
    float expected = scalar->dot(a, b, n);
    same = same && fabsf(expected - family->dot(a, b, n)) <= 1e-4f * expected;
    for (uint32_t block = 1; block <= n; block *= 2) {
        scalar->fht(a, block);
        family->fht(b, block);
        for (uint32_t j = 0; j < block; j++)
            same = same && fabsf(a[j] - b[j]) <= 1e-5f * (float)(block * block);
        memcpy(a, b, sizeof a);
        for (uint32_t j = 0; j < block; j++)
            a[j] = b[j] = b[j] / sqrtf((float)block);
    }
    return same;
}

/* Some values lie beyond what 4 bits hold; what stands behind the planes stays as it is. */
static inline bool compare_planes(const ir_code_kernels *family, const float *values, uint32_t n)
{
    enum { STRIDE = N_MAX / 8 + 3 };
    uint8_t expected[4 * STRIDE], found[4 * STRIDE];
    int32_t expected_sums[2], found_sums[2];
    memset(expected, 0x5A, sizeof expected);
    memset(found, 0x5A, sizeof found);
    const ir_code_kernels *scalar = ir_code_kernels_named("scalar");
    float one = scalar->planes_from_floats(values, n, 3.1f, expected, STRIDE, expected_sums);
    float other = family->planes_from_floats(values, n, 3.1f, found, STRIDE, found_sums);
    return memcmp(expected, found, sizeof found) == 0 && expected_sums[0] == found_sums[0] &&
           expected_sums[1] == found_sums[1] && fabsf(one - other) <= 1e-5f * one;
}

/* The steps of a rotation beside the transform: the same numbers, and nothing past them. */
static inline bool compare_rotation(const ir_code_kernels *family, const float *values,
                                    const float *factors, uint32_t n)
{
    static float expected[N_MAX + 1], found[N_MAX + 1];
    const ir_code_kernels *scalar = ir_code_kernels_named("scalar");
    memcpy(expected, values, n * sizeof expected[0]);
    memcpy(found, values, n * sizeof found[0]);
    expected[n] = found[n] = 17;
    scalar->multiply(expected, factors, n);
    family->multiply(found, factors, n);
    scalar->mix_halves(expected, n, 0.7f);
    family->mix_halves(found, n, 0.7f);
    return memcmp(expected, found, (n + 1) * sizeof found[0]) == 0;
}

static inline bool compare_encoding(const ir_code_kernels *family, uint32_t n)
{
    bool same = true;
    const ir_code_kernels *scalar = ir_code_kernels_named("scalar");
    static float values[N_MAX], other[N_MAX];
    uint8_t expected[N_MAX], found[N_MAX];
    float expected_sums[3], found_sums[3];
    uint64_t seed = n;
    for (uint32_t j = 0; j < n; j++) {
        values[j] = normal(&seed);
        other[j] = normal(&seed);
    }
    for (uint32_t bits = 1; bits <= 8; bits++) {
        float inverse = 0.3f * (float)(1u << bits);
        scalar->grid(values, other, n, inverse, bits, expected, expected_sums);
        family->grid(values, other, n, inverse, bits, found, found_sums);
        same = same && memcmp(expected, found, n) == 0;
        for (int i = 0; i < 3; i++)
            same = same &&
                   fabsf(expected_sums[i] - found_sums[i]) <= 1e-5f * (expected_sums[1] + (float)n);
        family->grid(values, NULL, n, inverse, bits, NULL, found_sums);
        same = same && found_sums[2] == 0;
    }
    int32_t expected_bytes[2], found_bytes[2];
    same = same && scalar->bytes_from_floats(values, n, expected, expected_bytes) ==
                       family->bytes_from_floats(values, n, found, found_bytes);
    same = same && memcmp(expected, found, n) == 0;
    same = same && memcmp(expected_bytes, found_bytes, sizeof found_bytes) == 0;
    same = same && compare_planes(family, values, n) && compare_rotation(family, values, other, n);
    memset(values, 0, sizeof values);
    same = same && family->bytes_from_floats(values, n, found, found_bytes) == 0;
    same = same && found[0] == 128 && found_bytes[0] == 0 && found_bytes[1] == 0;
    return same;
}

static inline bool compare_code_kernels(const ir_code_kernels *family)
{
    static codes c;
    bool same = true;
    for (uint32_t n = 8; n <= N_MAX && same; n += 8) {
        fill(&c, n);
        same = compare_family(family, &c, n) && compare_encoding(family, n);
    }
    for (uint64_t seed = 1; seed <= 20; seed++)
        same = same && compare_sign_keys(family, seed);
    return same && compare_floats(family, 4096) && compare_floats(family, 37);
}

#endif
