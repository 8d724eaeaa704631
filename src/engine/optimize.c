/* optimize.c: moving vectors from the delta into segments, and merging segments.
 *
 *   plan (which regions) -> build the file, everything else goes on -> one transaction lists it,
 *   drops what it replaces and clears the pending rows -> searches switch -> old files are deleted
 *
 * Invariants:
 *  1. The database's folder is locked (flock) from before the plan until after the old files are gone, so no
 *     two processes build, and nobody takes a file that is being built for a leftover.
 *  2. A region removed while the file is built may be in it; its entry among the removals is younger
 *     than `removal_mark` and stays.
 */
#include "engine/optimize.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/way.h"
#include "catalog/repair.h"
#include "engine/switch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    DELTA_WORTH = 4096, /* vectors: below, comparing them all takes under a millisecond */
    SEGMENTS_MAX = 6,   /* each is searched by every query: more are merged into one */
    /* Inserting a vector costs about as much as copying eight (their bytes, codes and edges): a
     * segment is merged with what is younger once that is an eighth of it. */
    MERGE_SHARE = 8,
    WORN_SHARE = 5,            /* a fifth of the vectors is dead: their bytes are worth a merge */
    MEASURED_BYTES = 32 << 20, /* of vectors in RAM, while recall is measured */
    GROWN_SHARE = 4 /* what joined and left is under a fourth: the old curves of recall may do */
};

typedef struct plan {
    ir_database *database;
    const imgret_optimize_options *options;
    ir_pool *pool;
    ir_call *call;
    int64_t *ids; /* regions of the new segment, ascending */
    uint64_t id_count;
    uint64_t next;
    int64_t base;          /* the segment that the others join, or 0 */
    ir_segment *opened;    /* that segment once more, all of it in RAM */
    ir_segment_scan *scan; /* reads another one in order */
    uint32_t scanned;      /* its index */
    int64_t scan_id;
    const void *scan_stored;
    int32_t scan_state; /* 1: scan_id and scan_stored wait */
    int64_t first_region;
    int64_t last_region;
    int64_t removal_mark;
    int64_t replaced[SEGMENTS_MAX + 1];
    uint32_t replaced_count;
    int64_t number;          /* of the new file */
    ir_effort_curves curves; /* of its searches; until they are known, of the base's */
} plan;

/* ---- one builder at a time ---- */

/* The database's folder itself is what is locked: nothing has to be made, on a read-only medium too. */
static int32_t lock_folder(ir_database *database, int *out_fd, imgret_error *error)
{
    const char *folder = ir_catalog_folder(database->catalog);
    *out_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*out_fd < 0)
        return ir_fail_errno(error, errno, "open folder", folder);
    if (flock(*out_fd, LOCK_EX | LOCK_NB) == 0)
        return IMGRET_OK;
    close(*out_fd);
    *out_fd = -1;
    return ir_fail(error, IMGRET_BUSY, "%s: another process optimizes or backs up this database",
                   database->path);
}

int32_t ir_optimize_make_folder(ir_database *database, imgret_error *error)
{
    char *folder = ir_segments_folder(database->catalog);
    int32_t status = IMGRET_OK;
    if (!folder)
        status = ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
    else if (mkdir(folder, 0777) == 0)
        status = ir_folder_sync_parent(folder, error);
    else if (errno != EEXIST)
        status = ir_fail_errno(error, errno, "make folder", folder);
    ir_free(folder);
    return status;
}

static bool is_listed(const ir_catalog_segment *listed, uint32_t count, const char *name)
{
    char *end;
    long long number = strtoll(name, &end, 10);
    if (end == name || strcmp(end, ".seg") != 0)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (listed[i].id == number)
            return true;
    return false;
}

