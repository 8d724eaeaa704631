/* searcher.c: carries out searches: several at once on a thread, on one set of reads.
 *
 * A thread has a few queries walking, which take steps in turn so that none waits for memory, and
 * more that wait for the disk: up to PLACES. It hands the reads of several to the kernel with one
 * call, and takes completions in any order. It waits only when every one of its queries does. Invariants: a read's tag is the index of its buffer; a buffer is either in
 * `free_buffers` or belongs to one read in flight; a query's place is free when search is NULL.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/way.h"
#include "index/search.h"

#include <stdatomic.h>
#include <string.h>

enum {
    PLACES = 32,
    PLACES_ASIDE = 2, /* of a search that gives way: its reads keep the disk from others */
    READS_MAX = 128,
    WALKING_MAX = 3, /* queries that take steps in turn */
    ROUNDS_MAX = 256,
    READS_A_TURN = 12, /* worth a call of the kernel while there is something else to do */
};

#define NO_CANDIDATE UINT32_MAX

/* What a read is for. */
typedef struct read_owner {
    uint32_t place;
    uint32_t slot;
    uint32_t candidate; /* whose vector it is; NO_CANDIDATE: it is a row of the graph */
} read_owner;

struct ir_searcher {
    ir_searcher *next; /* idle ones of the segment */
    ir_segment *segment;
    ir_io *io;
    uint8_t *memory; /* READS_MAX buffers */
    size_t buffer_bytes;
    uint32_t free_buffers[READS_MAX];
    uint32_t free_count;
    read_owner owners[READS_MAX];
    ir_walk_tools tools;
    ir_query queries[PLACES];
    uint32_t active[PLACES]; /* places in use, the oldest first */
    uint32_t active_count;
    uint32_t idle_places[PLACES];
    uint32_t idle_count;
    uint32_t ready[PLACES]; /* places whose walk can go on */
    uint32_t ready_count;
    uint32_t queued_count; /* reads that the kernel was not told of */
};

/* Queries to be answered, shared by the threads of a batch. */
typedef struct batch {
    ir_segment *segment;
    const ir_search *searches;
    ir_search_result *results;
    uint32_t count;
    _Atomic uint32_t next;
    pthread_mutex_t lock; /* for what follows */
    ir_search_stats stats;
    uint32_t failed_first; /* lowest query that failed; count: none */
    imgret_error error;    /* its error */
} batch;

void ir_searcher_free(ir_searcher *searcher)
{
    while (searcher) {
        ir_searcher *next = searcher->next;
        ir_io_free(searcher->io);
        ir_free_aligned(searcher->memory);
        ir_walk_tools_free(&searcher->tools);
        for (uint32_t i = 0; i < PLACES; i++)
            ir_query_free(&searcher->queries[i]);
        ir_free(searcher);
        searcher = next;
    }
}

static int32_t fill_searcher(ir_searcher *searcher, ir_segment *segment, imgret_error *error)
{
    searcher->segment = segment;
    searcher->buffer_bytes = (size_t)ir_segment_record_pages(&segment->header) * IR_PAGE_BYTES;
    size_t bytes = READS_MAX * searcher->buffer_bytes;
    searcher->memory = ir_malloc_aligned(IR_PAGE_BYTES, bytes + IR_ROW_SLACK_BYTES);
    if (!searcher->memory)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %d reads", READS_MAX);
    for (uint32_t i = 0; i < READS_MAX; i++)
        searcher->free_buffers[searcher->free_count++] = READS_MAX - 1 - i;
    for (uint32_t i = 0; i < PLACES; i++)
        searcher->idle_places[searcher->idle_count++] = PLACES - 1 - i;
    ir_io_options options = {
        .kind = segment->options.io_kind,
        .depth = READS_MAX,
        .fd = segment->fd,
        .memory = searcher->memory,
        .memory_bytes = bytes,
        .fault = segment->options.fault,
        .fault_context = segment->options.fault_context,
    };
    int32_t status = ir_io_create(&searcher->io, &options, error);
    if (!status)
        status = ir_walk_tools_create(&searcher->tools, segment, error);
    for (uint32_t i = 0; !status && i < PLACES; i++)
        status = ir_query_create(&searcher->queries[i], segment, error);
    return status;
}

