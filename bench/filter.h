/* filter.h: the labels that bench/filter.c and its peers look for. */
#ifndef IR_BENCH_FILTER_H
#define IR_BENCH_FILTER_H

enum { FILTER_K = 10, FILTER_LABELS = 9 };

static const char *const filter_labels[FILTER_LABELS] = {"50 %", "20 %", "10 %",  "7 %",  "5 %",
                                                         "2 %",  "1 %",  "0.1 %", "three"};

/* Of the vectors; "three" is given to three. */
static const double filter_shares[FILTER_LABELS] = {0.5,  0.2,  0.1,   0.07, 0.05,
                                                    0.02, 0.01, 0.001, 0};

#endif
