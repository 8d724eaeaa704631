/* metrics.c: precision, recall, NDCG, average precision of rankings; significance of differences. */
#include "metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const uint32_t cli_cutoffs[CLI_CUTOFFS] = {1, 5, 10, 20, 50, 100};

static double discount(size_t rank)
{
    return 1 / log2((double)rank + 1);
}

static void at_cutoffs(cli_metrics *out, const bool *relevant, size_t count, size_t relevant_count)
{
    size_t hits = 0, rank = 0;
    double gain = 0, ideal = 0;
    for (int c = 0; c < CLI_CUTOFFS; c++) {
        for (; rank < cli_cutoffs[c]; rank++) {
            bool hit = rank < count && relevant[rank];
            hits += hit;
            gain += hit ? discount(rank + 1) : 0;
            ideal += rank < relevant_count ? discount(rank + 1) : 0;
        }
        out->precision[c] = (double)hits / cli_cutoffs[c];
        out->recall[c] = (double)hits / (double)relevant_count;
        out->ndcg[c] = gain / ideal;
    }
}

void cli_metrics_of(cli_metrics *out, const bool *relevant, size_t count, size_t relevant_count)
{
    size_t hits = 0;
    double sum = 0, total = (double)relevant_count;
    memset(out, 0, sizeof *out);
    at_cutoffs(out, relevant, count, relevant_count);
    for (size_t i = 0; i < count; i++) {
        if (relevant[i]) {
            hits++;
            double precision = (double)hits / (double)(i + 1);
            sum += precision;
            if (hits == 1)
                out->reciprocal_rank = precision;
            /* The small share is trec_eval's, against rounding: recall 0.3 is reached by 3 of 10. */
            for (int level = 0; level < CLI_RECALL_LEVELS; level++)
                if ((double)hits + 1e-9 >= level * total / 10 && out->curve[level] < precision)
                    out->curve[level] = precision;
        }
        if (i + 1 == relevant_count)
            out->r_precision = (double)hits / total;
    }
    if (count < relevant_count)
        out->r_precision = (double)hits / total;
    out->average_precision = sum / total;
}

/* All fields are doubles. */
enum { VALUES = sizeof(cli_metrics) / sizeof(double) };

void cli_metrics_add(cli_metrics *sum, const cli_metrics *one)
{
    double values[VALUES], more[VALUES];
    memcpy(values, sum, sizeof values);
    memcpy(more, one, sizeof more);
    for (size_t i = 0; i < VALUES; i++)
        values[i] += more[i];
    memcpy(sum, values, sizeof values);
}

void cli_metrics_divide(cli_metrics *sum, size_t count)
{
    double values[VALUES];
    memcpy(values, sum, sizeof values);
    for (size_t i = 0; i < VALUES && count; i++)
        values[i] /= (double)count;
    memcpy(sum, values, sizeof values);
}

static uint64_t next(uint64_t *state) /* SplitMix64 */
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static int compare_doubles(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

bool cli_compare(cli_comparison *out, const double *a, const double *b, size_t count,
                 uint32_t rounds, uint64_t seed)
{
    memset(out, 0, sizeof *out);
    double *means = malloc(rounds * sizeof *means);
    if (!means || count == 0) {
        free(means);
        out->p_value = 1;
        return count == 0;
    }
    double n = (double)count;
    for (size_t i = 0; i < count; i++) {
        out->mean_a += a[i] / n;
        out->mean_b += b[i] / n;
        out->better += b[i] > a[i];
        out->worse += b[i] < a[i];
    }
    double observed = fabs(out->mean_b - out->mean_a);
    uint64_t beyond = 0;
    for (uint32_t round = 0; round < rounds; round++) {
        double changed = 0, drawn = 0;
        for (size_t i = 0; i < count; i++) {
            double difference = b[i] - a[i];
            changed += next(&seed) >> 63 ? difference : -difference;
            size_t other = (size_t)(((unsigned __int128)next(&seed) * count) >> 64);
            drawn += b[other] - a[other];
        }
        beyond += fabs(changed / n) >= observed - 1e-12;
        means[round] = drawn / n;
    }
    qsort(means, rounds, sizeof *means, compare_doubles);
    /* The observed assignment is one of those that could have been: p is never 0. */
    out->p_value = (double)(beyond + 1) / (rounds + 1.0);
    out->low = means[(size_t)(0.025 * rounds)];
    out->high = means[(size_t)(0.975 * (rounds - 1))];
    free(means);
    return true;
}
