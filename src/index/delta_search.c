/* delta_search.c: the k nearest of the delta, its chunks shared among threads and queries.
 *
 * The pool's parts are runs of chunks; each keeps its own k best of every query, and the best of
 * those are the results. A chunk is compared with all queries while it lies in the cache. Where only
 * some ids are allowed, the parts are runs of those instead, and rows are compared in groups that
 * bridge small gaps. A row's score depends on nothing but the row and the query, and the order of
 * results is total, so that the answer is the same however rows and queries were shared.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "base/half.h"
#include "index/best.h"
#include "index/delta_codes.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#define RAWS 256u /* rows compared before their scores are looked at */
/* Many: a thread that the system holds up delays little. Of many queries, fewer: each part has room
 * for the best of all. */
#define PARTS_PER_THREAD 16u
#define PARTS_PER_THREAD_OF_MANY 4u

/* One of the queries that are answered together. */
typedef struct delta_seeker {
    const ir_delta *delta;
    const ir_delta_query *query;
    float *vector; /* the query, row_floats long; scaled by a power of two unless L2 */
    double factor; /* what makes a score of an inner product with `vector` */
    _Atomic uint64_t scanned;
    /* By codes: */
    atomic_bool coded; /* while it pays */
    ir_delta_coded_query code;
    _Atomic uint64_t estimated;
    _Atomic uint64_t passed;    /* of them, rows that had to be compared */
    _Atomic double score_bound; /* k rows are known to score at least this */
} delta_seeker;

typedef struct delta_scan {
    const ir_delta *delta;
    const ir_delta_query *shared; /* the first query: pool, stop and allowed ids of all */
    delta_seeker *seekers;
    uint32_t seeker_count;
    float *vectors; /* of the seekers */
    char *code_memory;
    uint32_t centroid_count; /* of codes that the seekers are prepared for */
    _Atomic int32_t codable; /* chunks that this search still may code */
    uint64_t row_count;
    uint32_t part_count;
    ir_best *parts;     /* part_count x seeker_count */
    ir_neighbor *items; /* of all parts; NULL when the only part fills the results themselves */
    atomic_bool stopped;
} delta_scan;

/* ---- Scores ---- */

static double component(const ir_delta *delta, const void *row, uint32_t i)
{
    return delta->vector_type == IMGRET_VECTOR_F16
               ? (double)ir_half_to_float(((const uint16_t *)row)[i])
               : (double)((const float *)row)[i];
}

/* The score in double precision, for the few rows whose sums overflow or vanish in single. */
static double score_in_double(const delta_seeker *seeker, const void *row)
{
    const ir_delta *delta = seeker->delta;
    double dot = 0, query_square = 0, row_square = 0, distance_square = 0;
    for (uint32_t i = 0; i < delta->dimension; i++) {
        double a = (double)seeker->query->vector[i], b = component(delta, row, i);
        dot += a * b;
        query_square += a * a;
        row_square += b * b;
        distance_square += (a - b) * (a - b);
    }
    if (delta->metric == IMGRET_METRIC_INNER_PRODUCT)
        return dot;
    if (delta->metric == IMGRET_METRIC_L2)
        return 0.0 - sqrt(distance_square); /* 0, not -0 */
    double lengths = sqrt(query_square) * sqrt(row_square);
    return lengths > 0.0 ? dot / lengths : 0.0;
}

/* Whether `raw` stands for the row within single precision. */
static bool is_sound(const delta_seeker *seeker, const ir_delta_chunk *chunk, uint32_t row,
                     float raw)
{
    if (seeker->delta->metric == IMGRET_METRIC_COSINE)
        return !isnan(chunk->norms_inverse[row]);
    if (seeker->delta->metric == IMGRET_METRIC_INNER_PRODUCT)
        return isfinite(raw);
    return raw >= 0x1p-100f && raw <= FLT_MAX;
}

static double score_of_raw(const delta_seeker *seeker, const ir_delta_chunk *chunk, uint32_t row,
                           float raw)
{
    if (seeker->delta->metric == IMGRET_METRIC_L2)
        return 0.0 - sqrt((double)raw);
    double score = (double)raw * seeker->factor;
    if (seeker->delta->metric == IMGRET_METRIC_COSINE) {
        score *= chunk->norms_inverse[row];
        score = score > 1.0 ? 1.0 : score < -1.0 ? -1.0 : score;
    }
    return score;
}

