/* query_search.c: searches delta and segments for several queries and fetches what they found. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "engine/query_inside.h"
#include "engine/regions_query.h"
#include "engine/results.h"
#include "engine/stages.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

uint64_t ir_query_vectors_at_most(ir_database *database)
{
    pthread_rwlock_rdlock(&database->segments.layout);
    uint64_t count = ir_delta_count(database->delta);
    for (uint32_t i = 0; i < database->segments.count; i++)
        count += database->segments.open[i].listed.vector_count;
    pthread_rwlock_unlock(&database->segments.layout);
    return count;
}

/* ---- Searching ---- */

/* What is asked and what was found, of all queries. */
typedef struct round_trip {
    ir_delta_query *queries;
    ir_delta_result *in_delta;
    ir_search_result *found;
    ir_neighbor *neighbors; /* k for each */
    ir_segments_query asked;
} round_trip;

static void free_trip(round_trip *trip)
{
    ir_free(trip->queries);
    ir_free(trip->in_delta);
    ir_free(trip->found);
    ir_free(trip->neighbors);
}

static int32_t prepare_trip(const ir_query_work *work, uint32_t k, round_trip *trip,
                            imgret_error *error)
{
    const imgret_query_options *options = work->options;
    *trip = (round_trip){
        .queries = ir_calloc(work->count, sizeof *trip->queries),
        .in_delta = ir_calloc(work->count, sizeof *trip->in_delta),
        .found = ir_calloc(work->count, sizeof *trip->found),
        .neighbors = ir_malloc_array((size_t)work->count * k, sizeof *trip->neighbors),
    };
    if (!trip->queries || !trip->in_delta || !trip->found || !trip->neighbors) {
        free_trip(trip);
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u neighbours", k);
    }
    for (uint32_t i = 0; i < work->count; i++) {
        trip->queries[i] = (ir_delta_query){
            .vector = work->asked[i].vector,
            .k = k,
            .score_min = options->flags & IMGRET_QUERY_MIN_SCORE ? options->min_score : -INFINITY,
            .excluded_id = options->flags & IMGRET_QUERY_INCLUDE_SELF ? 0 : work->asked[i].region,
            .pool = work->database->pool,
            .allowed = work->allowed ? work->allowed->ids : NULL,
            .allowed_count = work->allowed ? work->allowed->count : 0,
            .kinds = work->kinds,
            .stop = ir_call_stopped,
            .stop_context = work->call,
            .partial = (options->flags & IMGRET_QUERY_ALLOW_PARTIAL) != 0,
        };
        trip->found[i].neighbors = trip->neighbors + (size_t)i * k;
        trip->in_delta[i].neighbors = trip->found[i].neighbors;
    }
    return IMGRET_OK;
}

/* The delta, compared exactly, and what the segments find, merged: under the layout's lock. */
static int32_t search_all(const ir_query_work *work, round_trip *trip, imgret_error *error)
{
    ir_database *database = work->database;
    ir_segments_query *asked = &trip->asked;
    *asked = (ir_segments_query){.queries = trip->queries,
                                 .filters = database->filters,
                                 .filter = work->allowed,
                                 .count = work->count,
                                 .effort = work->options->effort,
                                 .estimated = (work->options->flags & IMGRET_QUERY_ESTIMATED) != 0,
                                 .target_recall = work->options->target_recall};
    pthread_rwlock_rdlock(&database->segments.layout);
    int32_t status = ir_delta_search_many(database->delta, trip->queries, work->count,
                                          trip->in_delta, error);
    for (uint32_t i = 0; i < work->count; i++)
        trip->found[i].count = trip->in_delta[i].count;
    if (!status)
        status = ir_segments_search(&database->segments, asked, trip->found, error);
    pthread_rwlock_unlock(&database->segments.layout);
    return status;
}

/* ---- Fetching ---- */

typedef struct {
    imgret_results *results;
    const ir_neighbor *neighbors;
} gather_context;

static int32_t add_hit(void *context, uint64_t position, const imgret_record *record,
                       imgret_error *error)
{
    gather_context *gather = context;
    return ir_results_add(gather->results, record, gather->neighbors[position].score, error);
}

static int32_t gather_one(imgret_results **out, const ir_query_work *work,
                          const ir_search_result *found, int64_t *regions, imgret_error *error)
{
    ir_database *database = work->database;
    bool ids_only = (work->options->flags & IMGRET_QUERY_IDS_ONLY) && !database->regions;
    for (uint32_t i = 0; i < found->count; i++)
        regions[i] = found->neighbors[i].id;
    gather_context gather = {.neighbors = found->neighbors};
    int32_t status = ir_results_create(&gather.results, found->count, error);
    if (status)
        return status;
    if (ids_only)
        status = ir_catalog_images_of_regions(database->catalog, regions, found->count, add_hit,
                                              &gather, error);
    else
        status = ir_catalog_hits_of_regions(database->catalog, regions, found->count, add_hit,
                                            &gather, error);
    if (!status && database->regions)
        status = ir_regions_describe_hits(gather.results, database->catalog, regions, found->count,
                                          error);
    if (status) {
        imgret_results_free(gather.results);
        return status;
    }
    /* The delta orders equal scores by region id, which is the order of image ids only until a
     * replaced image keeps its id and gets a later region. */
    ir_stages_sort(gather.results);
    *out = gather.results;
    return IMGRET_OK;
}