static int32_t take_searcher(ir_segment *segment, ir_searcher **out, imgret_error *error)
{
    pthread_mutex_lock(&segment->lock);
    ir_searcher *searcher = segment->idle;
    if (searcher)
        segment->idle = searcher->next;
    pthread_mutex_unlock(&segment->lock);
    if (!searcher) {
        searcher = ir_calloc(1, sizeof *searcher);
        if (!searcher)
            return ir_fail(error, IMGRET_NO_MEMORY, "no memory to search");
        int32_t status = fill_searcher(searcher, segment, error);
        if (status) {
            ir_searcher_free(searcher);
            return status;
        }
    }
    searcher->next = NULL;
    *out = searcher;
    return IMGRET_OK;
}

static void give_searcher(ir_searcher *searcher)
{
    ir_segment *segment = searcher->segment;
    pthread_mutex_lock(&segment->lock);
    segment->io_kind = ir_io_kind(searcher->io);
    searcher->next = segment->idle;
    segment->idle = searcher;
    pthread_mutex_unlock(&segment->lock);
}

void ir_search_stats_add(ir_search_stats *sum, const ir_search_stats *more)
{
    sum->reads += more->reads;
    sum->read_bytes += more->read_bytes;
    sum->graph_reads += more->graph_reads;
    sum->hops += more->hops;
    sum->sign_estimates += more->sign_estimates;
    sum->rank_estimates += more->rank_estimates;
    sum->reranks += more->reranks;
    sum->wait_us += more->wait_us;
}

/* Keeps the error of the first failed query: the same whatever the threads did. */
static void note_failure(batch *work, const ir_query *query, const imgret_error *error)
{
    uint32_t index = (uint32_t)(query->search - work->searches);
    pthread_mutex_lock(&work->lock);
    if (index < work->failed_first) {
        work->failed_first = index;
        work->error = *error;
    }
    pthread_mutex_unlock(&work->lock);
}

static void fail_query(batch *work, ir_query *query, const imgret_error *error)
{
    if (query->status)
        return;
    query->status = error->code;
    query->next_wanted = query->candidate_count; /* no more reads */
    query->nodes_wanted_count = 0;
    query->walking = false;
    note_failure(work, query, error);
}

static ir_record_place place_of(const ir_segment *segment, const read_owner *owner)
{
    if (owner->candidate != NO_CANDIDATE)
        return ir_segment_place(&segment->header, owner->slot);
    return (ir_record_place){ir_segment_graph_page(segment, owner->slot), 1,
                             ir_segment_graph_offset(segment, owner->slot)};
}

/* There must be a free buffer. */
static void queue_read(ir_searcher *searcher, const read_owner *owner)
{
    uint32_t buffer = searcher->free_buffers[--searcher->free_count];
    ir_record_place at = place_of(searcher->segment, owner);
    searcher->owners[buffer] = *owner;
    ir_io_read read = {
        .offset = at.first_page * IR_PAGE_BYTES,
        .bytes = at.page_count * IR_PAGE_BYTES,
        .tag = buffer,
        .buffer = searcher->memory + buffer * searcher->buffer_bytes,
    };
    ir_io_queue(searcher->io, &read);
    searcher->queued_count++;
    ir_query *query = &searcher->queries[owner->place];
    if (query->pending++ == 0)
        query->waiting_since_us = ir_clock_us();
    query->stats.reads++;
    query->stats.read_bytes += read.bytes;
}

/* Queues reads of a query while there are buffers. */
static void queue_reads(ir_searcher *searcher, uint32_t place)
{
    ir_query *query = &searcher->queries[place];
    while (query->nodes_wanted_count > 0 && searcher->free_count > 0) {
        uint32_t slot = query->nodes_wanted[--query->nodes_wanted_count];
        queue_read(searcher, &(read_owner){place, slot, NO_CANDIDATE});
        query->nodes_pending++;
        query->stats.graph_reads++;
    }
    while (!query->walking && query->next_wanted < query->candidate_count) {
        uint32_t candidate = query->next_wanted, slot = query->candidates[candidate].slot;
        bool wanted = query->candidates[candidate].wanted;
        const uint8_t *hot = wanted ? ir_segment_hot_record(searcher->segment, slot) : NULL;
        if (hot) {
            ir_query_settle(query, searcher->segment, candidate, hot);
        } else if (wanted) {
            if (searcher->free_count == 0)
                return;
            queue_read(searcher, &(read_owner){place, slot, candidate});
        }
        query->next_wanted++;
    }
}

