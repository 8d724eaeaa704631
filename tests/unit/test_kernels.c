/* test_kernels.c: every family this CPU has against the scalar one, and which one is chosen. */
#include "testing.h"

#include "kernels_compare.h"

#include "base/log.h"

#include <sys/wait.h>
#include <unistd.h>

static const char *const names[] = {"scalar", "avx2", "avx512", "neon"};

typedef const char *(*check_fn)(const ir_kernels *family);

static void check_each_family(check_fn check)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const ir_kernels *family = ir_kernels_named(names[i]);
        const char *problem = family ? check(family) : NULL;
        if (problem)
            fail_msg("%s", problem);
    }
}

static int warning_count;

static void count_warning(void *user, int32_t level, const char *message)
{
    (void)user;
    if (level == IMGRET_LOG_WARNING && strstr(message, "IMGRET_KERNELS="))
        warning_count++;
}

/* The decision is made once a process, so that every question needs a process of its own. */
static int decision_of_child(const char *wanted, const char *expected, int warnings)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setenv("IMGRET_KERNELS", wanted, 1);
        imgret_set_log(count_warning, NULL, IMGRET_LOG_WARNING);
        const ir_kernels *got = ir_kernels_get();
        bool right = strcmp(got->name, expected) == 0 && got == ir_kernels_get();
        _exit(right && warning_count == warnings ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void environment_names_the_family(void **state)
{
    (void)state;
    const char *best = NULL;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (ir_kernels_named(names[i]))
            best = names[i];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        bool there = ir_kernels_named(names[i]) != NULL;
        assert_int_equal(decision_of_child(names[i], there ? names[i] : best, there ? 0 : 1), 0);
    }
    assert_int_equal(decision_of_child("", best, 0), 0);
    assert_int_equal(decision_of_child("mmx", best, 1), 0);
}

static void families_are_found_by_name(void **state)
{
    (void)state;
    assert_non_null(ir_kernels_named("scalar"));
    assert_null(ir_kernels_named("none"));
    assert_null(ir_kernels_named(""));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const ir_kernels *family = ir_kernels_named(names[i]);
        if (family)
            assert_string_equal(family->name, names[i]);
    }
    assert_ptr_equal(ir_kernels_get(), ir_kernels_named(ir_kernels_get()->name));
}

static void sums_agree_for_every_length(void **state)
{
    (void)state;
    check_each_family(compare_all_lengths);
}

static void overflow_is_infinite(void **state)
{
    (void)state;
    check_each_family(compare_overflow);
}

static void long_sums_do_not_drift(void **state)
{
    (void)state;
    check_each_family(compare_drift);
}

static void halves_become_floats(void **state)
{
    (void)state;
    check_each_family(compare_from_half);
}

static void floats_become_halves(void **state)
{
    (void)state;
    check_each_family(compare_all_to_half);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(environment_names_the_family), /* before anything else decides */
        cmocka_unit_test(families_are_found_by_name),
        cmocka_unit_test(sums_agree_for_every_length),
        cmocka_unit_test(overflow_is_infinite),
        cmocka_unit_test(long_sums_do_not_drift),
        cmocka_unit_test(halves_become_floats),
        cmocka_unit_test(floats_become_halves),
    };
    return cmocka_run_group_tests_name("kernels", tests, NULL, NULL);
}
