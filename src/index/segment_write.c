/* segment_write.c: writes the sections of a segment that follow its vectors. */
#include "base/alloc.h"
#include "base/way.h"
#include "index/segment_build_parts.h"

#include <string.h>

static int32_t write_section(ir_builder *b, uint32_t section, const void *data, size_t bytes,
                             imgret_error *error)
{
    b->header.sections[section].offset = ir_page_writer_offset(b->writer);
    b->header.sections[section].bytes = bytes;
    int32_t status = ir_page_write(b->writer, data, bytes, error);
    return status ? status : ir_page_write_end(b->writer, error);
}

/* Appends the low `bits` bits of `value` at bit `at` of zeroed memory. */
static void put_bits(uint8_t *out, uint64_t at, uint32_t bits, uint64_t value)
{
    for (uint32_t done = 0; done < bits;) {
        uint32_t room = 8 - (uint32_t)((at + done) % 8);
        uint32_t part = bits - done < room ? bits - done : room;
        uint64_t piece = value >> done & ((1u << part) - 1);
        out[(at + done) / 8] |= (uint8_t)(piece << ((at + done) % 8));
        done += part;
    }
}

static int32_t write_ids(ir_builder *b, imgret_error *error)
{
    uint64_t count = b->header.vector_count;
    b->header.id_base = count ? b->ids[0] : 0;
    uint64_t base = (uint64_t)b->header.id_base;
    uint64_t most = count ? (uint64_t)b->ids[count - 1] - base - (count - 1) : 0;
    uint32_t bits = ir_bits_for(most, 0);
    b->header.id_bits = bits > 56 ? 64 : bits;
    size_t bytes = b->header.id_bits ? (count * b->header.id_bits + 7) / 8 + 8 : 0;
    uint8_t *packed = ir_calloc(1, bytes);
    if (!packed)
        return ir_builder_out_of_memory(b, error);
    for (uint64_t slot = 0; slot < count; slot++)
        put_bits(packed, slot * b->header.id_bits, b->header.id_bits,
                 (uint64_t)b->ids[slot] - base - slot);
    int32_t status = write_section(b, IR_SECTION_IDS, packed, bytes, error);
    ir_free(packed);
    return status;
}

static int32_t write_rows(ir_builder *b, imgret_error *error)
{
    uint64_t count = b->header.vector_count;
    uint32_t degree = b->spec.degree;
    b->header.degree = degree;
    b->header.slot_bits = ir_bits_for(count ? count - 1 : 0, 1);
    uint32_t stride = ir_graph_row_stride(&b->header);
    uint32_t per_page = ir_graph_rows_per_page(&b->header);
    uint8_t page[IR_PAGE_BYTES];
    uint64_t start = ir_page_writer_offset(b->writer);
    int32_t status = IMGRET_OK;
    for (uint64_t first = 0; !status && first < count; first += per_page) {
        memset(page, 0, sizeof page);
        for (uint64_t slot = first; slot < first + per_page && slot < count; slot++)
            for (uint32_t e = 0; e < degree; e++)
                put_bits(page + (slot - first) * stride, (uint64_t)e * b->header.slot_bits,
                         b->header.slot_bits, b->graph.edges[slot * degree + e]);
        status = ir_page_write(b->writer, page, sizeof page, error);
        ir_give_way();
    }
    b->header.sections[IR_SECTION_GRAPH].offset = start;
    b->header.sections[IR_SECTION_GRAPH].bytes = ir_page_writer_offset(b->writer) - start;
    return status ? status : ir_page_write_end(b->writer, error);
}

int32_t ir_builder_write_first(ir_builder *b, imgret_error *error)
{
    int32_t status = write_ids(b, error);
    if (!status)
        status = write_section(b, IR_SECTION_MEAN, b->mean, b->space.dimension * sizeof b->mean[0],
                               error);
    if (!status)
        status = write_section(
            b, IR_SECTION_CENTROIDS, b->centroids,
            (size_t)b->header.centroid_count * b->shape.dimension * sizeof b->centroids[0], error);
    return status;
}

int32_t ir_builder_write_codes(ir_builder *b, imgret_error *error)
{
    size_t count = b->header.vector_count;
    int32_t status = write_section(b, IR_SECTION_SIGNS, b->signs, count * b->shape.sign_stride,
                                   error);
    if (!status)
        status = write_section(b, IR_SECTION_RANKS, b->ranks, count * b->shape.rank_stride, error);
    return status;
}

int32_t ir_builder_write_graph(ir_builder *b, imgret_error *error)
{
    int32_t status = write_rows(b, error);
    b->header.entry_count = b->graph.entry_count;
    if (!status)
        status = write_section(b, IR_SECTION_ENTRIES, b->graph.entries,
                               b->graph.entry_count * sizeof b->graph.entries[0], error);
    return status;
}