/* What was read, whole and undamaged. */
static int32_t judge_read(const ir_segment *segment, const ir_io_done *done, ir_record_place at,
                          const uint8_t *pages, imgret_error *error)
{
    if (done->result < 0)
        return ir_fail(error, IMGRET_IO, "%s: page %llu: %s", segment->path,
                       (unsigned long long)at.first_page, strerror(-done->result));
    if ((uint32_t)done->result != at.page_count * IR_PAGE_BYTES)
        return ir_fail(error, IMGRET_IO, "%s: page %llu: the read stopped after %d bytes",
                       segment->path, (unsigned long long)at.first_page, done->result);
    return ir_segment_verify(segment, pages, at.first_page, at.page_count, error);
}

static void complete(ir_searcher *searcher, batch *work, const ir_io_done *done)
{
    read_owner owner = searcher->owners[done->tag];
    ir_query *query = &searcher->queries[owner.place];
    const ir_segment *segment = searcher->segment;
    const uint8_t *pages = searcher->memory + done->tag * searcher->buffer_bytes;
    ir_record_place at = place_of(segment, &owner);
    imgret_error error = IMGRET_ERROR_INIT;
    bool is_row = owner.candidate == NO_CANDIDATE;
    int32_t status = judge_read(segment, done, at, pages, &error);
    if (--query->pending == 0)
        query->stats.wait_us += ir_clock_us() - query->waiting_since_us;
    query->nodes_pending -= is_row;
    if (!status && is_row && query->walking) {
        bool was_blocked = query->blocked;
        status = ir_query_take_row(query, segment, &searcher->tools, owner.slot, pages + at.offset,
                                   &error);
        if (was_blocked && !status)
            searcher->ready[searcher->ready_count++] = owner.place;
    } else if (!status && !is_row) {
        ir_query_settle(query, segment, owner.candidate, pages + at.offset);
    }
    if (status)
        fail_query(work, query, &error);
    searcher->free_buffers[searcher->free_count++] = done->tag;
}

static void start_query(ir_searcher *searcher, batch *work, uint32_t index)
{
    uint32_t place = searcher->idle_places[--searcher->idle_count];
    ir_query *query = &searcher->queries[place];
    query->search = &work->searches[index];
    query->result = &work->results[index];
    imgret_error error = IMGRET_ERROR_INIT;
    if (ir_query_start(query, searcher->segment, &searcher->tools, &error))
        fail_query(work, query, &error);
    searcher->active[searcher->active_count++] = place;
    if (query->walking)
        searcher->ready[searcher->ready_count++] = place;
}

/* Lets the queries that are ready take steps in turn until one of them cannot go on, or all have
 * taken enough of them to look after the reads. */
static void walk_ready(ir_searcher *searcher, batch *work)
{
    uint32_t before = searcher->ready_count;
    for (uint32_t round = 0; round < ROUNDS_MAX && searcher->ready_count == before; round++) {
        uint32_t kept = 0;
        for (uint32_t i = 0; i < before; i++) {
            uint32_t place = searcher->ready[i];
            ir_query *query = &searcher->queries[place];
            imgret_error error = IMGRET_ERROR_INIT;
            if (query->walking &&
                ir_query_advance(query, searcher->segment, &searcher->tools, &error))
                fail_query(work, query, &error);
            if (query->walking && !query->blocked)
                searcher->ready[kept++] = place;
        }
        searcher->ready_count = kept;
        ir_give_way(); /* where recall is measured */
    }
}

/* Before vectors are read: a stopped query reads no more. */
static void heed_stop(batch *work, ir_query *query)
{
    imgret_error error = IMGRET_ERROR_INIT;
    if (query->walking || query->next_wanted >= query->candidate_count)
        return;
    if (ir_query_heed_stop(query, &error))
        fail_query(work, query, &error);
    if (query->cut)
        query->next_wanted = query->candidate_count;
}

/* Queues further reads, and lets go of the queries that are done. */
static void look_after_active(ir_searcher *searcher, batch *work, ir_search_stats *stats)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < searcher->active_count; i++) {
        uint32_t place = searcher->active[i];
        ir_query *query = &searcher->queries[place];
        heed_stop(work, query);
        queue_reads(searcher, place);
        if (query->pending > 0 || query->walking || query->next_wanted < query->candidate_count) {
            searcher->active[kept++] = place;
            continue;
        }
        ir_query_finish(query);
        ir_search_stats_add(stats, &query->stats);
        query->search = NULL;
        searcher->idle_places[searcher->idle_count++] = place;
    }
    searcher->active_count = kept;
}

/* One turn of the ring. A ring that fails fails every query on it: none of its reads can be
 * trusted to come back. */
