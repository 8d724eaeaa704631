/* segment_open.c: opening a segment: nothing in the file is believed before it is checked.
 *
 * A section that stays in RAM is checked page by page while it is loaded; of the pages that are
 * read later, the checks stay in RAM. The table of checks and the header have hashes of their own.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/way.h"
#include "index/segment_pages.h"
#include "index/segment_state.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOAD_PAGES = 256, REDUCED_TOGETHER = 64 };

int32_t ir_segment_read_pages(const ir_segment *segment, uint64_t first, uint64_t count,
                              uint8_t *out, imgret_error *error)
{
    size_t bytes = count * IR_PAGE_BYTES, done = 0;
    while (done < bytes) {
        ssize_t got = pread(segment->fd, out + done, bytes - done,
                            (off_t)(first * IR_PAGE_BYTES + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return ir_fail_errno(error, errno, "read", segment->path);
        if (got == 0 || got % IR_PAGE_BYTES != 0)
            return ir_fail(error, IMGRET_IO, "%s: page %llu: the read stopped short", segment->path,
                           (unsigned long long)(first + done / IR_PAGE_BYTES));
        done += (size_t)got;
    }
    return IMGRET_OK;
}

static int32_t damaged(const ir_segment *segment, const char *what, imgret_error *error)
{
    return ir_fail(error, IMGRET_CORRUPT, "%s: page 0: %s", segment->path, what);
}

static bool sections_fit(const ir_segment_header *header)
{
    uint64_t next_page = 1;
    for (uint32_t i = 0; i < IR_SECTION_COUNT; i++) {
        const ir_segment_section *section = &header->sections[i];
        if (section->offset % IR_PAGE_BYTES != 0 || section->offset / IR_PAGE_BYTES != next_page)
            return false;
        uint64_t pages = ir_pages_of(section->bytes);
        if (pages > header->page_count - next_page)
            return false;
        next_page += pages;
    }
    return next_page == header->page_count;
}

/* Lengths that follow from the counts. Products cannot overflow: counts are below 2^31 and strides
 * below 2^15. */
static bool lengths_agree(const ir_segment_header *header)
{
    uint64_t count = header->vector_count, n = header->code_dimension;
    uint32_t stored = header->dimension * (header->vector_type == IMGRET_VECTOR_F32 ? 4 : 2);
    ir_code_shape shape = ir_code_shape_of(header->code_dimension, header->code_bits);
    uint64_t per_page = header->records_per_page, vectors;
    if (per_page > 0) {
        if (header->record_stride != stored || per_page != IR_PAGE_BYTES / stored)
            return false;
        vectors = count / per_page * IR_PAGE_BYTES + count % per_page * header->record_stride;
    } else {
        if (header->record_stride != (stored + 511) / 512 * 512)
            return false;
        vectors = count * header->record_stride;
    }
    uint64_t ids = header->id_bits ? (count * header->id_bits + 7) / 8 + 8 : 0;
    uint64_t rows = ir_graph_rows_per_page(header);
    const ir_segment_section *sections = header->sections;
    return sections[IR_SECTION_VECTORS].bytes == vectors && sections[IR_SECTION_IDS].bytes == ids &&
           sections[IR_SECTION_MEAN].bytes == header->dimension * 4ull &&
           sections[IR_SECTION_CENTROIDS].bytes == header->centroid_count * n * 4 &&
           sections[IR_SECTION_SIGNS].bytes == count * shape.sign_stride &&
           sections[IR_SECTION_RANKS].bytes == count * shape.rank_stride &&
           sections[IR_SECTION_GRAPH].bytes == (count + rows - 1) / rows * IR_PAGE_BYTES &&
           sections[IR_SECTION_ENTRIES].bytes == header->entry_count * 4ull &&
           sections[IR_SECTION_CHECKS].bytes ==
               sections[IR_SECTION_CHECKS].offset / IR_PAGE_BYTES * 4;
}

