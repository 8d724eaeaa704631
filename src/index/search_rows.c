/* search_rows.c: the nearest among given ids of a segment: compared one by one, or met by a walk.
 *
 * The cost of both ways is known beforehand, in estimates of a code: comparing one by one takes one
 * a row, in the order of memory, the next codes on their way; a walk of width w expands about w nodes,
 * and each has `degree` neighbours, of which the walk has seen three in four before. What a walk does
 * for a neighbour (look it up among those seen, fetch its code from anywhere, find its place in a wide
 * beam) takes more, so that a neighbour, seen before or not, costs WALK_COST of a row: docs/filters.md
 * has the measurement.
 */
#include "index/search.h"

#include "base/error.h"

enum { EFFORT_DEFAULT = 64, STOP_EVERY_BATCHES = 128, AHEAD_BATCHES = 4 };

#define WIDTH_MAX 1000000u
#define WALK_COST 3.5
/* Rows do not lie evenly: of twice as many vectors, as often as not, less than half are rows. */
#define WIDTH_SLACK 1.1

/* More than on a walk, where a node that was passed over leads to others all the same. */
static const float row_slack = 1.5f;

/* What search->rows leave open: they may name a vector that was removed since. */
static bool is_there(const ir_search *search, int64_t id)
{
    return !(search->excluded_id && id == search->excluded_id) &&
           !(search->allowed && !search->allowed(search->allowed_context, id));
}

bool ir_query_allows(const ir_search *search, uint32_t slot, int64_t id)
{
    return (!search->rows || ir_segment_rows_have(search->rows, slot)) && is_there(search, id);
}

uint64_t ir_query_width_among_rows(const ir_query *query, const ir_segment *segment)
{
    uint64_t all = segment->header.vector_count, rows = query->search->rows->count;
    double width = WIDTH_SLACK * (double)query->width * (double)all / (double)(rows ? rows : 1);
    double most = all < WIDTH_MAX ? (double)all : WIDTH_MAX;
    return (uint64_t)(width < most ? width : most);
}

bool ir_query_prefers_rows(const ir_query *query, const ir_segment *segment)
{
    double walked = (double)ir_query_width_among_rows(query, segment);
    return (double)query->search->rows->count <= walked * segment->header.degree * WALK_COST;
}

/* Those of `count` slots that may be results, to `out`; returns how many. */
static uint32_t keep_there(const ir_search *search, const ir_segment *segment,
                           const uint32_t *slots, uint32_t count, uint32_t *out)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++)
        if (is_there(search, ir_segment_id(segment, slots[i])))
            out[kept++] = slots[i];
    return kept;
}

/* Full keys of what came through the sieve, once there are enough that their codes are on their way
 * when they are needed. */
typedef struct ranking {
    uint32_t *slots; /* `room` of them */
    uint32_t count;
} ranking;

static void sift(ir_query *query, const ir_segment *segment, ir_walk_tools *tools,
                 const uint32_t *slots, uint32_t count, ranking *later)
{
    uint32_t room = segment->header.degree;
    uint32_t passed = ir_query_sieve(query, segment, tools, slots, count, row_slack, tools->passed);
    if (passed > 0)
        ir_fetch_rows(segment->ranks, segment->shape.rank_stride, tools->passed, passed);
    for (uint32_t i = 0; i < passed; i++) {
        if (later->count == room) {
            ir_query_rank(query, segment, tools, later->slots, later->count);
            later->count = 0;
        }
        later->slots[later->count++] = tools->passed[i];
    }
}

/* The sign records of rows that are compared some batches later are on their way: one batch ahead, memory
 * kept the comparing waiting for a third of its time. A record is shorter than two lines of the cache. */
static void fetch_signs(const ir_segment *segment, const ir_segment_rows *rows, uint64_t first,
                        uint64_t count)
{
    size_t stride = segment->shape.sign_stride;
    uint64_t end = first + count < rows->count ? first + count : rows->count;
    if (stride > 2 * (size_t)IR_LINE_BYTES) {
        if (first < end)
            ir_fetch_rows(segment->signs, stride, rows->slots + first, (uint32_t)(end - first));
        return;
    }
    for (uint64_t i = first; i < end; i++) {
        const uint8_t *record = segment->signs + (size_t)rows->slots[i] * stride;
        __builtin_prefetch(record);
        __builtin_prefetch(record + stride - 1);
    }
}

/* One pass over the rows; `checked`: each is asked for with search->allowed. */
static int32_t scan(ir_query *query, const ir_segment *segment, ir_walk_tools *tools, bool checked,
                    imgret_error *error)
{
    const ir_search *search = query->search;
    const ir_segment_rows *rows = search->rows;
    uint32_t room = segment->header.degree;
    ranking later = {query->passed, 0};
    fetch_signs(segment, rows, 0, (uint64_t)AHEAD_BATCHES * room);
    for (uint64_t i = 0; i < rows->count; i += room) {
        if (i / room % STOP_EVERY_BATCHES == 0) {
            int32_t status = ir_query_heed_stop(query, error);
            if (status)
                return status;
            if (query->cut)
                break;
        }
        uint64_t left = rows->count - i;
        const uint32_t *slots = rows->slots + i;
        uint32_t count = (uint32_t)(left < room ? left : room);
        fetch_signs(segment, rows, i + (uint64_t)AHEAD_BATCHES * room, room);
        if (checked) {
            count = keep_there(search, segment, slots, count, tools->fresh);
            slots = tools->fresh;
        }
        sift(query, segment, tools, slots, count, &later);
    }
    if (later.count > 0)
        ir_query_rank(query, segment, tools, later.slots, later.count);
    return IMGRET_OK;
}

/* A little wider than a walk's beam, so that there is room for rows that are gone; twice as wide where
 * only coarse keys are in RAM, since then room costs nothing. */
static uint64_t scan_width(const ir_search *search, const ir_segment *segment)
{
    uint64_t width = search->effort ? search->effort : EFFORT_DEFAULT;
    if (width <= search->k)
        width = search->k + 1ull;
    uint64_t more = segment->ranks ? width / 4 : width + 64;
    width += more < 1000 ? more : 1000;
    return width <= search->rows->count ? width : search->rows->count + 1;
}

int32_t ir_query_scan_rows(ir_query *query, const ir_segment *segment, ir_walk_tools *tools,
                           imgret_error *error)
{
    const ir_search *search = query->search;
    uint64_t width = scan_width(search, segment);
    int32_t status = ir_query_start_beam(query, (uint32_t)width, error);
    if (!status)
        status = scan(query, segment, tools, false, error);
    /* Vectors that are gone would take the places of others: then each is asked for. */
    uint32_t gone = 0;
    for (uint32_t i = 0; !status && i < query->beam.count; i++) {
        int64_t id = ir_segment_id(segment, query->beam.entries[i].slot & IR_BEAM_SLOT);
        gone += id != search->excluded_id && !is_there(search, id);
    }
    if (status || gone == 0)
        return status;
    status = ir_query_start_beam(query, (uint32_t)width, error);
    return status ? status : scan(query, segment, tools, true, error);
}
