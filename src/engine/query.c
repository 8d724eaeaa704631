/* query.c: from pictures, ids or vectors to the images most alike, one query or many at once.
 *
 * A batch is answered in parts, each from one state of the database: bounded memory, and no commit
 * waits long for a search to end. Parts of a long batch are answered side by side. A query alone is a
 * batch of one.
 */
#include "engine/query.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "engine/query_inside.h"
#include "engine/regions_query.h"
#include "engine/results.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum {
    TRIES_MAX = 4,
    PART_QUERIES_MAX = 1024,
    PART_RESULTS_MAX = 16384, /* queries times k */
    LANE_QUERIES_MIN = 64,    /* a part of fewer would often wait for its last reads */
    LANE_PARTS = 4,           /* parts that each thread has of a batch, so that all end together */
};

#define PART_SCAN_BYTES_MAX ((uint64_t)1 << 36) /* queries times bytes of the delta: some seconds */

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

int32_t ir_get_region_vector(ir_database *database, int64_t id, uint32_t ordinal, float *out,
                             imgret_error *error)
{
    int64_t region;
    ir_database_view view; /* held: region and vector must be of one state */
    int32_t status = ir_database_look(database, true, &view, error);
    if (status)
        return status;
    status = stored_vector(database, id, ordinal, &region, out, error);
    ir_database_leave(database, &view);
    return status;
}

int32_t ir_get_vector(ir_database *database, int64_t id, float *out, imgret_error *error)
{
    return ir_get_region_vector(database, id, 0, out, error);
}

/* The vector of an image that is in the database, or of the object of it that is asked with. */
static int32_t asked_vector(ir_database *database, int64_t id, const imgret_query_options *options,
                            int64_t *region, float *out, imgret_error *error)
{
    uint32_t ordinal = options->region;
    int32_t status = IMGRET_OK;
    if (options->flags & IMGRET_QUERY_MAIN_OBJECT)
        status = ir_regions_main_of(database->catalog, id, &ordinal, error);
    return status ? status : stored_vector(database, id, ordinal, region, out, error);
}

int32_t ir_get_asked_vector(ir_database *database, int64_t id, const imgret_query_options *options,
                            float *out, imgret_error *error)
{
    int64_t region;
    ir_database_view view;
    int32_t status = ir_database_look(database, true, &view, error);
    if (status)
        return status;
    status = asked_vector(database, id, options, &region, out, error);
    ir_database_leave(database, &view);
    return status;
}

static int32_t filter_regions(ir_query_work *work, const ir_catalog_filter *filter,
                              imgret_error *error)
{
    ir_filter_cache_release(work->database->filters, work->allowed);
    work->allowed = NULL;
    return filter->where ? ir_filter_cache_regions(work->database->filters, work->database->catalog,
                                                   filter, work->kinds, &work->allowed, error)
                         : IMGRET_OK;
}

/* The vectors of images that are in the database. */
static int32_t stored_vectors(const ir_query_work *work, imgret_error *error)
{
    for (uint32_t i = 0; i < work->count; i++) {
        ir_asked *asked = &work->asked[i];
        imgret_error reason = IMGRET_ERROR_INIT;
        if (asked->input->kind == IMGRET_INPUT_ID &&
            asked_vector(work->database, asked->input->id, work->options, &asked->region,
                         asked->vector, &reason))
            return ir_query_fail(work, i, &reason, error);
    }
    return IMGRET_OK;
}

/* A search takes no lock, so commits go on beside it. When one of them shows in what was found, the
 * search is repeated on the new state; the last time, writers wait. The filter is evaluated anew
 * then: at first, what it gave for the part before is as good. */
static int32_t search_one_state(ir_query_work *work, const ir_catalog_filter *filter,
                                imgret_error *error)
{
    for (int tries = 1;; tries++) {
        bool outdated = false, last = tries >= TRIES_MAX;
        ir_database_view view;
        /* In this order: what the filter saw is then in memory. */
        int32_t status = work->first > 0 && tries == 1 ? IMGRET_OK
                                                       : filter_regions(work, filter, error);
        if (!status)
            status = ir_database_look(work->database, last, &view, error);
        if (status)
            return status;
        status = stored_vectors(work, last ? error : NULL);
        bool missing = status != IMGRET_OK; /* perhaps replaced in this very moment */
        if (!missing)
            status = ir_query_search(work, &view, &outdated, error);
        ir_database_leave(work->database, &view);
        if (last || !(missing || outdated))
            return status;
        if (missing)
            tries = TRIES_MAX - 1;
    }
}

