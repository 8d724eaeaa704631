/* segment_format.h: the segment file's layout, docs/format.md in C. */
#ifndef IR_INDEX_SEGMENT_FORMAT_H
#define IR_INDEX_SEGMENT_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "segment files are little-endian and are used as they lie"
#endif

#define IR_SEGMENT_MAGIC "IMGRSEG" /* with its NUL 8 bytes */
#define IR_SEGMENT_VERSION 1u
#define IR_SEGMENT_ENDIAN 0x01020304u
#define IR_PAGE_BYTES 4096u
#define IR_SLOTS_MAX 0x7FFFFFFFu

/* Sections, each from a page's start to its last byte; pages are filled up with zeros. */
enum {
    IR_SECTION_VECTORS,   /* records in slot order, see ir_segment_header.records_per_page */
    IR_SECTION_IDS,       /* slot -> id, bit-packed */
    IR_SECTION_MEAN,      /* dimension floats, subtracted before rotation */
    IR_SECTION_CENTROIDS, /* centroid_count rows of code_dimension floats, rotated */
    IR_SECTION_SIGNS,     /* sign records of codes.h */
    IR_SECTION_RANKS,     /* rank records of codes.h */
    IR_SECTION_GRAPH,     /* rows of `degree` slots of slot_bits bits; none crosses a page */
    IR_SECTION_ENTRIES,   /* entry_count u32 slots */
    IR_SECTION_CHECKS,    /* u32 for each page before this section */
    IR_SECTION_COUNT
};

typedef struct ir_segment_section {
    uint64_t offset; /* a multiple of IR_PAGE_BYTES */
    uint64_t bytes;
} ir_segment_section;

/* The first page; the rest of it is zeros. */
typedef struct ir_segment_header {
    char magic[8];
    uint32_t version;
    uint32_t endian;
    uint64_t page_count; /* of the whole file */
    uint64_t vector_count;
    uint32_t dimension;
    uint32_t metric;         /* IMGRET_METRIC_* */
    uint32_t vector_type;    /* IMGRET_VECTOR_* */
    uint32_t code_dimension; /* dimension rounded up to a multiple of 8 */
    uint32_t code_bits;      /* 1 to 8 */
    uint32_t degree;
    uint32_t slot_bits;
    uint32_t centroid_count;
    uint32_t entry_count;
    uint32_t id_bits;
    int64_t id_base;           /* id of slot s = id_base + s + the s-th number of IR_SECTION_IDS */
    uint64_t record_stride;    /* bytes from one vector to the next */
    uint32_t records_per_page; /* 0: records cross pages; else none does */
    float unit;                /* codes are of vectors divided by this */
    uint64_t rotation_seed;
    uint64_t checks_hash; /* XXH3-64 of IR_SECTION_CHECKS, seed 0: names the content as well */
    ir_segment_section sections[IR_SECTION_COUNT];
    uint64_t header_hash; /* XXH3-64 of the bytes before it, seed 0 */
} ir_segment_header;

_Static_assert(offsetof(ir_segment_header, id_base) == 72, "layout of docs/format.md");
_Static_assert(offsetof(ir_segment_header, sections) == 112, "layout of docs/format.md");
_Static_assert(offsetof(ir_segment_header, header_hash) == 256, "layout of docs/format.md");
_Static_assert(sizeof(ir_segment_header) == 264, "layout of docs/format.md");

static inline uint64_t ir_pages_of(uint64_t bytes)
{
    return bytes / IR_PAGE_BYTES + (bytes % IR_PAGE_BYTES != 0);
}

/* Bytes of a row of the graph, and whole rows in a page. */
static inline uint32_t ir_graph_row_stride(const ir_segment_header *header)
{
    return (header->degree * header->slot_bits + 7) / 8;
}

static inline uint32_t ir_graph_rows_per_page(const ir_segment_header *header)
{
    return IR_PAGE_BYTES / ir_graph_row_stride(header);
}

/* Bits that hold numbers up to `largest`; at least `least`. */
static inline uint32_t ir_bits_for(uint64_t largest, uint32_t least)
{
    uint32_t bits = largest ? 64 - (uint32_t)__builtin_clzll(largest) : 0;
    return bits > least ? bits : least;
}

#endif
