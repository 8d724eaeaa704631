/* compose.c: queries of several parts: examples, colours, pages, and what is done with what is found.
 *
 * All of it stands on ir_query, which finds the nearest of vectors. More is fetched than is wanted:
 * by the number of excluded images where they are few, by the results of the pages before, and for
 * the stages (colours beside examples, the host's ranking, diversity), which look at candidates.
 */
#include "engine/compose.h"

#include "base/alloc.h"
#include "base/error.h"
#include "engine/colors.h"
#include "engine/cursor.h"
#include "engine/query.h"
#include "engine/rerank.h"
#include "engine/stages.h"
#include "engine/terms.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

enum {
    FETCH_MAX = 1000000,
    CANDIDATES_LEAST = 100,
    DIVERSE_MAX = 2000,
    /* So many excluded images are fetched with the others and dropped; more are left out by the
     * filter, which has to look at every image for that. */
    DROPPED_MAX = 1000,
};

#define EXCLUDE_MAX ((uint64_t)1 << 24)

/* One query on its way. */
typedef struct composition {
    ir_database *database;
    const imgret_query_options *options;
    const imgret_input *input; /* NULL: none */
    ir_catalog_filter filter;  /* with the excluded, where they are many */
    ir_call *call;
    ir_terms terms;
    ir_colors colors;
    bool staged; /* the order of results is not that of the search */
    uint64_t question;
    ir_cursor_end after; /* `seen` 0: the first page */
} composition;

bool ir_compose_needed(const imgret_query_options *options)
{
    return options->term_count || options->combine || options->color_count ||
           options->exclude_count || options->cursor || options->diversity != 0 ||
           options->rerank || options->rerank_by;
}

static int32_t check_numbers(const imgret_query_options *options, imgret_error *error)
{
    if (!(options->color_weight >= 0 && options->color_weight <= 1))
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "imgret_query_options.color_weight is %g, not between 0 and 1",
                       options->color_weight);
    if (!(options->diversity >= 0 && options->diversity <= 1))
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "imgret_query_options.diversity is %g, not between 0 and 1",
                       options->diversity);
    if (options->diversity > 0 &&
        (options->k > DIVERSE_MAX || options->candidate_count > DIVERSE_MAX))
        return ir_fail(error, IMGRET_LIMIT,
                       "imgret_query_options: with diversity, k and candidate_count are at most %d",
                       DIVERSE_MAX);
    if (options->candidate_count > FETCH_MAX)
        return ir_fail(error, IMGRET_LIMIT,
                       "imgret_query_options.candidate_count is %u, at most %d is possible",
                       options->candidate_count, FETCH_MAX);
    return IMGRET_OK;
}

static int32_t copy_colors(imgret_color_term *out, const imgret_query_options *options,
                           imgret_error *error)
{
    if (options->color_count > 0 && !options->colors)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "imgret_query_options.color_count is %u, but colors is NULL",
                       options->color_count);
    if (options->color_count > IR_COLORS_MAX)
        return ir_fail(error, IMGRET_LIMIT,
                       "imgret_query_options.color_count is %u, at most %d are possible",
                       options->color_count, IR_COLORS_MAX);
    int32_t status = IMGRET_OK;
    for (uint32_t i = 0; i < options->color_count && !status; i++)
        status = ir_options_read(&out[i], sizeof out[i], sizeof out[i],
                                 (const char *)options->colors +
                                     (size_t)i * options->colors[0].size,
                                 "imgret_color_term", error);
    return status;
}

static int32_t copy_parts(ir_compose_parts *parts, imgret_query_options *options,
                          imgret_error *error)
{
    int32_t status = ir_terms_check(parts->terms, parts->inputs, options, error);
    if (!status)
        status = copy_colors(parts->colors, options, error);
    options->terms = parts->terms;
    options->colors = parts->colors;
    return status;
}

