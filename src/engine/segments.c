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

/* All but what is another's. */
static void close_all(ir_open_segment *open, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (!open[i].borrowed)
            ir_segment_close(open[i].file);
    ir_free(open);
}

void ir_segments_bag_free(ir_segments_bag *bag)
{
    close_all(bag->open, bag->count);
    ir_delta_free(bag->delta);
    *bag = (ir_segments_bag){0};
}

ir_segments_bag ir_segments_take_gone(ir_segments *segments)
{
    ir_segments_bag taken = {0};
    if (!segments->ready) {
        taken = segments->gone;
        segments->gone = (ir_segments_bag){0};
    }
    return taken;
}

void ir_segments_close(ir_segments *segments)
{
    ir_segments_bag_free(&segments->gone);
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

static uint64_t count_vectors(const ir_catalog_segment *listed, uint32_t count)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < count; i++)
        total += listed[i].vector_count;
    return total;
}

/* What a segment may keep in RAM; 0: no limit. */
static uint64_t share_of_ram(const ir_segments *segments, const ir_catalog_segment *listed,
                             uint64_t total_count)
{
    double share = total_count ? (double)listed->vector_count / (double)total_count : 1;
    return (uint64_t)((double)segments->ram_bytes_max * share);
}

/* The one among `open` that is as it would be opened now, or NULL. */
static ir_open_segment *find_open(ir_open_segment *open, uint32_t count,
                                  const ir_catalog_segment *listed, uint64_t ram_bytes_max)
{
    for (uint32_t i = 0; i < count; i++)
        if (open[i].file && !open[i].damaged && open[i].listed.id == listed->id &&
            open[i].listed.identity == listed->identity && open[i].ram_bytes_max == ram_bytes_max)
            return &open[i];
    return NULL;
}

/* The same among all that this handle has. */
static ir_open_segment *find_anywhere(const ir_segments *segments, const ir_catalog_segment *listed,
                                      uint64_t ram_bytes_max)
{
    ir_open_segment *found = find_open(segments->open, segments->count, listed, ram_bytes_max);
    if (!found && segments->ready)
        found = find_open(segments->ready->open, segments->ready->count, listed, ram_bytes_max);
    return found;
}

static int32_t open_one(const ir_segments *segments, const ir_catalog *catalog,
                        const ir_catalog_segment *listed, uint64_t ram_bytes_max,
                        ir_open_segment *out, imgret_error *error)
{
    char *path = ir_segments_path(catalog, listed->id);
    if (!path)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
    ir_segment_open_options options = {
        .ram_bytes_max = ram_bytes_max, .pool = segments->pool, .keeps_vectors = true};
    int32_t status = ir_segment_open(&out->file, path, &options, error);
    if (!status) {
        ir_segment_info info;
        ir_segment_get_info(out->file, &info);
        out->listed = *listed;
        out->ram_bytes_max = ram_bytes_max;
        out->code_bits = info.code_bits_in_ram;
        if (info.identity != listed->identity)
            status = ir_fail(error, IMGRET_CORRUPT,
                             "%s is another segment than the catalogue lists", path);
    }
    ir_free(path);
    return status;
}

/* A segment that is damaged or missing must not keep the others, and the catalogue, from being used. */
static int32_t open_one_or_stand_in(const ir_segments *segments, const ir_catalog *catalog,
                                    const ir_catalog_segment *listed, uint64_t ram_bytes_max,
                                    bool missing_is_damage, ir_open_segment *out,
                                    imgret_error *error)
{
    imgret_error reason = IMGRET_ERROR_INIT;
    int32_t status = open_one(segments, catalog, listed, ram_bytes_max, out, &reason);
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
    out->damaged = true;
    status = ir_segment_open_damaged(&out->file, path, reason.message, error);
    ir_free(path);
    return status;
}