/* Whether the neighbours are not those of the view: one came later, or, as the snapshot that the
 * records are read from tells, something went meanwhile. */
static int32_t is_outdated(const ir_query_work *work, const ir_database_view *view,
                           const round_trip *trip, bool *out, imgret_error *error)
{
    *out = false;
    for (uint32_t q = 0; q < work->count && !*out; q++)
        for (uint32_t i = 0; i < trip->found[q].count && !*out; i++)
            *out = trip->found[q].neighbors[i].id > view->last_region;
    return *out ? IMGRET_OK : ir_database_view_lost(work->database, view, out, error);
}

static void drop_results(const ir_query_work *work)
{
    for (uint32_t i = 0; i < work->count; i++) {
        imgret_results_free(work->out[i]);
        work->out[i] = NULL;
    }
}

static void fill_stats(const ir_query_work *work, const round_trip *trip, uint32_t index)
{
    const ir_search_stats *found = &trip->found[index].stats;
    const ir_delta_result *delta = &trip->in_delta[index];
    const ir_search_result *found_one = &trip->found[index];
    bool partial = found_one->partial || delta->partial;
    work->out[index]->stats = (imgret_query_stats){
        .size = sizeof(imgret_query_stats),
        .flags = (partial ? IMGRET_QUERY_PARTIAL : 0) |
                 (found_one->estimated ? IMGRET_QUERY_HAS_ESTIMATES : 0),
        .elapsed_us = ir_clock_us() - work->started_us,
        .wait_us = found->wait_us,
        .reads = found->reads,
        .read_bytes = found->read_bytes,
        .cache_hits = found->hops > found->graph_reads ? found->hops - found->graph_reads : 0,
        .hops = found->hops,
        .sign_distances = delta->estimated + found->sign_estimates,
        .code_distances = found->rank_estimates,
        .exact_distances = delta->scanned + found->reranks,
        .scanned = delta->scanned,
        .reranks = found->reranks,
        .effort = trip->asked.effort_used,
        .expected_recall = trip->asked.expected_recall,
    };
}

static int32_t gather_all(const ir_query_work *work, const ir_database_view *view,
                          const round_trip *trip, bool *outdated, imgret_error *error)
{
    uint32_t most = 1;
    for (uint32_t i = 0; i < work->count; i++)
        most = trip->found[i].count > most ? trip->found[i].count : most;
    int64_t *regions = ir_malloc_array(most, sizeof *regions);
    if (!regions)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u results", most);
    int32_t status = view->held ? IMGRET_OK : ir_catalog_hold(work->database->catalog, error);
    bool holding = !status && !view->held;
    if (!status)
        status = is_outdated(work, view, trip, outdated, error);
    for (uint32_t i = 0; i < work->count && !status && !*outdated; i++) {
        status = gather_one(&work->out[i], work, &trip->found[i], regions, error);
        if (!status)
            fill_stats(work, trip, i);
    }
    if (holding)
        ir_catalog_release(work->database->catalog);
    ir_free(regions);
    if (status)
        drop_results(work);
    return status;
}

/* One result an image: keeps the best k of each query. *enough is false when more must be asked for:
 * `asked` neighbours of the `there` that can be found were of fewer than k images. */
static int32_t group_all(const ir_query_work *work, round_trip *trip, uint32_t k, uint32_t asked,
                         uint64_t there, bool *enough, imgret_error *error)
{
    int32_t status = IMGRET_OK;
    for (uint32_t i = 0; i < work->count && !status; i++) {
        ir_search_result *found = &trip->found[i];
        bool all = found->count < asked || asked >= there;
        status = ir_regions_group(found->neighbors, &found->count, k, error);
        *enough = *enough && (all || found->count >= k);
    }
    return status;
}

int32_t ir_query_search(const ir_query_work *work, const ir_database_view *view, bool *outdated,
                        imgret_error *error)
{
    bool grouped = work->kinds && (work->options->flags & IMGRET_QUERY_GROUP);
    uint64_t there = ir_query_vectors_at_most(work->database);
    if (work->allowed && work->allowed->count < there)
        there = work->allowed->count;
    uint32_t k = work->options->k < there ? work->options->k : (uint32_t)there;
    k = k ? k : 1;
    for (uint32_t asked = k;;) {
        round_trip trip;
        bool enough = true;
        int32_t status = prepare_trip(work, asked, &trip, error);
        if (status)
            return status;
        status = search_all(work, &trip, error);
        if (!status && grouped)
            status = group_all(work, &trip, k, asked, there, &enough, error);
        enough = enough || ir_call_stopped(work->call);
        /* What was found in time is not lost for the want of its records. */
        ir_call *shielded = work->options->flags & IMGRET_QUERY_ALLOW_PARTIAL ? ir_call_shield()
                                                                              : NULL;
        if (!status && enough)
            status = gather_all(work, view, &trip, outdated, error);
        if (shielded)
            ir_call_unshield(shielded);
        free_trip(&trip);
        if (status || enough)
            return status;
        asked = asked < there / 4 ? 4 * asked : (uint32_t)there;
    }
}