int32_t ir_compose_check(imgret_query_options *options, bool has_input, ir_compose_parts *parts,
                         imgret_error *error)
{
    int32_t status = check_numbers(options, error);
    if (!status)
        status = copy_parts(parts, options, error);
    if (status)
        return status;
    bool part = options->box || options->region || (options->flags & IMGRET_QUERY_MAIN_OBJECT);
    if (part && (!has_input || options->term_count > 0))
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "imgret_query_options: box, region and MAIN_OBJECT are of an input alone, "
                       "not of terms");
    if (options->color_count > 0 && options->search != IMGRET_SEARCH_WHOLE)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "imgret_query_options: colors are of whole pictures, not of objects");
    if (!has_input && options->term_count == 0 && options->color_count == 0)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "nothing to search for: input is NULL, and there are no terms or colors");
    if (options->exclude_count > 0 && !options->exclude_ids)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "imgret_query_options.exclude_count is %llu, but exclude_ids is NULL",
                       (unsigned long long)options->exclude_count);
    if (options->exclude_count > EXCLUDE_MAX)
        return ir_fail(error, IMGRET_LIMIT,
                       "imgret_query_options.exclude_count is %llu, at most %llu is possible",
                       (unsigned long long)options->exclude_count, (unsigned long long)EXCLUDE_MAX);
    status = ir_rerank_check(options, has_input, error);
    if (status)
        return status;
    bool mixed = options->color_count > 0 && (has_input || options->term_count > 0);
    if (options->cursor && (options->rerank || options->diversity > 0 || mixed))
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "imgret_query_options.cursor does not go with rerank, diversity, or colors "
                       "beside an example");
    return IMGRET_OK;
}

/* ---- Finding ---- */

/* Whether two hits are one result. */
static bool is_same(const imgret_hit *a, const imgret_hit *b, bool grouped)
{
    return a->id == b->id && (grouped || a->region == b->region);
}

/* Adds the hits of `from` that `into` lacks, and gives those that both have the better score.
 * `grouped`: an image is one result, whichever of its regions it came by. */
static int32_t unite(imgret_results *into, const imgret_results *from, bool grouped,
                     imgret_error *error)
{
    /* Both are sorted by score, not by id: a table of ids finds what is common. */
    uint64_t size = 16;
    while (size < 2 * (into->count + from->count))
        size *= 2;
    uint64_t *table = ir_calloc((size_t)size, sizeof *table);
    if (!table)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to unite results");
    int32_t status = IMGRET_OK;
    uint64_t had = into->count;
    for (uint64_t i = 0; i < had + from->count && !status; i++) {
        const imgret_hit *hit = i < had ? &into->hits[i] : &from->hits[i - had];
        uint64_t at = ((uint64_t)hit->id * 0x9E3779B97F4A7C15u) & (size - 1);
        while (table[at] && !is_same(&into->hits[table[at] - 1], hit, grouped))
            at = (at + 1) & (size - 1);
        imgret_hit *known = table[at] ? &into->hits[table[at] - 1] : NULL;
        if (known && hit->score > known->score)
            status = ir_results_better(into, known, hit, error);
        if (known)
            continue;
        if (i >= had)
            status = ir_results_append(into, hit, error);
        table[at] = i < had ? i + 1 : into->count;
    }
    ir_free(table);
    ir_stages_sort(into);
    return status;
}

/* The `most` nearest to the examples, the best score of each. */
static int32_t find_by_vectors(imgret_results **out, const composition *c, uint32_t most,
                               imgret_error *error)
{
    imgret_input inputs[IR_TERMS_MAX + 1];
    imgret_results *found[IR_TERMS_MAX + 1];
    uint32_t count = c->terms.count;
    for (uint32_t i = 0; i < count; i++)
        inputs[i] = (imgret_input){
            .size = sizeof inputs[i],
            .kind = IMGRET_INPUT_VECTOR,
            .vector = c->terms.vectors + (size_t)i * c->database->dimension,
            .dimension = c->database->dimension,
        };
    imgret_query_options options = *c->options;
    options.k = most;
    if (c->colors.count > 0) /* the least score is that of the mixture */
        options.flags &= ~IMGRET_QUERY_MIN_SCORE;
    if (options.rerank || options.rerank_by) /* which look at the records */
        options.flags &= ~IMGRET_QUERY_IDS_ONLY;
    int32_t status = ir_query(found, c->database, inputs, count, &options, &c->filter, c->call,
                              error);
    if (status)
        return status;
    for (uint32_t i = 1; i < count; i++) {
        if (!status)
            status = unite(found[0], found[i], (options.flags & IMGRET_QUERY_GROUP) != 0, error);
        imgret_results_free(found[i]);
    }
    if (found[0]->count > most) /* beyond that an example's own list ended */
        found[0]->count = most;
    if (status)
        imgret_results_free(found[0]);
    else
        *out = found[0];
    return status;
}