/* The best score a row can have that is not sound: spares the slow way where thousands of rows
 * equal the query. */
static double score_bound(const delta_seeker *seeker, float raw)
{
    if (seeker->delta->metric == IMGRET_METRIC_L2)
        return raw < 1.0f ? 0.0 : -0x1p60;
    return INFINITY;
}

static void consider(const delta_seeker *seeker, ir_best *best, const ir_delta_chunk *chunk,
                     uint32_t row, float raw)
{
    ir_neighbor neighbor = {chunk->ids[row], 0};
    if (is_sound(seeker, chunk, row, raw)) {
        neighbor.score = score_of_raw(seeker, chunk, row, raw);
    } else {
        neighbor.score = score_bound(seeker, raw);
        if (!ir_best_wants(best, neighbor))
            return;
        neighbor.score = score_in_double(seeker, ir_delta_row(seeker->delta, chunk, row));
    }
    if (neighbor.score < seeker->query->score_min || !ir_best_wants(best, neighbor))
        return;
    if (!ir_region_is_wanted(neighbor.id, seeker->query->kinds, seeker->query->excluded_id) ||
        atomic_load(&chunk->removed[row]) != 0)
        return;
    ir_best_keep(best, neighbor);
}

/* ---- The scan ---- */

static bool stops(delta_scan *scan)
{
    if (atomic_load_explicit(&scan->stopped, memory_order_relaxed))
        return true;
    if (!scan->shared->stop || !scan->shared->stop(scan->shared->stop_context))
        return false;
    atomic_store(&scan->stopped, true);
    return true;
}

static ir_best *best_of(const delta_scan *scan, uint32_t part, uint32_t seeker)
{
    return &scan->parts[(size_t)part * scan->seeker_count + seeker];
}

static void count_scanned(delta_seeker *seeker, uint32_t rows)
{
    atomic_fetch_add_explicit(&seeker->scanned, rows, memory_order_relaxed);
}

static void scan_chunk(delta_seeker *seeker, ir_best *best, const ir_delta_chunk *chunk,
                       uint32_t row_count)
{
    const ir_delta *delta = seeker->delta;
    bool l2 = delta->metric == IMGRET_METRIC_L2;
    float raws[RAWS];
    for (uint32_t at = 0; at < row_count; at += RAWS) {
        uint32_t count = row_count - at < RAWS ? row_count - at : RAWS;
        ir_delta_compare(delta, seeker->vector, ir_delta_row(delta, chunk, at), count, l2, raws);
        for (uint32_t i = 0; i < count; i++)
            consider(seeker, best, chunk, at + i, raws[i]);
    }
    count_scanned(seeker, row_count);
}

/* ---- The scan of coded rows ---- */

/* More than one row in so many to be compared: the codes do not pay. */
enum { PASSED_SHARE_MAX = 4, ESTIMATED_BEFORE_JUDGING = 4096 };

/* At least so many full chunks before any is coded; then one in so many by each search. */
enum { CODED_CHUNKS_MIN = 4, CHUNKS_PER_CODED = 16 };

/* Rows that lie apart are asked for so many before their turn, the first of their bytes. */
enum { ROWS_AHEAD = 2, FETCHED_BYTES_MAX = 2048, LINE_BYTES = 64 };

/* What a row must score to matter; -INFINITY: any may. */
static double score_needed(delta_seeker *seeker, const ir_best *best)
{
    double needed = atomic_load_explicit(&seeker->score_bound, memory_order_relaxed);
    if (seeker->query->score_min > needed)
        needed = seeker->query->score_min;
    if (best->count == best->capacity && best->items[0].score > needed)
        needed = best->items[0].score;
    return needed;
}

/* Tells the other parts what k rows of this one reach. */
static void raise_bound(delta_seeker *seeker, const ir_best *best)
{
    if (best->count < seeker->query->k)
        return;
    double mine = best->items[0].score;
    double old = atomic_load_explicit(&seeker->score_bound, memory_order_relaxed);
    while (mine > old && !atomic_compare_exchange_weak(&seeker->score_bound, &old, mine))
        ;
}

/* The beginnings of rows that few others lie beside; the processor follows from there. */
static void fetch_row(const ir_delta *delta, const ir_delta_chunk *chunk, uint32_t row)
{
    const char *at = ir_delta_row(delta, chunk, row);
    for (size_t i = 0; i < delta->row_bytes && i < FETCHED_BYTES_MAX; i += LINE_BYTES)
        __builtin_prefetch(at + i);
}

