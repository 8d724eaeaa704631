/* segments_search.c: what the segments find, merged with what the delta found.
 *
 * The queries of a batch are asked of one segment after the other, all at once: the segment keeps
 * many of them in flight on each thread.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "engine/segments.h"

#include <stdlib.h>
#include <string.h>

/* Matches of a filter in one segment up to which their vectors are fetched and compared one by one:
 * a walk over the graph would touch more than that many nodes to meet as few. */
enum { FETCHED_MAX = 256 };

/* The ids of a filter that one segment may hold; NULL: there is no filter. */
typedef struct {
    const ir_segments *segments;
    const int64_t *ids;
    uint64_t count;
} allowed_here;

/* How many of the ascending `ids` are below `id`. */
static uint64_t count_below(const int64_t *ids, uint64_t count, int64_t id)
{
    uint64_t low = 0, high = count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (ids[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_wanted(void *context, int64_t id)
{
    const allowed_here *allowed = context;
    if (ir_tombstones_has(allowed->segments->tombstones, id))
        return false;
    uint64_t at = allowed->ids ? count_below(allowed->ids, allowed->count, id) : 0;
    return !allowed->ids || (at < allowed->count && allowed->ids[at] == id);
}

static allowed_here allowed_in(const ir_segments *segments, const ir_catalog_segment *listed,
                               const ir_delta_query *asked)
{
    allowed_here out = {segments, NULL, 0};
    if (!asked->allowed)
        return out;
    uint64_t first = count_below(asked->allowed, asked->allowed_count, listed->first_region);
    uint64_t end = listed->last_region < INT64_MAX
                       ? count_below(asked->allowed, asked->allowed_count,
                                     listed->last_region + 1)
                       : asked->allowed_count;
    out.ids = asked->allowed + first;
    out.count = end - first;
    return out;
}

/* Reads the allowed vectors of a segment, which are few, into a fresh delta. */
static int32_t fetch(ir_segment *file, const allowed_here *allowed, const ir_delta_query *asked,
                     ir_delta **out, uint64_t *reads, imgret_error *error)
{
    ir_segment_info info;
    ir_segment_get_info(file, &info);
    int32_t status = ir_delta_create(out, info.dimension, info.metric, info.vector_type, error);
    if (status)
        return status;
    void *stored = ir_malloc(ir_delta_vector_bytes(*out));
    if (!stored)
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory for a vector");
    for (uint64_t i = 0; i < allowed->count && !status; i++) {
        imgret_error reason = IMGRET_ERROR_INIT;
        if (asked->stop && asked->stop(asked->stop_context)) {
            if (asked->partial) /* the search of what is there is stopped at once, too */
                break;
            status = ir_fail(error, IMGRET_INTERRUPTED, "the query was interrupted");
        } else if (ir_tombstones_has(allowed->segments->tombstones, allowed->ids[i]))
            continue;
        else
            status = ir_segment_get(file, allowed->ids[i], stored, &reason);
        if (status == IMGRET_NOT_FOUND) { /* removed before the segment was built */
            status = IMGRET_OK;
            continue;
        }
        ++*reads;
        if (status && reason.code)
            ir_fail(error, status, "%s", reason.message);
        if (!status)
            status = ir_delta_append(*out, allowed->ids[i], stored, error);
    }
    ir_free(stored);
    return status;
}

/* Compares a few vectors of a segment exactly. */
static int32_t search_fetched(ir_segment *file, const allowed_here *allowed,
                              ir_segments_query *asked, ir_search_result *out,
                              imgret_error *error)
{
    ir_delta *delta = NULL;
    uint64_t reads = 0;
    ir_delta_query *queries = ir_malloc_array(asked->count, sizeof *queries);
    ir_delta_result *results = ir_calloc(asked->count, sizeof *results);
    int32_t status = queries && results
                         ? fetch(file, allowed, asked->queries, &delta, &reads, error)
                         : ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u queries",
                                   asked->count);
    for (uint32_t i = 0; i < asked->count && !status; i++) {
        queries[i] = asked->queries[i];
        queries[i].allowed = NULL;
        queries[i].allowed_count = 0;
        results[i].neighbors = out[i].neighbors;
    }
    if (!status)
        status = ir_delta_search_many(delta, queries, asked->count, results, error);
    out[0].stats.reads += reads; /* once for all */
    for (uint32_t i = 0; i < asked->count && !status; i++) {
        out[i].count = results[i].count;
        out[i].partial = results[i].partial;
        out[i].stats.reranks += results[i].scanned;
    }
    ir_delta_free(delta);
    ir_free(results);
    ir_free(queries);
    return status;
}

/* As much wider as matches are rarer; the walk widens on its own where that was too little. */
static uint32_t scaled_effort(uint32_t effort, uint32_t k, const ir_catalog_segment *listed,
                              uint64_t matches)
{
    enum { EFFORT_DEFAULT = 64, EFFORT_MAX = 1000000 };
    double wider = effort ? effort : EFFORT_DEFAULT;
    if (wider <= k)
        wider = k + 1.0;
    wider *= (double)listed->vector_count / (double)matches;
    double most = (double)listed->vector_count < EFFORT_MAX ? (double)listed->vector_count
                                                            : EFFORT_MAX;
    return (uint32_t)(wider < most ? wider : most);
}

static int32_t search_graph(const ir_open_segment *open, allowed_here *allowed,
                            ir_segments_query *asked, ir_search_result *out,
                            imgret_error *error)
{
    ir_search *searches = ir_calloc(asked->count, sizeof *searches);
    if (!searches)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u queries", asked->count);
    bool checked = allowed->ids || ir_tombstones_count(allowed->segments->tombstones) > 0;
    if (asked->effort > asked->effort_used)
        asked->effort_used = asked->effort;
    for (uint32_t i = 0; i < asked->count; i++) {
        const ir_delta_query *query = &asked->queries[i];
        searches[i] = (ir_search){
            .vector = query->vector,
            .k = query->k,
            .flags = asked->queries->partial ? IR_SEARCH_PARTIAL : 0,
            .effort = allowed->ids
                          ? scaled_effort(asked->effort, query->k, &open->listed, allowed->count)
                          : asked->effort,
            .excluded_id = query->excluded_id,
            .allowed = checked ? is_wanted : NULL,
            .allowed_context = allowed,
            .stop = asked->queries->stop,
            .stop_context = asked->queries->stop_context,
        };
    }
    int32_t status = ir_segment_search_batch(open->file, searches, asked->count, out,
                                             asked->queries->pool, NULL, error);
    ir_free(searches);
    return status;
}

static int32_t search_one(ir_segments *segments, uint32_t index, const ir_segments_query *asked,
                          ir_search_result *out, imgret_error *error)
{
    ir_open_segment *open = &segments->open[index];
    allowed_here allowed = allowed_in(segments, &open->listed, asked->queries);
    for (uint32_t i = 0; i < asked->count; i++) {
        out[i].count = 0;
        out[i].partial = false;
        out[i].stats = (ir_search_stats){.reads = 0};
    }
    if (asked->queries->allowed && allowed.count == 0)
        return IMGRET_OK;
    if (asked->queries->allowed && allowed.count <= FETCHED_MAX)
        return search_fetched(open->file, &allowed, asked, out, error);
    return search_graph(open, &allowed, asked, out, error);
}

static int compare_neighbors(const void *a, const void *b)
{
    const ir_neighbor *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Merges `more` into `found` and keeps the best k above score_min. `room` holds both. */
static void merge(const ir_delta_query *asked, ir_search_result *found,
                  const ir_search_result *more, ir_neighbor *room)
{
    uint32_t total = found->count;
    memcpy(room, found->neighbors, total * sizeof *room);
    for (uint32_t i = 0; i < more->count; i++)
        if (more->neighbors[i].score >= asked->score_min)
            room[total++] = more->neighbors[i];
    qsort(room, total, sizeof *room, compare_neighbors);
    found->count = total < asked->k ? total : asked->k;
    memcpy(found->neighbors, room, found->count * sizeof *room);
    found->partial = found->partial || more->partial;
    ir_search_stats_add(&found->stats, &more->stats);
}

int32_t ir_segments_search(ir_segments *segments, ir_segments_query *asked,
                           ir_search_result *found, imgret_error *error)
{
    if (segments->count == 0 || asked->count == 0)
        return IMGRET_OK;
    size_t room = 0, widest = 0;
    for (uint32_t i = 0; i < asked->count; i++) {
        room += asked->queries[i].k;
        widest = asked->queries[i].k > widest ? asked->queries[i].k : widest;
    }
    ir_search_result *more = ir_calloc(asked->count, sizeof *more);
    ir_neighbor *neighbors = ir_malloc_array(room + 2 * widest, sizeof *neighbors);
    int32_t status = IMGRET_OK;
    if (!more || !neighbors)
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory for %zu neighbours", room);
    ir_neighbor *next = neighbors;
    for (uint32_t i = 0; i < asked->count && !status; i++) {
        more[i].neighbors = next;
        next += asked->queries[i].k;
    }
    for (uint32_t s = 0; s < segments->count && !status; s++) {
        status = search_one(segments, s, asked, more, error);
        for (uint32_t i = 0; i < asked->count && !status; i++)
            merge(&asked->queries[i], &found[i], &more[i], next);
    }
    ir_free(neighbors);
    ir_free(more);
    return status;
}