/* The score of an image for the examples; NOT_FOUND when it is gone. */
static int32_t score_image(const composition *c, int64_t id, float *vector, double *score,
                           imgret_error *error)
{
    int32_t status = ir_get_vector(c->database, id, vector, error);
    *score = -INFINITY;
    for (uint32_t i = 0; i < c->terms.count && !status; i++) {
        double one = ir_stages_score(c->database,
                                     c->terms.vectors + (size_t)i * c->database->dimension, vector);
        *score = one > *score ? one : *score;
    }
    return status;
}

/* Adds the best by colours alone, with their score for the examples. */
static int32_t add_by_colors(imgret_results *results, const composition *c, uint32_t most,
                             imgret_error *error)
{
    imgret_results *colored;
    int32_t status = ir_colors_search(&colored, c->database, &c->colors, most, 0, &c->filter,
                                      error);
    if (status)
        return status;
    float *vector = ir_malloc_array(c->database->dimension, sizeof *vector);
    if (!vector)
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory for a vector");
    uint64_t kept = 0;
    for (uint64_t i = 0; i < colored->count && !status; i++) {
        imgret_error reason = IMGRET_ERROR_INIT;
        imgret_hit hit = colored->hits[i];
        status = score_image(c, hit.id, vector, &hit.score, &reason);
        if (!status)
            colored->hits[kept++] = hit;
        else if (status == IMGRET_NOT_FOUND)
            status = IMGRET_OK;
        else
            ir_fail(error, status, "%s", reason.message);
        if (!status && ir_call_stopped(c->call))
            status = ir_fail(error, IMGRET_INTERRUPTED, "the query was interrupted");
    }
    colored->count = kept;
    if (!status)
        status = unite(results, colored, true, error);
    ir_free(vector);
    imgret_results_free(colored);
    return status;
}

static double score_min_of(const imgret_query_options *options)
{
    return options->flags & IMGRET_QUERY_MIN_SCORE ? options->min_score : -INFINITY;
}

static int32_t find(imgret_results **out, const composition *c, uint32_t most, imgret_error *error)
{
    if (c->terms.count == 0)
        return ir_colors_search(out, c->database, &c->colors, most, score_min_of(c->options),
                                &c->filter, error);
    int32_t status = find_by_vectors(out, c, most, error);
    if (!status && c->colors.count > 0) {
        double weight = c->options->color_weight > 0 ? c->options->color_weight : 0.5;
        status = add_by_colors(*out, c, most, error);
        if (!status)
            status = ir_stages_color(*out, c->database, &c->colors, weight, error);
    }
    if (status) {
        imgret_results_free(*out);
        *out = NULL;
    }
    return status;
}

/* ---- What is kept of it ---- */

static bool comes_after(const imgret_hit *hit, const ir_cursor_end *end)
{
    if (hit->score != end->score)
        return hit->score < end->score;
    return hit->id != end->id ? hit->id > end->id : hit->region > end->region;
}

static void drop_unwanted(imgret_results *results, const composition *c)
{
    double score_min = score_min_of(c->options);
    uint64_t kept = 0;
    for (uint64_t i = 0; i < results->count; i++) {
        const imgret_hit *hit = &results->hits[i];
        if (!ir_terms_exclude(&c->terms, hit->id) && hit->score >= score_min &&
            (c->after.seen == 0 || comes_after(hit, &c->after)))
            results->hits[kept++] = *hit;
    }
    results->count = kept;
}

static uint64_t candidates_of(const composition *c)
{
    const imgret_query_options *options = c->options;
    uint64_t wanted = options->candidate_count;
    if (!c->staged)
        return options->k;
    if (wanted == 0) {
        wanted = 10ull * options->k;
        wanted = wanted < CANDIDATES_LEAST ? CANDIDATES_LEAST : wanted;
        if (options->diversity > 0 && wanted > DIVERSE_MAX)
            wanted = DIVERSE_MAX;
    }
    return wanted < options->k ? options->k : wanted;
}

