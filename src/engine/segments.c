/* segments.c: the segment files of an open database: following the catalogue's list. */
#include "engine/segments.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "engine/effort.h"

#include <string.h>

char *ir_segments_folder(const ir_catalog *catalog)
{
    return ir_asprintf("%s/segments", ir_catalog_folder(catalog));
}

char *ir_segments_path(const ir_catalog *catalog, int64_t id)
{
    return ir_asprintf("%s/segments/%06lld.seg", ir_catalog_folder(catalog), (long long)id);
}

int32_t ir_segments_init(ir_segments *segments, uint64_t ram_bytes_max, imgret_error *error)
{
    memset(segments, 0, sizeof *segments);
    segments->ram_bytes_max = ram_bytes_max;
    /* Searches come all the time; a replacement must not wait for a moment without any. (musl has no
     * such choice: there it may have to.) */
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
#ifdef __GLIBC__
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
#endif
    pthread_rwlock_init(&segments->layout, &attributes);
    pthread_rwlockattr_destroy(&attributes);
    return ir_tombstones_create(&segments->tombstones, error);
}

static void close_all(ir_open_segment *open, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        ir_segment_close(open[i].file);
    ir_free(open);
}

void ir_segments_close(ir_segments *segments)
{
    close_all(segments->open, segments->count);
    ir_tombstones_free(segments->tombstones);
    pthread_rwlock_destroy(&segments->layout);
}

static bool same_list(const ir_segments *segments, const ir_catalog_segment *listed, uint32_t count)
{
    bool same = segments->count == count;
    for (uint32_t i = 0; i < count && same; i++)
        same = segments->open[i].listed.id == listed[i].id &&
               segments->open[i].listed.identity == listed[i].identity;
    return same;
}

static int32_t open_one(ir_segments *segments, ir_catalog *catalog,
                        const ir_catalog_segment *listed, uint64_t total_count,
                        ir_open_segment *out, imgret_error *error)
{
    char *path = ir_segments_path(catalog, listed->id);
    if (!path)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
    double share = total_count ? (double)listed->vector_count / (double)total_count : 1;
    ir_segment_open_options options = {
        .ram_bytes_max = (uint64_t)((double)segments->ram_bytes_max * share),
        .keeps_vectors = true};
    int32_t status = ir_segment_open(&out->file, path, &options, error);
    if (!status) {
        ir_segment_info info;
        ir_segment_get_info(out->file, &info);
        out->listed = *listed;
        out->code_bits = info.code_bits_in_ram;
        if (info.identity != listed->identity)
            status = ir_fail(error, IMGRET_CORRUPT,
                             "%s is another segment than the catalogue lists", path);
    }
    ir_free(path);
    return status;
}

/* A segment that is damaged or missing must not keep the others, and the catalogue, from being used. */
static int32_t open_one_or_stand_in(ir_segments *segments, ir_catalog *catalog,
                                    const ir_catalog_segment *listed, uint64_t total_count,
                                    bool missing_is_damage, ir_open_segment *out,
                                    imgret_error *error)
{
    imgret_error reason = IMGRET_ERROR_INIT;
    int32_t status = open_one(segments, catalog, listed, total_count, out, &reason);
    bool damaged = status == IMGRET_CORRUPT || (status == IMGRET_NOT_FOUND && missing_is_damage);
    if (!status)
        return IMGRET_OK;
    if (!damaged)
        return ir_fail(error, status, "%s", reason.message);
    ir_log(IMGRET_LOG_ERROR, "%s", reason.message);
    char *path = ir_segments_path(catalog, listed->id);
    if (!path)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
    ir_segment_close(out->file);
    out->listed = *listed;
    status = ir_segment_open_damaged(&out->file, path, reason.message, error);
    ir_free(path);
    return status;
}

static int32_t open_list(ir_segments *segments, ir_catalog *catalog,
                         const ir_catalog_segment *listed, uint32_t count, bool missing_is_damage,
                         ir_open_segment **out, imgret_error *error)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < count; i++)
        total += listed[i].vector_count;
    ir_open_segment *open = ir_calloc(count ? count : 1, sizeof *open);
    char *curves = NULL;
    int32_t status = open ? ir_effort_load(catalog, &curves, error)
                          : ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u segments", count);
    for (uint32_t i = 0; i < count && !status; i++) {
        status = open_one_or_stand_in(segments, catalog, &listed[i], total, missing_is_damage,
                                      &open[i], error);
        ir_effort_find(curves, listed[i].identity, &open[i].curves);
    }
    ir_free(curves);
    if (status && open) {
        close_all(open, count);
        open = NULL;
    }
    *out = open;
    return status;
}

