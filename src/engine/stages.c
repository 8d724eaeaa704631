/* stages.c: what is done with the candidates of a search before they are results: colours, the
 * host's ranking, diversity. */
#include "engine/stages.h"

#include "base/alloc.h"
#include "base/error.h"
#include "engine/query.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int compare_hits(const void *a, const void *b)
{
    const imgret_hit *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return x->region < y->region ? -1 : x->region > y->region;
}

void ir_stages_sort(imgret_results *results)
{
    if (results->count > 1)
        qsort(results->hits, (size_t)results->count, sizeof *results->hits, compare_hits);
}

/* ---- colours ---- */

typedef struct {
    const ir_colors *colors;
    double *likeness; /* of each hit */
} color_context;

static int32_t compare_colors(void *context, uint64_t position, const imgret_record *record,
                              imgret_error *error)
{
    (void)error;
    color_context *compared = context;
    if (record->attributes)
        compared->likeness[position] = ir_colors_score(
            compared->colors, record->attributes->swatches, record->attributes->swatch_count);
    return IMGRET_OK;
}

int32_t ir_stages_color(imgret_results *results, ir_database *database, const ir_colors *colors,
                        double weight, imgret_error *error)
{
    size_t count = (size_t)results->count;
    int64_t *ids = ir_malloc_array(count ? count : 1, sizeof *ids);
    color_context compared = {colors, ir_calloc(count ? count : 1, sizeof *compared.likeness)};
    int32_t status = IMGRET_OK;
    if (!ids || !compared.likeness)
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory for the colours of %zu pictures",
                         count);
    for (size_t i = 0; i < count && !status; i++)
        ids[i] = results->hits[i].id;
    if (!status)
        status = ir_catalog_records_of_images(database->catalog, ids, count, compare_colors,
                                              &compared, error);
    for (size_t i = 0; i < count && !status; i++)
        results->hits[i].score = (1 - weight) * results->hits[i].score +
                                 weight * compared.likeness[i];
    ir_free(ids);
    ir_free(compared.likeness);
    ir_stages_sort(results);
    return status;
}

/* ---- the host's ranking ---- */

int32_t ir_stages_rerank(imgret_results *results, imgret_rerank_fn rerank, void *user,
                         imgret_error *error)
{
    size_t count = (size_t)results->count;
    if (count == 0)
        return IMGRET_OK;
    double *scores = ir_malloc_array(count, sizeof *scores);
    if (!scores)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %zu scores", count);
    for (size_t i = 0; i < count; i++)
        scores[i] = results->hits[i].score;
    int32_t status = IMGRET_OK;
    if (rerank(user, results->hits, results->count, scores) != 0)
        status = ir_fail(error, IMGRET_INTERRUPTED, "stopped by the rerank callback");
    for (size_t i = 0; i < count && !status; i++) {
        if (!isfinite(scores[i]))
            status = ir_fail(error, IMGRET_INVALID_ARGUMENT,
                             "the rerank callback gave image %lld the score %g",
                             (long long)results->hits[i].id, scores[i]);
        results->hits[i].score = scores[i];
    }
    ir_free(scores);
    ir_stages_sort(results);
    return status;
}

/* ---- diversity ---- */

double ir_stages_score(const ir_database *database, const float *a, const float *b)
{
    double product = 0, a_square = 0, b_square = 0;
    for (uint32_t i = 0; i < database->dimension; i++) {
        double x = (double)a[i], y = (double)b[i];
        product += x * y;
        a_square += x * x;
        b_square += y * y;
    }
    if (database->metric == IMGRET_METRIC_INNER_PRODUCT)
        return product;
    if (database->metric == IMGRET_METRIC_L2) {
        double square = a_square + b_square - 2 * product;
        return square > 0 ? -sqrt(square) : 0;
    }
    return a_square > 0 && b_square > 0 ? product / sqrt(a_square * b_square) : 0;
}

/* The candidates' vectors, row by row; candidates that are gone by now are dropped. */
static int32_t fetch_vectors(imgret_results *results, ir_database *database, float *vectors,
                             ir_call *call, imgret_error *error)
{
    uint64_t kept = 0;
    for (uint64_t i = 0; i < results->count; i++) {
        imgret_error reason = IMGRET_ERROR_INIT;
        if (ir_call_stopped(call))
            return ir_fail(error, IMGRET_INTERRUPTED, "the query was interrupted");
        int32_t status = ir_get_region_vector(
            database, results->hits[i].id, results->hits[i].region,
            vectors + (size_t)kept * database->dimension, &reason);
        if (status && status != IMGRET_NOT_FOUND)
            return ir_fail(error, status, "%s", reason.message);
        if (!status)
            results->hits[kept++] = results->hits[i];
    }
    results->count = kept;
    return IMGRET_OK;
}

/* Greedily: each place goes to the candidate of the greatest marginal relevance. */
static int32_t choose(imgret_results *results, const ir_database *database, double diversity,
                      uint64_t k, float *vectors, double *nearest, float *room, ir_call *call,
                      imgret_error *error)
{
    size_t dimension = database->dimension, row_bytes = dimension * sizeof *vectors;
    for (uint64_t place = 0; place < k; place++) {
        if (ir_call_stopped(call))
            return ir_fail(error, IMGRET_INTERRUPTED, "the query was interrupted");
        uint64_t best = place;
        double best_value = -INFINITY;
        for (uint64_t i = place; i < results->count; i++) {
            double value = (1 - diversity) * results->hits[i].score -
                           (place > 0 ? diversity * nearest[i] : 0);
            if (value > best_value) { /* equal ones: the first, which is the more alike */
                best = i;
                best_value = value;
            }
        }
        /* The others keep their order. */
        imgret_hit chosen = results->hits[best];
        memcpy(room, vectors + best * dimension, row_bytes);
        memmove(results->hits + place + 1, results->hits + place,
                (size_t)(best - place) * sizeof chosen);
        memmove(nearest + place + 1, nearest + place, (size_t)(best - place) * sizeof *nearest);
        memmove(vectors + (place + 1) * dimension, vectors + place * dimension,
                (size_t)(best - place) * row_bytes);
        results->hits[place] = chosen;
        memcpy(vectors + place * dimension, room, row_bytes);
        for (uint64_t i = place + 1; i < results->count; i++) {
            double alike = ir_stages_score(database, room, vectors + i * dimension);
            nearest[i] = place == 0 || alike > nearest[i] ? alike : nearest[i];
        }
    }
    return IMGRET_OK;
}

int32_t ir_stages_diversify(imgret_results *results, ir_database *database, double diversity,
                            uint32_t k, ir_call *call, imgret_error *error)
{
    size_t count = (size_t)results->count;
    if (count < 2)
        return IMGRET_OK;
    float *vectors = ir_malloc_array((count + 1) * database->dimension, sizeof *vectors);
    double *nearest = ir_calloc(count, sizeof *nearest);
    int32_t status = IMGRET_OK;
    if (!vectors || !nearest)
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory for %zu vectors", count);
    if (!status)
        status = fetch_vectors(results, database, vectors, call, error);
    if (!status)
        status = choose(results, database, diversity, k < results->count ? k : results->count,
                        vectors, nearest, vectors + count * database->dimension, call, error);
    ir_free(vectors);
    ir_free(nearest);
    return status;
}