static void scan_coded(delta_seeker *seeker, ir_best *best, const ir_delta_chunk *chunk,
                       const uint8_t *codes)
{
    const ir_delta *delta = seeker->delta;
    bool l2 = delta->metric == IMGRET_METRIC_L2;
    uint32_t rows[RAWS + 1], passed = 0;
    for (uint32_t at = 0; at < delta->chunk_rows; at += RAWS) {
        uint32_t count = delta->chunk_rows - at < RAWS ? delta->chunk_rows - at : RAWS;
        uint32_t found = ir_delta_may_score(delta, &seeker->code, codes, at, count,
                                            score_needed(seeker, best), rows);
        for (uint32_t i = 0; i < found && i < ROWS_AHEAD; i++)
            fetch_row(delta, chunk, rows[i]);
        for (uint32_t i = 0; i < found; i++) {
            float raw;
            if (i + ROWS_AHEAD < found)
                fetch_row(delta, chunk, rows[i + ROWS_AHEAD]);
            ir_delta_compare(delta, seeker->vector, ir_delta_row(delta, chunk, rows[i]), 1, l2,
                             &raw);
            consider(seeker, best, chunk, rows[i], raw);
        }
        passed += found;
    }
    count_scanned(seeker, passed);
    uint64_t all_passed = atomic_fetch_add(&seeker->passed, passed) + passed;
    uint64_t all = atomic_fetch_add(&seeker->estimated, delta->chunk_rows) + delta->chunk_rows;
    if (all > ESTIMATED_BEFORE_JUDGING && all_passed * PASSED_SHARE_MAX > all)
        atomic_store_explicit(&seeker->coded, false, memory_order_relaxed);
}

static void scan_any(const delta_scan *scan, delta_seeker *seeker, ir_best *best,
                     const ir_delta_chunk *chunk, uint32_t row_count)
{
    const uint8_t *codes = NULL;
    if (row_count == scan->delta->chunk_rows &&
        atomic_load_explicit(&seeker->coded, memory_order_relaxed) &&
        score_needed(seeker, best) > -INFINITY)
        codes = ir_delta_codes(chunk, scan->centroid_count);
    if (codes)
        scan_coded(seeker, best, chunk, codes);
    else
        scan_chunk(seeker, best, chunk, row_count);
    raise_bound(seeker, best);
}

/* Chunks are coded while they are in the cache, a few by each search: what is never searched is
 * never coded, and no search is slow for it. */
static void code_if_due(delta_scan *scan, ir_delta_chunk *chunk, uint32_t row_count)
{
    if (row_count == scan->delta->chunk_rows && !atomic_load(&chunk->coding) &&
        atomic_load_explicit(&scan->codable, memory_order_relaxed) > 0 &&
        atomic_fetch_sub(&scan->codable, 1) > 0)
        ir_delta_code_chunk(scan->delta, chunk);
}

static uint64_t chunk_count(const delta_scan *scan)
{
    return (scan->row_count + scan->delta->chunk_rows - 1) / scan->delta->chunk_rows;
}

/* The first row of a part; of part_count: the end. Parts of allowed ids: allowed_start. */
static uint64_t part_start(const delta_scan *scan, uint32_t part)
{
    uint64_t row = chunk_count(scan) * part / scan->part_count * scan->delta->chunk_rows;
    return row < scan->row_count ? row : scan->row_count;
}

static void scan_part(void *context, uint32_t part)
{
    delta_scan *scan = context;
    uint32_t chunk_rows = scan->delta->chunk_rows;
    uint64_t row = part_start(scan, part), end = part_start(scan, part + 1);
    for (; row < end; row += chunk_rows) {
        uint32_t count = end - row < chunk_rows ? (uint32_t)(end - row) : chunk_rows;
        ir_delta_chunk *chunk = ir_delta_chunk_at(scan->delta, row / chunk_rows);
        for (uint32_t i = 0; i < scan->seeker_count; i++) {
            /* Each part begins with other queries: it then knows what their k best must score. */
            uint32_t first = (uint32_t)((uint64_t)part * scan->seeker_count / scan->part_count);
            uint32_t s = (first + i) % scan->seeker_count;
            if (stops(scan))
                return;
            scan_any(scan, &scan->seekers[s], best_of(scan, part, s), chunk, count);
        }
        code_if_due(scan, chunk, count);
    }
}