/* Queries that are answered together. */
static uint32_t part_queries(ir_database *database, const imgret_query_options *options,
                             uint64_t count)
{
    uint64_t there = ir_query_vectors_at_most(database);
    uint64_t k = options->k < there ? options->k : there;
    pthread_rwlock_rdlock(&database->segments.layout); /* the delta may be exchanged just now */
    uint64_t delta_bytes = ir_delta_ram_bytes(database->delta);
    pthread_rwlock_unlock(&database->segments.layout);
    uint64_t most = PART_QUERIES_MAX;
    if (k * most > PART_RESULTS_MAX)
        most = PART_RESULTS_MAX / k;
    if (delta_bytes * most > PART_SCAN_BYTES_MAX)
        most = PART_SCAN_BYTES_MAX / delta_bytes;
    most = most ? most : 1;
    return (uint32_t)(count < most ? count : most);
}

static int32_t answer_part(ir_query_work *work, const imgret_input *inputs,
                           const ir_catalog_filter *filter, imgret_error *error)
{
    for (uint32_t i = 0; i < work->count; i++) {
        work->asked[i].input = &inputs[i];
        work->asked[i].region = 0;
    }
    int32_t status = ir_query_vectors(work, error);
    return status ? status : search_one_state(work, filter, error);
}

/* work->asked and the vectors in one piece of memory, for as many as a part has. */
static int32_t make_asked(ir_query_work *work, float **vectors, uint32_t part, imgret_error *error)
{
    size_t dimension = work->database->dimension;
    work->asked = ir_calloc(part, sizeof *work->asked);
    *vectors = ir_malloc_array(part * dimension, sizeof **vectors);
    if (!work->asked || !*vectors)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u query vectors", part);
    for (uint32_t i = 0; i < part; i++)
        work->asked[i].vector = *vectors + i * dimension;
    return IMGRET_OK;
}

static void count_queries(ir_database *database, imgret_results **out, uint64_t count,
                          uint64_t started_us)
{
    ir_query_totals *totals = &database->totals;
    imgret_query_stats sum = {0};
    uint64_t partial = 0;
    for (uint64_t i = 0; i < count; i++) {
        const imgret_query_stats *one = &out[i]->stats;
        partial += (one->flags & IMGRET_QUERY_PARTIAL) != 0;
        sum.wait_us += one->wait_us;
        sum.reads += one->reads;
        sum.read_bytes += one->read_bytes;
        sum.cache_hits += one->cache_hits;
        sum.hops += one->hops;
        sum.sign_distances += one->sign_distances;
        sum.code_distances += one->code_distances;
        sum.exact_distances += one->exact_distances;
    }
    atomic_fetch_add(&totals->count, count);
    atomic_fetch_add(&totals->us, ir_clock_us() - started_us);
    atomic_fetch_add(&totals->partial_count, partial);
    atomic_fetch_add(&totals->wait_us, sum.wait_us);
    atomic_fetch_add(&totals->reads, sum.reads);
    atomic_fetch_add(&totals->read_bytes, sum.read_bytes);
    atomic_fetch_add(&totals->cache_hits, sum.cache_hits);
    atomic_fetch_add(&totals->hops, sum.hops);
    atomic_fetch_add(&totals->sign_distances, sum.sign_distances);
    atomic_fetch_add(&totals->code_distances, sum.code_distances);
    atomic_fetch_add(&totals->exact_distances, sum.exact_distances);
}

/* What is left to say when a call that allows it was stopped before anything was found. */
static int32_t answer_nothing(const ir_query_work *work, imgret_error *error)
{
    int32_t status = IMGRET_OK;
    for (uint32_t i = 0; i < work->count && !status; i++) {
        status = ir_results_create(&work->out[i], 0, error);
        if (!status) {
            work->out[i]->stats.flags = IMGRET_QUERY_PARTIAL;
            work->out[i]->stats.elapsed_us = ir_clock_us() - work->started_us;
        }
    }
    return status;
}

/* `status` of a part, or what is made of it when the call was stopped. */
static int32_t settle_stop(const ir_query_work *work, int32_t status, imgret_error *error)
{
    if (status != IMGRET_INTERRUPTED || !ir_call_stopped(work->call))
        return status;
    if (work->options->flags & IMGRET_QUERY_ALLOW_PARTIAL)
        return answer_nothing(work, error);
    if (ir_call_is_late(work->call))
        return ir_fail(error, status, "the deadline of %u ms has passed",
                       work->options->deadline_ms);
    return status;
}

/* ---- Parts on several threads ---- */

/* The queries of a call, whose parts are handed out in order. A part's records come from the one reader
 * of the catalogue: while one thread is at it, the others search. */
typedef struct query_batch {
    const ir_query_work *common; /* what all parts share */
    const imgret_input *inputs;
    const ir_catalog_filter *filter;
    imgret_results **out;
    uint64_t count;
    uint32_t part; /* queries of one */
    _Atomic uint64_t next;
    pthread_mutex_t lock; /* for what follows: of the first part that failed */
    uint64_t failed_first;
    int32_t status;
    imgret_error failure;
} query_batch;