/* Under the folder's lock. */
static void delete_unlisted(ir_database *database)
{
    ir_catalog_segment *listed;
    uint32_t count;
    char *folder = ir_segments_folder(database->catalog);
    if (!folder || ir_catalog_get_segments(database->catalog, &listed, &count, NULL) != IMGRET_OK) {
        ir_free(folder);
        return;
    }
    DIR *stream = opendir(folder);
    struct dirent *entry;
    while (stream && (entry = readdir(stream)) != NULL) {
        if (!strstr(entry->d_name, ".seg") || is_listed(listed, count, entry->d_name))
            continue;
        if (unlinkat(dirfd(stream), entry->d_name, 0) == 0)
            ir_log(IMGRET_LOG_INFO, "%s: deleted %s, which no catalogue lists", database->path,
                   entry->d_name);
    }
    if (stream)
        closedir(stream);
    ir_free(listed);
    ir_free(folder);
}

static bool has_folder(const ir_database *database)
{
    char *folder = ir_segments_folder(database->catalog);
    bool there = folder && access(folder, F_OK) == 0;
    ir_free(folder);
    return there;
}

void ir_optimize_clean(ir_database *database)
{
    int fd = -1;
    if (!has_folder(database) || lock_folder(database, &fd, NULL) != IMGRET_OK)
        return;
    delete_unlisted(database);
    close(fd);
}

/* ---- the plan ---- */

/* Segments are merged with the delta from the youngest on, until one is more than MERGE_SHARE times
 * as large as all that is younger. Returns the index of the oldest that is merged. */
static uint32_t first_to_merge(const ir_segments *segments, uint64_t fresh, bool all)
{
    uint32_t first = segments->count;
    uint64_t younger = fresh;
    while (first > 0) {
        uint64_t here = segments->open[first - 1].listed.vector_count;
        if (!all && younger * MERGE_SHARE < here)
            break;
        younger += here;
        first--;
    }
    return first;
}

/* Decides between nothing, a segment of what is in the delta, and one of some or all segments and
 * the delta. What is merged joins the largest (the index decides whether by insertion or by building
 * anew, from what is left of it). */
static bool make_plan(plan *made)
{
    ir_database *database = made->database;
    ir_segments *segments = &database->segments;
    uint64_t fresh = ir_delta_count(database->delta), settled = 0, largest = 0;
    uint64_t dead = ir_tombstones_count(segments->tombstones);
    for (uint32_t i = 0; i < segments->count; i++) {
        settled += segments->open[i].listed.vector_count;
        if (segments->open[i].listed.id >= made->number)
            made->number = segments->open[i].listed.id;
    }
    made->number++;
    bool force = (made->options->flags & IMGRET_OPTIMIZE_FORCE) != 0;
    bool worn = settled > 0 && dead * WORN_SHARE >= settled;
    if (!force && fresh < DELTA_WORTH && !worn)
        return false;
    if (fresh == 0 && dead == 0 && segments->count < 2)
        return false;
    bool all = worn || segments->count >= SEGMENTS_MAX || (force && (fresh == 0 || dead > 0));
    uint32_t first = first_to_merge(segments, fresh, all);
    made->first_region = first > 0 ? segments->open[first - 1].listed.last_region + 1 : 1;
    made->last_region = ir_delta_last_id(database->delta);
    made->removal_mark = first == 0 ? database->removal_mark : 0;
    for (uint32_t i = first; i < segments->count; i++) {
        const ir_catalog_segment *listed = &segments->open[i].listed;
        made->replaced[made->replaced_count++] = listed->id;
        if (listed->vector_count > largest) {
            largest = listed->vector_count;
            made->base = listed->id;
            made->curves = segments->open[i].curves;
        }
    }
    return true;
}

static int32_t list_regions(plan *made, imgret_error *error)
{
    int32_t status = ir_catalog_region_ids_beside(made->database->catalog, made->first_region,
                                                  &made->ids, &made->id_count, error);
    while (made->id_count > 0 && made->ids[made->id_count - 1] > made->last_region)
        made->id_count--; /* committed after the delta was synchronised: for next time */
    return status;
}

/* ---- building ---- */

