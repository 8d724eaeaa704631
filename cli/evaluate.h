/* evaluate.h: asks a database with its own pictures, and measures the answers by their classes. */
#ifndef IMGRET_CLI_EVALUATE_H
#define IMGRET_CLI_EVALUATE_H

#include "metrics.h"
#include "truth.h"

typedef struct cli_scored {
    const cli_judged *query; /* of the truth */
    uint32_t predicted;      /* class of the first result that has one; UINT32_MAX: there is none */
    cli_metrics metrics;
} cli_scored;

typedef struct cli_evaluation {
    cli_scored *queries; /* by ascending id; those whose class has no other picture are left out */
    size_t count;
    size_t lonely_count; /* those */
    uint32_t depth;      /* results looked at for each */
    cli_metrics mean;
    double accuracy; /* share of queries whose `predicted` is right */
} cli_evaluation;

/* `query_max`, 0: all, chooses that many at random by `seed`. Results without class are not relevant. The
 * picture itself is not among them. False: said on stderr, or interrupted. Free it in any case. */
bool cli_evaluate(cli_evaluation *out, imgret *db, const cli_truth *truth, uint32_t depth,
                  uint32_t query_max, uint64_t seed);
void cli_evaluation_free(cli_evaluation *evaluation);

#endif
