/* query.c: from a picture, an id or a vector to the images most alike. */
#include "engine/query.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "engine/features.h"
#include "engine/objects.h"
#include "engine/regions_query.h"
#include "engine/results.h"
#include "engine/source.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The vector of object `ordinal` (0: the whole) of an image; *region is its region. */
static int32_t stored_vector(ir_database *database, int64_t id, uint32_t ordinal, int64_t *region,
                             float *out, imgret_error *error)
{
    int32_t status = ir_catalog_image_region(database->catalog, id, region, error);
    if (status)
        return status;
    *region += ordinal;
    void *copy = ir_malloc(ir_delta_vector_bytes(database->delta));
    if (!copy)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a vector");
    pthread_rwlock_rdlock(&database->segments.layout);
    const void *stored = ir_delta_get(database->delta, *region);
    if (!stored)
        status = ir_segments_get(&database->segments, *region, copy, error);
    if (!status)
        ir_delta_decode(database->delta, stored ? stored : copy, out);
    pthread_rwlock_unlock(&database->segments.layout);
    ir_free(copy);
    return status ? ir_fail_within(error, status, "%s: image %lld", database->path, (long long)id)
                  : IMGRET_OK;
}

int32_t ir_get_vector(ir_database *database, int64_t id, float *out, imgret_error *error)
{
    int64_t region;
    ir_database_view view; /* held: region and vector must be of one state */
    int32_t status = ir_database_look(database, true, &view, error);
    if (status)
        return status;
    status = stored_vector(database, id, 0, &region, out, error);
    ir_database_leave(database, &view);
    return status;
}

static int32_t extract_query(ir_database *database, const imgret_input *input,
                             const imgret_query_options *options, float *out, imgret_error *error)
{
    ir_source source;
    int32_t status = ir_source_open(&source, input, &database->limits, error);
    if (status)
        return status;
    ir_regions_zoom(database->regions, &source.zoom_columns, &source.zoom_rows);
    bool part = options->box || (options->flags & IMGRET_QUERY_MAIN_OBJECT);
    status = part ? ir_objects_vector(database, &source, options->box, out, error)
                  : ir_features_of(database, &source, out, NULL, error);
    ir_source_close(&source);
    return status;
}

/* Fills `out` with the vector of a picture or a ready one. */
static int32_t query_vector(ir_database *database, const imgret_input *input,
                            const imgret_query_options *options, float *out, imgret_error *error)
{
    if (input->kind != IMGRET_INPUT_VECTOR)
        return extract_query(database, input, options, out, error);
    if (input->dimension != database->dimension)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "the vector has %u dimensions, %s needs %u", input->dimension,
                       database->path, database->dimension);
    memcpy(out, input->vector, database->dimension * sizeof *out);
    return IMGRET_OK;
}

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

static int compare_hits(const void *a, const void *b)
{
    const imgret_hit *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return x->region < y->region ? -1 : x->region > y->region;
}

/* Whether the neighbours are not those of the view: one came later, or, as the snapshot that the
 * records are read from tells, something went meanwhile. */
static int32_t is_outdated(ir_database *database, const ir_database_view *view,
                           const ir_neighbor *neighbors, uint32_t count, bool *out,
                           imgret_error *error)
{
    *out = false;
    for (uint32_t i = 0; i < count && !*out; i++)
        *out = neighbors[i].id > view->last_region;
    return *out ? IMGRET_OK : ir_database_view_lost(database, view, out, error);
}

