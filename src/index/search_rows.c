/* search_rows.c: the nearest among given ids of a segment: compared one by one, or met by a walk.
 *
 * The cost of both ways is known beforehand, in estimates of a code: comparing one by one takes one
 * a row, in the order of memory; a walk of width w expands about w nodes, and each has `degree`
 * neighbours, of which the walk has seen three in four before. What a walk does for a neighbour (look it
 * up among those seen, fetch its code from anywhere) lasts about three times as long as what the scan
 * does for a row, so that a neighbour, seen before or not, costs WALK_COST of a row: docs/filters.md
 * has the measurement.
 */
#include "index/search.h"

#include "base/error.h"

enum { EFFORT_DEFAULT = 64, STOP_EVERY_ROWS = 4096 };

#define WIDTH_MAX 1000000u
#define WALK_COST 0.7
/* Rows do not lie evenly: of twice as many vectors, as often as not, less than half are rows. */
#define WIDTH_SLACK 1.1

/* More than on a walk, where a node that was passed over leads to others all the same. */
static const float row_slack = 1.5f;

static bool is_row(const ir_search *search, int64_t id)
{
    uint64_t low = 0, high = search->row_count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (search->rows[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < search->row_count && search->rows[low] == id;
}

/* What search->rows leave open: they may name a vector that was removed since. */
static bool is_there(const ir_search *search, int64_t id)
{
    return !(search->excluded_id && id == search->excluded_id) &&
           !(search->allowed && !search->allowed(search->allowed_context, id));
}

bool ir_query_allows(const ir_search *search, int64_t id)
{
    return is_there(search, id) && (!search->rows || is_row(search, id));
}

uint64_t ir_query_width_among_rows(const ir_query *query, const ir_segment *segment)
{
    uint64_t all = segment->header.vector_count, rows = query->search->row_count;
    double width = WIDTH_SLACK * (double)query->width * (double)all / (double)(rows ? rows : 1);
    double most = all < WIDTH_MAX ? (double)all : WIDTH_MAX;
    return (uint64_t)(width < most ? width : most);
}

bool ir_query_prefers_rows(const ir_query *query, const ir_segment *segment)
{
    double walked = (double)ir_query_width_among_rows(query, segment);
    return (double)query->search->row_count <= walked * segment->header.degree * WALK_COST;
}

/* One pass over the rows; `checked`: each is asked for with search->allowed. */
static int32_t scan(ir_query *query, const ir_segment *segment, ir_walk_tools *tools, bool checked,
                    imgret_error *error)
{
    const ir_search *search = query->search;
    uint32_t all = (uint32_t)segment->header.vector_count;
    uint32_t room = segment->header.degree, count = 0, slot = 0;
    for (uint64_t i = 0; i < search->row_count && slot < all; i++) {
        if (i % STOP_EVERY_ROWS == 0) {
            int32_t status = ir_query_heed_stop(query, error);
            if (status)
                return status;
            if (query->cut)
                break;
        }
        int64_t id = search->rows[i];
        slot = ir_segment_find_from(segment, slot, id);
        if (slot == all || ir_segment_id(segment, slot) != id || id == search->excluded_id ||
            (checked && !is_there(search, id)))
            continue;
        /* Far from the last one, as a rule: the next `room` of them come in while others are found. */
        __builtin_prefetch(segment->signs + slot * segment->shape.sign_stride);
        tools->fresh[count++] = slot++;
        if (count == room) {
            ir_query_offer(query, segment, tools, count, row_slack);
            count = 0;
        }
    }
    ir_query_offer(query, segment, tools, count, row_slack);
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
    return width <= search->row_count ? width : search->row_count + 1;
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
    bool crowded = false;
    for (uint32_t i = 0; !status && i < query->beam.count && !crowded; i++) {
        uint32_t slot = query->beam.entries[i].slot & IR_BEAM_SLOT;
        crowded = !is_there(search, ir_segment_id(segment, slot));
    }
    if (status || !crowded)
        return status;
    status = ir_query_start_beam(query, (uint32_t)width, error);
    return status ? status : scan(query, segment, tools, true, error);
}