/* Another process may replace the list between reading it and opening its files: then it is read
 * again. What is missing three times is missing. */
static int32_t open_current(ir_segments *segments, ir_catalog *catalog, ir_open_segment **open,
                            uint32_t *count, bool *changed, imgret_error *error)
{
    int32_t status = IMGRET_NOT_FOUND;
    for (int attempt = 0; attempt < 3 && status == IMGRET_NOT_FOUND; attempt++) {
        ir_catalog_segment *listed;
        status = ir_catalog_get_segments(catalog, &listed, count, error);
        if (status)
            return status;
        *changed = !same_list(segments, listed, *count);
        if (*changed)
            status = open_list(segments, catalog, listed, *count, attempt == 2, open, error);
        ir_free(listed);
    }
    return status;
}

static int32_t add_tombstone(void *context, int64_t region, imgret_error *error)
{
    return ir_tombstones_add(context, region, error);
}

static int32_t ignore_vector(void *context, int64_t region, const void *vector, size_t vector_bytes,
                             imgret_error *error)
{
    (void)context, (void)region, (void)vector, (void)vector_bytes, (void)error;
    return IMGRET_OK;
}

/* The removals that the catalogue still lists: rebuilt segments no longer hold the others. */
static int32_t read_tombstones(ir_catalog *catalog, ir_tombstones **out, imgret_error *error)
{
    int32_t status = ir_tombstones_create(out, error);
    int64_t mark = 0;
    if (!status)
        status = ir_catalog_changes(catalog, INT64_MAX, &mark, add_tombstone, ignore_vector, *out,
                                    error);
    if (status) {
        ir_tombstones_free(*out);
        *out = NULL;
    }
    return status;
}

int32_t ir_segments_follow(ir_segments *segments, ir_catalog *catalog, ir_delta *delta,
                           imgret_error *error)
{
    ir_open_segment *open = NULL;
    uint32_t count;
    bool changed;
    int32_t status = open_current(segments, catalog, &open, &count, &changed, error);
    if (status || !changed)
        return status;
    ir_tombstones *tombstones;
    status = read_tombstones(catalog, &tombstones, error);
    if (status) {
        close_all(open, count);
        return status;
    }
    pthread_rwlock_wrlock(&segments->layout);
    if (count > 0)
        status = ir_delta_drop(delta, open[count - 1].listed.last_region, error);
    if (!status) {
        ir_open_segment *old = segments->open;
        uint32_t old_count = segments->count;
        segments->open = open;
        segments->count = count;
        open = old;
        count = old_count;
        ir_tombstones *old_tombstones = segments->tombstones;
        segments->tombstones = tombstones;
        tombstones = old_tombstones;
    }
    pthread_rwlock_unlock(&segments->layout);
    ir_tombstones_free(tombstones);
    close_all(open, count);
    return status;
}

int32_t ir_segments_get(ir_segments *segments, int64_t region, void *stored, imgret_error *error)
{
    if (!ir_tombstones_has(segments->tombstones, region))
        for (uint32_t i = 0; i < segments->count; i++) {
            const ir_catalog_segment *listed = &segments->open[i].listed;
            if (region >= listed->first_region && region <= listed->last_region)
                return ir_segment_get(segments->open[i].file, region, stored, error);
        }
    return ir_fail(error, IMGRET_NOT_FOUND, "region %lld has no vector", (long long)region);
}

int32_t ir_segments_read(ir_segments *segments, int64_t region, void *stored, imgret_error *error)
{
    int32_t status = IMGRET_NOT_FOUND;
    pthread_rwlock_rdlock(&segments->layout);
    for (uint32_t i = 0; i < segments->count && status == IMGRET_NOT_FOUND; i++) {
        const ir_catalog_segment *listed = &segments->open[i].listed;
        if (region >= listed->first_region && region <= listed->last_region)
            status = ir_segment_get(segments->open[i].file, region, stored, error);
    }
    pthread_rwlock_unlock(&segments->layout);
    return status == IMGRET_NOT_FOUND
               ? ir_fail(error, IMGRET_CORRUPT, "region %lld has no vector", (long long)region)
               : status;
}