static bool fields_make_sense(const ir_segment_header *h)
{
    return h->dimension >= IR_DIMENSION_MIN && h->dimension <= IR_DIMENSION_MAX &&
           h->code_dimension == (h->dimension + 7) / 8 * 8 && h->metric >= IMGRET_METRIC_COSINE &&
           h->metric <= IMGRET_METRIC_L2 &&
           (h->vector_type == IMGRET_VECTOR_F16 || h->vector_type == IMGRET_VECTOR_F32) &&
           h->code_bits >= 1 && h->code_bits <= IR_CODE_BITS_MAX && h->degree >= 4 &&
           h->degree <= 128 && h->vector_count <= IR_BEAM_SLOT &&
           h->slot_bits == ir_bits_for(h->vector_count ? h->vector_count - 1 : 0, 1) &&
           h->centroid_count >= 1 && h->centroid_count <= IR_CENTROIDS_MAX &&
           (h->id_bits <= 56 || h->id_bits == 64) && h->entry_count <= h->vector_count &&
           (h->entry_count > 0 || h->vector_count == 0) && isfinite(h->unit) && h->unit > 0;
}

static bool all_zero(const uint8_t *bytes, size_t count)
{
    uint8_t any = 0;
    for (size_t i = 0; i < count; i++)
        any |= bytes[i];
    return any == 0;
}

/* Fills the header from the file's first page, checked against the file's size and itself. */
static int32_t read_header(ir_segment *segment, imgret_error *error)
{
    uint8_t *page = ir_malloc_aligned(IR_PAGE_BYTES, IR_PAGE_BYTES);
    if (!page)
        return ir_fail(error, IMGRET_NO_MEMORY, "%s: no memory to open it", segment->path);
    struct stat info;
    int32_t status = IMGRET_OK;
    if (fstat(segment->fd, &info) != 0)
        status = ir_fail_errno(error, errno, "stat", segment->path);
    else if (info.st_size < IR_PAGE_BYTES)
        status = damaged(segment, "the file is too short for a segment", error);
    if (!status)
        status = ir_segment_read_pages(segment, 0, 1, page, error);
    ir_segment_header *header = &segment->header;
    memcpy(header, page, sizeof *header);
    bool padded = all_zero(page + sizeof *header, IR_PAGE_BYTES - sizeof *header);
    ir_free_aligned(page);
    if (status)
        return status;
    if (memcmp(header->magic, IR_SEGMENT_MAGIC, 8) != 0)
        return damaged(segment, "this is no segment file", error);
    if (header->endian != IR_SEGMENT_ENDIAN)
        return damaged(segment, "written with another byte order", error);
    bool sound = padded && header->header_hash ==
                               ir_hash64(header, offsetof(ir_segment_header, header_hash), 0);
    if (header->version > IR_SEGMENT_VERSION && sound) /* else it is the number that is damaged */
        return ir_fail(error, IMGRET_VERSION_TOO_NEW,
                       "%s: format version %u, this library reads "
                       "up to %u",
                       segment->path, header->version, IR_SEGMENT_VERSION);
    if (!sound)
        return damaged(segment, "the header is damaged", error);
    if (header->page_count != (uint64_t)info.st_size / IR_PAGE_BYTES ||
        info.st_size % IR_PAGE_BYTES != 0)
        return ir_fail(error, IMGRET_CORRUPT,
                       "%s: page 0: %llu pages of %u bytes are announced, "
                       "the file has %lld bytes",
                       segment->path, (unsigned long long)header->page_count, IR_PAGE_BYTES,
                       (long long)info.st_size);
    if (!fields_make_sense(header) || !sections_fit(header) || !lengths_agree(header))
        return damaged(segment, "the header contradicts itself", error);
    return IMGRET_OK;
}

/* Loads the first pages of a section into fresh memory, checked; *out is freed with
 * ir_free_aligned. */