static bool turn(ir_searcher *searcher, batch *work, bool wait)
{
    ir_io_done done[READS_MAX];
    uint32_t count = 0;
    imgret_error error = IMGRET_ERROR_INIT;
    int32_t status = ir_io_turn(searcher->io, done, READS_MAX, wait ? 1 : 0, &count, &error);
    for (uint32_t i = 0; i < count; i++)
        complete(searcher, work, &done[i]);
    if (!status)
        return true;
    for (uint32_t i = 0; i < searcher->active_count; i++) {
        ir_query *query = &searcher->queries[searcher->active[i]];
        fail_query(work, query, &error);
        ir_query_finish(query);
    }
    return false;
}

/* Answers queries of the batch until none is left. False: the searcher is of no further use. */
static bool serve(ir_searcher *searcher, batch *work, ir_search_stats *stats)
{
    bool more = true;
    while (more || searcher->active_count > 0) {
        uint32_t places = ir_way_is_asked() ? PLACES_ASIDE : PLACES;
        while (more && searcher->active_count < places && searcher->ready_count < WALKING_MAX) {
            uint32_t index = atomic_fetch_add(&work->next, 1);
            if (index < work->count)
                start_query(searcher, work, index);
            more = index + 1 < work->count;
        }
        if (searcher->ready_count > 0)
            walk_ready(searcher, work);
        look_after_active(searcher, work, stats);
        if (ir_io_in_flight(searcher->io) == 0)
            continue;
        bool wait = searcher->ready_count == 0 && (!more || searcher->active_count >= places);
        if (!wait && searcher->queued_count < READS_A_TURN)
            continue;
        searcher->queued_count = 0;
        if (!turn(searcher, work, wait))
            return false;
    }
    return true;
}

static void serve_part(void *context, uint32_t part)
{
    (void)part;
    batch *work = context;
    ir_searcher *searcher = NULL;
    imgret_error error = IMGRET_ERROR_INIT;
    if (take_searcher(work->segment, &searcher, &error)) {
        pthread_mutex_lock(&work->lock);
        work->error = error; /* counts only if no other thread answered the queries */
        pthread_mutex_unlock(&work->lock);
        return;
    }
    ir_search_stats stats = {.reads = 0};
    bool usable = serve(searcher, work, &stats);
    if (usable)
        give_searcher(searcher);
    else
        ir_searcher_free(searcher);
    pthread_mutex_lock(&work->lock);
    ir_search_stats_add(&work->stats, &stats);
    pthread_mutex_unlock(&work->lock);
}

int32_t ir_segment_search_batch(ir_segment *segment, const ir_search *searches, uint32_t count,
                                ir_search_result *results, ir_pool *pool, ir_search_stats *stats,
                                imgret_error *error)
{
    int32_t refused = ir_segment_refuse_damaged(segment, error);
    if (refused) {
        for (uint32_t i = 0; i < count; i++) {
            results[i].count = 0;
            results[i].status = refused;
        }
        return refused;
    }
    batch work = {.segment = segment,
                  .searches = searches,
                  .results = results,
                  .count = count,
                  .failed_first = count,
                  .error = IMGRET_ERROR_INIT};
    pthread_mutex_init(&work.lock, NULL);
    for (uint32_t i = 0; i < count; i++) {
        results[i].count = 0;
        results[i].partial = results[i].estimated = false;
        results[i].stats = (ir_search_stats){.reads = 0};
        results[i].status = IMGRET_INTERNAL; /* until it is answered */
    }
    if (pool && count > 1)
        ir_pool_run(pool, serve_part, &work, ir_pool_thread_count(pool));
    else
        serve_part(&work, 0);
    pthread_mutex_destroy(&work.lock);
    if (stats)
        ir_search_stats_add(stats, &work.stats);
    int32_t status = IMGRET_OK;
    for (uint32_t i = 0; i < count; i++) {
        if (results[i].status == IMGRET_INTERNAL && work.error.code)
            results[i].status = work.error.code; /* its thread could not go on */
        if (!status)
            status = results[i].status;
    }
    return status ? ir_fail(error, status, "%s", work.error.message) : IMGRET_OK;
}

int32_t ir_segment_search(ir_segment *segment, const ir_search *search, ir_neighbor *out,
                          uint32_t *out_count, ir_search_stats *stats, imgret_error *error)
{
    ir_search_result result = {.neighbors = out};
    int32_t status = ir_segment_search_batch(segment, search, 1, &result, NULL, stats, error);
    *out_count = result.count;
    return status;
}
