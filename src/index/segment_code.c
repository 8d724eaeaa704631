/* segment_code.c: centroids from a sample, and the codes of all vectors of a segment being built. */
#include "base/alloc.h"
#include "base/way.h"
#include "index/kmeans.h"
#include "index/segment_build_parts.h"
#include "index/segment_state.h"

#include <math.h>
#include <string.h>

enum { PART_VECTORS = 32 };

/* The unit is the root of the mean squared length of a sample, centred: codes then are of numbers
 * near 1, whatever the vectors' scale. */
static int32_t take_sample(ir_builder *b, float **out, uint32_t *out_count, imgret_error *error)
{
    uint32_t n = b->shape.dimension;
    uint64_t count = b->header.vector_count, room = b->sample_floats_max / n;
    uint32_t taken = (uint32_t)(count < room ? count : room);
    float *sample = ir_malloc_array((size_t)taken * n, sizeof sample[0]);
    uint8_t stored[IR_DIMENSION_MAX * 4];
    float loaded[IR_DIMENSION_MAX];
    if (!sample)
        return ir_builder_out_of_memory(b, error);
    double squares = 0;
    for (uint32_t i = 0; i < taken; i++) {
        uint64_t slot = (uint64_t)((unsigned __int128)i * count / taken);
        int32_t status = ir_page_read_back(b->writer, ir_builder_record_offset(&b->header, slot),
                                           stored, ir_space_stored_bytes(&b->space), error);
        if (status) {
            ir_free(sample);
            return status;
        }
        float *row = sample + (size_t)i * n;
        ir_space_load(&b->space, stored, loaded);
        ir_space_rotate(&b->space, loaded, row);
        ir_give_way();
        for (uint32_t j = 0; j < n; j++)
            squares += (double)row[j] * (double)row[j];
    }
    float unit = (float)sqrt(squares / taken);
    b->space.unit = unit > 1e-18f ? unit : 1;
    for (size_t i = 0; i < (size_t)taken * n; i++)
        sample[i] /= b->space.unit;
    *out = sample;
    *out_count = taken;
    return IMGRET_OK;
}

static uint32_t choose_centroid_count(const ir_builder *b, uint32_t sample_count)
{
    uint32_t wanted = b->spec.centroid_count;
    if (wanted == 0)
        wanted = b->header.vector_count < 256 ? 1 : 64;
    uint32_t most = sample_count / 16 > 0 ? sample_count / 16 : 1;
    return wanted < most ? wanted : most;
}

static int32_t encode_centroids(ir_builder *b, imgret_error *error)
{
    ir_graph_rows *rows = &b->centroid_rows;
    *rows = (ir_graph_rows){.stride = ir_graph_row_bytes(b->shape.dimension),
                            .count = b->header.centroid_count,
                            .dimension = b->shape.dimension};
    rows->base = ir_malloc_array(rows->count, rows->stride);
    if (!rows->base)
        return ir_builder_out_of_memory(b, error);
    ir_centroid_rows(b->centroids, rows);
    return IMGRET_OK;
}

int32_t ir_builder_find_centroids(ir_builder *b, imgret_error *error)
{
    uint64_t count = b->header.vector_count;
    for (uint32_t j = 0; j < b->space.dimension && count > 0; j++)
        b->mean[j] = (float)(b->sums[j] / (double)count);
    b->header.centroid_count = 1;
    b->centroids = ir_calloc(IR_CENTROIDS_MAX, b->shape.dimension * sizeof b->centroids[0]);
    if (!b->centroids)
        return ir_builder_out_of_memory(b, error);
    if (count == 0)
        return IMGRET_OK;
    float *sample;
    uint32_t taken;
    int32_t status = take_sample(b, &sample, &taken, error);
    if (status)
        return status;
    b->header.centroid_count = choose_centroid_count(b, taken);
    status = ir_kmeans(sample, taken, b->shape.dimension, b->header.centroid_count, b->spec.seed,
                       b->spec.pool, b->centroids, error);
    ir_free(sample);
    return status ? status : encode_centroids(b, error);
}

