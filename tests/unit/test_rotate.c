/* test_rotate.c: the random rotation keeps lengths and angles, spreads, and repeats. */
#include "testing.h"

#include "base/random.h"
#include "index/rotate.h"

#include <math.h>

static const uint32_t dimensions[] = {2, 3, 7, 8, 9, 63, 64, 65, 100, 128, 784, 1000, 2048, 4096};
enum { COUNT = sizeof dimensions / sizeof dimensions[0] };

static double product(const float *a, const float *b, uint32_t n)
{
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static void lengths_and_angles_are_kept(void **state)
{
    (void)state;
    static float a[4096], b[4096], ra[4096], rb[4096];
    for (uint32_t i = 0; i < COUNT; i++) {
        uint32_t n = dimensions[i];
        uint64_t seed = n;
        ir_rotation *rotation;
        assert_int_equal(ir_rotation_create(&rotation, n, 5, NULL), 0);
        uint32_t padded = ir_rotation_dimension(rotation);
        assert_true(padded >= n && padded % 8 == 0 && padded < n + 8);
        for (uint32_t j = 0; j < n; j++) {
            a[j] = (float)ir_random_unit(&seed) - 0.3f;
            b[j] = (float)ir_random_unit(&seed) - 0.6f;
        }
        ir_rotate(rotation, a, ra);
        ir_rotate(rotation, b, rb);
        double scale = sqrt(product(a, a, n) * product(b, b, n));
        assert_true(fabs(product(a, b, n) - product(ra, rb, padded)) < 1e-5 * scale);
        assert_true(fabs(product(a, a, n) - product(ra, ra, padded)) < 1e-5 * product(a, a, n));
        ir_rotation_free(rotation);
    }
}

/* Over many seeds, one axis goes everywhere alike: each coordinate has mean square 1 / n, and the
 * fourth moment of a nearly normal number. */
static void an_axis_is_spread_over_all_coordinates(void **state)
{
    (void)state;
    enum { SEEDS = 400 };
    static float in[4096], out[4096];
    static double squares[4096];
    for (uint32_t i = 0; i < COUNT; i++) {
        uint32_t n = dimensions[i];
        if (n < 63 || n > 1000)
            continue;
        uint32_t padded = (n + 7) / 8 * 8;
        double fourth = 0;
        memset(squares, 0, sizeof squares);
        memset(in, 0, sizeof in);
        in[n / 3] = 1;
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            ir_rotation *rotation;
            assert_int_equal(ir_rotation_create(&rotation, n, seed, NULL), 0);
            ir_rotate(rotation, in, out);
            for (uint32_t j = 0; j < padded; j++) {
                double square = (double)out[j] * (double)out[j] * padded;
                squares[j] += square / SEEDS;
                fourth += square * square / SEEDS / padded;
            }
            ir_rotation_free(rotation);
        }
        for (uint32_t j = 0; j < padded; j++)
            assert_true(squares[j] > 0.4 && squares[j] < 2.2);
        assert_true(fourth > 2 && fourth < 4.5);
    }
}

static void equal_seeds_give_equal_rotations(void **state)
{
    (void)state;
    float in[100], first[104], second[104], other[104];
    for (uint32_t j = 0; j < 100; j++)
        in[j] = (float)j;
    uint64_t seeds[] = {1, 1, 2};
    float *outs[] = {first, second, other};
    for (uint32_t i = 0; i < 3; i++) {
        ir_rotation *rotation;
        assert_int_equal(ir_rotation_create(&rotation, 100, seeds[i], NULL), 0);
        ir_rotate(rotation, in, outs[i]);
        ir_rotation_free(rotation);
    }
    assert_memory_equal(first, second, sizeof first);
    assert_memory_not_equal(first, other, sizeof first);
}

static void impossible_dimensions_are_refused(void **state)
{
    (void)state;
    ir_rotation *rotation;
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(ir_rotation_create(&rotation, 1, 0, &error), IMGRET_INVALID_ARGUMENT);
    assert_int_equal(ir_rotation_create(&rotation, 4097, 0, &error), IMGRET_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "4097"));
    assert_null(rotation);
    ir_rotation_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_and_angles_are_kept),
        cmocka_unit_test(an_axis_is_spread_over_all_coordinates),
        cmocka_unit_test(equal_seeds_give_equal_rotations),
        cmocka_unit_test(impossible_dimensions_are_refused),
    };
    return cmocka_run_group_tests_name("rotate", tests, NULL, NULL);
}
