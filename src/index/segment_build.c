/* segment_build.c: from a stream of vectors to a segment file.
 *
 * 1. The vectors go to the file as they come; their mean and lengths are summed up on the way.
 * 2. A sample, read back, gives the unit and the centroids.
 * 3. All are read back in blocks and coded, for search and (8 bits) for building the graph.
 * 4. The graph is built; the sections follow the vectors; the file gets its name.
 *
 * Where memory is short, the codes and rows of step 3 go to files block by block, and 4 links the
 * rows shard by shard (graph_shards.h).
 *
 * With a base (segment_merge.h), 1 takes its vectors in as well, 2 is taken over from it, 3 copies
 * its codes and makes only rows for the graph, and 4 inserts what is new.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "base/way.h"
#include "index/graph_shards.h"
#include "index/segment_build_parts.h"
#include "index/segment_state.h"

#include <math.h>
#include <string.h>
#include <time.h>

enum {
    BLOCK_VECTORS = 2048,
    SAMPLE_FLOATS_MAX = 1 << 23,
    STOP_EVERY = 4096,
    WRITER_BYTES = 5 << 18
};

static uint64_t now_us(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

bool ir_builder_stopped(const ir_builder *b, double done)
{
    return b->spec.stop && b->spec.stop(b->spec.context, done);
}

int32_t ir_builder_interrupted(imgret_error *error)
{
    return ir_fail(error, IMGRET_INTERRUPTED, "building the index was stopped");
}

int32_t ir_builder_out_of_memory(const ir_builder *b, imgret_error *error)
{
    return ir_fail(error, IMGRET_NO_MEMORY, "no memory to index %llu vectors",
                   (unsigned long long)b->header.vector_count);
}

static int32_t read_spec(ir_builder *b, const ir_segment_spec *spec, imgret_error *error)
{
    b->spec = *spec;
    b->spec.code_bits = spec->code_bits ? spec->code_bits : 5;
    b->spec.degree = spec->degree ? spec->degree : 32;
    b->spec.beam = spec->beam ? spec->beam : 96;
    b->spec.alpha = spec->alpha > 0 ? spec->alpha : 1.05f;
    if (b->spec.code_bits > IR_CODE_BITS_MAX)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "%u code bits: 1 to 8 are possible",
                       spec->code_bits);
    if (spec->centroid_count > IR_CENTROIDS_MAX)
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "%u centroids: 1 to %d are possible",
                       spec->centroid_count, IR_CENTROIDS_MAX);
    if (spec->metric < IMGRET_METRIC_COSINE || spec->metric > IMGRET_METRIC_L2 ||
        (spec->vector_type != IMGRET_VECTOR_F16 && spec->vector_type != IMGRET_VECTOR_F32))
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "metric %u, vector type %u", spec->metric,
                       spec->vector_type);
    b->space.dimension = spec->dimension;
    b->space.metric = spec->metric;
    b->space.vector_type = spec->vector_type;
    b->space.unit = 1;
    const ir_segment_header *base = spec->base ? &spec->base->header : NULL;
    if (base && (base->dimension != spec->dimension || base->metric != spec->metric ||
                 base->vector_type != spec->vector_type))
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "%s has other vectors", spec->base->path);
    if (base) /* as long as it is not known whether its codes are taken over */
        b->spec.seed = base->rotation_seed;
    int32_t status = ir_rotation_create(&b->space.rotation, spec->dimension, b->spec.seed, error);
    if (status)
        return status;
    b->shape = ir_code_shape_of(ir_rotation_dimension(b->space.rotation), b->spec.code_bits);
    return IMGRET_OK;
}

/* Records do not cross pages where that costs little space: then every read is one page. */
static void lay_out_records(ir_segment_header *header, size_t record_bytes)
{
    uint32_t per_page = (uint32_t)(IR_PAGE_BYTES / record_bytes);
    if (per_page > 0 && IR_PAGE_BYTES - per_page * record_bytes <= IR_PAGE_BYTES / 4) {
        header->records_per_page = per_page;
        header->record_stride = record_bytes;
    } else {
        header->record_stride = (record_bytes + 511) / 512 * 512;
    }
}