static int32_t load_pages(ir_segment *segment, uint32_t index, uint64_t pages, void *out,
                          imgret_error *error)
{
    const ir_segment_section *section = &segment->header.sections[index];
    uint64_t first = section->offset / IR_PAGE_BYTES;
    uint8_t *memory = ir_malloc_aligned(IR_PAGE_BYTES, pages * IR_PAGE_BYTES + IR_ROW_SLACK_BYTES);
    if (!memory)
        return ir_fail(error, IMGRET_NO_MEMORY, "%s: no memory for %llu bytes", segment->path,
                       (unsigned long long)section->bytes);
    ir_advise_random(memory, pages * IR_PAGE_BYTES);
    int32_t status = IMGRET_OK;
    for (uint64_t at = 0; !status && at < pages; at += LOAD_PAGES) {
        uint32_t part = (uint32_t)(pages - at < LOAD_PAGES ? pages - at : LOAD_PAGES);
        status = ir_segment_read_pages(segment, first + at, part, memory + at * IR_PAGE_BYTES,
                                       error);
        ir_give_way();
        if (!status && index != IR_SECTION_CHECKS)
            status = ir_segment_verify(segment, memory + at * IR_PAGE_BYTES, first + at, part,
                                       error);
        ir_give_way();
    }
    if (status) {
        ir_free_aligned(memory);
        memory = NULL;
    }
    memcpy(out, &memory, sizeof memory);
    return status;
}

static int32_t load_section(ir_segment *segment, uint32_t index, void *out, imgret_error *error)
{
    return load_pages(segment, index, ir_pages_of(segment->header.sections[index].bytes), out,
                      error);
}

static int32_t load_checks(ir_segment *segment, imgret_error *error)
{
    const ir_segment_section *section = &segment->header.sections[IR_SECTION_CHECKS];
    segment->check_count = section->bytes / 4;
    int32_t status = load_section(segment, IR_SECTION_CHECKS, &segment->checks, error);
    if (status)
        return status;
    size_t padding = (size_t)(ir_pages_of(section->bytes) * IR_PAGE_BYTES - section->bytes);
    if (ir_hash64(segment->checks, section->bytes, 0) != segment->header.checks_hash ||
        !all_zero((const uint8_t *)segment->checks + section->bytes, padding))
        return ir_fail(error, IMGRET_CORRUPT, "%s: page %llu: the table of checks is damaged",
                       segment->path, (unsigned long long)(section->offset / IR_PAGE_BYTES));
    return IMGRET_OK;
}

/* Pages whose checks are needed once all is loaded: the vectors', and the graph's unless it is in
 * RAM as a whole. */
static uint64_t checks_kept(const ir_segment_header *header, bool whole_graph)
{
    uint32_t next = whole_graph ? IR_SECTION_IDS : IR_SECTION_ENTRIES;
    return header->sections[next].offset / IR_PAGE_BYTES;
}

static int32_t drop_other_checks(ir_segment *segment, imgret_error *error)
{
    uint64_t pages = segment->header.sections[IR_SECTION_GRAPH].bytes / IR_PAGE_BYTES;
    uint64_t count = checks_kept(&segment->header, segment->graph_ram_pages == pages);
    uint32_t *kept = ir_malloc_aligned(64, count * sizeof kept[0]);
    if (!kept)
        return ir_fail(error, IMGRET_NO_MEMORY, "%s: no memory for checks", segment->path);
    memcpy(kept, segment->checks, count * sizeof kept[0]);
    ir_free_aligned(segment->checks);
    segment->checks = kept;
    segment->check_count = count;
    return IMGRET_OK;
}

int32_t ir_segment_verify(const ir_segment *segment, const uint8_t *pages, uint64_t first_page,
                          uint32_t page_count, imgret_error *error)
{
    for (uint64_t i = 0; i < page_count; i++)
        if (first_page + i >= segment->check_count ||
            ir_page_check(pages + i * IR_PAGE_BYTES, first_page + i) !=
                segment->checks[first_page + i])
            return ir_fail(error, IMGRET_CORRUPT, "%s: page %llu is damaged", segment->path,
                           (unsigned long long)(first_page + i));
    return IMGRET_OK;
}

/* Decides what stays in RAM: always the sign codes and the small sections, then as much of the
 * graph as there is room for, then as many bits of the rank codes. */
