/* classifier.c: logistic regression on unit vectors, by Nesterov's accelerated gradient.
 *
 * Vectors of a model lie in a narrow cone: their mean is taken away and they are scaled to a mean
 * square of 1, so that one strength of regularisation fits every model. The loss is the mean of both
 * sides' mean losses: convex, its gradient's Lipschitz constant is known, no step has to be searched.
 */
#include "engine/classifier.h"

#include "base/alloc.h"
#include "base/error.h"

#include <math.h>
#include <string.h>

enum { STEPS = 200 };

static const double regularisation = 0.005;

/* The rows to learn from: unit vectors, centred, scaled. */
typedef struct {
    uint32_t dimension;
    uint64_t yes_count, count;
    float *rows;
    double *weights, *ahead, *gradient; /* the last is the bias */
} training;

static double dot(const float *a, const float *b, uint32_t dimension)
{
    double sums[4] = {0};
    uint32_t i = 0;
    for (; i + 4 <= dimension; i += 4)
        for (uint32_t j = 0; j < 4; j++)
            sums[j] += (double)a[i + j] * (double)b[i + j];
    for (; i < dimension; i++)
        sums[0] += (double)a[i] * (double)b[i];
    return sums[0] + sums[1] + sums[2] + sums[3];
}

static void take_row(float *out, const float *vector, uint32_t dimension)
{
    double length = sqrt(dot(vector, vector, dimension));
    double scale = length > 0 && isfinite(length) ? 1 / length : 0;
    for (uint32_t i = 0; i < dimension; i++)
        out[i] = (float)(scale * (double)vector[i]);
}

/* The middle between both sides becomes the origin; returns the mean square of what is left. */
static double center_rows(const training *t, float *center)
{
    double square = 0;
    for (uint32_t i = 0; i < t->dimension; i++) {
        double yes = 0, no = 0;
        for (uint64_t r = 0; r < t->count; r++)
            *(r < t->yes_count ? &yes : &no) += (double)t->rows[r * t->dimension + i];
        double middle = (yes / (double)t->yes_count + no / (double)(t->count - t->yes_count)) / 2;
        center[i] = (float)middle;
    }
    for (uint64_t r = 0; r < t->count; r++) {
        float *row = t->rows + r * t->dimension;
        for (uint32_t i = 0; i < t->dimension; i++)
            row[i] -= center[i];
        square += dot(row, row, t->dimension);
    }
    return square / (double)t->count;
}

/* The gradient at t->ahead. */
static void descend(training *t, float *at)
{
    uint32_t dimension = t->dimension;
    for (uint32_t i = 0; i < dimension; i++) {
        at[i] = (float)t->ahead[i];
        t->gradient[i] = regularisation * t->ahead[i];
    }
    t->gradient[dimension] = 0;
    for (uint64_t r = 0; r < t->count; r++) {
        const float *row = t->rows + r * dimension;
        bool yes = r < t->yes_count;
        double share = 0.5 / (double)(yes ? t->yes_count : t->count - t->yes_count);
        double likely = 1 / (1 + exp(-(dot(at, row, dimension) + t->ahead[dimension])));
        float pull = (float)(share * (likely - (yes ? 1 : 0)));
        for (uint32_t i = 0; i < dimension; i++)
            t->gradient[i] += (double)(pull * row[i]);
        t->gradient[dimension] += (double)pull;
    }
}

/* Nesterov, "A method for solving the convex programming problem with convergence rate O(1/k^2)",
 * 1983; `greatest`: square of the longest row, with its 1 for the bias. */
static int32_t minimise(training *t, double greatest, float *room, bool (*stop)(void *),
                        void *context, imgret_error *error)
{
    double step = 1 / (greatest / 4 + regularisation), momentum = 1;
    size_t values = t->dimension + 1u;
    for (int i = 0; i < STEPS; i++) {
        if (stop && stop(context))
            return ir_fail(error, IMGRET_INTERRUPTED, "learning a label was interrupted");
        descend(t, room);
        double next = (1 + sqrt(1 + 4 * momentum * momentum)) / 2;
        for (size_t v = 0; v < values; v++) {
            double moved = t->ahead[v] - step * t->gradient[v];
            t->ahead[v] = moved + (momentum - 1) / next * (moved - t->weights[v]);
            t->weights[v] = moved;
        }
        momentum = next;
    }
    return IMGRET_OK;
}

static int32_t learn(training *t, ir_classifier *out, float *room, bool (*stop)(void *),
                     void *context, imgret_error *error)
{
    double mean_square = center_rows(t, out->center), greatest = 0;
    if (!(mean_square > 1e-12))
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "the examples do not differ from the other pictures");
    double scale = 1 / sqrt(mean_square);
    for (uint64_t r = 0; r < t->count; r++) {
        float *row = t->rows + r * t->dimension;
        for (uint32_t i = 0; i < t->dimension; i++)
            row[i] = (float)(scale * (double)row[i]);
        double square = dot(row, row, t->dimension);
        greatest = square > greatest ? square : greatest;
    }
    int32_t status = minimise(t, greatest + 1, room, stop, context, error);
    for (uint32_t i = 0; i < t->dimension; i++)
        out->weights[i] = (float)(scale * t->weights[i]);
    out->bias = t->weights[t->dimension];
    return status;
}

int32_t ir_classifier_learn(ir_classifier *out, uint32_t dimension, const float *yes,
                            uint64_t yes_count, const float *no, uint64_t no_count,
                            bool (*stop)(void *context), void *context, imgret_error *error)
{
    training t = {.dimension = dimension, .yes_count = yes_count, .count = yes_count + no_count};
    *out = (ir_classifier){.dimension = dimension};
    size_t values = 0;
    if (ir_mul_size((size_t)t.count, dimension, &values))
        t.rows = ir_malloc_array(values, sizeof *t.rows);
    t.weights = ir_calloc(3 * (dimension + 1u), sizeof *t.weights);
    float *room = ir_malloc_array(dimension, sizeof *room);
    out->center = ir_malloc_array(dimension, sizeof *out->center);
    out->weights = ir_malloc_array(dimension, sizeof *out->weights);
    int32_t status = IMGRET_OK;
    if (!t.rows || !t.weights || !room || !out->center || !out->weights)
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory to learn from %llu vectors",
                         (unsigned long long)t.count);
    if (!status) {
        t.ahead = t.weights + dimension + 1;
        t.gradient = t.ahead + dimension + 1;
        for (uint64_t r = 0; r < t.count; r++)
            take_row(t.rows + r * dimension,
                     r < yes_count ? yes + r * dimension : no + (r - yes_count) * dimension,
                     dimension);
        status = learn(&t, out, room, stop, context, error);
    }
    ir_free(t.rows);
    ir_free(t.weights);
    ir_free(room);
    if (status)
        ir_classifier_free(out);
    return status;
}

void ir_classifier_free(ir_classifier *classifier)
{
    ir_free(classifier->center);
    ir_free(classifier->weights);
    *classifier = (ir_classifier){0};
}

double ir_classifier_confidence(const ir_classifier *classifier, const float *vector)
{
    uint32_t dimension = classifier->dimension;
    double length = sqrt(dot(vector, vector, dimension));
    double scale = length > 0 && isfinite(length) ? 1 / length : 0;
    double margin = scale * dot(classifier->weights, vector, dimension) -
                    dot(classifier->weights, classifier->center, dimension) + classifier->bias;
    return 1 / (1 + exp(-margin));
}
