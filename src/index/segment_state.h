/* segment_state.h: an open segment, shared by the files that open, search and check it. */
#ifndef IR_INDEX_SEGMENT_STATE_H
#define IR_INDEX_SEGMENT_STATE_H

#include "index/beam.h"
#include "index/codes.h"
#include "index/segment.h"
#include "index/segment_format.h"
#include "index/space.h"

#include <pthread.h>

typedef struct ir_searcher ir_searcher;

/* Everything but the list of searchers is constant once the segment is open. */
struct ir_segment {
    char *path;
    char *damage; /* NULL: none; else nothing but the path is there */
    int fd;
    bool direct;
    ir_segment_open_options options;
    ir_segment_header header;
    ir_space space;
    ir_code_shape shape; /* its bits: those in RAM */
    float *mean;
    float *centroids;
    uint8_t *signs;
    uint8_t *ranks; /* NULL: not in RAM */
    uint8_t *graph; /* its first pages */
    uint64_t graph_ram_pages;
    uint32_t graph_stride, graph_rows_per_page;
    uint8_t *ids;
    uint32_t *entries;
    uint32_t *hot_slots; /* hot_count of them, ascending, whose vectors are in RAM */
    uint8_t *hot_records;
    uint32_t hot_count;
    uint32_t *checks; /* of the file's first pages: those that are read later on are among them */
    uint64_t check_count;
    pthread_mutex_t lock; /* for what follows */
    ir_searcher *idle;
    uint32_t io_kind;
};

/* IMGRET_CORRUPT for a stand-in, else IMGRET_OK. */
int32_t ir_segment_refuse_damaged(const ir_segment *segment, imgret_error *error);

/* Where a vector lies: the pages to read, and its place in them. */
typedef struct ir_record_place {
    uint64_t first_page;
    uint32_t page_count;
    uint32_t offset; /* in the first page */
} ir_record_place;

ir_record_place ir_segment_place(const ir_segment_header *header, uint64_t slot);

/* Most pages of a record. */
uint32_t ir_segment_record_pages(const ir_segment_header *header);

/* IMGRET_OK, or IMGRET_CORRUPT that names file and page. */
int32_t ir_segment_verify(const ir_segment *segment, const uint8_t *pages, uint64_t first_page,
                          uint32_t page_count, imgret_error *error);

/* Reads whole pages, which are not checked yet. */
int32_t ir_segment_read_pages(const ir_segment *segment, uint64_t first, uint64_t count,
                              uint8_t *out, imgret_error *error);

/* segment_hot.c: takes vectors into RAM, as many as there is room for, those first that searches read
 * most often; what one of them takes; and the vector in RAM, or NULL. The whole graph must be there. */
int32_t ir_segment_load_hot(ir_segment *segment, uint64_t bytes_max, imgret_error *error);
uint64_t ir_segment_hot_bytes(const ir_segment_header *header);
const uint8_t *ir_segment_hot_record(const ir_segment *segment, uint32_t slot);

/* Copies one stored vector, checked. */
int32_t ir_segment_read_slot(const ir_segment *segment, uint32_t slot, void *stored,
                             imgret_error *error);

/* The first slot at or after `from` whose id is at least `id`; the vector count when there is none.
 * Quick when it is near. */
uint32_t ir_segment_find_from(const ir_segment *segment, uint32_t from, int64_t id);

/* A node's row of the graph: the page, and its place there. */
static inline uint64_t ir_segment_graph_page(const ir_segment *segment, uint32_t slot)
{
    return segment->header.sections[IR_SECTION_GRAPH].offset / IR_PAGE_BYTES +
           slot / segment->graph_rows_per_page;
}

static inline uint32_t ir_segment_graph_offset(const ir_segment *segment, uint32_t slot)
{
    return slot % segment->graph_rows_per_page * segment->graph_stride;
}

/* The row in RAM, or NULL. */
static inline const uint8_t *ir_segment_row(const ir_segment *segment, uint32_t slot)
{
    uint64_t page = slot / segment->graph_rows_per_page;
    return page < segment->graph_ram_pages
               ? segment->graph + page * IR_PAGE_BYTES + ir_segment_graph_offset(segment, slot)
               : NULL;
}

/* Bytes that may be read past a row. */
#define IR_ROW_SLACK_BYTES 8

/* Neighbours of a node without itself, from its row; `out` has room for the degree. Slots out of
 * range are left out and make *damaged true. */
uint32_t ir_segment_neighbors(const ir_segment *segment, const uint8_t *row, uint32_t slot,
                              uint32_t *out, bool *damaged);

void ir_searcher_free(ir_searcher *searcher);

#endif
