/* search_settle.c: what follows a query's walk: closer looks, what to read, the results.
 *
 * After a walk by coarse keys whatever may be among the k nearest gets its full key. A candidate's vector
 * is read only where its code cannot tell whether it belongs to the k nearest.
 */
#include "index/search.h"

#include "base/alloc.h"
#include "base/error.h"

#include <math.h>
#include <stdlib.h>

/* A candidate is left unread when the code puts it so many standard deviations above or below the
 * k-th. What a narrow walk misses costs more recall than what a code misplaces: there a wider walk
 * buys recall for less than reads do. So with a beam of CERTAIN_WIDTH (and CERTAIN_PER_K times k)
 * certainty_usual is asked for, and by certainty_more more for each doubling, else the codes'
 * errors, not the walk, would end the recall that effort can buy. Measured on three sets with 1 to 5
 * bits in RAM: bench/README.md. */
static const float certainty_usual = 1.5f;
static const float certainty_more = 0.5f;
static const float certainty_least = 1.0f;
static const float certainty_most = 5.0f;
enum { CERTAIN_WIDTH = 64, CERTAIN_PER_K = 4 };

/* Where nothing but the codes misses, since rows are compared one by one, where the likely results
 * are read in any case, and where no effort was named, so much more is asked for, with the narrowest
 * beam as well. */
static const float certainty_of_care = 0.5f;

/* Standard deviations more than a candidate needs to be left unread that its coarse key must be beyond
 * doubt to be left without a full one. */
static const float closer_slack = 0.5f;
enum { CLOSER_TOGETHER = 8 };

static float certainty_of(const ir_search *search)
{
    if (search->certainty > 0)
        return search->certainty;
    float usual = fmaxf(CERTAIN_WIDTH, CERTAIN_PER_K * (float)search->k);
    float effort = search->effort ? (float)search->effort : usual;
    float certainty = certainty_usual + certainty_more * log2f(effort / usual);
    float least = certainty_least;
    if (search->rows || !search->effort || !(search->flags & IR_SEARCH_ESTIMATED)) {
        certainty += certainty_of_care;
        least = certainty_usual + certainty_of_care;
    }
    return fminf(fmaxf(certainty, least), certainty_most);
}

/* ---- Full keys after a walk by coarse ones ---- */

static int nearest_first(const void *left, const void *right)
{
    const ir_candidate *a = left, *b = right;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

/* Candidates that may be among the k nearest, as far as coarse keys tell: `closer_count` of them, moved to
 * the front. */
static void choose_closer(ir_query *query)
{
    uint32_t k = query->search->k, count = query->candidate_count, kept = 0;
    query->closer_count = query->closer_at = 0;
    float border = INFINITY, slack = certainty_of(query->search) + closer_slack;
    if (count > k) {
        const ir_candidate *kth = &query->candidates[k - 1];
        border = kth->key + slack * kth->error;
    }
    for (uint32_t i = 0; i < count; i++) {
        ir_candidate candidate = query->candidates[i];
        if (candidate.key - slack * candidate.error > border)
            continue;
        query->candidates[i] = query->candidates[kept];
        query->candidates[kept++] = candidate;
    }
    query->closer_count = kept;
}

static void fetch_closer(const ir_query *query, const ir_segment *segment, uint32_t first)
{
    uint32_t slots[CLOSER_TOGETHER], count = 0;
    for (uint32_t i = first; i < query->closer_count && count < CLOSER_TOGETHER; i++)
        slots[count++] = query->candidates[i].slot;
    ir_fetch_rows(segment->ranks, segment->shape.rank_stride, slots, count);
    ir_fetch_rows(segment->signs, segment->shape.sign_stride, slots, count);
}

void ir_query_begin_closer(ir_query *query, const ir_segment *segment)
{
    choose_closer(query);
    fetch_closer(query, segment, 0);
    query->stage = IR_STAGE_CLOSER;
}

static void end_closer(ir_query *query)
{
    query->stage = IR_STAGE_NEXT;
    qsort(query->candidates, query->candidate_count, sizeof query->candidates[0], nearest_first);
    ir_query_choose_reads(query);
    query->walking = false;
}

void ir_query_look_closer(ir_query *query, const ir_segment *segment)
{
    uint32_t slots[CLOSER_TOGETHER], first = query->closer_at, count = 0;
    float keys[CLOSER_TOGETHER], errors[CLOSER_TOGETHER];
    for (; first + count < query->closer_count && count < CLOSER_TOGETHER; count++)
        slots[count] = query->candidates[first + count].slot;
    if (query->cut || count == 0) {
        end_closer(query);
        return;
    }
    query->closer_at += count;
    fetch_closer(query, segment, query->closer_at);
    ir_code_rows signs = {segment->signs, segment->shape.sign_stride, slots, count};
    ir_code_rows ranks = {segment->ranks, segment->shape.rank_stride, slots, count};
    ir_code_estimate(&segment->shape, &query->code, &signs, &ranks, keys, errors);
    query->stats.rank_estimates += count;
    for (uint32_t i = 0; i < count; i++) {
        ir_candidate *candidate = &query->candidates[first + i];
        candidate->key = keys[i];
        candidate->error = errors[i];
        candidate->score = ir_space_score(&segment->space, (double)keys[i], query->squared);
    }
}

/* ---- Candidates, and which of them are read ---- */

int32_t ir_query_gather(ir_query *query, const ir_segment *segment, imgret_error *error)
{
    const ir_search *search = query->search;
    if (query->beam.count > query->candidate_room) {
        ir_candidate *grown = ir_realloc(query->candidates, query->beam.count * sizeof grown[0]);
        if (!grown)
            return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u candidates",
                           query->beam.count);
        query->candidates = grown;
        query->candidate_room = query->beam.count;
    }
    query->candidate_count = 0;
    for (uint32_t i = 0; i < query->beam.count; i++) {
        const ir_beam_entry *entry = &query->beam.entries[i];
        uint32_t slot = entry->slot & IR_BEAM_SLOT;
        int64_t id = ir_segment_id(segment, slot);
        if (!ir_query_allows(search, slot, id))
            continue;
        double score = ir_space_score(&segment->space, (double)entry->key, query->squared);
        query->candidates[query->candidate_count++] = (ir_candidate){
            score, id, entry->key, entry->error, slot, false, false};
    }
    return IMGRET_OK;
}