static int32_t gather_hits(imgret_results **out, ir_database *database,
                           const ir_database_view *view, const ir_neighbor *neighbors,
                           uint32_t count, bool *outdated, imgret_error *error)
{
    int64_t *regions = ir_malloc_array(count ? count : 1, sizeof *regions);
    if (!regions)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u results", count);
    for (uint32_t i = 0; i < count; i++)
        regions[i] = neighbors[i].id;
    gather_context gather = {.neighbors = neighbors};
    int32_t status = ir_results_create(&gather.results, count, error);
    bool holding = !status && !view->held;
    if (holding)
        status = ir_catalog_hold(database->catalog, error);
    holding = holding && !status;
    if (!status)
        status = is_outdated(database, view, neighbors, count, outdated, error);
    if (!status && !*outdated)
        status = ir_catalog_records_of_regions(database->catalog, regions, count, add_hit, &gather,
                                               error);
    if (!status && !*outdated && database->regions)
        status = ir_regions_describe_hits(gather.results, database->catalog, regions, count, error);
    if (holding)
        ir_catalog_release(database->catalog);
    ir_free(regions);
    if (status || *outdated) {
        imgret_results_free(gather.results);
        return status;
    }
    /* The delta orders equal scores by region id, which is the order of image ids only until a
     * replaced image keeps its id and gets a later region. */
    qsort(gather.results->hits, (size_t)gather.results->count, sizeof *gather.results->hits,
          compare_hits);
    *out = gather.results;
    return IMGRET_OK;
}

/* The regions that a filter lets through; `ids` NULL: there is no filter. */
typedef struct {
    int64_t *ids;
    uint64_t count;
} allowed_regions;

static int32_t filter_regions(ir_database *database, const ir_catalog_filter *filter,
                              uint32_t kinds, allowed_regions *out, imgret_error *error)
{
    *out = (allowed_regions){0};
    if (!filter->where)
        return IMGRET_OK;
    int32_t status = ir_catalog_filter_regions(database->catalog, filter, &out->ids, &out->count,
                                               error);
    if (!status)
        out->count = ir_regions_keep_kinds(out->ids, out->count, kinds);
    if (!status && !out->ids) { /* no match is not no filter */
        out->ids = ir_calloc(1, sizeof *out->ids);
        if (!out->ids)
            status = ir_fail(error, IMGRET_NO_MEMORY, "no memory for a filter");
    }
    return status;
}

/* The delta, compared exactly, and what the segments find, merged: under the layout's lock. */
static int32_t search_all(ir_database *database, const ir_delta_query *query, uint32_t effort,
                          ir_neighbor *neighbors, uint32_t *count, imgret_error *error)
{
    uint64_t scanned = 0;
    ir_segments_query segments = {.base = query, .effort = effort};
    pthread_rwlock_rdlock(&database->segments.layout);
    int32_t status = ir_delta_search(database->delta, query, neighbors, count, &scanned, error);
    if (!status)
        status = ir_segments_search(&database->segments, &segments, neighbors, count, error);
    pthread_rwlock_unlock(&database->segments.layout);
    atomic_fetch_add(&database->scanned_count, scanned + segments.stats.reranks);
    atomic_fetch_add(&database->disk_read_count, segments.stats.reads);
    return status;
}

/* Vectors that are there to be found, or a few more. */
static uint64_t vectors_at_most(ir_database *database)
{
    pthread_rwlock_rdlock(&database->segments.layout);
    uint64_t count = ir_delta_count(database->delta);
    for (uint32_t i = 0; i < database->segments.count; i++)
        count += database->segments.open[i].listed.vector_count;
    pthread_rwlock_unlock(&database->segments.layout);
    return count;
}