/* ---- The scan of allowed rows ---- */

#define GAP_ROWS 2u /* not allowed, compared all the same: less than starting anew */

static int64_t id_of_row(const delta_scan *scan, uint64_t row)
{
    uint32_t chunk_rows = scan->delta->chunk_rows;
    return ir_delta_chunk_at(scan->delta, row / chunk_rows)->ids[row % chunk_rows];
}

/* The first row at or after `row` whose id is at least `id`: doubling steps, then halves, since the
 * next allowed row is mostly near. */
static uint64_t find_row(const delta_scan *scan, uint64_t row, int64_t id)
{
    uint64_t step = 1, high = row;
    while (high < scan->row_count && id_of_row(scan, high) < id) {
        row = high + 1;
        high += step;
        step *= 2;
    }
    if (high > scan->row_count)
        high = scan->row_count;
    while (row < high) {
        uint64_t middle = row + (high - row) / 2;
        if (id_of_row(scan, middle) < id)
            row = middle + 1;
        else
            high = middle;
    }
    return row;
}

/* Rows of one chunk to be compared together. */
typedef struct row_group {
    uint64_t first;
    uint32_t count; /* gaps included */
    uint32_t allowed_count;
    uint32_t allowed[RAWS]; /* rows after `first` */
} row_group;

static void scan_group(delta_scan *scan, uint32_t part, row_group *group)
{
    if (group->allowed_count == 0)
        return;
    const ir_delta *delta = scan->delta;
    const ir_delta_chunk *chunk = ir_delta_chunk_at(delta, group->first / delta->chunk_rows);
    uint32_t at = (uint32_t)(group->first % delta->chunk_rows);
    float raws[RAWS];
    for (uint32_t s = 0; s < scan->seeker_count && !stops(scan); s++) {
        delta_seeker *seeker = &scan->seekers[s];
        ir_delta_compare(delta, seeker->vector, ir_delta_row(delta, chunk, at), group->count,
                         delta->metric == IMGRET_METRIC_L2, raws);
        for (uint32_t i = 0; i < group->allowed_count; i++)
            consider(seeker, best_of(scan, part, s), chunk, at + group->allowed[i],
                     raws[group->allowed[i]]);
        count_scanned(seeker, group->count);
    }
    group->allowed_count = 0;
}

static void take_row(delta_scan *scan, uint32_t part, row_group *group, uint64_t row)
{
    uint64_t end = group->first + group->count;
    bool fits = group->allowed_count > 0 && row - end <= GAP_ROWS && row - group->first < RAWS &&
                row / scan->delta->chunk_rows == group->first / scan->delta->chunk_rows;
    if (!fits) {
        scan_group(scan, part, group);
        group->first = row;
    }
    group->allowed[group->allowed_count++] = (uint32_t)(row - group->first);
    group->count = (uint32_t)(row - group->first) + 1;
}

static uint64_t allowed_start(const delta_scan *scan, uint32_t part)
{
    uint64_t count = scan->shared->allowed_count, parts = scan->part_count;
    return count / parts * part + count % parts * part / parts;
}

static void scan_allowed(void *context, uint32_t part)
{
    delta_scan *scan = context;
    const int64_t *allowed = scan->shared->allowed;
    uint64_t at = allowed_start(scan, part), end = allowed_start(scan, part + 1), row = 0;
    row_group group = {0};
    for (uint64_t seen = 0; at < end && row < scan->row_count; at++, seen++) {
        if (seen % RAWS == 0 && stops(scan))
            return;
        row = find_row(scan, row, allowed[at]);
        if (row < scan->row_count && id_of_row(scan, row) == allowed[at])
            take_row(scan, part, &group, row++);
    }
    scan_group(scan, part, &group);
}

/* ---- Preparing and gathering ---- */

static int32_t check_query(const ir_delta *delta, const ir_delta_query *query, imgret_error *error)
{
    if (query->k < 1)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "k is 0, a query wants at least 1 result");
    if (isnan(query->score_min))
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "the least score wanted is not a number");
    for (uint32_t i = 0; i < delta->dimension; i++)
        if (!isfinite(query->vector[i]))
            return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                           "component %" PRIu32 " of the query vector is %g, not a finite number",
                           i, (double)query->vector[i]);
    return IMGRET_OK;
}

