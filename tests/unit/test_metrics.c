/* test_metrics.c: the measures of `imgret eval` against cases computed by hand. */
#include "testing.h"

#include "metrics.h"

#include <math.h>

#define assert_near(a, b) assert_true(fabs((a) - (b)) < 1e-12)

/* Relevant at ranks 1, 3 and 6 of 8; four there are. */
static void a_ranking_is_measured_as_by_hand(void **state)
{
    (void)state;
    const bool relevant[8] = {true, false, true, false, false, true};
    cli_metrics m;
    cli_metrics_of(&m, relevant, 8, 4);
    assert_near(m.precision[0], 1);
    assert_near(m.precision[1], 2.0 / 5);
    assert_near(m.precision[2], 3.0 / 10); /* by k, although only 8 are ranked */
    assert_near(m.recall[0], 1.0 / 4);
    assert_near(m.recall[1], 2.0 / 4);
    assert_near(m.recall[5], 3.0 / 4);
    assert_near(m.average_precision, (1 + 2.0 / 3 + 3.0 / 6) / 4);
    assert_near(m.r_precision, 2.0 / 4);
    assert_near(m.reciprocal_rank, 1);
    double ideal = 1 + 1 / log2(3) + 1 / log2(4) + 1 / log2(5);
    assert_near(m.ndcg[0], 1);
    assert_near(m.ndcg[1], (1 + 1 / log2(4)) / ideal);
    assert_near(m.ndcg[2], (1 + 1 / log2(4) + 1 / log2(7)) / ideal);
    assert_near(m.curve[0], 1);
    assert_near(m.curve[2], 1);
    assert_near(m.curve[3], 2.0 / 3); /* recall 0.3 is first reached at rank 3 */
    assert_near(m.curve[5], 2.0 / 3);
    assert_near(m.curve[7], 0.5);
    assert_near(m.curve[8], 0); /* never reached */
}

static void edges(void **state)
{
    (void)state;
    cli_metrics m;
    const bool none[3] = {false}, all[2] = {true, true};
    cli_metrics_of(&m, none, 3, 2);
    assert_near(m.average_precision, 0);
    assert_near(m.reciprocal_rank, 0);
    assert_near(m.ndcg[2], 0);
    assert_near(m.curve[0], 0);
    cli_metrics_of(&m, none, 0, 5); /* nothing was found at all */
    assert_near(m.average_precision, 0);
    assert_near(m.r_precision, 0);
    cli_metrics_of(&m, all, 2, 2);
    assert_near(m.average_precision, 1);
    assert_near(m.r_precision, 1);
    assert_near(m.ndcg[1], 1); /* the ideal has two as well */
    assert_near(m.precision[1], 0.4);
    assert_near(m.curve[10], 1);
    cli_metrics_of(&m, all, 2, 4); /* fewer ranked than relevant */
    assert_near(m.r_precision, 0.5);
}

static void recall_levels_are_not_lost_to_rounding(void **state)
{
    (void)state;
    bool relevant[10];
    for (int i = 0; i < 10; i++)
        relevant[i] = true;
    cli_metrics m;
    cli_metrics_of(&m, relevant, 3, 10); /* 3 of 10 reach recall 0.3, not 0.4 */
    assert_near(m.curve[3], 1);
    assert_near(m.curve[4], 0);
}

static void means_are_over_queries(void **state)
{
    (void)state;
    const bool hit[1] = {true}, miss[1] = {false};
    cli_metrics one, sum = {0};
    cli_metrics_of(&one, hit, 1, 1);
    cli_metrics_add(&sum, &one);
    cli_metrics_of(&one, miss, 1, 1);
    cli_metrics_add(&sum, &one);
    cli_metrics_divide(&sum, 2);
    assert_near(sum.average_precision, 0.5);
    assert_near(sum.recall[5], 0.5);
    assert_near(sum.curve[10], 0.5);
}

static void differences_are_tested(void **state)
{
    (void)state;
    double a[40], b[40];
    for (int i = 0; i < 40; i++) {
        a[i] = (i * 7 % 40) / 40.0;
        b[i] = a[i] + 0.1 + 0.01 * (i % 3);
    }
    cli_comparison c;
    assert_true(cli_compare(&c, a, b, 40, 2000, 1));
    assert_near(c.mean_b - c.mean_a, 0.1 + 0.01 * 39 / 40);
    assert_true(c.p_value < 0.001); /* every query is better: 2 of 2^40 assignments are as far */
    assert_true(c.low > 0.1 && c.high < 0.12 && c.low < c.high);
    assert_int_equal(c.better, 40);
    assert_true(cli_compare(&c, a, a, 40, 500, 1));
    assert_near(c.p_value, 1);
    assert_near(c.high, 0);
    /* Of two queries, one better and one worse by the same, every assignment is as far as 0. */
    double x[2] = {0.2, 0.8}, y[2] = {0.4, 0.6};
    assert_true(cli_compare(&c, x, y, 2, 1000, 3));
    assert_near(c.p_value, 1);
    assert_int_equal(c.worse, 1);
    /* One query: both assignments are as far. */
    assert_true(cli_compare(&c, x, y, 1, 1000, 3));
    assert_near(c.p_value, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ranking_is_measured_as_by_hand),
        cmocka_unit_test(edges),
        cmocka_unit_test(recall_levels_are_not_lost_to_rounding),
        cmocka_unit_test(means_are_over_queries),
        cmocka_unit_test(differences_are_tested),
    };
    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
