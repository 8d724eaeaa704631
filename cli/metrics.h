/* metrics.h: how good a ranking is: the measures of trec_eval, and a test of two systems by them. */
#ifndef IMGRET_CLI_METRICS_H
#define IMGRET_CLI_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLI_CUTOFFS 6        /* 1, 5, 10, 20, 50, 100 */
#define CLI_RECALL_LEVELS 11 /* 0, 0.1, ... 1 */

extern const uint32_t cli_cutoffs[CLI_CUTOFFS];

/* Of one query, or the mean over queries. */
typedef struct cli_metrics {
    double precision[CLI_CUTOFFS]; /* relevant ones among the first k, divided by k */
    double recall[CLI_CUTOFFS];    /* divided by all relevant ones */
    double ndcg[CLI_CUTOFFS];      /* gain 1, discount 1 / log2(rank + 1) */
    double
        average_precision; /* precision at each relevant rank, summed, divided by all relevant ones */
    double r_precision;    /* precision at rank R, of R relevant ones */
    double reciprocal_rank; /* of the first relevant one; 0: none */
    double
        curve[CLI_RECALL_LEVELS]; /* interpolated: the greatest precision at this recall or above */
} cli_metrics;

/* `relevant[i]` tells of rank i + 1; what is not among `count` ranks was not found. `relevant_count` is
 * how many there are to be found, at least 1 and at least the number of true entries. */
void cli_metrics_of(cli_metrics *out, const bool *relevant, size_t count, size_t relevant_count);

/* Adds one query's to a sum, and makes means of the sum of `count`. */
void cli_metrics_add(cli_metrics *sum, const cli_metrics *one);
void cli_metrics_divide(cli_metrics *sum, size_t count);

/* Paired values of two systems over the same queries. */
typedef struct cli_comparison {
    double mean_a, mean_b;
    double p_value;       /* two-sided, Fisher's randomisation test */
    double low, high;     /* 95% interval of mean_b - mean_a by the bootstrap (percentiles) */
    size_t better, worse; /* queries where b is above, below a */
} cli_comparison;

/* Smucker, Allan, Carterette, "A Comparison of Statistical Significance Tests for Information Retrieval
 * Evaluation", CIKM 2007; `rounds` of each, at least 1. False: out of memory. */
bool cli_compare(cli_comparison *out, const double *a, const double *b, size_t count,
                 uint32_t rounds, uint64_t seed);

#endif