/* What the codes cannot place above or below the k-th, and, where exact
 * scores are asked for, every likely result. */
void ir_query_choose_reads(ir_query *query)
{
    const ir_search *search = query->search;
    uint32_t count = query->candidate_count, k = search->k;
    float certainty = certainty_of(search);
    bool exact = !(search->flags & IR_SEARCH_ESTIMATED);
    if (query->cut)
        return;              /* no time to read */
    float border = INFINITY; /* with no more than k candidates all are results */
    if (count > k)
        border = (query->candidates[k - 1].key + query->candidates[k].key) / 2;
    for (uint32_t i = 0; i < count; i++) {
        ir_candidate *candidate = &query->candidates[i];
        bool open = fabsf(candidate->key - border) <= certainty * candidate->error;
        candidate->wanted = open || (exact && i < k);
    }
}

void ir_query_settle(ir_query *query, const ir_segment *segment, uint32_t candidate,
                     const uint8_t *record)
{
    ir_candidate *settled = &query->candidates[candidate];
    settled->score = ir_space_exact_score(&segment->space, query->search->vector, query->squared,
                                          record, query->loaded);
    settled->exact = true;
    query->stats.reranks++;
}

static int best_first(const void *left, const void *right)
{
    const ir_candidate *a = left, *b = right;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

void ir_query_finish(ir_query *query)
{
    const ir_search *search = query->search;
    ir_search_result *result = query->result;
    result->status = query->status;
    result->count = 0;
    result->partial = result->estimated = false;
    result->stats = query->stats;
    if (query->status)
        return;
    result->partial = query->cut;
    for (uint32_t i = 0; i < query->candidate_count && i < search->k; i++)
        result->estimated = result->estimated || !query->candidates[i].exact;
    bool exact = !(search->flags & IR_SEARCH_ESTIMATED);
    uint32_t count = 0;
    /* An unread candidate is certainly in or certainly out, or there was no time to read it. */
    for (uint32_t i = 0; i < query->candidate_count; i++)
        if (query->candidates[i].exact || query->cut || (!exact && i < search->k))
            query->candidates[count++] = query->candidates[i];
    if (count > 1)
        qsort(query->candidates, count, sizeof query->candidates[0], best_first);
    for (uint32_t i = 0; i < count && i < search->k; i++)
        result->neighbors[result->count++] = (ir_neighbor){query->candidates[i].id,
                                                           query->candidates[i].score};
}