static void note_failed(query_batch *batch, uint64_t first, int32_t status,
                        const imgret_error *failure)
{
    pthread_mutex_lock(&batch->lock);
    if (first < batch->failed_first || !batch->status) {
        batch->failed_first = first;
        batch->status = status;
        batch->failure = *failure;
    }
    pthread_mutex_unlock(&batch->lock);
}

/* False when a part before it has failed, which then is the failure of the call. */
static bool is_wanted(query_batch *batch, uint64_t first)
{
    pthread_mutex_lock(&batch->lock);
    bool wanted = first < batch->count && !batch->status;
    pthread_mutex_unlock(&batch->lock);
    return wanted;
}

static void answer_lane(void *context, uint32_t lane)
{
    (void)lane;
    query_batch *batch = context;
    ir_query_work work = *batch->common;
    float *vectors = NULL;
    imgret_error failure = IMGRET_ERROR_INIT;
    ir_call *before = ir_call_join(work.call);
    uint64_t first = 0;
    int32_t status = make_asked(&work, &vectors, batch->part, &failure);
    while (!status) {
        first = atomic_fetch_add(&batch->next, batch->part);
        if (!is_wanted(batch, first))
            break;
        work.first = first;
        work.count = batch->count - first < batch->part ? (uint32_t)(batch->count - first)
                                                        : batch->part;
        work.out = batch->out + first;
        status = answer_part(&work, batch->inputs + first, batch->filter, &failure);
        if (status)
            status = settle_stop(&work, status, &failure);
    }
    if (status)
        note_failed(batch, first, status, &failure);
    ir_filter_cache_release(work.database->filters, work.allowed);
    ir_free(work.asked);
    ir_free(vectors);
    ir_call_leave(before);
}

/* Threads that answer parts side by side. With a filter, which is evaluated once, and with pictures,
 * which go through the model together, one: a part's search then uses all threads itself. */
static uint32_t count_lanes(const query_batch *batch, const ir_pool *pool)
{
    uint64_t most = batch->count / LANE_QUERIES_MIN, threads = ir_pool_thread_count(pool);
    if (batch->filter->where || most < 2)
        return 1;
    for (uint64_t i = 0; i < batch->count; i++)
        if (batch->inputs[i].kind != IMGRET_INPUT_VECTOR &&
            batch->inputs[i].kind != IMGRET_INPUT_ID)
            return 1;
    return (uint32_t)(most < threads ? most : threads);
}

static int32_t answer_all(query_batch *batch, imgret_error *error)
{
    ir_database *database = batch->common->database;
    uint32_t lanes = count_lanes(batch, database->pool);
    uint64_t share = batch->count / ((uint64_t)lanes * LANE_PARTS);
    share = share < LANE_QUERIES_MIN ? LANE_QUERIES_MIN : share;
    if (lanes > 1 && share < batch->part)
        batch->part = (uint32_t)share;
    pthread_mutex_init(&batch->lock, NULL);
    ir_pool_run(database->pool, answer_lane, batch, lanes);
    pthread_mutex_destroy(&batch->lock);
    return batch->status ? ir_fail(error, batch->status, "%s", batch->failure.message) : IMGRET_OK;
}

int32_t ir_query(imgret_results **out, ir_database *database, const imgret_input *inputs,
                 uint64_t count, const imgret_query_options *options,
                 const ir_catalog_filter *filter, ir_call *call, imgret_error *error)
{
    uint64_t started_us = ir_clock_us();
    for (uint64_t i = 0; i < count; i++)
        out[i] = NULL;
    if (count == 0)
        return IMGRET_OK;
    if (options->search == IMGRET_SEARCH_OBJECTS && !database->regions)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "%s was made without regions: it has no objects to search", database->path);
    ir_query_work work = {.database = database,
                          .options = options,
                          .call = call,
                          .kinds = ir_regions_kinds(database->regions, options->search),
                          .alone = count == 1,
                          .started_us = started_us};
    if (options->deadline_ms)
        call->deadline_us = started_us + (uint64_t)options->deadline_ms * 1000;
    query_batch batch = {.common = &work,
                         .inputs = inputs,
                         .filter = filter,
                         .out = out,
                         .count = count,
                         .part = part_queries(database, options, count)};
    int32_t status = answer_all(&batch, error);
    if (status) {
        for (uint64_t i = 0; i < count; i++) {
            imgret_results_free(out[i]);
            out[i] = NULL;
        }
        return status;
    }
    count_queries(database, out, count, started_us);
    return IMGRET_OK;
}