/* Codes of the base, as they are. */
static void take_codes(ir_builder *b, uint32_t slot, uint32_t base_slot)
{
    const ir_segment *base = b->spec.base;
    size_t sign = b->shape.sign_stride, rank = b->shape.rank_stride;
    memcpy(b->signs + slot * sign, base->signs + base_slot * sign, sign);
    if (rank > 0)
        memcpy(b->ranks + slot * rank, base->ranks + base_slot * rank, rank);
    b->group_of[slot] = ir_code_centroid(&b->shape, b->signs + slot * sign) %
                        b->header.centroid_count;
}

static void code_vector(ir_builder *b, uint32_t slot, const uint8_t *stored)
{
    float loaded[IR_DIMENSION_MAX], rotated[IR_DIMENSION_MAX];
    uint32_t n = b->shape.dimension;
    double squared = ir_space_load(&b->space, stored, loaded);
    ir_space_rotate(&b->space, loaded, rotated);
    double unit_squared = (double)b->space.unit * (double)b->space.unit;
    /* One more coordinate makes all vectors equally long: then the nearest by L2 are those of
     * greatest inner product. */
    double extra = b->space.metric == IMGRET_METRIC_INNER_PRODUCT
                       ? sqrt(fmax(b->squared_max - squared, 0) / unit_squared)
                       : 0;
    /* Where codes are spilled, there is room for a block's. */
    uint32_t place = b->spilled ? slot - b->block_first : slot;
    uint8_t *row = b->rows.base + place * b->rows.stride;
    ir_graph_row_encode(rotated, n, (float)extra, row);
    if (b->takes_over && b->merge.base_of[slot] != IR_MERGE_NONE) {
        take_codes(b, slot, b->merge.base_of[slot]);
        return;
    }
    uint32_t second;
    uint32_t nearest = ir_nearest_centroid(row, &b->centroid_rows, &second);
    const float *centroid = b->centroids + (size_t)nearest * n;
    for (uint32_t j = 0; j < n; j++)
        rotated[j] -= centroid[j];
    ir_code_source source = {rotated, centroid, nearest, ir_space_key_offset(&b->space, squared)};
    b->group_of[slot] = nearest;
    if (b->spilled)
        b->second_of[slot] = (uint8_t)second;
    ir_code_encode(&b->shape, &source, b->signs + place * b->shape.sign_stride,
                   b->ranks + place * b->shape.rank_stride);
}

/* Mean, unit and centroids of the base: its codes hold no longer than these. */
int32_t ir_builder_take_centroids(ir_builder *b, imgret_error *error)
{
    const ir_segment *base = b->spec.base;
    uint32_t count = base->header.centroid_count;
    b->space.unit = base->header.unit;
    b->header.centroid_count = count;
    b->centroids = ir_calloc(count, b->shape.dimension * sizeof b->centroids[0]);
    if (!b->centroids)
        return ir_builder_out_of_memory(b, error);
    memcpy(b->mean, base->mean, b->space.dimension * sizeof b->mean[0]);
    memcpy(b->centroids, base->centroids, count * b->shape.dimension * sizeof b->centroids[0]);
    return encode_centroids(b, error);
}

static void code_part(void *context, uint32_t part)
{
    ir_builder *b = context;
    uint64_t first_offset = ir_builder_record_offset(&b->header, b->block_first);
    uint32_t end = (part + 1) * PART_VECTORS;
    for (uint32_t i = part * PART_VECTORS; i < end && i < b->block_count; i++) {
        uint32_t slot = b->block_first + i;
        code_vector(b, slot,
                    b->block + (ir_builder_record_offset(&b->header, slot) - first_offset));
    }
}

static int32_t allocate_codes(ir_builder *b, imgret_error *error)
{
    uint64_t count = b->header.vector_count, room = b->spilled ? b->block_vectors : count;
    b->rows.stride = ir_graph_row_bytes(b->shape.dimension);
    b->rows.count = (uint32_t)count;
    b->rows.dimension = b->shape.dimension;
    b->rows.base = ir_malloc_array(room, b->rows.stride);
    b->signs = ir_malloc_array(room, b->shape.sign_stride);
    b->ranks = ir_malloc_array(room, b->shape.rank_stride);
    b->group_of = ir_malloc_array(count, sizeof b->group_of[0]);
    b->second_of = ir_malloc_array(b->spilled ? count : 0, sizeof b->second_of[0]);
    /* Blocks begin with a record, not with a page: their pages' length at most. */
    b->block = ir_malloc(ir_builder_record_offset(&b->header, b->block_vectors) + IR_PAGE_BYTES);
    if (!b->spilled)
        ir_advise_random(b->rows.base, count * b->rows.stride);
    if (!b->rows.base || !b->signs || !b->ranks || !b->group_of || !b->second_of || !b->block)
        return ir_builder_out_of_memory(b, error);
    return IMGRET_OK;
}

