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

/* Which ids one query may find, beside its filter's. */
typedef struct {
    const ir_tombstones *tombstones;
    uint32_t kinds; /* as in ir_delta_query, and so is `excluded` */
    int64_t excluded;
} wish;

static bool is_wanted(void *context, int64_t id)
{
    const wish *wanted = context;
    return !ir_tombstones_has(wanted->tombstones, id) &&
           ir_region_is_wanted(id, wanted->kinds, wanted->excluded);
}

enum { EFFORT_LEAST = 64 }; /* unless the caller says otherwise */

static const float target_default = 0.99f;

/* The caller's effort, in a segment with few bits in RAM as much more as that takes; or what was
 * measured to reach the target. */
static uint32_t choose_effort(const ir_open_segment *open, ir_segments_query *asked)
{
    float expected = 0;
    uint32_t effort = asked->effort;
    if (effort) {
        effort = ir_effort_with_bits(&open->curves, open->code_bits, asked->queries->k, effort);
    } else {
        float target = asked->target_recall > 0 ? asked->target_recall : target_default;
        effort = ir_effort_for(&open->curves, open->code_bits, asked->queries->k, target,
                               &expected);
        if ((!effort || !(asked->target_recall > 0)) && effort < EFFORT_LEAST)
            effort = EFFORT_LEAST;
    }
    if (effort > asked->effort_used)
        asked->effort_used = effort;
    if (!asked->any_searched || expected < asked->expected_recall)
        asked->expected_recall = expected;
    asked->any_searched = true;
    return effort;
}

static int32_t search_one(ir_segments *segments, uint32_t index, ir_segments_query *asked,
                          ir_search_result *out, imgret_error *error)
{
    ir_open_segment *open = &segments->open[index];
    const ir_segment_rows *rows = NULL;
    for (uint32_t i = 0; i < asked->count; i++) {
        out[i].count = 0;
        out[i].partial = out[i].estimated = false;
        out[i].stats = (ir_search_stats){.reads = 0};
    }
    if (asked->filter) {
        int32_t status = ir_filter_cache_rows(asked->filters, asked->filter, open->file,
                                              &open->listed, &rows, error);
        if (status || ir_segment_rows_count(rows) == 0)
            return status;
    }
    ir_search *searches = ir_calloc(asked->count, sizeof *searches);
    wish *wishes = ir_calloc(asked->count, sizeof *wishes);
    if (!searches || !wishes) {
        ir_free(searches);
        ir_free(wishes);
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u queries", asked->count);
    }
    uint32_t effort = choose_effort(open, asked);
    uint32_t flags = (asked->queries->partial ? IR_SEARCH_PARTIAL : 0) |
                     (asked->estimated ? IR_SEARCH_ESTIMATED : 0);
    bool some_are_gone = ir_tombstones_count(segments->tombstones) > 0;
    for (uint32_t i = 0; i < asked->count; i++) {
        const ir_delta_query *query = &asked->queries[i];
        wishes[i] = (wish){segments->tombstones, query->kinds, query->excluded_id};
        searches[i] = (ir_search){
            .vector = query->vector,
            .k = query->k,
            .flags = flags,
            .effort = effort,
            .excluded_id = query->excluded_id,
            .allowed = some_are_gone || query->kinds ? is_wanted : NULL,
            .allowed_context = &wishes[i],
            .rare = query->kinds != 0, /* how rare, the walk finds out */
            .rows = rows,
            .stop = asked->queries->stop,
            .stop_context = asked->queries->stop_context,
        };
    }
    int32_t status = ir_segment_search_batch(open->file, searches, asked->count, out,
                                             asked->queries->pool, NULL, error);
    ir_free(searches);
    ir_free(wishes);
    return status;
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
    found->estimated = found->estimated || more->estimated;
    ir_search_stats_add(&found->stats, &more->stats);
}

int32_t ir_segments_search(ir_segments *segments, ir_segments_query *asked, ir_search_result *found,
                           imgret_error *error)
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