static int32_t search(imgret_results **out, ir_database *database, const ir_database_view *view,
                      const float *vector, int64_t region, const allowed_regions *allowed,
                      const imgret_query_options *options, ir_call *call, bool *outdated,
                      imgret_error *error)
{
    uint64_t there = vectors_at_most(database);
    if (allowed->ids && allowed->count < there)
        there = allowed->count;
    uint32_t k = options->k < there ? options->k : (uint32_t)there;
    bool bounded = (options->flags & IMGRET_QUERY_MIN_SCORE) != 0;
    ir_delta_query query = {
        .vector = vector,
        .k = k ? k : 1,
        .score_min = bounded ? options->min_score : -INFINITY,
        .excluded_id = options->flags & IMGRET_QUERY_INCLUDE_SELF ? 0 : region,
        .pool = database->pool,
        .allowed = allowed->ids,
        .allowed_count = allowed->count,
        .kinds = ir_regions_kinds(database->regions, options->search),
        .stop = ir_call_stopped,
        .stop_context = call,
    };
    bool grouped = query.kinds && (options->flags & IMGRET_QUERY_GROUP);
    for (;;) {
        ir_neighbor *neighbors = ir_malloc_array(query.k, sizeof *neighbors);
        if (!neighbors)
            return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u neighbours", query.k);
        uint32_t count = 0;
        int32_t status = search_all(database, &query, options->effort, neighbors, &count, error);
        bool all = count < query.k || query.k >= there;
        if (!status && grouped)
            status = ir_regions_group(neighbors, &count, k, error);
        bool enough = all || !grouped || count >= k;
        if (!status && enough)
            status = gather_hits(out, database, view, neighbors, count, outdated, error);
        ir_free(neighbors);
        if (status || enough)
            return status;
        query.k = query.k < there / 4 ? 4 * query.k : (uint32_t)there; /* too many of few images */
    }
}

enum { TRIES_MAX = 4 };

/* A search takes no lock, so commits go on beside it. When one of them shows in what was found, the
 * search is repeated on the new state; the last time, writers wait. */
static int32_t search_one_state(imgret_results **out, ir_database *database,
                                const imgret_input *input, float *vector,
                                const imgret_query_options *options,
                                const ir_catalog_filter *filter, ir_call *call,
                                imgret_error *error)
{
    for (int tries = 1;; tries++) {
        int64_t region = 0;
        bool outdated = false, last = tries >= TRIES_MAX;
        ir_database_view view;
        allowed_regions allowed;
        /* In this order: what the filter saw is then in memory. */
        int32_t status =
            filter_regions(database, filter, ir_regions_kinds(database->regions, options->search),
                           &allowed, error);
        if (!status)
            status = ir_database_look(database, last, &view, error);
        if (status) {
            ir_free(allowed.ids);
            return status;
        }
        uint32_t ordinal = options->region;
        if (input->kind == IMGRET_INPUT_ID && (options->flags & IMGRET_QUERY_MAIN_OBJECT))
            status = ir_regions_main_of(database->catalog, input->id, &ordinal, error);
        if (status) { /* nothing that another try would mend */
            ir_database_leave(database, &view);
            ir_free(allowed.ids);
            return status;
        }
        if (input->kind == IMGRET_INPUT_ID)
            status = stored_vector(database, input->id, ordinal, &region, vector,
                                   last ? error : NULL);
        bool missing = status != IMGRET_OK; /* perhaps replaced in this very moment */
        if (!missing)
            status = search(out, database, &view, vector, region, &allowed, options, call,
                            &outdated, error);
        ir_database_leave(database, &view);
        ir_free(allowed.ids);
        if (last || !(missing || outdated))
            return status;
        if (missing)
            tries = TRIES_MAX - 1;
    }
}

int32_t ir_query(imgret_results **out, ir_database *database, const imgret_input *input,
                 const imgret_query_options *options, const ir_catalog_filter *filter,
                 ir_call *call, imgret_error *error)
{
    *out = NULL;
    if (options->search == IMGRET_SEARCH_OBJECTS && !database->regions)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "%s was made without regions: it has no objects to search",
                       database->path);
    uint64_t started_us = ir_clock_us();
    float *vector = ir_malloc_array(database->dimension, sizeof *vector);
    if (!vector)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a query vector");
    int32_t status = input->kind == IMGRET_INPUT_ID
                         ? IMGRET_OK
                         : query_vector(database, input, options, vector, error);
    if (!status)
        status = search_one_state(out, database, input, vector, options, filter, call, error);
    ir_free(vector);
    if (!status) {
        atomic_fetch_add(&database->query_count, 1);
        atomic_fetch_add(&database->query_us_total, ir_clock_us() - started_us);
    }
    return status;
}
