/* segment_read.c: ids, neighbours and single vectors of an open segment. */
#include "base/alloc.h"
#include "base/error.h"
#include "index/segment_state.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* `bits` (0 to 56, or 64 at whole bytes) bits at bit `at`; 8 bytes may be read from there. */
static inline uint64_t get_bits(const uint8_t *from, uint64_t at, uint32_t bits)
{
    uint64_t word;
    memcpy(&word, from + at / 8, sizeof word);
    if (bits == 64)
        return word;
    return word >> (at % 8) & ((1ull << bits) - 1);
}

int64_t ir_segment_id(const ir_segment *segment, uint32_t slot)
{
    uint32_t bits = segment->header.id_bits;
    uint64_t extra = bits ? get_bits(segment->ids, (uint64_t)slot * bits, bits) : 0;
    return (int64_t)((uint64_t)segment->header.id_base + slot + extra);
}

uint32_t ir_segment_neighbors(const ir_segment *segment, const uint8_t *row, uint32_t slot,
                              uint32_t *out, bool *damaged)
{
    uint32_t bits = segment->header.slot_bits, degree = segment->header.degree, count = 0;
    uint32_t vector_count = (uint32_t)segment->header.vector_count;
    for (uint32_t e = 0; e < degree; e++) {
        uint32_t neighbor = (uint32_t)get_bits(row, (uint64_t)e * bits, bits);
        if (neighbor >= vector_count)
            *damaged = true;
        else if (neighbor != slot)
            out[count++] = neighbor;
    }
    return count;
}

ir_record_place ir_segment_place(const ir_segment_header *header, uint64_t slot)
{
    uint64_t per_page = header->records_per_page, stride = header->record_stride;
    if (per_page > 0)
        return (ir_record_place){1 + slot / per_page, 1, (uint32_t)(slot % per_page * stride)};
    uint64_t start = slot * stride;
    uint64_t bytes = (uint64_t)header->dimension *
                     (header->vector_type == IMGRET_VECTOR_F32 ? 4 : 2);
    uint64_t last_page = (start + bytes - 1) / IR_PAGE_BYTES;
    uint64_t first_page = start / IR_PAGE_BYTES;
    return (ir_record_place){1 + first_page, (uint32_t)(last_page - first_page + 1),
                             (uint32_t)(start % IR_PAGE_BYTES)};
}

uint32_t ir_segment_record_pages(const ir_segment_header *header)
{
    if (header->records_per_page > 0)
        return 1;
    bool aligned = header->record_stride % IR_PAGE_BYTES == 0;
    return (uint32_t)ir_pages_of(header->record_stride) + (aligned ? 0 : 1);
}

/* Ids ascend with slots. Doubling steps, then halves. */
uint32_t ir_segment_find_from(const ir_segment *segment, uint32_t from, int64_t id)
{
    uint32_t count = (uint32_t)segment->header.vector_count, low = from;
    uint64_t high = from, step = 1;
    while (high < count && ir_segment_id(segment, (uint32_t)high) < id) {
        low = (uint32_t)high + 1;
        high += step;
        step *= 2;
    }
    if (high > count)
        high = count;
    while (low < high) {
        uint32_t middle = low + ((uint32_t)high - low) / 2;
        if (ir_segment_id(segment, middle) < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The slot of `id`, or the vector count. */
static uint32_t find_slot(const ir_segment *segment, int64_t id)
{
    uint32_t count = (uint32_t)segment->header.vector_count;
    uint32_t slot = ir_segment_find_from(segment, 0, id);
    return slot < count && ir_segment_id(segment, slot) == id ? slot : count;
}

bool ir_segment_has(const ir_segment *segment, int64_t id)
{
    return find_slot(segment, id) < segment->header.vector_count;
}

int32_t ir_segment_read_slot(const ir_segment *segment, uint32_t slot, void *stored,
                             imgret_error *error)
{
    ir_record_place place = ir_segment_place(&segment->header, slot);
    size_t bytes = (size_t)place.page_count * IR_PAGE_BYTES;
    uint8_t *pages = ir_malloc_aligned(IR_PAGE_BYTES, bytes);
    if (!pages)
        return ir_fail(error, IMGRET_NO_MEMORY, "%s: no memory for a vector", segment->path);
    ssize_t got;
    do
        got = pread(segment->fd, pages, bytes, (off_t)(place.first_page * IR_PAGE_BYTES));
    while (got < 0 && errno == EINTR);
    int32_t status = IMGRET_OK;
    if (got < 0)
        status = ir_fail_errno(error, errno, "read", segment->path);
    else if ((size_t)got != bytes)
        status = ir_fail(error, IMGRET_IO, "%s: page %llu: the read stopped short", segment->path,
                         (unsigned long long)place.first_page);
    if (!status)
        status = ir_segment_verify(segment, pages, place.first_page, place.page_count, error);
    if (!status)
        memcpy(stored, pages + place.offset, ir_space_stored_bytes(&segment->space));
    ir_free_aligned(pages);
    return status;
}

int32_t ir_segment_get(ir_segment *segment, int64_t id, void *stored, imgret_error *error)
{
    if (segment->damage)
        return ir_segment_refuse_damaged(segment, error);
    uint32_t slot = find_slot(segment, id);
    if (slot == segment->header.vector_count)
        return ir_fail(error, IMGRET_NOT_FOUND, "no vector has id %lld", (long long)id);
    return ir_segment_read_slot(segment, slot, stored, error);
}
