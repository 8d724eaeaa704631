/* segment_hot.c: vectors kept in RAM with what codes and graph leave of the budget: those that searches
 * read most often.
 *
 * In many dimensions a few vectors are near neighbours of very many others (Radovanovic et al., "Hubs
 * in Space", JMLR 2010), and so of queries. A hub shows in the graph by the edges that lead to it: of
 * fashion-mnist the fifth of the vectors with the most of them is half of what queries read, of 100k
 * x 2048 features 30 %.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "index/segment_state.h"

#include <stdlib.h>
#include <string.h>

/* One read takes in pages that nobody asked for where they are fewer than another read costs. */
enum { RUN_PAGES = 64, GAP_PAGES = 16, DEGREE_MOST = UINT16_MAX };

uint64_t ir_segment_hot_bytes(const ir_segment_header *header)
{
    return (uint64_t)header->dimension * (header->vector_type == IMGRET_VECTOR_F32 ? 4 : 2) +
           sizeof(uint32_t);
}

/* Edges that lead to each slot, as far as a u16 counts. */
static uint16_t *count_edges(const ir_segment *segment)
{
    uint32_t count = (uint32_t)segment->header.vector_count;
    uint16_t *degrees = ir_calloc(count, sizeof degrees[0]);
    uint32_t neighbors[128];
    for (uint32_t slot = 0; degrees && slot < count; slot++) {
        bool damaged = false; /* a search finds it */
        uint32_t near = ir_segment_neighbors(segment, ir_segment_row(segment, slot), slot,
                                             neighbors, &damaged);
        for (uint32_t i = 0; i < near; i++)
            if (degrees[neighbors[i]] < DEGREE_MOST)
                degrees[neighbors[i]]++;
    }
    return degrees;
}

/* The `wanted` slots with the most edges, ascending, of equal ones the first. */
static int32_t choose_slots(ir_segment *segment, uint32_t wanted, imgret_error *error)
{
    uint32_t count = (uint32_t)segment->header.vector_count, above = 0, least = DEGREE_MOST;
    uint16_t *degrees = count_edges(segment);
    uint32_t *with = ir_calloc(DEGREE_MOST + 1, sizeof with[0]);
    segment->hot_slots = ir_malloc_array(wanted, sizeof segment->hot_slots[0]);
    if (!degrees || !with || !segment->hot_slots) {
        ir_free(degrees);
        ir_free(with);
        return ir_fail(error, IMGRET_NO_MEMORY, "%s: no memory for vectors", segment->path);
    }
    for (uint32_t slot = 0; slot < count; slot++)
        with[degrees[slot]]++;
    while (above + with[least] < wanted)
        above += with[least--];
    uint32_t equal = wanted - above; /* of those with `least` edges */
    for (uint32_t slot = 0; slot < count; slot++) {
        if (degrees[slot] < least || (degrees[slot] == least && equal == 0))
            continue;
        equal -= degrees[slot] == least;
        segment->hot_slots[segment->hot_count++] = slot;
    }
    ir_free(degrees);
    ir_free(with);
    return IMGRET_OK;
}

/* Reads the hot vectors from `first` on that lie near together and returns how many of them these
 * are; *kept of them are whole, and take their places after those kept before. A vector that cannot
 * be read, or is damaged, is no hot one: a search that needs it will say so. */
static uint32_t load_run(ir_segment *segment, uint32_t first, uint32_t *kept, uint8_t *pages)
{
    size_t bytes = ir_space_stored_bytes(&segment->space);
    ir_record_place at = ir_segment_place(&segment->header, segment->hot_slots[first]);
    uint64_t from = at.first_page, end = from + at.page_count;
    uint32_t next = first + 1;
    for (; next < segment->hot_count; next++) {
        at = ir_segment_place(&segment->header, segment->hot_slots[next]);
        uint64_t this_end = at.first_page + at.page_count;
        if (at.first_page > end + GAP_PAGES || this_end > from + RUN_PAGES)
            break;
        end = this_end > end ? this_end : end;
    }
    imgret_error unheard = IMGRET_ERROR_INIT;
    if (ir_segment_read_pages(segment, from, end - from, pages, &unheard))
        return next - first;
    for (uint32_t i = first; i < next; i++) {
        uint32_t slot = segment->hot_slots[i];
        at = ir_segment_place(&segment->header, slot);
        const uint8_t *record = pages + (at.first_page - from) * IR_PAGE_BYTES;
        if (ir_segment_verify(segment, record, at.first_page, at.page_count, &unheard))
            continue;
        segment->hot_slots[*kept] = slot;
        memcpy(segment->hot_records + (size_t)*kept * bytes, record + at.offset, bytes);
        ++*kept;
    }
    return next - first;
}

int32_t ir_segment_load_hot(ir_segment *segment, uint64_t bytes_max, imgret_error *error)
{
    uint64_t wanted = bytes_max / ir_segment_hot_bytes(&segment->header);
    if (wanted > segment->header.vector_count)
        wanted = segment->header.vector_count;
    if (wanted == 0)
        return IMGRET_OK;
    int32_t status = choose_slots(segment, (uint32_t)wanted, error);
    if (status)
        return status;
    size_t bytes = ir_space_stored_bytes(&segment->space);
    segment->hot_records = ir_malloc_aligned(IR_PAGE_BYTES, segment->hot_count * bytes);
    uint8_t *pages = ir_malloc_aligned(IR_PAGE_BYTES, RUN_PAGES * IR_PAGE_BYTES);
    if (!segment->hot_records || !pages) {
        ir_free_aligned(pages);
        return ir_fail(error, IMGRET_NO_MEMORY, "%s: no memory for vectors", segment->path);
    }
    uint32_t kept = 0;
    for (uint32_t first = 0; first < segment->hot_count;)
        first += load_run(segment, first, &kept, pages);
    segment->hot_count = kept;
    ir_free_aligned(pages);
    return IMGRET_OK;
}

const uint8_t *ir_segment_hot_record(const ir_segment *segment, uint32_t slot)
{
    uint32_t low = 0, high = segment->hot_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (segment->hot_slots[middle] < slot)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == segment->hot_count || segment->hot_slots[low] != slot)
        return NULL;
    return segment->hot_records + (size_t)low * ir_space_stored_bytes(&segment->space);
}