/* Copies the query, scaled for inner products so that its greatest component is about 1: a power
 * of two loses nothing, and keeps the sums far from where single precision ends. */
static void prepare_seeker(delta_seeker *seeker)
{
    const ir_delta *delta = seeker->delta;
    const float *given = seeker->query->vector;
    memcpy(seeker->vector, given, delta->dimension * sizeof given[0]);
    if (delta->metric == IMGRET_METRIC_L2)
        return;
    float greatest = 0.0f;
    for (uint32_t i = 0; i < delta->dimension; i++)
        greatest = fabsf(given[i]) > greatest ? fabsf(given[i]) : greatest;
    int exponent = 0;
    if (greatest > 0.0f)
        frexpf(greatest, &exponent);
    for (uint32_t i = 0; i < delta->dimension; i++)
        seeker->vector[i] = ldexpf(given[i], -exponent);
    seeker->factor = ldexp(1.0, exponent);
    if (delta->metric == IMGRET_METRIC_COSINE) {
        float square;
        delta->kernels->dot_rows_f32(seeker->vector, seeker->vector, 0, 1, delta->row_floats,
                                     &square);
        seeker->factor = square > 0.0f ? 1.0 / sqrt((double)square) : 0.0;
    }
}

static uint32_t part_capacity(const delta_scan *scan, uint32_t part, uint32_t k)
{
    uint64_t rows = scan->shared->allowed
                        ? allowed_start(scan, part + 1) - allowed_start(scan, part)
                        : part_start(scan, part + 1) - part_start(scan, part);
    return rows < k ? (uint32_t)rows : k;
}

static void free_scan(delta_scan *scan)
{
    ir_free(scan->items);
    ir_free(scan->parts);
    ir_free_aligned(scan->vectors);
    ir_free_aligned(scan->code_memory);
    ir_free(scan->seekers);
}

static void choose_parts(delta_scan *scan)
{
    uint32_t threads = ir_pool_thread_count(scan->shared->pool);
    uint64_t chunks = scan->shared->allowed ? (scan->shared->allowed_count + RAWS - 1) / RAWS
                                            : chunk_count(scan);
    uint64_t each = scan->seeker_count > 1 ? PARTS_PER_THREAD_OF_MANY : PARTS_PER_THREAD;
    uint64_t parts = threads > 1 ? threads * each : 1;
    scan->part_count = (uint32_t)(parts < chunks ? parts : chunks);
}

/* Gives each part room for the best of each query. */
static int32_t share_items(delta_scan *scan, ir_delta_result *results, imgret_error *error)
{
    size_t room = 0;
    for (uint32_t part = 0; part < scan->part_count; part++)
        for (uint32_t i = 0; i < scan->seeker_count; i++)
            room += part_capacity(scan, part, scan->seekers[i].query->k);
    if (scan->part_count > 1) {
        scan->items = ir_malloc_array(room, sizeof scan->items[0]);
        if (!scan->items)
            return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a query with k = %" PRIu32,
                           scan->shared->k);
    }
    ir_neighbor *items = scan->items;
    for (uint32_t part = 0; part < scan->part_count; part++)
        for (uint32_t i = 0; i < scan->seeker_count; i++) {
            uint32_t capacity = part_capacity(scan, part, scan->seekers[i].query->k);
            ir_neighbor *place = items ? items : results[i].neighbors;
            *best_of(scan, part, i) = (ir_best){place, 0, capacity};
            if (items)
                items += capacity;
        }
    return IMGRET_OK;
}

/* Makes the seekers ready for codes. Without the memory for it, all rows are compared. */
static void prepare_codes(delta_scan *scan)
{
    const ir_delta *delta = scan->delta;
    uint64_t full = scan->row_count / delta->chunk_rows;
    if (!delta->coder || scan->shared->allowed || full < CODED_CHUNKS_MIN)
        return;
    atomic_store(&scan->codable, (int32_t)(1 + full / CHUNKS_PER_CODED));
    scan->centroid_count = ir_delta_centroid_count(delta);
    if (scan->centroid_count == 0)
        return;
    size_t each = ir_delta_coded_query_bytes(delta), bytes;
    if (!ir_mul_size(scan->seeker_count, each, &bytes))
        return;
    scan->code_memory = ir_malloc_aligned(64, bytes);
    for (uint32_t i = 0; i < scan->seeker_count && scan->code_memory; i++) {
        delta_seeker *seeker = &scan->seekers[i];
        atomic_store(&seeker->coded,
                     ir_delta_prepare_coded(delta, seeker->query->vector, scan->centroid_count,
                                            scan->code_memory + i * each, &seeker->code));
    }
}