static int32_t plan_ram(ir_segment *segment, uint32_t *bits, imgret_error *error)
{
    const ir_segment_header *header = &segment->header;
    const ir_segment_section *sections = header->sections;
    uint64_t budget = segment->options.ram_bytes_max, fixed = 0;
    uint64_t graph = sections[IR_SECTION_GRAPH].bytes;
    for (uint32_t i = IR_SECTION_IDS; i <= IR_SECTION_ENTRIES; i++)
        if (i != IR_SECTION_RANKS && i != IR_SECTION_GRAPH)
            fixed += sections[i].bytes;
    uint64_t least = fixed + checks_kept(header, false) * 4;
    uint64_t whole = fixed + graph + checks_kept(header, true) * 4;
    segment->graph_ram_pages = graph / IR_PAGE_BYTES;
    *bits = header->code_bits;
    if (!budget)
        return IMGRET_OK;
    if (budget < least)
        return ir_fail(error, IMGRET_LIMIT,
                       "%s: %llu bytes of RAM are allowed, at least %llu are "
                       "needed",
                       segment->path, (unsigned long long)budget, (unsigned long long)least);
    if (budget < whole) {
        uint64_t pages = (budget - least) / IR_PAGE_BYTES;
        if (pages < segment->graph_ram_pages)
            segment->graph_ram_pages = pages;
    }
    while (*bits > 1) {
        ir_code_shape shape = ir_code_shape_of(header->code_dimension, *bits);
        if (budget >= whole && budget - whole >= header->vector_count * shape.rank_stride)
            break;
        --*bits;
    }
    return IMGRET_OK;
}

/* Whole records, of `count` vectors from `first` on, whose lowest bits are taken off. */
typedef struct reduction {
    ir_segment *segment;
    ir_code_shape full;
    const uint8_t *records;
    uint64_t first;
    uint32_t count;
} reduction;

static void reduce_part(void *context, uint32_t part)
{
    const reduction *work = context;
    const ir_segment *segment = work->segment;
    const ir_segment_header *header = &segment->header;
    const ir_code_shape *shape = &segment->shape;
    uint32_t end = (part + 1) * REDUCED_TOGETHER;
    for (uint32_t i = part * REDUCED_TOGETHER; i < end && i < work->count; i++) {
        uint64_t slot = work->first + i;
        const uint8_t *sign = segment->signs + slot * shape->sign_stride;
        size_t centroid = ir_code_centroid(shape, sign) % header->centroid_count;
        ir_code_reduce(&work->full, shape, sign, work->records + (size_t)i * work->full.rank_stride,
                       segment->centroids + centroid * header->code_dimension,
                       segment->ranks + slot * shape->rank_stride);
    }
}

/* Takes the lowest bits off the whole records in `bytes` bytes, from *slot on; returns what they
 * take of them. */
static size_t reduce_records(ir_segment *segment, const uint8_t *records, size_t bytes,
                             uint64_t *slot)
{
    const ir_segment_header *header = &segment->header;
    reduction work = {.segment = segment,
                      .full = ir_code_shape_of(header->code_dimension, header->code_bits),
                      .records = records,
                      .first = *slot};
    uint64_t whole = bytes / work.full.rank_stride, left = header->vector_count - *slot;
    work.count = (uint32_t)(whole < left ? whole : left);
    uint32_t parts = (work.count + REDUCED_TOGETHER - 1) / REDUCED_TOGETHER;
    if (segment->options.pool)
        ir_pool_run(segment->options.pool, reduce_part, &work, parts);
    for (uint32_t part = 0; !segment->options.pool && part < parts; part++)
        reduce_part(&work, part);
    *slot += work.count;
    return (size_t)work.count * work.full.rank_stride;
}

/* Loads the rank codes a block at a time. The beginning of a record that a block cuts waits before
 * the place of the next block. */