static int32_t spill_block(ir_builder *b, imgret_error *error)
{
    size_t count = b->block_count;
    int32_t status = ir_page_write(b->writer, b->signs, count * b->shape.sign_stride, error);
    if (!status)
        status = ir_spill_write(b->rank_spill, b->ranks, count * b->shape.rank_stride, error);
    if (!status)
        status = ir_spill_write(b->row_spill, b->rows.base, count * b->rows.stride, error);
    return status;
}

static int32_t code_block(ir_builder *b, uint32_t first, imgret_error *error)
{
    uint32_t count = (uint32_t)b->header.vector_count;
    b->block_first = first;
    b->block_count = count - first < b->block_vectors ? count - first : b->block_vectors;
    uint64_t offset = ir_builder_record_offset(&b->header, first);
    uint64_t last = ir_builder_record_offset(&b->header, first + b->block_count - 1);
    int32_t status = ir_page_read_back(b->writer, offset, b->block,
                                       last - offset + ir_space_stored_bytes(&b->space), error);
    if (status)
        return status;
    ir_pool_run(b->spec.pool, code_part, b, (b->block_count + PART_VECTORS - 1) / PART_VECTORS);
    return b->spilled ? spill_block(b, error) : IMGRET_OK;
}

/* The spilled rank codes follow the sign codes, which went to the file at once. */
static int32_t collect_codes(ir_builder *b, uint64_t signs_offset, imgret_error *error)
{
    ir_segment_section *sections = b->header.sections;
    uint64_t count = b->header.vector_count, left = count * b->shape.rank_stride, done = 0;
    uint64_t buffer_bytes = b->block_vectors * b->shape.rank_stride;
    sections[IR_SECTION_SIGNS].offset = signs_offset;
    sections[IR_SECTION_SIGNS].bytes = count * b->shape.sign_stride;
    int32_t status = ir_page_write_end(b->writer, error);
    sections[IR_SECTION_RANKS].offset = ir_page_writer_offset(b->writer);
    sections[IR_SECTION_RANKS].bytes = left;
    for (; !status && left > 0; left -= buffer_bytes) {
        buffer_bytes = left < buffer_bytes ? left : buffer_bytes;
        status = ir_spill_read(b->rank_spill, done, b->ranks, buffer_bytes, error);
        if (!status)
            status = ir_page_write(b->writer, b->ranks, buffer_bytes, error);
        done += buffer_bytes;
    }
    return status ? status : ir_page_write_end(b->writer, error);
}

static void drop_block(ir_builder *b)
{
    ir_free(b->block);
    b->block = NULL;
    if (!b->spilled)
        return;
    ir_free(b->signs);
    ir_free(b->ranks);
    ir_free(b->rows.base);
    b->signs = b->ranks = b->rows.base = NULL;
    ir_spill_free(b->rank_spill);
    b->rank_spill = NULL;
}

int32_t ir_builder_code_all(ir_builder *b, imgret_error *error)
{
    uint32_t count = (uint32_t)b->header.vector_count;
    uint64_t signs_offset = ir_page_writer_offset(b->writer);
    int32_t status = allocate_codes(b, error);
    if (!status && b->spilled)
        status = ir_spill_create(&b->rank_spill, b->path, error);
    if (!status && b->spilled)
        status = ir_spill_create(&b->row_spill, b->path, error);
    for (uint32_t first = 0; !status && first < count; first += b->block_vectors) {
        if (ir_builder_stopped(b, 0.3 * first / count))
            return ir_builder_interrupted(error);
        status = code_block(b, first, error);
    }
    if (status)
        return status;
    if (b->spilled)
        status = collect_codes(b, signs_offset, error);
    else
        status = ir_builder_write_codes(b, error);
    drop_block(b);
    return status;
}