uint64_t ir_builder_record_offset(const ir_segment_header *header, uint64_t slot)
{
    uint64_t per_page = header->records_per_page;
    if (per_page == 0)
        return IR_PAGE_BYTES + slot * header->record_stride;
    uint64_t page = 1 + slot / per_page;
    return page * IR_PAGE_BYTES + slot % per_page * header->record_stride;
}

static int32_t note_vector(ir_builder *b, int64_t id, const void *stored, float *loaded,
                           imgret_error *error)
{
    uint64_t slot = b->header.vector_count;
    if (slot > 0 && id <= b->ids[slot - 1])
        return ir_fail(error, IMGRET_INVALID_ARGUMENT, "id %lld after %lld: ids must ascend",
                       (long long)id, (long long)b->ids[slot - 1]);
    if (slot == b->id_room) {
        uint64_t room = b->id_room ? 2 * b->id_room : 1024;
        int64_t *grown = ir_realloc(b->ids, room * sizeof grown[0]);
        if (!grown)
            return ir_builder_out_of_memory(b, error);
        b->ids = grown;
        b->id_room = room;
    }
    if (slot == IR_SLOTS_MAX)
        return ir_fail(error, IMGRET_LIMIT, "a segment takes %u vectors", IR_SLOTS_MAX);
    double squared = ir_space_load(&b->space, stored, loaded);
    if (!isfinite(squared))
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "vector of id %lld is not finite or too long", (long long)id);
    for (uint32_t j = 0; j < b->space.dimension; j++)
        b->sums[j] += (double)loaded[j];
    b->squared_max = squared > b->squared_max ? squared : b->squared_max;
    b->ids[slot] = id;
    b->header.vector_count++;
    return IMGRET_OK;
}

static int32_t take_vectors(ir_builder *b, ir_segment_next_fn next, void *next_context,
                            imgret_error *error)
{
    size_t bytes = ir_space_stored_bytes(&b->space);
    float loaded[IR_DIMENSION_MAX];
    lay_out_records(&b->header, bytes);
    for (;;) {
        int64_t id;
        const void *stored;
        int32_t status = next(next_context, &id, &stored, error);
        if (status <= 0) {
            b->header.sections[IR_SECTION_VECTORS].bytes =
                ir_builder_record_offset(&b->header, b->header.vector_count) - IR_PAGE_BYTES;
            return status ? status : ir_page_write_end(b->writer, error);
        }
        if (b->header.vector_count % STOP_EVERY == 0 && ir_builder_stopped(b, 0))
            return ir_builder_interrupted(error);
        ir_give_way();
        uint64_t gap = ir_builder_record_offset(&b->header, b->header.vector_count) -
                       ir_page_writer_offset(b->writer);
        status = note_vector(b, id, stored, loaded, error);
        if (!status)
            status = ir_page_write(b->writer, NULL, gap, error);
        if (!status)
            status = ir_page_write(b->writer, stored, bytes, error);
        if (status)
            return status;
    }
}

/* The graph of the base with the new vectors inserted. */
static int32_t extend_graph(ir_builder *b, const ir_graph_spec *spec, imgret_error *error)
{
    uint32_t count = b->rows.count, fresh_count = count - b->merge.taken_count;
    uint32_t *fresh = ir_malloc_array(fresh_count, sizeof fresh[0]);
    b->graph = (ir_graph){.count = count, .degree = spec->degree};
    b->graph.edges = ir_malloc_array((size_t)count * spec->degree, sizeof b->graph.edges[0]);
    int32_t status = IMGRET_OK;
    if (fresh && b->graph.edges) {
        ir_segment_merge_edges(&b->merge, b->graph.edges, fresh);
        status = ir_graph_insert(&b->graph, spec, fresh, fresh_count, error);
    } else {
        status = ir_builder_out_of_memory(b, error);
    }
    ir_free(fresh);
    return status;
}

/* What the base and the merge hold in RAM. */
static uint64_t base_bytes(const ir_builder *b)
{
    if (!b->spec.base)
        return 0;
    const ir_segment_header *header = &b->spec.base->header;
    uint64_t bytes = b->merge.room * 4ull + header->vector_count * 4;
    for (uint32_t i = IR_SECTION_IDS; i < IR_SECTION_COUNT; i++)
        bytes += header->sections[i].bytes;
    return bytes;
}

/* A vector's share of a block. */
static uint64_t block_bytes(const ir_builder *b)
{
    return b->header.record_stride + b->shape.sign_stride + b->shape.rank_stride +
           ir_graph_row_bytes(b->shape.dimension);
}

