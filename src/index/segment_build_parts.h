/* segment_build_parts.h: a segment while it is built, shared by the files that build it. */
#ifndef IR_INDEX_SEGMENT_BUILD_PARTS_H
#define IR_INDEX_SEGMENT_BUILD_PARTS_H

#include "index/codes.h"
#include "index/graph.h"
#include "index/segment.h"
#include "index/segment_merge.h"
#include "index/segment_pages.h"
#include "index/space.h"
#include "index/spill.h"

typedef struct ir_builder {
    ir_segment_spec spec;
    ir_segment_header header;
    const char *path;
    ir_page_writer *writer;
    ir_space space;
    ir_code_shape shape;
    int64_t *ids;
    uint64_t id_room;
    double *sums;       /* of the loaded vectors */
    double squared_max; /* longest vector's squared length */
    float *mean;
    float *centroids;
    ir_graph_rows centroid_rows; /* the same in 8 bits */
    uint8_t *signs, *ranks;      /* of all vectors, or of the block where `spilled` */
    uint32_t *group_of;
    bool spilled;       /* memory is short: codes and rows go to files block by block */
    uint8_t *second_of; /* where spilled: the second nearest centroid */
    ir_spill *rank_spill, *row_spill;
    uint32_t sample_floats_max, block_vectors;
    ir_graph_rows rows;
    ir_graph graph;
    ir_segment_merge merge; /* used with spec.base */
    bool takes_over;        /* codes and graph of spec.base */
    uint8_t *block;         /* stored vectors being coded */
    uint32_t block_first, block_count;
} ir_builder;

/* Where a vector lies in the file. */
uint64_t ir_builder_record_offset(const ir_segment_header *header, uint64_t slot);

bool ir_builder_stopped(const ir_builder *b, double done);
int32_t ir_builder_interrupted(imgret_error *error);
int32_t ir_builder_out_of_memory(const ir_builder *b, imgret_error *error);

/* segment_code.c: unit and centroids from a sample, or those of spec.base; then the codes of all
 * vectors, written to the file on the way, and (unless spilled) the rows for the graph. */
int32_t ir_builder_find_centroids(ir_builder *b, imgret_error *error);
int32_t ir_builder_take_centroids(ir_builder *b, imgret_error *error);
int32_t ir_builder_code_all(ir_builder *b, imgret_error *error);

/* segment_write.c: the sections after the vectors. Those before the codes; then the codes (already
 * written when they were spilled); then the graph. */
int32_t ir_builder_write_first(ir_builder *b, imgret_error *error);
int32_t ir_builder_write_codes(ir_builder *b, imgret_error *error);
int32_t ir_builder_write_graph(ir_builder *b, imgret_error *error);

#endif