/* The segment that may hold a region, or the number of segments. */
static uint32_t segment_of(const ir_segments *segments, int64_t region)
{
    uint32_t i = 0;
    while (i < segments->count && (region < segments->open[i].listed.first_region ||
                                   region > segments->open[i].listed.last_region))
        i++;
    return i;
}

/* *stored becomes the region's vector in its segment, or NULL. Regions are asked for in ascending
 * order, so that each segment is read once, from front to back. */
static int32_t read_settled(plan *made, int64_t region, const void **stored, imgret_error *error)
{
    ir_segments *segments = &made->database->segments;
    uint32_t index = segment_of(segments, region);
    *stored = NULL;
    if (index == segments->count || ir_tombstones_has(segments->tombstones, region))
        return IMGRET_OK;
    if (!made->scan || made->scanned != index) {
        ir_segment_scan_free(made->scan);
        made->scan = NULL;
        int32_t status = ir_segment_scan_create(&made->scan, segments->open[index].file, error);
        if (status)
            return status;
        made->scanned = index;
        made->scan_state = 1;
        made->scan_id = INT64_MIN;
    }
    while (made->scan_state == 1 && made->scan_id < region) {
        made->scan_state = ir_segment_scan_next(made->scan, &made->scan_id, &made->scan_stored,
                                                error);
        if (made->scan_state < 0)
            return made->scan_state;
    }
    if (made->scan_state == 1 && made->scan_id == region)
        *stored = made->scan_stored;
    return IMGRET_OK;
}

/* ir_segment_next_fn of what is not in the base. Nobody replaces segments or drops from the delta
 * while this process builds. */
static int32_t next_vector(void *context, int64_t *id, const void **stored, imgret_error *error)
{
    plan *made = context;
    while (made->next < made->id_count) {
        *id = made->ids[made->next++];
        if (made->opened && ir_segment_has(made->opened, *id))
            continue;
        *stored = ir_delta_get(made->database->delta, *id);
        int32_t status = *stored ? IMGRET_OK : read_settled(made, *id, stored, error);
        if (status)
            return status;
        if (*stored) /* else removed meanwhile */
            return 1;
    }
    return 0;
}