/* Held all the while where codes are spilled: the writer, centroids, and what there is of each
 * vector; up to the coding its id as well. */
static uint64_t spilled_bytes(const ir_builder *b, bool with_ids)
{
    uint64_t each = sizeof b->group_of[0] + sizeof b->second_of[0] + 5; /* 5 to connect the graph */
    uint64_t pages = b->header.vector_count * block_bytes(b) / IR_PAGE_BYTES + 64;
    if (with_ids)
        each += 2 * sizeof b->ids[0]; /* packed as well */
    return b->header.vector_count * each + 2 * pages * sizeof(uint32_t) + WRITER_BYTES +
           (2 * IR_CENTROIDS_MAX + 8) * 4ull * b->shape.dimension + base_bytes(b);
}

static bool graph_stop(void *context, double done)
{
    return ir_builder_stopped(context, 0.3 + 0.7 * done);
}

static int32_t build_graph(ir_builder *b, imgret_error *error)
{
    /* What a walk to a new node expands all lies around it: fewer candidates than come from cells do. */
    uint32_t beam = b->takes_over ? b->spec.beam / 2 : b->spec.beam;
    ir_graph_spec spec = {
        .rows = &b->rows,
        .degree = b->spec.degree,
        .beam = beam,
        .alpha = b->spec.alpha,
        .seed = b->spec.seed,
        .group_of = b->group_of,
        .group_count = b->header.centroid_count,
        .pool = b->spec.pool,
        .stop = graph_stop,
        .context = b,
    };
    if (b->spilled) {
        uint64_t held = spilled_bytes(b, false);
        ir_graph_shards shards = {
            .spec = &spec, .rows = b->row_spill, .second_of = b->second_of, .held_bytes = held};
        if (held < b->spec.memory_bytes_max)
            shards.memory_bytes_max = b->spec.memory_bytes_max - held;
        return ir_graph_build_shards(&b->graph, &shards, error);
    }
    return b->takes_over ? extend_graph(b, &spec, error) : ir_graph_build(&b->graph, &spec, error);
}

static void fill_header(ir_builder *b)
{
    memcpy(b->header.magic, IR_SEGMENT_MAGIC, 8);
    b->header.version = IR_SEGMENT_VERSION;
    b->header.endian = IR_SEGMENT_ENDIAN;
    b->header.dimension = b->space.dimension;
    b->header.metric = b->space.metric;
    b->header.vector_type = b->space.vector_type;
    b->header.code_dimension = b->shape.dimension;
    b->header.code_bits = b->shape.bits;
    b->header.unit = b->space.unit;
    b->header.rotation_seed = b->spec.seed;
    b->header.sections[IR_SECTION_VECTORS].offset = IR_PAGE_BYTES;
}

/* Inserting pays, and codes stay good, only while most vectors are there already. */
static bool can_take_over(const ir_builder *b)
{
    const ir_segment *base = b->spec.base;
    return base && 2 * b->merge.taken_count >= b->merge.count && b->merge.taken_count > 0 &&
           base->header.code_bits == b->spec.code_bits && base->header.degree == b->spec.degree &&
           base->shape.bits == base->header.code_bits &&
           base->graph_ram_pages * IR_PAGE_BYTES == base->header.sections[IR_SECTION_GRAPH].bytes;
}

static uint64_t memory_needed(const ir_builder *b)
{
    uint64_t count = b->header.vector_count;
    uint64_t codes = b->shape.sign_stride + b->shape.rank_stride + 2 * sizeof b->ids[0] + 4;
    uint64_t fixed = SAMPLE_FLOATS_MAX * 4ull + BLOCK_VECTORS * b->header.record_stride +
                     IR_CENTROIDS_MAX * 4ull * b->shape.dimension + (4u << 20);
    ir_graph_spec graph = {.degree = b->spec.degree, .beam = b->spec.beam, .pool = b->spec.pool};
    return fixed + count * codes + ir_graph_build_bytes(&graph, count, b->shape.dimension) +
           base_bytes(b);
}