static int32_t prepare(delta_scan *scan, const ir_delta_query *queries, ir_delta_result *results,
                       imgret_error *error)
{
    choose_parts(scan);
    size_t count = scan->seeker_count, vector_bytes, best_count;
    if (!ir_mul_size(count, scan->delta->row_floats * sizeof scan->vectors[0], &vector_bytes) ||
        !ir_mul_size(count, scan->part_count, &best_count))
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %zu queries", count);
    scan->seekers = ir_calloc(count, sizeof scan->seekers[0]);
    scan->vectors = ir_malloc_aligned(IR_DELTA_ROW_ALIGNMENT, vector_bytes);
    scan->parts = ir_calloc(best_count, sizeof scan->parts[0]);
    if (!scan->seekers || !scan->vectors || !scan->parts)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for %zu queries", count);
    memset(scan->vectors, 0, vector_bytes);
    for (size_t i = 0; i < count; i++) {
        delta_seeker *seeker = &scan->seekers[i];
        seeker->delta = scan->delta;
        seeker->query = &queries[i];
        seeker->vector = scan->vectors + i * scan->delta->row_floats;
        atomic_init(&seeker->score_bound, -INFINITY);
        prepare_seeker(seeker);
    }
    return share_items(scan, results, error);
}

static void gather(const delta_scan *scan, uint32_t seeker, ir_delta_result *result)
{
    ir_best all = {result->neighbors, 0, scan->seekers[seeker].query->k};
    if (!scan->items)
        all = *best_of(scan, 0, seeker);
    else
        for (uint32_t part = 0; part < scan->part_count; part++) {
            const ir_best *best = best_of(scan, part, seeker);
            for (uint32_t i = 0; i < best->count; i++)
                ir_best_keep(&all, best->items[i]);
        }
    ir_best_sort(&all);
    result->count = all.count;
}

int32_t ir_delta_search_many(const ir_delta *delta, const ir_delta_query *queries, uint32_t count,
                             ir_delta_result *results, imgret_error *error)
{
    int32_t status = IMGRET_OK;
    for (uint32_t i = 0; i < count; i++) {
        results[i].count = 0;
        results[i].scanned = results[i].estimated = 0;
        results[i].partial = false;
        if (!status)
            status = check_query(delta, &queries[i], error);
    }
    if (status || count == 0)
        return status;
    delta_scan scan = {.delta = delta, .shared = queries, .seeker_count = count};
    scan.row_count = atomic_load_explicit(&delta->row_count, memory_order_acquire);
    if (scan.row_count == 0 || (queries->allowed && queries->allowed_count == 0))
        return IMGRET_OK;
    status = prepare(&scan, queries, results, error);
    if (status == IMGRET_OK)
        prepare_codes(&scan);
    if (status == IMGRET_OK)
        ir_pool_run(queries->pool, queries->allowed ? scan_allowed : scan_part, &scan,
                    scan.part_count);
    for (uint32_t i = 0; i < count && scan.seekers; i++) {
        results[i].scanned = atomic_load(&scan.seekers[i].scanned);
        results[i].estimated = atomic_load(&scan.seekers[i].estimated);
    }
    bool stopped = atomic_load(&scan.stopped);
    if (status == IMGRET_OK && stopped && !queries->partial)
        status = ir_fail(error, IMGRET_INTERRUPTED, "the query was interrupted");
    for (uint32_t i = 0; i < count && status == IMGRET_OK; i++) {
        gather(&scan, i, &results[i]);
        results[i].partial = stopped;
    }
    free_scan(&scan);
    return status;
}

int32_t ir_delta_search(const ir_delta *delta, const ir_delta_query *query, ir_neighbor *out,
                        uint32_t *out_count, uint64_t *scanned, imgret_error *error)
{
    ir_delta_result result = {.neighbors = out};
    int32_t status = ir_delta_search_many(delta, query, 1, &result, error);
    *out_count = result.count;
    if (scanned)
        *scanned = result.scanned;
    return status;
}
