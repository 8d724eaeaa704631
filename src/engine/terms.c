/* terms.c: from the examples of a query to the vectors that are searched for: a + b - c. */
#include "engine/terms.h"

#include "base/alloc.h"
#include "base/error.h"
#include "engine/query.h"
#include "engine/query_inside.h"
#include "engine/source.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define KINDS                                                                         \
    (1u << IMGRET_INPUT_FILE | 1u << IMGRET_INPUT_BYTES | 1u << IMGRET_INPUT_PIXELS | \
     1u << IMGRET_INPUT_VECTOR | 1u << IMGRET_INPUT_ID)

#define WEIGHT_MAX 1e6

static int32_t check_term(imgret_term *term, imgret_input *input, uint32_t combine,
                          imgret_error *error)
{
    if (term->weight == 0)
        term->weight = 1;
    if (!(fabs(term->weight) <= WEIGHT_MAX))
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "its weight is %g", term->weight);
    if (combine == IMGRET_COMBINE_BEST && term->weight != 1)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "its weight is %g; IMGRET_COMBINE_BEST knows no weights", term->weight);
    int32_t status = ir_source_read_input(input, term->input, KINDS, error);
    term->input = input;
    return status;
}

int32_t ir_terms_check(imgret_term *out, imgret_input *inputs, const imgret_query_options *options,
                       imgret_error *error)
{
    if (options->combine > IMGRET_COMBINE_BEST)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "imgret_query_options.combine is %u",
                       options->combine);
    if (options->term_count > 0 && !options->terms)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "imgret_query_options.term_count is %u, but terms is NULL",
                       options->term_count);
    if (options->term_count > IR_TERMS_MAX)
        return ir_fail(error, IMGRET_LIMIT,
                       "imgret_query_options.term_count is %u, at most %d are possible",
                       options->term_count, IR_TERMS_MAX);
    for (uint32_t i = 0; i < options->term_count; i++) {
        const char *at = (const char *)options->terms + (size_t)i * options->terms[0].size;
        imgret_error reason = IMGRET_ERROR_INIT;
        int32_t status = ir_options_read(&out[i], sizeof out[i], sizeof out[i], at, "imgret_term",
                                         &reason);
        if (!status)
            status = check_term(&out[i], &inputs[i], options->combine, &reason);
        if (status)
            return ir_fail(error, status, "term %u: %s", i, reason.message);
    }
    return IMGRET_OK;
}

static int compare_ids(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

bool ir_terms_exclude(const ir_terms *terms, int64_t image)
{
    return terms->excluded_count > 0 &&
           bsearch(&image, terms->excluded, (size_t)terms->excluded_count, sizeof image,
                   compare_ids) != NULL;
}

/* The vectors of the examples, row by row: pictures through the model together. */
static int32_t fill_rows(ir_database *database, const imgret_input *const *inputs, uint32_t count,
                         const imgret_query_options *options, ir_call *call, float *rows,
                         imgret_error *error)
{
    ir_asked asked[IR_TERMS_MAX + 1];
    for (uint32_t i = 0; i < count; i++)
        asked[i] = (ir_asked){.input = inputs[i], .vector = rows + (size_t)i * database->dimension};
    ir_query_work work = {.database = database,
                          .options = options,
                          .call = call,
                          .asked = asked,
                          .count = count,
                          .alone = count == 1};
    int32_t status = ir_query_vectors(&work, error);
    for (uint32_t i = 0; i < count && !status; i++)
        if (inputs[i]->kind == IMGRET_INPUT_ID)
            status = ir_get_asked_vector(database, inputs[i]->id, options, asked[i].vector, error);
    return status;
}

static double length_of(const float *vector, uint32_t dimension)
{
    double square = 0;
    for (uint32_t i = 0; i < dimension; i++)
        square += (double)vector[i] * (double)vector[i];
    return sqrt(square);
}

/* The weighted mean into the first row. Under cosine only directions count: each example is as long
 * as the others. */
static int32_t take_mean(const ir_database *database, float *rows, const double *weights,
                         uint32_t count, imgret_error *error)
{
    uint32_t dimension = database->dimension;
    bool cosine = database->metric == IMGRET_METRIC_COSINE;
    double scales[IR_TERMS_MAX + 1], total = 0, all = 0, square = 0;
    for (uint32_t t = 0; t < count; t++) {
        double length = cosine ? length_of(rows + (size_t)t * dimension, dimension) : 1;
        scales[t] = length > 0 ? weights[t] / length : 0;
        total += weights[t];
        all += fabs(weights[t]);
    }
    double divisor = cosine ? all : total > 1e-9 * all ? total : 1;
    for (uint32_t i = 0; i < dimension; i++) {
        double sum = 0;
        for (uint32_t t = 0; t < count; t++)
            sum += scales[t] * (double)rows[(size_t)t * dimension + i];
        sum /= divisor;
        square += sum * sum;
        rows[i] = (float)sum;
    }
    if (cosine && square < 1e-12)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "the examples cancel each other out: nothing is left to search for");
    return IMGRET_OK;
}

/* Sorted, each id once. */
static int32_t list_excluded(ir_terms *out, const imgret_input *const *inputs, uint32_t count,
                             const imgret_query_options *options, imgret_error *error)
{
    uint64_t most = options->exclude_count + count, kept = 0;
    out->excluded = ir_malloc_array(most ? (size_t)most : 1, sizeof *out->excluded);
    if (!out->excluded)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %llu excluded images",
                       (unsigned long long)most);
    if (options->exclude_count > 0)
        memcpy(out->excluded, options->exclude_ids,
               (size_t)options->exclude_count * sizeof *out->excluded);
    uint64_t listed = options->exclude_count;
    for (uint32_t i = 0; i < count && !(options->flags & IMGRET_QUERY_INCLUDE_SELF); i++)
        if (inputs[i]->kind == IMGRET_INPUT_ID)
            out->excluded[listed++] = inputs[i]->id;
    if (listed > 1)
        qsort(out->excluded, (size_t)listed, sizeof *out->excluded, compare_ids);
    for (uint64_t i = 0; i < listed; i++)
        if (kept == 0 || out->excluded[kept - 1] != out->excluded[i])
            out->excluded[kept++] = out->excluded[i];
    out->excluded_count = kept;
    return IMGRET_OK;
}

int32_t ir_terms_read(ir_terms *out, ir_database *database, const imgret_input *input,
                      const imgret_query_options *options, ir_call *call, imgret_error *error)
{
    const imgret_input *inputs[IR_TERMS_MAX + 1];
    double weights[IR_TERMS_MAX + 1];
    uint32_t count = 0;
    *out = (ir_terms){0};
    if (input) {
        inputs[count] = input;
        weights[count++] = 1;
    }
    for (uint32_t i = 0; i < options->term_count; i++) {
        inputs[count] = options->terms[i].input;
        weights[count++] = options->terms[i].weight;
    }
    int32_t status = list_excluded(out, inputs, count, options, error);
    if (status || count == 0)
        return status;
    out->vectors = ir_malloc_array((size_t)count * database->dimension, sizeof *out->vectors);
    if (!out->vectors)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u query vectors", count);
    status = fill_rows(database, inputs, count, options, call, out->vectors, error);
    out->count = count;
    bool single = count == 1 && weights[0] == 1;
    if (!status && options->combine == IMGRET_COMBINE_MEAN && !single) {
        status = take_mean(database, out->vectors, weights, count, error);
        out->count = 1;
    }
    return status;
}

void ir_terms_free(ir_terms *terms)
{
    ir_free(terms->vectors);
    ir_free(terms->excluded);
}