/* Decides whether all fits into memory, and else how large the sample and the blocks may be. */
static int32_t plan_memory(ir_builder *b, ir_segment_report *report, imgret_error *error)
{
    uint64_t limit = b->spec.memory_bytes_max, count = b->header.vector_count;
    b->sample_floats_max = SAMPLE_FLOATS_MAX;
    b->block_vectors = BLOCK_VECTORS;
    report->memory_bytes = memory_needed(b);
    if (!limit || report->memory_bytes <= limit)
        return IMGRET_OK;
    b->spilled = true;
    uint64_t each = block_bytes(b), held = spilled_bytes(b, true);
    uint64_t least = held + 64 * each + 1024ull * b->shape.dimension * 4;
    if (limit < least)
        return ir_fail(error, IMGRET_LIMIT,
                       "indexing %llu vectors takes at least %llu bytes of "
                       "memory, the limit is %llu",
                       (unsigned long long)count, (unsigned long long)least,
                       (unsigned long long)limit);
    uint64_t blocks = (limit - held) / each, floats = (limit - held) / sizeof(float);
    if (blocks < b->block_vectors)
        b->block_vectors = (uint32_t)blocks;
    if (floats < b->sample_floats_max)
        b->sample_floats_max = (uint32_t)floats;
    report->memory_bytes = limit;
    return IMGRET_OK;
}

static void release(ir_builder *b)
{
    ir_page_writer_free(b->writer);
    ir_segment_merge_free(&b->merge);
    ir_rotation_free(b->space.rotation);
    ir_graph_free(&b->graph);
    ir_free(b->ids);
    ir_free(b->sums);
    ir_free(b->mean);
    ir_free(b->centroids);
    ir_free(b->centroid_rows.base);
    ir_free(b->signs);
    ir_free(b->ranks);
    ir_free(b->group_of);
    ir_free(b->second_of);
    ir_spill_free(b->rank_spill);
    ir_spill_free(b->row_spill);
    ir_free(b->rows.base);
    ir_free(b->block);
}

static int32_t run(ir_builder *b, const char *path, ir_segment_next_fn next, void *next_context,
                   ir_segment_report *report, imgret_error *error)
{
    uint64_t start_us = now_us();
    b->path = path;
    b->sums = ir_calloc(b->space.dimension, sizeof b->sums[0]);
    b->mean = ir_calloc(b->space.dimension, sizeof b->mean[0]);
    if (!b->sums || !b->mean)
        return ir_builder_out_of_memory(b, error);
    b->space.mean = b->mean;
    int32_t status = ir_page_writer_create(&b->writer, path, error);
    if (!status && b->spec.base)
        status = ir_segment_merge_start(&b->merge, &b->spec, next, next_context, error);
    if (!status)
        status = b->spec.base ? take_vectors(b, ir_segment_merge_next, &b->merge, error)
                              : take_vectors(b, next, next_context, error);
    if (status)
        return status;
    status = plan_memory(b, report, error);
    if (status)
        return status;
    b->takes_over = !b->spilled && can_take_over(b);
    report->taken_count = b->takes_over ? b->merge.taken_count : 0;
    status = b->takes_over ? ir_builder_take_centroids(b, error)
                           : ir_builder_find_centroids(b, error);
    if (!status)
        status = ir_builder_write_first(b, error);
    ir_free(b->ids);
    b->ids = NULL;
    if (!status)
        status = ir_builder_code_all(b, error);
    uint64_t coded_us = now_us();
    report->encode_us = coded_us - start_us;
    if (!status)
        status = build_graph(b, error);
    report->graph_us = now_us() - coded_us;
    fill_header(b);
    if (!status)
        status = ir_builder_write_graph(b, error);
    if (!status)
        status = ir_page_writer_commit(b->writer, &b->header, error);
    report->vector_count = b->header.vector_count;
    report->identity = b->header.checks_hash;
    report->file_bytes = b->header.page_count * IR_PAGE_BYTES;
    report->total_us = now_us() - start_us;
    return status;
}

int32_t ir_segment_build(const char *path, const ir_segment_spec *spec, ir_segment_next_fn next,
                         void *next_context, ir_segment_report *report, imgret_error *error)
{
    ir_segment_report unwanted;
    if (!report)
        report = &unwanted;
    memset(report, 0, sizeof *report);
    ir_builder *b = ir_calloc(1, sizeof *b);
    if (!b)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory to build an index");
    int32_t status = read_spec(b, spec, error);
    if (!status)
        status = run(b, path, next, next_context, report, error);
    release(b);
    ir_free(b);
    return status;
}