/* Fetches until there are enough that are wanted, or no more. */
static int32_t find_enough(imgret_results **out, const composition *c, imgret_error *error)
{
    uint64_t wanted = candidates_of(c);
    uint64_t dropped = c->filter.excluded_count ? 0 : c->terms.excluded_count;
    uint64_t most = wanted + dropped + c->after.seen;
    for (;;) {
        most = most < FETCH_MAX ? most : FETCH_MAX;
        int32_t status = find(out, c, (uint32_t)most, error);
        if (status)
            return status;
        uint64_t found = (*out)->count;
        drop_unwanted(*out, c);
        /* Pictures that came since the last page may stand before its end. */
        if ((*out)->count >= wanted || found < most || most == FETCH_MAX)
            return IMGRET_OK;
        imgret_results_free(*out);
        *out = NULL;
        most *= 2;
    }
}

static int32_t run_stages(imgret_results *results, const composition *c, imgret_error *error)
{
    const imgret_query_options *options = c->options;
    int32_t status = IMGRET_OK;
    uint64_t wanted = candidates_of(c);
    if (results->count > wanted)
        results->count = wanted;
    if (options->rerank_by)
        status = ir_rerank(results, c->database, c->input, options, c->call, error);
    if (!status && options->rerank)
        status = ir_stages_rerank(results, options->rerank, options->rerank_user, error);
    if (!status && options->diversity > 0)
        status = ir_stages_diversify(results, c->database, options->diversity, options->k, c->call,
                                     error);
    return status;
}

/* Cuts to k and notes where the next page begins. */
static void end_page(imgret_results *results, const composition *c)
{
    if (results->count < c->options->k)
        return;
    results->count = c->options->k;
    if (c->staged)
        return;
    const imgret_hit *last = &results->hits[results->count - 1];
    ir_cursor_end end = {c->question, last->score, last->id, last->region,
                         c->after.seen + results->count};
    ir_cursor_write(&end, results->cursor);
}

void ir_compose_end_page(imgret_results *results, const imgret_input *input,
                         const imgret_query_options *options, const ir_catalog_filter *filter)
{
    composition c = {.options = options};
    c.question = ir_cursor_question(input, options, filter->params, filter->param_count);
    end_page(results, &c);
}

static int32_t prepare(composition *c, const imgret_input *input, imgret_error *error)
{
    const imgret_query_options *options = c->options;
    c->question = ir_cursor_question(input, options, c->filter.params, c->filter.param_count);
    int32_t status = options->cursor
                         ? ir_cursor_read(&c->after, options->cursor, c->question, error)
                         : IMGRET_OK;
    if (!status)
        status = ir_colors_read(&c->colors, options->colors, options->color_count, error);
    if (!status)
        status = ir_terms_read(&c->terms, c->database, input, options, c->call, error);
    if (!status && c->terms.excluded_count > DROPPED_MAX) {
        c->filter.excluded = c->terms.excluded;
        c->filter.excluded_count = c->terms.excluded_count;
        c->filter.where = c->filter.where ? c->filter.where : "1";
    }
    c->staged = options->rerank || options->rerank_by || options->diversity > 0 ||
                (c->colors.count > 0 && c->terms.count > 0);
    return status;
}

int32_t ir_compose(imgret_results **out, ir_database *database, const imgret_input *input,
                   const imgret_query_options *options, const ir_catalog_filter *filter,
                   ir_call *call, imgret_error *error)
{
    *out = NULL;
    composition c = {
        .database = database, .options = options, .input = input, .filter = *filter, .call = call};
    imgret_results *results = NULL;
    int32_t status = prepare(&c, input, error);
    if (!status)
        status = find_enough(&results, &c, error);
    if (!status)
        status = run_stages(results, &c, error);
    if (!status)
        end_page(results, &c);
    ir_terms_free(&c.terms);
    if (status)
        imgret_results_free(results);
    else
        *out = results;
    return status;
}
