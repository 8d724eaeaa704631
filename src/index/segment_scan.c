/* segment_scan.c: reads a segment's vectors in order, many pages at a time. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/way.h"
#include "index/segment_state.h"

#include <errno.h>
#include <unistd.h>

enum { SCAN_PAGES = 256, SCAN_PAGES_ASIDE = 32 };

struct ir_segment_scan {
    ir_segment *segment;
    uint8_t *pages;
    uint64_t first_page, page_count; /* those at hand */
    uint32_t slot;                   /* the next */
};

int32_t ir_segment_scan_create(ir_segment_scan **out, ir_segment *segment, imgret_error *error)
{
    *out = NULL;
    int32_t refused = ir_segment_refuse_damaged(segment, error); /* it is not empty */
    if (refused)
        return refused;
    ir_segment_scan *scan = ir_calloc(1, sizeof *scan);
    if (scan)
        scan->pages = ir_malloc_aligned(IR_PAGE_BYTES, SCAN_PAGES * IR_PAGE_BYTES);
    *out = scan;
    if (scan && scan->pages) {
        scan->segment = segment;
        return IMGRET_OK;
    }
    ir_segment_scan_free(scan);
    *out = NULL;
    return ir_fail(error, IMGRET_NO_MEMORY, "%s: no memory to read it", segment->path);
}

void ir_segment_scan_free(ir_segment_scan *scan)
{
    if (!scan)
        return;
    ir_free_aligned(scan->pages);
    ir_free(scan);
}

static int32_t fetch(ir_segment_scan *scan, uint64_t first, imgret_error *error)
{
    const ir_segment *segment = scan->segment;
    const ir_segment_section *section = &segment->header.sections[IR_SECTION_VECTORS];
    uint64_t end = section->offset / IR_PAGE_BYTES + ir_pages_of(section->bytes);
    uint64_t most = ir_way_is_asked() ? SCAN_PAGES_ASIDE : SCAN_PAGES;
    uint64_t count = end - first < most ? end - first : most;
    size_t bytes = count * IR_PAGE_BYTES;
    ssize_t got;
    scan->page_count = 0;
    do
        got = pread(segment->fd, scan->pages, bytes, (off_t)(first * IR_PAGE_BYTES));
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return ir_fail_errno(error, errno, "read", segment->path);
    if ((size_t)got != bytes)
        return ir_fail(error, IMGRET_IO, "%s: page %llu: the read stopped short", segment->path,
                       (unsigned long long)first);
    ir_give_way();
    int32_t status = ir_segment_verify(segment, scan->pages, first, (uint32_t)count, error);
    if (status)
        return status;
    scan->first_page = first;
    scan->page_count = count;
    return IMGRET_OK;
}

int32_t ir_segment_scan_next(ir_segment_scan *scan, int64_t *id, const void **stored,
                             imgret_error *error)
{
    if (scan->slot == scan->segment->header.vector_count)
        return 0;
    ir_record_place place = ir_segment_place(&scan->segment->header, scan->slot);
    if (place.first_page < scan->first_page ||
        place.first_page + place.page_count > scan->first_page + scan->page_count) {
        int32_t status = fetch(scan, place.first_page, error);
        if (status)
            return status;
    }
    *stored = scan->pages + (place.first_page - scan->first_page) * IR_PAGE_BYTES + place.offset;
    *id = ir_segment_id(scan->segment, scan->slot++);
    return 1;
}