static int32_t open_list(ir_segments *segments, ir_catalog *catalog,
                         const ir_catalog_segment *listed, uint32_t count, bool missing_is_damage,
                         ir_open_segment **out, imgret_error *error)
{
    uint64_t total = count_vectors(listed, count);
    ir_open_segment *open = ir_calloc(count ? count : 1, sizeof *open);
    char *curves = NULL;
    int32_t status = open ? ir_effort_load(catalog, &curves, error)
                          : ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u segments", count);
    for (uint32_t i = 0; i < count && !status; i++) {
        uint64_t ram_bytes_max = share_of_ram(segments, &listed[i], total);
        const ir_open_segment *there = find_anywhere(segments, &listed[i], ram_bytes_max);
        if (there) {
            open[i] = *there;
            open[i].listed = listed[i];
            open[i].borrowed = true;
        } else {
            status = open_one_or_stand_in(segments, catalog, &listed[i], ram_bytes_max,
                                          missing_is_damage, &open[i], error);
        }
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

int32_t ir_segments_prepare(const ir_segments *segments, const ir_catalog *catalog,
                            const ir_delta *delta, const ir_catalog_segment *listed, uint32_t count,
                            ir_segments_bag *out, imgret_error *error)
{
    uint64_t total = count_vectors(listed, count);
    *out = (ir_segments_bag){.open = ir_calloc(count ? count : 1, sizeof *out->open)};
    int32_t status = out->open
                         ? IMGRET_OK
                         : ir_fail(error, IMGRET_NO_MEMORY, "no memory for %u segments", count);
    for (uint32_t i = 0; i < count && !status; i++) {
        uint64_t ram_bytes_max = share_of_ram(segments, &listed[i], total);
        imgret_error reason = IMGRET_ERROR_INIT;
        if (find_open(segments->open, segments->count, &listed[i], ram_bytes_max))
            continue;
        ir_open_segment *one = &out->open[out->count++];
        status = open_one(segments, catalog, &listed[i], ram_bytes_max, one, &reason);
        if (status == IMGRET_CORRUPT || status == IMGRET_NOT_FOUND) {
            ir_segment_close(one->file); /* ir_segments_follow has its stand-in for that */
            one->file = NULL;
            status = IMGRET_OK;
        } else if (status) {
            ir_fail(error, status, "%s", reason.message);
        }
    }
    if (!status && count > 0) {
        out->last_region = listed[count - 1].last_region;
        status = ir_delta_prepare_drop(delta, out->last_region, &out->delta, error);
    }
    if (status)
        ir_segments_bag_free(out);
    return status;
}

/* The delta without what is up to `last_region`, if somebody made it ready. */
static ir_delta *take_ready_delta(ir_segments *segments, int64_t last_region)
{
    ir_delta *rest = NULL;
    if (segments->ready && segments->ready->last_region == last_region) {
        rest = segments->ready->delta;
        segments->ready->delta = NULL;
    }
    return rest;
}

/* Under `layout`: `open` takes the place of the list, and what it borrowed becomes its own. */
static void exchange(ir_segments *segments, ir_open_segment *open, uint32_t count,
                     ir_segments_bag *gone)
{
    for (uint32_t i = 0; i < count; i++) {
        if (open[i].borrowed)
            find_anywhere(segments, &open[i].listed, open[i].ram_bytes_max)->file = NULL;
        open[i].borrowed = false;
    }
    gone->open = segments->open;
    gone->count = segments->count;
    segments->open = open;
    segments->count = count;
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
    int64_t last_region = count > 0 ? open[count - 1].listed.last_region : 0;
    ir_segments_bag gone = {.delta = take_ready_delta(segments, last_region)};
    pthread_rwlock_wrlock(&segments->layout);
    if (count > 0)
        status = ir_delta_drop(delta, last_region, &gone.delta, error);
    if (!status) {
        exchange(segments, open, count, &gone);
        ir_tombstones *old = segments->tombstones;
        segments->tombstones = tombstones;
        tombstones = old;
    }
    pthread_rwlock_unlock(&segments->layout);
    ir_tombstones_free(tombstones);
    if (status)
        close_all(open, count);
    ir_segments_bag_free(&segments->gone); /* of an earlier one that nobody has fetched */
    segments->gone = gone;
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