/* Whether a vector of the base is of no region any more. */
static bool is_gone(void *context, int64_t id)
{
    const plan *made = context;
    uint64_t low = 0, high = made->id_count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (made->ids[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low == made->id_count || made->ids[low] != id ||
           ir_tombstones_has(made->database->segments.tombstones, id);
}

static bool stop_or_report(const plan *made, double done)
{
    if (ir_call_stopped(made->call))
        return true;
    return made->options->on_progress && made->options->on_progress(made->options->user, done) != 0;
}

/* What building takes of the progress that a host sees; the rest is measuring recall. */
static const double build_share = 0.9;

static bool stop_or_report_build(void *context, double done)
{
    return stop_or_report(context, build_share * done);
}

static bool stop_or_report_measuring(void *context, double done)
{
    return stop_or_report(context, build_share + (1 - build_share) * done);
}

/* Codes and graph of the base are held in RAM: they may take half of the memory that is allowed.
 * Beyond that all is built anew, part by part. */
static bool base_fits(const plan *made)
{
    const ir_segments *segments = &made->database->segments;
    uint64_t limit = made->options->memory_bytes_max;
    for (uint32_t i = 0; i < segments->count && limit; i++) {
        const ir_catalog_segment *listed = &segments->open[i].listed;
        uint64_t vectors = listed->vector_count * ir_delta_vector_bytes(made->database->delta);
        if (listed->id == made->base && (listed->file_bytes - vectors) * 2 > limit)
            return false;
    }
    return true;
}

static int32_t open_base(plan *made, imgret_error *error)
{
    if (!made->base || !base_fits(made))
        return IMGRET_OK;
    char *path = ir_segments_path(made->database->catalog, made->base);
    int32_t status = path ? ir_segment_open(&made->opened, path, &(ir_segment_open_options){0},
                                            error)
                          : ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
    ir_free(path);
    return status;
}

/* Comes from the pool's threads: a host is not asked there, maintenance (with a pool of its own) is. */
static bool stop_measuring(void *context)
{
    plan *made = context;
    bool asked = made->pool != made->database->pool && made->options->on_progress;
    return ir_call_stopped(made->call) ||
           (asked && made->options->on_progress(made->options->user, 1) != 0);
}

/* Measuring takes as long for a few vectors that join as for all: what is known of the base is kept
 * where it still holds. */
static int32_t measure(plan *made, ir_segment *built, bool grown_little, imgret_error *error)
{
    bool holds = false;
    ir_calibration how = {.pool = made->pool,
                          .stop = stop_measuring,
                          .context = made,
                          .report = stop_or_report_measuring};
    int32_t status = IMGRET_OK;
    if (grown_little)
        status = ir_segment_confirm(built, &made->curves, &how, &holds, error);
    if (!status && !holds)
        status = ir_segment_calibrate(built, &how, &made->curves, error);
    ir_log(IMGRET_LOG_DEBUG, "%s: segment %lld: efforts %s", made->database->path,
           (long long)made->number, holds ? "kept" : "measured");
    return status;
}

/* Opening a segment checks it, before anything depends on it, and what its searches find is
 * measured; with as much of it in RAM as memory allows, and not at all where that is too little. */
static int32_t try_segment(plan *made, const char *path, bool grown_little, imgret_error *error)
{
    ir_segment *built = NULL;
    imgret_error reason = IMGRET_ERROR_INIT;
    /* Of a small segment each vector is asked for many times: from the disk, queries would wait. */
    ir_segment_open_options options = {.ram_bytes_max = made->options->memory_bytes_max,
                                       .keeps_vectors = true,
                                       .vector_bytes_max = MEASURED_BYTES};
    int32_t status = ir_segment_open(&built, path, &options, &reason);
    if (status && status != IMGRET_LIMIT)
        return ir_fail(error, status, "%s", reason.message);
    if (!status)
        status = measure(made, built, grown_little, error);
    else {
        made->curves = (ir_effort_curves){0};
        status = IMGRET_OK;
    }
    ir_segment_close(built);
    if (!status && stop_or_report(made, 1))
        status = ir_fail(error, IMGRET_INTERRUPTED, "optimizing was stopped");
    return status;
}

static int32_t build(plan *made, const char *path, ir_catalog_segment *out, imgret_error *error)
{
    ir_database *database = made->database;
    ir_segment_spec spec = {
        .dimension = database->dimension,
        .metric = database->metric,
        .vector_type = database->vector_type,
        .seed = 1,
        .memory_bytes_max = made->options->memory_bytes_max,
        .pool = made->pool,
        .stop = stop_or_report_build,
        .context = made,
        .base = made->opened,
        .dropped = is_gone,
        .dropped_context = made,
    };
    ir_segment_report report = {0};
    int32_t status = ir_segment_build(path, &spec, next_vector, made, &report, error);
    ir_log(IMGRET_LOG_INFO, "%s: segment %lld: %llu vectors, %llu of them taken over",
           database->path, (long long)made->number, (unsigned long long)report.vector_count,
           (unsigned long long)report.taken_count);
    uint64_t same = report.taken_count, other = report.vector_count - same;
    if (made->opened && !status) {
        ir_segment_info info;
        ir_segment_get_info(made->opened, &info);
        other += info.vector_count - same;
    }
    if (!status)
        status = try_segment(made, path, same > 0 && other * GROWN_SHARE < same, error);
    if (status)
        return status;
    *out = (ir_catalog_segment){
        .id = made->number,
        .first_region = made->first_region,
        .last_region = made->last_region,
        .vector_count = report.vector_count,
        .file_bytes = report.file_bytes,
        .identity = report.identity,
    };
    return IMGRET_OK;
}

/* ---- carrying it out ---- */

static int32_t carry_out(plan *made, imgret_error *error)
{
    char *path = ir_segments_path(made->database->catalog, made->number);
    if (!path)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for a path");
    ir_catalog_segment built;
    int32_t status = ir_optimize_make_folder(made->database, error);
    if (!status)
        status = open_base(made, error);
    if (!status)
        status = build(made, path, &built, error);
    bool refused = false;
    if (!status) {
        const ir_switch to = {.database = made->database,
                              .built = &built,
                              .replaced = made->replaced,
                              .replaced_count = made->replaced_count,
                              .removal_mark = made->removal_mark,
                              .curves = &made->curves};
        status = ir_switch_to(&to, &refused, error);
    }
    /* A commit that the disk refused may be found in the log after a crash: then the new file is the one
     * that is listed. Who opens the database next knows, and deletes. */
    if (!refused)
        delete_unlisted(made->database); /* replaced files, or one that was not finished */
    ir_free(path);
    return status;
}

static int32_t optimize_locked(ir_database *database, const imgret_optimize_options *options,
                               ir_pool *pool, ir_call *call, bool *built, imgret_error *error)
{
    plan made = {.database = database,
                 .options = options,
                 .pool = pool ? pool : database->pool,
                 .call = call};
    int32_t status = ir_database_sync(database, error);
    bool pays = false;
    if (!status) {
        pthread_mutex_lock(&database->delta_lock);
        pays = make_plan(&made);
        pthread_mutex_unlock(&database->delta_lock);
    }
    *built = pays;
    if (pays) {
        status = list_regions(&made, error);
        const ir_way way = {.answered = ir_maintenance_runs() ? NULL : &database->totals.count};
        const ir_way *before = ir_way_set(&way);
        if (!status)
            status = carry_out(&made, error);
        ir_way_set(before);
    }
    if (!status && options->on_progress)
        options->on_progress(options->user, 1);
    ir_segment_scan_free(made.scan);
    ir_segment_close(made.opened);
    ir_free(made.ids);
    return status;
}

int32_t ir_optimize(ir_database *database, const imgret_optimize_options *options, ir_pool *pool,
                    ir_call *call, imgret_error *error)
{
    if (database->read_only)
        return ir_fail(error, IMGRET_READ_ONLY, "%s is open for reading only", database->path);
    if (database->dimension < 2 || database->dimension > 4096)
        return ir_fail(error, IMGRET_UNSUPPORTED,
                       "segments hold vectors of 2 to 4,096 dimensions, %s has %u", database->path,
                       database->dimension);
    if (ir_database_is_joined(database))
        return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                       "%s cannot be optimized within this thread's transaction", database->path);
    int lock;
    bool built = false;
    int32_t status = ir_optimize_pause(database, &lock, error);
    if (status)
        return status;
    status = optimize_locked(database, options, pool, call, &built, error);
    ir_optimize_resume(database, lock);
    imgret_error untidy = IMGRET_ERROR_INIT; /* no reason to call the whole a failure */
    built = built || (options->flags & IMGRET_OPTIMIZE_FORCE) != 0;
    if (!status && built && ir_catalog_tidy(database->catalog, &untidy))
        ir_log(IMGRET_LOG_WARNING, "%s", untidy.message);
    return status;
}

int32_t ir_optimize_pause(ir_database *database, int *lock, imgret_error *error)
{
    bool maintained;
    ir_maintenance_yield(database->maintenance, &maintained);
    int failed = pthread_mutex_trylock(&database->optimize_lock);
    if (failed && maintained) /* it stops soon */
        failed = pthread_mutex_lock(&database->optimize_lock);
    int32_t status = failed ? ir_fail(error, IMGRET_BUSY, "%s is being optimized by another thread",
                                      database->path)
                            : lock_folder(database, lock, error);
    if (status && !failed)
        pthread_mutex_unlock(&database->optimize_lock);
    if (status)
        ir_maintenance_resume(database->maintenance);
    return status;
}

void ir_optimize_resume(ir_database *database, int lock)
{
    close(lock);
    pthread_mutex_unlock(&database->optimize_lock);
    ir_maintenance_resume(database->maintenance);
}