static int32_t load_reduced_ranks(ir_segment *segment, imgret_error *error)
{
    const ir_segment_section *section = &segment->header.sections[IR_SECTION_RANKS];
    uint64_t pages = ir_pages_of(section->bytes), first = section->offset / IR_PAGE_BYTES;
    size_t bytes = segment->header.vector_count * segment->shape.rank_stride, held = 0;
    uint8_t *memory = ir_malloc_aligned(IR_PAGE_BYTES, (1 + LOAD_PAGES) * IR_PAGE_BYTES);
    segment->ranks = ir_malloc_aligned(IR_PAGE_BYTES, bytes + IR_ROW_SLACK_BYTES);
    ir_advise_random(segment->ranks, bytes);
    int32_t status = IMGRET_OK;
    if (!memory || !segment->ranks)
        status = ir_fail(error, IMGRET_NO_MEMORY, "%s: no memory for %zu bytes", segment->path,
                         bytes);
    uint64_t slot = 0;
    for (uint64_t at = 0; !status && at < pages; at += LOAD_PAGES) {
        uint8_t *block = memory + IR_PAGE_BYTES;
        uint32_t part = (uint32_t)(pages - at < LOAD_PAGES ? pages - at : LOAD_PAGES);
        status = ir_segment_read_pages(segment, first + at, part, block, error);
        if (!status)
            status = ir_segment_verify(segment, block, first + at, part, error);
        if (status)
            break;
        size_t total = held + (size_t)part * IR_PAGE_BYTES;
        uint8_t *records = block - held;
        size_t used = reduce_records(segment, records, total, &slot);
        /* After the last record the rest is zeros, and may be longer than a record. */
        held = total - used < IR_PAGE_BYTES ? total - used : 0;
        memmove(block - held, records + used, held);
    }
    ir_free_aligned(memory);
    return status;
}

/* What ir_segment_get needs; the checks stay, as far as they are of vectors. */
static int32_t load_for_vectors(ir_segment *segment, imgret_error *error)
{
    const ir_segment_header *header = &segment->header;
    segment->space = (ir_space){.dimension = header->dimension,
                                .metric = header->metric,
                                .vector_type = header->vector_type};
    int32_t status = load_checks(segment, error);
    return status ? status : load_section(segment, IR_SECTION_IDS, &segment->ids, error);
}

/* Into what is left of the budget. */
static int32_t load_hot(ir_segment *segment, imgret_error *error)
{
    const ir_segment_header *header = &segment->header;
    uint64_t budget = segment->options.ram_bytes_max;
    uint64_t used = segment->check_count * sizeof segment->checks[0] +
                    header->vector_count * segment->shape.rank_stride;
    for (uint32_t i = IR_SECTION_IDS; i <= IR_SECTION_ENTRIES; i++)
        if (i != IR_SECTION_RANKS)
            used += header->sections[i].bytes;
    bool whole = segment->graph_ram_pages * IR_PAGE_BYTES ==
                 header->sections[IR_SECTION_GRAPH].bytes;
    uint64_t most = segment->options.vector_bytes_max, room = budget > used ? budget - used : 0;
    if (!budget || (most && room > most))
        room = most;
    if (!segment->options.keeps_vectors || !whole || room == 0)
        return IMGRET_OK;
    return ir_segment_load_hot(segment, room, error);
}

static int32_t load_all(ir_segment *segment, imgret_error *error)
{
    if (segment->options.vectors_only)
        return load_for_vectors(segment, error);
    const ir_segment_header *header = &segment->header;
    uint32_t bits = 1;
    int32_t status = plan_ram(segment, &bits, error);
    segment->shape = ir_code_shape_of(header->code_dimension, bits);
    if (!status)
        status = load_checks(segment, error);
    if (!status)
        status = load_section(segment, IR_SECTION_IDS, &segment->ids, error);
    if (!status)
        status = load_section(segment, IR_SECTION_MEAN, &segment->mean, error);
    if (!status)
        status = load_section(segment, IR_SECTION_CENTROIDS, &segment->centroids, error);
    if (!status)
        status = load_section(segment, IR_SECTION_SIGNS, &segment->signs, error);
    if (!status && bits > 1)
        status = bits == header->code_bits
                     ? load_section(segment, IR_SECTION_RANKS, &segment->ranks, error)
                     : load_reduced_ranks(segment, error);
    if (!status)
        status = load_pages(segment, IR_SECTION_GRAPH, segment->graph_ram_pages, &segment->graph,
                            error);
    if (!status)
        status = load_section(segment, IR_SECTION_ENTRIES, &segment->entries, error);
    if (!status)
        status = drop_other_checks(segment, error);
    if (status)
        return status;
    for (uint32_t i = 0; i < header->entry_count; i++)
        if (segment->entries[i] >= header->vector_count)
            return damaged(segment, "an entry point is no vector", error);
    segment->graph_stride = ir_graph_row_stride(header);
    segment->graph_rows_per_page = ir_graph_rows_per_page(header);
    segment->space = (ir_space){.dimension = header->dimension,
                                .metric = header->metric,
                                .vector_type = header->vector_type,
                                .mean = segment->mean,
                                .unit = header->unit};
    status = load_hot(segment, error);
    return status ? status
                  : ir_rotation_create(&segment->space.rotation, header->dimension,
                                       header->rotation_seed, error);
}

int32_t ir_segment_open(ir_segment **out, const char *path, const ir_segment_open_options *options,
                        imgret_error *error)
{
    *out = NULL;
    ir_segment *segment = ir_calloc(1, sizeof *segment);
    if (!segment)
        return ir_fail(error, IMGRET_NO_MEMORY, "%s: no memory to open it", path);
    segment->fd = -1;
    if (options)
        segment->options = *options;
    pthread_mutex_init(&segment->lock, NULL);
    segment->path = ir_strdup(path);
    int32_t status = segment->path
                         ? ir_io_open_file(path, &segment->fd, &segment->direct, error)
                         : ir_fail(error, IMGRET_NO_MEMORY, "%s: no memory to open it", path);
    if (!status)
        status = read_header(segment, error);
    if (!status)
        status = load_all(segment, error);
    if (status) {
        ir_segment_close(segment);
        return status;
    }
    segment->options.pool = NULL; /* may end before the segment */
    *out = segment;
    return IMGRET_OK;
}

void ir_segment_close(ir_segment *segment)
{
    if (!segment)
        return;
    ir_searcher_free(segment->idle);
    pthread_mutex_destroy(&segment->lock);
    if (segment->fd >= 0)
        close(segment->fd);
    ir_rotation_free(segment->space.rotation);
    ir_free_aligned(segment->mean);
    ir_free_aligned(segment->centroids);
    ir_free_aligned(segment->signs);
    ir_free_aligned(segment->ranks);
    ir_free_aligned(segment->graph);
    ir_free_aligned(segment->ids);
    ir_free_aligned(segment->entries);
    ir_free_aligned(segment->checks);
    ir_free(segment->hot_slots);
    ir_free_aligned(segment->hot_records);
    ir_free(segment->damage);
    ir_free(segment->path);
    ir_free(segment);
}

void ir_segment_get_info(const ir_segment *segment, ir_segment_info *out)
{
    const ir_segment_header *header = &segment->header;
    const ir_segment_section *sections = header->sections;
    *out = (ir_segment_info){
        .vector_count = header->vector_count,
        .file_bytes = header->page_count * IR_PAGE_BYTES,
        .dimension = header->dimension,
        .metric = header->metric,
        .vector_type = header->vector_type,
        .code_bits = header->code_bits,
        .degree = header->degree,
        .centroid_count = header->centroid_count,
        .sign_bytes = sections[IR_SECTION_SIGNS].bytes,
        .rank_bytes = header->vector_count * segment->shape.rank_stride,
        .graph_bytes = segment->graph_ram_pages * IR_PAGE_BYTES,
        .graph_bytes_on_disk = sections[IR_SECTION_GRAPH].bytes -
                               segment->graph_ram_pages * IR_PAGE_BYTES,
        .id_bytes = sections[IR_SECTION_IDS].bytes,
        .check_bytes = segment->check_count * 4,
        .other_bytes = sections[IR_SECTION_MEAN].bytes + sections[IR_SECTION_CENTROIDS].bytes +
                       sections[IR_SECTION_ENTRIES].bytes,
        .vector_bytes = segment->hot_count * ir_segment_hot_bytes(header),
        .code_bits_in_ram = segment->shape.bits,
        .direct = segment->direct,
        .identity = header->checks_hash,
    };
    pthread_mutex_t *lock = (pthread_mutex_t *)&segment->lock;
    pthread_mutex_lock(lock);
    out->io_kind = segment->io_kind;
    pthread_mutex_unlock(lock);
}
